"""Events of application servers: what a line means, which requests it cost, and when it has nothing to do with them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kyumei.edge.server.process_events import Event, own_kills, own_words, read
from kyumei.edge.server.process_signs import PREFILTER, Kind
from kyumei.edge.victims import asked, explains, fit
from kyumei.model.finding import Certainty, Citation
from tests.rules.server_memory import AT, NOON, ServerView, after, ask, failing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RULE = "application_server_failed"
BALANCER = AT | {"status": 502, "actions": ["forward"], "target_ip": "10.0.1.23", "request_seconds": 0.001, "target_seconds": 30.0}
CLOSED = "upstream prematurely closed connection while reading response header from upstream"


def _balancer(view: ServerView, *ends: float, lasted: float = 30.0, **more: object) -> ServerView:
    rows = [BALANCER | {"time": after(end), "started": after(end - lasted)} | more for end in ends]
    return failing(view, "alb", "alb_access", *rows)


def _gunicorn(view: ServerView, seconds: float, message: str, **more: object) -> None:
    view.add("app_log", {"time": after(seconds), "level": "ERROR", "server": "gunicorn", "pid": 900, "message": message} | more)


def _kernel(view: ServerView, seconds: float, message: str, host: str = "ip-10-0-1-23") -> None:
    view.add("syslog", {"time": after(seconds), "host": host, "program": "kernel", "message": message})


def _codes(view: ServerView) -> list[tuple[str, Certainty]]:
    return [(one.code, one.certainty) for one in ask(view, RULE).findings]


def test_a_time_out_and_the_kill_that_follows_are_one() -> None:
    """EDGE-150: the arbiter's own SIGKILL prints the text of a kill for memory, and is none (EDGE-151's exclusion)."""
    view = ServerView()
    _gunicorn(view, 0, "WORKER TIMEOUT (pid:941)")
    _gunicorn(view, 1, "Worker (pid:941) was sent SIGKILL! Perhaps out of memory?")
    opinion = ask(_balancer(view, 0.5), RULE)
    assert [(one.code, one.certainty) for one in opinion.findings] == [("EDGE-150", Certainty.PROVEN)]
    assert [one.code for one in opinion.ruled_out] == ["EDGE-151"]


def test_of_several_processes_the_title_names_several() -> None:
    """Not the first alone, as if the others had lived."""
    view = ServerView()
    for number in range(5):
        _gunicorn(view, 20 * number, f"WORKER TIMEOUT (pid:{941 + number})")
    (finding,) = ask(_balancer(view, *(20 * number + 0.5 for number in range(5))), RULE).findings
    assert finding.title.startswith("5 processes (941, 942, 943 and 2 more) were silent for longer than their time-out and were killed by")
    assert finding.title.endswith("all 5 requests answered 502 fell to it")


@pytest.mark.parametrize(
    ("end", "lasted", "status", "target"),
    [(600.0, 30.0, 502, "10.0.1.23"), (0.5, 0.01, 502, "10.0.1.23"), (0.5, 30.0, 500, "10.0.1.23"), (0.5, 30.0, 502, "10.0.1.99")],
)
def test_a_time_out_that_is_not_the_cause(end: float, lasted: float, status: int, target: str) -> None:
    """Ten minutes apart, a request of no length, a status of the application's own, another host."""
    view = ServerView()
    view.add("syslog", {"time": after(0), "host": "ip-10-0-1-23", "program": "gunicorn", "message": "[CRITICAL] WORKER TIMEOUT (pid:941)"})
    assert _codes(_balancer(view, end, lasted=lasted, status=status, target_ip=target)) == []


def test_a_kill_for_memory_needs_the_kernel() -> None:
    """EDGE-151: proven by kernel and master together; likely by one; with a kernel log that has no such line somebody else killed it."""
    kernel, master = (
        "Out of memory: Killed process 941 (gunicorn) total-vm:1kB",
        "Worker (pid:941) was sent SIGKILL! Perhaps out of memory?",
    )
    view = ServerView()
    _kernel(view, 0, kernel)
    _gunicorn(view, 1, master)
    assert _codes(_balancer(view, 0.4)) == [("EDGE-151", Certainty.PROVEN)]
    view = ServerView()
    _gunicorn(view, 0, master)
    opinion = ask(_balancer(view, 0.4), RULE)
    assert [(one.code, one.certainty) for one in opinion.findings] == [("EDGE-151", Certainty.LIKELY)]
    assert [gap.missing for gap in opinion.gaps] == ["the kernel's log of the host"]
    view = ServerView()
    _gunicorn(view, 0, master)
    _kernel(view, -3600, "Linux version 6.1")
    _kernel(view, 3600, "eth0: link up")
    assert _codes(_balancer(view, 0.4)) == [("EDGE-153", Certainty.LIKELY)]


