"""Casts for what web servers and balancers write of a request: the request line, the URL in it, the two ends, the trace header.

Every cast is total: a text of another sort gives null. A request line is a method, a target and a version with a space between; the target
may hold spaces of its own, so the method ends at the first space and the version starts at the last.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.layouts.casts import Cast, guarded, quoted

if TYPE_CHECKING:
    from collections.abc import Callable


class RequestLine(NamedTuple):
    """A request line in its parts; ``method`` and ``version`` are null where a balancer wrote ``-`` for them."""

    method: str | None
    target: str
    version: str | None


class Address(NamedTuple):
    """An absolute URL in its parts; ``path`` and ``query`` are null when the URL has none."""

    scheme: str
    host: str
    port: int | None
    path: str | None
    query: str | None


_METHOD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}", re.ASCII)
_PORT = re.compile(r":[0-9]*\Z")
_VERSION = re.compile(r"HTTP/[0-9][0-9.]{0,9}", re.ASCII)
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,19})://([^/?]*)(/[^?]*)?(?:\?(.*))?", re.ASCII | re.DOTALL)
_GLUED = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]{0,19})://([A-Za-z0-9._-]{0,252}[G-Zg-z._-][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})"
    r"([^0-9/?:][^?]*)(?:\?(.*))?",
    re.ASCII | re.DOTALL,
)
"""An address whose target is no path: a balancer writes it right behind the port, ``http://host:80*`` for ``OPTIONS *``."""


@lru_cache(maxsize=64)
def parse_request(raw: str) -> RequestLine | None:
    """The parts of a request line; null when it has not the three of them."""
    method, _, rest = raw.partition(" ")
    target, _, version = rest.rpartition(" ")
    if not target or not _METHOD.fullmatch(method):
        return None
    if version == "-":
        return RequestLine(None if method == "-" else method, target, None)
    return RequestLine(None if method == "-" else method, target, version) if _VERSION.fullmatch(version) else None


@lru_cache(maxsize=64)
def parse_address(raw: str) -> Address | None:
    """The parts of the absolute URL in a request line as a load balancer writes it, ``GET https://host:port/path?query HTTP/1.1``."""
    line = parse_request(raw)
    if line and line.version and (glued := _GLUED.fullmatch(line.target)):
        scheme, host, port, path, query = glued.groups()
        return Address(scheme, host.strip("[]"), int(port), path, query)
    found = _ADDRESS.fullmatch(line.target) if line else None
    if not found:
        return None
    scheme, authority, path, query = found.groups()
    if line and line.version is None:
        authority = authority.removesuffix("-")  # for a request that was no HTTP the balancer writes "- http://host:80- -"
    host, colon, port = authority.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port):
        return Address(scheme, authority.strip("[]"), None, path, query)
    return Address(scheme, host.strip("[]"), int(port), path, query)


def parse_end(raw: str) -> tuple[str, int | None]:
    """``address:port`` split at the last colon, IPv6 addresses with or without brackets; the port is null when there is none."""
    host, colon, port = raw.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port):
        return raw.strip("[]"), None
    return host.strip("[]"), int(port)


def _of_line(part: Callable[[RequestLine], Any]) -> Callable[[str], Any]:
    def cast(raw: str) -> Any:  # noqa: ANN401 - a cast answers any value
        line = parse_request(raw)
        return part(line) if line and line.version else None

    return cast


def _of_address(part: Callable[[Address], Any]) -> Callable[[str], Any]:
    def cast(raw: str) -> Any:  # noqa: ANN401 - a cast answers any value
        address = parse_address(raw)
        return part(address) if address else None

    return cast


def _query(target: str) -> str | None:
    _, mark, query = target.partition("?")
    return query if mark else None


# Shapes leave out quotes and backslashes, so that layouts may use them inside quotes.
_QUERY_SHAPE = r'(?:\?[^ "\\]*)? HTTP/[0-9](?:\.[0-9])?'
# A request line whose target is a path: nginx, Apache, gunicorn.
_LINE = rf'[A-Z]{{1,40}} [^ ?"\\]+{_QUERY_SHAPE}'
# The same expressions on purpose, with split and not split_part: DuckDB then works each out once for all columns.
_WORDS = "string_split({x}, ' ')"
_PATH_SQL = "string_split({t}, '?')[1]"
_QUERY_SQL = "CASE WHEN strpos({t}, '?') > 0 THEN substr({t}, strpos({t}, '?') + 1) END"


def _in_target(sql: str, target: str) -> str:
    return sql.replace("{t}", target)


