"""A 504 whose cause is slowness behind, a 431, and the traps of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kyumei.edge.clock_traps import LogClock, clock_warnings
from kyumei.edge.waits import WAITS, seconds_in, wait_of
from kyumei.model.finding import Certainty
from kyumei.model.window import Window
from tests.rules.server_memory import AT, ServerView, after, ask, failing

TRACE = "1-68006f23-0123456789abcdef01234567"
BALANCER = AT | {"status": 504, "actions": ["forward"], "target_seconds": 60.0, "request_seconds": 0.001, "trace_id": TRACE}


def _late(view: ServerView, lasted: float = 60.0) -> ServerView:
    return failing(view, "alb", "alb_access", BALANCER | {"time": after(0), "started": after(-lasted)})


def _own(view: ServerView, seconds: float, **more: object) -> None:
    view.add("app_log", AT | {"time": after(seconds), "server": "gunicorn", "status": 200, "message": "GET /report 200"} | more)


def _answer(view: ServerView) -> list[tuple[str, Certainty, str]]:
    return [(one.code, one.certainty, one.layer) for one in ask(view, "slow_behind").findings]


@pytest.mark.parametrize(
    ("seconds", "more", "certainty"),
    [
        (23, {"trace_id": TRACE}, Certainty.PROVEN),
        (23, {"request_seconds": 83.0}, Certainty.PROVEN),
        (23, {}, Certainty.LIKELY),
        (23, {"request_seconds": 0.2}, None),
        (23, {"trace_id": "1-68006f23-ffffffffffffffffffffffff"}, None),
        (23, {"path": "/other"}, None),
        (2000, {}, None),
    ],
)
def test_the_application_finished_later(seconds: float, more: dict[str, object], certainty: Certainty | None) -> None:
    """EDGE-041: its own line of the same request; by an id or by when it began for sure, by time and path likely, else not at all."""
    view = ServerView()
    _own(view, seconds, **more)
    assert _answer(_late(view)) == ([("EDGE-041", certainty, "app")] if certainty else [])


def test_the_line_is_of_another_request() -> None:
    """What the load balancer shows to have been answered well at that time is not the one that was given up."""
    view = ServerView()
    _own(view, 23)
    view.add("alb_access", BALANCER | {"time": after(23), "started": after(22), "status": 200, "target_status": 200})
    assert _answer(_late(view)) == []


@pytest.mark.parametrize(("took", "found"), [(59.9, [("EDGE-041", Certainty.PROVEN, "app")]), (0.4, [])])
def test_nginx_was_left_waiting(took: float, found: list[object]) -> None:
    """Behind a load balancer that gave up nginx writes 499: it was waiting, too. One of no length is of somebody who left by himself."""
    view = ServerView()
    view.add("nginx_access", AT | {"time": after(0.1), "status": 499, "request_seconds": took, "upstream_status": "-"})
    assert _answer(_late(view)) == found


def test_a_fast_answer_rules_slowness_out() -> None:
    """EDGE-041's exclusion: the application was done in a moment; its answer did not get through."""
    view = ServerView()
    _own(view, -59.5, trace_id=TRACE)
    opinion = ask(_late(view), "slow_behind")
    assert not opinion.findings
    assert [one.code for one in opinion.ruled_out] == ["EDGE-041"]


def test_a_connection_that_was_never_made_is_not_slow() -> None:
    """The line of nginx says that it did not get through."""
    line = {"message": "upstream timed out (110: Connection timed out) while connecting to upstream", "_artifact": 2, "_line": 1}
    view = ServerView()
    _own(view, 23)
    failing(view, "nginx", "nginx_access", AT | {"time": after(0), "status": 504, "request_seconds": 60.0}, inner_errors=(line,))
    assert _answer(view) == []


@pytest.mark.parametrize(
    ("said", "seconds", "more", "expected"),
    [
        ("slow query took 55.2 s: SELECT 1", -1, {"trace_id": TRACE}, [("EDGE-041", Certainty.PROVEN, "database")]),
        ("could not obtain connection from pool for /report", -30, {}, [("EDGE-041", Certainty.LIKELY, "database")]),
        (
            "OperationalError: (1205, 'Lock wait timeout exceeded; try restarting transaction')",
            -8,
            {},
            [("EDGE-041", Certainty.POSSIBLE, "database")],
        ),
        ("slow query took 0.9 s for /report", -1, {}, []),
        ("could not obtain connection from pool", -300, {}, []),
        ("QueryCanceled: canceling statement due to statement timeout", -5, {"trace_id": "1-68006f23-ffffffffffffffffffffffff"}, []),
    ],
)
def test_waits_for_the_database(said: str, seconds: float, more: dict[str, object], expected: list[object]) -> None:
    """A line that names the request settles it; one that names its path makes it likely; the time alone only possible."""
    view = ServerView()
    view.add("app_log", {"time": after(seconds), "level": "WARNING", "server": "", "message": said} | more)
    assert _answer(_late(view)) == expected


