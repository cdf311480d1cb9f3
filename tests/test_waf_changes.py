"""Changes to WAF rules as JSON and commands, and signs of an attack."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from kyumei.edge.literals import among, literal, same
from kyumei.edge.waf.attack_signs import looks_intended, signs
from kyumei.edge.waf.commands import accept_tokens_of, change_addresses, change_rules, repeat_request
from kyumei.edge.waf.exception import counting, excepting, inspecting_oversize, overriding, path_match, rate, requests_match
from kyumei.edge.waf.inspected import from_waf
from kyumei.edge.waf.judge import evaluate
from kyumei.edge.waf.web_acl import place_of

if TYPE_CHECKING:
    from pathlib import Path
from tests.rules.web_acl_samples import ACL, ADMIN, BODY, GEO, IN_OFFICE, MANAGED, OFFICE, RATE, both, known, match, no, row, rule

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
    assert excepting(rule(RATE), exempt)["Statement"]["RateBasedStatement"] == {
        **RATE["RateBasedStatement"],
        "ScopeDownStatement": no(exempt),
    }
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
    old = {
        "Statement": {"ManagedRuleGroupStatement": {"Name": "g", "ExcludedRules": [{"Name": "r"}], "RuleActionOverrides": [{"Name": "s"}]}}
    }
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
    assert update.keys() == {
        "Name",
        "Id",
        "DefaultAction",
        "TokenDomains",
        "CustomResponseBodies",
        "VisibilityConfig",
        "Rules",
        "Scope",
        "LockToken",
    }
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
    assert (
        change_addresses(place, add=["203.0.113.9/32"])[1]
        == """jq '(.IPSet.Addresses + ["203.0.113.9/32"]) | unique' ip-set.json > addresses.json"""
    )
    assert '- ["203.0.113.0/24"]' in change_addresses(place, remove=["203.0.113.0/24"])[1]


def test_hostile_text_stays_inside_its_quotes() -> None:
    """A path from the log never ends a shell word or an SQL literal."""
    path = '/a\';rm -rf "$HOME" `id`'
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
        ({"query": "id=1/**/UnIoN/**/aLL%20select+1"}, True),
        ({"query": "q=union+jack+select+committee+of+1970"}, False),
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
