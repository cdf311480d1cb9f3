"""X-Ray service graph: one row for each service that ``get-service-graph`` or ``get-trace-graph`` found.

The counts are those of requests that the service answered between ``time`` and ``end_time``; a client, of which X-Ray knows by its calls
alone, has none. What it called in turn stands in ``edges``, each with the ``ReferenceId`` of the service called and the counts as the
caller saw them. Only sampled requests count.

Follows "GetServiceGraph" in the X-Ray API Reference.
"""

from __future__ import annotations

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, NUMBER
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import BOOLEAN, every_pair, shallow, tree
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "xray_service",
    "Services as AWS X-Ray saw them over a span of time, with what they called.",
    (
        Column("time", Kind.TIME, "When the first segment of the span began.", origin="StartTime"),
        Column("end_time", Kind.TIME, "When the last segment of the span ended.", origin="EndTime"),
        Column("reference_id", Kind.INTEGER, "The number of the service in this answer, by which edges name it.", origin="ReferenceId"),
        Column("name", Kind.TEXT, "The service.", origin="Name"),
        Column("service_type", Kind.TEXT, "The sort of resource, client or remote for what is none of AWS.", origin="Type"),
        Column("service_state", Kind.TEXT, "active or inactive.", origin="State"),
        Column("is_root", Kind.BOOLEAN, "Whether requests come in here.", origin="Root"),
        Column("account", Kind.TEXT, "The account of the service.", Link.ACCOUNT, "AccountId"),
        Column("total_count", Kind.INTEGER, "Requests answered.", origin="SummaryStatistics.TotalCount"),
        Column("ok_count", Kind.INTEGER, "Of these, with a 2xx.", origin="SummaryStatistics.OkCount"),
        Column("error_count", Kind.INTEGER, "Of these, with a 4xx.", origin="SummaryStatistics.ErrorStatistics.TotalCount"),
        Column("throttle_count", Kind.INTEGER, "Of these, with a 429.", origin="SummaryStatistics.ErrorStatistics.ThrottleCount"),
        Column("fault_count", Kind.INTEGER, "Of these, with a 5xx.", origin="SummaryStatistics.FaultStatistics.TotalCount"),
        Column("total_seconds", Kind.FLOAT, "How long all of them took together.", origin="SummaryStatistics.TotalResponseTime"),
        Column("names", Kind.JSON, "All names under which it is called.", origin="Names"),
        Column("edges", Kind.JSON, "What it called, with counts.", origin="Edges"),
        Column("durations", Kind.JSON, "A histogram of how long it worked, in seconds.", origin="DurationHistogram"),
        Column("responses", Kind.JSON, "A histogram of how long callers waited, in seconds.", origin="ResponseTimeHistogram"),
    ),
)

_TREES = {"names": "Names", "edges": "Edges", "durations": "DurationHistogram", "responses": "ResponseTimeHistogram"}
_STATISTICS = "SummaryStatistics"

LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "StartTime", WHEN),
        one("end_time", "EndTime", WHEN),
        one("reference_id", "ReferenceId", INTEGER),
        one("name", "Name"),
        one("service_type", "Type"),
        one("service_state", "State"),
        one("is_root", "Root", BOOLEAN),
        one("account", "AccountId"),
        one("total_count", f"{_STATISTICS}.TotalCount", INTEGER),
        one("ok_count", f"{_STATISTICS}.OkCount", INTEGER),
        one("error_count", f"{_STATISTICS}.ErrorStatistics.TotalCount", INTEGER),
        one("throttle_count", f"{_STATISTICS}.ErrorStatistics.ThrottleCount", INTEGER),
        one("_other_errors", f"{_STATISTICS}.ErrorStatistics.OtherCount", INTEGER),
        one("fault_count", f"{_STATISTICS}.FaultStatistics.TotalCount", INTEGER),
        one("_other_faults", f"{_STATISTICS}.FaultStatistics.OtherCount", INTEGER),
        one("total_seconds", f"{_STATISTICS}.TotalResponseTime", NUMBER),
        *(tree(column, path) for column, path in _TREES.items()),
    ),
    needs=frozenset({"ReferenceId", "Edges"}),
    plain=("edges IS NOT NULL", "reference_id IS NOT NULL", *shallow(tuple(_TREES))),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """A JSON object with edges, a state and the number by which other services name it."""
    if '"ReferenceId"' not in text:
        return False
    found = parse_object(text)
    return isinstance(found, dict) and {"ReferenceId", "Edges"} <= found.keys() and bool({"State", "Name", "Names"} & found.keys())


FORMAT = Format(
    name="xray_service",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/xray/latest/api/API_GetServiceGraph.html",
    hop="app",
    delay_seconds=60,
    complete=False,
)
