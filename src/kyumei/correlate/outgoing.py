"""Calls that the application made itself: it logs their status as it logs that of the requests it serves.

An answer reaches a client only through the relays in front of the application. Where the log of one of them has the other requests of the
same application log, covers the moment, and gave nobody such a status at that time, the record is of a call to somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.correlate.owner import APPLICATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.correlate.journey import Exchange
    from kyumei.model.window import Window
    from kyumei.store.case import Case

RELAYS = ("alb", "nginx", "apache")
FEWEST = 3
"""Requests of the application's log that the relay's must have."""
SHARE = 0.5
_NEAR = "INTERVAL 15 MINUTE"
_SECONDS = "INTERVAL 5 SECOND"


def is_own_call(case: Case, one: Exchange, window: Window, covering: Mapping[str, bool]) -> bool:
    """Whether an exchange that only the application recorded is no request of a client."""
    row = one.outermost
    if row["hop"] not in APPLICATIONS or row["status"] is None:
        return False
    return any(_alien(case, relay, one, window) for relay in RELAYS if covering.get(relay))


def _alien(case: Case, relay: str, one: Exchange, window: Window) -> bool:
    """Whether the relay, which has the rest of this application's requests, answered nobody so then, under whatever path."""
    row = one.outermost
    answered = case.value(
        "SELECT count(*) FROM sightings WHERE hop = ? AND status = ? "
        f"AND time >= ?::TIMESTAMP - {_SECONDS} AND started <= ?::TIMESTAMP + {_SECONDS}",
        [relay, row["status"], row["started"], row["time"]],
    )
    if answered:
        return False
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    total, met = case.con.execute(
        f"""WITH own AS (SELECT path, started, time FROM sightings WHERE table_name = ? AND _artifact = ? AND path IS NOT NULL
                AND status IS NOT NULL AND time >= ?::TIMESTAMP - {_NEAR} AND time < ?::TIMESTAMP + {_NEAR} LIMIT 1000)
        SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT 1 FROM sightings r WHERE r.hop = ? AND r.path = own.path
            AND r.time >= own.started - {_SECONDS} AND r.started <= own.time + {_SECONDS})) FROM own""",
        [row["table_name"], row["_artifact"], start, end, relay],
    ).fetchone() or (0, 0)
    return bool(met >= FEWEST and met >= total * SHARE)
