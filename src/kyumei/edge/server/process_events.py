"""What application servers, the kernel and systemd say of processes: time-outs, kills, crashes, boots that fail, restarts.

The signatures are data; reading lines by them, and joining lines that speak of one event, is pure. Texts as gunicorn, uWSGI, Puma, unicorn,
php-fpm, the JVM, Spring Boot, .NET, Go, the Linux kernel and systemd write them (EDGE-150 to EDGE-153). The arbiter's own SIGKILL after a
time-out prints the same text as a kill from outside, so a kill counts as one only if no time-out of the same process went before.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class Kind(StrEnum):
    """What happened to a process. STARTED is not a fault: it ends a restart."""

    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "killed for memory"
    KILLED = "killed"
    CRASHED = "crashed"
    UNBOOTABLE = "did not boot"
    BROKE_OFF = "broke off with an error"
    HEAP_FULL = "ended for want of heap"
    PANICKED = "panicked at a request"
    STOPPED = "stopped"
    STARTED = "started"


class Sign(NamedTuple):
    """One row: what the line says, by a pattern that may name ``pid``, process ``name``, systemd ``unit`` and ``signal``."""

    kind: Kind
    pattern: str
    by: str = ""
    """The program that must have written it (``systemd``, ``kernel``); empty for any."""


_PID = r"\(pid: ?(?P<pid>[0-9]+)\)"
SIGNS = (
    Sign(Kind.TIMED_OUT, rf"WORKER TIMEOUT {_PID}"),
    Sign(Kind.TIMED_OUT, r"HARAKIRI ON WORKER [0-9]+ \(pid: (?P<pid>[0-9]+)"),
    # Puma, of a worker that served; one that is too slow to boot serves nobody yet.
    Sign(Kind.TIMED_OUT, r"! Terminating timed out worker(?: \([Ww]orker(?: [0-9]+)? failed to check in [^)\n]{0,60}\))?: (?P<pid>[0-9]+)"),
    Sign(Kind.TIMED_OUT, r"worker=[0-9]+ PID:(?P<pid>[0-9]+) timeout \([0-9]+s > [0-9]+s\), killing"),
    Sign(Kind.TIMED_OUT, r"child (?P<pid>[0-9]+), script '[^'\n]{0,400}'.{0,1000} execution timed out \([0-9.]+ sec\), terminating"),
    Sign(Kind.KILLED, rf"Worker {_PID} was sent SIG(?P<signal>KILL)!"),
    Sign(Kind.KILLED, r"reaped #<Process::Status: pid (?P<pid>[0-9]+) SIG(?P<signal>KILL) "),
    Sign(Kind.KILLED, r"child (?P<pid>[0-9]+) exited on signal 9 \(SIG(?P<signal>KILL)"),
    Sign(Kind.CRASHED, r"reaped #<Process::Status: pid (?P<pid>[0-9]+) SIG(?P<signal>SEGV|ABRT|BUS|ILL|FPE) "),
    Sign(Kind.CRASHED, r"child (?P<pid>[0-9]+) exited on signal [0-9]+ \(SIG(?P<signal>SEGV|ABRT|BUS|ILL|FPE)"),
    Sign(Kind.KILLED, r"DAMN ! worker [0-9]+ \(pid: (?P<pid>[0-9]+)\) died, killed by signal (?P<signal>9)\b"),
    Sign(Kind.OUT_OF_MEMORY, r"[Oo]ut of memory: Kill(?:ed)? process (?P<pid>[0-9]+) \((?P<name>[^)\n]*)\)"),
    Sign(Kind.OUT_OF_MEMORY, r"oom-kill:.*\btask=(?P<name>[^,\n]*),pid=(?P<pid>[0-9]+)"),
    Sign(Kind.OUT_OF_MEMORY, r"oom_reaper: reaped process (?P<pid>[0-9]+) \((?P<name>[^)\n]*)\)"),
    Sign(Kind.OUT_OF_MEMORY, r"(?P<unit>[^\s:]+\.service): (?:A process of this unit has been killed by the OOM killer|.*'oom-kill')"),
    Sign(Kind.CRASHED, rf"Worker {_PID} was sent SIG(?P<signal>SEGV|ABRT|BUS|ILL|FPE)!"),
    Sign(Kind.CRASHED, r"DAMN ! worker [0-9]+ \(pid: (?P<pid>[0-9]+)\) died, killed by signal (?P<signal>4|6|7|8|11)\b"),
    Sign(Kind.CRASHED, r"(?P<name>[\w.-]+)\[(?P<pid>[0-9]+)\]: segfault at "),
    Sign(Kind.CRASHED, r"traps: (?P<name>[\w.-]+)\[(?P<pid>[0-9]+)\] general protection"),
    Sign(
        Kind.CRASHED,
        r"(?P<unit>[^\s:]+\.service): Main process exited, code=(?:dumped|killed), status=.*/(?P<signal>SEGV|ABRT|BUS|ILL)",
    ),
    Sign(Kind.KILLED, r"(?P<unit>[^\s:]+\.service): Main process exited, code=killed, status=9/(?P<signal>KILL)"),
    # The last line that Node writes when an error that nobody caught ends it.
    Sign(Kind.BROKE_OFF, r"^Node\.js v[0-9]+\.[0-9]+\.[0-9]+$"),
    Sign(Kind.BROKE_OFF, r"^Unhandled exception\. [A-Za-z_][\w.+]{2,200}: "),
    Sign(Kind.BROKE_OFF, r"^panic: .|^fatal error: (?:concurrent map |all goroutines are asleep|stack overflow|runtime: )"),
    Sign(Kind.HEAP_FULL, r"(?:Terminating|Aborting) due to java\.lang\.OutOfMemoryError"),
    Sign(Kind.CRASHED, r"A fatal error has been detected by the Java Runtime Environment"),
    # Go's server ends the one connection, and goes on.
    Sign(Kind.PANICKED, r"\bpanic serving \S{2,60}: "),
    Sign(Kind.UNBOOTABLE, r"Worker failed to boot\.|App failed to load\."),
    Sign(Kind.UNBOOTABLE, rf"Worker {_PID} exited with code [34]\b"),
    Sign(Kind.UNBOOTABLE, r"^APPLICATION FAILED TO START$|Application run failed$|! Unable to load application: |Hosting failed to start"),
    Sign(Kind.UNBOOTABLE, r"Application startup failed\. Exiting|FPM initialization failed"),
    Sign(Kind.UNBOOTABLE, r"unable to load app [0-9]+ |no app loaded\. going in full dynamic mode"),
    Sign(Kind.STOPPED, r"Handling signal: (?P<signal>term|int|quit|hup|usr2)\b"),
    Sign(Kind.STOPPED, rf"Worker {_PID} was sent SIG(?P<signal>TERM)!"),
    Sign(Kind.STOPPED, r"Shutting down: Master|gracefully killing workers|received\.\.\.killing workers"),
    Sign(Kind.STOPPED, r"^Stopp(?:ing|ed) (?P<unit>.+?)(?:\.\.\.|\.)?$", "systemd"),
    Sign(Kind.STARTED, r"Booting worker with pid: ?(?P<pid>[0-9]+)|Listening at: |spawned uWSGI worker|Application startup complete"),
    Sign(
        Kind.STARTED, r"Worker [0-9]+ \(PID: (?P<pid>[0-9]+)\) booted in |Started [A-Z]\w{0,80} in [0-9.]+ seconds|Now listening on: http"
    ),
    Sign(Kind.STARTED, r"^(?:.{0,60}\s)?(?:[Ll]istening|running) (?:on|at) (?:port |https?://\S{0,60}:|:)?[0-9]{2,5}\b"),
    Sign(Kind.STARTED, r"^Started (?P<unit>.+?)\.?$", "systemd"),
)
"""First match wins."""
PREFILTER = (
    r"WORKER TIMEOUT|HARAKIRI|was sent SIG|DAMN !|[Oo]ut of memory: Kill|oom-kill|oom_reaper: reaped|OOM killer|segfault at|"
    r"general protection|Main process exited|failed to boot|failed to load\.|exited with code [34]\b|unable to load app|no app loaded|"
    r"Handling signal: |Shutting down: Master|killing workers|^Stopp(?:ing|ed) |Booting worker with pid|Listening at: |"
    r"Node\.js v[0-9]+\.|(?:[Ll]istening|running) (?:on|at) |"
    r"spawned uWSGI worker|Application startup complete|^Started |Exception in worker process|Terminating timed out worker|"
    r"[0-9]s\), killing|execution timed out \(|reaped #<Process::Status|exited on signal [0-9]|Unhandled exception\. |"
    r"(?m:^panic: |^fatal error: )|due to java\.lang\.OutOfMemoryError|detected by the Java Runtime|panic serving |\) booted in |"
    r"Started [A-Z]\w* in |Now listening on: |FAILED TO START|Application run failed|Unable to load application|failed to start|"
    r"startup failed\. Exiting|FPM initialization"
)
"""For RE2: every line that a sign fits fits this."""
_PATTERNS = tuple((sign, re.compile(sign.pattern, re.MULTILINE)) for sign in SIGNS)
_SERVER = re.compile(
    r"gunicorn|uwsgi|uvicorn|hypercorn|daphne|waitress|python|django|flask|fastapi|wsgi|asgi|ruby|puma|unicorn|rails|node|java|tomcat|jetty|"
    r"spring|php|dotnet|kestrel|beam|granian|app\b|web\b|api\b",
    re.IGNORECASE,
)
"""Names of processes and units that serve requests."""
_WORDS = re.compile(
    r"(?:^Unhandled exception\. |^panic: |^fatal error: |panic serving \S{2,60}: |due to (?=java\.lang\.OutOfMemoryError)|"
    r"! Unable to load application: |Application run failed\n\s*(?=[a-z]))(?P<words>.{1,200})",
    re.MULTILINE,
)
_WEB_SERVER = re.compile(r"^(?:the )?(?:nginx|apache|httpd)|nginx|apache2|httpd", re.IGNORECASE)
_HOUSEKEEPING = re.compile(
    r"cron|rotat|apt|dnf|yum|snap|ssh|session|user |user@|slice|timer|clean|tmpfiles|journal|syslog|ntp|chrony|time|network|resolve|d-?bus|"
    r"udev|polkit|policy|cloud-|amazon|ssm|certbot|trim|man-db|message of the day|motd|update|upgrade|backup|fail2ban|getty|mount|swap|"
    r"multipath|irq|daily|weekly|mail|postfix|monitor|agent|exporter|metadata|report|refresh|accounting|statistics|sysstat|firewall|audit|login|system",
    re.IGNORECASE,
)
"""Units that come and go on any host and serve no request."""
_BESIDE = re.compile(
    r"exporter|agent|monitor|cron|timer|backup|celery|worker queue|batch|sidekiq|mysql|maria|postgres|redis|mongo|rabbit|elastic"
)
"""What stands beside servers and does not answer requests, though the rest of its name may sound so."""
PYTHON = re.compile(r"gunicorn|uwsgi|uvicorn|hypercorn|daphne|waitress|python|django|flask|wsgi|asgi", re.IGNORECASE)
"""Names under which a server written in Python runs."""
OWN_KILL = timedelta(minutes=10)
"""How long after a time-out a kill of the same process is still the arbiter's own."""
TOGETHER = timedelta(seconds=10)
"""Lines about one process within this are one event."""
LONGEST_RESTART = timedelta(minutes=10)
BOOTING = timedelta(seconds=30)
"""How long after the last failed boot nothing serves yet, where no later start is seen."""
HALTED = re.compile(r"Worker failed to boot\.|App failed to load\.")
"""With these the master itself ends: nothing serves until somebody starts it again."""
DOWN = timedelta(days=1)
"""How long after such an end nothing serves, where no later start is seen."""
SETTLED = timedelta(seconds=15)
"""A start without a failed boot in this time was a good one."""


