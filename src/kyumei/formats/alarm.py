"""CloudWatch alarms: changes of their state, what was done or configured, and the state in which they were described.

A change comes by SNS (the message of the notification), by EventBridge (``CloudWatch Alarm State Change``) or in the answer of
``describe-alarm-history``, which goes back 30 days; ``describe-alarms`` tells the present state and since when. ``kind`` says which it is.
A composite alarm has a rule and no metric. An alarm goes off after its periods have ended: ``time`` is minutes later than the cause.

Follows "Alarm events and EventBridge", "AlarmHistoryItem" and "MetricAlarm" in the CloudWatch User Guide and API Reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, guarded, quoted
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import JsonRecord, one, parse_object, without
from kyumei.layouts.json_tree import PIECE, every_pair, objects
from kyumei.layouts.stamps import EPOCH, ISO
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "alarm",
    "What CloudWatch alarms did, and the states in which they were described.",
    (
        Column("time", Kind.TIME, "When the state changed, or the action was taken.", origin="StateChangeTime, Timestamp"),
        Column("alarm", Kind.TEXT, "The alarm's name.", origin="AlarmName"),
        Column(
            "kind",
            Kind.TEXT,
            "state_change, action or configuration; state where the alarm was only described.",
            origin="HistoryItemType",
        ),
        Column("state", Kind.TEXT, "OK, ALARM or INSUFFICIENT_DATA.", origin="NewStateValue"),
        Column("previous_state", Kind.TEXT, "The state before; null when not told.", origin="OldStateValue"),
        Column("reason", Kind.TEXT, "Why, in CloudWatch's words, with the values.", origin="NewStateReason"),
        Column("summary", Kind.TEXT, "What the history says of it.", origin="HistorySummary"),
        Column("namespace", Kind.TEXT, "The namespace of the metric.", origin="Trigger.Namespace"),
        Column("metric", Kind.TEXT, "The metric; the first where the alarm computes on several.", origin="Trigger.MetricName"),
        Column("dimension_values", Kind.LIST, "The metric's dimensions, each as name=value.", origin="Trigger.Dimensions"),
        Column("stat", Kind.TEXT, "Average, Sum, p99...", origin="Trigger.Statistic"),
        Column("comparison", Kind.TEXT, "GreaterThanThreshold and so on.", origin="Trigger.ComparisonOperator"),
        Column("threshold", Kind.FLOAT, "What the values are compared with.", origin="Trigger.Threshold"),
        Column("period_seconds", Kind.INTEGER, "The period of one value.", origin="Trigger.Period"),
        Column("evaluation_periods", Kind.INTEGER, "How many periods are looked at.", origin="Trigger.EvaluationPeriods"),
        Column("datapoints_to_alarm", Kind.INTEGER, "How many of them must be breached.", origin="Trigger.DatapointsToAlarm"),
        Column("missing_data", Kind.TEXT, "What a missing value counts as.", origin="Trigger.TreatMissingData"),
        Column("alarm_rule", Kind.TEXT, "The rule of a composite alarm.", origin="AlarmRule"),
        Column("description", Kind.TEXT, "What its owner wrote.", origin="AlarmDescription"),
        Column("alarm_arn", Kind.TEXT, "The alarm's ARN.", Link.RESOURCE, "AlarmArn"),
        Column("account", Kind.TEXT, "The account.", Link.ACCOUNT, "AWSAccountId"),
        Column("region", Kind.TEXT, "The Region, as its ARN or the event tells it.", origin="AlarmArn"),
    ),
)

_ARN = re.compile(r"arn:[^:]*:cloudwatch:([a-z0-9-]+):([0-9]{12}):alarm:", re.ASCII)
_KINDS = {"StateUpdate": "state_change", "Action": "action", "ConfigurationUpdate": "configuration"}
_STATISTICS = {"AVERAGE": "Average", "SUM": "Sum", "MINIMUM": "Minimum", "MAXIMUM": "Maximum", "SAMPLE_COUNT": "SampleCount"}


def _float(raw: str) -> float | None:
    return float(raw) if re.fullmatch(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?", raw) else None


NUMBER = guarded("threshold", _float, r"-?[0-9]{1,15}(?:\.[0-9]{1,17})?", "TRY_CAST({x} AS DOUBLE)")


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The value as an object: of a text the object that it is the JSON of, of anything else an empty one."""
    if isinstance(value, str):
        found = parse_object(value, every_pair)
        return found if isinstance(found, dict) else {}
    return value if isinstance(value, dict) else {}


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """The record in the words of the notification, wherever it came from; what has no word there stays as it is."""
    if "detail-type" in document:
        return _of_event(document)
    if "HistoryItemType" in document:
        return _of_history(document)
    if "StateValue" in document:
        return _of_description(document)
    trigger = _object(document.get("Trigger"))
    metric = next((stat for item in objects(trigger.get("Metrics")) if (stat := _object(item.get("MetricStat")))), None)
    if metric is None:
        return document
    return {**document, "Trigger": {**trigger, **_of_metric_stat(metric)}}


