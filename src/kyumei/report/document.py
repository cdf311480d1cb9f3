"""A report as a neutral value: the same words in the same order, whatever draws them.

The terminal, Markdown and HTML are drawn from a ``Document``; none of them adds a fact. Texts are plain: the renderer escapes them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kyumei.report.quote import Quote


class Tone(StrEnum):
    """How something is coloured. A tone never says anything that the words beside it do not say."""

    PROVEN = "proven"
    LIKELY = "likely"
    POSSIBLE = "possible"
    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    ANSWERED = "answered"
    SEEN = "seen"
    ABSENT = "absent"
    BLIND = "blind"
    PLAIN = "plain"


class Paragraph(NamedTuple):
    """A sentence or more. ``lead`` marks one that opens a part; ``quiet`` one that only annotates."""

    text: str
    lead: bool = False
    quiet: bool = False


class Bullets(NamedTuple):
    """Sentences side by side."""

    items: tuple[str, ...]


class Facts(NamedTuple):
    """Names and their values."""

    pairs: tuple[tuple[str, str], ...]


class Grid(NamedTuple):
    """A table of plain cells. ``tones`` has one entry a row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    tones: tuple[Tone, ...] = ()

    def tone(self, row: int) -> Tone:
        """The tone of a row."""
        return self.tones[row] if row < len(self.tones) else Tone.PLAIN


class Code(NamedTuple):
    """A command, JSON or SQL, to be copied as it stands. ``fold`` says that it may be hidden until it is asked for."""

    text: str
    fold: str = ""


class Step(NamedTuple):
    """One link of a chain of evidence: what it says, the lines that show it, a remark, and the query behind it."""

    says: str
    quotes: tuple[Quote, ...] = ()
    remark: str = ""
    sql: str = ""


class Steps(NamedTuple):
    """A chain of evidence, numbered from 1."""

    steps: tuple[Step, ...]


class Message(NamedTuple):
    """Words that can be sent on as they are."""

    text: str


Block = Paragraph | Bullets | Facts | Grid | Code | Steps | Message


class Section(NamedTuple):
    """A titled part. ``key`` names it for renderers; ``fold`` says that it may be closed at first where there is much to see."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    fold: bool = False


class Banner(NamedTuple):
    """The verdict: a label, the answer in one sentence, and what the label means."""

    tone: Tone
    label: str
    headline: str
    meaning: str


class Glance(NamedTuple):
    """What one needs at three in the morning: facts, the proving line, the first command and where the rest of it stands."""

    facts: tuple[tuple[str, str], ...]
    proof: Quote | None = None
    command: str = ""
    command_title: str = ""


class Document(NamedTuple):
    """A whole report, in reading order: what was asked, the verdict, the glance, the sections."""

    title: str
    asked: tuple[tuple[str, str], ...]
    banner: Banner
    glance: Glance
    sections: tuple[Section, ...]
