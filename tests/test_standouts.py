"""Finding what is wrong where nobody said it: generated days with and without a failure, and small folders."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bench.standouts import judged, surveyed
from incidents.days import MOMENT, TROUBLES, Hit, day, nginx_lines
from incidents.people import BROWSERS
from kyumei.api import investigate
from kyumei.diagnose.merge import merged
from kyumei.model.finding import Verdict
from kyumei.model.standout import Standout
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from incidents.days import Trouble

NOW = datetime(2025, 3, 20, tzinfo=UTC)
small_day = partial(day, hours=5, per_minute=5)
"""A day that is quickly written."""


@pytest.mark.parametrize("seed", range(100, 106))
def test_on_a_healthy_day_nothing_stands_out(seed: int) -> None:
    """Scanners, dead links, sign-in redirects, a rush hour, an ended session and a wrong form are usual."""
    assert surveyed(small_day(seed).hits) == []


@pytest.mark.parametrize("seed", [200, 201])
def test_what_a_job_asks_for_each_night_does_not_stand_out(seed: int) -> None:
    """Half of its requests at three o'clock are for what is gone, for three nights."""
    assert not [one for one in surveyed(day(seed, hours=76, per_minute=1.5).hits) if one.onset.hour == 3]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("seed", [301, 303])
def test_a_failure_is_found_and_dated(trouble: Trouble, seed: int) -> None:
    """Of every sort, as the first that stands out; and rightly as over or still going on."""
    told = day(seed, trouble, hours=6, per_minute=8)
    found = judged(trouble, told, surveyed(told.hits))
    assert len(told.failing) >= 8
    assert (found.found, found.dated, found.ended) == (True, True, True)


def _hits(statuses: Sequence[int], seconds: float = 20, path: str = "/orders") -> tuple[Hit, ...]:
    return tuple(
        Hit(MOMENT + timedelta(seconds=seconds * number), f"198.51.100.{number % 200 + 1}", BROWSERS[number % 6], "GET", path, status)
        for number, status in enumerate(statuses)
    )


def test_hops_that_saw_the_same_are_told_once() -> None:
    """By the outermost, although the one behind it says more."""
    hits = _hits([200] * 200 + [502] * 30 + [200] * 100)
    inner = surveyed(hits, "nginx")[0]
    outer = replace(inner, hop="alb", failed=29)
    app = replace(inner, hop="app", status=500, failed=30)
    assert [one.hop for one in merged([inner, app, outer])] == ["alb"]


def test_clients_that_left_are_a_failure_of_the_server_behind() -> None:
    """Beside each 504 of the balancer, which gave up first, nginx notes a 499."""
    inner = surveyed(_hits([200] * 200 + [504] * 30 + [200] * 100))[0]
    assert [one.status for one in merged([replace(inner, hop="nginx", status=499), replace(inner, hop="alb")])] == [504]


def test_two_failures_at_two_times_are_two() -> None:
    """Of the same status on the same path."""
    found = surveyed(_hits([200] * 200 + [500] * 30 + [200] * 300 + [500] * 20 + [200] * 100))
    assert [(one.failed, one.ongoing) for one in found] == [(30, False), (20, False)]


def test_pieces_of_one_failure_are_told_as_one() -> None:
    """From the first to the last of them, with the sum of what failed."""
    one = Standout(Window(MOMENT, MOMENT + timedelta(minutes=20)), "alb", 502, 30, 60, 0.1, 200.0, MOMENT, MOMENT, ongoing=False)
    later = replace(
        one,
        window=Window(MOMENT + timedelta(minutes=21), MOMENT + timedelta(minutes=30)),
        failed=5,
        score=40.0,
        onset=MOMENT + timedelta(minutes=21),
        last=MOMENT + timedelta(minutes=29),
        ongoing=True,
    )
    whole = merged([later, one])
    assert [(piece.failed, piece.onset, piece.last, piece.ongoing) for piece in whole] == [(35, MOMENT, later.last, True)]


def test_a_failure_with_which_the_log_ends_is_going_on() -> None:
    """And one after which enough went well is over."""
    going, over = (surveyed(_hits([200] * 200 + [503] * 40 + [200] * after))[0] for after in (1, 60))
    assert (going.ongoing, over.ongoing) == (True, False)


