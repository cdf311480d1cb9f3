"""From date and time words to the span of time that they mean.

The last part of reading a time: ``spoken_times`` has found the words and ``spoken_points`` has joined them; here the zone makes instants
of them, what was not said is inferred (and noted), and the window is as wide as the words allow.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

from kyumei.diagnose.spoken_clocks import bare_hour, which_half
from kyumei.diagnose.spoken_dates import CTIME, INTERVAL, Day, Told, blank, impossible
from kyumei.diagnose.spoken_points import Point, joined, shared
from kyumei.diagnose.spoken_times import JUST_NOW, spoken
from kyumei.diagnose.spoken_zones import AMBIGUOUS, ASK, Zone, in_utc, zone_named
from kyumei.errors import SymptomError
from kyumei.model.window import Window, iso

TOLERANCE = timedelta(minutes=2)
"""Around a stated minute or second. People read clocks that are off by a little and look up after the page has failed, and a server
writes its line when the request ends, which for a time-out is a minute after it began."""
AROUND = timedelta(minutes=10)
"""What "around" and "頃" allow on each side, and what an hour without minutes ("2 pm") means."""
LATELY = timedelta(hours=1)
"""How far back "since just now" may reach."""
SHORTLY = timedelta(minutes=15)
"""How far "shortly after" and "shortly before" reach."""

MOST_WORDS = 100
"""Days, clocks and zones that are taken; whoever pastes more than that has pasted a log."""

NOON = 12
DAWN = 6
"""Until then "last night" is the date of the morning after."""
WHOLE_DAY = ", the whole day"
PART_HOURS = {"morning": (0, 12), "midday": (11, 14), "afternoon": (12, 18), "evening": (17, 24), "night": (18, 30)}
"""From the hour to the hour of the day, when no clock was stated; a night ends in the morning."""

_LATER_HOURS = {"midday": (1, DAWN), "afternoon": (1, NOON), "evening": (1, NOON), "night": (DAWN, NOON)}
"""The hours of a clock of twelve that are those after noon in such a part of the day."""


class Spoken(NamedTuple):
    """A time as it was understood: the window and the instant in UTC, the zone's name, the words to echo, and notes."""

    window: Window
    moment: datetime | None
    zone: str | None
    says: str
    notes: tuple[str, ...] = ()


class Span(NamedTuple):
    """A point resolved: ``start`` to ``end`` in UTC is the second, minute, hour or day that was said."""

    start: datetime
    end: datetime
    says: str
    zone: str | None
    day: date | None
    slack: timedelta
    """What the window gets on each side where the words say nothing else."""
    notes: tuple[str, ...]


class Setting(NamedTuple):
    """What a time is read against: now, the zones that are known, and the zone said anywhere in the text."""

    now: datetime
    default: str | None
    option: str | None
    stated: str


def read_time(text: str, now: datetime, default_zone: str | None, zone_option: str | None = None) -> tuple[Spoken | None, str]:
    """The time that a text states, or null, and the text with the words of it marked as read.

    SymptomError where a day or a clock is impossible, the zone is ambiguous, or a zone is needed and none is known.
    """
    text = INTERVAL.sub("~", CTIME.sub(r"\1 \5 \3\4", text))
    try:
        told = spoken(text, now)
        if len(told) > MOST_WORDS:
            message = f"the symptom names {len(told)} days, times and zones, more than {MOST_WORDS}: {told[0].said!r} and so on"
            raise SymptomError(message, "say the one time at which it failed")
        points = joined(text, told)
        if not points:
            return None, text
        stated = next((one.zone for one in told if one.zone), "")
        answer = _meaning(shared(points, text), Setting(now, default_zone, zone_option, stated))
    except OverflowError:
        message = f"a time in {text[:60]!r} lies outside of what a calendar holds"
        raise SymptomError(message, "write it as 2025-02-06 14:32 JST") from None
    for one in told:
        if one.zone or one.part or any(one in point.words for point in points):
            text = blank(text, one.start, one.end)
    return answer, text


def _meaning(points: list[Point], setting: Setting) -> Spoken:
    """The first span that the points form, else what the first point with a clock means alone."""
    for first, second in pairwise(points):
        closes = second.marks & {"until", "before"} and first.marks & {"since", "between"}
        if second.linked or closes or "ended" in second.marks:
            return _with_future(_between(first, second, setting), setting)
    chosen = min(points, key=_rank)
    answer = _alone(chosen, setting)
    notes = list(answer.notes)
    for other in points:
        again = answer if other is chosen else _alone(other, setting)
        if again.moment != answer.moment or again.window.start != answer.window.start:
            notes.append(f"Another time was named too: {again.says}. The window is that of {answer.says}.")
    return _with_future(answer._replace(notes=tuple(notes)), setting)


