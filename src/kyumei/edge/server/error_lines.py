"""The lines of a web server's error log that speak of failing requests, beside those that the correlation has joined already.

Apache writes no path in most of its lines, and nginx says of a malformed request only at level info what was wrong; both are found here by
client and second.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.edge.victims import asked

if TYPE_CHECKING:
    from kyumei.contracts import Failure, View

Row = dict[str, Any]
NEAR = timedelta(seconds=2)
LEVELS = "level IN ('error', 'crit', 'alert', 'emerg')"
"""What speaks of trouble; a warning comes with good answers, too."""
_CLIENTS_FAULT = "level = 'info' AND regexp_matches(message, 'client sent (too|plain)')"


def lines_of(view: View, failure: Failure) -> list[Row]:
    """Lines that speak of the requests of a failure of nginx or Apache, those of its very path first."""
    if failure.inner_errors:
        return [dict(line) for line in failure.inner_errors]
    table, levels = {"nginx": ("nginx_error", _CLIENTS_FAULT), "apache": ("apache_error", LEVELS)}.get(failure.hop, ("", ""))
    if table not in discover.formats() or not view.has(table):
        return []
    found: dict[tuple[int, int], Row] = {}
    for row in failure.rows:
        times = asked(failure.table, row)
        for line in view.rows(
            f"SELECT * FROM {table} WHERE {levels} AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP AND coalesce(client_ip = ?, true) "
            "AND coalesce(path = ?, true) ORDER BY path IS NULL, client_ip IS NULL, time LIMIT 20",
            times.started - NEAR,
            times.ended + NEAR,
            row.get("client_ip"),
            row.get("path"),
        ):
            found.setdefault((line["_artifact"], line["_line"]), line)
    return list(found.values())
