"""Causes in WAF, CloudFront, API Gateway, a Classic Load Balancer or a handshake: EDGE-002, 022, 083 to 094, 096 to 113 and 159."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from incidents.edge.fault import BEHIND_ALB, LOGS_OF, Ask, Cause, Fault, LineChanges, Log, Said, cause
from incidents.edge.faults import LARGE, answered, balancer

CDN_SITES = ("cdn-nginx", "cdn-app")
API_SITES = ("api-lambda",)
GET, POST = Ask(methods=("GET",)), Ask(methods=("POST",))
WAF_CODES = ("EDGE-002", "EDGE-022")
RELAYED = ("EDGE-001", "EDGE-086")


def waf(status: int, *codes: str, rule: dict[str, str], **changes: Unpack[LineChanges]) -> Fault:
    """WAF ends the request at the balancer."""
    alb = {"actions_executed": "waf", "target_group_arn": "-"}
    changes.setdefault("ask", GET)
    fault = balancer(status, *codes, alb=alb, fields={"waf": {"action": "BLOCK", **rule}}, true=(*WAF_CODES, "EDGE-017"))
    return replace(fault, **changes)


CORE = "AWS#AWSManagedRulesCommonRuleSet"
CUSTOM = waf(403, "EDGE-022", "EDGE-002", rule={"rule": "block-outside-office"})
CUSTOM_STATUS = waf(429, "EDGE-022", "EDGE-002", rule={"rule": "closed-area", "response": "429"})
CAPTCHA = waf(
    405,
    "EDGE-084",
    rule={"rule": "puzzle-for-forms", "action": "CAPTCHA", "response": "405", "failure": "TOKEN_MISSING", "accept": "application/json"},
    ask=Ask(methods=("POST",), agent="program"),
)
CHALLENGE = waf(
    202,
    "EDGE-084",
    rule={"rule": "silent-check", "action": "CHALLENGE", "response": "202", "failure": "TOKEN_EXPIRED", "accept": "application/json"},
    ask=Ask(methods=("POST",), agent="program"),
)
SIZE = waf(
    403, "EDGE-096", rule={"rule": "managed-core", "type": "MANAGED_RULE_GROUP", "group": CORE, "inner": "SizeRestrictions_BODY"}, ask=LARGE
)
SCRIPT = waf(
    403,
    "EDGE-096",
    rule={"rule": "managed-core", "type": "MANAGED_RULE_GROUP", "group": CORE, "inner": "CrossSiteScripting_BODY"},
    ask=POST,
)
RATE = waf(403, "EDGE-097", rule={"rule": "limit-per-address", "type": "RATE_BASED"})
OVERSIZE = waf(403, "EDGE-098", rule={"rule": "body-words", "oversize": "REQUEST_BODY"}, ask=LARGE)
DEFAULT = waf(403, "EDGE-099", rule={"rule": "Default_Action"}, settings={"always": "yes"})
GEO = waf(403, "EDGE-099", rule={"rule": "only-domestic-geo", "country": "BR"}, scope="client")
NO_ROW = replace(CUSTOM, verdict="cannot_tell", missing=("waf",), drop=("waf",), codes=(), true=(*WAF_CODES, "EDGE-017"))


def edge(status: int, code: str, detail: str, result: str = "Error", **changes: Unpack[LineChanges]) -> Fault:
    """CloudFront makes the answer."""
    told = {"x-edge-result-type": result, "x-edge-response-result-type": result, "x-edge-detailed-result-type": detail}
    fault = Fault("cloudfront", status, (code,), fields={"cloudfront": told}, ask=GET)
    return replace(fault, **changes)


CACHED = tuple(
    edge(status, "EDGE-085", result, result, seconds=(0.001, 0.003))
    for status, result in ((404, "Hit"), (503, "Hit"), (502, "RefreshHit"), (500, "Hit"))
)
DNS = edge(502, "EDGE-087", "OriginDnsError", scope="all", seconds=(0.01, 0.2))
CONNECT = (
    edge(502, "EDGE-088", "OriginConnectError", scope="all", seconds=(0.02, 0.3)),
    edge(504, "EDGE-088", "OriginConnectError", scope="all", seconds=(30.0, 30.4)),
)
COMM = (
    edge(504, "EDGE-089", "OriginCommError", scope="all", seconds=(30.01, 30.3)),
    edge(
        504,
        "EDGE-089",
        "OriginCommError",
        ask=POST,
        seconds=(30.02, 30.03),
        inside={"alb": (460, 30.0), "nginx": (499, 30.0), "gunicorn": (200, 47.1)},
        true=("EDGE-010", "EDGE-030", "EDGE-017"),
    ),
)
BROKEN = tuple(
    edge(502, "EDGE-090", detail, seconds=(0.05, 0.9))
    for detail in (
        "OriginReadError",
        "OriginWriteError",
        "AbortedOrigin",
        "OriginError",
        "OriginInvalidResponseError",
        "OriginHeaderTooBigError",
        "OriginContentRangeLengthError",
        "OriginZeroSizeObjectError",
    )
)
AT_EDGE = tuple(edge(status, "EDGE-091", "LambdaExecutionError", "LambdaExecutionError", seconds=(0.02, 5.0)) for status in (502, 503))
LIMIT = tuple(edge(503, "EDGE-092", kind, kind, scope="some", minutes=5) for kind in ("LimitExceeded", "CapacityExceeded"))
SETTINGS = tuple(
    edge(status, "EDGE-093", detail, scope="client", ask=Ask(methods=(method,)))
    for status, detail, method in (
        (403, "ClientGeoBlocked", "GET"),
        (403, "InvalidRequestMethod", "DELETE"),
        (403, "InvalidRequestBlocked", "GET"),
        (400, "InvalidRequest", "GET"),
        (400, "InvalidRequestHeader", "GET"),
        (421, "InvalidRequestCertificate", "GET"),
    )
)
LEFT = tuple(edge(0, "EDGE-094", detail, seconds=(0.4, 8.0), scope="client") for detail in ("ClientCommError", "ClientHungUpRequest"))


def origin(status: int) -> Fault:
    """The application behind CloudFront answers with the status."""
    return answered(status, codes=RELAYED, ask=GET)


GATEWAY: dict[str, tuple[tuple[tuple[str, int], ...], str]] = {
    "101": ((("WAF_FILTERED", 403),), "WAF filtered the request"),
    "102": ((("MISSING_AUTHENTICATION_TOKEN", 403),), "no such path or method"),
    "103": ((("ACCESS_DENIED", 403),), "a policy denies it"),
    "104": ((("INVALID_API_KEY", 403), ("INVALID_SIGNATURE", 403), ("EXPIRED_TOKEN", 403)), "the key or signature is not valid"),
    "105": ((("UNAUTHORIZED", 401),), "the token is missing or not valid"),
    "106": ((("AUTHORIZER_FAILURE", 500), ("AUTHORIZER_CONFIGURATION_ERROR", 500)), "the authorizer failed"),
    "107": ((("BAD_REQUEST_PARAMETERS", 400), ("BAD_REQUEST_BODY", 400)), "the request does not fit its model"),
    "108": (
        (("REQUEST_TOO_LARGE", 413), ("UNSUPPORTED_MEDIA_TYPE", 415), ("RESOURCE_NOT_FOUND", 404)),
        "size, type or resource of the request",
    ),
    "109": ((("THROTTLED", 429), ("QUOTA_EXCEEDED", 429)), "the request is throttled"),
    "110": ((("INTEGRATION_TIMEOUT", 504),), "the integration is too slow"),
    "111": ((("INTEGRATION_FAILURE", 504),), "the integration cannot be reached"),
    "112": ((("API_CONFIGURATION_ERROR", 500),), "the API is configured wrongly"),
}
MESSAGES = {
    "WAF_FILTERED": "Forbidden",
    "MISSING_AUTHENTICATION_TOKEN": "Missing Authentication Token",
    "ACCESS_DENIED": "User is not authorized to access this resource",
    "INVALID_API_KEY": "Forbidden",
    "INVALID_SIGNATURE": "The request signature we calculated does not match the signature you provided.",
    "EXPIRED_TOKEN": "The security token included in the request is expired",
    "UNAUTHORIZED": "Unauthorized",
    "BAD_REQUEST_PARAMETERS": "Missing required request parameters: [from]",
    "BAD_REQUEST_BODY": "Invalid request body",
    "REQUEST_TOO_LARGE": "Request Too Long",
    "UNSUPPORTED_MEDIA_TYPE": "Unsupported Media Type",
    "RESOURCE_NOT_FOUND": "Not Found",
    "THROTTLED": "Too Many Requests",
    "QUOTA_EXCEEDED": "Limit Exceeded",
    "INTEGRATION_TIMEOUT": "Endpoint request timed out",
    "INTEGRATION_FAILURE": "Network error communicating with endpoint",
}
STEPS = {
    "INTEGRATION_TIMEOUT": "Execution failed due to a timeout error",
    "INTEGRATION_FAILURE": "Execution failed due to an internal error",
    "API_CONFIGURATION_ERROR": "Execution failed due to configuration error: Invalid permissions on Lambda function",
    "AUTHORIZER_FAILURE": "Execution failed due to authorizer error",
    "AUTHORIZER_CONFIGURATION_ERROR": "Execution failed due to configuration error: Invalid JSON in response: authorizer",
    "UNAUTHORIZED": "Unauthorized request: the identity source is missing or not valid",
}


def gateway(number: str) -> tuple[Fault, ...]:
    """API Gateway makes the answer, one trouble for each type of response."""
    found = []
    for kind, status in GATEWAY[number][0]:
        told = {"error.responseType": kind, "error.message": MESSAGES.get(kind, "Internal server error")}
        if kind.startswith("BAD_REQUEST"):
            told["error.validationErrorString"] = "[required property 'from' is missing]"
        if kind == "WAF_FILTERED":
            told["wafResponseCode"] = "WAF_BLOCK"
        slow = kind == "INTEGRATION_TIMEOUT"
        said = (Said("execution", STEPS[kind]),) if kind in STEPS else ()
        seconds, inside = ((29.0, 29.04), {"lambda": (None, 30.0)}) if slow else ((0.004, 0.05), {})
        found.append(
            Fault("apigateway", status, (f"EDGE-{number}",), seconds=seconds, inside=inside, said=said, fields={"apigateway": told})
        )
    return tuple(found)


def backend(status: int) -> Fault:
    """The function behind API Gateway answers with the status."""
    return Fault(
        "lambda", status, ("EDGE-001", "EDGE-008"), seconds=(0.03, 0.4), said=(Said("lambda", "[WARNING]\t{when}\t{id}\trefused {path}"),)
    )


MALFORMED = Fault(
    "apigateway",
    502,
    ("EDGE-113",),
    seconds=(0.2, 0.6),
    inside={"lambda": (None, 0.15)},
    said=(Said("execution", "Execution failed due to configuration error: Malformed Lambda proxy response"),),
    fields={"apigateway": {"error.message": "Internal server error", "integrationStatus": "200", "integrationLatency": "151"}},
    true=("EDGE-112",),
)
CLASSIC_EMPTY = Fault("clb", 503, ("EDGE-083",), scope="all", settings={"health": "out", "check": "none"})
CLASSIC_SLOW = Fault(
    "clb",
    504,
    ("EDGE-041", "EDGE-083"),
    seconds=(60.0, 60.003),
    fields={"clb": {"target": "yes"}},
    inside={"nginx": (499, 60.001), "gunicorn": (200, 77.0)},
    said=(Said("application", "slow query 76100ms: SELECT ... FROM {app}_orders", after=76.2, level="warning"),),
)
CLASSIC_CLIENT = Fault("clb", 408, ("EDGE-083",), seconds=(60.0, 60.2), ask=Ask(methods=("POST",), agent="program"), scope="client")
HANDSHAKES = tuple(
    Fault(
        "alb",
        0,
        ("EDGE-159",),
        seconds=(0.01, 0.02),
        fields={"alb": {"verify": f"Failed:{reason}"}},
        inside={"alb": (None, 0.012)},
        settings={"mutual": "verify"},
        ask=Ask(agent="program"),
        scope="client",
        complaint="connect",
        metrics=("ClientTLSNegotiationErrorCount",),
    )
    for reason in (
        "ClientCertExpired",
        "ClientCertUntrusted",
        "ClientCertNotYetValid",
        "ClientCertCrlHit",
        "ClientCertMaxChainDepthExceeded",
        "ClientCertTypeUnsupported",
    )
)
HELD = answered(403, settings={"mutual": "verify"}, ask=Ask(agent="program"), scope="client")
WAF_GONE: tuple[Log, ...] = ("waf", *LOGS_OF["alb"])

ROWS: tuple[Cause, ...] = (
    cause("002", "WAF answered", BEHIND_ALB, (CUSTOM, CUSTOM_STATUS), (answered(403), answered(429)), without=("waf",), decides=("waf",)),
    cause("022", "a rule of the web ACL blocked the request", BEHIND_ALB, (CUSTOM,), answered(403), without=("waf",), decides=("waf",)),
    cause(
        "083",
        "a Classic Load Balancer without healthy instances, or a timeout of one",
        ("clb-nginx",),
        (CLASSIC_EMPTY, CLASSIC_SLOW, CLASSIC_CLIENT),
        (answered(503), answered(504)),
        without=("clb", "nginx", "gunicorn_access", "application", "gunicorn", "syslog", "nginx_error"),
        decides=("clb",),
    ),
    cause(
        "084",
        "WAF asked a puzzle, or challenged in silence",
        BEHIND_ALB,
        (CAPTCHA, CHALLENGE),
        answered(405),
        without=WAF_GONE,
        decides=("waf", "alb"),
    ),
    cause(
        "096",
        "a managed rule trips over a legitimate request",
        BEHIND_ALB,
        (SIZE, SCRIPT),
        answered(403, ask=LARGE),
        without=("waf",),
        decides=("waf",),
    ),
    cause("097", "a rate-based rule", BEHIND_ALB, RATE, answered(403), without=("waf",), decides=("waf",)),
    cause(
        "098", "a body beyond the limit of inspection", BEHIND_ALB, OVERSIZE, answered(403, ask=LARGE), without=("waf",), decides=("waf",)
    ),
    cause("099", "country, address or default action", BEHIND_ALB, (DEFAULT, GEO), answered(403), without=("waf",), decides=("waf",)),
    cause("100", "WAF blocked, and its log is not there", BEHIND_ALB, NO_ROW, answered(403), without=("waf",), decides=("waf",)),
    cause("085", "CloudFront serves an error from its cache", CDN_SITES, CACHED, (origin(404), origin(503))),
    cause(
        "086",
        "the origin behind CloudFront answered",
        CDN_SITES,
        (origin(500), origin(404)),
        CACHED,
        without=("cloudfront", "alb", "nginx", "nginx_error", "gunicorn_access", "application", "metrics"),
        decides=("cloudfront", "alb"),
        layer="gunicorn",
    ),
    cause("087", "the origin's name does not resolve", CDN_SITES, DNS, origin(502)),
    cause("088", "CloudFront cannot connect to the origin", CDN_SITES, CONNECT, origin(502)),
    cause(
        "089",
        "the origin is too slow for CloudFront",
        CDN_SITES,
        COMM,
        origin(504),
        without=("cloudfront", "alb", "metrics", "nginx", "gunicorn_access", "application"),
    ),
    cause("090", "the origin's answer is broken", CDN_SITES, BROKEN, origin(502)),
    cause("091", "a function at the edge failed", CDN_SITES, AT_EDGE, origin(503)),
    cause("092", "a quota or the capacity of CloudFront", CDN_SITES, LIMIT, origin(503)),
    cause("093", "settings of the distribution reject the request", CDN_SITES, SETTINGS, (origin(403), origin(400))),
    cause("094", "the viewer left", CDN_SITES, LEFT, origin(500)),
    *(cause(number, GATEWAY[number][1], API_SITES, gateway(number), backend(GATEWAY[number][0][0][1])) for number in GATEWAY),
    cause("113", "the function's answer has not the shape of a proxy's", API_SITES, MALFORMED, backend(502)),
    cause("159", "the client's certificate is refused", BEHIND_ALB, HANDSHAKES, HELD, without=("connection",), decides=("connection",)),
)
