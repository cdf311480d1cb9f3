"""How many clients a failure met: those that asked, not the nodes of what stands in front; and since when it is on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.api import investigate
from kyumei.diagnose.impact import agreeing, apart
from kyumei.model.finding import Certainty, Finding, Impact
from kyumei.report.extent import impact_words

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2025, 3, 20, tzinfo=UTC)
START = datetime(2025, 3, 11, 1, 0, tzinfo=UTC)
CLOSED = "upstream prematurely closed connection while reading response header from upstream"


def _line(number: int, client: str, forwarded: str) -> str:
    status = 502 if number in range(40, 52) else 200
    moment = START + timedelta(seconds=10 * number)
    return f'{client} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET /orders HTTP/1.1" {status} 157 "-" "Mozilla/5.0 Chrome/132.0"{forwarded}'


def _error(number: int, client: str) -> str:
    moment = START + timedelta(seconds=10 * number)
    return (
        f"{moment:%Y/%m/%d %H:%M:%S} [error] 7#7: *{number} {CLOSED}, client: {client}, server: a, "
        'request: "GET /orders HTTP/1.1", upstream: "http://127.0.0.1:8000/orders", host: "a"'
    )


@pytest.mark.parametrize(
    ("client", "forwarded", "clients"),
    [
        ("203.0.113.{}", "", 12),
        ("10.0.1.{node}", ' "203.0.113.{}"', 12),
        ("10.0.1.{node}", ' "203.0.113.{}, 198.51.100.{node}"', 12),
        ("10.0.1.{node}", ' "-"', None),
        ("127.0.0.1", "", None),
    ],
    ids=["public", "forwarded", "forwarded twice", "nodes of a balancer", "this host"],
)
def test_clients_are_those_that_asked(tmp_path: Path, client: str, forwarded: str, clients: int | None) -> None:
    """The first address of X-Forwarded-For where there is one; private addresses alone tell no clients."""
    folder = tmp_path / "case"
    folder.mkdir()
    said = [[text.format(number, node=number % 2) for text in (client, forwarded)] for number in range(120)]
    (folder / "access.log").write_text("\n".join(_line(number, *one) for number, one in enumerate(said)) + "\n", encoding="utf-8")
    (folder / "error.log").write_text("\n".join(_error(number, said[number][0]) for number in range(40, 52)) + "\n", encoding="utf-8")
    answer = investigate(folder, "502 on /orders at 2025-03-11 01:07 UTC", now=NOW, cache=tmp_path / "cache")
    told = [finding.impact for finding in answer.findings if finding.impact]
    assert told
    assert {(one.requests, one.clients) for one in told} == {(12, clients)}


def _sparse(gaps: list[tuple[int, int]], fine_between: int) -> str:
    """An access log of stretches of failing requests, each so many hours after the start and so long, with fine ones between."""
    lines: list[tuple[datetime, int]] = []
    for (hour, count), (following, _) in zip(gaps, [*gaps[1:], (gaps[-1][0] + 3, 0)], strict=True):
        begin, end = START + timedelta(hours=hour), START + timedelta(hours=following)
        lines += [(begin + timedelta(minutes=4 * number), 200 if number % 2 else 502) for number in range(2 * count)]
        last = begin + timedelta(minutes=8 * count)
        lines += [(last + (end - last) * (number + 1) / (fine_between + 1), 200) for number in range(fine_between)]
    return "\n".join(
        f"203.0.113.{number % 200 + 1} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "
        f'"GET /orders HTTP/1.1" {status} 157 "-" "Mozilla/5.0 Chrome/132.0"'
        for number, (moment, status) in enumerate(lines)
    )


@pytest.mark.parametrize(
    ("fine_between", "requests"), [(6, 27), (60, 10)], ids=["a night with hardly a request", "hours in which all went well"]
)
def test_a_pause_without_traffic_does_not_end_a_failure(tmp_path: Path, fine_between: int, requests: int) -> None:
    """Half of all requests fail, evening and morning; whether that is one failure is told by what was asked for in between."""
    folder = tmp_path / "case"
    folder.mkdir()
    text = _sparse([(0, 8), (6, 10), (13, 9)], fine_between)
    (folder / "access.log").write_text(text + "\n", encoding="utf-8")
    errors = []
    for number, line in enumerate(text.splitlines()):
        if " 502 " in line:
            moment = datetime.strptime(line.split("[")[1].split("]")[0], "%d/%b/%Y:%H:%M:%S %z")
            errors.append(_error(int((moment - START).total_seconds()) // 10, f"203.0.113.{number % 200 + 1}"))
    (folder / "error.log").write_text("\n".join(errors) + "\n", encoding="utf-8")
    answer = investigate(folder, "502 on /orders at 2025-03-11 07:16 UTC", now=NOW, cache=tmp_path / "cache")
    assert {finding.impact.requests for finding in answer.findings if finding.impact} == {requests}


@pytest.mark.parametrize(
    ("failing", "until", "quiet"),
    [
        # Three within half a minute, and three minutes in which nobody asked for the path again.
        ((300, 310, 325), 505, True),
        # As often, and the log ends half a minute later; or seldom, so that a pause of minutes is nothing strange.
        ((300, 310, 325), 355, False),
        ((20, 160, 300), 505, False),
    ],
)
def test_a_silence_longer_than_failures_lay_apart_shows_nothing(
    tmp_path: Path, failing: tuple[int, ...], until: int, *, quiet: bool
) -> None:
    """That it still goes on is said only where failures came so seldom that the next one need not have come yet."""
    folder = tmp_path / "case"
    folder.mkdir()
    told = sorted({*((second, "/orders", 502) for second in failing), *((second, "/stock", 200) for second in range(0, until + 1, 5))})
    (folder / "access.log").write_text(
        "".join(
            f"203.0.113.7 - - [{START + timedelta(seconds=second):%d/%b/%Y:%H:%M:%S} +0000] "
            f'"GET {path} HTTP/1.1" {status} 157 "-" "Firefox/1"\n'
            for second, path, status in told
        ),
        encoding="utf-8",
    )
    (folder / "error.log").write_text("".join(_error(second // 10, "203.0.113.7") + "\n" for second in failing), encoding="utf-8")
    answer = investigate(folder, "502 on /orders at 2025-03-11 01:05 UTC", now=NOW, cache=tmp_path / "cache")
    (did,) = {finding.impact for finding in answer.findings if finding.impact}
    assert (did.requests, did.ongoing, did.quiet) == (3, True, quiet)
    assert impact_words(did, None).endswith("nothing later shows whether it goes on" if quiet else "still going on where the log ends")


def found(onset: int, layer: str = "nginx") -> Finding:
    """A finding whose first sign lies so many seconds after the first request that is counted."""
    did = Impact(3, 1, 1, START, START + timedelta(minutes=9), 1.0, 0, ongoing=True, sql="")
    return Finding("EDGE-001", "rule", "title", Certainty.LIKELY, (), onset=START + timedelta(seconds=onset), layer=layer, impact=did)


@pytest.mark.parametrize(
    ("finding", "onset", "says"),
    [
        pytest.param(found(300), 0, "", id="only_the_path_asked_about_began_later"),
        pytest.param(found(0), 0, "", id="alike"),
        pytest.param(found(20, "server"), 0, "", id="written_a_moment_later"),
        pytest.param(found(300, "server"), 300, "the first sign of this cause is of", id="another_cause_before"),
        pytest.param(found(-10, "server"), -10, "is 10 s older than the first record", id="cause_first"),
        pytest.param(found(-90_000), -90_000, "after a pause without any", id="the_day_before_too"),
    ],
)
def test_since_when_agrees_with_the_impact_or_is_explained(finding: Finding, onset: int, says: str) -> None:
    """Two times for one beginning are a contradiction to whoever reads them."""
    agreed = agreeing(finding, "nginx")
    assert agreed.onset == START + timedelta(seconds=onset)
    notes = apart([agreed])
    assert len(notes) == bool(says)
    assert all(says in note for note in notes)
