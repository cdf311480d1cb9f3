"""What an ECS service said of its own target group beside failing requests: tasks stopped, targets deregistered or unhealthy.

A service's events name no task's address, so an event is joined by the target group alone: the service is one that serves it, or names it.
Follows "Viewing Amazon ECS service event messages" in the Amazon ECS Developer Guide.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.balancer.setting import services_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import View

STOPPED = re.compile(r"has stopped (?P<number>\d+) running tasks")
DEREGISTERED = re.compile(r"deregistered (?P<number>\d+) targets in ")
REGISTERED = re.compile(r"(?<!de)registered (?P<number>\d+) targets in ")
UNHEALTHY = re.compile(r"is unhealthy in .{0,300}?due to \(reason (?P<reason>[^)]{1,200})\)")
DEPLOYED = re.compile(r"\(deployment ecs-svc/\d+\)")
BEFORE = timedelta(minutes=6)
"""A task that is stopped is drained for the deregistration delay (300 s where nothing is set), and then has its stop timeout."""
SLACK = timedelta(seconds=5)
DEPLOYING = timedelta(minutes=30)
"""How far from its tasks' stop a deployment may begin or be told to be done."""


class Taken(NamedTuple):
    """What a service took away from its target group: the service, how many, the events, and why as far as they tell."""

    service: str
    number: int
    time: datetime
    rows: tuple[Mapping[str, Any], ...]
    why: str
    replaced: bool
    """Whether it had registered other targets shortly before, or did so until the first request failed."""

    @property
    def clause(self) -> str:
        """In words that end a sentence."""
        return f"the ECS service {self.service} stopped or deregistered {self.number} of its tasks at {self.time:%H:%M:%S} UTC{self.why}"


def taken(view: View, group: str | None, first: datetime) -> Taken | None:
    """What the service of this target group took away in the minutes before a first failing request (naive UTC), the latest of it."""
    if not group or not view.has("ecs_event"):
        return None
    for service, cluster in _services(view, group):
        rows = view.rows(
            "SELECT * FROM ecs_event WHERE kind IN ('service_event', 'deployment') AND service_name = ? "
            "AND cluster_arn IS NOT DISTINCT FROM ? AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY time, _artifact, _line",
            *(service, cluster, first - DEPLOYING, first + DEPLOYING),
        )
        own = [row for row in rows if "target-group" not in (row["message"] or "") or group in row["message"]]
        if found := _taken(service, own, first):
            return found
    return None


def _services(view: View, group: str) -> list[tuple[str, object]]:
    """The services that serve a target group, as described, or as their own events name it."""
    told = view.rows(
        "SELECT DISTINCT service_name, cluster_arn FROM ecs_event WHERE kind = 'service_event' AND service_name IS NOT NULL "
        "AND contains(message, ?) ORDER BY ALL LIMIT 5",
        group,
    )
    return list(dict.fromkeys([*services_of(view, group), *((str(row["service_name"]), row["cluster_arn"]) for row in told)]))


def _number(pattern: re.Pattern[str], row: Mapping[str, Any]) -> int:
    found = pattern.search(row["message"] or "")
    return int(found["number"]) if found else 0


def _taken(service: str, rows: Sequence[Mapping[str, Any]], first: datetime) -> Taken | None:
    away = [row for row in rows if first - BEFORE <= row["time"] <= first + SLACK and (_number(STOPPED, row) or _number(DEREGISTERED, row))]
    if not away:
        return None
    number = max(sum(_number(pattern, row) for row in away) for pattern in (STOPPED, DEREGISTERED))
    ill = [row for row in rows if row["time"] <= first + SLACK and UNHEALTHY.search(row["message"] or "")]
    deploys = [row for row in rows if row["kind"] == "deployment" or DEPLOYED.search(row["message"] or "")]
    why, shown = "", list(away)
    if ill and (found := UNHEALTHY.search(ill[-1]["message"])):
        why, shown = f", for they were unhealthy: {found['reason']}", [ill[-1], *away]
    elif deploys:
        why, shown = ", in a deployment", [*away, deploys[0]]
    replaced = any(_number(REGISTERED, row) and away[0]["time"] - DEPLOYING / 2 <= row["time"] <= first for row in rows)
    return Taken(service, number, away[0]["time"], tuple(shown), why, replaced)
