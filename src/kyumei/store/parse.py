"""Turns picked lines into typed rows with lineage: in bulk where a record is plain, exactly where it is not.

Every record ends in one of three places: a row of its format's table, a row of another format that claims it, or the table ``unread``
with the reason. Nothing is dropped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.formats.resource_snapshot import snapshot_rows
from kyumei.layouts.casts import quoted
from kyumei.model.table import LINEAGE, Kind
from kyumei.store.lines import BLANKS
from kyumei.store.pick import heads

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from kyumei.contracts import Format
    from kyumei.model.table import Table
    from kyumei.store.pick import Part

MAX_RECORD_LINES = 2_000
"""Lines that one record may take up; what follows starts a record of its own, and is unread if no format claims it."""
CHUNK_ROWS = 20_000
BLANK = f"trim(text, {' || '.join(f'chr({ord(one)})' for one in BLANKS)}) = ''"
"""A line of nothing but these is blank: it is no record, and inside a record it is an empty line."""
BULK_ROWS = 4_000
"""Records from which the bulk reader pays: planning its query takes longer than reading a few thousand records one by one."""
SHORTEST_INNER = 15
"""Characters that a message needs to hold a time and a text."""
OUTER_FORMATS = {
    "syslog": "true",
    "json_lines": "status IS NULL AND path IS NULL AND (level IS NULL OR regexp_matches(message, '^\\[?[0-9]'))",
}
"""Formats whose message may be a record of another format, and the rows that can be.

Docker and the journal pass on lines of any program.
"""
INNER_FORMATS = ("app_log", "nginx_access", "nginx_error", "json_lines")


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create one empty table for each format, and those of the store itself."""
    for leaf in discover.formats().values():
        columns = ", ".join(f'"{column.name}" {column.kind}' for column in (*LINEAGE, *leaf.table.columns))
        con.execute(f'CREATE TABLE "{leaf.name}" ({columns})')
    con.execute("CREATE TABLE _lines (_artifact INTEGER, _line BIGINT, text VARCHAR, envelope_ms BIGINT, _span BIGINT)")
    con.execute("CREATE TABLE _records (_artifact INTEGER, _line BIGINT, _span BIGINT, text VARCHAR)")
    con.execute("CREATE TABLE unread (_artifact INTEGER, _line BIGINT, text VARCHAR, why VARCHAR)")


