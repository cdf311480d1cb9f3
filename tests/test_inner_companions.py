"""A DETAIL or STATEMENT of PostgreSQL that syslog, a journal or a container's log has as a record of its own is put behind its message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kyumei import api
from tests.asking import case_of, rows_of

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "2025-02-06 05:32:10.123 UTC [7] app@shop "
OTHER = "2025-02-06 05:32:10.123 UTC [9] app@shop "
SAID = (
    (7, "[5-1] ", f"{PREFIX}ERROR:  duplicate key"),
    (9, "[3-1] ", f"{OTHER}LOG:  duration: 1200.5 ms  statement: SELECT *"),
    (7, "[5-2] ", f"{PREFIX}DETAIL:  Key (id)=(7) already exists."),
    (9, "[3-2] ", "\tFROM orders"),
    (7, "[5-3] ", f"{PREFIX}STATEMENT:  INSERT INTO orders"),
    (7, "[5-4] ", "\tVALUES (7)"),
    (7, "[6-1] ", f"{PREFIX}ERROR:  next"),
)
COLUMNS = "pid, level, message, detail_text, statement, duration_seconds"
ROWS = [
    (7, "ERROR", "duplicate key", "Key (id)=(7) already exists.", "INSERT INTO orders\nVALUES (7)", None),
    (7, "ERROR", "next", None, None, None),
    (9, "LOG", "duration: 1200.5 ms  statement: SELECT *\nFROM orders", None, "SELECT *\nFROM orders", 1.2005),
]


def _syslog(times: int = 1) -> str:
    lines = [f"Feb  6 05:32:10 db-1 postgres[{pid}]: {number}{said}\n" for pid, number, said in SAID]
    return "".join(lines * times).replace("\t", "#011")


def _journal() -> str:
    """What the server writes to its standard error: no numbers, and one process for all."""
    about = {"__REALTIME_TIMESTAMP": "1738819930123000", "SYSLOG_IDENTIFIER": "postgres", "PRIORITY": "6"}
    return "".join(json.dumps({**about, "_PID": str(pid), "MESSAGE": said}) + "\n" for pid, _, said in SAID)


def _docker() -> str:
    """What a container prints: lines of one message follow each other."""
    ordered = sorted(SAID, key=lambda one: one[0])
    about = '"stream":"stderr","time":"2025-02-06T05:32:10.123456789Z"'
    return "".join(f'{{"log":{json.dumps(said + chr(10))},{about}}}\n' for _, _, said in ordered)


@pytest.mark.parametrize("written", [_syslog, _journal, _docker])
def test_companions_join_their_message(tmp_path: Path, written: object) -> None:
    """By the number of the message, or by time and process; nothing is unread, and each line keeps its record."""
    assert callable(written)
    folder = case_of(tmp_path, written(), "postgres-json.log")
    assert rows_of(folder, f"SELECT {COLUMNS} FROM postgres_log ORDER BY pid, message") == ROWS
    assert rows_of(folder, "SELECT (SELECT count(*) FROM syslog) + (SELECT count(*) FROM json_lines)") == [(len(SAID),)]
    assert not api.unread(folder, cache=tmp_path / "cache")


def test_long_log(tmp_path: Path) -> None:
    """In bulk as one by one."""
    folder = case_of(tmp_path, _syslog(1300), "syslog")
    counted = rows_of(folder, "SELECT level, count(*), count(detail_text), count(statement) FROM postgres_log GROUP BY 1 ORDER BY 1")
    assert counted == [("ERROR", 2600, 1300, 1300), ("LOG", 1300, 0, 1300)]


def test_without_a_prefix_of_its_own(tmp_path: Path) -> None:
    """Syslog tells time and process; a line that was cut goes on with the blank at which it was."""
    said = (
        "[1-1] ERROR:  deadlock",
        "[1-2] DETAIL:  Process 7 waits",
        "[1-3]  for ShareLock",
        "[1-4] STATEMENT:  UPDATE x",
        "[1-5] #011SET y = 1",
    )
    folder = case_of(tmp_path, "".join(f"Feb  6 05:32:10 db-1 postgres[7]: {one}\n" for one in said), "syslog")
    assert rows_of(folder, f"SELECT {COLUMNS} FROM postgres_log") == [
        (7, "ERROR", "deadlock", "Process 7 waits for ShareLock", "UPDATE x\nSET y = 1", None)
    ]


def test_a_companion_without_its_message_stays(tmp_path: Path) -> None:
    """The message may stand in the file before, and another process has none of it."""
    lines = [
        "Feb  6 05:32:10 db-1 postgres[7]: [5-2] 2025-02-06 05:32:10.123 UTC [7] app@shop DETAIL:  Key (id)=(7) already exists.",
        f"Feb  6 05:32:10 db-1 postgres[9]: [3-1] {OTHER}ERROR:  of another process",
        f"Feb  6 05:32:10 db-1 postgres[7]: [6-2] {PREFIX}STATEMENT:  SELECT 1",
    ]
    folder = case_of(tmp_path, "\n".join(lines), "syslog")
    assert rows_of(folder, "SELECT level, message, statement FROM postgres_log ORDER BY _line") == [
        ("DETAIL", "Key (id)=(7) already exists.", None),
        ("ERROR", "of another process", None),
        ("STATEMENT", "SELECT 1", None),
    ]


RDS = "2025-02-06 05:32:1{0} UTC:10.0.0.9(48808):app@shop:[{0}]:{1}:  {2}"
TAILED = (RDS.format(5, "ERROR", "deadlock detected"), RDS.format(5, "DETAIL", "Process 5 waits."), RDS.format(5, "STATEMENT", "UPDATE x"))
GROUP, STREAM = "/aws/rds/instance/shop/postgresql", "shop.0"
ACCESS = '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET /api HTTP/1.1" 502 157 "-" "curl/8.5.0"'


@pytest.mark.parametrize("several", [False, True])
def test_tail_over_log_groups(tmp_path: Path, several: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Each line has the time, the group and the stream before it; each event of the database is one, however many lines it has."""
    events = [(GROUP, STREAM, line) for line in TAILED] + [("/ecs/web", "ecs/web/0a1b2c", ACCESS)] * several
    text = "".join(f"2025-02-06T05:32:15.000000+00:00 {group} {stream} {line}\n" for group, stream, line in events)
    folder = case_of(tmp_path, text, "tail.log")
    assert rows_of(folder, "SELECT level, message, detail_text, statement, _span FROM postgres_log") == [
        ("ERROR", "deadlock detected", "Process 5 waits.", "UPDATE x", 3)
    ]
    assert rows_of(folder, "SELECT path FROM nginx_access") == [("/api",)] * several
    assert rows_of(folder, "SELECT * FROM app_log") == []
    assert rows_of(folder, "SELECT log_group, stream FROM streams ORDER BY _line")[0] == (GROUP, STREAM)


