"""What CloudWatch metrics in the case say of some moments and things, whoever handed them over: answers of AWS, a metric stream, an alarm.

A metric is published for several sets of dimensions at once: a load balancer, each of its target groups, and each zone of both. A point's
time is the start of its period. Elastic Load Balancing reports a counter only when it is not zero: a missing point is no zero.

Follows "CloudWatch metrics for your Application Load Balancer" and for Classic Load Balancers, and "CloudWatch metrics: dimensions".
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kyumei.edge.alarm_points import alarmed
from kyumei.edge.literals import literal
from kyumei.edge.metric_points import PERIOD_SECONDS, Point, answered, moment, streamed
from kyumei.model.finding import Citation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kyumei.contracts import View

__all__ = ["Point", "Reading", "moment", "paused", "points", "reading"]

SHOWN = 3
"""Places of which a reading cites the best first."""
OF_A_MOMENT = frozenset({"TargetResponseTime", "Latency", "HealthyHostCount", "UnHealthyHostCount", "SurgeQueueLength"})
"""Metrics that say how long or how many at a time; all others count what happened over the period."""
BESIDE = timedelta(minutes=15)
"""How far before and after a pause a metric stream must have the metric."""
GROUP, BALANCER, DISTRIBUTION = "TargetGroup", frozenset({"LoadBalancer", "LoadBalancerName"}), "DistributionId"
"""Dimensions that say whose a metric is."""
FUNCTION, FUNCTION_ARN = "FunctionName", "function:"
"""That of a function's metric, and what its name is told by; a function owns no other metric, as a balancer does those of its groups."""
OWNERS = BALANCER | {DISTRIBUTION}
_IDENTITY = re.compile(r"E[A-Z0-9]{10,14}", re.ASCII)
_FIRST, _LAST = datetime.min, datetime.max  # noqa: DTZ901 - rows hold UTC without a zone
_ARN = re.compile(r"arn:[^:]*:[^:]*:([^:]*):([^:]*):(.*)", re.DOTALL)


class Reading(NamedTuple):
    """Points of one metric whose periods hold the moments asked for, never empty; and where the best of them stand, each place once."""

    metric: str
    points: tuple[Point, ...]
    citations: tuple[Citation, ...]

    @property
    def peak(self) -> float:
        """The greatest value."""
        return max(point.value for point in self.points)

    @property
    def lowest(self) -> float:
        """The greatest value in the period in which that is least."""
        return min(max(one.value for one in self.points if one.time == point.time) for point in self.points)

    @property
    def words(self) -> str:
        """The greatest value in words, with its minute."""
        best = max(self.points, key=lambda point: point.value)
        statistic = f" ({best.statistic})" if best.statistic else ""
        return f"{self.metric}{statistic} is {best.value:g} in the period from {best.time:%H:%M:%S} UTC"


class _About(NamedTuple):
    """Whose metric is asked for: the names that dimensions may have, by dimension, and account and Region as far as they are known."""

    names: frozenset[str]
    dimensions: frozenset[str]
    account: str
    region: str


def points(view: View, metric: str, start: datetime = _FIRST, end: datetime = _LAST, names: Iterable[str] = ()) -> list[Point]:
    """The points of a metric, in no order: all of answers and alarms, and those of streams from ``start`` to ``end`` (naive UTC).

    Of streams only what has one of the names in its dimensions.
    """
    return [*answered(view, metric), *streamed(view, metric, start, end, tuple(names)), *alarmed(view, metric)]


def reading(
    view: View, metric: str, moments: Iterable[datetime], about: Iterable[str] = (), other: Callable[[Point], bool] | None = None
) -> Reading | None:
    """What a metric was at these moments (naive UTC); null where the case does not tell.

    ``about`` are resources as dimensions name them (``app/shop/1234``, ``targetgroup/web/5678``, a function as ``function:quotes``), or
    their ARNs, which tell account and Region, too. A point that names another load balancer or target group is left out; one that names no
    target group is, where others of these moments do. ``other`` tells points that are of something else for what the caller knows besides.
    """
    wanted, at = _about(about), list(moments)
    if not at:
        return None
    found = [
        point
        for point in points(view, metric, min(at), max(at), wanted.names)
        if _meant(point) and any(point.covers(one) for one in at) and not (other and other(point))
    ]
    own = _own(found, wanted)
    return _reading(view, metric, own) if own else None


def paused(view: View, metric: str, moments: Iterable[datetime], about: Iterable[str] = ()) -> tuple[Citation, ...]:
    """Where a metric stands that has points before and after these moments (naive UTC), and none in them; empty where that is not so.

    The same answer must tell both. A stream must have delivered other metrics of the same balancer in each of the minutes.
    """
    wanted, at = _about(about), list(moments)
    if not at:
        return ()
    start, end = min(at), max(at)
    # An alarm tells values only when it changes its state: between them is no pause.
    regular = [*answered(view, metric), *streamed(view, metric, start - BESIDE, end + BESIDE, tuple(wanted.names))]
    own = _own(regular, wanted)
    if any(point.covers(one) for point in own for one in at):
        return ()
    series: dict[tuple[object, ...], list[Point]] = {}
    for point in own:
        series.setdefault(_series(point), []).append(point)
    for told in series.values():
        before, after = [one for one in told if one.time < start], any(one.time > end for one in told)
        if before and after and (not told[0].stream or _delivered(view, told[0], at)):
            return _cited(view, [max(before, key=lambda one: one.time)])
    return ()


