"""The layout of named fields: a row of fields whose names and order a header or the configuration tells, or a flat JSON object of them.

Fields stand with one separator between, none is quoted, and no value holds the separator. A dash marks a missing value. A line that lacks
the last fields altogether is an older vintage; what follows the last field known is kept in ``_extra`` as ``{"fields": [...]}``, a field
that fills no column under its own name. A record that opens with a brace is JSON, if the layout says so: its keys are the names.

A column may have several takes: the first that fits counts. A field made of others, as a time of a date and a clock, is a ``Joint``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.layouts.holding import run_of, sources_of
from kyumei.layouts.json_record import as_text, parse_object
from kyumei.layouts.named_fields_bulk import select
from kyumei.layouts.stamps import substrings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from kyumei.layouts.casts import Take
    from kyumei.layouts.stamps import Stamp
    from kyumei.model.table import Column
    from kyumei.model.window import Window

FEWEST_KEYS = 3
"""Names that a JSON object must share with the layout: fewer say nothing of who wrote it."""


class Joint(NamedTuple):
    """A field that is two others with a space between; missing where one of them is."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class NamedFields:
    """A layout of named fields.

    ``fields`` are the names in their order on the line, of which the first ``needed`` must be there (all, when 0). ``takes`` may speak of
    fields that the line has not. ``implied`` are conditions in SQL over ``text``, the record, by the shape of a cast that they make sure of
    in every field: so one look at the line does for all of them. Columns in ``required`` must have a value, else the record is
    refused. With ``is_json`` a JSON object whose keys are names of the takes' fields is read, too; it needs the columns in
    ``required_in_json``, those of a line where that is null.
    """

    columns: tuple[Column, ...]
    fields: tuple[str, ...]
    takes: tuple[Take, ...]
    written: tuple[Stamp, ...]
    joints: tuple[Joint, ...] = ()
    implied: tuple[tuple[str, str], ...] = ()
    separator: str = "\t"
    needed: int = 0
    required: tuple[str, ...] = ("time",)
    is_json: bool = False
    missing: str = "-"
    required_in_json: tuple[str, ...] | None = None

    @property
    def head(self) -> str | None:
        """Every line is a record of its own."""
        return None

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return substrings(self.written, window, offsets)

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        return select(self, source, sample)

    def holding(self, column: str, value: str | int) -> tuple[str, ...]:
        """See ``contracts.SearchedLayout``. Fields stand in any order, for another header may name them further down."""
        run = run_of(value)
        joined = {joint.name for joint in self.joints}
        sources = sources_of(self.takes, column)
        return (run,) if run and sources and joined.isdisjoint(sources) else ()

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        if self.is_json and text.lstrip(" \t\r\n").startswith("{"):
            return self._from_json(text)
        if text.startswith("#"):
            return Refused("a header line, no record")
        values = (text.rstrip(" ") if self.separator == " " else text).split(self.separator)
        if len(values) < self.least:
            return Refused(f"{len(values)} fields where at least {self.least} are needed")
        raw = dict(zip(self.fields, values, strict=False))
        more = values[len(self.fields) :]
        return self._row(raw, {"fields": more} if more else {}, self.required)

    @property
    def least(self) -> int:
        """The smallest number of fields on a line."""
        return self.needed or len(self.fields)

    @cached_property
    def known(self) -> frozenset[str]:
        """The fields that fill a column, or a part of one."""
        parts = {part for joint in self.joints for part in (joint.first, joint.second)}
        return frozenset({take.source for take in self.takes} | parts) - {joint.name for joint in self.joints}

    @property
    def needed_in_json(self) -> tuple[str, ...]:
        """The columns without which a JSON object is no record."""
        return self.required if self.required_in_json is None else self.required_in_json

    def _from_json(self, text: str) -> dict[str, Any] | Refused:
        found = parse_object(text)
        if isinstance(found, Refused):
            return found
        known = {name: value for name, value in found.items() if name in self.known}
        if len(known) < FEWEST_KEYS:
            return Refused("a JSON object of another sort")
        others = {name: value for name, value in found.items() if name not in known and value not in (None, self.missing)}
        return self._row({name: as_text(value) for name, value in known.items()}, others, self.needed_in_json)

    def _row(self, written: Mapping[str, str | None], extra: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any] | Refused:
        raw = {name: None if value == self.missing else value for name, value in written.items()}
        for joint in self.joints:
            first, second = raw.get(joint.first), raw.get(joint.second)
            raw[joint.name] = f"{first} {second}" if first is not None and second is not None else None
        values: dict[str, Any] = {}
        for take in self.takes:
            text = raw.get(take.source)
            value = None if text is None else take.cast.python(text)
            if value is None and text is not None and not take.optional:
                extra[take.source] = text
            if values.get(take.column) is None:
                values[take.column] = value
        for name in required:
            if values.get(name) is None:
                texts = [text for take in self.takes if take.column == name and (text := raw.get(take.source)) is not None]
                return Refused(f"{name} cannot be read: {texts[0][:60]!r}" if texts else f"it has no {name}")
        taken = {*self.known, *(joint.name for joint in self.joints)}
        extra.update({name: value for name, value in raw.items() if value is not None and name not in taken})
        return {"_naive": 0, "_extra": extra or None, **{column.name: values.get(column.name) for column in self.columns}}
