"""By how much a log's clock differs from that of others, found from the requests that stand in both, and whether it changed within the log.

Nothing is known beforehand: two records of one request may lie hours and minutes apart, as a zone and a clock that is off make it
together. A difference is taken only where most of what can be compared agrees on it, over several paths, and no other comes near; two
of them, one after the other, only where the lines of the log part cleanly into a first piece and a second. A path weighs as much as any
other, however often it was asked for: a poller agrees with itself at every difference.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import duckdb

    LogKey = tuple[str, int, str | None]
    """What tells a log from others: a table, a file, and the table whose messages hold the rows, if any."""

STEP = 5
"""Seconds within which differences count as one: how long requests take."""
ENOUGH = 5
"""Requests that must agree."""
PATHS = 4
"""Keys that must agree: what comes by itself every so often has fewer."""
AGREE = 0.6
"""Share of what can be compared that must agree."""
ALIEN = 0.1
"""Share of the smaller piece that may stand on the other's side."""
MOST = 40_000
"""Pairs of records that are looked at, those of the rarest keys first."""
LEAST = 2_000
"""Pairs of each log that are looked at, however many logs there are."""
MOST_LOGS = 50


class Piece(NamedTuple):
    """A part of a log in which its clock differs by so many seconds (ahead of the others), and how many requests say so.

    It begins at one of the lines from ``earliest`` to ``latest``; the first piece of a log has 0 for both.
    """

    seconds: float
    requests: int
    earliest: int = 0
    latest: int = 0


class Pair(NamedTuple):
    """One record of the log, by its number and line, and one of another log with the same key, so many seconds before it."""

    number: int
    line: int
    key: str
    at: float
    seconds: float


class _Votes(NamedTuple):
    """The records that stand at a difference, and what they weigh."""

    place: int
    numbers: frozenset[int]
    weight: float


