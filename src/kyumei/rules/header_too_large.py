"""The application server refused the request because its headers were too large: 431 (EDGE-027).

No load balancer and neither web server makes a 431 itself, so who relays one has it from the server behind. What is too large are the
cookies, nearly always. Proven where the server wrote in that second that it could not take the headers.

Follows gunicorn's "Settings" (limit_request_fields, limit_request_field_size) and Node's "HTTP" (maxHeaderSize).
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.probe import again
from kyumei.edge.victims import asked
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping

TOO_LARGE = 431
ANSWERERS = {"app": "the application server", "server": "the application server", "target": "the target behind the load balancer"}
NEAR = timedelta(seconds=2)
SAID = (
    r"(?i)limit request (?:headers? )?(?:fields?|line)|(?:request )?header (?:fields? )?(?:is )?too (?:large|big|long)|"
    r"HPE_HEADER_OVERFLOW|header overflow"
)
"""gunicorn, Node and the Java servers, each for headers that it does not take."""


def examine(view: View) -> Opinion:
    """One finding for each group of requests that were refused for their headers."""
    findings: list[Finding] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.hop not in ANSWERERS or not failure.rows or _status(failure) != TOO_LARGE:
            continue
        lines = _said(view, failure)
        findings.append(_finding(view, failure, lines))
        if not lines:
            how = "copy the application server's error log of that second, at level INFO, into the folder"
            gaps.append(Gap("the application server's error log", "which limit the headers broke", how))
    return Opinion(tuple(findings), (), tuple(gaps))


def _status(failure: Failure) -> int | None:
    """The status that the answerer gave: of its own record, or the target status of the load balancer's."""
    row = failure.rows[0]
    told = row.get("target_status") if failure.hop == "target" else row.get("status")
    relayed = [rows[0].get("status") for rows in failure.sightings.values() if rows]
    found = told if told is not None else next((one for one in relayed if one is not None), None)
    return int(found) if found is not None else None


def _said(view: View, failure: Failure) -> list[dict[str, Any]]:
    """Lines of the application's logs in these seconds that say that headers were too large."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for row in failure.rows[:20]:
        ended = asked(failure.table, row).ended
        for table in ("app_log", "json_lines", "syslog"):
            for line in view.rows(
                f'SELECT _artifact, _line, time, message FROM "{table}" WHERE time BETWEEN ? AND ? '
                f"AND regexp_matches(message, {quoted(SAID)}) ORDER BY time LIMIT 5",
                ended - NEAR,
                ended + NEAR,
            ):
                found.setdefault((line["_artifact"], line["_line"]), line)
    return list(found.values())


def _finding(view: View, failure: Failure, lines: list[dict[str, Any]]) -> Finding:
    row = failure.rows[0]
    size = f" of {row['received_bytes']} bytes" if row.get("received_bytes") else ""
    request = f"{row.get('method') or '?'} {row.get('path') or '?'}"
    chain = [
        Evidence(
            f"{ANSWERERS[failure.hop]} answered {TOO_LARGE} to {request}{size}: {failure.why}",
            view.cite(failure.rows),
            f'SELECT * FROM "{failure.table}" WHERE path = {quoted(str(row.get("path") or ""))} ORDER BY time',
            failure.total,
        )
    ]
    if lines:
        chain.append(
            Evidence(f"It wrote in that second: {str(lines[0]['message']).splitlines()[0][:200]}", view.cite(lines), total=len(lines))
        )
    return Finding(
        code="EDGE-027",
        rule=RULE.name,
        title=f"{ANSWERERS[failure.hop]} answered {TOO_LARGE} to {request}: its headers, mostly cookies, are larger than it takes",
        certainty=Certainty.PROVEN if lines and failure.sure else Certainty.LIKELY,
        chain=tuple(chain),
        subject=_subject(row, failure),
        remedy=(
            Remedy(
                "Send less: fewer and smaller cookies, and no token twice. Only then raise the server's limit, and no further than what "
                "stands in front of it takes (16 KB a line at an Application Load Balancer, 8 KB at nginx).",
                (
                    "gunicorn --limit-request-field_size 16380 --limit-request-fields 200 <APP>",
                    "node --max-http-header-size=32768 <APP>",
                ),
            ),
        ),
        check=(Check("The same browser, with the same cookies, gets its page.", again(row)),),
        onset=min(one["time"] for one in failure.rows).replace(tzinfo=UTC),
        explains=failure.total,
        message="Your browser sends us more cookies than our server takes. Deleting our site's cookies helps at once; we are mending it.",
        layer="server",
        failures=(failure.key,),
    )


def _subject(row: Mapping[str, Any], failure: Failure) -> dict[str, str]:
    return {"status": str(TOO_LARGE), "method": str(row.get("method")), "path": str(row.get("path")), "hop": failure.hop}


RULE = Rule(
    name="header_too_large",
    codes=("EDGE-027",),
    needs=(),
    helps=("app_log", "json_lines", "syslog", "alb_access", "nginx_access"),
    rivals=("application_answered", "web_server_refused"),
    examine=examine,
)