def parse_all(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Parse everything in ``_lines`` and the snapshots of the parts; ``_lines`` is empty afterwards."""
    for part in parts:
        if part.document:
            _parse_snapshot(con, part)
    _refuse_long(con, parts)
    _take_single_lines(con, parts)
    for name in discover.formats():
        own = [part for part in parts if part.format == name]
        if own:
            _parse_format(con, discover.formats()[name], own)
    _parse_unclaimed(con, parts)
    for name in OUTER_FORMATS:
        _parse_inner(con, name)
    con.execute("DROP TABLE _lines")


def _ids(parts: Iterable[Part]) -> str:
    return "(" + ",".join(str(part.artifact.number) for part in parts) + ")"


def _refuse_long(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    for part in parts:
        for line, size in part.long.items():
            con.execute("DELETE FROM _lines WHERE _artifact = ? AND _line = ? RETURNING text", [part.artifact.number, line])
            text = con.fetchone()
            why = f"the line is {size} bytes long; only its first part is kept"
            con.execute("INSERT INTO unread VALUES (?, ?, ?, ?)", [part.artifact.number, line, text[0] if text else "", why])


def _take_single_lines(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Take single-line records of other formats out of files whose own records go over several lines, before lines are joined."""
    for name, leaf in discover.formats().items():
        guests = [
            part for part in parts if name in part.others and heads(part) and leaf.layout.head is None and part.identity.shape != "document"
        ]
        if not guests:
            continue
        con.execute(f"CREATE OR REPLACE TEMP TABLE _staged AS SELECT * FROM _lines WHERE _artifact IN {_ids(guests)}")
        _keep_bulk(con, leaf, via=None, selects=[leaf.layout.bulk(_numbered())])
        con.execute(
            "DELETE FROM _lines USING _staged s, _bulk b "
            "WHERE s.rowid = b._line AND _lines._artifact = s._artifact AND _lines._line = s._line"
        )


def _stage(con: duckdb.DuckDBPyConnection, own: Sequence[Part]) -> None:
    """Fill ``_staged`` with the records of the parts: one a line, or lines joined from one head to the next.

    Where a line in between was taken by another format or refused, a record ends: its lines are always neighbours.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE _staged (_artifact INTEGER, _line BIGINT, text VARCHAR, _span BIGINT, envelope_ms BIGINT)")
    begins: dict[str, list[Part]] = {}
    for part in own:
        begins.setdefault(_begins(part), []).append(part)
    for begin, parts in begins.items():
        if begin == "true":
            con.execute(
                "INSERT INTO _staged SELECT _artifact, _line, text, _span, envelope_ms FROM _lines "
                f"WHERE _artifact IN {_ids(parts)} AND NOT {BLANK}"
            )
            continue
        con.execute(
            f"""INSERT INTO _staged
            WITH lines AS (
                SELECT * REPLACE (CASE WHEN {BLANK} THEN '' ELSE text END AS text),
                    lag(_line) OVER (PARTITION BY _artifact ORDER BY _line) IS DISTINCT FROM _line - 1 AS apart
                FROM _lines WHERE _artifact IN {_ids(parts)}),
            begun AS (
                SELECT *, count(*) FILTER (WHERE apart OR {begin})
                    OVER (PARTITION BY _artifact ORDER BY _line ROWS UNBOUNDED PRECEDING) AS record
                FROM lines),
            counted AS (
                SELECT *, (row_number() OVER (PARTITION BY _artifact, record ORDER BY _line) - 1) // {MAX_RECORD_LINES} AS piece
                FROM begun),
            bounds AS (
                SELECT *, CASE WHEN text <> '' THEN _line END AS filled FROM counted)
            SELECT _artifact, min(filled), trim(string_agg(text, chr(10) ORDER BY _line), chr(10)),
                max(filled) - min(filled) + 1, min(envelope_ms)
            FROM bounds GROUP BY _artifact, record, piece HAVING count(filled) > 0"""
        )
    con.execute(f"DELETE FROM _lines WHERE _artifact IN {_ids(own)}")


def _begins(part: Part) -> str:
    """The condition under which a line of the part begins a record; ``true`` where every line is one."""
    if part.identity.shape == "document" or not (head := heads(part)):
        return "true"
    return "envelope_ms IS NOT NULL" if part.identity.shape == "export" else f"regexp_matches(text, {quoted('^(?:' + head + ')')})"


def _parse_format(con: duckdb.DuckDBPyConnection, leaf: Format, own: Sequence[Part]) -> None:
    """Parse the records of one format: in bulk where there are many, the rest one by one."""
    _stage(con, own)
    custom = {part.artifact.number: part.layout for part in own if part.layout is not None}
    left = "SELECT _artifact, _line, text, _span FROM _staged ORDER BY 1, 2"
    if _count(con, "_staged") >= BULK_ROWS:
        plain = _numbered(f"_artifact NOT IN ({','.join(map(str, custom))})" if custom else "true")
        selects = [leaf.layout.bulk(plain)]
        selects += [layout.bulk(_numbered(f"_artifact = {number}")) for number, layout in custom.items()]
        _keep_bulk(con, leaf, via=None, selects=selects)
        left = "SELECT s._artifact, s._line, s.text, s._span FROM _staged s ANTI JOIN _bulk b ON s.rowid = b._line ORDER BY 1, 2"
    _read_exactly(con, left, {part.artifact.number: part for part in own})


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _numbered(where: str = "true") -> str:
    """The relation over ``_staged`` that a bulk reader gets. Its ``_line`` is the number of the row: many records may start on one line."""
    return f"(SELECT _artifact, rowid AS _line, text FROM _staged WHERE {where})"


def _keep_bulk(con: duckdb.DuckDBPyConnection, leaf: Format, via: str | None, selects: Sequence[str]) -> None:
    """Read ``_staged`` by bulk into the format's table; raw text goes to ``_records`` unless the record lies inside another.

    ``_bulk`` holds afterwards what was read; its ``_line`` is the rowid of the staged record.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE _bulk AS {' UNION ALL '.join(f'({select})' for select in selects)}")
    con.execute("DELETE FROM _bulk WHERE _ok IS DISTINCT FROM true")
    if via is not None:
        _refuse_unclaimed(con, leaf)
    columns = ", ".join(f'b."{column.name}"' for column in leaf.table.columns)
    joined = "FROM _bulk b JOIN _staged s ON s.rowid = b._line"
    con.execute(
        f'INSERT INTO "{leaf.name}" SELECT s._artifact, s._line, s._span, {quoted(via) if via else "NULL"}, b._naive, b._extra, '
        f"{columns} {joined}"
    )
    if via is None:
        con.execute(f"INSERT INTO _records SELECT s._artifact, s._line, s._span, s.text {joined}")


def _read_exactly(con: duckdb.DuckDBPyConnection, left: str, parts: dict[int, Part]) -> None:
    """Read the records that ``left`` selects one by one.

    By their file's format, by any other that claims them, line by line, or not at all.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE _left AS SELECT row_number() OVER () AS n, * FROM ({left})")
    for start in range(0, _count(con, "_left"), CHUNK_ROWS):
        outcome = _Outcome()
        chunk = con.execute(
            f"SELECT _artifact, _line, text, _span FROM _left WHERE n > {start} AND n <= {start + CHUNK_ROWS} ORDER BY n"
        ).fetchall()
        for artifact, line, text, span in chunk:
            part = parts[artifact]
            if outcome.take(part, artifact, line, text, span) or span == 1:
                continue
            outcome.unread.pop()
            for number, single in enumerate(text.split("\n"), start=line):
                if single.strip(BLANKS):
                    outcome.take(part, artifact, number, single, 1)
        outcome.store(con)


@dataclass
class _Outcome:
    """What became of a chunk of records."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    kept: list[tuple[int, int, int, str]] = field(default_factory=list)
    unread: list[tuple[int, int, str, str]] = field(default_factory=list)

    def take(self, part: Part, artifact: int, line: int, text: str, span: int) -> bool:
        """Read one record; false when it is unread."""
        found = _read_one(part, text)
        if isinstance(found, str):
            self.unread.append((artifact, line, text, found))
            return False
        self.rows.setdefault(found[0], []).append({**found[1], "_artifact": artifact, "_line": line, "_span": span})
        self.kept.append((artifact, line, span, text))
        return True

    def store(self, con: duckdb.DuckDBPyConnection) -> None:
        """Append everything to its tables."""
        for name, found in self.rows.items():
            insert_rows(con, discover.formats()[name].table, found)
        _insert_tuples(con, "_records", self.kept, ("INTEGER", "BIGINT", "BIGINT", "VARCHAR"))
        _insert_tuples(con, "unread", self.unread, ("INTEGER", "BIGINT", "VARCHAR", "VARCHAR"))


def _read_one(part: Part, text: str) -> tuple[str, dict[str, Any]] | str:
    """The format and the row of one record, or why none could be read."""
    why = "no format claims it"
    name = part.artifact.name
    if part.format is not None:
        own = discover.formats()[part.format]
        layout = part.layout or own.layout
        found = layout.read(text)
        if not isinstance(found, Refused):
            return part.format, found
        why = found.why
    for other, leaf in discover.formats().items():
        if other != part.format and leaf.sniff(text, name):
            found = leaf.layout.read(text)
            if not isinstance(found, Refused):
                return other, found
    return why


def insert_rows(con: duckdb.DuckDBPyConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Append rows given as column to value; what a row leaves out is null."""
    columns = (*LINEAGE, *table.columns)
    raw = {Kind.TIME: "VARCHAR", Kind.JSON: "VARCHAR"}
    structure = json.dumps({column.name: raw.get(column.kind, str(column.kind)) for column in columns})
    selected = ", ".join(f'(r."{column.name}")::{column.kind}' for column in columns)
    for start in range(0, len(rows), CHUNK_ROWS):
        texts = [
            json.dumps({column.name: _plain(row.get(column.name), column.kind) for column in columns})
            for row in rows[start : start + CHUNK_ROWS]
        ]
        con.execute(
            f'INSERT INTO "{table.name}" SELECT {selected} FROM (SELECT from_json(unnest(?::VARCHAR[]), {quoted(structure)}) AS r)', [texts]
        )


def _plain(value: Any, kind: Kind) -> Any:  # noqa: ANN401 - any value of a row
    """A value as JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if kind is Kind.JSON and value is not None and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return value


def _insert_tuples(con: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]], kinds: tuple[str, ...]) -> None:
    if rows:
        columns = list(zip(*rows, strict=True))
        con.execute(
            f"INSERT INTO {table} SELECT " + ", ".join(f"unnest(?::{kind}[])" for kind in kinds), [list(column) for column in columns]
        )


