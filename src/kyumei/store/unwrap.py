"""Takes log records out of what they are wrapped in: JSON documents, CloudWatch Logs answers and envelopes, console CSV.

A document may be one object, an array, objects one after another with or without anything between them, or an envelope: ``{"Records":
[…]}`` (CloudTrail, Kinesis, SNS and SQS by Lambda), ``{"Events": […]}`` (lookup-events), ``{"events": […]}`` (filter-log-events,
get-log-events), ``{"logEvents": […]}`` (subscription, also as base64 of gzip under ``awslogs.data`` and ``kinesis.data``), ``{"results":
[…]}`` (Logs Insights), a notification of SNS, and the answers that ``envelopes`` lists. Every record says the line on which it starts and
how many it takes up. What cannot be read comes as ``Broken``, never not at all.

Follows "Log group-level subscription filters", "FilterLogEvents", "GetQueryResults" and "Export log data to Amazon S3" of CloudWatch Logs.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kyumei.formats.resource_snapshot import LOG_OPERATIONS
from kyumei.layouts.casts import to_json
from kyumei.layouts.json_places import value_at
from kyumei.store.companion_events import may_have_companions, with_companions
from kyumei.store.envelopes import LISTS, Envelope, envelope_of, is_daemon_header, is_notification
from kyumei.store.event_lines import (
    CONTROL,
    Broken,
    Place,
    Record,
    broken_text,
    is_event_text,
    milliseconds,
    strip_export_time,
    text_events,
    without_line_end,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

__all__ = ["Broken", "Record", "group_of", "records", "strip_export_time", "wrapper_lines"]

GROUP_OPERATIONS = frozenset(operation.partition("/")[2] for operation in LOG_OPERATIONS if operation.startswith("logs/"))
"""AWS CLI operations whose stored answers have a log group as qualifier."""
MAX_UNPACKED = 64 * 1024 * 1024
"""Bytes that one packed envelope may unpack to; CloudWatch Logs sends 1 MB at most."""
_MAX_DEPTH = 4
_MAX_LAYERS = 3
"""Layers of gzip, one in the other, that a package may have."""
_OPENED = frozenset({"Records", "records", "Events", "events", "logEvents", "results"})
"""Keys of lists whose items may carry their record inside."""
_CARRIERS = ('"kinesis"', '"Sns"', '"aws:sqs"')
"""What an item of ``Records`` holds when it carries one: most are CloudTrail's, and need not be opened twice."""
_COST_OF_DEPTH = 20_000
"""What it costs, in characters, to find that a value is nested too deeply."""
_SPENT_AT_MOST = 20
"""How often, on average, each character of a broken text is read before the rest of it is kept unread."""
_LONGEST_NUMBER = 400
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < _LONGEST_NUMBER else digits)
_SPACE = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n,\]}\ufeff]*")
_INSIGHTS_TIMES = frozenset({"@timestamp", "@ingestionTime"})
INSIGHTS = frozenset({"@timestamp", "@ptr", "@log", "@logStream", "@ingestionTime"})
"""What stands beside a message in the rows of Logs Insights that the console copies as JSON."""
_NEXT_LINE = re.compile(r"\n(?=[{\[])")


@dataclass
class _Object:
    """A JSON object opened one level: the values of its keys, and where the items of its lists lie.

    ``why`` says what is wrong at ``end``, or is empty. Lists under a key of LISTS are not kept, only measured.
    """

    end: int
    values: dict[str, Any] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    lists: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    why: str = ""


def records(text: str, name: str = "") -> Iterator[Record | Broken]:
    """The records in the text of a file called ``name``, whose qualifier may tell the log group."""
    found = text_events(text) if is_event_text(text) else _documents(text, Record(1, "", group=group_of(name)), 0)
    return with_companions(found) if may_have_companions(text) else found


def wrapper_lines(text: str, found: Iterable[Record | Broken]) -> int:
    """How many lines that are not blank belong to no record: the brackets and other keys of the wrapping."""
    covered: set[int] = set()
    for record in found:
        covered.update(range(record.line, record.line + record.span))
    return sum(1 for number, line in enumerate(text.split("\n"), start=1) if line.strip() and number not in covered)


