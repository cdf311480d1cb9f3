"""Reads records one by one, by the exact readers: by their file's format, or by any other that claims them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.layouts.clocks import YEARLESS_TIME
from kyumei.store.event_lines import in_year_of
from kyumei.store.rows import insert_rows
from kyumei.store.stage import insert_tuples

if TYPE_CHECKING:
    import duckdb

    from kyumei.contracts import Layout
    from kyumei.store.part import Part

Staged = tuple[int, int, str, int, int | None]
"""A record: its file, the number of its first line, its text, how many lines it takes up, and when its envelope was sent."""


@dataclass
class Outcome:
    """What became of a chunk of records."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unread: list[tuple[int, int, str, str]] = field(default_factory=list)

    def take(self, part: Part, record: Staged) -> bool:
        """Read one record; false when it is unread. What states no time of its own has that of its envelope, where it came in one."""
        artifact, line, text, *_ = record
        found = read_one(part, line, text)
        if isinstance(found, str):
            self.unread.append((artifact, line, text, found))
            return False
        self.keep(*found, record)
        return True

    def keep(self, name: str, row: dict[str, Any], record: Staged) -> None:
        """Keep the row of a format's table that a record is."""
        artifact, line, text, span, sent = record
        if sent is not None and row.get("time") is None:
            row = {**row, "time": datetime(1970, 1, 1) + timedelta(milliseconds=sent), "_naive": 0}  # noqa: DTZ001 - rows hold naive UTC
        elif sent is not None and row["_naive"] == YEARLESS_TIME and isinstance(row["time"], datetime):
            row = {**row, **in_year_of(row["time"], datetime(1970, 1, 1) + timedelta(milliseconds=sent))}  # noqa: DTZ001 - as above
        self.rows.setdefault(name, []).append({**row, "_artifact": artifact, "_line": line, "_span": span, "_text": text})

    def store(self, con: duckdb.DuckDBPyConnection) -> None:
        """Append everything to its tables."""
        for name, found in self.rows.items():
            insert_rows(con, discover.formats()[name].table, found)
        insert_tuples(con, "unread", self.unread, ("INTEGER", "BIGINT", "VARCHAR", "VARCHAR"))


def read_one(part: Part, line: int, text: str) -> tuple[str, dict[str, Any]] | str:
    """The format and the row of one record, or why none could be read."""
    why = "no format claims it"
    name = part.hint
    adopted: tuple[str, dict[str, Any]] | None = None
    adopts: tuple[str, ...] = ()
    if part.format is not None:
        own = discover.formats()[part.format]
        layout = part.layout_at(line) or own.layout
        found = _read(part, layout, text)
        if not isinstance(found, Refused):
            if not own.adopts or own.sniff(text, name):
                return part.format, found
            adopted, adopts = (part.format, found), own.adopts
        else:
            why = found.why
    for other, leaf in discover.formats().items():
        if other != part.format and other not in adopts and leaf.sniff(text, name):
            found = _read(part, leaf.layout, text)
            if not isinstance(found, Refused):
                return other, found
    return adopted or why


def _read(part: Part, layout: Layout, text: str) -> dict[str, Any] | Refused:
    """What a layout reads; lines that were joined for other formats of the file are no record of one whose records are single lines."""
    if layout.head is None and "\n" in text and part.identity.shape != "document" and not text.startswith(("{", "[")):
        return Refused("several lines")
    return layout.read(text)
