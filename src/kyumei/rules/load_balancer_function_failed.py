"""The load balancer could not use its Lambda target, or the function itself returned the failure (EDGE-006, 008, 062 to 073).

What an operator must know: rows of Lambda targets never name a target or its status, so that a failure which the function returned itself
looks like one of the balancer's (EDGE-008); only ``error_reason`` tells them apart. It is proven when LambdaUserError or
LambdaInternalError moves in the same minutes, the function's own log shows the failure (of this request by its trace id, or of its second
where no other function can be meant), or CloudTrail has the call that brought it about. Follows "Lambda functions as targets" of the
Elastic Load Balancing user guide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.balancer.answer import Part, Stage, parts
from kyumei.edge.balancer.finding import Judged, moved, opinion_of
from kyumei.edge.balancer.function import ANSWERED, OTHER, SIGNS, UNRUN, sign_of
from kyumei.edge.balancer.setting import group_document, group_of
from kyumei.edge.function import log as function_log
from kyumei.edge.function.changes import changed_function, target_function
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

NEAR = timedelta(seconds=2)
LIMIT_BYTES = 1_000_000
"""A Lambda target takes 1 MB; a request that is smaller, headers included, was not too large."""
RAN = frozenset({"LambdaInvalidResponse", "LambdaResponseTooLarge"})
"""Reasons for which the function must have run to its end: a REPORT line of it confirms them."""
ANSWERED_CODE = ANSWERED.code


def examine(view: View) -> Opinion:
    """One finding for each reason among the failing requests of each failure."""
    found = [(part, _judge(view, part) if part.row.get("error_reason") else _returned(view, part)) for part in _parts(view)]
    return opinion_of(view, RULE.name, found)


def _parts(view: View) -> list[Part]:
    """What rows of Lambda targets show, also rows without phases where the group is known to be of that type."""
    kinds = lambda row: (row.get("error_reason"), row["status"])  # noqa: E731 - one key for two lists
    found = parts(view, Stage.FUNCTION, kinds)
    for part in parts(view, Stage.TARGET, kinds):
        group = group_document(view, group_of(view, part.row))
        if group and group[0].get("TargetType") == "lambda":
            found.append(part)
    return found


def _judge(view: View, part: Part) -> Judged:
    row, reason = part.row, str(part.row["error_reason"])
    sign = sign_of(reason)
    target = target_function(view, part.row)
    told = _lines(view, part, target)
    reports = [line for line in told.lines if function_log.is_report(line)]
    if sign.code in UNRUN and told.settled and len(reports) > _served(view, part):
        why = "the function's log shows more runs in these seconds than the load balancer had answers of it"
        return Judged(None, ruled_out=(RuledOut(sign.code, why, view.cite(reports, 1)),), gaps=(_log_gap(reason),))
    if reason == "LambdaRequestTooLarge" and (row.get("received_bytes") or LIMIT_BYTES) < LIMIT_BYTES // 2:
        why = f"the request had only {row['received_bytes']} bytes"
        return Judged(None, ruled_out=(RuledOut(sign.code, why, view.cite(part.rows, 1)),), gaps=(_log_gap(reason),))
    metric, _ = moved(view, part, sign.metrics)
    evidence = [metric] if metric else []
    own = [line for line in told.lines if function_log.failed(line)] if sign.code == "EDGE-064" else reports if reason in RAN else []
    proven = bool(metric) or (bool(own) and told.settled)
    if own:
        first = str(own[0]["message"]).splitlines()[0][:200]
        whose = "The function's own log" if told.settled else "A function's log, though it is not told which one's,"
        joined = "of the same request (by its trace id)" if told.traced else "in the same seconds"
        evidence.append(Evidence(f"{whose} says {joined}: {first}", view.cite(own), total=len(own)))
    by_change, settles = changed_function(view, part, sign.code, target)
    evidence += [by_change] if by_change else []
    proven = proven or settles
    sure = Certainty.PROVEN if proven else Certainty.POSSIBLE if sign is OTHER else Certainty.LIKELY
    return Judged(sign, sure, tuple(evidence), gaps=() if proven else (_log_gap(reason),), more={"function": target} if target else {})


def _returned(view: View, part: Part) -> Judged:
    """No error reason: the function itself returned the status, where its group is of that type or the row has the shape of such rows."""
    group = group_document(view, group_of(view, part.row))
    metric, _ = moved(view, part, ("HTTPCode_Target_5XX_Count" if part.row["status"] >= 500 else "HTTPCode_Target_4XX_Count",))  # noqa: PLR2004 - class of the status
    gap = Gap(
        "the Lambda function's own log",
        f"why it returned {part.row['status']}",
        "aws logs filter-log-events --log-group-name /aws/lambda/<FUNCTION> --start-time <MS> --end-time <MS> "
        "> aws/logs/filter-log-events.<FUNCTION>.json",
    )
    if group is not None and group[0].get("TargetType") != "lambda":
        return Judged(None, ruled_out=(RuledOut(ANSWERED_CODE, "the target group is not of type lambda", (group[1],)),), gaps=(gap,))
    evidence = [Evidence("The target group is of type lambda, whose rows never name a target status", (group[1],))] if group else []
    evidence += [metric] if metric else []
    sure = Certainty.PROVEN if group and metric else Certainty.LIKELY if group else Certainty.POSSIBLE
    if group is None:
        how = "aws elbv2 describe-target-groups > aws/elbv2/describe-target-groups.json"
        gap = Gap("type of the target group (describe-target-groups)", "whether the target is a Lambda function", how)
    innocent = RuledOut("EDGE-006", "the row names no error reason: the call of the function worked", view.cite(part.rows, 1))
    return Judged(ANSWERED, sure, tuple(evidence), (innocent,), (gap,))


class _Told(NamedTuple):
    """Lines of the function's log; ``traced`` if they are of these very requests, ``settled`` if they are surely of this function."""

    lines: tuple[dict[str, Any], ...]
    traced: bool
    settled: bool


