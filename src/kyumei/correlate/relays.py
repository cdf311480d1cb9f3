"""One request at two components of a kind: a load balancer behind another, a web ACL at CloudFront and one at its origin.

Each has a record of its own in the same table, so that one request is two exchanges. They are one where the inner one lies within the
outer one and its answer is what the outer one handed on; what the inner component did is the news, and its record is kept.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.correlate.sightings import position

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from datetime import datetime

    from kyumei.correlate.journey import Exchange

Row = dict[str, Any]
TWICE = ("waf", "alb")
"""Hops of which a request may pass several."""
SLACK = timedelta(seconds=2)
"""Logs that keep whole seconds, and clocks of hosts in one region, differ by less."""
NEAREST = 8
"""Exchanges on either side of a moment that are looked at, where only time, method and path can tell."""


def one_behind_another(found: Sequence[Exchange], asked_by_edge: Callable[[Exchange, Row], bool], words: tuple[str, str]) -> list[Exchange]:
    """The exchanges, those that are one request at two components of a kind made one.

    ``asked_by_edge`` says whether a record may be of what CloudFront asked for an exchange; ``words`` are how a match by id and one
    without are called.
    """
    if not any(len({name for one in found if (name := component(one, hop))}) > 1 for hop in TWICE):
        return list(found)
    by_request: dict[Hashable, list[int]] = {}
    for index, one in enumerate(found):
        by_request.setdefault((one.outermost["method"], one.outermost["path"]), []).append(index)
    gone: set[int] = set()
    for alike in by_request.values():
        pairs = sorted(_pairs(found, alike, asked_by_edge), key=lambda pair: pair[:4])
        for by_time, _, outer, inner in pairs:
            if outer in gone or inner in gone:
                continue
            gone.add(outer)
            _absorb(found[inner], found[outer], words[by_time])
    return [one for index, one in enumerate(found) if index not in gone]


def component(one: Exchange, hop: str) -> str:
    """Which web ACL or load balancer a record of the hop is of; empty where there is none."""
    row = one.sightings.get(hop)
    return str(row["kind"] or "").split("|")[0] if row else ""


def _pairs(
    found: Sequence[Exchange], alike: Sequence[int], asked_by_edge: Callable[[Exchange, Row], bool]
) -> Iterator[tuple[int, float, int, int]]:
    """Pairs of an exchange and one within it: 0 for a match by id else 1, seconds between their starts, and their places."""
    spans = {index: found[index].span for index in alike}
    by_trace: dict[str, list[int]] = {}
    by_status: dict[int | None, list[int]] = {}
    for index in sorted(alike, key=lambda index: spans[index][0]):
        if trace := found[index].trace_id:
            by_trace.setdefault(trace, []).append(index)
        if "cloudfront" not in found[index].sightings:
            by_status.setdefault(_status(found[index], innermost=False), []).append(index)
    starts = {status: [spans[index][0] for index in pool] for status, pool in by_status.items()}
    traced = {trace: [spans[index][0] for index in pool] for trace, pool in by_trace.items()}
    for outer in alike:
        start, end = spans[outer]
        near: list[int] = []
        if trace := found[outer].trace_id:
            near = [index for index in _nearest(by_trace[trace], traced[trace], start) if index != outer]
        elif "cloudfront" in found[outer].sightings:
            for status in {_status(found[outer], innermost=True), None} & by_status.keys():
                near += _nearest(by_status[status], starts[status], start)
        for inner in near:
            if _within(found[outer], found[inner], end) and (kind := _kind(found[outer], found[inner], asked_by_edge)) is not None:
                yield kind, abs((spans[inner][0] - start).total_seconds()), outer, inner


def _nearest(pool: Sequence[int], starts: Sequence[datetime], start: datetime) -> Sequence[int]:
    """Those of a pool that began about when another exchange did; of many that nothing tells apart a few will do."""
    place = bisect_left(starts, start)
    return pool[max(0, place - NEAREST) : place + NEAREST]


def _within(outer: Exchange, inner: Exchange, end: datetime) -> bool:
    """Whether the inner exchange is of another component of a kind, ended in time, and its answer is the one that was handed on."""
    twice = [hop for hop in TWICE if component(outer, hop) and component(inner, hop) and component(outer, hop) != component(inner, hop)]
    if not twice or outer.blocked or "cloudfront" in inner.sightings or inner.span[1] > end + SLACK:
        return False
    if inner.span[0] < outer.span[0] - SLACK or position(outer.outermost["hop"]) > position(inner.outermost["hop"]):
        return False
    balancer = outer.sightings.get("alb")
    if balancer is not None and balancer["own"] is not False:
        return False
    queries = {one.outermost["query"] for one in (outer, inner)} - {None}
    sent, got = _status(outer, innermost=True), _status(inner, innermost=False)
    return len(queries) <= 1 and (sent is None or got is None or sent == got)


def _status(one: Exchange, *, innermost: bool) -> int | None:
    """The status at the inner or the outer end of an exchange."""
    told = [row["status"] for row in one.sightings.values() if row["status"] is not None]
    return told[-1 if innermost else 0] if told else None


def _kind(outer: Exchange, inner: Exchange, asked_by_edge: Callable[[Exchange, Row], bool]) -> int | None:
    """0 where a trace id says that it is one request, 1 where CloudFront may have asked for it then, null where they are two."""
    if outer.trace_id and inner.trace_id:
        first = outer.span[0] <= inner.span[0]
        return 0 if outer.trace_id == inner.trace_id and first else None
    return 1 if asked_by_edge(outer, inner.outermost) or asked_by_edge(outer, inner.innermost) else None


def _absorb(inner: Exchange, outer: Exchange, word: str) -> None:
    """Give the inner exchange those records of the outer one that are of hops of their own."""
    rows = {**outer.sightings, **inner.sightings}
    ordered = sorted(rows, key=position)
    inner.sightings.clear()
    inner.sightings.update({hop: rows[hop] for hop in ordered})
    inner.joined_by |= outer.joined_by | {word}
