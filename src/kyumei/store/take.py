"""Brings the lines of one part into the table ``_lines``: all of them, or the records around a window.

Python's own splitter is always right, whatever the bytes are; for a window the records are sifted out of the bytes. Large plain
files that are read whole are not for here: the database reads them itself (``bulk_files``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from stringzilla import count

from kyumei.store.cut_lines import LONGEST_JOINED, PARTIAL, driver_piece_of, with_driver_piece
from kyumei.store.event_lines import STRIPPED, docker_piece_of, piece_of, stream_of, with_docker_piece
from kyumei.store.lines import BLANKS, batches, decode
from kyumei.store.part import begins, heads, layouts, lead
from kyumei.store.sieve import Kept, sift

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

    from kyumei.store.part import Part

ONE_SEARCH = Lock()
"""A plain file is searched while no other is: Python searches one at a time, and taking turns at it costs as much again."""
AT_ONCE = 4096
"""Lines handed over to the database at once; of longer lists each line costs twice as much."""
LATEST = 253_402_300_800_000
"""Milliseconds from 1970 to the year 10000; an envelope that says more does not say when."""
MOST_HELD = 8 * 1024 * 1024
"""Characters held before they are handed over, however few the lines."""
WORTH_SPLITTING = 16 * 1024
"""Bytes of lines from which the database splits them faster than we do."""
_TEXT_END, _LINE_END = b'","stream":"', b'\\n","stream":"'
STEP = 64 * 1024
"""Bytes read at once: they stay in the processor's cache, and larger pieces are twice as slow."""


def has_guests(part: Part) -> bool:
    """Whether records of single lines, or banners, stand among records of several; they are taken out before lines are joined."""
    return bool(part.identity.banners) or any(layout.head is None for layout in layouts(part))


def is_plain(part: Part) -> bool:
    """Whether the bytes of the file are those of its lines, so that nothing unpacks them on another core."""
    return not part.artifact.compression and not part.artifact.member


def take_records(con: duckdb.DuckDBPyConnection, part: Part, chunks: Iterable[bytes], prefixes: tuple[str, ...]) -> None:
    """Take the records that hold one of the prefixes, or all of them when there are none."""
    opens = begins(part, by_time=bool(prefixes))
    found = sift(chunks, prefixes, opens)
    if is_plain(part):
        found = _in_turn(found)
    if opens is None or prefixes or has_guests(part):
        _insert_runs(con, part, found)
    else:
        insert_all(con, part, (record for kept in found if (record := _record_of(part, kept))))
        part.joined = True


def _in_turn(found: Iterator[Kept]) -> Iterator[Kept]:
    """What is found, searched for while nothing else is searched."""
    while True:
        with ONE_SEARCH:
            kept = next(found, None)
        if kept is None:
            return
        yield kept


def _insert_runs(con: duckdb.DuckDBPyConnection, part: Part, found: Iterable[Kept]) -> None:
    """Append the lines of what was kept to ``_lines``, as much text at once as the database takes well."""
    insert_all(con, part, (line for run in _runs(found) for line in _lines_left(con, part, run)))


def _runs(found: Iterable[Kept]) -> Iterator[list[Kept]]:
    """What was kept, together where lines follow each other; a line that is too long for itself."""
    held: list[Kept] = []
    size, following = 0, 0
    for kept in found:
        if held and (kept.number != following or kept.length or held[-1].length or size > MOST_HELD):
            yield held
            held, size = [], 0
        held.append(kept)
        size += len(kept.data)
        following = kept.number + count(kept.data, b"\n") + 1
    if held:
        yield held


def _lines_left(con: duckdb.DuckDBPyConnection, part: Part, run: Sequence[Kept]) -> Iterator[Line]:
    """The lines of a run of which each follows the one before; none where the database splits and takes them itself.

    It does so where they are many and nothing in the bytes speaks against it.
    """
    data = b"\n".join(kept.data for kept in run)
    if run[0].length or len(data) < WORTH_SPLITTING or b"\r" in data or not _is_text(data):
        yield from _lines_of(part, Kept(run[0].number, data, run[0].length))
        return
    con.execute(
        "INSERT INTO _lines SELECT ?, ? + n, line, NULL, 1 FROM unnest(string_split(decode(?), chr(10))) WITH ORDINALITY AS t(line, n)",
        [part.artifact.number, run[0].number - 1, data],
    )


