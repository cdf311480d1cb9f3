r"""CloudFormation stack events: what became of each resource of a stack, in the order in which it happened.

They come as the answer of ``describe-stack-events`` (newest first, 90 days back) or as a notification of SNS, whose message is lines of
``Key='value'``. A resource has an event for each change of its status. The first cause of a failed deployment is the earliest event whose
``failure`` is ``own``: what was cancelled because of it, stacks that failed because a nested one did, and the stack that only counts its
failed resources are told apart. Most reasons quote the service that refused: its status, error and request id are taken from there.

Follows "StackEvent" in the CloudFormation API Reference and "View stack events" in the User Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.stamps import EPOCH, ISO
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "cloudformation_event",
    "What CloudFormation did with the resources of stacks.",
    (
        Column("time", Kind.TIME, "When the status changed.", origin="Timestamp"),
        Column("stack", Kind.TEXT, "The stack's name.", origin="StackName"),
        Column(
            "logical_id", Kind.TEXT, "The resource's name in the template; of the stack itself its own name.", origin="LogicalResourceId"
        ),
        Column("resource_type", Kind.TEXT, "AWS::ECS::Service and so on.", origin="ResourceType"),
        Column("resource_status", Kind.TEXT, "CREATE_IN_PROGRESS, UPDATE_FAILED, ROLLBACK_COMPLETE...", origin="ResourceStatus"),
        Column("status_reason", Kind.TEXT, "Why, in CloudFormation's or the service's words.", origin="ResourceStatusReason"),
        Column(
            "failure",
            Kind.TEXT,
            "Of a failed one: own; cancelled (another failed first); nested (a stack inside failed); counted (the stack names its failed "
            "resources). Null when it did not fail.",
        ),
        Column("failed_service", Kind.TEXT, "The service that refused, as the reason names it.", origin="ResourceStatusReason"),
        Column("status", Kind.INTEGER, "The status that this service answered.", Link.STATUS, "ResourceStatusReason"),
        Column("error_type", Kind.TEXT, "Its error code, or the code that the resource's handler made of it.", origin="HandlerErrorCode"),
        Column("request_id", Kind.TEXT, "The id of the refused request.", Link.REQUEST, "ResourceStatusReason"),
        Column("resource", Kind.TEXT, "The resource's own id or ARN; empty before it exists.", Link.RESOURCE, "PhysicalResourceId"),
        Column("stack_arn", Kind.TEXT, "The stack's ARN.", Link.RESOURCE, "StackId"),
        Column("account", Kind.TEXT, "The account, from the stack's ARN.", Link.ACCOUNT, "StackId"),
        Column("region", Kind.TEXT, "The Region, from the stack's ARN.", origin="StackId"),
        Column("event_id", Kind.TEXT, "The id of the event.", origin="EventId"),
        Column("client_token", Kind.TEXT, "The token of the operation that all of its events share.", origin="ClientRequestToken"),
        Column("detailed_status", Kind.TEXT, "CONFIGURATION_COMPLETE or VALIDATION_FAILED.", origin="DetailedStatus"),
        Column(
            "properties", Kind.TEXT, "The properties as they were asked for, as JSON; AWS may cut them off.", origin="ResourceProperties"
        ),
        Column("hook_type", Kind.TEXT, "The hook that looked at the change.", origin="HookType"),
        Column("hook_status", Kind.TEXT, "What the hook said.", origin="HookStatus"),
        Column("hook_reason", Kind.TEXT, "Why.", origin="HookStatusReason"),
        Column("hook_failure_mode", Kind.TEXT, "FAIL or WARN.", origin="HookFailureMode"),
        Column("principal", Kind.TEXT, "Who asked for it; only SNS tells.", Link.PRINCIPAL, "PrincipalId"),
    ),
)

_ARN = re.compile(r"arn:[^:]*:cloudformation:([^:]*):([^:]*):", re.ASCII)
_SERVICE = r"\(Service: ([^,;()]+)[,;] Status Code: ([0-9]{3})[,;]"
_REQUEST = r"[,;(] ?Request ID: ([A-Za-z0-9_=+/-]+)"
_HANDLER = r"HandlerErrorCode: ([A-Za-z0-9]+)"
_CODE = r"; Error Code: ([A-Za-z0-9_.]+)"
_CANCELLED = r"^Resource (?:creation|update|deletion|import) cancelled"
_NESTED = r"^Embedded stack .{1,2000} was not successfully "
_COUNTED = r"^The following (?:hook\(s\)|resource\(s\)) failed"
_KEY = re.compile(r"([A-Za-z]{1,40})='", re.ASCII)


def _found(pattern: str, text: str | None, group: int = 1) -> str | None:
    found = re.search(pattern, text or "", re.ASCII)
    return found[group] if found else None


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """The event in the message of a notification; anything else as it is."""
    message = document.get("Message")
    if "TopicArn" not in document or not isinstance(message, str):
        return document
    told: dict[str, str] = {}
    key = ""
    for line in message.split("\n"):
        if found := _KEY.match(line):
            key = found[1]
            told[key] = line[found.end() :]
        elif key:
            told[key] += "\n" + line
    return {key: cleared for key, value in told.items() if (cleared := value.rstrip().removesuffix("'"))} or document


def _failure(status: str | None, reason: str | None) -> str | None:
    """Whether a failure is the resource's own, or comes of another's."""
    if not (status or "").endswith("_FAILED"):
        return None
    sorts = (("cancelled", _CANCELLED), ("nested", _NESTED), ("counted", _COUNTED))
    return next((sort for sort, pattern in sorts if re.search(pattern, reason or "", re.ASCII)), "own")


def _derive(_document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """What the reason quotes, and what the ARN tells."""
    reason, where = values["status_reason"], _ARN.match(values["stack_arn"] or "")
    status = _found(_SERVICE, reason, 2)
    return {
        "failure": _failure(values["resource_status"], reason),
        "failed_service": _found(_SERVICE, reason),
        "status": int(status) if status else None,
        "error_type": _found(_CODE, reason) or _found(_HANDLER, reason),
        "request_id": _found(_REQUEST, reason),
        "region": (where[1] if where else None) or None,
        "account": (where[2] if where else None) or None,
    }, set()


def _extract(pattern: str, column: str = "status_reason", group: int = 1) -> str:
    return f"nullif(regexp_extract({column}, '{pattern}', {group}), '')"


LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "Timestamp", WHEN),
        one("stack", "StackName"),
        one("logical_id", "LogicalResourceId"),
        one("resource_type", "ResourceType"),
        one("resource_status", "ResourceStatus"),
        one("status_reason", "ResourceStatusReason"),
        one("resource", "PhysicalResourceId"),
        one("stack_arn", "StackId"),
        one("event_id", "EventId"),
        one("client_token", "ClientRequestToken"),
        one("detailed_status", "DetailedStatus"),
        one("properties", "ResourceProperties"),
        one("hook_type", "HookType"),
        one("hook_status", "HookStatus"),
        one("hook_reason", "HookStatusReason"),
        one("hook_failure_mode", "HookFailureMode"),
        one("principal", "PrincipalId"),
    ),
    stamp_ways=(ISO, EPOCH),
    known=frozenset({"Namespace"}),
    needs=frozenset({"StackId", "LogicalResourceId", "ResourceStatus"}),
    prepare=_prepare,
    derive=_derive,
    steps=(
        {
            "failure": "CASE WHEN ends_with(resource_status, '_FAILED') THEN CASE "
            f"WHEN regexp_matches(status_reason, '{_CANCELLED}') THEN 'cancelled' "
            f"WHEN regexp_matches(status_reason, '{_COUNTED}') THEN 'counted' ELSE 'own' END END",
            "failed_service": _extract(_SERVICE),
            "status": f"TRY_CAST({_extract(_SERVICE, group=2)} AS BIGINT)",
            "error_type": f"coalesce({_extract(_CODE)}, {_extract(_HANDLER)})",
            "request_id": _extract(_REQUEST),
            "region": _extract("^arn:[^:]*:cloudformation:([^:]*):[^:]*:", "stack_arn"),
            "account": _extract("^arn:[^:]*:cloudformation:[^:]*:([^:]*):", "stack_arn"),
        },
    ),
    plain=(
        "time IS NOT NULL",
        "stack_arn IS NOT NULL",
        "logical_id IS NOT NULL",
        "resource_status IS NOT NULL",
        "NOT coalesce(starts_with(status_reason, 'Embedded stack'), false)",
    ),
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """An event of a stack, or the notification of one."""
    if "LogicalResourceId" not in text or "ResourceStatus" not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    return {"StackId", "LogicalResourceId", "ResourceStatus"} <= _prepare(found).keys() and ("EventId" in text or "Timestamp" in text)


FORMAT = Format(
    name="cloudformation_event",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html",
    hop="cloudformation",
    delay_seconds=60,
    complete=True,
)
