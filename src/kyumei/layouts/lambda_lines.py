r"""What stands in the log of a Lambda function in text format: the platform's own lines, and lines of the runtimes with the request's id.

The platform writes tabs between the parts; copies have blanks, or the two characters ``\t``, instead, and may have the time of CloudWatch
in front. Only START, END and REPORT lines that stand alone are read: where several lines were joined, what follows is not theirs.

Follows "Using CloudWatch Logs with Lambda", "Lambda function logging in Python" (Node.js, Java, Ruby, C#) and "Troubleshoot execution
issues in Lambda" in the AWS Lambda Developer Guide.
"""

from __future__ import annotations

import json
from typing import Any

from kyumei.layouts.app_requests import ACCESS, ERROR, IDS
from kyumei.layouts.app_shapes import MIDDLE, OPENINGS, UUID
from kyumei.layouts.casts import ISO_OFFSET, NUMBER, TEXT, UNKNOWN, Cast, Take, guarded, quoted, texts
from kyumei.layouts.clocks import ISO_TIME, TIME_NAIVE
from kyumei.layouts.json_names import seconds
from kyumei.layouts.text_shapes import Look, Shape, compiled

FUNCTION_GROUP = "/aws/lambda/"
"""How the log groups of functions begin, unless they were told another one. Names of files never do."""

_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|\+00:00)"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
_FRONT = rf"^ {{0,8}}(?:(?P<sent>{_ISO})[ \t])?"
_COPIED = rf"^ {{0,8}}(?:{_ISO}[ \t])?"
"""The same before a line that has a time of its own, which counts."""
_GAP = r"(?:[ \t]|\\t)+"
_END = r"(?:[ \t\r]|\\[nt])*"
_WORD = r"[^ \t\r\n\\]+"
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,6})?"
_MORE = r"(?P<more>[A-Z][^\n]*)?"
_XRAY = rf"XRAY TraceId: (?P<trace_id>{_WORD}){_GAP}SegmentId: (?P<segment_id>{_WORD})(?:{_GAP}Sampled: (?P<sampled>true|false))?"
LEVEL_WORDS = {
    "DEBUG": ("TRACE", "DEBUG", "TRCE", "DBUG", "VERBOSE"),
    "INFO": ("INFO", "INFORMATION"),
    "WARNING": ("WARN", "WARNING"),
    "ERROR": ("ERROR", "FAIL"),
    "CRITICAL": ("FATAL", "CRITICAL", "CRIT"),
}
_LEVEL_OF = {word: level for level, words in LEVEL_WORDS.items() for word in words}
_LEVELS = "|".join([*_LEVEL_OF, *(word.lower() for word in _LEVEL_OF)])
LEVEL = Cast(
    "level of a Lambda runtime",
    lambda raw: _LEVEL_OF.get(raw.upper()),
    f"CASE {' '.join(f'WHEN upper({{x}}) = {quoted(word)} THEN {quoted(level)}' for word, level in _LEVEL_OF.items())} END",
)
_WITHOUT_WORD = Cast("text of an error", lambda raw: raw.removeprefix("Error: "), "regexp_replace({x}, '^Error: ', '')")
MILLIS = seconds(1e3)
MEGABYTES = guarded(
    "bytes of megabytes",
    lambda raw: int(raw) * 1048576 if compiled("[0-9]{1,9}").fullmatch(raw) else None,
    "[0-9]{1,9}",
    "(TRY_CAST({x} AS BIGINT) * 1048576)",
)
"""AWS's MB are 1,048,576 bytes."""
TABLESS = Cast(
    "text without the tab at its end", lambda raw: raw.removesuffix("\t"), "CASE WHEN suffix({x}, chr(9)) THEN left({x}, -1) ELSE {x} END"
)
BOOLEAN = guarded("true or false", {"true": True, "false": False}.get, "true|false", "({x} = 'true')")


