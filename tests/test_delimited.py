"""The delimited layout and its neighbours: what the golden files cannot show."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kyumei.contracts import Layout, Refused
from kyumei.errors import ConfigError
from kyumei.formats.alb_access import FORMAT as ALB
from kyumei.formats.nginx_access import FORMAT as NGINX
from kyumei.formats.nginx_access import custom
from kyumei.layouts.casts import CLF_TIME, EPOCH_MILLIS, INTEGER, ISO_OFFSET, ISO_UTC, NUMBER, PHASE, Cast
from kyumei.layouts.request_line import (
    END_HOST,
    END_PORT,
    ODD_LINE,
    PATH,
    QUERY,
    TRACE_ID,
    TRACE_REST,
    URL_HOST,
    URL_PATH,
    URL_PORT,
    URL_QUERY,
)

FOLDER = Path(__file__).parent / "formats"
LINE = '10.0.1.124 - - [06/Feb/2025:14:32:10 +0900] "GET /app HTTP/1.1" 200 5316 "-" "curl/8.5.0"'


def bulk(layout: Layout, texts: list[str], zone: str = "UTC") -> list[dict[str, Any]]:
    """What the bulk reader answers, in the order of the texts."""
    con = duckdb.connect()
    con.execute(f"SET TimeZone = '{zone}'")
    con.execute(
        "CREATE TABLE r AS SELECT 1::INTEGER AS _artifact, unnest(?::BIGINT[]) AS _line, unnest(?::VARCHAR[]) AS text",
        [[*range(len(texts))], texts],
    )
    found = con.execute(f"SELECT * FROM ({layout.bulk('r')}) ORDER BY _line")
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def read(layout: Layout, text: str) -> dict[str, Any]:
    """The row of a text that can be read."""
    answer = layout.read(text)
    assert isinstance(answer, dict), answer
    return answer


CASTS: list[tuple[Cast, list[str]]] = [
    (INTEGER, ["0", "-1", "+5", "007", "", " 1", "1.5", "1e5", "1_0", "999999999999999999", "9999999999999999999", "0x10", "\u0661"]),
    (NUMBER, ["0.000", "-0.5", "1e5", "nan", "inf", "", ".5", "5.", "123456789012345.123456789012345", "1,5"]),
    (PHASE, ["-1", "0.000", "0.048", "-", "-1.0", "-2", "x"]),
    (
        CLF_TIME,
        [
            "06/Feb/2025:14:32:10 +0900",
            "06/Feb/2025:14:32:10 -0330",
            "31/Feb/2025:14:32:10 +0000",
            "06/Feb/2025:24:00:00 +0000",
            "06/Feb/2025:23:59:60 +0000",
            "06/feb/2025:14:32:10 +0000",
            "06/Fev/2025:14:32:10 +0000",
            "06/Feb/2025:14:32:10 +9999",
            "01/Jan/0001:00:00:00 +0100",
            "31/Dec/9999:23:00:00 -0100",
            "29/Feb/2024:00:00:00 -0000",
            "06/Feb/2025:14:32:10",
        ],
    ),
    (
        ISO_UTC,
        [
            "2025-02-06T05:32:10.186641Z",
            "2025-02-06T05:32:10Z",
            "2025-02-06T05:32:10.1866419Z",
            "2025-02-06T24:00:00Z",
            "2025-02-30T05:32:10Z",
            "2025-02-06T05:32:60Z",
            "2025-02-06 05:32:10Z",
            "2025-02-06T05:32:10",
            "0000-01-01T00:00:00Z",
            "2025-02-06T05:32:10+09:00",
        ],
    ),
    (
        ISO_OFFSET,
        [
            "2025-02-06T14:32:10+09:00",
            "2025-02-06T05:32:10Z",
            "2025-02-06T05:32:10.5-03:30",
            "2025-02-06T14:32:10+24:00",
            "2025-02-06T14:32:10",
        ],
    ),
    (EPOCH_MILLIS, ["1738819930.123", "1738819930", "9999999999.999", "x"]),
    (PATH, ["GET /a?b HTTP/1.1", "GET /a b HTTP/1.1", "GET /a", "", "- -", "\\x16\\x03"]),
    (QUERY, ["GET /a?b?c HTTP/1.1", "GET /a? HTTP/1.1", "GET /a HTTP/1.1"]),
    (ODD_LINE, ["GET /a HTTP/1.1", "GET /a", "", "GET /a b HTTP/1.1"]),
    (URL_HOST, ["GET https://example.com:443/ HTTP/1.1", "GET https://[2001:db8::1]:443/ HTTP/1.1", "- http://example.com:80- -", "-"]),
    (URL_PORT, ["GET https://example.com:443/ HTTP/1.1", "- http://example.com:80- -", "GET https://example.com/ HTTP/1.1"]),
    (
        URL_PATH,
        [
            "GET https://example.com:443/a//b?x=/y HTTP/1.1",
            "GET https://example.com:443 HTTP/1.1",
            "GET https://example.com:443?x HTTP/1.1",
        ],
    ),
    (URL_QUERY, ["GET https://example.com:443/a//b?x=/y?z HTTP/1.1", "GET https://example.com:443/a HTTP/1.1"]),
    (END_HOST, ["192.0.2.1:80", "2001:db8::1:443", "[2001:db8::1]:443", "192.0.2.1", "example.com:80", ":80", "a:b"]),
    (END_PORT, ["192.0.2.1:80", "2001:db8::1:443", "[2001:db8::1]:443", "192.0.2.1", "192.0.2.1:123456"]),
    (TRACE_ID, ["Root=1-67a448ba-36d2", "Self=1-a;Root=1-b;Sampled=1", "Root=", "1-67a448ba", "Root=1-b;Root=1-c"]),
    (TRACE_REST, ["Root=1-67a448ba-36d2", "Self=1-a;Root=1-b", "forged"]),
]


@pytest.mark.parametrize(("cast", "raws"), CASTS, ids=[cast.name for cast, _ in CASTS])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/St_Johns"])
def test_cast_is_alike_in_python_and_sql(cast: Cast, raws: list[str], zone: str) -> None:
    """Wherever the SQL answers, in whatever zone the session lives; and the plain SQL for texts of its shape."""
    con = duckdb.connect()
    con.execute(f"SET TimeZone = '{zone}'")
    answered = 0
    for raw in raws:
        expected = cast.python(raw)
        for sql in filter(None, (cast.sql, cast.plain)):
            shape = "true" if sql is cast.sql else f"regexp_full_match(x, $${cast.shape}$$)"
            row = con.execute(
                f"SELECT CASE WHEN {shape} THEN {sql.replace('{x}', 'x')} END FROM (SELECT ?::VARCHAR AS x)", [raw]
            ).fetchone()
            assert row is not None
            assert row[0] in {None, expected}, (raw, sql)
            answered += row[0] is not None
    assert answered, "the SQL answers for none of them"


def test_times_do_not_depend_on_the_zone_of_the_session() -> None:
    """14:32 in Japan is 05:32 UTC wherever the database runs."""
    for zone in ("UTC", "Asia/Tokyo", "America/St_Johns"):
        (row,) = bulk(NGINX.layout, [LINE], zone)
        assert row["_ok"]
        assert row["time"] == datetime(2025, 2, 6, 5, 32, 10)  # noqa: DTZ001 - readers answer naive UTC


@pytest.mark.parametrize(
    ("leaf", "log"), [(ALB, "alb_access/normal.log"), (ALB, "alb_access/next_year.log"), (NGINX, "nginx_access/normal.log")]
)
def test_usual_lines_go_the_fast_way(leaf: Any, log: str) -> None:  # noqa: ANN401 - either format
    """Each of them is read in bulk: none is left to the exact reader."""
    lines = (FOLDER / log).read_text("utf-8").splitlines()
    assert [row["_line"] for row in bulk(leaf.layout, lines) if not row["_ok"]] == []


def test_vintages_go_the_fast_way() -> None:
    """All but those whose actions, names or certificates are not in quotes."""
    lines = (FOLDER / "alb_access/vintages.log").read_text("utf-8").splitlines()
    assert [row["_line"] for row in bulk(ALB.layout, lines) if not row["_ok"]] == [0, 11, 12]


def test_phase_that_was_not_reached_is_null_and_not_a_time() -> None:
    """So that no average counts it."""
    line = (FOLDER / "alb_access/normal.log").read_text("utf-8").splitlines()[2]
    row = read(ALB.layout, line)
    assert (row["target_seconds"], row["dispatched"], row["target_ip"], row["status"], row["target_status"]) == (
        None,
        False,
        None,
        403,
        None,
    )


@pytest.mark.parametrize(
    "text",
    [
        '"' * 300_000,
        '"a ' * 100_000,
        "[a " * 100_000,
        '[a "' * 100_000,
        "a, " * 100_000,
        "a : " * 100_000,
        "\\" * 300_000,
        " " * 300_000 + "x",
        'k="' * 100_000,
    ],
    ids=["quotes", "open quotes", "open brackets", "both", "commas", "colons", "backslashes", "spaces", "keys"],
)
@pytest.mark.parametrize("leaf", [ALB, NGINX], ids=["alb", "nginx"])
def test_hostile_lines_take_linear_time(leaf: Any, text: str) -> None:  # noqa: ANN401 - either format
    """300 KB made to send a reader back and forth; it answers in well under the seconds that a slip would cost."""
    start = time.process_time()
    leaf.layout.read(text)
    leaf.layout.read(LINE + " " + text)
    leaf.sniff(text, "access.log")
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "name", ["gunicorn", "log/gunicorn.access.log", "uvicorn", "uwsgi.log", "werkzeug", "apache2/access.log", "httpd-access_log"]
)
def test_nginx_leaves_other_servers_alone(name: str) -> None:
    """The text is the same; the name of the file or the program tells."""
    assert NGINX.sniff(LINE, "access.log")
    assert not NGINX.sniff(LINE, name)


def test_nginx_leaves_virtual_hosts_of_apache_alone() -> None:
    """``vhost_combined`` begins with host and port."""
    assert NGINX.sniff("shop.example.com " + LINE, "access.log")
    assert not NGINX.sniff("shop.example.com:443 " + LINE, "access.log")


JSON_FORMAT = (
    """log_format j escape=json '{"t":"$time_iso8601","ip":"$remote_addr","status":$status,"""
    """"req":{"uri":"$request_uri","ua":"$http_user_agent"}}';"""
)
CUSTOM = [
    (
        r"""log_format timed '$remote_addr - $remote_user [$time_local] "$request" '
            '$status $body_bytes_sent $upstream_addr $upstream_status rt=$request_time uct="$upstream_connect_time"';""",
        '10.0.0.1 - jo [06/Feb/2025:14:32:10 +0900] "GET /a?b=1 HTTP/1.1" 502 12 10.0.0.2:80, 10.0.0.3:80 502, 502 rt=0.012 uct="0.000"',
        {
            "user": "jo",
            "path": "/a",
            "query": "b=1",
            "status": 502,
            "upstream_addr": "10.0.0.2:80, 10.0.0.3:80",
            "upstream_status": "502, 502",
            "request_seconds": 0.012,
            "_extra": {"upstream_connect_time": "0.000"},
        },
    ),
    (
        "$time_iso8601|$remote_addr|$request_method|$request_uri|$status|$http_x_amz_cf_id|$bytes_sent|$http_x_amzn_trace_id",
        "2025-02-06T14:32:10+09:00|10.0.0.1|GET|/a?b=1?c|200|abc==|99|Root=1-67a448ba-36d228ad5d99923122bbe354",
        {
            "method": "GET",
            "path": "/a",
            "query": "b=1?c",
            "sent_bytes": 99,
            "trace_id": "1-67a448ba-36d228ad5d99923122bbe354",
            "_extra": {"http_x_amz_cf_id": "abc=="},
        },
    ),
    (
        '[$msec] $remote_addr "$request" $status',
        '[1738819930.000] 10.0.0.1 "GET / HTTP/1.1" 200',
        {"method": "GET", "status": 200, "_extra": None},
    ),
    (
        JSON_FORMAT,
        '{"t":"2025-02-06T14:32:10+09:00","ip":"10.0.0.1","status":403,"req":{"uri":"/a?b","ua":"say \\"hi\\""},"new":1}',
        {"client_ip": "10.0.0.1", "status": 403, "path": "/a", "query": "b", "user_agent": 'say "hi"', "_extra": {"new": "1"}},
    ),
]


