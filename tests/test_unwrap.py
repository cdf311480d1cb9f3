"""Wrapped logs: every shape gives its records with their lines, broken tails are kept, and nothing is lost or hangs."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei.store.unwrap import Broken, Record, group_of, records, strip_export_time, wrapper_lines


def _found(text: str, name: str = "") -> list[Record | Broken]:
    return list(records(text, name))


def _texts(text: str, name: str = "") -> list[tuple[int, str]]:
    return [(record.line, record.text) for record in _found(text, name)]


def _packed(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


ENVELOPE = {
    "messageType": "DATA_MESSAGE",
    "owner": "123456789012",
    "logGroup": "aws-waf-logs-shop",
    "logStream": "ap-northeast-1_shop_0",
    "subscriptionFilters": ["all"],
    "logEvents": [
        {"id": "1", "timestamp": 1738819930123, "message": "one\n"},
        {"id": "2", "timestamp": 1738819930124, "message": "two\nthree"},
    ],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1}', [(1, '{"a":1}')]),
        ('\ufeff\n {"a":1}\n', [(2, '{"a":1}')]),
        ('{"a":1}\n{"a":2}\r\n\n{"a":3}', [(1, '{"a":1}'), (2, '{"a":2}'), (4, '{"a":3}')]),
        ('{"a":1}{"a":2}{"a":3}', [(1, '{"a":1}'), (1, '{"a":2}'), (1, '{"a":3}')]),
        ('{\n "a": 1\n}\n{\n "a": 2\n}', [(1, '{\n "a": 1\n}'), (4, '{\n "a": 2\n}')]),
        ('[\n {"a":1},\n {"a":2}\n]', [(2, '{"a":1}'), (3, '{"a":2}')]),
        ('["x\\ny", 1]', [(1, "x\ny"), (1, "1")]),
        ('{"Records":[\n{"eventVersion":"1.1"},\n{"eventVersion":"1.0"}]}', [(2, '{"eventVersion":"1.1"}'), (3, '{"eventVersion":"1.0"}')]),
        ('{"Records":[]}', []),
        ('{"a":1,}', [(1, '{"a":1,}')]),
        ('{"msg":"x","events":[{"message":"inner"}]}', [(1, '{"msg":"x","events":[{"message":"inner"}]}')]),
        ('{"events":[{"timestamp":1,"type":"TaskFailed","id":2}]}', [(1, '{"timestamp":1,"type":"TaskFailed","id":2}')]),
    ],
)
def test_documents(text: str, expected: list[tuple[int, str]]) -> None:
    """A document, an array, objects one after another, glued or pretty-printed, and envelopes."""
    assert _texts(text) == expected


def test_filter_log_events() -> None:
    """The inner message is the record; the file's name tells the group."""
    text = json.dumps(
        {
            "events": [{"logStreamName": "s", "timestamp": 5, "message": "a\nb\n", "eventId": "1"}],
            "searchedLogStreams": [],
            "nextToken": "t",
        },
        indent=1,
    )
    [record] = _found(text, "case/aws/logs/filter-log-events.%2Faws%2Flambda%2Forders.json")
    assert record == Record(3, "a\nb", 5, "s", "/aws/lambda/orders", "events", 6)
    assert wrapper_lines(text, [record]) == 6


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("aws/logs/filter-log-events.aws-waf-logs-shop.json", "aws-waf-logs-shop"),
        ("aws/logs/get-log-events.a.b%2Fc.json.gz", "a.b/c"),
        ("aws/logs/filter-log-events.json", ""),
        ("aws/ec2/describe-instances.x.json", ""),
        ("app.log", ""),
    ],
)
def test_group_of(name: str, group: str) -> None:
    """Only the answers of CloudWatch Logs name a group."""
    assert group_of(name) == group


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ENVELOPE),
        json.dumps({"awslogs": {"data": _packed(ENVELOPE)}}),
        json.dumps({"Records": [{"kinesis": {"data": _packed(ENVELOPE)}, "eventSource": "aws:kinesis"}]}),
        json.dumps({"requestId": "1", "records": [{"recordId": "1", "data": _packed(ENVELOPE)}]}),
        json.dumps([ENVELOPE]),
    ],
    ids=["plain", "lambda", "kinesis", "firehose", "array"],
)
def test_subscriptions(text: str) -> None:
    """A subscription's envelope, however it is packed."""
    found = _found(text)
    assert [(one.text, one.line) for one in found] == [("one", 1), ("two\nthree", 1)]
    assert all(isinstance(one, Record) and one.group == "aws-waf-logs-shop" and one.stream == "ap-northeast-1_shop_0" for one in found)
    assert [one.time_ms for one in found if isinstance(one, Record)] == [1738819930123, 1738819930124]


