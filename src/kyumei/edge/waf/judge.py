"""Whether a statement of a WAF rule holds for a logged request: yes, no, or the log does not tell. Never a guess.

The answer carries the facts that decide it: of an And that holds all its parts, of one that does not hold the parts that fail, and so on.

Follows the statements of the AWS WAFV2 API Reference.
"""

from __future__ import annotations

import ipaddress
import operator
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import as_list, as_map
from kyumei.edge.waf.inspected import Request, header, inspected, is_address, transformed
from kyumei.edge.waf.statement import COMPARISONS, POSITIONS, describe_field, describe_statement, field_kind, name_in, search_text
from kyumei.edge.waf.web_acl import OVERSIZE, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kyumei.contracts import View

FORWARDED_LOOKED_AT = 10
"""Of a longer list of forwarded addresses WAF looks at the last ten."""


class Outcome(NamedTuple):
    """Whether a statement holds (null: the log does not tell), and the facts that decide it."""

    holds: bool | None
    facts: tuple[str, ...] = ()


class Lookups(NamedTuple):
    """What a statement refers to: addresses and patterns of a set by its ARN (null: not in the case), and a safe matcher of patterns."""

    addresses: Callable[[str], tuple[str, ...] | None]
    patterns: Callable[[str], tuple[str, ...] | None]
    matches: Callable[[str, str], bool | None]


def lookups(view: View) -> Lookups:
    """Lookups in the case. Patterns are matched by the engine's own matcher, whose time is linear in the text."""

    def addresses(arn: str) -> tuple[str, ...] | None:
        """The ranges of an IP set."""
        sets = resources(view, "get-ip-set", "IPSet")
        return next((tuple(map(str, as_list(found.get("Addresses")))) for found, _ in sets if found.get("ARN") == arn), None)

    def patterns(arn: str) -> tuple[str, ...] | None:
        """The patterns of a pattern set."""
        for found, _ in resources(view, "get-regex-pattern-set", "RegexPatternSet"):
            if found.get("ARN") == arn:
                return tuple(str(as_map(item).get("RegexString")) for item in as_list(found.get("RegularExpressionList")))
        return None

    def matches(pattern: str, text: str) -> bool | None:
        """Whether a pattern is found in a text; null for a pattern that the engine does not know."""
        if any("\ud800" <= letter <= "\udfff" for letter in pattern + text):
            return None
        found = view.rows("SELECT TRY(regexp_matches(t, p)) AS holds FROM (SELECT ?::VARCHAR AS t, ?::VARCHAR AS p)", text, pattern)
        holds: bool | None = found[0]["holds"] if found else None
        return holds

    return Lookups(addresses, patterns, matches)


def evaluate(statement: Mapping[str, Any], request: Request, known: Lookups) -> Outcome:
    """Whether the statement holds for the request."""
    name, value = next(iter(statement.items()), ("", None))
    one = as_map(value)
    if name in {"AndStatement", "OrStatement"}:
        return _joined([evaluate(as_map(part), request, known) for part in as_list(one.get("Statements"))], decisive=name == "OrStatement")
    if name == "NotStatement":
        inner = evaluate(as_map(one.get("Statement")), request, known)
        return Outcome(None if inner.holds is None else not inner.holds, inner.facts)
    if name == "RateBasedStatement":
        return _rate(one, request, known)
    judge = _LEAVES.get(name)
    return judge(one, request, known) if judge else _untold(statement)


def _joined(parts: list[Outcome], *, decisive: bool) -> Outcome:
    """An And (one false part decides) or an Or (one true part does)."""
    deciding = [part for part in parts if part.holds is decisive]
    if deciding:
        return Outcome(decisive, tuple(fact for part in deciding for fact in part.facts))
    facts = tuple(fact for part in parts for fact in part.facts)
    return Outcome(None if any(part.holds is None for part in parts) else not decisive, facts)


def _untold(statement: Mapping[str, Any], why: str = "the log does not hold it") -> Outcome:
    return Outcome(None, (f"whether {describe_statement(statement)} cannot be told: {why}",))


def _rate(one: Mapping[str, Any], request: Request, known: Lookups) -> Outcome:
    scope = as_map(one.get("ScopeDownStatement"))
    inner = evaluate(scope, request, known) if scope else Outcome(holds=True)
    return inner if inner.holds is False else Outcome(None, (*inner.facts, "one record does not tell how many requests WAF had counted"))


def _is_oversize(one: Mapping[str, Any], request: Request) -> bool:
    return field_kind(one) in {OVERSIZE.get(name) for name in request.oversize}


