"""How sure it is what a load balancer and its target failed at: what confirms each pattern, what excludes it, what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

from kyumei.edge.balancer import target as signs
from kyumei.edge.balancer.answer import wall_seconds
from kyumei.edge.balancer.finding import TITLES, Judged, about, moved
from kyumei.edge.balancer.health import checks, group_health
from kyumei.edge.balancer.keep_alive import keep_alive
from kyumei.edge.balancer.pod_ends import pod_ended
from kyumei.edge.balancer.setting import group_of, idle_timeout
from kyumei.edge.balancer.target import Kind
from kyumei.edge.balancer.target_ends import none_left
from kyumei.edge.balancer.target_traces import GIVEN_UP, answered, ends, finished_early, finished_later, reached
from kyumei.edge.balancer.task_stops import address_of_task
from kyumei.edge.documents import answers
from kyumei.edge.literals import literal, same
from kyumei.edge.metrics import moment, points, reading
from kyumei.edge.request_words import request_words
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part
    from kyumei.edge.balancer.target_traces import Ends

SOON = timedelta(seconds=5)
"""A group that serves this soon before and after a failure had targets."""
FEWEST_HITS, FEWEST_OTHERS = 3, 5
"""Requests of one path that must all have failed, and of others that went well, before the path counts as the only one."""
RARE = 0.25
"""Share of the group's requests up to which failures are sporadic."""
STOPPED_WITHIN = 5
"""Seconds between an answer of the balancer and the stop of a task that caused it."""
NOT_ROUTED = frozenset({"unused", "draining"})
"""States of targets that get no new requests."""
NO_ANSWER = ("Target.Timeout", "TimedOut", "RequestTimedOut", "ConnectionTimedOut")
REFUSALS = ("Target.FailedHealthChecks", "ConnectionReset")
REFUSED, RACE, DIED = "EDGE-035", "EDGE-036", "EDGE-037"


def judge(view: View, part: Part, kind: Kind) -> Judged:
    """What the case makes of requests that show one pattern."""
    judges: dict[Kind, Callable[[View, Part], Judged]] = {
        Kind.REFUSED: _refused,
        Kind.CLOSED: _closed,
        Kind.DIED: _died,
        Kind.BROKEN: _broken,
        Kind.NO_GROUP: _no_group,
        Kind.UNCONNECTED: _unconnected,
        Kind.SLOW: _slow,
    }
    if kind not in judges:
        return Judged(None, gaps=(unknown(part),))
    return judges[kind](view, part)


def unknown(part: Part) -> Gap:
    """What would tell why the balancer answered so, where its row fits no pattern."""
    row = part.row
    how = "aws elbv2 describe-target-health --target-group-arn <ARN>, and the targets' own logs around the moment"
    return Gap(
        "state of the load balancer's targets", f"why it answered {row['status']} to {request_words(row)} (last action forward)", how
    )


def _target_log(what: str) -> Gap:
    how = (
        "copy the logs of the service on the target, of its supervisor (journalctl -u <UNIT>) and of the kernel around the "
        "moment into the folder"
    )
    return Gap("the target's own logs around the moment", what, how)


def _metric_gap(names: Sequence[str], what: str) -> Gap:
    listed = " and ".join(names)
    how = "aws cloudwatch get-metric-data for these metrics by LoadBalancer and TargetGroup, stored as aws/cloudwatch/get-metric-data.json"
    return Gap(f"metric {listed} of the load balancer", what, how)


def _health_gap(view: View, part: Part, what: str) -> Gap:
    arn = group_of(view, part.row) or "<TARGET_GROUP_ARN>"
    name = arn.split("/")[1] if arn.count("/") > 1 else "<TARGET_GROUP>"
    how = f"aws elbv2 describe-target-health --target-group-arn {arn} > aws/elbv2/describe-target-health.{name}.json"
    return Gap("health of the target group (describe-target-health)", what, how)


def _saw_it(view: View, part: Part, code: str, name: str) -> tuple[RuledOut, ...]:
    """That the target did get the request, which excludes that it was never sent."""
    seen = [row for hop, rows in part.failure.sightings.items() if hop in TITLES for row in rows] or reached(view, part.rows)
    why = f"a log behind the load balancer has the request, so {name} is not what failed"
    return (RuledOut(code, why, view.cite(seen, 2)),) if seen else ()


