"""Which zone each log's clock keeps, and the shift of its rows to UTC.

A log that writes an offset is taken at its word. For the others (nginx error log, syslog, most application logs) the zone is, in this
order: told by case.toml; the difference to a second time on the same line (gunicorn inside syslog); the difference at which the same
requests stand in another log, whose clock may be off besides, or the log's errors beside failing ones; the zone that the other logs of
the same host write; UTC. All but the first are inferences and are said to be (EDGE-120 to EDGE-125). A clock may be set within a log. A
year that is not written is the one that puts the row nearest to the dated logs of the case (EDGE-127).
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from kyumei.correlate.coinciding import QUARTER, WIDEST, zones
from kyumei.correlate.offsets import in_utc, zone_name, zone_seconds
from kyumei.correlate.shifts import settle_shifts
from kyumei.correlate.skew import prepare_skews, settle_skews
from kyumei.correlate.votes import Log, elected, find_votes, gather_events, may_have_changed
from kyumei.model.artifact import Clock
from kyumei.store.filled import filled
from kyumei.store.narrow import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from kyumei.store.settings import Settings

INNER_SECONDS = 120
"""How long a syslog daemon may hold a line."""
UNTOLD = "nothing in the case tells its zone"


Zones = dict[Log, Clock]
"""The logs whose zone was found, and how."""


def settle(con: duckdb.DuckDBPyConnection, settings: Settings, moment: datetime | None) -> None:
    """Shift every row without a zone to UTC, in place, and note in ``_clocks`` how each zone is known."""
    con.execute(
        "CREATE TABLE _clocks (artifact INTEGER, table_name VARCHAR, via VARCHAR, zone VARCHAR, seconds INTEGER, source "
        "VARCHAR, why VARCHAR)"
    )
    tables = [name for name in filled(con) if name != "resource_snapshot"]
    prepare_skews(con)
    _date(con, tables, moment)
    gather_events(con, tables)
    waiting: list[Log] = []
    for table in tables:
        rows = con.execute(
            f'SELECT DISTINCT _artifact, a.name, _via FROM "{table}" t JOIN artifacts a ON a.artifact = t._artifact WHERE '
            "_naive > 0 ORDER BY 1, 3"
        ).fetchall()
        waiting += [Log(table, artifact, name, via) for artifact, name, via in rows]
    for find in (partial(_told, settings), _inner, _matched, partial(_matched, common=True), _shifted, _coinciding, _same_host):
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


def _told(settings: Settings, con: duckdb.DuckDBPyConnection, logs: Sequence[Log]) -> Zones:
    """The zones that the user told."""
    found = {log: Clock(zone, "told", why="case.toml says so") for log in logs if (zone := settings.zone(log.name))}
    _shift(con, found)
    _shift_events(con, found)
    _note(con, found)
    return found


def _inner(con: duckdb.DuckDBPyConnection, logs: Sequence[Log]) -> Zones:
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


def _turns(logs: Sequence[Log]) -> list[list[Log]]:
    """The logs in turns, none of which holds two of one table in one file: these stand on each other's lines."""
    turns: list[list[Log]] = []
    met: Counter[tuple[str, int]] = Counter()
    for log in logs:
        turn = met[log.table, log.artifact]
        met[log.table, log.artifact] += 1
        turns += [[] for _ in range(turn + 1 - len(turns))]
        turns[turn].append(log)
    return turns


def _inner_differences(con: duckdb.DuckDBPyConnection, logs: Sequence[Log]) -> dict[Log, Counter[int]]:
    """How many lines of each log hold a second time that lies a full zone apart, by the zone in seconds."""
    found: dict[Log, Counter[int]] = {log: Counter() for log in logs}
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