def group_of(name: str) -> str:
    """The log group that a stored answer's file name tells: ``filter-log-events.%2Faws%2Flambda%2Forders.json``."""
    operation, dot, rest = name.rsplit("/", 1)[-1].partition(".")
    if operation not in GROUP_OPERATIONS or not dot:
        return ""
    for ending in (".gz", ".zst", ".bz2", ".xz", ".json"):
        rest = rest.removesuffix(ending)
    return unquote(rest) if rest != "json" else ""


# Documents: values one after another, with or without anything between them.


def _documents(text: str, about: Record, depth: int) -> Iterator[Record | Broken]:
    """All records of a text; ``about`` carries what is known of them from outside."""
    place = Place(text)
    offset = _skip(_BETWEEN, text, 0)
    while offset < len(text):
        if text[offset] == "{":
            opened = _open(place, offset)
            envelope = _envelope(opened, text)
            yield from _object(place, offset, opened, envelope, about, depth)
            end, why, start = opened.end, opened.why, opened.end if envelope else offset
        elif text[offset] == "[":
            end, why = yield from _array(place, offset, about, depth)
            start = end
        else:
            end, why, start = offset, "not JSON", offset
        if why:
            line = _NEXT_LINE.search(text, max(start, offset))
            enough = place.spent > _SPENT_AT_MOST * len(text) + _COST_OF_DEPTH * 100
            end = line.start() if line and not enough else len(text)
            yield Broken(place.at(start), *broken_text(text, start, end, why))
        offset = _skip(_BETWEEN, text, end)


def _skip(pattern: re.Pattern[str], text: str, offset: int) -> int:
    found = pattern.match(text, offset)
    return found.end() if found else offset


def _decode(place: Place, offset: int) -> tuple[Any, int, str]:
    """The JSON value at an offset, where it ends, and what is wrong with it, or no text."""
    try:
        value, end = _DECODER.raw_decode(place.text, offset)
    except json.JSONDecodeError as error:
        place.spent += error.pos - offset
        cut = error.pos >= len(place.text) or error.msg.startswith("Unterminated string")
        return None, offset, "the JSON is cut off" if cut else f"not valid JSON: {error.msg}"
    except RecursionError:
        place.spent += _COST_OF_DEPTH
        return None, offset, "the JSON is nested too deeply"
    return value, end, ""


def _open(place: Place, start: int) -> _Object:
    """Open the object that begins at ``start``. A comma before the closing bracket is passed over."""
    text = place.text
    found = _Object(start + 1)
    while True:
        at = _skip(_SPACE, text, found.end)
        if text[at : at + 1] == "}":
            found.end = at + 1
            return found
        key, at, found.why = _decode(place, at)
        colon = _skip(_SPACE, text, at)
        if not found.why and (not isinstance(key, str) or text[colon : colon + 1] != ":"):
            found.why = "the JSON is cut off" if colon >= len(text) else "not valid JSON: a key is missing"
        if found.why:
            return found
        at = _skip(_SPACE, text, colon + 1)
        if key in LISTS and text[at : at + 1] == "[":
            found.lists.setdefault(key, [])
            at, found.why = _measure(place, at, found.lists[key])
        else:
            start = at
            value, at, found.why = _decode(place, start)
            if not found.why and key not in found.values:
                found.values[key], found.starts[key] = value, start
        if found.why:
            found.end = at
            return found
        found.end = _skip(_SPACE, text, at)
        if text[found.end : found.end + 1] == ",":
            found.end += 1
        elif text[found.end : found.end + 1] != "}":
            found.why = "the JSON is cut off" if found.end >= len(text) else "not valid JSON: a comma is missing"
            return found


def _measure(place: Place, start: int, items: list[tuple[int, int]]) -> tuple[int, str]:
    """Note where the items of a list lie; answers its end, or where and why it breaks off."""
    text = place.text
    at = _skip(_SPACE, text, start + 1)
    while text[at : at + 1] != "]":
        _, end, why = _decode(place, at)
        if why:
            return at, why
        items.append((at, end))
        at = _skip(_SPACE, text, end)
        if text[at : at + 1] == ",":
            at = _skip(_SPACE, text, at + 1)
        elif text[at : at + 1] != "]":
            return at, "the JSON is cut off" if at >= len(text) else "not valid JSON: a comma is missing"
    return at + 1, ""


def _envelope(opened: _Object, text: str) -> Envelope | None:
    """The envelope that an object is; null when it is a record itself."""
    if not opened.lists:
        return None
    firsts = {key: (_decode(Place(text), found[0][0])[0] if found else None) for key, found in opened.lists.items()}
    return envelope_of(firsts, opened.values)


