"""What the rules of the WAF family advise, and how it is counted on the log at hand."""

from __future__ import annotations

from typing import Any

import pytest

from kyumei.model.finding import Certainty
from tests.rules.waf_memory import (
    ADMIN,
    BODY,
    BROWSER,
    CAPTCHA_RECORD,
    GEO_RULE,
    IN_OFFICE_RULE,
    MANAGED,
    MANAGED_RECORD,
    OFFICE,
    OWN_GROUP,
    RATE_RECORD,
    MemoryView,
    acl,
    ask,
    match,
    record,
    remedies,
    rule,
)


def test_an_allow_list_gets_the_address_first() -> None:
    """The narrowest change is the address; what each change would have let through is counted on the log."""
    view = MemoryView(answers=acl(rule(ADMIN)))
    row = view.add("waf", record())
    view.add("waf", record(path="/app/admin/users", client="203.0.113.50", after=60))
    view.add("waf", record(client="203.0.113.51", after=90))
    view.add("waf", record(action="ALLOW", terminatingRuleId="Default_Action", path="/", after=95))
    address, paths, count = remedies(view.blocked(row), "waf_rule_blocked")
    assert "add its address there (203.0.113.9/32)" in address[0]
    assert (
        "update-ip-set --scope REGIONAL --region ap-northeast-1 --name office --id 11111111-2222-3333-4444-555555555555 --lock-token"
        in address[1]
    )
    assert address[2].startswith(
        "Of the 3 requests that this rule stopped in the records read, 1 would have gone on (1 client; GET /app/admin, 1x), "
        "2 would still be stopped (2 clients; GET /app/admin, 1x; GET /app/admin/users, 1x)."
    )
    assert "for everyone" in paths[0]
    assert "2 would have gone on (2 clients; GET /app/admin, 2x), 1 would still be stopped" in paths[2]
    assert '"Count": {}' in count[1]


def test_without_an_allow_list_the_clients_get_an_exception() -> None:
    """A set for the addresses that were stopped, then the path for everyone; a change that empties the rule says so."""
    view = MemoryView(answers=acl(rule(match("admin", "CONTAINS"))))
    clients, paths, _ = remedies(view.blocked(view.add("waf", record())), "waf_rule_blocked")
    assert "create-ip-set" in clients[1]
    assert "203.0.113.9/32" in clients[1]
    assert "<ARN that the command above printed>" in clients[1]
    assert "It would leave the rule nothing that it stopped" in paths[2]
    assert "nothing that it stopped" not in clients[2]


def test_without_the_configuration_a_template_is_given() -> None:
    """Placeholders are marked, and the gap names the command that would fill them."""
    view = MemoryView()
    found = remedies(view.blocked(view.add("waf", record())), "waf_rule_blocked")
    assert "<the statement of the rule as get-web-acl prints it>" in found[0][1]
    (gap,) = ask(view)["waf_rule_blocked"].gaps
    assert gap.how.startswith("aws wafv2 get-web-acl --scope REGIONAL --region ap-northeast-1 --name shop-prod --id 66666666")


def test_a_block_that_looks_intended_is_left_alone() -> None:
    """The first advice is to change nothing; nobody is told that an attack was legitimate."""
    view = MemoryView(answers=acl(rule(match("/item"))))
    row = view.add("waf", record(path="/item", query="id=1%20UNION%20SELECT%20null--", agent="sqlmap/1.7"))
    (finding,) = ask(view.blocked(row))["waf_rule_blocked"].findings
    assert finding.remedy[0].says.startswith("No change: the block looks intended (the query string holds what looks like SQL injection")
    assert all(one.says.startswith("Only if the request is legitimate after all") for one in finding.remedy[1:])
    assert "rightly so" in finding.message


def test_a_managed_rule_is_counted_and_blocked_again_by_its_label() -> None:
    """One rule of the group is overridden, the rest keeps working, and what else it caught is still stopped."""
    view = MemoryView(answers=acl(rule(MANAGED, "core", Action=None, OverrideAction={"None": {}})))
    row = view.add("waf", record(**MANAGED_RECORD, path="/upload", method="POST"))
    view.add("waf", record(**MANAGED_RECORD, path="/other", method="POST", after=5))
    narrow, wide, _ = remedies(view.blocked(row), "waf_managed_rule_blocked")
    assert '"Name": "SizeRestrictions_BODY",\n            "ActionToUse": {\n              "Count": {}' in narrow[1]
    assert '"Key": "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"' in narrow[1]
    assert '"Priority": 5' in narrow[1]
    assert "1 would have gone on (1 client; POST /upload, 1x), 1 would still be stopped (1 client; POST /other, 1x)" in narrow[2]
    assert '"ScopeDownStatement"' in wide[1]
    (finding,) = ask(view)["waf_managed_rule_blocked"].findings
    assert finding.chain[-1].says == "SizeRestrictions_BODY lets up to 8192 bytes pass; this request has 20000, over the limit"


