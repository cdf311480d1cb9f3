"""Where an API hangs in the paths of the distribution in front of it: the parts that only one of both writes, learnt from their records.

A viewer asks CloudFront for ``/orders``, and an origin path makes ``/prod/orders`` of it; or the viewer writes the stage itself, or the key
of a base path mapping, of which API Gateway's record has the stage or nothing. No configuration need be there to see it: of most requests
that the API has, CloudFront has one at the same moment, with the same method and status, whose path differs in front only, and always in
the same way. Follows "Origin path" of "Distribution settings" in the Amazon CloudFront guide and "Use API mappings to connect API stages to
a custom domain name" in the Amazon API Gateway guide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kyumei.model.window import Window
    from kyumei.store.case import Case

AROUND = timedelta(minutes=30)
"""How far around the moment requests are compared."""
SAMPLE = 400
"""Requests of the API that are compared."""
FEWEST = 3
"""Requests that must differ alike; where what differs is the stage that the record names, one will do."""
MOSTLY = 0.5
"""Share of the requests beside which CloudFront has any: others may ask the API without it."""
FRONT, BEHIND = "cloudfront_access", ("api_gateway_access", "api_gateway_execution")


class Mount(NamedTuple):
    """What stands in front of the same rest of a path: in CloudFront's records, and in API Gateway's as they are compared."""

    outer: str
    inner: str

    def inside(self, path: str) -> str | None:
        """The path as API Gateway's records have it, null where it lies elsewhere."""
        return self.inner + path.removeprefix(self.outer) if path.startswith(f"{self.outer}/") else None

    def outside(self, path: str) -> str | None:
        """The path as CloudFront's records have it, null where it lies elsewhere."""
        return self.outer + path.removeprefix(self.inner) if path.startswith(f"{self.inner}/") else None


def mounts(case: Case, window: Window) -> tuple[Mount, ...]:
    """How paths differ between CloudFront and the APIs behind it; empty where they do not, or nothing shows it."""
    if FRONT not in case.filled or not any(table in case.filled for table in BEHIND):
        return ()
    rows = case.rows(
        f"""WITH inner_side AS (SELECT *, row_number() OVER (ORDER BY hash(_artifact, _line), _artifact, _line) AS number FROM sightings
            WHERE hop = 'apigateway' AND path IS NOT NULL AND time BETWEEN $start AND $end ORDER BY number LIMIT {SAMPLE})
        SELECT i.number, i.kind, i.path AS inside, list(DISTINCT o.path) AS outsides
        FROM inner_side i JOIN sightings o ON o.hop = 'cloudfront'
            AND o.time BETWEEN $start::TIMESTAMP - INTERVAL 2 SECOND AND $end::TIMESTAMP + INTERVAL 2 SECOND
            AND o.time BETWEEN i.time - INTERVAL 2 SECOND AND i.time + INTERVAL 2 SECOND AND o.status = i.status
            AND coalesce(o.method = i.method, true) AND o.path IS NOT NULL GROUP BY ALL ORDER BY 1""",
        {"start": (window.start - AROUND).replace(tzinfo=None), "end": (window.end + AROUND).replace(tzinfo=None)},
    )
    asked, alike = Counter[str](), defaultdict[str, Counter[Mount]](Counter)
    for row in rows:
        api = "|".join(str(row["kind"] or "").split("|")[:2])
        asked[api] += 1
        alike[api].update(set(_differences(row["inside"], row["outsides"])))
    return tuple(sorted({best for api, counted in alike.items() if (best := _best(api, counted, asked[api])) is not None}))


def _differences(inside: str, outsides: list[str]) -> Iterator[Mount]:
    """How a path may lie in each of some others: what differs in front of the parts that they have in common."""
    own = inside.split("/")
    for path in outsides:
        other, same = path.split("/"), 0
        while same < min(len(own), len(other)) - 1 and own[-1 - same] == other[-1 - same]:
            same += 1
        if same and any(own[-same:]):
            yield Mount("/".join(other[:-same]), "/".join(own[:-same]))


def _best(api: str, counted: Counter[Mount], asked: int) -> Mount | None:
    """The one way in which most paths of an API differ; null where most do not, or too few do."""
    (best, often), *_ = counted.most_common(1) or [(Mount("", ""), 0)]
    if best == Mount("", "") or counted[Mount("", "")] >= often or often < MOSTLY * asked:
        return None
    stage = {best.outer, best.inner} - {""} <= {f"/{part}" for part in api.split("|") if part}
    return best if often >= FEWEST or stage else None