def _silent(part: Part) -> bool:
    """Whether a log that covers the moment lacks the request further in."""
    return any(hop in TITLES for hop in part.failure.silent)


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
    if ruled := _saw_it(view, part, REFUSED, "the connection"):
        return Judged(None, ruled_out=ruled, gaps=(_target_log("why its answer could not be used"),))
    metric, zero = moved(view, part, signs.REFUSED.metrics)
    evidence = [*([metric] if metric else []), *_unhealthy(view, part, REFUSALS)]
    what = "whether connections to the target fail, and why"
    if evidence:
        return Judged(signs.REFUSED, Certainty.PROVEN, tuple(evidence))
    gaps = (_metric_gap(signs.REFUSED.metrics, what), _health_gap(view, part, what))
    at_once = (wall_seconds(part.row) or 0) < signs.CONNECT_SECONDS[0]
    likely = _silent(part) and at_once and not zero
    return Judged(signs.REFUSED, Certainty.LIKELY if likely else Certainty.POSSIBLE, gaps=gaps)


def _one_path(view: View, part: Part) -> Evidence | None:
    """That every request for the one failing path fails so while the others of its target group are served."""
    paths = {row["path"] for row in part.rows}
    if len(paths) != 1 or None in paths:
        return None
    row, group = part.row, group_of(view, part.row)
    where = f"{same('elb', row['elb'])} AND {same('target_group_arn', group)}"
    since = f"time >= {literal(min(one['started'] or one['time'] for one in part.rows))}"
    here = same("path", row["path"])
    sql = (
        f"SELECT count(*) FILTER (WHERE {here}) AS hits, count(*) FILTER (WHERE {here} AND target_status = status) AS served, "
        f"count(*) FILTER (WHERE NOT ({here}) AND target_status = status) AS others, "
        f"count(*) FILTER (WHERE NOT ({here}) AND target_status IS DISTINCT FROM status AND status = 502) AS failing FROM alb_access "
        f"WHERE {where} AND {since}"
    )
    found = view.rows(sql)[0]
    if found["hits"] < FEWEST_HITS or found["served"] or found["others"] < FEWEST_OTHERS or found["failing"]:
        return None
    says = (
        f"All {found['hits']} requests for {row['path']} failed so, and none of {found['others']} others that the same "
        f"target group answered"
    )
    return Evidence(says, view.cite(part.rows), sql, found["hits"])


def _ended(view: View, part: Part) -> tuple[Ends, Certainty, Evidence] | None:
    """That a process ended in the very seconds of the failures, and how sure that makes it."""
    found = ends(view, part.rows)
    if found is None or not found.lines:
        return None
    first = (str(found.lines[0]["message"]).splitlines() or [""])[0][:200]
    says = f"In the seconds of {found.beside} of {found.of} failing requests a process behind the load balancer ended: {first}"
    return found, Certainty.PROVEN if found.tell else Certainty.POSSIBLE, Evidence(says, view.cite(found.lines), total=len(found.lines))


def _closed(view: View, part: Part) -> Judged:
    idle = idle_timeout(view, part.row["elb"])[0]
    ended = _ended(view, part)
    if ended is not None and ended[1] is Certainty.PROVEN:
        other = RuledOut(RACE, "a process behind the load balancer ended in the same seconds", view.cite(ended[0].lines, 1))
        return Judged(signs.DIED, ended[1], (ended[2],), (other,))
    if only := _one_path(view, part):
        return replace(
            _answer_unusable(view, part, only), ruled_out=(RuledOut(RACE, "only one path fails, and each time; a race would meet any"),)
        )
    kept = keep_alive(view)
    if done := answered(view, part.rows):
        why = "the target answered these requests, as its own log says, so that it had not closed the connection"
        return replace(_answer_unusable(view, part, None), ruled_out=(RuledOut(RACE, why, view.cite(done, 2)),))
    if ruled := _saw_it(view, part, RACE, "an idle connection"):
        return Judged(signs.DIED, Certainty.POSSIBLE, ruled_out=ruled, gaps=(_target_log("what ended the connection at once"),))
    if kept and (kept.seconds == 0 or (kept.configured and kept.seconds > idle)):
        why = f"{kept.says}, and is longer than the idle timeout of {idle:g} s" if kept.seconds else kept.says
        longer = RuledOut(RACE, why, kept.citations)
        return Judged(signs.DIED, Certainty.POSSIBLE, ruled_out=(longer,), gaps=(_target_log("what ended the connection at once"),))
    rare, share = _sporadic(view, part)
    if not rare:
        return Judged(signs.DIED, Certainty.POSSIBLE, (share,), gaps=(_target_log("what ended the connection at once"),))
    evidence, sure = [share], Certainty.POSSIBLE
    if kept and kept.seconds < idle:
        evidence.append(Evidence(f"{kept.says}; the load balancer's idle timeout is {idle:g} s", kept.citations))
        sure = Certainty.PROVEN if kept.configured else Certainty.LIKELY if _silent(part) else Certainty.POSSIBLE
    if ended is not None:
        evidence, sure = [*evidence, ended[2]], Certainty.POSSIBLE
    gap = Gap(
        "the target's keep-alive setting",
        f"whether the target closes idle connections before the load balancer's {idle:g} s",
        "copy the server's configuration, or aws ecs describe-task-definition --task-definition <NAME>, into the folder",
    )
    more = {"idle": f"{idle:g}", "longer": f"{idle + 15:g}"}
    return Judged(signs.RACE, sure, tuple(evidence), gaps=() if sure is Certainty.PROVEN else (gap,), more=more)


