"""How long a server behind a load balancer keeps idle connections: from a task definition in the case, or the default of the server seen.

Defaults: gunicorn "Settings" (``keepalive``; its sync worker keeps none), uvicorn "Settings" (``--timeout-keep-alive``), and the
documentation of the others.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from kyumei.edge.documents import answers

if TYPE_CHECKING:
    from kyumei.contracts import View
    from kyumei.model.finding import Citation

DEFAULTS = {"gunicorn": 2.0, "uvicorn": 5.0}
_SET = re.compile(
    r"(?:--keep-alive|--timeout-keep-alive|keepalive_timeout|KeepAliveTimeout|--http-keepalive)[\s\",=:]{1,6}([0-9]{1,6})(?![0-9])"
)


class KeepAlive(NamedTuple):
    """Seconds that an idle connection is kept, 0 for none; ``configured`` is false for the default of a server seen in the logs."""

    seconds: float
    says: str
    configured: bool
    citations: tuple[Citation, ...]


def keep_alive(view: View) -> KeepAlive | None:
    """The keep-alive time of the only kind of server that the case knows; null where it knows none, or several that differ."""
    found: dict[float, KeepAlive] = {}
    for document, where in answers(view, "ecs", "describe-task-definition"):
        for match in _SET.findall(json.dumps(document, ensure_ascii=False)):
            says = f"The task definition sets the target's keep-alive time to {match} s"
            found[float(match)] = KeepAlive(float(match), says, configured=True, citations=(where,))
    if found:
        return next(iter(found.values())) if len(found) == 1 else None
    if not view.has("app_log") or view.has("nginx_access") or view.has("apache_access"):
        return None
    servers = view.rows(
        "SELECT server, any_value(_artifact) AS _artifact, min(_line) AS _line FROM app_log WHERE server IN ('gunicorn', 'uvicorn') "
        "AND status IS NOT NULL GROUP BY server"
    )
    if len(servers) != 1:
        return None
    name = str(servers[0]["server"])
    if sync := view.rows("SELECT * FROM app_log WHERE regexp_matches(message, '^Using worker: sync$') ORDER BY time DESC LIMIT 1"):
        says = "The target is gunicorn with sync workers, which keep no idle connections"
        return KeepAlive(0.0, says, configured=True, citations=view.cite(sync, 1))
    says = f"The target is {name}, which keeps idle connections for {DEFAULTS[name]:g} s unless it is told otherwise"
    first = view.rows("SELECT * FROM app_log WHERE server = ? AND status IS NOT NULL ORDER BY _artifact, _line LIMIT 1", name)
    return KeepAlive(DEFAULTS[name], says, configured=False, citations=view.cite(first, 1))
