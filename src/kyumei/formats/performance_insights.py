"""Performance Insights: how busy a database was and with what, one row for each data point that RDS answered.

``get-resource-metrics`` gives a value for each metric, group and moment: ``db.load.avg`` is the number of sessions that were active on
average, to be held against the number of vCPUs. ``describe-dimension-keys`` gives the greatest contributors over a whole span: there
``value`` is the total, ``end_time`` the end of the span, and ``partitions`` the total split by what ``partition_keys`` name. A point
without a value is one at which nothing was measured. Counters (``os.*``, ``db.*``) come in the same way.

Follows "GetResourceMetrics" and "DescribeDimensionKeys" in the Performance Insights API Reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import Cast
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import Field, JsonRecord, Way, find, one, parse_object
from kyumei.layouts.json_tree import Dig, dug, dug_sql, every_pair, shallow, tree
from kyumei.layouts.stamps import EPOCH, ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "performance_insights",
    "Load and counters of RDS databases by Performance Insights, one row for each data point.",
    (
        Column("time", Kind.TIME, "When the period began that the value stands for.", origin="Timestamp, AlignedStartTime"),
        Column("end_time", Kind.TIME, "When the span ended; null for a single data point.", origin="AlignedEndTime"),
        Column("resource", Kind.TEXT, "The id of the instance as Performance Insights knows it, db-….", Link.RESOURCE, "Identifier"),
        Column(
            "metric", Kind.TEXT, "The metric with its statistic, db.load.avg; null in an answer that does not name it.", origin="Key.Metric"
        ),
        Column("value", Kind.FLOAT, "The value: for db.load the number of active sessions.", origin="Value, Total"),
        Column("wait_event", Kind.TEXT, "What the sessions waited for.", origin="db.wait_event.name"),
        Column("wait_type", Kind.TEXT, "The sort of thing that they waited for.", origin="db.wait_event.type"),
        Column(
            "statement_id", Kind.TEXT, "The id of the statement, its values left out where it is tokenized.", origin="db.sql_tokenized.id"
        ),
        Column("statement", Kind.TEXT, "The statement.", origin="db.sql_tokenized.statement, db.sql.statement"),
        Column("user", Kind.TEXT, "The database user.", Link.PRINCIPAL, "db.user.name"),
        Column("client_ip", Kind.TEXT, "The address or name of the host that was connected.", Link.CLIENT, "db.host.name, db.host.id"),
        Column("database", Kind.TEXT, "The database.", origin="db.name"),
        Column("application_name", Kind.TEXT, "The application, as it calls itself.", origin="db.application.name"),
        Column("dimensions", Kind.JSON, "All dimensions of the group; null for the sum over all groups.", origin="Dimensions"),
        Column("partitions", Kind.JSON, "The total split over the partition keys.", origin="Partitions"),
        Column("partition_keys", Kind.JSON, "What the partitions stand for.", origin="PartitionKeys"),
        Column("further_metrics", Kind.JSON, "Further metrics of the group, by name.", origin="AdditionalMetrics"),
    ),
)


def _float(raw: str) -> float | None:
    try:
        number = float(raw) if raw.isascii() and raw[:1] in "-0123456789" else None
    except ValueError:
        return None
    return None if number is None or number in {float("inf"), float("-inf")} else number


NUMBER = Cast("number", _float, r"CASE WHEN regexp_full_match({x}, '-?[0-9]{1,15}(?:\.[0-9]{1,17})?') THEN TRY_CAST({x} AS DOUBLE) END")
"""A load is an average with as many digits as a double has."""
_DIGS = (
    Dig("wait_event", "dimensions", ("db.wait_event.name",)),
    Dig("wait_type", "dimensions", ("db.wait_event.type",)),
    Dig("_tokenized_id", "dimensions", ("db.sql_tokenized.id",)),
    Dig("_sql_id", "dimensions", ("db.sql.id",)),
    Dig("_tokenized", "dimensions", ("db.sql_tokenized.statement",)),
    Dig("_sql", "dimensions", ("db.sql.statement",)),
    Dig("user", "dimensions", ("db.user.name",)),
    Dig("_host", "dimensions", ("db.host.name",)),
    Dig("_host_id", "dimensions", ("db.host.id",)),
    Dig("database", "dimensions", ("db.name",)),
    Dig("application_name", "dimensions", ("db.application.name",)),
)
_CHOICES = {"statement_id": ("_tokenized_id", "_sql_id"), "statement": ("_tokenized", "_sql"), "client_ip": ("_host", "_host_id")}
_TREES = ("dimensions", "partitions", "partition_keys", "further_metrics")


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What the dimensions say: those of the metric's key, else those of the group."""
    inner = values["_inner"] is not None
    found = dug(_DIGS, {"dimensions": find(document, "Key.Dimensions" if inner else "Dimensions")})
    found["dimensions"] = values["_inner"] if inner else values["_outer"]
    for column, ways in _CHOICES.items():
        found[column] = next((found[way] for way in ways if found[way] is not None), None)
    return found, set()


_STEPS, _SURE = dug_sql(_DIGS)

LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        Field("time", (Way("Timestamp", WHEN), Way("AlignedStartTime", WHEN))),
        one("end_time", "AlignedEndTime", WHEN),
        one("resource", "Identifier"),
        one("metric", "Key.Metric"),
        Field("value", (Way("Value", NUMBER), Way("Total", NUMBER))),
        tree("_inner", "Key.Dimensions"),
        tree("_outer", "Dimensions"),
        tree("partitions", "Partitions"),
        tree("partition_keys", "PartitionKeys"),
        tree("further_metrics", "AdditionalMetrics"),
    ),
    stamp_ways=(EPOCH, ISO, ISO_SPACE),
    derive=_derive,
    steps=({"dimensions": "coalesce(_inner, _outer)"}, *_STEPS, {k: f"coalesce({', '.join(v)})" for k, v in _CHOICES.items()}),
    plain=(
        "time IS NOT NULL",
        '("raw Timestamp" IS NULL OR "raw AlignedStartTime" IS NULL)',
        '("raw Value" IS NULL OR "raw Total" IS NULL)',
        "(_inner IS NULL OR _outer IS NULL)",
        "coalesce(starts_with(dimensions::VARCHAR, '{'), true)",
        *_SURE,
        *shallow(_TREES),
    ),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """A JSON object with the key of a metric and a data point, or with the total of a group over an aligned span."""
    if '"Metric"' not in text and '"AlignedStartTime"' not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    key = found.get("Key")
    return (isinstance(key, dict) and "Metric" in key and "Timestamp" in found) or {
        "AlignedStartTime",
        "Dimensions",
        "Total",
    } <= found.keys()


FORMAT = Format(
    name="performance_insights",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/performance-insights/latest/APIReference/API_GetResourceMetrics.html",
    hop="database",
    delay_seconds=120,
    complete=False,
)
