r"""The general query log of MySQL and MariaDB: every command that came in, in the order in which it came.

From 5.7 on each line has its time in UTC; before, and by MariaDB, a local time stands only on the first line of each second, so that
``time`` is null on the others. A statement goes on over lines that open with neither. The log says nothing of how long a command took or
whether it went well. What the server writes when it opens the file is kept among the headers.

Follows "The General Query Log" of MySQL's manual.
"""

from __future__ import annotations

import re

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, TEXT, Take
from kyumei.layouts.database_times import MYSQL_NAIVE, MYSQL_TIME
from kyumei.layouts.mysql_banner import BANNER
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Look, Shape
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "mysql_general",
    "Every command that MySQL and MariaDB servers received.",
    (
        Column("time", Kind.TIME, "When it came in; null where the log leaves it out, local before 5.7.", origin="Time"),
        Column("connection", Kind.INTEGER, "The connection.", origin="Id"),
        Column("command", Kind.TEXT, "Connect, Query, Prepare, Execute, Quit and so on.", origin="Command"),
        Column("statement", Kind.TEXT, "The statement, or what else the command says.", origin="Argument"),
        Column("user", Kind.TEXT, "Who connected; null in other commands.", Link.PRINCIPAL, "Argument"),
        Column("client_ip", Kind.TEXT, "The address or name of the host from which.", Link.CLIENT, "Argument"),
        Column("database", Kind.TEXT, "The database of the connection, or that was changed to.", origin="Argument"),
        Column("connection_type", Kind.TEXT, "SSL/TLS, TCP/IP, Socket and so on.", origin="Argument"),
    ),
)

_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
_SHORT = "[0-9]{6} {1,2}[0-9]{1,2}:[0-9]{2}:[0-9]{2}"
_KNOWN = "|".join(
    (
        *("Sleep", "Quit", "Init DB", "Query", "Field List", "Create DB", "Drop DB", "Refresh", "Shutdown", "Statistics", "Processlist"),
        *("Connect", "Kill", "Debug", "Ping", "Time", "Delayed insert", "Change user", "Binlog Dump", "Table Dump", "Connect Out"),
        *("Register Slave", "Register Replica", "Prepare", "Execute", "Long Data", "Close stmt", "Reset stmt", "Set option", "Fetch"),
        *("Daemon", "Error", "Binlog Dump GTID", "Reset Connection", "Clone", "Subscribe Group Replication Stream"),
    )
)
"""The commands of the protocol, as the server calls them."""
_TAKES = (Take("connection", "id", INTEGER), Take("command", "command", TEXT), Take("statement", "rest", TEXT))
_TIMES = (Take("time", "time", MYSQL_TIME), Take("_naive", "time", MYSQL_NAIVE))


def _shape(name: str, before: str, *takes: Take, starts: str) -> Shape:
    command = rf" *(?P<id>[0-9]+) (?P<command>{_KNOWN})(?:\t| *$| *\n)"
    return Shape(name, rf"^{before}{command}", (*takes, *_TAKES), starts=starts)


LAYOUT = Text(
    columns=TABLE.columns,
    shapes=(
        _shape("with a time", rf"(?P<time>{_ISO}|{_SHORT})\t", *_TIMES, starts="0123456789"),
        _shape("same second", "\t\t", starts="\t"),
    ),
    written=(),
    head=rf"(?:{_ISO}|{_SHORT}|\t)\t *[0-9]+ (?:{_KNOWN})",
    looks=(
        Look(
            "statement",
            (
                Shape(
                    "connect",
                    r"^(?P<user>[^@\n ]*)@(?P<host>[^\n ]*) (?:as [^\n]*? )?on (?P<database>[^\n ]*) ?(?:using (?P<transport>[^\n]+))?$",
                    (
                        Take("user", "user", TEXT),
                        Take("client_ip", "host", TEXT),
                        Take("database", "database", TEXT),
                        Take("connection_type", "transport", TEXT),
                    ),
                ),
            ),
            literals=(" on ",),
            worth="^[^@\n ]*@[^\n ]* ",
        ),
    ),
)
_LINE = re.compile(rf"(?:{_ISO}|{_SHORT}|\t)\t *[0-9]+ (?:{_KNOWN})(?:\t| *$)", re.ASCII | re.MULTILINE)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the line is enough
    """A time or none, a tab, the number of a connection and a command of MySQL's."""
    return _LINE.match(text) is not None


FORMAT = Format(
    name="mysql_general",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://dev.mysql.com/doc/refman/8.4/en/query-log.html",
    hop="database",
    delay_seconds=300,
    complete=True,
    headers=BANNER,
)
