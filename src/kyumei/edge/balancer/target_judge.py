"""How sure it is what a load balancer and its target failed at: what confirms each pattern, what excludes it, what is missing."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from kyumei.edge.balancer import target as signs
from kyumei.edge.balancer.answer import wall_seconds
from kyumei.edge.balancer.cut_off import FEWEST_HITS, broken, closed, died
from kyumei.edge.balancer.finding import Judged, about, moved
from kyumei.edge.balancer.health import checks, group_health
from kyumei.edge.balancer.setting import group_of, idle_timeout
from kyumei.edge.balancer.target import Kind
from kyumei.edge.balancer.target_ends import none_left
from kyumei.edge.balancer.target_gaps import health_gap, metric_gap, saw_it, silent, target_log, unknown
from kyumei.edge.balancer.target_traces import finished_early, finished_later
from kyumei.edge.balancer.zones import cross_zone, empty_zone, zones_gap
from kyumei.edge.metrics import paused, reading
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part

SOON = timedelta(seconds=5)
"""A group that serves this soon before and after a failure had targets."""
NOT_ROUTED = frozenset({"unused", "draining"})
"""States of targets that get no new requests."""
NO_ANSWER = ("Target.Timeout", "TimedOut", "RequestTimedOut", "ConnectionTimedOut")
REFUSALS = ("Target.FailedHealthChecks", "ConnectionReset")
REFUSED = "EDGE-035"


def judge(view: View, part: Part, kind: Kind) -> Judged:
    """What the case makes of requests that show one pattern."""
    judges: dict[Kind, Callable[[View, Part], Judged]] = {
        Kind.REFUSED: _refused,
        Kind.CLOSED: closed,
        Kind.DIED: died,
        Kind.BROKEN: broken,
        Kind.NO_GROUP: _no_group,
        Kind.UNCONNECTED: _unconnected,
        Kind.SLOW: _slow,
    }
    if kind not in judges:
        return Judged(None, gaps=(unknown(part),))
    return judges[kind](view, part)


def _unhealthy(view: View, part: Part, reasons: Sequence[str]) -> list[Evidence]:
    """States and health checks of the failing requests' targets that give one of these reasons."""
    targets = [str(row["target_ip"]) for row in part.rows if row.get("target_ip")]
    states = group_health(view, part.row).of(targets)
    bad = [one for one in states if one.reason in reasons]
    found: list[Evidence] = []
    if bad and len(bad) == len(states):
        names = ", ".join(sorted({one.target for one in bad})[:3])
        found.append(
            Evidence(f"describe-target-health says of {names}: {bad[0].state}, {bad[0].reason}", (bad[0].citation,), total=len(bad))
        )
    seen = checks(view, part.rows)
    failed = [row for row in seen.failed if row["error_reason"] in reasons] if seen else []
    if seen and failed and len(failed) > seen.passed:
        says = f"The load balancer's own health checks of that target failed around the moment: {failed[0]['error_reason']}"
        found.append(Evidence(says, view.cite(failed), total=len(failed)))
    return found


def _refused(view: View, part: Part) -> Judged:
    if ruled := saw_it(view, part, REFUSED, "the connection"):
        return Judged(None, ruled_out=ruled, gaps=(target_log("why its answer could not be used"),))
    metric, zero = moved(view, part, signs.REFUSED.metrics)
    evidence = [*([metric] if metric else []), *_unhealthy(view, part, REFUSALS)]
    what = "whether connections to the target fail, and why"
    if evidence:
        return Judged(signs.REFUSED, Certainty.PROVEN, tuple(evidence))
    gaps = (metric_gap(signs.REFUSED.metrics, what), health_gap(view, part, what))
    at_once = (wall_seconds(part.row) or 0) < signs.CONNECT_SECONDS[0]
    likely = silent(part) and at_once and not zero
    return Judged(signs.REFUSED, Certainty.LIKELY if likely else Certainty.POSSIBLE, gaps=gaps)


