"""What happened when, over all logs: the failing requests, what the same clients did before and after, changes, errors, look-alikes."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.correlate.changed import changes
from kyumei.correlate.sightings import TIES
from kyumei.model.finding import Moment
from kyumei.model.level import GRAVE_ANYWHERE
from kyumei.store.cite import cite_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import Failure
    from kyumei.model.window import Window
    from kyumei.store.case import Case

MOST = 40
NEAR = timedelta(minutes=15)


class _Line(NamedTuple):
    """What may become a moment; of too many those with the lowest ``order`` are kept, and only these are cited."""

    order: int
    row: Mapping[str, Any]
    hop: str
    says: str
    kind: str


def timeline(case: Case, window: Window, failures: Sequence[Failure]) -> tuple[Moment, ...]:
    """At most MOST moments in order of time: all kinds are kept, the nearest to the failing requests first."""
    failing = {
        (row["table_name"], row["_artifact"], row["_line"]): row
        for failure in failures[:3]
        for seen in failure.sightings.values()
        for row in seen
    }
    found = [_Line(0, row, row["hop"], _says(row), "failure") for row in list(failing.values())[:15]]
    clients = sorted(
        {row["client_ip"] for failure in failures[:1] for seen in failure.sightings.values() for row in seen if row["client_ip"]}
    )[:20]
    start, end = ((moment).replace(tzinfo=None) for moment in (window.start - NEAR, window.end + NEAR))
    if clients and failures:
        rows = case.rows(
            "SELECT * FROM sightings WHERE list_contains(?::VARCHAR[], client_ip) AND hop = ? AND time >= ? AND time < ? "
            f"ORDER BY time, {TIES} LIMIT 30",
            [clients, next(iter(failures[0].sightings)), start, end],
        )
        found += [
            _Line(1, row, row["hop"], _says(row), "same client")
            for row in rows
            if (row["table_name"], row["_artifact"], row["_line"]) not in failing
        ]
    others = case.rows(
        f"SELECT * FROM sightings WHERE status >= 400 AND coalesce(own, true) AND time >= ? AND time < ? ORDER BY time, {TIES} LIMIT 15",
        [start, end],
    )
    found += [
        _Line(2, row, row["hop"], _says(row), "other failure")
        for row in others
        if (row["table_name"], row["_artifact"], row["_line"]) not in failing
    ]
    logs = (("app_log", "app"), ("json_lines", "app"), ("lambda_log", "app"), ("nginx_error", "nginx"), ("apache_error", "apache"))
    for table, hop in logs:
        rows = case.rows(
            f'SELECT _artifact, _line, time, level, message FROM "{table}" WHERE upper(level) IN {GRAVE_ANYWHERE} '
            "AND time >= ? AND time < ? ORDER BY time, _artifact, _line LIMIT 8",
            [start, end],
        )
        found += [_Line(3, row, hop, f"{row['level']}: {str(row['message']).splitlines()[0][:200]}", "log error") for row in rows]
    begun = min((row["time"] for row in failing.values()), default=window.start.replace(tzinfo=None))
    found += [_Line(0, row, writer, says, "change") for row, writer, says in changes(case, begun, window.end.replace(tzinfo=None))]
    kept = sorted(found, key=lambda line: line.order)[:MOST]
    cited = cite_all(case, [line.row for line in kept])
    moments = [
        Moment(line.row["time"].replace(tzinfo=UTC), line.hop, line.says, line.kind, citation)
        for line, citation in zip(kept, cited, strict=True)
    ]
    return tuple(sorted(moments, key=lambda moment: moment.time))


def _says(row: Mapping[str, Any]) -> str:
    client = f" from {row['client_ip']}" if row["client_ip"] else ""
    what = f"{row['method'] or '?'} {row['path'] or '?'}{client}"
    if row["hop"] == "waf":
        return f"{'stopped' if row['own'] else 'let pass'} {what}"
    return f"{what} → {'no status written' if row['status'] is None else row['status']}"
