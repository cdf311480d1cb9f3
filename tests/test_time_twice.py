"""In the night in which clocks are put back an hour happens twice: nobody can tell which of the two a person means, but the logs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.api import investigate
from kyumei.model.finding import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from kyumei.model.finding import Investigation

NOW = datetime(2025, 10, 27, tzinfo=UTC)
FIRST, SECOND = datetime(2025, 10, 26, 0, 40, tzinfo=UTC), datetime(2025, 10, 26, 1, 40, tzinfo=UTC)
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36"


def _answer(tmp_path: Path, failed: datetime | None, symptom: str) -> Investigation:
    """The answer for a log of that night in which /orders failed from a moment on for a minute."""
    lines = []
    for number in range(6 * 360):
        moment = datetime(2025, 10, 25, 22, 0, tzinfo=UTC) + timedelta(seconds=10 * number)
        status = 403 if failed is not None and failed <= moment < failed + timedelta(minutes=1) else 200
        client = f"203.0.113.{number % 200 + 1}"
        lines.append(f'{client} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET /orders HTTP/1.1" {status} 512 "-" "{AGENT}" ust=-')
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "access.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return investigate(folder, symptom, now=NOW, cache=tmp_path / "cache")


@pytest.mark.parametrize(("failed", "read"), [(FIRST, "first, 00:40Z"), (SECOND, "second, 01:40Z")], ids=["the first", "the second"])
def test_the_hour_in_which_it_failed_is_meant(tmp_path: Path, failed: datetime, read: str) -> None:
    """A healthy first hour does not say that the second one was."""
    answer = _answer(tmp_path, failed, "403 on /orders at 2025-10-26 02:40 Europe/Berlin")
    assert answer.verdict is not Verdict.HEALTHY
    assert any(f"happens twice in Europe/Berlin: read as the {read}" in note for note in answer.notes)
    assert answer.symptom.window is not None
    assert failed in answer.symptom.window


@pytest.mark.parametrize(
    ("failed", "symptom"),
    [
        (None, "403 on /orders at 2025-10-26 02:40 Europe/Berlin"),
        (SECOND, "403 on /orders at 2025-10-26 00:40 UTC"),
        (SECOND, "403 on /orders at 2025-10-26 03:40 Europe/Berlin"),
    ],
    ids=["neither", "a zone that keeps its clocks", "an hour that happens once"],
)
def test_no_other_hour_is_taken_for_it(tmp_path: Path, failed: datetime | None, symptom: str) -> None:
    """Only a time that happens twice may mean another."""
    assert _answer(tmp_path, failed, symptom).verdict is Verdict.HEALTHY
