"""Who produced the response: the innermost layer that recorded the request and made the answer itself; outer layers relay."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.correlate.sightings import FILTERED, position
from kyumei.edge.server.error_lines import LEVELS
from kyumei.edge.server.errors import signature_of_line
from kyumei.model.level import GRAVE
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from kyumei.correlate.journey import Exchange
    from kyumei.store.case import Case

Row = dict[str, Any]
WEB_SERVERS = ("nginx", "apache")
APPLICATIONS = ("server", "app")
ERROR_NEAR = timedelta(seconds=2)
ASKED_BY_SIDECAR = frozenset({"127.0.0.6", "127.0.0.1", "::6", "::1"})
"""Addresses from which Istio's sidecar connects to the program beside it (its "Envoy Access Logs")."""
MADE_IN_BETWEEN = frozenset({502, 503, 504})
"""What a relay answers for a server behind it; any other server error it hands on, or says in its error log why it made one."""
_UPSTREAM_FAILED = re.compile(
    r"while (?:connecting to|sending (?:request )?to|reading (?:response|upstream)|SSL handshaking to)|no live upstreams|upstream sent "
)
_PASSED_ON = re.compile(r"FastCGI sent in stderr|uwsgi sent in stderr", re.IGNORECASE)
"""What nginx copies from the server behind it; it says nothing of who answered."""

_BROKE = re.compile(
    r"sent in stderr: .{0,200}?(?:PHP (?:Fatal|Parse|Compile) error|Uncaught |Traceback \(most recent)", re.DOTALL | re.IGNORECASE
)
"""What of that ends a request: the program broke off and gave no page."""


class Owner(NamedTuple):
    """Who answered one exchange: the hop, why that is known, and lines of error logs that speak of it.

    ``sure`` is false where the hop follows from another log's silence, and ``hop`` is ``unknown`` where nothing tells.
    """

    hop: str
    why: str
    sure: bool = True
    errors: tuple[Row, ...] = ()
    record: Row | None = None


def owner(one: Exchange, covering: Mapping[str, bool], errors: Sequence[Row], known: Collection[str] = ()) -> Owner:
    """Who answered.

    ``covering`` says for each hop with a log whether all its logs cover the window; ``errors`` are lines of web servers' error
    logs near it; ``known`` are the hops that exist, with a log or without.
    """
    front = _front(one)
    if front is not None:
        return front
    inner = one.innermost
    if inner["hop"] in APPLICATIONS:
        refused = next((seen for seen in one.sightings.values() if seen["hop"] in WEB_SERVERS and seen["own"]), None)
        if refused is not None:
            return _web_server(refused, covering, errors)
        return _application(one, inner, errors)
    if inner["status"] is not None and (turned := _turned(one, inner["status"])) is not None:
        why = f"it answered {turned['status']} to a request that {INSIDE.get(inner['hop'], inner['hop'])} ended with {inner['status']}"
        return Owner(turned["hop"], why, record=turned)
    if (server := inner if inner["hop"] in WEB_SERVERS else _beside_sidecar(one, inner)) is not None:
        return _web_server(_until_answered(one, server), covering, errors)
    if inner["hop"] == "alb":
        return _behind_balancer(inner, covering, known)
    if inner["hop"] in RECORDS:
        return _behind_front(inner, covering, known)
    return Owner("unknown", "WAF let the request go on, and no log behind it has it", record=inner)


def _beside_sidecar(one: Exchange, inner: Row) -> Row | None:
    """The record of the web server that a sidecar proxy handed the request on to: in one pod it stands behind it, elsewhere in front."""
    if inner["hop"] != "sidecar" or inner["own"] is not False:
        return None
    servers = (seen for hop in WEB_SERVERS if (seen := one.sightings.get(hop)) and seen["status"] == inner["status"])
    return next((seen for seen in servers if seen["own"] or seen["client_ip"] in ASKED_BY_SIDECAR), None)


def _until_answered(one: Exchange, inner: Row) -> Row:
    """The record with the moment of the answer as its time: Apache's may tell only when the request came, and errors come at its end."""
    return inner | {"time": one.span[1]} if inner["hop"] == "apache" and inner["time"] == inner["started"] else inner


def _front(one: Exchange) -> Owner | None:
    """What AWS has in front of the servers, where its own record says that it answered; null where none does."""
    waf, balancer = one.sightings.get("waf"), one.sightings.get("alb")
    if waf and waf["own"]:
        return Owner("waf", "WAF's own record says so", record=waf)
    if edge := _edge(one):
        return edge
    if balancer and balancer["own"]:
        got = balancer["target_status"]
        why = (
            f"its target answered {got}, which it could not pass on"
            if got is not None
            else "the load balancer's record names no target status"
        )
        return Owner("alb", why, record=balancer)
    if balancer and _last_action(balancer) == "waf" and balancer["target_ip"] is None:
        return Owner("waf", "the load balancer's record ends with the action waf and names no target", record=balancer)
    gateway = one.sightings.get("apigateway")
    if gateway and FILTERED in (gateway["kind"] or "").split("|"):
        return Owner("waf", "API Gateway's record says that WAF filtered the request", record=gateway)
    for hop in ("clb", "apigateway", "sidecar", "ingress"):
        if (record := one.sightings.get(hop)) and record["own"]:
            return Owner(hop, f"{RECORDS[hop]} says that it made the answer itself", record=record)
    return None


