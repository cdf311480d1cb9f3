"""What Amazon ECS says of tasks, services, deployments and container instances: its EventBridge events, and its own descriptions.

Events repeat and arrive out of order: of one task the row with the highest ``version`` is the newest. A description (an item of
``describe-tasks`` or ``describe-services``) is no event: its time is that of the task's last change, and a service has none. A stopped task
is described for about an hour; after that only its events tell why it stopped. ``stop_code`` says who stopped it, ``stopped_reason`` and
``container_reason`` why. Exit code 137 is a kill (out of memory where a reason says so), 139 a segmentation fault, 143 SIGTERM.

Follows "Amazon ECS task state change events", "service action events", "service deployment state change events" and "container state change
events" in the Amazon ECS Developer Guide, and Task and Service of its API reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Derived, Format
from kyumei.layouts.casts import INTEGER, TEXT, Cast, quoted, to_json
from kyumei.layouts.json_names import LEVEL, WHEN
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import dig, every_pair, shallow, strings, strings_sql, tree
from kyumei.layouts.recorded_times import INSTANT, with_times
from kyumei.layouts.stamps import EPOCH, ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACCOUNT = Column("account", Kind.TEXT, "The account.", Link.ACCOUNT, "account")
_CLUSTER = Column("cluster_arn", Kind.TEXT, "The cluster.", Link.RESOURCE, "clusterArn")
_SERVICE = Column("service_name", Kind.TEXT, "The service's name, without the cluster's.", Link.RESOURCE, "serviceName, group")
_TASK = Column("task_arn", Kind.TEXT, "The task.", Link.RESOURCE, "taskArn")
_LAST = Column("last_status", Kind.TEXT, "The last known status: PROVISIONING to STOPPED; ACTIVE, PRIMARY.", origin="lastStatus, status")
_REASON = Column("reason", Kind.TEXT, "Why, in the words of the event, the deployment or the container instance.", origin="reason")

TABLE = Table(
    "ecs_event",
    "Events of Amazon ECS, and tasks and services as it described them.",
    (
        Column("time", Kind.TIME, "When it happened; of a described task its last change, null of a described service."),
        Column(
            "kind",
            Kind.TEXT,
            "task, container_instance, service_action, deployment, service (a description), service_event (a message of one), "
            "or event for a sort that is not known.",
            origin="detail-type",
        ),
        Column("level", Kind.TEXT, "INFO, WARNING or ERROR, of a service's or deployment's event.", origin="eventType"),
        Column("event_name", Kind.TEXT, "SERVICE_STEADY_STATE, SERVICE_DEPLOYMENT_FAILED...", origin="eventName"),
        *(_CLUSTER, _SERVICE, _TASK),
        Column(
            "task_definition_arn", Kind.TEXT, "The task definition with its revision.", Link.RESOURCE, "taskDefinitionArn, taskDefinition"
        ),
        Column("container_instance_arn", Kind.TEXT, "The container instance; null on Fargate.", Link.RESOURCE, "containerInstanceArn"),
        Column("instance_id", Kind.TEXT, "The EC2 instance.", Link.RESOURCE, "ec2InstanceId"),
        Column("deployment_id", Kind.TEXT, "The deployment, ecs-svc/...", Link.RESOURCE, "deploymentId, startedBy"),
        _LAST,
        Column("desired_status", Kind.TEXT, "RUNNING or STOPPED, as wanted.", origin="desiredStatus"),
        Column(
            "stop_code",
            Kind.TEXT,
            "TaskFailedToStart, EssentialContainerExited, UserInitiated, ServiceSchedulerInitiated, SpotInterruption, TerminationNotice.",
            origin="stopCode",
        ),
        Column("stopped_reason", Kind.TEXT, "Why the task was stopped.", origin="stoppedReason"),
        Column("container_reason", Kind.TEXT, "The first reason that a container gives.", origin="containers[].reason"),
        Column(
            "exit_code",
            Kind.INTEGER,
            "The first exit code of a container that is not 0, else 0; null when none ended.",
            origin="containers[].exitCode",
        ),
        _REASON,
        Column("message", Kind.TEXT, "The service's message.", origin="message"),
        Column("rollout_state", Kind.TEXT, "IN_PROGRESS, COMPLETED or FAILED.", origin="rolloutState"),
        Column("desired_count", Kind.INTEGER, "Tasks that are wanted.", origin="desiredCount"),
        Column("running_count", Kind.INTEGER, "Tasks that run.", origin="runningCount"),
        Column("pending_count", Kind.INTEGER, "Tasks that are about to start.", origin="pendingCount"),
        Column("failed_count", Kind.INTEGER, "Tasks of a deployment that failed to start.", origin="failedTasks"),
        Column("started_by", Kind.TEXT, "Who started the task: a deployment, or a name.", origin="startedBy"),
        Column("group_name", Kind.TEXT, "service:<name> or family:<name>.", origin="group"),
        Column("launch_type", Kind.TEXT, "FARGATE, EC2 or EXTERNAL.", origin="launchType"),
        Column("availability_zone", Kind.TEXT, "Where the task runs.", origin="availabilityZone"),
        Column("private_ip", Kind.TEXT, "The task's address: what a load balancer calls its target.", Link.TARGET, "privateIpv4Address"),
        Column("interface_id", Kind.TEXT, "Its network interface.", Link.INTERFACE, "networkInterfaceId"),
        Column(
            "agent_connected", Kind.TEXT, "Whether the container instance's agent is connected: true or false.", origin="agentConnected"
        ),
        Column("version", Kind.INTEGER, "Rises with each change of the task or container instance.", origin="version"),
        Column("created", Kind.TIME, "When the task, service or deployment was made.", origin="createdAt"),
        Column("started_at", Kind.TIME, "When the task began to run.", origin="startedAt"),
        Column("stopped_at", Kind.TIME, "When it stopped.", origin="stoppedAt"),
        _ACCOUNT,
        Column("region", Kind.TEXT, "The Region.", origin="region"),
        Column("detail_type", Kind.TEXT, "What sort of event it is; null of a description.", origin="detail-type"),
        Column("resources", Kind.JSON, "The resources of the event.", origin="resources"),
        Column("detail", Kind.JSON, "The event's detail, or the whole description.", origin="detail"),
        Column("event_id", Kind.TEXT, "The id of the event; a second delivery has the same.", origin="id"),
    ),
)

KINDS = {
    "ECS Task State Change": "task",
    "ECS Container Instance State Change": "container_instance",
    "ECS Service Action": "service_action",
    "ECS Deployment State Change": "deployment",
}
CHANGES = ("stoppedAt", "executionStoppedAt", "stoppingAt", "startedAt", "pullStoppedAt", "pullStartedAt", "connectivityAt", "createdAt")
"""Times of a task, the latest first."""


CHOICES: dict[str, tuple[Cast, tuple[str, ...]]] = {
    "level": (LEVEL, ("eventType",)),
    "event_name": (TEXT, ("eventName",)),
    "cluster_arn": (TEXT, ("clusterArn",)),
    "task_arn": (TEXT, ("taskArn",)),
    "task_definition_arn": (TEXT, ("taskDefinitionArn", "taskDefinition")),
    "container_instance_arn": (TEXT, ("containerInstanceArn",)),
    "instance_id": (TEXT, ("ec2InstanceId",)),
    "_deployment": (TEXT, ("deploymentId",)),
    "last_status": (TEXT, ("lastStatus", "status")),
    "desired_status": (TEXT, ("desiredStatus",)),
    "stop_code": (TEXT, ("stopCode",)),
    "stopped_reason": (TEXT, ("stoppedReason",)),
    "reason": (TEXT, ("reason", "rolloutStateReason", "statusReason")),
    "message": (TEXT, ("message",)),
    "rollout_state": (TEXT, ("rolloutState",)),
    "desired_count": (INTEGER, ("desiredCount",)),
    "running_count": (INTEGER, ("runningCount",)),
    "pending_count": (INTEGER, ("pendingCount",)),
    "failed_count": (INTEGER, ("failedTasks",)),
    "started_by": (TEXT, ("startedBy",)),
    "group_name": (TEXT, ("group",)),
    "launch_type": (TEXT, ("launchType",)),
    "availability_zone": (TEXT, ("availabilityZone",)),
    "agent_connected": (TEXT, ("agentConnected",)),
    "version": (INTEGER, ("version",)),
    "created": (INSTANT, ("createdAt",)),
    "started_at": (INSTANT, ("startedAt",)),
    "stopped_at": (INSTANT, ("stoppedAt",)),
    "_named": (TEXT, ("serviceName",)),
    "_service_arn": (TEXT, ("serviceArn",)),
}
"""Columns that the detail fills: the first of the words that is there and not empty."""
_EXIT, _ADDRESS, _INTERFACE = r'"exitCode":([0-9]{1,9})\b', r'"privateI[Pp]v4Address":"([0-9.]+)"', r'"value":"(eni-[0-9a-f]+)"'
_ATTACHED = r'"name":"privateIPv4Address","value":"([0-9.]+)"'
_SERVICE_IN = re.compile("service/(?:[^/]+/)?([^/]+)$", re.ASCII)


_OWN_KEYS = (
    frozenset({"taskArn", "clusterArn", "lastStatus"}),
    frozenset({"serviceArn", "clusterArn"}),
    frozenset({"containerInstanceArn", "registeredResources"}),
)
"""Keys by which a task, a service (its deployments and events as well) and a container instance are known."""
_ANSWERED = ("task", "service", "containerInstance")


def _answered(document: dict[str, Any]) -> dict[str, Any]:
    """The one resource that the answer of a call such as StopTask or UpdateService holds; the document itself where it is no answer."""
    for key in _ANSWERED:
        inside = document.get(key)
        if isinstance(inside, dict) and document.keys() <= {key, "ResponseMetadata", "$metadata"} and _is_described(inside):
            return inside
    return document


def _is_described(document: Mapping[str, Any]) -> bool:
    return any(keys <= document.keys() for keys in _OWN_KEYS)


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """A description becomes the detail of an event without an envelope."""
    if "detail-type" in document and "detail" in document:
        return document
    known = with_times(_answered(document))
    moment = next((known[name] for name in CHANGES if known.get(name)), None) if "taskArn" in known else known.get("updatedAt")
    if moment is None and "message" in known:
        moment = known.get("createdAt")
    return {"detail": known} | ({} if moment is None else {"time": moment})


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What the detail tells."""
    detail = document.get("detail")
    known = detail if isinstance(detail, dict) else {}
    found: dict[str, Any] = {}
    for column, (cast, names) in CHOICES.items():
        text = next((text for name in names if (text := dig(known, (name,)))), None)
        found[column] = None if text is None else cast.python(text)
    named = strings(document.get("resources"))
    found["service_name"] = _service(found, named[0] if named else "")
    found["kind"] = KINDS.get(values["detail_type"] or "", "event") if values["detail_type"] else _described(known)
    started = found["started_by"] or ""
    own = known.get("id") if found["kind"] == "deployment" and isinstance(known.get("id"), str) else None
    found["deployment_id"] = found["_deployment"] or own or (started if started.startswith("ecs-svc/") else None)
    written = to_json(detail) or ""
    codes = re.findall(_EXIT, written, re.ASCII)
    found["exit_code"] = next((int(code) for code in codes if int(code)), 0) if codes else None
    found["container_reason"] = next((text for text in strings(known.get("containers"), "reason") or () if text), None)
    for column, patterns in (("private_ip", (_ADDRESS, _ATTACHED)), ("interface_id", (_INTERFACE,))):
        match = next((match for pattern in patterns if (match := re.search(pattern, written, re.ASCII))), None)
        found[column] = match[1] if match else None
    return found, set()


