"""Days as people say them: dates of every order, "Feb 6", 2月6日, yesterday, Monday; and what all words of time have in common.

The text is expected as ``understand`` prepares it: NFKC, every dash a hyphen, one space at most, NUL over what has been read.
All patterns are ASCII, so that ``14:32頃`` ends where a person sees the end. None can backtrack over more than a few characters.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kyumei.errors import SymptomError

if TYPE_CHECKING:
    from collections.abc import Callable


class Day(NamedTuple):
    """A day as it was said: a date, of which the year or also the month may be missing, or ``back`` days before today."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    back: int | None = None


class Clock(NamedTuple):
    """A time of day as it was said. ``half`` is am, pm or empty; ``second`` is null where only the minute was said.

    ``unit`` is how much time the words cover: a second, a minute, an hour ("14時台"), or null where only the hour was said ("2 pm").
    """

    hour: int
    minute: int = 0
    second: int | None = None
    micro: int = 0
    half: str = ""
    unit: timedelta | None = timedelta(minutes=1)
    twelve: bool = False
    """Whether it was said on a dial of twelve hours, so that without ``half`` or a part of the day it means two moments."""


class Told(NamedTuple):
    """Words of time at ``start`` to ``end`` of the text, and what they say; joined ones say several of these."""

    start: int
    end: int
    said: str
    day: Day | None = None
    weekday: int | None = None
    part: str = ""
    clock: Clock | None = None
    zone: str = ""
    instant: datetime | None = None
    slack: timedelta = timedelta(0)
    """How far an instant may be off ("two hours ago")."""
    length: timedelta | None = None
    """How long it lasted ("for ten minutes")."""
    whole: str = ""
    """The week, month or year of which a day was said, and how many before this one: "week1" is last week."""
    recent: timedelta | None = None
    """The span up to now ("the last hour")."""


READ = "\0"
"""Stands in the text for every character that has been read already."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
YEARS = (1970, 9990)
"""The years that are taken. Before 1970 no computer kept such logs; towards 9999 a datetime has no room for a zone."""
DAY_WORDS: dict[str, tuple[int, str]] = {
    "day before yesterday": (2, ""),
    "yesterday": (1, ""),
    "last night": (1, "night"),
    "today": (0, ""),
    "this morning": (0, "morning"),
    "this afternoon": (0, "afternoon"),
    "this evening": (0, "evening"),
    "tonight": (0, "night"),
    "overnight": (1, "night"),
    "tomorrow": (-1, ""),
    "一昨日": (2, ""),
    "おととい": (2, ""),
    "昨日": (1, ""),
    "きのう": (1, ""),
    "昨夜": (1, "night"),
    "昨晩": (1, "night"),
    "本日": (0, ""),
    "今日": (0, ""),
    "きょう": (0, ""),
    "今朝": (0, "morning"),
    "今夜": (0, "night"),
    "今晩": (0, "night"),
    "明日": (-1, ""),
    "vorgestern": (2, ""),
    "gestern": (1, ""),
    "heute": (0, ""),
    "avant-hier": (2, ""),
    "hier soir": (1, "evening"),
    "hier matin": (1, "morning"),
    "aujourd'hui": (0, ""),
    "ce matin": (0, "morning"),
    "cet après-midi": (0, "afternoon"),
    "ce soir": (0, "evening"),
    "esta mañana": (0, "morning"),
    "esta tarde": (0, "afternoon"),
    "esta noche": (0, "night"),
    "anteayer": (2, ""),
    "ayer": (1, ""),
    "anoche": (1, "night"),
    "hoy": (0, ""),
    "前天": (2, ""),
    "昨天": (1, ""),
    "昨晚": (1, "night"),
    "今天": (0, ""),
    "今早": (0, "morning"),
    "今晚": (0, "night"),
    "그저께": (2, ""),
    "어제": (1, ""),
    "오늘": (0, ""),
}
"""Also the plainest ones of neighbouring languages: a clock whose "yesterday" was passed over would be looked for today."""
PARTS = {
    **dict.fromkeys(("朝", "午前中", "早朝", "明け方", "未明", "上午", "早上", "凌晨", "오전", "de la mañana"), "morning"),
    **dict.fromkeys(("昼", "お昼", "昼休み", "中午"), "midday"),
    **dict.fromkeys(("午後", "下午", "오후", "de la tarde"), "afternoon"),
    "夕方": "evening",
    **dict.fromkeys(("夜", "深夜", "晩", "晚上", "de la noche"), "night"),
    **dict.fromkeys(("vormittag", "morgen", "früh"), "morning"),
    "mittag": "midday",
    "nachmittag": "afternoon",
    "abend": "evening",
    "nacht": "night",
}

_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern that ignores case and is ASCII."""
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


def impossible(said: str, what: str) -> SymptomError:
    """The refusal of a day or a time that no calendar or clock shows."""
    return SymptomError(f"{said.strip()!r} is not a {what}", "write it as 2025-02-06 14:32 JST")


def blank(text: str, start: int, end: int) -> str:
    """The text with a part of it marked as read; positions stay what they were."""
    return text[:start] + READ * (end - start) + text[end:]


