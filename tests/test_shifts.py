"""Clocks that keep another zone and are off besides, and clocks that were set within a log: told from matching requests, or not at all."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kyumei.correlate.clocks import settle
from kyumei.correlate.pieces import Pair, Piece, pieces
from kyumei.store.case import open_case

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

START = datetime(2025, 3, 9, 3, 0, tzinfo=UTC)
AWS = (
    "https {0:%Y-%m-%dT%H:%M:%S}.{1:06d}Z app/shop/0123456789abcdef 203.0.113.5:50000 10.0.1.10:80 0.001 0.040 0.000 200 200 300 900 "
    '"GET https://shop.example.com:443{2} HTTP/1.1" "Mozilla/5.0" - - '
    'arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/shop/0123456789abcdef "Root=1-67cfc4e8-0123456789abcdef01234567" '
    '"-" "-" 0 {0:%Y-%m-%dT%H:%M:%S}.000000Z "forward" "-" "-" "10.0.1.10:80" "200" "-" "-"'
)
STATED = '192.0.2.7 - - [{0:%d/%b/%Y:%H:%M:%S} +0000] "GET {2} HTTP/1.1" 200 157 "-" "Mozilla/5.0" "-" rt=0.040'
NAIVE = "{0:%Y-%m-%d %H:%M:%S},{1:03d} INFO [shop.web] GET {2} 200 in 40 ms"
HOURS = 3600


class Request(NamedTuple):
    """When after START, in seconds, and for what."""

    second: int
    path: str


def traffic(count: int = 120, seed: int = 5, every: int = 90) -> list[Request]:
    """Requests at irregular times, for thirty things, and a poller that comes each half minute."""
    chance = Random(seed)  # noqa: S311 - times of a log
    at, found = 0, []
    for _ in range(count):
        at += chance.randrange(5, every * 2)
        found.append(Request(at, f"/items/{chance.randrange(30)}"))
    return sorted([*found, *(Request(second, "/poll") for second in range(0, min(at, 1400), 30))])


class Found(NamedTuple):
    """What is known of the clock of app.log, and its rows' times as seconds after START."""

    zones: list[tuple[str, str]]
    skews: list[int]
    seconds: list[int]


def found(folder: Path, logs: Mapping[str, Sequence[str]]) -> Found:
    """The clock of app.log among these logs."""
    for name, lines in logs.items():
        (folder / "case" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "case" / name).write_text("\n".join(lines) + "\n", "utf-8")
    with closing(
        open_case(folder / "case", None, partial(settle, moment=START), lambda _: (timedelta(0),), cache=folder / "cache")
    ) as case:
        of_log = "JOIN artifacts USING (artifact) WHERE name = 'web/app.log'"
        return Found(
            [(row["zone"], row["source"]) for row in case.rows(f"SELECT zone, source FROM _clocks k {of_log} ORDER BY k.rowid")],
            [row["seconds"] for row in case.rows(f"SELECT seconds FROM _skews k {of_log} ORDER BY k.rowid")],
            [
                round((row["time"].replace(tzinfo=UTC) - START).total_seconds())
                for row in case.rows(
                    "SELECT time FROM (SELECT time, _artifact, _line FROM app_log UNION ALL SELECT time, _artifact, _line "
                    "FROM nginx_access) "
                    "JOIN artifacts ON _artifact = artifact WHERE name = 'web/app.log' ORDER BY _line"
                )
            ],
        )


def written(shape: str, requests: Sequence[Request], ahead: Callable[[int], int] = lambda _: 0) -> list[str]:
    """The requests as lines of a log whose clock is so many seconds ahead."""
    return [shape.format(START + timedelta(seconds=one.second + ahead(one.second)), 250, one.path) for one in requests]


def wrong(one: Found, requests: Sequence[Request], slack: int = 3) -> list[int]:
    """The lines whose time is not that of their request."""
    assert len(one.seconds) == len(requests)
    return [line for line, (own, right) in enumerate(zip(one.seconds, requests, strict=True), 1) if abs(own - right.second) > slack]


