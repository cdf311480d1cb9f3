"""The way of the request as a drawing: who saw it, who answered, who never saw it, who is blind.

Inline SVG, across for wide screens and down for narrow ones. Colours come from the page's style sheet; every state also has its own
shape or word, so that nothing hangs on colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kyumei.report.document import Tone
from kyumei.report.escape import for_html, visible
from kyumei.report.tables import hop_label, hop_name, hop_tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.model.finding import Hop

_WIDTH, _HEIGHT = 164, 70
_GAP = 44
_MARGIN = 8
_LETTERS = 22
"""So many letters fit into a box; the title of the box and the table beside it have the whole name."""
_STATE = {Tone.ANSWERED: "answered", Tone.SEEN: "saw it", Tone.ABSENT: "never saw it", Tone.BLIND: "blind"}


class _Box(NamedTuple):
    """One component: where it stands, what is written in it, how it is drawn."""

    x: int
    y: int
    title: str
    name: str
    state: str
    tone: str
    why: str


def hop_diagram(hops: Sequence[Hop], *, down: bool, response: str = "") -> str:
    """The hops as SVG, the client first; ``down`` draws from top to bottom. ``response`` is written at the hop that answered (403)."""
    places = [hop for hop in hops if hop.hop != "client"]
    boxes = [_Box(_MARGIN, _MARGIN, "Client", "", "asked", "client", "where the request came from")]
    for number, hop in enumerate(places, start=1):
        tone = hop_tone(hop)
        state = _STATE[tone] + (f" {response}" if response and tone is Tone.ANSWERED else "")
        step = number * ((_HEIGHT if down else _WIDTH) + _GAP)
        x, y = (_MARGIN, _MARGIN + step) if down else (_MARGIN + step, _MARGIN)
        boxes.append(_Box(x, y, hop_label(hop.hop), hop_name(hop), state, tone.value, hop.why))
    answering = next((number for number, hop in enumerate(places, start=1) if hop.answered), 0)
    seen = max((number for number, hop in enumerate(places, start=1) if hop.saw_it == "yes" or hop.answered), default=0)
    parts = []
    for number, hop in enumerate(places, start=1):
        way = "reached" if number <= seen else "unknown" if hop.saw_it == "blind" and not answering else "unreached"
        parts.append(_way(boxes[number - 1], boxes[number], way, back=number <= answering, down=down))
    parts += [_drawn(box) for box in boxes]
    width = boxes[-1].x + _WIDTH + _MARGIN
    height = boxes[-1].y + _HEIGHT + _MARGIN
    words = "; ".join(f"{box.title}: {box.state}" for box in boxes)
    kind = "down" if down else "across"
    return (
        f'<svg class="hops {kind}" viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" '
        f'aria-labelledby="hops-{kind}-title hops-{kind}-text"><title id="hops-{kind}-title">The way of the request</title>'
        f'<desc id="hops-{kind}-text">{for_html(words)}</desc>{"".join(parts)}</svg>'
    )


def _short(text: str) -> str:
    """As much of the text as fits into a box."""
    shown = visible(text)
    return shown if len(shown) <= _LETTERS else shown[: _LETTERS - 1] + "…"


def _drawn(box: _Box) -> str:
    """A box with its name, its resource and its state."""
    middle = box.x + _WIDTH // 2
    top = 22 if box.name else 30
    name = f'<text class="name" x="{middle}" y="{box.y + 39}">{for_html(_short(box.name))}</text>' if box.name else ""
    return (
        f'<g class="hop {box.tone}"><title>{for_html(f"{box.title} {box.name}: {box.state}. {box.why}")}</title>'
        f'<rect x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="10"/>'
        f'<text class="title" x="{middle}" y="{box.y + top}">{for_html(_short(box.title))}</text>{name}'
        f'<text class="state" x="{middle}" y="{box.y + (57 if box.name else 52)}">{for_html(box.state)}</text></g>'
    )


def _way(start: _Box, end: _Box, kind: str, *, back: bool, down: bool) -> str:
    """The way from one box to the next; with ``back`` also that of the response."""
    if not back:
        return _line(start, end, kind, 0, down=down)
    return _line(start, end, kind, -9, down=down) + _line(end, start, "response", 9, down=down)


def _line(start: _Box, end: _Box, kind: str, aside: int, *, down: bool) -> str:
    """An arrow of a kind between two boxes, moved aside so that there and back do not cover each other."""
    if down:
        x = start.x + _WIDTH // 2 + aside
        forward = end.y > start.y
        first, last = (start.y + _HEIGHT, end.y) if forward else (start.y, end.y + _HEIGHT)
        head = -8 if forward else 8
        return (
            f'<g class="way {kind}"><line x1="{x}" y1="{first}" x2="{x}" y2="{last + head}"/>'
            f'<polygon points="{x},{last} {x - 5},{last + head} {x + 5},{last + head}"/></g>'
        )
    y = start.y + _HEIGHT // 2 + aside
    forward = end.x > start.x
    first, last = (start.x + _WIDTH, end.x) if forward else (start.x, end.x + _WIDTH)
    head = -8 if forward else 8
    return (
        f'<g class="way {kind}"><line x1="{first}" y1="{y}" x2="{last + head}" y2="{y}"/>'
        f'<polygon points="{last},{y} {last + head},{y - 5} {last + head},{y + 5}"/></g>'
    )
