"""Stops of ECS tasks beside failing requests, told by events or descriptions, joined by the address that a load balancer called its target.

A task whose address is another one's is no evidence, however near its stop lies. Events repeat and come out of order, and a description of
a stopped task is there for an hour only: each stop is told once, by the row that tells most.

Follows "Amazon ECS task state change events" and "Stopped tasks error messages" in the Amazon ECS Developer Guide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.balancer.setting import group_of, services_of
from kyumei.edge.documents import answers, as_list, as_map, parsed
from kyumei.edge.metrics import moment
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part
    from kyumei.model.finding import Citation

LONGEST_STOP = timedelta(minutes=15)
"""A task may take its stop timeout, and the balancer its deregistration delay, before it is gone."""
STOPPED_WITHIN = 5
"""Seconds between an answer of the balancer and the stop of a task that caused it."""
STOPS = ("stoppingAt", "executionStoppedAt", "stoppedAt")
"""The times of a task that say that it is being stopped, or was."""
UNTOLD = "no reason told"


class Stop(NamedTuple):
    """A task that stopped: from when on it was being stopped, when it had stopped (naive UTC), why, and where that is told."""

    task: str
    address: str
    began: datetime
    ended: datetime
    why: str
    citations: tuple[Citation, ...] = ()

    @property
    def words(self) -> str:
        """What ECS says of it."""
        return f"ECS stopped the task {self.task} at {self.address} from {self.began:%H:%M:%S} to {self.ended:%H:%M:%S} UTC: {self.why}"


def stops(view: View, part: Part, addresses: Sequence[str], start: datetime, end: datetime) -> list[Stop]:
    """The stops that events tell of tasks with these addresses that touch a span of time (naive UTC), the earliest first.

    The tasks must be in the account and Region of the part's target group, and of a service that serves it, as far as that is known:
    private addresses are the same in many networks.
    """
    if not addresses or not view.has("ecs_event"):
        return []
    home = group_of(view, part.row) or ""
    services = {name for name, _ in services_of(view, home)}
    rows = view.rows(
        "SELECT _artifact, _line, task_arn, private_ip, service_name, stop_code, stopped_reason, container_reason, exit_code, "
        "stopped_at, time, detail::VARCHAR AS told FROM ecs_event WHERE kind = 'task' AND list_contains(?::VARCHAR[], private_ip) "
        "AND task_arn IS NOT NULL "
        "AND desired_status = 'STOPPED' ORDER BY version DESC NULLS LAST, time DESC, _artifact, _line LIMIT 2000",
        list(addresses),
    )
    found: dict[str, tuple[Stop, Mapping[str, Any]]] = {}
    for row in rows:
        one = _stop(row) if row["task_arn"] not in found and _is_at_home(row, home, services) else None
        if one is not None:
            found[row["task_arn"]] = (one, row)
    near = [(one, row) for one, row in found.values() if one.began <= end and one.ended >= start]
    view.cite([row for _, row in near], len(near))  # Asked for all at once, for the view remembers them.
    return sorted((one._replace(citations=view.cite([row])) for one, row in near), key=lambda one: one.began)


def described_stops(view: View, addresses: Sequence[str], start: datetime, end: datetime) -> list[Stop]:
    """The stops that ``describe-tasks`` tells of tasks with these addresses that touch a span of time (naive UTC)."""
    found = []
    for task, where in answers(view, "ecs", "describe-tasks"):
        name, address = str(task.get("taskArn") or "").rpartition("/")[2], address_of_task(task)
        span = _span(task)
        if name and address in addresses and span is not None and span[0] <= end and span[1] >= start:
            found.append(Stop(name, address, *span, str(task.get("stoppedReason") or UNTOLD), (where,)))
    return found


def task_stopped(view: View, rows: Sequence[Mapping[str, Any]]) -> Evidence | None:
    """That ECS stopped a task in the seconds of a failure, as described; not one whose address is that of another target."""
    targets = {str(row["target_ip"]) for row in rows if row.get("target_ip")}
    for task, where in answers(view, "ecs", "describe-tasks"):
        own = address_of_task(task)
        if own and targets and own not in targets:
            continue
        times = [at for name in ("stoppingAt", "stoppedAt") if (at := moment(task.get(name))) is not None]
        if any(abs((at - row["time"]).total_seconds()) <= STOPPED_WITHIN for at in times for row in rows):
            return Evidence(f"ECS stopped a task in these seconds: {task.get('stoppedReason') or UNTOLD}", (where,))
    return None


def _is_at_home(row: Mapping[str, Any], home: str, services: Collection[str]) -> bool:
    """Whether a task can be one of these services in the account and Region of an ARN, as far as all of that is known."""
    mine, theirs = home.split(":")[3:5], str(row["task_arn"]).split(":")[3:5]
    elsewhere = any(one and other and one != other for one, other in zip(mine, theirs, strict=False))
    return not elsewhere and (not services or not row["service_name"] or row["service_name"] in services)


def address_of_task(task: Mapping[str, Any]) -> str:
    """The private address that a described task has by its network attachment; empty where it is not told."""
    details = [as_map(one) for each in as_list(task.get("attachments")) for one in as_list(as_map(each).get("details"))]
    return next((str(one.get("value")) for one in details if one.get("name") == "privateIPv4Address"), "")


def _stop(row: Mapping[str, Any]) -> Stop | None:
    span = _span(parsed(row["told"]) | ({"stoppedAt": row["stopped_at"].isoformat()} if row["stopped_at"] is not None else {}))
    if span is None:
        return None
    exits = f"exit code {row['exit_code']}" if row["exit_code"] is not None else ""
    why = ", ".join(str(one) for one in (row["stopped_reason"] or row["stop_code"], row["container_reason"], exits) if one)
    return Stop(str(row["task_arn"]).rpartition("/")[2], str(row["private_ip"]), *span, why or UNTOLD)


def _span(task: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """From when to when a task was being stopped (naive UTC), by its times as ECS writes them; null where it runs."""
    times = {name: at for name in STOPS if (at := moment(task.get(name))) is not None}
    if not times:
        return None
    began = min(times.values())
    return began, min(times.get("executionStoppedAt") or times.get("stoppedAt") or began, began + LONGEST_STOP)
