"""Step Functions: the events of executions, from the history (``get-execution-history``) or the log of the state machine.

The history names no execution: only the log does, and of an Express workflow there is only the log, as far as its level lets events
through. Events point back: ``previous_event_number`` is the event from which this one followed, 0 at the start. Where a task failed,
``error_type`` and ``cause`` are the task's own words; of a function's or a container's report ``error_text`` is the sentence in it. Input
and output stand there only if the log is told to include them, and are cut off at 256 KB. A log record whose details quote JSON without
escaping is no JSON: what names the event is still read.

Follows "HistoryEvent" in the Step Functions API Reference and "Logging in CloudWatch Logs" in the Developer Guide.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, NUMBER
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import BOOLEAN, Dig, dug, dug_sql, every_pair, shallow, tree
from kyumei.layouts.mended import Mended
from kyumei.layouts.stamps import EPOCH, ISO
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "step_functions",
    "Events of executions of Step Functions state machines.",
    (
        Column("time", Kind.TIME, "When it happened.", origin="event_timestamp, timestamp"),
        Column("execution_arn", Kind.TEXT, "The execution; null in a history, which does not tell it.", Link.RESOURCE, "execution_arn"),
        Column("state_machine", Kind.TEXT, "The state machine's name, from the execution's ARN.", origin="execution_arn"),
        Column("event_number", Kind.INTEGER, "The event's number in its execution, from 1.", origin="id"),
        Column("previous_event_number", Kind.INTEGER, "The event from which it followed.", origin="previous_event_id"),
        Column("event_type", Kind.TEXT, "TaskFailed, ExecutionTimedOut and so on.", origin="type"),
        Column("state_name", Kind.TEXT, "The state entered or left; null for events inside of it.", origin="details.name"),
        Column("task_type", Kind.TEXT, "The service that the task calls: lambda, ecs, aws-sdk:s3.", origin="details.resourceType"),
        Column("task_resource", Kind.TEXT, "What it calls there, or the function's ARN.", Link.RESOURCE, "details.resource"),
        Column("error_type", Kind.TEXT, "The error's name: States.Timeout, Lambda.Unknown, a class of one's own.", origin="details.error"),
        Column("error_text", Kind.TEXT, "What happened, in a sentence, from the cause.", origin="details.cause"),
        Column("cause", Kind.TEXT, "The cause as the task told it; often JSON.", origin="details.cause"),
        Column("status", Kind.INTEGER, "The status that a service answered, where the cause quotes it.", Link.STATUS, "details.cause"),
        Column("request_id", Kind.TEXT, "The id of the failed request, where the cause quotes it.", Link.REQUEST, "details.cause"),
        Column("task_arn", Kind.TEXT, "The ECS task that failed, where the cause is its description.", Link.RESOURCE, "details.cause"),
        Column("is_truncated", Kind.BOOLEAN, "Whether input or output is cut off.", origin="details.inputDetails.truncated"),
        Column("timeout_seconds", Kind.FLOAT, "How long the task may take.", origin="details.timeoutInSeconds"),
        Column("heartbeat_seconds", Kind.FLOAT, "How often it must show that it is alive.", origin="details.heartbeatInSeconds"),
        Column("redrive_count", Kind.INTEGER, "How often the execution was driven on after a failure.", origin="redrive_count"),
        Column("map_run_arn", Kind.TEXT, "The run of a distributed map that the execution is part of.", Link.RESOURCE, "map_run_arn"),
        Column("details", Kind.JSON, "All that the event says, input and output too where they are logged.", origin="details"),
        Column("account", Kind.TEXT, "The account, from the execution's ARN.", Link.ACCOUNT, "execution_arn"),
        Column("region", Kind.TEXT, "The Region, from the execution's ARN.", origin="execution_arn"),
    ),
)

_ARN = re.compile(r"arn:[^:]*:states:([^:]*):([^:]*):(?:execution|express):([^:]*):", re.ASCII)
_STATUS = r"Status Code: ([0-9]{3})[,;)]"
_REQUEST = r"Request ID: ([A-Za-z0-9_=+/-]+)"
_SENTENCES = ("errorMessage", "StoppedReason", "StatusReason", "Cause", "cause", "message", "Message")
"""Keys under which the report of a function, an ECS task, a Batch job or an inner execution says what happened."""
_DIGS = (
    Dig("state_name", "details", ("name",)),
    Dig("task_type", "details", ("resourceType",)),
    Dig("task_resource", "details", ("resource",)),
    Dig("error_type", "details", ("error",)),
    Dig("cause", "details", ("cause",)),
    Dig("timeout_seconds", "details", ("timeoutInSeconds",), NUMBER),
    Dig("heartbeat_seconds", "details", ("heartbeatInSeconds",), NUMBER),
    Dig("_input_cut", "details", ("inputDetails", "truncated"), BOOLEAN),
    Dig("_output_cut", "details", ("outputDetails", "truncated"), BOOLEAN),
)
_STEPS, _SURE = dug_sql(_DIGS)


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """An event of a history with the names of the log."""
    if "previousEventId" not in document:
        return document
    known = {"previousEventId": "previous_event_id", "timestamp": "event_timestamp"}
    renamed = {known.get(key, key): value for key, value in document.items() if not key.endswith("EventDetails")}
    details: dict[str, Any] = {}
    for key, value in document.items():
        if key.endswith("EventDetails") and isinstance(value, dict):
            details |= value
    return {**renamed, **({"details": details} if details else {})}


def _sentence(cause: str | None) -> tuple[str | None, str | None, str | None]:
    """What a cause says: the sentence in it, a request id, an ECS task."""
    report = parse_object(cause) if cause and cause.lstrip()[:1] == "{" else None
    if not isinstance(report, dict):
        return cause, None, None
    words = (report.get(key) for key in _SENTENCES)
    ids = [report.get(key) for key in ("requestId", "TaskArn")]
    request, task = (value if isinstance(value, str) else None for value in ids)
    return next((word for word in words if isinstance(word, str) and word), cause), request, task


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What lies in the details, what the cause quotes, what the ARN tells."""
    found = dug(_DIGS, {"details": document.get("details")})
    sentence, request, task = _sentence(found["cause"])
    status, quoted_id = (re.search(pattern, found["cause"] or "", re.ASCII) for pattern in (_STATUS, _REQUEST))
    where = _ARN.match(values["execution_arn"] or "")
    cut = [found[name] for name in ("_input_cut", "_output_cut") if found[name] is not None]
    return {
        **found,
        "error_text": sentence,
        "status": int(status[1]) if status else None,
        "request_id": request or (quoted_id[1] if quoted_id else None),
        "task_arn": task,
        "is_truncated": any(cut) if cut else None,
        "region": (where[1] if where else None) or None,
        "account": (where[2] if where else None) or None,
        "state_machine": (where[3] if where else None) or None,
    }, set()