def _lines(view: View, part: Part, target: str) -> _Told:
    """Lines of the function's log: of the failing requests by their trace ids, else those of their seconds."""
    rows = part.rows[:10]
    start, end = min(row["started"] or row["time"] for row in rows) - NEAR, max(row["time"] for row in rows) + NEAR
    traces = sorted({str(row["trace_id"]) for row in rows if row.get("trace_id")})
    if traced := function_log.of_traces(view, traces, start, end):
        return _Told(tuple(traced), traced=True, settled=True)
    found = [
        line for row in rows for line in function_log.between(view, (row["started"] or row["time"]) - NEAR, row["time"] + NEAR, most=100)
    ]
    each = list({(one["_artifact"], one["_line"]): one for one in found}.values())
    own, settled = function_log.of_function(each, target, function_log.functions(view) if each else {})
    # Whose log happens to be in the folder does not say which function was called.
    return _Told(tuple(own), traced=False, settled=settled and bool(target))


def _served(view: View, part: Part) -> int:
    """Answers that the function gave in the same seconds: their runs stand in its log, too."""
    times = [one["time"] for one in part.rows]
    found = view.rows(
        (
            "SELECT count(*) AS n FROM alb_access WHERE target_group_arn IS NOT DISTINCT FROM ? AND error_reason IS NULL "
            "AND time BETWEEN ? AND ?"
        ),
        group_of(view, part.row),
        min(times) - 2 * NEAR,
        max(times) + 2 * NEAR,
    )
    return int(found[0]["n"])


def _log_gap(reason: str) -> Gap:
    return Gap(
        "the Lambda function's own log, and the metrics LambdaUserError and LambdaInternalError",
        f"what is behind {reason}",
        "aws logs filter-log-events --log-group-name /aws/lambda/<FUNCTION> > aws/logs/filter-log-events.<FUNCTION>.json, and "
        "aws cloudwatch get-metric-data by TargetGroup",
    )


RULE = Rule(
    name="load_balancer_function_failed",
    codes=tuple(sorted(sign.code for sign in SIGNS)),
    needs=("alb_access",),
    helps=("lambda_log", "app_log", "json_lines", "cloudtrail", "resource_snapshot"),
    rivals=("load_balancer_target_failed",),
    examine=examine,
)
