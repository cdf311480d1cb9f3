"""A case of one file, and what its tables answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei import api

if TYPE_CHECKING:
    from pathlib import Path


def case_of(tmp_path: Path, text: str, name: str) -> Path:
    """A folder with one file of this text."""
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / name).write_text(text, "utf-8")
    return folder


def rows_of(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows that the tables of the folder answer; the cache lies beside it."""
    with api.query(folder, sql, cache=folder.parent / "cache") as answer:
        return [tuple(row) for row in answer.rows]
