"""A rule took a part of the request that is too large to inspect for a match (EDGE-098).

WAF gets no more than the first part of a body (8 KB behind an ALB or AppSync, 16 KB elsewhere unless the web ACL raises it), and 8 KB or
200 of headers and cookies. What a rule does with the rest is its OversizeHandling; MATCH blocks the request for its size alone. Only the
configuration tells that, so that without it such a block is waf_rule_blocked; the managed size rules are waf_managed_rule_blocked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.literals import literal
from kyumei.edge.waf.commands import change_rules
from kyumei.edge.waf.exception import all_of, excepting, inspecting_oversize, requests_match
from kyumei.edge.waf.finding import Cause, opinion
from kyumei.edge.waf.history import Exemption, proof, stopped_requests, these_requests
from kyumei.edge.waf.remedies import count_only, editable
from kyumei.edge.waf.web_acl import oversized, priority
from kyumei.model.finding import Evidence, Remedy

if TYPE_CHECKING:
    from kyumei.edge.waf.block import Block


def title(block: Block) -> str:
    """What happened, in one sentence."""
    parts = " and ".join(oversized(block.row, block.statement)).lower()
    return (
        f"WAF rule '{block.name}' of web ACL '{block.row['webacl']}' blocked {block.request} because its {parts} is larger than WAF "
        "inspects"
    )


def message(block: Block) -> str:
    """For the person who reported it."""
    return (
        f"What you sent to {block.path or 'the site'} was larger than our web application firewall can look through, and it "
        "stopped the request for that "
        "reason alone; the site itself did not refuse you. We are looking at an exception for this page. Until then something smaller "
        "will pass."
    )


def evidence(_view: View, block: Block) -> tuple[Evidence, ...]:
    """How large the body was, and how much of it WAF looked at."""
    row = block.row
    if row["body_bytes"] is None:
        return ()
    looked = f", of which WAF looked at {row['inspected_body_bytes']}" if row["inspected_body_bytes"] is not None else ""
    return (Evidence(f"The body had {row['body_bytes']} bytes{looked}; the record lists as oversize: {', '.join(row['oversize_fields'])}"),)


def remedies(view: View, block: Block) -> tuple[Remedy, ...]:
    """Pass over the path; or inspect as much as there is; or count."""
    rule, place = editable(block)
    parts, pairs = oversized(block.row, block.statement), stopped_requests(block)
    if rule is None or not pairs:
        return ()
    listed = ", ".join(f"{method} {path}" for method, path in pairs)
    large = f"len(oversize_fields) > 0 AND list_has_any(oversize_fields, [{', '.join(map(literal, block.row['oversize_fields']))}])"
    looking = inspecting_oversize(rule, parts)
    return (
        Remedy(
            f"Split the rule: as it is for all but {listed}, and for these with OversizeHandling CONTINUE, so that the first part is "
            "still looked at.",
            change_rules(place, [excepting(rule, requests_match(pairs))], _only_for(looking, pairs), priority(rule)),
            proof(view, block, Exemption(f"{these_requests(pairs)} AND {large}", wide=True)),
        ),
        Remedy(
            "Set OversizeHandling to CONTINUE for every path: the rule then looks at the first part of a large request only.",
            change_rules(place, [looking]),
            "Those whose first part matches the rule would still be stopped. " + proof(view, block, Exemption(large, wide=True)),
        ),
        Remedy(
            "Behind CloudFront, API Gateway, Cognito, App Runner or Verified Access the inspection limit of bodies can be raised to 64 KB "
            "(AssociationConfig.RequestBody); behind an ALB or AppSync it is fixed at 8 KB.",
        ),
        *count_only(block),
    )


def _only_for(rule: dict[str, object], pairs: tuple[tuple[str, str], ...]) -> dict[str, object]:
    """The edited rule for these requests alone, under a name of its own."""
    statement = rule["Statement"]
    name = f"{rule['Name']}-large-requests"[:128]
    metric = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
    inside = all_of([requests_match(pairs), statement if isinstance(statement, dict) else {}])
    return {**rule, "Name": name, "Priority": priority(rule) + 1, "Statement": inside, "VisibilityConfig": metric}


CAUSE = Cause("waf_oversize_blocked", "EDGE-098", "oversize", title, message, remedies, evidence)


def examine(view: View) -> Opinion:
    """One finding for each failure that oversize handling made."""
    return opinion(view, CAUSE)


RULE = Rule(
    name="waf_oversize_blocked",
    codes=("EDGE-098",),
    needs=("waf",),
    helps=("resource_snapshot", "alb_access", "nginx_access", "app_log"),
    rivals=("web_server_refused", "application_answered", "load_balancer_answered"),
    examine=examine,
)
