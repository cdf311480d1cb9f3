"""Did this log cover the moment? Only then does a missing record mean anything.

A log is one writer's file with its rotations (or all files of one AWS log). It covers a window when it has a record before and one after
it, no hole over it that is out of proportion to its usual pace, no log stream that ended before it unnoticed, and a clock that is known. A
log that ends before the window, because it was switched off, rotated away or not delivered yet, does not cover it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kyumei import discover
from kyumei.correlate.sightings import PROXY, SERVER_WROTE
from kyumei.correlate.streams import FILES, Files, first_of_log, lost_streams
from kyumei.layouts.casts import quoted
from kyumei.model.artifact import Coverage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kyumei.model.window import Window
    from kyumei.store.case import Case

PATIENCE = timedelta(minutes=2)
"""A silence shorter than this is no hole, however busy the log."""
USUAL = 10
"""A silence of so many times the log's usual one (95th percentile) is a hole."""
SPARSE = timedelta(hours=26)
"""In a log that writes little, a silence up to this long shows nothing either way; a daily log has a record within it."""

_PASSED_ON = " UNION ALL ".join(
    f"SELECT (_artifact, _line) FROM {name} WHERE _via = 'json_lines'"
    for name in ("nginx_access", "nginx_error", "app_log", "proxy_access")
)

DEPLOYER = "_artifact IN (SELECT artifact FROM artifacts WHERE regexp_matches(name, '(^|/)(eb-[a-z-]+|cfn-[a-z-]+)\\.log'))"
"""SQL: whether a file is what Elastic Beanstalk's platform or CloudFormation's helpers write of a deployment, and no application's log."""
HOPS_OF = {
    # A line that a host log passes on (gunicorn's start and stop, say) is no access log, and not the application's own log either.
    # An error log does not record requests: its silence says nothing about one.
    "nginx_access": f"CASE WHEN {SERVER_WROTE} THEN 'server' ELSE 'nginx' END",
    "nginx_error": "'nginx_error'",
    "apache_error": "'apache_error'",
    "api_gateway_execution": "'api_gateway_execution'",
    "proxy_access": PROXY,
    # Neither do the balancer's logs of connections and of its own checks.
    "alb_connection": "'alb_connection'",
    "alb_health_check": "'alb_health_check'",
    "app_log": "CASE WHEN coalesce(server, '') <> '' THEN CASE WHEN status IS NOT NULL THEN 'server' END "
    f"WHEN coalesce(_via, 'json_lines') = 'json_lines' AND NOT {DEPLOYER} THEN 'app' END",
    # What a container wrote is not Docker's own: the line counts for who wrote what is inside.
    "json_lines": f"CASE WHEN (_artifact, _line) IN ({_PASSED_ON}) THEN NULL WHEN program = 'nginx' THEN 'nginx' ELSE 'app' END",
}
"""SQL for the hop of a row, where a table holds rows of several; null for rows that show no hop's activity."""

_ROTATION = re.compile(r"([._-](?:\d{1,4}|\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{2,6})?Z?|old|bak))+$")
_PACKED = re.compile(r"\.(?:gz|zst|bz2|xz|zip|Z)$")


AWS_LOGS = frozenset(
    {
        "waf",
        "alb_access",
        "alb_connection",
        "alb_health_check",
        "clb_access",
        "nlb_access",
        "cloudfront_access",
        "api_gateway_access",
        "api_gateway_execution",
        "alarm",
        "cloudtrail",
        "eventbridge",
        "guardduty",
        "metric",
        "step_functions",
        "network_firewall",
        "route53_resolver",
        "s3_access",
        "tgw_flow",
        "vpc_flow",
    }
)
"""Logs that AWS delivers in a file every few minutes: all files of a table are one log."""


class LogCoverage(NamedTuple):
    """One log of one table: its files, its span, and whether and why (not) it covers the window."""

    table: str
    hop: str
    log: str
    artifacts: tuple[int, ...]
    rows: int
    start: datetime | None
    end: datetime | None
    covers: bool
    why: str


