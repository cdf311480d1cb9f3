"""What stands in the text of a record whose column has a certain value: so records are found by a search, before any is parsed.

A record may come inside another, and be escaped there: JSON puts backslashes before slashes and quotes. Nothing needs to write a letter, a
digit or one of ``_ . : -`` otherwise than as it is. So only runs of these are searched for, and the spaces around bare fields.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kyumei.layouts.casts import Take

SHORTEST = 3
"""Characters; shorter texts stand everywhere."""
_RUN = re.compile(r"[A-Za-z0-9_.:-]+", re.ASCII)


def run_of(value: str | int) -> str:
    """The longest part of a value that stands in every record that has it; empty where that is too short to tell anything."""
    longest = max(_RUN.findall(str(value)), key=len, default="")
    return longest if len(longest) >= SHORTEST else ""


def sources_of(takes: Sequence[Take], column: str) -> tuple[str, ...]:
    """The raw fields that the column is filled from; none where a value may be another text than the field's."""
    own = [take for take in takes if take.column == column]
    return tuple(take.source for take in own) if all(take.cast.verbatim for take in own) else ()


def in_bare_field(value: str | int, *, first: bool, last: bool) -> tuple[str, ...]:
    """What stands in a line whose bare field has the value; ``first`` and ``last`` say that it may be at the line's start or end.

    The exact reader takes such a field in quotes, too, and a number with a sign or with zeros before it.
    """
    run = run_of(value)
    if run != str(value) or last:
        return (run,) if run else ()
    bare = f"{run} " if first else f" {run} "
    return (bare, f'"{run}', f"0{run}", f"+{run}") if isinstance(value, int) else (bare, f'"{run}')


def any_of(found: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """All of several searches, of which one finds the record; none where one of them cannot tell."""
    every = list(found)
    return tuple(dict.fromkeys(text for texts in every for text in texts)) if all(every) else ()
