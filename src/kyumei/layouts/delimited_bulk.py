r"""The bulk reader of a delimited layout: one SELECT for DuckDB, generated from the declaration.

A line is cut by ``string_split`` at its quotes and, between them, at its spaces, which is several times faster than the groups of a regular
expression. One pattern a variant decides whether this is right: it is held against the bones of the line, which is the line with its quoted
fields emptied, for they make up most of it. A line that matches has quotes only around fields, one space between, and every field of the
shape that its cast knows. With a backslash other than ``\x``, or not matching, it is left to the exact reader.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kyumei.contracts import Select
from kyumei.layouts.casts import TEXT, quoted
from kyumei.layouts.delimited_fields import Field, Style, Tail, Trailing, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kyumei.layouts.casts import Take
    from kyumei.layouts.delimited import Delimited
    from kyumei.layouts.delimited_fields import Shown

_KEY = r"[A-Za-z_][A-Za-z0-9_.-]*="
_KEPT = "_artifact, _line, _variant"
_NO_ESCAPE = r"CASE WHEN contains(text, '\') THEN NOT regexp_matches(text, '\\(?:[^x]|$)') ELSE true END"
"""SQL, asked in its order: of alternatives joined by OR the database asks both of every line."""


class _Plain(NamedTuple):
    """A variant whose fields are each written in one style, and where its values stand.

    A line cut at quotes has quoted fields at even numbers and stretches of bare ones at odd numbers. ``places`` holds for each field SQL
    over ``q`` (the line cut at quotes) and ``s1``, ``s3``... (its stretches cut at spaces).
    """

    variant: Variant
    places: dict[str, str]
    quotes: int
    last_bare: int
    """How many tokens stand in the stretch after the last quote."""
    tail: tuple[Trailing, ...] | None = None
    """What follows the last field, where a sample shows it."""
    unknown: tuple[str, ...] = ()
    """Of these the fields that fill no column, as SQL."""
    begun: tuple[str, ...] = ()
    """Conditions on their texts."""


def select(layout: Delimited, source: str, shown: Sequence[Shown] = ()) -> str:
    """The SELECT of ``contracts.Layout.bulk``, for lines of the shapes shown or for all."""
    every = [(number, plain) for number, variant in enumerate(layout.variants) if variant.bulk for plain in _plains(variant)]
    plains, cases = _shown(layout, every, shown) if shown else _all(layout, [plain for _, plain in every])
    cut = f"SELECT _artifact, _line, {_NO_ESCAPE} AS _clear, string_split(text, '\"') AS q FROM {source}"
    whole = ", array_to_string(q[1:-1:2], '\"\"') AS _bones" if "_bones" in cases else ""
    bones = f"SELECT _artifact, _line, q, _clear AND len(q) % 2 = 1 AS _clear{whole} FROM ({cut})"
    stretches = range(1, 2 * max(plain.quotes for plain in plains) + 2, 2)
    split = "SELECT *, " + ", ".join(f"string_split(q[{n}], ' ') AS s{n}" for n in stretches) + f" FROM ({bones})"
    split = f"SELECT *, CASE WHEN NOT _clear THEN NULL {cases} END AS _variant FROM ({split})"
    if shown:
        tokens = f"SELECT *, {_unknown(plains)} AS _unknown, true AS _single FROM ({split})"
    else:
        tokens = f"SELECT *, {_tail_tokens(plains)} AS _tokens FROM ({split})"
        tokens = f"SELECT *, {_tail_names(layout)} AS _names FROM ({tokens})"
        tokens = f"SELECT *, {_tail_values(layout)} AS _unknown, {_tail_sound(layout)} AS _single FROM ({tokens})"
    raws = ", ".join(f"{_raw(layout, plains, name)} AS {_id(name)}" for name in _sources(layout))
    raw = f"SELECT {_KEPT}, _unknown, _single, {raws} FROM ({tokens})"
    columns = ", ".join(f'({_value(layout, column.name)})::{column.kind} AS "{column.name}"' for column in layout.columns)
    values = f"SELECT {_KEPT}, _unknown, _single, {', '.join(_id(name) for name in _sources(layout))}, {columns} FROM ({raw})"
    sql = (
        "SELECT _artifact, _line, 0 AS _naive, CASE WHEN len(_unknown) > 0 THEN to_json({'fields': _unknown}) END AS _extra, "
        + ", ".join(f'"{column.name}"' for column in layout.columns)
        + f", {_sound(layout)} AS _ok FROM ({values})"
    )
    return Select(sql, _unfilled(layout, plains)) if shown else sql


def _unfilled(layout: Delimited, plains: Sequence[_Plain]) -> Iterator[str]:
    """The columns that none of the shapes shown fills."""
    there = {name for plain in plains for name in plain.places}
    filled = {take.column for take in layout.takes if take.source in there}
    yield from (column.name for column in layout.columns if column.name not in filled)
    if not any(plain.unknown for plain in plains):
        yield "_extra"


def _all(layout: Delimited, plains: list[_Plain]) -> tuple[list[_Plain], str]:
    """All variants, and the cases that tell which of them a line has."""
    return plains, " ".join(f"WHEN {_fits(layout, plain)} THEN {number}" for number, plain in enumerate(plains, 1))


def _shown(layout: Delimited, every: list[tuple[int, _Plain]], shown: Sequence[Shown]) -> tuple[list[_Plain], str]:
    """The shapes shown, and the cases: a line of another shape of an earlier variant has none of them."""
    plains: list[_Plain] = []
    cases: list[str] = []
    for number, plain in every:
        variant = layout.variants[number]
        styled = zip(plain.variant.fields, variant.fields, strict=True)
        either = next((known.style for known, declared in styled if declared.style is Style.EITHER), Style.QUOTED)
        for found in shown:
            if found.variant == number and found.either is either:
                fields = plain.variant.fields[: found.fields]
                exact = _plains(variant._replace(fields=fields, needed=len(fields), bulk_tail=False))[0]
                plains.append(_ended(layout, exact, found.tail))
                cases.append(f"WHEN {_fits_exactly(layout, plains[-1])} THEN {len(plains)}")
        cases.append(f"WHEN {_fits(layout, plain)} THEN NULL")
    while cases and cases[-1].endswith("THEN NULL"):
        del cases[-1]
    return plains, " ".join(cases)


def _ended(layout: Delimited, plain: _Plain, tail: tuple[Trailing, ...]) -> _Plain:
    """The variant with just these fields behind its last one."""
    places, unknown, begun = dict(plain.places), [], []
    quotes, token = plain.quotes, plain.last_bare + (1 if plain.quotes else 0)
    for one in tail:
        token += 1
        key = f"{one.key}=" if one.key else ""
        if one.style is Style.QUOTED:
            quotes, token = quotes + 1, 1
            value = f"q[{2 * quotes}]"
            if not key:
                starts = [f"starts_with({value}, {quoted(text)})" for text in ([one.begins] if one.begins else layout.tail.beginnings)]
                begun += starts if one.begins else [f"NOT {start}" for start in starts]
        else:
            text = f"s{2 * quotes + 1}[{token}]"
            value = f"substr({text}, {len(key) + 1})" if key else text
        if one.name:
            places[one.name] = value
        else:
            unknown.append(f"{quoted(key)} || {value}" if key else value)
    return plain._replace(places=places, quotes=quotes, tail=tail, unknown=tuple(unknown), begun=tuple(begun))


def _fits_exactly(layout: Delimited, plain: _Plain) -> str:
    """SQL: whether a line without escapes has all these fields and no more; of each stretch between quotes by itself."""
    tests = [f"len(q) = {2 * plain.quotes + 1}"]
    for number, pattern in enumerate(_bones(layout, plain).split('""')):
        tests.append(_stretch_fits(layout, 2 * number + 1, pattern))
    for known in plain.variant.fields:
        shape = _shape(layout, known)
        if known.style is Style.QUOTED and shape:
            tests.append(f"regexp_full_match({plain.places[known.name]}, {quoted(shape)})")
    return " AND ".join((*tests, *plain.begun))


def _stretch_fits(layout: Delimited, number: int, pattern: str) -> str:
    """SQL: whether the stretch between quotes matches the pattern. That of bare fields of any text is told by their number, faster."""
    stretch, cut, bare = f"q[{number}]", f"s{number}", _bare_text(layout)
    if not pattern.strip(" "):
        return f"{stretch} = {quoted(pattern)}"
    parts = pattern.split(f" {bare}")
    if layout.lists or layout.brackets or any(parts[:-1]) or parts[-1] != " ":
        return f"regexp_full_match({stretch}, {quoted(pattern)})"
    last = len(parts) + 1
    filled = [f"{cut}[{one}] <> ''" for one in range(2, last)]
    return " AND ".join((f"len({cut}) = {last}", f"{cut}[1] = ''", *filled, f"{cut}[{last}] = ''"))


def _unknown(plains: list[_Plain]) -> str:
    """The fields behind the last one that fill no column, as a list; null where there are none."""
    whens = [f"WHEN _variant = {number} THEN [{', '.join(plain.unknown)}]" for number, plain in enumerate(plains, 1) if plain.unknown]
    return f"CASE {' '.join(whens)} END" if whens else "NULL::VARCHAR[]"


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
        fields = tuple(known._replace(style=style) if known.style is Style.EITHER else known for known in variant.fields)
        places: dict[str, str] = {}
        quotes, token = 0, 0
        before: list[Field] = []  # in the same stretch
        for known in fields:
            stretch = 2 * quotes + 1
            if known.style is Style.QUOTED:
                quotes, token = quotes + 1, 1
                places[known.name] = f"q[{2 * quotes}]"
                before = []
                continue
            token += 1
            parts = [f"s{stretch}[{token + more}]" for more in range(known.spaces + 1)]
            token += known.spaces
            text = " || ' ' || ".join(parts)
            places[known.name] = _bracketed(known, before, stretch, text) if known.style is Style.BRACKETED else text
            before.append(known)
        plains.append(_Plain(variant._replace(fields=fields), places, quotes, token - 1 if quotes else token))
    return plains


def _bracketed(known: Field, before: Sequence[Field], stretch: int, text: str) -> str:
    """SQL: what stands inside the brackets of a field; of a known width it is cut from the stretch, which is twice as fast.

    No bare field begins with a bracket or holds a blank, unless its shape says so: the first bracket behind a blank is that of the first
    bracketed field.
    """
    if not known.width or not before or any(one.style is Style.BRACKETED or r"\[" in one.shape or " " in one.shape for one in before):
        return f"({text})[2:-2]"
    return f"substr(q[{stretch}], strpos(q[{stretch}], ' [') + 2, {known.width})"


def _fits(layout: Delimited, plain: _Plain) -> str:
    """SQL: whether a line without escapes is of this variant and plain."""
    least = sum(known.style is Style.QUOTED for known in plain.variant.fields[: plain.variant.least])
    pieces = f"len(q) >= {2 * least + 1}" + ("" if plain.variant.bulk_tail else f" AND len(q) <= {2 * plain.quotes + 1}")
    tests = [pieces, f"regexp_full_match(_bones, {quoted(_bones(layout, plain))})"]
    for number, known in enumerate(plain.variant.fields):
        shape = _shape(layout, known)
        if known.style is Style.QUOTED and shape:
            test = f"regexp_full_match({plain.places[known.name]}, {quoted(shape)})"
            tests.append(test if number < plain.variant.least else f"coalesce({test}, true)")
    return " AND ".join(tests)


def _bones(layout: Delimited, plain: _Plain) -> str:
    """The pattern of a whole plain line with its quoted fields emptied."""
    bare = _bare_text(layout)
    keyed = f"(?:{_KEY})?" if layout.tail.keys else ""
    pattern = f'(?: (?:{keyed}""|{bare}))*' if plain.variant.bulk_tail else ""
    pattern += "".join(f" {_bone(layout, one)}" for one in plain.tail or ())
    parts = []
    for known in plain.variant.fields:
        inside = _shape(layout, known) or (r'[^ "\[\]]*' if known.style is Style.BRACKETED else bare)
        parts.append({Style.QUOTED: '""', Style.BRACKETED: rf"\[{inside}\]"}.get(known.style, inside))
    for part in reversed(parts[plain.variant.least :]):
        pattern = f"(?: {part}{pattern})?"
    return " ".join(parts[: plain.variant.least]) + pattern


def _shape(layout: Delimited, known: Field) -> str:
    """The pattern of a field's text, its marks of a missing value included; empty when any text will do."""
    marks = [re.escape(mark) for mark in known.missing if mark or known.style is not Style.BARE]
    if known.name not in layout.taken:
        return f"(?:{'|'.join(marks)})"
    shape = known.shape or next((take.cast.shape for take in layout.takes if take.source == known.name and take.cast.shape), "")
    return f"(?:{'|'.join((*marks, shape))})" if shape else ""


