"""A day of traffic as large log files: the same requests in the logs of a load balancer, a WAF, nginx and the application.

Equal seeds give equal bytes. For ten minutes the application's server is gone and the balancer answers 502: that is the symptom
that is measured. Nothing here imports kyumei.
"""

from __future__ import annotations

import gzip
import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "123456789012"
TOKYO = timezone(timedelta(hours=9))
START = datetime(2025, 2, 5, 15, tzinfo=UTC)
"""Midnight in Tokyo."""
DAY = timedelta(days=1)
MOMENT = START + timedelta(hours=14, minutes=32)
DOWN = timedelta(minutes=10)
BAD_GATEWAY, FAULT = 502, 500
SENTENCE = "502 on GET /api/orders between 2025-02-06 14:27 and 14:37 JST"
OTHER_SENTENCE = "403 on POST /api/login between 2025-02-06 14:27 and 14:37 JST"
"""A second question about the same ten minutes."""
SHARES = {"alb": 0.40, "nginx": 0.20, "waf": 0.25, "app": 0.15}
"""Parts of the text by kind of log, as near as the traffic allows."""
FILES = {
    "alb": ("balancer/alb-1.log", "balancer/alb-2.log", "balancer/alb-3.log", "balancer/alb-4.log"),
    "nginx": ("web/nginx/access.log.3", "web/nginx/access.log.2", "web/nginx/access.log.1", "web/nginx/access.log"),
    "waf": ("waf/waf-1.log", "waf/waf-2.log", "waf/waf-3.log", "waf/waf-4.log"),
    "app": ("web/app/app.log.1", "web/app/app.log"),
}
"""The files of each kind from the oldest on, each over an equal part of the time.

Their names tell no time, so all of them must be looked into.
"""
BYTES_A_REQUEST = 1520
"""What one request writes into all logs together, measured; the size of a folder follows from it."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BALANCER = "app/shop/50dc6c495c0c9188"
GROUP = f"arn:aws:elasticloadbalancing:ap-northeast-1:{ACCOUNT}:targetgroup/shop/73e2d6bc24d8a067"
CERTIFICATE = f"arn:aws:acm:ap-northeast-1:{ACCOUNT}:certificate/12345678-1234-1234-1234-123456789012"
WEB_ACL = f"arn:aws:wafv2:ap-northeast-1:{ACCOUNT}:regional/webacl/shop/3a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:134.0) Gecko/20100101 Firefox/134.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/604.1",
    "okhttp/4.12.0",
)
PAGES = (
    ("GET", "/"),
    ("GET", "/assets/app.css"),
    ("GET", "/assets/app.js"),
    ("GET", "/images/logo.png"),
    ("GET", "/products/list"),
    ("GET", "/products/detail"),
)
CALLS = (("GET", "/api/orders"), ("POST", "/api/login"), ("GET", "/api/cart"), ("PUT", "/api/cart"), ("GET", "/api/profile"))
CALLED = 0.325
"""Share of requests that go to the API; the WAF's logging filter keeps those only."""
BLOCKED = 0.02
REDIRECTED = 0.08
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/venv/lib/python3.11/site-packages/django/core/handlers/exception.py", line 55, in inner
    response = get_response(request)
  File "/srv/shop/web/views.py", line 212, in search
    page = int(request.GET["page"])
ValueError: invalid literal for int() with base 10: 'undefined'
"""


@dataclass(frozen=True)
class Request:
    """One request as all logs see it. ``answered_by`` is ``waf``, ``alb`` or ``app``."""

    at: datetime
    seconds: float
    method: str
    path: str
    query: str
    client: str
    port: int
    agent: str
    status: int
    answered_by: str
    sent: int
    trace: str
    number: int


def requests(count: int, days: int = 1, seed: int = 0) -> Iterator[Request]:
    """``count`` requests evenly over so many days; the incident is on the middle one."""
    chance = Random(seed)
    start = START - timedelta(days=days // 2)
    step = days * DAY / max(count, 1)
    clients = [f"{net}.{host}" for net in ("192.0.2", "198.51.100", "203.0.113") for host in range(1, 255)]
    for number in range(count):
        at = start + step * number
        draw = chance.random()
        called = draw < CALLED
        method, path = CALLS[number % len(CALLS)] if called else PAGES[number % len(PAGES)]
        bits = chance.getrandbits(96)
        answered_by, status = "app", 200
        if called and draw < CALLED * BLOCKED:
            answered_by, status = "waf", 403
        elif called and path == "/api/orders" and MOMENT - DOWN / 2 <= at < MOMENT + DOWN / 2:
            answered_by, status = "alb", BAD_GATEWAY
        elif draw > 1 - REDIRECTED:
            answered_by, status = "alb", 301
        elif bits % 50 == 0:
            status = 404 if bits % 100 else FAULT
        yield Request(
            at,
            0.004 + draw * draw * 0.4,
            method,
            path,
            f"page={bits % 9000}&sort=price" if bits % 3 == 0 else "",
            clients[bits % len(clients)],
            1024 + bits % 60000,
            AGENTS[bits % len(AGENTS)],
            status,
            answered_by,
            300 + bits % 40000,
            f"1-{int(at.timestamp()):08x}-{bits:024x}",
            number,
        )


def alb_line(one: Request) -> str:
    """The balancer's line, 33 fields."""
    ended = one.at + timedelta(seconds=one.seconds)
    relayed = one.answered_by == "app"
    lost = one.status == BAD_GATEWAY
    target = f"10.0.{one.number % 2 + 1}.20:80" if relayed or lost else "-"
    status = str(one.status) if relayed else "-"
    times = f"0.001 {one.seconds:.3f} 0.000" if relayed else "0.001 0.003 -1" if lost else "-1 -1 -1"
    last = "waf" if one.answered_by == "waf" else "waf,forward" if relayed or lost else "waf,redirect"
    url = f"https://shop.example.com:443{one.path}" + (f"?{one.query}" if one.query else "")
    connection = f"TID_{one.trace[11:]}{one.trace[2:10]}"
    return (
        f"h2 {ended:%Y-%m-%dT%H:%M:%S.%f}Z {BALANCER} {one.client}:{one.port} {target} {times} {one.status} {status} 420 {one.sent} "
        f'"{one.method} {url} HTTP/2.0" "{one.agent}" TLS_AES_128_GCM_SHA256 TLSv1.3 {GROUP if target != "-" else "-"} "Root={one.trace}" '
        f'"shop.example.com" "{CERTIFICATE}" 0 {one.at:%Y-%m-%dT%H:%M:%S.%f}Z "{last}" "-" "-" "{target}" "{status}" "-" "-" {connection} '
        '"-" "-" "-"\n'
    )


