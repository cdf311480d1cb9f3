"""A time that no log of the case is near: what it may have been meant as, where only one slip of the pen leads into the logs.

A wrong year, day and month the wrong way round, twelve hours, a wrong day for a clock whose day nobody stated. The symptom stays as it was
told: it is said, not assumed, for the answer of another moment would be one to a question that nobody asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from kyumei.diagnose.spoken_zones import zone_named
from kyumei.errors import SymptomError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kyumei.model.symptom import Symptom
    from kyumei.store.case import Case

FAR = timedelta(hours=1)
"""A moment so near to the logs may be meant as it was told."""
MOST_YEARS = 30
MOST_DAYS = 31
"""A case of more days or years than that does not tell which one was meant."""


def with_other_time(case: Case, symptom: Symptom) -> Symptom:
    """The symptom with a note on when the requests of the case were, if its time is far from all of them."""
    if symptom.window is None:
        return symptom
    first, last = case.con.execute("SELECT min(time), max(time) FROM sightings").fetchone() or (None, None)
    if first is None or last is None:
        return symptom
    first, last = first.replace(tzinfo=UTC), last.replace(tzinfo=UTC)
    if symptom.window.end + FAR > first and symptom.window.start < last + FAR:
        return symptom
    rules = _rules(symptom)
    zone = f"{last.astimezone(rules):%Z}"
    span = f"{_shown(first, rules)} to {_shown(last, rules)} {zone}"
    meant = other_time(symptom, first, last, rules)
    asked = f" Did you mean {_shown(meant, rules)} {zone}?" if meant else ""
    return replace(symptom, notes=(*symptom.notes, f"No request of this case is near that time: they are of {span}.{asked}"))


def other_time(symptom: Symptom, first: datetime, last: datetime, rules: tzinfo) -> datetime | None:
    """The one other time between the first and the last request that is a likely slip away from what was told; null unless it is one."""
    told = symptom.moment or (symptom.window.start if symptom.window else first)
    local, start, end = told.astimezone(rules).replace(tzinfo=None), first.astimezone(rules), last.astimezone(rules)
    for candidates in (_years(local, start, end), _slips(local), _days(symptom, local, start, end)):
        fits = {one for naive in candidates if first <= (one := naive.replace(tzinfo=rules).astimezone(UTC)) <= last}
        if fits:
            return fits.pop() if len(fits) == 1 else None
    return None


def _years(local: datetime, start: datetime, end: datetime) -> Iterator[datetime]:
    """The same day and clock in the years of the case."""
    if end.year - start.year > MOST_YEARS:
        return
    for year in range(start.year, end.year + 1):
        if (local.month, local.day) != (2, 29) or year % 4 == 0:
            yield local.replace(year=year)


def _slips(local: datetime) -> Iterator[datetime]:
    """Day and month the wrong way round, and twelve hours too early or too late."""
    if local.day <= 12:  # noqa: PLR2004 - months
        yield local.replace(month=local.day, day=local.month)
    yield local + timedelta(hours=12 if local.hour < 12 else -12)  # noqa: PLR2004 - noon


def _days(symptom: Symptom, local: datetime, start: datetime, end: datetime) -> Iterator[datetime]:
    """The same clock on the days of the case, where the day was only assumed or told from today."""
    assumed = any("is assumed, the nearest past one" in note or "is the day meant" in note for note in symptom.notes)
    if not assumed or end - start > timedelta(days=MOST_DAYS):
        return
    for number in range((end.date() - start.date()).days + 1):
        yield datetime.combine(start.date() + timedelta(days=number), local.time())


def _rules(symptom: Symptom) -> tzinfo:
    """The zone in which the person tells times."""
    try:
        return zone_named(symptom.zone or "UTC").rules
    except SymptomError:
        return UTC


def _shown(moment: datetime, rules: tzinfo) -> str:
    return f"{moment.astimezone(rules):%Y-%m-%d %H:%M}"