def writer(name: str, table: str) -> str:
    """The log that a file belongs to: its name without rotation, date and compression; all files of an AWS log are one."""
    if table in AWS_LOGS:
        return table
    stem = name
    while (shorter := _ROTATION.sub("", _PACKED.sub("", stem))) != stem:
        stem = shorter
    stem = re.sub(r"[._-]\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{2,6})?(?=\.[a-z]+$)", "", stem)
    return re.sub(r"(\.log)(?:[._-]\d+)+$", r"\1", stem)


@dataclass
class _Log:
    """One log of one table while it is judged: its files, and how many rows with a time it has before, in and after the window."""

    table: str
    hop: str
    name: str
    artifacts: list[int] = field(default_factory=list)
    count: int = 0
    inside: int = 0
    start: datetime | None = None
    before: datetime | None = None
    after: datetime | None = None
    end: datetime | None = None


class _Silence(NamedTuple):
    """How long a log is silent as a rule (95th percentile, seconds), and its longest silence over the window."""

    usual: float
    since: datetime
    until: datetime


def coverage(case: Case, window: Window | None) -> list[LogCoverage]:
    """The coverage of every log that has rows, in the order of its table and name."""
    files = case.rows(FILES)
    names = {row["artifact"]: row["name"] for row in files}
    shared = first_of_log(files)
    clocks = case.rows("SELECT * FROM _clocks WHERE source = 'assumed' AND zone = 'UTC' AND via IS NULL ORDER BY rowid")
    unknown = {(row["table_name"], row["artifact"]): (order, row["why"]) for order, row in enumerate(clocks)}
    logs = [log for table in counts(case) for log in _logs(case, table, names, shared, window)]
    silent = _silent(case, [log for log in logs if log.before is not None and log.after is not None])
    silences: dict[tuple[str, str, str], _Silence] = {}
    for table in dict.fromkeys(log.table for log in silent):
        silences.update(_silences(case, table, [log for log in silent if log.table == table]))
    found = [_one(log, window, silences.get((log.table, log.name, log.hop)), unknown) for log in logs]
    streamed = {row["artifact"] for row in files if row["streams"]}
    return _with_streams(case, window, found, streamed) if window is not None and streamed else found


def _with_streams(case: Case, window: Window, logs: Sequence[LogCoverage], streamed: AbstractSet[int]) -> list[LogCoverage]:
    """The logs, of which none covers the window that lost a stream before it; AWS's own writers begin and end streams as they like."""
    asked = [log for log in logs if log.covers and log.table not in AWS_LOGS and not streamed.isdisjoint(log.artifacts)]
    files = [Files(log.table, log.hop, _hop(log.table), log.artifacts) for log in asked]
    lost = {id(asked[place]): why for place, why in lost_streams(case, files, window, (PATIENCE, USUAL, SPARSE)).items()} if files else {}
    return [log._replace(covers=False, why=lost[id(log)]) if id(log) in lost else log for log in logs]


def counts(case: Case) -> dict[str, int]:
    """The tables of the case that have rows, and how many."""
    tables = [name for name in case.filled if name != "resource_snapshot"]
    sql = " UNION ALL ".join(f'SELECT {quoted(name)} AS name, count(*) AS n FROM "{name}"' for name in tables)
    rows = case.rows(sql) if tables else []
    found = {row["name"]: row["n"] for row in rows if row["n"]}
    return {name: found[name] for name in tables if name in found}


def _hop(table: str) -> str:
    """SQL for the hop of a row of the table."""
    return HOPS_OF.get(table, quoted(discover.format_of(table).hop or table))


