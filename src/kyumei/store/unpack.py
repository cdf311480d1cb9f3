"""Opens a file whatever it is compressed with, and finds the members of archives.

The kind is told by the first bytes, never by the name. A Parquet file is given as lines, one for each row. Nothing is written under a
name from an archive, so one such as ``../x`` is only a label. What unpacks beyond the bounds below is stopped and said, and a stream that
breaks off yields what could be read.
"""

from __future__ import annotations

import codecs
import io
import stat
import tarfile
import zipfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from tarfile import (  # type: ignore[attr-defined]  # its stubs lack three of them
    BLOCKSIZE,
    EOFHeaderError,
    InvalidHeaderError,
    ReadError,
    TruncatedHeaderError,
)
from typing import IO, TYPE_CHECKING, cast

from kyumei.store.inflate import BROKEN, KINDS, Stream, inflated
from kyumei.store.japanese import LOOKED_AT, japanese_encoding
from kyumei.store.parquet_rows import rows_as_lines, rows_of_inner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from kyumei.model.artifact import Artifact

__all__ = ["BROKEN", "CHUNK", "STEP", "Unpacked", "kind_of", "members", "pieces"]

MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PAR1", "parquet"),
    (b"PARE", "encrypted parquet"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "compress"),
)
SKIPPED = frozenset(bytes((number,)) for number in range(0x50, 0x60))
"""The first byte of a frame of zstd that holds no text; tools that compress on several cores, such as pzstd, begin with one."""
ARCHIVES = frozenset({"zip", "tar"})
CLOSED = {
    "encrypted parquet": "an encrypted Parquet file is not read",
    "7z": "a 7z archive is not read; unpack it into the folder",
    "rar": "a RAR archive is not read; unpack it into the folder",
    "lz4": "lz4 is not read; decompress it first",
    "compress": "compress (.Z) is not read; decompress it with gzip -d first",
}
"""What is recognised and not opened, and the word that says so."""
BOMB_RATIO = 1_000
"""Text unpacks to 5 to 100 times its size; deflate can reach 1,032 for nothing but zeros."""
BOMB_FLOOR = 64 * 1024 * 1024
"""Below this many bytes no ratio is suspicious."""
MAX_MEMBERS = 100_000
MAX_LAYERS = 3
"""Firehose writes gzip in gzip; deeper nesting is no log."""
MAX_ARCHIVES = 3
"""Archives inside archives that are opened."""
MAX_HELD = 256 * 1024 * 1024
"""Bytes of a zip inside another file that are held in memory: its table of contents stands at its end."""
CHUNK = 1 << 20
STEP = 64 * 1024
"""Bytes of a member that are asked for at once."""


class _Budget:
    """How many bytes one file of the case may unpack to, all its members together."""

    def __init__(self, packed_size: int) -> None:
        """``packed_size`` in bytes is what the ratio is measured against."""
        self.bound = max(BOMB_FLOOR, packed_size * BOMB_RATIO)
        self.given = 0

    @property
    def trouble(self) -> str:
        """Why it was stopped, or empty."""
        return f"stopped after {self.bound} bytes: it unpacks to more than {BOMB_RATIO} times its size" if self.given > self.bound else ""


class Unpacked:
    """A stream of decompressed bytes that remembers what went wrong instead of raising it. All that it can read is given as UTF-8."""

    def __init__(self, stream: Stream, budget: _Budget, trouble: str = "") -> None:
        """Wrap ``stream``; with a ``trouble`` nothing of it is given."""
        self._stream = stream
        self._budget = budget
        self.trouble = trouble
        self.encoding = "" if trouble else _encoding(stream.peek(512)) or japanese_encoding(stream.peek(LOOKED_AT))
        """``utf-16-le``, ``utf-16-be``, ``cp932``, ``euc_jp``, or empty for bytes that are given as they are."""

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """Pieces of about ``size`` bytes until the end, a fault, or the bound."""
        given = 0
        decoder = codecs.getincrementaldecoder(self.encoding)("backslashreplace") if self.encoding else None
        while not self.trouble:
            try:
                piece = self._stream.read(size)
            except BROKEN as error:
                self.trouble = f"breaks off after {given} bytes of text ({_reason(error)})"
                break
            if not piece:
                break
            given += len(piece)
            self._budget.given += len(piece)
            self.trouble = self._budget.trouble
            if self.trouble:
                break
            yield decoder.decode(piece).encode("utf-8", "backslashreplace") if decoder else piece
        if decoder and (rest := decoder.decode(b"", final=True)):
            yield rest.encode("utf-8", "backslashreplace")


