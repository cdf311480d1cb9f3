"""The text layout and its formats where golden files do not reach: joining, claims, stamps, hostile text, two engines."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import compiled
from kyumei.model.window import Window

if TYPE_CHECKING:
    from kyumei.layouts.text_shapes import Shape

NAMES = ("app_log", "nginx_error", "syslog")
ACCESS = '10.0.1.124 - - [06/Feb/2025:14:32:12 +0900] "GET /api/ping HTTP/1.1" 200 2 "-" "curl/8.5.0"'


def _layout(name: str) -> Text:
    layout = discover.formats()[name].layout
    assert isinstance(layout, Text)
    return layout


def _read(name: str, text: str) -> dict[str, Any]:
    answer = _layout(name).read(text)
    assert not isinstance(answer, Refused), answer
    return answer


def _sniff(name: str, text: str, file: str = "x.log") -> bool:
    return discover.formats()[name].sniff(text, file)


# Patterns


def _shapes(layout: Text) -> list[Shape]:
    return [*layout.shapes, *(shape for look in layout.looks for shape in look.shapes)]


@pytest.mark.parametrize("name", NAMES)
def test_patterns_are_of_both_engines(name: str) -> None:
    """No group without a name, nothing that Python and RE2 read differently, and RE2 takes them all."""
    layout = _layout(name)
    worth = [look.worth for look in layout.looks if look.worth]
    con = duckdb.connect()
    for pattern in [*worth, layout.head or "", *(text for shape in _shapes(layout) for text in (shape.pattern, shape.only) if text)]:
        assert not re.search(r"\\[sSbBAZz1-9](?<!\\b)|\(\?[=!<i](?!P)", pattern.replace("(?P<", "(?:<")), pattern
        assert compiled(pattern).groups == len(compiled(pattern).groupindex), pattern
        con.execute("SELECT regexp_matches('x', ?)", [pattern])


@pytest.mark.parametrize("name", NAMES)
def test_takes_name_groups_that_there_are(name: str) -> None:
    """A take reads a group of its own shape, the text, or what stands around the match."""
    for shape in _shapes(_layout(name)):
        assert {take.source for take in shape.takes} <= {"text", "rest", "before", *compiled(shape.pattern).groupindex}, shape.name


# Joining


@pytest.mark.parametrize("name", NAMES)
def test_heads_of_golden_records(name: str) -> None:
    """What opens a record alone opens it in a file: no shape reads a line that its layout would join to the one before."""
    layout = _layout(name)
    head = compiled(layout.head or "")
    for line in HEADS[name]:
        assert head.match(line), line
        assert not isinstance(layout.read(line), Refused), line
    for line in CONTINUED[name]:
        assert not head.match(line), line


HEADS = {
    "nginx_error": ["2025/02/06 14:32:17 [alert] 1#1: worker process 33 exited on signal 9"],
    "syslog": ["Feb  6 05:32:10 ip-10-0-1-12 systemd[1]: Started", "<13>1 - - - - - - x", "2025-02-06T05:32:16+00:00 h p: x"],
    "app_log": [
        "2025-02-06 14:32:09,001 - app - INFO - x",
        "[2025-02-06 14:32:10 +0900] [812] [INFO] x",
        "\x1b[32m2025-02-06 14:32:09\x1b[0m INFO x",
        "\x1b[32mINFO\x1b[0m:     x",
        "INFO:app:x",
        "INFO  [alembic.runtime] x",
        "[ERROR] x",
        "WARNING 2025-02-06 14:32:09 x",
        '10.0.1.124 - - [06/Feb/2025 14:32:10] "GET / HTTP/1.1" 403 -',
        '[06/Feb/2025 14:32:10] "GET / HTTP/1.1" 200 1',
        "Forbidden (CSRF token missing.): /x",
        "I0206 14:32:12.123456    1 server.go:123] x",
        "I, [2025-02-06T14:32:12.123456 #123]  INFO -- : x",
        "2025/02/06 14:32:12 x",
        "06-Feb-2025 14:32:10.123 INFO x",
        "[06-Feb-2025 14:32:10 UTC] PHP Notice:  x",
        "time=2025-02-06T14:32:12Z level=info msg=x",
        "gunicorn.shop.error: [812] x",
    ],
}
CONTINUED = {
    "nginx_error": ["Stack trace:", "#0 {main}", '  thrown in /srv/app/index.php on line 3" while reading response header from upstream'],
    "syslog": ["\tsecond line", "  third line"],
    "app_log": [
        "Traceback (most recent call last):",
        '  File "/srv/app/views.py", line 31, in orders',
        "    ^^^^^",
        "ValueError: bad",
        "app.errors.OrderError: no stock",
        "",
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
        "  + Exception Group Traceback (most recent call last):",
        "    | ValueError: one",
        "DETAIL:  Key (id)=(1) already exists.",
        "\tat com.example.shop.Stock.take(Stock.java:17)",
        "Caused by: java.sql.SQLException: connection refused",
        "\t... 2 more",
        "}",
    ],
}


# Claims


@pytest.mark.parametrize(
    "text",
    [
        "no time and no level",
        '{"timestamp":1738819930123,"formatVersion":1,"webaclId":"arn:aws:wafv2:ap-northeast-1:123456789012:regional/webacl/a/b"}',
        'https 2025-02-06T05:32:10.123456Z app/shop/50dc6c495c0c9188 203.0.113.9:2817 - -1 -1 -1 403 - 34 366 "GET / HTTP/1.1"',
        "2 123456789012 eni-0123456789abcdef0 10.0.0.1 10.0.0.2 443 49152 6 10 840 1738819930 1738819990 ACCEPT OK",
        '2025-02-06T05:32:10.123456Z my-elb 203.0.113.9:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET / HTTP/1.1"',
        "Feb  6 05:32:10 ip-10-0-1-12 app[1]: ERROR boom",
        "2025-02-06T05:32:10.123456+00:00 ip-10-0-1-12 kernel: INFO: task blocked for more than 120 seconds.",
        "2025/02/06 14:32:10 [error] 31#31: *7 access forbidden by rule, client: 10.0.1.124, server: _",
        "2025-02-06 05:32:10 UTC:10.0.0.1(5432):app@shop:[123]:ERROR:  deadlock detected",
        "2025-02-06 05:32:10.123 UTC [123] LOG:  checkpoint starting: time",
        "2025-02-06T05:32:10.123456Z 0 [Warning] [MY-010068] [Server] CA certificate ca.pem is self signed.",
        ACCESS,
        "[812] Booting worker with pid: 830",
        "START RequestId: 5f0e4b2a-1c1d-4c7e-8b8e-0123456789ab Version: $LATEST",
    ],
)
def test_app_log_leaves_others_alone(text: str) -> None:
    """Records of other logs, and text that may be anything, are not an application's."""
    assert not _sniff("app_log", text)


