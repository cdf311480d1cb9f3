"""What flow logs, stopped tasks and changes in CloudTrail say of a load balancer's failing target: each guilty, and its look-alikes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from kyumei import discover
from kyumei.contracts import Failure
from kyumei.model.finding import Certainty, Finding
from tests.rules import cloudfront_memory as cloudfront
from tests.rules import waf_memory as firewall
from tests.rules.balancer_memory import ELB, GROUP, NOW, MemoryView, ask, findings, health, row, ruled_out

NAIVE = NOW.replace(tzinfo=None)
NODE, TARGET, PORT = "10.0.1.50", "10.0.3.7", 8080
REFUSED: dict[str, Any] = {"times": "-1 -1 -1"}
SILENT: dict[str, Any] = {"times": "-1 -1 -1", "status": "504", "wall": 10.004}
DIED: dict[str, Any] = {"times": "0.001 4.210 -1", "wall": 4.22}
EMPTY: dict[str, Any] = {"times": "-1 -1 -1", "status": "503", "target": "-"}
NODES = {"describe-network-interfaces": [{"Description": f"ELB {ELB}", "PrivateIpAddress": NODE, "NetworkInterfaceId": "eni-0b"}]}
ARN = "arn:aws:ecs:eu-west-1:123456789012"


def flow(view: MemoryView, *, back: bool = False, **more: Any) -> None:  # noqa: ANN401 - any field of a record
    """A record of a connection from the node to the target, ``after`` seconds from NOW, or of the way back."""
    after = more.pop("after", -9.0)
    there = {"src_ip": NODE, "src_port": 34567, "dst_ip": TARGET, "dst_port": PORT}
    turned = {"src_ip": TARGET, "src_port": PORT, "dst_ip": NODE, "dst_port": 34567}
    told = {
        "time": NAIVE + timedelta(seconds=after),
        "end_time": NAIVE + timedelta(seconds=after + 8),
        "interface": "eni-0a",
        "protocol": 6,
        "packets": 4,
        "bytes": 240,
        "action": "ACCEPT",
        "log_status": "OK",
        "tcp_flags": 2,
    }
    view.add("vpc_flow", told | (turned if back else there) | more)


def told(view: MemoryView) -> list[Finding]:
    """What the rule of failing targets finds."""
    return list(discover.rules()["load_balancer_target_failed"].examine(view).findings)


GUILTY: list[list[dict[str, Any]]] = [
    [{"action": "REJECT"}],
    [{"action": "REJECT", "tcp_flags": None}],
    [{}, {"back": True, "action": "REJECT", "tcp_flags": 18}],
    [{}],
    [{"tcp_flags": None}],
]
INNOCENT: list[list[dict[str, Any]]] = [
    [{"action": "REJECT", "dst_ip": "10.0.3.8"}],
    [{"action": "REJECT", "dst_port": 22}],
    [{"action": "REJECT", "src_ip": "10.0.9.9"}],
    [{"action": "REJECT", "after": -3609.0}],
    [{"action": "REJECT", "protocol": 17}],
    [{"action": "REJECT", "tcp_flags": 1}],
    [{"action": "REJECT", "tcp_flags": None, "packets": 40, "bytes": 60000}],
    [{}, {"interface": "eni-0a", "log_status": "SKIPDATA", "src_ip": None, "dst_ip": None, "protocol": None, "action": None}],
    [{"bytes": 9000, "packets": 20, "tcp_flags": 3}],
]


@pytest.mark.parametrize("records", GUILTY)
def test_packets_that_were_dropped_prove_that_no_connection_was_made(records: list[dict[str, Any]]) -> None:
    """EDGE-040: a REJECT there or back, or no answer, between the balancer's node and the very target and port."""
    view = MemoryView(answers=NODES)
    for record in records:
        flow(view, **record)
    view.failed(row(view, **SILENT))
    assert findings(view) == [("EDGE-040", "proven")]
    assert any("VPC flow log" in one.says and one.citations for one in told(view)[0].chain)


@pytest.mark.parametrize("records", INNOCENT)
def test_other_packets_prove_nothing(records: list[dict[str, Any]]) -> None:
    """Another host, port, client, hour or protocol; packets after the end of a connection; an interval whose records AWS lost."""
    view = MemoryView(answers=NODES)
    for record in records:
        flow(view, **record)
    view.failed(row(view, **SILENT))
    assert findings(view) == [("EDGE-040", "possible")]


