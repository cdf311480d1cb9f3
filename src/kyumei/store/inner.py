"""Records inside others: a host log and a container's log pass on the lines of any program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.store.bulk_rows import claim_staged, keep_inner, pays, select_of
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


def parse_inner(con: duckdb.DuckDBPyConnection, outer: str) -> None:
    """Hand the messages of a host log to the formats that may lie inside; their rows keep the outer line and say ``_via``."""
    if outer not in discover.formats():
        return
    con.execute(
        "CREATE OR REPLACE TEMP TABLE _staged AS "
        f"SELECT _artifact, _line, rtrim({POSTGRES_PART}, chr(10)) AS text, _span, coalesce(program, '') AS program "
        f'FROM "{outer}" WHERE length(message) > {SHORTEST_INNER} AND {OUTER_FORMATS[outer]} AND _via IS NULL'
    )
    if not pays(con, len(INNER_FORMATS)):
        _read_inner(con, outer)
        return
    for name in _inner_formats(outer):
        leaf = discover.formats()[name]
        claim_staged(con, select_of(con, leaf.layout))
        _refuse_unclaimed(con, leaf)
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
    for artifact, line, text, span, program in con.execute("SELECT * FROM _staged ORDER BY 1, 2").fetchall():
        for name in _inner_formats(outer):
            leaf = discover.formats()[name]
            if leaf.sniff(text, program) and not isinstance(found := leaf.layout.read(text), Refused):
                rows.setdefault(name, []).append({**found, "_artifact": artifact, "_line": line, "_span": span, "_via": outer})
                break
    for name, found_rows in rows.items():
        insert_rows(con, discover.formats()[name].table, found_rows)
