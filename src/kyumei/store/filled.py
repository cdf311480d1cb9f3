"""Which tables of a case hold anything: most cases fill few of the many there are, and a query over all of them takes long to plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei import discover

if TYPE_CHECKING:
    import duckdb


def filled(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The formats whose tables have rows, in alphabetical order; also some whose rows were all taken away again."""
    found = con.execute("SELECT table_name FROM duckdb_tables() WHERE estimated_size > 0").fetchall()
    held = {str(name) for (name,) in found}
    return [name for name in discover.format_names() if name in held]
