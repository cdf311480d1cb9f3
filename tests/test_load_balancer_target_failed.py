"""The rule about targets that gave a load balancer no usable answer, on rows in memory: guilty, innocent, and what only looks like it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kyumei.edge.balancer.target import Kind, classify
from tests.rules.balancer_memory import (
    ELB,
    GROUP,
    NOW,
    OTHER_GROUP,
    MemoryView,
    ask,
    findings,
    health,
    row,
    ruled_out,
    series,
    served,
)

NAIVE = NOW.replace(tzinfo=None)
NO_CONNECTION: dict[str, Any] = {"times": "-1 -1 -1"}
AT_ONCE: dict[str, Any] = {"times": "0.001 0.002 -1"}
AT_WORK: dict[str, Any] = {"times": "0.001 29.870 -1", "wall": 29.9}
NO_TARGET: dict[str, Any] = {"times": "-1 -1 -1", "status": "503", "target": "-"}
NO_REPLY: dict[str, Any] = {"times": "-1 -1 -1", "status": "504", "wall": 10.004}
TOO_SLOW: dict[str, Any] = {"times": "0.001 60.000 -1", "status": "504", "wall": 60.01}
IDLE = "idle_timeout.timeout_seconds"


@pytest.mark.parametrize(
    ("more", "idle", "kind"),
    [
        (NO_CONNECTION, 60, Kind.REFUSED),
        (AT_ONCE, 60, Kind.CLOSED),
        (AT_WORK, 60, Kind.DIED),
        (AT_WORK, 30, Kind.UNTOLD),
        (NO_TARGET, 60, Kind.NO_GROUP),
        (NO_REPLY, 60, Kind.UNCONNECTED),
        (TOO_SLOW, 60, Kind.SLOW),
        ({"times": "-1 -1 -1", "status": "504", "wall": 60.01}, 60, Kind.SLOW),
        ({"times": "-1 -1 -1", "status": "504", "wall": 33.0}, 60, Kind.UNTOLD),
        ({"times": "-1 -1 -1", "status": "504", "wall": 10.0}, 10, Kind.UNCONNECTED),
        ({"times": "0.001 10.000 -1", "status": "504", "wall": 10.0}, 10, Kind.SLOW),
        ({"times": "0.001 0.020 0.000"}, 60, Kind.BROKEN),
        ({"times": "0.001 0.120 -1", "target_status": "200"}, 60, Kind.BROKEN),
    ],
)
def test_a_row_shows_one_pattern(more: dict[str, Any], idle: float, kind: Kind) -> None:
    """Status, the three times, the wall time and the idle timeout together name the pattern."""
    assert classify(row(MemoryView(), **more), idle, told=True) is kind


@pytest.mark.parametrize(
    ("seconds", "told", "kind"),
    [("90.012", False, Kind.DIED), ("90.012", True, Kind.UNTOLD), ("60.900", False, Kind.UNTOLD), ("31.002", False, Kind.DIED)],
)
def test_a_wait_beyond_the_default_shows_a_longer_idle_timeout(seconds: str, kind: Kind, *, told: bool) -> None:
    """EDGE-016: at the idle timeout the balancer answers 504; a 502 after more than the default shows that it is longer."""
    assert classify(row(MemoryView(), times=f"0.001 {seconds} -1", wall=float(seconds)), 60, told=told) is kind


def answers(**more: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Answers of AWS by operation, with low lines for hyphens."""
    return {name.replace("_", "-"): found for name, found in more.items()}