def _by_text(name: str, one: Mapping[str, Any], request: Request, test: Callable[[str], bool | None], words: tuple[str, str]) -> Outcome:
    """A match on text: true if any of the inspected texts passes, false if none can."""
    field = describe_field(one)
    if _is_oversize(one, request):
        handling = as_map(as_map(one.get("FieldToMatch")).get(field_kind(one))).get("OversizeHandling")
        if handling in {"MATCH", "NO_MATCH"}:
            taken = "takes that for a match" if handling == "MATCH" else "takes that for no match"
            return Outcome(handling == "MATCH", (f"{field} is larger than WAF inspects, and the rule {taken}",))
    texts = inspected(one, request)
    if texts is None:
        return _untold({name: one})
    if not texts:
        return Outcome(holds=False, facts=(f"the request has no such part: {field}",))
    results = [None if changed is None else test(changed) for changed in (transformed(one, text) for text in texts)]
    if True in results:
        return Outcome(holds=True, facts=(f"{field} {words[0]}",))
    if None in results:
        return _untold({name: one}, "the text is changed first, in a way that is not followed here, or the pattern cannot be run here")
    return Outcome(holds=False, facts=(f"{field} {words[1]}",))


def _byte_match(one: Mapping[str, Any], request: Request, _known: Lookups) -> Outcome:
    wanted, position = search_text(one), str(one.get("PositionalConstraint"))
    test = {
        "EXACTLY": wanted.__eq__,
        "STARTS_WITH": lambda text: text.startswith(wanted),
        "ENDS_WITH": lambda text: text.endswith(wanted),
        "CONTAINS": lambda text: wanted in text,
        "CONTAINS_WORD": lambda text: _has_word(text, wanted),
    }.get(position, lambda _: None)
    words = POSITIONS.get(position, ("matches", "does not match"))
    return _by_text("ByteMatchStatement", one, request, test, (f'{words[0]} "{wanted}"', f'{words[1]} "{wanted}"'))


def _has_word(text: str, word: str) -> bool:
    """Whether the text holds the word with neither a letter, a digit nor an underscore beside it."""
    start = text.find(word) if word else -1
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(word) : start + len(word) + 1]
        if not any(beside.isalnum() or beside == "_" for beside in (before, after)):
            return True
        start = text.find(word, start + 1)
    return False


def _any_pattern(name: str, patterns: tuple[str, ...], one: Mapping[str, Any], request: Request, known: Lookups) -> Outcome:
    def test(text: str) -> bool | None:
        results = [known.matches(pattern, text) for pattern in patterns]
        return True if True in results else None if None in results else False

    what = f"the pattern {patterns[0]}" if name == "RegexMatchStatement" else f"a pattern of set '{name_in(one.get('ARN'))}'"
    return _by_text(name, one, request, test, (f"matches {what}", f"does not match {what}"))


def _regex(one: Mapping[str, Any], request: Request, known: Lookups) -> Outcome:
    return _any_pattern("RegexMatchStatement", (str(one.get("RegexString")),), one, request, known)


def _regex_set(one: Mapping[str, Any], request: Request, known: Lookups) -> Outcome:
    name, patterns = "RegexPatternSetReferenceStatement", known.patterns(str(one.get("ARN")))
    if patterns is None:
        return _untold({name: one}, "the pattern set is not in the case (aws wafv2 get-regex-pattern-set)")
    return _any_pattern(name, patterns, one, request, known)


_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "EQ": operator.eq,
    "NE": operator.ne,
    "LE": operator.le,
    "LT": operator.lt,
    "GE": operator.ge,
    "GT": operator.gt,
}


def _size(one: Mapping[str, Any], request: Request, _known: Lookups) -> Outcome:
    compare, limit = _COMPARED.get(str(one.get("ComparisonOperator"))), one.get("Size")
    if compare is None or not isinstance(limit, int):
        return _untold({"SizeConstraintStatement": one})
    how = f"{COMPARISONS[str(one['ComparisonOperator'])]} {limit} bytes"
    if field_kind(one) == "Body" and request.body_bytes is not None and not _is_oversize(one, request):
        holds = compare(request.body_bytes, limit)
        return Outcome(holds, (f"the body has {request.body_bytes} bytes, {'' if holds else 'not '}{how}",))
    words = (f"has {how}", f"does not have {how}")
    return _by_text("SizeConstraintStatement", one, request, lambda text: compare(len(text.encode(errors="replace")), limit), words)


