"""Troubles that several causes share: an answer of the application, of nginx or of a balancer, and workers that die."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

from incidents.edge.fault import AllChanges, Ask, Changes, Fault, LineChanges, Said

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL = "0.001 0.002 -1"
NO_TIMES = "-1 -1 -1"
MADE_5XX = ("EDGE-009",)
DYING = ("EDGE-128", "EDGE-129", "EDGE-154", "EDGE-146")
"""What the layers in front say when a worker dies; true, but not the cause."""

TRACEBACK = (
    "Internal Server Error: {path}\nTraceback (most recent call last):\n"
    '  File "/srv/{app}/venv/lib/python3.11/site-packages/django/core/handlers/exception.py", line 55, in inner\n'
    "    response = get_response(request)\n"
    '  File "/srv/{app}/web/views.py", line 118, in show\n    total = rows[0]["amount"] / rows[0]["count"]\n'
    "ZeroDivisionError: division by zero"
)
WORDS = {
    400: "Bad Request: {path} (field 'from' is not a date)",
    401: "Unauthorized: {path}",
    403: "Forbidden (Permission denied): {path}",
    404: "Not Found: {path}",
    405: "Method Not Allowed: {path}",
    408: "Request body of {path} was not complete in time",
    413: "Payload of {path} is larger than this account may send",
    414: "Query of {path} is longer than 2000 characters",
    429: "Too many requests of this user for {path}",
    431: "Too many cookies for {path}",
    500: TRACEBACK,
    502: "The supplier's service answered nonsense, {path} gives up",
    503: "Service Unavailable: {path} is closed for maintenance",
    504: "The supplier's service did not answer in time, {path} gives up",
}


def answered(status: int, **changes: Unpack[AllChanges]) -> Fault:
    """The application itself answers with the status, and says why in its log."""
    level = "error" if status >= 500 else "warning"  # noqa: PLR2004 - a fault of the server's own
    said = Said("application", WORDS.get(status, "Refused: {path}"), after=-0.003, level=level, ending=True)
    fault = Fault("gunicorn", status, ("EDGE-001",), seconds=(0.02, 0.3), said=(said,))
    return replace(fault, **changes)


def fine(status: int = 200) -> Fault:
    """Nothing is wrong: the requests that the person reports were answered as they should be."""
    return Fault("gunicorn", status, (), seconds=(0.03, 0.4), verdict="healthy")


def balancer(status: int, *codes: str, alb: Mapping[str, str] | None = None, **changes: Unpack[LineChanges]) -> Fault:
    """The Application Load Balancer makes the answer; ``alb`` sets fields of its row."""
    fields: dict[str, Mapping[str, str]] = {"alb": {"times": NO_TIMES, **(alb or {})}}
    fields |= changes.pop("fields", {})
    fault = Fault("alb", status, codes, fields=fields)
    return replace(fault, **changes)


def before_rules(status: int, *codes: str, alb: Mapping[str, str] | None = None, **changes: Unpack[LineChanges]) -> Fault:
    """The balancer refuses the request before any rule runs."""
    told = {"actions_executed": "-", "matched_rule_priority": "-", "target_group_arn": "-", **(alb or {})}
    return replace(balancer(status, *codes, alb=told, **changes), true=("EDGE-007", "EDGE-017"))


def nginx(status: int, *codes: str, said: str = "", level: str = "error", more: tuple[Said, ...] = (), **changes: Unpack[Changes]) -> Fault:
    """Nginx makes the answer and says why in its error log."""
    lines = (Said("nginx_error", said, level=level),) if said else ()
    fault = Fault("nginx", status, codes, said=(*lines, *more))
    return replace(fault, **changes)


def apache(status: int, *codes: str, said: str, module: str = "core:error", **changes: Unpack[Changes]) -> Fault:
    """Apache makes the answer and says why in its error log."""
    fault = Fault("apache", status, codes, said=(Said("apache_error", said, level=module),))
    return replace(fault, **changes)


PREMATURE = Said("nginx_error", "upstream prematurely closed connection while reading response header from upstream", ending=True)
RESET = Said("nginx_error", "recv() failed (104: Connection reset by peer) while reading response header from upstream", ending=True)
AT_ALB = {"alb:maker": {"target": "yes", "times": "0.001 {seconds} -1"}}
"""How the balancer's row looks when the server behind it closes the connection after some time without an answer."""


def worker_timeout(seconds: float = 30.0) -> tuple[Said, ...]:
    """What gunicorn says when a worker was silent for too long."""
    return (
        Said("gunicorn", "WORKER TIMEOUT (pid:{pid})", after=seconds, level="critical"),
        Said("gunicorn", "Error handling request {path}", after=seconds + 0.02, level="worker error", shows=False),
        Said("gunicorn", "Worker exiting (pid: {pid})", after=seconds + 0.04, level="worker info", shows=False),
        Said("gunicorn", "Worker (pid:{pid}) was sent SIGKILL! Perhaps out of memory?", after=seconds + 1.05, level="error", shows=False),
    )


def out_of_memory(seconds: float) -> tuple[Said, ...]:
    """What the kernel and gunicorn say when the kernel kills a worker for its memory."""
    kernel = (
        "Out of memory: Killed process {pid} (gunicorn) total-vm:1843204kB, anon-rss:1502336kB, file-rss:0kB, shmem-rss:0kB, "
        "UID:998 pgtables:3400kB oom_score_adj:0"
    )
    cgroup = (
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
        "task_memcg=/system.slice/{app}.service,task=gunicorn,pid={pid},uid=998"
    )
    return (
        Said("syslog", cgroup, after=seconds - 0.03, level="kernel"),
        Said("syslog", kernel, after=seconds - 0.02, level="kernel"),
        Said("gunicorn", "Worker (pid:{pid}) was sent SIGKILL! Perhaps out of memory?", after=seconds + 0.2, level="error"),
        Said("gunicorn", "Booting worker with pid: {pid}1", after=seconds + 0.9, level="info", shows=False),
    )


def dead_worker(*codes: str, said: tuple[Said, ...], nginx_says: Said = PREMATURE, **changes: Unpack[Changes]) -> Fault:
    """A worker dies while it works: nginx makes a 502 of it, or the balancer where no nginx stands between."""
    true = (*DYING, "EDGE-009", "EDGE-016", "EDGE-037", "EDGE-014", "EDGE-001")
    fault = Fault(
        "nginx",
        502,
        codes,
        true=true,
        inside={"gunicorn": (None, -1.0)},
        fields={**AT_ALB, "nginx:maker": {"upstream_status": "502"}, "clb:maker": {"target": "yes", "times": "0.000041 {seconds} -1"}},
        said=(nginx_says, *said),
    )
    return replace(fault, **changes)


LARGE = Ask(methods=("POST",), tails=("/uploads", "/import/csv", "/photos/new", "/documents"), received=(1_200_000, 9_000_000))
"""A large upload."""
