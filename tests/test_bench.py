"""The benchmark's generators write logs that kyumei reads, and its figures are computed rightly. No time is asserted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bench.baseline import count
from bench.generate import FILES, SENTENCE, generate, requests, texts
from bench.measure import Row, ratio, run, table
from kyumei import api, discover
from kyumei.contracts import Refused

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = {"alb": "alb_access", "nginx": "nginx_access", "waf": "waf", "app": "app_log"}


def test_every_record_is_read_by_its_format() -> None:
    """No generated record is refused, and each states its time and, where it has one, the request's path."""
    seen = set()
    found = list(requests(20_000))
    for one in [*found[:500], *(one for one in found if one.status in {502, 500})]:
        for kind, text in texts(one):
            layout = discover.formats()[FORMATS[kind]].layout
            first = text.split("\n", 1)[0]
            row = layout.read(first)
            assert not isinstance(row, Refused), row
            assert row["time"] is not None
            assert row["path"] in {one.path, None}
            seen.add((kind, one.status))
    assert {("alb", 502), ("alb", 403), ("waf", 403), ("nginx", 500), ("app", 500)} <= seen


@pytest.mark.parametrize("packed", [False, True])
def test_the_folder_holds_what_was_asked_for(tmp_path: Path, packed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """About as much text as was asked for, in all files, in the shares of a mixed folder, and the same bytes for the same seed."""
    written = generate(tmp_path / "logs", 2, packed=packed)
    assert written == pytest.approx(2_000_000, rel=0.05)
    found = {path.relative_to(tmp_path / "logs").as_posix() for path in (tmp_path / "logs").rglob("*") if path.is_file()}
    assert found == {name + (".gz" if packed else "") for names in FILES.values() for name in names}
    if not packed:
        shares = {kind: sum((tmp_path / "logs" / name).stat().st_size for name in names) / written for kind, names in FILES.items()}
        assert shares == pytest.approx({"alb": 0.4, "nginx": 0.2, "waf": 0.25, "app": 0.15}, abs=0.05)
        generate(tmp_path / "again", 2)
        assert all((tmp_path / "logs" / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in found)


def test_the_yardstick_and_kyumei_count_the_same(tmp_path: Path) -> None:
    """The hand-written queries count what the store reads: no line is lost, and the yardstick does the work that it is said to do."""
    generate(tmp_path / "logs", 1)
    counted = count(tmp_path / "logs")
    read = {one["table"]: one for one in api.tables(tmp_path / "logs", cache=tmp_path / "cache")}
    assert {kind: sum(counted[kind].values()) for kind in FORMATS} == {kind: read[name]["rows"] for kind, name in FORMATS.items()}
    assert all(one["unread"] == 0 for one in read.values())


def test_the_incident_is_found(tmp_path: Path) -> None:
    """The symptom that is measured is one that the logs hold."""
    generate(tmp_path / "logs", 8)
    answer = api.investigate(tmp_path / "logs", SENTENCE, now=datetime(2025, 2, 7, tzinfo=UTC), cache=tmp_path / "cache")
    assert {hop.hop: hop.saw_it for hop in answer.hops}["alb"] == "yes"


def test_figures() -> None:
    """A ratio is the median over pairs, a process's peak is its own, and the table is Markdown."""
    assert ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == 2.0
    assert 800_000_000 < run(["-c", "b'x' * 800_000_000"]).peak_bytes < 900_000_000
    with pytest.raises(RuntimeError, match="ended with 3"):
        run(["-c", "import sys; sys.exit(3)"])
    assert run(["-c", "print(6 * 7)"]).output == "42\n"
    text = table([Row("a", "1.0", "<= 2", met=True), Row("longer", "3")])
    assert text.splitlines() == [
        "| what   | measured | target | met |",
        "| ------ | -------- | ------ | --- |",
        "| a      | 1.0      | <= 2   | yes |",
        "| longer | 3        |        |     |",
    ]
