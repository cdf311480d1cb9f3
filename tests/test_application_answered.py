"""The rule about answers of the application itself: what it accuses, and answers that the client did not get from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kyumei.contracts import Failure
from kyumei.model.finding import Certainty
from tests.rules.server_memory import AT, ServerView, after, ask

RULE = "application_answered"


def _view(hop: str, table: str, row: dict[str, object], relayed: int | None) -> ServerView:
    """A failure that the hop is said to have answered, which nginx in front handed on as ``relayed``."""
    view = ServerView()
    stored = view.add(table, AT | {"time": after(0)} | row)
    seen = {hop: (stored,)}
    if relayed is not None:
        seen["nginx"] = (view.add("nginx_access", AT | {"time": after(0.01), "status": relayed}),)
    view.failures = (Failure(hop=hop, table=table, total=1, rows=(stored,), sightings=seen, key="f1", why="its record says so"),)
    return view


@pytest.mark.parametrize(
    ("hop", "table", "row", "relayed", "found"),
    [
        ("app", "app_log", {"server": "gunicorn", "status": 502}, 502, [Certainty.PROVEN]),
        ("app", "app_log", {"server": "gunicorn", "status": 404}, None, [Certainty.LIKELY]),
        ("target", "alb_access", {"status": 502, "target_status": 502}, None, [Certainty.LIKELY]),
        # It answered well, and what stands in front made a failure of it (EDGE-131, EDGE-011).
        ("app", "app_log", {"server": "gunicorn", "status": 200}, 502, []),
        ("target", "alb_access", {"status": 502, "target_status": 200}, None, []),
        ("target", "alb_access", {"status": 502, "target_status": 500}, None, []),
    ],
)
def test_the_answerer_is_accused_of_its_own_answer_only(
    hop: str, table: str, row: dict[str, object], relayed: int | None, found: list[Certainty]
) -> None:
    """EDGE-001 wants the status that the client got to be the answerer's."""
    findings = ask(_view(hop, table, row, relayed), RULE).findings
    assert [one.certainty for one in findings] == found
    assert all(one.code == "EDGE-001" and one.layer == hop for one in findings)


def test_what_it_did_well_is_told_of_where_nothing_failed() -> None:
    """A slow page that came in the end: its status is no failure at any hop, and the rule may speak of it."""
    assert [one.code for one in ask(_view("app", "app_log", {"server": "gunicorn", "status": 200}, 200), RULE).findings] == ["EDGE-001"]


def test_what_it_logged_of_another_request_on_the_path_is_no_word_about_this_one() -> None:
    """Lograge writes one line for each request with its path in it: only the error of the failed one may be cited beside it."""
    view = _view("app", "app_log", {"status": 500, "message": "method=GET path=/report status=500"}, 500)
    view.add("app_log", AT | {"time": after(-0.5), "level": "INFO", "status": 200, "message": "method=GET path=/report status=200"})
    view.add("app_log", AT | {"time": after(-0.4), "level": "INFO", "method": "POST", "message": "method=POST path=/report"})
    error = {
        "time": after(0.1),
        "level": "CRITICAL",
        "message": "[0f1e2d3c-0000-4000-8000-aabbccddeeff]   \n[0f1e2d3c] NoMethodError (/report):",
    }
    view.add("app_log", error)
    finding = ask(view, RULE).findings[0]
    assert finding.title.endswith("answered 500 to GET /report: it logged “NoMethodError (/report)”")
    assert [evidence.total for evidence in finding.chain] == [1, 1, 1]


def test_the_method_is_taken_from_a_hop_that_tells_it() -> None:
    """Django names the path of what it forbids, and no method; nginx in front has it."""
    finding = ask(
        _view("app", "app_log", {"status": 403, "method": None, "level": "WARNING", "message": "Forbidden: /report"}, 403), RULE
    ).findings[0]
    assert (
        finding.title
        == "the application itself answered 403 to GET /report: its own permission check refused the request (Forbidden: /report)"
    )
    assert finding.subject["method"] == "GET"


def test_the_check_asks_for_what_the_client_asked_for() -> None:
    """The application sees a path of which the relay took the front off, and not the host."""
    view = _view("app", "app_log", {"status": 500, "method": "POST"}, 500)
    failure = view.failures[0]
    outer = view.add(
        "alb_access", AT | {"time": after(0.02), "status": 500, "method": "POST", "path": "/api/report", "host": "www.example.com"}
    )
    view.failures = (replace(failure, sightings={"alb": (outer,), **failure.sightings}),)
    (finding,) = ask(view, RULE).findings
    assert finding.check[0].command.endswith("-X POST https://www.example.com/api/report")