def _encoding(head: bytes) -> str:
    """Which UTF-16 text is written in, by its byte-order mark or by zeros at every second place; empty for anything else."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16-le" if head[0] == 0xFF else "utf-16-be"  # noqa: PLR2004 - the first byte of the mark
    even, odd = head[0::2], head[1::2]
    if len(head) >= 16 and 0 not in even and odd.count(0) > len(odd) * 0.9:  # noqa: PLR2004 - two words of ASCII at least
        return "utf-16-le"
    if len(head) >= 16 and 0 not in odd and even.count(0) > len(even) * 0.9:  # noqa: PLR2004 - as above
        return "utf-16-be"
    return ""


def _reason(error: BaseException) -> str:
    """The first line of an exception's message, or its type."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120] or type(error).__name__


def kind_of(head: bytes) -> str:
    """``gzip``, ``zstd``, ``bzip2``, ``xz``, ``zip``, ``tar``, ``parquet``, one of CLOSED, or empty for plain bytes."""
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    if head[:3] == b"BZh" and head[4:10] in {b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"}:
        return "bzip2"
    if head[:1] in SKIPPED and head[1:4] == b"\x2a\x4d\x18":
        return "zstd"
    return "tar" if head[257:262] == b"ustar" else ""


def members(artifact: Artifact) -> Iterator[tuple[str, str, Unpacked]]:
    """Each part of a file as (member name, compression, bytes); one part with an empty name for all but archives.

    Member names are labels: forward slashes, no way up, each once; a member of an inner archive is ``inner.zip!member``. The
    bytes of a part must be read before the next part is asked for. What cannot be opened comes as a part with its trouble and no
    bytes.
    """
    budget = _Budget(artifact.size)
    seen: dict[str, int] = {}
    try:
        with artifact.path.open("rb") as raw:
            for label, compression, part in _parts("", Stream(_as_found(raw, artifact.size)), (), budget, raw):
                again = seen[label] = seen.get(label, 0) + 1
                yield (f"{label} ({again})" if label and again > 1 else label), compression, part
    except BROKEN as error:
        yield "", "", _closed(f"cannot be opened ({_reason(error)})", budget)


def _as_found(raw: IO[bytes], size: int) -> Callable[[], bytes]:
    """Reads the bytes that the file had when the case was opened: one that is being written to would never end."""
    left = [size]

    def pull() -> bytes:
        piece = raw.read(min(STEP, left[0]))
        left[0] -= len(piece)
        if not piece and left[0] > 0:
            message = f"the file has become {left[0]} bytes shorter meanwhile"
            raise EOFError(message)
        return piece

    return pull


def _closed(trouble: str, budget: _Budget) -> Unpacked:
    return Unpacked(Stream(bytes), budget, trouble)


def _parts(
    label: str, stream: Stream, outer: tuple[str, ...], budget: _Budget, raw: IO[bytes] | None = None
) -> Iterator[tuple[str, str, Unpacked]]:
    """The parts of one stream; ``outer`` is what it lies in, ``raw`` the same bytes as a file that can be entered anywhere."""
    stream, layers = _peel(stream)
    compression = "+".join((*outer, *layers))
    kind = layers[-1] if layers else ""
    if kind in CLOSED:
        yield label, compression, _closed(CLOSED[kind], budget)
    elif kind == "parquet":
        found = rows_as_lines(Path(raw.name)) if raw is not None and layers == (kind,) else rows_of_inner(stream)
        yield label, compression, Unpacked(Stream(lambda: next(found, b"")), budget)
    elif kind not in ARCHIVES:
        yield label, compression, Unpacked(stream, budget)
    elif len([one for one in outer if one in ARCHIVES]) >= MAX_ARCHIVES:
        yield label, compression, _closed(f"an archive inside {MAX_ARCHIVES} archives is not opened", budget)
    else:
        inner = (*outer, *layers)
        opened = (
            _zip_members(stream, inner, budget, raw if layers == (kind,) else None)
            if kind == "zip"
            else _tar_members(stream, inner, budget)
        )
        try:
            for name, kinds, part in opened:
                yield "!".join(filter(None, (label, name))), kinds, part
        except BROKEN as error:
            yield label, compression, _closed(f"the archive breaks off ({_reason(error)})", budget)


def _peel(stream: Stream) -> tuple[Stream, tuple[str, ...]]:
    """Take off up to MAX_LAYERS layers of compression; the stream and what was taken off, the kind of what lies inside last."""
    layers: list[str] = []
    while (kind := kind_of(stream.peek(512))) in KINDS and len(layers) < MAX_LAYERS:
        layers.append(kind)
        stream = inflated(stream, kind)
    return stream, (*layers, kind) if kind and kind not in KINDS else tuple(layers)


def _label(member: str) -> str:
    """A member's name as a label: forward slashes, no way up, bytes that are no text written out."""
    text = member.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    steps = [step for step in text.replace("\\", "/").split("/") if step not in {"", ".", ".."}]
    return "/".join(steps) or "member"


def _too_many(count: str, budget: _Budget) -> Unpacked:
    return _closed(f"only the first {MAX_MEMBERS} of {count} members are read", budget)


def _zip_members(stream: Stream, outer: tuple[str, ...], budget: _Budget, raw: IO[bytes] | None) -> Iterator[tuple[str, str, Unpacked]]:
    compression = "+".join(outer)
    with zipfile.ZipFile(raw or _held(stream)) as archive:
        found = archive.infolist()
        for number, info in enumerate(found):
            if number >= MAX_MEMBERS:
                yield "", compression, _too_many(str(len(found)), budget)
                return
            if budget.trouble:
                yield "", compression, _closed(f"{budget.trouble}; {len(found) - number} members are not read", budget)
                return
            label = _label(info.filename)
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                yield label, compression, _closed("the member is protected by a password", budget)
            elif stat.S_ISLNK(info.external_attr >> 16):
                yield label, compression, _closed("a link in an archive is not followed", budget)
            else:
                try:
                    with cast("zipfile.ZipExtFile", archive.open(info)) as member:
                        yield from _parts(label, Stream(partial(member.read1, STEP)), outer, budget)
                except BROKEN as error:
                    yield label, compression, _closed(f"cannot be opened ({_reason(error)})", budget)


def _held(stream: Stream) -> IO[bytes]:
    """A zip that lies inside another file, in memory."""
    held = stream.peek(MAX_HELD + 1)
    if len(held) > MAX_HELD:
        message = f"a zip of more than {MAX_HELD} bytes inside another file"
        raise ValueError(message)
    return io.BytesIO(held)


class _Archive(tarfile.TarFile):
    """A tar, or several one behind the other: the zeros that end one are passed over, as ``tar --ignore-zeros`` does."""

    bound = BOMB_FLOOR
    """Bytes of zeros that are passed over."""
    blank = 0
    """Bytes of zeros that were."""
    ended = False
    """Whether zeros were the last that was read."""


class _Header(tarfile.TarInfo):
    """The header of a member. Raises where there is none: tarfile itself passes over a damaged one without a word."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """The header in a block; less than a block of zeros is the end of the file."""
        return super().frombuf(buf if len(buf) == BLOCKSIZE or buf.strip(b"\0") else b"", encoding, errors)

    @classmethod
    def fromtarfile(cls, tarfile: _Archive) -> Self:  # type: ignore[override]  # nothing else asks for headers; tarfile names it so
        """The next header of an archive."""
        try:
            found = super().fromtarfile(tarfile)
        except EOFHeaderError:
            tarfile.ended = True
            tarfile.blank += BLOCKSIZE
            if tarfile.blank > tarfile.bound:
                message = f"more than {tarfile.bound} bytes of zeros"
                raise ReadError(message) from None
            raise
        except (InvalidHeaderError, TruncatedHeaderError):
            message = "what follows its end is no archive" if tarfile.ended else "a header is damaged; what follows it cannot be found"
            raise ReadError(message) from None
        tarfile.ended = False
        return found


def _tar_members(stream: Stream, outer: tuple[str, ...], budget: _Budget) -> Iterator[tuple[str, str, Unpacked]]:
    compression = "+".join(outer)
    # tarfile wants a file object and calls nothing but read when the mode says that it is a stream.
    with _Archive.open(fileobj=stream, mode="r|", tarinfo=_Header, ignore_zeros=True) as archive:  # type: ignore[call-overload]  # only read
        archive.bound = budget.bound
        for number, info in enumerate(archive):
            if number >= MAX_MEMBERS:
                yield "", compression, _too_many("more", budget)
                return
            if budget.trouble:
                yield "", compression, _closed(f"{budget.trouble}; the members that follow are not read", budget)
                return
            label = _label(info.name)
            if info.isdir():
                continue
            if info.isreg():
                yield from _parts(label, Stream(_tar_member(archive, info)), outer, budget)
            else:
                yield label, compression, _closed("a link or device in an archive is not followed", budget)


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], bytes]:
    """Reads a member; raises where it ends before the size that its header states, once all that is there was given."""
    sparse = archive.extractfile(info) if info.issparse() else None
    source = archive.fileobj if sparse is None else sparse
    if info.size < 0:
        message = "the header of a member is damaged"
        raise ValueError(message)
    if sparse is None:
        source.seek(info.offset_data)
    left = [info.size]

    def pull() -> bytes:
        piece = source.read(min(STEP, left[0]))
        left[0] -= len(piece)
        if not piece and left[0] > 0:
            message = f"{left[0]} bytes are missing"
            raise EOFError(message)
        return piece

    return pull


def pieces(artifact: Artifact, offsets: Sequence[int], size: int) -> tuple[bytes, ...]:
    """As many bytes from each of these places of a plain file; none of others, which cannot be entered there, nor once it fails."""
    found: list[bytes] = []
    if not artifact.compression and not artifact.member:
        with suppress(OSError), artifact.path.open("rb") as raw:
            for offset in offsets:
                raw.seek(offset)
                found.append(raw.read(size))
    return tuple(found)
