"""Clocks in words: "half past two", "ten to nine this morning", "halb drei", "deux heures et demie".

They are said on a dial of twelve hours. Without "pm", "this afternoon" or the like two moments are meant alike, and
``spoken_windows`` asks which.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from kyumei.diagnose.spoken_dates import Clock, Told, clock_of, compiled
from kyumei.diagnose.spoken_names import listed
from kyumei.errors import SymptomError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import time

_HOURS = {
    name: number
    for names in (
        "one two three four five six seven eight nine ten eleven twelve",
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "une deux trois quatre cinq six sept huit neuf dix onze douze",
        "una dos tres cuatro cinco seis siete ocho nueve diez once doce",
    )
    for number, name in enumerate(listed(names), 1)
}
_MINUTES = {"five": 5, "ten": 10, "quarter": 15, "twenty": 20, "twenty five": 25, "twenty-five": 25, "half": 30}
_HOUR = rf"(?P<hour>{'|'.join(sorted(_HOURS, key=len, reverse=True))}|(?<!\d)\d{{1,2}}(?![\d:./]))"
_HALF = r"(?: ?(?P<half>[ap])\.? ?m\b\.?| o'?clock\b)?"
_EDGE = r"(?=\W|$|[ap]\.?m\b)"
_END = r"(?= ?(?:$|[,.;:!?)\0]|(?:this|in the|today|yesterday|last night|tonight)\b))"
"""What follows a clock and not a count: "five to ten users"."""
_DIAL = 12
_BARE = re.compile(r"(?<![\d:.])[1-9](?::\d\d(?!:)|時)")
"""An hour of one digit: whoever writes 24 hours writes 02:30."""
_SHIFTS = {
    "et demie": 30,
    "et quart": 15,
    "moins le quart": -15,
    "y media": 30,
    "y cuarto": 15,
    "menos cuarto": -15,
    "halb": -30,
    "viertel nach": 15,
    "viertel vor": -15,
    "dreiviertel": -15,
}


def _told(found: re.Match[str], minutes: int) -> Told | None:
    """The clock so many minutes after the hour that was said (or before it); null where no dial has the hour."""
    said = found["hour"].lower()
    hour = int(said) if said.isdigit() else _HOURS[said]
    if not 1 <= hour <= _DIAL or not -30 <= minutes <= 30:  # noqa: PLR2004 - half an hour
        return None
    hour, minute = divmod(hour * 60 + minutes, 60)
    half = (found.groupdict().get("half") or "").lower()
    clock = Clock(hour or _DIAL, minute, half=half, unit=timedelta(minutes=1), twelve=not half)
    return Told(found.start(), found.end(), found[0], clock=clock)


def _english(found: re.Match[str]) -> Told | None:
    said = found["minutes"].lower()
    minutes = int(said) if said.isdigit() else _MINUTES[said]
    if said.isdigit() and found["side"].lower() == "to" and found["half"] and not found.string[: found.start()].lower().endswith("at "):
        return None  # "around 5 to 6pm" is an hour, "at 5 to 6pm" a minute
    return _told(found, minutes if found["side"].lower() in {"past", "after"} else -minutes)


def _shifted(found: re.Match[str]) -> Told | None:
    return _told(found, _SHIFTS[found["shift"].lower()])


def _glued_clock(found: re.Match[str]) -> Told | None:
    """``2.30pm`` and ``230pm``; a number that no dial shows is a number."""
    if not 1 <= int(found["hour"]) <= 12:  # noqa: PLR2004 - the hours of a dial
        return None
    return clock_of(found, found.end(), (found["hour"], found["minute"]), found["half"].lower())


def _hour_and_minute(found: re.Match[str]) -> Told | None:
    """``14 Uhr 30``, ``à 14 heures``, ``vers 14h``; the words before it keep their meaning."""
    told = clock_of(found, found.end(), (found["hour"], found["dotted"] or found["minute"]), "")
    return told._replace(start=found.start("hour"), said=found[0][found.start("hour") - found.start() :])


def _start_of_a_span(found: re.Match[str]) -> Told | None:
    """The 2 of ``from 2 to 3:30pm``, the 14 of ``zwischen 14 und 15 Uhr``."""
    return clock_of(found, found.end(), (found["hour"],), (found.groupdict().get("later") or "").lower())


def which_half(told: Told) -> SymptomError:
    """The question for a clock of a dial that may be in the morning as well as in the afternoon."""
    clock = told.clock or Clock(0)
    early, late = f"{clock.hour % _DIAL:02d}:{clock.minute:02d}", f"{clock.hour % _DIAL + _DIAL:02d}:{clock.minute:02d}"
    return SymptomError(
        f"{told.said.strip()!r} is ambiguous: it may be {early} or {late}", f"write {early} or {late}, or add am, pm or this afternoon"
    )


def bare_hour(told: Told, clock: time) -> tuple[str, ...]:
    """The note that ``2:30`` was read as 02:30, where nothing says which half of the day is meant."""
    said = told.clock
    stated = said is None or said.half or told.part or not _BARE.search(told.said)
    if stated or not 1 <= clock.hour < _DIAL:
        return ()
    return (f"{clock:%H:%M} is taken, in the morning; for the afternoon write {clock.hour + _DIAL}:{clock:%M}.",)


CLOCK_WORD_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Told | None]], ...] = (
    (compiled(rf"\b(?:a )?(?P<minutes>half) (?P<side>past) {_HOUR}{_EDGE}{_HALF}"), _english),
    (compiled(rf"\b(?:a )?(?P<minutes>quarter) (?P<side>after|before|till) {_HOUR}{_EDGE}{_HALF}{_END}"), _english),
    (compiled(rf"\b(?:a )?(?P<minutes>quarter) (?P<side>past|to) {_HOUR}{_EDGE}{_HALF}"), _english),
    (
        compiled(
            rf"(?:(?<=at )|(?<=around )|(?<=about )|(?<=since )|(?<=by )|(?<=until )|(?<=~))"
            rf"(?P<minutes>twenty[ -]five|five|ten|twenty|5|10|20|25)(?: minutes)? (?P<side>past|to) {_HOUR}{_EDGE}{_HALF}{_END}"
        ),
        _english,
    ),
    (
        compiled(rf"\b(?P<minutes>twenty[ -]five|five|ten|twenty|5|10|20|25)(?: minutes)? (?P<side>past) {_HOUR}{_EDGE}{_HALF}{_END}"),
        _english,
    ),
    (compiled(rf"\b(?P<shift>halb|viertel nach|viertel vor|dreiviertel) {_HOUR}(?!\w)(?: Uhr\b)?"), _shifted),
    (compiled(rf"\b{_HOUR} ?(?:heures?|h) (?P<shift>et demie|et quart|moins le quart)\b"), _shifted),
    (compiled(rf"\b(?:a )?las? {_HOUR} (?P<shift>y media|y cuarto|menos cuarto)\b"), _shifted),
    (compiled(r"(?<![\w.:/$-])(?P<hour>\d{1,2}?)\.?(?P<minute>[0-5]\d) ?(?P<half>[ap])\.?m\b\.?"), _glued_clock),
    (
        compiled(
            r"(?<![\w.:/$-])(?P<hour>\d{1,2})(?= ?(?:-|~|to|until|till|and) ?\d{1,2}:[0-5]\d ?(?P<later>[ap])\.? ?m\b)",
        ),
        _start_of_a_span,
    ),
    (compiled(r"(?<![\w.:/$-])(?P<hour>\d{1,2})(?: ?Uhr)?(?= ?(?:-|~|bis|und) ?\d{1,2} ?Uhr\b)"), _start_of_a_span),
    (compiled(r"(?<![\w.:/$-])(?P<hour>\d{1,2}) ?h(?:eures?)?(?= ?(?:-|~|à|et) ?\d{1,2} ?h(?:eures?)?(?![\w]))"), _start_of_a_span),
    (
        compiled(
            r"(?<![\w.:/$])(?<!\w-)(?P<hour>\d{1,2})(?:[.:](?P<dotted>[0-5]\d))? ?Uhr\b"
            r"(?: (?P<minute>[0-5]\d)(?![\d:.])(?! ?(?:min|sek|user|mal)))?"
        ),
        _hour_and_minute,
    ),
    (
        compiled(
            r"(?:\b(?:vers|avant|après|um|gegen|a las)|à|(?<=\0 )et) (?P<hour>\d{1,2}) ?(?:heures?|horas?|h)\b(?P<dotted>)"
            r"(?: (?P<minute>[0-5]\d)(?![\d:.]))?"
        ),
        _hour_and_minute,
    ),
)
