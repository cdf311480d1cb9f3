"""Tells a failure once that stands out at several hops, on several paths, or with the statuses that hops in front make of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kyumei.correlate.sightings import position
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.model.standout import Standout

WEIGHTS = {5: 1.0, 4: 0.4, 3: 0.15}
"""How grave a surprise is by the class of its status: a scanner makes many 404s, and they hurt nobody."""
LEFT = frozenset({408, 460, 499})
"""Statuses of clients that went away: they do so because a server does not answer, and then this one is how the hop in front saw it."""
AT_ONCE, AT_ONCE_SHARE = timedelta(minutes=2), 0.15
"""Failures on two paths that begin and end so nearly together are one; the share is of the longer one."""
NAMED = 3
"""Paths that a standout names."""


def merged(found: Sequence[Standout]) -> list[Standout]:
    """Standouts told once each, the gravest first: by what explains most, and of hops that saw the same by the outermost."""
    kept: list[Standout] = []
    for one in sorted(found, key=lambda one: (-_weight(one), position(one.hop), one.onset, one.status, one.paths)):
        same = next((index for index, other in enumerate(kept) if _is_one(one, other)), None)
        if same is None:
            kept.append(one)
        else:
            kept[same] = _joined(kept[same], one)
    return kept


def _weight(one: Standout) -> float:
    return one.score * WEIGHTS.get(one.status // 100, 0.1)


def _joined(first: Standout, other: Standout) -> Standout:
    """Two standouts of one failure as one."""
    if first.hop == other.hop and first.status == other.status:
        return _longer(first, other)
    if _kind(first) == _kind(other) and position(other.hop) < position(first.hop) and other.failed >= first.failed / 2:
        return replace(other, score=max(first.score, other.score), paths=other.paths or first.paths)
    return first


def _longer(first: Standout, other: Standout) -> Standout:
    """Two standouts of one hop and status as one: pieces one after the other, or several paths at once."""
    paths = tuple(dict.fromkeys((*first.paths, *other.paths)))[:NAMED] if first.paths and other.paths else first.paths
    if first.window.overlaps(other.window.start, other.window.end):
        return replace(first, paths=paths)
    earlier, later = sorted((first, other), key=lambda one: one.onset)
    return replace(
        first,
        window=Window(earlier.window.start, later.window.end),
        failed=first.failed + other.failed,
        requests=first.requests + other.requests,
        expected=first.expected + other.expected,
        onset=earlier.onset,
        last=later.last,
        ongoing=later.ongoing,
        paths=paths,
    )


def _kind(one: Standout) -> int:
    """What is equal for statuses that one failure may have at several hops."""
    return 5 if one.status in LEFT else one.status // 100


def _is_one(one: Standout, other: Standout) -> bool:
    """Whether two standouts are of one failure: of one kind, at one time, and, where they name different paths, from the same moment on.

    Of one hop and status they may also follow each other closely.
    """
    if _kind(one) != _kind(other):
        return False
    alike = not one.paths or not other.paths or bool(set(one.paths) & set(other.paths))
    gap = max(one.window.start, other.window.start) - min(one.window.end, other.window.end)
    near = max(AT_ONCE, AT_ONCE_SHARE * max(one.window.length, other.window.length))
    if one.hop == other.hop and one.status == other.status and alike and gap <= near:
        return True
    if -gap < min(one.window.length, other.window.length) / 2:
        return False
    return alike or (abs(one.onset - other.onset) <= near and abs(one.last - other.last) <= near)
