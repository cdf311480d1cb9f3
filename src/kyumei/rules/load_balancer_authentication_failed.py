"""The load balancer's log-in or token check refused the request (EDGE-005, 021, 033, 043 to 061).

What an operator must know: the balancer itself, not the application, asks the identity provider and checks tokens; the ``error_reason``
of its row names what went wrong. It is proven when the metric of that reason moves in the same minutes, or when the listener rule is
configured to turn such clients away. Errors of all clients at once mean that the provider is down, and no attack. Follows "Authenticate
users" of the Elastic Load Balancing user guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.balancer.answer import Part, Stage, parts
from kyumei.edge.balancer.finding import Judged, finding, moved, those
from kyumei.edge.balancer.login import BY_REASON, BY_STATUS, DENIED, ERROR, OTHER, SIGNS
from kyumei.edge.balancer.setting import listener_rules
from kyumei.edge.documents import as_list, as_map
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

if TYPE_CHECKING:
    from kyumei.model.finding import Finding

RULES = "aws elbv2 describe-rules --listener-arn <LISTENER_ARN> > aws/elbv2/describe-rules.json"


def examine(view: View) -> Opinion:
    """One finding for each reason among the failing requests of each failure."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for part in parts(view, Stage.AUTHENTICATION, lambda row: (row.get("error_reason"), row["status"])):
        judged = _judge(view, part)
        findings.append(finding(view, RULE.name, part, judged))
        ruled_out.append(RuledOut("EDGE-001", "the request ended at the log-in: the application was not asked", view.cite(part.rows, 1)))
        gaps += judged.gaps
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _judge(view: View, part: Part) -> Judged:
    reason = part.row.get("error_reason")
    if reason is None:
        return _unnamed(view, part)
    sign = BY_REASON.get(str(reason), OTHER)
    metric, zero = moved(view, part, sign.metrics)
    evidence = [*([metric] if metric else []), _crowd(view, part, outage=ERROR in sign.metrics)]
    sure = Certainty.PROVEN if metric else Certainty.POSSIBLE if sign is OTHER else Certainty.LIKELY
    gap = Gap(
        f"metric {sign.metrics[0]} of the load balancer, or the identity provider's sign-in log",
        f"whether {reason} is what its users met" + (", though the metric here says zero" if zero else ""),
        "aws cloudwatch get-metric-data by LoadBalancer, stored as aws/cloudwatch/get-metric-data.json",
    )
    return Judged(sign, sure, tuple(evidence), gaps=() if metric else (gap,))


def _crowd(view: View, part: Part, *, outage: bool) -> Evidence:
    """How many clients met it: all at once is the provider, one alone is the client."""
    sql = f"SELECT count(DISTINCT client_ip) AS clients, count(*) AS n FROM alb_access WHERE {those(view, part)}"
    found = view.rows(sql)[0]
    says = f"{found['clients']} client{'s' if found['clients'] != 1 else ''} met it in {found['n']} request{'s' if found['n'] != 1 else ''}"
    if outage and found["clients"] > 1:
        says += ": an error of the provider, and no attack"
    return Evidence(says, sql=sql, total=found["n"])


def _unnamed(view: View, part: Part) -> Judged:
    """The row names no reason: the status and the listener rule are all that tells."""
    sign = BY_STATUS.get(part.row["status"], OTHER)
    gap = Gap("rules of the load balancer's listener (describe-rules)", "what its log-in action is set to do", RULES)
    if sign is not DENIED:
        metric, _ = moved(view, part, sign.metrics)
        return Judged(sign, Certainty.LIKELY if metric else Certainty.POSSIBLE, (metric,) if metric else (), gaps=(gap,))
    priority = part.row.get("rule_priority")
    for rule, where in listener_rules(view, part.row["elb"], priority):
        for action in as_list(rule.get("Actions")):
            for name in ("AuthenticateOidcConfig", "AuthenticateCognitoConfig"):
                setting = as_map(as_map(action).get(name)).get("OnUnauthenticatedRequest")
                if setting == "deny":
                    says = f"The listener rule of priority {rule.get('Priority')} is set to deny clients that have not logged in"
                    return Judged(sign, Certainty.PROVEN, (Evidence(says, (where,)),))
                if setting is not None:
                    says = f"its listener rule does not deny clients that have not logged in, but is set to {setting}"
                    return Judged(OTHER, Certainty.POSSIBLE, ruled_out=(RuledOut(sign.code, says, (where,)),), gaps=(gap,))
    return Judged(sign, Certainty.LIKELY, gaps=(gap,))


RULE = Rule(
    name="load_balancer_authentication_failed",
    codes=tuple(sorted(sign.code for sign in SIGNS)),
    needs=("alb_access",),
    helps=("resource_snapshot",),
    rivals=("application_answered", "waf_rule_blocked", "load_balancer_firewall_unreachable"),
    examine=examine,
)
