"""What every finding about a load balancer's own answers is made of: the row in words, the metric beside it, filled-in commands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Opinion
from kyumei.edge.balancer.answer import last_action, wall_seconds
from kyumei.edge.balancer.setting import balancer_arn, group_of
from kyumei.edge.blanks import filled
from kyumei.edge.literals import among, literal, same
from kyumei.edge.metrics import reading
from kyumei.edge.probe import again, url_of
from kyumei.edge.request_words import request_words
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import View
    from kyumei.edge.balancer.answer import Part
    from kyumei.edge.sign import Sign

TITLES = {"nginx": "nginx", "apache": "Apache httpd", "server": "the application server", "app": "the application"}


@dataclass(frozen=True)
class Judged:
    """What a rule makes of one part: the sign and how sure it is, or no sign where something excludes it."""

    sign: Sign | None
    certainty: Certainty = Certainty.POSSIBLE
    evidence: tuple[Evidence, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    gaps: tuple[Gap, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    """What else the finding's subject and its commands name."""
    proof: str = ""


def phases_words(row: Mapping[str, object]) -> str:
    """The three processing times as the log writes them."""
    found = (row.get("request_seconds"), row.get("target_seconds"), row.get("response_seconds"))
    return " ".join("-1" if one is None else f"{one:.3f}" for one in found)


def record(view: View, part: Part) -> Evidence:
    """The balancer's own rows: that it answered, and with what."""
    row = part.row
    wall = wall_seconds(row)
    reason = f", error_reason {row['error_reason']}" if row.get("error_reason") else ""
    says = (
        f"The load balancer's own row for {request_words(row)} at {row['time']:%Y-%m-%d %H:%M:%S} UTC: status "
        f"{row['status']}, {_of_target(row)}, "
        f"actions {','.join(row.get('actions') or ()) or '-'}{reason}, times {phases_words(row)}"
    )
    if wall is not None:
        says += f", {wall:.3f} s from arrival to answer"
    if part.total > 1:
        says += f"; {part.total - 1} more failing request{'s' if part.total > 2 else ''} like it"  # noqa: PLR2004 - one is the row itself
    return Evidence(says, view.cite(part.rows), f"SELECT * FROM alb_access WHERE {those(view, part)} ORDER BY time", part.total)


def _of_target(row: Mapping[str, object]) -> str:
    told = row.get("target_status")
    return "no target status" if told is None else f"though the target's was {told}"


def those(view: View, part: Part) -> str:
    """A condition on ``alb_access`` for the requests of a part: by their ids where all are here, else by what they share in the window."""
    ids = [row.get("trace_id") for row in part.rows]
    times = [row["time"] for row in part.rows]
    if len(ids) == part.total and all(ids):
        return f"{among('trace_id', ids)} AND time BETWEEN {literal(min(times))} AND {literal(max(times))}"
    row = part.row
    shared = [same(name, row.get(name)) for name in ("elb", "status", "error_reason", "rule_priority")]
    if view.symptom.path or view.symptom.path_word:
        shared.append(among("path", [one.get("path") for one in part.rows]))
    if view.symptom.client and len({one.get("client_ip") for one in part.rows}) == 1:
        shared.append(same("client_ip", row.get("client_ip")))
    return f"{' AND '.join(shared)} AND target_status IS DISTINCT FROM status AND {_span(view, times)}"


def _span(view: View, times: Sequence[datetime]) -> str:
    """The window, for the rows that are here are only the nearest of it; wider where one of them came in it and was answered later."""
    start, end = (moment.replace(tzinfo=None) for moment in (view.window.start, view.window.end))
    return f"time BETWEEN {literal(min(start, *times))} AND {literal(max(end, *times))}"


def silence(part: Part) -> list[Evidence]:
    """Hops further in whose logs cover the moment and do not have the requests."""
    return [
        Evidence(f"{TITLES[hop]} has no record of the request, though its log covers the moment")
        for hop in part.failure.silent
        if hop in TITLES
    ]


def about(view: View, row: Mapping[str, object]) -> list[str]:
    """The balancer of a row, as CloudWatch dimensions name it, and the ARN of its target group."""
    group = group_of(view, row)
    return [str(row["elb"]), *([group] if group else [])]


def moved(view: View, part: Part, names: Iterable[str]) -> tuple[Evidence | None, bool]:
    """The first of these metrics that was above zero in the minutes of the failures; and whether all that are told were zero."""
    told = [found for name in names if (found := reading(view, name, [row["time"] for row in part.rows], about(view, part.row)))]
    best = next((found for found in told if found.peak > 0), None)
    if best is not None:
        return Evidence(f"CloudWatch agrees: {best.words}", best.citations, total=len(best.points)), False
    return None, bool(told)


