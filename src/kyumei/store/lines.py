r"""Splits decompressed bytes into numbered lines, whatever the bytes are.

Lines end at ``\n`` or ``\r\n`` and nowhere else. Bytes that are not UTF-8 are written as ``\xff``, a leading byte-order mark is
left out, and of a line longer than MAX_LINE only the first part is kept, with its true length: memory stays bounded whatever the
file holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LINE = 2 * 1024 * 1024
"""Bytes of a line that are read; longer ones are no log record that AWS writes (1 MB at most)."""
BLANKS = " \t\v\f\r"
"""A line of nothing but these is blank."""
KEPT = 64 * 1024
"""Bytes that are kept of a longer line, to be shown as unread."""
BOM = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Consecutive lines as bytes, without the last line end; ``offset`` is where they start in the stream.

    ``size`` is the length of ``data``, or that of the one line that is too long, of which ``data`` then holds the first part.
    """

    offset: int
    data: bytes
    length: int = 0

    @property
    def size(self) -> int:
        """Bytes of the stream that the block stands for."""
        return self.length or len(self.data)


class Batch(NamedTuple):
    """Consecutive lines: ``first`` is the number of the first one, counted from 1; ``long`` maps a number to its true length in bytes."""

    first: int
    lines: list[str]
    long: dict[int, int]


def blocks(chunks: Iterable[bytes]) -> Iterator[Block]:
    """The lines of a stream in blocks of about the size of its chunks. The last line need not end."""
    offset, carry, lost = 0, b"", 0
    begun = False
    for chunk in chunks:
        piece = chunk
        if not begun and chunk.startswith(BOM):
            offset, piece = len(BOM), chunk[len(BOM) :]
        begun = True
        if lost:
            head, ended, piece = piece.partition(b"\n")
            lost += len(head)
            if not ended:
                continue
            yield Block(offset, carry, lost)
            offset, carry, lost = offset + lost + 1, b"", 0
        cut = piece.rfind(b"\n")
        if cut >= 0:
            data = b"".join((carry, memoryview(piece)[:cut]))
            carry = piece[cut + 1 :]
            yield Block(offset, data)
            offset += len(data) + 1
        else:
            carry += piece
        if len(carry) > MAX_LINE:
            lost, carry = len(carry), carry[:KEPT]
    if carry:
        yield Block(offset, carry, lost)


def batches(chunks: Iterable[bytes]) -> Iterator[Batch]:
    """The lines of a stream, decoded. The last line need not end."""
    number = 1
    for block in blocks(chunks):
        batch = Batch(number, [decode(block.data)], {number: block.length}) if block.length else _batch(number, block.data.split(b"\n"))
        number += len(batch.lines)
        yield batch


def _batch(first: int, raw: list[bytes]) -> Batch:
    long: dict[int, int] = {}
    lines: list[str] = []
    for number, line in enumerate(raw, start=first):
        if len(line) > MAX_LINE:
            long[number] = len(line)
            lines.append(decode(line[:KEPT]))
        else:
            lines.append(decode(line.removesuffix(b"\r")))
    return Batch(first, lines, long)


def decode(line: bytes) -> str:
    r"""Text of a line: UTF-8, and ``\xff`` for what is not."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("utf-8", "backslashreplace")
