"""One view over all tables that hold HTTP requests: who saw which request, and who made the answer.

A *sighting* is one record of one request at one hop. ``status`` is what that hop sent towards the client; ``own`` says whether the hop
made that response itself (true), relayed it (false), or does not say (null). The who-answered tables of the failure knowledge base
(EDGE-001 to EDGE-011; nginx ``$upstream_status``) stand here as data. A file that only repeats another one's records is left out, so that
no request counts twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.layouts.casts import quoted

if TYPE_CHECKING:
    import duckdb

ORDER = ("cloudfront", "waf", "alb", "clb", "apigateway", "nginx", "apache", "server", "app")
"""Hops from the client inwards. ``server`` is the application server (gunicorn, uvicorn, uWSGI), ``app`` the application's own log."""


@dataclass(frozen=True)
class Answering:
    """How a table tells who answered: SQL for the hop, the status sent to the client, and whether the hop made it itself."""

    hop: str
    status: str
    own: str
    started: str = "time"
    kind: str = "NULL"
    """SQL text that is equal for requests answered for the same reason, as far as this table tells."""


def _unsolved(action: str, column: str) -> str:
    """SQL: WAF asked, and got no token or no good one (EDGE-084: a solve time without a failure reason means that it passed)."""
    solved = f"{column}_failure IS NULL AND TRY_CAST({column}->>'$.solveTimestamp' AS BIGINT) > 0"
    return f"(action = '{action}' AND NOT coalesce({solved}, false))"


def _asked(column: str) -> str:
    """SQL: whether nginx answered itself, from the statuses of the servers that it asked, of which the last one counts.

    A dash: it asked none. 502 and 504 it also writes for a server that could not be reached or kept silent ("Module
    ngx_http_upstream_module"), so these do not tell. Where the server's answer was no failure and the client's is one, nginx made it
    (X-Accel-Redirect to a file that it may not read).
    """
    last = f"TRY_CAST(regexp_extract({column}, '([0-9]+)[ ,:]*$', 1) AS INTEGER)"
    return (
        f"CASE WHEN {column} IS NULL THEN NULL WHEN {column} = '-' THEN true WHEN {last} IN (502, 504) THEN NULL "
        f"WHEN {last} < 400 AND status >= 400 THEN true ELSE false END"
    )


_JSON_UPSTREAM = "CASE WHEN json_exists(_extra, '$.upstream_status') THEN coalesce(nullif(_extra->>'$.upstream_status', ''), '-') END"
"""nginx with ``escape=json`` writes an empty text where no server was asked."""
_WAF_OWN = f"(action = 'BLOCK' OR {_unsolved('CAPTCHA', 'captcha')} OR {_unsolved('CHALLENGE', 'challenge')})"

ANSWERING = {
    # "AWS WAF log fields": action is the final action.
    "waf": Answering(
        "'waf'",
        f"CASE WHEN NOT {_WAF_OWN} THEN NULL WHEN action = 'BLOCK' THEN coalesce(response_status, 403) "
        "WHEN action = 'CAPTCHA' THEN coalesce(response_status, 405) WHEN action = 'CHALLENGE' THEN coalesce(response_status, 202) END",
        _WAF_OWN,
        kind="concat_ws('|', webacl_arn, rule_id, rule_type, rule_group, rule_in_group, action)",
    ),
    # EDGE-001 to EDGE-011: a target status means a relay; without one the balancer, or WAF at the balancer, made it; Lambda targets
    # fill none.
    "alb_access": Answering(
        "'alb'",
        "status",
        "CASE WHEN target_status IS NOT NULL THEN false WHEN actions[len(actions)] = 'waf' THEN false "
        # Lines from before 2018 name no actions: a 403 then is WAF's or a listener rule's.
        "WHEN actions IS NULL AND status = 403 THEN NULL "
        "WHEN actions[len(actions)] = 'forward' AND target_ip IS NULL AND error_reason IS NULL AND status < 500 THEN NULL ELSE true END",
        "coalesce(started, time)",
        "concat_ws('|', elb, actions[len(actions)], error_reason, rule_priority)",
    ),
    # Upstream status `-` or absent in a log that writes it: nginx answered; a number: relayed; a log without it does not say.
    "nginx_access": Answering(
        "'nginx'",
        "status",
        _asked("upstream_status"),
        "CASE WHEN request_seconds < 86400 THEN time - to_microseconds((request_seconds * 1000000)::BIGINT) ELSE time END",
    ),
    "app_log": Answering("CASE WHEN coalesce(server, '') <> '' THEN 'server' ELSE 'app' END", "status", "true"),
    "json_lines": Answering(
        "CASE WHEN program = 'nginx' THEN 'nginx' ELSE 'app' END",
        "status",
        f"CASE WHEN program = 'nginx' THEN {_asked(f'({_JSON_UPSTREAM})')} ELSE true END",
    ),
}

