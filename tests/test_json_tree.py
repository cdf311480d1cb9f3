"""Parts of JSON records that are kept as they are: equal by both readers to the letter, dug into alike, whatever stands in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.formats import cloudtrail, guardduty, kubernetes_audit, kubernetes_event, network_firewall, route53_resolver
from kyumei.layouts.casts import to_json
from kyumei.layouts.json_record import JsonRecord, parse_object
from kyumei.layouts.json_tree import Dig, dig, dug, every_pair, opened, strings
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Format

MODULES = (cloudtrail, guardduty, kubernetes_audit, kubernetes_event, network_firewall, route53_resolver)
BASES: dict[str, dict[str, Any]] = {
    "cloudtrail": {
        "eventVersion": "1.11",
        "eventTime": "2025-02-06T05:32:10Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/app/i-1", "principalId": "A:b"},
    },
    "guardduty": {"schemaVersion": "2.0", "type": "Recon:EC2/Portscan", "service": {}, "resource": {}},
    "kubernetes_audit": {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "1",
        "user": {},
        "requestReceivedTimestamp": "2025-02-06T05:32:10.123456Z",
    },
    "kubernetes_event": {"reason": "BackOff", "involvedObject": {"kind": "Pod"}, "metadata": {}},
    "network_firewall": {"firewall_name": "f", "event_timestamp": "1738819930", "event": {"event_type": "alert"}},
    "route53_resolver": {"query_timestamp": "2025-02-06T05:32:10Z", "query_name": "example.com.", "srcaddr": "10.0.0.7"},
}
"""The least that a record of each format has."""
ODD: list[Any] = [
    *(
        "",
        "-",
        "true",
        "403",
        "x.",
        "Ex.Example.com.",
        "[S3Console/0.4]",
        "{cut",
        '["a"]',
        '["a\\"b"]',
        "a?b?c",
        "h:80",
        ":",
        "é日本\u2028",
    ),
    *(
        "a\tb",
        "\x01",
        "\\",
        '"',
        "2025-02-06T05:32:10Z",
        "2025-02-06 05:32:10.123456789",
        "2025-02-06T05:32:10.1+0900",
        "1738819930",
        "nan",
    ),
    *(0, -1, 7, 403, 1738819930, 10**17, 2**63 - 1, 2**63, 10**30, 0.5, 5.0, 51.5164, -0.093, 1e22, 1e-7, -0.0, True, False, None),
    *([], {}, [1], ["a", "b"], ["a", None], [{"Rdata": "r"}, {"Rdata": 1}], [{"ARN": "arn:x"}, "y"], {"a": {"b": [1, 2.25]}}, [[]]),
    *({"sample": True}, {"ConsoleLogin": "Failure"}, {"extra": {"arn": ["a"]}}, {"type": 5}, {"code": "403"}, {"": 1, "b.c": 2}),
]


def _paths(module: Any) -> list[tuple[str, ...]]:  # noqa: ANN401 - a module of a format
    """Every key of the format's records, and every place in them that a column is dug from."""
    keys = {field.column: tuple(field.ways[0].path.split(".")) for field in module.FIELDS}
    return [*keys.values(), ("newKey",), *((*keys[one.tree], *one.path) for one in module.DIGS)]