@pytest.mark.parametrize("name", ["nightly-backup", "mysqld", "node_exporter", "celery"])
def test_another_process_was_killed_for_memory(name: str) -> None:
    """What serves no request cost none, even in the same second."""
    view = ServerView()
    _kernel(view, 0, f"Out of memory: Killed process 5150 ({name}) total-vm:1kB")
    assert _codes(_balancer(view, 0.4)) == []


def test_a_server_of_another_language_beside_python() -> None:
    """Where gunicorn serves, a java process that was killed is something else."""
    for logged, found in ((True, []), (False, [("EDGE-151", Certainty.LIKELY)])):
        view = ServerView()
        if logged:
            _gunicorn(view, -900, "Booting worker with pid: 941")
        _kernel(view, 0, "Out of memory: Killed process 5150 (java) total-vm:1kB")
        assert _codes(_balancer(view, 0.4)) == found


def test_the_web_server_itself_was_restarted() -> None:
    """Behind a load balancer a restart of nginx is the cause, and lies in nginx; for nginx's own answers it cannot be."""
    (finding,) = ask(_balancer(_restart(ServerView(), "nginx.service - A high performance web server"), 4, lasted=0.01), RULE).findings
    assert (finding.code, finding.layer) == ("EDGE-153", "nginx")
    view = _restart(ServerView(), "nginx.service - A high performance web server")
    assert _codes(failing(view, "nginx", "nginx_access", AT | {"time": after(4), "status": 502})) == []


def test_a_crash_in_native_code() -> None:
    """EDGE-153."""
    view = ServerView()
    _gunicorn(view, 0, "Worker (pid:941) was sent SIGSEGV!")
    assert _codes(_balancer(view, 0.4)) == [("EDGE-153", Certainty.PROVEN)]


def test_boots_that_fail_with_their_traceback() -> None:
    """EDGE-152: the traceback before the failed boot is evidence; the restarts in between are part of it and no deployment."""
    view = ServerView()
    for start in (0, 20, 40):
        _gunicorn(view, start, "Booting worker with pid: 950", pid=950)
        _gunicorn(
            view, start + 1, "Exception in worker process\nTraceback (most recent call last):\n  File x\nKeyError: 'SHOP_SECRET'", pid=950
        )
        _gunicorn(view, start + 1, "Worker (pid:950) exited with code 3")
        _gunicorn(view, start + 1, "Shutting down: Master")
        _gunicorn(view, start + 1, "Reason: Worker failed to boot.")
    (finding,) = ask(_balancer(view, 5, 15, 33, lasted=0.01), RULE).findings
    assert (finding.code, finding.certainty, finding.layer, finding.explains) == ("EDGE-152", Certainty.LIKELY, "app", 3)
    assert any("KeyError: 'SHOP_SECRET'" in one.says for one in finding.chain)


class Hosts(ServerView):
    """A view whose files lie in a folder for each host, which hundreds of the artifact's number tell."""

    def cite(self, rows: Iterable[Mapping[str, Any]], limit: int = 3) -> tuple[Citation, ...]:
        """A citation for each of the first rows."""
        return tuple(Citation(f"web-{row['_artifact'] // 100}/some.log", row["_line"], "") for row in list(rows)[:limit])


@pytest.mark.parametrize(("hosts", "explained"), [((100, 200), 4), ((200, 100), 0)])
def test_each_host_of_several_has_its_own_ends(hosts: tuple[int, int], explained: int) -> None:
    """Two hosts in turn: what one of them lost fell to its own kills, and not to the other's in those seconds."""
    view = Hosts()
    for number in range(4):
        _gunicorn(
            view, 20 * number, f"Worker (pid:{941 + number}) was sent SIGKILL! Perhaps out of memory?", _artifact=(100, 200)[number % 2]
        )
    rows = [AT | {"time": after(20 * number + 0.3), "status": 502, "_artifact": hosts[number % 2]} for number in range(4)]
    found = ask(failing(view, "nginx", "nginx_access", *rows), RULE)
    assert [one.explains for one in found.findings] == [explained] * bool(explained)