def _logs(case: Case, table: str, names: Mapping[int, str], shared: Mapping[int, int], window: Window | None) -> list[_Log]:
    """The logs of one table in the order of their files' names; ``shared`` are files that hold a log together, with the first of them."""
    start, end = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (window.start, window.end)) if window else (None, None)
    rows = case.rows(
        f"""SELECT _artifact, {_hop(table)} AS hop, count(time) AS n, min(time) AS start, max(time) AS end,
                max(time) FILTER (WHERE time < $1::TIMESTAMP) AS before, min(time) FILTER (WHERE time >= $2::TIMESTAMP) AS after,
                count(*) FILTER (WHERE time >= $1::TIMESTAMP AND time < $2::TIMESTAMP) AS inside
            FROM "{table}" WHERE hop IS NOT NULL GROUP BY ALL""",
        [start, end],
    )
    logs: dict[tuple[str, str], _Log] = {}
    for row in sorted(rows, key=lambda row: (names[row["_artifact"]], row["hop"])):
        name, hop = writer(names[shared.get(row["_artifact"], row["_artifact"])], table), row["hop"]
        log = logs.setdefault((name, hop), _Log(table, hop, name))
        log.artifacts.append(row["_artifact"])
        log.count += row["n"]
        log.inside += row["inside"]
        log.start, log.after = (_least(own, row[key]) for own, key in ((log.start, "start"), (log.after, "after")))
        log.end, log.before = (_most(own, row[key]) for own, key in ((log.end, "end"), (log.before, "before")))
    return list(logs.values())


