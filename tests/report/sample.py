"""Investigations as values, for the tests of the reports: one rich, one healthy, one that cannot tell, one hostile."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kyumei.model.artifact import Coverage
from kyumei.model.finding import (
    Certainty,
    Check,
    Citation,
    Evidence,
    Finding,
    Gap,
    Hop,
    Investigation,
    Moment,
    Remedy,
    RuledOut,
    Verdict,
)
from kyumei.model.symptom import Symptom
from kyumei.model.window import Window

AT = datetime(2025, 2, 6, 5, 32, 10, 123000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

SYMPTOM = Symptom(
    text="please help: 403 Forbidden in the browser on 2025-02-06 around 14:32 JST at /app/admin",
    window=Window(datetime(2025, 2, 6, 5, 22, tzinfo=UTC), datetime(2025, 2, 6, 5, 43, tzinfo=UTC)),
    moment=datetime(2025, 2, 6, 5, 32, tzinfo=UTC),
    zone="Asia/Tokyo",
    status=403,
    method="GET",
    path="/app/admin",
    browser=True,
    understood=(("status", "403"), ("path", "/app/admin")),
    ignored=("please help",),
    notes=("“around” was read as ten minutes on each side.",),
)

WAF_LINE = json.dumps(
    {
        "timestamp": 1738819930123,
        "formatVersion": 1,
        "webaclId": "arn:aws:wafv2:ap-northeast-1:123456789012:regional/webacl/shop-edge/1f0c2d3e-4b5a-6978-8796-a5b4c3d2e1f0",
        "terminatingRuleId": "admin-path-allow-list",
        "terminatingRuleType": "REGULAR",
        "action": "BLOCK",
        "terminatingRuleMatchDetails": [],
        "httpSourceName": "ALB",
        "httpSourceId": "123456789012-app/shop/50dc6c495c0c9188",
        "ruleGroupList": [],
        "rateBasedRuleList": [],
        "nonTerminatingMatchingRules": [{"ruleId": "count-legacy-agents", "action": "COUNT", "ruleMatchDetails": []}],
        "httpRequest": {
            "clientIp": "203.0.113.9",
            "country": "JP",
            "headers": [{"name": "host", "value": "shop.example.com"}, {"name": "user-agent", "value": "Mozilla/5.0 (Windows NT 10.0)"}],
            "uri": "/app/admin",
            "args": "",
            "httpVersion": "HTTP/2.0",
            "httpMethod": "GET",
            "requestId": "1-67a4499a-3f1d2c4b5a69788796a5b4c3",
        },
    },
    separators=(",", ":"),
)
ALB_LINE = (
    "h2 2025-02-06T05:32:10.131000Z app/shop/50dc6c495c0c9188 203.0.113.9:51234 - 0.001 -1 -1 403 - 812 318 "
    '"GET https://shop.example.com:443/app/admin HTTP/2.0" "Mozilla/5.0 (Windows NT 10.0)" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
    '- "Root=1-67a4499a-3f1d2c4b5a69788796a5b4c3" "shop.example.com" "session-reused" 10 2025-02-06T05:32:10.119000Z '
    '"waf" "-" "-" "-" "-" "-" "-"'
)
NGINX_LINE = '10.0.1.23 - - [06/Feb/2025:14:32:04 +0900] "GET /api/ping HTTP/1.1" 200 2 "-" "ELB-HealthChecker/2.0"'
SCOPE_DOWN = """aws wafv2 update-web-acl --name shop-edge --scope REGIONAL --id 1f0c2d3e-4b5a-6978-8796-a5b4c3d2e1f0 \\
  --lock-token "$(aws wafv2 get-web-acl --name shop-edge --scope REGIONAL --id 1f0c2d3e-4b5a-6978-8796-a5b4c3d2e1f0 \\
    --query LockToken --output text)" --default-action Allow={} \\
  --visibility-config SampledRequestsEnabled=true,CloudWatchMetricsEnabled=true,MetricName=shop-edge --rules file://rules.json"""
RULE_JSON = json.dumps(
    {
        "Name": "admin-path-allow-list",
        "Priority": 1,
        "Action": {"Block": {}},
        "Statement": {
            "NotStatement": {
                "Statement": {
                    "IPSetReferenceStatement": {"ARN": "arn:aws:wafv2:ap-northeast-1:123456789012:regional/ipset/office/0a1b2c3d"}
                }
            }
        },
    },
    indent=2,
)

