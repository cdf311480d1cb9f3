"""One record of one log, and a file made of such records, with the line on which each begins."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from incidents.request import Request


@dataclass(frozen=True)
class Entry:
    """A record: when it was written (UTC), its text without a line end (it may hold several lines), and the request it tells of."""

    at: datetime
    text: str
    request: Request | None = None


@dataclass(frozen=True)
class Written:
    """A file of the folder. ``marks`` says on which line (counted in the decompressed text, from 1) a request's record begins."""

    name: str
    data: bytes
    marks: tuple[tuple[Request, int], ...] = ()


def text_file(name: str, entries: Iterable[Entry]) -> Written:
    """Entries in the given order as lines; compressed when the name ends in ``.gz``."""
    lines, marks = 0, []
    parts = []
    for entry in entries:
        if entry.request is not None:
            marks.append((entry.request, lines + 1))
        parts.append(entry.text + "\n")
        lines += entry.text.count("\n") + 1
    return Written(name, packed(name, "".join(parts)), tuple(marks))


def packed(name: str, text: str) -> bytes:
    """The bytes of a text; gzip without a time and a name in its head, so that equal text gives equal bytes."""
    data = text.encode()
    if not name.endswith(".gz"):
        return data
    sink = BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=sink, mtime=0) as stream:
        stream.write(data)
    return sink.getvalue()
