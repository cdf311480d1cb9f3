"""Clocks that run fast or slow: the difference at which a host's requests stand in the logs of AWS, whose clocks are right (EDGE-126).

A clock is corrected only where most of the requests that can be compared agree on one difference, over several paths, and hardly any
stands at none; a poller that comes every minute, or the traffic of another site, agrees by chance at best on one path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kyumei.correlate.pieces import AGREE, ENOUGH, PATHS, STEP
from kyumei.correlate.shifts import AWS, BEGINNINGS, note_skews, settle_jumps
from kyumei.layouts.casts import quoted
from kyumei.store.narrow import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

HOSTS = ("nginx_access", "apache_access", "app_log", "json_lines")
FOLLOW = ("nginx_error", "apache_error", *HOSTS)
"""Logs that share the clock of others in their folder."""
WIDEST = 900
"""Seconds; a clock that is further off than this is off by its zone or its date."""
IN_PLACE = 3
"""How many times as many requests must stand at the difference as at none."""
TOO_LONG = (408, 499, 504)
"""What a request is answered of which somebody did not wait for the end."""
SOME = 0.05
"""Share of the requests that must agree on a second difference for a part of the log to be looked for in which the clock ran so."""


class _Measured(NamedTuple):
    """By how many seconds a clock is ahead of AWS's, how many requests say so, and whether it may have been set within the log.

    ``seconds`` is null where the requests do not agree.
    """

    seconds: int | None
    requests: int
    may_jump: bool


def prepare_skews(con: duckdb.DuckDBPyConnection) -> None:
    """``_skews``: which clocks run fast or slow, by how many seconds, and how that is known."""
    con.execute("CREATE TABLE _skews (artifact INTEGER, table_name VARCHAR, seconds INTEGER, why VARCHAR)")


def settle_skews(con: duckdb.DuckDBPyConnection) -> None:
    """Shift the rows of hosts whose clock runs fast or slow, and note it in ``_skews``. Needs ``_events`` of the clocks.

    The logs that stand in ``_skews`` before are right by now; those beside them need not be.
    """
    measured = _measured(con)
    known: dict[tuple[str, int], set[int | None]] = {
        (table, artifact): set(seconds)
        for table, artifact, seconds in con.execute("SELECT table_name, artifact, list(seconds) FROM _skews GROUP BY ALL").fetchall()
    }
    if jumping := [
        (table, artifact, None) for (table, artifact), one in measured.items() if one.may_jump and (table, artifact) not in known
    ]:
        known |= {(table, artifact): {None} for table, artifact, _ in settle_jumps(con, jumping, WIDEST)}  # not one and the same
    agreed = {log: (one.seconds, one.requests) for log, one in measured.items() if one.seconds is not None and log not in known}
    if not agreed and not known:
        return
    names = dict(con.execute("SELECT artifact, name FROM artifacts").fetchall())
    folders: dict[str, set[int | None]] = {}
    for (_, artifact), (ahead, _) in agreed.items():
        folders.setdefault(_folder(names[artifact]), set()).add(ahead)
    for (_, artifact), every in known.items():
        folders.setdefault(_folder(names[artifact]), set()).update(every)
    skews = {
        log: (seconds, f"{count} of its requests stand in the logs of AWS at that difference")
        for log, (seconds, count) in agreed.items()
        if seconds
    }
    followers: dict[str, list[tuple[str, int]]] = {}
    for table in FOLLOW:
        for (artifact,) in con.execute(f'SELECT DISTINCT _artifact FROM "{table}" ORDER BY 1').fetchall():
            if (table, artifact) not in agreed and (table, artifact) not in known:
                followers.setdefault(_folder(names[artifact]), []).append((table, artifact))
    for folder, found in folders.items():
        if len(found) == 1 and (seconds := next(iter(found))):
            skews |= dict.fromkeys(followers.get(folder, ()), (seconds, "the other logs of its folder run so"))
    _shift(con, skews)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _measured(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], _Measured]:
    """What is known of the clock of each log; only where enough can be compared."""
    of_hosts = f"table_name IN ({', '.join(map(quoted, HOSTS))}) AND via IS NULL AND NOT common"
    of_aws = f"table_name IN ({', '.join(map(quoted, AWS))}) AND NOT aws.common"
    rows = con.execute(
        f"""WITH logs AS (SELECT DISTINCT table_name, artifact FROM _events WHERE {of_hosts} AND NOT naive),
            own AS (SELECT row_number() OVER () AS n, table_name, artifact, time, key FROM _events JOIN logs USING (table_name, artifact)
                WHERE via IS NULL AND NOT common),
            apart AS (SELECT own.*, epoch(own.time) - epoch(aws.time) AS seconds, aws.table_name IN {BEGINNINGS} AS came
                FROM own JOIN _events aws USING (key) WHERE aws.{of_aws}),
            near AS (SELECT *, floor(seconds / {STEP})::INTEGER AS bin FROM apart WHERE abs(seconds) <= {WIDEST}),
            spread AS (SELECT * EXCLUDE (bin, came), bin + unnest([-1, 0, 1]) AS bin FROM near),
            votes AS (SELECT table_name, artifact, bin, count(DISTINCT n) AS votes, count(DISTINCT key) AS paths,
                median(seconds) AS middle FROM spread GROUP BY table_name, artifact, bin),
            ranked AS (SELECT *, first_value(bin) OVER (PARTITION BY table_name, artifact ORDER BY votes DESC, abs(bin)) AS best
                FROM votes),
            chosen AS (SELECT table_name, artifact, best, max(votes) FILTER (bin = best) AS votes, max(paths) FILTER (bin = best) AS paths,
                max(middle) FILTER (bin = best) AS middle, coalesce(max(votes) FILTER (abs(bin - best) > 2), 0) AS rival
                FROM ranked GROUP BY ALL),
            totals AS (SELECT table_name, artifact, count(DISTINCT n) AS total, count(DISTINCT (time, key))
                FILTER (WHERE abs(seconds) <= {STEP}) AS in_place, bool_and(came) AS came FROM near GROUP BY ALL)
        SELECT table_name, artifact, best, votes, middle, in_place, total, rival, came FROM chosen JOIN totals USING (table_name, artifact)
        WHERE votes >= {ENOUGH} AND paths >= {PATHS} ORDER BY artifact, table_name"""
    ).fetchall()
    found: dict[tuple[str, int], _Measured] = {}
    for table, artifact, bin_, count, middle, in_place, total, rival, came in rows:
        seconds: int | None = None
        if count >= total * AGREE:
            seconds = 0 if abs(bin_) <= 1 else round(middle) if in_place * IN_PLACE <= count else None
            if seconds and seconds > 0 and came and _waited(con, table, artifact):
                seconds = None
        found[table, artifact] = _Measured(seconds, count, may_jump=rival >= max(ENOUGH, total * SOME))
    return found


def _waited(con: duckdb.DuckDBPyConnection, table: str, artifact: int) -> bool:
    """Whether most of a log's requests ended because somebody waited too long: such are done long after they came, by a right clock."""
    waited, told = con.execute(
        f'SELECT count(*) FILTER (status IN {TOO_LONG}), count(*) FROM "{table}" WHERE _artifact = ? AND status IS NOT NULL', [artifact]
    ).fetchone() or (0, 0)
    return bool(waited * 2 > told)


def _shift(con: duckdb.DuckDBPyConnection, skews: Mapping[tuple[str, int], tuple[int, str]]) -> None:
    """Shift the rows of logs by their seconds, and note why."""
    alike: dict[tuple[str, int], list[int]] = {}
    for (table, artifact), (seconds, why) in skews.items():
        alike.setdefault((table, seconds), []).append(artifact)
        note_skews(con, (table, artifact, None), [(seconds, why)])
    for (table, seconds), artifacts in alike.items():
        for own in tables_of(con, table):
            con.execute(
                f'UPDATE "{own}" SET time = time - INTERVAL ({seconds}) SECOND WHERE list_contains(?::INTEGER[], _artifact)', [artifacts]
            )