METHOD = guarded("method", _of_line(lambda line: line.method), _LINE, f"{_WORDS}[1]", verbatim=True)
PATH = guarded("path", _of_line(lambda line: line.target.partition("?")[0]), _LINE, _in_target(_PATH_SQL, f"{_WORDS}[2]"), verbatim=True)
QUERY = guarded("query", _of_line(lambda line: _query(line.target)), _LINE, _in_target(_QUERY_SQL, f"{_WORDS}[2]"), verbatim=True)
VERSION = guarded("version", _of_line(lambda line: line.version), _LINE, f"{_WORDS}[3]")
HOST = Cast("host without its port", lambda raw: _PORT.sub("", raw) or None, "nullif(regexp_replace({x}, ':[0-9]*$', ''), '')")
"""A Host header, as far as it is the name of a host."""
TARGET_PATH = Cast("path of a target", lambda raw: raw.partition("?")[0], _in_target(_PATH_SQL, "{x}"))
TARGET_QUERY = Cast("query of a target", _query, _in_target(_QUERY_SQL, "{x}"))
"""The same for a target alone, ``/path?query``. Take the query as optional."""
_ANY_LINE = f"{_METHOD.pattern} (?s:.+) {_VERSION.pattern}"
ODD_LINE = Cast(
    "request line of another sort",
    lambda raw: None if (line := parse_request(raw)) and line.version else raw,
    f"CASE WHEN NOT regexp_full_match({{x}}, {quoted(_ANY_LINE)}) THEN {{x}} END",
    _LINE,
    "NULL::VARCHAR",
)
"""The raw text of a request line that is not method, target and version; null for one that is."""

# A request line whose target is an absolute URL: load balancers.
_URL_LINE = rf'[A-Z]{{1,40}} [a-z]{{1,20}}://[A-Za-z0-9._-]+:[0-9]{{1,5}}/[^ ?"\\]*{_QUERY_SHAPE}'
_STEPS = f"string_split({_WORDS}[2], '/')"
_TARGET = f"substr({_WORDS}[2], length({_STEPS}[1]) + length({_STEPS}[3]) + 3)"


def _method(raw: str) -> str | None:
    line = parse_request(raw)
    return line.method if line else None


def _version(raw: str) -> str | None:
    line = parse_request(raw)
    return line.version if line else None


URL_METHOD = guarded("method before a URL", _method, _URL_LINE, f"{_WORDS}[1]")
URL_SCHEME = guarded("scheme", _of_address(lambda url: url.scheme), _URL_LINE, f"{_STEPS}[1][:-2]")
URL_HOST = guarded("host", _of_address(lambda url: url.host or None), _URL_LINE, f"string_split({_STEPS}[3], ':')[1]")
URL_PORT = guarded("port", _of_address(lambda url: url.port), _URL_LINE, f"TRY_CAST(string_split({_STEPS}[3], ':')[2] AS BIGINT)")
URL_PATH = guarded("path of a URL", _of_address(lambda url: url.path), _URL_LINE, _in_target(_PATH_SQL, _TARGET), verbatim=True)
URL_QUERY = guarded("query of a URL", _of_address(lambda url: url.query), _URL_LINE, _in_target(_QUERY_SQL, _TARGET), verbatim=True)
URL_VERSION = guarded("version after a URL", _version, _URL_LINE, f"{_WORDS}[3]")
"""Take these as optional: a balancer writes ``-`` for what a broken request did not say."""

_END = r"[0-9.]+:[0-9]{1,5}|[0-9A-Fa-f:.]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}"
_PARTS = "string_split({x}, ':')"
END_HOST = guarded(
    "address before the last colon",
    lambda raw: parse_end(raw)[0] or None,
    _END,
    "CASE WHEN starts_with({x}, '[') THEN trim({h}, '[]') ELSE {h} END".replace(
        "{h}", f"left({{x}}, length({{x}}) - length({_PARTS}[-1]) - 1)"
    ),
    verbatim=True,
)
END_PORT = guarded(
    "port after the last colon",
    lambda raw: parse_end(raw)[1],
    _END,
    f"TRY_CAST({_PARTS}[-1] AS BIGINT)",
)


def _trace_id(raw: str) -> str | None:
    after = raw.split("Root=")[1:2]
    return after[0].partition(";")[0] or None if after else None


TRACE_ID = Cast("trace id", _trace_id, "NULLIF(string_split(string_split({x}, 'Root=')[2], ';')[1], '')", verbatim=True)
"""The root id of an ``X-Amzn-Trace-Id`` header, without the word."""
TRACE_REST = Cast(
    "trace header with more than its root",
    lambda raw: None if raw.startswith("Root=") and ";" not in raw else raw,
    "CASE WHEN contains({x}, ';') OR NOT starts_with({x}, 'Root=') THEN {x} END",
)
"""The whole header where it says more than the root id: Self, Parent, Sampled."""
