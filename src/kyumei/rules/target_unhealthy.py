"""The targets were unhealthy, and so the load balancer's 502, 503 or 504 has its reason further in (EDGE-078 to EDGE-082).

What an operator must know: a stored ``describe-target-health`` does not say when it was taken, and an unhealthy target alone makes no
request fail while others are healthy (with none, the balancer uses all of them). So the state counts only for the group, and where
possible the target, of the failing requests, only when it fits their status, and is proven only when a second record of the same minutes
agrees: the balancer's health check log, the metric, the packets of its connections, or the target's silence. Follows "Health checks for
your target groups" of the Elastic Load Balancing user guide.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.balancer.answer import Part, Stage, parts
from kyumei.edge.balancer.finding import TITLES, Judged, moved, opinion_of
from kyumei.edge.balancer.health import Checks, TargetState, checks, group_health
from kyumei.edge.balancer.packets import DROPPED, packets
from kyumei.edge.balancer.unhealthy import BY_REASON, UNHEALTH, Unhealth
from kyumei.edge.connections import Fate
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

if TYPE_CHECKING:
    from kyumei.model.finding import Citation

HEALTHY = "healthy"
PACKETS = {"EDGE-078": DROPPED, "EDGE-079": frozenset({Fate.REFUSED})}
"""What the flow log must have of connections to the target for it to agree with a state."""


def examine(view: View) -> Opinion:
    """At most one finding for each status among the failing requests of each failure."""
    found = parts(view, Stage.TARGET, lambda row: (row["status"], row.get("target_group_arn")))
    return opinion_of(view, RULE.name, [(part, _judge(view, part)) for part in found])


def _judge(view: View, part: Part) -> Judged:
    targets = [str(row["target_ip"]) for row in part.rows if row.get("target_ip")]
    states = group_health(view, part.row).of(targets)
    seen = checks(view, part.rows)
    if seen and seen.passed > len(seen.failed):
        return _healthy("the load balancer's health checks of the target passed around the moment")
    if not (seen and seen.failed):
        healthy = [one for one in states if one.state == HEALTHY]
        if not states or healthy:
            return _healthy("describe-target-health says that it is healthy", healthy[0].citation) if healthy else Judged(None)
    reason = seen.reason if seen and seen.failed else Counter(one.reason for one in states).most_common(1)[0][0]
    row = BY_REASON.get(reason)
    if row is None or part.row["status"] not in row.statuses:
        return Judged(None)
    return _unhealthy(view, part, row, [one for one in states if one.reason in row.reasons], seen)


def _healthy(why: str, *where: Citation) -> Judged:
    return Judged(None, ruled_out=tuple(RuledOut(row.sign.code, why, where) for row in UNHEALTH[:3]))


def _unhealthy(view: View, part: Part, row: Unhealth, states: list[TargetState], seen: Checks | None) -> Judged:
    evidence: list[Evidence] = []
    named = ""
    if states:
        first = states[0]
        named = f"{first.state}, {first.reason}"
        told = f": {first.description}" if first.description else ""
        names = ", ".join(sorted({one.target for one in states})[:3])
        evidence.append(Evidence(f"describe-target-health says of {names}: {named}{told}", (first.citation,), total=len(states)))
    failed = [one for one in seen.failed if one["error_reason"] in row.reasons] if seen else []
    if failed:
        status = f", status {failed[0]['target_status']}" if failed[0]["target_status"] else ""
        named = named or f"{failed[0]['error_reason']}{status}"
        says = f"{len(failed)} of the load balancer's health checks around the moment failed: {failed[0]['error_reason']}{status}"
        evidence.append(Evidence(says, view.cite(failed), total=len(failed)))
    metric, _ = moved(view, part, ("UnHealthyHostCount",)) if row.sign.layer == "target" else (None, False)
    evidence += [metric] if metric else []
    seen_packets = packets(view, part.rows, PACKETS[row.sign.code]) if row.sign.code in PACKETS else None
    evidence += [seen_packets.evidence(view)] if seen_packets else []
    silent = any(hop in TITLES for hop in part.failure.silent)
    second = bool(metric) or (bool(states) and bool(failed)) or (row.direct and silent) or bool(seen_packets and seen_packets.most)
    sure = Certainty.PROVEN if second and row.direct else Certainty.LIKELY if row.direct or second or failed else Certainty.POSSIBLE
    return Judged(row.sign, sure, tuple(evidence), gaps=() if second else (_gap(),), more={"state": named})


def _gap() -> Gap:
    return Gap(
        "health check log of the load balancer, or the metric UnHealthyHostCount",
        "whether the targets were unhealthy in the minutes of the failures, and not only when describe-target-health was asked",
        "copy the health check log from its S3 bucket; aws cloudwatch get-metric-data by LoadBalancer and TargetGroup",
    )


RULE = Rule(
    name="target_unhealthy",
    codes=tuple(row.sign.code for row in UNHEALTH),
    needs=("alb_access",),
    helps=("alb_health_check", "resource_snapshot", "vpc_flow", "nginx_access", "app_log"),
    rivals=("load_balancer_target_failed",),
    examine=examine,
)