def _sporadic(view: View, part: Part) -> tuple[bool, Evidence]:
    """Whether few of the requests to the same group fail so, and the sentence with their number."""
    row, times = part.row, [one["time"] for one in part.rows]
    span = f"time BETWEEN {literal(min(times))} - INTERVAL 10 MINUTE AND {literal(max(times))} + INTERVAL 10 MINUTE"
    sql = (
        "SELECT count(*) AS total, count(*) FILTER (WHERE target_status IS DISTINCT FROM status AND status = 502) AS failed "
        f"FROM alb_access WHERE {same('elb', row['elb'])} AND {same('target_group_arn', group_of(view, row))} AND {span}"
    )
    found = view.rows(sql)[0]
    rare = found["total"] >= part.total + FEWEST_OTHERS and found["failed"] <= found["total"] * RARE
    return rare, Evidence(
        f"{found['failed']} of {found['total']} requests to the target group around the moment failed so", sql=sql, total=found["failed"]
    )


def _died(view: View, part: Part) -> Judged:
    # An answer that the target's server gave up itself is none.
    later = [one for one in finished_later(view, part.rows) if (one["status"] or GIVEN_UP) < GIVEN_UP]
    done = finished_early(view, part.rows) or later or answered(view, part.rows)
    if done:
        why = "the target finished these requests, as its own log says, so its process did not die on them"
        found = _answer_unusable(view, part, _one_path(view, part))
        return replace(found, ruled_out=(RuledOut(DIED, why, view.cite(done, 2)), *found.ruled_out))
    if stopped := _task_stopped(view, part) or pod_ended(view, part.rows):
        return Judged(signs.died_of(stopped.says), Certainty.PROVEN, (stopped,))
    if ended := _ended(view, part):
        if ended[1] is Certainty.PROVEN:
            return Judged(signs.DIED, ended[1], (ended[2],))
        sure = Certainty.LIKELY if _silent(part) else Certainty.POSSIBLE
        return Judged(signs.DIED, sure, (ended[2],), gaps=(_target_log("what ended the process"),))
    gap = _target_log("what ended the process, or closed the connection, in the middle of the request")
    if only := _one_path(view, part):
        return Judged(signs.DIED, Certainty.LIKELY if _silent(part) else Certainty.POSSIBLE, (only,), gaps=(gap,))
    quiet = (
        view.has("app_log")
        and view.covers("app_log")
        and view.rows("SELECT 1 AS one FROM app_log WHERE server <> '' AND status IS NULL LIMIT 1")
    )
    likely = _silent(part) and not quiet
    return Judged(signs.DIED, Certainty.LIKELY if likely else Certainty.POSSIBLE, gaps=(gap,))


def _task_stopped(view: View, part: Part) -> Evidence | None:
    """That ECS stopped a task in the seconds of a failure; not one whose address is that of another target."""
    targets = {str(row["target_ip"]) for row in part.rows if row.get("target_ip")}
    for task, where in answers(view, "ecs", "describe-tasks"):
        own = address_of_task(task)
        if own and targets and own not in targets:
            continue
        for name in ("stoppingAt", "stoppedAt"):
            at = moment(task.get(name)) if task.get(name) else None
            if at is not None and any(abs((at - row["time"]).total_seconds()) <= STOPPED_WITHIN for row in part.rows):
                return Evidence(f"ECS stopped a task in these seconds: {task.get('stoppedReason') or 'no reason told'}", (where,))
    return None


