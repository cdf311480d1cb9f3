"""What flow logs of VPCs and of transit gateways have in common: the names of fields, who tells their order, and how times are written.

A flow log is a row of fields that its owner chose, with one space between and no quotes. Files in S3 name them in a header line, the flow
log's configuration does so as ``${version} ${vpc-id}``, Parquet and Athena with underscores for hyphens. Each record is one interval of
one flow; its start and its end are seconds since 1970, milliseconds have been seen.

Follows "Flow log records" in the Amazon VPC user guide and "Transit Gateway Flow Log records" in that of transit gateways.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.errors import ConfigError
from kyumei.layouts.casts import INTEGER, TEXT, Cast, Take, guarded, parse_epoch, parse_iso, to_json
from kyumei.layouts.json_record import parse_object
from kyumei.layouts.mended import Mended
from kyumei.layouts.named_fields import NamedFields
from kyumei.layouts.percent_encoding import ENCODED
from kyumei.layouts.stamps import EPOCH, Stamp
from kyumei.model.table import Column, Kind
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

BOUNDS = (
    Column("time", Kind.TIME, "When the interval began: its first packet.", origin="start"),
    Column("end_time", Kind.TIME, "When the interval ended: its last packet.", origin="end"),
)
"""Columns of all flow logs: when the interval of a record was."""
TRAFFIC = (
    Column("src_port", Kind.INTEGER, "The port that they came from; 0 for ICMP.", origin="srcport"),
    Column("dst_port", Kind.INTEGER, "The port that they went to; 0 for ICMP.", origin="dstport"),
    Column("protocol", Kind.INTEGER, "IANA's number: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6.", origin="protocol"),
    Column("packets", Kind.INTEGER, "How many packets in the interval.", origin="packets"),
    Column("bytes", Kind.INTEGER, "How many bytes in the interval.", origin="bytes"),
)
"""What was sent, and how much of it."""
LOG_STATUS = Column("log_status", Kind.TEXT, "OK, NODATA (no traffic) or SKIPDATA (records were lost inside AWS).", origin="log-status")
"""Whether the record is whole."""
TCP_FLAGS = Column(
    "tcp_flags",
    Kind.INTEGER,
    "Flags of all packets together: FIN 1, SYN 2, RST 4, SYN-ACK 18; 0 when there were none of these.",
    origin="tcp-flags",
)
"""What was seen of connections."""
SERVICES = (
    Column("pkt_src_service", Kind.TEXT, "The AWS service whose range the source is in: S3, EC2...", origin="pkt-src-aws-service"),
    Column("pkt_dst_service", Kind.TEXT, "The AWS service whose range the destination is in.", origin="pkt-dst-aws-service"),
)
"""Whose addresses the two ends are."""
LONGEST_INTERVAL = timedelta(minutes=10)
"""A record that began so long before a window may last into it."""
FEWEST = 2
"""Names that a header must have of those that are known."""
_NAMES = re.compile(r"(?:\$\{[a-z0-9_-]{2,60}\}|[a-z0-9_-]{2,60})(?:(?:, ?| )(?:\$\{[a-z0-9_-]{2,60}\}|[a-z0-9_-]{2,60}))*", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]+", re.ASCII)
_TRANSIT = re.compile(r"tgw-|packets-lost-|resource-type\Z", re.ASCII)
_TIMES = frozenset({"start", "end"})


_IP = "(?:-|[0-9A-Fa-f.:]{2,45})"
_COUNT = "(?:-|[0-9]{1,18})"
_BETWEEN = "[0-9]{10}(?:[0-9]{3})?"
_DAY, _CLOCK = "[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
VPC_LINE = re.compile(
    rf"[0-9]{{1,2}} (?:[0-9]{{1,12}}|unknown) (?:eni-[0-9a-z]{{1,40}}|-) {_IP} {_IP} {_COUNT} {_COUNT} {_COUNT} {_COUNT} {_COUNT} "
    rf"{_BETWEEN} {_BETWEEN} (?:ACCEPT|REJECT|-) (?:OK|NODATA|SKIPDATA|-)(?: |\Z)",
    re.ASCII,
)
"""How a line of the 14 default fields of a VPC flow log begins."""
TGW_LINE = re.compile(r"[0-9]{1,2} TransitGateway(?:Attachment)? (?:[0-9]{1,12}|unknown|-) (?:tgw-[0-9a-z]{1,40}|-) ", re.ASCII)
"""How a line of the 36 default fields of a transit gateway's flow log begins."""


