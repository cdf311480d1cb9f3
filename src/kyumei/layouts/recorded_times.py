"""Times in AWS's answers as the CLI prints them, with a zone or as seconds since 1970, and as tools keep them that record answers.

The latter write an object for each: ``{"__class__": "datetime", "year": 2025, …}``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kyumei.layouts.casts import ISO_OFFSET, Cast
from kyumei.layouts.clocks import parse_any_iso
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_tree import every_pair

_MARK = "__class__"
_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")
_DEEPEST = 12


def _instant(raw: str) -> datetime | None:
    """A time with a zone, or seconds since 1970; what is local to somebody is no instant."""
    parsed = parse_any_iso(raw)
    if parsed:
        return parsed[0] if parsed[1] else None
    found: datetime | None = WHEN.python(raw)
    return found


INSTANT = Cast("time with a zone, or since 1970", _instant, ISO_OFFSET.sql)


def with_times(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON value
    """The value with such objects as ISO times in UTC; one that is no time stays as it is."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        if value.get(_MARK) == "datetime":
            return _written(value)
        return every_pair([(key, with_times(item, depth + 1) if isinstance(item, dict | list) else item) for key, item in value.items()])
    return [with_times(item, depth + 1) for item in value] if isinstance(value, list) else value


def _written(parts: dict[str, Any]) -> Any:  # noqa: ANN401 - an ISO time, or the object
    numbers = [parts.get(name, 0) for name in _PARTS]
    if not all(isinstance(number, int) for number in numbers):
        return parts
    try:
        year, month, day, hour, minute, second, micros = numbers
        return datetime(year, month, day, hour, minute, second, micros, tzinfo=UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return parts
