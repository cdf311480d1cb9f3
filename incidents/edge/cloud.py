"""CloudFront's standard log, API Gateway's access and execution log, WAF's log, and the log of a Lambda function."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from incidents.edge.written import File, Line, by_time, file_of
from incidents.entry import packed
from incidents.plan import draw, pick
from incidents.site import ACCOUNT
from incidents.weblogs import clf_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incidents.edge.call import Call
    from incidents.edge.place import Place

CDN_FIELDS = (
    *("date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "cs(Referer)"),
    *(
        "cs(User-Agent)",
        "cs-uri-query",
        "cs(Cookie)",
        "x-edge-result-type",
        "x-edge-request-id",
        "x-host-header",
        "cs-protocol",
        "cs-bytes",
    ),
    *("time-taken", "x-forwarded-for", "ssl-protocol", "ssl-cipher", "x-edge-response-result-type", "cs-protocol-version", "fle-status"),
    *("fle-encrypted-fields", "c-port", "time-to-first-byte", "x-edge-detailed-result-type", "sc-content-type", "sc-content-len"),
    *("sc-range-start", "sc-range-end"),
)


def cloudfront_files(place: Place, calls: Sequence[Call]) -> list[File]:
    """A file an hour: version 1 (tabs, with a head), or version 2 as JSON."""
    newer = pick(place.plan, "cloudfront version", (False, False, True))
    hours: dict[datetime, list[Line]] = {}
    for one in calls:
        if "cloudfront" not in one.seen or one.role == "check":
            continue
        values = cloudfront_row(place, one)
        text = json.dumps(values) if newer else "\t".join(values.values())
        ended = one.ended(place.stack, "cloudfront")
        shows = one.shows("cloudfront")
        hours.setdefault(ended.replace(minute=0, second=0, microsecond=0), []).append(Line(ended, text, one.number, shows=shows))
    head = "" if newer else "#Version: 1.0\n#Fields: " + " ".join(CDN_FIELDS) + "\n"
    found = []
    for hour, lines in sorted(hours.items()):
        mark = f"{draw(place.plan, f'cloudfront {hour}').getrandbits(32):08x}"
        found.append(file_of(f"cdn-logs/{place.distribution}.{hour:%Y-%m-%d-%H}.{mark}.gz", by_time(lines), head))
    return found


def cloudfront_row(place: Place, one: Call) -> dict[str, str]:
    """All 33 fields; what CloudFront does not cache is a Miss."""
    seen = one.seen["cloudfront"]
    ended = one.ended(place.stack, "cloudfront")
    bad = (seen.status or 0) >= 400  # noqa: PLR2004 - an error
    relayed = pick(place.plan, "relayed error", ("Error", "Error", "Miss")) if bad else "Miss"
    agent = one.agent.replace(" ", "%20").replace('"', "%22")
    values = dict.fromkeys(CDN_FIELDS, "-") | {
        "date": f"{ended:%Y-%m-%d}",
        "time": f"{ended:%H:%M:%S}",
        "x-edge-location": place.edge,
        "sc-bytes": str(one.sent + 420),
        "c-ip": one.client,
        "cs-method": one.method,
        "cs(Host)": f"d{place.distribution[1:14].lower()}.cloudfront.net",
        "cs-uri-stem": one.path,
        "sc-status": f"{seen.status or 0:03d}",
        "cs(User-Agent)": agent,
        "cs-uri-query": one.query or "-",
        "x-edge-result-type": relayed,
        "x-edge-request-id": one.edge_id,
        "x-host-header": place.domain,
        "cs-protocol": "https",
        "cs-bytes": str(one.received),
        "time-taken": f"{seen.seconds:.3f}",
        "ssl-protocol": "TLSv1.3",
        "ssl-cipher": "TLS_AES_128_GCM_SHA256",
        "x-edge-response-result-type": relayed,
        "cs-protocol-version": "HTTP/2.0",
        "c-port": str(one.port),
        "time-to-first-byte": f"{seen.seconds:.3f}",
        "x-edge-detailed-result-type": relayed,
        "sc-content-type": "text/html",
        "sc-content-len": str(one.sent),
    }
    return values | {name: text for name, text in seen.fields.items() if name in CDN_FIELDS}


def gateway_files(place: Place, calls: Sequence[Call]) -> list[File]:
    """The access log as JSON lines."""
    rows = [
        Line(one.at, json.dumps(_gateway_row(place, one)), one.number, shows=one.shows("apigateway"))
        for one in calls
        if "apigateway" in one.seen
    ]
    return [file_of(f"apigateway/{place.api}-{place.stage}-access.log", by_time(rows))]


def execution_files(place: Place, calls: Sequence[Call]) -> list[File]:
    """The execution log as the answer of ``filter-log-events``."""
    events = sorted((event for one in calls if "apigateway" in one.seen for event in _execution(place, one)), key=lambda event: event[0])
    stream = f"{draw(place.plan, 'execution stream').getrandbits(128):032x}"
    answer = {
        "events": [
            {
                "logStreamName": stream,
                "timestamp": int(at.timestamp() * 1000),
                "message": text,
                "ingestionTime": int(at.timestamp() * 1000) + 900,
                "eventId": f"{38_000_000_000_000_000_000 + number}",
            }
            for number, (at, text) in enumerate(events)
        ],
        "searchedLogStreams": [],
    }
    return [File(f"aws/logs/filter-log-events.execution-{place.api}.json", (json.dumps(answer, indent=4) + "\n").encode())]


def _gateway_row(place: Place, one: Call) -> dict[str, str]:
    seen = one.seen["apigateway"]
    handed = seen.inner is not None
    own = pick(place.plan, "own domain", (True, True, False))
    values = {
        "requestId": one.api_id,
        "extendedRequestId": one.edge_id[:15] + "=",
        "ip": one.client,
        "userAgent": one.agent,
        "requestTime": clf_time(one.at.astimezone(UTC)),
        "requestTimeEpoch": str(int(one.at.timestamp() * 1000)),
        "httpMethod": one.method,
        "resourcePath": one.path,
        "path": one.path if own else f"/{place.stage}{one.path}",
        "protocol": "HTTP/1.1",
        "status": str(seen.status),
        "responseLength": str(one.sent),
        "responseLatency": str(round(seen.seconds * 1000)),
        "integrationLatency": str(round(one.seen["lambda"].seconds * 1000)) if handed else "-",
        "integrationStatus": "200" if handed else "-",
        "integration.status": str(seen.inner) if handed else "-",
        "integration.error": "-",
        "error.responseType": "-",
        "error.message": "-",
        "error.validationErrorString": "-",
        "authorizer.error": "-",
        "wafResponseCode": "-",
        "xrayTraceId": one.trace,
        "domainName": place.domain if own else f"{place.api}.execute-api.{place.region}.amazonaws.com",
        "apiId": place.api,
        "stage": place.stage,
    }
    return values | dict(seen.fields)


def _execution(place: Place, one: Call) -> list[tuple[datetime, str]]:
    """The steps of a request, each with its id in front."""
    seen = one.seen["apigateway"]
    headers = f"Host={place.domain}, User-Agent={one.agent}, X-Forwarded-For={one.client}, X-Amzn-Trace-Id=Root={one.trace}"
    texts = [
        f"Extended Request Id: {one.edge_id[:15]}=",
        f"Starting execution for request: {one.api_id}",
        f"HTTP Method: {one.method}, Resource Path: {one.path}",
        "Method request path: {}",
        f"Method request headers: {{{headers}}}",
    ]
    if "lambda" in one.seen:
        arn = f"arn:aws:lambda:{place.region}:{ACCOUNT}:function:{place.function}"
        texts.append(f"Endpoint request URI: https://lambda.{place.region}.amazonaws.com/2015-03-31/functions/{arn}/invocations")
        texts.append(f"Sending request to https://lambda.{place.region}.amazonaws.com/2015-03-31/functions/{arn}/invocations")
    late = []
    if seen.inner is not None:
        late.append(f"Received response. Status: 200, Integration latency: {round(one.seen['lambda'].seconds * 1000)} ms")
    late += [said.text for said in one.said if said.log == "execution"]
    # What the function itself answered is handed on, an error too.
    late += ["Successfully completed execution"] if seen.inner is not None and seen.inner == seen.status else []
    late.append(f"Method completed with status: {seen.status}")
    ended = one.ended(place.stack, "apigateway")
    return [(one.at, f"({one.api_id}) {text}") for text in texts] + [(ended, f"({one.api_id}) {text}") for text in late]


def lambda_files(place: Place, calls: Sequence[Call]) -> list[File]:
    """The function's log, as its stream holds it; a call that the function never got leaves no line."""
    lines = []
    for one in calls:
        seen = one.seen.get("lambda")
        if seen is None or one.role == "check":
            continue
        begun, took = one.begun(place.stack, "lambda"), seen.seconds * 1000
        said = [said.text for said in one.said if said.log == "lambda"]
        texts = [f"START RequestId: {one.api_id} Version: $LATEST"]
        texts += [f"[INFO]\t{begun:%Y-%m-%dT%H:%M:%S.000Z}\t{one.api_id}\t{one.method} {one.path} {seen.status}"] if seen.status else []
        texts += [text.format(id=one.api_id, path=one.path, when=f"{begun:%Y-%m-%dT%H:%M:%S.000Z}", ms=f"{took:.2f}") for text in said]
        ending = f"Duration: {took:.2f} ms\tBilled Duration: {took + 1:.0f} ms\tMemory Size: 512 MB\tMax Memory Used: 121 MB\t"
        texts += [f"END RequestId: {one.api_id}", f"REPORT RequestId: {one.api_id}\t{ending}"]
        ended = one.ended(place.stack, "lambda")
        stamped = [
            Line(at, f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z {text}", one.number)
            for at, text in zip([begun, *[ended] * 9], texts, strict=False)
        ]
        shows = one.role in {"reported", "victim"} and (one.by == "lambda" or bool(said))
        lines += [Line(line.at, line.text, line.call, shows) for line in stamped]
    return [file_of(f"lambda/{place.function}.log", by_time(lines))] if lines else []


def waf_files(place: Place, calls: Sequence[Call]) -> list[File]:
    """The WAF log of the balancer, a file for each five minutes."""
    slots: dict[datetime, list[Line]] = {}
    for one in calls:
        if one.role == "check" or "alb" not in one.seen:
            continue
        at = one.begun(place.stack, "alb")
        slot = at.replace(minute=at.minute // 5 * 5, second=0, microsecond=0)
        shows = bool(one.waf) and one.role in {"reported", "victim"}
        slots.setdefault(slot, []).append(Line(at, json.dumps(_waf_row(place, one, at)), one.number, shows=shows))
    found = []
    for slot, lines in sorted(slots.items()):
        folder = f"aws-waf-logs-{place.app}/AWSLogs/{ACCOUNT}/WAFLogs/{place.region}/{place.web_acl}/{slot:%Y/%m/%d/%H/%M}"
        mark = f"{draw(place.plan, f'waf {slot}').getrandbits(32):08x}"
        name = f"{ACCOUNT}_waflogs_{place.region}_{place.web_acl}_{slot:%Y%m%dT%H%MZ}_{mark}.log.gz"
        file = file_of(f"{folder}/{name}", lines)
        found.append(File(file.name, packed(name, "".join(line.text + "\n" for line in lines)), file.marks, file.shown))
    return found


def _waf_rules(one: Call) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rule groups and the rate-based rules that a row names."""
    told = one.waf
    group = told.get("group", "")
    rules: list[dict[str, Any]] = []
    if group:
        inner = {"ruleId": told.get("inner", ""), "action": "BLOCK", "ruleMatchDetails": None}
        rules = [
            {
                "ruleGroupId": group,
                "terminatingRule": inner,
                "nonTerminatingMatchingRules": [],
                "excludedRules": None,
                "customerConfig": None,
            }
        ]
    rates: list[dict[str, Any]] = []
    if told.get("type") == "RATE_BASED":
        rates = [
            {
                "rateBasedRuleId": told["rule"],
                "rateBasedRuleName": told["rule"],
                "limitKey": "IP",
                "maxRateAllowed": 100,
                "evaluationWindowSec": "300",
                "limitValue": one.client,
            }
        ]
    return rules, rates


def _waf_row(place: Place, one: Call, at: datetime) -> dict[str, Any]:
    told = one.waf
    # At a balancer behind CloudFront, WAF sees CloudFront as its client.
    behind = place.stack[0] == "cloudfront"
    client, agent = (f"203.0.113.{one.port % 16}", "Amazon CloudFront") if behind else (one.client, one.agent)
    headers = [("Host", place.domain), ("User-Agent", agent), ("Accept", told.get("accept", "text/html,*/*"))]
    rules, rates = _waf_rules(one)
    row: dict[str, Any] = {
        "timestamp": int(at.timestamp() * 1000),
        "formatVersion": 1,
        "webaclId": place.web_acl_arn,
        "terminatingRuleId": told.get("rule", "Default_Action"),
        "terminatingRuleType": told.get("type", "REGULAR"),
        "action": told.get("action", "ALLOW"),
        "terminatingRuleMatchDetails": [],
        "httpSourceName": "ALB",
        "httpSourceId": f"{ACCOUNT}-app/{place.balancer}/{place.balancer_id}",
        "ruleGroupList": rules,
        "rateBasedRuleList": rates,
        "nonTerminatingMatchingRules": [],
        "requestHeadersInserted": None,
        "responseCodeSent": int(told["response"]) if "response" in told else None,
        "httpRequest": {
            "clientIp": client,
            "country": told.get("country", "JP"),
            "headers": [{"name": name, "value": value} for name, value in headers],
            "uri": one.path,
            "args": one.query,
            "httpVersion": "HTTP/2.0",
            "httpMethod": one.method,
            "requestId": one.trace,
        },
    }
    if "failure" in told:
        name = "captchaResponse" if told["action"] == "CAPTCHA" else "challengeResponse"
        row[name] = {"responseCode": int(told["response"]), "failureReason": told["failure"]}
    if "oversize" in told:
        row["oversizeFields"] = [told["oversize"]]
    return row
