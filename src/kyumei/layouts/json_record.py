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
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Refused
from kyumei.layouts.casts import TEXT, Cast, quoted, to_json
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
_LENIENT = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[\]}])|(?<![\w.])-?(?:nan|inf(?:inity)?)(?!\w)', re.IGNORECASE | re.DOTALL)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Way:
    """One way to fill a column: the value at ``path``, as text, by ``cast``.

    With ``shape``, a pattern of RE2, the value is kept as compact JSON instead, and the bulk reader takes it only where it matches.
    ``total`` says that the SQL of the cast answers null exactly where Python does, so that null is an answer and no reason to look again.
    ``scalar`` passes over objects and lists, which would else be taken as their JSON text.
    """

    path: str
    cast: Cast = TEXT
    shape: str = ""
    total: bool = False
    scalar: bool = False


@dataclass(frozen=True)
class Field:
    """A column and the ways to fill it, the first that fits. A column that the table lacks is there for later steps only."""

    column: str
    ways: tuple[Way, ...]


def one(column: str, path: str, cast: Cast = TEXT, *, shape: str = "", total: bool = False) -> Field:
    """A column that comes from one path."""
    return Field(column, (Way(path, cast, shape, total=total),))


def parse_object(text: str) -> dict[str, Any] | Refused:
    """The JSON object in the text, or why there is none. Never raises; all strings in it can be stored as UTF-8."""
    if text[:1] != "{" and text.lstrip(_BLANK)[:1] != "{":
        return Refused("not a JSON object")
    try:
        value = _loads(text)
    except ValueError as error:
        why = str(error) if isinstance(error, json.JSONDecodeError) else "not valid JSON"
        lenient = _LENIENT.sub(_leniently, text)
        if lenient == text:
            return Refused(f"not valid JSON: {why}")
        try:
            value = _loads(lenient)
        except (ValueError, RecursionError):
            return Refused(f"not valid JSON: {why}")
    except RecursionError:
        return Refused("the JSON is nested too deeply")
    return value if isinstance(value, dict) else Refused("not a JSON object")


def _loads(text: str) -> Any:  # noqa: ANN401 - any JSON value
    value = json.loads(text, object_pairs_hook=_first_of_each, parse_int=_integer, parse_float=_float, parse_constant=str)
    return _storable(value) if not text.isascii() or _ESCAPED_SURROGATE.search(text) else value


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    first: dict[str, Any] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    return first


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


