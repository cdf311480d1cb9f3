"""Third-party samples of Lambda, Amazon ECS and CodeDeploy, against what other projects' tests expect of them.

The corpus lies beside the repository, or where ``KYUMEI_CORPUS`` says; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyumei.contracts import Refused
from kyumei.formats.codedeploy_deployment import FORMAT as DEPLOYMENT
from kyumei.formats.ecs_event import FORMAT as ECS
from kyumei.formats.lambda_log import FORMAT as LAMBDA
from kyumei.store.case import open_case

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(os.environ.get("KYUMEI_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus; KYUMEI_CORPUS says where it lies")

Rows = list[dict[str, Any]]


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[str, str], Rows]:
    """Answers a query over a case that holds files of the corpus and nothing else."""

    def answer(pattern: str, sql: str) -> Rows:
        found = sorted(CORPUS.glob(pattern))
        assert found, pattern
        for path in found:
            (tmp_path / "case").mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / "case" / path.name)
        case = open_case(tmp_path / "case", None, lambda _con, _settings: None, lambda _: (timedelta(0),), cache=tmp_path / "cache")
        try:
            return case.rows(sql)
        finally:
            case.close()

    return answer


def loaded(name: str) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON file of the corpus; nothing where there is no corpus."""
    return json.loads((CORPUS / name).read_text("utf-8")) if CORPUS.is_dir() else {"cases": []}


REPORTS = [pytest.param(one, id=one["case"]) for one in loaded("lambda/datadog-report-lines.cases.json")["cases"]]
ERRORS = [pytest.param(one, id=one["case"]) for one in loaded("lambda/python-ric-errors.cases.json")["cases"]]


@pytest.mark.parametrize("case", REPORTS)
def test_reports_agree(case: dict[str, Any]) -> None:
    """Memory is MB upstream, bytes here; a line without a request is none."""
    expected = {one["name"]: one["value"] for one in case["expected_metrics"]}
    row = LAMBDA.layout.read(case["input"])
    assert isinstance(row, dict)
    if not expected:
        assert row["kind"] == "app"
        assert not LAMBDA.sniff(case["input"], "")
        return
    assert LAMBDA.sniff(case["input"], "")
    assert row["kind"] == "report"
    for name, column in (("duration", "request_seconds"), ("billed_duration", "billed_seconds"), ("init_duration", "init_seconds")):
        found = row[column]
        assert (None if found is None else pytest.approx(found)) == expected.get(name), name
    used = row["max_memory_bytes"]
    assert (None if used is None else used / 1048576) == expected.get("max_memory_used")
    assert row["outcome"] == ("timeout" if case["case"].startswith("timeout") else "success" if "json" in case["case"] else None)
    assert (row["trace_id"] is not None) == (case["case"] == "report_with_xray")


@pytest.mark.parametrize("case", ERRORS)
def test_errors_of_the_python_runtime_agree(case: dict[str, Any]) -> None:
    """One event with its traceback; the type or the text may be missing."""
    row = LAMBDA.layout.read(case["message"])
    assert isinstance(row, dict)
    assert (row["kind"], row["error_type"], row["error_text"]) == ("error", case["error_type"], case["error_message"])
    assert row["stack"].startswith("Traceback (most recent call last):")
    assert "\r" not in row["stack"]
    assert "\u00a0" not in row["stack"]


def test_two_invocations_agree(ask: Callable[[str, str], Rows]) -> None:
    """Times and numbers of a console copy with a message of a hundred lines."""
    rows = ask("lambda/rotemtam-two-invocations.log", "SELECT * FROM lambda_invocation ORDER BY _line")
    expected = loaded("lambda/rotemtam-two-invocations.expected.json")
    assert len(rows) == expected["count"]
    for row, wanted in zip(rows, expected["invocations"], strict=True):
        assert row["request_id"] == wanted["request_id"]
    row, wanted = rows[0], expected["invocations"][0]
    assert [f"{row[name].isoformat(timespec='milliseconds')}Z" for name in ("time", "ended")] == [wanted["ts_start"], wanted["ts_end"]]
    seconds = {"request_seconds": "duration_ms", "billed_seconds": "billed_duration_ms"}
    assert {name: row[name] for name in seconds} == {name: float(wanted[theirs]) / 1000 for name, theirs in seconds.items()}
    sizes = {"memory_bytes": "memory_size", "max_memory_bytes": "max_memory_used"}
    assert {name: row[name] for name in sizes} == {name: int(wanted[theirs]) * 1048576 for name, theirs in sizes.items()}
    assert len(row["messages"]) == 2


