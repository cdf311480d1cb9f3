"""ALB connection logs: one line for each connection that a client made, or failed to make, to an Application Load Balancer.

A connection that failed in its TLS handshake has no line in the access log; here ``verify_status`` says why it failed. One connection may
carry many requests, whose access lines have the same ``conn_trace_id``. Fields of TLS are null for plain HTTP, those of the client's
certificate also where the listener asks for none (no mutual TLS) or it could not be read. The subject is the client's text. Lines are
delivered up to an hour late, on a best-effort basis. Fields were appended: 12 at first, then the key exchange, then the balancer and its
node, which before stand only in the file's name.

Follows "Connection logs for your Application Load Balancer" in the Elastic Load Balancing user guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.layouts.casts import ISO_UTC, NUMBER, Cast, guarded, takes_by_origin
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Style, Variant
from kyumei.layouts.stamps import ISO, in_utc
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

TABLE = Table(
    "alb_connection",
    "Connections that clients made, or failed to make, to an Application Load Balancer.",
    (
        Column("time", Kind.TIME, "When the connection was established, or failed.", origin="timestamp"),
        Column("client_ip", Kind.TEXT, "The address that connected to the balancer.", Link.CLIENT, "client_ip"),
        Column("client_port", Kind.INTEGER, "The port it connected from.", origin="client_port"),
        Column("port", Kind.INTEGER, "The listener's port.", origin="listener_port"),
        Column("ssl_protocol", Kind.TEXT, "The TLS version of an HTTPS listener.", origin="tls_protocol"),
        Column("ssl_cipher", Kind.TEXT, "The cipher of an HTTPS listener.", origin="tls_cipher"),
        Column(
            "handshake_seconds",
            Kind.FLOAT,
            "How long the TLS handshake took; null when there was none or it failed.",
            origin="tls_handshake_latency",
        ),
        Column("client_cert_subject", Kind.TEXT, "The subject of the client's certificate.", origin="leaf_client_cert_subject"),
        Column("client_cert_not_before", Kind.TIME, "From when the client's certificate is valid.", origin="leaf_client_cert_validity"),
        Column("client_cert_not_after", Kind.TIME, "Until when the client's certificate is valid.", origin="leaf_client_cert_validity"),
        Column(
            "client_cert_serial",
            Kind.TEXT,
            "The serial number of the client's certificate, in hexadecimal.",
            origin="leaf_client_cert_serial_number",
        ),
        Column("verify_status", Kind.TEXT, "Success, or Failed: and why; null for plain HTTP.", origin="tls_verify_status"),
        Column("error_reason", Kind.TEXT, "Why the connection failed: ClientCertExpired...", origin="tls_verify_status"),
        Column("conn_trace_id", Kind.TEXT, "TID_...: joins the access log.", origin="conn_trace_id"),
        Column("key_exchange", Kind.TEXT, "The group or method by which keys were exchanged.", origin="tls_keyexchange"),
        Column("elb", Kind.TEXT, "The balancer: app/name/id, the end of its ARN.", Link.RESOURCE, "elb"),
        Column("node_ip", Kind.TEXT, "The balancer's own address that handled the connection.", origin="ip_address"),
    ),
)

_VALIDITY = r"NotBefore=[^ \";]*;NotAfter=[^ \";]*"
_FIELDS = (
    *(Field(name) for name in ("timestamp", "client_ip", "client_port", "listener_port")),
    *(Field(name) for name in ("tls_protocol", "tls_cipher", "tls_handshake_latency")),
    Field("leaf_client_cert_subject", Style.QUOTED),
    # The shape refuses a line in which a quote of the client's ended the subject too early: better unread than read askew.
    Field("leaf_client_cert_validity", shape=_VALIDITY),
    *(Field(name) for name in ("leaf_client_cert_serial_number", "tls_verify_status", "conn_trace_id")),
    *(Field(name) for name in ("tls_keyexchange", "elb", "ip_address")),
)
_NO_SUBJECT = tuple(known._replace(style=Style.BARE, shape="-") if known.style is Style.QUOTED else known for known in _FIELDS)
"""Lines whose missing subject is a dash without quotes."""
_FEWEST = 12
_FAILED = "Failed:"


def _end_of(part: int) -> Callable[[str], datetime | None]:
    def cast(raw: str) -> datetime | None:
        parts = raw.split(";")
        moment: datetime | None = ISO_UTC.python(parts[part].partition("=")[2]) if part < len(parts) else None
        return moment

    return cast


def _validity(name: str, part: int) -> Cast:
    moment = ISO_UTC.shape
    plain = ISO_UTC.plain.replace("{x}", f"string_split(string_split({{x}}, ';')[{part + 1}], '=')[2]")
    # Without a shape of its own, for the field's is wider: years that only Python reads (9999) are no reason to refuse the line.
    return Cast(name, _end_of(part), guarded(name, _end_of(part), f"NotBefore={moment};NotAfter={moment}", plain).sql)


_ERROR = Cast(
    "why it failed",
    lambda raw: (raw.removeprefix(_FAILED) or None) if raw.startswith(_FAILED) else None,
    f"CASE WHEN starts_with({{x}}, '{_FAILED}') THEN NULLIF(substr({{x}}, {len(_FAILED) + 1}), '') END",
)
_CASTS: dict[str, tuple[Cast, bool]] = {
    "time": (ISO_UTC, False),
    "handshake_seconds": (NUMBER, False),
    "client_cert_not_before": (_validity("start of a certificate", 0), False),
    "client_cert_not_after": (_validity("end of a certificate", 1), False),
    "error_reason": (_ERROR, True),
}
"""Columns that are no plain text or integer, and whether a value that does not fit is no fault (another column has it)."""


LAYOUT = Delimited(
    columns=TABLE.columns,
    variants=(Variant(_FIELDS, needed=_FEWEST), Variant(_NO_SUBJECT, needed=_FEWEST, bulk=False)),
    takes=takes_by_origin(TABLE.columns, _CASTS),
    written=(in_utc(ISO),),
    required=("time", "client_ip"),
)

_BEGINS = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z [0-9A-Fa-f.:]+ [0-9]{1,5} [0-9]{1,5} [^ \"]+ [^ \"]+ "
    r"(?:-|[0-9.]+) (?:\"|- )",
    re.ASCII,
)


def sniff(text: str, _name: str) -> bool:
    """Whether the record begins as connection logs do: time, address, two ports, TLS version, cipher, handshake, a quote or a dash."""
    return _BEGINS.match(text) is not None


FORMAT = Format(
    name="alb_connection",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Elastic Load Balancing user guide: Connection logs for your Application Load Balancer",
    hop="alb",
    delay_seconds=3600,
    complete=False,
)
