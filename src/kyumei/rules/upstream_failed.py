"""nginx or Apache could not get an answer from the server behind it (EDGE-114 to EDGE-133, EDGE-138 to EDGE-149).

The web server's error log says which way it failed: refused, no socket, no answer in time, a connection closed, a header too large. The
line counts for a request only if the access log has that request, with a status that can follow from it. Some lines say all (nothing
listened); others are themselves a symptom (the connection was closed), and then the rule says what is left open. `no live upstreams` is
never a cause: the first earlier error of that upstream is. Trouble of the web server as a whole (a killed worker, no connections left)
names no request and shows only further out, as a 502 or 504 of a load balancer in that second.

Follows nginx's ngx_http_upstream.c, "Module ngx_http_upstream_module", and Apache's "Module mod_proxy".
"""

from __future__ import annotations

import shlex
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.blanks import filled
from kyumei.edge.probe import again
from kyumei.edge.server.error_lines import LEVELS, NEAR, lines_of
from kyumei.edge.server.errors import module_of, of_family, signature_of_line, strain_of, text_of, upstream_of
from kyumei.edge.server.fpm_pools import full_pool
from kyumei.edge.server.nginx_errors import NO_START
from kyumei.edge.server.process_events import Event, ended_nginx, read
from kyumei.edge.server.process_lines import process_lines
from kyumei.edge.server.process_signs import Kind
from kyumei.edge.signature import Family, Signature
from kyumei.edge.victims import asked, fit
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

Row = dict[str, Any]
WEB_SERVERS = {"nginx": "nginx", "apache": "Apache"}
OUTER = frozenset({"alb", "clb", "cloudfront", "apigateway"})
GATEWAY = frozenset({502, 503, 504})
NONE_LIVE = "EDGE-130"
BEHIND = {"server": "the application server", "app": "the application"}
EPISODE = timedelta(minutes=5)
"""Errors of one upstream that lie no further apart are one trouble."""
QUEUED = timedelta(minutes=5)
"""How long Apache may stay full after it said so; it says so once."""
AROUND = timedelta(minutes=15)
"""How far around the failing requests lines about processes are read, so that those of one event come together."""
HALF = 0.5
WORKER_GONE = next(one for one in of_family(Family.STRAIN) if one.code == "EDGE-144")


