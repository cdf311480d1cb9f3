"""JSON in the log of a Lambda function: events of the platform, lines of a runtime's logger and of Powertools, metrics in a log line.

An event of the platform is ``{"time": …, "type": "platform.…", "record": {…}}``; its types are kept in small letters, unknown ones too. Of
the types ``function`` and ``extension`` the record is a line of theirs, as text or as an object. A
metric in the embedded format says so under ``_aws``.

Follows "Lambda Telemetry API Event schema reference" and "Using Lambda advanced logging controls" in the AWS Lambda Developer Guide, the
"Embedded metric format specification" in the CloudWatch User Guide and the Logger of Powertools for AWS Lambda.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.layouts.casts import Cast
from kyumei.layouts.json_inner import LISTED
from kyumei.layouts.json_names import FILLED, LEVEL, METHOD, PRINTED, STATUS, TARGET, TRACE, WHEN, WHEN_NAIVE
from kyumei.layouts.json_record import Field, JsonRecord, Way, parse_object
from kyumei.layouts.lambda_lines import BOOLEAN, MEGABYTES, MILLIS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from kyumei.contracts import Layout
    from kyumei.model.table import Table
    from kyumei.model.window import Window

_PREFIX = "platform."
PLATFORM_TYPE = Cast(
    "type of a platform event",
    lambda raw: raw if raw.startswith(_PREFIX) else None,
    f"CASE WHEN starts_with({{x}}, '{_PREFIX}') THEN {{x}} END",
)
_CAPITAL = re.compile("([A-Z])")


def _ways(names: str, cast: Cast, *, whole: bool = False) -> tuple[Way, ...]:
    """Ways to fill a column, all of them with casts that are sure of what they do not read."""
    return tuple(Way(name, cast, total=True, scalar=not whole) for name in names.split())


def _number(column: str, name: str) -> Field:
    return Field(column, (Way(f"record.metrics.{name}", MILLIS, total=True, scalar=True),))


TIMES = "time timestamp _aws.Timestamp"
FIELDS = (
    Field("time", tuple(Way(name, WHEN) for name in TIMES.split())),
    Field("_naive", tuple(Way(name, WHEN_NAIVE) for name in TIMES.split())),
    Field("_type", _ways("type", PLATFORM_TYPE)),
    Field("request_id", _ways("record.requestId requestId function_request_id AWSRequestId awsRequestId aws_request_id", FILLED)),
    Field("level", _ways("level log_level record.level", LEVEL)),
    Field("logger", _ways("logger loggerName", FILLED)),
    Field("message", (*_ways("message msg", PRINTED, whole=True), *_ways("record.message record", PRINTED))),
    Field("error_type", _ways("record.errorType errorType message.errorType exception_name", FILLED)),
    Field("error_text", _ways("errorMessage message.errorMessage", FILLED)),
    Field("stack", _ways("stackTrace stack_trace stack exception", FILLED)),
    Field("outcome", _ways("record.status", FILLED)),
    _number("_duration", "durationMs"),
    _number("billed_seconds", "billedDurationMs"),
    Field("memory_bytes", _ways("record.metrics.memorySizeMB", MEGABYTES)),
    Field("max_memory_bytes", _ways("record.metrics.maxMemoryUsedMB", MEGABYTES)),
    _number("_init", "initDurationMs"),
    _number("_restore", "restoreDurationMs"),
    _number("billed_restore_seconds", "billedRestoreDurationMs"),
    Field("trace_id", _ways("record.tracing.value xray_trace_id xrayTraceId", TRACE)),
    Field("segment_id", _ways("record.tracing.spanId", FILLED)),
    Field("function_name", _ways("record.functionName function_name functionName", FILLED)),
    Field("function_version", _ways("record.functionVersion record.version function_version functionVersion", FILLED)),
    Field("function_arn", _ways("function_arn", FILLED)),
    Field("runtime_version", _ways("record.runtimeVersion", FILLED)),
    Field("runtime_arn", _ways("record.runtimeVersionArn", FILLED)),
    Field("phase", _ways("record.phase", FILLED)),
    Field("initialization", _ways("record.initializationType", FILLED)),
    Field("extension", _ways("record.name", FILLED)),
    Field("state", _ways("record.state", FILLED)),
    Field("cold_start", _ways("cold_start", BOOLEAN)),
    Field("method", _ways("method httpMethod http_method http.method request.method", METHOD)),
    Field("_target", _ways("path rawPath request_uri request_path url http.path http.url request.path", TARGET)),
    Field("status", _ways("status statusCode status_code http.status_code response.statusCode", STATUS)),
)


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """The object with the lines of its stack as one text."""
    found = document
    for key in LISTED:
        lines = document.get(key)
        if isinstance(lines, list) and lines and all(isinstance(line, str) for line in lines):
            found = {**found, key: "\n".join(line.rstrip("\n") for line in lines)}
    return found


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The kind of the line, and the duration of what is not a whole invocation under its own name."""
    kind = "metric" if "_aws" in document else "app"
    if values["_type"] is not None:
        kind = _CAPITAL.sub(r"_\1", values["_type"].removeprefix(_PREFIX)).lower()
    own = values["_duration"]
    found = {"kind": kind, "request_seconds": None if kind.startswith(("init_", "restore_")) else own}
    for begins, column, told in (("init_", "init_seconds", values["_init"]), ("restore_", "restore_seconds", values["_restore"])):
        found[column] = own if told is None and kind.startswith(begins) else told
    path, mark, query = (values["_target"] or "").partition("#")[0].partition("?")
    return found | {"path": path or None, "query": query if mark and query else None}, set()


