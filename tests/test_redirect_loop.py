"""The rule ``redirect_loop`` and the circles that it judges: the same client at the same address at once, nothing but redirects between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kyumei.edge.circles import FEWEST, PAUSE, circles
from kyumei.edge.redirects import leads_to
from kyumei.model.symptom import Symptom, Trouble
from tests.rules.edge_memory import CLIENT, NOON, EdgeView, ask, codes

BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Safari/537.36"
ELB = "app/shop/0123456789abcdef"
RULE = "redirect_loop"
LOOP = Symptom(kind=Trouble.REDIRECT_LOOP)


def step(number: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A redirect at one address, so many tenths of a second after the first."""
    time = NOON + timedelta(seconds=number / 10)
    told = {"hop": "alb", "started": time, "time": time, "_artifact": 1, "_line": round(number * 10), "client_ip": CLIENT}
    return told | {"method": "GET", "host": "shop.example.com", "path": "/", "query": None, "status": 301} | more


def balanced(number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """The same as a row of a load balancer's log, relayed from a target."""
    time = NOON + timedelta(seconds=number / 10)
    told = {"time": time, "started": time, "elb": ELB, "client_ip": CLIENT, "user_agent": BROWSER, "method": "GET", "scheme": "https"}
    told |= {"host": "shop.example.com", "path": "/", "status": 301, "target_status": 301, "target_ip": "10.0.4.21", "actions": ["forward"]}
    return told | more


def test_a_client_that_comes_back_at_once_goes_round() -> None:
    """From the fewest on, and not before."""
    assert [len(one) for one in circles(step(number) for number in range(FEWEST))] == [FEWEST]
    assert circles(step(number) for number in range(FEWEST - 1)) == []


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([step(number, client_ip=f"203.0.113.{number}") for number in range(20)], id="each-another-client"),
        pytest.param([step(number, query=f"u={number}") for number in range(20)], id="each-another-query"),
        pytest.param([step(number * (PAUSE.total_seconds() + 1) * 10) for number in range(20)], id="at-intervals"),
        pytest.param(
            [one for number in range(20) for one in (step(number), step(number + 0.5, path="/login", status=200))], id="gets-a-page"
        ),
        pytest.param([step(number, status=304) for number in range(20)], id="not-modified"),
    ],
)
def test_what_only_looks_like_a_circle_is_none(rows: list[dict[str, Any]]) -> None:
    """Redirects alone are an answer like any other."""
    assert circles(rows) == []


def test_a_page_between_two_of_many_does_not_hide_a_circle() -> None:
    """Somebody behind the same address with the same browser got one."""
    rows = [*(step(number) for number in range(20)), step(7.5, path="/other", status=200)]
    assert [len(one) for one in circles(rows)] == [20]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://shop.example.com:443/a?b=c", ("https", "shop.example.com", "/a", "b=c")),
        ("http://Shop.example.com", ("http", "shop.example.com", "/", "")),
        ("https://shop.example.com:8443/", None),
        ("https://shop.example.com:x/", None),
        ("-", None),
    ],
)
def test_a_location_is_an_address(url: str, found: tuple[str, ...] | None) -> None:
    """A port of its own is another address; what is no URL is none."""
    assert leads_to(url) == found


def test_the_application_behind_a_balancer_is_likely_and_where_it_leads_is_open() -> None:
    """Nothing tells where its redirect led."""
    view = EdgeView(LOOP).add("alb_access", *(balanced(number) for number in range(10)))
    found = ask(view.failing("target", "alb_access", path="/", status=301), RULE)
    assert codes(found) == [("EDGE-001", "likely")]
    assert [gap.missing for gap in found.gaps] == ["Location header of the redirect"]


def test_a_listener_that_leads_to_where_the_client_is_is_proven() -> None:
    """Its row has both addresses."""
    own = {"target_status": None, "target_ip": None, "actions": ["redirect"], "redirect_url": "https://shop.example.com:443/"}
    view = EdgeView(LOOP).add("alb_access", *(balanced(number, **own) for number in range(10)))
    assert codes(ask(view.failing("alb", "alb_access", path="/", status=301), RULE)) == [("EDGE-004", "proven")]


def test_from_http_to_https_is_no_circle() -> None:
    """A program that does not follow asks again and again over http."""
    own = {"target_status": None, "target_ip": None, "actions": ["redirect"], "redirect_url": "https://shop.example.com:443/"}
    view = EdgeView(LOOP).add("alb_access", *(balanced(number, scheme="http", **own) for number in range(10)))
    assert codes(ask(view.failing("alb", "alb_access", path="/", status=301), RULE)) == []
