"""Layouts of named fields whose order was told, by a header or by the user; and values that their writer percent-encoded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kyumei.contracts import Refused
from kyumei.errors import ConfigError
from kyumei.formats.cloudfront_access import FIELDS, FORMAT, below, custom
from kyumei.layouts.percent_encoding import ENCODED, ENCODED_AGENT, ENCODED_TARGET
from kyumei.model.window import Window
from tests.test_formats import assert_equal, records

if TYPE_CHECKING:
    from kyumei.layouts.casts import Cast

FOLDER = Path(__file__).parent / "formats" / "cloudfront_access"
REAL_TIME = "timestamp c-ip s-ip sc-status cs-host cs-uri-stem x-host-header cs-user-agent sr-reason r-host asn cs-headers"
REAL_TIME_LINE = (
    "1738819930.417\t192.0.2.9\t198.51.100.7\t502\twww.example.com\t/a%2520b?x=1\td111111abcdef8.cloudfront.net\tcurl/8.5%20x\t"
    "Failover:502\torigin.example.com\t64496\thost:%20www.example.com%0Aaccept:%20*/*"
)


def test_real_time_fields_have_their_own_meaning() -> None:
    """The viewer's host and the distribution's name are swapped, the query string stands in the path's field."""
    row = custom(REAL_TIME).read(REAL_TIME_LINE)
    assert isinstance(row, dict)
    shown = {name: value for name, value in row.items() if value is not None}
    assert shown == {
        "time": datetime(2025, 2, 6, 5, 32, 10, 417000),  # noqa: DTZ001 - readers answer naive times
        "edge_ip": "198.51.100.7",
        "client_ip": "192.0.2.9",
        "asn": 64496,
        "host": "www.example.com",
        "path": "/a%20b",
        "query": "x=1",
        "status": 502,
        "distribution": "d111111abcdef8.cloudfront.net",
        "origin_host": "origin.example.com",
        "origin_reason": "Failover:502",
        "user_agent": "curl/8.5 x",
        "_extra": {"cs-headers": "host:%20www.example.com%0Aaccept:%20*/*"},
        "_naive": 0,
    }


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (REAL_TIME, REAL_TIME_LINE),
        ('["timestamp", "sc-status", "cs-uri-stem"]', "1738819930417\t200\t/a?b=%2520"),
        ("#Fields: date time sc-status cs-uri-stem x-edge-new", "2025-02-06\t05:32:10\t200\t/a%2520b\tnew"),
        ("#Fields: time date sc-status cs(User-Agent)", "05:32:10\t2025-02-06\t200\tcurl%2F8%20x"),
        ("date,time,sc-status,x-edge-request-id", "2025-02-06,05:32:10,403,abc=="),
        ("date||time||sc-status", "2025-02-06||05:32:10||0"),
        ("date time timestamp(ms) c-ip", "2025-02-06\t05:32:10\t1738819930417\t192.0.2.9"),
    ],
)
def test_told_order_is_read_by_both_readers(told: str, line: str) -> None:
    """The time comes out whichever way it is written, the bulk reader is sure of the line, and a shorter line is refused."""
    layout = custom(told)
    row = layout.read(line)
    assert isinstance(row, dict)
    assert row["time"].replace(microsecond=0) == datetime(2025, 2, 6, 5, 32, 10)  # noqa: DTZ001 - readers answer naive times
    cut = line.rsplit(layout.separator, 1)[0]
    assert isinstance(layout.read(cut), Refused)
    more = f"{line}{layout.separator}more"
    assert assert_equal(replace(FORMAT, layout=layout), [line, cut, more, "", "#Fields: date time"]) >= 1
    window = Window(datetime(2025, 2, 6, 5, 30, tzinfo=UTC), datetime(2025, 2, 6, 5, 40, tzinfo=UTC))
    assert any(text in line for text in layout.stamps(window, (timedelta(hours=9),)))


@pytest.mark.parametrize("told", ["", "c-ip sc-status", "time c-ip", "date time c-ip date", "$remote_addr [$time_local]"])
def test_order_without_a_time_is_refused(told: str) -> None:
    """And one that names a field twice: a clear error, with a hint."""
    with pytest.raises(ConfigError):
        custom(told)


def test_header_tells_the_layout_of_what_stands_below() -> None:
    """For legacy fields, all or the first of them, that is the format's own; a line about something else tells nothing."""
    assert below(f"#Fields: {FIELDS}") is FORMAT.layout
    assert below(f"#Fields: {' '.join(FIELDS.split()[:24])}") is FORMAT.layout
    assert below("#Version: 1.0") is None
    chosen = below("#Fields: date time x-edge-request-id sc-status")
    assert chosen is not None
    row = chosen.read("2025-02-06\t05:32:10\tabc==\t502")
    assert isinstance(row, dict)
    assert (row["request_id"], row["status"]) == ("abc==", 502)


CHOSEN = '"date":"2025-02-06","time":"05:32:10","c-ip":"192.0.2.9","cs-method":"GET","cs-uri-stem":"/a","sc-status":"502"'


