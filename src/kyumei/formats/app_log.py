"""Application logs: text with a time and a level, and the access lines of application servers.

There is no standard, so this reads the usual shapes: Python logging in any order of its parts, gunicorn, uvicorn, werkzeug, Django, uWSGI,
Celery, the Java loggers, Rails, Go, PHP, Node, logfmt and their kin. Most write local time without a zone. Lines that do not open a record
(tracebacks above all) belong to the record before them. An application that wrote nothing of a request need not have missed it: gunicorn's
access log is off by default, and a worker that was killed writes none of what it was doing. A request is only taken from a message where
the message states it.

Follows the page "Logging HOWTO" of Python, gunicorn's "Settings" (access log format) and the source of the loggers named above.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.layouts import stamps
from kyumei.layouts.app_requests import ACCESS, ERROR, IDS, LOGFMT, PAIRS
from kyumei.layouts.app_shapes import HEAD, LEVEL, MIDDLE, OPENINGS
from kyumei.layouts.casts import MONTHS
from kyumei.layouts.codedeploy_lines import is_codedeploy_line
from kyumei.layouts.lambda_lines import FUNCTION_GROUP, is_lambda_line
from kyumei.layouts.rails_lines import RAILS_HEAD, RAILS_OPENINGS, RAILS_WITHIN
from kyumei.layouts.spaced_fields import is_spaced
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import first_shape, without_colour
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from kyumei.model.window import Window

TABLE = Table(
    "app_log",
    "What applications and their servers wrote, with the requests and errors that they speak of.",
    (
        Column("time", Kind.TIME, "When the line was written; local time where it has no zone, null where it has no time."),
        Column("level", Kind.TEXT, "DEBUG, INFO, WARNING, ERROR or CRITICAL; null where the line has none."),
        Column("logger", Kind.TEXT, "The logger, module or place in the code that wrote it."),
        Column("message", Kind.TEXT, "What it says: the first line and all that follow."),
        Column("error_type", Kind.TEXT, "The type of the last error of a traceback."),
        Column("error_text", Kind.TEXT, "What that error says."),
        Column("pid", Kind.INTEGER, "The process."),
        Column("thread", Kind.TEXT, "The thread or worker."),
        Column("server", Kind.TEXT, "The server whose own shape it is: gunicorn, uvicorn, werkzeug, django, uwsgi; empty for all others."),
        Column("client_ip", Kind.TEXT, "The peer of the connection: behind nginx or a load balancer that one.", Link.CLIENT),
        Column("method", Kind.TEXT, "The method of the request that the line speaks of."),
        Column("path", Kind.TEXT, "Its path, without the query string.", Link.PATH),
        Column("query", Kind.TEXT, "Its query string, without the question mark."),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2 and so on."),
        Column("status", Kind.INTEGER, "The status that the application answered with, where the line states it.", Link.STATUS),
        Column("sent_bytes", Kind.INTEGER, "Size of the answer's body."),
        Column("referrer", Kind.TEXT, "The Referer header."),
        Column("user_agent", Kind.TEXT, "The User-Agent header."),
        Column("request_seconds", Kind.FLOAT, "How long the request took."),
        Column("request_id", Kind.TEXT, "The id of the request.", Link.REQUEST),
        Column(
            "trace_id",
            Kind.TEXT,
            "The root of X-Amzn-Trace-Id, 1-xxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx, or a trace id of 32 digits.",
            Link.TRACE,
        ),
        Column("user", Kind.TEXT, "The user of an access line.", Link.PRINCIPAL),
    ),
)
_SHAPES = (*OPENINGS, *RAILS_OPENINGS)
_SERVERS = re.compile("gunicorn|uvicorn|uwsgi|werkzeug|hypercorn", re.IGNORECASE)
_NGINX_ERROR = re.compile(r"[0-9/]{10} [0-9:]{8} \[[a-z]+\] [0-9]+#[0-9]+: ", re.ASCII)
_SYSLOG = re.compile(
    r"[0-9-]{10}T[0-9:.]+(?:Z|(?P<offset>[+-][0-9]{2}:?[0-9]{2})) [^ \[\]\t]*[^ \[\]\t:] "
    r"(?P<tag>[^ \t\[\]:]+)(?P<process>\[[0-9]+\])?:(?: |\Z)",
    re.ASCII,
)
# PM2 puts a colon behind the time that it writes in front of each line.
_SPOKEN = re.compile(r"(?:\[?[0-9-]{10} [0-9:]{8}(?:[.,][0-9]{1,9})?\]? (?:- )?|[0-9-]{10}[T ][0-9:]{8}: )[A-Za-z]", re.ASCII)
# PostgreSQL (two spaces behind the severity) and MySQL write times and levels, too; they are no applications.
_DATABASE = re.compile(
    r"(?:LOG|ERROR|FATAL|PANIC|DETAIL|HINT|STATEMENT|CONTEXT|QUERY|LOCATION):  [^ ]"
    r"|\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[0-9:.]{8,15} [A-Z]{1,6}\"?,|[0-9:.+-]{8,24}Z? [0-9]+ \[(?:Note|Warning|ERROR|System)\] |.*?(?:"
    r"\b(?:LOG|ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|DEBUG[1-5]|DETAIL|HINT|STATEMENT|CONTEXT|QUERY|LOCATION):  (?:[^ ]|\Z)"
    r"|\]:[A-Z]+: |\[MY-[0-9]+\]))",
    re.ASCII,
)
_SPACED_CLF = re.compile(r"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4} ", re.ASCII)
_LOGFMT = re.compile(r"\b(?:level|lvl|severity|msg|message)=", re.ASCII)


def sniff(text: str, name: str) -> bool:
    """Whether a record opens as applications do. Of a shape that web servers have too, the name (of the file, of the program) must tell."""
    line = without_colour(text.partition("\n")[0])
    if name.startswith(FUNCTION_GROUP) or is_lambda_line(text) or is_codedeploy_line(text) or is_spaced(text):
        return False
    found = first_shape(_SHAPES, line)
    if not found or _NGINX_ERROR.match(line) or _DATABASE.match(line):
        return False
    opening = found[0].name
    if opening == "access line":
        return _SPACED_CLF.search(line) is not None or _SERVERS.search(name) is not None
    if opening == "gunicorn behind its tag":
        return _SERVERS.search(name) is not None
    if opening == "no level":
        return _SPOKEN.match(line) is not None
    if opening == "logfmt":
        return _LOGFMT.search(line) is not None
    return opening not in {"logger and level", "logger, thread and level"} or not _is_syslog(line)


def _is_syslog(line: str) -> bool:
    """Whether an ISO time, a host and a tag open the line, as rsyslog writes it; a level is no tag, and time in Z needs a process."""
    found = _SYSLOG.match(line)
    return found is not None and LEVEL.python(found["tag"]) is None and bool(found["offset"] or found["process"])


NOON = 12


def _dated(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """The beginnings of the window's times in each way in which the shapes write a date, some of them on a clock of twelve hours."""
    found: set[str] = set()
    for text in stamps.ISO.find(window, offsets):
        date, _, clock = text.partition("T")
        if not clock:
            return ()
        year, month, day = date.split("-")
        name, hour = MONTHS[int(month) - 1], int(clock[:2])
        half = f"{(hour + 11) % 12 + 1:02}{clock[2:]}\n {'PM' if hour >= NOON else 'AM'}"
        padded = {f"{int(day)}", f"{int(day):2}", day}
        dates = {date, f"{year}/{month}/{day}", f"{year}/{month}/{day} -", f"{day}/{name}/{year}", f"{day}-{name}-{year}", f"{month}{day}"}
        found |= {f"{written} {clock}" for written in dates | {f"{name} {one}" for one in padded}}
        found |= {f"{date}T{clock}", f"{day}/{name}/{year}:{clock}", f"{date}T{half}", f"{date} {half}"}
    return tuple(sorted(found))


LAYOUT = Text(
    columns=TABLE.columns,
    shapes=_SHAPES,
    written=(stamps.Stamp("any date", _dated),),
    head=f"(?:{HEAD}|{RAILS_HEAD})",
    within=RAILS_WITHIN,
    looks=(*LOGFMT, MIDDLE, ACCESS, *PAIRS, *IDS, ERROR),
    defaults={"server": ""},
)

FORMAT = Format(
    name="app_log",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.python.org/3/howto/logging.html",
    hop="app",
)
