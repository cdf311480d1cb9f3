"""What speaks for or against a kind of answer of API Gateway's beside its own access log: other logs, and the configuration.

Follows "Set up CloudWatch logging for REST APIs", "Control access to REST APIs with API keys", "Throttle requests" and "AWS WAF to protect
your REST APIs" in the API Gateway Developer Guide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import answers
from kyumei.edge.function import log as function_log
from kyumei.edge.function import segments
from kyumei.edge.function.changes import changed_integration
from kyumei.edge.function.log import BEGAN, NEARLY, RUNS_ON, SAID
from kyumei.edge.gateway.responses import BY_KIND
from kyumei.edge.gateway.setting import (
    authorizer_functions,
    integrations,
    limit_evidence,
    method_setting,
    missing_resource,
    policy_evidence,
    stage_setting,
)
from kyumei.edge.gateway.steps import function_name
from kyumei.edge.gateway.texts import agrees
from kyumei.edge.gateway.throttled import throttled
from kyumei.model.finding import Evidence
from kyumei.model.level import GRAVE
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from kyumei.contracts import View
    from kyumei.edge.gateway.steps import Steps

    Told = Iterator[tuple[bool | None, Evidence]]
    """Sentences for a kind (true), against it (false), or of what merely is (null)."""

Row = dict[str, Any]
LONGEST_WAIT = 30.0
"""Seconds that API Gateway waits for an authorizer at the most."""
CLOSE_SECONDS = 1.0
GAVE_UP = 504
UNINVOKED = frozenset({"FUNCTION_THROTTLED", "INVALID_PERMISSIONS", "NOT_PERMITTED", "API_CONFIGURATION_ERROR", "INTEGRATION_FAILURE"})
"""Kinds for which the function cannot have run: a line of that run speaks against them, unless the answer of it could not be mapped."""


PERMISSION = frozenset({"INVALID_PERMISSIONS", "NOT_PERMITTED"})


class Weighed(NamedTuple):
    """What speaks for a kind, what against it, and what only belongs to it."""

    confirms: tuple[Evidence, ...] = ()
    contradicts: tuple[Evidence, ...] = ()
    beside: tuple[Evidence, ...] = ()
    ran: bool = False
    """Whether the function's own log has the request."""
    failed: str = ""
    """What the function's own log says of why the run ended badly."""


def weigh(view: View, kind: str, row: Row, steps: Steps | None, function: str) -> Weighed:
    """All that the case holds for and against a kind, as far as it is not in the row itself."""
    confirms: list[Evidence] = []
    contradicts: list[Evidence] = []
    beside: list[Evidence] = []
    if steps is not None and row.get("table") == "api_gateway_access":
        told = execution_evidence(view, kind, row, steps)
        (confirms if told[0] else contradicts if told[0] is False else beside).extend(one for one in told[1:] if one)
    changed, settles = changed_integration(view, kind, row, function)
    if changed:
        (confirms if settles else beside).append(changed)
    for holds, evidence in _SETTINGS.get(kind, _nothing)(view, row):
        (confirms if holds else contradicts if holds is False else beside).append(evidence)
    for holds, evidence in _policy(view, row, function) if kind in PERMISSION else ():
        # A permission that was taken away may have been given back before the policy was looked at.
        (confirms if holds else beside if settles else contradicts).append(evidence)
    runs = function_lines(view, row)
    if runs:
        holds, evidence = _run(view, kind, row, runs)
        (confirms if holds else contradicts if holds is False else beside).append(evidence)
    elif traced := _traced(view, kind, row, function):
        (confirms if traced[0] else beside).append(traced[1])
    elif kind == "INTEGRATION_TIMEOUT" and (outlasted := _long_run(view, row, function)):
        (confirms if outlasted[0] else beside).append(outlasted[1])
    bad = [line for line in runs if function_log.ended_badly(line)]
    # The report of a failed run says that it failed, and a line above it why.
    said = [*(line for line in bad if not function_log.is_report(line)), *failed_lines(runs)] if bad else []
    failed = next((str(line["message"]).splitlines()[0][:SAID] for line in said), "")
    return Weighed(tuple(confirms), tuple(contradicts), tuple(beside), bool(runs), failed)


