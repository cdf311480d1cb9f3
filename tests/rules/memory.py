"""A case in memory for tests of rules: the real tables, rows stored as a rule gets them, answers of AWS by operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb

from kyumei import discover
from kyumei.model.finding import Citation
from kyumei.model.symptom import Symptom
from kyumei.model.table import LINEAGE
from kyumei.model.window import Window
from kyumei.store.parse import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kyumei.contracts import Failure
    from kyumei.model.finding import Finding

ANY_DAY = datetime(2025, 2, 6, 5, 32, 10, tzinfo=UTC)


def around(moment: datetime, minutes: int = 10) -> Window:
    """The window of so many minutes on each side of a moment."""
    return Window(moment - timedelta(minutes=minutes), moment + timedelta(minutes=minutes))


@dataclass
class TablesView:
    """A view over tables in memory; ``files`` names the file of an AWS answer where its name tells something."""

    tables: ClassVar[tuple[str, ...]] = ()
    """The tables of the case, each one file; its number is its place here, counted from 1."""
    answer_line: ClassVar[int] = 2
    """The line on which an AWS answer is cited."""

    symptom: Symptom = field(default_factory=Symptom)
    window: Window = field(default_factory=lambda: around(ANY_DAY))
    failures: Sequence[Failure] = ()
    covering: frozenset[str] = frozenset()
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def __post_init__(self) -> None:
        """Create the tables as the store does."""
        for name in self.tables:
            columns = [*LINEAGE, *discover.formats()[name].table.columns]
            self.con.execute(f'CREATE TABLE "{name}" (' + ", ".join(f'"{one.name}" {one.kind.value}' for one in columns) + ")")
        self.con.execute(STREAMS)
        for relation in (one for name in self.tables for one in discover.formats()[name].derived):
            self.con.execute(f'CREATE VIEW "{relation.table.name}" AS {relation.select}')

    def store(self, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Store a row on the next line of its table's file, and return it as a rule gets it."""
        line = self.rows(f'SELECT count(*) + 1 AS n FROM "{table}"')[0]["n"]
        full = {"_artifact": self.tables.index(table) + 1, "_line": line} | dict(row)
        names = ", ".join(f'"{name}"' for name in full)
        self.con.execute(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(full))})', list(full.values()))
        return self.rows(f'SELECT * FROM "{table}" WHERE _line = {line}')[0]

    def add_known(self, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Store what the table has columns for of a row that a reader answered."""
        known = {one.name for one in discover.formats()[table].table.columns}
        return self.store(table, {name: value for name, value in row.items() if name in known})

    def has(self, table: str) -> bool:
        """Whether there is any row; a real case has every table, most of them empty, and rows of what its answers tell of metrics."""
        if table == "metric" and {"get-metric-data", "get-metric-statistics"} & self.answers.keys():
            return True
        return table in self.tables and bool(self.rows(f'SELECT count(*) AS n FROM "{table}"')[0]["n"])

    def covers(self, table: str) -> bool:
        """Whether the table is said to cover the window."""
        return table in self.covering

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """The rows of a SELECT."""
        found = self.con.execute(sql, list(parameters))
        names = [one[0] for one in found.description or ()]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]

    def file_of(self, table: str) -> str:
        """The name of a table's file."""
        return f"{table}.log"

    def cite(self, rows: Iterable[Mapping[str, Any]], limit: int = 3) -> tuple[Citation, ...]:
        """A citation for each of the first rows."""
        return tuple(Citation(self.file_of(self.tables[row["_artifact"] - 1]), row["_line"], "") for row in list(rows)[:limit])

    def snapshot(self, service: str, operation: str) -> list[tuple[dict[str, Any], Citation]]:
        """The answers given for this operation."""
        name = self.files.get(operation, f"aws/{service}/{operation}.json")
        return [(answer, Citation(name, self.answer_line, "")) for answer in self.answers.get(operation, [])]


def assert_whole(finding: Finding, rule: str) -> None:
    """A finding of a rule about the one failure that there is says all that a finding has to say."""
    assert finding.rule == rule
    assert finding.code in discover.rules()[rule].codes
    assert finding.failures == ("f1",)
    assert finding.layer
    assert finding.message
    assert finding.check
    assert finding.remedy
    assert all(isinstance(value, str) for value in finding.subject.values())
