"""Application logs: text with a time and a level, and the access lines of application servers.

There is no standard, so this reads the usual shapes: Python logging in any order of its parts, gunicorn, uvicorn, werkzeug, Django, uWSGI, Celery, the
Java loggers, Rails, Go, PHP, Node, logfmt and their kin. Most write local time without a zone. Lines that do not open a record (tracebacks above all)
belong to the record before them. An application that wrote nothing of a request need not have missed it: gunicorn's access log is off by default, and a
worker that was killed writes none of what it was doing. A request is only taken from a message where the message states it.

Follows the page "Logging HOWTO" of Python, gunicorn's "Settings" (access log format) and the source of the loggers named above.
"""

from __future__ import annotations

import re

from kyumei.contracts import Format
from kyumei.layouts import stamps
from kyumei.layouts.app_requests import ACCESS, ERROR, IDS, LOGFMT, PAIRS
from kyumei.layouts.app_shapes import HEAD, LEVEL, MIDDLE, OPENINGS, UNCERTAIN
from kyumei.layouts.casts import TEXT, Take
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Look, Shape, first_shape, without_colour
from kyumei.model.table import Column, Kind, Link, Table

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
        Column("trace_id", Kind.TEXT, "The root of X-Amzn-Trace-Id, 1-xxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx, or a trace id of 32 digits.", Link.TRACE),
        Column("user", Kind.TEXT, "The user of an access line."),
    ),
)
