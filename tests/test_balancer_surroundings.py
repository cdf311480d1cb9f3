"""What stands around a load balancer: answers stored for another Region or account, zones without a target, hosts and protocols."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kyumei.model.symptom import Symptom
from tests.rules.balancer_memory import ELB, GROUP, NOW, MemoryView, ask, findings, health, row, served
from tests.rules.edge_memory import EdgeView
from tests.rules.edge_memory import ask as ask_one

NO_TARGET: dict[str, Any] = {"times": "-1 -1 -1", "status": "503", "target": "-"}
WAITED: dict[str, Any] = {"times": "0.001 30.000 -1", "status": "504", "wall": 30.002}
UNUSED = [health("10.0.3.7", "unused", "Target.NotInUse")]
HERE, ELSEWHERE = "aws/123456789012/eu-west-1", ("aws/123456789012/us-west-2", "aws/210987654321/eu-west-1", "aws/us-west-2")
ARN = f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/{ELB}"


@pytest.mark.parametrize(("place", "proven"), [(HERE, True), ("aws/eu-west-1", True), ("aws", True), *((one, False) for one in ELSEWHERE)])
def test_targets_of_a_group_of_the_same_name_elsewhere_are_others(place: str, proven: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Names are used again in other Regions and accounts; an answer that was stored for one of those tells nothing of this group."""
    view = MemoryView(
        answers={"describe-target-health": UNUSED}, files={"describe-target-health": f"{place}/elbv2/describe-target-health.api.json"}
    )
    view.failed(row(view, **NO_TARGET))
    assert ("EDGE-039", "proven" if proven else "likely") in findings(view)
    assert any("Target.NotInUse" in one.says for one in ask(view)["load_balancer_target_failed"].findings[0].chain) is proven


