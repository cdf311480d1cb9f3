"""Traps of clocks and zones that could spoil an answer, as notes to it (EDGE-120 to EDGE-127).

Only logs that the answer stands on are warned of: those with records of the failing requests, and those that its findings cite. Where no
finding is proven, also those whose zone is only assumed: the line that would have proven one may have been looked for at the wrong hour.
What to warn of is said in ``edge.clock_traps``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.edge.clock_traps import END, LogClock, clock_warnings
from kyumei.layouts.clocks import YEARLESS_TIME
from kyumei.model.finding import Certainty

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from kyumei.contracts import Failure
    from kyumei.model.finding import Finding
    from kyumei.model.window import Window
    from kyumei.store.case import Case

CLOCKS = """(SELECT k.*, CASE WHEN k.via IS NULL THEN a.name ELSE concat('the lines of ', k.table_name, ' in ', a.name) END AS name
    FROM _clocks k JOIN artifacts a USING (artifact))"""
"""SQL: the clocks of logs that write no zone, each with the name of its log: the lines of an application in syslog may keep another zone
than syslog itself."""
Log = tuple[str, int]
"""A table and the file that its rows come from."""
DATELESS = frozenset({"syslog", "app_log", "json_lines"})
"""Tables whose records may write no year."""
MOST = 500
"""Logs that are looked at."""


def clock_notes(case: Case, window: Window, failures: Sequence[Failure], findings: Sequence[Finding]) -> list[str]:
    """A note for each trap that is open in the logs behind an answer about a window: its failing requests and what was found of them."""
    told, changed = _told(case)
    names = {row["artifact"]: row["name"] for row in case.rows("SELECT artifact, name FROM artifacts")}
    called = {(row["table_name"], row["artifact"]): row["name"] for row in case.rows(f"SELECT table_name, artifact, name FROM {CLOCKS}")}
    cited = {citation.file for finding in findings for evidence in finding.chain for citation in evidence.citations}
    proven = any(finding.certainty is Certainty.PROVEN for finding in findings)
    behind = [log for log, (_, source) in told.items() if names.get(log[1]) in cited or (source == "assumed" and not proven)]
    logs = [*dict.fromkeys((*_of_failures(failures), *behind))][:MOST]
    if not logs:
        return []
    skews = _skews(case, window.start)
    yearless = {(row["table_name"], row["artifact"]) for row in _undated(case, {table for table, _ in logs if table in DATELESS})}
    silent = _without_durations(case, [artifact for table, artifact in logs if table in END])
    clocks = [
        LogClock(
            file=called.get((table, artifact), names[artifact]),
            table=table,
            zone=told.get((table, artifact), ("UTC", "written"))[0],
            source=told.get((table, artifact), ("UTC", "written"))[1],
            skews=skews.get((table, artifact), ()),
            yearless=(table, artifact) in yearless,
            has_durations=artifact not in silent,
        )
        for table, artifact in logs
        if artifact in names
    ]
    was_set = [
        f"{names[log[1]]}: its lines keep {' first and '.join(zones)} after a line at which the clock or its zone was set, as "
        "its requests in other logs tell (EDGE-124)"
        for log, zones in changed.items()
        if log in logs and log[1] in names
    ]
    return was_set + [f"{warning.says} ({warning.code})" for warning in clock_warnings(clocks, window)]


def _of_failures(failures: Sequence[Failure]) -> Iterable[Log]:
    """The logs that have records of the failing requests."""
    for failure in failures:
        for rows in failure.sightings.values():
            for row in rows:
                yield row["table_name"], row["_artifact"]


def _told(case: Case) -> tuple[dict[Log, tuple[str, str]], dict[Log, list[str]]]:
    """Zone and its source of the logs that write none, and of those whose zone changed, both in the order of their lines."""
    rows = case.rows("SELECT table_name, artifact, via, zone, source FROM _clocks ORDER BY artifact, table_name, via NULLS LAST, rowid")
    zones: dict[tuple[Log, str | None], list[str]] = {}
    for row in rows:
        zones.setdefault(((row["table_name"], row["artifact"]), row["via"]), []).append(row["zone"])
    told = {(row["table_name"], row["artifact"]): (row["zone"], row["source"]) for row in rows}
    return told, {log: both for (log, _), both in zones.items() if len(both) > 1}


def _skews(case: Case, moment: datetime) -> dict[Log, tuple[tuple[datetime, float], ...]]:
    """By how many seconds clocks were found to be ahead of AWS's."""
    rows = case.rows("SELECT table_name, artifact, seconds FROM _skews ORDER BY artifact, table_name, seconds")
    found: dict[Log, tuple[tuple[datetime, float], ...]] = {}
    for row in rows:
        log = (row["table_name"], row["artifact"])
        found[log] = (*found.get(log, ()), (moment, float(row["seconds"])))
    return found


def _undated(case: Case, tables: Iterable[str]) -> list[dict[str, object]]:
    """The logs whose records write no year."""
    selects = [
        f"SELECT DISTINCT '{table}' AS table_name, _artifact AS artifact FROM \"{table}\" WHERE _naive = {YEARLESS_TIME}"
        for table in sorted(tables)
    ]
    return case.rows(" UNION ALL ".join(selects)) if selects else []


def _without_durations(case: Case, artifacts: Sequence[int]) -> set[int]:
    """The files of web servers none of whose records says how long a request took."""
    if not artifacts:
        return set()
    rows = case.rows(
        "SELECT _artifact AS artifact FROM nginx_access WHERE list_contains(?::INTEGER[], _artifact) GROUP BY 1 HAVING "
        "count(request_seconds) = 0",
        [list(artifacts)],
    )
    return {row["artifact"] for row in rows}
