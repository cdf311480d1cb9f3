"""Apache's formats: what the golden files cannot show."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import duckdb
import pytest

from kyumei import discover
from kyumei.contracts import Layout, Refused
from kyumei.errors import ConfigError
from kyumei.formats.apache_access import FORMAT as ACCESS
from kyumei.formats.apache_access import custom
from kyumei.formats.apache_error import FORMAT as ERROR
from kyumei.layouts.web_servers import web_server

START = "10.0.1.124 - - [06/Feb/2025:14:32:10 +0900]"
LINE = f'{START} "GET /app HTTP/1.1" 200 5316 "-" "curl/8.5.0"'
WRITTEN_BY_APACHE = {
    "no size": f'{START} "GET /app HTTP/1.1" 304 - "-" "curl/8.5.0"',
    "no size, common": f'{START} "GET /app HTTP/1.1" 304 -',
    "name and port": f"shop.example.com:443 {LINE}",
    "escaped quote": f'{START} "GET / HTTP/1.1" 200 5 "-" "say \\"hi\\""',
    "escaped line feed": f'{START} "\\n" 400 226 "-" "-"',
    "small digits": f'{START} "\\x16\\x03\\xfc" 400 226 "-" "-"',
    "both times": f"{LINE} 0/12345",
    "own call": f'::1 - - {START[15:]} "OPTIONS * HTTP/1.0" 200 126 "-" "Apache/2.4.62 (Unix) (internal dummy connection)"',
}
WRITTEN_BY_EITHER = [LINE, LINE[:-17], f"{LINE} 12345", f'{LINE} "203.0.113.9"', f"shop.example.com {LINE}"]


@pytest.mark.parametrize("text", WRITTEN_BY_APACHE.values(), ids=WRITTEN_BY_APACHE)
def test_lines_that_only_apache_writes_are_apache_s(text: str) -> None:
    """In a file whose name says nothing; where the name says nginx they are nginx's all the same."""
    assert _claims(text, "web1/access.log") == ["apache_access"]
    assert _claims(text, "web1/nginx/access.log") == ["nginx_access"]
    assert isinstance(ACCESS.layout.read(text), dict)


@pytest.mark.parametrize("text", WRITTEN_BY_EITHER)
@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("web1/access.log", ["nginx_access"]),
        ("nginx/access.log", ["nginx_access"]),
        ("var/log/httpd/access.log", ["apache_access"]),
        ("web1/apache2/access.log.1", ["apache_access"]),
        ("apache2-behind/nginx/access.log", ["nginx_access"]),
        ("host/access_log-20250206", ["apache_access"]),
        ("host/shop.example.com-ssl_access_log", ["apache_access"]),
        ("host/other_vhosts_access.log", ["apache_access"]),
        ("httpd", ["apache_access"]),
        ("tomcat9/localhost_access_log.2025-02-06.txt", ["nginx_access"]),
        ("apache-tomcat-9.0.80/logs/localhost_access_log.2025-02-06.txt", ["nginx_access"]),
        ("lighttpd/access.log", []),
    ],
)
def test_the_name_tells_whose_a_common_line_is(text: str, name: str, claims: list[str]) -> None:
    """The name nearest to the file counts; without one the line stays with nginx."""
    assert _claims(text, name) == claims


def test_a_line_of_nginx_with_escapes_stays_nginx_s() -> None:
    """It writes every backslash as the beginning of two capital hexadecimal digits; a line may be cut off there."""
    line = f'{START} "\\x16\\x03\\xFC\\x5C" 400 226 "-" "say \\x22hi\\x22"'
    assert web_server(line, "access.log") == "nginx"
    for cut in range(len(START) + 2, len(line)):
        assert web_server(line[:cut], "access.log") == "nginx"


def _claims(text: str, name: str) -> list[str]:
    return [leaf.name for leaf in discover.formats().values() if leaf.sniff(text, name)]


