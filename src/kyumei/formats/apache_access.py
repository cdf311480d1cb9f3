r"""Access logs of Apache httpd: one line for each request, written when it was done, under the time at which it was *received*.

Each line tells its own shape: common or combined, with a virtual host (``vhost_combined``) or X-Forwarded-For in front. What is often put
behind is known by how it looks: a quoted list of addresses is X-Forwarded-For; a number alone of four digits or more is ``%D``,
microseconds; ``3/3012345`` is ``%T/%D``; two numbers of three digits or more are ``%I %O`` (``combinedio``); 24 or 27 characters are an
id of mod_unique_id or mod_log_forensic. A shorter number could be ``%T`` or ``%D``, so it stays in ``_extra``, as does all else that is not
known. Where a ``LogFormat`` writes milliseconds, or anything else of its own, it is read exactly when it is told, see ``custom``.

The line of a common or combined log is the same as nginx's. It is taken for Apache's where the name of the file or the line itself says so
(see ``layouts.web_servers``); a line that says nothing stays with ``nginx_access``, which has the same columns to join on.

The client is whoever opened the connection: behind a load balancer that is the balancer. 408 with a request of ``-`` is a connection on
which nothing was asked in time. Nothing tells whether Apache made an answer itself or passed on that of a server behind it.

Follows Apache's pages "Module mod_log_config" and "Log Files".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.layouts import request_line as line
from kyumei.layouts.apache_format import parse_format
from kyumei.layouts.casts import CLF_TIME, CLF_WIDTH, INTEGER, TEXT, Cast, Take, guarded
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Style, Tail, Variant
from kyumei.layouts.stamps import ZONED_COMMON
from kyumei.layouts.web_servers import web_server
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from kyumei.contracts import Layout

TABLE = Table(
    "apache_access",
    "Requests that Apache httpd answered.",
    (
        Column("time", Kind.TIME, "When the request was received.", origin="%t"),
        Column("client_ip", Kind.TEXT, "Who opened the connection: an address, seldom a host name.", Link.CLIENT, "%h"),
        Column("user", Kind.TEXT, "The name given for authentication; with status 401 it was not accepted.", Link.PRINCIPAL, "%u"),
        Column("method", Kind.TEXT, "The method.", origin="%r"),
        Column("path", Kind.TEXT, "What was asked for, without the query string.", Link.PATH, "%r"),
        Column("query", Kind.TEXT, "The query string without its question mark; null if there is none.", origin="%r"),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2.0...", origin="%r"),
        Column("status", Kind.INTEGER, "The status answered.", Link.STATUS, "%>s"),
        Column("sent_bytes", Kind.INTEGER, "Size of the response body; with its headers where the log is Debian's.", origin="%b"),
        Column("referrer", Kind.TEXT, "The Referer header.", origin="%{Referer}i"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="%{User-Agent}i"),
        Column("forwarded_for", Kind.TEXT, "The X-Forwarded-For header: the client first, then proxies.", origin="%{X-Forwarded-For}i"),
        Column("host", Kind.TEXT, "The name of the virtual host that answered, or the host asked for.", Link.HOST, "%v"),
        Column("port", Kind.INTEGER, "The port of the virtual host.", origin="%p"),
        Column("received_bytes", Kind.INTEGER, "Size of the request, headers included.", origin="%I"),
        Column("response_bytes", Kind.INTEGER, "Size of the response, headers included.", origin="%O"),
        Column("request_seconds", Kind.FLOAT, "From the request's arrival to the last byte sent.", origin="%D"),
        Column("upstream_addr", Kind.TEXT, "The balancer member asked, where the log names it.", Link.TARGET, "%{BALANCER_WORKER_NAME}e"),
        Column("request_id", Kind.TEXT, "An id that Apache or a proxy made for the request.", Link.REQUEST, "%{UNIQUE_ID}e"),
        Column("trace_id", Kind.TEXT, "The root id of the X-Amzn-Trace-Id header.", Link.TRACE, "%{X-Amzn-Trace-Id}i"),
        Column("request", Kind.TEXT, "The raw request line where it is not method, target and version.", origin="%r"),
    ),
)

_DASH_OR_EMPTY = ("-", "")
_ADDRESS = r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?|[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*|unknown)"
_LIST = f"{_ADDRESS}(?:, ?{_ADDRESS})*"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = f"[A-Za-z0-9@_-]{{24}}|[A-Za-z0-9@_-]{{27}}|{_UUID}|[0-9a-f]{{1,8}}:[0-9a-f]{{8,16}}:[0-9a-f]{{1,8}}"


def _micros(raw: str) -> float | None:
    return int(raw) / 1e6 if re.fullmatch("[0-9]{1,13}", raw) else None


def _taken(raw: str) -> float | None:
    """Seconds from ``12345``, ``3/3012345``, ``3012345/3``, ``**3/3012345**`` or with a unit."""
    if found := re.fullmatch(r"\*{0,2}([0-9]{1,13})/([0-9]{1,13})\*{0,2}", raw):
        one, other = int(found[1]), int(found[2])
        return other / 1e6 if other // 10**6 == one else one / 1e6 if one // 10**6 == other else None
    if found := re.fullmatch("([0-9]{1,13})(us|ms|s)", raw):
        return int(found[1]) / {"us": 1e6, "ms": 1e3, "s": 1.0}[found[2]]
    return _micros(raw)


_ONE, _OTHER = (f"TRY_CAST(string_split(trim({{x}}, '*'), '/')[{number}] AS BIGINT)" for number in (1, 2))
_PAIR = f"CASE WHEN {_OTHER} // 1000000 = {_ONE} THEN {_OTHER} / 1e6 WHEN {_ONE} // 1000000 = {_OTHER} THEN {_ONE} / 1e6 END"
_TAKEN = Cast(
    "time taken",
    _taken,
    "CASE WHEN regexp_full_match({x}, '[0-9]{1,13}') THEN TRY_CAST({x} AS BIGINT) / 1e6 "
    rf"WHEN regexp_full_match({{x}}, '\*{{0,2}}[0-9]{{1,13}}/[0-9]{{1,13}}\*{{0,2}}') THEN {_PAIR} END",
)
_MICROS = guarded("microseconds", _micros, "[0-9]{1,13}", "TRY_CAST({x} AS BIGINT) / 1e6")
_MILLIS = guarded(
    "milliseconds", lambda raw: int(raw) / 1e3 if re.fullmatch("[0-9]{1,13}", raw) else None, "[0-9]{1,13}", "TRY_CAST({x} AS BIGINT) / 1e3"
)
_SECONDS = guarded(
    "whole seconds", lambda raw: float(raw) if re.fullmatch("[0-9]{1,13}", raw) else None, "[0-9]{1,13}", "TRY_CAST({x} AS DOUBLE)"
)
_SIZE = guarded(
    "size, a dash for none",
    lambda raw: 0 if raw == "-" else INTEGER.python(raw),
    "-|[0-9]{1,18}",
    "CASE WHEN {x} = '-' THEN 0 ELSE TRY_CAST({x} AS BIGINT) END",
)
_NAME_PORT = "[A-Za-z0-9_.*-]+(?::[0-9]{1,5})?"
_HOST = guarded("host before a port", lambda raw: line.parse_end(raw)[0] or None, _NAME_PORT, "string_split({x}, ':')[1]")
_PORT = guarded("port behind a host", lambda raw: line.parse_end(raw)[1], _NAME_PORT, "TRY_CAST(string_split({x}, ':')[2] AS BIGINT)")
_QUERY = Cast("query behind a question mark", lambda raw: raw.removeprefix("?"), "regexp_replace({x}, '^\\?', '')")
_TRACEPARENT = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def _trace(raw: str) -> str | None:
    parent = _TRACEPARENT.fullmatch(raw)
    return parent[1] if parent else line.TRACE_ID.python(raw) or raw.partition(";")[0] or None


_TRACE = Cast(
    "trace id, with or without its header's words",
    _trace,
    f"CASE WHEN NOT regexp_full_match({{x}}, '[0-9a-f-]{{55}}') "
    f"THEN coalesce({line.TRACE_ID.sql}, NULLIF(string_split({{x}}, ';')[1], '')) END",
)
_LINE_TAKES = (
    Take("method", "request", line.METHOD, optional=True),
    Take("path", "request", line.PATH, optional=True),
    Take("query", "request", line.QUERY, optional=True),
    Take("http_version", "request", line.VERSION, optional=True),
)
_TAKES = (
    Take("time", "time", CLF_TIME),
    Take("client_ip", "remote_host", TEXT),
    Take("user", "remote_user", TEXT),
    *_LINE_TAKES,
    Take("status", "status", INTEGER),
    Take("sent_bytes", "size", _SIZE),
    Take("referrer", "http_referer", TEXT),
    Take("user_agent", "http_user_agent", TEXT),
    Take("forwarded_for", "http_x_forwarded_for", TEXT),
    Take("host", "vhost", _HOST),
    Take("port", "vhost", _PORT, optional=True),
    Take("received_bytes", "request_bytes", INTEGER),
    Take("response_bytes", "response_bytes", INTEGER),
    Take("request_seconds", "taken", _TAKEN),
    Take("upstream_addr", "env_balancer_worker_name", TEXT),
    Take("request_id", "unique_id", TEXT),
    Take("trace_id", "http_x_amzn_trace_id", _TRACE),
    Take("request", "request", line.ODD_LINE, optional=True),
)


def _there(name: str, shape: str) -> Field:
    """A bare field that is always there."""
    return Field(name, shape=shape, missing=())


# No list of addresses, which is an X-Forwarded-For put in the place of the client.
_CLIENT = (
    Field("remote_host", shape=r"[0-9A-Za-z_][^ ,\"]*|::[0-9A-Fa-f.:]+"),
    Field("ident"),
    Field("remote_user", missing=_DASH_OR_EMPTY),
)
_PEER = (_there("remote_host", "[0-9A-Fa-f.:]*[0-9A-Fa-f]"), *_CLIENT[1:])
_VHOST = (Field("vhost", shape=r"[A-Za-z0-9_.*-]+:[0-9]{1,5}|[A-Za-z0-9_.*-]*[A-Za-z_*][A-Za-z0-9_.*-]*"), *_PEER)
_FORWARDED = (Field("http_x_forwarded_for", shape=_LIST), *_PEER)
_QUOTED_FORWARDED = (Field("http_x_forwarded_for", Style.QUOTED, _LIST, _DASH_OR_EMPTY), *_PEER)
_LISTED = (Field("http_x_forwarded_for", shape=f"{_ADDRESS}(?:, ?{_ADDRESS})+"), *_CLIENT[1:])
_COMMON = (
    Field("time", Style.BRACKETED, CLF_TIME.shape, (), spaces=1, width=CLF_WIDTH),
    Field("request", Style.QUOTED),
    Field("status", shape="[0-9]{3}"),
    _there("size", "-|[0-9]{1,18}"),
)
_COMBINED = (
    *_COMMON,
    Field("http_referer", Style.QUOTED, "", _DASH_OR_EMPTY),
    Field("http_user_agent", Style.QUOTED, "", _DASH_OR_EMPTY),
)
_BEHIND = Field("http_x_forwarded_for", Style.QUOTED, _LIST, _DASH_OR_EMPTY)
_TIME_TAKEN = _there("taken", r"[0-9]{4,13}|\*{0,2}[0-9]{1,13}/[0-9]{1,13}\*{0,2}|[0-9]{1,13}(?:us|ms|s)")
_UNIQUE = Field("unique_id", shape=_ID)
_QUOTED_UNIQUE = Field("unique_id", Style.QUOTED, _ID)
_IN_OUT = (_there("request_bytes", "[1-9][0-9]{2,17}"), _there("response_bytes", "[1-9][0-9]{2,17}"))


def _pairs() -> tuple[tuple[Field, Field], ...]:
    """``%T %D`` as two fields, told by the digits that agree; the whole seconds say nothing more and are left out."""
    found = []
    for seconds, micros in ((range(1), "[0-9]{1,6}"), (range(1, 10), "[1-9][0-9]{6}"), (range(10, 100), "[1-9][0-9]{7}")):
        whole = tuple(str(second) for second in seconds)
        found.append((Field("time_s", shape="|".join(whole), missing=whole), _there("taken", micros)))
    return tuple(found)


def _row(*fields: Field, more: int = 0, bulk: bool = True, spread: str = "") -> Variant:
    """A variant; the last ``more`` fields need not be there."""
    return Variant(fields, len(fields) - more if more else 0, spread, bulk=bulk)


def _variants() -> tuple[Variant, ...]:
    """All that a line may be, the usual first; the rare ones, which only the exact reader knows, come last."""
    found = []
    for front in (_CLIENT, _VHOST, _FORWARDED):
        found += [
            _row(*front, *_COMBINED, _TIME_TAKEN, _UNIQUE, more=2),
            _row(*front, *_COMBINED, _BEHIND, _TIME_TAKEN, _UNIQUE, more=2),
            _row(*front, *_COMMON, _TIME_TAKEN, more=1),
            _row(*front, *_COMBINED, *_IN_OUT, _TIME_TAKEN, more=1),
        ]
    special = [(_BEHIND, _TIME_TAKEN), (_BEHIND,), (_TIME_TAKEN, _BEHIND), *_pairs(), *(pair[::-1] for pair in _pairs())]
    special += [(_UNIQUE, _TIME_TAKEN), (_UNIQUE,), (_QUOTED_UNIQUE,), (_TIME_TAKEN,), ()]
    found += [_row(*_CLIENT, *_COMBINED, *tail) for tail in special]
    found += [_row(*_VHOST, *_COMBINED, *tail) for tail in ((_BEHIND, _TIME_TAKEN), (_BEHIND,), (_TIME_TAKEN,), ())]
    found += [_row(*_FORWARDED, *_COMBINED, *tail) for tail in ((_TIME_TAKEN,), ())]
    found += [_row(*front, *_COMMON) for front in (_CLIENT, _VHOST, _FORWARDED)]
    for front in (_LISTED, _QUOTED_FORWARDED):
        found += [_row(*front, *rest, _TIME_TAKEN, more=1, bulk=False) for rest in (_COMBINED, _COMMON)]
        found += [_row(*front, *rest, bulk=False) for rest in (_COMBINED, _COMMON)]
    found += [_row(_CLIENT[0], *_COMBINED, bulk=False)]
    found += [_row(*front, *rest, bulk=False, spread="remote_user") for front in (_VHOST, _CLIENT) for rest in _SPREAD]
    return tuple(found)


_SPREAD = ((*_COMBINED, _BEHIND), (*_COMBINED, _TIME_TAKEN), _COMBINED, _COMMON)
_KEYS = {
    "taken": ("D", "us", "time_us", "duration_us", "request_time_us", "response_time_us"),
    "http_x_forwarded_for": ("xff", "x_forwarded_for", "forwarded_for", "X-Forwarded-For"),
    "http_x_amzn_trace_id": ("Root", "Self", "trace", "trace_id", "x_amzn_trace_id", "X-Amzn-Trace-Id", "traceparent"),
    "unique_id": ("unique_id", "UNIQUE_ID", "request_id", "req_id", "rid", "forensic_id", "X-Request-Id"),
    "vhost": ("host", "vhost", "Host", "server_name"),
    "env_balancer_worker_name": ("worker", "balancer_worker", "BALANCER_WORKER_NAME"),
}
"""Keys by which fields at the end of a line name themselves."""

LAYOUT = Delimited(
    columns=TABLE.columns,
    variants=_variants(),
    takes=_TAKES,
    written=(ZONED_COMMON,),
    brackets=True,
    lists=True,
    tail=Tail(
        {key: name for name, keys in _KEYS.items() for key in keys},
        {"Root=1-": "http_x_amzn_trace_id", "Self=1-": "http_x_amzn_trace_id"},
    ),
)

# A line of an export, a tail or a container runtime begins with its own time; the access line stands behind it.
_BEGINS = re.compile(
    r"(?![0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:)(?:\"[^\"\[]{0,500}\" )?[^ \t\"\[]{1,255}(?: (?:\"\"|[^ \"\[]{1,255})){0,9} "
    r"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}\] \"",
    re.ASCII,
)


def sniff(text: str, name: str) -> bool:
    """Whether the record begins as access logs do, and the name of the file or the line itself tells of Apache."""
    return _BEGINS.match(text) is not None and web_server(text, name) == "apache"


_SOURCES: tuple[tuple[str, str, Cast], ...] = (
    ("client_ip", "client_addr", TEXT),
    ("client_ip", "remote_host", TEXT),
    ("client_ip", "peer_addr", TEXT),
    ("user", "remote_user", TEXT),
    *((take.column, take.source, take.cast) for take in _LINE_TAKES),
    ("method", "method", TEXT),
    ("path", "uri", line.TARGET_PATH),
    ("query", "query_string", _QUERY),
    ("http_version", "protocol", TEXT),
    ("status", "status", INTEGER),
    ("status", "original_status", INTEGER),
    ("sent_bytes", "size", _SIZE),
    ("sent_bytes", "body_bytes", INTEGER),
    ("referrer", "http_referer", TEXT),
    ("user_agent", "http_user_agent", TEXT),
    ("forwarded_for", "http_x_forwarded_for", TEXT),
    ("host", "http_host", _HOST),
    ("host", "host_name", TEXT),
    ("host", "server_name", TEXT),
    ("port", "port", INTEGER),
    ("received_bytes", "request_bytes", INTEGER),
    ("response_bytes", "response_bytes", INTEGER),
    ("request_seconds", "time_us", _MICROS),
    ("request_seconds", "time_ms", _MILLIS),
    ("request_seconds", "time_s", _SECONDS),
    ("upstream_addr", "env_balancer_worker_name", TEXT),
    ("request_id", "env_unique_id", TEXT),
    ("request_id", "note_forensic_id", TEXT),
    ("request_id", "http_x_request_id", TEXT),
    ("request_id", "log_id", TEXT),
    ("trace_id", "http_x_amzn_trace_id", _TRACE),
    ("trace_id", "http_traceparent", _TRACE),
    ("request", "request", line.ODD_LINE),
)
"""Directives that fill a column, under the names that ``layouts.apache_format`` gives them; the first that the format has."""
_OPTIONAL = frozenset({*(take.column for take in _LINE_TAKES), "request"})


def custom(log_format: str) -> Layout:
    """A layout for a ``LogFormat`` or ``CustomLog`` directive of Apache, or only its string with the directives."""
    told = parse_format(log_format)
    takes = [Take("time", "time", told.time)]
    for column, source, cast in _SOURCES:
        if source in told.names and all(take.column != column for take in takes):
            takes.append(Take(column, source, cast, optional=column in _OPTIONAL))
    return told.layout(TABLE.columns, tuple(takes))


FORMAT = Format(
    name="apache_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://httpd.apache.org/docs/2.4/mod/mod_log_config.html",
    hop="apache",
    custom=custom,
)
