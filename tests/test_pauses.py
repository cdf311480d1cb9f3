"""A Java process that stands still to collect garbage: which lines say so, and which requests waited for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from kyumei.edge.server.pauses import length_of
from kyumei.model.finding import Certainty
from tests.rules.server_memory import AT, ServerView, after, ask, failing

RULE = "slow_behind"
TIMED_OUT = "upstream timed out (110: Connection timed out) while reading response header from upstream"
FULL = "GC(432) Pause Full (G1 Compaction Pause) 4092M->3990M(4096M) {:.3f}ms"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("GC(7) Pause Young (Normal) (G1 Evacuation Pause) 3012M->2210M(4096M) 1834.020ms", 1.83402),
        ("[Full GC (Allocation Failure) [PSYoungGen: 1K->0K(2K)] 3K->2K(4K), 14.1884120 secs] [Times: user=1.0 sys=0.0]", 14.188412),
        ("Total time for which application threads were stopped: 12.5000000 seconds, Stopping threads took: 0.0001 seconds", 12.5),
        ("GC(8) Concurrent Mark Cycle 22110.412ms", None),
        ("user paused Full playback 5000.000ms ago", None),
    ],
)
def test_what_a_line_says_of_a_pause(text: str, seconds: float | None) -> None:
    """Only stops of the whole process; what it does beside the application stops nobody."""
    assert length_of(text) == (pytest.approx(seconds) if seconds else None)


@dataclass
class _Hosts(ServerView):
    """Logs that lie in folders, one for each host."""

    place: str = "web1"

    def file_of(self, table: str) -> str:
        """Nginx on web1, the application where the case says."""
        return f"{self.place}-gc.log" if "/" in self.place else f"{self.place if table == 'app_log' else 'web1'}/{table}.log"


def _view(ended: float, took: float, place: str = "web1", *, timed: bool = True) -> ServerView:
    """A request that nginx gave up after ten seconds, and a pause of the JVM; ``timed`` if nginx tells the length, else the balancer."""
    view = _Hosts(place=place)
    view.add("app_log", {"time": after(ended), "message": FULL.format(took * 1e3)})
    line = {"message": TIMED_OUT, "path": "/report", "method": "GET", "_artifact": 2, "_line": 1}
    row = AT | {"time": after(0), "status": 504, "request_seconds": 10.0 if timed else None}
    failing(view, "nginx", "nginx_access", row, inner_errors=(line,))
    if not timed:
        seen = view.add("alb_access", AT | {"time": after(0.3), "started": after(-9.8), "status": 504, "target_status": 504})
        view.failures = tuple(replace(one, sightings=dict(one.sightings) | {"alb": (seen,)}) for one in view.failures)
    return view


@pytest.mark.parametrize(
    ("ended", "took", "place", "found"),
    [
        (4.0, 14.2, "web1", [Certainty.LIKELY]),
        (-1.0, 8.0, "web1", [Certainty.LIKELY]),
        (4.0, 14.2, "batch", [Certainty.POSSIBLE]),
        (4.0, 14.2, "web2", []),
        (4.0, 14.2, "web1/batch", []),
        (-100.0, 14.2, "web1", []),
        (4.0, 6.0, "web1", []),
        (-3.0, 0.4, "web1", []),
    ],
)
def test_a_pause_that_took_up_the_wait(ended: float, took: float, place: str, found: list[Certainty]) -> None:
    """EDGE-119: likely on the same host, possible where nothing tells the host; not another host's, nor another time's, nor a short one."""
    findings = ask(_view(ended, took, place), RULE).findings
    assert [one.certainty for one in findings] == found
    assert all(one.title.endswith("because its Java process stood still to collect garbage") and one.layer == "app" for one in findings)


@pytest.mark.parametrize(("ended", "found"), [(4.0, [Certainty.LIKELY]), (-100.0, [])])
def test_the_length_may_stand_in_the_balancers_row_only(ended: float, found: list[Certainty]) -> None:
    """The common log of nginx tells no length: the load balancer in front of it measured the same request."""
    assert [one.certainty for one in ask(_view(ended, 14.2, timed=False), RULE).findings] == found


@pytest.mark.parametrize(("target", "found"), [("10.0.1.9", 1), ("10.0.1.7", 0)])
def test_a_target_that_answered_in_that_time_did_not_stand_still(target: str, found: int) -> None:
    """Behind a load balancer: whose pause it is shows in who answered nobody."""
    view = ServerView()
    view.add("app_log", {"time": after(1), "message": FULL.format(58_000.0)})
    answer = {"status": 200, "target_status": 200, "target_ip": target, "time": after(-20), "started": after(-20.1)}
    view.add("alb_access", AT | answer)
    row = {"status": 504, "target_ip": "10.0.1.7", "time": after(0), "started": after(-60), "actions": ["forward"]}
    assert len(ask(failing(view, "alb", "alb_access", AT | row), RULE).findings) == found
