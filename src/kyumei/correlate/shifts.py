"""Logs whose clock keeps another zone and is off besides, and logs within which the clock was set anew.

That happens when summer time begins or ends, at a restart with another zone, and when NTP puts a clock right. It is found from requests
that stand in other logs, too: inferred, and said to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.correlate.coinciding import WIDEST
from kyumei.correlate.offsets import zone_name, zone_within
from kyumei.correlate.pieces import STEP, find_pieces
from kyumei.layouts.casts import quoted
from kyumei.model.artifact import Clock
from kyumei.store.narrow import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from kyumei.correlate.pieces import LogKey, Piece

AWS = ("waf", "alb_access", "clb_access", "cloudfront_access", "api_gateway_access")
"""Logs whose clocks are right."""
BEGINNINGS = ("waf", "api_gateway_access")
"""Of these the logs that write when a request came, where a host's writes when it was done: all may have taken a minute, then."""
FAST_OR_SLOW = 450
"""Seconds by which a clock may be off beside its zone; where that reaches two zones, neither is told."""
NO_SKEW = 2 * STEP
"""Seconds that are but the time of the requests."""
SLACK = 10
"""Seconds by which a clock may seem to be set by more or less than it was."""


def settle_shifts(con: duckdb.DuckDBPyConnection, logs: Sequence[LogKey], *, changed: bool = False) -> Mapping[LogKey, list[Clock]]:
    """Shift the rows and the events of those logs of which zone and skew are found; the zones of each log, in the order of its lines.

    Measured against AWS's clocks, or, where the case has no such log, against those of the logs that state their zone. With ``changed``
    only logs whose zone changed.
    """
    named = con.execute("SELECT DISTINCT table_name, artifact, via, naive FROM _events").fetchall()
    known = {name for name, _, _, naive in named if not naive}
    against = sorted(known & set(AWS)) or sorted(known)
    asked = [log for log in logs if (*log, True) in named]
    if not against or not asked:
        return {}
    found: dict[LogKey, list[Clock]] = {}
    whose = "the logs of AWS" if set(against) <= set(AWS) else "another log"
    for log, pieces in find_pieces(con, asked, against, WIDEST + FAST_OR_SLOW).items():
        zones = [zone for piece in pieces if (zone := zone_within(piece.seconds, FAST_OR_SLOW)) is not None]
        starts = begins(con, log, pieces)
        if len(zones) < len(pieces) or len(starts) < len(pieces) or (changed and len(set(zones)) == 1):
            continue
        skews = [skew if abs(skew := round(piece.seconds) - zone) >= NO_SKEW else 0 for piece, zone in zip(pieces, zones, strict=True)]
        shifts = [zone + skew for zone, skew in zip(zones, skews, strict=True)]
        shift_rows(con, log, starts, shifts, naive=True)
        con.execute(
            f"UPDATE _events SET time = time - {_seconds('line', starts, shifts)}, naive = false WHERE naive AND table_name = ? AND "
            "artifact = ? AND via IS NOT DISTINCT FROM ?",
            list(log),
        )
        lines = [""] if len(pieces) == 1 else [f"up to line {starts[1] - 1} ", f"from line {starts[1]} on "]
        found[log] = [
            Clock(zone_name(zone), "matched", why=f"{line}{piece.requests} of its requests stand in {whose} at that difference")
            for piece, zone, line in zip(pieces, zones, lines, strict=True)
        ]
        note_skews(
            con,
            log,
            [
                (skew, f"{line}{piece.requests} of its requests stand in {whose} so, if its zone is {zone_name(zone)}, which is inferred")
                for piece, zone, skew, line in zip(pieces, zones, skews, lines, strict=True)
            ],
        )
    return found


def settle_jumps(con: duckdb.DuckDBPyConnection, logs: Sequence[LogKey], widest: int) -> set[LogKey]:
    """Put right the logs within which a clock that was off by ``widest`` seconds at most was set; which they are."""
    found: set[LogKey] = set()
    all_pieces = find_pieces(con, logs, [name for name in AWS if name not in BEGINNINGS], widest)
    others = find_pieces(con, left, BEGINNINGS, widest) if (left := [log for log in logs if log not in all_pieces]) else {}
    for log, pieces in (all_pieces | others).items():
        starts = begins(con, log, pieces, surely=log in others)
        if len(starts) != 2:  # noqa: PLR2004 - before and after
            continue
        skews = [round(piece.seconds) if abs(piece.seconds) >= NO_SKEW else 0 for piece in pieces]
        shift_rows(con, log, starts, skews, naive=False)
        lines = (f"up to line {starts[1] - 1}, where it was set, ", f"from line {starts[1]} on, where it was set, ")
        said = "of its requests stand in the logs of AWS at that difference"
        note_skews(con, log, [(skew, f"{line}{one.requests} {said}") for skew, one, line in zip(skews, pieces, lines, strict=True)])
        found.add(log)
    return found


def begins(con: duckdb.DuckDBPyConnection, log: LogKey, pieces: Sequence[Piece], *, surely: bool = False) -> list[int]:
    """The first line of each piece; of the first piece alone where no line is one at which the clock can have been set so.

    With ``surely`` only a line that is older than the one before it is: after a pause all requests may but take longer.
    """
    if len(pieces) == 1:
        return [0]
    before, after = pieces
    table, artifact, via = log
    jumps = con.execute(
        f'SELECT _line, epoch(time) - lag(epoch(time)) OVER (ORDER BY _line) AS jump FROM "{table}" WHERE _artifact = ? AND _via IS NOT '
        "DISTINCT FROM ? AND time IS NOT NULL AND _line BETWEEN ? AND ? QUALIFY jump IS NOT NULL ORDER BY _line",
        [artifact, via, after.earliest - 1, after.latest],
    ).fetchall()
    by = after.seconds - before.seconds
    if not jumps or (surely and (by > 0 or min(jump for _, jump in jumps) > -NO_SKEW)):
        return [0]
    line, jump = min(jumps, key=lambda one: one[1])
    if by > 0 or jump >= 0:  # it went forward, or stood still for longer than it was put back
        line, jump = max(jumps, key=lambda one: one[1])
    return [0, line] if jump >= by - SLACK else [0]


def shift_rows(con: duckdb.DuckDBPyConnection, log: LogKey, starts: Sequence[int], seconds: Sequence[int], *, naive: bool) -> None:
    """Take so many seconds off the times of the rows from each of the lines on; with ``naive`` only of those that state no zone."""
    table, artifact, via = log
    for own in tables_of(con, table):
        con.execute(
            f'UPDATE "{own}" SET time = time - {_seconds("_line", starts, seconds)} WHERE _artifact = {artifact} AND _via IS NOT DISTINCT '
            f"FROM {quoted(via) if via else 'NULL'}{' AND _naive > 0' if naive else ''}"
        )


def note_skews(con: duckdb.DuckDBPyConnection, log: LogKey, skews: Sequence[tuple[int, str]]) -> None:
    """Note by how many seconds a clock ran fast, and why that is known; not where it was right."""
    for seconds, why in skews:
        if seconds:
            con.execute("INSERT INTO _skews VALUES (?, ?, ?, ?)", [log[1], log[0], seconds, why])


def _seconds(line: str, starts: Sequence[int], seconds: Sequence[int]) -> str:
    """SQL: what to take off a row on that line."""
    later = "".join(f" WHEN {line} >= {start} THEN {by}" for start, by in reversed(list(zip(starts, seconds, strict=True))[1:]))
    return f"to_seconds(CASE{later} ELSE {seconds[0]} END)" if later else f"to_seconds({seconds[0]})"
