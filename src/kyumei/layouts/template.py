"""The templated layout: a line as a server's own format string makes it, literal text with variables between.

A value ends where the literal behind its variable first occurs, which is what a reader must take when values may hold anything. Where that
literal begins with a space, a list as nginx writes for retried upstreams (``a, b : c``) stays together. A template of JSON is read as JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.errors import ConfigError
from kyumei.layouts.casts import TEXT, fill, quoted
from kyumei.layouts.stamps import substrings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from kyumei.layouts.casts import Take
    from kyumei.layouts.stamps import Stamp
    from kyumei.model.table import Column
    from kyumei.model.window import Window

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))", re.ASCII)
_DIRECTIVE = re.compile(r"\s*log_format\s+[^\s;]+\s+(?:escape=(default|json|none)\s+)?(.*?);?\s*", re.DOTALL)
_STRING = re.compile(r"""\s*(?:'((?:[^'\\]++|\\.)*+)'|"((?:[^"\\]++|\\.)*+)")\s*""", re.DOTALL)
_MISSING = ("-", "")


class TextTemplate(NamedTuple):
    """``start``, then each variable with the literal text behind it."""

    start: str
    parts: tuple[tuple[str, str], ...]
    text: str


def parse_log_format(text: str) -> tuple[str, str]:
    """The text of nginx's ``log_format`` directive, its strings put together, and its ``escape``; a text that is none is taken as it is."""
    found = _DIRECTIVE.fullmatch(text)
    escape, body = (found[1] or "default", found[2]) if found else ("", text)
    strings = []
    at = 0
    while at < len(body):
        piece = _STRING.match(body, at)
        if not piece:
            break
        strings.append(re.sub(r"\\(['\"\\])", r"\1", piece[1] if piece[1] is not None else piece[2]))
        at = piece.end()
    whole = "".join(strings) if strings and at == len(body) else body.strip("\r\n")
    return whole, escape or ("json" if whole.lstrip().startswith("{") else "default")


def parse_template(text: str) -> TextTemplate:
    """Take a format string apart; refused when it has no variable, or two with nothing between."""
    found = list(_VARIABLE.finditer(text))
    if not found:
        message = f"the format has no variable: {text[:80]!r}"
        raise ConfigError(message, "a variable is written $name")
    ends = [variable.start() for variable in found[1:]] + [len(text)]
    parts = tuple((variable[1] or variable[2], text[variable.end() : end]) for variable, end in zip(found, ends, strict=True))
    for number, (name, literal) in enumerate(parts[:-1]):
        if not literal:
            message = f"${name} and ${parts[number + 1][0]} stand with nothing between, so that nobody can tell where one ends"
            raise ConfigError(message, "put a space between them in the log format")
    return TextTemplate(text[: found[0].start()], parts, text)


