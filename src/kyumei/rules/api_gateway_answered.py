"""API Gateway answered by itself: it refused the request, or got no usable answer of the integration (EDGE-101 to EDGE-113).

What an operator must know: the status alone tells little (a 403 is mostly a wrong path, not a permission); the access log's
``$context.error.responseType`` and the execution log say which of its answers it was. Where ``$context.integration.status`` equals the
client's status, the integration answered and API Gateway only handed it on. It is likely by the access log, or by the execution log, alone,
and proven when the two agree on one request, or the configuration, WAF's log or the function's own log confirms it.

Follows "Gateway response types for API Gateway" and "Variables for access logging for API Gateway" in the API Gateway Developer Guide.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.blanks import filled
from kyumei.edge.gateway.evidence import Weighed, failed_lines, function_lines, kind_of_run, weigh
from kyumei.edge.gateway.missing import unknown, unproven
from kyumei.edge.gateway.responses import BY_KIND, RESPONSES, Response
from kyumei.edge.gateway.setting import calls_no_function, function_of, public_path
from kyumei.edge.gateway.steps import Steps, function_name, steps_of
from kyumei.edge.gateway.texts import UNTOLD, kind_of_text, kind_of_type
from kyumei.edge.literals import among, same
from kyumei.edge.probe import again
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.status import FAILED, SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

Row = dict[str, Any]
ACCESS, EXECUTION = "api_gateway_access", "api_gateway_execution"
HOPS = frozenset({"apigateway", "waf", "unknown"})
TELLING = frozenset({"FUNCTION_ERROR", "FUNCTION_THROTTLED", "MALFORMED", "INVALID_PERMISSIONS", "NOT_PERMITTED"})
"""Kinds that no response type names: what says them is more exact than the type."""
LIMITS = frozenset({"THROTTLED", "QUOTA_EXCEEDED"})
"""API Gateway's own limits: an error of the integration that sounds so is of the backend's limits."""
BAD_GATEWAY, REFUSED, THROTTLED = 502, 403, 429
_REGION = re.compile(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.com", re.ASCII)
_IN_ARN = re.compile(r"^arn:[a-z-]+:[a-z0-9]+:([a-z0-9-]*):([0-9]{12}):", re.ASCII)


class Part(NamedTuple):
    """Requests of one failure that got the same kind of answer. ``by_shape``: no log names the kind, it follows from two statuses."""

    failure: Failure
    kind: str
    rows: tuple[Row, ...]
    steps: Mapping[str, Steps]
    total: int
    by_shape: bool = False

    @property
    def row(self) -> Row:
        """The first row."""
        return self.rows[0]

    @property
    def own_steps(self) -> Steps | None:
        """The steps of the first request that the execution log has."""
        return next((self.steps[key] for row in self.rows if (key := str(row.get("request_id"))) in self.steps), None)


def examine(view: View) -> Opinion:
    """One finding for each kind of answer among the requests of each failure."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.hop not in HOPS or not failure.rows or failure.table not in {ACCESS, EXECUTION}:
            continue
        parts, relayed, untold = _parts(view, failure)
        for part in parts:
            finding, weighed = _judged(view, part)
            ruled_out += _rivals(view, part, weighed)
            if finding:
                findings.append(finding)
            ruled = any("WAF's own record" in one.says for one in weighed.confirms)
            if finding is None or finding.certainty is not Certainty.PROVEN or (part.kind == "WAF_FILTERED" and not ruled):
                gaps.append(unproven(view, part.row, part.kind))
        if relayed:
            why = "the integration's own status is the one that the client got: it answered, and API Gateway handed it on"
            ruled_out.append(RuledOut("EDGE-112", why, view.cite(relayed, 1)))
        if untold:
            gaps.append(unknown(untold[0]))
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _parts(view: View, failure: Failure) -> tuple[list[Part], list[Row], list[Row]]:
    """The requests of a failure by the kind of their answer; those that the integration answered; those of which no log tells the kind."""
    steps = steps_of(view, failure.rows)
    groups: dict[tuple[str, bool], list[Row]] = {}
    relayed: list[Row] = []
    untold: list[Row] = []
    for found in failure.rows:
        own = steps.get(str(found.get("request_id")))
        row = _whole(found, own, failure.table)
        if row.get("target_status") is not None and row["target_status"] == row.get("status"):
            relayed.append(row)
            continue
        kind, by_shape = _kind(row, own, sure=failure.hop != "unknown")
        if (by_shape or kind == "FUNCTION_THROTTLED") and calls_no_function(view, row):
            kind = None  # These statuses and texts are another backend's, too.
        if kind == "MALFORMED" and failed_lines(function_lines(view, row)):
            kind = "FUNCTION_ERROR"
        if kind is None and failure.hop != "waf":
            kind = kind_of_run(view, row)
        if kind is None:
            untold.append(row)
        else:
            groups.setdefault((kind, by_shape), []).append(row)
    alone = len(groups) == 1 and not relayed and not untold
    parts = [
        Part(failure, kind, tuple(rows), steps, failure.total if alone else len(rows), by_shape)
        for (kind, by_shape), rows in groups.items()
    ]
    return parts, relayed, untold


