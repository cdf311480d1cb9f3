"""Evidence that is somebody else's though address, name or second are the same: another account, a later task, what was given back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests import test_balancer_evidence as balancer
from tests import test_database_evidence as database
from tests import test_function_evidence as function
from tests.rules.balancer_memory import GROUP, NOW, MemoryView, findings, row
from tests.rules.edge_memory import EdgeView, after, ask, codes

INTERFACES: list[dict[str, Any]] = [*balancer.NODES["describe-network-interfaces"], balancer.INTERFACE]
BOTH = {"describe-network-interfaces": INTERFACES}
VPC = {"describe-target-groups": [{"TargetGroupArn": GROUP, "VpcId": "vpc-0a"}]}


@pytest.mark.parametrize(
    ("answers", "more", "sure"),
    [
        (balancer.NODES, {"account": "123456789012"}, "proven"),
        (balancer.NODES, {"account": "999999999999"}, "possible"),
        (balancer.NODES | VPC, {"vpc": "vpc-0a"}, "proven"),
        (balancer.NODES | VPC, {"vpc": "vpc-0b"}, "possible"),
        (BOTH, {"interface": "eni-0a"}, "proven"),
        (BOTH, {"interface": "eni-0b"}, "proven"),
        (BOTH, {"interface": "eni-0f"}, "possible"),
    ],
)
def test_a_flow_log_of_another_network_with_the_same_addresses_proves_nothing(
    answers: dict[str, Any], more: dict[str, Any], sure: str
) -> None:
    """Two VPCs with 10.0.0.0/16: the account, the VPC or the interface of the record tells them apart."""
    view = MemoryView(answers=answers)
    balancer.flow(view, action="REJECT", **more)
    view.failed(row(view, **balancer.SILENT))
    assert findings(view) == [("EDGE-040", sure)]


def test_what_another_network_let_through_excludes_nothing() -> None:
    """A connection between the same addresses in another account."""
    view = MemoryView(answers=balancer.NODES)
    balancer.flow(view, tcp_flags=3, packets=9, bytes=4000, account="999999999999")
    balancer.flow(view, back=True, tcp_flags=19, packets=7, bytes=9000, account="999999999999")
    view.failed(row(view, **balancer.SILENT))
    assert findings(view) == [("EDGE-040", "possible")]


def _service(name: str) -> dict[str, Any]:
    return {"serviceName": name, "clusterArn": f"{balancer.ARN}:cluster/shop", "loadBalancers": [{"targetGroupArn": GROUP}]}


@pytest.mark.parametrize(
    ("answers", "more", "sure"),
    [
        ({}, {"task_arn": "arn:aws:ecs:eu-west-1:999999999999:task/shop/0f"}, "possible"),
        ({}, {"task_arn": "arn:aws:ecs:us-east-1:123456789012:task/shop/0f"}, "possible"),
        ({"describe-services": [_service("web")]}, {}, "proven"),
        ({"describe-services": [_service("web")]}, {"service_name": "nightly"}, "possible"),
        ({"describe-services": [_service("web")]}, {"service_name": None}, "proven"),
    ],
)
def test_a_task_of_another_account_region_or_service_stopped_for_itself(answers: dict[str, Any], more: dict[str, Any], sure: str) -> None:
    """The address is the target's, and the task is not one of its target group."""
    view = MemoryView(answers=answers)
    balancer.task(view, **more)
    view.failed(row(view, **balancer.DIED))
    assert findings(view) == [("EDGE-037", sure)]


@pytest.mark.parametrize(
    ("good", "sure"),
    [({"after": -60.0}, "possible"), ({"after": -60.0, "target": "10.0.3.9:8080"}, "proven"), ({"after": -400.0}, "proven")],
)
def test_an_address_that_answered_since_the_stop_is_another_tasks(good: dict[str, Any], sure: str) -> None:
    """EDGE-035: the address was given to a new task, which is the one that refuses."""
    view = MemoryView()
    balancer.task(view, began=-310.0, ended=-300.0)
    row(view, status="200", target_status="200", **good)
    view.failed(row(view, **balancer.REFUSED))
    assert findings(view) == [("EDGE-035", sure)]


