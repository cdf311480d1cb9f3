"""What was changed, or changed by itself, in the hour before the failing requests: deployments, calls, fail-overs, alarms.

These are lines of the timeline, for a person who was not told of them. They accuse nobody: what lies near in time need not be a cause.
Rules that hold a change against a resource look for it by the resource's own id (``edge.changes``).

Follows "CloudTrail record contents" in the AWS CloudTrail User Guide, "Amazon ECS events" in the Amazon ECS Developer Guide, "Monitor
deployments with Amazon CloudWatch tools" in the AWS CodeDeploy User Guide and "Amazon RDS event categories and event messages" in the
Amazon RDS User Guide.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from kyumei.store.case import Case

BEFORE = timedelta(hours=1)
"""How long before the failing requests a change is still worth a look."""
MOST = 10
"""Changes that are shown, the nearest before the failing requests first."""
LONGEST = 200
"""Characters of what is said of a change."""
_NAMED = re.compile(r"(?:Id|Name|Arn|Identifier|Cluster|Service)\Z", re.IGNORECASE)
"""Parameters of a call that name what it was about."""
_NAMES = 3
_ROUTINE = (
    *("AssumeRole%", "ConsoleLogin", "CheckMfa", "Decrypt", "Encrypt", "GenerateDataKey%", "CreateGrant", "RetireGrant"),
    *("CreateLogStream", "PutLogEvents", "StartQuery", "StopQuery", "UpdateInstanceInformation", "UpdateInstanceAssociationStatus"),
    *("PutInventory", "PutComplianceItems", "OpenDataChannel", "OpenControlChannel", "Submit%StateChange%", "PutMetricData", "Poll%"),
    *("SharedSnapshot%", "CreateSession", "RefreshToken%", "%GetDownloadUrlForLayer", "BatchCheckLayerAvailability"),
)
"""Calls that agents and services make all day long, and that change nothing anybody would call a change."""


class _Source(NamedTuple):
    """A table that tells of changes: whose log it is, SQL for which of its rows do, for what they say, and for an id of the record."""

    where: str
    says: str
    writer: str
    mark: str = "NULL"


_SOURCES = {
    "cloudtrail": _Source(
        "coalesce(read_only, false) = false AND NOT coalesce(failed, false) AND coalesce(is_management, true) AND NOT ("
        + " OR ".join(f"event_name LIKE '{name}'" for name in _ROUTINE)
        + ")",
        "event_name || ' by ' || coalesce(session_name, user_name, invoked_by, user_type, 'somebody')",
        "CloudTrail",
        "request_id",
    ),
    "ecs_event": _Source(
        "kind = 'deployment' OR (kind = 'service_action' AND coalesce(level, '') <> 'INFO') OR (kind = 'task' AND last_status = 'STOPPED' "
        "AND coalesce(stop_code, '') NOT IN ('', 'ServiceSchedulerInitiated'))",
        "CASE WHEN kind = 'task' THEN concat_ws(' ', 'a task of', coalesce(service_name, group_name, 'no service'), 'stopped:', "
        "coalesce(stopped_reason, stop_code)) WHEN event_name IS NULL THEN concat_ws(': ', service_name, coalesce(reason, message)) "
        "ELSE concat_ws(' ', event_name, 'of', coalesce(service_name, deployment_id), reason) END",
        "Amazon ECS",
        "event_id",
    ),
    "codedeploy_deployment": _Source(
        "deployment_id IS NOT NULL AND target_id IS NULL",
        "concat_ws(' ', 'deployment', deployment_id, 'of', application, 'to', deployment_group || ':', state)",
        "CodeDeploy",
    ),
    "cloudformation_event": _Source(
        "resource_type = 'AWS::CloudFormation::Stack'", "concat_ws(' ', 'stack', stack, resource_status)", "CloudFormation", "event_id"
    ),
    "rds_event": _Source("true", "concat_ws(': ', resource, message)", "Amazon RDS"),
    "alarm": _Source(
        "state = 'ALARM' AND previous_state IS DISTINCT FROM state", "concat_ws(' ', 'alarm', alarm, 'went off:', reason)", "CloudWatch"
    ),
    "kubernetes_event": _Source(
        "event_type = 'Warning' OR reason IN ('ScalingReplicaSet', 'Killing', 'SuccessfulRescale')",
        "concat_ws(' ', reason, object_kind || '/' || object_name || ':', message)",
        "Kubernetes",
    ),
    "eventbridge": _Source(
        "source IN ('aws.autoscaling', 'aws.health') OR detail_type LIKE 'EC2 %'",
        "concat_ws(' ', detail_type, coalesce(instance_id, subject, resource), state)",
        "Amazon EventBridge",
        "event_id",
    ),
}


def changes(case: Case, since: datetime, until: datetime) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Rows that tell of a change, whose log each is, and what it says: from an hour before ``since`` to ``until`` (naive UTC).

    The nearest to ``since`` come first, at most MOST.
    """
    held = [name for name in case.filled if name in _SOURCES]
    if not held:
        return
    selects = [_select(name, _SOURCES[name]) for name in held]
    rows = case.rows(
        f"SELECT * FROM ({' UNION ALL '.join(selects)}) WHERE time >= $start AND time < $until AND says <> '' "
        f"ORDER BY time > $since, abs(epoch(time - $since::TIMESTAMP)), _artifact, _line LIMIT {MOST}",
        {"start": since - BEFORE, "since": since, "until": until},
    )
    for row in rows:
        says = " ".join(f"{row['says']}{_about(row['parameters'])}".split())
        yield row, row["writer"], says[:LONGEST] + ("…" if len(says) > LONGEST else "")


def _select(table: str, source: _Source) -> str:
    parameters = "request_parameters::VARCHAR" if table == "cloudtrail" else "NULL"
    return (
        f"SELECT _artifact, _line, time, {source.mark} AS request_id, '{source.writer}' AS writer, {source.says} AS says, "
        f'{parameters} AS parameters FROM "{table}" WHERE {source.where}'
    )


def _about(parameters: str | None) -> str:
    """What a call named, by its first parameters that are names or ids."""
    try:
        known = json.loads(parameters or "null")
    except ValueError:
        return ""
    if not isinstance(known, dict):
        return ""
    named = [f"{key} {value}" for key, value in known.items() if isinstance(value, str) and _NAMED.search(key)]
    return f" ({', '.join(named[:_NAMES])})" if named else ""
