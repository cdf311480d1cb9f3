r"""Reads a Parquet file as lines: one JSON object for each row, in the order of the file.

So a table in Parquet is a log like any other, and the number of a line is that of its row, counted from 1. DuckDB reads the file column by
column and hands over some thousand rows at a time, in a database of its own: what is wrong with a file can harm no other. A time is written
as ``2025-02-06 05:32:10`` (UTC), bytes that are no text as ``\xff``, nothing as null.

Follows "File Format" in the documentation of Apache Parquet: the file ends with its table of contents and its mark.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from kyumei.layouts.casts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kyumei.store.inflate import Stream

__all__ = ["rows_as_lines", "rows_of_inner"]

MARK = b"PAR1"
SMALLEST = 12
"""Bytes of a file without any row: two marks and the length of the table of contents."""
AT_ONCE = 2048
"""Rows that are handed over at once; DuckDB makes so many together."""
MEMORY = "400MB"
MAX_INNER = 256 * 1024 * 1024
"""Bytes of a Parquet file inside another file that are laid down in a temporary folder: its table of contents stands at its end."""
_PATTERN = re.compile(r"[*?\[\]{}\udc80-\udcff]|://")
"""What DuckDB would take for a pattern or an address in a path, or could not be told."""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": MEMORY,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def rows_as_lines(path: Path) -> Iterator[bytes]:
    """The rows as pieces of whole lines; ValueError, after all rows before it, says what is wrong with the file."""
    _check_ends(path)
    if not _PATTERN.search(str(path)):
        yield from _rows(str(path))
        return
    with tempfile.TemporaryDirectory(prefix="kyumei-") as folder:
        link = Path(folder) / "rows.parquet"
        link.symlink_to(path.absolute())
        yield from _rows(str(link))


def rows_of_inner(packed: Stream) -> Iterator[bytes]:
    """The rows of a Parquet file that lies inside another file, as ``rows_as_lines`` gives them."""
    with tempfile.TemporaryDirectory(prefix="kyumei-") as folder:
        path = Path(folder) / "rows.parquet"
        size = 0
        with path.open("wb") as laid_down:
            while piece := packed.read(1 << 20):
                size += laid_down.write(piece)
                if size > MAX_INNER:
                    message = f"a Parquet file of more than {MAX_INNER} bytes inside another file; unpack it into the folder"
                    raise ValueError(message)
        yield from rows_as_lines(path)


def _check_ends(path: Path) -> None:
    """Raise for a file that lacks its end, for which DuckDB has less plain words."""
    with path.open("rb") as raw:
        size = raw.seek(0, 2)
        raw.seek(max(size - len(MARK), 0))
        if size < SMALLEST or raw.read() != MARK:
            message = "the Parquet file is cut off: its end, which holds the table of contents, is missing"
            raise ValueError(message)


def _rows(path: str) -> Iterator[bytes]:
    """The rows of a file under a path that is none of ``_PATTERN``."""
    try:
        with closing(duckdb.connect(":memory:", config=_CONFIG)) as con:
            con.execute("SET TimeZone = 'UTC'")
            con.execute(_select(con, f"read_parquet({quoted(path)})"))
            while rows := con.fetchmany(AT_ONCE):
                yield "".join(f"{text}\n" for (text,) in rows).encode("utf-8", "backslashreplace")
    except duckdb.Error as error:
        message = f"the Parquet file is damaged: {_reason(error, path)}"
        raise ValueError(message) from error


def _select(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """The query for the rows as JSON; columns of bytes are texts where they hold one, for many writers leave out that they do."""
    kinds = [(name, kind) for name, kind, *_ in con.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
    texts = [f"coalesce(TRY(decode({_name(name)})), {_name(name)}::VARCHAR) AS {_name(name)}" for name, kind in kinds if kind == "BLOB"]
    replaced = f" REPLACE ({', '.join(texts)})" if texts else ""
    return f"SELECT to_json(row)::VARCHAR FROM (SELECT *{replaced} FROM {table}) row"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _reason(error: duckdb.Error, path: str) -> str:
    """The first line of what DuckDB says, without the path, which may be a temporary one."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    for written in (f"'{path}'", f'"{path}"', path):
        first = first.replace(f" {written}", "").replace(written, "")
    return first.strip()
