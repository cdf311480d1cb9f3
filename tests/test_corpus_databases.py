"""The readers of database logs and traces against sample logs of others, where they lie beside the repository.

The samples are not part of the repository: set ``KYUMEI_CORPUS`` to their folder, or put it at ``../shared/corpus``. Without it these
tests are skipped. Every difference from the expected output is listed here with its reason, and must be there: one that no longer differs
fails, too.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kyumei import discover
from kyumei.contracts import Refused

CORPUS = Path(os.environ.get("KYUMEI_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus: set KYUMEI_CORPUS to the folder of sample logs")


def _read(name: str, text: str) -> dict[str, Any]:
    answer = discover.formats()[name].layout.read(text)
    assert not isinstance(answer, Refused), answer
    return answer


def _records(name: str, text: str) -> list[str]:
    """The lines of a text joined from head to head; a line that leads takes the next one with it."""
    layout = discover.formats()[name].layout
    lead = getattr(layout, "lead", None)
    found: list[str] = []
    led = False
    for line in text.removesuffix("\n").split("\n"):
        if not found or (re.match(layout.head or "", line, re.ASCII) and not led):
            found.append(line)
        else:
            found[-1] += "\n" + line
        led = lead is not None and re.match(lead, line) is not None
    return found


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(" -", "-").replace(" +", "+")).astimezone(UTC).replace(tzinfo=None)


# PostgreSQL

EMPTY_NAMES = {"%m [%p]: [%l-1] db=%d,user=%u "}
"""Names that are empty are null here, and an empty text there."""


def test_postgres_prefixes_agree() -> None:
    """Each line of pganalyze's test: by its own prefix, and without being told."""
    names = {"Username": "user", "Database": "database", "LogLevel": "level", "BackendPid": "pid", "Content": "message"}
    names |= {"Application": "application_name", "LogLineNumber": "session_line"}
    leaf = discover.formats()["postgres_log"]
    differing = set()
    cases = json.loads((CORPUS / "rds_postgres/pganalyze-prefix-A.cases.json").read_text("utf-8"))["cases"]
    assert len(cases) == 21
    for case in cases:
        row, expected, prefix = _read("postgres_log", case["line"]), case["expected"], case["log_line_prefix"]
        if "OccurredAt" in expected:
            assert (row["time"], row["_naive"]) == (_utc(expected["OccurredAt"]), 0)
            assert leaf.custom is not None
            assert leaf.custom(prefix).read(case["line"]) == row
        if any(expected[name] != row[column] for name, column in names.items() if name in expected):
            differing.add(prefix)
            assert all((expected[name] or None) == row[column] for name, column in names.items() if name in expected)
    assert differing == EMPTY_NAMES


def test_postgres_files_are_read() -> None:
    """Records, their statements and durations; other programs' lines between them go to the record above."""
    light = gzip.decompress((CORPUS / "rds_postgres/pgbadger-light.log.gz").read_bytes()).decode()
    rows = [_read("postgres_log", text) for text in _records("postgres_log", light)]
    assert len(rows) == 630
    asked = [row for row in rows if row["statement"] is not None]
    assert len(asked) == 629
    assert {row["database"] for row in asked} == {"postgres"}
    assert all(row["duration_seconds"] is not None for row in asked)
    rds = gzip.decompress((CORPUS / "rds_postgres/pgbadger-rds-trimmed.log.gz").read_bytes()).decode()
    rows = [_read("postgres_log", text) for text in _records("postgres_log", rds)]
    assert len(rows) == 900
    assert rows[0]["time"] == datetime(2020, 3, 11, 19, 40, 43)  # noqa: DTZ001 - CET, read as UTC
    assert {row["_naive"] for row in rows} == {0}
    stock = [
        _read("postgres_log", text) for text in _records("postgres_log", (CORPUS / "rds_postgres/lnav-postgres.1.log").read_text("utf-8"))
    ]
    assert [row["level"] for row in stock] == ["ERROR", "WARNING", "ERROR", "WARNING", "NOTICE"]
    assert stock[0]["statement"].count("\n") == 38
    assert stock[2]["statement"] == "truncate table scrape_memory restart identity;"
    startup = _records("postgres_log", (CORPUS / "rds_postgres/pgbadger-startup-errors.log").read_text("utf-8"))
    rows = [_read("postgres_log", text) for text in startup]
    assert len(rows) == 9
    assert rows[1]["message"].endswith("contains errors\npg_ctl: could not start server\nExamine the log output.")
    assert (rows[-1]["user"], rows[-1]["statement"][:6]) == ("gilles", "select")


def test_postgres_csvlog_is_read() -> None:
    """Both rows; the number behind the backend's type is the leader's process."""
    rows = [
        _read("postgres_log", text) for text in _records("postgres_log", (CORPUS / "rds_postgres/pgbadger-csvlog.csv").read_text("utf-8"))
    ]
    assert [(row["user"], row["duration_seconds"], row["step"], row["leader_pid"]) for row in rows] == [
        ("example_user", 688.786283, "execute", 0),
        ("health_user", None, "statement", 0),
    ]


# MySQL

