"""The store's promise on files that nobody would write: every line is in a row, in an unread line, or blank, exactly once.

Files are made of golden lines (shuffled, damaged, cut), of random bytes and of odd line ends, compressed or not, and read with
small bounds, so that every seam of the readers lies in the middle of something. KYUMEI_FUZZ is the number of examples, for a
longer run.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kyumei.store import bulk_files, bulk_rows, lines, sieve, stage
from kyumei.store.unpack import Unpacked
from tests import ledger

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = int(os.environ.get("KYUMEI_FUZZ", "25"))
LONGEST_GOLDEN = 20_000
"""Bytes of a golden line that is used: longer ones make an example slow and no odder."""
SECONDS = 30
"""More than any such folder may take; it is read in half a second."""
NAMES = (
    "access.log",
    "app.log",
    "syslog",
    "error.log.1",
    "x",
    "[ab]*?.log",
    "it's \"; DROP TABLE unread; --.log",
    "line\nbreak.log",
    "aws/ec2/describe-instances.json",
)
ODD = (
    b"",
    b" ",
    b"\t",
    b"\0",
    b"\v",
    b"{",
    b"}",
    b"[",
    b"\xef\xbb\xbf",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\x1b[31m",
    b"\r",
    b"\\x01",
    b"\x01",
)
STRAY = (b"Traceback (most recent call last):", b'  File "/srv/app/x.py", line 283, in f', b"    at shop.Orders.get(Orders.java:17)", b"x")
LINE_ENDS = (b"\n", b"\r\n", b"\n\n", b"\n \n", b"\n\r\n")


def _in_two(content: bytes) -> bytes:
    return gzip.compress(content[: len(content) // 2]) + gzip.compress(content[len(content) // 2 :])


PACKERS: tuple[Callable[[bytes], bytes], ...] = (bytes, bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress, _in_two)


@dataclass(frozen=True)
class Bounds:
    """Where the seams of the readers lie."""

    bulk_rows: int
    bulk_from: int
    record_lines: int
    longest: int
    chunk: int


@cache
def golden() -> tuple[bytes, ...]:
    """Every line of every golden log."""
    logs = sorted((Path(__file__).parent / "formats").glob("*/*.log"))
    found = [line for log in logs for line in log.read_bytes().split(b"\n")]
    return tuple(line for line in found if line.strip() and len(line) <= LONGEST_GOLDEN)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A golden line with a few bytes put in, taken out or exchanged."""
    line = draw(st.sampled_from(golden()))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(line)))
        end = min(len(line), start + draw(st.integers(0, 20)))
        line = line[:start] + draw(st.one_of(st.sampled_from(ODD), st.binary(max_size=3))) + line[end:]
    return line.replace(b"\n", b"")


def _line() -> st.SearchStrategy[bytes]:
    whole = st.sampled_from(golden())
    cut = st.builds(lambda line, size: line[:size], whole, st.integers(0, 300))
    noise = st.binary(max_size=40).map(lambda found: found.replace(b"\n", b""))
    return st.one_of(whole, whole, _damaged(), cut, noise, st.sampled_from(ODD), st.sampled_from(STRAY))


@st.composite
def _content(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from(LINE_ENDS))
    mark = draw(st.sampled_from((b"", b"", b"", b"\xef\xbb\xbf")))
    return mark + end.join(draw(st.lists(_line(), min_size=1, max_size=25))) + draw(st.sampled_from((b"", end)))


def _folder() -> st.SearchStrategy[dict[str, tuple[bytes, Callable[[bytes], bytes]]]]:
    return st.dictionaries(st.sampled_from(NAMES), st.tuples(_content(), st.sampled_from(PACKERS)), min_size=1, max_size=3)


def _bounds() -> st.SearchStrategy[Bounds]:
    return st.builds(
        Bounds,
        bulk_rows=st.sampled_from((1, bulk_rows.BULK_ROWS)),
        bulk_from=st.sampled_from((1, bulk_files.BULK_FROM)),
        record_lines=st.sampled_from((3, sieve.MAX_RECORD_LINES)),
        longest=st.sampled_from((3_000, lines.MAX_LINE)),
        chunk=st.sampled_from((7, 100, 1 << 20)),
    )


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(folder=_folder(), bounds=_bounds())
def test_no_line_is_lost_or_doubled(folder: dict[str, tuple[bytes, Callable[[bytes], bytes]]], bounds: Bounds) -> None:
    """Rows + unread = lines, every row cites its own line, and nothing is raised, in a bounded time."""
    place = Path(tempfile.mkdtemp(prefix="kyumei-fuzz-"))
    started = time.monotonic()
    try:
        root = place / "case"
        for name, (content, pack) in folder.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(pack(content))
        faults = _faults(root, place / "cache", {name: content for name, (content, _) in folder.items()}, bounds)
    finally:
        shutil.rmtree(place)
    assert not faults
    assert time.monotonic() - started < SECONDS


def _faults(root: Path, cache_folder: Path, contents: dict[str, bytes], bounds: Bounds) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk_rows, "BULK_ROWS", bounds.bulk_rows)
        patch.setattr(bulk_files, "BULK_FROM", bounds.bulk_from)
        for module in (sieve, stage):
            patch.setattr(module, "MAX_RECORD_LINES", bounds.record_lines)
        for module in (lines, bulk_files, sieve):
            patch.setattr(module, "MAX_LINE", bounds.longest)
        for module in (lines, sieve):
            patch.setattr(module, "KEPT", min(bounds.longest, lines.KEPT))
        patch.setattr(Unpacked.chunks, "__defaults__", (bounds.chunk,))
        patch.setattr(bulk_files, "STEP", bounds.chunk)
        patch.setattr("kyumei.store.pick.STEP", bounds.chunk)
        case = ledger.opened(root, cache_folder)
        try:
            return list(ledger.faults(case, contents, bounds.longest))
        finally:
            case.close()
