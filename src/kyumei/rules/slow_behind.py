"""The answer came too late: what stands in front gave up, while the application was still busy with the request (EDGE-041, EDGE-119).

A 504 only says that somebody waited for as long as he was told to. That the application was slow is shown by its own line for the same
request, written after the other had given up, and why by what it wrote about its database in between. Where its line shows that it was
done quickly, slowness is ruled out: the answer was lost on the way, or promised more bytes than it had.

Follows AWS's page "Troubleshoot your Application Load Balancers" (HTTP 504) and nginx's "Module ngx_http_proxy_module".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.database.lines import fits, hosts_of, statements
from kyumei.edge.probe import again
from kyumei.edge.server.errors import signature_of_line, text_of
from kyumei.edge.server.pauses import PAUSED, pause_of, pauses
from kyumei.edge.victims import Ask, asked, measured
from kyumei.edge.waits import PREFILTER, Wait, seconds_in, wait_of
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.status import CLIENT_CLOSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]
OUTER = frozenset({"alb", "clb", "nginx", "apache", "cloudfront", "apigateway"})
WEB_SERVERS = frozenset({"nginx", "apache"})
"""Whose files lie in the folder of the host that they ran on."""
GAVE_UP = 504
SLOW_LINES = frozenset({"EDGE-119", "EDGE-146", "EDGE-149"})
"""What the web server's own line may say where slowness is possible at all; a connection that was never made is another matter."""
LOOKED_AT = 20
"""Requests whose lines are looked for one by one."""
LATEST = timedelta(minutes=15)
"""How long after the answer was given up the application may still finish."""
SAME_START = timedelta(seconds=3)
CONNECTING = 11.0
"""Seconds below which a load balancer may have waited for a connection only, which it does for 10."""
HALF = 0.5
TABLES = ("app_log", "json_lines")


class _Late(NamedTuple):
    """A request with the application's own line for it; ``sure`` if an id or both ends agree, not only path and time."""

    ask: Ask
    line: Row
    sure: bool


def examine(view: View) -> Opinion:
    """One finding for each group of requests whose answer came too late."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.hop not in OUTER or not failure.rows or not _gave_up(failure):
            continue
        asks = [_asked(view, failure, row) for row in failure.rows[:LOOKED_AT]]
        late, fast = _late(view, failure, asks)
        waits = _waits(view, asks, late)
        waits += _in_database(view, failure, [ask for ask in asks if all(one.ask is not ask or not one.named for one in waits)], late)
        waits += _standing_still(view, failure, [ask for ask in asks if all(one.ask is not ask for one in waits)])
        late += _left_waiting(view, failure, [ask for ask in asks if all(one.ask is not ask for one in (*late, *fast))])
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


def _late(view: View, failure: Failure, asks: Sequence[Ask]) -> tuple[list[_Late], list[_Late]]:
    """The application's lines for these requests: those written after the answer was given up, and those long before."""
    late: list[_Late] = []
    fast: list[_Late] = []
    taken: set[tuple[int, int]] = set()
    for ask in asks:
        for line in _own_lines(view, ask):
            place = (line["_artifact"], line["_line"])
            if place in taken or (agrees := _agrees(ask, line)) is None:
                continue
            after = line["time"] >= ask.ended - timedelta(seconds=1)
            if not agrees and (not after or _anothers(view, failure, ask, line) or (ask.timed and ask.lasted < CONNECTING)):
                continue
            taken.add(place)
            (late if after else fast).append(_Late(ask, line, agrees))
            break
    return late, fast


