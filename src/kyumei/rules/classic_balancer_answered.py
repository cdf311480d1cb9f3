"""The Classic Load Balancer made the answer itself, since it had no instance to ask, or none that answered (EDGE-083).

What an operator must know: a row of its log with a status and without one of the backend is its own. 503 has two causes that look alike in
the log: no healthy instance, and a full surge queue; what else it served in these seconds, the health of its instances and the metric
SpilloverCount tell them apart. 504 with an instance's address is the idle timeout, without one a connection that was never made or was
closed too early. 408 and 405 lie with the client. What the instances themselves wrote is for other rules, and leads where it is found.

Follows "Troubleshoot a Classic Load Balancer: HTTP errors" of the user guide for Classic Load Balancers.
"""

from __future__ import annotations

import shlex
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.balancer import classic_balancer as classic
from kyumei.edge.blanks import filled
from kyumei.edge.literals import literal, same
from kyumei.edge.probe import again, url_of
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kyumei.edge.balancer.classic_balancer import Answer

Row = dict[str, Any]
NEARLY = 0.9
"""The part of the idle timeout after which a silence counts for it: clocks, and the time until the request was handed on."""
WINDOW = timedelta(seconds=2)
FEW = 3
"""Own answers from which on it tells something that nothing else was served between them."""