def _of_metric_stat(stat: Mapping[str, Any]) -> dict[str, Any]:
    """Metric, namespace, dimensions, period and statistic of a query's ``MetricStat``, however it spells them."""
    named = {key.lower(): value for key, value in stat.items()}
    metric = {key.lower(): value for key, value in _object(named.get("metric")).items()}
    about = {
        "MetricName": metric.get("metricname", metric.get("name")),
        "Namespace": metric.get("namespace"),
        "Dimensions": metric.get("dimensions"),
        "Period": named.get("period"),
        "Statistic": named.get("stat"),
    }
    return {key: value for key, value in about.items() if value is not None}


def _of_event(document: Mapping[str, Any]) -> dict[str, Any]:
    detail, resources = _object(document.get("detail")), document.get("resources")
    state, before, own = (_object(detail.get(key)) for key in ("state", "previousState", "configuration"))
    metric = next((stat for item in objects(own.get("metrics")) if (stat := _object(item.get("metricStat")))), {})
    found = {
        "AlarmName": detail.get("alarmName"),
        "AlarmArn": resources[0] if isinstance(resources, list) and resources else None,
        "AlarmDescription": own.get("description"),
        "AlarmRule": own.get("alarmRule"),
        "AWSAccountId": document.get("account"),
        "Region": document.get("region"),
        "StateChangeTime": state.get("timestamp", document.get("time")),
        "NewStateValue": state.get("value"),
        "NewStateReason": state.get("reason"),
        "OldStateValue": before.get("value"),
        "Trigger": _of_metric_stat(metric) or None,
    }
    return {**without(document, _EVENT_PATHS), **{key: value for key, value in found.items() if value is not None}}


_EVENT_PATHS = {
    *("version", "source", "detail-type", "account", "time", "region", "resources"),
    *("detail.alarmName", "detail.configuration.description", "detail.configuration.alarmRule", "detail.configuration.metrics"),
    *(f"detail.{state}.{key}" for state in ("state", "previousState") for key in ("value", "reason", "reasonData", "timestamp")),
}
"""Parts of an event that a column is filled from, or that say nothing more."""


def _of_history(document: Mapping[str, Any]) -> dict[str, Any]:
    data = _object(document.get("HistoryData"))
    new, old = _object(data.get("newState")), _object(data.get("oldState"))
    found = {
        "NewStateValue": new.get("stateValue", data.get("stateUpdate")),
        "NewStateReason": new.get("stateReason"),
        "OldStateValue": old.get("stateValue"),
        "StateChangeTime": document.get("Timestamp"),
    }
    return {**{key: value for key, value in document.items() if key != "Timestamp"}, **{k: v for k, v in found.items() if v is not None}}


_TRIGGER = ("MetricName", "Namespace", "Statistic", "Dimensions", "Period", "EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator")
_DESCRIBED = {"StateValue": "NewStateValue", "StateReason": "NewStateReason"}
_SINCE = ("StateTransitionedTimestamp", "StateUpdatedTimestamp")


