"""A rule of a managed rule group blocked the request (EDGE-096): often an upload, JSON or HTML that it takes for an attack.

The outer rule is only the group; ``rule_in_group`` names the rule that matched. The narrow way out sets that one rule to Count and blocks
again, by the label that it leaves, everything but the request that should pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.waf.commands import change_rules
from kyumei.edge.waf.exception import blocking_again, excepting, overriding, requests_match, shown
from kyumei.edge.waf.finding import Cause, opinion
from kyumei.edge.waf.history import Exemption, proof, stopped_requests, these_requests
from kyumei.model.finding import Evidence, Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.edge.waf.block import Block

LIMITS = {
    "SizeRestrictions_BODY": 8192,
    "SizeRestrictions_QUERYSTRING": 2048,
    "SizeRestrictions_Cookie_HEADER": 10240,
    "SizeRestrictions_URIPATH": 1024,
}
"""Bytes up to which AWS's core rule set lets a part of the request pass."""
UNKNOWN_LABEL = "<label of the rule: aws wafv2 describe-managed-rule-group lists AvailableLabels>"


def label_of(row: Mapping[str, Any]) -> str | None:
    """The label that the rule inside the group left: the one whose name is the rule's, or the end of it, whatever the case of its letters.

    >>> label_of({"rule_in_group": "UserAgent_BadBots_HEADER", "labels": ["awswaf:managed:aws:core-rule-set:BadBots_Header"]})
    'awswaf:managed:aws:core-rule-set:BadBots_Header'
    """
    rule = str(row["rule_in_group"] or "").lower()
    found = [
        label for label in row["labels"] or () if label.startswith("awswaf:managed:") and rule.endswith(label.rpartition(":")[2].lower())
    ]
    return str(found[0]) if rule and len(found) == 1 else None


def title(block: Block) -> str:
    """What happened, in one sentence."""
    group = block.row["rule_group"] or block.row["rule_id"]
    return f"Managed WAF rule '{block.name}' ({group}) in web ACL '{block.row['webacl']}' blocked {block.request}"


def message(block: Block) -> str:
    """For the person who reported it."""
    return (
        f"Your request to {block.path or 'the site'} was stopped by a ready-made rule of our web application firewall, which took "
        "something in it for an "
        "attack; the site itself did not refuse you. We know which rule it was and are looking at an exception for this page."
    )


def evidence(_view: View, block: Block) -> tuple[Evidence, ...]:
    """The size of the part that a size rule measures, where the log has it."""
    row, limit = block.row, LIMITS.get(block.name)
    sizes = {
        "SizeRestrictions_BODY": row["body_bytes"],
        "SizeRestrictions_QUERYSTRING": len(row["query"] or ""),
        "SizeRestrictions_URIPATH": len(row["path"] or ""),
    }
    size = sizes.get(block.name)
    if limit is None or not size:
        return ()
    word = "over" if size > limit else "not over"
    return (Evidence(f"{block.name} lets up to {limit} bytes pass; this request has {size}, {word} the limit"),)


def remedies(view: View, block: Block) -> tuple[Remedy, ...]:
    """Count that one rule and block again by its label; or take the path out of the whole group; or only count."""
    row, inner = block.row, str(block.row["rule_in_group"] or "<RULE IN THE GROUP>")
    pairs = stopped_requests(block)
    if not pairs:
        return ()  # the log redacts the path: there is nothing to make an exception for
    exempt, listed = requests_match(pairs), ", ".join(f"{method} {path}" for method, path in pairs)
    text = proof(view, block, Exemption(these_requests(pairs), wide=True))
    label = label_of(row) or UNKNOWN_LABEL
    priority = block.rule.get("Priority") if block.rule else None
    after = priority if isinstance(priority, int) else None
    again = blocking_again(f"{inner}-except-known-requests", (after or 0) + 1, label, exempt)
    if block.rule is None:
        override = {"RuleActionOverrides": [{"Name": inner, "ActionToUse": {"Count": {}}}]}
        told = f"# in rule '{row['rule_id']}' of get-web-acl, under ManagedRuleGroupStatement:\n{shown(override)}"
        behind = f"# a new rule right behind it (its Priority one higher, later ones moved):\n{shown(again)}"
        commands = (told, behind, *change_rules(block.place, ["<the edited rule>"]))
        return (Remedy(f"Set rule '{inner}' to Count and block again by its label, except {listed}.", commands, text),)
    return (
        Remedy(
            f"Set rule '{inner}' to Count and, right behind the group, block again what carries its label, except {listed}. All other "
            "rules of the group keep working.",
            change_rules(block.place, [overriding(block.rule, inner)], again, after),
            text,
        ),
        Remedy(
            f"Simpler and wider: let the whole group pass over {listed} (ScopeDownStatement).",
            change_rules(block.place, [excepting(block.rule, exempt)]),
            "No rule of the group looks at these requests any more: " + text,
        ),
        Remedy(
            f"To see first what rule '{inner}' would stop, let it only count for a while; the other rules of the group keep working.",
            change_rules(block.place, [overriding(block.rule, inner)]),
            "Every request that this rule stopped would have gone on to the rules that come later.",
        ),
    )


CAUSE = Cause("waf_managed_rule_blocked", "EDGE-096", "managed", title, message, remedies, evidence)


def examine(view: View) -> Opinion:
    """One finding for each failure that a managed rule made."""
    return opinion(view, CAUSE)


RULE = Rule(
    name="waf_managed_rule_blocked",
    codes=("EDGE-096",),
    needs=("waf",),
    helps=("resource_snapshot", "alb_access", "nginx_access", "app_log"),
    rivals=("web_server_refused", "application_answered", "load_balancer_answered"),
    examine=examine,
)