WAF_CITATION = Citation("waf/aws-waf-logs-shop/2025/02/06/05/export.json.gz", 1717, WAF_LINE)
ALB_CITATION = Citation(
    "alb/123456789012_elasticloadbalancing_ap-northeast-1_app.shop.50dc6c495c0c9188_20250206T0535Z_198.51.100.7_2kq1.log.gz", 88, ALB_LINE
)
ACL_CITATION = Citation(
    "aws/wafv2/get-web-acl.shop-edge.json",
    12,
    '      "Name": "admin-path-allow-list",',
    '{\n  "Name": "admin-path-allow-list",\n  "Priority": 1,\n  "Action": {"Block": {}}\n}',
)

CAUSE = Finding(
    code="EDGE-022",
    rule="waf_rule_blocked",
    title="a rule of the web ACL blocked the request",
    certainty=Certainty.PROVEN,
    subject={"rule_id": "admin-path-allow-list", "web_acl": "shop-edge"},
    chain=(
        Evidence(
            "The load balancer wrote 403 for GET /app/admin, sent it to no target, and its last action was waf.",
            (ALB_CITATION,),
            "SELECT * FROM alb_access WHERE status = 403",
            1,
        ),
        Evidence(
            "nginx was writing at that moment and never saw the request.",
            (Citation("nginx/access.log", 4021, NGINX_LINE),),
            "SELECT count(*) FROM nginx_access WHERE path = '/app/admin'",
            12,
        ),
        Evidence(
            "AWS WAF blocked it: action BLOCK by the rule admin-path-allow-list.",
            (WAF_CITATION,),
            "SELECT * FROM waf WHERE action = 'BLOCK'",
            3,
        ),
        Evidence("The web ACL holds that rule, and it blocks.", (ACL_CITATION,), "", 1),
    ),
    remedy=(
        Remedy(
            "Let the office network reach /app/admin: add its range to the IP set that the rule refers to.",
            (SCOPE_DOWN, RULE_JSON),
            "3 of 3 blocked requests of the last day would pass; 41 blocked requests from 17 other clients would still be blocked.",
        ),
        Remedy(
            "Until then, count instead of block.",
            ("aws wafv2 get-web-acl --name shop-edge --scope REGIONAL --id 1f0c2d3e",),
            "44 requests would pass.",
        ),
    ),
    check=(
        Check(
            "Ask for the page again; the WAF log then shows ALLOW.",
            "curl -sS -o /dev/null -w '%{http_code}\\n' https://shop.example.com/app/admin",
        ),
    ),
    onset=datetime(2025, 2, 6, 5, 12, 41, tzinfo=UTC),
    explains=3,
    message="The page was refused by our firewall before it reached the application. Your account is fine. "
    "We are changing the rule and will tell you when you can try again.",
)

HOPS = (
    Hop("waf", "yes", answered=True, why="its log holds the request, action BLOCK", citations=(WAF_CITATION,), name="shop-edge"),
    Hop("alb", "yes", answered=False, why="it relayed the answer of WAF and chose no target", citations=(ALB_CITATION,), name="app/shop"),
    Hop(
        "nginx",
        "no",
        answered=False,
        why="its log covers 14:31:58 to 14:32:31 without it",
        citations=(Citation("nginx/access.log", 4021, NGINX_LINE),),
    ),
    Hop("gunicorn", "blind", answered=None, why="its access log is off"),
    Hop("app", "no", answered=False, why="its log covers the moment without it"),
)

RICH = Investigation(
    symptom=SYMPTOM,
    verdict=Verdict.CAUSE_FOUND,
    sentence="AWS WAF answered the 403: the rule admin-path-allow-list of the web ACL shop-edge blocked GET /app/admin from 203.0.113.9.",
    findings=(CAUSE,),
    ruled_out=(
        RuledOut(
            "EDGE-060",
            "nginx did not make this 403: its log covers the moment and has no 403.",
            (Citation("nginx/access.log", 4021, NGINX_LINE),),
        ),
        RuledOut("EDGE-075", "the application did not make it: the request never reached it."),
    ),
    hops=HOPS,
    coverage=(
        Coverage("alb_access", 3, 2210, AT - 90 * MINUTE, AT + 80 * MINUTE, covers_symptom=True, why="neighbours 2 s before and 1 s after"),
        Coverage("waf", 2, 5120, AT - 60 * MINUTE, AT + 60 * MINUTE, covers_symptom=True, why="neighbours on both sides"),
        Coverage("app_log", 1, 310, None, None, covers_symptom=False, why="no line of it has a time"),
    ),
    gaps=(Gap("gunicorn's own access log", "whether the request reached gunicorn", "start gunicorn with --access-logfile -"),),
    unread_lines=3,
    unread_files=(("syslog/messages", 2), ("nginx/access.log.1", 1)),
    timeline=(
        Moment(AT - 20 * MINUTE, "waf", "first BLOCK by admin-path-allow-list", "onset", WAF_CITATION),
        Moment(AT - 6 * MINUTE, "nginx", "404 for /favicon.ico", "event"),
        Moment(AT, "waf", "BLOCK GET /app/admin", "failure", WAF_CITATION),
        Moment(AT + timedelta(milliseconds=8), "alb", "403 GET /app/admin, no target", "failure", ALB_CITATION),
        Moment(AT + 3 * MINUTE, "app", "200 GET /api/ping", "event"),
    ),
    message=CAUSE.message,
    notes=("The zone of syslog/messages was concluded from the times inside its lines.",),
    case="examples/waf-403",
)

