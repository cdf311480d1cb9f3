"""Deployments and their targets as the API of AWS CodeDeploy describes them: one row for each answer's deployment, target or instance.

``get-deployment`` says how a deployment fared as a whole and, in ``error_type``, why it failed; ``get-deployment-target`` (older:
``get-deployment-instance``) has the lifecycle events of one host, with the end of the failing script's output. Taken again and again while
it runs, an answer is a snapshot of its moment: ``time`` is the last change that it tells. ``codedeploy_lifecycle`` has one row for each
lifecycle event.

Follows DeploymentInfo, ErrorInformation, DeploymentTarget, InstanceSummary, LifecycleEvent and Diagnostics of the AWS CodeDeploy API
Reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.contracts import Derived, Format
from kyumei.layouts.casts import INTEGER, TEXT, Cast, quoted
from kyumei.layouts.json_record import JsonRecord, parse_object
from kyumei.layouts.json_tree import dig, every_pair, shallow, tree
from kyumei.layouts.recorded_times import INSTANT, with_times
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEPLOYMENT = Column("deployment_id", Kind.TEXT, "The deployment.", Link.RESOURCE, "deploymentId")
_TARGET = Column(
    "target_id", Kind.TEXT, "The instance, function or service that is deployed to; null of a deployment.", Link.RESOURCE, "targetId"
)
_EVENT_STATE = "Pending, InProgress, Succeeded, Failed, Skipped or Unknown."
TABLE = Table(
    "codedeploy_deployment",
    "Deployments of AWS CodeDeploy and their targets, as the API described them.",
    (
        Column("time", Kind.TIME, "The last change that the answer tells.", origin="completeTime, lastUpdatedAt, startTime, createTime"),
        Column("kind", Kind.TEXT, "deployment, target or instance."),
        _DEPLOYMENT,
        Column(
            "state", Kind.TEXT, "Created, Queued, InProgress, Baking, Succeeded, Failed, Stopped, Ready, Pending, Skipped.", origin="status"
        ),
        Column("error_type", Kind.TEXT, "Why it failed: HEALTH_CONSTRAINTS, TIMEOUT, ALARM_ACTIVE...", origin="errorInformation.code"),
        Column("error_text", Kind.TEXT, "The same in words.", origin="errorInformation.message"),
        Column("application", Kind.TEXT, "The application.", origin="applicationName"),
        Column("deployment_group", Kind.TEXT, "The deployment group.", Link.RESOURCE, "deploymentGroupName"),
        Column("deployment_config", Kind.TEXT, "How many at once: CodeDeployDefault.OneAtATime...", origin="deploymentConfigName"),
        Column("creator", Kind.TEXT, "user, autoscaling, codeDeployRollback...", origin="creator"),
        Column("description", Kind.TEXT, "The description.", origin="description"),
        Column("platform", Kind.TEXT, "Server, Lambda or ECS.", origin="computePlatform"),
        Column("revision", Kind.TEXT, "The bucket and key, or the repository and commit, that is deployed.", origin="revision"),
        Column(
            "rollback_of",
            Kind.TEXT,
            "The deployment that this one rolls back.",
            Link.RESOURCE,
            "rollbackInfo.rollbackTriggeringDeploymentId",
        ),
        Column("rolled_back_by", Kind.TEXT, "The deployment that rolls this one back.", Link.RESOURCE, "rollbackInfo.rollbackDeploymentId"),
        Column("created", Kind.TIME, "When it was made.", origin="createTime"),
        Column("started_at", Kind.TIME, "When it began.", origin="startTime"),
        Column("ended", Kind.TIME, "When it ended.", origin="completeTime"),
        Column("succeeded_count", Kind.INTEGER, "Targets that succeeded.", origin="deploymentOverview.Succeeded"),
        Column("failed_count", Kind.INTEGER, "Targets that failed.", origin="deploymentOverview.Failed"),
        Column("pending_count", Kind.INTEGER, "Targets that wait.", origin="deploymentOverview.Pending"),
        _TARGET,
        Column("target_arn", Kind.TEXT, "Its ARN.", Link.RESOURCE, "targetArn, instanceId"),
        Column("target_type", Kind.TEXT, "InstanceTarget, ECSTarget, LambdaTarget or CloudFormationTarget.", origin="deploymentTargetType"),
        Column("failed_event", Kind.TEXT, "The first lifecycle event that failed.", origin="lifecycleEvents"),
        Column("lifecycle_events", Kind.JSON, "All lifecycle events of the target.", origin="lifecycleEvents"),
        Column("document", Kind.JSON, "The whole description."),
    ),
)

_S3, _GIT = ("revision", "s3Location"), ("revision", "gitHubLocation")
CHOICES: dict[str, tuple[Cast, tuple[tuple[str, ...], ...]]] = {
    "deployment_id": (TEXT, (("deploymentId",),)),
    "state": (TEXT, (("status",),)),
    "error_type": (TEXT, (("errorInformation", "code"),)),
    "error_text": (TEXT, (("errorInformation", "message"),)),
    "application": (TEXT, (("applicationName",),)),
    "deployment_group": (TEXT, (("deploymentGroupName",),)),
    "deployment_config": (TEXT, (("deploymentConfigName",),)),
    "creator": (TEXT, (("creator",),)),
    "description": (TEXT, (("description",),)),
    "platform": (TEXT, (("computePlatform",),)),
    "rollback_of": (TEXT, (("rollbackInfo", "rollbackTriggeringDeploymentId"),)),
    "rolled_back_by": (TEXT, (("rollbackInfo", "rollbackDeploymentId"),)),
    "created": (INSTANT, (("createTime",),)),
    "started_at": (INSTANT, (("startTime",),)),
    "ended": (INSTANT, (("completeTime",),)),
    "_updated": (INSTANT, (("lastUpdatedAt",),)),
    "succeeded_count": (INTEGER, (("deploymentOverview", "Succeeded"),)),
    "failed_count": (INTEGER, (("deploymentOverview", "Failed"),)),
    "pending_count": (INTEGER, (("deploymentOverview", "Pending"),)),
    "target_id": (TEXT, (("targetId",),)),
    "target_arn": (TEXT, (("targetArn",), ("instanceId",))),
    "_bucket": (TEXT, ((*_S3, "bucket"), (*_GIT, "repository"))),
    "_key": (TEXT, ((*_S3, "key"), (*_GIT, "commitId"))),
}
"""Columns that the description fills: the first of the places where anything is."""
_KINDS = {"deploymentInfo": "deployment", "deploymentTarget": "target", "instanceSummary": "instance"}
_TARGETS = ("instanceTarget", "ecsTarget", "lambdaTarget", "cloudFormationTarget")


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """An item of a batch gets the key that a single answer has."""
    if _KINDS.keys() & document.keys():
        return {key: with_times(value) for key, value in document.items()}
    known = with_times(document)
    own = "deploymentTarget" if "deploymentTargetType" in known else "instanceSummary" if "lifecycleEvents" in known else "deploymentInfo"
    return {own: known}


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What the description tells."""
    key = next((key for key in _KINDS if isinstance(document.get(key), dict)), "deploymentInfo")
    whole = document.get(key)
    known = whole if isinstance(whole, dict) else {}
    found: dict[str, Any] = {"kind": _KINDS[key], "document": values[f"_{key}"], "target_type": None}
    if key == "deploymentTarget":
        inner: dict[str, Any] = next((known[name] for name in _TARGETS if isinstance(known.get(name), dict)), {})
        found["target_type"] = known.get("deploymentTargetType") if isinstance(known.get("deploymentTargetType"), str) else None
        known = inner
    for column, (cast, paths) in CHOICES.items():
        text = next((text for path in paths if (text := dig(known, path))), None)
        found[column] = None if text is None else cast.python(text)
    found["time"] = next((found[name] for name in ("ended", "_updated", "started_at", "created") if found[name] is not None), None)
    found["revision"] = f"{found['_bucket']}/{found['_key']}" if found["_bucket"] and found["_key"] else None
    events = known.get("lifecycleEvents")
    listed = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    found["lifecycle_events"] = events if isinstance(events, list) else None
    named = (event.get("lifecycleEventName") for event in listed if event.get("status") == "Failed")
    found["failed_event"] = next((name for name in named if isinstance(name, str)), None)
    return found, set()


