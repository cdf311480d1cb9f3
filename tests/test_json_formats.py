"""JSON formats beyond their golden folders: the layout itself, what tells formats apart, snapshots, stamps, made-up records."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.formats import json_lines, resource_snapshot, waf
from kyumei.layouts.json_record import MISSING, find, parse_object, without
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Format

ACL = "arn:aws:wafv2:ap-northeast-1:123456789012:regional/webacl/shop-acl/770ad176-16cb-4a93-8cce-a76dfa74a50c"


# The layout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"a":2}', {"a": 1}),
        (' {"a":[1,],} ', {"a": [1]}),
        ('{"a":NaN,"b":-Infinity,"c":[nan]}', {"a": "NaN", "b": "-Infinity", "c": ["nan"]}),
        ('{"a":" ,] nan ","b":inf,}', {"a": " ,] nan ", "b": "inf"}),
        ('{"a":"\\ud800x\\ud83d\\ude00"}', {"a": "\\ud800x\U0001f600"}),
        ('{"a":"\udcff"}', {"a": "\\udcff"}),
        ('{"a":1e400}', {"a": "1e400"}),
        ('{"a":' + "9" * 5000 + "}", {"a": "9" * 5000}),
        ('{"a":12345678901234567890123}', {"a": 12345678901234567890123}),
    ],
)
def test_odd_json_is_read(text: str, expected: dict[str, Any]) -> None:
    """What another parser would take is taken, and all of it can be stored."""
    found = parse_object(text)
    assert found == expected
    json.dumps(found, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "text",
    ["", " ", "[1]", '"x"', "{", "{}x", '{"a":01}', "{" + '"a":{' * 5000, '{"a":' + "[" * 100_000 + "]" * 100_000 + "}", '{"a":"\x01"}'],
)
def test_what_is_no_object_is_refused(text: str) -> None:
    """With a reason; never an exception."""
    found = parse_object(text)
    assert isinstance(found, Refused)
    assert found.why


def test_paths() -> None:
    """A path is the same flat, nested, or partly so."""
    for document in ({"a.b.c": 1}, {"a": {"b": {"c": 1}}}, {"a.b": {"c": 1}}, {"a": {"b.c": 1}}, {"a": 0, "a.b": {"c": 1}}):
        assert find(document, "a.b.c") == 1
    assert find({"a": {"b": None}}, "a.b") is None
    assert find({"a": [1]}, "a.b") is MISSING
    assert without({"a": {"b": 1, "c": 2}, "d": {"e": 1}, "f": {}, "g.h": 1}, {"a.b", "d.e", "g.h"}) == {"a": {"c": 2}, "f": {}}


# Stamps


@pytest.mark.parametrize("leaf", [waf.FORMAT, json_lines.FORMAT], ids=lambda leaf: leaf.name)
@given(
    start=st.integers(1_420_000_000, 1_950_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    minutes=st.sampled_from([1, 10, 90, 60 * 30, 60 * 24 * 40]),
    share=st.floats(0, 0.999),
    offset=st.sampled_from([0, 9, -5.5]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_in_the_window_holds_a_stamp(leaf: Format, start: datetime, minutes: int, share: float, offset: float) -> None:
    """In each way in which the time may be written."""
    length = timedelta(minutes=minutes)
    window = Window(start, start + length)
    found = leaf.layout.stamps(window, (timedelta(0), timedelta(hours=offset)))
    moment = window.start + length * share
    local = moment + timedelta(hours=offset)
    millis = int(moment.timestamp() * 1000)
    texts = [f'{{"timestamp":{millis},"webaclId":"{ACL}","terminatingRuleId":"Default_Action"}}']
    if leaf.name == "json_lines":
        zone = f"{'-' if offset < 0 else '+'}{int(abs(offset)):02}{int(abs(offset) * 60 % 60):02}"
        texts += [
            json.dumps({"time": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}),
            json.dumps({"time": local.strftime("%Y-%m-%d %H:%M:%S,123")}),
            json.dumps({"time": local.strftime("%Y-%m-%dT%H:%M:%S") + zone}),
            json.dumps({"time": moment.timestamp()}),
            json.dumps({"instant": {"epochSecond": millis // 1000, "nanoOfSecond": 5}}),
            json.dumps({"time_local": local.strftime("%d/%b/%Y:%H:%M:%S ") + zone}),
            json.dumps({"time_local": local.strftime("%d/%b/%Y:%H:%M:%S ") + zone}).replace("/", "\\/"),
            json.dumps({"log": json.dumps({"time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "msg": "x"})}),
        ]
    for text in texts:
        row = leaf.layout.read(text)
        assert isinstance(row, dict)
        assert row["time"] is not None
        assert not found or any(stamp in text for stamp in found), text


# Telling formats apart

OTHERS = [
    {"eventVersion": "1.08", "eventTime": "2025-02-06T05:32:10Z", "eventSource": "wafv2.amazonaws.com", "eventName": "UpdateWebACL"},
    {"Records": [{"eventVersion": "1.08"}]},
    {"query_timestamp": "2025-02-06T05:32:10Z", "query_name": "example.com.", "version": "1.1"},
    {"firewall_name": "f", "event_timestamp": "1738819930", "event": {"timestamp": "2025-02-06T05:32:10.000000+0000"}},
    {"messageType": "DATA_MESSAGE", "logGroup": "g", "logEvents": []},
    {"version": "0", "detail-type": "ECS Task State Change", "source": "aws.ecs", "time": "2025-02-06T05:32:10Z", "detail": {}},
    {"time": "2025-02-06T05:32:10.000Z", "type": "platform.report", "record": {"requestId": "1"}},
    {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "1",
        "stage": "ResponseComplete",
        "requestReceivedTimestamp": "2025-02-06T05:32:10Z",
        "message": "x",
    },
    {"id": "1", "trace_id": "1-67a44a0a-7d2deb5d54820c4d7284912a", "start_time": 1738819930.1, "name": "shop"},
    {"schemaVersion": "2.0", "type": "Recon:EC2/Portscan", "service": {}, "time": "x"},
]


@pytest.mark.parametrize("record", OTHERS, ids=lambda record: next(iter(record)))
def test_records_of_other_formats_are_not_claimed(record: dict[str, Any]) -> None:
    """CloudTrail, Resolver, Network Firewall, envelopes, Lambda's platform, Kubernetes audit, X-Ray, GuardDuty have their own keys."""
    text = json.dumps(record)
    assert not any(discover.formats()[name].sniff(text, "x.json") for name in ("waf", "json_lines", "resource_snapshot"))


