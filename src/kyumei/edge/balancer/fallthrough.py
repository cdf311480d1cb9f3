"""Requests that a listener rule used to take and that fell through to the default action: priority 0 after another one (EDGE-158)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.balancer.answer import last_action
from kyumei.edge.balancer.setting import balancer_arn, listener_rules
from kyumei.edge.changes import AFTER, Resource, Turn, changes, shown
from kyumei.edge.documents import as_list, as_map
from kyumei.edge.literals import literal, same
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

CHANGES = ("ModifyRule", "DeleteRule", "SetRulePriorities", "DeleteListener")
"""Calls that can take a rule from its requests; a new rule, or another default action, cannot."""
FEWEST = 3
"""Earlier requests of the path that the former rule forwarded."""
SLACK = timedelta(seconds=60)
"""How long a change of the rules may take to reach all nodes."""


class FellThrough(NamedTuple):
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
    confirmed = (*_changed(view, row, priority, before[0]["time"], first["time"]), *_gone(view, row, priority))
    return FellThrough(priority, str(before[0]["target_group_arn"] or ""), Evidence(says, view.cite(before), sql, len(before)), confirmed)


class OtherHost(NamedTuple):
    """A host whose requests a rule forwards: its priority and target group, and the records that show it."""

    host: str
    group: str
    evidence: Evidence


def other_host(view: View, row: Mapping[str, Any]) -> OtherHost | None:
    """Which other host's requests of the same path are forwarded, where no request for the row's own host ever is; null otherwise.

    Then it is the host that no rule takes, and neither the path nor the target.
    """
    host = row.get("host")
    if row.get("rule_priority") != 0 or last_action(row) != "fixed-response" or host is None or row.get("path") is None:
        return None
    forwarded = f"{same('elb', row['elb'])} AND target_status IS NOT NULL AND target_group_arn IS NOT NULL AND rule_priority > 0"
    sql = f"SELECT * FROM alb_access WHERE {forwarded} AND {same('path', row['path'])} AND host IS NOT NULL ORDER BY time DESC"
    rows = view.rows(f"{sql} LIMIT 200")
    hosts = {str(one["host"]).lower() for one in rows}
    if len(rows) < FEWEST or len(hosts) != 1 or str(host).lower() in hosts:
        return None
    if view.rows(f"SELECT 1 AS one FROM alb_access WHERE {forwarded} AND {same('host', host)} LIMIT 1"):
        return None
    first = rows[0]
    says = (
        f"The same path is forwarded by rule {first['rule_priority']} when it is asked for at {first['host']}; of what is asked for at "
        f"{host} this log has nothing forwarded by a rule: no rule takes that host"
    )
    return OtherHost(str(first["host"]), str(first["target_group_arn"]), Evidence(says, view.cite(rows), sql, len(rows)))


def _changed(view: View, row: Mapping[str, Any], priority: int, last: datetime, first: datetime) -> list[Evidence]:
    """Calls between the last request forwarded and the first that was not, that changed rules of this balancer, and not another rule."""
    home = balancer_arn(view, row)
    resource = Resource((str(row["elb"]),), arn=home if home.startswith("arn:") else "")
    others = {str(rule.get("RuleArn")) for rule, _ in listener_rules(view, row["elb"]) if str(rule.get("Priority")) != str(priority)}
    found = [one for one in changes(view, CHANGES, resource, last - SLACK, first + AFTER) if one.asked.get("ruleArn") not in others]
    told = shown(view, found, Turn(last, first))
    return [told] if told else []


def _gone(view: View, row: Mapping[str, Any], priority: int) -> list[Evidence]:
    """That the listener whose default action it was, as described, holds no rule of that priority."""
    by_listener: dict[str, list[tuple[dict[str, Any], Citation]]] = {}
    for rule, where in listener_rules(view, row["elb"]):
        by_listener.setdefault(str(rule.get("RuleArn") or "").rpartition("/")[0], []).append((rule, where))
    met = [rules for rules in by_listener.values() if any(_answers_so(rule, row) for rule, _ in rules)]
    if met and not any(str(rule.get("Priority")) == str(priority) for rules in met for rule, _ in rules):
        return [Evidence(f"The listener has no rule {priority} now", (met[0][0][1],), total=sum(len(rules) for rules in met))]
    return []


def _answers_so(rule: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a rule is a default one that gives the fixed response of the row; another listener's default mostly does something else."""
    if str(rule.get("Priority")) != "default":
        return False
    for action in (as_map(one) for one in as_list(rule.get("Actions"))):
        status = as_map(action.get("FixedResponseConfig")).get("StatusCode")
        if action.get("Type") == "fixed-response" and status in {None, str(row["status"])}:
            return True
    return False
