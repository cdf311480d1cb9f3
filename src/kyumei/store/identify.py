"""Tells what a file holds from its first bytes, a look at its middle and end, and its name."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kyumei import discover
from kyumei.formats.resource_snapshot import LOG_OPERATIONS, operation_of, place_in
from kyumei.layouts.casts import offset_of
from kyumei.store.banners import banner_names
from kyumei.store.cut_lines import is_driver_line
from kyumei.store.envelopes import LISTS, wraps
from kyumei.store.event_lines import STRIPPED, is_docker_line, is_event_text
from kyumei.store.lines import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta

    from kyumei.store.settings import Settings

SAMPLE_LINES = 400
"""Lines of the head of a file from which the sample is taken; a rarer format in it is met when a line of it fails to be read."""
EVERY_LINE, EVERY = 100, 4
"""So many lines are all in the sample; behind them one in so many."""
OFFSET_WITHIN = 400
"""Characters of a line in which its time, or that of a line inside it, stands."""
_OFFSET = re.compile(r":[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})? ?([+-][0-9]{2}:?[0-9]{2})\b", re.ASCII)
"""Minutes, seconds and zone of a time, behind its hour: a pattern that begins with a letter of its own is found ten times as fast."""
_HOUR = re.compile(r"[0-9]{2}", re.ASCII)
_SNAPSHOT = re.compile(r"(?:^|/)aws/(?:[^/]+/){1,3}[a-z0-9-]+(?:\.[^/]*)?\.json(?:\.gz|\.zst)?$")
_LED = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z \S|"
    r"[a-z0-9][a-z0-9.-]{0,200}-[a-z0-9]{6,10}-[a-z0-9]{5} [a-z0-9][a-z0-9-]{0,62} ",
    re.ASCII,
)
"""The time of an export, or the pod and the container that stern puts before a line."""
_LED_BY_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|\+00:00) |\[pod/|[a-z0-9][A-Za-z0-9_.-]{0,127} +\| |EVENTS\t", re.ASCII
)
"""What no ``log_line_prefix`` of PostgreSQL begins with: an ISO time with a T, a pod, the service of docker compose.

