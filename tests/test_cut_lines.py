"""A line of a container that Docker cut, as FireLens hands it on: in files, in what Firehose glues together, in CloudWatch Logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kyumei import api
from tests.asking import case_of, rows_of

if TYPE_CHECKING:
    from pathlib import Path

LONG = json.dumps(
    {
        "time": "2025-03-11T05:20:00Z",
        "level": "error",
        "msg": "boom " + "x" * 40_000,
        "method": "GET",
        "path": "/orders",
        "status": 500,
        "request_id": "5f1a3b52-1111-4222-8333-444455556666",
    }
)
SHORT = json.dumps({"time": "2025-03-11T05:20:01Z", "level": "info", "msg": "fine", "method": "GET", "path": "/", "status": 200})
NAME = "/ecs-shop-3-app-aabbccddeeff"


def _record(log: str, container: str, **more: str) -> str:
    told = {"container_id": container * 32, "container_name": NAME, "source": "stdout", "log": log, **more, "ecs_cluster": "shop"}
    return json.dumps(told)


def _pieces(identity: str, container: str, text: str = LONG) -> list[str]:
    cut = [text[at : at + 16384] for at in range(0, len(text), 16384)]
    return [
        _record(
            piece,
            container,
            partial_message="true",
            partial_id=identity,
            partial_ordinal=str(place),
            partial_last="true" if place == len(cut) else "false",
        )
        for place, piece in enumerate(cut, 1)
    ]


def _mixed() -> list[str]:
    """Two lines of two containers, cut in three, piece by piece, and whole ones between."""
    one, other = _pieces("aaaa1111", "1"), _pieces("bbbb2222", "2")
    pairs = [piece for pair in zip(one, other, strict=True) for piece in pair]
    return [_record(SHORT, "1"), *pairs[:3], _record(SHORT, "2"), *pairs[3:], _record(SHORT, "1")]


def _as_lines(found: list[str]) -> str:
    return "".join(f"{line}\n" for line in found)


def _as_glued(found: list[str]) -> str:
    return "".join(found)


def _as_events(found: list[str]) -> str:
    return json.dumps({"events": [{"timestamp": 1741670400000 + place, "message": line} for place, line in enumerate(found)]}, indent=1)


WRAPPINGS = {"lines": _as_lines, "glued": _as_glued, "events": _as_events}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_pieces_are_one_record(tmp_path: Path, wrapping: str) -> None:
    """Each with the text of its own container, where its first piece stands."""
    folder = case_of(tmp_path, WRAPPINGS[wrapping](_mixed()), "app.log")
    found = rows_of(folder, "SELECT path, status, length(message), _span FROM json_lines WHERE status IS NOT NULL ORDER BY status, _line")
    spans = {"lines": [1, 1, 1, 3, 3], "glued": [1, 1, 1, 1, 1], "events": [4, 4, 4, 12, 12]}[wrapping]
    assert found == [
        *[("/", 200, 4, span) for span in spans[:3]],
        *[("/orders", 500, 40_005, span) for span in spans[3:]],
    ]
    assert api.unread(folder, cache=tmp_path / "cache") == []


def test_last_piece_that_never_came(tmp_path: Path) -> None:
    """What is there is kept, and no other line is lost."""
    folder = case_of(tmp_path, _as_lines([_record(SHORT, "1"), *_pieces("aaaa1111", "1")[:-1], _record(SHORT, "1")]), "app.log")
    assert rows_of(folder, "SELECT count(*) FROM json_lines WHERE status = 200") == [(2,)]
    read = rows_of(folder, "SELECT sum(_span) FROM json_lines WHERE _via IS NULL")
    assert read == [(4,)]
