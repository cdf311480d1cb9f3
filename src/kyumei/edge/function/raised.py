"""The error that ended a process: it stands some lines above the last one that the process wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View
    from kyumei.edge.server.process_events import Event

_ERROR = re.compile(r"^\s*(?:Uncaught )?(?P<error>[A-Za-z]*(?:Error|Exception)(?: \[\w+\])?: .{1,200})", re.MULTILINE)
TRACE_LINES = 60
"""Lines above the last one of a trace in which the error stands."""


def raised_by(view: View, event: Event) -> tuple[str, Mapping[str, Any]] | None:
    """The error that ended a process, as the lines above its last one tell it, and the line."""
    last = event.rows[0]
    for table in ("app_log", "syslog", "json_lines"):
        rows = view.rows(
            f"SELECT _artifact, _line, message FROM {table} WHERE _artifact = ? AND _line BETWEEN ? AND ? AND message IS NOT NULL "
            "AND time >= ?::TIMESTAMP - INTERVAL 5 SECOND ORDER BY _line DESC",
            *(last["_artifact"], last["_line"] - TRACE_LINES, last["_line"], event.time),
        )
        for row in rows:
            if said := _ERROR.search(row["message"]):
                return said["error"].strip(), row
    return None