def test_the_kernels_ring_buffer_with_times() -> None:
    """What `dmesg -T` prints is known by the name of its file, for Apache's error log opens alike."""
    assert _sniff("syslog", "[Thu Feb  6 14:32:09 2025] Out of memory: Killed process 5001 (httpd)", "web-1/dmesg-T.txt")
    assert not _sniff("syslog", "[Thu Feb  6 14:32:09 2025] Out of memory: Killed process 5001 (httpd)", "web-1/error_log")
    assert not _sniff("syslog", "[Thu Feb  6 14:32:09 2025] [error] [client 203.0.113.9] File does not exist: /x", "dmesg/error_log")


def test_the_time_that_pm2_writes_in_front_of_a_line() -> None:
    """It ends with a colon; words must follow, for a bare time may open anything."""
    assert _sniff("app_log", "2025-02-06T14:32:10: PM2 log: App [shop:0] online", "home/ubuntu/.pm2/pm2.log")
    assert _sniff("app_log", "2025-02-06 14:32:10: Listening on port 3000", "shop-out.log")
    assert not _sniff("app_log", "2025-02-06T14:32:10: 17 4 0.3", "vmstat.log")
    assert not _sniff("app_log", "2025-02-06T14:32:10 Listening on port 3000", "shop-out.log")


def test_name_tells_whose_access_line_it_is() -> None:
    """A combined line is the application server's where the file, or the program in syslog, is called so."""
    assert _sniff("app_log", ACCESS, "var/log/gunicorn/access.log")
    assert _sniff("app_log", f"[830] {ACCESS}", "gunicorn")
    assert _sniff("app_log", "[812] Booting worker with pid: 830", "gunicorn.shop.error")
    assert not _sniff("nginx_access", ACCESS, "var/log/gunicorn/access.log")


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-06T05:32:10.123456Z  INFO app::server: started",
        "2025-02-06T05:32:10.123Z ERROR app: boom",
        "2025-02-06T14:32:10+09:00 worker ERROR: boom",
        "2025-02-06T05:32:10.611Z HTTP Method: POST, Resource Path: /x",
        "not much of a syslog message",
        "1 2 3",
    ],
)
def test_syslog_leaves_others_alone(text: str) -> None:
    """An ISO time alone makes no syslog."""
    assert not _sniff("syslog", text)


