r"""Syslog: what programs of a host told its log daemon, as RFC 3164, as RFC 5424 and as rsyslog writes it to disk.

Files on disk mostly have no priority, so facility and severity are null. RFC 3164 has neither year nor zone; the day is padded with a
space. The host may be missing, so may the tag. Lines that begin with a tab or a space go on with the record above; rsyslog writes a line
feed inside a message as ``#012`` and a tab as ``#011``, which are undone here. ``last message repeated n times`` stands for n more of the
record above. A program's own lines (nginx, gunicorn) are in ``message``, with a time of their own that may keep another zone. A priority
above 191 is invalid and kept in ``_extra``.

Follows RFC 3164 and RFC 5424, and RFC 6587 for the count of octets before a message.
"""

from __future__ import annotations

import re

from kyumei.contracts import Format
from kyumei.layouts import stamps
from kyumei.layouts.casts import INTEGER, TEXT, Cast, Take, guarded, quoted, to_json
from kyumei.layouts.clocks import CTIME, ISO_TIME, LOCAL_TIME, SYSLOG_TIME, TIME_NAIVE, YEARLESS_TIME
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Shape
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "syslog",
    "What programs of a host told its log daemon.",
    (
        Column("time", Kind.TIME, "When the daemon got the message; without a zone in RFC 3164, where the year is inferred too."),
        Column("facility", Kind.TEXT, "kern, user, daemon, auth, local0 ...; null where the line has no priority.", origin="PRI"),
        Column(
            "severity",
            Kind.TEXT,
            "emerg, alert, crit, err, warning, notice, info or debug; null where the line has no priority.",
            origin="PRI",
        ),
        Column("host", Kind.TEXT, "The host as it calls itself.", Link.HOST, "HOSTNAME"),
        Column("program", Kind.TEXT, "The program; null where the line has no tag.", origin="TAG, APP-NAME"),
        Column("pid", Kind.INTEGER, "The process.", origin="PROCID"),
        Column("message_id", Kind.TEXT, "The type of message; RFC 5424 only.", origin="MSGID"),
        Column("structured", Kind.JSON, "Structured data as an object of objects; RFC 5424 only.", origin="STRUCTURED-DATA"),
        Column("message", Kind.TEXT, "The text, escaped line feeds and tabs undone.", origin="MSG, CONTENT"),
    ),
)

FACILITIES = (
    *(
        "kern",
        "user",
        "mail",
        "daemon",
        "auth",
        "syslog",
        "lpr",
        "news",
        "uucp",
        "cron",
        "authpriv",
        "ftp",
        "ntp",
        "audit",
        "alert",
        "clock",
    ),
    *(f"local{number}" for number in range(8)),
)
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


