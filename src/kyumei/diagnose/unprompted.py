"""The answer where nobody said what is wrong: what stands out in the logs, and the cause of the worst of it.

On a healthy folder nothing does, and that is the answer, with what was counted. A folder without any log of requests cannot tell.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from kyumei.correlate.hops import TITLES
from kyumei.diagnose.standouts import pulses
from kyumei.model.finding import Gap, Investigation, Verdict
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.model.standout import Pulse, Standout
    from kyumei.model.symptom import Symptom
    from kyumei.store.case import Case

LONGEST = timedelta(minutes=20)
"""Of a longer failure its beginning is investigated: what began it stands there."""
BEFORE = timedelta(minutes=1)


def says_nothing(symptom: Symptom) -> bool:
    """Whether a symptom names nothing that could be looked for."""
    told = (symptom.window, symptom.status, symptom.status_class, symptom.method, symptom.host, symptom.path, symptom.client)
    return not any((*told, symptom.request_ids, symptom.error_text))


def as_symptom(symptom: Symptom, standout: Standout) -> Symptom:
    """What to look for to explain a standout."""
    start = max(standout.window.start, standout.onset - BEFORE)
    window = Window(start, min(standout.window.end, start + LONGEST))
    path = next((path for path in standout.paths if "*" not in path), None)
    return replace(symptom, window=window, status=standout.status, path=path, understood=(("standout", in_words(standout)),))


def in_words(standout: Standout) -> str:
    """A standout in one clause."""
    where = f" on {', '.join(standout.paths)}" if standout.paths else ""
    start, end = standout.onset, standout.last
    return (
        f"{TITLES.get(standout.hop, standout.hop)} answered {standout.status} to {standout.failed:,} of {standout.requests:,} "
        f"requests{where} "
        f"from {start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC, where about {standout.expected:,.1f} would be usual"
    )


def told(answers: Sequence[Investigation], found: Sequence[Standout], series: tuple[Pulse, ...]) -> Investigation:
    """The answer for the worst standout, with the others that were investigated."""
    first = answers[0]
    clause = in_words(found[0])
    sentence = first.sentence if first.verdict is Verdict.CAUSE_FOUND else f"{clause}. {first.sentence}"
    notes = (f"nobody said what is wrong; this stands out most: {clause}", *first.notes)
    return replace(first, sentence=sentence, notes=notes, standouts=tuple(found), pulses=series, others=tuple(answers[1:]))


def nothing(case: Case, symptom: Symptom) -> Investigation:
    """The answer where nothing stands out."""
    series = pulses(case)
    if not series:
        gap = Gap(
            "log that records requests with their status",
            "whether and when requests failed",
            "copy access logs (load balancer, CloudFront, API Gateway, web server, application server) into the folder",
        )
        sentence = "No log in the folder records requests with their status, so nothing can be said about failures."
        return Investigation(symptom, Verdict.CANNOT_TELL, sentence, gaps=(gap,), case=case.root.name)
    counted = case.rows(
        "SELECT hop, sum(n)::BIGINT AS n, sum(n) FILTER (status >= 400)::BIGINT AS bad FROM pulse GROUP BY 1 ORDER BY 2 DESC, 1"
    )[0]
    span = case.rows("SELECT min(first) AS start, max(last) AS last FROM pulse")[0]
    bad = counted["bad"] or 0
    sentence = (
        f"Nothing stands out: of {counted['n']:,} requests at {TITLES.get(counted['hop'], counted['hop'])} from "
        f"{span['start']:%Y-%m-%d %H:%M} to "
        f"{span['last']:%Y-%m-%d %H:%M} UTC, {bad:,} ({bad / counted['n']:.2%}) failed, at no time and on no path more often than usual."
    )
    window = Window(span["start"].replace(tzinfo=UTC), span["last"].replace(tzinfo=UTC) + timedelta(microseconds=1))
    return Investigation(replace(symptom, window=window), Verdict.HEALTHY, sentence, case=case.root.name, pulses=series)