@pytest.mark.parametrize(
    ("more", "stored", "silent", "found"),
    [
        (NO_CONNECTION, {}, (), [("EDGE-035", "possible")]),
        (NO_CONNECTION, {}, ("nginx",), [("EDGE-035", "likely")]),
        (NO_CONNECTION, answers(get_metric_data=[series("TargetConnectionErrorCount", 4.0)]), (), [("EDGE-035", "proven")]),
        (NO_CONNECTION, answers(get_metric_data=[series("TargetTLSNegotiationErrorCount", 4.0)]), (), [("EDGE-035", "proven")]),
        # The error count of another balancer, or of another hour, or zero, confirms nothing.
        (
            NO_CONNECTION,
            answers(get_metric_data=[series("TargetConnectionErrorCount", 4.0, about="app/back/1111111111111111")]),
            (),
            [("EDGE-035", "possible")],
        ),
        (NO_CONNECTION, answers(get_metric_data=[series("TargetConnectionErrorCount", 4.0, after=60)]), (), [("EDGE-035", "possible")]),
        (NO_CONNECTION, answers(get_metric_data=[series("TargetConnectionErrorCount", 0.0)]), ("app",), [("EDGE-035", "possible")]),
        (NO_TARGET, {}, (), [("EDGE-039", "likely")]),
        (
            NO_TARGET,
            answers(get_metric_data=[series("HealthyHostCount", 2.0, 2.0, after=-3), series("HealthyHostCount", 2.0, 2.0, after=4)]),
            (),
            [("EDGE-039", "proven")],
        ),
        (NO_TARGET, answers(get_metric_data=[series("HealthyHostCount", 0.0)]), (), [("EDGE-039", "proven")]),
        (NO_TARGET, answers(get_metric_data=[series("TargetControlRequestRejectCount", 9.0)]), (), []),
        (NO_REPLY, {}, (), [("EDGE-040", "possible")]),
        (
            NO_REPLY,
            answers(describe_load_balancer_attributes=[{"Key": IDLE, "Value": "60"}]),
            (),
            [("EDGE-040", "likely")],
        ),
        (NO_REPLY, answers(get_metric_data=[series("TargetConnectionErrorCount", 2.0)]), (), [("EDGE-040", "proven")]),
        # An idle timeout of ten seconds makes the slow target as good an explanation.
        (
            NO_REPLY,
            answers(
                describe_load_balancer_attributes=[{"Key": IDLE, "Value": "10"}],
                get_metric_data=[series("TargetConnectionErrorCount", 2.0)],
            ),
            (),
            [("EDGE-040", "possible")],
        ),
        (TOO_SLOW, {}, (), [("EDGE-041", "likely")]),
        (TOO_SLOW, answers(get_metric_data=[series("TargetResponseTime", 59.7)]), (), [("EDGE-041", "proven")]),
        (TOO_SLOW, answers(describe_load_balancer_attributes=[{"Key": IDLE, "Value": "300"}]), (), []),
        (AT_WORK, {}, (), [("EDGE-037", "possible")]),
        (AT_WORK, {}, ("server",), [("EDGE-037", "likely")]),
        (
            AT_WORK,
            answers(describe_tasks=[{"taskArn": "t", "stoppedAt": NOW.isoformat(), "stoppedReason": "Task failed ELB health checks"}]),
            (),
            [("EDGE-037", "proven")],
        ),
        (
            AT_WORK,
            answers(describe_tasks=[{"taskArn": "t", "stoppedAt": (NOW + timedelta(minutes=10)).isoformat()}]),
            (),
            [("EDGE-037", "possible")],
        ),
    ],
)
def test_certainty_follows_from_what_else_the_case_holds(
    more: dict[str, Any], stored: dict[str, list[dict[str, Any]]], silent: tuple[str, ...], found: list[tuple[str, str]]
) -> None:
    """The row alone is possible, silence or configuration makes it likely, a metric of the same minute proves it."""
    view = MemoryView(answers=stored)
    view.failed(row(view, **more), silent=silent)
    assert findings(view) == found
    gaps = [gap for opinion in ask(view).values() for gap in opinion.gaps]
    assert bool(gaps) == (not found or found[0][1] != "proven")


@pytest.mark.parametrize(
    ("own", "seconds", "reason", "sure"),
    [
        (True, -1, "OOMKilled", "proven"),
        (True, -1, "Error", "proven"),
        (True, -1, "Completed", "possible"),
        (True, -600, "OOMKilled", "possible"),
        (False, -1, "OOMKilled", "possible"),
    ],
)
def test_the_container_of_the_target_ended(seconds: int, reason: str, sure: str, *, own: bool) -> None:
    """EDGE-037: the pod that has the target's address tells why its container ended in that second; not another pod, nor another time."""
    view = MemoryView()
    failing = row(view, **AT_WORK)
    pod = {"object_name": "shop-6c9d", "container_name": "shop", "last_reason": reason, "last_exit_code": 137}
    address = failing["target_ip"] if own else "10.0.9.9"
    view.add("kubernetes_pod", pod | {"private_ip": address, "last_ended": NAIVE + timedelta(seconds=seconds), "time": NAIVE})
    view.failed(failing)
    assert findings(view) == [("EDGE-037", sure)]