def test_envelopes_glued_by_firehose() -> None:
    """Several envelopes with nothing between them, a control message among them, which is kept with a word."""
    control = {
        **ENVELOPE,
        "messageType": "CONTROL_MESSAGE",
        "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health"}],
    }
    found = _found(json.dumps(ENVELOPE) + json.dumps(control) + json.dumps(ENVELOPE))
    assert [type(one) for one in found] == [Record, Record, Broken, Record, Record]
    assert "control message" in next(one.why for one in found if isinstance(one, Broken))


@pytest.mark.parametrize(
    "data", ["%%%", base64.b64encode(gzip.compress(b"x" * 100, mtime=0)[:-12]).decode(), base64.b64encode(b"\x1f\x8bxxxx").decode()]
)
def test_damaged_package(data: str) -> None:
    """A package that cannot be unpacked is kept as it lies there."""
    text = json.dumps({"awslogs": {"data": data}})
    found = _found(text)
    assert found == [Broken(1, text, "the packed data cannot be unpacked")] or all(isinstance(one, Record) for one in found)


def test_package_in_package_ends() -> None:
    """Packages inside packages are opened a few times and then kept."""
    inner: Any = {"awslogs": {"data": _packed(ENVELOPE)}}
    for _ in range(20):
        inner = {"awslogs": {"data": _packed(inner)}}
    assert [type(one) for one in _found(json.dumps(inner))] == [Broken]


def test_insights() -> None:
    """A row gives its message and time, or all its fields as an object."""
    rows = [
        [
            {"field": "@timestamp", "value": "2025-02-06 05:32:10.123"},
            {"field": "@message", "value": "hello\n"},
            {"field": "@log", "value": "123456789012:/g"},
        ],
        [{"field": "status", "value": "403"}, {"field": "n", "value": "7"}, {"field": "@ptr", "value": "CmE="}],
    ]
    found = _found(json.dumps({"results": rows, "statistics": {"recordsMatched": 2}, "status": "Complete"}))
    assert found == [Record(1, "hello", 1738819930123, "", "/g", "results"), Record(1, '{"status":"403","n":"7"}', None, "", "", "results")]


def test_lookup_events() -> None:
    """The event is a text inside each item."""
    found = _texts(json.dumps({"Events": [{"EventId": "1", "CloudTrailEvent": '{"eventVersion":"1.08"}'}], "NextToken": "t"}))
    assert found == [(1, '{"eventVersion":"1.08"}')]