def nginx_line(one: Request) -> str:
    """Nginx's line, combined with X-Forwarded-For and what people add to it; the peer is the balancer."""
    ended = (one.at + timedelta(seconds=one.seconds)).astimezone(TOKYO)
    target = one.path + (f"?{one.query}" if one.query else "")
    return (
        f"10.0.{one.number % 2 + 1}.7 - - [{ended:%d}/{MONTHS[ended.month - 1]}/{ended:%Y:%H:%M:%S} +0900] "
        f'"{one.method} {target} HTTP/1.1" {one.status} {one.sent} "https://shop.example.com/products/list" "{one.agent}" "{one.client}" '
        f'rt={one.seconds:.3f} urt={one.seconds:.3f} us={one.status} "Root={one.trace}"\n'
    )


def waf_line(one: Request) -> str:
    """The web ACL's record as JSON, keys in AWS's order."""
    blocked = one.answered_by == "waf"
    groups: list[dict[str, object]] = [
        {
            "ruleGroupId": "AWS#AWSManagedRulesCommonRuleSet#Version_1.15",
            "terminatingRule": None,
            "nonTerminatingMatchingRules": [],
            "excludedRules": None,
            "customerConfig": None,
        }
    ]
    headers = (("host", "shop.example.com"), ("user-agent", one.agent), ("accept", "application/json"), ("accept-encoding", "gzip, br"))
    record = {
        "timestamp": int(one.at.timestamp() * 1000),
        "formatVersion": 1,
        "webaclId": WEB_ACL,
        "terminatingRuleId": "login-limit" if blocked else "Default_Action",
        "terminatingRuleType": "REGULAR",
        "action": "BLOCK" if blocked else "ALLOW",
        "terminatingRuleMatchDetails": [],
        "httpSourceName": "ALB",
        "httpSourceId": f"{ACCOUNT}-{BALANCER}",
        "ruleGroupList": groups,
        "rateBasedRuleList": [],
        "nonTerminatingMatchingRules": [],
        "requestHeadersInserted": None,
        "responseCodeSent": None,
        "httpRequest": {
            "clientIp": one.client,
            "country": "JP",
            "headers": [{"name": name, "value": value} for name, value in headers],
            "uri": one.path,
            "args": one.query,
            "httpVersion": "HTTP/2.0",
            "httpMethod": one.method,
            "requestId": one.trace,
        },
    }
    return json.dumps(record, separators=(",", ":")) + "\n"


def app_lines(one: Request) -> str:
    """What the application writes of a request: its work, a summary, now and then a traceback. Local time without a zone."""
    ended = (one.at + timedelta(seconds=one.seconds)).astimezone(TOKYO)
    time = f"{ended:%Y-%m-%d %H:%M:%S},{ended.microsecond // 1000:03d}"
    spent = round(one.seconds * 1000)
    head = f"{time} INFO [shop"
    text = (
        f"{head}.db] 3 queries in {spent // 2}ms for user {one.number % 5000} (pool 4 of 20 in use)\n"
        f"{head}.access] {one.method} {one.path} {one.status} {spent}ms user={one.number % 5000} session={one.trace[11:27]}\n"
    )
    if one.number % 2:
        text = f"{head}.cart] basket of {one.number % 9} items priced in {spent // 3}ms\n" + text
    if one.status == FAULT:
        text = f"{time} ERROR [shop.request] Internal Server Error: {one.path}\n{TRACEBACK}{text}"
    return text


def generate(folder: Path, megabytes: int, *, days: int = 1, packed: bool = False, seed: int = 0) -> int:
    """Write about ``megabytes`` of text below ``folder``; answers the bytes of text written."""
    count = max(1, megabytes * 1_000_000 // BYTES_A_REQUEST)
    written = 0
    with ExitStack() as stack:
        sinks = {kind: [stack.enter_context(_sink(folder / name, packed=packed)) for name in names] for kind, names in FILES.items()}
        for one in requests(count, days, seed):
            for kind, text in texts(one):
                data = text.encode()
                written += len(data)
                sinks[kind][one.number * len(FILES[kind]) // count].write(data)
    return written


def texts(one: Request) -> Iterator[tuple[str, str]]:
    """The kind of each log that writes of a request, and what it writes."""
    yield "alb", alb_line(one)
    if one.path.startswith("/api/"):
        yield "waf", waf_line(one)
    if one.answered_by == "app":
        yield "nginx", nginx_line(one)
        yield "app", app_lines(one)


def _sink(path: Path, *, packed: bool) -> BinaryIO:
    """A file opened for writing, with gzip when it is to be packed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if packed:
        return cast("BinaryIO", gzip.open(path.with_name(path.name + ".gz"), "wb", compresslevel=4))
    return path.open("wb", buffering=1 << 20)
