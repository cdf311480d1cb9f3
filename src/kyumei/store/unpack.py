"""Opens a file whatever it is compressed with, and finds the members of archives.

The kind is told by the first bytes, never by the name. Nothing is written to disk, so a name such as ``../x`` in an archive is only a label. What
unpacks beyond the bounds below is stopped and said, and a stream that breaks off yields what could be read.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from kyumei.model.artifact import Artifact

MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PAR1", "parquet"),
)
BOMB_RATIO = 1_000
"""Text unpacks to 5 to 100 times its size; deflate can reach 1,032 for nothing but zeros."""
BOMB_FLOOR = 64 * 1024 * 1024
"""Below this many bytes no ratio is suspicious."""
MAX_MEMBERS = 100_000
MAX_LAYERS = 3
"""Firehose writes gzip in gzip; deeper nesting is no log."""
CHUNK = 1 << 20

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


class Unpacked:
    """A stream of decompressed bytes that remembers what went wrong instead of raising it."""

    def __init__(self, stream: IO[bytes], packed_size: int) -> None:
        """Wrap ``stream``; ``packed_size`` in bytes is what the bomb ratio is measured against."""
        self._stream = stream
        self._bound = max(BOMB_FLOOR, packed_size * BOMB_RATIO)
        self._given = 0
        self.trouble = ""

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """Pieces of at most ``size`` bytes until the end, a fault, or the bound."""
        while True:
            try:
                piece = self._stream.read(size)
            except BROKEN as error:
                self.trouble = f"breaks off after {self._given} bytes of text ({_reason(error)})"
                return
            if not piece:
                return
            self._given += len(piece)
            if self._given > self._bound:
                self.trouble = f"stopped after {self._bound} bytes: it unpacks to more than {BOMB_RATIO} times its size"
                return
            yield piece


def _reason(error: BaseException) -> str:
    """The first line of an exception's message, or its type."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120] or type(error).__name__


def kind_of(head: bytes) -> str:
    """``gzip``, ``zstd``, ``bzip2``, ``xz``, ``zip``, ``tar``, ``parquet``, or empty for plain bytes."""
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    return "tar" if head[257:262] == b"ustar" else ""


def _opener(kind: str) -> Callable[[IO[bytes]], IO[bytes]]:
    openers: dict[str, Callable[[Any], Any]] = {
        "gzip": lambda raw: gzip.GzipFile(fileobj=raw),
        "zstd": lambda raw: zstandard.ZstdDecompressor(max_window_size=1 << 31).stream_reader(raw, read_across_frames=True),
        "bzip2": bz2.BZ2File,
        "xz": lzma.LZMAFile,
    }
    return openers[kind]


def _peel(raw: IO[bytes]) -> tuple[IO[bytes], str]:
    """Take off up to MAX_LAYERS layers of compression; the stream and what was taken off, joined by ``+``."""
    layers: list[str] = []
    stream: IO[bytes] = raw
    for _ in range(MAX_LAYERS):
        buffered = io.BufferedReader(stream, CHUNK)  # type: ignore[arg-type]  # every stream here is readable
        try:
            kind = kind_of(buffered.peek(512)[:512])
        except BROKEN:
            return buffered, "+".join(layers)
        if kind not in {"gzip", "zstd", "bzip2", "xz"}:
            return buffered, "+".join([*layers, kind] if kind else layers)
        layers.append(kind)
        stream = _opener(kind)(buffered)
    return stream, "+".join(layers)


def members(artifact: Artifact) -> Iterator[tuple[str, str, Unpacked]]:
    """Each readable part of a file as (member name, compression, bytes); one part with an empty name for all but archives.

    The bytes of a part must be read before the next part is asked for.
    """
    try:
        with artifact.path.open("rb") as raw:
            stream, compression = _peel(raw)
            if compression.endswith("zip") and not compression.endswith("gzip"):
                yield from _zip_members(stream, compression, artifact.size)
            elif compression.endswith("tar"):
                yield from _tar_members(stream, compression, artifact.size)
            else:
                yield "", compression, Unpacked(stream, artifact.size)
    except BROKEN as error:
        failed = Unpacked(io.BytesIO(b""), 0)
        failed.trouble = f"cannot be opened ({_reason(error)})"
        yield "", "", failed


def _zip_members(stream: IO[bytes], compression: str, size: int) -> Iterator[tuple[str, str, Unpacked]]:
    seekable = stream if compression == "zip" else io.BytesIO(b"".join(Unpacked(stream, size).chunks()))
    with zipfile.ZipFile(seekable) as archive:
        for info in archive.infolist()[:MAX_MEMBERS]:
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                locked = Unpacked(io.BytesIO(b""), 0)
                locked.trouble = "the member is encrypted"
                yield info.filename, compression, locked
                continue
            with archive.open(info) as member:
                inner, layers = _peel(member)
                yield info.filename, "+".join(filter(None, (compression, layers))), Unpacked(inner, max(info.compress_size, 1))


def _tar_members(stream: IO[bytes], compression: str, size: int) -> Iterator[tuple[str, str, Unpacked]]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for count, info in enumerate(archive):
            member = archive.extractfile(info) if info.isreg() else None
            if member is None:
                continue
            if count >= MAX_MEMBERS:
                return
            inner, layers = _peel(member)
            yield info.name, "+".join(filter(None, (compression, layers))), Unpacked(inner, max(info.size, size, 1))
