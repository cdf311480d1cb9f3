"""The answer where nobody said what is wrong: what stands out in the logs, and the cause of the worst of it.

On a healthy folder nothing does, and that is the answer, with what was counted. A folder without any log of requests cannot tell,
nor can one whose requests are well while its error logs began to say something new.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from kyumei.correlate.hops import TITLES
from kyumei.correlate.sightings import position
from kyumei.diagnose.error_kinds import frequent_errors
from kyumei.diagnose.standouts import pulses
from kyumei.model.finding import Gap, Investigation, Verdict
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kyumei.model.standout import ErrorKind, Pulse, Standout
    from kyumei.model.symptom import Symptom
    from kyumei.store.case import Case

LONGEST = timedelta(minutes=20)
"""Of a longer failure its beginning is investigated: what began it stands there."""
BEFORE = timedelta(minutes=1)
NAMED, FAILED = 3, 5
"""Kinds of error lines, and of failures that do not stand out, that are named."""
MANY = 10
"""Error lines of a new kind that make more than a note."""
SERVER_ERROR = 500
HALF = 0.5
"""Less than one of which is usual is rounded to none."""


def says_nothing(symptom: Symptom) -> bool:
    """Whether a symptom names nothing that could be looked for."""
    told = (symptom.window, symptom.status, symptom.status_class, symptom.method, symptom.host, symptom.path, symptom.client)
    return symptom.status is None and not any((*told, symptom.kind, symptom.request_ids, symptom.error_text))


def as_symptom(symptom: Symptom, standout: Standout) -> Symptom:
    """What to look for to explain a standout."""
    start = max(standout.window.start, standout.onset - BEFORE)
    window = Window(start, min(standout.window.end, start + LONGEST))
    path = next((path for path in standout.paths if "*" not in path), None)
    return replace(symptom, window=window, status=standout.status, path=path, understood=(("standout", in_words(standout)),))


def in_words(standout: Standout) -> str:
    """A standout in one clause."""
    where = f" on {', '.join(standout.paths)}" if standout.paths else ""
    usual = f", where {_about(standout.expected)} would be usual" if standout.expected else ", from the first line of the log to the last"
    return (
        f"{TITLES.get(standout.hop, standout.hop)} answered {standout.status} to {standout.failed:,} of {standout.requests:,} "
        f"requests{where} {_span(standout.onset, standout.last)}{usual}"
    )


def _about(expected: float) -> str:
    """How many are usual."""
    return f"about {expected:,.0f}" if expected >= HALF else "next to none"


def _span(first: datetime, last: datetime) -> str:
    """From the first moment to the last, whose date is repeated only where it is another one."""
    return f"from {first:%Y-%m-%d %H:%M:%S} to {last:{'%H:%M:%S' if last.date() == first.date() else '%Y-%m-%d %H:%M:%S'}} UTC"


def kind_in_words(kind: ErrorKind) -> str:
    """A kind of error line in one clause."""
    how = "new" if kind.fresh else "more frequent than usual" if kind.score else "error lines"
    place = f" (the first at {kind.place})" if kind.place else ""
    return (
        f"{how} in {kind.log} {_span(kind.first, kind.last)}: {kind.lines:,} line{'' if kind.lines == 1 else 's'} like “{kind.text}”{place}"
    )


def told(
    answers: Sequence[Investigation], found: Sequence[Standout], series: tuple[Pulse, ...], kinds: Sequence[ErrorKind] = ()
) -> Investigation:
    """The answer for the worst standout, with the others that were investigated, and what error logs began to say."""
    first = answers[0]
    clause = in_words(found[0])
    sentence = first.sentence if first.verdict is Verdict.CAUSE_FOUND else f"{clause}. {first.sentence}"
    notes = (f"nobody said what is wrong; this stands out most: {clause}", *map(kind_in_words, kinds[:NAMED]), *first.notes)
    return replace(first, sentence=sentence, notes=notes, standouts=tuple(found), pulses=series, others=tuple(answers[1:]))


def nothing(case: Case, symptom: Symptom, kinds: Sequence[ErrorKind] = ()) -> Investigation:
    """The answer where no status stands out."""
    series = pulses(case)
    if not series:
        return _without_requests(case, symptom, kinds)
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
    asked = replace(symptom, window=window)
    notes = (*map(kind_in_words, kinds[:NAMED]), *_failed_all_the_same(case))
    if not kinds or kinds[0].lines < MANY:
        return Investigation(asked, Verdict.HEALTHY, sentence, notes=notes, case=case.root.name, pulses=series)
    sentence = f"No requests failed more often than usual, but {kind_in_words(kinds[0])}."
    gap = Gap(
        "account of what that error line is about",
        "whether anybody was hurt by it, for no request shows it",
        f'read on from it, or ask about its moment: kyumei investigate PATH --symptom "errors at {kinds[0].first:%Y-%m-%d %H:%M} UTC"',
    )
    return Investigation(asked, Verdict.CANNOT_TELL, sentence, gaps=(gap,), notes=notes, case=case.root.name, pulses=series)


def _failed_all_the_same(case: Case) -> list[str]:
    """The failures that were counted and do not stand out, so that one can ask about them: of each the outermost hop's count."""
    rows = case.rows(
        "SELECT hop, status, path, sum(n)::BIGINT AS n, min(first) AS first FROM pulse WHERE status >= 400 "
        "GROUP BY 1, 2, 3 ORDER BY 5, 1, 3"
    )
    outermost: dict[tuple[int, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: position(row["hop"])):
        outermost.setdefault((row["status"], row["path"]), row)
    kept = sorted(outermost.values(), key=lambda row: (row["status"] < SERVER_ERROR, -row["n"], row["first"]))[:FAILED]
    return [
        f"does not stand out: {row['status']} by {TITLES.get(row['hop'], row['hop'])}{' on ' + row['path'] if row['path'] else ''}, "
        f"{row['n']:,} time{'' if row['n'] == 1 else 's'}, first at {row['first']:%Y-%m-%d %H:%M:%S} UTC"
        for row in kept
    ]


def _without_requests(case: Case, symptom: Symptom, kinds: Sequence[ErrorKind]) -> Investigation:
    """The answer where no log records requests: what the others say at most."""
    gap = Gap(
        "log that records requests with their status",
        "whether and when requests failed",
        "copy access logs (load balancer, CloudFront, API Gateway, web server, application server) into the folder",
    )
    said = [kind_in_words(kind) for kind in (list(kinds) or frequent_errors(case, NAMED))[:NAMED]]
    sentence = "No log in the folder records requests with their status, so nothing can be said about failures"
    sentence += f"; {said[0]}." if said else "."
    return Investigation(symptom, Verdict.CANNOT_TELL, sentence, gaps=(gap,), notes=tuple(said), case=case.root.name)
