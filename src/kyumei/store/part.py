"""A file of the case, or one member of an archive, while it is being read: what it is, and what became of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from kyumei import discover
from kyumei.contracts import LedLayout
from kyumei.layouts.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Layout
    from kyumei.model.artifact import Artifact
    from kyumei.store.flow_orders import Order
    from kyumei.store.identify import Identity


Streamed = tuple[int, str | None, str | None, str | None, int | None]
"""A line from which on all events are of a log group and a stream, null where that is not told.

Of an event that shares its line with those of other streams also what it is known by: the MD5 of its text, its time in milliseconds since
1970.
"""


@dataclass
class Part:
    """A file, or one member of an archive, and what became of it."""

    artifact: Artifact
    identity: Identity
    format: str | None = None
    others: tuple[str, ...] = ()
    lines: int = 0
    whole: bool = True
    passed_over: bool = False
    """Whether the file was not opened because its times lie far from the window."""
    layout: Layout | None = None
    """A layout made from a format string that the user told; null for the format's own."""
    below: list[tuple[int, Layout]] = field(default_factory=list)
    """Layouts that header lines give to the records below them, by line."""
    above: tuple[Layout, ...] = ()
    """Layouts that header lines among its first lines give to what stands below: they tell by what records of a window are found."""
    orders: Sequence[Order] = ()
    """What answers in the case tell of the fields of flow logs without a header."""
    trouble: str = ""
    document: str = ""
    """The text of a snapshot, parsed later as one document."""
    compact: tuple[bytes, ...] = ()
    """The records of a compact document, parsed later with others of its format; see ``compact.compact_pieces``."""
    long: dict[int, int] = field(default_factory=dict)
    streams: list[Streamed] = field(default_factory=list)
    """Which events are of which log group and stream of CloudWatch Logs."""
    joined: bool = False
    """Whether the lines of each record were joined while picking, so that every row of ``_lines`` is a record."""
    small: bool = False
    """Whether it is read whole whatever the window."""
    alone: bool = False
    """Whether what is left to be read after it is less than itself, so that no other file keeps the other cores busy."""
    places: tuple[tuple[str, ...], ...] = ()
    """Some lines at the start, in the middle and at the end of a plain file that is long enough to have them."""

    @property
    def hint(self) -> str:
        """The names that tell what its lines are, the last above all: the server that wrote beside them, its own, those above them."""
        return " ".join(filter(None, (self.identity.server, self.artifact.name, *self.identity.banners)))

    def layout_at(self, line: int) -> Layout | None:
        """The layout of its format's records there: told by the user, by the header line above, or null for the format's own."""
        if self.layout is not None:
            return self.layout
        return next((layout for number, layout in reversed(self.below) if number < line), None)

    @property
    def wanted(self) -> bool:
        """Whether there is anything in it to be read."""
        return self.identity.shape not in {"binary", "empty"}


def as_looked_at(part: Part) -> Part:
    """The part as it was when it was looked at, to be read once more."""
    return replace(part, below=[], long={}, streams=[])


def layouts(part: Part) -> list[Layout]:
    """The layouts of all formats that a part holds, its own first."""
    names = [name for name in (part.format, *part.others) if name]
    own = [part.layout if part.layout is not None and name == part.format else discover.formats()[name].layout for name in names]
    return [*own, *part.above]


def lead(part: Part) -> str | None:
    """A pattern for lines that take the next one into their record even where it could open one; null when there are none."""
    patterns = [layout.lead for layout in layouts(part) if isinstance(layout, LedLayout)]
    return "|".join(f"(?:{pattern})" for pattern in dict.fromkeys(patterns)) or None


class Begins(NamedTuple):
    """What tells the first line of a record: it matches ``head``, and the line above is no ``lead``."""

    head: re.Pattern[bytes]
    lead: re.Pattern[bytes]

    def match(self, data: bytes, at: int = 0) -> bool:
        """Whether a record begins at the line at the offset."""
        if not self.head.match(data, at):
            return False
        return at == 0 or not self.lead.match(data, data.rfind(b"\n", 0, at - 1) + 1)


def begins(part: Part, *, by_time: bool) -> re.Pattern[bytes] | Begins | None:
    """What tells the first line of a record in any of the part's formats; null when every line is one. See ``heads`` for ``by_time``."""
    head, above = heads(part, by_time=by_time), lead(part)
    if not head:
        return None
    pattern = re.compile(head.encode())
    return Begins(pattern, re.compile(above.encode())) if above else pattern


def heads(part: Part, *, by_time: bool = False) -> str | None:
    """One pattern for the first line of a record in any of the part's formats; null when every line, or row of a joined part, is one.

    With ``by_time`` only for records that are found by their time.
    """
    if part.joined:
        return None
    patterns = [layout.head for layout in layouts(part)]
    if sum(pattern is not None for pattern in patterns) > 1:
        patterns = [layout.among or layout.head if isinstance(layout, Text) else layout.head for layout in layouts(part)]
    known = [pattern for pattern in patterns if pattern]
    if not known:
        return None
    known += [] if by_time else [layout.within for layout in layouts(part) if isinstance(layout, Text) and layout.within]
    leaves = [discover.formats()[name] for name in (part.format, *part.others) if name]
    headers = [_literally(header) for leaf in leaves if leaf.layout.head for header in leaf.headers]
    objects = ["\\{"] if len(known) < len(patterns) else []
    return "|".join(f"(?:{pattern})" for pattern in dict.fromkeys([*known, *objects, *headers]))


def _literally(text: str) -> str:
    """A pattern for just this text; an escaped blank is not known to all engines."""
    return re.sub(r"\\(\s)", r"\1", re.escape(text))
