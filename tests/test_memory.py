"""The setting that bounds memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kyumei.errors import ConfigError
from kyumei.store.case import connect
from kyumei.store.memory import DEFAULT, memory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("", DEFAULT),
        ("2GB", 2 * 1024**3),
        ("1.5 GiB", 3 * 512 * 1024**2),
        ("4g", 4 * 1024**3),
        ("900M", 900 * 1024**2),
        ("1073741824", 1024**3),
    ],
)
def test_a_size_is_read_as_people_write_it(said: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Powers of 1024 with either ending; nothing said is the default."""
    monkeypatch.setenv("KYUMEI_MEMORY", said)
    assert memory() == size


@pytest.mark.parametrize("said", ["much", "-1GB", "0", "100MB", "2XB", "9" * 40, "1e9", "²GB"])
def test_what_is_no_size_is_refused_with_its_value(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one that nothing could be done with."""
    monkeypatch.setenv("KYUMEI_MEMORY", said)
    with pytest.raises(ConfigError, match="KYUMEI_MEMORY"):
        memory()


def test_the_database_takes_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three fifths."""
    monkeypatch.setenv("KYUMEI_MEMORY", "1280MiB")
    con = connect(tmp_path / "x.duckdb")
    assert con.execute("SELECT current_setting('memory_limit')").fetchone() == ("768.0 MiB",)
    con.close()
