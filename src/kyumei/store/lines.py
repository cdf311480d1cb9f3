r"""Splits decompressed bytes into numbered lines, whatever the bytes are.

Lines end at ``\n`` or ``\r\n`` and nowhere else. Bytes that are not UTF-8 are written as ``\xff``, a leading byte-order mark is left out, and of a line
longer than MAX_LINE only the first part is kept, with its true length: memory stays bounded whatever the file holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LINE = 2 * 1024 * 1024
"""Bytes of a line that are read; longer ones are no log record that AWS writes (1 MB at most)."""
KEPT = 64 * 1024
"""Bytes that are kept of a longer line, to be shown as unread."""
BATCH = 4 * 1024 * 1024


@dataclass(frozen=True)
class Batch:
    """Consecutive lines: ``first`` is the number of the first one, counted from 1; ``long`` maps a number to its true length in bytes."""

    first: int
    lines: list[str]
    long: dict[int, int]


def batches(chunks: Iterable[bytes]) -> Iterator[Batch]:
    """The lines of a stream in batches of about BATCH bytes. The last line need not end."""
    number, carry, lost = 1, b"", 0
    begun = False
    for chunk in chunks:
        piece = chunk if begun else chunk.removeprefix(b"\xef\xbb\xbf")
        begun = True
        if lost:
            head, ended, piece = piece.partition(b"\n")
            lost += len(head)
            if not ended:
                continue
            yield Batch(number, [decode(carry)], {number: lost})
            number, carry, lost = number + 1, b"", 0
        text = carry + piece
        whole, ended, carry = text.rpartition(b"\n")
        if ended:
            batch = _batch(number, whole.split(b"\n"))
            number += len(batch.lines)
            yield batch
        if len(carry) > MAX_LINE:
            lost, carry = len(carry), carry[:KEPT]
    if lost:
        yield Batch(number, [decode(carry)], {number: lost})
    elif carry:
        yield _batch(number, [carry])


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
