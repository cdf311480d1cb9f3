"""Which failing requests an event explains: those under way when a process ended, or that came while nothing served.

Pure. Host and time must fit, as far as the hosts are known; and the fit must be better than chance, for on a busy day some request
fails in any second.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kyumei.edge.server.process_events import Event

BEFORE = timedelta(seconds=2)
AFTER = timedelta(seconds=3)
"""How far the end of a request may lie from the event that ended it: clocks of hosts, whole seconds, and the time of the relay."""
READY = timedelta(seconds=5)
"""How long after a start a service may still refuse."""
BY_CHANCE = 3.0
"""How many times as many requests must fit as would by chance."""
LEAST_SPAN = timedelta(minutes=10)
_ARRIVAL = frozenset({"apache_access", "clb_access"})
"""Tables whose time is the request's arrival; the others write when it was done."""
_HOST_IP = re.compile(r"^ip-([0-9]+)-([0-9]+)-([0-9]+)-([0-9]+)\b")
_LOOPBACK = ("127.", "::1", "localhost", "unix:")


class Ask(NamedTuple):
    """A failing request: when it began and ended, and the host that was asked for it, where known."""

    row: Mapping[str, Any]
    started: datetime
    ended: datetime
    timed: bool
    """Whether the log tells how long it took."""
    target: str = ""
    """The address of the server that was asked; empty where the log does not tell."""
    place: str = ""
    """The file that has the record, as the case names it."""

    @property
    def lasted(self) -> float:
        """Seconds that it took, 0 where the log does not tell."""
        return (self.ended - self.started).total_seconds()


def asked(table: str, row: Mapping[str, Any], target: str = "", place: str = "") -> Ask:
    """The request of one record."""
    time: datetime = row["time"]
    parts = [row.get(name) for name in ("request_seconds", "target_seconds", "response_seconds")]
    known = [float(part) for part in parts if part is not None and part >= 0]
    took = sum(known) if table in {"clb_access", "alb_access"} else (known[0] if known else None)
    if row.get("started") is not None and table == "alb_access":
        return Ask(row, min(row["started"], time), time, timed=True, target=target, place=place)
    length = timedelta(seconds=took) if took is not None and took < timedelta(days=1).total_seconds() else timedelta(0)
    timed = took is not None and (table != "clb_access" or bool(known))
    if table in _ARRIVAL:
        return Ask(row, time, time + length, timed, target, place)
    return Ask(row, time - length, time, timed, target, place)


def measured(one: Ask, outer: Iterable[Mapping[str, Any]]) -> Ask:
    """The request with the length that a load balancer in front measured, where the log that holds it tells none.

    ``outer`` are the balancer's rows of the same requests. Of several that ended then the shortest counts.
    """
    if one.timed:
        return one
    near = [row for row in outer if row.get("path") == one.row.get("path") and abs(row["time"] - one.ended) <= BEFORE]
    starts = [row["started"] for row in near if row.get("started") is not None and row["started"] <= one.ended]
    return one._replace(started=max(starts), timed=True) if starts else one


class Fit(NamedTuple):
    """What events explain of some requests.

    ``better`` says whether it is more than chance would; ``here`` whether the hosts are known to be the same, or cannot differ.
    """

    asks: tuple[Ask, ...]
    events: tuple[Event, ...]
    of: int
    better: bool
    here: bool

    @property
    def share(self) -> float:
        """The part of the requests that is explained."""
        return len(self.asks) / self.of if self.of else 0.0


def fit(asks: Sequence[Ask], events: Sequence[Event], *, longer_than: float = 0.0) -> Fit:
    """The requests that some of these events explain. Those that ended sooner than ``longer_than`` seconds count for none."""
    hit: list[Ask] = []
    used: list[Event] = []
    for one in asks:
        near = [event for event in events if explains(event, one, longer_than)]
        if near:
            hit.append(one)
            used += [event for event in near if event not in used]
    lone = len({one.target for one in asks if one.target}) <= 1
    here = bool(hit) and all(any(_same_host(event, one) or (lone and _same_host(event, one) is None) for event in used) for one in hit)
    return Fit(tuple(hit), tuple(sorted(used, key=lambda event: event.time)), len(asks), _more_than_chance(hit, asks, events), here)


def explains(event: Event, one: Ask, longer_than: float = 0.0) -> bool:
    """Whether the request ended with the event, or came while it lasted."""
    if _same_host(event, one) is False:
        return False
    if event.lasting:
        return event.time - BEFORE <= one.ended and one.started <= event.until + READY and one.ended <= event.until + READY + AFTER
    if one.timed and one.lasted < longer_than:
        return False
    return event.time - BEFORE <= one.ended <= event.time + AFTER and one.started <= event.time + BEFORE


def _more_than_chance(hit: Sequence[Ask], asks: Sequence[Ask], events: Sequence[Event]) -> bool:
    """Whether more requests fit than would if they were spread evenly. Spans are judged by what was served in them, not here."""
    if not hit:
        return False
    first, last = min(one.ended for one in asks), max(one.ended for one in asks)
    span = max(last - first, LEAST_SPAN).total_seconds()
    moments = [event.time for event in events if not event.lasting]
    if len(moments) < len(events):
        return True
    covered = min(1.0, len(moments) * (BEFORE + AFTER).total_seconds() / span)
    return len(hit) > BY_CHANCE * covered * len(asks) or (len(hit) == len(asks) and covered * BY_CHANCE <= 1)


def _same_host(event: Event, one: Ask) -> bool | None:
    """Whether event and request are of one host; null where nothing tells."""
    name, _, file = event.where.partition("|")
    host = address_of(name) or next((told for part in file.split("/")[:-1] if (told := address_of(part))), "")
    if host and one.target and not one.target.startswith(_LOOPBACK):
        wanted = one.target.rpartition(":")[0] if one.target.count(":") == 1 else one.target
        return host == wanted.strip("[]") if address_of(wanted) else None
    return same_place(file, one.place)


def address_of(name: str) -> str:
    """The address that a host's name tells (``ip-10-0-1-23``), or that it is; empty for other names."""
    found = _HOST_IP.match(name)
    text = ".".join(found.groups()) if found else name
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return ""


def same_place(one: str, other: str) -> bool | None:
    """False where two files lie in folders of different hosts: folders alike but for their number (``web1`` and ``web2``)."""
    for mine, theirs in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if mine == theirs:
            continue
        bare = [re.sub(r"[0-9]+|(?<=[-_])[a-z]$", "#", part) for part in (mine, theirs)]
        return False if bare[0] == bare[1] else None
    return None


def spread(asks: Iterable[Ask]) -> tuple[float, float] | None:
    """The shortest and the longest of the requests whose time is known, in seconds."""
    known = [one.lasted for one in asks if one.timed]
    return (min(known), max(known)) if known else None
