"""What a question asks of the text of records: understood only where it changes no answer, and found by no record too few."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei import api, discover
from kyumei.api import asking
from kyumei.contracts import Refused, SearchedLayout
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.mended import Mended
from kyumei.store import asked, case, pick
from kyumei.store.asked import Asked, asked_of
from kyumei.store.settings import Settings
from kyumei.store.walk import walk

if TYPE_CHECKING:
    from kyumei.contracts import Format

FOLDER = Path(__file__).parent / "formats"
SEARCHED = [
    leaf
    for leaf in discover.formats().values()
    if isinstance(leaf.layout, SearchedLayout) and not (isinstance(leaf.layout, Mended) and not leaf.layout.keeps_values)
]


@pytest.mark.parametrize(
    ("sql", "conditions"),
    [
        ("SELECT * FROM alb_access WHERE status = 503", (("status", (503,)),)),
        ("select a.path FROM ALB_ACCESS a WHERE 503 = a.STATUS;", (("status", (503,)),)),
        ("FROM alb_access WHERE trace_id = '1-67' AND status IN (502, 503)", (("trace_id", ("1-67",)), ("status", (502, 503)))),
        (
            "SELECT elb, count(*) FROM alb_access WHERE status = 503 GROUP BY 1 HAVING count(*) > 2 ORDER BY 2 LIMIT 3",
            (("status", (503,)),),
        ),
    ],
)
def test_conditions_of_one_table_are_understood(sql: str, conditions: tuple[tuple[str, tuple[str | int, ...]], ...]) -> None:
    """A column that must have one of some values, however it is written."""
    assert asked_of(sql) == Asked("alb_access", conditions)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM alb_access",
        "SELECT * FROM alb_access WHERE status = 503 OR status = 502",
        "SELECT * FROM alb_access WHERE NOT (status = 503)",
        "SELECT * FROM alb_access WHERE status <> 503",
        "SELECT * FROM alb_access WHERE status NOT IN (503)",
        "SELECT * FROM alb_access WHERE status = '503'",
        "SELECT * FROM alb_access WHERE status = target_status",
        "SELECT * FROM alb_access WHERE status IN (503, target_status)",
        "SELECT * FROM alb_access WHERE request_seconds = 1",
        "SELECT * FROM alb_access WHERE time = '2025-02-06'",
        "SELECT * FROM alb_access WHERE _extra.status = 503",
        "SELECT * FROM alb_access a WHERE a._extra.status = 503",
        "SELECT * FROM alb_access _extra WHERE _extra.status = 503",
        "SELECT * FROM alb_access WHERE status = -503",
        f"SELECT * FROM alb_access WHERE status = {'9' * 5000}",
        f"SELECT * FROM alb_access WHERE status = 503 AND {'NOT (' * 900}true{')' * 900}",
        "SELECT * FROM alb_access WHERE path = '\udcff'",
        "SELECT * FROM alb_access WHERE lower(path) = '/a'",
        "SELECT * FROM alb_access a, waf WHERE a.status = 503",
        "SELECT * FROM alb_access a LEFT JOIN alb_access b ON true WHERE a.status = 503",
        "SELECT * FROM alb_access WHERE status = 503 UNION ALL FROM alb_access",
        "SELECT * FROM (FROM alb_access) WHERE status = 503",
        "WITH x AS (FROM alb_access) FROM x WHERE status = 503",
        "SELECT (SELECT count(*) FROM alb_access) FROM alb_access WHERE status = 503",
        "SELECT * FROM alb_access WHERE status = 503 AND path IN (SELECT path FROM waf)",
        "SELECT * FROM alb_access(elb) WHERE status = 503",
        "SELECT * FROM alb_access AS a(status, elb) WHERE status = 503",
        "SELECT * FROM alb_access TABLESAMPLE 10% WHERE status = 503",
        "SELECT * FROM read_csv('alb_access') WHERE status = 503",
        "SELECT * FROM nowhere WHERE status = 503",
        "SELECT 1; SELECT * FROM alb_access WHERE status = 503",
        "DELETE FROM alb_access WHERE status = 503",
        "PIVOT alb_access ON status",
        "no SQL",
        "",
    ],
)
def test_what_could_change_an_answer_is_not_understood(sql: str) -> None:
    """Then everything is read."""
    assert asked_of(sql) is None


def golden(leaf: Format) -> list[str]:
    """The lines of all golden files of a format."""
    return [line for path in sorted((FOLDER / leaf.name).glob("*.log")) for line in path.read_text("utf-8", "replace").split("\n")]


def missed(layout: SearchedLayout, text: str) -> list[str]:
    """Columns of a record for which a search would pass over it."""
    row = layout.read(text)
    if isinstance(row, Refused):
        return []
    found = []
    for column, value in row.items():
        if isinstance(value, str | int) and not isinstance(value, bool) and (needles := layout.holding(column, value)):
            escaped = json.dumps(f"before {text}", ensure_ascii=False).replace("/", "\\/")
            found += [f"{column}={value}" for within in (text, escaped) if not any(needle in within for needle in needles)]
    return found


@pytest.mark.parametrize("leaf", SEARCHED, ids=lambda leaf: leaf.name)
def test_every_golden_record_is_found_by_its_values(leaf: Format) -> None:
    """Even where it stands escaped inside a JSON record; and most of its columns can be searched for."""
    assert isinstance(leaf.layout, SearchedLayout)
    layout = leaf.layout
    lines = golden(leaf)
    assert [problem for line in lines for problem in missed(layout, line)] == []
    rows = [row for line in lines if isinstance(row := layout.read(line), dict)]
    told = {column for row in rows for column, value in row.items() if isinstance(value, str) and layout.holding(column, value)}
    assert len(told) > 1


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_record_is_found_by_its_values(data: st.DataObject) -> None:
    """Signs, zeros, missing fields, other quotes: whatever still makes a row."""
    leaf = data.draw(st.sampled_from(SEARCHED))
    line = data.draw(st.sampled_from([line for line in golden(leaf) if line and len(line) < 5000]))
    fields = line.split(" ")
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(fields) - 1))
        fields[number] = data.draw(
            st.sampled_from(
                ("-", "", '"-"', "+" + fields[number], "00" + fields[number], f'"{fields[number]}"', fields[number] + "\t", "503")
            )
        )
    assert isinstance(leaf.layout, SearchedLayout)
    assert missed(leaf.layout, " ".join(fields)) == []


def test_short_values_and_odd_ones_are_not_searched_for() -> None:
    """Two letters stand everywhere; of others the longest part that is never escaped is searched for."""
    layout = discover.formats()["alb_access"].layout
    assert isinstance(layout, Delimited)
    assert layout.holding("method", "GE") == ()
    assert layout.holding("path", "/") == ()
    assert layout.holding("path", "/\u6ce8\u6587/order-12") == ("order-12",)
    assert layout.holding("actions", "waf") == ()
    assert layout.holding("status", 503) == (" 503 ", '"503', "0503", "+503")
    assert layout.holding("user_agent", "curl/8.5.0") == ("8.5.0",) or layout.holding("user_agent", "curl/8.5.0") == ("curl",)


ALB = (
    "https 2025-02-06T05:{minute:02}:{second:02}.000000Z app/shop/50dc6c495c0c9188 203.0.113.{client}:5804 10.0.1.20:80 0.001 0.289 0.000 "
    '{status} {status} 420 5080 "GET https://shop.example.com:443/o/{number} HTTP/2.0" "Mozilla/5.0" TLS_AES_128_GCM_SHA256 TLSv1.3 '
    'arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/shop/73e2d6bc24d8a067 "Root=1-67a37cf0-{number:024x}" '
    '"shop.example.com" "-" 0 2025-02-06T05:00:00.000000Z "forward" "-" "-" "10.0.1.20:80" "{status}" "-" "-"'
)


def written(folder: Path) -> Path:
    """Two balancers' files, a JSON log that carries a line of a third, and another log."""
    folder.mkdir()
    for name in ("a.log", "b.log"):
        lines = [
            ALB.format(
                minute=number // 60,
                second=number % 60,
                client=number % 250,
                status=503 if number % 97 == len(name) % 2 + (name == "b.log") else 200,
                number=number,
            )
            for number in range(1200)
        ]
        (folder / name).write_text("\n".join(["", *lines, "no record 503 "]) + "\n")
    (folder / "web.log").write_text('10.0.1.7 - - [06/Feb/2025:14:32:10 +0900] "GET /a HTTP/1.1" 503 5 "-" "Mozilla/5.0"\n' * 50)
    return folder


