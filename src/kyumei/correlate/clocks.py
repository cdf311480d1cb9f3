"""Which zone each log's clock keeps, and the shift of its rows to UTC.

A log that writes an offset is taken at its word. For the others (nginx error log, syslog, most application logs) the zone is, in this
order: told by case.toml; the difference to a second time on the same line (gunicorn inside syslog); the difference at which the same
requests stand in another log, or the log's errors beside failing ones; the zone that the other logs of the same host write; UTC. All but
the first are inferences and are said to be (EDGE-120 to EDGE-125). A year that is not written is the one that puts the row nearest to the
dated logs of the case (EDGE-127).
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kyumei import discover
from kyumei.correlate.coinciding import QUARTER, WIDEST, zones
from kyumei.correlate.skew import settle_skews
from kyumei.layouts.casts import quoted
from kyumei.model.artifact import Clock
from kyumei.store.filled import filled
from kyumei.store.narrow import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from kyumei.store.settings import Settings

SLOT = 30
"""Seconds of a slot of a quarter of an hour."""
NEAR_SECONDS = 3
"""How far two records of one request may lie apart after the zone is taken off: a request's own time, mostly."""
INNER_SECONDS = 120
"""How long a syslog daemon may hold a line."""
ENOUGH = 3
"""Requests that must agree before a match means anything."""
UNTOLD = "nothing in the case tells its zone"
COMMON = 50
"""Keys that occur more often than this in one log match by chance, too: they are asked where no others are, and so many of each."""
MOST_COMMON = 2500
"""Keys that occur more often than this match at every zone."""
ENOUGH_COMMON = 20
"""Requests with common keys that must agree, and at no other zone a third as many."""


class _Log(NamedTuple):
    """Rows of one table in one file that state no zone."""

    table: str
    artifact: int
    name: str
    via: str | None


Zones = dict[_Log, Clock]
"""The logs whose zone was found, and how."""


def settle(con: duckdb.DuckDBPyConnection, settings: Settings, moment: datetime | None) -> None:
    """Shift every row without a zone to UTC, in place, and note in ``_clocks`` how each zone is known."""
    con.execute(
        "CREATE TABLE _clocks (artifact INTEGER, table_name VARCHAR, via VARCHAR, zone VARCHAR, seconds INTEGER, source "
        "VARCHAR, why VARCHAR)"
    )
    tables = [name for name in filled(con) if name != "resource_snapshot"]
    _date(con, tables, moment)
    _gather(con, tables)
    waiting: list[_Log] = []
    for table in tables:
        rows = con.execute(
            f'SELECT DISTINCT _artifact, a.name, _via FROM "{table}" t JOIN artifacts a ON a.artifact = t._artifact WHERE '
            "_naive > 0 ORDER BY 1, 3"
        ).fetchall()
        waiting += [_Log(table, artifact, name, via) for artifact, name, via in rows]
    for find in (partial(_told, settings), _inner, _matched, partial(_matched, common=True), _coinciding, _same_host):
        found = find(con, waiting) if waiting else {}
        waiting = [log for log in waiting if log not in found]
    nothing = Clock("UTC", "assumed", why=UNTOLD)
    _note(con, dict.fromkeys(waiting, nothing))
    settle_skews(con)


def _date(con: duckdb.DuckDBPyConnection, tables: list[str], moment: datetime | None) -> None:
    """Give the rows without a year the one nearest to the dated rows of the case, to the symptom, or to the file's own time.

    A file was last written when its last row was, or later: where its time is all there is to go by, no row is after it by more than a
    day, which a clock or a zone may be off.
    """
    dated = " UNION ALL ".join(f'SELECT time FROM "{table}" WHERE _naive < 2 AND time IS NOT NULL' for table in tables)
    found = con.execute(f"SELECT to_timestamp(quantile_cont(epoch(time), 0.5))::TIMESTAMP FROM ({dated})").fetchone() if dated else None
    reference = moment.astimezone(UTC).replace(tzinfo=None) if moment else (found[0] if found else None)
    now = datetime.now(UTC).replace(tzinfo=None)
    # A leap day is one in every fourth year only: a year in which it would become another day is none of its own.
    made = "time + to_years((year(around) - 2000 + step)::INTEGER)"
    fits = f"day({made}) = day(time) AND ($1 IS NOT NULL OR {made} <= around + INTERVAL 1 DAY)"
    nearest = f"""list_sort(list_filter([CASE WHEN {fits} THEN (abs(epoch({made}) - epoch(around)), {made}) END
        FOR step IN range(-4, 5)], lambda one: one IS NOT NULL))[1][2]"""
    for table in tables:
        undated = con.execute(f'SELECT 1 FROM "{table}" WHERE _naive = 2 LIMIT 1').fetchone()
        for own in tables_of(con, table) if undated else ():
            con.execute(
                f"""UPDATE "{own}" SET time = {nearest} FROM (SELECT artifact, coalesce($1::TIMESTAMP, modified, $2::TIMESTAMP) AS around
                    FROM artifacts) o WHERE _naive = 2 AND _artifact = o.artifact""",
                [reference, now],
            )


