"""What other logs add to what a load balancer's own row shows of a failing target: packets, stopped tasks, changes.

Each is joined to the failing requests: packets by the node, the target and its port; a task by the target's address; a change by the
resource that its parameters name. A log that has nothing of the kind changes nothing: none of them is complete.

Follows "Troubleshoot your Application Load Balancers" of the Elastic Load Balancing user guide.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kyumei.edge import balancer_target as signs
from kyumei.edge.balancer_changes import changed
from kyumei.edge.balancer_packets import DROPPED, nodes, packets
from kyumei.edge.balancer_setting import group_of
from kyumei.edge.balancer_target import Kind
from kyumei.edge.changes import shown
from kyumei.edge.connections import Fate
from kyumei.edge.metrics import answers
from kyumei.edge.statement import as_list, as_map
from kyumei.edge.task_stops import stops
from kyumei.model.finding import Certainty, Evidence, RuledOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import View
    from kyumei.edge.balancer_answer import Part
    from kyumei.edge.balancer_finding import Judged
    from kyumei.edge.changes import Change, Turn

SECONDS = timedelta(seconds=5)
SOON = timedelta(minutes=10)
"""How long after a change requests may begin to fail for it to be more than what happened to be done before."""
HALF = 0.5
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
    for step in (_by_packets, _by_stops):
        judged = step(view, part, kind, judged)
        if judged.sign is None:
            return judged
    return _by_changes(view, part, judged)


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


def _by_stops(view: View, part: Part, kind: Kind, judged: Judged) -> Judged:
    """That ECS stopped the very task that was the target, while the requests were under way or before they came."""
    rows = [row for row in part.rows if row.get("target_ip")]
    if not rows or kind not in {Kind.REFUSED, Kind.CLOSED, Kind.DIED, Kind.UNCONNECTED}:
        return judged
    times = [row["time"] for row in rows]
    gone = kind in {Kind.REFUSED, Kind.UNCONNECTED}
    reach = SOON if gone else SECONDS
    found = stops(view, sorted({str(row["target_ip"]) for row in rows}), min(times) - reach, max(times) + SECONDS)
    hit = [
        row
        for row in rows
        if any(
            one.address == row["target_ip"] and one.began - SECONDS <= row["time"] <= one.ended + (SOON if gone else SECONDS)
            for one in found
        )
    ]
    if not hit:
        return judged
    evidence = Evidence(found[0].words, view.cite([one.row for one in found]), total=len(found))
    if len(hit) < HALF * len(rows):
        return _with(judged, evidence, judged.certainty)
    if gone or judged.sign is signs.DIED:
        return _with(judged, evidence, Certainty.PROVEN if judged.sign is not signs.UNCONNECTED else Certainty.LIKELY)
    if judged.sign is signs.RACE:
        other = RuledOut(signs.RACE.code, "ECS stopped the target's task in the same seconds", evidence.citations)
        return replace(judged, sign=signs.DIED, certainty=Certainty.PROVEN, evidence=(evidence,), ruled_out=(other,), gaps=(), more={})
    return judged


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
    return bool(served) and all(row["target_ip"] in away for row in served)
