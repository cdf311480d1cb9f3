"""Which tables of a case hold anything: most cases fill few of the many there are, and a query over all of them takes long to plan."""

from __future__ import annotations

import duckdb

from kyumei import discover


def filled(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The formats whose tables have rows, in alphabetical order; also some whose rows were all taken away again."""
    try:
        found = con.execute("SELECT name FROM _filled").fetchall()
    except duckdb.CatalogException:  # it is not noted yet
        tables = "duckdb_tables() LEFT JOIN _narrow ON name = table_name"
        found = con.execute(f"SELECT DISTINCT coalesce(format, table_name) FROM {tables} WHERE estimated_size > 0").fetchall()
    held = {str(name) for (name,) in found}
    return [name for name in discover.format_names() if name in held]


def note_filled(con: duckdb.DuckDBPyConnection) -> None:
    """Note once all is read what is filled: DuckDB works out its whole catalogue where that is asked, which takes tens of milliseconds."""
    names = filled(con)
    con.execute("CREATE TABLE _filled AS SELECT unnest(?::VARCHAR[]) AS name", [names])


def has_rows(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Whether there is a relation of that name, and a row in it."""
    try:
        return con.execute(f'SELECT 1 FROM "{relation}" LIMIT 1').fetchone() is not None
    except duckdb.CatalogException:
        return False


def exists(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Whether there is a relation of that name."""
    try:
        con.execute(f'FROM "{relation}" LIMIT 0')
    except duckdb.CatalogException:
        return False
    return True
