"""Turns staged records into rows by the bulk readers: what they do not claim is named, to be read one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.layouts.casts import quoted
from kyumei.layouts.clocks import YEARLESS_TIME
from kyumei.store.stage import ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from kyumei.contracts import Format, Layout
    from kyumei.store.part import Part

SAMPLED = 400
"""Records that tell the bulk reader which shapes there are."""
LONGEST_SAMPLED = 16 * 1024
"""Characters of such a record: a reader made for the shape of a hostile one of 160 kB is planned for a quarter of a minute."""
BULK_ROWS = 800
"""Records from which the bulk reader pays: planning its query takes as long as reading some hundreds of records one by one."""
_SHORT = f"strlen(text) <= {LONGEST_SAMPLED}"
ENVELOPE_TIME = "make_timestamp(s.envelope_ms * 1000)"
"""When CloudWatch Logs had the event: the time of a record that states none."""
NOT_PLAIN = -1
"""Stands in ``_naive`` while a row is one that the bulk reader does not claim."""
_YEARLESS = f"b._naive = {YEARLESS_TIME} AND s.envelope_ms IS NOT NULL"
"""SQL: whether a record has its year from its envelope, which the exact reader gives it."""


def count_of(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """How many rows a relation has."""
    row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return int(row[0]) if row else 0


def pays(con: duckdb.DuckDBPyConnection, readers: int = 1) -> bool:
    """Whether there are so many records in ``_staged`` that so many bulk readers pay."""
    return count_of(con, "_staged") >= BULK_ROWS * readers


def select_of(con: duckdb.DuckDBPyConnection, layout: Layout, where: str = "true") -> str:
    """The bulk reader's SELECT over some of ``_staged``, for the shapes that records from all over it have."""
    step = max(count_of(con, f"_staged WHERE {where}") // SAMPLED, 1)
    # One in so many in order would meet the same line again and again where lines of several shapes follow each other in turn.
    sample = con.execute(f"SELECT text FROM _staged WHERE {where} AND {_SHORT} AND hash(rowid) % {step} = 0 LIMIT {SAMPLED}").fetchall()
    return layout.bulk(numbered(where), [text for (text,) in sample])


def numbered(where: str = "true") -> str:
    """The relation over ``_staged`` that a bulk reader gets. Its ``_line`` is the number of the row: many records may start on one line."""
    return f"(SELECT _artifact, rowid AS _line, text FROM _staged WHERE {where})"


def read_staged(con: duckdb.DuckDBPyConnection, leaf: Format, own: Sequence[Part], selects: Sequence[str]) -> str:
    """Read ``_staged``, the records of ``own``, into the format's table; a SELECT of the rowids of those that no bulk reader claims.

    Each record is in one of the selects. What is not claimed stands in the table until all is read, for a query that asked each row twice
    would parse it twice; its span is then its rowid.
    """
    bulk = " UNION ALL ".join(f"({select})" for select in selects)
    wrong = f"(b._ok IS DISTINCT FROM true OR ({_YEARLESS}))"
    naive, columns = _columns(leaf)
    con.execute(
        f'INSERT INTO "{leaf.name}" SELECT s._artifact, s._line, CASE WHEN {wrong} THEN s.rowid ELSE s._span END, NULL, '
        f"CASE WHEN {wrong} THEN {NOT_PLAIN} ELSE {naive} END, b._extra, s.text, {columns} "
        f"FROM ({bulk}) b JOIN _staged s ON s.rowid = b._line"
    )
    left = f'"{leaf.name}" WHERE _naive = {NOT_PLAIN} AND _artifact IN {ids(own)}'
    con.execute(f"CREATE OR REPLACE TEMP TABLE _refused AS SELECT _span AS record FROM {left}")
    if count_of(con, "_refused"):
        con.execute(f"DELETE FROM {left}")
    return "SELECT record FROM _refused"


def claim_staged(con: duckdb.DuckDBPyConnection, select: str) -> None:
    """Fill ``_bulk`` with the rows of those staged records that the bulk reader claims; its ``_line`` is the rowid of the record."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE _bulk AS {select}")
    con.execute("DELETE FROM _bulk WHERE _ok IS DISTINCT FROM true")


def keep_claimed(con: duckdb.DuckDBPyConnection, leaf: Format) -> None:
    """Put the rows of ``_bulk`` into the format's table, with their raw text; but for those whose year the exact reader gives."""
    con.execute(f"DELETE FROM _bulk b USING _staged s WHERE s.rowid = b._line AND {_YEARLESS}")
    naive, columns = _columns(leaf)
    _keep(con, leaf, f"NULL, {naive}, b._extra, s.text, {columns}")


def keep_inner(con: duckdb.DuckDBPyConnection, leaf: Format, via: str) -> None:
    """Put the rows of ``_bulk`` into the format's table as records that lie inside those of ``via``, whose raw text is theirs, too."""
    columns = ", ".join(f'b."{column.name}"' for column in leaf.table.columns)
    _keep(con, leaf, f"{quoted(via)}, b._naive, b._extra, NULL, {columns}")


def _keep(con: duckdb.DuckDBPyConnection, leaf: Format, own: str) -> None:
    con.execute(f'INSERT INTO "{leaf.name}" SELECT s._artifact, s._line, s._span, {own} FROM _bulk b JOIN _staged s ON s.rowid = b._line')


def _columns(leaf: Format) -> tuple[str, str]:
    """SQL: ``_naive`` and the columns of records that may lie in an envelope, which tells the time of those that state none."""
    columns = ", ".join(f'b."{column.name}"' for column in leaf.table.columns)
    if "time" not in leaf.table:
        return "b._naive", columns
    naive = f'if(b."time" IS NULL AND {ENVELOPE_TIME} IS NOT NULL, 0, b._naive)'
    return naive, columns.replace('b."time"', f'coalesce(b."time", {ENVELOPE_TIME})', 1)
