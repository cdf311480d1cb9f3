"""nginx: access log (combined with X-Forwarded-For at its end) and error log, per host, rotated by size during the day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incidents.entry import Entry, Written, text_file
from incidents.plan import draw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incidents.plan import Plan
    from incidents.request import Request
    from incidents.site import Site

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Names of months as logs write them, whatever the language of the machine."""

TROUBLES = {
    "deny": "access forbidden by rule",
    "index": 'directory index of "/srv/{app}/public{path}" is forbidden',
    "permission": 'open() "/srv/{app}/public{path}" failed (13: Permission denied)',
    "missing_file": 'open() "/srv/{app}/public{path}" failed (2: No such file or directory)',
}
"""What nginx writes into its error log."""


def nginx_files(site: Site, plan: Plan, requests: Sequence[Request]) -> list[Written]:
    """Access and error logs of every host."""
    found = []
    for index, host in enumerate(site.hosts):
        seen = sorted((one for one in requests if one.host == index and one.reached("nginx")), key=lambda one: one.ended)
        lines = [Entry(one.ended, access_line(site, one), one) for one in seen]
        chance = draw(plan, f"rotation {index}")
        cuts = sorted(site.start + (site.end - site.start) * chance.uniform(low, low + 0.25) for low in (0.1, 0.4))
        oldest = [entry for entry in lines if entry.at < cuts[0]]
        middle = [entry for entry in lines if cuts[0] <= entry.at < cuts[1]]
        newest = [entry for entry in lines if entry.at >= cuts[1]]
        folder = f"{host.name}/nginx"
        found.append(text_file(f"{folder}/access.log", newest))
        found.append(text_file(f"{folder}/access.log.1", middle))
        found.append(text_file(f"{folder}/access.log.2.gz", oldest))
        errors = _errors(site, plan, index, seen, cuts)
        found.append(text_file(f"{folder}/error.log", [entry for entry in errors if entry.at >= cuts[0]]))
        found.append(text_file(f"{folder}/error.log.1", [entry for entry in errors if entry.at < cuts[0]]))
    return [file for file in found if file.data]


def clf_time(at: datetime) -> str:
    """The time of an access log: ``06/Feb/2025:14:31:07 +0900``."""
    return f"{at:%d}/{MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S %z}"


def access_line(site: Site, one: Request) -> str:
    """The access line; the client is an address of the balancer, the real one stands at the end."""
    when = clf_time(one.ended.astimezone(site.nginx_zone))
    forwarded = one.client or "-"
    return (
        f'{site.nodes[one.node].address} - - [{when}] "{one.method} {one.target} HTTP/1.1" {one.status} {one.sent} '
        f'"{one.referer or "-"}" "{one.agent}" "{forwarded}"'
    )


def _errors(site: Site, plan: Plan, host: int, seen: Sequence[Request], cuts: Sequence[datetime]) -> list[Entry]:
    """Errors of requests, and what else nginx says: rotation, and answers that went through a temporary file."""
    chance = draw(plan, f"nginx errors {host}")
    worker, connection = 1000 + chance.randrange(400), 40_000

    def stamp(at: datetime, level: str) -> str:
        return f"{at.astimezone(site.nginx_zone):%Y/%m/%d %H:%M:%S} [{level}] {worker}#{worker}: "

    def tail(one: Request) -> str:
        node = site.nodes[one.node].address
        return f', client: {node}, server: {site.domain}, request: "{one.method} {one.target} HTTP/1.1"'

    found = [Entry(cut, stamp(cut, "notice") + "signal 10 (SIGUSR1) received, reopening logs") for cut in cuts]
    for one in seen:
        connection += chance.randint(1, 3)
        head, host_part = f"*{connection} ", f', host: "{site.domain}"'
        if one.trouble in TROUBLES:
            text = head + TROUBLES[one.trouble].format(app=site.app, path=one.path) + tail(one) + host_part
            found.append(Entry(one.arrived + timedelta(milliseconds=1), stamp(one.arrived, "error") + text, one))
        elif one.sent > 18_500 and one.answered_by == "app":  # noqa: PLR2004 - more than the buffers hold
            text = (
                f"an upstream response is buffered to a temporary file /var/cache/nginx/proxy_temp/{connection % 10}/00/{connection:010d}"
            )
            upstream = f', upstream: "http://127.0.0.1:8000{one.target}"'
            line = stamp(one.arrived, "warn") + head + text + " while reading upstream" + tail(one) + upstream + host_part
            found.append(Entry(one.arrived + timedelta(milliseconds=2), line))
    return sorted(found, key=lambda entry: entry.at)