_SHAPES = {
    name: re.compile(shape, re.ASCII)
    for shape, names in {
        "[0-9]{1,2}": "version",
        "[0-9]{1,12}|unknown": "account-id tgw-src-vpc-account-id tgw-dst-vpc-account-id",
        "eni-[0-9a-z]{1,40}": "interface-id tgw-src-eni tgw-dst-eni next-hop-interface-id",
        "[0-9A-Fa-f.:]{2,45}": "srcaddr dstaddr pkt-srcaddr pkt-dstaddr",
        "[0-9]{1,5}": "srcport dstport",
        "[0-9]{1,3}": "protocol tcp-flags traffic-path encryption-status",
        "[0-9]{1,18}": "packets bytes packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired",
        _BETWEEN: "start end",
        "ACCEPT|REJECT": "action",
        "OK|NODATA|SKIPDATA": "log-status",
        "IPv4|IPv6|EFA": "type",
        "ingress|egress": "flow-direction",
        "vpc-[0-9a-z]{1,40}": "vpc-id tgw-src-vpc-id tgw-dst-vpc-id next-hop-vpc-id",
        "subnet-[0-9a-z]{1,40}": "subnet-id tgw-src-subnet-id tgw-dst-subnet-id next-hop-subnet-id",
        "i-[0-9a-z]{1,40}": "instance-id",
        "tgw-[0-9a-z]{1,40}": "tgw-id",
        "tgw-attach-[0-9a-z]{1,40}": "tgw-attachment-id tgw-pair-attachment-id",
        "TransitGateway(?:Attachment)?": "resource-type",
        "[a-z]{2}(?:-[a-z]{1,20}){1,3}-[0-9]{1,2}": "region",
        "arn:[^ ]+": "ecs-cluster-arn ecs-container-instance-arn ecs-task-definition-arn ecs-task-arn",
    }.items()
    for name in names.split()
}
"""The shapes of values by field, where there is one."""


