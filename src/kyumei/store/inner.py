"""Records inside others: a host log and a container's log pass on the lines of any program."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.layouts.clocks import LOCAL_TIME, YEARLESS_TIME
from kyumei.store.bulk_rows import claim_staged, count_of, keep_inner, pays, select_of
from kyumei.store.event_lines import in_year_of
from kyumei.store.inner_companions import OWN, Message, put_together
from kyumei.store.narrow import rows_of_all
from kyumei.store.rows import CHUNK_ROWS, insert_rows
from kyumei.store.stage import insert_tuples

if TYPE_CHECKING:
    import duckdb

    from kyumei.contracts import Format

SHORTEST_INNER = 15
"""Characters that a message needs to hold a time and a text."""
OUTER_FORMATS = {
    "syslog": "true",
    "json_lines": "status IS NULL AND path IS NULL AND (level IS NULL OR regexp_matches(message, '^\\[?[0-9]'))",
}
"""Formats whose message may be a record of another format, and the rows that can be.

Docker and the journal pass on lines of any program.
"""
INNER_FORMATS = (
    *("nginx_access", "proxy_access", "nginx_error", "apache_access", "apache_error"),
    *("postgres_log", "mysql_error", "mysql_slow", "mysql_general", "app_log", "json_lines"),
)
POSTGRES_PART = "CASE WHEN program = 'postgres' THEN regexp_replace(message, '^\\[[0-9]+(?:-[0-9]+)?\\] ', '') ELSE message END"
"""The message without the number of the line and of its part, which PostgreSQL puts before each that it hands to syslog."""

PROCESS_OF_TAG = frozenset({"postgres_log"})
"""Formats whose own process writes to syslog: the number behind its tag is that of a record that states none."""
_MAY_BE_RECORD = "(starts_with(text, '{') OR regexp_matches(left(text, 60), '[0-9]{2}[:/-][0-9]{2}|^.?[A-Z]{4,8}[^a-z]'))"
"""SQL: what messages of a long log are read one by one that no bulk reader took: with a time, a level or an object in front."""
_IN_ITS_YEAR = 'b."time" + to_years(year(s.sent) - year(b."time"))'
_AWAY = f"if({_IN_ITS_YEAR} > s.sent + INTERVAL 183 DAY, -1, if({_IN_ITS_YEAR} < s.sent - INTERVAL 183 DAY, 1, 0))"
_NEAREST = (
    f'"time" = {_IN_ITS_YEAR} + to_years({_AWAY}), _naive = {LOCAL_TIME} FROM _staged s '
    f"WHERE b._naive = {YEARLESS_TIME} AND s.clock < {YEARLESS_TIME} AND s.sent IS NOT NULL"
)
_OF_OUTER = (
    # What states no time was written when the outer record was.
    '"time" = s.sent, _naive = s.clock FROM _staged s WHERE b."time" IS NULL AND s.sent IS NOT NULL',
    # What states no year has the one that brings it nearest to the outer record.
    _NEAREST,
)
"""Updates that give records the times of those that they lie in; see ``_of_outer`` for one record."""


def parse_inner(con: duckdb.DuckDBPyConnection, outer: str) -> None:
    """Hand the messages of a host log to the formats that may lie inside; their rows keep the outer line and say ``_via``."""
    if outer not in discover.formats():
        return
    process = "pid" if "pid" in discover.formats()[outer].table else "NULL::BIGINT"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE _staged AS "
        f"SELECT _artifact, _line, rtrim({POSTGRES_PART}, chr(10)) AS text, _span, coalesce(program, '') AS program, "
        f'"time" AS sent, _naive AS clock, {process} AS process '
        f"FROM {rows_of_all(con, outer)} WHERE length(message) > {SHORTEST_INNER} AND {OUTER_FORMATS[outer]} AND _via IS NULL"
    )
    found = _read_in_bulk(con, outer) if pays(con, len(INNER_FORMATS)) else _read_inner(con, outer)
    if OWN in found:
        put_together(con, outer, process, _finished)


def _read_in_bulk(con: duckdb.DuckDBPyConnection, outer: str) -> set[str]:
    """Read the messages of a long host log; answers the formats that claimed any."""
    found: set[str] = set()
    staged = count_of(con, "_staged")
    for name in _inner_formats(outer):
        leaf = discover.formats()[name]
        claim_staged(con, select_of(con, leaf.layout))
        _refuse_unclaimed(con, leaf)
        for change in _OF_OUTER if "time" in leaf.table else ():
            con.execute(f"UPDATE _bulk b SET {change} AND s.rowid = b._line")
        if name in PROCESS_OF_TAG:
            con.execute("UPDATE _bulk b SET pid = s.process FROM _staged s WHERE b.pid IS NULL AND s.rowid = b._line")
        if count_of(con, "_bulk"):
            found.add(name)
            keep_inner(con, leaf, outer)
            con.execute("DELETE FROM _staged USING _bulk b WHERE _staged.rowid = b._line")
    for start in range(0, staged, CHUNK_ROWS):  # what is left of a host log of gigabytes is not held at once
        found |= _read_inner(con, outer, f"rowid BETWEEN {start} AND {start + CHUNK_ROWS - 1} AND {_MAY_BE_RECORD}")
    return found


def _refuse_unclaimed(con: duckdb.DuckDBPyConnection, leaf: Format) -> None:
    """Take out of ``_bulk`` the messages that the format could read but does not claim."""
    sure = con.execute("SELECT b._line, s.text, s.program FROM _bulk b JOIN _staged s ON s.rowid = b._line").fetchall()
    wrong = [(number,) for number, text, program in sure if not leaf.sniff(text, program)]
    if wrong:
        con.execute("CREATE OR REPLACE TEMP TABLE _wrong (_line BIGINT)")
        insert_tuples(con, "_wrong", wrong, ("BIGINT",))
        con.execute("DELETE FROM _bulk USING _wrong WHERE _bulk._line = _wrong._line")


def _inner_formats(outer: str) -> tuple[str, ...]:
    return tuple(name for name in INNER_FORMATS if name != outer)


def _read_inner(con: duckdb.DuckDBPyConnection, outer: str, where: str = "true") -> set[str]:
    """Read the messages of a short host log, or what is left of a long one, one by one; answers the formats that claimed any."""
    rows: dict[str, list[dict[str, Any]]] = {}
    staged = con.execute(f"SELECT * FROM _staged WHERE {where} ORDER BY 1, 2").fetchall()
    leaves = [(name, discover.formats()[name]) for name in _inner_formats(outer)]
    for artifact, line, text, span, program, sent, clock, process in staged:
        for name, leaf in leaves:
            if leaf.sniff(text, program) and not isinstance(found := leaf.layout.read(text), Refused):
                row = {**found, **_of_outer(found, sent, clock)} if "time" in leaf.table else found
                if name in PROCESS_OF_TAG and row.get("pid") is None:
                    row = {**row, "pid": process}
                rows.setdefault(name, []).append({**row, "_artifact": artifact, "_line": line, "_span": span, "_via": outer})
                break
    for name, found_rows in rows.items():
        insert_rows(con, discover.formats()[name].table, found_rows)
    return set(rows)


def _finished(row: dict[str, Any], message: Message) -> dict[str, Any]:
    """The row of a message with the time and the process of the record that it lies in, where it states none."""
    row = {**row, **_of_outer(row, message.sent, message.clock)}
    return row if row.get("pid") is not None else {**row, "pid": message.process}


def _of_outer(row: dict[str, Any], sent: datetime | None, clock: int) -> dict[str, Any]:
    """The time of a record that states none, or no year, by that of the record that it lies in."""
    time = row.get("time")
    if sent is not None and time is None:
        return {"time": sent, "_naive": clock}
    if sent is not None and row["_naive"] == YEARLESS_TIME and clock < YEARLESS_TIME:
        return in_year_of(time, sent) if isinstance(time, datetime) else {}
    return {}
