"""Counts requests by hop, status, path and minute: of what was read, or, where nobody said what to look for, of whole logs.

A survey reads only five columns of each record, by the bulk readers and from all files of a format at once, and keeps none. Lines
that these do not claim are left out: it tells where to look, and what is found there is read exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from kyumei import discover
from kyumei.correlate.sightings import ANSWERING
from kyumei.edge.agents import NOISE
from kyumei.store.bulk_files import is_plain_text, lines_of, sample_of
from kyumei.store.part import layouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.store.part import Part

SLOW = frozenset({"app_log", "json_lines", "waf"})
"""Logs of which each line costs more, or that tell no status; they are surveyed where no other log has the requests."""
SEGMENTS = 4
"""Parts of a path between slashes, with the empty one before the first, by which requests are counted."""
_PARTS = "string_split(path, '/')"
_PATH = f"CASE WHEN len({_PARTS}) > {SEGMENTS} THEN array_to_string({_PARTS}[:{SEGMENTS}], '/') || '/*' ELSE path END"
_ANY_ID = r"regexp_replace(regexp_replace(path, '/[^/]*[0-9][^/]*[0-9][^/]*', '/*', 'g'), '/[0-9](/|$)', '/*\1', 'g')"
"""A part with two digits is an id; with one it may be a version: ``/v2/items/*``."""
# One CASE in another: of an AND in one condition DuckDB works out both sides for every row, and NOISE is dear.
_STATUS = (
    f"CASE WHEN hop = 'waf' AND status IS NULL THEN 0 WHEN status BETWEEN 400 AND 499 THEN CASE WHEN {NOISE} THEN 0 ELSE status END "
    "ELSE status END"
)
SHOWING = 8
"""Files of which lines are looked at to tell which shapes there are."""
CLIENT_BITS = 62
"""Bits that stand for clients."""


def create_pulse(con: duckdb.DuckDBPyConnection, requests: Sequence[str]) -> None:
    """Create the temporary table ``pulse`` (hop, status, path, minute, n, first, last, clients) from SELECTs of requests.

    These tell hop, status, time, path, client and user_agent. Of a path the first parts count, the rest is a ``*``, and parts
    that look like ids are one, too. Status 0 stands for requests that count as traffic only: what WAF let pass, and what
    scanners are refused. ``clients`` has a bit for each client, of a few dozen bits that all clients share: sets of them are put
    together by OR, and the number of bits tells how many clients there are, roughly.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE pulse (hop VARCHAR, status BIGINT, path VARCHAR, minute TIMESTAMP, n BIGINT, first TIMESTAMP, "
        "last TIMESTAMP, clients BIGINT)"
    )
    for request in requests:
        _add(con, request)


def _add(con: duckdb.DuckDBPyConnection, request: str) -> None:
    """Count the requests of a SELECT into ``pulse``."""
    con.execute(
        f"""INSERT INTO pulse
        WITH cut AS MATERIALIZED (
            SELECT hop, status, {_PATH} AS path, time_bucket(INTERVAL 1 MINUTE, time) AS minute, count(*) AS n, min(time) AS first,
                max(time) AS last, bit_or(1::BIGINT << (hash(client, user_agent) % {CLIENT_BITS})::BIGINT) AS clients
            FROM (SELECT hop, time, path, client, user_agent, {_STATUS} AS status FROM ({request}))
            GROUP BY ALL)
        SELECT hop, status, {_ANY_ID} AS path, minute, sum(n), min(first), max(last), bit_or(clients)
        FROM cut WHERE status IS NOT NULL AND minute IS NOT NULL GROUP BY ALL"""  # a filter further in would cut each line twice
    )


def survey(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> list[str]:
    """Create ``pulse`` from whole files; the names of those that hold requests and were not surveyed."""
    telling = [part for part in parts if part.format in ANSWERING and not ANSWERING[part.format].source]
    quick = [part for part in telling if part.format not in SLOW] or telling
    readable = [part for part in quick if is_plain_text(part)]
    left = [part.artifact.name for part in quick if not is_plain_text(part)]
    create_pulse(con, ())
    for name in dict.fromkeys(str(part.format) for part in readable):
        own = [part for part in readable if part.format == name]
        for compression in dict.fromkeys(part.artifact.compression for part in own):
            alike = [part for part in own if part.artifact.compression == compression]
            try:
                _add(con, _requests(name, alike))
            except duckdb.Error:  # these files cannot be read so
                left += [part.artifact.name for part in alike]
    return left


def _requests(name: str, parts: Sequence[Part]) -> str:
    """A SELECT of the requests in files of one format, of the shapes that some of the files show."""
    answering = ANSWERING[name]
    source = lines_of([part.artifact for part in parts])
    shown = parts[:: len(parts) // SHOWING + 1]
    sample = [line for part in shown for line in sample_of(part)]
    bulk = layouts(parts[0])[0].bulk(source, sample)
    client, agent = (_told(column, name) for column in ("client_ip", "user_agent"))
    return (
        f"SELECT {answering.hop} AS hop, {answering.status} AS status, time, {answering.path} AS path, {client} AS client, "
        f"{agent} AS user_agent FROM ({bulk}) WHERE _naive = 0"
    )


def _told(column: str, name: str) -> str:
    """SQL: a column, or null where a table has none: a function does not tell who asked."""
    return column if column in discover.format_of(name).table else "NULL::VARCHAR"