def test_one_client_that_is_refused_what_others_get_stands_out() -> None:
    """A list of denied addresses that holds a customer's office; whoever tries doors does not."""
    chance = list(_hits([200] * 400))
    denied = [replace(hit, client="203.0.113.9", agent=BROWSERS[0], status=403) for hit in chance[200:240]]
    assert [one.status for one in surveyed(sorted([*chance, *denied], key=lambda hit: hit.at))] == [403]
    doors = [replace(hit, path=f"/door-{hit.at:%M}") for hit in denied]
    assert surveyed(sorted([*chance, *doors], key=lambda hit: hit.at)) == []


def _investigated(folder: Path, hits: Sequence[Hit], tmp_path: Path, **files: str) -> tuple[Verdict, str, tuple[str, ...]]:
    folder.mkdir()
    if hits:
        (folder / "access.log").write_text(nginx_lines(tuple(hits)), encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.log").write_text(text, encoding="utf-8")
    answer = investigate(folder, None, now=NOW, cache=tmp_path / "cache")
    return answer.verdict, answer.sentence, answer.notes


def _beside(statuses: Sequence[int], path: str, clients: int) -> tuple[Hit, ...]:
    """Requests of so many clients to a path, one a minute, beside a site that is well."""
    site = _hits([200] * 3 * len(statuses))
    own = (
        Hit(MOMENT + timedelta(seconds=60 * number + 7), f"203.0.113.{number * 7 % clients + 1}", BROWSERS[0], "PUT", path, status)
        for number, status in enumerate(statuses)
    )
    return tuple(sorted((*site, *own), key=lambda hit: hit.at))


def test_a_limit_that_all_run_into_stands_out_however_steady() -> None:
    """Every avatar is too large from the first line to the last; nothing of the site is ever asked with that status else."""
    assert [(one.status, one.paths) for one in surveyed(_beside([413] * 14, "/api/avatar", 12))] == [(413, ("/api/avatar",))]


@pytest.mark.parametrize(("status", "clients"), [(413, 1), (404, 12), (401, 12), (403, 1)])
def test_what_one_client_meets_or_what_never_was_there_does_not(status: int, clients: int) -> None:
    """One program that sends too much, a link to nowhere, a log-in that all must do first, a closed door."""
    assert surveyed(_beside([status] * 14, "/api/avatar", clients)) == []


LOG_IN = [302, 200, 200] * 50


@pytest.mark.parametrize("before", [LOG_IN, [302, 200] * 75])
def test_a_path_that_sends_some_to_the_log_in_and_then_all_stands_out(before: list[int]) -> None:
    """From a third or a half of its requests to every one of them: ended sessions, say."""
    found = surveyed(_beside([*before, *[302] * 60], "/account", 90))
    assert [(one.status, one.paths, one.failed >= 60) for one in found] == [(302, ("/account",), True)]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([302, 200] * 30, id="half of them"),
        pytest.param([302, 302, 302, 200, 200] * 12, id="three of five"),
        pytest.param([302] * 8, id="a few"),
    ],
)
def test_a_path_that_sends_more_to_the_log_in_and_still_answers_does_not(after: list[int]) -> None:
    """A campaign brings people who have yet to sign in."""
    assert surveyed(_beside([*LOG_IN, *after], "/account", 90)) == []


def test_a_robot_that_goes_on_at_night_does_not() -> None:
    """All others sleep, so that only redirects are left of the path; it is one client."""
    hits = _beside(LOG_IN, "/account", 90)
    night = (Hit(hits[-1].at + timedelta(minutes=2 * number), "192.0.2.9", BROWSERS[1], "GET", "/account", 302) for number in range(60))
    assert surveyed((*hits, *night)) == []


HAPROXY = (
    'Mar 11 0{0}:{1:02d}:10 lb1 haproxy[1204]: 203.0.113.{1}:40{1:03d} [11/Mar/2025:0{0}:{1:02d}:10.120] web~ app/{2} "GET /cart HTTP/1.1"'
)


@pytest.mark.parametrize(("failed", "some"), [(True, "12 of them with a 5xx"), (False, "60 lines of requests")])
def test_requests_that_are_not_read_as_such_make_it_doubtful(tmp_path: Path, *, failed: bool, some: str) -> None:
    """A proxy in front writes them in a form of its own; the application behind it has only those that came through."""
    answers = ("<NOSRV> 0/-1/-1/-1/0 503 221 - - SC-- 9/9/0/0/0 0/0", "one 0/0/1/24/25 200 1512 - - ---- 9/9/0/0/0 0/0")
    lines = [HAPROXY.format(0, minute, answers[not (failed and minute % 5 == 0)]) for minute in range(60)]
    verdict, sentence, _ = _investigated(tmp_path / "case", (), tmp_path, haproxy="\n".join(lines) + "\n", app=_application())
    assert (verdict, some in sentence) == (Verdict.CANNOT_TELL, True)


