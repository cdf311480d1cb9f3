"""The web ACL of the site as ``get-web-acl`` answers it: one rule of each usual kind, and the guilty one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from incidents.edge.written import File
from incidents.plan import uuid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from incidents.edge.fault import Fault
    from incidents.edge.place import Place

TRANSFORMS = [{"Priority": 0, "Type": "NONE"}]


def acl_files(place: Place, fault: Fault) -> list[File]:
    """The stored answer, where the site has a web ACL."""
    if not place.waf:
        return []
    told = fault.fields.get("waf", {})
    rules = [_rule("count-scanners", 1, {"Count": {}}, _byte_match("/wp-login.php"))]
    name = told.get("rule", "Default_Action")
    if name == "managed-core":
        managed = {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}
        rules.append({**_rule(name, 2, {}, {"ManagedRuleGroupStatement": managed}), "OverrideAction": {"None": {}}})
    elif name != "Default_Action":
        rules.append(_rule(name, 2, _action(told), _statement(place, name)))
    for rule in rules:
        if not rule["Action"]:
            del rule["Action"]
    default: dict[str, Any] = {"Block": {}} if told and name == "Default_Action" else {"Allow": {}}
    identity = uuid(place.plan, "web ACL id")
    answer = {
        "WebACL": {
            "Name": place.web_acl,
            "Id": identity,
            "ARN": place.web_acl_arn,
            "DefaultAction": default,
            "Description": "",
            "Rules": rules,
            "VisibilityConfig": _visible(place.web_acl),
            "Capacity": 742,
            "ManagedByFirewallManager": False,
            "LabelNamespace": f"awswaf:123456789012:webacl:{place.web_acl}:",
        },
        "LockToken": uuid(place.plan, "lock token"),
    }
    return [File("aws/wafv2/get-web-acl.json", (json.dumps(answer, indent=4) + "\n").encode())]


def _visible(name: str) -> dict[str, Any]:
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}


def _rule(name: str, priority: int, action: dict[str, Any], statement: dict[str, Any]) -> dict[str, Any]:
    return {"Name": name, "Priority": priority, "Statement": statement, "Action": action, "VisibilityConfig": _visible(name)}


def _action(told: Mapping[str, str]) -> dict[str, Any]:
    kind = told.get("action", "BLOCK")
    if kind != "BLOCK":
        return {kind.capitalize(): {}}
    return {"Block": {"CustomResponse": {"ResponseCode": int(told["response"])}} if "response" in told else {}}


def _byte_match(text: str) -> dict[str, Any]:
    match = {
        "SearchString": text,
        "FieldToMatch": {"UriPath": {}},
        "TextTransformations": TRANSFORMS,
        "PositionalConstraint": "STARTS_WITH",
    }
    return {"ByteMatchStatement": match}


def _statement(place: Place, name: str) -> dict[str, Any]:
    """What the guilty rule looks for, by its name."""
    if name == "limit-per-address":
        return {"RateBasedStatement": {"Limit": 100, "EvaluationWindowSec": 300, "AggregateKeyType": "IP"}}
    if name == "only-domestic-geo":
        return {"NotStatement": {"Statement": {"GeoMatchStatement": {"CountryCodes": ["JP"]}}}}
    if name == "body-words":
        body = {"Body": {"OversizeHandling": "MATCH"}}
        match = {"SearchString": "drop table", "FieldToMatch": body, "TextTransformations": TRANSFORMS, "PositionalConstraint": "CONTAINS"}
        return {"ByteMatchStatement": match}
    return _byte_match(place.prefix)
