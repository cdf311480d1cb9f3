"""Days of a site's traffic with all that is usual in it, and, on demand, one failure: what finding without a symptom is measured by.

What is usual: a rhythm of the day, an hour when everybody comes, signing in by redirects, dead links, scanners that look like browsers,
a session that ended while a page goes on asking, a form filled in wrongly, a server error here and there, and, where it goes over
several days, a job that asks each night for what is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import cos, pi
from random import Random
from typing import TYPE_CHECKING, Literal, get_args

from incidents.people import BROWSERS
from incidents.weblogs import clf_time

if TYPE_CHECKING:
    from collections.abc import Iterator

Trouble = Literal["outage", "broken page", "slow burn", "refused", "signed out", "gone", "throttled", "loop", "one page always", "always"]
TROUBLES: tuple[Trouble, ...] = get_args(Trouble)
LASTING = frozenset({"slow burn", "refused", "gone"})
"""Troubles that are still there when the log ends."""
STEADY = frozenset({"one page always", "always"})
"""Troubles that are there from the first line to the last."""
STATUS: dict[str, int] = {
    "outage": 502,
    "broken page": 500,
    "slow burn": 504,
    "refused": 403,
    "signed out": 401,
    "gone": 404,
    "throttled": 429,
    "loop": 302,
    "one page always": 500,
    "always": 502,
}
SHARES: dict[str, tuple[float, float]] = {
    "outage": (0.5, 1.0),
    "broken page": (0.6, 1.0),
    "slow burn": (0.15, 0.4),
    "refused": (1.0, 1.0),
    "signed out": (0.9, 1.0),
    "gone": (1.0, 1.0),
    "throttled": (0.3, 0.6),
    "loop": (1.0, 1.0),
    "one page always": (1.0, 1.0),
    "always": (0.05, 0.2),
}
"""The share of the requests that meet the trouble."""
EVERYWHERE = frozenset({"outage", "throttled", "loop", "signed out", "always"})
PAGES = (
    "/",
    *("/orders", "/orders/#", "/search", "/profile", "/api/v1/cart", "/api/v1/items/#", "/api/v1/messages", "/reports/monthly"),
    *("/help", "/static/app.js"),
)
DEAD = ("/old/#", "/favicon-32.png", "/blog/feed", "/apple-touch-icon.png")
DOORS = ("/admin", "/backup", "/console", "/login.do", "/manager/html", "/server-status", "/test", "/db", "/shell", "/config", "/old-site")
MOMENT = datetime(2025, 3, 11, tzinfo=UTC)


@dataclass(frozen=True)
class Hit:
    """One request: when it was answered (UTC), who asked for what, with what, and the answer."""

    at: datetime
    client: str
    agent: str
    method: str
    path: str
    status: int


@dataclass(frozen=True)
class Day:
    """The requests in order of time, and those that met the trouble. ``path`` is null where the trouble is everywhere."""

    hits: tuple[Hit, ...]
    failing: tuple[Hit, ...]
    status: int
    path: str | None


def day(seed: int, trouble: Trouble | None = None, *, hours: float = 6, per_minute: float = 8) -> Day:
    """The traffic of some hours; equal arguments give equal traffic."""
    chance = Random(f"{seed}/{trouble}/{hours}")
    start = MOMENT + timedelta(minutes=chance.randrange(1440))
    end = start + timedelta(hours=hours)
    usual = sorted(_usual(chance, start, end, per_minute), key=lambda hit: hit.at)
    if trouble is None:
        return Day(tuple(usual), (), 0, None)
    since, until = start, end
    if trouble not in STEADY:
        since = start + (end - start) * chance.uniform(0.25, 0.7)
        until = end if trouble in LASTING else since + timedelta(minutes=chance.uniform(6, 40))
    share, path = chance.uniform(*SHARES[trouble]), None if trouble in EVERYWHERE else chance.choice(PAGES[1:9])
    hits, failing = [], []
    for hit in usual:
        met = since <= hit.at < until and hit.status < 400 and (path is None or _kind(hit.path) == path)  # noqa: PLR2004 - what went well
        if met and chance.random() < share:
            failing.append(Hit(hit.at, hit.client, hit.agent, hit.method, hit.path, STATUS[trouble]))
            hits.append(failing[-1])
        else:
            hits.append(hit)
    return Day(tuple(hits), tuple(failing), STATUS[trouble], path)


def nginx_lines(hits: tuple[Hit, ...]) -> str:
    """The requests as nginx writes them in its format "combined"."""
    return "".join(
        f'{hit.client} - - [{clf_time(hit.at)}] "{hit.method} {hit.path} HTTP/1.1" {hit.status} 512 "-" "{hit.agent}"\n' for hit in hits
    )


def _kind(path: str) -> str:
    """The path as it stands in ``PAGES``."""
    return "/".join("#" if part.isdigit() else part for part in path.split("/"))


def _address(chance: Random) -> str:
    return f"{chance.choice(('198.51.100', '203.0.113', '192.0.2'))}.{chance.randint(1, 254)}"


def _usual(chance: Random, start: datetime, end: datetime, per_minute: float) -> Iterator[Hit]:
    crowd = [(_address(chance), chance.choice(BROWSERS)) for _ in range(60)]
    wrong, lost = chance.uniform(0, 0.002), chance.uniform(0.002, 0.02)
    rush = start + (end - start) * chance.random()
    at = start
    while at < end:
        rhythm = 1.0 - 0.8 * cos(2 * pi * (at.hour + at.minute / 60 - 3) / 24)
        pace = per_minute * rhythm * (4 if rush <= at < rush + timedelta(minutes=25) else 1)
        at += timedelta(seconds=chance.expovariate(pace / 60))
        client, agent = chance.choice(crowd)
        page = chance.choice(DEAD if chance.random() < lost else PAGES).replace("#", str(chance.randint(10, 9999)))
        status = 404 if _kind(page) in DEAD else 500 if chance.random() < wrong else 499 if chance.random() < 0.002 else 200  # noqa: PLR2004
        yield Hit(at, client, agent, "GET", page, status)
        if chance.random() < 0.04:  # noqa: PLR2004 - who comes signs in first
            yield Hit(at + timedelta(seconds=1), client, agent, "GET", "/account", 302)
            yield Hit(at + timedelta(seconds=9), client, agent, "POST", "/login", 302)
    for _ in range(int((end - start) / timedelta(hours=4)) + 1):
        yield from _scanner(chance, start + (end - start) * chance.random())
        yield from _alone(chance, *chance.choice(crowd), start + (end - start) * chance.random())
    yield from _nights(chance, start, end)


def _scanner(chance: Random, at: datetime) -> Iterator[Hit]:
    """One that tries doors, and says that it is a browser."""
    client, agent = f"192.0.2.{chance.randint(1, 254)}", BROWSERS[0]
    for _ in range(chance.randint(20, 120)):
        at += timedelta(seconds=chance.uniform(0.1, 2))
        yield Hit(at, client, agent, "GET", f"{chance.choice(DOORS)}{chance.choice(('', '/', '.bak', '.zip', '/index'))}", 404)
    for _ in range(chance.randint(0, 12)):
        at += timedelta(seconds=chance.uniform(0.1, 2))
        yield Hit(at, client, agent, "GET", chance.choice(DOORS), 403)


def _alone(chance: Random, client: str, agent: str, at: datetime) -> Iterator[Hit]:
    """What one client brings upon itself: an ended session, or a form filled in wrongly."""
    status, path, pause = chance.choice(((401, "/api/v1/messages", 10), (422, "/profile", 25), (400, "/search", 20)))
    for _ in range(chance.randint(6, 60) if status == 401 else chance.randint(4, 9)):  # noqa: PLR2004 - pages go on by themselves
        at += timedelta(seconds=pause * chance.uniform(0.8, 1.2))
        yield Hit(at, client, agent, "GET" if status == 401 else "POST", path, status)  # noqa: PLR2004 - as above


def _nights(chance: Random, start: datetime, end: datetime) -> Iterator[Hit]:
    """The job at three each night, where there is more than one."""
    night = start.replace(hour=3, minute=0, second=0)
    while night < end and end - start > timedelta(days=2):
        at = night
        for number in range(chance.randint(150, 220)):
            at += timedelta(seconds=chance.uniform(0.5, 4))
            if start <= at < end:
                yield Hit(
                    at, f"203.0.113.{number % 4 + 1}", "item-sync/1.4", "GET", f"/api/v1/items/{number + 20}", chance.choice((200, 404))
                )
        night += timedelta(days=1)