def test_a_target_that_has_the_request_did_not_refuse_it() -> None:
    """EXCLUDE of EDGE-035 and EDGE-040: the access log behind the balancer has this very request."""
    for more in (NO_CONNECTION, NO_REPLY):
        view = MemoryView()
        failing = row(view, **more)
        view.add("nginx_access", {"time": NAIVE, "method": "GET", "path": "/orders", "status": 200, "request_seconds": 0.01})
        view.failed(failing)
        assert findings(view) == []
        assert {"EDGE-035", "EDGE-040"} & ruled_out(view)


def test_a_record_of_another_request_for_a_popular_path_excludes_nothing() -> None:
    """As many records behind the balancer as it relayed: none is left that could be the failing request."""
    view = MemoryView()
    failing = row(view, **NO_CONNECTION)
    row(view, status="200", target_status="200", after=0.5)
    view.add("nginx_access", {"time": NAIVE + timedelta(seconds=0.5), "method": "GET", "path": "/orders", "status": 200})
    view.failed(failing)
    assert findings(view) == [("EDGE-035", "possible")]


def racing(**more: Any) -> MemoryView:  # noqa: ANN401 - fields of the view
    """Two sporadic 502 among sixty requests that went well."""
    view = MemoryView(**more)
    served(view, 60)
    return view


def _keep_alive(seconds: int) -> dict[str, list[dict[str, Any]]]:
    command = ["gunicorn", "--keep-alive", str(seconds), "shop:app"]
    return answers(describe_task_definition=[{"containerDefinitions": [{"name": "web", "command": command}]}])


@pytest.mark.parametrize(
    ("stored", "silent", "found"),
    [
        ({}, (), [("EDGE-036", "possible")]),
        ({}, ("server",), [("EDGE-036", "possible")]),
        (_keep_alive(5), (), [("EDGE-036", "proven")]),
        (_keep_alive(75), ("server",), [("EDGE-037", "possible")]),
    ],
)
def test_a_race_needs_the_shorter_keep_alive(stored: dict[str, Any], silent: tuple[str, ...], found: list[tuple[str, str]]) -> None:
    """Sporadic, closed at once: a race only where the target keeps connections for less time than the balancer."""
    view = racing(answers=stored)
    view.failed(row(view, **AT_ONCE), row(view, **AT_ONCE, path="/basket", after=9), silent=silent)
    assert [(code, sure) for code, sure in findings(view)] == found * (1 if len(found) == 1 else 2)


@pytest.mark.parametrize(
    ("table", "silent", "worker", "found"),
    [
        ("app_log", ("server",), "gthread", [("EDGE-036", "likely")]),
        ("app_log", (), "gthread", [("EDGE-036", "possible")]),
        # Sync workers close each connection, and nginx keeps idle ones for longer than the balancer.
        ("app_log", ("server",), "sync", [("EDGE-037", "possible")]),
        ("nginx_access", ("nginx",), "", [("EDGE-036", "possible")]),
    ],
)
def test_the_server_seen_tells_its_default_keep_alive(
    table: str, silent: tuple[str, ...], worker: str, found: list[tuple[str, str]]
) -> None:
    """Gunicorn keeps idle connections for two seconds unless told otherwise."""
    view = racing()
    view.add(table, {"time": NAIVE - timedelta(seconds=40), "path": "/items/1", "status": 200, "server": "gunicorn"})
    if worker:
        view.add("app_log", {"time": NAIVE - timedelta(hours=5), "server": "gunicorn", "message": f"Using worker: {worker}"})
    view.failed(row(view, **AT_ONCE), silent=silent)
    assert findings(view) == found


def test_what_meets_most_requests_is_no_race() -> None:
    """A race is sporadic; where half of the requests end so, the target ends them."""
    view = MemoryView()
    served(view, 6)
    view.failed(*(row(view, **AT_ONCE, path=f"/p/{number}", after=float(number)) for number in range(6)), silent=("server",))
    assert findings(view) == [("EDGE-037", "possible")]


