"""Looks at every file of a case, then brings in the lines that matter: all of a small case, those around a window of a large one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.errors import ConfigError
from kyumei.layouts.clocks import YEARLESS_TIME
from kyumei.model.window import Window
from kyumei.store.asked import Asked
from kyumei.store.bulk_files import PACKED, is_for_bulk, read_bulk
from kyumei.store.documents import ONE_DOCUMENT, take_document
from kyumei.store.flow_orders import format_of_order, order_of, orders_told
from kyumei.store.identify import SAMPLE_LINES, Identity, identify
from kyumei.store.lines import decode
from kyumei.store.memory import memory
from kyumei.store.part import Part, heads, layouts
from kyumei.store.take import STEP, exactly, has_guests, insert_all, is_cut_by_docker, take_records
from kyumei.store.unpack import members, pieces
from kyumei.store.unwrap import strip_export_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

    from kyumei.contracts import Layout
    from kyumei.model.artifact import Artifact
    from kyumei.store.flow_orders import Order
    from kyumei.store.settings import Settings
    from kyumei.store.unpack import Unpacked

FAR = timedelta(hours=26)
"""Further than the widest zone (UTC+14) and half a day of disorder."""
HEAD = 256 * 1024
"""Bytes of a file that tell what it is."""
SMALL_FILE, SMALL_FILES = 1024 * 1024, 8 * 1024 * 1024
"""Bytes of a file, and of all of them together, up to which the smallest files are read whole whatever the window."""
EMPTY_CHUNKS = 64
"""Chunks without text at the start of a file after which no more is looked for."""
PIECE = 32 * 1024
JOINED_SHARE = 8
"""What part of the memory that may be used a file is at most whose lines the database joins to records."""
TIMED = 5
"""Lines of a piece of a file whose times tell where it lies."""


Looked = list[tuple["Artifact", list[Part]]]
"""Every artifact with its parts, numbered anew from 1: one for each file or archive member."""


def look_at(artifacts: Iterable[Artifact], settings: Settings) -> Looked:
    """What every file is, by its first bytes, without reading the rest."""
    looked: Looked = []
    count = 0
    artifacts = tuple(artifacts)
    orders = orders_told(artifacts)
    for artifact in artifacts:
        parts = list(_look(artifact, count, settings, orders))
        count += len(parts)
        looked.append((artifact, parts))
    return looked


def spare_small(parts: Sequence[Part]) -> None:
    """Mark the smallest files, to be read whole: a log that is seldom written shows only by lines far away that it was being written."""
    room = SMALL_FILES
    for part in sorted(parts, key=lambda part: (text_size(part.artifact), part.artifact.number)):
        room -= text_size(part.artifact)
        if room < 0 or text_size(part.artifact) > SMALL_FILE:
            break
        part.small = True


def text_size(artifact: Artifact) -> int:
    """How many bytes a file unpacks to, roughly; of a member of an archive the archive's size is known."""
    return artifact.size * (PACKED if artifact.compression or artifact.member else 1)


def _look(artifact: Artifact, count: int, settings: Settings, orders: Sequence[Order]) -> Iterator[Part]:
    """What an artifact's parts are, by their first bytes; ``count`` parts were found before, ``orders`` are those of flow logs."""
    if artifact.trouble:
        yield Part(replace(artifact, number=count + 1), Identity("empty"), trouble=artifact.trouble)
        return
    for number, (member, compression, stream) in enumerate(members(artifact), start=count + 1):
        name = f"{artifact.name}!{member}" if member else artifact.name
        own = replace(artifact, number=number, name=name, member=member, compression=compression)
        head = _first_text(stream.chunks(HEAD))
        later = () if stream.encoding else _later_pieces(own)
        part = Part(own, identify(name, head, later, settings), trouble=stream.trouble)
        if part.identity.formats:
            part.format, part.others = part.identity.formats[0], part.identity.formats[1:]
        if part.identity.shape == "binary":
            part.trouble = part.trouble or "holds no text"
        told = settings.log_format(name)
        if told is not None and part.wanted:
            part.format = settings.format(name) or _writer(told)
            part.layout = _custom(part.format, told)
        leaf = discover.formats().get(part.format or "")
        if leaf is not None and leaf.below is not None and part.layout is None:
            headers = {line.removesuffix("\r") for line in decode(head).split("\n") if line.startswith(leaf.headers)}
            part.above = tuple(layout for line in sorted(headers) if (layout := leaf.below(line)) is not None)
        part.orders = orders
        if told is None and not part.above:
            _order_flows(part, head)
        part.places = _places(head, later)
        yield part


def _order_flows(part: Part, head: bytes) -> None:
    """Give lines of a flow log without a header the order that an answer in the case tells."""
    if not part.orders or part.identity.shape not in {"lines", "export"}:
        return
    lines = [line.removesuffix("\r") for line in decode(head).split("\n")[:SAMPLE_LINES]]
    claimed = part.format not in {None, "json_lines"}
    stripped = [found[1] for line in lines if (found := strip_export_time(line))]
    for shape, texts in (("lines", lines), ("export", stripped)):
        order = order_of(texts, part.artifact.name, part.orders, claimed=claimed)
        if order is not None and (shape == part.identity.shape or not claimed):
            part.identity = part.identity._replace(shape=shape)
            part.format, part.others, part.layout = order.format, (), order.layout
            return


