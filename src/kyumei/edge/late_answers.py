"""What the logs behind hold of a request whose answer was given up: the application's own line of it, and what it waited for meanwhile.

A line is of the request for sure by an id, or because it began when the request did; by method, path and time alone it may be another's.
What the application waited for is told by itself, by its database's own log, or by a pause of its process.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.database.lines import fits, hosts_of, statements
from kyumei.edge.literals import literal
from kyumei.edge.server.pauses import PAUSED, pause_of, pauses
from kyumei.edge.waits import PREFILTER, Wait, seconds_in, wait_of
from kyumei.model.status import CLIENT_CLOSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import Failure, View
    from kyumei.edge.victims import Ask

Row = dict[str, Any]
WEB_SERVERS = frozenset({"nginx", "apache"})
"""Whose files lie in the folder of the host that they ran on."""
LATEST = timedelta(minutes=15)
"""How long after the answer was given up the application may still finish."""
SAME_START = timedelta(seconds=3)
CONNECTING = 11.0
"""Seconds below which a load balancer may have waited for a connection only, which it does for 10."""
HALF = 0.5
TABLES = ("app_log", "json_lines")


class Late(NamedTuple):
    """A request with the application's own line for it; ``sure`` if an id or both ends agree, not only path and time."""

    ask: Ask
    line: Row
    sure: bool


class Waited(NamedTuple):
    """What the application wrote about its database in a request's time.

    ``sure`` if the line names the request by its id, or its path or process with a length that fits; ``named`` if it names the path only.
    """

    ask: Ask
    wait: Wait
    line: Row
    sure: bool
    named: bool
    client: str = ""
    """The application's host, where the line is the database's own."""


def finished(view: View, failure: Failure, asks: Sequence[Ask]) -> tuple[list[Late], list[Late]]:
    """The application's lines for these requests: those written after the answer was given up, and those long before."""
    late: list[Late] = []
    fast: list[Late] = []
    taken: set[tuple[int, int]] = set()
    for ask in asks:
        for line in _own_lines(view, ask):
            place = (line["_artifact"], line["_line"])
            if place in taken or (agrees := _agrees(ask, line)) is None:
                continue
            after = line["time"] >= ask.ended - timedelta(seconds=1)
            if not agrees and (not after or _anothers(view, failure, ask, line) or (ask.timed and ask.lasted < CONNECTING)):
                continue
            taken.add(place)
            (late if after else fast).append(Late(ask, line, agrees))
            break
    return late, fast


def left_waiting(view: View, failure: Failure, asks: Sequence[Ask]) -> list[Late]:
    """Lines of nginx of these requests with 499: it was still waiting for the application when what stands in front of it gave up."""
    found: list[Late] = []
    if failure.hop in WEB_SERVERS:
        return found
    for ask in asks:
        rows = view.rows(
            "SELECT * FROM nginx_access WHERE status = ? AND path = ? AND coalesce(method = ?, true) AND time BETWEEN ? AND ? AND "
            "coalesce(trace_id = ?, true) AND request_seconds >= ? ORDER BY time",
            CLIENT_CLOSED,
            ask.row.get("path"),
            ask.row.get("method"),
            ask.ended - SAME_START,
            ask.ended + SAME_START,
            ask.row.get("trace_id"),
            max(ask.lasted * HALF, 1.0),
        )
        if len(rows) == 1:
            found.append(Late(ask, rows[0], sure=ask.timed))
    return found


def waited_for(view: View, asks: Sequence[Ask], late: Sequence[Late]) -> list[Waited]:
    """For each request the line about a wait that fits it best."""
    if not asks:
        return []
    start, end = min(one.started for one in asks), max(one.ended for one in asks) + LATEST
    lines: list[Row] = []
    text = "concat_ws(' ', message, error_type, error_text)"
    for table in TABLES:
        lines += view.rows(
            f'SELECT _artifact, _line, time, pid, trace_id, request_id, {text} AS said FROM "{table}" '
            f"WHERE time BETWEEN ? AND ? AND status IS NULL AND regexp_matches({text}, {literal(PREFILTER)}) ORDER BY time LIMIT 2000",
            start,
            end,
        )
    ends = {id(one.ask): one.line for one in late}
    found = []
    for ask in asks:
        told = ends.get(id(ask))
        fitting = [one for line in lines if (one := _waited(ask, line, told)) is not None]
        if fitting:
            found.append(max(fitting, key=lambda one: (one.sure, one.named)))
    return found