def examine(view: View) -> Opinion:
    """One finding for each group of requests for which the web server got no answer, and for trouble of a whole web server."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        status = failure.rows[0].get("status") if failure.rows else None
        if failure.hop in OUTER and status in GATEWAY:
            findings += _strained(view, failure)
        if failure.hop not in WEB_SERVERS or status is None or status < SERVER_ERROR:
            continue
        lines = lines_of(view, failure)
        found = next(((one, line) for line in lines if (one := signature_of_line(line, status)) is not None), None)
        if found is None:
            gaps.append(_unread_cause(failure, lines))
            continue
        if found[0].family is not Family.UPSTREAM:
            continue
        first = _first_error(view, found[1]) if found[0].code == NONE_LIVE else None
        findings.append(_finding(view, failure, found[0], found[1], first))
        gaps += _open(failure, found[0], first)
        ruled_out += _ruled_out(view, failure)
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _ruled_out(view: View, failure: Failure) -> list[RuledOut]:
    found = [
        RuledOut("EDGE-001", f"{BEHIND[hop]} has no record of the requests, though its log covers the moment")
        for hop in failure.silent
        if hop in BEHIND
    ]
    if passed := failure.sightings.get("waf"):
        found.append(RuledOut("EDGE-022", "AWS WAF let these requests pass", view.cite(passed, 1)))
    return found


def _unread_cause(failure: Failure, lines: Sequence[Mapping[str, Any]]) -> Gap:
    status, name = failure.rows[0]["status"], WEB_SERVERS[failure.hop]
    if lines:
        how = "copy the logs of the application server and of its service (journalctl -u <UNIT>) around the moment into the folder"
        return Gap("state of the server behind the web server", f"why {name} answered {status}: it says {text_of(lines[0])[:200]}", how)
    how = f"copy /var/log/{'nginx' if failure.hop == 'nginx' else 'httpd'}/error* of that day into the folder"
    return Gap(f"{name}'s error log lines of these requests", f"why {name} answered {status} itself", how)


def _open(failure: Failure, found: Signature, first: Row | None) -> list[Gap]:
    """What the line leaves open, unless it was found."""
    if not found.open or first is not None:
        return []
    if found.code == NONE_LIVE:
        return [
            Gap(
                "nginx's error log of the minutes before",
                "which earlier error took the servers of the upstream out of use",
                "copy the older error.log* too",
            )
        ]
    rows = failure.rows
    how = f"journalctl -u <UNIT> --since '{_moment(rows, -1)}' --until '{_moment(rows, 2)}' > server.log, and the application's own log"
    return [Gap("log of the server behind the web server", found.open, how)]


def _moment(rows: Sequence[Mapping[str, Any]], minutes: int) -> str:
    times = [row["time"] for row in rows]
    moment = (min(times) if minutes < 0 else max(times)) + timedelta(minutes=minutes)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _first_error(view: View, line: Mapping[str, Any]) -> Row | None:
    """The first error of the same upstream in the trouble that ended in `no live upstreams`.

    nginx writes the upstream's name in that line and the servers' addresses in the earlier ones. They belong together by the addresses that
    an access line lists before that name, else by the server block and the beginning of the path.
    """
    patterns = [one.pattern for one in of_family(Family.UPSTREAM) if one.layer != "nginx" and one.code != NONE_LIVE]
    fits = quoted("|".join(f"(?:{one})" for one in patterns))
    rows = view.rows(
        f"SELECT * FROM nginx_error WHERE {LEVELS} AND time <= ?::TIMESTAMP AND time >= ?::TIMESTAMP - INTERVAL 1 HOUR AND "
        f"server IS NOT DISTINCT FROM ? AND regexp_matches(message, {fits}) ORDER BY time, _line",
        line["time"],
        line["time"],
        line.get("server"),
    )
    name = upstream_of(line)
    listed = view.rows("SELECT DISTINCT upstream_addr AS listed FROM nginx_access WHERE contains(upstream_addr, ', ' || ?)", name or "-")
    members = {part.strip() for row in listed for part in row["listed"].split(",")} - {name}
    alike = [row for row in rows if upstream_of(row) in members] if members else [row for row in rows if _head(row) == _head(line)]
    chosen = alike or ([] if members else rows)
    first: Row | None = None
    later = line["time"]
    for row in reversed(chosen):
        if later - row["time"] > EPISODE:
            break
        first, later = row, row["time"]
    return first


def _head(line: Mapping[str, Any]) -> str:
    return "/".join((line.get("path") or "/").split("/")[:2])


def _finding(view: View, failure: Failure, found: Signature, line: Mapping[str, Any], first: Row | None) -> Finding:
    row, name = failure.rows[0], WEB_SERVERS[failure.hop]
    origin = signature_of_line(first, None) if first is not None else None
    cause = f"{found.cause}; it began with: {origin.cause}" if origin else found.cause
    full = full_pool(view, failure.rows, upstream_of(line)) if found.code in OF_A_POOL else None
    cause += f": {full.clause}" if full else ""
    shown = (Evidence(f"PHP-FPM says of that time: {full.clause}", view.cite(full.rows), total=len(full.rows)),) if full else ()
    subject = {
        "status": str(row["status"]),
        "method": str(row.get("method")),
        "path": str(row.get("path")),
        "upstream": upstream_of(line) or "",
    }
    remedies = [
        Remedy(one.fix, tuple(_filled(command, failure, told) for command in one.commands))
        for one, told in ((origin, first), (found, line))
        if one and told
    ]
    return Finding(
        code=found.code,
        rule=RULE.name,
        title=f"{name} answered {row['status']} to {row.get('method') or '?'} {row.get('path') or '?'}: {cause}",
        certainty=_certainty(view, failure, found, first),
        chain=(*_chain(view, failure, found, line, first), *shown),
        subject=subject | ({"first_error": origin.code} if origin else {}),
        remedy=tuple(remedies),
        check=(
            Check(
                "The configuration is sound and loaded.",
                "nginx -t && systemctl reload nginx" if failure.hop == "nginx" else "apachectl configtest",
            ),
            Check("The same request gets its page, and the error log has no new line of that shape.", again(row)),
        ),
        onset=(first or line)["time"].replace(tzinfo=UTC),
        explains=failure.total,
        message=f"Our web server could not get an answer for {row.get('path')} from the program behind it. Its log tells us how it failed.",
        layer=(origin or found).layer,
        failures=(failure.key,),
    )


OF_A_POOL = frozenset({"EDGE-119", "EDGE-149"})
"""An answer that did not come in time, or a request that FastCGI did not take: so it is where no child of the pool is free."""
ENDED = frozenset({"EDGE-128", "EDGE-129"})
"""The server behind closed the connection: it died, or was stopped, or it was a race for an idle connection."""
OF_THE_SERVER = ("app_log", "syslog", "json_lines")
"""Where the server behind, or its host, would say that it ended a worker."""


def _certainty(view: View, failure: Failure, found: Signature, first: Row | None) -> Certainty:
    """Proven where the access line agrees on what the server behind answered, or its own log covers the moment and has nothing."""
    if found.code == NONE_LIVE and first is None:
        return Certainty.POSSIBLE
    if not failure.sure:
        return Certainty.LIKELY
    asked_behind = str(failure.rows[0].get("upstream_status") or "")
    agrees = bool(asked_behind) and asked_behind.replace(":", ",").split(",")[-1].strip() in {"502", "503", "504", "-"}
    silent = any(hop in BEHIND for hop in failure.silent)
    late = found.layer == "app" and any(hop in BEHIND for hop in failure.sightings)
    if found.open and found.code != NONE_LIVE:
        # Such a line is a symptom: that it stands there is sure, what lies behind it is not, and without a log from there nobody can say.
        told = late or found.code not in ENDED or any(view.covers(table) for table in OF_THE_SERVER)
        return Certainty.PROVEN if late else Certainty.LIKELY if told else Certainty.POSSIBLE
    return Certainty.PROVEN if agrees or silent or late else Certainty.LIKELY


def _chain(view: View, failure: Failure, found: Signature, line: Mapping[str, Any], first: Row | None) -> list[Evidence]:
    row, name = failure.rows[0], WEB_SERVERS[failure.hop]
    where = f"status = {row['status']} AND path = {quoted(str(row.get('path') or ''))}"
    asked_behind = f", and {row['upstream_status']} as the status behind" if row.get("upstream_status") else ""
    table = "nginx_error" if failure.hop == "nginx" else "apache_error"
    chain = [
        Evidence(
            f"{name}'s access log has the failing request{'s' if failure.total > 1 else ''}: {row.get('method')} {row.get('path')} "
            f"answered {row['status']}{asked_behind} at {row['time']:%Y-%m-%d %H:%M:%S} UTC",
            view.cite(failure.rows),
            f'SELECT * FROM "{failure.table}" WHERE {where} ORDER BY time',
            failure.total,
        ),
        Evidence(
            f"Its error log says of the same client and moment, at {line['time']:%H:%M:%S} UTC: {text_of(line)[:300]}",
            view.cite([line, *(one for one in failure.inner_errors if one is not line)]),
            f"SELECT * FROM {table} WHERE time = TIMESTAMP '{line['time']}' ORDER BY time",
            max(1, len(failure.inner_errors)),
        ),
    ]
    if first is not None:
        server = upstream_of(first) or "its server"
        says = f"The first error of that upstream came at {first['time']:%H:%M:%S} UTC, for {server}: {text_of(first)[:300]}"
        chain.append(Evidence(says, view.cite([first])))
    chain.append(Evidence(f"That means: {found.cause}"))
    when = " from the time that nginx waited" if found.layer == "app" else ""
    chain += [Evidence(f"{BEHIND[hop]} has no record of them{when}, though its log covers it") for hop in failure.silent if hop in BEHIND]
    chain += [
        Evidence(f"{BEHIND[hop]} has the same request and ended it otherwise", view.cite(seen), total=len(seen))
        for hop, seen in failure.sightings.items()
        if hop in BEHIND
    ]
    return chain


def _filled(command: str, failure: Failure, line: Mapping[str, Any]) -> str:
    """The command with what the lines name; what came from a log is quoted for the shell."""
    upstream = upstream_of(line) or ""
    port = upstream.rpartition(":")[2]
    values = {
        "upstream": shlex.quote(upstream) if upstream else "<UPSTREAM>",
        "port": port if port.isdigit() else "<PORT>",
        "module": module_of(line),
        "path": shlex.quote(str(failure.rows[0].get("path") or "<PATH>")),
        "from": _moment(failure.rows, -1),
        "until": _moment(failure.rows, 2),
    }
    return filled(command, values)


def _strained(view: View, failure: Failure) -> list[Finding]:
    """Trouble of a whole web server that explains answers of what stands in front of it."""
    row = failure.rows[0]
    if (row.get("actions") or ["forward"])[-1] != "forward" or row.get("error_reason"):
        return []
    asks = [asked(failure.table, one, str(one.get("target_ip") or "")) for one in failure.rows]
    start, end = min(one.started for one in asks), max(one.ended for one in asks)
    by_code: dict[str, list[tuple[Signature, Event]]] = {}
    for line in _whole_lines(view, start - QUEUED, end + NEAR):
        found = strain_of(line) or _no_start(view, line, end)
        if found is not None:
            lasts = QUEUED if found.layer == "apache" or found is NO_START else timedelta(0)
            where = f"|{view.cite([line], 1)[0].file}"
            event = Event(Kind.CRASHED, line["time"], line["time"] + lasts, (line,), line.get("pid"), where=where)
            by_code.setdefault(found.code, []).append((found, event))
    for event in _ended(view, start - NEAR, end + NEAR):
        known = by_code.setdefault(WORKER_GONE.code, [])
        if event.pid not in {one.pid for _, one in known}:
            known.append((WORKER_GONE, event))
    findings = []
    for told in by_code.values():
        hit = fit(asks, [event for _, event in told])
        if hit.asks:
            sure = hit.better and hit.share >= HALF
            explains = failure.total if len(hit.asks) == len(asks) else len(hit.asks)
            findings.append(_strain_finding(view, failure, told[0][0], hit.events, (explains, sure)))
    return findings


def _whole_lines(view: View, start: datetime, end: datetime) -> Iterable[Row]:
    """Lines of web servers' error logs that speak of no client."""
    for table in ("nginx_error", "apache_error"):
        if table in discover.formats():
            yield from view.rows(
                f"SELECT * FROM {table} WHERE client_ip IS NULL AND level IN ('notice', 'error', 'crit', 'alert', 'emerg') "
                "AND time BETWEEN ? AND ? AND regexp_matches(message, 'exited on signal|Too many open files|"
                "worker_connections are not enough|MaxRequestWorkers|host not found') ORDER BY time LIMIT 2000",
                start,
                end,
            )


