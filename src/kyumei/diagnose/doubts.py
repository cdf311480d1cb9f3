"""What makes requests doubtful of which no status stands out: a time without any, a target that fails alone, a time of slow answers.

They are told only where they are plain: a log without lines where there would have been dozens,
between two times of steady traffic; failures of one target where the others serve the same paths well, as those of a canary release;
and answers ten times as slow as is usual, for a good part of the requests; and lines that tell of requests and were not read as such.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil, log
from typing import TYPE_CHECKING, NamedTuple

from kyumei.correlate.components import NAMED
from kyumei.correlate.hops import TITLES
from kyumei.correlate.sightings import ANSWERING, position, relation
from kyumei.diagnose.spikes import Spike, spikes
from kyumei.model.finding import Gap
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.store.case import Case

SHORTEST, LONGEST = 5, 180
"""Minutes of a silence; what is longer is a night, a weekend, or a log of another day."""
AROUND = 30
"""Minutes before and after it by which the usual traffic is known."""
STEADY = 27
"""So many of these minutes must have requests: what comes in bursts is silent often."""
EXPECTED = 60
"""Requests that must be missing."""
DAY = 1440
HALF = 0.5
"""Less than one of which is usual is rounded to none."""
TOOK = {
    "alb_access": "target_seconds",
    "clb_access": "target_seconds",
    "cloudfront_access": "request_seconds",
    "api_gateway_access": "request_seconds",
    "nginx_access": "request_seconds",
    "apache_access": "request_seconds",
    "app_log": "request_seconds",
    "json_lines": "request_seconds",
}
"""How long the answer took, of the logs that tell it."""
SLOW_SECONDS, SLOW_TIMES = 1.0, 10.0
"""Slow is an answer that took at least so long, and so many times as long as the middle one of all."""
FEWEST, PART, TIMES, SURPRISE, CONTRAST = 10, 0.3, 5.0, 18.0, 10.0
"""Slow answers that a stretch has at least, their part of its requests, how many times as frequent as usual, and how surprising."""
FEWEST_OF_ONE = 5
"""Failures of a target that fails alone."""
STEPS = 1440
SEVERAL_DAYS = 26 * 60


class Doubt(NamedTuple):
    """What casts doubt, in one clause, and what would settle it."""

    clause: str
    gap: Gap


def doubts(case: Case) -> list[Doubt]:
    """The first silence of the requests in ``pulse``, a target that fails alone, and where most answers were slow."""
    return [*_silence(case), *_one_target(case), *_slowness(case), *_unread_requests(case)]


def _unread_requests(case: Case) -> list[Doubt]:
    """Lines of a host's log that are requests with their statuses, in a form that is not known: a proxy's, such as HAProxy's."""
    if "syslog" not in case.filled:
        return []
    rows = case.rows(
        "SELECT a.name, count(*) AS n, count(*) FILTER (status >= 500) AS failed FROM (SELECT _artifact, _line, "
        "regexp_extract(message, ?, 1)::INTEGER AS status FROM syslog WHERE _via IS NULL AND contains(message, ' HTTP/') "
        "AND regexp_matches(message, ?)) t JOIN artifacts a ON a.artifact = t._artifact "
        "WHERE NOT EXISTS (SELECT 1 FROM sightings s WHERE s._artifact = t._artifact AND s._line = t._line) GROUP BY 1 ORDER BY 2 DESC, 1",
        [_PROXIED, _PROXIED],
    )
    if not rows or rows[0]["n"] < FEWEST:
        return []
    one = rows[0]
    gap = Gap(
        f"requests that {one['name']} tells of, in a form that can be read",
        "whether any of them failed: their statuses are not counted here",
        "write them as JSON lines with time, status, method and path, or look at them with `kyumei query`",
    )
    some = f", {one['failed']:,} of them with a 5xx by the look of it" if one["failed"] else ""
    return [Doubt(f"{one['name']} has {one['n']:,} lines of requests that are not read as such{some}", gap)]


_PROXIED = r' ([1-5][0-9]{2}) [^"]{0,200}"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) [^" ]+ HTTP/[0-9]'
"""A status and then the request, as HAProxy writes them; nginx and Apache write the request first."""


