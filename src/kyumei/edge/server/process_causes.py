"""What each event of a process means for the requests that it cost, and how it is mended: EDGE-150 to EDGE-153 as data."""

from __future__ import annotations

from typing import NamedTuple

from kyumei.edge.server.process_signs import Kind


class Cause(NamedTuple):
    """One row. ``{what}`` in the title is the process or service; commands may hold ``{pid}``, ``{unit}``, ``{from}`` and ``{until}``."""

    kind: Kind
    code: str
    layer: str
    title: str
    meaning: str
    fix: str
    commands: tuple[str, ...]
    check: str
    check_command: str
    longer_than: float = 0.0
    """Requests that ended sooner than this many seconds cannot be its victims."""


CAUSES = (
    Cause(
        Kind.OUT_OF_MEMORY,
        "EDGE-151",
        "host",
        "the kernel killed {what} because memory had run out",
        "a process that is killed for memory takes the requests in its hands with it, and writes no access line for them",
        "Let the server need less memory, or give it more: fewer workers, workers that are renewed after a number of requests, a larger "
        "instance or limit; then find the leak.",
        (
            "journalctl -k --since '{from}' --until '{until}' | grep -iE 'out of memory|oom'",
            "gunicorn --workers <FEWER> --max-requests 1000 --max-requests-jitter 100 <APP>",
            "systemctl show {unit} -p MemoryMax -p MemoryPeak",
        ),
        "The memory of the workers levels off, and for a day the kernel kills none.",
        "journalctl -k --since today | grep -ciE 'out of memory|oom-kill'",
    ),
    Cause(
        Kind.HEAP_FULL,
        "EDGE-151",
        "app",
        "the Java process ended itself because its heap was full",
        "a JVM that is told to exit when its heap is full (ExitOnOutOfMemoryError) takes all requests in its hands with it, and nothing "
        "serves until it runs again",
        "Find what fills the heap (a heap dump of that moment, the largest requests and caches), then size the heap within the memory of "
        "the container or host.",
        (
            "java -XX:MaxRAMPercentage=75 -XX:+HeapDumpOnOutOfMemoryError -XX:HeapDumpPath=<FOLDER> -XX:+ExitOnOutOfMemoryError -jar <APP>",
            "jcmd {pid} GC.class_histogram",
        ),
        "The heap after a full collection levels off, and for a day the process does not end.",
        "journalctl -u {unit} --since today | grep -c OutOfMemoryError",
    ),
    Cause(
        Kind.TIMED_OUT,
        "EDGE-150",
        "server",
        "{what} was silent for longer than its time-out and was killed by its own master",
        "a worker that is stuck in one slow call cannot report to the master, which kills it and the request with it",
        "Find the call that holds the worker (database, another service) and give it a time-out of its own, shorter than the worker's; "
        "threads or asynchronous workers keep one slow call from holding a whole worker.",
        (
            "gunicorn --timeout <SECONDS> --worker-class gthread --threads 4 <APP>",
            "grep -rnE 'request_terminate_timeout|worker_timeout' <CONFIGURATION OF PHP-FPM OR PUMA>",
            "py-spy dump --pid <WORKER_PID>",
            "journalctl -u {unit} --since '{from}' --until '{until}'",
        ),
        "No further time-out of a worker, and the slowest requests stay well below the time-out.",
        "journalctl -u {unit} --since today | grep -cE 'WORKER TIMEOUT|timed out worker|execution timed out'",
        longer_than=1.0,
    ),
    Cause(
        Kind.CRASHED,
        "EDGE-153",
        "server",
        "{what} crashed in native code",
        "a crash by a signal ends the process in the middle of its requests; nothing of the application can catch or log it",
        "Look at the core dump for the library that crashed, and update or pin it.",
        ("coredumpctl info {pid}", "journalctl -k | grep -i segfault", "pip list --outdated"),
        "No further crash of a worker.",
        "journalctl --since today | grep -cE 'SIGSEGV|SIGABRT|SIGBUS|segfault'",
    ),
    Cause(
        Kind.KILLED,
        "EDGE-151",
        "host",
        "{what} was killed by SIGKILL, as the kernel does when memory runs out",
        "a process that is killed takes the requests in its hands with it, and writes no access line for them",
        "See whether the kernel or a limit of the container killed it; if so let the server need less memory or give it more.",
        (
            "journalctl -k --since '{from}' --until '{until}' | grep -iE 'out of memory|oom'",
            "gunicorn --workers <FEWER> --max-requests 1000 --max-requests-jitter 100 <APP>",
        ),
        "The memory of the workers levels off, and for a day none is killed.",
        "journalctl -u {unit} --since today | grep -c 'was sent SIGKILL'",
    ),
    Cause(
        Kind.UNBOOTABLE,
        "EDGE-152",
        "app",
        "the application could not be loaded, so that no worker of the server started",
        "without a worker nothing answers: what stands in front finds nobody, or a socket that is gone",
        "Mend what the traceback names (a missing module, a missing variable of the environment), or go back to the last release.",
        (
            "journalctl -u {unit} --since '{from}' --until '{until}'",
            "systemctl cat {unit} | grep -E 'Environment|ExecStart'",
            "<VENV>/bin/python -c 'import <MODULE>'",
        ),
        "Each worker boots once and stays.",
        "journalctl -u {unit} --since '-10min' | grep -c 'Booting worker'",
    ),
    Cause(
        Kind.BROKE_OFF,
        "EDGE-153",
        "app",
        "{what} broke off with an error that nothing in it caught",
        "an error that is caught nowhere ends the whole process with all requests in its hands, and nothing serves until it runs again",
        "Mend the error that the trace names, and catch it where a request is handled, so that it costs that request alone; run more than "
        "one process.",
        ("journalctl -u {unit} --since '{from}' --until '{until}'",),
        "The same request gets its page, and the process keeps running.",
        "journalctl -u {unit} --since today | grep -cE 'Node.js v|Unhandled exception|^panic: '",
    ),
    Cause(
        Kind.PANICKED,
        "EDGE-153",
        "app",
        "the application's handler panicked",
        "Go's server answers a panic in a handler by closing the connection without an answer, which what stands in front turns into its "
        "own error; other requests go on",
        "Mend the line that the trace names, and recover from panics in a middleware, so that such a request gets a 500 of the "
        "application's own.",
        ("journalctl -u {unit} --since '{from}' --until '{until}' | grep -A 30 'http: panic serving'",),
        "The same request gets its page, and no handler panics.",
        "journalctl -u {unit} --since today | grep -c 'http: panic serving'",
    ),
    Cause(
        Kind.STOPPED,
        "EDGE-153",
        "server",
        "{what} was stopped and started again, as for a deployment, while requests still came in",
        "the stop itself is normal (SIGTERM); requests failed because nothing took them over: the server was not taken out of the load "
        "balancer first, or no second one was there",
        "Take the server out of the target group and let its requests end before the stop, put it back when it answers; or reload without "
        "a gap (socket activation, a second instance).",
        (
            "aws elbv2 deregister-targets --target-group-arn <TARGET_GROUP_ARN> --targets Id=<INSTANCE_ID>",
            "aws elbv2 wait target-deregistered --target-group-arn <TARGET_GROUP_ARN> --targets Id=<INSTANCE_ID>",
            (
                "aws elbv2 modify-target-group-attributes --target-group-arn <TARGET_GROUP_ARN> --attributes "
                "Key=deregistration_delay.timeout_seconds,Value=<LONGEST_REQUEST>"
            ),
            "systemctl reload {unit}",
        ),
        "The next deployment costs no request.",
        "journalctl -u {unit} --since today | grep -E 'Stopp|Started|Handling signal'",
    ),
)
"""In the order in which they speak for a request that several fit: what names its reason before what only shows its effect."""
FOREIGN_KILL = Cause(
    Kind.KILLED,
    "EDGE-153",
    "host",
    "{what} was killed by SIGKILL from outside; the kernel's log tells of no lack of memory",
    "a process that is killed takes the requests in its hands with it, and writes no access line for them",
    "Find who sent the signal: a deployment script, a supervisor that ran out of patience, a person.",
    ("journalctl --since '{from}' --until '{until}'", "ausearch -k kill -ts recent"),
    "No further kill of a worker.",
    "journalctl -u {unit} --since today | grep -c 'was sent SIGKILL'",
)
"""Where the kernel's log covers the moment and has no kill for memory."""
