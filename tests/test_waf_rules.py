"""The rules of the WAF family on cases in memory: guilty, innocent, and never two rules for one failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kyumei.contracts import Failure
from kyumei.model.finding import Certainty, Citation
from kyumei.model.symptom import Symptom
from tests.rules.waf_memory import (
    ADMIN,
    ARN,
    BODY,
    CAPTCHA_RECORD,
    GEO_RULE,
    GROUP_RECORD,
    GROUP_RULE,
    IN_OFFICE_RULE,
    MANAGED,
    MANAGED_RECORD,
    NOT_OFFICE,
    NOW,
    OWN_ANSWER,
    RATE_RECORD,
    MemoryView,
    acl,
    ask,
    balancer_row,
    match,
    record,
    rule,
    speakers,
)


@pytest.mark.parametrize(
    ("more", "answers", "name", "code"),
    [
        ({}, {}, "waf_rule_blocked", "EDGE-022"),
        ({}, acl(rule(ADMIN)), "waf_rule_blocked", "EDGE-022"),
        ({"responseCodeSent": 404}, acl(rule(ADMIN)), "waf_rule_blocked", "EDGE-022"),
        ({"oversizeFields": ["REQUEST_BODY"]}, {}, "waf_rule_blocked", "EDGE-022"),
        (GROUP_RECORD, acl(GROUP_RULE), "waf_rule_blocked", "EDGE-022"),
        (GROUP_RECORD, acl(GROUP_RULE) | {"get-rule-group": OWN_ANSWER}, "waf_rule_blocked", "EDGE-022"),
        (MANAGED_RECORD, {}, "waf_managed_rule_blocked", "EDGE-096"),
        (MANAGED_RECORD, acl(rule(MANAGED, "core", Action=None, OverrideAction={"None": {}})), "waf_managed_rule_blocked", "EDGE-096"),
        (RATE_RECORD, {}, "waf_rate_limited", "EDGE-097"),
        (
            RATE_RECORD,
            acl(rule({"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "IP"}}, "throttle")),
            "waf_rate_limited",
            "EDGE-097",
        ),
        ({}, acl(GEO_RULE), "waf_source_blocked", "EDGE-099"),
        ({"client": "198.51.100.7"}, acl(IN_OFFICE_RULE), "waf_source_blocked", "EDGE-099"),
        ({}, acl(rule(NOT_OFFICE)), "waf_source_blocked", "EDGE-099"),
        ({"terminatingRuleId": "Default_Action"}, {}, "waf_source_blocked", "EDGE-099"),
        (
            {"terminatingRuleId": "Default_Action"},
            acl(rule(ADMIN, Action={"Allow": {}}), default="Block"),
            "waf_source_blocked",
            "EDGE-099",
        ),
        (CAPTCHA_RECORD, {}, "waf_challenge_unanswered", "EDGE-084"),
        (CAPTCHA_RECORD, acl(rule(match("/app"), "puzzle", Action={"Captcha": {}})), "waf_challenge_unanswered", "EDGE-084"),
        ({"oversizeFields": ["REQUEST_BODY"], "requestBodySize": 9000}, acl(rule(BODY)), "waf_oversize_blocked", "EDGE-098"),
    ],
)
def test_one_rule_speaks_for_one_block(more: dict[str, Any], answers: dict[str, Any], name: str, code: str) -> None:
    """Exactly the rule of its kind, under its code, with and without the configuration."""
    view = MemoryView(answers=answers)
    view.blocked(view.add("waf", record(**more)))
    opinions = ask(view)
    assert [other for other, opinion in opinions.items() if opinion.findings] == [name]
    (finding,) = opinions[name].findings
    assert (finding.code, finding.rule, finding.explains, finding.onset) == (code, name, 1, NOW)
    assert finding.subject["web_acl"] == "shop-prod"
    assert finding.chain[0].citations == (Citation("waf.log", 1, ""),)
    assert bool(opinions[name].gaps) is (not answers or (more is GROUP_RECORD and "get-rule-group" not in answers))


@pytest.mark.parametrize("hop", ["alb", "nginx", "app", "unknown"])
def test_the_family_is_silent_where_waf_did_not_answer(hop: str) -> None:
    """Another hop's failure, even with a WAF record that only counted beside it."""
    view = MemoryView(answers=acl(rule(ADMIN, Action={"Count": {}})))
    row = view.add(
        "waf",
        record(
            action="ALLOW", terminatingRuleId="Default_Action", nonTerminatingMatchingRules=[{"ruleId": "block-admin", "action": "COUNT"}]
        ),
    )
    view.failures = (Failure(hop=hop, table="nginx_access", total=1, rows=(row,), sightings={"waf": (row,)}),)
    assert speakers(view) == []


