"""Questions in SQL: what is answered and in which form, and that a question reads nothing but the case and changes nothing."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from threading import Event
from time import sleep
from typing import TYPE_CHECKING

import pytest

from kyumei import api
from kyumei.cli.main import main
from kyumei.errors import QueryError
from kyumei.store import case

if TYPE_CHECKING:
    from pathlib import Path

NGINX = """\
10.0.1.7 - - [06/Feb/2025:14:32:10 +0900] "GET /a HTTP/1.1" 200 5 "-" "Mozilla/5.0"
10.0.1.7 - - [06/Feb/2025:14:32:11 +0900] "GET /b HTTP/1.1" 404 7 "-" "\x1b[31mred,\"quoted\""
no line of any log
10.0.1.8 - - [06/Feb/2025:14:32:12 +0900] "GET /a HTTP/1.1" 200 9 "-" "curl/8"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one small log, and a file beside it that is nobody's business."""
    case = tmp_path / "case"
    case.mkdir()
    (case / "access.log").write_text(NGINX)
    (tmp_path / "secret.csv").write_text("password\nhunter2\n")
    return case


def ask(folder: Path, sql: str, *options: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of the verb."""
    code = main(["query", "--sql", sql, str(folder), "--cache", str(folder.parent / "cache"), *options])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_rows_carry_the_line_they_came_from(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file's name is one join away."""
    sql = "SELECT a.name, _line, t.path, status FROM nginx_access t JOIN artifacts a ON a.artifact = _artifact ORDER BY _line"
    code, out, _ = ask(folder, sql, "--json", capsys=capsys)
    assert code == 0
    assert [tuple(row.values()) for row in json.loads(out)] == [
        ("access.log", 1, "/a", 200),
        ("access.log", 2, "/b", 404),
        ("access.log", 4, "/a", 200),
    ]
    assert json.loads(ask(folder, "SELECT _line, text FROM unread", "--json", capsys=capsys)[1]) == [
        {"_line": 3, "text": "no line of any log"}
    ]


def test_values_are_said_as_json_knows_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Null is left out, a time is in UTC, a name that stands twice gets a number, what is no number is a word."""
    sql = """SELECT NULL AS nothing, time, 1180591620717411303424::HUGEINT AS big, 'nan'::DOUBLE AS odd, [1, NULL] AS list,
        {'a': DATE '2025-02-06'} AS object, '{"b": [1]}'::JSON AS document, '{"b'::VARCHAR AS text,
        1.50::DECIMAL(5, 2) AS price, INTERVAL 90 SECOND AS span, 'x'::BLOB AS raw,
        1 AS n, 2 AS n, TIMESTAMPTZ '2025-02-06 00:00:00+09' AS zoned FROM nginx_access ORDER BY time LIMIT 1"""
    assert json.loads(ask(folder, sql, "--json", capsys=capsys)[1]) == [
        {
            "time": "2025-02-06T05:32:10Z",
            "big": 1 << 70,
            "odd": "nan",
            "list": [1, None],
            "object": {"a": "2025-02-06"},
            "document": {"b": [1]},
            "text": '{"b',
            "price": 1.5,
            "span": 90.0,
            "raw": "78",
            "n": 1,
            "n_2": 2,
            "zoned": "2025-02-05T15:00:00Z",
        }
    ]


def test_csv_holds_commas_and_quotes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As RFC 4180 has it; null is empty, a list is JSON."""
    sql = "SELECT path, user_agent, referrer, [1, 2] AS list FROM nginx_access WHERE status = 404"
    _, out, _ = ask(folder, sql, "--csv", capsys=capsys)
    assert list(csv.reader(io.StringIO(out))) == [["path", "user_agent", "referrer", "list"], ["/b", '\x1b[31mred,"quoted"', "", "[1, 2]"]]


def test_a_list_obeys_no_escape_sequence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal sees the letters of it."""
    _, out, _ = ask(folder, "SELECT chr(27) || '[31m' AS hostile, status FROM nginx_access ORDER BY _line LIMIT 1", capsys=capsys)
    assert out == "hostile   status\n\\x1b[31m  200\n"


def test_a_slip_in_the_sql_is_answered_with_what_a_question_looks_like(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The columns of a table would not help there."""
    assert "hint: ask one SELECT, such as SELECT" in ask(folder, "SELEC 1", capsys=capsys)[2]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT list(range) FROM range(10000000000)", "ask for fewer rows or columns, or set KYUMEI_MEMORY"),
        ("SELECT ?", "write the values into the question"),
        ("SELECT getenv('HOME')", "a question has the functions of DuckDB itself"),
        ("FROM enable_logging()", "ask its tables"),
        ("PIVOT nginx_access ON status USING count(*)", "name them: PIVOT alb_access ON status IN (200, 502)"),
        ("WITH x AS (DELETE FROM nginx_access RETURNING *) FROM x", "a case is read, never changed"),
    ],
)
def test_a_hint_says_what_may_be_asked(
    folder: Path, sql: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the message gives no advice that a question may not follow."""
    monkeypatch.setenv("KYUMEI_MEMORY", "512MB")
    err = ask(folder, sql, capsys=capsys)[2]
    assert f"hint: {said}" in err
    assert "SET " not in err


def test_what_stands_behind_a_question_is_no_part_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Semicolons and comments, also where the answer holds times with a zone."""
    sql = """SELECT TIMESTAMPTZ '2025-02-06 00:00:00+09' AS "注文;", '; -- ' AS b FROM nginx_access LIMIT 1 ; /* 注文 ; */ ; -- ;"""
    assert json.loads(ask(folder, sql, "--json", capsys=capsys)[1]) == [{"注文;": "2025-02-05T15:00:00Z", "b": "; -- "}]


def test_a_question_as_deep_as_the_database_takes_is_answered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What looks through it for values to search does not get to its ground."""
    sql = f"SELECT count(*) AS n FROM nginx_access WHERE {'NOT (' * 900}status = 200{')' * 900}"
    assert json.loads(ask(folder, sql, "--json", capsys=capsys)[1]) == [{"n": 2}]


def test_numbers_that_json_does_not_know_are_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log may hold them inside its own JSON."""
    sql = """SELECT '{"a": NaN, "b": [1e999, -Infinity], "c": 1.5}'::JSON AS j"""
    assert "NaN," not in (out := ask(folder, sql, "--json", capsys=capsys)[1])
    assert json.loads(out) == [{"j": {"a": "NaN", "b": ["1e999", "-Infinity"], "c": 1.5}}]


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("time > '2025-02-06T14:32:11+09:00'", None),
        ("'2025-02-06 14:32:11 Asia/Tokyo' < time", None),
        ("time BETWEEN TIMESTAMP '2025-02-06 14:32:11+09' AND now()", None),
        ("time IN ('2025-02-06 14:32:11+0900')", None),
        ("true GROUP BY 1 HAVING max(time) > '2025-02-06 14:32:11 JST'", None),
        ("time > '2025-02-06T05:32:11Z'", 1),
        ("time > '2025-02-06 05:32:11+00:00'", 1),
        ("time > '2025-02-06 05:32:11'", 1),
        ("time > TIMESTAMPTZ '2025-02-06T14:32:11+09:00'", 1),
        ("time > '2025-02-06 14:32:11 Asia/Tokyo'::TIMESTAMPTZ", 1),
        ("path <> '2025-02-06T14:32:11+09:00'", 3),
    ],
)
def test_a_time_in_another_zone_is_not_taken_for_one_of_utc(
    folder: Path, condition: str, rows: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database would drop the zone without a word, and the answer would be hours off."""
    code, out, err = ask(folder, f"SELECT _line FROM nginx_access WHERE {condition}", "--json", capsys=capsys)
    assert (code, len(json.loads(out or "[]"))) == ((0, rows) if rows is not None else (2, 0))
    assert ("hint: write TIMESTAMPTZ '2025-02-06" in err) == (rows is None)


def test_no_rows_is_an_answer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In every form."""
    sql = "SELECT path FROM nginx_access WHERE status = 500"
    assert ask(folder, sql, "--json", capsys=capsys)[:2] == (0, "[]\n")
    assert ask(folder, sql, "--csv", capsys=capsys)[:2] == (0, "path\n")
    assert ask(folder, sql, capsys=capsys)[:2] == (0, "path\n")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_blob('{folder}/../cache/*/*')",
        "SELECT * FROM glob('{folder}/../cache/*')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM sniff_csv('{secret}')",
        "SELECT * FROM query('SELECT * FROM read_csv(''{secret}'')')",
        "SELECT * FROM duckdb_secrets()",
        "ATTACH '{folder}/other.duckdb'",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "INSTALL httpfs",
        "LOAD json",
        "SET enable_external_access = true",
        "RESET ALL",
        "PRAGMA enable_profiling",
        "CREATE TABLE mine AS SELECT 1",
        "DELETE FROM nginx_access",
        "EXPLAIN ANALYZE DELETE FROM nginx_access",
        "UPDATE nginx_access SET status = 200",
        "DROP TABLE nginx_access",
        "SELECT 1; DELETE FROM nginx_access",
        "SELECT * FROM folder",
        "SELECT * FROM sql",
        "",
        "  ;  ",
        "-- nothing",
        "SELEC",
        "SELECT * FROM nothing_here",
        "SELECT nothing_here FROM nginx_access",
        "SELECT 1/0 + 'a'::INT FROM nginx_access",
        "SELECT \x00",
        "SELECT \udcff",
        "SELECT * FROM nginx_access WHERE status = " + "9" * 5000,
        "WITH x AS (DELETE FROM nginx_access RETURNING *) FROM x",
        "PIVOT nginx_access ON status USING count(*)",
        "SELECT getenv('HOME')",
        "SELECT ?",
        "FROM enable_logging()",
        "FROM sql_auto_complete('SEL')",
        "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''{secret}'')'))",
        "FROM query_table('{secret}')",
    ],
)
def test_what_is_no_question_about_the_case_is_refused_in_one_line(folder: Path, sql: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No file is read but the case's, nothing is written, and nobody sees a traceback."""
    before = sorted(folder.rglob("*"))
    code, out, err = ask(folder, sql.format(secret=folder.parent / "secret.csv", folder=folder), capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith("kyumei: ")
    assert err.splitlines()[1].startswith("hint: ")
    assert len(err.splitlines()) == 2
    assert "internal error" not in err
    assert "hunter2" not in err
    assert "INSTALL" not in err
    assert sorted(folder.rglob("*")) == before
    assert ask(folder, "SELECT count(*) AS n FROM nginx_access WHERE status = 200", "--json", capsys=capsys)[1] == '[\n{"n": 2}\n]\n'


def test_an_answer_does_not_wait_for_the_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written meanwhile, although the database is shut by then; and whole, once the case is closed."""
    go_on = Event()
    forget = case._forget_oldest  # noqa: SLF001 - the last thing that the thread does
    monkeypatch.setattr(case, "_forget_oldest", lambda found: go_on.wait(60) and forget(found))
    cache = folder.parent / "cache"
    with api.query(folder, "SELECT count(*) FROM nginx_access", cache=cache) as answer:
        assert list(answer.rows) == [(3,)]
        go_on.set()
    assert [path.suffix for path in cache.iterdir()] == [".duckdb"]


def test_options_that_do_not_go_together_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with the value and what to write instead."""
    for options, word in (
        (("--json", "--csv"), "--json and --csv"),
        (("--start", "2025-02-06T05:00:00Z"), "go together"),
        (("--start", "yesterday", "--end", "2025-02-06T05:00:00Z"), "'yesterday'"),
        (("--start", "2025-02-06T05:00:00", "--end", "2025-02-06T06:00:00Z"), "does not say its zone"),
        (("--start", "2025-02-06T06:00:00Z", "--end", "2025-02-06T05:00:00Z"), "lies before"),
    ):
        code, out, err = ask(folder, "SELECT 1", *options, capsys=capsys)
        assert (code, out) == (2, "")
        assert word in err
    assert main(["query", str(folder)]) == 2
    assert "--sql" in capsys.readouterr().err


def test_a_time_keeps_the_rest_of_a_large_log_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what lies around it is in the tables then."""
    monkeypatch.setattr("kyumei.store.case.WHOLE", 1)
    monkeypatch.setattr("kyumei.store.pick.SMALL_FILES", 0)
    line = '10.0.1.7 - - [06/Feb/2025:{:02}:32:10 +0000] "GET /a HTTP/1.1" 200 5 "-" "-"\n'
    (tmp_path / "access.log").write_text("".join(line.format(hour) for hour in range(24)))
    start, end = datetime(2025, 2, 6, 14, 30, tzinfo=UTC), datetime(2025, 2, 6, 14, 35, tzinfo=UTC)
    with api.query(tmp_path, "SELECT hour(time) FROM nginx_access", start=start, end=end, cache=tmp_path / "c") as answer:
        assert list(answer.rows) == [(14,)]


def test_a_question_that_fails_half_way_says_so(folder: Path) -> None:
    """An error of a later row is an error of the question."""
    with pytest.raises(QueryError, match="Conversion"), api.query(folder, "SELECT path::INT FROM nginx_access") as answer:
        list(answer.rows)


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("time AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo'", "2025-02-06T14:32:10"),
        ("max(hour)", "2025-02-06T14:00:00"),
        ("[any_value(hour)]", ["2025-02-06T14:00:00"]),
        ("min(time)", "2025-02-06T05:32:10Z"),
        ("time AT TIME ZONE 'UTC'", "2025-02-06T05:32:10Z"),
        ("TIMESTAMPTZ '2025-02-06 14:32:10+09:00' AT TIME ZONE 'UTC'", "2025-02-06T05:32:10Z"),
        ("TIMESTAMP '2025-02-06 14:32:10' AT TIME ZONE 'Asia/Tokyo'", "2025-02-06T05:32:10Z"),
    ],
)
def test_only_times_in_utc_end_in_z(folder: Path, select: str, expected: object, capsys: pytest.CaptureFixture[str]) -> None:
    """The hour of another zone is shown as the plain time that it is."""
    hours = "SELECT time, date_trunc('hour', time AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo') AS hour FROM nginx_access WHERE path = '/a'"
    code, out, err = ask(folder, f"WITH hours AS ({hours} ORDER BY 1 LIMIT 1) SELECT {select} AS x FROM hours", "--json", capsys=capsys)
    assert (code, err) == (0, "")
    assert [row["x"] for row in json.loads(out)] == [expected]


def test_a_name_given_by_place_may_be_one_of_a_local_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be followed claims no zone."""
    local = "SELECT time AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo' FROM nginx_access LIMIT 1"
    for sql in (f"WITH a(b) AS ({local}) SELECT b FROM a", f"SELECT b FROM ({local}) AS a(b)"):
        assert ask(folder, sql, "--csv", capsys=capsys)[1].splitlines()[1] in {f"2025-02-06T14:32:{second}" for second in (10, 11, 12)}


@pytest.mark.parametrize("told", ["time AT TIME ZONE 'Asia/Tokyo'", "timezone('Asia/Tokyo', max(n.time))"])
def test_a_time_of_the_case_is_none_of_another_zone(folder: Path, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be taken for one, and the answer would be nine hours off: the right spelling is told."""
    code, out, err = ask(folder, f"SELECT {told} FROM nginx_access AS n", capsys=capsys)
    assert (code, out) == (2, "")
    assert "times of a case are in UTC" in err
    assert "AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Tokyo'" in err.splitlines()[1]


def test_a_question_without_end_is_given_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While it is worked out, and between two rows of its answer."""
    for sql in (
        "SELECT count(*) FROM range(1000000) a, range(1000000) b, nginx_access",
        "SELECT a.range FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 1 OR a.range = -b.range - 1",
    ):
        code, _, err = ask(folder, sql, "--timeout", "1", capsys=capsys)
        assert code == 3
        assert err.splitlines()[0] == "kyumei: the question was given up after 1 s"
        assert "--timeout" in err.splitlines()[1]
    assert ask(folder, "SELECT 1 AS n", "--timeout", "0", "--json", capsys=capsys)[1] == '[\n{"n": 1}\n]\n'


def test_showing_an_answer_costs_a_question_no_time(folder: Path) -> None:
    """Whoever reads page by page is not cut off: only the database's own time counts."""
    with api.query(folder, "SELECT range FROM range(5000)", seconds=1, cache=folder.parent / "cache") as answer:
        first = next(answer.rows)
        sleep(1.5)
        assert (first, sum(1 for _ in answer.rows)) == ((0,), 4999)


def test_one_long_cell_does_not_widen_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line of a megabyte would make a megabyte of blanks in every other row."""
    sql = "SELECT CASE n WHEN 7 THEN repeat('x', 3000000) ELSE 'short' END AS text, n FROM range(50) t(n) ORDER BY n"
    code, out, _ = ask(folder, sql, capsys=capsys)
    assert code == 0
    assert len(out) < 3_100_000
    assert [line.split() for line in out.splitlines()] == [
        ["text", "n"],
        *(["x" * 3_000_000 if number == 7 else "short", str(number)] for number in range(50)),
    ]


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_large_rows_are_written_as_small_ones(folder: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever way a row is written, what comes back is what was in it."""
    sql = f"""SELECT repeat('ä', {size}) AS a, 'x"y,z' AS b, NULL AS c, E'1\\n2' AS d, 5 AS e FROM range(3)"""
    row = ["ä" * size, 'x"y,z', "", "1\n2", "5"]
    csv.field_size_limit(3_000_000)
    out = ask(folder, sql, "--csv", capsys=capsys)[1]
    assert list(csv.reader(io.StringIO(out, newline=""))) == [["a", "b", "c", "d", "e"], row, row, row]
    found = json.loads(ask(folder, sql, "--json", capsys=capsys)[1])
    assert found == [{"a": "ä" * size, "b": 'x"y,z', "d": "1\n2", "e": 5}] * 3
