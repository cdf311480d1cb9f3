"""A case in memory for rules about connections, Classic Load Balancers and slow requests: the real tables, and sightings of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from kyumei import discover
from kyumei.contracts import Failure, Opinion
from kyumei.correlate.sightings import create
from kyumei.model.finding import Citation
from kyumei.model.symptom import Symptom
from kyumei.model.table import LINEAGE
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOON = datetime(2025, 4, 17, 3, 41, 7)  # noqa: DTZ001 - tables hold UTC without a zone
CLIENT = "203.0.113.77"


@dataclass
class EdgeView:
    """A view over all tables; answers of AWS by operation, with the name of their file where it tells something."""

    symptom: Symptom = field(default_factory=Symptom)
    window: Window = field(
        default_factory=lambda: Window(NOON.replace(tzinfo=UTC) - timedelta(minutes=5), NOON.replace(tzinfo=UTC) + timedelta(minutes=5))
    )
    failures: Sequence[Failure] = ()
    covering: frozenset[str] = frozenset()
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def __post_init__(self) -> None:
        """Create the tables as the store does."""
        for leaf in discover.formats().values():
            columns = [*LINEAGE, *leaf.table.columns]
            self.con.execute(f'CREATE TABLE "{leaf.name}" (' + ", ".join(f'"{one.name}" {one.kind.value}' for one in columns) + ")")

    def add(self, table: str, *rows: Mapping[str, Any]) -> EdgeView:
        """Store rows, each on a line of its own of the table's one file."""
        for row in rows:
            line = self.rows(f'SELECT count(*) + 1 AS n FROM "{table}"')[0]["n"]
            full = {"_artifact": _artifact(table), "_line": line, "_naive": 0} | dict(row)
            names = ", ".join(f'"{name}"' for name in full)
            self.con.execute(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(full))})', list(full.values()))
        return self

    def has(self, table: str) -> bool:
        """Whether there is any row."""
        return bool(self.rows(f'SELECT count(*) AS n FROM "{table}"')[0]["n"])

    def covers(self, table: str) -> bool:
        """Whether the table is said to cover the window."""
        return table in self.covering

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """The rows of a SELECT."""
        found = self.con.execute(sql, list(parameters))
        names = [one[0] for one in found.description or ()]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]

    def cite(self, rows: Iterable[Mapping[str, Any]], limit: int = 3) -> tuple[Citation, ...]:
        """A citation for each of the first rows."""
        return tuple(Citation(f"{_tables()[row['_artifact'] - 1]}.log", row["_line"], "") for row in list(rows)[:limit])

    def snapshot(self, service: str, operation: str) -> list[tuple[dict[str, Any], Citation]]:
        """The answers given for this operation."""
        name = self.files.get(operation, f"aws/{service}/{operation}.json")
        return [(answer, Citation(name, 2, "")) for answer in self.answers.get(operation, [])]

    def failing(self, hop: str, table: str, *, path: str, status: int, **more: Any) -> EdgeView:  # noqa: ANN401 - any field of Failure
        """The view with one failure: the requests of a path and status, and what every hop has of the path."""
        create(self.con)
        seen = self.rows("SELECT * FROM sightings WHERE path = ? ORDER BY time, _line", path)
        by_hop: dict[str, tuple[dict[str, Any], ...]] = {}
        for row in seen:
            by_hop[row["hop"]] = (*by_hop.get(row["hop"], ()), row)
        rows = tuple(self.rows(f'SELECT * FROM "{table}" WHERE path = ? AND status = ? ORDER BY time, _line', path, status))
        self.failures = (Failure(hop=hop, table=table, total=len(rows), rows=rows, sightings=by_hop, key="f1", **more),)
        return self


def _tables() -> list[str]:
    return sorted(discover.formats())


def _artifact(table: str) -> int:
    return _tables().index(table) + 1


def after(seconds: float) -> datetime:
    """The time that many seconds after NOON."""
    return NOON + timedelta(seconds=seconds)


def ask(view: EdgeView, name: str) -> Opinion:
    """What the rule says; its texts must be whole, its queries must run again, and its codes are its own."""
    rule = discover.rules()[name]
    opinion = rule.examine(view)
    for finding in opinion.findings:
        assert finding.rule == name
        assert finding.code in rule.codes
        assert all((finding.title, finding.message, finding.layer, finding.remedy, finding.check, finding.onset))
        assert all(isinstance(value, str) for value in finding.subject.values())
        texts = [finding.title, finding.message, *(text for one in finding.remedy for text in (one.says, *one.commands))]
        texts += [text for one in finding.check for text in (one.says, one.command)]
        assert not [text for text in texts if any("{" + blank + "}" in text for blank in BLANKS)]
        for evidence in finding.chain:
            assert evidence.says
            if evidence.sql:
                view.rows(evidence.sql)
    return opinion


BLANKS = ("elb", "idle", "host", "path", "target", "port", "elb_arn", "listener_arn", "trust_store_arn", "ssl_policy", "seconds", "total")


def codes(opinion: Opinion) -> list[tuple[str, str]]:
    """Code and certainty of each finding."""
    return [(one.code, str(one.certainty)) for one in opinion.findings]


def metric(name: str, value: float, about: str = "") -> dict[str, Any]:
    """One point of get-metric-data in NOON's minute."""
    stamp = NOON.replace(second=0, tzinfo=UTC).isoformat()
    return {"Id": "m1", "Label": f"{name} {about}".strip(), "Timestamps": [stamp], "Values": [value], "StatusCode": "Complete"}