def _put(document: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The object with the value at the path, where no other value is in the way."""
    head, *rest = path
    inner = document.get(head)
    below = _put(inner if isinstance(inner, dict) else {}, rest, value) if rest else value
    return {**document, head: below}


def _assert_equal(leaf: Format, texts: Sequence[str], sample: Sequence[str] = ()) -> int:
    """Hold both readers against each other, JSON to the letter; answers how many records the bulk reader, made for the sample, read."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'Asia/Tokyo'; SET threads = 1")
        con.execute(
            "CREATE TABLE records AS SELECT 1::INTEGER AS _artifact, unnest(?::BIGINT[]) AS _line, unnest(?::VARCHAR[]) AS text",
            [[*range(len(texts))], [*texts]],
        )
        answer = con.execute(f"SELECT * FROM ({leaf.layout.bulk('records', sample)}) ORDER BY _line")
        names = [column[0] for column in answer.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    assert len(rows) == len(texts)
    for row, text in zip(rows, texts, strict=True):
        exact = leaf.layout.read(text)
        if row["_ok"]:
            assert isinstance(exact, dict), text
            found = {name: row[name] for name in names if name not in {"_artifact", "_line", "_ok", "_extra"}}
            assert found == {name: exact[name] for name in found}, text
            assert row["_extra"] == to_json(exact["_extra"])
    return sum(bool(row["_ok"]) for row in rows)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.FORMAT.name)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_bulk_equals_exact_on_made_up_records(module: Any, seed: int) -> None:  # noqa: ANN401 - a module of a format
    """Any value at any place, compact and spaced, with letters written out or escaped, some keys twice."""
    chance = Random(seed)  # noqa: S311 - repeatable records, no secret
    paths, texts = _paths(module), []
    for _ in range(100):
        document = dict(BASES[module.FORMAT.name])
        for _ in range(chance.randint(0, 5)):
            document = _put(document, chance.choice(paths), chance.choice(ODD))
        text = json.dumps(document, separators=chance.choice([(",", ":"), (", ", ": ")]), ensure_ascii=chance.random() < 0.5)
        texts.append(text.replace("{", '{"type":"first","type":null,', 2) if chance.random() < 0.2 else text)
    _assert_equal(module.FORMAT, texts)
    _assert_equal(module.FORMAT, texts, texts[::8])


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.FORMAT.name)
def test_what_no_record_of_the_sample_has_is_not_read_in_bulk(module: Any) -> None:  # noqa: ANN401 - a module of a format
    """Nothing is looked for then, so that a record that has it after all is for the exact reader."""
    base = BASES[module.FORMAT.name]
    others = [json.dumps(_put(base, path, "403")) for path in _paths(module) if path[0] not in base]
    assert others
    assert _assert_equal(module.FORMAT, [json.dumps(base)] * 3, [json.dumps(base)]) == 3
    assert _assert_equal(module.FORMAT, others, [json.dumps(base)]) == 0
    assert _assert_equal(module.FORMAT, [*others, json.dumps(base)], ["{}", "no JSON"]) > 0


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.FORMAT.name)
def test_values_that_are_usual_are_read_in_bulk(module: Any) -> None:  # noqa: ANN401 - a module of a format
    """The least of a record, and any text at any key alone, needs no exact reader, save where another kind is asked for."""
    base = BASES[module.FORMAT.name]
    texts = [json.dumps(base)] + [json.dumps(_put(base, path, "403")) for path in _paths(module) if path != ("newKey",)]
    assert _assert_equal(module.FORMAT, texts) > len(texts) * 0.6


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.FORMAT.name)
def test_depth(module: Any) -> None:  # noqa: ANN401 - a module of a format
    """What is nested too deeply for one reader is left alone by the other; a broad value is none of that."""
    base, shape = BASES[module.FORMAT.name], cloudtrail.FIELDS[-1].ways[0].shape
    tree = [field.ways[0].path for field in module.FIELDS if field.ways[0].shape == shape][-1]
    deep = [
        json.dumps({**base, tree: 0}).replace(f'"{tree}": 0', f'"{tree}": {"[" * depth}"é"{"]" * depth}') for depth in (50, 290, 900, 5000)
    ]
    broad = json.dumps({**base, tree: [[] for _ in range(200)]})
    assert _assert_equal(module.FORMAT, [*deep, broad]) >= 2
    assert module.LAYOUT.read(deep[-1]) == Refused("the JSON is nested too deeply")


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                *('{"eventVersion":', '"eventTime":', '"detail":', '"detail-type":', '"auditID":', '"firewall_name":', '"involvedObject":'),
                *(
                    '"CloudTrailEvent":',
                    '"SchemaVersion":',
                    '"digestStartTime":',
                    '"query_timestamp":',
                    '"x"',
                    '"{',
                    "{",
                    "}",
                    "[",
                    "]",
                    ",",
                    "1",
                ),
            ]
        ),
        max_size=20,
    ).map("".join)
)
def test_readers_never_raise(text: str) -> None:
    """A row or a reason, for any text; and all of a row can be stored."""
    for module in MODULES:
        module.FORMAT.sniff(text, "x")
        found = module.LAYOUT.read(text)
        assert isinstance(found, dict | Refused)
        json.dumps(found if isinstance(found, dict) else found.why, default=str, ensure_ascii=False).encode()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.FORMAT.name)