def test_packets_agree_with_the_health_state_of_the_target() -> None:
    """EDGE-078: describe-target-health, whose time is not told, and a REJECT in the seconds of the request; not a stranger's."""
    for client, sure in ((NODE, "proven"), ("10.0.9.9", "likely")):
        view = MemoryView(answers=NODES | {"describe-target-health": [health(TARGET, "unhealthy", "Target.Timeout")]})
        flow(view, action="REJECT", src_ip=client)
        view.failed(row(view, **SILENT))
        opinion = discover.rules()["target_unhealthy"].examine(view)
        assert [(one.code, one.certainty) for one in opinion.findings] == [("EDGE-078", sure)]


def test_without_the_balancers_own_addresses_a_reject_is_anybodys() -> None:
    """Who knocked is not known to be the balancer."""
    view = MemoryView()
    flow(view, action="REJECT")
    view.failed(row(view, **SILENT))
    assert findings(view) == [("EDGE-040", "possible")]


def test_a_connection_that_was_made_excludes_that_it_was_dropped() -> None:
    """SYN and SYN-ACK in the seconds of the request; not those of an hour before."""
    for after, found in ((-9.0, []), (-3609.0, [("EDGE-040", "possible")])):
        view = MemoryView(answers=NODES)
        flow(view, tcp_flags=3, packets=9, bytes=4000, after=after)
        flow(view, back=True, tcp_flags=19, packets=7, bytes=9000, after=after)
        view.failed(row(view, **SILENT))
        assert findings(view) == found
        assert ("EDGE-040" in ruled_out(view)) is not bool(found)


@pytest.mark.parametrize(
    ("back", "sure"),
    [
        ({"tcp_flags": 4, "packets": 1, "bytes": 40}, "proven"),
        ({"tcp_flags": None, "packets": 1, "bytes": 40}, "proven"),
        ({"tcp_flags": 18, "packets": 3, "bytes": 180}, "possible"),
        ({"tcp_flags": None, "packets": 1, "bytes": 60}, "possible"),
        ({"tcp_flags": 4, "packets": 1, "bytes": 40, "src_port": 9090}, "possible"),
        ({"tcp_flags": 4, "packets": 1, "bytes": 40, "action": "REJECT"}, "possible"),
    ],
)
def test_a_reset_in_answer_to_the_attempt_proves_a_refusal(back: dict[str, Any], sure: str) -> None:
    """EDGE-035: an ACCEPT that the target answers with RST only; not a handshake, another port, or an answer that was dropped."""
    view = MemoryView(answers=NODES)
    flow(view, after=-1.0, packets=1, bytes=60)
    flow(view, back=True, after=-1.0, **back)
    view.failed(row(view, **REFUSED))
    assert findings(view) == [("EDGE-035", sure)]


def test_the_connections_of_one_node_say_nothing_of_another() -> None:
    """A second node of the balancer has none in the records: it may be the one that cannot reach the target."""
    more = {"Description": f"ELB {ELB}", "PrivateIpAddress": "10.0.2.50"}
    view = MemoryView(answers={"describe-network-interfaces": [*NODES["describe-network-interfaces"], more]})
    flow(view, tcp_flags=3, packets=9, bytes=4000)
    flow(view, back=True, tcp_flags=19, packets=7, bytes=9000)
    view.failed(row(view, **SILENT))
    assert findings(view) == [("EDGE-040", "possible")]


def task(view: MemoryView, *, address: str = TARGET, began: float = -6.0, ended: float = -0.5, **more: Any) -> None:  # noqa: ANN401 - fields
    """The event of a task that ECS stopped, from ``began`` to ``ended`` seconds after NOW."""
    detail = {
        "taskArn": f"{ARN}:task/shop/0f1e2d3c",
        "stoppingAt": (NOW + timedelta(seconds=began)).isoformat(),
        "executionStoppedAt": (NOW + timedelta(seconds=ended)).isoformat(),
    }
    event = {
        "time": NAIVE + timedelta(seconds=ended),
        "kind": "task",
        "task_arn": detail["taskArn"],
        "cluster_arn": f"{ARN}:cluster/shop",
        "service_name": "web",
        "private_ip": address,
        "desired_status": "STOPPED",
        "last_status": "STOPPED",
        "stopped_reason": "Essential container in task exited",
        "container_reason": "OutOfMemoryError: container killed due to memory usage",
        "exit_code": 137,
        "detail": json.dumps(detail),
        "version": 5,
    }
    view.add("ecs_event", event | more)


