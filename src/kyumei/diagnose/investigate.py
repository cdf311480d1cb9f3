"""From a symptom to the answer: who answered the failing requests, which rule explains them, and what the logs cannot tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kyumei import discover
from kyumei.correlate import sightings
from kyumei.correlate.belonging import strangers
from kyumei.correlate.clocks import UNTOLD
from kyumei.correlate.components import incomplete
from kyumei.correlate.coverage import LogCoverage, by_table, coverage
from kyumei.correlate.hops import Known, chain, table, without_request
from kyumei.correlate.journey import exchanges
from kyumei.correlate.stated import as_folder, is_path, without_stage
from kyumei.correlate.timeline import timeline
from kyumei.diagnose.causes import chained
from kyumei.diagnose.contested import contested
from kyumei.diagnose.error_kinds import count_errors, error_kinds
from kyumei.diagnose.failures import covered, find, is_browser
from kyumei.diagnose.gaps import WHICH, before_request, deciding, elsewhere, further_out, status_seen, unlogged, which_of
from kyumei.diagnose.impact import agreeing, impact
from kyumei.diagnose.lookalikes import look_alikes, nearest, otherwise
from kyumei.diagnose.notes import all_notes
from kyumei.diagnose.sockets import closed_alike, how_it_closed, speaks_of_sockets
from kyumei.diagnose.spoken_places import with_place
from kyumei.diagnose.standouts import count_requests, pulses, standouts
from kyumei.diagnose.twice import whichever
from kyumei.diagnose.unprompted import as_symptom, nothing, said_then, says_nothing, told
from kyumei.diagnose.unsettled import unsettled
from kyumei.diagnose.verdict import sentence
from kyumei.diagnose.view import CaseView
from kyumei.model.finding import Certainty, Finding, Gap, Investigation, RuledOut, Verdict
from kyumei.model.status import REDIRECTS
from kyumei.model.window import Window
from kyumei.store.cite import cite_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import Failure
    from kyumei.model.finding import Citation, Hop
    from kyumei.model.symptom import Symptom
    from kyumei.store.case import Case

MOST_FAILURES = 6
"""Groups of failing requests that rules are asked about; the rest is counted in a note."""


class _Seen(NamedTuple):
    """What correlation found: logs and what they cover, hops, failing requests."""

    window: Window
    logs: Sequence[LogCoverage]
    covering: dict[str, bool]
    reasons: dict[str, str]
    known: Sequence[Known]
    failures: Sequence[Failure]
    timeless: Mapping[int, str]
    """Files whose zone nothing tells, by their numbers."""


def investigate(case: Case, symptom: Symptom, top: int = 1) -> Investigation:
    """The answer for one case and one symptom; where that says nothing, for the ``top`` gravest of what stands out."""
    sightings.create(case.con)
    if not says_nothing(symptom):
        return whichever(symptom, partial(_answer, case))
    count_requests(case.con)
    count_errors(case.con)
    found, kinds = standouts(case), error_kinds(case)
    if not found:
        return nothing(case, symptom, kinds)
    return told([_answer(case, as_symptom(symptom, one)) for one in found[:top]], found, pulses(case, found), kinds)


def _answer(case: Case, symptom: Symptom) -> Investigation:
    """The answer for one symptom."""
    symptom = as_folder(case, without_stage(case, symptom))
    window = symptom.window or _whole(case)
    symptom = with_place(case, symptom, window)
    found, _ = exchanges(case, symptom, window)
    logs = coverage(case, window)
    lacks = incomplete(case, symptom, window)
    doubtful = {**{hop: lack.why for hop, lack in lacks.items()}, **strangers(case, symptom, window)}
    covering, reasons = _covering(covered(case, found, logs), doubtful)
    known = chain(case, logs)
    failures = find(case, symptom, window, found, covering, known)
    seen = _Seen(window, logs, covering, reasons, known, failures, _without_zone(case))
    findings, ruled_out, gaps = _opinions(case, symptom, seen)
    verdict = _verdict(findings, seen, case, symptom)
    if verdict is Verdict.CANNOT_TELL:  # what is sure of other requests does not tell of the person's
        findings = [replace(finding, certainty=Certainty.POSSIBLE) for finding in findings]
    unlike = "" if failures else otherwise(case, symptom, window)
    sockets = speaks_of_sockets(symptom) and not failures
    if verdict is Verdict.HEALTHY and sockets:
        verdict, gaps = Verdict.CANNOT_TELL, [how_it_closed(), *gaps]
    if verdict is Verdict.HEALTHY and unlike:
        verdict, gaps = Verdict.CANNOT_TELL, [*gaps, status_seen()]
    if verdict is Verdict.HEALTHY and not failures and (doubt := unsettled(case, symptom, window, known[0].hop)):
        verdict, gaps, unlike = Verdict.CANNOT_TELL, [doubt.gap, *gaps], doubt.clause
    if verdict is Verdict.CANNOT_TELL:
        lost = [] if failures or _arrived(case, symptom, seen) else [elsewhere()]
        lost += [unlogged()] if not failures and _may_be_unlogged(symptom, known) else []
        asked = [one._replace(name=lacks[one.hop].of) if one.hop in lacks else one for one in known]
        logs_missing = deciding(failures[0] if failures else None, asked, covering, reasons)
        if not failures:
            logs_missing = before_request(known) if symptom.before_request else [*logs_missing, *further_out(known)]
        gaps = _merged([*gaps, *lost, *logs_missing])
    ruled_out = [*ruled_out, *look_alikes(case, symptom, window, failures)]
    main = failures[0] if failures else None
    timers = closed_alike(case, window) if sockets else []
    heard = said_then(case, window) if symptom.window and not failures and not findings and verdict is Verdict.CANNOT_TELL else ()
    files = case.rows(
        "SELECT a.name, count(*) AS n FROM unread u JOIN artifacts a ON a.artifact = u._artifact GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    answer = Investigation(
        symptom=symptom,
        verdict=verdict,
        sentence="",
        findings=tuple(findings),
        ruled_out=tuple(_once(ruled_out)),
        hops=_hops(case, seen, findings, contested=bool(gaps) and gaps[0].missing == WHICH),
        coverage=tuple(by_table(case, list(logs))),
        gaps=tuple(gaps),
        unread_lines=sum(row["n"] for row in files),
        unread_files=tuple((row["name"], row["n"]) for row in files),
        timeline=timeline(case, window, failures),
        notes=(*timers, *heard, *all_notes(case, symptom, window, (failures, MOST_FAILURES), findings)),
        case=case.root.name,
    )
    said, message = sentence(answer, main, "" if main else unlike or nearest(case, symptom, window))
    return replace(
        answer, sentence=said, message=findings[0].message if verdict is Verdict.CAUSE_FOUND and findings[0].message else message
    )


def _covering(logs: Sequence[LogCoverage], doubtful: Mapping[str, str]) -> tuple[dict[str, bool], dict[str, str]]:
    """Whether all logs of each hop cover the moment, and why not; ``doubtful`` are hops whose logs are not all that was written."""
    covering: dict[str, bool] = {}
    reasons: dict[str, str] = {}
    for log in logs:
        covering[log.hop] = covering.get(log.hop, True) and log.covers
        if not log.covers:
            reasons.setdefault(log.hop, f"its log {log.log} does not cover the moment: {log.why}")
    told = {hop: why for hop, why in doubtful.items() if hop in covering}
    return covering | dict.fromkeys(told, False), reasons | told


def _without_zone(case: Case) -> dict[int, str]:
    """The names of files whose zone nothing tells, by their numbers."""
    rows = case.rows("SELECT c.artifact, a.name FROM _clocks c JOIN artifacts a USING (artifact) WHERE c.why = ?", [UNTOLD])
    return {row["artifact"]: row["name"] for row in rows}


def _hops(case: Case, seen: _Seen, findings: Sequence[Finding], *, contested: bool) -> tuple[Hop, ...]:
    """The hop table of the failure that fits best; who answered is left open where another one fits as well."""
    main = seen.failures[0] if seen.failures else None
    found = table(seen.known, seen.covering, seen.reasons, main, _cited(case, main))
    if main is None and findings and findings[0].certainty is not Certainty.POSSIBLE:
        return without_request(case, found, findings[0])
    return tuple(replace(hop, answered=None) for hop in found) if contested else found


def _whole(case: Case) -> Window:
    """The span of all requests in the case, where no moment was stated."""
    start, end = case.con.execute("SELECT min(time), max(time) FROM sightings").fetchone() or (None, None)
    if start is None or end is None:
        now = datetime.now(UTC)
        return Window(now - timedelta(days=1), now)
    return Window(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC) + timedelta(seconds=1))


def _opinions(case: Case, symptom: Symptom, seen: _Seen) -> tuple[list[Finding], list[RuledOut], list[Gap]]:
    """Ask every rule about every group of failing requests, the best-fitting group first."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    led: dict[str, str] = {}
    whole = CaseView(case, symptom, seen.window, seen.logs)
    if not seen.failures:  # A connection that was never made leaves no request, and some rules know its traces.
        alone = {rule.name: rule.examine(whole) for rule in discover.rules().values() if all(whole.has(name) for name in rule.needs)}
        findings = chained([finding for opinion in alone.values() for finding in opinion.findings], "")
        ruled_out = [one for opinion in alone.values() for one in opinion.ruled_out]
        gaps = [gap for opinion in alone.values() for gap in opinion.gaps]
    for failure in seen.failures[:MOST_FAILURES]:
        view = replace(whole, failures=(failure,))
        opinions = {rule.name: rule.examine(view) for rule in discover.rules().values() if all(view.has(name) for name in rule.needs)}
        did = None if symptom.by_time else impact(case, failure, seen.window)
        own = [
            agreeing(replace(_capped(finding, failure, symptom, seen), failures=(failure.key,), impact=did), failure.hop)
            for opinion in opinions.values()
            for finding in opinion.findings
        ]
        own = chained(own, failure.hop)
        led[failure.key] = own[0].code if own else failure.key
        findings += own
        if failure is seen.failures[0]:
            ruled_out += [one for opinion in opinions.values() for one in opinion.ruled_out]
            # Where the innermost cause is proven, what the rules further out would still like to know does not matter any more.
            settled = {own[0].rule} if own and own[0].certainty is Certainty.PROVEN else opinions.keys()
            # What would settle the cause that fits best is asked for first.
            first = sorted(opinions, key=lambda name: not own or name != own[0].rule)
            gaps += [gap for name in first if name in settled for gap in opinions[name].gaps]
    if rivals := contested(case, symptom, seen.window, seen.failures[:MOST_FAILURES], led):
        gaps.insert(0, which_of(rivals))
        findings = [replace(finding, certainty=Certainty.POSSIBLE) for finding in findings]
    return findings, ruled_out, gaps


