"""How sure it is that a target ended the connection, died, or answered what cannot be passed on: it had got the request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kyumei.edge.balancer import target as signs
from kyumei.edge.balancer.finding import Judged
from kyumei.edge.balancer.keep_alive import keep_alive
from kyumei.edge.balancer.pod_ends import pod_ended
from kyumei.edge.balancer.setting import group_of, idle_timeout
from kyumei.edge.balancer.target_gaps import saw_it, silent, target_log
from kyumei.edge.balancer.target_traces import GIVEN_UP, answered, ends, finished_early, finished_later, reached
from kyumei.edge.balancer.task_stops import task_stopped
from kyumei.edge.literals import literal, same
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

if TYPE_CHECKING:
    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part
    from kyumei.edge.balancer.target_traces import Ends

FEWEST_HITS, FEWEST_OTHERS = 3, 5
"""Requests of one path that must all have failed, and of others that went well, before the path counts as the only one."""
RARE = 0.25
"""Share of the group's requests up to which failures are sporadic."""
RACE, DIED = "EDGE-036", "EDGE-037"


def closed(view: View, part: Part) -> Judged:
    """The target closed the connection at once: it died, its keep-alive is shorter than the balancer's, or its answer was unusable."""
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
    if ruled := saw_it(view, part, RACE, "an idle connection"):
        return Judged(signs.DIED, Certainty.POSSIBLE, ruled_out=ruled, gaps=(target_log("what ended the connection at once"),))
    if kept and (kept.seconds == 0 or (kept.configured and kept.seconds > idle)):
        why = f"{kept.says}, and is longer than the idle timeout of {idle:g} s" if kept.seconds else kept.says
        longer = RuledOut(RACE, why, kept.citations)
        return Judged(signs.DIED, Certainty.POSSIBLE, ruled_out=(longer,), gaps=(target_log("what ended the connection at once"),))
    rare, share = _sporadic(view, part)
    if not rare:
        return Judged(signs.DIED, Certainty.POSSIBLE, (share,), gaps=(target_log("what ended the connection at once"),))
    evidence, sure = [share], Certainty.POSSIBLE
    if kept and kept.seconds < idle:
        evidence.append(Evidence(f"{kept.says}; the load balancer's idle timeout is {idle:g} s", kept.citations))
        sure = Certainty.PROVEN if kept.configured else Certainty.LIKELY if silent(part) else Certainty.POSSIBLE
    if ended is not None:
        evidence, sure = [*evidence, ended[2]], Certainty.POSSIBLE
    gap = Gap(
        "the target's keep-alive setting",
        f"whether the target closes idle connections before the load balancer's {idle:g} s",
        "copy the server's configuration, or aws ecs describe-task-definition --task-definition <NAME>, into the folder",
    )
    more = {"idle": f"{idle:g}", "longer": f"{idle + 15:g}"}
    return Judged(signs.RACE, sure, tuple(evidence), gaps=() if sure is Certainty.PROVEN else (gap,), more=more)


def died(view: View, part: Part) -> Judged:
    """The target closed the connection while it was at work on the request."""
    # An answer that the target's server gave up itself is none.
    later = [one for one in finished_later(view, part.rows) if (one["status"] or GIVEN_UP) < GIVEN_UP]
    done = finished_early(view, part.rows) or later or answered(view, part.rows)
    if done:
        why = "the target finished these requests, as its own log says, so its process did not die on them"
        found = _answer_unusable(view, part, _one_path(view, part))
        return replace(found, ruled_out=(RuledOut(DIED, why, view.cite(done, 2)), *found.ruled_out))
    if stopped := task_stopped(view, part.rows) or pod_ended(view, part.rows):
        return Judged(signs.died_of(stopped.says), Certainty.PROVEN, (stopped,))
    if ended := _ended(view, part):
        if ended[1] is Certainty.PROVEN:
            return Judged(signs.DIED, ended[1], (ended[2],))
        sure = Certainty.LIKELY if silent(part) else Certainty.POSSIBLE
        return Judged(signs.DIED, sure, (ended[2],), gaps=(target_log("what ended the process"),))
    gap = target_log("what ended the process, or closed the connection, in the middle of the request")
    if only := _one_path(view, part):
        return Judged(signs.DIED, Certainty.LIKELY if silent(part) else Certainty.POSSIBLE, (only,), gaps=(gap,))
    quiet = (
        view.has("app_log")
        and view.covers("app_log")
        and view.rows("SELECT 1 AS one FROM app_log WHERE server <> '' AND status IS NULL LIMIT 1")
    )
    likely = silent(part) and not quiet
    return Judged(signs.DIED, Certainty.LIKELY if likely else Certainty.POSSIBLE, gaps=(gap,))


def broken(view: View, part: Part) -> Judged:
    """The target answered, and the balancer could not read it."""
    return _answer_unusable(view, part, _one_path(view, part))


def _answer_unusable(view: View, part: Part, only: Evidence | None) -> Judged:
    """That the target did answer, and the balancer could not pass it on."""
    seen = [row for row in reached(view, part.rows) if row["status"] is not None and row["status"] < 500]  # noqa: PLR2004 - its own failure is another matter
    evidence = [*([only] if only else [])]
    if seen:
        evidence.append(Evidence(f"The target's own log has the request, answered {seen[0]['status']}", view.cite(seen), total=len(seen)))
    # A log that records every request would have one that was answered.
    quiet = not silent(part) and any(view.has(table) and view.covers(table) for table in ("app_log", "json_lines", "syslog"))
    many = len({row["path"] for row in part.rows}) > 1
    sure = Certainty.PROVEN if seen and only else Certainty.LIKELY if (seen and not many) or (only and quiet) else Certainty.POSSIBLE
    gap = Gap(
        "the target's raw answer for this path",
        "whether its headers are malformed or larger than 32 KB, or its process ends on it",
        "curl -sS -D - -o /dev/null http://<TARGET>:<PORT><PATH>, and the target's own log",
    )
    return Judged(signs.BROKEN, sure, tuple(evidence), gaps=() if sure is Certainty.PROVEN else (gap,))


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