def test_the_stop_that_is_told_is_one_that_fits() -> None:
    """An earlier task at the address stopped, too; its successor answered, and stopped when the requests failed."""
    view = MemoryView()
    balancer.task(view, began=-310.0, ended=-300.0)
    row(view, status="200", target_status="200", after=-200.0)
    task = f"{balancer.ARN}:task/shop/5e6f7a8b"
    stopped = NOW + timedelta(seconds=-30.0)
    detail = {"taskArn": task, "stoppingAt": stopped.isoformat(), "executionStoppedAt": stopped.isoformat()}
    balancer.task(view, ended=-30.0, task_arn=task, detail=json.dumps(detail))
    view.failed(row(view, **balancer.REFUSED))
    assert findings(view) == [("EDGE-035", "proven")]
    assert [one.says.split()[4] for one in balancer.told(view)[0].chain if "ECS stopped" in one.says] == ["5e6f7a8b"]


def _rule(source: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any parameter
    return {"groupId": "sg-0aa", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 8080, "toPort": 8080} | source]}} | more


BALANCERS = {"groups": {"items": [{"groupId": "sg-0elb"}]}}
OFFICE = {"ipRanges": {"items": [{"cidrIp": "203.0.113.0/24"}]}}
NETWORK = {"ipRanges": {"items": [{"cidrIp": "10.0.0.0/16"}]}}
NODE = {**INTERFACES[0], "Groups": [{"GroupId": "sg-0elb"}]}


@pytest.mark.parametrize(
    ("source", "back", "sure"),
    [
        (BALANCERS, None, "likely"),
        (NETWORK, None, "likely"),
        (OFFICE, None, "possible"),
        ({"groups": {"items": [{"groupId": "sg-0cc"}]}}, None, "possible"),
        (BALANCERS, (BALANCERS, -20.0), "possible"),
        (BALANCERS, (NETWORK, -20.0), "likely"),
        (BALANCERS, (BALANCERS, -40.0), "likely"),
        (BALANCERS, (BALANCERS, 30.0), "likely"),
    ],
)
def test_a_rule_of_somebody_else_or_one_given_back_lets_the_balancer_in(
    source: dict[str, Any], back: tuple[dict[str, Any], float] | None, sure: str
) -> None:
    """EDGE-040: only the rule that named the balancer's group or network, and only where it stayed away until the requests failed."""
    view = MemoryView(answers={"describe-network-interfaces": [NODE, balancer.INTERFACE]})
    row(view, status="200", target_status="200", after=-120.0)
    balancer.call(view, "RevokeSecurityGroupIngress", _rule(source))
    if back is not None:
        balancer.call(view, "AuthorizeSecurityGroupIngress", _rule(back[0]), after=back[1])
    view.failed(row(view, **balancer.SILENT))
    assert findings(view) == [("EDGE-040", sure)]


@pytest.mark.parametrize(
    ("more", "sure"),
    [
        ({}, "likely"),
        ({"cidrBlock": "10.0.1.0/24", "aclProtocol": "-1"}, "likely"),
        ({"cidrBlock": "203.0.113.7/32"}, "possible"),
        ({"aclProtocol": "17"}, "possible"),
        ({"ruleAction": "allow"}, "possible"),
    ],
)
def test_an_entry_of_a_network_acl_against_somebody_else_shuts_no_balancer_out(more: dict[str, Any], sure: str) -> None:
    """EDGE-040: who blocks a scanner's address in the target's subnet does not block the balancer."""
    acl = {"NetworkAclId": "acl-0a", "Associations": [{"SubnetId": "subnet-1"}]}
    view = MemoryView(answers=BOTH | {"describe-network-acls": [acl]})
    row(view, status="200", target_status="200", after=-120.0)
    asked = {
        "networkAclId": "acl-0a",
        "ruleNumber": 90,
        "egress": False,
        "ruleAction": "deny",
        "aclProtocol": "6",
        "cidrBlock": "0.0.0.0/0",
    }
    balancer.call(view, "CreateNetworkAclEntry", asked | more)
    view.failed(row(view, **balancer.SILENT))
    assert findings(view) == [("EDGE-040", sure)]