def _capped(finding: Finding, failure: Failure, symptom: Symptom, seen: _Seen) -> Finding:
    """Lower what a rule says where the requests may not be the ones the person meant, or where who answered is not known."""
    if failure.hop == "target" and not failure.sure and finding.layer in {"", failure.hop}:
        return replace(finding, certainty=Certainty.POSSIBLE)
    if finding.layer and finding.layer != failure.hop and _by_unknown_clock(finding, failure, seen):
        return replace(finding, certainty=Certainty.POSSIBLE)
    agents = [row["user_agent"] for rows in failure.sightings.values() for row in rows if row["user_agent"] is not None]
    if symptom.browser and agents and not any(is_browser(agent) for agent in agents):
        return replace(finding, certainty=Certainty.POSSIBLE)
    if not failure.human and not (symptom.path or symptom.client or symptom.request_ids):
        return replace(finding, certainty=Certainty.POSSIBLE)
    if finding.certainty is not Certainty.PROVEN:
        return finding
    if symptom.path and not any(is_path(symptom.path, row) for rows in failure.sightings.values() for row in rows):
        return replace(finding, certainty=Certainty.LIKELY)
    rivals = [other for other in seen.failures if other is not failure and other.human]
    vague = not (symptom.path or symptom.client or symptom.request_ids)
    unlike = [other for other in rivals if vague or (other.hop, other.why) != (failure.hop, failure.why)]
    if not failure.sure or (unlike and sum(other.total for other in unlike) >= failure.total):
        return replace(finding, certainty=Certainty.LIKELY)
    return finding


