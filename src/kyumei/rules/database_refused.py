"""The application answered 5xx because its database did not serve it, as the database's own log or RDS's events say (EDGE-001).

What an operator must know: that a database was in trouble at that time makes no request of this application fail. It counts where the
database names the application's host as the one that it turned away, in the second of the failing requests and mostly only then; or where
the application's errors of those seconds name the very database that RDS says was failing over, restarting or full. Other hosts, other
databases and other hours are no evidence. Follows "Error Reporting and Logging" of PostgreSQL's manual and "Amazon RDS event categories and
event messages" in the RDS User Guide.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.database.events import database_events, databases_in
from kyumei.edge.database.lines import hosts_of, statements
from kyumei.edge.probe import again
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Remedy
from kyumei.model.level import GRAVE
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

Row = dict[str, Any]
CODE = "EDGE-001"
HOPS = frozenset({"app", "target"})
NEAR = timedelta(seconds=2)
LOOKED_AT = 20
COMPARED = 40
"""Requests that went well, beside which the same is looked for."""
LONG_BEFORE = timedelta(hours=1)
FEWEST = 3
"""Failing requests that must each have their refusal before it is proven."""
MOSTLY, HALF, SELDOM = 0.8, 0.5, 0.3
_SESSIONS = "SELECT client_addr, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC;"


class _Why(NamedTuple):
    """Why the database did not serve the requests: the end of a sentence, what shows it, how sure it is, and the remedy."""

    cause: str
    evidence: tuple[Evidence, ...]
    sure: Certainty
    remedy: Remedy


def examine(view: View) -> Opinion:
    """At most one finding for each group of requests that the application failed."""
    findings: list[Finding] = []
    for failure in view.failures:
        rows = [row for row in failure.rows[:LOOKED_AT] if (row.get("status") or row.get("target_status") or 0) >= SERVER_ERROR]
        if failure.hop not in HOPS or not rows or view.symptom.by_time:
            continue
        why = _turned_away(view, failure, rows) or _out(view, failure, rows)
        if why is not None:
            findings.append(_finding(view, failure, rows[0], why))
    return Opinion(tuple(findings))


def _turned_away(view: View, failure: Failure, rows: Sequence[Mapping[str, Any]]) -> _Why | None:
    """That the database refused or cancelled what this host asked, in the seconds of the failing requests and mostly only then."""
    hosts = {host for seen in failure.sightings.values() for row in seen for host in hosts_of(row)} | {
        host for row in rows for host in hosts_of(row)
    }
    times = [row["time"] for row in rows]
    told = statements(view, hosts, min(times) - NEAR, max(times) + NEAR)
    refusals = [one for one in told if one.seconds is None]
    hit = [time for time in times if any(abs(one.ended - time) <= NEAR for one in refusals)]
    if not refusals or len(hit) < len(times) * HALF:
        return None
    well = _well(view, hosts, min(times), max(times))
    beside = sum(any(one.seconds is None for one in statements(view, hosts, time - NEAR, time + NEAR)) for time in well)
    if beside > len(well) * SELDOM:
        return None
    proven = len(hit) >= FEWEST and len(hit) >= len(times) * MOSTLY and len(well) >= FEWEST
    first = next(one for one in refusals if any(abs(one.ended - time) <= NEAR for time in times))
    fitting = [one for one in refusals if any(abs(one.ended - time) <= NEAR for time in times)]
    others = f", and beside {beside} of {len(well)} that went well" if well else ""
    says = (
        f"The database's own log names the application's host {first.client} beside {len(hit)} of {len(times)} failing requests{others}: "
        f"{first.said.splitlines()[0][:200]}"
    )
    evidence = Evidence(says, view.cite([one.row for one in fitting]), total=len(fitting))
    return _Why(
        first.wait.cause, (evidence,), Certainty.PROVEN if proven else Certainty.LIKELY, Remedy(first.wait.fix, first.wait.commands)
    )


def _well(view: View, hosts: set[str], start: datetime, end: datetime) -> list[datetime]:
    """When requests to the same hosts, as what is in front of them tells, went well between the failing ones and a minute around.

    Where all failed in that time, the last ones before it, as long as the database's log was kept: what is always there shows then.
    """
    minute = timedelta(minutes=1)
    good = "SELECT time FROM sightings WHERE status < 500 AND list_contains(?::VARCHAR[], target_ip) AND time "
    near = view.rows(f"{good} BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY time LIMIT 2000", sorted(hosts), start - minute, end + minute)
    if len(near) < FEWEST and view.has("postgres_log"):
        kept = view.rows("SELECT min(time) AS first FROM postgres_log")[0]["first"]
        if kept is not None:
            before = f"{good} BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY time DESC LIMIT 200"
            near = [*view.rows(before, sorted(hosts), max(kept, start - LONG_BEFORE), start - NEAR), *near]
    return _spread({row["time"] for row in near})


def _spread(times: Iterable[datetime]) -> list[datetime]:
    """At most so many of these moments, from all over their span: each is asked about for itself."""
    ordered = sorted(times)
    return ordered[:: ceil(len(ordered) / COMPARED)] if ordered else []


def _out(view: View, failure: Failure, rows: Sequence[Mapping[str, Any]]) -> _Why | None:
    """That RDS had the very database down that the application's errors of these seconds name."""
    if not view.has("rds_event"):
        return None
    lines: list[Row] = []
    hit = 0
    surely = 0
    for row in rows:
        own = _naming(view, row)
        lines += own
        hit += bool(own)
        marks = [str(mark) for mark in (row.get("trace_id"), row.get("request_id"), row.get("path")) if mark and len(str(mark)) > 1]
        surely += any(mark in str(line["said"]) for line in own for mark in marks)
    if not lines or hit < len(rows) * HALF:
        return None
    times = [row["time"] for row in rows]
    events = database_events(view, databases_in(str(line["said"]) for line in lines), min(times), max(times))
    if not events or _always(view, min(times), max(times)):
        return None
    event = events[0]
    first = str(lines[0]["said"]).strip().splitlines()[0][:200]
    evidence = (
        Evidence(f"The application's errors of those seconds name the database {event['resource']}: {first}", view.cite(lines), total=hit),
        Evidence(
            f"RDS says of {event['resource']} at {event['time']:%H:%M:%S} UTC: {str(event['message'])[:200]}",
            view.cite(events),
            total=len(events),
        ),
    )
    remedy = Remedy(
        "Let the application connect again by itself after a failover or restart (a pool that tests its connections, DNS answers kept for "
        "seconds, a retry), or put RDS Proxy between; where storage ran out, enlarge it and let it scale.",
        (f"aws rds describe-events --source-identifier {event['resource']} --source-type db-instance --duration 1440",),
    )
    sure = Certainty.PROVEN if surely >= len(rows) * HALF and failure.sure else Certainty.LIKELY
    return _Why(f"its database {event['resource']} was out of service: {str(event['message'])[:120]}", evidence, sure, remedy)