def _edge(one: Exchange) -> Owner | None:
    """What CloudFront's record says of an answer that is not the one of the next component in; null where it is, or where it is none."""
    edge = one.sightings.get("cloudfront")
    if edge is None:
        return None
    if not edge["status"]:
        return Owner("unknown", f"{RECORDS['cloudfront']} says that the viewer was gone before there was an answer", record=edge)
    behind = next((row["status"] for row in one.sightings.values() if row["hop"] not in {"cloudfront", "waf"} and row["status"]), None)
    if edge["own"] and behind != edge["status"]:
        return Owner("cloudfront", f"{RECORDS['cloudfront']} names a result that it makes itself", record=edge)
    return None


def _last_action(row: Row) -> str | None:
    actions = row.get("actions") or []
    return actions[-1] if actions else None


def _application(one: Exchange, inner: Row, errors: Sequence[Row]) -> Owner:
    """The application saw the request: the answer is its own, unless a relay gave up waiting for it or could not use what came."""
    name = INSIDE[inner["hop"]].removeprefix("the ")
    # The application and its server are one to all who stand in front: what either says is their answer.
    own = [seen["status"] for seen in reversed(one.sightings.values()) if seen["hop"] in APPLICATIONS and seen["status"] is not None]
    status = own[0] if own else None
    relay = _turned(one, status)
    if relay is None:
        return Owner("app", f"the {name} recorded the request with this status", record=inner)
    near = tuple(line for line in errors if _same_request(relay, line) and explains(line, relay["status"]))
    if status is None and not near and relay["own"] is not True:
        return _without_status(one, relay, inner)
    why = f"it answered {relay['status']} to a request of which the {name}'s record says {status or 'no status'}"
    return Owner(relay["hop"], why, sure=bool(near), errors=near, record=relay)


def _without_status(one: Exchange, relay: Row, inner: Row) -> Owner:
    """The application saw the request and wrote no status: that says nothing against it, nor against whoever stands in front of it.

    A relay that writes what its upstream answered, tells. A gateway's own failure it may have made by itself, and logs it in its error log;
    an error that the application wrote about this very request is the better explanation.
    """
    name, status = INSIDE[inner["hop"]].removeprefix("the "), relay["status"]
    got = f"the request got as far as the {name}, whose record states no status"
    if status < SERVER_ERROR:
        return Owner("app", got, sure=False, record=inner)
    if any(seen["hop"] in APPLICATIONS and seen["level"] in GRAVE for seen in one.sightings.values()):
        return Owner("app", f"the {name} wrote an error about the request", sure=relay["own"] is False, record=inner)
    if relay["hop"] in WEB_SERVERS and relay["own"] is False:
        return Owner("app", f"{got}, and {relay['hop']} relayed the status of its upstream", record=inner)
    if status not in MADE_IN_BETWEEN:
        return Owner(
            "app", f"{got}, and {INSIDE.get(relay['hop'], relay['hop'])} in front of it only relayed one", sure=False, record=inner
        )
    if relay["own"] is False:
        return Owner("target", f"the load balancer relayed the status of its target, and {got}", sure=False, record=relay)
    why = f"it answered {status} to a request of which the {name}'s record says no status"
    return Owner(relay["hop"], why, sure=False, record=relay)


def _turned(one: Exchange, status: int | None) -> Row | None:
    """The nearest relay whose status is another one than what came from further in: it did not hand that on; null where all agree."""
    relays = [seen for seen in reversed(one.sightings.values()) if seen["hop"] not in APPLICATIONS and seen["status"] is not None]
    return next((seen for seen in relays if seen["status"] != status), None)


def explains(line: Row, status: int | None) -> bool:
    """Whether a line of nginx's error log says why nginx itself gave this status."""
    message = line["message"] or ""
    if _PASSED_ON.search(message):
        return False
    failed = status is not None and status >= SERVER_ERROR and _UPSTREAM_FAILED.search(message) is not None
    return failed or signature_of_line(line, status) is not None


