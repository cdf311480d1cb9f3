"""Passes over the records outside a window at memory speed, and keeps those that may be in it.

Records are found by searching whole blocks of text for the substrings that a record in the window holds (``stamps`` of a layout);
only what is kept is looked at closer. Blocks hold whole records, so a record of several lines is kept whole whichever of its
lines holds the substring. Bytes are looked at as they are: nothing about their encoding or line ends needs to be known first.
"""

from __future__ import annotations

from collections import Counter
from os.path import commonprefix
from typing import TYPE_CHECKING, NamedTuple, Protocol

from stringzilla import count, find, rfind

from kyumei.store.lines import KEPT, MAX_LINE, Block, blocks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

MAX_RECORD_LINES = 2_000
"""Lines that one record may take up; what follows starts a record of its own."""
MAX_WAIT = 4 * 1024 * 1024
"""Bytes of a record whose end is waited for."""
SHORTEST = 3
"""Bytes that are searched for at least: shorter ones stand everywhere."""
DENSE = 2
"""Lines are kept in one piece where at least one in so many holds a needle."""
SEPARATOR = b"\n"
"""Stands in a needle before what must be found beside it; no line holds one."""
ENDING, MANY = 4, 3
"""When so many searches end in the same few bytes, one for these is faster: the hour, after a date that is written in many ways."""


class Begins(Protocol):
    """What tells the first line of a record: a pattern, or one that looks at the line above, too."""

    def match(self, data: bytes, at: int = 0, /) -> object:
        """Something true where a record begins at the line at the offset."""


class Kept(NamedTuple):
    """Records that follow each other: the number of their first line, counted from 1, and all their lines joined by line feeds.

    ``length`` is that of a line that is too long, of which ``data`` then holds the first part.
    """

    number: int
    data: bytes
    length: int = 0


class _Family(NamedTuple):
    """Substrings that hold one ``core``: a block without it holds none of them, and one without ``beside`` no record that counts."""

    core: bytes
    members: tuple[bytes, ...]
    beside: bytes = b""


def sift(chunks: Iterable[bytes], needles: Sequence[str], begins: Begins | None) -> Iterator[Kept]:
    """The records of a stream that hold one of the substrings, and every line that is too long; without substrings all, one by one.

    A substring may say after a line feed what stands further on in the record.

    ``begins`` matches the first line of a record; null when every line is one. A neighbour that holds no substring may be kept, too, where
    that is less work than to leave it out: in a log, the records of a window stand together.
    """
    families = _families(needles)
    number, open_end = 1, False
    for block in _whole_records(blocks(chunks), begins):
        if block.length:
            yield Kept(number, block.data, block.length)
            number += 1
            continue
        spans = _wanted(block.data, families) if families else [(0, len(block.data))]
        if open_end and begins and not begins.match(block.data):
            spans = [(0, len(block.data.partition(b"\n")[0])), *spans]
        if spans:
            open_end = yield from _kept(block.data, (_runs if families else _records)(block.data, spans, begins), number)
        else:
            open_end = False
        number += count(block.data, b"\n") + 1


def _families(needles: Sequence[str]) -> list[_Family]:
    """The searches that tell whether a needle is there: those that differ in their first byte or the digits at their end need but one."""
    found: dict[tuple[bytes, bytes], list[bytes]] = {}
    raws = [tuple(needle.encode().split(SEPARATOR, 1)) for needle in needles]
    shared = commonprefix([needle for needle in needles if needle.isdigit()]).encode()  # noqa: RUF071 - digits, no paths
    cores = {raw: shared if raw[0].isdigit() and len(shared) > SHORTEST else _core(raw[0]) for raw in raws}
    ends = Counter(core[-ENDING:] for core in set(cores.values()))
    common = {end for end, times in ends.items() if times >= MANY}
    for raw, own in cores.items():
        beside = b"".join(raw[1:])
        found.setdefault((own[-ENDING:] if own[-ENDING:] in common else own, beside), []).append(raw[0])
    return [_Family(core, tuple(members), beside) for (core, beside), members in found.items()]


def _core(raw: bytes) -> bytes:
    """The part of a needle that is searched for: all but its first byte and the digits at its end, which tell minutes."""
    core = raw[1:].rstrip(b"0123456789")
    return core if len(core) >= SHORTEST else raw[1:-1] if len(raw) >= SHORTEST + len("12") else raw


def _wanted(data: bytes, families: Iterable[_Family]) -> list[tuple[int, int]]:
    """From where to where the lines stand that hold a needle or are too long; in one piece where most lines in between do."""
    if len(data) > MAX_LINE:
        return sorted(_lines_at(data, _places(data, families)) | set(_long_lines(data)))
    near = (one.members for one in families if find(data, one.core) >= 0 and (not one.beside or find(data, one.beside) >= 0))
    present = [one for members in near for one in members if find(data, one) >= 0]
    if not present:
        return []
    start = data.rfind(b"\n", 0, min(find(data, one) for one in present)) + 1
    last = data.find(b"\n", max(rfind(data, one) for one in present))
    end = last if last >= 0 else len(data)
    if DENSE * sum(count(data, one, start, end) for one in present) >= count(data, b"\n", start, end):
        return [(start, end)]
    return sorted(_lines_at(data, _places(data, [_Family(b"", tuple(present))])))


