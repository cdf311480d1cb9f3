"""The client went away before the answer (EDGE-010, EDGE-030; nginx's 499).

What an operator must know: 460 of a load balancer and 499 of nginx are no answers but notes that nobody was there any more to take one.
When many clients leave after the same time, their own timeout is shorter than the answer takes, and the answer is what wants mending.
When people leave after times of all lengths, nothing is broken: they clicked elsewhere. A 499 of nginx behind a load balancer, however,
says only that the balancer left. Follows "HTTP 460" of "Troubleshoot your Application Load Balancers" in the Elastic Load Balancing user
guide.
"""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.agents import BROWSER
from kyumei.edge.balancer.answer import CLIENT_LEFT, Part, Stage, parts, wall_seconds
from kyumei.edge.balancer.finding import Judged, finding
from kyumei.edge.balancer.target_traces import finished_later
from kyumei.edge.literals import literal, same
from kyumei.edge.probe import again
from kyumei.edge.request_words import request_words
from kyumei.edge.sign import Fix, Sign
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.status import CLIENT_CLOSED

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 3
"""Requests that must have waited equally long before that counts as a timeout of the client's."""
ALIKE = 0.05
"""How far waits may lie from their middle, as a share of it, and still be one timeout."""
SLOW_SHARE = 0.5
"""Other requests for the same path must have taken this share of the client's patience before the path counts as slow."""
_CHECK = "The share of requests that end so falls, and the 99th percentile of the path's time lies below the client's timeout."
IMPATIENT = Sign(
    "EDGE-030",
    "client",
    "the client gave up after {patience} s, its own timeout, which is shorter than the answer takes",
    (
        Fix("Make the path faster: find what it waits for in the application's log and traces."),
        Fix("Or raise the client's timeout above the path's 99th percentile. Nothing is to be changed at the load balancer."),
    ),
    _CHECK,
    ("TargetResponseTime",),
)
LEFT = Sign(
    "EDGE-010",
    "client",
    "the client closed the connection before the answer came, as people do who click elsewhere",
    (Fix("Nothing is broken. If the page feels slow to people, make it faster."),),
    _CHECK,
)
RELAY_GAP = Gap(
    "access log of the load balancer or proxy in front",
    "whether the client left, or the relay in front of nginx gave up",
    "copy the load balancer's access log of that hour into the folder",
)


