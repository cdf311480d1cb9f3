"""Why a load balancer's log-in or token check answered itself: its ``error_reason``, as data.

Follows "Error reason codes" of "Access logs for your Application Load Balancer", "Authenticate users" and "Verify JWTs" in the Elastic Load
Balancing user guide.
"""

from __future__ import annotations

from kyumei.edge.sign import Fix, Sign

FAILURE, ERROR, JWT = "ELBAuthFailure", "ELBAuthError", "JWTValidationFailureCount"
_CHECK = "A fresh log-in logs `authenticate,forward` with a target status, and the metric is back where it was."
_CHECKED = "A request with a good token logs `jwt-validation,forward` with a target status."
_RULES = "aws elbv2 describe-rules --listener-arn <LISTENER_ARN>"
_EGRESS = (
    "aws ec2 authorize-security-group-egress --group-id <LOAD_BALANCER_SECURITY_GROUP> "
    "--ip-permissions IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=0.0.0.0/0}]"
)


def _login(code: str, layer: str, cause: str, says: str, *commands: str, metric: str = FAILURE) -> Sign:
    return Sign(code, layer, cause, (Fix(says, commands),), _CHECK, (metric,))


def _token(code: str, layer: str, cause: str, says: str, *commands: str) -> Sign:
    return Sign(code, layer, cause, (Fix(says, commands),), _CHECKED, (JWT,))


