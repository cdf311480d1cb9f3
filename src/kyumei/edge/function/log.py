"""Lines of a Lambda function's own log: of a request by its id, or of the seconds around it.

They stand in ``lambda_log``, with the request that each belongs to; copies that lost what tells a function's log stand among the lines of
applications, where only the text tells.

Follows "Using CloudWatch Logs with Lambda" in the AWS Lambda Developer Guide.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.model.level import GRAVE

if TYPE_CHECKING:
    from datetime import datetime

    from kyumei.contracts import View

Row = dict[str, Any]
OTHERS = ("app_log", "json_lines")
"""Where lines of a function are that nothing shows to be one's."""
BEGAN = timedelta(seconds=3)
"""How far from a call the run may seem to begin: a cold start, a clock or a log that keeps whole seconds."""
RUNS_ON = timedelta(minutes=15)
"""The longest that a function runs."""
NEARLY = 0.97
"""Of the time that was waited for a run: the caller's clock and the function's start a little apart."""
SAID = 160
"""Characters of a log's line that a sentence holds."""
MOST = 50
"""Lines of a request that are looked at."""
_BAD = frozenset({"error", "failure", "timeout"})
_FAILED = re.compile(
    r"Task timed out after|^\[ERROR\]|\t\[?ERROR\]?\t|\bTraceback |Runtime exited|\"status\":\"(?:error|timeout|failure)\""
)
_ENDED = re.compile(r"Task timed out after|Runtime exited|\"status\":\"(?:error|timeout|failure)\"")
_REPORT = re.compile(r"^REPORT RequestId|\"type\":\"platform\.report\"")
_DURATION = re.compile(
    r"^REPORT RequestId: [^\n]{0,200}?\bDuration: ([0-9]{1,9}(?:\.[0-9]{1,6})?) ms|\"durationMs\": ?([0-9]{1,9}(?:\.[0-9]{1,6})?)"
)
_SAID = "coalesce(l.message, concat_ws(' ', l.kind, l.outcome, l.error_type, l.error_text))"
_ROW = f"l._artifact, l._line, l.time, l.level, {_SAID} AS message, l.kind, l.outcome, l.request_seconds, l.function_name AS function"
_PLAIN = "_artifact, _line, time, level, message, NULL AS kind, NULL AS outcome, NULL AS request_seconds, NULL AS function"
_BETWEEN = "time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP"


def of_requests(view: View, ids: list[str], start: datetime, end: datetime) -> list[Row]:
    """The lines of the requests with these ids, by the function's log or by an id in the text, between two times in UTC."""
    found: list[Row] = []
    if view.has("lambda_log"):
        found += view.rows(
            f"SELECT {_ROW} FROM lambda_log l JOIN lambda_line b ON l._artifact = b._artifact AND l._line = b._line AND l.kind = b.kind "
            "AND l.message IS NOT DISTINCT FROM b.message "
            f"WHERE l.{_BETWEEN} AND list_contains(?::VARCHAR[], b.request_id) ORDER BY b.place LIMIT {MOST}",
            *(start, end, ids),
        )
    for table in OTHERS:
        if view.has(table):
            found += view.rows(
                f'SELECT {_PLAIN} FROM "{table}" WHERE {_BETWEEN} '
                "AND len(list_filter(?::VARCHAR[], lambda id: contains(coalesce(message, ''), id))) > 0 "
                f"ORDER BY time, _artifact, _line LIMIT {MOST}",
                *(start, end, ids),
            )
    return found


def of_traces(view: View, traces: list[str], start: datetime, end: datetime, called: tuple[datetime, datetime] | None = None) -> list[Row]:
    """The lines of the runs that name one of these trace ids, in their report (X-Ray) or in what they print of the request's headers.

    A client asks several times in one trace: where it has several runs, those that began in ``called``, if that is given.
    """
    if not traces or not view.has("lambda_log"):
        return []
    rows = view.rows(
        "SELECT DISTINCT b.request_id FROM lambda_log l JOIN lambda_line b ON l._artifact = b._artifact AND l._line = b._line "
        f"WHERE l.{_BETWEEN} AND b.request_id IS NOT NULL AND (list_contains(?::VARCHAR[], l.trace_id) OR "
        f"len(list_filter(?::VARCHAR[], lambda id: contains(coalesce(l.message, ''), id))) > 0) LIMIT {MOST}",
        *(start, end, traces, traces),
    )
    ids = [row["request_id"] for row in rows]
    if called and len(ids) > 1:
        began = "CASE WHEN started THEN time ELSE time - to_seconds(coalesce(request_seconds, 0)) END"
        sql = f"SELECT request_id FROM lambda_invocation WHERE list_contains(?::VARCHAR[], request_id) AND {began} BETWEEN ? AND ?"
        ids = [row["request_id"] for row in view.rows(sql, ids, *called)]
    return of_requests(view, ids, start, end) if ids else []


