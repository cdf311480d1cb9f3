"""Requests and failures over time as a drawing: a lane for each component, what stands out as a band behind it.

Inline SVG without script. In a lane grey bars over the line are all requests, the coloured ones under it those that failed, on
a scale of their own, so that a few failures among many requests are seen; both say their greatest number.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from kyumei.report.axis import AXIS, LEFT, RIGHT, TOP, WIDTH, Scale, lane_name, ticks
from kyumei.report.escape import for_html
from kyumei.report.moments import shown_moment, shown_span
from kyumei.report.tables import hop_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from kyumei.model.finding import Investigation
    from kyumei.model.standout import Pulse, Standout

_LANE = 92
_ALL = 46
"""Height of the bars of all requests; those of failures have what is left of the lane."""
_FAILED = 26
_COLUMNS = 150
_SHOWN = 4
"""Lanes that are drawn: those where something stands out, then from the outermost inwards."""
_SEEN = 2.0
"""A bar is at least so high where there is anything."""


_LABEL = 32
"""Width of the label of one status with the space that it needs."""
_STATUSES = 4
"""Statuses that one label names."""


class _Column(NamedTuple):
    """The requests of some steps together."""

    start: datetime
    end: datetime
    requests: int
    failed: int


def pulse_plot(investigation: Investigation) -> str:
    """Requests and failures over time as SVG; empty where they were not counted."""
    pulses = shown_pulses(investigation)
    if not pulses:
        return ""
    zone = investigation.symptom.zone
    first = pulses[0]
    end = first.start + timedelta(seconds=first.seconds * len(first.requests))
    scale = Scale(first.start, end)
    bottom = TOP + _LANE * len(pulses)
    parts = list(ticks(scale, bottom, zone))
    for number, pulse in enumerate(pulses):
        top = TOP + _LANE * number
        parts += _bands([one for one in investigation.standouts if one.hop == pulse.hop], scale, top, zone)
        parts += _lane(pulse, scale, top, zone)
    words = f"Requests and failures at {', '.join(hop_label(pulse.hop) for pulse in pulses)} from {shown_span(first.start, end, zone)}"
    return (
        f'<svg class="plot pulse" viewBox="0 0 {WIDTH} {bottom + AXIS}" role="img" aria-labelledby="pulse-title pulse-text">'
        '<title id="pulse-title">Requests and failures over time</title>'
        f'<desc id="pulse-text">{for_html(words)}</desc>{"".join(parts)}</svg>'
        '<p class="quiet legend"><span class="key all"></span> all requests <span class="key failed"></span> server errors and '
        'what stands out, on a scale of their own <span class="key band"></span> the stretch that stands out</p>'
    )


def shown_pulses(investigation: Investigation) -> tuple[Pulse, ...]:
    """The components that are drawn, from the outermost inwards."""
    loud = {one.hop for one in investigation.standouts}
    chosen = sorted(investigation.pulses, key=lambda pulse: pulse.hop not in loud)[:_SHOWN]
    return tuple(pulse for pulse in investigation.pulses if pulse in chosen)


def _columns(pulse: Pulse) -> list[_Column]:
    """The steps of a series, put together so that a bar is wide enough to be seen."""
    width = ceil(len(pulse.requests) / _COLUMNS)
    found = []
    for first in range(0, len(pulse.requests), width):
        start = pulse.start + timedelta(seconds=pulse.seconds * first)
        end = pulse.start + timedelta(seconds=pulse.seconds * min(first + width, len(pulse.requests)))
        found.append(_Column(start, end, sum(pulse.requests[first : first + width]), sum(pulse.failed[first : first + width])))
    return found


def _bands(standouts: Sequence[Standout], scale: Scale, top: int, zone: str | None) -> Iterator[str]:
    """The stretches that stand out, with their status; labels that would lie on each other are written as one, the gravest first."""
    labels: dict[float, list[str]] = {}
    for one in standouts:
        left, right = scale.x(one.window.start), scale.x(one.window.end)
        width = max(3.0, round(right - left, 1))
        says = f"{one.status} to {one.failed:,} of {one.requests:,} requests, {shown_span(one.window.start, one.window.end, zone)}"
        yield (f'<rect class="window" x="{left}" y="{top}" width="{width}" height="{_LANE - 8}"><title>{for_html(says)}</title></rect>')
        middle = round(min(left + width / 2, WIDTH - RIGHT - 14), 1)
        near = next((x for x, said in labels.items() if abs(x - middle) < _LABEL * (len(said) + 1) / 2), middle)
        said = labels.setdefault(near, [])
        said += [str(one.status)] if str(one.status) not in said else []
    for middle, said in labels.items():
        shown = ", ".join(said[:_STATUSES]) + (" …" if len(said) > _STATUSES else "")
        yield f'<text class="status" x="{middle}" y="{top + 11}">{shown}</text>'


def _lane(pulse: Pulse, scale: Scale, top: int, zone: str | None) -> Iterator[str]:
    """The bars of one component over its line, the failures hanging under it."""
    columns = _columns(pulse)
    base = top + 14 + _ALL
    most, worst = (max((getattr(column, name) for column in columns), default=0) for name in ("requests", "failed"))
    yield f'<line class="lane" x1="{LEFT}" y1="{base}" x2="{WIDTH - RIGHT}" y2="{base}"/>{lane_name(pulse.hop, base - 20)}'
    span = _span(columns[0].end - columns[0].start)
    yield f'<text class="most" x="{LEFT - 12}" y="{base - 4}">up to {most:,} {span}</text>'
    yield f'<text class="most failed" x="{LEFT - 12}" y="{base + 14}">{f"up to {worst:,} failed" if worst else "none failed"}</text>'
    for column in columns:
        x, wide = scale.x(column.start), max(1.0, round(scale.x(column.end) - scale.x(column.start) - 0.8, 1))
        says = f"{shown_moment(column.start, zone)}: {column.requests:,} requests, {column.failed:,} failed"
        if column.requests:
            height = max(1.0, round(_ALL * column.requests / most, 1))
            yield _bar("bar", x, round(base - height, 1), wide, height, says)
        if column.failed:
            height = max(_SEEN, round(_FAILED * column.failed / worst, 1))
            yield _bar("bar failed", x, base, wide, height, says)


def _bar(kind: str, x: float, y: float, width: float, height: float, says: str) -> str:  # noqa: PLR0913 - what a rectangle is made of
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}"><title>{for_html(says)}</title></rect>'


def _span(length: timedelta) -> str:
    """How long a bar is: a minute, 5 minutes."""
    minutes = round(length.total_seconds() / 60)
    return "a minute" if minutes <= 1 else f"in {minutes} min"
