"""Causes that the balancer names in ``error_reason``: signing in, tokens and Lambda (EDGE-005, 006, 008, 021, 025, 043 to 073)."""

from __future__ import annotations

from dataclasses import replace

from incidents.edge.fault import BEHIND_ALB, LOGS_OF, Ask, Cause, Fault, Log, Said, cause
from incidents.edge.faults import answered, balancer

GET = Ask(methods=("GET",))
FAILURE, ERROR, SIZE = "ELBAuthFailure", "ELBAuthError", "ELBAuthUserClaimsSizeExceeded"
GONE: tuple[Log, ...] = (*LOGS_OF["alb"], "answers")

AUTH: dict[str, tuple[tuple[str, ...], int, str, str]] = {
    "044": (("AuthInvalidCookie",), 401, FAILURE, "the session cookie is unusable"),
    "045": (("AuthInvalidGrantError",), 561, FAILURE, "the identity provider rejects the authorization code"),
    "046": (("AuthInvalidIdToken",), 401, FAILURE, "the ID token is not valid"),
    "047": (("AuthInvalidStateParam", "AuthMissingStateParam"), 401, FAILURE, "the state parameter is wrong or absent"),
    "048": (("AuthInvalidTokenResponse", "AuthInvalidUserinfoResponse"), 561, FAILURE, "the identity provider's answer is unusable"),
    "049": (("AuthMissingCodeParam",), 401, FAILURE, "the callback lacks its code"),
    "050": (("AuthMissingHostHeader",), 401, ERROR, "a callback without a Host header"),
    "051": (("AuthTokenEpRequestFailed", "AuthUserinfoEpRequestFailed"), 561, ERROR, "the identity provider answers an error"),
    "052": (("AuthTokenEpRequestTimeout", "AuthUserinfoEpRequestTimeout"), 500, ERROR, "the identity provider cannot be reached"),
    "053": (("AuthUserinfoResponseSizeExceeded",), 500, SIZE, "the user's claims are too large"),
    "054": (("AuthUnhandledException",), 500, ERROR, "an error inside of the balancer"),
}
"""Reasons, status, metric and what it is, by the number of the id."""
JWT: dict[str, tuple[tuple[str, ...], int, str]] = {
    "055": (("JWTHeaderNotPresent", "JWTRequestFormatInvalid"), 401, "no usable token in the request"),
    "056": (("JWTSignatureValidationError",), 401, "the token's signature is not valid"),
    "057": (("JWTClaimNotPresent", "JWTClaimFormatInvalid", "JWTClaimValueInvalid"), 401, "a claim of the token is missing or wrong"),
    "058": (("JWKSRequestTimeout",), 500, "the key set cannot be reached"),
    "059": (("JWKSRequestFailed", "JWKSResponseInvalid"), 562, "the key set's endpoint answers an error"),
    "060": (("JWKSResponseSizeExceeded",), 500, "the key set is too large"),
    "061": (("JWTValidationInternalError",), 500, "an error inside of the balancer"),
}
LAMBDA: dict[str, tuple[tuple[str, ...], str]] = {
    "062": (("LambdaAccessDenied",), "the balancer may not invoke the function"),
    "063": (("LambdaInvalidResponse",), "the function's answer has the wrong shape"),
    "064": (("LambdaUnhandled",), "the function failed or ran out of time"),
    "065": (("LambdaThrottling",), "the function is throttled"),
    "066": (("LambdaResponseTooLarge", "LambdaRequestTooLarge"), "a body beyond one megabyte"),
    "067": (("LambdaResourceNotFound",), "the function does not exist any more"),
    "068": (("LambdaBadRequest",), "the request is not UTF-8"),
    "069": (
        ("LambdaKMSAccessDenied", "LambdaKMSDisabledException", "LambdaKMSInvalidStateException", "LambdaKMSNotFoundException"),
        "the key of the function's variables is unusable",
    ),
    "070": (
        (
            "LambdaEC2AccessDenied",
            "LambdaENILimitReachedException",
            "LambdaSubnetIPAddressLimitReachedException",
            "LambdaInvalidSubnetIDException",
        ),
        "the function's network cannot be set up",
    ),
    "071": (("LambdaInvalidRuntimeException", "LambdaInvalidZipFileException"), "the function's package or runtime is unusable"),
    "072": (
        ("LambdaConnectionError", "LambdaConnectionTimeout", "LambdaServiceException", "LambdaUnhandledException"),
        "an error inside of Lambda",
    ),
    "073": (("LambdaWebsocketNotSupported",), "a websocket to a function"),
}
INTERNAL = {"072"}
"""Those that count as Lambda's own errors."""
RAN = {
    "063": (),
    "064": (
        Said(
            "lambda",
            "[ERROR] KeyError: 'amount'\nTraceback (most recent call last):\n"
            "  File \"/var/task/handler.py\", line 41, in handler\n    total = body['amount']",
        ),
    ),
    "066": (),
}
"""Where the function ran nevertheless, and what it says."""