_SENT = Take("time", "sent", ISO_OFFSET)
_OWN = Take("time", "time", ISO_OFFSET)
_LEVEL = Take("level", "level", LEVEL)
_SAID = Take("message", "rest", TEXT)
_ID = Take("request_id", "request_id", TEXT)
_MORE_TAKE = Take("_more", "more", UNKNOWN)
_NUMBERS = (
    Take("request_seconds", "duration", MILLIS),
    Take("billed_seconds", "billed", MILLIS),
    Take("memory_bytes", "memory", MEGABYTES),
    Take("max_memory_bytes", "used", MEGABYTES),
    Take("init_seconds", "init", MILLIS),
    Take("restore_seconds", "restore", MILLIS),
    Take("billed_restore_seconds", "billed_restore", MILLIS),
)
_TRACE = (*texts("trace_id", "segment_id"), Take("sampled", "sampled", BOOLEAN))
_FAILING = rf"(?:{_GAP}Status: (?P<outcome>[a-z]+))?(?:{_GAP}Error Type: (?P<error_type>{_WORD}))?"
_PLATFORM = "SERTIXL 0123456789"


def _part(title: str, group: str, unit: str) -> str:
    return rf"(?:{_GAP}{title}: (?P<{group}>{_NUMBER if unit == 'ms' else '[0-9]{1,9}'}) {unit})?"


def _platform(kind: str, pattern: str, *takes: Take) -> Shape:
    """A line of the platform: its text without CloudWatch's time is the message."""
    shape = rf"{_FRONT}(?P<message>{pattern}){_END}{_MORE}$"
    return Shape(kind, shape, (_SENT, Take("message", "message", TEXT), *takes, _MORE_TAKE), {"kind": kind}, starts=_PLATFORM)


def _registered(kind: str, word: str, list_name: str) -> Shape:
    """A line about an extension: its name, its state, what it wants to hear."""
    pattern = rf"{word}{_GAP}Name: (?P<extension>{_WORD}){_GAP}State: (?P<state>[A-Za-z]+)(?:{_GAP}{list_name}: (?P<events>\[[^\]\n]*\]))?"
    return _platform(kind, pattern, *texts("extension", "state", "events"))


_USUAL_ID = "(?P<request_id>[0-9a-f-]{36})"


def _usual(kind: str, pattern: str, *takes: Take) -> Shape:
    """A line as the platform writes it now: no more than a tab behind it, so that RE2 need not go back to cut it."""
    return Shape(f"usual {kind}", rf"^{pattern}$", (Take("message", "text", TABLESS), _ID, *takes), {"kind": kind}, starts=kind[0].upper())


