"""The traffic of some hours: ordinary people, health checks, scanners, decoys, and the requests that meet the trouble."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incidents.edge.call import Call, Role, failing, maker, passing
from incidents.people import BROWSERS, SCANNERS
from incidents.plan import draw

if TYPE_CHECKING:
    from random import Random

    from incidents.edge.fault import Fault
    from incidents.edge.place import Place

PROGRAMS = ("okhttp/4.12.0", "python-requests/2.31.0", "Go-http-client/2.0", "Apache-HttpClient/4.5.14 (Java/17.0.9)", "axios/1.6.7")
CHECK_AGENT = "ELB-HealthChecker/2.0"
CHECK_PATH = "/healthz"
PROBED = (
    "/.env",
    "/wp-login.php",
    "/phpmyadmin/index.php",
    "/.git/config",
    "/vendor/phpunit/phpunit/phpunit.xml",
    "/cgi-bin/luci",
    "/actuator/env",
)
STATIC = {"/static/site.css": 48213, "/static/site.js": 122011, "/static/logo.svg": 3120, "/favicon.ico": 1150}
DYNAMIC = ("/", "/home", "/list", "/items/#", "/search", "/profile", "/settings", "/notices", "/items/#/edit", "/messages")
OWN_RULE, OTHER_RULE = "10", "20"
"""Priorities of the listener's rules where the default action does not forward."""
NEAR = timedelta(minutes=25)
"""Nothing of the reported status happens on other paths as near to the moment as this, but for what the trouble itself does."""


@dataclass(frozen=True)
class Told:
    """What the person can say: the request that failed, and from where."""

    method: str
    path: str
    client: str
    agent: str


def reported(place: Place, fault: Fault) -> Told:
    """The request that the person reports, drawn from what the fault asks for."""
    plan, ask = place.plan, fault.ask
    chance = draw(plan, "reported")
    path = place.prefix + chance.choice(ask.tails)
    agents = {"browser": BROWSERS, "program": PROGRAMS, "probe": SCANNERS}[ask.agent]
    return Told(chance.choice(ask.methods), path, f"203.0.113.{chance.randint(20, 250)}", chance.choice(agents))


def traffic(place: Place, fault: Fault) -> list[Call]:
    """All requests in the order of their arrival, numbered."""
    told = reported(place, fault)
    ordinary = [*_people(place, told), *_checks(place, fault), *_scanners(place), *_decoys(place, told, fault)]
    calls = [*(_hit(place, fault, one) for one in ordinary), *_quick(place, told, fault), *_failing(place, told, fault)]
    for index, other in enumerate(fault.others):
        calls += _second(place, other, index)
    calls = [_by_rule(one, told.path) for one in calls] if "default" in fault.settings else calls
    calls = sorted((one for one in calls if place.start <= one.at < place.end), key=lambda one: (one.at, one.trace))
    return _begun([replace(one, number=number) for number, one in enumerate(calls)], fault)


def _by_rule(one: Call, path: str) -> Call:
    """The same, forwarded by a rule of the listener whose default action does something else: the path's own, or that of all others."""
    seen = one.seen.get("alb")
    if seen is None or "matched_rule_priority" in seen.fields:
        return one
    priority = OWN_RULE if one.path == path else OTHER_RULE
    return replace(one, seen={**one.seen, "alb": replace(seen, fields={**seen.fields, "matched_rule_priority": priority})})


def _begun(calls: list[Call], fault: Fault) -> list[Call]:
    """The same; lines that are written when a trouble begins are given to the first request of each host that meets it."""
    for trouble, role in ((fault, ("reported", "victim")), *((other, ("other",)) for other in fault.others)):
        first = [line for line in trouble.said if line.once]
        met = [index for index, one in enumerate(calls) if one.role in role]
        for host in range(2):
            mine = [index for index in met if calls[index].host == host]
            if first and mine:
                calls[mine[0]] = replace(calls[mine[0]], said=(*first, *calls[mine[0]].said))
    return calls


def call(place: Place, chance: Random, at: datetime, told: Told, received: tuple[int, int] = (420, 1900)) -> Call:
    """A request that nobody has answered yet."""
    at = at.replace(microsecond=chance.randrange(1_000_000))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    digits = f"{chance.getrandbits(128):032x}"
    return Call(
        number=0,
        at=at,
        client=told.client,
        agent=told.agent,
        method=told.method,
        path=told.path,
        query="",
        user=f"u{chance.randint(1000, 9999)}" if chance.random() < 0.7 else "",  # noqa: PLR2004 - most have signed in
        host=chance.randrange(len(place.hosts)),
        node=chance.randrange(len(place.nodes)),
        port=chance.randint(20_000, 64_999),
        received=chance.randint(*received),
        sent=chance.randint(900, 24_000),
        trace=f"1-{int(at.timestamp()):08x}-{chance.getrandbits(96):024x}",
        edge_id="".join(chance.choices(letters, k=54)) + "==",
        api_id=f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-b{digits[17:20]}-{digits[20:]}",
        pid=chance.randint(1400, 32_000),
    )


