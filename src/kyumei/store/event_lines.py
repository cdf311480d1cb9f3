"""Events of CloudWatch Logs that come as lines of text, and the records made of them.

An export and the tail put a time before each event and nothing before its further lines. The CSV has milliseconds and a message, quoted
where it holds a comma, a quote or a line end; that of Logs Insights, with the columns @timestamp and @message, the time in UTC.

A container runtime of Kubernetes writes time, stream and ``F`` or, where it cut a long line, ``P`` before each piece.

Follows "Exporting log data to Amazon S3" in the CloudWatch Logs User Guide, "logs tail" in the AWS CLI Command Reference and "CRI logging"
of Kubernetes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kyumei.layouts.casts import parse_iso

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPORT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z) (.*)", re.ASCII | re.DOTALL)
_TAIL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?\+00:00) (\S+) (.*)", re.ASCII | re.DOTALL)
_SHORT_TAIL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}) (.*)", re.ASCII | re.DOTALL)
_CONTAINER = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2}))"
    r" (stdout|stderr) ([FP])(?:\Z| (.*))",
    re.ASCII | re.DOTALL,
)
_CSV_HEADER = re.compile(r'\ufeff?"?@?timestamp"?,"?@?message"?\r?\n', re.ASCII)
_CSV_TIME = re.compile(r'"?([0-9]{13}|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3})"?,', re.ASCII)
_QUOTED_END = re.compile(r'"(?!")')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Record:
    """One record: where it starts and how many lines of the file it takes up, its own text, and what its wrapping tells of it.

    ``time_ms`` are milliseconds since 1970 by the envelope; ``origin`` is the envelope's key, or empty.
    """

    line: int
    text: str
    time_ms: int | None = None
    stream: str = ""
    group: str = ""
    origin: str = ""
    span: int = 1


@dataclass(frozen=True)
class Broken:
    """Text in which no record can be read, and why."""

    line: int
    text: str
    why: str
    span: int = 1


@dataclass
class Place:
    """How far lines have been counted; offsets are asked for in rising order, so each line end is passed once.

    ``spent`` counts the characters that were read in vain: reading a broken text again from each of its lines must come to an end.
    """

    text: str
    offset: int = 0
    line: int = 1
    spent: int = 0

    def at(self, offset: int) -> int:
        """The line, from 1, of a character."""
        if offset < self.offset:
            return self.line - self.text.count("\n", offset, self.offset)
        self.line += self.text.count("\n", self.offset, offset)
        self.offset = offset
        return self.line


def strip_export_time(line: str) -> tuple[int, str] | None:
    """The time (milliseconds since 1970) and the message of a line of an S3 export, of ``aws logs tail`` or of a container runtime.

    Null for any other line.

    The short form of the tail has no zone, and is UTC; many a program begins its lines so, too: who asks must know that it is a tail.
    """
    found = _CONTAINER.fullmatch(line)
    if found:
        moment = milliseconds(found[1])
        return None if moment is None else (moment, found[4] or "")
    found = _EXPORT.fullmatch(line)
    if found:
        moment = milliseconds(found[1])
        return None if moment is None else (moment, found[2])
    found = _TAIL.fullmatch(line)
    if found:
        moment = milliseconds(found[1])
        return None if moment is None else (moment, found[3])
    found = _SHORT_TAIL.fullmatch(line)
    moment = milliseconds(found[1]) if found else None
    return None if found is None or moment is None else (moment, found[2])


def stream_of(line: str) -> str | None:
    """The log stream that a line of ``aws logs tail`` names; null for any other line."""
    found = None if _CONTAINER.fullmatch(line) else _TAIL.fullmatch(line)
    return found[2] if found else None


def piece_of(line: str) -> tuple[str, bool] | None:
    """Of a container runtime's line its stream, and whether the rest of the text follows in a later one; null for any other line."""
    found = _CONTAINER.fullmatch(line)
    return (found[2], found[3] == "P") if found else None


def milliseconds(raw: str) -> int | None:
    """An ISO time in UTC (or with its offset) as milliseconds since 1970."""
    parsed = parse_iso(raw)
    return None if parsed is None else (parsed[0] - _EPOCH) // timedelta(milliseconds=1)


def is_console_csv(text: str) -> bool:
    """Whether the text begins as the CSV that the console saves does."""
    return _CSV_HEADER.match(text) is not None


def csv_events(text: str) -> Iterator[Record | Broken]:
    """The events that the console saves as CSV: milliseconds, a message that may be quoted and go over several lines."""
    place = Place(text)
    header = _CSV_HEADER.match(text)
    at = header.end() if header else 0
    while at < len(text):
        stamp = _CSV_TIME.match(text, at)
        start = stamp.end() if stamp else at
        closing = _QUOTED_END.search(text, _past_pairs(text, start + 1)) if text[start : start + 1] == '"' else None
        line_end = text.find("\n", closing.end() if closing else at)
        end = len(text) if line_end < 0 else line_end
        raw = text[at:end].rstrip("\r")
        if stamp and closing:
            message = text[start + 1 : closing.start()].replace('""', '"')
            yield Record(place.at(at), without_line_end(message), _csv_time(stamp[1]), origin="csv", span=raw.count("\n") + 1)
        elif stamp and text[start : start + 1] != '"':
            yield Record(place.at(at), text[start:end].rstrip("\r"), _csv_time(stamp[1]), origin="csv")
        elif stamp:
            yield Broken(place.at(at), *broken_text(text, at, len(text), "a quote is not closed"))
            return
        elif raw.strip():
            yield Broken(place.at(at), raw, "no time in milliseconds before the message", raw.count("\n") + 1)
        at = end + 1


def _csv_time(raw: str) -> int | None:
    """Milliseconds since 1970, as the console writes them, or the time in UTC that Logs Insights writes."""
    return int(raw) if raw.isdigit() else milliseconds(raw + "Z")


def _past_pairs(text: str, start: int) -> int:
    """Where to look for the closing quote: a pair of quotes is one quote of the message."""
    at = start
    while (found := text.find('"', at)) >= 0 and text[found + 1 : found + 2] == '"':
        at = found + 2
    return at


def broken_text(text: str, start: int, end: int, why: str) -> tuple[str, str, int]:
    """The text without blanks at its end, why it is broken, and how many lines it takes up."""
    piece = text[start:end].rstrip(" \t\r\n")
    return piece, why, piece.count("\n") + 1


def without_line_end(text: str) -> str:
    """A message without the line end that many writers send along."""
    return text.removesuffix("\n").removesuffix("\r")
