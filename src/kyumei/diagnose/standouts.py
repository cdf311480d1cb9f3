"""What stands out in a case of which nobody said what is wrong: statuses that became more frequent than they are at that hour on that path.

Each hop's requests are counted by status, path and step of time; each status is measured against its own share of the rest of the
log (``spikes``), over the whole hop and for each of its busiest failing paths. What stands out at several hops or paths at once
is one failure, of which the outermost hop's count is told (``merge``). A folder that holds nothing but the failure has no rest to
be measured against: there a high share speaks for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, log
from typing import TYPE_CHECKING, NamedTuple

from kyumei.correlate.sightings import position
from kyumei.correlate.survey import CLIENT_BITS, create_pulse
from kyumei.diagnose.merge import merged
from kyumei.diagnose.spikes import Spike, spikes
from kyumei.model.standout import Pulse, Standout
from kyumei.model.status import FAILED, SERVER_ERROR
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from kyumei.store.case import Case

STEPS = 1440
"""Steps of time at most; a step is a full minute at least."""
FEWEST = 4
"""Failing requests that stand out at least."""
TIMES = 3.0
"""How many times as frequent as usual a status must be to stand out."""
SURPRISE = 18.0
"""The least score of what stands out, in nats, before the number of places that were looked at is counted in."""
CONTRAST, CLIENT_CONTRAST = 6.0, 9.0
"""How much better two rates must explain a series than one, in nats, for a server error and for all else."""
PATHS = 40
"""Paths of one hop and status that are looked at, those with the most failures first."""
STRETCHES = 3
"""Stretches of one series that may stand out."""
HIGH_SHARE, HIGH_PATH_SHARE, HIGH_CLIENT_SHARE = 0.02, 0.05, 0.5
"""Shares from which server errors of a hop and of a path, and client errors of a hop, speak for themselves however steady they are."""
STEADY = 10
"""Failing requests on a path of which a steady share is spoken of."""
LOST, SIGN_IN = 404, 401
"""Statuses that are made all day by who asks for what is not there, and by who has yet to sign in."""
HIGH_LOST_SHARE = 0.8
"""Share of all requests from which even these speak for themselves: a server that nobody uses is asked by scanners alone."""
FEWEST_CLIENTS, PART_OF_CLIENTS, MANY_CLIENTS = 3, 0.3, 30
"""Clients that a client error must meet to stand out; of what clients bring about themselves such a part of them, or so many."""
OWN_DOING = frozenset({400, 401, 404, 409, 410, 412, 422})
"""Client errors that one client alone brings about again and again: a form filled in wrongly, a session that ended, a dead link."""
UNSERVED = 6
"""Clients that must be refused what nobody was ever given, for it to be more than doors that are tried."""
SERVED = 0.5
"""Share of the failing requests that must be to paths that others were served, for the failure of one client to be worth telling."""
REDIRECTED = 0.8
"""Share of the requests that a redirect must take hold of to stand out: logging in redirects, too."""
MOVED = (301, 302, 303, 307, 308)
GONE, FEWEST_GONE = 0.1, 10
"""Share of the usual answers that may be left on a path from which all are sent away, and the fewest that must be missed."""
LIVELY = 0.5
"""Share of its usual requests that such a path must still have: at night robots are left, who are always sent away."""
TOO_LARGE = frozenset({413, 414, 431})
"""Statuses of limits: nobody sets one so that all whom a page is for run into it."""
FEW_REQUESTS = 200
"""In so small a log a single server error is worth a look."""
CARRIES, APART = 0.6, 3.0
"""A path carries a failure that has so large a part of it, and on which it is so many times as frequent as on others."""
UNSURE = 3.0
"""Requests without a failure, in units of the usual distance between two failures, after which it is over."""
DAYS = timedelta(hours=26)
"""From so long a log on an hour is measured against the same hour of other days, as far as the log has them."""


@dataclass(frozen=True)
class _Scale:
    """The steps of time of a case: ``count`` of them, ``seconds`` each, from ``start`` (naive UTC)."""

    start: datetime
    seconds: int
    count: int

    def window(self, found: Spike) -> Window:
        """The time of a stretch."""
        first = self.start + timedelta(seconds=self.seconds * found.start)
        return Window(first.replace(tzinfo=UTC), (first + timedelta(seconds=self.seconds * (found.end - found.start))).replace(tzinfo=UTC))

    def hours(self) -> list[int] | None:
        """The hour of the day of each step, where the case goes over days."""
        if timedelta(seconds=self.seconds * self.count) < DAYS:
            return None
        return [(self.start + timedelta(seconds=self.seconds * step)).hour for step in range(self.count)]

    def step(self) -> str:
        """SQL: the step of a row of ``pulse``."""
        return f"epoch(minute - TIMESTAMP '{self.start}')::BIGINT // {self.seconds}"

    def series(self, counts: Mapping[int, int]) -> list[int]:
        """Counts by step as a series of all steps."""
        return [counts.get(step, 0) for step in range(self.count)]


class _Hop(NamedTuple):
    """One hop of a case: all its requests, and those to paths that failed, by step."""

    case: Case
    scale: _Scale
    name: str
    requests: Sequence[int]
    by_path: Mapping[str, Mapping[int, int]]


def count_requests(con: duckdb.DuckDBPyConnection) -> None:
    """Create the temporary table ``pulse`` from the view ``sightings``: requests by hop, status, path and minute."""
    create_pulse(con, ["SELECT hop, status, time, path, coalesce(forwarded_for, client_ip) AS client, user_agent FROM sightings"])


def standouts(case: Case) -> list[Standout]:
    """What stands out in the table ``pulse``, the gravest first."""
    scale = _scale(case)
    if scale is None:
        return []
    found: list[Standout] = []
    for row in case.rows("SELECT DISTINCT hop FROM pulse ORDER BY 1"):
        found += _of_hop(_hop(case, scale, row["hop"]))
    return merged(found)


def pulses(case: Case, found: Sequence[Standout] = ()) -> tuple[Pulse, ...]:
    """Requests of each hop over time, and of these server errors and whatever has a status that stands out."""
    scale = _scale(case)
    if scale is None:
        return ()
    statuses = ", ".join(str(status) for status in sorted({0, *(one.status for one in found)}))
    failed = f"status >= {SERVER_ERROR} OR status IN ({statuses}) AND status > 0"
    rows = case.rows(
        f"SELECT hop, {scale.step()} AS step, sum(n)::BIGINT AS n, coalesce(sum(n) FILTER ({failed}), 0)::BIGINT AS bad "
        "FROM pulse GROUP BY ALL"
    )
    series = []
    for hop in sorted({row["hop"] for row in rows}, key=position):
        requests = {row["step"]: int(row["n"]) for row in rows if row["hop"] == hop}
        bad = {row["step"]: int(row["bad"]) for row in rows if row["hop"] == hop}
        series.append(Pulse(hop, scale.start.replace(tzinfo=UTC), scale.seconds, tuple(scale.series(requests)), tuple(scale.series(bad))))
    return tuple(series)


def _scale(case: Case) -> _Scale | None:
    row = case.rows("SELECT min(minute) AS start, max(minute) AS last FROM pulse")[0]
    if row["start"] is None:
        return None
    minutes = int((row["last"] - row["start"]).total_seconds()) // 60 + 1
    width = ceil(minutes / STEPS)
    return _Scale(row["start"], width * 60, ceil(minutes / width))


FAILING = f"(status IN {MOVED} OR status >= {FAILED})"


def _hop(case: Case, scale: _Scale, name: str) -> _Hop:
    """What is counted of one hop."""
    counted = case.con.execute(f"SELECT {scale.step()} AS step, sum(n)::BIGINT FROM pulse WHERE hop = ? GROUP BY 1", [name]).fetchall()
    rows = case.con.execute(
        f"""WITH busy AS (SELECT DISTINCT path FROM (SELECT path, status, sum(n) AS failed FROM pulse
                WHERE hop = $hop AND {FAILING} AND path IS NOT NULL GROUP BY ALL HAVING sum(n) >= {FEWEST})
            QUALIFY row_number() OVER (PARTITION BY status ORDER BY failed DESC, path) <= {PATHS})
        SELECT path, {scale.step()} AS step, sum(n)::BIGINT AS n FROM pulse SEMI JOIN busy USING (path) WHERE hop = $hop GROUP BY ALL""",
        {"hop": name},
    ).fetchall()
    by_path: dict[str, dict[int, int]] = {}
    for path, step, count in rows:
        by_path.setdefault(path, {})[step] = count
    return _Hop(case, scale, name, scale.series(dict(counted)), by_path)


def _of_hop(hop: _Hop) -> list[Standout]:
    """What stands out at one hop, over all of it and on single paths."""
    rows = hop.case.con.execute(
        f"SELECT status, path, {hop.scale.step()} AS step, sum(n)::BIGINT FROM pulse WHERE hop = ? AND {FAILING} GROUP BY ALL", [hop.name]
    ).fetchall()
    wholes: dict[int, dict[int, int]] = {}
    paths: dict[int, dict[str, dict[int, int]]] = {}
    for status, path, step, count in rows:
        whole = wholes.setdefault(status, {})
        whole[step] = whole.get(step, 0) + count
        if path in hop.by_path:
            paths.setdefault(status, {}).setdefault(path, {})[step] = count
    found: list[Standout] = []
    for status, whole in sorted(wholes.items()):
        own = _in_whole(hop, status, whole)
        for path, counts in paths.get(status, {}).items():
            own += _on_path(hop, status, path, counts)
        found += [one for one in own if _is_worth_telling(hop, one)]
    return found


def _in_whole(hop: _Hop, status: int, counts: Mapping[int, int]) -> list[Standout]:
    """What stands out over all of a hop."""
    events = hop.scale.series(counts)
    stretches = spikes(events, hop.requests, hop.scale.hours(), most=STRETCHES, matters=lambda one: _contrasts(hop.scale, one, status, 1))
    found = [one for one in stretches if _takes_hold(one, status)]
    failed, requests = sum(events), sum(hop.requests)
    if not found and _speaks_for_itself(status, failed, requests):
        found = [_always(hop.scale, failed, requests)]
    return [_standout(hop, one, status, None) for one in found]


def _on_path(hop: _Hop, status: int, path: str, counts: Mapping[int, int]) -> list[Standout]:
    """What stands out on one path, where it may be lost in the whole."""
    if sum(counts.values()) < FEWEST:
        return []
    events, requests = hop.scale.series(counts), hop.scale.series(hop.by_path[path])
    hours = hop.scale.hours()
    stretches = spikes(events, requests, hours, most=STRETCHES, matters=lambda one: _is_rare(hop.scale, one, PATHS))
    found = [one for one in stretches if _takes_hold(one, status)]
    if found and status < SERVER_ERROR:
        # A link to nowhere, a page that sends to the log-in: they answer so whenever they are asked. The site's traffic tells these apart.
        among = spikes(events, hop.requests, hours, most=STRETCHES, matters=lambda one: _contrasts(hop.scale, one, status, PATHS))
        changed = [one for one in found if one.contrast >= CLIENT_CONTRAST]
        found = [one for one in found if one in changed or any(one.start < other.end and other.start < one.end for other in among)]
    if status in MOVED and not found:
        found = spikes(events, requests, hours, matters=lambda one: _is_all_that_is_left(hop.scale, one, events, requests))
    failed, least = sum(events), HIGH_PATH_SHARE if status >= SERVER_ERROR else HIGH_CLIENT_SHARE
    if (status >= SERVER_ERROR or status in TOO_LARGE) and not found and failed >= max(STEADY, least * sum(requests)):
        found = [_always(hop.scale, failed, sum(requests))]
    return [_standout(hop, one, status, path) for one in found]


def _always(scale: _Scale, failed: int, requests: int) -> Spike:
    """A failure that was there all the time; nothing is known of what is usual."""
    return Spike(0, scale.count, failed, requests, 0.0, float(failed), 0.0)


def _is_rare(scale: _Scale, found: Spike, places: int) -> bool:
    """Whether a stretch is too surprising to be chance, in one of so many places that were looked at."""
    return found.events >= max(FEWEST, TIMES * found.expected) and found.score >= SURPRISE + log(scale.count * places)


def _contrasts(scale: _Scale, found: Spike, status: int, places: int) -> bool:
    """Whether there also is a rest in which it was rarer: what a log has from its first line to its last is no change."""
    return _is_rare(scale, found, places) and found.contrast >= (CONTRAST if status >= SERVER_ERROR else CLIENT_CONTRAST)


def _takes_hold(found: Spike, status: int) -> bool:
    """Whether a status is one that fails, or a redirect that nearly all meet."""
    return status >= FAILED or found.events >= REDIRECTED * found.chances


def _is_all_that_is_left(scale: _Scale, found: Spike, events: Sequence[int], requests: Sequence[int]) -> bool:
    """Whether on a path that always sent some people elsewhere nearly nobody gets anything else any more, and as many ask as ever.

    Measured by the answers that are missed, against the usual share as well as against the usual number: where only more people come
    who are sent to the log-in, the others get their answers still.
    """
    part, rest = found.end - found.start, scale.count - (found.end - found.start)
    left, gone = found.chances - found.events, found.chances - found.expected
    answered = sum(requests) - sum(events) - left
    if not rest or answered < FEWEST_GONE or left > GONE * min(gone, answered * part / rest):
        return False
    missed = min(gone, answered * part / rest)
    score = missed - left + (left * log(left / missed) if left else 0.0)
    lively = found.chances * rest >= LIVELY * part * (sum(requests) - found.chances)
    return lively and missed >= FEWEST_GONE and score >= SURPRISE + log(scale.count * PATHS)


def _speaks_for_itself(status: int, failed: int, requests: int) -> bool:
    """Whether a share that never changes is a failure all the same."""
    share = failed / requests
    if status >= SERVER_ERROR:
        return share >= HIGH_SHARE and (failed > FEWEST or requests < FEW_REQUESTS)
    return status >= FAILED and failed > FEWEST and share >= (HIGH_LOST_SHARE if status in {LOST, SIGN_IN} else HIGH_CLIENT_SHARE)


def _is_worth_telling(hop: _Hop, one: Standout) -> bool:
    """Whether a client's error is more than one client's own doing: one that tries doors is refused at many, and that is no failure.

    It meets several clients, or one that was refused what others get. What was never there is only missed where many ask for it. A
    redirect meets several: a robot is sent to the log-in again and again.
    """
    if one.status >= SERVER_ERROR:
        return True
    start, end = (moment.replace(tzinfo=None) for moment in (one.window.start, one.window.end))
    row = hop.case.rows(
        f"""WITH seen AS (SELECT path, status, n, clients FROM pulse WHERE hop = ? AND minute >= ? AND minute < ? AND {_ONE_OF}),
            served AS (SELECT DISTINCT path FROM pulse WHERE status BETWEEN 200 AND 399 OR (hop = 'waf' AND status = 0))
        SELECT bit_count(bit_or(clients)) AS came, bit_count(bit_or(clients) FILTER (status = ?)) AS met,
            coalesce(sum(n) FILTER (status = ? AND path IN (SELECT path FROM served)), 0) / sum(n) FILTER (status = ?) AS served,
            (SELECT bit_count(bit_or(clients)) FROM pulse WHERE hop = ?) AS known
        FROM seen""",
        [hop.name, start, end, one.paths, one.paths, *([one.status] * 3), hop.name],
    )[0]
    met, served = _clients(row["met"]), row["served"] >= SERVED
    if one.status < FAILED:
        return met >= min(FEWEST_CLIENTS, _clients(row["known"]))  # behind a proxy a log may tell of one alone
    if one.status in OWN_DOING and met < min(MANY_CLIENTS, max(FEWEST_CLIENTS, PART_OF_CLIENTS * _clients(row["came"]))):
        return False
    everywhere = not one.paths and one.failed >= HIGH_LOST_SHARE * one.requests
    return served or met >= MANY_CLIENTS or (everywhere and met >= FEWEST_CLIENTS) or (met >= UNSERVED and one.status != LOST)


_ONE_OF = "(len(?::VARCHAR[]) = 0 OR path IN (SELECT unnest(?::VARCHAR[])))"


def _clients(bits: int) -> float:
    """How many clients there are whose bits are so many: some share one (linear counting)."""
    return -CLIENT_BITS * log(1 - bits / CLIENT_BITS) if bits < CLIENT_BITS else float("inf")


def _standout(hop: _Hop, best: Spike, status: int, path: str | None) -> Standout:
    """A stretch with the path that carries it, its first and last failing request, and whether it is over."""
    window = hop.scale.window(best)
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    rows = hop.case.rows(
        "SELECT path, sum(n) FILTER (status = $status)::BIGINT AS failed, sum(n)::BIGINT AS requests, "
        "min(first) FILTER (status = $status) AS first, max(last) FILTER (status = $status) AS last FROM pulse "
        "WHERE hop = $hop AND ($path IS NULL OR path = $path) AND minute >= $start AND minute < $end "
        "GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1",
        {"status": status, "hop": hop.name, "path": path, "start": start, "end": end},
    )
    failing = [row for row in rows if row["failed"]]
    last = max(row["last"] for row in failing)
    steps = int((last - hop.scale.start).total_seconds()) // hop.scale.seconds + 1
    traffic = hop.scale.series(hop.by_path[path]) if path is not None else hop.requests
    return Standout(
        window=window,
        hop=hop.name,
        status=status,
        failed=best.events,
        requests=best.chances,
        expected=best.expected,
        score=best.score,
        onset=min(row["first"] for row in failing).replace(tzinfo=UTC),
        last=last.replace(tzinfo=UTC),
        ongoing=sum(traffic[steps:]) * best.events < UNSURE * best.chances,
        paths=(path,) if path is not None else _carrying(rows, best),
    )


def _carrying(rows: Sequence[Mapping[str, object]], best: Spike) -> tuple[str, ...]:
    """The one path that carries a failure; none where it is spread as the requests are."""
    first, failed, requests = rows[0], *(int(str(rows[0][name] or 0)) for name in ("failed", "requests"))
    if first["path"] is None or failed < CARRIES * best.events:
        return ()
    others_failed, others = best.events - failed, best.chances - requests
    return (str(first["path"]),) if others_failed * requests * APART <= failed * others or not others else ()
