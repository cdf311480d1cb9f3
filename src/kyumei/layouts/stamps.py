"""Stamps: substrings that betray a time, so that lines outside a window are passed over without being parsed.

A stamp is a way to write a time. For a window it answers a short list of substrings, of which every record with a time in the window holds
at least one: the common beginnings of the written times, a minute long for windows up to forty minutes, ten minutes up to two hours, an
hour up to two days, a day beyond. Where all parts of something larger are wanted, the larger one stands for them: six times ten minutes are
the hour.
A hit too many costs time; a miss would lose a record. So when in doubt the answer is empty: no substring can tell.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kyumei.layouts.casts import MONTHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kyumei.model.window import Window

LIMIT = 48
"""More substrings than this for one stamp cost more than they save; the next larger grain is taken."""


class Stamp(NamedTuple):
    """A way to write a time; ``find(window, offsets)`` answers the substrings, none when no substring can tell."""

    name: str
    find: Callable[[Window, Sequence[timedelta]], tuple[str, ...]]


def substrings(stamps: Iterable[Stamp], window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """Substrings of which every record in the window, its time written in one of the ways, holds at least one.

    ``offsets`` are the zones to try, as differences from UTC; none means UTC. Empty when one of the stamps cannot tell.
    """
    found: set[str] = set()
    for stamp in stamps:
        texts = stamp.find(window, offsets or (timedelta(0),))
        if not texts:
            return ()
        found.update(texts)
    return tuple(sorted(text for text in found if not any(other != text and other in text for other in found)))


def in_utc(stamp: Stamp) -> Stamp:
    """The stamp in a log that always writes UTC, whatever zones are to be tried."""
    return Stamp(f"{stamp.name} in UTC", lambda window, _offsets: stamp.find(window, (timedelta(0),)))


# A span is (year,), (year, month), ... down to (year, month, day, hour, ten minutes, minute); its length is its grain.
_YEAR, _MONTH, _DAY, _HOUR, _TEN_MINUTES, _MINUTE = 1, 2, 3, 4, 5, 6
_STEP = {_DAY: timedelta(days=1), _HOUR: timedelta(hours=1), _TEN_MINUTES: timedelta(minutes=10), _MINUTE: timedelta(minutes=1)}
_ZERO = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_GRAINS = ((timedelta(minutes=40), _MINUTE), (timedelta(hours=2), _TEN_MINUTES), (timedelta(days=2), _HOUR))
"""The finest grain for windows up to so long."""


def _written(templates: tuple[tuple[str, ...], ...], window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """Substrings for a written time; ``templates`` hold the ways to write a span, from a year down to ten minutes; minutes follow."""
    finest = next((grain for length, grain in _GRAINS if window.length <= length), _DAY)
    templates = (*templates, tuple(one + "{i}" for one in templates[_TEN_MINUTES - 1]))
    touched = _touched(window, offsets, finest)
    for grain in range(finest, 0, -1):
        spans = _merged({span[:grain] for span in touched})
        texts = {_fill(template, span) for span in spans for template in templates[len(span) - 1]}
        if len(texts) <= LIMIT and all(templates[len(span) - 1] for span in spans):
            return tuple(sorted(texts))
    return ()


def _touched(window: Window, offsets: Sequence[timedelta], grain: int) -> set[tuple[int, ...]]:
    """The spans of days or finer that the window touches in any of the zones; none when there are far too many to list."""
    if window.length > timedelta(days=3700):
        return set()
    spans: set[tuple[int, ...]] = set()
    for offset in set(offsets):
        try:
            moment = window.start.astimezone(UTC).replace(tzinfo=None) + offset
            last = max(window.end.astimezone(UTC).replace(tzinfo=None) + offset - timedelta(microseconds=1), moment)
            moment -= (moment - _ZERO) % _STEP[grain]
            while moment <= last:
                spans.add((moment.year, moment.month, moment.day, moment.hour, moment.minute // 10, moment.minute % 10)[:grain])
                moment += _STEP[grain]
        except OverflowError:
            return set()
    return spans


def _merged(spans: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """The spans, where all parts of a larger one are there, replaced by the larger one."""
    for grain in range(_MINUTE, _YEAR, -1):
        parts: dict[tuple[int, ...], int] = {}
        for span in spans:
            if len(span) == grain:
                parts[span[:-1]] = parts.get(span[:-1], 0) + 1
        whole = {span for span, count in parts.items() if count == _parts_of(span)}
        spans = {span for span in spans if len(span) != grain or span[:-1] not in whole} | whole
    return spans


def _parts_of(span: tuple[int, ...]) -> int:
    """How many spans of the next finer grain the span has."""
    if len(span) == _MONTH:
        year, month = span
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    return {_YEAR: 12, _DAY: 24, _HOUR: 6, _TEN_MINUTES: 10}[len(span)]


def _fill(template: str, span: tuple[int, ...]) -> str:
    """The template with the parts of the span: year y, month m (its name: n), day d, hour h, tens of minutes t, minute i."""
    names = dict(zip("ymdhti", span, strict=False))
    return template.format(**names, n=MONTHS[names.get("m", 1) - 1])


def _epoch(window: Window, _offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """Decimal beginnings of the seconds since 1970; milliseconds and finer begin with the same digits."""
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    first = (window.start - zero) // timedelta(seconds=1)
    last = max((window.end - zero - timedelta(microseconds=1)) // timedelta(seconds=1), first)
    few = 8
    for step in (100, 1000, 10_000, 100_000, 1_000_000, 10_000_000):
        if last // step - first // step < few and len(str(first)) == len(str(last)) and first >= 10**8:
            return tuple(str(number) for number in range(first // step, last // step + 1))
    return ()


def _stamp(name: str, *templates: tuple[str, ...]) -> Stamp:
    return Stamp(name, partial(_written, templates))


ISO = _stamp(
    "iso",
    ("{y:04}-",),
    ("{y:04}-{m:02}-",),
    ("{y:04}-{m:02}-{d:02}T",),
    ("{y:04}-{m:02}-{d:02}T{h:02}:",),
    ("{y:04}-{m:02}-{d:02}T{h:02}:{t}",),
)
"""``2025-02-06T05:32:10Z``."""
ISO_SPACE = _stamp(
    "iso with a space",
    ("{y:04}-",),
    ("{y:04}-{m:02}-",),
    ("{y:04}-{m:02}-{d:02} ",),
    ("{y:04}-{m:02}-{d:02} {h:02}:",),
    ("{y:04}-{m:02}-{d:02} {h:02}:{t}",),
)
"""``2025-02-06 05:32:10``."""
SLASHED = _stamp(
    "slashed",
    ("{y:04}/",),
    ("{y:04}/{m:02}/",),
    ("{y:04}/{m:02}/{d:02} ",),
    ("{y:04}/{m:02}/{d:02} {h:02}:",),
    ("{y:04}/{m:02}/{d:02} {h:02}:{t}",),
)
"""``2025/02/06 05:32:10``, as the nginx error log writes."""
COMMON = _stamp(
    "common log",
    ("/{y:04}:",),
    ("/{n}/{y:04}:",),
    ("{d:02}/{n}/{y:04}:",),
    ("{d:02}/{n}/{y:04}:{h:02}:",),
    ("{d:02}/{n}/{y:04}:{h:02}:{t}",),
)
"""``06/Feb/2025:14:32:10``, whatever follows."""


def _with_zone(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """The substrings of COMMON, each beside the zone in which it lies in the window."""
    found: list[str] = []
    for offset in offsets:
        sign, minutes = "-" if offset < timedelta(0) else "+", abs(offset) // timedelta(minutes=1)
        texts = COMMON.find(window, (offset,))
        if not texts:
            return ()
        found += [f"{text}\n {sign}{minutes // 60:02}{minutes % 60:02}" for text in texts]
    return tuple(found)


ZONED_COMMON = Stamp("common log with a zone", _with_zone)
"""``06/Feb/2025:14:32:10 +0900``, where no time stands without its zone."""
SYSLOG = _stamp(
    "syslog",
    (),
    ("{n} ",),
    ("{n} {d:2} ", "{n} {d} ", "{n} {d:02} "),
    ("{n} {d:2} {h:02}:", "{n} {d} {h:02}:", "{n} {d:02} {h:02}:"),
    ("{n} {d:2} {h:02}:{t}", "{n} {d} {h:02}:{t}", "{n} {d:02} {h:02}:{t}"),
)
"""``Feb  6 05:32:10``; daemons that do not pad the day, or pad it with a zero, are met too. There is no year."""
APACHE = _stamp("apache error", (), ("{n} ",), ("{n} {d:02} ",), ("{n} {d:02} {h:02}:",), ("{n} {d:02} {h:02}:{t}",))
"""``Thu Feb 06 05:32:10.123456 2025``, from the month on."""
EPOCH = Stamp("epoch", _epoch)
"""Seconds, milliseconds or finer since 1970, as digits."""
