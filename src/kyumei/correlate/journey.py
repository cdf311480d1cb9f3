"""One request through all logs: by id where one exists, else by time, method, path and client, with the quality of the match stated.

An *exchange* is one request with its record at each hop that has one. Records are matched from the outermost hop inwards, one to one, so
that a record that belongs to one request is never taken for another's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.correlate.addresses import address, addresses, is_private
from kyumei.correlate.claimed import of_client
from kyumei.correlate.mounts import mounts
from kyumei.correlate.relays import one_behind_another
from kyumei.correlate.sightings import TIES, position
from kyumei.correlate.stated import condition, given_up, going_round, is_client, is_path, matches, slower_than_usual
from kyumei.model.symptom import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kyumei.correlate.mounts import Mount
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

SLACK = timedelta(seconds=2)
"""Clocks of hosts in one region differ by less; logs that keep whole seconds lose up to one."""
AROUND = timedelta(seconds=60)
"""How far outside the window records are looked at, so that a request on its edge finds its other records."""
MOST = 20_000
"""Records that are matched one by one; beyond that the nearest to the moment are, and the rest is counted."""
BY_ID = "trace id"
BY_REQUEST = "request id"
BY_CLIENT = "time, method, path and client"
BY_TIME = "time, method and path"
GAVE_UP = frozenset({0, 499, 502, 503, 504, 408, 460})
"""Statuses of a hop that no longer waited, or could not use what came: behind it the same request may have ended otherwise."""

Row = dict[str, Any]

LEFT = 499
"""What nginx writes where whoever had asked it left, be it the client or a relay in front of it that gave up."""
INNERMOST = frozenset({"server", "app"})
RELAYS = frozenset({"cloudfront", "alb", "apigateway"})
"""Hops whose record tells when the answer was sent; what lies behind ended before."""
STARTS = frozenset({"apache"})
"""Hops whose log gives the moment at which a request came, and not always how long it took."""
TELLING = frozenset({"alb", "clb"})
"""Hops whose record tells the status that they got beside the one that they gave."""
LAST_FRONT = "apigateway"
"""The innermost hop in front of the servers; those further out may stand one behind another of their kind."""
AT_THE_EDGE = frozenset(
    {"Hit", "OriginShieldHit", "Redirect", "LimitExceeded", "CapacityExceeded", "OriginDnsError", "OriginConnectError", "ClientGeoBlocked"}
)
"""Results with which CloudFront hands nothing on to its origin."""
CLOUDFRONT = "Amazon CloudFront"
"""The user agent with which CloudFront asks its origin."""


@dataclass
class Exchange:
    """One request: its record at each hop, outermost first, and how they were joined."""

    sightings: dict[str, Row] = field(default_factory=dict)
    joined_by: set[str] = field(default_factory=set)

    @property
    def outermost(self) -> Row:
        """The record furthest out."""
        return next(iter(self.sightings.values()))

    @property
    def innermost(self) -> Row:
        """The record furthest in."""
        return list(self.sightings.values())[-1]

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first start and the last end among its records."""
        seen = self.sightings.values()
        return min(row["started"] for row in seen), max(row["time"] for row in seen)

    @property
    def trace_id(self) -> str | None:
        """The trace id of the request, as the outermost record that has one tells it: CloudFront's has none."""
        return next((row["trace_id"] for row in self.sightings.values() if row["trace_id"]), None)

    @property
    def ended_at_edge(self) -> bool:
        """Whether CloudFront's record says that it handed nothing on; AWS WAF at CloudFront sees such a request all the same."""
        edge = self.sightings.get("cloudfront")
        return bool(edge and not AT_THE_EDGE.isdisjoint((edge["kind"] or "").split("|")))

    @property
    def blocked(self) -> bool:
        """Whether WAF's own record says that it did not let the request go on."""
        return bool(self.sightings.get("waf", {}).get("own"))


Pair = tuple[int, float, int, int, Row, Exchange, str]
"""A record that may be of an exchange: how well it fits (less is better), seconds apart, both places, both, and the quality in words."""


