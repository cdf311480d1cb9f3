"""The application's daily files: Python logging in local time without a zone, errors with a traceback over several lines."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from incidents.entry import Entry, Written, text_file
from incidents.plan import draw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from incidents.plan import Plan
    from incidents.request import Request
    from incidents.site import Site

STYLES = (
    "{time} {level} [{app}.{logger}] {text}",
    "{time} - {app}.{logger} - {level} - {text}",
    "{time} [{level}] {app}.{logger}: {text}",
)

MAIL = """Traceback (most recent call last):
  File "/srv/{app}/jobs/digest.py", line 48, in send_digest
    connection.send_messages(messages)
  File "/srv/{app}/venv/lib/python3.11/site-packages/django/core/mail/backends/smtp.py", line 128, in send_messages
    new_conn_created = self.open()
  File "/usr/lib/python3.11/smtplib.py", line 648, in connect
    self.sock = self._get_socket(host, port, self.timeout)
TimeoutError: [Errno 110] Connection timed out"""

FEED = """Traceback (most recent call last):
  File "/srv/{app}/venv/lib/python3.11/site-packages/urllib3/connectionpool.py", line 536, in _make_request
    response = conn.getresponse()
http.client.RemoteDisconnected: Remote end closed connection without response

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/{app}/jobs/rates.py", line 31, in refresh
    answer = session.get(FEED, timeout=10)
requests.exceptions.ConnectionError: ('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))"""

CRASH = """Traceback (most recent call last):
  File "/srv/{app}/venv/lib/python3.11/site-packages/django/core/handlers/exception.py", line 55, in inner
    response = get_response(request)
  File "/srv/{app}/web/views.py", line 212, in search
    page = int(request.GET["page"])
ValueError: invalid literal for int() with base 10: 'undefined'"""

DENIED = """Traceback (most recent call last):
  File "/srv/{app}/venv/lib/python3.11/site-packages/django/core/handlers/base.py", line 197, in _get_response
    response = wrapped_callback(request, *callback_args, **callback_kwargs)
  File "/srv/{app}/web/permissions.py", line 39, in wrapper
    raise PermissionDenied(f"{{request.user}} lacks {{needed}}")
django.core.exceptions.PermissionDenied: {user} lacks {app}.view_{what}"""


def app_files(site: Site, plan: Plan, requests: Sequence[Request]) -> list[Written]:
    """One file for each host and day of the application's zone, from the day before the incident on."""
    found = []
    for index, host in enumerate(site.hosts):
        days: dict[str, list[Entry]] = {}
        for entry in _entries(site, plan, index, requests):
            days.setdefault(f"{entry.at.astimezone(site.app_zone):%Y-%m-%d}", []).append(entry)
        found += [text_file(f"{host.name}/app/app-{day}.log", entries) for day, entries in sorted(days.items())]
    return found


def _line(site: Site, at: datetime, level: str, logger: str, text: str) -> str:
    local = at.astimezone(site.app_zone)
    time = f"{local:%Y-%m-%d %H:%M:%S},{local.microsecond // 1000:03d}"
    return STYLES[site.app_style].format(time=time, level=level, app=site.app, logger=logger, text=text)


def _entries(site: Site, plan: Plan, index: int, requests: Sequence[Request]) -> list[Entry]:
    chance = draw(plan, f"app {index}")
    found = _jobs(site, chance) + _unrelated(site, chance)
    for one in requests:
        if one.host == index and one.reached("app") and one.role != "check":
            found += _of_request(site, one)
    return sorted(found, key=lambda entry: entry.at)


def _of_request(site: Site, one: Request) -> list[Entry]:
    """The line that the application writes of every request, and before it what went wrong."""
    at = one.ended - timedelta(milliseconds=2)
    user, spent = one.user or "-", max(1, round(one.seconds * 1000) - 2)
    summary = Entry(at, _line(site, at, "INFO", "access", f"{one.method} {one.path} {one.status} {spent}ms user={user}"), one)
    before = at - timedelta(milliseconds=1)
    level, logger, text = "WARNING", "request", ""
    match one.trouble:
        case "not_found":
            text = f"Not Found: {one.path}"
        case "bad_request":
            text = f"Bad Request: {one.path} (contact form: field 'email' is not a valid address)"
        case "forbidden":
            what = one.path.rstrip("/").rpartition("/")[2].replace("-", "_")
            text = f"Forbidden (Permission denied): {one.path}\n" + DENIED.format(app=site.app, user=user, what=what)
        case "csrf":
            text = f"Forbidden (CSRF token missing.): {one.path}"
        case "crash":
            level, text = "ERROR", f"Internal Server Error: {one.path}\n" + CRASH.format(app=site.app)
        case _:
            return [summary]
    return [Entry(before, _line(site, before, level, logger, text), one), summary]


def _jobs(site: Site, chance: Random) -> list[Entry]:
    """What the application does by itself, from the midnight before the day of the incident on."""
    local = site.moment.astimezone(site.app_zone)
    at = local.replace(hour=0, minute=0) - timedelta(days=1) + timedelta(seconds=chance.uniform(0, 600))
    found = []
    while at < site.end:
        name, unit = chance.choice((("stock", "rows"), ("sessions", "sessions"), ("thumbnails", "files"), ("index", "documents")))
        text = f"{name} refresh finished: {chance.randint(0, 900)} {unit} in {chance.uniform(0.1, 4):.2f}s"
        found.append(Entry(at, _line(site, at, "INFO", "jobs", text)))
        if chance.random() < 0.08:  # noqa: PLR2004
            slow = at + timedelta(seconds=chance.uniform(5, 60))
            found.append(
                Entry(
                    slow,
                    _line(site, slow, "WARNING", "db", f"slow query {chance.randint(1100, 5200)}ms: SELECT ... FROM {site.app}_history"),
                )
            )
        at += timedelta(minutes=chance.uniform(6, 16))
    return [entry for entry in found if entry.at < site.end]


def _unrelated(site: Site, chance: Random) -> list[Entry]:
    """Errors of background work, also close to the moment; no request has anything to do with them."""
    moments = [site.moment + timedelta(seconds=chance.uniform(low, high)) for low, high in ((-120, -60), (20, 90), (-4000, -2500))]
    moments += [site.start + (site.end - site.start) * chance.random() for _ in range(2)]
    found = []
    for at in moments:
        text, trace = chance.choice((("sending the daily digest failed", MAIL), ("exchange rates were not refreshed", FEED)))
        found.append(Entry(at, _line(site, at, "ERROR", "jobs", f"{text}\n{trace.format(app=site.app)}")))
    return found
