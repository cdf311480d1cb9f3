"""What looks like the cause and is not: the same status at another time, another status at the same time, rules that only counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kyumei.correlate.hops import TITLES
from kyumei.correlate.sightings import TIES, position
from kyumei.correlate.stated import is_path, matches
from kyumei.diagnose.failures import is_browser
from kyumei.model.finding import RuledOut
from kyumei.model.status import SERVER_ERROR
from kyumei.store.cite import cite_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Failure
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

Row = dict[str, Any]
SHOWN = 4
"""What is relayed of a client's errors (a wrong password) comes all the time; a server's error was a failure whoever made it."""
AN_HOUR_AND_A_HALF = 5400
CODE_OF = {"waf": "EDGE-022", "alb": "EDGE-009", "nginx": "EDGE-137", "server": "EDGE-001", "app": "EDGE-001"}
"""The id under which a look-alike is ruled out, by the hop that made it."""


def look_alikes(case: Case, symptom: Symptom, window: Window, failures: Sequence[Failure]) -> list[RuledOut]:
    """Failures that a reader of the same logs would stumble over, each with why it is not what the person saw."""
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    taken = {
        (row["table_name"], row["_artifact"], row["_line"]) for failure in failures for seen in failure.sightings.values() for row in seen
    }
    found: list[tuple[str, str, Row]] = []
    status = symptom.status
    if status is not None:
        rows = case.rows(
            "SELECT * FROM sightings WHERE status = ? AND (time < ? OR started >= ?) AND coalesce(own, true) ORDER BY "
            f"abs(epoch(time - ?::TIMESTAMP)), {TIES} LIMIT 200",
            [status, start, end, start],
        )
        rows.sort(key=lambda row: not (symptom.path and is_path(symptom.path, row)))
        found += [(_code(row), f"{_what(row)}, {_apart(row, window)} off the moment", row) for row in _first_of_each(rows)]
        rows = case.rows(
            "SELECT * FROM sightings WHERE status >= 400 AND status <> ? AND time >= ? AND started < ? AND coalesce(own, true) "
            f"ORDER BY time, {TIES} LIMIT 200",
            [status, start, end],
        )
        other = f"another failure, not the {status} that was reported"
        found += [(_code(row), f"{_what(row)}: {other}", row) for row in _first_of_each(rows)]
        sql = f"SELECT * FROM sightings WHERE status = ? AND time >= ? AND started < ? ORDER BY time, {TIES} LIMIT 500"
        rows = case.rows(sql, [status, start, end])
        rows = [row for row in rows if (row["table_name"], row["_artifact"], row["_line"]) not in taken]
        # A failure shows some of its requests only; the others are no others' either.
        shown = {hop for failure in failures for hop, seen in failure.sightings.items() if len(seen) < failure.total}
        rows = [row for row in rows if not (row["hop"] in shown and _as_reported(symptom, row))]
        other = "the same status, but another request than the one reported"
        found += [(_code(row), f"{_what(row)}: {other}", row) for row in _first_of_each(rows)]
    found += _counted(case, start, end)
    cited = cite_all(case, [row for _, _, row in found])
    return [RuledOut(code, why, (citation,)) for (code, why, _), citation in zip(found, cited, strict=True)]


def nearest(case: Case, symptom: Symptom, window: Window) -> str:
    """The failure outside of the window that is like the reported one, in words; empty where none is, or too little was told."""
    if not (symptom.path or symptom.client):
        return ""
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    rows = case.rows(
        "SELECT * FROM sightings WHERE (time < ? OR started >= ?) AND (status >= 400 OR own) AND coalesce(own, true) "
        f"ORDER BY greatest(epoch(time - ?::TIMESTAMP), epoch(?::TIMESTAMP - time)), {TIES} LIMIT 20000",
        [start, end, end, start],
    )
    row = next((row for row in rows if matches(symptom, row)), None)
    if row is None:
        return ""
    moment = row["time"].replace(tzinfo=UTC)
    local = f" ({_local(moment, symptom.zone):%H:%M:%S} {symptom.zone})" if symptom.zone and symptom.zone != "UTC" else ""
    word = "before" if row["time"] < start else "after"
    return (
        f"one like it was {TITLES[row['hop']]}'s {row['status']} to {row['method'] or '?'} {row['path']} "
        f"at {moment:%Y-%m-%d %H:%M:%S} UTC{local}, {_apart(row, window)} {word} the stated time: are its hour, zone and date right?"
    )


def otherwise(case: Case, symptom: Symptom, window: Window) -> str:
    """A person's request in the window that is the reported one but for its status, in words; empty where there is none."""
    if not symptom.path or symptom.status is None:
        return ""
    start, end = (moment.replace(tzinfo=None) for moment in (window.start, window.end))
    rows = case.rows(
        "SELECT * FROM sightings WHERE time >= ? AND started < ? AND (status >= 400 OR own) AND (coalesce(own, true) OR status >= ?) "
        f"ORDER BY coalesce(own, true) DESC, time, {TIES} LIMIT 20000",
        [start, end, SERVER_ERROR],
    )
    unlike = replace(symptom, status=None, status_class=None)
    rows = [row for row in rows if row["status"] != symptom.status and is_browser(row["user_agent"])]
    row = next((row for row in rows if matches(unlike, row) and is_path(symptom.path, row)), None)
    return f"but {_what(row)}: is the status right?" if row else ""


