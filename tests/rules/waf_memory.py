"""A case in memory for the rules of the WAF family: a view over the real tables, records read by the format, answers of AWS."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from kyumei import discover
from kyumei.contracts import Failure, Opinion
from tests.rules.memory import TablesView, around

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.model.window import Window

NOW = datetime(2025, 2, 6, 5, 32, 10, tzinfo=UTC)
ARN = "arn:aws:wafv2:ap-northeast-1:123456789012:regional/webacl/shop-prod/66666666-7777-8888-9999-000000000000"
OFFICE = "arn:aws:wafv2:ap-northeast-1:123456789012:regional/ipset/office/11111111-2222-3333-4444-555555555555"
OWN_GROUP = "arn:aws:wafv2:ap-northeast-1:123456789012:regional/rulegroup/own/22222222-2222-3333-4444-555555555555"
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36"
PLAIN = [{"Priority": 0, "Type": "NONE"}]
TABLES = ("waf", "alb_access", "nginx_access", "app_log", "cloudtrail")
FAMILY = (
    "waf_rule_blocked",
    "waf_managed_rule_blocked",
    "waf_rate_limited",
    "waf_source_blocked",
    "waf_challenge_unanswered",
    "waf_oversize_blocked",
    "waf_log_missing",
)


@dataclass
class MemoryView(TablesView):
    """A view over WAF's table and those behind it."""

    tables: ClassVar[tuple[str, ...]] = TABLES
    window: Window = field(default_factory=lambda: around(NOW))

    def add(self, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Store a row and return it as a rule gets it."""
        return self.add_known(table, row)

    def blocked(self, *rows: Mapping[str, Any], **more: Any) -> MemoryView:  # noqa: ANN401 - any field of Failure
        """The view with one failure that WAF's log tells of."""
        failure = Failure(hop="waf", table="waf", total=len(rows), rows=tuple(rows), sightings={"waf": tuple(rows)}, **more)
        self.failures = (*self.failures, failure)
        return self


def record(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - any key of a WAF record
    """A row of table ``waf``, read by the format's own reader from a record as WAF writes it."""
    request = {
        "clientIp": more.pop("client", "203.0.113.9"),
        "country": more.pop("country", "JP"),
        "headers": [
            {"name": "Host", "value": "shop.example.com"},
            {"name": "User-Agent", "value": more.pop("agent", BROWSER)},
            *more.pop("headers", []),
        ],
        "uri": more.pop("path", "/app/admin"),
        "args": more.pop("query", ""),
        "httpVersion": "HTTP/2.0",
        "httpMethod": more.pop("method", "GET"),
        "requestId": more.pop("request_id", "1-67a44a8a-000000000000000000000001"),
    }
    document = {
        "timestamp": int((NOW.timestamp() + more.pop("after", 0)) * 1000),
        "formatVersion": 1,
        "webaclId": ARN,
        "terminatingRuleId": "block-admin",
        "terminatingRuleType": "REGULAR",
        "action": "BLOCK",
        "terminatingRuleMatchDetails": [],
        "httpSourceName": "ALB",
        "httpSourceId": "123456789012-app/shop/1234567890abcdef",
        "ruleGroupList": [],
        "rateBasedRuleList": [],
        "nonTerminatingMatchingRules": [],
        "httpRequest": request,
    } | more
    read = discover.formats()["waf"].layout.read(json.dumps(document))
    assert isinstance(read, dict)
    return read


def match(text: str, position: str = "STARTS_WITH", part: dict[str, Any] | None = None) -> dict[str, Any]:
    """A ByteMatchStatement as the CLI prints it."""
    search = base64.b64encode(text.encode()).decode()
    return {
        "ByteMatchStatement": {
            "SearchString": search,
            "FieldToMatch": part or {"UriPath": {}},
            "TextTransformations": PLAIN,
            "PositionalConstraint": position,
        }
    }


NOT_OFFICE = {"NotStatement": {"Statement": {"IPSetReferenceStatement": {"ARN": OFFICE}}}}
ADMIN = {"AndStatement": {"Statements": [match("/app/admin"), NOT_OFFICE]}}
MANAGED = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}}
BODY = match("<script", "CONTAINS", {"Body": {"OversizeHandling": "MATCH"}})