def execution_evidence(view: View, kind: str, row: Row, steps: Steps) -> tuple[bool | None, Evidence | None]:
    """Whether the execution log agrees with the access log on a request (null: it says nothing of it), and its lines."""
    agreeing = [
        one
        for one in steps.rows
        if one["response_type"] == kind or agrees(one["error_text"], kind) or (one in steps.said and agrees(one["message"], kind))
    ]
    if agreeing:
        words = str(agreeing[0]["message"]).splitlines()[0][:SAID]
        return True, Evidence(f"The execution log says of the same request: {words}", view.cite(agreeing), total=len(agreeing))
    if steps.relayed:
        says = "The execution log says of the same id that the integration's own answer went to the client"
        return False, Evidence(says, view.cite(steps.ending), total=len(steps.ending))
    if BY_KIND[kind].early and not steps.called and steps.status == row.get("status"):
        says = f"The execution log has the same request: it ended with {steps.status}, and the integration was never called"
        return True, Evidence(says, view.cite(steps.ending), total=len(steps.ending))
    return None, None


def _firewall(view: View, row: Row) -> Told:
    """WAF's own record of the request, and the web ACL of the stage."""
    ids = sorted({str(one) for one in (row.get("extended_request_id"), row.get("request_id")) if one})
    if ids and view.has("waf"):
        found = view.rows(
            "SELECT _artifact, _line, action, rule_id, rule_in_group, webacl FROM waf WHERE list_contains(?::VARCHAR[], request_id) "
            "ORDER BY time LIMIT 5",
            ids,
        )
        for one in found[:1]:
            stopped = one["action"] in {"BLOCK", "CAPTCHA", "CHALLENGE"}
            by = f"by rule {one['rule_in_group'] or one['rule_id']}" if stopped else "and let it pass"
            yield stopped, Evidence(f"WAF's own record of the request says {one['action']} {by}", view.cite(found), total=len(found))
    stage = stage_setting(view, row)
    if stage:
        arn = str(stage[0].get("webAclArn") or "")
        says = (
            f"Stage {row.get('stage')} has the web ACL {arn.rpartition('/webacl/')[2].partition('/')[0]}"
            if arn
            else "The stage has no web ACL"
        )
        yield bool(arn), Evidence(says, (stage[1],), total=1)


def _no_such(view: View, row: Row) -> Told:
    if told := missing_resource(view, row):
        yield True, told
        return
    method = method_setting(view, row)
    if method and method[0].get("authorizationType") == "AWS_IAM":
        yield True, Evidence("The method is there and wants a request signed with IAM credentials", (method[1],), total=1)
    if not view.has("api_gateway_access"):
        return
    others = view.rows(
        "SELECT any_value(_artifact) AS _artifact, arg_min(_line, _artifact) AS _line, method, count(*) AS n FROM api_gateway_access "
        "WHERE path = ? AND method <> ? AND status < 400 AND api_id IS NOT DISTINCT FROM ? GROUP BY method ORDER BY n DESC LIMIT 1",
        row.get("path"),
        row.get("method"),
        row.get("api_id"),
    )
    if others:
        says = f"{others[0]['method']} of the same path is answered well ({others[0]['n']} times in the log): the method is what differs"
        yield None, Evidence(says, (), total=others[0]["n"])


def _denying(view: View, row: Row) -> Told:
    """A resource policy of the API that denies anybody anything."""
    for document, where in answers(view, "apigateway", "get-rest-api"):
        if "Deny" in str(document.get("policy") or "") and document.get("id") in {None, row.get("api_id")}:
            yield None, Evidence("The API has a resource policy with a Deny in it", (where,), total=1)


def _key(view: View, row: Row) -> Told:
    """Whether the method wants an API key."""
    if method := method_setting(view, row):
        wants = method[0].get("apiKeyRequired") is True
        yield wants, Evidence(f"The method is configured to {'want' if wants else 'do without'} an API key", (method[1],), total=1)


def _identity(view: View, row: Row) -> Told:
    """Where the authorizers of the API look for the identity."""
    del row
    for document, where in answers(view, "apigateway", "get-authorizers")[:3]:
        if document.get("identitySource"):
            says = f"Authorizer {document.get('name') or document.get('id')} reads the identity from {document['identitySource']}"
            yield None, Evidence(says, (where,), total=1)


def _authorizer(view: View, row: Row) -> Told:
    """Runs that failed while the authorizer was asked: they confirm it where the configuration names its function."""
    seconds = row.get("authorizer_seconds") or waited(row) or 0.0
    if row.get("time") is None:
        return
    until = row["time"] + timedelta(seconds=min(float(seconds), LONGEST_WAIT)) + BEGAN
    lines = [one for one in function_log.between(view, row["time"] - BEGAN, until) if function_log.ended_badly(one)]
    known, names = function_log.functions(view), authorizer_functions(view, row)
    for name in sorted(names) or [""]:
        own, settled = function_log.of_function(lines, name, known)
        if own and (name or settled):
            words = str(own[0]["message"]).splitlines()[0][:SAID]
            whose = f"The log of the authorizer's function {name}" if name else "The log of a function"
            yield (settled and bool(name)) or None, Evidence(f"{whose} says in those seconds: {words}", view.cite(own), total=len(own))


