"""The command that repeats a request and shows its status.

What came from a log is quoted for the shell: an attacker may have sent it.
"""

from __future__ import annotations

import shlex


def probe(path: str | None, host: str | None = None) -> str:
    """A curl command for the path; ``<HOST>`` stands where the host is not known."""
    url = f"https://{host or '<HOST>'}{path or '/'}"
    return f"curl -sS -o /dev/null -w '%{{http_code}}\\n' {shlex.quote(url)}"
