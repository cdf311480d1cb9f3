"""The wrappings of AWS: under which key an answer or an envelope holds its records, and how an item becomes several of them.

An object is an envelope when its list stands under one of these keys and nothing else beside it than the envelope is known to have; with
anything else it is a record itself. Most items are records as they stand. Where a record is spread over its answer (the points of a metric,
the groups of a bill) it is put together: the item's own part, and what the answer says of all.

Follows the "Response" of GetMetricData, GetMetricStatistics and DescribeAlarmHistory (CloudWatch), GetQueryResults (CloudTrail),
BatchGetTraces, GetTraceSummaries and GetServiceGraph (X-Ray), GetCostAndUsage (Cost Explorer), GetResourceMetrics and
DescribeDimensionKeys (Performance Insights), DescribeStackEvents (CloudFormation), GetExecutionHistory (Step Functions), DescribeTasks and
DescribeServices (ECS), BatchGetDeployments (CodeDeploy), DescribeScalingActivities (Auto Scaling and Application Auto Scaling),
ReceiveMessage (SQS), and of the log envelopes that ``unwrap`` names.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.layouts.casts import to_json
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_places import items, members, value_at
from kyumei.layouts.json_record import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

Piece = tuple[str, int, int]
"""The text of a record, and where in the document it starts and ends."""


class Envelope(NamedTuple):
    """One sort of envelope.

    ``lists`` are the keys that hold records, ``beside`` those that may stand beside them (null: any), ``needs`` those of which one must.
    ``sign`` are keys that the first item has, so that a word as common as ``items`` is not taken for AWS's. ``unroll`` makes records of
    the items at some offsets of the sound text, given the other values of the answer; null where each item is one.
    """

    lists: tuple[str, ...]
    beside: frozenset[str] | None
    needs: frozenset[str] = frozenset()
    sign: frozenset[str] = frozenset()
    unroll: Callable[[str, Sequence[int], Mapping[str, Any]], Iterator[Piece]] | None = None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _put_together(*parts: Mapping[str, Any]) -> str:
    """A record of several parts, the first that has a key counts; null values are left out."""
    found: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if value is not None:
                found.setdefault(key, value)
    return to_json(found) or "{}"


def _whole(text: str, at: int) -> Piece:
    """The item at an offset as it stands."""
    end = value_at(text, at)[1]
    return text[at:end], at, end


def _opened(text: str, at: int) -> dict[str, tuple[Any, int]]:
    """The keys of the item at an offset with their values and where these begin; nothing where it is no object."""
    if text[at] != "{":
        return {}
    return {key: (value_at(text, start)[0], start) for key, start, _ in members(text, at)}


def _segments(text: str, offsets: Sequence[int], _answer: Mapping[str, Any]) -> Iterator[Piece]:
    """The documents of the segments of traces, which are JSON in a string."""
    for at in offsets:
        found, start = _opened(text, at).get("Segments", (None, at))
        if not isinstance(found, list):
            yield _whole(text, at)
            continue
        for segment, (begin, end) in zip(found, items(text, start), strict=True):
            document = segment.get("Document") if isinstance(segment, dict) else None
            if isinstance(document, dict):
                yield to_json(document) or "", begin, end
            else:
                yield document if isinstance(document, str) else text[begin:end], begin, end


def _services(text: str, offsets: Sequence[int], _answer: Mapping[str, Any]) -> Iterator[Piece]:
    """Services as described, and after each its deployments and events with the service that they are of."""
    for at in offsets:
        yield _whole(text, at)
        found = _opened(text, at)
        about: dict[str, Any] = {key: found[key][0] for key in ("serviceArn", "clusterArn") if key in found}
        for listed, start in (found[key] for key in ("deployments", "events") if key in found):
            for one, (begin, end) in zip(listed, items(text, start), strict=True) if isinstance(listed, list) else ():
                if isinstance(one, dict):
                    yield _put_together(one, about), begin, end


def _otlp_records(text: str, offsets: Sequence[int], _answer: Mapping[str, Any]) -> Iterator[Piece]:
    """The log records of what a collector of OpenTelemetry exports at once, each in an export of its own with its resource and scope."""
    for at in offsets:
        whole, *place = _whole(text, at)
        resource, several = _opened(text, at), False
        scopes, start = resource.get("scopeLogs", (None, at))
        for _, (begin, _) in zip(scopes, items(text, start), strict=True) if isinstance(scopes, list) else ():
            scope = _opened(text, begin)
            logged, first = scope.get("logRecords", (None, begin))
            for one, (head, end) in zip(logged, items(text, first), strict=True) if isinstance(logged, list) else ():
                several = True
                inner = {key: value for key, (value, _) in scope.items()} | {"logRecords": [one]}
                about = {key: value for key, (value, _) in resource.items()} | {"scopeLogs": [inner]}
                yield to_json({"resourceLogs": [about]}) or "", head, end
        if not several:
            yield f'{{"resourceLogs":[{whole}]}}', place[0], place[1]


def _metric_points(text: str, offsets: Sequence[int], _answer: Mapping[str, Any]) -> Iterator[Piece]:
    """The points of the results of GetMetricData, whose times and values are two lists side by side."""
    for at in offsets:
        found = _opened(text, at)
        times, start = found.get("Timestamps", (None, at))
        values, _ = found.get("Values", (None, at))
        if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
            yield _whole(text, at)
            continue
        about = {key: value for key, (value, _) in found.items() if key not in {"Timestamps", "Values", "Messages"}}
        about["Period"] = _apart(times)
        for time, value, (begin, end) in zip(times, values, items(text, start), strict=True):
            yield _put_together({"Timestamp": time, "Value": value}, about), begin, end


def _statistics(text: str, offsets: Sequence[int], answer: Mapping[str, Any]) -> Iterator[Piece]:
    """The statistics of the points of GetMetricStatistics, each for itself."""
    points = [{key: value for key, (value, _) in _opened(text, at).items()} for at in offsets]
    all_of = {"Label": answer.get("Label"), "Period": _apart(point.get("Timestamp") for point in points)}
    for at, point in zip(offsets, points, strict=True):
        whole, begin, end = _whole(text, at)
        about: dict[str, Any] = {key: point.pop(key) for key in ("Timestamp", "Unit") if key in point}
        extended = point.pop("ExtendedStatistics", None)
        named = {**point, **(extended if isinstance(extended, dict) else {})}
        numbers = {key: value for key, value in named.items() if isinstance(value, int | float) and not isinstance(value, bool)}
        if "Timestamp" not in about or len(numbers) != len(named) or not numbers:
            yield whole, begin, end
            continue
        for statistic, value in numbers.items():
            yield _put_together({**about, "Statistic": statistic, "Value": value}, all_of), begin, end


def _apart(times: Iterable[Any]) -> int | None:
    """How many seconds the nearest points are apart: the period that was asked for, which no answer states."""
    texts = {as_text(time) for time in times}
    known = sorted(moment for text in texts if text is not None and (moment := WHEN.python(text)) is not None)
    return min((round((after - before).total_seconds()) for before, after in pairwise(known)), default=0) or None


def _load_points(text: str, offsets: Sequence[int], answer: Mapping[str, Any]) -> Iterator[Piece]:
    """The points of metrics of Performance Insights."""
    for at in offsets:
        found = _opened(text, at)
        points, start = found.get("DataPoints", (None, at))
        if not isinstance(points, list):
            yield _whole(text, at)
            continue
        about = {"Identifier": answer.get("Identifier"), "Key": found.get("Key", (None, at))[0]}
        for point, (begin, end) in zip(points, items(text, start), strict=True):
            yield (_put_together(about, point) if isinstance(point, dict) else text[begin:end]), begin, end


def _dimension_keys(text: str, offsets: Sequence[int], answer: Mapping[str, Any]) -> Iterator[Piece]:
    """The keys of Performance Insights with the span that all of them are of."""
    span = {key: answer.get(key) for key in ("AlignedStartTime", "AlignedEndTime", "PartitionKeys")}
    for at in offsets:
        whole, begin, end = _whole(text, at)
        own = {key: value for key, (value, _) in _opened(text, at).items()}
        yield (_put_together(span, own) if own else whole), begin, end


def _costs(text: str, offsets: Sequence[int], answer: Mapping[str, Any]) -> Iterator[Piece]:
    """The amounts of the periods of a bill: of each group, or of the whole where it is not grouped."""
    by = {"GroupDefinitions": answer.get("GroupDefinitions") or None}
    for at in offsets:
        whole, *place = _whole(text, at)
        found = _opened(text, at)
        about: dict[str, Any] = {key: found[key][0] for key in ("TimePeriod", "Estimated") if key in found}
        groups, start = found.get("Groups", (None, at))
        places = items(text, start) if isinstance(groups, list) else ()
        amounts = [
            (group, begin, end) if isinstance(group, dict) else ({}, begin, end)
            for group, (begin, end) in zip(groups or (), places, strict=True)
        ]
        total = found.get("Total", (None, at))[0]
        if isinstance(total, dict) and total:
            amounts.append(({"Metrics": total}, place[0], place[1]))
        if not found or any(not isinstance(group.get("Metrics"), dict) for group, *_ in amounts):
            yield whole, place[0], place[1]
            continue
        for group, first, last in amounts:
            keys = group.get("Keys")
            for metric, amount in group["Metrics"].items():
                own = amount if isinstance(amount, dict) else {"Amount": amount}
                yield _put_together(about, {"Keys": keys} | (by if keys else {}), {"Metric": metric}, own), first, last


def _lake_rows(text: str, offsets: Sequence[int], _answer: Mapping[str, Any]) -> Iterator[Piece]:
    """The rows that CloudTrail Lake answers: each is a list of objects with one key."""
    for at in offsets:
        row, end = value_at(text, at)
        cells = [cell for cell in row if isinstance(cell, dict)] if isinstance(row, list) else []
        yield (_put_together(*cells) if cells else text[at:end]), at, end


def _queued(text: str, offsets: Sequence[int], _answer: Mapping[str, Any]) -> Iterator[Piece]:
    """What the messages of a queue say: the record in the body, or those that S3 or SNS put into it; any other body as it is."""
    for at in offsets:
        whole, begin, end = _whole(text, at)
        body = _opened(text, at).get("Body", (None, at))[0]
        for said in _said(body) if isinstance(body, str) else (whole,):
            yield said, begin, end


def _said(body: str) -> Iterator[str]:
    """The records in the text of a message."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and is_notification(value):
        yield from _said(value["Message"])
    elif isinstance(value, dict) and isinstance(value.get("Records"), list) and value.keys() == {"Records"}:
        yield from (to_json(record) or "" for record in value["Records"])
    else:
        yield body