def _rank(point: Point) -> int:
    """Which of several times is meant, the lowest: since when it fails, then what has a clock, and last when something was changed."""
    if not (point.told.clock or point.told.instant):
        return 4
    if point.told.instant and JUST_NOW.fullmatch(point.told.said) and "since" not in point.marks:
        return 3  # 先ほど14:32に: it was a while ago, and the clock says when
    return 0 if "since" in point.marks else 2 if "changed" in point.marks else 1


def _with_future(answer: Spoken, setting: Setting) -> Spoken:
    if (answer.moment or answer.window.start) <= setting.now:
        return answer
    return answer._replace(notes=(*answer.notes, f"{answer.says} lies in the future: now is {iso(setting.now)}. Is the date right?"))


def _zone_of(told: Told, setting: Setting) -> tuple[Zone, tuple[str, ...]]:
    """The zone of a point: its own, else the one stated elsewhere; an option overrides a name but not a numeric offset."""
    said = told.zone or setting.stated
    if setting.option:
        chosen = zone_named(setting.option)
        if not said or said.upper() in AMBIGUOUS:
            return chosen, ()
        other = zone_named(said)
        if other.numeric or other.name == chosen.name:
            return other, ()
        return chosen, (f"The text says {said}; --zone {setting.option} is used.",)
    if said.upper() in AMBIGUOUS and setting.default:
        zone = zone_named(said, zone_named(setting.default).name)
        return zone, (f"{said} is taken as {zone.name}, the default zone.",)
    if said:
        return zone_named(said), ()
    if setting.default:
        zone = zone_named(setting.default)
        return zone, (f"No zone was stated: {zone.name} is assumed.",)
    message = f"no zone is stated for {told.said.strip()!r}"
    raise SymptomError(message, ASK)


def _date_of(told: Told, wall_now: datetime, clock: time | None) -> tuple[date, tuple[str, ...]]:
    """The date of a point, and notes on what of it was inferred: the nearest one that is not in the future."""
    today, day = wall_now.date(), told.day
    if told.whole and (found := _of_whole(told, today)):
        return found, (f"{found} is the day meant.",)
    later = clock is not None and clock > wall_now.time()
    if day is None:
        back = (
            int(later)
            if told.weekday is None
            else (today.weekday() - told.weekday) % 7 or (7 if later or "last " in told.said.lower() else 0)
        )
        found = today - timedelta(days=back)
        what = "No date was stated" if told.weekday is None else f"Only {found:%A} was stated"
        return found, (f"{what}: {found} is assumed, the nearest past one.",)
    if day.back is not None:
        found = today - timedelta(days=day.back)
        small_hours = told.part == "night" and day.back == 1 and clock is not None and clock.hour < DAWN
        return (found + timedelta(days=1) if small_hours else found), (f"{found} is the day meant.",)
    if day.year and day.month and day.day:
        found = date(day.year, day.month, day.day)
        notes: tuple[str, ...] = ()
        if told.weekday not in {None, found.weekday()}:
            notes = (f"{found} is a {found:%A}, not the weekday that was stated.",)
        return found, notes
    for back in range(96 if day.month else 12):  # a leap day may be eight years back
        year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
        if day.month in {None, month + 1} and day.day:
            try:
                found = date(year, month + 1, day.day)
            except ValueError:
                continue
            if found <= today:
                return found, (f"The {'year' if day.month else 'month'} was not stated: {found} is assumed, the nearest past one.",)
    message = f"no date fits {told.said.strip()!r}"
    raise SymptomError(message, "write it as 2025-02-06 14:32 JST")


def _of_whole(told: Told, today: date) -> date | None:
    """The day of "Tuesday last week", "the 6th of last month" or "Feb 6 last year"; null where the day is stated without it."""
    unit, back, day = told.whole[:-1], int(told.whole[-1]), told.day
    if unit == "week" and day is None:
        if told.weekday is None:
            message = f"{told.said.strip()!r} does not say which day"
            raise SymptomError(message, "write it as 2025-02-06 14:32 JST")
        return today + timedelta(days=told.weekday - today.weekday() - 7 * back)
    if day is None or day.back is not None or day.year or not day.day:
        return None
    try:
        if unit == "year" and day.month:
            return date(today.year - back, day.month, day.day)
        if unit == "month" and not day.month:
            year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
            return date(year, month + 1, day.day)
    except ValueError:
        raise impossible(told.said, "date") from None
    return None


def _week(point: Point, zone: Zone, setting: Setting, notes: tuple[str, ...]) -> Span:
    """A week of which no day was said, from its Monday."""
    today = setting.now.astimezone(zone.rules).date()
    monday = today - timedelta(days=today.weekday() + 7 * int(point.told.whole[-1]))
    start, kept, _ = in_utc(datetime.combine(monday, time()), zone)
    end = in_utc(datetime.combine(monday + timedelta(days=7), time()), zone)[0]
    return Span(start, end, f"the week from {monday} {zone.said}", kept, monday, timedelta(0), notes)