CANNOT_TELL = Investigation(
    symptom=SYMPTOM,
    verdict=Verdict.CANNOT_TELL,
    sentence="The load balancer says that AWS WAF answered the 403, but the WAF log of that moment is missing.",
    findings=(replace(CAUSE, certainty=Certainty.POSSIBLE, chain=CAUSE.chain[:1], remedy=(), subject={}),),
    hops=(replace(HOPS[0], saw_it="blind", answered=None, why="no WAF log in this case", citations=()), *HOPS[1:3]),
    coverage=RICH.coverage[:1],
    gaps=(
        Gap(
            "the WAF log (aws-waf-logs-…) of 05:22 to 05:43 UTC",
            "which rule blocked the request",
            "aws wafv2 get-logging-configuration --resource-arn "
            "arn:aws:wafv2:ap-northeast-1:123456789012:regional/webacl/shop-edge/1f0c2d3e",
        ),
    ),
    message="We see that the page was refused, and are fetching one more log to say why.",
    case="examples/waf-403-without-waf",
)

HEALTHY = Investigation(
    symptom=Symptom(text="anything wrong on 2025-02-05?", window=Window(AT - 24 * 60 * MINUTE, AT - 23 * 60 * MINUTE), zone="UTC"),
    verdict=Verdict.HEALTHY,
    sentence="No request failed: 2,210 requests in the hour, none with a status of 400 or more.",
    hops=(Hop("alb", "yes", answered=None, why="2,210 requests, all below 400"),),
    coverage=RICH.coverage[:2],
    message="We looked and found nothing wrong at that time. If you see it again, note the exact minute.",
    case="examples/healthy",
)

HOSTILE_TEXT = (
    '203.0.113.66 - - [06/Feb/2025:14:32:10 +0900] "GET /app/admin?x=\'"><script>document.title="owned"</script> HTTP/1.1" 403 12 "-" '
    '"[bold red]no[/] \x1b[31mred\x1b]0;title\x07 \u202egnp.exe\u200b <img src=http://canary.example.com/pixel onerror=alert(1)> ``` ```` '
    '|a|b| [click](http://canary.example.com/) ![x](http://canary.example.com/image) </pre></details> &lt;b&gt; \x9b31m \udc80"'
)


def hostile(text: str = HOSTILE_TEXT) -> Investigation:
    """The rich investigation with the text in every place where something from a log or a person can stand."""
    citation = Citation(f"logs/{text}", 1, text, text)
    finding = replace(
        CAUSE,
        title=text,
        subject={"rule_id": text, text: "value"},
        chain=(Evidence(text, (citation,), text, 2),),
        remedy=(Remedy(text, (text,), text),),
        check=(Check(text, text),),
        message=text,
    )
    return replace(
        RICH,
        symptom=replace(SYMPTOM, text=text, path=text, ignored=(text,), notes=(text,), error_text=text, request_ids=(text,)),
        sentence=text,
        findings=(finding, replace(finding, certainty=Certainty.POSSIBLE)),
        ruled_out=(RuledOut(text, text, (citation,)),),
        hops=(Hop(text, "yes", answered=True, why=text, citations=(citation,), name=text),),
        coverage=(replace(RICH.coverage[0], table=text, why=text),),
        gaps=(Gap(text, text, text), Gap(text, text, f"aws {text}")),
        unread_files=((text, 1),),
        timeline=(Moment(AT, text, text, "failure", citation), Moment(AT + MINUTE, "alb", text)),
        message=text,
        notes=(text,),
        case=text,
    )