_KIND = (
    f"CASE WHEN _type IS NOT NULL THEN lower(regexp_replace(substr(_type, {len(_PREFIX) + 1}), '([A-Z])', '_\\1', 'g')) "
    "WHEN {has _aws} THEN 'metric' ELSE 'app' END"
)
STEPS = (
    {
        "kind": _KIND,
        "path": "nullif(split_part(_target, '?', 1), '')",
        "query": "nullif(split_part(_target, '?', 2), '')",
    },
    {
        "request_seconds": "CASE WHEN starts_with(kind, 'init_') OR starts_with(kind, 'restore_') THEN NULL ELSE _duration::DOUBLE END",
        "init_seconds": "coalesce(_init::DOUBLE, CASE WHEN starts_with(kind, 'init_') THEN _duration::DOUBLE END)",
        "restore_seconds": "coalesce(_restore::DOUBLE, CASE WHEN starts_with(kind, 'restore_') THEN _duration::DOUBLE END)",
    },
)


class PrintedBelow(NamedTuple):
    """JSON records, and those below which a function printed lines without a beginning of their own: these go on with the message.

    ``below`` reads such lines, for what they tell of an error.
    """

    records: JsonRecord
    below: Layout

    @property
    def head(self) -> str | None:
        """See ``contracts.Layout``."""
        return self.records.head

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return self.records.stamps(window, offsets)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        found = self.records.read(text)
        first, _, printed = text.partition("\n")
        if not isinstance(found, Refused) or not first.rstrip().endswith("}") or not printed.strip():
            return found
        row, more = self.records.read(first), self.below.read(printed)
        if isinstance(row, Refused) or re.match(EVENT_ABOVE, text, re.ASCII):
            return found
        told = {} if isinstance(more, Refused) else {name: more[name] for name in _OF_ERROR if row[name] is None}
        return {**row, **told, "message": printed if row["message"] is None else f"{row['message']}\n{printed}"}

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        return self.records.bulk(source, sample)


_OF_ERROR = ("error_type", "error_text", "stack")
EVENT_ABOVE = r'[ \t]*\{[^\n]{0,80}"type": ?"platform\.[^\n]*\}[ \t]*\n'
"""An event of the platform with lines below: those are no part of it."""


def records_of(table: Table, below: Layout) -> PrintedBelow:
    """The layout of the JSON lines; the bulk reader takes those that are certainly a function's."""
    records = JsonRecord(
        table,
        FIELDS,
        prepare=_prepare,
        derive=_derive,
        steps=STEPS,
        plain=(
            "(_type IS NOT NULL OR (request_id IS NOT NULL AND level IS NOT NULL))",
            "coalesce(starts_with(_target, '/') AND len(string_split(_target, '?')) <= 2 AND NOT contains(_target, '#'), true)",
        ),
        is_open=True,
    )
    return PrintedBelow(records, below)


_MARKS = ('"platform.', '"record"', '"_aws"', '"function_request_id"', '"function_memory_size"')


def is_lambda_text(text: str) -> bool:
    """Whether a text is JSON that only a function's log holds."""
    if not any(mark in text for mark in _MARKS):
        return False
    found = parse_object(text)
    return isinstance(found, dict) and is_lambda_record(found)


def _is_told(found: Mapping[str, Any]) -> bool:
    """Whether an object is a line of a function or an extension as the Telemetry API tells it."""
    return found["type"] in {"function", "extension"} and found.keys() == {"time", "type", "record"}


def is_lambda_record(found: Mapping[str, Any]) -> bool:
    """Whether an object is an event of the platform, a line of Powertools, or a metric in a log line."""
    if isinstance(found.get("type"), str) and "record" in found and (found["type"].startswith(_PREFIX) or _is_told(found)):
        return True
    embedded = found.get("_aws")
    if isinstance(embedded, dict) and "CloudWatchMetrics" in embedded:
        return True
    return "function_request_id" in found or {"function_name", "function_memory_size"} <= found.keys()
