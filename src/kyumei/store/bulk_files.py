"""Reads whole plain, gzip and zstd files by DuckDB's line reader, and parses them as they are read where every line is a record.

Files that the reader would misread (carriage returns, bytes that are not UTF-8, a broken end) are left to Python's own splitter,
which is slower and always right. Rows that are parsed as they are read do not keep their raw text: it stands in the file, on the
line that they name.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import duckdb
from stringzilla import count

from kyumei import discover
from kyumei.contracts import Select
from kyumei.layouts.casts import quoted
from kyumei.store.bulk_rows import LONGEST_SAMPLED, NOT_PLAIN
from kyumei.store.lines import MAX_LINE, batches, decode
from kyumei.store.narrow import narrow_table
from kyumei.store.part import heads, layouts
from kyumei.store.stage import BLANK
from kyumei.store.unpack import STEP, members, pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Format
    from kyumei.model.artifact import Artifact
    from kyumei.store.part import Part
    from kyumei.store.unpack import Unpacked

DELIMITER = "\x01"
"""Ends a field for DuckDB's reader, which cannot be told that there are none; a file that holds one is not for it."""
BULK_FROM = 1024 * 1024
"""Bytes of a file from which starting DuckDB's reader pays."""
HELD = 192 * 1024 * 1024
"""Bytes of text that are held in memory to be parsed on all cores, where no other file is read meanwhile.

What numbers the lines as they pass is a single thread; holding them costs a fifth of the time.
"""
PACKED = 12
"""How many times its size a compressed log unpacks to, roughly."""
SAMPLED, PLACES = 400, 4
"""Lines that tell the bulk reader which shapes there are, and from how many places of a plain file they come."""
PIECE = 128 * 1024
"""Bytes that are read at each of these places."""
_MISREAD = re.compile("[*?\\[\\]{}\udc80-\udcff]|://|^-$")
"""What in a path DuckDB would take for a pattern or an address, or could not be told."""


def is_for_bulk(part: Part, stream: Unpacked) -> bool:
    """Whether DuckDB's reader can read the file, as far as is known beforehand."""
    return part.whole and is_plain_text(part) and not stream.encoding and part.artifact.size >= BULK_FROM


def is_plain_text(part: Part) -> bool:
    """Whether DuckDB's reader can be tried on a file, whatever its size."""
    artifact = part.artifact
    known = part.identity.shape == "lines" and artifact.compression in {"", "gzip", "zstd"} and not artifact.member
    return known and not _MISREAD.search(str(artifact.path))


def lines_of(artifacts: Sequence[Artifact]) -> str:
    """The relation of the lines of several files, which are compressed alike; their numbers and files are not told.

    Lines that DuckDB's reader cannot read are left out.
    """
    files = ", ".join(quoted(str(artifact.path)) for artifact in artifacts)
    return (
        f"(SELECT 0 AS _artifact, 0 AS _line, coalesce(line, '') AS text FROM {_reader(f'[{files}]', artifacts[0])[:-1]}, "
        "ignore_errors=true))"
    )


def _reader(files: str, artifact: Artifact) -> str:
    """DuckDB's reader of lines."""
    return (
        f"read_csv({files}, delim='{DELIMITER}', quote='', escape='', header=false, auto_detect=false, columns={{'line':'VARCHAR'}}, "
        f"strict_mode=false, max_line_size={MAX_LINE}, compression={quoted(artifact.compression or 'none')})"
    )


def read_bulk(con: duckdb.DuckDBPyConnection, part: Part) -> bool:
    """Read a file, into rows of its format or, where its lines are to be joined first, into ``_lines``.

    False, and nothing read, when the file is not for DuckDB's reader.
    """
    number = part.artifact.number
    lines = _reader(quoted(str(part.artifact.path)), part.artifact)
    reader = f"(SELECT {number} AS _artifact, row_number() OVER () AS _line, coalesce(line, '') AS text FROM {lines})"
    leaf = discover.formats().get(part.format or "")
    parsed = leaf is not None and heads(part) is None and (not leaf.headers or len(part.above) == 1)
    table, insert = _rows(con, part, reader) if parsed else ("_lines", f"INSERT INTO _lines SELECT *, NULL, 1 FROM {reader}")
    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(_line_count, part.artifact)
        try:
            con.execute(insert)
            taken = con.fetchone()
        except duckdb.Error:
            taken = None
        # The reader passes over a line that is too long without a word; then every number after it would be wrong.
        if taken is None or taken[0] != counted.result():
            con.execute(f"DELETE FROM {table} WHERE _artifact = {number}")
            return False
    if parsed:
        _hand_back(con, f"{table} WHERE _artifact = {number} AND _naive = {NOT_PLAIN}", reader)
        if leaf is not None and leaf.headers and not _is_under_one(con, part, leaf):
            con.execute(f"DELETE FROM {table} WHERE _artifact = {number}")
            con.execute(f"DELETE FROM _lines WHERE _artifact = {number}")
            return False
    return True


