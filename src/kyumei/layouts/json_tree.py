"""Columns that keep a part of a JSON record as it is, whatever its shape, and further columns that are dug out of such a part.

AWS's events hold what a caller asked for and what a service answered: objects of thousands of shapes. Kept as compact JSON they are equal
by both readers as long as they hold no odd numbers and no control characters, which a pattern tells. So that a key that is there twice
needs no looking for, such a part keeps both, as the bulk reader does; a look-up answers the first.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.layouts.casts import ISO_UTC, TEXT, Cast, quoted
from kyumei.layouts.clocks import ISO_TIME
from kyumei.layouts.json_record import Field, Way, as_text, first_of_each, one

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_STRING = r'"(?:[^"\\]|\\[^u])*"'
_NUMBER = r"-?[1-9][0-9]{0,29}|0|-?[1-9][0-9]{0,9}\.[0-9]{1,5}|-?0\.[0-9]{1,4}"
_WORD = rf"(?:true|false|null|{_NUMBER})"
TREE = rf"(?:[{{}}\[\],:]|{_STRING}|{_WORD}[,}}\]])*|{_WORD}"
"""Compact JSON without anything that DuckDB and Python write in two ways. It does not look at what stands in what: the JSON is sound."""
_OF_TEXTS = (
    "(starts_with({x}, '{') AND NOT contains({x}, '[') AND NOT contains({x}, '\\u') AND NOT regexp_matches({x}, '\":(?:[-0-9iIN]|n[aA])'))"
)
"""An object without lists, numbers (NaN and Infinity among them) and control characters, as most are: searches for fixed text tell."""
STRING = rf"(?:null|{_STRING})"
"""A text, as compact JSON."""
_TEXTS = rf"\[(?:{_STRING}(?:,{_STRING})*)?\]"
"""A list of texts, as compact JSON."""
PIECE = Cast("json", lambda raw: raw, "{x}")
_WORDS = {"true": True, "false": False}
BOOLEAN = Cast(
    "true or false",
    _WORDS.get,
    "CASE {x} WHEN 'true' THEN true WHEN 'false' THEN false END",
)
"""A boolean, or its word as a text."""
GIVEN = Cast("text that is not empty", lambda raw: raw or None, "nullif({x}, '')")
"""An empty text is AWS's way to say that there is none."""
UTC_TIME = Cast("time in UTC", ISO_TIME.python, ISO_UTC.sql)
"""An ISO time; one without a zone is UTC, too, as collectors keep it. All that does not end in Z is left to the exact reader."""
_FIRST = r'\["([^"\\]*)"'
FIRST = Cast(
    "first text of a list",
    lambda raw: found[1] if (found := re.match(_FIRST, raw, re.ASCII)) else None,
    f"CASE WHEN regexp_matches({{x}}, {quoted('^' + _FIRST)}) THEN regexp_extract({{x}}, {quoted('^' + _FIRST)}, 1) END",
)
"""Of a list as compact JSON; null for anything else, and where the text has a backslash."""
ENVELOPE = frozenset({"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "replay-name"})
"""The keys of EventBridge's envelope."""
_TOTAL = (TEXT, GIVEN, FIRST)
"""Casts for which null in SQL is an answer."""
_SHORT = 600
_DEEPEST = 300
"""Brackets of which a value must hold more before it could be nested too deeply for Python."""


class Twice(dict[str, Any]):
    """An object in which a key is there twice: looked up it answers the first, written as JSON it is all of them."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        """The keys and values in the order of the text."""
        super().__init__(reversed(pairs))
        self._pairs = pairs

    def items(self) -> list[tuple[str, Any]]:  # type: ignore[override]  # a view cannot hold a key twice
        """All keys and values; the encoder of ``json`` asks for them here."""
        return self._pairs


def every_pair(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values, of which none is lost."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twice(pairs)


def tree(column: str, path: str | None = None) -> Field:
    """A column that keeps the value at a path as compact JSON."""
    return Field(column, (Way(path or column, PIECE, TREE, mostly=_OF_TEXTS),))


def text(column: str, path: str) -> Field:
    """A column that keeps a text as compact JSON, for texts that may begin like JSON themselves: ``[S3Console/0.4]``."""
    return one(column, path, PIECE, shape=STRING)


def shallow(columns: Sequence[str]) -> tuple[str, ...]:
    """The conditions under which the values kept in these columns are surely not nested too deeply for the exact reader."""

    def _test(name: str) -> str:
        brackets = f"strlen({name}::VARCHAR) - strlen(replace(replace({name}::VARCHAR, '{{', ''), '[', ''))"
        return f"CASE WHEN strlen({name}::VARCHAR) > {_SHORT} THEN {brackets} <= {_DEEPEST} ELSE true END"

    return tuple(_test(f'"{column}"') for column in columns)


class Dig(NamedTuple):
    """Fill ``column`` by ``cast`` from what lies at ``path``, key by key, inside the value of the tree column ``tree``."""

    column: str
    tree: str
    path: tuple[str, ...]
    cast: Cast = GIVEN


def dig(value: Any, path: Sequence[str]) -> str | None:  # noqa: ANN401 - any JSON value
    """What lies at the path, as text; null where there is nothing."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return as_text(value)


def opened(document: dict[str, Any]) -> dict[str, Any]:
    """The record itself, out of EventBridge's envelope where it is in one; what the envelope has besides its usual keys is kept."""
    document = first_of_each([*document.items()])
    if "detail-type" not in document or not isinstance(document.get("detail"), dict):
        return document
    inner = first_of_each([*document["detail"].items()])
    return {**{key: value for key, value in document.items() if key not in ENVELOPE and key not in inner}, **inner}


def dug(digs: Sequence[Dig], trees: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the columns; ``trees`` are the values by tree column."""
    texts = ((one_dig, dig(trees.get(one_dig.tree), one_dig.path)) for one_dig in digs)
    return {one_dig.column: None if found is None else one_dig.cast.python(found) for one_dig, found in texts}


def dug_sql(digs: Sequence[Dig]) -> tuple[tuple[Mapping[str, str], ...], tuple[str, ...]]:
    """The steps that fill the columns in SQL, and the conditions under which they surely equal ``dug``."""
    structures: dict[str, dict[str, Any]] = {}
    for one_dig in digs:
        node = structures.setdefault(one_dig.tree, {})
        *objects, leaf = one_dig.path
        for step in objects:
            node = node.setdefault(step, {})
        node[leaf] = "VARCHAR"
    steps = {_opened(name): f"from_json({_id(name)}, {quoted(json.dumps(structure))})" for name, structure in structures.items()}
    raws = {one_dig.column: ".".join((_id(_opened(one_dig.tree)), *map(_id, one_dig.path))) for one_dig in digs}
    values = {one_dig.column: f"({one_dig.cast.sql.replace('{x}', f'({raws[one_dig.column]})')})" for one_dig in digs}
    sure = tuple(f"({raws[one_dig.column]} IS NULL OR {_id(one_dig.column)} IS NOT NULL)" for one_dig in digs if one_dig.cast not in _TOTAL)
    return (steps, values), sure


def _opened(name: str) -> str:
    """The column that holds a tree column opened, between the layers."""
    return f"_opened {name}"


def _id(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def objects(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """The objects in a list; nothing for what is no list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def strings(value: Any, key: str = "") -> list[str] | None:  # noqa: ANN401 - any JSON value
    """The texts of a list, or those under a key of its objects; null when there are none."""
    items = value if isinstance(value, list) else []
    found = [item.get(key) if isinstance(item, dict) else None for item in items] if key else items
    return [item for item in found if isinstance(item, str)] or None


def strings_in(text: str | None) -> list[str] | None:
    """The texts of a list that is told as JSON; null when there are none."""
    try:
        return strings(json.loads(text)) if text and text.startswith("[") else None
    except ValueError:
        return None


def strings_sql(column: str, key: str = "") -> tuple[str, str]:
    """The same of a tree column in SQL, and the condition under which it surely equals that."""
    if not key:
        text = f"{_id(column)}::VARCHAR"
        sound = f"CASE WHEN regexp_full_match({text}, {quoted(_TEXTS)}) THEN {text} END"
        sure = f"(coalesce({text}, '') NOT LIKE '[%' OR regexp_full_match({text}, {quoted(_TEXTS)}))"
        return f"nullif(from_json({sound}, '[\"VARCHAR\"]'), [])", sure
    listed = f"from_json({_id(column)}, {quoted(json.dumps([{key: 'VARCHAR'}]))})"
    texts = f"nullif(list_filter(list_transform({listed}, lambda item: item.{_id(key)}), lambda item: item IS NOT NULL), [])"
    other = quoted(f'"{key}":[^"]')
    return texts, f"NOT coalesce(regexp_matches({_id(column)}::VARCHAR, {other}), false)"
