"""What stands out in a case of which nobody said what is wrong: statuses that became more frequent than they are at that hour on that path.

Each hop's requests are counted by status, path and step of time; each status is measured against its own share of the rest of the
log (``spikes``), over the whole hop and for each of its busiest failing paths. What stands out at several hops or paths at once
is one failure, of which the outermost hop's count is told. A folder that holds nothing but the failure has no rest to be measured
against: there a high share speaks for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil, log
from typing import TYPE_CHECKING

from kyumei.correlate.sightings import position
from kyumei.correlate.survey import create_pulse
from kyumei.diagnose.spikes import Spike, spike
from kyumei.model.standout import Pulse, Standout
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
PATHS = 40
"""Paths of one hop and status that are looked at, those with the most failures first."""
HIGH_SHARE, HIGH_CLIENT_SHARE = 0.02, 0.3
"""Shares of all requests from which server errors, and client errors, speak for themselves."""
REDIRECTED = 0.8
"""Share of the requests that a redirect must take hold of to stand out: logging in redirects, too."""
FEW_REQUESTS = 200
"""In so small a log a single server error is worth a look."""
CARRIES = 0.6
"""A path that has so large a part of a failure carries it."""
SERVER_ERROR, CLIENT_ERROR, REDIRECT = 500, 400, 300
WEIGHTS = {5: 1.0, 4: 0.4, 3: 0.15}
"""How grave a surprise is by the class of its status: a scanner makes many 404s, and they hurt nobody."""
DAYS = timedelta(days=2)
"""From so long a log on an hour is measured against the same hour of other days."""


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


def count_requests(con: duckdb.DuckDBPyConnection) -> None:
    """Create the temporary table ``pulse`` from the view ``sightings``: requests by hop, status, path and minute."""
    create_pulse(con, ["SELECT hop, status, time, path, user_agent FROM sightings"])


def standouts(case: Case) -> list[Standout]:
    """What stands out in the table ``pulse``, the gravest first."""
    scale = _scale(case)
    if scale is None:
        return []
    found: list[Standout] = []
    for hop in [row["hop"] for row in case.rows("SELECT DISTINCT hop FROM pulse ORDER BY 1")]:
        found += _of_hop(case, hop, scale)
    return _merged(found)


def pulses(case: Case) -> tuple[Pulse, ...]:
    """Requests and server or client errors of each hop over time."""
    scale = _scale(case)
    if scale is None:
        return ()
    rows = case.rows(
        f"SELECT hop, {_step(scale)} AS step, sum(n) AS n, coalesce(sum(n) FILTER (status >= 400), 0) AS bad FROM pulse GROUP BY ALL"
    )
    found = []
    for hop in sorted({row["hop"] for row in rows}, key=position):
        own = {row["step"]: row for row in rows if row["hop"] == hop}
        empty = {"n": 0, "bad": 0}
        series = [own.get(step, empty) for step in range(scale.count)]
        found.append(
            Pulse(
                hop,
                scale.start.replace(tzinfo=UTC),
                scale.seconds,
                tuple(int(one["n"]) for one in series),
                tuple(int(one["bad"]) for one in series),
            )
        )
    return tuple(found)


def _scale(case: Case) -> _Scale | None:
    row = case.rows("SELECT min(minute) AS start, max(minute) AS last FROM pulse")[0]
    if row["start"] is None:
        return None
    minutes = int((row["last"] - row["start"]).total_seconds()) // 60 + 1
    width = ceil(minutes / STEPS)
    return _Scale(row["start"], width * 60, ceil(minutes / width))


def _step(scale: _Scale) -> str:
    return f"epoch(minute - TIMESTAMP '{scale.start}')::BIGINT // {scale.seconds}"


def _of_hop(case: Case, hop: str, scale: _Scale) -> list[Standout]:
    """What stands out at one hop, over all of it and on single paths."""
    all_requests = _series(case, scale, "hop = ?", hop)
    kinds = case.rows(
        "SELECT status, sum(n)::BIGINT AS n FROM pulse WHERE hop = ? AND status >= 300 AND status <> 304 GROUP BY 1 ORDER BY 1", [hop]
    )
    total = sum(all_requests)
    found: list[Standout] = []
    for kind in kinds:
        status = int(kind["status"])
        whole = _found(case, scale, all_requests, hop, status, None)
        own = [whole] if whole else _on_paths(case, scale, hop, status)
        if not own and _speaks_for_itself(status, int(kind["n"]), total):
            always = Spike(0, scale.count, int(kind["n"]), total, 0.0, float(kind["n"]))
            own = [_standout(case, scale, always, hop, status, None)]
        found += own
    return found


def _on_paths(case: Case, scale: _Scale, hop: str, status: int) -> list[Standout]:
    """What stands out on single paths, where it is lost in the whole."""
    paths = case.rows(
        "SELECT path, sum(n)::BIGINT AS n FROM pulse WHERE hop = ? AND status = ? AND path IS NOT NULL GROUP BY 1 "
        f"HAVING sum(n) >= {FEWEST} ORDER BY 2 DESC, 1 LIMIT {PATHS}",
        [hop, status],
    )
    names = [row["path"] for row in paths]
    tried = (_found(case, scale, _series(case, scale, "hop = ? AND path = ?", hop, path), hop, status, path) for path in names)
    return [one for one in tried if one]


def _speaks_for_itself(status: int, failed: int, requests: int) -> bool:
    """Whether a share that never changes is a failure all the same."""
    share = failed / requests
    if status >= SERVER_ERROR:
        return share >= HIGH_SHARE and (failed > FEWEST or requests < FEW_REQUESTS)
    return status >= CLIENT_ERROR and share >= HIGH_CLIENT_SHARE and failed > FEWEST


def _found(  # noqa: PLR0913 - what names one series
    case: Case, scale: _Scale, requests: Sequence[int], hop: str, status: int, path: str | None
) -> Standout | None:
    """The stretch of one series that stands out, if one does."""
    events = _series(case, scale, "hop = ? AND status = ? AND coalesce(path = ?, ? IS NULL)", hop, status, path, path)
    best = spike(events, requests, scale.hours())
    looked_at = log(scale.count * (1 if path is None else PATHS))
    if best is None or best.events < FEWEST or best.events < TIMES * best.expected or best.score < SURPRISE + looked_at:
        return None
    if status < CLIENT_ERROR and best.events < REDIRECTED * best.chances:
        return None
    return _standout(case, scale, best, hop, status, path)


def _series(case: Case, scale: _Scale, where: str, *values: object) -> list[int]:
    """How many requests each step has."""
    counted = dict(
        case.con.execute(f"SELECT {_step(scale)} AS step, sum(n)::BIGINT FROM pulse WHERE {where} GROUP BY 1", values).fetchall()
    )
    return [counted.get(step, 0) for step in range(scale.count)]


def _standout(case: Case, scale: _Scale, best: Spike, hop: str, status: int, path: str | None) -> Standout:  # noqa: PLR0913 - one series
    """A stretch with the paths that carry it and its first and last failing request."""
    window = scale.window(best)
    bounds = [moment.replace(tzinfo=None) for moment in (window.start, window.end)]
    rows = case.rows(
        "SELECT path, sum(n)::BIGINT AS n, min(first) AS first, max(last) AS last FROM pulse "
        "WHERE hop = ? AND status = ? AND coalesce(path = ?, true) AND minute >= ? AND minute < ? GROUP BY 1 ORDER BY 2 DESC, 1",
        [hop, status, path, *bounds],
    )
    end = case.value("SELECT max(last) FROM pulse WHERE hop = ?", [hop])
    last = max(row["last"] for row in rows)
    return Standout(
        window=window,
        hop=hop,
        status=status,
        failed=best.events,
        requests=best.chances,
        expected=best.expected,
        score=best.score,
        onset=min(row["first"] for row in rows).replace(tzinfo=UTC),
        last=last.replace(tzinfo=UTC),
        ongoing=end - last <= timedelta(seconds=2 * scale.seconds),
        paths=_carrying(rows, best.events),
    )


def _carrying(rows: Iterable[Mapping[str, object]], failed: int) -> tuple[str, ...]:
    """The one path that carries a failure; none where it is spread."""
    return tuple(str(row["path"]) for row in rows if row["path"] is not None and int(str(row["n"])) >= CARRIES * failed)[:1]


def _merged(found: Sequence[Standout]) -> list[Standout]:
    """Standouts that overlap and have the same status, or are a follower at another hop, told once.

    By the outermost hop that has most of them.
    """
    kept: list[Standout] = []
    for one in sorted(found, key=lambda one: (-one.score * WEIGHTS.get(one.status // 100, 0.1), position(one.hop))):
        same = next((index for index, other in enumerate(kept) if _is_one(one, other)), None)
        if same is None:
            kept.append(one)
        elif position(one.hop) < position(kept[same].hop) and one.failed >= kept[same].failed / 2:
            kept[same] = replace(one, score=max(one.score, kept[same].score))
    return kept


def _is_one(one: Standout, other: Standout) -> bool:
    """Whether two standouts are of one failure: of one class of status, at one time, on one path as far as both name one."""
    if one.status // 100 != other.status // 100 or (one.paths and other.paths and one.paths != other.paths):
        return False
    shared = (min(one.window.end, other.window.end) - max(one.window.start, other.window.start)).total_seconds()
    return shared >= min(one.window.length, other.window.length).total_seconds() / 2
