"""The load balancer turned the request away itself, before any target saw it (EDGE-007, 017 to 042, 074, 076, 077, 158).

What an operator must know: such a row names no action, or no target, and its second and third processing times are missing; the targets
are innocent. Some statuses name their cause by themselves (463, 464, 414), others leave several (400): there the class that desync
mitigation gave the request, its size and the balancer's attributes decide. Follows "Troubleshoot your Application Load Balancers" of the
Elastic Load Balancing user guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.balancer import rejection as signs
from kyumei.edge.balancer.answer import EVALUATION_FAILED, TRANSFORMED, Part, Stage, last_action, parts, wall_seconds
from kyumei.edge.balancer.fallthrough import fell_through
from kyumei.edge.balancer.finding import Judged, finding, moved, those
from kyumei.edge.balancer.setting import attribute, group_document, group_of, idle_timeout, listener_rules
from kyumei.edge.balancer.target import is_idle
from kyumei.edge.literals import same
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.edge.sign import Sign
    from kyumei.model.finding import Finding

NEVER_SENT = "EDGE-017"
SEVERAL = 400
SELF_EVIDENT = frozenset({0, 414, 463, 505, 507})
"""Statuses that have one documented cause; the metric of the balancer's own answers is enough to confirm them."""


def examine(view: View) -> Opinion:
    """One finding for each way in which requests were turned away."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    rejected = parts(view, Stage.REJECTED, _kind)
    for part in rejected:
        judged = _judge(view, part)
        ruled_out += judged.ruled_out
        gaps += judged.gaps
        if judged.sign is not None:
            findings.append(finding(view, RULE.name, part, judged))
            never = "it was never sent to a target: the load balancer's row has neither a target status nor times of one"
            ruled_out.append(RuledOut("EDGE-001", f"{never} ({NEVER_SENT})", view.cite(part.rows, 1)))
    for part in parts(view, Stage.RULE, lambda row: (row["path"], row["host"], row["method"])):
        if former := fell_through(view, part.row):
            sure = Certainty.PROVEN if former.confirmed else Certainty.LIKELY
            more = {"former": str(former.priority), "former_group": former.group or "<TARGET_GROUP_ARN>"}
            found = Judged(signs.FELL_THROUGH, sure, (former.evidence, *former.confirmed), more=more)
            findings.append(finding(view, RULE.name, part, found))
            gaps += [] if former.confirmed else [_trail_gap()]
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _kind(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        row["status"],
        row.get("error_reason"),
        row.get("transform_status"),
        row.get("classification"),
        row.get("rule_priority") == EVALUATION_FAILED,
    )


def _judge(view: View, part: Part) -> Judged:
    row = part.row
    if row.get("error_reason"):
        sign = signs.COOKIE if row["error_reason"] == "AWSALBTGCookieInvalid" else signs.WEIGHTS
        return _by_metric(view, part, sign, Certainty.LIKELY)
    if row.get("transform_status") and row["transform_status"] != TRANSFORMED:
        return _transform(view, part)
    if row.get("rule_priority") == EVALUATION_FAILED:
        return _by_metric(view, part, signs.EVALUATION, Certainty.LIKELY)
    if row["status"] == SEVERAL:
        return _bad_request(view, part)
    judges = {405: _method, 408: _waited, 413: _large, 464: _protocol}
    if row["status"] in judges:
        return judges[row["status"]](view, part)
    if row["status"] not in signs.BY_STATUS:
        return _by_metric(view, part, signs.BEFORE_RULES, Certainty.POSSIBLE)
    sign = signs.BY_STATUS[row["status"]]
    return _by_metric(view, part, sign, Certainty.LIKELY, settles=row["status"] in SELF_EVIDENT)


def _by_metric(view: View, part: Part, sign: Sign, sure: Certainty, *, settles: bool = True) -> Judged:
    """The sign as sure as its row makes it, or proven where its metric moved in the same minutes and that settles it."""
    metric, _ = moved(view, part, sign.metrics)
    proven = metric is not None and settles and sure is Certainty.LIKELY
    gaps = () if proven else (_metric_gap(sign),)
    return Judged(sign, Certainty.PROVEN if proven else sure, (metric,) if metric else (), gaps=gaps)


def _transform(view: View, part: Part) -> Judged:
    row = part.row
    more = {"transform_status": str(row["transform_status"])}
    rules = [one for one in listener_rules(view, row["elb"], row.get("rule_priority")) if one[0].get("Transforms")]
    if rules:
        says = f"The listener rule of priority {rules[0][0].get('Priority')} has a transform"
        return Judged(signs.TRANSFORM, Certainty.PROVEN, (Evidence(says, (rules[0][1],)),), more=more)
    return Judged(signs.TRANSFORM, Certainty.LIKELY, gaps=(_rules_gap(),), more=more)


def _bad_request(view: View, part: Part) -> Judged:
    row = part.row
    klass, reason = row.get("classification"), row.get("classification_reason")
    mode = attribute(view, row["elb"], signs.DESYNC_MODE)
    stopped = signs.STOPPED.get(mode[0] if mode else "defensive", frozenset())
    metric, _ = moved(view, part, signs.DESYNC.metrics[:1])
    if klass and (klass in stopped or metric):
        evidence = [
            *([metric] if metric else []),
            *([Evidence(f"Desync mitigation is set to {mode[0]}", (mode[1],))] if mode else []),
            _crowd(view, part),
        ]
        sure = Certainty.PROVEN if metric or mode else Certainty.LIKELY
        unsure = () if sure is Certainty.PROVEN else (_mode_gap(part),)
        return Judged(
            signs.DESYNC, sure, tuple(evidence), gaps=unsure, more={"classification": str(klass), "classification_reason": str(reason)}
        )
    ruled: tuple[RuledOut, ...] = ()
    if klass:
        told = mode[0] if mode else "defensive, the default"
        ruled = (RuledOut("EDGE-077", f"desync mitigation set to {told} lets requests of class {klass} pass", (mode[1],) if mode else ()),)
    found = _by_metric(view, part, signs.MALFORMED, Certainty.LIKELY if last_action(row) == "" else Certainty.POSSIBLE, settles=False)
    size = row.get("received_bytes") or 0
    what = Evidence(f"The request's size in the log is {size} bytes" + (": large headers or cookies" if size > signs.HEADER_BYTES else ""))
    gaps = (*found.gaps, *([_mode_gap(part)] if klass and mode is None else []))
    return Judged(found.sign, found.certainty, (*found.evidence, what), ruled, gaps)


def _crowd(view: View, part: Part) -> Evidence:
    sql = f"SELECT count(DISTINCT client_ip) AS clients, count(*) AS n FROM alb_access WHERE {those(view, part)}"
    found = view.rows(sql)[0]
    one = found["clients"] == 1
    says = (
        "All come from one client: an old HTTP library"
        if one
        else f"They come from {found['clients']} clients, as in a probe for an attack"
    )
    return Evidence(says, sql=sql, total=found["n"])


def _method(view: View, part: Part) -> Judged:
    sign = signs.BY_STATUS[405]
    if part.row.get("method") == "TRACE":
        return _by_metric(view, part, sign, Certainty.LIKELY)
    ruled = RuledOut(sign.code, f"the method is {part.row.get('method') or 'not told'}, not TRACE", view.cite(part.rows, 1))
    return Judged(signs.BEFORE_RULES, Certainty.POSSIBLE, ruled_out=(ruled,), gaps=(_metric_gap(sign),))


def _waited(view: View, part: Part) -> Judged:
    sign, wall = signs.BY_STATUS[408], wall_seconds(part.row)
    idle, where = idle_timeout(view, part.row["elb"])
    if wall is None or is_idle(wall, idle) or wall > idle:
        evidence = (Evidence(f"The load balancer is set to wait {idle:g} s", (where,)),) if where else ()
        found = _by_metric(view, part, sign, Certainty.LIKELY)
        known = Certainty.PROVEN if where and wall is not None else found.certainty
        return Judged(sign, known, (*evidence, *found.evidence), gaps=() if known is Certainty.PROVEN else found.gaps)
    if where is None and wall > 1:
        return _by_metric(view, part, sign, Certainty.POSSIBLE)
    ruled = RuledOut(sign.code, f"it was answered after {wall:.1f} s, far below the idle timeout of {idle:g} s", view.cite(part.rows, 1))
    return Judged(None, ruled_out=(ruled,), gaps=(_metric_gap(sign),))


def _large(view: View, part: Part) -> Judged:
    sign, row = signs.BY_STATUS[413], part.row
    group = group_document(view, group_of(view, row))
    size = row.get("received_bytes") or 0
    if group and group[0].get("TargetType") == "lambda":
        return Judged(sign, Certainty.PROVEN, (Evidence(f"The target group is of type lambda; the request has {size} bytes", (group[1],)),))
    large = size > signs.BODY_BYTES or size > signs.HEADER_BYTES
    return _by_metric(view, part, sign, Certainty.LIKELY if large else Certainty.POSSIBLE)


def _protocol(view: View, part: Part) -> Judged:
    row, sign = part.row, signs.BY_STATUS[464]
    sent = str(row.get("http_version") or row.get("protocol_kind"))
    more = {"protocol": sent}
    evidence: tuple[Evidence, ...] = ()
    if others := _answered_others(view, part):
        spoken, answered = others
        sign, evidence, more = signs.OTHER_PROTOCOL, (answered,), more | {"spoken": spoken}
    group = group_document(view, group_of(view, row))
    if group is None:
        how = "aws elbv2 describe-target-groups > aws/elbv2/describe-target-groups.json"
        return Judged(
            sign,
            Certainty.LIKELY,
            evidence,
            gaps=(Gap("protocol version of the target group (describe-target-groups)", "which protocol it takes", how),),
            more=more,
        )
    version = str(group[0].get("ProtocolVersion") or "HTTP1")
    says = f"The target group takes {version}; the request came as {row.get('protocol_kind')}, {sent}, {row.get('method') or '?'}"
    old = not sent.startswith("HTTP/2") and row.get("protocol_kind") not in {"h2", "grpcs"}
    unfit = old if version == "HTTP2" else old or row.get("method") != "POST" if version == "GRPC" else row.get("protocol_kind") == "grpcs"
    return Judged(sign, Certainty.PROVEN if unfit else Certainty.LIKELY, (Evidence(says, (group[1],)), *evidence), more=more)


def _answered_others(view: View, part: Part) -> tuple[str, Evidence] | None:
    """What the requests speak that the target group answered, where it answered none that speaks as the failing ones do."""
    row = part.row
    where = f"{same('elb', row['elb'])} AND {same('target_group_arn', group_of(view, row))} AND target_status IS NOT NULL"
    speaks = ("protocol_kind", "http_version", "method")
    listed = ", ".join(speaks)
    found = view.rows(f"SELECT {listed}, count(*) AS n FROM alb_access WHERE {where} GROUP BY {listed} ORDER BY n DESC, {listed} LIMIT 50")
    if not found or any(all(one[name] == row.get(name) for name in speaks) for one in found):
        return None
    spoken = {"grpcs": "gRPC", "h2": "HTTP/2"}.get(str(found[0]["protocol_kind"]), str(found[0]["http_version"] or "another protocol"))
    total = sum(one["n"] for one in found)
    says = (
        f"The same target group answered {total} other requests in this log, most of them {spoken} by {found[0]['method'] or '?'}, and "
        "none that came like these"
    )
    return spoken, Evidence(says, sql=f"SELECT * FROM alb_access WHERE {where}", total=total)


def _metric_gap(sign: Sign) -> Gap:
    how = (
        "aws cloudwatch get-metric-data by LoadBalancer, stored as aws/cloudwatch/get-metric-data.json; and a capture of "
        "what the client sends"
    )
    return Gap(f"metric {sign.metrics[0]} of the load balancer", "whether the load balancer counts these as its own answers", how)


def _mode_gap(part: Part) -> Gap:
    how = (
        f"aws elbv2 describe-load-balancer-attributes --load-balancer-arn <ARN of {part.row['elb']}> > "
        f"aws/elbv2/describe-load-balancer-attributes.json"
    )
    return Gap("attributes of the load balancer", "which classes its desync mitigation stops", how)


def _rules_gap() -> Gap:
    how = "aws elbv2 describe-rules --listener-arn <LISTENER_ARN> > aws/elbv2/describe-rules.json"
    return Gap("rules of the load balancer's listener (describe-rules)", "how the rule is written", how)


def _trail_gap() -> Gap:
    how = (
        "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=DeleteRule > "
        "aws/cloudtrail/lookup-events.json"
    )
    return Gap("CloudTrail events of the listener's rules, or describe-rules", "who changed the rule, and how it was", how)


RULE = Rule(
    name="load_balancer_rejected",
    codes=tuple(sorted({NEVER_SENT, *(sign.code for sign in signs.SIGNS)})),
    needs=("alb_access",),
    helps=("cloudtrail", "resource_snapshot"),
    rivals=("application_answered", "load_balancer_answered", "waf_rule_blocked"),
    examine=examine,
)