@pytest.mark.parametrize(("zone", "skew"), [(9, 47), (9, -200), (-5, 95), (0, 130), (5.5, -40)])
@pytest.mark.parametrize("other", ["alb.log", "proxy/access.log"])
def test_zone_and_skew_together(tmp_path: Path, zone: float, skew: int, other: str) -> None:
    """The clock is put right as a whole, and each part of it is told."""
    requests = traffic()
    ahead = round(zone * HOURS) + skew
    logs = {other: written(AWS if other == "alb.log" else STATED, requests), "web/app.log": written(NAIVE, requests, lambda _: ahead)}
    one = found(tmp_path, logs)
    name = {9: "+09:00", -5: "-05:00", 0: "UTC", 5.5: "+05:30"}[zone]
    assert one.zones == [(name, "matched")]
    assert [abs(one.skews[0] - skew) <= 3, len(one.skews)] == [True, 1]
    assert wrong(one, requests) == []


def test_the_error_log_beside_it_follows(tmp_path: Path) -> None:
    """A log without requests in the same folder was written by the same clock."""
    requests = traffic()
    errors = [
        f"{START + timedelta(seconds=9 * HOURS + 47 + 100 * n):%Y/%m/%d %H:%M:%S} [error] 7#7: *{n} upstream timed out" for n in range(9)
    ]
    logs = {"alb.log": written(AWS, requests), "web/app.log": written(NAIVE, requests, lambda _: 9 * HOURS + 47), "web/error.log": errors}
    for name, lines in logs.items():
        (tmp_path / "case" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "case" / name).write_text("\n".join(lines) + "\n", "utf-8")
    with closing(open_case(tmp_path / "case", None, partial(settle, moment=START), lambda _: (), cache=tmp_path / "cache")) as case:
        times = [row["time"].replace(tzinfo=UTC) for row in case.rows("SELECT time FROM nginx_error ORDER BY _line")]
    assert [abs((time - START).total_seconds() - 100 * n) <= 3 for n, time in enumerate(times)] == [True] * 9


@pytest.mark.parametrize(
    "ahead",
    [
        pytest.param(2 * HOURS + 1200, id="twenty_minutes_are_no_skew"),
        pytest.param(round(5.5 * HOURS) + 450, id="between_india_and_nepal"),
        pytest.param(20 * HOURS, id="no_zone_is_so_far"),
        pytest.param(9 * HOURS + 900, id="a_quarter_past_nine_is_no_zone"),
    ],
)
def test_what_is_not_plausible_is_not_claimed(tmp_path: Path, ahead: int) -> None:
    """The requests agree, and yet no clock runs so."""
    requests = traffic()
    one = found(tmp_path, {"alb.log": written(AWS, requests), "web/app.log": written(NAIVE, requests, lambda _: ahead)})
    assert one.zones == [("UTC", "assumed")]
    assert one.skews == []


def test_traffic_of_another_site(tmp_path: Path) -> None:
    """The same paths are asked for there, at other times."""
    theirs, own = ([one for one in traffic(seed=seed) if one.path != "/poll"] for seed in (1, 2))
    logs = {"alb.log": written(AWS, theirs), "web/app.log": written(NAIVE, own)}
    one = found(tmp_path, logs)
    assert (one.zones, one.skews) == ([("UTC", "assumed")], [])


def test_pollers_alone(tmp_path: Path) -> None:
    """What comes each minute stands at every difference."""
    polls = [Request(60 * n + 7 * k, f"/poll/{k}") for n in range(40) for k in range(6)]
    logs = {"alb.log": written(AWS, polls), "web/app.log": written(NAIVE, polls, lambda _: 9 * HOURS + 47)}
    one = found(tmp_path, logs)
    assert (one.zones, one.skews) == ([("UTC", "assumed")], [])


@pytest.mark.parametrize(
    ("before", "after", "zones"),
    [
        pytest.param(-5 * HOURS, -4 * HOURS, ["-05:00", "-04:00"], id="summer_time_begins"),
        pytest.param(-4 * HOURS, -5 * HOURS, ["-04:00", "-05:00"], id="summer_time_ends"),
        pytest.param(0, 9 * HOURS, ["UTC", "+09:00"], id="restarted_with_another_zone"),
        pytest.param(9 * HOURS + 60, 60, ["+09:00", "UTC"], id="restarted_with_another_zone_and_off"),
    ],
)
@pytest.mark.parametrize("share", [0.5, 0.85])
def test_the_zone_changes_within_a_log(tmp_path: Path, before: int, after: int, zones: list[str], share: float) -> None:
    """Up to a line it is one, from there on another."""
    requests = traffic()
    change = requests[round(len(requests) * share)].second
    one = found(
        tmp_path,
        {"alb.log": written(AWS, requests), "web/app.log": written(NAIVE, requests, lambda second: after if second >= change else before)},
    )
    assert one.zones == [(zone, "matched") for zone in zones]
    assert wrong(one, requests) == []


