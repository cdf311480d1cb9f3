"""A layout whose records may take up several lines, made of one that takes each line for a record of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from kyumei.contracts import Layout, Refused
    from kyumei.model.window import Window


class Headed(NamedTuple):
    """``inner``, of whose records the first line matches ``opens``."""

    inner: Layout
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
        return self.inner.read(text)

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        return self.inner.bulk(source, sample)