def addresses_in(one: Mapping[str, Any], key: str, request: Request) -> tuple[str, ...] | None:
    """The addresses that a statement looks at: the client's, or those of a header; null when the log does not tell."""
    config = as_map(one.get(key))
    if not config:
        return None if request.client_ip is None else (request.client_ip,)
    lines = header(request, str(config.get("HeaderName")))
    if lines is None:
        return None
    listed = [part.strip() for line in lines for part in line.split(",") if part.strip()]
    position = config.get("Position", "FIRST")
    return tuple(listed[-FORWARDED_LOOKED_AT:] if position == "ANY" else listed[-1:] if position == "LAST" else listed[:1])


def in_ranges(address: str, ranges: tuple[str, ...]) -> str | None:
    """The first of the ranges that holds the address; null when none does or the address is none.

    >>> in_ranges("203.0.113.9", ("198.51.100.0/24", "203.0.113.0/28"))
    '203.0.113.0/28'
    """
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        return None
    for text in ranges:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if wanted.version == network.version and wanted in network:
            return text
    return None


def _ip_set(one: Mapping[str, Any], request: Request, known: Lookups) -> Outcome:
    whole, name = {"IPSetReferenceStatement": one}, name_in(one.get("ARN"))
    listed = addresses_in(one, "IPSetForwardedIPConfig", request)
    ranges = known.addresses(str(one.get("ARN")))
    if listed is None or ranges is None:
        return _untold(
            whole, "the IP set is not in the case (aws wafv2 get-ip-set)" if ranges is None else "the log does not hold the address"
        )
    if not listed:
        return Outcome(
            holds=False, facts=(f"the request has no header {as_map(one.get('IPSetForwardedIPConfig')).get('HeaderName')} with an address",)
        )
    valid = [address for address in listed if is_address(address)]
    if not valid:
        fallback = as_map(one.get("IPSetForwardedIPConfig")).get("FallbackBehavior")
        return (
            Outcome(fallback == "MATCH", (f"{listed[0]} is no address, for which the rule says {fallback}",))
            if fallback
            else _untold(whole)
        )
    for address in valid:
        if found := in_ranges(address, ranges):
            return Outcome(holds=True, facts=(f"{address} is in IP set '{name}' (entry {found})",))
    return Outcome(
        holds=False, facts=(f"{', '.join(valid)} is not in IP set '{name}' ({len(ranges)} entr{'y' if len(ranges) == 1 else 'ies'})",)
    )


def _geo(one: Mapping[str, Any], request: Request, _known: Lookups) -> Outcome:
    codes = [str(code) for code in as_list(one.get("CountryCodes"))]
    if one.get("ForwardedIPConfig") or request.country is None:
        return _untold({"GeoMatchStatement": one})
    holds = request.country in codes
    return Outcome(holds, (f"the client's country is {request.country}, {'one of' if holds else 'none of'} {', '.join(codes)}",))


def _label(one: Mapping[str, Any], request: Request, _known: Lookups) -> Outcome:
    if request.labels is None:
        return _untold({"LabelMatchStatement": one})
    key = str(one.get("Key"))
    within = f":{key.strip(':')}:"
    space = one.get("Scope") == "NAMESPACE"
    found = next(
        (label for label in request.labels if (within in f":{label.rpartition(':')[0]}:" if space else f":{label}".endswith(within[:-1]))),
        None,
    )
    return Outcome(found is not None, (f"it carries the label {found}" if found else f"it carries no label {key}",))


def _detected(name: str, condition: str) -> Callable[[Mapping[str, Any], Request, Lookups], Outcome]:
    def judge(one: Mapping[str, Any], request: Request, _known: Lookups) -> Outcome:
        for detail in request.details:
            if detail.get("conditionType") == condition:
                matched = " ".join(map(str, as_list(detail.get("matchedData"))))
                return Outcome(holds=True, facts=(f"WAF's record says that it found {condition} in {detail.get('location')}: {matched}",))
        return _untold({name: one})

    return judge


_LEAVES: dict[str, Callable[[Mapping[str, Any], Request, Lookups], Outcome]] = {
    "ByteMatchStatement": _byte_match,
    "RegexMatchStatement": _regex,
    "RegexPatternSetReferenceStatement": _regex_set,
    "SizeConstraintStatement": _size,
    "IPSetReferenceStatement": _ip_set,
    "GeoMatchStatement": _geo,
    "LabelMatchStatement": _label,
    "SqliMatchStatement": _detected("SqliMatchStatement", "SQL_INJECTION"),
    "XssMatchStatement": _detected("XssMatchStatement", "XSS"),
}
