"""What was changed on a resource before a moment, by whom: calls in CloudTrail that succeeded, changed something, and named that resource.

A call that was refused or only read, and one that names another resource, another account or another Region, are no evidence. Nor is a
call that merely lies near in time: who asks knows by an id or an ARN what the failing requests depended on.

Follows "CloudTrail record contents" in the AWS CloudTrail User Guide.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import as_list, as_map, parsed
from kyumei.edge.literals import literal
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from kyumei.contracts import View

MOST = 5000
"""Calls of one sort that are looked at."""
RECENT = timedelta(hours=1)
"""How long before a failing request another one like it still belongs to the same trouble."""
A_DAY = timedelta(days=1)
HABIT = 3
"""So many troubles of the kind within a day may be accidents; more are how it always is."""
SLACK = timedelta(seconds=60)
"""How long before the last good request a change may have been made that takes its time to work everywhere."""
AFTER = timedelta(seconds=5)
"""How long after the first failing request its cause may seem to have been made: AWS's clocks agree, CloudTrail keeps whole seconds."""
SHOWN = 160
"""Characters of what was asked for that a sentence holds."""
_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:([a-z0-9-]*):([0-9]*):", re.ASCII)
UNDOING: dict[str, frozenset[str]] = {
    "RevokeSecurityGroupIngress": frozenset({"AuthorizeSecurityGroupIngress"}),
    "RevokeSecurityGroupEgress": frozenset({"AuthorizeSecurityGroupEgress"}),
    "CreateNetworkAclEntry": frozenset({"DeleteNetworkAclEntry", "ReplaceNetworkAclEntry"}),
    "DeleteNetworkAclEntry": frozenset({"CreateNetworkAclEntry"}),
    "DeregisterTargets": frozenset({"RegisterTargets"}),
    "StopInstances": frozenset({"StartInstances"}),
    "RemovePermission": frozenset({"AddPermission"}),
    "PutFunctionConcurrency": frozenset({"DeleteFunctionConcurrency", "PutFunctionConcurrency"}),
    "DeleteFunction": frozenset({"CreateFunction"}),
    "DeleteAlias": frozenset({"CreateAlias"}),
}
"""By a call that takes something away: the later ones on the same resource that give it back."""
_GIVEN_BACK = frozenset({"cidrIp", "cidrIpv6", "groupId", "prefixListId", "fromPort", "toPort", "ipProtocol", "ruleNumber", "egress"})
"""Parameters that must be the same in both; what is told only by the id of a rule may be anything that was given back."""
_VERSION = "20[0-9]{2}_?[0-9]{2}_?[0-9]{2}(v[0-9]+)?$"
"""What Lambda, CloudFront and others append to a call's name: the version of their API."""


class Resource(NamedTuple):
    """What a call must name to be about it: one of the ``ids``, or all of the ``names``, each in the parameter that it belongs to.

    An id is an ARN, an id that no other resource has (``sg-0a1b``), or the end of an ARN (``app/shop/50dc6c495c0c9188``); it may stand in
    any parameter, and as a part of an ARN. A name is unique only together with its parameter: (``functionName``, ``orders``).
    """

    ids: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    arn: str = ""
    """An ARN of the account and Region in which it is, where that is known and no id tells it."""


class Change(NamedTuple):
    """One call that changed something. ``time`` is naive UTC, ``asked`` are its parameters, ``row`` is the event."""

    time: datetime
    call: str
    who: str
    asked: Mapping[str, Any]
    row: Mapping[str, Any]

    @property
    def words(self) -> str:
        """Who called what, when, and with which parameters."""
        what = re.sub(r"\s+", " ", json.dumps(self.asked, ensure_ascii=False))
        clipped = what if len(what) <= SHOWN else what[: SHOWN - 3] + "..."
        return f"{self.who} called {self.call} at {self.time:%Y-%m-%d %H:%M:%S} UTC with {clipped}"


