"""What a rule may see of a case: everything it says is then cited."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kyumei.store.cite import cite_all, identity, place
from kyumei.store.filled import has_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kyumei.contracts import Failure
    from kyumei.correlate.coverage import LogCoverage
    from kyumei.model.finding import Citation
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case
    from kyumei.store.cite import Place

REMEMBERED = 1000
"""Rows of an answer that is kept for who asks the same."""


@dataclass
class CaseView:
    """A ``contracts.View`` over an opened case."""

    case: Case
    symptom: Symptom
    window: Window
    logs: Sequence[LogCoverage]
    failures: Sequence[Failure] = ()
    _snapshots: dict[tuple[str, str], list[tuple[dict[str, Any], Citation]]] = field(default_factory=dict)
    _operations: set[tuple[str, str]] | None = None
    _cited: dict[tuple[object, ...], Citation] = field(default_factory=dict)
    _present: dict[str, bool] = field(default_factory=dict)
    _asked: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    def has(self, table: str) -> bool:
        """Whether the case holds any row of the table."""
        if table not in self._present:
            self._present[table] = has_rows(self.case.con, table)
        return self._present[table]

    def covers(self, table: str) -> bool:
        """Whether all logs of the table cover the window; false when there is none."""
        own = [log for log in self.logs if log.table == table]
        return bool(own) and all(log.covers for log in own)

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """The rows of a SELECT over the tables of the case; several rules ask the same, and nothing changes while they do."""
        key = (sql, repr(parameters))
        if key not in self._asked:
            rows = self.case.rows(sql, parameters)
            if len(rows) > REMEMBERED:
                return rows
            self._asked[key] = rows
        return [dict(row) for row in self._asked[key]]

    def cite(self, rows: Iterable[Mapping[str, Any]], limit: int = 3) -> tuple[Citation, ...]:
        """Citations for the first rows, each once."""
        first: dict[Place, Mapping[str, Any]] = {}
        for row in rows:
            if len(first) < limit:
                first.setdefault(place(row), row)
        new = {key: row for row in first.values() if (key := identity(row)) not in self._cited}
        self._cited.update(zip(new, cite_all(self.case, list(new.values())), strict=True))
        return tuple(self._cited[identity(row)] for row in first.values())

    def snapshot(self, service: str, operation: str) -> list[tuple[dict[str, Any], Citation]]:
        """The resources of one AWS operation as stored, each with the line on which it starts."""
        key = (service, operation)
        if self._operations is None:  # Rules ask for many operations, of which most cases have few.
            told = self.case.rows("SELECT DISTINCT service, operation FROM resource_snapshot WHERE document IS NOT NULL")
            self._operations = {(row["service"], row["operation"]) for row in told}
        if key not in self._operations:
            return []
        if key not in self._snapshots:
            rows = self.case.rows(
                "SELECT _artifact, _line, document FROM resource_snapshot WHERE service = ? AND operation = ? AND document IS NOT NULL "
                "ORDER BY _artifact, _line",
                key,
            )
            documents = [json.loads(row["document"]) for row in rows]
            self._snapshots[key] = list(zip(documents, cite_all(self.case, rows), strict=True))
        return self._snapshots[key]
