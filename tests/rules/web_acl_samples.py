"""Rules and requests to judge: builders for the tests of web ACLs."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from kyumei.edge.waf.judge import Lookups

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
    return {
        "Name": "block-admin",
        "Priority": 4,
        "Statement": statement,
        "Action": {"Block": {}},
        "VisibilityConfig": {"MetricName": "m"},
        **more,
    }


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
