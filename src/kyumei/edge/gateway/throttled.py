"""Whether Lambda throttled the function behind an API: what CloudWatch counted of it, and what it is limited to.

Follows "Types of metrics for Lambda functions" and "Configuring reserved concurrency for a function" in the AWS Lambda Developer Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.edge.documents import answers, qualifier
from kyumei.edge.gateway.setting import function_of
from kyumei.edge.gateway.steps import function_name
from kyumei.edge.metrics import reading
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kyumei.contracts import View
    from kyumei.edge.metrics import Point

METRIC, DIMENSION = "Throttles", "FunctionName"
LONGEST_PERIOD = 3600.0
"""Seconds of a period whose count still says something of one request: a day has a throttled run of some other hour."""


def throttled(view: View, row: Mapping[str, Any]) -> Iterator[tuple[bool | None, Evidence]]:
    """What speaks for a throttled function, where it is known which: its metric in that minute, and a reserved concurrency."""
    arn = str(row.get("function_arn") or "") or function_of(view, row)
    name = function_name(arn).partition(":")[0]
    if not name or row.get("time") is None:
        return
    bare = f"{arn.partition(':function:')[0]}:function:{name}"  # The metric is of the function, whichever alias was called.
    found = reading(view, METRIC, [row["time"]], [bare], lambda point: not _tells(point, name))
    if found and found.peak > 0:
        yield True, Evidence(f"CloudWatch agrees for function {name}: {found.words}", found.citations, total=len(found.points))
    for document, where in answers(view, "lambda", "get-function-concurrency"):
        reserved = document.get("ReservedConcurrentExecutions")
        if isinstance(reserved, int) and _word(name, qualifier(where)):
            says = f"The function has a reserved concurrency of {reserved}"
            yield (True if reserved == 0 else None), Evidence(says, (where,), total=1)


def _tells(point: Point, name: str) -> bool:
    """Whether a point tells of the function, and of a time that is short; a label that names only the metric does not tell whose it is."""
    if point.period_seconds > LONGEST_PERIOD:
        return False
    told = dict(point.dimensions).get(DIMENSION)
    return told == name if told else _word(name, point.told)


def _word(name: str, text: str) -> bool:
    """Whether a text names the function: what goes on with a hyphen is another one's name, save for that of the metric."""
    return re.search(rf"(?<![A-Za-z0-9_-]){re.escape(name)}(?![A-Za-z0-9_]|-(?!(?i:throttles))[A-Za-z0-9])", text) is not None
