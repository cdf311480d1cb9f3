"""Records of single lines in files in which others go over several: they are taken out before lines are joined.

A web server's container prints its access lines and its errors to one stream; a line that stayed would be taken for a part of the error
above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.layouts.casts import quoted
from kyumei.store.bulk_rows import claim_staged, count_of, keep_claimed, numbered
from kyumei.store.exact import Outcome
from kyumei.store.part import heads
from kyumei.store.rows import CHUNK_ROWS
from kyumei.store.stage import ids, insert_tuples

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from kyumei.contracts import Format, Layout
    from kyumei.store.part import Part

_TIMED = r"[0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9]{10}|^\{"
"""What a line holds that could be a record: a time, or an object. Most lines of a stack trace hold neither."""


def take_single_lines(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Take records of single lines out of files in which others go over several lines, before lines are joined."""
    mixed = [part for part in parts if part.identity.shape != "document" and heads(part)]
    for name, leaf in discover.formats().items() if mixed else ():
        own = [part for part in mixed if part.format == name and not leaf.headers]
        guests = [part for part in mixed if name in part.others] + [part for part in own if part.layout is None]
        if guests and leaf.layout.head is None:
            _take_lines(con, leaf, leaf.layout, guests)
        for part in own:
            if part.layout is not None and part.layout.head is None:
                _take_lines(con, leaf, part.layout, [part])
    for part in mixed:
        _take_exactly(con, part)


def _take_lines(con: duckdb.DuckDBPyConnection, leaf: Format, layout: Layout, parts: Sequence[Part]) -> None:
    """Take the lines that a layout reads out of ``_lines`` into its format's table."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE _staged AS SELECT * FROM _lines WHERE _artifact IN {ids(parts)}")
    # Without a sample: a line of a shape that it did not show would be taken for a part of the record above.
    claim_staged(con, layout.bulk(numbered()))
    keep_claimed(con, leaf)
    con.execute(
        "DELETE FROM _lines USING _staged s, _bulk b WHERE s.rowid = b._line AND _lines._artifact = s._artifact AND _lines._line = s._line"
    )


def _take_exactly(con: duckdb.DuckDBPyConnection, part: Part) -> None:
    """Take the lines that no bulk reader read, and that an exact one of single lines does."""
    names = [name for name in (part.format, *part.others) if name]
    single = [leaf for leaf in map(discover.formats().__getitem__, names) if leaf.layout.head is None]
    if not single:
        return
    opens = f"regexp_matches(text, {quoted('^(?:' + str(heads(part)) + ')')})"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE _left AS SELECT *, row_number() OVER (ORDER BY _line) AS n FROM _lines "
        f"WHERE _artifact = {part.artifact.number} AND NOT {opens} AND regexp_matches(text, {quoted(_TIMED)}) "
        "AND NOT regexp_matches(text, '^[ \t]')"
    )
    for start in range(0, count_of(con, "_left"), CHUNK_ROWS):
        outcome = Outcome()
        chosen = f"n > {start} AND n <= {start + CHUNK_ROWS}"
        for record in con.execute(f"SELECT _artifact, _line, text, _span, envelope_ms FROM _left WHERE {chosen} ORDER BY n").fetchall():
            for leaf in single:
                layout = (part.layout if leaf.name == part.format else None) or leaf.layout
                if (layout is not leaf.layout or leaf.sniff(record[2], part.hint)) and isinstance(row := layout.read(record[2]), dict):
                    outcome.keep(leaf.name, row, record)
                    break
        outcome.store(con)
        taken = [(row["_line"],) for rows in outcome.rows.values() for row in rows]
        con.execute("CREATE OR REPLACE TEMP TABLE _taken (_line BIGINT)")
        insert_tuples(con, "_taken", taken, ("BIGINT",))
        con.execute(f"DELETE FROM _lines WHERE _artifact = {part.artifact.number} AND _line IN (SELECT _line FROM _taken)")
