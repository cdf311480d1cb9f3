"""One relation over all tables that hold HTTP requests: who saw which request, and who made the answer.

A *sighting* is one record of one request at one hop. ``status`` is what that hop sent towards the client; ``own`` says whether the hop
made that response itself (true), relayed it (false), or does not say (null). The who-answered tables of the failure knowledge base
(EDGE-001 to EDGE-011; nginx ``$upstream_status``) stand here as data. Lines that only repeat another file's are left out (``copies``), so
that no request counts twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kyumei import discover
from kyumei.correlate import copies
from kyumei.layouts.casts import quoted
from kyumei.store.filled import exists, filled

if TYPE_CHECKING:
    import duckdb

    from kyumei.model.table import Table

ORDER = ("cloudfront", "waf", "alb", "clb", "apigateway", "ingress", "nginx", "apache", "sidecar", "server", "app")
"""Hops from the client inwards. ``ingress`` is Envoy, Traefik or Caddy, ``sidecar`` an Envoy beside the application, ``server`` the
application server (gunicorn, uvicorn, uWSGI), ``app`` the application's own log."""

TIES = "_artifact, _line, request_id"
"""SQL: an order of records of one moment, so that the same question is answered alike again."""


class Answering(NamedTuple):
    """How a table tells who answered: SQL for the hop, the status sent to the client, and whether the hop made it itself."""

    hop: str
    status: str
    own: str
    started: str = "time"
    kind: str = "NULL::VARCHAR"
    """SQL text that is equal for requests answered for the same reason, as far as this table tells."""
    ended: str = "time"
    """When the request was done, where the table's time is when it came."""
    source: str = ""
    """SQL of a relation with one row for each request, where the table has several."""
    path: str = "path"
    """The path as what lies behind writes it, too."""
    server: str = "false"
    """SQL over all of the case: whether the application server itself wrote the row, and so made the answer."""


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
        # The codes that only nginx has: it closed the connection, or whoever asked had left.
        f"CASE WHEN status IN (444, 499) THEN true WHEN {column} IS NULL THEN NULL WHEN {column} = '-' THEN true WHEN {last} IN "
        "(502, 504) THEN NULL "
        f"WHEN {last} < 400 AND status >= 400 THEN true ELSE false END"
    )


_JSON_UPSTREAM = "CASE WHEN json_exists(_extra, '$.upstream_status') THEN coalesce(nullif(_extra->>'$.upstream_status', ''), '-') END"
"""nginx with ``escape=json`` writes an empty text where no server was asked."""
_WAF_OWN = f"(action = 'BLOCK' OR {_unsolved('CAPTCHA', 'captcha')} OR {_unsolved('CHALLENGE', 'challenge')})"


def _lasting(*columns: str) -> str:
    """SQL: when a request was done whose time is when it came, from the seconds that it took in all."""
    seconds = " + ".join(f"coalesce({column}, 0)" for column in columns)
    return f"CASE WHEN {seconds} < 86400 THEN time + to_microseconds((({seconds}) * 1000000)::BIGINT) ELSE time END"


def _unredacted(part: str) -> str:
    """SQL: a part of the request, unknown where WAF's log redacts it."""
    return f"nullif({part}, 'REDACTED')"


def _without_stage(stage: str, condition: str) -> str:
    """SQL: the path without API Gateway's stage in front, which neither CloudFront in front of it nor what lies behind writes."""
    return f"CASE WHEN {condition} AND starts_with(path, '/' || {stage} || '/') THEN substr(path, length({stage}) + 2) ELSE path END"


