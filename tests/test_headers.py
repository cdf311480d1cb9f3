"""Header lines in the middle of the store: no records, never unread, and what they say of the lines below holds."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from kyumei.model.window import Window
from kyumei.store import bulk_rows, pick
from kyumei.store import case as case_module
from kyumei.store.case import open_case
from tests import ledger

if TYPE_CHECKING:
    from pathlib import Path

CHOSEN = "#Version: 1.0\n#Fields: date time sc-status x-edge-request-id\n"
OTHER = "#Fields: time date x-edge-request-id sc-status\n"


@pytest.mark.parametrize("bulk", [1, 10_000])
@pytest.mark.parametrize("windowed", [False, True])
def test_header_governs_the_lines_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bulk: int, windowed: bool) -> None:  # noqa: FBT001 - a parameter
    """Until the next header in the same file, whichever reader reads, and whether all of the file is taken or the lines around a window."""
    monkeypatch.setattr(bulk_rows, "BULK_ROWS", bulk)
    monkeypatch.setattr(case_module, "WHOLE", 1)
    monkeypatch.setattr(pick, "SMALL_FILE", 1, raising=False)
    root = tmp_path / "case"
    root.mkdir()
    lines = [f"2025-02-06\t05:{n // 60:02}:{n % 60:02}\t200\tone{n}" for n in range(3000)]
    more = [f"05:{n // 60:02}:{n % 60:02}\t2025-02-06\ttwo{n}\t502" for n in range(3000)]
    content = CHOSEN + "\n".join(lines) + "\n" + OTHER + "\n".join(more) + "\nbroken\n"
    (root / "a.log").write_text(content)
    (root / "b.log.gz").write_bytes(gzip.compress((CHOSEN + lines[700] + "\n").encode()))
    window = Window(datetime(2025, 2, 6, 5, 10, tzinfo=UTC), datetime(2025, 2, 6, 5, 20, tzinfo=UTC)) if windowed else None
    case = open_case(root, window, lambda *_: None, lambda _: (), cache=tmp_path / "cache")
    found = case.rows(
        "SELECT status, count(*) AS n, bool_and(starts_with(request_id, CASE WHEN status = 200 THEN 'one' ELSE 'two' END)) AS sound "
        "FROM cloudfront_access WHERE time >= '2025-02-06 05:10' AND time < '2025-02-06 05:20' GROUP BY 1 ORDER BY 1"
    )
    assert [(row["status"], row["n"], row["sound"]) for row in found] == [(200, 601, True), (502, 600, True)]
    assert case.value("SELECT count(*) FROM headers") == 5
    if not windowed:
        assert case.value("SELECT count(*) FROM unread") == 1
        assert list(ledger.faults(case, {"a.log": content.encode()}, 10**6)) == []