def _parse_unclaimed(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Lines of files that no format claims: each is tried by every format, and unread if none takes it."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE _staged AS SELECT _artifact, _line, text, _span FROM _lines WHERE NOT {BLANK}")
    _read_exactly(con, "SELECT _artifact, _line, text, _span FROM _staged ORDER BY 1, 2", {part.artifact.number: part for part in parts})


def _parse_snapshot(con: duckdb.DuckDBPyConnection, part: Part) -> None:
    table = discover.formats()["resource_snapshot"].table
    found = snapshot_rows(part.artifact.name, part.document)
    number = part.artifact.number
    if isinstance(found, Refused):
        part.trouble = part.trouble or found.why
        _insert_tuples(con, "unread", [(number, 1, part.document[:65536], found.why)], ("INTEGER", "BIGINT", "VARCHAR", "VARCHAR"))
        return
    part.format = "resource_snapshot"
    insert_rows(con, table, [{**row, "_artifact": number, "_line": line, "_span": 1, "_naive": 0} for line, row in found])
    lines = part.document.split("\n")
    kept = [(number, line, 1, lines[line - 1].removesuffix("\r")) for line in dict.fromkeys(line for line, _ in found)]
    _insert_tuples(con, "_records", kept, ("INTEGER", "BIGINT", "BIGINT", "VARCHAR"))


