"""Values of CloudWatch metrics: one row for each point of a metric and statistic.

The points of ``get-metric-data`` name their metric only in a label or an id that the asker chose, those of ``get-metric-statistics`` in the
label; neither tells the dimensions, nor the period: ``period_seconds`` is how far apart the nearest points of the answer lie. A record of a
metric stream tells all, and four statistics at once: ``value`` is null. A point's time is the start of its period. A missing point is no
zero: many services report only what is not zero.

Follows "GetMetricData", "GetMetricStatistics" and "Datapoint" in the CloudWatch API Reference and "CloudWatch metric stream output in JSON
format" in the CloudWatch User Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, guarded
from kyumei.layouts.forms import Form, Forms
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import every_pair, shallow, tree
from kyumei.layouts.stamps import EPOCH, ISO
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from kyumei.contracts import Refused

TABLE = Table(
    "metric",
    "Values of CloudWatch metrics, one row for each point.",
    (
        Column("time", Kind.TIME, "The start of the period that the value is of.", origin="Timestamp"),
        Column("namespace", Kind.TEXT, "The namespace: AWS/ApplicationELB; null in answers, which do not tell it.", origin="namespace"),
        Column("metric", Kind.TEXT, "The metric: of an answer, the name at the end of its label.", origin="metric_name"),
        Column("dimensions", Kind.JSON, "The dimensions by name; null in answers.", origin="dimensions"),
        Column("stat", Kind.TEXT, "Average, Sum, p99...; null where the answer does not tell.", origin="Statistic"),
        Column("label", Kind.TEXT, "The label of the series.", origin="Label"),
        Column("id", Kind.TEXT, "The id that the asker gave to the series.", origin="Id"),
        Column("value", Kind.FLOAT, "The value of the statistic, in ``unit``.", origin="Value"),
        Column("unit", Kind.TEXT, "Seconds, Bytes, Count, Percent...; null where the answer does not tell.", origin="Unit"),
        Column(
            "period_seconds", Kind.INTEGER, "The distance of the nearest points of the answer; null for a single point.", origin="Period"
        ),
        Column("completeness", Kind.TEXT, "Complete, or PartialData where more is to be asked for.", origin="StatusCode"),
        Column("minimum", Kind.FLOAT, "The least value in the period.", origin="value.min"),
        Column("maximum", Kind.FLOAT, "The greatest value in the period.", origin="value.max"),
        Column("sum", Kind.FLOAT, "The sum of the values in the period.", origin="value.sum"),
        Column("sample_count", Kind.FLOAT, "How many values there were in the period.", origin="value.count"),
        Column("account", Kind.TEXT, "The account; null in answers.", Link.ACCOUNT, "account_id"),
        Column("region", Kind.TEXT, "The Region; null in answers.", origin="region"),
        Column("metric_stream", Kind.TEXT, "The metric stream that delivered it.", origin="metric_stream_name"),
    ),
)


def _float(raw: str) -> float | None:
    if not re.fullmatch(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?", raw):
        return None
    return float(raw)


FLOAT = guarded("number of any size", _float, r"-?[0-9]{1,15}(?:\.[0-9]{1,17})?", "TRY_CAST({x} AS DOUBLE)")
_NAME = r"(?:^|[^A-Za-z0-9_])((?:[0-9][0-9Xx]{2})?[A-Z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)$"
_LAST = re.compile(_NAME, re.ASCII)

POINTS = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "Timestamp", WHEN),
        one("stat", "Statistic"),
        one("label", "Label"),
        one("id", "Id"),
        one("value", "Value", FLOAT),
        one("unit", "Unit"),
        one("period_seconds", "Period", INTEGER),
        one("completeness", "StatusCode"),
    ),
    stamp_ways=(ISO, EPOCH),
    needs=frozenset({"Timestamp", "Value"}),
    plain=("time IS NOT NULL", "value IS NOT NULL"),
)
STREAM = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "timestamp", WHEN),
        one("namespace", "namespace"),
        one("metric", "metric_name"),
        tree("dimensions", "dimensions"),
        one("unit", "unit"),
        one("minimum", "value.min", FLOAT),
        one("maximum", "value.max", FLOAT),
        one("sum", "value.sum", FLOAT),
        one("sample_count", "value.count", FLOAT),
        one("account", "account_id"),
        one("region", "region"),
        one("metric_stream", "metric_stream_name"),
    ),
    stamp_ways=(EPOCH,),
    needs=frozenset({"metric_stream_name", "metric_name"}),
    plain=("time IS NOT NULL", "metric_stream IS NOT NULL", "metric IS NOT NULL", *shallow(("dimensions",))),
    made=every_pair,
)


def _finish(row: dict[str, Any]) -> dict[str, Any] | Refused:
    """The metric's name from the end of the label: ``app/shop/123 RequestCount``."""
    name = _LAST.search(row["label"] or "")
    return {**row, "metric": row["metric"] or (name[1] if name else None)}


LAYOUT = Forms(
    TABLE.columns,
    (Form(r'[ \t\r\n]*\{[ \t\r\n]*"metric_stream_name"', STREAM), Form("", POINTS)),
    _finish,
    {"metric": f"coalesce(nullif(metric, ''), nullif(regexp_extract(label, '{_NAME}', 1), ''))"},
    "metric IS NULL OR metric <> ''",
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """A point with its value as ``unwrap`` gives them, or a record of a metric stream."""
    if '"Timestamp"' not in text and '"metric_stream_name"' not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    if "metric_stream_name" in found:
        return {"namespace", "metric_name", "value"} <= found.keys()
    return {"Timestamp", "Value"} <= found.keys() and found.keys() <= _POINT_KEYS


_POINT_KEYS = frozenset({"Timestamp", "Value", "Statistic", "Label", "Id", "Unit", "Period", "StatusCode", "Messages"})

FORMAT = Format(
    name="metric",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html",
    hop="cloudwatch",
    delay_seconds=180,
    complete=False,
)
