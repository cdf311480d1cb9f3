"""ALB health check logs: one line for each health check that a node of an Application Load Balancer made of a target.

``time`` is when the check began. Health checks are in no access log of the balancer, but in that of the target. Each node checks by
itself, so that one target has a line for each node in each interval. Without a status the target did not answer; with status and reason
it answered, but not as it should. The reason ``TimedOut`` replaced ``RequestTimedOut`` and ``ConnectionTimedOut``. Lines have 8 fields,
later ones 10, with the balancer and its node, which before stand only in the file's name.

Follows "Health check logs" in the Elastic Load Balancing user guide for Application Load Balancers.
"""

from __future__ import annotations

import re

from kyumei.contracts import Format
from kyumei.layouts import request_line as line
from kyumei.layouts.casts import ISO_UTC, NUMBER, Cast, guarded, takes_by_origin
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Variant
from kyumei.layouts.stamps import ISO, in_utc
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "alb_health_check",
    "Health checks that an Application Load Balancer made of its targets.",
    (
        Column("time", Kind.TIME, "When the check began.", origin="time"),
        Column("protocol_kind", Kind.TEXT, "http, https, h2 (HTTP/2 over TLS), grpc or lambda.", origin="type"),
        Column("check_seconds", Kind.FLOAT, "How long the check took.", origin="latency"),
        Column("target_ip", Kind.TEXT, "The target that was checked; null for a Lambda function.", Link.TARGET, "target_addr"),
        Column("target_port", Kind.INTEGER, "The port of the target.", origin="target_addr"),
        Column("target_arn", Kind.TEXT, "The Lambda function that was checked; null for other targets.", Link.RESOURCE, "target_addr"),
        Column("target_group", Kind.TEXT, "The name of the target group.", origin="target_group_id"),
        Column("outcome", Kind.TEXT, "PASS or FAIL.", origin="status"),
        Column("target_status", Kind.INTEGER, "The status that the target answered; null if it answered none.", origin="status_code"),
        Column(
            "error_reason",
            Kind.TEXT,
            "Why the check failed: TimedOut, ConnectionReset, ResponseCodeMismatch, TargetError...",
            origin="reason_code",
        ),
        Column("elb", Kind.TEXT, "The balancer: app/name/id, the end of its ARN.", Link.RESOURCE, "elb"),
        Column("node_ip", Kind.TEXT, "The balancer's own address that made the check.", origin="ip_address"),
    ),
)

_FIELDS = tuple(
    Field(name)
    for name in (
        *("type", "time", "latency", "target_addr", "target_group_id", "status", "status_code", "reason_code"),
        *("elb", "ip_address"),
    )
)
_FEWEST = 8

_ARN = "arn:"
_ADDRESS = rf"arn:[A-Za-z0-9:/_$.-]+|{line.END_HOST.shape}"


def _host(raw: str) -> str | None:
    found: str | None = None if raw.startswith(_ARN) else line.END_HOST.python(raw)
    return found


def _port(raw: str) -> int | None:
    found: int | None = None if raw.startswith(_ARN) else line.END_PORT.python(raw)
    return found


def _unless_arn(sql: str) -> str:
    return f"CASE WHEN NOT starts_with({{x}}, '{_ARN}') THEN {sql} END"


_HOST = guarded("address, unless it is an ARN", _host, _ADDRESS, _unless_arn(line.END_HOST.plain))
_PORT = guarded("port, unless it is an ARN", _port, _ADDRESS, _unless_arn(line.END_PORT.plain))
_FUNCTION = guarded(
    "an ARN",
    lambda raw: raw if raw.startswith(_ARN) else None,
    _ADDRESS,
    f"CASE WHEN starts_with({{x}}, '{_ARN}') THEN {{x}} END",
)
_CASTS: dict[str, tuple[Cast, bool]] = {
    "time": (ISO_UTC, False),
    "check_seconds": (NUMBER, False),
    "target_ip": (_HOST, True),
    "target_port": (_PORT, True),
    "target_arn": (_FUNCTION, True),
}
"""Columns that are no plain text or integer, and whether a value that does not fit is no fault (another column has it)."""


LAYOUT = Delimited(
    columns=TABLE.columns,
    variants=(Variant(_FIELDS, needed=_FEWEST),),
    takes=takes_by_origin(TABLE.columns, _CASTS),
    written=(in_utc(ISO),),
    required=("time", "outcome"),
)

_BEGINS = re.compile(
    r"[a-z0-9]{1,10} [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z (?:-|[0-9.]+) [^ \"]+ [^ \"]+ (?:PASS|FAIL) ",
    re.ASCII,
)


def sniff(text: str, _name: str) -> bool:
    """Whether the record begins as health check logs do: kind, time, latency, target, target group, PASS or FAIL."""
    return _BEGINS.match(text) is not None


FORMAT = Format(
    name="alb_health_check",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Elastic Load Balancing user guide: Health check logs",
    hop="alb",
    delay_seconds=3600,
    complete=False,
)