def finding(view: View, rule: str, part: Part, judged: Judged) -> Finding:
    """The finding for what a rule made of a part; ``judged.sign`` must be there."""
    sign, row = judged.sign, part.row
    assert sign is not None  # noqa: S101 - tells the checker what the caller has asked
    names = _names(view, row) | dict(judged.more)
    remedies = tuple(Remedy(filled(fix.says, names), tuple(filled(one, names, quote=True) for one in fix.commands)) for fix in sign.fixes)
    if judged.proof and remedies:
        remedies = (Remedy(remedies[0].says, remedies[0].commands, judged.proof), *remedies[1:])
    return Finding(
        code=sign.code,
        rule=rule,
        title=f"the load balancer {row['elb']} answered {row['status']} to {request_words(row)}: {filled(sign.cause, names)}",
        certainty=judged.certainty,
        chain=(record(view, part), *judged.evidence, *silence(part)),
        subject=_subject(view, row) | {name: value for name, value in judged.more.items() if value},
        remedy=remedies,
        check=_checks(sign, row, names),
        onset=onset(view, row),
        explains=part.total,
        message=_message(sign, row),
        layer=sign.layer,
        failures=(part.failure.key,) if part.failure.key else (),
    )


def opinion_of(view: View, rule: str, judged: Sequence[tuple[Part, Judged]]) -> Opinion:
    """What a rule answers that makes one thing of each part, and says nothing beyond that."""
    return Opinion(
        tuple(finding(view, rule, part, one) for part, one in judged if one.sign is not None),
        tuple(out for _, one in judged for out in one.ruled_out),
        tuple(gap for _, one in judged for gap in one.gaps),
    )


def _names(view: View, row: Mapping[str, Any]) -> dict[str, str]:
    group = group_of(view, row)
    return {
        "elb": str(row["elb"]),
        "elb_arn": balancer_arn(view, row),
        "group_arn": group or "<TARGET_GROUP_ARN>",
        "group": group.split("/")[1] if group and group.count("/") > 1 else "<TARGET_GROUP>",
        "target": str(row.get("target_ip") or "<TARGET>"),
        "port": str(row.get("target_port") or "<PORT>"),
        "path": str(row.get("path") or "<PATH>"),
        "host": str(row.get("host") or "<HOST>"),
        "url": url_of(row),
        "priority": str(row.get("rule_priority") if row.get("rule_priority") is not None else "<PRIORITY>"),
        "reason": str(row.get("error_reason") or ""),
        "status": str(row.get("status")),
        "from": f"{row['time'] - timedelta(minutes=1):%Y-%m-%d %H:%M:%S} UTC",
        "until": f"{row['time'] + timedelta(minutes=1):%Y-%m-%d %H:%M:%S} UTC",
    }


def _subject(view: View, row: Mapping[str, object]) -> dict[str, str]:
    target = f"{row['target_ip']}:{row['target_port']}" if row.get("target_ip") else None
    told = {
        "load_balancer": row["elb"],
        "status": row["status"],
        "method": row.get("method"),
        "path": row.get("path"),
        "target": target,
        "target_group": group_of(view, row),
        "rule_priority": row.get("rule_priority"),
        "error_reason": row.get("error_reason"),
    }
    return {name: str(value) for name, value in told.items() if value is not None}


def _checks(sign: Sign, row: Mapping[str, object], names: Mapping[str, str]) -> tuple[Check, ...]:
    found = [Check(filled(sign.check, names), again(row))]
    if sign.metrics:
        space, metric = sign.namespace, sign.metrics[0]
        command = (
            f"aws cloudwatch get-metric-statistics --namespace {space} --metric-name {metric} --dimensions "
            f"{shlex.quote('Name=LoadBalancer,Value=' + names['elb'])} --statistics Sum --period 60 --start-time <START> --end-time <END>"
        )
        found.append(Check(f"{metric} stays at zero, or has no points, for three periods with normal traffic.", command))
    return tuple(found)


def _message(sign: Sign, row: Mapping[str, object]) -> str:
    path = row.get("path") or "the site"
    if sign.layer == "client":
        return (
            f"The request for {path} ended on the side of whoever sent it, before our servers' answer could be used. We "
            f"have the record of it."
        )
    if sign.layer in {"target", "server", "app", "host", "lambda", "database"}:
        return f"Your request for {path} reached our load balancer, but the server behind it gave no usable answer. We are mending that."
    return f"Your request for {path} was answered {row['status']} by our load balancer itself. We know why, and are mending it."


def onset(view: View, row: Mapping[str, object]) -> datetime | None:
    """When such answers for this path began, in UTC, as far as the log goes back."""
    rows = view.rows(
        "SELECT min(time) AS onset FROM alb_access WHERE path IS NOT DISTINCT FROM ? AND status = ? AND elb = ? "
        "AND target_status IS DISTINCT FROM status AND error_reason IS NOT DISTINCT FROM ? AND coalesce(actions[len(actions)], '') = ?",
        row.get("path"),
        row["status"],
        row["elb"],
        row.get("error_reason"),
        last_action(row),
    )
    found = rows[0]["onset"] if rows else None
    return found.replace(tzinfo=UTC) if found else None