IDENTITY = "identity provider"
REASONS: dict[tuple[str, ...], Sign] = {
    ("AuthInvalidCookie",): _login(
        "EDGE-044",
        "client",
        "the log-in cookie that the client sent is not usable ({reason})",
        "Let the client drop its cookies for the site; after a change of the client secret or the cookie's name all have to log in anew.",
    ),
    ("AuthInvalidGrantError",): _login(
        "EDGE-045",
        IDENTITY,
        "the identity provider did not take the authorization code ({reason})",
        "Compare client id, client secret and redirect URI of the listener rule with the provider's; a code used twice "
        "(a reloaded page) is "
        "refused, too.",
        _RULES,
    ),
    ("AuthInvalidIdToken",): _login(
        "EDGE-046",
        IDENTITY,
        "the identity provider's ID token is not valid ({reason})",
        "Compare the rule's issuer with the token's, ask for the scope openid, and look at the provider's clock and signing keys.",
        _RULES,
    ),
    ("AuthInvalidStateParam", "AuthMissingStateParam"): _login(
        "EDGE-047",
        "client",
        "the client came back from its log-in with a wrong state, or none ({reason})",
        "Let users start at a page and not at a bookmark of /oauth2/idpresponse; see that nothing on the way strips the cookie.",
    ),
    ("AuthInvalidTokenResponse", "AuthInvalidUserinfoResponse"): _login(
        "EDGE-048",
        IDENTITY,
        "the identity provider's answer cannot be read ({reason})",
        "Compare what its token and userinfo endpoints answer with OpenID Connect.",
        "curl -sS <TOKEN_ENDPOINT>",
        "curl -sS -H 'Authorization: Bearer <TOKEN>' <USERINFO_ENDPOINT>",
    ),
    ("AuthMissingCodeParam",): _login(
        "EDGE-049",
        IDENTITY,
        "the client came back from its log-in without an authorization code ({reason})",
        "Read the provider's sign-in log: it sent the client back with an error.",
    ),
    ("AuthMissingHostHeader",): _login(
        "EDGE-050",
        "client",
        "the client's request has no Host header ({reason})",
        "Let the client speak HTTP/1.1 or newer.",
        metric=ERROR,
    ),
    ("AuthTokenEpRequestFailed", "AuthUserinfoEpRequestFailed"): _login(
        "EDGE-051",
        IDENTITY,
        "the identity provider answered the load balancer with an error ({reason})",
        "Look at the provider's status page and sign-in log, and at the client secret of the listener rule.",
        _RULES,
        metric=ERROR,
    ),
    ("AuthTokenEpRequestTimeout", "AuthUserinfoEpRequestTimeout"): _login(
        "EDGE-052",
        IDENTITY,
        "the identity provider could not be reached from the load balancer, or took longer than five seconds ({reason})",
        "Let the load balancer out on port 443; an internal one needs a NAT gateway; the provider's name must be in public DNS.",
        _EGRESS,
        "dig +short <TOKEN_ENDPOINT_HOST>",
        metric=ERROR,
    ),
    ("AuthUserinfoResponseSizeExceeded",): _login(
        "EDGE-053",
        IDENTITY,
        "the identity provider's claims about the user are larger than 11 KB ({reason})",
        "Let the provider send fewer claims; most often it is the list of groups.",
        metric="ELBAuthUserClaimsSizeExceeded",
    ),
    ("AuthUnhandledException",): _login(
        "EDGE-054",
        "alb",
        "the load balancer itself failed at the log-in ({reason})",
        "Try again; if it lasts, open a case with AWS Support with the trace ids.",
        metric=ERROR,
    ),
    ("JWTHeaderNotPresent", "JWTRequestFormatInvalid"): _token(
        "EDGE-055",
        "client",
        "the client sent no bearer token, or not exactly one ({reason})",
        "Let the client send one header `Authorization: Bearer <TOKEN>`.",
    ),
    ("JWTSignatureValidationError",): _token(
        "EDGE-056",
        "client",
        "the token's signature does not fit the keys of the rule ({reason})",
        "Compare the token's `kid` and algorithm (only RS256) with the key set: keys were rotated, or the token is forged.",
        "curl -sS <JWKS_ENDPOINT>",
    ),
    ("JWTClaimNotPresent", "JWTClaimFormatInvalid", "JWTClaimValueInvalid"): _token(
        "EDGE-057",
        IDENTITY,
        "the token's claims are not those that the listener rule asks for ({reason})",
        "Compare the token's iss, exp, nbf and iat with the rule; renew a token that has expired.",
        _RULES,
    ),
    ("JWKSRequestTimeout",): _token(
        "EDGE-058",
        IDENTITY,
        "the key set could not be fetched within five seconds ({reason})",
        "Let the load balancer out on port 443, and look at whether the key set's endpoint answers.",
        _EGRESS,
        "curl -sS -o /dev/null -w '%{http_code} %{time_total}\\n' <JWKS_ENDPOINT>",
    ),
    ("JWKSRequestFailed", "JWKSResponseInvalid"): _token(
        "EDGE-059",
        IDENTITY,
        "the endpoint of the key set answered with an error, or with no valid key set ({reason})",
        "Mend the endpoint: status 200, valid JSON, RSA keys of 2048 bits.",
        "curl -sS -D - <JWKS_ENDPOINT>",
    ),
    ("JWKSResponseSizeExceeded",): _token(
        "EDGE-060",
        IDENTITY,
        "the key set is larger than 150 KB, or has more than ten keys ({reason})",
        "Take old keys out of the key set.",
        "curl -sS <JWKS_ENDPOINT> | wc -c",
    ),
    ("JWTValidationInternalError",): _token(
        "EDGE-061",
        "alb",
        "the load balancer itself failed at checking the token ({reason})",
        "Try again; if it lasts, open a case with AWS Support with the trace ids.",
    ),
}
BY_REASON = {reason: sign for reasons, sign in REASONS.items() for reason in reasons}
DENIED = Sign(
    "EDGE-021",
    "alb",
    "its listener rule turns away clients that have not logged in",
    (
        Fix(
            "If clients should be sent to the log-in instead: let the rule do that; scripts that call an API want a rule of their own.",
            (_RULES, "aws elbv2 modify-rule --rule-arn <RULE_ARN> --actions <ACTIONS WITH OnUnauthenticatedRequest=authenticate>"),
        ),
    ),
    _CHECK,
    (FAILURE,),
)
UNREACHED = Sign(
    "EDGE-033",
    IDENTITY,
    "its log-in check failed: the identity provider or the key set could not be used",
    (Fix("Let the load balancer out on port 443, and look at the provider's endpoints.", (_EGRESS, _RULES)),),
    _CHECK,
    (ERROR,),
)
PROVIDER = Sign(
    "EDGE-043",
    IDENTITY,
    "the identity provider, or the endpoint of the key set, answered the load balancer with an error",
    (
        Fix(
            (
                "Compare client secret and callback URL (https://{host}/oauth2/idpresponse) with the provider's, and fetch "
                "the key set by hand."
            ),
            (_RULES, "curl -sS -D - <JWKS_ENDPOINT>"),
        ),
    ),
    _CHECK,
    (ERROR,),
)
OTHER = Sign(
    "EDGE-005",
    "alb",
    "its log-in or token check refused the request",
    (Fix("Read the action of the listener rule.", (_RULES,)),),
    _CHECK,
    (FAILURE,),
)
BY_STATUS = {401: DENIED, 500: UNREACHED, 561: PROVIDER, 562: PROVIDER}
SIGNS = tuple({sign.code: sign for sign in (*REASONS.values(), *BY_STATUS.values(), OTHER)}.values())
