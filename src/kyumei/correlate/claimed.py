"""Whose request it was, where anybody may write any address into X-Forwarded-For."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.correlate.addresses import address, addresses, last_public

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.correlate.journey import Exchange
    from kyumei.store.case import Case

USUAL_CHAINS = 0.5
"""Share of requests with several addresses in X-Forwarded-For from which proxies in front of the first log are the rule."""


def of_client(case: Case, stated: str, found: Sequence[Exchange]) -> list[Exchange]:
    """The requests that came from the stated address, before those that only claim to.

    X-Forwarded-For begins with what the client says it is, and ends with what the last proxy saw. A record of the address itself counts
    most, then one at the end of the chain. Further in front it may be true where chains are the rule, as behind CloudFront; where they
    are not, somebody made it up.
    """
    client = address(stated)
    own = [one for one in found if address(one.outermost["client_ip"] or "") == client]
    seen = own or [
        one for one in found if any(last_public(row["client_ip"], row["forwarded_for"]) == client for row in one.sightings.values())
    ]
    claimed = [one for one in found if any(client in addresses(row["forwarded_for"]) for row in one.sightings.values())]
    if seen or not claimed:
        return seen or list(found)
    chained = "SELECT avg(CASE WHEN contains(forwarded_for, ',') THEN 1 ELSE 0 END) FROM sightings WHERE forwarded_for IS NOT NULL"
    return list(found) if (case.value(chained) or 0) >= USUAL_CHAINS else [one for one in found if one not in claimed]
