"""Web sockets that a person says close: an access log has them as answered well (101), so that its silence about failures says nothing.

What it does tell is how long each was open; many that were open equally long were closed by a timer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.correlate.hops import TITLES
from kyumei.model.finding import Gap

if TYPE_CHECKING:
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

_SPOKEN = re.compile(r"web ?socket|\bwss?://|\bsocket\.io\b|\b1006\b", re.IGNORECASE)
FEWEST = 3
WITHIN_SECONDS = 1.0
SHARE = 0.8


def speaks_of_sockets(symptom: Symptom) -> bool:
    """Whether the person speaks of web sockets, and names no status by which a request would have failed."""
    return symptom.status is None and symptom.status_class is None and _SPOKEN.search(symptom.text) is not None


def closed_alike(case: Case, window: Window) -> list[str]:
    """That most of the sockets that closed in the window, and lasted, were open equally long: a clause for each hop."""
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    rows = case.rows(
        "SELECT hop, count(*) AS n, median(epoch(time - started)) AS usual, "
        "list(epoch(time - started)) AS lasted FROM sightings WHERE status = 101 AND time >= ? AND started < ? AND time > started "
        "GROUP BY hop ORDER BY hop",
        [start, end],
    )
    found = []
    for row in rows:
        alike = sum(abs(one - row["usual"]) <= WITHIN_SECONDS for one in row["lasted"])
        if alike >= max(FEWEST, SHARE * row["n"]):
            found.append(
                f"{alike} of {row['n']} web sockets at {TITLES.get(row['hop'], row['hop'])} were closed {row['usual']:.0f} s after they "
                "were opened: a timer closes them, such as an idle timeout that no ping keeps from running out"
            )
    return found


def how_it_closed() -> Gap:
    """What would tell why a web socket was closed."""
    return Gap(
        "close code and reason of the web socket, as the browser and the application log it",
        "who closed the web socket, and why: an access log has only that it was opened (101) and how long it was open",
        "log both at the application, and compare how long the sockets were open with the idle timeouts of load balancer and web server",
    )
