"""Decompresses piece by piece and gives all that comes before a fault.

Python's own file objects raise at a damaged or missing end and lose what they had read ahead; half a log is worth having. Gzip,
bzip2, xz and zstd are read alike: members one after another, zeros between them passed over, and a stream that ends inside a
member is a fault.
"""

from __future__ import annotations

import bz2
import lzma
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BROKEN = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    OSError,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What decompressors raise for damaged input; each is turned into a trouble of the artifact."""
KINDS = frozenset({"gzip", "zstd", "bzip2", "xz"})
GZIP_PIECE = 16 * 1024
OTHER_PIECE = 2 * 1024
"""Bytes fed at once: deflate makes at most 1,032 bytes of one, the others up to 32,000, and all of it is held in memory."""
MAX_WINDOW = 1 << 27
"""The window up to which the zstd tool itself decompresses unasked: 128 MB."""
XZ_MEMORY = 256 * 1024 * 1024


class Stream:
    """Bytes that can be looked at before they are read. A fault is raised only when all bytes before it were given."""

    def __init__(self, pull: Callable[[], bytes]) -> None:
        """``pull`` gives the next bytes, none at the end."""
        self._pull = pull
        self._ready = b""
        self._at = 0
        self._ended = False
        self._fault: Exception | None = None

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, or all there are, without taking them."""
        self._fill(size)
        return self._ready[self._at : self._at + size]

    def read(self, size: int) -> bytes:
        """Take ``size`` bytes, or all there are; raises what stopped the source once nothing is left before it."""
        given = self.peek(size)
        self._at += len(given)
        if not given and size and self._fault:
            raise self._fault
        return given

    def _fill(self, size: int) -> None:
        have = len(self._ready) - self._at
        if have >= size or self._ended:
            return
        pieces = [self._ready[self._at :]] if have else []
        while have < size and not self._ended:
            try:
                piece = self._pull()
            except BROKEN as error:
                self._fault, piece = error, b""
            self._ended = not piece
            pieces.append(piece)
            have += len(piece)
        # A piece that is asked for as it was pulled is not copied.
        self._ready, self._at = pieces[0] if len(pieces) == 1 else b"".join(pieces), 0


def inflated(packed: Stream, kind: str) -> Stream:
    """The decompressed bytes of a stream of one of KINDS."""
    pieces = _pieces(packed, kind)
    return Stream(lambda: next(pieces, b""))


def _engine(kind: str) -> Any:  # noqa: ANN401 - four libraries that share no type, all with decompress, eof and unused_data
    if kind == "gzip":
        return zlib.decompressobj(zlib.MAX_WBITS | 16)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    if kind == "xz":
        return lzma.LZMADecompressor(memlimit=XZ_MEMORY)
    return zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()


def _pieces(packed: Stream, kind: str) -> Iterator[bytes]:
    """What a stream unpacks to, in pieces that are not empty; raises at the end what stopped it, if anything did."""
    size = GZIP_PIECE if kind == "gzip" else OTHER_PIECE
    rest = packed.read(size)
    while rest:
        engine = _engine(kind)
        while not engine.eof:
            if not rest:
                rest = packed.read(size)
            if not rest:
                message = f"the {kind} data ends too early"
                raise EOFError(message)
            saved = engine.copy() if kind == "gzip" else None
            try:
                unpacked = engine.decompress(rest)
            except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, ValueError):
                if saved is not None:
                    yield from _up_to_fault(saved, rest)
                raise
            if unpacked:
                yield unpacked
            rest = b""
        rest = engine.unused_data.lstrip(b"\0")
        while not rest and (more := packed.read(size)):
            rest = more.lstrip(b"\0")


def _up_to_fault(engine: Any, piece: bytes) -> Iterator[bytes]:  # noqa: ANN401 - zlib's decompressor, which has no public type
    """What can be had of a piece that holds a fault, byte by byte."""
    for number in range(len(piece)):
        try:
            unpacked = engine.decompress(piece[number : number + 1])
        except zlib.error:
            return
        if unpacked:
            yield unpacked
