"""What CloudFront's result types mean, as data: one row for each kind of answer that CloudFront makes itself (EDGE-085, 087 to 094).

The log gives three: ``x-edge-response-result-type`` just before the response went out, ``x-edge-result-type`` after its last byte, and
``x-edge-detailed-result-type``, which names the kind of error. Follows "Standard logging reference" and "Troubleshooting error responses
from your origin" in the Amazon CloudFront Developer Guide.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from kyumei.edge.sign import Fix, Sign
from kyumei.model.status import FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "AWS/CloudFront"
LEFT = frozenset({"ClientCommError", "ClientHungUpRequest", "SlowReaderOriginError"})
"""Detailed types that say that the viewer went away."""
GENERATED = frozenset({"MissGeneratedResponse", "FunctionGeneratedResponse"})
"""A function at the edge made the response, as it was written to: no failure of the function."""


class Family(StrEnum):
    """What kept the answer from coming: each is confirmed and excluded in its own way."""

    CACHED = "cached"
    UNRESOLVED = "unresolved"
    UNCONNECTED = "unconnected"
    UNANSWERED = "unanswered"
    BROKEN = "broken"
    FUNCTION = "function"
    LIMIT = "limit"
    SETTING = "setting"
    LEFT = "left"


class Outcome(NamedTuple):
    """One row: the result types that say it (detailed or plain), what it means, its sign. ``statuses`` narrow it where they are given."""

    results: frozenset[str]
    family: Family
    sign: Sign
    statuses: frozenset[int] = frozenset()


CONFIG = "aws cloudfront get-distribution-config --id {distribution}"
UPDATE = "aws cloudfront update-distribution --id {distribution} --if-match <ETAG> --distribution-config file://config.json"
PREFIX_LIST = "com.amazonaws.global.cloudfront.origin-facing"
_ALLOW = (
    "aws ec2 authorize-security-group-ingress --group-id <ORIGIN_SECURITY_GROUP> --ip-permissions "
    "'IpProtocol=tcp,FromPort=443,ToPort=443,PrefixListIds=[{PrefixListId=<PREFIX_LIST_ID>}]'"
)
_BETWEEN = "--start-time <MS> --end-time <MS>"
_AGAIN = "The same request from the same edge location logs Miss, then Hit, with a 2xx status."
_ARRIVES = "The same request logs Miss with a 2xx status, and the origin's own log has it."


def _sign(code: str, layer: str, cause: str, fixes: tuple[Fix, ...], check: str, *metrics: str) -> Sign:
    return Sign(code, layer, cause, fixes, check, metrics, NAMESPACE)


def _setting(code_word: str, cause: str, fix: str) -> Outcome:
    return Outcome(
        frozenset({code_word}),
        Family.SETTING,
        _sign("EDGE-093", "cloudfront", cause, (Fix(fix, (CONFIG, UPDATE)),), _ARRIVES, "4xxErrorRate"),
    )


def _broken(kind: str, cause: str, fix: str) -> Outcome:
    look = "curl -sS -v -o /dev/null --resolve {host}:443:<ORIGIN_IP> {url}"
    return Outcome(
        frozenset({kind}),
        Family.BROKEN,
        _sign("EDGE-090", "target", cause, (Fix(fix, (look,)),), _ARRIVES, "5xxErrorRate"),
    )


_CACHED = _sign(
    "EDGE-085",
    "cloudfront",
    "an error that CloudFront keeps in its cache, without asking the origin for this request",
    (
        Fix(
            "Take the error out of the cache, once the origin answers well.",
            ("aws cloudfront create-invalidation --distribution-id {distribution} --paths {path}",),
        ),
        Fix(
            (
                "Keep errors for a shorter time: lower ErrorCachingMinTTL of status {status} in CustomErrorResponses (10 s unless set); "
                "let the origin send no Cache-Control or Expires with an error that lasts longer."
            ),
            (CONFIG, UPDATE),
        ),
    ),
    _AGAIN,
)
_DNS = _sign(
    "EDGE-087",
    "network",
    "the name of its origin {origin} does not resolve in public DNS",
    (
        Fix(
            "Restore the record of the origin's name in the public zone; CloudFront does not see private zones.",
            ("dig +short {origin} @1.1.1.1", "aws route53 list-resource-record-sets --hosted-zone-id <PUBLIC_ZONE_ID>"),
        ),
        Fix("If the origin has another name now: change DomainName of the origin in the distribution.", (CONFIG, UPDATE)),
    ),
    _ARRIVES,
    "502ErrorRate",
    "5xxErrorRate",
)
_CONNECT = _sign(
    "EDGE-088",
    "network",
    "it could not open a connection to its origin {origin}{how}",
    (
        Fix(
            f"Let CloudFront in: the origin's security group must allow the port from the managed prefix list {PREFIX_LIST}.",
            (
                f"aws ec2 describe-managed-prefix-lists --filters Name=prefix-list-name,Values={PREFIX_LIST}",
                _ALLOW,
            ),
        ),
        Fix(
            (
                "Make its certificate one that CloudFront takes: not expired, from a public authority, with its whole chain, and for the "
                "origin's domain name or the Host header that is handed on. A load balancer's default name can have no such certificate."
            ),
            ("openssl s_client -connect {origin}:443 -servername {server_name} -showcerts </dev/null",),
        ),
        Fix("If the origin listens on another port or speaks plain HTTP: change the origin's port or protocol policy.", (CONFIG, UPDATE)),
    ),
    _ARRIVES,
    "502ErrorRate",
    "5xxErrorRate",
)
_SLOW = _sign(
    "EDGE-089",
    "network",
    "it gave up waiting for its origin {origin}{how}",
    (
        Fix(
            "If the origin is slow: find in its own log what this path waits for, and make it faster; or raise OriginReadTimeout above the "
            "path's 99th percentile.",
            (CONFIG, UPDATE),
        ),
        Fix(
            f"If connections are swallowed: allow the port from the managed prefix list {PREFIX_LIST} in the origin's security group and "
            "network ACL.",
            (f"aws ec2 describe-managed-prefix-lists --filters Name=prefix-list-name,Values={PREFIX_LIST}",),
        ),
    ),
    _ARRIVES,
    "504ErrorRate",
    "OriginLatency",
)
_FUNCTION_LOGS = (
    'aws lambda list-functions --region us-east-1 --query "Functions[].FunctionName"',
    f"aws logs filter-log-events --region <REGION_NEAREST_TO_{{edge}}> --log-group-name /aws/lambda/us-east-1.{{function}} {_BETWEEN}",
)
_INVALID = _sign(
    "EDGE-091",
    "lambda",
    "the function at the edge {function} returned what CloudFront cannot use (malformed, too large, or with a header that it may not set)",
    (Fix("Mend the object that the function returns; its log lies in the Region nearest to the viewer.", _FUNCTION_LOGS),),
    "LambdaValidationError stays at zero, and the same request logs a 2xx status.",
    "LambdaValidationError",
)
_THREW = _sign(
    "EDGE-091",
    "lambda",
    "the function at the edge {function} failed: it threw, took too long, or was throttled",
    (
        Fix("Mend the error that the function's log shows; it lies in the Region nearest to the viewer.", _FUNCTION_LOGS),
        Fix(
            "If it was throttled: ask for more concurrent executions in the Regions of the viewers, or do the work in fewer requests.",
            ("aws service-quotas get-service-quota --service-code lambda --quota-code L-B99A9384 --region <REGION>",),
        ),
    ),
    "LambdaExecutionError and LambdaLimitExceededError stay at zero, and the same request logs a 2xx status.",
    "LambdaExecutionError",
    "LambdaLimitExceededError",
)
_FUNCTION_THREW = _sign(
    "EDGE-091",
    "lambda",
    "the CloudFront function {function} failed: it threw or used more than its share of time",
    (
        Fix(
            "Mend the function; its log lies in us-east-1.",
            (f"aws logs filter-log-events --region us-east-1 --log-group-name /aws/cloudfront/function/{{function}} {_BETWEEN}",),
        ),
    ),
    "FunctionExecutionErrors and FunctionThrottles stay at zero, and the same request logs a 2xx status.",
    "FunctionExecutionErrors",
    "FunctionValidationErrors",
    "FunctionThrottles",
)
_QUOTA = _sign(
    "EDGE-092",
    "cloudfront",
    "the requests went over a quota of CloudFront",
    (
        Fix(
            "If the traffic is wanted: ask for a higher quota of requests and data for the distribution.",
            ("aws service-quotas list-service-quotas --service-code cloudfront --region us-east-1",),
        ),
        Fix("If it is a load test or an attack: slow it down, or stop it with a rate-based rule of AWS WAF."),
    ),
    "The same traffic logs no LimitExceeded for two hours of its usual peak.",
    "Requests",
    "5xxErrorRate",
)
_CAPACITY = _sign(
    "EDGE-092",
    "cloudfront",
    "the edge location {edge} had no capacity left",
    (
        Fix("Try again: it passes, and other edge locations are not touched. A load test must not come from one place."),
        Fix("If it stays, open a case with AWS Support and name the edge location and the request ids."),
    ),
    "The same traffic logs no CapacityExceeded for two hours of its usual peak.",
    "5xxErrorRate",
)
_VIEWER = _sign(
    "EDGE-094",
    "client",
    "the viewer closed the connection after {seconds} s, before the response was there",
    (
        Fix("Nothing is broken at the server side. If the page feels slow to people, make it faster."),
        Fix("If it is a program: raise its timeout above what the path takes."),
    ),
    "The share of requests for the path that end so falls.",
)

UNSIGNED = Outcome(
    frozenset(),
    Family.SETTING,
    _sign(
        "EDGE-093",
        "cloudfront",
        "the path is for signed URLs and signed cookies only, and the signed URL {what}",
        (
            Fix(
                "Let the application sign anew for whoever may have the object, and for longer than people keep the page open: the time "
                "must not have passed when a download begins, nor when its parts are asked for."
            ),
            Fix("Look at the clock of the host that signs, and whether a cache keeps pages with signed URLs longer than these are good."),
        ),
        "The same path with a newly signed URL logs a 2xx status.",
        "4xxErrorRate",
    ),
)
"""A signed URL that was not good any more, or not yet; no result type names it."""
OUTCOMES = (
    Outcome(frozenset({"Hit", "RefreshHit", "OriginShieldHit"}), Family.CACHED, _CACHED),
    Outcome(frozenset({"OriginDnsError"}), Family.UNRESOLVED, _DNS),
    Outcome(frozenset({"OriginConnectError"}), Family.UNCONNECTED, _CONNECT),
    Outcome(frozenset({"OriginCommError"}), Family.UNANSWERED, _SLOW),
    _broken(
        "OriginReadError", "its origin {origin} closed the connection in the middle of the response", "Find why the origin breaks off."
    ),
    _broken(
        "OriginWriteError",
        "its origin {origin} closed the connection while it still sent the request",
        "Find why the origin does not read the whole request: a limit on its size, or a connection that it closes sooner than CloudFront.",
    ),
    _broken("AbortedOrigin", "its origin {origin} broke off the exchange", "Find in the origin's log why it ended the exchange."),
    _broken("OriginError", "its origin {origin} gave a wrong response", "Look at the response as the origin sends it."),
    _broken(
        "OriginInvalidResponseError",
        "the response of its origin {origin} is no valid HTTP",
        "Look at status line, headers and framing (Content-Length beside Transfer-Encoding) as the origin sends them.",
    ),
    _broken(
        "OriginHeaderTooBigError",
        "a header in the response of its origin {origin} is too large for CloudFront",
        "Make the header smaller at the origin: cookies and policies are what grows.",
    ),
    _broken(
        "OriginContentRangeLengthError",
        "Content-Length in the response of its origin {origin} does not fit Content-Range",
        "Mend how the origin answers range requests, or do not let CloudFront ask for ranges.",
    ),
    _broken(
        "OriginZeroSizeObjectError",
        "its origin {origin} sent an object of no size",
        "Look at the response as the origin sends it: a deploy may have left empty files.",
    ),
    Outcome(frozenset({"LambdaExecutionError", "LambdaValidationError"}), Family.FUNCTION, _INVALID, frozenset({502})),
    Outcome(frozenset({"LambdaExecutionError", "LambdaValidationError", "LambdaLimitExceeded"}), Family.FUNCTION, _THREW),
    Outcome(frozenset({"FunctionExecutionError", "FunctionThrottledError"}), Family.FUNCTION, _FUNCTION_THREW),
    Outcome(frozenset({"LimitExceeded"}), Family.LIMIT, _QUOTA),
    Outcome(frozenset({"CapacityExceeded"}), Family.LIMIT, _CAPACITY),
    _setting(
        "ClientGeoBlocked",
        "the distribution refuses requests from the viewer's country{what}",
        "If the country should be served: change GeoRestriction of the distribution, and only that.",
    ),
    _setting(
        "InvalidRequestMethod",
        "the distribution does not take {method} there{what}",
        "Let the cache behavior of the path take the method: AllowedMethods GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE.",
    ),
    _setting(
        "InvalidRequestBlocked",
        "the distribution blocks the request{what}",
        "Find what blocks it: a web ACL, signed URLs that the behavior asks for, or a function at the edge.",
    ),
    _setting("InvalidRequest", "CloudFront takes the request for invalid{what}", "Mend the request: see what the client sends."),
    _setting("InvalidRequestHeader", "a header of the request is not valid{what}", "Mend the header that the client sends."),
    _setting(
        "InvalidRequestCertificate",
        "the name that was asked for does not belong to the certificate of the connection{what}",
        "Add the name to the distribution and to its certificate; or let the client open a connection of its own for each name.",
    ),
    Outcome(LEFT, Family.LEFT, _VIEWER),
)


def outcome_of(row: Mapping[str, object]) -> Outcome | None:
    """What a row of ``cloudfront_access`` says CloudFront did by itself; null where it handed on, or does not say.

    The detailed type decides where it says more than the plain one.
    """
    if left_early(row):
        return OUTCOMES[-1]
    status = row.get("status")
    if not isinstance(status, int) or status < FAILED or status > 599:  # noqa: PLR2004 - the last status
        return None
    for told in (row.get("edge_detailed_result_type"), row.get("edge_result_type")):
        for outcome in OUTCOMES[:-1]:
            if told in outcome.results and (not outcome.statuses or status in outcome.statuses):
                return outcome
    return None


def left_early(row: Mapping[str, object]) -> bool:
    """Whether the viewer went away: no status at all, or an error after the response had begun as none (EDGE-094).

    A response that was an error already before it went out stays one, whatever the viewer did then.
    """
    if not row.get("status"):
        return True
    before = row.get("edge_response_result_type")
    told = row.get("edge_detailed_result_type") in LEFT or row.get("edge_result_type") == "Error"
    return told and before is not None and before != "Error"