class Turn(NamedTuple):
    """When requests went well for the last time before they failed, and when the first one failed; naive UTC."""

    well: datetime
    failed: datetime


def turn(view: View, table: str, well: str, failing: str, moment: datetime) -> Turn | None:
    """The turn from well to failing before a moment (naive UTC); null where the log does not have both sides of it, or has it every day.

    ``well`` and ``failing`` are conditions on the table. Failures that RECENT parts from the next ones belong to another trouble; where
    there were several such troubles within a day, the last one is nothing that a change must have brought about.
    """
    begun = "coalesce(started, time)" if table == "alb_access" else "time"
    starts = view.rows(
        f'WITH failing AS (SELECT {begun} AS moment FROM "{table}" WHERE {failing} AND time > {literal(moment - A_DAY)} '
        f"AND time <= {literal(moment + RECENT)}), "
        "apart AS (SELECT moment, lag(moment) OVER (ORDER BY moment) AS earlier FROM failing) "
        f"SELECT moment FROM apart WHERE (earlier IS NULL OR moment - earlier > INTERVAL {RECENT.seconds} SECOND) "
        f"AND moment <= {literal(moment)} ORDER BY moment DESC LIMIT {HABIT + 1}"
    )
    if not starts or len(starts) > HABIT:
        return None
    first = starts[0]["moment"]
    last = view.rows(f'SELECT max(time) AS time FROM "{table}" WHERE {well} AND time < {literal(first)}')[0]["time"]
    return None if last is None else Turn(last, first)


def changes(view: View, calls: Collection[str], resource: Resource, start: datetime, end: datetime) -> list[Change]:
    """The calls of these names between two times (naive UTC) that changed the resource, each event once, the latest first.

    Left out is what was undone in that time.
    """
    undoing = {one for call in calls for one in UNDOING.get(call, ())}
    found = _called(view, {*calls, *undoing}, resource, start, end)
    return [one for one in found if one.call in calls and not any(_undoes(later, one) for later in found if later.time <= end - AFTER)]


def _undoes(later: Change, one: Change) -> bool:
    """Whether a call on the same resource gives back, after another one, what that took away."""
    if later.call not in UNDOING.get(one.call, ()) or later.time <= one.time:
        return False
    if one.call == "DeregisterTargets":
        return _targets(one) <= _targets(later)
    return _parts(one.asked) <= _parts(later.asked)


def _targets(one: Change) -> set[str]:
    return {str(as_map(target).get("id")) for target in as_list(one.asked.get("targets"))}


def _parts(asked: Mapping[str, Any]) -> set[tuple[str, str]]:
    """What a rule of a filter is made of, without the ids of the resource itself."""
    left: list[object] = [value for key, value in asked.items() if isinstance(value, dict | list) or key in {"ruleNumber", "egress"}]
    found = {(key, str(asked[key])) for key in ("ruleNumber", "egress") if key in asked}
    while left:
        one = left.pop()
        if isinstance(one, dict):
            found |= {(key, str(value)) for key, value in one.items() if key in _GIVEN_BACK}
            left += list(one.values())
        elif isinstance(one, list):
            left += one
    return found


def _called(view: View, calls: Collection[str], resource: Resource, start: datetime, end: datetime) -> list[Change]:
    """The calls themselves, with those that undo others."""
    if not view.has("cloudtrail") or not (resource.ids or resource.names):
        return []
    rows = view.rows(
        "SELECT _artifact, _line, time, event_id, event_name, user_type, user_name, user_arn, session_name, invoked_by, source_ip, region, "
        f"account, request_parameters::VARCHAR AS asked, regexp_replace(event_name, '{_VERSION}', '') AS call FROM cloudtrail "
        f"WHERE list_contains(?::VARCHAR[], regexp_replace(event_name, '{_VERSION}', '')) AND failed IS NOT TRUE AND read_only IS NOT TRUE "
        f"AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY time DESC, _artifact, _line LIMIT {MOST}",
        sorted(calls),
        start,
        end,
    )
    found: dict[object, Change] = {}
    for row in rows:
        asked = parsed(row["asked"])
        if _at_home(row, resource) and is_about(asked, resource):
            key = row["event_id"] or (row["_artifact"], row["_line"])
            found.setdefault(key, Change(row["time"], row["call"], _who(row), asked, row))
    return list(found.values())


