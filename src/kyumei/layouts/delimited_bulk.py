r"""The bulk reader of a delimited layout: one SELECT for DuckDB, generated from the declaration.

One pattern a variant decides whether a line is plain: no backslash but in ``\x``, quotes only around fields, one space between, every field of
the shape that its cast knows. Such a line is cut by ``string_split`` at the quotes and, between them, at the spaces, which is several times
faster than groups of a regular expression. Lines that are not plain are left to the exact reader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kyumei.layouts.casts import TEXT, quoted
from kyumei.layouts.delimited_fields import Field, Style, Variant

if TYPE_CHECKING:
    from kyumei.layouts.casts import Take
    from kyumei.layouts.delimited import Delimited

_QUOTED_TEXT = r'(?:[^"\\]|\\x)*'
_KEY = r"[A-Za-z_][A-Za-z0-9_.-]*="
_KEPT = "_artifact, _line, _variant"


@dataclass(frozen=True)
class _Plain:
    """A variant whose fields are each written in one style, and where its values stand.

    A line cut at quotes has quoted fields at even numbers and stretches of bare ones at odd numbers. ``places`` holds for each field SQL over
    ``q`` (the line cut at quotes) and ``s1``, ``s3``... (its stretches cut at spaces).
    """

    variant: Variant
    places: dict[str, str]
    quotes: int
    last_bare: int
    """How many tokens stand in the stretch after the last quote."""


def select(layout: Delimited, source: str) -> str:
    """The SELECT of ``contracts.Layout.bulk``."""
    plains = [plain for variant in layout.variants if variant.bulk for plain in _plains(variant)]
    cases = " ".join(f"WHEN regexp_full_match(text, {quoted(_line_pattern(layout, plain))}) THEN {n}" for n, plain in enumerate(plains, 1))
    cut = f"SELECT _artifact, _line, CASE {cases} END AS _variant, string_split(text, '\"') AS q FROM {source}"
    stretches = sorted({1, *range(1, 2 * max(plain.quotes for plain in plains) + 2, 2)})
    split = f"SELECT {_KEPT}, q, " + ", ".join(f"string_split(q[{n}], ' ') AS s{n}" for n in stretches) + f" FROM ({cut})"
    tokens = f"SELECT *, {_tail_tokens(plains)} AS _tokens FROM ({split})"
    raws = ", ".join(f"{_raw(layout, plains, name)} AS {_id(name)}" for name in _sources(layout))
    raw = f"SELECT {_KEPT}, _tokens, {raws} FROM ({tokens})"
    columns = ", ".join(f'({_value(layout, column.name)})::{column.kind} AS "{column.name}"' for column in layout.columns)
    values = f"SELECT {_KEPT}, _tokens, {_unknown(layout)} AS _unknown, {', '.join(_id(name) for name in _sources(layout))}, {columns} FROM ({raw})"
    return (
        "SELECT _artifact, _line, 0 AS _naive, CASE WHEN len(_unknown) > 0 THEN to_json({'fields': _unknown}) END AS _extra, "
        + ", ".join(f'"{column.name}"' for column in layout.columns)
        + f", {_sound(layout)} AS _ok FROM ({values})"
    )


def _id(name: str) -> str:
    """The name of a raw field as an SQL identifier, which no column can have."""
    return f'"raw {name}"'


def _sources(layout: Delimited) -> list[str]:
    return list(dict.fromkeys(take.source for take in layout.takes))


def _plains(variant: Variant) -> list[_Plain]:
    """The variant with all fields of either style quoted, then with all of them bare."""
    styles = (Style.QUOTED, Style.BARE) if any(known.style is Style.EITHER for known in variant.fields) else (Style.QUOTED,)
    plains = []
    for style in styles:
        fields = tuple(replace(known, style=style) if known.style is Style.EITHER else known for known in variant.fields)
        places: dict[str, str] = {}
        quotes, token = 0, 0
        for known in fields:
            stretch = 2 * quotes + 1
            if known.style is Style.QUOTED:
                quotes, token = quotes + 1, 1
                places[known.name] = f"q[{2 * quotes}]"
                continue
            token += 1
            parts = [f"s{stretch}[{token + more}]" for more in range(known.spaces + 1)]
            token += known.spaces
            text = " || ' ' || ".join(parts)
            places[known.name] = f"({text})[2:-2]" if known.style is Style.BRACKETED else text
        plains.append(_Plain(replace(variant, fields=fields), places, quotes, token - 1 if quotes else token))
    return plains


def _line_pattern(layout: Delimited, plain: _Plain) -> str:
    """The pattern of a whole plain line."""
    parts = [_field_pattern(layout, known) for known in plain.variant.fields]
    least = plain.variant.least
    bare = _bare_text(layout)
    keyed = f'(?:{_KEY})?' if layout.tail.keys else ""
    pattern = f'(?: (?:{keyed}"{_QUOTED_TEXT}"|{bare}))*' if plain.variant.bulk_tail else ""
    for part in reversed(parts[least:]):
        pattern = f"(?: {part}{pattern})?"
    return " ".join(parts[:least]) + pattern


def _field_pattern(layout: Delimited, known: Field) -> str:
    shape = known.shape or next((take.cast.shape for take in layout.takes if take.source == known.name and take.cast.shape), "")
    marks = [re.escape(mark) for mark in known.missing if mark or known.style is not Style.BARE]
    if known.name not in layout.taken:
        text = f"(?:{'|'.join(marks)})"
    elif shape:
        text = f"(?:{'|'.join((*marks, shape))})"
    else:
        text = {Style.QUOTED: _QUOTED_TEXT, Style.BRACKETED: r'[^ "\[\]]*'}.get(known.style) or _bare_text(layout)
    if known.style is Style.QUOTED:
        return f'"{text}"'
    return rf"\[{text}\]" if known.style is Style.BRACKETED else text


def _bare_text(layout: Delimited) -> str:
    """A bare field that is certainly one to the exact reader: no bracket at its start, not a part of a list."""
    first = r'[^ "\[]' if layout.brackets else '[^ "]'
    if not layout.lists:
        return f'(?:{first}[^ "]*)'
    last = first.replace('"', '",:')
    return f'(?:{last}|{first}[^ "]*[^ ",:])'


def _tail_tokens(plains: list[_Plain]) -> str:
    """The fields after the last one known, as written; null when there are none."""
    whens = []
    for number, plain in enumerate(plains, 1):
        if plain.variant.bulk_tail:
            stretch = 2 * plain.quotes + 1
            more = f"len(q) > {stretch} OR len(s{stretch}) > {plain.last_bare + 1}"
            rest = f"array_to_string(q[{stretch}:], '\"')"
            if plain.last_bare:
                rest = f"regexp_replace({rest}, '^(?: [^ \"]+){{{plain.last_bare}}}', '')"
            whens.append(f"WHEN _variant = {number} AND ({more}) THEN regexp_extract_all({rest}, '[^ \"]*\"[^\"]*\"|[^ \"]+')")
    return f"CASE {' '.join(whens)} END" if whens else "NULL::VARCHAR[]"


def _raw(layout: Delimited, plains: list[_Plain], name: str) -> str:
    """SQL for a raw field: where it stands in each variant, else in the tail; null when missing."""
    places: dict[str, list[int]] = {}
    for number, plain in enumerate(plains, 1):
        place = plain.places.get(name) or (_in_tail(layout, name) if name in layout.tail.names else "NULL")
        places.setdefault(place, []).append(number)
    if len(places) == 1:
        text = next(iter(places))
    else:
        text = "CASE " + " ".join(f"WHEN _variant IN ({', '.join(map(str, n))}) THEN {place}" for place, n in places.items()) + " END"
    marks = {mark for plain in plains for known in plain.variant.fields if known.name == name for mark in known.missing}
    if name in layout.tail.names:
        marks |= {"-", ""}
    for mark in sorted(marks):
        text = f"NULLIF({text}, {quoted(mark)})"
    return text


def _is_token(layout: Delimited, name: str, token: str) -> str:
    """SQL: whether a token of the tail is this field."""
    keys = [f"starts_with({token}, {quoted(f'{key}=')})" for key, known in layout.tail.keys.items() if known == name]
    begins = [f"starts_with({token}, {quoted(chr(34) + text)})" for text, known in layout.tail.beginnings.items() if known == name]
    return f"({' OR '.join(keys + begins)})"


def _in_tail(layout: Delimited, name: str) -> str:
    token = f"list_filter(_tokens, lambda t: {_is_token(layout, name, 't')})[1]"
    return f"trim(CASE WHEN starts_with({token}, '\"') THEN {token} ELSE substr({token}, strpos({token}, '=') + 1) END, '\"')"


def _unknown(layout: Delimited) -> str:
    """The tokens of the tail that are not known, without quotes."""
    known = " OR ".join(_is_token(layout, name, "t") for name in layout.tail.names)
    tokens = f"list_filter(_tokens, lambda t: NOT ({known}))" if known else "_tokens"
    return f"list_transform({tokens}, lambda t: replace(t, '\"', ''))"


def _value(layout: Delimited, column: str) -> str:
    take = next((take for take in layout.takes if take.column == column), None)
    if take is None:
        return "NULL"
    return (take.cast.plain if _checked(layout, take) else take.cast.sql).replace("{x}", _id(take.source))


def _checked(layout: Delimited, take: Take) -> bool:
    """Whether the line's pattern has already seen that the field has the shape of the cast."""
    if not take.cast.shape or take.source in layout.tail.names:
        return False
    places = [known for variant in layout.variants if variant.bulk for known in variant.fields if known.name == take.source]
    first = next(other.cast.shape for other in layout.takes if other.source == take.source and other.cast.shape)
    return all(known.shape for known in places) or (first == take.cast.shape)


def _sound(layout: Delimited) -> str:
    """SQL: whether every column equals what the exact reader answers."""
    checks = ["_variant IS NOT NULL"]
    checks += [f'"{name}" IS NOT NULL' for name in layout.required]
    checks += [
        f'({_id(take.source)} IS NULL OR "{take.column}" IS NOT NULL)'
        for take in layout.takes
        if take.cast is not TEXT and not take.optional and take.column not in layout.required
    ]
    checks += [
        f"(_tokens IS NULL OR len(list_filter(_tokens, lambda t: {_is_token(layout, name, 't')})) <= 1)" for name in layout.tail.names
    ]
    return "coalesce(" + " AND ".join(checks) + ", false)"
