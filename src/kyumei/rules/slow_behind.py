"""The answer came too late: what stands in front gave up, while the application was still busy with the request (EDGE-041, EDGE-119).

A 504 only says that somebody waited for as long as he was told to. That the application was slow is shown by its own line for the same
request, written after the other had given up, and why by what it wrote about its database in between. Where its line shows that it was
done quickly, slowness is ruled out: the answer was lost on the way, or promised more bytes than it had.

Follows AWS's page "Troubleshoot your Application Load Balancers" (HTTP 504) and nginx's "Module ngx_http_proxy_module".
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.late_answers import HALF, WEB_SERVERS, finished, in_database, left_waiting, standing_still, waited_for
from kyumei.edge.probe import again
from kyumei.edge.server.errors import signature_of_line, text_of
from kyumei.edge.server.pauses import PAUSED
from kyumei.edge.victims import asked, measured
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.status import CLIENT_CLOSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.edge.late_answers import Late, Waited
    from kyumei.edge.victims import Ask

OUTER = frozenset({"alb", "clb", "nginx", "apache", "cloudfront", "apigateway"})
GAVE_UP = 504
SLOW_LINES = frozenset({"EDGE-119", "EDGE-146", "EDGE-149"})
"""What the web server's own line may say where slowness is possible at all; a connection that was never made is another matter."""
LOOKED_AT = 20
"""Requests whose lines are looked for one by one."""


def examine(view: View) -> Opinion:
    """One finding for each group of requests whose answer came too late."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.hop not in OUTER or not failure.rows or not _gave_up(failure):
            continue
        asks = [_asked(view, failure, row) for row in failure.rows[:LOOKED_AT]]
        late, fast = finished(view, failure, asks)
        waits = waited_for(view, asks, late)
        waits += in_database(view, failure, [ask for ask in asks if all(one.ask is not ask or not one.named for one in waits)], late)
        waits += standing_still(view, failure, [ask for ask in asks if all(one.ask is not ask for one in waits)])
        late += left_waiting(view, failure, [ask for ask in asks if all(one.ask is not ask for one in (*late, *fast))])
        if fast and not late:
            took = (fast[0].line["time"] - fast[0].ask.started).total_seconds()
            why = (
                f"the application was done with the same request {took:.1f} s after it came: its answer was lost on the way, or shorter "
                "than it said"
            )
            ruled_out.append(RuledOut(_code(failure), why, view.cite([one.line for one in fast])))
        elif late or waits:
            findings.append(_finding(view, failure, asks, late, waits))
            if not waits:
                how = (
                    "copy the application's log at level WARNING or finer, and the database's slow query log, of that time into the folder"
                )
                gaps.append(Gap("what the application waited for", "why it was slow", how))
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _asked(view: View, failure: Failure, row: Mapping[str, Any]) -> Ask:
    place = view.cite([row], 1)[0].file if failure.hop in WEB_SERVERS else ""
    return measured(asked(failure.table, row, str(row.get("target_ip") or ""), place), failure.sightings.get("alb", ()))


def _gave_up(failure: Failure) -> bool:
    """Whether the component gave up waiting for an answer, and its own line does not say that it never got through."""
    row = failure.rows[0]
    told = [one.code for line in failure.inner_errors if (one := signature_of_line(line, None)) is not None]
    if told and not SLOW_LINES & set(told):
        return False
    timed_out = any("timed out" in text_of(line) or "timeout specified" in text_of(line) for line in failure.inner_errors)
    actions = row.get("actions") or ["forward"]
    return actions[-1] == "forward" and (row.get("status") == GAVE_UP or (timed_out and row.get("status") in {502, 503}))


def _code(failure: Failure) -> str:
    return {"nginx": "EDGE-119", "cloudfront": "EDGE-089"}.get(failure.hop, "EDGE-041")


def _certainty(failure: Failure, asks: Sequence[Ask], late: Sequence[Late], waits: Sequence[Waited]) -> Certainty:
    """Proven where the application's own line is of the same request for sure; likely by path and time; a wait alone is only possible."""
    share = max(len(late), sum(one.sure or one.named for one in waits)) / len(asks)
    if (any(one.sure for one in late) or any(one.sure for one in waits)) and share >= HALF:
        return Certainty.PROVEN if failure.sure or any(one.sure for one in late) else Certainty.LIKELY
    return Certainty.LIKELY if share >= HALF else Certainty.POSSIBLE


