"""API Gateway's own answers on rows in memory: what names each kind, what confirms it, and what excludes it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from kyumei import discover
from kyumei.contracts import Failure, Opinion
from kyumei.edge.gateway.responses import BY_KIND, RESPONSES, Response
from kyumei.edge.gateway.setting import fits
from kyumei.edge.gateway.texts import TEXTS, kind_of_text
from kyumei.model.finding import Citation, Finding
from kyumei.rules import api_gateway_answered
from tests.rules.memory import TablesView, around

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.model.window import Window

NOW = datetime(2025, 4, 17, 9, 26, 3, tzinfo=UTC)
NAIVE = NOW.replace(tzinfo=None)
TABLES = ("api_gateway_access", "api_gateway_execution", "waf", "app_log", "json_lines", "lambda_log", "cloudtrail")
ID, EXTENDED, API = "3f0a9d52-6c1e-4b7a-8a55-0d9e4c2b7f10", "Kx3vHjt9oAMF2pQ=", "c4k8w1zq7m"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
TYPED = [one for one in RESPONSES if one.kind not in api_gateway_answered.TELLING]
EARLY = [one for one in TYPED if one.early]


@dataclass
class MemoryView(TablesView):
    """A view over the tables of API Gateway and what is beside it; ``settings`` are answers of AWS by service and operation."""

    tables: ClassVar[tuple[str, ...]] = TABLES
    window: Window = field(default_factory=lambda: around(NOW))
    settings: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **row: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a row
        """Store a row and return it whole."""
        return self.store(table, row)

    def snapshot(self, service: str, operation: str) -> list[tuple[dict[str, Any], Citation]]:
        """The answers given for this operation."""
        return [(one, Citation(f"aws/{service}/{operation}.json", 1, "")) for one in self.settings.get((service, operation), [])]


def access(view: MemoryView, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a row
    """A row of the access log; a refusal with no integration unless told otherwise."""
    told: dict[str, Any] = {
        "time": NAIVE,
        "request_id": ID,
        "extended_request_id": EXTENDED,
        "client_ip": "203.0.113.50",
        "method": "POST",
        "path": "/live/orders",
        "resource_path": "/orders",
        "host": f"{API}.execute-api.eu-west-1.amazonaws.com",
        "status": 403,
        "request_seconds": 0.02,
        "response_type": "-",
        "dispatched": False,
        "api_id": API,
        "stage": "live",
        "account": "123456789012",
    }
    return view.add("api_gateway_access", **(told | more))


def steps(view: MemoryView, *messages: str, request: str = ID, at: datetime = NAIVE) -> list[dict[str, Any]]:
    """Lines of the execution log, read by the format itself."""
    layout = discover.formats()["api_gateway_execution"].layout
    stored = []
    for message in messages:
        read = layout.read(f"({request}) {message}")
        assert isinstance(read, dict), read
        stored.append(view.add("api_gateway_execution", **{name: value for name, value in read.items() if name[0] != "_"} | {"time": at}))
    return stored


def ask(view: MemoryView, *rows: Mapping[str, Any], hop: str = "apigateway", table: str = "api_gateway_access") -> Opinion:
    """What the rule says of one failure with these rows; its findings must be whole, and their queries run."""
    view.failures = (Failure(hop=hop, table=table, total=len(rows), rows=rows, sightings={hop: tuple(rows)}, key="f1"),)
    opinion = api_gateway_answered.examine(view)
    for finding in opinion.findings:
        _whole(view, finding)
    return opinion


def _whole(view: MemoryView, finding: Finding) -> None:
    assert finding.code in api_gateway_answered.RULE.codes
    assert finding.failures == ("f1",)
    assert all((finding.layer, finding.message, finding.check, finding.remedy, finding.chain))
    assert all(isinstance(value, str) for value in finding.subject.values())
    texts = [finding.title, *(text for fix in finding.remedy for text in (fix.says, *fix.commands))]
    assert not any("{" in text for text in texts), texts
    assert all(fix.commands for fix in finding.remedy)
    for evidence in finding.chain:
        if evidence.sql:
            assert view.rows(evidence.sql)


def told(opinion: Opinion) -> list[tuple[str, str]]:
    """Codes and certainties."""
    return [(one.code, str(one.certainty)) for one in opinion.findings]


@pytest.mark.parametrize("one", TYPED, ids=lambda one: one.kind)
def test_a_response_type_names_its_cause(one: Response) -> None:
    """Likely by the row alone, with a gap that names what would confirm it; silent where the integration's status is the client's."""
    view = MemoryView()
    opinion = ask(view, access(view, status=one.status, response_type=one.kind), hop="waf" if one.layer == "waf" else "apigateway")
    assert told(opinion) == [(one.code, "likely")]
    assert opinion.gaps
    assert opinion.findings[0].title.startswith("AWS WAF" if one.layer == "waf" else "API Gateway")
    innocent = MemoryView()
    opinion = ask(innocent, access(innocent, status=one.status, response_type=one.kind, target_status=one.status, dispatched=True))
    assert told(opinion) == []
    assert opinion.ruled_out


@pytest.mark.parametrize("one", TYPED, ids=lambda one: one.kind)
def test_the_execution_log_of_the_same_request_confirms(one: Response) -> None:
    """Proven by the same type there; not by lines of another id, of an hour later, or of a request that ended otherwise."""
    line, end = f"Gateway response type: {one.kind} with status code: {one.status}", f"Method completed with status: {one.status}"
    for request, at, status, sure in (
        (ID, NAIVE, one.status, "proven"),
        ("00000000-1111-4222-8333-444444444444", NAIVE, one.status, "likely"),
        (ID, NAIVE + timedelta(hours=1), one.status, "likely"),
        (ID, NAIVE, 418, "likely"),
    ):
        view = MemoryView()
        steps(view, line.replace(str(one.status), str(status)), end.replace(str(one.status), str(status)), request=request, at=at)
        assert told(ask(view, access(view, status=one.status, response_type=one.kind))) == [(one.code, sure)]


@pytest.mark.parametrize("one", EARLY, ids=lambda one: one.kind)
def test_a_refusal_is_confirmed_where_the_integration_was_never_called(one: Response) -> None:
    """The execution log ends with the status and shows no call; with a call it says nothing."""
    start, end = f"Starting execution for request: {ID}", f"Method completed with status: {one.status}"
    view = MemoryView()
    steps(view, start, end)
    assert told(ask(view, access(view, status=one.status, response_type=one.kind))) == [(one.code, "proven")]
    view = MemoryView()
    steps(view, start, "Endpoint request URI: https://backend.example.com/orders", end)
    assert told(ask(view, access(view, status=one.status, response_type=one.kind))) == [(one.code, "likely")]


def test_an_execution_log_that_says_the_integration_answered_weakens() -> None:
    """The two logs contradict each other on one id, which a client may have sent twice."""
    view = MemoryView()
    steps(
        view,
        "Received response. Status: 403, Integration latency: 12 ms",
        "Successfully completed execution",
        "Method completed with status: 403",
    )
    assert told(ask(view, access(view, response_type="ACCESS_DENIED"))) == [("EDGE-103", "possible")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Execution failed due to configuration error: Malformed Lambda proxy response", "EDGE-113"),
        ("Lambda execution failed with status 200 due to customer function error: division by zero", "EDGE-113"),
        ("Execution failed due to configuration error: Invalid permissions on Lambda function", "EDGE-112"),
        ("Execution failed due to configuration error: Invalid endpoint address", "EDGE-112"),
        ("Execution failed due to a timeout error", "EDGE-110"),
        ("Execution failed due to authorizer error", "EDGE-106"),
        ("Unauthorized request: 3f0a9d52-6c1e-4b7a-8a55-0d9e4c2b7f10", "EDGE-105"),
        ("Key throttle limit exceeded for Usage Plan abc123, API Key ****key and API Stage c4k8w1zq7m/live", "EDGE-109"),
        ("Request body does not match model schema for content type application/json: [x]", "EDGE-107"),
        ("User is not authorized to access this resource with an explicit deny", "EDGE-103"),
    ],
)
def test_the_execution_log_names_what_the_access_log_does_not(text: str, code: str) -> None:
    """An access log without a type, and the execution log of the id: proven by the two; likely where the execution log is alone."""
    status = BY_KIND[kind_of_text(text) or ""].status
    view = MemoryView()
    lines = steps(view, text, f"Method completed with status: {status}")
    assert told(ask(view, access(view, status=status, response_type=None), hop="unknown")) == [(code, "proven")]
    assert told(ask(view, lines[-1], table="api_gateway_execution")) == [(code, "likely")]


def test_nothing_is_said_where_nothing_says_why() -> None:
    """Neither a type nor a text, and a type that names no cause: a gap, and no finding."""
    for more in ({"response_type": None}, {"response_type": "DEFAULT_4XX", "error_text": "Forbidden"}):
        view = MemoryView()
        opinion = ask(view, access(view, **more))
        assert told(opinion) == []
        assert "responseType" in opinion.gaps[0].missing
    view = MemoryView()
    assert told(ask(view, access(view, response_type="THROTTLED", status=429), hop="unknown")) == []
    assert told(ask(view, access(view, response_type="THROTTLED", status=429), hop="app")) == []


def test_what_a_client_or_the_backend_sent_is_no_text_of_api_gateways() -> None:
    """A header or a body may hold any words."""
    view = MemoryView()
    steps(
        view,
        "Method request headers: {Note=Execution failed due to a timeout error}",
        'Endpoint response body before transformations: {"message": "Malformed Lambda proxy response"}',
        "Method completed with status: 502",
    )
    assert told(ask(view, access(view, status=502, response_type=None))) == []


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"integration_status": 200, "error_text": "Internal server error"}, [("EDGE-113", "likely")]),
        ({"integration_status": 200}, [("EDGE-113", "possible")]),
        ({"integration_status": 200, "target_status": 502}, []),
        ({"integration_status": None}, []),
        ({"status": 500, "integration_status": 403, "error_text": "Internal Server Error"}, [("EDGE-113", "likely")]),
        ({"status": 500, "integration_status": 429, "error_text": "Internal Server Error"}, [("EDGE-113", "likely")]),
        ({"status": 500, "integration_status": 429}, [("EDGE-113", "possible")]),
        ({"status": 500, "integration_status": 429, "target_status": 500}, []),
        ({"status": 429, "integration_status": 429}, []),
        ({"status": 500, "integration_status": 404, "error_text": "Internal Server Error"}, []),
    ],
)
def test_two_statuses_tell_a_malformed_answer(more: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """502 though Lambda's service said 200 and the function named no status; 500 where that service refused."""
    view = MemoryView()
    assert told(ask(view, access(view, **({"status": 502, "dispatched": True} | more)))) == found


