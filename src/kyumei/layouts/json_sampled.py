"""The bulk reader of open JSON records made for what a sample of them shows.

The record is opened once with a structure that holds the keys of the sample and no others, and its keys are read beside it: where they are
those of the sample and in their order, nothing can be anywhere else, and what no column was taken from is put together again in its order.
Every other record is for the exact reader.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Select
from kyumei.layouts.casts import TEXT, quoted
from kyumei.layouts.json_sample import Node, observed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.layouts.json_record import Field, JsonRecord, Way

Place = tuple[str, ...]
HAS = re.compile(r"\{has ([^}]*)\}")
"""In the SQL of a layout: whether the record has any of these keys."""
_RAW = re.compile(r'"raw ([^"]+)"')


def select(layout: JsonRecord, sound: str, documents: Sequence[Mapping[str, Any]]) -> str:
    """The SELECT for records like the documents; ``sound`` selects _artifact, _line and the text of an object as _text."""
    heads = frozenset(way.path[:end] for way in _all_ways(layout) for end, one in enumerate(way.path) if one == ".")
    node = observed(documents, heads - {way.path for way in _all_ways(layout) if not way.scalar})
    places = _places(layout, node)
    ways = {target.column: [way for way in target.ways if way.path in places] for target in layout.fields}
    kinds = {column.name: str(column.kind) for column in layout.table.columns} | {"_naive": "INTEGER"}
    structure = quoted(json.dumps(_structure(node, frozenset(places.values()))))
    paths = ", ".join(quoted(_json_path(place)) for place, _ in node.opened())
    layers = [sound]
    layers.append(
        f"SELECT _artifact, _line, _text, from_json(_text, {structure}) AS _open, json_keys(_text, [{paths}]) AS _keys FROM {{below}}"
    )
    raws = [f"_open{_steps(places[path])} AS {_raw(path)}" for path in places]
    raws += [f"NULL::VARCHAR AS {_raw(path)}" for path in sorted(_mentioned(layout) - places.keys())]
    layers.append(f"SELECT *{''.join(', ' + raw for raw in raws)} FROM {{below}}")
    several = [target for target in layout.fields if _is_several(ways[target.column])]
    casts = [
        f"{way.cast.sql.replace('{x}', _raw(way.path))} AS {_tried(target, n)}"
        for target in several
        for n, way in enumerate(ways[target.column])
    ]
    layers += [f"SELECT *, {', '.join(casts)} FROM {{below}}"] if casts else []
    values = [
        f"{_value(target, ways[target.column], kinds.get(target.column, 'VARCHAR'))} AS {_name(target.column)}" for target in layout.fields
    ]
    layers.append(f"SELECT *, {', '.join(values)} FROM {{below}}")
    layers += [
        "SELECT *, " + ", ".join(f"{_told(sql, node)} AS {_name(column)}" for column, sql in step.items()) + " FROM {below}"
        for step in layout.steps
    ]
    layers.append(f"SELECT *, {_rest(layout, node, places, ways)} AS _rest FROM {{below}}")
    conditions = [*_shape(layout, node, places, ways, heads), *(f"({_told(sql, node)})" for sql in layout.plain)]
    made = {target.column for target in layout.fields} | {column for step in layout.steps for column in step}
    columns = ", ".join(
        _name(column.name) if column.name in made else f"NULL::{column.kind} AS {_name(column.name)}" for column in layout.table.columns
    )
    naive = 'coalesce("_naive", 0)' if "_naive" in made else "0"
    extra = "CASE WHEN _rest <> '' THEN '{' || _rest || '}' END"
    layers.append(
        f"SELECT _artifact, _line, {naive} AS _naive, {extra} AS _extra, {columns}, coalesce({' AND '.join(conditions)}, false) AS _ok "
        "FROM {below}"
    )
    query = layers[0]
    for layer in layers[1:]:
        query = layer.replace("{below}", f"({query})")
    filled = {column for column, own in ways.items() if own} | {column for step in layout.steps for column in step}
    return Select(query, (column.name for column in layout.table.columns if column.name not in filled))


def _all_ways(layout: JsonRecord) -> list[Way]:
    return [way for target in layout.fields for way in target.ways]


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _raw(path: str) -> str:
    """The column that holds the raw text at a path, between the layers."""
    return _name(f"raw {path}")


def _steps(place: Place) -> str:
    return "".join("." + _name(step) for step in place)


def _tried(target: Field, number: int) -> str:
    return _name(f"way {number} {target.column}")


def _mentioned(layout: JsonRecord) -> set[str]:
    """The paths whose raw texts the layout's own SQL looks at."""
    return {path for sql in (*layout.plain, *(sql for step in layout.steps for sql in step.values())) for path in _RAW.findall(sql)}


def _places(layout: JsonRecord, node: Node) -> dict[str, Place]:
    """Where each path lies in the records. Where it could lie in two places, the second is no longer known."""
    found: dict[str, Place] = {}
    for place in list(node.leaves()):
        path = ".".join(place)
        if path in found:
            node.forget(place)
        else:
            found[path] = place
    known = {way.path for way in _all_ways(layout)}
    return {path: place for path, place in found.items() if path in known}


def _structure(node: Node, known: frozenset[Place], above: Place = ()) -> dict[str, Any]:
    """The structure that a record is opened with: known values as text, others as JSON."""
    found = {
        key: _structure(node.objects[key], known, (*above, key)) if key in node.objects else "VARCHAR" if (*above, key) in known else "JSON"
        for key in node.keys
    }
    return found or {"_": "JSON"}  # DuckDB knows no structure without a key


