"""The lines of a case that tell of processes around failing requests, read through the view, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.edge.literals import literal
from kyumei.edge.server.process_events import PREFILTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import View

MOST = 5000
_OF = {
    "app_log": ("NULL", "''"),
    "syslog": ("program", "coalesce(host, '')"),
    "json_lines": ("program", "coalesce(_extra->>'$._HOSTNAME', _extra->>'$.hostname', '')"),
}
"""Per table: who wrote the line, and the host as it calls itself."""


def process_lines(view: View, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Lines of [start, end] that a sign of ``process_events`` may fit, with ``where`` as ``host|file``.

    A line of gunicorn inside syslog stands in both tables: it is taken as the application's, with syslog's host.
    """
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for table, (program, host) in _OF.items():
        for row in view.rows(
            f'SELECT _artifact, _line, time, pid, message, {program} AS program, {host} AS host FROM "{table}" '
            f"WHERE time BETWEEN ? AND ? AND regexp_matches(message, {literal(PREFILTER)}) ORDER BY time, _artifact, _line LIMIT {MOST}",
            start,
            end,
        ):
            place = (row["_artifact"], row["_line"])
            if place in found:
                found[place]["host"] = found[place]["host"] or row["host"]
            else:
                found[place] = row
    names = _names(view, list(found.values()))
    for row in found.values():
        row["where"] = f"{row['host']}|{names.get(row['_artifact'], '')}"
    return sorted(found.values(), key=lambda row: row["time"])


def _names(view: View, rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """The file of each artifact, as the case names it."""
    one_of = {row["_artifact"]: row for row in rows}
    return {artifact: view.cite([row], 1)[0].file for artifact, row in one_of.items()}


def speaks_of_kernel(view: View, start: datetime, end: datetime) -> bool:
    """Whether a log in the case holds lines of the kernel, and covers the span: then a kill for memory would stand in it."""
    for table, program in (("syslog", "program"), ("json_lines", "program")):
        kernel = view.rows(f"SELECT count(*) AS n FROM \"{table}\" WHERE {program} = 'kernel'")[0]["n"]
        around = view.rows(f'SELECT min(time) <= ? AND max(time) >= ? AS covers FROM "{table}" WHERE program IS NOT NULL', start, end)
        if kernel and around and around[0]["covers"]:
            return True
    return False
