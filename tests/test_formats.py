"""Every format against its golden folder: ``tests/formats/<name>/*.log`` with the expected rows beside it as ``.jsonl``.

A row is column to value, missing columns left out, times as ISO text with a Z, with ``_line`` for the line on which the record starts and
``_naive`` where it is not 0. A record that cannot be read is ``{"_line": n, "_unread": why}``. The exact reader must answer just that; the
bulk reader must equal the exact one on every golden record, and on damaged ones. A format without a folder fails, as does a log without
its rows or rows without their log.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei import discover
from kyumei.contracts import Refused, Select
from kyumei.model.table import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Format

FOLDER = Path(__file__).parent / "formats"
FORMATS = sorted(discover.formats())
LOGS = sorted(FOLDER.glob("*/*.log"))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@cache
def records(path: Path) -> tuple[tuple[int, str], ...]:
    """The records of a log with the line on which each starts: lines joined from one head to the next, blank lines left out."""
    text = path.read_bytes().decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    layout = discover.formats()[path.parent.name].layout
    head, lead = layout.head, getattr(layout, "lead", None)
    if head is None:
        return tuple((number, line) for number, line in enumerate(lines, 1) if line.strip())
    found: list[tuple[int, list[str]]] = []
    led = False
    for number, line in enumerate(lines, 1):
        if not found or (re.match(head, line, re.ASCII) and not led):
            found.append((number, [line]))
        else:
            found[-1][1].append(line)
        led = lead is not None and re.match(lead, line, re.ASCII) is not None
    return tuple((number, "\n".join(lines).rstrip("\n")) for number, lines in found if "".join(lines).strip())


def shown(leaf: Format, line: int, answer: dict[str, Any] | Refused) -> dict[str, Any]:
    """What a reader answers, as a golden row."""
    if isinstance(answer, Refused):
        return {"_line": line, "_unread": answer.why}
    row: dict[str, Any] = {"_line": line}
    for name in ("_naive", *(column.name for column in leaf.table.columns), "_extra"):
        value = plain(answer.get(name), name == "_extra" or (name in leaf.table and leaf.table[name].kind is Kind.JSON))
        if value is not None and (name != "_naive" or value != 0):
            row[name] = value
    return row


def plain(value: Any, as_json: bool) -> Any:  # noqa: ANN401, FBT001 - any value of a row, and a word would be longer
    """A value as JSON holds it."""
    if isinstance(value, datetime):
        assert value.tzinfo is None, "readers answer naive times"
        return value.isoformat() + "Z"
    if as_json and isinstance(value, str):
        return json.loads(value)
    return json.loads(json.dumps(value)) if isinstance(value, (dict, list, tuple)) else value


@cache
def connection() -> duckdb.DuckDBPyConnection:
    """A database whose session keeps a zone that no answer may depend on."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'Asia/Tokyo'; SET threads = 1")
    return con


