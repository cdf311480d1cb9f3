"""What happened when, over all logs: the failing requests, what the same clients did before and after, errors, look-alikes."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from kyumei.model.finding import Moment
from kyumei.store.cite import cite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import Failure
    from kyumei.model.window import Window
    from kyumei.store.case import Case

MOST = 40
NEAR = timedelta(minutes=15)


def timeline(case: Case, window: Window, failures: Sequence[Failure]) -> tuple[Moment, ...]:
    """At most MOST moments in order of time: all kinds are kept, the nearest to the failing requests first."""
    failing = {
        (row["table_name"], row["_artifact"], row["_line"]): row
        for failure in failures[:3]
        for seen in failure.sightings.values()
        for row in seen
    }
    found = [(0, _moment(case, row, "failure")) for row in list(failing.values())[:15]]
    clients = sorted(
        {row["client_ip"] for failure in failures[:1] for seen in failure.sightings.values() for row in seen if row["client_ip"]}
    )[:20]
    start, end = ((moment).replace(tzinfo=None) for moment in (window.start - NEAR, window.end + NEAR))
    if clients and failures:
        rows = case.rows(
            "SELECT * FROM sightings WHERE list_contains(?::VARCHAR[], client_ip) AND hop = ? AND time >= ? AND time < ? ORDER "
            "BY time LIMIT 30",
            [clients, next(iter(failures[0].sightings)), start, end],
        )
        found += [
            (1, _moment(case, row, "same client")) for row in rows if (row["table_name"], row["_artifact"], row["_line"]) not in failing
        ]
    others = case.rows(
        "SELECT * FROM sightings WHERE status >= 400 AND coalesce(own, true) AND time >= ? AND time < ? ORDER BY time LIMIT 15",
        [start, end],
    )
    found += [
        (2, _moment(case, row, "other failure")) for row in others if (row["table_name"], row["_artifact"], row["_line"]) not in failing
    ]
    for table, hop in (("app_log", "app"), ("json_lines", "app"), ("nginx_error", "nginx")):
        rows = case.rows(
            f"SELECT _artifact, _line, time, level, message FROM \"{table}\" WHERE upper(level) IN ('ERROR', 'CRITICAL', "
            "'CRIT', 'ALERT', 'EMERG') AND time >= ? AND time < ? ORDER BY time LIMIT 8",
            [start, end],
        )
        found += [
            (
                3,
                Moment(
                    row["time"].replace(tzinfo=UTC),
                    hop,
                    f"{row['level']}: {str(row['message']).splitlines()[0][:200]}",
                    "log error",
                    cite(case, row),
                ),
            )
            for row in rows
        ]
    kept = sorted(found, key=lambda pair: pair[0])[:MOST]
    return tuple(sorted((moment for _, moment in kept), key=lambda moment: moment.time))


def _moment(case: Case, row: Mapping[str, Any], kind: str) -> Moment:
    client = f" from {row['client_ip']}" if row["client_ip"] else ""
    what = f"{row['method'] or '?'} {row['path'] or '?'}{client}"
    says = f"{'stopped' if row['own'] else 'let pass'} {what}" if row["hop"] == "waf" else f"{what} → {row['status']}"
    return Moment(row["time"].replace(tzinfo=UTC), row["hop"], says, kind, cite(case, row))