@pytest.mark.parametrize(
    ("shape", "event", "found"),
    [
        (DIED, {}, ("EDGE-037", "proven")),
        (REFUSED, {"began": -60.0, "ended": -30.0}, ("EDGE-035", "proven")),
        (SILENT, {"began": -60.0, "ended": -30.0}, ("EDGE-040", "likely")),
        (DIED, {"address": "10.0.3.8"}, ("EDGE-037", "possible")),
        (DIED, {"began": 600.0, "ended": 630.0}, ("EDGE-037", "possible")),
        (DIED, {"began": -3600.0, "ended": -3590.0}, ("EDGE-037", "possible")),
        (DIED, {"desired_status": "RUNNING", "last_status": "RUNNING"}, ("EDGE-037", "possible")),
        (REFUSED, {"began": 5.5, "ended": 20.0}, ("EDGE-035", "possible")),
    ],
)
def test_the_stop_of_the_very_task_explains_its_requests(shape: dict[str, Any], event: dict[str, Any], found: tuple[str, str]) -> None:
    """ECS's event with the address that was the target, in the seconds of the requests; not another task's, nor one of another time."""
    view = MemoryView()
    task(view, **event)
    view.failed(row(view, **shape))
    assert findings(view) == [found]
    said = [one.says for one in told(view)[0].chain if "ECS stopped" in one.says]
    assert bool(said) == (found[1] != "possible")
    assert all("OutOfMemoryError" in one and "exit code 137" in one for one in said)


def test_a_stop_makes_a_closed_connection_no_race() -> None:
    """Idle connections that a stopped task closes are not closed by its keep-alive time."""
    view = MemoryView()
    for number in range(40):
        row(view, status="200", target_status="200", path=f"/items/{number}", after=number - 20.0, target="10.0.3.9:8080")
    task(view)
    view.failed(row(view, times="0.000 0.001 -1"))
    assert findings(view) == [("EDGE-037", "proven")]
    assert "EDGE-036" in ruled_out(view)


def test_a_described_task_of_another_address_stopped_for_itself() -> None:
    """describe-tasks: the address of its attachment is not the target's."""
    for address, sure in ((TARGET, "proven"), ("10.0.3.8", "possible")):
        details = [{"name": "privateIPv4Address", "value": address}]
        answer = {"taskArn": "t", "stoppedAt": NOW.isoformat(), "stoppedReason": "out", "attachments": [{"details": details}]}
        view = MemoryView(answers={"describe-tasks": [answer]})
        view.failed(row(view, **DIED))
        assert findings(view) == [("EDGE-037", sure)]


REVOKED = {"groupId": "sg-0aa", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 8080, "toPort": 8080}]}}
INTERFACE = {"PrivateIpAddress": TARGET, "NetworkInterfaceId": "eni-0a", "SubnetId": "subnet-1", "Groups": [{"GroupId": "sg-0aa"}]}


def call(view: MemoryView, name: str, asked: dict[str, Any], *, after: float = -30.0, **more: Any) -> None:  # noqa: ANN401 - any field
    """An event of CloudTrail."""
    told = {
        "event_name": name,
        "failed": False,
        "read_only": False,
        "user_name": "deploy",
        "region": "eu-west-1",
        "account": "123456789012",
    }
    view.add("cloudtrail", {"time": NAIVE + timedelta(seconds=after), "request_parameters": json.dumps(asked)} | told | more)


