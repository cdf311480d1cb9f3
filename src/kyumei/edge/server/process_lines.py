"""The lines of a case that tell of processes around failing requests, read through the view, each once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.literals import literal
from kyumei.edge.server.process_signs import PREFILTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import View

MOST = 5000
STEP = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as times stand in the tables: in UTC, without saying so
_OF = {
    "app_log": ("NULL", "''"),
    "syslog": ("program", "coalesce(host, '')"),
    "json_lines": ("program", "coalesce(_extra->>'$._HOSTNAME', _extra->>'$.hostname', '')"),
}
"""Per table: who wrote the line, and the host as it calls itself."""


def process_lines(view: View, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Lines of [start, end] that a sign of ``process_signs`` may fit, with ``where`` as ``host|file``.

    A line of gunicorn inside syslog stands in both tables: it is taken as the application's, with syslog's host.
    """
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for table in _OF:
        for row in _lines(view, table, start, end):
            place = (row["_artifact"], row["_line"])
            if place in found:
                found[place]["host"] = found[place]["host"] or row["host"]
            else:
                found[place] = row
    names = _names(view, list(found.values()))
    for row in found.values():
        row["where"] = f"{row['host']}|{names.get(row['_artifact'], '')}"
    return sorted(found.values(), key=lambda row: row["time"])


def _lines(view: View, table: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """The lines of one table in [start, end], in their order, the first MOST of them.

    They are asked for from one full quarter of an hour to another: several rules ask about nearly the same time, and the view remembers.
    """
    if not view.has(table):
        return []
    program, host = _OF[table]
    sql = (
        f'SELECT _artifact, _line, time, pid, message, {program} AS program, {host} AS host FROM "{table}" '
        f"WHERE time BETWEEN ? AND ? AND regexp_matches(message, {literal(PREFILTER)}) ORDER BY time, _artifact, _line LIMIT {MOST}"
    )
    until = end + (_EPOCH - end) % STEP
    rows = view.rows(sql, start - (start - _EPOCH) % STEP, until)
    return [row for row in rows if start <= row["time"] <= end] if len(rows) < MOST else view.rows(sql, start, end)


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