POINTS = {
    "MetricDataResults": [
        {
            "Id": "m1",
            "Label": "CPUUtilization",
            "Timestamps": ["2025-02-06T05:32:00Z", 1738819800],
            "Values": [1.5, 2],
            "StatusCode": "Complete",
        },
        {"Id": "m2", "Label": "none", "Timestamps": [], "Values": []},
        {"Id": "m3", "Timestamps": ["2025-02-06T05:32:00Z"], "Values": []},
    ],
    "Messages": [],
}
STATISTICS = {
    "Label": "CPUUtilization",
    "Datapoints": [
        {"Timestamp": "2025-02-06T05:32:00Z", "Average": 1.5, "Maximum": 2, "Unit": "Percent"},
        {"Timestamp": "2025-02-06T05:33:00Z", "ExtendedStatistics": {"p99": 3}, "Unit": "Percent"},
        {"Timestamp": "2025-02-06T05:34:00Z", "Unit": "Percent"},
    ],
}
COSTS = {
    "GroupDefinitions": [{"Type": "DIMENSION", "Key": "SERVICE"}],
    "ResultsByTime": [
        {
            "TimePeriod": {"Start": "2025-02-01", "End": "2025-02-02"},
            "Total": {},
            "Groups": [
                {"Keys": ["AWS Lambda"], "Metrics": {"UnblendedCost": {"Amount": "1.5", "Unit": "USD"}, "UsageQuantity": {"Amount": "7"}}},
                {"Keys": ["Amazon S3"], "Metrics": {"UnblendedCost": {"Amount": "0", "Unit": "USD"}}},
            ],
            "Estimated": True,
        },
        {
            "TimePeriod": {"Start": "2025-02-02", "End": "2025-02-03"},
            "Total": {"UnblendedCost": {"Amount": "2", "Unit": "USD"}},
            "Groups": [],
        },
    ],
    "DimensionValueAttributes": [],
}
LOAD = {
    "AlignedStartTime": 1.0,
    "AlignedEndTime": 2.0,
    "Identifier": "db-X",
    "MetricList": [
        {"Key": {"Metric": "db.load.avg"}, "DataPoints": [{"Timestamp": 1.0, "Value": 0.5}, {"Timestamp": 2.0}]},
        {"Key": {"Metric": "db.load.avg", "Dimensions": {"db.sql.id": "A"}}, "DataPoints": []},
    ],
}
SEGMENT = '{"name":"a","id":"1"}'
TRACES = {
    "Traces": [
        {"Id": "1-2", "Duration": 1.2, "Segments": [{"Id": "a", "Document": SEGMENT}, {"Id": "b", "Document": {"name": "b"}}, {"Id": "c"}]}
    ],
    "UnprocessedTraceIds": [],
}
NOTIFIED = {
    "Type": "Notification",
    "MessageId": "1",
    "TopicArn": "arn:aws:sns:ap-northeast-1:123456789012:t",
    "Message": '{"AlarmName":"a"}',
}
PERIOD = {"TimePeriod": {"Start": "2025-02-01", "End": "2025-02-02"}, "Estimated": True}
BY = {"GroupDefinitions": [{"Type": "DIMENSION", "Key": "SERVICE"}]}
APART = {"Period": 120}
ANSWERS: list[tuple[dict[str, Any], list[tuple[int, Any]]]] = [
    (
        POINTS,
        [
            (
                7,
                {
                    "Timestamp": "2025-02-06T05:32:00Z",
                    "Value": 1.5,
                    "Id": "m1",
                    "Label": "CPUUtilization",
                    "StatusCode": "Complete",
                    **APART,
                },
            ),
            (8, {"Timestamp": 1738819800, "Value": 2, "Id": "m1", "Label": "CPUUtilization", "StatusCode": "Complete", **APART}),
            (22, {"Id": "m3", "Timestamps": ["2025-02-06T05:32:00Z"], "Values": []}),
        ],
    ),
    (
        STATISTICS,
        [
            (
                4,
                {
                    "Timestamp": "2025-02-06T05:32:00Z",
                    "Unit": "Percent",
                    "Statistic": "Average",
                    "Value": 1.5,
                    "Label": "CPUUtilization",
                    "Period": 60,
                },
            ),
            (
                4,
                {
                    "Timestamp": "2025-02-06T05:32:00Z",
                    "Unit": "Percent",
                    "Statistic": "Maximum",
                    "Value": 2,
                    "Label": "CPUUtilization",
                    "Period": 60,
                },
            ),
            (
                10,
                {
                    "Timestamp": "2025-02-06T05:33:00Z",
                    "Unit": "Percent",
                    "Statistic": "p99",
                    "Value": 3,
                    "Label": "CPUUtilization",
                    "Period": 60,
                },
            ),
            (17, {"Timestamp": "2025-02-06T05:34:00Z", "Unit": "Percent"}),
        ],
    ),
    (
        COSTS,
        [
            (16, {**PERIOD, "Keys": ["AWS Lambda"], **BY, "Metric": "UnblendedCost", "Amount": "1.5", "Unit": "USD"}),
            (16, {**PERIOD, "Keys": ["AWS Lambda"], **BY, "Metric": "UsageQuantity", "Amount": "7"}),
            (30, {**PERIOD, "Keys": ["Amazon S3"], **BY, "Metric": "UnblendedCost", "Amount": "0", "Unit": "USD"}),
            (
                44,
                {"TimePeriod": {"Start": "2025-02-02", "End": "2025-02-03"}, "Metric": "UnblendedCost", "Amount": "2", "Unit": "USD"},
            ),
        ],
    ),
    (
        LOAD,
        [
            (11, {"Identifier": "db-X", "Key": {"Metric": "db.load.avg"}, "Timestamp": 1.0, "Value": 0.5}),
            (15, {"Identifier": "db-X", "Key": {"Metric": "db.load.avg"}, "Timestamp": 2.0}),
        ],
    ),
    (
        {
            "AlignedStartTime": 1.0,
            "AlignedEndTime": 2.0,
            "PartitionKeys": [{"Dimensions": {}}],
            "Keys": [{"Dimensions": {"x": "y"}, "Total": 0.5}],
        },
        [
            (
                10,
                {
                    "AlignedStartTime": 1.0,
                    "AlignedEndTime": 2.0,
                    "PartitionKeys": [{"Dimensions": {}}],
                    "Dimensions": {"x": "y"},
                    "Total": 0.5,
                },
            )
        ],
    ),
    (TRACES, [(7, {"name": "a", "id": "1"}), (11, {"name": "b"}), (17, {"Id": "c"})]),
    ({"TraceSummaries": [{"Id": "1"}], "ApproximateTime": 1.0, "TracesProcessedCount": 1}, [(3, {"Id": "1"})]),
    ({"Services": [{"ReferenceId": 0, "Edges": []}], "StartTime": 1.0, "EndTime": 2.0}, [(3, {"ReferenceId": 0, "Edges": []})]),
    ({"StackEvents": [{"EventId": "1"}], "NextToken": "t"}, [(3, {"EventId": "1"})]),
    ({"AlarmHistoryItems": [{"AlarmName": "a"}]}, [(3, {"AlarmName": "a"})]),
    ({"MetricAlarms": [{"AlarmName": "a"}], "CompositeAlarms": [{"AlarmName": "b"}]}, [(3, {"AlarmName": "a"}), (8, {"AlarmName": "b"})]),
    ({"Findings": [{"SchemaVersion": "2.0"}], "NextToken": ""}, [(3, {"SchemaVersion": "2.0"})]),
    (
        {"Events": [{"Message": "x", "Date": "d", "SourceType": "db-instance"}], "Marker": "m"},
        [(3, {"Message": "x", "Date": "d", "SourceType": "db-instance"})],
    ),
    (
        {"events": [{"timestamp": 1.5, "type": "TaskFailed", "id": 2}], "nextToken": "t"},
        [(3, {"timestamp": 1.5, "type": "TaskFailed", "id": 2})],
    ),
    (
        {"QueryStatus": "FINISHED", "QueryResultRows": [[{"eventTime": "x"}, {"eventName": "y"}], [{"eventTime": "z"}]], "NextToken": "t"},
        [(4, {"eventTime": "x", "eventName": "y"}), (12, {"eventTime": "z"})],
    ),
    ({"tasks": [{"taskArn": "a"}], "failures": []}, [(3, {"taskArn": "a"})]),
    ({"services": [{"serviceArn": "a"}], "failures": []}, [(3, {"serviceArn": "a"})]),
    ({"apiVersion": "v1", "kind": "List", "items": [{"kind": "Event"}], "metadata": {}}, [(5, {"kind": "Event"})]),
    (NOTIFIED, [(1, {"AlarmName": "a"})]),
    ({**NOTIFIED, "Message": "[plain]"}, [(1, {**NOTIFIED, "Message": "[plain]"})]),
    ({"Records": [{"EventSource": "aws:sns", "Sns": NOTIFIED}]}, [(3, {"AlarmName": "a"})]),
    ({"Records": [{"eventSource": "aws:sqs", "body": json.dumps(NOTIFIED)}]}, [(3, {"AlarmName": "a"})]),
    ({"Records": [{"eventSource": "aws:sqs", "body": "plain"}]}, [(3, {"eventSource": "aws:sqs", "body": "plain"})]),
    ({"items": [{"a": 1}]}, [(1, {"items": [{"a": 1}]})]),
    ({"tasks": ["sweep"]}, [(1, {"tasks": ["sweep"]})]),
    ({"services": [{"name": "x"}]}, [(1, {"services": [{"name": "x"}]})]),
    ({"Keys": ["a"]}, [(1, {"Keys": ["a"]})]),
    ({"Services": [{"name": "x"}], "level": "info"}, [(1, {"Services": [{"name": "x"}], "level": "info"})]),
]


