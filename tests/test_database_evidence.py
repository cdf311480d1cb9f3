"""A database's own log and RDS's events beside slow and failed requests: from the host that was at work on them, and look-alikes."""

from __future__ import annotations

from typing import Any

import pytest

from kyumei.model.symptom import Symptom, Trouble
from tests.rules.edge_memory import EdgeView, after, ask, codes

HOST, PATH = "10.0.3.7", "/report"
ENDPOINT = "shop-db.c9akciq32abc.eu-west-1.rds.amazonaws.com"
SLOW = Symptom(kind=Trouble.SLOW, path=PATH)


def request(at: float, *, status: int = 200, target_status: int | None = 200, took: float = 0.05, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A row of the balancer for a request that was answered ``at`` seconds after NOON."""
    times = {"time": after(at), "started": after(at - took), "request_seconds": 0.001, "target_seconds": took, "response_seconds": 0.0}
    told = {"elb": "app/front/50dc6c495c0c9188", "client_ip": "203.0.113.9", "target_ip": HOST, "target_port": 8080, "method": "GET"}
    return (
        times
        | told
        | {"path": PATH, "host": "shop.example.com", "status": status, "target_status": target_status, "actions": ["forward"]}
        | more
    )


def postgres(at: float, message: str, *, seconds: float | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A line of PostgreSQL's log about a session from the application's host."""
    return {"time": after(at), "level": "LOG", "message": message, "duration_seconds": seconds, "client_ip": HOST} | more


def statement(at: float, seconds: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """The line about a slow statement."""
    return postgres(at, f"duration: {seconds * 1000:.3f} ms  execute <unnamed>: SELECT * FROM ledger", seconds=seconds, **more)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (statement(82.0, 81.5), True),
        (postgres(20.0, "process 71 still waiting for ShareLock on transaction 88 after 1000.1 ms"), True),
        (statement(82.0, 81.5, client_ip="10.0.3.8"), False),
        (statement(82.0, 81.5, client_ip=None), False),
        (statement(82.0 - 3600, 81.5), False),
        (statement(90.0, 70.0), False),
        (statement(30.0, 81.5), False),
        (statement(9.0, 8.5), False),
        (postgres(70.0, "process 71 still waiting for ShareLock on transaction 88 after 1000.1 ms"), False),
        (postgres(20.0, "connection received: host=10.0.3.7 port=40100"), False),
    ],
)
def test_a_statement_from_the_same_host_explains_an_answer_that_came_too_late(line: dict[str, Any], found: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Begun with the request and of its length, or a wait for a lock in its time; not another host's, or one of another time or length."""
    view = (
        EdgeView()
        .add("alb_access", request(60.0, took=60.0, status=504, target_status=None, response_seconds=None))
        .add("postgres_log", line)
    )
    opinion = ask(view.failing("alb", "alb_access", path=PATH, status=504), "slow_behind")
    assert codes(opinion) == ([("EDGE-041", "likely")] if found else [])
    assert [one.layer for one in opinion.findings] == (["database"] if found else [])
    assert all(any("The database's own log" in one.says and HOST in one.says for one in each.chain) for each in opinion.findings)


@pytest.mark.parametrize(
    ("more", "waited"),
    [
        ({}, "one of its queries was slow"),
        ({"lock_seconds": 39.0}, "the database made it wait for a lock that another transaction held"),
        ({"client_ip": "10.0.9.9"}, ""),
        ({"time": after(-3559.0), "started": after(-3599.0)}, ""),
        ({"query_seconds": 1.5}, ""),
    ],
)
def test_mysqls_slow_log_says_why_a_request_was_slow(more: dict[str, Any], waited: str) -> None:
    """A statement of the request's length from its host; a short one, another host's or another hour's says nothing."""
    told = {
        "time": after(40.5),
        "started": after(0),
        "query_seconds": 40.2,
        "lock_seconds": 0.0,
        "client_ip": HOST,
        "statement": "SELECT 1",
    }
    view = EdgeView(SLOW).add("alb_access", request(41.0, took=41.0)).add("mysql_slow", told | more)
    opinion = ask(view.failing("target", "alb_access", path=PATH, status=200), "application_slow")
    assert [one.subject["waited_for"] for one in opinion.findings] == [waited]
    assert [one.layer for one in opinion.findings] == ["database" if waited else "app"]


FULL = "sorry, too many clients already"


def failed(*lines: dict[str, Any], well: tuple[float, ...] = (-40.0, -30.0, -20.0, 60.0)) -> EdgeView:
    """Four requests that the target answered 500, some that went well, and PostgreSQL's lines."""
    view = EdgeView().add("alb_access", *(request(at, status=500, target_status=500) for at in (0.0, 5.0, 10.0, 15.0)))
    view.add("alb_access", *(request(at, path="/items") for at in well)).add("postgres_log", *lines)
    return view.failing("target", "alb_access", path=PATH, status=500)


def refusals(*times: float, **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any column
    """Connections that PostgreSQL refused."""
    return [postgres(at, FULL, **({"level": "FATAL"} | more)) for at in times]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (refusals(-0.1, 4.9, 9.9, 14.9), [("EDGE-001", "proven")]),
        (refusals(-0.1, 4.9), [("EDGE-001", "likely")]),
        (refusals(-0.1), []),
        (refusals(-0.1, 4.9, 9.9, 14.9, client_ip="10.0.3.8"), []),
        (refusals(-3600.0, -3595.0, -3590.0, -3585.0), []),
        ([postgres(at, "connection authorized: user=shop") for at in (-0.1, 4.9, 9.9, 14.9)], []),
    ],
)
def test_connections_that_the_database_refused_the_host_explain_its_failures(
    lines: list[dict[str, Any]], found: list[tuple[str, str]]
) -> None:
    """In the second of each failing request; one of four, another host's or another hour's are no explanation."""
    opinion = ask(failed(*lines), "database_refused")
    assert codes(opinion) == found
    assert all("no connection to the database was free" in one.title and one.layer == "database" for one in opinion.findings)


def test_refusals_beside_requests_that_went_well_explain_nothing() -> None:
    """A pool that is refused all the time, while most requests go well."""
    times = (-0.1, 4.9, 9.9, 14.9, 2.0, 7.0, 12.0, 17.0)
    assert codes(ask(failed(*refusals(*times), well=(2.2, 7.2, 12.2, 17.2)), "database_refused")) == []


@pytest.mark.parametrize(
    ("line", "event", "found"),
    [
        ({}, {}, [("EDGE-001", "likely")]),
        ({"message": f"GET {PATH}: could not connect to {ENDPOINT}"}, {}, [("EDGE-001", "proven")]),
        ({}, {"resource": "other-db"}, []),
        ({}, {"time": after(-7200)}, []),
        ({}, {"message": "Finished DB Instance backup"}, []),
        ({"message": "could not connect to localhost"}, {}, []),
        ({"time": after(-600)}, {}, []),
        ({"level": "INFO"}, {}, []),
    ],
)
def test_a_failover_of_the_database_that_the_errors_name_explains_them(
    line: dict[str, Any], event: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    """The application's error of that second names the endpoint, RDS the same database; another database, hour or matter is none."""
    view = EdgeView().add("alb_access", request(0.0, status=500, target_status=500))
    view.add("app_log", {"time": after(-0.2), "level": "ERROR", "message": f"OperationalError: could not connect to {ENDPOINT}"} | line)
    view.add("rds_event", {"time": after(-45), "resource": "shop-db", "message": "Multi-AZ instance failover started."} | event)
    opinion = ask(view.failing("target", "alb_access", path=PATH, status=500), "database_refused")
    assert codes(opinion) == found