USUAL = (
    _usual("start", rf"START RequestId: {_USUAL_ID} Version: (?P<function_version>[0-9A-Z$]+)", *texts("function_version")),
    _usual("end", rf"END RequestId: {_USUAL_ID}"),
    _usual(
        "report",
        rf"REPORT RequestId: {_USUAL_ID}\tDuration: (?P<duration>[0-9]+\.[0-9]+) ms\tBilled Duration: (?P<billed>[0-9]+) ms"
        r"\tMemory Size: (?P<memory>[0-9]+) MB\tMax Memory Used: (?P<used>[0-9]+) MB\t(?:Init Duration: (?P<init>[0-9]+\.[0-9]+) ms\t)?",
        *_NUMBERS[:5],
    ),
)
"""Most lines of the platform."""
PLATFORM = (
    *USUAL,
    _platform(
        "start", rf"START RequestId: (?P<request_id>{_WORD})(?: Version: (?P<function_version>{_WORD}))?", _ID, *texts("function_version")
    ),
    _platform("end", rf"END RequestId: (?P<request_id>{_WORD})", _ID),
    _platform(
        "report",
        rf"REPORT RequestId: (?P<request_id>{_WORD}){_GAP}Duration: (?P<duration>{_NUMBER}) ms{_part('Billed Duration', 'billed', 'ms')}"
        rf"{_part('Memory Size', 'memory', 'MB')}{_part('Max Memory Used', 'used', 'MB')}{_part('Init Duration', 'init', 'ms')}"
        rf"{_part('Restore Duration', 'restore', 'ms')}{_part('Billed Restore Duration', 'billed_restore', 'ms')}{_FAILING}"
        rf"(?:{_END}\n?{_XRAY})?",
        *(_ID, *_NUMBERS, *_TRACE, *texts("outcome", "error_type")),
    ),
    _platform(
        "report",
        rf"REPORT RequestId: (?P<request_id>{_WORD}){_GAP}Init Duration: (?P<init>{_NUMBER}) ms{_GAP}Duration: (?P<duration>{_NUMBER}) ms"
        rf"{_part('Billed Duration', 'billed', 'ms')}{_part('Memory Size', 'memory', 'MB')}{_part('Max Memory Used', 'used', 'MB')}"
        rf"{_FAILING}"
        rf"(?:{_END}\n?{_XRAY})?",
        *(_ID, *_NUMBERS[:5], *_TRACE, *texts("outcome", "error_type")),
    ),
    _platform(
        "init_start",
        rf"INIT_START Runtime Version: (?P<runtime_version>{_WORD})(?:{_GAP}Runtime Version ARN: (?P<runtime_arn>{_WORD}))?",
        *texts("runtime_version", "runtime_arn"),
    ),
    _platform(
        "init_report",
        rf"INIT_REPORT Init Duration: (?P<init>{_NUMBER}) ms(?:{_GAP}Phase: (?P<phase>[a-z]+))?{_FAILING}",
        *(Take("init_seconds", "init", MILLIS), *texts("phase", "outcome", "error_type")),
    ),
    _platform("xray", _XRAY, *_TRACE),
    _platform(
        "restore_start",
        rf"RESTORE_START Runtime Version: (?P<runtime_version>{_WORD})(?:{_GAP}Runtime Version ARN: (?P<runtime_arn>{_WORD}))?",
        *texts("runtime_version", "runtime_arn"),
    ),
    _platform(
        "restore_report",
        rf"RESTORE_REPORT Restore Duration: (?P<restore>{_NUMBER}) ms{_FAILING}",
        *(Take("restore_seconds", "restore", MILLIS), *texts("outcome", "error_type")),
    ),
    _registered("extension", "EXTENSION", "Events"),
    _registered("telemetry_subscription", "TELEMETRY", "Types"),
    _registered("logs_subscription", "LOGS", "Types"),
    Shape(
        "timeout",
        rf"{_COPIED}(?P<message>(?P<time>{_ISO}) (?P<request_id>{_WORD}) "
        rf"(?P<error_text>Task timed out after (?P<timeout>{_NUMBER}) seconds)){_END}$",
        (_OWN, _ID, *texts("message", "error_text"), Take("time_limit_seconds", "timeout", NUMBER)),
        {"kind": "timeout", "outcome": "timeout"},
        starts=" 0123456789",
    ),
    Shape(
        "exit",
        rf"{_FRONT}(?P<message>RequestId: (?P<request_id>{_WORD}) (?P<error_text>(?:Error: |Process exited before )[^\n]*)"
        rf"(?:\n(?P<error_type>[A-Z][A-Za-z]*\.[A-Za-z.]+))?){_END}$",
        (_SENT, _ID, *texts("message", "error_type"), Take("error_text", "error_text", _WITHOUT_WORD)),
        {"kind": "exit", "outcome": "error"},
        starts="R 0123456789",
    ),
)
"""Lines of the platform. What stands behind the known parts is kept in ``_extra``."""

