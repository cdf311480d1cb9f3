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
from kyumei.diagnose.doubts import Doubt, about, doubts
from kyumei.diagnose.error_kinds import count_errors, frequent_errors
from kyumei.diagnose.standouts import pulses
from kyumei.model.finding import Gap, Investigation, Verdict
from kyumei.model.status import SERVER_ERROR
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
OF_OTHERS = frozenset({"cloudtrail"})
"""Logs whose failures may be those of an auditor or of somebody at a console: they do not make requests that are well doubtful."""


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
    usual = f", where {about(standout.expected)} would be usual" if standout.expected else ", from the first line of the log to the last"
    return (
        f"{TITLES.get(standout.hop, standout.hop)} answered {standout.status} to {standout.failed:,} of {standout.requests:,} "
        f"requests{where} {_span(standout.onset, standout.last)}{usual}"
    )


def _span(first: datetime, last: datetime) -> str:
    """From the first moment to the last, whose date is repeated only where it is another one; or the one moment."""
    if f"{first:%Y-%m-%d %H:%M:%S}" == f"{last:%Y-%m-%d %H:%M:%S}":
        return f"at {first:%Y-%m-%d %H:%M:%S} UTC"
    return f"from {first:%Y-%m-%d %H:%M:%S} to {last:{'%H:%M:%S' if last.date() == first.date() else '%Y-%m-%d %H:%M:%S'}} UTC"


def kind_in_words(kind: ErrorKind) -> str:
    """A kind of error line in one clause."""
    how = "new" if kind.fresh else "more frequent than usual" if kind.score else "error lines"
    place = f" ({'the first ' if kind.lines > 1 else ''}at {kind.place})" if kind.place else ""
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
    asked = "the symptom names nothing that can be looked for" if first.symptom.text.strip() else "nobody said what is wrong"
    notes = (f"{asked}; this stands out most: {clause}", *map(kind_in_words, kinds[:NAMED]), *first.notes)
    return replace(first, sentence=sentence, notes=notes, standouts=tuple(found), pulses=series, others=tuple(answers[1:]))


def nothing(case: Case, symptom: Symptom, kinds: Sequence[ErrorKind] | None = None) -> Investigation:
    """The answer where no status stands out; ``kinds`` is null where error lines were not counted."""
    series = pulses(case)
    if not series:
        return _without_requests(case, symptom, kinds or ())
    counted = case.rows(
        "SELECT hop, sum(n)::BIGINT AS n, coalesce(sum(n) FILTER (status >= 500), 0)::BIGINT AS failed, "
        "coalesce(sum(n) FILTER (status BETWEEN 400 AND 499), 0)::BIGINT AS refused, "
        "coalesce(sum(n) FILTER (status = 0), 0)::BIGINT AS scans FROM pulse GROUP BY 1 ORDER BY 2 DESC, 1"
    )[0]
    span = case.rows("SELECT min(first) AS start, max(last) AS last FROM pulse")[0]
    sentence = (
        f"Nothing stands out: of {counted['n']:,} requests at {TITLES.get(counted['hop'], counted['hop'])} from "
        f"{span['start']:%Y-%m-%d %H:%M} to "
        f"{span['last']:%Y-%m-%d %H:%M} UTC, {_share(counted, 'failed')} failed with a 5xx and {_share(counted, 'refused')} with a 4xx"
        f"{' beside what scanners and monitors are refused' if _scans(counted) else ''}, "
        "at no time and on no path more often than usual."
    )
    window = Window(span["start"].replace(tzinfo=UTC), span["last"].replace(tzinfo=UTC) + timedelta(microseconds=1))
    asked = replace(symptom, window=window)
    grave = [] if kinds is None or kinds else frequent_errors(case, NAMED, "syslog")
    kinds = kinds or ()
    notes = (*map(kind_in_words, (*kinds, *grave)[:NAMED]), *_scans(counted), *_failed_all_the_same(case))
    telling = [kind for kind in kinds if kind.log not in OF_OTHERS]
    found = [*doubts(case), *(of_kind(kind) for kind in telling[:1] if kind.lines >= MANY)]
    if not found:
        return Investigation(asked, Verdict.HEALTHY, sentence, notes=notes, case=case.root.name, pulses=series)
    sentence = f"No requests failed more often than usual, but {found[0].clause}."
    gaps = tuple(one.gap for one in found)
    notes = (*(one.clause for one in found[1:] if one.clause not in notes), *notes)
    return Investigation(asked, Verdict.CANNOT_TELL, sentence, gaps=gaps, notes=notes, case=case.root.name, pulses=series)


def of_kind(kind: ErrorKind) -> Doubt:
    """What many error lines of a new kind leave open."""
    gap = Gap(
        "account of what that error line is about",
        "whether anybody was hurt by it, for no request shows it",
        f'read on from it, or ask about its moment: kyumei investigate PATH --symptom "errors at {kind.first:%Y-%m-%d %H:%M} UTC"',
    )
    return Doubt(kind_in_words(kind), gap)


def _share(counted: Mapping[str, Any], name: str) -> str:
    """A number of requests with its share of all."""
    number = int(counted[name])
    return f"{number:,} ({number / counted['n']:.2%})" if number else "none"


def _scans(counted: Mapping[str, Any]) -> list[str]:
    """What was refused to scanners, which is no failure; status 0 of a firewall stands for what it let pass."""
    if counted["hop"] == "waf" or not counted["scans"]:
        return []
    return [f"{counted['scans']:,} requests of scanners and monitors, or for what scanners look for, were refused with a 4xx: no failure"]


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


def said_then(case: Case, window: Window) -> list[str]:
    """What the logs tell of errors within a window: all there is to go on where none of them has a request that failed."""
    count_errors(case.con, window)
    return [f"at that time: {kind_in_words(kind)}" for kind in frequent_errors(case, NAMED)]


def _without_requests(case: Case, symptom: Symptom, kinds: Sequence[ErrorKind]) -> Investigation:
    """The answer where no log records requests: what the others say at most."""
    gap = Gap(
        "log that records requests with their status",
        "whether and when requests failed",
        "copy access logs (load balancer, CloudFront, API Gateway, web server, application server) into the folder",
    )
    said = [kind_in_words(kind) for kind in (list(kinds) or frequent_errors(case, NAMED))[:NAMED]]
    sentence = "No log in the folder records requests with their status, so it cannot be told whether any failed"
    sentence += f"; but {said[0]}." if said else "."
    return Investigation(symptom, Verdict.CANNOT_TELL, sentence, gaps=(gap,), notes=tuple(said), case=case.root.name)
