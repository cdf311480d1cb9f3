r"""What messages of applications say of requests, errors and ids, as data: looks for the text layout.

A request is taken from a message only where it is stated unambiguously: as an access line, as a request line with its status, as a reason
phrase and a path (Django), or as ``status=``, ``method=`` and ``path=``. Requests that the application itself sent to others (urllib3 and
httpx log them with the URL before or inside) are not requests that it served and are left alone.
"""

from __future__ import annotations

import re

from kyumei.layouts.app_shapes import LEVEL, UUID
from kyumei.layouts.casts import CLF_TIME, INTEGER, NUMBER, TEXT, Cast, Take, guarded
from kyumei.layouts.clocks import CTIME, ISO_TIME, LOCAL_TIME, SPACED_TIME, TIME_NAIVE, UTC_TIME
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.rails_lines import RAILS_ERROR
from kyumei.layouts.request_line import METHOD, PATH, QUERY, VERSION
from kyumei.layouts.text_shapes import Look, Shape

REASONS = {
    "Bad Request": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "Not Found": 404,
    "Method Not Allowed": 405,
    "Not Acceptable": 406,
    "Request Timeout": 408,
    "Conflict": 409,
    "Gone": 410,
    "Internal Server Error": 500,
    "Service Unavailable": 503,
}
"""Reason phrases with which frameworks open a line about a request that failed."""
REASON = Cast(
    "status of a reason phrase",
    REASONS.get,
    f"CASE {{x}} {' '.join(f'WHEN {chr(39)}{text}{chr(39)} THEN {code}' for text, code in REASONS.items())} END",
)
_UNITS = {"msecs": 1000, "micros": 1_000_000}
SPENT = guarded(
    "time spent, as uWSGI writes it",
    lambda raw: (
        int(number) / _UNITS[unit] if (number := raw.partition(" ")[0]).isdigit() and (unit := raw.partition(" ")[2]) in _UNITS else None
    ),
    "[0-9]{1,15} (?:msecs|micros)",
    "TRY_CAST(split_part({x}, ' ', 1) AS DOUBLE) / CASE WHEN ends_with({x}, ' msecs') THEN 1000 ELSE 1000000 END",
)
_GO_UNITS = {"ns": 1e9, "µs": 1e6, "us": 1e6, "ms": 1e3, "s": 1.0}


def _go_seconds(raw: str) -> float | None:
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ns|µs|us|ms|s)", raw)
    return float(found[1]) / _GO_UNITS[found[2]] if found else None


GO_SPENT = Cast("time spent, as Go writes it", _go_seconds, "NULL::DOUBLE")
HEADER = Cast(
    "header with quotes and backslashes escaped",
    lambda raw: re.sub(r'\\(["\\])', r"\1", raw),
    "CASE WHEN NOT contains({x}, chr(92)) THEN {x} END",
)
UNESCAPED = Cast(
    "text with quotes escaped",
    lambda raw: raw.replace('\\"', '"').replace("\\n", "\n"),
    """replace(replace({x}, '\\"', '"'), '\\n', chr(10))""",
)

_VERBS = "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS"
_TARGET = r"""(?P<path>/[^ ?"'\n]*)(?:\?(?P<query>[^ "'\n]*))?"""
_LINE = r'(?P<method>[A-Z]+) (?P<path>[^ ?"\\\n]+)(?:\?(?P<query>[^ "\\\n]*))? (?P<http_version>HTTP/[0-9](?:\.[0-9])?)'
_VALUE = r'(?:[^"\\]|\\[^\n])*'
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_PEER = r"(?:-|(?P<client_ip>[^ \n]+)) [^ \n]+ (?:-|(?P<user>[^ \n]+))"
_CLF = rf"\[(?P<time>[0-9]{{2}}/{_MONTH}/[0-9]{{4}}:{_CLOCK} [+-][0-9]{{4}})\]"
_SPACED = rf"\[(?P<time>[0-9]{{2}}/{_MONTH}/[0-9]{{4}} {_CLOCK})\]"
_STATUS = "(?P<status>[1-5][0-9]{2})"
_SENT = r"(?:-|(?P<sent_bytes>[0-9]+))"
_AGENT = rf'(?: "(?:-|(?P<referrer>{_VALUE}))" "(?:-|(?P<user_agent>{_VALUE}))")?'

