"""Stops of ECS tasks beside failing requests, joined by the address of the task that a load balancer called its target.

A task whose address is another one's is no evidence, however near its stop lies. Events repeat and come out of order, and a description of
a stopped task is there for an hour only: each stop is told once, by the row that tells most.

Follows "Amazon ECS task state change events" and "Stopped tasks error messages" in the Amazon ECS Developer Guide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import as_list, as_map, parsed
from kyumei.edge.metrics import moment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from kyumei.contracts import View

LONGEST_STOP = timedelta(minutes=15)
"""A task may take its stop timeout, and the balancer its deregistration delay, before it is gone."""


class Stop(NamedTuple):
    """A task that stopped: from when on it was being stopped, when it had stopped (naive UTC), why, and the event."""

    task: str
    address: str
    began: datetime
    ended: datetime
    why: str
    row: Mapping[str, Any]

    @property
    def words(self) -> str:
        """What ECS says of it."""
        return f"ECS stopped the task {self.task} at {self.address} from {self.began:%H:%M:%S} to {self.ended:%H:%M:%S} UTC: {self.why}"


def stops(  # noqa: PLR0913 - which tasks, when and whose
    view: View, addresses: list[str], start: datetime, end: datetime, home: str = "", services: Collection[str] = ()
) -> list[Stop]:
    """The stops of tasks with these addresses that touch a span of time (naive UTC), the earliest first.

    ``home`` is an ARN of the account and Region in which they must be, ``services`` the names of the services that may have them, each
    empty where it is not known: private addresses are the same in many networks.
    """
    if not addresses or not view.has("ecs_event"):
        return []
    rows = view.rows(
        "SELECT _artifact, _line, task_arn, private_ip, service_name, stop_code, stopped_reason, container_reason, exit_code, "
        "stopped_at, time, detail::VARCHAR AS told FROM ecs_event WHERE kind = 'task' AND list_contains(?::VARCHAR[], private_ip) "
        "AND task_arn IS NOT NULL "
        "AND desired_status = 'STOPPED' ORDER BY version DESC NULLS LAST, time DESC, _artifact, _line LIMIT 2000",
        addresses,
    )
    found: dict[str, Stop] = {}
    for row in rows:
        one = _stop(row) if _is_at_home(row, home, services) else None
        if one is not None and row["task_arn"] not in found:
            found[row["task_arn"]] = one
    return sorted((one for one in found.values() if one.began <= end and one.ended >= start), key=lambda one: one.began)


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
    detail = parsed(row["told"])
    times = {name: at for name in ("stoppingAt", "executionStoppedAt", "stoppedAt") if (at := moment(detail.get(name))) is not None}
    if row["stopped_at"] is not None:
        times["stoppedAt"] = row["stopped_at"]
    if not times:
        return None
    began = min(times.values())
    ended = min(times.get("executionStoppedAt") or times.get("stoppedAt") or began, began + LONGEST_STOP)
    exits = f"exit code {row['exit_code']}" if row["exit_code"] is not None else ""
    why = ", ".join(str(one) for one in (row["stopped_reason"] or row["stop_code"], row["container_reason"], exits) if one)
    return Stop(str(row["task_arn"]).rpartition("/")[2], str(row["private_ip"]), began, ended, why or "no reason told", row)
