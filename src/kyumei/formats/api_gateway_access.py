"""Access logs of API Gateway: one record for each request to a stage of a REST, HTTP or WebSocket API, in a format that its owner wrote.

Read are JSON with the usual keys (the ``$context`` variables, or near to them), the templates that the console offers as CLF, CSV and
XML, and any other when it is told, see ``custom``. The time is when the request came in. ``response_type`` says who answered: where it
has a value API Gateway made the response itself, a dash says that it did not. ``integration_status`` of a Lambda function is that of the
Lambda service, ``target_status`` that of the function. ``path`` begins with the stage unless a domain of one's own is used.

API Gateway writes no record for most requests with 413 and for many with 429, nor for those to a domain without a mapping.

Follows "Set up access logging for REST APIs", "Customize HTTP API access logs" and "Configure logging for WebSocket APIs" in the API
Gateway Developer Guide.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Format, Refused
from kyumei.errors import ConfigError
from kyumei.layouts import gateway_fields as gateway
from kyumei.layouts.casts import CLF_TIME, INTEGER, TEXT, UNKNOWN, Cast, Take, quoted
from kyumei.layouts.forms import Form, Forms
from kyumei.layouts.json_names import STATUS
from kyumei.layouts.json_record import MISSING, Field, JsonRecord, Way, find, parse_object
from kyumei.layouts.mended import Mended
from kyumei.layouts.stamps import COMMON, EPOCH, Stamp
from kyumei.layouts.template import Templated, TextTemplate
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Shape, compiled
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from kyumei.contracts import Layout
    from kyumei.model.window import Window

TABLE = Table(
    "api_gateway_access",
    "Requests that API Gateway answered.",
    (
        Column("time", Kind.TIME, "When API Gateway received the request.", origin="requestTimeEpoch, requestTime"),
        Column("request_id", Kind.TEXT, "The id of the request; a client may have chosen it.", Link.REQUEST, "requestId"),
        Column(
            "extended_request_id",
            Kind.TEXT,
            "The id that API Gateway itself gave it; WAF logs this one.",
            Link.REQUEST,
            "extendedRequestId",
        ),
        Column("client_ip", Kind.TEXT, "Who opened the connection.", Link.CLIENT, "identity.sourceIp"),
        Column("caller", Kind.TEXT, "The principal that signed the request.", Link.PRINCIPAL, "identity.caller"),
        Column("user", Kind.TEXT, "The user who signed the request.", Link.PRINCIPAL, "identity.user"),
        Column("principal_id", Kind.TEXT, "Whom the authorizer took the client for.", Link.PRINCIPAL, "authorizer.principalId"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="identity.userAgent"),
        Column("host", Kind.TEXT, "The domain asked for.", Link.HOST, "domainName"),
        Column("method", Kind.TEXT, "The method.", origin="httpMethod"),
        Column(
            "path",
            Kind.TEXT,
            "The path asked for, with the stage in front; where only the resource is logged its path, unless that has variables.",
            Link.PATH,
            "path",
        ),
        Column("resource_path", Kind.TEXT, "The resource or route that took it, with its variables: /pets/{id}.", origin="resourcePath"),
        Column("route_key", Kind.TEXT, "The route of an HTTP or WebSocket API: GET /pets, $default, $connect.", origin="routeKey"),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2.0...", origin="protocol"),
        Column("status", Kind.INTEGER, "The status that the client got.", Link.STATUS, "status"),
        Column("sent_bytes", Kind.INTEGER, "Size of the response body.", origin="responseLength"),
        Column("request_seconds", Kind.FLOAT, "From the request to the response.", origin="responseLatency"),
        Column(
            "response_type",
            Kind.TEXT,
            "The kind of response that API Gateway made itself: WAF_FILTERED, THROTTLED, INTEGRATION_TIMEOUT...; "
            "`-` when it made none; null when the log does not say.",
            origin="error.responseType",
        ),
        Column("error_text", Kind.TEXT, "What API Gateway says of the error.", origin="error.message"),
        Column("validation_error", Kind.TEXT, "What the validation of the request found.", origin="error.validationErrorString"),
        Column("dispatched", Kind.BOOLEAN, "Whether an integration answered; null when the log does not say.", origin="integrationStatus"),
        Column("target_status", Kind.INTEGER, "The status that the function or endpoint answered.", origin="integration.status"),
        Column(
            "integration_status",
            Kind.INTEGER,
            "The status of the integration; for a Lambda function that of the Lambda service, 200 even when the function answers 404.",
            origin="integrationStatus",
        ),
        Column("integration_error", Kind.TEXT, "What went wrong with the integration.", origin="integrationErrorMessage"),
        Column("target_seconds", Kind.FLOAT, "From the call of the integration to its answer.", origin="integrationLatency"),
        Column(
            "integration_request_id", Kind.TEXT, "The id that the service behind gave: Lambda's.", Link.REQUEST, "integration.requestId"
        ),
        Column("authorizer_status", Kind.INTEGER, "The status that the authorizer answered.", origin="authorizer.status"),
        Column("authorizer_error", Kind.TEXT, "What went wrong with the authorizer.", origin="authorizer.error"),
        Column("authorizer_seconds", Kind.FLOAT, "How long the authorizer took.", origin="authorizer.latency"),
        Column("waf_response", Kind.TEXT, "WAF_ALLOW or WAF_BLOCK.", origin="wafResponseCode"),
        Column("webacl_arn", Kind.TEXT, "The web ACL in front.", Link.RESOURCE, "webaclArn"),
        Column("trace_id", Kind.TEXT, "The root id of the X-Ray trace.", Link.TRACE, "xrayTraceId"),
        Column("api_id", Kind.TEXT, "The API.", Link.RESOURCE, "apiId"),
        Column("stage", Kind.TEXT, "The stage.", origin="stage"),
        Column("account", Kind.TEXT, "The account of the API.", Link.ACCOUNT, "accountId"),
        Column("event_type", Kind.TEXT, "CONNECT, MESSAGE or DISCONNECT of a WebSocket API.", origin="eventType"),
        Column("connection_id", Kind.TEXT, "The connection of a WebSocket API.", origin="connectionId"),
    ),
)

_SCRATCH = tuple(Column(name, Kind.TEXT, "To be finished.") for name in ("_method", "_path", "_resource_path"))
_ROWS = Table(TABLE.name, TABLE.doc, (*TABLE.columns, *_SCRATCH))
_ROUTE = re.compile(r"([A-Z]+) (/[^\n]*)", re.ASCII)
_COUNTED = ("target_status", "integration_status")
_TIMES = ("_epoch", "_clf")
STAMPS = (
    COMMON,
    EPOCH,
    Stamp(
        "common log with escaped slashes", lambda window, offsets: tuple(text.replace("/", "\\/") for text in COMMON.find(window, offsets))
    ),
)


def _finish(row: dict[str, Any]) -> dict[str, Any] | Refused:
    """Method and paths from whatever of them is logged; a record without any id is none of API Gateway's."""
    if row["request_id"] is None and row["extended_request_id"] is None:
        return Refused("no request id, which every access log of API Gateway has")
    route = _ROUTE.fullmatch(row["route_key"] or "")
    resource = row["_resource_path"] or (route[2] if route else None)
    concrete = resource if resource and resource.startswith("/") and "{" not in resource else None
    method = route[1] if route and route[1] != "ANY" else None
    return {**row, "method": row["_method"] or method, "resource_path": resource, "path": row["_path"] or concrete}


