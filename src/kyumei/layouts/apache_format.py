r"""Apache's ``LogFormat``: its directives as raw fields with plain names, and the layout that reads what it writes.

``%h`` is the raw field ``remote_host``, ``%{Referer}i`` is ``http_referer``, ``%{BALANCER_WORKER_NAME}e`` is ``env_balancer_worker_name``.
A value ends where the literal behind its directive first occurs. Inside of values Apache writes a quote as ``\"``, which ends none.

Follows Apache's page "Module mod_log_config", Custom Log Formats.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.errors import ConfigError
from kyumei.layouts.casts import CLF_TIME, Cast, guarded, parse_clf, parse_epoch
from kyumei.layouts.clocks import ISO_TIME
from kyumei.layouts.stamps import COMMON, EPOCH, ISO, ISO_SPACE, Stamp
from kyumei.layouts.template import Templated, TextTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from kyumei.contracts import Layout
    from kyumei.layouts.casts import Take
    from kyumei.model.table import Column
    from kyumei.model.window import Window

_DIRECTIVE = re.compile(
    r'\s*(?:LogFormat|TransferLog|CustomLog\s+(?:"[^"]*"|[^\s"]+))\s+"((?:[^"\\]++|\\.)*+)".*', re.IGNORECASE | re.DOTALL
)
_ITEM = re.compile(r"%(?:(%)|([!0-9,<>]*)(?:\{([^}]*)\})?(\^[A-Za-z]{2}|[A-Za-z]))", re.ASCII)
_SIMPLE = {
    "a": "client_addr",
    "A": "local_addr",
    "b": "size",
    "B": "body_bytes",
    "D": "time_us",
    "f": "file_name",
    "h": "remote_host",
    "H": "protocol",
    "I": "request_bytes",
    "k": "keepalives",
    "l": "ident",
    "L": "log_id",
    "m": "method",
    "O": "response_bytes",
    "p": "port",
    "P": "pid",
    "q": "query_string",
    "r": "request",
    "R": "handler",
    "S": "transferred_bytes",
    "T": "time_s",
    "u": "remote_user",
    "U": "uri",
    "v": "server_name",
    "V": "host_name",
    "X": "connection_state",
    "^FB": "first_byte_us",
}
_WITH_NAME = {"i": "http_", "o": "sent_http_", "e": "env_", "n": "note_", "C": "cookie_", "^ti": "trailer_", "^to": "sent_trailer_"}
_MEANING = {"{c}a": "peer_addr", "{us}T": "time_us", "{ms}T": "time_ms", "{s}T": "time_s", "{remote}p": "client_port", "{tid}P": "tid"}
_CLOCK = {"%T": "%H:%M:%S", "%F": "%Y-%m-%d", "%R": "%H:%M"}
_FRACTIONS = {"sec": "%s", "msec": "%s", "usec": "%s", "msec_frac": "%f", "usec_frac": "%f"}
_FRACTION_CLF = re.compile(r"(.{20})[.,]([0-9]{3,6}) ([+-][0-9]{4})", re.ASCII)


def _fraction_time(raw: str) -> datetime | None:
    found = _FRACTION_CLF.fullmatch(raw)
    moment = parse_clf(f"{found[1]} {found[3]}") if found else None
    return moment.replace(microsecond=int(found[2].ljust(6, "0"))) if found and moment else None


BRACKETED_TIME = Cast("common log time in its brackets", lambda raw: parse_clf(raw.removeprefix("[").removesuffix("]")), "NULL::TIMESTAMP")
"""``%t`` as a value of JSON, which the exact reader alone reads."""
_FRACTION_TIME = Cast("common log time with a fraction", _fraction_time, "NULL::TIMESTAMP")
_DIGITS_TIME = guarded(
    "seconds, milliseconds or microseconds since 1970",
    parse_epoch,
    "1[0-9]{9}|1[0-9]{12}|1[0-9]{15}",
    "make_timestamp(TRY_CAST(rpad({x}, 16, '0') AS BIGINT))",
)
_TIMES: dict[str, tuple[Cast, Stamp]] = {
    "%d/%b/%Y:%H:%M:%S %z": (CLF_TIME, COMMON),
    "%d/%b/%Y:%H:%M:%S.%f %z": (_FRACTION_TIME, COMMON),
    "%Y-%m-%dT%H:%M:%S%z": (ISO_TIME, ISO),
    "%Y-%m-%dT%H:%M:%S.%f%z": (ISO_TIME, ISO),
    "%Y-%m-%dT%H:%M:%SZ": (ISO_TIME, ISO),
    "%Y-%m-%d %H:%M:%S%z": (ISO_TIME, ISO_SPACE),
    "%Y-%m-%d %H:%M:%S %z": (ISO_TIME, ISO_SPACE),
    "%Y-%m-%d %H:%M:%S.%f %z": (ISO_TIME, ISO_SPACE),
    "%s": (_DIGITS_TIME, EPOCH),
}
"""The times that can be read, by their format with its parts put together; all of them tell their zone."""


class LogFormat(NamedTuple):
    """A format string taken apart: its template, and how it writes the time."""

    template: TextTemplate
    time: Cast
    stamp: Stamp
    as_json: bool

    @property
    def names(self) -> frozenset[str]:
        """The raw fields that it writes."""
        return frozenset(name for name, _ in self.template.parts)

    def layout(self, columns: tuple[Column, ...], takes: tuple[Take, ...]) -> Layout:
        """The layout that fills the columns by these takes."""
        return Escaping(Templated(columns, self.template, takes, (self.stamp,), as_json=self.as_json, kept=_KEPT))


_KEPT = frozenset({"size"})
"""Where a dash is no missing value: a response without a body."""
# A quote and a backslash, while the record is cut; Apache writes neither of these bytes.
_STAND_IN = {'\\"': "\x01", "\\\\": "\x02"}
_MEANT = {"\x01": '"', "\x02": "\\"}


class Escaping(NamedTuple):
    r"""A template whose values may hold ``\"`` and ``\\``, which the exact reader alone reads."""

    inner: Templated

    @property
    def head(self) -> str | None:
        """Every line is a record of its own."""
        return None

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return self.inner.stamps(window, offsets)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        if self.inner.as_json or "\\" not in text or any(byte in text for byte in _MEANT):
            return self.inner.read(text)
        row = self.inner.read(re.sub(r'\\["\\]', lambda pair: _STAND_IN[pair[0]], text))
        return row if isinstance(row, Refused) else {name: _restored(value) for name, value in row.items()}

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``."""
        escaped = "contains(text, '\\\"') OR contains(text, '\\\\')"
        plain = f"(SELECT _artifact, _line, CASE WHEN NOT ({escaped}) THEN text END AS text FROM {source})"
        return self.inner.bulk(plain, sample)


def _restored(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """The value with the quotes and backslashes that were meant."""
    if isinstance(value, dict):
        return {name: _restored(inner) for name, inner in value.items()}
    return "".join(_MEANT.get(one, one) for one in value) if isinstance(value, str) else value


def parse_format(text: str) -> LogFormat:
    """Take apart a ``LogFormat`` or ``CustomLog`` directive, or only its string; refused where nobody could tell fields or the time."""
    body = _unquoted(text)
    as_json = body.lstrip().startswith("{")
    pieces = list(_pieces(body))
    names = [name for is_item, name in pieces if is_item]
    if not names:
        message = f"the LogFormat has no directive: {text[:80]!r}"
        raise ConfigError(message, "a directive is written %h or %{Referer}i")
    pieces, time, stamp = _with_time(pieces, body, as_json=as_json)
    return LogFormat(_template(pieces), time, stamp, as_json)


def _unquoted(text: str) -> str:
    """The format string itself; its backslashes are taken off where it stands as in the server's configuration."""
    found = _DIRECTIVE.fullmatch(text)
    body = found[1] if found else text.strip("\r\n")
    if found or '\\"' in body:
        body = re.sub(r"\\(.)", lambda one: {"t": "\t", "n": "\n"}.get(one[1], one[1]), body.replace("\\\n", ""))
    return body


