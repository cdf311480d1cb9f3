"""How programs open a line of their log, as data: where time and level stand, and what stands between them and the message.

A record is read in steps. An opening takes the time and the level and leaves ``_rest``, from which a middle takes logger, thread and process and
leaves the message; openings that know their whole line fill ``message`` themselves. What a message says of requests and errors is found by the looks in
``app_requests``, so an access line is read alike whether it stands alone, behind a logging prefix or in syslog.
"""

from __future__ import annotations

from kyumei.layouts.casts import INTEGER, TEXT, Take, guarded, quoted
from kyumei.layouts.clocks import (
    DASHED_TIME,
    ISO_NAIVE,
    ISO_TIME,
    KLOG_TIME,
    LOCAL_TIME,
    SLASHED_TIME,
    SPACED_TIME,
    TWELVE_HOURS,
    UTC_TIME,
    YEARLESS_TIME,
)
from kyumei.layouts.text_shapes import Look, Shape

LEVELS = {
    "DEBUG": ("TRACE", "DEBUG", "DBG", "VERBOSE", "VRB", "FINE", "FINER", "FINEST", "D"),
    "INFO": ("INFO", "INFORMATION", "INF", "NOTICE", "SUCCESS", "CONFIG", "I", "DEPRECATED"),
    "WARNING": ("WARN", "WARNING", "WRN", "W"),
    "ERROR": ("ERROR", "ERR", "SEVERE", "E"),
    "CRITICAL": ("CRITICAL", "CRIT", "FATAL", "FTL", "ALERT", "EMERG", "EMERGENCY", "PANIC", "F", "FATAL ERROR", "PARSE ERROR"),
}
"""The levels that the table knows, and the words that programs have for them."""
_LEVEL_OF = {word: level for level, words in LEVELS.items() for word in words}
_CASES = " ".join(f"WHEN upper(trim({{x}}, '[]<>: ')) IN ({', '.join(map(quoted, words))}) THEN {quoted(level)}" for level, words in LEVELS.items())
LEVEL = guarded("level", lambda raw: _LEVEL_OF.get(raw.strip("[]<>: ").upper()), r"[A-Za-z\[\]<>: ]+", f"CASE {_CASES} END")

