"""Formats of databases and traces where golden files do not reach: prefixes that are told, joining, zones, claims, hostile text."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.errors import ConfigError
from kyumei.formats import mysql_audit, postgres_log
from kyumei.layouts.database_times import MYSQL_NAIVE, MYSQL_TIME, POSTGRES_NAIVE, POSTGRES_TIME
from kyumei.layouts.postgres_prefix import RDS, USUAL, pattern_of
from kyumei.model.window import Window

NAMES = ("mysql_audit", "mysql_error", "mysql_general", "mysql_slow", "postgres_log", "rds_event", "performance_insights")
TRACES = ("xray_segment", "xray_service", "xray_trace")


def _read(name: str, text: str) -> dict[str, Any]:
    answer = discover.formats()[name].layout.read(text)
    assert not isinstance(answer, Refused), answer
    return answer


# PostgreSQL


@pytest.mark.parametrize(
    ("prefix", "line", "expected"),
    [
        ("%m [%p] %q%u@%d/%a ", "2025-02-06 05:32:10.5 UTC [7] shop@db/psql LOG:  x", {"user": "shop", "database": "db", "pid": 7}),
        ("%m [%p] %q%u@%d/%a ", "2025-02-06 05:32:10.5 UTC [7] LOG:  x", {"user": None, "pid": 7}),
        ("%n %Q %e <%i> ", "1738819930.500 -77 42P01 <SELECT> ERROR:  x", {"query_id": -77, "sqlstate": "42P01", "command": "SELECT"}),
        ("%5p|%-10u|%t|", "    7|shop      |2025-02-06 05:32:10 UTC|LOG:  x", {"pid": 7, "user": "shop"}),
        ("%% %t %P ", "% 2025-02-06 05:32:10 UTC 12 LOG:  x", {"leader_pid": 12}),
        ("%t %h %l ", "2025-02-06 05:32:10 UTC 2001:db8::7 9 LOG:  x", {"client_ip": "2001:db8::7", "session_line": 9}),
    ],
)
def test_told_prefix_is_read(prefix: str, line: str, expected: dict[str, Any]) -> None:
    """A prefix from the server's settings, with or without quotes around it."""
    for told in (prefix, f"'{prefix}'"):
        row = postgres_log.custom(told).read(line)
        assert not isinstance(row, Refused), row
        assert {name: row[name] for name in expected} == expected
        assert row["time"].replace(microsecond=0) == datetime(2025, 2, 6, 5, 32, 10)  # noqa: DTZ001 - readers answer naive times
        assert row["message"] == "x"


def test_told_prefix_opens_records() -> None:
    """A companion does not, nor does a line that goes on."""
    head = re.compile(postgres_log.custom("%n|%p|").head or "", re.ASCII)
    assert head.match("1738819930.500|7|ERROR:  x")
    assert not head.match("1738819930.500|7|DETAIL:  x")
    assert not head.match("\tLOG:  x")


def test_prefix_without_a_time_is_refused() -> None:
    """There would be nothing to place its records by."""
    with pytest.raises(ConfigError):
        postgres_log.custom("%u@%d ")


@pytest.mark.parametrize("prefix", USUAL)
def test_usual_prefixes_are_patterns_of_both_engines(prefix: str) -> None:
    """RE2 takes them, and no group is there twice."""
    con = duckdb.connect()
    con.execute("SELECT regexp_matches('x', ?)", [pattern_of(prefix)])
    assert not re.search(r"\\[sSbBAZz1-9]|\(\?[=!<i]", pattern_of(prefix).replace("(?P<", "("))


def test_companions_belong_to_the_message() -> None:
    """With lines of their own, and twice the same."""
    line = "2025-02-06 05:32:10 UTC:10.0.1.12(1):shop@db:[7]:"
    row = _read("postgres_log", f"{line}ERROR:  a\n\tb\n{line}CONTEXT:  c\n{line}CONTEXT:  d\n{line}STATEMENT:  SELECT\n\t'HINT:  no'")
    assert (row["message"], row["context"], row["statement"], row["hint"]) == ("a\nb", "c\nd", "SELECT\n'HINT:  no'", None)