_NAMED_NGINX = "_artifact IN (SELECT artifact FROM artifacts WHERE contains(lower(name), 'nginx'))"
NODE_WROTE = (
    "(_artifact IN (SELECT _artifact FROM nginx_access WHERE starts_with(client_ip, '::ffff:') AND upstream_status IS NULL "
    "AND upstream_addr IS NULL AND request_seconds IS NULL) AND NOT EXISTS (SELECT 1 FROM nginx_error) "
    f"AND NOT {_NAMED_NGINX})"
)
"""SQL: whether a file of lines in the combined shape is an application's own (morgan's), and no web server's.

Node listens on IPv6 and writes an IPv4 client as ``::ffff:192.0.2.1``; nginx does so only where it is told to take both on one socket.
Where a file's name or an error log shows that there is an nginx, the lines stay its own.
"""
_FOLDER = "regexp_replace(name, '[^/]*$', '')"
_NAMED_JAVA = (
    "_artifact IN (SELECT artifact FROM (SELECT artifact, replace(lower(name), 'apache-tom', 'tom') AS called, "
    f"{_FOLDER} IN (SELECT {_FOLDER} FROM artifacts WHERE format = 'nginx_error') AS beside FROM artifacts) WHERE "
    "(regexp_matches(called, '(^|/)localhost_access_log') OR (NOT beside AND "
    "regexp_matches(called, '(^|/)(tomcat|tomee|catalina|jetty|wildfly|jboss)([-_]?[0-9][^/]*|-eap[^/]*|-base|-logs?)?/'))) "
    "AND NOT regexp_matches(called, 'nginx|openresty|lighttpd|apache|httpd'))"
)
SERVER_WROTE = f"({NODE_WROTE} OR ({_NAMED_JAVA} AND upstream_status IS NULL AND upstream_addr IS NULL))"
"""SQL: the same, and the access logs of Tomcat and its like, which are known by the name of the file or of a folder above it.

A folder may be called so for its host: a log beside an nginx's error log is nginx's.
"""
FILTERED = "WAF_FILTERED"
"""How API Gateway calls the answer to a request that WAF stopped."""
_DRAWN = (
    *("extended_request_id", "method", "path", "resource_path", "response_type", "integration_status", "error_text", "trace_id"),
    *("client_ip", "host", "user_agent", "api_id", "stage"),
)
_EXECUTED = f"""SELECT ends.* EXCLUDE ({", ".join(_DRAWN)}), steps.* EXCLUDE (id) FROM
    (SELECT * FROM api_gateway_execution WHERE status IS NOT NULL AND starts_with(message, 'Method completed with status')) ends JOIN
    (SELECT request_id AS id, min(time) AS started, {", ".join(f"any_value({column}) AS {column}" for column in _DRAWN)},
        bool_or(error_text IS NOT NULL) AS failed,
        any_value(regexp_replace(error_text, '[0-9a-f]{{8}}-[0-9a-f-]{{27}}|[0-9]+', '', 'g')) AS cause,
        bool_or(starts_with(message, 'Successfully completed execution')) AS done,
        bool_or(starts_with(message, 'Starting execution') OR starts_with(message, 'HTTP Method: ')) AS begun,
        bool_or(starts_with(message, 'Endpoint request') OR starts_with(message, 'Sending request')) AS called
        FROM api_gateway_execution WHERE request_id IS NOT NULL GROUP BY request_id) steps ON steps.id = ends.request_id
    WHERE NOT EXISTS (SELECT 1 FROM api_gateway_access a WHERE a.request_id = ends.request_id)"""
