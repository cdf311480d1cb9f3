"""Changes of what a load balancer's failing requests depended on: its listeners, their target group, the target, the filters before it.

Such a change counts where CloudTrail has it between the last request that went well there and the first that failed, and where its
parameters name the very resource: which security groups, network ACLs, instances and services a target has is told by the AWS answers
in the case, and where they do not tell it, no change of such a thing is taken for one of this target's.

Follows the actions of the Elastic Load Balancing, Amazon EC2 and Amazon ECS API references.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from kyumei.edge.balancer.packets import nodes
from kyumei.edge.balancer.setting import balancer_arn, group_of, services_of
from kyumei.edge.changes import AFTER, SLACK, Change, Resource, Turn, changes, turn, values
from kyumei.edge.documents import answers, as_list, as_map
from kyumei.edge.literals import same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part

_GROUP = frozenset({"DeregisterTargets", "ModifyTargetGroup", "ModifyTargetGroupAttributes", "DeleteTargetGroup"})
_LISTENER = frozenset({"ModifyListener", "ModifyRule", "DeleteRule", "SetRulePriorities", "CreateRule", "DeleteListener", "SetSubnets"})
_INSTANCE = frozenset({"StopInstances", "TerminateInstances", "RebootInstances"})
_SERVICE = frozenset({"UpdateService", "DeleteService", "StopTask"})
_FILTER = frozenset(
    {
        "RevokeSecurityGroupIngress",
        "ModifySecurityGroupRules",
        "CreateNetworkAclEntry",
        "ReplaceNetworkAclEntry",
        "DeleteNetworkAclEntry",
        "ReplaceNetworkAclAssociation",
        "ModifyNetworkInterfaceAttribute",
        "ModifyInstanceAttribute",
    }
)
_SCALING = frozenset({"DetachLoadBalancerTargetGroups", "DetachTrafficSources"})
SUSPECTS: dict[str, tuple[tuple[str, frozenset[str]], ...]] = {
    "EDGE-035": (("group", _GROUP | {"RegisterTargets"}), ("instance", _INSTANCE), ("service", _SERVICE)),
    "EDGE-037": (("group", _GROUP), ("instance", _INSTANCE), ("service", _SERVICE)),
    "EDGE-039": (("group", _GROUP | _SCALING), ("balancer", _LISTENER), ("service", _SERVICE), ("instance", _INSTANCE)),
    "EDGE-040": (
        ("filter", _FILTER),
        ("balancer", frozenset({"SetSecurityGroups", "SetSubnets"})),
        ("outgoing", frozenset({"RevokeSecurityGroupEgress", "ModifySecurityGroupRules"})),
        ("instance", _INSTANCE),
    ),
    "EDGE-041": (("balancer", frozenset({"ModifyLoadBalancerAttributes"})), ("service", frozenset({"UpdateService"}))),
}
"""By the cause: the sort of resource, and the calls on it that can bring it about."""
OF_ONE_TARGET = frozenset({"EDGE-035", "EDGE-037", "EDGE-040"})
"""Causes that lie at one target, so that its own last good request counts, and not the group's."""
_TCP_OR_ALL = frozenset({"6", "-1", "tcp", "all"})
_PORTS = (("fromPort", "toPort"), ("from", "to"))


def turn_of(view: View, part: Part, code: str) -> Turn | None:
    """The turn from well to failing at the target, or in the group, of these requests."""
    row, group = part.row, group_of(view, part.row)
    target = row.get("target_ip") if code in OF_ONE_TARGET else None
    known = {"elb": row["elb"], "target_group_arn": group, "target_ip": target}
    if group is None and target is None:
        known["path"] = row.get("path")
    where = " AND ".join(same(name, value) for name, value in known.items() if value is not None)
    failing = f"{where} AND target_status IS NULL AND {same('status', row['status'])}"
    return turn(view, "alb_access", f"{where} AND target_status = status AND status < 500", failing, min(one["time"] for one in part.rows))


def changed(view: View, part: Part, code: str) -> tuple[list[Change], Turn | None]:
    """The changes that can have brought about a cause, between the last request that went well and the first that failed."""
    suspects = SUSPECTS.get(code)
    if not suspects or not view.has("cloudtrail"):
        return [], None
    when = turn_of(view, part, code)
    if when is None:
        return [], None
    row = part.row
    port = row.get("target_port")
    known = resources(view, row)
    found: dict[tuple[object, object], Change] = {}
    for sort, calls in suspects:
        for resource in known.get(sort, ()):
            for one in changes(view, calls, resource, when.well - SLACK, when.failed + AFTER):
                if _fits(one, sort, known, port, row) and (sort != "filter" or _concerns_balancer(view, one, str(row["elb"]))):
                    found.setdefault((one.row["_artifact"], one.row["_line"]), one)
    return sorted(found.values(), key=lambda one: one.time, reverse=True), when


def _fits(one: Change, sort: str, known: Mapping[str, list[Resource]], port: int | None, row: Mapping[str, Any]) -> bool:
    """Whether a change can have to do with the failing requests: their target, their port, the attribute that matters."""
    if one.call in {"DeregisterTargets", "RegisterTargets"} and row.get("target_ip"):
        own = {str(row["target_ip"]), *(name for resource in known.get("instance", ()) for name in resource.ids)}
        named = {str(as_map(target).get("id")) for target in as_list(one.asked.get("targets"))}
        return bool(own & named)
    if one.call == "ModifyLoadBalancerAttributes":
        return any(as_map(each).get("key") == "idle_timeout.timeout_seconds" for each in as_list(one.asked.get("attributes")))
    if sort == "filter" and one.call == "CreateNetworkAclEntry" and str(one.asked.get("ruleAction")) == "allow":
        return False
    return sort not in {"filter", "outgoing"} or covers_port(one.asked, port)


