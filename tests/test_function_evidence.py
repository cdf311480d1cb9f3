"""A function's own log and changes of the function behind a load balancer or an API: this request's, this function's, and look-alikes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests import test_api_gateway_answered as gateway
from tests.rules import balancer_memory as balancer

RUN, OTHER_RUN = "9a9a9a9a-1111-4222-8333-555555555555", "8b8b8b8b-1111-4222-8333-555555555555"
TRACE = "1-686de2f0-0123456789abcdef01234567"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
NAIVE = balancer.NOW.replace(tzinfo=None)
REGISTERED = {"describe-target-health": [{"Target": {"Id": ARN}, "TargetHealth": {"State": "healthy"}}]}
UNHANDLED = {"status": "502", "target": "-", "reason": "LambdaUnhandled", "times": "0.001 0.900 0.000", "trace": TRACE}


def line(view: balancer.MemoryView, message: str, *, after: float = -0.1, **more: Any) -> None:  # noqa: ANN401 - any field of a line
    """A line of a function's log."""
    view.add("lambda_log", {"time": NAIVE + timedelta(seconds=after), "kind": "app", "message": message, "request_id": RUN} | more)


def timeout(view: balancer.MemoryView, **more: Any) -> None:  # noqa: ANN401 - any field of a line
    """The line of a run that timed out."""
    line(view, f"{RUN} Task timed out after 3.00 seconds", **({"kind": "timeout", "outcome": "timeout"} | more))


@pytest.mark.parametrize(
    ("function", "registered", "after", "sure"),
    [
        ("orders", True, -0.1, "proven"),
        (None, True, -0.1, "proven"),
        ("reports", True, -0.1, "likely"),
        ("orders", True, -3600.0, "likely"),
    ],
)
def test_the_log_of_the_second_counts_where_it_is_the_targets_function(
    function: str | None,
    registered: bool,  # noqa: FBT001 - a parameter of the test
    after: float,
    sure: str,
) -> None:
    """EDGE-064: the function that is registered in the group, at that second; another one's failure, or one of another hour, is none."""
    view = balancer.MemoryView(answers=REGISTERED if registered else {})
    timeout(view, function_name=function, after=after)
    view.failed(balancer.row(view, **UNHANDLED))
    assert balancer.findings(view) == [("EDGE-064", sure)]


def test_two_functions_that_fail_in_one_second_leave_open_which_it_was() -> None:
    """Nothing tells which function the group holds; where it is told, or the run prints the request's trace id, it is settled."""
    for registered, traced, sure in ((False, False, "likely"), (True, False, "proven"), (False, True, "proven")):
        view = balancer.MemoryView(answers=REGISTERED if registered else {})
        timeout(view, function_name="orders")
        timeout(view, function_name="reports", request_id=OTHER_RUN)
        if traced:
            line(view, f"x-amzn-trace-id: Root={TRACE}", after=-3.0, function_name="orders")
        view.failed(balancer.row(view, **UNHANDLED, wall=3.2))
        assert balancer.findings(view) == [("EDGE-064", sure)]


def called(view: Any, name: str, asked: dict[str, Any], *, at: Any, **more: Any) -> None:  # noqa: ANN401 - either view, any field
    """An event of CloudTrail."""
    told = {"time": at, "event_name": name, "failed": False, "read_only": False, "region": "eu-west-1", "account": "123456789012"}
    row = told | {"user_name": "deploy", "request_parameters": json.dumps(asked)} | more
    if isinstance(view, balancer.MemoryView):
        view.add("cloudtrail", row)
    else:
        view.add("cloudtrail", **row)


@pytest.mark.parametrize(
    ("reason", "name", "asked", "more", "sure"),
    [
        ("LambdaAccessDenied", "RemovePermission20150331v2", {"functionName": ARN, "statementId": "alb"}, {}, "proven"),
        ("LambdaAccessDenied", "RemovePermission20150331v2", {"functionName": "orders"}, {"after": -7200}, "likely"),
        ("LambdaAccessDenied", "RemovePermission20150331v2", {"functionName": "reports"}, {}, "likely"),
        ("LambdaAccessDenied", "RemovePermission20150331v2", {"functionName": "orders"}, {"failed": True}, "likely"),
        ("LambdaAccessDenied", "RemovePermission20150331v2", {"functionName": "orders"}, {"region": "us-east-1"}, "likely"),
        ("LambdaAccessDenied", "GetPolicy20150331v2", {"functionName": "orders"}, {"read_only": True}, "likely"),
        ("LambdaAccessDenied", "UpdateFunctionCode20150331v2", {"functionName": "orders"}, {}, "likely"),
        ("LambdaThrottling", "PutFunctionConcurrency20171031", {"functionName": "orders", "reservedConcurrentExecutions": 0}, {}, "proven"),
        (
            "LambdaThrottling",
            "PutFunctionConcurrency20171031",
            {"functionName": "orders", "reservedConcurrentExecutions": 90},
            {},
            "likely",
        ),
        ("LambdaResourceNotFound", "DeleteFunction20150331", {"functionName": "orders"}, {}, "proven"),
    ],
)
def test_a_change_of_the_very_function_settles_what_it_brought_about(
    reason: str, name: str, asked: dict[str, Any], more: dict[str, Any], sure: str
) -> None:
    """Between the last good and the first failing request; another function, Region or hour, a refused or a reading call settle nothing."""
    view = balancer.MemoryView(answers=REGISTERED)
    balancer.row(view, status="200", target="-", target_status="-", times="0.001 0.020 0.000", after=-300.0)
    at = NAIVE + timedelta(seconds=more.get("after", -60))
    called(view, name, asked, at=at, **{key: value for key, value in more.items() if key != "after"})
    view.failed(balancer.row(view, **UNHANDLED | {"reason": reason}))
    assert [sure for _, sure in balancer.findings(view)] == [sure]