@pytest.mark.parametrize(
    "sql", ["status = 503", "trace_id = '1-67a37cf0-00000000000000000000001a'", "client_ip = '203.0.113.7' AND status IN (200, 503)"]
)
def test_a_large_case_is_searched_and_the_answer_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    """The rows, their files and lines; and less was read for them."""
    folder = written(tmp_path / "case")
    question = f"SELECT _artifact, _line, * EXCLUDE (_text) FROM alb_access WHERE {sql} ORDER BY ALL"
    with api.query(folder, question, cache=tmp_path / "whole") as answer:
        whole = list(answer.rows)
    assert whole
    monkeypatch.setattr(case, "WHOLE", 1000)
    monkeypatch.setattr(pick, "SMALL_FILES", 0)
    chosen: list[Asked] = []

    def pays(self: Asked, _: object) -> bool:
        chosen.append(self)
        return True

    monkeypatch.setattr(asked.Asked, "pays", pays)
    with api.query(folder, question, cache=tmp_path / "searched") as answer:
        assert list(answer.rows) == whole
    assert len(chosen) == 1
    assert not list((tmp_path / "searched").glob("*.duckdb"))
    monkeypatch.setattr(asking, "ask", lambda opened, *_: opened.value("SELECT count(*) FROM alb_access"))
    with api.query(folder, question, cache=tmp_path / "searched") as count:
        assert len(whole) <= count < 1200  # type: ignore[operator] # the answer is a number here


def test_a_search_that_finds_most_lines_is_not_made(tmp_path: Path) -> None:
    """Reading whole files is faster then."""
    folder = written(tmp_path / "case")
    parts = [part for _, own in pick.look_at(walk(folder), Settings()) for part in own]
    assert Asked("alb_access", (("status", (503,)),)).pays(parts)
    assert not Asked("alb_access", (("status", (200,)),)).pays(parts)
    assert not Asked("alb_access", (("method", ("GE",)),)).pays(parts)
    assert not Asked("s3_access", (("status", (503,)),)).pays(parts)


def test_a_server_beside_logs_of_aws_is_read_whole(tmp_path: Path) -> None:
    """Its clock is compared with all requests of theirs: by those that were searched for alone, none would be found to be off."""
    folder = tmp_path / "case"
    folder.mkdir()
    line = '10.0.1.7 - - [06/Feb/2025:14:32:{:02} +0900] "GET /a/{} HTTP/1.1" 200 5 "-" "Mozilla/5.0"'
    (folder / "access.log").write_text("\n".join(line.format(number % 60, number) for number in range(600)) + "\n")
    question = Asked("nginx_access", (("status", (503,)),))

    def pays() -> bool:
        return question.pays([part for _, own in pick.look_at(walk(folder), Settings()) for part in own])

    assert pays()
    (folder / "alb.log").write_text((FOLDER / "alb_access" / "normal.log").read_text())
    assert not pays()
