"""The command that repeats a request and shows its status.

What came from a log is quoted for the shell: an attacker may have sent it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = {"http": 80, "https": 443}
_METHODS = {"HEAD": " --head", "GET": ""}
"""Options of curl that stand for a method; told to send HEAD by its name, it would wait for a body that never comes."""


def scheme(row: Mapping[str, object]) -> str:
    """``http`` or ``https``, as the record of CloudFront, WAF or a load balancer tells it; empty where nothing does."""
    told = str(row.get("scheme") or row.get("protocol_kind") or "").lower()
    return {"h2": "https", "wss": "https", "ws": "http", "grpcs": "https"}.get(told, told if told in PORTS else "")


def url_of(row: Mapping[str, object], host: str | None = None) -> str:
    """The URL of a record's request without its query: ``https`` where the record does not tell, its port where that is not the usual one.

    ``host`` is the name where another record knows it better.
    """
    return _url(str(row.get("path") or "/"), str(host or row.get("host") or "<HOST>"), scheme(row), row.get("port"))


def _url(path: str, host: str, over: str = "", port: object = None) -> str:
    """A URL; the port counts only where the protocol was told beside it, for else it may be the port of something else."""
    named = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
    special = f":{port}" if over and port and port != PORTS[over] else ""
    return f"{over or 'https'}://{named}{special}{path}"


def probe(path: str | None, host: str | None = None, method: str | None = None) -> str:
    """A curl command for the path; ``<HOST>`` stands where the host is not known, GET where the method is not. A body is not repeated."""
    return _asking(_url(path or "/", host or "<HOST>"), method)


def again(row: Mapping[str, object]) -> str:
    """The command that makes the request of a record again, as far as the record tells what it was."""
    return _asking(url_of(row), str(row["method"]) if row.get("method") else None)


def _asking(url: str, method: str | None) -> str:
    verb = str(method or "GET").upper()
    named = _METHODS.get(verb, f" -X {shlex.quote(verb)}" if verb.isascii() and verb.isalpha() else "")
    return f"curl -sS -o /dev/null -w '%{{http_code}}\\n'{named} {shlex.quote(url)}"