def _no_group(view: View, part: Part) -> Judged:
    row, code = part.row, signs.NO_GROUP.code
    rejects = reading(view, "TargetControlRequestRejectCount", [one["time"] for one in part.rows], about(view, row))
    if rejects and rejects.peak > 0:
        ruled = RuledOut(code, f"the target optimizer turned requests away: {rejects.words}", rejects.citations)
        return Judged(None, ruled_out=(ruled,), gaps=(unknown(part),))
    health, hosts = group_health(view, row), _no_hosts(view, part)
    if healthy := [one for one in health.states if one.state == "healthy"]:
        if hosts is None and not none_left(view, part).rows:  # Else these may be the successors of those that had ended.
            return _of_one_zone(view, part) or Judged(
                None, ruled_out=(RuledOut(code, "the group has healthy targets", (healthy[0].citation,)),), gaps=(_why(view, part),)
            )
    elif health.empty:
        return Judged(signs.NO_GROUP, Certainty.PROVEN, (Evidence("describe-target-health lists no target of the group", health.empty),))
    elif health.states and all(one.state in NOT_ROUTED for one in health.states):
        first = health.states[0]
        says = f"describe-target-health says that all {len(health.states)} targets of the group are {first.state}: {first.reason}"
        evidence = (Evidence(says, (first.citation,), total=len(health.states)),)
        # What is being deregistered is so for minutes only, and the answer does not say when it was given.
        lasting = all(one.state == "unused" for one in health.states)
        serves = not lasting and _serves(view, part)
        sure = Certainty.PROVEN if lasting else Certainty.POSSIBLE if serves else Certainty.LIKELY
        return Judged(signs.NO_GROUP, sure, evidence)
    if hosts is not None:
        return Judged(signs.NO_GROUP, Certainty.PROVEN, (hosts,))
    gap = health_gap(view, part, "whether the group has targets that the load balancer may use")
    if counted := _counted_hosts(view, part):
        return Judged(signs.NO_GROUP, Certainty.POSSIBLE, (counted,), gaps=(gap,))
    likely = group_of(view, row) is not None and not _serves(view, part) and not health.states
    return Judged(signs.NO_GROUP, Certainty.LIKELY if likely else Certainty.POSSIBLE, gaps=(gap,))


def _of_one_zone(view: View, part: Part) -> Judged | None:
    """That only the node of a zone without targets failed, while the others served; when the targets were listed nothing tells."""
    found = empty_zone(view, part.row)
    if found is None or not _serves(view, part):
        return None
    if not found.zones:
        return Judged(signs.NO_GROUP, Certainty.POSSIBLE, found.evidence, gaps=(zones_gap(view, part.row),))
    served = Evidence("The group served other requests between those that failed, as the nodes of its other zones would")
    return Judged(signs.EMPTY_ZONE, Certainty.LIKELY, (*found.evidence, served), more={"zone": ", ".join(found.zones)})


def _why(view: View, part: Part) -> Gap:
    """What would tell why a group with healthy targets had none to use: mostly a zone of its own without one."""
    return zones_gap(view, part.row) if cross_zone(view, part.row) is None and _serves(view, part) else unknown(part)


def _serves(view: View, part: Part) -> bool:
    """Whether the group served requests between the failures, or within seconds both before and after them."""
    times = [row["time"] for row in part.rows]
    near = [
        view.rows(
            "SELECT count(*) AS n FROM alb_access WHERE elb = ? AND target_group_arn = ? AND target_status = status "
            "AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP",
            part.row["elb"],
            group_of(view, part.row),
            start,
            end,
        )[0]["n"]
        for start, end in ((min(times), max(times)), (min(times) - SOON, min(times)), (max(times), max(times) + SOON))
    ]
    return bool(near[0] or (near[1] and near[2]))


def _no_hosts(view: View, part: Part) -> Evidence | None:
    """That the count of the group's hosts was zero, or missing while it was there before and after."""
    moments, names = [row["time"] for row in part.rows], about(view, part.row)
    up, down = (reading(view, name, moments, names) for name in ("HealthyHostCount", "UnHealthyHostCount"))
    if up is not None:
        return Evidence(f"CloudWatch agrees: {up.words}", up.citations) if up.peak == 0 and (down is None or down.peak == 0) else None
    if down is None and (around := paused(view, "HealthyHostCount", moments, names)):
        return Evidence("CloudWatch counts no host of the group in these minutes, though it does before and after", around)
    return None


