"""The syslog of every host (RFC 3164: no year, no zone): gunicorn's own lines and access lines, and what else a server says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incidents.entry import Entry, Written, text_file
from incidents.plan import draw
from incidents.weblogs import MONTHS, clf_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from incidents.plan import Plan
    from incidents.request import Request
    from incidents.site import Host, Site


def syslog_files(site: Site, plan: Plan, requests: Sequence[Request]) -> list[Written]:
    """One file a host."""
    return [text_file(f"{host.name}/syslog", _entries(site, plan, index, requests)) for index, host in enumerate(site.hosts)]


def _entries(site: Site, plan: Plan, index: int, requests: Sequence[Request]) -> list[Entry]:
    host, chance = site.hosts[index], draw(plan, f"syslog {index}")
    master = 700 + chance.randrange(200)
    workers = [master + 3 + step for step in range(3)]
    found = _noise(site, host, chance) + _gunicorn(site, host, chance, master, workers)
    for one in requests:
        if one.host == index and one.reached("app"):
            at = one.ended - timedelta(milliseconds=1)
            found.append(Entry(at, _line(site, host, at, f"gunicorn[{chance.choice(workers)}]", _access(site, one)), one))
    return sorted(found, key=lambda entry: entry.at)


def _line(site: Site, host: Host, at: datetime, tag: str, text: str) -> str:
    local = at.astimezone(site.host_zone)
    return f"{MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S} {host.name} {tag}: {text}"


def _access(site: Site, one: Request) -> str:
    """gunicorn's access line; its only client is nginx on the same host."""
    when = clf_time((one.ended - timedelta(milliseconds=1)).astimezone(site.app_zone))
    return f'127.0.0.1 - - [{when}] "{one.method} {one.target} HTTP/1.0" {one.status} {one.sent} "{one.referer or "-"}" "{one.agent}"'


def _gunicorn(site: Site, host: Host, chance: Random, master: int, workers: Sequence[int]) -> list[Entry]:
    """gunicorn's own lines, with an inner time in the application's zone: workers that come and go after their share of requests."""
    found, at = [], site.start + timedelta(minutes=chance.uniform(1, 30))

    def say(at: datetime, process: int, text: str) -> Entry:
        inner = f"[{at.astimezone(site.app_zone):%Y-%m-%d %H:%M:%S %z}] [{process}] [INFO] {text}"
        return Entry(at, _line(site, host, at, f"gunicorn[{process}]", inner))

    while at < site.end:
        worker = chance.choice(workers)
        found.append(say(at, worker, "Autorestarting worker after current request."))
        found.append(say(at + timedelta(milliseconds=40), worker, f"Worker exiting (pid: {worker})"))
        found.append(say(at + timedelta(milliseconds=900), worker, f"Booting worker with pid: {worker}"))
        if chance.random() < 0.2:  # noqa: PLR2004
            found.append(say(at + timedelta(seconds=2), master, "Handling signal: winch"))
        at += timedelta(minutes=chance.uniform(12, 55))
    found.append(say(site.moment - timedelta(seconds=chance.randint(40, 65)), chance.choice(workers), "Closing connection."))
    return found


def _noise(site: Site, host: Host, chance: Random) -> list[Entry]:
    """cron, systemd, sshd, kernel, and the like."""
    found: list[Entry] = []

    def say(at: datetime, tag: str, text: str) -> None:
        found.append(Entry(at, _line(site, host, at, tag, text)))

    at = site.start.replace(minute=0, second=1, microsecond=12_000)
    while at < site.end:
        process = chance.randint(9000, 30_000)
        if at >= site.start and at.minute % 10 == 5:  # noqa: PLR2004
            say(at, f"CRON[{process}]", "(root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)")
        if at >= site.start and at.minute == 17:  # noqa: PLR2004
            say(at, f"CRON[{process}]", "(root) CMD (   cd / && run-parts --report /etc/cron.hourly)")
        at += timedelta(minutes=1)
    moments = iter(sorted(site.start + (site.end - site.start) * chance.random() for _ in range(int((site.end - site.start).seconds / 700))))
    for at in moments:
        process = chance.randint(9000, 30_000)
        kind = chance.choice(("sshd", "systemd", "kernel", "agent", "dhclient", "sysstat"))
        if kind == "sshd":
            say(at, f"sshd[{process}]", f"Connection closed by invalid user admin 192.0.2.{chance.randint(2, 250)} port {process} [preauth]")
        elif kind == "systemd":
            say(at, "systemd[1]", f"Started Session {process % 900} of user ubuntu.")
            say(at + timedelta(seconds=chance.randint(20, 200)), "systemd[1]", f"session-{process % 900}.scope: Deactivated successfully.")
        elif kind == "kernel":
            since = (at - site.start).total_seconds() + 1_203_114
            say(at, "kernel", f"[{since:.6f}] TCP: request_sock_TCP: Possible SYN flooding on port 8000. Sending cookies.  Check SNMP counters.")
        elif kind == "agent":
            say(at, f"amazon-ssm-agent.amazon-ssm-agent[{600 + process % 50}]", f"{at:%Y-%m-%d %H:%M:%S.0000} INFO [HealthCheck] HealthCheck reporting agent health.")
        elif kind == "dhclient":
            say(at, f"dhclient[{580 + process % 20}]", f"DHCPACK of {host.address} from 10.0.0.1 (xid=0x{chance.getrandbits(32):08x})")
        else:
            say(at, "systemd[1]", "Starting system activity accounting tool...")
            say(at + timedelta(milliseconds=30), "systemd[1]", "sysstat-collect.service: Deactivated successfully.")
    return [entry for entry in found if site.start <= entry.at < site.end]
