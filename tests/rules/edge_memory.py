"""A case in memory for rules about connections, Classic Load Balancers and slow requests: the real tables, and sightings of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from kyumei import discover
from kyumei.contracts import Failure, Opinion
from kyumei.correlate.sightings import create
from kyumei.store.narrow import REGISTER
from tests.rules.memory import TablesView, around

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.model.window import Window

NOON = datetime(2025, 4, 17, 3, 41, 7)  # noqa: DTZ001 - tables hold UTC without a zone
CLIENT = "203.0.113.77"


@dataclass
class EdgeView(TablesView):
    """A view over all tables."""

    tables: ClassVar[tuple[str, ...]] = tuple(sorted(discover.formats()))
    window: Window = field(default_factory=lambda: around(NOON.replace(tzinfo=UTC), 5))

    def add(self, table: str, *rows: Mapping[str, Any]) -> EdgeView:
        """Store rows, each on a line of its own of the table's one file."""
        for row in rows:
            self.store(table, {"_naive": 0} | dict(row))
        return self

    def failing(self, hop: str, table: str, *, path: str, status: int, **more: Any) -> EdgeView:  # noqa: ANN401 - any field of Failure
        """The view with one failure: the requests of a path and status, and what every hop has of the path."""
        if not self.rows("FROM duckdb_tables() WHERE table_name = '_narrow'"):  # a case has it from its start
            self.con.execute(REGISTER)
        create(self.con)
        seen = self.rows("SELECT * FROM sightings WHERE path = ? ORDER BY time, _line", path)
        by_hop: dict[str, tuple[dict[str, Any], ...]] = {}
        for row in seen:
            by_hop[row["hop"]] = (*by_hop.get(row["hop"], ()), row)
        rows = tuple(self.rows(f'SELECT * FROM "{table}" WHERE path = ? AND status = ? ORDER BY time, _line', path, status))
        self.failures = (Failure(hop=hop, table=table, total=len(rows), rows=rows, sightings=by_hop, key="f1", **more),)
        return self


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
