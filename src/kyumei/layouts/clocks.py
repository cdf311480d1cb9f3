"""Casts for the ways in which programs write a time: with a zone, without one, and without a year.

A time with an offset is answered in UTC, all others as they stand; which of the two a record has is its ``_naive``. A year that is not
written is 2000, a leap year, so that 29 February is a date.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kyumei.layouts.casts import MONTHS, Cast, guarded, parse_iso, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

UTC_TIME, LOCAL_TIME, YEARLESS_TIME = 0, 1, 2
"""The values of ``_naive``; see ``contracts.Layout.read``."""

_YEAR = "[12][0-9][0-9][0-9]"
_HOURS = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_FRACTION = "(?:[.,][0-9]{1,9})?"
_DAY = rf"{_YEAR}-[0-9][0-9]-[0-9][0-9][T ]{_HOURS}{_FRACTION}"
_ZONE = "(?:Z| (?:UTC|GMT|JST)| ?[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])"
_NAMES = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"


# Names of zones that mean one thing only, and the space that some write before an offset.
_MEANT = ((" UTC", "Z"), (" GMT", "Z"), (" JST", "+09:00"), (" +", "+"), (" -", "-"))
_PLAIN = "replace({x}, ',', '.')"
for _written, _meant in _MEANT:
    _PLAIN = f"replace({_PLAIN}, '{_written}', '{_meant}')"


def parse_any_iso(raw: str) -> tuple[datetime, bool] | None:
    """An ISO time as logging libraries write it, with what may stand before its zone: ``2025-02-06 14:32:10,123 +0900``, ``... UTC``."""
    for written, meant in _MEANT:
        raw = raw.replace(written, meant)
    return parse_iso(raw)


def _iso_time(raw: str) -> datetime | None:
    parsed = parse_any_iso(raw)
    return parsed[0] if parsed else None


def _iso_naive(raw: str) -> int | None:
    parsed = parse_any_iso(raw)
    return None if parsed is None else UTC_TIME if parsed[1] else LOCAL_TIME


def _pattern_time(pattern: str) -> Callable[[str], datetime | None]:
    """A cast for a time with the named parts; a name of a month where there is ``name``, the year 2000 where there is no ``year``."""
    compiled = re.compile(pattern, re.ASCII)

    def cast(raw: str) -> datetime | None:
        found = compiled.fullmatch(raw)
        if not found:
            return None
        parts = found.groupdict()
        month = MONTHS.index(parts["name"]) + 1 if "name" in parts else int(parts["month"])
        hour, minute, second = (int(part) for part in parts["clock"].split(":"))
        micros = int((parts.get("fraction") or "0").ljust(6, "0")[:6])
        try:
            return datetime(int(parts.get("year") or 2000), month, int(parts["day"]), hour, minute, second, micros)  # noqa: DTZ001 - local, the store knows the zone
        except ValueError:
            return None

    return cast


_PART = r"(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?"
_NAMED = f"(?P<name>{'|'.join(MONTHS)})"

# Of a text in the shape of an ISO time: whether a zone is written. That is far cheaper than a second pattern.
_ZONED = "right({x}, 1) > '9' OR contains({x}, '+') OR contains(substr({x}, 20), '-')"
_FITS_ISO = f"regexp_full_match({{x}}, {quoted(f'{_DAY}{_ZONE}?')})"

ISO_TIME = Cast(
    "iso time with or without a zone",
    _iso_time,
    f"CASE WHEN NOT {_FITS_ISO} THEN NULL WHEN {_ZONED} THEN make_timestamp(epoch_us(TRY_CAST({_PLAIN} AS TIMESTAMPTZ))) "
    "ELSE TRY_CAST(replace({x}, ',', '.') AS TIMESTAMP) END",
)
TIME_NAIVE = Cast(
    "whether a text that is an iso time has a zone",
    _iso_naive,
    f"CASE WHEN {_ZONED} THEN {UTC_TIME} WHEN {{x}} IS NOT NULL THEN {LOCAL_TIME} END",
)
"""For a field that ``ISO_TIME`` takes, too: a text that is no time makes the record one for the exact reader anyhow."""
SLASHED_TIME = guarded(
    "slashed time",
    _pattern_time(rf"(?P<year>[0-9]{{4}})/(?P<month>[0-9]{{2}})/(?P<day>[0-9]{{2}}) (?:- )?{_PART}"),
    rf"{_YEAR}/[0-9][0-9]/[0-9][0-9] {_HOURS}(?:\.[0-9]{{1,9}})?",
    "TRY_CAST(replace({x}, '/', '-') AS TIMESTAMP)",
)
"""``2025/02/06 14:32:10``: the nginx error log and Go; Gin puts a dash before the hour."""
SYSLOG_TIME = guarded(
    "syslog time",
    _pattern_time(rf"{_NAMED} +(?P<day>[0-9]{{1,2}}) {_PART}"),
    f"{_NAMES} [ 0-9][0-9] {_HOURS}",
    "TRY_STRPTIME('2000 ' || {x}, '%Y %b %d %H:%M:%S')",
)
"""``Feb  6 05:32:10``, year-less."""
KLOG_TIME = guarded(
    "klog time",
    _pattern_time(rf"(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}}) {_PART}"),
    rf"[0-9]{{4}} {_HOURS}(?:\.[0-9]{{1,9}})?",
    "TRY_CAST('2000-' || {x}[1:2] || '-' || {x}[3:] AS TIMESTAMP)",
)
"""``0206 05:32:10.123456``, year-less, as Kubernetes and glog write it."""
SPACED_TIME = guarded(
    "common log time with a space and no zone",
    _pattern_time(rf"(?P<day>[0-9]{{2}})/{_NAMED}/(?P<year>[0-9]{{4}}) {_PART}"),
    f"[0-9][0-9]/{_NAMES}/{_YEAR} {_HOURS}",
    "TRY_STRPTIME({x}, '%d/%b/%Y %H:%M:%S')",
)
"""``06/Feb/2025 14:32:10``: werkzeug and Django."""
DASHED_TIME = guarded(
    "dashed time",
    _pattern_time(rf"(?P<day>[0-9]{{2}})-{_NAMED}-(?P<year>[0-9]{{4}}) {_PART}"),
    f"[0-9][0-9]-{_NAMES}-{_YEAR} {_HOURS}",
    "TRY_STRPTIME({x}, '%d-%b-%Y %H:%M:%S')",
)
"""``06-Feb-2025 14:32:10.123``: PHP and Tomcat."""
CTIME = guarded(
    "ctime",
    _pattern_time(rf"[A-Z][a-z]{{2}} {_NAMED} +(?P<day>[0-9]{{1,2}}) {_PART} (?P<year>[0-9]{{4}})"),
    f"[A-Z][a-z][a-z] {_NAMES} [ 0-9][0-9] {_HOURS} {_YEAR}",
    "TRY_STRPTIME(substr({x}, 5), '%b %d %H:%M:%S %Y')",
)
"""``Thu Feb  6 05:32:10 2025``: uWSGI."""


def _java_time(raw: str) -> datetime | None:
    found = re.fullmatch(
        rf"{_NAMED} (?P<day>[0-9]{{1,2}}), (?P<year>[0-9]{{4}}) (?P<hour>[0-9]{{1,2}})(?P<rest>:[0-9:]{{5}}) (?P<half>[AP]M)", raw
    )
    if not found:
        return None
    month = MONTHS.index(found["name"]) + 1
    return _twelve_hours(f"{found['year']}-{month:02}-{int(found['day']):02}T{int(found['hour']):02}{found['rest']} {found['half']}")


JAVA_TIME = Cast("time of java.util.logging", _java_time, "NULL::TIMESTAMP")
"""``Feb 06, 2025 2:32:10 PM``; so rare that only the exact reader knows it."""


def _twelve_hours(raw: str) -> datetime | None:
    stamp, _, rest = raw.partition(" ")
    half = rest.removesuffix(" UTC")
    parsed = parse_iso(stamp)
    if not parsed or parsed[1] or half not in {"AM", "PM"} or not 1 <= parsed[0].hour <= 12:  # noqa: PLR2004 - the hours of a clock face
        return None
    return parsed[0].replace(hour=0) + timedelta(hours=parsed[0].hour % 12 + (12 if half == "PM" else 0))


TWELVE_HOURS = Cast("iso time on a clock of twelve hours", _twelve_hours, "NULL::TIMESTAMP")
"""``2023-07-19T02:47:11 AM UTC``; so rare that only the exact reader knows it."""