def about(expected: float) -> str:
    """How many are usual."""
    return f"about {expected:,.0f}" if expected >= HALF else "next to none"


def _silence(case: Case) -> list[Doubt]:
    """The first time in which no log has a request, or one of several components of a kind has none while the others go on."""
    whole = "SELECT epoch(minute)::BIGINT // 60, sum(n)::BIGINT FROM pulse GROUP BY 1 ORDER BY 1"
    if found := _quiet(dict(case.con.execute(whole).fetchall()), "no log has a request"):
        return [found]
    for table, (_, column) in NAMED.items():
        if table not in case.filled:
            continue
        counted: dict[str, dict[int, int]] = {}
        for name, minute, count in case.con.execute(
            f'SELECT {column}, epoch(time)::BIGINT // 60, count(*) FROM "{table}" WHERE time IS NOT NULL AND {column} IS NOT NULL '
            "GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall():
            counted.setdefault(name, {})[minute] = count
        alone = [_quiet(counts, f"{name} has no request") for name, counts in counted.items()] if len(counted) > 1 else []
        if found := next((doubt for doubt in alone if doubt), None):
            return [found]
    return []


def _quiet(counts: Mapping[int, int], who: str) -> Doubt | None:
    """The first time without a request between two times of steady traffic."""
    first, last = min(counts, default=0), max(counts, default=0)
    for before, after in pairwise(sorted(counts)):
        missing = after - before - 1
        if not SHORTEST <= missing <= LONGEST or before - first < AROUND or last - after < AROUND:
            continue
        sides = [[counts.get(minute, 0) for minute in range(side, side + AROUND)] for side in (before - AROUND + 1, after)]
        expected = min(map(sum, sides)) / AROUND * missing
        steady = all(sum(1 for count in side if count) >= STEADY for side in sides)
        if steady and expected >= EXPECTED and not _is_habit(counts, before + 1, after):
            start, end = (datetime(1970, 1, 1) + timedelta(minutes=minute) for minute in (before + 1, after))  # noqa: DTZ001 - UTC
            gap = Gap(
                "account of the time without requests",
                "whether nothing could reach the site then, or lines of that time are missing",
                "look whether a file of that time was not copied; if none was lost, ask what stands in front of what is logged here: "
                f'kyumei investigate PATH --symptom "cannot connect at {start:%Y-%m-%d %H:%M} UTC"',
            )
            return Doubt(f"{who} from {start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC, where {about(expected)} would be usual", gap)
    return None


def _is_habit(counts: Mapping[int, int], start: int, end: int) -> bool:
    """Whether on another day of the log there was nothing at that time, either."""
    first, last = min(counts), max(counts)
    days = range(-((start - first) // DAY), (last - end) // DAY + 1)
    return any(not any(counts.get(minute + day * DAY) for minute in range(start, end)) for day in days if day)


def _one_target(case: Case) -> list[Doubt]:
    """The target of a load balancer that fails most among those that serve the same paths, where chance does not make it so."""
    if "alb_access" not in case.filled:
        return []
    rows = case.rows(
        f"""WITH own AS (SELECT target_ip || coalesce(':' || target_port, '') AS target, target_group_arn AS target_group, path, time,
                status FROM {relation("alb_access")} WHERE target_ip IS NOT NULL AND status IS NOT NULL),
            shared AS (SELECT path FROM own GROUP BY path HAVING count(DISTINCT target) > 1)
        SELECT target, any_value(target_group) AS target_group, count(*) AS n, count(*) FILTER (status >= {SERVER_ERROR}) AS failed,
            min(time) FILTER (status >= {SERVER_ERROR}) AS first FROM own JOIN shared USING (path) GROUP BY 1 ORDER BY 4 DESC, 1"""
    )
    if len(rows) == 0 or rows[0]["failed"] < FEWEST_OF_ONE:
        return []
    one = rows[0]
    all_n, all_failed = sum(row["n"] for row in rows), sum(row["failed"] for row in rows)
    others, failed = all_n - one["n"], all_failed - one["failed"]
    if failed * one["n"] * TIMES > one["failed"] * others or _surprise((one["failed"], one["n"]), (failed, others)) < SURPRISE + log(
        len(rows)
    ):
        return []
    group = f" of target group {one['target_group'].split('/')[-2]}" if (one["target_group"] or "").count("/") > 1 else ""
    gap = Gap(
        "account of the failures of that target",
        "what is different on it: a new version, a setting, its health",
        f'ask about their moment: kyumei investigate PATH --symptom "5xx at {one["first"]:%Y-%m-%d %H:%M} UTC"',
    )
    clause = (
        f"target {one['target']}{group} had {one['failed']:,} of its {one['n']:,} requests end with a 5xx, and the others "
        f"{failed or 'none'} of their {others:,} to the same paths"
    )
    return [Doubt(clause, gap)]


def _surprise(one: tuple[int, int], other: tuple[int, int]) -> float:
    """How much better two shares explain two counts (so many of so many) than one share does, in nats."""
    whole = (one[0] + other[0], one[1] + other[1])
    return _likelihood(one) + _likelihood(other) - _likelihood(whole)


def _likelihood(counted: tuple[int, int]) -> float:
    part, whole = counted
    return sum(each * log(each / whole) for each in (part, whole - part) if each)


def _slowness(case: Case) -> list[Doubt]:
    """The most surprising time in which many answers were slow, by the outermost log that tells."""
    held = [name for name in case.filled if name in TOOK]
    for name in sorted(held, key=lambda name: position(ANSWERING[name].hop.strip("'"))):
        took = TOOK[name]
        usual = case.value(f"SELECT median({took}) FROM {relation(name)} WHERE status IS NOT NULL AND {took} >= 0 AND {took} < 86400")
        if usual is None:
            continue
        slow = max(SLOW_SECONDS, SLOW_TIMES * float(usual))
        found = _stretch(case, name, slow)
        if found is not None:
            return [found]
    return []


def _stretch(case: Case, name: str, slow: float) -> Doubt | None:
    """Where most answers of one log took longer than so many seconds."""
    rows = case.con.execute(
        f"SELECT epoch(time)::BIGINT // 60 AS minute, count(*), count(*) FILTER ({TOOK[name]} >= {slow}) FROM {relation(name)} "
        f"WHERE status IS NOT NULL AND {TOOK[name]} >= 0 AND time IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()
    if not rows:
        return None
    first, minutes = rows[0][0], rows[-1][0] - rows[0][0] + 1
    width = ceil(minutes / STEPS)
    requests, late = ([0] * ceil(minutes / width) for _ in range(2))
    for minute, count, counted in rows:
        requests[(minute - first) // width] += count
        late[(minute - first) // width] += counted
    origin = datetime(1970, 1, 1) + timedelta(minutes=first)  # noqa: DTZ001 - UTC
    hours = [(origin + timedelta(minutes=width * step)).hour for step in range(len(requests))] if minutes >= SEVERAL_DAYS else None
    best = next((one for one in spikes(late, requests, hours) if _is_plain(one, len(requests))), None)
    if best is None:
        return None
    start, end = (origin + timedelta(minutes=width * step) for step in (best.start, best.end))
    hop = ANSWERING[name].hop.strip("'")
    told = (
        f"{TITLES.get(hop, 'the application')} took {slow:.1f} s or longer for {best.events:,} of {best.chances:,} requests from "
        f"{start:%Y-%m-%d %H:%M} to {end:{'%H:%M' if end.date() == start.date() else '%Y-%m-%d %H:%M'}} UTC, "
        f"where {about(best.expected)} would be usual"
    )
    gap = Gap(
        "account of the slow answers",
        "what the requests waited for",
        f'ask about their moment: kyumei investigate PATH --symptom "slow at {start:%Y-%m-%d %H:%M} UTC"',
    )
    return Doubt(told, gap)


def _is_plain(one: Spike, places: int) -> bool:
    """Whether a stretch is too surprising to be chance, and slow for a good part of its requests."""
    enough = one.events >= max(FEWEST, TIMES * one.expected) and one.events >= PART * one.chances
    return enough and one.score >= SURPRISE + log(places) and one.contrast >= CONTRAST
