"""A layout with another behind it, for what the first refuses: what a program prints besides the lines that are known of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from kyumei.contracts import Layout
    from kyumei.model.window import Window


class Fallback(NamedTuple):
    """``first``, and ``last`` for what it refuses; only the exact reader knows the second.

    Records that begin with ``known``, a pattern, are the first one's even where it refuses them. ``head`` is the pattern of a record's
    first line.
    """

    first: Layout
    last: Layout
    known: str
    head: str | None = None

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        found = [layout.stamps(window, offsets) for layout in (self.first, self.last)]
        return tuple(sorted({text for texts in found for text in texts})) if all(found) else ()

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        found = self.first.read(text)
        if isinstance(found, Refused) and not re.match(self.known, text, re.ASCII):
            return self.last.read(text)
        return found

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        return self.first.bulk(source, sample)
