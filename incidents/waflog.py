"""The WAF log: one JSON object a request, in the four wrappings in which it reaches people.

Source: AWS WAF developer guide, "Log fields"; Amazon CloudWatch Logs API reference, "FilterLogEvents".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from typing import TYPE_CHECKING, Any

from incidents.entry import Entry, Written, packed, text_file
from incidents.site import ACCOUNT
from incidents.verdicts import CORE, GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incidents.plan import Plan
    from incidents.request import Decision, Request
    from incidents.site import Site

INSPECTED = 8192
"""Bytes of a body that WAF looks at behind an Application Load Balancer."""


def waf_files(site: Site, plan: Plan, requests: Sequence[Request]) -> list[Written]:
    """The WAF log in the wrapping of the plan. Health checks come from the balancer itself and never pass WAF."""
    hole = timedelta(minutes=plan.waf_hole_minutes)
    entries = [
        Entry(one.arrived, json.dumps(row(site, one), separators=(",", ":")), one)
        for one in requests
        if one.decision is not None and not (hole and abs(one.arrived - site.moment) < hole)
    ]
    match plan.wrapping:
        case "filter_log_events":
            return [_filter_log_events(site, entries)]
        case "s3":
            return _five_minute_files(site, entries)
        case "subscription":
            return _subscription(site, entries)
        case "lines":
            return [text_file(f"waf/{site.log_group}.json", entries)]


def row(site: Site, one: Request) -> dict[str, Any]:
    """The object of one request, keys in the order in which AWS writes them."""
    decision = one.decision
    if decision is None:
        message = "a health check has no WAF row"
        raise ValueError(message)
    found: dict[str, Any] = {
        "timestamp": _milliseconds(one.arrived),
        "formatVersion": 1,
        "webaclId": site.web_acl_arn,
        "terminatingRuleId": decision.rule,
        "terminatingRuleType": decision.rule_type,
        "action": decision.action,
        "terminatingRuleMatchDetails": _details(decision),
        "httpSourceName": "ALB",
        "httpSourceId": f"{ACCOUNT}-app/{site.balancer}/{site.balancer_id}",
        "ruleGroupList": _groups(site, decision),
        "rateBasedRuleList": _rates(site, one, decision),
        "nonTerminatingMatchingRules": [{"ruleId": rule, "action": "COUNT", "ruleMatchDetails": []} for rule in decision.counted],
        "requestHeadersInserted": None,
        "responseCodeSent": decision.response,
        "httpRequest": {
            "clientIp": one.client,
            "country": one.country,
            "headers": headers(site, one),
            "uri": one.path,
            "args": one.query,
            "httpVersion": "HTTP/2.0" if one.browser else "HTTP/1.1",
            "httpMethod": one.method,
            "requestId": one.trace,
        },
    }
    if decision.labels:
        found["labels"] = [{"name": name} for name in decision.labels]
    if decision.failure:
        kind = "captchaResponse" if decision.action == "CAPTCHA" else "challengeResponse"
        found[kind] = {"responseCode": decision.response, "solveTimestamp": 0, "failureReason": decision.failure}
    if decision.oversize:
        found["oversizeFields"] = list(decision.oversize)
    if one.method == "POST":
        body = one.received - 400
        found |= {"requestBodySize": body, "requestBodySizeInspectedByWAF": min(body, INSPECTED)}
    return found | {"ja3Fingerprint": md5(one.agent.encode(), usedforsecurity=False).hexdigest()}


def headers(site: Site, one: Request) -> list[dict[str, str]]:
    """The headers in the client's own order and case."""
    pairs = [("host" if one.browser else "Host", site.domain)]
    if one.method == "POST":
        pairs += [("content-length", str(one.received - 400)), ("content-type", _content_type(one))]
    pairs += [("user-agent" if one.browser else "User-Agent", one.agent)]
    if one.browser:
        accept = "text/css,*/*;q=0.1" if one.path.endswith(".css") else "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        pairs += [("accept", accept), ("accept-language", "ja,en-US;q=0.7,en;q=0.3"), ("accept-encoding", "gzip, deflate, br")]
    else:
        pairs += [("Accept", "*/*"), ("Connection", "Keep-Alive")]
    if one.referer:
        pairs.append(("referer", one.referer))
    return [{"name": name, "value": value} for name, value in pairs]


def _content_type(one: Request) -> str:
    if "api" in one.path:
        return "application/json"
    return "multipart/form-data; boundary=----x7MA4YWxkTrZu0gW" if one.received > INSPECTED else "application/x-www-form-urlencoded"


def _details(decision: Decision) -> list[dict[str, Any]]:
    if not decision.matched:
        return []
    return [{"conditionType": "XSS", "location": "BODY", "matchedData": list(decision.matched), "matchedFieldName": ""}]


