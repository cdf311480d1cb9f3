"""The points of a CloudWatch metric, wherever the case has them: answers of AWS, alarms, metric streams, answers that lie loose.

An answer of ``get-metric-data`` names no metric but in the label, the id that the asker chose, or the file's name; one of
``get-metric-statistics`` names it in its label. Neither tells its dimensions, so these are known only where label or file name hold them.
A record of a metric stream tells all, for one minute. Only the points of the metric that is asked for are made: a stream has every metric
of an account.

Follows "GetMetricData", "GetMetricStatistics" and "MetricAlarm" of the Amazon CloudWatch API Reference, and "CloudWatch metric stream
output in JSON format" of the User Guide.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from kyumei.edge.documents import answers, as_list, as_map, parsed, qualifier
from kyumei.edge.literals import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

PERIOD_SECONDS = 60.0
"""The period of a metric stream, and the one taken where an answer of one point does not tell its own."""
PERIODS = (1, 5, 10, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Periods that people ask for, in seconds."""
STATISTICS = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
_ZONED = re.compile(r"[+-][0-9]{2}:?[0-9]{2}\Z|Z\Z")
_METRIC = re.compile(r"\b(?:[0-9][0-9Xx]{2})?[A-Z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*\b")
_RESOURCE = re.compile(r"\b(?:app|net|gwy|targetgroup)/[A-Za-z0-9-]+/[0-9a-f]+")
_PERCENTILE = r"p[0-9]{1,2}(?:\.[0-9]+)?"
_STATISTIC = re.compile(rf"\b(Sum|Average|Minimum|Maximum|SampleCount|{_PERCENTILE})\b")
_PLACE = re.compile(r"(?:^|/)aws/(?:([0-9]{12})/)?(?:([a-z]{2}(?:-[a-z]+)+-[0-9])/)?cloudwatch/")
_ALARM = re.compile(r"arn:[^:]*:cloudwatch:([^:]*):([^:]*):alarm:")
_NO_ANSWER = "_artifact NOT IN (SELECT _artifact FROM resource_snapshot)"
"""Rows of the table ``metric`` that are not also a stored answer under ``aws/``, which is read as such."""


class Point(NamedTuple):
    """One value of a metric. ``time`` is naive UTC, the start of ``period_seconds``; ``told`` is all text that names metric and dimensions.

    ``metric`` is empty where it is not told, and so are ``statistic``, ``account`` and ``region``. ``namespace`` is known,
    with all dimensions, of alarms and streams only. ``source`` is where it stands: a citation, or the row to cite; ``stream`` the metric
    stream that delivered it.
    """

    metric: str
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    time: datetime
    period_seconds: float
    value: float
    told: str
    source: Citation | Mapping[str, Any]
    account: str = ""
    region: str = ""
    stream: str = ""

    def covers(self, moment: datetime) -> bool:
        """Whether a moment, naive UTC, lies in the point's period."""
        return self.time <= moment < self.time + timedelta(seconds=self.period_seconds)


class _Series(NamedTuple):
    """Points of one answer that differ in time and value only."""

    told: str
    statistic: str
    points: Sequence[tuple[datetime | None, object, Citation | Mapping[str, Any]]]
    account: str = ""
    region: str = ""


def moment(value: object) -> datetime | None:
    """A time as the CLI prints it, seconds since 1970 or ISO 8601, as a naive time in UTC; null for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
        text = str(value)
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(tzinfo=None) if _ZONED.search(text) else found.replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def answered(view: View, metric: str) -> Iterator[Point]:
    """The metric's points in stored answers of AWS, those of alarms included."""
    if view.has("metric"):  # What an answer tells of a metric is stored as rows, too.
        for document, citation in answers(view, "cloudwatch", "get-metric-data"):
            for series in as_list(document.get("MetricDataResults")) if "MetricDataResults" in document else [document]:
                yield from _of_data(metric, as_map(series), citation)
        for document, citation in answers(view, "cloudwatch", "get-metric-statistics"):
            yield from _of_statistics(metric, document, citation)
    for document, citation in answers(view, "cloudwatch", "describe-alarms"):
        if document.get("MetricName") == metric:
            yield from _of_alarm(document, citation)


