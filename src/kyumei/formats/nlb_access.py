"""Access logs of Network Load Balancers: one line for each connection to a TLS listener; other listeners are not logged.

``time`` is when the connection ended, ``started`` when it began, which the oldest lines do not have; both are UTC, though the log writes no
zone. The destination is the listener that the client connected to (or the endpoint of a VPC endpoint service), not the target: no field
names that. Without a TLS handshake, or where it failed, ``handshake_seconds`` and the fields of the negotiation are null. TLS versions are
written ``tlsv12``, not ``TLSv1.2`` as an ALB does. Durations are in milliseconds in the log, in seconds here. Lines are delivered up
to an hour late, on a best-effort basis: a missing line proves nothing.

Follows "Access logs for your Network Load Balancer" in the Elastic Load Balancing user guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.layouts import request_line as line
from kyumei.layouts.casts import COMMA_LIST, ISO_UTC, Cast, guarded, parse_iso, takes_by_origin
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Variant
from kyumei.layouts.mended import Mended
from kyumei.layouts.stamps import ISO, in_utc
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from datetime import datetime

TABLE = Table(
    "nlb_access",
    "Connections to the TLS listeners of a Network Load Balancer.",
    (
        Column("time", Kind.TIME, "When the connection ended.", origin="time"),
        Column("started", Kind.TIME, "When the connection began; not in the oldest lines.", origin="tls_connection_creation_time"),
        Column("protocol_kind", Kind.TEXT, "tls.", origin="type"),
        Column("log_version", Kind.TEXT, "The version of the log's format: 2.0.", origin="version"),
        Column("elb", Kind.TEXT, "The balancer: net/name/id, the end of its ARN.", Link.RESOURCE, "elb"),
        Column("listener", Kind.TEXT, "The id of the listener, the end of its ARN.", origin="listener"),
        Column("client_ip", Kind.TEXT, "The address that connected to the balancer.", Link.CLIENT, "client:port"),
        Column("client_port", Kind.INTEGER, "The port it connected from.", origin="client:port"),
        Column(
            "destination_ip",
            Kind.TEXT,
            "The address that the client connected to: the listener's, or that of a VPC endpoint.",
            origin="destination:port",
        ),
        Column("destination_port", Kind.INTEGER, "The port that the client connected to.", origin="destination:port"),
        Column("connection_seconds", Kind.FLOAT, "How long the connection lasted, from start to end.", origin="connection_time"),
        Column(
            "handshake_seconds",
            Kind.FLOAT,
            "How long the TLS handshake took, the client's delays included; null when there was none or it failed.",
            origin="tls_handshake_time",
        ),
        Column("received_bytes", Kind.INTEGER, "What the client sent, after decryption.", origin="received_bytes"),
        Column("sent_bytes", Kind.INTEGER, "What was sent to the client, before encryption.", origin="sent_bytes"),
        Column(
            "tls_alert", Kind.INTEGER, "The TLS alert that the client sent, by number; null when it sent none.", origin="incoming_tls_alert"
        ),
        Column("cert_arn", Kind.TEXT, "The certificate presented; null without a valid client hello.", origin="chosen_cert_arn"),
        Column("cert_serial", Kind.TEXT, "Kept by AWS for later use; null so far.", origin="chosen_cert_serial"),
        Column("ssl_cipher", Kind.TEXT, "The cipher agreed on, in OpenSSL's spelling.", origin="tls_cipher"),
        Column("ssl_protocol", Kind.TEXT, "The TLS version agreed on: tlsv10 to tlsv13.", origin="tls_protocol_version"),
        Column("key_exchange", Kind.TEXT, "The group or method by which keys were exchanged.", origin="tls_named_group"),
        Column(
            "domain_name",
            Kind.TEXT,
            "The server name that the client asked for in the TLS handshake, percent-encoded.",
            origin="domain_name",
        ),
        Column("alpn_client", Kind.TEXT, "The protocol agreed on with the client: h2, http/1.1...", origin="alpn_fe_protocol"),
        Column("alpn_target", Kind.TEXT, "The protocol agreed on with the target.", origin="alpn_be_protocol"),
        Column(
            "alpn_offered",
            Kind.LIST,
            "The protocols that the client offered, in its order; the text is cut at 256 bytes.",
            origin="alpn_client_preference_list",
        ),
    ),
)

_NAMES = (
    *("type", "version", "time", "elb", "listener", "client:port", "destination:port", "connection_time", "tls_handshake_time"),
    *("received_bytes", "sent_bytes", "incoming_tls_alert", "chosen_cert_arn", "chosen_cert_serial"),
    *("tls_cipher", "tls_protocol_version", "tls_named_group", "domain_name"),
    *("alpn_fe_protocol", "alpn_be_protocol", "alpn_client_preference_list", "tls_connection_creation_time"),
)
_FEWEST = 18
"""Lines from before the negotiation of protocols (ALPN) was logged stop behind the server name."""


def _utc(raw: str) -> datetime | None:
    parsed = parse_iso(raw)
    return parsed[0] if parsed and (not parsed[1] or raw.endswith("Z")) else None


def _from_millis(raw: str) -> float | None:
    return int(raw) / 1000 if re.fullmatch("[0-9]{1,15}", raw) else None


_UTC = guarded("iso time in UTC, with or without a Z", _utc, ISO_UTC.shape.removesuffix("Z"), "TRY_CAST({x} AS TIMESTAMP)")
_SECONDS = guarded("milliseconds as seconds", _from_millis, "[0-9]{1,15}", "TRY_CAST({x} AS DOUBLE) / 1000")
_CASTS: dict[str, tuple[Cast, bool]] = {
    "time": (_UTC, False),
    "started": (_UTC, False),
    "client_ip": (line.END_HOST, False),
    "client_port": (line.END_PORT, True),
    "destination_ip": (line.END_HOST, False),
    "destination_port": (line.END_PORT, True),
    "connection_seconds": (_SECONDS, False),
    "handshake_seconds": (_SECONDS, False),
    "alpn_offered": (COMMA_LIST, False),
}
"""Columns that are no plain text or integer, and whether a value that does not fit is no fault (another column has it)."""


# The only quotes are those around each protocol in the client's list, "h2","http/1.1", which may be cut between two of them. No field can
# hold a space, so the line is read without its quotes.
LAYOUT = Mended(
    Delimited(
        columns=TABLE.columns,
        variants=(Variant(tuple(Field(name) for name in _NAMES), needed=_FEWEST),),
        takes=takes_by_origin(TABLE.columns, _CASTS),
        written=(in_utc(ISO),),
        required=("time", "elb"),
    ),
    lambda text: text.replace('"', ""),
    "replace(text, '\"', '')",
)

_BEGINS = re.compile(
    r"tls [0-9]+\.[0-9]+ [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z? [^ \"]+ [^ \"]+ [^ \"]+:[0-9]{1,5} ", re.ASCII
)


def sniff(text: str, _name: str) -> bool:
    """Whether the record begins as NLB access logs do: tls, the format's version, time, balancer, listener, the client's end."""
    return _BEGINS.match(text) is not None


FORMAT = Format(
    name="nlb_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Elastic Load Balancing user guide: Access logs for your Network Load Balancer",
    hop="nlb",
    delay_seconds=3600,
    complete=False,
)