@pytest.mark.parametrize(
    ("written", "expected", "naive"),
    [
        ("2025-02-06 05:32:10 UTC", "2025-02-06T05:32:10", 0),
        ("2025-02-06 14:32:10.25 JST", "2025-02-06T05:32:10.250000", 0),
        ("2025-02-06 00:32:10 EST", "2025-02-06T05:32:10", 0),
        ("2025-02-06 11:02:10 +0530", "2025-02-06T05:32:10", 0),
        ("2025-02-06 02:32:10 <-03>", "2025-02-06T05:32:10", 0),
        ("2025-02-06 05:32:10 IST", "2025-02-06T05:32:10", 1),
        ("2025-02-06 05:32:10 XYZ", "2025-02-06T05:32:10", 1),
        ("1738819930.250", "2025-02-06T05:32:10.250000", 0),
    ],
)
def test_zones_of_postgres(written: str, expected: str, naive: int) -> None:
    """A word that means one zone is that zone; any other leaves the time local."""
    assert POSTGRES_TIME.python(written).isoformat() == expected
    assert POSTGRES_NAIVE.python(written) == naive


def test_window_in_another_zone_is_found() -> None:
    """The stamps of a log that writes a zone's word hold those of every zone."""
    start = datetime(2025, 2, 6, 5, 32, tzinfo=UTC)
    found = postgres_log.LAYOUT.stamps(Window(start, start.replace(minute=33)), ())
    for line in ("2025-02-06 05:32:10 UTC", "2025-02-06 06:32:10 CET", "2025-02-06 00:32:10 EST", "2025-02-06 14:32:10 JST"):
        assert any(stamp in line for stamp in found), line


# MySQL


@pytest.mark.parametrize(
    ("written", "expected", "naive"),
    [
        ("2025-02-06T05:32:10.123456Z", "2025-02-06T05:32:10.123456", 0),
        ("2025-02-06T14:32:10+09:00", "2025-02-06T05:32:10", 0),
        ("2025-02-06  5:32:10", "2025-02-06T05:32:10", 1),
        ("250206  5:32:10", "2025-02-06T05:32:10", 1),
        ("991231 23:59:59", "1999-12-31T23:59:59", 1),
    ],
)
def test_times_of_mysql(written: str, expected: str, naive: int) -> None:
    """Of all versions."""
    assert MYSQL_TIME.python(written).isoformat() == expected
    assert MYSQL_NAIVE.python(written) == naive


