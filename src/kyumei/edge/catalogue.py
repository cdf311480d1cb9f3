"""Ids of failures between the browser and the application, each in plain words, with what would prove it.

Ids are given once and never reused. Data only: which rule names an id, ``Rule.codes`` says. Follows the user guides of Elastic Load
Balancing, AWS WAF, Amazon CloudFront and Amazon API Gateway, and the messages of nginx, Apache httpd and gunicorn.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What an id is about.

    CAUSE: a finding can name it. PATTERN: how the records of such a failure look; it is told together with the cause behind it.
    WARNING: a trap of clocks, told beside every verdict that it could spoil. CLUE: it tells what stands where, and is no failure.
    """

    CAUSE = "cause"
    PATTERN = "pattern"
    WARNING = "warning"
    CLUE = "clue"


class Known(NamedTuple):
    """One id: what fails, and what kyumei would need to see, besides the record that shows it, to call it proven."""

    code: str
    title: str
    proof: str
    kind: Kind = Kind.CAUSE


class Family(NamedTuple):
    """Ids that are proven alike: number to title."""

    proof: str
    titles: dict[int, str]
    kind: Kind = Kind.CAUSE


FAMILIES = (
    Family(
        "The log of the target, or of a web server in front of it, with the same request and status.",
        {1: "The target answered, and what stands in front relayed it"},
    ),
    Family(
        "The target group's type (describe-target-groups), and the function's own log of the same second.",
        {8: "The Lambda function behind the load balancer returned the failure itself"},
    ),
    Family(
        "The WAF log's record of the same request (its request id is the load balancer's trace id), and the web ACL that shows the rule.",
        {
            22: "A rule of the web ACL blocked the request",
            84: "WAF answered with a CAPTCHA or challenge that the client did not solve",
            96: "A managed rule of WAF took a legitimate request for an attack",
            97: "A rate-based rule of WAF stopped a client, or all behind one address",
            98: "WAF took a body, header or cookies beyond what it inspects for a match",
            99: "WAF blocked by country, by address, or because its default is to block",
        },
    ),
    Family(
        "The WAF log of the minutes in question, or its logging configuration (get-logging-configuration).",
        {2: "The load balancer's row says that WAF answered", 100: "WAF blocked the request, and its log does not have it"},
        Kind.PATTERN,
    ),
    Family(
        "The listener's rules (describe-rules), where the rule of the row's priority acts so; for a change, CloudTrail's record of it.",
        {
            3: "A listener rule answered with a fixed response",
            4: "A listener rule redirects, to the same address for a loop",
            158: "A listener rule could not be evaluated, or is gone, so that the default action took its requests",
        },
    ),
    Family(
        "The load balancer's metric of failed log-ins in the same minutes, the listener rule's log-in action, or the provider's own log.",
        {
            5: "The load balancer's log-in or token check failed for a reason of its own",
            21: "The load balancer lets nobody in who is not logged in",
            43: "The identity provider answered the load balancer with an error",
            44: "The log-in cookie cannot be used",
            45: "The identity provider did not take the authorization code",
            46: "The ID token is not valid",
            47: "The client came back from the log-in with a wrong state, or none",
            48: "The identity provider's token or user answer cannot be read",
            49: "The client came back from the log-in without a code",
            50: "The client came back from the log-in without a Host header",
            51: "The identity provider's token or user endpoint refused the load balancer",
            52: "The identity provider's token or user endpoint did not answer in time",
            53: "The user's claims are larger than the load balancer takes",
            54: "The load balancer's log-in failed inside of AWS",
        },
    ),
    Family(
        "The metric JWTValidationFailureCount in the same minutes, and the listener rule's token settings beside the token or key set.",
        {
            55: "The request brings no bearer token, a broken one, or several",
            56: "The token's signature does not fit the key set",
            57: "A claim of the token is missing or has a wrong value",
            58: "The key set's endpoint did not answer in time",
            59: "The key set's endpoint answered an error, or no key set",
            60: "The key set is too large",
            61: "The token check failed inside of AWS",
        },
    ),
    Family(
        "LambdaUserError or LambdaInternalError in the same minutes, or the function's own log: a run that failed, or no run at all.",
        {
            6: "The load balancer's call of the Lambda function failed for another reason",
            62: "The function's policy does not let the load balancer call it",
            63: "The function's answer is not what a load balancer can use",
            64: "The function raised an error, ran out of time or crashed",
            65: "The function was throttled",
            66: "The body to or from the function is larger than 1 MB",
            67: "The function, its version or its alias is not there any more",
            68: "The request is not UTF-8, which a function needs",
            69: "The key of the function's environment cannot be used",
            70: "The function's network in the VPC could not be set up",
            71: "The function's package or runtime cannot be used",
            72: "The function could not be called for an error inside of AWS",
            73: "A WebSocket was opened to a function",
        },
    ),
    Family(
        "The metric of the load balancer's own answers with that status in the same minutes, and its attributes where a setting decides.",
        {
            7: "The load balancer turned the request away before any listener rule",
            20: "The request is malformed, its headers are too long, or the client broke it off",
            23: "The method is TRACE, which the load balancer never takes",
            24: "The client was silent for the idle timeout before its request was complete",
            25: "The request is larger than a Lambda target takes, or its headers are too long",
            26: "The URL is longer than the load balancer takes",
            31: "X-Forwarded-For holds more than 30 addresses",
            32: "The request's protocol does not fit the target group's",
            34: "The transfer encoding is one that the load balancer does not take",
            42: "HTTP version, redirect address or requests on one connection beyond what the load balancer takes",
            74: "The cookie of weighted target groups is damaged, or their choice failed",
            76: "A rewrite of the URL or host by a listener rule failed",
            77: "Desync mitigation stopped a request that two servers could read differently",
        },
    ),
    Family(
        "The metric HTTPCode_ELB_500_Count in the same minutes, or the WAF log without the requests.",
        {33: "The load balancer failed itself at log-in, token check or WAF", 75: "The load balancer could not reach AWS WAF"},
    ),
    Family(
        "The client's own time limit, or many rows of it that end after the same time, beside answers of the same path that take longer.",
        {10: "The client left before the answer", 30: "The client's time limit is shorter than the answer takes"},
    ),
    Family(
        "The line of the server behind in the same second, which says that it refused the headers.",
        {27: "The application server refused headers beyond its limits"},
    ),
    Family(
        "A metric of the target group, the targets' health, or a log of the target that tells the same of the same target and second.",
        {
            35: "Nothing takes connections on the target's port, or its TLS fails",
            36: "The target closes idle connections sooner than the load balancer does",
            37: "The target died, or was stopped, while it worked on the request",
            38: "The target's answer is malformed, or its headers are too large",
            39: "The target group has no target that could be used",
            40: "The target does not answer connections: packets are dropped",
            41: "The target is slower than the load balancer waits",
        },
    ),
    Family(
        "The cause behind it, which is named with what proves it.",
        {
            9: "The load balancer made a 5xx while it dealt with a target",
            11: "The target answered one status and the client got another",
            12: "Times of -1 -1 -1 and 502: no connection to the target",
            13: "Times of -1 -1 -1, 504 after ten seconds: no answer to the connection",
            14: "A target time of almost nothing and 502: the connection closed at once",
            15: "A target time of the idle timeout and 504: the target kept silent",
            16: "A target time below the idle timeout and 502: the target died at work",
            17: "The load balancer never handed the request on",
            154: "The application has no line of the request, since its worker ended before it could write one",
        },
        Kind.PATTERN,
    ),
    Family(
        "The target's own log, with a shorter time for the same request.",
        {18: "The client sends its request slowly", 19: "The client takes its answer slowly"},
    ),
    Family(
        "The targets' health (describe-target-health), and the health check log or the target's own log of the checks.",
        {
            78: "Health checks get no answer in time",
            79: "Health checks are refused or reset",
            80: "Health checks get another status than they should",
            81: "Targets are registered and not in use",
            82: "Targets are still starting, draining or not checked",
        },
    ),
    Family(
        "The Classic Load Balancer's metrics (SpilloverCount, HealthyHostCount), or the log of the instance.",
        {83: "A Classic Load Balancer has no healthy instance, a full queue, or one that is too slow"},
    ),
    Family(
        "The load balancer's connection log, and the metric ClientTLSNegotiationErrorCount.",
        {159: "The TLS handshake failed, or the client's certificate was refused"},
    ),
    Family(
        "The origin's log of the same second: a record says that the origin answered, none (while it was on) that it was never asked.",
        {
            85: "CloudFront serves a failure from its cache",
            86: "The origin answered, and CloudFront relayed it",
            87: "The origin's name does not resolve",
            88: "CloudFront cannot connect to the origin, or not by TLS",
            89: "The origin does not answer CloudFront in time",
            90: "The origin's answer is broken or breaks off",
            91: "A function at CloudFront's edge failed",
            92: "A quota or the capacity of CloudFront is reached",
            93: "Settings of the distribution turn the request away",
            94: "The viewer left before CloudFront's answer",
        },
    ),
    Family(
        "API Gateway's access log with the response type, and the execution log of the same request id.",
        {
            101: "WAF stopped the request in front of API Gateway",
            102: "The API has no such path, method or stage",
            103: "An authorizer or a policy of the API denies the request",
            104: "The API key, signature or token of the request is not valid",
            105: "The request brings no token, or one that is not valid",
            106: "The authorizer of the API failed",
            107: "The request does not fit the API's model",
            108: "The API does not take the request's size, media type or resource",
            109: "The API's throttle or quota is reached",
            110: "The integration behind the API is too slow",
            111: "The integration behind the API cannot be reached",
            112: "The API's integration is configured wrongly",
            113: "The function behind the API failed, or its answer has not the shape of a proxy's",
        },
    ),
    Family(
        "nginx's error line of the same request beside its access record, and a log of the server behind it.",
        {
            114: "Nothing takes connections behind nginx",
            115: "The socket behind nginx is not there",
            116: "nginx may not use the connection to the server behind it",
            117: "The queue of the server behind nginx is full",
            118: "The server behind nginx does not answer connections",
            119: "The server behind nginx is slower than nginx waits",
            128: "The server behind nginx closed the connection without an answer",
            129: "The server behind nginx reset the connection",
            130: "nginx has given up all servers behind it",
            131: "The answer's headers are larger than nginx's buffer",
            132: "The server behind nginx speaks another protocol",
            133: "TLS between nginx and the server behind it fails",
            142: "nginx cannot resolve the name of the server behind it",
        },
    ),
    Family(
        "nginx's error line of the same request beside its access record, and the line of nginx's configuration or the file's rights.",
        {
            95: "The body is larger than nginx allows",
            134: "A directory has no index file",
            135: "nginx may not read the file, or cannot write its own",
            136: "The file is not there",
            137: "A rule of nginx denies the request",
            138: "nginx has no file descriptors left",
            139: "nginx has no connections left",
            140: "nginx limits the rate of requests or connections",
            141: "nginx redirects inside until it gives up",
            143: "Plain HTTP was sent to nginx's HTTPS port",
        },
    ),
    Family("The kernel's log, which says who ended the process.", {144: "A worker of nginx crashed or was killed"}),
    Family(
        "Apache's error line of the same request beside its access record, and a log of the application behind it.",
        {
            145: "Apache cannot connect to the application",
            146: "Apache got no whole answer from the application",
            147: "Apache's configuration denies the request",
            148: "Apache has no workers left",
            149: "Apache finds no index or may not read, redirects inside without end, or its FastCGI application failed",
        },
    ),
    Family(
        "A second log that tells of the same second: the web server's error line, the load balancer's times, or the kernel's log.",
        {
            150: "A worker of the application server was silent for too long and was ended",
            151: "A worker of the application server was killed for lack of memory",
            152: "The application does not start",
            153: "A worker of the application server crashed or was stopped",
        },
    ),
    Family(
        "Requests that stand in two logs, which show the difference between their clocks.",
        {
            120: "AWS writes UTC, and was read in another zone",
            121: "A log writes no zone",
            122: "A log's time is that of the end of the request",
            123: "A log's time is that of the request's arrival",
            124: "Clocks were changed by an hour for summer or winter time",
            125: "A clock or its zone is off by whole hours or quarters of one",
            126: "A clock is off by seconds or minutes",
            127: "A log writes no year, or day and month in an order that is not known",
        },
        Kind.WARNING,
    ),
    Family(
        "The network interfaces of the addresses in question (describe-network-interfaces).",
        {
            155: "Private clients in a web server's log: something stands in front of it",
            156: "Addresses of CloudFront in a load balancer's log: CloudFront stands in front of it",
            157: "The load balancer's log does not hold X-Forwarded-For, so that it cannot tell clients behind a proxy apart",
        },
        Kind.CLUE,
    ),
)

KNOWN: dict[str, Known] = {
    f"EDGE-{number:03d}": Known(f"EDGE-{number:03d}", title, family.proof, family.kind)
    for number, title, family in sorted(
        ((number, title, family) for family in FAMILIES for number, title in family.titles.items()), key=lambda row: row[0]
    )
}
"""Every id, in order."""
