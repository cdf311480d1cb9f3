"""The incident of ``examples/worker-timeout-502``: a page that takes longer than gunicorn lets a worker be silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from incidents.edge.fault import Ask, cause
from incidents.edge.faults import answered
from incidents.edge.make import written
from incidents.edge.troubles_server import TIMEOUT
from incidents.site import Host, Node

if TYPE_CHECKING:
    from pathlib import Path

    from incidents.edge.place import Place
    from incidents.edge.truth import Truth

SENTENCE = "users get 502 Bad Gateway on 2025-03-12 around 10:47 JST"
"""What the person says who reports it, of the incident with seed 0."""
SLOW = replace(TIMEOUT, minutes=24, ask=Ask(methods=("GET",), tails=("/reports/monthly",), query="month=2025-02"))
ROW = replace(
    cause("150", "a page that takes longer than a worker may be silent", ("alb-nginx",), SLOW, answered(502), layer="gunicorn"),
    id="EXAMPLE-worker-timeout",
)
TOKYO = ZoneInfo("Asia/Tokyo")


def worker_timeout(seed: int, folder: Path) -> Truth:
    """Writes the incident; seed 0 is the one that the project ships, any other has other names and another time."""
    return written(ROW, "guilty", seed, folder, _site if seed == 0 else lambda place: place)


def _site(place: Place) -> Place:
    """The site of the example: nginx and syslog keep Tokyo's time, the application and the balancer UTC."""
    moment = datetime(2025, 3, 12, 1, 47, tzinfo=UTC)
    return replace(
        place,
        moment=moment,
        start=moment - timedelta(minutes=137),
        end=moment + timedelta(minutes=71),
        speaker=TOKYO,
        host_zone=TOKYO,
        app_zone=ZoneInfo("UTC"),
        region="ap-northeast-1",
        app="fleet",
        domain="fleet.example.com",
        prefix="/app",
        balancer="fleet-alb",
        group="fleet-web",
        hosts=(
            Host("fleet-web-1", "10.0.1.17", "i-0a7c1d52e9b64f083", "eni-0c1b7e5a92d4f6380"),
            Host("fleet-web-2", "10.0.2.41", "i-0d3f96ab18c2e7540", "eni-0f28d6b3a17e9c450"),
        ),
        nodes=(
            Node("10.0.101.8", "192.0.2.101", "eni-0b5d2f7c81e3a4960", "ap-northeast-1a"),
            Node("10.0.102.23", "192.0.2.102", "eni-0e94c3a6d7f1b2850", "ap-northeast-1c"),
        ),
        port=80,
        columns=33,
        own_files=False,
        waf=False,
    )