def test_a_label_that_is_not_in_the_record_is_not_invented() -> None:
    """The command that lists the labels stands in its place."""
    view = MemoryView(answers=acl(rule(MANAGED, "core", Action=None, OverrideAction={"None": {}})))
    row = view.add("waf", record(**(MANAGED_RECORD | {"labels": []})))
    assert "<label of the rule: aws wafv2 describe-managed-rule-group" in remedies(view.blocked(row), "waf_managed_rule_blocked")[0][1]


def test_a_managed_rule_that_is_set_to_count_now_confirms_nothing() -> None:
    """An override in the configuration contradicts the record."""
    overridden = {
        "ManagedRuleGroupStatement": {**MANAGED["ManagedRuleGroupStatement"], "ExcludedRules": [{"Name": "SizeRestrictions_BODY"}]}
    }
    view = MemoryView(answers=acl(rule(overridden, "core", Action=None, OverrideAction={"None": {}})))
    (finding,) = ask(view.blocked(view.add("waf", record(**MANAGED_RECORD))))["waf_managed_rule_blocked"].findings
    assert finding.certainty is Certainty.LIKELY
    assert any("the rule was changed since, or before" in evidence.says for evidence in finding.chain)


def _busy(count: int, *, agents: int = 1, headers: list[dict[str, str]] | None = None) -> MemoryView:
    """A client with so many requests in the minute before a rate-based block."""
    statement = {"RateBasedStatement": {"Limit": 10, "EvaluationWindowSec": 60, "AggregateKeyType": "IP"}}
    view = MemoryView(answers=acl(rule(statement, "throttle")), covering=frozenset({"waf"}))
    for index in range(count):
        more = {"action": "ALLOW", "terminatingRuleId": "Default_Action", "path": f"/p{index % 3}", "agent": f"{BROWSER} {index % agents}"}
        view.add("waf", record(**more, after=-30 + index, request_id=f"r{index}"))
    return view.blocked(view.add("waf", record(**RATE_RECORD, headers=headers or [])), silent=("nginx",))


def test_a_rate_is_measured_on_the_log() -> None:
    """The count of the key in the window, people who share it, and a limit with room above the busiest window."""
    (finding,) = ask(_busy(19, agents=4))["waf_rate_limited"].findings
    says = " ".join(evidence.says for evidence in finding.chain)
    assert "20 requests of 203.0.113.9 in the 60 s up to the block; the limit is 10; its busiest such window had 20" in says
    assert "many people seem to share it" in says
    assert "the key that went over the limit: 203.0.113.9" in says
    assert finding.certainty is Certainty.PROVEN
    assert any("Raise the limit to 30" in one.says for one in finding.remedy)


@pytest.mark.parametrize(("paths", "first"), [(1, "Neither count nor stop"), (2, "Neither count nor stop"), (4, "Raise the limit")])
def test_a_site_that_was_refused_as_a_whole_is_not_taken_out_page_by_page(paths: int, first: str) -> None:
    """One page that is asked for often may be left uncounted; where every page is refused, the rule would guard nothing more."""
    view = _busy(19)
    view.failures = ()
    rows = [view.add("waf", record(**RATE_RECORD | {"path": f"/page{index}"}, request_id=f"b{index}")) for index in range(paths)]
    (finding,) = ask(view.blocked(*rows))["waf_rate_limited"].findings
    assert finding.remedy[0].says.startswith(first)


def test_a_count_far_below_the_limit_is_not_proven() -> None:
    """The log covers the moment and counts far fewer than the limit."""
    (finding,) = ask(_busy(2))["waf_rate_limited"].findings
    assert finding.certainty is Certainty.LIKELY


