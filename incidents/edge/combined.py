"""Two failures at once, and chains in which the layer that answered is not the one that failed."""

from __future__ import annotations

from dataclasses import replace

from incidents.edge.fault import Cause, Fault, Log, Said, cause
from incidents.edge.faults import answered, nginx
from incidents.edge.troubles_alb import HIDDEN, REFUSED, SLOW_TARGET
from incidents.edge.troubles_server import BIG_HEADER, KILLED, NGINX, TIMEOUT, UNRESOLVED

RESTART = (
    Said("syslog", "Stopping {app} application server...", level="systemd[1]", once=True, after=-1.5),
    Said("gunicorn", "Handling signal: term", level="info", once=True, after=-1.4),
    Said("gunicorn", "Shutting down: Master", level="info", once=True, after=-1.1),
    Said("syslog", "Stopped {app} application server.", level="systemd[1]", once=True, after=-1.0),
)
DEPLOY = nginx(
    502,
    "EDGE-114",
    "EDGE-153",
    said="connect() failed (111: Connection refused) while connecting to upstream",
    more=RESTART,
    scope="all",
    minutes=3,
    settings={"check": "502"},
    true=("EDGE-080", "EDGE-009"),
    fields={"nginx": {"upstream_status": "502", "upstream": "yes"}},
)
"""A deploy restarts the application; nginx is refused until it listens again."""


def _row(  # noqa: PLR0913 - a row of a table
    name: str, what: str, stacks: tuple[str, ...], guilty: Fault, innocent: Fault, without: tuple[Log, ...]
) -> tuple[str, Cause]:
    row = cause(name, what, stacks, guilty, innocent, without=without, layer="gunicorn")
    return name, replace(row, id=name)


COMBINED: dict[str, Cause] = dict(
    (
        _row(
            "CHAIN-out-of-memory",
            "a 502 in front of a worker killed by the kernel",
            ("alb-nginx", "clb-nginx"),
            KILLED,
            answered(502),
            ("nginx", "nginx_error", "gunicorn", "gunicorn_access", "application"),
        ),
        _row(
            "CHAIN-deploy",
            "a deploy restarts the workers",
            ("alb-nginx", "nginx"),
            DEPLOY,
            answered(502),
            ("nginx", "nginx_error", "gunicorn", "gunicorn_access", "application"),
        ),
        _row(
            "CHAIN-slow-database",
            "a slow database, seen only as a 504",
            ("alb-nginx", "alb-app"),
            SLOW_TARGET,
            REFUSED,
            ("alb", "metrics", *HIDDEN),
        ),
        _row(
            "TWO-timeout-and-headers",
            "a worker's timeout on one path, and headers beyond nginx's buffer on another",
            ("alb-nginx",),
            replace(TIMEOUT, others=(BIG_HEADER,)),
            replace(answered(502), others=(BIG_HEADER,)),
            ("alb", "metrics", *NGINX, "gunicorn", "gunicorn_access", "application"),
        ),
        _row(
            "TWO-memory-and-name",
            "a worker killed on one path, and a name that does not resolve on another",
            ("alb-nginx",),
            replace(KILLED, others=(UNRESOLVED,)),
            replace(answered(502), others=(UNRESOLVED,)),
            ("alb", "metrics", *NGINX, "gunicorn", "gunicorn_access", "application"),
        ),
    )
)
"""Incidents that no single id explains, by their name."""
