"""The end of a target explains what could not be handed on until something served in its place, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.rules.balancer_memory import NOW, MemoryView, ask, findings, health, row

NAIVE = NOW.replace(tzinfo=None)
TARGET, OTHER = "10.0.3.7:8080", "10.0.3.9:8080"
EMPTY: dict[str, Any] = {"status": "503", "times": "-1 -1 -1", "target": "-"}
REFUSED: dict[str, Any] = {"times": "-1 -1 -1"}
GOOD: dict[str, Any] = {"status": "200", "target_status": "200", "path": "/items"}
POD = {"object_name": "shop-6c9d", "container_name": "shop", "last_reason": "OOMKilled", "last_exit_code": 137, "time": NAIVE}


def _ended(view: MemoryView, *, seconds: float = -40.0, address: str = "10.0.3.7", **more: Any) -> None:  # noqa: ANN401 - any field of a pod
    """The end of a pod's container, that many seconds from NOW."""
    view.add("kubernetes_pod", POD | {"private_ip": address, "last_ended": NAIVE + timedelta(seconds=seconds)} | more)


def _says(view: MemoryView) -> bool:
    """Whether the finding cites the end."""
    (finding,) = [finding for opinion in ask(view).values() for finding in opinion.findings]
    return any("shop-6c9d" in evidence.says for evidence in finding.chain)


@pytest.mark.parametrize(
    ("end", "good", "found"),
    [
        ({}, (), ("EDGE-035", "proven")),
        # Another target served well all the time: what went to this one failed for its end all the same.
        ({}, ((-20.0, OTHER), (-1.0, OTHER)), ("EDGE-035", "proven")),
        # It answered again in between, so this is another failure; another pod's end, or one of long ago, is none of its.
        ({}, ((-20.0, TARGET),), ("EDGE-035", "possible")),
        ({"address": "10.0.3.8"}, (), ("EDGE-035", "possible")),
        ({"seconds": -1200.0}, (), ("EDGE-035", "possible")),
        ({"seconds": 30.0}, (), ("EDGE-035", "possible")),
        ({"last_reason": "Completed"}, (), ("EDGE-035", "possible")),
    ],
)
def test_a_target_that_had_ended_refuses(end: dict[str, Any], good: tuple[tuple[float, str], ...], found: tuple[str, str]) -> None:
    """Until it answers at its address again."""
    view = MemoryView()
    _ended(view, **end)
    for after, target in good:
        row(view, **GOOD, after=after, target=target)
    view.failed(row(view, **REFUSED))
    assert findings(view) == [found]
    assert _says(view) == (found[1] == "proven")
    (finding,) = [finding for opinion in ask(view).values() for finding in opinion.findings]
    assert ("OOMKilled" in finding.title) == (found[1] == "proven")


@pytest.mark.parametrize(
    ("end", "good", "explained"),
    [
        ({}, ((-90.0, TARGET), (-50.0, TARGET)), True),
        # It served the moment before its end, and its successor from a moment after the failure on.
        ({}, ((-41.0, TARGET), (20.0, OTHER)), True),
        # Something served in between: that the group is empty has another reason.
        ({}, ((-50.0, TARGET), (-10.0, OTHER)), False),
        # Another target had served, and nothing says that it ended.
        ({}, ((-70.0, OTHER), (-50.0, TARGET)), False),
        # Nobody served before; the one that did is not the one that ended; or its end was long ago.
        ({}, (), False),
        ({"address": "10.0.3.8"}, ((-50.0, TARGET),), False),
        ({"seconds": -1200.0}, ((-1300.0, TARGET),), False),
    ],
)
def test_a_group_whose_last_target_ended_has_none(end: dict[str, Any], good: tuple[tuple[float, str], ...], *, explained: bool) -> None:
    """EDGE-039 until its successor serves."""
    view = MemoryView()
    _ended(view, **end)
    for after, target in good:
        row(view, **GOOD, after=after, target=target)
    view.failed(row(view, **EMPTY))
    assert [code for code, _ in findings(view)] == ["EDGE-039"]
    assert _says(view) == explained
    (finding,) = [finding for opinion in ask(view).values() for finding in opinion.findings]
    assert ("OOMKilled" in finding.title) == explained
    assert not explained or finding.certainty == "likely"


@pytest.mark.parametrize("seconds", [-40.0, -1200.0])
def test_a_successor_that_is_healthy_by_now_excludes_nothing(seconds: float) -> None:
    """describe-target-health, taken when all was over; without an end just before, a healthy target speaks against an empty group."""
    view = MemoryView(answers={"describe-target-health": [health("10.0.3.9", "healthy")]})
    _ended(view, seconds=seconds)
    row(view, **GOOD, after=seconds - 10, target=TARGET)
    view.failed(row(view, **EMPTY))
    assert findings(view) == ([("EDGE-039", "likely")] if seconds > -600.0 else [])


def test_a_described_task_counts_as_its_event_does() -> None:
    """describe-tasks, where the events of the service were not kept; another task's address does not count."""
    for address, sure in (("10.0.3.7", "proven"), ("10.0.3.8", "possible")):
        details = [{"name": "privateIPv4Address", "value": address}]
        stopped = (NOW - timedelta(seconds=60)).isoformat()
        answer = {"taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/shop/0f1e", "stoppedAt": stopped, "stoppedReason": "out of memory"}
        view = MemoryView(answers={"describe-tasks": [answer | {"attachments": [{"details": details}]}]})
        view.failed(row(view, **REFUSED))
        assert findings(view) == [("EDGE-035", sure)]
