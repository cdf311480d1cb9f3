"""ALB access logs: one line for each request that an Application Load Balancer answered.

``time`` is when the response was sent, or the websocket closed, not when the request came; that is ``started``. A status without a
target status was made by the balancer itself. Times of phases are null where the phase was not reached: ``dispatched`` is false when no
target got the request. All text that a client controls is in quotes and may be anything. Lines are delivered up to an hour late and on a
best-effort basis, so that a missing line proves nothing. Fields were appended over the years: 17 in 2016, 29 in 2020, 30 in 2023, 33 in
2025, and a 34th, the balancer's node.

Follows "Access logs for your Application Load Balancer" in the Elastic Load Balancing user guide.
"""

from __future__ import annotations

import re

from kyumei.contracts import Format
from kyumei.layouts import request_line as line
from kyumei.layouts.casts import COMMA_LIST, DISPATCHED, ISO_UTC, PHASE, SPACE_LIST, Cast, takes_by_origin
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Style, Variant
from kyumei.layouts.stamps import ISO, in_utc
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "alb_access",
    "Requests that an Application Load Balancer answered.",
    (
        Column("time", Kind.TIME, "When the response was sent to the client, or the websocket closed.", origin="time"),
        Column("started", Kind.TIME, "When the balancer received the request.", origin="request_creation_time"),
        Column("protocol_kind", Kind.TEXT, "http, https, h2 (HTTP/2 over TLS), grpcs, ws or wss.", origin="type"),
        Column("elb", Kind.TEXT, "The balancer: app/name/id, the end of its ARN.", Link.RESOURCE, "elb"),
        Column("client_ip", Kind.TEXT, "The address that connected to the balancer.", Link.CLIENT, "client:port"),
        Column("client_port", Kind.INTEGER, "The port it connected from.", origin="client:port"),
        Column(
            "target_ip",
            Kind.TEXT,
            "The target that the request was sent to; null when there was none, or a Lambda.",
            Link.TARGET,
            "target:port",
        ),
        Column("target_port", Kind.INTEGER, "The port of the target.", origin="target:port"),
        Column("request_seconds", Kind.FLOAT, "From the request to the moment it was sent to a target.", origin="request_processing_time"),
        Column("target_seconds", Kind.FLOAT, "From then until the target began to answer.", origin="target_processing_time"),
        Column("response_seconds", Kind.FLOAT, "From then until the answer began to go to the client.", origin="response_processing_time"),
        Column(
            "dispatched",
            Kind.BOOLEAN,
            "Whether a target was reached and answered: target_processing_time is not -1.",
            origin="target_processing_time",
        ),
        Column("status", Kind.INTEGER, "The status that the client got.", Link.STATUS, "elb_status_code"),
        Column(
            "target_status", Kind.INTEGER, "The status that the target answered; null if it answered none.", origin="target_status_code"
        ),
        Column("received_bytes", Kind.INTEGER, "Size of the request, headers included.", origin="received_bytes"),
        Column("sent_bytes", Kind.INTEGER, "Size of the response, headers included.", origin="sent_bytes"),
        Column("method", Kind.TEXT, "The method; null where the request was no HTTP.", origin="request"),
        Column("scheme", Kind.TEXT, "http, https, ws or wss.", origin="request"),
        Column("host", Kind.TEXT, "The host of the request's URL, without the port.", Link.HOST, "request"),
        Column("port", Kind.INTEGER, "The listener's port, from the request's URL.", origin="request"),
        Column("path", Kind.TEXT, "The path of the URL, without the query string.", Link.PATH, "request"),
        Column("query", Kind.TEXT, "The query string without its question mark; null if there is none.", origin="request"),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2.0...", origin="request"),
        Column("user_agent", Kind.TEXT, "The client's User-Agent header, cut at 8 KB.", origin="user_agent"),
        Column("ssl_cipher", Kind.TEXT, "The cipher of an HTTPS listener.", origin="ssl_cipher"),
        Column("ssl_protocol", Kind.TEXT, "The TLS version of an HTTPS listener.", origin="ssl_protocol"),
        Column("target_group_arn", Kind.TEXT, "The target group chosen.", Link.RESOURCE, "target_group_arn"),
        Column("trace_id", Kind.TEXT, "The root id of the X-Amzn-Trace-Id header; the same as WAF's request id.", Link.TRACE, "trace_id"),
        Column("trace_header", Kind.TEXT, "The whole header where it holds more than the root id.", origin="trace_id"),
        Column("domain_name", Kind.TEXT, "The server name that the client asked for in the TLS handshake.", origin="domain_name"),
        Column("cert_arn", Kind.TEXT, "The certificate presented, or session-reused.", origin="chosen_cert_arn"),
        Column(
            "rule_priority",
            Kind.INTEGER,
            "The listener rule: 1 to 50000, 0 the default rule, -1 no rule could be evaluated.",
            origin="matched_rule_priority",
        ),
        Column("actions", Kind.LIST, "What was done, in order: waf, authenticate, forward, fixed-response...", origin="actions_executed"),
        Column("redirect_url", Kind.TEXT, "The Location of a redirect action.", origin="redirect_url"),
        Column("error_reason", Kind.TEXT, "Why an action failed: Auth..., Lambda..., WAF...", origin="error_reason"),
        Column("target_list", Kind.LIST, "The targets that handled the request, address:port.", origin="target:port_list"),
        Column("target_status_list", Kind.LIST, "Their statuses.", origin="target_status_code_list"),
        Column("classification", Kind.TEXT, "Desync mitigation: Acceptable, Ambiguous or Severe.", origin="classification"),
        Column("classification_reason", Kind.TEXT, "Why it was classified so.", origin="classification_reason"),
        Column("conn_trace_id", Kind.TEXT, "TID_...: joins the connection log.", origin="conn_trace_id"),
        Column("transformed_host", Kind.TEXT, "The host after a rewrite.", origin="transformed_host"),
        Column("transformed_uri", Kind.TEXT, "The URI after a rewrite.", origin="transformed_uri"),
        Column("transform_status", Kind.TEXT, "How the rewrite went: TransformSuccess...", origin="request_transform_status"),
        Column("node_ip", Kind.TEXT, "The balancer's own address that handled the request, where the log has it.", origin="(34th field)"),
    ),
)