def _bone(layout: Delimited, one: Trailing) -> str:
    """The pattern of a field that a sample shows behind the last one."""
    if one.style is Style.QUOTED:
        return f'{re.escape(one.key)}=""' if one.key else '""'
    if one.key:
        return re.escape(one.key) + ('=(?:[^ "]*[^ ",:])?' if layout.lists else '=[^ "]*')
    return _bare_text(layout).replace("[^", "[^=") if layout.tail.keys else _bare_text(layout)


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
            more = f"len(q) > {stretch} OR len(s{stretch}) > {plain.last_bare + bool(plain.quotes)}"
            rest = f"array_to_string(q[{stretch}:], '\"')"
            if plain.last_bare:
                rest = f"regexp_replace({rest}, '^(?: ?[^ \"]+){{{plain.last_bare}}}', '')"
            whens.append(f'WHEN _variant = {number} AND ({more}) THEN regexp_extract_all({rest}, \'[^ "]*"[^"]*"|[^ "]+\')')
    return f"CASE {' '.join(whens)} END" if whens else "NULL::VARCHAR[]"


def _raw(layout: Delimited, plains: list[_Plain], name: str) -> str:
    """SQL for a raw field: where it stands in each variant, else in the tail; null when missing."""
    places: dict[str, list[int]] = {}
    for number, plain in enumerate(plains, 1):
        generic = _in_tail(layout.tail, name) if name in layout.tail.names and plain.tail is None else "NULL"
        place = plain.places.get(name) or generic
        places.setdefault(place, []).append(number)
    usual = max(places, key=lambda place: len(places[place]))
    # Comparisons, not IN: DuckDB makes a join of a longer IN.
    rarer = [(" OR ".join(f"_variant = {n}" for n in numbers), place) for place, numbers in places.items() if place != usual]
    text = "CASE " + " ".join(f"WHEN {test} THEN {place}" for test, place in rarer) + f" ELSE {usual} END" if rarer else usual
    marks = {mark for plain in plains for known in plain.variant.fields if known.name == name for mark in known.missing}
    if name in layout.tail.names:
        marks |= {""} if name in layout.tail.kept else {"-", ""}
    for mark in sorted(marks):
        text = f"NULLIF({text}, {quoted(mark)})"
    return text