def test_inner_lines_of_syslog_are_read_by_their_own_formats() -> None:
    """The message of a syslog line is a record of nginx or of the application, with or without its tag."""
    inner = _read("syslog", "Feb  6 05:32:21 h nginx: 2025/02/06 14:32:21 [error] 31#31: *7 x, client: 10.0.1.124, server: _")["message"]
    assert _sniff("nginx_error", inner)
    inner = _read("syslog", "Feb  6 05:32:11 h gunicorn[812]: [2025-02-06 14:32:11 +0900] [812] [INFO] Booting worker with pid: 830")[
        "message"
    ]
    assert _sniff("app_log", inner)
    assert _read("app_log", inner)["time"] == datetime(2025, 2, 6, 5, 32, 11)  # noqa: DTZ001 - readers answer naive times
    outer = _read("syslog", f"Feb  6 05:32:12 h gunicorn.shop.access: [830] {ACCESS}")
    assert outer["program"] == "gunicorn.shop.access"
    row = _read("app_log", outer["message"])
    assert (row["pid"], row["server"], row["path"], row["status"]) == (830, "gunicorn", "/api/ping", 200)
    assert row["time"] == datetime(2025, 2, 6, 5, 32, 12)  # noqa: DTZ001 - readers answer naive times
    tagged = _read("app_log", f"{outer['program']}: {outer['message']}")
    assert {**tagged, "logger": None} == row


def test_line_and_paragraph_separators_stay_in_the_message() -> None:
    """U+2028 and U+0085 end no line."""
    assert _read("app_log", "2025-02-06 14:32:10,123 INFO a\u2028b\x85c\x0bd")["message"] == "a\u2028b\x85c\x0bd"


def test_calls_to_others_are_no_requests_served() -> None:
    """What urllib3 and httpx log went out, it did not come in."""
    for text in (
        'DEBUG urllib3: https://api.example.com:443 "GET /v1/users HTTP/1.1" 403 9',
        'INFO httpx: HTTP Request: GET https://api.example.com/ "HTTP/1.1 403"',
    ):
        row = _read("app_log", f"2025-02-06 14:32:10,123 {text}")
        assert (row["method"], row["path"], row["status"]) == (None, None, None)


# Stamps