def _is_text(data: bytes) -> bool:
    """Whether the bytes are UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines_of(part: Part, kept: Kept) -> Iterator[Line]:
    """The lines of what was kept, each for itself."""
    if kept.length:
        part.long[kept.number] = kept.length
    for number, line in enumerate(kept.data.split(b"\n"), start=kept.number):
        yield number, decode(line.removesuffix(b"\r")), None, 1


def _record_of(part: Part, kept: Kept) -> Line | None:
    """What was kept as one record without the blank lines around it; null when there is nothing else."""
    if b"\n" not in kept.data:
        return next(_lines_of(part, kept))
    lines = [decode(line.removesuffix(b"\r")) for line in kept.data.split(b"\n")]
    lines = [line if line.strip(BLANKS) else "" for line in lines]
    filled = [number for number, line in enumerate(lines) if line]
    if not filled:
        return None
    first, last = filled[0], filled[-1]
    return kept.number + first, "\n".join(lines[first : last + 1]), None, last - first + 1


def exactly(part: Part, chunks: Iterable[bytes], prefixes: tuple[str, ...]) -> Iterator[Line]:
    """The lines that matter, by Python's splitter: always right, whatever the bytes are."""
    head = heads(part, by_time=True)
    opens = re.compile(head, re.ASCII).match if head else None
    above = re.compile(lead(part) or r"[^\s\S]", re.ASCII).match
    taking, led = False, False
    pieces = Pieces()
    wanted = [prefix.split("\n") for prefix in prefixes]
    strip = STRIPPED.get(part.identity.shape, lambda _: None)
    for batch in batches(chunks):
        part.long.update(batch.long)
        for number, line in enumerate(batch.lines, start=batch.first):
            text, time_ms = line, None
            if stripped := strip(line):
                time_ms, text = stripped
                note_stream(part, number, *stream_of(line))
            if prefixes:
                if opens is None or (opens(text) and not led) or (time_ms is not None and part.identity.shape == "export"):
                    taking = any(all(part_of in line for part_of in one) for one in wanted)
                led = above(text) is not None
                if not taking and number not in batch.long:
                    continue
            if time_ms is None and not part.identity.docker:
                yield number, text, time_ms, 1
            else:
                yield from pieces.whole(line, (number, text, time_ms, 1))
    yield from pieces.left()


def is_cut_by_docker(chunks: Iterable[bytes]) -> bool:
    """Whether Docker cut lines of a file: a text of its json-file driver ends with a line feed unless it was cut, others say so."""
    texts, ended, carry = 0, 0, b""
    partial = PARTIAL.encode()
    for chunk in chunks:
        piece = carry + chunk
        if partial in piece:
            return True
        texts += count(piece, _TEXT_END)
        ended += count(piece, _LINE_END)
        carry = piece[-len(_LINE_END) + 1 :]
        texts -= count(carry, _TEXT_END)
        ended -= count(carry, _LINE_END)
    return bool(texts + count(carry, _TEXT_END) != ended + count(carry, _LINE_END))


Line = tuple[int, str, int | None, int]
"""The number of a line in its file, its text, the time of its envelope in milliseconds since 1970 or null, how many lines it takes up."""


@dataclass
class Pieces:
    """The first pieces of lines that a container runtime cut, by stream, until the last one is there."""

    held: dict[str, Line] = field(default_factory=dict)

    def whole(self, line: str, found: Line) -> Iterator[Line]:
        """The line as it was before it was cut; nothing while a piece of it is missing. ``found`` is what was read of ``line``."""
        docker, driver = docker_piece_of(line), driver_piece_of(line)
        told = docker or driver or piece_of(line)
        if told is None:
            yield found
            return
        stream, is_cut = told
        if (before := self.held.pop(stream, None)) is not None:
            join = with_docker_piece if docker else with_driver_piece if driver else str.__add__
            text = join(before[1], found[1])
            found = (before[0], text, before[2], before[3] + 1)
        if is_cut and len(found[1]) < LONGEST_JOINED:
            self.held[stream] = found
        else:
            yield found

    def left(self) -> Iterator[Line]:
        """Pieces that no other followed."""
        yield from self.held.values()


def insert_all(con: duckdb.DuckDBPyConnection, part: Part, found: Iterable[Line]) -> None:
    """Append lines to ``_lines``, some thousands at once."""
    held: list[Line] = []
    size = 0
    for line in found:
        held.append(line)
        size += len(line[1])
        if len(held) >= AT_ONCE or size > MOST_HELD:
            insert_lines(con, part.artifact.number, *map(list, zip(*held, strict=True)))
            held, size = [], 0
    if held:
        insert_lines(con, part.artifact.number, *map(list, zip(*held, strict=True)))


def insert_lines(  # noqa: PLR0913 - the columns of the table
    con: duckdb.DuckDBPyConnection,
    artifact: int,
    numbers: list[int],
    texts: list[str],
    times: list[int | None] | None = None,
    spans: list[int] | None = None,
) -> None:
    """Append lines of one artifact to ``_lines``; times are those of an envelope, in milliseconds since 1970; spans are in lines."""
    times = [time if time is not None and 0 < time < LATEST else None for time in times or ()]
    times = times if any(times) else None
    spans = spans if spans and any(span != 1 for span in spans) else None
    time, span = "unnest(?::BIGINT[])" if times else "NULL", "unnest(?)" if spans else "1"
    for start in range(0, len(numbers), AT_ONCE):
        chosen = slice(start, start + AT_ONCE)
        given = [one[chosen] for one in (times, spans) if one]
        con.execute(
            f"INSERT INTO _lines SELECT ?, unnest(?), unnest(?), {time}, {span}",
            [artifact, numbers[chosen], [sound(text) for text in texts[chosen]], *given],
        )


def sound(text: str) -> str:
    """Text that can be stored: a lone surrogate (from a JSON escape) is written out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def note_stream(part: Part, line: int, group: str | None, stream: str | None) -> None:
    """Note from which line on events are of another log stream."""
    if (part.streams[-1][1:3] if part.streams else (None, None)) != (group, stream):
        part.streams.append((line, group, stream, None, None))
