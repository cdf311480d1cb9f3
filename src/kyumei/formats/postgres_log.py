r"""PostgreSQL's own log, of RDS and Aurora or of any other server: as text with a prefix, as ``csvlog`` or as ``jsonlog``.

What stands before a message is the ``log_line_prefix``; RDS and Aurora write ``%t:%r:%u@%d:[%p]:``, since late a longer one with the
SQLSTATE. Usual ones are known, of others the time, the process and what is called user, database, application or client is found; any is
read exactly when it is told, see ``custom``. DETAIL, HINT, STATEMENT and the like have prefixes of their own; they belong to the message
above and are columns of its row. Line feeds inside are followed by a tab, which is left out. ``level`` is LOG for most of what matters:
durations, connections, checkpoints.

A time has the word of its zone. One that means several zones (``CST``, ``IST``) or none that is known leaves the time local.

Follows the chapter "Error Reporting and Logging" of PostgreSQL's manual and "RDS for PostgreSQL database log files" in the RDS User Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.errors import ConfigError
from kyumei.layouts.casts import INTEGER, TEXT, Cast, Take
from kyumei.layouts.companions import COLUMN_OF, Companions
from kyumei.layouts.csv_fields import CsvFields
from kyumei.layouts.database_times import POSTGRES_NAIVE, POSTGRES_STAMP, POSTGRES_TIME
from kyumei.layouts.forms import Form, Forms
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.postgres_prefix import ANY, DATE, NAMED, PRIMARY, TAKES, USUAL, shape_of
from kyumei.layouts.stamps import EPOCH
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Look, Shape, compiled
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from kyumei.contracts import Layout

TABLE = Table(
    "postgres_log",
    "What PostgreSQL servers wrote: errors with their statements, slow statements, connections, checkpoints.",
    (
        Column("time", Kind.TIME, "When the message was written; local where the zone is not known.", origin="%t, %m, log_time"),
        Column("level", Kind.TEXT, "DEBUG1-5, INFO, NOTICE, WARNING, ERROR, LOG, FATAL or PANIC.", origin="error_severity"),
        Column("sqlstate", Kind.TEXT, "The code of the error, five characters; 00000 for none.", origin="%e, sql_state_code"),
        Column("message", Kind.TEXT, "The message.", origin="message"),
        Column("detail_text", Kind.TEXT, "More about it; the values of parameters.", origin="DETAIL"),
        Column("hint", Kind.TEXT, "What could be done.", origin="HINT"),
        Column("context", Kind.TEXT, "Inside what function or statement it happened.", origin="CONTEXT"),
        Column("statement", Kind.TEXT, "The statement that it is about.", origin="STATEMENT, query"),
        Column("inner_query", Kind.TEXT, "A query that the server made itself.", origin="QUERY, internal_query"),
        Column("location", Kind.TEXT, "The place in PostgreSQL's code.", origin="LOCATION"),
        Column("duration_seconds", Kind.FLOAT, "How long the statement or the step took; null in other messages.", origin="message"),
        Column("step", Kind.TEXT, "statement, parse, bind, execute or plan: what took that time.", origin="message"),
        Column("user", Kind.TEXT, "The database user.", Link.PRINCIPAL, "%u, user_name"),
        Column("database", Kind.TEXT, "The database.", origin="%d, database_name"),
        Column("client_ip", Kind.TEXT, "The client's address or name; null for a local socket.", Link.CLIENT, "%r, %h, connection_from"),
        Column("client_port", Kind.INTEGER, "The port it connected from.", origin="%r, connection_from"),
        Column("application_name", Kind.TEXT, "The application, as it calls itself.", origin="%a, application_name"),
        Column("pid", Kind.INTEGER, "The process.", origin="%p, process_id"),
        Column("leader_pid", Kind.INTEGER, "The process for which a parallel worker works.", origin="%P, leader_pid"),
        Column("backend", Kind.TEXT, "What sort of process it is.", origin="%b, backend_type"),
        Column("command", Kind.TEXT, "What the session was doing: SELECT, idle and so on.", origin="%i, command_tag"),
        Column("session_id", Kind.TEXT, "The session: its start and process as hexadecimal numbers.", origin="%c, session_id"),
        Column("session_line", Kind.INTEGER, "The number of the message in the session.", origin="%l, session_line_num"),
        Column("session_start", Kind.TIME, "When the session or process started.", origin="%s, session_start_time"),
        Column("virtual_transaction", Kind.TEXT, "The virtual transaction.", origin="%v, virtual_transaction_id"),
        Column("transaction_id", Kind.INTEGER, "The transaction; 0 for none.", origin="%x, transaction_id"),
        Column("query_id", Kind.INTEGER, "The id of the query, as pg_stat_statements has it.", origin="%Q, query_id"),
    ),
)

_ALL = (*TABLE.columns, Column("_rest", Kind.TEXT, "All that follows the severity."))


def _look(name: str, pattern: str, *takes: Take) -> Look:
    return Look("_prefix", (Shape(name, pattern, takes),))


_LOOKS = (
    _look("process", r"(?:\[|pid=|pid )(?P<pid>[0-9]{1,10})\b", *TAKES["pid"]),
    _look("user", r"\b(?:user|u)=(?P<user>[^,;\] \n]+)", *TAKES["user"]),
    _look("database", r"\b(?:db|database|d)=(?P<database>[^,;\] \n]+)", *TAKES["database"]),
    _look("application", r"\b(?:app|application|a)=(?P<application>[^,;\] \n]+)", *TAKES["application"]),
    _look("client", r"\b(?:client|host|h|remote|r)=(?P<remote>\[local\]|[^,;\] \n]+)", *TAKES["remote"]),
    _look("both", r"(?P<user>[A-Za-z0-9_.\[\]-]+)@(?P<database>[A-Za-z0-9_.\[\]-]+)", *TAKES["user"], *TAKES["database"]),
)


def _text(shapes: tuple[Shape, ...]) -> Text:
    return Text(columns=_ALL, shapes=shapes, written=(POSTGRES_STAMP, EPOCH), looks=_LOOKS)


CSV_FIELDS = (
    *("log_time", "user_name", "database_name", "process_id", "connection_from", "session_id", "session_line_num", "command_tag"),
    *("session_start_time", "virtual_transaction_id", "transaction_id", "error_severity", "sql_state_code", "message", "detail", "hint"),
    *("internal_query", "internal_query_pos", "context", "query", "query_pos", "location", "application_name", "backend_type"),
    *("leader_pid", "query_id"),
)


def _port_behind(raw: str) -> int | None:
    found = re.search(r":([0-9]{1,5})\Z", raw, re.ASCII)
    return int(found[1]) if found else None


_FROM = Cast(
    "host before the last colon",
    lambda raw: None if raw in {"[local]", "[unknown]"} else re.sub(r":[0-9]{1,5}\Z", "", raw) or None,
    "CASE WHEN {x} <> '[local]' AND {x} <> '[unknown]' THEN nullif(regexp_replace({x}, ':[0-9]{1,5}$', ''), '') END",
)
_FROM_PORT = Cast("port behind the last colon", _port_behind, "TRY_CAST(nullif(regexp_extract({x}, ':([0-9]{1,5})$', 1), '') AS BIGINT)")
_SAME = (
    ("level", "error_severity", TEXT),
    ("sqlstate", "sql_state_code", TEXT),
    ("message", "message", TEXT),
    ("detail_text", "detail", TEXT),
    ("hint", "hint", TEXT),
    ("context", "context", TEXT),
    ("statement", "query", TEXT),
    ("inner_query", "internal_query", TEXT),
    ("location", "location", TEXT),
    ("session_id", "session_id", TEXT),
    ("session_line", "session_line_num", INTEGER),
    ("session_start", "session_start_time", POSTGRES_TIME),
    ("command", "command_tag", TEXT),
    ("virtual_transaction", "virtual_transaction_id", TEXT),
    ("transaction_id", "transaction_id", INTEGER),
    ("application_name", "application_name", NAMED),
    ("backend", "backend_type", TEXT),
    ("leader_pid", "leader_pid", INTEGER),
    ("query_id", "query_id", INTEGER),
)
CSV = CsvFields(
    columns=_ALL,
    fields=CSV_FIELDS,
    takes=(
        Take("time", "log_time", POSTGRES_TIME),
        Take("_naive", "log_time", POSTGRES_NAIVE),
        Take("user", "user_name", NAMED, optional=True),
        Take("database", "database_name", NAMED, optional=True),
        Take("pid", "process_id", INTEGER),
        Take("client_ip", "connection_from", _FROM, optional=True),
        Take("client_port", "connection_from", _FROM_PORT, optional=True),
        *(Take(column, source, cast, optional=cast is NAMED) for column, source, cast in _SAME),
    ),
    written=(POSTGRES_STAMP,),
    needed=23,
)
_JSON_NAMES = {
    "session_line_num": "line_num",
    "command_tag": "ps",
    "session_start_time": "session_start",
    "virtual_transaction_id": "vxid",
    "transaction_id": "txid",
    "sql_state_code": "state_code",
    "query": "statement",
}
JSON = JsonRecord(
    table=Table("postgres_log", "", _ALL),
    fields=(
        one("time", "timestamp", POSTGRES_TIME),
        one("_naive", "timestamp", POSTGRES_NAIVE),
        one("user", "user"),
        one("database", "dbname"),
        one("pid", "pid", INTEGER),
        one("client_ip", "remote_host"),
        one("client_port", "remote_port", INTEGER),
        *(one(column, _JSON_NAMES.get(source, source), cast, total=cast is NAMED) for column, source, cast in _SAME),
    ),
    stamp_ways=(POSTGRES_STAMP,),
    needs=frozenset({"error_severity"}),
    plain=("time IS NOT NULL", "level IS NOT NULL"),
)
_QUOTED_DATE = rf'"?{DATE}[^",\n]{{0,20}}"?,'
_TIMELESS = r"pid=[0-9]+,user=|user=[^ \n]*,db=|(?:\[[0-9]{1,10}-1\] )?sql_error_code = |[12][0-9]{9}\.[0-9]{3} \["
"""How prefixes begin that have no time, or it as a number."""
_BARE = "LOG|ERROR|FATAL|PANIC"
"""Severities that stand for themselves with two blanks behind them; uvicorn writes ``WARNING:  ``."""
_OPENING = rf"(?:(?:[^\t\n{{]{{0,60}}?{DATE}|{_TIMELESS})[^\n'\"]{{0,300}}?\b(?:{PRIMARY}): {{1,2}}|(?:{_BARE}):  )"


def _layout(*shapes: Shape, opening: str = _OPENING) -> Companions:
    forms = (Form(_QUOTED_DATE, CSV), Form(r"\{", JSON), Form("", _text(shapes)))
    return Companions(
        inner=Forms(columns=_ALL, forms=forms, finish=lambda row: row, finished={}),
        columns=TABLE.columns,
        opens=rf"{opening}|{_QUOTED_DATE}|\{{",
    )


LAYOUT = _layout(*map(shape_of, USUAL), ANY)


def custom(log_line_prefix: str) -> Layout:
    """A layout for a ``log_line_prefix``."""
    prefix = log_line_prefix.strip("'\"") if log_line_prefix[:1] in {"'", '"'} else log_line_prefix
    if not re.search("%-?[0-9]*[tmn]", prefix):
        message = f"the log_line_prefix has no time: {prefix[:80]!r}"
        raise ConfigError(message, "it needs %t, %m or %n")
    told = shape_of(prefix)
    opening = compiled(told.pattern).pattern.removeprefix("^")
    opening = re.sub(r"\(\?P<[a-z_]+>", "(?:", opening.replace("|".join(("", *COLUMN_OF)), ""))
    return _layout(told, ANY, opening=opening)


_TEXT_LINE = re.compile(
    rf"[^\t\n]{{0,60}}?{DATE}(?:\.[0-9]{{1,6}})? [A-Z+<-][^\n]{{0,300}}?\b(?:{PRIMARY}|{'|'.join(COLUMN_OF)}):  (?:[^ ]|\Z)", re.ASCII
)
_TIMELESS_LINE = re.compile(
    rf"(?:{_TIMELESS})[^\n]{{0,300}}?\b(?:{PRIMARY}|{'|'.join(COLUMN_OF)}): |(?:{_BARE}|{'|'.join(COLUMN_OF)}):  [^ ]", re.ASCII
)
_CSV_LINE = re.compile(rf'"?{DATE}[^",\n]{{0,20}}"?,[^,\n]*,[^,\n]*,[0-9]+,', re.ASCII)
_OTHER = re.compile(r"\{|[A-Z][a-z]{2} [ 0-9][0-9] |<[0-9]{1,4}>")


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the line is enough
    """A time with its zone, or a prefix known without one, and a severity; the first fields of a csvlog; the keys of a jsonlog."""
    if text.startswith("{"):
        if '"error_severity"' not in text:
            return False
        found = parse_object(text)
        return isinstance(found, dict) and {"timestamp", "error_severity"} <= found.keys()
    line = text.partition("\n")[0][:1000]
    if _CSV_LINE.match(line):
        return True
    return not _OTHER.match(line) and (_TEXT_LINE.match(line) is not None or _TIMELESS_LINE.match(line) is not None)


FORMAT = Format(
    name="postgres_log",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Concepts.PostgreSQL.html",
    hop="database",
    delay_seconds=300,
    complete=True,
    custom=custom,
)
