"""Values as SQL literals, so that the query behind a sentence can be run again as it stands."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def literal(value: object) -> str:
    """A value as an SQL literal: text in quotes, a time as a TIMESTAMP, null as NULL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(sep=' ')}'"
    text = "'" + str(value).replace("'", "''") + "'"
    return "(" + text.replace("\0", "' || chr(0) || '") + ")" if "\0" in text else text


def same(column: str, value: object) -> str:
    """A condition that the column has this value, null included."""
    return f"{column} IS NULL" if value is None else f"{column} = {literal(value)}"


def among(column: str, values: Iterable[object]) -> str:
    """A condition that the column has one of these values; false for none."""
    listed = ", ".join(dict.fromkeys(literal(value) for value in values))
    return f"{column} IN ({listed})" if listed else "false"
