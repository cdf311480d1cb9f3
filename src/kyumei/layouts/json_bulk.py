"""The bulk reader of JSON records: SQL that opens each object once and says, for each record, whether it is sure of what it read.

Layer by layer: the text where it is one JSON object; the raw text at every path; of each column the first raw text that is there; its
value; for open records what no column was taken from; the steps of the format; at last the columns and ``_ok``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Select
from kyumei.layouts import json_sampled
from kyumei.layouts.casts import TEXT, quoted

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from kyumei.layouts.casts import Cast
    from kyumei.layouts.json_record import Field, JsonRecord


def select(layout: JsonRecord, source: str, documents: Sequence[Mapping[str, Any]] = ()) -> str:
    """The SELECT that reads all plain records of ``source``, or those that are like the documents; see ``contracts.Layout``."""
    begins = "CASE WHEN starts_with(text, '{') THEN true ELSE starts_with(ltrim(text, ' ' || chr(9) || chr(10) || chr(13)), '{') END"
    sound = f"CASE WHEN json_valid(text) AND {begins} THEN text END"
    layers = [f"SELECT _artifact, _line, {sound} AS _text FROM {source}"]
    if documents and _may_be_sampled(layout):
        return json_sampled.select(layout, layers[0], documents)
    shown = layout if layout.is_open else _shown(layout, documents)
    layers.append(_open_layer(layout) if layout.is_open else _closed_layer(layout, shown))
    layers.append("SELECT *, " + ", ".join(f"coalesce({_raws(target)}) AS {_first(target)}" for target in layout.fields) + " FROM {below}")
    layers.append("SELECT *, " + ", ".join(f"{_value(target)} AS {_name(target.column)}" for target in layout.fields) + " FROM {below}")
    if layout.is_open:
        layers += [f"SELECT *, {_used(layout)} AS _used FROM {{below}}", f"SELECT *, {_rest(layout)} AS _rest FROM {{below}}"]
    layers += [
        "SELECT *, " + ", ".join(f"{_told(sql)} AS {_name(column)}" for column, sql in step.items()) + " FROM {below}"
        for step in layout.steps
    ]
    conditions = [
        *(_open_conditions(layout) if layout.is_open else _closed_conditions(shown)),
        *map(_sure, shown.fields),
        *map(_told, layout.plain),
    ]
    made = {target.column for target in layout.fields} | {column for step in layout.steps for column in step}
    columns = ", ".join(
        _name(column.name) if column.name in made else f"NULL::{column.kind} AS {_name(column.name)}" for column in layout.table.columns
    )
    naive = 'coalesce("_naive", 0)' if "_naive" in made else "0"
    extra = "CASE WHEN len(_rest) > 0 THEN to_json(map_from_entries(_rest))::VARCHAR END" if layout.is_open else "NULL::VARCHAR"
    layers.append(
        f"SELECT _artifact, _line, {naive} AS _naive, {extra} AS _extra, {columns}, ({' AND '.join(conditions)}) AS _ok FROM {{below}}"
    )
    names = [f"_layer{number}" for number in range(len(layers) - 1)]
    inner = [layers[0], *(layer.replace("{below}", name) for layer, name in zip(layers[1:], names, strict=True))]
    sql = "WITH " + ", ".join(f"{name} AS ({layer})" for name, layer in zip(names, inner, strict=False)) + " " + inner[-1]
    filled = {target.column for target in shown.fields} | {column for step in layout.steps for column in step}
    unfilled = [column.name for column in layout.table.columns if column.name not in filled]
    return Select(sql, unfilled if layout.is_open else [*unfilled, "_extra"])


def _may_be_sampled(layout: JsonRecord) -> bool:
    """Whether the layout is open and its own SQL looks at no key but by HAS."""
    own = [*layout.plain, *(sql for step in layout.steps for sql in step.values())]
    plain = not any(way.shape for target in layout.fields for way in target.ways) and not any("_entries" in sql for sql in own)
    return layout.is_open and plain and not layout.needs and not layout.known


def _told(sql: str) -> str:
    """The SQL of a layout with HAS written out."""

    def has(found: re.Match[str]) -> str:
        return f"(len(list_filter(_entries, lambda entry: entry.key IN [{', '.join(map(quoted, found[1].split()))}])) > 0)"

    return json_sampled.HAS.sub(has, sql)


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
        text = f"{first}::VARCHAR"
        mostly = f"WHEN {way.mostly.replace('{x}', text)} THEN true " if way.mostly else ""
        return f"CASE WHEN {first} IS NULL THEN true {mostly}ELSE regexp_full_match({text}, {quoted(way.shape)}) END"
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


def _shown(layout: JsonRecord, documents: Sequence[Mapping[str, Any]]) -> JsonRecord:
    """The layout without what none of the documents has, which is unknown then: a record that has it is not taken."""
    seen = {path for path in (*_paths(layout), *layout.known) if any(_has(document, path) for document in documents)}
    fields = tuple(target for target in layout.fields if any(way.path in seen for way in target.ways))
    return replace(layout, fields=fields, known=layout.known & seen) if fields else layout


def _has(document: Mapping[str, Any], path: str) -> bool:
    key, _, rest = path.partition(".")
    inner = document.get(key)
    return key in document and (not rest or (isinstance(inner, dict) and _has(inner, rest)))


def _closed_layer(layout: JsonRecord, shown: JsonRecord) -> str:
    """Opens a record once for the columns and once for its keys. What is not shown costs nothing."""
    where = ["$" + "".join("." + _name(step) for step in above.split(".") if step) for above in _known_keys(shown)]
    opened = {path: "_open" + "".join("." + _name(step) for step in path.split(".")) for path in _paths(shown)}
    nothing = {path: "NULL::JSON" if as_json else "NULL::VARCHAR" for path, as_json in _paths(layout).items()}
    taken = ", ".join(f"{sql} AS {_raw(path)}" for path, sql in (nothing | opened).items())
    inner = (
        f"SELECT _artifact, _line, from_json(_text, {quoted(json.dumps(_tree(shown)))}) AS "
        f"_open, json_keys(_text, [{', '.join(map(quoted, where))}]) AS _keys FROM {{below}}"
    )
    texts = ", ".join(opened[path] for path, as_json in _paths(shown).items() if not as_json)
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
    heads = {path[:end] for path in _paths(layout) for end in range(1, len(path)) if path[end] == "."}
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
        f"CASE WHEN {_name(target.column)} IS NOT NULL THEN CASE "
        f"{' '.join(f'WHEN {_raw(way.path)} IS NOT NULL THEN {quoted(way.path)}' for way in target.ways)} END END"
        for target in layout.fields
    ]
    return f"[{', '.join(cases)}]"


def _rest(layout: JsonRecord) -> str:
    """The entries that no column was taken from, without nulls at a known key."""
    known = ", ".join(quoted(key) for key in sorted(layout.index))
    unused = "list_filter(_entries, lambda entry: NOT coalesce(list_contains(_used, entry.key), false))"
    return (
        f"CASE WHEN len(list_filter({unused}, lambda entry: entry.value IS NULL)) = 0 THEN {unused} ELSE "
        f"list_filter({unused}, lambda entry: NOT (entry.value IS NULL AND entry.key IN [{known}])) END"
    )
