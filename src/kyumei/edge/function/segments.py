"""Runs of a Lambda function as X-Ray has them: segments, or spans of the log group ``aws/spans``, of one trace.

A trace has a segment of each function that took part, the authorizer's and those that the function itself called among them. Lambda writes
two of a run, one of the service and one of the function. A client that asks several times does so in one trace.

Follows "Visualize Lambda function invocations using AWS X-Ray" in the AWS Lambda Developer Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.edge.function.log import SAID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from kyumei.contracts import View

Row = dict[str, Any]
ORIGINS = ("AWS::Lambda::Function", "AWS::Lambda")
"""What X-Ray calls a run: that of the function itself, and that of the service that called it."""


def of_trace(view: View, trace: object, start: datetime, end: datetime, function: str = "") -> tuple[list[Row], bool]:
    """The segments of functions in a trace that began from ``start`` to ``end``, and whether it is settled that they are the function's.

    ``function`` is its name, with its alias or without; empty where nothing tells it: then all must be of one.
    """
    if not trace or not view.has("xray_segment"):
        return [], False
    rows = view.rows(
        "SELECT _artifact, _line, time, name, origin, duration_seconds, is_fault, error_type, error_text FROM xray_segment "
        f"WHERE trace_id = ? AND time BETWEEN ? AND ? AND origin IN {ORIGINS} AND NOT coalesce(is_in_progress, false) "
        "ORDER BY time, _artifact, _line LIMIT 20",
        *(str(trace), start, end),
    )
    bare = function.partition(":")[0]
    own = [row for row in rows if not bare or str(row["name"]).partition(":")[0] == bare]
    return own, bool(own) and (bool(bare) or len({row["name"] for row in own}) == 1)


def all_alike(segments: Sequence[Row], one: Row, told: Callable[[Row], bool]) -> bool:
    """Whether all runs that this segment may be mistaken for tell the same: else it may be that of another request of the trace."""
    return all(told(other) for other in segments if other["origin"] == one["origin"])


def longest(segments: Sequence[Row]) -> Row | None:
    """The segment that took longest; null where none ended."""
    return max((one for one in segments if one["duration_seconds"] is not None), key=lambda one: one["duration_seconds"], default=None)


def failed(segments: Sequence[Row]) -> tuple[Row, str] | None:
    """The segment that says that the run failed, the function's own first, and what it says of why."""
    bad = sorted((one for one in segments if one["is_fault"]), key=lambda one: (not one["error_text"], ORIGINS.index(one["origin"])))
    if not bad:
        return None
    words = ": ".join(str(part) for part in (bad[0]["error_type"], bad[0]["error_text"]) if part)
    return bad[0], (words.splitlines() or [""])[0][:SAID]