@pytest.mark.parametrize(
    ("name", "asked", "more", "sure"),
    [
        ("RevokeSecurityGroupIngress", REVOKED, {}, "likely"),
        ("RevokeSecurityGroupIngress", REVOKED | {"groupId": "sg-0bb"}, {}, "possible"),
        ("RevokeSecurityGroupIngress", REVOKED, {"failed": True, "error_code": "Client.UnauthorizedOperation"}, "possible"),
        ("DescribeSecurityGroups", REVOKED, {"read_only": True}, "possible"),
        ("RevokeSecurityGroupIngress", REVOKED, {"after": -3600.0}, "possible"),
        ("RevokeSecurityGroupIngress", REVOKED, {"after": 120.0}, "possible"),
        ("RevokeSecurityGroupIngress", REVOKED, {"after": 0.0}, "possible"),
        ("RevokeSecurityGroupIngress", REVOKED, {"region": "us-east-1"}, "possible"),
        ("RevokeSecurityGroupIngress", REVOKED, {"account": "999999999999"}, "possible"),
        ("RevokeSecurityGroupIngress", REVOKED | {"ipPermissions": {"items": [{"fromPort": 22, "toPort": 22}]}}, {}, "possible"),
        ("AuthorizeSecurityGroupIngress", REVOKED, {}, "possible"),
    ],
)
def test_a_rule_taken_from_the_targets_security_group_makes_it_likely(
    name: str, asked: dict[str, Any], more: dict[str, Any], sure: str
) -> None:
    """Between the last good and the first failing request of the target; another group, port, Region, time, or a refused call is none."""
    view = MemoryView(answers={"describe-network-interfaces": [INTERFACE]})
    row(view, status="200", target_status="200", after=-120.0)
    call(view, name, asked, **more)
    view.failed(row(view, **SILENT))
    assert findings(view) == [("EDGE-040", sure)]
    assert any("deploy called RevokeSecurityGroupIngress" in one.says for one in told(view)[0].chain) == (sure == "likely")


@pytest.mark.parametrize(
    ("group", "targets", "sure"),
    [
        (GROUP, (TARGET, "10.0.3.9"), "proven"),
        (GROUP, (TARGET,), "likely"),
        (GROUP.replace("/api/", "/other/"), (TARGET, "10.0.3.9"), "likely"),
    ],
)
def test_a_group_whose_every_target_was_deregistered_is_empty(group: str, targets: tuple[str, ...], sure: str) -> None:
    """EDGE-039: DeregisterTargets of this group, for all that had served; some of them, or another group's, are not enough."""
    view = MemoryView()
    for address in (TARGET, "10.0.3.9"):
        row(view, status="200", target_status="200", after=-120.0, target=f"{address}:{PORT}")
    call(view, "DeregisterTargets", {"targetGroupArn": group, "targets": [{"id": one, "port": PORT} for one in targets]})
    view.failed(row(view, **EMPTY))
    assert findings(view) == [("EDGE-039", sure)]
    assert told(view)[0].certainty is Certainty(sure)
    assert ask(view)