def _halt(view: ServerView, seconds: float) -> None:
    for message in ("Worker (pid:950) exited with code 3", "Shutting down: Master", "Reason: Worker failed to boot."):
        _gunicorn(view, seconds, message)


def test_a_master_that_halted_serves_nobody_until_it_is_started() -> None:
    """EDGE-152: ten minutes and more after the failed boot, unless a start that held came in between."""
    view = ServerView()
    _halt(view, -900)
    assert _codes(_balancer(view, 0, 20, lasted=0.01)) == [("EDGE-152", Certainty.LIKELY)]
    _gunicorn(view, -600, "Listening at: http://0.0.0.0:8000")
    assert _codes(_balancer(view, 0, 20, lasted=0.01)) == []


@pytest.mark.parametrize("how", ["balancer", "server"])
def test_a_server_that_answered_meanwhile_was_not_halted(how: str) -> None:
    """Its start is in no log that is here; what it answered shows it: by the balancer's rows, or by its own access lines."""
    view = ServerView()
    _halt(view, -900)
    for number in range(3):
        time = after(-100 + 10 * number)
        if how == "balancer":
            view.add("alb_access", BALANCER | {"time": time, "started": time, "status": 200, "target_status": 200})
        else:
            view.add("app_log", AT | {"time": time, "server": "gunicorn", "status": 200})
    assert _codes(_balancer(view, 0, 20, lasted=0.01)) == [("EDGE-152", Certainty.POSSIBLE)]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("kernel", "nginx[941]: segfault at 0 ip 000055d0c1a2b3c4 sp 00007ffd9e8f7a60 error 4 in nginx[55d0c1900000+1a0000]"),
        ("kernel", "Out of memory: Killed process 941 (nginx) total-vm:1kB"),
    ],
)
def test_the_end_of_an_nginx_worker_is_nginxs(program: str, message: str) -> None:
    """EDGE-144: as the kernel tells it, too; no server behind nginx is accused of it, and none ten minutes off."""
    view = ServerView()
    view.add("syslog", {"time": after(0), "host": "ip-10-0-1-23", "program": program, "message": message})
    _balancer(view, 0.4)
    assert _codes(view) == []
    (finding,) = ask(view, "upstream_failed").findings
    assert (finding.code, finding.layer, finding.certainty) == ("EDGE-144", "nginx", Certainty.LIKELY)
    assert "The log of its host says" in finding.chain[1].says
    assert ask(_balancer(view, 600), "upstream_failed").findings == ()


def _restart(view: ServerView, unit: str = "shop-web.service - Shop web app") -> ServerView:
    for seconds, message in ((0, f"Stopping {unit}..."), (1, f"Stopped {unit}."), (9, f"Started {unit}.")):
        view.add("syslog", {"time": after(seconds), "host": "ip-10-0-1-23", "program": "systemd", "message": message})
    return view


def test_a_restart_explains_what_failed_while_it_lasted() -> None:
    """EDGE-153: all in the gap, proven; some outside, they are counted as unexplained; none, it is ruled out by name."""
    assert _codes(_balancer(_restart(ServerView()), 2, 4, 8, lasted=0.01)) == [("EDGE-153", Certainty.PROVEN)]
    (finding,) = ask(_balancer(_restart(ServerView()), 2, 4, 300, lasted=0.01), RULE).findings
    assert (finding.certainty, finding.explains) == (Certainty.LIKELY, 2)
    assert finding.chain[-1].total == 1
    opinion = ask(_balancer(_restart(ServerView()), 600, 640, lasted=0.01), RULE)
    assert not opinion.findings
    assert [one.code for one in opinion.ruled_out] == ["EDGE-153"]


def test_a_restart_while_the_server_still_answered() -> None:
    """Where the same target answered well all the while, the restart of some unit of the host is only possible."""
    view = _restart(ServerView(), "shop.service - Shop")
    for seconds in (3, 5, 6):
        view.add("alb_access", BALANCER | {"time": after(seconds), "status": 200, "target_status": 200})
    assert _codes(_balancer(view, 4, lasted=0.01)) == [("EDGE-153", Certainty.POSSIBLE)]


