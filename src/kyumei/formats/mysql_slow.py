r"""The slow query log of MySQL, MariaDB, Percona and Aurora: statements that took longer than ``long_query_time``.

``time`` is when the statement had ended, to the microsecond, where the log has a time with a zone (5.7 and later); before, and by MariaDB,
it is the second in which the statement began. ``query_seconds`` holds the wait for locks, too. What Percona, MariaDB and ``log_slow_extra``
add is in ``counters`` under its own names. On CloudWatch an entry is one event. What the server writes when it opens the file is kept among
the headers.

Follows "The Slow Query Log" of MySQL's manual, "Slow Query Log Overview" of MariaDB's and "Slow query log" of Percona's.
"""

from __future__ import annotations

import re

from kyumei.contracts import Format
from kyumei.layouts.mysql_banner import BANNER
from kyumei.layouts.slow_entry import SlowEntry
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "mysql_slow",
    "Statements that took MySQL and MariaDB servers long.",
    (
        Column("time", Kind.TIME, "When the statement had ended; when it began where the log states no time with a zone.", origin="Time"),
        Column("started", Kind.TIME, "When the statement began, to the second.", origin="SET timestamp"),
        Column("query_seconds", Kind.FLOAT, "How long it took, the wait for locks included.", origin="Query_time"),
        Column("lock_seconds", Kind.FLOAT, "How long it waited for locks.", origin="Lock_time"),
        Column("rows_sent", Kind.INTEGER, "Rows sent to the client.", origin="Rows_sent"),
        Column("rows_examined", Kind.INTEGER, "Rows that the server looked at.", origin="Rows_examined"),
        Column("rows_affected", Kind.INTEGER, "Rows that were changed.", origin="Rows_affected"),
        Column("sent_bytes", Kind.INTEGER, "Bytes sent to the client.", origin="Bytes_sent"),
        Column("error_number", Kind.INTEGER, "The number of the error that was answered; 0 for none.", origin="Errno, Last_errno"),
        Column("user", Kind.TEXT, "Who was connected.", Link.PRINCIPAL, "User@Host"),
        Column("client_ip", Kind.TEXT, "The client's address, or its name where there is none.", Link.CLIENT, "User@Host"),
        Column("connection", Kind.INTEGER, "The connection.", origin="Id, Thread_id"),
        Column("database", Kind.TEXT, "The database, where the log says that it changed or names it.", origin="use, Schema"),
        Column("statement", Kind.TEXT, "The statement, without the semicolon at its end.", origin=""),
        Column("command", Kind.TEXT, "The command of an administrator that stands for a statement.", origin="administrator command"),
        Column("counters", Kind.JSON, "All other names and values.", origin=""),
    ),
)

LAYOUT = SlowEntry(TABLE.columns)
_OPENS = re.compile(
    r"# (?:Time: [^\n]*(?:\n#|\n(?i:SET|use|SELECT|INSERT|UPDATE|DELETE) |\Z)|User@Host: [^\n]* @ [^\n]*\[|Query_time: )", re.ASCII
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the line is enough
    """The comment that opens an entry."""
    return _OPENS.match(text) is not None


FORMAT = Format(
    name="mysql_slow",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://dev.mysql.com/doc/refman/8.4/en/slow-query-log.html",
    hop="database",
    delay_seconds=300,
    complete=True,
    headers=BANNER,
)