def _first_text(chunks: Iterator[bytes]) -> bytes:
    """The first chunk that holds more than blanks and zeros: a log emptied in place may begin with megabytes of zeros."""
    head = b""
    for _, head in zip(range(EMPTY_CHUNKS), chunks, strict=False):
        if head.strip(b"\xef\xbb\xbf \t\r\n\0"):
            break
    return head


def _writer(log_format: str) -> str:
    """The format whose variables a told log_format is written in: API Gateway's, a flow log's, PostgreSQL's, Apache's, or nginx's."""
    if "$context." in log_format:
        return "api_gateway_access"
    if flows := format_of_order(log_format):
        return flows
    if '"' not in log_format and "%p" in log_format and ("%t" in log_format or "%m" in log_format or "%n" in log_format):
        return "postgres_log"  # Apache's directives of the same letters stand around a quoted request
    return "apache_access" if "%" in log_format and "$" not in log_format else "nginx_access"


def _custom(name: str, text: str) -> Layout:
    """The layout that a format makes of a log_format that the user told."""
    make = discover.formats()[name].custom
    if make is None:
        message = f"{name} takes no log_format"
        raise ConfigError(message, "leave [log_format] out of case.toml")
    return make(text)


def _places(head: bytes, later: tuple[bytes, ...]) -> tuple[tuple[str, ...], ...]:
    """Some lines of the start, the middle and the end of a plain file; none of one that is too short to have them."""
    if len(later) < len(("middle", "end")):
        return ()
    return tuple(tuple(decode(piece).split("\n", TIMED + 1)[1 : 1 + TIMED]) for piece in (head[:PIECE], *later))


def is_far(part: Part, window: Window) -> bool:
    """Whether a file's first, middle and last records all lie on one side of the window, a day or more away.

    Such a file is not opened further. Logs are written in order; a day is far beyond any disorder of a writer.
    """
    if part.format is None or not part.places:
        return False
    layout = (part.above or layouts(part))[0]
    start, end = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (window.start - FAR, window.end + FAR))
    before = after = True
    for lines in part.places:
        rows = [layout.read(line) for line in lines]
        times = [row["time"] for row in rows if isinstance(row, dict) and row["_naive"] < YEARLESS_TIME and row["time"] is not None]
        before, after = before and bool(times) and max(times) < start, after and bool(times) and min(times) > end
        if not before and not after:
            return False
    return True


def read_parts(
    con: duckdb.DuckDBPyConnection, artifact: Artifact, parts: Sequence[Part], only: Window | Asked | None, hints: tuple[timedelta, ...]
) -> None:
    """Bring the lines of one artifact's parts into ``_lines``."""
    waiting = {part.artifact.member: part for part in parts}
    trouble = "it was there at first, and could not be found again"
    for member, _, stream in members(artifact):
        part = waiting.pop(member, None)
        if part is None:
            trouble = stream.trouble or trouble
        elif part.wanted:
            _pick(con, part, stream, only, hints)
    for part in waiting.values():
        part.trouble = part.trouble or trouble


def _pick(con: duckdb.DuckDBPyConnection, part: Part, stream: Unpacked, only: Window | Asked | None, hints: tuple[timedelta, ...]) -> None:
    """Bring the lines of one part into ``_lines``; ``hints`` are zones that a clock without one may keep."""
    shape = part.identity.shape
    chunks = stream.chunks(STEP)
    if shape in {"document", "snapshot"}:
        with ONE_DOCUMENT:
            take_document(con, part, chunks)
    else:
        prefixes = () if part.small else _prefixes(part, only, hints)
        part.whole = not prefixes
        if prefixes and isinstance(only, Window) and is_far(part, only):
            part.passed_over = True
            return
        if part.identity.docker and _is_cut(part):
            insert_all(con, part, exactly(part, chunks, prefixes))
        elif shape == "lines" and (prefixes or _is_joined_here(part, stream)):
            take_records(con, part, chunks, prefixes)
        elif not (is_for_bulk(part, stream) and read_bulk(con, part)):
            insert_all(con, part, exactly(part, chunks, prefixes))
    part.trouble = part.trouble or stream.trouble


def _is_joined_here(part: Part, stream: Unpacked) -> bool:
    """Whether lines are joined to records as they are read: the database does it faster, but holds the text several times."""
    by_database = is_for_bulk(part, stream) and text_size(part.artifact) <= memory() // JOINED_SHARE
    return bool(heads(part)) and not has_guests(part) and not by_database


def _is_cut(part: Part) -> bool:
    """Whether Docker cut lines of a file that it wrote; a member of an archive is not opened twice, and may be."""
    own = part.artifact
    return bool(own.member) or any(is_cut_by_docker(stream.chunks(STEP)) for _, _, stream in members(own))


def _later_pieces(artifact: Artifact) -> tuple[bytes, ...]:
    """A piece of the middle and one of the end of a plain file that is long enough; nothing of others."""
    return pieces(artifact, (artifact.size // 2, artifact.size - PIECE), PIECE) if artifact.size > HEAD else ()


def _prefixes(part: Part, only: Window | Asked | None, offsets: tuple[timedelta, ...]) -> tuple[str, ...]:
    """Substrings that a line of the window, or one that is asked for, holds, over all formats; empty means that every line is taken."""
    if isinstance(only, Asked):
        return only.needles(part)
    if only is None or part.format is None:
        return ()
    found: dict[str, None] = dict.fromkeys(discover.formats()[part.format].headers)
    for layout in layouts(part):
        stamps = layout.stamps(only, offsets)
        if not stamps:
            return ()
        found.update(dict.fromkeys(stamps))
    return tuple(found)
