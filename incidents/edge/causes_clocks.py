"""Traps of clocks and zones, EDGE-120 to EDGE-127: plain troubles in logs whose times mislead. A weaker verdict may follow."""

from __future__ import annotations

from dataclasses import replace

from incidents.edge.causes_cloud import CLASSIC_SLOW
from incidents.edge.fault import BEHIND_ALB, LOGS_OF, WITH_NGINX, Cause, cause
from incidents.edge.troubles_alb import REFUSED
from incidents.edge.troubles_server import APP, KILLED, NGINX, NO_READ, TIMEOUT, TOO_SLOW

FAR = "Asia/Kolkata"
HOUR = 3600.0

ROWS: tuple[Cause, ...] = (
    cause(
        "120",
        "AWS writes UTC while the host does not",
        BEHIND_ALB,
        tuple(replace(REFUSED, zone=zone) for zone in (FAR, "Asia/Tokyo")),
        replace(REFUSED, zone="UTC"),
        without=(*LOGS_OF["alb"], *NGINX, *APP),
    ),
    cause(
        "121",
        "an error log without a zone",
        WITH_NGINX,
        tuple(replace(NO_READ, zone=zone) for zone in (FAR, "America/New_York")),
        replace(NO_READ, zone="UTC"),
        without=NGINX,
    ),
    cause("122", "a line written when the request ends", WITH_NGINX, TOO_SLOW, NO_READ, without=(*NGINX, "gunicorn_access", "application")),
    cause(
        "123",
        "a Classic Load Balancer's time is the request's arrival",
        ("clb-nginx",),
        CLASSIC_SLOW,
        replace(NO_READ, zone="UTC"),
        without=("clb", *NGINX, *APP),
    ),
    cause(
        "124",
        "an hour that comes twice",
        WITH_NGINX,
        (
            replace(KILLED, zone="America/New_York", when="2024-11-03T01:20", weaker=True),
            replace(KILLED, zone="Europe/Berlin", when="2025-10-26T02:25", weaker=True),
        ),
        replace(KILLED, zone="UTC"),
        without=APP,
        decides=("gunicorn", "syslog"),
    ),
    cause(
        "125",
        "a clock or zone that is wrong by whole hours",
        ("alb-nginx",),
        tuple(replace(TIMEOUT, shift={"constant": by}) for by in (HOUR, -HOUR, 5.5 * HOUR)),
        TIMEOUT,
        without=APP,
        decides=("gunicorn",),
    ),
    cause(
        "126",
        "a clock that drifts",
        ("alb-nginx",),
        tuple(replace(KILLED, shift={"constant": 25.0, "drift": by}) for by in (20.0, -35.0)),
        KILLED,
        without=APP,
        decides=("gunicorn", "syslog"),
    ),
    cause(
        "127",
        "a log without the year, at New Year",
        WITH_NGINX,
        replace(KILLED, zone="Asia/Tokyo", when="2025-01-01T00:12", weaker=True),
        KILLED,
        without=APP,
        decides=("gunicorn", "syslog"),
    ),
)
