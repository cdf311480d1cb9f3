"""Tables and columns: the one place where a field is declared.

Documentation, table definitions and tests derive from these values. One column name has one kind and one
meaning over all tables; the unit stands in the name (``_seconds``, ``_bytes``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds. The value is the SQL type of the column."""

    TIME = "TIMESTAMP"  # an instant in UTC, microseconds
    TEXT = "VARCHAR"
    INTEGER = "BIGINT"
    FLOAT = "DOUBLE"
    BOOLEAN = "BOOLEAN"
    LIST = "VARCHAR[]"
    JSON = "JSON"


class Link(StrEnum):
    """What a column can be joined on: two columns with the same link speak of the same sort of thing."""

    REQUEST = "request"
    TRACE = "trace"
    CLIENT = "client"
    TARGET = "target"
    PRINCIPAL = "principal"
    RESOURCE = "resource"
    INTERFACE = "interface"
    ACCOUNT = "account"
    HOST = "host"
    PATH = "path"
    STATUS = "status"


@dataclass(frozen=True)
class Column:
    """One column: its name, kind, meaning, link, and AWS's (or the server's) own name for it."""

    name: str
    kind: Kind
    doc: str
    link: Link | None = None
    origin: str = ""


@dataclass(frozen=True)
class Table:
    """One table. Its first column of kind TIME says when the row happened."""

    name: str
    doc: str
    columns: tuple[Column, ...]

    @property
    def time(self) -> Column:
        """The column that says when the row happened."""
        return next(column for column in self.columns if column.kind is Kind.TIME)

    def __getitem__(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def __contains__(self, name: str) -> bool:
        """Whether there is a column of that name."""
        return any(column.name == name for column in self.columns)

    def linked(self, link: Link) -> tuple[Column, ...]:
        """The columns that carry this link."""
        return tuple(column for column in self.columns if column.link is link)


LINEAGE = (
    Column("_artifact", Kind.INTEGER, "Which file the row came from: artifacts.artifact."),
    Column("_line", Kind.INTEGER, "The line on which the record starts, counted from 1 in the decompressed text."),
    Column("_span", Kind.INTEGER, "How many lines the record takes up."),
    Column("_via", Kind.TEXT, "The table whose message held this record (syslog); null for a record of its own."),
    Column("_naive", Kind.INTEGER, "0 the record states its zone; 1 its zone is inferred; 2 its zone and its year are."),
    Column("_extra", Kind.JSON, "Fields that the table does not know, by name or position; null when none."),
    Column(
        "_text", Kind.TEXT, "The raw text of the record; null for one inside another's message, and for a further row of the same line."
    ),
)
"""The columns that every stored row carries besides its own."""