def _web_server(inner: Row, covering: Mapping[str, bool], errors: Sequence[Row]) -> Owner:
    hop = inner["hop"]
    lines = tuple(line for line in errors if _same_request(inner, line))
    near = tuple(line for line in lines if explains(line, inner["status"]))
    if inner["own"] is False:
        return Owner("app", f"{hop} relayed the status of its upstream", errors=lines, record=inner)
    if inner["own"] or near:
        why = f"{hop}'s error log says why: {near[0]['message']}" if near else f"{hop}'s record names no upstream"
        return Owner(hop, why, errors=near or tuple(line for line in lines if not _PASSED_ON.search(line["message"] or "")), record=inner)
    broke = tuple(line for line in lines if _BROKE.search(line["message"] or ""))
    if broke and inner["status"] is not None and inner["status"] >= SERVER_ERROR:
        return Owner("app", f"{hop}'s error log has the error that the program behind it wrote at the request", errors=broke, record=inner)
    behind = [name for name in APPLICATIONS if name in covering]
    if behind and "server" in behind and covering["server"]:
        return Owner(hop, "the application server's log covers the moment and does not have the request", sure=False, record=inner)
    what = "no log of it is here"
    if behind:
        what = "its access log does not cover the moment" if "server" in behind else "its log does not tell of every request"
    return Owner("unknown", f"{hop} recorded the status, but not whether it came from the application behind it, and {what}", record=inner)


def _same_request(row: Row, line: Row) -> bool:
    """Whether an error line is of a request: at its end, of its client, and of its path; Apache names the path in few lines."""
    if line["hop"] != row["hop"] or abs(row["time"] - line["time"]) > ERROR_NEAR or line["method"] not in {row["method"], None}:
        return False
    named = line["client_ip"] is not None and (line["client_ip"] == row["client_ip"] or line["client_ip"] in (row["forwarded_for"] or ""))
    return bool(line["path"] == row["path"] and (named or line["client_ip"] is None)) or (
        named and line["path"] is None and line["hop"] == "apache"
    )


def _behind_balancer(inner: Row, covering: Mapping[str, bool], known: Collection[str]) -> Owner:
    if inner["own"] is None:
        lambda_target = "the target is a Lambda function, whose status the load balancer does not separate from its own"
        if inner["target_status"] is not None:
            why = f"the load balancer's record has {inner['target_status']} as its target's status and {inner['status']} as its own"
            return Owner("unknown", why, record=inner)
        old_line = "the load balancer's record is of an old kind that does not name its actions: WAF or a listener rule answered"
        return Owner("unknown", lambda_target if inner["actions"] else old_line, record=inner)
    missing, sure = _behind(inner, covering, known)
    return Owner("target", f"the load balancer relayed the status of its target, {missing}", sure, record=inner)


RECORDS = {
    "cloudfront": "CloudFront's record",
    "clb": "the Classic Load Balancer's record",
    "apigateway": "API Gateway's record",
    "ingress": "the proxy's record",
    "sidecar": "the sidecar proxy's record",
}


def _behind_front(inner: Row, covering: Mapping[str, bool], known: Collection[str]) -> Owner:
    """What CloudFront, a Classic Load Balancer or API Gateway relayed, where nothing behind it has the request."""
    hop = inner["hop"]
    if inner["own"] is None:
        return Owner("unknown", f"{RECORDS[hop]} does not tell whether it made the answer or handed it on", record=inner)
    missing, sure = _behind(inner, covering, known)
    return Owner("target", f"{RECORDS[hop]} names the status of what is behind it, {missing}", sure, record=inner)


INSIDE = {
    "alb": "the load balancer",
    "ingress": "the proxy",
    "nginx": "nginx",
    "apache": "Apache",
    "sidecar": "the sidecar proxy",
    "server": "the application server",
    "app": "the application",
}


GATEWAY = frozenset({502, 504})
"""Statuses by which a gateway speaks of a server behind it (RFC 9110, 15.6.3 and 15.6.5): who gives one is not the last in the chain."""


def _behind(inner: Row, covering: Mapping[str, bool], known: Collection[str]) -> tuple[str, bool]:
    """What the logs behind a relay say of a request that none of them has, in words, and whether the relay's target is one whole.

    The relay's record proves that what is behind it answered. Where the case or the status shows that this is more than one component,
    which of them answered is the question, and the one that did left no record of it here. Behind
    CloudFront there mostly are several.
    """
    parts = [name for name in INSIDE if position(name) > position(inner["hop"]) and name in known]
    logs = [INSIDE[name] for name in parts if name in covering]
    if logs:
        return f"and the logs of {' and '.join(logs)} do not have the request", False
    whole = not parts and inner["hop"] != "cloudfront" and inner["status"] not in GATEWAY
    return "and no log of what it answered is here", whole


def error_lines(case: Case, paths: Sequence[str], start: object, end: object) -> list[Row]:
    """Lines of web servers' error logs about these paths, or about none, in [start, end], level error and worse.

    What a client did wrong, nginx writes at level info.
    """
    lines = case.rows(
        "SELECT *, 'nginx' AS hop FROM nginx_error WHERE list_contains(?::VARCHAR[], path) AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP "
        f"AND ({LEVELS} OR (level = 'info' AND starts_with(message, 'client sent '))) ORDER BY time, _artifact, _line",
        [list(paths), start, end],
    )
    return lines + case.rows(
        "SELECT *, NULL AS method, 'apache' AS hop FROM apache_error WHERE (path IS NULL OR list_contains(?::VARCHAR[], path)) "
        f"AND client_ip IS NOT NULL AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP AND {LEVELS} ORDER BY time, _artifact, _line",
        [list(paths), start, end],
    )