"""One row for each request of the execution log: the line with its status, and what its other lines tell."""
_BEGAN = "CASE WHEN request_seconds < 86400 THEN time - to_microseconds((request_seconds * 1000000)::BIGINT) ELSE time END"
_TARGET_ANSWERED = "WHEN target_status = status THEN false WHEN target_status IS NOT NULL THEN CASE WHEN status >= 500 THEN true END"
_VIEWER_LEFT = "('ClientCommError', 'ClientHungUpRequest', 'SlowReaderOriginError')"
_EDGE_MADE = (
    "Origin[A-Za-z]*Error|AbortedOrigin|OriginShieldHit|MissGeneratedResponse|LambdaExecutionError|(?:Limit|Capacity)Exceeded|"
    "ClientGeoBlocked|InvalidRequest[A-Za-z]*|Redirect|Hit|RefreshHit|Function[A-Za-z]+"
)
PROXY = "CASE WHEN starts_with(upstream_name, 'inbound|') THEN 'sidecar' ELSE 'ingress' END"
"""SQL: where a proxy stands. To a sidecar, what comes in is of a cluster of its own."""
_FLAGS_OF_OWN = "UH|UF|UO|NR|NC|UT|LR|UR|UC|FI|RL|UAEX|RLSE|IH|SI|DPE|UPE|UMSDR|OM|DF|LH"
"""Flags with which Envoy answers itself; URX only says that it tried no further, DC and DT that a connection ended."""
_PROXY_MADE = (
    "CASE WHEN status IS NULL OR regexp_matches(flags, '(^|,)D[CT](,|$)') THEN NULL "
    "WHEN status_details = 'via_upstream' THEN false WHEN status_details IS NOT NULL THEN true "
    f"WHEN regexp_matches(flags, '(^|,)({_FLAGS_OF_OWN})(,|$)') THEN true "
    "WHEN flags = '-' THEN CASE WHEN upstream_addr = '-' THEN true WHEN upstream_addr IS NOT NULL THEN false END "
    "WHEN program = 'caddy' THEN CASE WHEN starts_with(logger, 'http.log.error') THEN true END "
    "WHEN program <> 'traefik' OR target_status IN (502, 503, 504) THEN NULL "
    # Which fields Traefik writes is chosen: in a log that drops OriginStatus its absence says nothing.
    "WHEN target_status IS NULL AND _artifact NOT IN (SELECT _artifact FROM proxy_access WHERE target_status IS NOT NULL) THEN NULL "
    "WHEN target_status IS NULL OR (target_status < 400 AND status >= 400) THEN true ELSE false END"
)
_PROXIED = """SELECT * FROM proxy_access p WHERE NOT (starts_with(coalesce(p.logger, ''), 'http.log.access') AND p.status >= 400
    AND EXISTS (SELECT 1 FROM (SELECT status, path, client_ip, unnest([-1, 0, 1]) + epoch(time)::BIGINT AS near FROM proxy_access
        WHERE starts_with(logger, 'http.log.error')) e WHERE e.status = p.status AND e.path = p.path
        AND e.client_ip IS NOT DISTINCT FROM p.client_ip AND e.near = epoch(p.time)::BIGINT))"""