def _tail_names(layout: Delimited) -> str:
    """For each token of the tail the number of the field that it names, null for one that is not known."""
    names = layout.tail.names
    if not names:
        return "NULL::TINYINT[]"
    keys = {f"{key}=": names.index(name) for key, name in layout.tail.keys.items()}
    begins = {f'"{text}': names.index(name) for text, name in layout.tail.beginnings.items()}
    quotes = " ".join(f"WHEN starts_with(t, {quoted(text)}) THEN {quoted(text)}" for text in begins)
    start = f"list_transform(_tokens, lambda t: CASE {quotes} ELSE left(t, strpos(t, '=')) END)"
    numbers = " ".join(f"WHEN k = {quoted(text)} THEN {number}::TINYINT" for text, number in {**keys, **begins}.items())
    return f"CASE WHEN _tokens IS NOT NULL THEN list_transform({start}, lambda k: CASE {numbers} END) END"


def _tail_values(layout: Delimited) -> str:
    """The tokens of the tail that are not known, without quotes."""
    plain = "lambda t: replace(t, '\"', '')"
    if not layout.tail.names:
        return f"list_transform(_tokens, {plain})"
    unknown = "list_filter(_tokens, lambda t, i: _names[i] IS NULL)"
    return f"CASE WHEN list_count(_names) < len(_tokens) THEN list_transform({unknown}, {plain}) END"