def _parse_inner(con: duckdb.DuckDBPyConnection, outer: str) -> None:
    """Hand the messages of a host log to the formats that may lie inside; their rows keep the outer line and say ``_via``."""
    if outer not in discover.formats():
        return
    con.execute(
        "CREATE OR REPLACE TEMP TABLE _staged AS "
        "SELECT _artifact, _line, rtrim(message, chr(10)) AS text, _span, coalesce(program, '') AS program "
        f'FROM "{outer}" WHERE length(message) > {SHORTEST_INNER} AND {OUTER_FORMATS[outer]} AND _via IS NULL'
    )
    if _count(con, "_staged") < BULK_ROWS * len(INNER_FORMATS):
        _read_inner(con, outer)
        return
    for name in _inner_formats(outer):
        leaf = discover.formats()[name]
        _keep_bulk(con, leaf, outer, [leaf.layout.bulk(_numbered())])


def _refuse_unclaimed(con: duckdb.DuckDBPyConnection, leaf: Format) -> None:
    """Take out of ``_bulk`` the messages that the format could read but does not claim."""
    sure = con.execute("SELECT b._line, s.text, s.program FROM _bulk b JOIN _staged s ON s.rowid = b._line").fetchall()
    wrong = [(number,) for number, text, program in sure if not leaf.sniff(text, program)]
    if wrong:
        con.execute("CREATE OR REPLACE TEMP TABLE _wrong (_line BIGINT)")
        _insert_tuples(con, "_wrong", wrong, ("BIGINT",))
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
