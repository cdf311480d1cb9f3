"""What RDS says befell a database at a moment: a failover, a restart, storage that ran out; joined by the name that clients connect to.

An endpoint's first label is the name of the instance or cluster: ``shop-db.c9akciq32.eu-west-1.rds.amazonaws.com``. An event of a database
that nobody's error names is no evidence, however near it lies.

Follows "Amazon RDS event categories and event messages" in the Amazon RDS User Guide.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from kyumei.contracts import View

Row = dict[str, Any]
BEFORE, AFTER = timedelta(minutes=10), timedelta(minutes=3)
"""How long an outage may have begun before the failing requests, and its end be told after them."""
TROUBLE = (
    r"(?i)failover|fail over|\brestarted|\bshutdown|shut down|\bcrash|recovery of the DB|storage (?:is |has been )?(?:full|exhausted)|"
    r"out of (?:allocated )?storage|storage-full|being patched|taken offline"
)
"""For RE2 and Python alike: events during which a database serves nobody, or only in part."""
_ENDPOINT = re.compile(
    r"\b([a-z][a-z0-9-]{0,62})\.(?:cluster-(?:ro-|custom-)?|proxy-)?[a-z0-9]{6,20}\.[a-z]{2}-[a-z-]{4,20}-[0-9]\.rds\.amazonaws\.com"
)


def databases_in(texts: Iterable[str]) -> set[str]:
    """The names of the databases whose endpoints stand in these texts.

    >>> databases_in(['could not connect to server at "shop-db.c9akciq32abc.eu-west-1.rds.amazonaws.com"'])
    {'shop-db'}
    """
    return {found[1] for text in texts for found in _ENDPOINT.finditer(text[:4000])}


def database_events(view: View, names: Collection[str], start: datetime, end: datetime) -> list[Row]:
    """Events of these databases, or of members of these clusters, that tell of an outage around a span of time (naive UTC)."""
    if not names or not view.has("rds_event"):
        return []
    return view.rows(
        "SELECT _artifact, _line, time, resource, message FROM rds_event WHERE time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP "
        "AND list_contains(?::VARCHAR[], resource) AND regexp_matches(message, ?) ORDER BY time, _artifact, _line LIMIT 20",
        *(start - BEFORE, end + AFTER, sorted(names), TROUBLE),
    )