def _about(names: Iterable[str]) -> _About:
    account = region = ""
    known: set[str] = set()
    for name in names:
        found = _ARN.fullmatch(name)
        region, account = (found[1] or region, found[2] or account) if found else (region, account)
        known.add(found[3] if found else name)
    bare = frozenset(name.removeprefix(FUNCTION_ARN) for name in known)
    return _About(bare, frozenset().union(*map(_dimensions, known)), account, region)


def _dimensions(name: str) -> frozenset[str]:
    """The dimensions that name things of the kind that has such a name: ``targetgroup/web/5678``, a distribution's id, or a balancer."""
    if name.startswith("targetgroup/"):
        return frozenset({GROUP})
    if name.startswith(FUNCTION_ARN):
        return frozenset({FUNCTION})
    return frozenset({DISTRIBUTION}) if _IDENTITY.fullmatch(name) else BALANCER


def _own(found: Sequence[Point], wanted: _About) -> list[Point]:
    """The points that may be of what is asked for; none where they are of several things, and nothing tells whose they are."""
    near = [point for point in found if _near(point, wanted)]
    if GROUP in wanted.dimensions and any(_named(point, GROUP) for point in near):
        near = [point for point in near if _named(point, GROUP)]
    own = [point for point in near if all(value in wanted.names for name, value in point.dimensions if name in wanted.dimensions)]
    things = {value for point in own for name, value in point.dimensions if name in OWNERS}
    places = [{told for point in own if (told := getattr(point, what))} for what in ("account", "region")]
    several = (not wanted.names and len(things) > 1) or any(len(one) > 1 for one in places)
    return [] if several else own


def _meant(point: Point) -> bool:
    """Whether the statistic tells how much there was: the number of samples does not, nor a least value of zero, nor a sum of times."""
    if point.statistic == "Minimum":
        return point.value > 0
    return point.statistic not in ({"SampleCount", "Sum"} if point.metric in OF_A_MOMENT else {"SampleCount"})


def _near(point: Point, wanted: _About) -> bool:
    """Whether a point may be of what is asked for, its target group aside."""
    if point.namespace and not point.namespace.startswith("AWS/"):
        return False
    if any(told and known and told != known for told, known in ((point.account, wanted.account), (point.region, wanted.region))):
        return False
    named = [(name, value) for name, value in point.dimensions if name in wanted.dimensions]
    if point.namespace and not named:  # It tells whose it is, and it is not known to be what is asked for.
        return False
    return all(value in wanted.names for name, value in named if name != GROUP)


def _named(point: Point, dimension: str) -> bool:
    return any(name == dimension for name, _ in point.dimensions)


def _reading(view: View, metric: str, own: Sequence[Point]) -> Reading:
    best = sorted(own, key=lambda point: -point.value)
    return Reading(metric, tuple(sorted(own, key=lambda point: point.time)), _cited(view, best))


def _cited(view: View, best: Sequence[Point]) -> tuple[Citation, ...]:
    """Where points stand, the first one's place first."""
    told = [point.source for point in best if isinstance(point.source, Citation)]
    rows = view.cite([point.source for point in best if not isinstance(point.source, Citation)], SHOWN)
    found = [*told, *rows] if isinstance(best[0].source, Citation) else [*rows, *told]
    return tuple(dict.fromkeys(found))[:SHOWN]


def _series(point: Point) -> tuple[object, ...]:
    """What points of one series share: of a stream its name, of an answer its file."""
    where = point.source
    place = point.stream or (where.file if isinstance(where, Citation) else where["_artifact"])
    return (place, point.told, point.statistic, point.account, point.region)


def _delivered(view: View, point: Point, moments: Sequence[datetime]) -> bool:
    """Whether the point's stream has another metric of the same balancer or distribution in each of the minutes."""
    about = " OR ".join(f"contains(CAST(dimensions AS VARCHAR), {literal(value)})" for name, value in point.dimensions if name in OWNERS)
    if not about:
        return False
    rows = view.rows(
        "SELECT DISTINCT date_trunc('minute', time) AS minute FROM metric WHERE metric_stream = ? AND metric <> ? AND "
        f"time > ?::TIMESTAMP - to_seconds(?) AND time <= ?::TIMESTAMP AND ({about})",
        *(point.stream, point.metric, min(moments), PERIOD_SECONDS, max(moments)),
    )
    return {one.replace(second=0, microsecond=0) for one in moments} <= {row["minute"] for row in rows}