def _gather(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> None:
    """``_events``: what two logs may have in common, one row for each key of each record.

    Of a common key only those at the beginning of each quarter of an hour are kept, the fewer the more there are: two logs of the same
    requests keep the same ones, whatever their zones.
    """
    con.execute(
        "CREATE TEMP TABLE _events (table_name VARCHAR, artifact INTEGER, via VARCHAR, naive BOOLEAN, time TIMESTAMP, key VARCHAR, "
        "common BOOLEAN)"
    )
    for leaf in (discover.formats()[name] for name in tables):
        keys = [f'"{name}"' for name in ("trace_id", "request_id") if name in leaf.table]
        if "path" in leaf.table and "method" in leaf.table:
            keys.append("CASE WHEN path IS NOT NULL THEN coalesce(method, '') || ' ' || path END")
        for key in keys:
            con.execute(
                f"INSERT INTO _events SELECT * EXCLUDE (n), n > {COMMON} FROM (SELECT {quoted(leaf.name)}, _artifact, _via, _naive > 0, "
                f'time, {key} AS k, count(*) OVER (PARTITION BY _artifact, k) AS n FROM "{leaf.name}" WHERE k IS NOT NULL '
                f"AND time IS NOT NULL) WHERE n <= {COMMON} OR (n <= {MOST_COMMON} AND epoch(time) % {QUARTER} * n < {QUARTER * COMMON})"
            )


def _told(settings: Settings, con: duckdb.DuckDBPyConnection, logs: Sequence[_Log]) -> Zones:
    """The zones that the user told."""
    found = {log: Clock(zone, "told", why="case.toml says so") for log in logs if (zone := settings.zone(log.name))}
    _shift(con, found)
    _shift_events(con, found)
    _note(con, found)
    return found


def _inner(con: duckdb.DuckDBPyConnection, logs: Sequence[_Log]) -> Zones:
    """The zone from a second time on the same line, which states its own offset."""
    found: Zones = {}
    for own in _turns(logs):
        turn: Zones = {}
        differences = _inner_differences(con, own)
        for log in own:
            offset, count = differences[log].most_common(1)[0] if differences[log] else (0, 0)
            if count and count * 10 >= sum(differences[log].values()) * 9:
                turn[log] = Clock(zone_name(offset), "inner", why=f"{count} of its lines hold a second time that states its offset")
        _shift(con, turn)
        found |= turn
    _shift_events(con, found)
    _note(con, {log: found[log] for log in logs if log in found})
    return found


def _turns(logs: Sequence[_Log]) -> list[list[_Log]]:
    """The logs in turns, none of which holds two of one table in one file: these stand on each other's lines."""
    turns: list[list[_Log]] = []
    met: Counter[tuple[str, int]] = Counter()
    for log in logs:
        turn = met[log.table, log.artifact]
        met[log.table, log.artifact] += 1
        turns += [[] for _ in range(turn + 1 - len(turns))]
        turns[turn].append(log)
    return turns


def _inner_differences(con: duckdb.DuckDBPyConnection, logs: Sequence[_Log]) -> dict[_Log, Counter[int]]:
    """How many lines of each log hold a second time that lies a full zone apart, by the zone in seconds."""
    found: dict[_Log, Counter[int]] = {log: Counter() for log in logs}
    by_file = {(log.table, log.artifact): log for log in logs}
    for table in dict.fromkeys(log.table for log in logs):
        for other in filled(con):
            if other == table:
                continue
            for artifact, seconds, count in con.execute(
                f'SELECT a._artifact, round(epoch(a.time - b.time)) AS s, count(*) FROM "{table}" a JOIN "{other}" b '
                "ON a._artifact = b._artifact AND a._line = b._line WHERE a._naive > 0 AND b._naive = 0 "
                "AND a.time IS NOT NULL AND b.time IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
            ).fetchall():
                offset = round(seconds / QUARTER) * QUARTER
                if (table, artifact) in by_file and abs(seconds - offset) <= INNER_SECONDS and abs(offset) <= WIDEST:
                    found[by_file[table, artifact]][offset] += count
    return found


def _matched(con: duckdb.DuckDBPyConnection, logs: Sequence[_Log], *, common: bool = False) -> Zones:
    """The zone at which the same requests stand in a log that states its own, or in an earlier one whose zone was found so.

    All logs vote at once, and again with the zones that the last vote gave to those before them, until nothing changes any more.
    """
    found: Zones = {}
    while True:
        last = found
        found = {log: clock for log, votes in _votes(con, logs, last, common=common).items() if (clock := _elected(votes, common=common))}
        if {log: clock.zone for log, clock in found.items()} == {log: clock.zone for log, clock in last.items()}:
            break
    found = {log: found[log] for log in logs if log in found}
    _shift(con, found)
    _shift_events(con, found)
    _note(con, found)
    return found


def _elected(votes: Sequence[tuple[int, int]], *, common: bool) -> Clock | None:
    """The zone with the most votes, where enough requests gave theirs and no other zone comes near."""
    zone, count = votes[0]
    least, rivals = (ENOUGH_COMMON, 3) if common else (ENOUGH, 2)
    if count < least or (len(votes) > 1 and votes[1][1] * rivals > count):
        return None
    return Clock(zone_name(zone), "matched", why=f"{count} of its requests stand in another log at that difference")


def _votes(con: duckdb.DuckDBPyConnection, logs: Sequence[_Log], found: Zones, *, common: bool) -> dict[_Log, list[tuple[int, int]]]:
    """For each log the two zones at which most of its requests stand in others: seconds, and how many.

    The others are the logs with a zone, and of ``logs`` those that are ``found`` and come before it.
    """
    # What stands a multiple of 15 minutes apart stands in the same slot of its quarter of an hour: most other pairs are never looked at.
    since, slots, apart = "date_diff('second', TIMESTAMP '0001-01-01', time)", QUARTER // SLOT, NEAR_SECONDS + 1
    rows = con.execute(
        f"""WITH logs AS (SELECT unnest(range(len($tables))) AS place, unnest($tables::VARCHAR[]) AS table_name,
                unnest($artifacts::INTEGER[]) AS artifact, unnest($vias::VARCHAR[]) AS via, unnest($seconds::INTEGER[]) AS seconds),
            own AS (SELECT row_number() OVER () AS n, place, seconds, time, key, {since} AS since FROM _events e JOIN logs l
                ON naive AND common <= $common AND e.table_name = l.table_name AND e.artifact = l.artifact
                AND e.via IS NOT DISTINCT FROM l.via),
            spread AS (SELECT *, unnest(range((since - {apart}) // {SLOT}, (since + {apart}) // {SLOT} + 1)) % {slots} AS slot FROM own),
            known AS (SELECT key, time, -1 AS place FROM _events WHERE NOT naive AND common <= $common
                UNION ALL SELECT key, time - to_seconds(seconds), place FROM own WHERE seconds IS NOT NULL),
            other AS (SELECT key, time, min(place) AS place, {since} // {SLOT} % {slots} AS slot FROM known
                WHERE key IN (SELECT key FROM own) GROUP BY key, time),
            apart AS (SELECT n, s.place, epoch(s.time) - epoch(o.time) AS seconds FROM spread s JOIN other o
                ON s.key = o.key AND s.slot = o.slot AND o.place < s.place),
            snapped AS (SELECT *, round(seconds / {QUARTER}) * {QUARTER} AS zone FROM apart WHERE abs(seconds) <= {WIDEST + 60})
        SELECT place, zone::INTEGER, count(DISTINCT n) AS votes FROM snapped
        WHERE abs(seconds - zone) <= {NEAR_SECONDS} GROUP BY place, zone
        QUALIFY row_number() OVER (PARTITION BY place ORDER BY votes DESC, abs(zone)) <= 2 ORDER BY votes DESC, abs(zone)""",
        {
            "tables": [log.table for log in logs],
            "artifacts": [log.artifact for log in logs],
            "vias": [log.via for log in logs],
            "common": common,
            "seconds": [_zone_seconds(found[log].zone) if log in found else None for log in logs],
        },
    ).fetchall()
    votes: dict[_Log, list[tuple[int, int]]] = {}
    for place, zone, count in rows:
        votes.setdefault(logs[place], []).append((zone, count))
    return votes


def _coinciding(con: duckdb.DuckDBPyConnection, logs: Sequence[_Log]) -> Zones:
    """The zone at which a log's errors stand where requests failed, for logs that name no request."""
    by_place = {(log.table, log.artifact, log.via): log for log in logs}
    found = {
        by_place[place]: Clock(zone_name(zone), "matched", why=f"at {met} moments its errors stand where requests failed in another log")
        for place, (zone, met) in zones(con, list(by_place)).items()
    }
    _shift(con, found)
    _note(con, found)
    return found


def _same_host(con: duckdb.DuckDBPyConnection, logs: Sequence[_Log]) -> Zones:
    """The zone that the other logs of the same folder, or all other logs, write or were found to keep (EDGE-121)."""
    written = con.execute(
        "SELECT name, unnest(offsets), format FROM artifacts WHERE format IN ('nginx_access', 'apache_access', 'app_log', 'json_lines')"
    ).fetchall()
    settled = con.execute(
        "SELECT a.name, c.seconds, c.table_name FROM _clocks c JOIN artifacts a USING (artifact) WHERE c.seconds IS NOT NULL "
        "AND c.source <> 'assumed'"
    ).fetchall()
    kept: dict[str, list[dict[str, set[int]]]] = {}
    for table in dict.fromkeys(log.table for log in logs):
        rows = written + [row for row in settled if (row[2] == "syslog") == (table == "syslog")]
        levels = [[row for row in rows if row[2] in nearest] for nearest in NEAREST.get(table, ())]
        kept[table] = [_by_folder((name, offset) for name, offset, _ in level) for level in (*levels, rows)]
    found: Zones = {}
    for log in logs:
        folder = log.name.rpartition("/")[0]
        for part in (folder, folder.partition("/")[0], ""):
            zones = next((near for level in kept[log.table] if len(near := level.get(part, set())) == 1), None)
            if zones is not None:
                zone, others = next(iter(zones)), kept[log.table][-1].get(part, set()) - zones
                where = f"the other logs in {part}/" if part else "the other server logs of the case"
                why = f"{where} keep it" if not others else f"of {where} those of the system do; {_named(others)} is kept there, too"
                found[log] = Clock(zone_name(zone), "assumed", why=why)
                break
    _shift(con, found)
    _note(con, found)
    return found


NEAREST = {
    "nginx_error": (("nginx_access",),),
    "apache_error": (("apache_access",),),
    "syslog": (("syslog",), ("nginx_access", "apache_access")),
}
"""Logs that are written by the same clock, the surest first: a program's two logs, and for the host's own those of programs that
the system starts. An application beside them may be told to keep another zone."""


def _named(zones: Iterable[int]) -> str:
    return " and ".join(zone_name(seconds) for seconds in sorted(zones))


def _by_folder(offsets: Iterable[tuple[str, int]]) -> dict[str, set[int]]:
    """The offsets that are kept in each folder or below it; all of them under the empty name."""
    found: dict[str, set[int]] = {"": set()}
    for name, offset in offsets:
        steps = name.split("/")
        for end in range(len(steps) + 1):
            found.setdefault("/".join(steps[:end]), set()).add(offset)
    return found


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


def _shifted(zone: str) -> str:
    """SQL for a time of that zone in UTC."""
    seconds = _zone_seconds(zone)
    return f"(time AT TIME ZONE {quoted(zone)}) AT TIME ZONE 'UTC'" if seconds is None else f"time - INTERVAL ({seconds}) SECOND"


def _shift(con: duckdb.DuckDBPyConnection, found: Zones) -> None:
    """Shift the rows of logs to UTC."""
    alike: dict[tuple[str, str], list[_Log]] = {}
    for log, clock in found.items():
        alike.setdefault((log.table, clock.zone), []).append(log)
    for (table, zone), logs in alike.items():
        if _zone_seconds(zone) == 0:
            continue
        for own in tables_of(con, table):
            con.execute(
                f"""UPDATE "{own}" SET time = {_shifted(zone)}
                    FROM (SELECT unnest(?::INTEGER[]) AS artifact, unnest(?::VARCHAR[]) AS via) o
                    WHERE _naive > 0 AND _artifact = o.artifact AND _via IS NOT DISTINCT FROM o.via""",
                [[log.artifact for log in logs], [log.via for log in logs]],
            )


def _shift_events(con: duckdb.DuckDBPyConnection, found: Zones) -> None:
    """Shift the events of logs whose zone is sure; they may now serve as a measure for others."""
    alike: dict[str, list[_Log]] = {}
    for log, clock in found.items():
        alike.setdefault(clock.zone, []).append(log)
    for zone, logs in alike.items():
        con.execute(
            f"""UPDATE _events e SET time = {_shifted(zone)}, naive = false
                FROM (SELECT unnest(?::VARCHAR[]) AS name, unnest(?::INTEGER[]) AS number, unnest(?::VARCHAR[]) AS through) o
                WHERE table_name = o.name AND artifact = o.number AND via IS NOT DISTINCT FROM o.through""",
            [[log.table for log in logs], [log.artifact for log in logs], [log.via for log in logs]],
        )


def _note(con: duckdb.DuckDBPyConnection, found: Zones) -> None:
    """Note how the zone of each log is known."""
    rows = [
        (log.artifact, log.table, log.via, clock.zone, _zone_seconds(clock.zone), clock.source, clock.why) for log, clock in found.items()
    ]
    con.execute(
        "INSERT INTO _clocks SELECT unnest(?::INTEGER[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), "
        "unnest(?::INTEGER[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
        [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(7)],
    )
