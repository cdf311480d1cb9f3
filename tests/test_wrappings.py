"""Records in odd but real wrappings: each goes to its table, with the columns that it has without them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kyumei import api

if TYPE_CHECKING:
    from pathlib import Path

ACCESS = '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET /api HTTP/1.1" 502 157 "-" "curl/8.5.0"'
CALL = "(0f9c8f6e-1b2c-4d3e-8f90-a1b2c3d4e5f6)"
FIELDS = "${version} ${vpc-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${start} ${end} ${action}"
LINE = '{"level":"error","msg":"boom","time":"2025-02-06T05:32:10Z"}'
NEXT = '{"level":"info","msg":"next","time":"2025-02-06T05:32:11Z"}'
SLOW = """\
# Time: 2025-02-06T05:32:10.250000Z
# User@Host: app[app] @  [10.0.0.9]  Id:    12
# Query_time: 3.000123  Lock_time: 0.000012 Rows_sent: 1  Rows_examined: 100000
SET timestamp=1738819927;
SELECT 1;"""
TASK = {
    "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/prod/0123456789abcdef0123456789abcdef",
    "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/prod",
    "lastStatus": "RUNNING",
    "stopCode": "UserInitiated",
    "stoppingAt": "2025-02-06T05:32:10+00:00",
    "containers": [],
}
PUT = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "awsRegion": "us-east-1",
    "eventTime": "2025-02-06T05:32:10.250Z",
    "eventName": "ObjectCreated:Put",
    "userIdentity": {"principalId": "AWS:EXAMPLE"},
    "s3": {"bucket": {"name": "shop", "arn": "arn:aws:s3:::shop"}, "object": {"key": "a.jpg", "size": 1024}},
}
STATE = {
    "version": "0",
    "id": "1",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2025-02-06T05:32:10Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {"instance-id": "i-abcd1111", "state": "terminated"},
}
ACTIVITY = {
    "ActivityId": "f9f2d65b",
    "AutoScalingGroupName": "shop",
    "Description": "Launching a new EC2 instance",
    "Cause": "a user request",
    "StartTime": "2025-02-06T05:30:00Z",
    "EndTime": "2025-02-06T05:32:10Z",
    "StatusCode": "Failed",
    "StatusMessage": "We currently do not have sufficient m5.large capacity",
}
SCALED = {
    "ActivityId": "e6c5f7d1",
    "ServiceNamespace": "ecs",
    "ResourceId": "service/prod/web",
    "ScalableDimension": "ecs:service:DesiredCount",
    "Cause": "monitor alarm web-low in state ALARM",
    "StartTime": 1738819930.25,
    "StatusCode": "Successful",
}
SAMPLED = {"SampledRequests": [{"Request": {"ClientIP": "203.0.113.9", "URI": "/"}, "Weight": 1, "Action": "BLOCK"}]}
SPAN = {"TimeWindow": {"EndTime": 1581541800.0, "StartTime": 1581537600.0}, "PopulationSize": 1}


def _notified(message: str) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:123456789012:shop", "Message": message})


def _queue(*bodies: str) -> str:
    return json.dumps({"Messages": [{"MessageId": str(n), "ReceiptHandle": "a", "Body": body} for n, body in enumerate(bodies)]}, indent=4)


CASES: dict[str, tuple[str, str, list[tuple[Any, ...]]]] = {
    "objects with a comma at the end": (f"{LINE},\n{NEXT}\n", "SELECT message FROM json_lines", [("boom",), ("next",)]),
    "objects with a comma at the start": (f"{LINE}\n,{NEXT}\n", "SELECT message FROM json_lines", [("boom",), ("next",)]),
    "a damaged first line": (f"{LINE[:-1]}\n{NEXT}\n{NEXT}\n", "SELECT message FROM json_lines", [("next",), ("next",)]),
    "a first line cut in a string": (f"{LINE[:20]}\n{NEXT}\n{NEXT}\n", "SELECT message FROM json_lines", [("next",), ("next",)]),
    "an answer with one event a line": (
        f'{{"events":[{{"timestamp":1,"message":"{CALL} Method completed with status: 504"}},\n{{"timestamp":2,"message":"{CALL} b"}}]}}\n',
        "SELECT status FROM api_gateway_execution",
        [(504,), (None,)],
    ),
    "an exported access line": (
        f"2025-02-06T05:32:10.250Z {ACCESS}\n",
        "SELECT client_ip, host, status FROM nginx_access",
        [("203.0.113.9", None, 502)],
    ),
    "a tailed access line": (
        f"2025-02-06T05:32:10.250000+00:00 web/app/0123 {ACCESS}\n",
        "SELECT client_ip, host, status FROM nginx_access",
        [("203.0.113.9", None, 502)],
    ),
    "an exported line of a program": (
        '2025-02-06T05:32:10.250Z INFO:     203.0.113.9:50000 - "GET /orders HTTP/1.1" 500 Internal Server Error\n',
        "SELECT client_ip, path, status FROM app_log",
        [("203.0.113.9", "/orders", 500)],
    ),
    "an exported event of many lines": (
        f"2025-02-06T05:32:10.300Z {SLOW}\n",
        "SELECT query_seconds, _span FROM mysql_slow",
        [(3.000123, 5)],
    ),
    "a task as stopped": (json.dumps({"task": TASK}, indent=4), "SELECT kind, stop_code FROM ecs_event", [("task", "UserInitiated")]),
    "a notification of S3": (
        json.dumps({"Records": [PUT]}),
        "SELECT source, event_code, subject, time::VARCHAR FROM eventbridge",
        [("aws.s3", "ObjectCreated:Put", "shop", "2025-02-06 05:32:10.25")],
    ),
    "notifications of S3, compact": (
        json.dumps({"Records": [PUT, PUT]}, separators=(",", ":")),
        "SELECT event_code FROM eventbridge",
        [("ObjectCreated:Put",)] * 2,
    ),
    "a queue": (
        _queue(json.dumps({"Records": [PUT]}), json.dumps(STATE), _notified(json.dumps(STATE)), LINE),
        "SELECT source FROM eventbridge UNION ALL SELECT message FROM json_lines ORDER BY 1",
        [("aws.ec2",), ("aws.ec2",), ("aws.s3",), ("boom",)],
    ),
    "activities of a group": (
        json.dumps({"Activities": [ACTIVITY]}),
        "SELECT source, state, reason, subject, time::VARCHAR FROM eventbridge",
        [("aws.autoscaling", "Failed", "We currently do not have sufficient m5.large capacity", "shop", "2025-02-06 05:32:10")],
    ),
    "activities of a scalable target": (
        json.dumps({"ScalingActivities": [SCALED]}),
        "SELECT source, state, subject, execution_id FROM eventbridge",
        [("aws.application-autoscaling", "Successful", "service/prod/web", "e6c5f7d1")],
    ),
    "sampled requests under any name": (
        json.dumps(SAMPLED, indent=2),
        "SELECT service, operation, document->>'$.Request.URI' FROM resource_snapshot",
        [("wafv2", "get-sampled-requests", "/")],
    ),
    "sampled requests, the span first": (
        json.dumps(SPAN | SAMPLED),
        "SELECT document->>'$.Action' FROM resource_snapshot",
        [("BLOCK",)],
    ),
    "the format of a flow log as its header": (
        f"{FIELDS}\n3 vpc-1 10.0.0.5 10.0.0.6 443 50000 1738819930 1738819990 REJECT\n",
        "SELECT action, src_port FROM vpc_flow",
        [("REJECT", 443)],
    ),
    "an answer of AWS in a container's line": (
        json.dumps(
            {"log": json.dumps({"Timestamp": "2025-02-06T05:32:10Z", "Status": "x"}), "stream": "stdout", "time": "2025-02-06T05:32:10Z"}
        )
        + "\n",
        "SELECT count(*) FROM json_lines",
        [(1,)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_records_go_where_they_belong(tmp_path: Path, case: str) -> None:
    """The rows are those of the record, whatever stands around it."""
    text, sql, expected = CASES[case]
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "0.log").write_text(text, "utf-8")
    with api.query(folder, sql, cache=tmp_path / "cache") as answer:
        assert [tuple(row) for row in answer.rows] == expected
