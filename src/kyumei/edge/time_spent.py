"""Where the time of a slow request went: what each component measured of it, from the records of the same request.

The load balancer measures three phases: until the request was handed to a target, until the target began to answer, until the answer
began to go to the client. With a web ACL or a Lambda target the first holds the client's upload; without, that is in the second.

Follows "Access logs for your Application Load Balancer" and "Access logs for your Classic Load Balancer" of the Elastic Load Balancing user
guide, and nginx's "Module ngx_http_upstream_module".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.model.status import FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import Failure, View

Row = dict[str, Any]
BALANCERS = {"alb": "alb_access", "clb": "clb_access"}
MOST = 20
"""Slow requests whose records are looked at one by one."""
LEAST_SECONDS = 1.0
HALF = 0.5
SMALL = 0.2
"""The part of a request's time that does not account for it."""


class Spent(NamedTuple):
    """One slow request at the load balancer: its row, how long it took in all, and the three phases in seconds."""

    hop: str
    row: Row
    total: float
    upload: float
    target: float
    response: float

    def most(self, phase: float) -> bool:
        """Whether one phase accounts for it."""
        return phase >= max(LEAST_SECONDS, self.total * HALF)


def spent(view: View, failure: Failure) -> list[Spent]:
    """What the load balancer measured of the failure's requests that were answered well; nothing where it has no record."""
    found: list[Spent] = []
    for hop, table in BALANCERS.items():
        for seen in failure.sightings.get(hop, ())[:MOST]:
            row = whole(view, table, seen)
            phases = [row.get(name) for name in ("request_seconds", "target_seconds", "response_seconds")] if row else []
            if row is None or any(one is None for one in phases) or (row.get("status") or FAILED) >= FAILED:
                continue
            upload, target, response = (float(one) for one in phases if one is not None)
            wall = (seen["time"] - seen["started"]).total_seconds()
            found.append(Spent(hop, row, max(wall, upload + target + response), upload, target, response))
    return found


def whole(view: View, table: str, seen: Mapping[str, Any]) -> Row | None:
    """The whole record behind a sighting."""
    rows = view.rows(f'SELECT * FROM "{table}" WHERE _artifact = ? AND _line = ? LIMIT 20', seen["_artifact"], seen["_line"])
    return next((row for row in rows if row["time"] in {seen["time"], seen["started"]}), rows[0] if rows else None)


def lasted(row: Mapping[str, Any]) -> float | None:
    """How long a sighting says that its hop had the request; null where it does not tell."""
    seconds = (row["time"] - row["started"]).total_seconds()
    return float(seconds) if seconds > 0 else None
