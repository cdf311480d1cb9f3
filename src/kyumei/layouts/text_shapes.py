r"""What the text layout is declared with: shapes, and looks into what they found.

A pattern has only named groups; a group that is empty or took no part is a missing value. Takes fill columns from groups, from ``text``
(the record) or from ``rest`` (what follows the match); constants fill others. Columns that begin with an underscore are scratch for looks
and are not answered, apart from ``_naive``.

Patterns are read alike by Python ``re.ASCII`` and RE2, so they hold no look-around, no back-reference and neither ``\s``, ``\S`` nor
``(?i:``, which mean different things to the two; ``^`` is the start of the text, and ``$`` stands only where a line feed before it makes
no difference. Python's engine goes back and RE2 does not, so no two neighbouring repetitions may fit the same text: that keeps the exact
reader linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.layouts.casts import Take

HEADLINE = 65536
"""Characters of a first line that looks read."""
COLOUR = r"\x1b\[[0-9;?]*[A-Za-z]"
"""An escape sequence that colours a terminal."""
_COLOUR = re.compile(COLOUR)


@dataclass(frozen=True)
class Shape:
    """One way to write a record, or a part of one.

    ``starts`` are characters with one of which every text begins that the pattern fits, to pass over the others quickly; empty when it may
    be any. Where ``only`` is given it decides instead of the pattern: it is narrower and too long for RE2 to cut groups out at speed, and
    fits no text that the pattern does not fit. Every text that the pattern fits begins with what ``begins`` matches, a short pattern that
    many shapes share, so that of most texts and shapes the long patterns are not even compiled.
    Where ``last`` is given the pattern is for what follows its last occurrence; what stands before is the raw field ``before``.
    """

    name: str
    pattern: str
    takes: tuple[Take, ...] = ()
    constants: Mapping[str, str | int] = field(default_factory=dict)
    starts: str = ""
    only: str = ""
    last: str = ""
    begins: str = ""


class Look(NamedTuple):
    """A second look into a text column: the first of the shapes that is found there fills columns that are still null.

    To pass over texts that hold nothing of the sort, one of the ``literals`` must be in the text, and the pattern ``worth``; that saves
    much of the time. A look reads the first line only, or with ``whole`` all of them.
    """

    column: str
    shapes: tuple[Shape, ...]
    worth: str = ""
    literals: tuple[str, ...] = ()
    whole: bool = False


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as Python reads it."""
    return re.compile(pattern, re.ASCII)


def without_colour(text: str) -> str:
    """The text without the escape sequences that colour a terminal."""
    return _COLOUR.sub("", text) if "\x1b" in text else text


def first_shape(shapes: Sequence[Shape], text: str) -> tuple[Shape, re.Match[str], str] | None:
    """The first of the shapes that the text has, where it was found, and what stands before ``last``."""
    lead = text[:1]
    begun: dict[str, bool] = {}
    for shape in shapes:
        if shape.starts and (not lead or lead not in shape.starts):
            continue
        if shape.begins:
            if shape.begins not in begun:
                begun[shape.begins] = compiled(shape.begins).match(text) is not None
            if not begun[shape.begins]:
                continue
        before, mark, after = text.rpartition(shape.last) if shape.last else ("", "", text)
        match = _found(shape.pattern, after) if mark == shape.last else None
        # The narrower pattern is much longer: it is compiled when the other fits.
        if match and (not shape.only or _found(shape.only, text)):
            return shape, match, before
    return None


def _found(pattern: str, text: str) -> re.Match[str] | None:
    known = compiled(pattern)
    return known.match(text) if pattern.startswith("^") else known.search(text)