_WRITTEN = r"(?P<time>[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z)"
APPLICATION = (
    Shape("usual python", rf"^\[(?P<level>{_LEVELS})\]\t{_WRITTEN}\t{_USUAL_ID}\t", (_OWN, _LEVEL, _ID, _SAID), starts="["),
    Shape("usual node", rf"^{_WRITTEN}\t{_USUAL_ID}\t(?P<level>{_LEVELS})\t", (_OWN, _ID, _LEVEL, _SAID), starts="0123456789"),
    Shape(
        "python",
        rf"{_COPIED}\[(?P<level>{_LEVELS})\]\t(?P<time>{_ISO})\t(?P<request_id>[^\t\n]*)\t",
        (_OWN, _LEVEL, _ID, _SAID),
        starts="[ 0123456789",
    ),
    Shape(
        "node and .NET",
        rf"{_COPIED}(?P<time>{_ISO})\t(?:(?P<request_id>{UUID})|undefined|-)\t(?:(?P<level>{_LEVELS})\t)?",
        (_OWN, _ID, _LEVEL, _SAID),
        starts=" 0123456789",
    ),
    Shape(
        "java",
        rf"{_COPIED}(?P<time>{_DATE}(?:[.,][0-9]{{1,9}})?Z?) (?P<request_id>{UUID}) +"
        rf"(?P<level>{_LEVELS}) +(?P<logger>[^ \t\n]+)(?: +-)? ",
        (Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE), _ID, _LEVEL, *texts("logger"), _SAID),
        starts=" 0123456789",
    ),
    Shape(
        "ruby",
        rf"{_COPIED}[DIWEFA], \[(?P<time>{_DATE}(?:\.[0-9]{{1,9}})?) #[0-9]+\] +"
        rf"(?P<level>[A-Z]+) (?P<request_id>{UUID}) -- "
        r"(?P<logger>[^:\n]*): ?",
        (
            *(Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE), _ID),
            *(Take("level", "level", LEVEL, optional=True), *texts("logger"), _SAID),
        ),
        starts="DIWEFA 0123456789",
    ),
)
"""Lines that a runtime's own logger writes, each with the id of its request."""

_NAMED_ERROR = compiled(r"([A-Za-z_][\w.]*)(?::(?: (.*))?)?\Z")


def _error(raw: str) -> tuple[str | None, str | None]:
    """The type and the text of ``Type: text``, of ``Type``, or of a text alone."""
    found = _NAMED_ERROR.match(raw.rstrip(" "))
    return (found[1], found[2]) if found else (None, raw)


def _stack(raw: str) -> str:
    """The lines of a traceback, which older runtimes join by carriage returns, with plain blanks before their frames."""
    return raw.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").rstrip()


_TRACEBACK = r"(?P<stack>Traceback \(most recent call last\):"
_NOTHING = "NULL::VARCHAR"
_EXACTLY = (
    *(_SENT, Take("message", "message", TEXT)),
    Take("error_type", "said", Cast("type of an error", lambda raw: _error(raw)[0], _NOTHING), optional=True),
    Take("error_text", "said", Cast("text of an error", lambda raw: _error(raw)[1], _NOTHING), optional=True),
    Take("stack", "stack", Cast("lines of a stack", _stack, _NOTHING)),
    Take("_said", "said", Cast("text", lambda raw: raw, _NOTHING)),
)
_UNHANDLED = {"kind": "error", "level": "ERROR", "outcome": "error"}


def _unhandled(name: str, pattern: str) -> Shape:
    return Shape(name, rf"{_FRONT}(?P<message>\[ERROR\] ?{pattern})$", _EXACTLY, _UNHANDLED, starts="[ 0123456789")


UNHANDLED = (
    _unhandled("joined by carriage returns", rf"(?P<said>[^\r\n]*)\r{_TRACEBACK}(?s:.*))"),
    _unhandled("of a type", rf"(?P<said>[A-Za-z_][\w.]*(?:: [^\r\n]*)?)\n{_TRACEBACK}(?s:.*))"),
    _unhandled("with the runtime's blanks", rf"(?P<said>[^\r\n]*)\n{_TRACEBACK}\n\xa0(?s:.*))"),
    _unhandled("of the runtime", r"(?P<said>Runtime\.[A-Z][A-Za-z]+(?:: [^\r\n]*)?)"),
)
"""What the runtime for Python says of an error that the function let pass; so rare that only the exact reader knows it."""


