"""Rails without a formatter: the lines of one request found by its id, in a file, as events of CloudWatch Logs, behind Ruby's prefix."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from kyumei import api
from kyumei.model.finding import Verdict
from tests.asking import case_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW = datetime(2025, 3, 20, tzinfo=UTC)
FAILED = 20
Line = tuple[int, str, str]


def _id(number: int) -> str:
    return f"{number:08x}-1111-4222-8333-444455556666"


def _request(minute: int, path: str, number: int, status: str) -> list[Line]:
    """The lines of one request, with the minute and the id of each."""
    said = [
        f'Started GET "{path}" for 203.0.113.{minute + 1} at 2025-03-11 05:{minute:02d}:10 +0000',
        "Processing by OrdersController#show as HTML",
        f"Completed {status} in 12ms (ActiveRecord: 1.0ms (1 query, 0 cached) | GC: 0.0ms)",
    ]
    if status.startswith("500"):
        said += ["  ", "NoMethodError (undefined method 'total' for nil):", "app/controllers/orders_controller.rb:10:in 'show'"]
    return [(minute, _id(number), text) for text in said]


def _lines() -> list[Line]:
    """An hour of requests, two at a time, whose lines stand between each other; one of them fails."""
    found: list[Line] = []
    for minute in range(60):
        one = _request(minute, f"/orders/{minute}", 2 * minute, "500 Internal Server Error" if minute == FAILED else "200 OK")
        other = _request(minute, "/items", 2 * minute + 1, "200 OK")
        found += [one[0], other[0], one[1], other[1], one[2], other[2], *one[3:]]
    return found


def _tagged(lines: Sequence[Line]) -> str:
    return "".join(f"[{tag}] {text}\n" for _, tag, text in lines)


def _prefixed(lines: Sequence[Line]) -> str:
    return "".join(f"I, [2025-03-11T05:{minute:02d}:10.000000 #812]  INFO -- : [{tag}] {text}\n" for minute, tag, text in lines)


def _events(lines: Sequence[Line]) -> str:
    events = [{"timestamp": 1741669210000 + minute * 60000, "message": f"[{tag}] {text}"} for minute, tag, text in lines]
    return json.dumps({"events": events}, indent=1)


WRITTEN = {"file": _tagged, "prefix": _prefixed, "events": _events}


@pytest.mark.parametrize("written", WRITTEN)
def test_request_that_failed_among_others(tmp_path: Path, written: str) -> None:
    """The line with the status has no path, and that with the path no status."""
    folder = case_of(tmp_path, WRITTEN[written](_lines()), "production.log")
    assert api.unread(folder, cache=tmp_path / "cache") == []
    found = rows_of(folder, "SELECT path, client_ip, strftime(time, '%H:%M:%S'), request_id FROM app_log WHERE status = 500")
    assert found == [("/orders/20", "203.0.113.21", "05:20:10", _id(2 * FAILED))]
    answer = api.investigate(folder, "500 on /orders/20 at 2025-03-11 05:20 UTC", now=NOW, zone="UTC", cache=tmp_path / "cache")
    assert answer.verdict is Verdict.CAUSE_FOUND
    assert answer.findings[0].code == "EDGE-001"
    other = api.investigate(folder, "500 on /orders/21 at 2025-03-11 05:21 UTC", now=NOW, zone="UTC", cache=tmp_path / "cache")
    assert not other.findings


def test_error_is_of_the_request_whose_id_it_has(tmp_path: Path) -> None:
    """Though the line of another one stands above it."""
    folder = case_of(tmp_path, _tagged(_lines()), "production.log")
    found = rows_of(folder, "SELECT DISTINCT request_id, path, error_text FROM app_log WHERE error_type = 'NoMethodError'")
    assert found == [(_id(2 * FAILED), "/orders/20", "undefined method 'total' for nil")]


def test_id_that_two_requests_have_closes_neither(tmp_path: Path) -> None:
    """A client may send the id, and send it twice."""
    lines = [*_request(1, "/a", 7, "200 OK"), *_request(2, "/b", 7, "404 Not Found")]
    assert rows_of(case_of(tmp_path, _prefixed(lines), "production.log"), "SELECT path FROM app_log WHERE status IS NOT NULL") == [
        (None,),
        (None,),
    ]


def test_without_ids_an_end_between_two_requests_is_nobodys(tmp_path: Path) -> None:
    """Of one thread each end is that of the request above it."""
    one, other, last = _request(1, "/a", 1, "200 OK"), _request(2, "/b", 2, "404 Not Found"), _request(3, "/c", 3, "500 Error")
    text = "".join(f"{said}\n" for _, _, said in [one[0], other[0], *one[1:], *other[1:], *last])
    found = rows_of(case_of(tmp_path, text, "production.log"), "SELECT path, status, error_type, _span FROM app_log ORDER BY time")
    assert found == [("/a", None, None, 1), ("/b", None, None, 5), ("/c", 500, "NoMethodError", 6)]


def _without_ids(lines: Sequence[Line]) -> str:
    events = [{"timestamp": 1741669210000 + minute * 60000, "message": text} for minute, _, text in lines]
    return json.dumps({"events": events}, indent=1)


def test_events_without_ids_one_after_another(tmp_path: Path) -> None:
    """Each end is that of the request above it, for no other one was open."""
    lines = [
        line
        for minute in range(60)
        for line in _request(minute, f"/orders/{minute}", minute, "500 Internal Server Error" if minute == FAILED else "200 OK")
    ]
    folder = case_of(tmp_path, _without_ids(lines), "production.log")
    assert rows_of(folder, "SELECT path, client_ip FROM app_log WHERE status = 500") == [("/orders/20", "203.0.113.21")]
    answer = api.investigate(folder, "500 on /orders/20 at 2025-03-11 05:20 UTC", now=NOW, cache=tmp_path / "cache")
    assert answer.verdict is Verdict.CAUSE_FOUND


def test_events_without_ids_between_each_other(tmp_path: Path) -> None:
    """Nobody can tell which of two open requests an end is of, nor trust the order soon after."""
    found = rows_of(
        case_of(tmp_path, _without_ids(_lines()), "production.log"), "SELECT DISTINCT path FROM app_log WHERE status IS NOT NULL"
    )
    assert found == [(None,)]


def test_end_that_took_longer_than_the_request_above_it_is_open(tmp_path: Path) -> None:
    """It is of one that began before what is looked at."""
    lines = _request(1, "/a", 1, "200 OK")
    lines[2] = (1, lines[2][1], lines[2][2].replace("in 12ms", "in 31000ms"))
    assert rows_of(case_of(tmp_path, _without_ids(lines), "production.log"), "SELECT path FROM app_log WHERE status = 200") == [(None,)]


def test_line_of_python_is_none_of_rails(tmp_path: Path) -> None:
    """A word and a bracket alone make no error of Ruby's."""
    folder = case_of(tmp_path, "Traceback (most recent call last):\n", "production.log")
    assert rows_of(folder, "SELECT * FROM app_log") == []