def _own_lines(view: View, ask: Ask) -> list[Row]:
    """Lines of the application that state the end of a request for the same method and path, from its start until long after."""
    row = ask.row
    found: list[Row] = []
    for table in TABLES:
        found += view.rows(
            f'SELECT _artifact, _line, time, path, status, request_seconds, trace_id, request_id, pid, message, query FROM "{table}" '
            "WHERE path = ? AND coalesce(method = ?, true) AND (status IS NOT NULL OR request_seconds IS NOT NULL) "
            "AND time BETWEEN ? AND ? ORDER BY time LIMIT 50",
            row.get("path"),
            row.get("method"),
            ask.started - SAME_START,
            ask.ended + LATEST,
        )
    # Of several lines those that agree by an id or by their length come first.
    return sorted(found, key=lambda line: (not _agrees(ask, line), line["time"] < ask.ended, line["time"]))


def _agrees(ask: Ask, line: Mapping[str, Any]) -> bool | None:
    """Whether the line is of this request for sure (true), may be (false), or is not (null)."""
    ids = [(ask.row.get(name), line.get(name)) for name in ("trace_id", "request_id")]
    if any(mine and theirs and mine == theirs for mine, theirs in ids):
        return True
    if any(mine and theirs for mine, theirs in ids[:1]):
        return None
    if ask.row.get("query") and line.get("query") and ask.row["query"] != line["query"]:
        return None
    if line["request_seconds"] is None:
        return False
    began = line["time"] - timedelta(seconds=line["request_seconds"])
    if not ask.timed:
        return False if began <= ask.ended else None
    return True if abs(began - ask.started) <= SAME_START else None


def _anothers(view: View, failure: Failure, ask: Ask, line: Mapping[str, Any]) -> bool:
    """Whether a line without a length belongs to another request: one that the outer log shows to have ended then."""
    near = view.rows(
        f'SELECT count(*) AS n FROM "{failure.table}" WHERE path = ? AND coalesce(method = ?, true) AND time BETWEEN ? AND ? AND time <> ?',
        ask.row.get("path"),
        ask.row.get("method"),
        line["time"] - timedelta(seconds=3),
        line["time"] + timedelta(seconds=3),
        ask.row["time"],
    )
    return bool(near[0]["n"])


def _left_waiting(view: View, failure: Failure, asks: Sequence[Ask]) -> list[_Late]:
    """Lines of nginx of these requests with 499: it was still waiting for the application when what stands in front of it gave up."""
    found: list[_Late] = []
    if failure.hop in WEB_SERVERS:
        return found
    for ask in asks:
        rows = view.rows(
            "SELECT * FROM nginx_access WHERE status = ? AND path = ? AND coalesce(method = ?, true) AND time BETWEEN ? AND ? AND "
            "coalesce(trace_id = ?, true) AND request_seconds >= ? ORDER BY time",
            CLIENT_CLOSED,
            ask.row.get("path"),
            ask.row.get("method"),
            ask.ended - SAME_START,
            ask.ended + SAME_START,
            ask.row.get("trace_id"),
            max(ask.lasted * HALF, 1.0),
        )
        if len(rows) == 1:
            found.append(_Late(ask, rows[0], sure=ask.timed))
    return found


class _Waited(NamedTuple):
    """What the application wrote about its database in a request's time.

    ``sure`` if the line names the request by its id, or its path or process with a length that fits; ``named`` if it names the path only.
    """

    ask: Ask
    wait: Wait
    line: Row
    sure: bool
    named: bool
    client: str = ""
    """The application's host, where the line is the database's own."""


def _in_database(view: View, failure: Failure, asks: Sequence[Ask], late: Sequence[_Late]) -> list[_Waited]:
    """What the database's own log says of the hosts that were at work on the requests, in their time and of a length that fits."""
    inside = {host for seen in failure.sightings.get("alb", ()) for host in hosts_of(seen)}
    ends = {id(one.ask): one.line["time"] for one in late}
    found = []
    for ask in asks:
        done = ends.get(id(ask))
        fitting = [
            one
            for one in statements(view, hosts_of(ask.row) or inside, ask.started, done or ask.ended + LATEST)
            # Where nothing says when the application was done, its statement may have gone on after the answer was given up.
            if fits(one, ask.started, done or (max(ask.ended, one.ended) if one.began else ask.ended))
        ]
        if fitting:
            best = max(fitting, key=lambda one: one.seconds or 0.0)
            found.append(_Waited(ask, best.wait, dict(best.row) | {"said": best.said}, sure=False, named=True, client=best.client))
    return found