def test_no_rule_speaks_without_records() -> None:
    """A failure whose records could not be fetched says nothing."""
    assert speakers(MemoryView().blocked()) == []


REQUEST = {"ClientIP": "203.0.113.9", "URI": "/app/admin", "Method": "GET"}
SAMPLE = {
    "Request": REQUEST,
    "Timestamp": "2025-02-06T14:32:10.500000+09:00",
    "Action": "BLOCK",
}


@pytest.mark.parametrize(
    ("what", "certainty"),
    [
        ("nothing", Certainty.LIKELY),
        ("silent", Certainty.PROVEN),
        ("acl", Certainty.PROVEN),
        ("alb", Certainty.PROVEN),
        ("alb behind cloudfront", Certainty.PROVEN),
        ("alb by time", Certainty.LIKELY),
        ("alb forwarded", Certainty.LIKELY),
        ("sample", Certainty.PROVEN),
        ("sample of another client", Certainty.LIKELY),
        ("acl of another name", Certainty.LIKELY),
        ("acl that counts", Certainty.LIKELY),
        ("acl without the rule", Certainty.LIKELY),
        ("acl that does not match", Certainty.LIKELY),
        ("acl that does not match, silent", Certainty.PROVEN),
        ("not sure", Certainty.LIKELY),
        ("scanner", Certainty.POSSIBLE),
    ],
)
def test_proven_takes_a_second_source(what: str, certainty: Certainty) -> None:
    """WAF's own record is likely; another log, the configuration or a sample makes it proven, and only if it agrees."""
    answers: dict[str, dict[str, Any]] = {
        "acl": acl(rule(ADMIN)),
        "sample": {"get-sampled-requests": [SAMPLE]},
        "sample of another client": {"get-sampled-requests": [SAMPLE | {"Request": {**REQUEST, "ClientIP": "203.0.113.10"}}]},
        "acl of another name": {"get-web-acl": [{**acl(rule(ADMIN))["get-web-acl"][0], "ARN": ARN.replace("shop-prod", "shop-test")}]},
        "acl that counts": acl(rule(ADMIN, Action={"Count": {}})),
        "acl without the rule": acl(rule(ADMIN, "other")),
        "acl that does not match": acl(rule(match("/other"))),
        "acl that does not match, silent": acl(rule(match("/other"))),
        "scanner": acl(rule(ADMIN)),
        "not sure": acl(rule(ADMIN)),
    }
    view = MemoryView(answers=answers.get(what, {}), symptom=Symptom(browser=True))
    row = view.add("waf", record())
    view.blocked(row, silent=("nginx",) if "silent" in what else (), human=what != "scanner", sure=what != "not sure")
    if "alb" in what:
        forwarded = {"actions": ["waf", "forward"], "target_ip": "10.0.1.5"} if "forwarded" in what else {}
        seen = balancer_row(view, **forwarded, **({"trace_id": None} if "time" in what else {}))
        # Of an exchange that CloudFront is part of, too, only its joint with the first is told.
        joined = {"alb by time": "time, method and path", "alb behind cloudfront": "request id"}.get(what, "trace id")
        view.failures = (replace(view.failures[0], sightings={"waf": (row,), "alb": (seen,)}, joined_by=joined),)
    (finding,) = ask(view)["waf_rule_blocked"].findings
    assert finding.certainty is certainty


