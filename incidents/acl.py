"""The web ACL as ``aws wafv2 get-web-acl`` prints it, and the IP set that its rules look into."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from incidents.people import nouns
from incidents.plan import uuid
from incidents.site import OLD_OFFICE
from incidents.verdicts import ALLOWING, CORE, GROUPS, rule_of_group

if TYPE_CHECKING:
    from incidents.plan import Fate, Plan
    from incidents.site import Site

LABEL_NAMESPACE = "awswaf:123456789012:webacl:{name}:"
CAPACITIES = dict(zip(GROUPS, (25, 700, 200, 200), strict=True))


def web_acl(site: Site, plan: Plan) -> dict[str, Any]:
    """The answer, with the guilty rule before or after the managed groups."""
    rules = [_group(group) for group in GROUPS]
    guilty = _guilty(site)
    if guilty:
        rules.insert(0 if site.guilty_first or site.fate == "rate" else len(rules), guilty)
    rules.append(_counting(site))
    if site.fate == "default_action":
        rules.append(_allowing(site))
    for priority, rule in enumerate(rules):
        rule["Priority"] = priority
    default: dict[str, Any] = {"Block": {}} if site.fate == "default_action" else {"Allow": {}}
    return {
        "WebACL": {
            "Name": site.web_acl,
            "Id": site.web_acl_id,
            "ARN": site.web_acl_arn,
            "DefaultAction": default,
            "Description": f"protects the load balancer of {site.app}",
            "Rules": rules,
            "VisibilityConfig": _visible(site.web_acl),
            "Capacity": sum(CAPACITIES.values()) + 30,
            "ManagedByFirewallManager": False,
            "LabelNamespace": LABEL_NAMESPACE.format(name=site.web_acl),
            "RetrofittedByFirewallManager": False,
        },
        "LockToken": uuid(plan, "web ACL lock token"),
    }


def ip_set(site: Site, plan: Plan) -> dict[str, Any]:
    """The answer of ``aws wafv2 get-ip-set``: the old office only, or the denied addresses."""
    denied = site.fate == "ip_set"
    addresses = ["192.0.2.77/32", f"{site.reporter}/32"] if denied else [str(OLD_OFFICE)]
    return {
        "IPSet": {
            "Name": site.office_set,
            "Id": site.office_set_id,
            "ARN": site.office_set_arn,
            "Description": "sources that gave trouble" if denied else "the office",
            "IPAddressVersion": "IPV4",
            "Addresses": addresses,
        },
        "LockToken": uuid(plan, "IP set lock token"),
    }


def _visible(name: str) -> dict[str, Any]:
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}


def _rule(name: str, statement: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    return {"Name": name, "Priority": 0, "Statement": statement, "Action": action, "VisibilityConfig": _visible(name)}


def _group(group: str) -> dict[str, Any]:
    managed: dict[str, Any] = {"VendorName": "AWS", "Name": group}
    if group == CORE:
        managed |= {"Version": "Version_1.15", "RuleActionOverrides": [{"Name": "NoUserAgent_HEADER", "ActionToUse": {"Count": {}}}]}
    name = rule_of_group(group)
    return {
        "Name": name,
        "Priority": 0,
        "Statement": {"ManagedRuleGroupStatement": managed},
        "OverrideAction": {"None": {}},
        "VisibilityConfig": _visible(name),
    }


def _bytes(text: str, field: dict[str, Any], constraint: str, transformation: str = "NONE") -> dict[str, Any]:
    return {
        "ByteMatchStatement": {
            "SearchString": b64encode(text.encode()).decode(),
            "FieldToMatch": field,
            "TextTransformations": [{"Priority": 0, "Type": transformation}],
            "PositionalConstraint": constraint,
        }
    }


def _path(path: str, constraint: str = "STARTS_WITH") -> dict[str, Any]:
    return _bytes(path, {"UriPath": {}}, constraint)


def _counting(site: Site) -> dict[str, Any]:
    rule = _rule(site.counting, _bytes("1", {"SingleHeader": {"Name": "x-legacy-client"}}, "EXACTLY"), {"Count": {}})
    visible = rule.pop("VisibilityConfig")  # stands last
    return {**rule, "RuleLabels": [{"Name": site.counting}], "VisibilityConfig": visible}


def _allowing(site: Site) -> dict[str, Any]:
    """Where the default is to block: the office, and the paths that are known; the reported one was forgotten."""
    known = [f"{site.prefix}/{name}" for name in ("dashboard", "search", "login", "help", "contact", "old", *nouns(site))]
    statements = [_path(path) for path in ("/static/", "/favicon.ico", "/internal/", *known)]
    statements += [_path(f"{site.prefix}/", "EXACTLY"), {"IPSetReferenceStatement": {"ARN": site.office_set_arn}}]
    return _rule(ALLOWING, {"OrStatement": {"Statements": statements}}, {"Allow": {}})


def _outside_office(site: Site) -> dict[str, Any]:
    outside = {"NotStatement": {"Statement": {"IPSetReferenceStatement": {"ARN": site.office_set_arn}}}}
    return {"AndStatement": {"Statements": [_path(site.path), outside]}}


def _guilty(site: Site) -> dict[str, Any] | None:
    """The rule that ends the reported request, unless it is a managed one or none."""
    block: dict[str, Any] = {"Block": {}}
    listed = {"IPSetReferenceStatement": {"ARN": site.office_set_arn}}
    rate = {"RateBasedStatement": {"Limit": site.rate_limit, "EvaluationWindowSec": 300, "AggregateKeyType": "IP"}}
    body = _bytes("<script", {"Body": {"OversizeHandling": "MATCH"}}, "CONTAINS", "LOWERCASE")
    own_status = {"Block": {"CustomResponse": {"ResponseCode": site.status}}}
    rules: dict[Fate, tuple[dict[str, Any], dict[str, Any]]] = {
        "custom_rule": (_outside_office(site), block),
        "rate": (rate, block),
        "ip_set": (listed, block),
        "geo": ({"GeoMatchStatement": {"CountryCodes": ["KP", "VN", "BR"]}}, block),
        "captcha": (_path(site.path), {"Captcha": {}}),
        "challenge": (_path(site.path), {"Challenge": {}}),
        "custom_response": (_outside_office(site), own_status),
        "oversize": (body, block),
    }
    return _rule(site.guilty, *rules[site.fate]) if site.fate in rules else None
