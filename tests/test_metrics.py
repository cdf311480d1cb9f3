"""What stored CloudWatch answers say: which metric, which moment, whose."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from kyumei.edge.metrics import moment, points, reading
from tests.rules.balancer_memory import ELB, GROUP, NOW, MemoryView, series

NAIVE = NOW.replace(tzinfo=None)
MINUTE = NAIVE.replace(second=0)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (1752030860, NAIVE),
        (1752030860.5, NAIVE + timedelta(seconds=0.5)),
        ("2025-07-09T03:14:20+00:00", NAIVE),
        ("2025-07-09T12:14:20+09:00", NAIVE),
        ("2025-07-09T03:14:20Z", NAIVE),
        ("yesterday", None),
        (None, None),
        (True, None),
        (1e300, None),
    ],
)
def test_times_are_read_as_the_cli_prints_them(told: object, expected: datetime | None) -> None:
    """Seconds since 1970 or ISO 8601; anything else is no time, and no error."""
    assert moment(told) == expected


@pytest.mark.parametrize("label", ["HTTPCode_ELB_502_Count", f"{ELB} HTTPCode_ELB_502_Count", "HTTPCode_ELB_502_Count Sum"])
def test_a_label_names_its_metric(label: str) -> None:
    """The longest word that is written as metrics are, dimensions and statistics aside."""
    told = series("X", 3.0) | {"Label": label}
    view = MemoryView(answers={"get-metric-data": [told]})
    assert [point.value for point in points(view, "HTTPCode_ELB_502_Count")] == [3.0]
    assert points(view, "X") == []


@pytest.mark.parametrize("metric", ["5xxErrorRate", "502ErrorRate", "4XXError", "Throttles"])
@pytest.mark.parametrize("label", ["{}", "QuotesStack-QuotesFunctionHandler7A1BC2D3 {}", "E2EXAMPLE12345 {}"])
def test_a_label_ends_with_its_metric_whatever_the_resource_is_called(metric: str, label: str) -> None:
    """Names that begin with a status, and names of resources that are longer than the metric's and written as it is."""
    view = MemoryView(answers={"get-metric-data": [series("X", 3.0) | {"Label": label.format(metric)}]})
    assert [point.value for point in points(view, metric)] == [3.0]
    assert points(view, "Errors") == []


def test_statistics_give_a_point_for_each_that_is_there() -> None:
    """Sum and a percentile of one datapoint."""
    data = [{"Timestamp": MINUTE.isoformat() + "+00:00", "Sum": 4.0, "Unit": "Count", "ExtendedStatistics": {"p99": 61.5}}]
    view = MemoryView(answers={"get-metric-statistics": [{"Label": "TargetResponseTime", "Datapoints": data}]})
    assert {(point.statistic, point.value) for point in points(view, "TargetResponseTime")} == {("Sum", 4.0), ("p99", 61.5)}
    assert reading(view, "TargetResponseTime", [NAIVE]) is not None


