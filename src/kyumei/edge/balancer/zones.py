"""A zone of the load balancer without a target, while each of its nodes asks only the targets of its own zone.

With cross-zone load balancing off for a target group, the node of a zone in which the group has no target answers 503 to all that reaches
it, while the nodes of other zones serve: about every second request fails, and the group is healthy. No row names its node, so that what
is stored of the group and of its targets must tell.

Follows "Cross-zone load balancing for target groups" of the user guide for Application Load Balancers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.balancer.health import OPERATION, group_health
from kyumei.edge.balancer.setting import group_of, is_about, is_elsewhere, target_groups
from kyumei.edge.documents import answers, as_list, as_map, qualifier
from kyumei.model.finding import Evidence, Gap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

CROSS_ZONE = "load_balancing.cross_zone.enabled"
OFF = "false"
NOT_ROUTED = frozenset({"unused", "draining"})


class Empty(NamedTuple):
    """Zones that have a node and no target, as far as the case tells which: none where it does not; and what shows it."""

    zones: tuple[str, ...]
    evidence: tuple[Evidence, ...]


def cross_zone(view: View, row: Mapping[str, Any]) -> tuple[str, Citation] | None:
    """Whether nodes may ask targets of other zones, as the attributes of the row's target group tell; null where they are not stored."""
    arn = group_of(view, row)
    for document, where in answers(view, "elbv2", "describe-target-group-attributes"):
        told = f"{qualifier(where)} {document.get('TargetGroupArn') or ''}".strip()
        if arn is None or not (is_about(told, arn) if told else target_groups(view) == [arn]) or is_elsewhere(where, told, arn):
            continue
        for one in as_list(document.get("Attributes")) if "Attributes" in document else [document]:
            if as_map(one).get("Key") == CROSS_ZONE:
                return str(as_map(one).get("Value")), where
    return None


def empty_zone(view: View, row: Mapping[str, Any]) -> Empty | None:
    """The zones whose node has no target to ask; null where cross-zone load balancing is not known to be off, or every zone has one."""
    setting = cross_zone(view, row)
    if setting is None or setting[0] != OFF:
        return None
    off = Evidence("Cross-zone load balancing is off for the target group: a node asks only the targets in its own zone", (setting[1],))
    served = _zones_of_balancer(view, str(row["elb"]))
    states = [one for one in group_health(view, row).states if one.state not in NOT_ROUTED]
    known: dict[str, set[str]] = {}
    for target, zone in _zones_of_targets(view):
        known.setdefault(target, set()).add(zone)
    # An address that two networks use has several zones, and tells none.
    zones = {"".join(told) if len(told := known.get(one.target, set()) - {""}) == 1 else "" for one in states}
    if served is None or not states or zones & {"", "all"}:
        return Empty((), (off,))
    lacking = tuple(sorted(served[0] - zones))
    if not lacking:
        return None
    says = (
        f"The load balancer has a node in each of {', '.join(sorted(served[0]))}; every target of the group is in "
        f"{', '.join(sorted(zones))}"
    )
    return Empty(lacking, (off, Evidence(says, (served[1], *dict.fromkeys(one.citation for one in states)), total=len(states))))


def zones_gap(view: View, row: Mapping[str, Any]) -> Gap:
    """What would tell whether a zone of the load balancer is without a target."""
    arn = group_of(view, row) or "<TARGET_GROUP_ARN>"
    how = (
        f"aws elbv2 describe-target-group-attributes --target-group-arn {arn} > aws/elbv2/describe-target-group-attributes.json; "
        f"aws elbv2 describe-target-health --target-group-arn {arn} > aws/elbv2/{OPERATION}.json; "
        "aws elbv2 describe-load-balancers > aws/elbv2/describe-load-balancers.json; "
        "aws ec2 describe-instances > aws/ec2/describe-instances.json"
    )
    why = "whether cross-zone load balancing is off and a zone of the load balancer has no target, so that one of its nodes alone fails"
    return Gap("zones of the load balancer and of its targets", why, how)


def _zones_of_balancer(view: View, elb: str) -> tuple[set[str], Citation] | None:
    for document, where in answers(view, "elbv2", "describe-load-balancers"):
        if str(document.get("LoadBalancerArn") or "").endswith(f"loadbalancer/{elb}"):
            zones = {str(as_map(one).get("ZoneName") or "") for one in as_list(document.get("AvailabilityZones"))} - {""}
            return (zones, where) if zones else None
    return None


def _zones_of_targets(view: View) -> Iterator[tuple[str, str]]:
    """Ids and addresses of targets with their zones: as registered, or those of the instance or network interface."""
    for one, _ in answers(view, "ec2", "describe-network-interfaces"):
        yield str(one.get("PrivateIpAddress")), str(one.get("AvailabilityZone") or "")
    for one, _ in answers(view, "ec2", "describe-instances"):
        zone = str(as_map(one.get("Placement")).get("AvailabilityZone") or "")
        yield str(one.get("InstanceId")), zone
        yield str(one.get("PrivateIpAddress")), zone
    for document, _ in answers(view, "elbv2", OPERATION):
        for one in as_list(document.get("TargetHealthDescriptions")) or [document]:
            target = as_map(as_map(one).get("Target"))
            if target.get("AvailabilityZone"):
                yield str(target.get("Id")), str(target["AvailabilityZone"])
