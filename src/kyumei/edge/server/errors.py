"""Reads error lines of nginx and Apache by the tables of signatures.

A signature is never its own proof: it counts for a request only when the access log has that request with one of the statuses.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from kyumei.edge.server import apache_errors, nginx_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.edge.signature import Family, Signature

SIGNATURES: tuple[Signature, ...] = (
    *nginx_errors.REFUSED,
    *apache_errors.REFUSED,
    *nginx_errors.UPSTREAM,
    *apache_errors.UPSTREAM,
)
"""Lines that speak of one request."""
STRAINS: tuple[Signature, ...] = (*nginx_errors.STRAIN, *apache_errors.STRAIN)
"""Lines that speak of the web server as a whole."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r"(?:filesystem path '|configuration: |directory )(/[^\s',:]*)")
_ADDRESS = re.compile(r"^(?:[a-z]+://)?(?P<address>\[[0-9A-Fa-f:.]+\]:[0-9]+|[^/\s:]+:[0-9]+|[^/\s:]+)(?:/|$|\s)")
_SPOKEN = re.compile(r"(?:connection to backend:|attempt to connect to|from remote server|failed from) (?P<address>[0-9A-Fa-f.:\[\]]+)")


def signature_of(message: str, status: int | None) -> Signature | None:
    """The signature that an error line shows, if it can lead to the status."""
    return next((one for one in SIGNATURES if (status is None or status in one.statuses) and _found(one.pattern, message)), None)


def signature_of_line(line: Mapping[str, object], status: int | None) -> Signature | None:
    """The signature that a row of nginx's or Apache's error table shows, if it can lead to the status."""
    return signature_of(text_of(line), status)


def strain_of(line: Mapping[str, object]) -> Signature | None:
    """The signature of trouble of a whole web server that a row shows."""
    return next((one for one in STRAINS if _found(one.pattern, text_of(line))), None)


def of_family(family: Family) -> tuple[Signature, ...]:
    """The signatures of one family."""
    return tuple(one for one in (*SIGNATURES, *STRAINS) if one.family is family)


def text_of(line: Mapping[str, object]) -> str:
    """A line's message, for Apache with the system's error and the AH number that its table keeps apart."""
    message = str(line.get("message") or "")
    code, error = line.get("code"), line.get("error_text")
    number = f"({line['errno']})" if line.get("errno") is not None else ""
    return f"{f'{number}{error}: ' if error else ''}{f'{code}: ' if code else ''}{message}"


def file_of(message: str) -> str | None:
    """The file or folder that an error line names."""
    found = _QUOTED.search(message)
    if found and found[1].startswith("/"):
        return found[1]
    bare = _BARE.search(message)
    return bare[1] if bare else None


def upstream_of(line: Mapping[str, object]) -> str | None:
    """Address and port, or name, of the server behind that a line speaks of; a socket as ``unix:/path``."""
    told = str(line.get("upstream") or line.get("upstream_addr") or "")
    socket = re.search(r"unix:[^\s:\"]+", told or str(line.get("message") or ""))
    if socket:
        return socket[0]
    found = _ADDRESS.match(told) or _SPOKEN.search(str(line.get("message") or ""))
    return found["address"] if found else None


MODULES = frozenset({"fastcgi", "uwsgi", "scgi", "grpc"})
"""Protocols of upstreams that a module of nginx of the same name speaks; ``proxy`` speaks the others."""


def module_of(line: Mapping[str, object]) -> str:
    """The module of nginx that asked the server behind, whose name its directives begin with; a PHP pool has no ``proxy_read_timeout``."""
    scheme = str(line.get("upstream") or "").partition("://")[0].removesuffix("s")
    return scheme if scheme in MODULES else "proxy"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _found(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None
