"""Access logs of nginx, and of what writes the same: one line for each request, when it was done.

Each line tells its own shape: common or combined, with ``$http_x_forwarded_for`` behind (``main``), or the ``upstreaminfo`` shape of the
ingress controller, with or without a virtual host in front. Fields behind these are taken where they name themselves (``rt=0.012 us=403``,
``"Root=1-..."``), else kept in ``_extra``. A ``log_format`` of one's own is read exactly when it is told, see ``custom``.

The client is whoever opened the connection: behind a load balancer that is the balancer, and the client stands in ``forwarded_for``, whose
text the client can forge. 499 means that the client went away, 444 that nginx closed without an answer, 400 with no request that it
understood nothing. Upstream columns are text, because a retried request has a list in each.

Follows nginx's own pages "Module ngx_http_log_module", "ngx_http_upstream_module" and the ingress controller's page "Log format".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.errors import ConfigError
from kyumei.layouts import request_line as line
from kyumei.layouts.casts import CLF_TIME, CLF_WIDTH, EPOCH_MILLIS, INTEGER, ISO_OFFSET, NUMBER, TEXT, Cast, Take
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Style, Tail, Variant
from kyumei.layouts.stamps import EPOCH, ISO, ZONED_COMMON
from kyumei.layouts.template import Templated, parse_log_format, parse_template
from kyumei.layouts.web_servers import web_server
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from kyumei.contracts import Layout

TABLE = Table(
    "nginx_access",
    "Requests that nginx answered.",
    (
        Column("time", Kind.TIME, "When the request was done.", origin="$time_local"),
        Column("client_ip", Kind.TEXT, "Who opened the connection: an address, seldom a host name.", Link.CLIENT, "$remote_addr"),
        Column("user", Kind.TEXT, "The name given for basic authentication, accepted or not.", Link.PRINCIPAL, "$remote_user"),
        Column("method", Kind.TEXT, "The method.", origin="$request"),
        Column("path", Kind.TEXT, "What was asked for, without the query string.", Link.PATH, "$request"),
        Column("query", Kind.TEXT, "The query string without its question mark; null if there is none.", origin="$request"),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2.0...", origin="$request"),
        Column("status", Kind.INTEGER, "The status answered.", Link.STATUS, "$status"),
        Column("sent_bytes", Kind.INTEGER, "Size of the response body.", origin="$body_bytes_sent"),
        Column("referrer", Kind.TEXT, "The Referer header.", origin="$http_referer"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="$http_user_agent"),
        Column("forwarded_for", Kind.TEXT, "The X-Forwarded-For header: the client first, then proxies.", origin="$http_x_forwarded_for"),
        Column("host", Kind.TEXT, "The host asked for, or the name of the server that answered.", Link.HOST, "$host"),
        Column("request_length", Kind.INTEGER, "Size of the request in bytes, headers included.", origin="$request_length"),
        Column("request_seconds", Kind.FLOAT, "From the first byte read to the last byte sent.", origin="$request_time"),
        Column(
            "upstream_name",
            Kind.TEXT,
            "The ingress controller's name of the upstream: namespace-service-port.",
            origin="$proxy_upstream_name",
        ),
        Column("upstream_addr", Kind.TEXT, "The server asked; several, with commas, when it was retried.", Link.TARGET, "$upstream_addr"),
        Column(
            "upstream_status",
            Kind.TEXT,
            "Its status, one for each try; `-` when nginx asked no upstream and answered itself; null when the log does not say.",
            origin="$upstream_status",
        ),
        Column("upstream_times", Kind.TEXT, "Seconds until its answer was complete, one for each try.", origin="$upstream_response_time"),
        Column("upstream_length", Kind.TEXT, "Bytes of its answer, one for each try.", origin="$upstream_response_length"),
        Column("request_id", Kind.TEXT, "An id made by nginx for the request.", Link.REQUEST, "$request_id"),
        Column("trace_id", Kind.TEXT, "The root id of the X-Amzn-Trace-Id header.", Link.TRACE, "$http_x_amzn_trace_id"),
        Column("request", Kind.TEXT, "The raw request line where it is not method, target and version.", origin="$request"),
    ),
)

_DASH_OR_EMPTY = ("-", "")
_FORWARDED = r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?|[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*|unknown)"


def _bare(name: str, shape: str = "") -> Field:
    return Field(name, shape=shape)


def _quoted(name: str, shape: str = "") -> Field:
    return Field(name, Style.QUOTED, shape, _DASH_OR_EMPTY)


_CLIENT = (_bare("remote_addr"), _bare("ident"), _bare("remote_user"))
_VHOST = (
    _bare("host", r"[A-Za-z0-9_.*-]*[A-Za-z_*][A-Za-z0-9_.*-]*(?::[0-9]{1,5})?"),
    _bare("remote_addr", r"[0-9A-Fa-f.:]+"),
    *_CLIENT[1:],
)
_COMMON = (
    Field("time_local", Style.BRACKETED, CLF_TIME.shape, (), spaces=1, width=CLF_WIDTH),
    Field("request", Style.QUOTED),
    _bare("status", "[0-9]{3}"),
    _bare("body_bytes_sent", "[0-9]{1,18}"),
)
_COMBINED = (*_COMMON, _quoted("http_referer"), _quoted("http_user_agent"))
_MAIN = (*_COMBINED, _quoted("http_x_forwarded_for", f"{_FORWARDED}(?:, ?{_FORWARDED})*"))
_INGRESS = (
    *_COMBINED,
    Field("request_length", shape="[0-9]{1,18}", missing=()),
    _bare("request_time", r"[0-9]{1,9}\.[0-9]{3}"),
    Field("proxy_upstream_name", Style.BRACKETED, missing=_DASH_OR_EMPTY),
    Field("proxy_alternative_upstream_name", Style.BRACKETED, missing=_DASH_OR_EMPTY),
    *(_bare(name) for name in ("upstream_addr", "upstream_response_length", "upstream_response_time")),
    Field("upstream_status", missing=()),
    _bare("request_id"),
)
_OLD_INGRESS = tuple(known for known in _INGRESS if known.name != "proxy_alternative_upstream_name")
_REAL = (*_CLIENT[:2], Field("proxy_protocol_addr", Style.BRACKETED, missing=_DASH_OR_EMPTY), _bare("ident"), _CLIENT[2])
"""How controllers before 0.26 began a line: with the address a second time, in brackets."""
_VARIANTS = (
    Variant((*_CLIENT, *_MAIN)),
    Variant((*_CLIENT, *_INGRESS), bulk_tail=False),
    Variant((*_CLIENT, *_OLD_INGRESS), bulk_tail=False),
    Variant((*_CLIENT, *_COMBINED)),
    Variant((*_CLIENT, *_COMMON)),
    Variant((*_VHOST, *_MAIN)),
    Variant((*_VHOST, *_COMBINED)),
    Variant((*_VHOST, *_INGRESS), bulk=False),
    Variant((*_VHOST, *_COMMON), bulk=False),
    Variant((*_REAL, *_INGRESS), bulk=False),
    Variant((*_REAL, *_OLD_INGRESS), needed=len(_REAL) + len(_OLD_INGRESS) - 1, bulk=False),
    Variant((*_REAL, *_COMBINED), bulk=False),
    Variant((_CLIENT[0], *_COMBINED), bulk=False),
    Variant((*_CLIENT, *_INGRESS), spread="remote_user", bulk=False),
    Variant((*_CLIENT, *_MAIN), spread="remote_user", bulk=False),
    Variant((*_CLIENT, *_COMBINED), spread="remote_user", bulk=False),
    Variant((*_CLIENT, *_COMMON), spread="remote_user", bulk=False),
)
_KEYS = {
    "request_time": ("rt", "request_time", "req_time", "duration"),
    "upstream_response_time": ("urt", "upstream_response_time", "upstream_time"),
    "upstream_status": ("us", "upstream_status"),
    "upstream_addr": ("ua", "upstream", "upstream_addr"),
    "upstream_response_length": ("upstream_response_length",),
    "host": ("host", "vhost", "http_host", "server_name"),
    "request_id": ("request_id", "req_id", "rid"),
    "request_length": ("request_length", "rl"),
    "http_x_forwarded_for": ("xff", "x_forwarded_for", "forwarded_for"),
    "http_x_amzn_trace_id": ("trace_id", "trace", "x_amzn_trace_id", "amzn_trace_id"),
}
"""Keys by which fields at the end of a line name themselves, as people write them in their ``log_format``."""


def _trace(raw: str) -> str | None:
    return line.TRACE_ID.python(raw) or raw


_TRACE = Cast("trace id, with or without its header's words", _trace, f"coalesce({line.TRACE_ID.sql}, {{x}})", verbatim=True)
_CASTS: dict[str, tuple[Cast, bool]] = {
    "time": (CLF_TIME, False),
    "method": (line.METHOD, True),
    "path": (line.PATH, True),
    "query": (line.QUERY, True),
    "http_version": (line.VERSION, True),
    "request_seconds": (NUMBER, False),
    "trace_id": (_TRACE, False),
    "request": (line.ODD_LINE, True),
}
"""Columns that are no plain text or integer, and whether a value that does not fit is no fault (another column has it)."""


_KEPT = frozenset({"upstream_status"})
"""A dash there says that nginx asked no upstream: it answered itself."""

_TAKES = tuple(
    Take(column.name, column.origin.removeprefix("$"), *_CASTS.get(column.name, (INTEGER if column.kind is Kind.INTEGER else TEXT, False)))
    for column in TABLE.columns
)

LAYOUT = Delimited(
    columns=TABLE.columns,
    variants=_VARIANTS,
    takes=_TAKES,
    written=(ZONED_COMMON,),
    brackets=True,
    lists=True,
    tail=Tail(
        {key: name for name, keys in _KEYS.items() for key in keys},
        {"Root=1-": "http_x_amzn_trace_id", "Self=1-": "http_x_amzn_trace_id"},
        _KEPT,
    ),
)

# A line of an export, a tail or a container runtime begins with its own time; the access line stands behind it.
_BEGINS = re.compile(
    r"(?![0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:)[^ \t\"\[]{1,255}(?: -? ?\[[0-9A-Fa-f.:, -]{0,200}\] -)?(?: [^ \"\[]{1,255}){0,5}"
    r" \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\] \"",
    re.ASCII,
)


def sniff(text: str, name: str) -> bool:
    """Whether the record begins as access logs do, client, user, time in brackets, a quote; and nothing tells of another server.

    Apache writes the same common and combined lines. Where neither the name of the file nor the line tells, they are taken for nginx's;
    see ``layouts.web_servers``.
    """
    return _BEGINS.match(text) is not None and web_server(text, name) == "nginx"


_OTHER_SOURCES: tuple[tuple[str, str, Cast], ...] = (
    ("time", "msec", EPOCH_MILLIS),
    ("time", "time_iso8601", ISO_OFFSET),
    ("client_ip", "realip_remote_addr", TEXT),
    ("method", "request_method", TEXT),
    ("path", "request_uri", line.TARGET_PATH),
    ("path", "uri", TEXT),
    ("path", "document_uri", TEXT),
    ("query", "request_uri", line.TARGET_QUERY),
    ("query", "args", TEXT),
    ("query", "query_string", TEXT),
    ("http_version", "server_protocol", TEXT),
    ("sent_bytes", "bytes_sent", INTEGER),
    ("host", "http_host", TEXT),
    ("host", "server_name", TEXT),
)
"""Variables that fill a column in a ``log_format`` of one's own where the usual one is not in it; the first that is there."""