def _counted_hosts(view: View, part: Part) -> Evidence | None:
    """That CloudWatch counts healthy hosts of the group in the minutes of the failures, told for each of them."""
    moments = [row["time"] for row in part.rows]
    up = reading(view, "HealthyHostCount", moments, about(view, part.row))
    if up is None or up.lowest <= 0 or not all(any(point.covers(one) for point in up.points) for one in moments):
        return None
    return Evidence(f"Against it: the group had hosts, for {up.words}", up.citations)


def _unconnected(view: View, part: Part) -> Judged:
    if ruled := saw_it(view, part, signs.UNCONNECTED.code, "the connection"):
        return Judged(None, ruled_out=ruled, gaps=(target_log("why it did not answer"),))
    metric, _ = moved(view, part, signs.UNCONNECTED.metrics)
    evidence = [*([metric] if metric else []), *_unhealthy(view, part, NO_ANSWER)]
    idle, told = idle_timeout(view, part.row["elb"])
    ambiguous = signs.is_idle(wall_seconds(part.row), idle)
    if evidence and not ambiguous:
        return Judged(signs.UNCONNECTED, Certainty.PROVEN, tuple(evidence))
    longer = view.rows("SELECT 1 AS one FROM alb_access WHERE elb = ? AND target_seconds > 12 LIMIT 1", part.row["elb"])
    likely = not ambiguous and (told is not None or bool(longer) or silent(part))
    gap = metric_gap(
        signs.UNCONNECTED.metrics, "whether connections to the target time out; a VPC flow log of the target tells where packets stop"
    )
    return Judged(signs.UNCONNECTED, Certainty.LIKELY if likely else Certainty.POSSIBLE, tuple(evidence), gaps=(gap,))


def _slow(view: View, part: Part) -> Judged:
    idle, where = idle_timeout(view, part.row["elb"])
    waits = [wait for row in part.rows if (wait := row.get("target_seconds") or wall_seconds(row)) is not None]
    more = {"idle": f"{idle if where or signs.is_idle(median(waits), idle) else median(waits):.0f}"}
    if early := finished_early(view, part.rows):
        why = "the target's own log says that it was done long before: its Content-Length, or the way back, is at fault"
        return Judged(
            None,
            ruled_out=(RuledOut(signs.SLOW.code, why, view.cite(early, 2)),),
            gaps=(target_log("how many bytes it announced and sent"),),
        )
    evidence: list[Evidence] = []
    if later := finished_later(view, part.rows):
        says = f"The target's own log has the request, at work for {later[0]['request_seconds']:.1f} s"
        evidence.append(Evidence(says, view.cite(later), total=len(later)))
    took = reading(view, "TargetResponseTime", [row["time"] for row in part.rows], about(view, part.row))
    if took and took.peak >= median(waits) * 0.8:
        evidence.append(Evidence(f"CloudWatch agrees: {took.words} seconds", took.citations))
    if evidence:
        return Judged(signs.SLOW, Certainty.PROVEN, tuple(evidence), more=more)
    if where is not None:
        evidence.append(Evidence(f"The load balancer is set to wait {idle:g} s for its targets", (where,)))
    alike = len(waits) >= FEWEST_HITS and max(waits) - min(waits) <= max(1.0, median(waits) * signs.TOLERANCE)
    likely = signs.is_idle(median(waits), idle) or alike
    gaps = [target_log("what the request waited for")]
    if where is None:
        elb = part.row["elb"]
        how = (
            f"aws elbv2 describe-load-balancer-attributes --load-balancer-arn <ARN of {elb}> > "
            f"aws/elbv2/describe-load-balancer-attributes.json"
        )
        gaps.append(Gap("attributes of the load balancer", "its idle timeout", how))
    return Judged(signs.SLOW, Certainty.LIKELY if likely else Certainty.POSSIBLE, tuple(evidence), gaps=tuple(gaps), more=more)
