"""What records and configuration tell of redirects that go round: where they lead, and over which protocol each hop was asked.

The usual circle: whoever stands in front takes HTTPS from the client and asks over HTTP what lies behind; that sees ``http`` and sends
the client to ``https``, where it already is. Follows "Redirect actions" of the Elastic Load Balancing user guide and "Requiring HTTPS for
communication between CloudFront and your custom origin" of the Amazon CloudFront Developer Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from kyumei.edge.balancer.answer import last_action
from kyumei.edge.circles import FEWEST, REDIRECTING, circles
from kyumei.edge.cloudfront.setting import place_of
from kyumei.edge.documents import as_map
from kyumei.edge.probe import PORTS, scheme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import Failure, View
    from kyumei.model.finding import Citation

    Row = Mapping[str, Any]
EDGES = {"cloudfront": "cloudfront_access", "alb": "alb_access"}
"""Hops whose record tells the protocol, with their tables."""


def going_round(view: View, failure: Failure) -> list[dict[str, Any]]:
    """The steps of the longest circle among the failing requests, at their outermost hop; empty where no client goes round."""
    hop, seen = next(((hop, rows) for hop, rows in failure.sightings.items() if hop != "waf" and rows), ("", ()))
    if len(seen) < FEWEST:
        return []
    start, end = (moment.replace(tzinfo=None) for moment in (view.window.start, view.window.end))
    rows = view.rows(
        "SELECT * FROM sightings WHERE hop = ? AND time >= ? AND started < ? AND list_contains(?::VARCHAR[], coalesce(client_ip, ''))",
        hop,
        start,
        end,
        sorted({row.get("client_ip") or "" for row in seen}),
    )
    own = {(row.get("path"), row.get("status")) for row in seen}
    found = [circle for circle in circles(rows) if (circle[0]["path"], circle[0]["status"]) in own]
    return max(found, key=len, default=[])


def whole(view: View, sighting: Row) -> dict[str, Any]:
    """The record behind a sighting of CloudFront or a load balancer; what the sighting tells for all others."""
    table = sighting["table_name"]
    if table not in EDGES.values():
        return dict(sighting)
    found = view.rows(
        f'SELECT * FROM "{table}" WHERE _artifact = ? AND _line = ? AND path IS NOT DISTINCT FROM ?',
        sighting["_artifact"],
        sighting["_line"],
        sighting["path"],
    )
    return found[0] if found else dict(sighting)


def address(row: Row, *, host: str | None = None, over: str = "") -> tuple[object, ...]:
    """The address that a record's request was for, in a form to compare; ``host`` and ``over`` where another hop knows them better."""
    return (over or scheme(row), str(host or row.get("host") or "").lower(), row.get("path") or "/", row.get("query") or "")


def leads_to(url: str) -> tuple[object, ...] | None:
    """The address in a Location, in the same form; null where it is none, or on a port of its own."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or port not in {None, PORTS[parts.scheme]}:
        return None
    return (parts.scheme, (parts.hostname or "").lower(), parts.path or "/", parts.query)


def origin_protocol(view: View, row: Row) -> tuple[str, Citation] | None:
    """How CloudFront asks the origin of a row (OriginProtocolPolicy), and where that is told; null where the case does not hold it."""
    place = place_of(view, row)
    policy = str(as_map(place.origin.get("CustomOriginConfig")).get("OriginProtocolPolicy") or "")
    return (policy, place.distribution.citation) if policy and place.distribution else None


class Circle(NamedTuple):
    """A circle: its steps at the outermost hop, the first of them as its log tells it, and the answerer's own record of one."""

    failure: Failure
    steps: list[dict[str, Any]]
    outer: Row
    own: Row

    @property
    def over(self) -> str:
        """The protocol that the client spoke, as far as it is told."""
        return scheme(self.outer)

    @property
    def listener(self) -> bool:
        """Whether a redirect action of a listener rule made the answers."""
        return self.failure.hop == "alb" and last_action(self.own) == "redirect"

    @property
    def comes_back(self) -> bool:
        """Whether the listener's redirect leads where the client already was."""
        target = leads_to(str(self.own.get("redirect_url") or ""))
        host = None if self.failure.table == self.outer.get("table_name") else self.own.get("host")
        return self.listener and target is not None and target == address(self.outer, host=host)


def circle_of(view: View, failure: Failure) -> Circle | None:
    """The circle in which a failure's requests go; null where none does.

    Nor is it one where a program asks again and again over http, is sent to https each time, and does not follow.
    """
    if not failure.rows or failure.rows[0].get("status") not in REDIRECTING or not (steps := going_round(view, failure)):
        return None
    paths = {step["path"] for step in steps}
    own = next((row for row in failure.rows if row.get("path") in paths), failure.rows[0])
    found = Circle(failure, steps, {**steps[0], **whole(view, steps[0])}, own)
    direct = found.listener and found.over == "http" and failure.table == found.outer["table_name"]
    return None if direct and not found.comes_back else found
