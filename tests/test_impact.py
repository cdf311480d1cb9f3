"""How many clients a failure met: those that asked, not the nodes of what stands in front."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.api import investigate

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2025, 3, 20, tzinfo=UTC)
START = datetime(2025, 3, 11, 1, 0, tzinfo=UTC)
CLOSED = "upstream prematurely closed connection while reading response header from upstream"


def _line(number: int, client: str, forwarded: str) -> str:
    status = 502 if number in range(40, 52) else 200
    moment = START + timedelta(seconds=10 * number)
    return f'{client} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET /orders HTTP/1.1" {status} 157 "-" "Mozilla/5.0 Chrome/132.0"{forwarded}'


def _error(number: int, client: str) -> str:
    moment = START + timedelta(seconds=10 * number)
    return (
        f"{moment:%Y/%m/%d %H:%M:%S} [error] 7#7: *{number} {CLOSED}, client: {client}, server: a, "
        'request: "GET /orders HTTP/1.1", upstream: "http://127.0.0.1:8000/orders", host: "a"'
    )


@pytest.mark.parametrize(
    ("client", "forwarded", "clients"),
    [
        ("203.0.113.{}", "", 12),
        ("10.0.1.{node}", ' "203.0.113.{}"', 12),
        ("10.0.1.{node}", ' "203.0.113.{}, 198.51.100.{node}"', 12),
        ("10.0.1.{node}", ' "-"', None),
        ("127.0.0.1", "", None),
    ],
    ids=["public", "forwarded", "forwarded twice", "nodes of a balancer", "this host"],
)
def test_clients_are_those_that_asked(tmp_path: Path, client: str, forwarded: str, clients: int | None) -> None:
    """The first address of X-Forwarded-For where there is one; private addresses alone tell no clients."""
    folder = tmp_path / "case"
    folder.mkdir()
    said = [[text.format(number, node=number % 2) for text in (client, forwarded)] for number in range(120)]
    (folder / "access.log").write_text("\n".join(_line(number, *one) for number, one in enumerate(said)) + "\n", encoding="utf-8")
    (folder / "error.log").write_text("\n".join(_error(number, said[number][0]) for number in range(40, 52)) + "\n", encoding="utf-8")
    answer = investigate(folder, "502 on /orders at 2025-03-11 01:07 UTC", now=NOW, cache=tmp_path / "cache")
    told = [finding.impact for finding in answer.findings if finding.impact]
    assert told
    assert {(one.requests, one.clients) for one in told} == {(12, clients)}