_WORDS = list(dict.fromkeys(path for _, paths in CHOICES.values() for path in paths))
_PATHS = ", ".join(quoted("$" + "".join(f'."{step}"' for step in path)) for path in _WORDS)
STEPS = (
    {"_words": f"json_extract_string(_deploymentInfo, [{_PATHS}])"},
    {
        f"_raw_{column}": f"coalesce({', '.join(f'''nullif(_words[{_WORDS.index(path) + 1}], '')''' for path in paths)})"
        for column, (_, paths) in CHOICES.items()
    },
    {column: cast.sql.replace("{x}", f'"_raw_{column}"') for column, (cast, _) in CHOICES.items()},
    {
        "kind": "'deployment'",
        "document": "_deploymentInfo",
        "time": "coalesce(ended, _updated, started_at, created)",
        "revision": "_bucket || '/' || _key",
    },
)
LAYOUT = JsonRecord(
    table=TABLE,
    fields=tuple(tree(f"_{key}", key) for key in _KINDS),
    prepare=_prepare,
    derive=_derive,
    steps=STEPS,
    plain=(
        # Targets are few, and nested otherwise: they are for the exact reader.
        "starts_with(_deploymentInfo::VARCHAR, '{')",
        "_deploymentTarget IS NULL AND _instanceSummary IS NULL",
        "NOT contains(_deploymentInfo::VARCHAR, 'lifecycleEvents') AND NOT contains(_deploymentInfo::VARCHAR, '__class__')",
        *(f'("_raw_{column}" IS NULL OR "{column}" IS NOT NULL)' for column, (cast, _) in CHOICES.items() if cast is not TEXT),
        *shallow(("_deploymentInfo",)),
    ),
    made=every_pair,
)