@pytest.mark.parametrize(("place", "excluded"), [(HERE, True), *((one, False) for one in ELSEWHERE)])
def test_the_idle_timeout_of_a_balancer_of_the_same_name_elsewhere_is_another(place: str, excluded: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """All wait thirty seconds: the timeout of this balancer, whatever another of its name is set to."""
    view = MemoryView(answers={"describe-load-balancer-attributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "120"}]})
    view.files = {"describe-load-balancer-attributes": f"{place}/elbv2/describe-load-balancer-attributes.front.json"}
    view.failed(*(row(view, **WAITED, path=f"/r/{number}", after=float(number)) for number in range(4)))
    assert findings(view) == ([] if excluded else [("EDGE-041", "likely")])


BOTH = ("eu-west-1a", "eu-west-1b")


def zones(cross_zone: str | None, of_targets: tuple[str, ...], of_nodes: tuple[str, ...] = BOTH) -> MemoryView:
    """A group with healthy targets in these zones that serves between the failures; cross-zone load balancing as told."""
    states = [health(f"10.0.3.{7 + number}", "healthy") for number, _ in enumerate(of_targets)]
    for state, zone in zip(states, of_targets, strict=True):
        state["Target"] |= {"AvailabilityZone": zone} if zone else {}
    view = MemoryView(answers={"describe-target-health": states})
    view.answers["describe-load-balancers"] = [{"LoadBalancerArn": ARN, "AvailabilityZones": [{"ZoneName": zone} for zone in of_nodes]}]
    if cross_zone is not None:
        view.answers["describe-target-group-attributes"] = [{"Key": "load_balancing.cross_zone.enabled", "Value": cross_zone}]
    served(view, 6)
    return view.failed(row(view, **NO_TARGET, after=-20), row(view, **NO_TARGET, after=20))


@pytest.mark.parametrize(
    ("cross_zone", "of_targets", "of_nodes", "found"),
    [
        ("false", ("eu-west-1a", "eu-west-1a"), BOTH, [("EDGE-039", "likely")]),
        # The zones of the targets are not told: the setting alone leaves it open.
        ("false", ("",), BOTH, [("EDGE-039", "possible")]),
        ("false", ("all",), BOTH, [("EDGE-039", "possible")]),
        ("false", BOTH, BOTH, []),
        ("true", ("eu-west-1a",), BOTH, []),
        ("use_load_balancer_configuration", ("eu-west-1a",), BOTH, []),
        (None, ("eu-west-1a",), BOTH, []),
        ("false", ("eu-west-1a",), ("eu-west-1a",), []),
    ],
)
def test_a_zone_without_a_target_fails_alone_where_nodes_keep_to_their_zone(
    cross_zone: str | None, of_targets: tuple[str, ...], of_nodes: tuple[str, ...], found: list[tuple[str, str]]
) -> None:
    """Healthy targets exclude an empty group, unless each node asks only those of its own zone and one zone has none."""
    view = zones(cross_zone, of_targets, of_nodes)
    assert findings(view) == found
    opinion = ask(view)["load_balancer_target_failed"]
    if found == [("EDGE-039", "likely")]:
        assert "its node in eu-west-1b has no target" in opinion.findings[0].title
        assert any("load_balancing.cross_zone.enabled,Value=true" in one for fix in opinion.findings[0].remedy for one in fix.commands)
    elif cross_zone is None:
        assert [gap.missing for gap in opinion.gaps] == ["zones of the load balancer and of its targets"]


@pytest.mark.parametrize(("other", "sure"), [("eu-west-1a", "likely"), ("eu-west-1b", "possible")])
def test_an_address_that_another_network_uses_too_tells_no_zone(other: str, sure: str) -> None:
    """Private addresses are used again: which of the two interfaces is the target's, nothing tells."""
    view = zones("false", ("",))
    found = [{"PrivateIpAddress": "10.0.3.7", "AvailabilityZone": zone} for zone in (other, "eu-west-1a")]
    view.answers["describe-network-interfaces"] = found
    assert findings(view) == [("EDGE-039", sure)]


def test_a_group_that_answered_nobody_is_not_of_one_zone_only() -> None:
    """With no request served in between, cross-zone load balancing explains no more than the group's state does."""
    view = zones("false", ("eu-west-1a",))
    view.con.execute("DELETE FROM alb_access WHERE status = 200")
    assert findings(view) == []


DEFAULT: dict[str, Any] = {"target": "-", "times": "-1 -1 -1", "actions": "fixed-response", "status": "404", "priority": "0", "group": "-"}


@pytest.mark.parametrize(
    ("others", "by_host"),
    [
        ([{"host": "shop.example.com"}] * 4, True),
        # The same host is forwarded for another path: it is the path that no rule takes.
        ([{"host": "shop.example.com"}] * 4 + [{"host": "www.example.com", "path": "/other"}], False),
        ([{"host": "shop.example.com"}] * 3 + [{"host": "b.example.com"}], False),
        ([{"host": "shop.example.com", "path": "/other"}] * 4, False),
        ([{"host": "shop.example.com"}] * 2, False),
    ],
)
def test_a_host_that_no_rule_takes_is_told_from_a_path_that_none_does(others: list[dict[str, Any]], by_host: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The narrow change is a condition on the host where the very path is forwarded for another one."""
    view = MemoryView()
    for number, more in enumerate(others):
        row(view, **({"status": "200", "target_status": "200", "after": -60.0 + number} | more))
    view.failed(row(view, **DEFAULT, host="www.example.com"))
    assert findings(view) == [("EDGE-003", "likely")]
    (finding,) = ask(view)["load_balancer_answered"].findings
    commands = " ".join(finding.remedy[0].commands)
    assert ("Field=host-header,Values=www.example.com" in commands and GROUP in commands) is by_host
    assert ("Field=path-pattern,Values=/orders" in commands) is not by_host


@pytest.mark.parametrize(("kind", "version", "client"), [("grpcs", "HTTP/2.0", True), ("https", "HTTP/1.1", False), (None, "", False)])
def test_a_group_that_answers_others_is_not_the_one_to_change(kind: str | None, version: str, client: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """464 of one client, while the same group answers those that speak its protocol: a new group would break them."""
    view = MemoryView()
    for number in range(5 if kind else 0):
        row(view, kind=kind, version=version, method="POST", path="/shop.Cart/Get", status="200", target_status="200", after=-9.0 - number)
    refused = {"status": "464", "target": "-", "times": "-1 -1 -1", "method": "POST", "path": "/shop.Cart/Get"}
    view.failed(row(view, **refused))
    (finding,) = ask(view)["load_balancer_rejected"].findings
    assert (finding.code, finding.certainty.value) == ("EDGE-032", "likely")
    assert (finding.layer == "client") is client
    assert finding.remedy[0].says.startswith("Let this client speak gRPC") is client


@pytest.mark.parametrize("setting", [False, True])
def test_the_row_of_a_classic_balancer_is_no_proof_of_itself(setting: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """504 after sixty seconds with an instance: likely; the idle timeout as configured agrees and proves it."""
    told = {"time": NOW.replace(tzinfo=None), "elb": "shop-classic", "client_ip": "203.0.113.9", "method": "GET", "path": "/export.csv"}
    waited = {"status": 504, "target_ip": "10.0.3.7", "target_port": 8080, "target_seconds": 60.002}
    view = EdgeView().add("clb_access", told | waited)
    if setting:
        view.answers["describe-load-balancer-attributes"] = [{"ConnectionSettings": {"IdleTimeout": 60}}]
    opinion = ask_one(view.failing("clb", "clb_access", path="/export.csv", status=504), "classic_balancer_answered")
    assert [(one.code, one.certainty.value) for one in opinion.findings] == [("EDGE-083", "proven" if setting else "likely")]


@pytest.mark.parametrize("path", [None, "/orders"])
def test_the_query_behind_the_first_sentence_finds_as_many_as_it_says(path: str | None) -> None:
    """A failure holds its nearest rows only, and counts all; what is run again must find all of them, and nothing of other paths."""
    view = MemoryView(symptom=Symptom(path=path))
    rows = [row(view, **NO_TARGET, after=-number / 2, client=f"203.0.113.{number}") for number in range(60)]
    if path:
        row(view, **NO_TARGET, path="/other", after=-1.25)
    view.failed(*rows[:50])
    view.failures = (replace(view.failures[0], total=60),)
    first = ask(view)["load_balancer_target_failed"].findings[0].chain[0]
    assert first.total == len(view.rows(first.sql)) == 60
