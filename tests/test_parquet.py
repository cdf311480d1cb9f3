"""Parquet files: each row is a line of JSON, for every format and every mechanism of the store."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from kyumei.model.window import Window
from kyumei.store import case as case_module
from kyumei.store import parquet_rows, pick
from kyumei.store.case import Case, open_case
from kyumei.store.cite import cite
from kyumei.store.parquet_rows import rows_as_lines
from kyumei.store.unpack import members
from kyumei.store.walk import artifact_at, quoted_path

if TYPE_CHECKING:
    from pathlib import Path

FLOWS = """SELECT 5::INTEGER AS version, '123456789012' AS account_id, 'eni-0a1b' AS interface_id, '203.0.113.' || (i % 250) AS srcaddr,
    CASE WHEN i % 7 = 0 THEN NULL ELSE '10.0.1.5' END AS dstaddr, 49152::INTEGER AS srcport, 443::INTEGER AS dstport,
    6::INTEGER AS protocol,
    20::BIGINT AS packets, i::BIGINT AS bytes, (1738819800 + i)::BIGINT AS start, (1738819860 + i)::BIGINT AS "end", 'ACCEPT' AS action,
    'OK' AS log_status, 'vpc-0a1b' AS vpc_id, 'ingress' AS flow_direction, NULL::INTEGER AS traffic_path FROM range({rows}) t(i)"""
REQUESTS = """SELECT '2025-02-06' AS date, '05:32:1' || (i % 10) AS time, 'NRT57-C1' AS x_edge_location, '1024' AS sc_bytes,
    '192.0.2.9' AS c_ip,
    'GET' AS cs_method, 'd111111abcdef8.cloudfront.net' AS cs_host, '/a%2520b' AS cs_uri_stem, '502' AS sc_status, '-' AS cs_referer,
    'curl/8%20x' AS cs_user_agent, 'id' || i AS x_edge_request_id, '0.001' AS time_taken, 'www.example.com' AS x_host_header,
    NULL::VARCHAR AS cs_uri_query FROM range({rows}) t(i)"""


def write(path: Path, select: str, options: str = "") -> None:
    """Write the rows of a query to a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name("scratch.parquet")
    duckdb.connect().execute(f"COPY ({select}) TO '{scratch}' (FORMAT parquet{options})")
    scratch.rename(path)


def opened(root: Path, window: Window | None = None) -> Case:
    """The case, read anew."""
    return open_case(root / "case", window, lambda *_: None, lambda _: (), cache=root / "cache")


def lines(path: Path) -> list[Any]:
    """The rows of a file as JSON values."""
    return [json.loads(line) for line in b"".join(rows_as_lines(path)).split(b"\n")[:-1]]