@pytest.mark.parametrize(("target", "certainty"), [("10.0.2.9", Certainty.LIKELY), ("10.0.1.23", Certainty.POSSIBLE)])
def test_a_stop_without_a_start(target: str, certainty: Certainty) -> None:
    """A host that was switched off: that another target still answered says nothing for it, and no start is claimed that nobody saw."""
    view = ServerView()
    view.add("syslog", {"time": after(0), "host": "ip-10-0-1-23", "program": "systemd", "message": "Stopped puma.service - Puma."})
    for seconds in (3, 5, 60):
        view.add("alb_access", BALANCER | {"time": after(seconds), "status": 200, "target_status": 200, "target_ip": target})
    (finding,) = ask(_balancer(view, 4, 20, lasted=0.01), RULE).findings
    assert finding.certainty is certainty
    assert "was stopped while requests still came in" in finding.title


@pytest.mark.parametrize(("message", "codes"), [("upstream sent too big header", []), (CLOSED, ["EDGE-150"])])
def test_what_the_web_server_says_of_the_request_counts(message: str, codes: list[str]) -> None:
    """A server that answered with a header too large did not die of the time-out of some worker in that second."""
    view = ServerView()
    _gunicorn(view, 0, "WORKER TIMEOUT (pid:941)")
    line = AT | {"time": after(0), "message": f"{message} while reading response header from upstream", "level": "error"}
    failing(view, "nginx", "nginx_access", AT | {"time": after(0.5), "status": 502}, inner_errors=(view.add("nginx_error", line),))
    assert [one.code for one in ask(view, RULE).findings] == codes


@pytest.mark.parametrize(
    "unit", ["Daily apt upgrade and clean activities", "logrotate.service - Rotate log files", "Session 4 of User ubuntu"]
)
def test_units_that_come_and_go(unit: str) -> None:
    """Housekeeping of the host is no restart of the server."""
    assert _codes(_balancer(_restart(ServerView(), unit), 4, lasted=0.01)) == []


def test_a_listener_s_fixed_answer_has_no_victim() -> None:
    """A 503 of a listener rule, or one with an error reason of Lambda, is not for want of an answer."""
    view = ServerView()
    _gunicorn(view, 0, "WORKER TIMEOUT (pid:941)")
    assert _codes(_balancer(view, 0.5, status=503, actions=["fixed-response"])) == []
    assert _codes(_balancer(view, 0.5, status=502, error_reason="LambdaUnhandled")) == []


def test_two_troubles_at_once_are_counted_apart() -> None:
    """A time-out explains one request and a kill another; a third remains unexplained by both."""
    view = ServerView()
    _gunicorn(view, 0, "WORKER TIMEOUT (pid:941)")
    _kernel(view, 120, "Out of memory: Killed process 955 (gunicorn) total-vm:1kB")
    found = ask(_balancer(view, 0.5, 120.5, 400), RULE).findings
    assert sorted((one.code, one.explains) for one in found) == [("EDGE-150", 1), ("EDGE-151", 1)]
    assert all(one.certainty is not Certainty.PROVEN for one in found)


def test_a_fit_must_be_better_than_chance() -> None:
    """With a time-out every ten seconds and a failure every ten, some coincide and prove nothing."""
    view = ServerView()
    for seconds in range(0, 600, 10):
        _gunicorn(view, seconds, f"WORKER TIMEOUT (pid:{1000 + seconds})")
    found = _codes(_balancer(view, *(float(one) for one in range(5, 600, 37))))
    assert all(certainty is Certainty.POSSIBLE for _, certainty in found)


def test_nothing_known_of_processes_names_the_log() -> None:
    """Without any log of the server the gap says which would decide."""
    line = {"message": CLOSED, "path": "/report", "method": "GET", "_artifact": 2, "_line": 1}
    view = failing(ServerView(), "nginx", "nginx_access", AT | {"time": after(0), "status": 502}, inner_errors=(line,))
    opinion = ask(view, RULE)
    assert not opinion.findings
    assert [gap.missing for gap in opinion.gaps] == ["log of the application server's processes"]


def _line(seconds: float, message: str, program: str = "", where: str = "|x.log") -> dict[str, Any]:
    return {"time": NOON + timedelta(seconds=seconds), "message": message, "program": program, "where": where, "_artifact": 1, "_line": 1}