def _pieces(body: str) -> Iterator[tuple[bool, str]]:
    """Directives by the name of their field and the literals between; a time by its format, with a percent sign in front."""
    at = 0
    for found in _ITEM.finditer(body):
        if found.start() > at:
            yield False, body[at : found.start()]
        at = found.end()
        yield (False, "%") if found[1] else (True, _name(found[2], found[3], found[4]))
    if at < len(body):
        yield False, body[at:]


def _name(modifier: str, argument: str | None, letter: str) -> str:
    """The name of a directive's field."""
    if letter == "t":
        return f"%{_expanded(argument or '')}"
    if letter == "s":
        return "status" if ">" in modifier else "original_status"
    if argument and letter in _WITH_NAME:
        return _WITH_NAME[letter] + re.sub("[^a-z0-9]", "_", argument.lower())
    meant = _MEANING.get(f"{{{(argument or '').lower()}}}{letter}") or _SIMPLE.get(letter)
    if meant is None:
        message = f"%{letter} is no directive of a LogFormat"
        raise ConfigError(message, "see the page of Apache's mod_log_config for what there is")
    return meant


def _expanded(time_format: str) -> str:
    """The format of a time with its shorthands written out."""
    time_format = time_format.removeprefix("begin:").removeprefix("end:")
    time_format = _FRACTIONS.get(time_format, time_format)
    for short, long in _CLOCK.items():
        time_format = time_format.replace(short, long)
    return time_format