def _array(place: Place, start: int, about: Record, depth: int) -> Generator[Record | Broken, None, tuple[int, str]]:
    """The records of an array; returns its end, or where and why it breaks off."""
    text = place.text
    at = _skip(_SPACE, text, start + 1)
    while text[at : at + 1] != "]":
        value, end, why = _decode(place, at)
        if why:
            return at, why
        line = place.at(at)
        span = text.count("\n", at, end) + 1
        if isinstance(value, dict):
            opened = _open(place, at)
            yield from _object(place, at, opened, _envelope(opened, text), about, depth)
        else:
            raw = value if isinstance(value, str) else text[at:end]
            yield about._replace(line=line, text=without_line_end(raw), span=span)
        at = _skip(_SPACE, text, end)
        if text[at : at + 1] == ",":
            at = _skip(_SPACE, text, at + 1)
        elif text[at : at + 1] != "]":
            return at, "the JSON is cut off" if at >= len(text) else "not valid JSON: a comma is missing"
    return at + 1, ""


def _object(  # noqa: PLR0913 - what an object is and where it lies
    place: Place, start: int, opened: _Object, envelope: Envelope | None, about: Record, depth: int
) -> Iterator[Record | Broken]:
    """The records of one object: those in its envelope, or the object itself. A broken object that is no envelope gives none."""
    text, values = place.text, opened.values
    if envelope is not None:
        yield from _enveloped(place, opened, envelope, about, depth)
        return
    if opened.why:
        return
    outer = about._replace(line=place.at(start), span=text.count("\n", start, opened.end) + 1)
    packed = values.get("awslogs")
    if isinstance(packed, dict) and isinstance(packed.get("data"), str):
        yield from _packed(packed["data"], text[start : opened.end], outer._replace(origin="awslogs"), depth)
    elif isinstance(values.get("data"), dict) and set(values) == {"status_code", "data"}:
        at = opened.starts["data"]
        inner = _open(place, at)
        yield from _object(place, at, inner, _envelope(inner, text), about, depth)
    elif "@ptr" in values or ("@message" in values and values.keys() - {"@message"} <= INSIGHTS):
        row = [{"field": name, "value": value} for name, value in values.items()]
        yield _insights_row(row, outer)
    elif is_notification(values):
        yield from _told(values["Message"], text[start : opened.end], outer._replace(origin="Message"), depth)
    elif opened.lists or not is_daemon_header(values):
        yield outer._replace(text=text[start : opened.end])


def _enveloped(place: Place, opened: _Object, envelope: Envelope, about: Record, depth: int) -> Iterator[Record | Broken]:
    """The records in the lists of an envelope, in the order in which they stand."""
    text, values = place.text, opened.values
    group, stream = _word(values.get("logGroup")) or about.group, _word(values.get("logStream")) or about.stream
    control = values.get("messageType") == "CONTROL_MESSAGE"
    spans = sorted((at, end, key) for key, found in opened.lists.items() for at, end in found)
    outer = about._replace(group=group, stream=stream)
    if envelope.unroll is not None and not control:
        try:
            pieces = list(envelope.unroll(text, [at for at, _, _ in spans], values))
        except RecursionError:
            pieces = [(text[at:end], at, end) for at, end, _ in spans]
        origin = envelope.lists[0]
        for piece, at, end in pieces:
            yield outer._replace(text=piece, line=place.at(at), span=text.count("\n", at, end) + 1, origin=origin)
        return
    for at, end, key in spans:
        own = outer._replace(line=place.at(at), span=text.count("\n", at, end) + 1, origin=key)
        if control:
            said = value_at(text, at)[0]
            words = _word(said.get("message")) if isinstance(said, dict) else ""
            yield Broken(own.line, words or text[at:end], CONTROL, own.span)
        else:
            yield from _item(text[at:end], own, depth)