# Small letters are trusted only where brackets or a colon mark a level; the longest word first, so that none is taken for the beginning of another.
_WORDS = sorted((word for words in LEVELS.values() for word in words if len(word) > 1 and " " not in word), key=len, reverse=True)
_UPPER = rf"(?:{'|'.join(_WORDS)})\b"
_ANY = f"(?:{'|'.join([*_WORDS, *(word.lower() for word in _WORDS), *(word.capitalize() for word in _WORDS)])})"
_LEVEL = rf"(?P<level>\[ *{_ANY} *\]|<{_ANY}>|{_ANY}:|{_UPPER})"

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
_ISO = rf"(?P<time>{_DATE}(?:[.,][0-9]{{1,9}})?(?:Z| UTC| GMT| JST| ?[+-][0-9]{{2}}:?[0-9]{{2}})?)\b"
_SLASHED = r"(?P<time>[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DASHED = rf"(?P<time>[0-9]{{2}}-{_MONTH}-[0-9]{{4}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?)"
_SPACED = rf"[0-9]{{2}}/{_MONTH}/[0-9]{{4}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}"
_BOX = rf"\[?{_ISO}\]?"
_GAP = r"[ \t]*(?:[-|,:][ \t]+)?"
_AFTER = r"[ \t]*(?:[-|:][ \t]+)?"
_BETWEEN = r"(?:[ \t]*[-|,:])?[ \t]+"
_NAME = r"[A-Za-z_][\w.$/]*(?:[-:][\w.$/]+)*"
_DOTTED = r"[A-Za-z_][\w$]*(?:\.[\w$]+)+"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_KNOWN = "django|werkzeug|uvicorn|gunicorn|celery|sqlalchemy|urllib3|botocore|boto3|root|__main__"

_DIGITS = "0123456789"
_UPPER_STARTS = "".join(sorted({word[0] for word in _WORDS}))

_TIME = (Take("time", "time", ISO_TIME), Take("_naive", "time", ISO_NAIVE))
_WITH_LEVEL = Take("level", "level", LEVEL)
_LOGGER, _THREAD, _PID = Take("logger", "logger", TEXT), Take("thread", "thread", TEXT), Take("pid", "pid", INTEGER)
_LINE = Take("_line", "text", TEXT)
_REST, _MESSAGE = Take("_rest", "rest", TEXT), Take("message", "rest", TEXT)
_WHOLE = Take("message", "text", TEXT)
_LOCAL = {"_naive": LOCAL_TIME}


def _iso(name: str, pattern: str, *takes: Take, starts: str = _DIGITS + "[", server: str = "") -> Shape:
    """An opening with an ISO time."""
    return Shape(name, pattern, (_LINE, *_TIME, *takes), {"server": server} if server else {}, starts)


_ISO_OPENINGS = (
    _iso("gunicorn error", rf"^{_BOX} \[(?P<pid>[0-9]+)\] \[(?P<level>{_UPPER})\] ", _WITH_LEVEL, _PID, _MESSAGE, server="gunicorn"),
    _iso("celery", rf"^\[{_ISO}: (?P<level>{_ANY})/(?P<thread>[^\]\n]+)\] ", _WITH_LEVEL, _THREAD, _MESSAGE, starts="["),
    _iso("monolog", rf"^\[{_ISO}\] (?P<logger>[\w.-]+)\.(?P<level>{_UPPER}): ", _WITH_LEVEL, _LOGGER, _MESSAGE, starts="["),
    _iso("env_logger", rf"^\[{_ISO} +(?P<level>{_UPPER}) +(?P<logger>[\w:.-]+)\] ", _WITH_LEVEL, _LOGGER, _MESSAGE, starts="["),
    _iso(
        "spring",
        rf"^{_ISO} +(?P<level>{_UPPER}) +(?:\[[^\]\n]*\] +)?(?P<pid>[0-9]+) --- (?:\[[^\]\n]*\] )?"
        r"\[ *(?P<thread>[^\]\n]*[^\] \n]) *\] (?:\[[^\]\n]*\] )?(?P<logger>[^ \n]+) *: ",
        *(_WITH_LEVEL, _PID, _THREAD, _LOGGER, _MESSAGE),
        starts=_DIGITS,
    ),
    _iso("lambda", rf"^{_ISO}\t(?P<request_id>{_UUID})\t(?P<level>{_UPPER})\t", _WITH_LEVEL, Take("request_id", "request_id", TEXT), _MESSAGE),
    _iso("level", rf"^{_BOX}{_GAP}{_LEVEL}{_AFTER}", _WITH_LEVEL, _REST),
    _iso(
        "process, level and logger",
        rf"^{_BOX} \[(?P<pid>[0-9]+)\](?P<level>{_UPPER}):(?P<logger>[\w.-]+):",
        *(_WITH_LEVEL, _PID, _LOGGER, _MESSAGE),
    ),
    _iso(
        "process and level",
        rf"^{_BOX}{_GAP}\[?(?P<pid>[0-9]{{1,10}})\]?{_GAP}(?:\[(?P<thread>[^\]\n]*)\]{_GAP})?{_LEVEL}{_AFTER}",
        *(_WITH_LEVEL, _PID, _THREAD, _REST),
    ),
    _iso("boxed logger and level", rf"^{_BOX}{_GAP}\[(?P<logger>{_DOTTED}) *\]{_GAP}{_LEVEL}{_AFTER}", _WITH_LEVEL, _LOGGER, _REST),
    _iso(
        "boxed logger and boxed level",
        rf"^{_BOX}{_GAP}\[(?P<logger>[\w-]+)\] ?(?P<level>\[ *{_ANY} *\]|{_ANY}:){_AFTER}",
        *(_WITH_LEVEL, _LOGGER, _REST),
    ),
    _iso("thread and level", rf"^{_BOX}{_GAP}\[(?P<thread>[^\]\n]*)\]{_GAP}{_LEVEL}{_AFTER}", _WITH_LEVEL, _THREAD, _REST),
    _iso(
        "logger, thread and level",
        rf"^{_BOX}{_GAP}(?P<logger>{_NAME}){_BETWEEN}(?:\[?(?P<thread>[\w-]+)\]?{_BETWEEN})?{_LEVEL}{_AFTER}"
        rf"(?:[\w.<>]+:[0-9]+{_BETWEEN})?",
        *(_WITH_LEVEL, _LOGGER, _THREAD, _MESSAGE),
    ),
    Shape("twelve hours in UTC", rf"^(?P<time>{_DATE} [AP]M UTC) (?:\[(?P<pid>[0-9]+)\])?(?P<level>{_UPPER}):(?:(?P<logger>[\w.-]+):)? ?", (
        *(_LINE, Take("time", "time", TWELVE_HOURS), _PID, _WITH_LEVEL, _LOGGER, _MESSAGE),), {"_naive": UTC_TIME}, _DIGITS),
    Shape("twelve hours in UTC, no level", rf"^(?P<time>{_DATE} [AP]M UTC)\b ?", (
        _LINE, Take("time", "time", TWELVE_HOURS), _MESSAGE), {"_naive": UTC_TIME}, _DIGITS),
    Shape("twelve hours", rf"^(?P<time>{_DATE} [AP]M)\b ?", (_LINE, Take("time", "time", TWELVE_HOURS), _MESSAGE), _LOCAL, _DIGITS),
)
_OTHER_OPENINGS = (
    Shape("slashed, with a level", rf"^{_SLASHED} (?:(?P<logger>[\w./-]+\.go:[0-9]+): )?{_LEVEL}{_AFTER}", (
        *(_LINE, Take("time", "time", SLASHED_TIME), _LOGGER, _WITH_LEVEL, _REST),), _LOCAL, _DIGITS),
    Shape("slashed", rf"^{_SLASHED} (?:(?P<logger>[\w./-]+\.go:[0-9]+): )?", (
        *(_LINE, Take("time", "time", SLASHED_TIME), _LOGGER, _MESSAGE),), _LOCAL, _DIGITS),
    Shape("tomcat", rf"^{_DASHED} {_LEVEL}{_AFTER}", (_LINE, Take("time", "time", DASHED_TIME), _WITH_LEVEL, _REST), _LOCAL, _DIGITS),
    Shape("php", rf"^\[{_DASHED}(?P<zone> UTC)\] (?P<message>(?:PHP )?(?:(?P<level>[A-Z][A-Za-z ]{{1,14}}):)?(?s:.*))$", (
        _LINE, Take("time", "time", DASHED_TIME), Take("level", "level", LEVEL, optional=True), Take("message", "message", TEXT),
    ), {"_naive": UTC_TIME}, "["),
    Shape("php, local", rf"^\[{_DASHED}(?: [\w/+-]+)?\] (?P<message>(?:PHP )?(?:(?P<level>[A-Z][A-Za-z ]{{1,14}}):)?(?s:.*))$", (
        _LINE, Take("time", "time", DASHED_TIME), Take("level", "level", LEVEL, optional=True), Take("message", "message", TEXT),
    ), _LOCAL, "["),
    Shape("klog", r"^(?P<level>[IWEF])(?P<time>[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?) +(?P<pid>[0-9]+) (?P<logger>[^ \]\n]+)\] ", (
        *(_LINE, Take("time", "time", KLOG_TIME), _WITH_LEVEL, _PID, _LOGGER, _MESSAGE),), {"_naive": YEARLESS_TIME}, "IWEF"),
    Shape("ruby", rf"^[DIWEFAU], \[{_ISO} #(?P<pid>[0-9]+)\] +(?P<level>[A-Z]+) -- (?P<logger>[^:\n]*): ?", (
        *(_LINE, *_TIME, Take("level", "level", LEVEL, optional=True), _PID, _LOGGER, _MESSAGE),), {}, "DIWEFAU"),
    Shape("sqlalchemy", rf"^\((?P<logger>[^)\n]+)\): {_ISO} (?P<level>{_UPPER}){_AFTER}", (
        *(_LINE, *_TIME, _LOGGER, _WITH_LEVEL, _REST),), {}, "("),
    Shape("level first", rf"^(?P<level>\[ *{_ANY} *\]|{_UPPER}:?){_GAP}{_BOX}{_AFTER}", (
        *(_LINE, *_TIME, _WITH_LEVEL, _REST),), {}, _UPPER_STARTS + "["),
    Shape("python default", rf"^(?P<level>{_UPPER}):(?P<logger>[\w.-]+):", (_LINE, _WITH_LEVEL, _LOGGER, _MESSAGE), {}, _UPPER_STARTS),
    Shape("level and colon", rf"^(?P<level>{_UPPER}): +", (_LINE, _WITH_LEVEL, _MESSAGE), {}, _UPPER_STARTS),
    Shape("level and boxed logger", rf"^(?P<level>{_UPPER}) +\[(?P<logger>[\w.-]+)\] ", (
        *(_LINE, _WITH_LEVEL, _LOGGER, _MESSAGE),), {}, _UPPER_STARTS),
    Shape("boxed level", rf"^\[(?P<level>{_UPPER})\] +", (_LINE, _WITH_LEVEL, _REST), {}, "["),
    Shape("logfmt", r'^(?:time|ts|t|timestamp|level|lvl|severity)=[^ \n]', (_LINE, Take("_pairs", "text", TEXT)), {}, "tls"),
)
_ACCESS_OPENINGS = (
    Shape("django runserver", rf'^\[(?P<time>{_SPACED})\] (?:(?P<level>{_UPPER}) )?(?P<message>"(?s:.*))$', (
        *(_LINE, Take("time", "time", SPACED_TIME), _WITH_LEVEL, Take("message", "message", TEXT)),), {"server": "django", **_LOCAL}, "["),
    Shape("gin", rf"^\[GIN\] (?P<time>[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} - [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}) \| ", (
        *(_LINE, Take("time", "time", SLASHED_TIME), _MESSAGE),), _LOCAL, "["),
    Shape("uwsgi", r"^\[pid: (?P<pid>[0-9]+)\|app: ", (_LINE, _PID, _WHOLE), {"server": "uwsgi"}, "["),
    Shape("access line", rf"^[0-9A-Fa-f.:-]+ [^ \n]+ [^ \n]+ \[[0-9]{{2}}/{_MONTH}/[0-9]{{4}}[ :]", (
        _LINE, _WHOLE), {}, _DIGITS + "abcdefABCDEF:-"),
    Shape("gunicorn in syslog", r"^(?P<logger>gunicorn\.[^ \n:]+): \[(?P<pid>[0-9]+)\] ", (
        _LINE, _LOGGER, _PID, _MESSAGE), {"server": "gunicorn"}, "g"),
    Shape("gunicorn behind its tag", r"^\[(?P<pid>[0-9]+)\] ", (_LINE, _PID, _MESSAGE), {"server": "gunicorn"}, "["),
    Shape("django error", "^Internal Server Error: /", (_LINE, _WHOLE), {"level": "ERROR", "server": "django"}, "I"),
    Shape(
        "django warning",
        r"^(?:Not Found|Forbidden|Bad Request|Unauthorized|Method Not Allowed|Gone|Conflict|Not Acceptable|Request Timeout)(?: \([^)\n]*\))?: /",
        *((_LINE, _WHOLE), {"level": "WARNING", "server": "django"}, "NFBUMGCR"),
    ),
    _iso("no level", rf"^{_BOX}{_GAP}", _MESSAGE),
)
OPENINGS = (*_ISO_OPENINGS, *_OTHER_OPENINGS, *_ACCESS_OPENINGS)

_COLOUR = r"(?:\x1b\[[0-9;]*m)*"
HEAD = (
    rf"{_COLOUR}(?:\[?{_COLOUR}{_DATE}|\[?(?:GIN\] )?[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} (?:- )?[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}"
    rf"|\[?{_SPACED}|\[?[0-9]{{2}}-{_MONTH}-[0-9]{{4}} [0-9]{{2}}:|[IWEF][0-9]{{4}} [0-9]{{2}}:[0-9]{{2}}:|[DIWEFAU], \["
    rf"|\([^)\n]+\): {_DATE}|\[? *{_UPPER} *\]?(?:{_COLOUR}: |:[\w.-]+:|[ \t:-]*\[?{_DATE}| +\[[\w.-]+\] )|\[(?:{_UPPER})\] "
    r"|(?:time|ts|t|timestamp|level|lvl|severity)=|\[pid: [0-9]+\||gunicorn\.[^ \n:]+: \[[0-9]+\] "
    rf"|[0-9A-Fa-f.:-]+ [^ \n]+ [^ \n]+ \[[0-9]{{2}}/{_MONTH}/[0-9]{{4}}"
    r"|(?:Internal Server Error|Not Found|Forbidden|Bad Request|Unauthorized|Method Not Allowed|Gone|Conflict|Not Acceptable|Request Timeout)"
    r"(?: \([^)\n]*\))?: /)"
)
"""The first line of a record. All other lines, tracebacks above all, belong to the record before them."""


def _middle(name: str, pattern: str, *takes: Take) -> Shape:
    return Shape(name, pattern, (*takes, _MESSAGE))


MIDDLE = Look(
    "_rest",
    "^",
    (
        _middle("opentelemetry", rf"^\[(?P<logger>[\w.-]+)\] \[[\w./-]+:[0-9]+\] \[trace_id=[^\]\n]*\](?: -)? ?", _LOGGER),
        _middle("openstack", r"^(?P<logger>[\w.]+) \[(?:(?P<request_id>req-[0-9a-f-]{36})[^\]\n]*|-)?\] ", _LOGGER,
                Take("request_id", "request_id", TEXT)),
        _middle("lambda", rf"^(?P<request_id>{_UUID})\t", Take("request_id", "request_id", TEXT)),
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