COMBINED = r"""LogFormat "%v:%p %h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %D" shop"""
CUSTOM: dict[str, tuple[str, str, dict[str, Any]]] = {
    "directive": (
        COMBINED,
        f'shop.example.com:443 {START[:13]}john doe{START[14:]} "GET /a?b=1 HTTP/1.1" 200 - "-" "curl/8.5.0" 345',
        {"host": "shop.example.com", "port": 443, "user": "john doe", "path": "/a", "sent_bytes": 0, "request_seconds": 0.000345},
    ),
    "escaped quotes": (
        COMBINED,
        f'shop.example.com:443 {START} "GET /a?b=\\"1 HTTP/1.1" 200 7 "x \\" y" "say \\"hi\\" \\\\" 345',
        {"query": 'b="1', "referrer": 'x " y', "user_agent": 'say "hi" \\', "request_seconds": 0.000345},
    ),
    "milliseconds": (
        '%a %t "%r" %>s %O %{ms}T %{X-Forwarded-For}i %{UNIQUE_ID}e %k',
        f'10.0.1.124 {START[15:]} "GET / HTTP/1.1" 200 99 30012 203.0.113.9, 10.0.0.7 Z6RIukQfVKBUPYb5mTgOSwAAAAk 3',
        {
            "request_seconds": 30.012,
            "response_bytes": 99,
            "forwarded_for": "203.0.113.9, 10.0.0.7",
            "request_id": "Z6RIukQfVKBUPYb5mTgOSwAAAAk",
            "_extra": {"keepalives": "3"},
        },
    ),
    "parts and bars": (
        "%{%Y-%m-%dT%T}t.%{usec_frac}t%{%z}t|%h|%m|%U|%q|%H|%s|%B|%{BALANCER_WORKER_NAME}e|%{X-Amzn-Trace-Id}i|%T",
        "2025-02-06T14:32:10.000000+0900|10.0.1.124|GET|/a|?b=1|HTTP/1.1|502|0|http://10.0.2.31:8080|Root=1-67a448ba-36d228ad5d99923122bbe354|3",
        {
            "method": "GET",
            "query": "b=1",
            "http_version": "HTTP/1.1",
            "status": 502,
            "upstream_addr": "http://10.0.2.31:8080",
            "trace_id": "1-67a448ba-36d228ad5d99923122bbe354",
            "request_seconds": 3.0,
        },
    ),
    "fraction": (
        r'CustomLog "logs/access_log" "%h [%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t] \"%r\" %>s" env=!quiet',
        '10.0.1.124 [06/Feb/2025:14:32:10.000 +0900] "GET / HTTP/1.1" 200',
        {"client_ip": "10.0.1.124", "status": 200},
    ),
    "epoch": ("%{msec}t %h %>s 100%%", "1738819930000 10.0.1.124 200 100%", {"client_ip": "10.0.1.124", "status": 200}),
    "json": (
        r'LogFormat "{\"t\":\"%t\",\"ip\":\"%a\",\"status\":%>s,\"req\":{\"line\":\"%r\",\"ua\":\"%{User-Agent}i\"},\"us\":%D}" j',
        '{"t":"[06/Feb/2025:14:32:10 +0900]","ip":"10.0.1.124","status":403,"req":{"line":"GET /a?b HTTP/1.1","ua":"say \\"hi\\""},"us":3}',
        {"client_ip": "10.0.1.124", "status": 403, "query": "b", "user_agent": 'say "hi"', "request_seconds": 0.000003},
    ),
}


@pytest.mark.parametrize(("log_format", "text", "expected"), CUSTOM.values(), ids=CUSTOM)
def test_custom_log_format(log_format: str, text: str, expected: dict[str, Any]) -> None:
    """Directives fill the same columns whatever stands between them, and both readers agree, on damaged lines too."""
    layout = custom(log_format)
    row = layout.read(text)
    assert isinstance(row, dict), row
    assert row["time"] == datetime(2025, 2, 6, 5, 32, 10)  # noqa: DTZ001 - readers answer naive UTC
    assert {name: row[name] for name in expected} == expected
    damaged = [text, text[:40], text.replace("200", "-"), text + " more", text.replace(" ", "  ", 1), text.replace("GET", 'a, b" :')]
    for one, fast in zip(damaged, _bulk(layout, damaged), strict=True):
        if fast["_ok"]:
            fast["_extra"] = json.loads(fast["_extra"]) if fast["_extra"] else None
            answer = layout.read(one)
            assert isinstance(answer, dict), one
            assert {name: fast[name] for name in answer} == answer