def _of_description(document: Mapping[str, Any]) -> dict[str, Any]:
    trigger = {key: document[key] for key in (*_TRIGGER, "Threshold", "TreatMissingData") if document.get(key) is not None}
    if document.get("ExtendedStatistic"):
        trigger["Statistic"] = document["ExtendedStatistic"]
    for item in objects(document.get("Metrics")):
        if (stat := _object(item.get("MetricStat"))) and "MetricName" not in trigger:
            trigger |= _of_metric_stat(stat)
    since = next((document[key] for key in _SINCE if document.get(key) is not None), None)
    renamed = {_DESCRIBED.get(key, key): value for key, value in document.items() if key not in trigger and key != "ExtendedStatistic"}
    return {**renamed, **({"Trigger": trigger} if trigger else {}), "StateChangeTime": since, "HistoryItemType": "described"}


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The kind of record, the dimensions in one spelling, what the ARN tells."""
    where = _ARN.match(values["alarm_arn"] or "")
    sort = document.get("HistoryItemType")
    found: dict[str, Any] = {
        "kind": "state" if sort == "described" else _KINDS.get(str(sort), str(sort)) if sort is not None else "state_change",
        "dimension_values": _dimensions(_object(document.get("Trigger")).get("Dimensions")),
        "stat": _STATISTICS.get(values["_stat"] or "", values["_stat"]),
        "account": values["_account"] or (where[2] if where else None),
        "region": (where[1] if where else None) or values["_region"],
    }
    return found, {"HistoryItemType"}


def _dimensions(written: Any) -> list[str] | None:  # noqa: ANN401 - any JSON value
    if isinstance(written, dict):
        return [f"{name}={value}" for name, value in written.items()] or None
    pairs = [{key.lower(): value for key, value in item.items()} for item in objects(written)]
    return [f"{pair.get('name')}={pair.get('value')}" for pair in pairs] or None


_TEXT = r'"[^"\\]*"'
_PAIR = rf'\{{"value":{_TEXT},"name":{_TEXT}\}}'
_KNOWN = frozenset(
    {
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "AlarmConfigurationUpdatedTimestamp",
        "AlarmType",
        "HistoryData",
        "ActionsEnabled",
        "StateReasonData",
        *_SINCE,
        *(f"Trigger.{key}" for key in ("StatisticType", "Unit", "EvaluateLowSampleCountPercentile")),
    }
)
_WORDS = " ".join(f"WHEN {quoted(word)} THEN {quoted(name)}" for word, name in _STATISTICS.items())
_WHERE = "^arn:[^:]*:cloudwatch:([a-z0-9-]+):([0-9]{12}):alarm:"

LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "StateChangeTime", WHEN),
        one("alarm", "AlarmName"),
        one("state", "NewStateValue"),
        one("previous_state", "OldStateValue"),
        one("reason", "NewStateReason"),
        one("summary", "HistorySummary"),
        one("namespace", "Trigger.Namespace"),
        one("metric", "Trigger.MetricName"),
        one("_dimensions", "Trigger.Dimensions", PIECE, shape=rf"(?:null|\[(?:{_PAIR}(?:,{_PAIR})*)?\])"),
        one("_stat", "Trigger.Statistic"),
        one("comparison", "Trigger.ComparisonOperator"),
        one("threshold", "Trigger.Threshold", NUMBER),
        one("period_seconds", "Trigger.Period", INTEGER),
        one("evaluation_periods", "Trigger.EvaluationPeriods", INTEGER),
        one("datapoints_to_alarm", "Trigger.DatapointsToAlarm", INTEGER),
        one("missing_data", "Trigger.TreatMissingData"),
        one("_metrics", "Trigger.Metrics", PIECE, shape="null"),
        one("alarm_rule", "AlarmRule"),
        one("description", "AlarmDescription"),
        one("alarm_arn", "AlarmArn"),
        one("_account", "AWSAccountId"),
        one("_region", "Region"),
    ),
    stamp_ways=(ISO, EPOCH),
    known=_KNOWN,
    needs=frozenset({"AlarmName"}),
    prepare=_prepare,
    derive=_derive,
    steps=(
        {
            "kind": "'state_change'",
            "dimension_values": 'nullif(list_transform(from_json(_dimensions, \'[{"name":"VARCHAR","value":"VARCHAR"}]\'), '
            "lambda one: one.name || '=' || one.value), [])",
            "stat": f"CASE _stat {_WORDS} ELSE _stat END",
            "account": f"coalesce(nullif(_account, ''), nullif(regexp_extract(alarm_arn, '{_WHERE}', 2), ''))",
            "region": f"coalesce(nullif(regexp_extract(alarm_arn, '{_WHERE}', 1), ''), _region)",
        },
    ),
    plain=("alarm IS NOT NULL", "state IS NOT NULL", "time IS NOT NULL", "summary IS NULL", "coalesce(_region, 'x') <> ''"),
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """An alarm's notification, event, item of its history, or description."""
    if "larmName" not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    if "detail-type" in found:
        return found.get("source") == "aws.cloudwatch" and str(found["detail-type"]).startswith("CloudWatch Alarm") and "detail" in found
    return "AlarmName" in found and any(key in found for key in ("NewStateValue", "HistoryItemType", "StateValue"))


FORMAT = Format(
    name="alarm",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html",
    hop="cloudwatch",
    delay_seconds=60,
    complete=False,
)
