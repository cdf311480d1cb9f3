"""JSON application logs: one object a line, with whatever names the logging library gave its keys.

Known are the usual names for time, level, message, logger, error, HTTP request and trace ids, flat or nested; everything else is in
``_extra``. Levels are brought to DEBUG, INFO, WARNING, ERROR and CRITICAL, numbers by the scale of the library that wrote them. A time
without a zone is local time. JSON inside the text of ``message`` or ``log`` (Docker, nested loggers) is opened one level; what the outer
object had under the same key is kept under ``outer``. nginx with ``escape=json`` is recognised by its variables. Of an OTLP line the
first log record is taken, the whole line stays in ``_extra``. ``host`` is an HTTP host: the name of the machine stays in ``_extra``.

Follows the Elastic Common Schema, the OpenTelemetry logs data model, bunyan, pino, python-json-logger, log4j 2 and systemd's journal
export.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, TEXT, Cast
from kyumei.layouts.cloudfront_fields import are_chosen
from kyumei.layouts.flow_fields import is_sent_flow
from kyumei.layouts.gateway_fields import is_gateway_record
from kyumei.layouts.json_inner import LISTED, NESTED, brought_up
from kyumei.layouts.json_names import (
    ADDRESS,
    FILLED,
    LEVEL,
    LEVEL_WORD,
    METHOD,
    PRINTED,
    PYTHON,
    REQUEST_METHOD,
    REQUEST_TARGET,
    SEVERITY,
    SEVERITY_NUMBER,
    STAMPS,
    STATUS,
    SYSLOG,
    TARGET,
    TRACE,
    WHEN,
    WHEN_NAIVE,
    WITH_UNIT,
    seconds,
)
from kyumei.layouts.json_others import is_of_others
from kyumei.layouts.json_record import MISSING, Field, JsonRecord, Way, as_text, find, parse_object
from kyumei.layouts.lambda_lines import FUNCTION_GROUP
from kyumei.layouts.lambda_records import is_lambda_record
from kyumei.layouts.proxy_fields import CADDY, FLAGS, TRAEFIK, proxy_of
from kyumei.layouts.raised_error import PLAIN_STACK, RAISED_STEPS, raised_in
from kyumei.layouts.request_line import HOST
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "json_lines",
    "Records of applications that log one JSON object a line.",
    (
        Column("time", Kind.TIME, "When it was logged; null when the record does not say."),
        Column("level", Kind.TEXT, "DEBUG, INFO, WARNING, ERROR or CRITICAL."),
        Column("logger", Kind.TEXT, "The logger, or the name that bunyan gives the application."),
        Column("message", Kind.TEXT, "The message, without colours."),
        Column("error_type", Kind.TEXT, "The class of the error."),
        Column("error_text", Kind.TEXT, "What the error says."),
        Column("stack", Kind.TEXT, "The stack trace."),
        Column("host", Kind.TEXT, "The host that was asked for, without its port.", Link.HOST),
        Column("program", Kind.TEXT, "The application or service."),
        Column("pid", Kind.INTEGER, "The process."),
        Column("client_ip", Kind.TEXT, "The client's address: the first of X-Forwarded-For, else who connected.", Link.CLIENT),
        Column("method", Kind.TEXT, "The method."),
        Column("path", Kind.TEXT, "The path of the URL, without the query string.", Link.PATH),
        Column("query", Kind.TEXT, "The query string without its question mark; null if there is none."),
        Column("status", Kind.INTEGER, "The status answered.", Link.STATUS),
        Column("request_seconds", Kind.FLOAT, "How long the request took."),
        Column("user_agent", Kind.TEXT, "The User-Agent header."),
        Column("request_id", Kind.TEXT, "The id of the request.", Link.REQUEST),
        Column("trace_id", Kind.TEXT, "The id of the trace; of an X-Amzn-Trace-Id header its root.", Link.TRACE),
        Column("span_id", Kind.TEXT, "The id of the span."),
        Column("user", Kind.TEXT, "Who asked.", Link.PRINCIPAL),
    ),
)


def _ways(names: str, cast: Cast = TEXT, *, total: bool = True, whole: bool = False) -> tuple[Way, ...]:
    """Ways to fill a column from the names, in this order; an object or list is taken, as its text, only where ``whole``."""
    return tuple(Way(name, cast, total=total, scalar=not whole) for name in names.split())


TIME_NAMES = (
    "@timestamp timestamp time ts datetime asctime date eventTime t _time timeUnixNano instant __REALTIME_TIMESTAMP "
    "time_iso8601 time_local msec timeMillis created_at @t Timestamp t.$date"
)
MESSAGE_NAMES = (
    "message msg event body text log short_message @m MESSAGE textPayload @fields.msg @fields.message "
    "RenderedMessage Message MessageTemplate @mt"
)
_STACKS = (
    "error.stack_trace error.stack err.stack stack stackTrace stack_trace "
    "exc_info exception.stacktrace exception traceback thrown.extendedStackTrace stacktrace @x Exception"
)

FIELDS = (
    Field("time", _ways(TIME_NAMES, WHEN, total=False)),
    Field("_naive", _ways(TIME_NAMES, WHEN_NAIVE, total=False)),
    Field(
        "level",
        (
            *_ways("level", LEVEL),
            *_ways("severity PRIORITY log.syslog.severity.code", SEVERITY),
            *_ways(
                "log.level levelname lvl loglevel logLevel log_level severityText severity_text @l @fields.lvl "
                "@fields.level Level LogLevel",
                LEVEL,
            ),
            *_ways("severityNumber severity_number", SEVERITY_NUMBER),
            *_ways("status", LEVEL_WORD),
        ),
    ),
    Field("logger", _ways("logger name logger_name loggerName log.logger Category Properties.SourceContext SourceContext", FILLED)),
    Field("message", (*_ways("message msg body", PRINTED, whole=True), *_ways(" ".join(MESSAGE_NAMES.split()[2:]), PRINTED))),
    Field(
        "_error_type",
        _ways(
            "error.type errorType error.name err.type err.name exception.type "
            "exception.class exc_type error_type exception_class error.kind thrown.name",
            FILLED,
        ),
    ),
    Field(
        "_error_text",
        _ways("error.message errorMessage err.message exception.message exc_value error_message error err thrown.message", FILLED),
    ),
    Field("stack", _ways(_STACKS, FILLED)),
    Field(
        "_host",
        _ways(
            "http.host http_host url.domain req.headers.host request.headers.host "
            "request.host req.host server_name http.server_name server.address",
            FILLED,
        ),
    ),
    Field(
        "_program",
        _ways(
            "program service.name service serviceName service_name app application appname app_name SYSLOG_IDENTIFIER container_name",
            FILLED,
        ),
    ),
    Field("pid", _ways("pid process.pid _PID process_id process", INTEGER)),
    Field(
        "client_ip",
        _ways(
            "x_forwarded_for http_x_forwarded_for xff forwarded_for req.headers.x-forwarded-for "
            "request.headers.x-forwarded-for client_ip clientIp clientIP "
            "client.ip client.address remote_addr remoteAddr remote_ip remoteIp "
            "httpRequest.remoteIp req.remoteAddress req.ip request.ip request.remote_ip "
            "http.client_ip source.ip client_addr clientip ip",
            ADDRESS,
        ),
    ),
    Field(
        "method",
        (
            *_ways(
                "method http.method http.request.method httpRequest.requestMethod "
                "req.method request.method request_method httpMethod http_method verb "
                "RequestMethod Properties.RequestMethod State.Method",
                METHOD,
            ),
            *_ways("request", REQUEST_METHOD),
        ),
    ),
    Field(
        "_target",
        (
            *_ways(
                "request_uri http.target url.original url.full httpRequest.requestUrl "
                "req.originalUrl req.url request.url request.uri request.path",
                TARGET,
            ),
            *_ways("url.path http.url http.path", TARGET),
            *_ways("request", REQUEST_TARGET),
            *_ways("url uri path http.route RequestPath Properties.RequestPath State.Path", TARGET),
        ),
    ),
    Field("_query", _ways("query_string url.query http.query args query", FILLED)),
    Field(
        "status",
        _ways(
            "status statusCode status_code res.statusCode res.status response.status "
            "response.statusCode http.status_code http.response.status_code "
            "http.status httpRequest.status http_status httpStatus responseCode response_code "
            "StatusCode Properties.StatusCode State.StatusCode",
            STATUS,
        ),
    ),
    Field(
        "request_seconds",
        (
            *_ways(
                "duration_ms durationMs latency_ms latencyMs response_time_ms responseTimeMs elapsed_ms elapsedMs took_ms responseTime "
                "Elapsed Properties.Elapsed State.ElapsedMilliseconds",
                seconds(1e3),
            ),
            *_ways("request_time duration_seconds duration_s elapsed_seconds latency_seconds elapsed", seconds(1.0)),
            *_ways("duration_us latency_us", seconds(1e6)),
            *_ways("event.duration duration_ns", seconds(1e9)),
            *_ways("duration latency elapsed response_time httpRequest.latency", WITH_UNIT),
        ),
    ),
    Field(
        "user_agent",
        _ways(
            "user_agent userAgent http_user_agent user_agent.original http.useragent "
            "http.user_agent httpRequest.userAgent req.headers.user-agent",
            FILLED,
        ),
    ),
    Field(
        "request_id",
        _ways(
            "requestId request_id req_id reqId aws_request_id awsRequestId "
            "function_request_id x_request_id x-request-id http.request.id req.id request.id "
            "correlation_id correlationId",
            FILLED,
        ),
    ),
    Field(
        "trace_id",
        _ways(
            "trace_id traceId xray_trace_id xrayTraceId trace.id otelTraceID x_amzn_trace_id "
            "http_x_amzn_trace_id amzn_trace_id AWS-XRAY-TRACE-ID dd.trace_id",
            TRACE,
        ),
    ),
    Field("span_id", _ways("span_id spanId span.id otelSpanID dd.span_id", FILLED)),
    Field("user", _ways("user user_id userId username user.name user.id enduser.id remote_user @fields.user", FILLED)),
)

_TIMES = frozenset(TIME_NAMES.split())
_LEVELS = frozenset(way.path for target in FIELDS if target.column == "level" for way in target.ways) - {"status"}
_NGINX_KEYS = ("request", "body_bytes_sent", "request_uri")
_PYTHON_KEYS = ("levelno", "lineno", "funcName", "pathname")
_ODD_KEYS = ("resourceLogs", "instant", "host", "stream", "short_message", "ctx")
_MONGO = {"F": "CRITICAL", "E": "ERROR", "W": "WARNING", "I": "INFO", "D": "DEBUG"}
_URL = re.compile(r"(?:https?|wss?)://([^/?#\s]+)(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """The object with what is wrapped in it brought up; an inner time and level count before the outer ones."""
    return brought_up(document, (_TIMES, _LEVELS))


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What needs more than one key: the parts of a URL, the scale of a level, the error in a stack, nginx, the host of a request."""
    found: dict[str, Any] = {}
    used: set[str] = set()
    target = values["_target"] or ""
    url = _URL.fullmatch(target)
    path, mark, query = (url[2] if url else target).partition("#")[0].partition("?")
    found["path"] = path or None
    found["query"] = query if mark and query else (values["_query"] or "").removeprefix("?") or None
    if mark and query and values["_query"]:
        found["query"] = query
    host = values["_host"] or (url[1] if url else None)
    if not host and (values["method"] or target) and isinstance(document.get("host"), str):
        host = document["host"]
        used.add("host")
    found["host"] = HOST.python(host) if host else None
    level = find(document, "level")
    if any(key in document for key in _PYTHON_KEYS) and level is not MISSING and str(level) in PYTHON:
        found["level"] = PYTHON[str(level)]
    if "short_message" in document and level is not MISSING and str(level) in SYSLOG:
        found["level"] = SYSLOG[str(level)]
        used.add("level")
    if "ctx" in document and isinstance(document.get("t"), dict) and isinstance(document.get("s"), str):
        found["level"], found["logger"] = _MONGO.get(document["s"][:1]), as_text(document.get("c"))
        used |= {"s", "c"}
    found["program"] = values["_program"]
    if values["_program"] is None and "remote_addr" in document and any(key in document for key in _NGINX_KEYS):
        found["program"] = "nginx"
    return {**found, **raised_in(values)}, used


