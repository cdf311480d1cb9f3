"""What an application logged about requests that it failed: lines that name the request, and errors that come with each of them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.model.level import GRAVE
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import Failure, View

Row = dict[str, Any]
NEAR = timedelta(seconds=2)
"""Clocks of hosts in one region differ by less; logs that keep whole seconds lose up to one."""
AROUND = timedelta(minutes=1)
"""How far around the failing requests errors are counted, to see whether they come without failures, too."""
LONG_BEFORE = timedelta(hours=1)
"""How far before them good answers are looked for where all failed in that time."""
TABLES = ("app_log", "json_lines")
LOOKED_AT = 5
"""Failing requests whose lines are looked for one by one."""
FEWEST = 3
"""Failing requests that an error must come with before it is no coincidence."""
MOSTLY = 0.8
"""Share of the failing requests that end with the error, and of the errors that come with a failing request."""
CHANCE = 0.3
"""From this share of good answers on that have the error beside them, it is no sign of anything."""
LONGEST = 160
"""Characters of a line that a sentence quotes."""
_COLUMNS = "_artifact, _line, time, level, message, status, error_type, error_text"
_TAG = re.compile(r"^\s*(?:\[[0-9a-fA-F-]{8,64}\]\s*)+")
"""Ids of requests that Rails and others write in front of each line."""
_STDERR = re.compile(r"(?:FastCGI|uwsgi) sent in stderr: \"?(?:PHP message: )?(.+)", re.DOTALL | re.IGNORECASE)
_VARIES = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|[0-9]+|\"[^\"]*\"|'[^']*'")


def said(line: Mapping[str, Any]) -> str:
    """What a line says, short enough for a sentence: its error where it names one, else its first line."""
    message, kind, error = (str(line.get(name) or "").strip() for name in ("message", "error_type", "error_text"))
    text = f"{kind}: {error}" if kind and error and not error.startswith(kind) else error or message or kind
    first = next((one for one in (_TAG.sub("", line).strip() for line in text.splitlines()) if one), "")
    first = first.rstrip(": ")
    return first if len(first) <= LONGEST else f"{first[: LONGEST - 1]}…"


def passed_on(failure: Failure) -> list[Row]:
    """What the program behind a web server wrote of these requests, as the web server's error log hands it on, in the shape of its own."""
    found = [(line, _STDERR.match(str(line.get("message") or ""))) for line in failure.inner_errors]
    return [dict(line) | {"level": "ERROR", "message": match[1], "error_type": None} for line, match in found if match]


def is_grave(line: Mapping[str, Any]) -> bool:
    """Whether a line speaks of an error: by its level, or by the error that it holds."""
    return line.get("level") in GRAVE or bool(line.get("error_type"))


def tells_why(line: Mapping[str, Any]) -> bool:
    """Whether a line says what went wrong: the record of a failed request may be of level ERROR, too, and say only that it failed."""
    return bool(line.get("error_type")) or (is_grave(line) and line.get("status") is None)


def named(view: View, failure: Failure, status: int | None, method: str | None) -> list[Row]:
    """Lines that name the path or the id of these requests within seconds, errors first; none that is a record of another request."""
    found: dict[tuple[int, int], Row] = {}
    own = {(row.get("_artifact"), row.get("_line")) for row in failure.rows}
    for row in failure.rows[:LOOKED_AT]:
        marks = [mark for mark in (row.get("path"), row.get("trace_id"), row.get("request_id")) if mark and len(mark) > 1]
        for table in TABLES:
            kind = "coalesce(server, '') = ''" if table == "app_log" else f"status IS NULL OR {_LOUD}"
            for line in view.rows(
                f'SELECT {_COLUMNS} FROM "{table}" WHERE ({kind}) AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP '
                "AND coalesce(status = ?, true) AND coalesce(method = ?, true) AND coalesce(path IS NULL OR path = ? OR ? IS NULL, true) "
                "AND (len(list_filter(?::VARCHAR[], lambda mark: contains(coalesce(message, ''), mark))) > 0 "
                f"OR ({_ERROR} AND path = ?)) ORDER BY {_ERROR} DESC, time, _artifact, _line LIMIT 5",
                row["time"] - NEAR,
                row["time"] + NEAR,
                status,
                method,
                row.get("path"),
                row.get("path"),
                marks,
                row.get("path"),
            ):
                found.setdefault((line["_artifact"], line["_line"]), line)
    told = [
        line for place, line in found.items() if place not in own or line["status"] is None or is_grave(line) or line["level"] == "WARNING"
    ]
    if not any(line.get("error_type") for line in told):
        told += _raised(view, failure)
    return sorted(told, key=lambda line: (not line["error_type"], not is_grave(line), line["status"] is not None))


