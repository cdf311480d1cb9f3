"""Lines that take the next one into their record, from a file to its rows: MySQL's slow log in all sizes and windows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.model.window import Window
from kyumei.store import case as case_module
from kyumei.store.case import open_case
from kyumei.store.part import Begins
from kyumei.store.sieve import sift

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2025, 2, 6, 5, 0, tzinfo=UTC)
BEGINS = Begins(re.compile(b"# Time: |# User@Host: "), re.compile(b"# Time: "))


def _log(count: int) -> str:
    """Entries ten seconds apart; every third is of the same second as the one before and has no time of its own."""
    found = []
    for number in range(count):
        moment = START + timedelta(seconds=10 * (number - (number % 3 == 2)))
        if number % 3 != 2:
            found.append(f"# Time: {moment:%Y-%m-%dT%H:%M:%S}.000001Z")
        found += [
            f"# User@Host: shop[shop] @  [10.0.1.12]  Id: {number}",
            "# Query_time: 1.5  Lock_time: 0.0 Rows_sent: 1  Rows_examined: 7",
        ]
        found += [f"SET timestamp={int(moment.timestamp())};", "SELECT", f"  {number};"]
    return "\n".join(found) + "\n"


@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("count", [4, 5000])
def test_entries_are_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, windowed: bool) -> None:  # noqa: FBT001 - a parameter
    """One entry is one row with its own time, whether the file is read whole or around a window."""
    monkeypatch.setattr(case_module, "WHOLE", 1000)
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "slow.log").write_text(_log(count), "utf-8")
    window = Window(START, START + timedelta(minutes=10)) if windowed else None
    found = open_case(tmp_path / "case", window, lambda *_: None, lambda _: (), cache=tmp_path / "cache")
    try:
        rows = found.rows("SELECT connection, time, statement, _span FROM mysql_slow ORDER BY connection")
        assert found.value("SELECT count(*) FROM unread") == 0
    finally:
        found.close()
    assert [row["connection"] for row in rows][:4] == [0, 1, 2, 3]
    assert len(rows) == count or (windowed and len(rows) >= 60)
    for row in rows:
        number = row["connection"]
        moment = START.replace(tzinfo=None) + timedelta(seconds=10 * (number - (number % 3 == 2)))
        assert row["time"].replace(microsecond=0) == moment
        assert row["time"].microsecond == (number % 3 != 2)
        assert (row["statement"], row["_span"]) == (f"SELECT\n  {number}", 5 + (number % 3 != 2))


@pytest.mark.parametrize("size", [7, 64, 1000, 100_000])
def test_sieve_keeps_whole_entries(size: int) -> None:
    """However the bytes arrive."""
    text = _log(40).encode()
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    kept = [one.data for one in sift(chunks, (), BEGINS)]
    assert len(kept) == 40
    assert b"\n".join(kept) + b"\n" == text
    assert all(data.count(b"# User@Host: ") == 1 for data in kept)