def auth(number: str) -> tuple[Fault, ...]:
    """Troubles of signing in, one for each reason."""
    reasons, status, metric, _ = AUTH[number]
    extra = ("EDGE-005", "EDGE-033") if status == 500 else ("EDGE-005", "EDGE-021") if status == 401 else ("EDGE-005", "EDGE-043")  # noqa: PLR2004
    told = {"actions_executed": "authenticate", "matched_rule_priority": "10", "target_group_arn": "-"}
    settings = {"rule": "authenticate:deny" if status == 401 else "authenticate:login", "priority": "10"}  # noqa: PLR2004
    ask = Ask(methods=("GET",), tails=("/oauth2/idpresponse", "/account", "/mine"))
    return tuple(
        balancer(
            status,
            f"EDGE-{number}",
            alb={**told, "error_reason": reason},
            true=extra,
            ask=ask,
            settings=settings,
            metrics=(metric,),
            minutes=12,
        )
        for reason in reasons
    )


def jwt(number: str) -> tuple[Fault, ...]:
    """Troubles with a token, one for each reason."""
    reasons, status, _ = JWT[number]
    extra = {401: ("EDGE-005", "EDGE-021"), 500: ("EDGE-005", "EDGE-033"), 562: ("EDGE-005", "EDGE-043")}[status]
    told = {"actions_executed": "jwt-validation", "matched_rule_priority": "10", "target_group_arn": "-"}
    ask, settings = Ask(agent="program"), {"rule": "jwt:", "priority": "10"}
    return tuple(
        balancer(
            status,
            f"EDGE-{number}",
            alb={**told, "error_reason": reason},
            true=extra,
            ask=ask,
            settings=settings,
            metrics=("JWTValidationFailureCount",),
        )
        for reason in reasons
    )


def function(number: str) -> tuple[Fault, ...]:
    """Troubles with a function behind the balancer, one for each reason."""
    reasons, _ = LAMBDA[number]
    found = []
    for reason in reasons:
        status = 413 if reason == "LambdaRequestTooLarge" else 502
        ran = number in RAN and status == 502  # noqa: PLR2004
        fault = balancer(
            status, f"EDGE-{number}", alb={"error_reason": reason}, true=("EDGE-006", "EDGE-009", "EDGE-025", "EDGE-038", "EDGE-012")
        )
        metric = "LambdaInternalError" if number in INTERNAL else "LambdaUserError"
        ask = Ask(methods=("POST",), received=(1_100_000, 3_000_000)) if status == 413 else fault.ask  # noqa: PLR2004
        inside = {"lambda": (None, 0.2)} if ran else {}
        found.append(
            replace(
                fault,
                seconds=(0.21, 0.4) if ran else (0.004, 0.03),
                said=RAN.get(number, ()) if ran else (),
                inside=inside,
                metrics=(metric,),
                ask=ask,
            )
        )
    return tuple(found)


def by_function(status: int) -> Fault:
    """The function itself answers with the status."""
    return Fault(
        "lambda",
        status,
        ("EDGE-008", "EDGE-001"),
        seconds=(0.03, 0.3),
        said=(Said("lambda", "[WARNING]\t{when}\t{id}\trefused {path}"),),
    )


def named(faults: tuple[Fault, ...], *codes: str) -> tuple[Fault, ...]:
    """The same troubles, for an id that is less exact: it may be named beside the exact one."""
    return tuple(replace(fault, codes=(*codes, *fault.codes)) for fault in faults)


ROWS: tuple[Cause, ...] = (
    *(cause(number, AUTH[number][3], BEHIND_ALB, auth(number), answered(AUTH[number][1]), without=GONE) for number in AUTH),
    *(cause(number, JWT[number][2], BEHIND_ALB, jwt(number), answered(JWT[number][1]), without=GONE) for number in JWT),
    *(
        cause(number, LAMBDA[number][1], ("alb-lambda",), function(number), (by_function(502),), without=("alb", "metrics"))
        for number in LAMBDA
    ),
    cause(
        "005",
        "the balancer's authentication answered",
        BEHIND_ALB,
        named((*auth("051"), *auth("044"), *jwt("056")), "EDGE-005"),
        (answered(401), answered(500)),
        without=GONE,
    ),
    cause(
        "006",
        "the balancer could not use the function",
        ("alb-lambda",),
        named((*function("062"), *function("065")), "EDGE-006"),
        by_function(502),
        without=("alb", "metrics"),
    ),
    cause(
        "008",
        "the function answered, which fills none of the target's fields",
        ("alb-lambda",),
        (by_function(500), by_function(404), by_function(502)),
        function("064"),
        without=("alb", "metrics", "lambda"),
        layer="lambda",
    ),
    cause(
        "021",
        "the balancer lets nobody in who has not signed in",
        BEHIND_ALB,
        named((*auth("049"), *jwt("055")), "EDGE-021"),
        answered(401),
        without=GONE,
    ),
    cause(
        "025",
        "a body beyond one megabyte for a function",
        ("alb-lambda",),
        named(function("066")[1:], "EDGE-025"),
        by_function(413),
        without=("alb", "metrics"),
    ),
    cause(
        "043",
        "the identity provider answered an error",
        BEHIND_ALB,
        named((*auth("051"), *jwt("059")), "EDGE-043"),
        answered(500),
        without=GONE,
    ),
)