"""Each request once: what Caddy failed at stands in its error log, too, which tells more."""
ANSWERING = {
    # EDGE-085 to EDGE-094. Error with no more detail: the origin, WAF or CloudFront; status 0 or a client's error: the viewer left.
    "cloudfront_access": Answering(
        "'cloudfront'",
        "coalesce(status, 0)",
        f"CASE WHEN coalesce(status, 0) = 0 OR edge_detailed_result_type IN {_VIEWER_LEFT} THEN NULL "
        f"WHEN regexp_full_match(coalesce(edge_detailed_result_type, edge_result_type, ''), '{_EDGE_MADE}') THEN true "
        "WHEN edge_result_type IN ('Hit', 'RefreshHit', 'Redirect', 'LimitExceeded', 'CapacityExceeded', 'LambdaExecutionError') THEN true "
        "WHEN edge_result_type = 'Miss' THEN false END",
        _BEGAN,
        "concat_ws('|', distribution, edge_result_type, edge_detailed_result_type)",
    ),
    # "AWS WAF log fields": action is the final action.
    "waf": Answering(
        "'waf'",
        f"CASE WHEN NOT {_WAF_OWN} THEN NULL WHEN action = 'BLOCK' THEN coalesce(response_status, 403) "
        "WHEN action = 'CAPTCHA' THEN coalesce(response_status, 405) WHEN action = 'CHALLENGE' THEN coalesce(response_status, 202) END",
        _WAF_OWN,
        kind="concat_ws('|', webacl_arn, rule_id, rule_type, rule_group, rule_in_group, action)",
        path=_unredacted(_without_stage("regexp_extract(source_id, '[^:/]+$')", "source_name = 'APIGW'")),
    ),
    # EDGE-001 to EDGE-011: the client's own status as the target's means a relay. Another one does not: a server error in its place says
    # that the balancer could not use the answer. Without one the balancer, or WAF at the balancer, made it; Lambda targets fill none.
    "alb_access": Answering(
        "'alb'",
        "status",
        # What WAF could not tell, the balancer answered; what only it has codes for, too.
        f"CASE {_TARGET_ANSWERED} WHEN error_reason LIKE 'WAF%' OR status IN (460, 463, 464) THEN true "
        "WHEN actions[len(actions)] = 'waf' THEN false "
        # Lines from before 2018 name no actions: a 403 then is WAF's or a listener rule's.
        "WHEN actions IS NULL AND status = 403 THEN NULL "
        "WHEN actions[len(actions)] = 'forward' AND target_ip IS NULL AND error_reason IS NULL AND status < 500 "
        "AND response_seconds IS NOT NULL THEN NULL ELSE true END",
        "coalesce(started, time)",
        "concat_ws('|', elb, actions[len(actions)], error_reason, rule_priority, status, request_seconds IS NULL, target_seconds IS NULL)",
    ),
    # EDGE-001, EDGE-009, EDGE-011: the backend's own status means a relay.
    "clb_access": Answering(
        "'clb'",
        "status",
        f"CASE {_TARGET_ANSWERED} WHEN status IS NOT NULL THEN true END",
        kind="concat_ws('|', elb, status, dispatched)",
        ended=_lasting("request_seconds", "target_seconds", "response_seconds"),
    ),
    # EDGE-101 to EDGE-113: a response type means that API Gateway made it; WAF in front of it has a log of its own.
    "api_gateway_access": Answering(
        "'apigateway'",
        "status",
        "CASE WHEN response_type = 'WAF_FILTERED' OR waf_response = 'WAF_BLOCK' THEN false "
        # What the integration answered and the client got, API Gateway handed on, whatever else the row says.
        "WHEN target_status = status THEN false WHEN response_type <> '-' OR error_text IS NOT NULL THEN true "
        "WHEN target_status < 400 AND status >= 500 THEN true WHEN target_status IS NOT NULL THEN false "
        "WHEN integration_error IS NOT NULL AND status >= 500 THEN true "
        # What is behind it gave another error: a mapping made this one of it, or API Gateway did.
        "WHEN response_type = '-' AND integration_status >= 400 AND integration_status <> status THEN NULL "
        "WHEN response_type = '-' THEN false "
        "WHEN NOT dispatched AND status >= 400 THEN true "
        "WHEN integration_status >= 400 AND integration_status = status THEN false END",
        kind=f"concat_ws('|', api_id, stage, CASE WHEN waf_response = 'WAF_BLOCK' THEN '{FILTERED}' ELSE response_type END, "
        "coalesce(route_key, resource_path))",
        ended=_lasting("request_seconds"),
        path=_without_stage("stage", "stage <> ''"),
    ),
    # The same requests, step by step; those of which there is an access log are taken from there.
    "api_gateway_execution": Answering(
        "'apigateway'",
        "status",
        f"CASE WHEN response_type = '{FILTERED}' THEN false WHEN response_type IS NOT NULL OR failed THEN true "
        "WHEN done OR integration_status IS NOT NULL THEN false WHEN begun AND NOT called THEN true END",
        "started",
        kind="concat_ws('|', api_id, stage, response_type, resource_path, cause)",
        source=_EXECUTED,
    ),
    # "Access logging" of Envoy: via_upstream or no flag at all is a relay; its flags and other details say why it answered itself. Traefik
    # writes its own 502 to 504 as its origin's, too; Caddy's access log does not tell, its error log only has what it failed at.
    "proxy_access": Answering(
        PROXY,
        "status",
        _PROXY_MADE,
        kind="concat_ws('|', program, upstream_name, flags, status_details, status)",
        ended=f"CASE WHEN program = 'caddy' THEN time ELSE {_lasting('request_seconds')} END",
        source=_PROXIED,
    ),
    # mod_log_config: the time is when the request came; nothing tells whether mod_proxy handed it on.
    "apache_access": Answering("'apache'", "status", "NULL::BOOLEAN", ended=_lasting("request_seconds")),
    # Upstream status `-` or absent in a log that writes it: nginx answered; a number: relayed; a log without it does not say.
    "nginx_access": Answering("'nginx'", "status", _asked("upstream_status"), _BEGAN, server=SERVER_WROTE),
    "app_log": Answering("CASE WHEN coalesce(server, '') <> '' THEN 'server' ELSE 'app' END", "status", "true"),
    "json_lines": Answering(
        "CASE WHEN program = 'nginx' THEN 'nginx' ELSE 'app' END",
        "status",
        f"CASE WHEN program = 'nginx' THEN {_asked(f'({_JSON_UPSTREAM})')} ELSE true END",
    ),
    "lambda_log": Answering("'app'", "status", "true"),
}

_OPTIONAL = {
    "client_ip": "VARCHAR",
    "method": "VARCHAR",
    "host": "VARCHAR",
    "path": "VARCHAR",
    "query": "VARCHAR",
    "user_agent": "VARCHAR",
    "request_id": "VARCHAR",
    "trace_id": "VARCHAR",
    "forwarded_for": "VARCHAR",
    "target_ip": "VARCHAR",
    "actions": "VARCHAR[]",
    "target_status": "INTEGER",
    "level": "VARCHAR",
}
"""Columns of a sighting that not every table has, with their types."""


