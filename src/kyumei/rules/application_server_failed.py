"""The application server failed: a worker timed out, was killed or crashed, the application did not boot, or a restart left a gap.

Requests under way in a process that ends get no answer, and what stands in front makes a 502, 503 or 504 of it (EDGE-150 to EDGE-154).
An event counts for a request only if it ended with the event, or came while nothing served, on the same host as far as hosts are known.
That the application's log has no line of the request fits: a worker writes it when done, and a killed one never does. Proven where a second
log tells the same (the error line of the web server, the time that the load balancer measured, the kernel).

Follows gunicorn's "Settings" (timeout) and "FAQ", the kernel's text of the out-of-memory killer, and systemd's journal messages.
"""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.blanks import filled
from kyumei.edge.function.raised import raised_by
from kyumei.edge.server.errors import signature_of_line, text_of, upstream_of
from kyumei.edge.server.process_causes import CAUSES, FOREIGN_KILL, Cause
from kyumei.edge.server.process_events import Event, ended_nginx, is_web_server, own_kills, own_words, read
from kyumei.edge.server.process_lines import process_lines, speaks_of_kernel
from kyumei.edge.server.process_signs import PYTHON, Kind
from kyumei.edge.server.served import answered_meanwhile, nothing_served
from kyumei.edge.victims import Ask, Fit, asked, fit, spread
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OUTER = frozenset({"alb", "clb", "nginx", "apache", "cloudfront", "apigateway", "unknown", "target"})
STATUSES = frozenset({502, 503, 504})
TIMED_OUT = 504
"""What is mostly made where nothing ended, but nobody answered."""
AROUND = timedelta(minutes=30)
"""How far around the failing requests events are looked for; what lies in it and fits no request is ruled out by name."""
HALF = 0.5
FEW = 0.2
"""Shares of the failing requests below which an event is not the cause of the whole, and only one possible among others."""
CLOSED = re.compile(
    r"prematurely closed|Connection reset by peer|AH00898|AH01102|Connection refused|No such file|no live upstreams|AH00957|AH01114"
)
"""What the web server writes when the process that it asked is gone."""
NO_END = frozenset({"EDGE-116", "EDGE-131", "EDGE-133", "EDGE-142"})
"""What the web server's error line says of a request that no end of a process did: it was forbidden to connect, the server answered with a
header too large, the handshake failed, the name was not resolved."""
AGAIN = " and started again, as for a deployment,"
"""Said of a stop only where the start was seen."""
OF_ONE = frozenset({Kind.OUT_OF_MEMORY, Kind.TIMED_OUT, Kind.CRASHED, Kind.KILLED})
"""What befalls one process at a time, and several for the same reason."""
NAMED = 3
"""Processes that a title names."""
NAMES = {"server": "the application server", "app": "the application"}


class _Asked(NamedTuple):
    """A failure with what this rule knows of it: its requests, the events around them, and the lines that tell of those."""

    failure: Failure
    asks: tuple[Ask, ...]
    events: tuple[Event, ...]
    lines: tuple[Mapping[str, Any], ...]

    @property
    def start(self) -> datetime:
        """When the first of its requests began."""
        return min(one.started for one in self.asks)

    @property
    def end(self) -> datetime:
        """When the last of its requests ended."""
        return max(one.ended for one in self.asks)


def examine(view: View) -> Opinion:
    """One finding for each sort of event that cost failing requests."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.hop not in OUTER or not failure.rows or not _is_for_want_of_an_answer(failure.rows[0]):
            continue
        told = _asked(view, failure)
        found, used = _explained(view, told)
        findings += found
        ruled_out += _ruled_out(view, told, used)
        gaps += _gaps(told, found)
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _is_for_want_of_an_answer(row: Mapping[str, Any]) -> bool:
    """Whether what stands in front made this answer because nothing behind it gave one; not a listener's fixed 503, nor one of Lambda."""
    actions = row.get("actions") or ["forward"]
    return row.get("status") in STATUSES and actions[-1] == "forward" and not row.get("error_reason")


