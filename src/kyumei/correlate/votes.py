"""The zone of a log, as the requests vote that stand in other logs, too: each for the difference at which it stands there (EDGE-125)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kyumei import discover
from kyumei.correlate.coinciding import QUARTER, WIDEST
from kyumei.correlate.offsets import ZONES, zone_name
from kyumei.correlate.sightings import ANSWERING
from kyumei.layouts.casts import quoted
from kyumei.model.artifact import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

SLOT = 30
"""Seconds of a slot of a quarter of an hour."""
NEAR_SECONDS = 3
"""How far two records of one request may lie apart after the zone is taken off: a request's own time, mostly."""
LONG = 5
"""Seconds; what takes longer stands in one log when it came and in another when it was done, so that both are asked."""
ENOUGH = 3
"""Requests that must agree before a match means anything."""
COMMON = 50
"""Keys that occur more often than this in one log match by chance, too: they are asked where no others are, and so many of each."""
MOST_COMMON = 2500
"""Keys that occur more often than this match at every zone."""
ENOUGH_COMMON = 20
"""Requests with common keys that must agree, and at no other zone a third as many."""
STANDING = 0.1
"""Share of the requests within the time of the others that must stand there at a zone: fewer do so by chance, where paths are asked for
often."""
SOME = 0.05
"""Share of the requests that must stand at a second zone for it to be looked for in a part of the log."""


class Log(NamedTuple):
    """Rows of one table in one file that state no zone."""

    table: str
    artifact: int
    name: str
    via: str | None


class Vote(NamedTuple):
    """A zone in seconds, how many requests stand in others there, and how many should, as they would fall within their time."""

    zone: int
    stood: int
    asked: int