_RESOURCE_SQL = r"coalesce(nullif(_resource_path, ''), nullif(regexp_extract(route_key, '^[A-Z]+ (/[^\n]*)$', 1), ''))"
_FINISHED = {
    "method": r"coalesce(nullif(_method, ''), nullif(nullif(regexp_extract(route_key, '^([A-Z]+) /[^\n]*$', 1), ''), 'ANY'))",
    "resource_path": _RESOURCE_SQL,
    "path": f"coalesce(nullif(_path, ''), CASE WHEN starts_with({_RESOURCE_SQL}, '/') AND NOT contains({_RESOURCE_SQL}, '{{') "
    f"THEN {_RESOURCE_SQL} END)",
}
_NEEDS = "coalesce(request_id, extended_request_id) IS NOT NULL"


def _json(fields: Sequence[Field], keys: Mapping[str, Sequence[str]]) -> JsonRecord:
    """The layout of JSON records; ``keys`` are those of the response type and of the statuses of the integration."""
    types, statuses = keys["_response_type"], [key for column in _COUNTED for key in keys[column]]

    def derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
        written = [value for key in statuses if (value := find(document, key)) is not MISSING]
        has_type = any(find(document, key) is not MISSING for key in types)
        return {
            "time": values.get("_epoch") or values.get("_clf"),
            "response_type": values.get("_response_type") or ("-" if has_type else None),
            "dispatched": any(value is not None for value in written) if written else None,
        }, set()

    def among(names: Sequence[str], more: str = "") -> str:
        listed = ", ".join(quoted(name) for name in names) or "''"
        return f"len(list_filter(_entries, lambda entry: entry.key IN [{listed}]{more})) > 0"

    made = {field.column for field in fields}
    steps = {
        "time": f"coalesce({', '.join(column for column in _TIMES if column in made) or 'NULL'}, NULL)::TIMESTAMP",
        "response_type": f"coalesce({'_response_type' if types else 'NULL'}, CASE WHEN {among(types)} THEN '-' END)",
        "dispatched": f"CASE WHEN {among(statuses)} THEN {among(statuses, ' AND entry.value IS NOT NULL')} END",
    }
    return JsonRecord(_ROWS, tuple(fields), STAMPS, derive=derive, steps=(steps,), is_open=True)


