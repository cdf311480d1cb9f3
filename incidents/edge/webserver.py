"""nginx and Apache: access logs (a line when the request is done) and error logs, per host, rotated."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from incidents.edge.written import File, Line, by_time, rotated
from incidents.plan import draw, pick
from incidents.weblogs import MONTHS, clf_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incidents.edge.call import Call
    from incidents.edge.fault import Said
    from incidents.edge.place import Place

Kind = Literal["access", "error"]
CLIENT_LEFT = 499
"""nginx's own code."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""Names of days as logs write them, whatever the language of the machine."""


def front(place: Place, one: Call) -> str:
    """Whom the web server takes for the client: an address of the balancer where one stands in front."""
    return place.nodes[one.node].address if place.stack[0] in {"alb", "clb", "cloudfront"} else one.client


def forwarded(place: Place, one: Call) -> str:
    """X-Forwarded-For as it arrives at the web server."""
    if place.stack[0] not in {"alb", "clb", "cloudfront"} or not one.client:
        return "-"
    return one.client if place.stack[0] != "cloudfront" else f"{one.client}, 203.0.113.{one.port % 16}"


def words_of(place: Place, one: Call, hop: str) -> dict[str, str]:
    """What the texts of lines may name."""
    return {
        "path": one.path,
        "target": one.target,
        "pid": str(one.pid),
        "peer": "127.0.0.1:8000",
        "app": place.app,
        "service": "nginx" if place.inner("alb") == "nginx" else place.app,
        "domain": place.domain,
        "client": front(place, one),
        "method": one.method,
        "seconds": f"{one.seen[hop].seconds:.0f}" if hop in one.seen else "",
        "file": f"/srv/{place.app}/public{one.path}",
    }


def nginx_files(place: Place, calls: Sequence[Call], kind: Kind) -> list[File]:
    """Access or error logs of every host."""
    found = []
    upstreams = pick(place.plan, "nginx format", (False, True))
    for index, host in enumerate(place.hosts):
        mine = [one for one in calls if one.host == index and "nginx" in one.seen]
        lines = [
            Line(one.ended(place.stack, "nginx"), _access(place, one, upstreams), one.number, shows=one.shows("nginx"))
            for one in mine
            if one.seen["nginx"].status is not None
        ]
        chance = draw(place.plan, f"rotation {index}")
        cuts = (chance.uniform(0.1, 0.2), chance.uniform(0.25, 0.4))
        if kind == "access":
            found += rotated(f"{host.name}/nginx/access.log", by_time(lines), cuts)
        else:
            found += rotated(f"{host.name}/nginx/error.log", by_time(_errors(place, index, mine)), (0.0, cuts[0]))
    return found


def _access(place: Place, one: Call, upstreams: bool) -> str:  # noqa: FBT001 - a private function with one caller
    """A line of the format "main", or of the ingress controller's, which tells what the upstream did."""
    seen = one.seen["nginx"]
    told = seen.fields
    when = clf_time(place.host_time(one.ended(place.stack, "nginx")))
    status = told.get("status", str(seen.status))
    request = told.get("request", f"{one.method} {one.target} {'HTTP/1.1' if one.protocol in {'', 'HTTP/2.0'} else one.protocol}")
    line = f'{front(place, one)} - - [{when}] "{request}" {status} {one.sent} "-" "{one.agent}"'
    if not upstreams:
        return f'{line} "{forwarded(place, one)}"'
    asked = "gunicorn" in one.seen or "upstream" in told
    gone = seen.status == CLIENT_LEFT or not asked
    inner = told.get("upstream_status", str(seen.inner) if seen.inner is not None else "-" if gone else str(seen.status))
    spent = f"{max(seen.seconds - 0.001, 0):.3f}" if asked else "-"
    peer, length = ("127.0.0.1:8000", str(one.sent)) if asked else ("-", "-")
    upstream = f"[{place.app}-web-8000] [] {peer} {length} {spent} {inner if asked else '-'}"
    return f"{line} {one.received} {seen.seconds:.3f} {upstream} {one.trace[11:]}{one.pid:08x}"


