"""Passes over the lines outside a window at memory speed, and keeps those that may be in it.

A line is found by searching whole blocks of text for the substrings that a record in the window holds (``stamps`` of a layout); it is decoded only
when it is kept. Blocks hold whole records, so a record of several lines is kept whole whichever of its lines holds the substring. Bytes are looked at
as they are: nothing about their encoding or line ends needs to be known first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kyumei.store.lines import KEPT, MAX_LINE, Block, blocks

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Sequence

MOST_BACK = 2_000
"""Lines that are looked back at for the beginning of a record; see ``parse.MAX_RECORD_LINES``."""
SHORTEST = 5
"""Characters of a substring from which its ends are looked at separately."""


@dataclass(frozen=True)
class Kept:
    """Lines of one block: their numbers, counted from 1, and their bytes; ``long`` maps the number of a line to its length when only a part is kept."""

    numbers: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    long: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Family:
    """Substrings that are equal but for their first and last ``margin`` bytes: one search for the core finds them all."""

    core: bytes
    margin: int
    size: int
    members: frozenset[bytes]


def sift(
    chunks: Iterable[bytes], needles: Sequence[str], begins: re.Pattern[bytes] | None, recount: Callable[[int, int], int] | None = None
) -> Iterator[Kept]:
    """The lines of a stream that hold one of the substrings, with all lines of their record.

    ``begins`` is matched by the first line of a record; null when every line is one. Line ends are counted as they pass, or, where they can be had
    again, by ``recount(start, end)`` over the bytes of the stream, and only once a line is kept: most files hold none.
    """
    families = _families(needles)
    number, counted = 1, 0
    open_end = False
    for block in _whole_records(blocks(chunks), begins):
        starts = [0] if block.length else _starts(block.data, families)
        if open_end and begins is not None and not block.length and not begins.match(block.data):
            starts = [0, *starts]
        if starts and counted < block.offset and recount:
            number += recount(counted, block.offset)
            counted = block.offset
        if not starts and recount:
            continue
        kept = _keep(block, starts, begins, number)
        if kept.numbers:
            yield kept
        number += 1 if block.length else block.data.count(b"\n") + 1
        counted = block.offset + block.size + 1
        open_end = bool(kept.numbers) and kept.numbers[-1] == number - 1


def _families(needles: Sequence[str]) -> list[_Family]:
    grouped: dict[tuple[bytes, int, int], set[bytes]] = {}
    for needle in needles:
        raw = needle.encode()
        margin = 1 if len(raw) >= SHORTEST else 0
        grouped.setdefault((raw[margin : len(raw) - margin], margin, len(raw)), set()).add(raw)
    return [_Family(core, margin, size, frozenset(members)) for (core, margin, size), members in grouped.items()]


def _starts(data: bytes, families: Iterable[_Family]) -> list[int]:
    """Where the lines start that hold a member of a family."""
    found: set[int] = set()
    if len(data) > MAX_LINE:
        found.update(_long_lines(data))
    for family in families:
        at = data.find(family.core)
        while at >= 0:
            first = at - family.margin
            if first < 0 or data[first : first + family.size] not in family.members:
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


def _keep(block: Block, starts: Sequence[int], begins: re.Pattern[bytes] | None, number: int) -> Kept:
    """The lines at ``starts`` and the rest of their records; ``number`` is that of the block's first line."""
    if block.length:
        return Kept([number], [block.data], {number: block.length})
    kept = Kept()
    data, until, counted = block.data, 0, 0
    for start in starts:
        if start < until:
            continue
        at = start if begins is None else _first_line(data, start, until, begins)
        number += data.count(b"\n", counted, at)
        while True:
            end = data.find(b"\n", at)
            end = len(data) if end < 0 else end
            if end - at > MAX_LINE:
                kept.long[number] = end - at
            kept.numbers.append(number)
            kept.lines.append(data[at : min(end, at + KEPT)] if end - at > MAX_LINE else data[at:end])
            number += 1
            at = until = counted = end + 1
            if begins is None or at > len(data) or begins.match(data, at):
                break
    return kept


def _first_line(data: bytes, start: int, least: int, begins: re.Pattern[bytes]) -> int:
    """Where the record starts that the line at ``start`` belongs to; not before ``least``, where the record above was kept to."""
    at = start
    for _ in range(MOST_BACK):
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
        last = 0 if whole.length else _last_record(whole.data, begins)
        if last > 0:
            yield Block(whole.offset, whole.data[: last - 1])
            carry = Block(whole.offset + last, whole.data[last:])
        else:
            yield whole
    if carry is not None:
        yield carry


def _last_record(data: bytes, begins: re.Pattern[bytes]) -> int:
    """Where the last record of a block starts; 0 when that cannot be told."""
    at = len(data)
    for _ in range(MOST_BACK):
        at = data.rfind(b"\n", 0, at)
        if at < 0:
            return 0
        if begins.match(data, at + 1):
            return at + 1
    return 0
