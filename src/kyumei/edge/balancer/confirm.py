"""What other logs add to what a load balancer's own row shows of a failing target: packets, stopped tasks, changes.

Each is joined to the failing requests: packets by the node, the target and its port; a task by the target's address; a change by the
resource that its parameters name. A log that has nothing of the kind changes nothing: none of them is complete.

Follows "Troubleshoot your Application Load Balancers" of the Elastic Load Balancing user guide.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.balancer import target as signs
from kyumei.edge.balancer.changes import changed
from kyumei.edge.balancer.packets import DROPPED, nodes, packets
from kyumei.edge.balancer.service_events import taken
from kyumei.edge.balancer.setting import group_of
from kyumei.edge.balancer.target import Kind
from kyumei.edge.balancer.target_ends import none_left, refused_since
from kyumei.edge.balancer.task_stops import stops
from kyumei.edge.changes import Resource, changes, shown
from kyumei.edge.connections import Fate
from kyumei.edge.documents import answers, as_list, as_map
from kyumei.model.finding import Certainty, Evidence, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part
    from kyumei.edge.balancer.finding import Judged
    from kyumei.edge.balancer.task_stops import Stop
    from kyumei.edge.changes import Change, Turn

SECONDS = timedelta(seconds=5)
SOON = timedelta(minutes=10)
"""How long after a change requests may begin to fail for it to be more than what happened to be done before."""
HALF = 0.5
CUT_OFF = frozenset({Kind.REFUSED, Kind.CLOSED, Kind.DIED})
"""What a target that is being stopped looks like from the load balancer."""
TELLING = frozenset(
    {
        "DeregisterTargets",
        "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
        "CreateNetworkAclEntry",
        "StopInstances",
        "TerminateInstances",
        "RebootInstances",
        "StopTask",
        "DeleteService",
        "DeleteTargetGroup",
    }
)
"""Calls that take something away, so that what fails right after them on that very resource fails by them if nothing speaks against it."""


def confirmed(view: View, part: Part, kind: Kind, judged: Judged) -> Judged:
    """What a rule made of a part, with what packets, stopped tasks and changes say for and against it."""
    if judged.sign is None:
        return judged
    for step in (_by_packets, _by_ends):
        judged = step(view, part, kind, judged)
        if judged.sign is None:
            return judged
    return _by_service(view, part, kind, _by_changes(view, part, judged))


def _with(judged: Judged, evidence: Evidence, sure: Certainty) -> Judged:
    """More evidence, and the certainty that it gives where that is more than there was."""
    order = (Certainty.POSSIBLE, Certainty.LIKELY, Certainty.PROVEN)
    best = max(judged.certainty, sure, key=order.index)
    return replace(judged, evidence=(*judged.evidence, evidence), certainty=best, gaps=() if best is Certainty.PROVEN else judged.gaps)


def _by_packets(view: View, part: Part, kind: Kind, judged: Judged) -> Judged:
    if kind is Kind.REFUSED and judged.sign is signs.REFUSED:
        found = packets(view, part.rows, {Fate.REFUSED})
        return _with(judged, found.evidence(view), Certainty.PROVEN if found.most else judged.certainty) if found else judged
    if kind is not Kind.UNCONNECTED or judged.sign is not signs.UNCONNECTED:
        return judged
    if found := packets(view, part.rows, DROPPED):
        return _with(judged, found.evidence(view), Certainty.PROVEN if found.most else judged.certainty)
    made = packets(view, part.rows, {Fate.MADE})
    # A node that has no connection in the records may be the one that could make none.
    if made and made.most and nodes(view, str(part.row["elb"])) <= {one.client for one in made.attempts}:
        told = made.evidence(view)
        ruled = RuledOut(signs.UNCONNECTED.code, f"{told.says}: no security group, network ACL or silent host stopped it", told.citations)
        return replace(judged, sign=None, ruled_out=(*judged.ruled_out, ruled))
    return judged


def _by_ends(view: View, part: Part, kind: Kind, judged: Judged) -> Judged:
    """That the very target had ended, and nothing served in its place, when requests could not be handed to it; or any of the group."""
    if kind not in {Kind.REFUSED, Kind.UNCONNECTED, Kind.NO_GROUP}:
        return _by_stops(view, part, kind, judged)
    addressed = any(row.get("target_ip") for row in part.rows)
    found = refused_since(view, part) if addressed else none_left(view, part)
    if not found.ends or (kind is Kind.UNCONNECTED and not addressed):
        return judged
    citations = tuple(citation for one in found.ends for citation in one.citations)
    evidence = Evidence(found.ends[0].words, citations[:3], total=len(found.ends))
    if len(found.rows) < HALF * len(part.rows):
        return _with(judged, evidence, judged.certainty)
    if kind is Kind.NO_GROUP:
        sign = signs.NO_GROUP._replace(cause=f"its target group has no target that it may use: {found.ends[-1].words}")
        return replace(_with(judged, evidence, Certainty.LIKELY), sign=sign)
    if judged.sign is signs.REFUSED:
        sign = signs.REFUSED._replace(cause=f"no connection to the target could be made, which had ended: {found.ends[0].words}")
        return replace(_with(judged, evidence, Certainty.PROVEN if addressed else Certainty.LIKELY), sign=sign)
    return _with(judged, evidence, Certainty.LIKELY)


def _by_stops(view: View, part: Part, kind: Kind, judged: Judged) -> Judged:
    """That ECS stopped the very task that was the target, while the requests were under way."""
    rows = [row for row in part.rows if row.get("target_ip")]
    if not rows or kind not in {Kind.CLOSED, Kind.DIED}:
        return judged
    times, addresses = [row["time"] for row in rows], sorted({str(row["target_ip"]) for row in rows})
    found = stops(view, part, addresses, min(times) - SECONDS, max(times) + SECONDS)
    found = [one for one in found if any(_hits(one, row) for row in rows)]
    hit = [row for row in rows if any(_hits(one, row) for one in found)]
    if not hit:
        return judged
    citations = tuple(citation for one in found for citation in one.citations)
    evidence = Evidence(found[0].words, citations[:3], total=len(found))
    if len(hit) < HALF * len(rows):
        return _with(judged, evidence, judged.certainty)
    if judged.sign is signs.DIED:
        return replace(_with(judged, evidence, Certainty.PROVEN), sign=signs.died_of(found[0].words))
    if judged.sign is signs.RACE:
        other = RuledOut(signs.RACE.code, "ECS stopped the target's task in the same seconds", evidence.citations)
        return replace(
            judged,
            sign=signs.died_of(found[0].words),
            certainty=Certainty.PROVEN,
            evidence=(evidence,),
            ruled_out=(other,),
            gaps=(),
            more={},
        )
    return judged


def _hits(one: Stop, row: Mapping[str, Any]) -> bool:
    """Whether a request can have been cut off by a stop."""
    return bool(one.address == row["target_ip"] and one.began - SECONDS <= row["time"] <= one.ended + SECONDS)


def _by_changes(view: View, part: Part, judged: Judged) -> Judged:
    assert judged.sign is not None  # noqa: S101 - tells the checker what the caller has asked
    found, when = changed(view, part, judged.sign.code)
    if when is None:
        return judged
    told = shown(view, found, when)
    if told is None:
        return judged
    if judged.sign is signs.NO_GROUP and judged.certainty is Certainty.LIKELY and _took_all(view, part, found, when):
        return _with(judged, told, Certainty.PROVEN)
    near = any(one.call in TELLING and when.failed - one.time <= SOON for one in found)
    return _with(judged, told, Certainty.LIKELY if near else judged.certainty)


def _took_all(view: View, part: Part, found: Sequence[Change], when: Turn) -> bool:
    """Whether calls deregistered every target that the group had served requests by in the hour before."""
    gone = {str(as_map(one).get("id")) for each in found if each.call == "DeregisterTargets" for one in as_list(each.asked.get("targets"))}
    addresses = {str(one.get("InstanceId")): str(one.get("PrivateIpAddress")) for one, _ in answers(view, "ec2", "describe-instances")}
    away = gone | {addresses[one] for one in gone if one in addresses}
    served = view.rows(
        "SELECT DISTINCT target_ip FROM alb_access WHERE elb = ? AND target_group_arn = ? AND target_ip IS NOT NULL "
        "AND time <= ?::TIMESTAMP AND time > ?::TIMESTAMP - INTERVAL 1 HOUR LIMIT 500",
        *(part.row["elb"], group_of(view, part.row), when.failed, when.failed),
    )
    known = {row["target_ip"] for row in served}
    others = changes(view, {"RegisterTargets"}, Resource((str(group_of(view, part.row)),)), when.failed - SOON, when.failed)
    new = {str(as_map(one).get("id")) for each in others for one in as_list(each.asked.get("targets"))}
    return bool(known) and known <= away and new <= away


def _by_service(view: View, part: Part, kind: Kind, judged: Judged) -> Judged:
    """That the ECS service behind the target group took these targets away: it says so, and they are gone from then on."""
    if judged.sign is None or judged.certainty is Certainty.PROVEN or (kind is not Kind.NO_GROUP and kind not in CUT_OFF):
        return judged
    group, times = group_of(view, part.row), [row["time"] for row in part.rows]
    found = taken(view, group, min(times))
    if found is None:
        return judged
    evidence = Evidence(f"{found.clause[0].upper()}{found.clause[1:]}", view.cite(found.rows), total=len(found.rows))
    if kind is Kind.NO_GROUP:
        if found.replaced or len(_served_by(view, part)) > found.number:
            return _with(judged, evidence, judged.certainty)
        cause = f"its target group has no target that it may use: {found.clause}"
        return replace(_with(judged, evidence, Certainty.LIKELY), sign=judged.sign._replace(cause=cause))
    targets = {str(row["target_ip"]) for row in part.rows if row.get("target_ip")}
    if not targets or len(targets) > found.number or not _gone(view, part, targets):
        return _with(judged, evidence, judged.certainty)
    if kind is Kind.REFUSED:
        return _with(judged, evidence, Certainty.LIKELY)
    cause = f"the target closed the connection while it was at work on the request: {found.clause}"
    ruled = (RuledOut(signs.RACE.code, "the service was taking the targets away", evidence.citations),)
    died = signs.DIED._replace(cause=cause)
    return replace(judged, sign=died, certainty=Certainty.LIKELY, evidence=(evidence,), ruled_out=ruled, gaps=(), more={})


def _served_by(view: View, part: Part) -> set[str]:
    """The targets of the group that served requests in the hour before the first failing one."""
    first = min(row["time"] for row in part.rows)
    rows = view.rows(
        "SELECT DISTINCT target_ip FROM alb_access WHERE elb = ? AND target_group_arn = ? AND target_status = status "
        "AND time <= ?::TIMESTAMP AND time > ?::TIMESTAMP - INTERVAL 1 HOUR LIMIT 500",
        *(part.row["elb"], group_of(view, part.row), first, first),
    )
    return {str(row["target_ip"]) for row in rows}


def _gone(view: View, part: Part, targets: set[str]) -> bool:
    """Whether the targets served requests before these failed, and none after, while others of the group went on serving."""
    first, last = min(row["time"] for row in part.rows), max(row["time"] for row in part.rows)
    rows = view.rows(
        "SELECT target_ip, count(*) FILTER (WHERE time < ?::TIMESTAMP) AS before, "
        "count(*) FILTER (WHERE time > ?::TIMESTAMP + INTERVAL 60 SECOND) AS after FROM alb_access "
        "WHERE elb = ? AND target_group_arn = ? AND target_status = status GROUP BY 1",
        *(first, last, part.row["elb"], group_of(view, part.row)),
    )
    own = [row for row in rows if row["target_ip"] in targets]
    others = any(row["after"] for row in rows if row["target_ip"] not in targets)
    return len(own) == len(targets) and others and all(row["before"] and not row["after"] for row in own)