def gateway_row(view: gateway.MemoryView, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a row
    """A 5xx of API Gateway whose log says nothing of the cause."""
    return gateway.access(view, **({"status": 502, "response_type": None, "trace_id": TRACE, "dispatched": True} | more))


@pytest.mark.parametrize(
    ("status", "lines", "found"),
    [
        (502, [{"kind": "exit", "message": "Runtime exited with error: signal: killed", "outcome": "error"}], "FUNCTION_ERROR"),
        (
            502,
            [
                {"kind": "app", "message": "[ERROR] tried again", "level": "ERROR"},
                {"kind": "error", "message": "KeyError: 'sku'", "level": "ERROR"},
            ],
            "FUNCTION_ERROR",
        ),
        (504, [{"kind": "report", "message": "REPORT", "request_seconds": 41.0}], "INTEGRATION_TIMEOUT"),
        (504, [{"kind": "report", "message": "REPORT", "request_seconds": 4.0}], ""),
        (502, [{"kind": "report", "message": "REPORT", "request_seconds": 0.2}], ""),
        (502, [{"kind": "app", "message": "[ERROR] the bank answered 502", "level": "ERROR"}], ""),
        (502, [{"kind": "exit", "message": "Runtime exited", "outcome": "error", "trace_id": TRACE[:-1] + "0"}], ""),
    ],
)
def test_the_run_of_the_same_trace_says_what_api_gateways_log_does_not(status: int, lines: list[dict[str, Any]], found: str) -> None:
    """The function's log, joined by the X-Ray trace: it died, or outlasted the wait; not another trace's, nor one that went well."""
    view = gateway.MemoryView()
    for one in lines:
        told = {"time": gateway.NAIVE + timedelta(seconds=1), "request_id": RUN, "trace_id": TRACE}
        view.add("lambda_log", **(told | one))
    opinion = gateway.ask(view, gateway_row(view, status=status, target_seconds=29.0, request_seconds=29.01), hop="apigateway")
    assert [one.subject["answer"] for one in opinion.findings] == ([found] if found else [])
    assert [one.certainty for one in opinion.findings] == (["proven"] if found else [])
    if found == "FUNCTION_ERROR":
        assert opinion.findings[0].title.endswith(f"({lines[-1]['message']})")


def test_several_functions_that_ran_long_leave_open_whose_run_it_was() -> None:
    """EDGE-110 by nearness in time: one log that knows one function, or the API's function by name, and nothing less."""
    for names, function, sure in (
        (("a", "b"), None, "likely"),
        (("orders", "b"), ARN, "proven"),
        (("b",), ARN, "likely"),
        (("b",), None, "proven"),
    ):
        view = gateway.MemoryView()
        for number, name in enumerate(names):
            told = {"time": gateway.NAIVE + timedelta(seconds=41.1), "kind": "report", "request_seconds": 41.0, "function_name": name}
            view.add("lambda_log", **told, request_id=f"{number}{RUN[1:]}", message="REPORT")
        row = gateway.access(view, status=504, response_type="INTEGRATION_TIMEOUT", request_seconds=29.01, target_seconds=29.0)
        assert gateway.told(gateway.ask(view, row | {"function_arn": function})) == [("EDGE-110", sure)]


@pytest.mark.parametrize(
    ("asked", "more", "sure"),
    [
        ({"functionName": "orders", "statementId": "api"}, {}, "proven"),
        ({"functionName": "orders"}, {"failed": True}, "likely"),
        ({"functionName": "invoices"}, {}, "likely"),
    ],
)
def test_a_permission_taken_from_the_apis_function_settles_it(asked: dict[str, Any], more: dict[str, Any], sure: str) -> None:
    """RemovePermission of the function behind the API, just before; refused, or of another function, it settles nothing."""
    view = gateway.MemoryView()
    gateway.access(view, time=gateway.NAIVE - timedelta(minutes=5), status=200, target_status=200, request_id="before")
    called(view, "RemovePermission20150331v2", asked, at=gateway.NAIVE - timedelta(minutes=1), **more)
    text = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration."
    row = gateway.access(view, status=500, route_key="POST /orders", integration_error=text)
    assert gateway.told(gateway.ask(view, row | {"function_arn": gateway.FUNCTION})) == [("EDGE-113", sure)]
