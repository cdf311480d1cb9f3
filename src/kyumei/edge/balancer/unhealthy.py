"""What a target's health state or the reason of a failed health check means, as data.

Follows "Target health reason codes" and "Health check logs" in the Elastic Load Balancing user guide.
"""

from __future__ import annotations

from typing import NamedTuple

from kyumei.edge.sign import Fix, Sign

_HEALTH = "aws elbv2 describe-target-health --target-group-arn {group_arn}"
_CHECK = "All targets are healthy for HealthyThresholdCount times HealthCheckIntervalSeconds, and users get no more such answers."
_METRIC = ("UnHealthyHostCount",)


class Unhealth(NamedTuple):
    """One row: reasons as the API and as the log write them, what they mean, and the balancer's statuses that they can lead to."""

    reasons: tuple[str, ...]
    sign: Sign
    statuses: tuple[int, ...]
    direct: bool = True
    """Whether requests fail for the same reason as the check, so that the state explains them by itself."""


UNHEALTH = (
    Unhealth(
        ("Target.Timeout", "TimedOut", "RequestTimedOut", "ConnectionTimedOut"),
        Sign(
            "EDGE-078",
            "target",
            "the target does not answer its health checks in time either ({state})",
            (
                Fix(
                    (
                        "Look at security groups and network ACLs first (a VPC flow log of the target shows REJECT), then "
                        "at what the target is busy with."
                    ),
                    (_HEALTH, "curl -sS -m 10 -o /dev/null -w '%{http_code} %{time_total}\\n' http://{target}:{port}<HEALTH_PATH>"),
                ),
            ),
            _CHECK,
            _METRIC,
        ),
        (502, 503, 504),
    ),
    Unhealth(
        ("Target.FailedHealthChecks", "ConnectionReset"),
        Sign(
            "EDGE-079",
            "target",
            "the target refuses or breaks off its health checks, too ({state})",
            (
                Fix(
                    "See whether the service runs and listens on the port of the target group, and speaks its protocol.",
                    (_HEALTH, "ss -ltnp | grep ':{port}'", "curl -sv -o /dev/null http://{target}:{port}<HEALTH_PATH>"),
                ),
            ),
            _CHECK,
            _METRIC,
        ),
        (502, 503),
    ),
    Unhealth(
        ("Target.ResponseCodeMismatch", "ResponseCodeMismatch", "TargetError"),
        Sign(
            "EDGE-080",
            "target",
            "the target answers its health checks with a status that is not the one expected ({state})",
            (
                Fix(
                    "Mend what the health path answers, or the check: its path, the matcher, a redirect to HTTPS, a "
                    "log-in on it, or a virtual "
                    "host that does not know the target's address as Host.",
                    (
                        _HEALTH,
                        "curl -sS -D - -o /dev/null http://{target}:{port}<HEALTH_PATH>",
                        (
                            "aws elbv2 modify-target-group --target-group-arn {group_arn} --health-check-path <PATH> "
                            "--matcher HttpCode=<CODES>"
                        ),
                    ),
                ),
            ),
            _CHECK,
            _METRIC,
        ),
        (502, 503, 504),
        direct=False,
    ),
    Unhealth(
        ("Target.NotInUse", "Target.NotRegistered", "Target.InvalidState", "Target.IpUnusable"),
        Sign(
            "EDGE-081",
            "alb",
            "the targets of the group are not in use ({state})",
            (
                Fix(
                    "Mend the wiring: attach the target group to a rule, enable the target's zone, start the instance, "
                    "or register an address "
                    "that can be used.",
                    (_HEALTH, "aws elbv2 set-subnets --load-balancer-arn {elb_arn} --subnets <ALL SUBNETS, THE NEW ONE TOO>"),
                ),
            ),
            _CHECK,
            ("HealthyHostCount",),
        ),
        (503,),
    ),
    Unhealth(
        (
            "Target.HealthCheckDisabled",
            "Target.DeregistrationInProgress",
            "Elb.InternalError",
            "Elb.RegistrationInProgress",
            "Elb.InitialHealthChecking",
        ),
        Sign(
            "EDGE-082",
            "alb",
            "the targets of the group are in a state between ({state})",
            (
                Fix(
                    "Wait until the state is over, and let a deployment bring new targets to health before old ones go.",
                    (_HEALTH,),
                ),
            ),
            _CHECK,
            ("HealthyHostCount",),
        ),
        (502, 503, 504),
        direct=False,
    ),
)
BY_REASON = {reason: row for row in UNHEALTH for reason in row.reasons}