@pytest.mark.parametrize(("troubles", "sure"), [(0, "likely"), (1, "likely"), (5, "possible")])
def test_what_fails_every_other_hour_was_not_begun_by_a_change(troubles: int, sure: str) -> None:
    """A change that happens to lie before the latest of many like troubles."""
    view = MemoryView(answers={"describe-network-interfaces": [balancer.INTERFACE]})
    for number in range(troubles):
        row(view, **balancer.SILENT, after=-7200.0 * (number + 1))
    row(view, status="200", target_status="200", after=-120.0)
    balancer.call(view, "RevokeSecurityGroupIngress", balancer.REVOKED)
    view.failed(row(view, **balancer.SILENT))
    assert findings(view) == [("EDGE-040", sure)]


@pytest.mark.parametrize(
    ("registered", "after", "sure"),
    [
        (None, 0.0, "proven"),
        ((balancer.TARGET, "10.0.3.9"), -10.0, "likely"),
        (("10.0.3.20", "10.0.3.21"), -60.0, "likely"),
    ],
)
def test_a_group_with_other_targets_is_not_empty(registered: tuple[str, ...] | None, after: float, sure: str) -> None:
    """EDGE-039: the targets were registered again, or others in their place."""
    view = MemoryView()
    for address in (balancer.TARGET, "10.0.3.9"):
        row(view, status="200", target_status="200", after=-120.0, target=f"{address}:{balancer.PORT}")
    asked = {"targetGroupArn": GROUP, "targets": [{"id": one} for one in (balancer.TARGET, "10.0.3.9")]}
    balancer.call(view, "DeregisterTargets", asked)
    if registered:
        balancer.call(view, "RegisterTargets", {"targetGroupArn": GROUP, "targets": [{"id": one} for one in registered]}, after=after)
    view.failed(row(view, **balancer.EMPTY))
    assert findings(view) == [("EDGE-039", sure)]


@pytest.mark.parametrize(
    ("registered", "back", "sure"), [(True, None, "proven"), (True, "AddPermission20150331v2", "likely"), (False, None, "likely")]
)
def test_a_permission_that_was_given_back_is_no_cause(registered: bool, back: str | None, sure: str) -> None:  # noqa: FBT001 - a parameter of the test
    """EDGE-062: CloudTrail has the call that took the permission, and the one that gave it back."""
    view = MemoryView(answers=function.REGISTERED if registered else {})
    shape = {"status": "200", "target": "-", "times": "0.001 0.050 0.000"}
    row(view, **shape, after=-60.0)
    at = function.NAIVE - timedelta(seconds=30)
    function.called(view, "RemovePermission20150331v2", {"functionName": "orders", "statementId": "alb"}, at=at)
    if back:
        function.called(view, back, {"functionName": "orders", "statementId": "alb2"}, at=at + timedelta(seconds=10))
    view.failed(row(view, **function.UNHANDLED | {"reason": "LambdaAccessDenied"}))
    assert findings(view) == [("EDGE-062", sure)]


def test_the_only_functions_log_of_the_folder_need_not_be_the_targets() -> None:
    """EDGE-064: nothing tells which function was called; a run that failed in that second may be another one's."""
    for registered, sure in ((True, "proven"), (False, "likely")):
        view = MemoryView(answers=function.REGISTERED if registered else {})
        function.timeout(view, function_name="orders")
        view.failed(row(view, **function.UNHANDLED))
        assert findings(view) == [("EDGE-064", sure)]