def _whole(found: Mapping[str, Any], steps: Steps | None, table: str) -> Row:
    """A row with what the execution log adds to it, and the table it stands in."""
    row: Row = {**found, "table": table}
    if steps is not None:
        for name in ("method", "path", "resource_path", "api_id", "stage", "host", "integration_request_id", "function_arn"):
            if row.get(name) is None:
                row[name] = steps.first(name)
        if table == EXECUTION:
            more = ("response_type", "integration_status", "target_seconds", "client_ip", "user_agent")
            row |= {name: steps.first(name) for name in more}
    return row


def _kind(row: Row, steps: Steps | None, *, sure: bool) -> tuple[str | None, bool]:
    """The kind of an answer, and whether it only follows from two statuses.

    Where it is not even sure that API Gateway answered (``sure`` is false), only the execution log can say so.
    """
    said = steps.kind if steps else None
    if said in TELLING or not sure:
        return said, False
    blocked = "WAF_FILTERED" if row.get("waf_response") == "WAF_BLOCK" else None
    of_backend = kind_of_text(row.get("integration_error"))
    told = (
        (of_backend if of_backend not in LIMITS else None)
        or kind_of_type(row.get("response_type"))
        or blocked
        or kind_of_text(row.get("error_text"))
    )
    kind = told or kind_of_text(row.get("authorizer_error")) or said
    if kind:
        return kind, False
    status, service, function = row.get("status") or 0, row.get("integration_status"), row.get("target_status")
    if row["table"] == ACCESS and service is not None and row.get("response_type") in {None, *UNTOLD}:
        if status == BAD_GATEWAY and service < FAILED and (function or 0) < FAILED:
            return "MALFORMED", True
        if status >= SERVER_ERROR and service == REFUSED and function is None:
            return "NOT_PERMITTED", True
        if status >= SERVER_ERROR and service == THROTTLED and function is None:
            return "FUNCTION_THROTTLED", True
    return None, False


def _judged(view: View, part: Part) -> tuple[Finding | None, Weighed]:
    row, steps = part.row, part.own_steps
    function = str(row.get("function_arn") or "") or function_of(view, row)
    weighed = weigh(view, part.kind, row, steps, function)
    if part.kind == "WAF_FILTERED" and any("let it pass" in one.says for one in weighed.contradicts):
        return None, weighed
    named_by_both = row["table"] == ACCESS and steps is not None and steps.kind == part.kind
    sure = Certainty.PROVEN if weighed.confirms or named_by_both else Certainty.LIKELY
    if part.by_shape and not weighed.confirms:
        sure = Certainty.LIKELY if function or row.get("integration_request_id") or row.get("error_text") else Certainty.POSSIBLE
    if weighed.contradicts:
        sure = Certainty.LIKELY if sure is Certainty.PROVEN else Certainty.POSSIBLE
    return _finding(view, part, BY_KIND[part.kind], weighed, sure, function), weighed