def _forwarded_rate(*, passed: int, header: str = "X-Forwarded-For") -> MemoryView:
    """A rule that counts by the viewer's address, behind a content network whose nodes each bring a few requests of one office."""
    limit = {"rateBasedRuleName": "throttle", "maxRateAllowed": 10, "evaluationWindowSec": "60"}
    by_viewer = {"rateBasedRuleId": "throttle", "limitKey": "FORWARDEDIP", "limitValue": "198.51.100.7"} | limit
    view = MemoryView(covering=frozenset({"waf"}))
    allowed = {"action": "ALLOW", "terminatingRuleId": "Default_Action"}
    for index in range(passed):
        office = [{"name": header, "value": "198.51.100.7, 203.0.113.200"}]
        view.add("waf", record(**allowed, after=-30 + index, client=f"203.0.113.{index}", headers=office, request_id=f"r{index}"))
    for index in range(9):
        another = [{"name": header, "value": "192.0.2.77, 198.51.100.7"}]
        view.add("waf", record(**allowed, after=-20 + index, client="203.0.113.9", headers=another, request_id=f"o{index}"))
    office = [{"name": header, "value": "198.51.100.7"}]
    blocked = record(**(RATE_RECORD | {"rateBasedRuleList": [by_viewer]}), headers=office)
    return view.blocked(view.add("waf", blocked), silent=("nginx",))


def test_a_rate_by_forwarded_address_is_counted_by_that_address() -> None:
    """Not by the address of the record, which is the network's; and only its first address counts."""
    (finding,) = ask(_forwarded_rate(passed=19))["waf_rate_limited"].findings
    says = " ".join(evidence.says for evidence in finding.chain)
    assert "more than 10 requests in 60 s by FORWARDED_IP" in finding.title
    assert "The log has 20 requests of 198.51.100.7 (first address of X-Forwarded-For) in the 60 s up to the block; the limit is 10" in says
    assert "the client 203.0.113.9 has" not in says
    assert finding.certainty is Certainty.PROVEN
    assert any("Raise the limit to 30" in one.says for one in finding.remedy)


def test_a_log_that_lacks_what_passed_is_no_measure_of_a_rate() -> None:
    """A rule stops only what went over its limit: where none of the key's requests passed, the log does not hold them."""
    (finding,) = ask(_forwarded_rate(passed=0))["waf_rate_limited"].findings
    says = " ".join(evidence.says for evidence in finding.chain)
    assert "this log lacks what passed" in says
    assert finding.certainty is Certainty.PROVEN
    assert any("Raise the limit to 15" in one.says for one in finding.remedy)


def test_all_clients_are_counted_together_only_where_the_rule_is_known_to() -> None:
    """A rule by nothing (CONSTANT) mostly counts the requests of one path: its statement tells, a group that refers to it does not."""
    by_nothing = {"rateBasedRuleId": "throttle", "rateBasedRuleName": "throttle", "limitKey": "CONSTANT", "maxRateAllowed": 10}
    whole = {"RateBasedStatement": {"Limit": 10, "EvaluationWindowSec": 60, "AggregateKeyType": "CONSTANT"}}
    scoped = {"RateBasedStatement": whole["RateBasedStatement"] | {"ScopeDownStatement": match("/login")}}
    for statement, counts in ((whole, True), (scoped, False), ({"RuleGroupReferenceStatement": {"ARN": OWN_GROUP}}, False)):
        view = MemoryView(answers=acl(rule(statement, "throttle")), covering=frozenset({"waf"}))
        row = view.add("waf", record(**(RATE_RECORD | {"rateBasedRuleList": [by_nothing]})))
        (finding,) = ask(view.blocked(row, silent=("nginx",)))["waf_rate_limited"].findings
        assert any("of all clients together" in one.says for one in finding.chain) is counts


@pytest.mark.parametrize(("forwarded", "addresses"), [("198.51.100.7", False), ("203.0.113.9", True), ("nobody", True)])
def test_a_proxy_is_not_let_pass_for_one_of_its_clients(forwarded: str, addresses: bool) -> None:  # noqa: FBT001 - a parameter of the cases
    """The record's address is that of a proxy where X-Forwarded-For names another: an exception for it would be one for all behind it."""
    view = MemoryView(answers=acl(rule(match("admin", "CONTAINS"))))
    row = view.add("waf", record(headers=[{"name": "X-Forwarded-For", "value": forwarded}]))
    found = remedies(view.blocked(row), "waf_rule_blocked")
    assert any("203.0.113.9/32" in commands for _, commands, _ in found) is addresses


