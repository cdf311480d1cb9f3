"""Date and time words: every place in a text where a day, a clock, a zone or a duration is said.

This is the first half of reading a time: it finds the words, and ``spoken_windows`` joins them and says which span of time they mean.
The text is expected as ``understand`` prepares it: NFKC, every dash a hyphen, one space at most, NUL over what has been read.
All patterns are ASCII, so that ``14:32頃`` ends where a person sees the end. None can backtrack over more than a few characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from kyumei.diagnose.spoken_zones import AMBIGUOUS, COMMON, IANA, OFFSETS, PLACES, offset_from
from kyumei.errors import SymptomError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Day:
    """A day as it was said: a date, of which the year or also the month may be missing, or ``back`` days before today."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    back: int | None = None


@dataclass(frozen=True)
class Clock:
    """A time of day as it was said. ``half`` is am, pm or empty; ``second`` is null where only the minute was said.

    ``unit`` is how much time the words cover: a second, a minute, an hour ("14時台"), or null where only the hour was said ("2 pm").
    """

    hour: int
    minute: int = 0
    second: int | None = None
    micro: int = 0
    half: str = ""
    unit: timedelta | None = timedelta(minutes=1)


@dataclass(frozen=True)
class Told:
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
    recent: timedelta | None = None
    """The span up to now ("the last hour")."""


READ = "\0"
"""Stands in the text for every character that has been read already."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
YEARS = (1970, 9990)
"""The years that are taken. Before 1970 no computer kept such logs; towards 9999 a datetime has no room for a zone."""
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "couple of": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "half an": 0.5}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "秒": 1, "分": 60, "時": 3600, "日": 86400}
DAY_WORDS: dict[str, tuple[int, str]] = {
    "day before yesterday": (2, ""),
    "yesterday": (1, ""),
    "last night": (1, "night"),
    "today": (0, ""),
    "this morning": (0, "morning"),
    "this afternoon": (0, "afternoon"),
    "this evening": (0, "evening"),
    "tonight": (0, "night"),
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
}
_JAPANESE_HALF = {"前": "a", "後": "p"}
PARTS = {"朝": "morning", "午前中": "morning", "午後": "afternoon", "夕方": "evening", "夜": "night", "深夜": "night"}

_MONTH = r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_NUMBER = r"(\d{1,4}|an?|one|two|(?:a )?couple of|three|four|five|ten|half an)"
_UNIT = r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b"
_HALF = r"([ap])\.? ?m\b\.?"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


CTIME = _compiled(rf"\b({_MONTH} \d{{1,2}}) (\d{{1,2}}:\d\d(?::\d\d)?)( [A-Z]{{3,4}})? (\d{{4}})\b")
"""``Feb 6 14:32:10 JST 2025``, as ``date`` prints it: the year comes last. Put right by ``r"\1 \5 \3\4"``, which keeps the length."""


def impossible(said: str, what: str) -> SymptomError:
    """The refusal of a day or a time that no calendar or clock shows."""
    return SymptomError(f"{said.strip()!r} is not a {what}", "write it as 2025-02-06 14:32 JST")


def _day(found: re.Match[str], year: int | None, month: int | None, day: int) -> Told:
    """A date, refused where the calendar does not have it (a missing year may be a leap year)."""
    try:
        date(year or 2000, month or 1, day)
    except ValueError:
        raise impossible(found[0], "date") from None
    if year is not None and not YEARS[0] <= year <= YEARS[1]:
        raise impossible(found[0], "date of our time")
    return Told(found.start(), found.end(), found[0], day=Day(year, month, day))


def _clock(found: re.Match[str], end: int, numbers: tuple[str | None, ...], half: str, zone: str = "") -> Told:
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
        return _day(found, year, second, first)
    if second > len(MONTHS) or first == second or JAPANESE.search(found.string):
        return _day(found, year, first, second)
    said = found[0].strip()
    message = f"the date {said!r} is ambiguous: {first:02d} or {second:02d} may be the month"
    raise SymptomError(message, f"write the date as {year or 2025}-{first:02d}-{second:02d} or {year or 2025}-{second:02d}-{first:02d}")


def _iso_date(found: re.Match[str]) -> Told | None:
    if re.search(r"(?:version|\bv) ?$", found.string[: found.start()][-9:], re.IGNORECASE):
        return None
    return _day(found, int(found[1]), int(found[3]), int(found[4]))


def _compact_date(found: re.Match[str]) -> Told | None:
    """``20250206`` or ``20250206T143210Z``; digits that make no date are somebody's number."""
    try:
        told = _day(found, int(found[1]), int(found[2]), int(found[3]))
    except SymptomError:
        return None
    if not found[4]:
        return told
    clock = _clock(found, found.end(), (found[4], found[5], found[6]), "")
    return replace(told, clock=clock.clock, zone=found[7] or "")


