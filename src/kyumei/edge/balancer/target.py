"""How a load balancer and its target failed each other, told apart by the balancer's own row: data, and the classification of one row.

Processing times are null where the log holds -1. The triple alone is a pattern of practice, so that the time from arrival to answer is
always looked at beside it. Follows "HTTP 502", "HTTP 503" and "HTTP 504" of "Troubleshoot your Application Load Balancers" in the Elastic
Load Balancing user guide.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from kyumei.edge.balancer.answer import wall_seconds
from kyumei.edge.sign import Fix, Sign

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_SECONDS = (9.5, 11.5)
"""The time to connect is fixed at ten seconds."""
AT_ONCE_SECONDS = 0.01
"""Up to this a target that closed the connection did so on the request, and not at work."""
TOLERANCE = 0.03
"""How far from the idle timeout a wait may lie, as a share of it, and still be that timeout."""
UNAVAILABLE, TIMEOUT = 503, 504


class Kind(StrEnum):
    """What a row shows. ``UNTOLD`` fits no pattern."""

    REFUSED = "refused"
    CLOSED = "closed"
    DIED = "died"
    BROKEN = "broken"
    NO_GROUP = "no group"
    UNCONNECTED = "unconnected"
    SLOW = "slow"
    UNTOLD = "untold"


PATTERNS = {
    (Kind.REFUSED, 502): "EDGE-012",
    (Kind.UNCONNECTED, 504): "EDGE-013",
    (Kind.CLOSED, 502): "EDGE-014",
    (Kind.SLOW, 504): "EDGE-015",
    (Kind.DIED, 502): "EDGE-016",
}
"""The ids under which the knowledge base keeps the patterns of the three times themselves."""


def classify(row: Mapping[str, object], idle: float, *, told: bool) -> Kind:
    """What one row shows; ``idle`` is the idle timeout in seconds, ``told`` whether the configuration says so."""
    status, before, target, after = (row.get(name) for name in ("status", "request_seconds", "target_seconds", "response_seconds"))
    if status == UNAVAILABLE:
        return Kind.NO_GROUP if row.get("target_ip") is None and target is None else Kind.UNTOLD
    if status == TIMEOUT:
        return _timed_out(row, idle, told=told)
    if after is not None or row.get("target_status") is not None:
        return Kind.BROKEN
    if not isinstance(target, int | float):
        return Kind.REFUSED if before is None or row.get("target_ip") is None else Kind.UNTOLD
    if target <= AT_ONCE_SECONDS:
        return Kind.CLOSED
    # A wait beyond the default shows that the idle timeout is longer: at its end the balancer would have answered 504.
    longer = not told and target > idle and not is_idle(float(target), idle)
    return Kind.DIED if longer or target < idle * (1 - TOLERANCE) else Kind.UNTOLD


def is_idle(seconds: float | None, idle: float) -> bool:
    """Whether a wait was as long as the idle timeout."""
    return seconds is not None and abs(seconds - idle) <= max(1.0, idle * TOLERANCE)


def _timed_out(row: Mapping[str, object], idle: float, *, told: bool) -> Kind:
    wall, target = wall_seconds(row), row.get("target_seconds")
    waited = float(target) if isinstance(target, int | float) else None
    if is_idle(waited, idle):
        return Kind.SLOW
    if wall is None:
        return Kind.UNTOLD
    if waited is None and CONNECT_SECONDS[0] <= wall <= CONNECT_SECONDS[1]:
        return Kind.UNCONNECTED
    if is_idle(wall, idle) or (not told and wall > CONNECT_SECONDS[1]):
        return Kind.SLOW
    return Kind.UNTOLD


_HEALTH = "aws elbv2 describe-target-health --target-group-arn {group_arn}"
REFUSED = Sign(
    "EDGE-035",
    "target",
    "no connection to the target could be made: it refused it, could not be reached, or failed the TLS handshake",
    (
        Fix(
            "Start the service on the target, let it listen on the target group's port on all addresses, and look at which it listens now.",
            (
                _HEALTH,
                "ss -ltnp | grep ':{port}'",
                "aws elbv2 register-targets --target-group-arn {group_arn} --targets Id=<ID>,Port=<PORT>",
            ),
        ),
        Fix(
            "If the target group speaks HTTPS: mend the target's certificate and ciphers.",
            ("openssl s_client -connect {target}:{port} </dev/null",),
        ),
    ),
    "The target is healthy, and the same request gets the target's own status.",
    ("TargetConnectionErrorCount", "TargetTLSNegotiationErrorCount"),
)
RACE = Sign(
    "EDGE-036",
    "target",
    "the target closed an idle connection just as the balancer used it again: its keep-alive time is shorter than the idle timeout",
    (
        Fix(
            "Let the target keep idle connections longer than the load balancer does ({idle} s), with some margin.",
            (
                "gunicorn --keep-alive {longer} <APP>",
                "uvicorn --timeout-keep-alive {longer} <APP>",
                "keepalive_timeout {longer}s;  # nginx",
                "server.keepAliveTimeout = {longer}000; server.headersTimeout = {longer}000 + 1000;  // Node",
            ),
        ),
        Fix(
            "Or let the load balancer give idle connections up first.",
            (
                (
                    "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {elb_arn} "
                    "--attributes Key=idle_timeout.timeout_seconds,Value=<LESS THAN THE TARGET'S>"
                ),
            ),
        ),
    ),
    "No 502 of this shape over hours that have pauses in the traffic.",
    ("HTTPCode_ELB_502_Count",),
)
DIED = Sign(
    "EDGE-037",
    "target",
    "the target closed the connection while it was at work on the request: its process died, was killed or was stopped",
    (
        Fix(
            "Find what ended the process on {target} at that second, and mend that.",
            ("journalctl --since {from} --until {until}", "dmesg -T | grep -i -E 'oom|killed|segfault'"),
        ),
        Fix(
            "If it was a deployment or a scale-in: give requests time to end.",
            (
                (
                    "aws elbv2 modify-target-group-attributes --target-group-arn {group_arn} "
                    "--attributes Key=deregistration_delay.timeout_seconds,Value=<LONGER THAN THE LONGEST REQUEST>"
                ),
            ),
        ),
    ),
    "The same request gets its page, and the next deployment has no 502.",
    ("HTTPCode_ELB_502_Count",),
)
BROKEN = Sign(
    "EDGE-038",
    "target",
    "the target's answer to this one path cannot be passed on: malformed, or its headers are larger than 32 KB",
    (
        Fix(
            "Look at the target's raw answer for this path, and mend or shrink its headers (cookies above all).",
            ("curl -sS -D - -o /dev/null 'http://{target}:{port}'{path} | head -c 70000 | wc -c",),
        ),
    ),
    "The path gets the target's own status through the load balancer.",
    ("HTTPCode_ELB_502_Count",),
)
NO_GROUP = Sign(
    "EDGE-039",
    "alb",
    "its target group has no target that it may use: none is registered, or all are unused or being deregistered",
    (
        Fix(
            "Register targets, or attach the Auto Scaling group or the ECS service to the target group.",
            (_HEALTH, "aws elbv2 register-targets --target-group-arn {group_arn} --targets Id=<ID>,Port=<PORT>"),
        ),
        Fix(
            "If the targets are in a zone that the load balancer does not serve: enable it.",
            ("aws elbv2 set-subnets --load-balancer-arn {elb_arn} --subnets <ALL SUBNETS, THE NEW ONE TOO>",),
        ),
    ),
    "The target group has a healthy target, and the same request gets the target's own status.",
    ("HTTPCode_ELB_503_Count",),
)
EMPTY_ZONE = NO_GROUP._replace(
    cause="its node in {zone} has no target that it may use: cross-zone load balancing is off, and the group has no target in that zone",
    fixes=(
        Fix(
            "Register a target in {zone}, or let the Auto Scaling group or the ECS service run there, too.",
            ("aws elbv2 register-targets --target-group-arn {group_arn} --targets Id=<ID>,Port=<PORT>", _HEALTH),
        ),
        Fix(
            "Or let every node ask the targets of all zones.",
            (
                (
                    "aws elbv2 modify-target-group-attributes --target-group-arn {group_arn} "
                    "--attributes Key=load_balancing.cross_zone.enabled,Value=true"
                ),
            ),
        ),
    ),
)
UNCONNECTED = Sign(
    "EDGE-040",
    "network",
    "the target did not answer the connection within ten seconds: packets are dropped on the way, or the host hangs",
    (
        Fix(
            "Let the load balancer's security group in at the target's, on the target's port.",
            (
                (
                    "aws ec2 authorize-security-group-ingress --group-id <TARGET_SECURITY_GROUP> --protocol tcp --port {port} "
                    "--source-group <LOAD_BALANCER_SECURITY_GROUP>"
                ),
            ),
        ),
        Fix(
            (
                "If that is open: look at the network ACLs (return traffic to ports 1024-65535), the subnet's routes, and "
                "whether the host answers."
            ),
            (
                "aws ec2 describe-network-acls --filters Name=association.subnet-id,Values=<TARGET_SUBNET>",
                _HEALTH,
            ),
        ),
    ),
    "The target is healthy, and the same request gets the target's own status.",
    ("TargetConnectionErrorCount",),
)
SLOW = Sign(
    "EDGE-041",
    "target",
    "the target took the request and gave no answer within the idle timeout of {idle} s",
    (
        Fix(
            "Find what the request waits for (the application's log and traces, database waits) and make that faster, "
            "or do the work asynchronously."
        ),
        Fix(
            "Only when the request must take that long: raise the idle timeout.",
            (
                (
                    "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {elb_arn} "
                    "--attributes Key=idle_timeout.timeout_seconds,Value=<N>"
                ),
            ),
        ),
    ),
    "The same request is answered within the idle timeout, and the 99th percentile of TargetResponseTime lies below it.",
    ("HTTPCode_ELB_504_Count",),
)
SIGNS = (REFUSED, RACE, DIED, BROKEN, NO_GROUP, UNCONNECTED, SLOW)


def died_of(words: str) -> Sign:
    """The sign of a target that ended at work, with what is said of its end."""
    return DIED._replace(cause=f"the target closed the connection while it was at work on the request: {words}")
