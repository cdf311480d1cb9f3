"""Notes on clocks: told of the logs that an answer stands on, and of no others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import duckdb
import pytest

from kyumei.contracts import Failure
from kyumei.diagnose.clock_notes import clock_notes
from kyumei.model.finding import Certainty, Citation, Evidence, Finding
from kyumei.model.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.store.case import Case

NOON = datetime(2025, 4, 17, 12, 0, tzinfo=UTC)
TABLES = ("nginx_access", "syslog", "app_log", "clb_access", "alb_access")


@dataclass
class Stored:
    """What of a case the notes look at."""

    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def __post_init__(self) -> None:
        """Create what the clocks leave behind."""
        self.con.execute("CREATE TABLE artifacts (artifact INTEGER, name VARCHAR)")
        self.con.execute("CREATE TABLE _clocks (artifact INTEGER, table_name VARCHAR, via VARCHAR, zone VARCHAR, source VARCHAR)")
        self.con.execute("CREATE TABLE _skews (artifact INTEGER, table_name VARCHAR, seconds INTEGER)")
        for name in TABLES:
            self.con.execute(f"CREATE TABLE {name} (_artifact INTEGER, _naive INTEGER, request_seconds DOUBLE)")

    def log(
        self, number: int, table: str, *, clock: tuple[str, str] | None = None, skew: int = 0, row: tuple[int, float | None] = (0, 0.1)
    ) -> Stored:
        """A log of the case: zone and source of its clock, by how much it is off, and one row (``_naive``, seconds that it took)."""
        self.con.execute("INSERT INTO artifacts VALUES (?, ?)", [number, f"web/{table}.log"])
        self.con.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", [number, *row])
        if clock:
            self.con.execute("INSERT INTO _clocks VALUES (?, ?, NULL, ?, ?)", [number, table, *clock])
        if skew:
            self.con.execute("INSERT INTO _skews VALUES (?, ?, ?)", [number, table, skew])
        return self

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """The rows of a query."""
        found = self.con.execute(sql, parameters)
        names = [one[0] for one in found.description or ()]
        return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def notes(case: Stored, *, seen: Mapping[str, int] | None = None, cited: str = "", proven: bool = True, at: datetime = NOON) -> list[str]:
    """The notes for one failure with records in these logs, and one finding that cites a file."""
    sightings = {table: ({"table_name": table, "_artifact": number},) for table, number in (seen or {}).items()}
    chain = (Evidence("it says so", (Citation(cited, 1, ""),)),) if cited else ()
    finding = Finding("EDGE-150", "rule", "title", Certainty.PROVEN if proven else Certainty.POSSIBLE, chain)
    failures = (Failure("nginx", "nginx_access", 1, (), sightings),)
    around = Window(at - timedelta(minutes=2), at + timedelta(minutes=2))
    return clock_notes(cast("Case", case), around, failures, (finding,))


def told(found: list[str]) -> set[str]:
    """The ids of the traps."""
    return {note.rpartition("(")[2].rstrip(")") for note in found}


def test_a_log_without_durations_is_warned_of() -> None:
    """The line is written at the end, and this log does not say how long it took."""
    assert told(notes(Stored().log(1, "nginx_access", row=(0, None)), seen={"nginx_access": 1})) == {"EDGE-122"}
    assert notes(Stored().log(1, "nginx_access"), seen={"nginx_access": 1}) == []


def test_arrivals_beside_answers() -> None:
    """A Classic Load Balancer writes when a request came, nginx when it was done."""
    case = Stored().log(1, "clb_access").log(2, "nginx_access")
    assert told(notes(case, seen={"clb_access": 1, "nginx_access": 2})) == {"EDGE-123"}
    assert notes(case, seen={"clb_access": 1}) == []


def test_an_assumed_zone_counts_where_it_is_cited_or_nothing_is_proven() -> None:
    """A proof from other logs does not lean on it."""
    case = Stored().log(1, "nginx_access").log(2, "syslog", clock=("UTC", "assumed"), row=(2, None))
    assert notes(case, seen={"nginx_access": 1}) == []
    assert told(notes(case, seen={"nginx_access": 1}, proven=False)) == {"EDGE-121"}
    assert told(notes(case, seen={"nginx_access": 1}, cited="web/syslog.log")) == {"EDGE-121"}


def test_the_hour_that_comes_twice() -> None:
    """A zone by name that changes its clocks that night."""
    night = datetime(2024, 11, 3, 5, 20, tzinfo=UTC)
    case = Stored().log(1, "app_log", clock=("America/New_York", "told"), row=(1, None))
    assert told(notes(case, cited="web/app_log.log", at=night)) == {"EDGE-124"}
    assert notes(case, cited="web/app_log.log", at=night + timedelta(days=9)) == []


@pytest.mark.parametrize(("seconds", "code"), [(5400, "EDGE-125"), (37, "EDGE-126"), (-190, "EDGE-126")])
def test_a_clock_that_is_off(seconds: int, code: str) -> None:
    """By hours it is a zone, by seconds a clock."""
    assert told(notes(Stored().log(1, "nginx_access", skew=seconds), seen={"nginx_access": 1})) == {code}


def test_a_year_that_nobody_writes() -> None:
    """Only at New Year does it matter."""
    case = Stored().log(1, "syslog", clock=("+09:00", "matched"), row=(2, None))
    assert told(notes(case, cited="web/syslog.log", at=datetime(2025, 1, 1, 0, 3, tzinfo=UTC))) == {"EDGE-127"}
    assert notes(case, cited="web/syslog.log") == []


def test_a_case_without_clocks_has_no_notes() -> None:
    """Nothing to say, and nothing raised."""
    assert notes(Stored()) == []


def test_lines_of_another_log_inside_one_are_named_as_such() -> None:
    """Syslog's own clock is known, that of gunicorn's lines in it is not: the file alone would say both."""
    case = Stored().log(1, "syslog", clock=("UTC", "inner")).log(2, "app_log")
    case.con.execute("UPDATE artifacts SET name = 'web/syslog'")
    case.con.execute("INSERT INTO _clocks VALUES (1, 'app_log', 'syslog', '+09:00', 'assumed')")
    found = [note for note in notes(case, seen={"app_log": 1}, proven=False) if "EDGE-121" in note]
    assert len(found) == 1
    assert found[0].startswith("the lines of app_log in web/syslog: the log writes no zone and +09:00 is assumed")


def test_a_zone_that_changed_within_a_log_is_told() -> None:
    """Of the log that the answer stands on; another one with a zone for each of its kinds of lines did not change."""
    case = Stored().log(1, "app_log", clock=("-04:00", "matched")).log(2, "syslog", clock=("UTC", "inner"))
    case.con.execute("INSERT INTO _clocks VALUES (1, 'app_log', NULL, '-05:00', 'matched'), (2, 'syslog', 'app_log', '+09:00', 'inner')")
    found = [note for note in notes(case, seen={"app_log": 1, "syslog": 2}) if "(EDGE-124)" in note]
    assert len(found) == 1
    assert "web/app_log.log: its lines keep -04:00 first and -05:00 after" in found[0]
