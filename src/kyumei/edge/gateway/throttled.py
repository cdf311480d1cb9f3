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


def throttled(view: View, row: Mapping[str, Any]) -> Iterator[tuple[bool | None, Evidence]]:
    """What speaks for a throttled function, where it is known which: its metric in that minute, and a reserved concurrency."""
    name = function_name(str(row.get("function_arn") or "") or function_of(view, row)).partition(":")[0]
    if not name or row.get("time") is None:
        return
    found = reading(view, METRIC, [row["time"]], [f"function:{name}"], lambda point: not _names(point, name))
    if found and found.peak > 0:
        yield True, Evidence(f"CloudWatch agrees for function {name}: {found.words}", found.citations, total=len(found.points))
    for document, where in answers(view, "lambda", "get-function-concurrency"):
        reserved = document.get("ReservedConcurrentExecutions")
        if isinstance(reserved, int) and _word(name, qualifier(where)):
            says = f"The function has a reserved concurrency of {reserved}"
            yield (True if reserved == 0 else None), Evidence(says, (where,), total=1)


def _names(point: Point, name: str) -> bool:
    """Whether a point tells that it is the function's; a label that names only the metric does not."""
    told = dict(point.dimensions).get(DIMENSION)
    return told == name if told else _word(name, point.told)


def _word(name: str, text: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9_-]){re.escape(name)}(?![A-Za-z0-9_]|-(?!(?i:throttles))[a-z0-9])", text) is not None