@pytest.mark.parametrize("name", ["directive", "milliseconds", "parts and bars", "epoch"])
def test_a_custom_log_is_read_in_bulk(name: str) -> None:
    """Plain lines of a custom format are not left to the slower reader."""
    log_format, text, _ = CUSTOM[name]
    assert _bulk(custom(log_format), [text.replace("203.0.113.9, 10.0.0.7", "203.0.113.9").replace("john doe", "john")])[0]["_ok"]


@pytest.mark.parametrize(
    "log_format", ["", "no directives", "%h %>s", "%h%t %>s%b", "%{%H:%M}t %h", "%{%d/%b/%Y:%T}t %h", "%Z %t", '%t "%r" %{X}Z']
)
def test_custom_log_format_that_cannot_be_read_is_refused(log_format: str) -> None:
    """With one clear line: nothing to tell fields apart by, no time or none that tells its zone, a directive that there is not."""
    with pytest.raises(ConfigError):
        custom(log_format)


def _bulk(layout: Layout, texts: list[str]) -> list[dict[str, Any]]:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'Asia/Tokyo'")
    con.execute(
        "CREATE TABLE r AS SELECT 1::INTEGER AS _artifact, unnest(?::BIGINT[]) AS _line, unnest(?::VARCHAR[]) AS text",
        [[*range(len(texts))], texts],
    )
    found = con.execute(f"SELECT * FROM ({layout.bulk('r')}) ORDER BY _line")
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


OPENING = "[Thu Feb 06 14:32:10.123456 2025] [core:error] [pid 31:tid 7] "


HOSTILE = {
    "quotes": '" ' * 100_000,
    "open quotes": '"' * 200_000,
    "open brackets": "[" * 200_000,
    "brackets": "[x] " * 60_000,
    "referers": ", referer: " * 30_000,
    "referers on a line of more": ", referer: " * 30_000 + "\nx",
    "errors": "(1)a: " * 50_000,
    "backslashes": "\\" * 200_000,
    "sources": "a.c(1): " * 30_000,
    "servers": "remote server " * 20_000,
    "commas": "1," * 100_000,
    "lists": "1, " * 80_000,
    "clients": "[client " * 30_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_lines_take_linear_time(text: str) -> None:
    """200 KB made to send a reader back and forth; it answers in well under the seconds that a slip would cost."""
    layout = custom(COMBINED)
    start = time.process_time()
    for leaf, before in ((ACCESS, ""), (ACCESS, LINE + " "), (ACCESS, START + ' "'), (ERROR, ""), (ERROR, OPENING)):
        leaf.layout.read(before + text)
        leaf.sniff(before + text, "access.log")
    layout.read(f"shop.example.com:443 {START} " + text)
    assert time.process_time() - start < 5


@pytest.mark.parametrize("log", [f'{OPENING}AH00126: x\n{LINE}\n  File "a.py"\n#0 {{main}}\nStack trace:\n{OPENING}y'])
def test_only_the_rest_of_a_message_continues_an_error_line(log: str) -> None:
    """Containers write access and error lines into one stream: an access line begins a record of its own."""
    con = duckdb.connect()
    begins = [con.execute("SELECT regexp_matches(?, ?)", [line, f"^(?:{ERROR.layout.head})"]).fetchone() for line in log.split("\n")]
    assert [one and one[0] for one in begins] == [True, True, False, False, False, True]


def test_unread_lines_say_why() -> None:
    """In a clause that names the field."""
    assert ACCESS.layout.read(LINE.replace("200", "two")) == Refused("status cannot be read: 'two'")
    assert ERROR.layout.read(OPENING.replace("Feb 06", "Feb 30")) == Refused("the time cannot be read: 'Thu Feb 30 14:32:10.123456 2025'")
