"""What an application writes when it waits for its database, as data: connections, locks, cancelled statements, slow queries.

Texts of PostgreSQL, MySQL and the usual pools (SQLAlchemy, psycopg, HikariCP). Such a line says that the application waited; that a given
request did is said only by a line that names the request, its process, or the time that it took.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Wait(NamedTuple):
    """One row: the pattern on message and error, what was waited for, and how it is mended."""

    pattern: str
    cause: str
    fix: str
    commands: tuple[str, ...]
    layer: str = "database"
    """Where the cause lies."""


_SESSIONS = (
    "SELECT pid, state, wait_event_type, wait_event, now() - query_start AS since, left(query, 80) FROM pg_stat_activity ORDER BY 5 DESC;"
)
WAITS = (
    Wait(
        r"(?i)could not obtain (?:a )?connection from (?:the )?pool|QueuePool limit|pool (?:is )?exhausted|couldn't get a connection|"
        r"PoolTimeout|HikariPool.*not available|Timeout waiting for connection|too many clients already|remaining connection slots|"
        r"Too many connections",
        "no connection to the database was free",
        "Find what holds the connections (long transactions, a pool that leaks), then size the pool to the workers and the database.",
        (_SESSIONS, "SHOW max_connections;"),
    ),
    Wait(
        r"(?i)lock wait timeout exceeded|due to lock timeout|could not obtain lock|deadlock (?:detected|found)|"
        r"still waiting for \w{1,40}Lock on",
        "the database made it wait for a lock that another transaction held",
        "End the transaction that holds the lock, and keep transactions short and in one order.",
        ("SELECT pid, pg_blocking_pids(pid), left(query, 80) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0;",),
    ),
    Wait(
        r"(?i)QueryCanceled|due to statement timeout|maximum statement execution time exceeded|statement timeout",
        "a statement ran until the database cancelled it",
        "Look at the statement's plan: a missing index or stale statistics, mostly.",
        ("EXPLAIN (ANALYZE, BUFFERS) <STATEMENT>;", _SESSIONS),
    ),
    Wait(
        r"(?i)\bslow (?:query|sql|statement)|\bduration: [0-9.]+ ms|\bQuery_time: |\bquery took\b",
        "one of its queries was slow",
        "Look at the statement's plan: a missing index or stale statistics, mostly.",
        ("EXPLAIN (ANALYZE, BUFFERS) <STATEMENT>;",),
    ),
    Wait(
        r"OperationalError|InterfaceError|(?i:lost connection to (?:mysql|server)|server closed the connection unexpectedly)",
        "the database did not serve it",
        "Look at the database's own log and its state at that moment.",
        ("aws rds describe-events --source-type db-instance --duration 1440", _SESSIONS),
    ),
)
PREFILTER = (
    r"(?i)connection from (the )?pool|QueuePool|pool (is )?exhausted|get a connection|PoolTimeout|HikariPool|waiting for connection|"
    r"too many clients|connection slots|too many connections|lock wait|lock timeout|obtain lock|still waiting for|deadlock|"
    r"QueryCanceled|statement timeout|"
    r"maximum statement|slow (query|sql|statement)|duration: [0-9.]+ ms|Query_time|query took|OperationalError|InterfaceError|"
    r"lost connection|server closed the connection"
)
"""For RE2: every line that a row fits fits this."""
_PATTERNS = tuple((one, re.compile(one.pattern)) for one in WAITS)
_TOOK = re.compile(
    r"(?i)(?:duration|query_time|took|elapsed|slow (?:query|sql|statement)|time)\b[^0-9\n]{0,12}"
    r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>ms|s|sec|seconds|us)?\b"
)


def wait_of(text: str) -> Wait | None:
    """What a line says its program waited for."""
    return next((one for one, pattern in _PATTERNS if pattern.search(text)), None)


def seconds_in(text: str) -> float | None:
    """How long a line says that something took, in seconds; a number without a unit is taken as seconds."""
    found = _TOOK.search(text)
    if found is None:
        return None
    scale = {"ms": 1e-3, "us": 1e-6}.get((found["unit"] or "s").lower(), 1.0)
    return float(found["number"]) * scale
