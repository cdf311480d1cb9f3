"""Which lines of which logs say that something went wrong, and what of a line says what it was: SQL for each table.

A level tells it where a log has one. Others tell it otherwise: the kernel and systemd by their own words, a function by the kind of its
line, CloudTrail by an error code, services of AWS by the state or type of an event. What scanners leave behind is passed over.
"""

from __future__ import annotations

from typing import NamedTuple

from kyumei.layouts.casts import quoted
from kyumei.model.level import GRAVE_ANYWHERE

CHARACTERS = 200
"""The beginning of a line tells its kind."""

_LEVEL = f"upper(level) IN {GRAVE_ANYWHERE}"
_UNLEVELLED = (
    r"^(?:http: )?panic(?: serving|:)|^fatal error: |^(?:Unhandled|Uncaught) |^Exception in thread |^Traceback \(most recent|"
    r"^(?:Segmentation fault|java\.lang\.OutOfMemoryError)"
)
"""How runtimes begin what they write without a level when a program fails: of Go, Node.js, Java and Python."""
_KERNEL = (
    r"^(?:\[ *[0-9.]+\] ?)?(?:Out of memory: Kill|Memory cgroup out of memory: Kill|Kernel panic|BUG: |general protection fault|"
    r"EXT4-fs error|XFS \(\w+\): (?:Metadata |Corruption)|Buffer I/O error|nf_conntrack: (?:nf_conntrack: )?table full|"
    r"INFO: task .* blocked for more than|TCP: (?:request_sock_TCP: )?Possible SYN flooding)|"
    r"segfault at [0-9a-f]+ ip|Remounting filesystem read-only|I/O error, dev "
)
_SYSTEMD = (
    r"Main process exited, code=(?:killed|dumped|exited, status=[1-9])|Start request repeated too quickly|^Failed to start |"
    r"^Dependency failed "
)
_ANYBODY = r"No space left on device|Too many open files|Read-only file system|Cannot allocate memory"
_GRAVE = (
    f"(CASE program WHEN 'kernel' THEN regexp_matches(message, {quoted(_KERNEL)}) "
    f"WHEN 'systemd' THEN regexp_matches(message, {quoted(_SYSTEMD)}) ELSE false END "
    f"OR regexp_matches(message, {quoted(_ANYBODY)}) OR severity IN ('emerg', 'alert', 'crit'))"
)
_MESSAGE = "coalesce(message, '')"
_WITH_ERROR = (
    f"concat(split_part({_MESSAGE}, chr(10), 1), CASE WHEN error_type IS NOT NULL AND NOT contains(split_part({_MESSAGE}, chr(10), 1), "
    "error_type) THEN concat(' (', concat_ws(': ', error_type, nullif(split_part(error_text, chr(10), 1), '')), ')') END)"
)
_STAMPED = "^[0-9]{4}-[0-9]{2}-[0-9T:.]+Z [0-9a-f-]{36} "
"""What the platform writes in front of what it says of a run."""
_FUNCTION_SAID = (
    f"CASE WHEN error_type IS NULL THEN regexp_replace({_MESSAGE}, {quoted(_STAMPED)}, '') ELSE concat_ws(': ', error_type, error_text) END"
)


class Telling(NamedTuple):
    """SQL of one table: whether a row says that something went wrong, and what it says."""

    wrong: str
    text: str = _MESSAGE


ERROR_LOGS = {
    # No such file, forbidden by rule, no cipher in common: what scanners leave behind.
    "nginx_error": Telling(
        f"{_LEVEL} AND errno IS DISTINCT FROM 2 AND NOT regexp_matches({_MESSAGE}, 'forbidden by rule|SSL_do_handshake|index of')"
    ),
    "apache_error": Telling(
        f"{_LEVEL} AND NOT regexp_matches(concat(code, ' ', message), 'AH00128|AH01276|AH01630|AH00126|AH02008|File does not exist')"
    ),
    "app_log": Telling(
        f"({_LEVEL} OR (level IS NULL AND status IS NULL AND "
        f"(error_type IS NOT NULL OR regexp_matches({_MESSAGE}, {quoted(_UNLEVELLED)}))))",
        _WITH_ERROR,
    ),
    "json_lines": Telling(_LEVEL, _WITH_ERROR),
    # "Lambda function logs": a run that timed out or whose process ended has a line of the platform's own, without a level.
    "lambda_log": Telling(
        f"({_LEVEL} OR kind IN ('timeout', 'exit', 'error') OR (kind = 'runtime_done' AND outcome IN ('timeout', 'error', 'failure')))",
        _FUNCTION_SAID,
    ),
    "syslog": Telling(_GRAVE),
    "postgres_log": Telling(_LEVEL),
    "mysql_error": Telling(_LEVEL),
    "codedeploy_agent": Telling(_LEVEL),
    "cloudtrail": Telling("failed", "concat(event_source, ' ', event_name, ': ', error_code, nullif(concat(', ', error_message), ', '))"),
    "ecs_event": Telling(
        f"({_LEVEL} OR (last_status = 'STOPPED' AND (exit_code <> 0 OR stop_code IN ('TaskFailedToStart', 'EssentialContainerExited'))))",
        "coalesce(message, concat_ws(': ', event_name, stop_code, stopped_reason, container_reason, reason))",
    ),
    "kubernetes_event": Telling("event_type = 'Warning'", "concat_ws(': ', reason, message)"),
    "step_functions": Telling("error_type IS NOT NULL", "concat_ws(': ', error_type, error_text)"),
    "alarm": Telling("state = 'ALARM' AND kind = 'state_change'", "concat('alarm ', alarm, ': ', reason)"),
}
"""Logs that tell what went wrong, by their tables."""


def telling_rows(name: str) -> str:
    """A SELECT of all rows of a table with ``log``, ``time``, whether they are ``wrong``, their ``text`` and ``place``."""
    telling = ERROR_LOGS[name]
    return (
        f"SELECT {quoted(name)} AS log, time, coalesce({telling.wrong}, false) AS wrong, "
        f"left(split_part({telling.text}, chr(10), 1), {CHARACTERS}) AS text, concat(a.name, ':', _line) AS place "
        f'FROM "{name}" JOIN artifacts a ON a.artifact = _artifact'
    )
