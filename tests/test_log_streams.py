"""Whether a log covers the moment where one stream of its group ends before it, while the others go on."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.api import investigate
from kyumei.model.finding import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from kyumei.model.finding import Investigation

NOW = datetime(2025, 3, 20, tzinfo=UTC)
START = datetime(2025, 3, 11, 1, 0, tzinfo=UTC)
GROUP = "/ecs/shop"
ONE, OTHER, THIRD = (f"ecs/web/{digit * 32}" for digit in ("1a", "2b", "3c"))
ONE, OTHER, THIRD = ONE[:40], OTHER[:40], THIRD[:40]
SYMPTOM = "502 on /orders at 2025-03-11 01:30 UTC"

Event = tuple[datetime, str, str]


def _rows(stream: str, since: int, until: int, every: int = 20) -> list[Event]:
    """What nginx in one task writes, from minute to minute."""
    moments = [START + timedelta(seconds=second + len(stream) % 7) for second in range(since * 60, until * 60, every)]
    line = '198.51.100.{} - - [{:%d/%b/%Y:%H:%M:%S +0000}] "GET /{} HTTP/1.1" 200 {} "-" "Mozilla/5.0"'
    return [
        (at, stream, line.format(number % 250 + 1, at, "orders" if number % 3 else "items", 900 + number))
        for number, at in enumerate(moments)
    ]


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _filtered(events: Iterable[Event]) -> str:
    own = [
        {
            "logStreamName": stream,
            "timestamp": _milliseconds(at),
            "message": message,
            "ingestionTime": _milliseconds(at) + 900,
            "eventId": "3",
        }
        for at, stream, message in events
    ]
    return json.dumps({"events": own, "searchedLogStreams": []}, indent=2)


def _one_line(events: Iterable[Event]) -> str:
    return json.dumps(json.loads(_filtered(events)))


def _tail(events: Iterable[Event]) -> str:
    return "".join(f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 {stream} {message}\n" for at, stream, message in events)


def _subscription(events: Iterable[Event]) -> str:
    """What a subscription hands on: an envelope for each stream and minute."""
    batches: dict[tuple[str, str], list[dict[str, object]]] = {}
    for at, stream, message in events:
        event: dict[str, object] = {"id": "1", "timestamp": _milliseconds(at), "message": message}
        batches.setdefault((f"{at:%H%M}", stream), []).append(event)
    about = {"messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": GROUP, "subscriptionFilters": ["all"]}
    return "".join(json.dumps({**about, "logStream": stream, "logEvents": own}) for (_, stream), own in batches.items())


def _kinesis(events: Iterable[Event]) -> str:
    packed = base64.b64encode(gzip.compress(_subscription(events).encode(), mtime=0)).decode()
    return json.dumps({"Records": [{"kinesis": {"data": packed}, "eventSource": "aws:kinesis"}]})


WRAPPINGS = {"filter-log-events": _filtered, "one line": _one_line, "tail": _tail, "subscription": _subscription, "kinesis": _kinesis}


def _in_files(folder: Path, events: list[Event], how: str, minutes: Iterable[int]) -> Investigation:
    """The answer for a log that lies in a file for every five minutes, as Firehose writes it, or as the pages of an answer."""
    folder.mkdir()
    for minute in minutes:
        start = START + timedelta(minutes=minute)
        own = sorted(event for event in events if start <= event[0] < start + timedelta(minutes=5))
        name = f"logs-to-s3-1-{start:%Y-%m-%d-%H-%M-%S}-0a1b2c3d-1111-4222-8333-{minute:012}" if how == "Firehose" else f"page{minute}.json"
        (folder / name).write_text((_subscription if how == "Firehose" else _filtered)(own), "utf-8")
    return investigate(folder, SYMPTOM, now=NOW, cache=folder.parent / "cache")


def _answer(tmp_path: Path, events: list[Event], wrap: Callable[[Iterable[Event]], str] = _filtered, extra: str = "") -> Investigation:
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "shop.json").write_text(wrap(sorted(events)), "utf-8")
    if extra:
        (folder / "ecs-events.json").write_text(extra, "utf-8")
    return investigate(folder, SYMPTOM, now=NOW, cache=tmp_path / "cache")


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_stream_that_ends_before_the_moment(tmp_path: Path, wrap: Callable[[Iterable[Event]], str]) -> None:
    """Half of the requests are not here, so nobody can say that none failed."""
    answer = _answer(tmp_path, [*_rows(ONE, 0, 60), *_rows(OTHER, 0, 25)], wrap)
    assert answer.verdict is Verdict.CANNOT_TELL
    told = next(one for one in answer.coverage if one.table == "nginx_access")
    assert not told.covers_symptom
    assert f"its log stream {OTHER} ends at 01:24:4" in told.why


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_streams_that_go_on(tmp_path: Path, wrap: Callable[[Iterable[Event]], str]) -> None:
    """Two tasks that write all the time, and one that began later."""
    answer = _answer(tmp_path, [*_rows(ONE, 0, 60), *_rows(OTHER, 0, 60), *_rows(THIRD, 40, 60)], wrap)
    assert answer.verdict is Verdict.HEALTHY


STOPPED = {
    "time": "2025-03-11T01:25:30Z",
    "detail-type": "ECS Task State Change",
    "source": "aws.ecs",
    "account": "123456789012",
    "region": "eu-west-1",
    "id": "6f1a3b52-1111-2222-3333-444455556666",
    "resources": [f"arn:aws:ecs:eu-west-1:123456789012:task/shop/{OTHER[8:]}"],
    "detail": {
        "taskArn": f"arn:aws:ecs:eu-west-1:123456789012:task/shop/{OTHER[8:]}",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)",
        "group": "service:shop",
    },
}
LAST = (START + timedelta(minutes=25), OTHER, "2025/03/11 01:25:00 [notice] 1#1: signal 15 (SIGTERM) received, exiting")


@pytest.mark.parametrize(
    ("events", "extra"),
    [
        ([*_rows(OTHER, 0, 25), LAST], ""),
        (_rows(OTHER, 0, 25), json.dumps(STOPPED)),
        ([*_rows(OTHER, 0, 25), *_rows(THIRD, 24, 60)], ""),
        ([*_rows(OTHER, 0, 25), *_rows(THIRD, 0, 10)], ""),
        (_rows("ecs/migrate/2b2b2b2b2b2b2b2b", 22, 25), ""),
        (_rows(OTHER, 0, 25, every=600), ""),
        (_rows("2025/03/11/[$LATEST]2b2b2b2b2b2b2b2b", 0, 25), ""),
    ],
    ids=["says so", "ECS says so", "another in its place", "others end, too", "another container", "seldom writes", "Lambda"],
)
def test_stream_whose_end_is_ordinary(tmp_path: Path, events: list[Event], extra: str) -> None:
    """A task that was stopped has nothing to say of the moment."""
    assert _answer(tmp_path, [*_rows(ONE, 0, 60), *events], extra=extra).verdict is Verdict.HEALTHY


def test_stream_that_ended_long_ago(tmp_path: Path) -> None:
    """Two hours before the moment a task was scaled in."""
    assert _answer(tmp_path, [*_rows(ONE, -180, 60), *_rows(OTHER, -180, -95)]).verdict is Verdict.HEALTHY


def test_stop_of_another_stream_tells_nothing(tmp_path: Path) -> None:
    """Neither its own lines nor those of its event speak of the one that ended."""
    last = (LAST[0], "ecs/worker/9d9d9d9d9d9d9d9d", LAST[2])
    other = json.dumps(STOPPED).replace(OTHER[8:], "9d9d9d9d9d9d9d9d")
    assert _answer(tmp_path, [*_rows(ONE, 0, 60), *_rows(OTHER, 0, 25), last], extra=other).verdict is Verdict.CANNOT_TELL


@pytest.mark.parametrize("how", ["Firehose", "pages"])
def test_files_that_hold_one_log_together(tmp_path: Path, how: str) -> None:
    """Together they cover the moment and both sides of it, but not where one is missing, nor where a stream ends."""
    events = [*_rows(ONE, 0, 60), *_rows(OTHER, 0, 60)]
    assert _in_files(tmp_path / "all", events, how, range(0, 60, 5)).verdict is Verdict.HEALTHY
    lacking = _in_files(tmp_path / "lacking", events, how, [minute for minute in range(0, 60, 5) if minute != 30])
    assert lacking.verdict is Verdict.CANNOT_TELL
    assert "it is silent from 01:29:4" in lacking.coverage[0].why
    ended = _in_files(tmp_path / "ended", [*_rows(ONE, 0, 60), *_rows(OTHER, 0, 25)], how, range(0, 60, 5))
    assert ended.verdict is Verdict.CANNOT_TELL
    assert f"its log stream {OTHER} ends" in ended.coverage[0].why


def test_files_of_two_logs_are_not_one(tmp_path: Path) -> None:
    """That of the other stream ends before the moment, and nothing says that its requests went elsewhere."""
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "one.json").write_text(_filtered(_rows(ONE, 0, 60)), "utf-8")
    (folder / "other.json").write_text(_filtered(_rows(OTHER, 0, 25)), "utf-8")
    assert investigate(folder, SYMPTOM, now=NOW, cache=tmp_path / "cache").verdict is Verdict.CANNOT_TELL