def _item(raw: str, outer: Record, depth: int) -> Iterator[Record | Broken]:
    """The records of one item of an envelope's list: mostly one, more where it is an envelope itself."""
    if outer.origin not in _OPENED or (outer.origin == "Records" and not any(mark in raw for mark in _CARRIERS)):
        yield outer._replace(text=raw)
        return
    value, _, _ = _decode(Place(raw), 0)
    if outer.origin == "results" and isinstance(value, list):
        yield _insights_row(value, outer)
        return
    if not isinstance(value, dict):
        yield outer._replace(text=value if isinstance(value, str) else raw)
        return
    message, event, sns, body = (value.get(key) for key in ("message", "CloudTrailEvent", "Sns", "body"))
    kinesis = value.get("kinesis")
    data = kinesis.get("data") if isinstance(kinesis, dict) else value.get("data")
    if outer.origin in {"events", "logEvents"} and isinstance(message, str):
        time = value.get("timestamp")
        stream = _word(value.get("logStreamName")) or outer.stream
        yield outer._replace(
            text=without_line_end(message),
            stream=stream,
            time_ms=time if isinstance(time, int) and not isinstance(time, bool) else None,
        )
    elif outer.origin == "Events" and isinstance(event, str):
        yield outer._replace(text=event)
    elif outer.origin in {"Records", "records"} and isinstance(data, str) and (isinstance(kinesis, dict) or outer.origin == "records"):
        yield from _packed(data, raw, outer, depth)
    elif outer.origin == "Records" and isinstance(sns, dict) and is_notification(sns):
        yield from _told(sns["Message"], raw, outer, depth)
    elif outer.origin == "Records" and isinstance(body, str) and value.get("eventSource") == "aws:sqs":
        yield from _told(body, raw, outer, depth)
    else:
        yield outer._replace(text=raw)


def _told(message: str, raw: str, outer: Record, depth: int) -> Iterator[Record | Broken]:
    """The records of a message that is a JSON object in a string; of any other message, what it came in."""
    value, end, _ = _decode(Place(message), _skip(_SPACE, message, 0))
    if depth >= _MAX_DEPTH or not isinstance(value, dict) or _skip(_SPACE, message, end) < len(message):
        yield outer._replace(text=raw)
        return
    for record in _documents(message, outer, depth + 1):
        yield record._replace(line=outer.line, span=outer.span)


def _insights_row(row: list[Any], outer: Record) -> Record:
    """A row of a Logs Insights result: its message, or all its fields as one JSON object."""
    fields = {cell["field"]: cell.get("value") for cell in row if isinstance(cell, dict) and isinstance(cell.get("field"), str)}
    message = fields.get("@message")
    text, log = to_json(message) or "" if isinstance(message, dict) else _word(message), _word(fields.get("@log"))
    if not text:
        text = to_json({name: _with_zone(name, value) for name, value in fields.items() if name != "@ptr"}) or ""
    group = log.partition(":")[2] or log
    return outer._replace(
        text=without_line_end(text),
        time_ms=milliseconds(_word(fields.get("@timestamp")) + "Z"),
        stream=_word(fields.get("@logStream")) or outer.stream,
        group=group or outer.group,
    )


def _with_zone(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value of a row: Logs Insights writes its own times in UTC, without saying so."""
    return f"{value}Z" if name in _INSIGHTS_TIMES and isinstance(value, str) and milliseconds(value + "Z") is not None else value


def _packed(data: str, raw: str, outer: Record, depth: int) -> Iterator[Record | Broken]:
    """The records of an envelope that is packed as base64, mostly of gzip; all of them stand on the line of the packed one."""
    unpacked = _unpack(data)
    if unpacked is None or depth >= _MAX_DEPTH:
        yield Broken(outer.line, raw, "the packed data cannot be unpacked", outer.span)
        return
    if not unpacked.lstrip().startswith(("{", "[")):
        yield outer._replace(text=without_line_end(unpacked))
        return
    for record in _documents(unpacked, outer, depth + 1):
        yield record._replace(line=outer.line, span=outer.span)


def _unpack(data: str) -> str | None:
    """The text in base64, mostly of gzip: of one member or more, and of gzip in gzip."""
    try:
        raw = base64.b64decode(data)
        for _ in range(_MAX_LAYERS):
            if raw[:2] != b"\x1f\x8b":
                break
            members: list[bytes] = []
            while raw[:2] == b"\x1f\x8b":
                unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
                members.append(unzip.decompress(raw, MAX_UNPACKED))
                if not unzip.eof or sum(map(len, members)) > MAX_UNPACKED:
                    return None
                raw = unzip.unused_data
            raw = b"".join(members)
    except (binascii.Error, ValueError, zlib.error):
        return None
    return raw.decode("utf-8", "backslashreplace")


def _word(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else ""
