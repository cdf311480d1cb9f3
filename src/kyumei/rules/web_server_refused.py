"""nginx itself refused the request: a deny directive, a missing index, a permission, a limit (EDGE-095, EDGE-134 to EDGE-143).

Proven when nginx's access log has the request and its error log names the reason within two seconds for the same client and path. Without
such a line (a bare ``return 403`` writes none) nginx is only likely, and only where its own record or the application's silence says so.
"""

from __future__ import annotations

import shlex
from datetime import UTC
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.probe import probe
from kyumei.edge.server_errors import SIGNATURES, Signature, file_of, signature_of
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NAMES = {"server": "the application server", "app": "the application"}
UNNAMED = "EDGE-137"
"""The id for a refusal by a directive; also used where nginx refused and wrote no reason."""
SERVER_ERROR = 500
SILENT_CAUSE = "it wrote no reason, as for a `return`, a limit on methods, or an authentication request"


def examine(view: View) -> Opinion:
    """One finding for each group of requests that nginx itself refused."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.hop != "nginx" or not failure.rows:
            continue
        if _unexplained(failure):
            gaps.append(_gap(failure))
            continue
        findings.append(_finding(view, failure))
        ruled_out += [
            RuledOut("EDGE-001", f"{NAMES[hop]} did not see the request, though its log covers the moment")
            for hop in failure.silent
            if hop in NAMES
        ]
        if passed := failure.sightings.get("waf"):
            ruled_out.append(RuledOut("EDGE-022", "AWS WAF let the request pass", view.cite(passed, 1)))
        if not failure.inner_errors and not view.has("nginx_error"):
            gaps.append(
                Gap("nginx error log", "which directive of nginx refused the request", "copy /var/log/nginx/error.log* into the folder")
            )
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _unexplained(failure: Failure) -> bool:
    """Whether nginx answered for a reason that is no refusal: a failure of the server behind it."""
    return _signature(failure)[0] is None and failure.rows[0]["status"] >= SERVER_ERROR


def _gap(failure: Failure) -> Gap:
    said = f": {failure.inner_errors[0]['message']}" if failure.inner_errors else ""
    return Gap(
        "state of the server behind nginx",
        f"why nginx answered {failure.rows[0]['status']}{said}",
        "copy the logs of the application server and of its service (journalctl -u <UNIT>) around the moment into the folder",
    )


def _finding(view: View, failure: Failure) -> Finding:
    first = failure.rows[0]
    found, line = _signature(failure)
    cause = found.cause if found else f"its error log says: {line['message']}" if line else SILENT_CAUSE
    subject = {"status": str(first["status"]), "method": str(first["method"]), "path": str(first["path"])}
    if line and (name := file_of(line["message"])):
        subject["file"] = name
    known = "and know why" if found else "and are checking its configuration"
    return Finding(
        code=found.code if found else UNNAMED,
        rule=RULE.name,
        title=f"nginx itself answered {first['status']} to {first['method'] or '?'} {first['path'] or '?'}: {cause}",
        certainty=Certainty.PROVEN if found else Certainty.LIKELY,
        chain=tuple(_chain(view, failure, line)),
        subject=subject,
        remedy=_remedy(found, line),
        check=(
            Check("The configuration is sound and loaded.", "nginx -t && systemctl reload nginx"),
            Check(
                "The same request gets its page, and the error log has no new line of that shape.",
                probe(first["path"]),
            ),
        ),
        onset=_onset(view, failure.table, first),
        explains=failure.total,
        message=f"Our web server refused {first['path']} itself; the application behind it was not asked. We found this in its "
        f"log {known}.",
    )


def _signature(failure: Failure) -> tuple[Signature | None, Mapping[str, Any] | None]:
    """The first error line of these requests that explains their status, with what it means; else the first line, without."""
    status = failure.rows[0]["status"]
    for line in failure.inner_errors:
        if found := signature_of(line["message"] or "", status):
            return found, line
    return None, next(iter(failure.inner_errors), None)


def _chain(view: View, failure: Failure, line: Mapping[str, Any] | None) -> list[Evidence]:
    first = failure.rows[0]
    where = f"status = {first['status']} AND path = {quoted(first['path'] or '')}"
    chain = [
        Evidence(
            f"nginx's access log has the failing request{'s' if failure.total > 1 else ''}: {first['method']} {first['path']} "
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
                f"nginx's error log gives the reason for the same client and path at {line['time']:%H:%M:%S} UTC: {line['message']}",
                view.cite(failure.inner_errors),
                f"SELECT * FROM nginx_error WHERE path = {quoted(first['path'] or '')} ORDER BY time",
                len(failure.inner_errors),
            )
        )
    else:
        chain.append(Evidence(f"nginx answered, because {failure.why}"))
    if passed := failure.sightings.get("waf"):
        chain.append(Evidence(f"AWS WAF let it pass (joined by {failure.joined_by})", view.cite(passed), total=len(passed)))
    chain += [
        Evidence(f"{NAMES[hop]} never saw it: its log covers the moment and does not have the request")
        for hop in failure.silent
        if hop in NAMES
    ]
    return chain


def _remedy(found: Signature | None, line: Mapping[str, Any] | None) -> tuple[Remedy, ...]:
    if found is None:
        return (
            Remedy(
                "Find the directive that answers this location.",
                ("nginx -T | grep -nE '(return|deny|limit_except|auth_request|auth_basic|internal)'",),
                "Nothing in the case names the directive; its configuration would.",
            ),
        )
    name = (file_of(line["message"]) if line else None) or "<FILE>"
    return (Remedy(found.fix, tuple(command.replace("{file}", shlex.quote(name)) for command in found.commands)),)


def _onset(view: View, table: str, first: Mapping[str, Any]) -> datetime | None:
    rows = view.rows(f'SELECT min(time) AS onset FROM "{table}" WHERE status = ? AND path = ?', first["status"], first["path"])
    onset = rows[0]["onset"] if rows else None
    return onset.replace(tzinfo=UTC) if onset else None


RULE = Rule(
    name="web_server_refused",
    codes=tuple(one.code for one in SIGNATURES),
    needs=(),
    helps=("nginx_access", "json_lines", "nginx_error", "app_log", "waf", "alb_access"),
    rivals=("application_answered", "waf_rule_blocked"),
    examine=examine,
)
