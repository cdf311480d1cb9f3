"""Which zone each log's clock keeps, and the shift of its rows to UTC.

A log that writes an offset is taken at its word. For the others (nginx error log, syslog, most application logs) the zone is, in this
order: told by case.toml; the difference to a second time on the same line (gunicorn inside syslog); the difference at which the same
requests stand in another log; the zone that the other logs of the same host write; UTC. All but the first are inferences and are said to
be (EDGE-120 to EDGE-125). A year that is not written is the one that puts the row nearest to the dated logs of the case (EDGE-127).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.correlate.skew import settle_skews
from kyumei.layouts.casts import quoted
from kyumei.model.artifact import Clock

if TYPE_CHECKING:
    import duckdb

    from kyumei.store.settings import Settings

QUARTER = 900
"""Zones differ by multiples of 15 minutes; a difference is snapped to them (EDGE-125)."""
NEAR_SECONDS = 3
"""How far two records of one request may lie apart after the zone is taken off: a request's own time, mostly."""
INNER_SECONDS = 120
"""How long a syslog daemon may hold a line."""
WIDEST = 14 * 3600
ENOUGH = 3
"""Requests that must agree before a match means anything."""
COMMON = 50
"""Keys that occur more often than this in one log match by chance and are left out."""


@dataclass(frozen=True)
class _Log:
    """Rows of one table in one file that state no zone."""

    table: str
    artifact: int
    name: str
    via: str | None

    @property
    def where(self) -> str:
        via = "_via IS NULL" if self.via is None else f"_via = {quoted(self.via)}"
        return f"_artifact = {self.artifact} AND {via} AND _naive > 0"


def settle(con: duckdb.DuckDBPyConnection, settings: Settings, moment: datetime | None) -> None:
    """Shift every row without a zone to UTC, in place, and note in ``_clocks`` how each zone is known."""
    con.execute(
        "CREATE TABLE _clocks (artifact INTEGER, table_name VARCHAR, via VARCHAR, zone VARCHAR, seconds INTEGER, source "
        "VARCHAR, why VARCHAR)"
    )
    tables = [leaf.name for leaf in discover.formats().values() if leaf.name != "resource_snapshot"]
    _date(con, tables, moment)
    _gather(con)
    waiting: list[_Log] = []
    for table in tables:
        for artifact, name, via in con.execute(
            f'SELECT DISTINCT _artifact, a.name, _via FROM "{table}" t JOIN artifacts a ON a.artifact = t._artifact WHERE '
            "_naive > 0 ORDER BY 1, 3"
        ).fetchall():
            waiting.append(_Log(table, artifact, name, via))
    for find in (_told, _inner, _matched, _same_host):
        for log in list(waiting):
            clock = find(con, settings, log)
            if clock is not None:
                _apply(con, log, clock)
                waiting.remove(log)
    for log in waiting:
        _apply(con, log, Clock("UTC", "assumed", why="nothing in the case tells its zone"))
    settle_skews(con)


def _date(con: duckdb.DuckDBPyConnection, tables: list[str], moment: datetime | None) -> None:
    """Give the rows without a year the one nearest to the dated rows of the case, to the symptom, or to the file's own time."""
    dated = " UNION ALL ".join(f'SELECT time FROM "{table}" WHERE _naive < 2 AND time IS NOT NULL' for table in tables)
    found = con.execute(f"SELECT to_timestamp(quantile_cont(epoch(time), 0.5))::TIMESTAMP FROM ({dated})").fetchone()
    reference = moment.astimezone(UTC).replace(tzinfo=None) if moment else (found[0] if found else None)
    for table in tables:
        for (artifact,) in con.execute(f'SELECT DISTINCT _artifact FROM "{table}" WHERE _naive = 2').fetchall():
            around = reference or _value(con, f"SELECT modified FROM artifacts WHERE artifact = {artifact}")
            # A leap day is one in every fourth year only: a year in which it would become another day is none of its own.
            shifted = [f"time + INTERVAL ({around.year - 2000 + step}) YEAR" for step in range(-4, 5)]
            made_right = [
                f"CASE WHEN day({made}) = day(time) THEN (abs(epoch({made}) - epoch($1::TIMESTAMP)), {made}) END" for made in shifted
            ]
            nearest = f"list_sort(list_filter([{', '.join(made_right)}], lambda one: one IS NOT NULL))[1][2]"
            con.execute(f'UPDATE "{table}" SET time = {nearest} WHERE _naive = 2 AND _artifact = {artifact}', [around])


def _value(con: duckdb.DuckDBPyConnection, sql: str) -> datetime:
    row = con.execute(sql).fetchone()
    found = row[0] if row else None
    return found if isinstance(found, datetime) else datetime.now(UTC).replace(tzinfo=None)


def _gather(con: duckdb.DuckDBPyConnection) -> None:
    """``_events``: what two logs may have in common, one row for each key of each record."""
    con.execute("CREATE TEMP TABLE _events (table_name VARCHAR, artifact INTEGER, via VARCHAR, naive BOOLEAN, time TIMESTAMP, key VARCHAR)")
    for leaf in discover.formats().values():
        keys = [f'"{name}"' for name in ("trace_id", "request_id") if name in leaf.table]
        if "path" in leaf.table and "method" in leaf.table:
            keys.append("CASE WHEN path IS NOT NULL THEN coalesce(method, '') || ' ' || path END")
        for key in keys:
            con.execute(
                f"INSERT INTO _events SELECT {quoted(leaf.name)}, _artifact, _via, _naive > 0, time, {key} AS k "
                f'FROM "{leaf.name}" WHERE k IS NOT NULL AND time IS NOT NULL QUALIFY count(*) OVER (PARTITION BY _artifact, k) <= {COMMON}'
            )


