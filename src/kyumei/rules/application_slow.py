"""The application took long for an answer that came in the end (EDGE-041 without a time-out).

What an operator must know: it is said only where somebody measured it, the application itself or who waited for it (the load balancer's
target time, nginx's upstream time), and where its share is most of the whole. Two logs that agree prove it. Why it took long is said by
what it wrote about its database in that time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.database.lines import fits, hosts_of, statements
from kyumei.edge.probe import again
from kyumei.edge.time_spent import HALF, LEAST_SECONDS, MOST, lasted, spent, whole
from kyumei.edge.waits import PREFILTER, Wait, seconds_in, wait_of
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy
from kyumei.model.status import FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]
CODE = "EDGE-041"
TABLES = ("app_log", "json_lines")


class _Measure(NamedTuple):
    """How long one component says that the application took, and the record that says so."""

    who: str
    seconds: float
    row: Row


class _Waited(NamedTuple):
    """A line of the application about its database within the time of a slow request; ``sure`` if its length or path fits."""

    wait: Wait
    row: Row
    sure: bool
    client: str = ""
    """The application's host, where the line is the database's own."""


def examine(view: View) -> Opinion:
    """One finding for each group of slow requests whose time the application spent."""
    findings: list[Finding] = []
    gaps: list[Gap] = []
    if not view.symptom.by_time:
        return Opinion()
    for failure in view.failures:
        total = max((lasted(row) or 0.0 for rows in failure.sightings.values() for row in rows), default=0.0)
        measures = [one for one in _measures(view, failure) if one.seconds >= max(LEAST_SECONDS, total * HALF)]
        if not measures:
            continue
        waited = _waited(view, failure, measures[0])
        findings.append(_finding(view, failure, total, measures, waited))
        if waited is None:
            how = "copy the application's log at level WARNING or finer and the database's slow query log of that time into the folder"
            gaps.append(Gap("what the application waited for", "why it was slow", how))
    return Opinion(tuple(findings), gaps=tuple(gaps))


def _measures(view: View, failure: Failure) -> list[_Measure]:
    """What the application itself, nginx and the load balancer measured of the slow requests, the innermost first."""
    found: list[_Measure] = []
    if failure.rows and (failure.rows[0].get("status") or 0) >= FAILED:
        return found
    for hop in ("app", "server", "nginx"):
        who = "nginx, of its upstream," if hop == "nginx" else "the application's own record"
        column = "upstream_times" if hop == "nginx" else "request_seconds"
        rows = [whole(view, seen["table_name"], seen) for seen in failure.sightings.get(hop, ())[:MOST]]
        told = [_Measure(who, sum(_numbers(row[column])), row) for row in rows if row is not None and row.get(column) is not None]
        if told:
            found.append(max(told, key=lambda one: one.seconds))
    behind = [one for one in spent(view, failure) if one.most(one.target)]
    if behind:
        worst = max(behind, key=lambda one: one.target)
        found.append(_Measure("the load balancer, of its target,", worst.target, worst.row))
    return found


def _numbers(told: object) -> list[float]:
    """The seconds in a value: a number, or nginx's list of several upstreams (``0.001, 0.2 : 1.2``)."""
    if isinstance(told, int | float):
        return [float(told)]
    words = str(told or "").replace(",", " ").replace(":", " ").split()
    return [float(word) for word in words if word.replace(".", "", 1).isdecimal()]