def _least(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((time for time in (one, other) if time is not None), default=None)


def _most(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)


def _silent(case: Case, logs: Sequence[_Log]) -> list[_Log]:
    """Those of the logs that are silent for a while about the window: of most it is soon seen that they are not."""
    if not logs:
        return []
    files = [(log.table, artifact, log.hop, number) for number, log in enumerate(logs) for artifact in log.artifacts]
    tables = dict.fromkeys(log.table for log in logs)
    timed = " UNION ALL ".join(
        f'SELECT {quoted(table)} AS table_name, _artifact, {_hop(table)} AS hop, time FROM "{table}" '
        f"WHERE time BETWEEN {_moment(min(spans)[0])} AND {_moment(max(until for _, until in spans))}"
        for table in tables
        for spans in ([(log.before, log.after) for log in logs if log.table == table and log.before and log.after],)
    )
    rows = case.rows(
        f"""WITH files AS (SELECT unnest($tables::VARCHAR[]) AS table_name, unnest($artifacts::INTEGER[]) AS _artifact,
                unnest($hops::VARCHAR[]) AS hop, unnest($numbers::INTEGER[]) AS log),
            around AS (SELECT unnest($before::TIMESTAMP[]) AS before, unnest($after::TIMESTAMP[]) AS after,
                unnest(range(len($before::TIMESTAMP[]))) AS log),
            gaps AS (SELECT log, time - lag(time) OVER (PARTITION BY log ORDER BY time) AS gap FROM ({timed})
                JOIN files USING (table_name, _artifact, hop) JOIN around USING (log) WHERE time BETWEEN before AND after)
        SELECT log FROM gaps GROUP BY log HAVING max(gap) > to_seconds({PATIENCE.total_seconds()}) ORDER BY log""",
        {
            **{name: [file[place] for file in files] for place, name in enumerate(("tables", "artifacts", "hops", "numbers"))},
            "before": [log.before for log in logs],
            "after": [log.after for log in logs],
        },
    )
    return [logs[row["log"]] for row in rows]


def _moment(time: datetime) -> str:
    """SQL for a time in UTC."""
    return f"TIMESTAMP '{time}'"


def _silences(case: Case, table: str, logs: Sequence[_Log]) -> dict[tuple[str, str, str], _Silence]:
    """The silences of logs of one table that have rows before and after the window, by the log's table, name and hop."""
    files = [(artifact, log.hop, number) for number, log in enumerate(logs) for artifact in log.artifacts]
    rows = case.rows(
        f"""WITH files AS (SELECT unnest($artifacts::INTEGER[]) AS _artifact, unnest($hops::VARCHAR[]) AS hop,
                unnest($numbers::INTEGER[]) AS log),
            around AS (SELECT unnest($before::TIMESTAMP[]) AS before, unnest($after::TIMESTAMP[]) AS after,
                unnest(range(len($before::TIMESTAMP[]))) AS log),
            timed AS (SELECT _artifact, {_hop(table)} AS hop, time FROM "{table}" WHERE time IS NOT NULL),
            gaps AS (SELECT log, time AS until, lag(time) OVER (PARTITION BY log ORDER BY time) AS since FROM timed
                JOIN files USING (_artifact, hop))
        SELECT log, quantile_cont(epoch(until - since), 0.95) AS usual,
            arg_min({{'since': since, 'until': until}}, (since - until, until)) FILTER (WHERE since >= before AND until <= after) AS longest
        FROM gaps JOIN around USING (log) WHERE since IS NOT NULL GROUP BY log""",
        {
            "artifacts": [artifact for artifact, _, _ in files],
            "hops": [hop for _, hop, _ in files],
            "numbers": [number for _, _, number in files],
            "before": [log.before for log in logs],
            "after": [log.after for log in logs],
        },
    )
    own = ((logs[row["log"]], row) for row in rows)
    return {(table, log.name, log.hop): _Silence(row["usual"], row["longest"]["since"], row["longest"]["until"]) for log, row in own}


def _one(log: _Log, window: Window | None, silence: _Silence | None, unknown: Mapping[tuple[str, int], tuple[int, str]]) -> LogCoverage:
    """Whether and why (not) a log covers the window; ``unknown`` are the files whose zone nothing tells, in an order, and why."""
    artifacts = tuple(log.artifacts)
    if log.start is None or log.end is None:
        return LogCoverage(log.table, log.hop, log.name, artifacts, log.count, None, None, covers=False, why="none of its rows has a time")
    start, end = log.start.replace(tzinfo=UTC), log.end.replace(tzinfo=UTC)
    covers, why = (True, "no moment was asked for") if window is None else _judge(log, window, start, end, silence)
    untold = min((unknown[log.table, artifact] for artifact in artifacts if (log.table, artifact) in unknown), default=None)
    if covers and untold is not None and window is not None:
        covers, why = False, f"its clock's zone is not known ({untold[1]})"
    return LogCoverage(log.table, log.hop, log.name, artifacts, log.count, start, end, covers, why)


def _judge(log: _Log, window: Window, start: datetime, end: datetime, silence: _Silence | None) -> tuple[bool, str]:
    if end < window.start:
        return False, "it ends before the moment"
    if start >= window.end:
        return False, "it starts after the moment"
    if log.before is None or log.after is None:
        return False, f"it has no record {'before' if log.before is None else 'after'} the moment"
    if silence is not None:
        allowed = min(max(PATIENCE, timedelta(seconds=USUAL * silence.usual)), SPARSE)
        if silence.until - silence.since > allowed:
            span = f"from {silence.since:%H:%M:%S} to {silence.until:%H:%M:%S} UTC"
            return False, f"it is silent {span}, far longer than is usual for it"
    return True, f"it has records before and after the moment, and {log.inside} in it"


def by_table(case: Case, logs: list[LogCoverage]) -> list[Coverage]:
    """The coverage of each table over all its logs; it covers the symptom only if every log does."""
    found: list[Coverage] = []
    rows = counts(case)
    for name in dict.fromkeys(log.table for log in logs):
        own = [log for log in logs if log.table == name]
        failing = [log for log in own if not log.covers]
        starts = [log.start for log in own if log.start]
        ends = [log.end for log in own if log.end]
        why = "; ".join(f"{log.log}: {log.why}" for log in failing) if failing else own[0].why
        files = len({artifact for log in own for artifact in log.artifacts})
        found.append(Coverage(name, files, rows[name], min(starts, default=None), max(ends, default=None), not failing, why))
    return found
