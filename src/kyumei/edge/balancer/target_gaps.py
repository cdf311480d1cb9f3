"""What is known of every request that a load balancer could not have answered by a target, and what would tell more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.edge.balancer.finding import TITLES
from kyumei.edge.balancer.setting import group_of
from kyumei.edge.balancer.target_traces import reached
from kyumei.edge.request_words import request_words
from kyumei.model.finding import Gap, RuledOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part


def unknown(part: Part) -> Gap:
    """What would tell why the balancer answered so, where its row fits no pattern."""
    row = part.row
    how = "aws elbv2 describe-target-health --target-group-arn <ARN>, and the targets' own logs around the moment"
    return Gap(
        "state of the load balancer's targets", f"why it answered {row['status']} to {request_words(row)} (last action forward)", how
    )


def target_log(what: str) -> Gap:
    """The target's own logs, and what they would tell."""
    how = (
        "copy the logs of the service on the target, of its supervisor (journalctl -u <UNIT>) and of the kernel around the "
        "moment into the folder"
    )
    return Gap("the target's own logs around the moment", what, how)


def metric_gap(names: Sequence[str], what: str) -> Gap:
    """Metrics of the balancer, and what they would tell."""
    listed = " and ".join(names)
    how = "aws cloudwatch get-metric-data for these metrics by LoadBalancer and TargetGroup, stored as aws/cloudwatch/get-metric-data.json"
    return Gap(f"metric {listed} of the load balancer", what, how)


def health_gap(view: View, part: Part, what: str) -> Gap:
    """How the targets of the part's group are, and what that would tell."""
    arn = group_of(view, part.row) or "<TARGET_GROUP_ARN>"
    name = arn.split("/")[1] if arn.count("/") > 1 else "<TARGET_GROUP>"
    how = f"aws elbv2 describe-target-health --target-group-arn {arn} > aws/elbv2/describe-target-health.{name}.json"
    return Gap("health of the target group (describe-target-health)", what, how)


def saw_it(view: View, part: Part, code: str, name: str) -> tuple[RuledOut, ...]:
    """That the target did get the request, which excludes that it was never sent."""
    seen = [row for hop, rows in part.failure.sightings.items() if hop in TITLES for row in rows] or reached(view, part.rows)
    why = f"a log behind the load balancer has the request, so {name} is not what failed"
    return (RuledOut(code, why, view.cite(seen, 2)),) if seen else ()


def silent(part: Part) -> bool:
    """Whether a log that covers the moment lacks the request further in."""
    return any(hop in TITLES for hop in part.failure.silent)
