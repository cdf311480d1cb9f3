"""Brings the lines that matter into the database: all of a small case, those of a window from a large one.

Large plain, gzip and zstd files go through DuckDB's line reader at memory speed and are passed over by substring (see ``stamps`` of a layout);
everything else, and every file that reader would misread (carriage returns, bytes that are not UTF-8, a broken end), goes through
Python's own splitter, which is slower and always right.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import duckdb

from kyumei import discover
from kyumei.errors import ConfigError
from kyumei.layouts.casts import quoted
from kyumei.store.identify import Identity, identify
from kyumei.store.lines import MAX_LINE, batches, decode
from kyumei.store.sieve import Kept, sift
from kyumei.store.unpack import Unpacked, members
from kyumei.store.unwrap import Broken, records, strip_export_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from kyumei.contracts import Format, Layout
    from kyumei.model.artifact import Artifact
    from kyumei.model.window import Window
    from kyumei.store.settings import Settings

DELIMITER = "\x01"
"""Ends a field for DuckDB's reader, which cannot be told that there are none; a file that holds one is not for it."""
BULK_FROM = 1024 * 1024
"""Bytes of a file from which starting DuckDB's reader pays."""
MAX_DOCUMENT = 512 * 1024 * 1024
"""Characters of one JSON document that are held in memory."""
FAR = timedelta(hours=26)
"""Further than the widest zone (UTC+14) and half a day of disorder."""
YEARLESS = 2
AT_ONCE = 4096
"""Lines handed over to the database at once; of longer lists each line costs twice as much."""
MOST_HELD = 8 * 1024 * 1024
"""Characters held before they are handed over, however few the lines."""
STEP = 64 * 1024
"""Bytes read at once: they stay in the processor's cache, and larger pieces are twice as slow."""
BLANKS = " \t\v\f\r"
"""See ``parse.BLANKS``."""
HEAD = 256 * 1024
"""Bytes of a file that tell what it is, and the size of the pieces in which it is read: they stay in the processor's cache."""
EMPTY_CHUNKS = 64
"""Chunks without text at the start of a file after which no more is looked for."""
_MISREAD = re.compile("[*?\\[\\]{}\udc80-\udcff]|://|^-$")
"""What in a path DuckDB would take for a pattern or an address, or could not be told."""
PIECE = 32 * 1024


@dataclass
class Part:
    """A file, or one member of an archive, and what became of it."""

    artifact: Artifact
    identity: Identity
    format: str | None = None
    others: tuple[str, ...] = ()
    lines: int = 0
    whole: bool = True
    passed_over: bool = False
    """Whether the file was not opened because its times lie far from the window."""
    layout: Layout | None = None
    """A layout made from a format string that the user told; null for the format's own."""
    trouble: str = ""
    document: str = ""
    """The text of a snapshot, parsed later as one document."""
    long: dict[int, int] = field(default_factory=dict)
    joined: bool = False
    """Whether the lines of each record were joined while picking, so that every row of ``_lines`` is a record."""


def pick_all(
    con: duckdb.DuckDBPyConnection,
    artifacts: Iterable[Artifact],
    settings: Settings,
    window: Window | None,
    offsets: Callable[[Identity], tuple[timedelta, ...]],
) -> list[Part]:
    """Bring the lines of every artifact into ``_lines``; one Part for each file or archive member, numbered anew from 1."""
    found: list[Part] = []
    for artifact in artifacts:
        if artifact.trouble:
            found.append(Part(replace(artifact, number=len(found) + 1), Identity("empty"), trouble=artifact.trouble))
            continue
        for member, compression, stream in members(artifact):
            name = f"{artifact.name}!{member}" if member else artifact.name
            numbered = replace(artifact, number=len(found) + 1, name=name, member=member, compression=compression)
            found.append(_pick(con, numbered, stream, settings, window, offsets))
    return found


def _custom(text: str) -> Layout:
    """The layout of an nginx log_format that the user told."""
    make = discover.formats()["nginx_access"].custom
    if make is None:
        message = "nginx_access takes no log_format"
        raise ConfigError(message, "leave [log_format] out of case.toml")
    return make(text)