@pytest.mark.parametrize(
    ("message", "code"), [("Handling signal: term", "EDGE-037"), ("[CRITICAL] WORKER TIMEOUT (pid:71)", "EDGE-037"), ("GET /", "EDGE-036")]
)
def test_an_end_of_the_process_in_that_second_is_no_race(message: str, code: str) -> None:
    """EXCLUDE of EDGE-036: the 502 coincide with a stop or a kill."""
    view = racing()
    view.add("app_log", {"time": NAIVE, "server": "gunicorn", "message": message})
    view.failed(row(view, **AT_ONCE))
    assert [found for found, _ in findings(view)] == [code]


@pytest.mark.parametrize(("after", "sure"), [(0.4, "proven"), (-1.5, "proven"), (600, "possible"), (-120, "possible")])
def test_a_kill_counts_only_in_the_second_of_the_failure(after: float, sure: str) -> None:
    """A restart ten minutes later, or two before, is no cause of this 502."""
    view = MemoryView()
    view.add("syslog", {"time": NAIVE + timedelta(seconds=after), "message": "Out of memory: Killed process 4711 (gunicorn)"})
    view.failed(row(view, **AT_WORK))
    assert findings(view) == [("EDGE-037", sure)]


def test_a_kill_beside_one_failure_of_many_proves_nothing() -> None:
    """One of five failing moments has a kill beside it."""
    view = MemoryView()
    view.add("syslog", {"time": NAIVE, "message": "Out of memory: Killed process 4711 (gunicorn)"})
    view.failed(*(row(view, **AT_WORK, after=30 * number, path=f"/p/{number}") for number in range(5)))
    assert findings(view) == [("EDGE-037", "possible")]


@pytest.mark.parametrize(
    ("message", "program"),
    [
        ("Started Session 1 of User root.", "systemd"),
        ("Out of memory: Killed process 911 (mysqld) total-vm:1kB", "kernel"),
        ("logrotate.service: Main process exited, code=killed, status=9/KILL", "systemd"),
    ],
)
def test_ends_of_what_serves_no_request_prove_nothing(message: str, program: str) -> None:
    """Sessions, time-table work and databases come and go beside a server."""
    view = MemoryView()
    view.add("syslog", {"time": NAIVE, "message": message, "program": program})
    view.failed(row(view, **AT_WORK))
    assert findings(view) == [("EDGE-037", "possible")]


def test_the_end_on_another_host_is_not_the_targets() -> None:
    """The host's name tells its address, and the row the target's."""
    for host, sure in (("ip-10-0-3-7", "proven"), ("ip-10-0-3-8", "possible")):
        view = MemoryView()
        view.add("syslog", {"time": NAIVE, "host": host, "message": "Out of memory: Killed process 4711 (gunicorn)", "program": "kernel"})
        view.failed(row(view, **AT_WORK))
        assert findings(view) == [("EDGE-037", sure)]


def one_path(view: MemoryView, **more: Any) -> None:  # noqa: ANN401 - fields of a line
    """Every request for one path fails, thirty others do not."""
    served(view, 30)
    view.failed(*(row(view, path="/report", after=2 * number, **more) for number in range(4)))


def test_a_path_that_always_fails_and_that_the_target_answered_has_a_bad_response() -> None:
    """EDGE-038: the target's own log has the requests with 200, and only this path fails."""
    view = MemoryView(covering=frozenset({"nginx_access"}))
    one_path(view, **AT_ONCE)
    assert findings(view) == [("EDGE-038", "possible")]
    assert "EDGE-036" in ruled_out(view)
    for number in range(4):
        time = NAIVE + timedelta(seconds=2 * number)
        view.add("nginx_access", {"time": time, "method": "GET", "path": "/report", "status": 200, "request_seconds": 0.003})
    assert findings(view) == [("EDGE-038", "proven")]


def test_many_paths_are_no_bad_response() -> None:
    """EXCLUDE of EDGE-038."""
    view = MemoryView()
    served(view, 60)
    view.failed(*(row(view, path=f"/p/{number}", after=2 * number, **AT_ONCE) for number in range(4)))
    assert [code for code, _ in findings(view)] == ["EDGE-036"]