def day_of(found: re.Match[str], year: int | None, month: int | None, day: int) -> Told:
    """A date, refused where the calendar does not have it (a missing year may be a leap year)."""
    try:
        date(year or 2000, month or 1, day)
    except ValueError:
        raise impossible(found[0], "date") from None
    if year is not None and not YEARS[0] <= year <= YEARS[1]:
        raise impossible(found[0], "date of our time")
    return Told(found.start(), found.end(), found[0], day=Day(year, month, day))


def clock_of(found: re.Match[str], end: int, numbers: tuple[str | None, ...], half: str, zone: str = "") -> Told:
    """A time of day from hour, minute, second and fraction, refused where no clock shows it; 24:00 is the end of the day."""
    hour, minute, second, fraction = (*numbers, None, None, None)[:4]
    clock = Clock(
        int(hour or 0),
        int(minute or 0),
        None if second is None else int(second),
        int((fraction or "0").ljust(6, "0")[:6]),
        half,
        timedelta(seconds=1) if second is not None else timedelta(minutes=1) if minute is not None else None,
    )
    if (clock.hour, clock.minute, clock.second or 0) != (24, 0, 0) or half:
        try:
            time(clock.hour, clock.minute, clock.second or 0)
        except ValueError:
            raise impossible(found.string[found.start() : end], "time of day") from None
    return Told(found.start(), end, found.string[found.start() : end], clock=clock, zone=zone)


def _numeric_date(found: re.Match[str]) -> Told | None:
    """``6/2/2025`` or ``2/6 14:32``: which number is the month must be plain, else it is asked for."""
    first, mark, second = int(found[1]), found[2], int(found[3])
    year = int(found[4]) if found[4] else None
    if mark == "." or first > len(MONTHS) >= second:
        return day_of(found, year, second, first)
    if second > len(MONTHS) or first == second or JAPANESE.search(found.string):
        return day_of(found, year, first, second)
    said = found[0].strip()
    message = f"the date {said!r} is ambiguous: {first:02d} or {second:02d} may be the month"
    raise SymptomError(message, f"write the date as {year or 2025}-{first:02d}-{second:02d} or {year or 2025}-{second:02d}-{first:02d}")


def _iso_date(found: re.Match[str]) -> Told | None:
    if re.search(r"(?:version|\bv) ?$", found.string[: found.start()][-9:], re.IGNORECASE):
        return None
    return day_of(found, int(found[1]), int(found[3]), int(found[4]))


def _compact_date(found: re.Match[str]) -> Told | None:
    """``20250206`` or ``20250206T143210Z``; digits that make no date are somebody's number."""
    try:
        told = day_of(found, int(found[1]), int(found[2]), int(found[3]))
    except SymptomError:
        return None
    if not found[4]:
        return told
    clock = clock_of(found, found.end(), (found[4], found[5], found[6]), "")
    return told._replace(clock=clock.clock, zone=found[7] or "")


def _clf_date(found: re.Match[str]) -> Told | None:
    told = day_of(found, int(found[3]), MONTHS.index(found[2].lower()) + 1, int(found[1]))
    if not found[4]:
        return told
    clock = clock_of(found, found.end(), (found[4], found[5], found[6]), "")
    return told._replace(clock=clock.clock, zone=found[7] or "")


def _month_first(found: re.Match[str]) -> Told | None:
    return day_of(found, int(found[3]) if found[3] else None, MONTHS.index(found[1][:3].lower()) + 1, int(found[2]))


def _day_first(found: re.Match[str]) -> Told | None:
    if found[2] == "may" and not found[3]:
        return None  # "about 6 may have seen it"
    return day_of(found, int(found[3]) if found[3] else None, MONTHS.index(found[2][:3].lower()) + 1, int(found[1]))


def _year_month_day(found: re.Match[str]) -> Told | None:
    era, year = found[1], found[2]
    full = 2018 + (1 if era == "元" else int(era)) if era else int(year) if year else None  # Reiwa 1 was 2019
    return day_of(found, full, int(found[3]) if found[3] else None, int(found[4]))


def _day_word(found: re.Match[str]) -> Told | None:
    back, part = DAY_WORDS[found[0].lower()]
    if found[0].lower() == "overnight" and re.match(
        r" (?:batch|job|run|build|backup|import|deliver|shipp|parcel|task)", found.string[found.end() :]
    ):
        return None
    return Told(found.start(), found.end(), found[0], day=Day(back=back), part=part)


def _yesterday_in_french(found: re.Match[str]) -> Told | None:
    """``hier à 14h32``; in German the word means "here"."""
    return Told(found.start(), found.end(), found[0], day=Day(back=1))


def _era_day(found: re.Match[str]) -> Told | None:
    """``R7.2.6``: the year of Reiwa, 1 was 2019."""
    return day_of(found, 2018 + int(found[1]), int(found[3]), int(found[4]))


