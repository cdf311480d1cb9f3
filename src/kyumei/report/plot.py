"""The timeline as a drawing: a lane for each component, a mark for each moment, bars for counts a minute where they are given.

Inline SVG without script. The marks have titles, the table below the plot has the same moments in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kyumei.report.escape import for_html, visible
from kyumei.report.moments import in_zone, shown_moment
from kyumei.report.tables import hop_label, shown_moments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kyumei.model.finding import Investigation, Moment

_WIDTH = 920
_LEFT = 150
_RIGHT = 16
_LANE = 44
_TOP = 14
_AXIS = 30
_BAR = 26
_LETTERS = 21
_STEPS = (
    *(timedelta(milliseconds=count) for count in (1, 5, 10, 50, 100, 500)),
    *(timedelta(seconds=count) for count in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=count) for count in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=count) for count in (1, 2, 3, 6, 12)),
    *(timedelta(days=count) for count in (1, 2, 7, 14, 30, 90, 365)),
)
_MOST_TICKS = 8
_LOUD = frozenset({"failure", "symptom", "onset", "change"})


@dataclass(frozen=True)
class _Scale:
    """From moments to pixels."""

    start: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        """The place of the moment, held within the plot."""
        share = (moment - self.start) / (self.end - self.start)
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * min(1.0, max(0.0, share)), 1)


def timeline_plot(investigation: Investigation, counts: Mapping[str, Sequence[tuple[datetime, int]]] | None = None) -> str:
    """The timeline as SVG; empty where there is no moment to show."""
    moments = shown_moments(investigation)
    if not moments:
        return ""
    counts = counts or {}
    lanes = list(dict.fromkeys([*(hop.hop for hop in investigation.hops), *(moment.hop for moment in moments), *counts]))
    lanes = [lane for lane in lanes if lane in counts or any(moment.hop == lane for moment in moments)]
    zone = investigation.symptom.zone
    scale = _scale(moments)
    bottom = _TOP + _LANE * len(lanes)
    parts = [_window(investigation, scale, bottom), *_ticks(scale, bottom, zone)]
    for number, lane in enumerate(lanes):
        y = _TOP + _LANE * number + _LANE // 2
        parts.append(_lane(lane, y))
        parts += _bars(counts.get(lane, ()), scale, y)
        parts += [_mark(moment, scale, y, zone) for moment in moments if moment.hop == lane]
    words = (
        f"{len(moments)} moments in {len(lanes)} lanes from {shown_moment(moments[0].time, zone)} to {shown_moment(moments[-1].time, zone)}"
    )
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {bottom + _AXIS}" role="img" aria-labelledby="plot-title plot-text">'
        f'<title id="plot-title">Timeline</title><desc id="plot-text">{for_html(words)}</desc>{"".join(parts)}</svg>'
    )


def _scale(moments: Sequence[Moment]) -> _Scale:
    """From a little before the first moment to a little after the last."""
    start, end = moments[0].time, moments[-1].time
    margin = max((end - start) / 20, timedelta(milliseconds=50))
    return _Scale(_moved(start, -margin), _moved(end, margin))


def _moved(moment: datetime, by: timedelta) -> datetime:
    """The moment moved, unless the calendar ends there."""
    try:
        return moment + by
    except OverflowError:
        return moment


def _window(investigation: Investigation, scale: _Scale, bottom: int) -> str:
    """The time that the person spoke of, as a band behind the lanes."""
    window = investigation.symptom.window
    if not window or not window.overlaps(scale.start, scale.end):
        return ""
    left, right = scale.x(window.start), scale.x(window.end)
    place = f'x="{left}" y="{_TOP}" width="{max(2, round(right - left, 1))}" height="{bottom - _TOP}"'
    return f'<rect class="window" {place}><title>the time that the symptom speaks of</title></rect>'


def _ticks(scale: _Scale, bottom: int, zone: str | None) -> Iterator[str]:
    """Lines at round times, with their labels in the zone of the person."""
    length = scale.end - scale.start
    step = next((step for step in _STEPS if length / step <= _MOST_TICKS), length)
    local = in_zone(scale.start, zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    tick = _moved(midnight, step * ((local - midnight) // step + 1))
    form = "%Y-%m-%d" if step >= timedelta(days=1) else "%H:%M" if step >= timedelta(minutes=1) else "%H:%M:%S"
    while scale.start < tick < scale.end:
        x = scale.x(tick)
        label = tick.strftime(form) + (f".{tick.microsecond // 1000:03d}" if step < timedelta(seconds=1) else "")
        yield f'<g class="tick"><line x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/><text x="{x}" y="{bottom + 18}">{label}</text></g>'
        tick = _moved(tick, step) if scale.end - tick > step else scale.end
    yield f'<text class="zone" x="{_LEFT - 12}" y="{bottom + 18}">{for_html(local.tzname() or "UTC")}</text>'


def _lane(lane: str, y: int) -> str:
    """The line of a component and its name."""
    name = visible(hop_label(lane))
    name = name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"
    line = f'<line class="lane" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>'
    return f'{line}<text class="label" x="{_LEFT - 12}" y="{y + 4}">{for_html(name)}</text>'


def _bars(counts: Sequence[tuple[datetime, int]], scale: _Scale, y: int) -> Iterator[str]:
    """Counts a minute as bars that stand on the lane, each lane to its own height."""
    most = max((count for _, count in counts), default=0)
    for minute, count in counts:
        left, right = scale.x(minute), scale.x(minute + timedelta(minutes=1))
        if most and right > left:
            height = round(_BAR * count / most, 1)
            place = f'x="{left}" y="{round(y - height, 1)}" width="{max(1, round(right - left - 1, 1))}" height="{height}"'
            yield f'<rect class="bar" {place}><title>{count:,} in the minute</title></rect>'


def _mark(moment: Moment, scale: _Scale, y: int, zone: str | None) -> str:
    """One moment: a diamond for what matters, a dot for the rest."""
    x = scale.x(moment.time)
    title = f"<title>{for_html(f'{shown_moment(moment.time, zone)} {hop_label(moment.hop)}: {moment.says}')}</title>"
    if moment.kind in _LOUD:
        return f'<polygon class="mark loud" points="{x},{y - 8} {x + 8},{y} {x},{y + 8} {x - 8},{y}">{title}</polygon>'
    return f'<circle class="mark" cx="{x}" cy="{y}" r="5">{title}</circle>'
