r"""The layout of comma-separated fields: each bare, or in quotes and then with commas and line feeds in it.

Databases write such logs: PostgreSQL doubles a quote inside quotes (``"said ""no"" to it"``), the audit plugins of MySQL put a backslash
before it. An empty field is missing, in quotes, too. A record that lacks the last fields is of an older vintage; what follows the last
field known is kept in ``_extra`` as ``{"fields": [...]}``, a field that fills no column under its own name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Refused
from kyumei.layouts.casts import fill, fill_sql, quoted
from kyumei.layouts.stamps import substrings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from kyumei.layouts.casts import Take
    from kyumei.layouts.stamps import Stamp
    from kyumei.model.table import Column
    from kyumei.model.window import Window


@dataclass(frozen=True)
class CsvFields:
    """A layout of comma-separated fields.

    ``fields`` are the names in their order, of which the first ``needed`` must be there. ``quote`` opens and closes a field; inside it
    stands doubled, or behind a backslash where ``is_escaped``. A take of ``_naive`` says whether the time is UTC. Columns in ``required``
    must have a value, else the record is refused.
    """

    columns: tuple[Column, ...]
    fields: tuple[str, ...]
    takes: tuple[Take, ...]
    written: tuple[Stamp, ...]
    needed: int
    quote: str = '"'
    is_escaped: bool = False
    head: str | None = None
    required: tuple[str, ...] = ("time",)

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return substrings(self.written, window, offsets)

    @cached_property
    def taken(self) -> frozenset[str]:
        """The fields that fill a column."""
        return frozenset(take.source for take in self.takes)

    @cached_property
    def _inside(self) -> str:
        """A pattern of what stands between quotes."""
        return rf"(?:[^{self.quote}\\]|\\(?s:.))*" if self.is_escaped else f"(?:[^{self.quote}]|{self.quote * 2})*"

    @cached_property
    def _token(self) -> re.Pattern[str]:
        return re.compile(rf"{self.quote}({self._inside}+){self.quote}(?=,|\Z)|((?:[^{self.quote},][^,]*+)?)(?=,|\Z)")

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        tokens: list[str] = []
        at = 0
        while at <= len(text):
            found = self._token.match(text, at)
            if not found:
                return Refused(f"field {len(tokens) + 1} has no closing quote")
            tokens.append(self._plain(found[1]) if found[1] is not None else found[2])
            at = found.end() + 1
        if len(tokens) < self.needed:
            return Refused(f"{len(tokens)} fields where at least {self.needed} are needed")
        raw: dict[str, str | None] = {name: value or None for name, value in zip(self.fields, tokens, strict=False)}
        values, extra = fill(self.takes, raw)
        for name in self.required:
            if values.get(name) is None:
                source = next(take.source for take in self.takes if take.column == name)
                return Refused(f"{name} cannot be read: {(raw.get(source) or '')[:60]!r}")
        kept: dict[str, Any] = {name: value for name, value in raw.items() if value is not None and name not in self.taken}
        kept |= {name: value for name, value in extra.items() if name != "_naive"}
        if len(tokens) > len(self.fields):
            kept["fields"] = tokens[len(self.fields) :]
        row = {column.name: values.get(column.name) for column in self.columns}
        return {"_naive": values.get("_naive") or 0, "_extra": kept or None, **row}

    def _plain(self, inside: str) -> str:
        """What stands between quotes, without what the quote needed inside."""
        return re.sub(rf"\\([{self.quote}\\])", r"\1", inside) if self.is_escaped else inside.replace(self.quote * 2, self.quote)

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:  # noqa: ARG002 - every record is cut alike
        """See ``contracts.Layout``. Whether the tokens put together again are the text shows that nothing was passed over."""
        mark = quoted(self.quote)
        cut = f"SELECT _artifact, _line, text, {self._cut(mark)} AS f FROM {source}"
        escaped = quoted(rf"\\([{self.quote}\\])")
        plain = (
            rf"regexp_replace(f[{{n}}][2:-2], {escaped}, '\1', 'g')"
            if self.is_escaped
            else f"replace(f[{{n}}][2:-2], {quoted(self.quote * 2)}, {mark})"
        )
        one = f"nullif(CASE WHEN starts_with(f[{{n}}], {mark}) THEN {plain} ELSE f[{{n}}] END, '')"
        raws = ", ".join(f'{one.replace("{n}", str(number))} AS "raw {name}"' for number, name in enumerate(self.fields, 1))
        unused = [f'"raw {name}" IS NULL' for name in self.fields if name not in self.taken]
        whole = f"len(f) BETWEEN {self.needed} AND {len(self.fields)} AND array_to_string(f, ',') = text"
        values, sound = fill_sql(self.takes, {name: f'"raw {name}"' for name in self.fields})
        columns = ", ".join(
            f'({values[column.name]})::{column.kind} AS "{column.name}"'
            if column.name in values
            else f'NULL::{column.kind} AS "{column.name}"'
            for column in self.columns
        )
        naive = f"coalesce({values['_naive']}, 0)" if "_naive" in values else "0"
        there = [f'"{name}" IS NOT NULL' for name in self.required]
        query = f"SELECT _artifact, _line, {whole} AS _whole, {raws} FROM ({cut})"
        query = (
            f"SELECT _artifact, _line, {naive} AS _naive, {columns}, {' AND '.join(['_whole', sound, *unused])} AS _sound FROM ({query})"
        )
        listed = ", ".join(f'"{column.name}"' for column in self.columns)
        sure = " AND ".join(["_sound", *there])
        return f"SELECT _artifact, _line, _naive, NULL::JSON AS _extra, {listed}, coalesce({sure}, false) AS _ok FROM ({query})"

    def _cut(self, mark: str) -> str:
        """SQL: the fields as they stand on the line. Without a quote inside quotes, every second piece between quotes is a field."""
        pattern = quoted(rf"({self.quote}{self._inside}{self.quote}|(?:[^{self.quote},][^,]*)?),")
        start = "CASE WHEN i > 1 AND starts_with(p, ',') THEN 2 ELSE 1 END"
        bare = f"string_split(substr(p, {start}, length(p) - {start} + CASE WHEN ends_with(p, ',') AND i < n THEN 0 ELSE 1 END), ',')"
        piece = f"CASE WHEN i % 2 = 0 THEN [{mark} || p || {mark}] WHEN p = '' OR p = ',' THEN [] ELSE {bare} END"
        piece = piece.replace("i < n", f"i <= strlen(text) - strlen(replace(text, {mark}, ''))")
        pieces = f"flatten(list_transform(string_split(text, {mark}), lambda p, i: {piece}))"
        inner = "contains(text, chr(92))" if self.is_escaped else f"contains(text, {quoted(self.quote * 2)})"
        return (
            f"CASE WHEN NOT contains(text, {mark}) THEN string_split(text, ',') WHEN {inner} THEN "
            f"regexp_extract_all(text || ',', {pattern}, 1) ELSE {pieces} END"
        )
