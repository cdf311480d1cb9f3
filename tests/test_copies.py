"""No request counts twice: a rotation that was copied too early, a log and its export of other hours; two hosts are not one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.api import investigate

if TYPE_CHECKING:
    from pathlib import Path

    from kyumei.model.finding import Investigation

NOW = datetime(2025, 3, 20, tzinfo=UTC)
START = datetime(2025, 3, 11, 1, 0, tzinfo=UTC)
FAILING = range(150, 170)
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36"


def _lines(host: int = 0) -> list[tuple[datetime, str]]:
    """Requests of one host's log, one every ten seconds."""
    found = []
    for number in range(400):
        moment = START + timedelta(seconds=10 * number)
        status, path = (502, "/orders") if number in FAILING else (200, f"/items/{(number * 7 + host) % 90}")
        client = f"203.0.113.{number % 200 + 1 + host}"
        found.append((moment, f'{client} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" {status} {300 + host} "-" "{AGENT}"'))
    return found


def _write(path: Path, lines: list[tuple[datetime, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(line for _, line in lines) + "\n", encoding="utf-8")


def _errors(folder: Path) -> None:
    """What nginx said of each of the failing requests."""
    lines = []
    for number in FAILING:
        moment = START + timedelta(seconds=10 * number)
        text = (
            f"{moment:%Y/%m/%d %H:%M:%S} [error] 7#7: *{number} connect() failed (111: Connection refused) while connecting to upstream, "
            f'client: 203.0.113.{number % 200 + 1}, server: a, request: "GET /orders HTTP/1.1", upstream: "http://127.0.0.1:8000/orders"'
        )
        lines.append((moment, text))
    _write(folder / "web1" / "error.log", lines)


def _answer(folder: Path) -> Investigation:
    return investigate(folder, "502 on /orders at 2025-03-11 01:27 UTC", now=NOW, cache=folder.parent / "cache")


def _requests(answer: Investigation) -> int:
    assert answer.findings
    assert answer.findings[0].impact is not None
    return answer.findings[0].impact.requests


def test_a_rotation_that_shares_lines_with_what_follows(tmp_path: Path) -> None:
    """``access.log.1`` was copied while the lines still stood in ``access.log``."""
    folder, lines = tmp_path / "case", _lines()
    _write(folder / "web1" / "access.log.1", lines[:260])
    _write(folder / "web1" / "access.log", lines[100:])
    _errors(folder)
    answer = _answer(folder)
    assert _requests(answer) == len(FAILING)
    assert any("partly repeats what stands in" in note for note in answer.notes)
    assert answer.findings[0].impact is not None
    assert "AND NOT (_artifact = " in answer.findings[0].impact.sql


def test_a_log_and_its_export_of_other_hours(tmp_path: Path) -> None:
    """Taken from the host and from CloudWatch Logs."""
    folder, lines = tmp_path / "case", _lines()
    _write(folder / "web1" / "access.log", lines[120:])
    events = [
        {"logStreamName": "i-0", "timestamp": int(time.timestamp() * 1000), "message": line, "ingestionTime": 0, "eventId": str(number)}
        for number, (time, line) in enumerate(lines[:300])
    ]
    path = folder / "aws" / "logs" / "filter-log-events.%2Fweb%2Faccess.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"events": events}), encoding="utf-8")
    _errors(folder)
    assert _requests(_answer(folder)) == len(FAILING)


def test_a_whole_copy_counts_once(tmp_path: Path) -> None:
    """How much a failure did is counted without the copy, too."""
    folder, lines = tmp_path / "case", _lines()
    _write(folder / "web1" / "access.log", lines)
    _write(folder / "backup" / "access.log", lines)
    _errors(folder)
    assert _requests(_answer(folder)) == len(FAILING)


@pytest.mark.parametrize("shared", [0, 90], ids=["nothing alike", "checks alike"])
def test_two_hosts_stay_two(tmp_path: Path, shared: int) -> None:
    """Their logs go over the same time, and a check that comes to both writes the same line in both."""
    folder = tmp_path / "case"
    check = [(START + timedelta(seconds=30 * number + 3), number) for number in range(shared)]
    checks = [
        (time, f'10.0.1.5 - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "GET /health HTTP/1.1" 200 2 "-" "ELB-HealthChecker/2.0"')
        for time, _ in check
    ]
    for host in (0, 1):
        _write(folder / f"web{host + 1}" / "access.log", sorted(_lines(host)[40 * host :] + checks))
    _errors(folder)
    assert _requests(_answer(folder)) == 2 * len(FAILING)