def _storable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return [_storable(item) for item in value] if isinstance(value, list) else value


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
    rewrites an object before it is looked at; ``derive`` answers further columns from the object and the values taken, and the paths that it
    used up. ``steps`` say the same in SQL, each a layer of expressions over the columns of those before. ``plain`` are conditions, over all
    columns, without which the bulk reader leaves a record to the exact one. ``is_open`` says that unknown keys are normal, so that the bulk
    reader collects them in ``_extra``; else they are a case for the exact reader. ``stamp_ways`` are the ways in which the time is written;
    null when it is in none that a substring could tell.
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

    @cached_property
    def index(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """See ``index_of``. Null under one of these keys is nothing that was lost."""
        return index_of(self.fields)

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """Substrings of which every record in the window holds one; see ``contracts.Layout``."""
        return substrings(self.stamp_ways, window, offsets) if self.stamp_ways else ()

    def read(self, text: str) -> dict[str, Any] | Refused:
        """The row of one record, or why it cannot be read."""
        found = parse_object(text)
        if isinstance(found, Refused):
            return found
        try:
            document = self.prepare(found)
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

    def bulk(self, source: str) -> str:
        """The SELECT that reads all plain records of ``source``; see ``contracts.Layout``."""
        sound = "CASE WHEN json_valid(text) AND starts_with(ltrim(text, ' ' || chr(9) || chr(10) || chr(13)), '{') THEN text END"
        layers = [f"SELECT _artifact, _line, {sound} AS _text FROM {source}"]
        layers.append((_open_layer if self.is_open else _closed_layer)(self))
        layers.append(
            "SELECT *, " + ", ".join(f"coalesce({_raws(target)}) AS {_first(target)}" for target in self.fields) + " FROM {below}"
        )
        layers.append("SELECT *, " + ", ".join(f"{_value(target)} AS {_name(target.column)}" for target in self.fields) + " FROM {below}")
        if self.is_open:
            layers += [f"SELECT *, {_used(self)} AS _used FROM {{below}}", f"SELECT *, {_rest(self)} AS _rest FROM {{below}}"]
        layers += [
            "SELECT *, " + ", ".join(f"{sql} AS {_name(column)}" for column, sql in step.items()) + " FROM {below}" for step in self.steps
        ]
        conditions = [*(_open_conditions(self) if self.is_open else _closed_conditions(self)), *map(_sure, self.fields), *self.plain]
        made = {target.column for target in self.fields} | {column for step in self.steps for column in step}
        columns = ", ".join(
            _name(column.name) if column.name in made else f"NULL::{column.kind} AS {_name(column.name)}" for column in self.table.columns
        )
        naive = 'coalesce("_naive", 0)' if "_naive" in made else "0"
        extra = "CASE WHEN len(_rest) > 0 THEN to_json(map_from_entries(_rest))::VARCHAR END" if self.is_open else "NULL::VARCHAR"
        layers.append(
            f"SELECT _artifact, _line, {naive} AS _naive, {extra} AS _extra, {columns}, ({' AND '.join(conditions)}) AS _ok FROM {{below}}"
        )
        names = [f"_layer{number}" for number in range(len(layers) - 1)]
        inner = [layers[0], *(layer.replace("{below}", name) for layer, name in zip(layers[1:], names, strict=True))]
        return "WITH " + ", ".join(f"{name} AS ({layer})" for name, layer in zip(names, inner, strict=False)) + " " + inner[-1]


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _raw(path: str) -> str:
    """The column that holds the raw text at a path, between the layers."""
    return _name(f"raw {path}")


def _paths(layout: JsonRecord) -> dict[str, bool]:
    """Every path that a field looks at, and whether it is kept as JSON."""
    return {way.path: bool(way.shape) for target in layout.fields for way in target.ways}


def _raws(target: Field) -> str:
    return ", ".join(_raw(way.path) for way in target.ways)


def _first(target: Field) -> str:
    """The column that holds the first raw text that is there, of the ways to fill a column."""
    return _name(f"first {target.column}")


def _value(target: Field) -> str:
    """The first raw text by its own cast. Where that is null another way may fit: see ``_sure``."""
    parts: list[tuple[Cast, list[str]]] = []
    for way in target.ways:
        if not parts or parts[-1][0] is not way.cast:
            parts.append((way.cast, []))
        parts[-1][1].append(_raw(way.path))
    cast = [f"({part.sql.replace('{x}', _first(target))})" for part, _ in parts]
    if len(parts) == 1:
        return cast[0]
    there = [f"WHEN coalesce({', '.join(raws)}) IS NOT NULL THEN {value}" for (_, raws), value in zip(parts, cast, strict=True)]
    return f"CASE {' '.join(there)} END"


def _sure(target: Field) -> str:
    """The condition under which the value surely equals what Python takes: it fits, or nothing else is there that could."""
    first, value, way = _first(target), _name(target.column), target.ways[0]
    if way.shape:
        return f"({first} IS NULL OR regexp_full_match({first}::VARCHAR, {quoted(way.shape)}))"
    if len(target.ways) == 1 and (way.cast is TEXT or way.total):
        return "true"
    alone = " + ".join(f"({_raw(other.path)} IS NOT NULL)::INTEGER" for other in target.ways) + " = 1"
    return f"({first} IS NULL OR {value} IS NOT NULL{f' OR {alone}' if all(other.total for other in target.ways) else ''})"


# Closed records: every key is known, objects are nested as the vendor nests them.


def _tree(layout: JsonRecord) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, as_json in _paths(layout).items():
        *objects, leaf = path.split(".")
        node = tree
        for step in objects:
            node = node.setdefault(step, {})
        node[leaf] = "JSON" if as_json else "VARCHAR"
    return tree


def _known_keys(layout: JsonRecord) -> dict[str, set[str]]:
    """The keys that may be there, by the object that they are in ("" is the record itself)."""
    keys: dict[str, set[str]] = {"": set()}
    for path in (*_paths(layout), *layout.known):
        above, _, leaf = path.rpartition(".")
        keys.setdefault(above, set()).add(leaf)
        while above:
            above, _, leaf = above.rpartition(".")
            keys.setdefault(above, set()).add(leaf)
    return keys


def _closed_layer(layout: JsonRecord) -> str:
    where = ["$" + "".join("." + _name(step) for step in above.split(".") if step) for above in _known_keys(layout)]
    opened = {path: "_open" + "".join("." + _name(step) for step in path.split(".")) for path in _paths(layout)}
    taken = ", ".join(f"{opened[path]} AS {_raw(path)}" for path in opened)
    inner = f"SELECT _artifact, _line, from_json(_text, {quoted(json.dumps(_tree(layout)))}) AS _open, json_keys(_text, [{', '.join(map(quoted, where))}]) AS _keys FROM {{below}}"
    texts = ", ".join(opened[path] for path, as_json in _paths(layout).items() if not as_json)
    return f"SELECT _artifact, _line, _keys, {taken}, concat_ws(chr(2), '', {texts}) AS _texts FROM ({inner})"


def _closed_conditions(layout: JsonRecord) -> list[str]:
    """No unknown key; no object, list or NaN where a text is expected."""
    conditions = [r"NOT regexp_matches(_texts, '\x02(?:[\[{]|-?(?i:nan|inf))')"]
    for number, (above, keys) in enumerate(_known_keys(layout).items(), start=1):
        listed = ", ".join(quoted(key) for key in sorted(keys))
        conditions.append(f"len(list_filter(_keys[{number}], lambda key: key NOT IN [{listed}])) = 0")
        if above:
            conditions.append(f"len(_keys[{number}]) > 0")
    return conditions


# Open records: any key may be there, and the keys that a column is filled from are flat.


def _open_layer(layout: JsonRecord) -> str:
    """Opens a record once for the columns and once for all its keys. Of names that differ in case alone DuckDB takes one."""
    named = {path.lower(): path for path in reversed(_paths(layout))}
    structure = quoted(json.dumps(dict.fromkeys(named.values(), "VARCHAR")))
    taken = ", ".join(f"{f'_open.{_name(path)}' if path in named.values() else 'NULL::VARCHAR'} AS {_raw(path)}" for path in _paths(layout))
    entries = "map_entries(from_json(_text, '\"MAP(VARCHAR, JSON)\"'))"
    inner = f"SELECT _artifact, _line, from_json(_text, {structure}) AS _open, {entries} AS _entries FROM {{below}}"
    return f"SELECT _artifact, _line, {taken}, _entries FROM ({inner})"


def _open_conditions(layout: JsonRecord) -> list[str]:
    """No object under a key in which a column may be looked for, nor where a text is expected; no value in ``_extra`` that is not plain."""
    named = {path.lower(): path for path in reversed(_paths(layout))}
    heads = {head for path in _paths(layout) for head in heads_of(path)[:-1]}
    same = [path for path in _paths(layout) if path not in named.values()]
    inside = ", ".join(quoted(key) for key in sorted(heads))
    objects = "list_filter(_rest, lambda entry: starts_with(entry.value::VARCHAR, '{'))"
    firsts = ", ".join(f"left({_first(target)}, 1)" for target in layout.fields)
    return [
        f"len(list_filter({objects}, lambda entry: entry.key IN [{inside}])) = 0",
        f"NOT regexp_matches(concat({firsts}), '[\\[{{]')",
        f"len(list_filter(_rest, lambda entry: NOT regexp_full_match(coalesce(entry.value::VARCHAR, 'null'), {quoted(PLAIN_EXTRA)}))) = 0",
        *(f"len(list_filter(_rest, lambda entry: entry.key = {quoted(path)})) = 0" for path in same),
    ]


PLAIN_EXTRA = (
    r'(?:"(?:[^"\\]|\\[^u])*"|true|false|null|-?[1-9][0-9]{0,17}|0|-?[1-9][0-9]{0,9}\.[0-9]{1,5}|0\.[0-9]{1,4}|\[\]|\{\}'
    r"|\[[^\[\]{}\\:.eE0-9]*\]|\{[^\[\]{}\\:]*:[^\[\]{}\\:.eE]*\})"
)
"""Values whose compact text is the same by DuckDB and by Python: no odd numbers, no two keys in one object."""


def _used(layout: JsonRecord) -> str:
    """The paths that values were taken from."""
    cases = [
        f"CASE WHEN {_name(target.column)} IS NOT NULL THEN CASE {' '.join(f'WHEN {_raw(way.path)} IS NOT NULL THEN {quoted(way.path)}' for way in target.ways)} END END"
        for target in layout.fields
    ]
    return f"[{', '.join(cases)}]"


def _rest(layout: JsonRecord) -> str:
    """The entries that no column was taken from, without nulls at a known key."""
    known = ", ".join(quoted(key) for key in sorted(layout.index))
    unused = "list_filter(_entries, lambda entry: NOT coalesce(list_contains(_used, entry.key), false))"
    return f"CASE WHEN len(list_filter({unused}, lambda entry: entry.value IS NULL)) = 0 THEN {unused} ELSE list_filter({unused}, lambda entry: NOT (entry.value IS NULL AND entry.key IN [{known}])) END"