def _matched(con: duckdb.DuckDBPyConnection, logs: Sequence[Log], *, common: bool = False) -> Zones:
    """The zone at which the same requests stand in a log that states its own, or in an earlier one whose zone was found so.

    All logs vote at once, and again with the zones that the last vote gave to those before them, until nothing changes any more.
    """
    found: Zones = {}
    while True:
        last = found
        zones = [zone_seconds(last[log].zone) if log in last else None for log in logs]
        votes = find_votes(con, logs, zones, common=common)
        found = {log: clock for log, own in votes.items() if (clock := elected(own, common=common))}
        if {log: clock.zone for log, clock in found.items()} == {log: clock.zone for log, clock in last.items()}:
            break
    changed = _shifted(con, [log for log in found if may_have_changed(votes[log])], changed=True)
    found = {log: found[log] for log in logs if log in found and log not in changed}
    _shift(con, found)
    _shift_events(con, found)
    _note(con, found)
    return found | changed


def _shifted(con: duckdb.DuckDBPyConnection, logs: Sequence[Log], *, changed: bool = False) -> Zones:
    """The zone of logs whose clock is off besides, or was set within the log."""
    if not logs:
        return {}
    by_place = {(log.table, log.artifact, log.via): log for log in logs}
    found: Zones = {}
    for place, clocks in settle_shifts(con, list(by_place), changed=changed).items():
        for clock in {clock.zone: clock for clock in clocks}.values():
            _note(con, {by_place[place]: clock})
        found[by_place[place]] = clocks[-1]
    return found


def _coinciding(con: duckdb.DuckDBPyConnection, logs: Sequence[Log]) -> Zones:
    """The zone at which a log's errors stand where requests failed, for logs that name no request."""
    by_place = {(log.table, log.artifact, log.via): log for log in logs}
    found = {
        by_place[place]: Clock(zone_name(zone), "matched", why=f"at {met} moments its errors stand where requests failed in another log")
        for place, (zone, met) in zones(con, list(by_place)).items()
    }
    _shift(con, found)
    _note(con, found)
    return found


def _same_host(con: duckdb.DuckDBPyConnection, logs: Sequence[Log]) -> Zones:
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


def _shift(con: duckdb.DuckDBPyConnection, found: Zones) -> None:
    """Shift the rows of logs to UTC."""
    alike: dict[tuple[str, str], list[Log]] = {}
    for log, clock in found.items():
        alike.setdefault((log.table, clock.zone), []).append(log)
    for (table, zone), logs in alike.items():
        if zone_seconds(zone) == 0:
            continue
        for own in tables_of(con, table):
            con.execute(
                f"""UPDATE "{own}" SET time = {in_utc(zone)}
                    FROM (SELECT unnest(?::INTEGER[]) AS artifact, unnest(?::VARCHAR[]) AS via) o
                    WHERE _naive > 0 AND _artifact = o.artifact AND _via IS NOT DISTINCT FROM o.via""",
                [[log.artifact for log in logs], [log.via for log in logs]],
            )


def _shift_events(con: duckdb.DuckDBPyConnection, found: Zones) -> None:
    """Shift the events of logs whose zone is sure; they may now serve as a measure for others."""
    alike: dict[str, list[Log]] = {}
    for log, clock in found.items():
        alike.setdefault(clock.zone, []).append(log)
    for zone, logs in alike.items():
        con.execute(
            f"""UPDATE _events e SET time = {in_utc(zone)}, naive = false
                FROM (SELECT unnest(?::VARCHAR[]) AS name, unnest(?::INTEGER[]) AS number, unnest(?::VARCHAR[]) AS through) o
                WHERE table_name = o.name AND artifact = o.number AND via IS NOT DISTINCT FROM o.through""",
            [[log.table for log in logs], [log.artifact for log in logs], [log.via for log in logs]],
        )


def _note(con: duckdb.DuckDBPyConnection, found: Zones) -> None:
    """Note how the zone of each log is known."""
    rows = [
        (log.artifact, log.table, log.via, clock.zone, zone_seconds(clock.zone), clock.source, clock.why) for log, clock in found.items()
    ]
    con.execute(
        "INSERT INTO _clocks SELECT unnest(?::INTEGER[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), "
        "unnest(?::INTEGER[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
        [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(7)],
    )
