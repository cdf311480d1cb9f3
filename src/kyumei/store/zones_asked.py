"""Zones in a question. All times of a case are in UTC, and plain: none of them carries a zone.

DuckDB reads a text as a plain time wherever it is compared with one, and passes over the zone behind it without a word: ``time >
'2025-02-06T14:30:00+09:00'`` is nine hours off. ``time AT TIME ZONE 'Asia/Tokyo'`` says that the time was one of Tokyo, which is nine
hours off, too; after ``AT TIME ZONE 'UTC'`` it shows the hour of Tokyo, which is a plain time again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.model.table import Kind
from kyumei.store.asked import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ZONED = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)? ?"
    r"(?P<zone>[+-][0-9:]{2,8}|[A-Za-z][A-Za-z0-9_/+-]*)",
    re.ASCII,
)
_UTC = re.compile(r"[+-]00(?::?00)?|Z|UTC|GMT|Etc/UTC", re.IGNORECASE | re.ASCII)
_PLAIN = frozenset({"TIMESTAMP", "DATETIME", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_US", "TIMESTAMP_NS"})
"""What drops a zone, as DuckDB names it."""
_KEEPING = frozenset({"min", "max", "any_value", "first", "last", "date_trunc", "time_bucket"})
"""Functions that make a time of a time."""


def zone_lost(question: dict[str, Any]) -> str:
    """The first time with a zone other than UTC that would be read as one of UTC; empty where there is none."""
    names = _time_columns()
    return next((text for one in nodes(question) for text in _compared(one, names) if _is_elsewhere(text)), "")


def zone_mistaken(question: dict[str, Any]) -> tuple[str, str]:
    """The first column of times that ``AT TIME ZONE`` takes for those of another zone than UTC, and that zone; empty if there is none."""
    names = _time_columns()
    for one in nodes(question):
        zone, told = _at_zone(one)
        if zone and _is_time(told, names):
            return str(told["column_names"][-1]) if "column_names" in told else "(...)", zone
    return "", ""


def told_locally(question: dict[str, Any], columns: Sequence[str]) -> list[bool]:
    """Of each column of the answer whether its plain times may be those of another zone: it, or what it was made of, has AT TIME ZONE."""
    every = list(nodes(question))
    if not any(_at_zone(one)[0] for one in every):
        return [False] * len(columns)
    if any(one.get("column_name_alias") or one.get("aliases") for one in every):
        return [True] * len(columns)  # names are given by place
    aliased = [(str(one["alias"]).lower(), list(nodes(one))) for one in every if one.get("alias") and one.get("class")]
    local: set[str] = set()
    while more := {name for name, inner in aliased if name not in local and any(_at_zone(one)[0] or _names(one) & local for one in inner)}:
        local |= more
    return [bool(local & words or "timezone" in words) for words in ({*_WORD.findall(name.lower()), name.lower()} for name in columns)]


_WORD = re.compile(r"\w+")


def _names(one: dict[str, Any]) -> set[str]:
    """The name of the column that an expression reads."""
    return {str(one["column_names"][-1]).lower()} if one.get("class") == "COLUMN_REF" else set()


def _at_zone(one: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The zone other than UTC of an ``AT TIME ZONE``, and what it is said of; empty where an expression is none."""
    if one.get("class") != "FUNCTION" or str(one.get("function_name")).lower() != "timezone" or len(one.get("arguments") or ()) != 2:  # noqa: PLR2004 - a zone and a time
        return "", {}
    zone, told = (argument["expression"] for argument in one["arguments"])
    text = next(_texts([zone]), "another zone")
    return ("", {}) if _UTC.fullmatch(text) else (text, told)


def _time_columns() -> set[str]:
    """The names of columns that hold times."""
    return {column.name for leaf in discover.formats().values() for column in leaf.table.columns if column.kind is Kind.TIME}


def _compared(one: dict[str, Any], names: set[str]) -> Iterator[str]:
    """The texts that an expression reads as plain times."""
    if one.get("class") == "CAST" and str((one.get("type_expr") or {}).get("type_name")).upper() in _PLAIN:
        yield from _texts([one.get("child")])
    elif one.get("class") in {"COMPARISON", "BETWEEN"} or one.get("type") == "COMPARE_IN":
        sides = [one.get(side) for side in ("left", "right", "input", "lower", "upper")] + list(one.get("children") or ())
        if any(_is_time(side, names) for side in sides if side):
            yield from _texts(sides)


def _is_time(side: dict[str, Any], names: set[str]) -> bool:
    """Whether it is a column that holds times, or an earliest or latest one of it."""
    if side.get("class") == "FUNCTION" and str(side.get("function_name")).lower() in _KEEPING:
        return any(_is_time(argument["expression"], names) for argument in side.get("arguments") or ())
    return side.get("class") == "COLUMN_REF" and str(side["column_names"][-1]).lower() in names


def _texts(sides: list[dict[str, Any] | None]) -> Iterator[str]:
    """The texts among some expressions."""
    for side in sides:
        literal = (side or {}).get("literal") or {}
        if literal.get("kind") == "STRING":
            yield str(literal["text"])


def _is_elsewhere(text: str) -> bool:
    """Whether a text is a time in a zone other than UTC."""
    found = _ZONED.fullmatch(text.strip())
    return found is not None and not _UTC.fullmatch(found["zone"])
