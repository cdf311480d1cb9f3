"""Which zone a person means: abbreviations, IANA names, offsets, and the abbreviations that mean two things.

An abbreviation states an offset ("PST" is UTC-8 in July as well); an IANA name states the rules of a place. Where one abbreviation is in
use in several places it is refused, and the message names the places: a wrong guess would look for the failure hours away.
The offsets and places are those of the IANA time zone database.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kyumei.diagnose.spoken_cities import CITIES, PLACES_IN_WORDS
from kyumei.diagnose.spoken_names import listed
from kyumei.errors import SymptomError

if TYPE_CHECKING:
    from datetime import tzinfo

ASK = "say the zone with the time (14:32 JST, 14:32+09:00) or give --zone Asia/Tokyo"

OFFSETS: dict[str, tuple[float, str]] = {
    "UTC": (0, "UTC"),
    "Z": (0, "UTC"),
    "GMT": (0, "GMT"),
    "JST": (9, "Asia/Tokyo"),
    "KST": (9, "Asia/Seoul"),
    "HKT": (8, "Asia/Hong_Kong"),
    "SGT": (8, "Asia/Singapore"),
    "PHT": (8, "Asia/Manila"),
    "AWST": (8, "Australia/Perth"),
    "ICT": (7, "Asia/Bangkok"),
    "WIB": (7, "Asia/Jakarta"),
    "NPT": (5.75, "Asia/Kathmandu"),
    "PKT": (5, "Asia/Karachi"),
    "MSK": (3, "Europe/Moscow"),
    "EAT": (3, "Africa/Nairobi"),
    "EET": (2, "Europe/Athens"),
    "EEST": (3, "Europe/Athens"),
    "CAT": (2, "Africa/Maputo"),
    "SAST": (2, "Africa/Johannesburg"),
    "CET": (1, "Europe/Paris"),
    "MEZ": (1, "Europe/Berlin"),
    "MESZ": (2, "Europe/Berlin"),
    "CEST": (2, "Europe/Paris"),
    "WAT": (1, "Africa/Lagos"),
    "WET": (0, "Europe/Lisbon"),
    "WEST": (1, "Europe/Lisbon"),
    "BRT": (-3, "America/Sao_Paulo"),
    "ART": (-3, "America/Argentina/Buenos_Aires"),
    "NDT": (-2.5, "America/St_Johns"),
    "ADT": (-3, "America/Halifax"),
    "EDT": (-4, "America/New_York"),
    "EST": (-5, "America/New_York"),
    "CDT": (-5, "America/Chicago"),
    "MDT": (-6, "America/Denver"),
    "MST": (-7, "America/Denver"),
    "PDT": (-7, "America/Los_Angeles"),
    "PST": (-8, "America/Los_Angeles"),
    "AKDT": (-8, "America/Anchorage"),
    "AKST": (-9, "America/Anchorage"),
    "HST": (-10, "Pacific/Honolulu"),
    "AEST": (10, "Australia/Sydney"),
    "AEDT": (11, "Australia/Sydney"),
    "ACST": (9.5, "Australia/Adelaide"),
    "ACDT": (10.5, "Australia/Adelaide"),
    "NZST": (12, "Pacific/Auckland"),
    "NZDT": (13, "Pacific/Auckland"),
}
"""Abbreviation to hours from UTC and to the place whose name the zone gets."""

PLACES = {
    **PLACES_IN_WORDS,
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
    "japan standard time": "Asia/Tokyo",
    "japan time": "Asia/Tokyo",
    "tokyo time": "Asia/Tokyo",
    "日本標準時": "Asia/Tokyo",
    "日本時間": "Asia/Tokyo",
    "東京時間": "Asia/Tokyo",
    "協定世界時": "UTC",
    "coordinated universal time": "UTC",
    "eastern time": "America/New_York",
    "central time": "America/Chicago",
    "mountain time": "America/Denver",
    "pacific time": "America/Los_Angeles",
    "korea standard time": "Asia/Seoul",
    "singapore time": "Asia/Singapore",
    "london time": "Europe/London",
    "new york time": "America/New_York",
}
"""Words that name a place, with whatever offset the place keeps on that day."""

AMBIGUOUS: dict[str, tuple[str, ...]] = {
    "AMT": ("America/Manaus", "Asia/Yerevan"),
    "AST": ("America/Halifax", "Asia/Riyadh"),
    "BST": ("Europe/London", "Asia/Dhaka"),
    "CST": ("Asia/Shanghai", "America/Chicago", "America/Havana"),
    "ECT": ("America/Guayaquil", "America/Puerto_Rico"),
    "GST": ("Asia/Dubai", "Atlantic/South_Georgia"),
    "IST": ("Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"),
    "SST": ("Pacific/Pago_Pago", "Asia/Singapore"),
}
"""Abbreviations that are refused, with the places that use them (Shanghai or Chicago or Havana for CST)."""

COMMON = frozenset(
    listed("UTC GMT JST KST HKT SGT MSK CET CEST MEZ MESZ EET EEST EST EDT CST CDT MST MDT PST PDT IST BST AEST AEDT NZST NZDT")
)
"""Abbreviations that stand for a zone wherever they are in a text; the rest are words as well ("EAT", "WEST") and must follow a time."""

NORTH_AMERICAN = {"EST", "EDT", "CDT", "MST", "PST"}
"""Also in use elsewhere (EST in Australia, CDT in Cuba, MST in Malaysia, PST in the Philippines), but commonly American: taken so, and
noted."""

_AREAS = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc|US"
IANA = rf"(?:{_AREAS})/[A-Z][A-Za-z0-9_+-]{{1,30}}(?:/[A-Z][A-Za-z_-]{{1,30}})?"
_IANA = re.compile(rf"{IANA}", re.IGNORECASE | re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)? ?([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE | re.ASCII)


class Zone(NamedTuple):
    """A zone as somebody said it. ``offset`` is null where only a place is known, and then the rules of the place say the offset."""

    name: str
    said: str
    offset: timedelta | None
    numeric: bool = False
    """Whether an offset or a Z was written, which fixes the instant on its own."""

    @property
    def rules(self) -> tzinfo:
        """How a wall clock in this zone becomes UTC."""
        if self.offset is not None:
            return UTC if not self.offset else timezone(self.offset)
        return ZoneInfo(self.name)


def offset_name(offset: timedelta) -> str:
    """The offset as ``+09:00``."""
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def offset_from(said: str) -> timedelta | None:
    """``+09:00``, ``+0900``, ``UTC+9`` or ``-08`` as a difference from UTC; null where no place on earth keeps it."""
    found = _OFFSET.fullmatch(said)
    if not found:
        return None
    hours, minutes = int(found[2]), int(found[3] or 0)
    size = timedelta(hours=hours, minutes=minutes)
    sound = minutes in {0, 15, 30, 45} and size <= timedelta(hours=12 if found[1] == "-" else 14)
    return (-size if found[1] == "-" else size) if sound else None


def zone_named(said: str, likely: str | None = None) -> Zone:
    """The zone that ``said`` names. ``likely`` (a zone known otherwise) settles an abbreviation that is used there and elsewhere.

    >>> zone_named("JST").name, zone_named("GMT+9").name, zone_named("europe/paris").name
    ('Asia/Tokyo', '+09:00', 'Europe/Paris')
    """
    said = said.strip()
    upper = said.upper()
    if upper in AMBIGUOUS:
        choices = AMBIGUOUS[upper]
        if likely in choices:
            return Zone(_place(str(likely)), said, None)
        message = f"the zone {said!r} is ambiguous: it may be {' or '.join(choices)}"
        raise SymptomError(message, f"give --zone {' or '.join(choices)}")
    if upper in OFFSETS:
        hours, place = OFFSETS[upper]
        return Zone(place, said, timedelta(hours=hours), numeric=upper == "Z")
    place_name = PLACES.get(upper) or PLACES.get(said.lower()) or CITIES.get(said.lower())
    if place_name:
        return Zone(place_name, said, timedelta(0)) if place_name == "UTC" else Zone(_place(place_name), said, None)
    if _OFFSET.fullmatch(said):
        offset = offset_from(said)
        if offset is None:
            message = f"no zone has the offset {said!r}"
            raise SymptomError(message, ASK)
        return Zone(offset_name(offset) if offset else "UTC", said, offset, numeric=True)
    return Zone(_place(said), said, None)


def _place(said: str) -> str:
    """The IANA name in the database's own spelling; only a plausible name is ever looked up."""
    if _IANA.fullmatch(said) or re.fullmatch(r"[A-Z][A-Za-z]{2,20}", said, re.ASCII):
        for name in (said, said.title()):
            try:
                return ZoneInfo(name).key
            except (ZoneInfoNotFoundError, OSError, ValueError):  # OSError: a folder of the database, such as "America"
                continue
    message = f"there is no zone {said[:80]!r}"
    raise SymptomError(message, "use an IANA name such as Asia/Tokyo, an offset such as +09:00, or UTC")


