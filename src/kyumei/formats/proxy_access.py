"""Access logs of the proxies in front of containers: Envoy (alone or as Istio, Envoy Gateway, Contour, App Mesh), Traefik and Caddy.

Read are Envoy's default line, Istio's longer one, and the JSON of all three with its usual names, as they are or as a container runtime
or a collector passes them on. Envoy's and Traefik's time is when the request came, Caddy's when it was done. ``flags`` are Envoy's own
word on the answer: UH no healthy host, UF no connection, UO too many requests at a time, NR no route, UC the connection ended, UT no
answer in time, URX too many tries, UAEX refused by an authorisation service, RL too many requests in a time, DC the client left. A dash
says that there is none. ``status_details`` say it once more: ``via_upstream`` where what is behind it answered. A sidecar in front of an
application writes the same lines as a gateway: one request may have several records.

Follows "Access logging" of Envoy, "Envoy Access Logs" of Istio, "Access Logs" of Traefik and "How Logging Works" of Caddy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format, Refused
from kyumei.layouts.casts import INTEGER, TEXT, Cast, Take
from kyumei.layouts.clocks import ISO_TIME
from kyumei.layouts.forms import Form, Forms
from kyumei.layouts.json_inner import LISTED, NESTED
from kyumei.layouts.json_names import ADDRESS, STAMPS, STATUS, seconds
from kyumei.layouts.json_record import JsonRecord, parse_object
from kyumei.layouts.proxy_fields import BESIDE, CADDY, FIELDS, FLAGS, OF_CADDY, TRAEFIK, UPSTREAM, prepared, proxy_of
from kyumei.layouts.request_line import HOST
from kyumei.layouts.stamps import ISO
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Shape, compiled
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "proxy_access",
    "Requests that Envoy, Traefik or Caddy answered or handed on.",
    (
        Column("time", Kind.TIME, "When the request came; of Caddy when it was done.", origin="%START_TIME%"),
        Column("program", Kind.TEXT, "envoy, traefik or caddy."),
        Column("client_ip", Kind.TEXT, "The client as the proxy knows it; null where the log does not say.", Link.CLIENT),
        Column("forwarded_for", Kind.TEXT, "The X-Forwarded-For header: the client first, then proxies.", origin="%REQ(X-FORWARDED-FOR)%"),
        Column("user", Kind.TEXT, "Who asked, by basic authentication.", Link.PRINCIPAL),
        Column("method", Kind.TEXT, "The method; null for a connection without HTTP.", origin="%REQ(:METHOD)%"),
        Column("path", Kind.TEXT, "The path of the URL, without the query string.", Link.PATH, "%REQ(:PATH)%"),
        Column("query", Kind.TEXT, "The query string without its question mark; null if there is none."),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2 and so on.", origin="%PROTOCOL%"),
        Column("host", Kind.TEXT, "The host that was asked for, without its port.", Link.HOST, "%REQ(:AUTHORITY)%"),
        Column("status", Kind.INTEGER, "The status answered; null where the client left before.", Link.STATUS, "%RESPONSE_CODE%"),
        Column("sent_bytes", Kind.INTEGER, "Size of the answer's body.", origin="%BYTES_SENT%"),
        Column("request_seconds", Kind.FLOAT, "From the request to the last byte of the answer.", origin="%DURATION%"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="%REQ(USER-AGENT)%"),
        Column("upstream_name", Kind.TEXT, "The cluster or service that the request was meant for.", origin="%UPSTREAM_CLUSTER%"),
        Column(
            "upstream_addr",
            Kind.TEXT,
            "The host asked; `-` when none was, null when the log does not say.",
            Link.TARGET,
            "%UPSTREAM_HOST%",
        ),
        Column("target_status", Kind.INTEGER, "The status that what is behind it gave, where that is written apart (Traefik)."),
        Column("flags", Kind.TEXT, "Envoy's word on the answer, with commas where it has several.", origin="%RESPONSE_FLAGS%"),
        Column("status_details", Kind.TEXT, "Who set the status and why; via_upstream: a relay.", origin="%RESPONSE_CODE_DETAILS%"),
        Column("message", Kind.TEXT, "Why a connection failed; Caddy's own words.", origin="%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
        Column("route", Kind.TEXT, "The route or router that took it.", origin="%ROUTE_NAME%"),
        Column("logger", Kind.TEXT, "Caddy's logger: http.log.error where it failed by itself."),
        Column("request_id", Kind.TEXT, "The X-Request-Id header.", Link.REQUEST, "%REQ(X-REQUEST-ID)%"),
        Column("trace_id", Kind.TEXT, "The id of the trace; of an X-Amzn-Trace-Id header its root.", Link.TRACE),
    ),
)


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Which proxy it is, the parts of the target, the unit of a duration, and dashes for what is there and empty."""
    target = (values["_target"] or "").partition("#")[0]
    path, _, query = target.partition("?")
    spent = values["_spent"]
    is_envoy = any(key in document for key in FLAGS)
    return {
        "program": proxy_of(document) or None,
        "path": path or None,
        "query": query or None,
        "host": HOST.python(values["_host"]) if values["_host"] else None,
        "request_seconds": spent / 1000 if is_envoy and spent is not None else values["_nanos"] if spent is None else spent,
        "upstream_addr": values["_upstream"] or ("-" if any(key in document for key in UPSTREAM) else None),
        "flags": values["_flags"] or ("-" if is_envoy else None),
    }, set()


