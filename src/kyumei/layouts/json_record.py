"""The JSON layout: a record is the text of one JSON object.

A format declares which column comes from which key. A key may be written flat (``"log.level"``) or nested (``{"log": {"level": …}}``):
both are the path ``log.level``. The first path whose value is there and fits the column's cast is taken; whatever is not taken stays in
``_extra``.

The exact reader is Python's own, made to agree with DuckDB's parser where the two differ: of a key that is there twice the first counts,
a comma before a closing bracket is passed over, NaN becomes the word, an integer of any length keeps its digits, half of a surrogate pair
is written out. The bulk reader opens the object once with a typed structure, and leaves whatever is unusual to the exact reader.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.layouts.casts import TEXT, Cast, to_json
from kyumei.layouts.json_bulk import select
from kyumei.layouts.stamps import substrings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from kyumei.layouts.stamps import Stamp
    from kyumei.model.table import Table
    from kyumei.model.window import Window

MISSING: Any = object()
"""What ``find`` answers when a path is not there; null is a value."""
_BLANK = " \t\r\n"
_LONGEST_NUMBER = 4000
"""Digits of an integer that Python converts; a longer one stays text."""
_LENIENT = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|,(?=\s*[\]}])|(?<![\w.])-?(?:nan|inf(?:inity)?)(?!\w)', re.IGNORECASE | re.DOTALL)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Way(NamedTuple):
    """One way to fill a column: the value at ``path``, as text, by ``cast``.

    With ``shape``, a pattern of RE2, the value is kept as compact JSON instead, and the bulk reader takes it only where it matches.
    ``mostly`` is SQL that is only true where it does, and told sooner; ``{x}`` stands for the text.
    ``total`` says that the SQL of the cast answers null exactly where Python does, so that null is an answer and no reason to look again.
    ``scalar`` passes over objects and lists, which would else be taken as their JSON text.
    """

    path: str
    cast: Cast = TEXT
    shape: str = ""
    total: bool = False
    scalar: bool = False
    mostly: str = ""


class Field(NamedTuple):
    """A column and the ways to fill it, the first that fits. A column that the table lacks is there for later steps only."""

    column: str
    ways: tuple[Way, ...]


def one(column: str, path: str, cast: Cast = TEXT, *, shape: str = "", total: bool = False) -> Field:
    """A column that comes from one path."""
    return Field(column, (Way(path, cast, shape, total=total),))


def first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values; of a key that is there twice the first."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    first: dict[str, Any] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    return first


def parse_object(text: str, made: Callable[[list[tuple[str, Any]]], dict[str, Any]] = first_of_each) -> dict[str, Any] | Refused:
    """The JSON object in the text, or why there is none. Never raises; all strings in it can be stored as UTF-8.

    ``made`` makes an object of its keys and values.
    """
    if text[:1] != "{" and text.lstrip(_BLANK)[:1] != "{":
        return Refused("not a JSON object")
    try:
        value = _loads(text, made)
    except ValueError as error:
        why = str(error) if isinstance(error, json.JSONDecodeError) else "not valid JSON"
        lenient = _LENIENT.sub(_leniently, text)
        if lenient == text:
            return Refused(f"not valid JSON: {why}")
        try:
            value = _loads(lenient, made)
        except (ValueError, RecursionError):
            return Refused(f"not valid JSON: {why}")
    except RecursionError:
        return Refused("the JSON is nested too deeply")
    return value if isinstance(value, dict) else Refused("not a JSON object")


def _loads(text: str, made: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> Any:  # noqa: ANN401 - any JSON value
    value = json.loads(text, object_pairs_hook=made, parse_int=_integer, parse_float=_float, parse_constant=str)
    return _storable(value, made) if not text.isascii() or _ESCAPED_SURROGATE.search(text) else value


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < _LONGEST_NUMBER else digits


def _float(digits: str) -> float | str:
    number = float(digits)
    return digits if number in {float("inf"), float("-inf")} else number


def _leniently(found: re.Match[str]) -> str:
    word = found[0]
    if word.startswith('"'):
        return word
    return "" if word == "," else f'"{word}"'


def _storable(value: Any, made: Callable[[list[tuple[str, Any]]], dict[str, Any]]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return made([(_storable(key, made), _storable(item, made)) for key, item in value.items()])
    return [_storable(item, made) for item in value] if isinstance(value, list) else value


def find(document: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - any JSON value
    """The value at a path, written flat, nested, or partly so; MISSING when there is none."""
    if path in document:
        return document[path]
    end = path.find(".")
    while end >= 0:
        inner = document.get(path[:end])
        if isinstance(inner, dict) and (value := find(inner, path[end + 1 :])) is not MISSING:
            return value
        end = path.find(".", end + 1)
    return MISSING


def without(document: Mapping[str, Any], paths: set[str]) -> dict[str, Any]:
    """The object without what lies at the paths; an object that becomes empty by that goes too."""
    rest: dict[str, Any] = {}
    for key, value in document.items():
        if key in paths:
            continue
        if isinstance(value, dict) and (inner := {path[len(key) + 1 :] for path in paths if path.startswith(key + ".")}):
            left = without(value, inner)
            if left or not value:
                rest[key] = left
        else:
            rest[key] = value
    return rest


def as_text(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """A JSON value as a text: a string is itself, null is null, anything else as it is written in JSON."""
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return None
    return to_json(value) if isinstance(value, bool | dict | list) else str(value)


def take(
    fields: Sequence[Field], index: Mapping[str, tuple[tuple[int, int], ...]], document: Mapping[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    """The values by column, and the paths that they were taken from. ``index`` is that of the fields; see ``index_of``."""
    values: dict[str, Any] = {target.column: None for target in fields}
    used: set[str] = set()
    taken = -1
    for number, place in sorted({pair for key in document if key in index for pair in index[key]}):
        way = fields[number].ways[place]
        value = find(document, way.path) if number != taken else MISSING
        if value is MISSING or (way.scalar and isinstance(value, dict | list)):
            continue
        if value is None:
            used.add(way.path)
            continue
        text = to_json(value) if way.shape else as_text(value)
        cast = None if text is None else way.cast.python(text)
        if cast is not None:
            values[fields[number].column] = cast
            used.add(way.path)
            taken = number
    return values, used


def index_of(fields: Sequence[Field]) -> dict[str, tuple[tuple[int, int], ...]]:
    """By key of a record, which ways of which fields may begin there: a path that is flat, or nested from any of its dots on."""
    found: dict[str, list[tuple[int, int]]] = {}
    for number, target in enumerate(fields):
        for place, way in enumerate(target.ways):
            for head in heads_of(way.path):
                found.setdefault(head, []).append((number, place))
    return {key: tuple(pairs) for key, pairs in found.items()}


def heads_of(path: str) -> tuple[str, ...]:
    """The keys under which a path may begin: ``a.b.c`` under ``a``, ``a.b`` and ``a.b.c``."""
    return tuple(path[:end] for end in range(1, len(path) + 1) if path[end : end + 1] in {"", "."})


@dataclass(frozen=True)
class JsonRecord:
    """A layout for records that are JSON objects.

    ``known`` are paths that are no surprise though no column is filled from them; ``needs`` are paths that must all be there. ``prepare``
    rewrites an object before it is looked at; ``derive`` answers further columns from the object and the values taken, and the paths that
    it used up. ``steps`` say the same in SQL, each a layer of expressions over the columns of those before. ``plain`` are conditions,
    over all columns, without which the bulk reader leaves a record to the exact one. In both, ``{has key other}`` stands for whether the
    record has any of these keys, and ``"raw path"`` for the text at a path. ``is_open`` says that unknown keys are normal, so
    that the bulk reader collects them in ``_extra``; else they are a case for the exact reader. ``stamp_ways`` are the ways in which the
    time is written; null when it is in none that a substring could tell. ``made`` makes an object of its keys and values. ``refuses`` says
    why an object that is prepared is none of its records, or nothing; ``plain`` must leave such a one to the exact reader.
    """

    table: Table
    fields: tuple[Field, ...]
    stamp_ways: tuple[Stamp, ...] | None = None
    known: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document
    derive: Callable[[Mapping[str, Any], dict[str, Any]], tuple[dict[str, Any], set[str]]] = lambda _document, _values: ({}, set())
    steps: tuple[Mapping[str, str], ...] = ()
    plain: tuple[str, ...] = ()
    is_open: bool = False
    head: str | None = None
    made: Callable[[list[tuple[str, Any]]], dict[str, Any]] = first_of_each
    refuses: Callable[[Mapping[str, Any]], str] = lambda _document: ""

    @cached_property
    def index(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """See ``index_of``. Null under one of these keys is nothing that was lost."""
        return index_of(self.fields)

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """Substrings of which every record in the window holds one; see ``contracts.Layout``."""
        return substrings(self.stamp_ways, window, offsets) if self.stamp_ways else ()

    def read(self, text: str) -> dict[str, Any] | Refused:
        """The row of one record, or why it cannot be read."""
        found = parse_object(text, self.made)
        if isinstance(found, Refused):
            return found
        try:
            document = self.prepare(found)
            if why := self.refuses(document):
                return Refused(why)
            missing = [path for path in sorted(self.needs) if find(document, path) is MISSING]
            if missing:
                return Refused("has no key " + ", ".join(missing))
            values, used = take(self.fields, self.index, document)
            used |= {key for key, value in document.items() if value is None and key in self.index}
            more, also = self.derive(document, values)
            values.update(more)
            row = {column.name: values.get(column.name) for column in self.table.columns}
            row["_naive"] = values.get("_naive") or 0
            row["_extra"] = without(document, used | also | self.known) or None
        except RecursionError:
            return Refused("the JSON is nested too deeply")
        return row

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """The SELECT that reads all plain records of ``source``; see ``contracts.Layout``."""
        documents = [found for text in sample if isinstance(found := parse_object(text), dict)]
        return select(self, source, documents)
