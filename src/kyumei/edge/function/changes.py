"""Changes of a Lambda function just before requests to it began to fail, and which function a load balancer's target group holds.

A call counts where it names the very function (by name or ARN, in its account and Region) and lies between the last request that went well
and the first that failed. Only some calls explain a given failure: a removed permission explains a refused call, and no time-out.

Follows the actions of the AWS Lambda API Reference, whose names in CloudTrail end in a date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.edge.balancer.health import group_health
from kyumei.edge.balancer.setting import group_of
from kyumei.edge.changes import AFTER, SLACK, Change, Resource, Turn, changes, shown, turn
from kyumei.edge.gateway.steps import function_name
from kyumei.edge.literals import same

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part
    from kyumei.model.finding import Evidence

_PERMISSION = frozenset({"RemovePermission"})
_CONCURRENCY = frozenset({"PutFunctionConcurrency"})
_DELETED = frozenset({"DeleteFunction", "DeleteAlias"})
_CODE = frozenset({"UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"})
SETTLING: dict[str, frozenset[str]] = {
    "EDGE-062": _PERMISSION,
    "EDGE-065": _CONCURRENCY,
    "EDGE-067": _DELETED,
    "INVALID_PERMISSIONS": _PERMISSION,
    "NOT_PERMITTED": _PERMISSION,
}
"""By the id of an error reason or the kind of API Gateway's answer: the calls that leave nothing else to explain it."""
BESIDE: dict[str, frozenset[str]] = {
    **dict.fromkeys(("EDGE-063", "EDGE-064", "EDGE-066", "EDGE-069", "EDGE-070", "EDGE-071"), _CODE),
    **dict.fromkeys(("FUNCTION_ERROR", "MALFORMED", "INTEGRATION_TIMEOUT"), _CODE),
}
"""Calls after which a function may fail so: shown, and no proof."""


def target_function(view: View, row: Mapping[str, Any]) -> str:
    """The name of the function in the target group of a balancer's row, where exactly one is told; else empty."""
    names = {function_name(one.target).partition(":")[0] for one in group_health(view, row).states} - {""}
    return next(iter(names)) if len(names) == 1 else ""


def changed_function(view: View, part: Part, code: str, name: str) -> tuple[Evidence | None, bool]:
    """Changes of a target group's function before a balancer's requests failed, and whether they settle the cause."""
    if not name or not view.has("cloudtrail"):
        return None, False
    row = part.row
    where = f"{same('elb', row['elb'])} AND {same('target_group_arn', group_of(view, row))}"
    failing = f"{where} AND {same('error_reason', row.get('error_reason'))} AND {same('status', row['status'])}"
    well = f"{where} AND error_reason IS NULL AND status < 500"
    when = turn(view, "alb_access", well, failing, min(one["time"] for one in part.rows))
    return function_changes(view, code, name, str(group_of(view, row) or ""), when)


def function_changes(view: View, kind: str, name: str, home: str, when: Turn | None) -> tuple[Evidence | None, bool]:
    """The changes of a function that can explain a kind of failure, and whether they settle it; ``home`` is an ARN of its account."""
    if when is None or not name:
        return None, False
    resource = Resource(names=(("functionName", name.partition(":")[0]),), arn=home)
    settling = SETTLING.get(kind, frozenset())
    found = changes(view, settling | BESIDE.get(kind, frozenset()), resource, when.well - SLACK, when.failed + AFTER)
    fitting = [one for one in found if _explains(one)]
    return shown(view, fitting, when), any(one.call in settling for one in fitting)


def _explains(one: Change) -> bool:
    """Whether a call took something away: reserved concurrency that was raised, or a permission of somebody else, did not."""
    if one.call == "PutFunctionConcurrency":
        return one.asked.get("reservedConcurrentExecutions") == 0
    return True


def changed_integration(view: View, kind: str, row: Mapping[str, Any], function: str) -> tuple[Evidence | None, bool]:
    """Changes of the function behind an API before the requests of a row's path failed so, and whether they settle the cause."""
    if not function or row.get("time") is None or not view.has("cloudtrail") or not view.has("api_gateway_access"):
        return None, False
    where = " AND ".join(same(name, row.get(name)) for name in ("api_id", "stage", "path") if row.get(name) is not None) or "true"
    failing = f"{where} AND {same('status', row.get('status'))} AND {same('target_status', row.get('target_status'))}"
    when = turn(view, "api_gateway_access", f"{where} AND status < 400", failing, row["time"])
    return function_changes(view, kind, function_name(function) or function, function, when)
