"""The zone of a log that names no request: the one at which its errors stand where requests failed.

An application that writes ``ERROR`` without a zone and without a path shares nothing with an access log but the moments at which it
went wrong. Where these are many, lie irregularly, and stand to the second beside the failing requests at one zone and at no other, that is
its zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.layouts.casts import quoted
from kyumei.model.level import GRAVE_ANYWHERE
from kyumei.model.status import SERVER_ERROR
from kyumei.store.filled import filled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    Log = tuple[str, int, str | None]
    """A table, a file, and the table whose messages hold the rows, if any."""

QUARTER = 900
"""Seconds; zones differ by multiples of 15 minutes, and a difference is snapped to them (EDGE-125)."""
WIDEST = 14 * 3600
"""Seconds from UTC to the furthest zone."""
SOONER, LATER = 3, 1
"""Seconds that an error may stand before the record of the failed request, which is written once that is answered, and after it."""
QUIET = 60
"""Seconds without an error after which the next one is a moment of its own: what follows it more closely says no more about the zone."""
ENOUGH = 5
"""Moments that must coincide: one outage and one cron job do so by chance at some zone."""
MOST = 3000


def zones(con: duckdb.DuckDBPyConnection, logs: Sequence[Log]) -> Mapping[Log, tuple[int, int]]:
    """For those of the logs whose errors tell: the zone in seconds east of UTC, and how many moments coincide.

    At least half of the log's moments must, and at no other zone a third as many.
    """
    failed = _failed(con, logs)
    own = [log for log in logs if "level" in discover.format_of(log[0]).table]
    if not failed or not own:
        return {}
    selects = [
        f'SELECT {place} AS place, epoch(time)::BIGINT AS s FROM "{table}" WHERE _artifact = {artifact} AND _naive > 0 '
        f"AND time IS NOT NULL AND _via IS NOT DISTINCT FROM {quoted(via) if via else 'NULL'} AND upper(level) IN {GRAVE_ANYWHERE}"
        for place, (table, artifact, via) in enumerate(own)
    ]
    rows = con.execute(
        f"""WITH errors AS (SELECT DISTINCT * FROM ({" UNION ALL ".join(selects)})),
            moments AS (SELECT place, s FROM errors QUALIFY coalesce(s - lag(s) OVER (PARTITION BY place ORDER BY s) > {QUIET}, true)),
            chosen AS (SELECT place, s, count(*) OVER (PARTITION BY place) AS total FROM moments
                QUALIFY row_number() OVER (PARTITION BY place ORDER BY s) <= {MOST}),
            failing AS (SELECT DISTINCT s + unnest(range(-{SOONER}, {LATER} + 1)) AS s FROM ({" UNION ALL ".join(failed)})),
            tried AS (SELECT place, total, zone, s - zone AS s FROM chosen,
                (SELECT unnest(range(-{WIDEST}, {WIDEST} + 1, {QUARTER})) AS zone))
        SELECT place, zone, least(total, {MOST}) AS total, count(*) AS met FROM tried SEMI JOIN failing USING (s)
        GROUP BY place, zone, total
        QUALIFY row_number() OVER (PARTITION BY place ORDER BY met DESC, abs(zone)) <= 2 ORDER BY met DESC, abs(zone)"""
    ).fetchall()
    best: dict[int, list[tuple[int, int, int]]] = {}
    for place, zone, total, met in rows:
        best.setdefault(place, []).append((zone, met, total))
    return {
        own[place]: (found[0][0], found[0][1])
        for place, found in best.items()
        if found[0][1] >= ENOUGH and found[0][1] * 2 >= found[0][2] and (len(found) == 1 or found[1][1] * 3 <= found[0][1])
    }


def _failed(con: duckdb.DuckDBPyConnection, waiting: Sequence[Log]) -> list[str]:
    """SELECTs of the seconds at which requests failed, of all logs but those whose zone is not known."""
    found: list[str] = []
    for name in filled(con):
        if not {"status", "path"} <= {column.name for column in discover.format_of(name).table.columns}:
            continue
        unknown = [str(artifact) for table, artifact, _ in waiting if table == name]
        sure = f"(_naive = 0 OR _artifact NOT IN ({', '.join(unknown)}))" if unknown else "true"
        found.append(f'SELECT epoch(time)::BIGINT AS s FROM "{name}" WHERE status >= {SERVER_ERROR} AND time IS NOT NULL AND {sure}')
    return found