@pytest.mark.parametrize(
    ("text", "own"),
    [
        (f"{{{CHOSEN}}}", True),
        (f"{{{CHOSEN.replace('c-', 'c_').replace('s-', 's_').replace('i-s', 'i_s')}}}", True),
        (f'{{{CHOSEN},"s-port":"443","sc-win32-status":"64"}}', False),
        ('{"date":"2025-02-06","time":"05:32:10","c-ip":"192.0.2.9","message":"x"}', False),
        ("#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status time-taken", True),
        ("#Fields: date time s-ip cs-method cs-uri-stem s-port c-ip cs(User-Agent) sc-status sc-substatus time-taken", False),
        ("#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent) time-taken", False),
    ],
)
def test_fields_of_the_w3c_alone(text: str, own: bool) -> None:  # noqa: FBT001 - what is expected
    """Of version 2 any may be chosen, so that none of CloudFront's own is left; a web server's log has the same names and others."""
    assert FORMAT.sniff(text, "") is own


@pytest.mark.parametrize("separator", ["\t", " ", ",", ";", "|", "||"])
def test_header_with_spaces_need_not_tell_the_separator(separator: str) -> None:
    """Version 2 lets its owner choose one: it is told by the number of fields, and never guessed where that does not fit."""
    layout = below("#Fields: date time x-edge-request-id sc-status cs(User-Agent)")
    assert layout is not None
    line = separator.join(["2025-02-06", "05:32:10", "abc==", "502", "a/1.0%20(x)"])
    row = layout.read(line)
    assert isinstance(row, dict)
    assert (row["request_id"], row["status"], row["user_agent"]) == ("abc==", 502, "a/1.0 (x)")
    more = f"{line},%20like"
    assert isinstance(layout.read(more), Refused) is (separator == ",")
    texts = [line, more, line.rsplit(separator, 1)[0], "#Version: 1.0", "no line of a log at all"]
    assert_equal(replace(FORMAT, layout=layout), texts)
    window = Window(datetime(2025, 2, 6, 5, 30, tzinfo=UTC), datetime(2025, 2, 6, 5, 40, tzinfo=UTC))
    assert any(text in line for text in layout.stamps(window, (timedelta(hours=9),)))


@pytest.mark.parametrize(
    "header", ["#Fields: c-ip sc-status", "#Fields:", "#Fields: x x x-edge-y x-edge-y date date time", "#Fields: s-ip s-ip"]
)
def test_strange_header_harms_nobody(header: str) -> None:
    """Lines below it that cannot be read are refused, and both readers agree."""
    layout = below(header)
    assert layout is not None
    lines = ["", "a", "192.0.2.1\t200", "a\tb\tc\td\t2025-02-06\t2025-02-07\t05:32:10", "-\t-"]
    assert_equal(replace(FORMAT, layout=layout), lines)
    assert isinstance(layout.read("192.0.2.1\t200"), Refused)


@pytest.mark.parametrize("length", [timedelta(minutes=10), timedelta(hours=5), timedelta(days=3)])
def test_records_in_a_window_hold_a_stamp(length: timedelta) -> None:
    """Lines and JSON objects alike, so that none is passed over; and a window of another day finds none."""
    start = datetime(2025, 2, 6, 5, 30, tzinfo=UTC)
    texts = FORMAT.layout.stamps(Window(start, start + length), (timedelta(hours=9),))
    other = FORMAT.layout.stamps(Window(start - timedelta(days=9), start - timedelta(days=9) + length), (timedelta(0),))
    assert texts
    met = 0
    for path in FOLDER.glob("*.log"):
        for _, text in records(path):
            row = FORMAT.layout.read(text)
            if isinstance(row, dict) and start <= row["time"].replace(tzinfo=UTC) < start + length:
                met += 1
                assert any(one in text for one in texts), text
                assert text.startswith("{") or "\t" not in text or not any(one in text for one in other)
    assert met


@pytest.mark.parametrize(
    ("cast", "raw", "value"),
    [
        (ENCODED, "a%20b", "a b"),
        (ENCODED, "a,\\x20b", "a, b"),
        (ENCODED, "%E6%97%A5", "日"),
        (ENCODED, "%E6%97", "\\xe6\\x97"),
        (ENCODED, "a%2520b", "a%20b"),
        (ENCODED, "%1B[31m%0A%7F%zz%", "%1B[31m%0A%7F%zz%"),
        (ENCODED_AGENT, "Mozilla/5.0%2520(X11;%2520Linux)", "Mozilla/5.0 (X11; Linux)"),
        (ENCODED_AGENT, "Mozilla/5.0%20(X11;%2520Linux)", "Mozilla/5.0 (X11;%20Linux)"),
        (ENCODED_TARGET, "/a%2520b%252F%25E6%2597%25A5", "/a%20b%2F%E6%97%A5"),
        (ENCODED_TARGET, "/a%20b%2F%25", "/a%20b%2F%25"),
        (ENCODED_TARGET, "/x%7By%7D", "/x{y}"),
        (ENCODED_TARGET, "/%E6%97%A5", "/%E6%97%A5"),
    ],
)
def test_percent_encoding_is_taken_off_once(cast: Cast, raw: str, value: str) -> None:
    """A path stays as it stood in the request, a user agent that was encoded twice is decoded twice, control characters stay escapes."""
    assert cast.python(raw) == value
