"""Requests that a listener rule used to take and that fell through to the default action: priority 0 after another one (EDGE-158)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.balancer_answer import last_action
from kyumei.edge.balancer_setting import listener_rules
from kyumei.edge.waf_sql import literal, same
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kyumei.contracts import View

CHANGES = ("ModifyRule", "DeleteRule", "SetRulePriorities", "CreateRule", "ModifyListener")
FEWEST = 3
"""Earlier requests of the path that the former rule forwarded."""
SLACK = timedelta(seconds=60)
"""How long a change of the rules may take to reach all nodes, and how far the clocks of two logs may lie apart."""


@dataclass(frozen=True)
class FellThrough:
    """The former rule of a path: its priority and target group, the records that show it, and what confirms the change."""

    priority: int
    group: str
    evidence: Evidence
    confirmed: tuple[Evidence, ...]


def fell_through(view: View, row: Mapping[str, Any]) -> FellThrough | None:
    """What took the requests of this row's path before the default action did; null where nothing else did, or still does."""
    if row.get("rule_priority") != 0 or last_action(row) != "fixed-response" or row.get("path") is None:
        return None
    where = f"{same('elb', row['elb'])} AND {same('path', row['path'])} AND {same('host', row['host'])} AND {same('method', row['method'])}"
    fell = f"{where} AND rule_priority = 0 AND {same('status', row['status'])}"
    first = view.rows(f"SELECT min(time) AS time, max(time) AS until FROM alb_access WHERE {fell}")[0]
    if first["time"] is None:
        return None
    former = f"{where} AND rule_priority > 0 AND target_status < 500"
    sql = f"SELECT * FROM alb_access WHERE {former} AND time < {literal(first['time'])} ORDER BY time DESC"
    before = view.rows(f"{sql} LIMIT 50")
    # The rule may have been restored afterwards; in between it took nothing, else it was not the rule that went.
    between = f"time BETWEEN {literal(first['time'])} AND {literal(first['until'])}"
    meanwhile = view.rows(f"SELECT count(*) AS n FROM alb_access WHERE {former} AND {between}")[0]["n"]
    if len(before) < FEWEST or meanwhile:
        return None
    priority = int(before[0]["rule_priority"])
    says = (
        f"Until {before[0]['time']:%H:%M:%S} UTC such requests were forwarded by rule {priority}; from "
        f"{first['time']:%H:%M:%S} UTC on they met the default action"
    )
    confirmed = (*_changed(view, row["elb"], before[0]["time"], first["time"]), *_gone(view, row, priority))
    return FellThrough(priority, str(before[0]["target_group_arn"] or ""), Evidence(says, view.cite(before), sql, len(before)), confirmed)


def _changed(view: View, elb: str, last: datetime, first: datetime) -> list[Evidence]:
    """Calls of CloudTrail, between the last request forwarded and the first that was not, that changed rules of this balancer."""
    if not view.has("cloudtrail"):
        return []
    names = ", ".join(literal(name) for name in CHANGES)
    told = "coalesce(request_parameters::VARCHAR, '')"
    sql = (
        f"SELECT * FROM cloudtrail WHERE event_name IN ({names}) AND NOT failed "
        f"AND (contains({told}, {literal(elb)}) OR NOT contains({told}, ':listener')) "
        f"AND time BETWEEN {literal(last - SLACK)} AND {literal(first + SLACK)} ORDER BY time"
    )
    found = view.rows(f"{sql} LIMIT 5")
    says = f"CloudTrail has a change of the listener's rules at {found[0]['time']:%H:%M:%S} UTC" if found else ""
    return [Evidence(says, view.cite(found), sql, len(found))] if found else []


def _gone(view: View, row: Mapping[str, Any], priority: int) -> list[Evidence]:
    """That the listener rules as described hold no rule of that priority."""
    rules = listener_rules(view, row["elb"])
    if rules and not any(str(rule.get("Priority")) == str(priority) for rule, _ in rules):
        return [Evidence(f"The listener has no rule {priority} now", (rules[0][1],), total=len(rules))]
    return []