@pytest.mark.parametrize("shape", [NAIVE, STATED])
@pytest.mark.parametrize("share", [0.3, 0.85])
@pytest.mark.parametrize("skew", [240, -75])
def test_ntp_sets_a_clock_within_a_log(tmp_path: Path, shape: str, share: float, skew: int) -> None:
    """What was written before is put right, what was written after stays."""
    requests = traffic()
    change = requests[round(len(requests) * share)].second
    one = found(
        tmp_path,
        {"alb.log": written(AWS, requests), "web/app.log": written(shape, requests, lambda second: 0 if second >= change else skew)},
    )
    assert [abs(one.skews[0] - skew) <= 3, len(one.skews)] == [True, 1]
    assert wrong(one, requests) == []


WAF = (
    '{{"timestamp":{0},"formatVersion":1,"webaclId":"arn:aws:wafv2:ap-northeast-1:123456789012:regional/webacl/shop/a","action":"ALLOW",'
    '"terminatingRuleId":"Default_Action","terminatingRuleType":"REGULAR","httpSourceName":"ALB","httpSourceId":"123456789012-app/shop/a",'
    '"httpRequest":{{"clientIp":"203.0.113.5","country":"JP","headers":[],"uri":"{1}","args":"","httpVersion":"HTTP/1.1",'
    '"httpMethod":"GET","requestId":"1-67cfc4e8-{0:024x}"}}}}'
)
APACHE = '10.0.0.7 - - [{0:%d/%b/%Y:%H:%M:%S} +0000] "GET {2} HTTP/1.1" 200 157 "-" "Mozilla/5.0"'


def waits(requests: Sequence[Request], since: int) -> list[Request]:
    """When the requests were done, of which those from a second on took a minute."""
    return sorted(Request(one.second + (60 if one.second >= since else 0), one.path) for one in requests)


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_a_log_of_when_requests_came_is_not_slow_for_their_waiting(tmp_path: Path, share: float) -> None:
    """Apache writes when they came, the balancer when they were done and when they came."""
    requests = traffic(every=10)
    since = requests[round(len(requests) * share)].second
    took = [60 if one.second >= since else 0 for one in requests]
    balancer = [
        AWS.format(START + timedelta(seconds=one.second + more), 250, one.path).replace(
            f"0 {START + timedelta(seconds=one.second + more):%Y-%m-%dT%H:%M:%S}.000",
            f"0 {START + timedelta(seconds=one.second):%Y-%m-%dT%H:%M:%S}.000",
        )
        for one, more in zip(requests, took, strict=True)
    ]
    one = found(tmp_path, {"alb.log": sorted(balancer, key=lambda line: line.split()[1]), "web/app.log": written(APACHE, requests)})
    assert one.skews == []