def _ended(view: View, start: datetime, end: datetime) -> list[Event]:
    """Ends of nginx's processes of which the kernel or systemd tells: nginx's own line may be in a log that is not here."""
    return [event for event in read(process_lines(view, start - AROUND, end + AROUND)) if ended_nginx(event) and start <= event.time <= end]


def _no_start(view: View, line: Mapping[str, Any], end: datetime) -> Signature | None:
    """The signature of an nginx that did not start, if it answered nothing between the line and the last failing request."""
    if "host not found in upstream" not in (line.get("message") or "") or not view.has("nginx_access"):
        return None
    served = view.rows("SELECT count(*) AS n FROM nginx_access WHERE time > ? AND time <= ?", line["time"], end)
    return None if served[0]["n"] else NO_START


def _strain_finding(view: View, failure: Failure, found: Signature, events: Sequence[Event], extent: tuple[int, bool]) -> Finding:
    explains, sure = extent
    row = failure.rows[0]
    silent = found.layer in failure.silent
    certainty = Certainty.POSSIBLE if not sure else Certainty.PROVEN if silent and not found.open else Certainty.LIKELY
    lines = [line for event in events for line in event.rows]
    chain = [
        Evidence(
            f"{failure.hop} answered {row['status']} to {row.get('method')} {row.get('path')} at {row['time']:%Y-%m-%d %H:%M:%S} UTC",
            view.cite(failure.rows),
            f'SELECT * FROM "{failure.table}" WHERE status = {row["status"]} ORDER BY time',
            failure.total,
        ),
        Evidence(
            f"{'The log of its host' if 'program' in lines[0] else WEB_SERVERS[found.layer]} says at {lines[0]['time']:%H:%M:%S} UTC: "
            f"{text_of(lines[0])[:300]}",
            view.cite(lines),
            total=len(lines),
        ),
    ]
    if silent:
        chain.append(Evidence(f"{WEB_SERVERS[found.layer]} has no access line of the requests, though its log covers the moment"))
    if left := failure.total - explains:
        chain.append(
            Evidence(f"{left} of the {failure.total} failing requests do not fit in time and remain unexplained by this", total=left)
        )
    return Finding(
        code=found.code,
        rule=RULE.name,
        title=f"{WEB_SERVERS[found.layer]} behind {failure.hop} failed {explains} of {failure.total} requests: {found.cause}",
        certainty=certainty,
        chain=tuple(chain),
        subject={"status": str(row["status"]), "hop": failure.hop, "server": found.layer},
        remedy=(Remedy(found.fix, tuple(_filled(command, failure, lines[0]) for command in found.commands)),),
        check=(Check("The error log has no new line of that shape while the load is as it was.", again(row)),),
        onset=events[0].time.replace(tzinfo=UTC),
        explains=explains,
        message="Our web server itself was in trouble at that moment, so that your request got no answer. We know why and are mending it.",
        layer=found.layer,
        failures=(failure.key,),
    )


RULE = Rule(
    name="upstream_failed",
    codes=tuple(sorted({one.code for family in (Family.UPSTREAM, Family.STRAIN) for one in of_family(family)})),
    needs=(),
    helps=("nginx_access", "nginx_error", "apache_access", "apache_error", "app_log", "alb_access"),
    rivals=("application_server_failed", "slow_behind", "web_server_refused"),
    examine=examine,
)