def custom(log_format: str) -> Layout:
    """A layout for a ``log_format`` directive of nginx, or only its text with the variables."""
    text, escape = parse_log_format(log_format)
    template = parse_template(text)
    there = {variable for variable, _ in template.parts}
    found: list[Take] = []
    for usual in _TAKES:
        others = (
            Take(column, source, cast, optional=cast is line.TARGET_QUERY)
            for column, source, cast in _OTHER_SOURCES
            if column == usual.column
        )
        take = next((take for take in (usual, *others) if take.source in there), None)
        if take:
            found.append(take)
    if "time" not in {take.column for take in found}:
        message = f"the log_format has no time: {log_format[:80]!r}"
        raise ConfigError(message, "it needs $time_local, $time_iso8601 or $msec")
    written = {"time_local": ZONED_COMMON, "time_iso8601": ISO, "msec": EPOCH}
    return Templated(
        columns=TABLE.columns,
        template=template,
        takes=tuple(found),
        written=tuple(written[take.source] for take in found if take.column == "time"),
        kept=_KEPT,
        as_json=escape == "json" and text.lstrip().startswith("{"),
    )


FORMAT = Format(
    name="nginx_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="nginx: Module ngx_http_log_module",
    hop="nginx",
    complete=True,
    custom=custom,
)
