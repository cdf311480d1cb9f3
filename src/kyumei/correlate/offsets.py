"""Differences of zones from UTC: their names, which of them exist, and the SQL that takes one off a time."""

from __future__ import annotations

from kyumei.layouts.casts import quoted

ZONES = frozenset(minutes * 60 for minutes in (*range(-720, 841, 60), -570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825))
"""The seconds east of UTC that clocks are set to somewhere, in winter or in summer; another difference is no zone (EDGE-125)."""


def zone_name(seconds: int) -> str:
    """A difference from UTC in seconds as ``UTC`` or ``+09:00``."""
    if seconds == 0:
        return "UTC"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"


def zone_seconds(zone: str) -> int | None:
    """A fixed zone as seconds east of UTC; null for one by name, whose difference may change within a year."""
    if zone == "UTC":
        return 0
    if zone[:1] not in {"+", "-"}:
        return None
    size = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
    return -size if zone[0] == "-" else size


def in_utc(zone: str) -> str:
    """SQL for a ``time`` of that zone in UTC."""
    seconds = zone_seconds(zone)
    return f"(time AT TIME ZONE {quoted(zone)}) AT TIME ZONE 'UTC'" if seconds is None else f"time - INTERVAL ({seconds}) SECOND"


def zone_within(seconds: float, skew: int) -> int | None:
    """The one zone that a difference misses by at most ``skew`` seconds; null for none, and where it misses another by little more.

    >>> zone_within(9 * 3600 + 47, 450), zone_within(9 * 3600 + 1200, 450), zone_within(5.5 * 3600 + 400, 450)
    (32400, None, None)
    """
    near = [zone for zone in ZONES if abs(seconds - zone) <= skew * 4 / 3]
    return near[0] if len(near) == 1 and abs(seconds - near[0]) <= skew else None