def far_from(window: Window, part: Part, head: bytes, pieces: tuple[bytes, ...]) -> bool:
    """Whether a plain file's first, middle and last records all lie on one side of the window, a day or more away.

    Such a file is not opened further. Logs are written in order; a day is far beyond any disorder of a writer.
    """
    if part.format is None or len(pieces) < len(("middle", "end")):
        return False
    layout = part.layout or discover.formats()[part.format].layout
    sides: set[str] = set()
    for piece in (head[:PIECE], *pieces):
        times = [
            row["time"]
            for line in decode(piece).split("\n")[1:40]
            if isinstance(row := layout.read(line), dict) and row["_naive"] < YEARLESS
        ]
        known = [time.replace(tzinfo=UTC) for time in times if time is not None]
        if not known:
            return False
        for time in (min(known), max(known)):
            sides.add("before" if time < window.start - FAR else "after" if time > window.end + FAR else "near")
    return len(sides) == 1 and "near" not in sides


def _pick(  # noqa: PLR0913 - the six things that a pick depends on
    con: duckdb.DuckDBPyConnection,
    artifact: Artifact,
    stream: Unpacked,
    settings: Settings,
    window: Window | None,
    offsets: Callable[[Identity], tuple[timedelta, ...]],
) -> Part:
    chunks = stream.chunks(HEAD)
    empty, head = _first_text(chunks)
    identity = identify(artifact.name, head[:HEAD], () if stream.encoding else _pieces(artifact), settings)
    part = Part(artifact, identity, trouble=stream.trouble)
    if identity.formats:
        part.format, part.others = identity.formats[0], identity.formats[1:]
    if identity.shape in {"binary", "empty"}:
        part.trouble = part.trouble or ("holds no text" if identity.shape == "binary" else "")
        return part
    told = settings.log_format(artifact.name)
    if told is not None:
        part.format, part.layout = "nginx_access", _custom(told)
    rest = chain(empty, [head], chunks)
    if identity.shape in {"document", "snapshot"}:
        _pick_document(con, part, rest)
    else:
        prefixes = _prefixes(part, window, offsets(identity))
        part.whole = not prefixes
        if prefixes and window is not None and far_from(window, part, head[:HEAD], _pieces(artifact)):
            part.passed_over = True
            return part
        if prefixes and identity.shape == "lines":
            plain = not (artifact.compression or artifact.member or stream.encoding)
            _pick_window(con, part, rest, prefixes, partial(_line_ends, artifact.path) if plain else None)
        elif not (_is_for_bulk(part, stream) and _pick_bulk(con, part)):
            _insert_all(con, part, _exactly(part, rest, prefixes))
    part.trouble = part.trouble or stream.trouble
    return part


def _first_text(chunks: Iterator[bytes]) -> tuple[list[bytes], bytes]:
    """The first chunk that holds more than blanks and zeros, and those before it: a log emptied in place may begin with megabytes of zeros."""
    empty: list[bytes] = []
    while (head := next(chunks, b"")) and not head.strip(b"\xef\xbb\xbf \t\r\n\0") and len(empty) < EMPTY_CHUNKS:
        empty.append(head)
    if not head and empty:
        head = empty.pop()
    return empty, head