def rule(statement: dict[str, Any], name: str = "block-admin", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any member of a rule
    """A rule as get-web-acl prints it."""
    return {
        "Name": name,
        "Priority": 4,
        "Statement": statement,
        "VisibilityConfig": {"MetricName": name},
        **({"Action": {"Block": {}}} | more),
    }


def acl(*rules: dict[str, Any], default: str = "Allow") -> dict[str, list[dict[str, Any]]]:
    """The answers of get-web-acl and get-ip-set."""
    office = {"Name": "office", "ARN": OFFICE, "IPAddressVersion": "IPV4", "Addresses": ["198.51.100.0/24"]}
    return {
        "get-web-acl": [{"Name": "shop-prod", "ARN": ARN, "DefaultAction": {default: {}}, "Rules": list(rules)}],
        "get-ip-set": [office],
    }


def ask(view: MemoryView) -> dict[str, Opinion]:
    """What every rule of the family says; each finding's query must run again and its texts be whole."""
    opinions = {name: discover.rules()[name].examine(view) for name in FAMILY}
    for opinion in opinions.values():
        for finding in opinion.findings:
            assert all(isinstance(value, str) for value in finding.subject.values())
            assert finding.title
            assert finding.message
            assert finding.remedy
            assert finding.check
            for evidence in finding.chain:
                assert evidence.says
                if evidence.sql:
                    view.rows(evidence.sql)
            for remedy in finding.remedy:
                if "Query: " in remedy.proof:
                    view.rows(remedy.proof.partition("Query: ")[2])
    return opinions


def speakers(view: MemoryView) -> list[str]:
    """The rules that have a finding."""
    return [name for name, opinion in ask(view).items() if opinion.findings]


MANAGED_GROUP: list[dict[str, Any]] = [
    {
        "ruleGroupId": "AWS#AWSManagedRulesCommonRuleSet",
        "terminatingRule": {"ruleId": "SizeRestrictions_BODY", "action": "BLOCK", "ruleMatchDetails": None},
        "nonTerminatingMatchingRules": [],
        "excludedRules": None,
        "customerConfig": None,
    }
]
MANAGED_RECORD = {
    "terminatingRuleId": "core",
    "terminatingRuleType": "MANAGED_RULE_GROUP",
    "ruleGroupList": MANAGED_GROUP,
    "labels": [{"name": "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"}],
    "requestBodySize": 20000,
}
RATE_RECORD = {
    "terminatingRuleId": "throttle",
    "terminatingRuleType": "RATE_BASED",
    "rateBasedRuleList": [
        {
            "rateBasedRuleId": "throttle",
            "rateBasedRuleName": "throttle",
            "limitKey": "IP",
            "maxRateAllowed": 10,
            "evaluationWindowSec": 60,
            "limitValue": "203.0.113.9",
        }
    ],
}
GROUP_RECORD = {
    "terminatingRuleId": "own-group",
    "terminatingRuleType": "GROUP",
    "ruleGroupList": [MANAGED_GROUP[0] | {"ruleGroupId": OWN_GROUP, "terminatingRule": {"ruleId": "inner", "action": "BLOCK"}}],
}
CAPTCHA_RECORD = {
    "terminatingRuleId": "puzzle",
    "action": "CAPTCHA",
    "captchaResponse": {"responseCode": 405, "solveTimestamp": 0, "failureReason": "TOKEN_EXPIRED"},
}
GEO_RULE = rule({"GeoMatchStatement": {"CountryCodes": ["JP", "KP"]}})
IN_OFFICE_RULE = rule({"IPSetReferenceStatement": {"ARN": OFFICE}})
GROUP_RULE = rule({"RuleGroupReferenceStatement": {"ARN": OWN_GROUP}}, "own-group", Action=None, OverrideAction={"None": {}})
OWN_ANSWER = [{"ARN": OWN_GROUP, "Rules": [rule(match("/app"), "inner")]}]


def balancer_row(view: MemoryView, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """The load balancer's row of the blocked request."""
    plain = {
        "time": NOW.replace(tzinfo=None) + timedelta(milliseconds=4),
        "started": NOW.replace(tzinfo=None) + timedelta(milliseconds=1),
        "elb": "app/shop/1234567890abcdef",
        "client_ip": "203.0.113.9",
        "status": 403,
        "method": "GET",
        "host": "shop.example.com",
        "path": "/app/admin",
        "user_agent": BROWSER,
        "trace_id": "1-67a44a8a-000000000000000000000001",
        "actions": ["waf"],
    }
    return view.add("alb_access", plain | more)


def remedies(view: MemoryView, name: str) -> list[tuple[str, str, str]]:
    """What is advised: sentence, commands, proof."""
    (finding,) = ask(view)[name].findings
    return [(one.says, "\n".join(one.commands), one.proof) for one in finding.remedy]