@pytest.mark.parametrize(
    ("answer", "expected"), ANSWERS, ids=[f"{number}-{next(iter(answer))}" for number, (answer, _) in enumerate(ANSWERS)]
)
def test_answers(answer: Any, expected: list[tuple[int, Any]]) -> None:  # noqa: ANN401 - any JSON value
    """Each answer gives its records, with the line on which each starts; what only looks like one is a record itself."""
    text = json.dumps(answer, indent=1)
    found = _found(text)
    assert [(one.line, json.loads(one.text)) for one in found] == expected
    assert all(isinstance(one, Record) for one in found)
    covered = {line for one in found for line in range(one.line, one.line + one.span)}
    assert max(covered) <= text.count("\n") + 1
    assert len(covered) + wrapper_lines(text, found) == text.count("\n") + 1
    assert [json.loads(one.text) for one in _found(json.dumps(answer))] == [record for _, record in expected]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


def test_daemon_header() -> None:
    """What the daemon of X-Ray is sent before each document is wrapping."""
    text = '{"format": "json", "version": 1}\n{"name":"a"}\n{"format":"json","version":1}{"name":"b"}'
    assert _texts(text) == [(2, '{"name":"a"}'), (3, '{"name":"b"}')]


def test_package_of_several_members_and_layers() -> None:
    """Members of gzip one after another are one text, and gzip may lie in gzip."""
    members = b"".join(gzip.compress(json.dumps(one).encode(), mtime=0) for one in (ENVELOPE, ENVELOPE))
    for packed in (members, gzip.compress(members, mtime=0)):
        text = json.dumps({"awslogs": {"data": base64.b64encode(packed).decode()}})
        assert [text for _, text in _texts(text)] == ["one", "two\nthree"] * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"a":1},\n{"b":2},\n{"c":', [(1, '{"a":1}', ""), (2, '{"b":2}', ""), (3, '{"c":', "cut off")]),
        ('{"events":[{"message":"x","timestamp":1},\n{"mess', [(1, "x", ""), (2, '{"mess', "cut off")]),
        ('{"a":1}\n{"b":2\n{"c":3}', [(1, '{"a":1}', ""), (2, '{"b":2', "comma"), (3, '{"c":3}', "")]),
        ('{"a":1}\nplain text\n{"b":2}', [(1, '{"a":1}', ""), (2, "plain text", "not JSON"), (3, '{"b":2}', "")]),
        ('{"a":"x\n{"b":2}', [(1, '{"a":"x', "control character"), (2, '{"b":2}', "")]),
        ('{"Records":[{"a":1}{"b":2}]}', [(1, '{"a":1}', ""), (1, '{"b":2}]}', "comma")]),
        ('{"a":' + "[" * 3000, [(1, '{"a":' + "[" * 3000, "deeply")]),
    ],
)
def test_broken_tails_are_kept(text: str, expected: list[tuple[int, str, str]]) -> None:
    """What was readable is read, the rest is kept with its line and the reason."""
    found = _found(text)
    assert [(one.line, one.text) for one in found] == [(line, kept) for line, kept, _ in expected]
    for one, (_, _, why) in zip(found, expected, strict=True):
        assert isinstance(one, Broken) == bool(why)
        assert not isinstance(one, Broken) or why in one.why