def _rate(view: View, row: Row) -> Told:
    if told := limit_evidence(view, row):
        yield True, told


def _policy(view: View, row: Row, function: str) -> Told:
    lacks, grants = policy_evidence(view, row, function)
    if lacks:
        yield True, lacks
    if grants:
        yield False, grants


def _nothing(view: View, row: Row) -> Told:
    del view, row
    yield from ()


def waited(row: Row) -> float | None:
    """How long API Gateway waited for the integration, in seconds; the whole of the request where only that is told."""
    seconds = row.get("target_seconds") or row.get("request_seconds")
    return float(seconds) if seconds else None


def _limit(view: View, row: Row) -> Told:
    seconds = waited(row)
    limits = [(limit, where) for _, limit, where in integrations(view, row) if limit is not None]
    if seconds is None or not limits:
        return
    met = [(limit, where) for limit, where in limits if abs(seconds - limit) <= CLOSE_SECONDS]
    if met:
        yield True, Evidence(f"It waited {seconds:.1f} s, and the integration's time limit is {met[0][0]:g} s", (met[0][1],), total=1)


_SETTINGS: dict[str, Callable[[View, Row], Told]] = {
    "WAF_FILTERED": _firewall,
    "MISSING_AUTHENTICATION_TOKEN": _no_such,
    "RESOURCE_NOT_FOUND": _no_such,
    "ACCESS_DENIED": _denying,
    "INVALID_API_KEY": _key,
    "UNAUTHORIZED": _identity,
    "AUTHORIZER_FAILURE": _authorizer,
    "THROTTLED": _rate,
    "FUNCTION_THROTTLED": throttled,
    "INTEGRATION_TIMEOUT": _limit,
}
"""What of the configuration speaks of a kind."""


def function_lines(view: View, row: Row) -> list[Row]:
    """Lines of the function's own log that name the request: by the id that Lambda gave, by API Gateway's, or by the X-Ray trace."""
    ids = sorted({str(one) for one in (row.get("integration_request_id"), row.get("request_id")) if one and len(str(one)) > 7})  # noqa: PLR2004 - a short id is none
    if row.get("time") is None:
        return []
    span = (row["time"] - timedelta(seconds=60), row["time"] + RUNS_ON)
    found = function_log.of_requests(view, ids, *span) if ids else []
    traces = [str(row["trace_id"])] if row.get("trace_id") else []
    return found or function_log.of_traces(view, traces, *span, _called_between(row, row["time"]))


def kind_of_run(view: View, row: Row) -> str | None:
    """The kind of an answer of which API Gateway's own logs tell nothing, by what the function's own log says of this very request."""
    if not (row.get("status") or 0) >= SERVER_ERROR or row.get("target_status") is not None:
        return None
    lines = function_lines(view, row)
    ran, seconds = duration(lines), waited(row)
    kind = "INTEGRATION_TIMEOUT" if row["status"] == GAVE_UP else "FUNCTION_ERROR"
    # The integration was called, so that the authorizer, whose run the trace has too, did well.
    if not lines and (row.get("integration_status") is not None or row.get("target_seconds") is not None):
        traced = _traced(view, kind, row, "")
        return kind if traced and traced[0] else None
    if row["status"] == GAVE_UP:
        return kind if ran and seconds and seconds > 1 and ran[0] >= seconds * NEARLY else None
    return kind if any(function_log.ended_badly(one) for one in lines) else None