def _contradicts(symptom: Symptom, one: Exchange) -> bool:
    """Whether a record of the request, if not the one that fits, names another host or another client than was stated."""
    outer = one.outermost
    if symptom.host and outer["host"] and outer["host"].lower() != symptom.host.lower():
        return True
    if not symptom.client or is_private(outer["client_ip"]) or not outer["client_ip"]:
        return False
    told = ({**row, "client_ip": row["client_ip"] or outer["client_ip"]} for row in one.sightings.values())
    return not any(is_client(symptom.client, row, sure=True) for row in told)


def exchanges(case: Case, symptom: Symptom, window: Window) -> tuple[list[Exchange], int]:
    """The requests of the window that fit the symptom, with all their records, nearest first, and how many there are in all."""
    conditions, parameters = condition(symptom)
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    middle = (symptom.moment or window.middle).replace(tzinfo=None)
    wanted = case.rows(
        f"SELECT * FROM sightings WHERE time >= ? AND started < ? AND {conditions} ORDER BY abs(epoch(time - ?::TIMESTAMP)), {TIES} "
        f"LIMIT {MOST}",
        [start, end, *parameters, middle],
    )
    wanted = [row for row in wanted if matches(symptom, row)]
    if symptom.by_time:
        wanted = slower_than_usual(case, wanted)
    if symptom.kind is Trouble.TIMED_OUT:
        wanted = given_up(wanted)
    if symptom.in_circles:
        wanted = going_round(case, wanted)
    if symptom.path:
        wanted = [row for row in wanted if is_path(symptom.path, row)] or wanted
    if not wanted:
        return [], 0
    hung = mounts(case, window)
    paths = _either_side(sorted({row["path"] or "" for row in wanted})[:500], hung)
    traces = {row["trace_id"]: row["path"] for row in wanted if row["trace_id"] and row["path"]}
    pool = case.rows(
        "SELECT * FROM sightings WHERE time >= $1 AND started < $2 AND (list_contains($3::VARCHAR[], coalesce(path, '')) OR "
        "(path IS NULL AND hop = 'waf' AND list_contains($5::VARCHAR[], trace_id)) OR (hop IN ('server', 'app') AND length(path) > 1 "
        "AND len(list_filter($3::VARCHAR[], lambda whole: ends_with(whole, path))) > 0)) "
        f"ORDER BY abs(epoch(time - $4::TIMESTAMP)), {TIES} LIMIT {MOST}",
        [start - AROUND, end + AROUND, paths, middle, list(traces)],
    )
    # Where WAF's log redacts the path, the request's other record tells it.
    pool = [{**row, "path": traces.get(row["trace_id"])} if row["hop"] == "waf" and row["path"] is None else row for row in pool]
    joined = join(pool, hung)
    chosen = {(row["table_name"], row["_artifact"], row["_line"], row["time"]) for row in wanted}
    found = [
        one
        for one in joined
        if any((row["table_name"], row["_artifact"], row["_line"], row["time"]) in chosen for row in one.sightings.values())
    ]
    found = [one for one in found if not _contradicts(symptom, one)]
    if symptom.client:
        found = of_client(case, symptom.client, found)
    found.sort(key=lambda one: abs((one.outermost["time"] - middle).total_seconds()))
    return found, len(found)


def _either_side(paths: Sequence[str], hung: Sequence[Mount]) -> list[str]:
    """The paths, also as the other side of CloudFront and API Gateway writes them."""
    others = (other for path in paths for one in hung for other in (one.inside(path), one.outside(path)) if other)
    return list(dict.fromkeys((*paths, *others)))


def join(rows: Iterable[Row], hung: Sequence[Mount] = ()) -> list[Exchange]:
    """Match records of several hops to exchanges, from the outermost hop inwards. ``hung`` is how paths differ behind CloudFront."""
    by_hop: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (position(row["hop"]), row["time"], row["_artifact"], row["_line"])):
        by_hop.setdefault(row["hop"], []).append(row)
    found: list[Exchange] = []
    at_the_front = True
    for hop, own in by_hop.items():
        if at_the_front and position(hop) > position(LAST_FRONT):
            found, at_the_front = one_behind_another(found, _asked_by_edge, (BY_ID, BY_TIME)), False
        found += [Exchange({hop: row}) for row in _attach(hop, own, found, hung)]
    return one_behind_another(found, _asked_by_edge, (BY_ID, BY_TIME)) if at_the_front else found