def _raised(key: str) -> Cast:
    """A value of the JSON that the runtime for Node.js writes of an error; for the exact reader only."""

    def cast(raw: str) -> str | None:
        try:
            found: Any = json.loads(raw)
        except (ValueError, RecursionError):
            return None
        value = found.get(key) if isinstance(found, dict) else None
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            value = "\n".join(value)
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else None

    return Cast(f"{key} of an error", cast, "NULL::VARCHAR")


LOOKS = (
    Look(
        "message",
        (
            Shape(
                "error of node",
                r"^(?:Invoke Error|Uncaught Exception|Unhandled Promise Rejection) ?\t(?P<raised>\{(?s:.*))$",
                (
                    *(Take("error_type", "raised", _raised("errorType")), Take("error_text", "raised", _raised("errorMessage"))),
                    Take("stack", "raised", _raised("stack"), optional=True),
                ),
                {"kind": "error", "outcome": "error"},
            ),
        ),
        literals=("Invoke Error", "Uncaught Exception", "Unhandled Promise"),
        whole=True,
    ),
    Look("_rest", (Shape("id", rf"^(?P<request_id>{UUID})[ \t]+", (_ID, _SAID)), *MIDDLE.shapes), whole=True),
    ACCESS,
    *IDS,
    ERROR,
)
ANYTHING = (*OPENINGS, Shape("anything", "^", (Take("message", "text", TEXT), Take("_line", "text", TEXT))))
"""What a function prints: in the shapes of applications, or in none at all."""

HEAD = (
    rf" {{0,8}}(?:{_ISO}[ \t])?(?:(?:START|END|REPORT) RequestId: |(?:INIT|RESTORE)_(?:START|REPORT) "
    r"|EXTENSION[ \t]|TELEMETRY[ \t]|LOGS[ \t]Name|RequestId: [^ \n]+ "
    rf"|\[(?:{_LEVELS})\][ \t\r]|[DIWEFA], \[[0-9]{{4}}-|\[?[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}:|\{{\")"
)
"""The first line of a record where lines are not told apart by CloudWatch's times."""
TOKENS = (
    rf" {{0,8}}(?:{_ISO}[ \t])?(?:(?:START|END|REPORT) RequestId: |INIT_START Runtime |INIT_REPORT Init |RESTORE_(?:START|REPORT) R"
    r"|XRAY TraceId: |(?:EXTENSION|TELEMETRY|LOGS)[ \t]+Name: )"
)
"""How lines begin that only the platform writes."""
_RUNTIME_ERROR = compiled(
    rf" {{0,8}}(?:{_ISO} )?\[ERROR\] (?:Runtime\.[A-Z][A-Za-z]+(?::|\Z)|[^\r\n]{{1,4000}}\rTraceback \(most recent call last\):)"
)
_ANY_ID = compiled(UUID)
_STARTS = frozenset(_PLATFORM + "[DWFA")


def is_lambda_line(text: str) -> bool:
    """Whether a record is certainly of a Lambda function's log: the platform's own, or with an id where a runtime writes it."""
    if text[:1] not in _STARTS:
        return False
    if compiled(TOKENS).match(text) or _RUNTIME_ERROR.match(text):
        return True
    line = text.partition("\n")[0]
    if "\t" not in line and " Task timed out after " not in line and not _ANY_ID.search(line[:200]):
        return False
    own = (*APPLICATION, *(shape for shape in PLATFORM if shape.name in {"timeout", "exit"}))
    return any(compiled(shape.pattern).match(line) is not None for shape in own if line[:1] in shape.starts)