def in_bulk(leaf: Format, texts: Sequence[str], sample: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What the bulk reader, made for the sample, answers for the texts, in their order."""
    con = connection()
    con.execute("CREATE OR REPLACE TEMP TABLE records (_artifact INTEGER, _line BIGINT, text VARCHAR)")
    con.execute("INSERT INTO records SELECT 7, unnest(?::BIGINT[]), unnest(?::VARCHAR[])", [list(range(len(texts))), list(texts)])
    select = leaf.layout.bulk("records", sample)
    found = con.execute(f"SELECT * FROM ({select}) ORDER BY _line")
    names = [column[0] for column in found.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    unfilled = select.unfilled if isinstance(select, Select) else ()
    assert not {name for row in rows for name in unfilled if row[name] is not None}, "filled, although the bulk reader says it is not"
    return rows


def assert_equal(leaf: Format, texts: Sequence[str], sample: Sequence[str] = ()) -> int:
    """Hold the bulk reader, made for the sample, against the exact one; answers how many records it read."""
    sure = 0
    texts = [text for text in texts if not _unstorable(text)]
    bulk = in_bulk(leaf, texts, sample)
    assert [row["_line"] for row in bulk] == list(range(len(texts))), "the bulk reader answers each record once"
    for row, text in zip(bulk, texts, strict=True):
        answer = leaf.layout.read(text)
        assert isinstance(answer, (dict, Refused))
        if row["_ok"]:
            sure += 1
            assert row["_artifact"] == 7
            assert not isinstance(answer, Refused), f"only the bulk reader reads {text!r}"
            assert shown(leaf, 1, row | {"_line": 1}) == shown(leaf, 1, answer), text
    return sure


def _unstorable(text: str) -> bool:
    """Whether the text holds a byte that is no UTF-8, which the store never hands to a bulk reader."""
    return any("\ud800" <= character <= "\udfff" for character in text)


@pytest.mark.parametrize("name", FORMATS)
def test_format_has_golden_pairs(name: str) -> None:
    """Each format has a folder with at least one log, and each log its rows."""
    logs = {path.stem for path in (FOLDER / name).glob("*.log")}
    rows = {path.stem for path in (FOLDER / name).glob("*.jsonl")}
    assert logs, f"tests/formats/{name} holds no log"
    assert logs == rows


def test_golden_folders_belong_to_formats() -> None:
    """No folder is left behind by a format that was renamed."""
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == FORMATS


@pytest.mark.parametrize("path", LOGS, ids=_name)
def test_exact_reader_answers_golden_rows(path: Path, update_golden: bool) -> None:  # noqa: FBT001 - a fixture
    """The exact reader answers the rows beside the log."""
    leaf = discover.formats()[path.parent.name]
    found = [shown(leaf, line, leaf.layout.read(text)) for line, text in records(path)]
    golden = path.with_suffix(".jsonl")
    if update_golden:
        golden.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found), "utf-8")
    expected = [json.loads(line) for line in golden.read_text("utf-8").split("\n") if line.strip()]
    assert found == expected


@pytest.mark.parametrize("path", LOGS, ids=_name)
def test_rows_have_a_value_for_every_column(path: Path) -> None:
    """A row names every column of the table and ``_naive``, and nothing that is not a column."""
    leaf = discover.formats()[path.parent.name]
    names = {column.name for column in leaf.table.columns}
    for _, text in records(path):
        answer = leaf.layout.read(text)
        if not isinstance(answer, Refused):
            assert set(answer) - {"_naive", "_extra"} <= names
            assert answer["_naive"] in {0, 1, 2}


@pytest.mark.parametrize("name", FORMATS)
def test_bulk_reader_equals_exact_reader(name: str) -> None:
    """On every golden record; and it does read some of them."""
    leaf = discover.formats()[name]
    texts = [text for path in sorted((FOLDER / name).glob("*.log")) for _, text in records(path)]
    assert assert_equal(leaf, texts) > 0


@pytest.mark.parametrize("path", LOGS, ids=_name)
def test_bulk_reader_made_for_one_log_equals_exact_reader_on_all(path: Path) -> None:
    """A sample leaves shapes out, and never makes another row; what it shows itself is read as without it."""
    leaf = discover.formats()[path.parent.name]
    own = [text for _, text in records(path) if not _unstorable(text)]
    others = [text for other in sorted(path.parent.glob("*.log")) if other != path for _, text in records(other)]
    assert_equal(leaf, [*own, *others], own)
    if any(row["_ok"] for row in in_bulk(leaf, own)):
        assert any(row["_ok"] for row in in_bulk(leaf, own, own))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sampled", [False, True])
def test_bulk_columns_are_those_of_the_contract(name: str, sampled: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Lineage first, then the table's columns in order with their kinds, then ``_ok``."""
    leaf = discover.formats()[name]
    texts = [text for _, text in records(next(path for path in LOGS if path.parent.name == name))]
    in_bulk(leaf, ["x"])
    described = connection().execute(f"DESCRIBE {leaf.layout.bulk('records', texts if sampled else ())}").fetchall()
    assert [row[0] for row in described] == [
        "_artifact",
        "_line",
        "_naive",
        "_extra",
        *(column.name for column in leaf.table.columns),
        "_ok",
    ]
    assert [row[1] for row in described][4:-1] == [str(column.kind) for column in leaf.table.columns]


PIECES = [
    "",
    " ",
    "  ",
    "-",
    '"',
    '" "',
    '\\"',
    "\\\\",
    "\\x22",
    "[",
    "]",
    "] ",
    "{",
    "}",
    ":",
    ",",
    ", ",
    "=",
    "0",
    "-1",
    "1e5",
    "\t",
    "\x00",
    "\u2028",
    "é",
    "日本",
    "\r",
]


def damaged(chance: Random, texts: Sequence[str]) -> str:
    """A golden record with pieces cut out, doubled, swapped for another's, or replaced."""
    text = chance.choice(texts)[:2000]
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(text))
        end = start + chance.choice([0, 1, 1, 2, 5, 20, 200])
        other = chance.choice(texts)
        there = chance.randint(0, len(other))
        match chance.choice(["cut", "double", "other", "piece", "piece", "end"]):
            case "cut":
                text = text[:start] + text[end:]
            case "double":
                text = text[:end] + text[start:]
            case "other":
                text = text[:start] + other[there : there + 30] + text[end:]
            case "piece":
                text = text[:start] + chance.choice(PIECES) + text[end:]
            case _:
                text = text[:start]
    return text


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_bulk_reader_equals_exact_reader_on_damaged_records(name: str, seed: int) -> None:
    """Neither reader raises, and where the bulk reader is sure they agree."""
    chance = Random(seed)  # noqa: S311 - repeatable damage, no secret
    leaf = discover.formats()[name]
    texts = [text for path in sorted((FOLDER / name).glob("*.log")) for _, text in records(path) if not _unstorable(text)]
    broken = [damaged(chance, texts) for _ in range(100)]
    assert_equal(leaf, broken)
    assert_equal(leaf, broken, chance.sample(texts, min(3, len(texts))))


@pytest.mark.parametrize("path", LOGS, ids=_name)
def test_no_other_format_claims_a_record(path: Path) -> None:
    """What a format reads in its own golden files, no other format claims."""
    leaf = discover.formats()[path.parent.name]
    for line, text in records(path):
        if not isinstance(leaf.layout.read(text), Refused):
            claims = [name for name, other in discover.formats().items() if other.sniff(text, f"{path.parent.name}/{path.name}")]
            assert set(claims) <= {leaf.name, *leaf.adopts}, f"{path.name}:{line}"


@pytest.mark.parametrize("name", FORMATS)
def test_format_claims_its_own_records(name: str) -> None:
    """A format recognises records of its own golden files."""
    leaf = discover.formats()[name]
    assert any(leaf.sniff(text, f"{name}/{path.name}") for path in (FOLDER / name).glob("*.log") for _, text in records(path))
