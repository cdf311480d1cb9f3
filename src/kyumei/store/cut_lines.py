"""Pieces of lines that Docker cut at 16 KiB and its driver for Fluentd, mostly FireLens of Amazon ECS, handed on as records of their own.

Every piece says which line it is of, and whether it is the last one. Pieces of other containers may stand in between.

Follows "Fluentd logging driver" of Docker and "Concatenate multiline or stack-trace Amazon ECS log messages" in the Amazon ECS Developer
Guide.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kyumei.layouts.casts import to_json
from kyumei.store.event_lines import Broken, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARTIAL = '"partial_message"'
"""The key that every piece has."""
LONGEST_JOINED = 1024 * 1024
"""Characters to which the pieces of a line that was cut are joined."""
_OWN = frozenset({"partial_message", "partial_id", "partial_ordinal", "partial_last"})


def is_driver_line(line: str) -> bool:
    """Whether a line is a record of Docker's driver for Fluentd."""
    return line.startswith("{") and all(f'"{key}"' in line for key in ("container_id", "log", "source"))


def driver_piece_of(line: str) -> tuple[str, bool] | None:
    """Of a piece which line it is of, and whether the rest follows in a later one; null for any other record."""
    found = _decoded(line) if PARTIAL in line else None
    if found is None or not isinstance(found.get("partial_id"), str) or not isinstance(found.get("log"), str):
        return None
    return found["partial_id"], str(found.get("partial_last")).lower() != "true"


def with_driver_piece(before: str, after: str) -> str:
    """A record with the text of the piece that follows it, and without what says that it was cut."""
    first, next_ = _decoded(before) or {}, _decoded(after) or {}
    whole = {key: value for key, value in first.items() if key not in _OWN}
    return to_json({**whole, "log": f"{first.get('log', '')}{next_.get('log', '')}"}) or before


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def with_whole_lines(found: Iterable[Record | Broken]) -> Iterator[Record | Broken]:
    """The records of a document, those of one line put together where its first piece stands."""
    held: dict[str, Record] = {}
    for record in found:
        told = None if isinstance(record, Broken) else driver_piece_of(record.text)
        if told is None or isinstance(record, Broken):
            yield record
            continue
        line, is_cut = told
        before = held.pop(line, None)
        if before is not None:
            span = before.span + (record.span if record.line != before.line else 0)
            record = before._replace(text=with_driver_piece(before.text, record.text), span=span)  # noqa: PLW2901 - the whole in its place
        if is_cut and len(record.text) < LONGEST_JOINED:
            held[line] = record
        else:
            yield record
    yield from held.values()
