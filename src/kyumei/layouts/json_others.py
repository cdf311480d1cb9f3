"""Keys by which a JSON object is known as a record of another format than that of applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHERS = frozenset(
    {
        *("webaclId", "terminatingRuleId"),
        "x-edge-location",
        "x-edge-request-id",
        "x-edge-result-type",
        "x-edge-response-result-type",
        "x-edge-detailed-result-type",
        "x-host-header",
        "fle-status",
        "fle-encrypted-fields",
        "origin-fbl",
        "origin-lbl",
        "cache-behavior-path-pattern",
        "timestamp(ms)",
        *("x_edge_location", "x_edge_request_id", "x_edge_result_type", "x_host_header", "fle_status", "origin_fbl", "timestamp_ms"),
        "query_timestamp",
        "firewall_name",
        "logEvents",
        "detail-type",
        "auditID",
        "awslogs",
        "Records",
        "events",
        "Events",
        "resourceSpans",
    }
)
"""Keys by which records of other formats are known."""
PAIRS = (
    ("eventVersion", "eventSource"),
    *(("eventVersion", "eventTime"), ("involvedObject", "reason"), ("regarding", "reason")),
    *(("trace_id", "start_time"), ("serviceArn", "clusterArn"), ("taskArn", "clusterArn")),
    ("schemaVersion", "service"),
    ("execution_arn", "event_timestamp"),
    ("AlarmName", "NewStateValue"),
    ("timestamp", "error_severity"),
    ("prio", "err_code"),
    *(("metric_stream_name", "metric_name"), ("previousEventId", "timestamp")),
)
"""Pairs of keys by which they are, too."""


def is_of_others(document: Mapping[str, Any]) -> bool:
    """Whether an object has a key, or two, by which another format is known."""
    return bool(OTHERS & document.keys()) or any(one in document and two in document for one, two in PAIRS)