def _headers(leaf: Format) -> str:
    """SQL: whether a line is a header; most lines are told by one comparison for those that begin with a letter, and one for each sign.

    Cases are asked in their order. Of conditions joined by AND and OR the database tries now and then whether another order is faster.
    """
    groups: dict[str, list[str]] = {}
    for begin in sorted(leaf.headers, key=lambda begin: begin[0].isalpha()):
        groups.setdefault("" if begin[0].isalpha() else begin[0], []).append(begin)
    cases = []
    for sign, begins in groups.items():
        gate = f"starts_with(text, {quoted(sign)})" if sign else f"text >= {quoted(min(begins))}"
        cases.append(f"WHEN {gate} THEN {' OR '.join(f'starts_with(text, {quoted(begin)})' for begin in begins)}")
    return f"CASE {' '.join(cases)} ELSE false END"


def _is_under_one(con: duckdb.DuckDBPyConnection, part: Part, leaf: Format) -> bool:
    """Whether the file begins with the header that it was read by, and no other header tells anything else."""
    own = f"_artifact = {part.artifact.number} AND {_headers(leaf)}"
    found = con.execute(f"SELECT _line, text FROM _lines WHERE {own} ORDER BY _line").fetchall()
    leading = sum(line == number for number, (line, _) in enumerate(found, start=1))
    told = [(line, layout) for line, text in found if leaf.below is not None and (layout := leaf.below(text)) is not None]
    return bool(told) and told[0][0] <= leading and all(layout == part.above[0] for _, layout in told)


def sample_of(part: Part) -> list[str]:
    """Lines from the start of a file, and from further on where it can be entered there."""
    artifact = part.artifact
    head = next((batch.lines for _, _, stream in members(artifact) for batch in batches(stream.chunks(STEP))), [])
    if artifact.compression or artifact.size < PLACES * PIECE:
        return [line for line in head[:SAMPLED] if len(line) <= LONGEST_SAMPLED]
    later = pieces(artifact, [artifact.size * place // PLACES for place in range(1, PLACES)], PIECE)
    found = [line for lines in (head, *(decode(piece).split("\n")[1:-1] for piece in later)) for line in lines[: SAMPLED // PLACES]]
    return [line for line in found if len(line) <= LONGEST_SAMPLED]


def _rows(con: duckdb.DuckDBPyConnection, part: Part, reader: str) -> tuple[str, str]:
    """The table for all lines of a file, and the statement that parses them into it."""
    sample = sample_of(part)
    leaf = discover.formats()[str(part.format)]
    held = part.alone and part.artifact.size <= (HELD if not part.artifact.compression else HELD // PACKED)
    lines = f"WITH lines AS MATERIALIZED {reader} " if held else ""
    source, layout = "lines" if held else reader, layouts(part)[0]
    if leaf.headers:
        source = f"(SELECT _artifact, _line, CASE WHEN {_headers(leaf)} THEN '' ELSE text END AS text FROM {source})"
        sample, layout = [text for text in sample if not text.startswith(leaf.headers)], part.above[0]
    select = layout.bulk(source, sample)
    table, columns = narrow_table(con, leaf, {"_text", *(select.unfilled if isinstance(select, Select) else ())})
    own = {"_via": "NULL", "_naive": f"CASE WHEN _ok THEN _naive ELSE {NOT_PLAIN} END"}
    listed = ", ".join(own.get(column, f'"{column}"') for column in columns)
    return f'"{table}"', f'INSERT INTO "{table}" {lines}SELECT {listed} FROM ({select})'


def _hand_back(con: duckdb.DuckDBPyConnection, rows: str, reader: str) -> None:
    """Take the rows that the bulk reader does not claim out of the table, and their lines into ``_lines``."""
    wanted, last = con.execute(f"SELECT count(*), max(_line) FROM {rows}").fetchone() or (0, None)
    if not wanted:
        return
    own = f"WHERE _line IN (SELECT _line FROM {rows})"
    # Mostly it is a header at the start: then the rest of the file need not be read again.
    for source in (f"(SELECT * FROM {reader} LIMIT {last})", reader):
        con.execute(f"CREATE OR REPLACE TEMP TABLE _back AS SELECT *, NULL, 1 FROM {source} r {own}")
        if con.execute("SELECT count(*) FROM _back").fetchone() == (wanted,):
            break
    con.execute(f"INSERT INTO _lines SELECT * FROM _back WHERE NOT {BLANK}")
    con.execute("DROP TABLE _back")
    con.execute(f"DELETE FROM {rows}")


def _line_count(artifact: Artifact) -> int | None:
    """How many lines a file has; null where it holds what DuckDB's reader would end a line or a field at, or breaks off."""
    ends, last = 0, b"\n"
    for _, _, stream in members(artifact):
        for piece in stream.chunks(STEP):
            if b"\r" in piece or DELIMITER.encode() in piece:
                return None
            ends += count(piece, b"\n")
            last = piece[-1:]
        if stream.trouble:
            return None
    return ends + (last != b"\n")
