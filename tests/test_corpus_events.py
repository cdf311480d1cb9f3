"""Public samples of events and answers: EventBridge, alarms, stacks, Step Functions, CloudWatch Logs; each agrees with its project."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kyumei import discover
from kyumei.store.unwrap import Record, records

CORPUS = Path(os.environ.get("KYUMEI_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "corpus"))
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}")


def _read(text: str) -> tuple[str, dict[str, Any]]:
    """The table that claims a record, and its row; exactly one does."""
    [claimed] = [name for name, leaf in discover.formats().items() if leaf.sniff(text, "x.json")]
    row = discover.formats()[claimed].layout.read(text)
    assert isinstance(row, dict)
    return claimed, row


def _document(name: str) -> list[Record]:
    found = list(records((CORPUS / name).read_text("utf-8"), name))
    assert all(isinstance(one, Record) for one in found)
    return [one for one in found if isinstance(one, Record)]


def _inside(value: Any, *keys: str) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """The objects that have all the keys, wherever they lie: localstack's own wrapping is none of AWS's."""
    if isinstance(value, list):
        return [found for item in value for found in _inside(item, *keys)]
    if not isinstance(value, dict):
        return []
    return [value] if set(keys) <= value.keys() else [found for item in value.values() for found in _inside(item, *keys)]


EVENTS = {
    "custodian-event-instance-state.json": {"state": "pending", "instance_id": "i-a2d74f12", "account": "101010101111"},
    "custodian-event-asg-instance-failed.json": {"state": "Failed", "subject": "CustodianTest", "region": "us-west-2"},
    "custodian-event-phd-ec2-retire.json": {
        "event_code": "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
        "resource": "i-00ddbf07ce6372082",
    },
    "lambdago-autoscaling-event-launch-unsuccessful.json": {
        "state": "Failed",
        "reason": "message-text",
        "instance_id": "i-1234567890abcdef0",
    },
    "lambdago-codebuild-state-change.json": {"state": "SUCCEEDED", "subject": "my-sample-project"},
    "lambdago-codepipeline-action-execution-stage-change-event.json": {
        "state": "STARTED",
        "execution_id": "01234567-0123-0123-0123-012345678901",
    },
    "lambdago-codedeploy-deployment-event.json": {"state": "SUCCESS", "execution_id": "d-123456789"},
    "lambdago-ecr-image-scan-event.json": {"state": "COMPLETE", "subject": "tribble-image-scan-test"},
}


@pytest.mark.parametrize("name", EVENTS)
def test_events(name: str) -> None:
    """Each file is one event, with the state that its service tells."""
    [record] = _document(f"eventbridge/{name}")
    claimed, row = _read(record.text)
    assert claimed == "eventbridge"
    assert {column: row[column] for column in EVENTS[name]} == EVENTS[name]
    assert row["_extra"] is None
    event = json.loads(record.text)
    assert (row["source"], row["event_id"]) == (event["source"], event["id"])
    assert f"{row['time']:%Y-%m-%dT%H:%M:%SZ}" == event["time"]


def test_times_in_words() -> None:
    """AWS Health writes RFC 1123, CodeBuild an American clock."""
    health = _read(_document("eventbridge/custodian-event-phd-ec2-retire.json")[0].text)[1]
    build = _read(_document("eventbridge/lambdago-codebuild-state-change.json")[0].text)[1]
    assert f"{health['start_time']:%Y-%m-%d %H:%M:%S}" == "2018-11-01 22:00:00"
    assert f"{build['start_time']:%Y-%m-%d %H:%M:%S}" == "2017-09-01 16:12:29"


def test_alarm_by_sns() -> None:
    """aws-lambda-go: the alarm in the message of the notification that Lambda is given."""
    [record] = _document("eventbridge/lambdago-cloudwatch-alarm-sns-payload-single-metric.json")
    claimed, row = _read(record.text)
    assert claimed == "alarm"
    assert (row["alarm"], row["state"], row["previous_state"], row["metric"]) == ("EXAMPLE", "ALARM", "INSUFFICIENT_DATA", "NetworkOut")
    assert (row["stat"], row["threshold"], row["dimension_values"]) == ("Average", 0.0, ["InstanceId=TestInstance"])
    assert f"{row['time']:%Y-%m-%dT%H:%M:%S.%f}" == "2015-06-03T17:43:27.123000"


@pytest.mark.parametrize(("name", "count"), [("localstack-invalid-getatt.json", 4), ("localstack-invalid-property.json", 1)])
def test_stack_events(name: str, count: int) -> None:
    """localstack: the events of a stack, whose ids and times upstream replaced."""
    found = _inside(json.loads((CORPUS / "cloudformation" / name).read_text("utf-8")), "StackId", "ResourceStatus")
    assert len(found) == count
    for event in found:
        claimed, row = _read(json.dumps(event))
        assert claimed == "cloudformation_event"
        assert (row["logical_id"], row["resource_status"]) == (event["LogicalResourceId"], event["ResourceStatus"])
        assert row["_extra"] == {"Timestamp": "timestamp"}
        assert row["failure"] == ("own" if event["ResourceStatus"].endswith("_FAILED") else None)


STEPS = {
    "localstack-cloudwatch-logged-events.json": {"ExecutionFailed": "SomeFailure"},
    "localstack-timeouts.json": {"TaskTimedOut": "States.Timeout", "ExecutionFailed": "States.Timeout"},
    "localstack-lambda-task-failures.json": {"TaskFailed": "Exception"},
    "localstack-ecs-run-task-failure.json": {"TaskFailed": "States.TaskFailed"},
}


@pytest.mark.parametrize("name", STEPS)
def test_step_functions(name: str) -> None:
    """localstack: histories and log records, with the errors that upstream saw; times are placeholders."""
    document = json.loads((CORPUS / "stepfunctions" / name).read_text("utf-8"))
    found = _inside(document, "previousEventId", "type") + _inside(document, "previous_event_id", "type")
    assert found
    errors: dict[str, set[str | None]] = {}
    for event in found:
        claimed, row = _read(json.dumps(event))
        assert claimed == "step_functions"
        assert row["event_type"] == event["type"]
        assert str(row["event_number"]) == str(event["id"])
        errors.setdefault(row["event_type"], set()).add(row["error_type"])
    assert all(error in errors[sort] for sort, error in STEPS[name].items())


def test_cause_of_a_function_and_of_a_task() -> None:
    """The sentence in the report of a failed function, and of an ECS task."""
    texts = []
    for name in ("localstack-lambda-task-failures.json", "localstack-ecs-run-task-failure.json"):
        document = json.loads((CORPUS / "stepfunctions" / name).read_text("utf-8"))
        failed = next(event for event in _inside(document, "previousEventId", "type") if event["type"] == "TaskFailed")
        texts.append(_read(json.dumps(failed))[1]["error_text"])
    assert texts[0] == "Some exception was raised."
    assert texts[1].startswith("CannotPullContainerError: pull image manifest has been retried 1 time(s)")


LOGS = [
    ("cloudwatch_logs_api/awscli-logs-get-log-events-1.json", ["Example Event 1", "Example Event 1", "Example Event 2"]),
    ("cloudwatch_subscription/lambdago-cloudwatch-logs-event.json", ["[ERROR] First test message", "[ERROR] Second test message"]),
]


@pytest.mark.parametrize(("name", "expected"), LOGS, ids=[name for name, _ in LOGS])
def test_messages(name: str, expected: list[str]) -> None:
    """Messages as their projects' own tests name them."""
    assert [record.text for record in _document(name)] == expected


def test_custodian_log_events() -> None:
    """custodian: six events, one of several lines, each with the time of its envelope."""
    found = _document("cloudwatch_logs_api/custodian-logs.GetLogEvents_1.json")
    assert [record.time_ms for record in found][:2] == [1480435544699, 1480435545906]
    assert len(found) == 6
    assert found[1].text.endswith("AssertionError: Lambda function role must be specified")


def test_vrl_subscription() -> None:
    """vrl: group, stream, time and message of both events."""
    expected = json.loads((CORPUS / "cloudwatch_subscription/vrl-data-message.expected.json").read_text("utf-8"))["expected"]
    found = _document("cloudwatch_subscription/vrl-data-message.json")
    assert [(record.group, record.stream, record.text) for record in found] == [
        (expected["log_group"], expected["log_stream"], event["message"]) for event in expected["log_events"]
    ]
    assert [record.time_ms for record in found] == [1600110569039, 1600110569041]