def _as_reported(symptom: Symptom, row: Row) -> bool:
    """Whether a record is of a request as it was told of."""
    return matches(symptom, row) and (not symptom.path or is_path(symptom.path, row))


def _local(moment: datetime, zone: str) -> datetime:
    if zone[:1] in "+-":
        return moment.astimezone(datetime.strptime(zone.replace(":", ""), "%z").tzinfo)
    try:
        return moment.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError):
        return moment


def _apart(row: Row, window: Window) -> str:
    """How far a record lies from the window."""
    edge = window.start if row["time"] < window.start.replace(tzinfo=None) else window.end
    seconds = abs((row["time"] - edge.replace(tzinfo=None)).total_seconds())
    minutes = max(1, round(seconds / 60))
    return f"{seconds / 3600:.1f} hours" if seconds >= AN_HOUR_AND_A_HALF else f"{minutes} minute{'s' * (minutes > 1)}"


def _first_of_each(rows: Sequence[Row]) -> list[Row]:
    """One record for each path and status, that of the innermost hop; few, so that the reader sees the kinds and not the bulk."""
    found: dict[tuple[Any, Any], Row] = {}
    for row in rows:
        known = found.setdefault((row["path"], row["status"]), row)
        if position(row["hop"]) > position(known["hop"]) and row["method"]:
            found[row["path"], row["status"]] = row
    kinds: dict[tuple[Any, Any], Row] = {}
    for row in found.values():
        kinds.setdefault((row["hop"], row["status"]), row)
    return list(kinds.values())[:SHOWN]


def _what(row: Row) -> str:
    return f"{TITLES[row['hop']]} answered {row['status']} to {row['method'] or '?'} {row['path'] or '?'} at {row['time']:%H:%M:%S} UTC"


def _code(row: Row) -> str:
    return CODE_OF.get(row["hop"], "EDGE-001")


def _counted(case: Case, start: object, end: object) -> list[tuple[str, str, Row]]:
    """Rules of WAF that matched in the window and let the request pass: the code, why it is no cause, and the first such row."""
    rows = case.rows(
        "SELECT rule, n, first.* FROM (SELECT rule, count(*) AS n, "
        f"arg_min({{'_artifact': _artifact, '_line': _line, 'request_id': request_id}}, (time, {TIES})) AS first "
        "FROM (SELECT unnest(counted_rules) AS rule, * FROM waf WHERE time >= ? AND time < ?) GROUP BY rule) "
        "ORDER BY n DESC, rule LIMIT ?",
        [start, end, SHOWN],
    )
    why = "matched {n} request{s} in the window and only counted; it stops nothing"
    return [("EDGE-022", f"WAF rule {row['rule']} {why.format(n=row['n'], s='s' if row['n'] > 1 else '')}", row) for row in rows]
