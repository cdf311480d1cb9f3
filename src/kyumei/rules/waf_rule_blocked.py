"""A rule of one's own in a web ACL blocked the request (EDGE-022).

The log names the rule; for a rule inside one's own rule group it names that one apart. A custom response may give any status, so that a
block need not look like a 403. Where the configuration (``get-web-acl``) is in the case, the rule's statement is judged on the very
request, part by part, and the part that decided tells what to change: an address missing from an IP set, or a path that the rule should
pass over.

A rule that only looks at the source of a request is waf_source_blocked; one that takes an oversized body for a match is
waf_oversize_blocked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.waf.finding import Cause, opinion
from kyumei.edge.waf.remedies import remedies_for_rule
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from kyumei.edge.waf.block import Block


def title(block: Block) -> str:
    """What happened, in one sentence."""
    row = block.row
    group = f" in rule group '{row['rule_id']}'" if row["rule_in_group"] else ""
    status = f" with status {row['response_status']}" if row["response_status"] else ""
    return f"WAF rule '{block.name}'{group} of web ACL '{row['webacl']}' blocked {block.request}{status}"


def message(block: Block) -> str:
    """For the person who reported it."""
    return (
        f"Your request to {block.path or 'the site'} was stopped by a rule of our web application firewall before it reached the "
        "site; the site itself did "
        "not refuse you. We know which rule it was, and are deciding how to let you in without opening more than needed."
    )


def evidence(_view: View, block: Block) -> tuple[Evidence, ...]:
    """That parts of the request were too large to be looked at, where it cannot be told whether that made the match."""
    large = block.row["oversize_fields"]
    if not large or block.statement:
        return ()
    what = ", ".join(large)
    return (
        Evidence(
            f"{what} was larger than WAF inspects; if the rule takes that for a match (OversizeHandling MATCH), this is EDGE-098: its "
            "configuration tells"
        ),
    )


CAUSE = Cause("waf_rule_blocked", "EDGE-022", "custom", title, message, remedies_for_rule, evidence)


def examine(view: View) -> Opinion:
    """One finding for each failure that such a rule made."""
    return opinion(view, CAUSE)


RULE = Rule(
    name="waf_rule_blocked",
    codes=("EDGE-022",),
    needs=("waf",),
    helps=("resource_snapshot", "alb_access", "nginx_access", "app_log"),
    rivals=("web_server_refused", "application_answered", "load_balancer_answered"),
    examine=examine,
)