def _has(*keys: str) -> str:
    return f"{{has {' '.join(keys)}}}"


STEPS = (
    {
        "path": "nullif(split_part(_target, '?', 1), '')",
        "query": "coalesce(nullif(split_part(_target, '?', 2), ''), nullif(regexp_replace(_query, '^\\?', ''), ''))",
        "host": HOST.sql.replace("{x}", "_host"),
        "program": f"coalesce(_program, CASE WHEN {_has('remote_addr')} AND {_has(*_NGINX_KEYS)} THEN 'nginx' END)",
    },
    *RAISED_STEPS,
)

LAYOUT = JsonRecord(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=STAMPS,
    prepare=_prepare,
    derive=_derive,
    steps=STEPS,
    plain=(
        f"NOT {_has(*_ODD_KEYS)}",
        f"NOT {_has(*FLAGS, *TRAEFIK[:1])}",
        f"coalesce(NOT starts_with(\"raw logger\", '{CADDY}'), true)",
        *(f"NOT coalesce(regexp_matches(\"raw {key}\", '^[ \\t\\r\\n]*\\{{'), false)" for key in NESTED),
        f"NOT ({_has(*_PYTHON_KEYS)} AND coalesce(regexp_matches(\"raw level\", '^[0-9]'), false))",
        *(f"NOT coalesce(starts_with(\"raw {key}\", '['), false)" for key in LISTED),
        PLAIN_STACK,
        "coalesce(starts_with(_target, '/'), true)",
        "coalesce(len(string_split(_target, '?')) <= 2 AND NOT contains(_target, '#'), true)",
    ),
    is_open=True,
    refuses=lambda document: "a record of a proxy" if proxy_of(document) else "",
)

_TELLING = (*(word for word in f"{TIME_NAMES} {MESSAGE_NAMES}".split() if word not in {"Timestamp", "Message"}), "LogLevel")
"""Names that tell an application's record; those left out stand in answers and events of AWS, too."""


def sniff(text: str, name: str) -> bool:
    """A JSON object with a key that names a time or a message, and none by which another format is known."""
    found = parse_object(text)
    if not isinstance(found, dict) or is_of_others(found):
        return False
    if name.startswith(FUNCTION_GROUP) or is_lambda_record(found):
        return False
    if is_gateway_record(found) or is_sent_flow(text) or are_chosen(found):
        return False
    document = _prepare(found)
    if proxy_of(document):
        return False
    # What is wrapped in it may displace the keys that tell, and have none itself.
    return any(find(one, name) is not MISSING for name in _TELLING for one in (document, found))


FORMAT = Format(
    name="json_lines",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Elastic Common Schema field reference; OpenTelemetry logs data model",
    hop="app",
)
