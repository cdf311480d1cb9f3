r"""What PostgreSQL puts in front of a message: patterns made from a ``log_line_prefix``, and the prefixes that are usual.

Each escape becomes a group whose text cannot run into what follows it, so that a pattern fits in one way only. A process that has no
session (a checkpointer) leaves names and addresses empty, and stops at ``%q``. The severity comes right behind the prefix, then a colon and
two blanks; whoever passed the line on may have lost one of them.

Follows "log_line_prefix" in the chapter "Error Reporting and Logging" of PostgreSQL's manual.
"""

from __future__ import annotations

import re

from kyumei.layouts.casts import INTEGER, TEXT, Cast, Take
from kyumei.layouts.companions import COLUMN_OF
from kyumei.layouts.database_times import POSTGRES_NAIVE, POSTGRES_TIME, ZONE
from kyumei.layouts.text_shapes import Shape

PRIMARY = "DEBUG[1-5]|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC"
"""The severities of messages."""
LEVEL = rf"(?P<level>{PRIMARY}|{'|'.join(COLUMN_OF)}): {{1,2}}"
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_STAMP = rf"{DATE}(?:\.[0-9]{{1,6}})? {ZONE}"

RDS = "%t:%r:%u@%d:[%p]:"
"""What RDS and Aurora write unless told otherwise."""
USUAL = (
    RDS,
    "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:",
    "%m [%p] %q%u@%d ",
    "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: [%l-1] db=%d,user=%u,app=%a,client=%h ",
    "%m [%p]: [%l-1] user=%u,db=%d,client=%h ",
    "%m [%p]: [%l-1] user=%u,db=%d - PG-%e ",
    "%m [%p]: [%l-1] user=%u,db=%d ",
    "%m [%p]: [%l-1] db=%d,user=%u ",
    "%m [%p]: [%l-1] [trx_id=%x] user=%u,db=%d ",
    "%m [%p]: [%l-1] %q%u@%d ",
    "%m [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%m [%p]: %q%u@%d ",
    "%m [%p] %q[user=%u,db=%d,app=%a,host=%h] ",
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "%m [%p] %q%u@%d %h ",
    "%m [%p] %q%u@%d/%a ",
    "%m [%p] [%l] %q%u@%d ",
    "%m [%p][%v] : [%l-1] %q[app=%a] ",
    "%m [%p][%b][%v][%x] %q[user=%u,db=%d,app=%a] ",
    "%m %r %u %a [%c] [%p] ",
    "%m-%u@%d-[%p]",
    "< %m >",
    "%p-%s-%c-%l-%h-%u-%d-%m ",
    "pid=%p,user=%u,db=%d,app=%a,client=%h ",
    "user=%u,db=%d,app=%a,client=%h ",
    "sql_error_code = %e ",
    "[%l-1] sql_error_code = %e ",
    "%n [%p] %q%u@%d ",
    "",
)
"""Prefixes that distributions, tools and people set. ``%m`` stands for ``%t``, too."""

_ESCAPE = re.compile(r"%(-?[0-9]*)([a-zA-Z%])")
_GROUPS = {
    "t": rf"(?P<time>{_STAMP})",
    "m": rf"(?P<time>{_STAMP})",
    "n": r"(?P<time>[0-9]{10}\.[0-9]{3})",
    "s": rf"(?P<started>{_STAMP})",
    "r": r"(?P<remote>(?:\[local\]|\[unknown\]|[^ ()\n]+\([0-9]{1,5}\))?)",
    "p": "(?P<pid>[0-9]+)",
    "P": "(?P<leader>[0-9]*)",
    "e": "(?P<sqlstate>[0-9A-Z]{5})",
    "c": r"(?P<session>[0-9a-f]+\.[0-9a-f]+)",
    "l": "(?P<number>[0-9]+)",
    "v": "(?P<virtual>[0-9/]*)",
    "x": "(?P<transaction>[0-9]*)",
    "Q": "(?P<query_id>-?[0-9]+)",
}
_WORDS = {"u": "user", "d": "database", "h": "host", "b": "backend", "i": "tag"}
_APPLICATION = r"(?P<application>[^\n]*?)"

NAMED = Cast(
    "name without padding, unknown is missing",
    lambda raw: None if raw.strip(" ") in {"", "[unknown]"} else raw.strip(" "),
    "nullif(nullif(trim({x}, ' '), ''), '[unknown]')",
)


def _host(raw: str) -> str | None:
    name = raw.partition("(")[0]
    return None if name[:1] in {"", "["} else name


def _port(raw: str) -> int | None:
    found = re.fullmatch(r"[^(]*\(([0-9]{1,5})\)", raw, re.ASCII)
    return int(found[1]) if found else None