def test_the_chain_tells_who_saw_it_and_which_part_decided() -> None:
    """From the record to the part of the statement, with neighbours of the silent hop and what only counted."""
    view = MemoryView(answers=acl(rule(ADMIN)))
    counted = [{"ruleId": "count-odd", "action": "COUNT", "ruleMatchDetails": []}]
    row = view.add("waf", record(nonTerminatingMatchingRules=counted))
    for seconds in (-3, 5):
        view.add(
            "nginx_access",
            {"time": NOW.replace(tzinfo=None) + timedelta(seconds=seconds), "method": "GET", "path": "/api/ping", "status": 200},
        )
    view.blocked(row, silent=("nginx",), blind=("app",))
    view.failures = (replace(view.failures[0], sightings={"waf": (row,), "alb": (balancer_row(view),)}, joined_by="trace id"),)
    opinion = ask(view)["waf_rule_blocked"]
    says = [evidence.says for evidence in opinion.findings[0].chain]
    assert says[0].startswith("AWS WAF's own log has the failing request: GET /app/admin from 203.0.113.9 (JP) at 2025-02-06 05:32:10 UTC")
    assert (
        says[1] == "The record names rule 'block-admin' of web ACL 'shop-prod' as the one that ended the look: a rule of the web ACL's own"
    )
    assert says[2] == "The load balancer's own log says the same (joined by trace id): status 403, actions waf, target none"
    assert says[3].endswith("its records around it are of 05:32:07 and 05:32:15 UTC")
    assert says[4] == "No log here that covers the moment tells what the application saw"
    assert says[5].endswith("the URI path starts with \"/app/admin\" and not (the client is in IP set 'office')")
    assert says[6] == "It matches: the URI path starts with \"/app/admin\"; and 203.0.113.9 is not in IP set 'office' (1 entry)"
    assert says[7] == "Not the cause: count-odd matched as well and only counted"
    files = {citation.file for evidence in opinion.findings[0].chain for citation in evidence.citations}
    assert files == {"waf.log", "alb_access.log", "nginx_access.log", "aws/wafv2/get-web-acl.json", "aws/wafv2/get-ip-set.json"}
    assert [(one.code, one.why) for one in opinion.ruled_out] == [
        ("EDGE-137", "nginx did not answer: its log covers the moment and does not have the request"),
        ("EDGE-022", "WAF rule 'count-odd' matched the failing request and only counted"),
    ]


def test_the_log_of_another_balancer_confirms_no_block() -> None:
    """A balancer's log holds what WAF ends in it, too: one without the request is another's, and its silence shows nothing."""
    view = MemoryView()
    view.blocked(view.add("waf", record()), silent=("alb",))
    (finding,) = ask(view)["waf_rule_blocked"].findings
    assert finding.certainty is Certainty.LIKELY
    assert any("is of a request to app/shop/1234567890abcdef; the load balancer's log here" in one.says for one in finding.chain)
    behind = MemoryView()
    behind.blocked(behind.add("waf", record(httpSourceName="CF", httpSourceId="E2EXAMPLE1ABCD")), silent=("alb",))
    assert ask(behind)["waf_rule_blocked"].findings[0].certainty is Certainty.PROVEN