def shown(view: View, found: list[Change], when: Turn | None = None) -> Evidence | None:
    """The changes as a sentence, which says between which requests they were made; null where there is none."""
    if not found:
        return None
    begins = "CloudTrail has a change: "
    if when is not None:
        turned = f"the last request that went well there ({when.well:%H:%M:%S}) and the first that failed ({when.failed:%H:%M:%S} UTC)"
        later = f"Within seconds after {turned} " if found[0].time > when.failed else f"Between {turned} "
        begins = f"Within a minute before {turned} " if found[0].time < when.well else later
    more = f"; {len(found) - 1} more before it" if len(found) > 1 else ""
    return Evidence(f"{begins}{found[0].words}{more}", view.cite([one.row for one in found]), total=len(found))


def is_about(asked: Mapping[str, Any], resource: Resource) -> bool:
    """Whether the parameters of a call name the resource.

    >>> is_about({"ruleArn": "arn:aws:x:eu-west-1:1:listener-rule/app/shop/50dc/1/2"}, Resource(ids=("app/shop/50dc",)))
    True
    >>> is_about({"cluster": "prod", "service": "web"}, Resource(names=(("service", "web"), ("cluster", "test"))))
    False
    """
    if any(_is(value, one) for one in resource.ids for _, value in values(asked)):
        return True
    return bool(resource.names) and all(_named(asked, key, name) for key, name in resource.names)


def values(asked: object) -> Iterator[tuple[str, str]]:
    """All texts in the parameters of a call, each with the key that it stands under."""
    left: list[tuple[str, object]] = [("", asked)]
    while left:
        key, one = left.pop()
        if isinstance(one, str):
            yield key, one
        elif isinstance(one, dict):
            left += [(str(name), value) for name, value in as_map(one).items()]
        elif isinstance(one, list):
            left += [(key, value) for value in as_list(one)]


def _named(asked: Mapping[str, Any], key: str, name: str) -> bool:
    told = [value for one, value in asked.items() if one.lower() == key.lower() and isinstance(value, str)]
    if not told:
        return key == "cluster" and name == "default"
    return any(_bare(value) == name for value in told)


def _bare(value: str) -> str:
    """The name in an ARN, or in a function's name with its qualifier; other text as it is."""
    if ":function:" in value or value.startswith("function:"):
        return value.rpartition("function:")[2].partition(":")[0]
    return re.split(r"[/:]", value)[-1] if value.startswith("arn:") else value.partition(":")[0]


def _is(value: str, wanted: str) -> bool:
    """Whether a text is the id, or an ARN that has it as whole steps of its path."""
    if value == wanted:
        return True
    if not value.startswith("arn:") or wanted.startswith("arn:"):
        return False
    steps, sought = re.split(r"[/:]", value), re.split(r"[/:]", wanted)
    return any(steps[at : at + len(sought)] == sought for at in range(len(steps) - len(sought) + 1))


def _at_home(row: Mapping[str, Any], resource: Resource) -> bool:
    """Whether the event is of the account and Region of the resource, as far as both are known."""
    own = next((found for text in (*resource.ids, resource.arn) if (found := _ARN.match(text))), None)
    if own is None:
        return True
    return all(not mine or not theirs or mine == theirs for mine, theirs in ((own[1], row["region"]), (own[2], row["account"])))


def _who(row: Mapping[str, Any]) -> str:
    """Who called: the user, the role with its session, or the service."""
    name = str(row["user_name"] or row["user_arn"] or row["invoked_by"] or row["user_type"] or "somebody")
    session = f" (session {row['session_name']})" if row["session_name"] and row["session_name"] != name else ""
    return f"{name}{session}"
