"""The client was slow itself: it took long to send the request, or to take the answer (EDGE-018, EDGE-019).

What an operator must know: the load balancer's three times say in which phase a request spent its time, and the target's share of such a
one is small. A long first phase is the client's upload where a web ACL or a Lambda target lets the balancer wait for the body; a long
third one is a client that takes its answer slowly, if others were answered quickly in the same minutes, and else the balancer's own queue.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.literals import literal, same
from kyumei.edge.probe import again
from kyumei.edge.time_spent import HALF, LEAST_SECONDS, SMALL, Spent, lasted, spent
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UPLOAD, DOWNLOAD = "EDGE-018", "EDGE-019"
BESIDE = timedelta(minutes=5)
FEW = 5
"""Requests of others beside the slow ones from which on theirs tell something."""
_HOPS_INSIDE = ("nginx", "apache", "server", "app")


class _Phase(NamedTuple):
    """One of the two phases that depend on the client, in words."""

    code: str
    what: str
    column: str
    size: str
    remedies: tuple[Remedy, ...]


_PHASES = (
    _Phase(
        UPLOAD,
        "the client took {seconds:.1f} s of {total:.1f} s to send its request ({bytes} bytes)",
        "request_seconds",
        "received_bytes",
        (
            Remedy("Send less at once: compress it, send it in parts, or let it go to S3 by a presigned URL and hand in only its key."),
            Remedy("Bring the entry nearer to the client: CloudFront or Global Accelerator in front of the load balancer."),
        ),
    ),
    _Phase(
        DOWNLOAD,
        "the answer stood ready, and took {seconds:.1f} s of {total:.1f} s to go to the client ({bytes} bytes)",
        "response_seconds",
        "sent_bytes",
        (
            Remedy("Send smaller answers: compress them, cut them into pages, or let files come from CloudFront or S3."),
            Remedy("Let the client measure its line: curl's time_starttransfer beside time_total shows how long it takes the answer."),
        ),
    ),
)


def examine(view: View) -> Opinion:
    """One finding for each phase of the client's that accounts for slow requests."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    if not view.symptom.by_time:
        return Opinion()
    for failure in view.failures:
        measured = spent(view, failure)
        if not measured:
            continue
        for phase in _PHASES:
            slow = [one for one in measured if one.most(_seconds(one, phase))]
            if not slow:
                best = max(measured, key=lambda one: _seconds(one, phase))
                why = f"{phase.column} of the load balancer's rows is {_seconds(best, phase):.3f} s at most, of {best.total:.1f} s"
                ruled_out.append(RuledOut(phase.code, why, view.cite([best.row], 1)))
                continue
            findings.append(_finding(view, failure, phase, measured, slow))
            if findings[-1].certainty is Certainty.POSSIBLE:
                gaps.append(_gap(phase))
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _seconds(one: Spent, phase: _Phase) -> float:
    return one.upload if phase.code == UPLOAD else one.response


def _finding(view: View, failure: Failure, phase: _Phase, measured: Sequence[Spent], slow: Sequence[Spent]) -> Finding:
    worst = max(slow, key=lambda one: _seconds(one, phase))
    row = worst.row
    inside = _inside(view, failure, worst)
    beside = _beside(view, phase, slow)
    clients = sorted({str(one.row["client_ip"]) for one in slow})
    what = phase.what.format(seconds=_seconds(worst, phase), total=worst.total, bytes=row.get(phase.size) or 0)
    explains = failure.total if len(slow) == len(measured) else len(slow)
    return Finding(
        code=phase.code,
        rule=RULE.name,
        title=f"{row.get('method') or '?'} {row.get('path') or '?'} was slow because of its client: {what}",
        certainty=_certainty(failure, phase, worst, inside, beside),
        chain=tuple(one for one in (_record(view, slow, worst), inside, beside[0]) if one is not None),
        subject={
            name: str(value)
            for name, value in (("load_balancer", row.get("elb")), ("path", row.get("path")), ("client", ", ".join(clients[:3])))
            if value is not None
        },
        remedy=phase.remedies,
        check=(Check(f"{phase.column} of this client's rows is below a second.", again(row)),),
        onset=min(one.row["time"] for one in slow).replace(tzinfo=UTC),
        explains=explains,
        message=f"Your request for {row.get('path')} took {worst.total:.0f} s, nearly all of it on the line between you and us: our "
        "servers were done quickly.",
        layer="client",
        failures=(failure.key,) if failure.key else (),
    )


