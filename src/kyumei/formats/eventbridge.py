"""EventBridge events of any source that has no table of its own: CodePipeline, CodeBuild, Auto Scaling, EC2, AWS Health, and one's own.

They lie where a rule sent them: a log group, a bucket by way of Firehose, a queue. The envelope is the same for all; what happened stands
in ``detail``, in words that each source chose. ``state``, ``reason``, ``subject`` and ``execution_id`` are taken from the words that AWS's
services use. Delivery is at least once and in no order; the time is the source's, to the second, in UTC. Events of ECS, RDS, CloudWatch
alarms and GuardDuty findings, and calls that CloudTrail passes on, are rows of their own tables.

Two things that tell the same without the envelope are rows here, too, with a null ``detail_type``: what S3 notifies a queue, a topic or a
function of, and the items of ``describe-scaling-activities``, which are what Auto Scaling sends as events.

Follows "AWS events" and "Events from AWS services" in the EventBridge User Guide, and the pages on events of the services; "Event message
structure" in the Amazon S3 User Guide; Activity of the Auto Scaling, ScalingActivity of the Application Auto Scaling API reference.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import MONTHS, TEXT, Cast
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import dig, every_pair, shallow, strings, strings_sql, tree
from kyumei.layouts.stamps import ISO
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "eventbridge",
    "Events that came by EventBridge and have no table of their own.",
    (
        Column("time", Kind.TIME, "When it happened, by the source's clock.", origin="time"),
        Column("source", Kind.TEXT, "aws.codepipeline, aws.health, or a name of one's own.", origin="source"),
        Column("detail_type", Kind.TEXT, "What sort of event it is.", origin="detail-type"),
        Column("state", Kind.TEXT, "The state or outcome that the detail tells: FAILED, stopping, open.", origin="detail.state"),
        Column("reason", Kind.TEXT, "Why, as the detail tells it; of AWS Health the description.", origin="detail.reason"),
        Column(
            "event_code", Kind.TEXT, "The code of the event, where the source has one.", origin="detail.eventTypeCode, detail.eventName"
        ),
        Column("subject", Kind.TEXT, "What it is about, by name: the pipeline, the project, the group.", origin="detail"),
        Column("resource", Kind.TEXT, "The first of the resources.", Link.RESOURCE, "resources"),
        Column("instance_id", Kind.TEXT, "The EC2 instance.", Link.RESOURCE, "detail.EC2InstanceId, detail.instance-id"),
        Column("execution_id", Kind.TEXT, "The execution, build, deployment or activity.", Link.RESOURCE, "detail.execution-id"),
        Column("start_time", Kind.TIME, "When what it tells of began.", origin="detail.startTime"),
        Column("end_time", Kind.TIME, "When it ended, or will.", origin="detail.endTime"),
        Column("account", Kind.TEXT, "The account.", Link.ACCOUNT, "account"),
        Column("region", Kind.TEXT, "The Region.", origin="region"),
        Column("resources", Kind.JSON, "All resources, mostly ARNs.", origin="resources"),
        Column("detail", Kind.JSON, "The detail as it is.", origin="detail"),
        Column("event_id", Kind.TEXT, "The id of the event; a second delivery has the same.", origin="id"),
        Column("replay_name", Kind.TEXT, "The replay of an archive that sent it.", origin="replay-name"),
    ),
)

_RFC = re.compile(r"(?:[A-Z][a-z]{2}, )?([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2}) (?:GMT|UTC)", re.ASCII)
_AMERICAN = re.compile(r"([A-Z][a-z]{2}) ([0-9]{1,2}), ([0-9]{4}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2})[ \u202f]([AP]M)")
_NOON = 12


def _moment(raw: str) -> datetime | None:
    """ISO, seconds since 1970, AWS Health's ``Thu, 1 Nov 2018 22:00:00 GMT``, CodeBuild's ``Sep 1, 2017 4:12:29 PM``; all in UTC."""
    known: datetime | None = WHEN.python(raw)
    if known is not None:
        return known
    if found := _RFC.fullmatch(raw):
        day, month, year, hour, minute, second = found.groups()
    elif found := _AMERICAN.fullmatch(raw):
        month, day, year, hour, minute, second, half = found.groups()
        hour = str(int(hour) % _NOON + (_NOON if half == "PM" else 0))
    else:
        return None
    try:
        return datetime(int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))  # noqa: DTZ001 - rows hold naive UTC
    except ValueError:
        return None


MOMENT = Cast("time in the words of a service", _moment, WHEN.sql)

CHOICES: dict[str, tuple[Cast, tuple[tuple[str, ...], ...]]] = {
    "state": (
        TEXT,
        (
            *(("state",), ("status",), ("build-status",), ("status-details", "status"), ("StatusCode",), ("statusCode",)),
            *(("scan-status",), ("instance-action",), ("LifecycleTransition",), ("result",), ("Status",)),
        ),
    ),
    "reason": (
        TEXT,
        (
            *(("reason",), ("status-details", "status-reason"), ("statusReason",), ("StatusMessage",), ("Cause",), ("cause",)),
            *(("execution-result", "external-execution-summary"), ("message",), ("error",), ("Message",)),
        ),
    ),
    "event_code": (TEXT, (("eventTypeCode",), ("eventName",), ("event",), ("EventID",))),
    "subject": (
        TEXT,
        (
            *(("pipeline",), ("project-name",), ("AutoScalingGroupName",), ("repository-name",), ("repositoryName",), ("application",)),
            *(("stateMachineArn",), ("stack-id",), ("jobName",), ("bucket", "name"), ("s3", "bucket", "name"), ("ResourceId",)),
            *(("service",), ("SourceIdentifier",)),
        ),
    ),
    "instance_id": (TEXT, (("EC2InstanceId",), ("instance-id",), ("instanceId",))),
    "execution_id": (
        TEXT,
        (
            *(("execution-id",), ("executionArn",), ("executionId",), ("build-id",), ("deploymentId",), ("ActivityId",)),
            *(("command-id",), ("jobId",), ("eventArn",)),
        ),
    ),
    "start_time": (
        MOMENT,
        (("startTime",), ("StartTime",), ("start-time",), ("startDate",), ("additional-information", "build-start-time")),
    ),
    "end_time": (MOMENT, (("endTime",), ("EndTime",), ("stopDate",), ("completed-at",))),
}
"""Columns that the detail fills: the first of the words that is there and not empty."""


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """A notification of S3 or an activity of Auto Scaling becomes the detail of an event without an envelope."""
    if "detail-type" in document:
        return document
    if _is_notice(document):
        arn = dig(document, ("s3", "bucket", "arn"))
        about = {"source": "aws.s3", "time": document.get("eventTime"), "region": document.get("awsRegion")}
    elif _is_activity(document):
        arn = dig(document, ("AutoScalingGroupARN",))
        service = "autoscaling" if "AutoScalingGroupName" in document else "application-autoscaling"
        about = {"source": f"aws.{service}", "time": document.get("EndTime") or document.get("StartTime")}
    else:
        return document
    return {**about, "detail-type": None, "resources": [arn] if arn else None, "detail": document}


def _is_notice(document: Mapping[str, Any]) -> bool:
    """Whether an object is a record that S3 sent to a queue, a topic or a function."""
    return document.get("eventSource") == "aws:s3" and isinstance(document.get("s3"), dict)


def _is_activity(document: Mapping[str, Any]) -> bool:
    """Whether an object is what Auto Scaling describes as an activity, of a group or of what Application Auto Scaling scales."""
    named = "AutoScalingGroupName" in document or {"ServiceNamespace", "ScalableDimension"} <= document.keys()
    return {"ActivityId", "StatusCode", "Cause"} <= document.keys() and named


def _derive(document: Mapping[str, Any], _values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What the detail tells, in whatever words."""
    detail, named = document.get("detail"), strings(document.get("resources"))
    found: dict[str, Any] = {"resource": named[0] if named else None}
    for column, (cast, paths) in CHOICES.items():
        text = next((text for path in paths if (text := dig(detail, path))), None)
        found[column] = None if text is None else cast.python(text)
    told = detail.get("eventDescription") if isinstance(detail, dict) else None
    if found["reason"] is None and isinstance(told, list):
        found["reason"] = next((text for text in strings(told, "latestDescription") or ()), None)
    return found, set()


