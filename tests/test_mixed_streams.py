"""Several logs in one stream: a container that prints access lines and errors, ``tail -f`` over files, records inside those of others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kyumei import api
from tests.asking import rows_of

if TYPE_CHECKING:
    from pathlib import Path

ACCESS = '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET /api HTTP/1.1" 502 157 "-" "curl/8.5.0"'
ODD = (
    '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "\\x16\\x03\\x01" 400 157 "-" "-"',
    '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "" 400 0 "-" "-"',
    '2001:db8::9 - bob [06/Feb/2025:05:32:10 +0000] "GET /a b HTTP/1.1" 404 157 "-" "a \\x22q\\x22"',
    '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET /%E0 HTTP/1.1" 200 1 "-" "cu"rl"',
)
"""Access lines that only the exact reader knows."""
ERROR = (
    "2025/02/06 05:32:10 [error] 12#12: *5 connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.9, "
    'server: shop.example.com, request: "GET /api HTTP/1.1", upstream: "http://10.0.0.9:8080/api", host: "shop.example.com"'
)
BOOM = '2025-02-06 05:32:10,123 - shop - ERROR - boom\nTraceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: bad'
HOST_LINE = "Feb  6 05:32:10 web1 sshd[123]: Accepted publickey for ec2-user from 203.0.113.9 port 51234 ssh2"
POSTGRES = "2025-02-06 05:32:10 UTC:10.0.0.9(48808):app@shop:[18762]:ERROR:  "
KLOG = "E0206 05:32:11.123456       1 reflector.go:1] Failed to watch *v1.Pod: connection refused"
BANNER = (
    "/rdsdbbin/mysql/bin/mysqld, Version: 8.0.35 (Source distribution). started with:\n"
    "Tcp port: 3306  Unix socket: /tmp/mysql.sock\nTime                 Id Command    Argument\n"
)


def _folder(tmp_path: Path, text: str, name: str = "all.log") -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / name).write_text(text, "utf-8")
    return folder


def _unread(folder: Path) -> list[tuple[int, str]]:
    return [(one["line"], one["text"]) for one in api.unread(folder, cache=folder.parent / "cache")]


@pytest.mark.parametrize("times", [1, 3])
def test_access_lines_among_errors(tmp_path: Path, times: int) -> None:
    """Every line is its own record, whichever of the two there is more of, and none becomes a part of the error above it."""
    lines = [ACCESS, ERROR, ACCESS, *[one for odd in ODD for one in (*[ERROR] * times, odd)], ACCESS]
    folder = _folder(tmp_path, "\n".join(lines) + "\n")
    assert [line for (line,) in rows_of(folder, "SELECT _line FROM nginx_access ORDER BY 1")] == [
        number for number, line in enumerate(lines, 1) if line != ERROR
    ]
    assert rows_of(folder, "SELECT DISTINCT host, _span, _extra::VARCHAR FROM nginx_error") == [("shop.example.com", 1, None)]
    assert _unread(folder) == []


def test_a_line_that_is_cut_off_stays_out_of_the_fields_above_it(tmp_path: Path) -> None:
    """It stands behind the error, as what follows it, and not in its Host header."""
    folder = _folder(tmp_path, f'{ERROR}\n203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET / HTTP/1.1" 200 1 "-" "cut off he\n')
    assert rows_of(folder, "SELECT host, upstream, _span FROM nginx_error") == [("shop.example.com", "http://10.0.0.9:8080/api", 2)]


def test_tail_of_several_files(tmp_path: Path) -> None:
    """The banners are no records, end those above them, and are not counted as unread."""
    folder = _folder(
        tmp_path,
        f"==> /var/log/nginx/error.log <==\n{ERROR}\n\n==> /var/log/nginx/access.log <==\n{ACCESS}\n{ACCESS}\n\n"
        f"==> app.log <==\n{BOOM}\n\n==> /var/log/messages <==\n{HOST_LINE}\n\n==> app.log <==\n{BOOM}\n",
    )
    assert rows_of(folder, "SELECT _line, host FROM nginx_error") == [(2, "shop.example.com")]
    assert rows_of(folder, "SELECT _line, status FROM nginx_access ORDER BY 1") == [(5, 502), (6, 502)]
    assert rows_of(folder, "SELECT _line, _span, error_text FROM app_log ORDER BY 1") == [(9, 4, "bad"), (18, 4, "bad")]
    assert rows_of(folder, "SELECT _line, program FROM syslog") == [(15, "sshd")]
    assert _unread(folder) == []


def test_the_file_in_a_banner_tells_the_server(tmp_path: Path) -> None:
    """The lines of nginx and Apache are the same."""
    line = '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET / HTTP/1.1" 200 5'
    folder = _folder(tmp_path, f"==> /var/log/apache2/access.log <==\n{line}\n\n==> /var/log/apache2/ssl.log <==\n{line}\n")
    assert rows_of(folder, "SELECT _line FROM apache_access ORDER BY 1") == [(2,), (5,)]


def test_a_banner_in_a_message_is_no_banner(tmp_path: Path) -> None:
    """Only a line that is nothing else is one."""
    folder = _folder(tmp_path, f"{BOOM}\n==> still of it <== \n{BOOM}\n")
    assert rows_of(folder, "SELECT _line, _span FROM app_log ORDER BY 1") == [(1, 5), (6, 4)]


def test_a_host_log_does_not_cut_the_records_of_others(tmp_path: Path) -> None:
    """Where every unindented line of a host log is a record, the last line of a traceback beside it is none."""
    folder = _folder(tmp_path, f"{POSTGRES}deadlock detected\n{BOOM}\n{HOST_LINE}\n{POSTGRES}deadlock detected\n")
    assert rows_of(folder, "SELECT _line, _span, error_text FROM app_log") == [(2, 4, "bad")]
    assert _unread(folder) == []


@pytest.mark.parametrize("bulk", [False, True])
def test_postgres_without_a_prefix_in_syslog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bulk: bool) -> None:  # noqa: FBT001 - a parameter
    """Time and process are those of the line of the host log; what a prefix tells counts before them."""
    monkeypatch.setattr("kyumei.store.inner.pays", lambda *_: bulk)
    tag = "2025-02-06T05:32:10.123456+00:00 db1 postgres"
    folder = _folder(
        tmp_path,
        f"{tag}[123]: [5-1] ERROR:  deadlock detected\n"
        f"{tag}[123]: [6-1] 2025-02-06 05:32:09.5 UTC [77] FATAL:  sorry, too many clients already\n",
    )
    assert rows_of(folder, "SELECT time, pid, level, _naive FROM postgres_log ORDER BY _line") == [
        ("2025-02-06T05:32:10.123456Z", 123, "ERROR", 0),
        ("2025-02-06T05:32:09.5Z", 77, "FATAL", 0),
    ]


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(("sent", "year"), [("2024-02-06", 2024), ("2025-12-31", 2026), ("2026-01-01", 2026)])
def test_klog_in_a_container_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bulk: bool, sent: str, year: int) -> None:  # noqa: FBT001 - the parameter of the test
    """It has no year; the container's time tells it, over the turn of a year, too."""
    monkeypatch.setattr("kyumei.store.inner.pays", lambda *_: bulk)
    text = KLOG if sent == "2024-02-06" else KLOG.replace("E0206", "E0101")
    outer = json.dumps({"log": text + "\n", "stream": "stderr", "time": f"{sent}T05:32:11.5Z"})
    folder = _folder(tmp_path, outer + "\n")
    assert rows_of(folder, "SELECT year(time), level, _naive FROM app_log WHERE _via = 'json_lines'") == [(year, "ERROR", 1)]


