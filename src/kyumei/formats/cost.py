"""Costs from Cost Explorer: one row for each period, group and metric of ``get-cost-and-usage``.

A period is a day, a month or an hour, from ``time`` up to and without ``end_time``, in UTC. Amounts are estimated until the bill is closed,
and appear up to a day late. Without grouping ``group_keys`` is null and the amount is that of everything that was asked for.

Follows "GetCostAndUsage" in the AWS Billing and Cost Management API Reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import Cast, parse_iso, quoted
from kyumei.layouts.clocks import ISO_TIME
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import BOOLEAN, PIECE, every_pair, strings
from kyumei.layouts.stamps import ISO, Stamp
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TABLE = Table(
    "cost",
    "What AWS charged, one row for each period, group and metric.",
    (
        Column("time", Kind.TIME, "The start of the period.", origin="TimePeriod.Start"),
        Column("end_time", Kind.TIME, "The end of the period, which is no part of it.", origin="TimePeriod.End"),
        Column("metric", Kind.TEXT, "UnblendedCost, AmortizedCost, UsageQuantity...", origin="Metrics"),
        Column("amount", Kind.FLOAT, "The amount, in ``unit``.", origin="Amount"),
        Column("unit", Kind.TEXT, "The currency, USD; of a usage quantity its unit, or N/A.", origin="Unit"),
        Column("group_keys", Kind.LIST, "The group, in the order of ``grouped_by``; null when not grouped.", origin="Keys"),
        Column("grouped_by", Kind.LIST, "What was grouped by: SERVICE, LINKED_ACCOUNT, a tag...", origin="GroupDefinitions[].Key"),
        Column("aws_service", Kind.TEXT, "The service where grouped by it: Amazon Relational Database Service.", origin="SERVICE"),
        Column("account", Kind.TEXT, "The account where grouped by it.", Link.ACCOUNT, "LINKED_ACCOUNT"),
        Column("region", Kind.TEXT, "The Region where grouped by it.", origin="REGION"),
        Column("usage_type", Kind.TEXT, "The usage type where grouped by it: APN1-DataTransfer-Out-Bytes.", origin="USAGE_TYPE"),
        Column("is_estimated", Kind.BOOLEAN, "Whether the amount may still change.", origin="Estimated"),
    ),
)
GROUPS = {"aws_service": "SERVICE", "account": "LINKED_ACCOUNT", "region": "REGION", "usage_type": "USAGE_TYPE"}
"""Columns that are filled where the bill is grouped so."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _moment(raw: str) -> datetime | None:
    parsed = parse_iso(f"{raw}T00:00:00Z" if _DAY.fullmatch(raw) else raw)
    return parsed[0] if parsed else None


DAY = Cast(
    "day or time",
    _moment,
    f"CASE WHEN regexp_full_match({{x}}, '[12][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]') THEN TRY_CAST({{x}} AS TIMESTAMP) "
    f"WHEN regexp_full_match({{x}}, '[^ ,]*') THEN {ISO_TIME.sql} END",
)
_LONGEST = 40


def _amount(raw: str) -> float | None:
    return float(raw) if len(raw) < _LONGEST and re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?", raw) else None


AMOUNT = Cast("amount", _amount, r"CASE WHEN regexp_full_match({x}, '-?[0-9]{1,15}(?:\.[0-9]{1,20})?') THEN TRY_CAST({x} AS DOUBLE) END")
_TEXT = r'"(?:[^"\\]|\\[^u])*"'
_KEYS = rf"(?:null|\[(?:{_TEXT}(?:,{_TEXT})*)?\])"
_GROUP = rf'\{{"Type":{_TEXT},"Key":{_TEXT}\}}'
_DEFINITIONS = rf"(?:null|\[(?:{_GROUP}(?:,{_GROUP})*)?\])"


def _derive(document: Mapping[str, Any], _values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The group, and what its parts are where they are of the usual sorts."""
    keys, by = strings(document.get("Keys")), strings(document.get("GroupDefinitions"), "Key")
    named = dict(reversed([*zip(by or (), keys or (), strict=False)])) if len(keys or ()) == len(by or ()) else {}
    return {"group_keys": keys, "grouped_by": by, **{column: named.get(key) for column, key in GROUPS.items()}}, set()


LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "TimePeriod.Start", DAY),
        one("end_time", "TimePeriod.End", DAY),
        one("metric", "Metric"),
        one("amount", "Amount", AMOUNT),
        one("unit", "Unit"),
        one("_group", "Keys", PIECE, shape=_KEYS),
        one("_definitions", "GroupDefinitions", PIECE, shape=_DEFINITIONS),
        one("is_estimated", "Estimated", BOOLEAN),
    ),
    stamp_ways=(Stamp("day in UTC", lambda window, _offsets: tuple(sorted({text[:10] for text in ISO.find(window, ())}))),),
    needs=frozenset({"TimePeriod", "Metric", "Amount"}),
    derive=_derive,
    steps=(
        {
            "group_keys": "nullif(from_json(_group, '[\"VARCHAR\"]'), [])",
            "grouped_by": 'nullif(list_transform(from_json(_definitions, \'[{"Key":"VARCHAR"}]\'), lambda one: one."Key"), [])',
        },
        {
            column: f"CASE WHEN len(group_keys) = len(grouped_by) THEN group_keys[list_position(grouped_by, {quoted(key)})] END"
            for column, key in GROUPS.items()
        },
    ),
    plain=("time IS NOT NULL", "amount IS NOT NULL", "metric IS NOT NULL"),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """An amount of a metric in a period, as ``unwrap`` gives them."""
    if '"TimePeriod"' not in text or '"Amount"' not in text:
        return False
    found = parse_object(text)
    return isinstance(found, dict) and {"TimePeriod", "Metric", "Amount"} <= found.keys() and isinstance(found["TimePeriod"], dict)


FORMAT = Format(
    name="cost",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html",
    hop="billing",
    delay_seconds=86400,
    complete=False,
)