def test_sniffing() -> None:
    """Each claims its own."""
    own = json.dumps({"webaclId": ACL, "terminatingRuleId": "Default_Action", "timestamp": 1738819930123})
    assert waf.sniff(own, "")
    assert not json_lines.sniff(own, "")
    assert all(json_lines.sniff(text, "") for text in ('{"msg":"x"}', '{"ts":1738819930}'))
    assert not any(json_lines.sniff(text, "") for text in ('{"a":1}', "msg", '{"msg":"cut'))
    assert resource_snapshot.sniff('{"Vpcs":[]}', "case/aws/ec2/describe-vpcs.json")
    assert not resource_snapshot.sniff('{"events":[]}', "case/aws/logs/filter-log-events.%2Fx.json")
    assert not resource_snapshot.sniff('{"Vpcs":[]}', "vpcs.json")


# Snapshots


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aws/ec2/describe-vpcs.json", ("ec2", "describe-vpcs", None, None, None)),
        (
            "c/aws/123456789012/ap-northeast-1/elbv2/describe-rules.app%2Fshop.json",
            ("elbv2", "describe-rules", "123456789012", "ap-northeast-1", "app/shop"),
        ),
        (
            "aws/us-gov-west-1/iam/get-role-policy.app-role.inline.json.gz",
            ("iam", "get-role-policy", None, "us-gov-west-1", "app-role.inline"),
        ),
        ("case.zip!aws/wafv2/get-web-acl.json", ("wafv2", "get-web-acl", None, None, None)),
        ("aws/somewhere/else/ec2/describe-vpcs.json", None),
        ("aws/ec2/describe-vpcs.txt", None),
        ("aws/calls.jsonl", None),
        ("paws/ec2/describe-vpcs.json", None),
    ],
)
def test_place_of(name: str, expected: tuple[str | None, ...] | None) -> None:
    """Service, operation, account, Region, qualifier."""
    found = resource_snapshot.place_of(name)
    assert (tuple(found.values()) if found else None) == (expected and (expected[0], expected[1], *expected[2:]))