SLOW_DEVIATIONS = {
    6: "an entry without counters is a row here, for no line is lost",
    14: "a second statement in an entry belongs to the first; upstream takes the last",
    16: "a user behind the statement belongs to the statement; upstream takes it for a comment",
    18: "the statement is not ended by a semicolon; it is one all the same",
    26: "the first number of the time is the year; upstream reads it as a day",
}
"""Cases in which we answer otherwise than honeytail, and why."""


def test_slow_entries_agree() -> None:
    """Every entry of honeytail's test: user, client, counters, statement, time."""
    names = {"query_time": "query_seconds", "lock_time": "lock_seconds", "rows_sent": "rows_sent", "rows_examined": "rows_examined"}
    names |= {"rows_affected": "rows_affected", "bytes_sent": "sent_bytes", "user": "user", "database": "database"}
    cases = json.loads((CORPUS / "rds_mysql/honeytail-slow-A.cases.json").read_text("utf-8"))["cases"]
    assert len(cases) == 15
    differing = set()
    for case in cases:
        row, expected = _read("mysql_slow", "\n".join(case["lines"])), case["expected"]
        same = expected is not None and all(row[column] == expected[name] for name, column in names.items() if name in expected)
        if same and "query" in expected:
            same = " ".join((row["statement"] or "").split()) == expected["query"].replace("  ", " ").strip()
        if same and "client" in expected:
            same = (row["client_ip"] or "") in expected["client"]
        when = case["timestamp"]
        if same and when and when[0].isdigit():
            same = row["time"] == _utc(when)
        if not same:
            differing.add(case["case"])
    assert differing == set(SLOW_DEVIATIONS)


def test_slow_files_are_read() -> None:
    """Nothing of a file is lost, and each entry has its own time."""
    for name, count in (("lnav-mysql_slow.log", 6), ("honeytail-slow-A.log", 16)):
        text = (CORPUS / "rds_mysql" / name).read_text("utf-8")
        found = _records("mysql_slow", text)
        assert len(found) == count
        assert "\n".join(found) == text.removesuffix("\n")
        for record in found:
            _read("mysql_slow", record)
    rows = [_read("mysql_slow", text) for text in _records("mysql_slow", (CORPUS / "rds_mysql/lnav-mysql_slow.log").read_text("utf-8"))]
    assert rows[0]["time"] == _utc("2021-01-26T23:45:57.678222Z")
    assert (rows[0]["database"], rows[0]["rows_sent"], rows[0]["statement"]) == ("owncloud", 268, "SELECT * FROM `oc_appconfig`")


def test_mysql_error_log_is_read() -> None:
    """The four lines of the sample."""
    rows = [_read("mysql_error", line) for line in (CORPUS / "rds_mysql/lnav-mysql_error.log").read_text("utf-8").splitlines()]
    assert [row["code"] for row in rows] == ["MY-012487", "MY-010068", "MY-010253", "MY-010051"]
    assert [row["level"] for row in rows] == ["Note", "Warning", "Note", "Note"]
    assert [row["thread_id"] for row in rows] == [0, 0, 0, 5]


# Answers of AWS


def _claimed(name: str, item: object) -> dict[str, Any]:
    text = item if isinstance(item, str) else json.dumps(item)
    assert [leaf.name for leaf in discover.formats().values() if leaf.sniff(text, "x.json")] == [name]
    return _read(name, text)


def test_traces_are_read() -> None:
    """Documents, those inside answers, and a service graph."""
    row = _claimed("xray_segment", (CORPUS / "xray/awscli-put-trace-segments-1.json").read_text("utf-8"))
    assert (row["name"], row["status"], row["operation"], row["resource"]) == ("DynamoDB", 200, "GetItem", "scorekeep-session-xray")
    answer = json.loads((CORPUS / "xray/awscli-xray-batch-traces-get-1.json").read_text("utf-8"))
    rows = [_claimed("xray_segment", segment["Document"]) for trace in answer["Traces"] for segment in trace["Segments"]]
    assert len({row["trace_id"] for row in rows}) == 1
    documents = json.loads((CORPUS / "xray/awsdocs-segment-documents.json").read_text("utf-8"))
    rows = [_claimed("xray_segment", item["document"]) for item in documents]
    assert [row["_extra"] for row in rows] == [None] * 7
    assert _claimed("xray_segment", documents[0])["_extra"] == {"title": "Minimal complete segment"}
    assert [row["is_in_progress"] for row in rows].count(True) == 1
    graph = json.loads((CORPUS / "xray/awscli-xray-get-service-graph-1.json").read_text("utf-8"))
    assert [_claimed("xray_service", service)["name"] for service in graph["Services"]] == ["Scorekeep"]


def test_rds_events_are_read() -> None:
    """The documented answer."""
    answer = json.loads((CORPUS / "rds_events/awscli-rds-describe-events-1.json").read_text("utf-8"))
    rows = [_claimed("rds_event", item) for item in answer["Events"]]
    assert [row["time"] for row in rows] == [_utc(item["Date"]) for item in answer["Events"]]
    assert {(row["account"], row["region"], row["resource"], *row["categories"]) for row in rows} == {
        ("123456789012", "us-east-1", "test-instance", "backup")
    }
