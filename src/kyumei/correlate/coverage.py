"""Did this log cover the moment? Only then does a missing record mean anything.

A log is one writer's file with its rotations (or all files of one AWS log). It covers a window when it has a record before and one after
it, no hole over it that is out of proportion to its usual pace, and a clock that is known. A log that ends before the window, because it
was switched off, rotated away or not delivered yet, does not cover it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.layouts.casts import quoted
from kyumei.model.artifact import Coverage

if TYPE_CHECKING:
    from kyumei.model.window import Window
    from kyumei.store.case import Case

PATIENCE = timedelta(minutes=2)
"""A silence shorter than this is no hole, however busy the log."""
USUAL = 30
"""A silence of so many times the log's usual one (95th percentile) is a hole."""
SPARSE = timedelta(hours=26)
"""In a log that writes little, a silence up to this long shows nothing either way; a daily log has a record within it."""

_PASSED_ON = " UNION ALL ".join(
    f"SELECT (_artifact, _line) FROM {name} WHERE _via = 'json_lines'" for name in ("nginx_access", "nginx_error", "app_log")
)

HOPS_OF = {
    # A line that a host log passes on (gunicorn's start and stop, say) is no access log, and not the application's own log either.
    # An error log does not record requests: its silence says nothing about one.
    "nginx_error": "'nginx_error'",
    "app_log": "CASE WHEN coalesce(server, '') <> '' THEN CASE WHEN status IS NOT NULL THEN 'server' END "
    "WHEN coalesce(_via, 'json_lines') = 'json_lines' THEN 'app' END",
    # What a container wrote is not Docker's own: the line counts for who wrote what is inside.
    "json_lines": f"CASE WHEN (_artifact, _line) IN ({_PASSED_ON}) THEN NULL WHEN program = 'nginx' THEN 'nginx' ELSE 'app' END",
}
"""SQL for the hop of a row, where a table holds rows of several; null for rows that show no hop's activity."""

_ROTATION = re.compile(r"([._-](?:\d{1,4}|\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{2,6})?Z?|old|bak))+$")
_PACKED = re.compile(r"\.(?:gz|zst|bz2|xz|zip|Z)$")


@dataclass(frozen=True)
class LogCoverage:
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
    if table in {"waf", "alb_access"}:
        return table
    stem = name
    while (shorter := _ROTATION.sub("", _PACKED.sub("", stem))) != stem:
        stem = shorter
    stem = re.sub(r"[._-]\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d{2,6})?(?=\.[a-z]+$)", "", stem)
    return re.sub(r"(\.log)(?:[._-]\d+)+$", r"\1", stem)


def coverage(case: Case, window: Window | None) -> list[LogCoverage]:
    """The coverage of every log that has rows, in the order of its table and name."""
    found: list[LogCoverage] = []
    for leaf in discover.formats().values():
        if leaf.name == "resource_snapshot":
            continue
        hop = HOPS_OF.get(leaf.name, quoted(leaf.hop or leaf.name))
        files = case.rows(
            f'SELECT _artifact AS artifact, a.name, {hop} AS hop FROM "{leaf.name}" t JOIN artifacts a ON a.artifact = t._artifact '
            "WHERE hop IS NOT NULL GROUP BY ALL ORDER BY 2, 3"
        )
        logs: dict[tuple[str, str], list[int]] = {}
        for file in files:
            logs.setdefault((writer(file["name"], leaf.name), file["hop"]), []).append(file["artifact"])
        found += [_one(case, leaf.name, own_hop, log, tuple(artifacts), hop, window) for (log, own_hop), artifacts in logs.items()]
    return found


def _one(case: Case, table: str, hop: str, log: str, artifacts: tuple[int, ...], hop_sql: str, window: Window | None) -> LogCoverage:  # noqa: PLR0913 - one log is told by these
    where = f"_artifact IN ({','.join(map(str, artifacts))}) AND time IS NOT NULL AND {hop_sql} = {quoted(hop)}"
    count, start, end = case.con.execute(f'SELECT count(*), min(time), max(time) FROM "{table}" WHERE {where}').fetchone() or (
        0,
        None,
        None,
    )
    if start is None or end is None:
        return LogCoverage(table, hop, log, artifacts, count, None, None, covers=False, why="none of its rows has a time")
    start, end = start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    covers, why = (True, "no moment was asked for") if window is None else _judge(case, table, where, window, start, end)
    unknown = case.value(
        f"SELECT why FROM _clocks WHERE table_name = {quoted(table)} AND artifact IN ({','.join(map(str, artifacts))}) "
        "AND source = 'assumed' AND zone = 'UTC' AND via IS NULL LIMIT 1"
    )
    if covers and unknown and window is not None:
        covers, why = False, f"its clock's zone is not known ({unknown})"
    return LogCoverage(table, hop, log, artifacts, count, start, end, covers, why)


def _judge(case: Case, table: str, where: str, window: Window, start: datetime, end: datetime) -> tuple[bool, str]:  # noqa: PLR0913 - as above
    if end < window.start:
        return False, "it ends before the moment"
    if start >= window.end:
        return False, "it starts after the moment"
    naive = [moment.astimezone(UTC).replace(tzinfo=None) for moment in (window.start, window.end)]
    before, after, inside = case.con.execute(
        "SELECT max(time) FILTER (WHERE time < $1), min(time) FILTER (WHERE time >= $2), count(*) FILTER (WHERE time >= $1 AND "
        f'time < $2) FROM "{table}" WHERE {where}',
        naive,
    ).fetchone() or (None, None, 0)
    if before is None or after is None:
        return False, f"it has no record {'before' if before is None else 'after'} the moment"
    usual = case.value(
        f'SELECT quantile_cont(gap, 0.95) FROM (SELECT epoch(time - lag(time) OVER (ORDER BY time)) AS gap FROM "{table}" WHERE '
        f"{where}) WHERE gap IS NOT NULL"
    )
    edges = f"SELECT time FROM \"{table}\" WHERE {where} AND time >= '{before}' AND time <= '{after}'"
    hole = case.rows(
        "SELECT time - lag(time) OVER (ORDER BY time) AS gap, lag(time) OVER (ORDER BY time) AS since, time AS until FROM "
        f"({edges}) ORDER BY gap DESC NULLS LAST LIMIT 1"
    )
    longest = hole[0]["gap"] if hole and hole[0]["gap"] is not None else timedelta(0)
    allowed = min(max(PATIENCE, timedelta(seconds=USUAL * (usual or 0))), SPARSE)
    if longest > allowed:
        return False, f"it is silent from {hole[0]['since']:%H:%M:%S} to {hole[0]['until']:%H:%M:%S} UTC, far longer than is usual for it"
    return True, f"it has records before and after the moment, and {inside} in it"


def by_table(case: Case, logs: list[LogCoverage]) -> list[Coverage]:
    """The coverage of each table over all its logs; it covers the symptom only if every log does."""
    found: list[Coverage] = []
    for name in dict.fromkeys(log.table for log in logs):
        own = [log for log in logs if log.table == name]
        failing = [log for log in own if not log.covers]
        starts = [log.start for log in own if log.start]
        ends = [log.end for log in own if log.end]
        why = "; ".join(f"{log.log}: {log.why}" for log in failing) if failing else own[0].why
        files = len({artifact for log in own for artifact in log.artifacts})
        rows = case.value(f'SELECT count(*) FROM "{name}"')
        found.append(Coverage(name, files, rows, min(starts, default=None), max(ends, default=None), not failing, why))
    return found
