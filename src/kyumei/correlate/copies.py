"""The same lines in two files: a backup, an earlier copy of a growing file, a log and its export, a rotation that was copied too early.

A file all of whose records stand in another one is a copy of it. Two files of a host's log may also share a part: what was rotated
by a copy, or was taken from the host and from CloudWatch Logs for other hours. Where both go over the same time and have the same records
in it, these are told once.
"""

from __future__ import annotations

from datetime import datetime
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.layouts.casts import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

FEWEST_LINES = 3
"""Lines that a file must have before it can be taken for a copy of another; records with an id of their own need not be many."""
CUT_LINES = 10
"""From so many lines a file may be a copy whose last record was cut off while it was made, and so is another one there."""
SHARED_LINES, SHARED = 10, 0.98
"""Records that two files have in common, and their part of what each has of that time, from which it is one log's; lines may be cut off."""
OF_HOSTS = frozenset({"nginx_access", "apache_access", "app_log", "json_lines"})
"""Logs that people copy and rotate; what AWS delivers is delivered whole, in files that do not overlap."""
TO_THE_END = 2**62
"""A line beyond the last one of any file."""

Span = tuple[datetime, datetime, int]
"""The first and the last time in a file, and its number."""


def create(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    """Create the table ``_copies``: the lines of files that repeat another one's."""
    con.execute(
        f"CREATE OR REPLACE {kind} _copies (table_name VARCHAR, artifact INTEGER, original INTEGER, first_line BIGINT, last_line BIGINT)"
    )


def without(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """SQL to add to a condition on a table so that no record of it counts twice; it can be asked again without ``_copies``."""
    rows = con.execute(
        "SELECT artifact, first_line, last_line FROM _copies WHERE table_name = ? GROUP BY ALL ORDER BY ALL", [name]
    ).fetchall()
    whole = sorted({artifact for artifact, _, last in rows if last == TO_THE_END})
    parts = [
        f" AND NOT (_artifact = {artifact} AND _line BETWEEN {first} AND {last})" for artifact, first, last in rows if last != TO_THE_END
    ]
    return (f" AND _artifact NOT IN ({', '.join(map(str, whole))})" if whole else "") + "".join(parts)


def find(con: duckdb.DuckDBPyConnection, name: str, spans: Sequence[Span]) -> None:
    """Note the lines of a table's files that stand in another file, too."""
    artifacts = _overlaid(spans, partly=name in OF_HOSTS)
    if artifacts:
        _note_whole(con, name, artifacts)
    if artifacts and name in OF_HOSTS:
        _note_parts(con, name, artifacts)


def _overlaid(spans: Sequence[Span], *, partly: bool) -> set[int]:
    """Files whose span lies within that of another, or only ``partly``, and those others. The spans are quick to compare."""
    ordered = sorted(sorted(spans, key=itemgetter(1), reverse=True), key=itemgetter(0))
    latest = list(accumulate((last for _, last, _ in ordered), max))
    if partly:
        after = {artifact for (first, _, artifact), before in zip(ordered[1:], latest, strict=False) if first <= before}
        starts = [first for first, _, _ in ordered]
        return after | {artifact for (_, last, artifact), start in zip(ordered, starts[1:], strict=False) if start <= last}
    earliest = list(accumulate((last for _, last, _ in reversed(ordered)), min))[::-1]
    within = {artifact for (_, last, artifact), before in zip(ordered[1:], latest, strict=False) if last <= before}
    around = {artifact for (_, last, artifact), behind in zip(ordered, earliest[1:], strict=False) if behind <= last}
    return within | around


def _record(name: str) -> str:
    """SQL: what is equal for two records of a table that are one."""
    columns = discover.format_of(name).table.columns
    return f"hash(time, {'request_id' if name == 'waf' else ', '.join(_quoted_name(column.name) for column in columns)})"


def _note_whole(con: duckdb.DuckDBPyConnection, name: str, artifacts: set[int]) -> None:
    """Note the files of a table all of whose records stand in another file, too."""
    table = discover.format_of(name).table
    with_id = " OR ".join(f"{column} IS NOT NULL" for column in ("request_id", "trace_id") if column in table) or "false"
    con.execute(
        f"""INSERT INTO _copies
        WITH records AS (SELECT DISTINCT _artifact AS artifact, {_record(name)} AS record, ({with_id}) AS with_id,
                _line = max(_line) OVER (PARTITION BY _artifact) AS last FROM "{name}"
                WHERE time IS NOT NULL AND _artifact IN ({", ".join(map(str, sorted(artifacts)))})),
            shared AS (SELECT record FROM records GROUP BY record HAVING count(*) > 1),
            sizes AS (SELECT artifact, count(*) AS size, count(*) FILTER (NOT last) AS whole, bool_and(with_id) AS with_id FROM records
                GROUP BY artifact),
            pairs AS (SELECT a.artifact, b.artifact AS other, count(*) AS common, count(*) FILTER (NOT a.last) AS whole FROM records a
                JOIN shared USING (record) JOIN records b ON a.record = b.record AND a.artifact <> b.artifact GROUP BY ALL)
        SELECT {quoted(name)}, p.artifact, min(p.other), 0, {TO_THE_END} FROM pairs p
            JOIN sizes s ON s.artifact = p.artifact JOIN sizes o ON o.artifact = p.other
        WHERE (p.common = s.size OR (s.size >= {CUT_LINES} AND p.whole = s.whole AND o.size > s.size))
            AND (s.size >= {FEWEST_LINES} OR s.with_id) AND (o.size > s.size OR p.other < p.artifact)
        GROUP BY p.artifact"""
    )


def _note_parts(con: duckdb.DuckDBPyConnection, name: str, artifacts: set[int]) -> None:
    """Note the lines that a file shares with another one, where the two have the same records wherever they go over the same time.

    The first and the last second of that time are not counted: one file may begin or end within it.
    """
    con.execute(
        f"""INSERT INTO _copies
        WITH records AS (SELECT _artifact AS artifact, _line AS line, time, {_record(name)} AS record FROM "{name}"
                WHERE time IS NOT NULL AND _artifact IN ({", ".join(map(str, sorted(artifacts)))})
                AND _artifact NOT IN (SELECT artifact FROM _copies WHERE table_name = {quoted(name)})),
            spans AS (SELECT artifact, min(time) AS first, max(time) AS last FROM records GROUP BY 1),
            shared AS (SELECT record FROM records GROUP BY record HAVING count(DISTINCT artifact) > 1),
            held AS (SELECT DISTINCT artifact, record, line FROM records SEMI JOIN shared USING (record)),
            pairs AS (SELECT a.artifact, b.artifact AS other, min(a.line) AS first_line, max(a.line) AS last_line,
                count(DISTINCT a.record) AS common FROM held a JOIN held b ON a.record = b.record AND b.artifact < a.artifact
                GROUP BY ALL HAVING count(DISTINCT a.record) >= {SHARED_LINES}),
            over AS (SELECT p.*, greatest(a.first, b.first) AS since, least(a.last, b.last) AS until FROM pairs p
                JOIN spans a ON a.artifact = p.artifact JOIN spans b ON b.artifact = p.other),
            inside AS (SELECT o.artifact, o.other, o.common, o.first_line, o.last_line,
                count(DISTINCT r.record) FILTER (r.artifact = o.artifact) AS own,
                count(DISTINCT r.record) FILTER (r.artifact = o.other) AS theirs FROM over o
                JOIN records r ON r.artifact IN (o.artifact, o.other) AND r.time > since + INTERVAL 1 SECOND
                AND r.time < until - INTERVAL 1 SECOND GROUP BY ALL)
        SELECT {quoted(name)}, artifact, other, first_line, last_line FROM inside
        WHERE own >= {SHARED_LINES} AND common >= {SHARED} * own AND common >= {SHARED} * theirs"""
    )


def _quoted_name(name: str) -> str:
    """A column's name as SQL."""
    return f'"{name}"'
