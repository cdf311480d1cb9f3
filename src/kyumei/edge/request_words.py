"""A request as a sentence names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONG = 120
"""Characters of a path that a sentence holds."""


def request_words(row: Mapping[str, object]) -> str:
    """What was asked for, in words: the method and the path."""
    path = str(row.get("path") or "?")
    return f"{row.get('method') or '?'} {path if len(path) <= LONG else path[: LONG - 3] + '...'}"