@dataclass(frozen=True)
class Templated:
    """A layout from a format string. Variables that fill no column are kept in ``_extra`` by name."""

    columns: tuple[Column, ...]
    template: TextTemplate
    takes: tuple[Take, ...]
    written: tuple[Stamp, ...]
    required: tuple[str, ...] = ("time",)
    as_json: bool = False
    kept: frozenset[str] = frozenset()
    """Variables in which a dash is no missing value but says something."""

    @property
    def head(self) -> str | None:
        """Every line is a record of its own."""
        return None

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return substrings(self.written, window, offsets)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        raw = self._from_json(text) if self.as_json else _values(self.template, text, self.kept)
        if isinstance(raw, Refused):
            return raw
        values, faults = fill(self.takes, raw)
        for name in self.required:
            if values.get(name) is None:
                return Refused(f"{name} cannot be read")
        taken = {take.source for take in self.takes}
        extra = {name: value for name, value in raw.items() if value is not None and name not in taken} | faults
        return {"_naive": 0, "_extra": extra or None, **{column.name: values.get(column.name) for column in self.columns}}

    @cached_property
    def _json_places(self) -> dict[tuple[str, ...], str]:
        """Which variable stands at which place of the JSON object that the format makes."""
        text = re.sub(r"(:\s*)(\$\{?[A-Za-z0-9_]+\}?)(?=\s*[,}])", r'\1"\2"', self.template.text)
        try:
            example = json.loads(text)
        except ValueError:
            return {}
        return {path: found[1] or found[2] for path, value in _leaves(example) if (found := _VARIABLE.fullmatch(value))}

    def _from_json(self, text: str) -> dict[str, str | None] | Refused:
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            return Refused("no JSON object")
        raw: dict[str, str | None] = {}
        for path, value in _leaves(record):
            name = self._json_places.get(path, ".".join(path))
            raw[name] = None if _is_missing(name, value, self.kept) else value
        return raw

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:  # noqa: ARG002 - these are never many shapes
        """See ``contracts.Layout``. Lines of JSON are all left to the exact reader."""
        names = list(dict.fromkeys(name for name, _ in self.template.parts))
        raw = self._raw_sql(names, source)
        takes = {take.column: take for take in self.takes}
        columns = ", ".join(f'({_value(takes.get(column.name))})::{column.kind} AS "{column.name}"' for column in self.columns)
        checks = ["_fits", *(f'"{name}" IS NOT NULL' for name in self.required)]
        checks += [
            f'({_id(take.source)} IS NULL OR "{take.column}" IS NOT NULL)'
            for take in self.takes
            if take.cast is not TEXT and not take.optional and take.column not in self.required
        ]
        shapes = {(take.source, take.cast.shape) for take in self.takes if take.optional and take.cast.shape}
        checks += [f"({_id(source)} IS NULL OR regexp_full_match({_id(source)}, {quoted(shape)}))" for source, shape in sorted(shapes)]
        listed = ", ".join(f'"{column.name}"' for column in self.columns)
        values = f"SELECT *, {columns} FROM ({raw})"
        return (
            f"SELECT _artifact, _line, 0 AS _naive, {self._extra_sql(names)} AS _extra, {listed}, "
            f"coalesce({' AND '.join(checks)}, false) AS _ok FROM ({values})"
        )

    def _raw_sql(self, names: Sequence[str], source: str) -> str:
        """The raw fields; none where the exact reader alone is to read."""
        if self.as_json or len(names) < len(self.template.parts):
            nothing = ", ".join(f"NULL::VARCHAR AS {_id(name)}" for name in names)
            return f"SELECT _artifact, _line, false AS _fits, {nothing} FROM {source}"
        pattern = quoted(_pattern(self.template))
        groups = "[" + ", ".join(quoted(name) for name in names) + "]"
        fits = f"SELECT _artifact, _line, text, regexp_full_match(text, {pattern}) AS _fits FROM {source}"
        cut = f"SELECT _artifact, _line, _fits, CASE WHEN _fits THEN regexp_extract(text, {pattern}, {groups}) END AS r FROM ({fits})"
        raws = ", ".join(
            f"NULLIF(r[{quoted(name)}], '') AS {_id(name)}"
            if name in self.kept
            else f"NULLIF(NULLIF(r[{quoted(name)}], '-'), '') AS {_id(name)}"
            for name in names
        )
        return f"SELECT _artifact, _line, _fits, {raws} FROM ({cut})"

    def _extra_sql(self, names: Sequence[str]) -> str:
        """The variables that fill no column, as JSON; null when none of them has a value."""
        taken = {take.source for take in self.takes}
        others = [name for name in names if name not in taken]
        if not others:
            return "NULL::JSON"
        entries = "[" + ", ".join(f"{{'k': {quoted(name)}, 'v': {_id(name)}}}" for name in others) + "]"
        there = " OR ".join(f"{_id(name)} IS NOT NULL" for name in others)
        return f"CASE WHEN {there} THEN to_json(map_from_entries(list_filter({entries}, lambda e: e.v IS NOT NULL))) END"


def _value(take: Take | None) -> str:
    """SQL for a column."""
    return take.cast.sql.replace("{x}", _id(take.source)) if take else "NULL"


def _id(name: str) -> str:
    """The name of a raw field as an SQL identifier, which no column can have."""
    return f'"raw {name}"'


def _pattern(template: TextTemplate) -> str:
    """A pattern of lines in which no value holds the first character of the literal behind it: where each ends is then certain."""
    pieces = [re.escape(template.start)]
    for number, (_, literal) in enumerate(template.parts):
        if not literal:
            pieces.append("((?s:.*))")
        elif literal[0] == " ":
            pieces.append("([^ ]*[^ ,:]|)" + re.escape(literal))
        else:
            pieces.append(f"([^{re.escape(literal[0])}]*){re.escape(literal)}")
        if number == len(template.parts) - 1:
            break
    return "".join(pieces)


def _is_missing(name: str, value: str, kept: frozenset[str]) -> bool:
    return value == "" if name in kept else value in _MISSING


def _values(template: TextTemplate, text: str, kept: frozenset[str]) -> dict[str, str | None] | Refused:
    """The values of the variables; of a variable that stands twice the first."""
    if not text.startswith(template.start):
        return Refused("the line does not begin as its format does")
    raw: dict[str, str | None] = {}
    at = len(template.start)
    for number, (name, literal) in enumerate(template.parts):
        end = _end(text, at, literal)
        if end < 0:
            return Refused(f"the text behind ${name} is missing")
        if number == len(template.parts) - 1 and end + len(literal) != len(text):
            return Refused("the line goes on where its format ends")
        value = text[at:end]
        raw.setdefault(name, None if _is_missing(name, value, kept) else value)
        at = end + len(literal)
    return raw


def _end(text: str, at: int, literal: str) -> int:
    """Where the value that starts here ends; -1 when the literal behind it does not follow."""
    if not literal:
        return len(text)
    end = text.find(literal, at)
    while literal[0] == " " and at < end and (text[end - 1] in ",:" or text.startswith(" : ", end)):
        after = text.find(literal, end + (3 if text.startswith(" : ", end) else 1))
        if after < 0:
            break
        end = after
    return end


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:  # noqa: ANN401 - any JSON value
    """The values of a JSON object that hold no others, as text, with their places."""
    if isinstance(value, dict) and len(path) < 20:  # noqa: PLR2004 - deep enough for a log, shallow enough for the stack
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif value is not None and path:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
