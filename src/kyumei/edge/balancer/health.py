"""How the targets of one target group were: ``describe-target-health`` answers and health check logs of the case.

An answer of ``describe-target-health`` names its targets and not their group, and not when it was taken. It counts for a group when the
file's name says so, when it holds targets that the group is known to have, or when the case knows no other group.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.balancer.setting import group_of, is_about, is_elsewhere, target_groups
from kyumei.edge.documents import answers, as_list, as_map, qualifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

CHECKED_WITHIN = timedelta(seconds=90)
"""How far from a failing request a health check still tells how the target was: some intervals of the default thirty seconds."""
OPERATION = "describe-target-health"


class TargetState(NamedTuple):
    """How one target was. ``target`` is an address or an id, ``state`` as the API writes it, ``reason`` empty for healthy ones."""

    target: str
    state: str
    reason: str
    description: str
    citation: Citation


class GroupHealth(NamedTuple):
    """The stored states of a group's targets; ``empty`` cites an answer about the group that lists none."""

    told: bool
    states: tuple[TargetState, ...] = ()
    empty: tuple[Citation, ...] = ()

    def of(self, addresses: Sequence[str]) -> tuple[TargetState, ...]:
        """The states of these targets, or of all where none of them is listed."""
        return tuple(one for one in self.states if one.target in addresses) or self.states


class Checks(NamedTuple):
    """Health checks of a group's targets around failing requests: failed ones by reason, and how many passed."""

    failed: tuple[Mapping[str, Any], ...]
    passed: int

    @property
    def reason(self) -> str:
        """The reason that most of the failed checks give."""
        return Counter(str(row["error_reason"]) for row in self.failed).most_common(1)[0][0] if self.failed else ""


def group_health(view: View, row: Mapping[str, Any]) -> GroupHealth:
    """What ``describe-target-health`` told of the target group of a row."""
    arn = group_of(view, row)
    found = list(_states(view, arn))
    if found:
        return GroupHealth(told=True, states=tuple(found))
    empty = tuple(_empty(view, arn))
    return GroupHealth(told=bool(empty), empty=empty)


def checks(view: View, rows: Sequence[Mapping[str, Any]]) -> Checks | None:
    """The health checks of the group of these rows around them; null where the case has none."""
    arn = group_of(view, rows[0])
    if not view.has("alb_health_check") or arn is None:
        return None
    start, end = min(row["time"] for row in rows) - CHECKED_WITHIN, max(row["time"] for row in rows) + CHECKED_WITHIN
    found = view.rows("SELECT * FROM alb_health_check WHERE time BETWEEN ? AND ? ORDER BY time LIMIT 5000", start, end)
    own = [row for row in found if is_about(str(row["target_group"] or ""), arn)]
    targets = {row["target_ip"] for row in rows if row["target_ip"]}
    meant = [row for row in own if row["target_ip"] in targets] or own
    if not meant:
        return None
    return Checks(tuple(row for row in meant if row["outcome"] == "FAIL"), sum(row["outcome"] == "PASS" for row in meant))


def _states(view: View, arn: str | None) -> Iterator[TargetState]:
    listed = [(one, str(document.get("TargetGroupArn") or ""), where) for document, where in _described(view) for one in _inner(document)]
    by_file: dict[tuple[str, str], list[TargetState]] = {}
    addresses = _addresses(view)
    for one, told, where in listed:
        target, health = as_map(one.get("Target")), as_map(one.get("TargetHealth"))
        name = str(target.get("Id") or "")
        state = TargetState(
            addresses.get(name, name),
            str(health.get("State") or ""),
            str(health.get("Reason") or ""),
            str(health.get("Description") or ""),
            where,
        )
        by_file.setdefault((where.file, told or qualifier(where)), []).append(state)
    for (_, told), states in by_file.items():
        if _belongs(view, arn, told, states) and not is_elsewhere(states[0].citation, told, arn):
            yield from states


def _described(view: View) -> list[tuple[dict[str, Any], Citation]]:
    return answers(view, "elbv2", OPERATION)


def _inner(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "TargetHealthDescriptions" in document:
        return [as_map(one) for one in as_list(document["TargetHealthDescriptions"])]
    return [document] if "TargetHealth" in document else []


def _addresses(view: View) -> dict[str, str]:
    """Private addresses of instances by their ids, as far as ``describe-instances`` tells."""
    found = answers(view, "ec2", "describe-instances")
    return {str(one.get("InstanceId")): str(one["PrivateIpAddress"]) for one, _ in found if one.get("PrivateIpAddress")}


def _belongs(view: View, arn: str | None, told: str, states: Sequence[TargetState]) -> bool:
    """Whether states that an answer lists are those of the group."""
    if told and arn:
        return is_about(told, arn)
    groups = target_groups(view)
    if arn is None:
        return len(groups) == (1 if groups else 0) and not told
    if groups == [arn]:
        return True
    known = view.rows("SELECT DISTINCT target_ip FROM alb_access WHERE target_group_arn = ? AND target_ip IS NOT NULL LIMIT 200", arn)
    return bool({row["target_ip"] for row in known} & {state.target for state in states})


def _empty(view: View, arn: str | None) -> Iterator[Citation]:
    """Answers about the group that list no target: such an answer has no resource, only a file that could be read."""
    for document, where in _described(view):
        told = str(document.get("TargetGroupArn") or qualifier(where))
        empty = "TargetHealthDescriptions" in document and not document["TargetHealthDescriptions"]
        if empty and _belongs(view, arn, told, ()) and not is_elsewhere(where, told, arn):
            yield where
    if not view.has("artifacts"):
        return
    files = view.rows(
        "SELECT a.artifact AS _artifact, 1::BIGINT AS _line FROM artifacts a WHERE a.format = 'resource_snapshot' AND a.size > 0 "
        "AND regexp_matches(a.name, '(^|/)aws/(.*/)?elbv2/describe-target-health(\\.[^/]*)?\\.json$') "
        "AND NOT EXISTS (SELECT 1 FROM resource_snapshot r WHERE r._artifact = a.artifact) "
        "AND NOT EXISTS (SELECT 1 FROM unread u WHERE u._artifact = a.artifact) ORDER BY 1"
    )
    for row in files:
        for where in view.cite([row], 1):
            if _belongs(view, arn, qualifier(where), ()) and not is_elsewhere(where, qualifier(where), arn):
                yield where