def gather_events(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> None:
    """``_events``: what two logs may have in common, one row for each key of each record.

    A request that took long is there twice, when it came and when it was done: a clock is not off for that.
    Of a common key only those at the beginning of each quarter of an hour are kept, the fewer the more there are: two logs of the same
    requests keep the same ones, whatever their zones.
    """
    con.execute(
        "CREATE TEMP TABLE _events (table_name VARCHAR, artifact INTEGER, via VARCHAR, naive BOOLEAN, time TIMESTAMP, line INTEGER, "
        "key VARCHAR, common BOOLEAN)"
    )
    for leaf in (discover.formats()[name] for name in tables):
        keys = [f'"{name}"' for name in ("trace_id", "request_id") if name in leaf.table]
        if "path" in leaf.table and "method" in leaf.table:
            keys.append("CASE WHEN path IS NOT NULL THEN coalesce(method, '') || ' ' || path END")
        other = _other_end(leaf.name)
        moments = f"unnest(CASE WHEN abs(epoch(other) - epoch(time)) >= {LONG} THEN [time, other] ELSE [time] END)" if other else "time"
        for key in keys:
            con.execute(
                f"INSERT INTO _events SELECT log, _artifact, _via, naive, {moments}, _line, k, n > {COMMON} FROM (SELECT "
                f"{quoted(leaf.name)} AS log, _artifact, _via, _naive > 0 AS naive, time, {other or 'NULL'} AS other, _line, {key} AS k, "
                f'count(*) OVER (PARTITION BY _artifact, k) AS n FROM "{leaf.name}" WHERE k IS NOT NULL '
                f"AND time IS NOT NULL) WHERE n <= {COMMON} OR (n <= {MOST_COMMON} AND epoch(time) % {QUARTER} * n < {QUARTER * COMMON})"
            )
    # Where one log has too many of a key to be asked, only strangers are left for those of another log to stand beside.
    con.execute("UPDATE _events SET common = true WHERE NOT common AND key IN (SELECT key FROM _events WHERE common)")


def _other_end(name: str) -> str:
    """SQL: when a request came, where a table's time is when it was done, or the other way round; empty where the table does not tell."""
    answering = ANSWERING.get(name)
    if answering is None or name == "api_gateway_execution":  # its requests are worked out later, of several rows
        return ""
    return next((moment for moment in (answering.started, answering.ended) if moment != "time"), "")


def find_votes(con: duckdb.DuckDBPyConnection, logs: Sequence[Log], found: Sequence[int | None], *, common: bool) -> dict[Log, list[Vote]]:
    """For each log the two zones at which most of its requests stand in others.

    The others are the logs with a zone, and of ``logs`` those whose zone is ``found`` (seconds) and that come before it.
    """
    # What stands a multiple of 15 minutes apart stands in the same slot of its quarter of an hour: most other pairs are never looked at.
    since, slots, apart = "date_diff('second', TIMESTAMP '0001-01-01', time)", QUARTER // SLOT, NEAR_SECONDS + 1
    rows = con.execute(
        f"""WITH logs AS (SELECT unnest(range(len($tables))) AS place, unnest($tables::VARCHAR[]) AS table_name,
                unnest($artifacts::INTEGER[]) AS artifact, unnest($vias::VARCHAR[]) AS via, unnest($seconds::INTEGER[]) AS seconds),
            own AS (SELECT row_number() OVER () AS n, place, seconds, time, key, {since} AS since FROM _events e JOIN logs l
                ON naive AND common <= $common AND e.table_name = l.table_name AND e.artifact = l.artifact
                AND e.via IS NOT DISTINCT FROM l.via),
            spread AS (SELECT *, unnest(range((since - {apart}) // {SLOT}, (since + {apart}) // {SLOT} + 1)) % {slots} AS slot FROM own),
            known AS (SELECT key, time, -1 AS place FROM _events WHERE NOT naive AND common <= $common
                UNION ALL SELECT key, time - to_seconds(seconds), place FROM own WHERE seconds IS NOT NULL),
            other AS (SELECT key, time, min(place) AS place, {since} // {SLOT} % {slots} AS slot FROM known
                WHERE key IN (SELECT key FROM own) GROUP BY key, time),
            apart AS (SELECT n, s.place, epoch(s.time) - epoch(o.time) AS seconds FROM spread s JOIN other o
                ON s.key = o.key AND s.slot = o.slot AND o.place < s.place),
            snapped AS (SELECT *, round(seconds / {QUARTER}) * {QUARTER} AS zone FROM apart WHERE abs(seconds) <= {WIDEST + 60}),
            best AS (SELECT place, zone::INTEGER AS zone, count(DISTINCT n) AS votes FROM snapped
                WHERE abs(seconds - zone) <= {NEAR_SECONDS} GROUP BY place, zone
                QUALIFY row_number() OVER (PARTITION BY place ORDER BY votes DESC, abs(zone)) <= 2),
            span AS (SELECT min(time) AS start, max(time) AS until FROM other),
            asked AS (SELECT place, zone, count(*) AS asked FROM best JOIN own USING (place), span WHERE key IN (SELECT key FROM other)
                AND own.time - to_seconds(zone) BETWEEN start AND until GROUP BY place, zone)
        SELECT place, zone, votes, coalesce(asked, 0) FROM best LEFT JOIN asked USING (place, zone) ORDER BY votes DESC, abs(zone)""",
        {
            "tables": [log.table for log in logs],
            "artifacts": [log.artifact for log in logs],
            "vias": [log.via for log in logs],
            "common": common,
            "seconds": list(found),
        },
    ).fetchall()
    votes: dict[Log, list[Vote]] = {}
    for place, zone, count, asked in rows:
        votes.setdefault(logs[place], []).append(Vote(zone, count, asked))
    return votes


def elected(votes: Sequence[Vote], *, common: bool) -> Clock | None:
    """The zone with the most votes, where enough requests gave theirs and no other zone comes near."""
    zone, count, asked = votes[0]
    least, rivals = (ENOUGH_COMMON, 3) if common else (ENOUGH, 2)
    if zone not in ZONES or count < least or (len(votes) > 1 and votes[1].stood * rivals > count):
        return None
    if not common and count < asked * STANDING:
        return None
    return Clock(zone_name(zone), "matched", why=f"{count} of its requests stand in another log at that difference")


def may_have_changed(votes: Sequence[Vote]) -> bool:
    """Whether so many requests stand at another zone than most that it may be that of a part of the log."""
    return len(votes) > 1 and votes[1].stood >= max(ENOUGH, votes[0].stood * SOME)