def _docker(log: str, stream: str = "stdout") -> str:
    given = {"log": log, "stream": stream, "time": "2025-02-06T05:32:10.123456789Z"}
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False) + "\n"


@pytest.mark.parametrize("lines", [0, 9000])
def test_lines_that_docker_cut(tmp_path: Path, lines: int) -> None:
    """Pieces of 16 KB are joined by stream, in a large file, too; a short text without a line end is whole."""
    whole = json.dumps({"level": "error", "data": "あ" * 12_000, "msg": "boom"}, ensure_ascii=False).encode() + b"\n"
    first, second, last = (whole[start : start + 16 * 1024].decode("utf-8", "replace") for start in range(0, len(whole), 16 * 1024))
    before = _docker("2025-02-06 05:32:10,123 - shop - INFO - a line that says nothing of interest\n") * lines
    text = before + _docker(first) + _docker("2 of 2\n", "stderr") + _docker(second) + _docker(last) + _docker("no end") + _docker("next\n")
    folder = _folder(tmp_path, text, "0123-json.log")
    found = rows_of(folder, f"SELECT _line - {lines}, _span, message, level FROM json_lines WHERE _line > {lines} ORDER BY 1")
    assert [row[:2] for row in found] == [(1, 3), (2, 1), (5, 1), (6, 1)]
    assert found[0][2:] == ("boom", "ERROR")
    assert [row[2] for row in found[1:]] == ["2 of 2", "no end", "next"]