def _wall_clock(told: Told) -> tuple[time | None, int]:
    """The clock in 24 hours, helped by "in the afternoon"; and the days to add (24:00 is the next day)."""
    clock = told.clock
    if clock is None:
        return None, 0
    hour = clock.hour % 24
    first_hour, last_hour = _LATER_HOURS.get(told.part, (0, 0))
    if clock.half:
        hour = hour % NOON + NOON if clock.half == "p" and hour <= NOON else 0 if hour == NOON else hour
    elif first_hour <= hour < last_hour:
        hour += NOON
    elif clock.twelve and not told.part:
        raise which_half(told)
    return time(hour, clock.minute, clock.second or 0, clock.micro), int(clock.hour == 24)  # noqa: PLR2004 - the end of the day


def _resolved(point: Point, setting: Setting) -> Span:
    """The second, minute, hour, part of a day or day that a point names, in UTC."""
    told = point.told
    if told.instant:
        return _instant(told, told.instant, setting)
    zone, notes = _zone_of(told, setting)
    clock, days = _wall_clock(told)
    if clock is None and told.whole.startswith("week") and told.day is None and told.weekday is None:
        return _week(point, zone, setting, notes)
    begins = time(PART_HOURS[told.part][0]) if clock is None and told.part and not told.day else clock
    day, dated = _date_of(told, setting.now.astimezone(zone.rules).replace(tzinfo=None), begins)
    day += timedelta(days=days)
    name = zone.said.upper() if zone.said.isascii() and "/" not in zone.said and len(zone.said) <= 5 else zone.said  # noqa: PLR2004 - jst
    shown = zone_named(setting.option).name if setting.option and zone.numeric else None
    if clock is None or told.clock is None:
        first, last = PART_HOURS.get(told.part, (0, 24))
        midnight = datetime.combine(day, time())
        start, kept, odd = in_utc(midnight + timedelta(hours=first), zone)
        end = in_utc(midnight + timedelta(hours=last), zone)[0]
        says = f"{day} {name}" + (f", the {told.part}" if told.part else WHOLE_DAY)
        return Span(start, end, says, shown or kept, day, timedelta(0), (*notes, *dated, *odd))
    notes = (*notes, *bare_hour(told, clock))
    wall = datetime.combine(day, clock)
    start, kept, odd = in_utc(wall, zone)
    unit = told.clock.unit
    seconds = ":%S" if told.clock.second is not None else ""
    utc = start.strftime(f"%H:%M{seconds}Z" if start.date() == day else f"%Y-%m-%dT%H:%M{seconds}Z")
    says = f"{wall.strftime(f'%Y-%m-%d %H:%M{seconds}')} {name} ({utc})"
    slack = AROUND if unit is None else TOLERANCE if unit <= timedelta(minutes=1) else timedelta(0)
    return Span(start, start + (unit or timedelta(minutes=1)), says, shown or kept, day, slack, (*notes, *dated, *odd))


def _instant(told: Told, instant: datetime, setting: Setting) -> Span:
    """An epoch number or "two hours ago" needs no zone; a known one only says how it is shown."""
    known = setting.option or told.zone or setting.stated or setting.default
    name = zone_named(known).name if known else None if told.slack else "UTC"
    says = f"{told.said.strip()} ({iso(instant.replace(microsecond=0))})"
    second = timedelta(seconds=1)
    day = instant.astimezone(zone_named(known).rules if known else UTC).date()
    return Span(instant, instant + second, says, name, day, told.slack or TOLERANCE, ())


def _midnight(span: Span, setting: Setting, days: int = 0) -> datetime:
    """The start of the span's day in its zone, in UTC, or of a day after it."""
    rules = zone_named(span.zone or "UTC").rules
    day = (span.day or setting.now.astimezone(rules).date()) + timedelta(days=days)
    return datetime.combine(day, time(), rules).astimezone(UTC)