_PAGES = "NextToken nextToken"
ENVELOPES: tuple[Envelope, ...] = (
    # Logs and events
    Envelope(("Records",), frozenset()),
    Envelope(("Events",), _words("NextToken Marker")),
    Envelope(("events",), _words("nextToken nextForwardToken nextBackwardToken searchedLogStreams")),
    Envelope(("results",), _words("statistics status encryptionKey queryLanguage nextToken")),
    Envelope(("SampledRequests",), _words("PopulationSize TimeWindow")),
    Envelope(("records",), _words("requestId timestamp deliveryStreamArn region sourceKinesisStreamArn invocationId")),
    Envelope(("logEvents",), None, needs=_words("messageType logGroup")),
    Envelope(
        ("QueryResultRows",), _words(f"QueryStatus QueryStatistics ErrorMessage {_PAGES}"), needs=_words("QueryStatus"), unroll=_lake_rows
    ),
    Envelope(("StackEvents",), _words(_PAGES)),
    Envelope(("AlarmHistoryItems",), _words(_PAGES)),
    Envelope(("Activities", "ScalingActivities"), _words(_PAGES), sign=_words("ActivityId")),
    Envelope(("Messages",), frozenset(), sign=_words("Body MessageId"), unroll=_queued),
    Envelope(("Findings",), _words(_PAGES)),
    Envelope(("resourceLogs",), frozenset(), unroll=_otlp_records),
    # Traces
    Envelope(("Traces",), _words(f"UnprocessedTraceIds {_PAGES}"), unroll=_segments),
    Envelope(("TraceSummaries",), _words(f"ApproximateTime TracesProcessedCount {_PAGES}")),
    Envelope(("Services",), _words(f"StartTime EndTime ContainsOldGroupVersions {_PAGES}"), sign=_words("ReferenceId")),
    # Metrics, alarms, money
    Envelope(("MetricDataResults",), _words(f"Messages {_PAGES}"), unroll=_metric_points),
    Envelope(("Datapoints",), _words("Label"), unroll=_statistics),
    Envelope(("MetricAlarms", "CompositeAlarms"), _words(_PAGES)),
    Envelope(("ResultsByTime",), _words(f"GroupDefinitions DimensionValueAttributes NextPageToken {_PAGES}"), unroll=_costs),
    Envelope(("MetricList",), _words(f"AlignedStartTime AlignedEndTime Identifier {_PAGES}"), unroll=_load_points),
    Envelope(
        ("Keys",),
        _words(f"AlignedStartTime AlignedEndTime PartitionKeys {_PAGES}"),
        needs=_words("AlignedStartTime"),
        unroll=_dimension_keys,
    ),
    # Lists of resources that are events, too
    Envelope(("tasks",), _words(f"failures {_PAGES}"), sign=_words("taskArn")),
    Envelope(("services",), _words(f"failures {_PAGES}"), sign=_words("serviceArn"), unroll=_services),
    Envelope(("containerInstances",), _words(f"failures {_PAGES}"), sign=_words("containerInstanceArn")),
    Envelope(("deploymentsInfo",), _words(_PAGES), sign=_words("deploymentId")),
    Envelope(("deploymentTargets",), _words(f"instancesNotFound {_PAGES}"), sign=_words("deploymentTargetType")),
    Envelope(("instancesSummary",), _words(f"errorMessage {_PAGES}"), sign=_words("deploymentId")),
    Envelope(
        ("items", "Items"), _words("kind apiVersion metadata Kind APIVersion Metadata"), needs=_words("kind apiVersion Kind APIVersion")
    ),
)
LISTS = frozenset(key for envelope in ENVELOPES for key in envelope.lists)
"""Every key under which an envelope may hold records."""
_ASIDE = _words("ResponseMetadata $metadata")