@pytest.mark.parametrize(
    ("name", "request_id", "outcome", "seconds", "lines", "events"),
    [
        ("coldstart", "db275f87-a934-471a-8980-b63bf4dc1beb", None, 0.00176, 3, 3),
        ("timeout", "7c9567b5-107b-4a6c-8798-0157ac21db52", "timeout", 3.00316, 4, 4),
        # The START is not in the sample, so three metric lines without an id are nobody's.
        ("lambda_invocation", "f08bb4c8-d6b2-4f05-ac17-af7e2ba005fb", None, 0.61931, 16, None),
    ],
)
def test_subscriptions_are_invocations(  # noqa: PLR0913 - what is expected of one file
    name: str,
    request_id: str,
    outcome: str | None,
    seconds: float,
    lines: int,
    events: int | None,
    ask: Callable[[str, str], Rows],
) -> None:
    """Envelopes of subscriptions, with the function, the version and the stream that they name."""
    sql = "SELECT *, (SELECT count(*) FROM lambda_log) AS events, (SELECT count(*) FROM unread) AS unread FROM lambda_invocation"
    (row,) = ask(f"lambda/datadog-cloudwatch_log_{name}.json", sql)
    envelope = loaded(f"lambda/datadog-cloudwatch_log_{name}.json")
    assert (row["request_id"], row["outcome"], row["request_seconds"], row["line_count"]) == (
        request_id,
        outcome,
        pytest.approx(seconds),
        lines,
    )
    assert (row["log_group"], row["stream"]) == (envelope["logGroup"], envelope["logStream"])
    assert (row["function_name"], row["function_version"]) == (envelope["logGroup"].removeprefix("/aws/lambda/"), "$LATEST")
    assert row["events"] == (events or len(envelope["logEvents"]))
    assert row["unread"] == 0


def test_recorded_events_are_read() -> None:
    """FilterLogEvents of real invocations, whose ids and times upstream replaced by words."""
    found: list[str] = []

    def visit(value: Any) -> None:  # noqa: ANN401 - any JSON value
        if isinstance(value, dict) and isinstance(value.get("message"), str) and "ingestionTime" in value:
            found.append(value["message"])
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            visit(inner)

    visit(loaded("lambda/localstack-lambda-recordings.json"))
    rows = [LAMBDA.layout.read(text.removesuffix("\n")) for text in found]
    assert not [row for row in rows if isinstance(row, Refused)]
    kinds = [row["kind"] for row in rows if isinstance(row, dict)]
    assert kinds[:5] == ["init_start", "start", "error", "end", "report"]
    assert set(kinds) == {"init_start", "start", "error", "end", "report"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "deployment-state-change-9",
            {"kind": "deployment", "event_name": "SERVICE_DEPLOYMENT_IN_PROGRESS", "deployment_id": "ecs-svc/123"},
        ),
        ("service-action-5", {"kind": "service_action", "level": "WARNING", "event_name": "SERVICE_TASK_START_IMPAIRED"}),
        ("service-action-6", {"kind": "service_action", "level": "ERROR", "reason": "RESOURCE:FARGATE", "service_name": "servicetest"}),
        (
            "task-state-change-2",
            {"kind": "task", "last_status": "RUNNING", "version": 4, "private_ip": "10.0.0.139", "interface_id": "eni-abcd1234"},
        ),
    ],
)
def test_documented_ecs_events_are_read(name: str, expected: dict[str, Any], ask: Callable[[str, str], Rows]) -> None:
    """The events of the developer guide, each as a file of its own."""
    (row,) = ask(f"ecs/awsdocs-ecs-{name}.json", "SELECT * FROM ecs_event")
    assert {key: row[key] for key in expected} == expected
    assert (row["account"], row["region"]) == ("111122223333", "us-west-2")


