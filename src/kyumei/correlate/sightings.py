"""One view over all tables that hold HTTP requests: who saw which request, and who made the answer.

A *sighting* is one record of one request at one hop. ``status`` is what that hop sent towards the client; ``own`` says whether the hop made
that response itself (true), relayed it (false), or does not say (null). The who-answered tables of the failure knowledge base (EDGE-001 to EDGE-011;
nginx ``$upstream_status``) stand here as data.
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


ANSWERING = {
    # "AWS WAF log fields": action is the final action; a solved CAPTCHA or challenge lets the request go on (EDGE-084).
    "waf": Answering(
        "'waf'",
        "CASE WHEN action = 'BLOCK' THEN coalesce(response_status, 403) WHEN action = 'CAPTCHA' THEN coalesce(response_status, 405) "
        "WHEN action = 'CHALLENGE' THEN coalesce(response_status, 202) END",
        "action IN ('BLOCK', 'CAPTCHA', 'CHALLENGE')",
        kind="concat_ws('|', webacl_arn, rule_id, rule_type, rule_group, rule_in_group, action)",
    ),
    # EDGE-001 to EDGE-011: a target status means a relay; without one the balancer, or WAF at the balancer, made it; Lambda targets fill none.
    "alb_access": Answering(
        "'alb'",
        "status",
        "CASE WHEN target_status IS NOT NULL THEN false WHEN actions[len(actions)] = 'waf' THEN false "
        "WHEN actions[len(actions)] = 'forward' AND target_ip IS NULL AND error_reason IS NULL AND status < 500 THEN NULL ELSE true END",
        "coalesce(started, time)",
        "concat_ws('|', elb, actions[len(actions)], error_reason, rule_priority)",
    ),
    # Upstream status `-` or absent in a log that writes it: nginx answered; a number: relayed; a log without it does not say.
    "nginx_access": Answering(
        "'nginx'",
        "status",
        "CASE WHEN upstream_status IS NULL THEN NULL ELSE upstream_status = '-' END",
        "CASE WHEN request_seconds < 86400 THEN time - to_microseconds((request_seconds * 1000000)::BIGINT) ELSE time END",
    ),
    "app_log": Answering("CASE WHEN coalesce(server, '') <> '' THEN 'server' ELSE 'app' END", "status", "true"),
    "json_lines": Answering(
        "CASE WHEN program = 'nginx' THEN 'nginx' ELSE 'app' END", "status", "CASE WHEN program = 'nginx' THEN NULL ELSE true END"
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


def create(con: duckdb.DuckDBPyConnection) -> None:
    """Create the view ``sightings`` over the tables that hold requests."""
    selects = []
    for name, answering in ANSWERING.items():
        table = discover.formats()[name].table
        columns = ", ".join(f'"{column}"' if column in table else f"NULL AS {column}" for column in _OPTIONAL)
        speaks = "path IS NOT NULL" if name == "waf" else "(path IS NOT NULL OR status IS NOT NULL)"
        selects.append(
            f"SELECT {answering.hop} AS hop, {quoted(name)} AS table_name, _artifact, _line, time, {answering.started} AS started, {columns}, "
            f'{answering.status} AS status, {answering.own} AS own, {answering.kind} AS kind FROM "{name}" WHERE time IS NOT NULL AND {speaks}'
        )
    con.execute("CREATE OR REPLACE TEMP VIEW sightings AS " + " UNION ALL ".join(f"({select})" for select in selects))


def position(hop: str) -> int:
    """How far in a hop lies, 0 for the outermost; unknown hops count as innermost."""
    return ORDER.index(hop) if hop in ORDER else len(ORDER)