def test_a_throttled_function_is_no_integration_that_is_not_reached() -> None:
    """The response type says INTEGRATION_FAILURE of both; Lambda's 429 in the execution log tells them apart."""
    view = MemoryView()
    steps(
        view,
        "Lambda invocation failed with status: 429. Lambda request id: 5f9a0b1c-2d3e-4f50-8a6b-7c8d9e0f1a2b",
        "Execution failed due to configuration error: Rate Exceeded.",
        "Method completed with status: 500",
    )
    assert told(ask(view, access(view, status=500, response_type="INTEGRATION_FAILURE"))) == [("EDGE-113", "proven")]


def test_the_functions_own_log_tells_a_malformed_answer_from_an_error() -> None:
    """A run that ended well confirms the first; an error of the same call makes it the second; another call's error does neither."""
    report = "REPORT RequestId: 9a9a9a9a-1111-4222-8333-555555555555\tDuration: 81.20 ms\tBilled Duration: 82 ms"
    for lines, kind, sure in (
        ([report], "MALFORMED", "proven"),
        ([report, "[ERROR] KeyError: 'id' RequestId: 9a9a9a9a-1111-4222-8333-555555555555"], "FUNCTION_ERROR", "proven"),
        (["[ERROR] KeyError: 'id' RequestId: 77777777-1111-4222-8333-555555555555"], "MALFORMED", "likely"),
    ):
        view = MemoryView()
        for line in lines:
            view.add("app_log", time=NAIVE + timedelta(seconds=0.1), message=line)
        more = {"status": 502, "integration_status": 200, "error_text": "Internal server error", "dispatched": True}
        opinion = ask(view, access(view, **more, integration_request_id="9a9a9a9a-1111-4222-8333-555555555555"))
        assert told(opinion) == [("EDGE-113", sure)]
        assert opinion.findings[0].subject["answer"] == kind