def _alone(point: Point, setting: Setting) -> Spoken:
    """What one point means by itself, as the words around it say."""
    told, marks = point.told, point.marks
    if told.recent:
        known = setting.option or setting.stated or setting.default
        now = setting.now.astimezone(UTC)
        window = Window(now - told.recent, now)
        says = f"{told.said.strip()}, until {iso(now.replace(microsecond=0))}"
        return Spoken(window, None, zone_named(known).name if known else None, says)
    span = _resolved(point, setting)
    moment = span.start if told.instant or (told.clock and told.clock.unit != timedelta(hours=1)) else None
    wide = AROUND if "around" in marks else timedelta(0)
    if marks & {"since", "worked"}:
        end, until = _open_end(point, span, setting)
        notes = span.notes
        if told.instant and span.start >= setting.now:  # "since just now"
            lately = Window(setting.now.astimezone(UTC) - LATELY, setting.now.astimezone(UTC))
            return Spoken(lately, None, span.zone, f"since {span.says}: within the hour before", notes)
        if "worked" in marks:
            notes = (*notes, f"It worked until {span.says}: the failure is taken to begin there.")
        return Spoken(Window(span.start - wide, end), None, span.zone, f"since {span.says.removesuffix(WHOLE_DAY)}, until {until}", notes)
    if marks & {"until", "before"}:
        word = "until" if "until" in marks else "before"
        end = span.end if "until" in marks else span.start
        start = _midnight(span, setting, 0 if _midnight(span, setting) < end else -1)
        return Spoken(Window(start, end + wide), None, span.zone, f"{word} {span.says}, from the start of the day", span.notes)
    before = after = wide or span.slack
    how = ", around" if moment and max(wide, span.slack) > TOLERANCE else ""
    if moment and "shortly after" in marks:
        after, how = SHORTLY, ", shortly after"
    elif moment and "shortly before" in marks:
        before, how = SHORTLY, ", shortly before"
    elif not moment:
        before = after = timedelta(0)
    if told.length:
        window = Window(span.start, span.start + told.length).widened(before, after)
        lasted = f", for {told.length.total_seconds() / 60:g} minutes"
        return Spoken(window, moment, span.zone, span.says + how + lasted, span.notes)
    return Spoken(Window(span.start, span.end).widened(before, after), moment, span.zone, span.says + how, span.notes)


def _open_end(point: Point, span: Span, setting: Setting) -> tuple[datetime, str]:
    """Where "since" ends: now, or the end of that day for a clock of an earlier (or coming) day."""
    now, end_of_day = setting.now.astimezone(UTC), _midnight(span, setting, 1)
    relative = point.told.instant or point.told.clock is None or (point.told.day and point.told.day.back is not None)
    if span.start < now and (relative or now <= end_of_day):
        return now, "now"
    return max(end_of_day, span.end), "the end of that day"


def _between(first: Point, second: Point, setting: Setting) -> Spoken:
    """From the one point to the other; what one of them lacks (day, zone, am or pm) it has from the other."""
    a, b = first.told, second.told
    a, b = a._replace(zone=a.zone or b.zone), b._replace(zone=b.zone or a.zone)
    if a.day is None and a.weekday is None and not b.part:
        a = a._replace(day=b.day, weekday=b.weekday)
    if a.clock and b.clock and b.clock.half and not a.clock.half and a.clock.hour <= NOON:
        a = _with_half(a, b, b.clock.half)
    elif a.clock and b.clock and a.clock.half and not b.clock.half and b.clock.hour < NOON:
        b = b._replace(clock=b.clock._replace(half="p" if (_wall_clock(a)[0] or time()) >= time(NOON) else "a"))
    start = _resolved(Point(a, ()), setting)
    follows = b.clock is not None and b.day is None and b.weekday is None
    if follows and start.day:
        b = b._replace(day=Day(start.day.year, start.day.month, start.day.day))
    end = _resolved(Point(b, ()), setting)
    if follows and end.start <= start.start:
        end = _resolved(Point(b._replace(day=_next(start.day)), ()), setting)
    whole = b.clock is None and not b.instant
    finish = end.end if whole or (b.clock and b.clock.unit == timedelta(hours=1)) or end.start == start.start else end.start
    if finish <= start.start:
        message = f"the span ends ({end.says}) before it starts ({start.says})"
        raise SymptomError(message, "write the earlier time first")
    finish += AROUND if "around" in second.marks else timedelta(0)
    begin = start.start - (AROUND if "around" in first.marks else timedelta(0))
    notes = tuple(dict.fromkeys((*start.notes, *(end.notes if not follows else ()))))
    return Spoken(
        Window(begin, finish),
        None,
        start.zone or end.zone,
        f"{start.says.removesuffix(WHOLE_DAY)} to {end.says.removesuffix(WHOLE_DAY)}",
        notes,
    )


def _with_half(a: Told, b: Told, half: str) -> Told:
    """The start with the am or pm of the end, unless it would then lie behind it ("from 11:30 to 1:30 pm")."""
    if a.clock is None:
        return a
    same = a._replace(clock=a.clock._replace(half=half))
    fits = (_wall_clock(same)[0] or time()) < (_wall_clock(b)[0] or time())
    return same if fits else a._replace(clock=a.clock._replace(half="a" if half == "p" else "p"))


def _next(day: date | None) -> Day | None:
    after = day + timedelta(days=1) if day else None
    return Day(after.year, after.month, after.day) if after else None