def test_console_csv() -> None:
    """Milliseconds and a message, quoted where it must be, also over several lines; an open quote is kept."""
    text = 'timestamp,message\r\n1433190184356,"a ""q"", b\nsecond"\r\n1433190184357,plain, really\nno time\n\n1433190184358,"open\nend'
    assert _found(text) == [
        Record(2, 'a "q", b\nsecond', 1433190184356, origin="csv", span=2),
        Record(4, "plain, really", 1433190184357, origin="csv"),
        Broken(5, "no time", "no time in milliseconds before the message"),
        Broken(7, '1433190184358,"open\nend', "a quote is not closed", 2),
    ]


def test_csv_of_logs_insights() -> None:
    """The time in UTC before the message, and the same quotes."""
    found = _found('@timestamp,@message\n2025-02-06 05:32:10.123,"START x\n"\n2025-02-30 05:32:10.123,REPORT y\n')
    assert found == [
        Record(2, "START x", 1738819930123, origin="csv", span=2),
        Record(4, "REPORT y", None, origin="csv"),
    ]


def test_rows_that_the_console_copies_as_json() -> None:
    """Logs Insights opens a message that is JSON; a record with keys of its own stays one."""
    rows = [
        {"@timestamp": "2025-02-06 05:32:10.123", "@message": "START x\n", "@ptr": "abc"},
        {"@timestamp": "2025-02-06 05:32:10.124", "@message": {"level": "info"}, "@logStream": "s", "@log": "123456789012:/aws/lambda/f"},
        {"@timestamp": "2025-02-06T05:32:10Z", "@message": "x", "level": "info"},
    ]
    found = _found(json.dumps(rows))
    assert [(one.text, one.time_ms, one.stream, one.group) for one in found[:2] if isinstance(one, Record)] == [
        ("START x", 1738819930123, "", ""),
        ('{"level":"info"}', 1738819930124, "s", "/aws/lambda/f"),
    ]
    assert found[2] == Record(1, json.dumps(rows[2]))