@pytest.mark.parametrize(
    ("took", "ended", "sure"), [(41.0, 41.1, "proven"), (4.0, 41.1, "likely"), (41.0, 95.0, "likely"), (41.0, 20.0, "likely")]
)
def test_a_run_that_outlasts_the_time_limit_confirms_it(took: float, ended: float, sure: str) -> None:
    """A run that began at the call and went on; not a short one, one that began later, or one that began before."""
    view = MemoryView()
    message = f"REPORT RequestId: 9a9a9a9a-1111-4222-8333-555555555555\tDuration: {took * 1000:.2f} ms\tBilled Duration: 1 ms"
    view.add("app_log", time=NAIVE + timedelta(seconds=ended), message=message)
    row = access(view, status=504, response_type="INTEGRATION_TIMEOUT", request_seconds=29.01, target_seconds=29.0)
    assert told(ask(view, row)) == [("EDGE-110", sure)]


def test_the_limit_that_is_set_confirms_a_time_out() -> None:
    """The integration's timeoutInMillis is what API Gateway waited; another value says nothing."""
    for limit, sure in ((5000, "proven"), (29000, "likely")):
        view = MemoryView(
            settings={("apigateway", "get-integration"): [{"type": "HTTP_PROXY", "uri": "https://b.example.com", "timeoutInMillis": limit}]}
        )
        row = access(view, status=504, response_type="INTEGRATION_TIMEOUT", request_seconds=5.02, target_seconds=5.0)
        assert told(ask(view, row)) == [("EDGE-110", sure)]


