"""Web ACLs: statements in words and judged on a request, the kind of a block, and changes to rules as JSON."""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from kyumei.edge.attack_signs import looks_intended, signs
from kyumei.edge.inspected import Request, from_balancer, from_waf, inspected, transformed
from kyumei.edge.judge import Lookups, evaluate, in_ranges
from kyumei.edge.statement import describe_statement, search_text
from kyumei.edge.waf_commands import accept_tokens_of, change_addresses, change_rules, repeat_request
from kyumei.edge.waf_exception import counting, excepting, inspecting_oversize, overriding, path_match, rate, requests_match
from kyumei.edge.waf_sql import among, literal, same
from kyumei.edge.web_acl import WebAcl, action_of, kind, oversized, place_of
from kyumei.model.finding import Citation

if TYPE_CHECKING:
    from pathlib import Path

OFFICE = "arn:aws:wafv2:ap-northeast-1:123456789012:regional/ipset/office/11111111-2222-3333-4444-555555555555"
ACL = "arn:aws:wafv2:ap-northeast-1:123456789012:regional/webacl/shop-prod/66666666-7777-8888-9999-000000000000"
PLAIN = [{"Priority": 0, "Type": "NONE"}]


def match(text: str, position: str = "STARTS_WITH", field: dict[str, Any] | None = None, change: str = "NONE") -> dict[str, Any]:
    """A ByteMatchStatement as the CLI prints it."""
    return {
        "ByteMatchStatement": {
            "SearchString": base64.b64encode(text.encode()).decode(),
            "FieldToMatch": field or {"UriPath": {}},
            "TextTransformations": [{"Priority": 0, "Type": change}],
            "PositionalConstraint": position,
        }
    }


def both(*statements: dict[str, Any]) -> dict[str, Any]:
    """An AndStatement."""
    return {"AndStatement": {"Statements": list(statements)}}


def either(*statements: dict[str, Any]) -> dict[str, Any]:
    """An OrStatement."""
    return {"OrStatement": {"Statements": list(statements)}}


def no(statement: dict[str, Any]) -> dict[str, Any]:
    """A NotStatement."""
    return {"NotStatement": {"Statement": statement}}


IN_OFFICE = {"IPSetReferenceStatement": {"ARN": OFFICE}}
ADMIN = both(match("/app/admin"), no(IN_OFFICE))
BODY = {"ByteMatchStatement": {**match("<script")["ByteMatchStatement"], "FieldToMatch": {"Body": {"OversizeHandling": "MATCH"}}}}
GEO = {"GeoMatchStatement": {"CountryCodes": ["KP", "VN"]}}
MANAGED = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}}
RATE = {"RateBasedStatement": {"Limit": 100, "EvaluationWindowSec": 60, "AggregateKeyType": "IP"}}


