"""Takes log records out of what they are wrapped in: JSON documents, CloudWatch Logs answers and envelopes, console CSV.

A document may be one object, an array, objects one after another with or without anything between them, or an envelope:
``{"Records": […]}`` (CloudTrail, Kinesis), ``{"Events": […]}`` (lookup-events), ``{"events": […]}`` (filter-log-events, get-log-events),
``{"logEvents": […]}`` (subscription, also as base64 of gzip under ``awslogs.data`` and ``kinesis.data``), ``{"results": […]}`` (Logs Insights).
Every record says the line on which it starts and how many it takes up. What cannot be read comes as ``Broken``, never not at all.

Follows "Log group-level subscription filters", "FilterLogEvents", "GetQueryResults" and "Export log data to Amazon S3" of CloudWatch Logs.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kyumei.contracts import Refused
from kyumei.layouts.casts import parse_iso, to_json
from kyumei.layouts.json_record import parse_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOG_OPERATIONS = frozenset({"filter-log-events", "get-log-events", "get-query-results", "lookup-events"})
"""AWS CLI operations whose answers are log events and no resources."""
ENVELOPES: dict[str, frozenset[str] | None] = {
    "Records": frozenset(),
    "Events": frozenset({"NextToken"}),
    "events": frozenset({"nextToken", "nextForwardToken", "nextBackwardToken", "searchedLogStreams"}),
    "results": frozenset({"statistics", "status", "encryptionKey", "queryLanguage", "nextToken"}),
    "SampledRequests": frozenset({"PopulationSize", "TimeWindow"}),
    "records": frozenset({"requestId", "timestamp", "deliveryStreamArn", "region", "sourceKinesisStreamArn", "invocationId"}),
    "logEvents": None,
}
"""Keys that hold a list of records, each with the keys that may stand beside it; null: any. An object with others is a record itself."""
MAX_UNPACKED = 64 * 1024 * 1024
"""Bytes that one packed envelope may unpack to; CloudWatch Logs sends 1 MB at most."""
_MAX_DEPTH = 4
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_SEPARATOR = re.compile(r"[ \t\r\n,\ufeff]*")
_NEXT_LINE = re.compile(r"\n(?=[ \t\r]*[{\[])")
_EXPORT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z) (.*)", re.ASCII | re.DOTALL)
_TAIL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00) (\S+) (.*)", re.ASCII | re.DOTALL)
_CSV_HEADER = re.compile(r'\ufeff?"?timestamp"?,"?message"?\r?\n', re.ASCII)
_CSV_TIME = re.compile(r'"?([0-9]{13})"?,', re.ASCII)
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
class _Place:
    """How far lines have been counted; offsets are asked for in rising order, so each line end is passed once."""

    text: str
    offset: int = 0
    line: int = 1

    def at(self, offset: int) -> int:
        """The line, from 1, of a character."""
        if offset < self.offset:
            return self.line - self.text.count("\n", offset, self.offset)
        self.line += self.text.count("\n", self.offset, offset)
        self.offset = offset
        return self.line


@dataclass
class _Object:
    """A JSON object opened one level: the values of its keys, and where the items of its lists lie.

    ``why`` says what is wrong at ``end``, or is empty. Lists under a key of ENVELOPES are not decoded, only measured.
    """

    end: int
    values: dict[str, Any] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    lists: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    why: str = ""


def records(text: str, name: str = "") -> Iterator[Record | Broken]:
    """The records in the text of a file called ``name``, whose qualifier may tell the log group."""
    if _CSV_HEADER.match(text):
        return _csv_events(text)
    return _documents(text, Record(1, "", group=group_of(name)), 0)


def wrapper_lines(text: str, found: Iterable[Record | Broken]) -> int:
    """How many lines that are not blank belong to no record: the brackets and other keys of the wrapping."""
    covered: set[int] = set()
    for record in found:
        covered.update(range(record.line, record.line + record.span))
    return sum(1 for number, line in enumerate(text.split("\n"), start=1) if line.strip() and number not in covered)


def group_of(name: str) -> str:
    """The log group that a stored answer's file name tells: ``filter-log-events.%2Faws%2Flambda%2Forders.json``."""
    operation, dot, rest = name.rsplit("/", 1)[-1].partition(".")
    if operation not in LOG_OPERATIONS or not dot:
        return ""
    for ending in (".gz", ".zst", ".bz2", ".xz", ".json"):
        rest = rest.removesuffix(ending)
    return unquote(rest) if rest != "json" else ""


def strip_export_time(line: str) -> tuple[int, str] | None:
    """The time (milliseconds since 1970) and the message of a line of an S3 export or of ``aws logs tail``; null for any other line."""
    found = _EXPORT.fullmatch(line)
    if found:
        moment = milliseconds(found[1])
        return None if moment is None else (moment, found[2])
    found = _TAIL.fullmatch(line)
    moment = milliseconds(found[1]) if found else None
    return None if found is None or moment is None else (moment, found[3])


def milliseconds(raw: str) -> int | None:
    """An ISO time in UTC (or with its offset) as milliseconds since 1970."""
    parsed = parse_iso(raw)
    return None if parsed is None else (parsed[0] - _EPOCH) // timedelta(milliseconds=1)


# Documents: values one after another, with or without anything between them.


def _documents(text: str, about: Record, depth: int) -> Iterator[Record | Broken]:
    """All records of a text; ``about`` carries what is known of them from outside."""
    place = _Place(text)
    offset = _skip(_SEPARATOR, text, 0)
    while offset < len(text):
        if text[offset] == "{":
            opened = _open(text, offset)
            yield from _object(text, place, offset, opened, about, depth)
            end = opened.end
            why = opened.why
        elif text[offset] == "[":
            end, why = yield from _array(text, place, offset, about, depth)
        else:
            end, why = offset, "not JSON"
        if why:
            end = yield _broken(text, place, end, why)
        offset = _skip(_SEPARATOR, text, end)