def _clf_date(found: re.Match[str]) -> Told | None:
    told = _day(found, int(found[3]), MONTHS.index(found[2].lower()) + 1, int(found[1]))
    if not found[4]:
        return told
    clock = _clock(found, found.end(), (found[4], found[5], found[6]), "")
    return replace(told, clock=clock.clock, zone=found[7] or "")


def _month_first(found: re.Match[str]) -> Told | None:
    return _day(found, int(found[3]) if found[3] else None, MONTHS.index(found[1][:3].lower()) + 1, int(found[2]))


def _day_first(found: re.Match[str]) -> Told | None:
    if found[2] == "may" and not found[3]:
        return None  # "about 6 may have seen it"
    return _day(found, int(found[3]) if found[3] else None, MONTHS.index(found[2][:3].lower()) + 1, int(found[1]))


def _japanese_date(found: re.Match[str]) -> Told | None:
    era, year = found[1], found[2]
    full = 2018 + (1 if era == "元" else int(era)) if era else int(year) if year else None  # Reiwa 1 was 2019
    return _day(found, full, int(found[3]) if found[3] else None, int(found[4]))


def _day_word(found: re.Match[str]) -> Told | None:
    back, part = DAY_WORDS[found[0].lower()]
    return Told(found.start(), found.end(), found[0], day=Day(back=back), part=part)


def _weekday(found: re.Match[str]) -> Told | None:
    kanji = found[2] or found[3]
    number = "月火水木金土日".index(kanji) if kanji else DAYS.index(found[1][:3].lower())
    if found[1] and not found[1].lower().endswith("day") and not found[1][0].isupper():
        return None  # "sat" and "sun" are words
    return Told(found.start(), found.end(), found[0], weekday=number)


def _part(found: re.Match[str]) -> Told | None:
    return Told(found.start(), found.end(), found[0], part=PARTS.get(found[0]) or (found[1] or "").lower())


def _span(number: str | None, unit: str) -> timedelta:
    count = 1.0 if not number else float(number) if number.isdigit() else NUMBERS[number.lower().removeprefix("a ")]
    return timedelta(seconds=count * UNITS[unit[0].lower()])


def _length(found: re.Match[str]) -> Told | None:
    return Told(found.start(), found.end(), found[0], length=_span(found[1], found[2]))


def _recent(found: re.Match[str]) -> Told | None:
    return Told(found.start(), found.end(), found[0], recent=_span(found[1], found[2]))


def _colon_clock(found: re.Match[str]) -> Told | None:
    """``14:32:10.5+09:00``. In ``14:00-14:30`` the hyphen starts the end of a span, in ``T14:32-05:00`` an offset."""
    half = _JAPANESE_HALF.get(found["japanese"] or "", "") or (found["prefix"] or found["half"] or "").lower()
    zone, end = found["zone"] or "", found.end()
    numbers = (found["hour"], found["minute"], found["second"], found["fraction"])
    glued_to_a_date = found.string[found.start() - 1 : found.start()] == READ
    if zone.startswith("-") and not found["second"] and not glued_to_a_date and found["gap"] == "":
        as_clock = re.fullmatch(r"-(\d\d):(\d\d)", zone)
        later = as_clock and (int(as_clock[1]), int(as_clock[2])) > (int(found["hour"]), int(found["minute"]))
        if later or not as_clock and len(zone) == len("-15"):
            zone = ""
    if zone[:1] in {"+", "-"} and offset_from(zone) is None:
        zone = ""
    if not zone:
        end = found.start("gap") if found["gap"] is not None else found.end()
    return _clock(found, end, numbers, half, zone)


def _hour_clock(found: re.Match[str]) -> Told | None:
    """``2 pm``, ``14h32``, ``noon``."""
    word = found["word"]
    if word:
        return Told(found.start(), found.end(), found[0], clock=Clock(0 if word.lower() == "midnight" else 12, unit=None))
    return _clock(found, found.end(), (found["hour"], found["minute"]), (found["half"] or found["later"] or "").lower())


def _japanese_clock(found: re.Match[str]) -> Told | None:
    half = _JAPANESE_HALF.get(found["half"] or "", "")
    minute = "30" if found["rest"] == "半" else found["minute"]
    told = _clock(found, found.end(), (found["hour"], minute, found["second"]), half)
    if found["rest"] == "台" and told.clock:
        told = replace(told, clock=replace(told.clock, unit=timedelta(hours=1)))
    return replace(told, part=PARTS.get(found["part"] or "", ""))