def _mended(layout: JsonRecord) -> Mended:
    return Mended(layout, gateway.mended, gateway.MENDED_SQL)


_OPEN_JSON = _json(gateway.FIELDS, gateway.KEYS_OF)
_ELEMENT = re.compile(r"<([A-Za-z_][A-Za-z0-9_.-]*+)(?: [^<>]*+)?>([^<>]*+)</", re.ASCII)
_ROOT_ID = re.compile(r'[ \t]*<[A-Za-z]++[ \t]++id="([^"]*+)"', re.ASCII)


class Xml(NamedTuple):
    """Records of XML, each an element with an ``id`` and one element for each field; their bulk reader is the exact one."""

    inner: JsonRecord
    head: str | None = None

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return self.inner.stamps(window, offsets)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        root = _ROOT_ID.match(text)
        found: dict[str, str | None] = {"requestId": root[1]} if root else {}
        for name, value in _ELEMENT.findall(text):
            found.setdefault(name, None if value in {"", "-"} else value)
        return self.inner.read(json.dumps(found)) if found else Refused("no elements")

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        return self.inner.bulk(source, sample)


_TIME = "[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"
_EVENT = "(?:-|(?P<event_type>CONNECT|DISCONNECT|MESSAGE))"
_SIZES = {"status": "[0-9]{3}", "sent_bytes": "[0-9]{1,18}"}
_LINE_CASTS = {"time": CLF_TIME, "status": INTEGER, "sent_bytes": INTEGER}


def _shape(name: str, between: str, *fields: str) -> Shape:
    """A line of one of the console's templates: fields with ``between`` between them, then perhaps the extended id and what is unknown."""
    pattern = "^" + "".join(fields)
    ends = f"(?:{between}(?:-|(?P<extended_request_id>[^{between}]+)))?(?P<more>(?:{between}(?s:.*))?)$"
    groups = compiled(pattern + ends).groupindex
    takes = tuple(Take(name, name, _LINE_CASTS.get(name, TEXT)) for name in groups if name != "more")
    return Shape(name, pattern + ends, (*takes, Take("_more", "more", UNKNOWN)))