def _path(steps: tuple[str, ...]) -> str:
    return "'$" + "".join(f'."{step}"' for step in steps) + "'"


_ALL_PATHS = tuple(path for _, paths in CHOICES.values() for path in paths)
_WORDS = {path: f"nullif(_words[{number}], '')" for number, path in enumerate(_ALL_PATHS, start=1)}
_RAWS = {f"_{column}": f"coalesce({', '.join(_WORDS[path] for path in paths)})" for column, (_, paths) in CHOICES.items()}
_LISTED, _LISTED_SURE = strings_sql("resources")

LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "time", WHEN),
        one("source", "source"),
        one("detail_type", "detail-type"),
        one("account", "account"),
        one("region", "region"),
        tree("resources"),
        tree("detail"),
        one("event_id", "id"),
        one("replay_name", "replay-name"),
    ),
    stamp_ways=(ISO,),
    known=frozenset({"version"}),
    needs=frozenset({"source", "detail-type", "detail"}),
    prepare=_prepare,
    derive=_derive,
    steps=(
        {"_words": f"json_extract_string(detail, [{', '.join(map(_path, _ALL_PATHS))}])", "resource": f"({_LISTED})[1]"},
        _RAWS,
        {column: cast.sql.replace("{x}", f"_{column}") for column, (cast, _) in CHOICES.items()},
    ),
    plain=(
        "time IS NOT NULL",
        "source IS NOT NULL",
        "detail_type IS NOT NULL",
        "starts_with(detail::VARCHAR, '{')",
        "NOT contains(detail::VARCHAR, 'eventDescription')",
        "coalesce(starts_with(resources::VARCHAR, '['), true)",
        _LISTED_SURE,
        *(f"(_{column} IS NULL OR {column} IS NOT NULL)" for column, (cast, _) in CHOICES.items() if cast is not TEXT),
        *shallow(("detail", "resources")),
    ),
    made=every_pair,
)

_OWN_TABLES = frozenset({"aws.ecs", "aws.rds"})
"""Sources whose events are rows of their own tables."""
_OWN_DETAILS = (frozenset({"eventVersion", "eventTime"}), frozenset({"schemaVersion", "service"}))
"""Keys of the details of CloudTrail and GuardDuty, which have tables of their own."""


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """An envelope of EventBridge, unless what is in it has a table of its own; a notification of S3, an activity of Auto Scaling."""
    if '"detail-type"' not in text:
        bare = parse_object(text) if '"aws:s3"' in text or '"ActivityId"' in text else None
        return isinstance(bare, dict) and (_is_notice(bare) or _is_activity(bare))
    found = parse_object(text)
    if not isinstance(found, dict) or not {"detail-type", "source", "detail"} <= found.keys():
        return False
    detail, source = found["detail"], str(found["source"])
    if isinstance(detail, dict) and any(keys <= detail.keys() for keys in _OWN_DETAILS):
        return False
    return source not in _OWN_TABLES and not (source == "aws.cloudwatch" and str(found["detail-type"]).startswith("CloudWatch Alarm"))


FORMAT = Format(
    name="eventbridge",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html",
    hop="eventbridge",
    delay_seconds=60,
    complete=False,
)
