"""The bulk reader of the text layout: a SELECT generated from the declaration that the exact reader follows.

It works in stages, each a SELECT over the one before: which shape a record has (``which``), its groups cut out by one ``regexp_extract``
per shape (``s1``, ``s2``, ...), the raw fields of all shapes side by side (``r_<group>``), their casts (``c_<column>``), and whether each
raw field that is there could be cast (``sound``). Every look repeats the stages on its column and fills what is null. Of shapes that a
sample of the records does not show only one pattern for all of them is left, a gate: what it fits is for the exact reader.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.layouts.casts import TEXT, quoted
from kyumei.layouts.text_sample import Gate, choices, everything
from kyumei.layouts.text_shapes import COLOUR, HEADLINE, compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kyumei.layouts.casts import Take
    from kyumei.layouts.text import Text
    from kyumei.layouts.text_sample import Chosen
    from kyumei.layouts.text_shapes import Look, Shape

_RECORD = ("_artifact", "_line", "subject")
_NAMED = re.compile(r"\(\?P<[^>]*>")
SHUT = 0
"""Stands for the number of a shape where a gate is shut."""
BATCH = 7
"""Shapes that are tried behind one pattern for all of them."""
UNGATED = 2
"""Shapes that are tried at once."""
LONGEST = 65536
"""Bytes of a record that the bulk reader takes on; the few longer ones are for the exact reader."""


def select(layout: Text, source: str, sample: Sequence[str] = ()) -> str:
    """See ``contracts.Layout.bulk``."""
    opening, *looks = choices(layout, sample) if sample else map(everything, (layout.shapes, *(look.shapes for look in layout.looks)))
    plain = f"CASE WHEN contains(text, chr(27)) THEN regexp_replace(text, {quoted(COLOUR)}, '', 'g') ELSE text END"
    query = f"SELECT _artifact, _line, {plain} AS plain FROM {source}"
    query = f"SELECT _artifact, _line, CASE WHEN suffix(plain, chr(10)) THEN rtrim(plain, chr(10)) ELSE plain END AS subject FROM ({query})"
    query = _stages(opening, query, "subject", _RECORD)
    names = _columns(opening.shapes)
    known = [f"c_{name} AS k_{name}" for name in names]
    query = f"SELECT {_comma([*_RECORD, f'{_sound(opening.shapes)} AND coalesce(which > 0, false) AS sound', *known])} FROM ({query})"
    for look, chosen in zip(layout.looks, looks, strict=True):
        if look.column in names:
            query, names = _look(look, chosen, query, names)
    columns = [_final(layout, column.name, column.kind.value, names) for column in layout.columns]
    naive = "coalesce(k__naive, 0)" if "_naive" in names else "0"
    sound = f"sound AND strlen(subject) <= {LONGEST} AS _ok"
    return f"SELECT {_comma(['_artifact', '_line', f'{naive} AS _naive', 'NULL::JSON AS _extra', *columns, sound])} FROM ({query})"


def _final(layout: Text, name: str, kind: str, names: Sequence[str]) -> str:
    value = f"k_{name}" if name in names else "NULL"
    if name in layout.defaults:
        value = f"coalesce({value}, {quoted(layout.defaults[name])})"
    return f'CAST({value} AS {kind}) AS "{name}"'


def _look(look: Look, chosen: Chosen, query: str, names: list[str]) -> tuple[str, list[str]]:
    """The query with a look on top, and the columns that are known after it."""
    known = [*_RECORD, *(f"k_{name}" for name in names)]
    inner = f"k_{look.column}" if look.whole else _headline(f"k_{look.column}")
    query = f"SELECT {_comma(known)}, sound AS sound_before, {inner} AS inner_text FROM ({query})"
    query = _stages(chosen, query, "inner_text", [*known, "sound_before", "inner_text"], _worth(look))
    new = _columns(chosen.shapes)
    kept = [f"k_{name}" for name in names if name not in new]
    filled = [f"coalesce(k_{name}, c_{name}) AS k_{name}" if name in names else f"c_{name} AS k_{name}" for name in new]
    sound = f"sound_before AND {_sound(chosen.shapes)} AND which IS DISTINCT FROM {SHUT} AS sound"
    query = f"SELECT {_comma([*_RECORD, sound, *kept, *filled])} FROM ({query})"
    return query, [*(name for name in names if name not in new), *new]


def _worth(look: Look) -> str:
    """Whether the text may hold what the look is for: literals are found at the speed of memory, the pattern behind them is not."""
    tests = [f"contains(inner_text, {quoted(text)})" for text in look.literals]
    return " AND ".join(
        filter(
            None, [f"({' OR '.join(tests)})" if tests else "", f"regexp_matches(inner_text, {quoted(look.worth)})" if look.worth else ""]
        )
    )


def _headline(text: str) -> str:
    """The first line, cut at HEADLINE; most texts are nothing more."""
    cut = f"left(split_part({text}, chr(10), 1), {HEADLINE})"
    return f"CASE WHEN strlen({text}) <= {HEADLINE} AND NOT contains({text}, chr(10)) THEN {text} ELSE {cut} END"


def _stages(chosen: Chosen, query: str, subject: str, carried: Sequence[str], worth: str = "") -> str:
    """The query with what is carried, ``which``, the raw fields and the ``c_`` columns of the shapes."""
    shapes = chosen.shapes
    which = _which(chosen, subject)
    which = f"CASE WHEN {worth} THEN {which} END" if worth else which
    cut = [
        f"CASE WHEN which = {number} THEN {_cut(shape, subject)} END AS s{number}"
        for number, shape in enumerate(shapes, 1)
        if _groups(shape)
    ]
    sources = sorted({take.source for shape in shapes for take in shape.takes})
    raw = [f"{_raw(shapes, name, subject)} AS r_{name}" for name in sources]
    values = [f"{_value(shapes, name)} AS c_{name}" for name in _columns(shapes)]
    kept = [*carried, "which"]
    for more in (
        [*carried, f"{which} AS which"],
        [*kept, *cut],
        [*kept, *raw],
        [*kept, *(f"r_{name}" for name in sources), *values],
    ):
        query = f"SELECT {_comma(more)} FROM ({query})"
    return query


def _which(chosen: Chosen, subject: str) -> str:
    """The number of the first shape that is found, counted from 1, or SHUT. One pattern tells first whether any of several is found."""
    batches: list[Gate | list[tuple[int, Shape]]] = []
    number = 0
    for step in chosen.steps:
        if isinstance(step, Gate):
            batches.append(step)
            continue
        number += 1
        if batches and isinstance(last := batches[-1], list) and len(last) < BATCH:
            last.append((number, step))
        else:
            batches.append([(number, step)])
    cases = []
    for batch in batches:
        if isinstance(batch, Gate):
            cases.append(f"WHEN {_any_of(batch.shapes, subject)} THEN {SHUT}")
            continue
        shapes = [shape for _, shape in batch]
        tests = " ".join(f"WHEN {_found(shape, subject)} THEN {number}" for number, shape in batch)
        gated = len(batches) > 1 and len(batch) > UNGATED and not any(shape.last for shape in shapes)
        cases.append(f"WHEN {_any_of(shapes, subject)} THEN CASE {tests} END" if gated else tests)
    return f"CASE {' '.join(cases)} END"


def _any_of(shapes: Sequence[Shape], subject: str) -> str:
    """Whether any of the shapes is found, by one pattern."""
    if len(shapes) == 1:
        return _found(shapes[0], subject)
    return f"regexp_matches({subject}, {quoted(_NAMED.sub('(?:', '|'.join(f'(?:{shape.only or shape.pattern})' for shape in shapes)))})"


def _found(shape: Shape, subject: str) -> str:
    tests = [_among(map(ord, set(shape.starts)), f"unicode({subject})")] if shape.starts else []
    if shape.last:
        tests += [f"contains({subject}, {quoted(shape.last)})", f"regexp_matches({_after(shape, subject)}, {quoted(shape.pattern)})"]
    if shape.only or not shape.last:
        tests.append(f"regexp_matches({subject}, {quoted(shape.only or shape.pattern)})")
    return " AND ".join(tests)


def _after(shape: Shape, subject: str) -> str:
    """What the pattern is for: the text, or what follows the last mark."""
    return f"list_extract(string_split({subject}, {quoted(shape.last)}), -1)" if shape.last else subject


def _groups(shape: Shape) -> list[str]:
    """The groups of a shape in their order; first ``_whole``, the match itself, where a take wants the rest."""
    index = compiled(shape.pattern).groupindex
    wanted = [name for name, _ in sorted(index.items(), key=lambda item: item[1])]
    return ["_whole", *wanted] if any(take.source == "rest" for take in shape.takes) else wanted


def _cut(shape: Shape, subject: str) -> str:
    names = _groups(shape)
    pattern = f"^({shape.pattern.removeprefix('^')})" if names[0] == "_whole" else shape.pattern
    return f"regexp_extract({_after(shape, subject)}, {quoted(pattern)}, [{_comma(quoted(name) for name in names)}])"


def _raw(shapes: Sequence[Shape], name: str, subject: str) -> str:
    """The raw field of that name over all shapes, null where it is missing."""
    if name == "text":
        return f"nullif({subject}, '')"
    cases = []
    for number, shape in enumerate(shapes, 1):
        if name == "before" and shape.last:
            size = f"length({subject}) - length({_after(shape, subject)}) - {len(shape.last)}"
            cases.append(f"WHEN {number} THEN nullif(left({subject}, {size}), '')")
        elif name == "rest" and "_whole" in _groups(shape):
            cases.append(f"WHEN {number} THEN nullif(substr({subject}, length(s{number}._whole) + 1), '')")
        elif name in _groups(shape):
            cases.append(f"WHEN {number} THEN nullif(s{number}.{name}, '')")
    if len(cases) == 1 and name != "before":  # what was cut out for one shape is null for the others
        return cases[0].split(" THEN ", 1)[1]
    return f"CASE which {' '.join(cases)} END"


def _columns(shapes: Sequence[Shape]) -> list[str]:
    """The columns that any of the shapes fills, scratch ones too."""
    return list(dict.fromkeys(name for shape in shapes for name in (*(take.column for take in shape.takes), *shape.constants)))


def _value(shapes: Sequence[Shape], column: str) -> str:
    """The value of a column: one cast for all shapes that take it alike."""
    groups: dict[str, list[int]] = {}
    for number, shape in enumerate(shapes, 1):
        if column in shape.constants:
            constant = shape.constants[column]
            groups.setdefault(quoted(constant) if isinstance(constant, str) else str(constant), []).append(number)
            continue
        for take in shape.takes:
            if take.column == column:
                groups.setdefault(take.cast.sql.replace("{x}", f"r_{take.source}"), []).append(number)
    sources = {take.source for shape in shapes for take in shape.takes if take.column == column}
    alike = len(groups) == 1 and len(next(iter(groups.values()))) == len(shapes)
    if alike and sources and not sources & {"text", "before"}:
        return next(iter(groups))  # of a record without a shape the raw field is null
    return f"CASE {' '.join(f'WHEN {_among(numbers)} THEN {value}' for value, numbers in groups.items())} END"


def _sound(shapes: Sequence[Shape]) -> str:
    """True where every raw field that is there, and whose value is not optional, could be cast."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, shape in enumerate(shapes, 1):
        for take in shape.takes:
            if _may_fail(take) and take.column not in shape.constants:
                groups.setdefault((take.source, take.column), []).append(number)
    tests = [
        f"(r_{source} IS NULL OR c_{column} IS NOT NULL OR NOT coalesce({_among(numbers)}, false))"
        for (source, column), numbers in groups.items()
    ]
    return " AND ".join(tests) or "true"


def _may_fail(take: Take) -> bool:
    return not take.optional and take.cast is not TEXT


def _among(numbers: Iterable[int], value: str = "which") -> str:
    """Whether the value is one of the numbers, as ranges: DuckDB turns a long IN list into a join."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1] = [ranges[-1][0], number]
        else:
            ranges.append([number])
    tests = [f"{value} = {ends[0]}" if len(ends) == 1 else f"{value} BETWEEN {ends[0]} AND {ends[1]}" for ends in ranges]
    return tests[0] if len(tests) == 1 else f"({' OR '.join(tests)})"


def _comma(parts: Iterable[str]) -> str:
    return ", ".join(parts)