Its lines are found behind any prefix; with that of another writer they lose what their own tells.
"""
_TOLERANT = frozenset({"app_log", "nginx_access", "apache_access"})
"""Formats whose lines begin with words of any sort."""
_DECODER = json.JSONDecoder()
_NEXT_OBJECT = re.compile(r",?\s*\{")
_COMMA_FIRST = re.compile(r"\s*,\s*\{")
_LIST = re.compile(rf'"(?:{"|".join(sorted(LISTS))})"\s*:\s*\[')
"""What an envelope has."""
_LONGEST_WORD = len("-Infinity")
"""Characters of the longest word of JSON that may be cut off."""
_CONTROLS = bytes(code for code in range(1, 32) if code not in b"\a\b\t\n\f\r\x1b")
"""Control characters that no program writes into a log on purpose."""
_CONTROL = 0.3
_SOME_CONTROL = 0.02
_INVALID = 0.3
"""Shares of the bytes: random ones are 9 % control characters and more than 40 % of them no UTF-8."""


class Identity(NamedTuple):
    """What a part of a file is.

    ``shape`` is ``lines`` (one record a line, or several lines a record), ``export`` (lines with CloudWatch's time before each event),
    ``prefixed`` (lines with a name before each, by kubectl, stern or docker compose),
    ``document`` (JSON that is not one object a line, CSV of the console), ``snapshot`` (an AWS answer that describes resources),
    ``binary`` or ``empty``. ``formats`` are those that claimed sampled records, the most frequent first; ``offsets`` are zones seen in
    the sample.
    """

    shape: str
    formats: tuple[str, ...] = ()
    offsets: frozenset[timedelta] = frozenset()
    banners: tuple[str, ...] = ()
    """The files that ``tail`` names above their lines, where it printed several; they help as the file's own name does."""
    server: str = ""
    """The web server whose errors stand among access lines that could be another's, too; empty where nothing tells."""
    docker: bool = False
    """Whether a driver of Docker's wrote the lines, which may have cut some of them."""


def identify(name: str, head: bytes, others: tuple[bytes, ...], settings: Settings) -> Identity:
    """What the part called ``name`` is, from its first bytes and pieces of its middle and end."""
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        return Identity("empty")
    told = settings.format(name)
    if told is None and _looks_binary(head):
        return Identity("binary")
    text = decode(head.removeprefix(b"\xef\xbb\xbf"))
    if _SNAPSHOT.search(name) and text.lstrip()[:1] in {"{", "["}:
        return Identity("document" if operation_of(name) in LOG_OPERATIONS else "snapshot", (), _offsets([text], 200_000))
    if told is None and place_in(text):
        return Identity("snapshot", (), _offsets([text], 200_000))
    if told is None and (is_event_text(text) or _is_document(text)):
        return Identity("document", (), _offsets([text], 200_000))
    lines = _sample(text, others)
    if banners := banner_names(lines):
        lines = [line for line in lines if not banner_names([line])]
        name = " ".join((name, *banners))
    if told is not None:
        return Identity("lines", (told,), _offsets(lines, OFFSET_WITHIN), banners)
    return _lines(name, lines, banners)


def _lines(name: str, lines: list[str], banners: tuple[str, ...]) -> Identity:
    """What a part is that holds lines; ``lines`` are a sample of them, ``name`` says all that names tell."""
    offsets = _offsets(lines, OFFSET_WITHIN)
    for shape, strip in STRIPPED.items():
        pairs = [(line, found[1]) for line in lines if (found := strip(line))]
        if inner := _inside(lines, pairs, name):
            server, inner = _whose(inner, [text for _, text in pairs], name)
            return Identity(shape, _ordered(inner), offsets, banners, server)
    server, claims = _whose(_claims(lines, name), lines, name)
    by_docker = bool(lines) and (is_docker_line(lines[0]) or is_driver_line(lines[0]))
    return Identity("lines", _ordered(claims), offsets, banners, server, by_docker)


def _whose(claims: Counter[str], lines: list[str], name: str) -> tuple[str, Counter[str]]:
    """The server whose errors stand among access lines that could be another's, too, and what is claimed with that known."""
    if "apache_error" in claims and "nginx_access" in claims and "nginx_error" not in claims:
        return "apache", _claims(lines, f"apache {name}")
    return "", claims


def _inside(lines: list[str], pairs: list[tuple[str, str]], name: str) -> Counter[str]:
    """What is claimed of lines without what stands before them; nothing where it is more with that. ``pairs`` are those that have it."""
    # An event of many lines, such as a slow statement or a stack, has the time before the first of them only.
    if not pairs or (len(pairs) * 2 < len(lines) and pairs[0][0] != lines[0]):
        return Counter()
    inner = _claims([text for _, text in pairs], name)
    outer = _claims([line for line, _ in pairs], name)
    known, read = sum(inner.values()), sum(outer.values())
    # With what stands before it a line of another format may still be read, as one that means less.
    tied = known == read > 0 and (
        (outer.keys() <= _TOLERANT and all(_LED.match(line) for line, _ in pairs))
        or (inner.keys() == outer.keys() == {"postgres_log"} and all(_LED_BY_TIME.match(line) for line, _ in pairs))
    )
    return inner if known > read or tied else Counter()


def _offsets(texts: Iterable[str], within: int) -> frozenset[timedelta]:
    """The zones written behind times in the first characters of each text."""
    behind_hours = (
        found[1]
        for text in texts
        for found in _OFFSET.finditer(text, 0, within)
        if _HOUR.fullmatch(text, max(found.start() - 2, 0), found.start())
    )
    return frozenset(offset_of(zone) for zone in behind_hours)


def claim(text: str, name: str) -> str | None:
    """The format that claims one record, or null. No two formats claim the same record; the first in the alphabet would win."""
    return next((format_.name for format_ in discover.formats().values() if format_.sniff(text, name)), None)


def _claims(lines: list[str], name: str) -> Counter[str]:
    """How many lines each format claims; the one that claimed the line before is asked first, for no two claim the same."""
    found: Counter[str] = Counter()
    last = None
    for line in lines:
        if last is None or not discover.formats()[last].sniff(line, name):
            last = claim(line, name)
        if last is not None:
            found[last] += 1
    return found


def _ordered(claims: Counter[str]) -> tuple[str, ...]:
    return ranked(claims)


def ranked(claims: Mapping[str, int]) -> tuple[str, ...]:
    """The formats that claimed records, the most frequent first; what one of them adopts counts for it."""
    own = dict(claims)
    for name in claims:
        for other in discover.formats()[name].adopts:
            own[name] += own.pop(other, 0)
    return tuple(sorted(own, key=lambda name: -own[name]))


def _sample(text: str, others: tuple[bytes, ...]) -> list[str]:
    """Lines of the head, then whole lines from the pieces of middle and end."""
    first = text.split("\n")[:SAMPLE_LINES]
    lines = [line.removesuffix("\r") for line in (*first[:EVERY_LINE], *first[EVERY_LINE::EVERY])]
    for piece in others:
        lines += [line.removesuffix("\r") for line in decode(piece).split("\n")[1:-1][:50]]
    return [line for line in lines if line.strip()]


def _is_document(text: str) -> bool:
    """Whether the text is JSON, but not one object a line."""
    start = text.lstrip()
    if start[:1] not in {"{", "["}:
        return False
    first, _, below = start.partition("\n")
    if "\n" not in start and start.startswith("{") and not start.rstrip().endswith(("}", "]")):
        return _opens_json(start)  # it is cut off: its value is not looked through in vain
    try:
        value, end = _DECODER.raw_decode(first)
    except (ValueError, RecursionError):
        return _opens_json(start)
    if rest := first[end:].strip():
        # Objects with a comma or nothing between them: the inside of an array, or what Firehose glues together.
        return _NEXT_OBJECT.match(rest) is not None or (rest == "," and _NEXT_OBJECT.match("," + below) is not None) or _opens_json(start)
    if isinstance(value, list) or _COMMA_FIRST.match(below):
        return True
    return isinstance(value, dict) and wraps(value)


def _opens_json(start: str) -> bool:
    """Whether a text whose first line is no JSON value opens one over several lines."""
    if start.startswith("["):
        return re.match(r'\[\s*[\[{"\]]', start) is not None and re.match(r"\[[0-9A-Z]", start) is None
    opens = re.match(r'\{\s*("(?:[^"\\]|\\.){0,200}"\s*:|\})', start) is not None
    return opens and not _is_damaged_line(start) and (not _line_of_objects(start) or _goes_on(start))


def _is_damaged_line(start: str) -> bool:
    """Whether a text that is no JSON is one whole line that an object ends, and no envelope, of which some records may be sound."""
    return start.rstrip("\r\n").find("\n") < 0 and start.endswith(("}\n", "}\r\n")) and _LIST.search(start) is None


def _goes_on(start: str) -> bool:
    """Whether the value that the text begins with is sound to where it ends, on a later line, or to where the text is cut off."""
    try:
        _DECODER.raw_decode(start)
    except json.JSONDecodeError as error:
        return error.pos >= len(start) - _LONGEST_WORD or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return False
    return True


def _line_of_objects(start: str) -> bool:
    """Whether most of the first lines are objects of their own, so that only the first one is damaged."""
    lines = [line for line in start.split("\n")[1:20] if line.strip()]
    whole = sum(1 for line in lines if line.startswith("{") and line.rstrip().endswith("}"))
    return whole * 2 > len(lines) > 0


def _looks_binary(head: bytes) -> bool:
    """Whether the bytes are no text: hardly anything but zeros, or many control characters.

    Zeros in between do not make a log binary (one that was emptied in place begins with them), nor does another encoding than UTF-8, such
    as Shift JIS, which has no control characters: its lines are read as far as they are ASCII.
    """
    start = head.strip(b"\0 \t\r\n")[:65536]
    sample = start.replace(b"\0", b"")
    if len(sample) * 10 <= len(start):
        return True
    control = len(sample) - len(sample.translate(None, _CONTROLS))
    invalid = len(sample) - len(sample.decode("utf-8", "ignore").encode())
    return control > len(sample) * _CONTROL or (control > len(sample) * _SOME_CONTROL and invalid > len(sample) * _INVALID)
