"""Holds the store to its promise: every line of every file is in a row, in an unread line, or blank, exactly once.

The account is drawn up from the bytes that the test itself wrote, split here and not by the store.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.store.case import open_case
from kyumei.store.cite import cite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from kyumei.store.case import Case

CITED = 5
"""Rows of a file whose citations are looked up; each is a search through the file."""
SPLIT = frozenset({"lines", "export"})
"""Shapes of files that are read line by line; in a document the brackets around the records belong to none."""


@dataclass(frozen=True)
class Entry:
    """One row or unread line: which lines it takes up, and its text; null where the row does not keep it."""

    line: int
    span: int
    text: str | None
    table: str | None
    time: datetime | None = None


@dataclass(frozen=True)
class File:
    """What the store made of one file."""

    name: str
    number: int
    shape: str
    format: str | None
    trouble: str
    entries: tuple[Entry, ...]

    @property
    def rows(self) -> list[Entry]:
        """The entries that were read."""
        return [entry for entry in self.entries if entry.table]

    @property
    def unread(self) -> list[Entry]:
        """The entries that were not."""
        return [entry for entry in self.entries if not entry.table]


def opened(root: Path, cache: Path) -> Case:
    """The case at ``root`` with every line read and no clock set."""
    return open_case(root, None, lambda *_: None, lambda _: (), cache=cache)


def files(case: Case) -> dict[str, File]:
    """Every file of a case by name, with what became of its lines."""
    entries: dict[int, list[Entry]] = {}
    tables = " UNION ALL ".join(
        f"SELECT _artifact, _line, _span, '{name}' AS name, {'time' if 'time' in leaf.table else 'NULL'} AS time "
        f'FROM "{name}" WHERE _via IS NULL'
        for name, leaf in discover.formats().items()
    )
    texts = {(row["_artifact"], row["_line"]): row["text"] for row in case.rows("SELECT DISTINCT ON (_artifact, _line) * FROM _records")}
    for row in case.rows(tables):
        text = texts.get((row["_artifact"], row["_line"]))
        entries.setdefault(row["_artifact"], []).append(Entry(row["_line"], row["_span"], text, row["name"], row["time"]))
    for row in case.rows("SELECT * FROM headers UNION ALL SELECT _artifact, _line, text FROM unread"):
        entries.setdefault(row["_artifact"], []).append(Entry(row["_line"], 1, row["text"], None))
    return {
        row["name"]: File(
            row["name"], row["artifact"], row["shape"], row["format"], row["trouble"], tuple(entries.get(row["artifact"], ()))
        )
        for row in case.rows("SELECT * FROM artifacts")
    }


def lines_of(content: bytes) -> list[str]:
    """The lines of a file's decompressed bytes, as the store is to show them."""
    pieces = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not pieces[-1]:
        pieces.pop()
    return [piece.removesuffix(b"\r").decode("utf-8", "backslashreplace") for piece in pieces]


def is_blank(line: str) -> bool:
    """Whether a line holds nothing but blanks."""
    return not line.strip(" \t\v\f\r")


def faults(case: Case, contents: Mapping[str, bytes], longest: int) -> Iterator[str]:
    """What breaks the promise in a case whose files hold ``contents``; of lines of more than ``longest`` bytes only a part is kept."""
    found = files(case)
    for name, content in contents.items():
        if name not in found:
            yield f"{name}: not in the case"
            continue
        yield from (f"{name}: {fault}" for fault in _faults(case, found[name], content, longest))


def _faults(case: Case, file: File, content: bytes, longest: int) -> Iterator[str]:
    lines = lines_of(content)
    filled = {number for number, line in enumerate(lines, start=1) if not is_blank(line)}
    if file.shape == "empty":
        if filled and not file.trouble:  # the bytes may be the beginning of what is packed, and say so
            yield f"taken for empty with {len(filled)} lines"
    elif file.shape == "binary":
        if not file.trouble:
            yield "no word on why it was not read"
    elif file.shape in SPLIT:
        yield from _lost_or_doubled(file, lines, filled)
        yield from _altered(file, lines, longest)
    else:
        outside = [entry.line for entry in file.entries if not 1 <= entry.line <= len(lines)]
        if outside or not file.entries:
            yield f"{len(file.entries)} records, of which outside the file: {outside}"
    yield from _miscited(case, file, lines, longest)


def _lost_or_doubled(file: File, lines: list[str], filled: set[int]) -> Iterator[str]:
    taken = Counter(number for entry in file.entries for number in range(entry.line, entry.line + entry.span))
    lost = filled - taken.keys()
    doubled = [number for number, times in taken.items() if times > 1]
    beyond = [number for number in taken if not 1 <= number <= len(lines)]
    if lost or doubled or beyond:
        yield f"lost {sorted(lost)}, doubled {doubled}, beyond the end {beyond}"
    blank = taken.keys() - filled - set(beyond)
    if sum(taken.values()) != len(filled) + len(blank):
        yield f"{sum(taken.values())} lines taken up, but {len(filled)} hold text and {len(blank)} blank ones lie inside records"
    edges = [entry.line for entry in file.entries if not {entry.line, entry.line + entry.span - 1} <= filled]
    if edges:
        yield f"records begin or end at blank lines: {edges}"


def _altered(file: File, lines: list[str], longest: int) -> Iterator[str]:
    for entry in file.entries:
        block = ["" if is_blank(line) else line for line in lines[entry.line - 1 : entry.line - 1 + entry.span]]
        text = "\n".join(block)
        if entry.text is None:
            read = discover.formats()[str(entry.table)].layout.read(text) if entry.span == 1 else {}
            if not isinstance(read, dict) or read.get("time") != entry.time:
                yield f"line {entry.line} is {text[:80]!r}, of which no row with the time {entry.time} can come"
            continue
        if file.shape == "export" and text.endswith(entry.text.partition("\n")[0] if entry.span == 1 else entry.text.partition("\n")[2]):
            continue
        if len(text.encode()) > longest and entry.table is None and text.startswith(entry.text[:16]):
            continue
        if entry.text != text:
            yield f"line {entry.line} is {text[:80]!r} and was kept as {entry.text[:80]!r}"


def _miscited(case: Case, file: File, lines: list[str], longest: int) -> Iterator[str]:
    for entry in file.rows[:CITED]:
        citation = cite(case, {"_artifact": file.number, "_line": entry.line})
        line = lines[entry.line - 1] if entry.line <= len(lines) else ""
        if (citation.file, citation.line) != (file.name, entry.line):
            yield f"line {entry.line} is cited as {citation.file}:{citation.line}"
        if citation.text != line and not (file.shape not in SPLIT and len(line) > min(longest, 65536) and citation.text in line):
            yield f"line {entry.line} is cited as {citation.text[:80]!r}"