def rule(statement: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any member of a rule
    """A rule as get-web-acl prints it."""
    return {"Name": "block-admin", "Priority": 4, "Statement": statement, "Action": {"Block": {}}, "VisibilityConfig": {"MetricName": "m"}, **more}


def row(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column of the table
    """As much of a row of table ``waf`` as is looked at here."""
    plain = {
        "method": "GET",
        "path": "/app/admin",
        "query": "id=7&Name=a%20b",
        "client_ip": "203.0.113.9",
        "country": "JP",
        "headers": json.dumps(
            [
                {"name": "Host", "value": "shop.example.com"},
                {"name": "User-Agent", "value": "Mozilla/5.0"},
                {"name": "Cookie", "value": "sid=abc; theme=dark"},
                {"name": "X-Forwarded-For", "value": "198.51.100.7, 10.0.0.1"},
            ]
        ),
        "labels": ["awswaf:managed:aws:core-rule-set:SizeRestrictions_Body", "awswaf:123456789012:webacl:shop-prod:team:blue"],
        "match_details": None,
        "oversize_fields": None,
        "body_bytes": None,
    }
    return plain | more


def known(**sets: tuple[str, ...]) -> Lookups:
    """Lookups that hold these IP sets, and Python's matcher for the harmless patterns of these tests."""
    by_name = {f"arn:aws:wafv2:ap-northeast-1:123456789012:regional/ipset/{name}/1": ranges for name, ranges in sets.items()}
    office = {OFFICE: sets["office"]} if "office" in sets else {}
    return Lookups((by_name | office).get, {"set": ("^/a", "admin$")}.get, lambda pattern, text: bool(re.search(pattern, text)))


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (match("/app"), 'the URI path starts with "/app"'),
        (match("x", "CONTAINS", change="LOWERCASE"), 'the URI path contains "x" (after LOWERCASE)'),
        (match("bot", "CONTAINS_WORD", {"SingleHeader": {"Name": "user-agent"}}), 'header user-agent contains the word "bot"'),
        (match("1", "EXACTLY", {"SingleQueryArgument": {"Name": "debug"}}), 'query argument debug is exactly "1"'),
        (BODY, 'the body starts with "<script" or is too large to inspect'),
        (ADMIN, 'the URI path starts with "/app/admin" and not (the client is in IP set \'office\')'),
        (both(either(match("/a"), GEO), no(GEO)), '(the URI path starts with "/a" or the client\'s country is KP or VN) and not (the client\'s country is KP or VN)'),
        ({"AsnMatchStatement": {"AsnList": [64496, 64497]}}, "the client's network is AS 64496 or 64497"),
        ({"LabelMatchStatement": {"Scope": "LABEL", "Key": "a:b"}}, 'an earlier rule gave it the label "a:b"'),
        ({"LabelMatchStatement": {"Scope": "NAMESPACE", "Key": "a:b:"}}, 'an earlier rule gave it a label in namespace "a:b:"'),
        ({"RegexMatchStatement": {"RegexString": "^/x", "FieldToMatch": {"QueryString": {}}}}, "the query string matches the pattern ^/x"),
        (
            {"RegexPatternSetReferenceStatement": {"ARN": OFFICE.replace("ipset/office", "regexpatternset/bad"), "FieldToMatch": {"AllQueryArguments": {}}}},
            "any query argument matches a pattern of set 'bad'",
        ),
        (
            {"SizeConstraintStatement": {"FieldToMatch": {"Body": {}}, "ComparisonOperator": "GT", "Size": 8192, "TextTransformations": PLAIN}},
            "the body has more than 8192 bytes",
        ),
        ({"SqliMatchStatement": {"FieldToMatch": {"JsonBody": {}}, "TextTransformations": PLAIN}}, "the JSON body looks like SQL injection"),
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
            {"RateBasedStatement": {"Limit": 9, "CustomKeys": [{"HTTPMethod": {}}, {"Header": {"Name": "k"}}], "ScopeDownStatement": match("/a")}},
            'more than 9 requests in 300 s for one HTTPMethod, Header, counting only requests where the URI path starts with "/a"',
        ),
        (
            {"ManagedRuleGroupStatement": {**MANAGED["ManagedRuleGroupStatement"], "RuleActionOverrides": [{"Name": "r", "ActionToUse": {"Count": {}}}]}},
            "a rule of the managed group AWS/AWSManagedRulesCommonRuleSet matches (overridden: r: Count)",
        ),
        ({"RuleGroupReferenceStatement": {"ARN": OFFICE.replace("ipset/office", "rulegroup/own")}}, "a rule of the rule group 'own' matches"),
        ({"TeapotMatchStatement": {"Strength": 9}}, "TeapotMatchStatement"),
        ({}, "nothing"),
        ({"ByteMatchStatement": None}, 'the request matches ""'),
    ],
)
def test_statements_in_words(statement: dict[str, Any], words: str) -> None:
    """Every sort of statement reads as a sentence; an unknown one is named, a broken one does no harm."""
    assert describe_statement(statement) == words


@pytest.mark.parametrize(("raw", "text"), [("L2FwcC9hZG1pbg==", "/app/admin"), ("/app/admin", "/app/admin"), ("/api", "/api"), ("", ""), ("44GC", "あ")])
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
        ({"SizeConstraintStatement": {"FieldToMatch": {"UriPath": {}}, "ComparisonOperator": "GE", "Size": 10, "TextTransformations": PLAIN}}, True),
        ({"SizeConstraintStatement": {"FieldToMatch": {"Body": {}}, "ComparisonOperator": "GT", "Size": 10, "TextTransformations": PLAIN}}, None),
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
    evaluate(match("x", "CONTAINS", {"Headers": {"MatchPattern": {"All": {}}, "MatchScope": "ALL"}}), from_waf(row(headers=headers)), known())
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
    acl = WebAcl({"Rules": [rule(ADMIN), 7], "PostProcessFirewallManagerRuleGroups": managed, "DefaultAction": {"Block": {}}}, Citation("a", 1, ""))
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


