"""Ends of containers in Kubernetes beside failing requests, joined by the pod's address, which is what a load balancer calls its target.

A pod keeps its address while its containers are started again, and of the last end it tells why and when. Another pod's end is no evidence,
however near it lies.

Follows "Debug Running Pods" and the field ``lastState.terminated`` of "Pod Lifecycle" in the Kubernetes documentation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import View

BESIDE = timedelta(seconds=5)
"""Between an answer of the balancer and the end of the container that caused it, which Kubernetes tells to the second."""
WORDS = {"OOMKilled": "killed, for it had reached its limit of memory", "Error": "it ended by itself with an error"}


def ends_of_pods(view: View, addresses: Sequence[str], start: datetime, end: datetime) -> list[dict[str, Any]]:
    """The last ends of containers of pods with these addresses in a span of time (naive UTC); not those that had done their work."""
    if not addresses or not view.has("kubernetes_pod"):
        return []
    return view.rows(
        "SELECT _artifact, _line, object_name, container_name, private_ip, last_reason, last_exit_code, last_ended FROM kubernetes_pod "
        "WHERE list_contains(?::VARCHAR[], private_ip) AND last_ended BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP "
        "AND coalesce(last_reason, '') <> 'Completed' ORDER BY last_ended, _artifact, _line LIMIT 200",
        *(list(addresses), start, end),
    )


def end_words(pod: Mapping[str, Any]) -> str:
    """What Kubernetes says of the end of a pod's container."""
    reason, code = str(pod["last_reason"] or "no reason told"), pod["last_exit_code"]
    why = f" ({WORDS[reason]})" if reason in WORDS else ""
    return (
        f"Kubernetes says of the pod {pod['object_name']} at {pod['private_ip']} that its container {pod['container_name']} ended at "
        f"{pod['last_ended']:%H:%M:%S} UTC: {reason}{why}, exit code {code if code is not None else 'not told'}"
    )


def pod_ended(view: View, rows: Sequence[Mapping[str, Any]]) -> Evidence | None:
    """That a container of the very target ended in the seconds of a failure; not one that had done its work."""
    targets = sorted({str(row["target_ip"]) for row in rows if row.get("target_ip")})
    times = [row["time"] for row in rows]
    ends = ends_of_pods(view, targets, min(times) - BESIDE, max(times) + BESIDE) if targets else []
    beside = [
        one
        for one in ends
        if any(str(row.get("target_ip")) == one["private_ip"] and abs(row["time"] - one["last_ended"]) <= BESIDE for row in rows)
    ]
    return Evidence(end_words(beside[0]), view.cite(beside), total=len(beside)) if beside else None