def test_a_container_instance_event_is_of_ecs() -> None:
    """Among the events of EventBridge."""
    text = (CORPUS / "eventbridge" / "lambdago-ecs-container-instance-state-change.json").read_text("utf-8")
    row = ECS.layout.read(text)
    assert ECS.sniff(text, "")
    assert isinstance(row, dict)
    assert (row["kind"], row["instance_id"], row["agent_connected"]) == ("container_instance", "i-f3a8506b", "true")


def test_recorded_tasks_and_services_are_read(ask: Callable[[str, str], Rows]) -> None:
    """Answers as a tool recorded them, with their own way to write a time."""
    (task,) = ask("ecs/custodian-test_ecs_task_by_arn-ecs.DescribeTasks_1.json", "SELECT * FROM ecs_event")
    assert (task["kind"], task["stop_code"], task["last_status"]) == ("task", "TaskFailedToStart", "STOPPED")
    assert task["container_reason"].startswith("CannotPullContainerError: ")
    assert task["created"].isoformat().startswith("2019-01-28T07:59")
    assert task["time"] >= task["created"]


def test_a_recorded_service_is_read(ask: Callable[[str, str], Rows]) -> None:
    """With its events and deployments in the detail, or as rows of their own."""
    rows = ask("ecs/custodian-test_ecs_service_by_arn-ecs.DescribeServices_1.json", "SELECT * FROM ecs_event")
    assert {row["service_name"] for row in rows} == {"test-no-delete"}
    assert "service" in {row["kind"] for row in rows}


@pytest.mark.parametrize(
    ("name", "state", "error"),
    [
        *(("gcdt-GetDeployment_01", "Created", None), ("gcdt-GetDeployment_05", "InProgress", None)),
        *(("gcdt-GetDeployment_10", "InProgress", None), ("gcdt-GetDeployment_11", "Failed", "HEALTH_CONSTRAINTS")),
        *(("gcdt-GetDeployment_12", "Created", None), ("gcdt-GetDeployment_15", "Succeeded", None)),
        ("awscli-deploy-get-deployment-1", "Succeeded", None),
    ],
)
def test_deployments_are_read(name: str, state: str, error: str | None, ask: Callable[[str, str], Rows]) -> None:
    """A poll of one deployment as it was recorded, and the answer of the CLI's manual."""
    (row,) = ask(f"codedeploy/{name}.json", "SELECT *, (SELECT count(*) FROM unread) AS unread FROM codedeploy_deployment")
    assert (row["kind"], row["state"], row["error_type"], row["unread"]) == ("deployment", state, error, 0)
    assert row["time"] is not None
    assert row["deployment_id"].startswith("d-")


@pytest.mark.parametrize(("name", "kind", "failed"), [("instance-1", "instance", "AfterInstall"), ("target-1", "target", None)])
def test_targets_and_their_events_are_read(name: str, kind: str, failed: str | None, ask: Callable[[str, str], Rows]) -> None:
    """Seven lifecycle events each, in their order."""
    sql = (
        "SELECT l.*, d.kind, d.failed_event FROM codedeploy_lifecycle l JOIN codedeploy_deployment d USING (deployment_id) ORDER BY l.ended"
    )
    rows = ask(f"codedeploy/awscli-deploy-get-deployment-{name}.json", sql)
    assert len(rows) == 7
    assert {(row["kind"], row["failed_event"]) for row in rows} == {(kind, failed)}
    assert [row["lifecycle_event"] for row in rows][:2] == ["ApplicationStop", "DownloadBundle"]
    assert DEPLOYMENT.derived[0].table.name == "codedeploy_lifecycle"