def answered(place: Place, chance: Random, one: Call, status: int = 200, by: str = "") -> Call:
    """The same request, answered by a component (the innermost if none is named) in the usual time."""
    inner = by or place.stack[-1]
    seconds = round(chance.lognormvariate(-2.6, 0.6), 3) if not by else 0.001
    sent = one.sent if status < 300 else 0 if status in {302, 304} else 179  # noqa: PLR2004 - as an error page is long
    return replace(one, seen=passing(place.stack, status, seconds, inner), sent=sent, by=inner)


def met(place: Place, chance: Random, one: Call, fault: Fault, role: Role) -> Call:
    """The same request, when it meets the fault."""
    seconds = round(chance.uniform(*fault.seconds), 3)
    ask, low = fault.ask, fault.status < 400  # noqa: PLR2004 - no error
    said = tuple(line for line in fault.said if not line.once)
    return replace(
        one,
        seen=failing(place.stack, fault, seconds),
        waf=fault.fields.get("waf", {}),
        said=said,
        role=role,
        protocol=ask.protocol,
        query=ask.query if role == "reported" else one.query,
        sent=one.sent if low else chance.choice((122, 138, 157, 520)),
        by=maker(place.stack, fault),
    )


def window(place: Place, fault: Fault) -> tuple[datetime, datetime]:
    """From when to when the trouble lasts."""
    length = timedelta(minutes=fault.minutes)
    begin = place.moment - length * draw(place.plan, "onset").uniform(0.35, 0.6)
    return begin, begin + length


def _people(place: Place, told: Told) -> list[Call]:
    chance, found = draw(place.plan, "people"), []
    crowd = [(f"198.51.100.{chance.randint(2, 250)}", chance.choice(BROWSERS)) for _ in range(24)]
    crowd += [(f"2001:db8:{chance.randint(1, 9)}::{chance.getrandbits(12):x}", chance.choice(BROWSERS)) for _ in range(3)]
    crowd.append((told.client, told.agent if told.agent in BROWSERS else BROWSERS[0]))
    pace, at = chance.uniform(14, 30), place.start
    while at < place.end:
        at += timedelta(seconds=chance.expovariate(1 / pace))
        client, agent = chance.choice(crowd)
        static = chance.random() < 0.25 and "nginx" in place.stack  # noqa: PLR2004 - a quarter are files
        if static:
            path = chance.choice(list(STATIC))
            one = answered(place, chance, call(place, chance, at, Told("GET", path, client, agent)), by="nginx")
            found.append(replace(one, sent=STATIC[path]))
            continue
        path = place.prefix + chance.choice(DYNAMIC).replace("#", str(chance.randint(1, 900)))
        method = "POST" if path.endswith("/edit") else "GET"
        one = call(place, chance, at, Told(method, path, client, agent))
        found.append(answered(place, chance, one, 302 if method == "POST" else 200))
    return found


def _checks(place: Place, fault: Fault) -> list[Call]:
    """The balancer's health checks, which it does not log itself; those of the time of trouble fare as the fault's settings say."""
    balancer = next((hop for hop in place.stack if hop in {"alb", "clb"}), None)
    if balancer is None or place.stack[-1] == "lambda":
        return []
    chance, found = draw(place.plan, "checks"), []
    begin, over = window(place, fault)
    fate = fault.settings.get("check", "200")
    for node in range(len(place.nodes)):
        for host in range(len(place.hosts)):
            at = place.start + timedelta(seconds=chance.uniform(0, 60))
            while at < place.end:
                one = replace(call(place, chance, at, Told("GET", CHECK_PATH, "", CHECK_AGENT), (120, 130)), node=node, host=host, user="")
                status = fate if begin <= at < over else "200"
                if status != "none":
                    one = answered(place, chance, one, int(status))
                    found.append(
                        replace(one, seen={hop: seen for hop, seen in one.seen.items() if _behind(place, balancer, hop)}, role="check")
                    )
                at += timedelta(seconds=60 + chance.uniform(-0.02, 0.02))
    return found


def _behind(place: Place, balancer: str, hop: str) -> bool:
    order = [str(one) for one in place.stack]
    return order.index(hop) > order.index(balancer)


def _scanners(place: Place) -> list[Call]:
    """Bursts of probes at other times, and one about the moment: more lines of error than any trouble makes."""
    chance, found = draw(place.plan, "scanners"), []
    length = (place.end - place.start).total_seconds()
    starts = [place.start + timedelta(seconds=chance.uniform(0, length)) for _ in range(2)]
    for start in (*starts, place.moment - timedelta(seconds=chance.uniform(20, 90))):
        client, agent = f"192.0.2.{chance.randint(2, 90)}", chance.choice(SCANNERS)
        at = start
        for path in chance.sample(PROBED, 6):
            one = call(place, chance, at, Told("GET", path, client, agent), (150, 320))
            by = next((hop for hop in ("nginx", "apache") if hop in place.stack), place.stack[-1])
            found.append(replace(answered(place, chance, one, 404, by), user="", role="scanner"))
            at += timedelta(seconds=chance.uniform(0.3, 4))
    return found


