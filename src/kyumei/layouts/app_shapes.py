"""How programs open a line of their log, as data: where time and level stand, and what stands between them and the message.

A record is read in steps. An opening takes the time and the level and leaves ``_rest``, from which a middle takes logger, thread and
process and leaves the message; openings that know their whole line fill ``message`` themselves. What a message says of requests and errors
is found by the looks in ``app_requests``, so an access line is read alike whether it stands alone, behind a logging prefix or in syslog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.layouts.casts import INTEGER, TEXT, Cast, Take, quoted
from kyumei.layouts.clocks import (
    CTIME,
    DASHED_TIME,
    ISO_TIME,
    JAVA_TIME,
    KLOG_TIME,
    LOCAL_TIME,
    SLASHED_TIME,
    SPACED_TIME,
    TIME_NAIVE,
    TWELVE_HOURS,
    UTC_TIME,
    YEARLESS_TIME,
)
from kyumei.layouts.text_shapes import Look, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = {
    "DEBUG": ("TRACE", "DEBUG", "DBG", "VERBOSE", "VRB", "FINE", "FINER", "FINEST", "D"),
    "INFO": ("INFO", "INFORMATION", "INF", "NOTICE", "SUCCESS", "CONFIG", "I", "DEPRECATED"),
    "WARNING": ("WARN", "WARNING", "WRN", "W"),
    "ERROR": ("ERROR", "ERR", "SEVERE", "E"),
    "CRITICAL": ("CRITICAL", "CRIT", "FATAL", "FTL", "ALERT", "EMERG", "EMERGENCY", "PANIC", "F", "FATAL ERROR", "PARSE ERROR"),
}
"""The levels that the table knows, and the words that programs have for them."""
_LEVEL_OF = {word: level for level, words in LEVELS.items() for word in words}
_CASES = " ".join(
    f"WHEN contains('|{'|'.join(words)}|', concat('|', upper(trim({{x}}, '[]<>: ')), '|')) THEN {quoted(level)}"
    for level, words in LEVELS.items()
)
_USUAL = " ".join(f"WHEN {{x}} = {quoted(level)} THEN {quoted(level)}" for level in ("INFO", "ERROR", "WARNING", "DEBUG", "CRITICAL"))
LEVEL = Cast(
    "level",
    lambda raw: _LEVEL_OF.get(raw.strip("[]<>: ").upper()),
    f"CASE {_USUAL} WHEN regexp_full_match({{x}}, '[A-Za-z\\[\\]<>: ]+') THEN CASE {_CASES} END END",
)

# Small letters are trusted only where brackets or a colon mark a level; the longest word first, so that none is taken for the beginning of
# another.
_WORDS = sorted((word for words in LEVELS.values() for word in words if len(word) > 1 and " " not in word), key=len, reverse=True)
_UPPER = rf"(?:{'|'.join(_WORDS)})\b"
_ANY = f"(?:{'|'.join(''.join(f'[{letter}{letter.lower()}]' for letter in word) for word in _WORDS)})"
_STRICT = rf"(?:\[ *{_ANY} *\]|<?{_ANY}[:>]|{_UPPER})"
_LEVEL = r"(?P<level>\[ *[A-Za-z]+ *\]|<?[A-Za-z]+[:>]?)"
_WORD = "(?P<level>[A-Z]+)"
_FIRST = r"(?P<level>\[ *[A-Za-z]+ *\]|[A-Z]+:?)"
_MARKED = r"(?P<level>\[ *[A-Za-z]+ *\]|[A-Za-z]+:)"
_SMALL = "(?P<level>[A-Za-z]+)"
# Patterns of a level, short enough that RE2 cuts groups out at speed, and what must be found where they stand.
_STRICT_OF = {
    _LEVEL: _STRICT,
    _FIRST: rf"(?:\[ *{_ANY} *\]|{_UPPER}:?)",
    _MARKED: rf"(?:\[ *{_ANY} *\]|{_ANY}:)",
    _WORD: _UPPER,
    _SMALL: _ANY,
}

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
_ISO = rf"(?P<time>{_DATE}(?:[.,][0-9]{{1,9}})?(?:Z| UTC| GMT| JST| ?[+-][0-9]{{2}}:?[0-9]{{2}})?)\b"
_SLASHED = r"(?P<time>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DASHED = rf"(?P<time>[0-9]{{2}}-{_MONTH}-[0-9]{{4}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?)"
_CTIME = rf"[MTWFS][a-z]{{2}} {_MONTH} [ 0-9][0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} [0-9]{{4}}"
_SPACED = rf"[0-9]{{2}}/{_MONTH}/[0-9]{{4}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}"
_BOX = rf"\[?{_ISO}\]?"
_BEGINNINGS = {
    **dict.fromkeys((f"^{_BOX}", f"^{_ISO}", rf"^\[{_ISO}", f"^(?P<time>{_DATE}"), rf"\[?{_DATE}"),
    f"^{_SLASHED}": "[0-9]{4}/[0-9]{2}/",
    f"^{_DASHED}": "[0-9]{2}-[A-Z]",
}
"""How a pattern opens, and a short one for all texts that it fits; see ``Shape.begins``."""
_GAP = r"[ \t]*(?:[-|,:][ \t]+)?"
_AFTER = r"[ \t]*(?:[-|:][ \t]+)?"
_PLACE = r"(?:(?P<logger>[\w./-]+\.go:[0-9]+): )?"
_BETWEEN = r"(?:[ \t]*[-|,:])?[ \t]+"
_NAME = r"[A-Za-z_][\w.$/]*(?:[-:][\w.$/]+)*"
_DOTTED = r"[A-Za-z_][\w$]*(?:\.[\w$]+)+"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_KNOWN = "django|werkzeug|uvicorn|gunicorn|celery|sqlalchemy|urllib3|botocore|boto3|root|__main__"

_DIGITS = "0123456789"
_UPPER_STARTS = "".join(sorted({word[0] for word in _WORDS}))

_TIME = (Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE))
_LEVEL_TAKE = Take("level", "level", LEVEL)
_LOGGER, _THREAD, _PID = Take("logger", "logger", TEXT), Take("thread", "thread", TEXT), Take("pid", "pid", INTEGER)
_LINE = Take("_line", "text", TEXT)
_REST, _MESSAGE = Take("_rest", "rest", TEXT), Take("message", "rest", TEXT)
_WHOLE = Take("message", "text", TEXT)
_REQUEST_ID = Take("request_id", "request_id", TEXT)
_LOCAL = {"_naive": LOCAL_TIME}


def _opening(name: str, pattern: str, takes: tuple[Take, ...], constants: Mapping[str, str | int], starts: str) -> Shape:
    """An opening; where the pattern has a level, what must be found is the same with the words that are levels."""
    only = pattern
    for loose, strict in _STRICT_OF.items():
        only = only.replace(loose, strict)
    begins = next((begins for opening, begins in _BEGINNINGS.items() if pattern.startswith(opening)), "")
    return Shape(name, pattern, (_LINE, *takes), constants, starts, only if only != pattern else "", begins=begins)


def _iso(name: str, pattern: str, *takes: Take, starts: str = _DIGITS + "[", server: str = "") -> Shape:
    """An opening with an ISO time."""
    return _opening(name, pattern, (*_TIME, *takes), {"server": server} if server else {}, starts)


_ISO_OPENINGS = (
    _iso("gunicorn error", rf"^{_BOX} \[(?P<pid>[0-9]+)\] \[{_WORD}\] ", _LEVEL_TAKE, _PID, _MESSAGE, server="gunicorn"),
    _iso("celery", rf"^\[{_ISO}: {_SMALL}/(?P<thread>[^\]\n]+)\] ", _LEVEL_TAKE, _THREAD, _MESSAGE, starts="["),
    _iso("monolog", rf"^\[{_ISO}\] (?P<logger>[\w.-]+)\.{_WORD}: ", _LEVEL_TAKE, _LOGGER, _MESSAGE, starts="["),
    _iso("airflow", rf"^\[{_ISO}\] \{{(?P<logger>[\w./-]+:[0-9]+)\}} {_WORD} - ", _LOGGER, _LEVEL_TAKE, _MESSAGE, starts="["),
    _iso("env_logger", rf"^\[{_ISO} +{_WORD} +(?P<logger>[\w:.-]+)\] ", _LEVEL_TAKE, _LOGGER, _MESSAGE, starts="["),
    _iso(
        "spring",
        rf"^{_ISO} +{_WORD} +(?:\[[^\]\n]*\] +)?(?P<pid>[0-9]+) --- (?:\[[^\]\n]*\] )?"
        r"\[ *(?P<thread>[^\]\n]*[^\] \n]) *\] (?:\[[^\]\n]*\] )?(?P<logger>[^ \n]+) *: ",
        *(_LEVEL_TAKE, _PID, _THREAD, _LOGGER, _MESSAGE),
        starts=_DIGITS,
    ),
    _iso("lambda", rf"^{_ISO}\t(?P<request_id>{UUID})\t{_WORD}\t", _LEVEL_TAKE, _REQUEST_ID, _MESSAGE, starts=_DIGITS),
    _iso("level", rf"^{_BOX}{_GAP}{_LEVEL}{_AFTER}", _LEVEL_TAKE, _REST),
    _iso(
        "process, level and logger",
        rf"^{_BOX} \[(?P<pid>[0-9]+)\]{_WORD}:(?P<logger>[\w.-]+):",
        *(_LEVEL_TAKE, _PID, _LOGGER, _MESSAGE),
    ),
    _iso("process and level", rf"^{_BOX}{_GAP}\[?(?P<pid>[0-9]{{1,10}})\]?{_GAP}{_LEVEL}{_AFTER}", _LEVEL_TAKE, _PID, _REST),
    _iso(
        "process, thread and level",
        rf"^{_BOX}{_GAP}\[?(?P<pid>[0-9]{{1,10}})\]?{_GAP}\[(?P<thread>[^\]\n]*)\]{_GAP}{_LEVEL}{_AFTER}",
        *(_LEVEL_TAKE, _PID, _THREAD, _REST),
    ),
    _iso(
        "process, bare thread and level",
        rf"^{_BOX}{_GAP}\[?(?P<pid>[0-9]{{1,10}})\]?{_BETWEEN}(?P<thread>[A-Za-z][\w-]*){_BETWEEN}{_LEVEL}{_AFTER}",
        *(_LEVEL_TAKE, _PID, _THREAD, _REST),
    ),
    _iso("boxed logger and level", rf"^{_BOX}{_GAP}\[(?P<logger>{_DOTTED}) *\]{_GAP}{_LEVEL}{_AFTER}", _LEVEL_TAKE, _LOGGER, _REST),
    _iso("boxed logger and boxed level", rf"^{_BOX}{_GAP}\[(?P<logger>[\w-]+)\] ?{_MARKED}{_AFTER}", _LEVEL_TAKE, _LOGGER, _REST),
    _iso("thread and level", rf"^{_BOX}{_GAP}\[(?P<thread>[^\]\n]*)\]{_GAP}{_LEVEL}{_AFTER}", _LEVEL_TAKE, _THREAD, _REST),
    _iso(
        "logger and level",
        rf"^{_BOX}{_GAP}(?P<logger>{_NAME}){_BETWEEN}{_LEVEL}{_AFTER}(?:[\w.<>]+:[0-9]+{_BETWEEN})?",
        *(_LEVEL_TAKE, _LOGGER, _MESSAGE),
    ),
    _iso(
        "logger, thread and level",
        rf"^{_BOX}{_GAP}(?P<logger>{_NAME}){_BETWEEN}\[?(?P<thread>[\w-]+)\]?{_BETWEEN}{_LEVEL}{_AFTER}",
        *(_LEVEL_TAKE, _LOGGER, _THREAD, _MESSAGE),
    ),
    _iso("sqlalchemy", rf"^\((?P<logger>[^)\n]+)\): {_ISO} {_WORD}{_AFTER}", _LOGGER, _LEVEL_TAKE, _REST, starts="("),
    _iso("level first", rf"^{_FIRST}{_GAP}{_BOX}{_AFTER}", _LEVEL_TAKE, _REST, starts=_UPPER_STARTS + "["),
    _iso(
        "ruby",
        rf"^[DIWEFAU], \[{_ISO} #(?P<pid>[0-9]+)\] +(?P<level>[A-Z]+) -- (?P<logger>[^:\n]*): ?",
        *(Take("level", "level", LEVEL, optional=True), _PID, _LOGGER, _MESSAGE),
        starts="DIWEFAU",
    ),
)

_PHP = r"(?P<message>(?:PHP )?(?:(?P<level>[A-Z][A-Za-z ]{1,14}):)?(?s:.*))$"
_PHP_TAKES = (Take("time", "time", DASHED_TIME), Take("level", "level", LEVEL, optional=True), Take("message", "message", TEXT))
_TWELVE = (Take("time", "time", TWELVE_HOURS), _MESSAGE)
_GO = (Take("time", "time", SLASHED_TIME), _LOGGER)
_OTHER_OPENINGS = (
    _opening(
        "twelve hours in UTC, level",
        rf"^(?P<time>{_DATE} [AP]M UTC) (?:\[(?P<pid>[0-9]+)\])?{_WORD}:(?:(?P<logger>[\w.-]+):)? ?",
        (*_TWELVE, _PID, _LEVEL_TAKE, _LOGGER),
        {"_naive": UTC_TIME},
        _DIGITS,
    ),
    _opening("twelve hours in UTC", rf"^(?P<time>{_DATE} [AP]M UTC)\b ?", _TWELVE, {"_naive": UTC_TIME}, _DIGITS),
    _opening("twelve hours", rf"^(?P<time>{_DATE} [AP]M)\b ?", _TWELVE, _LOCAL, _DIGITS),
    _opening("slashed, with a level", rf"^{_SLASHED} {_PLACE}{_LEVEL}{_AFTER}", (*_GO, _LEVEL_TAKE, _REST), _LOCAL, _DIGITS),
    _opening("slashed", rf"^{_SLASHED} {_PLACE}", (*_GO, _MESSAGE), _LOCAL, _DIGITS),
    _opening("tomcat", rf"^{_DASHED} {_LEVEL}{_AFTER}", (Take("time", "time", DASHED_TIME), _LEVEL_TAKE, _REST), _LOCAL, _DIGITS),
    _opening("php in UTC", rf"^\[{_DASHED} UTC\] {_PHP}", _PHP_TAKES, {"_naive": UTC_TIME}, "["),
    _opening("php", rf"^\[{_DASHED}(?: [\w/+-]+)?\] {_PHP}", _PHP_TAKES, _LOCAL, "["),
    _opening("ctime", rf"^(?P<time>{_CTIME}) - ", (Take("time", "time", CTIME), _MESSAGE), {"server": "uwsgi", **_LOCAL}, "MTWFS"),
    _opening(
        "java.util.logging",
        rf"^(?P<time>{_MONTH} [0-9]{{1,2}}, [0-9]{{4}} [0-9]{{1,2}}:[0-9]{{2}}:[0-9]{{2}} [AP]M) (?P<logger>{_NAME})(?: |$)",
        *((Take("time", "time", JAVA_TIME), _LOGGER, _MESSAGE), _LOCAL, "JFMASOND"),
    ),
    _opening(
        "klog",
        r"^(?P<level>[IWEF])(?P<time>[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?) +(?P<pid>[0-9]+) (?P<logger>[^ \]\n]+)\] ",
        (Take("time", "time", KLOG_TIME), _LEVEL_TAKE, _PID, _LOGGER, _MESSAGE),
        {"_naive": YEARLESS_TIME},
        "IWEF",
    ),
    _opening("python default", rf"^{_WORD}:(?P<logger>[\w.-]+):", (_LEVEL_TAKE, _LOGGER, _MESSAGE), {}, _UPPER_STARTS),
    _opening("level and colon", rf"^{_WORD}: +", (_LEVEL_TAKE, _MESSAGE), {}, _UPPER_STARTS),
    _opening("level and boxed logger", rf"^{_WORD} +\[(?P<logger>[\w.-]+)\] ", (_LEVEL_TAKE, _LOGGER, _MESSAGE), {}, _UPPER_STARTS),
    _opening("boxed level", rf"^\[{_WORD}\] +", (_LEVEL_TAKE, _REST), {}, "["),
    _opening("logfmt", r"^(?:time|ts|t|timestamp|level|lvl|severity|at)=[^ \n]", (Take("_pairs", "text", TEXT),), {}, "tlsa"),
)

_DJANGO_WARNINGS = "Not Found|Forbidden|Bad Request|Unauthorized|Method Not Allowed|Gone|Conflict|Not Acceptable|Request Timeout"
_ACCESS_OPENINGS = (
    _opening(
        "django runserver",
        rf'^\[(?P<time>{_SPACED})\] (?:{_WORD} )?(?P<message>"(?s:.*))$',
        (Take("time", "time", SPACED_TIME), _LEVEL_TAKE, Take("message", "message", TEXT)),
        {"server": "django", **_LOCAL},
        "[",
    ),
    _opening(
        "time with slashes and level",
        rf"^\[(?P<time>{_SPACED})\] {_LEVEL}{_AFTER}",
        *((Take("time", "time", SPACED_TIME), _LEVEL_TAKE, _REST), _LOCAL, "["),
    ),
    _opening(
        "gin",
        r"^\[GIN\] (?P<time>[0-9]{4}/[0-9]{2}/[0-9]{2} - [0-9]{2}:[0-9]{2}:[0-9]{2}) \| ",
        (Take("time", "time", SLASHED_TIME), _MESSAGE),
        *(_LOCAL, "["),
    ),
    _opening("uwsgi", r"^\[pid: (?P<pid>[0-9]+)\|app: ", (_PID, _WHOLE), {"server": "uwsgi"}, "["),
    _opening(
        "access line",
        rf"^[0-9A-Fa-f.:-]+ [^ \n]+ [^ \n]+ \[[0-9]{{2}}/{_MONTH}/[0-9]{{4}}[ :]",
        *((_WHOLE,), {}, _DIGITS + "abcdefABCDEF:-"),
    ),
    _opening(
        "gunicorn in syslog",
        r"^(?P<logger>gunicorn\.[^ \n:]+): \[(?P<pid>[0-9]+)\] ",
        *((_LOGGER, _PID, _MESSAGE), {"server": "gunicorn"}, "g"),
    ),
    _opening("gunicorn behind its tag", r"^\[(?P<pid>[0-9]+)\] ", (_PID, _MESSAGE), {"server": "gunicorn"}, "["),
    _opening(
        "django error",
        "^(?:Internal Server Error: /|Invalid HTTP_HOST header: )",
        *((_WHOLE,), {"level": "ERROR", "server": "django"}, "I"),
    ),
    _opening(
        "django warning",
        rf"^(?:{_DJANGO_WARNINGS})(?: \([^)\n]*\))?: /",
        *((_WHOLE,), {"level": "WARNING", "server": "django"}, "NFBUMGCR"),
    ),
    _iso("no level", rf"^{_BOX}{_GAP}", _MESSAGE),
)
OPENINGS = (*_ISO_OPENINGS, *_OTHER_OPENINGS, *_ACCESS_OPENINGS)
"""Every way to open a line; the first that fits decides."""

_COLOUR = r"(?:\x1b\[[0-9;]*m)*"
HEAD = (
    rf"{_COLOUR}(?:\[?{_COLOUR}{_DATE}|\[?(?:GIN\] )?[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} (?:- )?[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}"
    rf"|\[?{_SPACED}|\[?[0-9]{{2}}-{_MONTH}-[0-9]{{4}} [0-9]{{2}}:|[IWEF][0-9]{{4}} [0-9]{{2}}:[0-9]{{2}}:|[DIWEFAU], \["
    rf"|\([^)\n]+\): {_DATE}|\[? *{_UPPER} *\]?(?:{_COLOUR}: |:[\w.-]+:|[ \t:-]*\[?{_DATE}| +\[[\w.-]+\] )|\[(?:{_UPPER})\] "
    rf"|{_CTIME} - |{_MONTH} [0-9]{{1,2}}, [0-9]{{4}} [0-9]{{1,2}}:[0-9]{{2}}:[0-9]{{2}} [AP]M [A-Za-z_]"
    r"|(?:time|ts|t|timestamp|level|lvl|severity|at)=|\[pid: [0-9]+\||gunicorn\.[^ \n:]+: \[[0-9]+\] "
    rf"|[0-9A-Fa-f.:-]+ [^ \n]+ [^ \n]+ \[[0-9]{{2}}/{_MONTH}/[0-9]{{4}}"
    rf"|(?:Internal Server Error|{_DJANGO_WARNINGS})(?: \([^)\n]*\))?: /|Invalid HTTP_HOST header: )"
)
"""The first line of a record. All other lines, tracebacks above all, belong to the record before them."""


def _middle(name: str, pattern: str, *takes: Take) -> Shape:
    return Shape(name, pattern, (*takes, _MESSAGE), {}, "[" if pattern.startswith(r"^\[") else "")


MIDDLE = Look(
    "_rest",
    (
        _middle("opentelemetry", r"^\[(?P<logger>[\w.-]+)\] \[[\w./-]+:[0-9]+\] \[trace_id=[^\]\n]*\](?: -)? ?", _LOGGER),
        _middle("openstack", r"^(?P<logger>[\w.]+) \[(?:(?P<request_id>req-[0-9a-f-]{36})[^\]\n]*|-)?\] ", _LOGGER, _REQUEST_ID),
        _middle("lambda", rf"^(?P<request_id>{UUID})\t", _REQUEST_ID),
        _middle("jboss", r"^\[(?P<logger>[^\] \n]+)\] \((?P<thread>[^)\n]*)\) ", _LOGGER, _THREAD),
        _middle("thread and logger", rf"^\[(?P<thread>[^\]\n]*)\] +(?P<logger>{_DOTTED})(?: +-+ |: | : | )", _THREAD, _LOGGER),
        _middle("process and thread", r"^\[(?P<pid>[0-9]{1,10})(?::(?P<thread>[^\]\n]+))?\]:? ", _PID, _THREAD),
        _middle("boxed logger", rf"^\[(?P<logger>{_DOTTED}) *\]:?[ \t]*(?:- )?", _LOGGER),
        _middle("boxed place", r"^\[(?P<logger>[\w./-]+:[0-9]+)\]:?[ \t]*(?:- )?", _LOGGER),
        _middle("thread", r"^\[(?P<thread>[\w./#-]*(?:main|Main|Thread|thread|Worker|worker|exec|pool)[\w./#-]*)\]:? ", _THREAD),
        _middle("boxed name", r"^\[(?P<logger>[A-Za-z_][\w-]*)\]:? ", _LOGGER),
        _middle("loguru", r"^(?P<logger>[\w.]+:[\w<>.]+:[0-9]+) - ", _LOGGER),
        _middle("zap", r"^(?P<logger>[\w./-]+)\t[\w./@-]+\.go:[0-9]+\t", _LOGGER),
        _middle("place in go", r"^(?P<logger>[\w./@-]+\.go:[0-9]+)\t", _LOGGER),
        _middle("flask", r"^in (?P<logger>[\w.]+): ", _LOGGER),
        _middle("django verbose", r"^(?P<logger>[A-Za-z_][\w.]*) (?P<pid>[0-9]+) (?P<thread>[0-9]{5,}) ", _LOGGER, _PID, _THREAD),
        _middle("known logger", rf"^(?P<logger>(?:{_KNOWN})(?:\.\w+)*):? ", _LOGGER),
        Shape("error first", r"^(?:[\w$]+\.)*[A-Z][\w$]*(?:Error|Exception)(?:: |\n|$)", (_WHOLE,)),
        _middle("logger and dash", r"^(?P<logger>[A-Za-z_][\w.$/:-]*) +(?:-+|\||:) ", _LOGGER),
        _middle("logger and line", r"^(?P<logger>[A-Za-z_][\w./]*:[0-9]+):? ", _LOGGER),
        _middle("logger", rf"^(?P<logger>{_DOTTED}|[a-z_]\w*(?:::\w+)*): ", _LOGGER),
        Shape("message", "^", (_WHOLE,)),
    ),
    whole=True,
)