GOLDEN_EXEMPT = """
{"AndStatement": {"Statements": [
  {"ByteMatchStatement": {"SearchString": "R0VU", "FieldToMatch": {"Method": {}},
    "TextTransformations": [{"Priority": 0, "Type": "NONE"}], "PositionalConstraint": "EXACTLY"}},
  {"ByteMatchStatement": {"SearchString": "L2FwcC9hZG1pbg==", "FieldToMatch": {"UriPath": {}},
    "TextTransformations": [{"Priority": 0, "Type": "NONE"}], "PositionalConstraint": "EXACTLY"}}]}}
"""


def test_exceptions_are_edited_copies_of_the_rule() -> None:
    """And is extended, any other statement wrapped; what cannot be nested gets a scope-down; the original stays as it was."""
    exempt = requests_match([("GET", "/app/admin")])
    assert exempt == json.loads(GOLDEN_EXEMPT)
    original = rule(ADMIN, RuleLabels=[{"Name": "l"}])
    before = json.dumps(original)
    edited = excepting(original, exempt)
    assert edited == {**original, "Statement": both(match("/app/admin"), no(IN_OFFICE), no(exempt))}
    assert json.dumps(original) == before
    assert excepting(rule(GEO), exempt)["Statement"] == both(GEO, no(exempt))
    assert excepting(rule(RATE), exempt)["Statement"]["RateBasedStatement"] == {**RATE["RateBasedStatement"], "ScopeDownStatement": no(exempt)}
    scoped = {"ManagedRuleGroupStatement": {**MANAGED["ManagedRuleGroupStatement"], "ScopeDownStatement": match("/a")}}
    assert excepting(rule(scoped), exempt)["Statement"]["ManagedRuleGroupStatement"]["ScopeDownStatement"] == both(match("/a"), no(exempt))
    assert requests_match([("GET", "/a"), ("GET", "/b")]).keys() == {"OrStatement"}


def test_the_exception_lets_the_request_pass_and_nothing_else() -> None:
    """Judged by the same judge: the request no longer matches, its neighbours still do."""
    edited = excepting(rule(ADMIN), requests_match([("GET", "/app/admin")]))["Statement"]
    for request, holds in ((row(), False), (row(method="POST"), True), (row(path="/app/admin/users"), True)):
        assert evaluate(edited, from_waf(request), known(office=("198.51.100.0/24",))).holds is holds


def test_other_changes_of_a_rule() -> None:
    """Counting, overriding, rates and oversize handling."""
    assert counting(rule(ADMIN))["Action"] == {"Count": {}}
    assert counting({"Statement": MANAGED, "OverrideAction": {"None": {}}})["OverrideAction"] == {"Count": {}}
    old = {"Statement": {"ManagedRuleGroupStatement": {"Name": "g", "ExcludedRules": [{"Name": "r"}], "RuleActionOverrides": [{"Name": "s"}]}}}
    assert overriding(old, "r")["Statement"]["ManagedRuleGroupStatement"] == {
        "Name": "g",
        "RuleActionOverrides": [{"Name": "s"}, {"Name": "r", "ActionToUse": {"Count": {}}}],
    }
    assert rate(rule(RATE), limit=500)["Statement"]["RateBasedStatement"]["Limit"] == 500
    assert rate(rule(RATE), forwarded=True)["Statement"]["RateBasedStatement"]["AggregateKeyType"] == "FORWARDED_IP"
    inner = inspecting_oversize(rule(both(match("/a"), no(BODY))), ["Body"])["Statement"]["AndStatement"]["Statements"]
    assert inner[1]["NotStatement"]["Statement"]["ByteMatchStatement"]["FieldToMatch"] == {"Body": {"OversizeHandling": "CONTINUE"}}


def test_a_path_too_long_for_a_search_string_is_matched_by_its_start() -> None:
    """AWS takes 200 bytes at most; a letter is never cut in half."""
    found = path_match("/" + "あ" * 100)["ByteMatchStatement"]
    decoded = base64.b64decode(found["SearchString"]).decode()
    assert found["PositionalConstraint"] == "STARTS_WITH"
    assert decoded == "/" + "あ" * 66