def _told(sql: str, node: Node) -> str:
    """The SQL with HAS written out."""

    def has(found: re.Match[str]) -> str:
        there = [f"list_contains(_keys[1], {quoted(key)})" for key in found[1].split() if key in node.keys]
        return f"({' OR '.join(there)})" if there else "false"

    return HAS.sub(has, sql)


def _value(target: Field, ways: Sequence[Way], kind: str) -> str:
    """The value of a column by the ways that the sample shows."""
    if not ways:
        return f"NULL::{kind}"
    if _is_several(ways):
        return f"coalesce({', '.join(_tried(target, number) for number in range(len(ways)))})"
    casts = [way.cast.sql.replace("{x}", _raw(way.path)) for way in ways]
    if len(ways) == 1:
        return casts[0]
    return f"CASE {' '.join(f'WHEN {_raw(way.path)} IS NOT NULL THEN {cast}' for way, cast in zip(ways, casts, strict=True))} END"


def _is_several(ways: Sequence[Way]) -> bool:
    """Whether each way may be tried in turn, for each is sure of what it does not read."""
    return len(ways) > 1 and all(way.total for way in ways)


def _sure(target: Field, ways: Sequence[Way]) -> list[str]:
    """The condition under which the value surely equals what Python takes."""
    if not ways or all(way.total or way.cast is TEXT for way in ways):
        return []
    return [f"(coalesce({', '.join(_raw(way.path) for way in ways)}) IS NULL OR {_name(target.column)} IS NOT NULL)"]


def _used(fields: Sequence[Field], ways: Mapping[str, Sequence[Way]], path: str) -> str:
    """Whether a column was taken from the path."""
    tests: list[str] = []
    for target in fields:
        known = ways[target.column]
        for number, way in enumerate(known):
            if way.path == path and len(known) == 1:
                tests.append(f"{_name(target.column)} IS NOT NULL")
            elif way.path == path:
                each = (
                    [_tried(target, n) for n in range(number + 1)]
                    if _is_several(known)
                    else [_raw(one.path) for one in known[: number + 1]]
                )
                tests.append(" AND ".join((*(f"{one} IS NULL" for one in each[:-1]), f"{each[-1]} IS NOT NULL")))
    return " OR ".join(f"({test})" for test in tests)


def _rest(layout: JsonRecord, node: Node, places: Mapping[str, Place], ways: Mapping[str, Sequence[Way]], above: Place = ()) -> str:
    """What no column was taken from, as the inside of a JSON object, in the order of the record."""
    parts: list[str] = []
    for key in node.keys:
        place, name = (*above, key), quoted(f'"{key}":')
        if key in node.objects:
            parts.append(f"{name} || '{{' || nullif({_rest(layout, node.objects[key], places, ways, place)}, '') || '}}'")
        elif places.get(path := ".".join(place)) == place:
            raw = f"json_extract(_text, {quoted(_json_path(place))})::VARCHAR"
            parts.append(f"CASE WHEN {_raw(path)} IS NOT NULL AND NOT ({_used(layout.fields, ways, path)}) THEN {name} || {raw} END")
        else:
            value = f"_open{_steps(place)}::VARCHAR"
            null = f" WHEN contains(_text, 'null') AND list_contains(_keys[1], {quoted(key)}) THEN {name} || 'null'"
            parts.append(f"CASE WHEN {value} IS NOT NULL THEN {name} || {value}{'' if above or key in layout.index else null} END")
    return f"concat_ws(',', {', '.join(parts)})" if parts else "''"


def _json_path(place: Place) -> str:
    return "$" + "".join("." + _name(step) for step in place)


def _form(node: Node) -> str:
    """A pattern of ``_rest`` in which every value is written alike by DuckDB and by Python."""
    inner = {key: rf"\{{{_form(below)}\}}" for key, below in node.objects.items()}
    return "".join(f'(?:"{re.escape(key)}":{inner.get(key) or node.forms[key]},?)?' for key in node.keys)


def _shape(
    layout: JsonRecord, node: Node, places: Mapping[str, Place], ways: Mapping[str, Sequence[Way]], heads: frozenset[str]
) -> list[str]:
    """Only keys of the sample, in its order; texts where texts are expected; nothing unusual in ``_extra``."""
    conditions = ["NOT contains(_text, '\\u0001')"]
    opened = list(node.opened())
    for number, (place, inner) in enumerate(opened, 1):
        ordered = f"regexp_full_match(array_to_string(_keys[{number}], chr(1)) || chr(1), {quoted(inner.order)})"
        conditions.append(f"(_keys[{number}] IS NULL OR {ordered})" if place else ordered)
        if place:
            there = [f"(_open{_steps((*place, key))} IS NOT NULL)::INTEGER" for key in inner.keys if key not in inner.objects]
            there += [f"(_keys[{n}] IS NOT NULL)::INTEGER" for n, (below, _) in enumerate(opened, 1) if below[:-1] == place]
            conditions.append(
                f"CASE WHEN contains(_text, 'null') THEN coalesce(len(_keys[{number}]) = {' + '.join(there) or 0}, true) ELSE true END"
            )
    for path, place in places.items():
        bracket = f"unicode({_raw(path)}) = {ord('[')} OR unicode({_raw(path)}) = {ord('{')}"
        conditions.append(f"CASE WHEN {bracket} THEN json_type(_text, {quoted(_json_path(place))}) = 'VARCHAR' ELSE true END")
    conditions += [
        f"coalesce(NOT starts_with(_open{_steps(place)}::VARCHAR, '{{'), true)"
        for place in node.leaves()
        if ".".join(place) in heads and ".".join(place) not in places
    ]
    conditions.append(f"regexp_full_match(_rest, {quoted(_form(node))})")
    return [*conditions, *(test for target in layout.fields for test in _sure(target, ways[target.column]))]
