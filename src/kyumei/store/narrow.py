"""Keeps the rows of whole files without the columns that none of them fills.

In memory a null takes as much room as a value, and as long to write: a fifth of the time of a flow log, of whose table two thirds are
empty. Rows of whole files therefore go to a table with fewer columns beside that of their format; once all is read, a view of both takes
the format's name, and whoever changes rows asks ``tables_of`` for the tables behind it.
"""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.model.table import LINEAGE

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

    from kyumei.contracts import Format

SPAN = "1::BIGINT"
"""A record of a whole file is one line."""
REGISTER = "CREATE TABLE _narrow (format VARCHAR, name VARCHAR)"
"""The tables of the formats that have more than one."""
_ONE_MAKES = Lock()


def narrow_table(con: duckdb.DuckDBPyConnection, leaf: Format, unfilled: Collection[str]) -> tuple[str, list[str]]:
    """A table for records of one line without the columns that they leave null, and the names of those that it has, in order."""
    columns = [column for column in (*LINEAGE, *leaf.table.columns) if column.name not in unfilled and column.name != "_span"]
    names = [column.name for column in columns]
    own = f"_{leaf.name}_{hashlib.md5(' '.join(names).encode(), usedforsecurity=False).hexdigest()[:8]}"
    with _ONE_MAKES:  # two transactions that make the same table are at odds
        if not con.execute("SELECT 1 FROM _narrow WHERE name = ?", [own]).fetchone():
            declared = ", ".join(f'"{column.name}" {column.kind}' for column in columns)
            con.execute(f'CREATE TABLE "{own}" ({declared})')
            con.execute("INSERT INTO _narrow VALUES (?, ?)", [leaf.name, own])
    return own, names


def rows_of_all(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """SQL: a relation of the rows of a format with all its columns, as long as its tables are not yet joined."""
    narrow = con.execute("SELECT name FROM _narrow WHERE format = ? AND name <> ? ORDER BY 1", [name, f"_{name}"]).fetchall()
    if not narrow:
        return f'"{name}"'
    return "(" + " UNION ALL ".join([f'FROM "{name}"', *(_widened(con, name, own) for (own,) in narrow)]) + ")"


def join_narrow(con: duckdb.DuckDBPyConnection) -> None:
    """Make a view of each format that has narrow tables, with all columns of the format, once no more rows are read."""
    narrow: dict[str, list[str]] = {}
    for format_name, own in con.execute("SELECT format, name FROM _narrow ORDER BY ALL").fetchall():
        narrow.setdefault(format_name, []).append(own)
    for name, own_tables in narrow.items():
        wide = f"_{name}"
        con.execute(f'ALTER TABLE "{name}" RENAME TO "{wide}"')
        con.execute("INSERT INTO _narrow VALUES (?, ?)", [name, wide])
        every = " UNION ALL ".join(_widened(con, name, own) for own in (wide, *own_tables))
        con.execute(f'CREATE VIEW "{name}" AS {every}')


def _widened(con: duckdb.DuckDBPyConnection, name: str, own: str) -> str:
    """The rows of one of its tables with all columns of the format."""
    every = (*LINEAGE, *discover.format_of(name).table.columns)
    nothing = {column.name: f"NULL::{column.kind}" for column in every}
    there = {column[0]: f'"{column[0]}"' for column in con.execute(f'FROM "{own}" LIMIT 0').description or ()}
    columns = {**nothing, "_span": SPAN, **there}
    listed = ", ".join(f'{columns[column.name]} AS "{column.name}"' for column in every)
    return f'SELECT {listed} FROM "{own}"'


def tables_of(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """The tables that hold the rows of a format: mostly the one of its name."""
    found = con.execute("SELECT name FROM _narrow WHERE format = ?", [name]).fetchall()
    return [own for (own,) in found] or [name]