def _waited(view: View, failure: Failure, measure: _Measure) -> _Waited | None:
    """The line about the database that fits the slow request best: in its time, and of its length or with its path."""
    seen = max((row for rows in failure.sightings.values() for row in rows), key=lambda row: lasted(row) or 0.0)
    start, end = seen["started"] - timedelta(seconds=1), seen["time"] + timedelta(seconds=2)
    text = "concat_ws(' ', message, error_type, error_text)"
    path = str(seen.get("path") or "")
    found: list[_Waited] = []
    for table in TABLES:
        rows = view.rows(
            f'SELECT _artifact, _line, time, {text} AS said FROM "{table}" WHERE time BETWEEN ? AND ? AND status IS NULL AND '
            f"regexp_matches({text}, {quoted(PREFILTER)}) ORDER BY time LIMIT 200",
            start,
            end,
        )
        for row in rows:
            wait, took = wait_of(row["said"]), seconds_in(row["said"])
            if wait is not None and (took is None or took >= measure.seconds * HALF):
                found.append(_Waited(wait, row, took is not None or (len(path) > 1 and path in row["said"])))
    best = max(found, key=lambda one: one.sure, default=None)
    return best if best is not None and best.sure else _in_database(view, failure, seen) or best


def _in_database(view: View, failure: Failure, seen: Mapping[str, Any]) -> _Waited | None:
    """The statement in the database's own log, from the host that was at work on the slow request, that fits it in time and length."""
    hosts = {host for rows in failure.sightings.values() for row in rows for host in hosts_of(row)}
    told = [one for one in statements(view, hosts, seen["started"], seen["time"] + timedelta(seconds=1)) if one.seconds is not None]
    fitting = [one for one in told if fits(one, seen["started"], seen["time"])]
    if not fitting:
        return None
    best = max(fitting, key=lambda one: one.seconds or 0.0)
    return _Waited(best.wait, dict(best.row) | {"said": best.said}, sure=True, client=best.client)


def _finding(view: View, failure: Failure, total: float, measures: Sequence[_Measure], waited: _Waited | None) -> Finding:
    first = next(iter(failure.sightings.values()))[0]
    best = measures[0]
    request = f"{first.get('method') or '?'} {first.get('path') or '?'}"
    reason = f", because {waited.wait.cause}" if waited is not None and waited.sure else ""
    agreed = len({one.row["_artifact"] for one in measures}) > 1
    chain = [
        Evidence(f"{one.who[0].upper()}{one.who[1:]} says that it took {one.seconds:.1f} s", view.cite([one.row], 1), total=1)
        for one in measures
    ]
    if waited is not None:
        line = str(waited.row["said"]).splitlines()[0][:200]
        who = f"The database's own log has in that time, from the same host ({waited.client})" if waited.client else "It wrote in that time"
        chain.append(Evidence(f"{who}: {line}", view.cite([waited.row], 1), total=1))
    remedy = Remedy("Find what the application does in that time (a trace, a profile, the database's slow queries) and make it faster.")
    return Finding(
        code=CODE,
        rule=RULE.name,
        title=f"the application took {best.seconds:.1f} s of the {max(total, best.seconds):.1f} s that {request} lasted{reason}",
        certainty=Certainty.PROVEN if agreed else Certainty.LIKELY,
        chain=tuple(chain),
        subject={"path": str(first.get("path")), "waited_for": waited.wait.cause if waited is not None and waited.sure else ""},
        remedy=(Remedy(waited.wait.fix, waited.wait.commands), remedy) if waited is not None else (remedy,),
        check=(Check("The slowest answers of this path take as long as its usual ones.", again(first)),),
        onset=_onset(failure),
        explains=failure.total,
        message=f"Your request for {first.get('path')} took {total:.0f} s because our application was slow. We are working on it.",
        layer="database" if waited is not None and waited.sure else "app",
        failures=(failure.key,) if failure.key else (),
    )


def _onset(failure: Failure) -> datetime:
    found: datetime = min(row["started"] for rows in failure.sightings.values() for row in rows)
    return found.replace(tzinfo=UTC)


RULE = Rule(
    name="application_slow",
    codes=(CODE,),
    needs=(),
    helps=("alb_access", "clb_access", "nginx_access", "app_log", "json_lines", "postgres_log", "mysql_slow"),
    rivals=("client_slow", "slow_behind"),
    examine=examine,
)
