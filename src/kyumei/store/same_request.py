"""Gives the lines that close a request of Rails what the line that opened it says, found by the request's id.

Rails writes path and client when a request starts, status and error when it ends, and without a formatter the time at the start only.
Where ``config.log_tags`` puts the request's id before both, the end is of that path, and of that time and the seconds that it took. Without
an id the end is that of the request above it, but only while each request around ends before the next one starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_OPENED = """SELECT _artifact, request_id, min(time) AS time, any_value(_naive) AS _naive, any_value(method) AS method,
        any_value(path) AS path, any_value(query) AS query, any_value(client_ip) AS client_ip
    FROM app_log WHERE request_id IS NOT NULL AND path IS NOT NULL AND status IS NULL AND starts_with(ltrim(message, '['), request_id)
        AND regexp_matches(message, '^(?:\\[[^\\]\\n]*\\] )*Started [A-Z]+ "/') GROUP BY _artifact, request_id HAVING count(*) = 1"""
"""The lines that open requests; an id that two of them have is nobody's."""

_OPENS = "path IS NOT NULL AND status IS NULL AND contains(message, 'Started ')"
"""SQL: what is cheap to ask of every line, and true of those that open a request; few logs have any."""
ALTERNATING = 6
"""Lines above an end that must be starts and ends by turns, so that it can be no other request's."""
_SAID = """'^(?:Started [A-Z]+ "/[^"]*" for |Completed [1-5][0-9][0-9] [^\\n]* in [0-9.]+ms)'"""
_TURNS = f"""SELECT *, lag({{path: path, method: method, query: query, client_ip: client_ip, time: time}}) OVER turns AS opened,
        opens <> coalesce(lag(opens) OVER turns, false) AS turned
    FROM (SELECT *, path IS NOT NULL AS opens FROM app_log WHERE request_id IS NULL AND (path IS NULL) = (status IS NOT NULL)
        AND regexp_matches(message, {_SAID}) QUALIFY count(*) OVER (PARTITION BY _artifact, _line) = 1)
    WINDOW turns AS (PARTITION BY _artifact, pid ORDER BY _line)"""
_ENDED = f"""SELECT _artifact, _line, opened FROM (
        SELECT *, bool_and(turned) OVER (PARTITION BY _artifact, pid ORDER BY _line ROWS BETWEEN {ALTERNATING} PRECEDING AND 1 FOLLOWING)
            AS alone FROM ({_TURNS}))
    WHERE alone AND NOT opens AND coalesce(abs(epoch(time - opened.time) - request_seconds) < 2, true)"""
"""Ends without an id, each with the request that was the only one open, and took as long."""


def close_requests(con: duckdb.DuckDBPyConnection) -> None:
    """Fill path, client and time of lines that close a request where they state none; their clock is that of the line that opened it."""
    if con.execute(f"SELECT 1 FROM app_log WHERE {_OPENS} LIMIT 1").fetchone() is None:
        return
    con.execute(
        f"""UPDATE app_log AS closed SET method = o.method, path = o.path, query = o.query, client_ip = o.client_ip,
            time = coalesce(closed.time, o.time + to_microseconds((coalesce(closed.request_seconds, 0) * 1000000)::BIGINT)),
            _naive = CASE WHEN closed.time IS NULL THEN o._naive ELSE closed._naive END
        FROM ({_OPENED}) o
        WHERE closed._artifact = o._artifact AND closed.request_id = o.request_id AND closed.path IS NULL
            AND (closed.status IS NOT NULL OR closed.error_type IS NOT NULL)"""
    )
    con.execute(
        f"""UPDATE app_log AS closed SET method = o.opened.method, path = o.opened.path, query = o.opened.query,
            client_ip = o.opened.client_ip
        FROM ({_ENDED}) o
        WHERE closed._artifact = o._artifact AND closed._line = o._line AND closed.path IS NULL AND closed.status IS NOT NULL"""
    )
