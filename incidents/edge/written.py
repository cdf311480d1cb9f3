"""Lines of logs before they are in a file, and files with the numbers of the lines that matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from incidents.entry import packed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


@dataclass(frozen=True)
class Line:
    """A record: when it was written (UTC), its text (maybe several lines), the request it tells of, and whether it shows the cause."""

    at: datetime
    text: str
    call: int | None = None
    shows: bool = False


@dataclass(frozen=True)
class File:
    """A file; ``marks`` are pairs of request and line number, ``shown`` the numbers of lines that show the cause."""

    name: str
    data: bytes
    marks: tuple[tuple[int, int], ...] = ()
    shown: tuple[int, ...] = ()


def file_of(name: str, lines: Iterable[Line], head: str = "") -> File:
    """The lines in their order, after a head of whole lines; compressed where the name ends in ``.gz``."""
    count, parts, marks, shown = head.count("\n"), [head], [], []
    for line in lines:
        if line.call is not None:
            marks.append((line.call, count + 1))
        if line.shows:
            shown.append(count + 1)
        parts.append(line.text + "\n")
        count += line.text.count("\n") + 1
    return File(name, packed(name, "".join(parts)), tuple(marks), tuple(shown))


def by_time(lines: Iterable[Line]) -> list[Line]:
    """Lines in the order in which they were written."""
    return sorted(lines, key=lambda line: line.at)


def rotated(name: str, lines: list[Line], cuts: tuple[float, float]) -> list[File]:
    """A log and its two predecessors, cut at shares of its lines; the oldest is compressed."""
    first, second = (int(len(lines) * cut) for cut in cuts)
    parts = ((f"{name}.2.gz", lines[:first]), (f"{name}.1", lines[first:second]), (name, lines[second:]))
    return [file_of(path, part) for path, part in parts if part]
