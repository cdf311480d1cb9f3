"""Requests that a load balancer turns away before any target sees them: its own statuses and desync classes, as data.

Follows "HTTP 400" to "HTTP 561" of "Troubleshoot your Application Load Balancers", "Classification reasons" of "Access logs for your
Application Load Balancer" and "Desync mitigation mode" in the Elastic Load Balancing user guide.
"""

from __future__ import annotations

from kyumei.edge.sign import Fix, Sign

DESYNC_MODE = "routing.http.desync_mitigation_mode"
STOPPED = {
    "monitor": frozenset[str](),
    "defensive": frozenset({"Severe"}),
    "strictest": frozenset({"Severe", "Ambiguous", "Acceptable"}),
}
"""The classes that each mode of desync mitigation turns away; defensive is the default."""
HEADER_BYTES = 16 * 1024
"""The most that one header, or the request line, may hold; all headers together may hold 64 KB."""
BODY_BYTES = 1_000_000
"""The most that the body of a request to a Lambda target may hold."""
_FEW_4XX = ("HTTPCode_ELB_4XX_Count",)
_AGAIN = "The same client's request for the same URI gets the target's own status."


def _sign(  # noqa: PLR0913 - a row of a table
    code: str, layer: str, cause: str, says: str, *commands: str, check: str = _AGAIN, metrics: tuple[str, ...] = _FEW_4XX
) -> Sign:
    return Sign(code, layer, cause, (Fix(says, commands),), check, metrics)


