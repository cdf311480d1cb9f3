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

    from kyumei.contracts import View

BESIDE = timedelta(seconds=5)
"""Between an answer of the balancer and the end of the container that caused it, which Kubernetes tells to the second."""
WORDS = {"OOMKilled": "killed, for it had reached its limit of memory", "Error": "it ended by itself with an error"}


def pod_ended(view: View, rows: Sequence[Mapping[str, Any]]) -> Evidence | None:
    """That a container of the very target ended in the seconds of a failure; not one that had done its work."""
    targets = sorted({str(row["target_ip"]) for row in rows if row.get("target_ip")})
    if not targets or not view.has("kubernetes_pod"):
        return None
    ends = view.rows(
        "SELECT _artifact, _line, object_name, container_name, private_ip, last_reason, last_exit_code, last_ended FROM kubernetes_pod "
        "WHERE list_contains(?::VARCHAR[], private_ip) AND last_ended IS NOT NULL AND coalesce(last_reason, '') <> 'Completed' "
        "ORDER BY last_ended, _artifact, _line LIMIT 200",
        targets,
    )
    beside = [
        one
        for one in ends
        if any(str(row.get("target_ip")) == one["private_ip"] and abs(row["time"] - one["last_ended"]) <= BESIDE for row in rows)
    ]
    if not beside:
        return None
    first = beside[0]
    reason, code = str(first["last_reason"] or "no reason told"), first["last_exit_code"]
    why = f" ({WORDS[reason]})" if reason in WORDS else ""
    says = (
        f"Kubernetes says of the pod {first['object_name']} at {first['private_ip']} that its container {first['container_name']} ended at "
        f"{first['last_ended']:%H:%M:%S} UTC: {reason}{why}, exit code {code if code is not None else 'not told'}"
    )
    return Evidence(says, view.cite(beside), total=len(beside))
