"""Who uses the site, with what, and what they look at. Addresses are from the ranges kept for documentation."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

from incidents.plan import draw, pick
from incidents.site import NEW_OFFICE, OLD_OFFICE

if TYPE_CHECKING:
    from random import Random

    from incidents.plan import Plan
    from incidents.site import Site

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:134.0) Gecko/20100101 Firefox/134.0",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.2 Mobile/15E148 Safari/604.1"
    ),
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Mobile Safari/537.36",
)
PHONE_APP = "okhttp/4.12.0"
CRAWLERS = (
    "Mozilla/5.0 (compatible; examplebot/2.1; +https://bot.example.com/)",
    "curl/8.5.0",
)
SCANNERS = (
    "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
    "python-requests/2.31.0",
    "Go-http-client/1.1",
)
CROWD = ("192.0.2.128/26", "198.51.100.128/25", "203.0.113.128/25")
NOUNS: dict[str, tuple[str, ...]] = {
    "orders": ("orders", "invoices", "customers"),
    "ledger": ("entries", "accounts", "closings"),
    "backoffice": ("tickets", "customers", "shifts"),
    "catalog": ("products", "prices", "suppliers"),
    "booking": ("rooms", "bookings", "guests"),
    "members": ("members", "points", "coupons"),
}


@dataclass(frozen=True)
class Person:
    """One who uses the site. ``user`` is the name in the application, empty for one who has not signed in."""

    client: str
    country: str
    agent: str
    user: str


@dataclass(frozen=True)
class Page:
    """Something to ask for; ``static`` files are answered by nginx itself. ``seconds`` is a usual time, ``size`` a usual length."""

    method: str
    path: str
    query: str
    status: int
    seconds: float
    size: int
    static: bool
    weight: int


def reporter(site: Site, plan: Plan) -> Person:
    """The person who reports: a browser of the new office, or the telephone's application where an API fails."""
    agent = PHONE_APP if site.fate in {"captcha", "challenge"} else pick(plan, "reporter's browser", BROWSERS[:4])
    return Person(site.reporter, site.country, agent, f"u{draw(plan, 'reporter user').randint(1100, 1999)}")


def crowd(plan: Plan) -> list[Person]:
    """A few dozen other people, some of them in either office, some on IPv6, a few crawlers."""
    chance = draw(plan, "crowd")
    people = [_person(chance, str(ip_network(chance.choice(CROWD))[chance.randint(1, 60)])) for _ in range(26)]
    people += [
        _person(chance, f"2001:db8:{chance.randint(1, 6):x}:{chance.getrandbits(12):x}::{chance.getrandbits(12):x}") for _ in range(4)
    ]
    people += [_person(chance, str(OLD_OFFICE[chance.randint(1, 60)])) for _ in range(4)]
    people += [_person(chance, str(NEW_OFFICE[61 + index])) for index in range(2)]
    people += [Person(str(ip_network("192.0.2.192/26")[3 + index]), "US", agent, "") for index, agent in enumerate(CRAWLERS)]
    return people


def _person(chance: Random, client: str) -> Person:
    country = chance.choices(("JP", "US", "SG", "-"), (90, 5, 4, 1))[0]
    user = f"u{chance.randint(2000, 4999)}" if chance.random() < 0.8 else ""  # noqa: PLR2004
    return Person(client, country, chance.choice(BROWSERS), user)


def nouns(site: Site) -> tuple[str, ...]:
    """What the application deals with."""
    return NOUNS.get(site.app, ("items", "groups", "records"))


def pages(site: Site) -> tuple[Page, ...]:
    """What there is to look at; none of it lies under the reported path."""
    base = site.prefix
    first, second, third = nouns(site)
    return (
        Page("GET", f"{base}/", "", 200, 0.05, 6120, static=False, weight=8),
        Page("GET", f"{base}/dashboard", "", 200, 0.12, 14210, static=False, weight=14),
        Page("GET", f"{base}/{first}", "page=#", 200, 0.18, 18840, static=False, weight=14),
        Page("GET", f"{base}/{first}/#", "", 200, 0.09, 9310, static=False, weight=14),
        Page("POST", f"{base}/{first}/#", "", 302, 0.14, 0, static=False, weight=5),
        Page("GET", f"{base}/{second}", "", 200, 0.15, 12035, static=False, weight=9),
        Page("GET", f"{base}/{third}/#", "", 200, 0.07, 7742, static=False, weight=8),
        Page("GET", f"{base}/search", "q=#", 200, 0.31, 15990, static=False, weight=6),
        Page("POST", f"{base}/login", "", 302, 0.22, 0, static=False, weight=4),
        Page("GET", f"{base}/login", "", 200, 0.03, 3880, static=False, weight=5),
        Page("GET", f"{base}/help", "", 200, 0.04, 8120, static=False, weight=3),
        Page("GET", "/static/app.css", "v=20250120", 200, 0.001, 48213, static=True, weight=5),
        Page("GET", "/static/app.js", "v=20250120", 304, 0.001, 0, static=True, weight=5),
        Page("GET", "/favicon.ico", "", 200, 0.001, 1150, static=True, weight=2),
    )
