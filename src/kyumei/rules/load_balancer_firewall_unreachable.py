"""The load balancer could not use AWS WAF and answered 500 itself (EDGE-033, EDGE-075).

What an operator must know: no rule of the web ACL matched; the look at the request failed. The row's last action is ``waf-failed``, or
its ``error_reason`` begins with WAF. With ``waf.fail_open.enabled`` the balancer lets such requests pass. Follows "Access logs for your
Application Load Balancer" of the Elastic Load Balancing user guide.
"""

from __future__ import annotations

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.balancer.answer import Part, Stage, last_action, parts
from kyumei.edge.balancer.finding import Judged, moved, opinion_of
from kyumei.edge.balancer.setting import attribute
from kyumei.edge.sign import Fix, Sign
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

FAIL_OPEN = "waf.fail_open.enabled"
_FIXES = (
    Fix(
        "Try again, and look at the AWS Health Dashboard: the fault is between the load balancer and AWS WAF, and no rule's.",
        ("aws health describe-events --filter services=WAF,ELASTICLOADBALANCING",),
    ),
    Fix(
        (
            "If the site should rather be open than down when this happens: let requests pass unseen. They then pass every "
            "rule of the web ACL."
        ),
        ("aws elbv2 modify-load-balancer-attributes --load-balancer-arn {elb_arn} --attributes Key=waf.fail_open.enabled,Value=true",),
    ),
)
_CHECK = "The same request logs `waf,forward` and a target status."
UNREACHED = Sign(
    "EDGE-075",
    "waf",
    "it could not use AWS WAF ({reason}), and is set to let nothing pass then",
    _FIXES,
    _CHECK,
    ("HTTPCode_ELB_500_Count",),
)
FAILED = Sign(
    "EDGE-033", "waf", "its look at the request by AWS WAF failed (action waf-failed)", _FIXES, _CHECK, ("HTTPCode_ELB_500_Count",)
)


def examine(view: View) -> Opinion:
    """One finding for each reason among the failing requests of each failure."""
    found = parts(view, Stage.FIREWALL, lambda row: row.get("error_reason"))
    return opinion_of(view, RULE.name, [(part, _judge(view, part)) for part in found])


def _judge(view: View, part: Part) -> Judged:
    row, code = part.row, UNREACHED.code if part.row.get("error_reason") else FAILED.code
    if last_action(row) not in {"waf-failed", "waf", ""}:
        why = f"the load balancer went on to {last_action(row)} after it could not use AWS WAF: fail open"
        return Judged(None, ruled_out=(RuledOut(code, why, view.cite(part.rows, 1)),), gaps=(_gap(part),))
    open_ = attribute(view, str(row["elb"]), FAIL_OPEN)
    metric, _ = moved(view, part, UNREACHED.metrics)
    evidence = [metric] if metric else []
    if open_ is not None:
        evidence.append(Evidence(f"The load balancer's attribute {FAIL_OPEN} is {open_[0]}", (open_[1],)))
    closed = open_ is not None and open_[0] == "false"
    named = bool(row.get("error_reason"))
    both = named and last_action(row) == "waf-failed"
    sure = Certainty.PROVEN if (named or last_action(row) == "waf-failed") and (metric or closed) else Certainty.LIKELY
    if open_ is not None and open_[0] == "true" and not metric:
        sure = Certainty.LIKELY if both else Certainty.POSSIBLE
    untouched = RuledOut("EDGE-022", "no WAF rule blocked the request: WAF could not be asked", view.cite(part.rows, 1))
    return Judged(UNREACHED if named else FAILED, sure, tuple(evidence), (untouched,), () if sure is Certainty.PROVEN else (_gap(part),))


def _gap(part: Part) -> Gap:
    how = (
        f"aws elbv2 describe-load-balancer-attributes --load-balancer-arn <ARN of {part.row['elb']}> > "
        f"aws/elbv2/describe-load-balancer-attributes.json"
    )
    return Gap("attributes of the load balancer", "whether it lets requests pass when AWS WAF cannot be used", how)


RULE = Rule(
    name="load_balancer_firewall_unreachable",
    codes=("EDGE-033", "EDGE-075"),
    needs=("alb_access",),
    helps=("waf", "resource_snapshot"),
    rivals=("waf_rule_blocked", "load_balancer_authentication_failed"),
    examine=examine,
)