def find_pieces(con: duckdb.DuckDBPyConnection, logs: Sequence[LogKey], others: Collection[str], widest: int) -> dict[LogKey, list[Piece]]:
    """One or two pieces of each log of which it is sure how its clock differs from those of the tables called ``others``.

    Asks ``_events``; of the others only logs whose zone is known. ``widest`` is the largest difference in seconds that is looked for.
    """
    asked = list(logs[:MOST_LOGS])
    rows = con.execute(
        """WITH logs AS (SELECT unnest(range(len($tables))) AS place, unnest($tables::VARCHAR[]) AS table_name,
                unnest($artifacts::INTEGER[]) AS artifact, unnest($vias::VARCHAR[]) AS via),
            own AS (SELECT row_number() OVER () AS n, place, line, time, key, count(*) OVER (PARTITION BY place, key) AS often
                FROM _events e JOIN logs l ON NOT common AND e.table_name = l.table_name AND e.artifact = l.artifact
                AND e.via IS NOT DISTINCT FROM l.via),
            other AS (SELECT DISTINCT key, time FROM _events e ANTI JOIN logs USING (table_name, artifact) WHERE NOT naive AND NOT common
                AND list_contains($others::VARCHAR[], table_name) AND key IN (SELECT key FROM own)),
            there AS (SELECT key, count(*) AS there FROM other GROUP BY key),
            chosen AS (SELECT own.* FROM own JOIN there USING (key) QUALIFY sum(there) OVER (PARTITION BY place ORDER BY often * there, key,
                n ROWS UNBOUNDED PRECEDING) <= $most)
        SELECT place, n, line, key, epoch(c.time), epoch(c.time) - epoch(o.time), (SELECT min(epoch(time)) FROM other),
            (SELECT max(epoch(time)) FROM other)
        FROM chosen c JOIN other o USING (key) WHERE abs(epoch(c.time) - epoch(o.time)) <= $widest""",
        {
            "tables": [log[0] for log in asked],
            "artifacts": [log[1] for log in asked],
            "vias": [log[2] for log in asked],
            "others": list(others),
            "most": max(LEAST, MOST // max(len(asked), 1)),
            "widest": widest,
        },
    ).fetchall()
    pairs: dict[int, list[Pair]] = defaultdict(list)
    for place, number, line, key, at, seconds, *_ in rows:
        pairs[place].append(Pair(number, line, key, at, seconds))
    bounds = (rows[0][-2], rows[0][-1]) if rows else (0.0, 0.0)
    return {asked[place]: found for place, of_log in sorted(pairs.items()) if (found := pieces(of_log, bounds))}


def pieces(pairs: Sequence[Pair], bounds: tuple[float, float]) -> list[Piece]:
    """The pieces that all pairs of one log tell of; none where they leave another answer.

    ``bounds`` are the first and the last time of the others.
    """
    records = {pair.number: pair for pair in pairs}
    often: dict[str, int] = defaultdict(int)
    for pair in records.values():
        often[pair.key] += 1
    weights = {number: 1 / often[pair.key] for number, pair in records.items()}
    bins: dict[int, set[int]] = defaultdict(set)
    for pair in pairs:
        for place in range(int(pair.seconds // STEP) - 1, int(pair.seconds // STEP) + 2):
            bins[place].add(pair.number)
    first = _best(bins, weights)
    if first is None or not _counts(first.numbers, records):
        return []
    left = _best(bins, weights, without=(first,))
    # What stands at both differences, as a poller does, is of neither piece.
    of_first = first._replace(numbers=first.numbers - bins[left.place]) if left is not None else first
    if left is not None and all(_counts(one.numbers, records) for one in (of_first, left)) and (parted := _parted(of_first, left, records)):
        two, between = parted
        third = _best(bins, weights, without=(first, left))
        smaller = min(two, key=lambda one: one.weight)
        if (third is None or third.weight * 2 <= smaller.weight) and _agreed((first, left), weights, records, bounds):
            before, after = (_piece(one, pairs) for one in two)
            return [before, after._replace(earliest=between[0], latest=between[1])]
    rival = _best(bins, weights, beside=first)
    if (rival is None or rival.weight * 2 <= first.weight) and _agreed((first,), weights, records, bounds):
        return [_piece(first, pairs)]
    return []


def _best(
    bins: Mapping[int, set[int]], weights: Mapping[int, float], *, without: Sequence[_Votes] = (), beside: _Votes | None = None
) -> _Votes | None:
    """The difference with the weightiest records, of those that are not counted elsewhere already, or that lies apart from another."""
    counted = frozenset().union(*(one.numbers for one in without))
    found: _Votes | None = None
    for place in sorted(bins, key=abs):
        if any(abs(place - one.place) <= 2 for one in (*without, *([beside] if beside else ()))):  # noqa: PLR2004 - they share records
            continue
        numbers = bins[place] - counted
        weight = sum(weights[number] for number in numbers)
        if found is None or weight > found.weight:
            found = _Votes(place, frozenset(numbers), weight)
    return found


def _counts(numbers: Iterable[int], records: Mapping[int, Pair]) -> bool:
    """Whether so many records, of so many paths, mean anything."""
    own = list(numbers)
    return len(own) >= ENOUGH and len({records[number].key for number in own}) >= PATHS


def _parted(one: _Votes, other: _Votes, records: Mapping[int, Pair]) -> tuple[tuple[_Votes, _Votes], tuple[int, int]] | None:
    """The two in the order of their lines, and the lines at which they may part; nothing where they stand among each other."""
    lines = sorted([(records[number].line, 1) for number in one.numbers] + [(records[number].line, -1) for number in other.numbers])
    balance = [0, *accumulate(sign for _, sign in lines)]
    # Where all of the first stand before a line, and none of the second, the balance there is their number.
    straight, turned = len(one.numbers) - max(balance), len(other.numbers) + min(balance)
    if min(straight, turned) > ALIEN * min(len(one.numbers), len(other.numbers)):
        return None
    parting = balance.index(max(balance) if straight <= turned else min(balance))
    between = (lines[parting - 1][0] + 1, lines[parting][0])
    return ((one, other) if straight <= turned else (other, one)), between


def _agreed(found: Sequence[_Votes], weights: Mapping[int, float], records: Mapping[int, Pair], bounds: tuple[float, float]) -> bool:
    """Whether most of the records agree that would stand within the time of the other logs, if the differences were right."""
    agree = frozenset().union(*(one.numbers for one in found))
    total = sum(
        weight
        for number, weight in weights.items()
        if number in agree or any(bounds[0] <= records[number].at - one.place * STEP <= bounds[1] for one in found)
    )
    return sum(weights[number] for number in agree) >= AGREE * total


def _piece(votes: _Votes, pairs: Iterable[Pair]) -> Piece:
    """What those records say."""
    near = [pair.seconds for pair in pairs if pair.number in votes.numbers and abs(pair.seconds // STEP - votes.place) <= 1]
    return Piece(median(near), len(votes.numbers))
