"""Writes times for people: in the zone of the person who asked, with UTC beside it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2}):?([0-9]{2})?", re.ASCII)
_DAY = timedelta(days=1)


@cache
def zone_of(name: str | None) -> tzinfo:
    """The zone of an IANA name or a fixed offset (``+09:00``); UTC where there is none or it is not known."""
    if not name:
        return UTC
    found = _OFFSET.fullmatch(name)
    if found:
        size = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        return timezone(-size if found[1] == "-" else size) if size < _DAY else UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return UTC


def in_zone(moment: datetime, zone: str | None) -> datetime:
    """The moment in the zone; as it is where the zone would carry it over the end of the calendar."""
    try:
        return moment.astimezone(zone_of(zone))
    except OverflowError:
        return moment


def _clock(moment: datetime) -> str:
    """``14:32``, with seconds only where it has them."""
    return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")


def shown_moment(moment: datetime, zone: str | None) -> str:
    """``2025-02-06 14:32:10 JST (05:32:10 UTC)``; the date is repeated where it differs in UTC."""
    utc = moment.astimezone(UTC)
    local = in_zone(moment, zone)
    seen = f"{local:%Y-%m-%d} {local:%H:%M:%S}{_fraction(local)} {local.tzname()}"
    if local.utcoffset() == timedelta(0):
        return seen
    date = "" if utc.date() == local.date() else f"{utc:%Y-%m-%d} "
    return f"{seen} ({date}{utc:%H:%M:%S}{_fraction(utc)} UTC)"


def _fraction(moment: datetime) -> str:
    """``.123`` where the moment has a fraction of a second."""
    return f".{moment.microsecond // 1000:03d}" if moment.microsecond else ""


def shown_span(start: datetime, end: datetime, zone: str | None) -> str:
    """``2025-02-06 14:22 to 14:42 JST (05:22 to 05:42 UTC)``; dates are repeated where they differ."""
    local_start, local_end = in_zone(start, zone), in_zone(end, zone)
    seen = f"{local_start:%Y-%m-%d} {_clock(local_start)} to {_after(local_start, local_end)} {local_end.tzname()}"
    if local_start.utcoffset() == timedelta(0) == local_end.utcoffset():
        return seen
    utc_start, utc_end = start.astimezone(UTC), end.astimezone(UTC)
    date = "" if utc_start.date() == local_start.date() else f"{utc_start:%Y-%m-%d} "
    return f"{seen} ({date}{_clock(utc_start)} to {_after(utc_start, utc_end)} UTC)"


def _after(start: datetime, end: datetime) -> str:
    """The end of a span, with its date only where that differs from the start's."""
    return _clock(end) if start.date() == end.date() else f"{end:%Y-%m-%d} {_clock(end)}"