def test_an_early_line_without_a_duration_also_shows_that_the_target_was_fast() -> None:
    """An access line of gunicorn has no duration, but is written when the answer is sent: fifty seconds before the balancer gave up."""
    view = MemoryView()
    view.add("app_log", {"time": NAIVE - timedelta(seconds=55), "method": "GET", "path": "/orders", "status": 200, "server": "gunicorn"})
    view.failed(row(view, **TOO_SLOW))
    assert findings(view) == []
    row(view, status="200", target_status="200", after=-55.0)
    assert findings(view) == [("EDGE-041", "likely")]


def test_a_request_that_the_target_finished_was_not_cut_off_by_its_death() -> None:
    """EXCLUDE of EDGE-037: the target answered while the balancer gave 502."""
    view = MemoryView()
    view.add("app_log", {"time": NAIVE, "method": "GET", "path": "/orders", "status": 200, "request_seconds": 29.8, "server": "uvicorn"})
    view.failed(row(view, **AT_WORK))
    assert "EDGE-037" in ruled_out(view)
    assert [code for code, _ in findings(view)] == ["EDGE-038"]


def test_an_access_line_without_a_length_shows_that_the_target_answered() -> None:
    """EXCLUDE of EDGE-036 and EDGE-037: gunicorn's access log has at least half of the requests with 200."""
    for more, else_found in ((AT_ONCE, "EDGE-037"), ({"times": "0.001 0.320 -1", "wall": 0.33}, "EDGE-037")):
        view = MemoryView()
        failing = [row(view, path="/report", after=20 * number, **more) for number in range(3)]
        view.failed(*failing)
        lines = [{"time": one["time"], "method": "GET", "path": "/report", "status": 200, "server": "gunicorn"} for one in failing]
        view.add("app_log", lines[0])
        assert findings(view) == [(else_found, "possible")]
        view.add("app_log", lines[1])
        assert findings(view) == [("EDGE-038", "likely")]
        served(view, 30)
        assert findings(view) == [("EDGE-038", "proven")]


def test_many_paths_that_the_target_answered_are_only_possibly_its_answers_fault() -> None:
    """EXCLUDE of EDGE-038: many paths."""
    view = MemoryView()
    failing = [row(view, path=f"/report/{number}", after=20 * number, times="0.001 0.320 -1", wall=0.33) for number in range(3)]
    for one in failing:
        view.add("app_log", {"time": one["time"], "method": "GET", "path": one["path"], "status": 200, "server": "gunicorn"})
    view.failed(*failing)
    assert findings(view) == [("EDGE-038", "possible")]


def test_a_client_that_tries_again_is_not_the_lost_answer() -> None:
    """The second try was relayed: its access line is its own."""
    view = MemoryView()
    failing = row(view, **AT_WORK)
    row(view, status="200", target_status="200", after=1.0)
    view.add("app_log", {"time": NAIVE + timedelta(seconds=1), "method": "GET", "path": "/orders", "status": 200, "server": "gunicorn"})
    view.failed(failing)
    assert findings(view) == [("EDGE-037", "possible")]


def test_the_targets_own_status_was_another_one() -> None:
    """EDGE-011: the target answered 200 and the client got 502, so that the balancer could not pass the answer on."""
    passed: dict[str, Any] = {"times": "0.001 0.120 -1", "target_status": "200"}
    view = MemoryView()
    view.failed(*(row(view, path="/report", after=2 * number, **passed) for number in range(4)))
    assert findings(view) == [("EDGE-038", "possible")]
    served(view, 30)
    for number in range(4):
        time = NAIVE + timedelta(seconds=2 * number)
        view.add("app_log", {"time": time, "method": "GET", "path": "/report", "status": 200, "server": "gunicorn"})
    (finding,) = ask(view)["load_balancer_target_failed"].findings
    assert (finding.code, str(finding.certainty), finding.subject["pattern"]) == ("EDGE-038", "proven", "EDGE-011")
    assert "EDGE-001" in ruled_out(view)
    assert "though the target's was 200" in finding.chain[0].says