def _tail_sound(layout: Delimited) -> str:
    """Whether no field is named twice in the tail: then the exact reader keeps the second."""
    if not layout.tail.names:
        return "true"
    found = " + ".join(f"(list_position(_names, {number}) IS NOT NULL)::INTEGER" for number in range(len(layout.tail.names)))
    return f"CASE WHEN _tokens IS NULL THEN true ELSE list_count(_names) = {found} END"


def _in_tail(tail: Tail, name: str) -> str:
    """The value of the field, named in the tail."""
    token = f"_tokens[list_position(_names, {tail.names.index(name)})]"
    text = f"CASE WHEN starts_with({token}, '\"') THEN {token} ELSE substr({token}, strpos({token}, '=') + 1) END"
    return f"CASE WHEN _tokens IS NOT NULL THEN trim({text}, '\"') END"


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
    checks = ["_variant IS NOT NULL", "_single"]
    checks += [f'"{name}" IS NOT NULL' for name in layout.required]
    checks += [
        f'({_id(take.source)} IS NULL OR "{take.column}" IS NOT NULL)'
        for take in layout.takes
        if take.cast is not TEXT and not take.optional and take.column not in layout.required
    ]
    shapes = {(take.source, take.cast.shape) for take in layout.takes if take.optional and take.cast.shape and not _checked(layout, take)}
    checks += [f"({_id(source)} IS NULL OR regexp_full_match({_id(source)}, {quoted(shape)}))" for source, shape in sorted(shapes)]
    return "coalesce(" + " AND ".join(checks) + ", false)"
