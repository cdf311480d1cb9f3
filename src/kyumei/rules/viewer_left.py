"""The viewer left CloudFront before the response was there (EDGE-094).

What an operator must know: status 000 is no answer but a note that nobody was there any more; so is an error that came only after the
response had begun as none. Nothing at the server side is broken, unless the origin was slow or failed the same request by its own log.
Follows "Standard logging reference" in the Amazon CloudFront Developer Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.cloudfront.finding import Judged, finding, origin_gap, parts
from kyumei.edge.cloudfront.judge import arrived
from kyumei.edge.cloudfront.results import Family
from kyumei.model.finding import Certainty, Evidence
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.edge.cloudfront.finding import Part
    from kyumei.model.finding import Finding, Gap

PATIENT = 10.0
"""Seconds that a person does not wait for; whoever leaves after more had a reason to."""


def examine(view: View) -> Opinion:
    """One finding for each failure whose viewers did not wait."""
    findings: list[Finding] = []
    gaps: list[Gap] = []
    for part in parts(view, (Family.LEFT,)):
        judged = _judge(view, part)
        findings.append(finding(view, RULE.name, part, judged))
        gaps += judged.gaps
    return Opinion(tuple(findings), (), tuple(gaps))


def _judge(view: View, part: Part) -> Judged:
    seen = arrived(part)
    failed = [row for row in seen if (row.get("status") or 0) >= SERVER_ERROR]
    if failed:
        says = f"Against it: the origin itself answered {failed[0]['status']} to the same request"
        gap = origin_gap(part, "whether the viewer left because of the origin's error")
        return Judged(Certainty.POSSIBLE, (Evidence(says, view.cite(failed), total=len(failed)),), gaps=(gap,))
    if seen:
        told = sorted({str(row["status"]) for row in seen if row.get("status") is not None})
        says = f"The origin's own log has the request{f' with {chr(32).join(told)}' if told else ''} and no error of the server"
        return Judged(Certainty.PROVEN, (Evidence(says, view.cite(seen), total=len(seen)),))
    waited = _longest(part.rows)
    decides = (
        "whether the origin was slow, so that the viewer gave up" if waited >= PATIENT else "whether the origin was still at work then"
    )
    return Judged(Certainty.LIKELY, gaps=(origin_gap(part, decides),))


def _longest(rows: tuple[Mapping[str, object], ...]) -> float:
    return max((float(one) for row in rows if isinstance(one := row.get("request_seconds"), int | float)), default=0.0)


RULE = Rule(
    name="viewer_left",
    codes=("EDGE-094",),
    needs=("cloudfront_access",),
    helps=("alb_access", "nginx_access", "app_log"),
    rivals=("client_left", "cloudfront_origin_failed"),
    examine=examine,
)