def _waf(view: MemoryView, action: str, request: str = EXTENDED) -> None:
    view.add("waf", time=NAIVE, request_id=request, action=action, rule_id="block-imports", webacl="partners", path="/live/orders")


def test_wafs_own_record_settles_whether_it_filtered() -> None:
    """A record that blocks proves it, one that lets it pass excludes it, and that of another request says nothing."""
    for action, request, found in (
        ("BLOCK", EXTENDED, [("EDGE-101", "proven")]),
        ("ALLOW", EXTENDED, []),
        ("BLOCK", "Zz9other1234567=", [("EDGE-101", "likely")]),
    ):
        view = MemoryView()
        _waf(view, action, request)
        opinion = ask(view, access(view, response_type="WAF_FILTERED"), hop="waf")
        assert told(opinion) == found
        assert bool(opinion.gaps) == (action != "BLOCK" or request != EXTENDED)


def test_a_stage_without_a_web_acl_weakens_it() -> None:
    """The stage as described has none, or is another one."""
    for stage, arn, sure in (
        ("live", "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/p/1", "proven"),
        ("live", "", "possible"),
        ("beta", "", "likely"),
    ):
        view = MemoryView(settings={("apigateway", "get-stage"): [{"stageName": stage, "webAclArn": arn}]})
        assert told(ask(view, access(view, response_type="WAF_FILTERED"), hop="waf")) == [("EDGE-101", sure)]