def test_a_record_in_the_window_holds_a_stamp(module: Any) -> None:  # noqa: ANN401 - a module of a format
    """And a window of another day none of a record's."""
    moment = datetime(2025, 2, 6, 5, 32, 10, tzinfo=UTC)
    base = {**BASES[module.FORMAT.name], "updatedAt": "2025-02-06T05:32:10.1Z", "lastTimestamp": "2025-02-06T05:32:10Z"}
    text = json.dumps(base)
    for minutes in (1, 90, 60 * 24 * 3):
        near = module.LAYOUT.stamps(Window(moment, moment + timedelta(minutes=minutes)), (timedelta(0),))
        assert any(stamp in text for stamp in near)
    assert not any(stamp in text for stamp in module.LAYOUT.stamps(Window(moment - timedelta(days=9), moment - timedelta(days=8)), ()))


def test_an_object_keeps_a_key_that_is_there_twice() -> None:
    """Looked up it is the first, written it is both; text beyond ASCII and broken letters change nothing of that."""
    for text in ('{"a":{"b":1,"c":2,"b":3}}', '{"a":{"b":1,"c":2,"b":3},"é":"\\ud800"}'):
        found = parse_object(text, every_pair)
        assert isinstance(found, dict)
        assert found["a"]["b"] == 1
        assert to_json(found["a"]) == '{"b":1,"c":2,"b":3}'
        assert dig(found["a"], ("b",)) == "1"
    assert parse_object('{"a":{"b":1,"b":3}}') == {"a": {"b": 1}}


def test_digging() -> None:
    """Through objects only; an empty text is none; what is no text is told as JSON writes it."""
    trees = {"t": {"a": {"b": "x", "e": "", "n": None, "l": [1, "y"], "f": 1.5, "t": True}, "a.b": 1}}
    texts = {"b": "x", "e": None, "n": None, "l": '[1,"y"]', "f": "1.5", "t": "true", "z": None}
    assert {key: dug((Dig("c", "t", ("a", key)),), trees)["c"] for key in texts} == texts
    assert dig("text", ("a",)) is None
    assert (strings(["a", 1, "b"]), strings([]), strings("a"), strings([{"k": "v"}, {"k": 1}, 2], "k")) == (["a", "b"], None, None, ["v"])


def test_the_envelope_of_eventbridge() -> None:
    """The detail is the record; keys that the envelope does not usually have stay."""
    envelope = {"version": "0", "id": "1", "detail-type": "x", "source": "aws.x", "time": "t", "detail": {"a": 1, "id": 2}, "more": 3}
    assert opened(envelope) == {"more": 3, "a": 1, "id": 2}
    assert opened({"detail": {"a": 1}, "b": 2}) == {"detail": {"a": 1}, "b": 2}
    assert opened({"detail-type": "x", "detail": "text"}) == {"detail-type": "x", "detail": "text"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.FORMAT.name)
def test_the_least_of_a_record_is_claimed_by_its_format_alone(module: Any) -> None:  # noqa: ANN401 - a module of a format
    """Also in EventBridge's envelope, where the record comes in one."""
    assert isinstance(module.LAYOUT, JsonRecord)
    text = json.dumps(BASES[module.FORMAT.name])
    assert [name for name, leaf in discover.formats().items() if leaf.sniff(text, "x.json")] == [module.FORMAT.name]
    if module in (cloudtrail, guardduty):
        kind = {"cloudtrail": "AWS API Call via CloudTrail", "guardduty": "GuardDuty Finding"}[module.FORMAT.name]
        envelope = {
            "version": "0",
            "detail-type": kind,
            "source": "aws.x",
            "time": "2025-02-06T05:32:10Z",
            "detail": BASES[module.FORMAT.name],
        }
        assert [name for name, leaf in discover.formats().items() if leaf.sniff(json.dumps(envelope), "x.json")] == [module.FORMAT.name]
