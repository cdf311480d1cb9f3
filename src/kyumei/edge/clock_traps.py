"""Traps of clocks and zones that could spoil a verdict, as warnings (EDGE-120 to EDGE-127).

Pure: from what the correlation found out about the clocks of a case, the sentences that a reader must know. A warning is no cause: it says
how far the order of events may be trusted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kyumei.model.window import Window

QUARTER = 900
"""Zones differ by multiples of 15 minutes."""
SNAP = 5
"""Seconds by which a measured difference may miss such a multiple and still be a zone."""
GROWING = 2
"""Seconds by which the skew of one clock must change within a case before it counts as a drift."""
AWS_TABLES = frozenset({"alb_access", "alb_connection", "clb_access", "nlb_access", "cloudfront_access", "waf", "alb_health_check"})
"""Logs that AWS writes in UTC."""
YEARLESS = frozenset({"syslog"})
ARRIVAL = {"clb_access": "when the request arrived", "apache_access": "when the request arrived"}
"""Tables whose time is not that of the answer."""
END = frozenset({"nginx_access"})
"""Tables whose line is written when the request is done, and that need not tell how long it took."""
NAMED = 3


class LogClock(NamedTuple):
    """What is known of the clock of one log.

    ``zone`` is ``UTC``, ``+09:00`` or a name such as ``Europe/Berlin``; ``source`` says how it is known: ``written`` (in the log itself),
    ``told``, ``inner``, ``matched`` or ``assumed``. ``skews`` are measured differences from AWS's clocks: (when, seconds ahead).
    ``yearless`` and ``dayless`` say that the log writes no year, or a day and month of which either may come first.
    """

    file: str
    table: str
    zone: str
    source: str
    skews: tuple[tuple[datetime, float], ...] = ()
    yearless: bool = False
    dayless: bool = False
    has_durations: bool = True


class ClockWarning(NamedTuple):
    """One trap that is open in this case: its id of the knowledge base, what to know, and the files that it concerns."""

    code: str
    says: str
    files: tuple[str, ...] = ()


def clock_warnings(clocks: Iterable[LogClock], window: Window) -> tuple[ClockWarning, ...]:
    """The warnings for the clocks of a case around a window, each trap once, in the order of their ids."""
    known = sorted(clocks, key=lambda one: (one.table, one.file))
    found = (
        _shifted_aws(known),
        _inferred(known),
        _ends(known),
        _arrivals(known),
        *_changes(known, window),
        _zone_errors(known),
        _drifts(known),
        _dates(known, window),
    )
    return tuple(one for one in found if one is not None)


def _files(clocks: Sequence[LogClock]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.file for one in clocks))


def _named(clocks: Sequence[LogClock]) -> str:
    files = _files(clocks)
    return ", ".join(files[:NAMED]) + (f" and {len(files) - NAMED} more" if len(files) > NAMED else "")


def _shifted_aws(clocks: Sequence[LogClock]) -> ClockWarning | None:
    """EDGE-120: a log that AWS writes in UTC was told to keep another zone."""
    odd = [one for one in clocks if one.table in AWS_TABLES and one.zone not in {"UTC", "+00:00"}]
    if not odd:
        return None
    says = f"{_named(odd)}: AWS writes this log in UTC, yet it is read as {odd[0].zone}; take that zone out of case.toml"
    return ClockWarning("EDGE-120", says, _files(odd))


def _inferred(clocks: Sequence[LogClock]) -> ClockWarning | None:
    """EDGE-121: logs without a zone, whose zone was assumed and not found."""
    odd = [one for one in clocks if one.source == "assumed"]
    if not odd:
        return None
    zones = ", ".join(sorted({one.zone for one in odd}))
    says = f"{_named(odd)}: the log writes no zone and {zones} is assumed; were it another, its lines would lie whole hours off"
    return ClockWarning("EDGE-121", says, _files(odd))


def _ends(clocks: Sequence[LogClock]) -> ClockWarning | None:
    """EDGE-122: a line is written at the end of a request, and nothing tells when that began."""
    odd = [one for one in clocks if one.table in END and not one.has_durations]
    if not odd:
        return None
    says = f"{_named(odd)}: lines are written when a request is done and do not say how long it took, so when it began is not known"
    return ClockWarning("EDGE-122", says, _files(odd))


def _arrivals(clocks: Sequence[LogClock]) -> ClockWarning | None:
    """EDGE-123: times of arrival beside times of answers."""
    odd = [one for one in clocks if one.table in ARRIVAL]
    if not odd or not any(one.table not in ARRIVAL for one in clocks):
        return None
    says = (
        f"{_named(odd)}: the time is {ARRIVAL[odd[0].table]}, while other logs write when they answered: a long request lies apart in them"
    )
    return ClockWarning("EDGE-123", says, _files(odd))


def _changes(clocks: Sequence[LogClock], window: Window) -> list[ClockWarning]:
    """EDGE-124: the clocks of a zone were put forward or back within a day of the window."""
    found = []
    for name in sorted({one.zone for one in clocks if "/" in one.zone}):
        moment = _change(name, window.start - timedelta(days=1), window.end + timedelta(days=1))
        if moment is None:
            continue
        odd = [one for one in clocks if one.zone == name]
        before, after = (_offset(name, moment + step) for step in (timedelta(minutes=-1), timedelta(0)))
        what = "skips an hour" if after > before else "has an hour twice"
        says = f"{_named(odd)}: {name} changed its clocks at {moment:%Y-%m-%d %H:%M} UTC, local time {what} there; go by the order of lines"
        found.append(ClockWarning("EDGE-124", says, _files(odd)))
    return found


def _change(name: str, start: datetime, end: datetime) -> datetime | None:
    """The moment (UTC, to the minute) at which a zone's difference from UTC changes in [start, end); null if none or no such zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None
    low = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while low < end:
        high = min(low + timedelta(hours=6), end.astimezone(UTC))
        if _offset(name, low) != _offset(name, high):
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if _offset(name, middle) == _offset(name, low) else (low, middle)
            return high.replace(second=0, microsecond=0)
        low += timedelta(hours=6)
    return None


