"""Did one log stream of a group end unnoticed? The others go on, so the log as a whole seems to cover the moment.

A group of CloudWatch Logs holds a stream for each container, host or function instance. A stream that ends is mostly nothing: the container
was replaced, or scaled in. Only where a stream was being written until shortly before the moment, the others like it go on, and nothing
tells why it ended, may what its writer saw be missing; then the log cannot be said to cover the moment.

Follows "Working with log groups and log streams" in the CloudWatch Logs User Guide and "Send Amazon ECS logs to CloudWatch" in the Amazon
ECS Developer Guide (``prefix/container/task``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.layouts.casts import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kyumei.model.window import Window
    from kyumei.store.case import Case

RECENT = timedelta(hours=1)
"""A stream that ended longer ago than this before the moment is taken for one whose writer was stopped then."""
WRITTEN = 10
"""Rows from which a stream is one that is being written to, and no task that ran once."""
BEFORE, BEHIND = timedelta(minutes=15), timedelta(minutes=10)
"""A stream that begins so long before another one ends, or so long after it, may have taken its place: a deployment starts the new before
it stops the old, and lets that finish its requests."""
LAST_WORDS = timedelta(minutes=2)
"""What a program says so long before its last line that is like the log's, or later, is of its end."""
SHORT = 8
"""Characters from which a part of a stream's name with a digit is the number of a task, a pod or an instance."""
_STOPS = r"(?i)\bsig(?:term|int|quit|kill)\b|shut(?:ting)?[ -]?down|graceful|terminat|stop(?:p(?:ed|ing))?\b|exit(?:ed|ing)|drain|deregist"
"""What a program says that is being stopped, and what AWS says of a task or an instance that is."""
_LAMBDA = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}/(?:[^\[\]/]+)?\[")
_NUMBERED = re.compile(r"[A-Za-z]*[0-9][A-Za-z0-9]*|(?<=-)[bcdfghjklmnpqrstvwxz]{5}(?=_|$)", re.ASCII)
"""The parts of a name that differ between writers of a kind: all with a digit, and what Kubernetes puts behind a pod's name."""


FILES = """SELECT artifact, name, groups, streams FROM artifacts LEFT JOIN (
        SELECT _artifact, list(DISTINCT log_group) FILTER (WHERE log_group IS NOT NULL) AS groups,
            list(DISTINCT stream) FILTER (WHERE stream IS NOT NULL) AS streams FROM streams GROUP BY _artifact) ON artifact = _artifact
    ORDER BY name"""
"""SQL for the files of a case by their names, with the log groups and streams that each holds events of."""


def first_of_log(files: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """The files that hold one log together, each with the first of them: those with events of one group, or stream, of CloudWatch Logs.

    Firehose begins a new file every few minutes, and ``filter-log-events`` answers in pages.
    """
    first: dict[int, int] = {}
    holder: dict[tuple[str, str], int] = {}

    def _root(one: int) -> int:
        while first[one] != one:
            one = first[one]
        return one

    for file in files:
        number = file["artifact"]
        keys = [("group", name) for name in file["groups"] or ()] or [("stream", name) for name in file["streams"] or ()]
        if keys:
            first[number] = number
        for key in keys:
            one, other = _root(holder.setdefault(key, number)), _root(number)
            first[max(one, other)] = min(one, other)
    return {number: _root(number) for number in first}


class Files(NamedTuple):
    """The files of one log of one table that is thought to cover the moment.

    ``hop`` is the log's, ``hop_of`` the SQL for that of a row.
    """

    table: str
    hop: str
    hop_of: str
    artifacts: tuple[int, ...]


class _Stream(NamedTuple):
    """One stream of a log: its rows with a time, its first and last one, and its usual silence (95th percentile, seconds)."""

    log: int
    log_group: str | None
    stream: str
    n: int
    first: datetime
    last: datetime
    usual: float | None


def lost_streams(case: Case, logs: Sequence[Files], window: Window, allowed: tuple[timedelta, int, timedelta]) -> dict[int, str]:
    """Why those of the logs, by their place in the list, do not cover the window of which a stream ended before it and nothing says why.

    ``allowed`` is the least silence that is a hole, of so many times the usual one, and from which it is one in any case.
    """
    start = window.start.astimezone(UTC).replace(tzinfo=None)
    kinds: dict[tuple[int, str | None, str], list[_Stream]] = {}
    for row in case.rows(_of_streams(logs)):
        one = _Stream(**row)
        if not _LAMBDA.match(one.stream) and not (one.log_group or "").startswith("/aws/lambda/"):
            kinds.setdefault((one.log, one.log_group, _NUMBERED.sub("#", one.stream)), []).append(one)
    found: dict[int, str] = {}
    for alike in kinds.values():
        for one in _ended_alone(alike, start, allowed):
            if one.log not in found and not _is_told(case, logs[one.log], one):
                found[one.log] = f"its log stream {one.stream} ends at {one.last:%H:%M:%S} UTC, others go on, and nothing here says why"
    return found


def _ended_alone(alike: Sequence[_Stream], start: datetime, allowed: tuple[timedelta, int, timedelta]) -> Iterable[_Stream]:
    """The streams of a kind that ended shortly before the window, with none in their place, where such streams do not end as a rule."""
    begin, end = min(one.first for one in alike), max(one.last for one in alike)
    least, times, most = allowed

    def ended(one: _Stream) -> bool:
        return end - one.last > min(max(least, timedelta(seconds=times * (one.usual or 0))), most)

    def replaced(one: _Stream) -> bool:
        return any(
            one.last - BEFORE <= other.first <= one.last + BEHIND and other.first > begin + least for other in alike if other is not one
        )

    gone = [one for one in alike if ended(one) and not replaced(one)]
    for one in gone:
        goes_on = any(other.first <= one.last and other.last >= start for other in alike if other is not one)
        usual = any(abs(other.last - one.last) > least for other in gone)
        if start - RECENT <= one.last < start and one.n >= WRITTEN and goes_on and not usual:
            yield one


def _is_told(case: Case, log: Files, one: _Stream) -> bool:
    """Whether the stream's own last lines, or anything else here that names its task, pod or instance, say that it was stopped."""
    names = [re.escape(part) for part in re.split(r"[/_]|\.log$", one.stream) if len(part) >= SHORT and re.search("[0-9]", part)]
    texts = " UNION ALL ".join(
        f'SELECT _artifact, _line, _text AS text, {"NULL" if name == "resource_snapshot" else "time"} AS time FROM "{name}"'
        for name in case.filled
    )
    rows = case.rows(
        f"""WITH said AS (SELECT * FROM ({texts}) WHERE regexp_matches(text, $stops) AND coalesce(time BETWEEN $since AND $until, true)),
            {_TOLD}
        SELECT 1 FROM said r LEFT JOIN alone a ON r._artifact = a._artifact AND r._line = a._line AND a.digest = md5(r.text)
            ASOF LEFT JOIN told s ON r._artifact = s._artifact AND r._line >= s._line
        WHERE (r._artifact IN {_numbers(log.artifacts)} AND coalesce(a.stream, s.stream) = $stream AND r.time >= $late)
            OR ($names <> '' AND regexp_matches(r.text, $names)) LIMIT 1""",
        {
            "stops": _STOPS,
            "stream": one.stream,
            "names": "|".join(names),
            "since": one.last - BEFORE,
            "until": one.last + BEHIND,
            "late": one.last - LAST_WORDS,
        },
    )
    return bool(rows)


_TOLD = """told AS (SELECT _artifact, _line, any_value(log_group) AS log_group, any_value(stream) AS stream FROM streams
        WHERE digest IS NULL GROUP BY _artifact, _line),
    alone AS (SELECT *, row_number() OVER (PARTITION BY _artifact, _line, digest ORDER BY envelope_ms) AS copy FROM streams
        WHERE digest IS NOT NULL)"""
"""SQL for the streams from line to line, and of events that share a line with those of others."""


def _of_streams(logs: Sequence[Files]) -> str:
    """SQL for the streams of the logs."""
    timed = " UNION ALL ".join(
        f'SELECT {number} AS log, _artifact, _line, time, _text FROM "{log.table}" '
        f"WHERE time IS NOT NULL AND _artifact IN {_numbers(log.artifacts)} AND {log.hop_of} = {quoted(log.hop)}"
        for number, log in enumerate(logs)
    )
    return f"""WITH {_TOLD},
    timed AS ({timed}),
    shared AS (SELECT * EXCLUDE _text, md5(_text) AS digest, row_number() OVER (PARTITION BY _artifact, _line, _text ORDER BY time) AS copy
        FROM timed t SEMI JOIN alone USING (_artifact, _line)),
    placed AS (
        SELECT log, time, log_group, stream FROM shared JOIN alone USING (_artifact, _line, digest, copy)
        UNION ALL
        SELECT log, time, log_group, stream FROM (SELECT * FROM timed t ANTI JOIN alone USING (_artifact, _line)) t
            ASOF JOIN told s ON t._artifact = s._artifact AND t._line >= s._line),
    gaps AS (SELECT *, epoch(time - lag(time) OVER (PARTITION BY log, log_group, stream ORDER BY time)) AS gap FROM placed
        WHERE stream IS NOT NULL)
    SELECT log, log_group, stream, count(*) AS n, min(time) AS first, max(time) AS last, quantile_cont(gap, 0.95) AS usual
    FROM gaps GROUP BY log, log_group, stream ORDER BY log, log_group, last, stream"""


def _numbers(artifacts: Iterable[int]) -> str:
    return "(" + ",".join(map(str, artifacts)) + ")"