_WHOLES = {"last": 1, "previous": 1, "this": 0, "先々": 2, "先": 1, "昨": 1, "去": 1, "前": 1, "今": 0, "本": 0}
_UNITS_OF_WHOLES = {"週": "week", "月": "month", "年": "year"}


def _whole(found: re.Match[str]) -> Told | None:
    """``last week``, ``the 6th of last month``, 先週, 先月: only beside what it holds a day of."""
    japanese, unit = found["before"], found["unit"] or found["kanji"]
    back = _WHOLES[(japanese or found["which"]).lower()]
    day = Day(day=int(found["day"])) if found["day"] else None
    return Told(found.start(), found.end(), found[0], day=day, whole=f"{_UNITS_OF_WHOLES.get(unit, unit.lower())}{back}")


def _weekday(found: re.Match[str]) -> Told | None:
    kanji = found[2] or found[3]
    number = "月火水木金土日".index(kanji) if kanji else DAYS.index(found[1][:3].lower())
    if found[1] and not found[1].lower().endswith("day") and not found[1][0].isupper():
        return None  # "sat" and "sun" are words
    return Told(found.start(), found.end(), found[0], weekday=number)


INTERVAL = compiled(r"(?<=[\dZ])/(?=\d{4}-\d\d-\d\dT\d)")
"""The slash of an ISO 8601 interval, ``2025-02-06T14:00Z/2025-02-06T14:30Z``."""
CTIME = compiled(rf"\b({_MONTH} \d{{1,2}}) (\d{{1,2}}:\d\d(?::\d\d)?)( [A-Z]{{3,4}})? (\d{{4}})\b")
"""``Feb 6 14:32:10 JST 2025``, as ``date`` prints it: the year comes last. Put right by ``r"\1 \5 \3\4"``, which keeps the length."""


CLOCK_TAIL = (
    r"(?=(?: ?\([月火水木金土日]\))? ?(?:に|の|、|,|at|around|about|~|à|um|gegen|vers|a las)? ?(?:午前|午後|[AP]M)?"
    r" ?\d{1,2}(?:[:時]|h\d| ?Uhr))"
)
"""Before a date that only a clock behind it makes one."""
DATE_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Told | None]], ...] = (
    (compiled(rf"(?<![\w./-])(?-i:R)(\d{{1,2}})([./-])(\d{{1,2}})\2(\d{{1,2}})(?![\d./-]|\w){CLOCK_TAIL}"), _era_day),
    (
        compiled(rf"(?<![\w/])(\d{{1,2}})/({'|'.join(MONTHS)})/(\d{{4}})(?::(\d\d):(\d\d):(\d\d)(?: ?([+-]\d{{4}}))?)?(?!\d)"),
        _clf_date,
    ),
    (compiled(r"(?<![\w.:/-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d/]|[.-]\d)(?:T(?=\d))?"), _iso_date),
    (compiled(r"(?<![\w.:/-])(20\d\d)([01]\d)([0-3]\d)(?:T(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})?)?(?![\w.:])"), _compact_date),
    (compiled(r"(?<![\w.:/-])(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?![\w/]|[.-]\d)"), _numeric_date),
    (compiled(rf"(?<![\w.:/-])(\d{{1,2}})(/)(\d{{1,2}})(?![\w/.-])(){CLOCK_TAIL}"), _numeric_date),
    (compiled(rf"\b{_MONTH} ?(\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])(?:,? ?(?<!\d)(\d{{4}})(?![\d:]))?"), _month_first),
    (compiled(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?[ -](?:of )?{_MONTH}\b(?:,?[ -](\d{{4}})(?![\d:]))?"), _day_first),
    (compiled(r"(?:(?:令和(\d{1,2}|元)|(?<!\d)(\d{4}))年 ?)?(?:(?<!\d)(\d{1,2})月 ?)(\d{1,2})日"), _year_month_day),
    (compiled(r"()()()(?<![\d.])(\d{1,2})日(?![間前])"), _year_month_day),
    (compiled(r"()()()\bon the (\d{1,2})(?:st|nd|rd|th)\b(?= ?(?:$|[,.;(\d]|at\b|around\b|about\b|between\b|from\b))"), _year_month_day),
    (compiled("|".join(rf"\b{word}\b" if word.isascii() else word for word in DAY_WORDS)), _day_word),
    (compiled(r"\bhier(?= (?:à|vers|entre|après|avant|depuis) )"), _yesterday_in_french),
    (
        compiled(
            r"\b(?:the (?P<day>\d{1,2})(?:st|nd|rd|th)? (?:of|in) )?(?P<which>last|previous|this) (?P<unit>week|month|year)(?:'s)?\b"
            r"|(?P<before>先々|先|今|昨|去|本)(?P<kanji>[週月年])(?![前間末])"
        ),
        _whole,
    ),
    (compiled(r"()(?:([月火水木金土日])曜日?|\(([月火水木金土日])\))"), _weekday),
    (
        compiled(
            r"\b(?:last )?(mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r?s?(?:day)?)|fri(?:day)?|sat(?:urday)?|sun(?:day)?)\b()()"
        ),
        _weekday,
    ),
)
"""Tried in this order; what one has taken the next do not see."""