@pytest.mark.parametrize(("log_format", "line", "expected"), CUSTOM, ids=["timed", "bars", "msec", "json"])
def test_custom_log_format(log_format: str, line: str, expected: dict[str, Any]) -> None:
    """Variables fill the same columns whatever stands between them; unknown ones are kept by name."""
    layout = custom(log_format)
    row = read(layout, line)
    assert row["time"] == datetime(2025, 2, 6, 5, 32, 10)  # noqa: DTZ001 - readers answer naive UTC
    assert {name: row[name] for name in expected} == expected
    for number, damaged in enumerate(
        [line, line[:40], line.replace("200", "-"), line + " more", line.replace(" ", "  ", 1), line.replace("GET", "a, b :")]
    ):
        answer, (fast,) = layout.read(damaged), bulk(layout, [damaged])
        if fast["_ok"]:
            fast["_extra"] = json.loads(fast["_extra"]) if fast["_extra"] else None
            assert isinstance(answer, dict), (number, damaged)
            assert {name: fast[name] for name in answer} == answer


@pytest.mark.parametrize("log_format", ["", "no variables", "$remote_addr$status $time_local", "$remote_addr $status"])
def test_custom_log_format_that_cannot_be_read_is_refused(log_format: str) -> None:
    """With one clear line: nothing to tell fields apart by, or no time."""
    with pytest.raises(ConfigError):
        custom(log_format)


def test_unread_lines_say_why() -> None:
    """In a clause that names the field."""
    assert NGINX.layout.read(LINE.replace("200", "two")) == Refused("status cannot be read: 'two'")