def _decoys(place: Place, told: Told, fault: Fault) -> list[Call]:
    """Failures of other people on other paths: near the moment with other statuses, and with the same one at other times."""
    chance, found = draw(place.plan, "decoys"), []
    near = [status for status in (404, 400, 401, 409, 422) if status != fault.status and status not in {one.status for one in fault.others}]
    for offset in (-140, -55, 70, 210):
        client = f"198.51.100.{chance.randint(2, 250)}"
        asked = Told(
            chance.choice(("GET", "POST")),
            f"{place.prefix}/{chance.choice(('help', 'forms', 'legacy'))}/{chance.randint(10, 99)}",
            client,
            BROWSERS[0],
        )
        at = place.moment + timedelta(seconds=offset + chance.uniform(-10, 10))
        found.append(replace(answered(place, chance, call(place, chance, at, asked), chance.choice(near)), role="decoy"))
    for minutes in (-chance.uniform(45, 90), chance.uniform(35, 49)):
        asked = Told("GET", f"{place.prefix}/widgets/{chance.randint(10, 99)}", f"198.51.100.{chance.randint(2, 250)}", BROWSERS[1])
        status = fault.status if fault.status in {403, 404, 500, 503} else 500
        one = answered(place, chance, call(place, chance, place.moment + timedelta(minutes=minutes), asked), status)
        found.append(replace(one, role="decoy"))
    del told
    return found


def _quick(place: Place, told: Told, fault: Fault) -> list[Call]:
    """The reported path before and after the trouble, when nothing was wrong with it."""
    chance, found = draw(place.plan, "quick"), []
    begin, over = window(place, fault)
    if fault.settings.get("always"):
        return []
    times = [begin - timedelta(minutes=chance.uniform(6, 80)) for _ in range(5)]
    times += [over + timedelta(minutes=chance.uniform(6, 40)) for _ in range(3)]
    for at in times:
        asked = replace(told, client=f"198.51.100.{chance.randint(2, 250)}", agent=chance.choice(BROWSERS))
        found.append(replace(answered(place, chance, call(place, chance, at, asked)), role="quick"))
    return found


def _failing(place: Place, told: Told, fault: Fault) -> list[Call]:
    """Three tries of the person, two of them in the minute that is reported, and others' on the same path."""
    chance = draw(place.plan, "failing")
    begin, over = window(place, fault)
    found = []
    for offset in (-chance.uniform(60, 100), chance.uniform(2, 14), chance.uniform(28, 50)):
        one = call(place, chance, place.moment + timedelta(seconds=offset), told, fault.ask.received)
        found.append(met(place, chance, one, fault, "reported"))
    if fault.scope == "client":
        return found
    for _ in range(chance.randint(5, 11)):
        at = begin + (over - begin) * chance.random()
        asked = replace(told, client=f"198.51.100.{chance.randint(2, 250)}", agent=told.agent)
        found.append(met(place, chance, call(place, chance, at, asked, fault.ask.received), fault, "victim"))
    return found


def _hit(place: Place, fault: Fault, one: Call) -> Call:
    """An ordinary request, which meets the trouble where that is not one of a single path; a trouble of all spares no scanner either."""
    begin, over = window(place, fault)
    met_by = {"", "decoy", "scanner"} if fault.scope == "all" else {""}
    if fault.scope in {"path", "client"} or one.role not in met_by or not begin <= one.at < over:
        return one
    order, by = [str(hop) for hop in place.stack], maker(place.stack, fault)
    if order.index(by) > order.index(one.by) or (by == one.by and by in {"nginx", "apache"} and "everything" not in fault.settings):
        return one
    chance = draw(place.plan, f"hit {one.trace}")
    return one if fault.scope == "some" and chance.random() > 0.05 else met(place, chance, one, fault, "victim")  # noqa: PLR2004


def _second(place: Place, fault: Fault, index: int) -> list[Call]:
    """What another trouble of the same time does to other people."""
    chance = draw(place.plan, f"second {index}")
    begin, over = window(place, fault)
    told = Told(chance.choice(fault.ask.methods), f"{place.prefix}/second{chance.choice(fault.ask.tails)}", "", chance.choice(BROWSERS))
    found = []
    for _ in range(chance.randint(6, 10)):
        asked = replace(told, client=f"198.51.100.{chance.randint(2, 250)}")
        one = call(place, chance, begin + (over - begin) * chance.random(), asked, fault.ask.received)
        found.append(met(place, chance, one, fault, "other"))
    return found
