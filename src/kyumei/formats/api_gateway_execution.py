r"""Execution logs of API Gateway: what a stage of a REST or WebSocket API did for a request, step by step, one row for each step.

Each message begins with the id of its request in brackets; lines of many requests stand mixed, so group them by ``request_id``, not by
neighbourhood. Copies from the console have a time in front and may have lost the id: the steps of a request then lie between one
``Verifying Usage Plan`` or ``Starting execution`` line, which names it, and the next. A message of CloudWatch has no time of its own.
Bodies may go over several lines, are cut at 1 KB (``[TRUNCATED]``), and secrets are masked with asterisks. At level ERROR only failed
requests leave lines.

``integration_status`` is what the integration answered: for a Lambda function the status of the Lambda service, 200 even when the
function failed. ``status`` is what the client got. ``resource_path`` is what API Gateway calls Resource Path, mostly the path asked for
without the stage.

Follows "Set up CloudWatch logging for REST APIs in API Gateway" in the API Gateway Developer Guide.
"""

from __future__ import annotations

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, ISO_OFFSET, TEXT, Cast, Take, texts
from kyumei.layouts.clocks import CTIME
from kyumei.layouts.json_names import TRACE, seconds
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Look, Shape, compiled
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "api_gateway_execution",
    "Steps of requests that API Gateway worked on, one row for each line of its execution log.",
    (
        Column("time", Kind.TIME, "When the step was logged; null where only CloudWatch keeps the time."),
        Column("request_id", Kind.TEXT, "The id of the request; null where a copy lost it.", Link.REQUEST),
        Column("extended_request_id", Kind.TEXT, "The id that API Gateway itself gave it.", Link.REQUEST, "Extended Request Id"),
        Column("message", Kind.TEXT, "What the line says, with the lines that follow it."),
        Column("method", Kind.TEXT, "The method.", origin="HTTP Method"),
        Column("path", Kind.TEXT, "The path without the stage; null where the log has the resource with its variables.", Link.PATH),
        Column("resource_path", Kind.TEXT, "The resource, as API Gateway writes it.", origin="Resource Path"),
        Column("status", Kind.INTEGER, "The status that the client gets.", Link.STATUS, "Method completed with status"),
        Column(
            "response_type", Kind.TEXT, "The kind of response that API Gateway made itself: THROTTLED...", origin="Gateway response type"
        ),
        Column(
            "integration_status",
            Kind.INTEGER,
            "The status of the integration; for a Lambda function that of the Lambda service, 200 even when the function failed.",
            origin="Received response. Status",
        ),
        Column("target_seconds", Kind.FLOAT, "From the call of the integration to its answer.", origin="Integration latency"),
        Column("error_text", Kind.TEXT, "The line, where it says that something failed."),
        Column("function_error", Kind.TEXT, "Handled or Unhandled, where a Lambda function failed.", origin="X-Amz-Function-Error"),
        Column("upstream", Kind.TEXT, "The URL of the integration.", Link.TARGET, "Endpoint request URI"),
        Column("function_arn", Kind.TEXT, "The Lambda function in that URL.", Link.RESOURCE, "Endpoint request URI"),
        Column(
            "integration_request_id",
            Kind.TEXT,
            "The id that the service behind gave: Lambda's.",
            Link.REQUEST,
            "AWS Integration Endpoint RequestId",
        ),
        Column("trace_id", Kind.TEXT, "The root id of the X-Ray trace.", Link.TRACE, "X-ray Tracing ID"),
        Column("path_parameters", Kind.TEXT, "Variables of the path, name=value with commas between.", origin="Method request path"),
        Column("query_parameters", Kind.TEXT, "The same of the query string.", origin="Method request query string"),
        Column("client_ip", Kind.TEXT, "The first address of X-Forwarded-For.", Link.CLIENT, "Method request headers"),
        Column("host", Kind.TEXT, "The Host header without its port.", Link.HOST, "Method request headers"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="Method request headers"),
        Column("api_id", Kind.TEXT, "The API.", Link.RESOURCE, "API Stage"),
        Column("stage", Kind.TEXT, "The stage.", origin="API Stage"),
    ),
)

