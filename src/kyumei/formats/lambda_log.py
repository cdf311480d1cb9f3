"""Logs of Lambda functions, in text or in JSON: one row for each log event, of the platform or of the function.

A function's log group holds streams; one stream is one execution environment, which works on one request at a time. Lines of the
platform say when it begins (``start``) and what it took (``report``); what the function prints in between may have no id, no time and no
level of its own. ``lambda_line`` says to which request each line belongs, ``lambda_invocation`` has one row for each request.

A report in text names a status only where the run did not go well, and older ones not even then: no status is no proof of success.
Before December 2020 billed time was rounded up to 100 ms. Out of memory shows as ``exit`` with ``signal: killed``, and as
``max_memory_bytes`` equal to ``memory_bytes``. Of an error that the function lets pass the runtime writes a line of its own, kind
``error``; errors while it is loaded come before any start.

Follows "Using CloudWatch Logs with Lambda", "Lambda Telemetry API Event schema reference" and "Using Lambda advanced logging controls" in
the AWS Lambda Developer Guide.
"""

from __future__ import annotations

from kyumei.contracts import Derived, Format
from kyumei.layouts.fallback import Fallback
from kyumei.layouts.forms import Form, Forms
from kyumei.layouts.lambda_invocations import INVOCATIONS, LINES
from kyumei.layouts.lambda_lines import ANYTHING, APPLICATION, FUNCTION_GROUP, HEAD, LOOKS, PLATFORM, TOKENS, UNHANDLED, is_lambda_line
from kyumei.layouts.lambda_records import EVENT_ABOVE, is_lambda_text, records_of
from kyumei.layouts.text import Text
from kyumei.model.table import Column, Kind, Link, Table

_TIME = Column("time", Kind.TIME, "When the line was written; null where neither it nor its envelope says so.")
_REQUEST = Column("request_id", Kind.TEXT, "The id of the request that was worked on.", Link.REQUEST, "RequestId")
_KIND = Column(
    "kind",
    Kind.TEXT,
    "What the line is: start, end, report, init_start, init_report, restore_start, restore_report, timeout, exit, xray, extension, ... of "
    "the platform (its JSON events by their own names: runtime_done, init_runtime_done), error (an error that the function let pass), "
    "metric (embedded metric format), app (all else that the function writes).",
    origin="type",
)
_LEVEL = Column("level", Kind.TEXT, "DEBUG, INFO, WARNING, ERROR or CRITICAL; null where the line has none.", origin="level")
_MESSAGE = Column("message", Kind.TEXT, "What the line says; JSON where that is an object.", origin="message")
_OUTCOME = Column(
    "outcome",
    Kind.TEXT,
    "success, failure (the function raised), error or timeout, as the platform says; null where it does not.",
    origin="status",
)
_ERROR_TYPE = Column("error_type", Kind.TEXT, "The type of the error.", origin="errorType")
_ERROR_TEXT = Column("error_text", Kind.TEXT, "What the error says.", origin="errorMessage")
_DURATION = Column("request_seconds", Kind.FLOAT, "How long the request took in the function.", origin="Duration")
_BILLED = Column("billed_seconds", Kind.FLOAT, "What is billed.", origin="Billed Duration")
_MEMORY = Column("memory_bytes", Kind.INTEGER, "The memory that the function has.", origin="Memory Size")
_MAX_MEMORY = Column("max_memory_bytes", Kind.INTEGER, "The most that it used.", origin="Max Memory Used")
_INIT = Column("init_seconds", Kind.FLOAT, "How long the initialization took; null where there was none.", origin="Init Duration")
_RESTORE = Column("restore_seconds", Kind.FLOAT, "How long it took to restore a snapshot.", origin="Restore Duration")
_TIMEOUT = Column("time_limit_seconds", Kind.FLOAT, "The time limit that was met.", origin="Task timed out after")
_TRACE = Column("trace_id", Kind.TEXT, "The root id of the X-Ray trace.", Link.TRACE, "XRAY TraceId")
_FUNCTION = Column("function_name", Kind.TEXT, "The function.", origin="functionName")
_VERSION = Column("function_version", Kind.TEXT, "Its version, $LATEST or a number.", origin="Version")
_GROUP = Column("log_group", Kind.TEXT, "The log group in CloudWatch Logs, where the answer or envelope says so.", origin="logGroup")
_STREAM = Column("stream", Kind.TEXT, "The log stream: one execution environment.", origin="logStream")

