"""What stands behind an API, by the backend's own limits, its metrics and its trace: this function's and request's, and look-alikes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests import test_api_gateway_answered as gateway

if TYPE_CHECKING:
    from kyumei.contracts import Opinion
    from kyumei.model.finding import Citation

TRACE = "1-686de2f0-0123456789abcdef01234567"
RATE_EXCEEDED = "Execution failed due to configuration error: Rate Exceeded."
HTTP = {("apigateway", "get-integration"): [{"type": "HTTP", "uri": "https://backend.example.com/orders"}]}
FUNCTION_URI = f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{gateway.FUNCTION}/invocations"
PROXY = {("apigateway", "get-integration"): [{"type": "AWS_PROXY", "uri": FUNCTION_URI}]}
STREAM = {("apigatewayv2", "get-integrations"): [{"IntegrationType": "AWS_PROXY", "IntegrationSubtype": "Kinesis-PutRecord"}]}
VARIABLE = {("apigatewayv2", "get-integrations"): [{"IntegrationType": "AWS_PROXY", "IntegrationUri": "${stageVariables.orders}"}]}


class MemoryView(gateway.MemoryView):
    """With the traces."""

    tables: ClassVar[tuple[str, ...]] = (*gateway.TABLES, "xray_segment")


def run(view: MemoryView, after: float, seconds: float, **more: Any) -> None:  # noqa: ANN401 - any field of a segment
    """A segment of the function, so many seconds after the request came."""
    told = {"time": gateway.NAIVE + timedelta(seconds=after), "duration_seconds": seconds, "is_fault": False, "trace_id": TRACE}
    view.add("xray_segment", **({"name": "orders", "origin": "AWS::Lambda::Function"} | told | more))


def ask(view: MemoryView, **more: Any) -> Opinion:  # noqa: ANN401 - any field of a row
    """What the rule says of one request."""
    return gateway.ask(view, gateway.access(view, **more) | {"trace_id": TRACE, "function_arn": gateway.FUNCTION})


@pytest.mark.parametrize(
    ("runs", "sure"),
    [
        ([(0.1, 41.0)], "proven"),
        ([(-300.0, 41.0)], "likely"),
        ([(60.0, 41.0)], "likely"),
        ([(0.1, 41.0), (60.0, 0.2)], "proven"),
        ([(0.1, 41.0), (1.5, 0.2)], "likely"),
    ],
)
def test_a_run_of_another_request_of_the_trace_confirms_no_timeout(runs: list[tuple[float, float]], sure: str) -> None:
    """A client asks several times in one trace: only the run that API Gateway called then, and where two may be it, both alike."""
    view = MemoryView()
    for after, seconds in runs:
        run(view, after, seconds)
    found = ask(view, status=504, response_type="INTEGRATION_TIMEOUT", request_seconds=29.01, target_seconds=29.0)
    assert gateway.told(found) == [("EDGE-110", sure)]


@pytest.mark.parametrize(("after", "found"), [(0.1, [("EDGE-113", "proven")]), (-30.0, []), (30.0, [])])
def test_a_run_of_another_request_of_the_trace_is_no_cause(after: float, found: list[tuple[str, str]]) -> None:
    """API Gateway's record tells nothing of the cause; the run that failed must be that of this request."""
    view = MemoryView()
    run(view, after, 1.0, is_fault=True, error_type="KeyError", error_text="id")
    assert gateway.told(ask(view, status=500, request_seconds=1.01, target_seconds=1.0)) == found


@pytest.mark.parametrize(("text", "service"), [("Rate Exceeded.", 429), ("Too Many Requests", 429), ("Limit Exceeded", None)])
def test_an_error_of_the_integration_is_no_limit_of_api_gateways(text: str, service: int | None) -> None:
    """API Gateway that lets nothing pass calls no integration: what that says is of the backend's limits."""
    view = MemoryView()
    found = ask(view, status=500, integration_error=text, integration_status=service)
    assert gateway.told(found) == ([("EDGE-113", "likely")] if service else [])
    assert gateway.told(ask(MemoryView(), status=429, error_text="Too Many Requests")) == [("EDGE-109", "likely")]