TIMES = {
    "nginx_error": ["2025/02/06 14:32:10 [error] 1#1: x"],
    "syslog": [
        "Feb  6 14:32:10 h a: x",
        "Feb 6 14:32:10 h a: x",
        "Feb 06 14:32:10 h a: x",
        "<34>1 2025-02-06T14:32:10+09:00 h a - - - x",
        "2025-02-06T14:32:10.123456+09:00 h a: x",
    ],
    "app_log": [
        "2025-02-06 14:32:10,123 INFO x",
        "2025-02-06T14:32:10.123+09:00 INFO x",
        "[2025-02-06 14:32:10 +0900] [812] [INFO] x",
        "2025-02-06T02:32:10 PM UTC [1]INFO:a:x",
        "2025/02/06 14:32:10 x",
        '[GIN] 2025/02/06 - 14:32:10 | 200 | 1ms | 10.0.0.1 | GET "/"',
        "I0206 14:32:10.123456    1 server.go:123] x",
        "06-Feb-2025 14:32:10.123 INFO x",
        "[06-Feb-2025 14:32:10 Asia/Tokyo] PHP Notice:  x",
        '[06/Feb/2025 14:32:10] "GET / HTTP/1.1" 200 1',
        '10.0.1.124 - - [06/Feb/2025 14:32:10] "GET / HTTP/1.1" 403 -',
        ACCESS.replace("14:32:12", "14:32:10"),
        "[pid: 1|app: 0|req: 1/1] 10.0.0.1 () {} [Thu Feb  6 14:32:10 2025] GET / => generated 1 bytes in 1 msecs (HTTP/1.1 200)",
        "level=info time=2025-02-06T14:32:10+09:00 msg=x",
        "I, [2025-02-06T14:32:10.123456 #1]  INFO -- : x",
        "(sqlalchemy.x): 2025-02-06 14:32:10,355 DEBUG x",
    ],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("minutes", [10, 90, 60 * 5, 60 * 40, 60 * 24 * 5, 60 * 24 * 60])
def test_stamps_meet_every_shape_of_time(name: str, minutes: int) -> None:
    """Whatever the window's length, a record with a time in it holds one of the substrings."""
    moment = datetime(2025, 2, 6, 5, 32, 10, tzinfo=UTC)
    window = Window(moment - timedelta(minutes=minutes / 2), moment + timedelta(minutes=minutes / 2))
    texts = _layout(name).stamps(window, [timedelta(hours=9)])
    for line in TIMES[name]:
        row = _read(name, line)
        expected = {"2025-02-06 14:32:10", "2025-02-06 05:32:10", "2000-02-06 14:32:10"}
        if " PM UTC" not in line:
            assert str(row["time"])[:19] in expected, line
        assert not texts or any(all(piece in line for piece in text.split("\n")) for text in texts), line


@pytest.mark.parametrize("name", NAMES)
def test_stamps_are_few(name: str) -> None:
    """A short window asks for few substrings, for each of them costs time; and a record far from it holds none."""
    moment = datetime(2025, 2, 6, 5, 32, 10, tzinfo=UTC)
    texts = _layout(name).stamps(Window(moment - timedelta(minutes=5), moment + timedelta(minutes=5)), [timedelta(hours=9)])
    assert 0 < len({text.rstrip("0123456789") for text in texts}) <= 40
    later = [line.replace("14:32:10", "21:05:59").replace("02:32:10", "09:05:59") for line in TIMES[name]]
    assert not any(all(piece in line for piece in text.split("\n")) for text in texts for line in later)


# Hostile text

OPENINGS = {
    "nginx_error": ["", "2025/02/06 14:32:10 [error] 31#31: *1 "],
    "syslog": ["", "Feb  6 05:32:10 ", "<13>1 2025-02-06T05:32:10Z h a 1 - [id ", "2025-02-06T05:32:10Z "],
    "app_log": [
        "",
        "2025-02-06 14:32:10,123 ",
        "2025-02-06 14:32:10,123 INFO ",
        "[2025-02-06 14:32:10] ",
        "time=x ",
        '10.0.1.1 - - [06/Feb/2025:14:32:10 +0900] "',
    ],
}
ATOMS = [
    "a",
    " ",
    "a ",
    "- ",
    "[",
    "] ",
    "[a] ",
    "a.b",
    "::",
    "\\",
    '"',
    '\\"',
    ", client: ",
    "1",
    "\n",
    "\n ",
    "\n a\nA: b",
    "GET /",
    "<13>",
    "(",
    "=",
    "|",
    "\t",
    "/x ",
    "Caused by: ",
    "\x1b[0m",
    "\x00",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("opening", range(6))
def test_repetition_does_not_slow_the_reader(name: str, opening: int) -> None:
    """A hundred kilobytes of anything are read in well under a second: time grows with length and no faster."""
    if opening >= len(OPENINGS[name]):
        return
    layout = _layout(name)
    for atom in ATOMS:
        text = OPENINGS[name][opening] + atom * (100_000 // len(atom))
        start = time.perf_counter()
        layout.read(text)
        assert time.perf_counter() - start < 1.5, (opening, atom)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_reader_never_raises(name: str, data: st.DataObject) -> None:
    """Arbitrary text, and arbitrary text behind an opening, is read or refused."""
    opening = data.draw(st.sampled_from([*OPENINGS[name], *TIMES[name], *HEADS[name]]))
    text = data.draw(st.one_of(st.text(max_size=200), st.lists(st.sampled_from([*ATOMS, *TIMES[name]]), max_size=12).map("".join)))
    cut = data.draw(st.integers(0, len(opening)))
    answer = _layout(name).read(opening[:cut] + text)
    if isinstance(answer, Refused):
        assert answer.why
    else:
        assert answer["_naive"] in {0, 1, 2}
    assert _sniff(name, opening[:cut] + text) in {True, False}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_bulk_reader_equals_exact_reader_on_assembled_records(name: str, data: st.DataObject) -> None:
    """Pieces of records and of patterns put together anyhow: where the bulk reader is sure, it is right."""
    layout = _layout(name)
    piece = st.sampled_from(
        [*ATOMS, *OPENINGS[name], *TIMES[name], *HEADS[name], *CONTINUED[name], "INFO", "ERROR: ", "main", "7 ", ": ", "\n"]
    )
    texts = data.draw(st.lists(st.lists(piece, min_size=1, max_size=7).map("".join), min_size=30, max_size=30))
    con = duckdb.connect()
    con.execute("SET TimeZone = 'Asia/Tokyo'; SET threads = 1; CREATE TABLE records (_artifact INTEGER, _line BIGINT, text VARCHAR)")
    con.execute("INSERT INTO records SELECT 1, unnest(?::BIGINT[]), unnest(?::VARCHAR[])", [list(range(len(texts))), texts])
    for sample in ((), texts[::6]):
        found = con.execute(f"SELECT * FROM ({layout.bulk('records', sample)}) ORDER BY _line")
        names = [column[0] for column in found.description or []]
        for text, values in zip(texts, found.fetchall(), strict=True):
            row = dict(zip(names, values, strict=True))
            if row["_ok"]:
                answer = layout.read(text)
                assert not isinstance(answer, Refused), text
                assert {name: row[name] for name in answer} == answer, text
