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
    if value is None or value is MISSING or isinstance(value, str):
        return value if isinstance(value, str) else None
    return to_json(value)


def take(fields: Sequence[Field], document: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The values by column, and the paths that they were taken from."""
    values: dict[str, Any] = {}
    used: set[str] = set()
    for target in fields:
        values[target.column] = None
        for way in target.ways:
            value = find(document, way.path)
            if value is MISSING or (way.scalar and isinstance(value, dict | list)):
                continue
            if value is None:
                used.add(way.path)
                continue
            text = to_json(value) if way.shape else as_text(value)
            taken = None if text is None else way.cast.python(text)
            if taken is not None:
                values[target.column] = taken
                used.add(way.path)
                break
    return values, used


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
    def looked_at(self) -> frozenset[str]:
        """Every path that a field looks at, and the objects on the way there: null at one of them is nothing that was lost."""
        return frozenset(path[:end] for path in _paths(self) for end in range(1, len(path) + 1) if path[end : end + 1] in {"", "."})

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
            values, used = take(self.fields, document)
            used |= {key for key, value in document.items() if value is None and key in self.looked_at}
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
        taken = [_filled(target, self) for target in self.fields]
        layers.append(
            "SELECT *, "
            + ", ".join(f"{value} AS {_name(target.column)}" for target, (value, _) in zip(self.fields, taken, strict=True))
            + " FROM {below}"
        )
        if self.is_open:
            layers.append(f"SELECT *, {_rest(self)} AS _rest FROM {{below}}")
        layers += [
            "SELECT *, " + ", ".join(f"{sql} AS {_name(column)}" for column, sql in step.items()) + " FROM {below}" for step in self.steps
        ]
        conditions = [*(_OPEN_CONDITIONS if self.is_open else _closed_conditions(self)), *(sure for _, sure in taken if sure), *self.plain]
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


def _filled(target: Field, layout: JsonRecord) -> tuple[str, str]:
    """The SQL of a column, and the condition under which it surely equals what Python takes; no text when it always does."""
    values: list[str] = []
    sure: list[str] = []
    for way in target.ways:
        if layout.is_open and way.shape:
            message = f"{way.path}: an open record takes no JSON pieces"
            raise ValueError(message)
        raw = _raw(way.path)
        value = way.cast.sql.replace("{x}", raw)
        values.append(value)
        if way.shape:
            sure.append(f"({raw} IS NULL OR regexp_full_match({raw}::VARCHAR, {quoted(way.shape)}))")
        elif way.cast is not TEXT and not way.total:
            sure.append(f"({raw} IS NULL OR ({value}) IS NOT NULL)")
    return (values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"), " AND ".join(sure)


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
    """Opens a record once for the columns and once for all its keys. Of names that differ in case alone DuckDB takes one: the rest is odd."""
    named = {path.lower(): path for path in reversed(_paths(layout))}
    structure = json.dumps(dict.fromkeys(named.values(), "VARCHAR"))
    taken = ", ".join(f"{f'_open.{_name(path)}' if path in named.values() else 'NULL::VARCHAR'} AS {_raw(path)}" for path in _paths(layout))
    heads = {path[:end] for path in (*_paths(layout), *layout.known) for end in range(len(path)) if path[end] == "."}
    listed = ", ".join(quoted(path) for path in sorted(heads | set(_paths(layout)) | layout.known))
    same = ", ".join(quoted(path) for path in _paths(layout) if path not in named.values())
    odd = rf"entry.key IN [{listed}] AND regexp_matches(entry.value::VARCHAR, '^(?:[\[{{]|-?(?i:nan|inf)|\"[\[{{])')" + (
        f" OR entry.key IN [{same}]" if same else ""
    )
    inner = f"SELECT _artifact, _line, from_json(_text, {quoted(structure)}) AS _open, map_entries(from_json(_text, '\"MAP(VARCHAR, JSON)\"')) AS _entries FROM {{below}}"
    return f"SELECT _artifact, _line, {taken}, _entries, len(list_filter(_entries, lambda entry: {odd})) = 0 AS _flat FROM ({inner})"


PLAIN_EXTRA = (
    r'(?:"(?:[^"\\]|\\[^u])*"|true|false|null|-?[1-9][0-9]{0,17}|0|-?[1-9][0-9]{0,9}\.[0-9]{1,5}|0\.[0-9]{1,4}|\[\]|\{\}'
    r"|\[[^\[\]{}\\:.eE0-9]*\]|\{[^\[\]{}\\:]*:[^\[\]{}\\:.eE]*\})"
)
"""Values whose compact text is the same by DuckDB and by Python: no odd numbers, no two keys in one object."""


_OPEN_CONDITIONS = (
    "_flat",
    f"len(list_filter(_rest, lambda entry: NOT regexp_full_match(coalesce(entry.value::VARCHAR, 'null'), {quoted(PLAIN_EXTRA)}))) = 0",
)


def _rest(layout: JsonRecord) -> str:
    """The entries that no column was taken from."""
    used = ", ".join(_used(target) for target in layout.fields)
    looked_at = ", ".join(quoted(path) for path in sorted(layout.looked_at))
    return (
        f"list_filter(_entries, lambda entry: NOT coalesce(list_contains([{used}], entry.key), false) "
        f"AND NOT (entry.value IS NULL AND entry.key IN [{looked_at}]))"
    )


def _used(target: Field) -> str:
    cases = " ".join(f"WHEN ({way.cast.sql.replace('{x}', _raw(way.path))}) IS NOT NULL THEN {quoted(way.path)}" for way in target.ways)
    return f"CASE {cases} END"