def _raised(view: View, failure: Failure) -> list[Row]:
    """Errors with a type, beside the failure's own lines in the application's log, that name its request by an id or by who served it.

    An id must be the very same. Who served it, a process or a thread, serves one request after the other, or many at once: so its error
    counts only where all errors of these seconds are of one kind, and no other request failed in them.
    """
    found: dict[tuple[int, int], Row] = {}
    for row in failure.rows[:LOOKED_AT] if failure.table in TABLES else ():
        whose = [f"{name} = ?" for name in ("request_id", "trace_id") if row.get(name)]
        served = [name for name in ("pid", "thread") if row.get(name) is not None]
        by = " AND ".join(f"{name} IS NOT DISTINCT FROM ?" for name in served) or "false"
        lines = view.rows(
            f'SELECT {_COLUMNS}, {" OR ".join(whose) or "false"} AS by_id, {by} AS by_server FROM "{failure.table}" '
            "WHERE error_type IS NOT NULL AND (path IS NULL OR path = ?) AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP "
            "AND _artifact = ? ORDER BY time, _artifact, _line LIMIT 20",
            *(row[name] for name in ("request_id", "trace_id") if row.get(name)),
            *(row[name] for name in served),
            *(row.get("path"), row["time"] - NEAR, row["time"] + NEAR, row["_artifact"]),
        )
        own = [line for line in lines if line["by_id"]]
        if (
            not own
            and len({_kind(line) for line in lines}) == 1
            and all(line["by_server"] for line in lines)
            and _alone(view, failure, row)
        ):
            own = lines
        found.update({(line["_artifact"], line["_line"]): line for line in own})
    return list(found.values())


def _alone(view: View, failure: Failure, row: Mapping[str, Any]) -> bool:
    """Whether no other request of the log failed within seconds of this one."""
    failed = view.rows(
        f'SELECT count(*) AS n FROM "{failure.table}" WHERE status >= ? AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP',
        *(SERVER_ERROR, row["time"] - NEAR, row["time"] + NEAR),
    )
    return bool(failed[0]["n"] <= 1)


_LOUD = f"level IN {('WARNING', *GRAVE)}"
_ERROR = f"(coalesce(level IN {GRAVE}, false) OR error_type IS NOT NULL)"


def coinciding(view: View, failure: Failure, status: int = SERVER_ERROR) -> list[Row]:
    """Errors that name no request, where nearly each of these requests ended with one of them, and next to none came without a failure.

    A failure is any status of 5xx, or the very status of these requests where it is none. That is how a pool that is exhausted, or a
    database that is gone, shows in a log whose error lines do not name the request.
    """
    times = [row["time"] for row in failure.rows]
    if len(times) < FEWEST:
        return []
    start, end = min(times) - AROUND, max(times) + AROUND
    lines = [
        line
        for table in TABLES
        if view.has(table)
        for line in view.rows(
            f'SELECT {_COLUMNS} FROM "{table}" WHERE {_ERROR} AND path IS NULL AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP '
            "ORDER BY time, _artifact, _line LIMIT 5000",
            start,
            end,
        )
    ]
    kinds = Counter(_kind(line) for line in lines)
    if not kinds:
        return []
    failing = f"status >= {SERVER_ERROR}" if status >= SERVER_ERROR else f"status = {status}"
    requests = view.rows(
        f'SELECT time, {failing} AS failed FROM "{failure.table}" WHERE status IS NOT NULL '
        "AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP LIMIT 20000",
        start - NEAR,
        end + NEAR,
    )
    bad = [one["time"] for one in requests if one["failed"]]
    good = [one["time"] for one in requests if not one["failed"]]
    before = _before(view, failure.table, start) if len(good) < FEWEST else ([], [])
    for kind, _ in kinds.most_common(3):
        own = [line for line in lines if _kind(line) == kind]
        moments = [line["time"] for line in own]
        with_it = _share(times, moments)
        alone = 1 - _share(moments, bad)
        usual = [line["time"] for line in before[1] if _kind(line) == kind]
        if before[0] and _share(before[0], usual) >= CHANCE:
            continue
        if with_it >= MOSTLY and alone <= 1 - MOSTLY and _share(good, moments) < CHANCE:
            return [line for line in own if any(abs(line["time"] - time) <= NEAR for time in times)]
    return []


def _before(view: View, table: str, start: datetime) -> tuple[list[datetime], list[Row]]:
    """The last good answers of the hour before, and the errors of their time, as long as the application's log was kept then."""
    held = [name for name in TABLES if view.has(name)]
    firsts = [first for name in held if (first := view.rows(f'SELECT min(time) AS first FROM "{name}"')[0]["first"]) is not None]
    if not firsts:
        return [], []
    since = max(min(firsts), start - LONG_BEFORE)
    good = [
        row["time"]
        for row in view.rows(
            f'SELECT time FROM "{table}" WHERE status < 500 AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY time DESC LIMIT 200',
            since,
            start,
        )
    ]
    if not good:
        return [], []
    lines = [
        line
        for name in held
        for line in view.rows(
            f'SELECT {_COLUMNS} FROM "{name}" WHERE {_ERROR} AND path IS NULL AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP LIMIT 5000',
            min(good) - NEAR,
            start + NEAR,
        )
    ]
    return good, lines


def _kind(line: Mapping[str, Any]) -> str:
    return str(line.get("error_type") or "") or _VARIES.sub("", said(line))


def _share(these: Sequence[datetime], those: Sequence[datetime]) -> float:
    """The share of moments that have one of the others within seconds."""
    ordered = sorted(those)
    return sum(bisect_left(ordered, one - NEAR) < bisect_right(ordered, one + NEAR) for one in these) / len(these) if these else 0.0