@pytest.mark.parametrize(
    ("settings", "more", "found"),
    [
        ({}, {"integration_error": RATE_EXCEEDED}, ["EDGE-113"]),
        (PROXY, {"integration_error": RATE_EXCEEDED}, ["EDGE-113"]),
        (VARIABLE, {"integration_error": RATE_EXCEEDED}, ["EDGE-113"]),
        (STREAM, {"integration_error": RATE_EXCEEDED}, []),
        ({}, {"integration_error": "The integration failed with following error: Rate exceeded for shard 1 in stream events"}, []),
        (PROXY, {"integration_status": 429}, ["EDGE-113"]),
        (HTTP, {"integration_status": 429}, []),
        (HTTP, {"integration_status": 403}, []),
    ],
)
def test_a_backend_that_is_no_function_is_not_throttled_by_lambda(
    settings: dict[tuple[str, str], list[dict[str, Any]]], more: dict[str, Any], found: list[str]
) -> None:
    """An HTTP backend or a stream has limits of its own, and says them with the same status and in like words."""
    view = MemoryView(settings=settings)
    row = gateway.access(view, **({"status": 500, "error_text": "Internal server error", "dispatched": True} | more))
    assert [one.code for one in gateway.ask(view, row).findings] == found


class Measured(gateway.MemoryView):
    """With answers of CloudWatch, stored under a Region."""

    tables: ClassVar[tuple[str, ...]] = (*gateway.TABLES, "metric", "resource_snapshot")
    region: ClassVar[str] = "eu-west-1"

    def snapshot(self, service: str, operation: str) -> list[tuple[dict[str, Any], Citation]]:
        """The answers given for this operation."""
        stored = super().snapshot(service, operation)
        return [(one, replace(where, file=f"aws/{self.region}/{service}/{operation}.json")) for one, where in stored]


class MeasuredElsewhere(Measured):
    """Stored under another Region."""

    region: ClassVar[str] = "us-east-1"


@pytest.mark.parametrize(
    ("view", "label", "minutes", "sure"),
    [
        (Measured, "orders Throttles", 1, "proven"),
        (Measured, "orders-throttles Throttles", 1, "proven"),
        (Measured, "orders-Prod Throttles", 1, "likely"),
        (Measured, "orders-v2 Throttles", 1, "likely"),
        (Measured, "Throttles", 1, "likely"),
        (Measured, "orders Throttles", 1440, "likely"),
        (MeasuredElsewhere, "orders Throttles", 1, "likely"),
    ],
)
def test_the_throttles_of_this_function_in_those_minutes_confirm_it(view: type[Measured], label: str, minutes: int, sure: str) -> None:
    """Not those of one whose name only begins so, of one of the same name in another Region, or of some hour of the day."""
    first = gateway.NOW.replace(second=0) - timedelta(minutes=minutes // 2)
    times = [(first + timedelta(minutes=minutes * number)).isoformat() for number in range(2)]
    series = {"Id": "m1", "Label": label, "Timestamps": times, "Values": [4.0, 4.0]}
    own = view(settings=PROXY | {("cloudwatch", "get-metric-data"): [series]})
    own.add("metric", metric="Invocations", _artifact=-1)
    row = gateway.access(own, status=500, integration_error=RATE_EXCEEDED)
    assert gateway.told(gateway.ask(own, row | {"function_arn": f"{gateway.FUNCTION}:live"})) == [("EDGE-113", sure)]


@pytest.mark.parametrize(("took", "sure"), [(41.0, "proven"), (3.0, "likely")])
def test_lines_of_an_earlier_request_of_the_trace_confirm_no_timeout(took: float, sure: str) -> None:
    """The client had asked before, in one trace, and that run was slow: only the run of this request counts."""
    view = MemoryView()
    for number, (began, seconds) in enumerate(((-50.0, 41.0), (0.1, took))):
        request = f"{number}a9a9a9a-1111-4222-8333-555555555555"
        told = {"request_id": request, "trace_id": TRACE, "function_name": "orders"}
        at = gateway.NAIVE + timedelta(seconds=began)
        view.add("lambda_log", time=at, kind="start", message=f"START RequestId: {request}", **told)
        view.add("lambda_log", time=at + timedelta(seconds=seconds), kind="report", message="REPORT", request_seconds=seconds, **told)
    found = ask(view, status=504, response_type="INTEGRATION_TIMEOUT", request_seconds=29.01, target_seconds=29.0)
    assert gateway.told(found) == [("EDGE-110", sure)]
