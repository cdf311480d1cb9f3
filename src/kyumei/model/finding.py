"""What kyumei answers: findings with their evidence, hops, gaps and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from kyumei.model.artifact import Coverage
    from kyumei.model.standout import Pulse, Standout
    from kyumei.model.symptom import Symptom


class Certainty(StrEnum):
    """How sure a finding is.

    PROVEN: a record names the cause and is joined to the symptom, and a second log or the configuration confirms it; or a judge
    reproduces the failure from configuration. LIKELY: every rival that the tables can speak of is ruled out.
    POSSIBLE: it fits, and the table that would settle it is missing and named.
    """

    PROVEN = "proven"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Verdict(StrEnum):
    """The answer in one word. CAUSE_FOUND only if the first finding is proven or likely."""

    CAUSE_FOUND = "cause_found"
    HEALTHY = "healthy"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True)
class Citation:
    """A line of the case. ``record`` is the cited record where it is not the whole line (an event in a JSON document)."""

    file: str
    line: int
    text: str
    record: str = ""


@dataclass(frozen=True)
class Evidence:
    """A sentence, the query behind it, the lines that show it, and how many rows there are in all."""

    says: str
    citations: tuple[Citation, ...] = ()
    sql: str = ""
    total: int = 0


@dataclass(frozen=True)
class Remedy:
    """One way to mend it: a sentence, commands or JSON to apply, and what shows that it would work."""

    says: str
    commands: tuple[str, ...] = ()
    proof: str = ""


@dataclass(frozen=True)
class Check:
    """How to see that the fix held."""

    says: str
    command: str = ""


@dataclass(frozen=True)
class Impact:
    """How much a failure did, as far as the logs that were read tell.

    ``requests`` failed so, of ``clients`` (null where the log does not tell them apart) on ``paths`` paths, from ``first`` to
    ``last``, which was ``share`` of all requests to these paths in that time. ``since`` requests to them came after the last;
    ``ongoing`` says that these are too few to tell that it is over, ``quiet`` that the log goes on for much longer than the failures lay
    apart, so that nothing shows that it is not. ``sql`` counts it again.
    """

    requests: int
    clients: int | None
    paths: int
    first: datetime
    last: datetime
    share: float
    since: int
    ongoing: bool
    sql: str
    quiet: bool = False


@dataclass(frozen=True)
class Finding:
    """One cause. ``code`` is an id of the failure knowledge base; ``chain`` runs from the symptom to the cause."""

    code: str
    rule: str
    title: str
    certainty: Certainty
    chain: tuple[Evidence, ...]
    subject: dict[str, str] = field(default_factory=dict)
    remedy: tuple[Remedy, ...] = ()
    check: tuple[Check, ...] = ()
    onset: datetime | None = None
    explains: int = 0
    message: str = ""
    """In plain words, for the person who reported it."""
    layer: str = ""
    """The component in which the cause lies; it may be further in than the one that answered: ``alb``, ``nginx``, ``server``, ``host``."""
    failures: tuple[str, ...] = ()
    """Keys of the failures that it explains."""
    because: str = ""
    """The code of the finding further in that explains this one; empty where this one is the cause."""
    impact: Impact | None = None


@dataclass(frozen=True)
class RuledOut:
    """A rival cause that the logs exclude, and why."""

    code: str
    why: str
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True)
class Gap:
    """What is missing, what it would decide, and how to get it."""

    missing: str
    would_decide: str
    how: str


@dataclass(frozen=True)
class Hop:
    """One component in front of, or at, the application.

    ``saw_it`` is ``yes``, ``no`` (its log covers the moment and does not have the request) or ``blind``.
    ``answered`` says that this component produced the response that the client got; null if that is not known.
    """

    hop: str
    saw_it: str
    answered: bool | None
    why: str
    citations: tuple[Citation, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Moment:
    """One line of the timeline."""

    time: datetime
    hop: str
    says: str
    kind: str = "event"
    citation: Citation | None = None


@dataclass(frozen=True)
class Investigation:
    """The whole answer, as a value; the reports and the JSON are drawn from it."""

    symptom: Symptom
    verdict: Verdict
    sentence: str
    findings: tuple[Finding, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    hops: tuple[Hop, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unread_lines: int = 0
    unread_files: tuple[tuple[str, int], ...] = ()
    timeline: tuple[Moment, ...] = ()
    message: str = ""
    """In plain words, for the person who reported it, whatever the verdict."""
    notes: tuple[str, ...] = ()
    """What the reader should know: inferred zones, damaged files, lines passed over."""
    case: str = ""
    standouts: tuple[Standout, ...] = ()
    """What stands out in the logs, the gravest first, where nobody said what was wrong; the answer is about the first."""
    pulses: tuple[Pulse, ...] = ()
    """Requests and failures at each hop over time, where nobody said what was wrong."""
    others: tuple[Investigation, ...] = ()
    """The answers for the next standouts, as many as were asked for."""
