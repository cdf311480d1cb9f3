"""What a Classic Load Balancer answers by itself, as data, and what AWS's answers and metrics tell of it (EDGE-083).

Follows "Troubleshoot a Classic Load Balancer: HTTP errors", "CloudWatch metrics for your Classic Load Balancer" and "Configure the idle
connection timeout for your Classic Load Balancer" of the user guide for Classic Load Balancers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import answers, as_list, as_map, qualifier
from kyumei.edge.metrics import reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import View
    from kyumei.edge.metrics import Point, Reading
    from kyumei.model.finding import Citation

CODE = "EDGE-083"
LONGEST_METHOD = 127
"""Characters that a method may have."""
IDLE_SECONDS = 60.0
"""The idle timeout of a balancer that was never told another one."""
_OTHER_KIND = re.compile(r"\b(?:app|net|gwy|targetgroup)/")


class Answer(NamedTuple):
    """One cause of an answer of the balancer's own: the end of a sentence, where it lies, what mends it, what shows that it is mended."""

    cause: str
    layer: str
    says: str
    commands: tuple[str, ...]
    check: str
    metric: str


_HEALTH = "aws elb describe-instance-health --load-balancer-name {elb}"
NO_INSTANCE = Answer(
    "no registered instance was healthy",
    "target",
    "Make the instances pass their health check: start the service on the port of the check, or register instances that do.",
    (
        _HEALTH,
        (
            "aws elb describe-load-balancers --load-balancer-names {elb} --query "
            "'LoadBalancerDescriptions[].[HealthCheck,AvailabilityZones,Subnets]'"
        ),
        "aws elb register-instances-with-load-balancer --load-balancer-name {elb} --instances <INSTANCE_ID>",
    ),
    "HealthyHostCount is 1 or more in every zone, and HTTPCode_ELB_5XX has no points.",
    "HTTPCode_ELB_5XX",
)
NOT_REGISTERED = Answer(
    "no instance is registered with it",
    "clb",
    "Register instances in every zone of the load balancer, or attach the Auto Scaling group again.",
    (
        "aws elb register-instances-with-load-balancer --load-balancer-name {elb} --instances <INSTANCE_ID>",
        "aws autoscaling attach-load-balancers --auto-scaling-group-name <GROUP> --load-balancer-names {elb}",
        _HEALTH,
    ),
    NO_INSTANCE.check,
    "HTTPCode_ELB_5XX",
)
SPILLED = Answer(
    "its surge queue of 1,024 requests was full: the instances did not take requests as fast as they came",
    "target",
    "Give the instances room: more of them, more workers on each, or less time for each request.",
    (
        (
            "aws cloudwatch get-metric-statistics --namespace AWS/ELB --metric-name SurgeQueueLength --dimensions "
            "Name=LoadBalancerName,Value={elb} "
            "--statistics Maximum --period 60 --start-time <START> --end-time <END>"
        ),
        "aws autoscaling set-desired-capacity --auto-scaling-group-name <GROUP> --desired-capacity <N>",
    ),
    "SpilloverCount has no points, and SurgeQueueLength stays far below 1,024.",
    "SpilloverCount",
)
UNAVAILABLE = Answer(
    "it had nobody to give the request to, while it served others: its surge queue was full, or a zone had no healthy instance",
    "clb",
    "Look at the surge queue and at the healthy instances of each zone; turn on cross-zone load balancing.",
    (
        _HEALTH,
        (
            "aws elb modify-load-balancer-attributes --load-balancer-name {elb} --load-balancer-attributes "
            '\'{"CrossZoneLoadBalancing":{"Enabled":true}}\''
        ),
    ),
    NO_INSTANCE.check,
    "SpilloverCount",
)
IDLE = Answer(
    "the instance took the request and kept silent for the idle timeout of {idle} s",
    "target",
    "Make the answer faster, or answer at once and let a job do the work; only then raise the idle timeout.",
    (
        (
            "aws elb modify-load-balancer-attributes --load-balancer-name {elb} --load-balancer-attributes "
            '\'{"ConnectionSettings":{"IdleTimeout":<SECONDS>}}\''
        ),
    ),
    "The slowest answers of this path (Latency, Maximum) stay below the idle timeout.",
    "HTTPCode_ELB_5XX",
)
CLOSED = Answer(
    "no instance answered: the connection to it could not be made, or it closed it before it answered",
    "target",
    "Let the instance keep idle connections open for longer than the load balancer does ({idle} s), and let its security "
    "group take the balancer's "
    "connections.",
    (_HEALTH, "aws elb describe-load-balancer-attributes --load-balancer-name {elb}", "nginx -T | grep keepalive_timeout"),
    "The same request gets the instance's own status.",
    "BackendConnectionErrors",
)
BY_STATUS = {
    400: Answer(
        "the request was malformed HTTP",
        "client",
        "Let the client send well-formed HTTP: a valid request line, headers without stray characters.",
        ("curl -sv -o /dev/null {url}",),
        "The same client's request gets the instance's own status.",
        "HTTPCode_ELB_4XX",
    ),
    405: Answer(
        f"the request's method has more than {LONGEST_METHOD} characters",
        "client",
        "Mend or block the client; no honest one sends this.",
        (),
        "No such answer comes any more.",
        "HTTPCode_ELB_4XX",
    ),
    408: Answer(
        "the client did not send its whole request in time, or left in the middle of it",
        "client",
        "Look at why the client stops: a Content-Length larger than the body it sends, a slow line, a time-out of its own.",
        ("aws elb describe-load-balancer-attributes --load-balancer-name {elb} --query LoadBalancerAttributes.ConnectionSettings",),
        "The same client's request gets the instance's own status.",
        "HTTPCode_ELB_4XX",
    ),
    502: Answer(
        "what the instance answered was no valid HTTP response",
        "target",
        "Ask the instance directly and look at status line and headers of what it answers.",
        ("curl -sv --http1.1 -o /dev/null http://{target}:{port}{path}",),
        "The same request gets the instance's own status.",
        "HTTPCode_ELB_5XX",
    ),
}
"""Answers of one cause; 503 and 504 have several."""