def _asked(view: View, failure: Failure) -> _Asked:
    files = {artifact: view.cite([row], 1)[0].file for artifact, row in {row["_artifact"]: row for row in failure.rows}.items()}
    lines = {(line.get("method"), line.get("path")): line for line in failure.inner_errors}
    asks = []
    for row in failure.rows:
        line = lines.get((row.get("method"), row.get("path")))
        target = str(row.get("target_ip") or row.get("upstream_addr") or (upstream_of(line) if line else None) or "")
        # The web server's own folder tells its host; a load balancer's tells none.
        asks.append(asked(failure.table, row, target, files[row["_artifact"]] if failure.hop in {"nginx", "apache"} else ""))
    start, end = min(one.started for one in asks), max(one.ended for one in asks)
    rows = process_lines(view, start - AROUND, end + AROUND)
    events = [
        event
        for event in read(rows)
        if _may_serve(view, event) and not ended_nginx(event) and not (failure.hop in {"nginx", "apache"} and is_web_server(event))
    ]
    return _Asked(failure, tuple(asks), tuple(events), tuple(rows))


def _may_serve(view: View, event: Event) -> bool:
    """Whether what happened may have happened to what serves the requests: a process by its name, a service unless it is known not to."""
    if event.serves is False or (event.serves is None and event.name and not event.unit):
        return False
    if event.name and not event.confirmed and not PYTHON.search(event.name) and not is_web_server(event):
        return not view.rows("SELECT 1 FROM app_log WHERE server IN ('gunicorn', 'uvicorn', 'uwsgi', 'werkzeug', 'django') LIMIT 1")
    return True


def _explained(view: View, told: _Asked) -> tuple[list[Finding], list[Event]]:
    """The findings; each request is given to the first cause that fits it."""
    findings: list[Finding] = []
    used: list[Event] = []
    left = [one for one in told.asks if not _told_otherwise(told.failure, one)]
    for cause in CAUSES:
        events = [event for event in told.events if event.kind is cause.kind]
        if not events or not left:
            continue
        found = fit(left, events, longer_than=cause.longer_than)
        if not found.asks:
            continue
        used += found.events
        left = [one for one in left if one not in found.asks]
        findings.append(_finding(view, told, cause, Fit(found.asks, found.events, len(told.asks), found.better, found.here)))
    return findings, used


def _told_otherwise(failure: Failure, one: Ask) -> bool:
    """Whether all that the web server's error log says of such a request is something that no end of a process did."""
    lines = (
        line for line in failure.inner_errors if (line.get("method"), line.get("path")) == (one.row.get("method"), one.row.get("path"))
    )
    codes = {signature.code if (signature := signature_of_line(line, None)) else "" for line in lines}
    return bool(codes) and codes <= NO_END


def _finding(view: View, told: _Asked, cause: Cause, found: Fit) -> Finding:
    first = found.events[0]
    words = own_words(first)
    raised = (words, first.rows[0]) if words else raised_by(view, first) if cause.kind is Kind.BROKE_OFF else None
    kernel = cause.kind is Kind.KILLED and speaks_of_kernel(view, told.start, told.end)
    cause = FOREIGN_KILL if kernel else cause
    failure = told.failure
    explains = failure.total if len(found.asks) == len(told.asks) else len(found.asks)
    status = failure.rows[0]["status"]
    what = _titled(cause, found.events) + (f" ({raised[0]})" if raised else "")
    ended = (Evidence(f"It ended with {raised[0]}", view.cite([raised[1]])),) if raised else ()
    return Finding(
        code=cause.code,
        rule=RULE.name,
        title=f"{what}: {_of(explains, failure.total)} answered {status} fell to it",
        certainty=_certainty(view, told, cause, found),
        chain=(*_chain(view, told, cause, found), *ended),
        subject=_subject(first, failure),
        remedy=(Remedy(cause.fix, tuple(_filled(command, found) for command in cause.commands)),),
        check=(Check(cause.check, _filled(cause.check_command, found)),),
        onset=first.time.replace(tzinfo=UTC),
        explains=explains,
        message="A server process of ours ended while it was working on your request, so that no answer came. We know when and "
        "why, and are mending it.",
        layer=("nginx" if "nginx" in (first.unit or first.name) else "apache") if is_web_server(first) else cause.layer,
        failures=(failure.key,),
    )


def _of(count: int, total: int) -> str:
    return f"all {total} requests" if count == total and total > 1 else "the request" if total == 1 else f"{count} of {total} requests"


def _who(failure: Failure) -> str:
    """Who has the failing requests: where it is not known who answered them, whose log it is."""
    return failure.table.partition("_")[0] if failure.hop in {"unknown", "target"} else failure.hop


