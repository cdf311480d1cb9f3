"""How sure it is why CloudFront could not use its origin, from the origin's own logs and the distribution's configuration.

A row at the origin means that the request arrived; none, in a log that has the others, that it never did (table rule of EDGE-085 to
EDGE-094).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.balancer.target_traces import finished_later
from kyumei.edge.cloudfront.finding import Judged, config_gap, origin_gap, silence, span
from kyumei.edge.cloudfront.function_url import is_function_url, outlasted
from kyumei.edge.cloudfront.setting import nameless_certificate, place_of, waits
from kyumei.edge.function import log
from kyumei.model.finding import Certainty, Evidence, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View
    from kyumei.edge.cloudfront.finding import Part

SHARE = 0.8
"""Share of CloudFront's wait that the origin must have been at the request to be why it waited."""
AT_ONCE = 5.0
"""Seconds within which a connection that is refused, or whose handshake fails, does."""
GAVE_UP = frozenset({460, 499})
"""Statuses by which a balancer or nginx note that whoever asked, here CloudFront, left."""
NAMES = {
    "alb": "the load balancer",
    "clb": "the Classic Load Balancer",
    "apigateway": "API Gateway",
    "nginx": "nginx",
    "apache": "Apache httpd",
    "server": "the application server",
    "app": "the application",
}


def unresolved(view: View, part: Part) -> Judged:
    """The origin's name did not resolve: nothing can have arrived."""
    quiet = silence(view, part)
    if seen := arrived(part):
        return _contradicted(view, part, seen, "the request arrived at the origin all the same: its name resolved")
    gaps = () if quiet else (origin_gap(part, "whether the request arrived at the origin after all"),)
    return Judged(_sure(bool(quiet)), tuple(quiet), gaps=gaps)


def unconnected(view: View, part: Part) -> Judged:
    """No connection to the origin: the configuration may tell why, the time how."""
    if seen := arrived(part):
        return _contradicted(view, part, seen, "the request arrived at the origin all the same: there was a connection")
    quiet, place, seconds = silence(view, part), place_of(view, part.row), _seconds(part.row)
    evidence, how = list(quiet), ""
    if seconds is not None:
        total, _ = waits(place)
        how = (
            ": refused, or no TLS session came about"
            if seconds < AT_ONCE
            else ": packets were swallowed"
            if seconds >= total * SHARE
            else ""
        )
    named = place.distribution is not None and nameless_certificate(place, part.row.get("scheme"))
    if named and place.distribution is not None and seconds is not None and seconds < AT_ONCE:
        how = ": no public certificate can carry that name, and the Host header is not handed on"
        says = (
            f"The distribution speaks HTTPS with {place.host}, the default name of a load balancer, and does not hand on the viewer's Host "
            "header: the certificate there cannot match"
        )
        evidence.append(Evidence(says, (place.distribution.citation,)))
    gaps = [] if quiet else [origin_gap(part, "whether the request arrived at the origin after all")]
    gaps += [] if place.distribution else [config_gap(place, "which port, protocol and name CloudFront uses for the origin")]
    return Judged(_sure(bool(quiet) or named), tuple(evidence), gaps=tuple(gaps), more={"how": how})


def unanswered(view: View, part: Part) -> Judged:
    """CloudFront gave up waiting: to be connected, or for an origin that had the request."""
    place, seconds = place_of(view, part.row), _seconds(part.row)
    connecting, reading = waits(place)
    limits = f"it connects for up to {connecting:g} s in all and waits {reading:g} s for an answer" + (
        "" if place.distribution else ", unless the distribution says otherwise"
    )
    evidence = [Evidence(f"CloudFront waited {seconds:.1f} s: {limits}", _configured(view, part))] if seconds is not None else []
    after = f" after {seconds:.0f} s" if seconds is not None else ""
    seen = arrived(part)
    slow = [row for row in seen if row.get("status") in GAVE_UP or (seconds is not None and _lasted(row) >= seconds * SHARE)]
    if slow:
        says = f"{_named(slow)} had the request, and was still at it when CloudFront gave up"
        evidence.append(Evidence(says, view.cite(slow), total=len(slow)))
        evidence += _finished(view, part)
        return Judged(
            Certainty.PROVEN, tuple(evidence), _not_blocked(view, slow), more={"how": f"{after}: it was too slow"}, layer="target"
        )
    if seen:
        return _contradicted(view, part, seen, "the origin was done with the request long before CloudFront gave up: it was not slow")
    if found := _finished(view, part):
        evidence += found
        return Judged(Certainty.PROVEN, tuple(evidence), more={"how": f"{after}: it was too slow"}, layer="target")
    # Where the origin is not known, runs of a function that keep step with these requests may be of another site.
    if runs := outlasted(view, part.rows) if is_function_url(place.host) or not place.host else []:
        seconds_of = ", ".join(f"{log.seconds(line):.1f} s" for line in runs[:3])
        says = f"The function's log has runs that began as CloudFront asked, and ended after it had given up: {seconds_of}"
        evidence.append(Evidence(says, view.cite(runs), total=len(runs)))
        if is_function_url(place.host) and part.total > 1:  # With a single request a run of another function may fall together by chance.
            return Judged(Certainty.PROVEN, tuple(evidence), more={"how": f"{after}: the function was too slow"}, layer="target")
    if quiet := silence(view, part):
        return Judged(Certainty.PROVEN, (*evidence, *quiet), more={"how": f"{after}: no connection came about"})
    gaps = [origin_gap(part, "whether the request never arrived at the origin, or the origin was slow")]
    gaps += [] if place.distribution else [config_gap(place, "how long CloudFront waits for this origin")]
    return Judged(Certainty.LIKELY, tuple(evidence), gaps=tuple(gaps), more={"how": after})


