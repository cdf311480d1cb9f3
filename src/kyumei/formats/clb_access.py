r"""Access logs of Classic Load Balancers: one line for each request, or for each connection of a TCP or SSL listener.

``time`` is when the request *came*, unlike that of an ALB, which is when the response was sent; the response was sent after the three
phases together. Phases are in seconds to the microsecond, and null where they were not reached. A status without a target status, for
which the balancer writes ``-`` or 0, was made by the balancer itself (503: no healthy instance; 504: idle time-out; 408: the client did
not finish). Lines of TCP and SSL listeners have no request (``"- - - "``) and no statuses. Sizes are of bodies alone for HTTP, of all
that was sent for TCP.

The oldest lines stop behind the request; in 2015 user agent, cipher and protocol were added. The client's text stands in quotes as it came:
quotes in it need not be escaped, so a request ends where its version does, and a user agent at the last quote. Files come every 5 or 60
minutes, not compressed, on a best-effort basis: a missing line proves nothing.

Follows "Access logs for your Classic Load Balancer" in the Elastic Load Balancing user guide.
"""

from __future__ import annotations

import re

from kyumei.contracts import Format
from kyumei.layouts import request_line as line
from kyumei.layouts.casts import DISPATCHED, ISO_UTC, PHASE, Cast, takes_by_origin
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Style, Variant
from kyumei.layouts.mended import Mended
from kyumei.layouts.stamps import ISO, in_utc
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "clb_access",
    "Requests and connections that a Classic Load Balancer answered.",
    (
        Column("time", Kind.TIME, "When the balancer received the request, or accepted the connection.", origin="time"),
        Column("elb", Kind.TEXT, "The balancer's name.", Link.RESOURCE, "elb"),
        Column("client_ip", Kind.TEXT, "The address that connected to the balancer.", Link.CLIENT, "client:port"),
        Column("client_port", Kind.INTEGER, "The port it connected from.", origin="client:port"),
        Column(
            "target_ip",
            Kind.TEXT,
            "The instance that the request was sent to; null when it got to none, or when none answered in time.",
            Link.TARGET,
            "backend:port",
        ),
        Column("target_port", Kind.INTEGER, "The port of the instance.", origin="backend:port"),
        Column(
            "request_seconds",
            Kind.FLOAT,
            "From the request to the moment it was sent to an instance; TCP: until the first byte was sent to it.",
            origin="request_processing_time",
        ),
        Column(
            "target_seconds",
            Kind.FLOAT,
            "From then until the instance began to answer; TCP: how long connecting to it took.",
            origin="backend_processing_time",
        ),
        Column("response_seconds", Kind.FLOAT, "From then until the answer began to go to the client.", origin="response_processing_time"),
        Column(
            "dispatched",
            Kind.BOOLEAN,
            "Whether an instance was reached and answered: backend_processing_time is not -1.",
            origin="backend_processing_time",
        ),
        Column("status", Kind.INTEGER, "The status that the client got; null for TCP.", Link.STATUS, "elb_status_code"),
        Column(
            "target_status", Kind.INTEGER, "The status that the instance answered; null if it answered none.", origin="backend_status_code"
        ),
        Column("received_bytes", Kind.INTEGER, "Size of the request: its body, or for TCP all of it.", origin="received_bytes"),
        Column("sent_bytes", Kind.INTEGER, "Size of the response: its body, or for TCP all of it.", origin="sent_bytes"),
        Column("method", Kind.TEXT, "The method; null where the request was no HTTP.", origin="request"),
        Column("scheme", Kind.TEXT, "http or https.", origin="request"),
        Column("host", Kind.TEXT, "The host of the request's URL, without the port.", Link.HOST, "request"),
        Column("port", Kind.INTEGER, "The listener's port, from the request's URL.", origin="request"),
        Column("path", Kind.TEXT, "The path of the URL, without the query string.", Link.PATH, "request"),
        Column("query", Kind.TEXT, "The query string without its question mark; null if there is none.", origin="request"),
        Column("http_version", Kind.TEXT, "HTTP/1.0, HTTP/1.1...", origin="request"),
        Column("user_agent", Kind.TEXT, "The client's User-Agent header, cut at 8 KB; not in the oldest lines.", origin="user_agent"),
        Column("ssl_cipher", Kind.TEXT, "The cipher of an HTTPS or SSL listener.", origin="ssl_cipher"),
        Column("ssl_protocol", Kind.TEXT, "The TLS version of an HTTPS or SSL listener.", origin="ssl_protocol"),
    ),
)

