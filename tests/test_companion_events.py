"""A DETAIL or STATEMENT of PostgreSQL that CloudWatch Logs has as an event of its own is put behind the message that it belongs to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kyumei import api

if TYPE_CHECKING:
    from pathlib import Path

LATER = "2025-02-06 05:32:11"
COLUMNS = "pid, level, message, detail_text, statement"


def _line(pid: int, level: str, said: str, time: str = "2025-02-06 05:32:10") -> str:
    return f"{time} UTC:10.0.1.12(48808):shop@shop:[{pid}]:{level}:  {said}"


LINES = [
    _line(18762, "ERROR", "deadlock detected"),
    _line(18764, "ERROR", "canceling statement due to statement timeout"),
    _line(18762, "DETAIL", "Process 18762 waits."),
    _line(18764, "STATEMENT", "SELECT *\n\tFROM orders"),
    _line(18762, "STATEMENT", "UPDATE stock SET n = 1"),
    _line(18765, "STATEMENT", "its message is not here"),
    _line(18762, "STATEMENT", "another moment", LATER),
    _line(18766, "LOG", "duration: 3.5 ms  statement: SELECT 'STATEMENT:  x'"),
]
ROWS = [
    (18762, "ERROR", "deadlock detected", "Process 18762 waits.", "UPDATE stock SET n = 1"),
    (18762, "STATEMENT", "another moment", None, None),
    (18764, "ERROR", "canceling statement due to statement timeout", None, "SELECT *\nFROM orders"),
    (18765, "STATEMENT", "its message is not here", None, None),
    (18766, "LOG", "duration: 3.5 ms  statement: SELECT 'STATEMENT:  x'", None, "SELECT 'STATEMENT:  x'"),
]


def _events(*streams: str) -> list[dict[str, Any]]:
    return [{"logStreamName": name, "timestamp": 1738819930000, "message": said} for name in streams for said in LINES]


def _told(root: Path, sql: str) -> list[tuple[Any, ...]]:
    with api.query(root, sql, cache=root.parent / "cache") as answer:
        return list(answer.rows)


WRAPPED = {
    "answer.json": json.dumps({"events": _events("db-1.0")}),
    "pretty.json": json.dumps({"events": _events("db-1.0")}, indent=2),
    "sent.json": json.dumps(
        {"messageType": "DATA_MESSAGE", "logGroup": "/aws/rds/instance/db-1/postgresql", "logStream": "db-1.0", "logEvents": _events("")}
    ),
    "console.csv": "timestamp,message\n" + "".join(f'1738819930000,"{line}"\n' for line in LINES),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_companions_join_their_message(tmp_path: Path, name: str) -> None:
    """By process and time; one whose message is not there stays a record, with its own level."""
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / name).write_text(WRAPPED[name])
    assert _told(tmp_path / "case", f"SELECT {COLUMNS} FROM postgres_log ORDER BY pid, time") == ROWS


def test_streams_are_kept_apart(tmp_path: Path) -> None:
    """Two servers may have the same process at the same time."""
    (tmp_path / "case").mkdir()
    said = [
        {"logStreamName": f"db-{1 + number % 2}.0", "timestamp": 1, "message": line} for number, line in enumerate((LINES[0], LINES[2]))
    ]
    (tmp_path / "case" / "answer.json").write_text(json.dumps({"events": said}))
    told = _told(tmp_path / "case", "SELECT level, message, detail_text FROM postgres_log ORDER BY level")
    assert told == [("DETAIL", "Process 18762 waits.", None), ("ERROR", "deadlock detected", None)]


def test_what_others_write_is_left_alone(tmp_path: Path) -> None:
    """A word and two blanks make no companion, and no line is lost."""
    (tmp_path / "case").mkdir()
    said = ["2025-02-06 05:32:10,123 ERROR [12] shop: boom", "2025-02-06 05:32:10,123 ERROR [12] shop: STATEMENT:  x", "STATEMENT:  y"]
    events = [{"logStreamName": "s", "timestamp": 1738819930000, "message": line} for line in said]
    (tmp_path / "case" / "answer.json").write_text(json.dumps({"events": events}))
    found = [row[0] for row in _told(tmp_path / "case", "SELECT message FROM app_log UNION ALL SELECT message FROM postgres_log")]
    assert len(found) + len(api.unread(tmp_path / "case", cache=tmp_path / "cache")) == len(said)
