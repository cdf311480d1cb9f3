"""API Gateway's logs: a public sample of the execution log, beside the repository or at KYUMEI_CORPUS, and formats that people tell."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.errors import ConfigError
from kyumei.layouts.gateway_fields import is_gateway_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Layout

CORPUS = Path(os.environ.get("KYUMEI_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "corpus")) / "apigw_execution"
ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def _records(text: str, head: str) -> list[str]:
    """The records of a log: lines joined from one head to the next."""
    with duckdb.connect() as con:
        begins = con.execute("SELECT regexp_matches(unnest(?::VARCHAR[]), ?)", [text.split("\n"), f"^(?:{head})"]).fetchall()
    found: list[str] = []
    for line, (begin,) in zip(text.split("\n"), begins, strict=True):
        if begin or not found:
            found.append(line)
        else:
            found[-1] += "\n" + line
    return found


def _read(layout: Layout, text: str) -> dict[str, Any]:
    """The filled columns of a record."""
    row = layout.read(text)
    assert not isinstance(row, Refused), row
    return {name: value for name, value in row.items() if value is not None and name != "_naive"}


def _sure(layout: Layout, texts: Sequence[str]) -> list[bool]:
    """Of which records the bulk reader is sure; it then equals the exact one."""
    with duckdb.connect() as con:
        con.execute("CREATE TABLE records (_artifact INTEGER, _line BIGINT, text VARCHAR)")
        con.execute("INSERT INTO records SELECT 1, unnest(?::BIGINT[]), unnest(?::VARCHAR[])", [list(range(len(texts))), list(texts)])
        found = con.execute(f"SELECT * FROM ({layout.bulk('records')}) ORDER BY _line")
        names = [column[0] for column in found.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    for row, text in zip(rows, texts, strict=True):
        if row["_ok"]:
            extra = json.loads(row["_extra"]) if row["_extra"] else None
            read = layout.read(text)
            assert isinstance(read, dict)
            assert {name: row[name] for name in read} | {"_extra": extra} == read
    return [row["_ok"] is True for row in rows]


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}")
def test_execution_log_of_the_console() -> None:
    """serverless-aws-logs-parser: two requests, their ids, methods, paths, statuses, first and last times, parameters."""
    leaf = discover.formats()["api_gateway_execution"]
    expected = json.loads((CORPUS / "rotemtam-two-requests.expected.json").read_text("utf-8"))["events"]
    texts = _records((CORPUS / "rotemtam-two-requests.log").read_text("utf-8").rstrip("\n"), leaf.layout.head or "")
    assert all(leaf.sniff(text, "") for text in texts)
    assert all(_sure(leaf.layout, texts))
    rows = [_read(leaf.layout, text) for text in texts]
    starts = [number for number, row in enumerate(rows) if row["message"].startswith("Verifying Usage Plan for request:")]
    assert len(starts) == len(expected)
    facts: dict[str, Any] = {}
    for start, end, event in zip(starts, [*starts[1:], len(rows)], expected, strict=True):
        own = rows[start:end]
        facts = {name: value for row in reversed(own) for name, value in row.items()}
        assert {row["request_id"] for row in own if "request_id" in row} == {event["request_id"]}
        assert (facts["method"], facts["path"], str(facts["status"])) == (event["method"], event["resource_path"], event["response_status"])
        assert facts["path_parameters"] == event["request_path"]
        assert facts.get("query_parameters", "") == event["request_query_string"]
        stamps = [own[0]["time"], own[-1]["time"]]
        assert stamps == [datetime.fromisoformat(event[key]).astimezone(UTC).replace(tzinfo=None) for key in ("ts_start", "ts_end")]
        assert facts["host"] == "ulhoxnm2x2.execute-api.us-east-1.amazonaws.com"
        assert facts["user_agent"].endswith("Chrome/53.0.2785.116 Safari/537.36")
        assert (facts["api_id"], facts["stage"]) == ("ulhoxnm2x2", "dev")
    assert facts["function_error"] == "Handled"
    assert sum("\n" in row["message"] for row in rows) == len(expected)


JSON_FORMAT = (
    '{"id": "$context.requestId", "when": "$context.requestTime", "what": {"verb": "$context.httpMethod", "where": "$context.path"}, '
    '"code": $context.status, "behind": "$context.integration.status", "lambda": $context.integrationStatus, '
    '"took": $context.responseLatency, "kind": "$context.error.responseType", "service": "shop"}'
)


def test_json_format_that_was_told() -> None:
    """Keys say nothing, the variables do; a variable that is missing breaks the JSON and says that no integration answered."""
    layout = discover.formats()["api_gateway_access"].custom
    assert layout is not None
    whole = (
        f'{{"id": "{ID}", "when": "06/Feb/2025:05:32:10 +0000", "what": {{"verb": "GET", "where": "/prod/pets"}}, "code": 502, '
        '"behind": "-", "lambda": 200, "took": 12, "kind": "-", "service": "shop"}'
    )
    row = _read(layout(JSON_FORMAT), whole)
    assert row == {
        "time": datetime(2025, 2, 6, 5, 32, 10),  # noqa: DTZ001 - readers answer naive times
        "request_id": ID,
        "method": "GET",
        "path": "/prod/pets",
        "status": 502,
        "request_seconds": 0.012,
        "response_type": "-",
        "dispatched": True,
        "integration_status": 200,
        "_extra": {"service": "shop"},
    }
    broken = _read(layout(JSON_FORMAT), whole.replace('"lambda": 200', '"lambda": -').replace('"kind": "-"', '"kind": "THROTTLED"'))
    assert (broken["dispatched"], broken["response_type"]) == (False, "THROTTLED")
    flat = JSON_FORMAT.replace('"what": {', "").replace('context.path"}', 'context.path"')
    assert _sure(layout(flat), [whole.replace('"what": {', "").replace('/pets"}', '/pets"')]) == [True]


def test_line_format_that_was_told() -> None:
    """Text between the variables tells where each ends; a dash in the integration's status is an answer of its own."""
    custom = discover.formats()["api_gateway_access"].custom
    assert custom is not None
    layout = custom(
        "$context.requestTimeEpoch|$context.requestId|$context.httpMethod $context.resourcePath|$context.status|"
        "$context.integration.status|$context.error.responseType|$context.integrationLatency|$context.authorizer.tenant"
    )
    texts = [
        f"1738819930123|{ID}|GET /pets|200|200|-|31|blue",
        f"1738819930124|{ID}|GET /pets/{{id}}|504|-|INTEGRATION_TIMEOUT|29001|-",
    ]
    assert _sure(layout, texts) == [True, True]
    first, second = (_read(layout, text) for text in texts)
    assert (first["path"], first["dispatched"], first["target_status"], first["response_type"]) == ("/pets", True, 200, "-")
    assert first["_extra"] == {"authorizer.tenant": "blue"}
    assert (second["dispatched"], second["response_type"], second["target_seconds"]) == (False, "INTEGRATION_TIMEOUT", 29.001)
    assert {"target_status", "path", "_extra"} & second.keys() == set()
    assert isinstance(layout.read("1738819930123|-|GET /|200|200|-|31|-"), Refused)