class _Judged(NamedTuple):
    """What the rows and the case say of one group: the cause, how sure, what shows it, what is ruled out, and what is missing."""

    answer: Answer
    certainty: Certainty
    evidence: tuple[Evidence, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    gaps: tuple[Gap, ...] = ()


def examine(view: View) -> Opinion:
    """One finding for each group of requests that a Classic Load Balancer answered itself."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        rows = [dict(row) for row in failure.rows if row.get("target_status") is None and row.get("status") is not None]
        if failure.hop != "clb" or failure.table != "clb_access" or not rows:
            continue
        judged = _judge(view, failure, rows)
        if judged is None:
            continue
        findings.append(_finding(view, failure, rows, judged))
        never = "its row names no status of an instance: the load balancer made the answer itself"
        ruled_out += [*judged.ruled_out, RuledOut("EDGE-001", never, view.cite(rows, 1))]
        gaps += judged.gaps
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _judge(view: View, failure: Failure, rows: Sequence[Row]) -> _Judged | None:
    status = rows[0]["status"]
    if status == 503:  # noqa: PLR2004 - HTTP 503
        return _unavailable(view, rows)
    if status == 504:  # noqa: PLR2004 - HTTP 504
        return _silent(view, failure, rows)
    answer = classic.BY_STATUS.get(status)
    if answer is None:
        return None
    counted = _counted(view, answer.metric, rows)
    if status == 405:  # noqa: PLR2004 - HTTP 405
        long = all(len(row["method"] or "") > classic.LONGEST_METHOD for row in rows)
        return _Judged(answer, _sure(counted) if long else Certainty.POSSIBLE, counted, gaps=() if counted else (_metric_gap(answer),))
    if status == 502:  # noqa: PLR2004 - HTTP 502
        inner = [hop for hop in failure.sightings if hop not in {"clb", "waf", "cloudfront"}]
        sure = Certainty.LIKELY if inner and rows[0]["target_ip"] else Certainty.POSSIBLE
        return _Judged(answer, sure, counted, gaps=(_instance_gap(rows[0]),))
    return _Judged(answer, _sure(counted), counted, gaps=() if counted else (_metric_gap(answer),))


def _sure(confirmed: Sequence[Evidence]) -> Certainty:
    return Certainty.PROVEN if confirmed else Certainty.LIKELY


def _counted(view: View, name: str, rows: Sequence[Row]) -> tuple[Evidence, ...]:
    """The metric in words, where it was above zero in the minutes of the rows."""
    found = classic.metric(view, name, rows)
    if found is None or found.peak <= 0:
        return ()
    return (Evidence(f"CloudWatch agrees: {found.words}", found.citations, total=len(found.points)),)


def _unavailable(view: View, rows: Sequence[Row]) -> _Judged:
    """503: a full surge queue, instances that are all out of service, or none at all."""
    elb = rows[0]["elb"]
    if spilled := _counted(view, "SpilloverCount", rows):
        return _Judged(classic.SPILLED, Certainty.PROVEN, (*spilled, *_counted(view, "SurgeQueueLength", rows)))
    served, shown = _served(view, rows)
    hosts = classic.metric(view, "HealthyHostCount", rows)
    if served or (hosts is not None and hosts.lowest > 0):
        why = "it handed other requests to instances that answered in the same seconds"
        if not served and hosts is not None:
            why = f"it had healthy instances: {hosts.words}"
        ruled = RuledOut(
            classic.CODE, f"not for want of healthy instances: {why}", hosts.citations if hosts and not served else shown.citations
        )
        return _Judged(classic.UNAVAILABLE, Certainty.POSSIBLE, (shown,), (ruled,), (_metric_gap(classic.UNAVAILABLE),))
    known = classic.instances(view, elb)
    answer = classic.NOT_REGISTERED if known is not None and known.total == 0 else classic.NO_INSTANCE
    evidence = [shown]
    if known is not None and known.healthy == 0:
        reasons = "; ".join(known.reasons[:2])
        says = (
            f"None of its {known.total} instances is in service{': ' + reasons if reasons else ''}"
            if known.total
            else "It has no instances"
        )
        evidence.append(Evidence(says, known.citations, total=known.total))
    if hosts is not None and hosts.peak <= 0:
        evidence.append(Evidence(f"CloudWatch agrees: {hosts.words}", hosts.citations, total=len(hosts.points)))
    confirmed = len(evidence) > 1
    enough = _own(view, rows) >= FEW
    sure = Certainty.PROVEN if confirmed else Certainty.LIKELY if enough and known is None else Certainty.POSSIBLE
    return _Judged(answer, sure, tuple(evidence), gaps=() if confirmed else (_health_gap(elb),))


def _span(rows: Sequence[Row]) -> str:
    """A condition on ``clb_access``: the rows' balancer, from the first to the last of them and two seconds around."""
    times = [row["time"] for row in rows]
    span = f"time BETWEEN {literal(min(times) - WINDOW)} AND {literal(max(times) + WINDOW)}"
    return f"{same('elb', rows[0]['elb'])} AND {span}"


def _own(view: View, rows: Sequence[Row]) -> int:
    sql = f"SELECT count(*) AS n FROM clb_access WHERE {_span(rows)} AND {same('status', rows[0]['status'])} AND target_status IS NULL"
    return int(view.rows(sql)[0]["n"])


def _served(view: View, rows: Sequence[Row]) -> tuple[int, Evidence]:
    """How many requests its instances answered between the first and the last of the rows, among its own answers."""
    times = [row["time"] for row in rows]
    around = timedelta(0) if len(rows) >= FEW else WINDOW
    sql = (
        f"SELECT _artifact, _line, time FROM clb_access WHERE {same('elb', rows[0]['elb'])} AND target_status IS NOT NULL AND "
        f"time BETWEEN {literal(min(times) - around)} AND {literal(max(times) + around)} ORDER BY time LIMIT 1000"
    )
    found = view.rows(sql)
    if found:
        return len(found), Evidence(f"Its instances answered {len(found)} other requests in that time", view.cite(found), sql, len(found))
    return 0, Evidence("Its instances answered no request from the first of these to the last", sql=sql)


def _silent(view: View, failure: Failure, rows: Sequence[Row]) -> _Judged:
    """504: an instance that kept silent for the idle timeout, or one to which there was no connection."""
    row = rows[0]
    idle, where = classic.idle_timeout(view, row["elb"])
    waited = _waited(failure, row)
    if row["target_ip"] is None and (waited is None or waited < idle * NEARLY):
        gaps = (_instance_gap(row),)
        return _Judged(classic.CLOSED, Certainty.POSSIBLE, _counted(view, "BackendConnectionErrors", rows), gaps=gaps)
    evidence: list[Evidence] = []
    if waited is not None and waited < idle * NEARLY:
        ruled = RuledOut(
            classic.CODE, f"it was answered after {waited:.1f} s, well below the idle timeout of {idle:g} s", view.cite(rows, 1)
        )
        return _Judged(classic.CLOSED, Certainty.POSSIBLE, ruled_out=(ruled,), gaps=(_instance_gap(row),))
    inner = [one for hop, seen in failure.sightings.items() if hop not in {"clb", "waf", "cloudfront"} for one in seen]
    if waited is not None:
        says = f"The instance had the request for {waited:.1f} s without an answer; the idle timeout is {idle:g} s"
        evidence.append(Evidence(says, (*view.cite(inner, 2), *((where,) if where else ()))))
    elif where is not None:
        evidence.append(Evidence(f"The idle timeout is {idle:g} s", (where,)))
    answer = classic.IDLE._replace(cause=classic.IDLE.cause.replace("{idle}", f"{idle:g}"))
    metric = _counted(view, answer.metric, rows)
    evidence += metric
    # The row alone is no proof of itself: a log of the instance, the setting or the metric must agree.
    proven = bool(metric) or (waited is not None and bool(inner or where))
    return _Judged(
        answer, Certainty.PROVEN if proven else Certainty.LIKELY, tuple(evidence), gaps=() if waited is not None else (_instance_gap(row),)
    )


def _waited(failure: Failure, row: Mapping[str, Any]) -> float | None:
    """How long the instance had the request, from the load balancer's own times or from a record further in; null where none tells."""
    if row.get("target_seconds") is not None:
        return float(row["target_seconds"])
    for hop in ("nginx", "apache", "server", "app"):
        for seen in failure.sightings.get(hop, ()):
            if seen["time"] >= row["time"] and seen.get("path") == row.get("path") and seen["time"] > seen["started"]:
                return float((seen["time"] - seen["started"]).total_seconds())
    return None


def _finding(view: View, failure: Failure, rows: Sequence[Row], judged: _Judged) -> Finding:
    row, answer = rows[0], judged.answer
    idle, _ = classic.idle_timeout(view, row["elb"])
    names = {
        "elb": str(row["elb"]),
        "idle": f"{idle:g}",
        "url": url_of(row),
        "path": str(row.get("path") or "/"),
        "target": str(row.get("target_ip") or "<INSTANCE>"),
        "port": str(row.get("target_port") or "<PORT>"),
    }
    request = f"{row.get('method') or '?'} {row.get('path') or '?'}"
    return Finding(
        code=classic.CODE,
        rule=RULE.name,
        title=f"the Classic Load Balancer {row['elb']} answered {row['status']} to {request[:140]}: {filled(answer.cause, names)}",
        certainty=judged.certainty,
        chain=(_record(view, failure, rows), *judged.evidence),
        subject={
            name: str(value)
            for name, value in (
                ("load_balancer", row["elb"]),
                ("status", row["status"]),
                ("method", row.get("method")),
                ("path", row.get("path")),
                ("target", row.get("target_ip")),
            )
            if value is not None
        },
        remedy=(Remedy(filled(answer.says, names), tuple(filled(one, names, quote=True) for one in answer.commands)),),
        check=(
            Check(answer.check, again(row)),
            Check(
                f"{answer.metric} has no points for three periods with normal traffic.",
                f"aws cloudwatch get-metric-statistics --namespace AWS/ELB --metric-name {answer.metric} --dimensions "
                f"{shlex.quote('Name=LoadBalancerName,Value=' + names['elb'])} --statistics Sum --period 60 --start-time <START> "
                f"--end-time <END>",
            ),
        ),
        onset=_onset(view, row),
        explains=failure.total,
        message=f"Your request for {row.get('path') or 'the site'} was answered {row['status']} by our load balancer itself: "
        f"{filled(answer.cause, names)}.",
        layer=answer.layer,
        failures=(failure.key,) if failure.key else (),
    )


def _record(view: View, failure: Failure, rows: Sequence[Row]) -> Evidence:
    row = rows[0]
    target = f"instance {row['target_ip']}:{row['target_port']}" if row.get("target_ip") else "no instance"
    says = (
        f"The load balancer's own row for {row.get('method') or '?'} {str(row.get('path') or '?')[:120]}, which came at "
        f"{row['time']:%Y-%m-%d %H:%M:%S} UTC: status {row['status']}, no status of an instance, {target}"
    )
    if failure.total > 1:
        says += f"; {failure.total - 1} more like it"
    sql = f"SELECT * FROM clb_access WHERE {_span(rows)} AND {same('status', row['status'])} AND target_status IS NULL ORDER BY time"
    return Evidence(says, view.cite(rows), sql, failure.total)


def _onset(view: View, row: Mapping[str, Any]) -> datetime | None:
    sql = (
        f"SELECT min(time) AS onset FROM clb_access WHERE {same('elb', row['elb'])} AND {same('status', row['status'])} AND "
        f"{same('path', row.get('path'))} AND target_status IS NULL"
    )
    found = view.rows(sql)[0]["onset"]
    return found.replace(tzinfo=UTC) if found else None


def _metric_gap(answer: Answer) -> Gap:
    how = (
        f"aws cloudwatch get-metric-statistics --namespace AWS/ELB --metric-name {answer.metric} --dimensions "
        f"Name=LoadBalancerName,Value=<NAME> "
        f"--statistics Sum --period 60 ... > aws/cloudwatch/get-metric-statistics.{answer.metric}.json"
    )
    return Gap(
        f"metric {answer.metric} of the Classic Load Balancer", "whether the load balancer made these answers, and for which reason", how
    )


def _health_gap(elb: str) -> Gap:
    name = shlex.quote(elb)
    how = (
        f"aws elb describe-instance-health --load-balancer-name {name} > aws/elb/describe-instance-health.<NAME>.json, and the metrics "
        "HealthyHostCount and SpilloverCount (AWS/ELB) of these minutes"
    )
    return Gap("health of the Classic Load Balancer's instances", "whether no instance was healthy or its surge queue was full", how)


def _instance_gap(row: Mapping[str, Any]) -> Gap:
    where = f" {row['target_ip']}" if row.get("target_ip") else ""
    how = "copy the access and error logs of web server and application of every instance into the folder"
    return Gap(f"logs of the instance{where} behind the Classic Load Balancer", "what the instance did with the request", how)


RULE = Rule(
    name="classic_balancer_answered",
    codes=(classic.CODE,),
    needs=("clb_access",),
    helps=("nginx_access", "app_log", "resource_snapshot"),
    rivals=("slow_behind", "application_answered", "application_server_failed"),
    examine=examine,
)
