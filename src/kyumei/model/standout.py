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
    """Requests at one hop over time, for a plot: equal steps of ``seconds`` from ``start``, all requests and those that failed.

    What failed are server errors, and requests with a status that stands out.
    """

    hop: str
    start: datetime
    seconds: int
    requests: tuple[int, ...]
    failed: tuple[int, ...]


@dataclass(frozen=True)
class ErrorKind:
    """Error lines of one shape in one log: ``lines`` of them from ``first`` to ``last``, like ``text``, which stands at ``place``.

    ``text`` is the first of them; ``place`` is empty where the file was only surveyed. ``fresh`` says that none came before, in a log
    that reaches back far enough to tell; else they came before, but only ``expected`` would have been usual. ``score`` is as that
    of a standout.
    """

    log: str
    text: str
    place: str
    lines: int
    expected: float
    score: float
    first: datetime
    last: datetime
    fresh: bool
