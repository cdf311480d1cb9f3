"""Which part of an Application Load Balancer made an answer, as its own row tells: one classification, of which each rule takes its share.

Follows "Access logs for your Application Load Balancer" and "Troubleshoot your Application Load Balancers" of the Elastic Load Balancing
user guide.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from kyumei.contracts import Failure, View

SENT = frozenset({502, 503, 504})
"""Statuses that the balancer makes when it had chosen a target group."""
OWN = frozenset({0, 405, 408, 413, 414, 463, 464, 501, 505, 507})
"""Statuses that mean that the balancer took no answer from a target, whatever its actions were."""
CLIENT_LEFT = 460
REFUSED = 400
EVALUATION_FAILED = -1
WEIGHTED = ("AWSALBTGCookieInvalid", "WeightedTargetGroupsUnhandledException")
TRANSFORMED = "TransformSuccess"


class Stage(StrEnum):
    """The part of the balancer that answered. ``RULE`` is an action of a listener rule, ``OTHER`` one that no row here tells."""

    RULE = "rule"
    AUTHENTICATION = "authentication"
    FIREWALL = "firewall"
    FUNCTION = "function"
    TARGET = "target"
    REJECTED = "rejected"
    CLIENT = "client"
    OTHER = "other"


class Part(NamedTuple):
    """Failing requests of one failure that the balancer answered in one way. ``total`` counts all of them, also those not in ``rows``."""

    failure: Failure
    rows: tuple[Mapping[str, Any], ...]
    total: int

    @property
    def row(self) -> Mapping[str, Any]:
        """The record nearest to the symptom."""
        return self.rows[0]


def last_action(row: Mapping[str, Any]) -> str:
    """The action that ended the request; empty where the row names none."""
    actions = row.get("actions") or [""]
    return str(actions[-1])


def wall_seconds(row: Mapping[str, Any]) -> float | None:
    """From the request's arrival to the answer; null where the row lacks either time. The phases of a row may be missing, this is not."""
    if row.get("started") is None or row.get("time") is None:
        return None
    return float((row["time"] - row["started"]).total_seconds())


def relayed(row: Mapping[str, Any]) -> bool:
    """Whether the client got the target's own status; another one means that the balancer could not pass the answer on (EDGE-011)."""
    return row.get("target_status") is not None and row["target_status"] == row.get("status")


def is_function(row: Mapping[str, Any]) -> bool:
    """Whether the row is as rows of Lambda targets are: all phases reached, and no target named (EDGE-008)."""
    phases = (row.get("request_seconds"), row.get("target_seconds"), row.get("response_seconds"))
    return last_action(row) == "forward" and row.get("target_ip") is None and all(one is not None for one in phases)


def stage(row: Mapping[str, Any]) -> Stage:  # noqa: PLR0911 - a decision table, one line for each row of it
    """Which part answered; the first line that holds decides."""
    reason, last, status = str(row.get("error_reason") or ""), last_action(row), row.get("status")
    transform = row.get("transform_status")
    if named := _named(reason):
        return named
    if last == "waf-failed":
        return Stage.FIREWALL
    if status == CLIENT_LEFT:
        return Stage.CLIENT
    if last in {"fixed-response", "redirect"} and status not in OWN:
        return Stage.RULE
    if last.startswith("authenticate") or last == "jwt-validation":
        return Stage.AUTHENTICATION
    if transform and transform != TRANSFORMED:
        return Stage.REJECTED
    if is_function(row):
        return Stage.FUNCTION
    if last in {"forward", ""} and status in SENT and row.get("rule_priority") != EVALUATION_FAILED:
        return Stage.TARGET
    if status in OWN or last == "" or row.get("rule_priority") == EVALUATION_FAILED:
        return Stage.REJECTED
    return Stage.REJECTED if last == "forward" and status == REFUSED else Stage.OTHER


def _named(reason: str) -> Stage | None:
    """The part that an error reason names."""
    if reason in WEIGHTED:
        return Stage.REJECTED
    heads = {"Auth": Stage.AUTHENTICATION, "JW": Stage.AUTHENTICATION, "Lambda": Stage.FUNCTION, "WAF": Stage.FIREWALL}
    return next((found for head, found in heads.items() if reason.startswith(head)), None)


SURE = frozenset({Stage.CLIENT, Stage.REJECTED, Stage.FUNCTION})
"""Parts that a row tells even where the correlation leaves open who answered."""


def parts(view: View, wanted: Stage, kind: Callable[[Mapping[str, Any]], Hashable] = lambda _row: None) -> list[Part]:
    """The failing requests that this part of a balancer answered, split by ``kind``, in the order of the failures."""
    found: list[Part] = []
    for failure in view.failures:
        if failure.table != "alb_access" or not (failure.hop == "alb" or (failure.hop == "unknown" and wanted in SURE)):
            continue
        own = [row for row in failure.rows if not relayed(row)]
        groups: dict[Hashable, list[Mapping[str, Any]]] = {}
        for row in own:
            if stage(row) is wanted:
                groups.setdefault(kind(row), []).append(row)
        found += [Part(failure, tuple(rows), failure.total if len(rows) == len(failure.rows) else len(rows)) for rows in groups.values()]
    return found
