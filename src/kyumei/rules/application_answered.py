"""The application made the answer; everything in front of it only relayed it (EDGE-001).

Proven when two logs agree: the application (or its server) recorded the request with this status, or nginx or the load balancer wrote its
upstream's status, and a second log has the same request. With one log alone it is likely. Why the application answered so is its own
matter: the lines that it wrote beside the request are shown.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.probe import again
from kyumei.edge.server.application_errors import coinciding, is_grave, named, passed_on, said, tells_why
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.status import FAILED, REDIRECTS, SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

RELAYS = {
    "waf": "AWS WAF let it pass",
    "alb": "the load balancer relayed its target's status",
    "apigateway": "API Gateway handed on its integration's status",
    "ingress": "the proxy (Envoy, Traefik or Caddy) relayed it",
    "nginx": "nginx relayed it",
}
HEADERS_TOO_LARGE = 431
"""Made by the application server before the application is asked; another rule knows it."""
REASONS = {
    401: "its log-in or token check refused the request",
    403: "its own permission check refused the request",
    404: "it has no such page or object",
    405: "it does not take that method there",
    429: "its own rate limit refused the request",
}


ANSWERERS = {"app": "the application itself", "target": "a target behind the load balancer"}
"""Who answered, as far as the records tell: without a log of the target, only that it was the target."""
FRONTS = {
    "cloudfront_access": "the origin behind CloudFront",
    "clb_access": "an instance behind the Classic Load Balancer",
    "api_gateway_access": "the integration behind API Gateway",
    "proxy_access": "the service behind the proxy",
    "api_gateway_execution": "the integration behind API Gateway",
}
"""Targets of what is no Application Load Balancer, by the table in which their status stands."""
RELAYED_BY_EDGE = "EDGE-086"
AS_THEY_CAME = ("cloudfront", "alb", "clb", "ingress", "nginx", "apache")
"""Hops, from the client inwards, whose records have host and path as the client sent them; API Gateway's may have a stage in front."""


def _answerer(failure: Failure, *, told: bool = False) -> str:
    if told and failure.hop == "target" and failure.table not in FRONTS:
        return "the application behind the load balancer"
    return FRONTS.get(failure.table, ANSWERERS["target"]) if failure.hop == "target" else ANSWERERS[failure.hop]


def _code(failure: Failure) -> str:
    """EDGE-086 where only CloudFront's record says that its origin answered, else EDGE-001."""
    return RELAYED_BY_EDGE if failure.hop == "target" and failure.table == "cloudfront_access" else "EDGE-001"


def examine(view: View) -> Opinion:
    """One finding for each group of requests that the application answered."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if view.symptom.by_time and (_status(failure) or 0) < FAILED:
            continue  # It was answered well, and only late.
        if (_status(failure) or 0) in REDIRECTS:
            continue  # Where to go next is an answer like any other; whether it goes round in a loop is another rule's matter.
        if failure.hop not in ANSWERERS or not failure.rows or failure.rows[0].get("status") == HEADERS_TOO_LARGE:
            continue
        if not _handed_on(failure):
            continue
        beside = [*named(view, failure, _status(failure), _method(failure)), *passed_on(failure)]
        status = _status(failure) or 0
        with_it = coinciding(view, failure, status) if status >= FAILED and not any(map(tells_why, beside)) else []
        findings.append(_finding(view, failure, beside, with_it))
        if passed := failure.sightings.get("waf"):
            ruled_out.append(RuledOut("EDGE-022", "AWS WAF let these very requests pass", view.cite(passed, 1)))
        if "nginx" in failure.sightings and not failure.inner_errors and view.covers("nginx_access"):
            ruled_out.append(
                RuledOut(
                    "EDGE-137", "nginx handed the request on; its error log has no refusal of it", view.cite(failure.sightings["nginx"], 1)
                )
            )
        if not beside and not with_it:
            gaps.append(
                Gap(
                    "the target's own logs of these requests" if failure.hop == "target" else "the application's own log of these requests",
                    "why the application answered so",
                    "copy its log, at level INFO or finer, into the folder",
                )
            )
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _handed_on(failure: Failure) -> bool:
    """Whether what the client got is what the answerer gave: not where it answered well, or otherwise, and the client got a failure."""
    row = failure.rows[0]
    own = row.get("target_status") if failure.hop == "target" else row.get("status")
    if own is None or own >= FAILED:
        return bool(failure.hop != "target" or own is None or row.get("status") in {None, own})
    sent = [seen[0].get("status") for seen in failure.sightings.values() if seen]
    return not any(status is not None and status >= FAILED for status in (row.get("status"), *sent))


def _method(failure: Failure) -> str | None:
    """The method, of whichever record of these requests tells it: a line of an application's own log often does not."""
    rows = (failure.rows[0], *(row for seen in failure.sightings.values() for row in seen[:1]))
    return next((str(row["method"]) for row in rows if row.get("method")), None)


