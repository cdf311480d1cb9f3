"""Days in German, French and Spanish: "am 6. Februar", "le 05/02", "el martes", "am 06.02. um 14:32".

A day that was passed over would leave its clock to be looked for today. Here the day comes before the month, as these languages write it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.diagnose.spoken_dates import CLOCK_TAIL, JAPANESE, Told, compiled, day_of
from kyumei.diagnose.spoken_names import listed
from kyumei.errors import SymptomError

if TYPE_CHECKING:
    from collections.abc import Callable

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar jänner janvier enero jan ene",
            "februar février fevrier febrero feb",
            "märz maerz mars marzo mar mär",
            "april avril abril apr avr",
            "mai mayo",
            "juni juin junio jun",
            "juli juillet julio jul juil",
            "august août aout agosto aug ago",
            "september septembre septiembre setiembre sep sept",
            "oktober octobre octubre okt oct",
            "november novembre noviembre nov",
            "dezember décembre decembre diciembre dez dec",
        ),
        1,
    )
    for name in listed(names)
}
_SHORT = frozenset(listed("jan feb mar mär apr avr jun jul juil aug ago sep sept okt oct nov dez dec ene"))
"""Only behind a full stop: ``6. Feb``; without one English has read them, or they are words."""
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "montag lundi lunes",
            "dienstag mardi martes",
            "mittwoch mercredi miércoles miercoles",
            "donnerstag jeudi jueves",
            "freitag vendredi viernes",
            "samstag sonnabend samedi sábado sabado",
            "sonntag dimanche domingo",
        )
    )
    for name in listed(names)
}
_LONG_NAMES = "|".join(sorted(set(_MONTHS) - _SHORT, key=len, reverse=True))
_ALL_NAMES = "|".join(sorted(_MONTHS, key=len, reverse=True))
_YEAR = r"(?:,?(?: del?)? ?(?<!\d)(\d{4})(?![\d:]))?"
_TWENTY_FIRST = 2000


def _day_month(found: re.Match[str]) -> Told | None:
    return day_of(found, int(found[3]) if found[3] else None, _MONTHS[found[2].lower()], int(found[1]))


def _dotted(found: re.Match[str]) -> Told | None:
    """``06.02. um 14:32``; ``1.2.`` only behind a word that leads to a date, for it may end a sentence with a version."""
    led = re.search(r"\b(?:am|vom|den|seit|ab|bis|der) ?$", found.string[: found.start()], re.IGNORECASE)
    if not led and len(found[1]) + len(found[2]) < len("0602"):
        return None
    return day_of(found, None, int(found[2]), int(found[1]))


def _slashed(found: re.Match[str]) -> Told | None:
    year = int(found["year"]) if found["year"] else None
    if year is not None and year < _TWENTY_FIRST // 10:
        year += _TWENTY_FIRST
    told = day_of(found, year, int(found["month"]), int(found["day"]))
    return told._replace(start=found.start("day"), said=found[0][found.start("day") - found.start() :])


def _short_year(found: re.Match[str]) -> Told | None:
    """``25/02/05 14:32``: in Japanese the year comes first, elsewhere it must be asked for; ``05.02.25`` is German."""
    first, second, third = int(found[1]), int(found[3]), int(found[4])
    if max(first, third) > 31 or second > 31 or re.search(r"(?:version|\bv) ?$", found.string[: found.start()][-9:], re.IGNORECASE):  # noqa: PLR2004 - days of a month
        return None
    if found[2] == ".":
        return day_of(found, _TWENTY_FIRST + third, second, first)
    if JAPANESE.search(found.string):
        return day_of(found, _TWENTY_FIRST + first, second, third)
    message = f"the date {found[0]!r} is ambiguous: which of its numbers is the year, the month and the day?"
    raise SymptomError(message, "write the date as 2025-02-06")


def _weekday(found: re.Match[str]) -> Told | None:
    return Told(found.start(), found.end(), found[0], weekday=_WEEKDAYS[found[0].lower()])


TONGUE_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Told | None]], ...] = (
    (compiled(rf"(?<![\w.:/-])(\d{{1,2}})(?:er|º)?\.? (?:de )?({_LONG_NAMES})\b\.?{_YEAR}"), _day_month),
    (compiled(rf"(?<![\w.:/-])(\d{{1,2}})\. ?({_ALL_NAMES})\b\.?{_YEAR}"), _day_month),
    (
        compiled(
            r"(?<![\w.:/-])(\d{1,2})\.(\d{1,2})\."
            r"(?= ?(?:,|um|gegen|ab|seit|von|zwischen|at)? ?(?:ca\. |etwa )?\d{1,2}(?:[:h]|\.\d\d Uhr| ?Uhr))"
        ),
        _dotted,
    ),
    (compiled(r"\b(?:le|el|du|del) (?P<day>\d{1,2})/(?P<month>\d{1,2})(?:/(?P<year>\d{4}|\d\d))?(?![\w/.-])"), _slashed),
    (compiled(rf"(?<![\w.:/-])(\d\d)([/.])(\d\d)\2(\d\d)(?![\w/-]|\.\d){CLOCK_TAIL}"), _short_year),
    (compiled(rf"\b(?:{'|'.join(sorted(_WEEKDAYS, key=len, reverse=True))})\b"), _weekday),
)