_PLAIN = tuple(Take(name, name, TEXT) for name in ("method", "path", "query", "http_version"))
_ODD = (
    Take("method", "request", METHOD),
    Take("path", "request", PATH),
    Take("query", "request", QUERY, optional=True),
    Take("http_version", "request", VERSION),
)
_CODE = Take("status", "status", INTEGER)
_COMBINED = (
    *(_CODE, Take("time", "time", CLF_TIME), Take("client_ip", "client_ip", TEXT), Take("user", "user", TEXT)),
    *(Take("sent_bytes", "sent_bytes", INTEGER), Take("referrer", "referrer", HEADER), Take("user_agent", "user_agent", HEADER)),
)
_WERKZEUG = (_CODE, Take("time", "time", SPACED_TIME), *_COMBINED[2:5])
_PATH_TAKES = (Take("path", "path", TEXT), Take("query", "query", TEXT))
_CLIENT = Take("client_ip", "client_ip", TEXT)

ACCESS = Look(
    "message",
    (
        Shape("sent to others", r'https?://[^ "]* "[A-Z]+ |^HTTP Request: '),
        Shape(
            "combined",
            rf'^{_PEER} {_CLF} "{_LINE}" {_STATUS} {_SENT}{_AGENT}',
            (*_PLAIN, *_COMBINED),
            {"server": "gunicorn", "_naive": UTC_TIME},
        ),
        Shape(
            "combined, odd request",
            rf'^{_PEER} {_CLF} "(?P<request>{_VALUE})" {_STATUS} {_SENT}{_AGENT}',
            (*_ODD, *_COMBINED),
            {"server": "gunicorn", "_naive": UTC_TIME},
        ),
        Shape(
            "werkzeug",
            rf'^{_PEER} {_SPACED} "{_LINE}" {_STATUS} {_SENT}',
            (*_PLAIN, *_WERKZEUG),
            {"server": "werkzeug", "_naive": LOCAL_TIME},
        ),
        Shape(
            "werkzeug, odd request",
            rf'^{_PEER} {_SPACED} "(?P<request>{_VALUE})" {_STATUS} {_SENT}',
            (*_ODD, *_WERKZEUG),
            {"server": "werkzeug", "_naive": LOCAL_TIME},
        ),
        Shape(
            "openstack",
            rf"^{_PEER} {_SPACED} {_LINE} {_STATUS} {_SENT} (?P<took>[0-9.]+)$",
            (*_PLAIN, *_WERKZEUG, Take("request_seconds", "took", NUMBER)),
            {"_naive": LOCAL_TIME},
        ),
        Shape(
            "uvicorn",
            rf'^\[?(?P<client_ip>[0-9A-Fa-f.:]*[0-9A-Fa-f])\]?:[0-9]{{1,5}} - "{_LINE}" {_STATUS}\b',
            (*_PLAIN, _CODE, _CLIENT),
            {"server": "uvicorn"},
        ),
        Shape(
            "uwsgi",
            rf"^\[pid: [0-9]+\|app: [^\]\n]*\] (?:-|(?P<client_ip>[^ \n]+)) \((?P<user>[^)\n]*)\) \{{[^}}\n]*\}} "
            rf"\[(?P<time>[A-Z][a-z]{{2}} {_MONTH} +[0-9]+ {_CLOCK} [0-9]{{4}})\] "
            r"(?P<method>[A-Z]+) (?P<path>[^ ?\n]+)(?:\?(?P<query>[^ \n]*))? "
            rf"=> generated (?P<sent_bytes>[0-9]+) bytes in (?P<took>[0-9]+ (?:msecs|micros)) \((?P<http_version>HTTP/[0-9.]+) {_STATUS}\)",
            (
                *_PLAIN,
                _CODE,
                _CLIENT,
                Take("user", "user", TEXT),
                Take("time", "time", CTIME),
                Take("sent_bytes", "sent_bytes", INTEGER),
                Take("request_seconds", "took", SPENT),
            ),
            {"server": "uwsgi", "_naive": LOCAL_TIME},
        ),
        Shape("runserver", rf'^"{_LINE}" {_STATUS} {_SENT}$', (*_PLAIN, _CODE, Take("sent_bytes", "sent_bytes", INTEGER))),
        Shape(
            "gin",
            rf'^{_STATUS} \| +(?P<took>[0-9.]+[a-zµ]+) \| +(?P<client_ip>[^ \n]+) \| +(?P<method>[A-Z]+) +"{_TARGET}"',
            (*_PATH_TAKES, Take("method", "method", TEXT), _CODE, _CLIENT, Take("request_seconds", "took", GO_SPENT, optional=True)),
        ),
        Shape("request line and status", rf'"{_LINE}"[ ,:|-]+(?:status[:=]? ?)?{_STATUS}\b', (*_PLAIN, _CODE)),
        Shape(
            "rails started",
            rf'Started (?P<method>[A-Z]+) "{_TARGET}" (?:\[[A-Za-z -]+\] )?for (?P<client_ip>[^ \n]+)',
            (*_PATH_TAKES, Take("method", "method", TEXT), _CLIENT),
        ),
        Shape("rails completed", rf"(?:^|\] )Completed {_STATUS} ", (_CODE,)),
        Shape(
            "reason and path",
            rf"^(?:[1-5][0-9][0-9] )?(?P<reason>{'|'.join(REASONS)})(?: \((?P<method>[A-Z]+)\)| \([^)\n]*\))?: {_TARGET}(?: |$)",
            (*_PATH_TAKES, Take("method", "method", TEXT), Take("status", "reason", REASON)),
        ),
        Shape(
            "verb, path and status",
            rf"\b(?P<method>{_VERBS}) {_TARGET}(?: (?P<http_version>HTTP/[0-9.]+))?(?: -+>?| =>| returned| responded| failed| completed)?"
            rf"(?: with| in [0-9.]+ ?m?s)?(?: status(?: code)?)?[:=]? ?{_STATUS}\b",
            (*_PLAIN, _CODE),
        ),
        Shape("flask", rf"Exception on {_TARGET} \[(?P<method>[A-Z]+)\]", (*_PATH_TAKES, Take("method", "method", TEXT))),
        Shape("verb and path", rf"\b(?P<method>{_VERBS}) {_TARGET}", (*_PATH_TAKES, Take("method", "method", TEXT))),
    ),
    worth=rf'(?:{_VERBS}) |" [1-5][0-9][0-9]|: /|Completed [1-5]|Exception on /',
    literals=("/", "Completed "),
)
"""A request in the first line of a message."""


