"""Records inside others: a host log and a container's log pass on the lines of any program."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.layouts.clocks import LOCAL_TIME, YEARLESS_TIME
from kyumei.store.bulk_rows import claim_staged, keep_inner, pays, select_of
from kyumei.store.event_lines import in_year_of
from kyumei.store.narrow import rows_of_all
from kyumei.store.rows import insert_rows
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
    *("nginx_access", "nginx_error", "apache_access", "apache_error"),
    *("postgres_log", "mysql_error", "mysql_slow", "mysql_general", "app_log", "json_lines"),
)
POSTGRES_PART = "CASE WHEN program = 'postgres' THEN regexp_replace(message, '^\\[[0-9]+(?:-[0-9]+)?\\] ', '') ELSE message END"
"""The message without the number of the line and of its part, which PostgreSQL puts before each that it hands to syslog."""

PROCESS_OF_TAG = frozenset({"postgres_log"})
"""Formats whose own process writes to syslog: the number behind its tag is that of a record that states none."""
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
    if not pays(con, len(INNER_FORMATS)):
        _read_inner(con, outer)
        return
    for name in _inner_formats(outer):
        leaf = discover.formats()[name]
        claim_staged(con, select_of(con, leaf.layout))
        _refuse_unclaimed(con, leaf)
        for change in _OF_OUTER if "time" in leaf.table else ():
            con.execute(f"UPDATE _bulk b SET {change} AND s.rowid = b._line")
        if name in PROCESS_OF_TAG:
            con.execute("UPDATE _bulk b SET pid = s.process FROM _staged s WHERE b.pid IS NULL AND s.rowid = b._line")
        keep_inner(con, leaf, outer)


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


def _read_inner(con: duckdb.DuckDBPyConnection, outer: str) -> None:
    """Read the messages of a short host log one by one."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for artifact, line, text, span, program, sent, clock, process in con.execute("SELECT * FROM _staged ORDER BY 1, 2").fetchall():
        for name in _inner_formats(outer):
            leaf = discover.formats()[name]
            if leaf.sniff(text, program) and not isinstance(found := leaf.layout.read(text), Refused):
                row = {**found, **_of_outer(found, sent, clock)} if "time" in leaf.table else found
                if name in PROCESS_OF_TAG and row.get("pid") is None:
                    row = {**row, "pid": process}
                rows.setdefault(name, []).append({**row, "_artifact": artifact, "_line": line, "_span": span, "_via": outer})
                break
    for name, found_rows in rows.items():
        insert_rows(con, discover.formats()[name].table, found_rows)


def _of_outer(row: dict[str, Any], sent: datetime | None, clock: int) -> dict[str, Any]:
    """The time of a record that states none, or no year, by that of the record that it lies in."""
    time = row.get("time")
    if sent is not None and time is None:
        return {"time": sent, "_naive": clock}
    if sent is not None and row["_naive"] == YEARLESS_TIME and clock < YEARLESS_TIME:
        return in_year_of(time, sent) if isinstance(time, datetime) else {}
    return {}
