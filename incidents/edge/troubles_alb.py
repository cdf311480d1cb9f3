"""Troubles of an Application Load Balancer, and between it and its targets."""

from __future__ import annotations

from incidents.edge.fault import Ask, Fault, Log, Said
from incidents.edge.faults import (
    LARGE,
    SMALL,
    answered,
    balancer,
    before_rules,
    dead_worker,
    out_of_memory,
    worker_timeout,
)

NOTHING_LISTENS = {"health": "unhealthy Target.FailedHealthChecks", "check": "none", "checks": "0.000412 - ConnectionReset"}
SILENT = {"health": "unhealthy Target.Timeout", "check": "none", "checks": "5.000213 - TimedOut"}
STOPPED = (
    Said("syslog", "{service}.service: Main process exited, code=exited, status=1/FAILURE", level="systemd[1]", once=True, after=-20),
    Said("syslog", "{service}.service: Failed with result 'exit-code'.", level="systemd[1]", once=True, after=-19.9),
)

REFUSED = balancer(
    502,
    "EDGE-035",
    alb={"target": "yes"},
    true=("EDGE-009", "EDGE-012", "EDGE-079"),
    scope="all",
    said=STOPPED,
    settings=NOTHING_LISTENS,
    metrics=("TargetConnectionErrorCount",),
)
UNREACHABLE = balancer(
    504,
    "EDGE-040",
    alb={"target": "yes"},
    true=("EDGE-009", "EDGE-013", "EDGE-078"),
    seconds=(10.0, 10.02),
    scope="all",
    settings=SILENT,
    metrics=("TargetConnectionErrorCount",),
)
SLOW = Said(
    "application", "slow query 74210ms: SELECT ... FROM {app}_ledger WHERE ... FOR UPDATE (waited for lock)", after=74.3, level="warning"
)
SLOW_TARGET = balancer(
    504,
    "EDGE-041",
    alb={"target": "yes", "times": "0.001 {seconds} -1"},
    true=("EDGE-009", "EDGE-015"),
    seconds=(60.0, 60.004),
    inside={"nginx": (499, 60.002), "gunicorn": (200, 74.9)},
    said=(SLOW,),
)
RACE = balancer(
    502,
    "EDGE-036",
    alb={"target": "yes", "times": SMALL},
    true=("EDGE-009", "EDGE-014"),
    seconds=(0.002, 0.005),
    scope="some",
    minutes=60,
    settings={"idle_timeout": "60"},
)
DIED = dead_worker("EDGE-037", "EDGE-151", said=out_of_memory(4.2), seconds=(4.2, 4.3))
DIED_AT_ONCE = dead_worker("EDGE-037", "EDGE-151", said=out_of_memory(0.05), seconds=(0.06, 0.07))
SEGFAULT = dead_worker(
    "EDGE-037",
    "EDGE-153",
    seconds=(2.1, 7.9),
    said=(
        Said("gunicorn", "Worker (pid:{pid}) was sent SIGSEGV!", ending=True, after=0.1, level="error"),
        Said(
            "syslog",
            "gunicorn[{pid}]: segfault at 18 ip 00007f1c2a4b8c10 sp 00007ffd5e0c9a40 error 4 in _imaging.so[7f1c2a400000+d2000]",
            ending=True,
            after=-0.01,
            level="kernel",
        ),
    ),
)
BAD_RESPONSE = balancer(
    502,
    "EDGE-038",
    alb={"target": "yes", "times": "0.001 {seconds} -1"},
    true=("EDGE-009", "EDGE-014", "EDGE-016", "EDGE-011"),
    seconds=(0.05, 0.3),
    inside={"gunicorn": (200, -1.0)},
    settings={"always": "yes"},
)
EMPTY_GROUP = balancer(503, "EDGE-039", true=("EDGE-009", "EDGE-081"), scope="all", settings={"health": "none", "check": "none"})
UNUSED = balancer(
    503, "EDGE-039", "EDGE-081", true=("EDGE-009",), scope="all", settings={"health": "unused Target.NotInUse", "check": "none"}
)
STOPPED_HOSTS = balancer(
    503, "EDGE-039", "EDGE-081", true=("EDGE-009",), scope="all", settings={"health": "unused Target.InvalidState", "check": "none"}
)
FIXED = balancer(
    503,
    "EDGE-003",
    alb={"actions_executed": "fixed-response", "matched_rule_priority": "10"},
    settings={"rule": "fixed:503", "priority": "10"},
)
FIXED_403 = balancer(
    403,
    "EDGE-003",
    alb={"actions_executed": "fixed-response", "matched_rule_priority": "10"},
    settings={"rule": "fixed:403", "priority": "10"},
)
LOOP = balancer(
    301,
    "EDGE-004",
    alb={"actions_executed": "redirect", "matched_rule_priority": "10", "redirect_url": "itself"},
    ask=Ask(methods=("GET",)),
    settings={"rule": "redirect:301", "priority": "10"},
)
FELL_THROUGH = balancer(
    404,
    "EDGE-158",
    alb={"actions_executed": "fixed-response", "matched_rule_priority": "0"},
    true=("EDGE-003",),
    settings={"default": "404", "change": "DeleteRule"},
)
RULE_ERROR = balancer(500, "EDGE-158", alb={"matched_rule_priority": "-1"}, true=("EDGE-009",))
DESYNC = tuple(
    before_rules(
        400,
        "EDGE-077",
        "EDGE-020",
        alb={"classification": "Severe", "classification_reason": reason},
        ask=Ask(agent="program"),
        scope="client",
    )
    for reason in ("BadContentLength", "MultipleContentLength", "BadTransferEncoding", "BadHeader", "MultipleTransferEncodingChunked")
)
STRICTEST = before_rules(
    400,
    "EDGE-077",
    "EDGE-020",
    alb={"classification": "Ambiguous", "classification_reason": "BothTeClPresent"},
    ask=Ask(agent="program"),
    settings={"desync": "strictest"},
    scope="client",
)
BIG_HEADERS = before_rules(400, "EDGE-020", ask=Ask(methods=("GET",), received=(66_000, 79_000)), scope="client")
DRAINING = balancer(
    503,
    "EDGE-082",
    "EDGE-039",
    true=("EDGE-009",),
    scope="all",
    minutes=5,
    settings={"health": "draining Target.DeregistrationInProgress", "check": "none"},
)
PROBE_FAILS = answered(
    500,
    codes=("EDGE-080", "EDGE-001"),
    true=("EDGE-080",),
    scope="all",
    settings={"health": "unhealthy Target.ResponseCodeMismatch", "check": "500", "checks": "0.004120 500 TargetError"},
)
CLIENT_LEFT = tuple(
    balancer(
        460,
        "EDGE-030",
        alb={"target": "yes", "times": "0.001 -1 -1"},
        true=("EDGE-010", "EDGE-017"),
        seconds=(limit, limit + 0.02),
        inside={"nginx": (499, limit), "gunicorn": (200, 3.1 * limit)},
        ask=Ask(agent="program"),
        said=(Said("application", "slow query: SELECT ... FROM {app}_stock", after=2.9 * limit, level="warning"),),
    )
    for limit in (5.0, 10.0, 30.0)
)
WANDERED_OFF = balancer(
    460,
    "EDGE-010",
    alb={"target": "yes", "times": "0.001 -1 -1"},
    true=("EDGE-017",),
    seconds=(0.08, 2.6),
    inside={"nginx": (499, 0.08)},
    ask=Ask(methods=("GET",)),
)
TIMED_OUT_CLIENT = before_rules(
    408, "EDGE-024", ask=Ask(methods=("POST",), received=(90, 260), agent="program"), seconds=(60.0, 60.1), scope="client"
)
TOO_LONG = before_rules(
    414, "EDGE-026", ask=Ask(methods=("GET",), query="filter=" + "a1b2c3d4" * 2040, received=(16_400, 16_900)), scope="client"
)
FORWARDED = before_rules(463, "EDGE-031", ask=Ask(agent="program"))
MISFIT = balancer(464, "EDGE-032", true=("EDGE-017",), ask=Ask(methods=("GET",)), settings={"protocol_version": "GRPC", "always": "yes"})
ENCODED = before_rules(501, "EDGE-034", ask=Ask(methods=("POST",), agent="program"), scope="client")
TRACE = before_rules(405, "EDGE-023", ask=Ask(methods=("TRACE",), agent="program"), scope="client")
WAF_DOWN = tuple(
    balancer(500, "EDGE-075", "EDGE-033", alb={"actions_executed": "waf-failed", "error_reason": reason}, scope="all", minutes=4)
    for reason in ("WAFConnectionError", "WAFConnectionTimeout", "WAFResponseReadTimeout", "WAFServiceError", "WAFUnhandledException")
)
ODD = (
    before_rules(505, "EDGE-042", ask=Ask(agent="program"), scope="client"),
    balancer(
        507,
        "EDGE-042",
        alb={"actions_executed": "redirect", "matched_rule_priority": "10"},
        settings={"rule": "redirect:302"},
        ask=Ask(methods=("GET",)),
    ),
    before_rules(0, "EDGE-042", ask=Ask(agent="program"), scope="client"),
)
COOKIE = balancer(400, "EDGE-074", alb={"error_reason": "AWSALBTGCookieInvalid"}, scope="client")
WEIGHTED = balancer(500, "EDGE-074", alb={"error_reason": "WeightedTargetGroupsUnhandledException"}, true=("EDGE-009",))
TRANSFORM = tuple(
    balancer(500, "EDGE-076", alb={"request_transform_status": reason}, true=("EDGE-009",), settings={"always": "yes"})
    for reason in (
        "TransformInvalidPath",
        "TransformInvalidHost",
        "TransformRegexSyntaxError",
        "TransformBufferTooSmall",
        "TransformCompileError",
    )
)
HEADERS_431 = answered(
    431,
    codes=("EDGE-027",),
    said=(Said("gunicorn", "Invalid request from ip={client}: limit request headers fields size", level="worker warning"),),
    inside={},
    scope="client",
    ask=Ask(received=(12_000, 15_000)),
)
SLOW_UPLOAD = Fault(
    "gunicorn",
    200,
    ("EDGE-018",),
    seconds=(38.0, 52.0),
    fields={"alb": {"times": "{seconds} 0.090 0.000"}, "waf": {}},
    inside={"nginx": (200, 0.1), "gunicorn": (200, 0.09)},
    ask=LARGE,
    scope="client",
    complaint="slow",
    upload=True,
)
SLOW_CLIENT = Fault(
    "gunicorn",
    200,
    ("EDGE-019",),
    seconds=(25.0, 44.0),
    fields={"alb": {"times": "0.001 0.110 {seconds}"}},
    inside={"nginx": (200, 0.12), "gunicorn": (200, 0.1)},
    ask=Ask(methods=("GET",)),
    scope="client",
    complaint="slow",
)
SLOW_APP = Fault("gunicorn", 200, ("EDGE-001", "EDGE-041"), seconds=(25.0, 44.0), said=(SLOW,), ask=Ask(methods=("GET",)), complaint="slow")
TIMEOUT_30 = dead_worker("EDGE-150", said=worker_timeout(), seconds=(30.06, 31.2))
HIDDEN: tuple[Log, ...] = ("gunicorn", "gunicorn_access", "application", "syslog", "nginx", "nginx_error")
"""All that the servers behind the balancer write."""
