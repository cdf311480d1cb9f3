"""The search for the stretch of a series in which something is more frequent than usual."""

from __future__ import annotations

from math import log
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei.diagnose.spikes import FACTORS, _best, _stretch, spikes

SERIES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), min_size=1, max_size=30).map(
    lambda pairs: ([min(events, chances) for events, chances in pairs], [chances for _, chances in pairs])
)
"""Events and chances of some steps; no step has more events than chances."""


@given(SERIES)
def test_a_spike_lies_in_the_series_and_counts_what_is_there(series: tuple[list[int], list[int]]) -> None:
    """Bounds, counts and scores are those of the series, and more was seen than expected."""
    events, chances = series
    for found in spikes(events, chances):
        assert 0 <= found.start < found.end <= len(events)
        assert found.events == sum(events[found.start : found.end])
        assert found.chances == sum(chances[found.start : found.end])
        assert found.events > found.expected > 0
        assert found.score > 0
        assert found.contrast >= 0
        assert events[found.start]
        assert events[found.end - 1]


@given(SERIES)
def test_no_two_stretches_share_an_event(series: tuple[list[int], list[int]]) -> None:
    """Each next one is looked for without those before."""
    events, chances = series
    found = spikes(events, chances, most=4)
    assert sum(one.events for one in found) <= sum(events)
    assert len(found) <= 4


@given(SERIES, st.integers(0, 10))
def test_steps_without_requests_at_the_ends_change_nothing(series: tuple[list[int], list[int]], more: int) -> None:
    """A log that is read with silence around it has the same spike, as many steps later."""
    events, chances = series
    plain, moved = (spikes(*pair) for pair in ((events, chances), ([0] * more + events + [0] * more, [0] * more + chances + [0] * more)))
    assert [(one.start + more, one.end + more, one.events) for one in plain] == [(one.start, one.end, one.events) for one in moved]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 6), st.floats(0.01, 3)), min_size=1, max_size=14))
def test_no_other_stretch_has_a_greater_ratio(steps: list[tuple[int, float]]) -> None:
    """The quick search finds what trying every stretch finds."""
    events, usual = [count for count, _ in steps], [expected for _, expected in steps]

    def ratio(start: int, end: int) -> float:
        return max(sum(events[start:end]) * log(factor) - (factor - 1) * sum(usual[start:end]) for factor in FACTORS)

    every = [(start, end) for start in range(len(events)) for end in range(start + 1, len(events) + 1)]
    best = max(ratio(*one) for one in every)
    found = _stretch([(step, count) for step, count in enumerate(events) if count], usual)
    assert (found is None) == (best <= 1e-9)
    if found is not None:
        assert ratio(*found) == pytest.approx(best)


def test_what_never_changes_has_no_contrast() -> None:
    """A rate that is the same from the first step to the last may be rare, but it is no change."""
    found = spikes([2] * 100, [20] * 100)
    assert not found or found[0].contrast < 6


def test_a_failure_is_found_where_it_is() -> None:
    """Six steps of many failures among a hundred with hardly any."""
    chance = Random(3)  # noqa: S311 - the same series each time
    events = [int(chance.random() < 0.05) for _ in range(100)]
    events[40:46] = [12, 15, 9, 14, 11, 10]
    found = spikes(events, [50] * 100)[0]
    assert (found.start, found.end) == (40, 46)
    assert found.score > 100
    assert found.contrast > 100


def test_what_comes_each_night_is_usual_at_night() -> None:
    """The same hour of other days tells what is usual in it; without hours each night is a spike."""
    hours = [step % 24 for step in range(24 * 4)]
    events = [30 if hour == 3 else 0 for hour in hours]
    chances = [60 if hour == 3 else 100 for hour in hours]
    assert spikes(events, chances)[0].score > 40
    assert all(one.score < 10 for one in spikes(events, chances, hours))


def test_a_night_that_is_worse_than_the_others_stands_out() -> None:
    """What is usual at night does not hide what is not."""
    hours = [step % 24 for step in range(24 * 4)]
    events = [30 if hour == 3 else 0 for hour in hours]
    events[51] = 300
    found = spikes(events, [400 if hour == 3 else 100 for hour in hours], hours)[0]
    assert (found.start, found.end) == (51, 52)
    assert found.score > 100


def test_a_long_failure_does_not_pass_for_usual() -> None:
    """Two thirds of the log fail; the rest tells what is usual."""
    found = spikes([0] * 40 + [20] * 80, [50] * 120)[0]
    assert (found.start, found.end) == (40, 120)
    assert found.expected < 40


def test_what_does_not_matter_stays_a_part_of_what_is_usual() -> None:
    """The search ends at the first stretch that does not matter, and does not measure the next one without it."""
    events, chances = [0, 9, 0, 0, 9, 0, 0, 9, 0], [20] * 9
    assert spikes(events, chances, most=3, matters=lambda one: one.score > 1000) == []
    assert len(spikes(events, chances, most=3)) > 1


def test_an_empty_series_has_nothing() -> None:
    """Neither has one without events."""
    assert spikes([], []) == []
    assert _best([0, 0], [3, 4], None) is None