def examine(view: View) -> Opinion:
    """One finding for each failure whose clients did not wait."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for part in parts(view, Stage.CLIENT, lambda row: row["path"]):
        judged = _judge(view, part)
        ruled_out += judged.ruled_out
        gaps += judged.gaps
        findings.append(finding(view, RULE.name, part, judged))
    for failure in view.failures:
        if failure.hop == "nginx" and failure.rows and all(row.get("status") == CLIENT_CLOSED for row in failure.rows):
            found, gap = _at_web_server(view, failure)
            findings += found
            gaps += gap
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def _judge(view: View, part: Part) -> Judged:
    waits = [wait for row in part.rows if (wait := wall_seconds(row)) is not None]
    patience = _patience(waits)
    browsers = all(BROWSER.search(row.get("user_agent") or "") for row in part.rows)
    if patience is None:
        if browsers and len(waits) >= FEWEST:
            why = f"the waits are scattered from {min(waits):.1f} to {max(waits):.1f} s, and the clients are browsers: people left"
            return Judged(LEFT, Certainty.LIKELY, ruled_out=(RuledOut("EDGE-030", why, view.cite(part.rows, 2)),))
        return Judged(LEFT, Certainty.LIKELY, gaps=(_client_gap(part),))
    says = f"{len(waits)} requests waited between {min(waits):.2f} and {max(waits):.2f} s before their clients left: one timeout"
    evidence = [Evidence(says, view.cite(part.rows), total=len(waits))]
    more = {"patience": f"{patience:.0f}" if patience >= 1 else f"{patience:.2f}"}
    slow = _slow(view, part, patience)
    evidence += [slow] if slow else []
    if later := finished_later(view, part.rows):
        words = f"The target's own log has the request, at work for {later[0]['request_seconds']:.1f} s"
        return Judged(IMPATIENT, Certainty.PROVEN, (*evidence, Evidence(words, view.cite(later), total=len(later))), more=more)
    return Judged(IMPATIENT, Certainty.LIKELY, tuple(evidence), gaps=() if slow else (_client_gap(part),), more=more)


def _patience(waits: Sequence[float]) -> float | None:
    """The one time after which the clients left; null where the waits are scattered or few."""
    if len(waits) < FEWEST:
        return None
    middle = median(waits)
    near = [wait for wait in waits if abs(wait - middle) <= max(0.1, middle * ALIKE)]
    return middle if len(near) >= max(FEWEST, 0.8 * len(waits)) else None


def _slow(view: View, part: Part, patience: float) -> Evidence | None:
    """That other requests for the same path took nearly as long, or longer, and were answered."""
    row = part.row
    where = f"{same('elb', row['elb'])} AND {same('path', row['path'])} AND target_status < 500"
    sql = (
        f"SELECT * FROM alb_access WHERE {where} AND target_seconds >= {literal(round(patience * SLOW_SHARE, 3))} ORDER BY "
        f"target_seconds DESC"
    )
    found = view.rows(f"{sql} LIMIT 50")
    if not found:
        return None
    says = f"Other requests for {row['path']} that were answered took up to {found[0]['target_seconds']:.1f} s"
    return Evidence(says, view.cite(found), sql, len(found))


def _client_gap(part: Part) -> Gap:
    return Gap(
        "timeout of the client, and the target's own log",
        f"whether the client of {request_words(part.row)} has a timeout that is shorter than the answer takes",
        "look at the client's configuration; copy the target's access log with times into the folder",
    )


def _at_web_server(view: View, failure: Failure) -> tuple[list[Finding], list[Gap]]:
    """Nginx wrote 499: whoever asked it did not wait. Behind a balancer whose log is here, the balancer's row tells who left."""
    relayed = failure.sightings.get("alb") or failure.sightings.get("cloudfront")
    row = failure.rows[0]
    if relayed and any(one["status"] not in {CLIENT_LEFT, CLIENT_CLOSED, None} for one in relayed):
        return [], []
    behind = any(_is_private(one.get("client_ip")) for one in failure.rows) or bool(row.get("forwarded_for") not in {None, "-", ""})
    sure = Certainty.LIKELY if relayed or not behind else Certainty.POSSIBLE
    waits = [float(one["request_seconds"]) for one in failure.rows if one.get("request_seconds") is not None]
    patience = _patience(waits)
    sign, code = (IMPATIENT, "EDGE-030") if patience is not None else (LEFT, "EDGE-010")
    after = f" after {median(waits):.1f} s" if waits else ""
    says = f"nginx noted {request_words(row)} with 499{after}: whoever had asked closed the connection before there was an answer"
    sql = f'SELECT * FROM "{failure.table}" WHERE {same("path", row["path"])} AND status = {CLIENT_CLOSED} ORDER BY time'
    found = Finding(
        code=code,
        rule=RULE.name,
        title=f"{request_words(row)}: {sign.cause.replace('{patience}', f'{patience or 0:.0f}')}",
        certainty=sure,
        chain=(Evidence(says, view.cite(failure.rows), sql, failure.total),),
        subject={"status": str(CLIENT_CLOSED), "method": str(row.get("method")), "path": str(row.get("path"))},
        remedy=tuple(Remedy(fix.says) for fix in sign.fixes),
        check=(Check(sign.check, again(row)),),
        explains=failure.total,
        message=f"The request for {row.get('path')} ended on the side of whoever sent it, before our server had answered.",
        layer=sign.layer,
        failures=(failure.key,) if failure.key else (),
    )
    return [found], [] if sure is Certainty.LIKELY else [RELAY_GAP]


def _is_private(client: object) -> bool:
    return bool(re.match(r"10\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|127\.|f[cd]", str(client or "")))


RULE = Rule(
    name="client_left",
    codes=("EDGE-010", "EDGE-030"),
    needs=(),
    helps=("alb_access", "nginx_access", "app_log", "json_lines"),
    rivals=("load_balancer_target_failed", "web_server_refused"),
    examine=examine,
)
