"""The same numbers lead to the same answer, whether an answer of CloudWatch tells them, a loose export, or a metric stream."""

from __future__ import annotations

import json
import shutil
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from kyumei.api import investigate
from kyumei.edge.metrics import paused, reading
from tests.rules.balancer_memory import ELB, GROUP, NOW, OTHER_GROUP, MemoryView

if TYPE_CHECKING:
    from collections.abc import Mapping

CASES = Path(__file__).parent / "cases"
NAIVE = NOW.replace(tzinfo=None)
MINUTE = NAIVE.replace(second=0)
OWN = {"LoadBalancer": ELB, "TargetGroup": GROUP.rpartition(":")[2]}
OTHERS = OWN | {"TargetGroup": OTHER_GROUP.rpartition(":")[2]}
ERRORS = "TargetConnectionErrorCount"


class Told(NamedTuple):
    """A case whose cause a metric proves: what is taken from it, the metric, its dimensions, and those of another thing."""

    case: str
    without: str
    metric: str
    namespace: str
    own: Mapping[str, str]
    other: Mapping[str, str]
    minute: datetime
    total: float
    code: str


BALANCER = {"LoadBalancer": "app/shop/0a1b2c3d4e5f6071"}
TOLD = (
    Told(
        "clb_503_surge_queue",
        "",
        "SpilloverCount",
        "AWS/ELB",
        {"LoadBalancerName": "orders"},
        {"LoadBalancerName": "blog"},
        datetime(2024, 11, 28, 8, 15, tzinfo=UTC),
        8.0,
        "EDGE-083",
    ),
    Told(
        "alb_502_target_refuses",
        "aws/elbv2",
        ERRORS,
        "AWS/ApplicationELB",
        BALANCER | {"TargetGroup": "targetgroup/web/1122334455667788"},
        BALANCER | {"TargetGroup": "targetgroup/api/99aabbccddeeff00"},
        datetime(2025, 5, 14, 8, 40, tzinfo=UTC),
        9.0,
        "EDGE-035",
    ),
    Told(
        "alb_502_function_throttled",
        "",
        "LambdaUserError",
        "AWS/ApplicationELB",
        BALANCER,
        {"LoadBalancer": "app/intern/ffeeddccbbaa9988"},
        datetime(2025, 11, 12, 7, 29, tzinfo=UTC),
        5.0,
        "EDGE-065",
    ),
)