def _places(data: bytes, families: Iterable[_Family]) -> Iterator[int]:
    """Where the needles stand, once for each line and needle."""
    for family in families:
        for member in family.members:
            at = find(data, member)
            while at >= 0:
                yield at
                end = data.find(b"\n", at)
                at = find(data, member, end) if end >= 0 else -1


def _lines_at(data: bytes, places: Iterable[int]) -> set[tuple[int, int]]:
    """From where to where the lines stand that hold the places."""
    found = set()
    for at in places:
        end = data.find(b"\n", at)
        found.add((data.rfind(b"\n", 0, at) + 1, end if end >= 0 else len(data)))
    return found


def _long_lines(data: bytes) -> Iterator[tuple[int, int]]:
    """From where to where the lines stand that are too long to be read; they are kept: what they hold is not known."""
    at = 0
    for line in data.split(b"\n"):
        if len(line) > MAX_LINE:
            yield at, at + len(line)
        at += len(line) + 1


def _kept(data: bytes, spans: Iterable[tuple[int, int]], number: int) -> Generator[Kept, None, bool]:
    """What lies between the offsets; ``number`` is that of the first line. Returns whether the end of the block is kept."""
    counted, last = 0, -1
    for start, end in spans:
        number += count(data, b"\n", counted, start)
        counted, last = start, end
        if end - start > MAX_LINE and data.find(b"\n", start, end) < 0:
            yield Kept(number, data[start : start + KEPT], end - start)
        else:
            yield Kept(number, data[start:end])
    return last == len(data)


def _records(data: bytes, spans: Iterable[tuple[int, int]], begins: Begins | None) -> Iterator[tuple[int, int]]:
    """Where each record of the lines at ``spans`` begins and ends, or its pieces do."""
    until = 0
    for start, end in spans:
        if begins is None:
            yield from [(start, end)] if end - start <= MAX_LINE else _each_line(data, start, end)
        elif end >= until:
            until = _first_line(data, max(start, until), until, begins)
            while until <= end:
                for stop in _pieces(data, until, begins):
                    yield until, stop
                    until = stop + 1


def _runs(data: bytes, spans: Sequence[tuple[int, int]], begins: Begins | None) -> Iterator[tuple[int, int]]:
    """Where the records of the lines at ``spans`` begin and end, all records of a span in one."""
    if begins is None or len(data) > MAX_LINE:
        yield from _records(data, spans, begins)
        return
    until = 0
    for start, end in spans:
        if end >= until:
            first = _first_line(data, max(start, until), until, begins)
            until = max(_pieces(data, data.rfind(b"\n", 0, end) + 1, begins)) + 1
            yield first, until - 1


def _each_line(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """From where to where each line stands."""
    while start <= end:
        stop = data.find(b"\n", start, end)
        stop = end if stop < 0 else stop
        yield start, stop
        start = stop + 1


def _pieces(data: bytes, at: int, begins: Begins) -> Iterator[int]:
    """Where the record that starts at ``at`` ends, or its pieces do: it is cut at MAX_RECORD_LINES, and around a line that is too long."""
    lines, last = 0, -1
    while True:
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        long = end - at > MAX_LINE
        if lines and (long or lines == MAX_RECORD_LINES):
            yield last
            lines = 0
        lines, last = lines + 1, end
        if long:
            yield end
            lines = 0
        at = end + 1
        if at > len(data) or begins.match(data, at):
            break
    if lines:
        yield last


def _first_line(data: bytes, start: int, least: int, begins: Begins) -> int:
    """Where the record starts that the line at ``start`` belongs to; not before ``least``, where the record above was kept to."""
    at = start
    for _ in range(MAX_RECORD_LINES):
        if at <= least or begins.match(data, at):
            break
        at = data.rfind(b"\n", 0, at - 1) + 1
    return max(at, least)


def _whole_records(found: Iterable[Block], begins: Begins | None) -> Iterator[Block]:
    """The blocks cut anew where a record begins, so that none lies in two of them."""
    if begins is None:
        yield from found
        return
    carry: Block | None = None
    for block in found:
        whole = block if carry is None or block.length else Block(carry.offset, carry.data + b"\n" + block.data)
        if carry is not None and whole is block:
            yield carry
        carry = None
        last = -1 if whole.length else _last_record(whole.data, begins)
        if last > 0:
            yield Block(whole.offset, whole.data[: last - 1])
        if last < 0:
            yield whole
        else:
            carry = Block(whole.offset + last, whole.data[last:])
    if carry is not None:
        yield carry


def _last_record(data: bytes, begins: Begins) -> int:
    """Where the last record of a block starts; -1 when it is too long to wait for its end."""
    end = len(data)
    for _ in range(MAX_RECORD_LINES):
        at = data.rfind(b"\n", 0, end) + 1
        if at == 0 or begins.match(data, at):
            return at if len(data) - at <= MAX_WAIT else -1
        end = at - 1
    return -1