_OPTIONAL = (
    "client_ip",
    "method",
    "host",
    "path",
    "query",
    "user_agent",
    "request_id",
    "trace_id",
    "forwarded_for",
    "target_ip",
    "actions",
)


FEWEST_LINES = 3
"""Lines that a file must have before it can be taken for a copy of another; records with an id of their own need not be many."""


def create(con: duckdb.DuckDBPyConnection) -> None:
    """Create the view ``sightings`` over the tables that hold requests, and the table ``_copies`` of files that are left out of it."""
    con.execute("CREATE OR REPLACE TEMP TABLE _copies (table_name VARCHAR, artifact INTEGER, original INTEGER)")
    for name in ANSWERING:
        _find_copies(con, name)
    selects = []
    for name, answering in ANSWERING.items():
        table = discover.formats()[name].table
        columns = ", ".join(f'"{column}"' if column in table else f"NULL AS {column}" for column in _OPTIONAL)
        speaks = "path IS NOT NULL" if name == "waf" else "(path IS NOT NULL OR status IS NOT NULL)"
        speaks += f" AND _artifact NOT IN (SELECT artifact FROM _copies WHERE table_name = {quoted(name)})"
        selects.append(
            f"SELECT {answering.hop} AS hop, {quoted(name)} AS table_name, _artifact, _line, time, {answering.started} AS "
            f"started, {columns}, "
            f'{answering.status} AS status, {answering.own} AS own, {answering.kind} AS kind FROM "{name}" WHERE time IS NOT '
            f"NULL AND {speaks}"
        )
    con.execute("CREATE OR REPLACE TEMP VIEW sightings AS " + " UNION ALL ".join(f"({select})" for select in selects))


def _find_copies(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Note the files of a table all of whose records stand in another file, too: a backup, an earlier copy of a growing file."""
    table = discover.formats()[name].table
    if (con.execute(f'SELECT count(DISTINCT _artifact) FROM "{name}"').fetchone() or (0,))[0] < len(("one", "another")):
        return
    with_id = " OR ".join(f"{column} IS NOT NULL" for column in ("request_id", "trace_id") if column in table)
    own = f"hash(time, {'request_id' if name == 'waf' else ', '.join(quoted_name(column.name) for column in table.columns)})"
    con.execute(
        f"""INSERT INTO _copies
        WITH records AS (SELECT DISTINCT _artifact AS artifact, {own} AS record, ({with_id}) AS with_id FROM "{name}"
                WHERE time IS NOT NULL),
            shared AS (SELECT record FROM records GROUP BY record HAVING count(*) > 1),
            sizes AS (SELECT artifact, count(*) AS size, bool_and(with_id) AS with_id FROM records GROUP BY artifact),
            pairs AS (SELECT a.artifact, b.artifact AS other, count(*) AS common FROM records a JOIN shared USING (record)
                JOIN records b ON a.record = b.record AND a.artifact <> b.artifact GROUP BY ALL)
        SELECT {quoted(name)}, p.artifact, min(p.other) FROM pairs p
            JOIN sizes s ON s.artifact = p.artifact JOIN sizes o ON o.artifact = p.other
        WHERE p.common = s.size AND (s.size >= {FEWEST_LINES} OR s.with_id) AND (o.size > s.size OR p.other < p.artifact)
        GROUP BY p.artifact"""
    )


def quoted_name(name: str) -> str:
    """A column's name as SQL."""
    return f'"{name}"'


def position(hop: str) -> int:
    """How far in a hop lies, 0 for the outermost; unknown hops count as innermost."""
    return ORDER.index(hop) if hop in ORDER else len(ORDER)