def _errors(place: Place, host: int, calls: Sequence[Call]) -> list[Line]:
    """Errors of requests; files that scanners look for; and warnings that mean nothing."""
    chance = draw(place.plan, f"nginx errors {host}")
    worker, connection = 1000 + chance.randrange(400), 40_000
    found = []

    def line(at: datetime, level: str, text: str, *, call: int | None = None, shows: bool = False) -> Line:
        return Line(at, f"{place.host_time(at):%Y/%m/%d %H:%M:%S} [{level}] {worker}#{worker}: {text}", call, shows)

    for one in calls:
        connection += chance.randint(1, 3)
        tail = f', client: {front(place, one)}, server: {place.domain}, request: "{one.method} {one.target} HTTP/1.1"'
        back = f', host: "{place.domain}"'
        upstream = f', upstream: "http://127.0.0.1:8000{one.target}"'
        begun = one.begun(place.stack, "nginx")
        for said in (said for said in one.said if said.log == "nginx_error"):
            text = said.text.format(**words_of(place, one, "nginx"))
            at = moment_of(place, one, said, "nginx")
            if said.once:
                found.append(line(at, said.level, text, shows=said.shows))
                continue
            if "unix:" in text:
                upstream = f', upstream: "http://unix:/run/{place.app}.sock:{one.target}"'
            middle = upstream if "upstream" in text and "no live" not in text else ""
            found.append(line(at, said.level, f"*{connection} {text}{tail}{middle}{back}", call=one.number, shows=said.shows))
        if one.role == "scanner":
            missing = f'open() "/srv/{place.app}/public{one.path}" failed (2: No such file or directory)'
            found.append(line(begun, "error", f"*{connection} {missing}{tail}{back}", call=one.number))
        elif one.role == "" and one.sent > 20_000 and "gunicorn" in one.seen:  # noqa: PLR2004 - more than the buffers hold
            file = f"/var/cache/nginx/proxy_temp/{connection % 10}/00/{connection:010d}"
            text = f"an upstream response is buffered to a temporary file {file} while reading upstream"
            found.append(line(begun, "warn", f"*{connection} {text}{tail}{upstream}{back}"))
    return found


def moment_of(place: Place, one: Call, said: Said, hop: str) -> datetime:
    """When a line was written."""
    base = one.ended(place.stack, hop) if said.ending and hop in one.seen else one.begun(place.stack, hop)
    return base + timedelta(seconds=said.after)


def apache_files(place: Place, calls: Sequence[Call], kind: Kind) -> list[File]:
    """Access (under the time of arrival) or error logs of every host."""
    found = []
    folder = pick(place.plan, "apache folder", ("apache2", "httpd"))
    names = ("access.log", "error.log") if folder == "apache2" else ("access_log", "error_log")
    for index, host in enumerate(place.hosts):
        mine = [one for one in calls if one.host == index and "apache" in one.seen]
        lines, errors = [], []
        chance = draw(place.plan, f"apache {index}")
        parent = chance.randint(900, 1900)
        for one in mine:
            seen, begun = one.seen["apache"], one.begun(place.stack, "apache")
            when = clf_time(place.host_time(begun))
            request = f"{one.method} {one.target} HTTP/1.1"
            row = f'{front(place, one)} - - [{when}] "{request}" {seen.status} {one.sent} "-" "{one.agent}" {seen.seconds * 1e6:.0f}'
            if seen.status is not None:
                lines.append(Line(one.ended(place.stack, "apache"), row, one.number, shows=one.shows("apache")))
            errors += _apache_errors(place, one, parent)
        cuts = (chance.uniform(0.1, 0.2), chance.uniform(0.25, 0.4))
        if kind == "access":
            found += rotated(f"{host.name}/{folder}/{names[0]}", by_time(lines), cuts)
        else:
            found += rotated(f"{host.name}/{folder}/{names[1]}", by_time(errors), (0.0, cuts[0]))
    return found


def _apache_errors(place: Place, one: Call, parent: int) -> list[Line]:
    found = []
    peer = f"[client {front(place, one)}:{one.port}] "
    for said in (said for said in one.said if said.log == "apache_error"):
        at = moment_of(place, one, said, "apache")
        module, _, level = said.level.rpartition(":")
        who = "" if said.once else peer
        text = said.text.format(**words_of(place, one, "apache"))
        before, code, rest = text.partition("AH")
        found.append(
            Line(
                at,
                f"{_apache_head(place, at, module, level, parent)}{before}{who}{code}{rest}",
                None if said.once else one.number,
                said.shows,
            )
        )
    if one.role == "scanner":
        at = one.begun(place.stack, "apache")
        head = _apache_head(place, at, "core", "info", parent)
        found.append(Line(at, f"{head}{peer}AH00128: File does not exist: /srv/{place.app}/public{one.path}", one.number))
    return found


def _apache_head(place: Place, at: datetime, module: str, level: str, parent: int) -> str:
    local = place.host_time(at)
    when = f"{DAYS[local.weekday()]} {MONTHS[local.month - 1]} {local:%d %H:%M:%S.%f %Y}"
    return f"[{when}] [{module}:{level}] [pid {parent}:tid 1405{parent}] "
