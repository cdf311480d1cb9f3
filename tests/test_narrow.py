"""Whole files are kept without the columns that they do not fill; whoever asks the case sees all columns all the same."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from kyumei import discover
from kyumei.api import investigate
from kyumei.correlate.clocks import settle
from kyumei.model.table import LINEAGE
from kyumei.store import bulk_files
from kyumei.store.case import open_case
from kyumei.store.narrow import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kyumei.store.case import Case

COMBINED = '10.0.1.12 - - [11/Mar/2025:14:%02d:10 +0900] "GET /items/%d HTTP/1.1" 200 12 "-" "Mozilla/5.0"\n'
TIMED = '10.0.1.12 - - [11/Mar/2025:15:%02d:10 +0900] "GET /timed/%d HTTP/1.1" 502 12 "-" "Mozilla/5.0" rt=0.250\n'
FLOW = "2 123456789012 eni-0aa10bb20cc30dd40 10.0.1.12 203.0.113.5 50%03d 443 6 5 3000 1741669200 1741669260 ACCEPT OK\n"
FLOW_HEADER = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
BALANCED = (
    "http 2025-03-11T05:%02d:40.000000Z app/shop/0123456789abcdef 203.0.113.5:50000 10.0.1.10:80 0.001 0.010 0.000 200 200 300 900 "
    '"GET http://shop.example.com:80/items/%d HTTP/1.1" "Mozilla/5.0" - - '
    'arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/shop/0123456789abcdef "Root=1-67cfc4e8-0123456789abcdef01234567" '
    '"-" "-" 0 2025-03-11T05:00:00.000000Z "forward" "-" "-" "10.0.1.10:80" "200" "-" "-"\n'
)
LINES = 50


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """Two logs of nginx, in which other columns are filled, and a flow log, each read as a large file is."""
    monkeypatch.setattr(bulk_files, "BULK_FROM", 1)
    logs = tmp_path / "case"
    logs.mkdir()
    (logs / "access.log").write_text("".join(COMBINED % (number, number) for number in range(LINES)) + "\x16\x03\x01 no request\n")
    (logs / "timed.log").write_text("".join(TIMED % (number, number) for number in range(LINES)))
    (logs / "flows.log").write_text(FLOW_HEADER + "".join(FLOW % number for number in range(LINES)))
    with closing(open_case(logs, None, partial(settle, moment=None), lambda _: (), cache=tmp_path / "cache")) as opened:
        yield opened


def rows(case: Case, name: str) -> list[dict[str, Any]]:
    """All rows of a format with all their columns."""
    return case.rows(f'SELECT * FROM "{name}" ORDER BY _artifact, _line')


@pytest.mark.parametrize("name", ["nginx_access", "vpc_flow"])
def test_a_format_has_all_its_columns_in_their_order(case: Case, name: str) -> None:
    """With their kinds, although its tables have fewer."""
    described = case.con.execute(f'DESCRIBE "{name}"').fetchall()
    columns = (*LINEAGE, *discover.format_of(name).table.columns)
    assert [(row[0], row[1]) for row in described] == [(column.name, str(column.kind)) for column in columns]
    tables = tables_of(case.con, name)
    assert len(tables) > 1
    assert min(len(case.con.execute(f'DESCRIBE "{table}"').fetchall()) for table in tables) < len(columns) - 5


def test_rows_of_all_tables_are_answered(case: Case) -> None:
    """Each with the columns that its own file fills, and with its lineage."""
    found = rows(case, "nginx_access")
    assert [row["_line"] for row in found] == [*range(1, LINES + 1), *range(1, LINES + 1)]
    assert {row["_span"] for row in found} == {1}
    assert {(row["path"][:4], row["request_seconds"]) for row in found} == {("/ite", None), ("/tim", 0.25)}
    assert case.value("SELECT count(*) FROM vpc_flow WHERE action = 'ACCEPT' AND tcp_flags IS NULL") == LINES
    assert case.filled == ["nginx_access", "vpc_flow"]


def test_a_line_that_cannot_be_read_is_kept(case: Case) -> None:
    """It is read one by one, as in a table with all columns."""
    assert case.rows("SELECT _line, text FROM unread") == [{"_line": LINES + 1, "text": "\x16\x03\x01 no request"}]


def test_a_clock_that_runs_fast_is_put_right_in_every_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web server's clock is ninety seconds ahead of the balancer's, in rows that stand in a table with fewer columns."""
    monkeypatch.setattr(bulk_files, "BULK_FROM", 1)
    logs = tmp_path / "case"
    logs.mkdir()
    (logs / "web.log").write_text("".join(COMBINED % (number, number) for number in range(LINES)))
    (logs / "alb.log").write_text("".join(BALANCED % (number - 2, number) for number in range(2, LINES)))
    with closing(open_case(logs, None, partial(settle, moment=None), lambda _: (), cache=tmp_path / "cache")) as case:
        assert len(tables_of(case.con, "nginx_access")) > 1
        assert case.rows("SELECT seconds FROM _skews") == [{"seconds": 90}]
        assert case.value("SELECT min(time) FROM nginx_access") == datetime(2025, 3, 11, 4, 58, 40)  # noqa: DTZ001 - UTC, as all in a case


def test_an_answer_cites_records_of_a_table_with_fewer_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole record behind a failing request of a large log is found in the view of all its tables, which has no row numbers."""
    monkeypatch.setattr(bulk_files, "BULK_FROM", 1)
    logs = tmp_path / "case"
    logs.mkdir()
    failed = BALANCED % (20, 20)
    failed = failed.replace("0.000 200 200", "0.000 500 500").replace('"200"', '"500"')
    (logs / "alb.log").write_text("".join(failed if number == 20 else BALANCED % (number, number) for number in range(LINES)))
    answer = investigate(logs, "500 on /items/20 at 2025-03-11 05:20 UTC", now=datetime(2025, 3, 12, tzinfo=UTC), cache=tmp_path / "cache")
    assert [hop.saw_it for hop in answer.hops if hop.hop == "alb"] == ["yes"]
    assert {(one.file, one.line) for finding in answer.findings for part in finding.chain for one in part.citations} == {("alb.log", 21)}


def test_records_inside_others_are_read_of_large_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal hands on nginx's lines; its own rows stand in a table with fewer columns by then."""
    monkeypatch.setattr(bulk_files, "BULK_FROM", 1)
    logs = tmp_path / "case"
    logs.mkdir()
    records = (
        {
            "__REALTIME_TIMESTAMP": str(1741668985000000 + number),
            "SYSLOG_IDENTIFIER": "nginx",
            "MESSAGE": (COMBINED % (number, number))[:-1],
        }
        for number in range(LINES)
    )
    (logs / "journal.json").write_text("".join(json.dumps(record) + "\n" for record in records))
    with closing(open_case(logs, None, partial(settle, moment=None), lambda _: (), cache=tmp_path / "cache")) as case:
        assert len(tables_of(case.con, "json_lines")) > 1
        assert case.value("SELECT count(*) FROM nginx_access WHERE _via = 'json_lines' AND path LIKE '/items/%'") == LINES