SNAPSHOTS: list[tuple[str, Any, list[tuple[int, str | None, str | None, str | None]]]] = [
    (
        "ec2/describe-security-groups",
        {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1", "OwnerId": "123456789012"}]},
        [(3, "SecurityGroups", "sg-1", "web")],
    ),
    (
        "ec2/describe-vpcs",
        {"Vpcs": [{"CidrBlock": "10.0.0.0/16", "VpcId": "vpc-1", "Tags": [{"Key": "Name", "Value": "main"}]}, {"VpcId": "vpc-2"}]},
        [(3, "Vpcs", "vpc-1", "main"), (13, "Vpcs", "vpc-2", None)],
    ),
    (
        "ec2/describe-instances",
        {"Reservations": [{"ReservationId": "r-1", "Instances": [{"InstanceId": "i-1"}, {"InstanceId": "i-2"}]}]},
        [(6, "Instances", "i-1", None), (9, "Instances", "i-2", None)],
    ),
    (
        "elbv2/describe-load-balancers",
        {
            "LoadBalancers": [
                {
                    "DNSName": "x.example.com",
                    "LoadBalancerArn": "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/shop/1",
                    "LoadBalancerName": "shop",
                }
            ]
        },
        [(3, "LoadBalancers", "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/shop/1", "shop")],
    ),
    (
        "wafv2/get-web-acl",
        {"WebACL": {"Name": "shop-acl", "Id": "1", "ARN": ACL, "Rules": []}, "LockToken": "t", "ApplicationIntegrationURL": "u"},
        [(2, "WebACL", ACL, "shop-acl")],
    ),
    (
        "deploy/get-deployment",
        {"deploymentInfo": {"applicationName": "shop", "deploymentId": "d-1", "status": "Failed"}},
        [(2, "deploymentInfo", "d-1", "shop")],
    ),
    (
        "lambda/get-function-configuration",
        {"FunctionName": "orders", "FunctionArn": "arn:aws:lambda:ap-northeast-1:123456789012:function:orders", "Layers": [{"Arn": "x"}]},
        [(1, None, "arn:aws:lambda:ap-northeast-1:123456789012:function:orders", "orders")],
    ),
    ("sqs/list-queues", {"QueueUrls": ["https://sqs.example.com/q"]}, [(3, "QueueUrls", "https://sqs.example.com/q", None)]),
    (
        "ecs/describe-tasks",
        {
            "tasks": [
                {
                    "taskArn": "arn:aws:ecs:ap-northeast-1:123456789012:task/c/1",
                    "clusterArn": "arn:aws:ecs:ap-northeast-1:123456789012:cluster/c",
                }
            ],
            "failures": [],
        },
        [(3, "tasks", "arn:aws:ecs:ap-northeast-1:123456789012:task/c/1", None)],
    ),
    (
        "wafv2/get-sampled-requests",
        {"SampledRequests": [{"Action": "BLOCK"}], "PopulationSize": 9, "TimeWindow": {"StartTime": "x"}},
        [(3, "SampledRequests", None, None)],
    ),
    ("ec2/describe-subnets", {"Subnets": [], "NextToken": "x"}, []),
    ("s3api/get-bucket-policy", {"Policy": "{}"}, [(1, None, None, None)]),
]


@pytest.mark.parametrize(("operation", "answer", "expected"), SNAPSHOTS, ids=[item[0] for item in SNAPSHOTS])
def test_snapshot_rows(operation: str, answer: Any, expected: list[tuple[int, str | None, str | None, str | None]]) -> None:  # noqa: ANN401 - any JSON value
    """One row for each resource, with the line on which it starts; the document is the resource."""
    found = resource_snapshot.snapshot_rows(f"case/aws/{operation}.json", json.dumps(answer, indent=1))
    assert isinstance(found, list)
    assert [(line, row["key"], row["resource"], row["name"]) for line, row in found] == expected
    for _, row in found:
        assert set(row) == {*(column.name for column in resource_snapshot.TABLE.columns), "_naive", "_extra"}
        assert json.loads(row["document"]) is not None
        if (row["resource"] or "").startswith("arn:"):
            assert (row["account"], row["region"]) == ("123456789012", "ap-northeast-1")


@pytest.mark.parametrize("text", ["{", '{"Vpcs":[{"VpcId":"vpc-1"}', '{"a":' + "[" * 5000 + "]" * 5000 + "}", "nonsense", '{"a":1}}'])
def test_broken_snapshots_are_refused(text: str) -> None:
    """With a reason; never an exception."""
    assert isinstance(resource_snapshot.snapshot_rows("aws/ec2/describe-vpcs.json", text), Refused)


@settings(max_examples=150, deadline=None)
@given(
    text=st.lists(st.sampled_from(['{"Vpcs":', "[", "]", "{", "}", ",", ":", '"VpcId"', '"x"', "1", "\n", "null"]), max_size=20).map(
        "".join
    )
)
def test_snapshots_never_raise(text: str) -> None:
    """Whatever stands in the file."""
    found = resource_snapshot.snapshot_rows("aws/ec2/describe-vpcs.json", text)
    assert isinstance(found, list | Refused)


# Made-up records: the bulk reader equals the exact one wherever it is sure

VALUES = st.sampled_from(
    [
        *[
            "2025-02-06T05:32:10Z",
            "2025-02-06 05:32:10,123",
            "2025-02-06T05:32:10.123456789+09:00",
            "2025-02-30T00:00:00Z",
            "06/Feb/2025:14:32:10 +0900",
            "1738820000.5",
        ],
        *[1738820000, 1738820000123, 1738820000.25, 1e22, 1e-7, 3, 30, 403, "403", 1403, True, None, [], {}, [1], {"a": {"b": 1}}],
        *[
            "error",
            "DEBUG5",
            "30",
            "GET",
            "get",
            "GET /x?a=1 HTTP/1.1",
            "/a/b?x=1",
            "/a?b?c",
            "https://example.com:8443/p?q=1",
            "*",
            "",
            "-",
            "text\n",
            "\x1b[31mred\x1b[0m",
        ],
        *[
            '{"msg":"in","level":"info"}',
            "[x",
            "192.0.2.1:8080",
            "[2001:db8::1]:443",
            "192.0.2.1, 10.0.0.1",
            "12.5ms",
            "Root=1-67a45000-7ed4d57b1e2feb89414c343c;Parent=1",
        ],
        *[
            [{"name": "Host", "value": "h:1"}],
            [{"value": "v", "name": "host"}],
            [{"ruleId": "r", "action": "COUNT"}],
            {"failureReason": "TOKEN_MISSING"},
            ["a", 1],
        ],
        *[
            [{"ruleGroupId": "g", "terminatingRule": {"ruleId": "a", "action": "BLOCK"}, "excludedRules": [{"ruleId": "c"}]}],
            "MANAGED_RULE_GROUP",
            "\u2028日本",
            "nan",
        ],
    ]
)
NAMES = {
    "json_lines": sorted({way.path for target in json_lines.FIELDS for way in target.ways} | {"host", "lineno", "x", "Level"}),
    "waf": sorted({way.path for target in waf.FIELDS for way in target.ways} | {"httpRequest", "newKey"}),
}


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys as objects inside objects, where nothing is in the way."""
    document: dict[str, Any] = {}
    for path, value in flat.items():
        *objects, leaf = path.split(".")
        node = document
        for step in objects:
            inner = node.setdefault(step, {})
            node = inner if isinstance(inner, dict) else {}
        node[leaf] = value
    return document


def _assert_equal(leaf: Format, texts: Sequence[str], sample: Sequence[str] = ()) -> None:
    with duckdb.connect() as con:
        con.execute(
            "CREATE TABLE records AS SELECT 1::INTEGER AS _artifact, unnest(?::BIGINT[]) AS _line, unnest(?::VARCHAR[]) AS text",
            [[*range(len(texts))], [*texts]],
        )
        answer = con.execute(f"SELECT * FROM ({leaf.layout.bulk('records', sample)}) ORDER BY _line")
        names = [column[0] for column in answer.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    assert len(rows) == len(texts)
    for row, text in zip(rows, texts, strict=True):
        if row["_ok"]:
            exact = leaf.layout.read(text)
            assert isinstance(exact, dict), text
            extra = json.dumps(exact["_extra"], ensure_ascii=False, separators=(",", ":")) if exact["_extra"] else None
            assert {name: row[name] for name in names if name not in {"_artifact", "_line", "_ok"}} == {**exact, "_extra": extra}, text


@pytest.mark.parametrize("name", ["json_lines", "waf"])
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_bulk_equals_exact_on_made_up_records(name: str, data: st.DataObject) -> None:
    """Any value at any known key, flat and nested, compact and spaced."""
    acl = {"webaclId": ACL, "terminatingRuleId": "Default_Action", "timestamp": 1738820000123, "httpRequest.uri": "/"}
    base = acl if name == "waf" else {"time": "2025-02-06T05:32:10Z"}
    flat = data.draw(st.lists(st.dictionaries(st.sampled_from(NAMES[name]), VALUES, max_size=6), min_size=80, max_size=80))
    documents = [{**base, **one} if data.draw(st.booleans()) and name != "waf" else _nested({**base, **one}) for one in flat]
    separators = data.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    texts = [json.dumps(one, separators=separators) for one in documents]
    _assert_equal(discover.formats()[name], texts)
    _assert_equal(discover.formats()[name], texts, texts[::8])


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(['{"msg":', '"x"', "{", "}", "[", "]", ",", ":", '"webaclId"', "1e9", "nan", "\\ud800", '"']), max_size=20
    ).map("".join)
)
def test_readers_never_raise(text: str) -> None:
    """A row or a reason, for any text; and all of a row can be stored."""
    for leaf in (waf.FORMAT, json_lines.FORMAT, resource_snapshot.FORMAT):
        found = leaf.layout.read(text)
        leaf.sniff(text, "aws/ec2/describe-vpcs.json")
        assert isinstance(found, dict | Refused)
        json.dumps(found if isinstance(found, dict) else found.why, default=str, ensure_ascii=False).encode()