def _finding(view: View, failure: Failure, asks: Sequence[Ask], late: Sequence[Late], waits: Sequence[Waited]) -> Finding:
    row = failure.rows[0]
    sure_waits = [one for one in waits if one.sure] or [one for one in waits if one.named]
    hit = {id(one.ask) for one in late} | {id(one.ask) for one in (sure_waits or ([] if late else waits))}
    explains = failure.total if len(hit) == len(asks) else len(hit)
    wait = sure_waits[0] if sure_waits else (waits[0] if waits and not late else None)
    because = f", because {wait.wait.cause}" if wait else ""
    if late and late[0].line["status"] == CLIENT_CLOSED:
        what = f"nginx behind it was still waiting for the application{because}"
    elif late:
        took = max((one.line["time"] - one.ask.started).total_seconds() for one in late)
        what = f"the application was still busy with it and was done {took:.0f} s after it came{because}"
    else:
        what = f"the application was waiting{because}"
    return Finding(
        code=_code(failure),
        rule=RULE.name,
        title=f"{failure.hop} gave up waiting and answered {row['status']} to {row.get('method') or '?'} {row.get('path') or '?'}: {what}",
        certainty=_certainty(failure, asks, late, waits),
        chain=tuple(_chain(view, failure, asks, late, waits)),
        subject={
            "status": str(row["status"]),
            "path": str(row.get("path")),
            "hop": failure.hop,
            "waited_for": wait.wait.cause if wait else "",
        },
        remedy=tuple(_remedies(wait)),
        check=(
            Check(
                "The slowest answers of this path stay well below the limit of what stands in front.",
                again(row),
            ),
        ),
        onset=min(one.started for one in asks).replace(tzinfo=UTC),
        explains=explains,
        message=f"Your request for {row.get('path')} took longer than we wait for an answer; our application was still working on it. We "
        "are making it faster.",
        layer=wait.wait.layer if wait else "app",
        failures=(failure.key,),
    )


def _remedies(wait: Waited | None) -> list[Remedy]:
    limits = Remedy(
        "Only when it cannot be made faster: answer at once and let a job do the work, or raise the limits in front.",
        (
            "nginx -T | grep -nE '(proxy|fastcgi|uwsgi)_read_timeout'",
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn <ARN> --attributes Key=idle_timeout.timeout_seconds,Value=<N>",
        ),
    )
    if wait is None:
        return [
            Remedy("Find what the application does in that time (a trace, a profile, the database's slow queries) and make it faster."),
            limits,
        ]
    return [Remedy(wait.wait.fix, wait.wait.commands), limits]


def _chain(view: View, failure: Failure, asks: Sequence[Ask], late: Sequence[Late], waits: Sequence[Waited]) -> list[Evidence]:
    row, first = failure.rows[0], asks[0]
    length = f" after {first.lasted:.1f} s" if first.timed else ""
    chain = [
        Evidence(
            f"{failure.hop} answered {row['status']} to {row.get('method')} {row.get('path')}{length}, "
            f"at {first.ended:%Y-%m-%d %H:%M:%S} UTC",
            view.cite(failure.rows),
            f'SELECT * FROM "{failure.table}" WHERE status = {row["status"]} AND path = {quoted(str(row.get("path") or ""))} ORDER BY time',
            failure.total,
        )
    ]
    if failure.inner_errors:
        chain.append(Evidence(f"Its error log says: {text_of(failure.inner_errors[0])[:200]}", view.cite(failure.inner_errors)))
    if late and late[0].line["status"] == CLIENT_CLOSED:
        waited = late[0].line["request_seconds"]
        says = f"nginx has the same request and noted that the one who asked left, after {waited:.1f} s without an answer"
        chain.append(Evidence(says, view.cite([each.line for each in late]), total=len(late)))
    elif late:
        one = late[0]
        later = (one.line["time"] - one.ask.ended).total_seconds()
        how = "by its id or by when it began" if one.sure else "by method, path and time; no other request ended then"
        says = (
            f"The application has the same request ({how}) and ended it with {one.line['status'] or 'no status'} {later:.0f} s after that"
        )
        chain.append(Evidence(says, view.cite([each.line for each in late]), total=len(late)))
    if waits:
        best = max(waits, key=lambda one: (one.sure, one.named))
        joined = "about this request" if best.sure else "about its path" if best.named else "at that time, though not of which request"
        joined = "of its own process" if best.wait is PAUSED else joined
        says = f"It wrote {joined}, at {best.line['time']:%H:%M:%S} UTC: {best.line['said'].splitlines()[0][:200]}"
        if best.client:
            told = f"in that time and from the same host ({best.client}), at {best.line['time']:%H:%M:%S} UTC"
            says = f"The database's own log has {told}: {best.line['said'].splitlines()[0][:200]}"
        chain.append(Evidence(says, view.cite([each.line for each in waits]), total=len(waits)))
    return chain


RULE = Rule(
    name="slow_behind",
    codes=("EDGE-041", "EDGE-089", "EDGE-119"),
    needs=(),
    helps=("app_log", "json_lines", "alb_access", "nginx_access", "nginx_error", "postgres_log", "mysql_slow"),
    rivals=("application_server_failed", "upstream_failed"),
    examine=examine,
)
