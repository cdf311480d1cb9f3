"""A stretch of time in which requests failed more often than they usually do: what is investigated where nobody named a symptom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from kyumei.model.window import Window


@dataclass(frozen=True)
class Standout:
    """``failed`` of ``requests`` at ``hop`` were answered with ``status`` in the window, where about ``expected`` were usual.

    ``paths`` carry most of it, most first; none when it goes over the whole site. ``score`` is how surprising that is, as a
    log-likelihood ratio in nats. ``onset`` is the first failing request of the stretch, ``last`` the last one; ``ongoing`` says
    that the log ends before the failure does.
    """

    window: Window
    hop: str
    status: int
    failed: int
    requests: int
    expected: float
    score: float
    onset: datetime
    last: datetime
    ongoing: bool
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pulse:
    """Requests at one hop over time, for a plot: equal steps of ``seconds`` from ``start``, all requests and those that failed."""

    hop: str
    start: datetime
    seconds: int
    requests: tuple[int, ...]
    failed: tuple[int, ...]