@pytest.mark.parametrize("copied", [False, True])
def test_a_row_without_its_message_says_that_its_time_is_utc(copied: bool) -> None:  # noqa: FBT001 - a parameter
    """Whatever zone is told for the file: a clock that keeps none is not what Logs Insights writes."""
    row = {"@timestamp": "2025-02-06 05:32:10.123", "level": "ERROR", "msg": "boom", "@ptr": "abc"}
    result = {"results": [[{"field": name, "value": value} for name, value in row.items()]], "status": "Complete"}
    (found,) = _found(json.dumps([row] if copied else result))
    assert isinstance(found, Record)
    assert json.loads(found.text) == {"@timestamp": "2025-02-06 05:32:10.123Z", "level": "ERROR", "msg": "boom"}
    assert found.time_ms == 1738819930123


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2025-02-06T05:32:10.123Z hello world", (1738819930123, "hello world")),
        ("2025-02-06T05:32:10.123Z ", (1738819930123, "")),
        ("2025-02-06T05:32:10.123456+00:00 2025/02/06/[$LATEST]abc START x", (1738819930123, "START x")),
        ("2025-02-06T05:32:10+00:00 2025/02/06/[$LATEST]abc START x", (1738819930000, "START x")),
        ("2025-02-06T05:32:10+00:00 /aws/lambda/quotes 2025/02/06/[$LATEST]abc START x", (1738819930000, "START x")),
        ("2025-02-06T05:32:10+00:00 /ecs/shop web/app/0123 GET /orders 200", (1738819930000, "GET /orders 200")),
        ("2025-02-06T05:32:10+00:00 /host/nginx 2025/02/06 05:32:10 [error] x", (1738819930000, "2025/02/06 05:32:10 [error] x")),
        ("2025-02-06T05:32:10+00:00 /host/app 2025-02-06 05:32:10 INFO x", (1738819930000, "2025-02-06 05:32:10 INFO x")),
        ("2025-02-06T05:32:10+00:00 /host/app 05:32:10,123 INFO x", (1738819930000, "05:32:10,123 INFO x")),
        ("2025-02-06T05:32:10 START x", (1738819930000, "START x")),
        ("2025-02-06T05:32:10.123456789Z stdout F hello world", (1738819930123, "hello world")),
        ("2025-02-06T14:32:10.1+09:00 stderr P {", (1738819930100, "{")),
        ("2025-02-06T05:32:10.123Z stdout F", (1738819930123, "")),
        ("2025-02-30T05:32:10.123456789Z stdout F hello", None),
        ("2025-02-30T05:32:10.123Z hello", None),
        ("2025-02-30T05:32:10 hello", None),
        ("2025-02-06T05:32:10Z hello", None),
        ("\tat com.example.App", None),
        ("", None),
    ],
)
def test_strip_export_time(line: str, expected: tuple[int, str] | None) -> None:
    """Only the time that an export or the tail puts in front is taken off."""
    assert strip_export_time(line) == expected