_ID = r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:_[A-Z_]{1,40})?|[A-Za-z0-9_-]{8,40}={1,2})"
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|\+00:00)"
_CONSOLE = "[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC [0-9]{4}"
_STREAM = "(?:[0-9a-f]{32} )?"
_WORDS = (
    "Execution log for request [^ ]+",
    "Extended Request Id: ",
    "Verifying Usage Plan for request: ",
    "API Key [^ ]* ?authorized because ",
    "Usage Plan check succeeded for API Key ",
    r"API Key: \*\*",
    "Starting (?:execution|authorizer: [^ ]+) for request: ",
    "HTTP Method: [A-Z]+, Resource Path: ",
    "Method request (?:path|query string|headers|body before transformations): ",
    "Endpoint request (?:URI|headers|body after transformations): ",
    "Endpoint response (?:headers|body before transformations): ",
    "Method response (?:headers|body after transformations): ",
    "Successfully completed execution$",
    "Method completed with status: ",
    r"Received response\. Status: [0-9]{3}, Integration latency: ",
    "Gateway response type: [A-Z0-9_]+ with status code: ",
    "AWS Integration Endpoint RequestId ?: ",
    "Execution failed due to ",
    "Lambda execution failed with status [0-9]{3} due to ",
    "Unauthorized request: ",
)
"""How lines begin that nothing else writes."""
_WORDING = "(?:" + "|".join(_WORDS) + ")"
_ANY_TIME = f"(?:{_ISO} {_STREAM}|{_CONSOLE} : )"

CONSOLE_TIME = Cast(
    "time as the console's test writes it",
    lambda raw: CTIME.python(raw.replace(" UTC", "")),
    CTIME.sql.replace("{x}", "replace({x}, ' UTC', '')"),
)
_CONCRETE = Cast(
    "path without variables",
    lambda raw: raw if raw.startswith("/") and "{" not in raw else None,
    "CASE WHEN starts_with({x}, '/') AND NOT contains({x}, '{') THEN {x} END",
)
_MILLIS = seconds(1e3)


