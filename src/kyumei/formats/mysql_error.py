r"""The error log of MySQL and MariaDB: what the server had to say of itself, of connections and of InnoDB.

MySQL 8.0 writes a time with a zone, thread, label, code and subsystem; 5.7 no code and no subsystem; 5.6 and MariaDB a local time, and
InnoDB's own lines have no label. With ``log_sink_json`` each line is a JSON object. A dump (a deadlock, the semaphores) goes on over many
lines, which belong to the record above. On RDS the file is short: it is emptied every hour into older ones.

Follows "Error Log Output Format" and "Error Log Output in JSON Format" of MySQL's manual and "Error Log" of MariaDB's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, TEXT, Take
from kyumei.layouts.database_times import MYSQL_NAIVE, MYSQL_TIME, SHORT
from kyumei.layouts.forms import Form, Forms
from kyumei.layouts.headed import Headed
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.stamps import ISO
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Shape
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "mysql_error",
    "What MySQL and MariaDB servers had to say of themselves.",
    (
        Column("time", Kind.TIME, "When it was written; local time before 5.7 and by MariaDB.", origin="time"),
        Column("level", Kind.TEXT, "System, ERROR, Warning or Note; null for InnoDB's own lines of old.", origin="label"),
        Column("code", Kind.TEXT, "MY- and six digits; null before 8.0.", origin="err_code"),
        Column("subsystem", Kind.TEXT, "Server, InnoDB, Repl and so on; null before 8.0.", origin="subsystem"),
        Column("message", Kind.TEXT, "What happened: the first line and all that follow.", origin="msg"),
        Column("thread_id", Kind.INTEGER, "The connection; 0 for none. Of 5.6 the process.", origin="thread"),
        Column("symbol", Kind.TEXT, "The name of the code, in JSON.", origin="err_symbol"),
        Column("sqlstate", Kind.TEXT, "The SQLSTATE, in JSON.", origin="SQL_state"),
        Column("user", Kind.TEXT, "The user of the connection, in JSON.", Link.PRINCIPAL, "user"),
        Column("client_ip", Kind.TEXT, "The host of the connection, in JSON.", Link.CLIENT, "host"),
        Column("source_file", Kind.TEXT, "The file of the source code, in JSON.", origin="source_file"),
        Column("source_line", Kind.INTEGER, "The line in it, in JSON.", origin="source_line"),
        Column("function", Kind.TEXT, "The function in it, in JSON.", origin="function"),
    ),
)

_ISO = r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2}))"
_LOCAL = r"(?P<time>(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{6}) {1,2}[0-9]{1,2}:[0-9]{2}:[0-9]{2})"
_LABEL = r"\[(?P<level>[A-Za-z]+)\] "
_TIMES = (Take("time", "time", MYSQL_TIME), Take("_naive", "time", MYSQL_NAIVE))
_LEVEL, _THREAD = Take("level", "level", TEXT), Take("thread_id", "thread", INTEGER)
_MESSAGE = Take("message", "rest", TEXT)
_OWN = "(?:InnoDB|mysqld_safe|mysqld|/[^ \\n]*mysqld|WSREP)\\b"
_BEFORE_OWN = rf"^{_LOCAL} {{1,2}}(?:(?:0x)?[0-9a-f]{{1,16}} {{1,2}})?"
_START_UP = rf"^{_ISO} (?:[0-9]+ )?"
_SHAPES = (
    Shape(
        "8.0",
        rf"^{_ISO} (?P<thread>[0-9]+) {_LABEL}\[(?P<code>MY-[0-9]+)\] \[(?P<subsystem>[^\]\n]*)\] ?",
        (*_TIMES, _THREAD, _LEVEL, Take("code", "code", TEXT), Take("subsystem", "subsystem", TEXT), _MESSAGE),
        starts="12",
    ),
    Shape("5.7", rf"^{_ISO} (?P<thread>[0-9]+) {_LABEL}", (*_TIMES, _THREAD, _LEVEL, _MESSAGE), starts="12"),
    Shape("MariaDB", rf"^{_LOCAL} (?P<thread>[0-9]+) {_LABEL}", (*_TIMES, _THREAD, _LEVEL, _MESSAGE), starts="0123456789"),
    Shape("5.6", rf"^{_LOCAL} {_LABEL}", (*_TIMES, _LEVEL, _MESSAGE), starts="0123456789"),
    Shape("InnoDB itself", _BEFORE_OWN, (*_TIMES, _MESSAGE), starts="0123456789", only=_BEFORE_OWN + _OWN),
    Shape("start-up", _START_UP, (*_TIMES, _MESSAGE), starts="12", only=_START_UP + _OWN),
)
_TEXT = Text(columns=TABLE.columns, shapes=_SHAPES, written=(ISO, SHORT))


def _derive(_document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The code and the label as the text log spells them."""
    number, label = values["_code"], values["_label"]
    found = {"code": None if number is None else f"MY-{number:06}", "level": "ERROR" if label == "Error" else label}
    return found, set()


