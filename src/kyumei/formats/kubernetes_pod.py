"""Pods as ``kubectl get pods -o json`` prints them: one row for each, with the container that fares worst.

A pod says what is so when it is asked, not what happened: ``time`` is that of the last change that it tells, the end or start of a
container, a condition or its own beginning. Of a container that runs again ``last_reason`` says why it ended before: OOMKilled (its limit
of memory), Error (``last_exit_code`` is its own), ContainerCannotRun. Exit code 137 without OOMKilled is a kill by somebody else. What
holds a container back now is ``waiting_reason``: CrashLoopBackOff (the cause is why it ended before), ImagePullBackOff,
CreateContainerConfigError.

Follows "Pod v1 core" in the Kubernetes API Reference, and "Pod Lifecycle" in its documentation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, TEXT, Cast, quoted, to_json
from kyumei.layouts.json_record import JsonRecord, parse_object
from kyumei.layouts.json_tree import BOOLEAN, UTC_TIME, dig, every_pair, objects, shallow, tree
from kyumei.layouts.stamps import ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "kubernetes_pod",
    "Pods of Kubernetes as described, each with the container that fares worst.",
    (
        Column("time", Kind.TIME, "When the last change was that it tells.", origin="status"),
        Column("object_namespace", Kind.TEXT, "The namespace.", origin="metadata.namespace"),
        Column("object_name", Kind.TEXT, "The pod's name.", Link.RESOURCE, "metadata.name"),
        Column("object_uid", Kind.TEXT, "Its unique id.", Link.RESOURCE, "metadata.uid"),
        Column("owner_name", Kind.TEXT, "What made it: a replica set, a job.", Link.RESOURCE, "metadata.ownerReferences[0].name"),
        Column("node_name", Kind.TEXT, "The node on which it is.", Link.RESOURCE, "spec.nodeName"),
        Column("private_ip", Kind.TEXT, "Its address.", Link.TARGET, "status.podIP"),
        Column("phase", Kind.TEXT, "Pending, Running, Succeeded, Failed or Unknown.", origin="status.phase"),
        Column("is_ready", Kind.BOOLEAN, "Whether it is sent requests.", origin="status.conditions[type=Ready].status"),
        Column("reason", Kind.TEXT, "Why the pod as a whole is so: Evicted, NodeLost.", origin="status.reason"),
        Column("message", Kind.TEXT, "The same in a sentence; of a pod that waits that of its condition.", origin="status.message"),
        Column("container_name", Kind.TEXT, "The container that fares worst.", origin="status.containerStatuses[].name"),
        Column("restarts", Kind.INTEGER, "How often it was started again.", origin="status.containerStatuses[].restartCount"),
        Column("waiting_reason", Kind.TEXT, "What holds it back: CrashLoopBackOff, ImagePullBackOff.", origin="state.waiting.reason"),
        Column("waiting_message", Kind.TEXT, "The same in a sentence.", origin="state.waiting.message"),
        Column("last_reason", Kind.TEXT, "Why it last ended: OOMKilled, Error, Completed.", origin="lastState.terminated.reason"),
        Column("last_exit_code", Kind.INTEGER, "With what it last ended.", origin="lastState.terminated.exitCode"),
        Column("last_started", Kind.TIME, "When that run began.", origin="lastState.terminated.startedAt"),
        Column("last_ended", Kind.TIME, "When it ended.", origin="lastState.terminated.finishedAt"),
        Column("metadata", Kind.JSON, "The pod's labels, times and names.", origin="metadata"),
        Column("pod_spec", Kind.JSON, "What was asked for: containers, images, limits.", origin="spec"),
        Column("pod_status", Kind.JSON, "How it is, with all containers.", origin="status"),
    ),
)

PLACES: dict[str, tuple[str, Cast, tuple[str, ...]]] = {
    "object_namespace": ("metadata", TEXT, ("namespace",)),
    "object_name": ("metadata", TEXT, ("name",)),
    "object_uid": ("metadata", TEXT, ("uid",)),
    "node_name": ("pod_spec", TEXT, ("nodeName",)),
    "private_ip": ("pod_status", TEXT, ("podIP",)),
    "phase": ("pod_status", TEXT, ("phase",)),
}
"""Columns by the part of the pod that they lie in, and where in it."""
OF_CONTAINER: dict[str, tuple[Cast, tuple[str, ...]]] = {
    "container_name": (TEXT, ("name",)),
    "restarts": (INTEGER, ("restartCount",)),
    "waiting_reason": (TEXT, ("state", "waiting", "reason")),
    "waiting_message": (TEXT, ("state", "waiting", "message")),
}
OF_END: dict[str, tuple[Cast, str]] = {
    "last_reason": (TEXT, "reason"),
    "last_exit_code": (INTEGER, "exitCode"),
    "last_started": (UTC_TIME, "startedAt"),
    "last_ended": (UTC_TIME, "finishedAt"),
}
"""What is told of the container's last end."""
_LISTS = ("containerStatuses", "initContainerStatuses")
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
"""Why a container waits of which nothing is wrong."""
_CHANGED = (
    r'"(?:startedAt|finishedAt|lastTransitionTime|startTime|creationTimestamp)":'
    r'"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"'
)


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What the parts of the pod tell."""
    parts = {"metadata": document.get("metadata"), "pod_spec": document.get("spec"), "pod_status": document.get("status")}
    found = {column: _cast(cast, dig(parts[part], path)) for column, (part, cast, path) in PLACES.items()}
    status = parts["pod_status"] if isinstance(parts["pod_status"], dict) else {}
    owners = parts["metadata"].get("ownerReferences") if isinstance(parts["metadata"], dict) else None
    found["owner_name"] = next((dig(owner, ("name",)) for owner in objects(owners)), None)
    conditions = {str(one.get("type")): one for one in reversed([*objects(status.get("conditions"))])}
    found["is_ready"] = _cast(BOOLEAN, (dig(conditions.get("Ready"), ("status",)) or "").lower())
    placed = conditions.get("PodScheduled", {})
    why = status if status.get("reason") or placed.get("status") != "False" else placed
    found["reason"], found["message"] = dig(why, ("reason",)) or None, dig(why, ("message",)) or None
    worst = max((one for name in _LISTS for one in objects(status.get(name))), key=_badness, default={})
    found |= {column: _cast(cast, dig(worst, path)) for column, (cast, path) in OF_CONTAINER.items()}
    found |= {column: _cast(cast, dig(_end_of(worst), (key,))) for column, (cast, key) in OF_END.items()}
    times = re.findall(_CHANGED, "".join(to_json(parts[part]) or "" for part in ("metadata", "pod_status")), re.ASCII)
    found["time"] = _cast(UTC_TIME, max(times, default=""))
    return {**values, **found}, set()


def _cast(cast: Cast, text: str | None) -> Any:  # noqa: ANN401 - a value of any kind
    return cast.python(text) if text else None


def _end_of(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the container ended, now or the last time."""
    for state in (container.get("state"), container.get("lastState")):
        ended = state.get("terminated") if isinstance(state, dict) else None
        if isinstance(ended, dict):
            return ended
    return {}


