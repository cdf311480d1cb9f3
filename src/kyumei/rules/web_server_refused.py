"""nginx or Apache itself refused the request: a deny directive, a missing index, a permission, a limit (EDGE-095, EDGE-134 to EDGE-149).

Proven when the access log has the request and the error log names the reason within two seconds for the same client (and path, which
Apache does not write). Without such a line (a bare ``return 403`` writes none) the web server is only likely, and only where its own record
or the application's silence says so.
"""

from __future__ import annotations

import shlex
from datetime import UTC
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.probe import again
from kyumei.edge.server.error_lines import lines_of
from kyumei.edge.server.errors import file_of, of_family, signature_of_line, text_of
from kyumei.edge.signature import Family, Signature
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.status import CLIENT_CLOSED, SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

WEB_SERVERS = {"nginx": "nginx", "apache": "Apache"}
ERROR_LOG = {"nginx": "nginx_error", "apache": "apache_error"}
NAMES = {"server": "the application server", "app": "the application"}
UNNAMED = "EDGE-137"
"""The id for a refusal by a directive; also used where nginx refused and wrote no reason."""
CLIENTS_FAULT = frozenset({400, 408, 414, 494, 495, 496, 497})
"""Statuses for a request that was malformed, too slow or too large, or without the certificate that was asked for."""
SILENT_CLOSE = 444
"""nginx's own number for a connection that its configuration closes without an answer (``return 444``)."""
SILENT_CAUSE = "it wrote no reason, as for a `return`, a limit on methods, or an authentication request"


def examine(view: View) -> Opinion:
    """One finding for each group of requests that nginx or Apache itself refused."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.hop not in WEB_SERVERS or not failure.rows:
            continue
        lines = lines_of(view, failure)
        if not _is_refusal(failure, lines):
            continue
        findings.append(_finding(view, failure, lines))
        ruled_out += [
            RuledOut("EDGE-001", f"{NAMES[hop]} did not see the request, though its log covers the moment")
            for hop in failure.silent
            if hop in NAMES
        ]
        if passed := failure.sightings.get("waf"):
            ruled_out.append(RuledOut("EDGE-022", "AWS WAF let the request pass", view.cite(passed, 1)))
        if not lines and not view.has(ERROR_LOG[failure.hop]):
            server = WEB_SERVERS[failure.hop]
            folder = "nginx" if failure.hop == "nginx" else "httpd"
            gaps.append(
                Gap(
                    f"{server} error log",
                    f"which directive of {server} refused the request",
                    f"copy /var/log/{folder}/error* into the folder",
                )
            )
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _is_refusal(failure: Failure, lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the web server refused. What it answers for a failure of the server behind it, or notes for a client that left, is none."""
    found, status = _signature(failure, lines)[0], failure.rows[0]["status"]
    if found is not None:
        return found.family is Family.REFUSED
    return status is not None and status < SERVER_ERROR and status != CLIENT_CLOSED


def _finding(view: View, failure: Failure, lines: Sequence[Mapping[str, Any]]) -> Finding:
    first = failure.rows[0]
    server = WEB_SERVERS[failure.hop]
    found, line = _signature(failure, lines)
    cause = found.cause if found else f"its error log says: {text_of(line)}" if line else _unsaid(first["status"])
    subject = {"status": str(first["status"]), "method": str(first["method"]), "path": str(first["path"])}
    if line and (name := file_of(text_of(line))):
        subject["file"] = name
    known = "and know why" if found else "and are checking its configuration"
    test = "nginx -t && systemctl reload nginx" if failure.hop == "nginx" else "apachectl configtest && systemctl reload httpd"
    return Finding(
        code=found.code if found else UNNAMED,
        rule=RULE.name,
        title=f"{server} itself answered {first['status']} to {first['method'] or '?'} {first['path'] or '?'}: {cause}",
        certainty=_certainty(first["status"], found, line),
        chain=tuple(_chain(view, failure, line, lines)),
        subject=subject,
        remedy=_remedy(failure, found, line),
        check=(
            Check("The configuration is sound and loaded.", test),
            Check("The same request gets its page, and the error log has no new line of that shape.", again(first)),
        ),
        onset=_onset(view, failure.table, first),
        explains=failure.total,
        message=f"Our web server refused {first['path']} itself; the application behind it was not asked. We found this in its "
        f"log {known}.",
        layer=failure.hop,
        failures=(failure.key,),
    )