@pytest.mark.parametrize(
    ("name", "asked", "more", "told"),
    [
        ("UpdateWebACL", {"name": "shop-prod", "scope": "REGIONAL", "id": firewall.ARN.rpartition("/")[2]}, {}, True),
        ("UpdateWebACL", {"name": "shop-prod", "scope": "REGIONAL", "id": "00000000-7777-8888-9999-000000000000"}, {}, False),
        ("UpdateWebACL", {"id": firewall.ARN.rpartition("/")[2]}, {"failed": True, "error_code": "WAFOptimisticLockException"}, False),
        ("GetWebACL", {"id": firewall.ARN.rpartition("/")[2]}, {"read_only": True}, False),
        ("UpdateWebACL", {"id": firewall.ARN.rpartition("/")[2]}, {"after": -7200}, False),
    ],
)
def test_who_changed_the_web_acl_just_before_is_told(name: str, asked: dict[str, Any], more: dict[str, Any], told: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """EDGE-022: between the last request for the path that went on and the first that was stopped, and of this very web ACL."""
    view = firewall.MemoryView()
    passed = firewall.record(action="ALLOW", rule_id="Default_Action", rule_type="REGULAR")
    view.add("waf", passed | {"time": passed["time"] - timedelta(minutes=10)})
    stopped = firewall.record(action="BLOCK")
    at = stopped["time"] + timedelta(seconds=more.get("after", -120))
    row_told = {"event_name": name, "failed": False, "read_only": False, "user_name": "deploy", "request_parameters": json.dumps(asked)}
    view.add("cloudtrail", {"time": at} | row_told | {key: value for key, value in more.items() if key != "after"})
    view.blocked(view.add("waf", stopped))
    said = [one.says for rule in firewall.FAMILY for each in discover.rules()[rule].examine(view).findings for one in each.chain]
    assert said
    assert any("deploy called UpdateWebACL" in one for one in said) == told


@pytest.mark.parametrize(
    ("detail", "name", "asked", "told"),
    [
        ("OriginDnsError", "UpdateDistribution2020_05_31", {"id": "E2QWRUHAPOMQZL", "ifMatch": "E1"}, True),
        ("OriginDnsError", "UpdateDistribution", {"id": "E3OTHER0000000"}, False),
        (
            "OriginDnsError",
            "ChangeResourceRecordSets",
            {"changeBatch": {"changes": [{"action": "DELETE", "resourceRecordSet": {"name": f"{cloudfront.ORIGIN}."}}]}},
            True,
        ),
        (
            "OriginDnsError",
            "ChangeResourceRecordSets",
            {"changeBatch": {"changes": [{"resourceRecordSet": {"name": "www.example.com."}}]}},
            False,
        ),
        ("OriginConnectError", "ChangeResourceRecordSets", {"changeBatch": [{"name": f"{cloudfront.ORIGIN}."}]}, False),
    ],
)
def test_who_changed_the_distribution_or_the_origins_name_is_told(detail: str, name: str, asked: dict[str, Any], told: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """EDGE-087: of this distribution, or the very name that does not resolve; another one's is nobody's fault here."""
    view = cloudfront.MemoryView(
        answers={"get-distribution-config": [cloudfront.config()]},
        files={"get-distribution-config": "aws/cloudfront/get-distribution-config.E2QWRUHAPOMQZL.json"},
    )
    cloudfront.row(view, "Miss", "Miss", status="200", after=-400)
    failing = cloudfront.row(view, detail, status="502")
    at = failing["time"] - timedelta(seconds=100)
    call_told = {"event_name": name, "failed": False, "read_only": False, "user_name": "deploy", "request_parameters": json.dumps(asked)}
    view.add("cloudtrail", {"time": at} | call_told)
    failure = Failure(hop="cloudfront", table="cloudfront_access", total=1, rows=(failing,), sightings={"cloudfront": (failing,)}, key="f1")
    view.failures = (failure,)
    said = [one.says for each in cloudfront.findings(view) for one in each.chain]
    assert said
    assert any("deploy called" in one for one in said) == told


LISTENER = f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/{ELB}"


@pytest.mark.parametrize(
    ("rules", "calls", "sure"),
    [
        ([("1111", "default", "fixed-response")], [], "proven"),
        ([("2222", "default", "redirect")], [], "likely"),
        ([("1111", "default", "fixed-response"), ("1111", "10", "forward")], [], "likely"),
        ([], [("DeleteRule", {"ruleArn": f"{LISTENER}/1111/aaaa"}, {})], "proven"),
        ([], [("DeleteRule", {"ruleArn": f"{LISTENER}/1111/aaaa"}, {"failed": True})], "likely"),
        ([], [("CreateRule", {"listenerArn": f"{LISTENER}/1111"}, {})], "likely"),
        ([("2222", "70", "forward")], [("ModifyRule", {"ruleArn": f"{LISTENER}/2222/r70"}, {})], "likely"),
        ([], [("SetRulePriorities", {"rulePriorities": [{"ruleArn": f"{LISTENER}/1111/aaaa", "priority": 900}]}, {})], "proven"),
        ([], [("SetRulePriorities", {}, {})], "likely"),
    ],
)
def test_only_what_took_the_rule_away_confirms_that_it_is_gone(
    rules: list[tuple[str, str, str]], calls: list[tuple[str, dict[str, Any], dict[str, Any]]], sure: str
) -> None:
    """EDGE-158: the listener whose default answered lacks the rule, or CloudTrail has its change; not another's."""
    described = [
        {"RuleArn": f"{LISTENER}/{listener}/r{priority}", "Priority": priority, "Actions": [{"Type": kind}]}
        for listener, priority, kind in rules
    ]
    view = MemoryView(answers={"describe-rules": described} if described else {})
    for number in range(5):
        row(view, status="200", target_status="200", after=-60.0 - number)
    for name, asked, more in calls:
        call(view, name, asked, **more)
    gone = {"target": "-", "times": "-1 -1 -1", "actions": "fixed-response", "status": "404", "priority": "0", "group": "-", "wall": 0.001}
    view.failed(*(row(view, **gone, after=float(number)) for number in range(4)))
    assert findings(view) == [("EDGE-158", sure)]
