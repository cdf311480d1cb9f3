"""Calls that the application made itself: it logs their status as it logs that of the requests it serves.

An answer reaches a client only through the relays in front of the application. Where the log of one of them has the other requests of the
same application log, covers the moment, and gave nobody such a status at that time, the record is of a call to somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.correlate.owner import APPLICATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.correlate.journey import Exchange
    from kyumei.model.window import Window
    from kyumei.store.case import Case

RELAYS = ("cloudfront", "alb", "clb", "apigateway", "nginx", "apache")
FEWEST = 3
"""Requests of the application's log that the relay's must have."""
SHARE = 0.5
_NEAR = "INTERVAL 15 MINUTE"
_SECONDS = "INTERVAL 5 SECOND"


def without_own_calls(case: Case, found: Sequence[Exchange], window: Window, covering: Mapping[str, bool]) -> list[Exchange]:
    """The exchanges without those that only the application recorded and that are no request of a client."""
    relays = [relay for relay in RELAYS if covering.get(relay)]
    alone = [one for one in found if one.outermost["hop"] in APPLICATIONS and one.outermost["status"] is not None]
    own: set[int] = set()
    for relay in relays if alone else ():
        rows = [one.outermost for one in alone]
        answered = _answered(case, relay, rows)
        missed = {(row["table_name"], row["_artifact"]) for number, row in enumerate(rows) if number not in answered}
        served = {log for log in missed if _serves(case, relay, log, window)}
        own |= {
            id(one)
            for number, one in enumerate(alone)
            if number not in answered and (one.outermost["table_name"], one.outermost["_artifact"]) in served
        }
    return [one for one in found if id(one) not in own]


def _answered(case: Case, relay: str, rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """The places of the rows at whose time the relay gave anybody the same status, under whatever path."""
    asked = [[row[name] for row in rows] for name in ("status", "started", "time")]
    found = case.rows(
        f"""SELECT n FROM (SELECT unnest(?::INTEGER[]) AS n, unnest(?::BIGINT[]) AS status, unnest(?::TIMESTAMP[]) AS started,
                unnest(?::TIMESTAMP[]) AS time) own
            WHERE EXISTS (SELECT 1 FROM sightings r WHERE r.hop = ? AND r.status = own.status AND r.time >= own.started - {_SECONDS}
                AND r.started <= own.time + {_SECONDS})""",
        [list(range(len(rows))), *asked, relay],
    )
    return {row["n"] for row in found}


def _serves(case: Case, relay: str, log: tuple[str, int], window: Window) -> bool:
    """Whether the relay has the rest of the requests of an application's log."""
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    total, met = case.con.execute(
        f"""WITH own AS (SELECT path, started, time FROM sightings WHERE table_name = ? AND _artifact = ? AND path IS NOT NULL
                AND status IS NOT NULL AND time >= ?::TIMESTAMP - {_NEAR} AND time < ?::TIMESTAMP + {_NEAR} LIMIT 1000)
        SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT 1 FROM sightings r WHERE r.hop = ? AND r.path = own.path
            AND r.time >= own.started - {_SECONDS} AND r.started <= own.time + {_SECONDS})) FROM own""",
        [*log, start, end, relay],
    ).fetchone() or (0, 0)
    return bool(met >= FEWEST and met >= total * SHARE)