def in_utc(wall: datetime, zone: Zone) -> tuple[datetime, str, tuple[str, ...]]:
    """A naive wall-clock time as (time in UTC, name of the zone that fits it, notes about what is odd).

    A time that a change of the clocks leaves out is read with the offset before the change, one that happens twice as the first.
    """
    rules = zone.rules
    moment = wall.replace(tzinfo=rules).astimezone(UTC)
    if zone.offset is not None:
        return moment, *_name_that_fits(wall, zone)
    second = wall.replace(tzinfo=rules, fold=1).astimezone(UTC)
    stated = f"{wall:%Y-%m-%d %H:%M}"
    if moment.astimezone(rules).replace(tzinfo=None) != wall:
        note = f"{stated} does not exist in {zone.name}: the clocks were put forward; read as {moment:%Y-%m-%d %H:%MZ}."
        return moment, zone.name, (note,)
    if second != moment:
        note = f"{stated} happens twice in {zone.name}: read as the first, {moment:%H:%MZ}; the second is {second:%H:%MZ}."
        return moment, zone.name, (note,)
    return moment, zone.name, ()


def _name_that_fits(wall: datetime, zone: Zone) -> tuple[str, tuple[str, ...]]:
    """The place of an abbreviation if its clocks kept that offset then; else the offset itself, and a note."""
    offset = zone.offset or timedelta(0)
    notes: list[str] = []
    said = zone.said.upper()
    if zone.numeric or said not in OFFSETS or zone.name in {"UTC", "GMT"}:
        return zone.name, ()
    if said in NORTH_AMERICAN:
        notes.append(f"{said} is taken as the North American zone, {zone.name}.")
    try:
        kept = ZoneInfo(zone.name).utcoffset(wall)
    except (ZoneInfoNotFoundError, OSError, ValueError):  # no database on this machine: the offset alone is enough
        return offset_name(offset), tuple(notes)
    if kept == offset:
        return zone.name, tuple(notes)
    notes.append(f"{said} is UTC{offset_name(offset)}, but {zone.name} kept another offset on {wall:%Y-%m-%d}: read as it was said.")
    return offset_name(offset), tuple(notes)