def test_lengths_in_lines() -> None:
    """Numbers with their units, as databases and applications write them."""
    assert seconds_in("duration: 61234.567 ms  statement: SELECT 1") == pytest.approx(61.234567)
    assert seconds_in("# Query_time: 61.2  Lock_time: 0") == pytest.approx(61.2)
    assert seconds_in("slow query took 82.4 s for /report/2024") == pytest.approx(82.4)
    assert seconds_in("no number here") is None
    assert wait_of("all is well") is None
    assert all(one.cause and one.fix and one.commands for one in WAITS)


@pytest.mark.parametrize(
    ("hop", "status", "seconds", "expected"),
    [("target", 431, 0, [Certainty.PROVEN]), ("target", 431, 60, [Certainty.LIKELY]), ("target", 400, 0, []), ("alb", 431, 0, [])],
)
def test_headers_too_large(hop: str, status: int, seconds: float, expected: list[Certainty]) -> None:
    """EDGE-027: a 431 that was relayed; proven by the server's line of that second, and never the load balancer's own."""
    view = ServerView()
    view.add(
        "app_log",
        {"time": after(seconds), "level": "WARNING", "message": "Invalid request from ip=10.0.1.5: limit request headers fields size"},
    )
    failing(
        view,
        hop,
        "alb_access",
        AT | {"time": after(0), "started": after(0), "status": status, "target_status": status, "actions": ["forward"]},
    )
    assert [one.certainty for one in ask(view, "header_too_large").findings] == expected


WINDOW = Window(datetime(2025, 3, 30, 0, 30, tzinfo=UTC), datetime(2025, 3, 30, 2, 0, tzinfo=UTC))
EARLY = datetime(2025, 3, 29, 22, 0, tzinfo=UTC)


def _clock(table: str = "nginx_error", zone: str = "UTC", source: str = "matched", **more: Any) -> LogClock:  # noqa: ANN401 - any field
    return LogClock(f"{table}.log", table, zone, source, **more)


TRAPS = {
    "EDGE-120": ([_clock("alb_access", "+09:00", "told")], [_clock("alb_access")]),
    "EDGE-121": ([_clock(source="assumed")], [_clock(source="told")]),
    "EDGE-122": ([_clock("nginx_access", has_durations=False)], [_clock("nginx_access")]),
    "EDGE-123": ([_clock("clb_access"), _clock("nginx_access")], [_clock("clb_access")]),
    "EDGE-124": ([_clock(zone="Europe/Berlin", source="told")], [_clock(zone="Asia/Tokyo", source="told")]),
    "EDGE-125": ([_clock(skews=((EARLY, 19798.0),))], [_clock(skews=((EARLY, 0.0),))]),
    "EDGE-126": ([_clock(skews=((EARLY, 40.0), (EARLY + timedelta(hours=3), 55.0)))], [_clock()]),
    "EDGE-127": ([_clock("app_log", dayless=True)], [_clock("syslog", yearless=True)]),
}


@pytest.mark.parametrize("code", TRAPS)
def test_clock_traps(code: str) -> None:
    """Each trap warns where it is open, naming the file, and is silent beside it."""
    open_, closed = TRAPS[code]
    found = [one for one in clock_warnings(open_, WINDOW) if one.code == code]
    assert len(found) == 1
    assert found[0].files
    assert found[0].files[0] in found[0].says
    assert code not in [one.code for one in clock_warnings(closed, WINDOW)]


def test_clock_traps_in_words() -> None:
    """The hour that Berlin skipped that night, the drift that grows, the year that changes."""
    berlin = clock_warnings([_clock(zone="Europe/Berlin", source="told")], WINDOW)
    assert "2025-03-30 01:00 UTC" in berlin[0].says
    assert "skips an hour" in berlin[0].says
    autumn = Window(datetime(2025, 10, 26, 0, 0, tzinfo=UTC), datetime(2025, 10, 26, 3, 0, tzinfo=UTC))
    assert "has an hour twice" in clock_warnings([_clock(zone="Europe/Berlin", source="told")], autumn)[0].says
    assert "drifts further" in clock_warnings(TRAPS["EDGE-126"][0], WINDOW)[0].says
    new_year = Window(datetime(2024, 12, 31, 23, tzinfo=UTC), datetime(2025, 1, 1, 1, tzinfo=UTC))
    assert [one.code for one in clock_warnings([_clock("syslog", yearless=True)], new_year)] == ["EDGE-127"]
    assert clock_warnings([_clock(zone="Nowhere/Land", source="told")], WINDOW) == ()
