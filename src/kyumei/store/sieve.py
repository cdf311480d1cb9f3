"""Passes over the records outside a window at memory speed, and keeps those that may be in it.

Records are found by searching whole blocks of text for the substrings that a record in the window holds (``stamps`` of a layout);
only what is kept is looked at closer. Blocks hold whole records, so a record of several lines is kept whole whichever of its
lines holds the substring. Bytes are looked at as they are: nothing about their encoding or line ends needs to be known first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from os.path import commonprefix
from typing import TYPE_CHECKING

from kyumei.store.lines import KEPT, MAX_LINE, Block, blocks

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

MAX_RECORD_LINES = 2_000
"""Lines that one record may take up; what follows starts a record of its own."""
MAX_WAIT = 4 * 1024 * 1024
"""Bytes of a record whose end is waited for."""
SHORTEST = 3
"""Bytes that are searched for at least: shorter ones stand everywhere."""
ENDING, MANY = 4, 3
"""When so many searches end in the same few bytes, one for these is faster: the hour, after a date that is written in many ways."""


@dataclass(frozen=True)
class Kept:
    """A record: the number of its first line, counted from 1, and its lines joined by line feeds.

    ``length`` is that of a line that is too long, of which ``data`` then holds the first part.
    """

    number: int
    data: bytes
    length: int = 0


@dataclass(frozen=True)
class _Family:
    """Substrings that one search for the ``core`` finds: what stands ``before`` it (so many bytes) and ``after`` decides which, if any."""

    core: bytes
    members: dict[tuple[int, int], frozenset[bytes]]

    def holds(self, data: bytes, at: int) -> bool:
        """Whether a member stands around the core that was found at ``at``."""
        end = at + len(self.core)
        for (before, after), found in self.members.items():  # noqa: SIM110 - any() is twice as slow, and this runs for every candidate
            if at >= before and data[at - before : end + after] in found:
                return True
        return False


def sift(
    chunks: Iterable[bytes], needles: Sequence[str], begins: re.Pattern[bytes] | None, recount: Callable[[int, int], int] | None = None
) -> Iterator[Kept]:
    """The records of a stream that hold one of the substrings (all of them when there are none), and every line that is too long.

    ``begins`` matches the first line of a record; null when every line is one. Line ends are counted as they pass, or, where the stream can
    be had again, by ``recount(start, end)`` between two of its offsets, and only once a record is kept: most files hold none.
    """
    families = _families(needles)
    number, counted, open_end = 1, 0, False
    for block in _whole_records(blocks(chunks), begins):
        starts = _starts(block.data, families) if families and not block.length else [0]
        if open_end and begins and not block.length and not begins.match(block.data):
            starts = [0, *starts]
        if not starts and recount:
            continue
        if recount:
            number += recount(counted, block.offset)
        if block.length:
            yield Kept(number, block.data, block.length)
            number += 1
        else:
            spans = _spans(block.data, starts, begins) if families else _all_spans(block.data, begins)
            open_end = yield from _kept(block.data, spans, number)
            number += block.data.count(b"\n") + 1
        counted = block.offset + block.size + 1


def _families(needles: Sequence[str]) -> list[_Family]:
    """The searches that find every needle: those that differ in their first byte or in the digits at their end need but one."""
    found: dict[bytes, dict[tuple[int, int], set[bytes]]] = {}
    raws = [needle.encode() for needle in needles]
    shared = commonprefix([needle for needle in needles if needle.isdigit()]).encode()  # noqa: RUF071 - digits, no paths
    cores = {raw: shared if raw.isdigit() and len(shared) > SHORTEST else _core(raw) for raw in raws}
    ends = Counter(core[-ENDING:] for core in set(cores.values()))
    common = {end for end, count in ends.items() if count >= MANY}
    for raw, own in cores.items():
        core = own[-ENDING:] if own[-ENDING:] in common else own
        before = raw.index(own) + len(own) - len(core)
        found.setdefault(core, {}).setdefault((before, len(raw) - before - len(core)), set()).add(raw)
    return [_Family(core, {shape: frozenset(members) for shape, members in shapes.items()}) for core, shapes in found.items()]


def _core(raw: bytes) -> bytes:
    """The part of a needle that is searched for: all but its first byte and the digits at its end, which tell minutes."""
    core = raw[1:].rstrip(b"0123456789")
    return core if len(core) >= SHORTEST else raw[1:-1] if len(raw) >= SHORTEST + len("12") else raw


def _starts(data: bytes, families: Iterable[_Family]) -> list[int]:
    """Where the lines start that hold a member of a family, or are too long."""
    found = set(_long_lines(data)) if len(data) > MAX_LINE else set()
    for family in families:
        at = data.find(family.core)
        while at >= 0:
            if not family.holds(data, at):
                at = data.find(family.core, at + 1)
                continue
            found.add(data.rfind(b"\n", 0, at) + 1)
            end = data.find(b"\n", at)
            at = data.find(family.core, end) if end >= 0 else -1
    return sorted(found)


def _long_lines(data: bytes) -> Iterator[int]:
    """Where the lines start that are too long to be read; they are kept whatever they hold, for what they hold is not known."""
    at = 0
    for line in data.split(b"\n"):
        if len(line) > MAX_LINE:
            yield at
        at += len(line) + 1


def _kept(data: bytes, spans: Iterable[tuple[int, int]], number: int) -> Generator[Kept, None, bool]:
    """What lies between the offsets; ``number`` is that of the first line. Returns whether the end of the block is kept."""
    counted, last = 0, -1
    for start, end in spans:
        number += data.count(b"\n", counted, start)
        counted, last = start, end
        if end - start > MAX_LINE and data.find(b"\n", start, end) < 0:
            yield Kept(number, data[start : start + KEPT], end - start)
        else:
            yield Kept(number, data[start:end])
    return last == len(data)


def _spans(data: bytes, starts: Iterable[int], begins: re.Pattern[bytes] | None) -> Iterator[tuple[int, int]]:
    """Where the records of the lines at ``starts`` begin and end."""
    until = 0
    for start in starts:
        if start < until:
            continue
        until = start if begins is None else _first_line(data, start, until, begins)
        for end in _pieces(data, until, begins):
            yield until, end
            until = end + 1


def _all_spans(data: bytes, begins: re.Pattern[bytes] | None) -> Iterator[tuple[int, int]]:
    """Where all records begin and end."""
    until = 0
    while until <= len(data):
        for end in _pieces(data, until, begins):
            yield until, end
            until = end + 1


def _pieces(data: bytes, at: int, begins: re.Pattern[bytes] | None) -> Iterator[int]:
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
        if begins is None or at > len(data) or begins.match(data, at):
            break
    if lines:
        yield last


def _first_line(data: bytes, start: int, least: int, begins: re.Pattern[bytes]) -> int:
    """Where the record starts that the line at ``start`` belongs to; not before ``least``, where the record above was kept to."""
    at = start
    for _ in range(MAX_RECORD_LINES):
        if at <= least or begins.match(data, at):
            break
        at = data.rfind(b"\n", 0, at - 1) + 1
    return max(at, least)


def _whole_records(found: Iterable[Block], begins: re.Pattern[bytes] | None) -> Iterator[Block]:
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


def _last_record(data: bytes, begins: re.Pattern[bytes]) -> int:
    """Where the last record of a block starts; -1 when it is too long to wait for its end."""
    end = len(data)
    for _ in range(MAX_RECORD_LINES):
        at = data.rfind(b"\n", 0, end) + 1
        if at == 0 or begins.match(data, at):
            return at if len(data) - at <= MAX_WAIT else -1
        end = at - 1
    return -1
