"""Casts for the times of database logs: PostgreSQL's with the word of a zone, MySQL's of all versions.

PostgreSQL prints the abbreviation of ``log_timezone``, or a number of hours where the zone has none. An abbreviation that only one zone of
today has is taken for that; one that means several (``CST`` is Chicago and Shanghai, ``IST`` India, Israel and Ireland), and one unknown,
leave a local time.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from kyumei.layouts.casts import Cast, parse_epoch, parse_iso, quoted
from kyumei.layouts.clocks import LOCAL_TIME, UTC_TIME
from kyumei.layouts.stamps import ISO, ISO_SPACE, Stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.model.window import Window

ZONES = {
    **dict.fromkeys(("UTC", "GMT", "UCT", "Z", "WET"), 0),
    **dict.fromkeys(("CET", "MET", "WEST", "BST", "WAT"), 60),
    **dict.fromkeys(("CEST", "MEST", "EET", "SAST", "CAT"), 120),
    **dict.fromkeys(("EEST", "MSK", "EAT"), 180),
    "PKT": 300,
    "WIB": 420,
    **dict.fromkeys(("HKT", "AWST"), 480),
    **dict.fromkeys(("JST", "KST"), 540),
    "ACST": 570,
    "AEST": 600,
    "ACDT": 630,
    "AEDT": 660,
    "NZST": 720,
    "NZDT": 780,
    "EDT": -240,
    **dict.fromkeys(("EST", "CDT"), -300),
    "MDT": -360,
    **dict.fromkeys(("MST", "PDT"), -420),
    **dict.fromkeys(("PST", "AKDT"), -480),
    "AKST": -540,
    "HST": -600,
}
"""Minutes east of UTC."""
ZONE = r"(?:[A-Z]{1,6}|[+-][0-9]{2}(?:[0-9]{2})?|<[+-][0-9]{2}(?:[0-9]{2})?>)"
"""A pattern of what PostgreSQL writes for a zone."""
_DATE = "[12][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_NUMERIC = re.compile(r"<?([+-])([0-9]{2})([0-9]{2})?>?", re.ASCII)


def _zone(word: str) -> int | None:
    """Minutes east of UTC; null where the word does not tell."""
    found = _NUMERIC.fullmatch(word)
    if not found:
        return ZONES.get(word)
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    return -minutes if found[1] == "-" else minutes


def _postgres(raw: str) -> tuple[datetime, int] | None:
    """The time, and whether it is UTC or local."""
    epoch = parse_epoch(raw)
    if epoch:
        return epoch, UTC_TIME
    written, _, zone = raw.rpartition(" ")
    parsed = parse_iso(written)
    if not parsed or parsed[1]:
        return None
    east = _zone(zone)
    try:
        return (parsed[0], LOCAL_TIME) if east is None else (parsed[0] - timedelta(minutes=east), UTC_TIME)
    except OverflowError:
        return None


def _first(raw: str) -> datetime | None:
    found = _postgres(raw)
    return found[0] if found else None


def _second(raw: str) -> int | None:
    found = _postgres(raw)
    return found[1] if found else None


_WORDS = "".join(f" WHEN {quoted(word)} THEN {minutes}" for word, minutes in ZONES.items() if word not in {"UTC", "GMT"})
_SPLIT = "string_split({x}, ' ')"
_WRITTEN = rf"{_DATE} {_CLOCK}(?:\.[0-9]{{1,6}})? [A-Z]{{1,6}}"
_FITS = f"regexp_full_match({{x}}, {quoted(_WRITTEN)})"
POSTGRES_TIME = Cast(
    "time with the word of a zone",
    _first,
    f"CASE WHEN NOT {_FITS} THEN NULL WHEN ends_with({{x}}, ' UTC') OR ends_with({{x}}, ' GMT') THEN TRY_CAST({{x}}[1:-5] AS TIMESTAMP) "
    f"ELSE TRY_CAST({_SPLIT}[1] || ' ' || {_SPLIT}[2] AS TIMESTAMP) - to_minutes(CASE {_SPLIT}[3]{_WORDS} ELSE 0 END) END",
)
POSTGRES_NAIVE = Cast(
    "whether the zone's word tells the zone",
    _second,
    f"CASE WHEN ends_with({{x}}, ' UTC') OR {_SPLIT}[3] IN ({', '.join(map(quoted, ZONES))}) THEN {UTC_TIME} "
    f"WHEN {{x}} IS NOT NULL THEN {LOCAL_TIME} END",
)
"""For a text that ``POSTGRES_TIME`` takes, too."""

_MYSQL = re.compile(
    r"(?:([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{2})([0-9]{2})([0-9]{2})) {1,2}([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?",
    re.ASCII,
)
_CENTURY = 70


def _mysql(raw: str) -> tuple[datetime, int] | None:
    """The time, and whether it is UTC or local."""
    parsed = parse_iso(raw)
    if parsed:
        return parsed[0], UTC_TIME if parsed[1] else LOCAL_TIME
    found = _MYSQL.fullmatch(raw)
    if not found:
        return None
    long_year, *long_date, short_year, short_month, short_day, hour, minute, second, fraction = found.groups()
    month, day = long_date if long_year else (short_month, short_day)
    year = int(long_year) if long_year else int(short_year) + (2000 if int(short_year) < _CENTURY else 1900)
    try:
        return datetime(year, int(month), int(day), int(hour), int(minute), int(second), int((fraction or "0").ljust(6, "0"))), LOCAL_TIME  # noqa: DTZ001 - local, the store knows the zone
    except ValueError:
        return None


def _mysql_time(raw: str) -> datetime | None:
    found = _mysql(raw)
    return found[0] if found else None


def _mysql_naive(raw: str) -> int | None:
    found = _mysql(raw)
    return found[1] if found else None


_MYSQL_ISO = rf"{_DATE}T{_CLOCK}(?:\.[0-9]{{1,6}})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
_MYSQL_LONG = rf"{_DATE} {_CLOCK}"
_MYSQL_SHORT = "[0-6][0-9][01][0-9][0-3][0-9] (?:[ 01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
MYSQL_TIME = Cast(
    "time of a MySQL log",
    _mysql_time,
    f"CASE WHEN regexp_full_match({{x}}, {quoted(_MYSQL_ISO)}) THEN CASE WHEN ends_with({{x}}, 'Z') "
    "THEN TRY_CAST({x}[1:-2] AS TIMESTAMP) ELSE make_timestamp(epoch_us(TRY_CAST({x} AS TIMESTAMPTZ))) END "
    f"WHEN regexp_full_match({{x}}, {quoted(_MYSQL_LONG)}) THEN TRY_CAST({{x}} AS TIMESTAMP) "
    f"WHEN regexp_full_match({{x}}, {quoted(_MYSQL_SHORT)}) THEN "
    "TRY_CAST('20' || {x}[1:2] || '-' || {x}[3:4] || '-' || {x}[5:6] || ' ' || replace({x}[8:], ' ', '0') AS TIMESTAMP) END",
)
"""``2025-02-06T05:32:10.123456Z`` from 5.7 on; ``2025-02-06  5:32:10`` and ``250206  5:32:10``, both local, before and by MariaDB."""
MYSQL_NAIVE = Cast(
    "whether a time of a MySQL log has a zone",
    _mysql_naive,
    f"CASE WHEN contains({{x}}, 'T') THEN {UTC_TIME} WHEN {{x}} IS NOT NULL THEN {LOCAL_TIME} END",
)
"""For a text that ``MYSQL_TIME`` takes, too."""

_EVERYWHERE = tuple(timedelta(minutes=minutes) for minutes in sorted(set(ZONES.values()) | {-180, 210, 240, 270, 330, 345, 390, 570}))


def _any_zone(stamp: Stamp, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    return stamp.find(window, [*offsets, *_EVERYWHERE])


POSTGRES_STAMP = Stamp("iso with a space in any zone", partial(_any_zone, ISO_SPACE))
"""The zone is written as a word, which nobody looks for beforehand: so every zone is tried."""


def _short(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """``250206  5:3``, the hour padded by a blank or a zero, and the same with a long year, from the ISO beginnings."""
    found: set[str] = set()
    for text in ISO.find(window, offsets):
        date, _, clock = text.partition("T")
        hour = f"{int(clock[:2]):2}{clock[2:]}" if clock[:2] else ""
        found |= {f"{written} {one}" for written in (date, date[2:].replace("-", "")) for one in (clock, hour)} if clock else set()
        if not clock:
            return ()
    return tuple(sorted(found))


SHORT = Stamp("short date", _short)
"""``250206  5:32:10`` and ``2025-02-06  5:32:10``, as MySQL before 5.7 and MariaDB write."""


def _joined(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """``20250206 05:3``, from the ISO beginnings."""
    found = ISO.find(window, offsets)
    return tuple(text.replace("-", "").replace("T", " ") for text in found) if all("T" in text for text in found) else ()


AUDIT = Stamp("date in one word", _joined)
"""``20250206 05:32:10``, as audit plugins write."""
