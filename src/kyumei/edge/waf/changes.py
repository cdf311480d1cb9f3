"""What was changed on a web ACL, and on the sets and groups that its rule uses, before requests to a path began to be stopped.

Calls of WAF name their resource by its id; the id of the web ACL and of a rule group stands at the end of their ARNs in the record.

Follows "Logging AWS WAF API calls with AWS CloudTrail" in the AWS WAF Developer Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.edge.changes import AFTER, SLACK, Resource, changes, shown, turn, values
from kyumei.edge.literals import same
from kyumei.edge.waf.sql import stopped_by

if TYPE_CHECKING:
    from kyumei.contracts import View
    from kyumei.edge.waf.block import Block
    from kyumei.model.finding import Evidence

CALLS = frozenset({"UpdateWebACL", "AssociateWebACL", "UpdateRuleGroup", "UpdateIPSet", "UpdateRegexPatternSet"})
FIREWALL = ":wafv2:"


def changed_firewall(view: View, block: Block) -> tuple[Evidence, ...]:
    """The changes between the last request for the path that the web ACL let pass and the first that the rule stopped."""
    row = block.row
    arn = str(row["webacl_arn"] or "")
    if not view.has("cloudtrail") or FIREWALL not in arn or row["path"] is None:
        return ()
    here = f"{same('webacl_arn', arn)} AND {same('path', row['path'])}"
    when = turn(
        view, "waf", f"{here} AND action = 'ALLOW'", f"{here} AND {stopped_by(row)}", min(one["time"] for one in block.failure.rows)
    )
    if when is None:
        return ()
    used = {value for _, value in values(dict(block.rule or {})) if FIREWALL in value}
    named = (arn, str(row["rule_group"] or ""), *sorted(used))
    ids = [one.rpartition("/")[2] for one in named if FIREWALL in one]
    told = shown(view, changes(view, CALLS, Resource((*dict.fromkeys(ids),), arn=arn), when.well - SLACK, when.failed + AFTER), when)
    return (told,) if told else ()