MASTERS = "Worker (pid:941) was sent SIGKILL! Perhaps out of memory?"
KILL = "shop.service: Main process exited, code=killed, status=9/KILL"


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [
        (((0, "Stopping shop.service - Shop web app..."), (90, KILL), (91, "Started shop.service - Shop web app.")), [Kind.STOPPED]),
        (((0, "Stopping shop.service - Shop web app..."), (90, KILL), (90, "Started shop.service - Shop web app.")), [Kind.STOPPED]),
        (((0, "Stopping jobs.service - Jobs..."), (90, KILL), (91, "Started shop.service - Shop web app.")), [Kind.KILLED]),
        (((0, "Stopping shop.service - Shop..."), (2, "Started shop.service - Shop."), (90, KILL)), [Kind.STOPPED, Kind.KILLED]),
        # Older systemd names the unit in one line only, and calls it by its description in the others.
        (((0, "Stopping Web app..."), (90, KILL), (90, "Stopped Web app."), (91, "Started Web app.")), [Kind.STOPPED]),
        (((0, "Stopping Web app..."), (30, KILL), (90, "Stopped Web app."), (91, "Started Web app.")), [Kind.STOPPED, Kind.KILLED]),
        (
            ((0, "Stopping A web app..."), (2, "Started A web app."), (90, KILL), (90, "Stopped A web app.")),
            [Kind.STOPPED, Kind.KILLED, Kind.STOPPED],
        ),
        (((0, "Handling signal: term"), (30, MASTERS)), [Kind.STOPPED]),
        (((0, "Handling signal: hup"), (1, "Booting worker with pid: 941"), (30, MASTERS)), [Kind.STOPPED, Kind.KILLED]),
        (((0, "Handling signal: hup"), (1, "Booting worker with pid: 977"), (30, MASTERS)), [Kind.STOPPED]),
        (((0, "Worker (pid:977) was sent SIGTERM!"), (30, MASTERS)), [Kind.KILLED]),
        (((0, "Booting worker with pid: 941"), (30, MASTERS)), [Kind.KILLED]),
    ],
)
def test_a_stop_that_took_too_long_ends_with_a_kill(lines: tuple[tuple[float, str], ...], kinds: list[Kind]) -> None:
    """What does not end in time systemd and gunicorn kill: no memory was short. Another unit's stop, or one that is over, is no reason."""
    assert [event.kind for event in read([_line(seconds, message, "systemd") for seconds, message in lines])] == kinds