def _titled(cause: Cause, events: Sequence[Event]) -> str:
    """What happened, and to which processes or service."""
    died = list(dict.fromkeys((event.where, event.pid) for event in events if event.pid and not event.unit and cause.kind in OF_ONE))
    if len(died) < 2:  # noqa: PLR2004 - more than one
        title = cause.title if events[0].ended else cause.title.replace(AGAIN, "")
        return title.replace("{what}", _what(events[0]))
    more = f" and {len(died) - NAMED} more" if len(died) > NAMED else ""
    several = f"{len(died)} processes ({', '.join(str(pid) for _, pid in died[:NAMED])}{more})"
    return cause.title.replace(" was ", " were ").replace(" its ", " their ").replace("{what}", several)


def _what(event: Event) -> str:
    if event.unit:
        return f"the service {event.unit}"
    name = f" ({event.name})" if event.name else ""
    return f"process {event.pid}{name}" if event.pid and event.kind is not Kind.STOPPED else "the application server"


def _subject(event: Event, failure: Failure) -> dict[str, str]:
    told = {"pid": str(event.pid or ""), "process": event.name, "unit": event.unit, "signal": event.signal, "hop": failure.hop}
    return {"status": str(failure.rows[0]["status"]), "host": event.where.partition("|")[0]} | told


def _filled(command: str, found: Fit) -> str:
    first, last = found.events[0], found.events[-1]
    unit = first.unit.partition(" - ")[0]
    values = {
        "pid": str(first.pid or "<PID>"),
        "unit": shlex.quote(unit) if unit else "<UNIT>",
        "from": f"{first.time - timedelta(minutes=1):%Y-%m-%d %H:%M:%S} UTC",
        "until": f"{last.until + timedelta(minutes=1):%Y-%m-%d %H:%M:%S} UTC",
    }
    return filled(command, values)


def _certainty(view: View, told: _Asked, cause: Cause, found: Fit) -> Certainty:
    """Proven where a second log agrees, the hosts cannot differ, and what fits is most of the requests and more than chance."""
    if (
        not found.better
        or found.share < FEW
        or (cause.kind is Kind.STOPPED and not found.events[0].ended and not nothing_served(view, told.failure, found.events[0], told.end))
    ):
        return Certainty.POSSIBLE
    if any(event.lasting for event in found.events) and answered_meanwhile(view, told.failure, found.events, told.end) >= len(found.asks):
        return Certainty.POSSIBLE
    named = all(event.serves for event in found.events)
    if found.share < HALF or not found.here or not named or not _confirmed(told, cause, found):
        return Certainty.LIKELY
    return Certainty.PROVEN


def _confirmed(told: _Asked, cause: Cause, found: Fit) -> bool:
    """Whether a second, independent log tells the same as the line of the event."""
    closed = any(CLOSED.search(text_of(line)) for line in told.failure.inner_errors)
    if cause.kind is Kind.OUT_OF_MEMORY:
        return closed or any(event.confirmed for event in found.events)
    if cause.kind is Kind.KILLED:
        return False
    if cause.kind is Kind.TIMED_OUT:
        lasted = spread(found.asks)
        return closed or (lasted is not None and lasted[0] >= cause.longer_than)
    if cause.kind is Kind.STOPPED:
        return found.events[0].ended and len(found.asks) == len(told.asks)
    return closed or cause.kind is Kind.CRASHED