MALFORMED = _sign(
    "EDGE-020",
    "client",
    "the request was malformed, its headers were too large (16 KB for one line, 64 KB in all), or the client gave up in the middle of it",
    "Let the client send well-formed HTTP with smaller headers; most often it is the cookies.",
    "curl -sv -o /dev/null {url}",
)
BEFORE_RULES = _sign(
    "EDGE-007",
    "client",
    "it turned the request away before any listener rule looked at it",
    "Look at what the client sends: request line, headers, protocol.",
    "aws elbv2 describe-load-balancer-attributes --load-balancer-arn {elb_arn}",
)
DESYNC = Sign(
    "EDGE-077",
    "client",
    "desync mitigation stopped it: {classification}, {classification_reason}",
    (
        Fix("Mend the client's HTTP: one Content-Length or one Transfer-Encoding, no stray characters in headers and URI."),
        Fix(
            "Only while a client of your own is being mended: let such requests pass. That lets request smuggling pass, too.",
            (
                (
                    "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {elb_arn} --attributes "
                    "Key=routing.http.desync_mitigation_mode,Value=monitor"
                ),
            ),
        ),
    ),
    "The same client's requests are classified Acceptable, or not at all, and get the target's own status.",
    ("DesyncMitigationMode_NonCompliant_Request_Count", *_FEW_4XX),
)
TRANSFORM = _sign(
    "EDGE-076",
    "alb",
    "the listener rule's rewrite of host or URL failed: {transform_status}",
    "Mend the regular expression or the replacement of the rule's transform.",
    "aws elbv2 describe-rules --listener-arn <LISTENER_ARN> --query 'Rules[].[Priority,Transforms]'",
    "aws elbv2 modify-rule --rule-arn <RULE_ARN> --transforms <TRANSFORMS>",
    check="The same request logs TransformSuccess.",
)
EVALUATION = _sign(
    "EDGE-158",
    "alb",
    "its listener rules could not be evaluated (matched_rule_priority -1)",
    "Look at the listener's rules and at what was changed last; write the rule anew.",
    "aws elbv2 describe-rules --listener-arn <LISTENER_ARN>",
    "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=ModifyRule",
    check="The same request logs the priority of the rule that should take it.",
)
FELL_THROUGH = _sign(
    "EDGE-158",
    "alb",
    "the listener rule {former} that used to take such requests no longer does: they fell through to the default action",
    "Restore the rule as it was before the change.",
    "aws elbv2 describe-rules --listener-arn <LISTENER_ARN>",
    "aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceType,AttributeValue=AWS::ElasticLoadBalancingV2::ListenerRule",
    "aws elbv2 create-rule --listener-arn <LISTENER_ARN> --priority {former} --conditions <CONDITIONS> "
    "--actions Type=forward,TargetGroupArn={former_group}",
    check="The same request logs the old rule's priority again, and `forward`.",
)
COOKIE = _sign(
    "EDGE-074",
    "client",
    "the cookie for weighted target groups cannot be used ({reason}): something on the way changed or URL-encoded it",
    "Let the client send AWSALBTG cookies back exactly as it got them, or drop them.",
)
WEIGHTS = _sign(
    "EDGE-074",
    "alb",
    "the load balancer itself failed at choosing one of the weighted target groups ({reason})",
    "Try again; if it lasts, open a case with AWS Support with the trace ids.",
    metrics=("HTTPCode_ELB_5XX_Count",),
)
BY_STATUS = {
    0: _sign(
        "EDGE-042",
        "client",
        "one HTTP/2 connection carried more than 10,000 requests and was recycled (status 000)",
        "Nothing to mend: let the client open a new connection and try again, as HTTP/2 asks of it.",
    ),
    400: MALFORMED,
    405: _sign(
        "EDGE-023",
        "client",
        "the method is TRACE, which a load balancer never takes",
        "Mend or block the client; scanners send this.",
    ),
    408: _sign(
        "EDGE-024",
        "client",
        "the client opened a request and sent nothing more for the idle timeout",
        "Let the client send at least a byte within each idle timeout; TCP keep-alive does not count.",
        "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {elb_arn} --attributes Key=idle_timeout.timeout_seconds,Value=<N>",
    ),
    413: _sign(
        "EDGE-025",
        "client",
        "the request is too large: over 1 MB for a Lambda target, or headers over the limit",
        "Upload to S3 by a presigned URL, or put API Gateway (10 MB) or a function URL (6 MB) in front of the function.",
    ),
    414: _sign(
        "EDGE-026",
        "client",
        "the URL or its query string is too long (16 KB)",
        "Let the client send the data in the body.",
    ),
    463: _sign(
        "EDGE-031",
        "client",
        "X-Forwarded-For holds more than 30 addresses: proxies in a loop, or a long chain of them",
        "Break the loop: let each proxy pass a request on only once. Or let the load balancer drop the header.",
        (
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {elb_arn} --attributes "
            "Key=routing.http.xff_header_processing.mode,Value=remove"
        ),
    ),
    464: _sign(
        "EDGE-032",
        "alb",
        "the request's protocol ({protocol}) does not fit the protocol version of the target group",
        "Make a target group with the right protocol version (it cannot be changed in place), and let the rule forward to it.",
        "aws elbv2 describe-target-groups --query 'TargetGroups[].[TargetGroupName,ProtocolVersion]'",
        "aws elbv2 create-target-group --name <NAME> --protocol HTTP --protocol-version <HTTP1|HTTP2|GRPC> --port {port} --vpc-id <VPC>",
    ),
    501: _sign(
        "EDGE-034",
        "client",
        "the request's Transfer-Encoding is neither chunked nor identity, or a websocket met a target group that cannot take it",
        "Let the client compress with Content-Encoding; give websockets a target group of their own.",
        metrics=("HTTPCode_ELB_5XX_Count",),
    ),
    505: _sign(
        "EDGE-042",
        "client",
        "the request's HTTP version is not one that it speaks",
        "Let the client speak HTTP/1.1 or HTTP/2.",
        metrics=("HTTPCode_ELB_5XX_Count",),
    ),
    507: _sign(
        "EDGE-042",
        "alb",
        "the URL of its redirect is too long",
        "Shorten the template of the redirect action.",
        "aws elbv2 describe-rules --listener-arn <LISTENER_ARN>",
        metrics=("HTTPCode_ELB_5XX_Count",),
    ),
}
OTHER_PROTOCOL = BY_STATUS[464]._replace(
    layer="client",
    fixes=(
        Fix("Let this client speak {spoken}, as those do that the same target group answers."),
        Fix(
            "Or give what comes by {protocol} a listener rule of its own and a target group that takes it.",
            ("aws elbv2 create-target-group --name <NAME> --protocol HTTP --protocol-version HTTP1 --port <PORT> --vpc-id <VPC>",),
        ),
    ),
)
"""A group that answers others: its protocol version is the one that is meant, and the client's is not."""
SIGNS = tuple({sign.code: sign for sign in (*BY_STATUS.values(), BEFORE_RULES, DESYNC, TRANSFORM, EVALUATION, COOKIE)}.values())
