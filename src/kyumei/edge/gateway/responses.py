"""The answers that API Gateway makes itself, as data: each kind with its cause, where that lies, and what mends it (EDGE-101 to EDGE-113).

A kind is a gateway response type as the access log names it (``$context.error.responseType``), or one of five that have no type of their
own and show in what API Gateway says: MALFORMED, FUNCTION_ERROR, FUNCTION_THROTTLED, NOT_PERMITTED and INVALID_PERMISSIONS.

Follows "Gateway response types for API Gateway", "Troubleshooting issues with HTTP API Lambda integrations" and "Quotas for configuring and
running a REST API" in the API Gateway Developer Guide.
"""

from __future__ import annotations

from typing import NamedTuple

from kyumei.edge.sign import Fix


class Response(NamedTuple):
    """One kind of answer. Names in braces ({api}, {stage}, {the_function}, ...) in its texts are filled in from the records.

    ``early`` says that API Gateway answers so before it calls the integration: an execution log without a call then agrees.
    """

    kind: str
    code: str
    status: int
    layer: str
    cause: str
    fixes: tuple[Fix, ...]
    early: bool = True


_DEPLOY = "aws apigateway create-deployment --rest-api-id {api} --stage-name {stage}"
_METHOD = "aws apigateway get-method --rest-api-id {api} --resource-id <RESOURCE_ID> --http-method {method}"
_RESOURCES = "aws apigateway get-resources --rest-api-id {api} --embed methods"
_AUTHORIZERS = "aws apigateway get-authorizers --rest-api-id {api}"
_USAGE_PLANS = "aws apigateway get-usage-plans"
_INTEGRATION = "aws apigateway get-integration --rest-api-id {api} --resource-id <RESOURCE_ID> --http-method {method}"
_LOG = "aws logs tail /aws/lambda/{function} --since 1h --filter-pattern ERROR"
_POLICY = "aws lambda get-policy --function-name {function}"
_PERMIT = (
    "aws lambda add-permission --function-name {function} --statement-id api-gateway --action lambda:InvokeFunction "
    "--principal apigateway.amazonaws.com --source-arn {source_arn}"
)
_TEST = "aws apigateway test-invoke-method --rest-api-id {api} --resource-id <RESOURCE_ID> --http-method {method}"


def _fix(says: str, *commands: str) -> tuple[Fix, ...]:
    return (Fix(says, commands),)


_WRONG_PATH = _fix(
    "Let the client ask for the path, method and stage that are deployed; if the method was added lately, deploy the stage anew; if it is "
    "signed with IAM, sign the request.",
    _RESOURCES,
    _DEPLOY,
)
_PERMISSION = _fix("Let this API, and no other, invoke the function.", _PERMIT, _POLICY)