def test_a_session_of_somebody_who_logs_in_starts_no_server() -> None:
    """The end of a stop is a start of what may serve requests, not the next unit of the host that is started."""
    stop = _line(0, "[2025-01-12 03:23:53 +0000] [701] [INFO] Shutting down: Master", "gunicorn")
    session = _line(551, "Started Session 509 of user ubuntu.", "systemd")
    (event,) = read([stop, session])
    assert (event.kind, event.ended, event.rows) == (Kind.STOPPED, False, (stop,))
    (event,) = read([stop, session, _line(590, "Started shop.service - Shop web app.", "systemd")])
    assert (event.ended, event.until) == (True, after(590))


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ("running on http://0.0.0.0:5000", True),
        ("running on port 5000", True),
        ("running at 127.0.0.1:5000", True),
        ("Server listening on 5000", True),
        ("nightly report running at 09:30", False),
        ("export running on 2026-03-10", False),
        ("clean-up running on 10 workers", False),
    ],
)
def test_what_runs_at_a_time_or_on_workers_is_no_server_that_starts(words: str, ends: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A start names where it listens; else a job of the application would end a stop that goes on."""
    (event,) = read([_line(0, "Shutting down: Master", "gunicorn"), _line(20, words, "app")])
    assert event.ended is ends


def test_a_unit_of_an_unknown_name_ends_no_stop_that_names_none() -> None:
    """Only a unit that serves by its name, or that was itself stopped then, is what came back."""
    stop = _line(0, "[2025-01-12 03:23:53 +0000] [701] [INFO] Shutting down: Master", "gunicorn")
    other = _line(20, "Started kodama.service - Kodama.", "systemd")
    listening = _line(270, "[2025-01-12 03:28:23 +0000] [901] [INFO] Listening at: http://127.0.0.1:8000 (901)", "gunicorn")
    (event,) = read([stop, other, listening])
    assert (event.ended, event.until) == (True, after(270))
    stopping = _line(-1, "Stopping kodama.service - Kodama...", "systemd")
    assert [event.until for event in read([stopping, stop, other, listening])] == [after(20), after(20)]


@pytest.mark.parametrize(("name", "until"), [("orders", 10), ("kodama", 30)])
def test_the_unit_of_a_process_that_broke_off_ends_it(name: str, until: int) -> None:
    """The unit is told by systemd; without that a unit of any other name that is started then is another's."""
    events = read(
        [
            _line(0, "Node.js v20.11.1", "orders"),
            _line(0.5, "orders.service: Main process exited, code=exited, status=1/FAILURE", "systemd"),
            _line(10, f"Started {name}.service - Something.", "systemd"),
        ]
    )
    assert [(event.kind, event.until) for event in events] == [(Kind.BROKE_OFF, after(until))]


def test_lines_become_events() -> None:
    """uWSGI, the kernel's other wordings, systemd with a unit; the start that ends each."""
    events = read(
        [
            _line(0, "*** HARAKIRI ON WORKER 1 (pid: 123, try: 1) ***"),
            _line(1, "DAMN ! worker 1 (pid: 123) died, killed by signal 9 :( trying respawn ..."),
            _line(60, "oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/x,task=uwsgi,pid=77,uid=0", "kernel"),
            _line(60, "shop.service: A process of this unit has been killed by the OOM killer.", "systemd"),
            _line(62, "Started shop.service - Shop.", "systemd"),
            _line(99, "python3[88]: segfault at 0 ip 00007f sp 00007f error 4 in libx.so", "kernel"),
        ]
    )
    assert [(one.kind, one.pid) for one in events] == [(Kind.TIMED_OUT, 123), (Kind.OUT_OF_MEMORY, 77), (Kind.CRASHED, 88)]
    assert [one.time for one in own_kills([_line(0, "WORKER TIMEOUT (pid:5)"), _line(2, "Worker (pid:5) was sent SIGKILL!")])] == [after(2)]
    assert read([_line(0, "user wrote: please restart"), _line(1, "Stopping here", "app")]) == []


@pytest.mark.parametrize(
    ("message", "kind", "pid", "words"),
    [
        ("[7] ! Terminating timed out worker (Worker 0 failed to check in within 60 seconds): 21", Kind.TIMED_OUT, 21, ""),
        ("[7] ! Terminating timed out worker: 21", Kind.TIMED_OUT, 21, ""),
        ("worker=1 PID:21 timeout (61s > 60s), killing", Kind.TIMED_OUT, 21, ""),
        (
            "[pool www] child 21, script '/srv/index.php' (request: \"GET /x.php?y=1\") execution timed out (30.5 sec), terminating",
            Kind.TIMED_OUT,
            21,
            "",
        ),
        ("[pool www] child 21 exited on signal 11 (SIGSEGV - core dumped) after 9.1 seconds from start", Kind.CRASHED, 21, ""),
        ("[pool www] child 21 exited on signal 9 (SIGKILL) after 9.1 seconds from start", Kind.KILLED, 21, ""),
        ("reaped #<Process::Status: pid 21 SIGKILL (signal 9)> worker=1", Kind.KILLED, 21, ""),
        ("Unhandled exception. System.IO.IOException: No space left", Kind.BROKE_OFF, None, "System.IO.IOException: No space left"),
        ("panic: assignment to entry in nil map", Kind.BROKE_OFF, None, "assignment to entry in nil map"),
        ("fatal error: concurrent map writes", Kind.BROKE_OFF, None, "concurrent map writes"),
        (
            "Terminating due to java.lang.OutOfMemoryError: Java heap space",
            Kind.HEAP_FULL,
            None,
            "java.lang.OutOfMemoryError: Java heap space",
        ),
        ("2026/11/18 02:05:03 http: panic serving 10.0.0.21:305: nil map", Kind.PANICKED, None, "nil map"),
        ("Application run failed\n\norg.example.BeanException: no bean", Kind.UNBOOTABLE, None, "org.example.BeanException: no bean"),
        ("! Unable to load application: LoadError: cannot load such file", Kind.UNBOOTABLE, None, "LoadError: cannot load such file"),
    ],
)
def test_other_servers_say_it_in_other_words(message: str, kind: Kind, pid: int | None, words: str) -> None:
    """Puma, unicorn, php-fpm, the JVM, .NET, Go and Spring Boot; what runs beside the servers costs no request."""
    assert re.search(PREFILTER, message)
    (event,) = read([_line(0, message, where="|web/app.log")])
    assert (event.kind, event.pid, own_words(event), event.serves) == (kind, pid, words, True)
    (event,) = read([_line(0, message, where="|web/celery.log")])
    assert event.serves is False


@pytest.mark.parametrize(
    "message",
    [
        "[7] ! Terminating timed out worker (Worker 0 failed to boot within 60 seconds): 21",
        "[pool www] child 21, script '/srv/index.php' (request: \"GET /x.php\") executing too slow (5.2 sec), logging",
        "[pool www] child 21 exited on signal 15 (SIGTERM) after 33.3 seconds from start",
        "[Recovery] 2026/11/18 - 02:05:03 panic recovered:",
        "caught java.lang.OutOfMemoryError: Java heap space",
    ],
)
def test_what_is_no_end_of_a_process(message: str) -> None:
    """A worker that never served, a warning, the stop of an idle child, a panic that was answered, an error that was caught."""
    assert read([_line(0, message)]) == []


def test_a_heap_that_is_full_ends_the_process_until_it_runs_again() -> None:
    """EDGE-151: requests at that moment, and those refused until Spring Boot has started; not those afterwards."""
    view = ServerView()
    view.add("app_log", {"time": after(0), "message": "Terminating due to java.lang.OutOfMemoryError: Java heap space"})
    view.add("app_log", {"time": after(30), "message": "c.e.Shop : Started ShopApplication in 8.3 seconds (process running for 9.2)"})
    (finding,) = ask(_balancer(view, 0.2, 12, 25, 300, lasted=0.01), RULE).findings
    assert (finding.code, finding.certainty, finding.layer, finding.explains) == ("EDGE-151", Certainty.LIKELY, "app", 3)
    assert finding.title.startswith("the Java process ended itself because its heap was full (java.lang.OutOfMemoryError: Java heap space)")


@pytest.mark.parametrize(("end", "codes"), [(0.1, [("EDGE-153", Certainty.LIKELY)]), (70, [])])
def test_a_handler_that_panics(end: float, codes: list[tuple[str, Certainty]]) -> None:
    """EDGE-153: Go's server closes the one connection; the panic of another minute is another request's."""
    view = ServerView()
    view.add("app_log", {"time": after(0), "message": "http: panic serving 10.0.0.21:305: runtime error: index out of range [3]"})
    assert _codes(_balancer(view, end, lasted=0.01)) == codes


def test_hosts_of_events_and_requests() -> None:
    """A host's name that tells its address, folders that differ in their number only, and where nothing tells."""

    def event(where: str) -> Event:
        return Event(Kind.TIMED_OUT, NOON, NOON, (), where=where)

    row = {"time": after(1), "request_seconds": 30.0}
    assert explains(event("ip-10-0-1-23|m"), asked("nginx_access", row, "10.0.1.23:8000"))
    assert not explains(event("ip-10-0-1-24|m"), asked("nginx_access", row, "10.0.1.23:8000"))
    assert explains(event("|ip-10-0-1-23/app.log"), asked("alb_access", row, "10.0.1.23"))
    assert not explains(event("|logs/ip-10-0-1-24/app.log"), asked("alb_access", row, "10.0.1.23"))
    assert not explains(event("|10.0.1.24/app.log"), asked("alb_access", row, "10.0.1.23"))
    assert explains(event("|web1/app.log"), asked("nginx_access", row, "", "web1/nginx/access.log"))
    assert not explains(event("|web2/app.log"), asked("nginx_access", row, "", "web1/access.log"))
    assert explains(event("|app/app.log"), asked("nginx_access", row, "", "nginx/access.log"))
    two = [asked("alb_access", {"time": after(0), "started": after(-30)}, address) for address in ("10.0.1.23", "10.0.1.24")]
    assert not fit(two, [event("|app.log")]).here


def test_times_of_requests_by_table() -> None:
    """Apache and the Classic Load Balancer write when a request came, all others when it was done."""
    time = datetime(2025, 4, 17, 3, 0, 0)  # noqa: DTZ001 - tables hold UTC without a zone
    assert asked("apache_access", {"time": time, "request_seconds": 5.0}).ended == time + timedelta(seconds=5)
    assert asked("clb_access", {"time": time, "request_seconds": 1.0, "target_seconds": 2.0}).ended == time + timedelta(seconds=3)
    assert asked("nginx_access", {"time": time, "request_seconds": 5.0}).started == time - timedelta(seconds=5)
    assert not asked("nginx_access", {"time": time, "request_seconds": None}).timed