def record(metric: str, dimensions: Mapping[str, str], time: datetime, total: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a record
    """One record of a metric stream: as many samples as the total, each of one."""
    value = {"max": min(total, 1.0), "min": 0.0, "sum": total, "count": max(total, 1.0)}
    return {
        "metric_stream_name": "all",
        "account_id": "123456789012",
        "region": "eu-central-1",
        "namespace": "AWS/ApplicationELB",
        "metric_name": metric,
        "dimensions": dict(dimensions),
        "timestamp": int(time.timestamp() * 1000),
        "value": value,
        "unit": "Count",
    } | more


def stream(told: Told, dimensions: Mapping[str, str], total: float) -> str:
    """Five minutes of the metric in a stream, between what other services and a program of the same account report."""
    lines: list[dict[str, Any]] = []
    for number in range(5):
        time = told.minute + timedelta(minutes=number)
        lines += [
            record("RequestCount", dimensions, time, 40.0, namespace=told.namespace),
            record(told.metric, dimensions, time, total, namespace=told.namespace),
            record(told.metric, {}, time, 99.0, namespace="Shop"),
            record("CPUUtilization", {"InstanceId": "i-0123456789abcdef0"}, time, 7.0, namespace="AWS/EC2", unit="Percent"),
        ]
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def loose(told: Told) -> str:
    """The metric as get-metric-statistics answers it, kept under a name of the person's own."""
    stamps = [(told.minute + timedelta(minutes=number)).isoformat() for number in range(5)]
    points = [{"Timestamp": stamp, "Sum": told.total, "Unit": "Count"} for stamp in stamps]
    return json.dumps({"Label": told.metric, "Datapoints": points}, indent=4)


def first(told: Told, folder: Path, files: Mapping[str, str] | None) -> tuple[str, str]:
    """Code and certainty of the first finding, with these files instead of the case's answers of CloudWatch; null leaves the answers."""
    case = folder / "case"
    shutil.copytree(CASES / told.case / "case", case)
    if told.without:
        shutil.rmtree(case / told.without)
    if files is not None:
        shutil.rmtree(case / "aws" / "cloudwatch")
    for name, text in (files or {}).items():
        (case / name).write_text(text)
    asked = tomllib.loads((CASES / told.case / "case-expected.toml").read_text())
    found = investigate(case, asked["symptom"], now=asked["now"], cache=folder / "cache").findings[0]
    return found.code, str(found.certainty)


@pytest.mark.parametrize("told", TOLD, ids=lambda told: told.case)
def test_a_stream_and_a_loose_answer_prove_what_the_stored_answer_proves(told: Told, tmp_path: Path) -> None:
    """Guilty: the metric of that very balancer or target group was above zero in those minutes."""
    assert first(told, tmp_path / "answer", None) == (told.code, "proven")
    assert first(told, tmp_path / "stream", {"all-2-part.json": stream(told, told.own, told.total)}) == (told.code, "proven")
    assert first(told, tmp_path / "loose", {"spill.json": loose(told)}) == (told.code, "proven")


@pytest.mark.parametrize("told", TOLD, ids=lambda told: told.case)
def test_a_stream_of_other_things_proves_nothing(told: Told, tmp_path: Path) -> None:
    """Innocent: the metric of something else was above zero, or its own had samples that were all zero."""
    silent = first(told, tmp_path / "none", {})
    assert silent[1] != "proven"
    assert first(told, tmp_path / "other", {"all-2-part.json": stream(told, told.other, told.total)}) == silent
    assert first(told, tmp_path / "zero", {"all-2-part.json": stream(told, told.own, 0.0)})[1] != "proven"


def streamed(*records: Mapping[str, Any]) -> MemoryView:
    """A view with these records of metric streams."""
    view = MemoryView()
    for one in records:
        value, more = one["value"], {name: one["value"][name] for name in one["value"] if name.startswith("p")}
        told = {
            "metric": one["metric_name"],
            "dimensions": json.dumps(one["dimensions"]),
            "time": datetime.fromtimestamp(one["timestamp"] / 1000, UTC),
        }
        told["time"] = told["time"].replace(tzinfo=None)
        values = {"minimum": value["min"], "maximum": value["max"], "sum": value["sum"], "sample_count": value["count"]}
        place = {"account": one["account_id"], "metric_stream": one["metric_stream_name"]}
        extra = {"_extra": json.dumps({"value": more})} if more else {}
        view.store("metric", told | values | place | extra | {name: one[name] for name in ("namespace", "unit", "region")})
    return view


def at(minutes: int = 0) -> datetime:
    """The start of NOW's minute, so many minutes later."""
    return NOW.replace(second=0) + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("dimensions", "more", "peak"),
    [
        (OWN, {}, 4.0),
        ({"LoadBalancer": ELB}, {}, 4.0),
        (OWN, {"timestamp": int(at(-1).timestamp() * 1000)}, None),
        (OTHERS, {}, None),
        ({"LoadBalancer": "net/front/50dc6c495c0c9188"}, {}, None),
        ({"LoadBalancerName": "front"}, {"namespace": "AWS/ELB"}, None),
        (OWN, {"namespace": "Shop"}, None),
        (OWN, {"account_id": "210987654321"}, None),
        (OWN, {"region": "us-east-1"}, None),
    ],
)
def test_whose_metric_a_record_is(dimensions: Mapping[str, str], more: Mapping[str, Any], peak: float | None) -> None:
    """Balancer, target group, namespace, account, Region and minute must be those asked for."""
    view = streamed(record(ERRORS, dimensions, at(), 4.0, region="eu-west-1") | dict(more))
    found = reading(view, ERRORS, [NAIVE], [ELB, GROUP])
    assert (found.peak if found else None) == peak


def test_the_group_is_told_apart_from_its_balancer() -> None:
    """The balancer's number is made of all its groups': where one of them is told, it says nothing of another."""
    whole = record(ERRORS, {"LoadBalancer": ELB}, at(), 4.0, region="eu-west-1")
    view = streamed(whole, record(ERRORS, OTHERS, at(), 4.0, region="eu-west-1"))
    assert reading(view, ERRORS, [NAIVE], [ELB, GROUP]) is None
    assert reading(view, ERRORS, [NAIVE], [ELB]) is not None
    view = streamed(whole, record(ERRORS, OWN, at(), 0.0, region="eu-west-1"))
    found = reading(view, ERRORS, [NAIVE], [ELB, GROUP])
    assert found is not None
    assert found.peak == 0.0


def test_the_sum_of_times_is_no_time() -> None:
    """Four hundred fast answers sum up to a minute; the slowest took two seconds. Percentiles count."""
    fast = record("TargetResponseTime", OWN, at(), 0.0, region="eu-west-1", unit="Seconds")
    fast["value"] = {"max": 2.0, "min": 0.01, "sum": 64.0, "count": 400.0, "p99": 1.5}
    found = reading(streamed(fast), "TargetResponseTime", [NAIVE], [ELB, GROUP])
    assert found is not None
    assert found.peak == 2.0
    assert {(one.statistic, one.value) for one in found.points} == {("Maximum", 2.0), ("Average", 0.16), ("p99", 1.5)}


