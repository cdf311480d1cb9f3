"""AWS Network Firewall: alerts, flows and TLS events of its stateful engine, which is Suricata.

There is an alert only where a stateful rule drops, rejects or alerts; what stateless rules do is in no log. A flow is two rows with one
``flow_id``, one for each direction, written when it has ended. ``action`` is blocked or allowed; an alert rule allows. ``source_ip`` is who
sent the packet that matched: with a rule on answers that is the server.

Follows "Contents of an AWS Network Firewall log" in the AWS Network Firewall Developer Guide and "Eve JSON Format" of Suricata.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, ISO_UTC, Cast, parse_epoch
from kyumei.layouts.clocks import ISO_TIME
from kyumei.layouts.json_names import STATUS
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import BOOLEAN, GIVEN, Dig, dug, dug_sql, every_pair, opened, shallow, tree
from kyumei.layouts.request_line import HOST
from kyumei.layouts.stamps import EPOCH, ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TABLE = Table(
    "network_firewall",
    "Alerts, flows and TLS events of AWS Network Firewall.",
    (
        Column("time", Kind.TIME, "When the engine saw it; microseconds.", origin="event.timestamp"),
        Column("logged", Kind.TIME, "When the firewall wrote the record; seconds.", origin="event_timestamp"),
        Column("firewall", Kind.TEXT, "The firewall's name.", Link.RESOURCE, "firewall_name"),
        Column("availability_zone", Kind.TEXT, "The zone of the firewall's endpoint.", origin="availability_zone"),
        Column("event_type", Kind.TEXT, "alert, netflow or tls.", origin="event.event_type"),
        Column("flow_id", Kind.INTEGER, "The flow: the same in both directions, and in its alerts.", origin="event.flow_id"),
        Column("source_ip", Kind.TEXT, "Who sent.", Link.CLIENT, "event.src_ip"),
        Column("source_port", Kind.INTEGER, "The port that it was sent from.", origin="event.src_port"),
        Column("destination_ip", Kind.TEXT, "Who was sent to.", origin="event.dest_ip"),
        Column("destination_port", Kind.INTEGER, "The port that it was sent to.", origin="event.dest_port"),
        Column("transport", Kind.TEXT, "TCP, UDP, ICMP, or a number.", origin="event.proto"),
        Column("app_protocol", Kind.TEXT, "http, tls, dns, ..., as the engine found out.", origin="event.app_proto"),
        Column("action", Kind.TEXT, "allowed or blocked; of an alert.", origin="event.alert.action"),
        Column("verdict", Kind.TEXT, "What became of the packet: pass, alert, drop, reject.", origin="event.verdict.action"),
        Column("signature_id", Kind.INTEGER, "The rule's number (sid).", origin="event.alert.signature_id"),
        Column("signature_revision", Kind.INTEGER, "The rule's revision.", origin="event.alert.rev"),
        Column("signature", Kind.TEXT, "The rule's message.", origin="event.alert.signature"),
        Column("signature_category", Kind.TEXT, "The rule's class.", origin="event.alert.category"),
        Column("alert_severity", Kind.INTEGER, "1 high, 2 medium, 3 low.", origin="event.alert.severity"),
        Column("domain_name", Kind.TEXT, "The server name of the TLS handshake.", origin="event.sni, event.tls.sni"),
        Column("ssl_protocol", Kind.TEXT, "The version of TLS.", origin="event.tls.version"),
        Column("is_tls_inspected", Kind.BOOLEAN, "Whether the firewall decrypted it.", origin="event.tls_inspected"),
        Column("tls_error_text", Kind.TEXT, "Why decryption failed.", origin="event.tls_error.error_message"),
        Column("revocation_status", Kind.TEXT, "Whether the server's certificate is revoked.", origin="event.revocation_check.status"),
        Column("host", Kind.TEXT, "The Host header without its port.", Link.HOST, "event.http.hostname"),
        Column("method", Kind.TEXT, "The HTTP method.", origin="event.http.http_method"),
        Column("url", Kind.TEXT, "The URL as it stands in the request.", origin="event.http.url"),
        Column("http_version", Kind.TEXT, "HTTP/1.1.", origin="event.http.protocol"),
        Column("status", Kind.INTEGER, "The status that was answered.", Link.STATUS, "event.http.status"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="event.http.http_user_agent"),
        Column("packets", Kind.INTEGER, "Packets of the flow in this direction.", origin="event.netflow.pkts"),
        Column("flow_bytes", Kind.INTEGER, "Bytes of the flow in this direction.", origin="event.netflow.bytes"),
        Column("flow_start", Kind.TIME, "When the flow began.", origin="event.netflow.start"),
        Column("flow_end", Kind.TIME, "When it ended.", origin="event.netflow.end"),
        Column("flow_seconds", Kind.INTEGER, "How long it lasted.", origin="event.netflow.age"),
        Column("min_ttl", Kind.INTEGER, "Lowest TTL of its packets.", origin="event.netflow.min_ttl"),
        Column("max_ttl", Kind.INTEGER, "Highest TTL of its packets.", origin="event.netflow.max_ttl"),
        Column("flags_seen", Kind.TEXT, "Flags that were seen, in hexadecimal or as an object.", origin="event.netflow.tcp_flags"),
        Column("event", Kind.JSON, "All that the engine says.", origin="event"),
    ),
)


def _whole(raw: str) -> int | None:
    found = int(raw) if re.fullmatch("-?[0-9]{1,19}", raw, re.ASCII) else None
    return found if found is not None and -(2**63) <= found < 2**63 else None


def _logged(raw: str) -> datetime | None:
    """Seconds since 1970, or ISO."""
    return parse_epoch(raw) or ISO_TIME.python(raw)


SECONDS = Cast(
    "seconds since 1970 as a text",
    _logged,
    "CASE WHEN regexp_full_match({x}, '[1-9][0-9]{8,9}') THEN make_timestamp(TRY_CAST({x} AS BIGINT) * 1000000) END",
)
"""As the firewall writes it; ISO, as in some samples, is left to the exact reader."""
ENGINE_TIME = Cast(
    "time of the engine",
    ISO_TIME.python,
    ISO_UTC.sql.replace("{x}", "replace({x}, '+0000', 'Z')"),
)
"""``2025-02-06T05:32:10.123456+0000``."""
LONG = Cast("integer of 64 bits", _whole, "CASE WHEN regexp_full_match({x}, '-?[0-9]{1,19}') THEN TRY_CAST({x} AS BIGINT) END")
FIELDS = (
    one("logged", "event_timestamp", SECONDS),
    one("firewall", "firewall_name"),
    one("availability_zone", "availability_zone"),
    tree("event"),
)
DIGS = tuple(
    Dig(column, "event", tuple(path.split(".")), cast)
    for column, path, cast in (
        ("_seen", "timestamp", ENGINE_TIME),
        ("event_type", "event_type", GIVEN),
        ("flow_id", "flow_id", LONG),
        ("source_ip", "src_ip", GIVEN),
        ("source_port", "src_port", INTEGER),
        ("destination_ip", "dest_ip", GIVEN),
        ("destination_port", "dest_port", INTEGER),
        ("transport", "proto", GIVEN),
        ("app_protocol", "app_proto", GIVEN),
        ("action", "alert.action", GIVEN),
        ("verdict", "verdict.action", GIVEN),
        ("signature_id", "alert.signature_id", INTEGER),
        ("signature_revision", "alert.rev", INTEGER),
        ("signature", "alert.signature", GIVEN),
        ("signature_category", "alert.category", GIVEN),
        ("alert_severity", "alert.severity", INTEGER),
        ("_sni", "sni", GIVEN),
        ("_tls_sni", "tls.sni", GIVEN),
        ("ssl_protocol", "tls.version", GIVEN),
        ("is_tls_inspected", "tls_inspected", BOOLEAN),
        ("tls_error_text", "tls_error.error_message", GIVEN),
        ("revocation_status", "revocation_check.status", GIVEN),
        ("_host", "http.hostname", GIVEN),
        ("method", "http.http_method", GIVEN),
        ("url", "http.url", GIVEN),
        ("http_version", "http.protocol", GIVEN),
        ("status", "http.status", STATUS),
        ("user_agent", "http.http_user_agent", GIVEN),
        ("packets", "netflow.pkts", INTEGER),
        ("flow_bytes", "netflow.bytes", INTEGER),
        ("flow_start", "netflow.start", ENGINE_TIME),
        ("flow_end", "netflow.end", ENGINE_TIME),
        ("flow_seconds", "netflow.age", INTEGER),
        ("min_ttl", "netflow.min_ttl", INTEGER),
        ("max_ttl", "netflow.max_ttl", INTEGER),
        ("flags_seen", "netflow.tcp_flags", GIVEN),
    )
)
_DUG, _SURE = dug_sql(DIGS)


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Columns that lie inside the event."""
    found = dug(DIGS, {"event": document.get("event")})
    return {
        **found,
        "time": found["_seen"] or values["logged"],
        "domain_name": found["_sni"] or found["_tls_sni"],
        "host": HOST.python(found["_host"]) if found["_host"] else None,
    }, set()


LAYOUT = JsonRecord(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=(ISO, ISO_SPACE, EPOCH),
    needs=frozenset({"firewall_name", "event"}),
    prepare=opened,
    derive=_derive,
    steps=(
        *_DUG,
        {
            "time": "coalesce(_seen, logged)",
            "domain_name": "coalesce(nullif(_sni, ''), _tls_sni)",
            "host": HOST.sql.replace("{x}", "nullif(_host, '')"),
        },
    ),
    plain=("firewall IS NOT NULL", "event IS NOT NULL", *_SURE, *shallow(["event"])),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """A JSON object with the name of a firewall and an event of the engine."""
    if '"firewall_name"' not in text:
        return False
    found = parse_object(text)
    return isinstance(found, dict) and "firewall_name" in found and isinstance(found.get("event"), dict)


FORMAT = Format(
    name="network_firewall",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS Network Firewall Developer Guide, Contents of an AWS Network Firewall log",
    hop="firewall",
    delay_seconds=1200,
    complete=False,
)