RESPONSES: tuple[Response, ...] = (
    Response(
        "WAF_FILTERED",
        "EDGE-101",
        403,
        "waf",
        "the web ACL of stage {stage} blocked the request",
        _fix(
            "Find in the WAF log which rule blocked it, and make the narrowest exception to that rule; API Gateway needs no change.",
            "aws apigateway get-stage --rest-api-id {api} --stage-name {stage} --query webAclArn",
            "aws wafv2 get-web-acl-for-resource --resource-arn {stage_arn}",
        ),
    ),
    Response(
        "MISSING_AUTHENTICATION_TOKEN",
        "EDGE-102",
        403,
        "apigateway",
        "stage {stage} has no such path and method, or the method wants a signed request; no token is missing otherwise",
        _WRONG_PATH,
    ),
    Response(
        "ACCESS_DENIED",
        "EDGE-103",
        403,
        "apigateway",
        "a policy denies it: the authorizer's, the API's own resource policy, or that of the VPC endpoint of a private API",
        _fix(
            "Find the policy that denies, and allow this caller for this method alone; an authorizer whose answers are cached must "
            "return a policy that holds for every method.",
            "aws apigateway get-rest-api --rest-api-id {api} --query policy",
            _AUTHORIZERS,
            "aws apigateway flush-stage-authorizers-cache --rest-api-id {api} --stage-name {stage}",
        ),
    ),
    Response(
        "INVALID_API_KEY",
        "EDGE-104",
        403,
        "client",
        "the API key is missing, unknown or disabled, or in no usage plan of stage {stage}",
        _fix(
            "Send a key that is enabled and in a usage plan of this stage.",
            "aws apigateway get-api-keys --include-values",
            _USAGE_PLANS,
            "aws apigateway create-usage-plan-key --usage-plan-id <PLAN_ID> --key-type API_KEY --key-id <KEY_ID>",
        ),
    ),
    Response(
        "INVALID_SIGNATURE",
        "EDGE-104",
        403,
        "client",
        "the signature (SigV4) of the request does not fit it: another secret key, Region, host or body, or a clock that is wrong",
        _fix("Sign for service execute-api in the API's Region, with the clock set by NTP.", "aws sts get-caller-identity"),
    ),
    Response(
        "EXPIRED_TOKEN",
        "EDGE-104",
        403,
        "client",
        "the credentials or the token that the request carries have expired",
        _fix("Let the client fetch new credentials before the old ones expire.", "aws sts get-caller-identity"),
    ),
    Response(
        "UNAUTHORIZED",
        "EDGE-105",
        401,
        "client",
        "the identity source of the authorizer (mostly the Authorization header) is missing, or its token is not valid",
        _fix(
            "Send the header that the authorizer names, with a token of the right issuer and audience that has not expired.",
            _AUTHORIZERS,
            "aws apigateway test-invoke-authorizer --rest-api-id {api} --authorizer-id <AUTHORIZER_ID> --headers Authorization=<TOKEN>",
        ),
    ),
    Response(
        "AUTHORIZER_FAILURE",
        "EDGE-106",
        500,
        "lambda",
        "the authorizer failed: its function raised an error, timed out, or returned no valid policy",
        _fix(
            "Read the log of the authorizer's function at that second, and mend its error.",
            _AUTHORIZERS,
            "aws logs tail /aws/lambda/<AUTHORIZER_FUNCTION> --since 1h",
        ),
    ),
    Response(
        "AUTHORIZER_CONFIGURATION_ERROR",
        "EDGE-106",
        500,
        "apigateway",
        "the authorizer cannot be called, or what it returned cannot be read",
        _fix(
            "Let API Gateway invoke the authorizer's function, and let that return a policy with principalId and policyDocument.",
            _AUTHORIZERS,
            "aws lambda add-permission --function-name <AUTHORIZER_FUNCTION> --statement-id api-gateway-authorizer --action "
            "lambda:InvokeFunction --principal apigateway.amazonaws.com --source-arn {authorizer_arn}",
        ),
    ),
    Response(
        "BAD_REQUEST_PARAMETERS",
        "EDGE-107",
        400,
        "client",
        "the request validator misses a parameter that the method requires",
        _fix("Send the parameter, or make it optional in the method.", _METHOD, _DEPLOY),
    ),
    Response(
        "BAD_REQUEST_BODY",
        "EDGE-107",
        400,
        "client",
        "the request's body does not fit the model of the method",
        _fix("Send a body that fits the model, or mend the model.", _METHOD, "aws apigateway get-models --rest-api-id {api}", _DEPLOY),
    ),
    Response(
        "REQUEST_TOO_LARGE",
        "EDGE-108",
        413,
        "client",
        "the request is larger than the 10 MB that API Gateway takes",
        _fix("Let the client upload to S3 by a presigned URL.", "aws s3 presign s3://<BUCKET>/<KEY>"),
    ),
    Response(
        "UNSUPPORTED_MEDIA_TYPE",
        "EDGE-108",
        415,
        "client",
        "the integration has no mapping template for the request's content type, and passes none through",
        _fix(
            "Send a content type that the integration maps, or set its passthrough behavior to WHEN_NO_MATCH.",
            _INTEGRATION,
            "aws apigateway update-integration --rest-api-id {api} --resource-id <RESOURCE_ID> --http-method {method} --patch-operations "
            "op=replace,path=/passthroughBehavior,value=WHEN_NO_MATCH",
            _DEPLOY,
        ),
    ),
    Response(
        "RESOURCE_NOT_FOUND",
        "EDGE-108",
        404,
        "apigateway",
        "the API has no such resource or route",
        _fix("Ask for a route that there is, or add it.", _RESOURCES, "aws apigatewayv2 get-routes --api-id {api}"),
    ),
    Response(
        "THROTTLED",
        "EDGE-109",
        429,
        "apigateway",
        "more requests came than the limits of account, stage, method or usage plan let pass",
        _fix(
            "Let clients retry with growing pauses; if the traffic is wanted, raise the limit that was met.",
            "aws apigateway get-stage --rest-api-id {api} --stage-name {stage} --query methodSettings",
            _USAGE_PLANS,
            "aws apigateway get-account --query throttleSettings",
            "aws apigateway update-stage --rest-api-id {api} --stage-name {stage} --patch-operations "
            "op=replace,path=/*/*/throttling/rateLimit,value=<RATE> op=replace,path=/*/*/throttling/burstLimit,value=<BURST>",
        ),
    ),
    Response(
        "QUOTA_EXCEEDED",
        "EDGE-109",
        429,
        "client",
        "the key has used up the quota of its usage plan",
        _fix(
            "Raise the quota, or grant this key more for the running period.",
            _USAGE_PLANS,
            "aws apigateway get-usage --usage-plan-id <PLAN_ID> --start-date <DATE> --end-date <DATE>",
            "aws apigateway update-usage --usage-plan-id <PLAN_ID> --key-id <KEY_ID> --patch-operations "
            "op=replace,path=/remaining,value=<N>",
        ),
    ),
    Response(
        "INTEGRATION_TIMEOUT",
        "EDGE-110",
        504,
        "target",
        "the integration did not answer within its time limit (29 s where nothing else is set)",
        _fix(
            "Make the integration faster, or answer at once and let it work on by a queue; of a Regional or private API the limit can be "
            "raised.",
            _LOG,
            _INTEGRATION,
            "aws apigateway update-integration --rest-api-id {api} --resource-id <RESOURCE_ID> --http-method {method} --patch-operations "
            "op=replace,path=/timeoutInMillis,value=<MILLISECONDS>",
        ),
        early=False,
    ),
    Response(
        "INTEGRATION_FAILURE",
        "EDGE-111",
        504,
        "target",
        "the integration could not be reached",
        _fix(
            "Check the endpoint's name, certificate and port; behind a VPC link, that the link is available and its balancer has healthy "
            "targets.",
            _INTEGRATION,
            "aws apigateway get-vpc-links",
            "aws elbv2 describe-target-health --target-group-arn <TARGET_GROUP_ARN>",
            _TEST,
        ),
        early=False,
    ),
    Response(
        "API_CONFIGURATION_ERROR",
        "EDGE-112",
        500,
        "apigateway",
        "the API is configured wrongly: endpoint, mapping, binary media types, or the permission to call the integration",
        _fix("Mend what the execution log names, try it, and deploy.", _INTEGRATION, _TEST, _DEPLOY),
        early=False,
    ),
    Response(
        "INVALID_PERMISSIONS",
        "EDGE-112",
        500,
        "apigateway",
        "API Gateway may not invoke {the_function}: its policy has no permission for this API",
        _PERMISSION,
        early=False,
    ),
    Response(
        "NOT_PERMITTED",
        "EDGE-113",
        500,
        "apigateway",
        "API Gateway may not invoke {the_function}: its policy, or the integration's role, has no permission for this API",
        _PERMISSION,
        early=False,
    ),
    Response(
        "MALFORMED",
        "EDGE-113",
        502,
        "lambda",
        "what {the_function} returned is no answer of a Lambda proxy integration",
        _fix(
            "Return statusCode (a number), headers (an object), body (a text) and isBase64Encoded, and no other keys.",
            "aws lambda invoke --function-name {function} --payload file://event.json answer.json",
            _LOG,
        ),
        early=False,
    ),
    Response(
        "FUNCTION_ERROR",
        "EDGE-113",
        502,
        "lambda",
        "{the_function} raised an error or timed out, so that it returned no answer",
        _fix(
            "Mend the error in the function's log at that second.",
            _LOG,
            "aws lambda get-function-configuration --function-name {function}",
        ),
        early=False,
    ),
    Response(
        "FUNCTION_THROTTLED",
        "EDGE-113",
        500,
        "lambda",
        "Lambda refused to run {the_function}, because as many runs as it or its account may have were under way (throttling)",
        _fix(
            "See what the concurrency of the function is limited to: give it more reserved concurrency (0 switches it off), let the runs "
            "end sooner, or have the account's limit raised; let clients retry with growing pauses.",
            "aws lambda get-function-concurrency --function-name {function}",
            "aws lambda get-account-settings --query AccountLimit",
            "aws lambda put-function-concurrency --function-name {function} --reserved-concurrent-executions <NUMBER>",
        ),
        early=False,
    ),
)
BY_KIND = {one.kind: one for one in RESPONSES}
