"""The timeline as a drawing: a lane for each component, a mark for each moment, bars for counts a minute where they are given.

Inline SVG without script. The marks have titles, the table below the plot has the same moments in words.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kyumei.report.axis import AXIS, LEFT, RIGHT, TOP, WIDTH, Scale, lane_name, moved, ticks
from kyumei.report.escape import for_html
from kyumei.report.moments import shown_moment
from kyumei.report.tables import hop_label, shown_moments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from kyumei.model.finding import Investigation, Moment

_LANE = 44
_BAR = 26
_LOUD = frozenset({"failure", "symptom", "onset", "change"})


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
    bottom = TOP + _LANE * len(lanes)
    parts = [_window(investigation, scale, bottom), *ticks(scale, bottom, zone)]
    for number, lane in enumerate(lanes):
        y = TOP + _LANE * number + _LANE // 2
        parts.append(_lane(lane, y))
        parts += _bars(counts.get(lane, ()), scale, y)
        parts += [_mark(moment, scale, y, zone) for moment in moments if moment.hop == lane]
    words = (
        f"{len(moments)} moments in {len(lanes)} lanes from {shown_moment(moments[0].time, zone)} to {shown_moment(moments[-1].time, zone)}"
    )
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {bottom + AXIS}" role="img" aria-labelledby="plot-title plot-text">'
        f'<title id="plot-title">Timeline</title><desc id="plot-text">{for_html(words)}</desc>{"".join(parts)}</svg>'
    )


def _scale(moments: Sequence[Moment]) -> Scale:
    """From a little before the first moment to a little after the last."""
    start, end = moments[0].time, moments[-1].time
    margin = max((end - start) / 20, timedelta(milliseconds=50))
    return Scale(moved(start, -margin), moved(end, margin))


def _window(investigation: Investigation, scale: Scale, bottom: int) -> str:
    """The time that the person spoke of, as a band behind the lanes."""
    window = investigation.symptom.window
    if not window or not window.overlaps(scale.start, scale.end):
        return ""
    left, right = scale.x(window.start), scale.x(window.end)
    place = f'x="{left}" y="{TOP}" width="{max(2, round(right - left, 1))}" height="{bottom - TOP}"'
    return f'<rect class="window" {place}><title>the time that the symptom speaks of</title></rect>'


def _lane(lane: str, y: int) -> str:
    """The line of a component and its name."""
    return f'<line class="lane" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>{lane_name(lane, y + 4)}'


def _bars(counts: Sequence[tuple[datetime, int]], scale: Scale, y: int) -> Iterator[str]:
    """Counts a minute as bars that stand on the lane, each lane to its own height."""
    most = max((count for _, count in counts), default=0)
    for minute, count in counts:
        left, right = scale.x(minute), scale.x(minute + timedelta(minutes=1))
        if most and right > left:
            height = round(_BAR * count / most, 1)
            place = f'x="{left}" y="{round(y - height, 1)}" width="{max(1, round(right - left - 1, 1))}" height="{height}"'
            yield f'<rect class="bar" {place}><title>{count:,} in the minute</title></rect>'


def _mark(moment: Moment, scale: Scale, y: int, zone: str | None) -> str:
    """One moment: a diamond for what matters, a dot for the rest."""
    x = scale.x(moment.time)
    title = f"<title>{for_html(f'{shown_moment(moment.time, zone)} {hop_label(moment.hop)}: {moment.says}')}</title>"
    if moment.kind in _LOUD:
        return f'<polygon class="mark loud" points="{x},{y - 8} {x + 8},{y} {x},{y + 8} {x - 8},{y}">{title}</polygon>'
    return f'<circle class="mark" cx="{x}" cy="{y}" r="5">{title}</circle>'