def test_a_name_that_two_regions_have_tells_nothing() -> None:
    """A Classic Load Balancer's name is its own in one Region only."""
    here = record("SpilloverCount", {"LoadBalancerName": "orders"}, at(), 3.0, namespace="AWS/ELB")
    assert reading(streamed(here), "SpilloverCount", [NAIVE], ["orders"]) is not None
    assert reading(streamed(here, here | {"region": "us-east-1"}), "SpilloverCount", [NAIVE], ["orders"]) is None
    several = record("SpilloverCount", {"LoadBalancerName": "blog"}, at(), 3.0, namespace="AWS/ELB")
    assert reading(streamed(here, several), "SpilloverCount", [NAIVE]) is None


def test_a_pause_is_one_only_where_the_stream_went_on() -> None:
    """HealthyHostCount before and after and not in the minute itself, while another metric of the balancer was delivered."""
    hosts = [record("HealthyHostCount", OWN, at(number), 2.0, region="eu-west-1") for number in (-2, -1, 1, 2)]
    other = record("RequestCount", {"LoadBalancer": ELB}, at(), 90.0, region="eu-west-1")
    assert paused(streamed(*hosts, other), "HealthyHostCount", [NAIVE], [ELB, GROUP])
    assert not paused(streamed(*hosts), "HealthyHostCount", [NAIVE], [ELB, GROUP])
    assert not paused(streamed(*hosts[:2], other), "HealthyHostCount", [NAIVE], [ELB, GROUP])
    there = record("HealthyHostCount", OWN, at(), 2.0, region="eu-west-1")
    assert not paused(streamed(*hosts, other, there), "HealthyHostCount", [NAIVE], [ELB, GROUP])


def test_the_best_point_is_cited_first() -> None:
    """Each record stands on a line of its own."""
    view = streamed(*(record(ERRORS, OWN, at(number), float(number), region="eu-west-1") for number in range(1, 7)))
    found = reading(view, ERRORS, [NAIVE + timedelta(minutes=number) for number in range(1, 7)], [ELB, GROUP])
    assert found is not None
    assert [one.line for one in found.citations] == [6, 5, 4]


def test_a_distributions_metric_is_its_own() -> None:
    """The metrics of all distributions of an account come in one stream; those of functions name distribution and function."""
    where = {"namespace": "AWS/CloudFront", "region": "us-east-1"}
    one = record(
        "FunctionExecutionErrors", {"DistributionId": "E1ABCDEFGHIJKL", "FunctionName": "auth", "Region": "Global"}, at(), 2.0, **where
    )
    view = streamed(one)
    assert reading(view, "FunctionExecutionErrors", [NAIVE], ["E1ABCDEFGHIJKL"]) is not None
    assert reading(view, "FunctionExecutionErrors", [NAIVE], ["E2ABCDEFGHIJKL"]) is None
    assert reading(view, "FunctionExecutionErrors", [NAIVE]) is None


@pytest.mark.parametrize(
    ("during", "about", "verdict", "sure"),
    [
        (0.0, "targetgroup/pay/99aabbccddeeff00", "cause_found", "proven"),
        (None, "targetgroup/pay/99aabbccddeeff00", "cause_found", "proven"),
        (2.0, "targetgroup/pay/99aabbccddeeff00", "cannot_tell", "possible"),
        (0.0, "targetgroup/web/1122334455667788", "cause_found", "likely"),
    ],
    ids=["none", "pause", "two", "of-another-group"],
)
def test_the_hosts_of_a_group_are_told_by_a_stream(during: float | None, about: str, verdict: str, sure: str, tmp_path: Path) -> None:
    """None counted, or none reported while the stream went on, proves an empty group; two counted speak against it."""
    case, balancer = tmp_path / "case", {"LoadBalancer": "app/shop/0a1b2c3d4e5f6071"}
    shutil.copytree(CASES / "alb_503_empty_group" / "case", case)
    shutil.rmtree(case / "aws")
    lines = []
    for number in range(55, 75):
        time = datetime(2025, 8, 21, 3, tzinfo=UTC) + timedelta(minutes=number)
        hosts = during if number in {63, 64} else 2.0
        lines.append(record("RequestCount", balancer, time, 30.0))
        if hosts is not None:
            value = {"max": hosts, "min": hosts, "sum": 3 * hosts, "count": 3.0}
            lines.append(record("HealthyHostCount", balancer | {"TargetGroup": about}, time, hosts) | {"value": value})
    (case / "all-1.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = tomllib.loads((CASES / "alb_503_empty_group" / "case-expected.toml").read_text())
    found = investigate(case, asked["symptom"], now=asked["now"], cache=tmp_path / "cache")
    assert (str(found.verdict), found.findings[0].code, str(found.findings[0].certainty)) == (verdict, "EDGE-039", sure)
