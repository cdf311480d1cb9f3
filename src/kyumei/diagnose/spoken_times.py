"""Clocks, durations, instants and zones as people say them, and ``spoken``, which finds every word of time in a text.

The first step of reading a time; ``spoken_points`` joins what was found, and ``spoken_windows`` says which span of time it means.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kyumei.diagnose.spoken_cities import CITIES
from kyumei.diagnose.spoken_clocks import CLOCK_WORD_READERS
from kyumei.diagnose.spoken_dates import DATE_READERS, PARTS, READ, Clock, Day, Told, blank, clock_of, compiled
from kyumei.diagnose.spoken_names import listed
from kyumei.diagnose.spoken_tongues import TONGUE_READERS
from kyumei.diagnose.spoken_zones import AMBIGUOUS, COMMON, IANA, OFFSETS, PLACES, offset_from

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = {
    **dict.fromkeys(("a", "an", "one", "eine", "einer", "un", "une", "una"), 1),
    **{word: number for number, word in enumerate(listed("two three four five six seven eight nine ten eleven twelve"), 2)},
    "couple of": 2,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "forty-five": 45,
    "ninety": 90,
    "half an": 0.5,
    "half a": 0.5,
}
UNITS = {
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
    "秒": 1,
    "分": 60,
    "時": 3600,
    "小": 3600,
    "日": 86400,
    "天": 86400,
    "週": 604800,
}
_KANJI = "一二三四五六七八九"
UNITS |= {"t": 86400, "j": 86400}  # Tage, jours
_FEW = 6
_JAPANESE_HALF = {"前": "a", "後": "p"}
_WORDS = (
    "a|an|one|two|(?:a )?couple of|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty-five|forty|ninety"
    "|half an?|einer|eine|une|una"
)
_NUMBER = rf"((?<![\d.,])\d{{1,4}}(?:\.\d{{1,2}})?|(?:{_WORDS})(?= ))"
_UNIT = r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\b"
_HALF = r"([ap])\.? ?m\b\.?"


def _part(found: re.Match[str]) -> Told | None:
    return Told(found.start(), found.end(), found[0], part=PARTS.get(found[0]) or PARTS.get(found[0].lower()) or (found[1] or "").lower())


def _span(number: str | None, unit: str) -> timedelta:
    if number and re.search(r"\d", number):
        count = float(number)
    elif number and not number.isascii():
        tens, ten, ones = number.rpartition("十")
        count = float((_KANJI.index(tens) + 1 if tens in _KANJI and tens else 1) * 10 if ten else 0) + (
            _KANJI.index(ones[:1]) + 1 if ones else 0
        )
    else:
        count = NUMBERS[number.lower().removeprefix("a ")] if number else 1.0
    return timedelta(seconds=count * UNITS[unit[0].lower()])


def _length(found: re.Match[str]) -> Told | None:
    return Told(found.start(), found.end(), found[0], length=_span(found[1], found[2]))


def _recent(found: re.Match[str]) -> Told | None:
    return Told(found.start(), found.end(), found[0], recent=_span(found[1], found[2]))


def _going_on(found: re.Match[str]) -> Told | None:
    """``for an hour now``, ``seit 20 Minuten``; without "now" ``for an hour`` only says how long it lasted."""
    if found[0].lower().startswith("for ") and not found[0].lower().endswith(("now", "already")):
        return None
    unit = found[2].lower()
    return Told(found.start(), found.end(), found[0], recent=_span(found[1], "h" if unit.startswith(("st", "heure")) else unit))


def _recent_in_words(found: re.Match[str]) -> Told | None:
    """``a few hours ago``, ``数時間前``: nobody counted; it was within six of them."""
    unit = found["unit"].lower()
    return Told(found.start(), found.end(), found[0], recent=_FEW * _span(None, "h" if unit.startswith("st") else unit))


def _same_time(found: re.Match[str], now: datetime) -> Told:
    """``this time yesterday``: half an hour more or less."""
    days = 7 if found["week"] else 1
    return Told(found.start(), found.end(), found[0], instant=now.astimezone(UTC) - timedelta(days=days), slack=timedelta(minutes=30))


def _colon_clock(found: re.Match[str]) -> Told | None:
    """``14:32:10.5+09:00``. In ``14:00-14:30`` the hyphen starts the end of a span, in ``T14:32-05:00`` an offset."""
    half = _JAPANESE_HALF.get(found["japanese"] or "", "") or (found["prefix"] or found["half"] or "").lower()
    zone, end = found["zone"] or "", found.end()
    numbers = (found["hour"], found["minute"], found["second"], found["fraction"])
    glued_to_a_date = found.string[found.start() - 1 : found.start()] == READ
    if zone.startswith("-") and not found["second"] and not glued_to_a_date and found["gap"] == "":
        as_clock = re.fullmatch(r"-(\d\d):(\d\d)", zone)
        later = as_clock and (int(as_clock[1]), int(as_clock[2])) > (int(found["hour"]), int(found["minute"]))
        if later or (not as_clock and len(zone) == len("-15")):
            zone = ""
    if zone[:1] in {"+", "-"} and offset_from(zone) is None:
        zone = ""
    if not zone:
        end = found.start("gap") if found["gap"] is not None else found.end()
    return clock_of(found, end, numbers, half, zone)


def _hour_clock(found: re.Match[str]) -> Told | None:
    """``2 pm``, ``14h32``, ``noon``."""
    word = found["word"]
    if word:
        return Told(found.start(), found.end(), found[0], clock=Clock(0 if word.lower() == "midnight" else 12, unit=None))
    return clock_of(found, found.end(), (found["hour"], found["minute"]), (found["half"] or found["later"] or "").lower())


def _japanese_clock(found: re.Match[str]) -> Told | None:
    half = _JAPANESE_HALF.get(found["half"] or "", "")
    minute = "30" if found["rest"] == "半" else found["minute"]
    told = clock_of(found, found.end(), (found["hour"], minute, found["second"]), half)
    if found["rest"] == "台" and told.clock:
        told = told._replace(clock=told.clock._replace(unit=timedelta(hours=1)))
    return told._replace(part=PARTS.get(found["part"] or "", ""))


def _lunch(found: re.Match[str]) -> Told | None:
    """The words behind "since" and "around"; elsewhere it may be the name of a page."""
    return Told(found.start("word"), found.end(), found["word"], part="midday")


def _chinese_clock(found: re.Match[str]) -> Told | None:
    told = clock_of(found, found.end(), (found["hour"], "30" if found["rest"] else found["minute"]), "")
    return told._replace(part=PARTS.get(found["part"] or "", ""))


def _hour_of_a_part(found: re.Match[str]) -> Told | None:
    """``since 9 this morning``: the word before it keeps its meaning."""
    return clock_of(found, found.end(), (found["hour"],), "")._replace(start=found.start("hour"), said=found["hour"])


def _military_clock(found: re.Match[str]) -> Told | None:
    """``0532Z``, ``at 1432 hrs``; hours without such a word before them are a length."""
    zulu = re.match(r" ?Z\b", found.string[found.end() :])
    if not zulu and not re.search(r"\b(?:at|around|about|since|by|from|until|~) ?$", found.string[: found.start()], re.IGNORECASE):
        return None
    return clock_of(found, found.end(), (found["hour"], found["minute"]), "")


def _epoch(found: re.Match[str]) -> Told | None:
    """Seconds or milliseconds since 1970; a number that is called an id, an order, a user is none."""
    if re.search(
        r"(?:\bid|order|user|account|ticket|case|number|no\.?|#)s? ?[:=#]? ?$", found.string[: found.start()][-14:], re.IGNORECASE
    ):
        return None
    fraction = (found[2] or found[3] or "").ljust(6, "0")
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(found[1]), microseconds=int(fraction))
    return Told(found.start(), found.end(), found[0], instant=moment)


CLOCK_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Told | None]], ...] = (
    (
        compiled(
            rf"\b(?:for|since|seit|depuis|desde hace) (?:about |around |roughly |etwa |ca\. |environ |unos |~ ?)?{_NUMBER} ?"
            r"(s|secs?|seconds?|m|mins?|minut(?:en?|es|os)|h|hrs?|hours?|stunden?|heures?|horas?|d|days?)\b(?: now\b| already\b|)"
        ),
        _going_on,
    ),
    (
        compiled(r"\b(?:(?:a |the last |the past )?(?:few|several) (?P<unit>hours?|days?|weeks?) (?:ago|back)\b)"),
        _recent_in_words,
    ),
    (compiled(r"数(?P<unit>時間|日|週間)(?:ほど|くらい|ぐらい)?前"), _recent_in_words),
    (
        compiled(
            r"\b(?:vor|il y a|hace) (?:ein paar|einigen|quelques|unas|unos|algunas) (?P<unit>stunden|tagen|heures|jours|horas|d[ií]as)"
        ),
        _recent_in_words,
    ),
    (compiled(rf"\b(?:for|lasting|lasted) (?:about |around |~ ?)?{_NUMBER} ?{_UNIT}"), _length),
    (compiled(rf"\b(?:last|past) (?:{_NUMBER} )?{_UNIT}"), _recent),
    (
        compiled(
            r"\b(?:since|at|around|after|before|during|over|until|seit|depuis|desde) "
            r"(?P<word>(?:the )?(?:lunch(?:[ -]?time|[ -]break)?|midday))\b"
        ),
        _lunch,
    ),
    (compiled(r"(?:過去|直近|ここ) ?(\d{1,4}) ?(秒|分|時間|日)間?"), _recent),
    (compiled(r"(\d{1,4}) ?(秒(?=間)|分(?=間)|時(?=間))間(?!.?.?前)"), _length),
    (
        compiled(
            r"(?:(?:午(?P<half>[前後])|(?P<part>早朝|朝|深夜|夜(?!中)|夕方|晩|お?昼|未明|明け方))の? ?)?"
            r"(?<![\d.:])(?P<hour>\d{1,2})時(?!間)"
            r"(?: ?(?P<minute>\d{1,2})分(?!間)(?: ?(?P<second>\d{1,2})秒)?|(?P<rest>[半台]))?"
        ),
        _japanese_clock,
    ),
    (
        compiled(
            r"(?:(?:午(?P<japanese>[前後])|(?<![A-Z])(?P<prefix>[AP])M) ?)?(?:(?<![A-Za-z0-9_.:])|(?<=[AP]M))"
            r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?(?!\d|:[\w:]|\.\d)"
            r"(?:(?P<gap> ?)(?P<zone>Z\b|[+-]\d\d(?::?\d\d)?(?![\d:]))|(?: ?(?P<half>[ap])(?:\.? ?m\b\.?|(?<=\d[ap])(?![\w.:/-]))))?"
        ),
        _colon_clock,
    ),
    (
        compiled(
            r"(?:\b(?:12 )?(?P<word>noon|midnight)\b|(?<![\w.:/])(?P<hour>\d{1,2})(?:"
            r"h(?P<minute>\d\d)\b| ?o'?clock\b| ?(?P<half>[ap])\.? ?m\b\.?"
            r"|(?= ?(?:-|~|to|and) ?\d{1,2}(?::\d\d)? ?(?P<later>[ap])\.?m\b)))"
        ),
        _hour_clock,
    ),
    (
        compiled(
            r"(?:(?P<part>上午|下午|晚上|凌晨|早上|中午) ?)?(?<!\d)"
            r"(?P<hour>\d{1,2})[点點](?:(?P<minute>\d{1,2})分?|(?P<rest>半)|(?=[^\d]|$))"
        ),
        _chinese_clock,
    ),
    (compiled(r"(?<![\w.:/-])(?P<hour>[01]\d|2[0-4])(?P<minute>[0-5]\d)(?= ?Z\b| ?hrs\b)"), _military_clock),
    (re.compile(r"正午"), lambda found: Told(found.start(), found.end(), found[0], clock=Clock(12, unit=None))),
    (
        compiled(
            r"(?:(?<!good )\b(?:early |late |in the |at |all |(?:the )?whole )?(morning|afternoon|evening|night)\b"
            r"|午前中|午後|早朝|朝|夕方|深夜|夜(?!間)|晩|お?昼(?:休み)?(?![間夜])|上午|下午|晚上|早上|凌晨|中午|오전|오후"
            r"|de la (?:tarde|noche|mañana)\b"
            r"|(?:(?<=heute )|(?<=gestern )|(?<=\0 ))(?:vormittag|morgen|früh|nachmittag|abend|nacht|mittag)\b)"
        ),
        _part,
    ),
    (compiled(r"(?<![\w.:/-])@?(1\d{9})(?:(\d{3})|\.(\d{1,6}))?(?![\w:/-]|\.\d)"), _epoch),
)
_AGO = (
    compiled(
        rf"\b(?:(?P<low>\d{{1,2}}) ?(?:-|~|to|or|and) ?)?"
        rf"(?P<first>{_NUMBER} ?(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)(?:(?=\d)|\b))"
        rf"(?:(?P<half> and a half)|(?:,? and | |, )?(?P<more>\d{{1,3}}) ?(?P<finer>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b)?"
        r" (?:ago\b|back(?=[,.;]|$))"
    ),
    compiled(
        r"(?<![\d.])(?:(?P<low>\d{1,2}) ?(?:-|~|〜|、|か|から|ないし) ?)?"
        r"(?P<first>((?<!\d)\d{1,4}(?:\.\d{1,2})?|[一二三四五六七八九十]{1,3}) ?(?P<unit>秒|分|時間|日|週間))"
        r"(?:(?P<half>半)|と? ?(?P<more>\d{1,3}) ?(?P<finer>秒|分|時間))?(?:ほど|くらい|ぐらい|程)?前"
    ),
    compiled(
        r"(?P<low>)(?<![\d.])(?P<first>(\d{1,4}) ?个?(?P<unit>分|小时|天))(?P<half>半)?(?P<more>(?P<finer>))(?:钟)?(?:左右)?(?:以)?前"
    ),
    compiled(
        r"(?P<low>)\b(?:vor|hace|il y a) (?:etwa |ca\. |unos |environ )?"
        r"(?P<first>(\d{1,4}|einer|eine|una|un|une) (?P<unit>minuten?|minutos?|minutes?|stunden?|horas?"
        r"|heures?|tagen?|d[ií]as?|jours?))(?P<half>)(?P<more>(?P<finer>))(?!\w)"
    ),
)
JUST_NOW = compiled(
    r"\b(?:just|right) now\b|\ba (?:(?:few|couple(?: of)?) (?:minutes|mins?|moments)|moment|minute) ago\b"
    r"|\bseveral minutes ago\b|数分(?:ほど)?前|たった今|今さっき|さっき|先ほど|先程"
)
_SAME_TIME = compiled(r"\b(?:about |around )?(?:at )?(?:this|the same|same) time (?:yesterday|(?P<week>last week))\b")
_HOUR_OF_A_PART = compiled(
    r"\b(?:at|around|about|since|from|by|until|before|after) (?P<hour>\d{1,2})"
    r"(?= (?:this|in the|yesterday) (?:morning|afternoon|evening)\b| tonight\b)"
)
_ZONE_OFFSET = compiled(r"(?<![\w-])(?:UTC|GMT) ?[+-]\d{1,2}(?::?\d{2})?(?![\w:])")
_ZONE_ANYWHERE = (
    compiled(rf"(?<![\w/-]){IANA}(?![\w/])"),
    compiled(
        rf"\b(?:{'|'.join(word for word in PLACES if word.isascii() and len(word) > len('ET'))})\b(?!-| (?:machine|out|limit|sheet))|"
        + "|".join(word for word in PLACES if not word.isascii() and len(word) > len("ET"))
    ),
    re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(COMMON))})(?![\w-])", re.ASCII),
)
_ZONE_AFTER = re.compile(r" ?[(\[]?(?:(Z\b|[+-]\d\d:?\d\d(?![\d:]))|([A-Za-z]{1,4})\b(?!-[A-Za-z]))", re.ASCII)
_CITY_AFTER = compiled(rf" (?:here )?in ({'|'.join(CITIES)})\b(?! (?:region|office|az|data ?cent))")
"""A city right behind a clock, whose time it is."""


def _ago(found: re.Match[str], now: datetime) -> Told:
    """Two hours ago is two hours and something: the slack is a quarter of the span, ten minutes at least."""
    unit = found["unit"].lower()
    span = _span(found[3], "h" if unit.startswith(("st", "heure")) else unit)
    if found["half"]:
        span += _span(None, unit) / 2
    if found["more"]:
        span += _span(found["more"], found["finer"])
    if span >= timedelta(days=1):
        return Told(found.start(), found.end(), found[0], day=Day(back=span.days))
    slack = max(timedelta(minutes=10), span / 4, span - _span(found["low"], unit) if found["low"] else timedelta(0))
    return Told(found.start(), found.end(), found[0], instant=now.astimezone(UTC) - span, slack=slack)


def _just_now(found: re.Match[str], now: datetime) -> Told:
    return Told(found.start(), found.end(), found[0], instant=now.astimezone(UTC), slack=timedelta(minutes=10))


def _zone(found: re.Match[str]) -> Told:
    return Told(found.start(), found.end(), found[0], zone=found[0])


def _zone_after(text: str, end: int) -> Told | None:
    """The zone right behind a time, where short and lower-case abbreviations are plain too: ``14:32 jst``, ``2 pm PT``."""
    if city := _CITY_AFTER.match(text, end):
        return Told(city.start(1), city.end(), city[1], zone=city[1])
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
        """Keep what the reader makes of every match, and mark it as read."""
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
    take(_SAME_TIME, lambda found: _same_time(found, now))
    take(_HOUR_OF_A_PART, _hour_of_a_part)
    take(JUST_NOW, lambda found: _just_now(found, now))
    for pattern, read in (*TONGUE_READERS, *DATE_READERS, *CLOCK_WORD_READERS, *CLOCK_READERS):
        take(pattern, read)
    for one in [one for one in told if (one.clock or one.day) and not one.zone and not one.whole]:
        if zone := _zone_after(text, one.end):
            told.append(zone)
            text = blank(text, zone.start, zone.end)
    for pattern in _ZONE_ANYWHERE:
        take(pattern, _zone)
    return sorted(told, key=lambda one: one.start)