TABLE = Table(
    "lambda_log",
    "Log events of Lambda functions: what the platform says of their runs, and what they write themselves.",
    (
        *(_TIME, _KIND, _REQUEST, _LEVEL),
        Column("logger", Kind.TEXT, "The logger or class that wrote it.", origin="logger"),
        *(_MESSAGE, _ERROR_TYPE, _ERROR_TEXT),
        Column("stack", Kind.TEXT, "The stack trace, its lines one below the other.", origin="stackTrace"),
        *(_OUTCOME, _DURATION, _BILLED, _MEMORY, _MAX_MEMORY, _INIT, _RESTORE),
        Column("billed_restore_seconds", Kind.FLOAT, "What is billed of the restoring.", origin="Billed Restore Duration"),
        *(_TIMEOUT, _TRACE),
        Column("segment_id", Kind.TEXT, "The function's own segment in that trace.", origin="XRAY SegmentId"),
        Column("sampled", Kind.BOOLEAN, "Whether the trace is kept.", origin="XRAY Sampled"),
        *(_FUNCTION, _VERSION),
        Column("function_arn", Kind.TEXT, "The ARN of the function.", Link.RESOURCE, "function_arn"),
        Column("runtime_version", Kind.TEXT, "The version of the runtime.", origin="Runtime Version"),
        Column("runtime_arn", Kind.TEXT, "Its ARN.", origin="Runtime Version ARN"),
        Column("phase", Kind.TEXT, "The phase that is spoken of: init, invoke.", origin="Phase"),
        Column("initialization", Kind.TEXT, "on-demand, provisioned-concurrency or snap-start.", origin="initializationType"),
        Column("extension", Kind.TEXT, "The extension, or who hears the telemetry.", origin="Name"),
        Column("state", Kind.TEXT, "Its state: Registered, Ready, Subscribed.", origin="State"),
        Column("events", Kind.TEXT, "What it wants to hear of, in brackets.", origin="Events"),
        Column("method", Kind.TEXT, "The method of the request that the line speaks of.", origin="httpMethod"),
        Column("path", Kind.TEXT, "Its path, without the query string.", Link.PATH, "path"),
        Column("query", Kind.TEXT, "Its query string, without the question mark."),
        Column("status", Kind.INTEGER, "The status that the function answered with, where the line states it.", Link.STATUS, "statusCode"),
        Column("cold_start", Kind.BOOLEAN, "Whether Powertools calls the run the first in its environment.", origin="cold_start"),
    ),
)
LINE_TABLE = Table(
    "lambda_line",
    "Log events of Lambda functions with the request that each belongs to: by its id, else that whose start is open in the same stream.",
    (
        *(_TIME, _REQUEST, _KIND, _LEVEL, _MESSAGE, _GROUP, _STREAM),
        Column("place", Kind.INTEGER, "The line's place among those of its stream, from 1."),
    ),
)
INVOCATION_TABLE = Table(
    "lambda_invocation",
    "Requests that Lambda functions worked on, one row for each id in their logs.",
    (
        Column("time", Kind.TIME, "When it began: its start, or the first line that is there."),
        Column("ended", Kind.TIME, "When it ended: its report, or the last line that is there."),
        *(_REQUEST, _FUNCTION, _VERSION, _GROUP, _STREAM),
        Column(
            "outcome",
            Kind.TEXT,
            "success, failure, error or timeout; null where no line says it: a text report of a good run does not.",
            origin="status",
        ),
        *(_ERROR_TYPE, _ERROR_TEXT, _DURATION, _BILLED, _MEMORY, _MAX_MEMORY, _INIT, _RESTORE, _TIMEOUT, _TRACE),
        Column("started", Kind.BOOLEAN, "Whether its start is in the log."),
        Column("reported", Kind.BOOLEAN, "Whether its report is in the log: without one it may be running still, or be cut off."),
        Column("line_count", Kind.INTEGER, "Its log events."),
        Column("error_count", Kind.INTEGER, "Those of level ERROR or worse."),
        Column("messages", Kind.LIST, "What was written during it, in order, without start, end and report."),
    ),
)

_DEFAULTS = {"kind": "app"}
_COLUMNS = TABLE.columns
_PRINTED = Text(_COLUMNS, ANYTHING, looks=LOOKS, defaults=_DEFAULTS)
_JSON = records_of(TABLE, _PRINTED)
LAYOUT = Fallback(
    Forms(
        _COLUMNS,
        (
            Form(r"[ \t]*\{", _JSON),
            Form("", Text(_COLUMNS, (*PLATFORM, *APPLICATION, *UNHANDLED), looks=LOOKS, defaults=_DEFAULTS)),
        ),
        lambda row: row,
        {},
    ),
    _PRINTED,
    known=f"{TOKENS}|{EVENT_ABOVE}",
    head=HEAD,
)


def sniff(text: str, name: str) -> bool:
    """Lines that only a function's log holds, and all of a log group of functions."""
    return name.startswith(FUNCTION_GROUP) or is_lambda_line(text) or is_lambda_text(text)


FORMAT = Format(
    name="lambda_log",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS Lambda Developer Guide, Using CloudWatch Logs with Lambda",
    hop="app",
    delay_seconds=60,
    complete=False,
    derived=(Derived(LINE_TABLE, LINES, kept=True), Derived(INVOCATION_TABLE, INVOCATIONS)),
    adopts=("app_log", "json_lines"),
)
