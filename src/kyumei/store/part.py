"""A file of the case, or one member of an archive, while it is being read: what it is, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kyumei import discover

if TYPE_CHECKING:
    from kyumei.contracts import Layout
    from kyumei.model.artifact import Artifact
    from kyumei.store.identify import Identity


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
    trouble: str = ""
    document: str = ""
    """The text of a snapshot, parsed later as one document."""
    long: dict[int, int] = field(default_factory=dict)
    joined: bool = False
    """Whether the lines of each record were joined while picking, so that every row of ``_lines`` is a record."""
    small: bool = False
    """Whether it is read whole whatever the window."""
    far: bool = False
    """Whether its first, middle and last records lie far from the window."""

    def layout_at(self, line: int) -> Layout | None:
        """The layout of its format's records there: told by the user, by the header line above, or null for the format's own."""
        if self.layout is not None:
            return self.layout
        return next((layout for number, layout in reversed(self.below) if number < line), None)

    @property
    def wanted(self) -> bool:
        """Whether there is anything in it to be read."""
        return self.identity.shape not in {"binary", "empty"}


def layouts(part: Part) -> list[Layout]:
    """The layouts of all formats that a part holds, its own first."""
    names = [name for name in (part.format, *part.others) if name]
    own = [part.layout if part.layout is not None and name == part.format else discover.formats()[name].layout for name in names]
    return [*own, *part.above]


def heads(part: Part) -> str | None:
    """One pattern for the first line of a record in any of the part's formats; null when every line, or row of a joined part, is one."""
    if part.joined:
        return None
    patterns = [layout.head for layout in layouts(part)]
    known = [pattern for pattern in patterns if pattern]
    if not known:
        return None
    return "|".join(f"(?:{pattern})" for pattern in dict.fromkeys([*known, *(["\\{"] if len(known) < len(patterns) else [])]))