def _record(view: View, part: Part) -> Evidence:
    """API Gateway's own record of the answer."""
    row, steps = part.row, part.own_steps
    more = f"; {part.total - 1} more like it" if part.total > 1 else ""
    at = f" at {row['time']:%Y-%m-%d %H:%M:%S} UTC" if row.get("time") else ""
    if row["table"] == EXECUTION:
        said = steps.said if steps else ()
        words = f": {str(said[0]['message']).splitlines()[0][:200]}" if said else ""
        says = f"API Gateway's execution log has {_request(row)}{at} with status {row.get('status')}{words}{more}"
        lines = [*said, *(steps.ending if steps else ()), *part.rows]
        where = among("request_id", [one["request_id"] for one in part.rows])
        return Evidence(says, view.cite(lines), f"SELECT * FROM api_gateway_execution WHERE {where} ORDER BY time", part.total)
    told = {
        "responseType": row.get("response_type"),
        "message": row.get("error_text"),
        "validation": row.get("validation_error"),
        "integration error": row.get("integration_error"),
        "authorizer error": row.get("authorizer_error"),
        "status of the integration": row.get("target_status") or row.get("integration_status"),
    }
    words = ", ".join(f"{name} {value}" for name, value in told.items() if value not in {None, "-"}) or "nothing of why"
    says = f"API Gateway's own row for {_request(row)}{at}: status {row.get('status')}, {words}{more}"
    ids = [one.get("request_id") for one in part.rows]
    where = among("request_id", ids) if len(ids) == part.total and all(ids) else _alike(row)
    return Evidence(says, view.cite(part.rows), f"SELECT * FROM api_gateway_access WHERE {where} ORDER BY time", part.total)


def _alike(row: Row) -> str:
    return " AND ".join(same(name, row.get(name)) for name in ("api_id", "stage", "status", "response_type", "route_key", "resource_path"))


def _request(row: Row) -> str:
    path = str(row.get("path") or row.get("resource_path") or "")
    if not path and row.get("route_key"):  # A message of a WebSocket has neither method nor path.
        return f"a message of route {str(row['route_key'])[:120]}"
    return f"{row.get('method') or '?'} {path[:120] or '?'}"


def _finding(view: View, part: Part, kind: Response, weighed: Weighed, sure: Certainty, function: str) -> Finding:  # noqa: PLR0913 - what it is made of
    row = part.row
    names = _names(row, function)
    cause, detail = filled(kind.cause, names), _detail(part) or (weighed.failed if part.kind == "FUNCTION_ERROR" else "")
    who = "AWS WAF answered" if kind.layer == "waf" else "API Gateway answered"
    # The log of the function may have its run under another id than the application's log tells requests by.
    silent = [] if weighed.ran else _silence(part.failure)
    chain = (_record(view, part), *weighed.confirms, *weighed.beside, *weighed.contradicts, *silent)
    return Finding(
        code=kind.code,
        rule=RULE.name,
        title=f"{who} {row.get('status')} to {_request(row)} itself: {cause}{f' ({detail})' if detail else ''}",
        certainty=sure,
        chain=chain,
        subject=_subject(row, kind, function),
        remedy=tuple(Remedy(filled(fix.says, names), tuple(filled(one, names, quote=True) for one in fix.commands)) for fix in kind.fixes),
        check=(_check(view, part, kind),),
        onset=_onset(view, row),
        explains=part.total,
        layer="lambda" if kind.layer == "target" and function else kind.layer,
        failures=(part.failure.key,) if part.failure.key else (),
        message=_message(row, kind),
    )


def _detail(part: Part) -> str:
    """What API Gateway itself says of the cause, where that says more than the kind."""
    row, steps = part.row, part.own_steps
    if part.kind in {"BAD_REQUEST_PARAMETERS", "BAD_REQUEST_BODY"}:
        texts = [row.get("validation_error"), row.get("error_text")]
    elif part.kind.startswith("AUTHORIZER"):
        texts = [row.get("authorizer_error")]
    elif part.kind in {"API_CONFIGURATION_ERROR", "FUNCTION_ERROR", "FUNCTION_THROTTLED"}:
        texts = [row.get("integration_error"), *(one["error_text"] for one in (steps.said if steps else ()))]
    else:
        texts = []
    return next((str(text).splitlines()[0][:160] for text in texts if text and text != "-"), "")


