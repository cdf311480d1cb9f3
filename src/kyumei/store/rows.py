"""Appends rows that were read one by one to the table of their format."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kyumei.layouts.casts import quoted
from kyumei.model.table import LINEAGE, Kind

if TYPE_CHECKING:
    import duckdb

    from kyumei.model.table import Table

CHUNK_ROWS = 20_000
"""Rows handed over to the database at once."""


def insert_rows(con: duckdb.DuckDBPyConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Append rows given as column to value; what a row leaves out is null."""
    columns = (*LINEAGE, *table.columns)
    kinds = {column.name: column.kind for column in columns}
    raw = {Kind.TIME: "VARCHAR", Kind.JSON: "VARCHAR"}
    structure = json.dumps({column.name: raw.get(column.kind, str(column.kind)) for column in columns})
    selected = ", ".join(f'(r."{column.name}")::{column.kind}' for column in columns)
    for start in range(0, len(rows), CHUNK_ROWS):
        texts = [
            json.dumps({name: _plain(value, kinds[name]) for name, value in row.items() if value is not None and name in kinds})
            for row in rows[start : start + CHUNK_ROWS]
        ]
        con.execute(
            f'INSERT INTO "{table.name}" SELECT {selected} FROM (SELECT from_json(unnest(?::VARCHAR[]), {quoted(structure)}) AS r)', [texts]
        )


def _plain(value: Any, kind: Kind) -> Any:  # noqa: ANN401 - any value of a row
    """A value as JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if kind is Kind.JSON and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return value
