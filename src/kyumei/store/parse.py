"""Turns picked lines into typed rows with lineage: in bulk where a record is plain, exactly where it is not.

Every record ends in one of three places: a row of its format's table, a row of another format that claims it, or the table ``unread``
with the reason. Nothing is dropped.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.formats.resource_snapshot import STATE_AND_ROWS, operation_of, snapshot_rows
from kyumei.model.table import LINEAGE
from kyumei.store.banners import take_banners
from kyumei.store.bulk_rows import count_of, pays, read_staged, select_of
from kyumei.store.compact import joined, parse_compact
from kyumei.store.documents import open_document
from kyumei.store.exact import Outcome
from kyumei.store.filled import filled
from kyumei.store.inner import OUTER_FORMATS, parse_inner
from kyumei.store.lines import BLANKS, decode
from kyumei.store.narrow import REGISTER
from kyumei.store.rows import CHUNK_ROWS, insert_rows
from kyumei.store.same_request import close_requests
from kyumei.store.side_by_side import meanwhile
from kyumei.store.single_lines import take_single_lines
from kyumei.store.stage import BLANK, ids, insert_tuples, refuse_long, stage, take_headers, take_nothing_but_headers
from kyumei.store.unwrap import Broken, records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    import duckdb

    from kyumei.contracts import Format, Layout
    from kyumei.store.part import Part

KEPT_ROWS = 500_000
"""Rows up to which a derived relation is kept: it takes up as much room as the log itself, and its windows more while it is made."""

STREAMS = "CREATE TABLE streams (_artifact INTEGER, _line BIGINT, log_group VARCHAR, stream VARCHAR, digest VARCHAR, envelope_ms BIGINT)"
"""Which events are of which log group and stream of CloudWatch Logs; see ``part.Streamed``."""


class Fresh(NamedTuple):
    """A database with the tables of the store itself, into which files can be read; those of the formats are still in the making."""

    con: duckdb.DuckDBPyConnection
    tables: Future[None]


def create_tables(con: duckdb.DuckDBPyConnection) -> Fresh:
    """Create the empty tables of the store itself at once, and meanwhile one for each format, which takes longer."""
    own = (
        "CREATE TABLE _lines (_artifact INTEGER, _line BIGINT, text VARCHAR, envelope_ms BIGINT, _span BIGINT)",
        "CREATE TABLE headers (_artifact INTEGER, _line BIGINT, text VARCHAR)",
        "CREATE TABLE unread (_artifact INTEGER, _line BIGINT, text VARCHAR, why VARCHAR)",
        STREAMS,
        REGISTER,
    )
    con.execute(";".join(own))
    return Fresh(con, meanwhile(partial(_create_tables_of_formats, con.cursor())))


def _create_tables_of_formats(con: duckdb.DuckDBPyConnection) -> None:
    """Create one empty table for each format, and the views that are derived from them."""
    tables = []
    for leaf in discover.formats().values():
        columns = ", ".join(f'"{column.name}" {column.kind}' for column in (*LINEAGE, *leaf.table.columns))
        tables.append(f'CREATE TABLE "{leaf.name}" ({columns})')
    derived = [f'CREATE VIEW "{one.table.name}" AS {one.select}' for leaf in discover.formats().values() for one in leaf.derived]
    con.execute(";".join(["BEGIN", *tables, *derived, "COMMIT"]))


def keep_derived(con: duckdb.DuckDBPyConnection) -> None:
    """Make tables of the derived relations that are asked again and again, once no row of theirs will change; of so many rows that pays."""
    for name in filled(con):
        for one in discover.formats()[name].derived:
            if one.kept and count_of(con, f'"{name}"') <= KEPT_ROWS:
                con.execute(f'DROP VIEW "{one.table.name}"')
                con.execute(f'CREATE TABLE "{one.table.name}" AS {one.select}')


def create_records(con: duckdb.DuckDBPyConnection) -> None:
    """Create the view ``_records``: the raw text of the rows of all tables that have any."""
    texts = [f'SELECT _artifact, _line, _span, _text AS text FROM "{name}" WHERE _text IS NOT NULL' for name in filled(con)]
    nothing = "SELECT NULL::INTEGER AS _artifact, NULL::BIGINT AS _line, NULL::BIGINT AS _span, NULL::VARCHAR AS text WHERE false"
    con.execute(f"CREATE VIEW _records AS {' UNION ALL '.join(texts) or nothing}")


def parse_format(con: duckdb.DuckDBPyConnection, name: str, own: Sequence[Part]) -> None:
    """Parse the lines of parts of one format that were picked; they stay in ``_lines``, which is not looked at again."""
    leaf = discover.formats()[name]
    for part in parse_compact(con, leaf, own):
        text, part.compact = decode(joined(part.compact)), ()
        open_document(con, part, text)
        part.format = name
    refuse_long(con, own)
    take_banners(con, own)
    take_headers(con, leaf, own)
    take_single_lines(con, own)
    _parse_records(con, leaf, own)


def parse_rest(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Parse the snapshots, the lines of parts without a format, and the records inside others; ``_lines`` is gone afterwards."""
    for part in parts:
        streamed = [(part.artifact.number, *one) for one in part.streams]
        insert_tuples(con, "streams", streamed, ("INTEGER", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT"))
        if part.document:
            _parse_snapshot(con, part)
    unclaimed = [part for part in parts if part.format is None]
    refuse_long(con, unclaimed)
    take_banners(con, unclaimed)
    take_nothing_but_headers(con, unclaimed)
    _parse_unclaimed(con, unclaimed)
    for name in OUTER_FORMATS:
        parse_inner(con, name)
    close_requests(con)
    con.execute("DROP TABLE _lines")


def _parse_records(con: duckdb.DuckDBPyConnection, leaf: Format, own: Sequence[Part]) -> None:
    """Parse the records of one format: in bulk where there are many, the rest one by one."""
    stage(con, own)
    under = _place_headers(con, leaf, own)
    custom = {part.artifact.number: part.layout for part in own if part.layout is not None}
    left = "SELECT _artifact, _line, text, _span, envelope_ms FROM _staged ORDER BY 1, 2"
    if pays(con):
        own_layout = f"_artifact NOT IN ({','.join(map(str, custom))})" if custom else "true"
        own_layout += " AND rowid NOT IN (SELECT record FROM _under)" if under else ""
        chosen = [(leaf.layout, own_layout), *((layout, f"_artifact = {number}") for number, layout in custom.items())]
        chosen += [(layout, f"rowid IN (SELECT record FROM _under WHERE layout = {number})") for number, layout in enumerate(under)]
        refused = read_staged(con, leaf, own, [select_of(con, layout, where) for layout, where in chosen])
        left = f"SELECT _artifact, _line, text, _span, envelope_ms FROM _staged WHERE rowid IN ({refused}) ORDER BY 1, 2"
    _read_exactly(con, left, {part.artifact.number: part for part in own})


def _place_headers(con: duckdb.DuckDBPyConnection, leaf: Format, own: Sequence[Part]) -> list[Layout]:
    """The layouts that header lines give to records; ``_under`` lists those records, by rowid, with the number of their layout.

    The format's own layout is not among them, and a file whose layout the user told has none.
    """
    layouts: list[Layout] = []
    places: list[tuple[int, int, int]] = []
    for part in own:
        for line, layout in part.below if part.layout is None else ():
            if layout is not leaf.layout and layout not in layouts:
                layouts.append(layout)
            places.append((part.artifact.number, line, -1 if layout is leaf.layout else layouts.index(layout)))
    if layouts:
        con.execute("CREATE OR REPLACE TEMP TABLE _below (_artifact INTEGER, _line BIGINT, layout INTEGER)")
        insert_tuples(con, "_below", places, ("INTEGER", "BIGINT", "INTEGER"))
        records = "SELECT _artifact, _line, rowid AS record FROM _staged"
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE _under AS SELECT s.record, b.layout FROM ({records}) s "
            "ASOF JOIN _below b ON s._artifact = b._artifact AND s._line > b._line WHERE b.layout >= 0"
        )
    return layouts


def _read_exactly(con: duckdb.DuckDBPyConnection, left: str, parts: dict[int, Part]) -> None:
    """Read the records that ``left`` selects one by one.

    By their file's format, by any other that claims them, line by line, or not at all.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE _left AS SELECT row_number() OVER () AS n, * FROM ({left})")
    for start in range(0, count_of(con, "_left"), CHUNK_ROWS):
        outcome = Outcome()
        chunk = con.execute(
            f"SELECT _artifact, _line, text, _span, envelope_ms FROM _left WHERE n > {start} AND n <= {start + CHUNK_ROWS} ORDER BY n"
        ).fetchall()
        for record in chunk:
            artifact, line, text, span, sent = record
            if outcome.take(parts[artifact], record) or span == 1:
                continue
            outcome.unread.pop()
            for number, single in enumerate(text.split("\n"), start=line):
                if single.strip(BLANKS):
                    outcome.take(parts[artifact], (artifact, number, single, 1, sent))
        outcome.store(con)


def _parse_unclaimed(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Lines of files that no format claims: each is tried by every format, and unread if none takes it."""
    unclaimed = {part.artifact.number: part for part in parts}
    if unclaimed:
        own = f"_artifact IN {ids(unclaimed.values())} AND NOT {BLANK}"
        _read_exactly(con, f"SELECT * FROM _lines WHERE {own} ORDER BY _artifact, _line", unclaimed)


def _parse_snapshot(con: duckdb.DuckDBPyConnection, part: Part) -> None:
    table = discover.formats()["resource_snapshot"].table
    found = snapshot_rows(part.artifact.name, part.document)
    number = part.artifact.number
    if isinstance(found, Refused):
        part.trouble = part.trouble or found.why
        insert_tuples(con, "unread", [(number, 1, part.document[:65536], found.why)], ("INTEGER", "BIGINT", "VARCHAR", "VARCHAR"))
        return
    part.format = "resource_snapshot"
    lines = part.document.split("\n")
    texts = {line: lines[line - 1].removesuffix("\r") for line, _ in found}
    own = {"_artifact": number, "_span": 1, "_naive": 0}
    insert_rows(con, table, [{**row, **own, "_line": line, "_text": texts.pop(line, None)} for line, row in found])
    if operation_of(part.artifact.name) in STATE_AND_ROWS:
        _parse_answer(con, part)


def _parse_answer(con: duckdb.DuckDBPyConnection, part: Part) -> None:
    """Hand the records of an answer that is a state and rows at once to the format that claims them; they say ``_via``."""
    shelf = {name: leaf for name, leaf in discover.formats().items() if name not in {*OUTER_FORMATS, "resource_snapshot"}}
    rows: dict[str, list[dict[str, Any]]] = {}
    last = ""
    for record in records(part.document, part.artifact.name):
        if isinstance(record, Broken):
            continue
        if not last or not shelf[last].sniff(record.text, ""):
            last = next((name for name, leaf in shelf.items() if leaf.sniff(record.text, "")), "")
        if last and not isinstance(found := shelf[last].layout.read(record.text), Refused):
            own = {"_artifact": part.artifact.number, "_line": record.line, "_span": record.span, "_via": "resource_snapshot"}
            rows.setdefault(last, []).append({**found, **own})
    for name, found_rows in rows.items():
        insert_rows(con, shelf[name].table, found_rows)
