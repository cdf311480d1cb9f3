"""Whether a server answered requests in a time in which it is said not to have served."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kyumei.edge.victims import same_place

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kyumei.contracts import Failure, View
    from kyumei.edge.server.process_events import Event

EDGE = timedelta(seconds=1)
"""At both ends of such a time clocks and whole seconds may deceive."""
WELL = {
    "alb_access": ("target_status < 500 AND coalesce(target_ip = ?, true)", "target_ip"),
    "clb_access": ("target_status < 500 AND coalesce(target_ip = ?, true)", "target_ip"),
    "nginx_access": ("regexp_matches(upstream_status, '^[1-4][0-9]{2}$') AND coalesce(host = ?, true)", "host"),
}
"""Per table: which records show that the server behind the failing requests answered well, and by which of their columns it is known."""


def answered_meanwhile(view: View, failure: Failure, events: Iterable[Event], end: datetime) -> int:
    """Requests that the server behind answered well while it is said not to have served, as far as the log tells who answered."""
    spans = [
        (event, event.time + EDGE, min(event.until - EDGE, end))
        for event in events
        if event.lasting and event.until - event.time > 2 * EDGE
    ]
    logged = sum(_lines_of_server(view, event, start, until) for event, start, until in spans)
    if failure.table not in WELL:
        return logged
    well, column = WELL[failure.table]
    sql = f'SELECT count(*) AS n FROM "{failure.table}" WHERE {well} AND time >= ? AND time < ?'
    relayed = sum(int(view.rows(sql, failure.rows[0].get(column), start, until)[0]["n"]) for _, start, until in spans)
    return max(relayed, logged)


def nothing_served(view: View, failure: Failure, event: Event, end: datetime) -> bool:
    """Whether the server behind answered no request well between a stop without a seen start and ``end``.

    Where a load balancer's record names the target, what other targets answered does not count.
    """
    target = failure.rows[0].get("target_ip")
    others = " AND coalesce(target_ip = ?, true)" if target else ""
    sql = f'SELECT count(*) AS n FROM "{failure.table}" WHERE status < 500 AND time > ? AND time <= ?{others}'
    return not view.rows(sql, event.time, end, *([target] if target else []))[0]["n"]


def _lines_of_server(view: View, event: Event, start: datetime, end: datetime) -> int:
    """Access lines that a server on the event's host wrote in the span, as far as the files tell hosts apart."""
    rows = view.rows(
        "SELECT _artifact, min(_line) AS _line, count(*) AS n FROM app_log WHERE server <> '' AND status < 500 AND time >= ? AND time < ? "
        "GROUP BY _artifact",
        start,
        end,
    )
    own = event.where.partition("|")[2]
    return sum(int(row["n"]) for row in rows if same_place(own, view.cite([row], 1)[0].file) is not False)