@pytest.mark.parametrize("led", ["2025-02-06T05:32:10.123Z ", "2025-02-06T05:32:10.123000+00:00 db.0 ", "db-1  | ", "[pod/db-0/postgres] "])
def test_postgres_behind_what_others_write(tmp_path: Path, led: str) -> None:
    """Its own prefix is read as without it: what any prefix tells is less."""
    folder = _folder(tmp_path, f"{led}{POSTGRES}deadlock detected\n{led}{POSTGRES}deadlock detected\n")
    assert rows_of(folder, 'SELECT DISTINCT client_ip, client_port, "user", database, pid FROM postgres_log') == [
        ("10.0.0.9", 48808, "app", "shop", 18762)
    ]


def test_postgres_with_a_prefix_of_its_own(tmp_path: Path) -> None:
    """A host in front is no pod of stern's."""
    line = "db-1 shop 2025-02-06 05:32:10.123 UTC [18762] user=app ERROR:  deadlock detected"
    folder = _folder(tmp_path, f"{line}\n{line}\n")
    assert rows_of(folder, 'SELECT DISTINCT "user", pid FROM postgres_log') == [("app", 18762)]


def test_banner_in_the_middle_of_a_slow_log(tmp_path: Path) -> None:
    """MySQL writes it whenever it opens the file; it is no part of the statement above, and not unread."""
    entry = (
        "# Time: 2025-02-06T05:32:10.250000Z\n# User@Host: app[app] @  [10.0.0.9]  Id:    12\n"
        "# Query_time: 3.000123  Lock_time: 0.000012 Rows_sent: 1  Rows_examined: 100000\nSET timestamp=1738819927;\nSELECT 1;\n"
    )
    folder = _folder(tmp_path, BANNER + entry + BANNER + entry)
    assert rows_of(folder, "SELECT _line, _span, statement FROM mysql_slow ORDER BY 1") == [(4, 5, "SELECT 1"), (12, 5, "SELECT 1")]
    assert _unread(folder) == []


def test_banner_in_a_general_log(tmp_path: Path) -> None:
    """As in the slow one."""
    line = "2025-02-06T05:32:10.123456Z\t   12 Query\tSELECT 1\n"
    folder = _folder(tmp_path, BANNER + line + BANNER + line)
    assert rows_of(folder, "SELECT _line, statement FROM mysql_general ORDER BY 1") == [(4, "SELECT 1"), (8, "SELECT 1")]
    assert _unread(folder) == []


def test_a_line_of_damaged_json_alone(tmp_path: Path) -> None:
    """API Gateway leaves a variable that is empty as a bare dash: one such line is as good as many of them."""
    line = (
        '{"requestId":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef","ip":"203.0.113.9","requestTime":"06/Feb/2025:05:32:10 +0000",'
        '"httpMethod":"GET","resourcePath":"/pets","status":"504","protocol":"HTTP/1.1","responseLength":"41","integrationLatency":-}'
    )
    folder = _folder(tmp_path, line + "\n")
    assert rows_of(folder, "SELECT status, client_ip FROM api_gateway_access") == [(504, "203.0.113.9")]
    assert [(one["table"], one["rows"], one["unread"]) for one in api.tables(folder, cache=tmp_path / "cache")] == [
        ("api_gateway_access", 1, 0)
    ]
    assert rows_of(folder, "SELECT format, trouble FROM artifacts") == [("api_gateway_access", "")]


def test_errors_tell_whose_the_access_lines_beside_them_are(tmp_path: Path) -> None:
    """Apache's container prints both to one stream; nginx writes the same access lines."""
    error = (
        "[Thu Feb 06 05:32:10.123456 2025] [proxy:error] [pid 12:tid 34] (113)No route to host: AH00957: HTTP: "
        "attempt to connect to 10.0.0.9:8080 (10.0.0.9) failed"
    )
    folder = _folder(tmp_path, f"{ACCESS}\n{error}\n{ACCESS}\n{ODD[1]}\n{error}\n{ACCESS}\n")
    assert rows_of(folder, "SELECT _line FROM apache_access ORDER BY 1") == [(1,), (3,), (4,), (6,)]
    assert rows_of(folder, "SELECT _line, _span FROM apache_error ORDER BY 1") == [(2, 1), (5, 1)]