def _standing_still(view: View, failure: Failure, asks: Sequence[Ask]) -> list[_Waited]:
    """Pauses of the application's own process that took up the requests' time."""
    if not asks:
        return []
    told = pauses(view, min(ask.started for ask in asks), max(ask.ended for ask in asks))
    found = [(ask, pause_of(view, failure.table, ask, told)) for ask in asks if told]
    return [_Waited(ask, PAUSED, dict(one[0].row), sure=False, named=one[1]) for ask, one in found if one is not None]


def _waits(view: View, asks: Sequence[Ask], late: Sequence[_Late]) -> list[_Waited]:
    """For each request the line about a wait that fits it best."""
    if not asks:
        return []
    start, end = min(one.started for one in asks), max(one.ended for one in asks) + LATEST
    lines: list[Row] = []
    text = "concat_ws(' ', message, error_type, error_text)"
    for table in TABLES:
        lines += view.rows(
            f'SELECT _artifact, _line, time, pid, trace_id, request_id, {text} AS said FROM "{table}" '
            f"WHERE time BETWEEN ? AND ? AND status IS NULL AND regexp_matches({text}, {quoted(PREFILTER)}) ORDER BY time LIMIT 2000",
            start,
            end,
        )
    ends = {id(one.ask): one.line for one in late}
    found = []
    for ask in asks:
        told = ends.get(id(ask))
        fitting = [one for line in lines if (one := _waited(ask, line, told)) is not None]
        if fitting:
            found.append(max(fitting, key=lambda one: (one.sure, one.named)))
    return found


def _waited(ask: Ask, line: Row, told: Mapping[str, Any] | None) -> _Waited | None:
    """What a line about a wait says of a request, if it may speak of it: in its time, and of a length that fits."""
    until: datetime = told["time"] if told else ask.ended + timedelta(seconds=5)
    wait = wait_of(line["said"])
    if wait is None or not ask.started <= line["time"] <= until + timedelta(seconds=1):
        return None
    ids = [(ask.row.get(name) or (told or {}).get(name), line.get(name)) for name in ("trace_id", "request_id")]
    if any(mine and theirs and mine != theirs for mine, theirs in ids):
        return None
    took = seconds_in(line["said"])
    length = (until - ask.started).total_seconds()
    if took is not None and took < length * HALF:
        return None
    path = str(ask.row.get("path") or "")
    named = len(path) > 1 and path in line["said"]
    process = told is not None and told.get("pid") is not None and told["pid"] == line.get("pid")
    same = any(mine and mine == theirs for mine, theirs in ids)
    return _Waited(ask, wait, line, bool(same or (took is not None and (named or process))), named)


def _certainty(failure: Failure, asks: Sequence[Ask], late: Sequence[_Late], waits: Sequence[_Waited]) -> Certainty:
    """Proven where the application's own line is of the same request for sure; likely by path and time; a wait alone is only possible."""
    share = max(len(late), sum(one.sure or one.named for one in waits)) / len(asks)
    if (any(one.sure for one in late) or any(one.sure for one in waits)) and share >= HALF:
        return Certainty.PROVEN if failure.sure or any(one.sure for one in late) else Certainty.LIKELY
    return Certainty.LIKELY if share >= HALF else Certainty.POSSIBLE


def _finding(view: View, failure: Failure, asks: Sequence[Ask], late: Sequence[_Late], waits: Sequence[_Waited]) -> Finding:
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


def _remedies(wait: _Waited | None) -> list[Remedy]:
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


def _chain(view: View, failure: Failure, asks: Sequence[Ask], late: Sequence[_Late], waits: Sequence[_Waited]) -> list[Evidence]:
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
