"""The statement of a WAF rule in words.

A statement is one key and its settings; And, Or and Not hold others. The search string of a match comes from the CLI as base64.

Follows "Statement" and "FieldToMatch" of the AWS WAFV2 API Reference.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from kyumei.edge.documents import Object, as_list, as_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

POSITIONS = {
    "EXACTLY": ("is exactly", "is not exactly"),
    "STARTS_WITH": ("starts with", "does not start with"),
    "ENDS_WITH": ("ends with", "does not end with"),
    "CONTAINS": ("contains", "does not contain"),
    "CONTAINS_WORD": ("contains the word", "does not contain the word"),
}
COMPARISONS = {"EQ": "exactly", "NE": "not exactly", "LE": "at most", "LT": "less than", "GE": "at least", "GT": "more than"}
_PLAIN_FIELDS = {
    "UriPath": "the URI path",
    "QueryString": "the query string",
    "AllQueryArguments": "any query argument",
    "Body": "the body",
    "JsonBody": "the JSON body",
    "Method": "the method",
    "HeaderOrder": "the order of the headers",
    "JA3Fingerprint": "the JA3 fingerprint",
    "JA4Fingerprint": "the JA4 fingerprint",
    "UriFragment": "the URI fragment",
}
_SCOPES = {"KEY": "names of ", "VALUE": "values of "}


def name_in(arn: object) -> str:
    """The name in an ARN of WAF: ``.../ipset/office/1234`` is ``office``."""
    parts = str(arn or "").split("/")
    return parts[-2] if len(parts) > 2 else str(arn or "?")  # noqa: PLR2004 - sort, name and id end every ARN of WAF


def search_text(statement: Mapping[str, Any]) -> str:
    """The text that a match looks for. The CLI writes it as base64; a text that does not decode to printable text is taken as it is.

    >>> search_text({"SearchString": "L2FwcC9hZG1pbg=="}), search_text({"SearchString": "/app/admin"})
    ('/app/admin', '/app/admin')
    """
    raw = str(statement.get("SearchString") or statement.get("SearchStringBase64") or "")
    try:
        decoded = base64.b64decode(raw, validate=True).decode()
    except (binascii.Error, ValueError):
        return raw
    return decoded if decoded.isprintable() else raw


def leaves(statement: Mapping[str, Any], *, negated: bool = False) -> Iterator[tuple[str, Object, bool]]:
    """The statements that hold no others, each with its name and whether it stands under an odd number of Nots."""
    for name, value in statement.items():
        inside = as_map(value)
        if name in {"AndStatement", "OrStatement"}:
            for child in as_list(inside.get("Statements")):
                yield from leaves(as_map(child), negated=negated)
        elif name == "NotStatement":
            yield from leaves(as_map(inside.get("Statement")), negated=not negated)
        else:
            yield name, inside, negated


def field_kind(statement: Mapping[str, Any]) -> str:
    """Which part of the request a match looks at: UriPath, SingleHeader, Body, ..."""
    return next(iter(as_map(statement.get("FieldToMatch"))), "")


def describe_field(statement: Mapping[str, Any]) -> str:
    """The part of the request that a match looks at, in words."""
    kind = field_kind(statement)
    inside = as_map(as_map(statement.get("FieldToMatch")).get(kind))
    if kind in _PLAIN_FIELDS:
        return _PLAIN_FIELDS[kind]
    if kind == "SingleHeader":
        return f"header {inside.get('Name', '?')}"
    if kind == "SingleQueryArgument":
        return f"query argument {inside.get('Name', '?')}"
    if kind in {"Headers", "Cookies"}:
        pattern = as_map(inside.get("MatchPattern"))
        scope = _SCOPES.get(str(inside.get("MatchScope")), "")
        chosen = [str(name) for name in as_list(pattern.get(f"Included{kind}"))]
        passed = [str(name) for name in as_list(pattern.get(f"Excluded{kind}"))]
        what = kind.lower()
        if chosen:
            return f"{scope}{what} {', '.join(chosen)}"
        return f"{scope}{what} other than {', '.join(passed)}" if passed else f"{scope}any of the {what}"
    return kind or "the request"


def _changed(statement: Mapping[str, Any]) -> str:
    """How the text is changed before it is looked at; empty when it is not."""
    steps = sorted(
        (as_map(step) for step in as_list(statement.get("TextTransformations"))), key=lambda step: str(step.get("Priority")).zfill(9)
    )
    names = [str(step.get("Type")) for step in steps if step.get("Type") != "NONE"]
    return f" (after {', then '.join(names)})" if names else ""


def _oversize(statement: Mapping[str, Any]) -> str:
    handling = as_map(as_map(statement.get("FieldToMatch")).get(field_kind(statement))).get("OversizeHandling")
    return {"MATCH": " or is too large to inspect", "NO_MATCH": " and is not too large to inspect"}.get(str(handling), "")


def _forwarded(statement: Mapping[str, Any], key: str) -> str:
    config = as_map(statement.get(key))
    position = f" ({str(config['Position']).lower()} address)" if config.get("Position") else ""
    return f", as header {config.get('HeaderName')}{position} gives it" if config else ""


def _byte_match(one: Object) -> str:
    verb = POSITIONS.get(str(one.get("PositionalConstraint")), ("matches", ""))[0]
    return f'{describe_field(one)} {verb} "{search_text(one)}"{_changed(one)}{_oversize(one)}'


def _size(one: Object) -> str:
    how = COMPARISONS.get(str(one.get("ComparisonOperator")), str(one.get("ComparisonOperator")))
    return f"{describe_field(one)} has {how} {one.get('Size')} bytes{_changed(one)}{_oversize(one)}"


def _rate(one: Object) -> str:
    keys = [str(next(iter(as_map(key)), "?")) for key in as_list(one.get("CustomKeys"))]
    by = ", ".join(keys) if keys else str(one.get("AggregateKeyType", "IP"))
    scope = as_map(one.get("ScopeDownStatement"))
    among = f", counting only requests where {describe_statement(scope)}" if scope else ""
    window = one.get("EvaluationWindowSec", 300)
    return f"more than {one.get('Limit')} requests in {window} s for one {by}{_forwarded(one, 'ForwardedIPConfig')}{among}"


def _managed(one: Object) -> str:
    version = f" {one['Version']}" if one.get("Version") else ""
    scope = as_map(one.get("ScopeDownStatement"))
    among = f", looking only at requests where {describe_statement(scope)}" if scope else ""
    return f"a rule of the managed group {one.get('VendorName')}/{one.get('Name')}{version} matches{_overrides(one)}{among}"


def _overrides(one: Object) -> str:
    told = [
        f"{as_map(item).get('Name')}: {next(iter(as_map(as_map(item).get('ActionToUse'))), '?')}"
        for item in as_list(one.get("RuleActionOverrides"))
    ]
    told += [f"{as_map(item).get('Name')}: Count" for item in as_list(one.get("ExcludedRules"))]
    return f" (overridden: {', '.join(told)})" if told else ""


def _label(one: Object) -> str:
    what = "a label in namespace" if one.get("Scope") == "NAMESPACE" else "the label"
    return f'an earlier rule gave it {what} "{one.get("Key")}"'


def _joined(word: str) -> Callable[[Object], str]:
    def describe(one: Object) -> str:
        parts = [as_map(part) for part in as_list(one.get("Statements"))]
        return f" {word} ".join(_bracketed(part) for part in parts)

    return describe


def _bracketed(statement: Object) -> str:
    text = describe_statement(statement)
    return f"({text})" if {"AndStatement", "OrStatement"} & statement.keys() else text


_WORDS: dict[str, Callable[[Object], str]] = {
    "ByteMatchStatement": _byte_match,
    "RegexMatchStatement": lambda one: f"{describe_field(one)} matches the pattern {one.get('RegexString')}{_changed(one)}{_oversize(one)}",
    "RegexPatternSetReferenceStatement": lambda one: (
        f"{describe_field(one)} matches a pattern of set '{name_in(one.get('ARN'))}'{_changed(one)}{_oversize(one)}"
    ),
    "IPSetReferenceStatement": lambda one: (
        f"the client is in IP set '{name_in(one.get('ARN'))}'{_forwarded(one, 'IPSetForwardedIPConfig')}"
    ),
    "GeoMatchStatement": lambda one: (
        f"the client's country is {' or '.join(map(str, as_list(one.get('CountryCodes'))))}{_forwarded(one, 'ForwardedIPConfig')}"
    ),
    "AsnMatchStatement": lambda one: (
        f"the client's network is AS {' or '.join(map(str, as_list(one.get('AsnList'))))}{_forwarded(one, 'ForwardedIPConfig')}"
    ),
    "LabelMatchStatement": _label,
    "SizeConstraintStatement": _size,
    "SqliMatchStatement": lambda one: f"{describe_field(one)} looks like SQL injection{_changed(one)}{_oversize(one)}",
    "XssMatchStatement": lambda one: f"{describe_field(one)} looks like cross-site scripting{_changed(one)}{_oversize(one)}",
    "RateBasedStatement": _rate,
    "ManagedRuleGroupStatement": _managed,
    "RuleGroupReferenceStatement": lambda one: f"a rule of the rule group '{name_in(one.get('ARN'))}' matches{_overrides(one)}",
    "AndStatement": _joined("and"),
    "OrStatement": _joined("or"),
    "NotStatement": lambda one: f"not ({describe_statement(as_map(one.get('Statement')))})",
}


def describe_statement(statement: Mapping[str, Any]) -> str:
    """What a rule looks for, in words; a kind of statement that AWS added later by its name.

    >>> describe_statement({"NotStatement": {"Statement": {"GeoMatchStatement": {"CountryCodes": ["JP"]}}}})
    "not (the client's country is JP)"
    """
    for name, value in statement.items():
        words = _WORDS.get(name)
        return words(as_map(value)) if words else name
    return "nothing"
