"""What databases say in their own logs of statements and connections from the hosts of an application.

PostgreSQL and MySQL name the address that a session came from: only what came from the host that was at work on a request can be why that
request waited. A statement must have begun soon after the request did, be over before the request was, and have taken a good part of its
time; what another host asked, or what ran at another time, is somebody else's. A proxy in front of the database hides the host, and then
its log says nothing of single requests.

Follows "Error Reporting and Logging" of PostgreSQL's manual and "The Slow Query Log" of MySQL's.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.waits import PREFILTER, Wait, wait_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kyumei.contracts import View

MOST = 2000
BEGINS = timedelta(seconds=2)
"""How long after a request its statement may begin, or a tenth of the request's time if that is more."""
TENTH, HALF = 0.1, 0.5
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[?[0-9a-f:]{3,39}\]?", re.ASCII)
_PORT = re.compile(r"(?<=[0-9\]]):[0-9]{1,5}$")
_ONLY_TOLD = frozenset({"LOG", "INFO", "NOTICE", "STATEMENT", "DETAIL", "HINT", "CONTEXT", *(f"DEBUG{n}" for n in range(1, 6))})
"""Levels at which PostgreSQL refuses nothing; with ``log_statement`` they carry whatever a client asked."""
_STILL_WAITS = re.compile(r"process [0-9]{1,9} still waiting for ", re.ASCII)
_LOOPBACK = ("127.", "::1", "localhost", "unix:")


class Statement(NamedTuple):
    """A statement, or an attempt to connect, that the database tells of. Times are naive UTC; ``began`` is null where no length is told."""

    wait: Wait
    said: str
    client: str
    began: datetime | None
    ended: datetime
    row: Mapping[str, Any]

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return (self.ended - self.began).total_seconds() if self.began else None


def statements(view: View, hosts: Collection[str], start: datetime, end: datetime) -> list[Statement]:
    """What databases say of sessions from these addresses between two times, the earliest end first."""
    if not hosts:
        return []
    found = [*_postgres(view, hosts, start, end), *_mysql(view, hosts, start, end)]
    return sorted(found, key=lambda one: one.ended)


def fits(one: Statement, started: datetime, until: datetime) -> bool:
    """Whether a statement can be what a request waited for: begun soon after it, over with it, and a good part of its time."""
    length = (until - started).total_seconds()
    if one.began is None or one.seconds is None:
        return started <= one.ended <= until + timedelta(seconds=1)
    late = max(BEGINS, timedelta(seconds=length * TENTH))
    soon = started - timedelta(seconds=1) <= one.began <= started + late
    return soon and one.ended <= until + timedelta(seconds=1) and one.seconds >= length * HALF


def hosts_of(row: Mapping[str, Any]) -> set[str]:
    """The addresses of the hosts that a record in front says were asked: a balancer's target, or nginx's upstreams."""
    told = [str(row.get("target_ip") or ""), *re.split(r"[ ,]+", str(row.get("upstream_addr") or ""))]
    bare = {_PORT.sub("", one).strip("[]") for one in told if one and not one.startswith(_LOOPBACK)}
    return {one for one in bare if _ADDRESS.fullmatch(one)}


def _postgres(view: View, hosts: Collection[str], start: datetime, end: datetime) -> list[Statement]:
    if not view.has("postgres_log"):
        return []
    text = "concat_ws(' ', message, statement)"
    rows = view.rows(
        f"SELECT _artifact, _line, time, level, message, duration_seconds, client_ip, {text} AS said "
        "FROM postgres_log WHERE time BETWEEN ? AND ? "
        f"AND list_contains(?::VARCHAR[], client_ip) AND (duration_seconds IS NOT NULL OR regexp_matches({text}, ?)) "
        f"ORDER BY duration_seconds DESC NULLS FIRST, time LIMIT {MOST}",
        *(start, end, sorted(hosts), PREFILTER),
    )
    found = []
    for row in rows:
        if wait := _wait(row):
            began = row["time"] - timedelta(seconds=min(row["duration_seconds"], 86400.0)) if row["duration_seconds"] is not None else None
            found.append(Statement(wait, row["said"], row["client_ip"], began, row["time"], row))
    return found


def _wait(row: Mapping[str, Any]) -> Wait | None:
    """What a line of PostgreSQL says it made its client wait for: by its own words, since a statement may hold any words at all."""
    if row["duration_seconds"] is not None:
        return wait_of(f"duration: {row['duration_seconds'] * 1000:.3f} ms")
    message = str(row["message"] or "")
    if str(row["level"] or "").upper() in _ONLY_TOLD and not _STILL_WAITS.match(message):
        return None
    return wait_of(message)


def _mysql(view: View, hosts: Collection[str], start: datetime, end: datetime) -> list[Statement]:
    if not view.has("mysql_slow"):
        return []
    rows = view.rows(
        "SELECT _artifact, _line, time, started, query_seconds, lock_seconds, rows_examined, client_ip, statement FROM mysql_slow "
        "WHERE coalesce(started, time) <= ? AND time >= ? AND list_contains(?::VARCHAR[], client_ip) AND query_seconds IS NOT NULL "
        f"ORDER BY query_seconds DESC LIMIT {MOST}",
        *(end, start, sorted(hosts)),
    )
    found = []
    for row in rows:
        took = timedelta(seconds=min(row["query_seconds"], 86400.0))
        # Where the log keeps only when a statement began, both times are that.
        ended = row["time"] if row["started"] is None or row["time"] > row["started"] else row["started"] + took
        said = f"Query_time: {row['query_seconds']:g} Lock_time: {row['lock_seconds'] or 0:g} {row['statement'] or ''}"
        locked = (row["lock_seconds"] or 0) >= row["query_seconds"] * HALF
        wait = wait_of("Lock wait timeout exceeded" if locked else said)
        if wait is not None and start <= ended <= end:
            found.append(Statement(wait, said, row["client_ip"], ended - took, ended, row))
    return found
