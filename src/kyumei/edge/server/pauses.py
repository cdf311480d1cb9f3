"""Pauses of a Java process that stops to collect garbage: while it stands still it answers nobody, and writes the pause when it is over.

Texts of HotSpot's unified log (``-Xlog:gc``, ``-Xlog:safepoint``) and of Java 8's collection log. Short pauses are always there; one
is why a request waited only where it took up a good part of the wait, and only of the process that was asked: in that time it can have
answered nothing.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.literals import literal
from kyumei.edge.server.process_signs import beside
from kyumei.edge.victims import address_of, same_place
from kyumei.edge.waits import Wait

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import View
    from kyumei.edge.victims import Ask

SHORTEST = 1.0
"""Seconds; shorter pauses let nobody in front give up."""
LONGEST = timedelta(minutes=10)
HALF = 0.5
"""Part of a request's wait that a pause must take up to be why it waited."""
MARGIN = timedelta(seconds=1)
"""At either end of a pause, for clocks and whole seconds."""
MOST = 2000
PAUSED = Wait(
    r"\bPause (?:Full|Young|Remark|Cleanup|Initial Mark|Final)\b|\[Full GC |application threads were stopped",
    "its Java process stood still to collect garbage",
    "Find what fills the heap (jcmd GC.class_histogram, a heap dump), give it room within the memory of the container, or take a collector "
    "with short pauses.",
    ("jcmd <PID> GC.heap_info", "java -XX:+UseZGC -XX:MaxRAMPercentage=75 -Xlog:gc*,safepoint:file=gc.log -jar <APP>"),
    layer="app",
)
_PREFILTER = r"\bPause [A-Z][a-z]+.* [0-9]{4,9}\.[0-9]+ms|\[Full GC .* secs\]|threads were stopped: [0-9.]+ s"
_TOOK = re.compile(
    r"\bPause (?:Full|Young|Remark|Cleanup|Initial Mark|Final)\b.{0,200} (?P<ms>[0-9]{1,9}\.[0-9]{1,6})ms\s*$"
    r"|\[Full GC .{0,400}, (?P<s>[0-9]{1,6}\.[0-9]{1,9}) secs\]|threads were stopped: (?P<stopped>[0-9]{1,6}\.[0-9]{1,9}) s",
    re.MULTILINE,
)


class Pause(NamedTuple):
    """One pause, from when the process stopped until its log told of it (naive UTC); ``place`` is the file that tells."""

    began: datetime
    ended: datetime
    place: str
    row: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.began).total_seconds()


def length_of(text: str) -> float | None:
    """The seconds that a line of a collection log says the process stood still.

    >>> length_of("GC(432) Pause Full (G1 Compaction Pause) 4092M->3990M(4096M) 14188.412ms")
    14.188412
    >>> length_of("GC(433) Concurrent Mark Cycle 2211.412ms")
    """
    found = _TOOK.search(text[:4000])
    if found is None:
        return None
    return float(found["ms"]) / 1e3 if found["ms"] else float(found["s"] or found["stopped"])


def pauses(view: View, start: datetime, end: datetime) -> list[Pause]:
    """The long pauses that may have begun or ended between two times, of what may serve requests."""
    found = []
    for row in view.rows(
        "SELECT _artifact, _line, time, pid, message, message AS said FROM app_log "
        f"WHERE time BETWEEN ? AND ? AND regexp_matches(message, {literal(_PREFILTER)}) ORDER BY time LIMIT {MOST}",
        *(start - LONGEST, end + LONGEST),
    ):
        took = length_of(str(row["message"]))
        if took is None or not SHORTEST <= took < LONGEST.total_seconds():
            continue
        place = view.cite([row], 1)[0].file
        if not beside("", place):
            found.append(Pause(row["time"] - timedelta(seconds=took), row["time"], place, row))
    return found


def pause_of(view: View, table: str, one: Ask, told: Sequence[Pause]) -> tuple[Pause, bool] | None:
    """The pause that took up a good part of a request's wait, and whether it is known to be of the host that was asked."""
    for pause in told:
        shared = (min(pause.ended, one.ended + MARGIN) - max(pause.began, one.started - MARGIN)).total_seconds()
        here = _here(one, pause)
        if one.lasted and shared >= one.lasted * HALF and here is not False and not _answered(view, table, one, pause):
            return pause, bool(here)
    return None


def _here(one: Ask, pause: Pause) -> bool | None:
    """Whether the pause is of the request's host, as far as the folders tell: true if they are one, null where nothing tells."""
    folders, own = pause.place.split("/")[:-1], one.place.split("/")[:-1]
    hosts = [address for part in folders if (address := address_of(part))]
    if hosts and address_of(one.target):
        return address_of(one.target) in hosts
    shorter = min(len(folders), len(own))
    if shorter and folders[:shorter] == own[:shorter]:
        return True
    return same_place(pause.place, one.place) if own else None


def _answered(view: View, table: str, one: Ask, pause: Pause) -> bool:
    """Whether the target that was asked answered somebody while the process is said to have stood still."""
    if table != "alb_access" or pause.seconds <= 2 * MARGIN.total_seconds():
        return False
    rows = view.rows(
        "SELECT 1 AS one FROM alb_access WHERE target_ip = ? AND target_status < 500 AND time BETWEEN ? AND ? LIMIT 1",
        *(one.row.get("target_ip"), pause.began + MARGIN, pause.ended - MARGIN),
    )
    return bool(rows)