def _epoch(found: re.Match[str]) -> Told | None:
    """Seconds or milliseconds since 1970; a number that is called an id, an order, a user is none."""
    if re.search(
        r"(?:\bid|order|user|account|ticket|case|number|no\.?|#)s? ?[:=#]? ?$", found.string[: found.start()][-14:], re.IGNORECASE
    ):
        return None
    fraction = (found[2] or found[3] or "").ljust(6, "0")
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(found[1]), microseconds=int(fraction))
    return Told(found.start(), found.end(), found[0], instant=moment)


JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_CLOCK_TAIL = r"(?=(?: ?\([月火水木金土日]\))? ?(?:に|の|、|,|at|around|about|~)? ?(?:午前|午後|[AP]M)? ?\d{1,2}[:時])"
READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Told | None]], ...] = (
    (
        _compiled(rf"(?<![\w/])(\d{{1,2}})/({'|'.join(MONTHS)})/(\d{{4}})(?::(\d\d):(\d\d):(\d\d)(?: ?([+-]\d{{4}}))?)?(?!\d)"),
        _clf_date,
    ),
    (_compiled(r"(?<![\w.:/-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d/]|[.-]\d)(?:T(?=\d))?"), _iso_date),
    (_compiled(r"(?<![\w.:/-])(20\d\d)([01]\d)([0-3]\d)(?:T(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})?)?(?![\w.:])"), _compact_date),
    (_compiled(r"(?<![\w.:/-])(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?![\w/]|[.-]\d)"), _numeric_date),
    (_compiled(rf"(?<![\w.:/-])(\d{{1,2}})(/)(\d{{1,2}})(?![\w/.-])(){_CLOCK_TAIL}"), _numeric_date),
    (_compiled(rf"\b{_MONTH} ?(\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])(?:,? ?(?<!\d)(\d{{4}})(?![\d:]))?"), _month_first),
    (_compiled(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?[ -](?:of )?{_MONTH}\b(?:,?[ -](\d{{4}})(?![\d:]))?"), _day_first),
    (_compiled(r"(?:(?:令和(\d{1,2}|元)|(?<!\d)(\d{4}))年 ?)?(?:(?<!\d)(\d{1,2})月 ?)(\d{1,2})日"), _japanese_date),
    (_compiled(r"()()()(?<![\d.])(\d{1,2})日(?![間前])"), _japanese_date),
    (_compiled("|".join(rf"\b{word}\b" if word.isascii() else word for word in DAY_WORDS)), _day_word),
    (_compiled(rf"\b(?:for|lasting|lasted) (?:about |around |~ ?)?{_NUMBER} ?{_UNIT}"), _length),
    (_compiled(rf"\b(?:last|past) (?:{_NUMBER} )?{_UNIT}"), _recent),
    (_compiled(r"(?:過去|直近|ここ) ?(\d{1,4}) ?(秒|分|時間|日)間?"), _recent),
    (_compiled(r"(\d{1,4}) ?(秒(?=間)|分(?=間)|時(?=間))間(?!.?.?前)"), _length),
    (_compiled(r"()(?:([月火水木金土日])曜日?|\(([月火水木金土日])\))"), _weekday),
    (
        _compiled(r"\b(mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r?s?(?:day)?)|fri(?:day)?|sat(?:urday)?|sun(?:day)?)\b()()"),
        _weekday,
    ),
    (
        _compiled(
            r"(?:(?:午(?P<half>[前後])|(?P<part>朝|深夜|夜|夕方))の? ?)?(?<![\d.:])(?P<hour>\d{1,2})時(?!間)"
            r"(?: ?(?P<minute>\d{1,2})分(?!間)(?: ?(?P<second>\d{1,2})秒)?|(?P<rest>[半台]))?"
        ),
        _japanese_clock,
    ),
    (
        _compiled(
            r"(?:(?:午(?P<japanese>[前後])|(?<![A-Z])(?P<prefix>[AP])M) ?)?(?:(?<![A-Za-z0-9_.:])|(?<=[AP]M))"
            r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?(?![\d:]|\.\d)"
            r"(?:(?P<gap> ?)(?P<zone>Z\b|[+-]\d\d(?::?\d\d)?(?![\d:]))|(?: ?(?P<half>[ap])\.? ?m\b\.?))?"
        ),
        _colon_clock,
    ),
    (
        _compiled(
            r"(?:\b(?:12 )?(?P<word>noon|midnight)\b|(?<![\w.:/])(?P<hour>\d{1,2})(?:"
            r"h(?P<minute>\d\d)\b| ?o'?clock\b| ?(?P<half>[ap])\.? ?m\b\.?"
            r"|(?= ?(?:-|~|to|and) ?\d{1,2}(?::\d\d)? ?(?P<later>[ap])\.?m\b)))"
        ),
        _hour_clock,
    ),
    (re.compile(r"正午"), lambda found: Told(found.start(), found.end(), found[0], clock=Clock(12, unit=None))),
    (
        _compiled(r"(?:(?<!good )\b(?:early |late |in the |at )?(morning|afternoon|evening|night)\b|午前中|午後|朝|夕方|深夜|夜(?!間))"),
        _part,
    ),
    (_compiled(r"(?<![\w.:/-])@?(1\d{9})(?:(\d{3})|\.(\d{1,6}))?(?![\w:/-]|\.\d)"), _epoch),
)
_AGO = (
    _compiled(rf"\b{_NUMBER} ?{_UNIT} ago\b"),
    _compiled(r"(?<!\d)(\d{1,4}) ?(秒|分|時間|日)(?:ほど|くらい|ぐらい)?前"),
)
_JUST_NOW = _compiled(r"\b(?:just|right) now\b|たった今|今さっき|さっき|先ほど")
_ZONE_OFFSET = _compiled(r"(?<![\w-])(?:UTC|GMT) ?[+-]\d{1,2}(?::?\d{2})?(?![\w:])")
_ZONE_ANYWHERE = (
    _compiled(rf"(?<![\w/-]){IANA}(?![\w/])"),
    _compiled("|".join(rf"\b{word}\b" if word.isascii() else word for word in PLACES if len(word) > len("ET"))),
    re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(COMMON))})(?![\w-])", re.ASCII),
)
_ZONE_AFTER = re.compile(r" ?[(\[]?(?:(Z\b|[+-]\d\d:?\d\d(?![\d:]))|([A-Za-z]{1,4})\b(?!-))", re.ASCII)