class Instances(NamedTuple):
    """What ``describe-instance-health`` or ``describe-load-balancers`` say: how many instances, how many in service, where it stands."""

    total: int
    healthy: int
    citations: tuple[Citation, ...]
    reasons: tuple[str, ...] = ()


def balancers(view: View) -> list[str]:
    """The Classic Load Balancers whose access logs are in the case, at most ten."""
    return [row["elb"] for row in view.rows("SELECT DISTINCT elb FROM clb_access WHERE elb IS NOT NULL ORDER BY 1 LIMIT 10")]


def _of(view: View, elb: str, operation: str) -> list[tuple[dict[str, Any], Citation]]:
    """The answers of one operation that are about the balancer: by name, by the file's name, or since there is no other balancer."""
    lone = balancers(view) == [elb]
    found = []
    for document, where in answers(view, "elb", operation):
        told = str(document.get("LoadBalancerName") or "") or qualifier(where)
        if told == elb or (not told and lone):
            found.append((document, where))
    return found


def instances(view: View, elb: str) -> Instances | None:
    """How the balancer's instances were when somebody asked; null where nobody did."""
    states = _of(view, elb, "describe-instance-health")
    if states:
        out = [document for document, _ in states if document.get("State") != "InService"]
        reasons = tuple(dict.fromkeys(str(one.get("Description") or one.get("ReasonCode") or "") for one in out))
        return Instances(len(states), len(states) - len(out), tuple(where for _, where in states)[:3], reasons)
    for document, where in _of(view, elb, "describe-load-balancers"):
        if "Instances" in document and not as_list(document["Instances"]):
            return Instances(0, 0, (where,))
    return None


def idle_timeout(view: View, elb: str) -> tuple[float, Citation | None]:
    """The idle timeout in seconds, and where it is told; the default where it is not."""
    for document, where in _of(view, elb, "describe-load-balancer-attributes"):
        settings = as_map(as_map(document.get("LoadBalancerAttributes") or document).get("ConnectionSettings"))
        if isinstance(told := settings.get("IdleTimeout"), int | float) and told > 0:
            return float(told), where
    return IDLE_SECONDS, None


def metric(view: View, name: str, rows: Sequence[Mapping[str, Any]]) -> Reading | None:
    """What a metric of the rows' balancer was in their minutes; points of other balancers are left out as far as they are named."""
    own = str(rows[0]["elb"])
    others = [one for one in balancers(view) if one != own]

    def _other(point: Point) -> bool:
        named = any(one in point.told.split() for one in others)
        return named or bool(_OTHER_KIND.search(point.told)) or point.namespace not in {"", "AWS/ELB"}

    return reading(view, name, [row["time"] for row in rows], [own], _other)
