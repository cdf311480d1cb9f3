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
BULK_ROWS = 4_000
"""Records from which the bulk reader pays: planning its query takes longer than reading a few thousand records one by one."""
SHORTEST_INNER = 15
"""Characters that a message needs to hold a time and a text."""
OUTER_FORMATS = ("syslog",)
"""Formats whose message may be a record of another format."""
INNER_FORMATS = ("app_log", "nginx_access", "nginx_error", "json_lines")


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create one empty table for each format, and those of the store itself."""
    for leaf in discover.formats().values():
        columns = ", ".join(f'"{column.name}" {column.kind}' for column in (*LINEAGE, *leaf.table.columns))
        con.execute(f'CREATE TABLE "{leaf.name}" ({columns})')
    con.execute("CREATE TABLE _lines (_artifact INTEGER, _line BIGINT, text VARCHAR, envelope_ms BIGINT)")
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
        source = f"(SELECT _artifact, _line, text FROM _lines WHERE _artifact IN {_ids(guests)})"
        con.execute(f"CREATE OR REPLACE TEMP TABLE _staged AS SELECT * FROM {source}")
        con.execute(f"CREATE OR REPLACE TEMP TABLE _bulk AS {leaf.layout.bulk('_staged')}")
        con.execute("DELETE FROM _bulk WHERE _ok IS DISTINCT FROM true")
        _keep_bulk(con, leaf, via=None)
        con.execute("DELETE FROM _lines USING _bulk WHERE _lines._artifact = _bulk._artifact AND _lines._line = _bulk._line")


def _stage(con: duckdb.DuckDBPyConnection, own: Sequence[Part]) -> None:
    """Fill ``_staged`` with the records of the parts: one a line, or lines joined from one head to the next."""
    con.execute("CREATE OR REPLACE TEMP TABLE _staged (_artifact INTEGER, _line BIGINT, text VARCHAR, _span BIGINT, envelope_ms BIGINT)")
    joined = [part for part in own if heads(part) and part.identity.shape != "document"]
    single = [part for part in own if part not in joined]
    if single:
        con.execute(
            f"INSERT INTO _staged SELECT _artifact, _line, text, 1, envelope_ms FROM _lines WHERE _artifact IN {_ids(single)} AND text <> ''"
        )
    for part in joined:
        begins = (
            "envelope_ms IS NOT NULL"
            if part.identity.shape == "export"
            else f"regexp_matches(text, {quoted('^(?:' + (heads(part) or '') + ')')})"
        )
        con.execute(
            f"""INSERT INTO _staged
            WITH begun AS (
                SELECT *, count(*) FILTER (WHERE {begins}) OVER (ORDER BY _line ROWS UNBOUNDED PRECEDING) AS record
                FROM _lines WHERE _artifact = {part.artifact.number}),
            counted AS (SELECT *, (row_number() OVER (PARTITION BY record ORDER BY _line) - 1) // {MAX_RECORD_LINES} AS piece FROM begun)
            SELECT _artifact, min(_line), rtrim(string_agg(text, chr(10) ORDER BY _line), chr(10)),
                max(CASE WHEN text <> '' THEN _line END) - min(_line) + 1, min(envelope_ms)
            FROM counted GROUP BY _artifact, record, piece HAVING count(*) FILTER (WHERE text <> '') > 0"""
        )
    con.execute(f"DELETE FROM _lines WHERE _artifact IN {_ids(own)}")


def _parse_format(con: duckdb.DuckDBPyConnection, leaf: Format, own: Sequence[Part]) -> None:
    """Parse the records of one format: in bulk where there are many, the rest one by one."""
    _stage(con, own)
    custom = {part.artifact.number: part.layout for part in own if part.layout is not None}
    left = "SELECT _artifact, _line, text, _span FROM _staged ORDER BY 1, 2"
    if _count(con, "_staged") >= BULK_ROWS:
        plain = f"(SELECT * FROM _staged WHERE _artifact NOT IN ({','.join(map(str, custom))}))" if custom else "_staged"
        selects = [leaf.layout.bulk(plain)]
        selects += [layout.bulk(f"(SELECT * FROM _staged WHERE _artifact = {number})") for number, layout in custom.items()]
        con.execute(f"CREATE OR REPLACE TEMP TABLE _bulk AS {' UNION ALL '.join(f'({select})' for select in selects)}")
        con.execute("DELETE FROM _bulk WHERE _ok IS DISTINCT FROM true")
        _keep_bulk(con, leaf, via=None)
        left = (
            "SELECT s._artifact, s._line, s.text, s._span FROM _staged s "
            "ANTI JOIN _bulk b ON s._artifact = b._artifact AND s._line = b._line ORDER BY 1, 2"
        )
    _read_exactly(con, left, {part.artifact.number: part for part in own})


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _keep_bulk(con: duckdb.DuckDBPyConnection, leaf: Format, via: str | None) -> None:
    """Move ``_bulk`` into the format's table; raw text goes to ``_records`` unless the record lies inside another."""
    names = [column.name for column in leaf.table.columns]
    columns = ", ".join(f'b."{name}"' for name in names)
    span = "coalesce(s._span, 1)" if _has_span(con) else "1"
    con.execute(
        f'INSERT INTO "{leaf.name}" SELECT b._artifact, b._line, {span}, {quoted(via) if via else "NULL"}, b._naive, b._extra, {columns} '
        "FROM _bulk b JOIN _staged s ON s._artifact = b._artifact AND s._line = b._line"
    )
    if via is None:
        con.execute(
            f"INSERT INTO _records SELECT s._artifact, s._line, {span}, s.text FROM _bulk b JOIN _staged s ON s._artifact = b._artifact AND s._line = b._line"
        )


def _has_span(con: duckdb.DuckDBPyConnection) -> bool:
    return any(row[0] == "_span" for row in con.execute("DESCRIBE _staged").fetchall())


def _read_exactly(con: duckdb.DuckDBPyConnection, left: str, parts: dict[int, Part]) -> None:
    """Read the records that ``left`` selects one by one: by their file's format, by any other that claims them, line by line, or not at all."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE _left AS SELECT row_number() OVER () AS n, * FROM ({left})")
    for start in range(0, _count(con, "_left"), CHUNK_ROWS):
        outcome = _Outcome()
        chunk = con.execute(f"SELECT _artifact, _line, text, _span FROM _left WHERE n > {start} AND n <= {start + CHUNK_ROWS} ORDER BY n").fetchall()
        for artifact, line, text, span in chunk:
            part = parts[artifact]
            if outcome.take(part, artifact, line, text, span) or "\n" not in text or part.identity.shape == "document":
                continue
            outcome.unread.pop()
            for number, single in enumerate(text.split("\n"), start=line):
                if single.strip():
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
    con.execute("CREATE OR REPLACE TEMP TABLE _staged AS SELECT _artifact, _line, text, 1 AS _span FROM _lines WHERE text <> ''")
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
        "CREATE OR REPLACE TEMP TABLE _staged AS SELECT _artifact, _line, message AS text, _span, coalesce(program, '') AS program "
        f'FROM "{outer}" WHERE length(message) > {SHORTEST_INNER}'
    )
    if _count(con, "_staged") < BULK_ROWS * len(INNER_FORMATS):
        _read_inner(con, outer)
        return
    for name in INNER_FORMATS:
        leaf = discover.formats()[name]
        con.execute(f"CREATE OR REPLACE TEMP TABLE _bulk AS {leaf.layout.bulk('_staged')}")
        con.execute("DELETE FROM _bulk WHERE _ok IS DISTINCT FROM true")
        sure = con.execute(
            "SELECT b._artifact, b._line, s.text, s.program FROM _bulk b JOIN _staged s ON s._artifact = b._artifact AND s._line = b._line"
        ).fetchall()
        wrong = [(artifact, line) for artifact, line, text, program in sure if not leaf.sniff(text, program)]
        if wrong:
            con.execute("CREATE OR REPLACE TEMP TABLE _wrong (_artifact INTEGER, _line BIGINT)")
            _insert_tuples(con, "_wrong", wrong, ("INTEGER", "BIGINT"))
            con.execute("DELETE FROM _bulk USING _wrong WHERE _bulk._artifact = _wrong._artifact AND _bulk._line = _wrong._line")
        _keep_bulk(con, leaf, via=outer)


def _read_inner(con: duckdb.DuckDBPyConnection, outer: str) -> None:
    """Read the messages of a short host log one by one."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for artifact, line, text, span, program in con.execute("SELECT * FROM _staged ORDER BY 1, 2").fetchall():
        for name in INNER_FORMATS:
            leaf = discover.formats()[name]
            if leaf.sniff(text, program) and not isinstance(found := leaf.layout.read(text), Refused):
                rows.setdefault(name, []).append({**found, "_artifact": artifact, "_line": line, "_span": span, "_via": outer})
                break
    for name, found_rows in rows.items():
        insert_rows(con, discover.formats()[name].table, found_rows)
