"""The traffic of the day: ordinary people, health checks, scanners, decoys, and the person who reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from incidents import verdicts
from incidents.people import SCANNERS, Page, Person, crowd, pages, reporter
from incidents.plan import draw
from incidents.request import Decision, Hop, Request, Role, Trouble
from incidents.site import OLD_OFFICE

if TYPE_CHECKING:
    from random import Random

    from incidents.plan import Fate, Plan
    from incidents.site import Site

DAY = (2, 1, 1, 1, 1, 2, 5, 20, 55, 95, 100, 100, 75, 90, 100, 100, 95, 80, 60, 40, 30, 20, 10, 5)
"""Traffic by hour of the day, in percent of its height."""

CHECK = Page("GET", "/api/ping", "", 200, 0.004, 15, static=False, weight=0)
CHECK_AGENT = "ELB-HealthChecker/2.0"
ANSWERS: dict[Fate, tuple[Hop, Trouble]] = {
    "balancer_fixed": ("alb", ""),
    "nginx_rule": ("nginx", "deny"),
    "nginx_index": ("nginx", "index"),
    "nginx_permission": ("nginx", "permission"),
    "app": ("app", "forbidden"),
    "app_counted": ("app", "forbidden"),
    "fine": ("app", ""),
}
"""Who answers the reported request, and what the trouble is; WAF where nothing stands."""


def traffic(site: Site, plan: Plan) -> list[Request]:
    """All requests in the order of their arrival."""
    requests = [*_people(site, plan), *_checks(site, plan), *_session(site, plan), *_reported(site, plan), *_decoys(site, plan)]
    requests += [*_scanners(site, plan), *_burst(site, plan), *_old_office(site, plan)]
    return sorted((one for one in requests if site.start <= one.arrived < site.end), key=lambda one: (one.arrived, one.trace))


def request(site: Site, chance: Random, at: datetime, who: Person, page: Page) -> Request:
    """A request that passes and is answered as the page says."""
    number = str(chance.randint(1, 4200))
    at = at.replace(microsecond=chance.randrange(1000) * 1000 + chance.randrange(1000))
    return Request(
        arrived=at,
        seconds=round(page.seconds * chance.lognormvariate(0, 0.4) + 0.001, 3),
        client=who.client,
        country=who.country,
        agent=who.agent,
        method=page.method,
        path=page.path.replace("#", number),
        query=page.query.replace("#", number),
        referer=f"https://{site.domain}{site.prefix}/dashboard" if who.user and chance.random() < 0.7 else "",  # noqa: PLR2004
        status=page.status,
        sent=int(page.size * chance.uniform(0.9, 1.1)) if page.size > 2000 else page.size,  # noqa: PLR2004 - small answers do not vary
        received=chance.randint(420, 980) + (chance.randint(80, 900) if page.method == "POST" else 0),
        answered_by="nginx" if page.static else "app",
        decision=verdicts.passing(site),
        node=chance.randrange(len(site.nodes)),
        host=chance.randrange(len(site.hosts)),
        port=chance.randint(20000, 64999),
        trace=f"1-{int(at.timestamp()):08x}-{chance.getrandbits(96):024x}",
        user=who.user,
    )


def blocked(one: Request, decision: Decision, role: Role = "scanner") -> Request:
    """The same request, ended by WAF."""
    status = decision.response or 403
    return replace(one, decision=decision, answered_by="waf", status=status, seconds=0.002, sent=520, role=role, trouble="")


def failed(one: Request, status: int, hop: Hop, trouble: Trouble, role: Role = "decoy") -> Request:
    """The same request, refused by a component behind the balancer."""
    return replace(one, status=status, answered_by=hop, trouble=trouble, sent={"nginx": 153, "app": 179}.get(hop, 134), role=role)


def _people(site: Site, plan: Plan) -> list[Request]:
    chance, everybody, all_pages = draw(plan, "people"), crowd(plan), pages(site)
    zone = ZoneInfo(plan.reporter_zone)
    found: list[Request] = []
    at = site.start
    while True:
        at += timedelta(seconds=chance.expovariate(plan.requests_per_hour / 3600))
        if at >= site.end:
            return found
        if chance.random() * 100 > DAY[at.astimezone(zone).hour]:
            continue
        page = chance.choices(all_pages, [page.weight for page in all_pages])[0]
        kind = chance.random()
        decision = verdicts.counted(site) if kind < 0.03 else verdicts.counted_inside(site) if kind < 0.04 else verdicts.passing(site)  # noqa: PLR2004
        one = replace(request(site, chance, at, chance.choice(everybody), page), decision=decision)
        if not page.static and kind > 0.985:  # noqa: PLR2004
            one = failed(replace(one, path=f"{site.prefix}/old/{chance.randint(10, 99)}", query=""), 404, "app", "not_found", "")
        found.append(one)


def _checks(site: Site, plan: Plan) -> list[Request]:
    chance, found = draw(plan, "checks"), []
    for node in range(len(site.nodes)):
        for host in range(len(site.hosts)):
            at = site.start + timedelta(seconds=chance.uniform(0, plan.check_seconds))
            while at < site.end:
                one = request(site, chance, at, Person("", "", CHECK_AGENT, ""), CHECK)
                found.append(replace(one, decision=None, node=node, host=host, role="check", referer="", received=130))
                at += timedelta(seconds=plan.check_seconds + chance.uniform(-0.05, 0.05))
    return found


def _session(site: Site, plan: Plan) -> list[Request]:
    """The person who reports, using other pages before and after."""
    chance, who = draw(plan, "session"), reporter(site, plan)
    useful = [page for page in pages(site) if not page.static and page.method == "GET"]
    found, at = [], site.moment - timedelta(minutes=14)
    while at < site.moment + timedelta(minutes=11):
        one = replace(request(site, chance, at, who, chance.choice(useful)), role="session")
        near = abs(at - site.moment) < timedelta(minutes=4)
        if site.fate in verdicts.WHOLE_CLIENT:
            one = blocked(one, verdicts.on_reported(site), "session")
        if not (site.fate == "rate" and near):
            found.append(one)
        at += timedelta(seconds=chance.uniform(18, 75))
    return found


def _reported(site: Site, plan: Plan) -> list[Request]:
    """Three tries, two of them within the minute that the person names."""
    chance, who = draw(plan, "reported"), reporter(site, plan)
    page = Page(site.method, site.path, "", site.status, 0.08, 9000, static=False, weight=0)
    first = -45 if site.fate == "rate" else -170
    found = []
    for offset in (first, chance.randint(3, 14), chance.randint(31, 52)):
        at = site.moment + timedelta(seconds=offset)
        one = replace(request(site, chance, at, who, page), role="reported")
        if site.fate in {"managed_size", "oversize"}:
            one = replace(one, received=chance.randint(11_000, 48_000))
        hop, trouble = ANSWERS.get(site.fate, ("waf", ""))
        if hop == "waf":
            one = blocked(one, verdicts.on_reported(site), "reported")
        elif site.fate == "fine":
            one = replace(one, status=200)
        else:
            one = replace(failed(one, site.status, hop, trouble, "reported"), decision=verdicts.on_reported(site))
        found.append(one)
    return found


def _decoys(site: Site, plan: Plan) -> list[Request]:
    """Failures that have nothing to do with the report: a form refused, a page that is not there, an address denied an hour before."""
    chance, people = draw(plan, "decoys"), [one for one in crowd(plan) if one.user and one.client != site.reporter]
    form = Page("POST", f"{site.prefix}/contact", "", 400, 0.06, 179, static=False, weight=0)
    gone = Page("GET", f"{site.prefix}/help/old-guide", "", 404, 0.02, 179, static=False, weight=0)
    status = Page("GET", "/internal/status", "", 403, 0.001, 153, static=False, weight=0)
    logo = Page("GET", "/static/logo@2x.png", "", 404, 0.001, 153, static=False, weight=0)
    some = pages(site)[1]

    def at(seconds: float) -> datetime:
        return site.moment + timedelta(seconds=seconds)

    found = [
        failed(request(site, chance, at(-70), chance.choice(people), gone), 404, "app", "not_found"),
        failed(request(site, chance, at(95), chance.choice(people), form), 400, "app", "bad_request"),
        failed(request(site, chance, at(-3675), chance.choice(people), status), 403, "nginx", "deny"),
        failed(request(site, chance, at(-1500), chance.choice(people), logo), 404, "nginx", "missing_file"),
        replace(request(site, chance, at(-31), chance.choice(people), some), decision=verdicts.counted(site), role="decoy"),
        replace(request(site, chance, at(140), chance.choice(people), some), decision=verdicts.counted_inside(site), role="decoy"),
    ]
    if site.fate != "fine":
        crash = request(site, chance, at(-5400), chance.choice(people), pages(site)[7])
        found.append(replace(failed(crash, 500, "app", "crash"), sent=145))
    return found


def _scanners(site: Site, plan: Plan) -> list[Request]:
    """Noise at other times of the day, one probe near the moment, and, where the plan says so, a whole burst at the moment."""
    chance, found = draw(plan, "scanners"), []
    length = (site.end - site.start).total_seconds()
    starts = [site.start + timedelta(seconds=chance.uniform(0, length)) for _ in range(4)]
    bursts = [(at, chance.randint(5, 12)) for at in starts if abs(at - site.moment) > timedelta(minutes=45)]
    if plan.scanner_burst:
        bursts.append((site.moment - timedelta(seconds=50), 14))
    for start, count in bursts:
        who = Person(f"192.0.2.{chance.randint(20, 90)}", chance.choice(("NL", "US", "RU", "CN")), chance.choice(SCANNERS), "")
        at = start
        for _ in range(count):
            found.append(_probe(site, chance, at, who))
            at += timedelta(seconds=chance.uniform(0.4, 6))
    if plan.scanner_at_moment:
        who = Person(f"192.0.2.{chance.randint(20, 90)}", "NL", SCANNERS[0], "")
        page = Page("GET", "/wp-login.php", "", 403, 0.002, 520, static=False, weight=0)
        probe = request(site, chance, site.moment + timedelta(seconds=150), who, page)
        found.append(blocked(probe, verdicts.managed(verdicts.CORE, "UserAgent_BadBots_HEADER")))
    return found


def _probe(site: Site, chance: Random, at: datetime, who: Person) -> Request:
    path, query, decision = verdicts.scanner(chance)
    if decision and decision.inner == "UserAgent_BadBots_HEADER":
        who = replace(who, agent=SCANNERS[0])
    if site.fate == "default_action":
        decision = decision or Decision("BLOCK")
    one = request(site, chance, at, who, Page("GET", path, query, 404, 0.01, 179, static=False, weight=0))
    return blocked(one, decision) if decision else failed(one, 404, "app", "not_found", "scanner")


def _burst(site: Site, plan: Plan) -> list[Request]:
    """Where a rate rule is guilty: the whole office behind one address, until the limit is passed."""
    if site.fate != "rate":
        return []
    chance, useful = draw(plan, "burst"), [page for page in pages(site) if page.method == "GET"]
    people = [replace(reporter(site, plan), user=f"u{1200 + index}") for index in range(6)]
    found = []
    for _ in range(int(site.rate_limit * 1.6)):
        offset = chance.uniform(-285, 75)
        one = request(site, chance, site.moment + timedelta(seconds=offset), chance.choice(people), chance.choice(useful))
        found.append(blocked(one, verdicts.on_reported(site), "session") if offset > -60 else replace(one, role="session"))  # noqa: PLR2004
    return found


def _old_office(site: Site, plan: Plan) -> list[Request]:
    """Where the plan says so: people of the old office use the reported path meanwhile, without trouble."""
    if not plan.others_pass:
        return []
    chance = draw(plan, "old office")
    agent = reporter(site, plan).agent
    page = Page(site.method, site.path, "", 200, 0.09, 9100, static=False, weight=0)
    people = [Person(str(OLD_OFFICE[index]), "JP", agent, f"u10{index}") for index in (7, 12)]
    return [
        request(site, chance, site.moment + timedelta(minutes=minutes), chance.choice(people), page) for minutes in (-52, -25, -6, 4, 33)
    ]
