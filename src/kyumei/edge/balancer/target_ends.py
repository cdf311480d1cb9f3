"""Ends of targets beside failing requests: of ECS tasks, as events or descriptions tell them, and of containers in Kubernetes.

An end explains more than the requests that it cut off: until something answers at that address again, or, where all that served the group
has ended, until anything does. What went to another target, or came after that, is not explained by it.

Follows "Amazon ECS task state change events" in the Amazon ECS Developer Guide and "Debug Running Pods" in the Kubernetes documentation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.balancer.pod_ends import end_words, ends_of_pods
from kyumei.edge.balancer.setting import group_of
from kyumei.edge.balancer.task_stops import described_stops, stops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part
    from kyumei.model.finding import Citation

SECONDS = timedelta(seconds=5)
SOON = timedelta(minutes=10)
"""How long after an end a target may be refused for it."""
SERVED = timedelta(hours=1)
"""How far back it is looked for what served the group."""


class End(NamedTuple):
    """The end of a target: its name and address, when it began and was done (naive UTC), in words, and where that stands."""

    name: str
    address: str
    began: datetime
    ended: datetime
    words: str
    citations: tuple[Citation, ...]


class Reach(NamedTuple):
    """The requests of a part that ends of targets explain, and those ends."""

    ends: tuple[End, ...]
    rows: tuple[Mapping[str, Any], ...]


def ends(view: View, part: Part, addresses: Sequence[str], start: datetime, end: datetime) -> list[End]:
    """The ends of targets with these addresses that touch a span of time, each told once, the earliest first."""
    found: dict[str, End] = {}
    for one in (*stops(view, part, addresses, start, end), *described_stops(view, addresses, start, end)):
        found.setdefault(one.task, End(one.task, one.address, one.began, one.ended, one.words, one.citations))
    for pod in ends_of_pods(view, addresses, start, end):
        name, at = str(pod["object_name"]), pod["last_ended"]
        found.setdefault(name, End(name, str(pod["private_ip"]), at, at, end_words(pod), view.cite([pod])))
    return sorted(found.values(), key=lambda one: (one.began, one.name))


def refused_since(view: View, part: Part) -> Reach:
    """The requests that could not be handed to their target, for it had ended and nothing answered at its address since."""
    rows = [row for row in part.rows if row.get("target_ip")]
    if not rows:
        return Reach((), ())
    times, addresses = [row["time"] for row in rows], sorted({str(row["target_ip"]) for row in rows})
    found = ends(view, part, addresses, min(times) - SOON, max(times) + SECONDS)
    again = {one.name: _answered_again(view, one) for one in found}
    hit = tuple(row for row in rows if any(_explains(one, row, again[one.name]) for one in found))
    used = tuple(one for one in found if any(_explains(one, row, again[one.name]) for row in rows))
    return Reach(used, hit)


def _explains(one: End, row: Mapping[str, Any], again: datetime | None) -> bool:
    """Whether an end can be why a target refused: near enough, and nothing has answered at that address again by then."""
    near = one.began - SECONDS <= row["time"] <= one.ended + SOON
    return bool(one.address == row["target_ip"] and near and (again is None or row["time"] < again))


def _answered_again(view: View, one: End) -> datetime | None:
    """When the first request after a target's end went to its address that was answered there: something has it since."""
    found: datetime | None = view.rows(
        "SELECT min(time) AS first FROM alb_access WHERE target_ip = ? AND target_status IS NOT NULL "
        "AND coalesce(started, time) BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP",
        *(one.address, one.ended + SECONDS, one.ended + SOON),
    )[0]["first"]
    return found


def none_left(view: View, part: Part) -> Reach:
    """The requests for which no target was left: all that had served the group had ended, and nothing answered since."""
    times = [row["time"] for row in part.rows]
    group, first = group_of(view, part.row), min(times)
    served = view.rows(
        "SELECT target_ip, max(time) AS last FROM alb_access WHERE elb = ? AND target_group_arn = ? AND target_ip IS NOT NULL "
        "AND target_status = status AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP GROUP BY 1 ORDER BY 1 LIMIT 500",
        *(part.row["elb"], group, first - SERVED, first),
    )
    if not served:
        return Reach((), ())
    found = ends(view, part, [str(row["target_ip"]) for row in served], first - SERVED, max(times) + SECONDS)
    ended = [
        max((one for one in found if one.address == row["target_ip"] and one.ended >= row["last"] - SECONDS), default=None)
        for row in served
    ]
    used = tuple(one for one in ended if one is not None)
    if len(used) < len(served):
        return Reach((), ())  # Something that served has not ended: the group may have lost it for another reason.
    last = max(one.began for one in used)
    again: datetime | None = view.rows(
        "SELECT min(time) AS first FROM alb_access WHERE elb = ? AND target_group_arn = ? AND target_status IS NOT NULL "
        "AND coalesce(started, time) > ?::TIMESTAMP",
        *(part.row["elb"], group, max(one.ended for one in used) + SECONDS),
    )[0]["first"]
    until = max(one.ended for one in used) + SOON
    hit = tuple(row for row in part.rows if last - SECONDS <= row["time"] <= until and (again is None or row["time"] < again))
    return Reach(used if hit else (), hit)
