"""The application's server: gunicorn's own lines and access lines, the application's log, and the syslog of the host."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incidents.edge.webserver import front, moment_of, words_of
from incidents.edge.written import File, Line, by_time, file_of, rotated
from incidents.plan import draw, pick
from incidents.weblogs import MONTHS, clf_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from incidents.edge.call import Call
    from incidents.edge.fault import Log
    from incidents.edge.place import Place

STYLES = (
    "{time} {level} [{app}.{logger}] {text}",
    "{time} - {app}.{logger} - {level} - {text}",
    "{time} [{level}] {app}.{logger}: {text}",
)
MAIL = """sending the weekly digest failed
Traceback (most recent call last):
  File "/srv/{app}/jobs/digest.py", line 48, in send
    connection.send_messages(messages)
  File "/usr/lib/python3.11/smtplib.py", line 648, in connect
    self.sock = self._get_socket(host, port, self.timeout)
TimeoutError: [Errno 110] Connection timed out"""


def server_files(place: Place, calls: Sequence[Call], drop: frozenset[Log]) -> list[File]:
    """All logs of every host's application; gunicorn writes files of its own, or to syslog."""
    found: list[File] = []
    for index, host in enumerate(place.hosts):
        mine = [one for one in calls if one.host == index]
        access, errors = _access(place, mine), _gunicorn(place, index, mine)
        access = [] if "gunicorn_access" in drop else access
        errors = [] if "gunicorn" in drop else errors
        system = [] if "syslog" in drop else _system(place, index, mine)
        chance = draw(place.plan, f"server rotation {index}")
        cuts = (chance.uniform(0.1, 0.2), chance.uniform(0.25, 0.4))
        if place.own_files:
            found += rotated(f"{host.name}/gunicorn/access.log", by_time(access), cuts)
            found += [file_of(f"{host.name}/gunicorn/error.log", by_time(errors))] if errors else []
        else:
            system += [_syslog(place, index, line, f"gunicorn[{700 + index}]") for line in (*access, *errors)]
        found += [file_of(f"{host.name}/syslog", by_time(system))] if system else []
        if "application" not in drop:
            found.append(file_of(f"{host.name}/{place.app}/app.log", by_time(_application(place, index, mine))))
    return found


def _access(place: Place, calls: Sequence[Call]) -> list[Line]:
    found = []
    for one in calls:
        seen = one.seen.get("gunicorn")
        if seen is None or seen.status is None:
            continue
        ended = one.ended(place.stack, "gunicorn")
        near = {"nginx", "apache"} & set(place.stack)
        client = "127.0.0.1" if near else front(place, one)
        status = seen.fields.get("status", str(seen.status))
        request = f"{one.method} {one.target} HTTP/1.{0 if near else 1}"
        text = f'{client} - - [{clf_time(place.app_time(ended))}] "{request}" {status} {one.sent} "-" "{one.agent}"'
        found.append(Line(ended, text, one.number, shows=one.shows("gunicorn")))
    return found


def _inner(place: Place, at: datetime, process: int, level: str, text: str) -> str:
    return f"[{place.app_time(at):%Y-%m-%d %H:%M:%S %z}] [{process}] [{level}] {text}"


def _gunicorn(place: Place, host: int, calls: Sequence[Call]) -> list[Line]:
    """What gunicorn says of its workers: those that the trouble killed, and those that came and went by themselves."""
    chance, master = draw(place.plan, f"gunicorn {host}"), 700 + host
    found, at = [], place.start + timedelta(minutes=chance.uniform(1, 20))
    while at < place.end:
        worker = chance.randint(1400, 32_000)
        if abs(at - place.moment) > timedelta(minutes=15):
            for wait, process, text in (
                (0.0, worker, "Autorestarting worker after current request."),
                (0.05, worker, f"Worker exiting (pid: {worker})"),
                (0.9, worker + 7, f"Booting worker with pid: {worker + 7}"),
            ):
                when = at + timedelta(seconds=wait)
                found.append(Line(when, _inner(place, when, process, "INFO", text)))
        at += timedelta(minutes=chance.uniform(12, 40))
    for one in calls:
        for said in (said for said in one.said if said.log == "gunicorn"):
            at = moment_of(place, one, said, "gunicorn")
            process = one.pid if said.level.startswith("worker ") else master
            text = said.text.format(**words_of(place, one, "gunicorn"))
            found.append(Line(at, _inner(place, at, process, said.level.removeprefix("worker ").upper(), text), None, said.shows))
    return found