def streamed(view: View, metric: str, start: datetime, end: datetime, names: Sequence[str]) -> Iterator[Point]:
    """The metric's points in other files of the case: answers that lie loose, and metric streams from ``start`` to ``end`` (naive UTC).

    Of a stream only what has one of the ``names`` in its dimensions: whatever it tells is told of something.
    """
    if not view.has("metric") or not view.rows(f"SELECT 1 AS one FROM metric WHERE {_NO_ANSWER} LIMIT 1"):
        return
    about = " OR ".join(f"contains(CAST(dimensions AS VARCHAR), {literal(name)})" for name in sorted(names)) or "false"
    rows = view.rows(
        "SELECT _artifact, _line, time, namespace, metric, dimensions, stat, label, id, value, maximum, sum, sample_count, account, "
        f"region, metric_stream, _extra FROM metric WHERE time IS NOT NULL AND {_NO_ANSWER} AND CASE WHEN metric_stream IS NULL THEN "
        "metric IS NULL OR metric = ? OR contains(label, ?) ELSE metric = ? AND time > ?::TIMESTAMP - to_seconds(?) AND "
        f"time <= ?::TIMESTAMP AND ({about}) END ORDER BY _artifact, _line",
        *(metric, metric, metric, start, PERIOD_SECONDS, end),
    )
    loose = [row for row in rows if row["metric_stream"] is None]
    for row in rows:
        if row["metric_stream"] is not None:
            yield from _of_stream(row)
    yield from _of_loose(view, metric, loose)


def _of_data(metric: str, series: Mapping[str, Any], citation: Citation) -> Iterator[Point]:
    told = " ".join(str(part) for part in (series.get("Label"), series.get("Id"), qualifier(citation)) if part)
    if _is_of(metric, told, series.get("Label")):
        pairs = zip(as_list(series.get("Timestamps")), as_list(series.get("Values")), strict=False)
        known = [(moment(time), value, citation) for time, value in pairs]
        yield from _points(metric, _Series(told, _statistic(told), known, *_place(citation)))


def _of_statistics(metric: str, document: Mapping[str, Any], citation: Citation) -> Iterator[Point]:
    told = " ".join(str(part) for part in (document.get("Label"), qualifier(citation)) if part)
    if not _is_of(metric, told, document.get("Label")):
        return
    data = [as_map(one) for one in as_list(document.get("Datapoints"))]
    extended = {name for one in data for name in as_map(one.get("ExtendedStatistics"))}
    for statistic in (*STATISTICS, *sorted(extended)):
        values = [one.get(statistic, as_map(one.get("ExtendedStatistics")).get(statistic)) for one in data]
        known = [(moment(one.get("Timestamp")), value, citation) for one, value in zip(data, values, strict=True)]
        yield from _points(metric, _Series(told, statistic, known, *_place(citation)))


def _of_alarm(document: Mapping[str, Any], citation: Citation) -> Iterator[Point]:
    data = parsed(str(document.get("StateReasonData")))
    dimensions = tuple((str(one.get("Name")), str(one.get("Value"))) for one in map(as_map, as_list(document.get("Dimensions"))))
    told = " ".join([str(document.get("MetricName")), *(value for _, value in dimensions)])
    period = data.get("period")
    seconds = float(period) if isinstance(period, int | float) and period > 0 else PERIOD_SECONDS
    statistic = str(document.get("Statistic") or document.get("ExtendedStatistic") or "")
    place = _ALARM.match(str(document.get("AlarmArn") or ""))
    for one in map(as_map, as_list(data.get("evaluatedDatapoints"))):
        time, value = moment(one.get("timestamp")), one.get("value")
        if time is not None and isinstance(value, int | float):
            name, space = str(document.get("MetricName") or ""), str(document.get("Namespace") or "")
            account, region = (place[2], place[1]) if place else ("", "")
            yield Point(name, space, dimensions, statistic, time, seconds, float(value), told, citation, account, region)