@pytest.mark.parametrize(("taken", "found"), [(75.0, [("EDGE-041", "proven")]), (0.2, [])])
def test_how_long_the_target_was_at_work_decides_about_a_slow_one(taken: float, found: list[tuple[str, str]]) -> None:
    """EXCLUDE of EDGE-041: the target's own log shows a fast answer."""
    view = MemoryView()
    start = NAIVE - timedelta(seconds=60.01)
    view.add(
        "app_log",
        {"time": start + timedelta(seconds=taken), "method": "GET", "path": "/orders", "status": 200, "request_seconds": taken},
    )
    view.failed(row(view, **TOO_SLOW))
    assert findings(view) == found


@pytest.mark.parametrize(
    ("states", "file", "found"),
    [
        ([health("10.0.3.7", "unused", "Target.NotInUse")], "", [("EDGE-039", "proven"), ("EDGE-081", "likely")]),
        # What drains was in use until just before, and nobody knows when the state was asked.
        (
            [health("10.0.3.7", "draining", "Target.DeregistrationInProgress")],
            "",
            [("EDGE-039", "likely"), ("EDGE-082", "possible")],
        ),
        ([health("10.0.3.7", "healthy")], "", []),
        # The health of another group says nothing.
        ([health("10.0.9.9", "healthy")], "aws/elbv2/describe-target-health.static.json", [("EDGE-039", "likely")]),
        ([health("10.0.9.9", "unused", "Target.NotInUse")], "aws/elbv2/describe-target-health.static.json", [("EDGE-039", "likely")]),
        ([health("10.0.3.7", "healthy")], f"aws/elbv2/describe-target-health.{GROUP.replace('/', '%2F')}.json", []),
    ],
)
def test_the_health_of_the_group_decides_about_an_empty_one(states: list[dict[str, Any]], file: str, found: list[tuple[str, str]]) -> None:
    """Unused or none: proven; healthy ones exclude it."""
    view = MemoryView(answers=answers(describe_target_health=states))
    view.files = {"describe-target-health": file} if file else {}
    row(view, status="200", target_status="200", group=OTHER_GROUP, target="10.0.9.9:80", after=-500) if file else None
    view.failed(row(view, **NO_TARGET))
    assert findings(view) == found


def test_a_group_that_serves_in_between_is_not_empty() -> None:
    """A 503 before and one after a request of the same group that was served."""
    view = MemoryView()
    served(view, 3)
    view.failed(row(view, **NO_TARGET, after=-20), row(view, **NO_TARGET, after=20))
    assert findings(view) == [("EDGE-039", "possible")]
    alone = MemoryView()
    served(alone, 6)
    alone.failed(row(alone, **NO_TARGET))
    assert findings(alone) == [("EDGE-039", "possible")]


def test_an_answer_without_targets_is_an_empty_group() -> None:
    """Also where the answer was stored with the group's ARN beside the list."""
    told = [{"TargetGroupArn": GROUP, "TargetHealthDescriptions": []}]
    view = MemoryView(answers=answers(describe_target_health=told))
    view.failed(row(view, **NO_TARGET))
    assert findings(view) == [("EDGE-039", "proven")]


def test_mixed_patterns_of_one_failure_are_told_apart() -> None:
    """One failure with rows of three patterns gives three findings, each with its own count."""
    view = MemoryView()
    view.failed(row(view, **NO_CONNECTION), row(view, **NO_CONNECTION, after=1), row(view, **TOO_SLOW), row(view, **NO_TARGET))
    explained = {one.code: one.explains for one in ask(view)["load_balancer_target_failed"].findings}
    assert explained == {"EDGE-035": 2, "EDGE-041": 1, "EDGE-039": 1}


def test_relayed_and_foreign_failures_are_none_of_its_business() -> None:
    """A status that the target gave, and failures of another hop."""
    view = MemoryView()
    view.failed(row(view, target_status="502", times="0.001 0.020 0.000"))
    view.failed(row(view, **NO_CONNECTION), hop="nginx", table="nginx_access")
    assert findings(view) == []


def test_commands_name_what_the_records_name() -> None:
    """The balancer's ARN is made of its row and the group's; the target is the row's."""
    view = MemoryView()
    view.failed(row(view, **TOO_SLOW))
    (finding,) = ask(view)["load_balancer_target_failed"].findings
    commands = " ".join(command for remedy in finding.remedy for command in remedy.commands)
    assert f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/{ELB}" in commands
    assert finding.subject["target_group"] == GROUP