def broken(view: View, part: Part) -> Judged:
    """The origin's answer could not be used: the origin's own row shows that it thought otherwise, or broke off."""
    if seen := arrived(part):
        told = sorted({str(row["status"]) for row in seen if row.get("status") is not None})
        answer = f"answered it with {' and '.join(told)}" if told else "had it"
        says = f"{_named(seen)} had the same request and {answer}: the response was spoilt between there and CloudFront"
        return Judged(Certainty.PROVEN, (Evidence(says, view.cite(seen), total=len(seen)),))
    if quiet := silence(view, part):
        # Something gave a broken answer; what these logs are of did not.
        decides = "who at the origin's address gave the broken answer: another server, or something in front of the logged one"
        return Judged(Certainty.LIKELY, tuple(quiet), gaps=(origin_gap(part, decides),))
    return Judged(Certainty.LIKELY, gaps=(origin_gap(part, "what the origin answered, and whether its process ended in that second"),))


def arrived(part: Part) -> list[Mapping[str, Any]]:
    """Records of the same requests at the origin, the outermost component's first."""
    return [row for hop in NAMES for row in part.failure.sightings.get(hop, ())]


def _named(rows: list[Mapping[str, Any]]) -> str:
    name = NAMES.get(str(rows[0].get("hop")), "the origin")
    return f"{name[0].upper()}{name[1:]} at the origin"


def _lasted(row: Mapping[str, Any]) -> float:
    if row.get("started") is None:
        return 0.0
    return float((row["time"] - row["started"]).total_seconds())


def _seconds(row: Mapping[str, object]) -> float | None:
    seconds = row.get("request_seconds")
    return float(seconds) if isinstance(seconds, int | float) else None


def _sure(confirmed: bool) -> Certainty:  # noqa: FBT001 - the one thing that it depends on
    return Certainty.PROVEN if confirmed else Certainty.LIKELY


def _finished(view: View, part: Part) -> list[Evidence]:
    """That the application finished the request only after CloudFront had given up."""
    asked = [{"trace_id": None, **row, "started": span(row)[0]} for row in part.rows if _seconds(row) is not None]
    later = finished_later(view, asked) if view.has("alb_access") or view.has("nginx_access") or view.has("app_log") else []
    if not later:
        return []
    longest = max(one["request_seconds"] for one in later)
    says = f"The origin's own log has the request, at work for {longest:.1f} s"
    return [Evidence(says, view.cite(later), total=len(later))]


def _configured(view: View, part: Part) -> tuple[Any, ...]:
    place = place_of(view, part.row)
    return (place.distribution.citation,) if place.distribution else ()


def _not_blocked(view: View, rows: list[Mapping[str, Any]]) -> tuple[RuledOut, ...]:
    return (RuledOut("EDGE-088", "the request arrived at the origin: there was a connection", view.cite(rows, 1)),)


def _contradicted(view: View, part: Part, seen: list[Mapping[str, Any]], why: str) -> Judged:
    """The origin's rows speak against what CloudFront noted: no more than possible, and what would settle it."""
    near = [row for row in seen if abs(row["time"] - span(part.row)[1]) < timedelta(hours=1)]
    told = (Evidence(f"Against it: {why}", view.cite(near or seen), total=len(seen)),)
    return Judged(
        Certainty.POSSIBLE, told, gaps=(config_gap(place_of(view, part.row), "whether this is the log of the origin that was asked"),)
    )