class Event(NamedTuple):
    """What happened to a process, or to a service from ``time`` until ``until``; ``rows`` are the lines that tell it.

    ``confirmed`` says that two different programs tell it (the arbiter and the kernel). ``serves`` is true where the process or unit is by
    its name one that serves requests, false where it is known not to be, and null where nothing tells.
    """

    kind: Kind
    time: datetime
    until: datetime
    rows: tuple[Mapping[str, Any], ...]
    pid: int | None = None
    name: str = ""
    unit: str = ""
    signal: str = ""
    where: str = ""
    confirmed: bool = False
    serves: bool | None = None
    ended: bool = True
    """Whether the end of a stop was seen; else ``until`` is only as long as it could have been."""

    @property
    def lasting(self) -> bool:
        """Whether it is a span of time in which nothing served, and not a moment."""
        return self.until > self.time


def read(rows: Iterable[Mapping[str, Any]]) -> list[Event]:
    """The events that lines tell of, in order of time.

    Rows hold ``time``, ``message``, ``program`` (who wrote it, may be null) and ``where`` (the host or file: only lines of one place are
    joined). The same process may be told of by several.
    """
    single = sorted((event for row in rows if (event := _single(row)) is not None), key=lambda event: event.time)
    known = {(event.where, event.pid) for event in single if event.pid and event.kind is Kind.STARTED}
    single = [event._replace(serves=True) if event.serves is None and (event.where, event.pid) in known else event for event in single]
    points = _points([event for event in single if event.kind not in {Kind.STOPPED, Kind.STARTED, Kind.UNBOOTABLE}])
    points = [_until_restart(event, single) for event in points]
    loops = _loops(single)
    stops = [event for event in _restarts(single) if not any(_overlap(event, loop) for loop in loops)]
    downs = [event for event in points if event.lasting]
    stops = [event for event in stops if not any(_overlap(event, down) for down in downs)]
    return sorted([*points, *loops, *stops], key=lambda event: event.time)