def functions(view: View) -> dict[int, set[str]]:
    """The functions of which each file has runs, by the file's number, as far as group, stream or line name them."""
    if not view.has("lambda_log"):
        return {}
    rows = view.rows("SELECT DISTINCT _artifact, function_name FROM lambda_invocation WHERE function_name IS NOT NULL LIMIT 1000")
    found: dict[int, set[str]] = {}
    for row in rows:
        found.setdefault(row["_artifact"], set()).add(row["function_name"])
    return found


def of_function(lines: list[Row], name: str, known: dict[int, set[str]]) -> tuple[list[Row], bool]:
    """The lines that can be the function's, and whether it is settled that they are.

    ``name`` is empty where nothing tells which function it is. What names another function is left out; lines that name none are the
    function's only where they all are of one log. Without any name, lines of one log are taken for its own, those of several are anybody's.
    """
    bare = name.partition(":")[0]
    told = [(line, {str(line["function"])} if line["function"] else known.get(line["_artifact"], set())) for line in lines]
    if bare:
        told = [(line, names) for line, names in told if not names or bare in names]
    sources = {frozenset(names) or line["_artifact"] for line, names in told}
    settled = len(sources) == 1 or (bool(bare) and all(names == {bare} for _, names in told))
    return [line for line, _ in told], settled and bool(told)


def between(view: View, start: datetime, end: datetime, most: int = 1000) -> list[Row]:
    """The reports and failures of functions between two times in UTC, the earliest first."""
    found: list[Row] = []
    if view.has("lambda_log"):
        found += view.rows(
            f"SELECT {_ROW} FROM lambda_log l WHERE l.{_BETWEEN} AND (l.kind IN ('report', 'timeout', 'exit', 'error') "
            f"OR l.level IN {GRAVE}) ORDER BY l.time, l._artifact, l._line LIMIT {most}",
            *(start, end),
        )
    for table in OTHERS:
        if view.has(table):
            lines = view.rows(
                f'SELECT {_PLAIN} FROM "{table}" WHERE {_BETWEEN} AND regexp_matches(message, ?) '
                f"ORDER BY time, _artifact, _line LIMIT {most}",
                *(start, end, f"{_REPORT.pattern}|{_FAILED.pattern}|{_DURATION.pattern}"),
            )
            found += lines
    return found


def is_report(line: Row) -> bool:
    """Whether the line says that a run is over."""
    return line["kind"] == "report" or (line["kind"] is None and _REPORT.search(_head(line)) is not None)


def failed(line: Row) -> bool:
    """Whether the line says that the function failed, by its text or by the platform's word."""
    if line["kind"] is not None and (line["outcome"] in _BAD or line["kind"] in {"timeout", "exit", "error"}):
        return True
    return _FAILED.search(_head(line)) is not None


def ended_badly(line: Row) -> bool:
    """Whether the line says that the run itself failed, so that the function returned no answer: not merely that it logged an error."""
    if line["kind"] is not None:
        return line["outcome"] in _BAD or line["kind"] in {"timeout", "exit", "error"}
    return _ENDED.search(_head(line)) is not None


def seconds(line: Row) -> float | None:
    """How long the run took that the line reports, in seconds."""
    if line["request_seconds"] is not None:
        return float(line["request_seconds"]) if line["kind"] == "report" else None
    found = _DURATION.search(_head(line)) if line["kind"] is None else None
    return float(found[1] or found[2]) / 1000 if found else None


def _head(line: Row) -> str:
    return str(line["message"])[:4000]