def test_behind_a_proxy_the_real_client_is_counted() -> None:
    """FORWARDED_IP comes first where the request carries X-Forwarded-For."""
    found = remedies(_busy(19, headers=[{"name": "X-Forwarded-For", "value": "198.51.100.7"}]), "waf_rate_limited")
    assert '"AggregateKeyType": "FORWARDED_IP"' in found[0][1]


def test_an_entry_of_a_deny_list_is_taken_out_and_says_whom_else_it_frees() -> None:
    """The entry that holds the address, and the other clients of a wide one."""
    view = MemoryView(answers=acl(IN_OFFICE_RULE))
    row = view.add("waf", record(client="198.51.100.7"))
    view.add("waf", record(client="198.51.100.8", after=9))
    found = remedies(view.blocked(row), "waf_source_blocked")
    assert found[0][0].startswith("Take the entry 198.51.100.0/24 out of IP set 'office'. The entry holds more than this address")
    assert "2 would have gone on (2 clients" in found[0][2]


def test_a_country_is_taken_out_of_the_rule() -> None:
    """The list is edited in a copy of the rule."""
    view = MemoryView(answers=acl(GEO_RULE))
    found = remedies(view.blocked(view.add("waf", record())), "waf_source_blocked")
    assert found[0][0].startswith("Take country JP out of the rule")
    assert '"CountryCodes": [\n          "KP"\n        ]' in found[0][1]


def test_a_default_action_says_why_no_rule_let_the_request_in() -> None:
    """Each allowing rule is judged, and the set that it refers to is where the client is missing."""
    inside = {"AndStatement": {"Statements": [match("/app"), {"IPSetReferenceStatement": {"ARN": OFFICE}}]}}
    elsewhere = {"AndStatement": {"Statements": [match("/other"), {"IPSetReferenceStatement": {"ARN": OFFICE}}]}}
    allow: dict[str, Any] = {"Allow": {}}
    view = MemoryView(
        answers=acl(rule(inside, "let-in", Action=allow), rule(elsewhere, "other", Action=allow, Priority=7), default="Block")
    )
    row = view.add("waf", record(terminatingRuleId="Default_Action"))
    (finding,) = ask(view.blocked(row))["waf_source_blocked"].findings
    says = [evidence.says for evidence in finding.chain]
    assert any(
        "Rule 'let-in' allows" in text and "it did not match (203.0.113.9 is not in IP set 'office' (1 entry))" in text for text in says
    )
    assert [one.says for one in finding.remedy] == [
        "Add 203.0.113.9 to IP set 'office', whose clients rule 'let-in' lets in.",
        "Add a last rule that allows GET /app/admin for everyone; the rules before it still look at it.",
    ]
    assert '"Priority": 8' in "\n".join(finding.remedy[1].commands)
    assert finding.certainty is Certainty.PROVEN


def test_a_puzzle_names_why_the_token_did_not_do() -> None:
    """An expired token gets a longer immunity time; a missing one of a program is no browser's."""
    view = MemoryView(answers=acl(rule(match("/app"), "puzzle", Action={"Captcha": {}})))
    row = view.add("waf", record(**CAPTCHA_RECORD, headers=[{"name": "Accept", "value": "application/json"}]))
    (finding,) = ask(view.blocked(row))["waf_challenge_unanswered"].findings
    says = " ".join(evidence.says for evidence in finding.chain)
    assert "TOKEN_EXPIRED: the token was too old" in says
    assert "The client does not ask for a page (Accept: application/json)" in says
    assert '"ImmunityTime": 3600' in finding.remedy[0].commands[1]
    assert finding.certainty is Certainty.PROVEN


def test_oversize_is_inspected_as_far_as_it_goes() -> None:
    """The rule is split: as it is elsewhere, CONTINUE for the failing requests."""
    view = MemoryView(answers=acl(rule(BODY)))
    row = view.add(
        "waf",
        record(path="/upload", method="POST", oversizeFields=["REQUEST_BODY"], requestBodySize=9000, requestBodySizeInspectedByWAF=8192),
    )
    view.add("waf", record(path="/upload", method="POST", after=4))
    first, *_ = remedies(view.blocked(row), "waf_oversize_blocked")
    assert '"OversizeHandling": "CONTINUE"' in first[1]
    assert '"Name": "block-admin-large-requests"' in first[1]
    assert "1 would have gone on" in first[2]
    assert "1 would still be stopped" in first[2]
