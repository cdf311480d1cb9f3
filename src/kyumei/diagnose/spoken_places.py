"""Names of places that a person speaks of ("checkout", "the orders API"), where the logs have just one family of paths of that name.

A hint, not a reading: it narrows what fits the symptom only where a failing request lies there, and is told as what it is. Where no path
has the word, or paths of several families, it stays among what was not understood.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from kyumei.correlate.stated import condition, matches, names
from kyumei.diagnose.spoken_instead import with_other_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

_WORD = re.compile(r"[a-z][a-z_-]{3,31}", re.ASCII)
GENERIC = frozenset(
    (
        *("apis", "application", "server", "service", "services", "backend", "frontend", "gateway", "static", "assets", "data", "public"),
        *("production", "staging", "balancer", "load", "target", "targets", "database", "cluster", "deploy", "deployment", "release"),
    )
)
"""Words that people use of a whole system, so that a path of that name is seldom what they mean."""
MOST_PATHS = 5000


def with_place(case: Case, symptom: Symptom, window: Window) -> Symptom:
    """The symptom with what the case tells of its words: a place at which requests fail as told, a time that is far from all of them."""
    return _placed(case, with_other_time(case, symptom), window)


def _placed(case: Case, symptom: Symptom, window: Window) -> Symptom:
    """The symptom with the one word of it that names a place, else the symptom as it is."""
    words = [word for word in symptom.ignored if _WORD.fullmatch(word.lower()) and word.lower() not in GENERIC]
    if not words or symptom.path or symptom.request_ids or symptom.window is None or symptom.before_request:
        return symptom
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    paths = [
        str(row["path"])
        for row in case.rows(
            f"SELECT DISTINCT path FROM sightings WHERE time >= ? AND started < ? AND path IS NOT NULL ORDER BY 1 LIMIT {MOST_PATHS}",
            [start, end],
        )
    ]
    named = {word: family for word in words if (family := _family(word.lower(), paths)) is not None}
    if len(named) != 1 or any(_families(word.lower(), paths) for word in words if word not in named):
        return symptom
    word = next(iter(named))
    told = replace(symptom, path_word=word.lower())
    conditions, parameters = condition(told)
    rows = case.rows(f"SELECT * FROM sightings WHERE time >= ? AND started < ? AND {conditions} LIMIT 1000", [start, end, *parameters])
    if not any(matches(told, row) for row in rows):
        return symptom
    return replace(
        told,
        ignored=tuple(one for one in symptom.ignored if one != word),
        understood=(*symptom.understood, ("place", f"paths with '{word}'")),
        notes=(*symptom.notes, f"“{word}” was taken as a hint at the paths under {named[word]}; give the path if another was meant"),
    )


def _families(word: str, paths: Iterable[str]) -> set[str]:
    """The beginnings of paths up to the part that the word names."""
    found = set()
    for path in paths:
        parts = path.split("/")
        place = next((number for number, part in enumerate(parts) if names(word, part)), None)
        if place is not None:
            found.add("/".join(parts[: place + 1]))
    return found


def _family(word: str, paths: Iterable[str]) -> str | None:
    """The one family of paths with the word; a relay may take off what stands in front of it."""
    found = sorted(_families(word, paths), key=len, reverse=True)
    return found[0] if found and all(found[0].endswith(one) for one in found) else None
