"""Answers of AWS in a case: events are rows of their own table, a state is a resource, and what is both is both."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from kyumei.formats.resource_snapshot import LOG_OPERATIONS, STATE_AND_ROWS
from tests import ledger

if TYPE_CHECKING:
    from pathlib import Path

STACK = {
    "StackId": "arn:aws:cloudformation:ap-northeast-1:123456789012:stack/shop/1",
    "EventId": "e-1",
    "StackName": "shop",
    "LogicalResourceId": "Service",
    "ResourceType": "AWS::ECS::Service",
    "Timestamp": "2025-02-06T05:32:10.123000+00:00",
    "ResourceStatus": "CREATE_FAILED",
}
ALARM = {
    "AlarmName": "shop-502",
    "AlarmArn": "arn:aws:cloudwatch:ap-northeast-1:123456789012:alarm:shop-502",
    "StateValue": "ALARM",
    "StateUpdatedTimestamp": "2025-02-06T05:34:12Z",
}
POINTS = {"Id": "m1", "Label": "RequestCount", "Timestamps": ["2025-02-06T05:32:00Z", "2025-02-06T05:33:00Z"], "Values": [1, 2]}
HISTORY = {"AlarmName": "shop-502", "Timestamp": "2025-02-06T05:34:12Z", "HistoryItemType": "Action", "HistorySummary": "x"}
EVENT = {"timestamp": "2025-02-06T05:32:10Z", "type": "ExecutionFailed", "id": 2, "previousEventId": 1}
PERIOD = {
    "TimePeriod": {"Start": "2025-02-05", "End": "2025-02-06"},
    "Total": {"UnblendedCost": {"Amount": "2", "Unit": "USD"}},
    "Groups": [],
    "Estimated": True,
}
ANSWERS: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("cloudformation/describe-stack-events.shop", {"StackEvents": [STACK, STACK]}, {"cloudformation_event": 2}),
    ("stepfunctions/get-execution-history", {"events": [EVENT]}, {"step_functions": 1}),
    ("cloudwatch/describe-alarm-history", {"AlarmHistoryItems": [HISTORY]}, {"alarm": 1}),
    ("cloudwatch/describe-alarms", {"MetricAlarms": [ALARM], "CompositeAlarms": [ALARM]}, {"resource_snapshot": 2, "alarm": 2}),
    ("cloudwatch/get-metric-data", {"MetricDataResults": [POINTS], "Messages": []}, {"resource_snapshot": 1, "metric": 2}),
    (
        "cloudwatch/get-metric-statistics.CPU",
        {"Label": "CPUUtilization", "Datapoints": [{"Timestamp": "2025-02-06T05:32:00Z", "Average": 1.5, "Unit": "Percent"}]},
        {"resource_snapshot": 1, "metric": 1},
    ),
    ("ce/get-cost-and-usage", {"ResultsByTime": [PERIOD, PERIOD]}, {"resource_snapshot": 2, "cost": 2}),
    ("ec2/describe-vpcs", {"Vpcs": [{"VpcId": "vpc-1"}]}, {"resource_snapshot": 1}),
]


def _counted(root: Path) -> dict[str, int]:
    """How many rows each table has; nothing may be unread."""
    case = ledger.opened(root, root.parent / "cache")
    try:
        assert case.rows("SELECT * FROM unread") == []
        tables = [row["table_name"] for row in case.rows("SELECT table_name FROM duckdb_tables() WHERE column_count > 5")]
        return {
            name: count
            for name in tables
            if not name.startswith("_") and name != "artifacts" and (count := case.value(f'SELECT count(*) FROM "{name}"'))
        }
    finally:
        case.close()


@pytest.mark.parametrize(("operation", "answer", "expected"), ANSWERS, ids=[operation for operation, *_ in ANSWERS])
@pytest.mark.parametrize("indent", [None, 4])
def test_stored_answers(tmp_path: Path, operation: str, answer: dict[str, Any], expected: dict[str, int], indent: int | None) -> None:
    """At its place in a case, as the AWS CLI printed it."""
    place = tmp_path / "case" / "aws" / "123456789012" / "ap-northeast-1" / f"{operation}.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(answer, indent=indent), "utf-8")
    assert _counted(tmp_path / "case") == expected


@pytest.mark.parametrize(("operation", "answer", "expected"), ANSWERS[:-1], ids=[operation for operation, *_ in ANSWERS[:-1]])
def test_answers_anywhere(tmp_path: Path, operation: str, answer: dict[str, Any], expected: dict[str, int]) -> None:
    """An answer that lies elsewhere tells no operation: it is read for its rows alone, whatever its name."""
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / f"{operation.replace('/', '-')}.json.gz").write_bytes(
        gzip.compress(json.dumps(answer, indent=1).encode(), mtime=0)
    )
    expected = {name: count for name, count in expected.items() if name != "resource_snapshot"}
    assert _counted(tmp_path / "case") == expected


def test_rows_of_an_answer_cite_their_line(tmp_path: Path) -> None:
    """The row of a point stands on the line of its time, and says that the answer is a resource, too."""
    place = tmp_path / "case" / "aws" / "cloudwatch" / "get-metric-data.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"MetricDataResults": [POINTS]}, indent=2), "utf-8")
    case = ledger.opened(tmp_path / "case", tmp_path / "cache")
    try:
        rows = case.rows("SELECT _line, _via, _text, value, period_seconds FROM metric ORDER BY 1")
        assert [(row["_via"], row["_text"], row["value"], row["period_seconds"]) for row in rows] == [
            ("resource_snapshot", None, 1.0, 60),
            ("resource_snapshot", None, 2.0, 60),
        ]
        lines = place.read_text("utf-8").split("\n")
        assert ["2025-02-06T05:32:00Z" in lines[rows[0]["_line"] - 1], "2025-02-06T05:33:00Z" in lines[rows[1]["_line"] - 1]] == [
            True,
            True,
        ]
    finally:
        case.close()


def test_no_operation_is_both_log_and_state() -> None:
    """An answer is read in one way."""
    assert not LOG_OPERATIONS & STATE_AND_ROWS


def test_tail_of_logs(tmp_path: Path) -> None:
    """``aws logs tail``, detailed and short: the messages are the records, and have the time in front when they state none."""
    (tmp_path / "case").mkdir()
    detailed = [
        f'2025-02-06T05:32:1{n}.123000+00:00 web/app/1 192.0.2.{n} - - [06/Feb/2025:05:32:1{n} +0000] "GET / HTTP/1.1" 200 5'
        for n in range(9)
    ]
    (tmp_path / "case" / "detailed.log").write_text("\n".join(detailed) + "\n", "utf-8")
    short = [f'2025-02-06T05:32:1{n} {{"level":"info","message":"x{n}"}}' for n in range(9)]
    (tmp_path / "case" / "short.log").write_text("\n".join(short) + "\n", "utf-8")
    case = ledger.opened(tmp_path / "case", tmp_path / "cache")
    try:
        assert case.value("SELECT count(*) FROM unread") == 0
        assert case.value("SELECT count(*) FROM nginx_access") == 9
        [first] = case.rows("SELECT time, _naive FROM json_lines ORDER BY _line LIMIT 1")
        assert (f"{first['time']:%H:%M:%S}", first["_naive"]) == ("05:32:10", 0)
    finally:
        case.close()