LIFECYCLE_TABLE = Table(
    "codedeploy_lifecycle",
    "Lifecycle events of deployments, one row for each on each target.",
    (
        Column("time", Kind.TIME, "When the event began; when it ended, where it was skipped.", origin="startTime"),
        Column("ended", Kind.TIME, "When it ended.", origin="endTime"),
        *(_DEPLOYMENT, _TARGET),
        Column("lifecycle_event", Kind.TEXT, "ApplicationStop, DownloadBundle, BeforeInstall...", origin="lifecycleEventName"),
        Column("state", Kind.TEXT, _EVENT_STATE, origin="status"),
        Column(
            "error_type",
            Kind.TEXT,
            "Success, ScriptMissing, ScriptNotExecutable, ScriptTimedOut, ScriptFailed, UnknownError.",
            origin="errorCode",
        ),
        Column("error_text", Kind.TEXT, "What the diagnostics say.", origin="message"),
        Column("script", Kind.TEXT, "The script that failed.", origin="scriptName"),
        Column("output", Kind.TEXT, "The end of the script's output.", origin="logTail"),
    ),
)


def _moment(name: str) -> str:
    raw = f"event->>'$.{name}'"
    written = f"make_timestamp(epoch_us(TRY_CAST({raw} AS TIMESTAMPTZ)))"
    return f"coalesce({written}, make_timestamp((TRY_CAST({raw} AS DOUBLE) * 1000000)::BIGINT))"


_TARGETED = "coalesce(target_id, target_arn) AS target_id"
_EVENTS = f"SELECT _artifact, _line, deployment_id, {_TARGETED}, unnest(lifecycle_events::JSON[]) AS event"
LIFECYCLE = (
    f"SELECT _artifact, _line, coalesce({_moment('startTime')}, {_moment('endTime')}) AS time, {_moment('endTime')} AS ended, "
    "deployment_id, target_id, event->>'$.lifecycleEventName' AS lifecycle_event, event->>'$.status' AS state, "
    "nullif(event->>'$.diagnostics.errorCode', '') AS error_type, nullif(event->>'$.diagnostics.message', '') AS error_text, "
    "nullif(event->>'$.diagnostics.scriptName', '') AS script, nullif(event->>'$.diagnostics.logTail', '') AS output "
    f"FROM ({_EVENTS} FROM codedeploy_deployment WHERE lifecycle_events IS NOT NULL)"
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """An answer of get-deployment, get-deployment-target or get-deployment-instance, or an item of one that holds several."""
    if '"deploymentId"' not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    if _KINDS.keys() & found.keys():
        return len(found.keys() - {"ResponseMetadata", "$metadata"}) == 1
    if "deploymentTargetType" in found:
        return any(name in found for name in _TARGETS)
    own = ({"deploymentId", "applicationName", "deploymentGroupName"}, {"deploymentId", "instanceId", "lifecycleEvents"})
    return any(keys <= found.keys() for keys in own)


FORMAT = Format(
    name="codedeploy_deployment",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS CodeDeploy API Reference, DeploymentInfo and DeploymentTarget",
    hop="codedeploy",
    complete=False,
    derived=(Derived(LIFECYCLE_TABLE, LIFECYCLE),),
)
