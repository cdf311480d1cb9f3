r"""What PostgreSQL says behind a message: DETAIL, HINT, STATEMENT and the like, and what the message tells of a duration and a statement.

The layout inside answers ``_rest``, all that follows the severity, or for other forms of the log the columns themselves. A companion opens
with a prefix of its own at the start of a line; a line that goes on opens with a tab, which is left out. Of a companion that is there twice
both are kept, one a line. Where processes write at once, their lines can stand among each other: a companion whose prefix has another
process is none of this message, and is kept in ``_extra`` as it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.layouts.casts import quoted
from kyumei.layouts.text_shapes import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from kyumei.contracts import Layout
    from kyumei.model.table import Column
    from kyumei.model.window import Window

COLUMN_OF = {
    "DETAIL": "detail_text",
    "HINT": "hint",
    "QUERY": "inner_query",
    "CONTEXT": "context",
    "LOCATION": "location",
    "STATEMENT": "statement",
    "BACKTRACE": "message",
}
"""What a message is followed by, and the columns for it."""
_OPENS = rf"\n((?:[^\t\n][^\n]*?\b)?)({'|'.join(COLUMN_OF)}): {{1,2}}"
_BEGINS = r"^(?:duration: ([0-9]{1,12}(?:\.[0-9]{1,6})?) ms(?:\n|$|  ))?(?:(statement|plan):|(parse|bind|execute) [^:\n]*:)?"
_ASKED = r"^(?:duration: [0-9.]+ ms  )?(?:statement|(?:parse|bind|execute) [^:\n]*): "


def _tidy(text: str) -> str | None:
    return text.replace("\n\t", "\n").rstrip("\n") or None


_PROCESS = (("[", "]", r"\[[0-9]+\]"), ("pid=", ",", "pid=[0-9]+,"))
"""What stands before and behind a process in a prefix, and the pattern of any."""


def _is_foreign(prefix: str, pid: int | None, opening: str) -> bool:
    """Whether a companion's prefix has another process where that of the message has its own."""
    for before, behind, anyone in _PROCESS:
        own = f"{before}{pid}{behind}"
        if own in opening:
            return own not in prefix and compiled(anyone).search(prefix) is not None
    return False


def _finish(row: dict[str, Any], text: str) -> None:
    """Fill the columns from ``_rest``, then those that the message tells of."""
    if row["_rest"] is not None:
        message, *rest = compiled(_OPENS).split(row["_rest"])
        row["message"] = _tidy(message)
        opening = text.partition("\n")[0].removesuffix(message.partition("\n")[0])
        others = []
        for prefix, word, said in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            if _is_foreign(prefix, row.get("pid"), opening):
                others.append(f"{prefix}{word}:  {said}")
                continue
            found = [part for part in (row[COLUMN_OF[word]], _tidy(said)) if part]
            row[COLUMN_OF[word]] = "\n".join(found) or None
        if others:
            row["_extra"] = {**(row["_extra"] or {}), "other_processes": others}
    message = row["message"] or ""
    begins, asked = compiled(_BEGINS).match(message), compiled(_ASKED).match(message)
    row["duration_seconds"] = float(begins[1]) / 1000 if begins and begins[1] else None
    row["step"] = begins[2] or begins[3] if begins else None
    row["statement"] = row["statement"] or (message[asked.end() :] or None if asked else None)


def _tidy_sql(sql: str) -> str:
    return f"nullif(rtrim(replace({sql}, chr(10) || chr(9), chr(10)), chr(10)), '')"


_SPLIT = f"contains(_rest, chr(10)) AND regexp_matches(_rest, {quoted(_OPENS)})"
_CUT = (
    f"CASE WHEN {_SPLIT} THEN regexp_extract_all(_rest, {quoted(_OPENS)}, 1) END AS _prefixes, "
    f"CASE WHEN {_SPLIT} THEN regexp_extract_all(_rest, {quoted(_OPENS)}, 2) END AS _words, "
    f"CASE WHEN {_SPLIT} THEN regexp_split_to_array(_rest, {quoted(_OPENS)}) END AS _pieces"
)
_WORDS = ("duration: ", "statement:", "parse ", "bind ", "execute ", "plan:")
_STARTS = " OR ".join(f"starts_with(message, {quoted(word)})" for word in _WORDS)
_TOLD = f"CASE WHEN {_STARTS} THEN regexp_extract(message, {quoted(_BEGINS)}, ['millis', 'step', 'named']) END"


_OWN = " OR ".join(f"contains(prefix, {quoted(before)} || pid || {quoted(behind)})" for before, behind, _ in _PROCESS)
_OTHERS = f"len(list_filter(_prefixes, lambda prefix: NOT ({_OWN})))"
_ALL_OWN = f"CASE WHEN _words IS NOT NULL AND pid IS NOT NULL THEN {_OTHERS} = 0 ELSE true END"
"""Whether all companions are of the message's process, as far as that is quickly seen."""


def _piece(word: str, column: str) -> str:
    found = _tidy_sql(f"_pieces[list_position(_words, {quoted(word)}) + 1]")
    return f'CASE WHEN _words IS NOT NULL THEN {found} ELSE "{column}" END AS "{column}"'


class Companions(NamedTuple):
    """A layout that finishes what ``inner`` answers: ``columns`` and ``_rest``. ``opens`` matches the first line of a record."""

    inner: Layout
    columns: tuple[Column, ...]
    opens: str

    @property
    def head(self) -> str:
        """See ``contracts.Layout``."""
        return self.opens

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return self.inner.stamps(window, offsets)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        row = self.inner.read(text)
        if isinstance(row, Refused):
            return row
        _finish(row, text)
        del row["_rest"]
        return row

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        query = f"SELECT *, {_CUT} FROM ({self.inner.bulk(source, sample)})"
        first = "CASE WHEN contains(_rest, chr(10)) THEN " + _tidy_sql("coalesce(_pieces[1], _rest)") + " ELSE coalesce(_rest, message) END"
        pieces = ", ".join(_piece(word, column) for word, column in COLUMN_OF.items() if column != "message")
        query = f"SELECT * REPLACE ({first} AS message, {pieces}) FROM ({query})"
        query = f"SELECT *, {_TOLD} AS _told FROM ({query})"
        asked = f"CASE WHEN _told IS NOT NULL THEN nullif(regexp_extract(message, {quoted(_ASKED + '((?s:.*))$')}, 1), '') END"
        told = {
            "duration_seconds": "TRY_CAST(nullif(_told.millis, '') AS DOUBLE) / 1000",
            "step": "coalesce(nullif(_told.step, ''), nullif(_told.named, ''))",
            "statement": f"coalesce(statement, {asked})",
        }
        columns = ", ".join(f'({told.get(column.name, _id(column.name))})::{column.kind} AS "{column.name}"' for column in self.columns)
        once = "coalesce(len(list_distinct(_words)) = len(_words) AND NOT list_contains(_words, 'BACKTRACE'), true)"
        return f"SELECT _artifact, _line, _naive, _extra, {columns}, coalesce(_ok AND {once} AND {_ALL_OWN}, false) AS _ok FROM ({query})"


def _id(name: str) -> str:
    return f'"{name}"'