def _pair(name: str, keys: str, value: str, *takes: Take) -> Look:
    """A value that the line states as ``key=value``."""
    return Look("_stated", (Shape(name, rf"\b(?:{keys})[=:] ?[\"']?{value}", takes),))


PAIRS = (
    Look("_line", (Shape("stated", "^", (Take("_stated", "text", TEXT),)),), literals=("path=", "path:", "uri=", "uri:")),
    _pair("path", "path|uri|request_path|request_uri", _TARGET, *_PATH_TAKES),
    _pair("method", "method|request_method|verb", "(?P<method>[A-Z]{3,7})", Take("method", "method", TEXT)),
    _pair(
        "client",
        "client_ip|remote_ip|remote_addr|client|ip",
        r"(?P<client_ip>[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f.:]*[0-9A-Fa-f])",
        _CLIENT,
    ),
    _pair("status", "status|status_code|statusCode|code", rf"{_STATUS}\b", _CODE),
)
"""``method=... path=... status=...``; trusted only beside a path, so that the status is one of a request."""
LOGFMT = (
    Look(
        "_pairs",
        (
            Shape(
                "time",
                r'(?:^| )(?:time|ts|t|timestamp)="?(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]+(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?)',
                (Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE)),
            ),
            Shape(
                "epoch",
                r"(?:^| )(?:time|ts|t|timestamp)=\"?(?P<time>[12][0-9]{9}(?:[0-9]{3}|[0-9]{6}|[0-9]{9}|\.[0-9]{1,9})?)(?:\"| |$)",
                (Take("time", "time", WHEN),),
                {"_naive": UTC_TIME},
            ),
        ),
    ),
    Look(
        "_pairs",
        (Shape("level", r'(?:^| )(?:level|lvl|severity|at)="?(?P<word>[A-Za-z]+)', (Take("level", "word", LEVEL, optional=True),)),),
    ),
    Look("_pairs", (Shape("logger", r'(?:^| )(?:logger|component|caller)="?(?P<logger>[^ "\n]+)', (Take("logger", "logger", TEXT),)),)),
    Look(
        "_pairs",
        (
            Shape("quoted message", rf'(?:^| )(?:msg|message|event)="(?P<message>{_VALUE})"', (Take("message", "message", UNESCAPED),)),
            Shape("bare message", r'(?:^| )(?:msg|message|event)=(?P<message>[^ "\n]+)', (Take("message", "message", TEXT),)),
            Shape("no message", "^", (Take("message", "text", TEXT),)),
        ),
    ),
)
"""``time=... level=... msg="..."``, in any order."""