TIMES = (-0.1, 4.9, 9.9, 14.9)


@pytest.mark.parametrize(
    "lines",
    [
        [database.postgres(at, "statement: INSERT INTO errors VALUES ('deadlock detected, OperationalError')") for at in TIMES],
        [database.postgres(at, "execute <unnamed>", statement="INSERT INTO errors VALUES ('too many connections')") for at in TIMES],
        database.refusals(*(-1800 + 3 * number for number in range(610))),
    ],
)
def test_what_a_statement_says_or_the_database_always_does_refuses_no_request(lines: list[dict[str, Any]]) -> None:
    """EDGE-001: words in a client's SQL; refusals that come every three seconds, also while all requests went well, before all failed."""
    well = tuple(-1500.0 + 20 * number for number in range(70))
    opinion = ask(database.failed(*lines, well=well), "database_refused")
    assert codes(opinion) == []


def test_where_all_requests_failed_the_quiet_before_speaks_for_the_cause() -> None:
    """The database's log goes back far enough, and has no refusal while requests went well."""
    lines = [database.postgres(-1600.0, "checkpoint starting: time"), *database.refusals(*TIMES)]
    opinion = ask(database.failed(*lines, well=tuple(-1500.0 + 20 * number for number in range(70))), "database_refused")
    assert codes(opinion) == [("EDGE-001", "proven")]
    assert "beside 0 of 35 that went well" in opinion.findings[0].chain[1].says


def test_without_requests_that_went_well_none_are_counted() -> None:
    """A sentence about none of none tells nothing."""
    opinion = ask(database.failed(*database.refusals(*TIMES), well=()), "database_refused")
    assert codes(opinion) == [("EDGE-001", "likely")]
    assert "went well" not in opinion.findings[0].chain[1].says


@pytest.mark.parametrize(("before", "found"), [(0, [("EDGE-001", "likely")]), (30, [])])
def test_errors_that_always_name_the_database_tell_nothing_of_its_restart(before: int, found: list[tuple[str, str]]) -> None:
    """A job that fails at every minute, also while all requests go well, and a restart that RDS tells of."""
    view = EdgeView().add("alb_access", database.request(0.0, status=500, target_status=500))
    error = {"level": "ERROR", "message": f"OperationalError: could not connect to {database.ENDPOINT}"}
    view.add("app_log", {"time": after(-0.2)} | error)
    view.add("rds_event", {"time": after(-45), "resource": "shop-db", "message": "DB instance restarted"})
    for number in range(before):
        view.add("alb_access", database.request(-60.0 * (number + 1), path="/items"))
        view.add("app_log", {"time": after(-60.0 * (number + 1) + 0.5)} | error)
    opinion = ask(view.failing("target", "alb_access", path=database.PATH, status=500), "database_refused")
    assert codes(opinion) == found


@pytest.mark.parametrize(("kept", "found"), [(True, False), (False, True)])
def test_an_error_that_came_with_good_answers_before_is_not_why_all_failed(kept: bool, found: bool) -> None:  # noqa: FBT001 - parameters of the test
    """Each request ends with a harmless error; where all fail for minutes, only what was before tells that."""
    view = EdgeView().add("alb_access", *(database.request(at, status=500, target_status=500) for at in (0.0, 5.0, 10.0, 15.0)))
    view.add("alb_access", *(database.request(-180.0 - 20 * number) for number in range(30)))
    error = {"level": "ERROR", "message": "could not push metrics"}
    view.add("app_log", *({"time": after(at + 0.1)} | error for at in (0.0, 5.0, 10.0, 15.0)))
    if kept:
        view.add("app_log", *({"time": after(-180.0 - 20 * number + 0.1)} | error for number in range(30)))
    opinion = ask(view.failing("target", "alb_access", path=database.PATH, status=500), "application_answered")
    assert [any("such an error" in one.says for one in each.chain) for each in opinion.findings] == [found]
