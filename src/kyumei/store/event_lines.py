"""Events of CloudWatch Logs that come as lines of text, and the records made of them.

An export and the tail put a time before each event and nothing before its further lines. The CSV has milliseconds and a message, quoted
where it holds a comma, a quote or a line end; that of Logs Insights, with the columns @timestamp and @message, the time in UTC.

A container runtime of Kubernetes writes time, stream and ``F`` or, where it cut a long line, ``P`` before each piece. ``kubectl logs`` puts
a time of nine digits, the pod or both before a line, stern pod and container, ``docker compose logs`` the service and a bar, Fluentd time
and tag before JSON, the AWS CLI in its text form the columns of an event before and behind the message.

Follows "Exporting log data to Amazon S3" in the CloudWatch Logs User Guide, "logs tail" and "filter-log-events" in the AWS CLI Command
Reference, "CRI logging" of Kubernetes, "kubectl logs", "docker compose logs" and Fluentd's "out_file".
"""

from __future__ import annotations

import re
from calendar import isleap
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.layouts.casts import parse_iso, to_json
from kyumei.store.metric_csv import metric_columns, points_of
from kyumei.store.query_csv import query_columns, record_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPORT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z) (.*)", re.ASCII | re.DOTALL)
_TAIL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?\+00:00) (\S+) (.*)", re.ASCII | re.DOTALL)
_GROUPED = re.compile(
    r"(/[A-Za-z0-9_.#/-]{1,511}|aws-waf-logs-[A-Za-z0-9_.#/-]{1,500}|API-Gateway-Execution-Logs_[a-z0-9]{1,40}/[A-Za-z0-9_-]{1,128}) "
    r"(?![0-9]{4}(?:-[0-9]{2}-|/[0-9]{2}/)[0-9]{2}(?:T\S*)? |[0-9]{1,3}(?:\.[0-9]{1,3}){3} \S+ \S+ \[)"
    r"([A-Za-z0-9_.$-]*[0-9/][^\s:*]*) (.*)",
    re.ASCII | re.DOTALL,
)
"""A tail over several log groups: the group, as AWS names them or with a slash before it, the stream (no date, no client), the message.

The name of a stream holds no colon and no asterisk.
"""
_SHORT_TAIL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}) (.*)", re.ASCII | re.DOTALL)
_CONTAINER = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2}))"
    r" (stdout|stderr) ([FP])(?:\Z| (.*))",
    re.ASCII | re.DOTALL,
)
_INK = r"(?:\x1b\[[0-9;]{0,12}m){0,3}"
"""Sequences that colour a terminal: compose and stern colour the name where they think that they write to one."""
_NAMED = re.compile(
    rf"(?:\[pod/[a-z0-9.-]{{1,253}}/[a-z0-9.-]{{1,63}}\] |{_INK}[a-z0-9][A-Za-z0-9_.-]{{0,127}} +\|{_INK} {_INK}"
    rf"|{_INK}[a-z0-9][a-z0-9.-]{{0,251}}-[a-z0-9]{{1,10}}{_INK} {_INK}[a-z0-9][a-z0-9-]{{0,62}}{_INK} )(.*)",
    re.ASCII | re.DOTALL,
)
"""A line of kubectl with the pod, of docker compose with the service, of stern with pod and container."""
_KUBECTL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z)(?:\Z| (.*))", re.ASCII | re.DOTALL)
_FLUENTD = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?) ?(Z|[+-][0-9]{2}:?[0-9]{2})\t[^\t{]{1,200}\t(\{.*)",
    re.ASCII | re.DOTALL,
)
_COLUMNS = re.compile(r"EVENTS\t(?:[0-9]{20,80}\t)?[0-9]{13}\t(.*)\t([0-9]{13})", re.ASCII | re.DOTALL)
_OF_STREAM = re.compile(r"EVENTS\t[0-9]{20,80}\t[0-9]{13}\t([^\t]{1,512})\t", re.ASCII)
_CSV_HEADER = re.compile(r'\ufeff?"?@?timestamp"?,"?@?message"?\r?\n', re.ASCII)
_CSV_TIME = re.compile(r'"?([0-9]{13}|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3})"?,', re.ASCII)
_QUOTED_END = re.compile(r'"(?!")')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class Record(NamedTuple):
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


CONTROL = "a control message of CloudWatch Logs, not a log event"
"""Why what CloudWatch Logs says to whoever subscribes is no record; it is no failure either."""


class Broken(NamedTuple):
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
    """The time (milliseconds since 1970) and the message of a line that something put its time before, or around it.

    Null for any other line.

    The short form of the tail has no zone, and is UTC; many a program begins its lines so, too: who asks must know that it is a tail.
    """
    if found := _COLUMNS.fullmatch(line):
        streamed = _OF_STREAM.match(line)
        return int(found[2]), line[streamed.end() : found.end(1)] if streamed else found[1]
    if found := _CONTAINER.fullmatch(line):
        return _timed(found[1], found[4])
    if found := _TAIL.fullmatch(line):
        grouped = _GROUPED.fullmatch(line, found.start(2))
        return _timed(found[1], (grouped or found)[3])
    if found := _FLUENTD.fullmatch(line):
        return _timed(f"{found[1]}T{found[2]}{found[3]}", found[4])
    found = _EXPORT.fullmatch(line) or _KUBECTL.fullmatch(line) or _SHORT_TAIL.fullmatch(line)
    return _timed(found[1], found[2]) if found else None


def in_year_of(time: datetime, sent: datetime) -> dict[str, Any]:
    """A time without a year in that of when it was sent, or the year before or after, whichever is nearest; its zone stays unknown."""
    years = [year for year in (sent.year - 1, sent.year, sent.year + 1) if MINYEAR <= year <= MAXYEAR]
    tried = [time.replace(year=year) for year in years if (time.month, time.day) != (2, 29) or isleap(year)]
    return {"time": min(tried, key=lambda one: abs(one - sent)), "_naive": 1} if tried else {}


def strip_name(line: str) -> tuple[int | None, str] | None:
    """The time, where one is told, and the message of a line that kubectl, stern or docker compose put a name before; null for others."""
    found = _NAMED.fullmatch(line)
    if not found:
        return None
    told = _KUBECTL.fullmatch(found[1])
    return (_timed(told[1], told[2]) if told else None) or (None, found[1])


def _timed(raw: str, text: str | None) -> tuple[int, str] | None:
    """A time in milliseconds and the text behind it; null where the time is none."""
    moment = milliseconds(raw)
    return None if moment is None else (moment, text or "")


STRIPPED = {"export": strip_export_time, "prefixed": strip_name}
"""By the shape of a file, what takes off what stands before its lines."""


def stream_of(line: str) -> tuple[str | None, str | None]:
    """The log group and stream that a line of ``aws logs tail`` or of the CLI's text form names; null where it names none."""
    if named := _OF_STREAM.match(line):
        return None, named[1]
    found = None if _CONTAINER.fullmatch(line) else _TAIL.fullmatch(line)
    if not found:
        return None, None
    grouped = _GROUPED.fullmatch(line, found.start(2))
    return (grouped[1], grouped[2]) if grouped else (None, found[2])


def piece_of(line: str) -> tuple[str, bool] | None:
    """Of a container runtime's line its stream, and whether the rest of the text follows in a later one; null for any other line."""
    found = _CONTAINER.fullmatch(line)
    return (found[2], found[3] == "P") if found else None


_DOCKER, _BEHIND = '{"log":"', '","stream":"'
_DOCKER_PIECE = 16 * 1024 - 3
"""Bytes of text at which Docker cuts a line that its json-file driver writes, but for a letter that it cut in two."""


def is_docker_line(line: str) -> bool:
    """Whether a line is one that Docker's json-file driver writes."""
    return line.startswith(_DOCKER) and _BEHIND + "std" in line


def docker_piece_of(line: str) -> tuple[str, bool] | None:
    """Of a line of Docker's json-file driver its stream, and whether the rest of its text follows in a later one; null for any other."""
    end = line.find(_BEHIND) if line.startswith(_DOCKER) else -1
    if end < 0:
        return None
    text = line[len(_DOCKER) : end]
    stream = line[end + len(_BEHIND) :].partition('"')[0]
    # A program that ended in the middle of a line leaves a short one; nothing follows that.
    is_cut = not text.endswith("\\n") and len(text) * 4 >= _DOCKER_PIECE and len(text.encode("utf-8", "backslashreplace")) >= _DOCKER_PIECE
    return stream, is_cut


def with_docker_piece(before: str, after: str) -> str:
    """A line of Docker's json-file driver with the text of the piece that follows it."""
    end = before.find(_BEHIND)
    return before[:end] + after[len(_DOCKER) : after.find(_BEHIND)] + before[end:]


def milliseconds(raw: str) -> int | None:
    """An ISO time in UTC (or with its offset) as milliseconds since 1970."""
    parsed = parse_iso(raw)
    return None if parsed is None else (parsed[0] - _EPOCH) // timedelta(milliseconds=1)


def is_console_csv(text: str) -> bool:
    """Whether the text begins as the CSV that the console saves does."""
    return _CSV_HEADER.match(text) is not None


_NAMES = re.compile(r'\ufeff?("?@?[A-Za-z_.]{1,60}"?(?:,"?@?[A-Za-z_.]{1,60}"?){1,30})\r?\n', re.ASCII)
_JOURNAL = re.compile(r"\ufeff?__CURSOR=[^\n]{1,512}\n(?:__|_|[A-Z])")
_CELL = re.compile(r'"((?:[^"]++|"")*+)"(?=,|\r?\n|\Z)|([^",\r\n][^,\r\n]*|)(?=,|\r?\n|\Z)')


def is_event_text(text: str) -> bool:
    """Whether the text begins as a CSV of the console, of Logs Insights or of Athena does, or as what ``journalctl -o export`` prints."""
    is_csv = is_console_csv(text) or bool(_columns(text)) or query_columns(text) is not None or metric_columns(text) is not None
    return is_csv or _JOURNAL.match(text) is not None


def text_events(text: str) -> Iterator[Record | Broken]:
    """The events in such a text."""
    if is_console_csv(text):
        return csv_events(text)
    if found := query_columns(text):
        return _query_rows(text, *found)
    if _JOURNAL.match(text):
        return _journal_entries(text)
    return _insights_rows(text) if _columns(text) else _metric_rows(text)


def _columns(text: str) -> list[str]:
    """The columns of a CSV of Logs Insights that holds times and messages; none for any other text."""
    found = _NAMES.match(text)
    names = [name.strip('"') for name in found[1].split(",")] if found else []
    return names if {"@timestamp", "@message"} <= set(names) else []


def _insights_rows(text: str) -> Iterator[Record | Broken]:
    """The rows of a CSV of Logs Insights with further columns, of which the log group and stream are kept."""
    names, place = _columns(text), Place(text)
    header = _NAMES.match(text)
    for start, end, cells in _rows(text, header.end() if header else 0):
        row = dict(zip(names, cells, strict=False))
        piece, _, span = broken_text(text, start, end, "")
        if len(cells) == len(names):
            group = row.get("@log", "").partition(":")[2]
            time_ms = milliseconds(row["@timestamp"] + "Z")
            yield Record(place.at(start), without_line_end(row["@message"]), time_ms, row.get("@logStream", ""), group, "csv", span)
        elif piece.strip():
            yield Broken(place.at(start), piece, _TOO_FEW, span)


def _query_rows(text: str, names: list[str], at: int) -> Iterator[Record | Broken]:
    """The rows of a query over an access log."""
    place = Place(text)
    for start, end, cells in _rows(text, at):
        piece, _, span = broken_text(text, start, end, "")
        if len(cells) == len(names):
            yield Record(place.at(start), record_of(names, cells), origin="csv", span=span)
        elif piece.strip():
            yield Broken(place.at(start), piece, _TOO_FEW, span)


def _metric_rows(text: str) -> Iterator[Record | Broken]:
    """The points of a CSV of metrics."""
    columns, place = metric_columns(text), Place(text)
    for start, end, cells in _rows(text, columns.at) if columns else ():
        piece, _, span = broken_text(text, start, end, "")
        points = points_of(columns, cells) if columns else None
        line = place.at(start)
        yield from (Record(line, point, origin="csv", span=span) for point in points or ())
        if points is None and piece.strip():
            yield Broken(line, piece, "not a time and numbers", span)


_TOO_FEW = "not a value for each column"


def _rows(text: str, at: int) -> Iterator[tuple[int, int, list[str]]]:
    """The rows of a CSV from an offset on: where each starts and ends, and its values."""
    while at < len(text):
        start, cells = at, []
        while cell := _CELL.match(text, at):
            cells.append(cell[2] if cell[1] is None else cell[1].replace('""', '"'))
            at = cell.end() + 1
            if text[cell.end() : at] != ",":
                break
        if not cells or (text[at - 1 : at] not in {"\n", "\r", ""}):
            end = text.find("\n", at)
            at = len(text) if end < 0 else end + 1
        at += text[at - 1 : at + 1] == "\r\n"
        yield start, at, cells


def _journal_entries(text: str) -> Iterator[Record]:
    """The entries of the journal's export, each as the JSON that ``journalctl -o json`` prints of it."""
    place, at = Place(text), 0
    while at < len(text):
        end = text.find("\n\n", at)
        end = len(text) if end < 0 else end
        entry = text[at:end].strip("\ufeff\n")
        fields = dict(line.split("=", 1) for line in entry.split("\n") if "=" in line)
        if fields:
            yield Record(place.at(at), to_json(fields) or "", origin="journal", span=entry.count("\n") + 1)
        elif entry:
            yield Record(place.at(at), entry, origin="journal", span=entry.count("\n") + 1)
        at = end + 2


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
