"""Why a load balancer could not use a Lambda target: its ``error_reason``, as data.

Follows "Error reason codes" of "Access logs for your Application Load Balancer" and "Lambda functions as targets" in the Elastic Load
Balancing user guide.
"""

from __future__ import annotations

from kyumei.edge.sign import Fix, Sign

USER, INTERNAL = "LambdaUserError", "LambdaInternalError"
_CHECK = "`aws lambda invoke` with an event of the load balancer's shape succeeds, and the same request gets the function's own status."
_CONFIGURATION = "aws lambda get-function-configuration --function-name <FUNCTION>"
_LOG = "aws logs tail /aws/lambda/<FUNCTION> --since <START>"


def _sign(code: str, layer: str, cause: str, says: str, *commands: str, metric: str = USER) -> Sign:
    return Sign(code, layer, cause, (Fix(says, commands),), _CHECK, (metric,))


REASONS: dict[tuple[str, ...], Sign] = {
    ("LambdaAccessDenied",): _sign(
        "EDGE-062",
        "lambda",
        "the function's policy does not let the load balancer invoke it ({reason})",
        "Allow it, for this target group only.",
        (
            "aws lambda add-permission --function-name <FUNCTION> --statement-id load-balancer --action lambda:InvokeFunction "
            "--principal elasticloadbalancing.amazonaws.com --source-arn {group_arn}"
        ),
        "aws lambda get-policy --function-name <FUNCTION>",
    ),
    ("LambdaInvalidResponse",): _sign(
        "EDGE-063",
        "lambda",
        "what the function returned is not an answer: statusCode is missing, or a part has the wrong type ({reason})",
        "Return statusCode (a number), headers (an object), body (a text) and isBase64Encoded.",
        _LOG,
    ),
    ("LambdaUnhandled",): _sign(
        "EDGE-064",
        "lambda",
        "the function raised an error, timed out or crashed ({reason})",
        "Find its error in the function's log at that second.",
        _LOG,
        _CONFIGURATION,
    ),
    ("LambdaThrottling",): _sign(
        "EDGE-065",
        "lambda",
        "the function had no free concurrency ({reason})",
        "Raise its reserved concurrency, or the account's limit; shorten what it does.",
        "aws lambda get-function-concurrency --function-name <FUNCTION>",
        "aws lambda get-account-settings",
    ),
    ("LambdaRequestTooLarge",): _sign(
        "EDGE-066",
        "client",
        "the request's body is larger than the 1 MB that a Lambda target takes ({reason})",
        "Let the client upload to S3 by a presigned URL, or put API Gateway (10 MB) or a function URL (6 MB) in front.",
    ),
    ("LambdaResponseTooLarge",): _sign(
        "EDGE-066",
        "lambda",
        "the function's answer is larger than the 1 MB that the load balancer takes from it ({reason})",
        "Let the function put large answers into S3 and redirect to them.",
        _LOG,
    ),
    ("LambdaResourceNotFound",): _sign(
        "EDGE-067",
        "lambda",
        "the function, version or alias that the target group names does not exist ({reason})",
        "Register the function that exists now.",
        "aws elbv2 describe-target-health --target-group-arn {group_arn}",
        "aws elbv2 register-targets --target-group-arn {group_arn} --targets Id=<FUNCTION_ARN>",
    ),
    ("LambdaBadRequest",): _sign(
        "EDGE-068",
        "client",
        "the request's headers or body are not UTF-8 ({reason})",
        "Let the client send UTF-8.",
    ),
    (
        "LambdaKMSAccessDenied",
        "LambdaKMSAccessDeniedException",
        "LambdaKMSDisabledException",
        "LambdaKMSInvalidStateException",
        "LambdaKMSNotFoundException",
    ): _sign(
        "EDGE-069",
        "lambda",
        "the key of the function's environment variables cannot be used ({reason})",
        "Mend the key's state, or its policy for the function's role.",
        "aws kms describe-key --key-id <KEY>",
        "aws kms enable-key --key-id <KEY>",
    ),
    (
        "LambdaEC2AccessDeniedException",
        "LambdaEC2ThrottledException",
        "LambdaEC2UnexpectedException",
        "LambdaENILimitReachedException",
        "LambdaSubnetIPAddressLimitReachedException",
        "LambdaInvalidSubnetIDException",
        "LambdaInvalidSecurityGroupIDException",
    ): _sign(
        "EDGE-070",
        "lambda",
        "the function could not be attached to its VPC ({reason})",
        (
            "Mend what the reason names: the role's EC2 permissions, the limit of network interfaces, free addresses in "
            "the subnets, or their ids."
        ),
        _CONFIGURATION,
    ),
    ("LambdaInvalidRuntimeException", "LambdaInvalidZipFileException"): _sign(
        "EDGE-071",
        "lambda",
        "the function's package or runtime is not usable ({reason})",
        "Deploy the function anew with a runtime that is supported.",
        _CONFIGURATION,
    ),
    ("LambdaConnectionError", "LambdaConnectionTimeout", "LambdaServiceException", "LambdaUnhandledException"): _sign(
        "EDGE-072",
        "alb",
        "the load balancer could not use the Lambda service ({reason})",
        "Try again, and look at the AWS Health Dashboard for the Region.",
        "aws health describe-events --filter services=LAMBDA,ELASTICLOADBALANCING",
        metric=INTERNAL,
    ),
    ("LambdaWebsocketNotSupported",): _sign(
        "EDGE-073",
        "client",
        "the client asked for a websocket, which a Lambda target cannot do ({reason})",
        "Send websockets to another target group, or use an API Gateway WebSocket API.",
    ),
}
BY_REASON = {reason: sign for reasons, sign in REASONS.items() for reason in reasons}
UNRUN = frozenset({"EDGE-062", "EDGE-065", "EDGE-067", "EDGE-069", "EDGE-070", "EDGE-071", "EDGE-072"})
"""Causes that keep the function from running at all: a REPORT line of it excludes them."""
OTHER = _sign("EDGE-006", "lambda", "its call of the Lambda function failed ({reason})", "Read the function's log and configuration.", _LOG)
ANSWERED = Sign(
    "EDGE-008",
    "lambda",
    "its target is a Lambda function, which returned this status itself",
    (Fix("Look at why the function returned it, in its own log.", (_LOG,)),),
    "The same request gets another status from the function.",
    ("HTTPCode_Target_5XX_Count",),
)
SIGNS = tuple({sign.code: sign for sign in (*REASONS.values(), OTHER, ANSWERED)}.values())


def sign_of(reason: str) -> Sign:
    """The row of an error reason; names differ in their endings between the API's and the log's spelling."""
    if reason in BY_REASON:
        return BY_REASON[reason]
    bare = reason.removesuffix("Exception")
    return next((sign for known, sign in BY_REASON.items() if known.removesuffix("Exception") == bare), OTHER)
