"""CloudFront answered by itself: an error from its cache, a function at the edge, a limit, or a setting (EDGE-085, EDGE-091 to 093).

What an operator must know: Hit and RefreshHit mean that the response was kept; the origin may be well by now. A function, a limit or a
setting is named by the detailed result type. A row that says only Error does not tell: then the origin's log, WAF's log and the
distribution's configuration are asked in turn; of a function URL, which has no access log, the function's own log. A row with Miss is the
origin's answer, and no fault of CloudFront (EDGE-086).

Follows "Standard logging reference" and "Troubleshooting error responses from your origin" in the Amazon CloudFront Developer Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.cloudfront import edge_judge as judge
from kyumei.edge.cloudfront import untold
from kyumei.edge.cloudfront.finding import finding, parts
from kyumei.edge.cloudfront.function_url import RELAYED
from kyumei.edge.cloudfront.results import Family
from kyumei.model.finding import RuledOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from kyumei.edge.cloudfront.finding import Judged, Part
    from kyumei.model.finding import Finding, Gap

JUDGES: dict[Family, Callable[[View, Part], Judged]] = {
    Family.CACHED: judge.cached,
    Family.FUNCTION: judge.function,
    Family.LIMIT: judge.limit,
    Family.SETTING: judge.setting,
}


def examine(view: View) -> Opinion:
    """One finding for each way in which CloudFront answered the failing requests."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = untold.generated(view)
    judged = [(part, JUDGES[part.outcome.family](view, part)) for part in parts(view, JUDGES)]
    judged += [untold.judge(view, part) for part in untold.parts(view)]
    for part, found in judged:
        if found.certainty is not None:
            findings.append(finding(view, RULE.name, part, found))
            if part.outcome.sign.code != RELAYED:
                ruled_out.append(RuledOut(RELAYED, "CloudFront did not hand on an answer of the origin", view.cite(part.rows, 1)))
        ruled_out += found.ruled_out
        gaps += found.gaps
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


RULE = Rule(
    name="cloudfront_answered",
    codes=("EDGE-085", "EDGE-086", "EDGE-091", "EDGE-092", "EDGE-093"),
    needs=("cloudfront_access",),
    helps=("alb_access", "clb_access", "nginx_access", "apache_access", "waf", "lambda_log", "metric", "alarm", "resource_snapshot"),
    rivals=("application_answered", "cloudfront_origin_failed", "waf_rule_blocked"),
    examine=examine,
)
