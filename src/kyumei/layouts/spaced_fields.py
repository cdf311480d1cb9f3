"""CloudFront's lines with something else where their tabs were.

Pages, tickets and terminals show spaces there, and so it is copied: every value is percent-encoded and holds none, so that the fields can
still be told. Of standard logs of version 2 the owner chooses the separator, which a header line with spaces need not tell.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SPACED = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2} {1,8}[0-9]{2}:[0-9]{2}:[0-9]{2} {1,8}[A-Z]{3}[0-9]{1,3}(?:-[A-Z0-9]{1,6})? {1,8}"
    r"(?:[0-9]{1,18}|-) {1,8}[0-9A-Fa-f.:]{2,45} {1,8}[A-Z]{3,20} {1,8}[A-Za-z0-9.-]{1,253} {1,8}[^ \t]{1,8192} {1,8}"
    r"(?:[0-9]{3}|-|0) {1,8}[^ \t]",
    re.ASCII,
)
_SPACES = re.compile(" +")


def is_spaced(text: str) -> bool:
    """Whether the text is a line of a legacy log without a tab: date, time, edge, size, address, method, distribution, path, status."""
    return "\t" not in text and _SPACED.match(text) is not None


def with_tabs(text: str) -> str:
    """The line with tabs between its fields; a text of another sort as it is."""
    return _SPACES.sub("\t", text.rstrip(" ")) if is_spaced(text) else text


SEPARATORS = (" ", ",", ";", "||", "|")
"""Separators that people choose, besides the tab."""


@lru_cache(maxsize=64)
def separated(fields: int) -> Callable[[str], str]:
    """What puts tabs between the fields of a line that has none, where one of the separators makes just so many of it.

    The same function for the same number, so that layouts made with it are equal.
    """
    return partial(_tabbed, fields)


def _tabbed(fields: int, text: str) -> str:
    if "\t" in text or fields == 1:
        return text
    line = text.rstrip(" ")
    found = next((separator for separator in SEPARATORS if line.count(separator) == fields - 1), None)
    return text if found is None else line.replace(found, "\t")