@pytest.mark.parametrize("known", [False, True])
def test_a_redacted_path_is_told_by_the_balancer_or_not_at_all(known: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """REDACTED is no path: nobody's request went to it, and nothing is counted by it."""
    view = MemoryView(answers=acl(rule(match("x"))))
    row = view.add("waf", record(path="REDACTED"))
    view.blocked(row)
    if known:
        view.failures = (replace(view.failures[0], sightings={"waf": (row,), "alb": (balancer_row(view),)}, joined_by="trace id"),)
    (finding,) = ask(view)["waf_rule_blocked"].findings
    assert finding.title.endswith("blocked GET /app/admin" if known else "blocked GET ?")
    assert finding.message.startswith(f"Your request to {'/app/admin' if known else 'the site'} was stopped")
    assert not any("requests for REDACTED" in one.says for one in finding.chain)
    assert not any("REDACTED" in check.command for check in finding.check)


def test_the_query_of_a_block_finds_all_that_it_counts() -> None:
    """A failure holds its nearest rows only, and counts all that the rule stopped in the window."""
    view = MemoryView()
    rows = [view.add("waf", record(after=-number, request_id=f"r{number}")) for number in range(60)]
    view.blocked(*rows[:50])
    view.failures = (replace(view.failures[0], total=60),)
    first = ask(view)["waf_rule_blocked"].findings[0].chain[0]
    assert first.total == len(view.rows(first.sql)) == 60


def lost(view: MemoryView, **more: Any) -> MemoryView:  # noqa: ANN401 - any column
    """The view with one failure that only the load balancer's log ascribes to WAF."""
    row = balancer_row(view, **more)
    view.failures = (Failure(hop="waf", table="alb_access", total=1, rows=(row,), sightings={"alb": (row,)}, silent=("nginx",)),)
    return view


def test_a_missing_log_is_named_and_not_replaced_by_a_guess() -> None:
    """It was WAF; a rule that would match is a hint, and the finding stays possible."""
    logging = {
        "get-logging-configuration": [
            {"ResourceArn": ARN, "LogDestinationConfigs": ["arn:x"], "LoggingFilter": {"DefaultBehavior": "DROP", "Filters": [{}]}}
        ]
    }
    view = lost(MemoryView(answers=acl(rule(ADMIN)) | logging))
    opinions = ask(view)
    assert [name for name, opinion in opinions.items() if opinion.findings] == ["waf_log_missing"]
    opinion = opinions["waf_log_missing"]
    (finding,) = opinion.findings
    assert (finding.code, finding.certainty, finding.onset) == ("EDGE-022", Certainty.POSSIBLE, NOW + timedelta(milliseconds=4))
    assert "rule_id" not in finding.subject
    assert "EDGE-100" in finding.subject["missing"]
    says = " ".join(evidence.says for evidence in finding.chain)
    assert "The WAF log is not in the case" in says
    assert "a logging filter DROPs what its 1 filters do not name" in says
    assert "these rules match what the load balancer's row tells of the request: 'block-admin'" in says
    (gap,) = opinion.gaps
    assert gap.missing == "AWS WAF log"
    assert "get-logging-configuration" in gap.how
    assert "get-sampled-requests" in gap.how


def _filter(behavior: str, default: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    """A logging filter of one entry."""
    return {"DefaultBehavior": default, "Filters": [{"Behavior": behavior, "Requirement": "MEETS_ANY", "Conditions": list(conditions)}]}


@pytest.mark.parametrize(
    ("filtered", "drops"),
    [
        (_filter("DROP", "KEEP", {"ActionCondition": {"Action": "BLOCK"}}), True),
        (_filter("KEEP", "DROP", {"ActionCondition": {"Action": "ALLOW"}}), True),
        (_filter("KEEP", "DROP", {"ActionCondition": {"Action": "BLOCK"}}), False),
        (_filter("DROP", "KEEP", {"ActionCondition": {"Action": "ALLOW"}}), False),
        (_filter("KEEP", "DROP", {"LabelNameCondition": {"LabelName": "awswaf:1:x"}}), False),
        (_filter("KEEP", "DROP", {"ActionCondition": {"Action": "COUNT"}}), False),
    ],
)
def test_a_logging_filter_that_drops_blocks_is_why_the_record_is_not_there(filtered: dict[str, Any], drops: bool) -> None:  # noqa: FBT001 - a parameter of the cases
    """Only a filter that cannot have kept the record explains its absence; the rest of the configuration is sent back."""
    stored = {"ResourceArn": ARN, "LogDestinationConfigs": ["arn:x"], "LoggingFilter": filtered}
    other = {"ResourceArn": ARN.replace("ap-northeast-1", "us-west-2"), "LogDestinationConfigs": ["arn:of-another-region"]}
    opinion = ask(lost(MemoryView(answers=acl(rule(ADMIN)) | {"get-logging-configuration": [stored, other]})))["waf_log_missing"]
    says = " ".join(evidence.says for evidence in opinion.findings[0].chain)
    assert ("drops the records of requests that ended in BLOCK" in says) is drops
    assert ("its logging filter drops what ends in BLOCK" in opinion.gaps[0].would_decide) is drops
    assert ("del(.LoggingConfiguration.LoggingFilter)" in opinion.gaps[0].how) is drops
    assert "arn:of-another-region" not in says


def test_a_web_acl_of_cloudfront_tells_nothing_of_a_load_balancers() -> None:
    """It cannot stand in front of one: neither its logging filter nor its rules are those that were asked for."""
    there = ARN.replace("ap-northeast-1", "us-east-1").replace("regional", "global")
    described = acl(rule(ADMIN))["get-web-acl"][0] | {"ARN": there}
    filtered = _filter("DROP", "KEEP", {"ActionCondition": {"Action": "BLOCK"}})
    logging = {"ResourceArn": there, "LogDestinationConfigs": ["arn:of-cloudfront"], "LoggingFilter": filtered}
    view = MemoryView(answers={"get-web-acl": [described], "get-logging-configuration": [logging]})
    opinion = ask(lost(view))["waf_log_missing"]
    says = " ".join(evidence.says for evidence in opinion.findings[0].chain)
    assert "of-cloudfront" not in says
    assert "these rules match" not in says
    assert "web_acl" not in opinion.findings[0].subject
    assert "its logging filter drops" not in opinion.gaps[0].would_decide


def test_which_of_several_web_acls_dropped_the_record_is_not_said() -> None:
    """Two are described, and no record tells which of them stands in front of the load balancer."""
    described = [acl()["get-web-acl"][0] | {"ARN": arn} for arn in (ARN, ARN.replace("shop-prod", "blog-prod"))]
    filtered = _filter("DROP", "KEEP", {"ActionCondition": {"Action": "BLOCK"}})
    logging = {"ResourceArn": ARN, "LogDestinationConfigs": ["arn:x"], "LoggingFilter": filtered}
    opinion = ask(lost(MemoryView(answers={"get-web-acl": described, "get-logging-configuration": [logging]})))["waf_log_missing"]
    says = " ".join(evidence.says for evidence in opinion.findings[0].chain)
    assert "it drops the records of requests that ended in BLOCK" in says
    assert "this one" not in says


@pytest.mark.parametrize(
    ("sample", "file", "rule_id"),
    [
        (
            SAMPLE | {"RuleNameWithinRuleGroup": "AWS#AWSManagedRulesSQLiRuleSet#SQLi_BODY"},
            "aws/wafv2/get-sampled-requests.json",
            "SQLi_BODY",
        ),
        (SAMPLE | {"Timestamp": NOW.timestamp()}, "aws/wafv2/get-sampled-requests.block-admin.json", "block-admin"),
        (SAMPLE, "aws/wafv2/get-sampled-requests.json", None),
        (SAMPLE | {"Action": "ALLOW"}, "aws/wafv2/get-sampled-requests.block-admin.json", None),
        (SAMPLE | {"Timestamp": "2025-02-06T05:35:10Z"}, "aws/wafv2/get-sampled-requests.block-admin.json", None),
        (SAMPLE | {"Timestamp": "yesterday"}, "aws/wafv2/get-sampled-requests.block-admin.json", None),
    ],
)
def test_a_sampled_request_names_the_rule(sample: dict[str, Any], file: str, rule_id: str | None) -> None:
    """By the rule inside a group, or by the metric that the file was asked for; never by a request of another moment."""
    view = MemoryView(answers=acl(rule(ADMIN)) | {"get-sampled-requests": [sample]}, files={"get-sampled-requests": file})
    (finding,) = ask(lost(view))["waf_log_missing"].findings
    assert finding.subject.get("rule_id") == rule_id
    assert finding.certainty is (Certainty.LIKELY if rule_id else Certainty.POSSIBLE)


def test_a_log_that_lacks_the_row_is_said_to_be_there() -> None:
    """The WAF log holds other requests only."""
    view = MemoryView()
    view.add("waf", record(action="ALLOW", terminatingRuleId="Default_Action", path="/", request_id="1-67a44a8a-00000000000000000000000f"))
    opinion = ask(lost(view))["waf_log_missing"]
    assert "it is here, but has no row of the request" in opinion.gaps[0].would_decide


def test_findings_keep_the_order_of_the_failures() -> None:
    """One finding a failure, in the order given."""
    view = MemoryView()
    for name, after in (("second", 3), ("first", 8)):
        view.blocked(view.add("waf", record(terminatingRuleId=name, after=after, request_id=f"id-{name}")))
    findings = ask(view)["waf_rule_blocked"].findings
    assert [one.subject["rule_id"] for one in findings] == ["second", "first"]
    assert not any("more failing" in one.chain[0].says for one in findings)


def test_a_failure_of_several_requests_cites_and_counts_them() -> None:
    """The nearest is told, the others are counted and found again by the query."""
    view = MemoryView()
    rows = [view.add("waf", record(after=after, request_id=f"id-{after}")) for after in (5, 1, 9)]
    view.add("waf", record(after=400, request_id="another"))
    (finding,) = ask(view.blocked(*rows))["waf_rule_blocked"].findings
    first = finding.chain[0]
    assert first.says.endswith("action BLOCK; 2 more failing requests like it")
    assert (first.total, len(first.citations), len(view.rows(first.sql)), finding.explains) == (3, 3, 3, 3)


@pytest.mark.parametrize(
    "more",
    [
        {
            "path": "/a';DROP TABLE waf;--\u0000\x1b[31m",
            "query": "'\"<script>" + "x" * 9000,
            "agent": "\u202e\n' OR 1=1",
            "request_id": "it's\u0000",
        },
        {"terminatingRuleId": "'; rm -rf ~ #", "client": "not an address", "country": "-"},
        {"webaclId": "66666666-7777-8888-9999-000000000000", "path": "REDACTED", "method": "REDACTED"},
        {"path": "/" + "あ" * 500, "terminatingRuleType": None, "httpSourceName": None},
        {**CAPTCHA_RECORD, "captchaResponse": None},
        {
            **RATE_RECORD,
            "rateBasedRuleList": [{"customValues": [None, {"key": "x"}], "rateBasedRuleId": "throttle", "limitKey": "CUSTOMKEYS"}],
        },
        {**MANAGED_RECORD, "ruleGroupList": None, "labels": None, "path": "REDACTED"},
        {**GROUP_RECORD, "ruleGroupList": None},
        {"terminatingRuleId": "Default_Action", "path": "REDACTED", "client": "nobody"},
        {"terminatingRuleId": None, "headers": [{"name": "X-Forwarded-For", "value": ", ,,"}]},
    ],
)
def test_hostile_and_poor_records_do_no_harm(more: dict[str, Any]) -> None:
    """Every rule answers, every query runs, whatever the record holds or lacks."""
    for answers in ({}, acl(rule(ADMIN)), acl({"Name": "block-admin"}), {"get-web-acl": [{"ARN": ARN, "Rules": None}]}):
        view = MemoryView(answers=answers)
        assert len(speakers(view.blocked(view.add("waf", record(**more))))) <= 1
