"""A request as WAF inspected it, as far as a log tells: the parts that a statement can look at, and how text is changed before.

What a log does not hold (a body, a header that was redacted) is null, which is not the same as empty. A change of the text is made only
where it is known exactly; where it could alter this text and is not known exactly, the answer is null as well.

Follows "FieldToMatch" of the AWS WAFV2 API Reference and "Text transformation options" in the AWS WAF Developer Guide.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from kyumei.edge.documents import as_list, as_map
from kyumei.edge.waf.statement import field_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REDACTED = "REDACTED"
LABELS_LOGGED = 100
"""The log holds no more labels than the first hundred."""


class Request(NamedTuple):
    """The parts of one request; null is unknown. ``headers`` are (name in small letters, value), all of them if ``all_headers``."""

    method: str | None
    path: str | None
    query: str | None
    client_ip: str | None
    country: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    all_headers: bool = False
    labels: tuple[str, ...] | None = None
    fingerprints: tuple[str | None, str | None] = (None, None)
    fragment: str | None = None
    body_bytes: int | None = None
    oversize: tuple[str, ...] = ()
    details: tuple[Mapping[str, Any], ...] = ()
    """What WAF says that it found: for SQL injection and cross-site scripting only."""


def from_waf(row: Mapping[str, Any]) -> Request:
    """The request of a row of table ``waf``."""
    headers = _parsed(row.get("headers"))
    pairs = tuple((str(as_map(item).get("name", "")).lower(), str(as_map(item).get("value", ""))) for item in as_list(headers))
    labels = tuple(row.get("labels") or ())
    return Request(
        method=row.get("method"),
        path=row.get("path"),
        query=row.get("query") or "",
        client_ip=row.get("client_ip"),
        country=row.get("country"),
        headers=pairs,
        all_headers=isinstance(headers, list),
        labels=labels if len(labels) < LABELS_LOGGED else None,
        fingerprints=(row.get("ja3"), row.get("ja4")),
        fragment=row.get("fragment"),
        body_bytes=row.get("body_bytes"),
        oversize=tuple(row.get("oversize_fields") or ()),
        details=tuple(as_map(item) for item in as_list(_parsed(row.get("match_details")))),
    )


def from_balancer(row: Mapping[str, Any]) -> Request:
    """The request of a row of table ``alb_access``, which holds two headers and no labels."""
    known = (("user-agent", row.get("user_agent")), ("host", row.get("host")))
    return Request(
        method=row.get("method"),
        path=row.get("path"),
        query=row.get("query") or "",
        client_ip=row.get("client_ip"),
        headers=tuple((name, str(value)) for name, value in known if value is not None),
    )


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def header(request: Request, name: str) -> tuple[str, ...] | None:
    """The values of a header; null when the log does not tell, empty when the request had none."""
    found = tuple(value for own, value in request.headers if own == name.lower())
    if not found and not request.all_headers:
        return None
    return None if REDACTED in found else found


def behind_proxy(request: Request) -> str | None:
    """The address that X-Forwarded-For names first, where it is not the request's own: that one is then a proxy's, which many may share."""
    named = next(iter(header(request, "x-forwarded-for") or ()), "").partition(",")[0].strip()
    return named if is_address(named) and named != request.client_ip else None


def is_address(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def inspected(statement: Mapping[str, Any], request: Request) -> tuple[str, ...] | None:
    """The texts that a match looks at: none when the request lacks the part, null when the log does not tell."""
    kind = field_kind(statement)
    inside = as_map(as_map(statement.get("FieldToMatch")).get(kind))
    if kind == "SingleHeader":
        return header(request, str(inside.get("Name")))
    if kind == "Headers":
        return _chosen(request.headers, inside, "Headers") if request.all_headers else None
    if kind == "Cookies":
        lines = header(request, "cookie")
        return (
            None
            if lines is None
            else _chosen(tuple(_pair(part.strip(), "=") for line in lines for part in line.split(";")), inside, "Cookies")
        )
    if kind in {"SingleQueryArgument", "AllQueryArguments"}:
        return _arguments(request.query, str(inside.get("Name")) if kind == "SingleQueryArgument" else None)
    plain = {
        "UriPath": request.path,
        "QueryString": request.query,
        "Method": request.method,
        "JA3Fingerprint": request.fingerprints[0],
        "JA4Fingerprint": request.fingerprints[1],
        "UriFragment": request.fragment,
    }.get(kind)
    return None if plain is None or plain == REDACTED else (plain,)


def _pair(text: str, between: str) -> tuple[str, str]:
    name, _, value = text.partition(between)
    return name, value


def _arguments(query: str | None, name: str | None) -> tuple[str, ...] | None:
    if query is None or query == REDACTED:
        return None
    pairs = [_pair(part, "=") for part in query.split("&") if part]
    return tuple(value for own, value in pairs if name is None or own.lower() == name.lower())


def _chosen(pairs: tuple[tuple[str, str], ...], config: Mapping[str, Any], sort: str) -> tuple[str, ...] | None:
    """The names and values of headers or cookies that a pattern chooses."""
    pattern, scope = as_map(config.get("MatchPattern")), config.get("MatchScope")
    wanted = {str(name).lower() for name in as_list(pattern.get(f"Included{sort}"))}
    passed = {str(name).lower() for name in as_list(pattern.get(f"Excluded{sort}"))}
    own = [(name, value) for name, value in pairs if (not wanted or name.lower() in wanted) and name.lower() not in passed]
    if any(value == REDACTED for _, value in own):
        return None
    names = [name for name, _ in own] if scope in {"KEY", "ALL"} else []
    return tuple(names + ([value for _, value in own] if scope in {"VALUE", "ALL"} else []))


_ALTERS = {
    "COMPRESS_WHITE_SPACE": r"\s\s|[\t\n\v\f\r\xa0]",
    "HTML_ENTITY_DECODE": "&",
    "CMD_LINE": r"[\\\"'^,;/() \tA-Z]",
    "URL_DECODE": r"[%+]",
    "URL_DECODE_UNI": r"[%+]",
    "REPLACE_COMMENTS": r"/\*|\*/",
    "ESCAPE_SEQ_DECODE": r"\\",
    "SQL_HEX_DECODE": "0[xX]",
    "CSS_DECODE": r"\\",
    "JS_DECODE": r"\\",
    "NORMALIZE_PATH": r"//|/\.",
    "NORMALIZE_PATH_WIN": r"//|/\.|\\",
    "REMOVE_NULLS": "\0",
    "REPLACE_NULLS": "\0",
    "UTF8_TO_UNICODE": r"[^\x00-\x7f]",
}
"""What a text must hold for a change to alter it; a change that is not named here alters any text."""
_EXACT: dict[str, Callable[[str], str]] = {
    "LOWERCASE": str.lower,
    "REMOVE_NULLS": lambda text: text.replace("\0", ""),
    "REPLACE_NULLS": lambda text: text.replace("\0", " "),
    "URL_DECODE": unquote,
}


def transformed(statement: Mapping[str, Any], text: str) -> str | None:
    """The text after the statement's transformations, in their order; null where one is not known exactly.

    >>> transformed({"TextTransformations": [{"Priority": 0, "Type": "URL_DECODE"}, {"Priority": 1, "Type": "LOWERCASE"}]}, "/App%2FAdmin")
    '/app/admin'
    """
    steps = [as_map(step) for step in as_list(statement.get("TextTransformations"))]
    for step in sorted(steps, key=lambda one: one["Priority"] if isinstance(one.get("Priority"), int) else 0):
        kind = str(step.get("Type"))
        if kind == "NONE" or (kind in _ALTERS and not re.search(_ALTERS[kind], text)):
            continue
        if kind not in _EXACT or (kind == "URL_DECODE" and "+" in text):
            return None
        text = _EXACT[kind](text)
    return text