_BEGINNINGS = (
    Shape(
        "with the request's id",
        rf"^(?:(?P<time>{_ISO}) {_STREAM})?\((?P<request_id>{_ID})\)(?: |$)",
        (Take("time", "time", ISO_OFFSET), Take("request_id", "request_id", TEXT), Take("message", "rest", TEXT)),
    ),
    Shape("with a time", rf"^(?P<time>{_ISO}) {_STREAM}", (Take("time", "time", ISO_OFFSET), Take("message", "rest", TEXT))),
    Shape(
        "of the console's test",
        rf"^(?P<time>{_CONSOLE}) : (?:\((?P<request_id>{_ID})\) )?",
        (Take("time", "time", CONSOLE_TIME), Take("request_id", "request_id", TEXT), Take("message", "rest", TEXT)),
    ),
    Shape("message alone", f"^{_WORDING}", (Take("message", "text", TEXT),)),
)
_RESOURCE = (Take("method", "method", TEXT), Take("path", "resource", _CONCRETE, optional=True), Take("resource_path", "resource", TEXT))
_STEPS = (
    Shape("resource", r"^HTTP Method: (?P<method>[A-Z]+), Resource Path: (?P<resource>[^\n]*)", _RESOURCE),
    Shape("completed", "^Method completed with status: (?P<status>[0-9]{3})", (Take("status", "status", INTEGER),)),
    Shape(
        "answer of the integration",
        r"^Received response\. Status: (?P<integration_status>[0-9]{3}), Integration latency: (?P<latency>[0-9]{1,12}) ms",
        (Take("integration_status", "integration_status", INTEGER), Take("target_seconds", "latency", _MILLIS)),
    ),
    Shape(
        "response of the gateway",
        "^Gateway response type: (?P<response_type>[A-Z0-9_]+) with status code: (?P<status>[0-9]{3})",
        (Take("response_type", "response_type", TEXT), Take("status", "status", INTEGER)),
    ),
    Shape("extended id", "^Extended Request Id: (?P<extended_request_id>[^ ]+)", texts("extended_request_id")),
    Shape(
        "usage plan",
        rf"^Verifying Usage Plan for request: (?P<request_id>{_ID})\. API Key: {{0,2}}[^ ]* {{0,2}}"
        "API Stage: (?P<api_id>[^ /]+)/(?P<stage>[^ ]+)",
        texts("request_id", "api_id", "stage"),
    ),
    Shape(
        "usage plan found",
        "^Usage Plan check succeeded for API Key {0,2}[^ ]* {0,2}and API Stage (?P<api_id>[^ /]+)/(?P<stage>[^ ]+)",
        texts("api_id", "stage"),
    ),
    Shape(
        "no key needed",
        "^API Key [^ ]* ?authorized because method '(?P<method>[A-Z]+) (?P<resource>[^']*)' ",
        _RESOURCE,
    ),
    Shape(
        "start",
        f"^(?:Execution log for|Starting (?:execution|authorizer: [^ ]+) for|Verifying Usage Plan for) request:? (?P<request_id>{_ID})",
        texts("request_id"),
    ),
    Shape("endpoint", "^(?:Endpoint request URI: |Sending request to )(?P<upstream>[^ ]+)", texts("upstream")),
    Shape("id behind", "^AWS Integration Endpoint RequestId ?: (?P<integration_request_id>[^ ]+)", texts("integration_request_id")),
    Shape("trace", "^X-ray Tracing ID ?: (?P<trace_id>[^ ]+)", (Take("trace_id", "trace_id", TRACE),)),
    Shape("path parameters", r"^Method request path: \{(?P<path_parameters>[^\n]*)\}$", texts("path_parameters")),
    Shape("query parameters", r"^Method request query string: \{(?P<query_parameters>[^\n]*)\}$", texts("query_parameters")),
    Shape("headers", r"^Method request headers: (?P<_headers>[^\n]*)", texts("_headers")),
    Shape("headers behind", r"^Endpoint response headers: (?P<_answer>[^\n]*)", texts("_answer")),
    Shape("another step", "^(?:Method|Endpoint|Gateway) (?:request|response) (?:path|query|headers|body|URI)"),
    Shape(
        "function error with its id",
        f"^(?P<integration_request_id>{_ID})",
        (Take("error_text", "before", TEXT), Take("integration_request_id", "integration_request_id", TEXT)),
        only="^Lambda execution failed with status [0-9]{3} due to ",
        last=" Lambda request id: ",
    ),
    Shape(
        "unauthorized",
        f"^(?P<error_text>Unauthorized request: (?P<request_id>{_ID}))",
        texts("error_text", "request_id"),
    ),
    Shape(
        "failure",
        r"^(?P<error_text>(?:Execution failed|Lambda execution failed|Endpoint request timed out|Invalid mapping expression|"
        r"Invalid API Key|Unauthorized|Network error)[^\n]*)",
        texts("error_text"),
    ),
    Shape(
        "refusal",
        r"^(?P<error_text>[^\n]*(?:[Ll]imit [Ee]xceeded|[Ll]imit exceeded|[Ee]xceeded (?:throttle|quota|rate) limit|"
        r"does not match model schema|is not authorized to)[^\n]*)",
        texts("error_text"),
    ),
)
_VALUE_END = r"(?:, [A-Za-z][A-Za-z0-9-]{0,60}=|\}$|$)"
_LOOKS = (
    Look("message", _STEPS),
    Look("_headers", (Shape("host", r"[{ ][Hh]ost=(?P<host>[^,:}\n]+)", texts("host")),), literals=("ost=",)),
    Look(
        "_headers",
        (Shape("client", r"[{ ][Xx]-[Ff]orwarded-[Ff]or=(?P<client_ip>[0-9A-Fa-f.:]+)", texts("client_ip")),),
        literals=("orwarded-",),
    ),
    Look(
        "_headers",
        (Shape("agent", r"[{ ][Uu]ser-[Aa]gent=(?P<user_agent>[^\n]{1,1000}?)" + _VALUE_END, texts("user_agent")),),
        literals=("gent=",),
    ),
    Look(
        "_answer",
        (Shape("function error", r"[{ ][Xx]-[Aa]mz-[Ff]unction-[Ee]rror=(?P<function_error>[A-Za-z]+)", texts("function_error")),),
        literals=("rror=",),
    ),
    Look(
        "_answer",
        (Shape("id behind", rf"[{{ ][Xx]-[Aa]mzn-[Rr]equest[Ii]d=(?P<integration_request_id>{_ID})", texts("integration_request_id")),),
        literals=("-amzn-", "-Amzn-"),
    ),
    Look(
        "upstream",
        (Shape("function", "/functions/(?P<function_arn>arn:[^/]+)/invocations", texts("function_arn")),),
        literals=("/functions/",),
    ),
)

LAYOUT = Text(
    columns=TABLE.columns,
    shapes=_BEGINNINGS,
    head=rf"{_ANY_TIME}|\({_ID}\)(?: |$)|{_WORDING}",
    looks=_LOOKS,
)
_CERTAIN = compiled(
    rf"(?:{_ANY_TIME})?(?:\([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}(?:_[A-Z_]{{1,40}})?\) [A-Z]|(?:\({_ID}\) )?{_WORDING})"
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """Whether a record opens with a UUID in brackets and a sentence, or with words that only API Gateway writes; a time may come before."""
    return _CERTAIN.match(text.partition("\n")[0]) is not None


FORMAT = Format(
    name="api_gateway_execution",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon API Gateway Developer Guide, Set up CloudWatch logging for REST APIs",
    hop="apigateway",
    delay_seconds=300,
    complete=False,
)
