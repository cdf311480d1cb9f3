"""The command that repeats a request and shows its status.

What came from a log is quoted for the shell: an attacker may have sent it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_METHODS = {"HEAD": " --head", "GET": ""}
"""Options of curl that stand for a method; told to send HEAD by its name, it would wait for a body that never comes."""


def probe(path: str | None, host: str | None = None, method: str | None = None) -> str:
    """A curl command for the path; ``<HOST>`` stands where the host is not known, GET where the method is not. A body is not repeated."""
    url = f"https://{host or '<HOST>'}{path or '/'}"
    verb = str(method or "GET").upper()
    named = _METHODS.get(verb, f" -X {shlex.quote(verb)}" if verb.isascii() and verb.isalpha() else "")
    return f"curl -sS -o /dev/null -w '%{{http_code}}\\n'{named} {shlex.quote(url)}"


def again(row: Mapping[str, object]) -> str:
    """The command that makes the request of a record again, as far as the record tells what it was."""
    path, host, method = (str(row[name]) if row.get(name) else None for name in ("path", "host", "method"))
    return probe(path, host, method)
