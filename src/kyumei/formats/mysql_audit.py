r"""The audit log of MySQL and MariaDB on RDS and Aurora: who connected, and what was asked.

The plugin's row has no header: time, server, user, the client's host, connection, query, operation, database, what was asked in single
quotes, and the error number that the server answered with (0: none). RDS writes a local time (``20250206 05:32:10``), Aurora microseconds
since 1970, and rows of Aurora are in no order, for several threads write them. Versions to come append fields.

Follows "MariaDB Audit Plugin support" of the RDS User Guide and "Using advanced auditing with an Amazon Aurora MySQL DB cluster".
"""

from __future__ import annotations

import re
from datetime import datetime

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER, TEXT, Cast, Take, parse_epoch
from kyumei.layouts.clocks import LOCAL_TIME, UTC_TIME
from kyumei.layouts.csv_fields import CsvFields
from kyumei.layouts.database_times import AUDIT
from kyumei.layouts.stamps import EPOCH
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "mysql_audit",
    "What MySQL and MariaDB databases wrote of connections and queries for audits.",
    (
        Column("time", Kind.TIME, "When it happened; local time without a zone unless Aurora wrote it.", origin="timestamp"),
        Column("server_host", Kind.TEXT, "The name of the instance's host.", origin="serverhost"),
        Column("user", Kind.TEXT, "Who was connected.", Link.PRINCIPAL, "username"),
        Column("client_ip", Kind.TEXT, "The address or name of the host from which; localhost for RDS itself.", Link.CLIENT, "host"),
        Column("connection", Kind.INTEGER, "The number of the connection.", origin="connectionid"),
        Column("query_id", Kind.INTEGER, "The number of the query; 0 for a connection.", origin="queryid"),
        Column("operation", Kind.TEXT, "CONNECT, DISCONNECT, QUERY, QUERY_DDL, READ, WRITE, TABLE and so on.", origin="operation"),
        Column("database", Kind.TEXT, "The database that was in use.", origin="database"),
        Column("statement", Kind.TEXT, "The query, or the table; line feeds are written as \\n.", origin="object"),
        Column("error_number", Kind.INTEGER, "The number of the error that was answered; 0 for none.", origin="retcode"),
    ),
)


def _time(raw: str) -> datetime | None:
    epoch = parse_epoch(raw)
    if epoch or not re.fullmatch("[0-9]{8} [0-9]{2}:[0-9]{2}:[0-9]{2}", raw, re.ASCII):
        return epoch
    try:
        return datetime.strptime(raw, "%Y%m%d %H:%M:%S")  # noqa: DTZ007 - local, the store knows the zone
    except ValueError:
        return None


def _naive(raw: str) -> int:
    return LOCAL_TIME if " " in raw else UTC_TIME


_SHAPE = "[12][0-9]{3}[01][0-9][0-3][0-9] (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_TIME = Cast(
    "time of an audit log",
    _time,
    "CASE WHEN regexp_full_match({x}, '[1-9][0-9]{15}') THEN make_timestamp(TRY_CAST({x} AS BIGINT)) "
    f"WHEN regexp_full_match({{x}}, '{_SHAPE}') "
    "THEN TRY_CAST({x}[1:4] || '-' || {x}[5:6] || '-' || {x}[7:] AS TIMESTAMP) END",
)
_NAIVE = Cast(
    "whether the time is UTC", _naive, f"CASE WHEN contains({{x}}, ' ') THEN {LOCAL_TIME} WHEN {{x}} IS NOT NULL THEN {UTC_TIME} END"
)

LAYOUT = CsvFields(
    columns=TABLE.columns,
    fields=("timestamp", "serverhost", "username", "host", "connectionid", "queryid", "operation", "database", "object", "retcode"),
    takes=(
        Take("time", "timestamp", _TIME),
        Take("_naive", "timestamp", _NAIVE),
        Take("server_host", "serverhost", TEXT),
        Take("user", "username", TEXT),
        Take("client_ip", "host", TEXT),
        Take("connection", "connectionid", INTEGER),
        Take("query_id", "queryid", INTEGER),
        Take("operation", "operation", TEXT),
        Take("database", "database", TEXT),
        Take("statement", "object", TEXT),
        Take("error_number", "retcode", INTEGER),
    ),
    written=(EPOCH, AUDIT),
    needed=10,
    quote="'",
    is_escaped=True,
)
_LINE = re.compile(r"(?:[0-9]{16}|[0-9]{8} [0-9]{2}:[0-9]{2}:[0-9]{2}),[^,\n]*,[^,\n]*,[^,\n]*,[0-9]+,[0-9]*,[A-Z_]+,", re.ASCII)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the line is enough
    """A time, three names, two numbers and an operation in capital letters, with commas between."""
    return _LINE.match(text) is not None


FORMAT = Format(
    name="mysql_audit",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.MySQL.Options.AuditPlugin.html",
    hop="database",
    delay_seconds=300,
    complete=True,
)
