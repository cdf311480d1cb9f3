"""Kinds of error lines that a log did not have before, or has more often now: what may matter although no request shows it.

Lines that tell of something wrong (``error_logs``) are counted by their *shape*, the text without numbers, names and paths, and by
minute. A shape stands out as a status does (``spikes``), but against time, not against requests.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from math import ceil, log
from typing import TYPE_CHECKING

from kyumei.diagnose.error_logs import ERROR_LOGS, telling_rows
from kyumei.diagnose.spikes import Spike, spikes
from kyumei.model.standout import ErrorKind
from kyumei.store.filled import filled

if TYPE_CHECKING:
    import duckdb

    from kyumei.model.window import Window
    from kyumei.store.case import Case

VARYING = r"""\"[^\"]*\"|'[^']*'|[\w.+-]*(?:/[\w.%+*-]+)+|[\w.:@-]*\d[\w.:@-]*"""
"""What of a line changes from one to the next of the same kind."""
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


def count_errors(con: duckdb.DuckDBPyConnection, window: Window | None = None) -> None:
    """Create the temporary table ``faults`` (log, shape, minute, n, first, last, text, place) from the logs that tell what went wrong.

    Of each log all minutes that it has lines of, the shape null for those that tell no fault: they say from when to when it goes.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE faults (log VARCHAR, shape VARCHAR, minute TIMESTAMP, n BIGINT, first TIMESTAMP, last TIMESTAMP, "
        "text VARCHAR, place VARCHAR)"
    )
    within = (window.start.replace(tzinfo=None), window.end.replace(tzinfo=None)) if window else ()
    for name in filled(con):
        if name in ERROR_LOGS:
            con.execute(
                f"""INSERT INTO faults
                SELECT log, CASE WHEN wrong THEN regexp_replace(text, ?, '#', 'g') END AS shape,
                    time_bucket(INTERVAL 1 MINUTE, time) AS minute, count(*), min(time), max(time),
                    arg_min(text, time), arg_min(place, time)
                FROM ({telling_rows(name)}) WHERE time IS NOT NULL {"AND time >= ? AND time < ?" if within else ""} GROUP BY ALL""",
                [VARYING, *within],
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


def frequent_errors(case: Case, most: int, log: str | None = None) -> list[ErrorKind]:
    """The most frequent shapes in the table ``faults``, of one log or all, whenever they came; of equally frequent the earliest first."""
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
            f"arg_min(place, first) AS place FROM faults WHERE shape IS NOT NULL AND ($log IS NULL OR log = $log) "
            f"GROUP BY 1, 2 ORDER BY 3 DESC, 4, 1, 2 LIMIT {most:d}",
            {"log": log},
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