def _unsaid(status: int) -> str:
    """The cause as far as a status without a line tells it."""
    if status == SILENT_CLOSE:
        return "its configuration closes such connections without an answer (`return 444`)"
    if status in CLIENTS_FAULT:
        return "it could not use the request; what was wrong it writes only at level info"
    return SILENT_CAUSE


def _certainty(status: int, found: Signature | None, line: Mapping[str, Any] | None) -> Certainty:
    """Proven by a line of the error log; likely without; a bare 400 says too little of what was wrong with the request."""
    if found is not None:
        return Certainty.PROVEN
    return Certainty.POSSIBLE if status in CLIENTS_FAULT and line is None else Certainty.LIKELY


def _signature(failure: Failure, lines: Sequence[Mapping[str, Any]]) -> tuple[Signature | None, Mapping[str, Any] | None]:
    """The first error line of these requests that explains their status, with what it means; else the first line, without."""
    status = failure.rows[0]["status"]
    for line in lines:
        if found := signature_of_line(line, status):
            return found, line
    return None, next(iter(failure.inner_errors), None)


def _chain(view: View, failure: Failure, line: Mapping[str, Any] | None, lines: Sequence[Mapping[str, Any]]) -> list[Evidence]:
    first, server = failure.rows[0], WEB_SERVERS[failure.hop]
    where = f"status = {first['status']} AND path = {quoted(first['path'] or '')}"
    chain = [
        Evidence(
            f"{server}'s access log has the failing request{'s' if failure.total > 1 else ''}: {first['method']} {first['path']} "
            f"answered {first['status']} "
            f"at {first['time']:%Y-%m-%d %H:%M:%S} UTC",
            view.cite(failure.rows),
            f'SELECT * FROM "{failure.table}" WHERE {where} ORDER BY time',
            failure.total,
        )
    ]
    if line is not None:
        chain.append(
            Evidence(
                f"{server}'s error log gives the reason for the same client and path at {line['time']:%H:%M:%S} UTC: {text_of(line)}",
                view.cite(lines),
                f"SELECT * FROM {ERROR_LOG[failure.hop]} WHERE time = TIMESTAMP '{line['time']}' ORDER BY time",
                len(lines),
            )
        )
    else:
        chain.append(Evidence(f"{server} answered, because {failure.why}"))
    if passed := failure.sightings.get("waf"):
        chain.append(Evidence(f"AWS WAF let it pass (joined by {failure.joined_by})", view.cite(passed), total=len(passed)))
    chain += [
        Evidence(f"{NAMES[hop]} never saw it: its log covers the moment and does not have the request")
        for hop in failure.silent
        if hop in NAMES
    ]
    return chain


def _remedy(failure: Failure, found: Signature | None, line: Mapping[str, Any] | None) -> tuple[Remedy, ...]:
    if found is None:
        look = "nginx -T | grep -nE '(return|deny|limit_except|auth_request|auth_basic|internal)'"
        if failure.hop == "apache":
            look = "grep -rnE '(Require|Redirect|RewriteRule|LimitExcept|AuthType)' /etc/httpd /etc/apache2"
        return (
            Remedy(
                "Find the directive that answers this location.",
                (look,),
                "Nothing in the case names the directive; its configuration would.",
            ),
        )
    name = (file_of(text_of(line)) if line else None) or "<FILE>"
    return (Remedy(found.fix, tuple(command.replace("{file}", shlex.quote(name)) for command in found.commands)),)


def _onset(view: View, table: str, first: Mapping[str, Any]) -> datetime | None:
    rows = view.rows(f'SELECT min(time) AS onset FROM "{table}" WHERE status = ? AND path = ?', first["status"], first["path"])
    onset = rows[0]["onset"] if rows else None
    return onset.replace(tzinfo=UTC) if onset else None


RULE = Rule(
    name="web_server_refused",
    codes=tuple(sorted({one.code for one in of_family(Family.REFUSED)})),
    needs=(),
    helps=("nginx_access", "json_lines", "nginx_error", "apache_access", "apache_error", "app_log", "waf", "alb_access"),
    rivals=("application_answered", "waf_rule_blocked"),
    examine=examine,
)
