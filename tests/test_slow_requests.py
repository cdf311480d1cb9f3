"""``client_slow`` and ``application_slow``: whose time it was, told by who measured it, and only where the report is of slowness."""

from __future__ import annotations

from typing import Any

import pytest

from kyumei.model.symptom import Symptom, Trouble
from tests.rules.edge_memory import CLIENT, EdgeView, after, ask, codes

SLOW = Symptom(kind=Trouble.SLOW, path="/report")
ELB = "app/front/50dc6c495c0c9188"
TRACE = "1-67a44b2a-0123456789abcdef01234567"


def balanced(phases: tuple[float, float, float], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A row of the load balancer for a request that came at NOON and was done when its phases were over."""
    return {
        "time": after(sum(phases)),
        "started": after(0),
        "elb": ELB,
        "client_ip": CLIENT,
        "target_ip": "10.0.3.7",
        "request_seconds": phases[0],
        "target_seconds": phases[1],
        "response_seconds": phases[2],
        "status": 200,
        "target_status": 200,
        "received_bytes": 4_000_000,
        "sent_bytes": 9_000,
        "method": "GET",
        "host": "shop.example.com",
        "path": "/report",
        "trace_id": TRACE,
        "actions": ["waf", "forward"],
    } | more


def others(view: EdgeView, phases: tuple[float, float, float] = (0.001, 0.05, 0.0), count: int = 10) -> EdgeView:
    """Requests of other clients in the same minute."""
    rows = (balanced(phases, client_ip=f"198.51.100.{number}", path="/", trace_id=None) for number in range(count))
    return view.add("alb_access", *rows)


def case(phases: tuple[float, float, float], **more: Any) -> EdgeView:  # noqa: ANN401 - any column
    """A slow request at the load balancer, beside quick ones of others."""
    return others(EdgeView(SLOW).add("alb_access", balanced(phases, **more)))


def asked(view: EdgeView) -> list[tuple[str, str]]:
    """What both rules find."""
    failing = view.failing("target", "alb_access", path="/report", status=200)
    return [one for name in ("client_slow", "application_slow") for one in codes(ask(failing, name))]


UPLOAD, WORK, DOWNLOAD = (41.0, 0.09, 0.0), (0.001, 41.0, 0.0), (0.001, 0.11, 41.0)


def test_a_slow_upload_is_the_clients() -> None:
    """The first phase, with a web ACL, is the client's upload; a server that was done at once proves it."""
    view = case(UPLOAD, method="POST")
    assert asked(view) == [("EDGE-018", "likely")]
    view.add("nginx_access", {"time": after(41.1), "request_seconds": 0.09, "path": "/report", "status": 200, "trace_id": TRACE})
    assert asked(view) == [("EDGE-018", "proven")]
    finding = ask(view, "client_slow").findings[0]
    assert finding.layer == "client"
    assert finding.subject["client"] == CLIENT
    assert finding.failures == ("f1",)


def test_a_long_first_phase_without_a_web_acl_is_not_settled() -> None:
    """Without one the upload is in the second phase; the first is then something else."""
    assert asked(case(UPLOAD, actions=["forward"])) == [("EDGE-018", "possible")]


def test_a_slow_download_is_the_clients() -> None:
    """The answer stood ready long before the client had it."""
    view = case(DOWNLOAD)
    assert asked(view) == [("EDGE-019", "likely")]
    view.add("app_log", {"time": after(0.2), "server": "gunicorn", "path": "/report", "status": 200, "method": "GET"})
    assert asked(view) == [("EDGE-019", "proven")]


def test_when_all_take_their_answers_slowly_it_is_not_one_client() -> None:
    """The load balancer's own queue, or its line."""
    view = others(EdgeView(SLOW).add("alb_access", balanced(DOWNLOAD)), (0.001, 0.1, 20.0))
    opinion = ask(view.failing("target", "alb_access", path="/report", status=200), "client_slow")
    assert codes(opinion) == [("EDGE-019", "possible")]
    assert opinion.gaps


def test_a_slow_application_is_not_the_clients_fault() -> None:
    """The second phase is the target's; two logs that agree prove it."""
    view = case(WORK)
    assert asked(view) == [("EDGE-041", "likely")]
    assert {one.code for one in ask(view, "client_slow").ruled_out} == {"EDGE-018", "EDGE-019"}
    view.add(
        "app_log", {"time": after(41.0), "path": "/report", "status": 200, "method": "GET", "request_seconds": 40.9, "trace_id": TRACE}
    )
    assert asked(view) == [("EDGE-041", "proven")]
    assert ask(view, "application_slow").gaps


def test_what_the_application_waited_for_is_told_where_it_fits() -> None:
    """A line about a query of that length leads to the database; one of another length does not."""
    view = case(WORK).add("app_log", {"time": after(40.8), "message": "slow query 40300ms: SELECT ... FROM orders"})
    finding = ask(view.failing("target", "alb_access", path="/report", status=200), "application_slow").findings[0]
    assert finding.layer == "database"
    assert "one of its queries was slow" in finding.title
    short = case(WORK).add("app_log", {"time": after(40.8), "message": "slow query 1200ms: SELECT ... FROM orders"})
    assert ask(short.failing("target", "alb_access", path="/report", status=200), "application_slow").findings[0].layer == "app"


def test_nginx_tells_its_upstreams_time_over_all_tries() -> None:
    """Two tries together took most of it."""
    row = {"time": after(31.0), "request_seconds": 31.0, "upstream_times": "20.000, 10.500", "path": "/report", "status": 200}
    view = EdgeView(SLOW).add("nginx_access", row).failing("app", "nginx_access", path="/report", status=200)
    assert codes(ask(view, "application_slow")) == [("EDGE-041", "likely")]
    quick = EdgeView(SLOW).add("nginx_access", row | {"upstream_times": "0.040"}).failing("app", "nginx_access", path="/report", status=200)
    assert codes(ask(quick, "application_slow")) == []


@pytest.mark.parametrize(
    "symptom",
    [
        pytest.param(Symptom(status=200, path="/report"), id="nobody-spoke-of-slowness"),
        pytest.param(Symptom(kind=Trouble.SLOW, status=504), id="a-status-that-failed"),
        pytest.param(Symptom(kind=Trouble.TLS), id="tls"),
    ],
)
def test_other_reports_are_not_their_matter(symptom: Symptom) -> None:
    """A slow request beside the report is no cause of it."""
    for phases in (UPLOAD, WORK, DOWNLOAD):
        view = case(phases)
        view.symptom = symptom
        assert asked(view) == []


def test_an_answer_that_failed_is_for_other_rules() -> None:
    """A 504 after the same time has its own causes."""
    view = others(EdgeView(Symptom(kind=Trouble.TIMED_OUT)).add("alb_access", balanced(WORK, status=504, target_status=None)))
    failing = view.failing("alb", "alb_access", path="/report", status=504)
    assert codes(ask(failing, "client_slow")) == codes(ask(failing, "application_slow")) == []