def _groups(site: Site, decision: Decision) -> list[dict[str, Any]]:
    """The rule groups that were asked until one ended the request; none where a rule before them did."""
    if site.guilty and decision.rule == site.guilty and (site.guilty_first or site.fate == "rate"):
        return []
    asked = GROUPS[: GROUPS.index(decision.group) + 1] if decision.group else GROUPS
    found = []
    for group in asked:
        ending = {"ruleId": decision.inner, "action": "BLOCK", "ruleMatchDetails": _details(decision) or None}
        matching = [
            {"ruleId": inner, "action": "COUNT", "overriddenAction": "BLOCK", "ruleMatchDetails": []}
            for other, inner in decision.counted_inner
            if other == group
        ]
        found.append(
            {
                "ruleGroupId": f"AWS#{group}" + ("#Version_1.15" if group == CORE else ""),
                "terminatingRule": ending if group == decision.group else None,
                "nonTerminatingMatchingRules": matching,
                "excludedRules": None,
                "customerConfig": None,
            }
        )
    return found


def _rates(site: Site, one: Request, decision: Decision) -> list[dict[str, Any]]:
    if decision.rule_type != "RATE_BASED":
        return []
    return [
        {
            "rateBasedRuleId": decision.rule,
            "rateBasedRuleName": decision.rule,
            "limitKey": "IP",
            "maxRateAllowed": site.rate_limit,
            "evaluationWindowSec": "300",
            "limitValue": one.client,
        }
    ]


def _milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _event_id(at: int, text: str) -> str:
    """An id as CloudWatch Logs gives it: the time in milliseconds, then 144 bits."""
    return str((at << 144) + int(sha256(text.encode()).hexdigest()[:35], 16))


def _stream(site: Site, one: Request) -> str:
    return f"{site.region}_{site.web_acl}_{one.node}"


def _delay(one: Request) -> int:
    """Milliseconds from the request until CloudWatch Logs had its row; drawn from the trace id, which is random."""
    return 1800 + int(one.trace[-4:], 16)


def _filter_log_events(site: Site, entries: Sequence[Entry]) -> Written:
    """What ``aws logs filter-log-events`` prints: indented by four, every event over seven lines."""
    events, marks = [], []
    for index, entry in enumerate(entries):
        one = entry.request
        if one is None:
            continue
        marks.append((one, 3 + 7 * index))
        at = _milliseconds(entry.at)
        events.append(
            {
                "logStreamName": _stream(site, one),
                "timestamp": at,
                "message": entry.text,
                "ingestionTime": at + _delay(one),
                "eventId": _event_id(at, entry.text),
            }
        )
    text = json.dumps({"events": events, "searchedLogStreams": []}, indent=4, ensure_ascii=False) + "\n"
    name = f"aws/logs/filter-log-events.{site.log_group}.json"
    return Written(name, packed(name, text), tuple(marks))


def _five_minute_files(site: Site, entries: Sequence[Entry]) -> list[Written]:
    """JSON lines under the keys that WAF writes to its own bucket: a file for every five minutes that had requests."""
    slots: dict[datetime, list[Entry]] = {}
    for entry in entries:
        slot = entry.at.replace(minute=entry.at.minute // 5 * 5, second=0, microsecond=0)
        slots.setdefault(slot, []).append(entry)
    found = []
    for slot, rows in slots.items():
        mark = sha256(f"{site.web_acl_id}{slot}".encode()).hexdigest()[:8]
        folder = f"{site.log_group}/AWSLogs/{ACCOUNT}/WAFLogs/{site.region}/{site.web_acl}/{slot:%Y/%m/%d/%H/%M}"
        name = f"{folder}/{ACCOUNT}_waflogs_{site.region}_{site.web_acl}_{slot:%Y%m%dT%H%MZ}_{mark}.log.gz"
        found.append(text_file(name, rows))
    return found


def _subscription(site: Site, entries: Sequence[Entry]) -> list[Written]:
    """Subscription envelopes, one a line, each with up to a dozen events of one stream, as Firehose lays them into a bucket."""
    envelopes: list[tuple[list[Entry], str]] = []
    for entry in entries:
        stream = _stream(site, entry.request) if entry.request else ""
        open_ones = [held for held, name in envelopes[-2:] if name == stream and len(held) < 12]  # noqa: PLR2004
        if open_ones:
            open_ones[-1].append(entry)
        else:
            envelopes.append(([entry], stream))
    lines, marks = [], []
    for number, (held, stream) in enumerate(envelopes, 1):
        marks += [(entry.request, number) for entry in held if entry.request is not None]
        lines.append(_envelope(site, stream, held))
    name = f"waf/{site.log_group}-1-{site.moment:%Y-%m-%d-%H}-00-00.gz"
    return [Written(name, packed(name, "\n".join(lines) + "\n"), tuple(marks))]


def _envelope(site: Site, stream: str, held: Sequence[Entry]) -> str:
    stamped = [(_milliseconds(entry.at), entry.text) for entry in held]
    envelope = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": site.log_group,
        "logStream": stream,
        "subscriptionFilters": ["to-archive"],
        "logEvents": [{"id": _event_id(at, text), "timestamp": at, "message": text} for at, text in stamped],
    }
    return json.dumps(envelope, separators=(",", ":"))