def _certainty(
    failure: Failure, phase: _Phase, worst: Spent, inside: Evidence | None, beside: tuple[Evidence | None, bool | None]
) -> Certainty:
    """Proven where a log further in shows that it was done quickly there, and nobody else was slow in that phase."""
    if beside[1] is False:
        return Certainty.POSSIBLE  # Others were as slow in that phase: the balancer's own queue, or the line to it.
    if phase.code == UPLOAD:
        actions = worst.row.get("actions") or []
        held = "waf" in actions or worst.row.get("target_ip") is None
        if not held:
            return Certainty.LIKELY if inside is not None and beside[1] else Certainty.POSSIBLE
        return Certainty.PROVEN if inside is not None and failure.sure else Certainty.LIKELY
    if beside[1] is None:
        return Certainty.LIKELY if inside is not None else Certainty.POSSIBLE
    return Certainty.PROVEN if inside is not None else Certainty.LIKELY


def _record(view: View, slow: Sequence[Spent], worst: Spent) -> Evidence:
    row = worst.row
    says = (
        f"The load balancer's times for {row.get('method')} {row.get('path')} at {row['time']:%Y-%m-%d %H:%M:%S} UTC are "
        f"{worst.upload:.3f} s until it was "
        f"handed on, {worst.target:.3f} s at the target, {worst.response:.3f} s until the answer went out; {worst.total:.1f} s in all"
    )
    rows = [one.row for one in sorted(slow, key=lambda one: one is not worst)]
    times = [one["time"] for one in rows]
    table = "alb_access" if worst.hop == "alb" else "clb_access"
    sql = f"SELECT * FROM {table} WHERE {same('path', row.get('path'))} AND time BETWEEN {literal(min(times))} AND {literal(max(times))}"
    return Evidence(says, view.cite(rows), sql, len(rows))


def _inside(view: View, failure: Failure, worst: Spent) -> Evidence | None:
    """A record further in of a request that it was done with quickly, or long before the client had its answer."""
    early = worst.row["time"] - timedelta(seconds=worst.response * HALF)
    for hop in _HOPS_INSIDE:
        most = max(LEAST_SECONDS, worst.total * SMALL)
        rows = [seen for seen in failure.sightings.get(hop, ()) if _is_of(worst, seen)]
        near = [seen for seen in rows if (took := lasted(seen)) is not None and took <= most]
        done = [seen for seen in rows if worst.most(worst.response) and seen["time"] <= early]
        if near:
            return Evidence(f"{hop} was done with it in {lasted(near[0]):.3f} s", view.cite(near, 2), total=len(near))
        if done:
            before = (worst.row["time"] - done[0]["time"]).total_seconds()
            return Evidence(f"{hop} had answered it {before:.1f} s before the client had all of it", view.cite(done, 2), total=len(done))
    return None


def _is_of(worst: Spent, seen: Mapping[str, Any]) -> bool:
    """Whether a sighting is of that very request: by its trace id, or by path and time where one of them has none."""
    trace = worst.row.get("trace_id")
    if trace and seen.get("trace_id"):
        return bool(seen["trace_id"] == trace)
    began = worst.row["time"] - timedelta(seconds=worst.total + LEAST_SECONDS)
    return bool(seen["path"] == worst.row.get("path") and began <= seen["time"] <= worst.row["time"] + timedelta(seconds=LEAST_SECONDS))


def _beside(view: View, phase: _Phase, slow: Sequence[Spent]) -> tuple[Evidence | None, bool | None]:
    """What other clients' requests were in that phase in the same minutes: true where they were quick, null where too few are there."""
    row = slow[0].row
    times = [one.row["time"] for one in slow]
    table = "alb_access" if slow[0].hop == "alb" else "clb_access"
    clients = sorted({str(one.row["client_ip"]) for one in slow})
    sql = (
        f"SELECT count(*) AS n, count(*) FILTER ({phase.column} >= {LEAST_SECONDS}) AS slow FROM {table} WHERE "
        f"{same('elb', row.get('elb'))} AND "
        f"client_ip NOT IN ({', '.join(literal(one) for one in clients)}) AND {phase.column} IS NOT NULL AND "
        f"time BETWEEN {literal(min(times) - BESIDE)} AND {literal(max(times) + BESIDE)}"
    )
    found = view.rows(sql)[0]
    if found["n"] < FEW:
        return None, None
    quick = found["slow"] <= found["n"] * SMALL * HALF
    says = f"Of {found['n']} requests of other clients in these minutes {found['slow']} took a second or more in that phase"
    return Evidence(says, sql=sql, total=found["n"]), quick


def _gap(phase: _Phase) -> Gap:
    which = "send its request" if phase.code == UPLOAD else "take its answer"
    return Gap(
        "the target's own log of these requests, and the client's measure of its line",
        f"whether the client was slow to {which}, or the way to the load balancer was for all",
        "copy the logs of the targets into the folder; let the client run `curl -w '%{speed_upload} %{time_starttransfer} "
        "%{time_total}\\n'`",
    )


RULE = Rule(
    name="client_slow",
    codes=(UPLOAD, DOWNLOAD),
    needs=(),
    helps=("alb_access", "clb_access", "nginx_access", "app_log"),
    rivals=("application_slow", "slow_behind"),
    examine=examine,
)
