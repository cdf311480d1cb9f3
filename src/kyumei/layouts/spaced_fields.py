"""CloudFront's lines with spaces where their tabs were: as pages, tickets and terminals show them, and what is copied from there.

Every value is percent-encoded and holds no space, so that the fields can still be told.
"""

from __future__ import annotations

import re

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