def test_both_engines_read_times_alike() -> None:
    """Wherever the SQL answers at all."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'Asia/Tokyo'")
    texts = [
        *(
            f"{day} {clock}{zone}"
            for day in ("2025-02-06", "2024-02-29", "2025-02-30")
            for clock in ("05:32:10", "23:59:59.999", "24:00:00")
            for zone in (" UTC", " CET", " EST", " IST", " +03", "Z", "")
        ),
        *(
            "2025-02-06T05:32:10.1Z",
            "2025-02-06T05:32:10+14:00",
            "250206  5:32:10",
            "250206 25:00:00",
            "251306 05:00:00",
            "690206 15:32:10",
        ),
    ]
    for time_cast, naive_cast in ((POSTGRES_TIME, POSTGRES_NAIVE), (MYSQL_TIME, MYSQL_NAIVE)):
        sql = f"SELECT x, {time_cast.sql.replace('{x}', 'x')}, {naive_cast.sql.replace('{x}', 'x')} FROM (SELECT unnest(?::VARCHAR[]) AS x)"
        answered = [row for row in con.execute(sql, [texts]).fetchall() if row[1] is not None]
        assert len(answered) > 3
        for text, moment, naive in answered:
            assert (time_cast.python(text), naive_cast.python(text)) == (moment, naive), text


def test_slow_entry_opens_at_its_time_or_its_user() -> None:
    """A time takes the line of the user below it; where it is left out, the user opens the entry."""
    layout = discover.formats()["mysql_slow"].layout
    assert re.match(layout.head or "", "# Time: 250206  5:32:10")
    assert re.match(layout.head or "", "# User@Host: shop[shop] @  [10.0.1.12]")
    assert not re.match(layout.head or "", "# Query_time: 1")


def test_slow_entry_with_any_names() -> None:
    """Names that nobody announced are kept, numbers as numbers."""
    row = _read(
        "mysql_slow",
        "# User@Host: a[b] @ h [192.0.2.7]  Id: 5 Role: x\n# Query_time: 1.5 New_1: 7\n# New: -\nSET timestamp=1738819930;\nSELECT 1;",
    )
    assert json.loads(row["counters"]) == {"Role": "x", "New": "-"} | {
        key: value for key, value in json.loads(row["counters"]).items() if key not in {"Role", "New"}
    }
    assert (row["user"], row["client_ip"], row["connection"], row["query_seconds"]) == ("a", "192.0.2.7", 5, 1.5)
    assert row["time"] == row["started"] == datetime(2025, 2, 6, 5, 32, 10)  # noqa: DTZ001 - readers answer naive times


PIECES = st.lists(st.sampled_from([",", "'", "\\", "''", "\\'", "a", "é", "\n", " ", '"', "0", "\\\\"]), max_size=12).map("".join)


@settings(max_examples=60, deadline=None)
@given(PIECES, PIECES)
def test_csv_readers_cut_alike(before: str, inside: str) -> None:
    """Whatever stands in the fields and between the quotes."""
    text = f"20250206 05:32:10,h{before},u,10.0.1.12,1,2,QUERY,d,'{inside}',0"
    answer = mysql_audit.LAYOUT.read(text)
    con = duckdb.connect()
    con.execute("CREATE TABLE records AS SELECT 1::INTEGER AS _artifact, 1::BIGINT AS _line, ?::VARCHAR AS text", [text])
    found = con.execute(mysql_audit.LAYOUT.bulk("records"))
    row = dict(zip([column[0] for column in found.description or ()], found.fetchone() or (), strict=True))
    if row["_ok"]:
        assert isinstance(answer, dict)
        assert {name: row[name] for name in answer if name != "_extra"} == {
            name: value for name, value in answer.items() if name != "_extra"
        }


# Claims

OTHERS = [
    "",
    "{}",
    '{"time":"2025-02-06T05:32:10Z","msg":"x"}',
    '{"timestamp":"2025-02-06 05:32:10","message":"x","level":"ERROR"}',
    '{"start_time":1738819914.271,"name":"x","id":"7"}',
    '{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{}}',
    '{"source":"aws.rds","detail-type":"AWS API Call via CloudTrail","detail":{"eventName":"RebootDBInstance"}}',
    '{"SourceType":"x","SourceIdentifier":"y","Message":"z","Date":"2025-02-06T05:32:10Z"}',
    "2025-02-06 14:32:10,123 - app - INFO - x",
    "2025-02-06 14:32:10 +0900 [7] [INFO] x",
    "2025-02-06 14:32:10 UTC INFO:     192.0.2.7:1 - x",
    "Feb  6 05:32:10 db-1 postgres[7]: [5-1] LOG:  x",
    "2025-02-06T05:32:10.123456+00:00 db-1 postgres[7]: LOG:  x",
    "2025-02-06T05:32:10.123Z 7 [INFO] x",
    "# Fields: a b",
    "#Version: 1.0",
    "2 123456789012 eni-0123456789abcdef0 10.0.0.1 10.0.0.2 443 49152 6 10 840 1738819930 1738819990 ACCEPT OK",
    "\t\tat com.example.Shop(Shop.java:7)",
]


@pytest.mark.parametrize("text", OTHERS)
def test_records_of_others_are_not_claimed(text: str) -> None:
    """Neither by a database's format nor by one of traces."""
    assert [name for name in (*NAMES, *TRACES) if discover.formats()[name].sniff(text, "x.log")] == []


@pytest.mark.parametrize("name", NAMES + TRACES)
@pytest.mark.parametrize(
    "text",
    [
        "2025-02-06 05:32:10 UTC:" + "a(1):" * 20_000,
        "2025-02-06 05:32:10 UTC [7] " + "a@" * 50_000,
        ("2025-02-06 05:32:10 UTC " * 5_000) + "x",
        "2025-02-06 05:32:10 UTC:10.0.1.12(1):u@d:[7]:LOG:  " + "\nx DETAIL:" * 10_000,
        "# Time: 2025-02-06T05:32:10Z\n# User@Host: " + "[ @ " * 30_000,
        "# Query_time: " + "a: " * 50_000,
        "#" * 200_000,
        "20250206 05:32:10," + "'\\" * 60_000,
        "2025-02-06 05:32:10.1 UTC," + '""' * 60_000,
        "2025-02-06T05:32:10Z\t 1 Connect\t" + "a@b on " * 20_000,
        '{"id":' * 20_000,
        '{"name":"x","start_time":1,"url":"' + "://" * 50_000 + '"}',
    ],
)
def test_hostile_text_is_read_in_time(name: str, text: str) -> None:
    """No pattern goes back over the text again and again, and nothing is raised."""
    leaf = discover.formats()[name]
    began = time.perf_counter()
    leaf.sniff(text, "x.log")
    answer = leaf.layout.read(text)
    assert isinstance(answer, dict | Refused)
    assert time.perf_counter() - began < 2
    assert RDS in USUAL
