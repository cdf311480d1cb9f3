"""The rules about what a load balancer answered by itself, on rows in memory: one rule speaks for one row, and none for a relayed one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kyumei.edge.balancer import function as balancer_function
from kyumei.edge.balancer import login as balancer_login
from kyumei.edge.balancer.answer import Stage, stage
from tests.rules.balancer_memory import (
    ELB,
    GROUP,
    NOW,
    MemoryView,
    ask,
    findings,
    health,
    row,
    ruled_out,
    series,
    served,
)

NAIVE = NOW.replace(tzinfo=None)
NEVER_SENT: dict[str, Any] = {"times": "-1 -1 -1", "target": "-"}
LOGIN: dict[str, Any] = NEVER_SENT | {"actions": "authenticate", "status": "401", "group": "-"}
FUNCTION: dict[str, Any] = NEVER_SENT | {"actions": "forward", "status": "502"}
REFUSED: dict[str, Any] = NEVER_SENT | {"actions": "-", "priority": "-", "group": "-"}
RULE_ARN = f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/{ELB}/0123456789abcdef/fedcba9876543210"
LAMBDA = {"TargetGroupArn": GROUP, "TargetType": "lambda"}
REGISTERED = {
    "describe-target-health": [
        {"Target": {"Id": "arn:aws:lambda:eu-west-1:123456789012:function:orders"}, "TargetHealth": {"State": "healthy"}}
    ]
}
GRPC = {"TargetGroupArn": GROUP, "TargetType": "ip", "ProtocolVersion": "GRPC"}


def data(*results: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """A stored answer of get-metric-data."""
    return {"get-metric-data": list(results)}


def attributes(key: str, value: str) -> dict[str, list[dict[str, Any]]]:
    """A stored answer of describe-load-balancer-attributes."""
    return {"describe-load-balancer-attributes": [{"Key": key, "Value": value}]}


@pytest.mark.parametrize("reason", sorted(balancer_login.BY_REASON))
def test_a_reason_of_the_log_in_names_its_cause(reason: str) -> None:
    """Likely by the row; proven by the metric of that reason in the same minute; silent where the log-in let the request through."""
    sign = balancer_login.BY_REASON[reason]
    view = MemoryView()
    view.failed(row(view, **LOGIN, reason=reason))
    assert findings(view) == [(sign.code, "likely")]
    view.answers = data(series(sign.metrics[0], 3.0))
    assert findings(view) == [(sign.code, "proven")]
    view.answers = data(series(sign.metrics[0], 0.0))
    assert findings(view) == [(sign.code, "likely")]
    innocent = MemoryView()
    innocent.failed(row(innocent, actions="authenticate,forward", status="401", target_status="401"))
    assert findings(innocent) == []


@pytest.mark.parametrize("reason", sorted(balancer_function.BY_REASON))
def test_a_reason_of_a_function_names_its_cause(reason: str) -> None:
    """Likely by the row; proven by LambdaUserError or LambdaInternalError; silent where the function answered."""
    sign = balancer_function.BY_REASON[reason]
    view = MemoryView()
    view.failed(row(view, **FUNCTION, reason=reason, bytes="1400000 200"))
    assert findings(view) == [(sign.code, "likely")]
    view.answers = data(series(sign.metrics[0], 3.0))
    assert findings(view) == [(sign.code, "proven")]


@pytest.mark.parametrize(("reason", "found"), [("LambdaAccessDenied", []), ("LambdaInvalidResponse", [("EDGE-063", "proven")])])
def test_a_run_in_the_functions_log_excludes_that_it_never_ran(reason: str, found: list[tuple[str, str]]) -> None:
    """A REPORT line kills what keeps a function from running, and confirms what it returned.

    Not where others ran in these seconds, nor where nothing says which function the balancer called.
    """
    view = MemoryView()
    view.answers = REGISTERED
    view.add("app_log", {"time": NAIVE, "message": "REPORT RequestId: 11111111-2222-3333-4444-555555555555 Duration: 12.1 ms"})
    view.failed(row(view, **FUNCTION, reason=reason))
    assert findings(view) == found
    served(view, 2, group=GROUP, target="-", target_status="-")
    if not found:
        assert findings(view) == [("EDGE-062", "likely")]
    view.answers = {}
    assert all(sure == "likely" for _, sure in findings(view))


def test_an_error_in_the_functions_log_confirms_that_it_failed() -> None:
    """EDGE-064 with the function's own time-out beside it, and not ten minutes later, nor where nobody says that it is that function's."""
    for after, answers, sure in ((0.5, REGISTERED, "proven"), (600, REGISTERED, "likely"), (0.5, {}, "likely")):
        view = MemoryView()
        view.answers = answers
        view.add(
            "app_log", {"time": NAIVE + timedelta(seconds=after), "message": "2025-07-09T03:14:20Z 1 Task timed out after 3.00 seconds"}
        )
        view.failed(row(view, **FUNCTION, reason="LambdaUnhandled"))
        assert findings(view) == [("EDGE-064", sure)]


def test_a_small_request_was_not_too_large() -> None:
    """EXCLUDE of EDGE-066."""
    view = MemoryView()
    view.failed(row(view, **FUNCTION, reason="LambdaRequestTooLarge", bytes="700 200"))
    assert findings(view) == []
    assert "EDGE-066" in ruled_out(view)


def test_a_function_that_returned_the_failure_itself_is_no_error_of_the_balancer() -> None:
    """EDGE-008: all times are there and no target is named; the group's type makes it sure, and another type excludes it."""
    returned: dict[str, Any] = {"target": "-", "times": "0.001 0.310 0.000", "status": "502"}
    for groups, found in (([], "possible"), ([LAMBDA], "likely")):
        view = MemoryView(answers={"describe-target-groups": list(groups)})
        view.failed(row(view, **returned))
        assert findings(view) == [("EDGE-008", found)]
        assert "EDGE-006" in ruled_out(view)
    view = MemoryView(answers={"describe-target-groups": [LAMBDA | {"TargetType": "ip"}]})
    view.failed(row(view, **returned))
    assert findings(view) == []


