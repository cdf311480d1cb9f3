"""All causes by their id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incidents.edge import causes_alb, causes_clocks, causes_cloud, causes_reasons, causes_server

if TYPE_CHECKING:
    from incidents.edge.fault import Cause

TABLES = (causes_alb, causes_server, causes_reasons, causes_cloud, causes_clocks)
CAUSES: dict[str, Cause] = {row.id: row for row in sorted((row for table in TABLES for row in table.ROWS), key=lambda row: row.id)}
"""Every id of edge-http that a log can show, with its incidents."""

UNCOVERED: dict[str, str] = {
    "EDGE-155": "tells that a balancer stands in front; it is no failure",
    "EDGE-156": "tells what stands in front of the balancer; it is no failure",
    "EDGE-157": "tells that the balancer does not log X-Forwarded-For; it is no failure",
}
"""Ids without an incident, and why."""
