"""The bulk reader of a layout of named fields: one SELECT for DuckDB, generated from the declaration.

A line is cut at its separators. The fields whose casts know a shape, short ones as numbers are, stand together in the *bones* of the
line, which one pattern is held against; what must hold for every field is asked of the whole line at once (``implied``). JSON objects are
opened with a typed structure, and read so only if they hold nothing but texts without escapes, whole numbers and nulls under names that are
known; where a sample is given, under names that it shows.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kyumei.contracts import Select
from kyumei.layouts.casts import TEXT, quoted
from kyumei.layouts.json_record import parse_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.layouts.casts import Take
    from kyumei.layouts.named_fields import NamedFields

_PAIR = r'"[^"\\\x00-\x1f]*" ?: ?(?:"[^"\\\x00-\x1f]*"|0|-?[1-9][0-9]{0,17}|null)'
_STRICT = rf"\{{ ?{_PAIR}(?: ?, ?{_PAIR})* ?\}}"
"""A JSON object of nothing but texts without escapes, whole numbers and nulls."""


def select(layout: NamedFields, source: str, sample: Sequence[str] = ()) -> str:
    """The SELECT of ``contracts.Layout.bulk``: for lines, for JSON objects, or for both where the sample does not tell."""
    objects = sum(text.startswith("{") for text in sample)
    if not layout.is_json or (sample and not objects):
        return _finished(layout, _line_raws(layout, source), bones=True)
    if sample and objects == len(sample):
        return _finished(layout, _json_raws(layout, source, _shown(layout, sample)), bones=False)
    sides = [f"(SELECT _artifact, _line, text FROM {source} WHERE {test}starts_with(text, '{{'))" for test in ("NOT ", "")]
    lines, documents = _line_raws(layout, sides[0]), _json_raws(layout, sides[1], sorted(layout.known))
    return f"{_finished(layout, lines, bones=True)} UNION ALL {_finished(layout, documents, bones=False)}"


def _shown(layout: NamedFields, sample: Sequence[str]) -> list[str]:
    """The names of fields that JSON objects of a sample have."""
    found: set[str] = set()
    for text in sample:
        document = parse_object(text)
        found.update(document if isinstance(document, dict) else ())
    return sorted(found & layout.known or layout.known)


def _id(name: str) -> str:
    """The name of a raw field as an SQL identifier, which no column can have."""
    return '"raw ' + name.replace('"', '""') + '"'


def _shaped(layout: NamedFields) -> dict[str, str]:
    """The pattern of each field on the line whose shape the bones show: by the first cast that knows one.

    None unless one character separates the fields: it does so in the bones, where each field ends with it, so that none can pass for two.
    """
    if len(layout.separator) != 1:
        return {}
    implied = dict(layout.implied)
    shapes: dict[str, str] = {}
    for take in layout.takes:
        if take.source in layout.fields and take.cast.shape and take.cast.shape not in implied:
            shapes.setdefault(take.source, take.cast.shape)
    return shapes


def _bones(layout: NamedFields) -> str:
    """SQL: whether the fields of a known shape have it. Fields that an older vintage lacks are null, and left out by ``concat_ws``."""
    shapes = _shaped(layout)
    places = [(number, shapes[name]) for number, name in enumerate(layout.fields, start=1) if name in shapes]
    if not places:
        return "true"
    pattern = ""
    mark, end = re.escape(layout.missing), re.escape(layout.separator)
    for number, shape in reversed(places):
        piece = f"(?:{mark}|{shape}){end}{pattern}"
        pattern = piece if number <= layout.least else f"(?:{piece})?"
    listed = ", ".join(f"f[{number}]" for number, _ in places)
    return f"regexp_full_match(concat_ws({quoted(layout.separator)}, {listed}, ''), {quoted(pattern)})"


def _raw_columns(layout: NamedFields, place: dict[str, str]) -> str:
    """The raw fields, null where missing; ``place`` holds the SQL of each."""
    mark = quoted(layout.missing)
    raws = [f"NULLIF({sql}, {mark}) AS {_id(name)}" for name, sql in place.items()]
    for joint in layout.joints:
        parts = [f"NULLIF({place[part]}, {mark})" if part in place else "NULL::VARCHAR" for part in (joint.first, joint.second)]
        raws.append(f"{parts[0]} || ' ' || {parts[1]} AS {_id(joint.name)}")
    return ", ".join(raws)


def _line_raws(layout: NamedFields, source: str) -> str:
    """A SELECT of the raw fields of lines; ``_fits`` says whether every field has the shape that its cast knows."""
    # Comparisons tell it in a third of the time: a line that begins with a blank, a comment, or what could be an object is not plain.
    first = ["text >= '$'", *(["text < '{'"] if layout.is_json else [])]
    last = ["NOT ends_with(text, ' ')"] if layout.separator == " " else []
    clear = " AND ".join((*first, *last, *(sql for _, sql in layout.implied)))
    cut = f"SELECT _artifact, _line, string_split(CASE WHEN {clear} THEN text END, {quoted(layout.separator)}) AS f FROM {source}"
    place = {name: f"f[{number}]" for number, name in enumerate(layout.fields, start=1)}
    tests = [f"len(f) >= {layout.least}", _bones(layout)]
    others = list(dict.fromkeys(name for name in layout.fields if name not in layout.known))
    entries = "[" + ", ".join(f"{{'k': {quoted(name)}, 'v': NULLIF({place[name]}, {quoted(layout.missing)})}}" for name in others) + "]"
    more = f"len(f) > {len(layout.fields)}"
    extra = f"CASE WHEN {more} THEN to_json({{'fields': f[{len(layout.fields) + 1}:]}}) END"
    if others:
        kept = f"list_filter({entries}, lambda e: e.v IS NOT NULL)"
        extra = f"CASE WHEN len({kept}) > 0 THEN to_json(map_from_entries({kept})) END"
        tests.append(f"NOT ({more})")
    return f"SELECT _artifact, _line, {' AND '.join(tests)} AS _fits, {extra} AS _extra, {_raw_columns(layout, place)} FROM ({cut})"


def _json_raws(layout: NamedFields, source: str, names: Sequence[str]) -> str:
    """A SELECT of the raw fields of JSON objects with some of the names; those that are not plain are not opened."""
    fits = [f"regexp_full_match(text, {quoted(_STRICT)})", *(sql for _, sql in layout.implied)]
    sound = f"SELECT _artifact, _line, CASE WHEN {' AND '.join(fits)} THEN text END AS _text FROM {source}"
    structure = quoted(json.dumps(dict.fromkeys(names, "VARCHAR")))
    opened = f"SELECT _artifact, _line, from_json(_text, {structure}) AS j, json_keys(_text) AS k FROM ({sound})"
    listed = ", ".join(map(quoted, names))
    only_known = f"len(k) >= 3 AND len(list_distinct(k)) = len(k) AND len(list_filter(k, lambda n: n NOT IN [{listed}])) = 0"
    place = {name: 'j."' + name.replace('"', '""') + '"' if name in names else "NULL::VARCHAR" for name in sorted(layout.known)}
    return f"SELECT _artifact, _line, {only_known} AS _fits, NULL::JSON AS _extra, {_raw_columns(layout, place)} FROM ({opened})"


def _finished(layout: NamedFields, raws: str, *, bones: bool) -> Select:
    """The columns and ``_ok`` over the raw fields; with ``bones`` their shapes have been seen."""
    takes = [take for take in layout.takes if not bones or take.source in _there(layout)]
    names = {take: f'"take {number}"' for number, take in enumerate(takes)}
    ways = {column.name: [names[take] for take in takes if take.column == column.name] for column in layout.columns}
    columns = ", ".join(
        f'({_first(ways[column.name])})::{column.kind} AS "{column.name}"'
        if ways[column.name]
        else f'NULL::{column.kind} AS "{column.name}"'
        for column in layout.columns
    )
    values = ", ".join(f"{_value(layout, take, bones=bones)} AS {name}" for take, name in names.items())
    checks = ["_fits", *(f'"{name}" IS NOT NULL' for name in (layout.required if bones else layout.needed_in_json))]
    checks += [
        f"({_id(take.source)} IS NULL OR {name} IS NOT NULL)" for take, name in names.items() if take.cast is not TEXT and not take.optional
    ]
    shapes = {
        (take.source, take.cast.shape) for take in takes if take.optional and take.cast.shape and not _checked(layout, take, bones=bones)
    }
    checks += [f"({_id(source)} IS NULL OR regexp_full_match({_id(source)}, {quoted(shape)}))" for source, shape in sorted(shapes)]
    listed = ", ".join(f'"{column.name}"' for column in layout.columns)
    cast = f"SELECT *, {values} FROM ({raws})"
    filled = f"SELECT *, {columns} FROM ({cast})"
    sql = f"SELECT _artifact, _line, 0 AS _naive, _extra, {listed}, coalesce({' AND '.join(checks)}, false) AS _ok FROM ({filled})"
    return Select(sql, (column for column, own in ways.items() if not own))


def _first(ways: list[str]) -> str:
    return ways[0] if len(ways) == 1 else f"coalesce({', '.join(ways)})"


def _there(layout: NamedFields) -> set[str]:
    """The fields that a line has, joints included."""
    return {*layout.fields, *(joint.name for joint in layout.joints)}


def _checked(layout: NamedFields, take: Take, *, bones: bool) -> bool:
    """Whether the line's tests have shown that the field has the shape of the cast."""
    return take.cast.shape in dict(layout.implied) or (bones and _shaped(layout).get(take.source) == take.cast.shape)


def _value(layout: NamedFields, take: Take, *, bones: bool) -> str:
    sql = take.cast.plain if take.cast.shape and _checked(layout, take, bones=bones) else take.cast.sql
    return sql.replace("{x}", _id(take.source))
