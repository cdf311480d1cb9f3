"""Reads the compact ``{"Records":[{…},{…}]}`` of CloudTrail without decoding it: the database cuts it into records and parses them at once.

All records of a file begin with the same key, so one ends and the next begins at ``},{"eventVersion":``. In a string that cannot stand, for
its quotes would be escaped; in a list inside of a record it might. But where all that lies in between is a JSON object by itself, these are
the records: a document that has anything else is read once more, by the reader that decodes everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from kyumei.contracts import Select
from kyumei.layouts.casts import quoted
from kyumei.store.bulk_rows import NOT_PLAIN
from kyumei.store.memory import memory
from kyumei.store.narrow import narrow_table
from kyumei.store.stage import ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kyumei.contracts import Format
    from kyumei.store.part import Part

_KEY = '{"eventVersion":'
_START, _BETWEEN, _END = f'{{"Records":[{_KEY}'.encode(), f"}},{_KEY}".encode(), b"}]}"
_CARRIERS = (b'"kinesis"', b'"Sns"', b'"aws:sqs"')
"""What stands in an item that carries a record instead of being one; all items of a document are alike in this."""
_TAIL = 64
"""Bytes at the end of a document in which blanks are passed over."""
PIECE = 4 * 1024 * 1024
"""Bytes of records after which a document is cut."""
SHARE = 64
"""What part of the memory that may be used documents hold that are parsed together, while the next ones are opened."""
WORTH_IT = 6 * 1024 * 1024
"""Bytes of records from which that pays: planning the statement takes as long as parsing three megabytes."""
SAMPLED = 400
"""Records that tell the bulk reader which shapes there are."""


def compact_pieces(document: bytes) -> tuple[bytes, ...]:
    """A compact document on one line in pieces of whole records, if it is sound; none where it is not of that kind.

    Each piece is without the key that its first record begins with, and without the bracket that its last one ends with.
    """
    tail = document[-_TAIL:]
    end = len(document) - len(tail) + len(tail.rstrip(b" \r\n"))
    if not (document.startswith(_START) and document.endswith(_END, 0, end)) or document.find(b"\n", 0, end) >= 0:
        return ()
    end -= len(_END)
    pieces: list[bytes] = []
    at = len(_START)
    while at <= end:
        cut = document.find(_BETWEEN, at + PIECE, end)
        cut = cut if cut >= 0 else end
        pieces.append(document[at:cut])
        at = cut + len(_BETWEEN)
    first = pieces[0].partition(_BETWEEN)[0]
    return () if any(mark in first for mark in _CARRIERS) else tuple(pieces)


def joined(pieces: Sequence[bytes]) -> bytes:
    """The document that was cut."""
    return _START + _BETWEEN.join(pieces) + _END


def sample(pieces: Sequence[bytes], records: int) -> Iterator[str]:
    """Some records from all over the pieces, at most about so many."""
    apart = sum(map(len, pieces)) // records
    for piece in pieces:
        at = 0
        while at >= 0:
            end = piece.find(_BETWEEN, at)
            record = piece[at : end if end >= 0 else len(piece)]
            yield f"{_KEY}{record.decode('utf-8', 'backslashreplace')}}}"
            following = piece.find(_BETWEEN, max(end, at + apart)) if end >= 0 else -1
            at = following + len(_BETWEEN) if following >= 0 else -1


def parse_compact(con: duckdb.DuckDBPyConnection, leaf: Format, parts: Sequence[Part]) -> list[Part]:
    """Parse the compact documents among the parts into rows of a format; answers those that turn out to be no such documents.

    Records that the bulk reader does not claim go into ``_lines``; all of them where there are few.
    """
    parts = [part for part in parts if part.compact]
    if not parts:
        return []
    is_bulk = sum(len(piece) for part in parts for piece in part.compact) >= WORTH_IT
    broken: set[int] = set()
    tables: set[str] = set()
    for batch in _batches(parts):
        numbers, pieces = map(list, zip(*batch, strict=True))
        table, statement = _rows(con, leaf, pieces) if is_bulk else ("_lines", _LINES)
        tables.add(table)
        try:
            con.execute(statement, {"artifacts": numbers, "pieces": pieces})
        except duckdb.Error:  # not UTF-8
            broken.update(numbers)
    for table in tables - {"_lines"}:
        left = f'FROM "{table}" WHERE _artifact IN {ids(parts)} AND _naive = {NOT_PLAIN}'
        con.execute(f"INSERT INTO _lines SELECT _artifact, _line, _text, NULL, 1 {left}")
        con.execute(f"DELETE {left}")
    unsound = f"SELECT DISTINCT _artifact FROM _lines WHERE _artifact IN {ids(parts)} AND NOT json_valid(text)"
    broken.update(number for (number,) in con.execute(unsound).fetchall())
    again = [part for part in parts if part.artifact.number in broken]
    for table in tables | {"_lines"} if again else ():
        con.execute(f'DELETE FROM "{table}" WHERE _artifact IN {ids(again)}')
    for part in parts:
        part.compact = part.compact if part in again else ()
    return again


def _batches(parts: Sequence[Part]) -> Iterator[list[tuple[int, bytes]]]:
    """Pieces with the numbers of their files, as many as are parsed by one statement."""
    batch: list[tuple[int, bytes]] = []
    size = 0
    for number, piece in ((part.artifact.number, piece) for part in parts for piece in part.compact):
        batch.append((number, piece))
        size += len(piece)
        if size >= memory() // SHARE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


_RECORDS = (
    f"(SELECT _artifact, {quoted(_KEY)} || unnest(string_split(decode(piece), {quoted(_BETWEEN.decode())})) || '}}' AS text "
    "FROM (SELECT unnest($artifacts) AS _artifact, unnest($pieces) AS piece))"
)
"""The records of pieces, as two lists are told."""
_LINES = f"INSERT INTO _lines SELECT _artifact, 1, text, NULL, 1 FROM {_RECORDS}"


def _rows(con: duckdb.DuckDBPyConnection, leaf: Format, pieces: Sequence[bytes]) -> tuple[str, str]:
    """A table for the records of pieces, and the statement that parses them into it.

    The bulk reader hands on the number of the line as it is, so that in its place the text can pass through; the line is the first one.
    """
    select = leaf.layout.bulk(f"(SELECT _artifact, text AS _line, text FROM {_RECORDS})", list(sample(pieces, SAMPLED)))
    table, columns = narrow_table(con, leaf, select.unfilled if isinstance(select, Select) else ())
    own = {"_line": "1", "_via": "NULL", "_naive": f"CASE WHEN _ok THEN _naive ELSE {NOT_PLAIN} END", "_text": "_line"}
    listed = ", ".join(own.get(column, f'"{column}"') for column in columns)
    return table, f'INSERT INTO "{table}" SELECT {listed} FROM ({select})'