def _named(names: tuple[str, ...], divided: bool) -> Cast:  # noqa: FBT001 - a private function with two callers
    """The name for a priority: facility times 8 + severity, 191 at most."""

    def cast(raw: str) -> str | None:
        if not re.fullmatch("[0-9]{1,3}", raw) or int(raw) > 8 * len(FACILITIES) - 1:
            return None
        return names[int(raw) // 8 if divided else int(raw) % 8]

    place = f"CAST({{x}} AS INTEGER) {'//' if divided else '%'} 8 + 1"
    plain = f"list_extract([{', '.join(map(quoted, names))}], {place})"
    return guarded("facility" if divided else "severity", cast, "[0-9]|[1-9][0-9]|1[0-8][0-9]|19[01]", plain)


FACILITY, SEVERITY = _named(FACILITIES, divided=True), _named(SEVERITIES, divided=False)
MESSAGE = Cast(
    "message with rsyslog's escapes",
    lambda raw: raw.removeprefix("\ufeff").replace("#012", "\n").replace("#011", "\t"),
    "replace(replace(CASE WHEN starts_with({x}, chr(65279)) THEN substr({x}, 2) ELSE {x} END, '#012', chr(10)), '#011', chr(9))",
)
_ELEMENT = re.compile(r"\[([^ \]=\"]+)((?:[^\]\"]|\"(?:[^\"\\]|\\.)*\")*)\]", re.DOTALL)
_PARAMETER = re.compile(r" *([^ \]=\"]+)= *\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_ESCAPE = re.compile(r"\\([\"\\\]])")


def structured(raw: str) -> str | None:
    r"""Structured data as JSON text, ``{"id":{"name":"value"}}``, without the escapes before quote, backslash and bracket; else null."""
    elements: dict[str, dict[str, str]] = {}
    at = 0
    while at < len(raw):
        found = _ELEMENT.match(raw, at)
        if not found:
            return None
        pairs = {name: _ESCAPE.sub(r"\1", value) for name, value in _PARAMETER.findall(found[2])}
        elements.setdefault(found[1], {}).update(pairs)
        at = found.end()
    return to_json(elements)


STRUCTURED = Cast("structured data", structured, "NULL::VARCHAR")
"""So rare that only the exact reader knows it."""

_PRIORITY = "(?:(?:[0-9]{1,6} )?<(?P<pri>[0-9]{1,5})>)?"
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_OLD = rf"(?:{_MONTH}) {{1,2}}[0-9]{{1,2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"
# A host may hold colons (IPv6), but does not end in one: that would be a tag.
_HOST = r"(?P<host>[^ \n\t\[\]]*[^ \n\t\[\]:])"
_TAG = r"(?P<program>[^ \n\t\[\]:(]+(?:\([^ \n\t\[\]:()]*\))?)(?:\[(?P<pid>[^ \n\]]*)\])?:(?: |$)"
_DATA = r"""(?:-|(?P<data>(?:\[(?:[^\]"]|"(?:[^"\\]|\\(?s:.))*")*\])+))"""

_PRI = (Take("facility", "pri", FACILITY), Take("severity", "pri", SEVERITY, optional=True))
_HOST_TAKE = Take("host", "host", TEXT)
_TAG_TAKES = (Take("program", "program", TEXT), Take("pid", "pid", INTEGER))
_CONTENT = Take("message", "rest", MESSAGE)


def _modern(version: str) -> Shape:
    """RFC 5424, the version as the pattern says."""
    ends = r"(?:-|(?P<host>[^ \n]+)) (?:-|(?P<program>[^ \n]+)) (?:-|(?P<pid>[^ \n]+)) (?:-|(?P<message_id>[^ \n]+)) "
    return Shape(
        "rfc 5424",
        rf"^{_PRIORITY}{version}(?:-|(?P<time>{_ISO})) {ends}{_DATA}(?: |$)",
        (
            *(*_PRI, Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE), _HOST_TAKE, *_TAG_TAKES, _CONTENT),
            Take("message_id", "message_id", TEXT),
            Take("structured", "data", STRUCTURED),
        ),
    )


def _classic(name: str, time: str, takes: tuple[Take, ...], constants: dict[str, int]) -> tuple[Shape, ...]:
    """A time, then a host and a tag, or only one of them."""
    opening = rf"^{_PRIORITY}(?P<time>{time}) "
    common = (*_PRI, *takes)
    repeated = rf"{opening}(?:--- |{_HOST}:? )?(?P<message>last message repeated [0-9]+ times)(?: ---)?$"
    return (
        Shape(f"{name}, repeated", repeated, (*common, _HOST_TAKE, Take("message", "message", TEXT)), constants),
        Shape(f"{name}, host and tag", rf"{opening}{_HOST} {_TAG}", (*common, _HOST_TAKE, *_TAG_TAKES, _CONTENT), constants),
        Shape(f"{name}, tag", rf"{opening}{_TAG}", (*common, *_TAG_TAKES, _CONTENT), constants),
        Shape(f"{name}, host", rf"{opening}{_HOST} ", (*common, _HOST_TAKE, _CONTENT), constants),
    )


# What `dmesg -T` prints: the kernel's ring buffer with the host's own time. Apache puts a level in brackets behind such a time.
_CTIME = rf"[MTWFS][a-z]{{2}} (?:{_MONTH}) [ 0-9][0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} [0-9]{{4}}"
_RING = Shape(
    "dmesg",
    rf"^\[(?P<time>{_CTIME})\] ",
    (Take("time", "time", CTIME), _CONTENT),
    {"program": "kernel", "_naive": LOCAL_TIME},
    "[",
)
_NEW = _classic("iso", _ISO, (Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE)), {})
SHAPES = (
    *_classic("rfc 3164", _OLD, (Take("time", "time", SYSLOG_TIME),), {"_naive": YEARLESS_TIME}),
    _modern("[0-9]{1,3} "),
    *_NEW[:-1],
    _modern(""),
    _NEW[-1],
    _RING,
)

LAYOUT = Text(
    columns=TABLE.columns,
    shapes=SHAPES,
    written=(stamps.SYSLOG, stamps.ISO),
    head=r"[^ \t]",
    among=rf"(?:[0-9]{{1,6}} )?<[0-9]{{1,5}}>|{_OLD} |(?:[0-9]{{1,3}} )?{_ISO} |\[{_CTIME}\] [^\[]",
)
_LEVELS = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|CRITICAL|CRIT|FATAL|SEVERE|ALERT|EMERG|PANIC"
_NO_LEVEL = rf"(?!(?i:{_LEVELS})\b)"
# A priority; the date of RFC 3164; RFC 5424 that lost its priority; an ISO time, a host and a tag that is no level. Time in Z stands
# before lines of CloudWatch, too, so there a process must follow the tag.
_CERTAIN = re.compile(
    rf"(?:[0-9]{{1,6}} )?<[0-9]{{1,5}}>(?:{_OLD} |[0-9]{{1,3}} (?:{_ISO}|-) |{_ISO} )"
    rf"|{_OLD} |[0-9]{{1,3}} {_ISO} [^ ]+ [^ ]+ [^ ]+ [^ ]+ [-\[]"
    rf"|{_ISO}(?<!Z) {_NO_LEVEL}[^ \[\]\t\n]*[^ :\[\]\t\n] {_NO_LEVEL}[^ \t\n\[\]:]+(?:\[[0-9]+\])?:(?: |\Z)"
    rf"|{_ISO} {_NO_LEVEL}[^ \[\]\t\n]*[^ :\[\]\t\n] {_NO_LEVEL}[^ \t\n\[\]:]+\[[0-9]+\]:(?: |\Z)",
    re.ASCII,
)


_RINGED = re.compile(rf"\[{_CTIME}\] (?!\[)", re.ASCII)


def sniff(text: str, name: str) -> bool:
    """Whether a record opens with a priority, a date of RFC 3164, or an ISO time, a host and a tag; in a file of dmesg, as its lines do."""
    line = text.partition("\n")[0]
    return _CERTAIN.match(line) is not None or ("dmesg" in name and _RINGED.match(line) is not None)


FORMAT = Format(
    name="syslog",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://www.rfc-editor.org/rfc/rfc5424",
)