def in_database(view: View, failure: Failure, asks: Sequence[Ask], late: Sequence[Late]) -> list[Waited]:
    """What the database's own log says of the hosts that were at work on the requests, in their time and of a length that fits."""
    inside = {host for seen in failure.sightings.get("alb", ()) for host in hosts_of(seen)}
    ends = {id(one.ask): one.line["time"] for one in late}
    found = []
    for ask in asks:
        done = ends.get(id(ask))
        fitting = [
            one
            for one in statements(view, hosts_of(ask.row) or inside, ask.started, done or ask.ended + LATEST)
            # Where nothing says when the application was done, its statement may have gone on after the answer was given up.
            if fits(one, ask.started, done or (max(ask.ended, one.ended) if one.began else ask.ended))
        ]
        if fitting:
            best = max(fitting, key=lambda one: one.seconds or 0.0)
            found.append(Waited(ask, best.wait, dict(best.row) | {"said": best.said}, sure=False, named=True, client=best.client))
    return found


def standing_still(view: View, failure: Failure, asks: Sequence[Ask]) -> list[Waited]:
    """Pauses of the application's own process that took up the requests' time."""
    if not asks:
        return []
    told = pauses(view, min(ask.started for ask in asks), max(ask.ended for ask in asks))
    found = [(ask, pause_of(view, failure.table, ask, told)) for ask in asks if told]
    return [Waited(ask, PAUSED, dict(one[0].row), sure=False, named=one[1]) for ask, one in found if one is not None]


def _own_lines(view: View, ask: Ask) -> list[Row]:
    """Lines of the application that state the end of a request for the same method and path, from its start until long after."""
    row = ask.row
    found: list[Row] = []
    for table in TABLES:
        found += view.rows(
            f'SELECT _artifact, _line, time, path, status, request_seconds, trace_id, request_id, pid, message, query FROM "{table}" '
            "WHERE path = ? AND coalesce(method = ?, true) AND (status IS NOT NULL OR request_seconds IS NOT NULL) "
            "AND time BETWEEN ? AND ? ORDER BY time LIMIT 50",
            row.get("path"),
            row.get("method"),
            ask.started - SAME_START,
            ask.ended + LATEST,
        )
    # Of several lines those that agree by an id or by their length come first.
    return sorted(found, key=lambda line: (not _agrees(ask, line), line["time"] < ask.ended, line["time"]))


def _agrees(ask: Ask, line: Mapping[str, Any]) -> bool | None:
    """Whether the line is of this request for sure (true), may be (false), or is not (null)."""
    ids = [(ask.row.get(name), line.get(name)) for name in ("trace_id", "request_id")]
    if any(mine and theirs and mine == theirs for mine, theirs in ids):
        return True
    if any(mine and theirs for mine, theirs in ids[:1]):
        return None
    if ask.row.get("query") and line.get("query") and ask.row["query"] != line["query"]:
        return None
    if line["request_seconds"] is None:
        return False
    began = line["time"] - timedelta(seconds=line["request_seconds"])
    if not ask.timed:
        return False if began <= ask.ended else None
    return True if abs(began - ask.started) <= SAME_START else None


def _anothers(view: View, failure: Failure, ask: Ask, line: Mapping[str, Any]) -> bool:
    """Whether a line without a length belongs to another request: one that the outer log shows to have ended then."""
    near = view.rows(
        f'SELECT count(*) AS n FROM "{failure.table}" WHERE path = ? AND coalesce(method = ?, true) AND time BETWEEN ? AND ? AND time <> ?',
        ask.row.get("path"),
        ask.row.get("method"),
        line["time"] - timedelta(seconds=3),
        line["time"] + timedelta(seconds=3),
        ask.row["time"],
    )
    return bool(near[0]["n"])


def _waited(ask: Ask, line: Row, told: Mapping[str, Any] | None) -> Waited | None:
    """What a line about a wait says of a request, if it may speak of it: in its time, and of a length that fits."""
    until: datetime = told["time"] if told else ask.ended + timedelta(seconds=5)
    wait = wait_of(line["said"])
    if wait is None or not ask.started <= line["time"] <= until + timedelta(seconds=1):
        return None
    ids = [(ask.row.get(name) or (told or {}).get(name), line.get(name)) for name in ("trace_id", "request_id")]
    if any(mine and theirs and mine != theirs for mine, theirs in ids):
        return None
    took = seconds_in(line["said"])
    length = (until - ask.started).total_seconds()
    if took is not None and took < length * HALF:
        return None
    path = str(ask.row.get("path") or "")
    named = len(path) > 1 and path in line["said"]
    process = told is not None and told.get("pid") is not None and told["pid"] == line.get("pid")
    same = any(mine and mine == theirs for mine, theirs in ids)
    return Waited(ask, wait, line, bool(same or (took is not None and (named or process))), named)
