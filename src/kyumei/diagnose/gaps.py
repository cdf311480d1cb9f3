"""What is missing, what it would decide, and how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.correlate.hops import LOG_OF, TITLES
from kyumei.correlate.sightings import ORDER, position
from kyumei.model.finding import Gap

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


def gap(hop: str, decides: str, name: str = "") -> Gap:
    """The gap of a hop whose log is missing or does not cover the moment."""
    return Gap(
        f"{LOG_OF.get(hop, TITLES.get(hop, hop) + ' log')}{f' of {name}' if name else ''}",
        decides,
        HOW.get(hop, "copy the log into the folder"),
    )


def elsewhere() -> Gap:
    """The gap of requests that were let pass in front and of which no log behind has a trace."""
    return Gap(
        "nginx access log, or the application's, of the other hosts",
        "what became of requests that AWS WAF let pass and that no log behind it has: another host answered them, or the load balancer did",
        HOW["nginx"],
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
        place = position("alb" if one.hop == "balancer" else one.hop)
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
    if failure is not None and failure.hop in {"unknown", "target"}:
        found = [one for one in found if "made the answer" not in one.would_decide] or found
        if not any(one.hop in {"server", "app"} and one.logged for one in known):
            found.insert(0, gap("app", "whether the application made the answer or the web server in front of it"))
            found.append(gap("server", "whether the request reached the application server, and what it answered"))
        if failure.table == "nginx_access":
            how = "add upstream_status=$upstream_status to nginx's log_format: `-` means nginx answered, a number that it relayed"
            found.append(Gap("nginx variable $upstream_status", "whether nginx or its upstream made the answer", how))
    return found