def _attach(hop: str, rows: Sequence[Row], found: list[Exchange], hung: Sequence[Mount]) -> list[Row]:
    """Give each record of a hop to the exchange it belongs to; those that belong to none."""
    left: list[Row] = []
    by_path = _by(lambda one: one.outermost["path"], found)
    for seen in found if hung else ():
        outer = seen.outermost["path"] or ""
        for path in {*_either_side([outer], hung), *(row["path"] for row in seen.sightings.values() if row["path"])} - {outer}:
            by_path.setdefault(path, []).append(seen)
    by_trace = _by(lambda one: one.trace_id, found)
    # AWS WAF at CloudFront names requests as CloudFront does.
    by_request = _by(lambda one: one.outermost["request_id"], found) if hop == "waf" else {}
    for row in rows:
        same = _of_id(hop, row, by_trace.get(row["trace_id"], [])) if row["trace_id"] else None
        named = _of_id(hop, row, by_request.get(row["request_id"], [])) if same is None and row["request_id"] else None
        if (one := same or named) is not None:
            one.sightings[hop] = row
            one.joined_by.add(BY_ID if same else BY_REQUEST)
        else:
            left.append(row)
    near = {path: _Spans.of(same) for path, same in by_path.items()}
    pairs = list(_pairs(hop, left, near))
    if hop in INNERMOST:
        pairs += _rewritten(hop, left, near)
    taken: set[int] = set()
    for _, _, index, _, row, one, quality in sorted(pairs, key=lambda pair: pair[:4]):
        if index not in taken and hop not in one.sightings:
            taken.add(index)
            one.sightings[hop] = row
            one.joined_by.add(quality)
    return [row for index, row in enumerate(left) if index not in taken]


def _by(key: Callable[[Exchange], str | None], found: Sequence[Exchange]) -> dict[str, list[Exchange]]:
    """Exchanges by a text of theirs, where they have it."""
    grouped: dict[str, list[Exchange]] = {}
    for one in found:
        if (value := key(one)) is not None:
            grouped.setdefault(value, []).append(one)
    return grouped


class _Spans(NamedTuple):
    """Exchanges of one path in order of their first moment, so that those that a record may be of are found without asking each."""

    starts: Sequence[datetime]
    numbered: Sequence[tuple[int, Exchange]]
    longest: timedelta

    @classmethod
    def of(cls, exchanges: Sequence[Exchange]) -> _Spans:
        """The spans of exchanges, which keep their numbers."""
        spans = sorted((*one.span, number) for number, one in enumerate(exchanges))
        longest = max((end - start for start, end, _ in spans), default=timedelta(0))
        return cls([start for start, _, _ in spans], [(number, exchanges[number]) for _, _, number in spans], longest)

    def near(self, row: Row) -> Sequence[tuple[int, Exchange]]:
        """At least those that ``_fits`` does not refuse for their time alone, each with its number."""
        earliest = max(row["started"] - SLACK, row["time"] - AROUND) - self.longest
        return self.numbered[bisect_left(self.starts, earliest) : bisect_right(self.starts, row["time"] + SLACK)]


def _pairs(hop: str, rows: Sequence[Row], by_path: Mapping[str, _Spans]) -> Iterator[Pair]:
    """Pairs of a record and an exchange of the same path that fit each other."""
    for index, row in enumerate(rows):
        for order, one in by_path[row["path"]].near(row) if row["path"] in by_path else ():
            if quality := _fits(hop, row, one):
                yield (0 if quality == BY_CLIENT else 1, _apart(row, one), index, order, row, one, quality)


def _rewritten(hop: str, rows: Sequence[Row], by_path: Mapping[str, _Spans]) -> Iterator[Pair]:
    """Pairs of an application's record and an exchange whose path ends with the record's: the relay took off what stands before."""
    for index, row in enumerate(rows):
        if row["path"] is None or len(row["path"]) == 1 or row["path"] in by_path:
            continue
        for path in by_path:
            for order, one in by_path[path].near(row) if path.endswith(row["path"]) else ():
                if row["status"] is not None and row["status"] == one.innermost["status"] and (quality := _fits(hop, row, one)):
                    yield (2, _apart(row, one), index, order, row, one, f"{quality} (its end)")


