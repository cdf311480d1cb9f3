"""A layout whose lines are put right before another layout reads them, for formats that quote carelessly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import SearchedLayout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from kyumei.contracts import Layout, Refused
    from kyumei.model.window import Window


class Mended(NamedTuple):
    """``inner`` behind a change of the text: ``python`` for one record, and the same as ``sql`` over the column ``text``.

    Where the bulk reader of ``inner`` claims a record, both must give it the same text, or texts that ``inner`` reads alike. The stamps
    of a time must survive. Both are total, and take linear time. With ``only_shown`` the bulk reader gets the texts as they are where none
    of a sample is changed: it must then claim no record that ``python`` changes. ``keeps_values`` says that nothing is put into
    a field or taken out of it but what marks its quotes.
    """

    inner: Layout
    python: Callable[[str], str]
    sql: str = "text"
    only_shown: bool = False
    keeps_values: bool = False

    @property
    def head(self) -> str | None:
        """See ``contracts.Layout``."""
        return self.inner.head

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return self.inner.stamps(window, offsets)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        return self.inner.read(self.python(text))

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        shown = [self.python(text) for text in sample]
        as_it_is = self.sql == "text" or (self.only_shown and shown and shown == list(sample))
        return self.inner.bulk(source if as_it_is else f"(SELECT _artifact, _line, {self.sql} AS text FROM {source})", shown)

    def holding(self, column: str, value: str | int) -> tuple[str, ...]:
        """See ``contracts.SearchedLayout``: where what is put right is no text that is searched for."""
        return self.inner.holding(column, value) if self.keeps_values and isinstance(self.inner, SearchedLayout) else ()
