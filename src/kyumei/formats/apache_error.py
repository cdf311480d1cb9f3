r"""The Apache httpd error log: what Apache itself had to say, and of trouble with a connection whose it was.

The time is the host's local time without a zone. From 2.4 on a line names the module, process and thread, the client with its port, and the
number of the message, ``AH01630``, which stays when the text changes. 2.2 had the level and the client's address alone. Where Apache speaks
of a connection that it opened itself, to a server behind it, ``[remote ...]`` stands in the client's place; mod_wsgi alone means the client
by it. A line does not name the request: client, time and referrer are what can be matched. Line feeds in a message are written as ``\n``;
what scripts print on their own does not open with a time, and only what is plainly the rest of a message (indented, or lines of a stack) is
joined to the record above it.

At start-up, before a log is open, Apache writes messages without a time; containers keep them in the same stream.

Follows Apache's pages "Log Files" and "Core Features", ErrorLogFormat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.layouts import stamps
from kyumei.layouts.casts import INTEGER, MONTHS, TEXT, UNKNOWN, Cast, Take, guarded, parse_clf, parse_iso
from kyumei.layouts.clocks import CTIME, LOCAL_TIME, UTC_TIME
from kyumei.layouts.request_line import END_HOST, END_PORT
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Look, Shape, compiled
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from datetime import datetime

TABLE = Table(
    "apache_error",
    "What Apache httpd had to say of itself, of connections and of servers behind it.",
    (
        Column("time", Kind.TIME, "When Apache wrote the line, in local time without a zone; null before its log was open."),
        Column("level", Kind.TEXT, "emerg, alert, crit, error, warn, notice, info, debug or trace1 to trace8."),
        Column("module", Kind.TEXT, "The module that speaks, without mod_ in front; null before 2.4.", origin="%m"),
        Column("pid", Kind.INTEGER, "The process.", origin="%P"),
        Column("tid", Kind.INTEGER, "The thread.", origin="%T"),
        Column("code", Kind.TEXT, "Apache's own number of the message, AH and five digits; null before 2.4 and for modules of others."),
        Column("message", Kind.TEXT, "What happened, without its number, the system's error, the client and the referrer.", origin="%M"),
        Column(
            "errno", Kind.INTEGER, "The number of the operating system's error in the message, as in (13)Permission denied.", origin="%E"
        ),
        Column("error_text", Kind.TEXT, "What that error says.", origin="%E"),
        Column("client_ip", Kind.TEXT, "The peer of the connection: behind a load balancer the balancer.", Link.CLIENT, "client"),
        Column("client_port", Kind.INTEGER, "The port it connected from; null before 2.4.", origin="client"),
        Column("upstream_addr", Kind.TEXT, "The server behind Apache that it speaks of.", Link.TARGET, "remote"),
        Column("path", Kind.TEXT, "The path of the request, in the few messages that hold it.", Link.PATH),
        Column("referrer", Kind.TEXT, "The Referer header that the client sent.", origin="referer"),
        Column("source", Kind.TEXT, "The place in Apache's code, at level debug and below.", origin="%F"),
    ),
)


_LEVEL = "emerg|alert|crit|error|warn|notice|info|debug|trace[1-8]"
_MONTH = f"(?:{'|'.join(MONTHS)})"
_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_CTIME = rf"[A-Z][a-z]{{2}} {_MONTH} [ 0-9][0-9] {_CLOCK}(?:\.[0-9]{{1,9}})? [0-9]{{4}}"
_OTHER_TIME = (
    rf"[0-9]{{2}}/{_MONTH}/[0-9]{{4}}:{_CLOCK} [+-][0-9]{{4}}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK}(?:\.[0-9]{{1,9}})?"
    r"(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?"
)
"""The times of an ``ErrorLogFormat``: ``%{cu}t`` and what people write."""


def _iso(raw: str) -> tuple[datetime, bool] | None:
    return None if "T" in raw else parse_iso(raw.replace(" +", "+").replace(" -", "-"))


def _time(raw: str) -> datetime | None:
    iso = _iso(raw)
    return iso[0] if iso else CTIME.python(raw) or parse_clf(raw)


def _naive(raw: str) -> int:
    iso = _iso(raw)
    return UTC_TIME if parse_clf(raw) or (iso and iso[1]) else LOCAL_TIME


_TIME = guarded(
    "time of Apache's error log",
    _time,
    rf"[A-Z][a-z][a-z] {_MONTH} [0-9][0-9] (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{6}})? [12][0-9][0-9][0-9]",
    "TRY_CAST(right({x}, 4) || '-' || ((strpos('JanFebMarAprMayJunJulAugSepOctNovDec', {x}[5:7]) + 2) // 3)::VARCHAR || '-' || {x}[9:-6] "
    "AS TIMESTAMP)",
)
_NAIVE = Cast("whether the time has a zone", _naive, f"CASE WHEN {{x}} IS NOT NULL THEN {LOCAL_TIME} END")
"""In bulk for the usual time alone; a record with any other is left to the exact reader by ``_TIME``."""

_FAULT = r"\((?:(?:OS )?(?P<errno>[0-9]{1,9})|EAI [0-9]{1,9})\)(?P<error_text>[^:\n]+): "
_SYSTEM = f"(?:{_FAULT})?"
# Module and level are one group, for RE2 is fast with five and no more.
_MODULE = Cast(
    "what stands before the colon, no dash",
    lambda raw: raw.partition(":")[0].strip("-") or None,
    "NULLIF(trim(string_split({x}, ':')[1], '-'), '')",
)
_BEHIND_COLON = Cast("what stands behind the colon", lambda raw: raw.partition(":")[2], "string_split({x}, ':')[2]")
_TIMES = (Take("time", "time", _TIME), Take("_naive", "time", _NAIVE))
_OPENS = (*_TIMES, Take("level", "level", TEXT))
_KINDS = (*_TIMES, Take("module", "kind", _MODULE, optional=True), Take("level", "kind", _BEHIND_COLON))
_STAMP = r"^\[(?P<time>[^\]\n]+)\] "
_PID = r"\[pid (?P<pid>[0-9]+)(?::tid (?P<tid>[0-9A-Za-z]+))?\] "
_PROCESS = (Take("pid", "pid", INTEGER), Take("tid", "tid", INTEGER))
_SHAPES = (
    Shape(
        "2.4, mod_wsgi",
        rf"{_STAMP}\[(?P<kind>wsgi:(?:{_LEVEL}))\] (?:{_PID})?",
        (*_KINDS, *_PROCESS, Take("_wsgi", "rest", TEXT)),
        starts="[",
    ),
    Shape(
        "2.4",
        rf"{_STAMP}\[(?P<kind>[A-Za-z0-9_.-]*:(?:{_LEVEL}))\] (?:{_PID})?",
        (*_KINDS, *_PROCESS, Take("_rest", "rest", TEXT)),
        starts="[",
    ),
    Shape("level and process", rf"{_STAMP}\[(?P<level>{_LEVEL})\] {_PID}", (*_OPENS, *_PROCESS, Take("_rest", "rest", TEXT)), starts="["),
    Shape("2.2", rf"{_STAMP}\[(?P<level>{_LEVEL})\] ", (*_OPENS, Take("_old", "rest", TEXT)), starts="["),
    Shape(
        "before the log is open",
        r"^(?:\((?:OS |EAI )?[0-9]{1,9}\)[^:\n]{1,200}: )?AH[0-9]{5,6}: ",
        (Take("_said", "text", TEXT),),
        starts="(A",
    ),
    Shape(
        "before the log is open, 2.2",
        r"^(?:httpd|apache2): (?:[Cc]ould not reliably determine |Syntax error on line |bad user name |bad group name )",
        (Take("message", "text", TEXT),),
        starts="ha",
    ),
)
_SOURCE = r"^(?:(?P<source>[A-Za-z0-9_./-]+\([0-9]+\)): )?"
_BRACKETS = r"(?P<brackets>(?:\[[^\]\n]*\] )*?)"
_WHERE = (Take("source", "source", TEXT), Take("_said", "rest", TEXT))
_ERROR = (Take("errno", "errno", INTEGER), Take("error_text", "error_text", TEXT))
_BEFORE = (*_WHERE, *_ERROR, Take("_unknown", "brackets", UNKNOWN))
_CLIENT_TAKES = (Take("client_ip", "client", END_HOST), Take("client_port", "client", END_PORT, optional=True))
_CLIENT = (*_BEFORE, *_CLIENT_TAKES)
_ITSELF = Shape("of Apache itself", rf"{_SOURCE}{_SYSTEM}", (*_WHERE, *_ERROR))
_PEER = Look(
    "_rest",
    (
        Shape("of a client, no more", r"^\[client (?P<client>[^\] \n]+)\] ?", (*_CLIENT_TAKES, Take("_said", "rest", TEXT)), starts="["),
        Shape("number first", "^AH[0-9]", (Take("_said", "text", TEXT),), starts="A"),
        Shape("of a client", rf"{_SOURCE}{_SYSTEM}{_BRACKETS}\[client (?P<client>[^\] \n]+)\] ?", _CLIENT),
        Shape(
            "of a server behind",
            rf"{_SOURCE}{_SYSTEM}{_BRACKETS}\[remote (?P<remote>[^\] \n]+)\] ?",
            (*_BEFORE, Take("upstream_addr", "remote", TEXT)),
        ),
        _ITSELF,
    ),
    whole=True,
)
_WSGI_PEER = Look(
    "_wsgi",
    (
        Shape("of a client", rf"{_SOURCE}{_SYSTEM}{_BRACKETS}\[(?:client|remote) (?P<client>[^\] \n]+)\] ?", _CLIENT),
        _ITSELF,
    ),
    whole=True,
)
_OLD_PEER = Look(
    "_old",
    (
        Shape("of a client", rf"{_SOURCE}\[client (?P<client>[^\] \n]+)\] ?", (*_WHERE, Take("client_ip", "client", TEXT))),
        Shape("of Apache itself", _SOURCE, _WHERE),
    ),
    whole=True,
)
_CODE = r"(?P<code>AH[0-9]{5,6}): "
_CODE_TAKES = (Take("code", "code", TEXT), Take("_message", "rest", TEXT))
_SAID = Look(
    "_said",
    (
        Shape("number", f"^{_CODE}", _CODE_TAKES, starts="A"),
        Shape("system's error and number", rf"^{_FAULT}(?:{_CODE})?", (*_ERROR, *_CODE_TAKES), starts="("),
        Shape("neither", "^", (Take("_message", "text", TEXT),)),
    ),
    whole=True,
)
_REFERER = Look(
    "_message",
    (
        Shape(
            "with a referrer",
            r"^(?P<referrer>[^\n]*)$",
            (Take("message", "before", TEXT), Take("referrer", "referrer", TEXT)),
            last=", referer: ",
        ),
        Shape(
            "with a referrer and more lines",
            r"^[^\n]*, referer: (?P<referrer>[^\n]*)\n",
            (Take("message", "text", TEXT), Take("referrer", "referrer", TEXT)),
        ),
        Shape("alone", "^", (Take("message", "text", TEXT),)),
    ),
    whole=True,
)
_UPSTREAM = (Take("upstream_addr", "addr", TEXT),)
_BEHIND = Look(
    "message",
    (
        Shape("connect", r"attempt to connect to (?:Unix domain socket )?(?P<addr>[^ \n]+) \(", _UPSTREAM),
        Shape("backend", r"failed to make connection to backend: (?P<addr>[^ ,\n]+)", _UPSTREAM),
        Shape("remote server", r"remote server (?P<addr>[0-9A-Fa-f.:]+:[0-9]+)\b", _UPSTREAM),
        Shape("returned by", r"remote server returned by (?P<path>/[^ \n]*)", (Take("path", "path", TEXT),)),
        Shape("invalid path", r"invalid URI path \((?P<path>[^()\n]+)\)", (Take("path", "path", TEXT),)),
    ),
    literals=("attempt to connect to ", "to backend: ", "remote server ", "invalid URI path "),
)

LAYOUT = Text(
    columns=TABLE.columns,
    shapes=_SHAPES,
    written=(stamps.APACHE, stamps.COMMON, stamps.ISO_SPACE),
    # Not: an indented line, "#0 /srv/app.php", "Stack trace:", the quote that ends what a script said.
    head=r"[^ \t#S']|#[^0-9]|S(?:[^t]|t[^a])",
    looks=(_PEER, _WSGI_PEER, _OLD_PEER, _SAID, _REFERER, _BEHIND),
)
_OPENING = (
    rf"^\[(?:{_CTIME})\] \[(?:[A-Za-z0-9_.-]{{0,60}}:)?(?:{_LEVEL})\] |^\[(?:{_OTHER_TIME})\] \[[A-Za-z0-9_.-]{{0,60}}:(?:{_LEVEL})\] "
    rf"|{_SHAPES[-2].pattern}|{_SHAPES[-1].pattern}"
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """Whether a record opens as only Apache's error log does: time and level in brackets, or a numbered message of the start-up."""
    return compiled(_OPENING).match(text) is not None


FORMAT = Format(
    name="apache_error",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat",
    hop="apache",
)
