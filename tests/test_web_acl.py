"""Web ACLs: statements in words and judged on a request, and the kind of a block."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kyumei.edge.waf.attack_signs import signs
from kyumei.edge.waf.exception import overriding
from kyumei.edge.waf.inspected import Request, from_balancer, from_waf, inspected, transformed
from kyumei.edge.waf.judge import evaluate, in_ranges
from kyumei.edge.waf.statement import describe_statement, search_text
from kyumei.edge.waf.web_acl import WebAcl, action_of, kind, oversized, place_of
from kyumei.model.finding import Citation
from tests.rules.web_acl_samples import (
    ACL,
    ADMIN,
    BODY,
    GEO,
    IN_OFFICE,
    MANAGED,
    OFFICE,
    PLAIN,
    RATE,
    both,
    either,
    known,
    match,
    no,
    row,
    rule,
)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (match("/app"), 'the URI path starts with "/app"'),
        (match("x", "CONTAINS", change="LOWERCASE"), 'the URI path contains "x" (after LOWERCASE)'),
        (match("bot", "CONTAINS_WORD", {"SingleHeader": {"Name": "user-agent"}}), 'header user-agent contains the word "bot"'),
        (match("1", "EXACTLY", {"SingleQueryArgument": {"Name": "debug"}}), 'query argument debug is exactly "1"'),
        (BODY, 'the body starts with "<script" or is too large to inspect'),
        (ADMIN, "the URI path starts with \"/app/admin\" and not (the client is in IP set 'office')"),
        (
            both(either(match("/a"), GEO), no(GEO)),
            "(the URI path starts with \"/a\" or the client's country is KP or VN) and not (the client's country is KP or VN)",
        ),
        ({"AsnMatchStatement": {"AsnList": [64496, 64497]}}, "the client's network is AS 64496 or 64497"),
        ({"LabelMatchStatement": {"Scope": "LABEL", "Key": "a:b"}}, 'an earlier rule gave it the label "a:b"'),
        ({"LabelMatchStatement": {"Scope": "NAMESPACE", "Key": "a:b:"}}, 'an earlier rule gave it a label in namespace "a:b:"'),
        ({"RegexMatchStatement": {"RegexString": "^/x", "FieldToMatch": {"QueryString": {}}}}, "the query string matches the pattern ^/x"),
        (
            {
                "RegexPatternSetReferenceStatement": {
                    "ARN": OFFICE.replace("ipset/office", "regexpatternset/bad"),
                    "FieldToMatch": {"AllQueryArguments": {}},
                }
            },
            "any query argument matches a pattern of set 'bad'",
        ),
        (
            {
                "SizeConstraintStatement": {
                    "FieldToMatch": {"Body": {}},
                    "ComparisonOperator": "GT",
                    "Size": 8192,
                    "TextTransformations": PLAIN,
                }
            },
            "the body has more than 8192 bytes",
        ),
        (
            {"SqliMatchStatement": {"FieldToMatch": {"JsonBody": {}}, "TextTransformations": PLAIN}},
            "the JSON body looks like SQL injection",
        ),
        (
            {"XssMatchStatement": {"FieldToMatch": {"Cookies": {"MatchPattern": {"All": {}}, "MatchScope": "VALUE"}}}},
            "values of any of the cookies looks like cross-site scripting",
        ),
        (
            {"IPSetReferenceStatement": {"ARN": OFFICE, "IPSetForwardedIPConfig": {"HeaderName": "X-Forwarded-For", "Position": "FIRST"}}},
            "the client is in IP set 'office', as header X-Forwarded-For (first address) gives it",
        ),
        (RATE, "more than 100 requests in 60 s for one IP"),
        (
            {
                "RateBasedStatement": {
                    "Limit": 9,
                    "CustomKeys": [{"HTTPMethod": {}}, {"Header": {"Name": "k"}}],
                    "ScopeDownStatement": match("/a"),
                }
            },
            'more than 9 requests in 300 s for one HTTPMethod, Header, counting only requests where the URI path starts with "/a"',
        ),
        (
            {
                "ManagedRuleGroupStatement": {
                    **MANAGED["ManagedRuleGroupStatement"],
                    "RuleActionOverrides": [{"Name": "r", "ActionToUse": {"Count": {}}}],
                }
            },
            "a rule of the managed group AWS/AWSManagedRulesCommonRuleSet matches (overridden: r: Count)",
        ),
        (
            {"RuleGroupReferenceStatement": {"ARN": OFFICE.replace("ipset/office", "rulegroup/own")}},
            "a rule of the rule group 'own' matches",
        ),
        ({"TeapotMatchStatement": {"Strength": 9}}, "TeapotMatchStatement"),
        ({}, "nothing"),
        ({"ByteMatchStatement": None}, 'the request matches ""'),
    ],
)
def test_statements_in_words(statement: dict[str, Any], words: str) -> None:
    """Every sort of statement reads as a sentence; an unknown one is named, a broken one does no harm."""
    assert describe_statement(statement) == words


@pytest.mark.parametrize(
    ("raw", "text"), [("L2FwcC9hZG1pbg==", "/app/admin"), ("/app/admin", "/app/admin"), ("/api", "/api"), ("", ""), ("44GC", "あ")]
)
def test_search_strings_come_as_base64_or_as_they_are(raw: str, text: str) -> None:
    """What decodes to printable text is base64."""
    assert search_text({"SearchString": raw}) == text


FORWARDED = {"HeaderName": "X-Forwarded-For", "FallbackBehavior": "NO_MATCH", "Position": "FIRST"}


@pytest.mark.parametrize(
    ("statement", "holds"),
    [
        (match("/app/admin"), True),
        (match("/app/ADMIN", "EXACTLY"), False),
        (match("/APP", change="LOWERCASE"), False),
        (match("/app", change="LOWERCASE"), True),
        (match("/app", change="BASE64_DECODE"), None),
        (match("/app", change="URL_DECODE"), True),
        (match("admin", "ENDS_WITH"), True),
        (match("pp/adm", "CONTAINS"), True),
        (match("adm", "CONTAINS_WORD"), False),
        (match("admin", "CONTAINS_WORD"), True),
        (match("7", "EXACTLY", {"SingleQueryArgument": {"Name": "ID"}}), True),
        (match("a b", "EXACTLY", {"SingleQueryArgument": {"Name": "name"}}, "URL_DECODE"), True),
        (match("7", "EXACTLY", {"SingleQueryArgument": {"Name": "nope"}}), False),
        (match("Mozilla", "STARTS_WITH", {"SingleHeader": {"Name": "user-agent"}}), True),
        (match("1", "EXACTLY", {"SingleHeader": {"Name": "x-debug"}}), False),
        (match("dark", "EXACTLY", {"Cookies": {"MatchPattern": {"IncludedCookies": ["theme"]}, "MatchScope": "VALUE"}}), True),
        (match("sid", "EXACTLY", {"Cookies": {"MatchPattern": {"All": {}}, "MatchScope": "VALUE"}}), False),
        (match("cookie", "EXACTLY", {"Headers": {"MatchPattern": {"All": {}}, "MatchScope": "KEY"}}), True),
        (match("POST", "EXACTLY", {"Method": {}}), False),
        (match("x", "CONTAINS", {"Body": {}}), None),
        (ADMIN, True),
        (both(match("/other"), match("x", "CONTAINS", {"Body": {}})), False),
        (either(match("/app"), match("x", "CONTAINS", {"Body": {}})), True),
        (either(match("/other"), match("x", "CONTAINS", {"Body": {}})), None),
        (no(match("x", "CONTAINS", {"Body": {}})), None),
        (GEO, False),
        ({"GeoMatchStatement": {"CountryCodes": ["JP"]}}, True),
        ({"GeoMatchStatement": {"CountryCodes": ["JP"], "ForwardedIPConfig": FORWARDED}}, None),
        ({"AsnMatchStatement": {"AsnList": [64496]}}, None),
        ({"IPSetReferenceStatement": {"ARN": OFFICE, "IPSetForwardedIPConfig": FORWARDED}}, True),
        ({"IPSetReferenceStatement": {"ARN": OFFICE, "IPSetForwardedIPConfig": {**FORWARDED, "Position": "LAST"}}}, False),
        ({"IPSetReferenceStatement": {"ARN": OFFICE, "IPSetForwardedIPConfig": {**FORWARDED, "Position": "ANY"}}}, True),
        ({"IPSetReferenceStatement": {"ARN": OFFICE, "IPSetForwardedIPConfig": {**FORWARDED, "HeaderName": "X-Real"}}}, False),
        ({"IPSetReferenceStatement": {"ARN": "arn:unknown"}}, None),
        ({"LabelMatchStatement": {"Scope": "LABEL", "Key": "SizeRestrictions_Body"}}, True),
        ({"LabelMatchStatement": {"Scope": "LABEL", "Key": "Restrictions_Body"}}, False),
        ({"LabelMatchStatement": {"Scope": "NAMESPACE", "Key": "webacl:shop-prod:team:"}}, True),
        ({"LabelMatchStatement": {"Scope": "NAMESPACE", "Key": "blue"}}, False),
        ({"RegexMatchStatement": {"RegexString": "^/app/.+", "FieldToMatch": {"UriPath": {}}, "TextTransformations": PLAIN}}, True),
        ({"RegexPatternSetReferenceStatement": {"ARN": "set", "FieldToMatch": {"UriPath": {}}, "TextTransformations": PLAIN}}, True),
        ({"RegexPatternSetReferenceStatement": {"ARN": "other", "FieldToMatch": {"UriPath": {}}, "TextTransformations": PLAIN}}, None),
        (
            {
                "SizeConstraintStatement": {
                    "FieldToMatch": {"UriPath": {}},
                    "ComparisonOperator": "GE",
                    "Size": 10,
                    "TextTransformations": PLAIN,
                }
            },
            True,
        ),
        (
            {
                "SizeConstraintStatement": {
                    "FieldToMatch": {"Body": {}},
                    "ComparisonOperator": "GT",
                    "Size": 10,
                    "TextTransformations": PLAIN,
                }
            },
            None,
        ),
        ({"SqliMatchStatement": {"FieldToMatch": {"QueryString": {}}, "TextTransformations": PLAIN}}, None),
        (RATE, None),
        ({"RateBasedStatement": {"Limit": 9, "ScopeDownStatement": match("/other")}}, False),
        (MANAGED, None),
        ({"TeapotMatchStatement": {}}, None),
        ({}, None),
    ],
)
def test_statements_are_judged_in_three_ways(statement: dict[str, Any], holds: bool | None) -> None:  # noqa: FBT001 - a case of the table
    """Yes, no, or the log does not tell."""
    assert evaluate(statement, from_waf(row()), known(office=("198.51.100.0/24",))).holds is holds


def test_the_facts_say_which_part_decided() -> None:
    """Of an And that holds all parts speak; of one that fails only the failing ones."""
    outside = evaluate(ADMIN, from_waf(row()), known(office=("198.51.100.0/24",)))
    assert outside.facts == ('the URI path starts with "/app/admin"', "203.0.113.9 is not in IP set 'office' (1 entry)")
    inside = evaluate(ADMIN, from_waf(row(client_ip="198.51.100.3")), known(office=("198.51.100.0/24",)))
    assert (inside.holds, inside.facts) == (False, ("198.51.100.3 is in IP set 'office' (entry 198.51.100.0/24)",))
    untold = evaluate(ADMIN, from_waf(row()), known())
    assert untold.holds is None
    assert "get-ip-set" in " ".join(untold.facts)


def test_what_the_log_blanks_or_cuts_is_unknown() -> None:
    """Redacted fields, headers of a log that holds two, a hundred labels, and oversized parts."""
    assert evaluate(match("/app"), from_waf(row(path="REDACTED")), known()).holds is None
    balancer = from_balancer({"method": "GET", "path": "/a", "query": None, "client_ip": "203.0.113.9", "user_agent": "x", "host": "h"})
    header = match("1", "EXACTLY", {"SingleHeader": {"Name": "x-debug"}})
    assert evaluate(header, balancer, known()).holds is None
    assert evaluate(match("x", "EXACTLY", {"SingleHeader": {"Name": "User-Agent"}}), balancer, known()).holds is True
    label = {"LabelMatchStatement": {"Scope": "LABEL", "Key": "late"}}
    assert evaluate(label, from_waf(row(labels=["a:b"] * 100)), known()).holds is None
    assert evaluate(BODY, from_waf(row(oversize_fields=["REQUEST_BODY"])), known()).holds is True
    spared = json.loads(json.dumps(BODY).replace("MATCH", "NO_MATCH", 1))
    assert evaluate(spared, from_waf(row(oversize_fields=["REQUEST_BODY"])), known()).holds is False
    found = [{"conditionType": "SQL_INJECTION", "location": "QUERY_STRING", "matchedData": ["1", "or", "1"]}]
    injection = {"SqliMatchStatement": {"FieldToMatch": {"QueryString": {}}, "TextTransformations": PLAIN}}
    assert evaluate(injection, from_waf(row(match_details=json.dumps(found))), known()).holds is True


@pytest.mark.parametrize("headers", ["not json", "[1, null, {}]", None, "{}", '[{"name": 3}]'])
def test_hostile_headers_do_no_harm(headers: str | None) -> None:
    """Whatever stands in the column."""
    assert isinstance(from_waf(row(headers=headers)), Request)
    evaluate(
        match("x", "CONTAINS", {"Headers": {"MatchPattern": {"All": {}}, "MatchScope": "ALL"}}), from_waf(row(headers=headers)), known()
    )
    assert signs(row(headers=headers, match_details=headers, query="%zz%00", user_agent=None)) == ()


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        (("URL_DECODE", "LOWERCASE"), "/A%2fB", "/a/b"),
        (("COMPRESS_WHITE_SPACE",), "a b", "a b"),
        (("COMPRESS_WHITE_SPACE",), "a  b", None),
        (("HTML_ENTITY_DECODE",), "a&lt;", None),
        (("NORMALIZE_PATH",), "/a/../b", None),
        (("NORMALIZE_PATH",), "/a/b", "/a/b"),
        (("CMD_LINE",), "abc", "abc"),
        (("URL_DECODE",), "a+b", None),
        (("MD5",), "a", None),
        (("SOMETHING_NEW",), "a", None),
    ],
)
def test_text_is_changed_only_where_it_is_known_how(changes: tuple[str, ...], before: str, after: str | None) -> None:
    """A change that is not followed here leaves a text alone only if it cannot alter it."""
    steps = [{"Priority": index, "Type": change} for index, change in reversed(list(enumerate(changes)))]
    assert transformed({"TextTransformations": steps}, before) == after


def test_inspected_parts_are_missing_unknown_or_there() -> None:
    """Null is unknown, an empty tuple is a part that the request does not have."""
    request = from_waf(row(query=None))
    assert inspected({"FieldToMatch": {"QueryString": {}}}, request) == ("",)
    assert inspected({"FieldToMatch": {"AllQueryArguments": {}}}, request) == ()
    assert inspected({"FieldToMatch": {"Body": {}}}, request) is None
    assert inspected({"FieldToMatch": {"JA3Fingerprint": {}}}, request) is None
    assert inspected({}, request) is None


def test_ranges() -> None:
    """An address is in a range of its own version only; broken entries are passed over."""
    assert in_ranges("2001:db8::5", ("198.51.100.0/24", "broken", "2001:db8::/64")) == "2001:db8::/64"
    assert in_ranges("no address", ("0.0.0.0/0",)) is None


REGULAR = {"action": "BLOCK", "rule_id": "r", "rule_type": "REGULAR"}


@pytest.mark.parametrize(
    ("record", "statement", "expected"),
    [
        (REGULAR, None, "custom"),
        (REGULAR, ADMIN, "custom"),
        (REGULAR, no(IN_OFFICE), "source"),
        (REGULAR, either(GEO, IN_OFFICE), "source"),
        (REGULAR, BODY, "custom"),
        (REGULAR | {"oversize_fields": ["REQUEST_BODY"]}, BODY, "oversize"),
        (REGULAR | {"oversize_fields": ["REQUEST_BODY"]}, no(BODY), "custom"),
        (REGULAR | {"oversize_fields": ["REQUEST_HEADERS"]}, BODY, "custom"),
        (REGULAR | {"oversize_fields": ["REQUEST_BODY"]}, match("x", "CONTAINS", {"Body": {"OversizeHandling": "CONTINUE"}}), "custom"),
        (REGULAR | {"oversize_fields": ["REQUEST_BODY"]}, None, "custom"),
        (REGULAR | {"rule_type": "GROUP"}, RATE, "rate"),
        (REGULAR | {"rule_type": "GROUP"}, None, "custom"),
        (REGULAR | {"rule_type": "RATE_BASED"}, None, "rate"),
        (REGULAR | {"rule_type": "MANAGED_RULE_GROUP", "oversize_fields": ["REQUEST_BODY"]}, MANAGED, "managed"),
        (REGULAR | {"rule_id": "Default_Action"}, None, "source"),
        (REGULAR | {"action": "CAPTCHA", "rule_type": "RATE_BASED"}, RATE, "challenge"),
        (REGULAR | {"action": "CHALLENGE", "rule_type": "MANAGED_RULE_GROUP"}, MANAGED, "challenge"),
    ],
)
def test_each_block_is_of_one_kind(record: dict[str, Any], statement: dict[str, Any] | None, expected: str) -> None:
    """A rule that only looks at the source, one that takes size for a match, and all the others."""
    assert kind(record, statement) == expected


def test_oversized_names_the_component() -> None:
    """Only components that were large and are handled as a match."""
    assert oversized({"oversize_fields": ["REQUEST_BODY", "REQUEST_COOKIES"]}, both(match("/a"), BODY)) == ("Body",)


def test_places_and_rules_of_a_web_acl() -> None:
    """CloudFront's web ACLs live in us-east-1; Firewall Manager's groups stand before and after one's own rules."""
    place = place_of(ACL)
    assert place is not None
    assert (place.scope, place.region, place.name) == ("REGIONAL", "ap-northeast-1", "shop-prod")
    globe = place_of(ACL.replace("regional/", "global/"))
    assert globe is not None
    assert (globe.scope, globe.region) == ("CLOUDFRONT", "us-east-1")
    assert place_of("11111111-2222-3333-4444-555555555555") is None
    managed = [{"Name": "fms", "Priority": 0, "FirewallManagerStatement": MANAGED, "OverrideAction": {"None": {}}}]
    acl = WebAcl(
        {"Rules": [rule(ADMIN), 7], "PostProcessFirewallManagerRuleGroups": managed, "DefaultAction": {"Block": {}}}, Citation("a", 1, "")
    )
    assert [one["Name"] for one in acl.rules] == ["block-admin", "fms"]
    assert acl.default == "BLOCK"


def test_actions_of_rules() -> None:
    """The action of a rule, and what a group does with a match of one of its rules."""
    group = {"Statement": MANAGED, "OverrideAction": {"None": {}}}
    assert action_of(rule(ADMIN)) == "BLOCK"
    assert action_of(group, "SizeRestrictions_BODY") == "GROUP"
    assert action_of({**group, "OverrideAction": {"Count": {}}}, "SizeRestrictions_BODY") == "COUNT"
    assert action_of(overriding(group, "SizeRestrictions_BODY"), "SizeRestrictions_BODY") == "COUNT"
    assert action_of(overriding(group, "SizeRestrictions_BODY"), "Other") == "GROUP"
    assert action_of({}) == "GROUP"