@pytest.mark.parametrize(("seconds", "there"), [(0, True), (39, True), (40, False), (-21, False)])
def test_a_point_speaks_of_its_own_period(seconds: int, there: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The point of 03:14 covers 03:14:00 to 03:14:59, and NOW is 03:14:20."""
    view = MemoryView(answers={"get-metric-data": [series("HTTPCode_ELB_502_Count", 3.0)]})
    assert (reading(view, "HTTPCode_ELB_502_Count", [NAIVE + timedelta(seconds=seconds)]) is not None) is there


def test_the_period_follows_from_the_points() -> None:
    """Points five minutes apart cover five minutes each."""
    told = series("HTTPCode_ELB_502_Count", 3.0, 0.0)
    told["Timestamps"] = [(MINUTE - timedelta(minutes=4)).isoformat(), (MINUTE + timedelta(minutes=1)).isoformat()]
    view = MemoryView(answers={"get-metric-data": [told]})
    found = reading(view, "HTTPCode_ELB_502_Count", [NAIVE])
    assert found is not None
    assert found.peak == 3.0


def test_points_far_apart_are_rare_and_not_long() -> None:
    """A counter that was not zero in two minutes, thirty-seven minutes apart, says nothing of those between."""
    told = series("HTTPCode_ELB_502_Count", 3.0, 1.0)
    told["Timestamps"] = [(MINUTE - timedelta(minutes=7)).isoformat(), (MINUTE + timedelta(minutes=30)).isoformat()]
    view = MemoryView(answers={"get-metric-data": [told]})
    assert reading(view, "HTTPCode_ELB_502_Count", [NAIVE]) is None
    assert reading(view, "HTTPCode_ELB_502_Count", [NAIVE - timedelta(minutes=7)]) is not None


@pytest.mark.parametrize(
    ("metric", "values", "peak"),
    [
        ("SpilloverCount", {"SampleCount": 5.0, "Sum": 0.0}, 0.0),
        ("SpilloverCount", {"SampleCount": 5.0}, None),
        ("SpilloverCount", {"Minimum": 1.0}, 1.0),
        ("HealthyHostCount", {"Minimum": 0.0}, None),
        ("HealthyHostCount", {"Sum": 6.0, "Maximum": 2.0}, 2.0),
        ("TargetResponseTime", {"Sum": 64.0, "Average": 0.2}, 0.2),
    ],
)
def test_only_what_a_statistic_tells_is_taken_from_it(metric: str, values: dict[str, float], peak: float | None) -> None:
    """A number of samples is no number of failures, a least value no greatest, and a sum of times no time."""
    data = [{"Timestamp": MINUTE.isoformat() + "+00:00", "Unit": "Count"} | values]
    view = MemoryView(answers={"get-metric-statistics": [{"Label": metric, "Datapoints": data}]})
    found = reading(view, metric, [NAIVE])
    assert (found.peak if found else None) == peak


@pytest.mark.parametrize(("place", "there"), [("eu-west-1", True), ("123456789012/eu-west-1", True), ("us-east-1", False)])
def test_an_answer_of_another_region_is_not_this_balancers(place: str, there: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The path of an answer tells account and Region, and the target group's ARN those of the balancer."""
    view = MemoryView(answers={"get-metric-data": [series("HTTPCode_ELB_502_Count", 3.0)]})
    view.files = {"get-metric-data": f"aws/{place}/cloudwatch/get-metric-data.json"}
    assert (reading(view, "HTTPCode_ELB_502_Count", [NAIVE], [ELB, GROUP]) is not None) is there


@pytest.mark.parametrize(
    ("about", "there"),
    [("", True), (ELB, True), ("app/back/1111111111111111", False), ("targetgroup/api/73e2d6bc24d8a067", True)],
)
def test_the_metric_of_another_balancer_is_not_this_ones(about: str, there: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Where label or file name tell a balancer, it must be the one asked for."""
    view = MemoryView(answers={"get-metric-data": [series("HTTPCode_ELB_502_Count", 3.0, about=about)]})
    assert (reading(view, "HTTPCode_ELB_502_Count", [NAIVE], [ELB]) is not None) is there
    named = MemoryView(answers={"get-metric-data": [series("HTTPCode_ELB_502_Count", 3.0)]})
    named.files = {"get-metric-data": f"aws/cloudwatch/get-metric-data.{about.replace('/', '%2F')}.json"} if about else {}
    assert (reading(named, "HTTPCode_ELB_502_Count", [NAIVE], [ELB]) is not None) is there


def test_alarms_tell_the_points_that_led_to_their_state() -> None:
    """The points stand in StateReasonData, a JSON text in the answer."""
    data = {"period": 60, "evaluatedDatapoints": [{"timestamp": MINUTE.isoformat() + "+0000", "value": 7.0}]}
    alarm: dict[str, Any] = {
        "AlarmName": "front-5xx",
        "MetricName": "HTTPCode_ELB_5XX_Count",
        "Namespace": "AWS/ApplicationELB",
        "Dimensions": [{"Name": "LoadBalancer", "Value": ELB}],
        "Statistic": "Sum",
        "StateValue": "ALARM",
        "StateTransitionedTimestamp": NOW.isoformat(),
        "StateReasonData": json.dumps(data),
    }
    view = MemoryView(answers={"describe-alarms": [alarm, alarm | {"StateReasonData": "{"}, {"AlarmName": "composite"}]})
    found = points(view, "HTTPCode_ELB_5XX_Count")
    assert [(one.metric, one.value, one.dimensions) for one in found] == [("HTTPCode_ELB_5XX_Count", 7.0, (("LoadBalancer", ELB),))]


@pytest.mark.parametrize("answer", [{"Label": 7, "Timestamps": "x", "Values": {"a": 1}}, {}, {"Datapoints": [None, 3, {"Timestamp": []}]}])
def test_an_answer_of_another_shape_has_no_points(answer: dict[str, Any]) -> None:
    """Nothing that lies in a case may raise."""
    view = MemoryView(answers={"get-metric-data": [answer], "get-metric-statistics": [answer], "describe-alarms": [answer]})
    assert points(view, "") == []
