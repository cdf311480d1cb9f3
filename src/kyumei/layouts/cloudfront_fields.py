"""The names of CloudFront's fields, and what tells a record in which only some of them were chosen.

Follows "Standard logging reference" and "Configure standard logging (v2)" in the CloudFront developer guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

LEGACY = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) "
    "x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher "
    "x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte "
    "x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"
)
"""The fields of a legacy log, in order."""
_MORE = "timestamp(ms) DistributionId origin-fbl origin-lbl asn c-country cache-behavior-path-pattern"
"""Fields that may be chosen for version 2 besides those."""
_FEWEST = 3
"""Fields about the request that a record must have to be known by such names alone."""
_OF_REQUEST = re.compile(r"[cs]{1,2}[-_(][A-Za-z]", re.ASCII)
_PARQUET = re.compile("[^a-z0-9]+")


def in_parquet(name: str) -> str:
    """The name of a field as a column of Parquet: ``cs_user_agent`` for ``cs(User-Agent)``."""
    return _PARQUET.sub("_", name.lower()).strip("_")


_CHOSEN = frozenset(name for known in f"{LEGACY} {_MORE}".split() for name in (known, in_parquet(known)))


def are_chosen(names: Collection[str]) -> bool:
    """Whether names are fields of version 2, a time among them, and nothing else: a web server's log has some of its own."""
    timed = "timestamp(ms)" in names or "timestamp_ms" in names or ("date" in names and "time" in names)
    return timed and _CHOSEN.issuperset(names) and sum(_OF_REQUEST.match(name) is not None for name in names) >= _FEWEST
