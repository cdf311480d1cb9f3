"""Lambda logs through the store: which lines are a function's, and to which invocation each belongs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyumei import discover
from kyumei.store.case import Case, open_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

A, B, C = (f"{letter * 8}-1111-4222-8333-555555555555" for letter in "abc")
START = datetime(2025, 2, 6, 5, 32, 10, tzinfo=UTC)


def millis(seconds: float) -> int:
    """So many seconds after START, as CloudWatch counts."""
    return int((START.timestamp() + seconds) * 1000)


def event(seconds: float, message: str, stream: str = "2025/02/06/[$LATEST]0a0a") -> dict[str, Any]:
    """An event as filter-log-events answers it."""
    return {"logStreamName": stream, "timestamp": millis(seconds), "message": message + "\n", "eventId": "1"}


def report(request: str, took: float, more: str = "") -> str:
    """A REPORT line."""
    numbers = f"Duration: {took:.2f} ms\tBilled Duration: {int(took) + 1} ms\tMemory Size: 128 MB\tMax Memory Used: 71 MB\t"
    return f"REPORT RequestId: {request}\t{numbers}{more}"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str, str], Case]]:
    """Opens a case of one file."""
    cases: list[Case] = []

    def make(name: str, text: str) -> Case:
        path = tmp_path / "case" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        cases.append(open_case(tmp_path / "case", None, lambda _con, _settings: None, lambda _: (timedelta(0),), cache=tmp_path / "cache"))
        return cases[-1]

    yield make
    for case in cases:
        case.close()


def lines(case: Case) -> list[tuple[str | None, str, str]]:
    """The request, the kind and the message of each line, in order."""
    rows = case.rows("SELECT request_id, kind, message FROM lambda_line ORDER BY stream, place")
    return [(row["request_id"], row["kind"], str(row["message"]).split("\n")[0]) for row in rows]


def test_interleaved_streams_are_told_apart(opened: Callable[[str, str], Case]) -> None:
    """Prints between START and END of one stream belong to its request, whatever another stream does meanwhile."""
    one, two = "2025/02/06/[3]0a0a", "2025/02/06/[3]0b0b"
    events = [
        event(0.0, f"START RequestId: {A} Version: 3", one),
        event(0.1, f"START RequestId: {B} Version: 3", two),
        event(0.2, "print of a", one),
        event(0.2, "print of b", two),
        event(0.3, f"END RequestId: {B}", two),
        event(0.3, report(B, 200.0), two),
        event(0.4, "2025-02-06 05:32:10,400 INFO shop: looks like an application's", one),
        event(
            0.5,
            "[ERROR] KeyError: 'id'\nTraceback (most recent call last):\n\u00a0\u00a0File \"/var/task/app.py\", line 6, in handler",
            one,
        ),
        event(0.6, f"END RequestId: {A}", one),
        event(0.6, report(A, 600.0, "Init Duration: 98.10 ms\t"), one),
        event(0.7, "after the end", one),
    ]
    case = opened("aws/logs/filter-log-events.%2Faws%2Flambda%2Forders.json", json.dumps({"events": events, "searchedLogStreams": []}))
    assert case.value("SELECT count(*) FROM lambda_log") == len(events)
    assert case.value("SELECT count(*) FROM unread") == 0
    found = {message: request for request, _, message in lines(case)}
    assert found["print of a"] == found["looks like an application's"] == A
    assert found["print of b"] == B
    assert found["after the end"] is None
    first, second = case.rows("SELECT * FROM lambda_invocation ORDER BY time")
    assert (first["request_id"], second["request_id"]) == (A, B)
    assert (first["function_name"], first["function_version"], first["stream"]) == ("orders", "3", one)
    assert (first["outcome"], first["error_type"], first["error_text"]) == ("error", "KeyError", "'id'")
    assert (second["outcome"], second["error_type"]) == (None, None)
    assert (first["request_seconds"], first["init_seconds"], second["init_seconds"]) == (0.6, pytest.approx(0.0981), None)
    assert (first["line_count"], first["error_count"]) == (6, 1)
    assert [message.split("\n")[0] for message in first["messages"]] == [
        "print of a",
        "looks like an application's",
        "[ERROR] KeyError: 'id'",
    ]


def test_one_line_of_json_keeps_the_order_of_times(opened: Callable[[str, str], Case]) -> None:
    """All events of an answer without line ends start on one line; within a millisecond a start comes first and a report last."""
    events = [event(1, report(A, 5)), event(1, "said"), event(1, f"END RequestId: {A}"), event(1, f"START RequestId: {A} Version: 1")]
    events += [event(2, f"START RequestId: {B} Version: 1"), event(2, "said too"), event(2, report(B, 5))]
    case = opened("x.json", json.dumps({"events": events, "nextToken": "t"}))
    assert {message: request for request, kind, message in lines(case) if kind == "app"} == {"said": A, "said too": B}


def test_lines_between_two_open_requests_are_nobodys(opened: Callable[[str, str], Case]) -> None:
    """Of an export that does not name its streams."""
    told = [
        (0, f"START RequestId: {A} Version: 1"),
        (1, "only a is open"),
        (2, f"START RequestId: {B} Version: 1"),
        (3, "whose is this?"),
        (4, f"END RequestId: {A}"),
        (4, report(A, 4000)),
        (5, "only b is open"),
        (6, f"END RequestId: {B}"),
        (6, report(B, 4000)),
        (7, f"START RequestId: {C} Version: 1"),
        (8, "c, and it never ended"),
    ]
    text = "".join(f"{(START + timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%S.000Z')} {message}\n" for seconds, message in told)
    found = {message: request for request, _, message in lines(opened("exports.log", text))}
    assert found["only a is open"] == A
    assert found["whose is this?"] is None
    assert found["only b is open"] == B
    assert found["c, and it never ended"] == C


def test_a_tail_names_the_stream_of_each_line(opened: Callable[[str, str], Case]) -> None:
    """``aws logs tail`` puts time and stream before each event."""
    told = [("[1]a", f"START RequestId: {A} Version: 1"), ("[1]b", f"START RequestId: {B} Version: 1"), ("[1]a", "of a"), ("[1]b", "of b")]
    text = "".join(f"2025-02-06T05:32:1{n}.123000+00:00 2025/02/06/{stream} {message}\n" for n, (stream, message) in enumerate(told))
    found = {message: request for request, kind, message in lines(opened("tail.log", text)) if kind == "app"}
    assert found == {"of a": A, "of b": B}


def test_plain_lines_without_times(opened: Callable[[str, str], Case]) -> None:
    """A copy of a stream without CloudWatch's times: the order is that of the file."""
    text = "\n".join(
        [
            "INIT_START Runtime Version: python:3.12.v41\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:0f1e",
            "loading",
            f"START RequestId: {A} Version: $LATEST",
            "{'order': 7}",
            '{"order": 7, "level": "warn", "msg": "slow"}',
            f"[INFO]\t2025-02-06T05:32:10.123Z\t{A}\tstored",
            f"END RequestId: {A}",
            report(A, 12.5),
            "XRAY TraceId: 1-67a44a0a-7d2deb5d54820c4d7284912a\tSegmentId: 31255c3b19bd3637\tSampled: true",
            "",
        ]
    )
    case = opened("function.log", text)
    assert case.value("SELECT count(*) FROM unread") == 0
    assert [row["n"] for row in case.rows("SELECT count(*) AS n FROM app_log UNION ALL SELECT count(*) FROM json_lines")] == [0, 0]
    own = [message for request, kind, message in lines(case) if request == A and kind == "app"]
    assert own == ["{'order': 7}", "slow", "stored"]
    assert case.value("SELECT trace_id FROM lambda_invocation") == "1-67a44a0a-7d2deb5d54820c4d7284912a"


