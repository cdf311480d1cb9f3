"""A time that happens twice: in the night in which clocks are put back nobody can tell which of the two a person means, but the logs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kyumei.model.finding import Investigation, Verdict
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from kyumei.model.symptom import Symptom

SAID = "happens twice in"
"""What the reading of a time notes of one that does."""


def second_time(symptom: Symptom) -> Symptom | None:
    """The symptom at the second of the two times that were told, where it was read as the first; null for any other."""
    told = next((note for note in symptom.notes if SAID in note), None)
    if told is None or symptom.window is None or not symptom.zone:
        return None
    try:
        local = (symptom.moment or symptom.window.middle).astimezone(ZoneInfo(symptom.zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    apart = local.replace(fold=1).astimezone(UTC) - local.replace(fold=0).astimezone(UTC)
    if local.fold or not apart:
        return None
    window = Window(symptom.window.start + apart, symptom.window.end + apart)
    moment = symptom.moment + apart if symptom.moment else None
    stated = told.partition(": ")[0]
    note = f"{stated}: read as the second, {moment or window.start:%H:%MZ}, since the logs have nothing like it at the first."
    return replace(symptom, window=window, moment=moment, notes=tuple(note if one is told else one for one in symptom.notes))


def whichever(symptom: Symptom, answer: Callable[[Symptom], Investigation]) -> Investigation:
    """The answer for a symptom, at the second of two times that it may mean where that is the one at which something failed."""
    first = answer(symptom)
    second = second_time(symptom) if first.verdict is not Verdict.CAUSE_FOUND else None
    if second is None:
        return first
    found = answer(second)
    better = found.verdict is Verdict.CAUSE_FOUND or (first.verdict is Verdict.HEALTHY and found.verdict is Verdict.CANNOT_TELL)
    return found if better else first
