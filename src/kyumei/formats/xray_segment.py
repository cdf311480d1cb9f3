"""X-Ray segments: what one service did for one request, as its SDK, the daemon or ``batch-get-traces`` wrote it.

A row is one segment, or one subsegment that was sent alone; the subsegments inside a segment stay in ``subsegments``. A segment in progress
is sent again under the same id when it ended, and may never be: ``end_time`` is null then. ``is_error`` stands for a 4xx,
``is_throttle`` for 429, ``is_fault`` for a 5xx or an exception. A segment that X-Ray inferred (``is_inferred``) is of a service that sends
none itself, as its caller saw it. Only sampled requests have segments: a missing one means nothing.

Spans of the log group ``aws/spans`` are read as segments, too: their own names for things are in ``_extra`` and the objects that are kept.

Follows "AWS X-Ray segment documents" and "BatchGetTraces" in the X-Ray Developer Guide and API Reference, and "Transaction Search" in the
Amazon CloudWatch User Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import JsonRecord, find, one, parse_object
from kyumei.layouts.json_tree import BOOLEAN, Dig, dug, dug_sql, every_pair, shallow, tree
from kyumei.layouts.spans import NEEDED, is_span, segment_of
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "xray_segment",
    "Segments of AWS X-Ray: what one service did for one request.",
    (
        Column("time", Kind.TIME, "When the work began.", origin="start_time"),
        Column("end_time", Kind.TIME, "When it ended; null while it is in progress.", origin="end_time"),
        Column("duration_seconds", Kind.FLOAT, "From start to end.", origin="end_time"),
        Column("trace_id", Kind.TEXT, "The trace; null in a subsegment that is only known inside its parent.", Link.TRACE, "trace_id"),
        Column("segment_id", Kind.TEXT, "The id of the segment: 16 hexadecimal digits.", origin="id"),
        Column("parent_id", Kind.TEXT, "The segment or subsegment that called it.", origin="parent_id"),
        Column("name", Kind.TEXT, "The service, or what a subsegment calls.", origin="name"),
        Column("origin", Kind.TEXT, "What sort of resource ran it, AWS::EC2::Instance and so on.", origin="origin"),
        Column("call_namespace", Kind.TEXT, "aws for a call of an AWS service, remote for any other downstream call.", origin="namespace"),
        Column("segment_type", Kind.TEXT, "subsegment when it was sent alone.", origin="type"),
        Column("is_in_progress", Kind.BOOLEAN, "Whether it had not ended when it was sent.", origin="in_progress"),
        Column("is_inferred", Kind.BOOLEAN, "Whether X-Ray made it up from what the caller sent.", origin="inferred"),
        Column("is_error", Kind.BOOLEAN, "Whether a 4xx was answered.", origin="error"),
        Column("is_throttle", Kind.BOOLEAN, "Whether a 429 was answered.", origin="throttle"),
        Column("is_fault", Kind.BOOLEAN, "Whether a 5xx was answered or an exception raised.", origin="fault"),
        Column("user", Kind.TEXT, "Who sent the request, where the application says.", Link.PRINCIPAL, "user"),
        Column("client_ip", Kind.TEXT, "The client's address.", Link.CLIENT, "http.request.client_ip"),
        Column("is_forwarded", Kind.BOOLEAN, "Whether that address is taken from X-Forwarded-For.", origin="http.request.x_forwarded_for"),
        Column("method", Kind.TEXT, "The method of the request.", origin="http.request.method"),
        Column("url", Kind.TEXT, "The whole URL of the request.", origin="http.request.url"),
        Column("host", Kind.TEXT, "The host in the URL, without its port.", Link.HOST, "http.request.url"),
        Column("path", Kind.TEXT, "The path in the URL, without the query string.", Link.PATH, "http.request.url"),
        Column("query", Kind.TEXT, "The query string, without the question mark.", origin="http.request.url"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="http.request.user_agent"),
        Column("status", Kind.INTEGER, "The status answered.", Link.STATUS, "http.response.status"),
        Column("sent_bytes", Kind.INTEGER, "Size of the answer's body; -1 where it is not known.", origin="http.response.content_length"),
        Column("http", Kind.JSON, "All that is known of request and response.", origin="http"),
        Column("account", Kind.TEXT, "The account of the AWS resource, where it is another's.", Link.ACCOUNT, "aws.account_id"),
        Column("region", Kind.TEXT, "The region of the AWS resource, where it is another.", origin="aws.region"),
        Column("operation", Kind.TEXT, "The operation of the AWS service that was called.", origin="aws.operation"),
        Column("request_id", Kind.TEXT, "The id that the AWS service gave the call.", Link.REQUEST, "aws.request_id"),
        Column("resource", Kind.TEXT, "The table, queue, function or other resource.", Link.RESOURCE, "aws.table_name, aws.queue_url, …"),
        Column("aws", Kind.JSON, "All that is known of the AWS resource or call.", origin="aws"),
        Column("sql_url", Kind.TEXT, "The database that was asked, without its password.", Link.TARGET, "sql.url"),
        Column("statement", Kind.TEXT, "The SQL that was sent, its values left out.", origin="sql.sanitized_query"),
        Column("sql", Kind.JSON, "All that is known of the query.", origin="sql"),
        Column("error_type", Kind.TEXT, "The type of the first exception.", origin="cause.exceptions[].type"),
        Column("error_text", Kind.TEXT, "What that exception says.", origin="cause.exceptions[].message"),
        Column("causes", Kind.JSON, "The exceptions with their stacks, or the id of one that a subsegment has.", origin="cause"),
        Column("service_info", Kind.JSON, "What the application says of itself, its version.", origin="service"),
        Column("annotations", Kind.JSON, "Keys and values by which X-Ray can search.", origin="annotations"),
        Column("metadata", Kind.JSON, "Further keys and values.", origin="metadata"),
        Column("subsegments", Kind.JSON, "The subsegments inside, as they were written.", origin="subsegments"),
    ),
)

_TREES = {
    "http": "http",
    "aws": "aws",
    "sql": "sql",
    "causes": "cause",
    "service_info": "service",
    "annotations": "annotations",
    "metadata": "metadata",
    "subsegments": "subsegments",
}
_RESOURCES = ("table_name", "queue_url", "function_arn", "function_name", "bucket_name", "topic_arn")
_DIGS = (
    Dig("client_ip", "http", ("request", "client_ip")),
    Dig("is_forwarded", "http", ("request", "x_forwarded_for"), BOOLEAN),
    Dig("method", "http", ("request", "method")),
    Dig("url", "http", ("request", "url")),
    Dig("user_agent", "http", ("request", "user_agent")),
    Dig("status", "http", ("response", "status"), INTEGER),
    Dig("sent_bytes", "http", ("response", "content_length"), INTEGER),
    Dig("account", "aws", ("account_id",)),
    Dig("region", "aws", ("region",)),
    Dig("operation", "aws", ("operation",)),
    Dig("request_id", "aws", ("request_id",)),
    *(Dig(f"_{name}", "aws", (name,)) for name in _RESOURCES),
    Dig("sql_url", "sql", ("url",)),
    Dig("statement", "sql", ("sanitized_query",)),
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)([^?#]*)(?:\?([^#]*))?")
_URL_SQL = "^[A-Za-z][A-Za-z0-9+.-]*://"


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """The segment itself; some keep it under ``document`` beside names of their own. Of a span the segment that it is."""
    if is_span(document):
        return segment_of(document)
    inner = document.get("document")
    if "start_time" in document or not isinstance(inner, dict):
        return document
    return {**inner, **{key: value for key, value in document.items() if key not in inner and key != "document"}}


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The length of the work, the parts of the URL, what stands in the objects that are kept, and the first exception."""
    found = dug(_DIGS, {column: find(document, path) for column, path in _TREES.items()})
    found["resource"] = next((found[f"_{name}"] for name in _RESOURCES if found[f"_{name}"] is not None), None)
    start, end = values["time"], values["end_time"]
    if start is not None and end is not None:
        found["duration_seconds"] = (end - start).total_seconds()
    url = _URL.match(found["url"] or "")
    if url:
        host, path, query = url.groups()
        found |= {"host": re.sub(":[0-9]*$", "", host) or None, "path": path or None, "query": query or None}
    cause = document.get("cause")
    exceptions = cause.get("exceptions") if isinstance(cause, dict) else None
    first = exceptions[0] if isinstance(exceptions, list) and exceptions else None
    if isinstance(first, dict):
        found["error_type"] = first["type"] if isinstance(first.get("type"), str) else None
        found["error_text"] = first["message"] if isinstance(first.get("message"), str) else None
    return found, set()


