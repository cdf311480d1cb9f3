"""All that one can add to kyumei, on one page: Source, Format, Engine, Rule, Action.

A leaf of a shelf is one module with plain functions and one constant whose ``name`` is the module's. Changing this page needs a
decision page in ``docs/decisions``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta

    from kyumei.model.finding import Citation, Evidence, Finding, Gap, RuledOut
    from kyumei.model.symptom import Symptom
    from kyumei.model.table import Table
    from kyumei.model.window import Window


@dataclass(frozen=True)
class Refused:
    """What an exact reader answers for a record that it cannot read: why, in one short clause."""

    why: str


class Select(str):
    """The SELECT of a bulk reader that knows which of its columns, ``_extra`` among them, are null in every row."""

    __slots__ = ("unfilled",)
    unfilled: frozenset[str]

    def __new__(cls, sql: str, unfilled: Iterable[str]) -> Self:
        """The SELECT with its columns that no row fills."""
        made = super().__new__(cls, sql)
        made.unfilled = frozenset(unfilled)
        return made


class Layout(Protocol):
    """How the text of one record becomes fields: an exact reader (the truth) and an equal bulk reader."""

    @property
    def head(self) -> str | None:
        """A pattern, read alike by Python ``re.ASCII`` and RE2, that the first line of a record matches at its start.

        Null when every line is a record of its own. Lines that do not match continue the record above.
        """

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """Substrings, of which a record with a time in the window holds at least one.

        ``offsets`` are the zones that a clock without one may keep (or that the log writes out). A hit too many costs time,
        a miss would lose a record. An empty answer means that no substring can tell: every line is read. A substring may go on, after a
        line feed, with a second one that such a record holds, too: a time that says ``PM`` behind it.
        """

    def read(self, text: str) -> dict[str, Any] | Refused:
        """Column name to value for one record (lines joined by a line feed, no line end), or why it cannot be read.

        Besides the table's columns the answer may hold ``_extra`` (a dict of unknown fields, or null) and must hold ``_naive``:
        0 the time is UTC, 1 it is a local time without a zone, 2 it is local and has no year (written as 2000). It never raises.
        """

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """A SELECT over the relation ``source`` (_artifact INTEGER, _line BIGINT, text VARCHAR) that equals ``read``.

        Its columns: _artifact, _line, _naive, _extra, the table's columns in order, and _ok. A record whose shape is not plain has
        ``_ok`` false or null and is read by ``read`` instead; where ``_ok`` is true every column equals what ``read`` answers.
        ``sample`` are some records of the relation, spread over it: where it is given, the SELECT may be made for the shapes that they
        show and no others, which makes it shorter and faster. Without it every plain shape is known. A ``Select`` tells the columns that
        none of these shapes fills: where whole files are read, they take no room then.
        """


@runtime_checkable
class SearchedLayout(Layout, Protocol):
    """A layout whose records keep UTC, and which knows what stands in the text of one that has a certain value."""

    def holding(self, column: str, value: str | int) -> tuple[str, ...]:
        """Substrings, of which a record whose column has the value holds at least one, even inside another record; none: no telling.

        A hit too many costs time, a miss would lose a record.
        """


@runtime_checkable
class LedLayout(Layout, Protocol):
    """A layout that knows lines which take the next one into their record even where it could open one."""

    @property
    def lead(self) -> str:
        """The pattern of such lines, read as ``head`` is (MySQL's slow log: a user opens an entry unless the time stands above)."""


@dataclass(frozen=True)
class Derived:
    """A relation made of rows that are there: its table, and the SELECT that answers ``_artifact``, ``_line`` and the table's columns.

    The SELECT may read the tables of all formats, ``streams``, and the derived relations of its format that stand before it.
    """

    table: Table
    select: str
    kept: bool = False
    """Whether rules ask it once for each request, so that it is worked out once and kept."""


@dataclass(frozen=True)
class Format:
    """Bytes to rows; ``name`` is the module's and the table's.

    ``sniff(text, file name)`` says whether one record is certainly of this format; no two formats claim the same record of the
    same file. ``hop`` is the component that writes such records, ``delay_seconds`` how long AWS may take to deliver one,
    ``complete`` whether a missing record means anything. ``reference`` names the page of the vendor that the format follows.
    """

    name: str
    table: Table
    layout: Layout
    sniff: Callable[[str, str], bool]
    reference: str
    hop: str = ""
    delay_seconds: int = 0
    complete: bool = True
    custom: Callable[[str], Layout] | None = None
    """Makes a layout from a format string of the user's (nginx ``log_format``)."""
    headers: tuple[str, ...] = ()
    """How lines begin that are no records but speak of those below (W3C ``#Fields:``); they are kept in the table ``headers``."""
    below: Callable[[str], Layout | None] | None = None
    """The layout that such a line gives to the records below it; null when it says nothing of their fields."""
    derived: tuple[Derived, ...] = ()
    """Relations that a person asks for and no line states, such as the invocations that lines of a function belong to."""
    adopts: tuple[str, ...] = ()
    """Formats of what any program may print: in a file that holds this format's records such lines are its own. Its layout then reads any
    text, and is asked last."""


class View(Protocol):
    """What a rule may see of a case. Rules read only through it, so that all they say can be cited."""

    @property
    def symptom(self) -> Symptom:
        """What the person saw."""

    @property
    def window(self) -> Window:
        """The moment of the symptom with its tolerance; a rule looks for failures in it."""

    def has(self, table: str) -> bool:
        """Whether the case holds any row of the table."""

    def covers(self, table: str) -> bool:
        """Whether the table's log demonstrably covers the window, so that a missing record means something."""

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """The rows of a SELECT over the tables of the case; every row that is to be cited selects _artifact and _line."""

    def cite(self, rows: Iterable[Mapping[str, Any]], limit: int = 3) -> tuple[Citation, ...]:
        """Citations for the first rows; rows hold _artifact and _line."""

    def snapshot(self, service: str, operation: str) -> list[tuple[dict[str, Any], Citation]]:
        """The stored answers of one AWS operation, each parsed, with the citation of the file."""

    @property
    def failures(self) -> Sequence[Failure]:
        """The failing requests that match the symptom, grouped by who answered them; see ``diagnose.failures``."""


@dataclass(frozen=True)
class Failure:
    """Failing requests that one component answered in one way; what a rule explains.

    ``hop`` is the component that produced the response (``waf``, ``alb``, ``nginx``, ``app``, ...; ``correlate.sightings.ORDER`` has all),
    ``target`` for one behind a relay of which only the relay's record tells, or ``unknown`` when no record does.
    ``rows`` are the full records in ``table`` (at most 50, nearest to the symptom first), ``total`` counts all.
    ``joined_by`` says how records of several logs were found to be one request. ``silent`` are hops further in whose logs cover
    the window and do not have the requests; ``blind`` those that cannot say.
    """

    hop: str
    table: str
    total: int
    rows: tuple[Mapping[str, Any], ...]
    sightings: Mapping[str, tuple[Mapping[str, Any], ...]]
    """Records of the same requests by hop, the owner's own included."""
    joined_by: str = ""
    sure: bool = True
    """Whether a record says that this hop answered, and not only another log's silence."""
    why: str = ""
    """Why this hop is said to have answered."""
    silent: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    human: bool = True
    """Whether any of the clients looks like a person's browser or a program of the site's own, not like a scanner."""
    inner_errors: tuple[Mapping[str, Any], ...] = ()
    """Lines of error logs that speak of these requests."""
    evidence: tuple[Evidence, ...] = ()
    """What the correlation already shows of these requests: who saw them, who did not."""
    key: str = ""
    """Tells this failure from the others of the case; a finding names the failures that it explains by their keys."""


@dataclass(frozen=True)
class Opinion:
    """What a rule answers: findings, what it rules out, and what is missing to say more."""

    findings: tuple[Finding, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One cause, or one closely knit family of causes; the name completes "the cause was: ...".

    ``codes`` are ids of the failure knowledge base. Without the tables in ``needs`` the rule is not asked; those in ``helps``
    confirm or exclude. ``rivals`` are rules that explain the same symptom otherwise.
    """

    name: str
    codes: tuple[str, ...]
    needs: tuple[str, ...]
    helps: tuple[str, ...]
    rivals: tuple[str, ...]
    examine: Callable[[View], Opinion]


@dataclass(frozen=True)
class Source:
    """Bytes in: collects log files and AWS answers into a case folder."""

    name: str
    scheme: str
    permissions: tuple[str, ...]
    collect: Callable[..., Iterable[str]]


@dataclass(frozen=True)
class Engine:
    """Where SQL runs."""

    name: str
    dialect: str
    run: Callable[..., Any]


@dataclass(frozen=True)
class Action:
    """What a runbook can do; ``changes`` means that a person must approve it."""

    name: str
    changes: bool
    do: Callable[..., Any]


__all__ = [
    "Action",
    "Derived",
    "Engine",
    "Failure",
    "Format",
    "Layout",
    "LedLayout",
    "Opinion",
    "Refused",
    "Rule",
    "SearchedLayout",
    "Source",
    "View",
]