def envelope_of(lists: Mapping[str, Any], beside: Collection[str]) -> Envelope | None:
    """The envelope that an object is, from its lists under keys of LISTS (each with its first item, or null) and its other keys."""
    if not lists:
        return None
    others = set(beside) - _ASIDE
    for envelope in ENVELOPES:
        own = [first for key, first in lists.items() if key in envelope.lists]
        # A word such as Messages is the list of one envelope, and stands beside that of another.
        around = others | (lists.keys() - set(envelope.lists))
        if not own or not (around <= envelope.beside if envelope.beside is not None else around == others):
            continue
        if envelope.needs and not envelope.needs & others:
            continue
        firsts = [first for first in own if first is not None]
        if all(isinstance(first, dict) and envelope.sign <= first.keys() for first in firsts) or not envelope.sign:
            return envelope
    return None


def wraps(value: Mapping[str, Any]) -> bool:
    """Whether a decoded object wraps records, and is none itself."""
    lists = {key: (found[0] if found else None) for key, found in value.items() if key in LISTS and isinstance(found, list)}
    if envelope_of(lists, value.keys() - lists.keys()) is not None or is_notification(value) or is_daemon_header(value):
        return True
    return isinstance(value.get("awslogs"), dict) or (isinstance(value.get("data"), dict) and value.keys() == {"status_code", "data"})


def is_notification(value: Mapping[str, Any]) -> bool:
    """Whether a decoded object is a notification of SNS."""
    return value.get("Type") == "Notification" and "TopicArn" in value and isinstance(value.get("Message"), str)


def is_daemon_header(value: Mapping[str, Any]) -> bool:
    """Whether a decoded object is what the daemon of X-Ray is sent before each document: no record."""
    return value == {"format": "json", "version": 1}