_STEPS, _SURE = dug_sql(_DIGS)
_BEHIND = f"regexp_replace(string_split(url, '#')[1], {_URL_SQL!r}, '')"
STEPS = (
    *_STEPS,
    {
        "resource": f"coalesce({', '.join(f'_{name}' for name in _RESOURCES)})",
        "duration_seconds": "date_diff('microsecond', time, end_time)::DOUBLE / 1000000",
        "_behind": f"CASE WHEN regexp_matches(url, {_URL_SQL!r}) THEN {_BEHIND} END",
    },
    {"_target": "string_split(_behind, '?')[1]", "query": "nullif(string_split(_behind, '?')[2], '')"},
    {
        "host": "nullif(regexp_replace(string_split(_target, '/')[1], ':[0-9]*$', ''), '')",
        "path": "nullif(CASE WHEN contains(_target, '/') THEN substr(_target, strpos(_target, '/')) END, '')",
    },
)

LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "start_time", WHEN),
        one("end_time", "end_time", WHEN),
        one("trace_id", "trace_id"),
        one("segment_id", "id"),
        one("parent_id", "parent_id"),
        one("name", "name"),
        one("origin", "origin"),
        one("call_namespace", "namespace"),
        one("segment_type", "type"),
        one("is_in_progress", "in_progress", BOOLEAN),
        one("is_inferred", "inferred", BOOLEAN),
        one("is_error", "error", BOOLEAN),
        one("is_throttle", "throttle", BOOLEAN),
        one("is_fault", "fault", BOOLEAN),
        one("user", "user"),
        *(tree(column, path) for column, path in _TREES.items()),
    ),
    stamp_ways=None,
    needs=frozenset({"start_time"}),
    prepare=_prepare,
    derive=_derive,
    steps=STEPS,
    plain=(
        "time IS NOT NULL",
        "coalesce(NOT contains(causes::VARCHAR, 'exceptions'), true)",
        "coalesce(len(string_split(url, '?')) <= 2, true)",
        *_SURE,
        *shallow(tuple(_TREES)),
    ),
    made=every_pair,
)
_ID = re.compile("[0-9A-Fa-f]{16}")


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """A JSON object with a name, a start and an id of 16 hexadecimal digits; or a span."""
    if '"start_time"' not in text and '"startTimeUnixNano"' not in text:
        return False
    parsed = parse_object(text)
    if not isinstance(parsed, dict):
        return False
    if parsed.keys() >= NEEDED and not is_span(parsed):
        return False
    found = _prepare(parsed)
    if not {"id", "name", "start_time"} <= found.keys() or "detail-type" in found:
        return False
    return _ID.fullmatch(str(found["id"])) is not None


HEADER = ('{"format":"json","version":1}', '{"format": "json", "version": 1}')
"""What stands before each document on its way to the daemon."""

FORMAT = Format(
    name="xray_segment",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html",
    hop="app",
    delay_seconds=30,
    complete=False,
    headers=HEADER,
)
