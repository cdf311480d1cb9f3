"""What is kept of a large file is what reading every line would keep, however the bytes arrive."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from kyumei.store.lines import KEPT, MAX_LINE, batches, blocks
from kyumei.store.sieve import DENSE, MAX_RECORD_LINES, Kept, sift

if TYPE_CHECKING:
    from collections.abc import Sequence

NEEDLES = (
    "2025-02-06T05:1",
    "2025-02-06T05:20",
    " 14:1",
    "T14:1",
    "2025:14:1",
    "1738819",
    "173882",
    "zz",
    "ab 16:2",
    "cd 16:2",
    "efg 16:3",
    "ab 02:2\n PM",
)
PIECES = (
    "2025-02-06T05:1",
    "2025-02-06T05:3",
    "2025-02-06T05:2x",
    " 14:1",
    " 14:2",
    ":14:1",
    "2025:14:1",
    "T14:1",
    "2025-02-06T05:20",
    "11738819",
    "ab 16:2",
    "cd 16:2",
    "g 16:3",
    "efg 16:3",
    "ab 02:2",
    "cd PM",
    "1738820",
    "1738830",
    "\r",
    "\0",
    "\xff",
    "é",
    "a",
    "zz",
    "",
)
BEGINS = re.compile(rb"[0-9]{4}-")

lines = st.lists(st.lists(st.sampled_from(PIECES), max_size=4).map("".join), max_size=40)


def chunked(text: bytes, size: int) -> list[bytes]:
    """The bytes in pieces, as a stream gives them."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def slowly(text: bytes, begins: re.Pattern[bytes] | None, needles: Sequence[str]) -> list[Kept]:
    """The records that hold a needle, or all, found by looking at every line."""
    found: list[tuple[int, list[bytes]]] = []
    split = text.split(b"\n")
    for number, line in enumerate(split[:-1] if split[-1] == b"" else split, start=1):
        if not found or begins is None or begins.match(line):
            found.append((number, []))
        found[-1][1].append(line)
    wanted = [needle.encode().split(b"\n") for needle in needles] or [[b""]]
    return [Kept(number, b"\n".join(own)) for number, own in found if any(_holds(line, needle) for line in own for needle in wanted)]


def _holds(line: bytes, needle: list[bytes]) -> bool:
    return all(piece in line for piece in needle)


def numbered(found: Sequence[Kept]) -> list[tuple[int, bytes]]:
    """Every line that was kept, with its number."""
    return [(number, line) for one in found for number, line in enumerate(one.data.split(b"\n"), start=one.number)]


@given(lines, st.integers(1, 300), st.booleans(), st.booleans())
def test_keeps_what_a_look_at_every_line_keeps(
    texts: list[str],
    size: int,
    ended: bool,  # noqa: FBT001 - drawn by the test
    records: bool,  # noqa: FBT001 - drawn, too
) -> None:
    """Every record that holds a needle is kept whole; a neighbour may be, too, with its own number, and no more of them than pay."""
    text = "\n".join(texts).encode("latin-1") + (b"\n" if ended and texts else b"")
    begins = BEGINS if records else None
    found = numbered(list(sift(chunked(text, size), NEEDLES, begins)))
    assert {*numbered(slowly(text, begins, NEEDLES))} <= {*found} <= {*numbered(slowly(text, begins, ()))}
    assert found == sorted(set(found))
    if begins is None:
        assert len(found) <= (DENSE + 1) * sum(text.count(needle.partition("\n")[0].encode()) for needle in NEEDLES)


@given(lines, st.integers(1, 60), st.booleans(), st.booleans())
def test_without_needles_every_record_comes_for_itself(
    texts: list[str],
    size: int,
    ended: bool,  # noqa: FBT001 - drawn by the test
    records: bool,  # noqa: FBT001 - drawn, too
) -> None:
    """Where records take up several lines; where every line is one, they come together."""
    text = "\n".join(texts).encode("latin-1") + (b"\n" if ended and texts else b"")
    begins = BEGINS if records else None
    found, expected = list(sift(chunked(text, size), (), begins)), slowly(text, begins, ())
    assert found == expected if records else numbered(found) == numbered(expected)


def test_a_line_that_is_too_long_is_kept_and_breaks_nothing() -> None:
    """Its first part is kept with its length, whatever it holds, and the lines around it keep their numbers."""
    long = b"x" * (MAX_LINE + 5)
    text = b"2025-02-06T05:11 one\n" + long + b"\nother\n2025-02-06T05:12 two\n"
    for size in (1 << 16, 1 << 30):
        kept = list(sift(chunked(text, size), NEEDLES, None))
        assert kept == [Kept(1, b"2025-02-06T05:11 one"), Kept(2, long[:KEPT], len(long)), Kept(4, b"2025-02-06T05:12 two")]


def test_a_record_without_end_is_cut_and_not_lost() -> None:
    """Lines beyond the longest record are kept as records of their own."""
    text = b"2025-02-06T05:11 one\n" + b"  more\n" * (3 * MAX_RECORD_LINES) + b"2025-02-07 next\n"
    for size in (1 << 10, 1 << 16, 1 << 30):
        kept = list(sift(chunked(text, size), NEEDLES, BEGINS))
        assert b"\n".join(one.data for one in kept) == text.removesuffix(b"\n2025-02-07 next\n")
        ends = [one.number + one.data.count(b"\n") + 1 for one in kept]
        assert [one.number for one in kept] == [1, *ends[:-1]]
        every = list(sift(chunked(text, size), (), BEGINS))
        assert b"\n".join(one.data for one in every) == text.removesuffix(b"\n")
        assert max(one.data.count(b"\n") for one in every) < MAX_RECORD_LINES


@given(st.binary(max_size=200), st.integers(1, 30))
def test_lines_do_not_depend_on_the_pieces_they_come_in(text: bytes, size: int) -> None:
    """Blocks lie one behind the other, and their lines are those of the whole text."""
    whole = [line for batch in batches([text]) for line in batch.lines]
    assert [line for batch in batches(chunked(text, size)) for line in batch.lines] == whole
    end = 3 if text.startswith(b"\xef\xbb\xbf") and size >= 3 else 0
    for block in blocks(chunked(text, size)):
        assert block.offset == end
        end += block.size + 1