@pytest.mark.parametrize("stream", ["/var/log/nginx/access.log", "web/0a1b2c"])
def test_a_stream_that_looks_like_a_group(tmp_path: Path, stream: str) -> None:
    """The client's address is no stream."""
    folder = case_of(tmp_path, f"2025-02-06T05:32:15.000000+00:00 {stream} {ACCESS}\n", "tail.log")
    assert rows_of(folder, "SELECT path, client_ip FROM nginx_access") == [("/api", "203.0.113.9")]
    assert rows_of(folder, "SELECT log_group, stream FROM streams") == [(None, stream)]


def test_control_messages_are_not_unread(tmp_path: Path) -> None:
    """CloudWatch Logs asks a subscriber whether it is there; that is no event, and no failure to read one."""
    asked = {
        "messageType": "CONTROL_MESSAGE",
        "logGroup": "",
        "logStream": "",
        "logEvents": [{"id": "", "timestamp": 1738819930000, "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."}],
    }
    sent = {**asked, "messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "timestamp": 1738819930000, "message": TAILED[0]}]}
    folder = case_of(tmp_path, json.dumps(asked) + json.dumps(sent), "sent")
    assert not api.unread(folder, cache=tmp_path / "cache")
    assert rows_of(folder, "SELECT text FROM headers") == [("CWL CONTROL MESSAGE: Checking health of destination Firehose.",)]
    assert rows_of(folder, "SELECT trouble FROM artifacts") == [("",)]
    assert rows_of(folder, "SELECT count(*) FROM postgres_log") == [(1,)]


@pytest.mark.parametrize("times", [1, 5000])
def test_odd_records_in_a_long_host_log(tmp_path: Path, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no bulk reader takes is read all the same, so many at once, and a record that one takes is not read twice."""
    monkeypatch.setattr("kyumei.store.inner.CHUNK_ROWS", 3333)
    odd = '2025/02/06 05:32:10 [error] 12#12: *5 access forbidden by rule, client: 203.0.113.9, request: "GET /a HTTP/1.1, host: "a"'
    plain = odd.replace("HTTP/1.1,", 'HTTP/1.1",')
    host = ("sshd[1]: Accepted publickey for ec2-user from 203.0.113.9 port 51234 ssh2", "CRON[2]: (root) CMD (run-parts /etc/cron.hourly)")
    lines = [*host * times, f"nginx: {odd}", f"nginx: {plain}"]
    folder = case_of(tmp_path, "".join(f"Feb  6 05:32:10 web-1 {line}\n" for line in lines), "syslog")
    assert (
        rows_of(folder, "SELECT level, client_ip, message FROM nginx_error ORDER BY _line")
        == [("error", "203.0.113.9", "access forbidden by rule")] * 2
    )
