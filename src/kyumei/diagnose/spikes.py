"""Finds the stretches of a series in which something happens more often than is usual for it, and how surprising each is.

A series counts events and all chances for one in equal steps of time. A stretch is scored by its log-likelihood ratio under
Poisson counts: how much better "so many times the usual rate, from here to there" explains the counts than the usual rate does
(Kulldorff's scan statistic). For a given factor the ratio is a sum over the steps, so the best stretch is a maximum subarray,
found in one pass; a few factors cover what matters. The usual rate is that of the rest of the series, of the same hour of other
days where there are any.
"""

from __future__ import annotations

from itertools import accumulate
from math import log
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FACTORS = (1.5, 2.0, 4.0, 10.0, 40.0, 200.0)
"""How many times the usual rate is tried; between them the ratio changes little."""
ROUNDS = 6
"""The usual rate is taken anew without the stretch that was found, so that a long failure does not pass for usual."""
PSEUDO_EVENTS, PSEUDO_CHANCES = 0.5, 50.0
"""What is added to the counts of the rest: a rate is not known to be zero because nothing was seen yet."""
SAME_HOUR = 30.0
"""Chances of the same hour on other days from which their own rate counts for half."""


class Spike(NamedTuple):
    """The stretch ``start <= step < end`` with so many ``events`` where about ``expected`` were usual; ``score`` in nats.

    ``contrast`` is the log-likelihood ratio of two rates, in the stretch and out of it, against one: near zero where there is no rest
    to speak of, however rare the events are taken to be.
    """

    start: int
    end: int
    events: int
    chances: int
    expected: float
    score: float
    contrast: float


def spikes(
    events: Sequence[int],
    chances: Sequence[int],
    hours: Sequence[int] | None = None,
    *,
    most: int = 1,
    matters: Callable[[Spike], bool] = lambda _: True,
) -> list[Spike]:
    """The most surprising stretches of a series, the most surprising first; none when nothing in it is more frequent than usual.

    Each next one is looked for without those before, as long as ``matters`` says so of the last: what does not matter is a part of
    what is usual. ``hours`` names the hour of the day of each step, where the series goes over several days; then an hour is measured
    against itself. No two stretches share an event.
    """
    left, had = list(events), list(chances)
    found: list[tuple[Spike, list[int]]] = []
    while len(found) < most and (best := _best(left, had, hours)) and matters(best):
        found.append((best, had[best.start : best.end]))
        for step in range(best.start, best.end):
            left[step] = had[step] = 0
    # Each is measured anew against what is left now, else the second failure of a log would pass for usual beside the first.
    return sorted((_scored(left, had, hours, one, own) for one, own in found), key=lambda one: -one.score)


def _best(events: Sequence[int], chances: Sequence[int], hours: Sequence[int] | None) -> Spike | None:
    """The most surprising stretch."""
    happened = [(step, count) for step, count in enumerate(events) if count]
    left, had = list(events), list(chances)
    best: Spike | None = None
    for _ in range(ROUNDS if happened else 0):
        bounds = _stretch(happened, _usual(left, had, hours, chances))
        if bounds is None or (best is not None and bounds == (best.start, best.end)):
            break
        start, end = bounds
        left, had = (list(series[:start]) + [0] * (end - start) + list(series[end:]) for series in (events, chances))
        best = _scored(left, had, hours, Spike(start, end, sum(events[start:end]), 0, 0.0, 0.0, 0.0), chances[start:end])
    return best if best is not None and best.score > 0 else None


def _usual(events: Sequence[int], had: Sequence[int], hours: Sequence[int] | None, chances: Sequence[int]) -> list[float]:
    """How many events so many chances in each step should have, by the rate of those events that were for those that were had."""
    rate = (sum(events) + PSEUDO_EVENTS) / (sum(had) + PSEUDO_CHANCES)
    if hours is None:
        return [rate * chance for chance in chances]
    happened, asked = [0] * 24, [0] * 24
    for step, hour in enumerate(hours):
        happened[hour] += events[step]
        asked[hour] += had[step]
    rates = [(happened[hour] + rate * SAME_HOUR) / (asked[hour] + SAME_HOUR) for hour in range(24)]
    return [rates[hour] * chance for hour, chance in zip(hours, chances, strict=True)]


def _stretch(happened: Sequence[tuple[int, int]], usual: Sequence[float]) -> tuple[int, int] | None:
    """The stretch with the greatest ratio over all factors: for each, the maximum subarray of what every step adds.

    Such a stretch begins and ends with an event, so the steps between events are passed over by the sum of what was usual in them.
    """
    before = [0.0, *accumulate(usual)]
    ends = [0, *(step + 1 for step, _ in happened)]
    steps = [(step, count, before[step] - before[until], usual[step]) for until, (step, count) in zip(ends, happened, strict=False)]
    best, found = 0.0, None
    for factor in FACTORS:
        gain, loss = log(factor), factor - 1
        total, since = 0.0, 0
        for step, count, between, own in steps:
            total -= loss * between
            if total <= 0:
                total, since = 0.0, step
            total += count * gain - loss * own
            if total > best:
                best, found = total, (since, step + 1)
    return found


def _scored(left: Sequence[int], had: Sequence[int], hours: Sequence[int] | None, one: Spike, own: Sequence[int]) -> Spike:
    """A stretch with ``own`` chances and its exact ratio, against what is left of the series without it."""
    padded = [0] * one.start + list(own) + [0] * (len(had) - one.end)
    expected, chances = sum(_usual(left, had, hours, padded)), sum(own)
    score = one.events * log(one.events / expected) - (one.events - expected) if one.events > expected > 0 else 0.0
    return Spike(one.start, one.end, one.events, chances, expected, score, _contrast(one.events, chances, sum(left), sum(had)))


def _contrast(happened: int, had: int, else_happened: int, else_had: int) -> float:
    """How much better two rates explain two counts than one does."""

    def likelihood(events: int, chances: int) -> float:
        return events * log(events / chances) if events and chances else 0.0

    both = likelihood(happened + else_happened, had + else_had)
    return max(0.0, likelihood(happened, had) + likelihood(else_happened, else_had) - both)
