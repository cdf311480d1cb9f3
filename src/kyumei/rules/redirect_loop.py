"""Redirects lead a client round in a circle, so that the browser gives up (EDGE-004, EDGE-005 at a load balancer, else EDGE-001).

That it goes round is seen: one client, one address, again and again within seconds, and nothing but redirects between. A load balancer's
row tells where its redirect leads, so there the circle is proven where that is where the client already was. An application's or a web
server's Location stands in no log: who made it is told, not why.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.agents import BROWSER
from kyumei.edge.balancer.answer import last_action
from kyumei.edge.probe import again, probe, scheme
from kyumei.edge.redirects import Circle, circle_of, origin_protocol
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy

if TYPE_CHECKING:
    from kyumei.model.finding import Citation

NAMES = {
    "app": "the application",
    "target": "what lies behind",
    "nginx": "nginx",
    "apache": "Apache",
    "alb": "the load balancer",
    "cloudfront": "CloudFront",
    "clb": "the Classic Load Balancer",
    "apigateway": "API Gateway",
}
AS_APPLICATION = "EDGE-001"
AS_LISTENER = "EDGE-004"
AS_LOG_IN = "EDGE-005"


def _code(circle: Circle) -> str:
    if last_action(circle.own).startswith("authenticate"):
        return AS_LOG_IN
    return AS_LISTENER if circle.listener else AS_APPLICATION


def examine(view: View) -> Opinion:
    """One finding for each group of redirects in which a client goes round."""
    findings: list[Finding] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        circle = circle_of(view, failure) if failure.hop in NAMES else None
        if circle is None:
            continue
        outer = circle.outer
        findings.append(_finding(view, circle))
        if not circle.comes_back:
            gaps.append(
                Gap(
                    "Location header of the redirect",
                    "where it leads, and so why it comes back",
                    f"curl -sSI {probe(outer['path'], outer['host']).rpartition(' ')[2]}",
                )
            )
    return Opinion(tuple(findings), (), tuple(gaps))


def _finding(view: View, circle: Circle) -> Finding:
    failure, first, last = circle.failure, circle.steps[0], circle.steps[-1]
    who, status, request = NAMES[failure.hop], first["status"], f"{first['method'] or 'GET'} {first['path']}"
    seconds = max(1, round((last["time"] - first["started"]).total_seconds()))
    reason, evidence, remedies = _why(view, circle)
    chain = [
        Evidence(
            f"One client asked for {request} {len(circle.steps)} times within {seconds} s, was answered {status} each time, and got "
            "nothing but redirects between",
            view.cite(circle.steps),
            f'SELECT * FROM "{first["table_name"]}" WHERE path = {quoted(first["path"] or "")} ORDER BY time',
            len(circle.steps),
        ),
        Evidence(f"{who[0].upper()}{who[1:]} made that answer: {failure.why}", view.cite(failure.rows), total=failure.total),
        *evidence,
    ]
    return Finding(
        code=_code(circle),
        rule=RULE.name,
        title=f"{who} sent the client round in a circle: it answered {status} to {request} {len(circle.steps)} times in {seconds} s"
        f"{reason}",
        certainty=_certainty(view, circle, confirmed=len(evidence) > 0),
        chain=tuple(chain),
        subject={"status": str(status), "path": str(first["path"])} | ({"host": str(first["host"])} if first["host"] else {}),
        remedy=remedies,
        check=(Check("The same request gets its page and not another redirect.", again(first)),),
        onset=first["started"].replace(tzinfo=UTC),
        explains=failure.total,
        layer=failure.hop,
        failures=(failure.key,) if failure.key else (),
        message=f"Our servers sent your browser from {first['path']} to another address and back again, so that it gave up. "
        "We are mending the redirect; there is nothing wrong on your side.",
    )


def _certainty(view: View, circle: Circle, *, confirmed: bool) -> Certainty:
    """Proven where the redirect is shown to lead back; a program that is no browser may ask again without having followed anything."""
    if circle.comes_back:
        return Certainty.PROVEN if confirmed else Certainty.LIKELY
    agent = circle.outer.get("user_agent")
    asked = view.symptom.in_circles
    follows = agent is None or bool(BROWSER.search(str(agent))) or asked
    return Certainty.LIKELY if follows and circle.failure.sure and (asked or circle.over == "https") else Certainty.POSSIBLE


def _why(view: View, circle: Circle) -> tuple[str, tuple[Evidence, ...], tuple[Remedy, ...]]:
    """Why it comes back, as far as that is told: a clause, what shows it, and what mends it."""
    policy = origin_protocol(view, circle.outer) if circle.outer.get("table_name") == "cloudfront_access" else None
    shown = _policy(policy)
    inner = scheme(circle.own) if circle.failure.table == "alb_access" else ""
    if circle.comes_back:
        url = str(circle.own["redirect_url"])
        says = f"The redirect of the listener rule leads to {url}, which is what the client had asked for"
        evidence = (Evidence(says, view.cite([circle.own, circle.steps[0]]), total=circle.failure.total), *shown)
        if circle.over == "https" and inner == "http":
            reason = f", to {url}, where it already was, for CloudFront asks the load balancer over http"
            return reason, evidence, (_ask_over_https(),)
        remedy = Remedy(
            "Give the redirect action of the listener rule a target that its own conditions do not match: another host, port or path.",
            ("aws elbv2 describe-rules --listener-arn <LISTENER_ARN>",),
        )
        return f", to {url}, where it already was", evidence, (remedy,)
    if last_action(circle.own).startswith("authenticate"):
        return (
            ", by the log-in action of its listener, though the client was sent to log in before",
            shown,
            (
                Remedy(
                    "Look at the session cookie of the log-in action (AWSELBAuthSessionCookie) in the browser: it is not kept, or not sent "
                    "back, where the site is also reached over http or by another host name, or where headers are cut in front.",
                ),
            ),
        )
    asked_http = policy is not None and policy[0] == "http-only"
    reason = ": CloudFront asks it over http, though the client came over https" if asked_http and circle.over == "https" else ""
    remedies = (_ask_over_https(),) if asked_http else ()
    return reason, shown, (*remedies, _trust_header(circle))


def _policy(policy: tuple[str, Citation] | None) -> tuple[Evidence, ...]:
    return (Evidence(f"The distribution asks this origin by the policy {policy[0]}", (policy[1],), total=1),) if policy else ()


def _ask_over_https() -> Remedy:
    return Remedy(
        "Let CloudFront ask the origin over HTTPS: set the origin's OriginProtocolPolicy to https-only, with a certificate at the origin "
        "for the name that is asked for.",
        ("aws cloudfront get-distribution-config --id <DISTRIBUTION_ID>",),
    )


def _trust_header(circle: Circle) -> Remedy:
    """What mends a circle of which only the answerer is known."""
    name = {"app": "the application", "target": "the origin"}.get(circle.failure.hop, NAMES[circle.failure.hop])
    return Remedy(
        f"See where the redirect leads (its Location). If to the same address: {name} takes the request for http, or for another host; let "
        "it go by X-Forwarded-Proto and X-Forwarded-Host (CloudFront-Forwarded-Proto), or take the redirect out there. If to the log-in "
        "and back: the session cookie is not kept.",
        (f"curl -sSI -H 'X-Forwarded-Proto: https' {probe(circle.outer['path'], circle.outer['host']).rpartition(' ')[2]}",),
    )


RULE = Rule(
    name="redirect_loop",
    codes=(AS_APPLICATION, AS_LISTENER, AS_LOG_IN),
    needs=(),
    helps=("alb_access", "cloudfront_access", "nginx_access", "app_log", "resource_snapshot"),
    rivals=("application_answered", "load_balancer_answered"),
    examine=examine,
)
