"""The nginx error log: what nginx itself had to say, and for trouble with a request which one it was.

The time is the host's local time without a zone. Only trouble with a request ends in ``, client: ...`` and what follows; the message
before it may hold commas of its own, so the last such mark counts. A message of PHP-FPM may span several lines, and nginx cuts a line at
2048 bytes, in the middle of a value where it must. The level says little about the response: ``[error]`` lines come with 403, 404, 502 and
504 alike, and ``[warn] ... buffered to a temporary file`` with a 200.

Follows nginx's ngx_http_log_error_handler and the page "Core functionality", error_log.
"""

from __future__ import annotations

from kyumei.contracts import Format
from kyumei.layouts import stamps
from kyumei.layouts.casts import INTEGER, TEXT, UNKNOWN, Take
from kyumei.layouts.clocks import LOCAL_TIME, SLASHED_TIME
from kyumei.layouts.request_line import METHOD, PATH, QUERY, VERSION
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Look, Shape, compiled
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "nginx_error",
    "What nginx had to say of itself and of requests that went wrong.",
    (
        Column("time", Kind.TIME, "When nginx wrote the line; the log keeps local time without a zone."),
        Column("level", Kind.TEXT, "debug, info, notice, warn, error, crit, alert or emerg."),
        Column("pid", Kind.INTEGER, "The process."),
        Column("tid", Kind.INTEGER, "The thread."),
        Column("connection", Kind.INTEGER, "nginx's number of the connection; null for trouble with no connection.", origin="*cid"),
        Column("message", Kind.TEXT, "What happened, without the request that it happened to."),
        Column("client_ip", Kind.TEXT, "The peer of the connection: behind a load balancer the balancer.", Link.CLIENT, "client"),
        Column("server", Kind.TEXT, "The server_name of the server block that took the request; null when it has none."),
        Column("method", Kind.TEXT, "The method of the request.", origin="request"),
        Column("path", Kind.TEXT, "The path of the request, without the query string.", Link.PATH, "request"),
        Column("query", Kind.TEXT, "The query string, without the question mark.", origin="request"),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2.0 and so on, as the client spoke.", origin="request"),
        Column("upstream", Kind.TEXT, "The upstream that nginx talked to, as a URL.", Link.TARGET),
        Column("host", Kind.TEXT, "The Host header that the client sent.", Link.HOST),
        Column("referrer", Kind.TEXT, "The Referer header that the client sent."),
        Column("errno", Kind.INTEGER, "The number of the operating system's error in the message, as in (13: Permission denied)."),
        Column("subrequest", Kind.TEXT, "The subrequest in which it happened, when it was one."),
    ),
)


# A quoted value ends at a quote before a comma or the end of its line; nginx does not escape quotes in it, and cuts long lines inside it.
_VALUE = r'[^"\n]*(?:"[^",\n][^"\n]*)*'
_HEAD = (
    r"^(?P<time>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) \[(?P<level>[a-z]+)\] "
    r"(?P<pid>[0-9]+)#(?P<tid>[0-9]+): (?:\*(?P<connection>[0-9]+) ?)?"
)
_TAIL = (
    r"^(?:(?:, )?server: (?P<server>[^,\"\n]*))?"
    rf'(?:, request: "(?P<_request>{_VALUE})"?)?'
    rf'(?:, subrequest: "(?P<subrequest>{_VALUE})"?)?'
    rf'(?:, upstream: "(?P<upstream>{_VALUE})"?)?'
    rf'(?:, host: "(?P<host>{_VALUE})"?)?'
    rf'(?:, referrer: "(?P<referrer>{_VALUE})"?)?'
    r"(?P<tail>(?s:.*))$"
)
_LINE = (
    Take("method", "request", METHOD),
    Take("path", "request", PATH),
    Take("query", "request", QUERY, optional=True),
    Take("http_version", "request", VERSION),
)
_SHAPE = Shape(
    "line",
    _HEAD,
    (
        Take("time", "time", SLASHED_TIME),
        Take("level", "level", TEXT),
        Take("pid", "pid", INTEGER),
        Take("tid", "tid", INTEGER),
        Take("connection", "connection", INTEGER),
        Take("_rest", "rest", TEXT),
    ),
    {"_naive": LOCAL_TIME},
)
_SPLIT = Look(
    "_rest",
    (
        Shape(
            "of a request",
            r'^(?P<client_ip>[^,"\n]*)(?P<_tail>(?:, [a-z ]{1,40}: (?s:.*))?)$',
            (Take("message", "before", TEXT), Take("client_ip", "client_ip", TEXT), Take("_tail", "_tail", TEXT)),
            last=", client: ",
        ),
        Shape(
            "of a request that speaks of clients itself",
            r'^(?P<message>(?s:.*)), client: (?P<client_ip>[^,"\n]*)(?P<_tail>(?:, [a-z ]{1,40}: (?s:.*))?)$',
            tuple(Take(name, name, TEXT) for name in ("message", "client_ip", "_tail")),
        ),
        Shape("of nginx itself", "^", (Take("message", "text", TEXT),)),
    ),
    whole=True,
)
_PARTS = Look(
    "_tail",
    (
        Shape(
            "what follows the client",
            _TAIL,
            (
                *(Take(name, name, TEXT) for name in ("server", "_request", "subrequest", "upstream", "host", "referrer")),
                Take("_unknown", "tail", UNKNOWN),
            ),
        ),
    ),
    whole=True,
)
_REQUEST = Look(
    "_request",
    (
        Shape("request line", r"^(?P<request>[^ ]+ (?s:.*) HTTP/[0-9.]+)$", _LINE),
        Shape("of another sort", r"^(?P<request>(?s:.*))$", (Take("method", "request", UNKNOWN),)),
    ),
    whole=True,
)
_NUMBER = (Take("errno", "errno", INTEGER),)
_ERRNO = Look(
    "message",
    (
        Shape("last bracket", r"^(?P<errno>[0-9]{1,5}): ", _NUMBER, last="("),
        Shape("any bracket", r"^(?s:.*)\((?P<errno>[0-9]{1,5}): ", _NUMBER, only=r"\([0-9]{1,5}: "),
    ),
    literals=(": ",),
    whole=True,
)

LAYOUT = Text(
    columns=TABLE.columns,
    shapes=(_SHAPE,),
    written=(stamps.SLASHED,),
    head=r"(?:\x1b\[[0-9;]*m)*[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} \[[a-z]+\] [0-9]+#[0-9]+: ",
    looks=(_SPLIT, _PARTS, _REQUEST, _ERRNO),
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """Whether a record opens as only nginx's error log does: slashed time, level in brackets, ``pid#tid:``."""
    return compiled(LAYOUT.head or "").match(text) is not None


FORMAT = Format(
    name="nginx_error",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://nginx.org/en/docs/ngx_core_module.html#error_log",
    hop="nginx",
)
