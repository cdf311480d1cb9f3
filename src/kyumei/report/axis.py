"""A time axis for drawings: from moments to pixels, lines at round times with their labels, and the name of a lane."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kyumei.report.escape import for_html, visible
from kyumei.report.moments import in_zone
from kyumei.report.tables import hop_label

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 920
LEFT = 150
RIGHT = 16
TOP = 14
AXIS = 30
"""Height of the labels under the lanes."""
_LETTERS = 21
_STEPS = (
    *(timedelta(milliseconds=count) for count in (1, 5, 10, 50, 100, 500)),
    *(timedelta(seconds=count) for count in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=count) for count in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=count) for count in (1, 2, 3, 6, 12)),
    *(timedelta(days=count) for count in (1, 2, 7, 14, 30, 90, 365)),
)
_MOST_TICKS = 8
_DAY = timedelta(days=1)


class Scale(NamedTuple):
    """From moments to pixels."""

    start: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        """The place of the moment, held within the plot."""
        share = (moment - self.start) / (self.end - self.start)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share)), 1)


def moved(moment: datetime, by: timedelta) -> datetime:
    """The moment moved, unless the calendar ends there."""
    try:
        return moment + by
    except OverflowError:
        return moment


def ticks(scale: Scale, bottom: int, zone: str | None) -> Iterator[str]:
    """Lines at round times, with their labels in the zone of the person."""
    length = scale.end - scale.start
    step = next((step for step in _STEPS if length / step <= _MOST_TICKS), length)
    local = in_zone(scale.start, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    tick = moved(midnight, step * ((local - midnight) // step + 1))
    while scale.start < tick < scale.end:
        x = scale.x(tick)
        place = f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/><text x="{x}" y="{bottom + 18}">{_label(tick, step)}</text>'
        yield f'<g class="tick">{place}</g>'
        tick = moved(tick, step) if scale.end - tick > step else scale.end
    yield f'<text class="zone" x="{LEFT - 12}" y="{bottom + 18}">{for_html(local.tzname() or "UTC")}</text>'


def _label(tick: datetime, step: timedelta) -> str:
    """The time of a tick as short as its step allows; at midnight the date."""
    if step < timedelta(minutes=1):
        return tick.strftime("%H:%M:%S") + (f".{tick.microsecond // 1000:03d}" if step < timedelta(seconds=1) else "")
    if step >= _DAY:
        return tick.strftime("%Y-%m-%d")
    return tick.strftime("%m-%d" if (tick.hour, tick.minute) == (0, 0) else "%H:%M")


def lane_name(lane: str, y: int) -> str:
    """The name of a component, before its lane."""
    name = visible(hop_label(lane))
    name = name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"
    return f'<text class="label" x="{LEFT - 12}" y="{y}">{for_html(name)}</text>'
