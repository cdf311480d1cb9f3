"""The target behind the load balancer gave it no usable answer: refused, closed, died, too slow, or not there (EDGE-009, 012-016, 035-041).

What an operator must know: the balancer made the 502, 503 or 504 itself, after a listener rule had sent the request to a target group. Its
row tells by its processing times and by the wall time how far it got; that alone is a pattern, not a proof. It is proven when a metric, the
targets' health, a log of the target, the packets of its connections or the stop of its task show the same failure for the same target and
second. Which inner cause ended a process or made
it slow is for the rules of the layers further in. Follows "Troubleshoot your Application Load Balancers" of the Elastic Load Balancing user
guide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.balancer.answer import Stage, parts
from kyumei.edge.balancer.confirm import confirmed
from kyumei.edge.balancer.finding import finding
from kyumei.edge.balancer.setting import group_document, group_of, idle_timeout
from kyumei.edge.balancer.target import PATTERNS, SIGNS, classify
from kyumei.edge.balancer.target_judge import judge
from kyumei.model.finding import RuledOut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kyumei.edge.balancer.target import Kind
    from kyumei.model.finding import Finding, Gap


NO_PATTERN, NOT_PASSED_ON = "EDGE-009", "EDGE-011"


def examine(view: View) -> Opinion:
    """One finding for each pattern among the failing requests of each failure."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    kinds = _kinds(view)
    for part in parts(view, Stage.TARGET, kinds):
        group = group_document(view, group_of(view, part.row))
        if group and group[0].get("TargetType") == "lambda":
            continue
        judged = confirmed(view, part, kinds(part.row), judge(view, part, kinds(part.row)))
        if judged.sign is not None:
            answered = part.row.get("target_status")
            pattern = PATTERNS.get((kinds(part.row), part.row["status"]), NO_PATTERN) if answered is None else NOT_PASSED_ON
            findings.append(finding(view, RULE.name, part, replace(judged, more={**judged.more, "pattern": pattern})))
            why = "the load balancer's row has no target status" if answered is None else f"the target's was {answered}"
            ruled_out.append(RuledOut("EDGE-001", f"no target gave this answer: {why}", view.cite(part.rows, 1)))
        ruled_out += judged.ruled_out
        gaps += judged.gaps
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _kinds(view: View) -> Callable[[Mapping[str, object]], Kind]:
    """The classification of a row by the idle timeout of its balancer, which is looked up once for each."""
    known: dict[str, tuple[float, bool]] = {}

    def kind(row: Mapping[str, object]) -> Kind:
        elb = str(row["elb"])
        if elb not in known:
            idle, where = idle_timeout(view, elb)
            known[elb] = (idle, where is not None)
        return classify(row, known[elb][0], told=known[elb][1])

    return kind


RULE = Rule(
    name="load_balancer_target_failed",
    codes=(NO_PATTERN, NOT_PASSED_ON, *(f"EDGE-{number:03}" for number in range(12, 17)), *(sign.code for sign in SIGNS)),
    needs=("alb_access",),
    helps=(
        *("nginx_access", "apache_access", "app_log", "json_lines", "syslog", "alb_health_check", "resource_snapshot"),
        *("vpc_flow", "ecs_event", "cloudtrail"),
    ),
    rivals=("application_answered", "target_unhealthy", "load_balancer_function_failed"),
    examine=examine,
)