def _apart(row: Row, one: Exchange) -> float:
    """Seconds between a record and an exchange: of their ends, or, where the record tells only when the request came, of their starts."""
    inner = one.innermost
    if row["hop"] in STARTS and row["time"] == row["started"]:
        return abs(float((row["started"] - inner["started"]).total_seconds()))
    return abs(float((row["time"] - inner["time"]).total_seconds()))


def _of_id(hop: str, row: Row, candidates: Sequence[Exchange]) -> Exchange | None:
    """The exchange of that trace id to which a record belongs: a client may send one id often, and a relay may rewrite the path."""
    free = [one for one in candidates if hop not in one.sightings and (not one.blocked or _may_follow_block(row))]
    alike = [one for one in free if one.outermost["path"] == row["path"] and _same_method(one.outermost, row)]
    near = sorted(alike, key=lambda one: abs((one.outermost["time"] - row["time"]).total_seconds()))
    if near:
        return near[0]
    return free[0] if len(free) == len(candidates) == 1 else None


def _fits(hop: str, row: Row, one: Exchange) -> str | None:
    """How well a record fits an exchange: BY_CLIENT, BY_TIME, or not at all."""
    if hop in one.sightings or (one.blocked and not _may_follow_block(row)) or (one.ended_at_edge and _behind_edge(row)):
        return None
    outer, trace = one.outermost, one.trace_id
    if trace and row["trace_id"] and trace != row["trace_id"]:
        return None
    if not (_same_method(outer, row) and _agree(one, row)):
        return None
    if row["query"] and outer["query"] and row["query"] != outer["query"]:
        return None
    earliest, latest = one.span
    # WAF writes when a request comes in; what lies behind it ends later, by as much as the request takes.
    lasting = SLACK if RELAYS & one.sightings.keys() else AROUND
    if not (earliest - SLACK <= row["time"] and row["started"] <= latest + SLACK and row["time"] <= latest + lasting):
        return None
    clients = {address(outer["client_ip"])} if outer["client_ip"] else set()
    theirs = {one for one in (address(row["client_ip"] or ""), *addresses(row["forwarded_for"])) if one}
    real = {one for one in theirs if not is_private(one)}
    if clients & theirs:
        return BY_CLIENT
    if real and clients and not any(is_private(client) for client in clients) and not _asked_by_edge(one, row):
        return None
    return BY_TIME


def _same_method(one: Row, other: Row) -> bool:
    """Whether two records may have one method; a record may not tell it, as WAF's where it is redacted."""
    return one["method"] == other["method"] or not one["method"] or not other["method"]


def _behind_edge(row: Row) -> bool:
    """Whether a record is of a component behind CloudFront; AWS WAF stands in front of a load balancer or at CloudFront itself."""
    return row["hop"] not in {"cloudfront", "waf"} or bool(row["trace_id"])


def _asked_by_edge(one: Exchange, row: Row) -> bool:
    """Whether the client in a record may be an address of CloudFront's, which is whom its origin is asked by (EDGE-156).

    It calls itself by its own name, unless it hands on the viewer's agent.
    """
    agents = {None, CLOUDFRONT, one.outermost["user_agent"]}
    behind = row["hop"] in {"alb", "clb", "apigateway", "waf"} and _behind_edge(row)
    return "cloudfront" in one.sightings and behind and row["user_agent"] in agents


def _agree(one: Exchange, row: Row) -> bool:
    """Whether the status of a record further in may have become the exchange's: a relay hands on what it got, unless it gave up."""
    told = [seen for seen in one.sightings.values() if seen["status"] is not None and seen["hop"] != "waf"]
    if not told or row["status"] is None or row["status"] in {told[-1]["status"], told[-1]["target_status"]}:
        return True
    last = told[-1]
    return last["status"] in GAVE_UP and (last["hop"] not in TELLING or (last["target_status"] is None and row["status"] == LEFT))


def _may_follow_block(row: Row) -> bool:
    """Whether a record can be of a request that WAF stopped: only the balancer or API in front of which WAF stands writes one."""
    return bool(row["hop"] in {"alb", "apigateway"} and row["own"] is not True and row["target_ip"] is None)
