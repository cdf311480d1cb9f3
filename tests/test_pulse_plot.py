"""The drawing of requests and failures over time, and the same in words."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from kyumei.model.standout import Pulse, Standout
from kyumei.model.window import Window
from kyumei.report.extent import spark
from kyumei.report.html import to_html
from kyumei.report.json_document import to_json
from kyumei.report.markdown import to_markdown
from kyumei.report.pulse_plot import pulse_plot
from kyumei.report.terminal import to_text
from tests.report.sample import AT, HEALTHY, HOSTILE_TEXT, MINUTE, RICH

if TYPE_CHECKING:
    from kyumei.model.finding import Investigation

STANDOUT = Standout(
    Window(AT + 20 * MINUTE, AT + 30 * MINUTE),
    "alb",
    502,
    40,
    120,
    0.2,
    180.0,
    AT + 20 * MINUTE,
    AT + 29 * MINUTE,
    ongoing=False,
    paths=("/orders",),
)


def _with(hop: str = "alb", steps: int = 60, *, standouts: tuple[Standout, ...] = (STANDOUT,)) -> Investigation:
    failed = tuple(4 if 20 <= step < 30 else 0 for step in range(steps))
    return replace(RICH, pulses=(Pulse(hop, AT, 60, (12,) * steps, failed),), standouts=standouts)


def _drawn(investigation: Investigation) -> ET.Element:
    """The drawing as a tree; broken markup is an error."""
    return ET.fromstring(pulse_plot(investigation).partition("<p ")[0])  # noqa: S314 - our own text


def _bars(drawing: ET.Element, kind: str) -> list[ET.Element]:
    return [one for one in drawing.iter("rect") if one.get("class") == kind]


def test_bars_stand_for_requests_and_hang_for_failures() -> None:
    """One for each step with any, all of them in the drawing, the standout as a band behind."""
    drawing = _drawn(_with())
    assert len(_bars(drawing, "bar")) == 60
    assert len(_bars(drawing, "bar failed")) == 10
    assert len(_bars(drawing, "window")) == 1
    width, height = (float(part) for part in str(drawing.get("viewBox")).split()[2:])
    for one in drawing.iter("rect"):
        x, y, wide, high = (float(str(one.get(name))) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height


def test_a_day_of_minutes_is_put_together() -> None:
    """No bar is too narrow to be seen, and none of the requests is lost."""
    drawing = _drawn(_with(steps=1440))
    bars = _bars(drawing, "bar")
    assert len(bars) <= 150
    told = [re.search(r": ([\d,]+) requests, ([\d,]+) failed", bar.findtext("title", "")) for bar in bars]
    assert sum(int(one[1].replace(",", "")) for one in told if one) == 12 * 1440
    assert sum(int(one[2].replace(",", "")) for one in told if one) == 40


@pytest.mark.parametrize("hop", [HOSTILE_TEXT, "<script>alert(1)</script>", ""])
def test_names_from_logs_are_only_text(hop: str) -> None:
    """A component's name forms no element."""
    drawing = _drawn(_with(hop, standouts=(replace(STANDOUT, hop=hop),)))
    assert {one.tag for one in drawing.iter()} <= {"svg", "title", "desc", "g", "line", "text", "rect"}


def test_no_requests_no_drawing() -> None:
    """An answer to a symptom has none, nor has a step without any a bar."""
    assert pulse_plot(RICH) == ""
    assert 'id="pulse"' not in to_html(RICH)
    empty = replace(RICH, pulses=(Pulse("alb", AT, 60, (0, 0), (0, 0)),))
    assert _bars(_drawn(empty), "bar") == []


def test_every_form_tells_what_stands_out() -> None:
    """The same facts in the terminal, in Markdown, in HTML and in JSON."""
    answer = _with()
    for text in (to_text(answer), to_markdown(answer), to_html(answer)):
        for told in ("What stands out in these logs", "Requests and failures over time", "/orders", "40 of 120", "0.2"):
            assert told in text
    assert to_json(answer)["standouts"][0]["failed"] == 40
    assert pulse_plot(answer) in to_html(answer)


def test_labels_of_stretches_at_one_time_do_not_lie_on_each_other() -> None:
    """Two failures at once: both statuses are read, the gravest first; one that lies apart has a label of its own."""
    other = replace(STANDOUT, status=403)
    text = pulse_plot(_with(standouts=(STANDOUT, other)))
    assert f">{STANDOUT.status}, 403</text>" in text
    assert text.count('class="status"') == 1


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_column_is_lost_in_a_narrow_terminal(width: int) -> None:
    """Where the columns do not fit side by side, each row is told line by line."""
    text = to_text(_with(), width)
    shown = text[text.index("What stands out in these logs") : text.index("Requests and failures over time")]
    for told in ("When", "At", "Status", "Path", "Failed", "Usual", "Over?", "40 of 120", "0.2"):
        assert told in shown
    assert max(map(len, shown.splitlines())) <= width


def test_many_standouts_are_counted() -> None:
    """The first twelve are shown; the rest is said to be in the JSON."""
    many = tuple(replace(STANDOUT, onset=AT + timedelta(minutes=number)) for number in range(20))
    text = to_text(_with(standouts=many))
    assert "8 more stretches are not shown here" in text
    assert "1 more stretch is not shown here" in to_text(_with(standouts=many[:13]))
    assert len(to_json(_with(standouts=many))["standouts"]) == 20


def test_a_healthy_case_has_its_plot_too() -> None:
    """Without any band."""
    drawing = _drawn(replace(HEALTHY, pulses=_with().pulses))
    assert _bars(drawing, "window") == []
    assert len(_bars(drawing, "bar")) == 60


@pytest.mark.parametrize(
    ("counts", "line"),
    [([], ""), ([0, 0], "  "), ([1], "█"), ([0, 1, 2, 16], " ▁▁█"), ([1] * 80, "█" * 40), ([3] + [0] * 99, "█" + " " * 33)],
)
def test_a_line_of_blocks(counts: list[int], line: str) -> None:
    """As long as the counts or forty cells, the highest where they are the most."""
    assert spark(counts) == line
