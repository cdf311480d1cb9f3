"""An application that writes no zone and no request: its errors stand beside failing requests at one zone, or at none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from kyumei.correlate.clocks import settle
from kyumei.store.case import open_case

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2025, 2, 6, 0, 0, tzinfo=UTC)
JST = timedelta(hours=9)


def irregular(seed: int, count: int) -> list[int]:
    """Seconds after START, some minutes apart and never alike."""
    chance = Random(seed)  # noqa: S311 - times of a log
    at, found = 400, []
    for _ in range(count):
        at += chance.randrange(100, 900)
        found.append(at)
    return found


def clock(folder: Path, failing: list[int], errors: list[int]) -> tuple[str, str]:
    """How the zone of app.log is known, where requests fail at some seconds and the application writes errors at others, in JST."""
    case = folder / "case"
    case.mkdir()
    access = []
    for second in sorted({*range(0, 20_000, 20), *failing}):
        time, status = START + timedelta(seconds=second), 500 if second in failing else 200
        access.append(f'192.0.2.7 - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "GET /orders HTTP/1.1" {status} 157 "-" "-" "-" rt=0.100')
    (case / "access.log").write_text("\n".join(access) + "\n", "utf-8")
    said = [(second, "ERROR", "order could not be stored: lock wait timeout") for second in errors]
    said += [(second, "INFO", f"{second} baskets priced") for second in range(5, 20_000, 60)]
    lines = [
        f"{START + JST + timedelta(seconds=second):%Y-%m-%d %H:%M:%S},123 {level} [shop.db] {text}" for second, level, text in sorted(said)
    ]
    (case / "app.log").write_text("\n".join(lines) + "\n", "utf-8")
    opened = open_case(case, None, lambda con, settings: settle(con, settings, START), lambda _: (timedelta(0),), cache=folder / "cache")
    found = opened.rows("SELECT zone, source FROM _clocks WHERE table_name = 'app_log'")
    opened.close()
    return found[0]["zone"], found[0]["source"]


@pytest.mark.parametrize("later", [0, 2])
def test_many_irregular_moments_tell_the_zone(tmp_path: Path, later: int) -> None:
    """A request is answered a moment after the error that fails it."""
    errors = irregular(1, 20)
    assert clock(tmp_path, [second + later for second in errors], errors) == ("+09:00", "matched")


def test_some_errors_of_which_no_request_failed(tmp_path: Path) -> None:
    """A third of the moments are of a background job."""
    errors = irregular(1, 24)
    assert clock(tmp_path, [second for number, second in enumerate(errors) if number % 3], errors) == ("+09:00", "matched")


@pytest.mark.parametrize(
    ("failing", "errors"),
    [
        pytest.param(irregular(1, 20), irregular(2, 20), id="errors that have nothing to do with it"),
        pytest.param(list(range(905, 20_000, 900)), list(range(904, 20_000, 900)), id="a job every quarter of an hour fits every zone"),
        pytest.param([3600, 3601, 3602], [3600, 3601, 3602], id="one outage"),
        pytest.param(irregular(1, 4), irregular(1, 4), id="too few"),
        pytest.param(irregular(1, 6), irregular(1, 20), id="most errors fail no request"),
    ],
)
def test_what_may_coincide_by_chance_tells_nothing(tmp_path: Path, failing: list[int], errors: list[int]) -> None:
    """The zone stays that of the other logs, or unknown."""
    assert clock(tmp_path, failing, errors)[1] != "matched"


def popular(folder: Path, shift: timedelta, seconds: list[int], asked: list[int]) -> tuple[str, str]:
    """How the zone of app.log is known, which writes a few popular paths only: at ``seconds`` after START, shifted; others were asked."""
    case = folder / "case"
    case.mkdir()
    paths = ("/", "/items", "/cart")
    access = [
        f'192.0.2.7 - - [{START + timedelta(seconds=second):%d/%b/%Y:%H:%M:%S} +0000] "GET {paths[second % 3]} HTTP/1.1" 200 157 "-" "-"'
        for second in asked
    ]
    (case / "access.log").write_text("\n".join(access) + "\n", "utf-8")
    lines = [
        f"{START + shift + timedelta(seconds=second):%Y-%m-%d %H:%M:%S},123 INFO [shop.web] GET {paths[second % 3]} 200"
        for second in seconds
    ]
    (case / "app.log").write_text("\n".join(lines) + "\n", "utf-8")
    opened = open_case(case, None, lambda con, settings: settle(con, settings, START), lambda _: (timedelta(0),), cache=folder / "cache")
    found = opened.rows("SELECT zone, source FROM _clocks WHERE table_name = 'app_log'")
    opened.close()
    return found[0]["zone"], found[0]["source"]


@pytest.mark.parametrize("hours", [9, -4, 5.5])
def test_popular_paths_tell_the_zone_too(tmp_path: Path, hours: float) -> None:
    """A site of three pages has no path that is rare; what of a quarter of an hour both logs keep are the same requests."""
    zone = f"{'-' if hours < 0 else '+'}{abs(int(hours)):02d}:{int(abs(hours) % 1 * 60):02d}"
    assert popular(tmp_path, timedelta(hours=hours), irregular(1, 400), irregular(1, 400)) == (zone, "matched")


def test_popular_paths_of_another_site_tell_nothing(tmp_path: Path) -> None:
    """Nor does somebody who asks for the same at every full minute: they stand so at every zone."""
    assert popular(tmp_path, JST, irregular(2, 400), irregular(1, 400))[1] == "assumed"
    (tmp_path / "polled").mkdir()
    each_minute = list(range(0, 60_000, 60))
    assert popular(tmp_path / "polled", JST, each_minute, each_minute)[1] == "assumed"