def _interval(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    try:
        return EPOCH.find(Window(window.start - LONGEST_INTERVAL, window.end), offsets)
    except OverflowError:
        return ()


INTERVAL = Stamp("start or end of an interval, since 1970", _interval)
"""Of every record whose interval touches the window: it began in it, or at most ``LONGEST_INTERVAL`` before."""
SINCE_1970 = guarded(
    "seconds or milliseconds since 1970",
    lambda raw: parse_epoch(raw) if re.fullmatch("[0-9]{10}|[0-9]{13}", raw) else None,
    "[0-9]{10}(?:[0-9]{3})?",
    "CASE WHEN strlen({x}) = 10 THEN make_timestamp(TRY_CAST({x} AS UINTEGER)::BIGINT * 1000000) "
    "ELSE make_timestamp(TRY_CAST({x} || '000' AS BIGINT)) END",
)
VERSION = guarded(
    "version of a flow log", lambda raw: int(raw) if re.fullmatch("[0-9]{1,2}", raw) else None, "[0-9]{1,2}", "TRY_CAST({x} AS BIGINT)"
)
ACCOUNT = Cast("account, unless it is unknown", lambda raw: None if raw == "unknown" else raw, "NULLIF({x}, 'unknown')")
_CASTS = {"time": SINCE_1970, "end_time": SINCE_1970, "version": VERSION, "account": ACCOUNT}
_WRITTEN = f"{_DAY} {_CLOCK}Z?"


def _when(raw: str) -> datetime | None:
    found = parse_iso(raw.removesuffix("Z") + "Z") if re.fullmatch(_WRITTEN, raw, re.ASCII) else None
    return None if found is None else found[0]


_EVENT_TIME = guarded("time of an event, in UTC", _when, _WRITTEN, "TRY_CAST(rtrim({x}, 'Z') AS TIMESTAMP)")
DISCOVERED = {
    "accountId": "account-id",
    "interfaceId": "interface-id",
    "srcAddr": "srcaddr",
    "dstAddr": "dstaddr",
    "srcPort": "srcport",
    "dstPort": "dstport",
    "startTime": "start",
    "endTime": "end",
    "logStatus": "log-status",
}
"""What Logs Insights calls fields that it finds in the lines of a flow log; the others have their own names there, too."""
_DEFAULT = frozenset({*DISCOVERED.values(), "version", "protocol", "packets", "bytes", "action"})
_ENDS = ('"interfaceId"', '"srcAddr"', '"dstAddr"', '"srcPort"', '"dstPort"', '"logStatus"')
_DISCOVERED_NAMES = frozenset(DISCOVERED)
_EVENT = "@timestamp"
PARTITION = "date"
"""The column by which Athena's table of flow logs is cut up."""


def takes_of(columns: Sequence[Column]) -> tuple[Take, ...]:
    """The takes of a table of flows by the columns' ``origin``, with hyphens and with underscores.

    A record without a start has its end, or when the event was.
    """
    takes: list[Take] = []
    for column in columns:
        cast = _CASTS.get(column.name) or {Kind.INTEGER: INTEGER}.get(column.kind, ENCODED if "-tag" in column.origin else TEXT)
        names = dict.fromkeys((column.origin, column.origin.replace("-", "_")))
        takes += [Take(column.name, name, cast, optional=cast is ACCOUNT) for name in names]
    return (*takes, Take("time", "end", SINCE_1970), Take("time", _EVENT, _EVENT_TIME))


def flow_layout(columns: Sequence[Column], names: tuple[str, ...], *, only: tuple[str, ...] = ()) -> NamedFields:
    """The layout of lines with these fields, by the names with hyphens; lines without a value in the columns ``only`` are none."""
    timed = not _TIMES.isdisjoint(names)
    return NamedFields(
        columns=tuple(columns),
        fields=names,
        takes=takes_of(columns),
        written=(INTERVAL,) if timed else (),
        separator=" ",
        required=(*(("time",) if timed else ()), *only),
        is_json=True,
        required_in_json=(),
    )


def sent(layout: NamedFields) -> Mended:
    """The layout of lines as they are, or as Firehose sends them on: as the one text of a JSON object; and of rows of Logs Insights."""
    return Mended(layout, _unwrapped, _UNWRAPPED, only_shown=True, keeps_values=True)


_WRAPPED = re.compile(r'\{[ \t]*"message"[ \t]*:[ \t]*"([^"\\]*)"[ \t]*\}')
"""Firehose writes no spaces there, programs that send its records on do; those are a case for the exact reader."""
_UNWRAPPED = (
    "CASE WHEN starts_with(text, '{\"message\":\"') AND ends_with(text, '\"}') AND len(string_split(text, '\"')) = 5 AND "
    "NOT contains(text, '\\') THEN string_split(text, '\"')[4] ELSE text END"
)


def _unwrapped(text: str) -> str:
    if not text.startswith("{"):
        return text
    if found := _WRAPPED.fullmatch(text):
        return found[1]
    return _with_own_names(text) if any(name in text for name in _ENDS) else text


def _with_own_names(text: str) -> str:
    """A row of Logs Insights with the names that the fields have in the log; such a row is for the exact reader."""
    found = parse_object(text)
    if not isinstance(found, dict) or not _is_discovered(found):
        return text
    named: dict[str, Any] = {}
    for key, value in found.items():
        named.setdefault(DISCOVERED.get(key, key), value)
    return to_json(named) or text


def names_in(told: str) -> tuple[str, ...]:
    """The names of fields in a header line or in a configuration's format, with hyphens; none when the text is of another sort."""
    text = told.strip(" \t\r")
    return tuple(name.replace("_", "-") for name in _NAME.findall(text)) if _NAMES.fullmatch(text) else ()


def is_transit(names: Collection[str]) -> bool:
    """Whether the names, with hyphens, are those of a transit gateway's flow log."""
    return any(_TRANSIT.match(name) for name in names)


def are_flow_names(names: Collection[str], columns: Sequence[Column]) -> bool:
    """Whether names, with hyphens, are those of a flow log with these columns.

    At least half of them are known, and two are used by nobody else; one is enough where all are known.
    """
    known = {column.origin for column in columns}.intersection(names)
    own = [name for name in known if "-" in name or name.endswith(("addr", "port"))]
    enough = 1 if known.issuperset(names) else FEWEST
    return len(known) >= FEWEST and len(known) * 2 >= len(names) and len(own) >= enough


def is_flow_record(text: str, columns: Sequence[Column], *, transit: bool) -> bool:
    """Whether the text is a JSON object with the names of a flow log, of a transit gateway's or not."""
    if "addr" not in text and "Addr" not in text and "interface" not in text and "tgw" not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    names = {key.replace("_", "-") for key in found}
    if _is_discovered(found):
        return not transit
    return is_transit(names) is transit and are_flow_names(names, columns) and names.isdisjoint(_OF_OTHERS)


def _is_discovered(found: Mapping[str, Any]) -> bool:
    """Whether an object is a row of Logs Insights with fields of a flow; one without any time counts flows, or adds them up."""
    names = {DISCOVERED.get(key, key) for key in found if not key.startswith("@")}
    own = sum(key in DISCOVERED for key in found)
    timed = _EVENT in found or not names.isdisjoint(_TIMES)
    known = sum(name in _DEFAULT for name in names)
    return timed and own >= FEWEST and known * 2 >= len(names) and _OF_OTHERS.isdisjoint(names)


_OF_OTHERS = frozenset(
    {"query-timestamp", "query-name", "event-timestamp", "timestamp", "@timestamp", "time", "date", "ts", "message", "msg"}
)
"""Fields of other logs that have addresses, accounts and interfaces, too: Route 53 Resolver's, Network Firewall's, a program's own."""


def carries(line: re.Pattern[str], text: str) -> bool:
    """Whether the text is a JSON object as Firehose sends on a line that begins so."""
    found = _WRAPPED.fullmatch(text)
    return found is not None and line.match(found[1]) is not None


def are_csv_names(names: Collection[str]) -> bool:
    """Whether columns of a CSV are fields of flow logs, by any of their names, and say when each flow was."""
    fields = {DISCOVERED.get(name) or name.replace("_", "-") for name in names if not name.startswith("@") and name != PARTITION}
    own = sum("-" in name or name.endswith(("addr", "port")) for name in fields & _SHAPES.keys())
    timed = not fields.isdisjoint(_TIMES) or (_EVENT in names and not _DISCOVERED_NAMES.isdisjoint(names))
    known = len(fields & (_SHAPES.keys() | _DEFAULT))
    return timed and own >= FEWEST and known * 2 >= len(fields) and "@message" not in names and fields.isdisjoint(_OF_OTHERS)


def is_sent_flow(text: str) -> bool:
    """Whether the text is a JSON object as Firehose sends on the lines of flow logs, or a row of Logs Insights with fields of a flow."""
    if carries(VPC_LINE, text) or carries(TGW_LINE, text):
        return True
    found = parse_object(text) if _EVENT in text and any(name in text for name in _ENDS) else None
    return isinstance(found, dict) and _is_discovered(found)


def fit(names: Sequence[str], text: str) -> bool:
    """Whether the values on a line can be those of the fields, by their number and their shapes."""
    found = flow_values(text)
    return len(found) == len(names) and all(
        value == "-" or (shape := _SHAPES.get(name)) is None or shape.fullmatch(value) for name, value in zip(names, found, strict=True)
    )


def flow_values(text: str) -> list[str]:
    """The values on a line, of one that Firehose sends on as well."""
    return _unwrapped(text).rstrip(" ").split(" ")


def told_layout(told: str, columns: Sequence[Column]) -> Mended:
    """The layout for the names of the fields in their order: a header line, or the format in the flow log's configuration."""
    names = names_in(told)
    if not are_flow_names(names, columns):
        message = f"these are not the fields of a flow log: {told[:80]!r}"
        raise ConfigError(message, "copy LogFormat from describe-flow-logs, or the header line of a file in S3")
    if len(set(names)) < len(names):
        message = f"a field is named twice: {told[:80]!r}"
        raise ConfigError(message, "name each field once, in the order of the flow log's configuration")
    return sent(flow_layout(columns, names))


def header_layout(header: str, columns: Sequence[Column]) -> Mended | None:
    """The layout below a header line; null when the line is none. Of a name that is there twice the second place is unknown."""
    names = names_in(header)
    if not are_flow_names(names, columns):
        return None
    return sent(flow_layout(columns, tuple(f"{name}-{number}" if name in names[:number] else name for number, name in enumerate(names))))
