"""What a question in SQL asks of the text of records: so that those which cannot count are passed over without being parsed.

Only where it changes no answer: the question reads one table, once, and compares a column with texts or whole numbers, and the table's
layouts tell what stands in a record that has such a value (``contracts.SearchedLayout``). Everything else is read whole, as always.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
from stringzilla import count

from kyumei import discover
from kyumei.contracts import SearchedLayout
from kyumei.layouts.holding import any_of
from kyumei.model.table import Kind
from kyumei.store.part import layouts
from kyumei.store.unpack import members

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kyumei.contracts import Layout
    from kyumei.store.part import Part

SEEN = 256 * 1024
"""Bytes at the start of a file that tell how many records a search would find."""
SELDOM = 20
"""A search pays where at most one line in so many is found."""
SERVERS = frozenset({"nginx_access", "apache_access"})
"""Tables of hosts whose clocks may turn out to run fast or slow, by all the requests that they share with logs of AWS."""
OF_HOSTS = SERVERS | {"nginx_error", "apache_error", "app_log", "json_lines", "syslog"}
"""Formats of files that tell nothing of such a clock."""
_READ = frozenset({"BASE_TABLE", "TABLE_FUNCTION", "SUBQUERY", "SHOW_REF", "PIVOT"})
"""What a question may read, as DuckDB names it."""
_OTHERWISE = ("schema_name", "catalog_name", "column_name_alias", "sample", "at_clause")
"""What makes a table of the question another than the whole one of that name, or its columns others."""
_LITERALS = {Kind.TEXT: "STRING", Kind.INTEGER: "INTEGER"}
_DIGITS = 18
"""Digits of a whole number that is searched for; a column holds none of more than nineteen."""


class Asked(NamedTuple):
    """Values that a column of a table must have, one of them, in every row that counts; each condition for itself."""

    table: str
    conditions: tuple[tuple[str, tuple[str | int, ...]], ...]

    def needles(self, part: Part) -> tuple[str, ...]:
        """Substrings of which every line of the part that counts, and every header line, holds one; none where that cannot be told."""
        leaf = discover.formats()[self.table]
        own: tuple[Layout, ...] = (leaf.layout, *(layouts(part) if part.format == self.table else ()), *part.above)
        found = [self._found(own, column, values) for column, values in self.conditions]
        longest = max((one for one in found if one), key=lambda texts: min(map(len, texts)), default=())
        return (*longest, *leaf.headers) if longest else ()

    def _found(self, own: Sequence[Layout], column: str, values: tuple[str | int, ...]) -> tuple[str, ...]:
        return any_of(layout.holding(column, value) if isinstance(layout, SearchedLayout) else () for layout in own for value in values)

    def pays(self, parts: Sequence[Part]) -> bool:
        """Whether a search passes over most lines of the files that hold the table, by their first bytes.

        Nor may it change when the rows were: beside logs of AWS a server's clock is found by requests that a search would pass over.
        """
        if self.table in SERVERS and any(part.wanted and part.format not in OF_HOSTS for part in parts):
            return False
        lines = found = 0
        for part in parts:
            if part.format != self.table or part.identity.shape != "lines":
                continue
            needles = [needle.encode() for needle in self.needles(part)]
            if not needles:
                return False
            head = next((chunk for _, _, stream in members(part.artifact) for chunk in stream.chunks(SEEN)), b"")
            lines += count(head, b"\n")
            found += sum(count(head, needle) for needle in needles)
        return lines > 0 and found * SELDOM <= lines


def tree_of(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """The one SELECT of a question as DuckDB's own parser takes it apart; empty where it is none, or too deep to be looked through."""
    try:
        row = con.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        tree = json.loads(row[0]) if row else {}
    except (duckdb.Error, RecursionError):
        return {}
    statements = tree.get("statements") or []
    return {} if tree.get("error") or len(statements) != 1 else dict(statements[0]["node"])


def asked_of(sql: str) -> Asked | None:
    """What the question asks of one table; null where it asks of none, of several, or nothing that a search could find."""
    with duckdb.connect() as con:
        node = tree_of(con, sql)
    read = [one for one in nodes(node) if str(one.get("type")) in _READ]
    if node.get("type") != "SELECT_NODE" or len(read) != 1 or read[0] is not node.get("from_table"):
        return None
    table = read[0]
    name = str(table.get("table_name")).lower()
    leaf = discover.formats().get(name)
    if table["type"] != "BASE_TABLE" or any(table.get(key) for key in _OTHERWISE) or leaf is None:
        return None
    kinds = {column.name: column.kind for column in leaf.table.columns}
    called = {one for one in (name, str(table.get("alias")).lower()) if one not in kinds and not one.startswith("_")}
    conditions = tuple(found for one in _ands(node.get("where_clause") or {}) if (found := _condition(one, kinds, called)))
    return Asked(name, conditions) if conditions else None


def nodes(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """All objects in a tree."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _ands(clause: dict[str, Any]) -> list[dict[str, Any]]:
    """The conditions that all must hold."""
    if clause.get("type") == "CONJUNCTION_AND":
        return [inner for child in clause["children"] for inner in _ands(child)]
    return [clause]


def _condition(clause: dict[str, Any], kinds: dict[str, Kind], called: set[str]) -> tuple[str, tuple[str | int, ...]] | None:
    """A column and the values of which it must have one: ``column = value`` either way round, or ``column IN (values)``.

    ``called`` is what the table is called in the question: anything else before a name makes it a field of a column, as in
    ``_extra.status``.
    """
    if clause.get("type") == "COMPARE_EQUAL":
        sides = [clause["left"], clause["right"]]
    elif clause.get("type") == "COMPARE_IN":
        sides = clause["children"]
    else:
        return None
    names = [side for side in sides if side.get("class") == "COLUMN_REF"]
    values = [side.get("literal") or {} for side in sides if side.get("class") == "CONSTANT"]
    if len(names) != 1 or len(names) + len(values) != len(sides) or not values:
        return None
    *within, column = (str(name).lower() for name in names[0]["column_names"])
    wanted = _LITERALS.get(kinds.get(column, Kind.JSON))
    if wanted is None or any(value.get("kind") != wanted for value in values) or (within and (len(within) > 1 or within[0] not in called)):
        return None
    texts = [str(value["text"]) for value in values]
    if wanted == "INTEGER" and any(len(text) > _DIGITS or text.startswith("-") for text in texts):  # -7 may be written -07
        return None
    return column, tuple(int(text) for text in texts) if wanted == "INTEGER" else tuple(texts)