def own_kills(rows: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Kills that the arbiter itself did after a time-out of the same process (EDGE-151's exclusion)."""
    single = sorted((event for row in rows if (event := _single(row)) is not None), key=lambda event: event.time)
    return [event for event in single if event.kind in {Kind.KILLED, Kind.CRASHED} and _own(event, single)]


def serving(text: str) -> bool | None:
    """Whether a process or unit of that name serves requests; null where the name does not tell."""
    if _BESIDE.search(text):
        return False
    if _WEB_SERVER.search(text) or _SERVER.search(text):
        return True
    return False if _HOUSEKEEPING.search(text) else None


def beside(program: str, where: str) -> bool:
    """Whether who wrote a line, or the name of its file, is of what stands beside servers (``celery.log``)."""
    return any(_BESIDE.search(name.lower()) for name in (program, where.rpartition("|")[2].rpartition("/")[2]))


def own_words(event: Event) -> str:
    """The error that the very line of an event names; empty where it stands elsewhere.

    >>> at = datetime(2026, 11, 18)
    >>> own_words(Event(Kind.PANICKED, at, at, ({"message": "http: panic serving 10.0.0.21:4711: runtime error: index out of range"},)))
    'runtime error: index out of range'
    """
    found = _WORDS.search(str(event.rows[0]["message"])[:4000])
    return found["words"].strip() if found else ""


def is_web_server(event: Event) -> bool:
    """Whether the process or unit is the web server and not what lies behind it."""
    return bool(_WEB_SERVER.search(event.unit or event.name))


def ended_nginx(event: Event) -> bool:
    """Whether a process of nginx was killed or crashed, as the kernel or systemd tells it (EDGE-144)."""
    return event.kind in {Kind.CRASHED, Kind.KILLED, Kind.OUT_OF_MEMORY} and "nginx" in (event.unit or event.name)


def _single(row: Mapping[str, Any]) -> Event | None:
    """The event that one line tells of."""
    message, program = row["message"] or "", row.get("program") or ""
    for sign, pattern in _PATTERNS:
        found = pattern.search(message) if not sign.by or sign.by == program else None
        if found is None:
            continue
        told = found.groupdict()
        unit, name = told.get("unit") or "", told.get("name") or ""
        serves = serving(unit or name) if unit or name else not beside(program, row.get("where") or "")
        pid = int(told["pid"]) if told.get("pid") else None
        return Event(
            sign.kind,
            row["time"],
            row["time"],
            (row,),
            pid,
            name,
            unit,
            (told.get("signal") or "").upper(),
            row.get("where") or "",
            serves=serves,
        )
    return None


def _own(event: Event, events: Sequence[Event]) -> bool:
    """Whether a kill follows a time-out of the same process: then the arbiter did it."""
    return event.pid is not None and any(
        other.kind is Kind.TIMED_OUT and other.pid == event.pid and timedelta(0) <= event.time - other.time <= OWN_KILL for other in events
    )


def _points(events: Sequence[Event]) -> list[Event]:
    """One event for each process that ended, however many lines tell of it; the arbiter's own kills belong to the time-out."""
    found: list[Event] = []
    for event in events:
        if event.kind in {Kind.KILLED, Kind.CRASHED} and _own(event, events):
            continue
        same = next((index for index, other in enumerate(found) if _same(event, other)), None)
        if same is None:
            found.append(event)
            continue
        found[same] = _joined(found[same], event)
    return found


def _same(event: Event, other: Event) -> bool:
    """Whether two lines tell of one end of one process."""
    timed_out = [one.kind is Kind.TIMED_OUT for one in (event, other)]
    if event.time - other.time > TOGETHER or timed_out[0] is not timed_out[1]:
        return False
    if event.pid is not None and other.pid is not None:
        return event.pid == other.pid
    # A line of systemd names the unit and no process: it goes with a kill of the same place.
    return bool(event.unit or other.unit) and event.where == other.where and {event.kind, other.kind} <= {Kind.OUT_OF_MEMORY, Kind.KILLED}


def _joined(one: Event, other: Event) -> Event:
    """Two tellings of one event; memory as the reason outweighs a bare kill."""
    kind = Kind.OUT_OF_MEMORY if Kind.OUT_OF_MEMORY in {one.kind, other.kind} else one.kind
    serves = True if True in {one.serves, other.serves} else one.serves if one.serves is not None else other.serves
    return one._replace(
        kind=kind,
        rows=(*one.rows, *other.rows),
        pid=one.pid or other.pid,
        name=one.name or other.name,
        unit=one.unit or other.unit,
        signal=one.signal or other.signal,
        confirmed=one.confirmed or one.kind is not other.kind,
        serves=serves,
    )


def _until_restart(event: Event, events: Sequence[Event]) -> Event:
    """The end of a whole service lasts until it is started again."""
    if event.kind in {Kind.BROKE_OFF, Kind.HEAP_FULL}:
        start = next((one for one in _starts(events, event.where) if one.time > event.time), None)
        seen = start is not None and start.time - event.time <= LONGEST_RESTART
        return event._replace(until=start.time if seen and start else event.time + BOOTING, ended=seen)
    if not event.unit:
        return event
    starts = (one for one in events if one.kind is Kind.STARTED and one.time >= event.time and one.where == event.where and one.unit)
    start = next((one for one in starts if _one_unit(event.unit, one.unit)), None)
    if start is None or start.time - event.time > LONGEST_RESTART:
        return event
    return event._replace(until=start.time, rows=(*event.rows, *start.rows))


def _one_unit(one: str, other: str) -> bool:
    """Whether two ways in which systemd writes a unit are of one: its file name, its description, or both."""
    short, long = sorted((one.removesuffix(".service").lower(), other.lower()), key=len)
    return short in long or one.lower().partition(".service")[0] == other.lower().partition(".service")[0]


def _loops(events: Sequence[Event]) -> list[Event]:
    """Failed boots, from the first to the last or to the start that held; between two of them the service was up if it was that long."""
    found: list[Event] = []
    for event in (one for one in events if one.kind is Kind.UNBOOTABLE):
        last = found[-1] if found else None
        if last is not None and last.where == event.where and event.time - last.until <= LONGEST_RESTART:
            held = [one for one in _held(events, last.where) if last.until < one.time < event.time - SETTLED]
            if not held:
                found[-1] = last._replace(until=event.time, rows=(*last.rows, *event.rows), pid=last.pid or event.pid)
                continue
        found.append(event)
    closed = []
    for loop in found:
        start = next((one for one in _held(events, loop.where) if one.time > loop.until), None)
        halted = any(HALTED.search(row["message"] or "") for row in loop.rows)
        seen = start is not None and (halted or start.time - loop.until <= LONGEST_RESTART)
        closed.append(loop._replace(until=start.time if seen and start else loop.until + (DOWN if halted else BOOTING), ended=seen))
    return [_from_stop(loop, events) for loop in closed]


def _starts(events: Sequence[Event], where: str) -> Iterator[Event]:
    """Starts of what may serve requests: a session of somebody who logs in is a unit that is started, too."""
    yield from (one for one in events if one.kind is Kind.STARTED and one.where == where and one.serves is not False)


def _held(events: Sequence[Event], where: str) -> list[Event]:
    """Starts after which no boot failed at once."""
    fails = [one.time for one in events if one.kind is Kind.UNBOOTABLE and one.where == where]
    return [
        one
        for one in events
        if one.kind is Kind.STARTED
        and one.where == where
        and (not one.unit or one.serves is True)
        and not any(timedelta(0) <= time - one.time <= SETTLED for time in fails)
    ]


def _from_stop(loop: Event, events: Sequence[Event]) -> Event:
    """A failed boot after a stop: nothing served since the stop."""
    stops = [one for one in events if one.kind is Kind.STOPPED and one.where == loop.where and one.serves]
    before = [one for one in stops if timedelta(0) <= loop.time - one.time <= timedelta(minutes=2)]
    return loop._replace(time=before[0].time) if before else loop


def _restarts(events: Sequence[Event]) -> list[Event]:
    """Stops of a service, each with the start that ended it."""
    found: list[Event] = []
    for event in (one for one in events if one.kind is Kind.STOPPED and one.serves is not False):
        last = next((one for one in reversed(found) if one.where == event.where and (not one.unit or one.unit == event.unit)), None)
        if last is not None and last.time <= event.time <= last.until:
            found[found.index(last)] = last._replace(rows=(*last.rows, *event.rows), unit=last.unit or event.unit)
            continue
        starts = [one for one in _starts(events, event.where) if one.time >= event.time]
        start = next((one for one in starts if not event.unit or not one.unit or _one_unit(event.unit, one.unit)), None)
        # One signal to one worker is no stop of the service unless workers are started for it.
        if start is None and event.pid is not None:
            continue
        seen = start is not None and start.time - event.time <= LONGEST_RESTART
        until = start.time if seen and start else event.time + LONGEST_RESTART
        rows = (*event.rows, *(start.rows if seen and start else ()))
        found.append(event._replace(until=max(until, event.time + timedelta(seconds=1)), rows=rows, ended=seen))
    return found


def _overlap(one: Event, other: Event) -> bool:
    return one.where == other.where and one.time <= other.until + SETTLED and other.time - SETTLED <= one.until
