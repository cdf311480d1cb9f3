"""Finds the stretch of a series in which something fails more often than is usual for it, and how surprising that is.

A series counts events and all chances for one in equal steps of time. A stretch is scored by its log-likelihood ratio under
Poisson counts: how much better "so many times the usual rate, from here to there" explains the counts than the usual rate does
(Kulldorff's scan statistic). For a given factor the ratio is a sum over the steps, so the best stretch is a maximum subarray,
found in one pass; a few factors cover what matters. The usual rate is that of the rest of the series, of the same hour of other
days where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FACTORS = (1.5, 2.0, 4.0, 10.0, 40.0, 200.0)
"""How many times the usual rate is tried; between them the ratio changes little."""
ROUNDS = 3
"""The usual rate is taken anew without the stretch that was found, so that a long failure does not pass for usual."""
PSEUDO_EVENTS, PSEUDO_CHANCES = 0.5, 50.0
"""What is added to the counts of the rest: a rate is not known to be zero because nothing was seen yet."""
SAME_HOUR = 300.0
"""Chances of the same hour on other days from which their own rate counts for half."""


@dataclass(frozen=True)
class Spike:
    """The stretch ``start <= step < end`` with so many ``events`` where about ``expected`` were usual; ``score`` in nats."""

    start: int
    end: int
    events: int
    chances: int
    expected: float
    score: float


def spike(events: Sequence[int], chances: Sequence[int], hours: Sequence[int] | None = None) -> Spike | None:
    """The most surprising stretch of a series, or null when nothing in it is more frequent than usual.

    ``hours`` names the hour of the day of each step, where the series goes over several days; then an hour is measured against itself.
    """
    start, end = 0, 0
    best: Spike | None = None
    for _ in range(ROUNDS):
        usual = _usual(events, chances, hours, start, end)
        found = _stretch(events, usual)
        if found is None or found == (start, end):
            break
        start, end = found
        best = _scored(events, chances, _usual(events, chances, hours, start, end), start, end)
    return best if best is not None and best.score > 0 else None


def _usual(events: Sequence[int], chances: Sequence[int], hours: Sequence[int] | None, start: int, end: int) -> list[float]:
    """How many events each step should have, by the rate outside ``start <= step < end``."""
    outside = [step for step in range(len(events)) if not start <= step < end]
    rate = (sum(events[step] for step in outside) + PSEUDO_EVENTS) / (sum(chances[step] for step in outside) + PSEUDO_CHANCES)
    if hours is None:
        return [rate * chance for chance in chances]
    happened: dict[int, int] = {}
    had: dict[int, int] = {}
    for step in outside:
        happened[hours[step]] = happened.get(hours[step], 0) + events[step]
        had[hours[step]] = had.get(hours[step], 0) + chances[step]
    rates = {hour: (happened[hour] + rate * SAME_HOUR) / (had[hour] + SAME_HOUR) for hour in had}
    return [rates.get(hours[step], rate) * chances[step] for step in range(len(events))]


def _stretch(events: Sequence[int], usual: Sequence[float]) -> tuple[int, int] | None:
    """The stretch with the greatest ratio over all factors: for each, the maximum subarray of what every step adds."""
    best, found = 0.0, None
    for factor in FACTORS:
        gain, loss = log(factor), factor - 1
        total, since = 0.0, 0
        for step, (happened, expected) in enumerate(zip(events, usual, strict=True)):
            if total <= 0:
                total, since = 0.0, step
            total += happened * gain - expected * loss
            if total > best:
                best, found = total, (since, step + 1)
    return found


def _scored(events: Sequence[int], chances: Sequence[int], usual: Sequence[float], start: int, end: int) -> Spike:
    """The stretch with its counts and its exact ratio."""
    happened, expected = sum(events[start:end]), sum(usual[start:end])
    score = happened * log(happened / expected) - (happened - expected) if happened > expected > 0 else 0.0
    return Spike(start, end, happened, sum(chances[start:end]), expected, score)
