"""Stamps: every record in a window holds one of the substrings, and the list stays short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyumei.layouts.casts import MONTHS
from kyumei.layouts.stamps import APACHE, COMMON, EPOCH, ISO, ISO_SPACE, LIMIT, SLASHED, SYSLOG, ZONED_COMMON, Stamp, in_utc, substrings
from kyumei.model.window import Window

JST = timedelta(hours=9)


def window(start: str, end: str) -> Window:
    """The window between two times in UTC."""
    return Window(datetime.fromisoformat(start).replace(tzinfo=UTC), datetime.fromisoformat(end).replace(tzinfo=UTC))


AN_HOUR = window("2025-02-06T05:25:00", "2025-02-06T06:15:00")


@pytest.mark.parametrize(
    ("stamp", "offset", "day", "tens"),
    [
        (ISO, timedelta(0), "2025-02-06T", "05:2 05:3 05:4 05:5 06:0 06:1"),
        (ISO_SPACE, JST, "2025-02-06 ", "14:2 14:3 14:4 14:5 15:0 15:1"),
        (SLASHED, JST, "2025/02/06 ", "14:2 14:3 14:4 14:5 15:0 15:1"),
        (COMMON, JST, "06/Feb/2025:", "14:2 14:3 14:4 14:5 15:0 15:1"),
        (APACHE, JST, "Feb 06 ", "14:2 14:3 14:4 14:5 15:0 15:1"),
        (EPOCH, JST, "17388", "19 20 21 22"),
        (in_utc(ISO), JST, "2025-02-06T", "05:2 05:3 05:4 05:5 06:0 06:1"),
    ],
)
def test_ten_minutes_is_the_grain_of_an_hour(stamp: Stamp, offset: timedelta, day: str, tens: str) -> None:
    """An hour around the incident, in each way to write it."""
    assert substrings([stamp], AN_HOUR, [offset]) == tuple(day + ten for ten in tens.split())


def test_a_time_with_its_zone_is_met_beside_it_alone() -> None:
    """The same digits in another zone are another moment."""
    assert substrings([ZONED_COMMON], window("2025-02-06T05:30:00", "2025-02-06T05:31:00"), [JST, -timedelta(hours=3, minutes=30)]) == (
        "06/Feb/2025:02:00\n -0330",
        "06/Feb/2025:14:30\n +0900",
    )


def test_a_minute_is_the_grain_of_a_short_window() -> None:
    """Ten of them are ten minutes."""
    assert substrings([ISO], window("2025-02-06T05:28:30", "2025-02-06T05:41:00"), []) == (
        "2025-02-06T05:28",
        "2025-02-06T05:29",
        "2025-02-06T05:3",
        "2025-02-06T05:40",
    )


def test_syslog_days_are_met_however_they_are_padded() -> None:
    """RFC 3164 pads the day with a space; some daemons pad it with a zero or not at all."""
    assert substrings([SYSLOG], window("2025-02-06T05:30:00", "2025-02-06T05:31:00"), []) == (
        "Feb  6 05:30",
        "Feb 06 05:30",
        "Feb 6 05:30",
    )


def test_whole_hours_days_and_months_stand_for_their_parts() -> None:
    """So that the list stays short."""
    assert substrings([ISO], window("2025-02-06T05:50:00", "2025-02-06T07:10:00"), []) == (
        "2025-02-06T05:5",
        "2025-02-06T06:",
        "2025-02-06T07:0",
    )
    assert substrings([ISO], window("2025-01-31T00:00:00", "2025-03-02T00:00:00"), []) == ("2025-01-31T", "2025-02-", "2025-03-01T")


def test_a_window_ends_before_its_end() -> None:
    """The end is not in the window, so its minute is not looked for."""
    assert substrings([ISO], window("2025-02-06T05:30:00", "2025-02-06T05:40:00"), []) == ("2025-02-06T05:3",)
    assert substrings([ISO], window("2025-02-06T05:30:00", "2025-02-06T05:31:00"), []) == ("2025-02-06T05:30",)


def test_too_long_a_window_has_no_substring() -> None:
    """Then every line is read."""
    assert substrings([ISO], window("0001-01-01T00:00:00", "9999-12-31T00:00:00"), [JST]) == ()
    assert substrings([ISO, SYSLOG], window("2024-01-01T00:00:00", "2026-01-01T00:00:00"), []) == ()


def written(moment: datetime) -> dict[str, str]:
    """The moment as each stamp writes it."""
    month, clock = MONTHS[moment.month - 1], moment.strftime("%H:%M:%S")
    return {
        "iso": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "iso with a space": moment.strftime("%Y-%m-%d %H:%M:%S"),
        "slashed": moment.strftime("%Y/%m/%d %H:%M:%S"),
        "common log": f"{moment.day:02}/{month}/{moment.year}:{clock}",
        "common log with a zone": f"{moment.day:02}/{month}/{moment.year}:{clock} {moment:%z}",
        "syslog": f"{month} {moment.day:2} {clock}",
        "apache error": f"Thu {month} {moment.day:02} {clock}.000001 {moment.year}",
    }


@given(
    start=st.datetimes(datetime(2015, 1, 1), datetime(2034, 1, 1)),  # noqa: DTZ001 - Hypothesis wants naive bounds
    seconds=st.floats(0.001, 8e7),
    share=st.floats(0, 0.999),
    offsets=st.lists(st.sampled_from([-720, -420, -210, 0, 330, 540, 840]), max_size=3),
)
def test_every_moment_of_the_window_is_met(start: datetime, seconds: float, share: float, offsets: list[int]) -> None:
    """Whatever the window and the zones."""
    span = Window(start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + timedelta(seconds=seconds))
    moment = span.start + (span.end - span.start) * share
    zones = [timedelta(minutes=minutes) for minutes in offsets]
    for stamp in (ISO, ISO_SPACE, SLASHED, COMMON, ZONED_COMMON, SYSLOG, APACHE):
        found = substrings([stamp], span, zones)
        assert len(found) <= LIMIT * (len(zones) or 1)
        for zone in zones or [timedelta(0)]:
            text = written((moment + zone).replace(tzinfo=timezone(zone)))[stamp.name]
            assert not found or any(all(piece in text for piece in pieces.split("\n")) for pieces in found), text
    found = substrings([EPOCH], span, zones)
    assert not found or str(int(moment.timestamp())).startswith(found)
