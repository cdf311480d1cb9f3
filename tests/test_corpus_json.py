"""Public samples: each agrees with what its own project asserts of it. They lie beside the repository, or at KYUMEI_CORPUS."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.formats.resource_snapshot import snapshot_rows
from kyumei.store.unwrap import Broken, Record, records, wrapper_lines

CORPUS = Path(os.environ.get("KYUMEI_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "corpus"))
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}")


def _text(name: str) -> str:
    raw = (CORPUS / name).read_bytes()
    return (gzip.decompress(raw) if name.endswith(".gz") else raw).decode("utf-8", "surrogateescape")


def _rows(name: str, format_name: str) -> list[dict[str, Any] | Refused]:
    leaf = discover.formats()[format_name]
    return [leaf.layout.read(line) for line in _text(name).split("\n") if line.strip()]


def _read(name: str, format_name: str = "json_lines") -> list[dict[str, Any]]:
    found = [row for row in _rows(name, format_name) if isinstance(row, dict)]
    assert len(found) == len(_rows(name, format_name))
    return found


def test_waf() -> None:
    """lambda-promtail: one entry, at 1693457862729 ms."""
    [row] = _read("waf/promtail-waf.log.gz", "waf")
    assert row["time"] == datetime(2023, 8, 31, 4, 57, 42, 729_000)  # noqa: DTZ001 - readers answer naive times
    assert (row["action"], row["rule_id"], row["elb"], row["client_ip"]) == (
        "ALLOW",
        "Default_Action",
        "app/test-alb/6a1939d39ac9ef3c",
        "127.0.0.1",
    )
    assert row["trace_id"] == row["request_id"] == "1-64f01dc6-7d2deb5d54820c4d7284912a"
    assert row["_extra"] is None


def test_sampled_requests() -> None:
    """aws-cli: four sampled requests, each a resource with its line."""
    text = _text("waf/awscli-wafv2-get-sampled-requests-1.json")
    found = snapshot_rows("aws/wafv2/get-sampled-requests.json", text)
    assert isinstance(found, list)
    assert len(found) == len(json.loads(text)["SampledRequests"])
    assert all('"Action"' in text.split("\n")[line] for line, _ in found)


def test_bunyan() -> None:
    """lnav: numeric levels 20 and 30."""
    rows = _read("app_json/lnav-bunyan.0")
    levels = [json.loads(line)["level"] for line in _text("app_json/lnav-bunyan.0").split("\n") if line]
    assert [row["level"] for row in rows] == [{20: "DEBUG", 30: "INFO", 40: "WARNING", 50: "ERROR"}[level] for level in levels]
    assert all(row["logger"] == "renovate" and row["pid"] == 7 and row["time"] for row in rows)


def test_pino() -> None:
    """lnav: time in milliseconds, level as a word."""
    [row] = _read("app_json/lnav-pino.0")
    assert (row["level"], row["message"], row["program"]) == ("INFO", "Charge request received.", "payment")
    assert row["time"] == datetime.fromtimestamp(1745532517.537, UTC).replace(tzinfo=None)


def test_ecs() -> None:
    """lnav: the flat key log.level beside an object log."""
    rows = _read("app_json/lnav-ecs_log.json")
    assert [row["level"] for row in rows] == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    assert {row["logger"] for row in rows} == {"app"}
    assert {row["pid"] for row in rows} == {9159}


def test_json_lines() -> None:
    """lnav: one bad time, levels with digits, control characters."""
    rows = _read("app_json/lnav-json.json")
    assert [number for number, row in enumerate(rows, 1) if row["time"] is None] == [6]
    assert rows[5]["_extra"]["ts"] == "xxx"
    assert rows[1]["message"] == "Starting up service"
    assert [row["level"] for row in rows][-4:] == ["WARNING", "ERROR", "CRITICAL", "CRITICAL"]


def test_nested_and_instant() -> None:
    """lnav: fields inside @fields; log4j's instant with its nanoseconds."""
    assert all(row["message"] and row["level"] for row in _read("app_json/lnav-nested_json.json"))
    assert [row["time"].microsecond for row in _read("app_json/lnav-json_subsec.json")] == [484_000, 222_000]