def _of_stream(row: Mapping[str, Any]) -> Iterator[Point]:
    """The statistics of a record of a metric stream, whose average is sum by count; percentiles where the stream was told to have them."""
    dimensions = tuple((name, str(value)) for name, value in sorted(parsed(row["dimensions"]).items()))
    count, total = row["sample_count"], row["sum"]
    values = {"Sum": total, "Maximum": row["maximum"], "Average": total / count if count and total is not None else None}
    more = as_map(parsed(row["_extra"]).get("value"))
    values |= {name: value for name, value in more.items() if re.fullmatch(_PERCENTILE, name)}
    told = " ".join([str(row["metric"]), *(value for _, value in dimensions)])
    where = (row["account"] or "", row["region"] or "", row["metric_stream"])
    for statistic, value in values.items():
        if isinstance(value, int | float):
            space = row["namespace"] or ""
            yield Point(row["metric"], space, dimensions, statistic, row["time"], PERIOD_SECONDS, float(value), told, row, *where)


def _of_loose(view: View, metric: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Point]:
    """Points of answers that lie elsewhere than under ``aws/``, each a row; the file's name may tell the metric, as it does there."""
    first = {row["_artifact"]: row for row in reversed(rows)}
    files = dict(zip(first, (unquote(one.file.rpartition("/")[2]) for one in view.cite(first.values(), len(first))), strict=True))
    series: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        series.setdefault((row["_artifact"], row["label"], row["id"], row["stat"]), []).append(row)
    for (artifact, label, name, statistic), own in series.items():
        told = " ".join(str(part) for part in (label, name, files[artifact]) if part)
        if _is_of(metric, told, label):
            yield from _points(metric, _Series(told, statistic or _statistic(told), [(row["time"], row["value"], row) for row in own]))


def _points(metric: str, series: _Series) -> Iterator[Point]:
    """The points of a series, whose period no answer states: it divides how far apart they are."""
    known = [(time, float(value), where) for time, value, where in series.points if time is not None and isinstance(value, int | float)]
    known.sort(key=lambda one: one[0])
    apart = gcd(*(round((after[0] - before[0]).total_seconds()) for before, after in pairwise(known)))
    period = float(max((one for one in PERIODS if apart % one == 0), default=1)) if apart else PERIOD_SECONDS
    told = series.told
    named = tuple(("LoadBalancer" if not one.startswith("targetgroup/") else "TargetGroup", one) for one in _RESOURCE.findall(told))
    for time, value, where in known:
        yield Point(metric, "", named, series.statistic, time, period, value, told, where, series.account, series.region)


def _is_of(metric: str, told: str, label: object) -> bool:
    """Whether points are of the metric: the label ends with it, whatever the resource in front is called, or no longer name is told."""
    return _metric(told) == metric or re.search(rf"(?:^|[\s.:/]){metric}\Z", str(label or "")) is not None


def _metric(told: str) -> str:
    """The metric's name in a text: the word written as such names are (HTTPCode_ELB_502_Count); statistics are none."""
    words = [word for word in _METRIC.findall(_RESOURCE.sub(" ", told)) if not _STATISTIC.fullmatch(word)]
    return max(words, key=len, default="")


def _statistic(told: str) -> str:
    found = _STATISTIC.search(told)
    return found[1] if found else ""


def _place(citation: Citation) -> tuple[str, str]:
    """Account and Region that the path of an answer tells, each empty where it does not."""
    found = _PLACE.search(citation.file)
    return (found[1] or "", found[2] or "") if found else ("", "")