@pytest.mark.skipif(shutil.which("jq") is None, reason="the commands are run through jq")
def test_the_commands_make_a_whole_update(tmp_path: Path) -> None:
    """Nothing that get-web-acl printed is lost, the edited rule is in its place, the new one right behind, and no priority stands twice."""
    acl = {
        "Name": "shop-prod",
        "Id": "1",
        "ARN": ACL,
        "Capacity": 50,
        "LabelNamespace": "awswaf:",
        "DefaultAction": {"Allow": {}},
        "TokenDomains": ["example.com"],
        "CustomResponseBodies": {"sorry": {"ContentType": "TEXT_PLAIN", "Content": "no"}},
        "VisibilityConfig": {"MetricName": "m"},
        "Rules": [rule(GEO, Name="first", Priority=0), rule(ADMIN), rule(GEO, Name="last", Priority=5)],
    }
    (tmp_path / "now.json").write_text(json.dumps({"WebACL": acl, "LockToken": "t-1"}))
    edited = excepting(rule(ADMIN), path_match("/app/it's <b>"))
    commands = change_rules(place_of(ACL), [edited], rule(GEO, Name="new", Priority=5), 4)
    update = _applied(commands, tmp_path)
    assert [(one["Name"], one["Priority"]) for one in update["Rules"]] == [("first", 0), ("block-admin", 4), ("last", 6), ("new", 5)]
    assert update["Rules"][1] == edited
    assert update.keys() == {"Name", "Id", "DefaultAction", "TokenDomains", "CustomResponseBodies", "VisibilityConfig", "Rules", "Scope", "LockToken"}
    assert (update["Scope"], update["LockToken"]) == ("REGIONAL", "t-1")
    more = _applied(accept_tokens_of(place_of(ACL), "shop.example.com"), tmp_path)
    assert more["TokenDomains"] == ["example.com", "shop.example.com"]


def _applied(commands: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """What the update would send: every command but those that call AWS is run."""
    assert commands[0].startswith("aws wafv2 get-web-acl --scope REGIONAL --region ap-northeast-1 --name shop-prod --id 6")
    assert commands[-1] == "aws wafv2 update-web-acl --region ap-northeast-1 --cli-input-json file://update.json"
    for command in commands[1:-1]:
        subprocess.run(["bash", "-c", command], cwd=folder, check=True)  # noqa: S603, S607 - our own commands are what is tested
    found: dict[str, Any] = json.loads((folder / "update.json").read_text())
    return found


def test_commands_for_ip_sets() -> None:
    """The whole set is written back with what was added or taken out."""
    place = place_of(OFFICE)
    assert place is not None
    assert change_addresses(place, add=["203.0.113.9/32"])[1] == """jq '(.IPSet.Addresses + ["203.0.113.9/32"]) | unique' ip-set.json > addresses.json"""
    assert '- ["203.0.113.0/24"]' in change_addresses(place, remove=["203.0.113.0/24"])[1]


def test_hostile_text_stays_inside_its_quotes() -> None:
    """A path from the log never ends a shell word or an SQL literal."""
    path = "/a';rm -rf \"$HOME\" `id`"
    words = shlex.split(repeat_request({"method": "GET", "path": path, "query": None}, "shop.example.com"))
    assert words[-1] == "https://shop.example.com" + path
    assert literal(path) == "'/a'';rm -rf \"$HOME\" `id`'"
    assert same("path", None) == "path IS NULL"
    assert among("path", []) == "false"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"query": "id=1%20UNION%20SELECT%20null,version()--"}, True),
        ({"query": "q=%3Cscript%3Ealert(1)%3C/script%3E"}, True),
        ({"query": "page=../../../../etc/passwd"}, True),
        ({"query": "url=http://192.0.2.250/x.txt"}, True),
        ({"path": "/.git/config", "query": None}, True),
        ({"path": "/wp-login.php", "query": None}, True),
        ({"user_agent": "sqlmap/1.7"}, True),
        ({"match_details": '[{"conditionType": "SQL_INJECTION", "location": "BODY", "matchedData": ["\'", "or", "1"]}]'}, True),
        ({"query": "q=union+jack+select+committee+of+1970"}, True),
        ({"query": "next=https://shop.example.com/cart"}, False),
        ({"query": "q=O'Neill+and+sons"}, False),
        ({"path": "/app/admin", "user_agent": "curl/8.5.0"}, False),
    ],
)
def test_signs_of_an_attack(more: dict[str, Any], found: bool) -> None:  # noqa: FBT001 - a case of the table
    """Facts that speak for the block; a plain request has none."""
    plain = row(user_agent="Mozilla/5.0", query=None)
    assert bool(signs(plain | more)) is found


def test_one_odd_request_does_not_make_the_others_attacks() -> None:
    """Most of the requests must carry a sign, the nearest among them."""
    odd, plain = row(path="/.env", query=None, user_agent="x"), row(query=None, user_agent="x")
    assert looks_intended([odd, odd, plain])
    assert looks_intended([plain, odd, odd]) == ()
    assert looks_intended([odd, plain, plain]) == ()