def test_rows_are_read_by_their_formats(tmp_path: Path) -> None:
    """Flows and requests, wherever the file lies; a row is cited by its number."""
    root = tmp_path / "case"
    write(root / "flows.log.parquet", FLOWS.format(rows=9000))
    write(root / "requests.parquet", REQUESTS.format(rows=100))
    packed = (root / "requests.parquet").read_bytes()
    (root / "requests.parquet.gz").write_bytes(gzip.compress(packed))
    (root / "od[d]*{name}?.parquet").write_bytes(packed)
    with zipfile.ZipFile(root / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/requests.parquet", packed)
    case = opened(tmp_path)
    assert case.value("SELECT count(*) FROM unread") == 0
    assert [row["trouble"] for row in case.rows("SELECT DISTINCT trouble FROM artifacts")] == [""]
    flow = case.rows("SELECT * FROM vpc_flow WHERE _line = 9")[0]
    shown = {name: value for name, value in flow.items() if value is not None and not name.startswith("_")}
    assert shown == {
        "version": 5,
        "account": "123456789012",
        "interface": "eni-0a1b",
        "src_ip": "203.0.113.8",
        "dst_ip": "10.0.1.5",
        "vpc": "vpc-0a1b",
        "src_port": 49152,
        "dst_port": 443,
        "protocol": 6,
        "packets": 20,
        "bytes": 8,
        "action": "ACCEPT",
        "log_status": "OK",
        "flow_direction": "ingress",
        "time": datetime(2025, 2, 6, 5, 30, 8),  # noqa: DTZ001 - rows hold naive UTC
        "end_time": datetime(2025, 2, 6, 5, 31, 8),  # noqa: DTZ001 - rows hold naive UTC
    }
    assert flow["_extra"] is None
    assert case.value("SELECT count(*) FROM vpc_flow") == 9000
    citation = cite(case, flow)
    assert (citation.file, citation.line) == ("flows.log.parquet", 9)
    assert json.loads(citation.text)["bytes"] == 8
    found = case.rows(
        "SELECT _artifact, count(*) AS n, any_value(path) AS path, any_value(user_agent) AS agent FROM cloudfront_access GROUP BY 1"
    )
    assert [(row["n"], row["path"], row["agent"]) for row in found] == [(100, "/a%20b", "curl/8 x")] * 4
    request = case.rows("SELECT * FROM cloudfront_access LIMIT 1")[0]
    assert (request["status"], request["host"], request["distribution"]) == (502, "www.example.com", "d111111abcdef8.cloudfront.net")
    assert (request["query"], request["referrer"], request["edge_location"], request["sent_bytes"]) == (None, None, "NRT57-C1", 1024)


def test_window_reads_the_rows_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large case, as of any log; the numbers of the rows stay."""
    monkeypatch.setattr(case_module, "WHOLE", 1)
    monkeypatch.setattr(pick, "SMALL_FILE", 1)
    write(tmp_path / "case" / "flows.parquet", FLOWS.format(rows=50_000))
    case = opened(tmp_path, Window(datetime(2025, 2, 6, 12, 30, tzinfo=UTC), datetime(2025, 2, 6, 12, 35, tzinfo=UTC)))
    assert not case.whole
    rows = case.rows("SELECT _line, bytes FROM vpc_flow WHERE time >= '2025-02-06 12:30' AND time < '2025-02-06 12:35'")
    assert len(rows) == 300
    assert all(row["_line"] == row["bytes"] + 1 for row in rows)
    assert case.value("SELECT count(*) FROM vpc_flow") < 10_000


def test_any_table_is_json(tmp_path: Path) -> None:
    """Times, lists, objects, bytes, numbers and nulls; a line break in a text makes no line."""
    write(
        tmp_path / "any.parquet",
        """SELECT 'a' || chr(10) || '"b"' AS text, 'plain'::BLOB AS bytes, '\\xff\\xfe'::BLOB AS no_text, DATE '2025-02-06' AS day,
        TIMESTAMPTZ '2025-02-06 14:32:10.5+09' AS at, {'a': [1, 2], 'b': NULL} AS inner, 1.50::DECIMAL(9, 2) AS exact, MAP {'k': 1} AS map,
        NULL AS nothing, true AS yes, 9007199254740993 AS large, 'x' AS "odd ""name" """,
    )
    (row,) = lines(tmp_path / "any.parquet")
    assert row == {
        "text": 'a\n"b"',
        "bytes": "plain",
        "no_text": "\\xFF\\xFE",
        "day": "2025-02-06",
        "at": "2025-02-06 05:32:10.5+00",
        "inner": {"a": [1, 2], "b": None},
        "exact": 1.5,
        "map": {"k": 1},
        "nothing": None,
        "yes": True,
        "large": 9007199254740993,
        'odd "name': "x",
    }


def test_empty_table_has_no_lines(tmp_path: Path) -> None:
    """And nothing is wrong with it."""
    write(tmp_path / "case" / "none.parquet", "SELECT 1 AS a WHERE false")
    write(tmp_path / "case" / "one.parquet", FLOWS.format(rows=1))
    case = opened(tmp_path)
    assert [(row["shape"], row["trouble"]) for row in case.rows("SELECT shape, trouble FROM artifacts ORDER BY artifact")] == [
        ("empty", ""),
        ("lines", ""),
    ]


def read(path: Path) -> tuple[bytes, str]:
    """What the store is given of a file, and its trouble."""
    ((_, _, stream),) = members(artifact_at(quoted_path(path)))
    return b"".join(stream.chunks()), stream.trouble


def test_broken_file_says_so(tmp_path: Path) -> None:
    """Cut off, encrypted, or damaged in its second half, of which the first is read; no path of a temporary folder is told."""
    path = tmp_path / "flows.parquet"
    write(path, FLOWS.format(rows=40_000), ", ROW_GROUP_SIZE 4096")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert read(path) == (
        b"",
        "breaks off after 0 bytes of text (the Parquet file is cut off: its end, which holds the table of contents, is missing)",
    )
    path.write_bytes(b"PARE" + whole[4:-4] + b"PARE")
    assert read(path) == (b"", "an encrypted Parquet file is not read")
    half = len(whole) // 2
    path.write_bytes(whole[:half] + b"\xff" * 5000 + whole[half + 5000 :])
    text, trouble = read(path)
    assert 0 < text.count(b"\n") < 40_000
    assert text.endswith(b"\n")
    assert trouble.startswith(f"breaks off after {len(text)} bytes of text (the Parquet file is damaged: ")
    assert str(tmp_path) not in trouble
    packed = tmp_path / "flows.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read(packed)[0] == text
    assert "kyumei-" not in read(packed)[1]


def test_inner_file_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies inside another file is laid down to be read, but not without an end."""
    monkeypatch.setattr(parquet_rows, "MAX_INNER", 1000)
    write(tmp_path / "flows.parquet", FLOWS.format(rows=1000))
    packed = tmp_path / "flows.parquet.gz"
    packed.write_bytes(gzip.compress((tmp_path / "flows.parquet").read_bytes()))
    text, trouble = read(packed)
    assert text == b""
    assert "more than 1000 bytes inside another file" in trouble


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_raise_nothing(tmp_path: Path, seed: int) -> None:
    """Whatever the bytes are: whole lines, or a trouble."""
    chance = Random(seed)  # noqa: S311 - repeatable damage, no secret
    path = tmp_path / "flows.parquet"
    write(path, FLOWS.format(rows=300), f", CODEC {chance.choice(['snappy', 'zstd', 'gzip', 'uncompressed'])}, ROW_GROUP_SIZE 100")
    raw = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 10)):
        at = chance.randrange(4, len(raw) - 4)
        raw[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
    path.write_bytes(raw)
    text, trouble = read(path)
    assert text.endswith(b"\n") or (text == b"" and trouble)
    assert all(isinstance(json.loads(line), dict) for line in text.split(b"\n")[:-1])