def test_records_of_other_formats_stay_theirs(opened: Callable[[str, str], Case]) -> None:
    """In a mixed file a line that another format is certain of is not taken for a print."""
    access = '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET /orders HTTP/1.1" 200 12 "-" "curl/8.5.0"'
    text = "\n".join([f"START RequestId: {A} Version: 1", "print", f"END RequestId: {A}", report(A, 1.0), access, ""])
    case = opened("mixed.log", text)
    assert case.value("SELECT count(*) FROM lambda_log") == 4
    assert case.value("SELECT count(*) FROM lambda_line WHERE message = 'print' AND request_id = ?", [A]) == 1
    others = [name for name in discover.formats() if name != "lambda_log" and case.value(f'SELECT count(*) FROM "{name}"')]
    assert others == ["nginx_access"]


def test_json_invocation(opened: Callable[[str, str], Case]) -> None:
    """Events of the platform around a runtime's own lines, which alone would be any application's."""
    records: list[dict[str, Any]] = [
        {"time": "2025-02-06T05:32:10.001Z", "type": "platform.start", "record": {"requestId": A, "version": "4"}},
        *({"timestamp": f"2025-02-06T05:32:10.{n}Z", "level": "INFO", "message": f"line {n}", "requestId": A} for n in range(100, 110)),
        {"timestamp": "2025-02-06T05:32:13.000Z", "level": "ERROR", "message": "no id here", "path": "/orders", "status": 500},
        {
            "time": "2025-02-06T05:32:13.100Z",
            "type": "platform.report",
            "record": {"requestId": A, "status": "timeout", "metrics": {"durationMs": 3000.0, "billedDurationMs": 3000}},
        },
    ]
    case = opened("function.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    assert case.value("SELECT count(*) FROM lambda_log") == len(records)
    (row,) = case.rows("SELECT * FROM lambda_invocation")
    assert (row["request_id"], row["outcome"], row["request_seconds"], row["line_count"]) == (A, "timeout", 3.0, 13)
    assert row["messages"][-1] == "no id here"


def test_prints_below_json_take_nothing_from_it(opened: Callable[[str, str], Case]) -> None:
    """In a copy that does not tell events apart they go on with a message; below an event of the platform they are lines of their own."""
    said = {"timestamp": "2025-02-06T05:32:10.120Z", "level": "ERROR", "message": "refused", "requestId": A}
    start = {"time": "2025-02-06T05:32:10.001Z", "type": "platform.start", "record": {"requestId": A, "version": "4"}}
    case = opened("function.log", "\n".join([json.dumps(start), "loaded", json.dumps(said), "once more", "and more", json.dumps(said), ""]))
    rows = case.rows("SELECT _line, kind, level, time IS NULL AS untimed, message FROM lambda_log ORDER BY _line")
    assert [tuple(row.values()) for row in rows] == [
        (1, "start", None, False, None),
        (2, "app", None, True, "loaded"),
        (3, "app", "ERROR", False, "refused\nonce more\nand more"),
        (6, "app", "ERROR", False, "refused"),
    ]
    assert case.value("SELECT count(*) FROM unread") == 0


def test_an_application_keeps_its_json(opened: Callable[[str, str], Case]) -> None:
    """The same lines without anything of the platform's stay with the application."""
    records = [{"timestamp": "2025-02-06T05:32:10.1Z", "level": "INFO", "message": "m", "requestId": A} for _ in range(3)]
    case = opened("app.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    assert case.value("SELECT count(*) FROM json_lines") == 3
    assert case.value("SELECT count(*) FROM lambda_invocation") == 0


@pytest.mark.parametrize("name", sorted(discover.formats()))
def test_derived_relations_have_the_columns_that_they_declare(name: str, opened: Callable[[str, str], Case]) -> None:
    """Lineage first, then the columns of the table, each of its kind."""
    leaf = discover.formats()[name]
    if not leaf.derived:
        return
    case = opened("a.log", "x\n")
    for relation in leaf.derived:
        described = case.con.execute(f'DESCRIBE "{relation.table.name}"').fetchall()
        assert [row[0] for row in described] == ["_artifact", "_line", *(column.name for column in relation.table.columns)]
        assert [row[1] for row in described][2:] == [str(column.kind) for column in relation.table.columns]
        assert relation.table.name not in discover.formats()


def test_many_lines_are_read_alike(opened: Callable[[str, str], Case]) -> None:
    """Enough of them for the bulk reader, with prints in between that only the exact one knows."""
    told: list[str] = []
    for number in range(1200):
        request = f"{number:08x}-1111-4222-8333-555555555555"
        told += [f"START RequestId: {request} Version: 1", f"order {number}", f"[INFO]\t2025-02-06T05:32:10.123Z\t{request}\tstored"]
        told += [f"END RequestId: {request}", report(request, number)]
    case = opened("function.log", "\n".join(told) + "\n")
    assert case.value("SELECT count(*) FROM lambda_log") == len(told)
    counted = "SELECT count(*) FROM lambda_invocation WHERE line_count = 5 AND len(messages) = 2 AND request_seconds IS NOT NULL"
    assert case.value(counted) == 1200


def test_shapes_in_turn_are_all_in_the_sample(opened: Callable[[str, str], Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """Four lines a run: whichever of them one in so many met, the others would be read one by one."""
    monkeypatch.setattr("kyumei.store.exact.read_one", lambda _part, _line, text: pytest.fail(f"read one by one: {text}"))
    runs = (f"{number:08x}-1111-4222-8333-555555555555" for number in range(4000))
    four = (
        f"START RequestId: {{0}} Version: $LATEST\n{START:%FT%T.000Z}\t{{0}}\tINFO\tpriced\nEND RequestId: {{0}}\n" + report("{0}", 12.3)
    ).format
    case = opened("worker.log", "\n".join(four(run) for run in runs) + "\n")
    assert case.value("SELECT count(*) FROM lambda_log") == 16_000


def test_what_is_asked_for_each_request_is_kept(opened: Callable[[str, str], Case]) -> None:
    """As a table; the other derived relation stays a view."""
    case = opened("worker.log", f"START RequestId: {A} Version: $LATEST\nprinted\nEND RequestId: {A}\n{report(A, 12.3)}\n")
    assert case.rows("SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'lambda_')") == [
        {"table_name": "lambda_line"},
        {"table_name": "lambda_log"},
    ]
    assert [line[0] for line in lines(case)] == [A] * 4