def _service(found: Mapping[str, Any], resource: str) -> str | None:
    """The name of the service: its own word, that of the task's group, or the end of an ARN."""
    if found["_named"]:
        return str(found["_named"])
    group = found["group_name"] or ""
    if group.startswith("service:"):
        return group.removeprefix("service:") or None
    match = _SERVICE_IN.search(found["_service_arn"] or resource)
    return match[1] if match else None


def _described(known: Mapping[str, Any]) -> str:
    """The kind of a description, by the keys that it has."""
    if "taskArn" in known:
        return "task"
    if "serviceName" in known:
        return "service"
    if "message" in known and "serviceArn" in known:
        return "service_event"
    return "deployment" if "serviceArn" in known else "container_instance"


_LISTED, _LISTED_SURE = strings_sql("resources")
_WORDS = [name for _, names in CHOICES.values() for name in names]
_PATHS = ", ".join(quoted(f'$."{name}"') for name in _WORDS)
_RAWS = {
    f"_raw_{column}": f"coalesce({', '.join(f'''nullif(_words[{_WORDS.index(name) + 1}], '')''' for name in names)})"
    for column, (_, names) in CHOICES.items()
}
_VALUES = {column: cast.sql.replace("{x}", f"_raw_{column}") for column, (cast, _) in CHOICES.items()}
_WRITTEN = "detail::VARCHAR"
_CODES = f"regexp_extract_all({_WRITTEN}, {quoted(_EXIT)}, 1)"
_KIND_CASES = " ".join(f"WHEN {quoted(word)} THEN {quoted(kind)}" for word, kind in KINDS.items())
STEPS = (
    {"_words": f"json_extract_string(detail, [{_PATHS}])", "_resource": f"({_LISTED})[1]", "_codes": _CODES},
    _RAWS,
    _VALUES,
    {
        "kind": f"CASE detail_type {_KIND_CASES} ELSE 'event' END",
        "service_name": "coalesce(_named, CASE WHEN starts_with(group_name, 'service:') THEN nullif(substr(group_name, 9), '') ELSE "
        "nullif(regexp_extract(coalesce(_service_arn, _resource, ''), 'service/(?:[^/]+/)?([^/]+)$', 1), '') END)",
        "deployment_id": "coalesce(_deployment, CASE WHEN starts_with(started_by, 'ecs-svc/') THEN started_by END)",
        "exit_code": "CASE WHEN len(_codes) > 0 THEN coalesce(list_filter(list_transform(_codes, lambda code: code::BIGINT), "
        "lambda code: code <> 0)[1], 0) END",
        "container_reason": "list_filter(json_extract_string(detail, '$.containers[*].reason'), lambda text: text <> '')[1]",
        "private_ip": f"coalesce(nullif(regexp_extract({_WRITTEN}, {quoted(_ADDRESS)}, 1), ''), "
        f"nullif(regexp_extract({_WRITTEN}, {quoted(_ATTACHED)}, 1), ''))",
        "interface_id": f"nullif(regexp_extract({_WRITTEN}, {quoted(_INTERFACE)}, 1), '')",
    },
)
LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "time", WHEN),
        one("detail_type", "detail-type"),
        one("account", "account"),
        one("region", "region"),
        tree("resources"),
        tree("detail"),
        one("event_id", "id"),
    ),
    stamp_ways=(ISO, ISO_SPACE, EPOCH),
    known=frozenset({"version", "source", "replay-name"}),
    needs=frozenset({"detail"}),
    prepare=_prepare,
    derive=_derive,
    steps=STEPS,
    plain=(
        "time IS NOT NULL",
        "detail_type IS NOT NULL",
        "starts_with(detail::VARCHAR, '{')",
        "coalesce(starts_with(resources::VARCHAR, '['), true)",
        # Deployments by their id, and reasons that are no texts, are for the exact reader.
        "NOT (kind = 'deployment' AND _deployment IS NULL)",
        'NOT regexp_matches(detail::VARCHAR, \'"reason":[^"]|"containers":[^\\[]\')',
        _LISTED_SURE,
        *(f"(_raw_{column} IS NULL OR {column} IS NOT NULL)" for column, (cast, _) in CHOICES.items() if cast is not TEXT),
        *shallow(("detail", "resources")),
    ),
    made=every_pair,
)