def _pieces(artifact: Artifact) -> tuple[bytes, ...]:
    """A piece of the middle and one of the end of a plain file; nothing of others, which cannot be entered there."""
    if artifact.compression or artifact.member or artifact.size <= HEAD:
        return ()
    try:
        with artifact.path.open("rb") as raw:
            raw.seek(artifact.size // 2)
            middle = raw.read(PIECE)
            raw.seek(max(0, artifact.size - PIECE))
            return middle, raw.read(PIECE)
    except OSError:
        return ()


def _prefixes(part: Part, window: Window | None, offsets: tuple[timedelta, ...]) -> tuple[str, ...]:
    """Substrings that a line of the window holds, over all formats of the part; empty means that every line is taken."""
    if window is None or part.format is None:
        return ()
    found: dict[str, None] = {}
    for name in (part.format, *part.others):
        stamps = discover.formats()[name].layout.stamps(window, offsets)
        if not stamps:
            return ()
        found.update(dict.fromkeys(stamps))
    return tuple(found)


def heads(part: Part) -> str | None:
    """One pattern for the first line of a record in any of the part's formats; null when every line (or row of a joined part) is a record."""
    if part.joined:
        return None
    patterns = [discover.formats()[name].layout.head for name in (part.format, *part.others) if name]
    known = [pattern for pattern in patterns if pattern]
    if not known:
        return None
    return "|".join(f"(?:{pattern})" for pattern in dict.fromkeys([*known, *(["\\{"] if len(known) < len(patterns) else [])]))


def _is_misread(artifact: Artifact) -> bool:
    """Whether a file holds what DuckDB's reader would end a line or a field at; a broken stream counts as such."""
    for _, _, stream in members(artifact):
        if any(b"\r" in piece or DELIMITER.encode() in piece for piece in stream.chunks()) or stream.trouble:
            return True
    return False


def _is_for_bulk(part: Part, stream: Unpacked) -> bool:
    """Whether DuckDB's reader can read the file, as far as is known beforehand."""
    artifact = part.artifact
    kind = part.identity.shape == "lines" and artifact.compression in {"", "gzip", "zstd"} and not artifact.member and not stream.encoding
    return part.whole and kind and artifact.size >= BULK_FROM and not _MISREAD.search(str(artifact.path))


def _pick_bulk(con: duckdb.DuckDBPyConnection, part: Part) -> bool:
    """Take all lines by DuckDB's line reader; false, and nothing taken, when the file is not for it."""
    number = part.artifact.number
    reader = (
        f"read_csv({quoted(str(part.artifact.path))}, delim='{DELIMITER}', quote='', escape='', header=false, auto_detect=false, "
        f"columns={{'line':'VARCHAR'}}, strict_mode=false, max_line_size={MAX_LINE}, compression={quoted(part.artifact.compression or 'none')})"
    )
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(_is_misread, part.artifact)
        try:
            con.execute(f"INSERT INTO _lines SELECT {number}, row_number() OVER (), coalesce(line, ''), NULL, 1 FROM {reader}")
        except duckdb.Error:
            con.execute("DELETE FROM _lines WHERE _artifact = ?", [number])
            return False
        if checked.result():
            con.execute("DELETE FROM _lines WHERE _artifact = ?", [number])
            return False
    return True


def _pick_window(
    con: duckdb.DuckDBPyConnection,
    part: Part,
    chunks: Iterable[bytes],
    prefixes: tuple[str, ...],
    recount: Callable[[int, int], int] | None,
) -> None:
    """Pick the records that hold one of the prefixes."""
    head = heads(part)
    begins = re.compile(head.encode()) if head else None
    found = sift(chunks, prefixes, begins, recount)
    # A guest whose records are single lines is taken out of the file before lines are joined.
    guests = any(discover.formats()[name].layout.head is None for name in part.others)
    if begins is None or guests:
        _insert_all(con, part, (line for kept in found for line in _lines_of(part, kept)))
    else:
        _insert_all(con, part, (record for kept in found if (record := _record_of(part, kept))))
        part.joined = True


def _lines_of(part: Part, kept: Kept) -> Iterator[Line]:
    """The lines of what was kept, each for itself."""
    if kept.length:
        part.long[kept.number] = kept.length
    for number, line in enumerate(kept.data.split(b"\n"), start=kept.number):
        yield number, decode(line.removesuffix(b"\r")), None, 1


def _record_of(part: Part, kept: Kept) -> Line | None:
    """What was kept as one record without the blank lines around it; null when there is nothing else."""
    if b"\n" not in kept.data:
        return next(_lines_of(part, kept))
    lines = [decode(line.removesuffix(b"\r")) for line in kept.data.split(b"\n")]
    lines = [line if line.strip(BLANKS) else "" for line in lines]
    filled = [number for number, line in enumerate(lines) if line]
    if not filled:
        return None
    first, last = filled[0], filled[-1]
    return kept.number + first, "\n".join(lines[first : last + 1]), None, last - first + 1


def _line_ends(path: Path, start: int, end: int) -> int:
    """How many line ends a plain file has between two offsets."""
    count = 0
    with path.open("rb", buffering=0) as raw:
        raw.seek(start)
        while start < end and (piece := raw.read(min(HEAD, end - start))):
            count += piece.count(b"\n")
            start += len(piece)
    return count


def _exactly(part: Part, chunks: Iterable[bytes], prefixes: tuple[str, ...]) -> Iterator[Line]:
    """The lines that matter, by Python's splitter: always right, whatever the bytes are."""
    head = heads(part)
    begins = re.compile(head, re.ASCII).match if head else None
    taking = False
    for batch in batches(chunks):
        part.long.update(batch.long)
        for number, line in enumerate(batch.lines, start=batch.first):
            text, time_ms = line, None
            if part.identity.shape == "export" and (stripped := strip_export_time(line)):
                time_ms, text = stripped
            if prefixes:
                if begins is None or begins(text) or time_ms is not None:
                    taking = any(prefix in line for prefix in prefixes)
                if not taking and number not in batch.long:
                    continue
            yield number, text, time_ms, 1


Line = tuple[int, str, int | None, int]
"""The number of a line in its file, its text, the time of its envelope in milliseconds since 1970 or null, how many lines it takes up."""


def _insert_all(con: duckdb.DuckDBPyConnection, part: Part, found: Iterable[Line]) -> None:
    """Append lines to ``_lines``, some thousands at once."""
    held: list[Line] = []
    size = 0
    for line in found:
        held.append(line)
        size += len(line[1])
        if len(held) >= AT_ONCE or size > MOST_HELD:
            insert_lines(con, part.artifact.number, *map(list, zip(*held, strict=True)))
            held, size = [], 0
    if held:
        insert_lines(con, part.artifact.number, *map(list, zip(*held, strict=True)))


def insert_lines(  # noqa: PLR0913 - the columns of the table
    con: duckdb.DuckDBPyConnection,
    artifact: int,
    numbers: list[int],
    texts: list[str],
    times: list[int | None] | None = None,
    spans: list[int] | None = None,
) -> None:
    """Append lines of one artifact to ``_lines``; times are those of an envelope, in milliseconds since 1970, or null; spans are in lines."""
    times = times if times and any(time is not None for time in times) else None
    spans = spans if spans and any(span != 1 for span in spans) else None
    time, span = "unnest(?::BIGINT[])" if times else "NULL", "unnest(?)" if spans else "1"
    for start in range(0, len(numbers), AT_ONCE):
        chosen = slice(start, start + AT_ONCE)
        given = [one[chosen] for one in (times, spans) if one]
        con.execute(
            f"INSERT INTO _lines SELECT ?, unnest(?), unnest(?), {time}, {span}",
            [artifact, numbers[chosen], [_sound(text) for text in texts[chosen]], *given],
        )


def _sound(text: str) -> str:
    """Text that can be stored: a lone surrogate (from a JSON escape) is written out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _pick_document(con: duckdb.DuckDBPyConnection, part: Part, chunks: Iterable[bytes]) -> None:
    """Unwrap a JSON document into its records; a snapshot is kept whole for its own reader."""
    text = _whole(part, chunks)
    if part.identity.shape == "snapshot":
        part.document = text
        return
    numbers: list[int] = []
    texts: list[str] = []
    times: list[int | None] = []
    claims: dict[str, int] = {}
    hint = part.artifact.name
    spans: list[int] = []
    for record in records(text, hint):
        if isinstance(record, Broken):
            part.trouble = part.trouble or f"line {record.line}: {record.why}"
            pieces = record.text.split("\n") if record.span > 1 else [record.text]
            numbers += range(record.line, record.line + len(pieces))
            texts += pieces
            times += [None] * len(pieces)
            spans += [1] * len(pieces)
            continue
        numbers.append(record.line)
        texts.append(record.text)
        times.append(record.time_ms)
        spans.append(record.span)
        if len(numbers) <= SAMPLED_RECORDS and (name := claim_record(record.text, hint, record.group)):
            claims[name] = claims.get(name, 0) + 1
    insert_lines(con, part.artifact.number, numbers, texts, times, spans)
    ordered = sorted(claims, key=lambda name: -claims[name])
    if ordered:
        part.format, part.others = ordered[0], tuple(ordered[1:])


SAMPLED_RECORDS = 1000


def claim_record(text: str, name: str, group: str) -> str | None:
    """The format that claims an event of a log group; the group's name helps as a file's name does."""
    leaves: Iterator[Format] = iter(discover.formats().values())
    first = text.split("\n", 1)[0]
    return next(
        (leaf.name for leaf in leaves if leaf.sniff(text, group or name) or (first != text and leaf.sniff(first, group or name))), None
    )


def _whole(part: Part, chunks: Iterable[bytes]) -> str:
    """All text of a document, up to MAX_DOCUMENT bytes."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        pieces.append(chunk)
        if size > MAX_DOCUMENT:
            part.trouble = f"only the first {MAX_DOCUMENT} bytes of the JSON document were read"
            break
    return b"".join(pieces).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace")