def blank(text: str, start: int, end: int) -> str:
    """The text with a part of it marked as read; positions stay what they were."""
    return text[:start] + READ * (end - start) + text[end:]


def _ago(found: re.Match[str], now: datetime) -> Told:
    """Two hours ago is two hours and something: the slack is a quarter of the span, ten minutes at least."""
    span = _span(found[1], found[2])
    if span >= timedelta(days=1):
        return Told(found.start(), found.end(), found[0], day=Day(back=span.days))
    slack = max(timedelta(minutes=10), span / 4)
    return Told(found.start(), found.end(), found[0], instant=now.astimezone(UTC) - span, slack=slack)


def _just_now(found: re.Match[str], now: datetime) -> Told:
    return Told(found.start(), found.end(), found[0], instant=now.astimezone(UTC), slack=timedelta(minutes=10))


def _zone(found: re.Match[str]) -> Told:
    return Told(found.start(), found.end(), found[0], zone=found[0])


def _zone_after(text: str, end: int) -> Told | None:
    """The zone right behind a time, where short and lower-case abbreviations are plain too: ``14:32 jst``, ``2 pm PT``."""
    found = _ZONE_AFTER.match(text, end)
    if not found:
        return None
    group = 1 if found[1] else 2
    said = found[group]
    known = group == 1 or (said.upper() in COMMON or said == "z" or said in OFFSETS or said in PLACES or said in AMBIGUOUS)
    if not known or (said[0] in "+-" and offset_from(said) is None):
        return None
    return Told(found.start(group), found.end(group), said, zone=said)


def spoken(text: str, now: datetime) -> list[Told]:
    """Every word of time in the text, in its order. Impossible days and clocks are refused with SymptomError."""
    told: list[Told] = []

    def take(pattern: re.Pattern[str], read: Callable[[re.Match[str]], Told | None]) -> None:
        nonlocal text
        position = 0
        while found := pattern.search(text, position):
            one = read(found)
            position = one.end if one else found.end()
            if one:
                told.append(one)
                text = blank(text, one.start, one.end)

    take(_ZONE_OFFSET, lambda found: _zone(found) if offset_from(found[0]) is not None else None)  # not the end of 14:00 UTC-14:30
    for pattern in _AGO:
        take(pattern, lambda found: _ago(found, now))
    take(_JUST_NOW, lambda found: _just_now(found, now))
    for pattern, read in READERS:
        take(pattern, read)
    for clock in [one for one in told if one.clock and not one.zone]:
        if zone := _zone_after(text, clock.end):
            told.append(zone)
            text = blank(text, zone.start, zone.end)
    for pattern in _ZONE_ANYWHERE:
        take(pattern, _zone)
    return sorted(told, key=lambda one: one.start)