@pytest.mark.parametrize(
    ("resources", "sure"),
    [
        ([{"id": "a", "path": "/orders", "resourceMethods": {"GET": {}}}], "proven"),
        ([{"id": "a", "path": "/carts", "resourceMethods": {"ANY": {}}}], "proven"),
        ([{"id": "a", "path": "/orders", "resourceMethods": {"POST": {}}}], "likely"),
        ([{"id": "a", "path": "/orders", "resourceMethods": {"POST": {"httpMethod": "POST", "authorizationType": "AWS_IAM"}}}], "proven"),
        ([{"id": "a", "path": "/{proxy+}", "resourceMethods": {"ANY": {}}}], "likely"),
    ],
)
def test_the_resources_of_the_api_confirm_a_wrong_path(resources: list[dict[str, Any]], sure: str) -> None:
    """No such path, no such method, or a method that wants a signature."""
    view = MemoryView(settings={("apigateway", "get-resources"): resources})
    assert told(ask(view, access(view, response_type="MISSING_AUTHENTICATION_TOKEN"))) == [("EDGE-102", sure)]


def _policy(source: str, effect: str = "Allow") -> dict[str, Any]:
    statement = {
        "Effect": effect,
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}), "RevisionId": "1"}


@pytest.mark.parametrize(
    ("api", "effect", "sure"),
    [("zzzzzzzzz9", "Allow", "proven"), (API, "Allow", "possible"), ("*", "Allow", "possible"), (API, "Deny", "proven")],
)
def test_the_functions_policy_settles_a_missing_permission(api: str, effect: str, sure: str) -> None:
    """A policy that lets in another API only proves it; one that lets this API in weakens it."""
    view = MemoryView(
        settings={("lambda", "get-policy"): [_policy(f"arn:aws:execute-api:eu-west-1:123456789012:{api}/*/POST/orders", effect)]}
    )
    text = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration."
    opinion = ask(view, access(view, status=500, route_key="POST /orders", integration_error=text))
    assert told(opinion) == [("EDGE-113", sure)]
    command = next(one for one in opinion.findings[0].remedy[0].commands if "add-permission" in one)
    assert f"arn:aws:execute-api:eu-west-1:123456789012:{API}/*/POST/*" in command


def test_a_rate_above_the_stages_limit_confirms_throttling() -> None:
    """More requests in that second than the limit; fewer say nothing."""
    for came, sure in ((12, "proven"), (3, "likely")):
        view = MemoryView(
            settings={("apigateway", "get-stage"): [{"stageName": "live", "methodSettings": {"*/*": {"throttlingRateLimit": 5.0}}}]}
        )
        rows = [access(view, status=429, response_type="THROTTLED", request_id=f"r{number}") for number in range(came)]
        assert told(ask(view, *rows)) == [("EDGE-109", sure)]


def test_a_hostile_row_is_quoted_in_commands() -> None:
    """Whatever a client put into its request does not become a command of its own, nor a part that the shell works out."""
    view = MemoryView()
    row = access(view, method="POST;reboot", path="/live/$(reboot)", response_type="UNSUPPORTED_MEDIA_TYPE", status=415)
    finding = ask(view, row).findings[0]
    commands = [finding.check[0].command, *finding.remedy[0].commands]
    assert any("reboot" in one for one in commands)
    for one in commands:
        bare = re.sub(r"'[^']*'", "", one)
        assert "reboot" not in bare, one


def test_texts_name_kinds_that_there_are() -> None:
    """Every pattern leads to a row of the table."""
    assert {kind for _, kind in TEXTS} <= set(BY_KIND)
    assert set(api_gateway_answered.RULE.codes) == {f"EDGE-{number}" for number in range(101, 114)}


@pytest.mark.parametrize(
    ("template", "path", "holds"),
    [
        ("/", "/", True),
        ("/pets/{id}", "/pets/7/toys", False),
        ("/{proxy+}", "/", False),
        ("/pets/{rest+}", "/pets/7/toys", True),
        ("/pets", "/pets/", True),
    ],
)
def test_a_resource_takes_a_path(template: str, path: str, holds: bool) -> None:  # noqa: FBT001 - what is expected
    """Variables stand for one step, greedy ones for the rest."""
    assert fits(template, path) is holds