def _traced(view: View, kind: str, row: Row, function: str) -> tuple[bool, Evidence] | None:
    """What the function's segments in the trace of the request say of a kind, and whether it is settled that they are the function's.

    A run that failed and one that outlasted API Gateway's patience confirm; one that did well says nothing of the answer. A client asks
    again in the same trace: only runs that began while API Gateway may have called count, and if several did, they must tell the same.
    """
    seconds, time = waited(row), row.get("time")
    if kind not in {"INTEGRATION_TIMEOUT", "FUNCTION_ERROR"} or (kind == "INTEGRATION_TIMEOUT" and (not seconds or seconds <= 1)):
        return None
    if time is None:
        return None
    own, settled = segments.of_trace(view, row.get("trace_id"), *_called_between(row, time), function_name(function))
    if kind == "FUNCTION_ERROR" and (bad := segments.failed(own)):
        words = f"The trace of the request says that the run of {bad[0]['name']} failed{f' ({bad[1]})' if bad[1] else ''}"
        alike = segments.all_alike(own, bad[0], lambda one: bool(one["is_fault"]))
        return settled and alike, Evidence(words, view.cite([bad[0]]), total=1)
    ran = segments.longest(own) if kind == "INTEGRATION_TIMEOUT" else None
    if ran is None or not seconds or ran["duration_seconds"] < seconds * NEARLY:
        return None
    alike = segments.all_alike(own, ran, lambda one: (one["duration_seconds"] or 0) >= seconds * NEARLY)
    says = f"The trace of the request has {ran['name']} running for {ran['duration_seconds']:.3f} s, and API Gateway waited {seconds:.3f} s"
    return settled and alike, Evidence(says, view.cite([ran]), total=1)


def _called_between(row: Row, time: datetime) -> tuple[datetime, datetime]:
    """When API Gateway may have called the integration, in naive UTC: an authorizer is asked first.

    A row of the execution log is of any moment of the request, one of the access log of its beginning.
    """
    whole, own = row.get("request_seconds"), row.get("target_seconds")
    before = LONGEST_WAIT if row.get("table") == "api_gateway_execution" else 0.0
    after = LONGEST_WAIT if whole is None else max(0.0, float(whole) - float(own or 0.0))
    return time - timedelta(seconds=before) - BEGAN, time + timedelta(seconds=after) + BEGAN


def failed_lines(lines: list[Row]) -> list[Row]:
    """Those that say that the function failed."""
    return [one for one in lines if one["level"] in GRAVE or function_log.failed(one)]


def duration(lines: list[Row]) -> tuple[float, Row] | None:
    """How long the function ran in seconds, and the line that says so."""
    for one in lines:
        if (took := function_log.seconds(one)) is not None:
            return took, one
    return None


def _long_run(view: View, row: Row, function: str) -> tuple[bool, Evidence] | None:
    """A run that began when API Gateway called, and outlasted its patience: Lambda's id of a call that timed out it never learns.

    Whether that confirms it: not where another function's run is as likely meant, or several began then.
    """
    seconds, time = waited(row), row.get("time")
    if not seconds or time is None:
        return None
    fitting = [
        (ran[0], line)
        for line in function_log.between(view, time + timedelta(seconds=seconds * NEARLY), time + RUNS_ON)
        if (ran := duration([line])) and ran[0] >= seconds * NEARLY and abs(line["time"] - timedelta(seconds=ran[0]) - time) <= BEGAN
    ]
    if not fitting:
        return None
    own, settled = function_log.of_function([line for _, line in fitting], function_name(function), function_log.functions(view))
    if not own:
        return None
    took = next(ran for ran, line in fitting if line is own[0])
    says = f"A run of the function that began in that second took {took:.3f} s, and API Gateway waited {seconds:.3f} s"
    return settled, Evidence(says, view.cite(own), total=len(own))


def _run(view: View, kind: str, row: Row, lines: list[Row]) -> tuple[bool | None, Evidence]:
    """What the function's own lines of the request say of a kind."""
    failed, ran, seconds = failed_lines(lines), duration(lines), waited(row)
    if kind == "FUNCTION_ERROR" and failed:
        words = str(failed[0]["message"]).splitlines()[0][:SAID]
        return True, Evidence(f"The function's own log says of the request: {words}", view.cite(failed), total=len(failed))
    if ran is None:
        return None, Evidence("The function's own log has the request", view.cite(lines), total=len(lines))
    took, line = ran
    says = f"The function's own log says that it ran {took:.3f} s for this request"
    if kind == "INTEGRATION_TIMEOUT" and seconds:
        longer = took >= seconds * NEARLY
        more = f", {'longer than' if longer else 'less than'} the {seconds:.3f} s that API Gateway waited"
        return (True if longer else None), Evidence(says + more, view.cite([line]), total=1)
    if kind == "MALFORMED":
        return True, Evidence(f"{says} and ended by itself: it answered, and its answer could not be used", view.cite([line]), total=1)
    if kind in UNINVOKED:
        return (None if kind == "API_CONFIGURATION_ERROR" else False), Evidence(says, view.cite([line]), total=1)
    return None, Evidence(says, view.cite([line]), total=1)