def _chain(view: View, told: _Asked, cause: Cause, found: Fit) -> list[Evidence]:
    failure, first = told.failure, found.events[0]
    row = found.asks[0].row
    chain = [
        Evidence(
            f"{_who(failure)} has the failing requests: {row.get('method') or '?'} {row.get('path') or '?'} answered {row['status']}, the "
            f"first of them done at {min(one.ended for one in found.asks):%Y-%m-%d %H:%M:%S} UTC",
            view.cite([one.row for one in found.asks]),
            f'SELECT * FROM "{failure.table}" WHERE status = {row["status"]} AND path = {quoted(str(row.get("path") or ""))} ORDER BY time',
            len(found.asks),
        )
    ]
    if failure.inner_errors:
        line = failure.inner_errors[0]
        chain.append(
            Evidence(
                f"{_who(failure)}'s error log says: {text_of(line)[:200]}",
                view.cite(failure.inner_errors),
                total=len(failure.inner_errors),
            )
        )
    lines = [line for event in found.events for line in event.rows]
    span = f" until {first.until:%H:%M:%S}" if first.lasting else ""
    chain.append(Evidence(f"At {first.time:%H:%M:%S} UTC{span}: {_said(first)}", view.cite(lines), total=len(lines)))
    if cause.kind is Kind.UNBOOTABLE and (trace := _traceback(told, first)):
        chain.append(Evidence(f"Before it the application raised: {trace[-1]}", view.cite(_trace_rows(told, first))))
    if (lasted := spread(found.asks)) and cause.kind is Kind.TIMED_OUT:
        chain.append(Evidence(f"The requests that fell to it had lasted {lasted[0]:.0f} to {lasted[1]:.0f} s"))
    chain += [
        Evidence(
            f"{NAMES[hop]} has no access line of them: it writes one when a request is done, and a process that ends never does (EDGE-154)"
        )
        for hop in failure.silent
        if hop in NAMES
    ]
    chain.append(Evidence(f"So {cause.meaning}"))
    if unexplained := len(told.asks) - len(found.asks):
        beyond = f" of the {len(told.asks)} looked at" if failure.total > len(told.asks) else ""
        chain.append(
            Evidence(f"{unexplained}{beyond} of the failing requests do not fit in time and remain unexplained by this", total=unexplained)
        )
    return chain


def _said(event: Event) -> str:
    return str(event.rows[0]["message"]).splitlines()[0][:200]


def _trace_rows(told: _Asked, event: Event) -> list[Mapping[str, Any]]:
    """The line with the traceback that led to a failed boot: the last before it in the same place."""
    before = [
        line
        for line in told.lines
        if line["where"] == event.where and "Traceback (most recent" in line["message"] and line["time"] <= event.until
    ]
    return before[-1:]


def _traceback(told: _Asked, event: Event) -> list[str]:
    rows = _trace_rows(told, event)
    return (
        [line.strip() for line in str(rows[0]["message"]).splitlines() if line.strip() and not line.startswith((" ", "\t"))] if rows else []
    )


def _ruled_out(view: View, told: _Asked, used: Sequence[Event]) -> list[RuledOut]:
    """Events near the failing requests that explain none of them, one of each kind."""
    found: dict[Kind, RuledOut] = {}
    for event in told.events:
        if event in used or event.kind in found:
            continue
        code = next(cause.code for cause in CAUSES if cause.kind is event.kind)
        apart = min(abs((one.ended - event.time).total_seconds()) for one in told.asks)
        why = f"{_what(event)} {event.kind} at {event.time:%H:%M:%S} UTC, but no failing request ended with it or came in its span"
        found[event.kind] = RuledOut(code, f"{why}; the nearest is {apart:.0f} s away or on another host", view.cite(event.rows, 1))
    kills = own_kills(told.lines)
    if kills:
        why = f"the kill of process {kills[0].pid} followed its time-out: the server's own master did it"
        found.setdefault(Kind.OUT_OF_MEMORY, RuledOut("EDGE-151", why, view.cite(kills[0].rows, 1)))
    return list(found.values())


def _gaps(told: _Asked, found: Sequence[Finding]) -> list[Gap]:
    """Logs that would settle what the events leave open."""
    start, end = f"{told.start - timedelta(minutes=5):%Y-%m-%d %H:%M}", f"{told.end + timedelta(minutes=5):%Y-%m-%d %H:%M}"
    gaps = []
    if any(one.code == "EDGE-151" and "SIGKILL" in one.title for one in found):
        how = f"journalctl -k --since '{start}' --until '{end}' > kernel.log"
        gaps.append(Gap("the kernel's log of the host", "whether the process was killed because memory had run out", how))
    open_still = not any((one := signature_of_line(line, None)) is not None and not one.open for line in told.failure.inner_errors)
    if not found and not told.lines and open_still and told.failure.rows[0]["status"] != TIMED_OUT:
        how = f"journalctl -u <UNIT> --since '{start}' --until '{end}', and journalctl -k, into the folder"
        gaps.append(Gap("log of the application server's processes", "whether a worker timed out, was killed or was restarted then", how))
    return gaps


RULE = Rule(
    name="application_server_failed",
    codes=("EDGE-150", "EDGE-151", "EDGE-152", "EDGE-153", "EDGE-154"),
    needs=(),
    helps=("app_log", "syslog", "json_lines", "nginx_error", "apache_error", "alb_access", "nginx_access"),
    rivals=("upstream_failed", "slow_behind"),
    examine=examine,
)