_NO_REQUEST = ("-", "- - - ", "- - -")
_NO_STATUS = ("-", "0")
"""Balancers write 0, too, for an instance that answered nothing: ``504 0``."""
_NOT_COUNTED = ("-", "-1")
_NOT_REACHED = ("-", "-1")
_WORD = r"[A-Za-z0-9._-]+"
_FIELDS = (
    *(Field(name) for name in ("time", "elb", "client:port", "backend:port")),
    Field("request_processing_time", missing=_NOT_REACHED),
    Field("backend_processing_time"),
    Field("response_processing_time", missing=_NOT_REACHED),
    Field("elb_status_code"),
    Field("backend_status_code", missing=_NO_STATUS),
    *(Field(name, missing=_NOT_COUNTED) for name in ("received_bytes", "sent_bytes")),
    Field("request", Style.QUOTED, missing=_NO_REQUEST),
    Field("user_agent", Style.QUOTED),
    # The shapes refuse a line in which a quote of the client's ended the user agent too early: better unread than read askew.
    *(Field(name, shape=_WORD) for name in ("ssl_cipher", "ssl_protocol")),
)
_FEWEST = 12


_CASTS: dict[str, tuple[Cast, bool]] = {
    "time": (ISO_UTC, False),
    "client_ip": (line.END_HOST, False),
    "client_port": (line.END_PORT, True),
    "target_ip": (line.END_HOST, False),
    "target_port": (line.END_PORT, True),
    "request_seconds": (PHASE, False),
    "target_seconds": (PHASE, True),
    "response_seconds": (PHASE, False),
    "dispatched": (DISPATCHED, False),
    "method": (line.URL_METHOD, True),
    "scheme": (line.URL_SCHEME, False),
    "host": (line.URL_HOST, True),
    "port": (line.URL_PORT, True),
    "path": (line.URL_PATH, True),
    "query": (line.URL_QUERY, True),
    "http_version": (line.URL_VERSION, True),
}
"""Columns that are no plain text or integer, and whether a value that does not fit is no fault (another column has it, or says so)."""


_QUOTED = re.compile(r'((?:[^ "]++ ){11})"(.*)"(?: ([^ "]++) ([^ "]++))?', re.DOTALL)
_REQUEST_ENDS = re.compile(r'(?: HTTP/[0-9.]{1,9}| -|- - - )" "')
_ESCAPE = re.compile(r'\\["\\]|["\\]')


def _escaped(text: str) -> str:
    r"""The text with a backslash before each quote and backslash that has none: ``\"`` and ``\\`` may have been escaped by the balancer."""
    return _ESCAPE.sub(lambda found: found[0] if len(found[0]) > 1 else "\\" + found[0], text)


def _escape_quotes(text: str) -> str:
    """The line with the quotes inside its request and its user agent escaped; any other line as it is."""
    found = _QUOTED.fullmatch(text.rstrip(" "))
    if not found:
        return text
    before, inside, cipher, protocol = found.groups()
    if cipher is None:
        return text if '" "' in inside else f'{before}"{_escaped(inside)}"'
    ends = _REQUEST_ENDS.search(inside)
    at = ends.end() - len('" "') if ends else inside.find('" "')
    if at < 0:
        return text
    return f'{before}"{_escaped(inside[:at])}" "{_escaped(inside[at + 3 :])}" {cipher} {protocol}'


LAYOUT = Mended(
    Delimited(
        columns=TABLE.columns,
        # No fields were added since 2015. A longer line is one with a client's quotes in it, which only the exact reader tells.
        variants=(Variant(_FIELDS, needed=_FEWEST, bulk_tail=False),),
        takes=takes_by_origin(TABLE.columns, _CASTS),
        written=(in_utc(ISO),),
        required=("time", "elb"),
    ),
    _escape_quotes,
    keeps_values=True,
)

_BEGINS = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z [^ \"]+ [0-9A-Fa-f.:\[\]]+:[0-9]{1,5} (?:-|[^ \"]+:[0-9]{1,5})"
    r"(?: -?[0-9.]+){3}(?: (?:-|[0-9]{1,3})){2}(?: (?:-|-?[0-9]+)){2} \"",
    re.ASCII,
)


def sniff(text: str, _name: str) -> bool:
    """Whether the record begins as Classic access logs do: time, balancer, two ends, three phases, two statuses, two sizes, a quote."""
    return _BEGINS.match(text) is not None


FORMAT = Format(
    name="clb_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Elastic Load Balancing user guide: Access logs for your Classic Load Balancer",
    hop="clb",
    delay_seconds=4500,
    complete=False,
)