# Records that are no JSON: the cause of a failure was put into them without escaping its quotes.

_BEHIND = ("previous_event_id", "event_timestamp", "execution_arn", "redrive_count", "map_run_arn")
_KEYS = {key: re.compile(rf'"{key}":"([^"]*)"', re.ASCII) for key in ("id", "type", *_BEHIND)}
_WORDS = {key: re.compile(rf'"{key}":"([^"]*)"', re.ASCII) for key in ("error", "name", "resource", "resourceType")}
_END_OF_CAUSE = re.compile(r'"(?:,"(?:error|resource|resourceType)":"[^"]*"|\}{1,2}\Z)', re.ASCII)


def _mended(record: str) -> str:
    """A record of the log that is no JSON, as one that holds what can be told of it; any other as it is."""
    if '"execution_arn":"' not in record or not record.startswith("{") or isinstance(parse_object(record), dict):
        return record
    start = record.find('"details":{')
    before, details = (record[:start], record[start + 10 :]) if start >= 0 else (record, "")
    ends = [at for key in _BEHIND if (at := details.rfind(f',"{key}":"')) >= 0]
    details, behind = (details[: min(ends)], details[min(ends) :]) if ends else (details, "")
    found: dict[str, Any] = {}
    for key, pattern in _KEYS.items():
        for place in (before, behind):
            if key not in found and (value := pattern.search(place)):
                found[key] = value[1]
    if "execution_arn" not in found:
        return record
    inner = {key: values[-1] for key, pattern in _WORDS.items() if (values := pattern.findall(details))}
    at = details.find('"cause":"')
    if at >= 0:
        end = _END_OF_CAUSE.search(details, at + 9)
        inner["cause"] = details[at + 9 : end.start() if end else len(details)]
    return json.dumps({**found, "details": inner, "not_json": True}, ensure_ascii=False)


_WHERE = "^arn:[^:]*:states:([^:]*):([^:]*):(?:execution|express):([^:]*):"


def _extract(pattern: str, column: str, group: int = 1) -> str:
    return f"nullif(regexp_extract({column}, '{pattern}', {group}), '')"


RECORDS = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "event_timestamp", WHEN),
        one("execution_arn", "execution_arn"),
        one("event_number", "id", INTEGER),
        one("previous_event_number", "previous_event_id", INTEGER),
        one("event_type", "type"),
        tree("details"),
        one("redrive_count", "redrive_count", INTEGER),
        one("map_run_arn", "map_run_arn"),
    ),
    stamp_ways=(EPOCH, ISO),
    needs=frozenset({"id", "type", "event_timestamp"}),
    prepare=_prepare,
    derive=_derive,
    steps=(
        *_STEPS,
        {
            "error_text": "cause",
            "status": f"TRY_CAST({_extract(_STATUS, 'cause')} AS BIGINT)",
            "request_id": _extract(_REQUEST, "cause"),
            "is_truncated": "CASE WHEN _input_cut OR _output_cut THEN true ELSE coalesce(_input_cut, _output_cut) END",
            "region": _extract(_WHERE, "execution_arn", 1),
            "account": _extract(_WHERE, "execution_arn", 2),
            "state_machine": _extract(_WHERE, "execution_arn", 3),
        },
    ),
    plain=(
        "time IS NOT NULL",
        "event_number IS NOT NULL",
        "event_type IS NOT NULL",
        "execution_arn IS NOT NULL",
        r"NOT coalesce(regexp_matches(cause, '^[^!-z]*[{]'), false)",
        "coalesce(starts_with(details::VARCHAR, '{'), true)",
        *_SURE,
        *shallow(("details",)),
    ),
    made=every_pair,
)
LAYOUT = Mended(RECORDS, _mended)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """An event of a history, or a record of the log, though it be no JSON."""
    if '"previousEventId"' not in text and '"execution_arn"' not in text:
        return False
    found = parse_object(_mended(text))
    if not isinstance(found, dict) or not {"id", "type"} <= found.keys():
        return False
    return {"execution_arn", "event_timestamp"} <= found.keys() or {"previousEventId", "timestamp"} <= found.keys()


FORMAT = Format(
    name="step_functions",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html",
    hop="stepfunctions",
    delay_seconds=60,
    complete=False,
)
