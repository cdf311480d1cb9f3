"""Which kind of answer a text of API Gateway's means, and which a response type: the kinds are those of ``responses``.

Follows "Gateway response types for API Gateway" and "Troubleshooting issues with HTTP API Lambda integrations" in the API Gateway Developer
Guide, and "Lambda function scaling" in the AWS Lambda Developer Guide.
"""

from __future__ import annotations

import re

from kyumei.edge.gateway.responses import BY_KIND

UNTOLD = frozenset({"", "-", "DEFAULT_4XX", "DEFAULT_5XX", "INTERNAL_SERVER_ERROR"})
"""What stands for the response type where it names no cause."""
TEXTS: tuple[tuple[str, str], ...] = (
    (
        r"invocation failed with status: 429|(?:configuration|following) error: (?:TooManyRequestsException: )?Rate [Ee]xceeded(?! for )",
        "FUNCTION_THROTTLED",
    ),
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
