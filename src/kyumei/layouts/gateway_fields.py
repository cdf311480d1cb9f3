r"""The fields of API Gateway's access log: its ``$context`` variables, the keys under which people log them, what tells a record.

Whoever runs the API writes the template, so that only the variables are given. Keys are mostly the variable itself (``error.message``,
flat or nested) or its words put together (``errorMessage``, ``error_message``). What a variable does not have is written as ``-``; where
the template has no quotes around it, that breaks the JSON.

Follows "Variables for access logging for API Gateway", "Customize HTTP API access logs" and "Configure logging for WebSocket APIs" in the
API Gateway Developer Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.layouts.casts import CLF_TIME, INTEGER, TEXT, Cast, parse_clf, parse_epoch, quoted
from kyumei.layouts.json_names import STATUS, TRACE, seconds
from kyumei.layouts.json_record import MISSING, Field, Way, find

if TYPE_CHECKING:
    from collections.abc import Mapping


class Source(NamedTuple):
    """A column, the cast that fills it, the variables that hold it (the best first) and other keys that people give them."""

    column: str
    cast: Cast
    variables: str
    others: str = ""


_MILLIS = "CASE WHEN regexp_full_match({x}, '[1-9][0-9]{12}') THEN make_timestamp(TRY_CAST({x} AS BIGINT) * 1000) END"
REQUEST_TIME = Cast(
    "time of a request",
    lambda raw: parse_clf(raw) or parse_epoch(raw),
    f"coalesce({CLF_TIME.sql}, {_MILLIS})",
)
"""``06/Feb/2025:05:32:10 +0000``, or milliseconds since 1970."""
_MILLISECONDS = seconds(1e3)

SOURCES = (
    Source("_epoch", REQUEST_TIME, "requestTimeEpoch"),
    Source("_clf", REQUEST_TIME, "requestTime", "time timestamp"),
    Source("request_id", TEXT, "requestId"),
    Source("extended_request_id", TEXT, "extendedRequestId"),
    Source("client_ip", TEXT, "identity.sourceIp", "ip sourceIp source_ip clientIp client_ip sourceIpAddress"),
    Source("caller", TEXT, "identity.caller", "caller"),
    Source("user", TEXT, "identity.user identity.userArn", "user userArn user_arn"),
    Source("principal_id", TEXT, "authorizer.principalId authorizer.claims.sub", "principalId principal_id"),
    Source("user_agent", TEXT, "identity.userAgent", "userAgent user_agent"),
    Source("host", TEXT, "domainName"),
    Source("_method", TEXT, "httpMethod", "method http_method"),
    Source("_path", TEXT, "path", "requestPath request_path"),
    Source("_resource_path", TEXT, "resourcePath", "resource"),
    Source("route_key", TEXT, "routeKey", "route"),
    Source("http_version", TEXT, "protocol"),
    Source("status", STATUS, "status", "statusCode status_code responseStatus response_status"),
    Source("sent_bytes", INTEGER, "responseLength"),
    Source("request_seconds", _MILLISECONDS, "responseLatency", "latency"),
    Source("_response_type", TEXT, "error.responseType", "responseType response_type errorType error_type"),
    Source("error_text", TEXT, "error.message error.messageString", "error"),
    Source("validation_error", TEXT, "error.validationErrorString", "validationError validation_error"),
    Source("target_status", STATUS, "integration.status", "functionResponseStatus function_response_status"),
    Source("integration_status", STATUS, "integrationStatus integration.integrationStatus", "integrationServiceStatus"),
    Source("integration_error", TEXT, "integrationErrorMessage integration.error"),
    Source("target_seconds", _MILLISECONDS, "integrationLatency integration.latency"),
    Source("integration_request_id", TEXT, "integration.requestId awsEndpointRequestId"),
    Source("authorizer_status", STATUS, "authorizer.status authorizer.integrationStatus authorize.status authenticate.status"),
    Source("authorizer_error", TEXT, "authorizer.error authorize.error authenticate.error"),
    Source("authorizer_seconds", _MILLISECONDS, "authorizer.latency authorizer.integrationLatency"),
    Source("waf_response", TEXT, "wafResponseCode"),
    Source("webacl_arn", TEXT, "webaclArn"),
    Source("trace_id", TRACE, "xrayTraceId", "traceId trace_id"),
    Source("api_id", TEXT, "apiId"),
    Source("stage", TEXT, "stage"),
    Source("account", TEXT, "accountId"),
    Source("event_type", TEXT, "eventType"),
    Source("connection_id", TEXT, "connectionId"),
)
"""What fills which column; columns that begin with an underscore are finished from several."""

_EXACT = frozenset(variable for source in SOURCES for variable in source.variables.split())


def _spellings(variable: str) -> tuple[str, ...]:
    """The variable as it stands, its words put together, and with underscores; not what another variable is called."""
    first, *others = variable.split(".")
    joined = first + "".join(word[:1].upper() + word[1:] for word in others)
    if others and joined in _EXACT:
        return (variable,)
    flat = variable.replace(".", "_")
    return tuple(dict.fromkeys((variable, joined, flat, re.sub("([A-Z])", r"_\1", flat).lower())))


KEYS: dict[str, tuple[str, ...]] = {variable: _spellings(variable) for variable in sorted(_EXACT)}
"""The keys that a variable is certainly meant by."""


def _keys(source: Source) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(key for variable in source.variables.split() for key in KEYS[variable]), *source.others.split())))


FIELDS = tuple(
    Field(source.column, tuple(Way(key, source.cast, total=source.cast is not REQUEST_TIME, scalar=True) for key in _keys(source)))
    for source in SOURCES
)
"""The fields of a JSON record whose template nobody told."""
KEYS_OF: dict[str, tuple[str, ...]] = {source.column: _keys(source) for source in SOURCES}

# Repairs

_DASH = r':[ \t\r\n]*"-?"[ \t\r\n]*([,}])'
MENDED_SQL = f"regexp_replace(text, {quoted(_DASH)}, ':null\\1', 'g')"
"""Of ``mended`` what matters for a record that is valid JSON."""
_DASHES = re.compile(_DASH)
_OUTSIDE = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|:[ \t]*+-?+(?=[ \t\r\n]*[,}])', re.DOTALL)
_TWICE = re.compile(r':([ \t]*)"("[^"\\]*")"(?=[ \t]*[,}])')


def mended(text: str) -> str:
    """JSON as a template makes it, made whole: a value that is a dash or empty becomes null.

    A variable without quotes that is missing (``"latency":-``) becomes null, too, and ``$context.error.messageString``, which brings quotes
    of its own, loses those around them. No text of JSON has a quote inside that is not escaped, so that only values are met.
    """
    whole = _DASHES.sub(r":null\1", _TWICE.sub(r":\1\2", text))
    return _OUTSIDE.sub(lambda found: ":null" if found[0].startswith(":") else found[0], whole)


# What tells a record

_TALK = ("level", "message", "msg", "severity", "logger", "levelname", "log", "@timestamp", "eventVersion", "requestContext")
"""Keys that records of applications and of other services have, and access logs do not."""
_TELLING = (
    "requestTimeEpoch",
    "requestTime",
    "extendedRequestId",
    "resourcePath",
    "routeKey",
    "responseLength",
    "responseLatency",
    "error.responseType",
    "error.messageString",
    "integration.status",
    "integrationStatus",
    "integrationErrorMessage",
    "integration.integrationStatus",
    "integrationLatency",
    "integration.latency",
    "integration.requestId",
    "awsEndpointRequestId",
    "authorizer.principalId",
    "wafResponseCode",
    "webaclArn",
    "apiId",
    "domainName",
    "connectionId",
    "identity.sourceIp",
)
_CLF = re.compile(r"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}", re.ASCII)


_NEEDED = (
    ("requestId", "extendedRequestId"),
    ("httpMethod", "routeKey", "resourcePath", "path", "eventType"),
    ("status", "responseLength", "integrationStatus", "integration.status", "error.message", "error.responseType"),
)
"""Variables of each of which a record has one at least: an id, a route, an answer."""


def _has(document: Mapping[str, Any], variables: tuple[str, ...]) -> bool:
    return any(find(document, key) is not MISSING for variable in variables for key in KEYS[variable])


def is_gateway_record(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is certainly a record of API Gateway's access log.

    It has a request id, a route and an answer, and either the request's time as API Gateway writes it, or two keys more that are variables
    of API Gateway's.
    """
    if any(key in document for key in _TALK) or not all(_has(document, one_of) for one_of in _NEEDED):
        return False
    times = [find(document, key) for key in KEYS["requestTime"]]
    if any(isinstance(time, str) and _CLF.fullmatch(time) for time in times):
        return True
    return sum(_has(document, (variable,)) for variable in _TELLING) >= len(("one", "another"))


_ID = r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:_[A-Z_]+)?|[A-Za-z0-9_-]{8,30}=)(?: |\Z)"
_REQUEST = rf'"[^"]*" (?:-|[0-9]{{3}}) (?:-|[0-9]{{1,18}}) {_ID}'
_EVENT = rf'"(?:CONNECT|DISCONNECT|MESSAGE) [^ "]+ [^ "]+" (?:(?:-|[0-9]{{3}}) {{1,2}})?{_ID}'
_LINE = re.compile(rf'[^ \["]+ [^ \["]+ [^ \["]+ \[{_CLF.pattern}\] ?(?:{_REQUEST}|{_EVENT})', re.ASCII)


def is_gateway_line(text: str) -> bool:
    """Whether a line in the common log format ends in a request id, which is how only API Gateway's default templates go on."""
    return _LINE.match(text) is not None
