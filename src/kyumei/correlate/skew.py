"""Clocks that run fast or slow: the difference at which a host's requests stand in the logs of AWS, whose clocks are right (EDGE-126).

A clock is corrected only where most of the requests that can be compared agree on one difference, over several paths, and hardly any
stands at none; a poller that comes every minute, or the traffic of another site, agrees by chance at best on one path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.layouts.casts import quoted
from kyumei.store.narrow import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

AWS = ("waf", "alb_access", "clb_access", "cloudfront_access", "api_gateway_access")
HOSTS = ("nginx_access", "apache_access", "app_log", "json_lines")
FOLLOW = ("nginx_error", "apache_error", *HOSTS)
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
    measured = _measured(con)
    if not measured:
        return
    names = dict(con.execute("SELECT artifact, name FROM artifacts").fetchall())
    folders: dict[str, set[int]] = {}
    for (_, artifact), (seconds, _) in measured.items():
        folders.setdefault(_folder(names[artifact]), set()).add(seconds)
    skews = {
        (table, artifact): (seconds, f"{count} of its requests stand in the logs of AWS at that difference")
        for (table, artifact), (seconds, count) in measured.items()
        if seconds
    }
    followers: dict[str, list[tuple[str, int]]] = {}
    for table in FOLLOW:
        for (artifact,) in con.execute(f'SELECT DISTINCT _artifact FROM "{table}" ORDER BY 1').fetchall():
            if (table, artifact) not in measured:
                followers.setdefault(_folder(names[artifact]), []).append((table, artifact))
    for folder, found in folders.items():
        if len(found) == 1 and (seconds := next(iter(found))):
            skews |= dict.fromkeys(followers.get(folder, ()), (seconds, "the other logs of its folder run so"))
    _shift(con, skews)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _measured(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], tuple[int, int]]:
    """By how many seconds the clock of each log is ahead of AWS's, and how many requests say so; only where enough can be compared."""
    of_hosts = f"table_name IN ({', '.join(map(quoted, HOSTS))}) AND via IS NULL AND NOT common"
    of_aws = f"table_name IN ({', '.join(map(quoted, AWS))}) AND NOT aws.common"
    rows = con.execute(
        f"""WITH logs AS (SELECT DISTINCT table_name, artifact FROM _events WHERE {of_hosts} AND NOT naive),
            own AS (SELECT row_number() OVER () AS n, table_name, artifact, time, key FROM _events JOIN logs USING (table_name, artifact)
                WHERE via IS NULL AND NOT common),
            apart AS (SELECT own.*, epoch(own.time) - epoch(aws.time) AS seconds FROM own JOIN _events aws USING (key) WHERE aws.{of_aws}),
            near AS (SELECT *, floor(seconds / {STEP})::INTEGER AS bin FROM apart WHERE abs(seconds) <= {WIDEST}),
            spread AS (SELECT * EXCLUDE (bin), bin + unnest([-1, 0, 1]) AS bin FROM near),
            votes AS (SELECT table_name, artifact, bin, count(DISTINCT n) AS votes, count(DISTINCT key) AS paths,
                median(seconds) AS middle FROM spread GROUP BY table_name, artifact, bin
                QUALIFY row_number() OVER (PARTITION BY table_name, artifact ORDER BY votes DESC, abs(bin)) = 1),
            totals AS (SELECT table_name, artifact, count(DISTINCT n) AS total, count(DISTINCT (time, key))
                FILTER (WHERE abs(seconds) <= {STEP}) AS in_place FROM near GROUP BY ALL)
        SELECT table_name, artifact, bin, votes, middle, in_place FROM votes JOIN totals USING (table_name, artifact)
        WHERE votes >= {ENOUGH} AND paths >= {PATHS} AND votes >= total * {AGREE} ORDER BY artifact, table_name"""
    ).fetchall()
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for table, artifact, bin_, count, middle, in_place in rows:
        if abs(bin_) <= 1:
            found[table, artifact] = (0, count)
        elif in_place * IN_PLACE <= count:
            found[table, artifact] = (round(middle), count)
    return found


def _shift(con: duckdb.DuckDBPyConnection, skews: Mapping[tuple[str, int], tuple[int, str]]) -> None:
    """Shift the rows of logs by their seconds, and note why."""
    alike: dict[tuple[str, int], list[int]] = {}
    for (table, artifact), (seconds, why) in skews.items():
        alike.setdefault((table, seconds), []).append(artifact)
        con.execute("INSERT INTO _skews VALUES (?, ?, ?, ?)", [artifact, table, seconds, why])
    for (table, seconds), artifacts in alike.items():
        for own in tables_of(con, table):
            con.execute(
                f'UPDATE "{own}" SET time = time - INTERVAL ({seconds}) SECOND WHERE list_contains(?::INTEGER[], _artifact)', [artifacts]
            )