def _application() -> str:
    return "".join(f"2025-03-11T00:{minute:02d}:10Z INFO [shop.web] GET /cart 200\n" for minute in range(60))


def test_an_application_alone_is_healthy(tmp_path: Path) -> None:
    """Without such lines."""
    assert _investigated(tmp_path / "case", (), tmp_path, app=_application())[0] is Verdict.HEALTHY


def test_five_lines_of_which_one_is_a_502(tmp_path: Path) -> None:
    """So few lines have no rest to be measured against; the one failure is told."""
    _, sentence, _ = _investigated(tmp_path / "case", _hits([200, 200, 502, 200, 200]), tmp_path)
    assert "answered 502 to 1 of 5 requests on /orders" in sentence


def test_a_healthy_folder_is_called_healthy(tmp_path: Path) -> None:
    """With what was counted, and what failed all the same."""
    verdict, sentence, notes = _investigated(tmp_path / "case", _hits([200] * 300 + [404] + [200] * 100), tmp_path)
    assert verdict is Verdict.HEALTHY
    assert "of 401 requests at nginx" in sentence
    assert "does not stand out: 404 by nginx on /orders, 1 time, first at 2025-03-11 01:40:00 UTC" in notes


def _errors(lines: int, after_minutes: int, text: str = "connect() failed (111: Connection refused) while connecting to upstream") -> str:
    start = MOMENT + timedelta(minutes=after_minutes)
    usual = "".join(
        f"{MOMENT + timedelta(minutes=9 * number):%Y/%m/%d %H:%M:%S} [warn] 7#7: *{number} an upstream response is buffered to a temporary "
        f'file /var/cache/{number}, client: 10.0.0.{number % 9}, server: a, request: "GET / HTTP/1.1", host: "a"\n'
        for number in range(15)
    )
    return usual + "".join(
        f"{start + timedelta(seconds=3 * number):%Y/%m/%d %H:%M:%S} [error] 7#7: *{number} {text}, client: 10.0.0.{number % 9}, "
        f'server: a, request: "GET /{number} HTTP/1.1", host: "a"\n'
        for number in range(lines)
    )


def test_a_folder_with_error_logs_alone_cannot_tell_but_says_what_they_say(tmp_path: Path) -> None:
    """No status, no failure; the lines stand in the sentence all the same."""
    verdict, sentence, notes = _investigated(tmp_path / "case", (), tmp_path, error=_errors(25, 100))
    assert verdict is Verdict.CANNOT_TELL
    assert "No log in the folder records requests" in sentence
    assert "25 lines like “connect() failed (111: Connection refused)" in sentence
    assert "the first at error.log:16" in notes[0]


def test_a_new_kind_of_error_line_is_told_although_no_request_failed(tmp_path: Path) -> None:
    """With its first line; what scanners leave in nginx's log is not told."""
    hits = _hits([200] * 400)
    verdict, sentence, _ = _investigated(tmp_path / "case", hits, tmp_path, error=_errors(25, 100))
    assert verdict is Verdict.CANNOT_TELL
    assert "No requests failed more often than usual, but new in nginx_error from 2025-03-11 01:40:00 to 01:41:12 UTC: 25 lines" in sentence
    missing = _errors(25, 100, 'open() "/srv/www/x" failed (2: No such file or directory)')
    assert _investigated(tmp_path / "scanned", hits, tmp_path, error=missing)[0] is Verdict.HEALTHY


def test_of_several_failures_as_many_are_investigated_as_are_asked_for(tmp_path: Path) -> None:
    """The gravest leads."""
    folder = tmp_path / "case"
    folder.mkdir()
    hits = _hits([200] * 200 + [500] * 60 + [200] * 300 + [503] * 20 + [200] * 100)
    (folder / "access.log").write_text(nginx_lines(hits), encoding="utf-8")
    answer = investigate(folder, None, now=NOW, cache=tmp_path / "cache", top=2)
    assert [one.status for one in answer.standouts] == [500, 503]
    assert answer.symptom.status == 500
    assert [other.symptom.status for other in answer.others] == [503]