_JSON = JsonRecord(
    table=TABLE,
    fields=(
        one("time", "time", MYSQL_TIME),
        one("_naive", "time", MYSQL_NAIVE),
        one("_label", "label"),
        one("_code", "err_code", INTEGER),
        one("subsystem", "subsystem"),
        one("message", "msg"),
        one("thread_id", "thread", INTEGER),
        one("symbol", "err_symbol"),
        one("sqlstate", "SQL_state"),
        one("user", "user"),
        one("client_ip", "host"),
        one("source_file", "source_file"),
        one("source_line", "source_line", INTEGER),
        one("function", "function"),
        one("_priority", "prio", INTEGER),
        one("_epoch", "ts", INTEGER),
        one("_component", "component"),
        one("_buffered", "buffered", INTEGER),
    ),
    stamp_ways=(ISO, SHORT),
    needs=frozenset({"err_code", "msg"}),
    derive=_derive,
    steps=(
        {
            "code": "'MY-' || lpad(_code::VARCHAR, 6, '0')",
            "level": "CASE WHEN _label = 'Error' THEN 'ERROR' ELSE _label END",
        },
    ),
    plain=("time IS NOT NULL", "message IS NOT NULL", "_code BETWEEN 0 AND 999999"),
)
_OPENS = rf"\{{|(?:{_ISO}|{_LOCAL}) (?:[0-9]+ {_LABEL}|{_LABEL}| ?(?:(?:0x)?[0-9a-f]{{1,16}} {{1,2}})?{_OWN})"
_OPENS = re.sub(r"\(\?P<[a-z]+>", "(?:", _OPENS)

LAYOUT = Headed(Forms(columns=TABLE.columns, forms=(Form(r"\{", _JSON), Form("", _TEXT)), finish=lambda row: row, finished={}), _OPENS)

_LABELS = "Note|Warning|ERROR|System|note|warning|error"
_LINE = re.compile(
    re.sub(
        r"\(\?P<[a-z]+>", "(?:", rf"(?:{_ISO}|{_LOCAL}) (?:[0-9]+ )?(?:\[(?:{_LABELS})\] | ?(?:(?:0x)?[0-9a-f]{{1,16}} {{1,2}})?{_OWN})"
    ),
    re.ASCII,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the line is enough
    """A time, a thread and one of MySQL's labels; a line of InnoDB or mysqld; a JSON object with a priority and a code."""
    if text.startswith("{"):
        if '"err_code"' not in text:
            return False
        found = parse_object(text)
        return isinstance(found, dict) and {"prio", "err_code", "msg"} <= found.keys()
    return _LINE.match(text) is not None


FORMAT = Format(
    name="mysql_error",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://dev.mysql.com/doc/refman/8.4/en/error-log-format.html",
    hop="database",
    delay_seconds=300,
    complete=True,
)