def test_a_log_of_when_requests_were_done_is_not_fast_for_their_waiting(tmp_path: Path) -> None:
    """WAF writes when they came; after a pause all that nginx writes are a minute behind."""
    requests = traffic(every=10)
    waf = [WAF.format(round((START + timedelta(seconds=one.second)).timestamp() * 1000), one.path) for one in requests]
    since = requests[len(requests) // 2].second
    one = found(tmp_path, {"waf.log": waf, "web/app.log": written(STATED.replace(" rt=0.040", ""), waits(requests, since))})
    assert one.skews == []


@pytest.mark.parametrize(("status", "skews"), [(504, []), (200, [60])])
def test_all_of_a_log_is_a_minute_behind_the_firewalls(tmp_path: Path, status: int, skews: list[int]) -> None:
    """Requests that timed out took the minute; where they were answered well, the clock is off."""
    requests = traffic(every=10)
    waf = [WAF.format(round((START + timedelta(seconds=one.second)).timestamp() * 1000), one.path) for one in requests]
    host = written(STATED.replace(" rt=0.040", "").replace(" 200 157", f" {status} 157"), waits(requests, 0))
    assert found(tmp_path, {"waf.log": waf, "web/app.log": host}).skews == skews


def test_a_log_over_new_year_writes_no_year(tmp_path: Path) -> None:
    """December is of the old year and January of the new one, and the zone is told from both."""
    errors = "{0:%b %e %H:%M:%S} web-1 app[311]: GET {2} 200 in 40 ms"
    start = datetime(2024, 12, 31, 14, 30, tzinfo=UTC)
    requests = traffic(60, every=60)
    (tmp_path / "case").mkdir()
    for name, shape, ahead in (("alb.log", AWS, 0), ("syslog", errors, 9 * HOURS)):
        lines = [shape.format(start + timedelta(seconds=one.second + ahead), 0, one.path) for one in requests]
        (tmp_path / "case" / name).write_text("\n".join(lines) + "\n", "utf-8")
    with closing(open_case(tmp_path / "case", None, partial(settle, moment=None), lambda _: (), cache=tmp_path / "cache")) as case:
        years = {row["time"].replace(tzinfo=UTC) > start - timedelta(hours=10) for row in case.rows("SELECT time FROM syslog")}
        span = case.rows("SELECT max(time) - min(time) AS span FROM syslog")[0]["span"]
    assert years == {True}
    assert span < timedelta(hours=3)


def pair(number: int, seconds: float, key: str = "") -> Pair:
    """A record on a line of its own."""
    return Pair(number, number, key or f"/{number % 7}", 1000.0 * number, seconds)


def test_pieces_that_stand_among_each_other_are_none() -> None:
    """Two hosts write one log: whose clock is which is not told by a line."""
    assert pieces([pair(number, 3600 * (number % 2)) for number in range(40)], (0.0, 100_000.0)) == []
    ordered = pieces([pair(number, 3600 * (number >= 20)) for number in range(40)], (0.0, 100_000.0))
    assert ordered == [Piece(0, 20), Piece(3600, 20, 20, 20)]


def test_few_requests_tell_nothing() -> None:
    """Four agree by chance, and a fifth of one path with them."""
    assert pieces([pair(number, 32_447) for number in range(4)], (0.0, 100_000.0)) == []
    assert pieces([pair(number, 32_447, "/one") for number in range(30)], (0.0, 100_000.0)) == []
    assert pieces([pair(number, 32_447) for number in range(6)], (-50_000.0, 100_000.0)) == [Piece(32_447, 6)]


def test_a_crawler_that_comes_round_again_tells_no_zone_but_its_own(tmp_path: Path) -> None:
    """In the access log each path is asked for too often to be compared, in the error log, which has but those it limited, it is not."""
    requests = [Request(round(1.1 * n), f"/products/{n % 40}") for n in range(2500)]
    limited = [one for n, one in enumerate(requests) if n % 100 > 40]
    text = "{0:%Y-%m-%d %H:%M:%S},{1:03d} WARNING [shop.limits] GET {2} 429 in 1 ms"
    served = [Request(second, f"/products/{second % 40}") for second in range(7, 9000, 61)]
    logs = {
        "proxy/access.log": written(STATED, requests),
        "app.log": written(STATED, served),
        "web/app.log": written(text, limited, lambda _: 9 * HOURS),
    }
    assert found(tmp_path, logs).zones == [("+09:00", "matched")]


@pytest.mark.parametrize(("ahead", "zone"), [(0, "UTC"), (9 * HOURS, "+09:00")])
def test_a_few_that_meet_by_chance_are_no_zone(tmp_path: Path, ahead: int, zone: str) -> None:
    """Three of a hundred requests for popular paths stand at some zone, whatever the clock."""
    requests = [Request(one.second, f"/items/{n % 6}") for n, one in enumerate(traffic(150, seed=11, every=30)) if one.path != "/poll"]
    right = found(tmp_path / "right", {"alb.log": written(AWS, requests), "web/app.log": written(NAIVE, requests, lambda _: ahead)})
    assert right.zones == [(zone, "matched")]
    wrong_zone = found(
        tmp_path / "odd", {"alb.log": written(AWS, requests), "web/app.log": written(NAIVE, requests, lambda _: ahead + 1200)}
    )
    assert (wrong_zone.zones, wrong_zone.skews) == ([("UTC", "assumed")], [])
