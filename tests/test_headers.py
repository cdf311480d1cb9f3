"""Header lines in the middle of the store: no records, never unread, and what they say of the lines below holds."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from kyumei.model.window import Window
from kyumei.store import bulk_rows, pick
from kyumei.store import case as case_module
from kyumei.store.case import open_case
from tests import ledger

if TYPE_CHECKING:
    from collections.abc import Callable
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


FLOWS = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
OPENED = (
    "/rdsdbbin/mysql/bin/mysqld, Version: 8.0.35 (Source distribution). started with:\n"
    "Tcp port: 3306  Unix socket: /tmp/mysql.sock\nTime                 Id Command    Argument\n"
)
QUERY = "2025-02-06T05:32:10.123456Z\t    8 Query\tSELECT 1\n"


def _events(text: str, indent: int | None) -> str:
    events = [{"timestamp": 1738819930000, "message": line, "logStreamName": "db"} for line in text.splitlines()]
    return json.dumps({"events": events}, indent=indent)


def _console(text: str) -> str:
    return "timestamp,message\n" + "".join(f'1738819930000,"{line}"\n' for line in text.splitlines())


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "lines": str,
    "one line": partial(_events, indent=None),
    "events": partial(_events, indent=1),
    "console": _console,
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("text", [CHOSEN, FLOWS, OPENED, OPENED + QUERY], ids=["CloudFront", "flows", "MySQL", "MySQL with a query"])
def test_header_in_a_wrapping(tmp_path: Path, wrapping: str, text: str) -> None:
    """A log that was opened and into which nothing was written is no line that cannot be read, whatever it lies in."""
    root = tmp_path / "case"
    root.mkdir()
    (root / "a.log").write_text(WRAPPINGS[wrapping](text), "utf-8")
    case = open_case(root, None, lambda *_: None, lambda _: (), cache=tmp_path / "cache")
    assert case.rows("SELECT text, why FROM unread") == []
    assert case.value("SELECT count(*) FROM headers") == text.count("\n") - text.count("Query")
    assert case.value("SELECT count(*) FROM mysql_general") == text.count("Query")
    case.close()


def test_line_that_begins_like_a_header_among_others(tmp_path: Path) -> None:
    """A file that is not understood is shown as it is, all of it."""
    root = tmp_path / "case"
    root.mkdir()
    (root / "a.log").write_text("Tcp port: 80\nsomething else\n", "utf-8")
    case = open_case(root, None, lambda *_: None, lambda _: (), cache=tmp_path / "cache")
    assert case.value("SELECT count(*) FROM unread") == 2
    case.close()
