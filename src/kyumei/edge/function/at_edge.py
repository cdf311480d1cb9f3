"""Failed runs of a Lambda@Edge function, by its own log.

The log lies in the Region where the function ran, in a group named after the Region that the function belongs to:
``/aws/lambda/us-east-1.name``. CloudFront's id of the request stands in it only where the function prints it, so a run is taken for that
of a request where it ended while CloudFront had the request. Follows "Edge function logs" in the Amazon CloudFront Developer Guide.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.function import log

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from kyumei.contracts import View

Row = dict[str, Any]
OWNER = "us-east-1."
"""What stands before the name of such a function in its log group: functions at the edge belong to that Region."""
NEAR = timedelta(seconds=1.5)
"""CloudFront's log keeps whole seconds."""
LOOKED_AT = 5
MOSTLY = 0.5
"""Share of the requests that must have a failed run: failures of another site's requests do not keep step with these."""


def edge_name(group: str) -> str:
    """The name of a function as CloudFront has it, from that of its log group.

    >>> edge_name("us-east-1.session-check")
    'session-check'
    """
    return group.removeprefix(OWNER)


def failed_runs(view: View, rows: Sequence[Mapping[str, object]], names: Collection[str]) -> list[Row]:
    """The lines that say that runs failed while CloudFront had these requests; ``names`` are the behavior's functions, if told.

    Where the behavior's functions are not told, only a log whose group is that of a function at the edge counts, and only one function.
    """
    found: list[Row] = []
    met = 0
    known = log.functions(view)
    for row in rows[:LOOKED_AT]:
        ended: Any = row["time"]
        seconds = row.get("request_seconds")
        began = ended - timedelta(seconds=min(float(seconds), 60.0) if isinstance(seconds, int | float) else 0.0)
        own = [line for line in log.between(view, began - NEAR, ended + NEAR) if log.ended_badly(line)]
        own = [line | {"function": _told(view, line, names, known)} for line in own]
        own = [line for line in own if (edge_name(line["function"]) in names if names else line["function"].startswith(OWNER))]
        met += bool(own)
        found += own
    told = {line["function"] for line in found}
    return found if found and met >= MOSTLY * min(len(rows), LOOKED_AT) and len(told) == 1 else []


def _told(view: View, line: Row, wanted: Collection[str], known: Mapping[int, set[str]]) -> str:
    """The function that a line is of, as far as the line, its whole file or that file's name tells one only; empty where none does."""
    names = {str(line["function"])} if line["function"] else known.get(line["_artifact"], set())
    if not names and (cited := view.cite([line], 1)):
        names = {name for name in wanted if re.search(rf"(?<![A-Za-z0-9_-]){re.escape(name)}(?![A-Za-z0-9_-])", cited[0].file)}
    return next(iter(names)) if len(names) == 1 else ""
