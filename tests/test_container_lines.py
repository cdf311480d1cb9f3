"""Lines of a container runtime, whole and cut into pieces, and years that nobody writes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from kyumei import api
from tests.asking import rows_of

if TYPE_CHECKING:
    from pathlib import Path

ACCESS = '203.0.113.9 - - [06/Feb/2025:05:32:10 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8.5.0"'


def _container(tmp_path: Path, *lines: str) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    text = "".join(f"2025-02-06T05:32:10.{number:03}456789Z {line}\n" for number, line in enumerate(lines))
    (folder / "0.log").write_text(text, "utf-8")
    return folder


def test_pieces_are_joined(tmp_path: Path) -> None:
    """Each stream for itself; a last piece that never came is kept as it is."""
    folder = _container(
        tmp_path,
        'stdout F {"level":"error","msg":"a"}',
        'stdout P {"level":"error",',
        'stderr P {"level":"info","ms',
        'stdout P "msg":',
        'stdout F "b"}',
        'stderr F g":"c"}',
        'stdout P {"cut":',
    )
    assert rows_of(folder, "SELECT _line, _span, message FROM json_lines ORDER BY 1") == [(1, 1, "a"), (2, 3, "b"), (3, 2, "c")]
    assert [(one["line"], one["text"]) for one in api.unread(folder, cache=tmp_path / "cache")] == [(7, '{"cut":')]


def test_what_is_inside_goes_where_it_belongs(tmp_path: Path) -> None:
    """An access line behind a container's time is nginx's, with the client's address and no other."""
    folder = _container(tmp_path, f"stdout F {ACCESS}", "stderr F [2025-02-06 05:32:10 +0000] [12] [INFO] Booting worker")
    assert rows_of(folder, "SELECT client_ip, status FROM nginx_access") == [("203.0.113.9", 200)]
    assert rows_of(folder, "SELECT pid, message FROM app_log") == [(12, "Booting worker")]


@pytest.mark.parametrize(("written", "year"), [("Nov 20", 2024), ("Nov 22", 2024), ("May  1", 2024), ("Dec 31", 2023)])
def test_no_row_is_after_its_file(tmp_path: Path, written: str, year: int) -> None:
    """Where only the file's own time tells the year, it is that of the last such day before; a day of grace is for zones."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "messages").write_text(f"{written} 05:32:10 web1 app[7]: started\n", "utf-8")
    changed = datetime(2024, 11, 21, 12, tzinfo=UTC).timestamp()
    os.utime(folder / "messages", (changed, changed))
    assert rows_of(folder, "SELECT year(time) FROM syslog") == [(year,)]
