"""What a sample of open JSON records shows: which keys stand where, in which order, and what their values look like."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SEPARATOR = "\\x01"
"""Stands between the keys of an object where their order is checked; as RE2 writes it."""
DEEPEST = 5
"""Objects in one another that are opened."""
MOST_FORMS = 8
"""Ways to write one value that are kept apart."""
MOST_KEYS = 100
"""Keys of one object; a record with one more is for the exact reader, for the pattern of their order grows with them."""
LONGEST_FORM = 4000
"""Characters of the pattern of one value."""
_NAME = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_.@/:#-]{0,99}", re.ASCII)
_STRING = r'"(?:[^"\\]|\\[^u])*"'
_SCALAR = rf"(?:{_STRING}|true|false|null|-?[1-9][0-9]{{0,17}}|0|-?[1-9][0-9]{{0,9}}\.[0-9]{{1,5}}|0\.[0-9]{{1,4}})"
# Values whose compact text is the same by DuckDB and by Python: no odd numbers, no two keys of one name in an object.
_PLAIN = rf"{_SCALAR}|\[(?:{_SCALAR}(?:,{_SCALAR})*)?\]|\{{\}}"


@dataclass
class Node:
    """An object of the records: its keys in their order, the objects opened inside it, and patterns of its other values."""

    keys: list[str] = field(default_factory=list)
    objects: dict[str, Node] = field(default_factory=dict)
    forms: dict[str, str] = field(default_factory=dict)

    def leaves(self, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        """The places of all values that are not opened."""
        for key in self.keys:
            if key in self.objects:
                yield from self.objects[key].leaves((*above, key))
            else:
                yield (*above, key)

    def opened(self, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Every object with its place, the record itself first."""
        yield above, self
        for key, inner in self.objects.items():
            yield from inner.opened((*above, key))

    def forget(self, place: tuple[str, ...]) -> None:
        """Pass over the key at the place: a record that has it is of another shape."""
        node = self
        for step in place[:-1]:
            node = node.objects[step]
        node.keys.remove(place[-1])

    @property
    def order(self) -> str:
        """A pattern of the keys, each at most once and in their order, each with the separator behind."""
        return "".join(f"(?:{re.escape(key)}{SEPARATOR})?" for key in self.keys)


def observed(documents: Sequence[Mapping[str, Any]], heads: frozenset[str], above: tuple[str, ...] = ()) -> Node:
    """What the objects have in common. ``heads`` are paths under which a column may be looked for: objects there are opened."""
    node = Node()
    orders = Counter(tuple(document) for document in documents)
    taken: set[str] = set()
    for order, _ in orders.most_common():
        at = 0
        for key in order:
            if key in node.keys:
                at = node.keys.index(key) + 1
            elif _NAME.fullmatch(key) and key.lower() not in taken and len(node.keys) < MOST_KEYS:
                taken.add(key.lower())  # DuckDB takes names that differ in case alone for one
                node.keys.insert(at, key)
                at += 1
    for key in node.keys:
        values = [value for document in documents if (value := document.get(key)) is not None]
        inner = [value for value in values if isinstance(value, dict) and value]
        if ".".join((*above, key)) in heads and len(inner) * 2 > len(values) and len(above) < DEEPEST:
            node.objects[key] = observed(inner, heads, (*above, key))
        else:
            forms = dict.fromkeys(
                form for value in values if isinstance(value, dict) and len(form := _form(value)) in range(1, LONGEST_FORM)
            )
            node.forms[key] = f"(?:{'|'.join((_PLAIN, *list(forms)[:MOST_FORMS]))})"
    return node


def _form(value: Any, depth: int = 0) -> str:  # noqa: ANN401 - any JSON value
    """A pattern of values that have the keys of this one in its order; empty where there is none."""
    if not isinstance(value, dict) or not value:
        return rf"(?:{_PLAIN})"
    inner = [(key, _form(item, depth + 1)) for key, item in value.items()]
    if depth > DEEPEST or not all(form and _NAME.fullmatch(key) for key, form in inner):
        return ""
    return r"\{" + ",".join(f'"{re.escape(key)}":{form}' for key, form in inner) + r"\}"
