"""The load balancer's log says that WAF ended the request, and the WAF log does not have it (EDGE-100, a block by WAF: EDGE-022).

That it was WAF is certain: the last action is ``waf`` and no target was asked (EDGE-002). Which rule it was, only the WAF log tells, or a
sampled request of the last three hours. The log lacks the request where logging is off, a logging filter drops it, or its files were not
copied.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.balancer.setting import balancer_arn
from kyumei.edge.documents import as_list, as_map
from kyumei.edge.literals import same
from kyumei.edge.waf.block import clipped
from kyumei.edge.waf.commands import repeat_request
from kyumei.edge.waf.evidence import those, told
from kyumei.edge.waf.inspected import from_balancer
from kyumei.edge.waf.judge import evaluate, lookups
from kyumei.edge.waf.logged import dropped, guarding
from kyumei.edge.waf.sampled import Sample, sample_of
from kyumei.edge.waf.statement import describe_statement
from kyumei.edge.waf.web_acl import WebAcl, action_of, place_of, resources
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

STOPPING = frozenset({"BLOCK", "CAPTCHA", "CHALLENGE"})
INNER = {"nginx": "EDGE-137", "server": "EDGE-001", "app": "EDGE-001"}


def examine(view: View) -> Opinion:
    """One finding for each failure that only the load balancer's log ascribes to WAF."""
    lost = [failure for failure in view.failures if failure.hop == "waf" and failure.table == "alb_access" and failure.rows]
    ruled_out = [
        RuledOut(INNER[hop], f"{hop} did not answer: its log covers the moment and does not have the request")
        for failure in lost
        for hop in failure.silent
        if hop in INNER
    ]
    return Opinion(
        tuple(_finding(view, failure) for failure in lost),
        tuple(ruled_out),
        tuple(dict.fromkeys(_gap(view, failure.rows[0]) for failure in lost)),
    )


def _finding(view: View, failure: Failure) -> Finding:
    row = failure.rows[0]
    sample = sample_of(view, row)
    rule = _named(view, sample)
    request = f"{row['method'] or '?'} {clipped(row['path'] or '?')}"
    named = f"rule '{rule}'" if rule else "a rule that only its log names"
    subject = {"missing": "AWS WAF log (EDGE-100)", "elb": str(row["elb"]), "status": str(row["status"]), "path": str(row["path"])}
    acls = _web_acls(view)
    if len(acls) == 1:
        subject["web_acl"] = str(acls[0].document.get("Name"))
    if rule:
        subject["rule_id"] = rule
    sure = bool(rule) and (failure.human or not view.symptom.browser)
    return Finding(
        code="EDGE-022",
        rule=RULE.name,
        title=f"AWS WAF in front of load balancer '{row['elb']}' ended {request} with {row['status']}: {named}",
        certainty=Certainty.LIKELY if sure else Certainty.POSSIBLE,
        chain=tuple(_chain(view, failure, sample)),
        subject=subject,
        remedy=(Remedy("Get the record of the request first; it names the rule and so the change.", _how(view, row)),),
        check=(
            Check("A minute after a new try the WAF log has a row for it; kyumei then names the rule.", repeat_request(row, row["host"])),
            Check("Rows of WAF arrive within five minutes."),
        ),
        onset=_onset(view, row),
        explains=failure.total,
        message=(
            f"Your request to {row['path'] or 'the site'} was stopped by our web application firewall before it reached the site. Which "
            "of its rules it was "
            "we cannot see yet; we are fetching its log."
        ),
    )


def _chain(view: View, failure: Failure, sample: Sample | None) -> Iterable[Evidence]:
    row = failure.rows[0]
    actions = ",".join(row["actions"] or ())
    says = (
        f"The load balancer's log has the failing request: {told(row)}: status {row['status']}, actions {actions}, no target: WAF ended "
        "it (EDGE-002)"
    )
    yield Evidence(
        says, view.cite(failure.rows), f"SELECT * FROM alb_access WHERE {those(view, failure, 'alb_access')} ORDER BY time", failure.total
    )
    key = same("trace_id", row["trace_id"]) if row["trace_id"] else f"{same('path', row['path'])} AND {same('client_ip', row['client_ip'])}"
    missing = "holds no row of this request" if view.has("waf") else "is not in the case"
    yield Evidence(f"The WAF log {missing}", sql=f"SELECT * FROM waf WHERE {key}")
    yield from failure.evidence or (
        Evidence(f"{hop} never saw it: its log covers the moment and does not have the request") for hop in failure.silent
    )
    if sample is not None:
        inner = f", rule {sample.inner}" if sample.inner else ""
        metric = f", among the samples of metric '{sample.metric}'" if sample.metric else ""
        yield Evidence(f"WAF sampled the same request: action {sample.action}{inner}{metric}", (sample.citation,), total=1)
    yield from _logging(view, row)
    yield from _candidates(view, row)


def _logging(view: View, row: Mapping[str, Any]) -> Iterable[Evidence]:
    """What the logging configuration says about why the record is not there."""
    arn = guarding(view, row["elb"])
    for found, citation in resources(view, "get-logging-configuration", "LoggingConfiguration"):
        own = str(found.get("ResourceArn") or "")
        if own not in {"", arn} and (arn or _is_cloudfronts(own)):
            continue  # It is another web ACL's, maybe of the same name in another Region.
        targets = ", ".join(map(str, as_list(found.get("LogDestinationConfigs")))) or "nowhere"
        dropping = as_map(found.get("LoggingFilter"))
        told_filter = (
            f"; a logging filter {dropping.get('DefaultBehavior')}s what its {len(as_list(dropping.get('Filters')))} filters do not name"
            if dropping
            else ""
        )
        if action := dropped(found, row["status"]):
            told_filter += f": it drops the records of requests that ended in {action}{', and so this one' if arn and own == arn else ''}"
        yield Evidence(f"The web ACL logs to {targets}{told_filter}", (citation,))