def _syslog(place: Place, host: int, line: Line, tag: str) -> Line:
    return Line(line.at, _stamped(place, host, line.at, tag, line.text.replace("\n", "#012")), line.call, line.shows)


def _stamped(place: Place, host: int, at: datetime, tag: str, text: str) -> str:
    local = place.host_time(at)
    return f"{MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S} {place.hosts[host].name} {tag}: {text}"


def _system(place: Place, host: int, calls: Sequence[Call]) -> list[Line]:
    """The host's syslog: cron, sshd, the kernel, and what the trouble makes of it."""
    chance = draw(place.plan, f"syslog {host}")
    found = [Line(at, _stamped(place, host, at, tag, text)) for at, tag, text in _noise(place, chance)]
    for one in calls:
        for said in (said for said in one.said if said.log == "syslog"):
            at = moment_of(place, one, said, "gunicorn")
            text = said.text.format(**words_of(place, one, "gunicorn"))
            if said.level == "kernel":
                text = f"[{1_203_114 + (at - place.start).total_seconds():.6f}] {text}"
            found.append(Line(at, _stamped(place, host, at, said.level, text), None, said.shows))
    return found


def _noise(place: Place, chance: Random) -> list[tuple[datetime, str, str]]:
    said, at = [], place.start
    while at < place.end:
        process = chance.randint(9000, 30_000)
        said.append(
            (
                at,
                *chance.choice(
                    (
                        (f"CRON[{process}]", "(root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)"),
                        ("systemd[1]", f"Started Session {process % 900} of user ubuntu."),
                        ("systemd[1]", "Starting Daily apt download activities..."),
                        (
                            f"sshd[{process}]",
                            f"Connection closed by invalid user admin 192.0.2.{process % 90 + 2} port {process} [preauth]",
                        ),
                        (f"chronyd[{process % 900}]", "Selected source 169.254.169.123"),
                        (
                            "kernel",
                            f'[{1_203_114 + (at - place.start).total_seconds():.6f}] audit: type=1400 apparmor="STATUS"',
                        ),
                    )
                ),
            )
        )
        at += timedelta(minutes=chance.uniform(2, 9))
    return said


def _application(place: Place, host: int, calls: Sequence[Call]) -> list[Line]:
    """The application's log, in its zone without saying so: a line for each request that it finished, jobs, and errors of other work."""
    chance, style = draw(place.plan, f"application {host}"), pick(place.plan, "application style", STYLES)

    def line(at: datetime, level: str, logger: str, text: str, *, call: int | None = None, shows: bool = False) -> Line:  # noqa: PLR0913
        local = place.app_time(at)
        stamp = f"{local:%Y-%m-%d %H:%M:%S},{local.microsecond // 1000:03d}"
        return Line(at, style.format(time=stamp, level=level, app=place.app, logger=logger, text=text), call, shows)

    found, at = [], place.start
    while at < place.end:
        found.append(
            line(at, "INFO", "jobs", f"{chance.choice(('index', 'cache', 'sessions'))} refresh finished: {chance.randint(0, 900)} rows")
        )
        at += timedelta(minutes=chance.uniform(4, 12))
    offsets = (-chance.uniform(20, 90), chance.uniform(20, 90), -chance.uniform(2500, 4000))
    found += [line(place.moment + timedelta(seconds=offset), "ERROR", "jobs", MAIL.format(app=place.app)) for offset in offsets]
    for one in calls:
        for said in (said for said in one.said if said.log == "application"):
            at = moment_of(place, one, said, "gunicorn")
            text = said.text.format(**words_of(place, one, "gunicorn"))
            found.append(line(at, said.level.upper(), "request", text, call=one.number, shows=said.shows))
        seen = one.seen.get("gunicorn")
        if seen is not None and seen.status is not None and one.role != "check" and seen.fields.get("log") != "no":
            at = one.ended(place.stack, "gunicorn") - timedelta(milliseconds=2)
            text = f"{one.method} {one.path} {seen.status} {max(1, round(seen.seconds * 1000) - 2)}ms user={one.user or '-'}"
            found.append(line(at, "INFO", "access", text, call=one.number))
    return found