TASK_TABLE = Table(
    "ecs_task",
    "Tasks of Amazon ECS as last heard of: of each the row of ecs_event with the highest version.",
    (
        Column("time", Kind.TIME, "When that was."),
        *(_TASK, _SERVICE, _CLUSTER, _LAST),
        *(TABLE[name] for name in ("stop_code", "stopped_reason", "container_reason", "exit_code", "created", "started_at", "stopped_at")),
        *(TABLE[name] for name in ("private_ip", "interface_id", "task_definition_arn", "version")),
    ),
)
_TASK_COLUMNS = ", ".join(f'"{column.name}"' for column in TASK_TABLE.columns)
TASKS = (
    f"SELECT _artifact, _line, {_TASK_COLUMNS} FROM ecs_event WHERE task_arn IS NOT NULL "
    "QUALIFY row_number() OVER (PARTITION BY task_arn ORDER BY version DESC NULLS LAST, time DESC NULLS LAST, _artifact, _line) = 1"
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """An event of aws.ecs that is no call, an item of describe-tasks, describe-services or describe-container-instances, or one alone."""
    if '"aws.ecs"' not in text and 'Arn"' not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    if "detail-type" in found:
        detail = found.get("detail")
        return found.get("source") == "aws.ecs" and isinstance(detail, dict) and not {"eventVersion", "eventTime"} <= detail.keys()
    return _is_described(_answered(found))


FORMAT = Format(
    name="ecs_event",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon ECS Developer Guide, Amazon ECS events",
    hop="ecs",
    delay_seconds=60,
    complete=False,
    derived=(Derived(TASK_TABLE, TASKS),),
)
