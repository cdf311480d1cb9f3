"""What CloudWatch metrics in the case say: points of ``get-metric-data``, ``get-metric-statistics`` and ``describe-alarms``.

An answer of ``get-metric-data`` names no metric but in the label, the id that the asker chose, or the file's name; one of
``get-metric-statistics`` names it in its label. Neither tells its dimensions, so these are known only where label or file name hold them. A
point's time is the start of its period. Elastic Load Balancing reports a counter only when it is not zero: a missing point is no zero.

Follows "GetMetricData", "GetMetricStatistics" and "MetricAlarm" of the Amazon CloudWatch API Reference.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import answers, as_list, as_map, qualifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

PERIOD_SECONDS = 60.0
"""The period taken where a series of one point does not tell its own."""
STATISTICS = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
_ZONED = re.compile(r"[+-][0-9]{2}:?[0-9]{2}\Z|Z\Z")
_METRIC = re.compile(r"\b[A-Z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*\b")
_RESOURCE = re.compile(r"\b(?:app|net|gwy|targetgroup)/[A-Za-z0-9-]+/[0-9a-f]+")
_STATISTIC = re.compile(r"\b(Sum|Average|Minimum|Maximum|SampleCount|p[0-9]{1,2}(?:\.[0-9]+)?)\b")


class Point(NamedTuple):
    """One value of a metric. ``time`` is naive UTC, the start of ``period_seconds``; ``told`` is all text that names metric and dimensions.

    ``metric`` and ``namespace`` are empty where they are not told, ``statistic`` too.
    """

    metric: str
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    time: datetime
    period_seconds: float
    value: float
    told: str
    citation: Citation

    def covers(self, moment: datetime) -> bool:
        """Whether a moment, naive UTC, lies in the point's period."""
        return self.time <= moment < self.time + timedelta(seconds=self.period_seconds)


class Reading(NamedTuple):
    """Points of one metric whose periods hold the moments asked for; never empty."""

    metric: str
    points: tuple[Point, ...]

    @property
    def peak(self) -> float:
        """The greatest value."""
        return max(point.value for point in self.points)

    @property
    def words(self) -> str:
        """The greatest value in words, with its minute."""
        best = max(self.points, key=lambda point: point.value)
        statistic = f" ({best.statistic})" if best.statistic else ""
        return f"{self.metric}{statistic} is {best.value:g} in the period from {best.time:%H:%M:%S} UTC"

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Where the points stand, each place once."""
        return tuple(dict.fromkeys(point.citation for point in self.points))[:3]


def moment(value: object) -> datetime | None:
    """A time as the CLI prints it, seconds since 1970 or ISO 8601, as a naive time in UTC; null for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
        text = str(value)
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC).replace(tzinfo=None) if _ZONED.search(text) else parsed.replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def points(view: View) -> list[Point]:
    """All points of the case, those of alarms included, in no order."""
    found: list[Point] = []
    for document, citation in answers(view, "cloudwatch", "get-metric-data"):
        for series in as_list(document.get("MetricDataResults")) if "MetricDataResults" in document else [document]:
            found += _of_data(as_map(series), citation)
    for document, citation in answers(view, "cloudwatch", "get-metric-statistics"):
        found += _of_statistics(document, citation)
    for document, citation in answers(view, "cloudwatch", "describe-alarms"):
        found += _of_alarm(document, citation)
    return found


def reading(view: View, metric: str, moments: Iterable[datetime], about: Iterable[str] = ()) -> Reading | None:
    """What a metric was at these moments (naive UTC); null where the case does not tell.

    ``about`` are resources as dimensions name them (``app/shop/1234``, ``targetgroup/web/5678``). A point that names another
    load balancer or target group is left out.
    """
    wanted, at = set(about), list(moments)
    found = [
        point for point in points(view) if point.metric == metric and _may_be_about(point, wanted) and any(point.covers(one) for one in at)
    ]
    return Reading(metric, tuple(sorted(found, key=lambda point: point.time))) if found else None


def _may_be_about(point: Point, wanted: set[str]) -> bool:
    named = set(_RESOURCE.findall(point.told))
    kinds = {one.partition("/")[0] for one in wanted}
    return all(one in wanted for one in named if one.partition("/")[0] in kinds)


def _of_data(series: Mapping[str, Any], citation: Citation) -> Iterator[Point]:
    told = " ".join(str(part) for part in (series.get("Label"), series.get("Id"), qualifier(citation)) if part)
    statistic = _STATISTIC.search(told)
    pairs = zip(as_list(series.get("Timestamps")), as_list(series.get("Values")), strict=False)
    yield from _series(_metric(told), told, statistic[1] if statistic else "", [(moment(time), value) for time, value in pairs], citation)


def _of_statistics(document: Mapping[str, Any], citation: Citation) -> Iterator[Point]:
    told = " ".join(str(part) for part in (document.get("Label"), qualifier(citation)) if part)
    data = [as_map(one) for one in as_list(document.get("Datapoints"))]
    extended = {name for one in data for name in as_map(one.get("ExtendedStatistics"))}
    for statistic in (*STATISTICS, *sorted(extended)):
        pairs = [(moment(one.get("Timestamp")), one.get(statistic, as_map(one.get("ExtendedStatistics")).get(statistic))) for one in data]
        yield from _series(_metric(told), told, statistic, pairs, citation)


def _of_alarm(document: Mapping[str, Any], citation: Citation) -> Iterator[Point]:
    try:
        data = as_map(json.loads(str(document.get("StateReasonData"))))
    except (ValueError, RecursionError):
        return
    evaluated = [as_map(one) for one in as_list(data.get("evaluatedDatapoints"))]
    dimensions = _dimensions(document)
    told = " ".join([str(document.get("MetricName")), *(value for _, value in dimensions)])
    period = data.get("period")
    seconds = float(period) if isinstance(period, int | float) and period > 0 else PERIOD_SECONDS
    statistic = str(document.get("Statistic") or document.get("ExtendedStatistic") or "")
    for one in evaluated:
        time, value = moment(one.get("timestamp")), one.get("value")
        if time is not None and isinstance(value, int | float):
            name, space = str(document.get("MetricName") or ""), str(document.get("Namespace") or "")
            yield Point(name, space, dimensions, statistic, time, seconds, float(value), told, citation)


def _series(metric: str, told: str, statistic: str, pairs: Iterable[tuple[datetime | None, object]], citation: Citation) -> Iterator[Point]:
    known = sorted((time, float(value)) for time, value in pairs if time is not None and isinstance(value, int | float))
    apart = [(after - before).total_seconds() for (before, _), (after, _) in pairwise(known)]
    period = min((one for one in apart if one > 0), default=PERIOD_SECONDS)
    named = tuple(("LoadBalancer" if not one.startswith("targetgroup/") else "TargetGroup", one) for one in _RESOURCE.findall(told))
    for time, value in known:
        yield Point(metric, "", named, statistic, time, period, value, told, citation)


def _metric(told: str) -> str:
    """The metric's name in a text: the word written as such names are (HTTPCode_ELB_502_Count); statistics are none."""
    words = [word for word in _METRIC.findall(_RESOURCE.sub(" ", told)) if not _STATISTIC.fullmatch(word)]
    return max(words, key=len, default="")


def _dimensions(document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    named = [as_map(one) for one in as_list(document.get("Dimensions"))]
    return tuple((str(one.get("Name")), str(one.get("Value"))) for one in named)
