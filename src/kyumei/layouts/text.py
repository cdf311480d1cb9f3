"""The text layout: records of one or more lines, told apart by patterns.

The layout is declared as shapes, tried in order: the first whose pattern is found in the record decides. Looks then read inside a column
that is filled (an access line in a message, the last error of a traceback) and fill columns that are still null. See ``text_shapes`` for
what a pattern may hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Refused
from kyumei.layouts.casts import fill
from kyumei.layouts.stamps import substrings
from kyumei.layouts.text_bulk import select
from kyumei.layouts.text_shapes import HEADLINE, compiled, first_shape, without_colour

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from kyumei.layouts.stamps import Stamp
    from kyumei.layouts.text_shapes import Look, Shape
    from kyumei.model.table import Column
    from kyumei.model.window import Window


@dataclass(frozen=True)
class Text:
    """A text layout. ``head`` is the pattern of a record's first line; ``written`` are the ways in which its times are written.

    ``defaults`` stand where a column is null in the end. ``among`` is a narrower ``head`` for files in which records of other formats, too,
    go over several lines: a head that takes any line would cut those. ``within`` are lines without a time that begin a record, too; where
    only records of a window are looked for they stay with the one above, by whose time they are found.
    """

    columns: tuple[Column, ...]
    shapes: tuple[Shape, ...]
    written: tuple[Stamp, ...] = ()
    head: str | None = None
    looks: tuple[Look, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    among: str | None = None
    within: str | None = None

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return substrings(self.written, window, offsets)

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        return select(self, source, sample)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        return self.follow(text)[0]

    def follow(self, text: str) -> tuple[dict[str, Any] | Refused, list[Shape | None]]:
        """What ``read`` answers, and which shapes it found: the record's own, then that of each look, null where there was none."""
        subject = without_colour(text).rstrip("\n")
        found = first_shape(self.shapes, subject)
        if not found:
            return Refused("no known shape fits"), []
        shape = found[0]
        values, extra = _filled(*found)
        unread = next((extra[take.source] for take in shape.takes if take.column == "time" and take.source in extra), None)
        if unread is not None:
            return Refused(f"the time cannot be read: {unread[:60]!r}"), []
        shapes = [shape, *(self._look(look, values, extra) for look in self.looks)]
        row = {column.name: values.get(column.name) for column in self.columns}
        for name, default in self.defaults.items():
            row[name] = default if row[name] is None else row[name]
        return {"_naive": values.get("_naive") or 0, "_extra": extra or None, **row}, shapes

    @staticmethod
    def _look(look: Look, values: dict[str, Any], extra: dict[str, str]) -> Shape | None:
        inner = values.get(look.column)
        if inner is None:
            return None
        inner = inner if look.whole else inner.partition("\n")[0][:HEADLINE]
        if look.literals and not any(text in inner for text in look.literals):
            return None
        if look.worth and not compiled(look.worth).search(inner):
            return None
        found = first_shape(look.shapes, inner)
        if not found:
            return None
        more, faults = _filled(*found)
        extra.update(faults)
        for column, value in more.items():
            if values.get(column) is None:
                values[column] = value
        return found[0]


def _filled(shape: Shape, match: re.Match[str], before: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a shape by column, and the raw fields that could not be cast."""
    raw: dict[str, str | None] = {name: value or None for name, value in match.groupdict().items()}
    raw["text"] = match.string or None
    raw["before"] = before or None
    raw["rest"] = match.string[match.end() :] or None
    values, faults = fill(shape.takes, raw)
    return {**values, **shape.constants}, faults
