"""Is all of the log here that would have the request? Of its site, of the load balancer that was asked, and of each of its nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.api import investigate
from kyumei.model.finding import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kyumei.model.finding import Investigation

NOW = datetime(2025, 3, 20, tzinfo=UTC)
START = datetime(2025, 3, 11, 1, 0, tzinfo=UTC)
MINUTES = 60
NODES = ("203.0.113.1", "203.0.113.2")
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36"
SHOP, EU = ("shop", "shop.example.com"), ("shop-eu", "eu.example.com")


def _row(moment: datetime, site: tuple[str, str], request: str = "GET /orders", status: int = 200) -> str:
    name, host = site
    method, path = request.split()
    trace = f"1-{int(moment.timestamp()):x}-{moment.microsecond:024x}"
    group = f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{name}/0123456789abcdef"
    return (
        f"https {moment:%Y-%m-%dT%H:%M:%S.%fZ} app/{name}/aa11bb22cc33dd44 198.51.100.{moment.second + 1}:40100 10.20.4.15:80 0.000 0.028 "
        f'0.000 {status} {status} 312 1450 "{method} https://{host}:443{path} HTTP/1.1" "{AGENT}" TLS_AES_128_GCM_SHA256 TLSv1.3 {group} '
        f'"Root={trace}" "{host}" "-" 0 {moment - timedelta(milliseconds=28):%Y-%m-%dT%H:%M:%S.%fZ} "forward" "-" "-" "10.20.4.15:80" '
        f'"{status}" "-" "-"'
    )


def _moments(minutes: Iterable[int], every: int) -> list[datetime]:
    return [START + timedelta(minutes=minute, seconds=second) for minute in minutes for second in range(0, 60, every)]


def _answer(folder: Path, symptom: str) -> Investigation:
    return investigate(folder, symptom, now=NOW, cache=folder.parent / "cache")


def _nodes(folder: Path, *, lost: int | None = None, every: int = 10) -> None:
    """A file for each node and five minutes; the second node's ``lost`` one is not there."""
    folder.mkdir()
    for number, node in enumerate(NODES):
        for slot in range(MINUTES // 5):
            if number and slot == lost:
                continue
            end = START + timedelta(minutes=5 * slot + 5)
            name = f"123456789012_elasticloadbalancing_eu-west-1_app.shop.aa11bb22cc33dd44_{end:%Y%m%dT%H%MZ}_{node}_{slot:08x}.log"
            rows = [_row(moment + timedelta(milliseconds=number), SHOP) for moment in _moments(range(5 * slot, 5 * slot + 5), every)]
            (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_the_file_of_one_node_may_hold_the_request(tmp_path: Path) -> None:
    """The other node's requests go on, so the log has no hole in its time; and yet half of what was asked is not here."""
    _nodes(tmp_path / "case", lost=6)
    answer = _answer(tmp_path / "case", "502 on /orders at 2025-03-11 01:32 UTC")
    assert answer.verdict is Verdict.CANNOT_TELL
    told = next(gap for gap in answer.gaps if gap.missing == "Application Load Balancer access log of app/shop/aa11bb22cc33dd44")
    assert "the file of its node 203.0.113.2 that ends at 2025-03-11 01:35 UTC is missing" in told.would_decide


@pytest.mark.parametrize(
    ("lost", "every", "minute"),
    [(None, 10, 32), (6, 10, 42), (6, 60, 32), (11, 10, 57)],
    ids=["all there", "another time", "a quiet node", "a node that was taken away"],
)
def test_files_of_nodes_that_are_as_they_should_be(tmp_path: Path, lost: int | None, every: int, minute: int) -> None:
    """A node that nobody asks writes no file, and balancers replace their nodes."""
    _nodes(tmp_path / "case", lost=lost, every=every)
    row = _row(START + timedelta(minutes=MINUTES + 1), SHOP)
    (tmp_path / "case" / "later.log").write_text(row + "\n", encoding="utf-8")
    assert _answer(tmp_path / "case", f"502 on /orders at 2025-03-11 01:{minute} UTC").verdict is Verdict.HEALTHY


def _two(folder: Path, *, eu_until: int, eu_path: str = "/orders") -> None:
    """The logs of two balancers, the second of which ends earlier."""
    folder.mkdir()
    own = [_row(moment, SHOP) for moment in _moments(range(MINUTES), 10)]
    eu = [_row(moment, EU, f"GET {eu_path}") for moment in _moments(range(eu_until), 15)]
    (folder / "tokyo.log").write_text("\n".join(own) + "\n", encoding="utf-8")
    (folder / "ireland.log").write_text("\n".join(eu) + "\n", encoding="utf-8")


@pytest.mark.parametrize("where", ["https://eu.example.com/orders", "/orders"])
def test_the_balancer_that_was_asked_must_cover_the_moment(tmp_path: Path, where: str) -> None:
    """Another one's log that goes on says nothing of it."""
    _two(tmp_path / "case", eu_until=20)
    answer = _answer(tmp_path / "case", f"503 on {where} at 2025-03-11 01:40 UTC")
    assert answer.verdict is Verdict.CANNOT_TELL
    told = next(gap for gap in answer.gaps if gap.missing == "Application Load Balancer access log of app/shop-eu/aa11bb22cc33dd44")
    assert "its last record before it is of 2025-03-11 01:19:45 UTC" in told.would_decide


@pytest.mark.parametrize(
    ("where", "eu_until", "eu_path"),
    [("https://shop.example.com/orders", 20, "/orders"), ("https://eu.example.com/orders", MINUTES, "/orders"), ("/orders", 20, "/api")],
    ids=["the other host", "both go on", "another path"],
)
def test_a_balancer_that_was_not_asked_need_not(tmp_path: Path, where: str, eu_until: int, eu_path: str) -> None:
    """What serves another host, or never the path, is not what failed."""
    _two(tmp_path / "case", eu_until=eu_until, eu_path=eu_path)
    assert _answer(tmp_path / "case", f"503 on {where} at 2025-03-11 01:40 UTC").verdict is Verdict.HEALTHY


@pytest.mark.parametrize(("begins", "verdict"), [(18, Verdict.HEALTHY), (0, Verdict.CANNOT_TELL)], ids=["in its place", "beside it"])
def test_a_balancer_that_was_replaced_has_no_more_to_say(tmp_path: Path, begins: int, verdict: Verdict) -> None:
    """Where another one begins to serve the host as the first one ends, names were pointed to it; where it was there all along, not."""
    folder = tmp_path / "case"
    folder.mkdir()
    blue = [_row(moment, ("blue", "shop.example.com")) for moment in _moments(range(MINUTES // 3), 10)]
    green = [_row(moment, ("green", "shop.example.com")) for moment in _moments(range(begins, MINUTES + 30), 10)]
    (folder / "blue.log").write_text("\n".join(blue) + "\n", encoding="utf-8")
    (folder / "green.log").write_text("\n".join(green) + "\n", encoding="utf-8")
    assert _answer(folder, "502 on /orders at 2025-03-11 02:00 UTC").verdict is verdict


@pytest.mark.parametrize(("host", "verdict"), [("eu.example.com", Verdict.CANNOT_TELL), ("SHOP.example.com", Verdict.HEALTHY)])
def test_the_log_of_another_site_does_not_say_that_this_one_is_well(tmp_path: Path, host: str, verdict: Verdict) -> None:
    """Where a log names hosts, and never the stated one, the request did not come there."""
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "alb.log").write_text("\n".join(_row(moment, SHOP) for moment in _moments(range(MINUTES), 10)) + "\n", encoding="utf-8")
    answer = _answer(folder, f"503 on https://{host}/orders at 2025-03-11 01:40 UTC")
    assert answer.verdict is verdict
    missing = [gap.missing for gap in answer.gaps]
    assert ("Application Load Balancer access log of what serves eu.example.com" in missing) is (verdict is Verdict.CANNOT_TELL)


@pytest.mark.parametrize(
    ("status", "verdict", "said"),
    [(500, Verdict.CANNOT_TELL, "answered 500 to POST /login"), (401, Verdict.HEALTHY, "no request in it failed")],
)
def test_a_status_that_nobody_sent(tmp_path: Path, status: int, verdict: Verdict, said: str) -> None:
    """A server error of the target on that very path is likely what was seen; wrong passwords there are of every day."""
    folder = tmp_path / "case"
    folder.mkdir()
    rows = [_row(moment, SHOP) for moment in _moments(range(MINUTES), 10)]
    rows += [_row(START + timedelta(minutes=40, seconds=7 * number), SHOP, "POST /login", status) for number in range(5)]
    (folder / "alb.log").write_text("\n".join(rows) + "\n", encoding="utf-8")
    answer = _answer(folder, "503 on /login at 2025-03-11 01:40 UTC")
    assert answer.verdict is verdict
    assert said in answer.sentence


def test_what_is_not_explained_is_told_beside_the_cause(tmp_path: Path) -> None:
    """Two failures at once, one of which nothing here explains: the answer for the other one is not an answer for both."""
    folder = tmp_path / "case"
    folder.mkdir()
    rows = [_row(moment, SHOP) for moment in _moments(range(MINUTES), 10)]
    for number in range(24):
        moment = START + timedelta(minutes=40, seconds=2 * number)
        row = _row(moment, SHOP, "GET /cart", 502).replace(" 502 502 ", " 502 - ").replace(' "502" ', ' "-" ')
        rows.append(row.replace(" 0.000 0.028 0.000 ", " 0.000 -1 -1 "))
    for number in range(8):
        moment = START + timedelta(minutes=40, seconds=6 * number)
        row = _row(moment + timedelta(seconds=60), SHOP, "GET /report", 504).replace(" 504 504 ", " 504 - ").replace(' "504" ', ' "-" ')
        row = row.replace(" 0.000 0.028 0.000 ", " 0.000 -1 -1 ")
        rows.append(
            row.replace(f"{moment + timedelta(seconds=59, milliseconds=972):%Y-%m-%dT%H:%M:%S.%fZ}", f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}")
        )
    (folder / "alb.log").write_text("\n".join(rows) + "\n", encoding="utf-8")
    answer = _answer(folder, "5xx errors at 2025-03-11 01:40 UTC")
    assert answer.findings[0].code == "EDGE-041"
    assert any(note.startswith("not explained by it: 24 failing requests 502 such as GET /cart") for note in answer.notes)
    assert not any("are not explained by the cause" in note for note in answer.notes)


@pytest.mark.parametrize(
    ("silent", "verdict"), [(range(40, 60), Verdict.CANNOT_TELL), (range(0), Verdict.HEALTHY)], ids=["silent", "steady"]
)
def test_one_of_two_balancers_is_silent(tmp_path: Path, silent: range, verdict: Verdict) -> None:
    """The other one's traffic fills the time; nobody said what is wrong."""
    folder = tmp_path / "case"
    folder.mkdir()
    own = [_row(moment, SHOP) for moment in _moments(range(2 * MINUTES), 10)]
    eu = [_row(moment, EU) for moment in _moments((minute for minute in range(2 * MINUTES) if minute not in silent), 10)]
    (folder / "alb.log").write_text("\n".join(own + eu) + "\n", encoding="utf-8")
    answer = investigate(folder, None, now=NOW, cache=tmp_path / "cache")
    assert answer.verdict is verdict
    told = "app/shop-eu/aa11bb22cc33dd44 has no request from 2025-03-11 01:40 to 02:00 UTC, where about 120 would be usual"
    assert (told in answer.sentence) is (verdict is Verdict.CANNOT_TELL)