def _broken(view: View, part: Part) -> Judged:
    return _answer_unusable(view, part, _one_path(view, part))


def _answer_unusable(view: View, part: Part, only: Evidence | None) -> Judged:
    """That the target did answer, and the balancer could not pass it on."""
    seen = [row for row in reached(view, part.rows) if row["status"] is not None and row["status"] < 500]  # noqa: PLR2004 - its own failure is another matter
    evidence = [*([only] if only else [])]
    if seen:
        evidence.append(Evidence(f"The target's own log has the request, answered {seen[0]['status']}", view.cite(seen), total=len(seen)))
    # A log that records every request would have one that was answered.
    quiet = not _silent(part) and any(view.has(table) and view.covers(table) for table in ("app_log", "json_lines", "syslog"))
    many = len({row["path"] for row in part.rows}) > 1
    sure = Certainty.PROVEN if seen and only else Certainty.LIKELY if (seen and not many) or (only and quiet) else Certainty.POSSIBLE
    gap = Gap(
        "the target's raw answer for this path",
        "whether its headers are malformed or larger than 32 KB, or its process ends on it",
        "curl -sS -D - -o /dev/null http://<TARGET>:<PORT><PATH>, and the target's own log",
    )
    return Judged(signs.BROKEN, sure, tuple(evidence), gaps=() if sure is Certainty.PROVEN else (gap,))


def _no_group(view: View, part: Part) -> Judged:
    row, code = part.row, signs.NO_GROUP.code
    rejects = reading(view, "TargetControlRequestRejectCount", [one["time"] for one in part.rows], about(view, row))
    if rejects and rejects.peak > 0:
        ruled = RuledOut(code, f"the target optimizer turned requests away: {rejects.words}", rejects.citations)
        return Judged(None, ruled_out=(ruled,), gaps=(unknown(part),))
    health, hosts = group_health(view, row), _no_hosts(view, part)
    if healthy := [one for one in health.states if one.state == "healthy"]:
        if hosts is None and not none_left(view, part).rows:  # Else these may be the successors of those that had ended.
            return Judged(None, ruled_out=(RuledOut(code, "the group has healthy targets", (healthy[0].citation,)),), gaps=(unknown(part),))
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
    likely = group_of(view, row) is not None and not _serves(view, part) and not health.states
    gap = _health_gap(view, part, "whether the group has targets that the load balancer may use")
    return Judged(signs.NO_GROUP, Certainty.LIKELY if likely else Certainty.POSSIBLE, gaps=(gap,))


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
    counted = [one for one in points(view) if one.metric == "HealthyHostCount"]
    around = [one for one in counted if one.time < min(moments)] and [one for one in counted if one.time > max(moments)]
    if around and down is None:
        return Evidence("CloudWatch counts no host of the group in these minutes, though it does before and after", (around[0].citation,))
    return None


def _unconnected(view: View, part: Part) -> Judged:
    if ruled := _saw_it(view, part, signs.UNCONNECTED.code, "the connection"):
        return Judged(None, ruled_out=ruled, gaps=(_target_log("why it did not answer"),))
    metric, _ = moved(view, part, signs.UNCONNECTED.metrics)
    evidence = [*([metric] if metric else []), *_unhealthy(view, part, NO_ANSWER)]
    idle, told = idle_timeout(view, part.row["elb"])
    ambiguous = signs.is_idle(wall_seconds(part.row), idle)
    if evidence and not ambiguous:
        return Judged(signs.UNCONNECTED, Certainty.PROVEN, tuple(evidence))
    longer = view.rows("SELECT 1 AS one FROM alb_access WHERE elb = ? AND target_seconds > 12 LIMIT 1", part.row["elb"])
    likely = not ambiguous and (told is not None or bool(longer) or _silent(part))
    gap = _metric_gap(
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
            gaps=(_target_log("how many bytes it announced and sent"),),
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
    gaps = [_target_log("what the request waited for")]
    if where is None:
        elb = part.row["elb"]
        how = (
            f"aws elbv2 describe-load-balancer-attributes --load-balancer-arn <ARN of {elb}> > "
            f"aws/elbv2/describe-load-balancer-attributes.json"
        )
        gaps.append(Gap("attributes of the load balancer", "its idle timeout", how))
    return Judged(signs.SLOW, Certainty.LIKELY if likely else Certainty.POSSIBLE, tuple(evidence), gaps=tuple(gaps), more=more)
