"""How a load balancer is configured, as stored AWS answers tell: attributes, listener rules, target groups.

An answer that does not name its balancer counts for it only if its file's name does, or if the logs know no other balancer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.edge.documents import answers, as_list, as_map, qualifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

IDLE_SECONDS = 60.0
"""The idle timeout of a balancer whose attribute was never set."""
IDLE = "idle_timeout.timeout_seconds"
_PARTS = re.compile(r"[/:,@ ]+")
_ARN = re.compile(r"arn:(aws[a-z-]*):[a-z]+:([a-z0-9-]+):([0-9]{12}):")
_STORED = re.compile(r"(?:\A|/)aws/(?:([0-9]{12})/)?(?:([a-z]{2}(?:-[a-z]+)+-[0-9]+)/)?[a-z0-9-]+/[^/]+\Z")


def is_about(told: str, resource: str) -> bool:
    """Whether a text (an ARN, a name, a file's qualifier) names a resource, given as ``app/name/id``, an ARN, or a name."""
    tail = resource.rpartition(":")[2]
    name = [part for part in tail.removeprefix("targetgroup/").removeprefix("loadbalancer/").split("/") if part not in {"app", "net"}]
    words = set(_PARTS.split(told))
    return bool(name) and (name[0] in words if not _ids(words) or len(name) == 1 else name[-1] in words)


def _ids(words: set[str]) -> set[str]:
    """The words that are ids of balancers or target groups: sixteen hexadecimal digits."""
    return {word for word in words if re.fullmatch(r"[0-9a-f]{16}", word)}


def is_elsewhere(where: Citation, told: str, arn: str | None) -> bool:
    """Whether an answer that names no id was stored for another account or Region than a resource's: names are used again there.

    Where the answer's path or the resource's ARN does not tell one of the two, it counts for the same.
    """
    stored, own = _STORED.search(where.file), _ARN.match(arn or "")
    if stored is None or own is None or _ids(set(_PARTS.split(told))):
        return False
    return stored[1] not in {None, own[3]} or stored[2] not in {None, own[2]}


def _home(view: View, elb: str) -> str:
    """An ARN of the account and Region in which a balancer stands, as its rows name its target groups or certificates; else empty."""
    sql = "SELECT coalesce(target_group_arn, cert_arn) AS arn FROM alb_access WHERE elb = ? AND arn LIKE 'arn:%' ORDER BY 1 LIMIT 1"
    return next((str(row["arn"]) for row in view.rows(sql, elb)), "")


def balancers(view: View) -> list[str]:
    """The balancers that the access logs of the case know, as ``app/name/id``; at most ten."""
    return [row["elb"] for row in view.rows("SELECT DISTINCT elb FROM alb_access WHERE elb IS NOT NULL ORDER BY 1 LIMIT 10")]


def target_groups(view: View) -> list[str]:
    """The ARNs of target groups that the access logs or ``describe-target-groups`` know, at most fifty of each."""
    rows = view.rows("SELECT DISTINCT target_group_arn AS arn FROM alb_access WHERE target_group_arn IS NOT NULL ORDER BY 1 LIMIT 50")
    listed = [str(document.get("TargetGroupArn") or "") for document, _ in answers(view, "elbv2", "describe-target-groups")]
    return sorted({row["arn"] for row in rows} | {arn for arn in listed if arn})


def group_of(view: View, row: Mapping[str, Any]) -> str | None:
    """The ARN of the target group of a row; where the row names none, the only one that its listener rule forwards to."""
    if row.get("target_group_arn"):
        return str(row["target_group_arn"])
    found = view.rows(
        "SELECT DISTINCT target_group_arn AS arn FROM alb_access WHERE elb = ? AND rule_priority IS NOT DISTINCT FROM ? "
        "AND target_group_arn IS NOT NULL LIMIT 2",
        row["elb"],
        row.get("rule_priority"),
    )
    return str(found[0]["arn"]) if len(found) == 1 else None


def group_document(view: View, arn: str | None) -> tuple[dict[str, Any], Citation] | None:
    """The target group as described, if it is in the case."""
    found = answers(view, "elbv2", "describe-target-groups")
    return next(((document, where) for document, where in found if arn and document.get("TargetGroupArn") == arn), None)


def attribute(view: View, elb: str, key: str) -> tuple[str, Citation] | None:
    """The value of an attribute of the balancer as stored; null where it is not in the case, or may be another balancer's."""
    for document, where in answers(view, "elbv2", "describe-load-balancer-attributes"):
        told = f"{qualifier(where)} {document.get('LoadBalancerArn') or ''}".strip()
        if not (is_about(told, elb) if told else balancers(view) == [elb]) or is_elsewhere(where, told, _home(view, elb)):
            continue
        for one in as_list(document.get("Attributes")) if "Attributes" in document else [document]:
            if as_map(one).get("Key") == key:
                return str(as_map(one).get("Value")), where
    return None


def idle_timeout(view: View, elb: str) -> tuple[float, Citation | None]:
    """The idle timeout in seconds, and where it is told; the default where it is not."""
    found = attribute(view, elb, IDLE)
    try:
        return (float(found[0]), found[1]) if found else (IDLE_SECONDS, None)
    except ValueError:
        return IDLE_SECONDS, None


def listener_rules(view: View, elb: str, priority: int | None = None) -> list[tuple[dict[str, Any], Citation]]:
    """The listener rules of the balancer as described, or those of one priority (0 is the default rule)."""
    wanted = None if priority is None else "default" if priority == 0 else str(priority)
    return [
        (document, where)
        for document, where in answers(view, "elbv2", "describe-rules")
        if (wanted is None or str(document.get("Priority")) == wanted)
        and ("RuleArn" not in document or f"/{elb}/" in str(document["RuleArn"]))
    ]


def services_of(view: View, group: str) -> list[tuple[str, object]]:
    """Name and cluster of the ECS services that are described with this target group."""
    return [
        (str(one["serviceName"]), one.get("clusterArn"))
        for one, _ in answers(view, "ecs", "describe-services")
        if group
        and one.get("serviceName")
        and any(as_map(each).get("targetGroupArn") == group for each in as_list(one.get("loadBalancers")))
    ]


def balancer_arn(view: View, row: Mapping[str, Any]) -> str:
    """The balancer's ARN for a command; ``<LOAD_BALANCER_ARN>`` where neither configuration nor row tells Region and account."""
    for document, _ in answers(view, "elbv2", "describe-load-balancers"):
        if str(document.get("LoadBalancerArn") or "").endswith(f"loadbalancer/{row['elb']}"):
            return str(document["LoadBalancerArn"])
    found = _ARN.match(group_of(view, row) or row.get("cert_arn") or "")
    return f"arn:{found[1]}:elasticloadbalancing:{found[2]}:{found[3]}:loadbalancer/{row['elb']}" if found else "<LOAD_BALANCER_ARN>"