@pytest.mark.parametrize("text", ["no variable", "$context.status$context.requestId", '{"id": "$context.requestId"'])
def test_format_that_nobody_can_follow(text: str) -> None:
    """It is refused with a hint."""
    custom = discover.formats()["api_gateway_access"].custom
    assert custom is not None
    with pytest.raises(ConfigError):
        custom(text)


def test_common_log_with_a_space() -> None:
    """Only the request id at its end tells the console's template from a web server's line."""
    leaf = discover.formats()["api_gateway_access"]
    ours = '203.0.113.9 - - [06/Feb/2025:05:32:22 +0000] "GET GET /pets HTTP/1.1" 200 412 Sca3bFUQgi0EYeA= Sca3bFUQgi0EYeA='
    assert leaf.sniff(ours, "")
    row = _read(leaf.layout, ours)
    assert (row["method"], row["path"], row["request_id"]) == ("GET", "/pets", "Sca3bFUQgi0EYeA=")
    for theirs in ("200 412", '200 412 "-" "curl/8.5.0"', "200 412 0.003", "200 - shop"):
        line = f'203.0.113.9 - - [06/Feb/2025:05:32:22 +0000] "GET /pets HTTP/1.1" {theirs}'
        assert not is_gateway_line(line)
        assert not leaf.sniff(line, "")


@pytest.mark.parametrize(
    "record",
    [
        {"requestId": ID, "httpMethod": "GET", "resourcePath": "/pets", "status": 200, "requestTime": "x", "level": "INFO"},
        {"requestId": ID, "httpMethod": "GET", "path": "/pets", "status": 200, "time": "2025-02-06T05:32:10Z"},
        {"requestId": ID, "resourcePath": "/pets", "httpMethod": "GET", "requestTime": "06/Feb/2025:05:32:10 +0000", "stage": "prod"},
        {"request_id": ID, "request_method": "GET", "status": "200", "time_local": "06/Feb/2025:05:32:10 +0000", "request_time": "0.003"},
        {"requestContext": {"requestId": ID}, "httpMethod": "GET", "resourcePath": "/pets", "status": 1, "requestId": ID, "apiId": "a1"},
    ],
)
def test_records_of_applications_are_not_claimed(record: dict[str, Any]) -> None:
    """A function that logs its event, an application with a request id of its own, nginx."""
    assert not discover.formats()["api_gateway_access"].sniff(json.dumps(record), "app.log")


def test_no_format_else_claims_a_record_with_a_time() -> None:
    """``time`` makes a record look like an application's; the variables say that it is not."""
    record = {
        "time": "06/Feb/2025:05:32:10 +0000",
        "requestId": ID,
        "httpMethod": "GET",
        "routeKey": "GET /pets",
        "status": 200,
        "apiId": "a1",
    }
    text = json.dumps(record)
    assert [name for name, leaf in discover.formats().items() if leaf.sniff(text, "x.log")] == ["api_gateway_access"]