def _one(name: str, not_in: str) -> str:
    """A field that may be missing."""
    return f"(?:-|(?P<{name}>{_SIZES.get(name, f'[^{not_in}]+')}))"


_WHO = f'{_one("client_ip", " ")} {_one("caller", " ")} {_one("user", " ")} \\[(?P<time>{_TIME})\\] ?"'
_ANSWER = f'" {_one("status", " ")} {_one("sent_bytes", " ")} (?P<request_id>[^ ]+)'
_ROUTE_KEY = r"(?P<route_key>[A-Z]+ /[^\",{between}]*|\$[a-z]+)"
_METHOD = "(?:-|(?P<_method>[A-Za-z]+))"
_CSV_WHO = f"{_one('client_ip', ',')},{_one('caller', ',')},{_one('user', ',')},(?P<time>{_TIME}),"
_CSV_ANSWER = f",{_one('http_version', ',')},{_one('status', ',')},{_one('sent_bytes', ',')},(?P<request_id>[^,]+)"
SHAPES = (
    _shape("clf", " ", _WHO, _METHOD, ' (?:-|(?P<_resource_path>/[^" ]*)) ', _one("http_version", '" '), _ANSWER),
    _shape("clf of an HTTP API", " ", _WHO, _METHOD, f" {_ROUTE_KEY.replace('{between}', ' ')} ", _one("http_version", '" '), _ANSWER),
    _shape(
        "clf of a WebSocket API",
        " ",
        f"{_WHO}{_EVENT} {_one('route_key', chr(34) + ' ')} {_one('connection_id', chr(34) + ' ')}",
        f'" (?:{_one("status", " ")} {{1,2}})?(?P<request_id>[^ ]+)',
    ),
    _shape("csv", ",", _CSV_WHO, _METHOD, ",(?:-|(?P<_resource_path>/[^,]*))", _CSV_ANSWER),
    _shape(
        "csv of an HTTP API",
        ",",
        f"{_one('client_ip', ',')},(?P<time>{_TIME}),{_METHOD},{_ROUTE_KEY.replace('{between}', '')}",
        _CSV_ANSWER,
    ),
    _shape(
        "csv of a WebSocket API",
        ",",
        f"{_CSV_WHO}{_EVENT},{_one('route_key', ',')},(?:{_one('connection_id', ',')},)?{_one('status', ',')},(?P<request_id>[^,]+)",
    ),
)

_LINES = Text(columns=_ROWS.columns, shapes=SHAPES, written=(COMMON,))
LAYOUT = Forms(
    TABLE.columns,
    (
        Form(r"[ \t]*\{", _mended(_OPEN_JSON)),
        Form(r"[ \t]*<", Xml(_OPEN_JSON), bulk=False),
        Form("", _LINES),
    ),
    _finish,
    _FINISHED,
    _NEEDS,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """JSON with a request id, a route, an answer and API Gateway's own names; a line or an element of the console's templates.

    The common log format with a space before the quote is also what web servers write: such a line is claimed by its request id.
    """
    start = text.lstrip(" \t")[:1]
    if start == "{":
        found = parse_object(gateway.mended(text))
        return isinstance(found, dict) and gateway.is_gateway_record(found)
    if start == "<":
        return _ROOT_ID.match(text) is not None and compiled(f"<requestTime>{_TIME}</requestTime>").search(text) is not None
    if not any(compiled(shape.pattern).match(text) for shape in SHAPES):
        return False
    return '] "' not in text or gateway.is_gateway_line(text)


# A format of one's own

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)", re.ASCII)
_BARE_VARIABLE = re.compile(rf"(:[ \t\r\n]*)({_VARIABLE.pattern})(?=[ \t\r\n]*[,}}])", re.ASCII)
_TOLD = ("error.responseType", "integration.status", "integrationStatus", "integration.integrationStatus")
"""Variables in which a dash says something."""
_FINAL = {"_epoch": "time", "_clf": "time", "_response_type": "response_type"}
"""Columns that a line of text needs not finish."""
_DASHED_STATUS = Cast("status or a dash", STATUS.python, STATUS.sql)
_ANSWERED = Cast("whether there is a status", lambda raw: raw not in {"-", ""}, "{x} NOT IN ('-', '')")