def _badness(container: Mapping[str, Any]) -> tuple[bool, bool, int]:
    """Sorts containers, the worst last: what is held back, what ended badly, what was started again most often."""
    held = dig(container, ("state", "waiting", "reason"))
    failed = _cast(INTEGER, dig(_end_of(container), ("exitCode",)))
    return bool(held and held not in _STARTING), bool(failed), _cast(INTEGER, dig(container, ("restartCount",))) or 0


_STATUS = "pod_status::VARCHAR"
_ONE = "$.containerStatuses[0]"


def _at(part: str, *steps: str) -> str:
    return f"nullif(json_extract_string({part}, {quoted('.'.join(steps))}), '')"


_NOW, _BEFORE = f"{_ONE}.state.terminated", f"{_ONE}.lastState.terminated"
_ENDED = f"coalesce(json_extract(pod_status, {quoted(_NOW)}), json_extract(pod_status, {quoted(_BEFORE)}))"
_RAWS = {
    **{f"_raw_{column}": _at(part, "$", *path) for column, (part, _, path) in PLACES.items()},
    **{f"_raw_{column}": _at("pod_status", _ONE, *path) for column, (_, path) in OF_CONTAINER.items()},
    **{f"_raw_{column}": _at("_ended", "$", key) for column, (_, key) in OF_END.items()},
    "_raw_time": f"list_max(regexp_extract_all(concat(metadata::VARCHAR, {_STATUS}), {quoted(_CHANGED)}, 1))",
}
_CASTS: dict[str, Cast] = {
    **{column: cast for column, (_, cast, _) in PLACES.items()},
    **{column: cast for column, (cast, _) in (*OF_CONTAINER.items(), *OF_END.items())},
    "time": UTC_TIME,
}
_CONDITION = """[{"type":"VARCHAR","status":"VARCHAR","reason":"VARCHAR","message":"VARCHAR"}]"""
_CONDITIONS = f"from_json(json_extract(pod_status, '$.conditions'), {quoted(_CONDITION)})"
_UNPLACED = "(_raw_reason IS NULL AND coalesce(_placed.status = 'False', false))"
_ODD = r'"(?:state|lastState|waiting|terminated)":[^{]|"(?:restartCount|exitCode)":[^0-9]|"(?:reason|message|startedAt|finishedAt)":[^"]'
STEPS = (
    {
        "_ended": _ENDED,
        "_conditions": _CONDITIONS,
        "_raw_reason": _at("pod_status", "$", "reason"),
        "_raw_message": _at("pod_status", "$", "message"),
    },
    {
        **_RAWS,
        "_ready": "list_filter(_conditions, lambda one: one.type = 'Ready')[1].status",
        "_placed": "list_filter(_conditions, lambda one: one.type = 'PodScheduled')[1]",
    },
    {
        **{column: cast.sql.replace("{x}", f"_raw_{column}") for column, cast in _CASTS.items()},
        "owner_name": "json_extract_string(metadata, '$.ownerReferences[0].name')",
        "is_ready": BOOLEAN.sql.replace("{x}", "lower(_ready)"),
        "reason": f"CASE WHEN {_UNPLACED} THEN nullif(_placed.reason, '') ELSE _raw_reason END",
        "message": f"CASE WHEN {_UNPLACED} THEN nullif(_placed.message, '') ELSE _raw_message END",
    },
)
LAYOUT = JsonRecord(
    table=TABLE,
    fields=(tree("metadata"), tree("pod_spec", "spec"), tree("pod_status", "status")),
    stamp_ways=(ISO, ISO_SPACE),
    known=frozenset({"apiVersion", "kind"}),
    needs=frozenset({"metadata", "spec"}),
    derive=_derive,
    steps=STEPS,
    plain=(
        *(f"coalesce(starts_with({part}::VARCHAR, '{{'), false)" for part in ("metadata", "pod_spec", "pod_status")),
        # Which of several containers fares worst is for the exact reader.
        "coalesce(json_array_length(pod_status, '$.containerStatuses'), 0) <= 1",
        f"NOT contains({_STATUS}, 'initContainerStatuses')",
        f"NOT regexp_matches({_STATUS}, {quoted(_ODD)})",
        *(f"(_raw_{column} IS NULL OR {column} IS NOT NULL)" for column, cast in _CASTS.items() if cast is not TEXT),
        *shallow(("metadata", "pod_spec", "pod_status")),
    ),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """A JSON object of the kind Pod, or one of a list of pods, whose items name no kind: with containers that were asked for."""
    if '"containers"' not in text or '"metadata"' not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict) or found.get("kind", "Pod") != "Pod" or not isinstance(found.get("metadata"), dict):
        return False
    spec = found.get("spec")
    return isinstance(spec, dict) and isinstance(spec.get("containers"), list)


FORMAT = Format(
    name="kubernetes_pod",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Kubernetes API Reference, Pod v1 core",
    hop="kubernetes",
    complete=False,
)