def _with_time(pieces: list[tuple[bool, str]], body: str, *, as_json: bool) -> tuple[list[tuple[bool, str]], Cast, Stamp]:
    """The pieces with all parts of the time as one field ``time``, its brackets as literals, and how to read it."""
    there = [number for number, (is_item, name) in enumerate(pieces) if is_item and name.startswith("%")]
    if not there:
        message = f"the LogFormat has no time: {body[:80]!r}"
        raise ConfigError(message, "it needs %t")
    first, last = there[0], there[-1]
    written = "".join(name[1:] if is_item else name for is_item, name in pieces[first : last + 1])
    if as_json and not written:
        return [*pieces[:first], (True, "time"), *pieces[last + 1 :]], BRACKETED_TIME, COMMON
    inner = (written or "[%d/%b/%Y:%H:%M:%S %z]").removeprefix("[").removesuffix("]")
    known = _TIMES.get(inner)
    if known is None or any(is_item and not name.startswith("%") for is_item, name in pieces[first:last]):
        message = f"the LogFormat writes its time in a way that is not known: {inner[:80]!r}"
        raise ConfigError(message, "known are %t and " + ", ".join(f"%{{{one}}}t" for one in _TIMES))
    opening, closing = ("[", "]") if written[:1] in {"", "["} else ("", "")
    pieces = [*pieces[:first], (False, opening), (True, "time"), (False, closing), *pieces[last + 1 :]]
    return [piece for piece in pieces if piece[1]], *known


def _template(pieces: Sequence[tuple[bool, str]]) -> TextTemplate:
    """The pieces as a template; its text marks a field by a dollar sign, as that of a JSON format must."""
    parts: list[tuple[str, str]] = []
    start = ""
    for is_item, texts in groupby(pieces, key=lambda piece: piece[0]):
        values = [text for _, text in texts]
        if not is_item and parts:
            parts[-1] = (parts[-1][0], "".join(values))
        elif not is_item:
            start = "".join(values)
        elif len(values) > 1:
            message = f"{values[0]} and {values[1]} stand with nothing between, so that nobody can tell where one ends"
            raise ConfigError(message, "put a space between them in the LogFormat")
        else:
            parts.append((values[0], ""))
    return TextTemplate(start, tuple(parts), "".join(f"${text}" if is_item else text for is_item, text in pieces))