def _refused(*, good_too: bool) -> ServerView:
    """Django refuses a host: the error names the host and no path, a warning the path; ``good_too``: it comes with good answers, too."""
    view = ServerView()
    rows = []
    for second in (0, 40, 95):
        rows.append(view.add("app_log", AT | {"time": after(second), "server": "gunicorn", "status": 400}))
        view.add("app_log", {"time": after(second), "level": "ERROR", "message": "Invalid HTTP_HOST header: 'www.example.com'."})
        view.add("app_log", {"time": after(second), "level": "WARNING", "message": "Bad Request: /report"})
    for second in range(3, 90, 9):
        view.add("app_log", AT | {"time": after(second), "server": "gunicorn", "status": 200, "path": "/"})
        if good_too:
            view.add("app_log", {"time": after(second), "level": "ERROR", "message": "Invalid HTTP_HOST header: 'www.example.com'."})
    seen = {"app": tuple(rows)}
    view.failures = (Failure(hop="app", table="app_log", total=3, rows=tuple(rows), sightings=seen, key="f1", why="its record says so"),)
    return view


@pytest.mark.parametrize(
    ("good_too", "said"), [(False, "“Invalid HTTP_HOST header: 'www.example.com'.”"), (True, "“Bad Request: /report”")]
)
def test_an_error_that_comes_with_each_refusal_says_more_than_a_warning(said: str, *, good_too: bool) -> None:
    """Also for 4xx; not where the same error comes with good answers."""
    (finding,) = ask(_refused(good_too=good_too), RULE).findings
    assert finding.title == f"the application itself answered 400 to GET /report: it logged {said}"


OWN_LINE = {"level": "ERROR", "status": 500, "message": "GET /report 500 in 31 ms"}
RAISED = {"level": "ERROR", "message": "Unhandled exception", "error_type": "KeyError", "error_text": "'currency'"}


@pytest.mark.parametrize(
    ("own", "raised", "others", "expected"),
    [
        ({"request_id": "r-1"}, {"request_id": "r-1"}, (), "KeyError: 'currency'"),
        ({"request_id": "r-1"}, {"request_id": "r-2"}, (), "GET /report 500 in 31 ms"),
        ({"pid": 41, "thread": "exec-3"}, {"pid": 41, "thread": "exec-3"}, (), "KeyError: 'currency'"),
        ({"pid": 41, "thread": "exec-3"}, {"pid": 41, "thread": "mail-1"}, (), "GET /report 500 in 31 ms"),
        ({}, {}, (), "GET /report 500 in 31 ms"),
        # Another request failed in these seconds, or another error was raised: whose is whose, nothing tells.
        ({"pid": 41}, {"pid": 41}, (("app_log", {"path": "/pay", "status": 500}),), "GET /report 500 in 31 ms"),
        ({"pid": 41}, {"pid": 41}, (("app_log", RAISED | {"pid": 41, "error_type": "OSError"}),), "GET /report 500 in 31 ms"),
    ],
)
def test_the_exception_is_quoted_and_not_the_line_that_only_says_that_it_failed(
    own: dict[str, object], raised: dict[str, object], others: tuple[tuple[str, dict[str, object]], ...], expected: str
) -> None:
    """The traceback names no path: an id, or who served the request while nothing else failed, joins it."""
    view = _view("app", "app_log", OWN_LINE | own, 500)
    view.add("app_log", RAISED | raised | {"time": after(-0.01)})
    for table, row in others:
        view.add(table, row | {"time": after(0.5)})
    (finding,) = ask(view, RULE).findings
    assert finding.title.endswith(f"it logged “{expected}”")
    assert all("KeyError" not in evidence.says for evidence in finding.chain) == ("KeyError" not in expected)


@pytest.mark.parametrize(("alone", "expected"), [(False, "TimeoutError: pool"), (True, "GET /report 500 in 31 ms")])
def test_an_error_that_comes_with_each_failure_says_more_than_their_own_lines(expected: str, *, alone: bool) -> None:
    """Though those lines are of level ERROR; not where the error comes without failures, too (``alone``)."""
    view = ServerView()
    rows = tuple(view.add("app_log", AT | OWN_LINE | {"time": after(second)}) for second in (0, 40, 95))
    for second in (*(0, 40, 95), *((20, 55, 60, 70) if alone else ())):
        view.add("app_log", RAISED | {"time": after(second + 0.2), "error_type": "TimeoutError", "error_text": "pool"})
    view.failures = (Failure(hop="app", table="app_log", total=3, rows=rows, sightings={"app": rows}, key="f1", why="its record says so"),)
    (finding,) = ask(view, RULE).findings
    assert finding.title.endswith(f"it logged “{expected}”")
