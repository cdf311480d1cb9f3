"""Kinds of error lines that a log did not have before, or has more often now: what may matter although no request shows it.

Lines of error logs and of applications, from the level ERROR on, are counted by their *shape*, the text without numbers, names and
paths, and by minute. A shape stands out as a status does (``spikes``), but against time, not against requests. Lines that speak of
what scanners ask for are left out.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from math import ceil, log
from typing import TYPE_CHECKING

from kyumei.diagnose.spikes import Spike, spikes
from kyumei.layouts.casts import quoted
from kyumei.model.standout import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from kyumei.store.case import Case

LEVELS = ("ERROR", "CRIT", "CRITICAL", "FATAL", "ALERT", "EMERG", "EMERGENCY", "SEVERE", "PANIC")
LOGS = {
    # No such file, forbidden by rule, no cipher in common: what scanners leave behind.
    "nginx_error": "errno IS DISTINCT FROM 2 AND NOT regexp_matches(coalesce(message, ''), 'forbidden by rule|SSL_do_handshake|index of')",
    "apache_error": "NOT regexp_matches(concat(code, ' ', message), 'AH00128|AH01276|AH01630|AH00126|AH02008|File does not exist')",
    "app_log": "true",
    "json_lines": "true",
    "lambda_log": "true",
}
"""Logs that tell a level, and which of their lines count."""
VARYING = r"""\"[^\"]*\"|'[^']*'|[\w.+-]*(?:/[\w.%+*-]+)+|[\w.:@-]*\d[\w.:@-]*"""
"""What of a line changes from one to the next of the same kind."""
CHARACTERS = 200
"""The beginning of a line tells its kind."""
SHAPES = 200
"""Shapes that are looked at, the most frequent first."""
FEWEST = 4
"""Lines that stand out at least."""
TIMES = 5.0
"""How many times as frequent as usual they must be."""
SURPRISE = 18.0
"""As for a status."""
BACK = 10
"""Steps of time that the log must reach back before the first line of a shape for it to be new."""
STEPS = 1440


def count_errors(con: duckdb.DuckDBPyConnection) -> None:
    """Create the temporary table ``faults`` from what was read of the logs that tell a level."""
    create_faults(
        con,
        [
            f"SELECT {quoted(name)} AS log, time, level, message, {counts} AS counts, concat(a.name, ':', _line) AS place "
            f'FROM "{name}" JOIN artifacts a ON a.artifact = _artifact'
            for name, counts in LOGS.items()
        ],
    )


def create_faults(con: duckdb.DuckDBPyConnection, lines: Sequence[str]) -> None:
    """Create the temporary table ``faults`` (log, shape, minute, n, first, last, text, place) from SELECTs of lines.

    These tell log, time, level, message, counts (whether a line may count) and place. The shape is null for all lines that are no
    errors: they tell from when to when the log goes.
    """
    levels = ", ".join(quoted(level) for level in LEVELS)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE faults (log VARCHAR, shape VARCHAR, minute TIMESTAMP, n BIGINT, first TIMESTAMP, last TIMESTAMP, "
        "text VARCHAR, place VARCHAR)"
    )
    for select in lines:
        con.execute(
            f"""INSERT INTO faults
            SELECT log, CASE WHEN wrong THEN regexp_replace(text, ?, '#', 'g') END AS shape, time_bucket(INTERVAL 1 MINUTE, time) AS minute,
                count(*), min(time), max(time), arg_min(text, time), arg_min(place, time)
            FROM (SELECT log, time, place, counts AND upper(level) IN ({levels}) AS wrong,
                    left(split_part(coalesce(message, ''), chr(10), 1), {CHARACTERS}) AS text FROM ({select}))
            WHERE time IS NOT NULL GROUP BY ALL""",
            [VARYING],
        )


def error_kinds(case: Case) -> list[ErrorKind]:
    """The shapes in the table ``faults`` that are new or became frequent, the most surprising first."""
    found: list[ErrorKind] = []
    for row in case.rows("SELECT log, min(minute) AS start, max(minute) AS last FROM faults GROUP BY 1 ORDER BY 1"):
        minutes = int((row["last"] - row["start"]).total_seconds()) // 60 + 1
        width = ceil(minutes / STEPS)
        count = ceil(minutes / width)
        by_shape: dict[str, dict[int, int]] = defaultdict(dict)
        for shape, step, lines in case.con.execute(
            f"SELECT shape, epoch(minute - ?)::BIGINT // {width * 60} AS step, sum(n)::BIGINT FROM faults WHERE log = ? AND shape IN "
            "(SELECT shape FROM faults WHERE log = ? AND shape IS NOT NULL GROUP BY 1 "
            f"ORDER BY sum(n) DESC, 1 LIMIT {SHAPES}) GROUP BY ALL",
            [row["start"], row["log"], row["log"]],
        ).fetchall():
            by_shape[shape][step] = lines
        for shape, counts in sorted(by_shape.items()):
            events = [counts.get(step, 0) for step in range(count)]
            stretches = [one for one in spikes(events, [1] * count) if one.start >= BACK and _stands_out(one, count * len(by_shape))]
            found += [_kind(case, row["log"], shape, one, row["start"], width) for one in stretches]
    return sorted(found, key=lambda one: (-one.score, one.log, one.text))


def frequent_errors(case: Case, most: int) -> list[ErrorKind]:
    """The most frequent shapes in the table ``faults``, whenever they came."""
    return [
        ErrorKind(
            row["log"],
            row["text"],
            row["place"] or "",
            row["n"],
            0.0,
            0.0,
            row["first"].replace(tzinfo=UTC),
            row["last"].replace(tzinfo=UTC),
            fresh=False,
        )
        for row in case.rows(
            "SELECT log, shape, sum(n)::BIGINT AS n, min(first) AS first, max(last) AS last, arg_min(text, first) AS text, "
            f"arg_min(place, first) AS place FROM faults WHERE shape IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT {most:d}"
        )
    ]


def _stands_out(found: Spike, places: int) -> bool:
    """Whether a stretch is too surprising to be chance."""
    return found.events >= max(FEWEST, TIMES * found.expected) and found.score >= SURPRISE + log(places)


def _kind(case: Case, name: str, shape: str, best: Spike, start: datetime, width: int) -> ErrorKind:  # noqa: PLR0913 - one stretch
    """A stretch of one shape with its first line."""
    since, until = (start + timedelta(minutes=width * step) for step in (best.start, best.end))
    row = case.rows(
        "SELECT min(first) AS first, max(last) AS last, arg_min(text, first) AS text, arg_min(place, first) AS place FROM faults "
        "WHERE log = ? AND shape = ? AND minute >= ? AND minute < ?",
        [name, shape, since, until],
    )[0]
    before = case.value("SELECT count(*) FROM faults WHERE log = ? AND shape = ? AND minute < ?", [name, shape, since])
    return ErrorKind(
        log=name,
        text=row["text"],
        place=row["place"] or "",
        lines=best.events,
        expected=best.expected,
        score=best.score,
        first=row["first"].replace(tzinfo=UTC),
        last=row["last"].replace(tzinfo=UTC),
        fresh=not before,
    )
