r"""The delimited layout: fields with one space between, each bare, in double quotes or in square brackets.

The layout is declared as variants (the vintages and customs of one format), each a row of fields, and as takes (which column is filled
from which field by which cast). The exact reader cuts a record into tokens in linear time and takes the first variant that fits; the bulk
reader is generated from the same declaration (see ``delimited_bulk``). Rules for both:

* A quoted field ends at a quote that is not escaped and is followed by a space or the end, so that raw quotes of old servers stay inside.
  ``\"`` and ``\\`` are unescaped; ``\x22`` and the like are left as written, for they are bytes and not always text.
* A bracketed field ends at a bracket followed by a space or the end.
* The mark of a missing value means missing inside quotes, too.
* What follows the last field known is kept in ``_extra`` as ``{"fields": [...]}``, a value that fills no column under its field's name.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.layouts.casts import INTEGER, TEXT, fill
from kyumei.layouts.delimited_bulk import select
from kyumei.layouts.delimited_fields import Field, Shown, Style, Tail, Trailing, Variant
from kyumei.layouts.holding import any_of, in_bare_field, run_of, sources_of
from kyumei.layouts.stamps import substrings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from kyumei.layouts.casts import Take
    from kyumei.layouts.stamps import Stamp
    from kyumei.model.table import Column
    from kyumei.model.window import Window


MOST_SHOWN = 6
"""Shapes of a sample that the bulk reader is made for; rarer ones are for the exact reader."""


class Token(NamedTuple):
    """A field as it stands on the line; ``key`` is set for ``key=value`` where the layout knows keys."""

    style: Style
    value: str
    key: str = ""

    @property
    def text(self) -> str:
        """The field with its key, without quotes."""
        return f"{self.key}={self.value}" if self.key else self.value


# Possessive, so that no text makes them go back: they run in linear time.
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.|"(?! |\Z))*+)"(?= |\Z)', re.DOTALL)
_KEYED = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*+)=", re.ASCII)
_ESCAPED = re.compile(r'\\(["\\])')


@lru_cache(maxsize=256)
def _pattern(shape: str) -> re.Pattern[str]:
    return re.compile(shape, re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Delimited:
    """A delimited layout. Columns in ``required`` must have a value, else the record is refused.

    ``brackets`` says that a field may be in square brackets. ``lists`` says that a bare field may be a list with ``, `` or `` : `` in it,
    as nginx writes for retried upstreams.
    """

    columns: tuple[Column, ...]
    variants: tuple[Variant, ...]
    takes: tuple[Take, ...]
    written: tuple[Stamp, ...]
    required: tuple[str, ...] = ("time",)
    brackets: bool = False
    lists: bool = False
    tail: Tail = field(default_factory=Tail)

    @property
    def head(self) -> str | None:
        """Every line is a record of its own."""
        return None

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return substrings(self.written, window, offsets)

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        counted = Counter(found for text in sample if (found := self.shown(text)))
        return select(self, source, [found for found, _ in counted.most_common(MOST_SHOWN)])

    def holding(self, column: str, value: str | int) -> tuple[str, ...]:
        """See ``contracts.SearchedLayout``."""
        sources = sources_of(self.takes, column)
        every = [found for source in sources for variant in self.variants if (found := self._held(variant, source, value)) is not None]
        return any_of(every)

    def _held(self, variant: Variant, source: str, value: str | int) -> tuple[str, ...] | None:
        """The substrings of a line of the variant whose field has the value; null where it has no such field."""
        run = run_of(value)
        for number, known in enumerate(variant.fields):
            if known.name == source:
                bare = (
                    known.style is Style.BARE
                    and not self.lists
                    and next(take for take in self.takes if take.source == source).cast in (TEXT, INTEGER)
                )
                return in_bare_field(value, first=not number, last=number + 1 >= variant.least) if bare else (run,) if run else ()
        return ((run,) if run else ()) if source in self.tail.names else None

    def shown(self, text: str) -> Shown | None:
        """What the record shows to the bulk reader; null when it is none for it."""
        tokens = self._tokens(text.rstrip(" "))
        if isinstance(tokens, Refused):
            return None
        for number, variant in enumerate(self.variants):
            raw = _arranged(variant, _gathered(variant, tokens) if variant.spread else tokens)
            if isinstance(raw, str):
                continue
            styles = {token.style for known, token in zip(variant.fields, tokens, strict=False) if known.style is Style.EITHER}
            rest = tokens[len(variant.fields) :]
            if not variant.bulk or variant.spread or len(styles) > 1 or any(token.style is Style.BRACKETED for token in rest):
                return None
            names = dict.fromkeys(raw, "")
            return Shown(
                number, len(tokens) - len(rest), next(iter(styles), Style.QUOTED), tuple(self._trailing(names, token) for token in rest)
            )
        return None

    def _trailing(self, named: dict[str, str], token: Token) -> Trailing:
        """A field behind the last one; which one it is goes to ``named``, for a second of that name is unknown."""
        begins = ""
        if not token.key and token.style is Style.QUOTED:
            begins = next((begins for begins in self.tail.beginnings if token.value.startswith(begins)), "")
        name = self.tail.beginnings[begins] if begins else self.tail.keys.get(token.key, "")
        name = "" if name in named else name
        named[name] = token.key
        return Trailing(token.style, token.key, name, begins)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        tokens = self._tokens(text.rstrip(" "))
        if isinstance(tokens, Refused):
            return tokens
        why = ""
        for variant in self.variants:
            gathered = _gathered(variant, tokens) if variant.spread else tokens
            raw = _arranged(variant, gathered)
            if isinstance(raw, str):
                why = raw
                continue
            return self._row(raw, self._known_tail(raw, gathered[len(variant.fields) :]))
        return Refused(why)

    @cached_property
    def taken(self) -> frozenset[str]:
        """The fields that fill a column."""
        return frozenset(take.source for take in self.takes)

    def _row(self, raw: dict[str, str | None], fields: list[str]) -> dict[str, Any] | Refused:
        values, faults = fill(self.takes, raw)
        for name in self.required:
            if values.get(name) is None:
                source = next(take.source for take in self.takes if take.column == name)
                return Refused(f"{name} cannot be read: {(raw.get(source) or '-')[:60]!r}")
        extra: dict[str, Any] = {name: value for name, value in raw.items() if value is not None and name not in self.taken}
        extra.update(faults)
        if fields:
            extra["fields"] = fields
        return {"_naive": 0, "_extra": extra or None, **{column.name: values.get(column.name) for column in self.columns}}

    def _known_tail(self, raw: dict[str, str | None], tokens: Sequence[Token]) -> list[str]:
        """Move the fields after the last one that are known into ``raw``; the others are answered, as text."""
        unknown: list[str] = []
        for token in tokens:
            name = self.tail.keys.get(token.key)
            if not token.key and token.style is Style.QUOTED:
                name = next((known for begins, known in self.tail.beginnings.items() if token.value.startswith(begins)), None)
            if name and name not in raw:
                missing = {""} if name in self.tail.kept else {"-", ""}
                raw[name] = None if token.value in missing else token.value
            else:
                unknown.append(token.text)
        return unknown

    def _tokens(self, text: str) -> list[Token] | Refused:
        """The fields of a record, in linear time, or why it has none."""
        tokens: list[Token] = []
        at, last_bracket = 0, text.rfind("]")
        while at <= len(text):
            keyed = _KEYED.match(text, at) if self.tail.keys else None
            key = keyed[1] if keyed else ""
            start = keyed.end() if keyed and text.startswith('"', keyed.end()) else at
            if text.startswith('"', start):
                found = _QUOTED.match(text, start)
                if not found:
                    return Refused(f"field {len(tokens) + 1} has no closing quote")
                tokens.append(Token(Style.QUOTED, _ESCAPED.sub(r"\1", found[1]), key))
                at = found.end() + 1
                continue
            if self.brackets and at < last_bracket and text.startswith("[", at):
                end = _closing_bracket(text, at)
                if end >= 0:
                    tokens.append(Token(Style.BRACKETED, text[at + 1 : end]))
                    at = end + 2
                    continue
                last_bracket = -1
            end = self._bare_end(text, at)
            tokens.append(Token(Style.BARE, text[keyed.end() if keyed else at : end], key))
            at = end + 1
        return tokens

    def _bare_end(self, text: str, at: int) -> int:
        """Where the bare field that starts here ends; a list goes on behind a comma, and around a colon that stands alone."""
        end = _space(text, at)
        while self.lists and at < end < len(text):
            if text.startswith(": ", end + 1):
                end = _space(text, end + 3)
            elif text[end - 1] == "," and end - 1 > at and text[end + 1] not in '"[ ':
                end = _space(text, end + 1)
            else:
                break
        return end


def _space(text: str, at: int) -> int:
    end = text.find(" ", at)
    return len(text) if end < 0 else end


def _closing_bracket(text: str, at: int) -> int:
    """The bracket that closes the one here: the next that is followed by a space or the end; -1 when there is none."""
    end = text.find("] ", at)
    if end < 0:
        return len(text) - 1 if text.endswith("]") else -1
    return end


def _arranged(variant: Variant, tokens: Sequence[Token]) -> dict[str, str | None] | str:
    """The raw fields by name, or why the variant does not fit."""
    if len(tokens) < variant.least:
        return f"{len(tokens)} fields where at least {variant.least} are needed"
    raw: dict[str, str | None] = {}
    for known, token in zip(variant.fields, tokens, strict=False):
        why = _misfit(known, token)
        if why:
            return why
        raw[known.name] = None if token.text in known.missing else token.text
    return raw


def _misfit(known: Field, token: Token) -> str:
    """Why the token cannot be this field; empty when it can."""
    if (token.style is Style.BRACKETED) is not (known.style is Style.BRACKETED):
        return f"{known.name} is {token.style}: {token.text[:60]!r}"
    if known.style is Style.QUOTED and token.style is not Style.QUOTED:
        return f"{known.name} is not in quotes: {token.text[:60]!r}"
    if token.text in known.missing:
        return ""
    if known.shape and not _pattern(known.shape).fullmatch(token.text):
        return f"{known.name} cannot be read: {token.text[:60]!r}"
    return ""


def _gathered(variant: Variant, tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens, surplus ones before the first bracket joined to the field that may hold spaces."""
    here = next((number for number, token in enumerate(tokens) if token.style is Style.BRACKETED), 0)
    there = next((number for number, known in enumerate(variant.fields) if known.style is Style.BRACKETED), 0)
    if here <= there:
        return tokens
    first = next(number for number, known in enumerate(variant.fields) if known.name == variant.spread)
    last = first + here - there
    return [*tokens[:first], Token(Style.BARE, " ".join(token.text for token in tokens[first : last + 1])), *tokens[last + 1 :]]
