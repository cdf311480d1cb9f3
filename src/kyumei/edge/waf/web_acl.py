"""A web ACL as the case holds it, and which kind of block a row of the WAF log is.

The log names a rule of the web ACL by its name and a rule inside a group apart from it; the configuration (``get-web-acl``,
``get-rule-group``) says what the rule looks for. Each blocked row is of exactly one kind, so that the rules of the WAF family never
contradict each other.

Follows "WebACL", "Rule" and "Statement" of the AWS WAFV2 API Reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kyumei.edge.documents import as_list, as_map
from kyumei.edge.waf.statement import field_kind, leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

Kind = Literal["custom", "managed", "rate", "source", "challenge", "oversize"]
Object = dict[str, Any]

DEFAULT_ACTION = "Default_Action"
SOURCES = frozenset({"IPSetReferenceStatement", "GeoMatchStatement", "AsnMatchStatement"})
"""Statements that look only at where a request comes from."""
OVERSIZE = {"REQUEST_BODY": "Body", "REQUEST_JSON_BODY": "JsonBody", "REQUEST_HEADERS": "Headers", "REQUEST_COOKIES": "Cookies"}
"""What ``oversizeFields`` of the log calls a component, and what a rule's FieldToMatch calls it."""
_ARN = re.compile(r"arn:([a-z0-9-]+):wafv2:([a-z0-9-]+):([0-9]*):(regional|global)/([a-z]+)/([^/]+)/([^/]+)", re.ASCII)


class Place(NamedTuple):
    """Where a resource of WAF lies, as the CLI asks for it; ``sort`` is webacl, rulegroup, ipset or regexpatternset."""

    scope: str
    region: str
    sort: str
    name: str
    id: str


class WebAcl(NamedTuple):
    """A web ACL as ``get-web-acl`` answered, with the citation of that answer."""

    document: Object
    citation: Citation

    @property
    def rules(self) -> tuple[Object, ...]:
        """The rules in the order in which WAF looks at them, those of Firewall Manager's groups included."""
        found = [dict(_from_manager(group), Priority=order) for key, order in _MANAGER for group in as_list(self.document.get(key))]
        own = [rule for rule in as_list(self.document.get("Rules")) if isinstance(rule, dict)]
        return tuple(sorted([*found, *own], key=priority))

    @property
    def default(self) -> str:
        """What is done with a request that no rule ended: ALLOW or BLOCK."""
        return next(iter(as_map(self.document.get("DefaultAction"))), "").upper()


_MANAGER = (("PreProcessFirewallManagerRuleGroups", -1), ("PostProcessFirewallManagerRuleGroups", 2**31))


def _from_manager(group: object) -> Object:
    """A group of AWS Firewall Manager in the shape of a rule."""
    found = as_map(group)
    return {**found, "Statement": as_map(found.get("FirewallManagerStatement")), "FirewallManager": True}


def priority(rule: Mapping[str, Any]) -> int:
    """A rule's place in the order in which they are asked; 0 where it is not told."""
    value = rule.get("Priority")
    return value if isinstance(value, int) else 0


def place_of(arn: str | None) -> Place | None:
    """Where the resource of this ARN lies; null for anything that is not an ARN of WAF (WAF Classic writes bare ids)."""
    found = _ARN.fullmatch(arn or "")
    if not found:
        return None
    scope = "CLOUDFRONT" if found[4] == "global" else "REGIONAL"
    return Place(scope, "us-east-1" if scope == "CLOUDFRONT" else found[2], found[5], found[6], found[7])


def resources(view: View, operation: str, key: str) -> Iterator[tuple[Object, Citation]]:
    """The stored resources of one ``aws wafv2`` operation, whether the answer was stored whole or by its one member."""
    for document, citation in view.snapshot("wafv2", operation):
        inside = as_map(document.get(key)) or document
        yield inside, citation


def web_acl(view: View, arn: str | None) -> WebAcl | None:
    """The web ACL of this ARN, if the case holds it."""
    for operation in ("get-web-acl", "get-web-acl-for-resource"):
        for found, citation in resources(view, operation, "WebACL"):
            if arn and found.get("ARN") == arn:
                return WebAcl(found, citation)
    return None


def rule_named(acl: WebAcl, name: str | None) -> Object | None:
    """The rule of the web ACL that has this name."""
    return next((rule for rule in acl.rules if rule.get("Name") == name), None)


def rule_inside(view: View, group: str | None, name: str | None) -> tuple[Object, Citation] | None:
    """The rule of one's own rule group that has this name, if the case holds the group (``get-rule-group``)."""
    for found, citation in resources(view, "get-rule-group", "RuleGroup"):
        if group and found.get("ARN") == group:
            for rule in as_list(found.get("Rules")):
                if as_map(rule).get("Name") == name:
                    return as_map(rule), citation
    return None


def action_of(rule: Mapping[str, Any], inner: str | None = None) -> str:
    """What the rule does with a match: BLOCK, COUNT, ...; a group with a match of its rule ``inner``, ``GROUP`` if the group decides."""
    if action := as_map(rule.get("Action")):
        return next(iter(action)).upper()
    if "Count" in as_map(rule.get("OverrideAction")):
        return "COUNT"
    for statement in as_map(rule.get("Statement")).values():
        for override in as_list(as_map(statement).get("RuleActionOverrides")):
            if inner is not None and as_map(override).get("Name") == inner:
                return next(iter(as_map(as_map(override).get("ActionToUse"))), "").upper()
        if any(as_map(excluded).get("Name") == inner for excluded in as_list(as_map(statement).get("ExcludedRules"))):
            return "COUNT"
    return "GROUP"


def kind(row: Mapping[str, Any], statement: Mapping[str, Any] | None) -> Kind:
    """Which kind of block a row is; ``statement`` is that of the rule that ended the look, null when the case does not hold it.

    >>> kind({"action": "BLOCK", "rule_id": "r", "rule_type": "REGULAR"}, None)
    'custom'
    """
    if row["action"] in {"CAPTCHA", "CHALLENGE"}:
        return "challenge"
    if row["rule_type"] == "RATE_BASED" or (statement and "RateBasedStatement" in statement):
        return "rate"
    if row["rule_id"] == DEFAULT_ACTION:
        return "source"
    if row["rule_type"] == "MANAGED_RULE_GROUP":
        return "managed"
    if statement and {name for name, _, _ in leaves(statement)} - SOURCES == set():
        return "source"
    return "oversize" if statement and oversized(row, statement) else "custom"


def oversized(row: Mapping[str, Any], statement: Mapping[str, Any]) -> tuple[str, ...]:
    """Components that were too large to be looked at whole and that the statement then takes for a match, as FieldToMatch names them."""
    large = {OVERSIZE.get(name) for name in row.get("oversize_fields") or ()}
    found = []
    for _, leaf, negated in leaves(statement):
        component = field_kind(leaf)
        handling = as_map(as_map(leaf.get("FieldToMatch")).get(component)).get("OversizeHandling")
        if component in large and handling == "MATCH" and not negated:
            found.append(component)
    return tuple(dict.fromkeys(found))
