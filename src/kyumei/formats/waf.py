"""AWS WAF: one record for each request that a web ACL looked at.

A row says what the web ACL did, not what the client saw: with CAPTCHA and CHALLENGE a solved puzzle lets the request go on to the next
rule. A rule inside a group is named only in ``rule_in_group``; ``rule_id`` is then the group's name in the web ACL. Rules set to count
never stop a request: they stand in ``counted_rules``. Match details are written for SQL injection and cross-site scripting only. Logging
filters may leave records out, and redaction blanks fields (``REDACTED``). ``request_id`` is the trace id of the balancer's log when the
source is an ALB.

Follows "Log fields for protection pack (web ACL) traffic" in the AWS WAF Developer Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, Cast, parse_epoch
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import objects
from kyumei.layouts.request_line import HOST
from kyumei.layouts.stamps import EPOCH
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "waf",
    "Requests that an AWS WAF web ACL looked at, with what it did to each and by which rule.",
    (
        Column("time", Kind.TIME, "When WAF received the request; milliseconds.", origin="timestamp"),
        Column("webacl_arn", Kind.TEXT, "ARN of the web ACL.", Link.RESOURCE, "webaclId"),
        Column("webacl", Kind.TEXT, "Name of the web ACL, from its ARN.", origin="webaclId"),
        Column("action", Kind.TEXT, "What the web ACL did in the end: ALLOW, BLOCK, CAPTCHA, CHALLENGE or COUNT.", origin="action"),
        Column(
            "rule_id", Kind.TEXT, "The rule of the web ACL that ended the look; Default_Action when none did.", origin="terminatingRuleId"
        ),
        Column("rule_type", Kind.TEXT, "REGULAR, RATE_BASED, GROUP or MANAGED_RULE_GROUP.", origin="terminatingRuleType"),
        Column(
            "rule_group",
            Kind.TEXT,
            "The rule group whose rule ended the look; null when no group did.",
            origin="ruleGroupList[].ruleGroupId",
        ),
        Column("rule_in_group", Kind.TEXT, "The rule inside that group.", origin="ruleGroupList[].terminatingRule.ruleId"),
        Column(
            "match_details",
            Kind.JSON,
            "What matched; for SQL injection and cross-site scripting only.",
            origin="terminatingRuleMatchDetails",
        ),
        Column(
            "source_name",
            Kind.TEXT,
            "The sort of service in front: ALB, CF, APIGW, APPSYNC, COGNITOIDP, APPRUNNER, …",
            origin="httpSourceName",
        ),
        Column("source_id", Kind.TEXT, "The resource in front.", Link.RESOURCE, "httpSourceId"),
        Column(
            "elb",
            Kind.TEXT,
            "The load balancer as its own log names it, app/name/id; null for other sources.",
            Link.RESOURCE,
            "httpSourceId",
        ),
        Column("rule_groups", Kind.JSON, "The rule groups that looked at the request.", origin="ruleGroupList"),
        Column("rate_rules", Kind.JSON, "The rate-based rules that looked at the request.", origin="rateBasedRuleList"),
        Column(
            "rate_limit_key",
            Kind.TEXT,
            "What the rule that ended the look counts by: IP, FORWARDED_IP, CUSTOMKEYS, CONSTANT.",
            origin="limitKey",
        ),
        Column("rate_limit", Kind.INTEGER, "Requests in one window that this rule lets through.", origin="maxRateAllowed"),
        Column("rate_window_seconds", Kind.INTEGER, "The window of this rule.", origin="evaluationWindowSec"),
        Column(
            "counted_rules", Kind.LIST, "Rules that matched and did not end the look; null when none.", origin="nonTerminatingMatchingRules"
        ),
        Column(
            "response_status", Kind.INTEGER, "The status of a custom response; null for WAF's own answer.", Link.STATUS, "responseCodeSent"
        ),
        Column("client_ip", Kind.TEXT, "The sender's address as the service in front saw it.", Link.CLIENT, "httpRequest.clientIp"),
        Column("country", Kind.TEXT, "Country of the address; null when unknown.", origin="httpRequest.country"),
        Column("host", Kind.TEXT, "The Host header without its port.", Link.HOST, "httpRequest.headers"),
        Column("method", Kind.TEXT, "HTTP method.", origin="httpRequest.httpMethod"),
        Column("path", Kind.TEXT, "Path of the URL.", Link.PATH, "httpRequest.uri"),
        Column("query", Kind.TEXT, "Query string without the question mark; null when empty.", origin="httpRequest.args"),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2.0, …", origin="httpRequest.httpVersion"),
        Column("request_id", Kind.TEXT, "The id that the service in front gave the request.", Link.REQUEST, "httpRequest.requestId"),
        Column("trace_id", Kind.TEXT, "The same id where it is an X-Amzn-Trace-Id root.", Link.TRACE, "httpRequest.requestId"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="httpRequest.headers"),
        Column(
            "headers",
            Kind.JSON,
            "All headers as the client sent them: order, case and repetitions are its own.",
            origin="httpRequest.headers",
        ),
        Column("labels", Kind.LIST, "Labels that rules put on the request, the first hundred; null when none.", origin="labels[].name"),
        Column(
            "captcha_failure",
            Kind.TEXT,
            "Why the CAPTCHA token did not do; null when it did, or none was asked.",
            origin="captchaResponse.failureReason",
        ),
        Column("challenge_failure", Kind.TEXT, "The same for a challenge.", origin="challengeResponse.failureReason"),
        Column("captcha", Kind.JSON, "The CAPTCHA's outcome.", origin="captchaResponse"),
        Column("challenge", Kind.JSON, "The challenge's outcome.", origin="challengeResponse"),
        Column(
            "oversize_fields",
            Kind.LIST,
            "Parts of the request too large for WAF to look at whole; null when none.",
            origin="oversizeFields",
        ),
        Column("body_bytes", Kind.INTEGER, "Size of the body.", origin="requestBodySize"),
        Column("inspected_body_bytes", Kind.INTEGER, "How much of the body WAF looked at.", origin="requestBodySizeInspectedByWAF"),
        Column("ja3", Kind.TEXT, "JA3 fingerprint of the TLS client.", origin="ja3Fingerprint"),
        Column("ja4", Kind.TEXT, "JA4 fingerprint of the TLS client.", origin="ja4Fingerprint"),
        Column("scheme", Kind.TEXT, "http or https.", origin="httpRequest.scheme"),
        Column("fragment", Kind.TEXT, "Fragment of the URL; null when empty.", origin="httpRequest.fragment"),
    ),
)

MILLISECONDS = Cast(
    "epoch time", parse_epoch, "CASE WHEN regexp_full_match({x}, '[1-9][0-9]{12}') THEN make_timestamp(TRY_CAST({x} AS BIGINT) * 1000) END"
)
FILLED = Cast("text, empty is missing", lambda raw: raw or None, "nullif({x}, '')")
COUNTRY = Cast("country", lambda raw: None if raw in {"", "-"} else raw, "nullif(nullif({x}, ''), '-')")
PIECE = Cast("json", lambda raw: raw, "{x}")

# What AWS writes, in its order, as compact JSON. A piece of another shape is read by the exact reader.
_TEXT = r'"(?:[^"\\]|\\[^u])*"'
_MAYBE = rf"(?:null|{_TEXT})"
_NUMBER = r"(?:0|[1-9][0-9]{0,17})"


def _listed(item: str) -> str:
    return rf"(?:null|\[(?:{item}(?:,{item})*)?\])"


def _object(**keys: str) -> str:
    """An object with these keys in this order, any of them left out."""
    first, *others = [f'"{key}":{value}' for key, value in keys.items()]
    return r"\{" + f"(?:{first})?" + "".join(f"(?:,{other})?" for other in others) + r"\}"


_DETAILS = _listed(
    _object(conditionType=_MAYBE, sensitivityLevel=_MAYBE, location=_MAYBE, matchedData=_listed(_TEXT), matchedFieldName=_MAYBE)
)
_RULE = _object(
    ruleId=_MAYBE, action=_MAYBE, overriddenAction=_MAYBE, ruleMatchDetails=_DETAILS, challengeResponse="null", captchaResponse="null"
)
_RULE = rf"(?:{_RULE}|{_object(ruleId=_MAYBE, action=_MAYBE, ruleMatchDetails=_DETAILS, overriddenAction=_MAYBE)})"
_GROUP = _object(
    ruleGroupId=_MAYBE,
    terminatingRule=rf"(?:null|{_RULE})",
    nonTerminatingMatchingRules=_listed(_RULE),
    excludedRules=_listed(rf"(?:{_object(exclusionType=_MAYBE, ruleId=_MAYBE)}|{_object(ruleId=_MAYBE, exclusionType=_MAYBE)})"),
    customerConfig="null",
)
_RATE = _object(
    rateBasedRuleId=_MAYBE,
    rateBasedRuleName=_MAYBE,
    limitKey=_MAYBE,
    limitValue=_MAYBE,
    maxRateAllowed=rf"(?:{_NUMBER}|{_MAYBE})",
    evaluationWindowSec=rf"(?:{_NUMBER}|{_MAYBE})",
    customValues=_listed(_object(key=_MAYBE, name=_MAYBE, value=_MAYBE)),
)
_HEADERS = _listed(r"\{" + f'"name":{_TEXT},"value":{_TEXT}' + r"\}")
_TOKEN = "(?:null|" + _object(responseCode=rf"(?:null|{_NUMBER})", solveTimestamp=rf"(?:null|{_NUMBER})", failureReason=_MAYBE) + ")"

FIELDS = (
    one("time", "timestamp", MILLISECONDS),
    one("webacl_arn", "webaclId"),
    one("action", "action"),
    one("rule_id", "terminatingRuleId"),
    one("rule_type", "terminatingRuleType"),
    one("match_details", "terminatingRuleMatchDetails", PIECE, shape=_DETAILS),
    one("source_name", "httpSourceName"),
    one("source_id", "httpSourceId"),
    one("rule_groups", "ruleGroupList", PIECE, shape=_listed(_GROUP)),
    one("rate_rules", "rateBasedRuleList", PIECE, shape=_listed(_RATE)),
    one("_matched", "nonTerminatingMatchingRules", PIECE, shape=_listed(_RULE)),
    one("_inserted", "requestHeadersInserted", PIECE, shape=_HEADERS),
    one("_version", "formatVersion"),
    one("response_status", "responseCodeSent", INTEGER),
    one("client_ip", "httpRequest.clientIp"),
    one("country", "httpRequest.country", COUNTRY, total=True),
    one("headers", "httpRequest.headers", PIECE, shape=_HEADERS),
    one("method", "httpRequest.httpMethod"),
    one("path", "httpRequest.uri"),
    one("query", "httpRequest.args", FILLED, total=True),
    one("http_version", "httpRequest.httpVersion"),
    one("request_id", "httpRequest.requestId"),
    one("fragment", "httpRequest.fragment", FILLED, total=True),
    one("scheme", "httpRequest.scheme"),
    one("_host", "httpRequest.host"),
    one("_labels", "labels", PIECE, shape=_listed(r"\{" + f'"name":{_TEXT}' + r"\}")),
    one("captcha", "captchaResponse", PIECE, shape=_TOKEN),
    one("challenge", "challengeResponse", PIECE, shape=_TOKEN),
    one("_oversize", "oversizeFields", PIECE, shape=_listed(_TEXT)),
    one("body_bytes", "requestBodySize", INTEGER),
    one("inspected_body_bytes", "requestBodySizeInspectedByWAF", INTEGER),
    one("ja3", "ja3Fingerprint"),
    one("ja4", "ja4Fingerprint"),
)
_GROUP_TYPES = ("GROUP", "MANAGED_RULE_GROUP")
_ACL_NAME = re.compile(r"/webacl/([^/]+)/")
_BALANCER = re.compile(r"app/[^/]+/[^/]+\Z")
_TRACE = re.compile(r"(?:Root=)?(1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24})(?:;[^\n]*)?", re.ASCII)


def _word(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else None


def _ended(group: Mapping[str, Any], rule_type: str | None) -> bool:
    """Whether the group has a rule that may have ended the look: not one overridden to count, nor in a group that counted as a whole."""
    rule = group.get("terminatingRule")
    return rule_type in _GROUP_TYPES and isinstance(rule, dict) and rule.get("action") != "COUNT" and _word(rule.get("ruleId")) is not None


def _counted(document: Mapping[str, Any], ending: Mapping[str, Any] | None) -> list[str]:
    """Rules that matched without ending the look: those of the web ACL, then those of its groups in their order."""
    rules: list[Any] = [rule.get("ruleId") for rule in objects(document.get("nonTerminatingMatchingRules"))]
    for group in objects(document.get("ruleGroupList")):
        rule = group.get("terminatingRule")
        rules += [rule.get("ruleId")] if isinstance(rule, dict) and group is not ending else []
        rules += [item.get("ruleId") for key in ("nonTerminatingMatchingRules", "excludedRules") for item in objects(group.get(key))]
    return [rule for rule in rules if isinstance(rule, str)]


def _whole_number(value: Any) -> int | None:  # noqa: ANN401 - any JSON value
    number: int | None = INTEGER.python(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    return number


def _strings(value: Any, key: str | None = None) -> list[str] | None:  # noqa: ANN401 - any JSON value
    """The strings of a list (under a key of its objects); null when there are none."""
    items = value if key is None else [item.get(key) for item in objects(value)]
    return ([item for item in items if isinstance(item, str)] if isinstance(items, list) else []) or None


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Columns that lie deep in lists, or in a part of another column."""
    http = document.get("httpRequest")
    headers = [header for header in objects(http.get("headers") if isinstance(http, dict) else None) if isinstance(header.get("name"), str)]
    ending = next((group for group in reversed([*objects(document.get("ruleGroupList"))]) if _ended(group, values["rule_type"])), None)
    rate = _rate(document, values["rule_id"])
    host = _header(headers, "host") or values["_host"]
    balancer = _BALANCER.search(values["source_id"] or "")
    named, trace = _ACL_NAME.search(values["webacl_arn"] or ""), _TRACE.fullmatch(values["request_id"] or "")
    found = {
        "webacl": named[1] if named else values["webacl_arn"],
        "elb": balancer[0] if balancer else None,
        "rule_group": _word(ending.get("ruleGroupId")) if ending else None,
        "rule_in_group": ending["terminatingRule"]["ruleId"] if ending else None,
        "rate_limit_key": _word(rate.get("limitKey")),
        "rate_limit": _whole_number(rate.get("maxRateAllowed")),
        "rate_window_seconds": _whole_number(rate.get("evaluationWindowSec")),
        "counted_rules": _counted(document, ending) or None,
        "host": HOST.python(host) if host else None,
        "trace_id": trace[1] if trace else None,
        "user_agent": _header(headers, "user-agent"),
        "labels": _strings(document.get("labels"), "name"),
        "oversize_fields": _strings(document.get("oversizeFields")),
        "captcha_failure": _failure(document.get("captchaResponse")),
        "challenge_failure": _failure(document.get("challengeResponse")),
    }
    return found, set()


