"""Whether a web ACL's log holds a request at all: whose log it is, and what its logging filter drops.

Follows "LoggingConfiguration" and "LoggingFilter" of the AWS WAFV2 API Reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.edge.documents import as_list, as_map
from kyumei.edge.waf.web_acl import place_of, resources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View

ENDED = {405: "CAPTCHA", 202: "CHALLENGE"}
"""Which action ended a request, by the status that the client got; any other status is that of BLOCK."""
COUNTED = frozenset({"COUNT", "EXCLUDED_AS_COUNT"})
"""Actions that a request may carry beside the one that ended it."""


def guarding(view: View, elb: object) -> str:
    """The ARN of the web ACL in front of a balancer: the one that logs requests to it, or the only one that is described; else empty."""
    if view.has("waf"):
        rows = view.rows("SELECT DISTINCT webacl_arn AS arn FROM waf WHERE elb = ? AND webacl_arn IS NOT NULL LIMIT 2", elb)
        if rows:
            return str(rows[0]["arn"]) if len(rows) == 1 else ""
    described = {str(found.get("ARN")) for found, _ in resources(view, "get-web-acl", "WebACL")}
    logging = {str(found.get("ResourceArn")) for found, _ in resources(view, "get-logging-configuration", "LoggingConfiguration")}
    known = _regional(described) or _regional(logging)
    return known.pop() if len(known) == 1 else ""


def _regional(arns: set[str]) -> set[str]:
    """The web ACLs that can stand in front of a balancer: not those of CloudFront's distributions."""
    return {arn for arn in arns if (place := place_of(arn)) is not None and place.scope == "REGIONAL"}


def dropped(configuration: Mapping[str, Any], status: object) -> str:
    """The action whose records the logging filter surely drops, of a request that ended with this status; empty where it may keep them."""
    action = ENDED.get(status, "BLOCK") if isinstance(status, int) else "BLOCK"
    found = as_map(configuration.get("LoggingFilter"))
    filters = [as_map(one) for one in as_list(found.get("Filters"))]
    if not found or any(one.get("Behavior") != "DROP" and _may_match(one, action) for one in filters):
        return ""
    named = any(one.get("Behavior") == "DROP" and _must_match(one, action) for one in filters)
    return action if named or found.get("DefaultBehavior") == "DROP" else ""


def _actions(one: Mapping[str, Any]) -> list[str | None]:
    """The actions that a filter's conditions ask for; null for a condition on a label."""
    conditions = [as_map(condition) for condition in as_list(one.get("Conditions"))]
    return [as_map(condition.get("ActionCondition")).get("Action") for condition in conditions]


def _may_match(one: Mapping[str, Any], action: str) -> bool:
    fitting = [asked is None or asked == action or asked in COUNTED for asked in _actions(one)]
    return all(fitting) if one.get("Requirement") == "MEETS_ALL" else any(fitting) or not fitting


def _must_match(one: Mapping[str, Any], action: str) -> bool:
    fitting = [asked == action for asked in _actions(one)]
    return bool(fitting) and (all(fitting) if one.get("Requirement") == "MEETS_ALL" else any(fitting))
