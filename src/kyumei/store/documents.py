"""Brings the records of a JSON document, of a CSV of the console or of a snapshot into the table ``_lines``, and notes their streams."""

from __future__ import annotations

import hashlib
from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.store.compact import compact_pieces, sample
from kyumei.store.cut_lines import PARTIAL, with_whole_lines
from kyumei.store.event_lines import CONTROL
from kyumei.store.flow_orders import order_of
from kyumei.store.identify import ranked
from kyumei.store.lines import decode
from kyumei.store.stage import insert_tuples
from kyumei.store.take import insert_lines, note_stream, sound
from kyumei.store.unwrap import Broken, group_of, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

    from kyumei.contracts import Format
    from kyumei.store.part import Part, Streamed

MAX_DOCUMENT = 512 * 1024 * 1024
"""Characters of one JSON document that are held in memory."""
ONE_DOCUMENT = Lock()
"""A JSON document is held in memory as a whole, one at a time."""
LIBERAL = frozenset({"app_log"})
"""Formats whose readers take lines that they do not claim: in a document, whose records stand for themselves, they are asked last."""


def take_document(con: duckdb.DuckDBPyConnection, part: Part, chunks: Iterable[bytes]) -> None:
    """Unwrap a JSON document into its records; a snapshot is kept whole for its own reader, a compact document for the database."""
    document = _whole(part, chunks)
    if part.identity.shape == "snapshot":
        part.document = decode(document)
        return
    name = part.artifact.name
    pieces = () if group_of(name) else compact_pieces(document)
    if pieces and (claimed := _claimed(sample(pieces, SAMPLED_PIECES), name)):
        part.format, part.others, part.compact = claimed[0], claimed[1:], pieces
    else:
        text = decode(document)
        del document
        open_document(con, part, text)


def open_document(con: duckdb.DuckDBPyConnection, part: Part, text: str) -> None:
    """Bring the records of a JSON document into ``_lines``."""
    numbers: list[int] = []
    texts: list[str] = []
    times: list[int | None] = []
    claims: dict[str, int] = {}
    hint = part.artifact.name
    spans: list[int] = []
    places: list[tuple[int, str | None, str | None]] = []
    control: list[tuple[int, int, str]] = []
    found = records(text, hint)
    for record in with_whole_lines(found) if PARTIAL[1:-1] in text else found:
        if isinstance(record, Broken) and record.why == CONTROL:
            control.append((part.artifact.number, record.line, sound(record.text)))
            continue
        if isinstance(record, Broken):
            part.trouble = part.trouble or f"line {record.line}: {record.why}"
            pieces = record.text.split("\n") if record.span > 1 else [record.text]
            numbers += range(record.line, record.line + len(pieces))
            texts += pieces
            times += [None] * len(pieces)
            spans += [1] * len(pieces)
            places += [(record.line, None, None)] * len(pieces)
            continue
        numbers.append(record.line)
        texts.append(record.text)
        times.append(record.time_ms)
        spans.append(record.span)
        places.append((record.line, record.group or None, record.stream or None))
        sampled = len(numbers) <= EVERY_RECORD or (len(numbers) <= SAMPLED_RECORDS and len(numbers) % EVERY == 0)
        if sampled and (name := claim_record(record.text, hint, record.group, next(reversed(claims), ""))):
            claims[name] = claims.pop(name, 0) + 1
    insert_lines(con, part.artifact.number, numbers, texts, times, spans)
    insert_tuples(con, "headers", control, ("INTEGER", "BIGINT", "VARCHAR"))
    _note_places(part, places, texts, times)
    ordered = sorted(ranked(claims), key=LIBERAL.__contains__)
    if ordered:
        part.format, part.others = ordered[0], tuple(ordered[1:])
    groups = " ".join(dict.fromkeys(group for _, group, *_ in part.streams if group))
    if part.layout is None and (order := order_of(texts, f"{hint} {groups}", part.orders, claimed=part.format not in {None, "json_lines"})):
        part.format, part.others, part.layout = order.format, (), order.layout


def _note_places(
    part: Part, places: Sequence[tuple[int, str | None, str | None]], texts: Sequence[str], times: Sequence[int | None]
) -> None:
    """Note the streams of a document's events: from line to line, and of each event for itself where a line holds those of several."""
    streams: dict[int, set[tuple[str | None, str | None]]] = {}
    for line, group, stream in places:
        streams.setdefault(line, set()).add((group, stream))
    shared: list[Streamed] = []
    for (line, group, stream), text, time in zip(places, texts, times, strict=True):
        if len(streams[line]) > 1:
            digest = hashlib.md5(sound(text).encode("utf-8", "backslashreplace"), usedforsecurity=False).hexdigest()
            shared.append((line, group, stream, digest, time))
        else:
            note_stream(part, line, group, stream)
    part.streams += shared


EVERY_RECORD, EVERY, SAMPLED_RECORDS = 100, 10, 1000
"""So many records of a document are all asked what they are, one in so many of those behind them, none further on."""
SAMPLED_PIECES = 40
"""Records from all over a compact document that are asked what they are: they are much alike."""


def claim_record(text: str, name: str, group: str, likely: str = "") -> str | None:
    """The format that claims an event of a log group; the group's name helps as a file's name does. ``likely`` is asked first."""
    if likely and discover.formats()[likely].sniff(text, group or name):
        return likely
    leaves: Iterator[Format] = iter(discover.formats().values())
    first = text.split("\n", 1)[0]
    return next(
        (leaf.name for leaf in leaves if leaf.sniff(text, group or name) or (first != text and leaf.sniff(first, group or name))), None
    )


def _claimed(texts: Iterable[str], name: str) -> tuple[str, ...]:
    """The formats that claim the records of a file, the most frequent first."""
    claims: Counter[str] = Counter()
    likely = ""
    for text in texts:
        if found := claim_record(text, name, "", likely):
            claims[found] += 1
            likely = found
    return ranked(claims)


def _whole(part: Part, chunks: Iterable[bytes]) -> bytes:
    """A document, up to MAX_DOCUMENT bytes."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        pieces.append(chunk)
        if size > MAX_DOCUMENT:
            part.trouble = f"only the first {MAX_DOCUMENT} bytes of the JSON document were read"
            break
    return b"".join(pieces).removeprefix(b"\xef\xbb\xbf")
