"""What application servers, the kernel and systemd say of processes: time-outs, kills, crashes, boots that fail, restarts.

The signatures are data (``process_signs``); reading lines by them, and joining lines that speak of one event, is pure. The arbiter's
own SIGKILL after a time-out prints the same text as a kill from outside, so a kill counts as one only if no time-out of the same process
went before.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.server.process_signs import SIGNS, WEB_SERVER, Kind, beside, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_PATTERNS = tuple((sign, re.compile(sign.pattern, re.MULTILINE)) for sign in SIGNS)
_WORDS = re.compile(
    r"(?:^Unhandled exception\. |^panic: |^fatal error: |panic serving \S{2,60}: |due to (?=java\.lang\.OutOfMemoryError)|"
    r"! Unable to load application: |Application run failed\n\s*(?=[a-z]))(?P<words>.{1,200})",
    re.MULTILINE,
)
OWN_KILL = timedelta(minutes=10)
"""How long after a time-out a kill of the same process is still the arbiter's own."""
TOGETHER = timedelta(seconds=10)
"""Lines about one process within this are one event."""
LONGEST_RESTART = timedelta(minutes=10)
DONE = timedelta(seconds=2)
"""How long after the end of its process systemd calls a unit stopped that it was stopping."""
LONGEST_STOP = timedelta(minutes=5)
"""How long after the beginning of a stop whoever stops may lose patience; systemd does after 90 seconds."""
BOOTING = timedelta(seconds=30)
"""How long after the last failed boot nothing serves yet, where no later start is seen."""
HALTED = re.compile(r"Worker failed to boot\.|App failed to load\.")
"""With these the master itself ends: nothing serves until somebody starts it again."""
DOWN = timedelta(days=1)
"""How long after such an end nothing serves, where no later start is seen."""
SETTLED = timedelta(seconds=15)
"""A start without a failed boot in this time was a good one."""


NO_POINTS = frozenset({Kind.STOPPED, Kind.STARTED, Kind.UNBOOTABLE, Kind.EXITED})
"""What is not the end of one process by itself."""


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
    points = _points([event for event in single if event.kind not in NO_POINTS and not _of_its_stop(event, single)])
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
    return bool(WEB_SERVER.search(event.unit or event.name))


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


def _of_its_stop(event: Event, events: Sequence[Event]) -> bool:
    """Whether a kill is how a stop ended that took too long: systemd kills at TimeoutStopSec, gunicorn its workers at graceful_timeout."""
    if event.kind is not Kind.KILLED:
        return False
    # A signal to one worker, or the start of one, says nothing of another: after a reload old workers end beside new ones.
    # Lines of one second stand in the order in which they were written.
    place = next(index for index, one in enumerate(events) if one is event)
    done = {one.unit for one in events[place + 1 :] if one.kind is Kind.STOPPED and one.unit and one.time - event.time <= DONE}
    turns = [
        one
        for one in events[:place]
        if one.kind in {Kind.STOPPED, Kind.STARTED}
        and one.pid in {None, event.pid}
        and one.where == event.where
        # Older systemd calls a unit that it stops by its description only, and says that it is stopped once its process is gone.
        and (_alike(event, one) or (bool(event.unit) and one.unit in done))
    ]
    return bool(turns) and turns[-1].kind is Kind.STOPPED and event.time - turns[-1].time <= LONGEST_STOP


def _alike(one: Event, other: Event) -> bool:
    """Whether both name the same unit, or neither names one."""
    return _one_unit(one.unit, other.unit) if one.unit and other.unit else not one.unit and not other.unit


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
        start = next((one for one in _starts(events, event.where) if one.time > event.time and _ends(event, one, events)), None)
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


def _ends(event: Event, start: Event, events: Sequence[Event]) -> bool:
    """Whether a start may end a stop, or a process that broke off: of the same unit where both name one.

    Where only the start does, it must be a unit that serves by its name, or one that was stopped or died with the event.
    """
    if not start.unit:
        return True
    if event.unit:
        return _one_unit(event.unit, start.unit)
    fell = (one for one in events if one.unit and one.kind is not Kind.STARTED and one.where == event.where)
    return start.serves is True or any(_one_unit(one.unit, start.unit) and abs(one.time - event.time) <= TOGETHER for one in fell)


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
        start = next((one for one in starts if _ends(event, one, events)), None)
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
