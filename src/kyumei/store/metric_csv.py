"""CloudWatch metrics as the console saves a graph, and as scripts write them: a CSV with one row for each time, one column for each series.

Above the rows of times stand rows that tell of the series what their first cell says: the label, the whole label, the period, the unit.
Each value becomes a point as GetMetricData gives it. Times have no zone, and are taken for UTC, which is what the console shows unless it
is told otherwise. An empty cell is a missing point, and no zero.

Follows "Graph metrics" in the Amazon CloudWatch User Guide and "MetricDataResult" in the CloudWatch API Reference.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, NamedTuple

from kyumei.layouts.casts import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE = re.compile(r"\ufeff?([^\r\n]{1,4000})(?:\r?\n|\Z)")
_TIME = re.compile(
    r'"?([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[ T]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(Z|[+-][0-9]{2}:?[0-9]{2})?"?\Z',
    re.ASCII,
)
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_PERIOD = re.compile(r"[0-9]{1,6}", re.ASCII)
_NAMED = re.compile(r"(?:^|[\s.:/])(?:[0-9][0-9Xx]{2})?[A-Z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*(?: \([A-Za-z0-9.]+\))?\Z", re.ASCII)
TOLD = frozenset({"full label", "label", "id", "period", "unit", "statistic", "stat", "metric name", "region", "account id", "namespace"})
"""What the first cell of a row above the times may say, in small letters."""
TIMES = frozenset({"time", "timestamp", "date", "time (utc)", "timestamp (utc)"})
MOST_ROWS = 12
"""Rows that may stand above the times."""


class Columns(NamedTuple):
    """What the rows above the times tell, by their first cell in small letters; and where the times begin."""

    told: dict[str, list[str]]
    at: int


def metric_columns(text: str) -> Columns | None:
    """What is told of the series, where the text begins as such a CSV does; null for any other text."""
    if not (found := _LINE.match(text)) or "," not in found[1]:
        return None
    told: dict[str, list[str]] = {}
    at = 0
    while len(told) <= MOST_ROWS and (found := _LINE.match(text, at)):
        cells = _cells(found[1])
        if _TIME.match(cells[0]):
            return Columns(told, at) if _of_metrics(told, cells) else None
        head = cells[0].lower()
        if head not in TOLD | TIMES | {""} or head in told:
            return None
        told[head], at = cells[1:], found.end()
    return None


def _cells(line: str) -> list[str]:
    """The cells of a row above the times, and of the first of these; a label may hold commas, in quotes."""
    return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True), [""])]


def _of_metrics(told: dict[str, list[str]], cells: Sequence[str]) -> bool:
    """Whether rows of numbers stand below labels, or below the names of metrics."""
    numbers = [cell for cell in cells[1:] if cell]
    if not numbers or not all(_NUMBER.fullmatch(cell) for cell in numbers):
        return False
    if "label" in told or "full label" in told:
        return True
    named = next((told[head] for head in sorted(TIMES) if head in told), [])
    return len(told) == 1 and len(named) == len(cells) - 1 and all(_NAMED.search(name) for name in named)


def points_of(columns: Columns, cells: Sequence[str]) -> list[str] | None:
    """The points of one row, each as the JSON of a point; null of a row that is not a time and numbers."""
    stamp, values = _TIME.match(cells[0].strip()) if cells else None, [cell.strip() for cell in cells[1:]]
    if not stamp or not all(_NUMBER.fullmatch(value) for value in values if value):
        return None
    time = f"{stamp[1]}-{stamp[2]}-{stamp[3]}T{stamp[4]}{':00' if len(stamp[4]) == len('00:00') else ''}{stamp[5] or 'Z'}"
    found = []
    for number, value in enumerate(values):
        if value:
            about = _about(columns, number)[1:-1]
            # A number as it stands: its digits are not to change on the way.
            found.append(f'{{"Timestamp":"{time}","Value":{value}{"," if about else ""}{about}}}')
    return found


def _about(columns: Columns, number: int) -> str:
    """What is told of one series, as JSON."""

    def told(*heads: str) -> str | None:
        rows = (columns.told[head] for head in heads if head in columns.told)
        return next((row[number] for row in rows if number < len(row) and row[number]), None)

    period = told("period")
    found = {
        "Label": told("full label", "label", *sorted(TIMES)),
        "Id": told("id"),
        "Unit": told("unit"),
        "Statistic": told("statistic", "stat"),
        "Period": int(period) if period and _PERIOD.fullmatch(period) else None,
    }
    return to_json({key: value for key, value in found.items() if value is not None}) or "{}"
