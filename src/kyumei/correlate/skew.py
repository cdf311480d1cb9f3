"""Clocks that run fast or slow: the difference at which a host's requests stand in the logs of AWS, whose clocks are right (EDGE-126).

A clock is corrected only where most of the requests that can be compared agree on one difference, over several paths, and hardly any
stands at none; a poller that comes every minute, or the traffic of another site, agrees by chance at best on one path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.layouts.casts import quoted

if TYPE_CHECKING:
    import duckdb

AWS = ("waf", "alb_access")
HOSTS = ("nginx_access", "app_log", "json_lines")
FOLLOW = ("nginx_error", *HOSTS)
"""Logs that share the clock of others in their folder."""
WIDEST = 900
"""Seconds; a clock that is further off than this is off by its zone or its date."""
STEP = 5
"""Seconds within which differences count as one: how long requests take."""
ENOUGH = 5
PATHS = 4
AGREE = 0.6
IN_PLACE = 3
"""How many times as many requests must stand at the difference as at none."""


def settle_skews(con: duckdb.DuckDBPyConnection) -> None:
    """Shift the rows of hosts whose clock runs fast or slow, and note it in ``_skews``. Needs ``_events`` of the clocks."""
    con.execute("CREATE TABLE _skews (artifact INTEGER, table_name VARCHAR, seconds INTEGER, why VARCHAR)")
    folders: dict[str, set[int]] = {}
    measured: dict[tuple[str, int], tuple[int, int]] = {}
    for artifact, table, name in con.execute(
        "SELECT DISTINCT e.artifact, e.table_name, a.name FROM _events e JOIN artifacts a ON a.artifact = e.artifact "
        f"WHERE e.table_name IN ({', '.join(map(quoted, HOSTS))}) AND e.via IS NULL AND NOT e.naive ORDER BY 1, 2"
    ).fetchall():
        found = _measured(con, artifact, table)
        if found is not None:
            measured[table, artifact] = found
            folders.setdefault(name.rpartition("/")[0], set()).add(found[0])
    for (table, artifact), (seconds, count) in measured.items():
        if seconds:
            _shift(con, table, artifact, seconds, f"{count} of its requests stand in the logs of AWS at that difference")
    for folder, skews in folders.items():
        if len(skews) == 1 and (seconds := next(iter(skews))):
            for table in FOLLOW:
                for artifact, name in con.execute(
                    f'SELECT DISTINCT a.artifact, a.name FROM "{table}" t JOIN artifacts a ON a.artifact = t._artifact ORDER BY 1'
                ).fetchall():
                    if name.rpartition("/")[0] == folder and (table, artifact) not in measured:
                        _shift(con, table, artifact, seconds, "the other logs of its folder run so")


def _measured(con: duckdb.DuckDBPyConnection, artifact: int, table: str) -> tuple[int, int] | None:
    """By how many seconds the clock of a log is ahead of AWS's, and how many requests say so; null where too few can be compared."""
    votes = con.execute(
        f"""WITH own AS (SELECT row_number() OVER () AS n, time, key FROM _events
                WHERE artifact = {artifact} AND table_name = {quoted(table)} AND via IS NULL),
            apart AS (SELECT n, own.key, epoch(own.time) - epoch(aws.time) AS seconds FROM own JOIN _events aws USING (key)
                WHERE aws.table_name IN ({", ".join(map(quoted, AWS))})),
            near AS (SELECT *, floor(seconds / {STEP})::INTEGER AS bin FROM apart WHERE abs(seconds) <= {WIDEST}),
            spread AS (SELECT n, key, seconds, bin + unnest([-1, 0, 1]) AS bin FROM near)
        SELECT bin, count(DISTINCT n), count(DISTINCT key), median(seconds), (SELECT count(DISTINCT n) FROM near) FROM spread
        GROUP BY bin ORDER BY 2 DESC, abs(bin) LIMIT 1"""
    ).fetchone()
    if votes is None:
        return None
    bin_, count, paths, median, total = votes
    if count < ENOUGH or paths < PATHS or count < total * AGREE:
        return None
    if abs(bin_) <= 1:
        return 0, count
    in_place = con.execute(
        f"""SELECT count(DISTINCT (own.time, own.key)) FROM _events own JOIN _events aws USING (key) WHERE own.artifact = {artifact}
            AND own.table_name = {quoted(table)} AND own.via IS NULL AND aws.table_name IN ({", ".join(map(quoted, AWS))})
            AND abs(epoch(own.time) - epoch(aws.time)) <= {STEP}"""
    ).fetchone()
    return None if in_place and in_place[0] * IN_PLACE > count else (round(median), count)


def _shift(con: duckdb.DuckDBPyConnection, table: str, artifact: int, seconds: int, why: str) -> None:
    con.execute(f'UPDATE "{table}" SET time = time - INTERVAL ({seconds}) SECOND WHERE _artifact = {artifact}')
    con.execute("INSERT INTO _skews VALUES (?, ?, ?, ?)", [artifact, table, seconds, why])