def test_journald() -> None:
    """lnav: priorities 1 and 6."""
    rows = _read("app_json/lnav-journald.json")
    assert [(row["level"], row["program"], row["pid"]) for row in rows] == [("CRITICAL", "python", 184), ("INFO", "python", 184)]
    assert rows[0]["time"] == datetime(2018, 8, 21, 14, 4, 21, 221_373)  # noqa: DTZ001 - readers answer naive times


def test_otlp() -> None:
    """lnav: the first record of each line; the others are not lost."""
    rows = _read("app_json/lnav-otel_collector.jsonl")
    assert [row["message"] for row in rows][:2] == [
        "Processing payment request",
        "Failed to update order status: database connection timeout",
    ]
    assert all(row["_extra"]["resourceLogs"] for row in rows)


def test_broken_json() -> None:
    """lnav: the third of five lines is cut off; it is kept, and the others are read."""
    rows = _rows("app_json/lnav-invalid_json.json", "json_lines")
    assert [isinstance(row, Refused) for row in rows] == [False, False, True, False, False]
    assert [type(one) for one in records(_text("app_json/lnav-invalid_json.json"))] == [Record, Record, Broken, Record, Record]


def test_every_sample_of_applications_is_claimed() -> None:
    """By json_lines, and by no other format."""
    for path in sorted((CORPUS / "app_json").iterdir()):
        for line in path.read_text("utf-8").split("\n"):
            if line.strip() and json_object(line):
                assert [name for name, leaf in discover.formats().items() if leaf.sniff(line, path.name)] == ["json_lines"], line[:80]


def json_object(line: str) -> bool:
    """Whether the line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("name", "count"),
    [("cloudwatch_logs_api/awscli-logs-get-log-events-1.json", 3), ("cloudwatch_logs_api/custodian-logs.GetLogEvents_1.json", 6)],
)
def test_get_log_events(name: str, count: int) -> None:
    """Each event is its message, at the envelope's time, on the line on which it starts."""
    text = _text(name)
    found = list(records(text, name))
    document = json.loads(text)
    events = document.get("data", document)["events"]
    assert [(one.text, one.time_ms) for one in found if isinstance(one, Record)] == [
        (event["message"], event["timestamp"]) for event in events
    ]
    assert len(found) == count
    lines = text.split("\n")
    assert all("{" in lines[one.line - 1] and "ingestionTime" in lines[one.line] for one in found)
    assert sum(one.span for one in found) + wrapper_lines(text, found) == sum(1 for line in lines if line.strip())


def test_subscription_of_lambda_go() -> None:
    """aws-lambda-go: group testLogGroup, stream testLogStream, two events."""
    found = [one for one in records(_text("cloudwatch_subscription/lambdago-cloudwatch-logs-event.json")) if isinstance(one, Record)]
    assert [(one.group, one.stream, one.text) for one in found] == [
        ("testLogGroup", "testLogStream", "[ERROR] First test message"),
        ("testLogGroup", "testLogStream", "[ERROR] Second test message"),
    ]


def test_subscription_of_vrl() -> None:
    """VRL: group, stream, times and messages as asserted there; the messages are JSON records of an application."""
    expected = json.loads(_text("cloudwatch_subscription/vrl-data-message.expected.json"))["expected"]
    found = [one for one in records(_text("cloudwatch_subscription/vrl-data-message.json")) if isinstance(one, Record)]
    assert [(one.group, one.stream, one.text) for one in found] == [
        (expected["log_group"], expected["log_stream"], event["message"]) for event in expected["log_events"]
    ]
    times = [int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000 + 0.5) for event in expected["log_events"]]
    assert [one.time_ms for one in found] == times
    rows = [discover.formats()["json_lines"].layout.read(one.text) for one in found]
    assert [row["status"] for row in rows if isinstance(row, dict)] == [301, 502]


def test_eventbridge_is_left_to_its_own_format() -> None:
    """Each envelope is one record, and no application's."""
    paths = sorted((CORPUS / "eventbridge").glob("*event*.json"))
    assert paths
    for path in paths:
        found = list(records(path.read_text("utf-8"), path.name))
        assert [type(one) for one in found] == [Record], path.name
        if "detail-type" in found[0].text:
            assert not discover.formats()["json_lines"].sniff(found[0].text, path.name)