IDS = (
    Look(
        "_line",
        (
            Shape("amazon trace", r"\b(?P<trace_id>1-[0-9a-f]{8}-[0-9a-f]{24})\b", (Take("trace_id", "trace_id", TEXT),)),
            Shape(
                "trace",
                r"""[tT]race_?\.?[iI][dD]["']?[=:, ]+["']?(?P<trace_id>[0-9a-f]{32})\b""",
                (Take("trace_id", "trace_id", TEXT),),
            ),
        ),
        worth="[0-9a-f]{24}",
        literals=("1-", "race"),
    ),
    Look(
        "_line",
        (
            Shape(
                "request id",
                r"""(?:[rR]equest[_-]?[iI][dD]|req_?[iI]d)["']?[=:] ?["']?(?P<request_id>[\w-]{6,64})""",
                (Take("request_id", "request_id", TEXT),),
            ),
            Shape("boxed id", rf"\[(?P<request_id>(?:req-)?{UUID})\]", (Take("request_id", "request_id", TEXT),)),
        ),
        literals=("req", "Req", "-4"),
    ),
)
"""Ids in the first line of a record: the X-Amzn-Trace-Id root, a W3C or OpenTelemetry trace id, a request id."""

_TYPE = r"[A-Za-z_][\w.$\\]*"
_ERROR = (Take("error_type", "type", TEXT), Take("error_text", "text_of", TEXT))
_SAYS = r"(?:: (?P<text_of>[^\n]*))?(?:\n|$)"
ERROR = Look(
    "message",
    (
        Shape("java", rf"^(?s:.*)\nCaused by: (?P<type>{_TYPE}){_SAYS}", _ERROR),
        Shape("python", rf"^(?s:.*)\n[ \t|+][^\n]*\n(?:[ |+]*\| )?(?P<type>{_TYPE}){_SAYS}", _ERROR),
        Shape(
            "stack",
            rf"(?:^|\n)(?:Uncaught |Exception in thread \"[^\"\n]*\" )?(?P<type>{_TYPE})(?:: (?P<text_of>[^\n]*))?\n[ \t]+at ",
            _ERROR,
        ),
        Shape("php", rf"Uncaught (?P<type>{_TYPE}): (?P<text_of>[^\n]*)", _ERROR),
        RAILS_ERROR,
        Shape("first line", rf"^(?P<type>(?:[\w$]+\.)*[A-Z][\w$]*(?:Error|Exception)){_SAYS}", _ERROR),
    ),
    literals=("\n", "Uncaught ", "Error", "Exception"),
    whole=True,
)
"""The last error of a traceback: the line that closes it in Python, the last ``Caused by`` in Java."""
