"""Requests that are well and doubtful all the same: a time without any, and a time in which most were slow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.api import investigate
from kyumei.model.finding import Investigation, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2025, 3, 20, tzinfo=UTC)
START = datetime(2025, 3, 11, tzinfo=UTC)


def _usual(minute: int) -> float:
    return 0.02 + minute % 7 / 20


def _told(tmp_path: Path, name: str, lines: list[str]) -> Investigation:
    """The answer for one log of which nobody says what is wrong."""
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return investigate(folder, None, now=NOW, cache=tmp_path / "cache")


def _answer(tmp_path: Path, *, minutes: int, asked: Callable[[int], int], seconds: Callable[[int], float] = _usual) -> Investigation:
    """The answer for a log with so many requests in each minute, each of which took so long."""
    lines = []
    for minute in range(minutes):
        for number in range(asked(minute)):
            moment = START + timedelta(minutes=minute, seconds=5 * number)
            client = f"203.0.113.{(minute * 7 + number) % 250}"
            lines.append(
                f'{client} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET /orders HTTP/1.1" 200 512 "-" "Mozilla/5.0 Chrome/132.0" '
                f"rt={seconds(minute):.3f}"
            )
    return _told(tmp_path, "access.log", lines)


def test_a_silence_in_steady_traffic_is_no_health(tmp_path: Path) -> None:
    """Nothing failed, for nothing came; or a file is missing."""
    answer = _answer(tmp_path, minutes=240, asked=lambda minute: 0 if 100 <= minute < 140 else 12)
    assert answer.verdict is Verdict.CANNOT_TELL
    assert "no log has a request from 2025-03-11 01:40 to 02:20 UTC, where about 480 would be usual" in answer.sentence
    assert "cannot connect at 2025-03-11 01:40 UTC" in answer.gaps[0].how


@pytest.mark.parametrize(
    ("minutes", "asked"),
    [
        (240, lambda minute: 12 if minute % 10 == 0 else 0),
        (240, lambda minute: 1 if minute % 3 else 0),
        (700, lambda minute: 0 if 100 <= minute < 500 else 12),
        (2 * 1440, lambda minute: 0 if 200 <= minute % 1440 < 240 else 3),
        (130, lambda minute: 0 if 100 <= minute < 125 else 12),
    ],
    ids=["bursts", "little traffic", "closed for hours", "each night", "next to the end"],
)
def test_a_silence_that_is_usual_or_too_short_to_tell(tmp_path: Path, minutes: int, asked: Callable[[int], int]) -> None:
    """These logs are healthy."""
    assert _answer(tmp_path, minutes=minutes, asked=asked).verdict is Verdict.HEALTHY


def test_answers_that_took_ten_times_as_long_are_no_health(tmp_path: Path) -> None:
    """All were well, and nobody waits so long."""
    answer = _answer(tmp_path, minutes=240, asked=lambda _: 12, seconds=lambda minute: 9.0 if 100 <= minute < 140 else _usual(minute))
    assert answer.verdict is Verdict.CANNOT_TELL
    assert "for 480 of 480 requests from 2025-03-11 01:40 to 02:20 UTC, where next to none would be usual" in answer.sentence
    assert "slow at 2025-03-11 01:40 UTC" in answer.gaps[0].how


@pytest.mark.parametrize("seconds", [lambda minute: 9.0 if minute % 9 == 0 else 0.1, lambda _: 9.0, lambda minute: 0.1 + minute / 1000])
def test_slow_answers_that_are_usual_or_quick_enough(tmp_path: Path, seconds: Callable[[int], float]) -> None:
    """Some all the time, all of them all the time, and answers that became a little slower."""
    assert _answer(tmp_path, minutes=240, asked=lambda _: 12, seconds=seconds).verdict is Verdict.HEALTHY


def _balanced(tmp_path: Path, *, failing: str, every: int, paths: tuple[str, str] = ("/orders", "/orders")) -> Investigation:
    """The answer for a balancer's log of two targets, of which the second one gets a part, and one fails one request in so many."""
    lines, served = [], 0
    for number in range(1_400):
        moment = START + timedelta(seconds=3 * number)
        target, path = ("10.0.3.30", paths[1]) if number % 20 == 0 else ("10.0.1.10", paths[0])
        served += target == failing
        status = 500 if target == failing and served % every == 0 else 200
        lines.append(
            f"https {moment:%Y-%m-%dT%H:%M:%S}.050000Z app/web/50dc6c495c0c9188 203.0.113.{number % 250}:40000 {target}:8000 "
            f'0.001 0.040 0.000 {status} {status} 300 900 "GET https://www.example.com:443{path} HTTP/2.0" "Mozilla/5.0 Chrome/132.0" - '
            f"- arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web-{target[5]}/73e2d6bc24d8a067 "
            f'"Root=1-67cf7b00-{number:024x}" "www.example.com" "-" 0 {moment:%Y-%m-%dT%H:%M:%S}.000000Z "forward" "-" "-" '
            f'"{target}:8000" "{status}" "-" "-" TID_{number:032x} "-" "-" "-"'
        )
    return _told(tmp_path, "alb.log", lines)


def test_a_target_that_fails_alone_is_no_health(tmp_path: Path) -> None:
    """A canary release gets one request in twenty: what it fails is lost among the answers of the others."""
    answer = _balanced(tmp_path, failing="10.0.3.30", every=9)
    assert answer.verdict is Verdict.CANNOT_TELL
    assert "target 10.0.3.30:8000 of target group web-3 had 7 of its 70 requests end with a 5xx" in answer.sentence
    assert "the others none of their 1,330" in answer.sentence


@pytest.mark.parametrize(
    ("failing", "every", "paths"),
    [("10.0.1.10", 180, ("/orders", "/orders")), ("10.0.3.30", 9, ("/orders", "/reports"))],
    ids=["as many as chance makes", "another application"],
)
def test_failures_of_a_target_that_chance_makes_are_health(tmp_path: Path, failing: str, every: int, paths: tuple[str, str]) -> None:
    """The busiest target has most failures, and one that serves other paths is another application."""
    assert "had" not in _balanced(tmp_path, failing=failing, every=every, paths=paths).sentence


def test_what_scanners_are_refused_is_said_beside_none(tmp_path: Path) -> None:
    """The refusals of a storm of scans are no failure, and yet "none" without a word of them would be untrue."""
    folder = tmp_path / "case"
    folder.mkdir()
    agent = "Mozilla/5.0 Chrome/132.0"
    lines = [
        f"203.0.113.{n % 250} - - [11/Mar/2025:01:{n // 10:02d}:{n % 10 * 6:02d} +0000] "
        f'"GET {path} HTTP/1.1" {status} 512 "-" "{agent}" rt=0.010'
        for n in range(500)
        for path, status in (("/wp-login.php", 404) if n % 2 else ("/orders", 200),)
    ]
    (folder / "access.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    answer = investigate(folder, None, now=NOW, cache=tmp_path / "cache")
    assert answer.verdict is Verdict.HEALTHY
    assert "none with a 4xx beside what scanners and monitors are refused" in answer.sentence
    assert answer.notes[0].startswith("250 requests of scanners and monitors")