def _asked(failure: Failure) -> Mapping[str, object]:
    """What the client asked for, as the outermost record tells that keeps path and host as they came; else as the answerer's tells."""
    outer = (failure.sightings[hop][0] for hop in AS_THEY_CAME if failure.sightings.get(hop))
    asked = next((row for row in outer if row.get("path") and row.get("host")), failure.rows[0])
    return {"method": _method(failure), "path": asked.get("path"), "host": asked.get("host")}


def _finding(view: View, failure: Failure, beside: list[dict[str, Any]], with_it: list[dict[str, Any]]) -> Finding:
    first, method, who = failure.rows[0], _method(failure), _answerer(failure, told=bool(with_it))
    status, request = _status(failure), " ".join(filter(None, (method, str(first["path"] or "?"))))
    reason = _reason(failure, status, [*beside, *with_it])
    confirmed = len(failure.sightings) > 1 or bool(beside)
    where = f"path = {quoted(first['path'] or '')}"
    chain = [
        Evidence(
            f"{who[0].upper()}{who[1:]} answered {status} to {request}: {failure.why}",
            view.cite(failure.rows),
            f'SELECT * FROM "{failure.table}" WHERE {where} ORDER BY time',
            failure.total,
        )
    ]
    if beside:
        says = f"It wrote at the same moment about the same request: {said(beside[0])}"
        chain.append(Evidence(says, view.cite(beside), total=len(beside)))
    if with_it:
        says = f"Nearly each of these requests ended within seconds of such an error in the application's log: {said(with_it[0])}"
        chain.append(Evidence(says, view.cite(with_it), total=len(with_it)))
    for hop, says in RELAYS.items():
        if (seen := failure.sightings.get(hop)) and hop != _hop_of(failure):
            chain.append(Evidence(f"{says} (joined by {failure.joined_by})", view.cite(seen), total=len(seen)))
    return Finding(
        code=_code(failure),
        rule=RULE.name,
        title=f"{who} answered {status} to {request}" + (f": {reason}" if reason else ""),
        certainty=Certainty.PROVEN if confirmed and failure.sure and failure.hop == "app" else Certainty.LIKELY,
        chain=tuple(chain),
        subject={"status": str(status)} | ({"method": method} if method else {}) | {"path": str(first["path"])},
        remedy=(_remedy(status, request, [*beside, *with_it]),),
        check=(
            Check(
                "The same request by the same user gets its page.",
                again(_asked(failure)),
            ),
        ),
        onset=_onset(view, failure),
        explains=failure.total,
        message=f"Your request for {first['path']} reached {'our application' if failure.hop == 'app' else 'our servers'}, and "
        f"was answered {status} there. We are checking why it did.",
        layer="app" if with_it else failure.hop,
        failures=(failure.key,) if failure.key else (),
    )


def _reason(failure: Failure, status: int | None, lines: list[dict[str, Any]]) -> str:
    """Why, in words: the application's own error where it logged one, else what such a status means."""
    usual = REASONS.get(status or 0, "") if failure.hop == "app" else ""
    # A warning that only repeats status and path says less than the error that comes with it.
    kinds = (tells_why, is_grave, lambda line: line.get("level") == "WARNING")
    told = next((line for kind in kinds for line in lines if kind(line)), None)
    if told is None:
        return usual
    return f"{usual} ({said(told)})" if usual else f"it logged “{said(told)}”"


def _status(failure: Failure) -> int | None:
    """The status that the client got: of the application's own record, or of the nearest hop in front that states one."""
    relays = [rows[0] for rows in failure.sightings.values() if rows]
    found = next((row["status"] for row in (failure.rows[0], *reversed(relays)) if row.get("status") is not None), None)
    return int(found) if found is not None else None


def _hop_of(failure: Failure) -> str:
    return {"nginx_access": "nginx", "alb_access": "alb"}.get(failure.table, "app")


def _remedy(status: int | None, request: str, beside: list[dict[str, Any]]) -> Remedy:
    if status in {401, 403}:
        says = (
            f"Decide whether this user should be allowed {request}; if so, give the role or permission that the "
            "application's check asks for. Nothing in front of it needs a change."
        )
    elif status is not None and status >= SERVER_ERROR:
        says = "Mend the error that the application logged." if beside else "Find the error in the application's log."
    else:
        says = f"Look at how the application handles {request}; nothing in front of it needs a change."
    return Remedy(says, proof="The request passed every hop in front of the application, so no change there can alter the answer.")


def _onset(view: View, failure: Failure) -> datetime | None:
    first = failure.rows[0]
    rows = view.rows(f'SELECT min(time) AS onset FROM "{failure.table}" WHERE path = ? AND status = ?', first["path"], first["status"])
    onset = rows[0]["onset"] if rows else None
    return onset.replace(tzinfo=UTC) if onset else None


RULE = Rule(
    name="application_answered",
    codes=("EDGE-001", "EDGE-086"),
    needs=(),
    helps=("app_log", "json_lines", "nginx_access", "alb_access", "waf"),
    rivals=("web_server_refused", "waf_rule_blocked", "load_balancer_answered"),
    examine=examine,
)
