"""X-Ray trace summaries: one row for each trace that ``get-trace-summaries`` found.

``duration_seconds`` lasts from the start of the first segment to the end of the last, ``caller_seconds`` until the caller had its answer:
work that goes on behind a queue counts in the first alone. The request and its status are those of the first service. Only sampled requests
have a trace.

Follows "GetTraceSummaries" in the X-Ray API Reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, NUMBER, parse_epoch
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import BOOLEAN, Dig, dug, dug_sql, every_pair, shallow, tree
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "xray_trace",
    "Traces that AWS X-Ray has, each with the request at its beginning.",
    (
        Column(
            "time",
            Kind.TIME,
            "When the first segment began; to the second, from the id, where the answer is an old one.",
            origin="StartTime",
        ),
        Column("trace_id", Kind.TEXT, "The trace.", Link.TRACE, "Id"),
        Column("duration_seconds", Kind.FLOAT, "From the start of the first segment to the end of the last.", origin="Duration"),
        Column("caller_seconds", Kind.FLOAT, "How long the caller waited.", origin="ResponseTime"),
        Column("is_error", Kind.BOOLEAN, "Whether any segment answered a 4xx.", origin="HasError"),
        Column("is_throttle", Kind.BOOLEAN, "Whether any segment answered a 429.", origin="HasThrottle"),
        Column("is_fault", Kind.BOOLEAN, "Whether any segment answered a 5xx or raised an exception.", origin="HasFault"),
        Column("is_partial", Kind.BOOLEAN, "Whether segments are still missing.", origin="IsPartial"),
        Column("client_ip", Kind.TEXT, "The client's address.", Link.CLIENT, "Http.ClientIp"),
        Column("method", Kind.TEXT, "The method of the request.", origin="Http.HttpMethod"),
        Column("url", Kind.TEXT, "The whole URL of the request.", origin="Http.HttpURL"),
        Column("path", Kind.TEXT, "The path in the URL, without the query string.", Link.PATH, "Http.HttpURL"),
        Column("status", Kind.INTEGER, "The status answered.", Link.STATUS, "Http.HttpStatus"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="Http.UserAgent"),
        Column("http", Kind.JSON, "All that is known of the request.", origin="Http"),
        Column("entry_service", Kind.TEXT, "The service at the beginning.", origin="EntryPoint.Name"),
        Column("matched_time", Kind.TIME, "When the event happened that the filter asked for.", origin="MatchedEventTime"),
        Column("trace_revision", Kind.INTEGER, "How often the trace was added to.", origin="Revision"),
        Column("annotations", Kind.JSON, "Annotations by key, with the services that wrote them.", origin="Annotations"),
        Column("services", Kind.JSON, "The services that took part.", origin="ServiceIds"),
        Column("users", Kind.JSON, "The users that the segments name.", origin="Users"),
        Column("resources", Kind.JSON, "ARNs of the AWS resources that took part.", origin="ResourceARNs"),
        Column("instances", Kind.JSON, "Ids of the EC2 instances that took part.", origin="InstanceIds"),
        Column("zones", Kind.JSON, "The Availability Zones that took part.", origin="AvailabilityZones"),
        Column("fault_causes", Kind.JSON, "Where faults came from.", origin="FaultRootCauses"),
        Column("error_causes", Kind.JSON, "Where errors came from.", origin="ErrorRootCauses"),
        Column("response_causes", Kind.JSON, "Where the time went.", origin="ResponseTimeRootCauses"),
        Column("entry_point", Kind.JSON, "The service at the beginning, with its type and account.", origin="EntryPoint"),
    ),
)

_DIGS = (
    Dig("client_ip", "http", ("ClientIp",)),
    Dig("method", "http", ("HttpMethod",)),
    Dig("url", "http", ("HttpURL",)),
    Dig("status", "http", ("HttpStatus",), INTEGER),
    Dig("user_agent", "http", ("UserAgent",)),
    Dig("entry_service", "entry_point", ("Name",)),
)
_TREES = {
    "http": "Http",
    "annotations": "Annotations",
    "services": "ServiceIds",
    "users": "Users",
    "resources": "ResourceARNs",
    "instances": "InstanceIds",
    "zones": "AvailabilityZones",
    "fault_causes": "FaultRootCauses",
    "error_causes": "ErrorRootCauses",
    "response_causes": "ResponseTimeRootCauses",
    "entry_point": "EntryPoint",
}
_ID = re.compile("1-([0-9a-fA-F]{8})-[0-9a-fA-F]{24}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]+)")


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The path of the URL, the name of the first service, the time in the id."""
    found = dug(_DIGS, {"http": document.get("Http"), "entry_point": document.get("EntryPoint")})
    url = _URL.match(found["url"] or "")
    found["path"] = url[1] if url else None
    stamp = _ID.fullmatch(values["trace_id"] or "")
    if values["time"] is None and "StartTime" not in document and stamp:
        found["time"] = parse_epoch(str(int(stamp[1], 16)))
    return found, set()


_STEPS, _SURE = dug_sql(_DIGS)

LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "StartTime", WHEN),
        one("trace_id", "Id"),
        one("duration_seconds", "Duration", NUMBER),
        one("caller_seconds", "ResponseTime", NUMBER),
        one("is_error", "HasError", BOOLEAN),
        one("is_throttle", "HasThrottle", BOOLEAN),
        one("is_fault", "HasFault", BOOLEAN),
        one("is_partial", "IsPartial", BOOLEAN),
        one("matched_time", "MatchedEventTime", WHEN),
        one("trace_revision", "Revision", INTEGER),
        *(tree(column, path) for column, path in _TREES.items()),
    ),
    needs=frozenset({"Id"}),
    derive=_derive,
    steps=(*_STEPS, {"path": "nullif(regexp_extract(url, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]+)', 1), '')"}),
    plain=("time IS NOT NULL", "trace_id IS NOT NULL", *_SURE, *shallow(tuple(_TREES))),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """A JSON object with the id of a trace and whether it had a fault."""
    if '"HasFault"' not in text and '"ResponseTime"' not in text:
        return False
    found = parse_object(text)
    return isinstance(found, dict) and _ID.fullmatch(str(found.get("Id"))) is not None and bool({"HasFault", "ResponseTime"} & found.keys())


FORMAT = Format(
    name="xray_trace",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/xray/latest/api/API_GetTraceSummaries.html",
    hop="app",
    delay_seconds=60,
    complete=False,
)
