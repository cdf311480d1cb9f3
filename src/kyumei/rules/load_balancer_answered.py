"""The Application Load Balancer answered by a listener rule: a fixed response or a redirect (EDGE-003, EDGE-004).

The row itself names the action and the priority of the rule, and has no target status. It is proven when the listener's rules in the case
hold that very action, and likely from the row alone.
"""

from __future__ import annotations

import shlex
from datetime import UTC
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.balancer.answer import Stage, stage
from kyumei.edge.balancer.fallthrough import OtherHost, fell_through, other_host
from kyumei.edge.balancer.setting import listener_rules
from kyumei.edge.documents import as_list, as_map
from kyumei.edge.probe import again
from kyumei.edge.redirects import circle_of
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kyumei.model.finding import Citation

ACTIONS = {"fixed-response": "EDGE-003", "redirect": "EDGE-004"}
LISTENER = "aws elbv2 describe-rules --listener-arn <LISTENER_ARN>"


def examine(view: View) -> Opinion:
    """One finding for each group of requests that a listener rule answered."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.hop != "alb" or not failure.rows:
            continue
        action = (failure.rows[0]["actions"] or [""])[-1]
        if stage(failure.rows[0]) is Stage.OTHER:
            gaps.append(_unexplained(failure, action))
        # Another rule of the family speaks for the other parts of a balancer, and for what fell through to the default action.
        if stage(failure.rows[0]) is not Stage.RULE or fell_through(view, failure.rows[0]):
            continue
        if view.symptom.in_circles or circle_of(view, failure) is not None:
            continue  # redirect_loop knows more of it.
        configured = _configured(view, failure.rows[0], action)
        findings.append(_finding(view, failure, action, configured))
        if "waf" in (failure.rows[0]["actions"] or []):
            ruled_out.append(RuledOut("EDGE-022", "AWS WAF looked at the request and let it pass", view.cite(failure.rows, 1)))
        ruled_out += [RuledOut("EDGE-001", f"{hop} did not see the request, though its log covers the moment") for hop in failure.silent]
        if configured is None:
            gaps.append(Gap("aws elbv2 describe-rules of the listener", "the listener rule as configured", LISTENER))
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _unexplained(failure: Failure, action: str) -> Gap:
    row = failure.rows[0]
    told = f"error_reason {row['error_reason']}" if row["error_reason"] else f"last action {action or 'none'}"
    why = f"why it answered {row['status']} ({told})"
    if action == "forward":
        how = "aws elbv2 describe-target-health --target-group-arn <ARN>, and the targets' own logs around the moment"
        return Gap("state of the load balancer's targets", why, how)
    return Gap("configuration of the load balancer's listener", why, f"{LISTENER}, and its connection log")


def _configured(view: View, row: Mapping[str, Any], action: str) -> tuple[dict[str, Any], Citation] | None:
    """The listener rule of that priority with that action, where exactly one is in the case."""
    found = [
        (document, where)
        for document, where in listener_rules(view, str(row["elb"]), row["rule_priority"])
        if any(as_map(one).get("Type") == action for one in as_list(document.get("Actions")))
    ]
    return found[0] if len(found) == 1 else None


def _finding(view: View, failure: Failure, action: str, configured: tuple[dict[str, Any], Citation] | None) -> Finding:
    row = failure.rows[0]
    priority = "the default action" if row["rule_priority"] == 0 else f"rule {row['rule_priority']}"
    kind = "a fixed response" if action == "fixed-response" else "a redirect"
    chain = [
        Evidence(
            f"The load balancer's row ends with the action {action} by {priority} and has no target status: nothing behind it was asked",
            view.cite(failure.rows),
            f"SELECT * FROM alb_access WHERE elb = {quoted(str(row['elb']))} AND rule_priority = {row['rule_priority']} AND "
            f"status = {row['status']} ORDER BY time",
            failure.total,
        )
    ]
    if configured:
        chain.append(Evidence(f"The listener is configured so: {priority} answers with {kind}", (configured[1],), total=1))
    host = other_host(view, row)
    if host is not None:
        chain.append(host.evidence)
    chain += [Evidence(f"{hop} never saw it: its log covers the moment and does not have the request") for hop in failure.silent]
    return Finding(
        code=ACTIONS[action],
        rule=RULE.name,
        title=f"the load balancer {row['elb']} answered {row['status']} to {row['method']} {row['path']} by {kind} of "
        f"{priority} of its listener",
        certainty=Certainty.PROVEN if configured or failure.silent else Certainty.LIKELY,
        chain=tuple(chain),
        subject={
            "load_balancer": str(row["elb"]),
            "rule_priority": str(row["rule_priority"]),
            "action": action,
            "status": str(row["status"]),
        },
        remedy=(_remedy(view, row, host),),
        check=(
            Check(
                "The same request logs `forward` as its last action and a target status.",
                again(row),
            ),
        ),
        onset=_onset(view, row),
        explains=failure.total,
        layer="alb",
        failures=(failure.key,) if failure.key else (),
        message=f"Our load balancer is set to answer {row['path']} with {row['status']} itself. We are checking whether it should.",
    )


def _remedy(view: View, row: Mapping[str, Any], host: OtherHost | None) -> Remedy:
    """A listener rule that takes the request: by its host, where nothing else differs from what is forwarded; else by its path."""
    if host is not None:
        says = (
            f"If {row['host']} should be served like {host.host}: add it to the hosts of the rule that takes that one, or give it a rule "
            "of its own; else redirect it there, or mend what links to it."
        )
        return Remedy(says, (LISTENER, _new_rule(f"Field=host-header,Values={row['host']}", host.group)))
    says = (
        "If the request should reach a target: add or mend a listener rule of higher priority that forwards it, or "
        "change this rule's conditions."
    )
    condition = f"Field=path-pattern,Values={row['path']}"
    return Remedy(says, (LISTENER, _new_rule(condition, row["target_group_arn"])), _proof(view, row))


def _new_rule(condition: str, group: str | None) -> str:
    """The command for a rule that forwards what fits a condition; what came from the log is quoted for the shell."""
    action = f"Type=forward,TargetGroupArn={group or '<TARGET_GROUP_ARN>'}"
    return (
        "aws elbv2 create-rule --listener-arn <LISTENER_ARN> --priority <FREE_PRIORITY> "
        f"--conditions {shlex.quote(condition)} --actions {shlex.quote(action)}"
    )


def _proof(view: View, row: Mapping[str, Any]) -> str:
    counted = view.rows(
        "SELECT count(*) AS n, count(*) FILTER (WHERE path = ?) AS same FROM alb_access WHERE elb = ? AND rule_priority = ? "
        "AND actions[len(actions)] = ?",
        row["path"],
        row["elb"],
        row["rule_priority"],
        row["actions"][-1],
    )[0]
    return f"Of {counted['n']} requests that this rule answered in the log, {counted['same']} are for this path and would now be forwarded."


def _onset(view: View, row: Mapping[str, Any]) -> datetime | None:
    rows = view.rows(
        "SELECT min(time) AS onset FROM alb_access WHERE path = ? AND status = ? AND elb = ?", row["path"], row["status"], row["elb"]
    )
    onset = rows[0]["onset"] if rows else None
    return onset.replace(tzinfo=UTC) if onset else None


RULE = Rule(
    name="load_balancer_answered",
    codes=("EDGE-003", "EDGE-004"),
    needs=("alb_access",),
    helps=("nginx_access", "app_log", "waf", "resource_snapshot"),
    rivals=("application_answered", "waf_rule_blocked"),
    examine=examine,
)
