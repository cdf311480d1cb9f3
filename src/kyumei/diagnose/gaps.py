"""What is missing, what it would decide, and how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.correlate.hops import LOG_OF, TITLES, place_in_chain
from kyumei.correlate.sightings import ORDER, position
from kyumei.model.finding import Gap
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import Failure
    from kyumei.correlate.hops import Known

WHICH = "path (URL) or the client of the reported request"
"""What is missing where several failures of different causes fit what the person said."""
HOW = {
    "cloudfront": "find the log bucket with `aws cloudfront get-distribution-config --id <ID>` (Logging), then copy the hour's "
    "files into the folder",
    "waf": (
        "`aws wafv2 get-logging-configuration --resource-arn <WEB_ACL_ARN>` names the destination; copy its files, or "
        "`aws logs filter-log-events --log-group-name aws-waf-logs-<NAME> --start-time <MS> --end-time <MS>`, into the folder; "
        "within 3 hours of the "
        "moment `aws wafv2 get-sampled-requests` shows samples even where logging is off"
    ),
    "alb": (
        "`aws elbv2 describe-load-balancer-attributes --load-balancer-arn <ARN>` shows access_logs.s3.*; copy the files of "
        "that hour from the bucket; "
        "if logging was off, turn it on (access_logs.s3.enabled=true) and repeat the request"
    ),
    "nginx": "copy /var/log/nginx/access.log* and error.log* of every host behind the balancer into the folder",
    "apache": "copy the access and error logs of every host (/var/log/httpd or /var/log/apache2) into the folder",
    "server": "turn on the application server's access log (gunicorn --access-logfile -), or copy it from every host",
    "app": "copy the application's log of that day from every host into the folder",
}
HOW["balancer"] = HOW["alb"]
HOW["proxy"] = HOW["nginx"]
HOW["clb"] = (
    "`aws elb describe-load-balancer-attributes --load-balancer-name <NAME>` shows AccessLog; copy the files of that hour from the bucket; "
    "if logging was off, turn it on and repeat the request"
)
HOW["apigateway"] = (
    "`aws apigateway get-stage --rest-api-id <API_ID> --stage-name <STAGE>` (or `aws apigatewayv2 get-stage`) shows "
    "accessLogSettings; then "
    "`aws logs filter-log-events --log-group-name <GROUP> --start-time <MS> --end-time <MS>` into the folder; log "
    "$context.error.responseType"
)

HOW["cdn"] = (
    "get the CDN's own log of that hour (Cloudflare Logpush or Security Events, Fastly real-time logs, Akamai DataStream), and look at the "
    "headers of the failing answer: `curl -sI https://<HOST><PATH>` (server, via, cf-ray, x-served-by, x-cache)"
)
HOW["invoker"] = HOW["apigateway"]


def gap(hop: str, decides: str, name: str = "") -> Gap:
    """The gap of a hop whose log is missing or does not cover the moment."""
    return Gap(
        f"{LOG_OF.get(hop, TITLES.get(hop, hop) + ' log')}{f' of {name}' if name else ''}",
        decides,
        HOW.get(hop, "copy the log into the folder"),
    )


def _error_logs(failure: Failure, known: Sequence[Known], covering: Mapping[str, bool]) -> list[Gap]:
    """The error logs that are missing of web servers that made the answer, or behind whoever could get none from them."""
    status = (failure.rows[0].get("status") if failure.rows else None) or 0
    servers = [one.hop for one in known if one.hop in {"nginx", "apache"} and one.logged]
    return [
        Gap(f"{TITLES[hop]} error log", f"what {TITLES[hop]} said of the failing requests, or of its own end", HOW[hop])
        for hop in servers
        if f"{hop}_error" not in covering and (failure.hop in {hop, "unknown"} or (status >= SERVER_ERROR and failure.hop in FRONT))
    ]


FRONT = frozenset({"cloudfront", "alb", "clb", "apigateway", "target"})


def elsewhere() -> Gap:
    """The gap of requests that were let pass in front and of which no log behind has a trace."""
    return Gap(
        "nginx access log, or the application's, of the other hosts",
        "what became of requests that AWS WAF let pass and that no log behind it has: another host answered them, or the load balancer did",
        HOW["nginx"],
    )


INNERMOST = frozenset({"server", "app"})
"""Hops in front of which there is nearly always another one, whether or not anything in the case shows it."""


def further_out(known: Sequence[Known]) -> list[Gap]:
    """The gap of a failure of which no log has a trace: what nothing in the case shows may have answered in front of everything else."""
    there = {one.hop for one in known}
    if not there.isdisjoint({"cloudfront", "cdn"}):
        return []
    found = [gap("cloudfront", "whether a distribution in front of all this, should there be one, made the answer")]
    nothing = [gap(hop, "whether the request arrived, and who answered it") for hop in ("balancer", "proxy")]
    return [*nothing, *found] if there <= INNERMOST else found


def before_request(known: Sequence[Known]) -> list[Gap]:
    """The gap of a failure that came before any request was sent: no access log has it."""
    if any(one.hop in {"alb", "balancer"} for one in known):
        how = (
            "`aws elbv2 describe-load-balancer-attributes --load-balancer-arn <ARN>` shows connection_logs.s3.*; copy the files of that "
            "hour; if they were off, turn them on (connection_logs.s3.enabled=true) and try again"
        )
        return [Gap("connection log of the Application Load Balancer", "how the TLS handshake of that client ended", how)]
    how = "run `openssl s_client -connect <HOST>:443 -servername <HOST>` where the person is"
    return [Gap("log of connections and handshakes of what takes the connection", "how the client's connection ended", how)]


def unlogged() -> Gap:
    """The gap of a request that CloudFront may have refused without a record of it."""
    return Gap(
        "size of the request's headers and URL, as the client sends them",
        "whether CloudFront refused the request for its size: it never logs one with more than 20 KB of headers or a URL over 8,192 bytes",
        "repeat the request with `curl -v`, or save it as HAR in the browser, and look at the cookies",
    )


def status_seen() -> Gap:
    """The gap of a symptom whose request failed, but not with the status that was told."""
    how = "ask for a picture of the page, or repeat the request"
    return Gap("status that the person saw", "whether they met the failure that the logs have", how)


def which_of(failures: Sequence[Failure]) -> Gap:
    """The gap of a symptom that fits several failures of different causes."""
    kinds = [
        f"{TITLES.get(failure.hop, failure.hop)}, {row.get('method') or '?'} {row.get('path') or '?'} ({failure.total})"
        for failure in failures
        for row in failure.rows[:1]
    ]
    return Gap(
        WHICH,
        f"which of {len(kinds)} failures of different causes the person met: {'; '.join(kinds)}",
        "ask the person for the URL, the exact time, or the address they came from",
    )


def deciding(failure: Failure | None, known: Sequence[Known], covering: Mapping[str, bool], reasons: Mapping[str, str]) -> list[Gap]:
    """The logs that would decide when no cause is found: those of the hops from the outermost one in that cannot say."""
    found: list[Gap] = []
    for one in known:
        place = place_in_chain(one.hop)
        if failure is not None and failure.hop in ORDER and place > position(failure.hop):
            continue
        if failure is not None and failure.hop in {"unknown", "target"} and place <= max(map(position, failure.sightings), default=0):
            continue  # It only handed on what came from further in.
        if not one.logged:
            found.append(gap(one.hop, f"whether {TITLES[one.hop]} made the answer, and by which rule", one.name))
        elif not covering.get(one.hop):
            found.append(
                gap(
                    one.hop,
                    f"what {TITLES[one.hop]} did with the request: the log that is here does not cover the moment "
                    f"({reasons.get(one.hop, '')})",
                    one.name,
                )
            )
    if failure is None:
        return found
    found += _error_logs(failure, known, covering)
    return _inside(failure, known, found) if failure.hop in {"unknown", "target"} else found


def _inside(failure: Failure, known: Sequence[Known], found: Sequence[Gap]) -> list[Gap]:
    """The logs that would decide which of the components behind a relay answered, beside those that were ``found`` missing."""
    gaps = [one for one in found if "made the answer" not in one.would_decide] or list(found)
    innermost = max(map(position, failure.sightings), default=0)
    if innermost < position("nginx") and not any(one.hop in {"nginx", "apache", "proxy"} for one in known):
        gaps.append(gap("proxy", "whether a web server stands in front of the application there, and made the answer"))
    if not any(one.hop in {"server", "app"} and one.logged for one in known):
        gaps.insert(0, gap("app", "whether the application made the answer or the web server in front of it"))
        gaps.append(gap("server", "whether the request reached the application server, and what it answered"))
    if failure.table == "nginx_access":
        how = "add upstream_status=$upstream_status to nginx's log_format: `-` means nginx answered, a number that it relayed"
        gaps.append(Gap("nginx variable $upstream_status", "whether nginx or its upstream made the answer", how))
    return gaps
