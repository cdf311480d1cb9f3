"""The answers that API Gateway makes itself, as data: each kind with its cause, where that lies, and what mends it (EDGE-101 to EDGE-113).

A kind is a gateway response type as the access log names it (``$context.error.responseType``), or one of four that have no type of their
own and show in what API Gateway says: MALFORMED, FUNCTION_ERROR, NOT_PERMITTED and INVALID_PERMISSIONS.

Follows "Gateway response types for API Gateway", "Troubleshooting issues with HTTP API Lambda integrations" and "Quotas for configuring and
running a REST API" in the API Gateway Developer Guide.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kyumei.edge.sign import Fix

UNTOLD = frozenset({"", "-", "DEFAULT_4XX", "DEFAULT_5XX", "INTERNAL_SERVER_ERROR"})
"""What stands for the response type where it names no cause."""


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
)
BY_KIND = {one.kind: one for one in RESPONSES}

TEXTS: tuple[tuple[str, str], ...] = (
    (r"Lambda execution failed with status 2[0-9]{2} due to customer function error", "FUNCTION_ERROR"),
    (r"Malformed Lambda proxy response|doesn['\u2019]t match the format that API Gateway expects", "MALFORMED"),
    (r"permissions? to call the authorizer", "AUTHORIZER_CONFIGURATION_ERROR"),
    (r"permissions? to call the integration", "NOT_PERMITTED"),
    (r"configuration error: [^\n]{0,200}[Aa]uthorizer", "AUTHORIZER_CONFIGURATION_ERROR"),
    (r"Invalid permissions on Lambda function", "INVALID_PERMISSIONS"),
    (r"due to a timeout error|Endpoint request timed out|[Ii]ntegration (?:request )?timed out", "INTEGRATION_TIMEOUT"),
    (r"Network error communicating with endpoint|failed due to a network error", "INTEGRATION_FAILURE"),
    (r"Execution failed due to configuration error|Invalid mapping expression", "API_CONFIGURATION_ERROR"),
    (r"due to (?:an )?authorizer error|Authorizer error", "AUTHORIZER_FAILURE"),
    (
        r"\bexplicit deny\b|client is not authorized to perform|not authorized to (?:access this resource|perform: execute-api)",
        "ACCESS_DENIED",
    ),
    (r"requires API Key (?:and|but)|Invalid API Key", "INVALID_API_KEY"),
    (r"request signature we calculated does not match", "INVALID_SIGNATURE"),
    (r"security token included in the request is expired", "EXPIRED_TOKEN"),
    (r"Unauthorized request|^Unauthorized$|^The incoming token has expired$", "UNAUTHORIZED"),
    (r"[Qq]uota limit exceeded|^Limit Exceeded$|[Ee]xceeded quota limit", "QUOTA_EXCEEDED"),
    (r"throttle limit exceeded|^Too Many Requests$|[Ee]xceeded throttle limit|^Rate [Ee]xceeded", "THROTTLED"),
    (r"does not match model schema|^Invalid request body", "BAD_REQUEST_BODY"),
    (r"Missing required request parameters", "BAD_REQUEST_PARAMETERS"),
    (r"^Missing Authentication Token$", "MISSING_AUTHENTICATION_TOKEN"),
    (r"^Unsupported Media Type$", "UNSUPPORTED_MEDIA_TYPE"),
    (r"^Request (?:Entity )?Too (?:Long|Large)$", "REQUEST_TOO_LARGE"),
)
"""What API Gateway says in its logs and in the body of an answer, and the kind that it means; the more telling first.

``Forbidden`` and ``Internal server error`` it says of several kinds, so that they tell nothing.
"""
_COMPILED = tuple((re.compile(pattern), kind) for pattern, kind in TEXTS)
LOOSE = {"INTEGRATION_FAILURE": re.compile(r"Execution failed due to an internal error")}
"""What agrees with a kind that something else names, but does not name it."""
LONGEST = 2000
"""Characters of a text that are looked at."""


def kind_of_text(text: str | None) -> str | None:
    """The kind that a text of API Gateway's means; null where it tells none.

    >>> kind_of_text("Execution failed due to a timeout error")
    'INTEGRATION_TIMEOUT'
    """
    if not text:
        return None
    return next((kind for pattern, kind in _COMPILED if pattern.search(text[:LONGEST])), None)


def kind_of_type(response_type: str | None) -> str | None:
    """The kind that a response type names; null for one that names no cause or is not known."""
    return response_type if response_type in BY_KIND and response_type not in UNTOLD else None


def agrees(text: str | None, kind: str) -> bool:
    """Whether a text of API Gateway's speaks of a kind, or of another one with the same cause."""
    found = kind_of_text(text)
    if found is not None:
        return BY_KIND[found].code == BY_KIND[kind].code
    return bool(text and kind in LOOSE and LOOSE[kind].search(text[:LONGEST]))
