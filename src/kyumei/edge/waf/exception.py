"""Changes to a WAF rule, as the JSON that the API takes: exceptions, overrides, counting.

Every function answers an edited copy of the very rule that ``get-web-acl`` printed; what is not edited stays as it is. Search strings are
base64, as the CLI prints and takes them. Rate-based and managed statements cannot stand inside others, so that their exceptions go into
ScopeDownStatement.

Follows "Rule", "Statement" and "RuleActionOverride" of the AWS WAFV2 API Reference.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

from kyumei.edge.documents import as_list, as_map
from kyumei.edge.waf.statement import field_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Object = dict[str, Any]

LONGEST_SEARCH = 200
"""Bytes that a search string may have."""
SCOPED = ("RateBasedStatement", "ManagedRuleGroupStatement")
"""Statements that cannot be nested and narrow what they look at by ScopeDownStatement."""
UNCHANGED = [{"Priority": 0, "Type": "NONE"}]


def text_match(field: Object, position: str, text: str) -> Object:
    """A statement that a part of the request matches a text, which is not changed before."""
    search = base64.b64encode(text.encode(errors="replace")).decode()
    settings = {"SearchString": search, "FieldToMatch": field, "TextTransformations": UNCHANGED, "PositionalConstraint": position}
    return {"ByteMatchStatement": copy.deepcopy(settings)}


def path_match(path: str) -> Object:
    """A statement that the path is exactly this one; of a path longer than a search string may be, that it starts so."""
    return text_match({"UriPath": {}}, "STARTS_WITH" if too_long(path) else "EXACTLY", searched(path))


def too_long(path: str) -> bool:
    """Whether a path does not fit in a search string."""
    return len(path.encode(errors="replace")) > LONGEST_SEARCH


def searched(path: str) -> str:
    """As much of a path as fits in a search string."""
    return path.encode(errors="replace")[:LONGEST_SEARCH].decode(errors="ignore")


def all_of(statements: Sequence[Object]) -> Object:
    """One statement that holds when all do; And takes two at least, and those that are And themselves are opened."""
    parts = [
        part for one in statements for part in (as_list(as_map(one["AndStatement"]).get("Statements")) if "AndStatement" in one else [one])
    ]
    return parts[0] if len(parts) == 1 else {"AndStatement": {"Statements": parts}}


def any_of(statements: Sequence[Object]) -> Object:
    """One statement that holds when any does; Or takes two at least."""
    return statements[0] if len(statements) == 1 else {"OrStatement": {"Statements": list(statements)}}


def requests_match(requests: Iterable[tuple[str, str]]) -> Object:
    """A statement that the request is one of these, each a method and a path."""
    method: Object = {"Method": {}}
    return any_of([all_of([text_match(method, "EXACTLY", verb), path_match(path)]) for verb, path in requests])


def excepting(rule: Mapping[str, Any], exempt: Object) -> Object:
    """The rule, no longer looking at requests for which ``exempt`` holds."""
    edited = copy.deepcopy(dict(rule))
    statement = as_map(edited.get("Statement"))
    spared = {"NotStatement": {"Statement": exempt}}
    for name in SCOPED:
        if name in statement:
            inside = as_map(statement[name])
            inside["ScopeDownStatement"] = _and(as_map(inside.get("ScopeDownStatement")), spared)
            return edited
    edited["Statement"] = _and(statement, spared)
    return edited


def _and(statement: Object, another: Object) -> Object:
    return all_of([statement, another]) if statement else another


def counting(rule: Mapping[str, Any]) -> Object:
    """The rule, only counting what it matches; of a group, the whole group."""
    edited = copy.deepcopy(dict(rule))
    edited["Action" if "Action" in edited else "OverrideAction"] = {"Count": {}}
    return edited


def overriding(rule: Mapping[str, Any], inner: str, action: str = "Count") -> Object:
    """The rule that refers to a group, with one rule of the group set to another action; an older exclusion of that rule gives way."""
    edited = copy.deepcopy(dict(rule))
    for inside in map(as_map, as_map(edited.get("Statement")).values()):
        others = [item for item in as_list(inside.get("RuleActionOverrides")) if as_map(item).get("Name") != inner]
        inside["RuleActionOverrides"] = [*others, {"Name": inner, "ActionToUse": {action: {}}}]
        if excluded := [item for item in as_list(inside.get("ExcludedRules")) if as_map(item).get("Name") != inner]:
            inside["ExcludedRules"] = excluded
        else:
            inside.pop("ExcludedRules", None)
    return edited


def blocking_again(name: str, priority: int, label: str, exempt: Object) -> Object:
    """A new rule that blocks what carries a label, except where ``exempt`` holds; it stands right after the group that gives the label."""
    labelled = {"LabelMatchStatement": {"Scope": "LABEL", "Key": label}}
    metric = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)[:128]
    return {
        "Name": metric,
        "Priority": priority,
        "Statement": {"AndStatement": {"Statements": [labelled, {"NotStatement": {"Statement": exempt}}]}},
        "Action": {"Block": {}},
        "VisibilityConfig": {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": metric},
    }


def inspecting_oversize(rule: Mapping[str, Any], components: Iterable[str]) -> Object:
    """The rule, looking at as much as WAF gets of these components instead of taking their size for a match."""
    edited = copy.deepcopy(dict(rule))
    _continue(as_map(edited.get("Statement")), frozenset(components))
    return edited


def _continue(statement: Object, components: frozenset[str]) -> None:
    for value in statement.values():
        inside = as_map(value)
        kind = field_kind(inside)
        if kind in components:
            inside["FieldToMatch"][kind] = {**as_map(inside["FieldToMatch"][kind]), "OversizeHandling": "CONTINUE"}
        for child in [*as_list(inside.get("Statements")), inside.get("Statement"), inside.get("ScopeDownStatement")]:
            _continue(as_map(child), components)


def rate(rule: Mapping[str, Any], *, limit: int | None = None, forwarded: bool = False) -> Object:
    """The rate-based rule with another limit, or counting by the first address of X-Forwarded-For."""
    edited = copy.deepcopy(dict(rule))
    inside = as_map(as_map(edited.get("Statement")).get("RateBasedStatement"))
    if limit is not None:
        inside["Limit"] = limit
    if forwarded:
        inside["AggregateKeyType"] = "FORWARDED_IP"
        inside["ForwardedIPConfig"] = {"HeaderName": "X-Forwarded-For", "FallbackBehavior": "MATCH"}
    return edited


def template(name: str, exempt: Object) -> Object:
    """The shape of an edited rule where the case does not hold the rule itself; ``<...>`` is to be filled from get-web-acl."""
    unknown = "<the statement of the rule as get-web-acl prints it>"
    return {
        "Name": name,
        "Priority": "<as it is>",
        "Statement": {"AndStatement": {"Statements": [unknown, {"NotStatement": {"Statement": exempt}}]}},
        "Action": "<as it is>",
        "VisibilityConfig": "<as it is>",
    }


def shown(document: object) -> str:
    """A document as the JSON to apply."""
    return json.dumps(document, indent=2)