def _by_unknown_clock(finding: Finding, failure: Failure, seen: _Seen) -> bool:
    """Whether a finding leans on lines of a log whose zone nothing tells: what stands there may have happened hours away."""
    own = {row["_artifact"] for rows in failure.sightings.values() for row in rows}
    cited = {citation.file for evidence in finding.chain for citation in evidence.citations}
    return any(name in cited and artifact not in own for artifact, name in seen.timeless.items())


def _verdict(findings: Sequence[Finding], seen: _Seen, case: Case, symptom: Symptom) -> Verdict:
    """Cause found, healthy, or cannot tell: see the terms in the docstring of ``Verdict``."""
    if (
        findings
        and findings[0].certainty in {Certainty.PROVEN, Certainty.LIKELY}
        and (not seen.failures or seen.failures[0].hop != "unknown" or findings[0].layer)
    ):
        return Verdict.CAUSE_FOUND
    if seen.failures:
        return Verdict.HEALTHY if not findings and all(_is_own_redirect(failure) for failure in seen.failures) else Verdict.CANNOT_TELL
    return Verdict.HEALTHY if _all_well(seen, case, symptom) else Verdict.CANNOT_TELL


def _is_own_redirect(failure: Failure) -> bool:
    """Whether the application itself says where to go next; a loop of that, or what somebody in front made of it, a rule would know."""
    return failure.sure and failure.hop == "app" and all((row.get("status") or 0) in REDIRECTS for row in failure.rows)