def _offset(name: str, moment: datetime) -> timedelta:
    return moment.astimezone(ZoneInfo(name)).utcoffset() or timedelta(0)


def _zone_errors(clocks: Sequence[LogClock]) -> ClockWarning | None:
    """EDGE-125: a clock that is off by a multiple of 15 minutes keeps another zone than was taken for it."""
    odd = [one for one in clocks if one.skews and all(_is_zone(seconds) for _, seconds in one.skews)]
    if not odd:
        return None
    seconds = odd[0].skews[0][1]
    says = (
        f"{_named(odd)}: the clock is {abs(seconds) / 3600:g} h {'ahead' if seconds > 0 else 'behind'}: that is a wrong zone and no drift"
    )
    return ClockWarning("EDGE-125", says, _files(odd))


def _is_zone(seconds: float) -> bool:
    nearest = round(seconds / QUARTER) * QUARTER
    return nearest != 0 and abs(seconds - nearest) <= SNAP


def _drifts(clocks: Sequence[LogClock]) -> ClockWarning | None:
    """EDGE-126: a clock that runs fast or slow, the more so if the difference grows."""
    odd = [one for one in clocks if one.skews and not all(_is_zone(seconds) or seconds == 0 for _, seconds in one.skews)]
    if not odd:
        return None
    parts = []
    for one in odd[:NAMED]:
        ordered = [seconds for _, seconds in sorted(one.skews)]
        grows = len(ordered) > 1 and abs(ordered[-1]) - abs(ordered[0]) >= GROWING
        last = ordered[-1]
        parts.append(f"{one.file} is {abs(last):g} s {'ahead' if last > 0 else 'behind'}{' and drifts further' if grows else ''}")
    says = f"{'; '.join(parts)}: the host's clock is not kept by NTP (chronyc tracking), and requests that it signs may be refused"
    return ClockWarning("EDGE-126", says, _files(odd))


def _dates(clocks: Sequence[LogClock], window: Window) -> ClockWarning | None:
    """EDGE-127: dates that can be read in two ways: no year near New Year, or day and month that may change places."""
    new_year = any((moment.month, moment.day) in {(12, 31), (1, 1), (12, 30), (1, 2)} for moment in (window.start, window.end))
    odd = [one for one in clocks if one.dayless or ((one.yearless or one.table in YEARLESS) and new_year)]
    if not odd:
        return None
    what = "day and month may be taken for each other" if odd[0].dayless else "it writes no year, and the year changes there"
    return ClockWarning("EDGE-127", f"{_named(odd)}: {what}; check the date against the file's name or its last change", _files(odd))