def _always(view: View, start: datetime, end: datetime) -> bool:
    """Whether errors that name a database come beside requests that went well, too: a warning that is always there explains no failure."""
    good = view.rows(
        "SELECT time FROM sightings WHERE status < 500 AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY time DESC LIMIT 2000",
        start - LONG_BEFORE,
        end + timedelta(minutes=1),
    )
    times = _spread({row["time"] for row in good})
    return sum(bool(_naming(view, {"time": time})) for time in times) > len(times) * SELDOM


def _naming(view: View, row: Mapping[str, Any]) -> list[Row]:
    """Errors of the application within seconds of a request that name an endpoint of RDS."""
    text = "concat_ws(' ', message, error_type, error_text)"
    return [
        line
        for table in ("app_log", "json_lines")
        if view.has(table)
        for line in view.rows(
            f'SELECT _artifact, _line, time, {text} AS said FROM "{table}" WHERE time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP '
            f"AND contains({text}, '.rds.amazonaws.com') AND (level IN {GRAVE} OR error_type IS NOT NULL) "
            "ORDER BY time, _artifact, _line LIMIT 20",
            row["time"] - NEAR,
            row["time"] + NEAR,
        )
    ]


def _finding(view: View, failure: Failure, row: Mapping[str, Any], why: _Why) -> Finding:
    status, request = row.get("status") or row.get("target_status"), f"{row.get('method') or '?'} {row.get('path') or '?'}"
    record = Evidence(f"The application answered {status} to {request}: {failure.why}", view.cite(failure.rows), total=failure.total)
    return Finding(
        code=CODE,
        rule=RULE.name,
        title=f"the application answered {status} to {request} because of its database: {why.cause}",
        certainty=why.sure,
        chain=(record, *why.evidence),
        subject={"status": str(status), "path": str(row.get("path")), "waited_for": why.cause},
        remedy=(why.remedy,),
        check=(
            Check("The database's log has no new line of that shape while the load is as it was.", _SESSIONS),
            Check("The same request gets its page.", again(row)),
        ),
        onset=min(one["time"] for one in failure.rows).replace(tzinfo=UTC),
        explains=failure.total,
        message=f"Your request for {row.get('path')} failed because our database did not answer the application. We are mending that.",
        layer="database",
        failures=(failure.key,) if failure.key else (),
    )


RULE = Rule(
    name="database_refused",
    codes=(CODE,),
    needs=(),
    helps=("postgres_log", "rds_event", "app_log", "json_lines", "alb_access"),
    rivals=("application_answered",),
    examine=examine,
)