def _candidates(view: View, row: Mapping[str, Any]) -> Iterable[Evidence]:
    """Rules that would stop this request as far as the load balancer's row tells: a hint only: groups and headers are not judged."""
    known, request = lookups(view), from_balancer(row)
    for acl in _web_acls(view):
        names = []
        for rule in acl.rules:
            statement = as_map(rule.get("Statement"))
            if action_of(rule) in STOPPING and evaluate(statement, request, known).holds:
                names.append(f"'{rule.get('Name')}' ({describe_statement(statement)})")
        if names:
            says = (
                f"In web ACL '{acl.document.get('Name')}' as configured these rules match what the load balancer's row tells of the "
                f"request: {'; '.join(names)}"
            )
            yield Evidence(f"{says}. Rules before them, and groups, may have ended the look first", (acl.citation,))


def _web_acls(view: View) -> list[WebAcl]:
    """The web ACLs that are described and can stand in front of a load balancer."""
    stored = resources(view, "get-web-acl", "WebACL")
    return [WebAcl(found, citation) for found, citation in stored if not _is_cloudfronts(str(found.get("ARN") or ""))]


def _is_cloudfronts(arn: str) -> bool:
    place = place_of(arn)
    return place is not None and place.scope == "CLOUDFRONT"


def _named(view: View, sample: Sample | None) -> str:
    """The rule that a sample names: that inside a group, or the one whose metric the samples were asked for."""
    if sample is None or sample.action not in STOPPING:
        return ""
    if sample.inner:
        return sample.inner.rpartition("#")[2]
    for acl in _web_acls(view):
        for rule in acl.rules:
            if sample.metric and sample.metric == as_map(rule.get("VisibilityConfig")).get("MetricName"):
                return str(rule.get("Name"))
    return ""


def _onset(view: View, row: Mapping[str, Any]) -> datetime | None:
    where = f"actions[len(actions)] = 'waf' AND {same('path', row['path'])} AND {same('elb', row['elb'])}"
    first = view.rows(f"SELECT min(time) AS first FROM alb_access WHERE {where}")[0]["first"]
    return first.replace(tzinfo=UTC) if first else None


def _how(view: View, row: Mapping[str, Any]) -> tuple[str, ...]:
    arn = guarding(view, row["elb"]) or "<WEB_ACL_ARN>"
    place = place_of(arn)
    where = f"--scope {place.scope} --region {place.region}" if place else "--scope <REGIONAL or CLOUDFRONT> --region <REGION>"
    region = f"--region {place.region}" if place else "--region <REGION>"
    find = () if place else (f"aws wafv2 get-web-acl-for-resource --resource-arn {balancer_arn(view, row)}",)
    samples = (
        f"get-sampled-requests {where} --web-acl-arn {arn} --rule-metric-name <METRIC> "
        "--time-window StartTime=<START>,EndTime=<END> --max-items 500"
    )
    return (
        *find,
        f"aws wafv2 get-logging-configuration {region} --resource-arn {arn}",
        f"aws wafv2 {samples} > aws/wafv2/get-sampled-requests.<METRIC>.json",
        *_logging_all(arn, region, filtered=bool(_dropping(view, row))),
    )


def _logging_all(arn: str, region: str, *, filtered: bool) -> tuple[str, ...]:
    """Commands that let the log hold such requests. A configuration is replaced whole: its redacted fields must be sent back."""
    if filtered:
        return (
            f"aws wafv2 get-logging-configuration {region} --resource-arn {arn} | jq 'del(.LoggingConfiguration.LoggingFilter)' > all.json",
            f"aws wafv2 put-logging-configuration {region} --cli-input-json file://all.json",
        )
    target = "LogDestinationConfigs=<ARN of aws-waf-logs-...>"
    return (f"aws wafv2 put-logging-configuration {region} --logging-configuration ResourceArn={arn},{target}",)


def _dropping(view: View, row: Mapping[str, Any]) -> str:
    """The action whose records the logging filter of the balancer's web ACL drops; empty where none is known to."""
    arn = guarding(view, row["elb"])
    logging = resources(view, "get-logging-configuration", "LoggingConfiguration")
    return next((action for found, _ in logging if found.get("ResourceArn") == arn and (action := dropped(found, row["status"]))), "")


def _gap(view: View, row: Mapping[str, Any]) -> Gap:
    action = _dropping(view, row)
    state = (
        f"its logging filter drops what ends in {action}: change the filter, and make the request again"
        if action
        else "it is here, but has no row of the request: see its logging filter, its Region, and whether all its files were copied"
        if view.has("waf")
        else "it is not in the case"
    )
    how = "; ".join(f"`{command}`" for command in _how(view, row))
    return Gap("AWS WAF log", f"which rule of the web ACL stopped the request ({state})", f"{how}. Samples go back three hours")


RULE = Rule(
    name="waf_log_missing",
    codes=("EDGE-022", "EDGE-100"),
    needs=("alb_access",),
    helps=("resource_snapshot", "waf", "nginx_access", "app_log"),
    rivals=("web_server_refused", "application_answered", "load_balancer_answered"),
    examine=examine,
)
