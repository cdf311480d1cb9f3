"""The chain of components in front of the application: from the configuration in the case, or inferred from what the logs betray.

Private clients in a web server's log mean that a balancer or proxy is in front (EDGE-155); ELB-HealthChecker means an Elastic Load
Balancer; a row of WAF names what it protects; ``waf`` among the actions of a load balancer's row means a web ACL. For each hop: did it
see the request, who answered.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei import discover
from kyumei.correlate.addresses import is_private
from kyumei.correlate.sightings import ORDER, position
from kyumei.model.finding import Hop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import Failure
    from kyumei.correlate.coverage import LogCoverage
    from kyumei.model.finding import Citation, Finding
    from kyumei.store.case import Case

TITLES = {
    "cdn": "CDN or proxy in front of all that is here",
    "cloudfront": "CloudFront",
    "waf": "AWS WAF",
    "alb": "Application Load Balancer",
    "clb": "Classic Load Balancer",
    "apigateway": "API Gateway",
    "ingress": "proxy (Envoy, Traefik, Caddy)",
    "sidecar": "sidecar proxy (Envoy)",
    "nginx": "nginx",
    "apache": "Apache httpd",
    "server": "application server",
    "app": "application",
    "balancer": "load balancer or proxy",
    "proxy": "web server in front of the application",
    "invoker": "API Gateway or load balancer in front of the function",
}
TABLE_OF = {
    "cdn": "cloudfront_access",
    "cloudfront": "cloudfront_access",
    "waf": "waf",
    "alb": "alb_access",
    "clb": "clb_access",
    "apigateway": "api_gateway_access",
    "ingress": "proxy_access",
    "sidecar": "proxy_access",
    "nginx": "nginx_access",
    "apache": "apache_access",
    "server": "app_log",
    "app": "app_log",
    "balancer": "alb_access",
    "proxy": "nginx_access",
    "invoker": "api_gateway_access",
}
LOG_OF = {
    "cdn": "log of the CDN or proxy in front (Cloudflare, Fastly, Akamai, CloudFront)",
    "cloudfront": "CloudFront standard log",
    "clb": "Classic Load Balancer access log",
    "apigateway": "API Gateway access log",
    "apache": "Apache access log",
    "waf": "AWS WAF log",
    "alb": "Application Load Balancer access log",
    "ingress": "access log of the proxy (Envoy, Traefik, Caddy)",
    "sidecar": "access log of the sidecar proxy (Envoy)",
    "nginx": "nginx access log",
    "server": "application server's access log",
    "app": "application's log",
    "balancer": "access log of the load balancer",
    "proxy": "access and error log of the web server in front of the application (nginx, Apache)",
    "invoker": "access log of the API Gateway or load balancer in front of the function",
}
INFERRED = {
    "cdn": ("cloudfront",),
    "balancer": ("alb", "clb", "apigateway"),
    "proxy": ("nginx", "apache", "ingress"),
    "invoker": ("apigateway", "alb", "clb", "cloudfront", "ingress", "nginx", "apache", "server"),
}
"""What a hop that is only inferred may be, the likeliest first; where one of these is known, it is that one."""


_NAMED = {"waf": "webacl", "alb_access": "elb", "clb_access": "elb", "cloudfront_access": "distribution", "api_gateway_access": "api_id"}
"""Tables whose rows name the component that wrote them, and the column in which they do."""
_OWN_SERVICE = {"cloudfront": "cloudfront", "elb": "clb", "apigateway": "apigateway", "apigatewayv2": "apigateway"}
"""Services of which every answer shows that there is such a hop."""
_LISTS = frozenset({"describe-load-balancers", "list-distributions", "get-rest-apis", "get-apis"})


_CDN = r'"(?:cf-ray|cf-connecting-ip|cdn-loop|fastly-client-ip|fastly-ff|akamai-origin-hop|true-client-ip|x-azure-ref|incap-client-ip)"'
"""Headers by which CDNs other than CloudFront make themselves known to an origin (RFC 8586, and the names of Cloudflare, Fastly, Akamai,
Azure Front Door and Imperva)."""
_INSIDE_SITE = (
    r"^(?:10\.|127\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|f[cd]|fe80|::1|-|$)"
)
_CHAIN = (
    "CASE WHEN contains(forwarded_for, ',') THEN list_filter(string_split(replace(forwarded_for, ' ', ''), ','), "
    f"lambda one: NOT regexp_matches(lower(one), '{_INSIDE_SITE}')) END"
)
"""SQL: the public addresses in X-Forwarded-For where there are several; the last one asked the outermost that writes the header."""


FEWEST = 10
"""Requests from which a habit of all can be told."""


class Known(NamedTuple):
    """A hop that is known to exist: its name where one is known, how it is known, and whether a log of it is here.

    ``timeless`` is a log whose records have no time, so that it may well have a request and nobody can say which record it is.
    """

    hop: str
    name: str
    how: str
    logged: bool
    timeless: bool = False


def chain(case: Case, logs: Sequence[LogCoverage]) -> list[Known]:
    """The hops that exist, outermost first."""
    known: dict[str, Known] = {}
    for log in logs:
        if log.hop in ORDER and log.hop not in known:
            timeless = all(other.start is None for other in logs if other.hop == log.hop)
            how = f"its log is in the case ({log.log})"
            known[log.hop] = Known(log.hop, _logged_name(case, log.hop), how, logged=True, timeless=timeless)
    for hop, name, how in (*_from_snapshots(case), *_from_traces(case)):
        if any(other in known for other in INFERRED.get(hop, ())):
            continue
        if hop not in known:
            known[hop] = Known(hop, name, how, logged=False)
    return sorted(known.values(), key=lambda one: place_in_chain(one.hop))


def place_in_chain(hop: str) -> int:
    """How far in a hop lies; one that is only inferred lies where the likeliest of what it may be does."""
    return position(INFERRED[hop][0] if hop in INFERRED else hop)


def _logged_name(case: Case, hop: str) -> str:
    table = TABLE_OF.get(hop, "")
    if table not in _NAMED:
        return ""
    column = _NAMED[table]
    names = case.rows(f"SELECT DISTINCT {column} AS name FROM {table} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT 4")
    return ", ".join(str(row["name"]) for row in names)


def _from_snapshots(case: Case) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    rows = case.rows(
        "SELECT service, operation, name, document FROM resource_snapshot WHERE (service = 'elbv2' AND operation = "
        "'describe-load-balancers') "
        "OR (service = 'wafv2' AND operation IN ('get-web-acl', 'list-web-acls', 'get-web-acl-for-resource')) "
        "OR list_contains(?::VARCHAR[], service) OR (service = 'ec2' AND operation = 'describe-network-interfaces')",
        [list(_OWN_SERVICE)],
    )
    for row in rows:
        document: dict[str, Any] = _parsed(row["document"])
        where = f"aws/{row['service']}/{row['operation']}"
        if row["service"] in _OWN_SERVICE:
            name = str(row["name"] or "") if row["operation"] in _LISTS else ""
            found.append((_OWN_SERVICE[row["service"]], name, f"{where} speaks of one"))
        elif row["operation"] == "describe-load-balancers" and document.get("Type", "application") == "application":
            found.append(("alb", str(row["name"] or ""), f"{where} lists it"))
        elif row["service"] == "wafv2":
            found.append(("waf", str(row["name"] or ""), f"{where} describes it"))
        elif str(document.get("Description", "")).startswith("ELB app/"):
            found.append(("alb", document["Description"].split("/")[1], f"{where}: an interface says {document['Description']!r}"))
    return found


def _parsed(document: object) -> dict[str, Any]:
    try:
        value = json.loads(str(document))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _from_traces(case: Case) -> list[tuple[str, str, str]]:
    """Hops that leave no log here but betray themselves in the logs of others."""
    signs = case.rows(
        f"""SELECT (SELECT count(*) FROM alb_access WHERE list_contains(actions, 'waf')) AS behind_waf,
            (SELECT count(*) FROM waf WHERE source_name = 'ALB') AS at_balancer,
            (SELECT any_value(elb) FROM waf WHERE source_name = 'ALB') AS elb,
            (SELECT count(*) FROM waf WHERE source_name = 'CF') AS at_cloudfront,
            (SELECT count(*) FROM waf WHERE source_name = 'APIGW') AS at_gateway,
            (SELECT count(*) FROM api_gateway_execution) AS executed,
            (SELECT count(*) FROM alb_connection) + (SELECT count(*) FROM alb_health_check) AS connected,
            (SELECT count(*) FROM sightings WHERE hop IN ('alb', 'clb', 'nginx', 'apache') AND user_agent = 'Amazon CloudFront') AS fetched,
            (SELECT count(*) FROM sightings WHERE hop IN ('nginx', 'apache') AND starts_with(user_agent, 'ELB-HealthChecker')) AS checked,
            (SELECT count(*) FROM waf WHERE source_name = 'ALB' AND headers::VARCHAR ILIKE '%"x-amz-cf-id"%') AS forwarded,
            (SELECT count(*) FROM waf WHERE source_name = 'ALB' AND regexp_matches(headers::VARCHAR, $cdn, 'i')) AS handed_on,
            (SELECT count(*) FROM sightings WHERE hop IN ('nginx', 'apache', 'server', 'app') AND forwarded_for IS NOT NULL) AS chains,
            (SELECT {{'n': count(*), 'nodes': count(DISTINCT own[-1]), 'clients': count(DISTINCT own[-2])}} FROM (SELECT {_CHAIN} AS own
                FROM sightings WHERE hop IN ('nginx', 'apache', 'server', 'app')) WHERE len(own) > 1) AS chained,
            (SELECT count(*) FROM clb_access) AS classic, (SELECT count(*) FROM nginx_error) AS errors,
            (SELECT count(*) FROM apache_error) AS apache_errors,
            (SELECT count(*) FROM app_log WHERE coalesce(server, '') <> '' AND status IS NULL) AS served""",
        {"cdn": _CDN},
    )[0]
    protects = "WAF's rows name it as what they protect"
    told = (
        ("behind_waf", ("waf", "", "the load balancer's rows hold the action waf")),
        ("at_balancer", ("alb", str(signs["elb"] or ""), protects)),
        ("at_cloudfront", ("cloudfront", "", protects)),
        ("at_gateway", ("apigateway", "", protects)),
        ("executed", ("apigateway", "", "its execution log is in the case")),
        ("connected", ("alb", "", "its connection or health check log is in the case")),
        ("forwarded", ("cloudfront", "", "the requests that WAF saw carry X-Amz-Cf-Id")),
        ("fetched", ("cloudfront", "", "requests with the agent Amazon CloudFront come from it")),
        ("checked", ("balancer" if signs["classic"] else "alb", "", "the web server answers ELB-HealthChecker")),
        ("errors", ("nginx", "", "its error log is in the case")),
        ("apache_errors", ("apache", "", "its error log is in the case")),
        ("served", ("server", "", "its own messages are in the case")),
    )
    found = [hop for sign, hop in told if signs[sign]]
    if _nearly_all(signs["handed_on"], signs["at_balancer"]):
        found.append(("cdn", "", "nearly all requests that WAF saw carry headers that a CDN writes"))
    # A CDN asks from fewer addresses than it is asked from; what clients forge stands before their own, and is often one and the same.
    elif _nearly_all(signs["chained"]["n"], signs["chains"]) and signs["chained"]["nodes"] < signs["chained"]["clients"]:
        found.append(("cdn", "", "X-Forwarded-For has two public addresses in nearly all requests: the second one asked for the first"))
    return found + _from_clients(case)


def _nearly_all(part: int, whole: int) -> bool:
    """Nine in ten, and more than a handful: whatever a single client sends proves nothing."""
    return part >= FEWEST and part * 10 >= 9 * whole


def _from_clients(case: Case) -> list[tuple[str, str, str]]:
    """A balancer or proxy that shows in who the clients are, or, where real_ip hides it, in headers that only it writes."""
    web = _private(case, "hop IN ('nginx', 'apache')")
    if web is None:
        own = _private(case, "hop IN ('server', 'app')")
        if own is None:
            return _of_silent_application(case)
        if own.loopback:
            return [("proxy", "", "nearly all clients that the application sees are its own host: a web server there hands requests on")]
        return [("balancer", "", "nearly all clients that the application sees have private addresses")] if own.private else []
    if web.private:
        return [("balancer", "", "nearly all clients that the web server sees have private addresses")]
    total, traced, forwarded = case.con.execute(
        "SELECT count(*), count(*) FILTER (WHERE starts_with(trace_id, '1-')), count(forwarded_for) FROM sightings "
        "WHERE hop IN ('nginx', 'apache')"
    ).fetchone() or (0, 0, 0)
    if traced and traced * 10 >= 9 * total:
        return [("alb", "", "nearly all requests that the web server sees carry X-Amzn-Trace-Id")]
    if forwarded and forwarded * 10 >= 9 * total:
        return [("balancer", "", "nearly all requests that the web server sees carry X-Forwarded-For")]
    return []


def _of_silent_application(case: Case) -> list[tuple[str, str, str]]:
    """What must stand in front of an application that names no clients: a function is invoked, and a log of its own is no access log."""
    signs = case.rows(
        """SELECT (SELECT count(*) FROM lambda_log WHERE kind IN ('start', 'report')) AS invoked,
            (SELECT count(*) FROM sightings WHERE hop = 'app') AS app, (SELECT count(*) FROM sightings WHERE hop <> 'app') AS others"""
    )[0]
    if signs["invoked"]:
        return [("invoker", "", "the function's log is in the case: it runs only when something invokes it")]
    if signs["app"] and not signs["others"]:
        return [("balancer", "", "the application's own log names no clients, so something else takes their requests")]
    return []


class _Clients(NamedTuple):
    """Whether nine in ten requests come from private addresses, and whether from the host itself."""

    private: bool
    loopback: bool


def _private(case: Case, which: str) -> _Clients | None:
    """The clients of some sightings; null where none has an address."""
    rows = case.rows(
        f"SELECT client_ip, count(*) AS n FROM sightings WHERE {which} AND client_ip IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200"
    )
    total = sum(row["n"] for row in rows)
    if not total:
        return None
    private = sum(row["n"] for row in rows if is_private(row["client_ip"]))
    loopback = sum(row["n"] for row in rows if row["client_ip"].startswith("127.") or row["client_ip"] == "::1")
    return _Clients(private * 10 >= 9 * total, loopback * 10 >= 9 * total)


def table(
    known: Sequence[Known],
    covering: Mapping[str, bool],
    reasons: Mapping[str, str],
    failure: Failure | None,
    cited: Mapping[str, tuple[Citation, ...]],
) -> tuple[Hop, ...]:
    """The hop table: for each hop whether it saw the failing requests, whether it answered, and why we say so."""
    found: list[Hop] = []
    for one in known:
        covers = one.logged and covering.get(one.hop, False)
        if failure is None:
            why = "its log covers the moment and holds no such failure" if covers else _blindness(one, reasons)
            found.append(Hop(one.hop, "no" if covers else "blind", False if covers else None, why, name=one.name))
            continue
        answered = _answered(one.hop, failure)
        seen = failure.sightings.get(one.hop, ())
        if seen:
            saw = "yes"
            why = f"it has {len(seen)} record{'s' if len(seen) > 1 else ''} of the failing requests" + (
                " and made the answer" if answered else ""
            )
        elif covers and one.hop not in failure.blind:
            saw, why = "no", "its log covers the moment and does not have the request"
        else:
            saw, why = "blind", _blindness(one, reasons)
        name = (_answering_name(failure) if answered else "") or one.name
        found.append(Hop(one.hop, saw, answered, why, cited.get(one.hop, ()), name))
    return tuple(found)


def without_request(case: Case, found: Sequence[Hop], finding: Finding) -> tuple[Hop, ...]:
    """The hop table where no request failed: whoever's log has what the finding begins with, a broken handshake, did see it."""
    cited = finding.chain[0].citations if finding.chain else ()
    formats = case.rows(
        "SELECT DISTINCT format FROM artifacts WHERE format IS NOT NULL AND list_contains(?::VARCHAR[], name)",
        [[one.file for one in cited]],
    )
    hops = {discover.format_of(row["format"]).hop for row in formats}
    count = max(finding.chain[0].total, len(cited)) if cited else 0
    why = f"it has {count} record{'' if count == 1 else 's'} of what failed; no request came of it"
    return tuple(replace(hop, saw_it="yes", answered=False, why=why, citations=cited) if hop.hop in hops else hop for hop in found)


def _answering_name(failure: Failure) -> str:
    """The name of what answered, as its own record tells it: a case may hold logs of several of a kind."""
    column = _NAMED.get(failure.table) if TABLE_OF.get(failure.hop) == failure.table else None
    return str(failure.rows[0].get(column) or "") if column and failure.rows else ""


def _blindness(one: Known, reasons: Mapping[str, str]) -> str:
    """Why a hop cannot say whether it saw a request."""
    if not one.logged:
        return f"no log of it is in the case; {one.how}"
    return reasons.get(one.hop, "the request cannot be told apart there")


def _answered(hop: str, failure: Failure) -> bool | None:
    """Whether the hop made the answer: one hop did, so all others did not; null while it is not known which."""
    if failure.hop == "unknown":
        return None
    if failure.hop == "target":
        return None if position(hop) > max((position(seen) for seen in failure.sightings), default=0) else False
    return hop == failure.hop or (failure.hop == "app" and hop == "server" and "app" not in failure.sightings)