_HAS_FLAGS = f"{{has {' '.join(FLAGS)}}}"
_IS_TRAEFIK = " AND ".join(f"{{has {key}}}" for key in TRAEFIK)
_IS_CADDY = " AND ".join((f"starts_with(\"raw logger\", '{CADDY}')", *(f'"raw {path}" IS NOT NULL' for path in OF_CADDY)))
_STEPS = {
    "program": f"CASE WHEN {_HAS_FLAGS} THEN CASE WHEN {{has {' '.join(BESIDE)}}} THEN 'envoy' END "
    f"WHEN {_IS_TRAEFIK} THEN 'traefik' WHEN {_IS_CADDY} THEN 'caddy' END",
    "path": "nullif(split_part(_target, '?', 1), '')",
    "query": "nullif(split_part(_target, '?', 2), '')",
    "host": HOST.sql.replace("{x}", "_host"),
    "request_seconds": f"coalesce(CASE WHEN {_HAS_FLAGS} THEN _spent::DOUBLE / 1000 ELSE _spent::DOUBLE END, _nanos::DOUBLE)",
    "upstream_addr": f"coalesce(_upstream, CASE WHEN {{has {' '.join(UPSTREAM)}}} THEN '-' END)",
    "flags": f"coalesce(_flags, CASE WHEN {_HAS_FLAGS} THEN '-' END)",
}
_ODD_KEYS = ("resourceLogs", "instant", *LISTED, *(key for key in NESTED if key != "msg"))
"""Keys that may wrap a record: those are for the exact reader."""
_JSON = JsonRecord(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=STAMPS,
    prepare=prepared,
    derive=_derive,
    steps=(_STEPS,),
    plain=(
        f"NOT {{has {' '.join(_ODD_KEYS)}}}",
        "NOT coalesce(regexp_matches(\"raw msg\", '^[ \\t\\r\\n]*\\{'), false)",
        "coalesce(starts_with(_target, '/'), true)",
        "coalesce(len(string_split(_target, '?')) <= 2 AND NOT contains(_target, '#'), true)",
    ),
    is_open=True,
)

_REQUEST = (
    r'"(?:-|(?P<method>[A-Z]+)) (?:-|(?P<path>[^ ?"]+)(?:\?(?P<query>[^ "]*))?) (?:-|(?P<http_version>[A-Za-z0-9/.]+))" '
    r"(?P<status>[0-9]{1,3}) (?P<flags>-|[A-Z][A-Za-z,]*)"
)
_SIZES = r" [0-9]+ (?P<sent_bytes>[0-9]+) (?P<took>[0-9]+) (?:-|(?P<waited>[0-9]+))"


