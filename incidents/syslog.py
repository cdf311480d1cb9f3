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
    """Gunicorn's access line; its only client is nginx on the same host."""
    when = clf_time((one.ended - timedelta(milliseconds=1)).astimezone(site.app_zone))
    return f'127.0.0.1 - - [{when}] "{one.method} {one.target} HTTP/1.0" {one.status} {one.sent} "{one.referer or "-"}" "{one.agent}"'


def _gunicorn(site: Site, host: Host, chance: Random, master: int, workers: Sequence[int]) -> list[Entry]:
    """Gunicorn's own lines, with an inner time in the application's zone: workers that come and go after their share of requests."""
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
    return found


def _noise(site: Site, host: Host, chance: Random) -> list[Entry]:
    """cron, systemd, sshd, kernel, and the like."""
    said = [*_cron(site, chance), *_others(site, host, chance)]
    return [Entry(at, _line(site, host, at, tag, text)) for at, tag, text in said if site.start <= at < site.end]


def _cron(site: Site, chance: Random) -> list[tuple[datetime, str, str]]:
    """What cron starts: a sample of the system's load every ten minutes, and the hourly work."""
    said, at = [], site.start.replace(minute=0, second=1, microsecond=12_000)
    jobs = dict.fromkeys(range(5, 60, 10), "(root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)")
    jobs[17] = "(root) CMD (   cd / && run-parts --report /etc/cron.hourly)"
    while at < site.end:
        if at.minute in jobs:
            said.append((at, f"CRON[{chance.randint(9000, 30_000)}]", jobs[at.minute]))
        at += timedelta(minutes=1)
    return said


def _others(site: Site, host: Host, chance: Random) -> list[tuple[datetime, str, str]]:
    """What other programs say, every dozen minutes or so."""
    length = site.end - site.start
    said = []
    for at in sorted(site.start + length * chance.random() for _ in range(int(length.total_seconds() / 700))):
        process = chance.randint(9000, 30_000)
        uptime = (at - site.start).total_seconds() + 1_203_114
        agent = f"{at:%Y-%m-%d %H:%M:%S}.0000 INFO [HealthCheck] HealthCheck reporting agent health."
        flood = "TCP: request_sock_TCP: Possible SYN flooding on port 8000. Sending cookies.  Check SNMP counters."
        probe = f"Connection closed by invalid user admin 192.0.2.{chance.randint(2, 250)} port {process} [preauth]"
        sayings = (
            (f"sshd[{process}]", probe),
            ("systemd[1]", f"Started Session {process % 900} of user ubuntu."),
            ("systemd[1]", f"session-{process % 900}.scope: Deactivated successfully."),
            ("kernel", f"[{uptime:.6f}] {flood}"),
            (f"amazon-ssm-agent.amazon-ssm-agent[{600 + process % 50}]", agent),
            (f"dhclient[{580 + process % 20}]", f"DHCPACK of {host.address} from 10.0.0.1 (xid=0x{chance.getrandbits(32):08x})"),
            ("systemd[1]", "Starting system activity accounting tool..."),
            ("systemd[1]", "sysstat-collect.service: Deactivated successfully."),
        )
        said.append((at, *chance.choice(sayings)))
    return said
