"""What tools put before a line, or around it, is taken off; a year that nobody writes is that of the envelope."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kyumei import api

if TYPE_CHECKING:
    from pathlib import Path

ACCESS = '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET /api HTTP/1.1" 502 157 "-" "curl/8.5.0"'
LINE = '{"level":"error","msg":"boom"}'
NANOS = "2025-02-06T05:32:10.250123456Z"
POD = "[pod/orders-7d9c8b7f5d-abcde/app]"
WEB = "SELECT client_ip, host, status FROM nginx_access"
APP = "SELECT message, time::VARCHAR FROM json_lines"
IS_WEB = [("203.0.113.9", None, 502)]
IS_APP = [("boom", "2025-02-06 05:32:10.25")]
STACK = """\
web-1  | 2025-02-06 05:32:10,123 ERROR shop.orders: failed
web-1  | Traceback (most recent call last):
web-1  |   File "/app/orders.py", line 3, in take
web-1  | ValueError: no stock left
web-1  | 2025-02-06 05:32:11,123 INFO shop.orders: next
"""
POSTGRES = "2025-02-06 05:32:10.250 UTC [1234] app@shop ERROR:  duplicate key value"
TAB = "\t"


def _journal(message: str) -> str:
    fields = {"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "1738819930250000", "SYSLOG_IDENTIFIER": "app", "_PID": "77", "MESSAGE": message}
    return "".join(f"{name}={value}\n" for name, value in fields.items()) + "\n"


def _insights(message: str) -> str:
    quoted = message.replace('"', '""')
    return f'@timestamp,@message,@logStream,@log\r\n2025-02-06 05:32:10.250,"{quoted}",web/app/0123,123456789012:/shop/app\r\n'


CASES: dict[str, tuple[str, str, list[tuple[Any, ...]]]] = {
    "kubectl with times": (f"{NANOS} {ACCESS}\n", WEB, IS_WEB),
    "kubectl with pod and time": (f"{POD} {NANOS} {ACCESS}\n", WEB, IS_WEB),
    "kubectl with the pod": (f"{POD} {ACCESS}\n", WEB, IS_WEB),
    "stern": (f"orders-7d9c8b7f5d-abcde app {ACCESS}\n", WEB, IS_WEB),
    "docker compose": (f"web-1  | {ACCESS}\n", WEB, IS_WEB),
    "docker compose with times": (f"web-1  | {NANOS} {LINE}\n", APP, IS_APP),
    "docker compose with colours": (f"\x1b[36mweb-1  | \x1b[0m{ACCESS}\n", WEB, IS_WEB),
    "docker compose with colours before the blank": (f"\x1b[1;36mweb-1  |\x1b[0m {NANOS} {LINE}\n", APP, IS_APP),
    "stern with colours": (f"\x1b[32morders-7d9c8b7f5d-abcde\x1b[0m \x1b[92mapp\x1b[0m {ACCESS}\n", WEB, IS_WEB),
    "docker compose, a stack": (
        STACK,
        "SELECT level, error_type, _span FROM app_log ORDER BY _line",
        [("ERROR", "ValueError", 4), ("INFO", None, 1)],
    ),
    "fluentd": (f"2025-02-06T05:32:10.250+00:00{TAB}app.web{TAB}{LINE}\n", APP, IS_APP),
    "events as text": (f"EVENTS{TAB}{'3' * 56}{TAB}1738819931150{TAB}web/app{TAB}{LINE}{TAB}1738819930250\n", APP, IS_APP),
    "events of one stream as text": (f"b/1{TAB}f/2\nEVENTS{TAB}1738819931150{TAB}{LINE}{TAB}1738819930250\n", APP, IS_APP),
    "Insights with the stream": (_insights(ACCESS), f"{WEB}", IS_WEB),
    "the journal's export": (
        _journal(LINE),
        "SELECT message, program, pid, time::VARCHAR, _span FROM json_lines",
        [("boom", "app", 77, "2025-02-06 05:32:10.25", 5)],
    ),
    "PostgreSQL in syslog": (
        f"Feb  6 05:32:10 db1 postgres[1234]: [3-1] {POSTGRES}\n",
        "SELECT level, message, _via FROM postgres_log",
        [("ERROR", "duplicate key value", "syslog")],
    ),
    "PostgreSQL in a container's line": (
        json.dumps({"log": f"{POSTGRES}\n", "stream": "stderr", "time": NANOS}) + "\n",
        "SELECT level, message, _via FROM postgres_log",
        [("ERROR", "duplicate key value", "json_lines")],
    ),
    "a year that the export tells": (
        "2021-01-01T00:00:01.000Z Dec 31 23:59:58 web1 app[7]: a\n2021-01-01T00:00:03.000Z Jan  1 00:00:02 web1 app[7]: b\n",
        "SELECT time::VARCHAR FROM syslog ORDER BY 1",
        [("2020-12-31 23:59:58",), ("2021-01-01 00:00:02",)],
    ),
    "a year that a large export tells": (
        "2021-01-01T00:00:01.000Z Dec 31 23:59:58 web1 app[7]: a\n" * 5000,
        "SELECT DISTINCT time::VARCHAR FROM syslog",
        [("2020-12-31 23:59:58",)],
    ),
    "a bar in a program's own line": (
        "2025-02-06 05:32:10.250 | INFO     | shop.orders:take:12 - taken\n",
        "SELECT level, message FROM app_log",
        [("INFO", "taken")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_stands_before_a_line_is_taken_off(tmp_path: Path, case: str) -> None:
    """The row is that of the line itself, and nothing is unread but what no event is."""
    text, sql, expected = CASES[case]
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "0.log").write_text(text, "utf-8", newline="")
    with api.query(folder, sql, cache=tmp_path / "cache") as answer:
        assert [tuple(row) for row in answer.rows] == expected
    assert {one["text"] for one in api.unread(folder, cache=tmp_path / "cache")} <= {f"b/1{TAB}f/2"}