def custom(log_format: str) -> Layout:
    """A layout for the format of a stage's access log: text or JSON with ``$context`` variables."""
    text = log_format.strip()
    if not _VARIABLE.search(text):
        message = f"the access log format has no variable: {text[:80]!r}"
        raise ConfigError(message, "a variable is written $context.name")
    form = Form("", _mended(_from_json(text)) if text.startswith("{") else _from_text(text))
    return Forms(TABLE.columns, (form,), _finish, _FINISHED, _NEEDS)


def _from_json(text: str) -> JsonRecord:
    """The layout of a template of JSON: every column from the key that holds its variable."""
    try:
        template = json.loads(_BARE_VARIABLE.sub(r'\1"\2"', text).replace('"$context.error.messageString"', '"$context.error.message"'))
    except (ValueError, RecursionError) as error:
        message = f"the access log format is not valid JSON: {text[:80]!r}"
        raise ConfigError(message, "copy it from the stage's settings as it stands") from error
    keys: dict[str, list[str]] = {}
    for key, value in _leaves(template):
        found = _VARIABLE.fullmatch(value)
        if found:
            keys.setdefault(found[1], []).append(key)
    fields = []
    keys_of = {}
    for source in gateway.SOURCES:
        own = [key for variable in source.variables.split() for key in keys.get(variable, ())]
        keys_of[source.column] = own
        if own:
            ways = (Way(key, source.cast, total=source.cast is not gateway.REQUEST_TIME, scalar=True) for key in own)
            fields.append(Field(source.column, tuple(ways)))
    return _json(fields, keys_of)


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts of a template of JSON, with their places."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, str):
        yield path, value


def _from_text(text: str) -> Templated:
    """The layout of a line of text with variables between."""
    found = list(_VARIABLE.finditer(text))
    ends = [variable.start() for variable in found[1:]] + [len(text)]
    parts = tuple((variable[1], text[variable.end() : end]) for variable, end in zip(found, ends, strict=True))
    for number, (name, literal) in enumerate(parts[:-1]):
        if not literal:
            message = f"$context.{name} and $context.{parts[number + 1][0]} stand with nothing between: nobody can tell where one ends"
            raise ConfigError(message, "put a space between them in the access log format")
    there = {name for name, _ in parts}
    takes: dict[str, Take] = {}
    for source in gateway.SOURCES:
        variable = next((name for name in source.variables.split() if name in there), None)
        column = _FINAL.get(source.column, source.column)
        if variable and column not in takes:
            told = variable in _TOLD and source.cast is STATUS
            takes[column] = Take(column, variable, _DASHED_STATUS if told else source.cast, optional=told)
    counted = next((takes[column].source for column in _COUNTED if column in takes), None)
    if counted:
        takes["dispatched"] = Take("dispatched", counted, _ANSWERED)
    timed = "time" in takes
    return Templated(
        columns=_ROWS.columns,
        template=TextTemplate(text[: found[0].start()], parts, text),
        takes=tuple(takes.values()),
        written=STAMPS[:2] if timed else (),
        required=("time",) if timed else (),
        kept=frozenset(_TOLD),
    )


FORMAT = Format(
    name="api_gateway_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon API Gateway Developer Guide, Variables for access logging for API Gateway",
    hop="apigateway",
    delay_seconds=300,
    complete=False,
    custom=custom,
)