def _quoted(name: str) -> str:
    return f' "(?:-|(?P<{name}>[^"]*))"'


_ENDS = _SIZES + "".join(_quoted(name) for name in ("forwarded_for", "user_agent", "request_id", "authority"))
_BEGINS = r"^\[(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z)\] "
_ISTIO = (
    r' (?:-|(?P<upstream_name>[^ "]+)) [^ "]+ [^ "]+ (?:-|(?P<client_ip>[^ "]+))'
    r' (?:-|(?P<server_name>[^ "]+)) (?:-|(?P<route>[^ "]+))'
)
_HOST = r' "(?P<upstream_addr>[^"]+)"'
_NO_ZERO = Cast("status, none where it is 0", STATUS.python, STATUS.sql)
_TAKES = (
    Take("time", "time", ISO_TIME),
    *(Take(name, name, TEXT) for name in ("method", "path", "query", "http_version", "flags", "forwarded_for", "user_agent")),
    *(Take(name, name, TEXT) for name in ("request_id", "upstream_addr")),
    Take("status", "status", _NO_ZERO, optional=True),
    Take("sent_bytes", "sent_bytes", INTEGER),
    Take("request_seconds", "took", seconds(1e3)),
    Take("host", "authority", HOST, optional=True),
)
_BEHIND = (
    *(Take(name, name, TEXT) for name in ("upstream_name", "route")),
    Take("client_ip", "client_ip", ADDRESS, optional=True),
)
_WHY = (Take("message", "message", TEXT),)
_ENVOY: dict[str, str | int] = {"program": "envoy", "_naive": 0}
_SHAPES = (
    Shape(
        "istio",
        f'{_BEGINS}{_REQUEST} (?:-|(?P<status_details>[^ "]+)) [^ "]+{_quoted("message")}{_ENDS}{_HOST}{_ISTIO}',
        (*_TAKES, *_BEHIND, *_WHY, Take("status_details", "status_details", TEXT)),
        _ENVOY,
    ),
    Shape("istio before 1.9", f'{_BEGINS}{_REQUEST} "[^"]*"{_quoted("message")}{_ENDS}{_HOST}{_ISTIO}', (*_TAKES, *_BEHIND, *_WHY), _ENVOY),
    Shape("default", f"{_BEGINS}{_REQUEST}{_ENDS}{_HOST}", _TAKES, _ENVOY),
)
_LINE = rf"{_BEGINS}{_REQUEST} "


def _finish(row: dict[str, Any]) -> dict[str, Any] | Refused:
    """The row, if it is of one of the proxies: in a file of many containers there are other records."""
    return row if row["program"] else Refused("no record of Envoy, Traefik or Caddy")


LAYOUT = Forms(
    TABLE.columns,
    (Form(r"[ \t]*\{", _JSON), Form("", Text(columns=TABLE.columns, shapes=_SHAPES, written=(ISO,)))),
    _finish,
    {},
    "program IS NOT NULL",
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """A line with a time in brackets, a request, a status and Envoy's flags; JSON with the names of one of the proxies."""
    if text.startswith("["):
        return compiled(_LINE).match(text) is not None and any(compiled(shape.pattern).match(text) for shape in _SHAPES)
    if not _may_be(text):
        return False
    found = parse_object(text)
    return isinstance(found, dict) and proxy_of(prepared(found)) != ""


def _may_be(text: str) -> bool:
    """Whether the text holds a key of one of the proxies; most objects do not, and are parsed by others."""
    return "{" in text[:20] and any(key in text for key in (*FLAGS, TRAEFIK[0], CADDY))


FORMAT = Format(
    name="proxy_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Envoy documentation, Access logging",
    hop="ingress",
    complete=True,
)