def _concerns_balancer(view: View, one: Change, elb: str) -> bool:
    """Whether a filter's rule that was taken away let the balancer in, or one that was added shuts it out, as far as that is known."""
    if one.call in {"CreateNetworkAclEntry", "ReplaceNetworkAclEntry"}:
        network, protocol = (
            str(one.asked.get("cidrBlock") or one.asked.get("ipv6CidrBlock") or ""),
            str(one.asked.get("aclProtocol") or "6"),
        )
        addresses = nodes(view, elb)
        return protocol in _TCP_OR_ALL and (not network or not addresses or any(_holds(network, address) for address in addresses))
    if one.call != "RevokeSecurityGroupIngress":
        return True
    told = list(values({key: value for key, value in one.asked.items() if key != "groupId"}))
    groups = {value for key, value in told if key == "groupId"}
    networks = {value for key, value in told if key in {"cidrIp", "cidrIpv6"}}
    own = {
        str(as_map(each).get("GroupId"))
        for document, _ in answers(view, "ec2", "describe-network-interfaces")
        if document.get("Description") == f"ELB {elb}"
        for each in as_list(document.get("Groups"))
    } | {
        str(each)
        for document, _ in answers(view, "elbv2", "describe-load-balancers")
        if str(document.get("LoadBalancerArn") or "").endswith(f"loadbalancer/{elb}")
        for each in as_list(document.get("SecurityGroups"))
    }
    addresses = nodes(view, elb)
    if not groups | networks or any(key == "prefixListId" for key, _ in told):
        return True
    by_group = bool(groups) and (not own or bool(groups & own))
    return by_group or (
        bool(networks) and (not addresses or any(_holds(network, address) for network in networks for address in addresses))
    )


def _holds(network: str, address: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return True  # What cannot be read says nothing.


def covers_port(asked: Mapping[str, Any], port: int | None) -> bool:
    """Whether the ports that a call names hold this one, or it names none. The way back goes to other ports, and is not judged."""
    if port is None or asked.get("egress") is True:
        return True
    spans = list(_spans(asked))
    return not spans or any(low <= port <= high for low, high in spans)


def _spans(asked: object) -> Iterator[tuple[int, int]]:
    left = [asked]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            for low, high in _PORTS:
                if isinstance(one.get(low), int) and isinstance(one.get(high), int):
                    yield (one[low], one[high]) if one[low] >= 0 else (0, 65535)
            left += list(one.values())


def resources(view: View, row: Mapping[str, Any]) -> dict[str, list[Resource]]:
    """What the requests of a row depended on, by sort, as far as the case tells."""
    arn, group, target = balancer_arn(view, row), group_of(view, row), str(row.get("target_ip") or "")
    home = arn if arn.startswith("arn:") else (group or "")
    found: dict[str, list[Resource]] = {"balancer": [Resource((str(row["elb"]),), arn=home)]}
    if group:
        found["group"] = [Resource((group,))]
    found["service"] = list(_services(view, group, target))
    if target:
        instances = [one for one, _ in answers(view, "ec2", "describe-instances") if one.get("PrivateIpAddress") == target]
        found["instance"] = [Resource((str(one["InstanceId"]),), arn=home) for one in instances if one.get("InstanceId")]
        found["filter"] = [Resource(ids, arn=home) for ids in [_filters(view, target, instances)] if ids]
    groups = [
        str(name)
        for one, _ in answers(view, "elbv2", "describe-load-balancers")
        if str(one.get("LoadBalancerArn") or "").endswith(f"loadbalancer/{row['elb']}")
        for name in as_list(one.get("SecurityGroups"))
    ]
    found["outgoing"] = [Resource(tuple(groups), arn=home)] if groups else []
    return found


def _services(view: View, group: str | None, target: str) -> Iterator[Resource]:
    """The ECS services whose tasks are in the target group, or one of whose tasks has the target's address."""
    named = services_of(view, group or "")
    if target and view.has("ecs_event"):
        rows = view.rows("SELECT DISTINCT service_name, cluster_arn FROM ecs_event WHERE private_ip = ? AND kind = 'task' LIMIT 5", target)
        named += [(row["service_name"], row["cluster_arn"]) for row in rows]
    for name, cluster in dict.fromkeys(named):
        if name and cluster:
            yield Resource(names=(("service", str(name)), ("cluster", str(cluster).rpartition("/")[2])), arn=str(cluster))


def _filters(view: View, target: str, instances: list[dict[str, Any]]) -> tuple[str, ...]:
    """Ids of the target's security groups, of its interface, of its instance, and of the network ACLs of its subnet."""
    found: list[object] = []
    subnets: set[object] = set()
    for one, _ in answers(view, "ec2", "describe-network-interfaces"):
        listed = [as_map(each).get("PrivateIpAddress") for each in as_list(one.get("PrivateIpAddresses"))]
        if target in {one.get("PrivateIpAddress"), *listed}:
            found += [one.get("NetworkInterfaceId"), *(as_map(each).get("GroupId") for each in as_list(one.get("Groups")))]
            subnets.add(one.get("SubnetId"))
    for one in instances:
        found += [one.get("InstanceId"), *(as_map(each).get("GroupId") for each in as_list(one.get("SecurityGroups")))]
        subnets.add(one.get("SubnetId"))
    for one, _ in answers(view, "ec2", "describe-network-acls"):
        if any(as_map(each).get("SubnetId") in subnets for each in as_list(one.get("Associations"))):
            found.append(one.get("NetworkAclId"))
    return tuple(dict.fromkeys(str(one) for one in found if one))