PREPARED = "_prepared"
"""Is there where the sightings are a part of the case."""
AT_HAND = 500_000
"""Up to this many records the sightings are worked out once and held in memory; those of a larger case are a view."""

_SPAN = 'SELECT {}, _artifact, min(time), max(time), count(*) FROM "{}" GROUP BY _artifact'


def create(con: duckdb.DuckDBPyConnection, *, keep: bool = False) -> None:
    """Create ``sightings`` over the tables that hold requests, and the table ``_copies`` of lines that are left out of it.

    With ``keep`` they become a part of the case, and are cached with it; what was kept is not worked out again.
    """
    if exists(con, PREPARED):
        return
    kind = "TABLE" if keep else "TEMP TABLE"
    copies.create(con, kind)
    spans: dict[str, list[copies.Span]] = {}
    records = 0
    held = [name for name in filled(con) if name in ANSWERING]
    sql = " UNION ALL ".join(_SPAN.format(quoted(name), name) for name in held)
    for name, artifact, first, last, count in con.execute(sql).fetchall() if held else ():
        records += count
        if first is not None:
            spans.setdefault(name, []).append((first, last, artifact))
    for name, own in spans.items():
        copies.find(con, name, own)
    for name, answering in ANSWERING.items():
        if answering.source and name in held:
            con.execute(f"CREATE OR REPLACE {'' if keep else 'TEMP '}VIEW {relation(name)} AS {answering.source}")
    tables = [name for name in ANSWERING if name in held] or list(ANSWERING)[:1]
    selects = " UNION ALL ".join(f"({_select(name, ANSWERING[name], copies.without(con, name))})" for name in tables)
    if not exists(con, "artifacts"):
        # Tables alone, without the list of files that a case has.
        selects = selects.replace(_NAMED_NGINX, "false").replace(_NAMED_JAVA, "false")
    if records > AT_HAND:
        con.execute(f"CREATE OR REPLACE TEMP VIEW sightings AS {selects}")
        return
    con.execute("SET preserve_insertion_order = true")
    con.execute(f"CREATE OR REPLACE {kind} sightings AS {selects}")
    con.execute("SET preserve_insertion_order = false")
    if keep:
        con.execute(f"CREATE VIEW {PREPARED} AS SELECT true AS prepared")


def relation(name: str) -> str:
    """SQL: a relation with one row for each request of a table, with the columns that its ``Answering`` speaks of."""
    return f'"{name}_requests"' if name in ANSWERING and ANSWERING[name].source else f'"{name}"'


def _column(name: str, kind: str, table: Table, answering: Answering) -> str:
    """SQL: one of the columns that not every table has."""
    if name not in table:
        return f"NULL::{kind} AS {name}"
    if table.name == "waf" and name in {"method", "query"}:
        return f"{_unredacted(name)} AS {name}"
    return f"{answering.path} AS path" if name == "path" else f'"{name}"'


def _select(name: str, answering: Answering, once: str) -> str:
    """The sightings of one table; ``once`` leaves out what only repeats another file's lines."""
    table = discover.format_of(name).table
    columns = ", ".join(_column(column, kind, table, answering) for column, kind in _OPTIONAL.items())
    speaks = "path IS NOT NULL" if name == "waf" else "(path IS NOT NULL OR status IS NOT NULL)"
    speaks += once
    hop, own = answering.hop, answering.own
    if answering.server != "false":
        hop, own = (f"CASE WHEN {answering.server} THEN {its} ELSE {other} END" for its, other in (("'server'", hop), ("true", own)))
    return (
        f"SELECT {hop} AS hop, {quoted(name)} AS table_name, _artifact, _line, {answering.ended} AS time, "
        f"{answering.started} AS started, {columns}, "
        f"{answering.status} AS status, {own} AS own, {answering.kind} AS kind FROM {relation(name)} "
        f"WHERE time IS NOT NULL AND {speaks}"
    )


def position(hop: str) -> int:
    """How far in a hop lies, 0 for the outermost; unknown hops count as innermost."""
    return ORDER.index(hop) if hop in ORDER else len(ORDER)