def _names(row: Row, function: str) -> dict[str, str]:
    arn = _IN_ARN.match(function) or _IN_ARN.match(str(row.get("webacl_arn") or ""))
    host = _REGION.search(str(row.get("host") or ""))
    region = host[1] if host else arn[1] if arn and arn[1] else "<REGION>"
    account = str(row.get("account") or (arn[2] if arn else "<ACCOUNT>"))
    api, stage = str(row.get("api_id") or "<API_ID>"), str(row.get("stage") or "<STAGE>")
    execute = f"arn:aws:execute-api:{region}:{account}:{api}"
    return {
        "api": api,
        "stage": stage,
        "method": str(row.get("method") or "<METHOD>"),
        "function": function_name(function) or "<FUNCTION>",
        "the_function": f"function {function_name(function)}" if function_name(function) else "the function behind it",
        "source_arn": f"{execute}/*/{row.get('method') or '*'}/*",
        "authorizer_arn": f"{execute}/authorizers/<AUTHORIZER_ID>",
        "stage_arn": f"arn:aws:apigateway:{region}::/restapis/{api}/stages/{stage}",
    }


def _subject(row: Row, kind: Response, function: str) -> dict[str, str]:
    told = {
        "api": row.get("api_id"),
        "stage": row.get("stage"),
        "status": row.get("status"),
        "method": row.get("method"),
        "path": row.get("path"),
        "route": row.get("route_key") or row.get("resource_path"),
        "response_type": row.get("response_type"),
        "answer": kind.kind,
        "function": function_name(function),
        "web_acl": row.get("webacl_arn"),
        "request_id": row.get("request_id"),
    }
    return {name: str(value) for name, value in told.items() if value not in {None, "", "-"}}


def _check(view: View, part: Part, kind: Response) -> Check:
    row, outer = part.row, next(iter(part.failure.sightings.get("cloudfront", ())), None)
    says = "The same call logs a dash as responseType, and the integration's own status, below 400."
    if kind.code == "EDGE-113":
        says = "The same call logs integrationStatus 200 and the function's own status."
    return Check(says, again(outer or {**row, "path": public_path(view, row)}))


def _message(row: Row, kind: Response) -> str:
    path = row.get("path") or "our API"
    if kind.layer == "client":
        return f"The request for {path} was refused at our gateway before it reached the application: {kind.cause}."
    if kind.layer in {"lambda", "target"}:
        return f"Your request for {path} reached our gateway, but what is behind it gave no usable answer. We are mending that."
    return f"Your request for {path} was answered {row.get('status')} at our gateway itself. We know why, and are mending it."


def _silence(failure: Failure) -> list[Evidence]:
    named = {"server": "the application server", "app": "the application", "nginx": "nginx", "alb": "the load balancer"}
    return [
        Evidence(f"{named[hop][0].upper()}{named[hop][1:]} has no record of the request, though its log covers the moment")
        for hop in failure.silent
        if hop in named
    ]


def _onset(view: View, row: Row) -> datetime | None:
    """When such answers began, in UTC, as far as the access log goes back."""
    if row["table"] != ACCESS:
        return row["time"].replace(tzinfo=UTC) if row.get("time") else None
    rows = view.rows(
        "SELECT min(time) AS onset FROM api_gateway_access WHERE api_id IS NOT DISTINCT FROM ? AND path IS NOT DISTINCT FROM ? "
        "AND status = ? AND response_type IS NOT DISTINCT FROM ?",
        *(row.get(name) for name in ("api_id", "path", "status", "response_type")),
    )
    onset = rows[0]["onset"] if rows else None
    return onset.replace(tzinfo=UTC) if onset else None


def _rivals(view: View, part: Part, weighed: Weighed) -> list[RuledOut]:
    """What the records exclude: that the integration answered; and WAF, where its own record lets the request pass."""
    found = [RuledOut("EDGE-101", one.says, one.citations) for one in weighed.contradicts if part.kind == "WAF_FILTERED"]
    row = part.row
    if row["table"] == ACCESS and row.get("dispatched") is False:
        found.append(RuledOut("EDGE-001", "API Gateway's row has a dash for the status of the integration", view.cite(part.rows, 1)))
    return found


def _codes(responses: Sequence[Response]) -> tuple[str, ...]:
    return tuple(sorted({one.code for one in responses}))


RULE = Rule(
    name="api_gateway_answered",
    codes=_codes(RESPONSES),
    needs=(),
    helps=(
        ACCESS,
        EXECUTION,
        "waf",
        "lambda_log",
        "xray_segment",
        "metric",
        "alarm",
        "app_log",
        "json_lines",
        "cloudtrail",
        "resource_snapshot",
    ),
    rivals=("application_answered", "waf_rule_blocked"),
    examine=examine,
)