def _rule(unauthenticated: str) -> dict[str, Any]:
    """A listener rule that logs clients in."""
    config = {"OnUnauthenticatedRequest": unauthenticated}
    return {"RuleArn": RULE_ARN, "Priority": "10", "Actions": [{"Type": "authenticate-oidc", "AuthenticateOidcConfig": config}]}


@pytest.mark.parametrize(
    ("more", "stored", "found"),
    [
        (LOGIN, {}, [("EDGE-021", "likely")]),
        (LOGIN, {"describe-rules": [_rule("deny")]}, [("EDGE-021", "proven")]),
        (LOGIN, {"describe-rules": [_rule("authenticate")]}, [("EDGE-005", "possible")]),
        (LOGIN | {"status": "500"}, {}, [("EDGE-033", "possible")]),
        (LOGIN | {"status": "500"}, data(series("ELBAuthError", 5.0)), [("EDGE-033", "likely")]),
        (LOGIN | {"status": "561"}, {}, [("EDGE-043", "possible")]),
        (LOGIN | {"status": "562", "actions": "jwt-validation"}, {}, [("EDGE-043", "possible")]),
        (LOGIN | {"reason": "AuthSomethingNew"}, {}, [("EDGE-005", "possible")]),
        # WAF could not be asked.
        (NEVER_SENT | {"actions": "waf-failed", "status": "500"}, {}, [("EDGE-033", "likely")]),
        (NEVER_SENT | {"actions": "waf-failed", "status": "500", "reason": "WAFConnectionTimeout"}, {}, [("EDGE-075", "likely")]),
        (
            NEVER_SENT | {"actions": "waf-failed", "status": "500", "reason": "WAFServiceError"},
            attributes("waf.fail_open.enabled", "false"),
            [("EDGE-075", "proven")],
        ),
        (
            NEVER_SENT | {"actions": "waf-failed", "status": "500", "reason": "WAFServiceError"},
            data(series("HTTPCode_ELB_500_Count", 2.0)),
            [("EDGE-075", "proven")],
        ),
        # Fail open: it went on to the target, whose failure has another cause.
        (NEVER_SENT | {"actions": "waf-failed,forward", "status": "502", "reason": "WAFConnectionError"}, {}, []),
    ],
)
def test_log_in_and_firewall_without_a_reason(more: dict[str, Any], stored: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Status, actions and the configuration decide where the row gives no reason."""
    view = MemoryView(answers=stored)
    view.failed(row(view, **more))
    assert findings(view) == found


SEVERE = {"classification": '"Severe" "BothTeClPresent"'}
AMBIGUOUS = {"classification": '"Ambiguous" "AmbiguousUri"'}
MODE = "routing.http.desync_mitigation_mode"


@pytest.mark.parametrize(
    ("more", "stored", "found"),
    [
        ({"status": "400"}, {}, [("EDGE-020", "likely")]),
        ({"status": "400", **SEVERE}, {}, [("EDGE-077", "likely")]),
        ({"status": "400", **SEVERE}, attributes(MODE, "defensive"), [("EDGE-077", "proven")]),
        ({"status": "400", **SEVERE}, attributes(MODE, "monitor"), [("EDGE-020", "likely")]),
        ({"status": "400", **AMBIGUOUS}, attributes(MODE, "defensive"), [("EDGE-020", "likely")]),
        ({"status": "400", **AMBIGUOUS}, attributes(MODE, "strictest"), [("EDGE-077", "proven")]),
        ({"status": "405", "method": "TRACE"}, {}, [("EDGE-023", "likely")]),
        ({"status": "405", "method": "TRACE"}, data(series("HTTPCode_ELB_4XX_Count", 1.0)), [("EDGE-023", "proven")]),
        ({"status": "405"}, {}, [("EDGE-007", "possible")]),
        ({"status": "408", "wall": 60.0}, {}, [("EDGE-024", "likely")]),
        ({"status": "408", "wall": 60.0}, attributes("idle_timeout.timeout_seconds", "60"), [("EDGE-024", "proven")]),
        ({"status": "408", "wall": 3.0}, attributes("idle_timeout.timeout_seconds", "60"), []),
        ({"status": "413", "bytes": "2500000 300"}, {}, [("EDGE-025", "likely")]),
        ({"status": "413", "group": GROUP}, {"describe-target-groups": [LAMBDA]}, [("EDGE-025", "proven")]),
        ({"status": "413"}, {}, [("EDGE-025", "possible")]),
        ({"status": "414"}, {}, [("EDGE-026", "likely")]),
        ({"status": "463"}, data(series("HTTPCode_ELB_4XX_Count", 1.0)), [("EDGE-031", "proven")]),
        ({"status": "464", "group": GROUP, "actions": "forward"}, {}, [("EDGE-032", "likely")]),
        ({"status": "464", "group": GROUP, "actions": "forward"}, {"describe-target-groups": [GRPC]}, [("EDGE-032", "proven")]),
        ({"status": "501"}, {}, [("EDGE-034", "likely")]),
        ({"status": "505"}, {}, [("EDGE-042", "likely")]),
        ({"status": "507", "actions": "redirect", "priority": "3"}, {}, [("EDGE-042", "likely")]),
        ({"status": "000"}, {}, [("EDGE-042", "likely")]),
        ({"status": "421"}, {}, [("EDGE-007", "possible")]),
        ({"status": "500", "priority": "-1"}, {}, [("EDGE-158", "likely")]),
        ({"status": "400", "reason": "AWSALBTGCookieInvalid", "actions": "forward"}, {}, [("EDGE-074", "likely")]),
        ({"status": "500", "reason": "WeightedTargetGroupsUnhandledException", "actions": "forward"}, {}, [("EDGE-074", "likely")]),
        ({"status": "400", "transform": "TransformInvalidHost", "actions": "forward", "priority": "10"}, {}, [("EDGE-076", "likely")]),
        (
            {"status": "400", "transform": "TransformRegexSyntaxError", "actions": "forward", "priority": "10"},
            {"describe-rules": [{"RuleArn": RULE_ARN, "Priority": "10", "Transforms": [{"Type": "url-rewrite"}], "Actions": []}]},
            [("EDGE-076", "proven")],
        ),
    ],
)
def test_a_rejected_request_has_one_cause(more: dict[str, Any], stored: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Status, class, size and the balancer's configuration name it; the same status from a target is none of this rule's."""
    view = MemoryView(answers=stored)
    view.failed(row(view, **(REFUSED | more)))
    assert findings(view) == found
    relayed = MemoryView(answers=stored)
    relayed.failed(row(relayed, status=more["status"], target_status=more["status"], actions="forward"))
    assert findings(relayed) == []


def default_action(view: MemoryView, count: int = 4, **more: Any) -> None:  # noqa: ANN401 - fields of a line
    """Requests for one path that the default action answered 404 from NOW on."""
    told = {"target": "-", "times": "-1 -1 -1", "actions": "fixed-response", "status": "404", "priority": "0", "group": "-", "wall": 0.001}
    view.failed(*(row(view, **(told | {"after": float(number)} | more)) for number in range(count)))


@pytest.mark.parametrize("confirmed", [False, True])
def test_what_a_rule_forwarded_and_then_no_longer_did_fell_through(confirmed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """EDGE-158: priority 10 until a moment, 0 after it; CloudTrail's DeleteRule, or the missing rule, proves it."""
    view = MemoryView()
    for number in range(5):
        row(view, status="200", target_status="200", after=-60.0 - number)
    if confirmed:
        view.answers = {"describe-rules": [{"RuleArn": RULE_ARN, "Priority": "default", "Actions": [{"Type": "fixed-response"}]}]}
    default_action(view)
    assert findings(view) == [("EDGE-158", "proven" if confirmed else "likely")]


@pytest.mark.parametrize(
    ("after", "elb", "name", "sure"),
    [
        (-30, ELB, "DeleteRule", "proven"),
        (-30, ELB, "DescribeRules", "likely"),
        (-3000, ELB, "DeleteRule", "likely"),
        (-30, "app/back/1111111111111111", "DeleteRule", "likely"),
    ],
)
def test_only_a_change_of_this_listener_at_that_moment_confirms_it(after: float, elb: str, name: str, sure: str) -> None:
    """CloudTrail of another balancer, of another hour, or of a call that changes nothing, confirms nothing."""
    view = MemoryView()
    for number in range(5):
        row(view, status="200", target_status="200", after=-60.0 - number)
    asked = json.dumps({"ruleArn": RULE_ARN.replace(ELB, elb)})
    called = {"event_name": name, "failed": False, "request_parameters": asked}
    view.add("cloudtrail", {"time": NAIVE + timedelta(seconds=after), **called})
    default_action(view)
    assert findings(view) == [("EDGE-158", sure)]


@pytest.mark.parametrize("case", ["always so", "still forwarded", "another host", "failed before"])
def test_what_the_default_action_always_answered_did_not_fall_through(case: str) -> None:
    """Innocent look-alikes of EDGE-158: then the fixed response itself is the cause (EDGE-003)."""
    view = MemoryView()
    for number in range(0 if case == "always so" else 5):
        after = 2.5 if case == "still forwarded" and number == 4 else -60.0 - number
        more = {"status": "502", "target_status": "502"} if case == "failed before" else {"status": "200", "target_status": "200"}
        kept = row(view, after=after, **more)
        if case == "another host":
            view.con.execute(f"UPDATE alb_access SET host = 'www.example.com' WHERE _line = {kept['_line']}")
    default_action(view)
    assert [code for code, _ in findings(view)] == ["EDGE-003"]


def test_a_rule_that_was_restored_had_been_gone_all_the_same() -> None:
    """Requests that it forwards again afterwards say nothing of the time in between."""
    view = MemoryView()
    for number in range(5):
        row(view, status="200", target_status="200", after=-60.0 - number)
    row(view, status="200", target_status="200", after=400.0)
    default_action(view)
    assert findings(view) == [("EDGE-158", "likely")]


LEFT: dict[str, Any] = {"status": "460", "times": "0.001 -1 -1"}


def test_clients_that_all_leave_after_the_same_time_have_a_timeout() -> None:
    """EDGE-030: one time, and the path is slow; scattered times of browsers are people who left (EDGE-010)."""
    view = MemoryView()
    view.failed(*(row(view, **LEFT, wall=5.0 + number / 100, after=float(number), agent="okhttp/4.12.0") for number in range(4)))
    assert findings(view) == [("EDGE-030", "likely")]
    assert not ask(view)["client_left"].findings[0].subject["patience"].startswith("5.")
    scattered = MemoryView()
    scattered.failed(*(row(scattered, **LEFT, wall=wall, after=wall) for wall in (0.4, 2.1, 9.7, 31.0)))
    assert findings(scattered) == [("EDGE-010", "likely")]
    assert "EDGE-030" in ruled_out(scattered)


def test_the_target_still_at_work_proves_that_the_client_was_impatient() -> None:
    """The target's own log has the request, and finished it after the client had gone."""
    view = MemoryView()
    for number in range(4):
        start = NAIVE + timedelta(seconds=20 * number - 5)
        view.add(
            "app_log",
            {"time": start + timedelta(seconds=9), "method": "GET", "path": "/orders", "status": 200, "request_seconds": 9.0},
        )
    view.failed(*(row(view, **LEFT, wall=5.0, after=20.0 * number, agent="okhttp/4.12.0") for number in range(4)))
    assert findings(view) == [("EDGE-030", "proven")]


def web(view: MemoryView, relay: str | None, **more: Any) -> None:  # noqa: ANN401 - fields of the row
    """Nginx's 499, and the status of the balancer in front of it where its log is here."""
    told = {"time": NAIVE, "client_ip": "203.0.113.4", "method": "GET", "path": "/orders", "status": 499, "request_seconds": 60.0}
    own = view.add("nginx_access", told | more)
    view.failed(own, hop="nginx", table="nginx_access")
    if relay:
        front = row(view, status=relay, times="0.001 60.000 -1", wall=60.0)
        view.failures = [replace(view.failures[0], sightings={"alb": (front,), "nginx": (own,)})]


@pytest.mark.parametrize(
    ("relay", "more", "found"),
    [
        (None, {}, [("EDGE-010", "likely")]),
        (None, {"client_ip": "10.0.1.5"}, [("EDGE-010", "possible")]),
        ("460", {"client_ip": "10.0.1.5"}, [("EDGE-010", "likely")]),
        # The balancer gave up after its idle timeout: nginx's client was the balancer, and nobody left.
        ("504", {"client_ip": "10.0.1.5"}, []),
    ],
)
def test_a_499_accuses_the_client_only_where_no_relay_gave_up(
    relay: str | None, more: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    """Behind a balancer the 499 of nginx says only that the balancer closed the connection."""
    view = MemoryView()
    web(view, relay, **more)
    assert findings(view) == found


REFUSING: dict[str, Any] = {"times": "-1 -1 -1"}
SILENT: dict[str, Any] = {"times": "-1 -1 -1", "status": "504", "wall": 10.0}


@pytest.mark.parametrize(
    ("more", "states", "stored", "found"),
    [
        (REFUSING, [health("10.0.3.7", "unhealthy", "Target.FailedHealthChecks")], {}, [("EDGE-079", "likely")]),
        (
            REFUSING,
            [health("10.0.3.7", "unhealthy", "Target.FailedHealthChecks")],
            data(series("UnHealthyHostCount", 1.0)),
            [("EDGE-079", "proven")],
        ),
        (SILENT, [health("10.0.3.7", "unhealthy", "Target.Timeout")], {}, [("EDGE-078", "likely")]),
        (REFUSING, [health("10.0.3.7", "unhealthy", "Target.ResponseCodeMismatch")], {}, [("EDGE-080", "possible")]),
        (REFUSING, [health("10.0.3.7", "initial", "Elb.RegistrationInProgress")], {}, [("EDGE-082", "possible")]),
        # The failing target is healthy, whatever its neighbour is; and the other way round.
        (REFUSING, [health("10.0.3.7", "healthy"), health("10.0.3.8", "unhealthy", "Target.FailedHealthChecks")], {}, []),
        (
            REFUSING,
            [health("10.0.3.8", "healthy"), health("10.0.3.7", "unhealthy", "Target.FailedHealthChecks")],
            {},
            [("EDGE-079", "likely")],
        ),
        # A state that does not lead to this status explains nothing.
        (SILENT, [health("10.0.3.7", "unhealthy", "Target.FailedHealthChecks")], {}, []),
        (REFUSING, [], {}, []),
        (REFUSING, [health("i-0123456789abcdef0", "unhealthy", "Target.FailedHealthChecks")], {}, [("EDGE-079", "likely")]),
    ],
)
def test_the_state_of_the_failing_target_is_the_inner_reason(
    more: dict[str, Any], states: list[dict[str, Any]], stored: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    """Only the state of this group and target, only where it fits the status."""
    view = MemoryView(answers={"describe-target-health": states} | stored)
    view.failed(row(view, **more))
    assert [one for one in findings(view) if one[0] >= "EDGE-078"] == found


def check(view: MemoryView, after: float, outcome: str, reason: str | None = None, **more: Any) -> None:  # noqa: ANN401 - any column
    """A line of the health check log."""
    told = {"time": NAIVE + timedelta(seconds=after), "target_ip": "10.0.3.7", "target_port": 8080, "target_group": "api"}
    view.add("alb_health_check", told | {"outcome": outcome, "error_reason": reason} | more)


@pytest.mark.parametrize(
    ("outcome", "reason", "group", "after", "found"),
    [
        ("FAIL", "ConnectionReset", "api", 20, ["EDGE-079"]),
        ("FAIL", "ResponseCodeMismatch", "api", 20, ["EDGE-080"]),
        ("FAIL", "TargetError", "api", -20, ["EDGE-080"]),
        ("PASS", None, "api", 20, []),
        ("FAIL", "ConnectionReset", "static", 20, []),
        ("FAIL", "ConnectionReset", "api", 900, []),
    ],
)
def test_health_checks_count_around_the_failure_and_for_its_group(
    outcome: str, reason: str | None, group: str, after: float, found: list[str]
) -> None:
    """Another group's checks, and those of a quarter of an hour later, are none of this failure's."""
    view = MemoryView()
    for number in range(3):
        check(view, after + 5 * number, outcome, reason, target_group=group)
    view.failed(row(view, **REFUSING))
    assert [code for code, _ in findings(view) if code >= "EDGE-078"] == found


def test_health_log_and_answer_together_prove_it() -> None:
    """Two sources that agree; while passed checks in those seconds outweigh a stored answer of an unknown time."""
    for outcome, found in (("FAIL", [("EDGE-079", "proven")]), ("PASS", [])):
        view = MemoryView(answers={"describe-target-health": [health("10.0.3.7", "unhealthy", "Target.FailedHealthChecks")]})
        check(view, 5, outcome, "ConnectionReset" if outcome == "FAIL" else None)
        view.failed(row(view, **REFUSING))
        assert [one for one in findings(view) if one[0] >= "EDGE-078"] == found


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"actions": "fixed-response", "status": "503"}, Stage.RULE),
        ({"actions": "redirect", "status": "301"}, Stage.RULE),
        ({"actions": "waf,authenticate", "status": "401"}, Stage.AUTHENTICATION),
        ({"actions": "authenticate,forward", "status": "502", "reason": "AuthInvalidCookie"}, Stage.AUTHENTICATION),
        ({"actions": "waf,forward", "status": "502"}, Stage.TARGET),
        ({"actions": "forward", "status": "500"}, Stage.OTHER),
    ],
)
def test_each_row_has_one_stage(more: dict[str, Any], expected: Stage) -> None:
    """What no row tells is left to a gap."""
    view = MemoryView()
    told = row(view, **(NEVER_SENT | more))
    assert stage(told) is expected
    view.failed(told)
    spoken = [name for name, opinion in ask(view).items() if opinion.findings or opinion.gaps]
    assert spoken, "nobody says anything"


@pytest.mark.parametrize("junk", ["text", 7, None, [], {}, {"Target": 3, "TargetHealth": [], "Key": None, "Actions": 5, "Dimensions": "x"}])
def test_answers_of_any_shape_do_no_harm(junk: Any) -> None:  # noqa: ANN401 - any JSON value
    """A stored answer may hold anything; the rules then say what they say without it, and never raise."""
    operations = (
        "describe-target-health",
        "describe-load-balancer-attributes",
        "describe-target-groups",
        "describe-rules",
        "describe-tasks",
    )
    more = ("get-metric-data", "get-metric-statistics", "describe-alarms", "describe-instances", "describe-task-definition")
    for told, code in (({"times": "-1 -1 -1"}, "EDGE-035"), (LOGIN, "EDGE-021"), (REFUSED | {"status": "464"}, "EDGE-032")):
        view = MemoryView(answers={name: [junk] for name in (*operations, *more)})
        view.failed(row(view, **told))
        assert [found for found, _ in findings(view)] == [code]
