"""The values that alarms tell when they change their state: whose they are, and of when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from kyumei.edge.metrics import paused, points, reading

AT = datetime(2026, 3, 10, 9, 25, 20)  # noqa: DTZ001 - rows hold UTC without a zone
REASON = "Threshold Crossed: 2 out of the last 2 datapoints [3.0 (10/03/26 09:25:00), 2.5E-4 (10/03/26 09:24:00)] were greater than 0.0."
EVENT = {
    "_artifact": 1,
    "_line": 1,
    "time": datetime(2026, 3, 10, 9, 27, 5),  # noqa: DTZ001 - rows hold UTC without a zone
    "alarm": "fn-throttles",
    "kind": "state_change",
    "reason": REASON,
    "namespace": "AWS/Lambda",
    "metric": "Throttles",
    "dimension_values": ["FunctionName=quotes-fn"],
    "stat": "Sum",
    "period_seconds": 60,
    "account": "123456789012",
    "region": "ap-northeast-1",
    "computed": False,
}
ITEM = EVENT | {"_line": 2, "namespace": None, "metric": None, "dimension_values": None, "stat": None, "period_seconds": None}
"""An item of the history, which does not name its metric."""


class Alarms:
    """A view of a case that holds these rows of alarms, and nothing else."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        """The rows, as the table has them."""
        self.told = rows

    def has(self, table: str) -> bool:
        """Whether there are rows of the table."""
        return table == "alarm"

    def snapshot(self, service: str, operation: str) -> list[Any]:
        """No stored answers."""
        del service, operation
        return []

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """The rows of alarms, whatever is asked of them."""
        assert "FROM alarm" in sql
        assert not parameters
        return list(self.told)

    def cite(self, rows: Any, limit: int = 3) -> tuple[Any, ...]:  # noqa: ANN401 - whatever rows hold
        """The line of each row stands for its citation."""
        return tuple(row["_line"] for row in rows)[:limit]


def values(*rows: dict[str, Any]) -> list[float]:
    """The values of Throttles that rows of alarms tell."""
    return [point.value for point in points(Alarms(*rows), "Throttles")]  # type: ignore[arg-type] # as much of a view as is asked


def test_an_alarm_tells_the_values_in_its_reason() -> None:
    """Each with its time, day before month; they are read for the function that the alarm is on, and for no other."""
    view: Any = Alarms(EVENT)
    assert values(EVENT) == [3.0, 2.5e-4]
    assert reading(view, "Throttles", [AT], ["function:quotes-fn"]) is not None
    assert reading(view, "Throttles", [AT], ["function:mailer"]) is None
    assert reading(view, "Throttles", [AT.replace(hour=10)], ["function:quotes-fn"]) is None


def test_an_item_of_the_history_is_of_the_metric_that_another_record_of_the_alarm_names() -> None:
    """Alone it tells of no metric."""
    assert values(ITEM) == []
    assert values(ITEM, EVENT | {"kind": "state", "reason": None}) == [3.0, 2.5e-4]


@pytest.mark.parametrize(
    "other",
    [
        {"computed": True},
        {"metric": "Errors"},
        {"kind": "action"},
        {"reason": "Threshold Crossed: no datapoints were received for 1 period."},
        {"reason": REASON.replace("10/03/26", "31/02/26")},
        {"reason": REASON.replace("10/03/26", "03/10/26")},
        {"time": None},
    ],
)
def test_what_is_no_value_of_the_metric_is_left_out(other: dict[str, Any]) -> None:
    """Values of an expression, of another metric, of no state; times that are none, or not of that day."""
    assert values(EVENT | other) == []


def test_alarms_of_one_name_on_different_things_tell_nothing() -> None:
    """In two accounts alarms of the same name look at two functions."""
    assert values(EVENT, EVENT | {"dimension_values": ["FunctionName=mailer"]}) == []


def test_what_does_not_tell_its_place_is_of_none_of_several() -> None:
    """The same alarm on a function of the same name in two Regions: an item of the history is of either."""
    second = EVENT | {"region": "eu-west-1", "kind": "configuration"}
    nowhere = EVENT | {"account": None, "region": None}
    assert values(EVENT, nowhere) == [3.0, 2.5e-4] * 2
    assert values(EVENT, second, nowhere) == [3.0, 2.5e-4]


def test_each_change_tells_its_own_period_and_statistic() -> None:
    """The alarm was configured anew since: what it said before is of five minutes, and of a maximum."""
    view: Any = Alarms(EVENT | {"period_seconds": 300, "stat": "Maximum"}, EVENT)
    assert {(point.period_seconds, point.statistic) for point in points(view, "Throttles")} == {(300.0, "Maximum"), (60.0, "Sum")}


def test_between_two_changes_of_state_nothing_pauses() -> None:
    """An alarm tells values only when it changes its state."""
    later = EVENT | {"time": AT.replace(minute=40), "reason": REASON.replace("09:25", "09:39").replace("09:24", "09:38")}
    view: Any = Alarms(EVENT, later)
    assert paused(view, "Throttles", [AT.replace(minute=30)], ["function:quotes-fn"]) == ()
