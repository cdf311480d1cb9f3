"""The signatures of what happens to processes, and the names under which servers run; data, and what reads a name by it.

Texts as gunicorn, uWSGI, Puma, unicorn, php-fpm, the JVM, Spring Boot, .NET, Go, the Linux kernel and systemd write
them (EDGE-150 to EDGE-153).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What happened to a process. STARTED is no fault: it ends a restart; nor is EXITED, which names the unit of a process that ended."""

    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "killed for memory"
    KILLED = "killed"
    CRASHED = "crashed"
    UNBOOTABLE = "did not boot"
    BROKE_OFF = "broke off with an error"
    HEAP_FULL = "ended for want of heap"
    PANICKED = "panicked at a request"
    STOPPED = "stopped"
    STARTED = "started"
    EXITED = "exited"


class Sign(NamedTuple):
    """One row: what the line says, by a pattern that may name ``pid``, process ``name``, systemd ``unit`` and ``signal``."""

    kind: Kind
    pattern: str
    by: str = ""
    """The program that must have written it (``systemd``, ``kernel``); empty for any."""


_PID = r"\(pid: ?(?P<pid>[0-9]+)\)"
SIGNS = (
    Sign(Kind.TIMED_OUT, rf"WORKER TIMEOUT {_PID}"),
    Sign(Kind.TIMED_OUT, r"HARAKIRI ON WORKER [0-9]+ \(pid: (?P<pid>[0-9]+)"),
    # Puma, of a worker that served; one that is too slow to boot serves nobody yet.
    Sign(Kind.TIMED_OUT, r"! Terminating timed out worker(?: \([Ww]orker(?: [0-9]+)? failed to check in [^)\n]{0,60}\))?: (?P<pid>[0-9]+)"),
    Sign(Kind.TIMED_OUT, r"worker=[0-9]+ PID:(?P<pid>[0-9]+) timeout \([0-9]+s > [0-9]+s\), killing"),
    Sign(Kind.TIMED_OUT, r"child (?P<pid>[0-9]+), script '[^'\n]{0,400}'.{0,1000} execution timed out \([0-9.]+ sec\), terminating"),
    Sign(Kind.KILLED, rf"Worker {_PID} was sent SIG(?P<signal>KILL)!"),
    Sign(Kind.KILLED, r"reaped #<Process::Status: pid (?P<pid>[0-9]+) SIG(?P<signal>KILL) "),
    Sign(Kind.KILLED, r"child (?P<pid>[0-9]+) exited on signal 9 \(SIG(?P<signal>KILL)"),
    Sign(Kind.CRASHED, r"reaped #<Process::Status: pid (?P<pid>[0-9]+) SIG(?P<signal>SEGV|ABRT|BUS|ILL|FPE) "),
    Sign(Kind.CRASHED, r"child (?P<pid>[0-9]+) exited on signal [0-9]+ \(SIG(?P<signal>SEGV|ABRT|BUS|ILL|FPE)"),
    Sign(Kind.KILLED, r"DAMN ! worker [0-9]+ \(pid: (?P<pid>[0-9]+)\) died, killed by signal (?P<signal>9)\b"),
    Sign(Kind.OUT_OF_MEMORY, r"[Oo]ut of memory: Kill(?:ed)? process (?P<pid>[0-9]+) \((?P<name>[^)\n]*)\)"),
    Sign(Kind.OUT_OF_MEMORY, r"oom-kill:.*\btask=(?P<name>[^,\n]*),pid=(?P<pid>[0-9]+)"),
    Sign(Kind.OUT_OF_MEMORY, r"oom_reaper: reaped process (?P<pid>[0-9]+) \((?P<name>[^)\n]*)\)"),
    Sign(Kind.OUT_OF_MEMORY, r"(?P<unit>[^\s:]+\.service): (?:A process of this unit has been killed by the OOM killer|.*'oom-kill')"),
    Sign(Kind.CRASHED, rf"Worker {_PID} was sent SIG(?P<signal>SEGV|ABRT|BUS|ILL|FPE)!"),
    Sign(Kind.CRASHED, r"DAMN ! worker [0-9]+ \(pid: (?P<pid>[0-9]+)\) died, killed by signal (?P<signal>4|6|7|8|11)\b"),
    Sign(Kind.CRASHED, r"(?P<name>[\w.-]+)\[(?P<pid>[0-9]+)\]: segfault at "),
    Sign(Kind.CRASHED, r"traps: (?P<name>[\w.-]+)\[(?P<pid>[0-9]+)\] general protection"),
    Sign(
        Kind.CRASHED,
        r"(?P<unit>[^\s:]+\.service): Main process exited, code=(?:dumped|killed), status=.*/(?P<signal>SEGV|ABRT|BUS|ILL)",
    ),
    Sign(Kind.KILLED, r"(?P<unit>[^\s:]+\.service): Main process exited, code=killed, status=9/(?P<signal>KILL)"),
    Sign(Kind.EXITED, r"(?P<unit>[^\s:]+\.service): Main process exited, code=exited"),
    # The last line that Node writes when an error that nobody caught ends it.
    Sign(Kind.BROKE_OFF, r"^Node\.js v[0-9]+\.[0-9]+\.[0-9]+$"),
    Sign(Kind.BROKE_OFF, r"^Unhandled exception\. [A-Za-z_][\w.+]{2,200}: "),
    Sign(Kind.BROKE_OFF, r"^panic: .|^fatal error: (?:concurrent map |all goroutines are asleep|stack overflow|runtime: )"),
    Sign(Kind.HEAP_FULL, r"(?:Terminating|Aborting) due to java\.lang\.OutOfMemoryError"),
    Sign(Kind.CRASHED, r"A fatal error has been detected by the Java Runtime Environment"),
    # Go's server ends the one connection, and goes on.
    Sign(Kind.PANICKED, r"\bpanic serving \S{2,60}: "),
    Sign(Kind.UNBOOTABLE, r"Worker failed to boot\.|App failed to load\."),
    Sign(Kind.UNBOOTABLE, rf"Worker {_PID} exited with code [34]\b"),
    Sign(Kind.UNBOOTABLE, r"^APPLICATION FAILED TO START$|Application run failed$|! Unable to load application: |Hosting failed to start"),
    Sign(Kind.UNBOOTABLE, r"Application startup failed\. Exiting|FPM initialization failed"),
    Sign(Kind.UNBOOTABLE, r"unable to load app [0-9]+ |no app loaded\. going in full dynamic mode"),
    Sign(Kind.STOPPED, r"Handling signal: (?P<signal>term|int|quit|hup|usr2)\b"),
    Sign(Kind.STOPPED, rf"Worker {_PID} was sent SIG(?P<signal>TERM)!"),
    Sign(Kind.STOPPED, r"Shutting down: Master|gracefully killing workers|received\.\.\.killing workers"),
    Sign(Kind.STOPPED, r"^Stopp(?:ing|ed) (?P<unit>.+?)(?:\.\.\.|\.)?$", "systemd"),
    Sign(Kind.STARTED, r"Booting worker with pid: ?(?P<pid>[0-9]+)|Listening at: |spawned uWSGI worker|Application startup complete"),
    Sign(
        Kind.STARTED, r"Worker [0-9]+ \(PID: (?P<pid>[0-9]+)\) booted in |Started [A-Z]\w{0,80} in [0-9.]+ seconds|Now listening on: http"
    ),
    Sign(Kind.STARTED, r"^(?:.{0,60}\s)?[Ll]istening (?:on|at) (?:port |https?://\S{0,60}:|:)?[0-9]{2,5}\b"),
    # A job may run at 09:30, or on 10 workers.
    Sign(Kind.STARTED, r"^(?:.{0,60}\s)?running (?:on|at) (?:port |https?://\S{0,60}:|:|(?:[0-9.]{7,15}|localhost):)[0-9]{2,5}\b"),
    Sign(Kind.STARTED, r"^Started (?P<unit>.+?)\.?$", "systemd"),
)
"""First match wins."""
PREFILTER = (
    r"WORKER TIMEOUT|HARAKIRI|was sent SIG|DAMN !|[Oo]ut of memory: Kill|oom-kill|oom_reaper: reaped|OOM killer|segfault at|"
    r"general protection|Main process exited|failed to boot|failed to load\.|exited with code [34]\b|unable to load app|no app loaded|"
    r"Handling signal: |Shutting down: Master|killing workers|^Stopp(?:ing|ed) |Booting worker with pid|Listening at: |"
    r"Node\.js v[0-9]+\.|(?:[Ll]istening|running) (?:on|at) |"
    r"spawned uWSGI worker|Application startup complete|^Started |Exception in worker process|Terminating timed out worker|"
    r"[0-9]s\), killing|execution timed out \(|reaped #<Process::Status|exited on signal [0-9]|Unhandled exception\. |"
    r"(?m:^panic: |^fatal error: )|due to java\.lang\.OutOfMemoryError|detected by the Java Runtime|panic serving |\) booted in |"
    r"Started [A-Z]\w* in |Now listening on: |FAILED TO START|Application run failed|Unable to load application|failed to start|"
    r"startup failed\. Exiting|FPM initialization"
)
"""For RE2: every line that a sign fits fits this."""
_SERVER = re.compile(
    r"gunicorn|uwsgi|uvicorn|hypercorn|daphne|waitress|python|django|flask|fastapi|wsgi|asgi|ruby|puma|unicorn|rails|node|java|tomcat|jetty|"
    r"spring|php|dotnet|kestrel|beam|granian|app\b|web\b|api\b",
    re.IGNORECASE,
)
"""Names of processes and units that serve requests."""
WEB_SERVER = re.compile(r"^(?:the )?(?:nginx|apache|httpd)|nginx|apache2|httpd", re.IGNORECASE)
"""Names of what stands in front of the application on its host."""
_HOUSEKEEPING = re.compile(
    r"cron|rotat|apt|dnf|yum|snap|ssh|session|user |user@|slice|timer|clean|tmpfiles|journal|syslog|ntp|chrony|time|network|resolve|d-?bus|"
    r"udev|polkit|policy|cloud-|amazon|ssm|certbot|trim|man-db|message of the day|motd|update|upgrade|backup|fail2ban|getty|mount|swap|"
    r"multipath|irq|daily|weekly|mail|postfix|monitor|agent|exporter|metadata|report|refresh|accounting|statistics|sysstat|firewall|audit|login|system",
    re.IGNORECASE,
)
"""Units that come and go on any host and serve no request."""
_BESIDE = re.compile(
    r"exporter|agent|monitor|cron|timer|backup|celery|worker queue|batch|sidekiq|mysql|maria|postgres|redis|mongo|rabbit|elastic"
)
"""What stands beside servers and does not answer requests, though the rest of its name may sound so."""
PYTHON = re.compile(r"gunicorn|uwsgi|uvicorn|hypercorn|daphne|waitress|python|django|flask|wsgi|asgi", re.IGNORECASE)
"""Names under which a server written in Python runs."""


def serving(text: str) -> bool | None:
    """Whether a process or unit of that name serves requests; null where the name does not tell."""
    if _BESIDE.search(text):
        return False
    if WEB_SERVER.search(text) or _SERVER.search(text):
        return True
    return False if _HOUSEKEEPING.search(text) else None


def beside(program: str, where: str) -> bool:
    """Whether who wrote a line, or the name of its file, is of what stands beside servers (``celery.log``)."""
    return any(_BESIDE.search(name.lower()) for name in (program, where.rpartition("|")[2].rpartition("/")[2]))
