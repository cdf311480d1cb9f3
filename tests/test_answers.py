"""A kept answer is the answer: equal in every part, given again only for the same question of an unchanged case."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kyumei import api
from kyumei.model.finding import Investigation
from kyumei.store.answers import plain, revived

CASES = sorted(path.parent for path in (Path(__file__).parent / "cases").glob("*/case-expected.toml"))[::12]
NOW = datetime(2025, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_an_answer_survives_being_kept(folder: Path, tmp_path: Path) -> None:
    """Findings, times, citations, standouts."""
    for symptom in ("403 or 502 on 2025-03-11 around 14:20 JST", None):
        answer = api.investigate(folder / "case", symptom, now=NOW, cache=tmp_path)
        assert revived(Investigation, plain(answer)) == answer
        assert api.investigate(folder / "case", symptom, now=NOW, cache=tmp_path) == answer


def test_another_question_or_a_changed_case_is_answered_anew(tmp_path: Path) -> None:
    """The kept answer is no answer to anything else."""
    root = tmp_path / "case"
    shutil.copytree(CASES[0] / "case", root)
    first = api.investigate(root, "status 403 on 2025-03-11 at 14:20 JST", now=NOW, cache=tmp_path / "cache")
    other = api.investigate(root, "status 502 on 2025-03-11 at 14:20 JST", now=NOW, cache=tmp_path / "cache")
    assert first.symptom != other.symptom
    (root / "notes.log").write_text("2025-03-11T05:20:00Z INFO started\n")
    again = api.investigate(root, "status 403 on 2025-03-11 at 14:20 JST", now=NOW, cache=tmp_path / "cache")
    assert len(again.coverage) > len(first.coverage) or again != first


def test_a_damaged_answer_is_worked_out_anew(tmp_path: Path) -> None:
    """Whatever lies in the cache."""
    answer = api.investigate(CASES[0] / "case", "403 on 2025-03-11 at 14:20 JST", now=NOW, cache=tmp_path)
    for kept in tmp_path.glob("*.json"):
        for text in ("", "[]", "{}", '{"symptom": 5}', "null"):
            kept.write_text(text)
            assert api.investigate(CASES[0] / "case", "403 on 2025-03-11 at 14:20 JST", now=NOW, cache=tmp_path) == answer
