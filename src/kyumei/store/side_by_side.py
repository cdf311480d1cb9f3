"""Several things done to one database at once: while one file is decompressed or parsed, another is searched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    import duckdb

Made = TypeVar("Made")

AT_ONCE = 2
"""Python searches one file at a time; the second thread is for what the database and the decompressors do meanwhile."""


def meanwhile(work: Callable[[], Made]) -> Future[Made]:
    """Begin something that another thread does, and answer at once."""
    pool = ThreadPoolExecutor(1)
    begun = pool.submit(work)
    pool.shutdown(wait=False)
    return begun


def side_by_side(con: duckdb.DuckDBPyConnection, works: Iterable[Callable[[duckdb.DuckDBPyConnection], None]]) -> None:
    """Do several things at once, each with a connection of its own to the same database; temporary tables are each one's own."""
    cursors: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
    for _ in range(AT_ONCE):
        cursors.put(con.cursor())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(_with_cursor, cursors, work) for work in works]:
            done.result()


def _with_cursor(cursors: SimpleQueue[duckdb.DuckDBPyConnection], work: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
    """Do something with one of the cursors, which serve one thread at a time."""
    cursor = cursors.get()
    try:
        work(cursor)
    finally:
        cursors.put(cursor)
