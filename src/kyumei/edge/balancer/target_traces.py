"""What the logs behind a load balancer hold of a request that it answered itself: records of it, and the end of a process.

A process that dies leaves no access line for the request it was at (EDGE-154), but its supervisor, or the kernel, writes one about the
death.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.balancer.answer import wall_seconds
from kyumei.edge.server.process_events import read
from kyumei.edge.server.process_lines import process_lines
from kyumei.edge.victims import asked, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kyumei.contracts import View

NEAR = timedelta(seconds=2)
"""Clocks of hosts in one region differ by less; logs that keep whole seconds lose up to one."""
AROUND = timedelta(minutes=15)
"""How far around the failing requests lines about processes are read: a restart may have begun long before."""
LATER = timedelta(seconds=900)
"""How long after the balancer gave up a target may still finish the request."""
RECORDERS = ("nginx_access", "apache_access", "app_log", "json_lines")
WRITTEN_AT_END = ("nginx_access", "app_log")
"""Logs whose lines are written when a request has ended, and say so by their time (Apache's say when it began)."""
LONG_WAIT = 8.0
"""Seconds that a balancer must have waited before the time of a line without a duration tells whether it was early."""
LOOKED_AT = 5
"""Requests of a failure that are looked for one by one behind the balancer."""
GIVEN_UP = 499
"""From this status on a record is of an answer that nobody took, or of a failure of its own."""
HALF = 0.5
"""Share of the failing requests that the ends of processes must explain to be their cause."""


class Ends(NamedTuple):
    """Ends of processes beside failing requests: the lines, how many requests they explain, and whether that names the cause.

    ``tell`` is true where they are ends of a server, on the targets' own host as far as hosts are known, beside at least half of the
    requests, and more often than by chance.
    """

    lines: tuple[Mapping[str, Any], ...]
    beside: int
    of: int
    tell: bool


def ends(view: View, rows: Sequence[Mapping[str, Any]]) -> Ends | None:
    """Ends of processes that serve requests, within seconds of the balancer's answers; null where there are none."""
    times = [row["time"] for row in rows]
    lines = process_lines(view, min(times) - AROUND, max(times) + AROUND)
    events = [event for event in read(lines) if event.serves is not False]
    asks = [asked("alb_access", row, str(row["target_ip"] or "")) for row in rows]
    found = fit(asks, events)
    if not found.asks:
        return None
    known = all(event.serves for event in found.events)
    told = tuple(line for event in found.events for line in event.rows)
    return Ends(told, len(found.asks), found.of, known and found.here and found.better and found.share >= HALF)


def reached(view: View, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records further in that can only be of these requests: same method and path in their seconds, and more of them than were relayed."""
    found: list[dict[str, Any]] = []
    for row in list(rows)[:LOOKED_AT]:
        if row["path"] is None or wall_seconds(row) is None:
            continue
        start, end = row["started"] - NEAR, row["time"] + NEAR
        inner = _records(view, row, start, end)
        certain = [one for one in inner if one["trace_id"] and one["trace_id"] == row["trace_id"]]
        possible = [one for one in inner if not (one["trace_id"] and row["trace_id"])]
        relayed = view.rows(
            "SELECT count(*) AS n FROM alb_access WHERE path = ? AND method IS NOT DISTINCT FROM ? AND target_status = status "
            "AND time >= ?::TIMESTAMP AND started <= ?::TIMESTAMP",
            row["path"],
            row["method"],
            start - NEAR,
            end + NEAR,
        )[0]["n"]
        by_table = [[one for one in possible if one["_table"] == table] for table in RECORDERS]
        found += certain or [one for own in by_table if len(own) > relayed for one in own]
    return found


def answered(view: View, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records further in that end these requests well, written in the seconds of the balancer's own answer.

    None unless that holds for half of them.
    """
    told = list(rows)[:LOOKED_AT]
    each = [[one for one in reached(view, [row]) if one["_table"] in WRITTEN_AT_END and one["status"] < GIVEN_UP] for row in told]
    hit = [found for found in each if found]
    return [one for found in hit for one in found] if len(hit) >= HALF * len(told) else []


def finished_later(view: View, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records further in of these requests that show the target at work until the balancer gave up, or longer."""
    return [one for row in list(rows)[:LOOKED_AT] for one, seconds in _same_start(view, row) if seconds >= (wall_seconds(row) or 0) - 1]


def finished_early(view: View, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records further in of these requests that show the target done well before the balancer gave up."""
    told = list(rows)[:LOOKED_AT]
    timed = [one for row in told for one, seconds in _same_start(view, row) if seconds < (wall_seconds(row) or 0) / 2]
    return timed or [one for row in told for one in _untimed_early(view, row)]


def _untimed_early(view: View, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Records without a duration, of logs that are written when the answer has been sent, from the first half of the balancer's wait."""
    wall = wall_seconds(row)
    if row["path"] is None or wall is None or wall < LONG_WAIT:
        return []
    start, end = row["started"] - NEAR, row["started"] + timedelta(seconds=wall / 2)
    own = [
        one
        for one in _records(view, row, start, end)
        if one["request_seconds"] is None and one["_table"] in WRITTEN_AT_END and one["status"] < GIVEN_UP
    ]
    # Whatever came before and was not done yet may end in this span as well, also what the balancer had given up by then.
    others = view.rows(
        "SELECT count(*) AS n FROM alb_access WHERE path = ? AND method IS NOT DISTINCT FROM ? AND started <= ?::TIMESTAMP AND "
        "(CASE WHEN target_status = status THEN time ELSE time + to_seconds(?) END) >= ?::TIMESTAMP "
        "AND NOT (started = ?::TIMESTAMP AND time = ?::TIMESTAMP)",
        row["path"],
        row["method"],
        end + NEAR,
        LATER.total_seconds(),
        start - NEAR,
        row["started"],
        row["time"],
    )[0]["n"]
    by_table = [[one for one in own if one["_table"] == table] for table in WRITTEN_AT_END]
    return [one for found in by_table if len(found) > others for one in found]


def _same_start(view: View, row: Mapping[str, Any]) -> list[tuple[dict[str, Any], float]]:
    """Records of the same method and path that began when this request did, with how long they took; none that the balancer relayed."""
    if row["path"] is None or wall_seconds(row) is None:
        return []
    inner = [
        (one, float(one["request_seconds"]))
        for one in _records(view, row, row["started"] - NEAR, row["time"] + LATER)
        if one["request_seconds"] is not None
        and abs(one["time"] - timedelta(seconds=min(float(one["request_seconds"]), 86400.0)) - row["started"]) <= NEAR
        and (not one["trace_id"] or not row["trace_id"] or one["trace_id"] == row["trace_id"])
    ]
    relayed = view.rows(
        "SELECT count(*) AS n FROM alb_access WHERE path = ? AND method IS NOT DISTINCT FROM ? AND target_status = status "
        "AND abs(epoch(started - ?::TIMESTAMP)) <= 3",
        row["path"],
        row["method"],
        row["started"],
    )[0]["n"]
    by_table = [[pair for pair in inner if pair[0]["_table"] == table] for table in RECORDERS]
    return [pair for own in by_table if len(own) > relayed for pair in own]


def _records(view: View, row: Mapping[str, Any], start: object, end: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for table in RECORDERS:
        if view.has(table):
            found += view.rows(
                f"SELECT '{table}' AS _table, _artifact, _line, time, status, request_seconds, trace_id FROM \"{table}\" "
                "WHERE path = ? AND coalesce(method = ?, true) AND status IS NOT NULL AND time BETWEEN ? AND ? "
                "AND NOT starts_with(coalesce(user_agent, ''), 'ELB-HealthChecker') ORDER BY time LIMIT 200",
                row["path"],
                row["method"],
                start,
                end,
            )
    return found