def _header(headers: list[dict[str, Any]], name: str) -> str | None:
    return next((_word(header.get("value")) for header in headers if header["name"].lower() == name), None)


def _rate(document: Mapping[str, Any], rule: str | None) -> Mapping[str, Any]:
    """The rate-based rule that ended the look, told by id or by name; an empty object when it was none of them."""
    rules = objects(document.get("rateBasedRuleList"))
    return next((item for item in rules if rule is not None and rule in (item.get("rateBasedRuleId"), item.get("rateBasedRuleName"))), {})


def _failure(token: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return _word(token.get("failureReason")) if isinstance(token, dict) else None


_RULE_SQL = '{"ruleId":"VARCHAR","action":"VARCHAR"}'
_GROUP_SQL = (
    f'[{{"ruleGroupId":"VARCHAR","terminatingRule":{_RULE_SQL},"nonTerminatingMatchingRules":[{_RULE_SQL}],"excludedRules":[{_RULE_SQL}]}}]'
)
_RATE_SQL = (
    '[{"rateBasedRuleId":"VARCHAR","rateBasedRuleName":"VARCHAR","limitKey":"VARCHAR",'
    '"maxRateAllowed":"VARCHAR","evaluationWindowSec":"VARCHAR"}]'
)
_HEADER_SQL = '[{"name":"VARCHAR","value":"VARCHAR"}]'
_FAILURE_SQL = '{"failureReason":"VARCHAR"}'
_ENDED_SQL = (
    "rule_type IN ('GROUP', 'MANAGED_RULE_GROUP') AND g.terminatingRule.ruleId "
    "IS NOT NULL AND g.terminatingRule.action IS DISTINCT FROM 'COUNT'"
)


def _opened(piece: str, structure: str, need: str) -> str:
    """A piece of JSON as typed values; null, and not looked at, where it cannot hold what is asked for."""
    return f"from_json(CASE WHEN contains({piece}, '{need}') THEN {piece} END, '{structure}')"


STEPS = (
    {
        "_headers": _opened("headers", _HEADER_SQL, "name"),
        "_groups": _opened("rule_groups", _GROUP_SQL, '"ruleId"'),
        "_rules": _opened("_matched", f"[{_RULE_SQL}]", '"ruleId"'),
        "_rate": f"list_filter({_opened('rate_rules', _RATE_SQL, 'rateBased')}, "
        f"lambda r: rule_id IN (r.rateBasedRuleId, r.rateBasedRuleName))[1]",
        "captcha_failure": f"{_opened('captcha', _FAILURE_SQL, 'failureReason')}.failureReason",
        "challenge_failure": f"{_opened('challenge', _FAILURE_SQL, 'failureReason')}.failureReason",
        "labels": f"list_transform({_opened('_labels', _HEADER_SQL, 'name')}, lambda x: x.name)",
        "oversize_fields": """nullif(from_json(_oversize, '["VARCHAR"]'), [])""",
        "webacl": "coalesce(nullif(regexp_extract(webacl_arn, '/webacl/([^/]+)/', 1), ''), webacl_arn)",
        "elb": "nullif(regexp_extract(source_id, 'app/[^/]+/[^/]+$'), '')",
        "trace_id": r"nullif(regexp_extract(request_id, '^(?:Root=)?(1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24})(?:;[^\n]*)?$', 1), '')",
    },
    {
        "_ending": f"list_filter(list_transform(_groups, lambda g, i: CASE WHEN {_ENDED_SQL} THEN i END), lambda i: i IS NOT NULL)[-1]",
        "_host_header": "list_filter(_headers, lambda x: lower(x.name) = 'host')[1].value",
        "user_agent": "list_filter(_headers, lambda x: lower(x.name) = 'user-agent')[1].value",
        "rate_limit_key": "_rate.limitKey",
        "rate_limit": INTEGER.sql.replace("{x}", "_rate.maxRateAllowed"),
        "rate_window_seconds": INTEGER.sql.replace("{x}", "_rate.evaluationWindowSec"),
    },
    {
        "host": HOST.sql.replace("{x}", "coalesce(nullif(_host_header, ''), _host)"),
        "rule_group": "_groups[_ending].ruleGroupId",
        "rule_in_group": "_groups[_ending].terminatingRule.ruleId",
        "counted_rules": (
            "nullif(list_filter(list_transform(coalesce(_rules, []), lambda r: "
            "r.ruleId) || flatten(list_transform(coalesce(_groups, []), lambda g, i: "
            "[CASE WHEN i IS DISTINCT FROM _ending THEN g.terminatingRule.ruleId END] || "
            "list_transform(coalesce(g.nonTerminatingMatchingRules, []), lambda r: r.ruleId) "
            "|| list_transform(coalesce(g.excludedRules, []), lambda r: r.ruleId))), lambda r: r IS NOT NULL), [])"
        ),
    },
)

LAYOUT = JsonRecord(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=(EPOCH,),
    known=frozenset({"httpRequest.country", "httpRequest.args", "httpRequest.fragment"}),
    needs=frozenset({"terminatingRuleId"}),
    derive=_derive,
    steps=STEPS,
    plain=("webacl_arn IS NOT NULL", "rule_id IS NOT NULL"),
)


def sniff(text: str, _name: str) -> bool:
    """A JSON object with the rule that ended the look, and the web ACL or (in a shortened record) the request that was looked at."""
    if '"terminatingRuleId"' not in text:
        return False
    found = parse_object(text)
    return isinstance(found, dict) and "terminatingRuleId" in found and ("webaclId" in found or "httpRequest" in found)


FORMAT = Format(
    name="waf",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS WAF Developer Guide, Log fields for protection pack (web ACL) traffic",
    hop="waf",
    delay_seconds=600,
    complete=True,
)
