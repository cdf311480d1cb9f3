"""The points of a metric that alarms tell when they change their state, in events, notifications and the history.

An alarm proves no cause: it says that a value crossed a threshold that somebody chose. But the values in its reason are those of the
metric, with their times, so that they can confirm what a record says, or date it. An item of the history does not name its metric: another
record of the same alarm may. An alarm on an expression tells values of that, and of no metric: it is left out.

Follows "Alarm events and EventBridge" in the Amazon CloudWatch User Guide and "AlarmHistoryItem" in the CloudWatch API Reference.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.metric_points import PERIOD_SECONDS, Point

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kyumei.contracts import View

Row = dict[str, Any]
_VALUE = re.compile(
    r"(-?[0-9]{1,18}(?:\.[0-9]{1,20})?(?:E-?[0-9]{1,3})?) \(([0-9]{2})/([0-9]{2})/([0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})\)", re.ASCII
)
"""A value in an alarm's reason, and the start of its period in UTC: day, month, year without its century."""
LATE = timedelta(days=1)
"""The longest that an alarm changes its state after the values that it looks at."""
MOST = 5000


def alarmed(view: View, metric: str) -> Iterator[Point]:
    """The metric's points in what alarms said when they changed their state."""
    if not view.has("alarm"):
        return
    rows = view.rows(
        "SELECT _artifact, _line, time, alarm, kind, reason, namespace, metric, dimension_values, stat, period_seconds, account, region, "
        "_text IS NULL OR contains(_text, 'xpression\"') AS computed FROM alarm WHERE alarm IS NOT NULL "
        f"ORDER BY time, _artifact, _line LIMIT {MOST}"
    )
    of_one: dict[str, list[Row]] = {}
    for row in rows:
        of_one.setdefault(row["alarm"], []).append(row)
    for told in of_one.values():
        if any(row["metric"] == metric for row in told) and not any(row["computed"] for row in told):
            yield from _points(metric, told)


def _points(metric: str, told: Sequence[Row]) -> Iterator[Point]:
    """The points of one alarm; none where alarms of that name look at different things, in several accounts or Regions or over time."""
    about = {(row["namespace"], row["metric"], tuple(sorted(row["dimension_values"] or ()))) for row in told if row["metric"]}
    if len(about) != 1:
        return
    [(namespace, _, values)] = about
    dimensions = tuple((name, value) for name, _, value in (one.partition("=") for one in values))
    first = next(row for row in told if row["metric"])
    period = next((row["period_seconds"] for row in told if row["period_seconds"]), PERIOD_SECONDS)
    places = {(row["account"], row["region"]) for row in told if row["account"] and row["region"]}
    words = " ".join([metric, *(value for _, value in dimensions)])
    for row in told:
        if len(places) > 1 and (row["account"], row["region"]) not in places:
            continue  # It does not tell of which of them it is.
        if row["kind"] == "state_change":
            place = (row["account"] or first["account"] or "", row["region"] or first["region"] or "")
            stat, seconds = row["stat"] or first["stat"] or "", float(row["period_seconds"] or period)
            for time, value in _values(row):
                yield Point(metric, namespace or "", dimensions, stat, time, seconds, value, words, row, *place)


def _values(row: Mapping[str, Any]) -> Iterator[tuple[datetime, float]]:
    """The values of a reason with their times, as far as these lie before the change of state."""
    for value, day, month, year, clock in _VALUE.findall(row["reason"] or ""):
        try:
            time = datetime.fromisoformat(f"20{year}-{month}-{day} {clock}")
        except ValueError:
            continue
        if row["time"] is not None and timedelta(0) <= row["time"] - time <= LATE:
            yield time, float(value)