@settings(max_examples=60, deadline=None)
@given(
    items=st.lists(st.dictionaries(st.text(max_size=6), JSON, min_size=1, max_size=3), max_size=5),
    indent=st.sampled_from([None, 0, 2]),
    key=st.sampled_from(["", "Records"]),
)
def test_every_line_belongs_to_a_record_or_the_wrapping(items: list[dict[str, Any]], indent: int | None, key: str) -> None:
    """The items come back as they were, each on the line on which it starts."""
    text = json.dumps({key: items} if key else items, indent=indent)
    found = _found(text)
    plain = [json.loads(one.text) for one in found]
    assert len(plain) >= len(items) or any(set(item) & {"Records", "Events", "events", "results", "records", "awslogs"} for item in items)
    lines = text.split("\n")
    for one in found:
        assert one.text.split("\n")[0] in lines[one.line - 1] or (isinstance(one, Record) and one.origin)
        assert one.span == one.text.count("\n") + 1
    covered = {line for one in found for line in range(one.line, one.line + one.span)}
    assert len(covered) + wrapper_lines(text, found) == sum(1 for line in lines if line.strip())


PIECES = st.sampled_from(
    [
        '{"a":1}',
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        "\\",
        "\n",
        " ",
        '{"events":[',
        '{"message":"x","timestamp":1}',
        "text",
        "1",
        "\r\n",
        '"awslogs":',
        "timestamp,message\n",
        "nul\0l",
    ]
)


@settings(max_examples=200, deadline=None)
@given(text=st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join))
def test_nothing_raises_and_nothing_is_lost(text: str) -> None:
    """Whatever the text is: it ends, and every line with more than punctuation is in a record, broken, or part of an opened wrapping."""
    found = _found(text)
    lines = text.split("\n")
    covered = {line for one in found for line in range(one.line, one.line + one.span)}
    assert all(1 <= one.line <= len(lines) for one in found)
    if not any(isinstance(one, Record) and one.origin for one in found):
        lost = [line for number, line in enumerate(lines, 1) if number not in covered and line.strip(" \t\r\n,[]{}\ufeff\x0b\x0c")]
        assert [line for line in lost if "events" not in line and not line.startswith("timestamp,message")] == []


@pytest.mark.parametrize(
    "text", ['{"a":[\n' * 100_000, "[1,\n" * 100_000, ('{"a":[\n' * 800) + "1,\n" * 300_000, '{"Records":[\n' + '{"a":\n' * 100_000]
)
def test_a_large_broken_text_ends_soon(text: str) -> None:
    """Reading again and again from each line that opens something is given up, and what is left is kept."""
    found = _found(text)
    assert isinstance(found[-1], Broken)
    covered = {line for one in found for line in range(one.line, one.line + one.span)}
    assert len(covered) + wrapper_lines(text, found) == text.count("\n")


def test_many_short_broken_lines_are_kept_one_by_one() -> None:
    """Each with its line."""
    found = _found('{"a":"\n' * 20_000)
    assert [one.line for one in found] == list(range(1, 20_001))