def _told(_: duckdb.DuckDBPyConnection, settings: Settings, log: _Log) -> Clock | None:
    zone = settings.zone(log.name)
    return Clock(zone, "told", why="case.toml says so") if zone else None


def _inner(con: duckdb.DuckDBPyConnection, _: Settings, log: _Log) -> Clock | None:
    """The zone from a second time on the same line, which states its own offset."""
    differences: Counter[int] = Counter()
    for leaf in discover.formats().values():
        if leaf.name == log.table:
            continue
        for seconds, count in con.execute(
            f'SELECT round(epoch(a.time - b.time)) AS s, count(*) FROM "{log.table}" a JOIN "{leaf.name}" b '
            f"ON a._artifact = b._artifact AND a._line = b._line WHERE a._artifact = {log.artifact} AND a._naive > 0 AND b._naive = 0 "
            "AND a.time IS NOT NULL AND b.time IS NOT NULL GROUP BY 1"
        ).fetchall():
            offset = round(seconds / QUARTER) * QUARTER
            if abs(seconds - offset) <= INNER_SECONDS and abs(offset) <= WIDEST:
                differences[offset] += count
    if not differences:
        return None
    offset, count = differences.most_common(1)[0]
    if count * 10 < sum(differences.values()) * 9:
        return None
    return Clock(zone_name(offset), "inner", why=f"{count} of its lines hold a second time that states its offset")


def _matched(con: duckdb.DuckDBPyConnection, _: Settings, log: _Log) -> Clock | None:
    """The zone at which the same requests stand in a log that states its own."""
    via = "IS NULL" if log.via is None else f"= {quoted(log.via)}"
    votes = con.execute(
        f"""WITH own AS (SELECT row_number() OVER () AS n, time, key FROM _events WHERE naive AND artifact = {log.artifact}
                AND table_name = {quoted(log.table)} AND via {via}),
            apart AS (SELECT n, epoch(own.time) - epoch(other.time) AS seconds
                FROM own JOIN _events other USING (key) WHERE NOT other.naive),
            snapped AS (SELECT n, seconds, round(seconds / {QUARTER}) * {QUARTER} AS zone FROM apart WHERE abs(seconds) <= {WIDEST + 60})
        SELECT zone::INTEGER, count(DISTINCT n) FROM snapped WHERE abs(seconds - zone) <= {NEAR_SECONDS}
        GROUP BY zone ORDER BY 2 DESC, abs(zone) LIMIT 2"""
    ).fetchall()
    if not votes or votes[0][1] < ENOUGH or (len(votes) > 1 and votes[1][1] * 2 > votes[0][1]):
        return None
    return Clock(zone_name(votes[0][0]), "matched", why=f"{votes[0][1]} of its requests stand in another log at that difference")


def _same_host(con: duckdb.DuckDBPyConnection, _: Settings, log: _Log) -> Clock | None:
    """The zone that the other logs of the same folder, or all other logs, write or were found to keep (EDGE-121)."""
    folder = log.name.rpartition("/")[0]
    rows = con.execute(
        "SELECT a.name, unnest(a.offsets), a.format FROM artifacts a "
        "WHERE a.format IN ('nginx_access', 'app_log', 'json_lines') AND len(a.offsets) > 0 "
        "UNION ALL SELECT a.name, c.seconds, c.table_name FROM _clocks c JOIN artifacts a USING (artifact) "
        f"WHERE c.seconds IS NOT NULL AND c.source <> 'assumed' AND (c.table_name <> 'syslog') = {log.table != 'syslog'}"
    ).fetchall()
    # nginx writes both of its logs by one clock; an application beside it may keep another.
    rows = [row for row in rows if log.table != "nginx_error" or row[2] == "nginx_access"] or rows
    for part in (folder, folder.partition("/")[0], ""):
        near = {offset for name, offset, _ in rows if not part or name == part or name.startswith(part + "/")}
        if len(near) == 1:
            where = f"the other logs in {part}/" if part else "the other server logs of the case"
            return Clock(zone_name(near.pop()), "assumed", why=f"{where} keep it")
    return None


def zone_name(seconds: int) -> str:
    """A difference from UTC in seconds as ``UTC`` or ``+09:00``."""
    if seconds == 0:
        return "UTC"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"


def _zone_seconds(zone: str) -> int | None:
    """A fixed zone as seconds east of UTC; null for one by name, whose difference may change within a year."""
    if zone == "UTC":
        return 0
    if zone[:1] not in {"+", "-"}:
        return None
    size = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
    return -size if zone[0] == "-" else size


def _apply(con: duckdb.DuckDBPyConnection, log: _Log, clock: Clock) -> None:
    """Shift the rows of a log to UTC and note how its zone is known; its events may now serve as a measure for others."""
    seconds = _zone_seconds(clock.zone)
    if seconds is not None:
        shifted = f"time - INTERVAL ({seconds}) SECOND"
    else:
        shifted = f"(time AT TIME ZONE {quoted(clock.zone)}) AT TIME ZONE 'UTC'"
    con.execute(f'UPDATE "{log.table}" SET time = {shifted} WHERE {log.where}')
    con.execute(
        "INSERT INTO _clocks VALUES (?, ?, ?, ?, ?, ?, ?)", [log.artifact, log.table, log.via, clock.zone, seconds, clock.source, clock.why]
    )
    if clock.source != "assumed":
        via = "IS NULL" if log.via is None else f"= {quoted(log.via)}"
        where = f"artifact = {log.artifact} AND table_name = {quoted(log.table)} AND via {via}"
        con.execute(f"UPDATE _events SET time = {shifted}, naive = false WHERE {where}")