HOST = Cast(
    "host without its port, no socket",
    _host,
    "CASE WHEN NOT starts_with({x}, '[') AND NOT starts_with({x}, '(') THEN nullif(string_split({x}, '(')[1], '') END",
)
"""``10.0.0.1(48808)``: the address; take it as optional, for a local socket has none."""
PORT = Cast("port in brackets", _port, r"TRY_CAST(nullif(regexp_extract({x}, '^[^(]*\(([0-9]{1,5})\)$', 1), '') AS BIGINT)")

TAKES = {
    "time": (Take("time", "time", POSTGRES_TIME), Take("_naive", "time", POSTGRES_NAIVE)),
    "started": (Take("session_start", "started", POSTGRES_TIME, optional=True),),
    "remote": (Take("client_ip", "remote", HOST, optional=True), Take("client_port", "remote", PORT, optional=True)),
    "host": (Take("client_ip", "host", HOST, optional=True),),
    "user": (Take("user", "user", NAMED, optional=True),),
    "database": (Take("database", "database", NAMED, optional=True),),
    "application": (Take("application_name", "application", NAMED, optional=True),),
    "pid": (Take("pid", "pid", INTEGER),),
    "leader": (Take("leader_pid", "leader", INTEGER),),
    "sqlstate": (Take("sqlstate", "sqlstate", TEXT),),
    "session": (Take("session_id", "session", TEXT),),
    "number": (Take("session_line", "number", INTEGER),),
    "virtual": (Take("virtual_transaction", "virtual", TEXT),),
    "transaction": (Take("transaction_id", "transaction", INTEGER),),
    "query_id": (Take("query_id", "query_id", INTEGER),),
    "backend": (Take("backend", "backend", TEXT),),
    "tag": (Take("command", "tag", TEXT),),
    "level": (Take("level", "level", TEXT),),
}
"""How the groups fill columns."""


def pattern_of(prefix: str) -> str:
    """A pattern of what a ``log_line_prefix`` writes; of an escape that is there twice the first counts."""
    pieces: list[str] = []
    seen: set[str] = set()
    at, depth = 0, 0
    for found in _ESCAPE.finditer(prefix):
        pieces.append(re.escape(prefix[at : found.start()]).replace("\\ ", " "))
        at = found.end()
        padding, escape = found.groups()
        if escape == "%":
            pieces.append("%")
        elif escape == "q":
            pieces.append("(?:")
            depth += 1
        else:
            group = _group(escape, prefix[at:])
            name = group.partition("<")[2].partition(">")[0]
            group = re.sub(r"\(\?P<[a-z_]+>", "(?:", group) if name in seen else group
            seen.add(name)
            pieces.append(f" *{group} *" if padding else group)
    pieces.append(re.escape(prefix[at:]).replace("\\ ", " "))
    return "".join(pieces) + ")?" * depth


def _group(escape: str, behind: str) -> str:
    """The pattern of an escape before what stands behind it."""
    if escape in _GROUPS:
        return _GROUPS[escape]
    if escape == "a":
        return _APPLICATION
    end = re.escape(behind[:1]) if behind[:1] != "%" else " "
    if escape == "h":
        inside = "[0-9A-Za-z._:%]*" if end == "\\-" else "[0-9A-Za-z._:%-]*"
        return rf"(?P<host>\[local\]|\[unknown\]|{inside})"
    if behind[:1] == "@":
        return rf"(?P<{_WORDS[escape]}>\[unknown\]|[^\n:]*)" if escape in _WORDS else "[^\\n@]*"
    if escape in _WORDS:
        end += "@" if escape == "d" else ""
        return rf"(?P<{_WORDS[escape]}>\[unknown\]|[^\n{end}]*)"
    return "[^\\n ]*"


def shape_of(prefix: str) -> Shape:
    """How a line with this prefix opens; what follows the severity is ``_rest``."""
    pattern = f"^{pattern_of(prefix)}{LEVEL}"
    names = re.findall(r"\(\?P<([a-z_]+)>", pattern)
    takes = tuple(take for name in names for take in TAKES[name])
    columns = [take.column for take in takes]
    # An address with its port counts before one without.
    kept = tuple(take for number, take in enumerate(takes) if take.column not in columns[:number])
    return Shape(prefix, pattern, (*kept, Take("_rest", "rest", TEXT)))


ANY = Shape(
    "any other prefix",
    rf"^[^\n]{{0,60}}?(?P<time>{_STAMP})(?P<prefix>[^\n]{{0,300}}?)\b{LEVEL}",
    (*TAKES["time"], *TAKES["level"], Take("_prefix", "prefix", TEXT), Take("_rest", "rest", TEXT)),
)
"""A prefix that nobody told and that is not usual: the time, and what looks like a process, a user and the like."""
