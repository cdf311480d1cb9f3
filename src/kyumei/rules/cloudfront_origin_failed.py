"""CloudFront got no usable answer from its origin: name, connection, waiting, or a broken response (EDGE-087 to EDGE-090).

What an operator must know: the detailed result type names how far CloudFront got, but not why. That nothing arrived shows in the origin's
log, if it covers the moment and has the other requests; that the origin was slow shows there too, by a row that lasts as long as CloudFront
waited. A 502 of a load balancer that CloudFront handed on is none of these. Follows "HTTP 502 status code (Bad Gateway)" and "HTTP 504
status code (Gateway Timeout)" in the Amazon CloudFront Developer Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.cloudfront import judge
from kyumei.edge.cloudfront.finding import finding, parts
from kyumei.edge.cloudfront.results import Family

if TYPE_CHECKING:
    from collections.abc import Callable

    from kyumei.edge.cloudfront.finding import Judged, Part
    from kyumei.model.finding import Finding, Gap, RuledOut

JUDGES: dict[Family, Callable[[View, Part], Judged]] = {
    Family.UNRESOLVED: judge.unresolved,
    Family.UNCONNECTED: judge.unconnected,
    Family.UNANSWERED: judge.unanswered,
    Family.BROKEN: judge.broken,
}


def examine(view: View) -> Opinion:
    """One finding for each way in which the origin failed CloudFront."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for part in parts(view, JUDGES):
        found = JUDGES[part.outcome.family](view, part)
        if found.certainty is not None:
            findings.append(finding(view, RULE.name, part, found))
        ruled_out += found.ruled_out
        gaps += found.gaps
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


RULE = Rule(
    name="cloudfront_origin_failed",
    codes=("EDGE-087", "EDGE-088", "EDGE-089", "EDGE-090"),
    needs=("cloudfront_access",),
    helps=("alb_access", "clb_access", "nginx_access", "apache_access", "app_log", "resource_snapshot"),
    rivals=("application_answered", "cloudfront_answered", "load_balancer_target_failed"),
    examine=examine,
)