_EITHER = Style.EITHER
_QUOTED = Style.QUOTED
_FIELDS = (
    *(Field(name) for name in ("type", "time", "elb", "client:port", "target:port")),
    *(Field(name) for name in ("request_processing_time", "target_processing_time", "response_processing_time")),
    *(Field(name) for name in ("elb_status_code", "target_status_code", "received_bytes", "sent_bytes")),
    *(Field(name, _QUOTED) for name in ("request", "user_agent")),
    *(Field(name) for name in ("ssl_cipher", "ssl_protocol", "target_group_arn")),
    *(Field(name, _QUOTED) for name in ("trace_id", "domain_name", "chosen_cert_arn")),
    *(Field(name) for name in ("matched_rule_priority", "request_creation_time")),
    *(Field(name, _QUOTED) for name in ("actions_executed", "redirect_url", "error_reason")),
    *(Field(name, _EITHER) for name in ("target:port_list", "target_status_code_list")),
    *(Field(name, _QUOTED) for name in ("classification", "classification_reason")),
    Field("conn_trace_id"),
    *(Field(name, _QUOTED) for name in ("transformed_host", "transformed_uri", "request_transform_status")),
    Field("(34th field)"),
)
_FEWEST = 17
_ONCE_BARE = frozenset({"domain_name", "chosen_cert_arn", "actions_executed", "redirect_url", "error_reason"})
_OLD = tuple(known._replace(style=_EITHER) if known.name in _ONCE_BARE else known for known in _FIELDS)
"""Lines of the years in which these, too, were written without quotes."""

_CASTS: dict[str, tuple[Cast, bool]] = {
    "time": (ISO_UTC, False),
    "started": (ISO_UTC, False),
    "client_ip": (line.END_HOST, False),
    "client_port": (line.END_PORT, True),
    "target_ip": (line.END_HOST, False),
    "target_port": (line.END_PORT, True),
    "request_seconds": (PHASE, True),
    "target_seconds": (PHASE, True),
    "response_seconds": (PHASE, True),
    "dispatched": (DISPATCHED, False),
    "method": (line.URL_METHOD, True),
    "scheme": (line.URL_SCHEME, False),
    "host": (line.URL_HOST, True),
    "port": (line.URL_PORT, True),
    "path": (line.URL_PATH, True),
    "query": (line.URL_QUERY, True),
    "http_version": (line.URL_VERSION, True),
    "trace_id": (line.TRACE_ID, True),
    "trace_header": (line.TRACE_REST, True),
    "actions": (COMMA_LIST, False),
    "target_list": (SPACE_LIST, False),
    "target_status_list": (SPACE_LIST, False),
}
"""Columns that are no plain text or integer, and whether a value that does not fit is no fault (another column has it, or says so)."""


LAYOUT = Delimited(
    columns=TABLE.columns,
    variants=(Variant(_FIELDS, needed=_FEWEST), Variant(_OLD, needed=_FEWEST, bulk=False)),
    takes=takes_by_origin(TABLE.columns, _CASTS),
    written=(in_utc(ISO),),
    required=("time", "elb"),
)

_BEGINS = re.compile(
    r"(?:https?|h2|grpcs?|wss?) [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+Z"
    r" [^ ]+ [^ ]+ [^ ]+ -?[0-9.]+ -?[0-9.]+ -?[0-9.]+ ",
    re.ASCII,
)


def sniff(text: str, _name: str) -> bool:
    """Whether the record begins as ALB access logs do: kind, time, balancer, two ends, three phases."""
    return _BEGINS.match(text) is not None


FORMAT = Format(
    name="alb_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Elastic Load Balancing user guide: Access logs for your Application Load Balancer",
    hop="alb",
    delay_seconds=3600,
    complete=False,
)