def _all_well(seen: _Seen, case: Case, symptom: Symptom) -> bool:
    """Whether the silence of the logs about any such failure means that there was none.

    A failure before any request leaves no trace in access logs. The outermost hop that exists must have a log that covers the moment.
    WAF's log does not tell the status, so behind it a log that does must cover it too, and every request that WAF let pass must have
    arrived there: what did not arrive, the balancer in between answered.
    """
    known = seen.known[1:] if _stands_at_balancer(seen.known) else seen.known
    if symptom.before_request or not known or not known[0].logged or not seen.covering.get(known[0].hop):
        return False
    if _may_be_unlogged(symptom, seen.known) or symptom.status in NOBODY_HERE:
        return False
    telling = [one for one in seen.known if one.hop != "waf" and one.logged and seen.covering.get(one.hop)]
    if not telling:
        return False
    if known[0].hop != "waf" or telling[0].hop == "alb":
        return True
    if symptom.status in BALANCER_MAKES and any(one.hop == "alb" for one in seen.known):
        return False  # also of a request that the target answered well
    return _all_arrived(seen, case, symptom, telling[0].hop)


BALANCER_MAKES = frozenset({460, 463, 464, 502, 503, 504, 561})
"""What an Application Load Balancer answers by itself, some of it after its target has answered; only its own log tells."""
NOBODY_HERE = frozenset({520, 521, 522, 523, 524, 525, 526, 527, 530})
"""What Cloudflare answers for an origin that it cannot use ("Cloudflare 5xx errors"): nothing behind it gives such, or has a record."""
NEVER_LOGGED = frozenset({400, 413, 414, 431, 494})
"""What a request with more than 20 KB of headers or a URL over 8,192 bytes gets; CloudFront never logs such ("Standard logging")."""


def _stands_at_balancer(known: Sequence[Known]) -> bool:
    """Whether WAF, without a log of its own, is only known to protect a load balancer, whose log has a record of what WAF stops, too."""
    return len(known) > 1 and known[0].hop == "waf" and not known[0].logged and known[1].hop == "alb"


def _may_be_unlogged(symptom: Symptom, known: Sequence[Known]) -> bool:
    """Whether CloudFront may have refused the request without a record of it."""
    return bool(known) and known[0].hop == "cloudfront" and symptom.status in NEVER_LOGGED


ARRIVED = 0.98
"""Share of the requests let pass that must have arrived; the rest may be cut off at the ends of the window."""


def _arrived(case: Case, symptom: Symptom, seen: _Seen) -> bool:
    """Whether what WAF let pass arrived at the next hop whose log covers the moment, as far as there is one."""
    behind = [one.hop for one in seen.known if one.hop != "waf" and one.logged and seen.covering.get(one.hop)]
    return not seen.covering.get("waf") or not behind or behind[0] == "alb" or _all_arrived(seen, case, symptom, behind[0])


def _all_arrived(seen: _Seen, case: Case, symptom: Symptom, hop: str) -> bool:
    start, end = (moment.replace(tzinfo=None) for moment in (seen.window.start, seen.window.end))
    path = "AND rtrim(path, '/') = rtrim(?, '/')" if symptom.path else ""
    parameters = [symptom.path] if symptom.path else []
    passed = case.rows(
        f"SELECT method, path, count(*) AS n FROM sightings WHERE hop = 'waf' AND NOT own AND time >= ? AND time < ? {path} GROUP BY ALL",
        [start, end, *parameters],
    )
    arrived = {
        (row["method"], row["path"]): row["n"]
        for row in case.rows(
            "SELECT method, path, count(*) AS n FROM sightings WHERE hop = ? AND time >= ?::TIMESTAMP - INTERVAL 5 SECOND AND "
            f"started < ?::TIMESTAMP + INTERVAL 60 SECOND {path} GROUP BY ALL",
            [hop, start, end, *parameters],
        )
    }
    total = sum(row["n"] for row in passed)
    met = sum(min(row["n"], arrived.get((row["method"], row["path"]), 0)) for row in passed)
    return bool(total == 0 or met >= total * ARRIVED)


def _cited(case: Case, failure: Failure | None) -> dict[str, tuple[Citation, ...]]:
    """Citations of the first two records at each hop."""
    rows = [(hop, row) for hop, seen in failure.sightings.items() for row in seen[:2]] if failure else []
    found: dict[str, tuple[Citation, ...]] = {}
    for (hop, _), citation in zip(rows, cite_all(case, [row for _, row in rows]), strict=True):
        found[hop] = (*found.get(hop, ()), citation)
    return found


def _once(ruled_out: Sequence[RuledOut]) -> list[RuledOut]:
    return list({(one.code, one.why): one for one in ruled_out}.values())


def _merged(gaps: Sequence[Gap]) -> list[Gap]:
    return list({one.missing: one for one in reversed(gaps)}.values())[::-1]
