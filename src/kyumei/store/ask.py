"""Asks a case in SQL: one SELECT over its tables, which can read nothing else and write nothing.

Log text may have come into the question, and the question from somebody else; so the database is shut before it is asked: no file, no
address, no extension, no variable of ours, no other setting. What it may use of memory and of the disk it was told when it was opened.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from kyumei.errors import QueryError
from kyumei.layouts.casts import quoted
from kyumei.model.window import iso
from kyumei.store.asked import tree_of
from kyumei.store.zones_asked import zone_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kyumei.store.case import Case

SHUT = (
    "SET max_temp_directory_size = '8GB'",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET allow_community_extensions = false",
    "SET lock_configuration = true",
)
AT_ONCE = 2_000
"""Rows fetched at once."""


class Answer(NamedTuple):
    """The rows of a question as they come: values are null, bool, int, float, str, or lists and dicts of these."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def ask(case: Case, sql: str) -> Answer:
    """The answer of one SELECT. The case can be used for nothing else afterwards. Raises QueryError."""
    if case.keeping is not None:  # it goes on to write the cache, in a folder of its own that holds nothing else
        case.con.execute(f"SET allowed_directories = [{quoted(str(case.keeping.folder))}]")
    for statement in SHUT:
        case.con.execute(statement)
    try:
        cursor = case.con.execute(_without_zones(case, _one_select(case, sql)))
    except duckdb.Error as error:
        raise _refused(case, error) from error
    columns = _told_apart(tuple(str(column[0]) for column in cursor.description or ()))
    kinds = tuple(str(column[1]) for column in cursor.description or ())
    return Answer(columns, _rows(case, cursor, kinds))


def _one_select(case: Case, sql: str) -> str:
    """The question without what stands behind it: semicolons and comments. Refused: what is not one SELECT, or means other times."""
    try:
        written = sql.encode()
    except UnicodeEncodeError as error:
        message = "the question is not written in UTF-8"
        raise QueryError(message, "a byte that is no text can be told as '\\xFF'::BLOB") from error
    statements = case.con.extract_statements(sql)
    if len(statements) != 1:
        message = "there is no question in it" if not statements else f"{len(statements)} statements where one is asked for"
        raise QueryError(message, "ask one SELECT")
    kind = statements[0].type
    if kind == duckdb.StatementType.MULTI:
        message = "a PIVOT is answered only if it names its values"
        raise QueryError(message, "name them: PIVOT alb_access ON status IN (200, 502) USING count(*) GROUP BY path")
    if kind != duckdb.StatementType.SELECT:
        message = f"only a SELECT is answered, not {kind.name}"
        raise QueryError(message, "a case is read, never changed")
    if lost := zone_lost(tree_of(case.con, sql)):
        message = f"times of a case are in UTC, and the zone of '{lost}' would be passed over"
        raise QueryError(message, f"write TIMESTAMPTZ '{lost}'")
    end = len(written)
    for start, token in reversed(duckdb.tokenize(sql)):
        if token != duckdb.token_type.comment and written[start : start + 1] != b";":
            break
        end = start
    return written[:end].decode()


def _without_zones(case: Case, sql: str) -> str:
    """The question, its times that carry a zone as plain ones in UTC: the others need a library of zones to be handed over."""
    described = case.con.execute(f"DESCRIBE {sql}").fetchall()
    if not any(kind == _ZONED for _, kind, *_ in described):
        return sql
    columns = ", ".join(f"#{number}{'::TIMESTAMP' if kind == _ZONED else ''}" for number, (_, kind, *_) in enumerate(described, 1))
    names = _told_apart(tuple(str(name) for name, *_ in described))
    listed = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    return f"SELECT * FROM (SELECT {columns} FROM ({sql})) AS asked({listed})"


_ZONED = "TIMESTAMP WITH TIME ZONE"


def _told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of columns, of which a second one of the same name gets a number."""
    met: dict[str, int] = {}
    told = []
    for name in names:
        met[name] = met.get(name, 0) + 1
        told.append(name if met[name] == 1 else f"{name}_{met[name]}")
    return tuple(told)


def _rows(case: Case, cursor: duckdb.DuckDBPyConnection, kinds: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """The rows, fetched as they are asked for."""
    while True:
        try:
            found = cursor.fetchmany(AT_ONCE)
        except duckdb.Error as error:
            raise _refused(case, error) from error
        if not found:
            return
        for row in found:
            yield tuple(_plain(value, kind) for value, kind in zip(row, kinds, strict=True))


def _plain(value: Any, kind: str = "") -> Any:  # noqa: ANN401 - any value of a query
    """A value as JSON can say it: times in UTC as ISO 8601 with a Z, JSON opened, numbers that JSON does not know as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _opened(value) if kind == "JSON" else value
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return next((say(value) for kinds, say in _SAID if isinstance(value, kinds)), str(value))


_SAID: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (float, lambda value: value if value - value == 0 else str(value)),
    (datetime, lambda value: iso(value if value.tzinfo else value.replace(tzinfo=UTC))),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    (Decimal, lambda value: int(value) if value == value.to_integral_value() else float(value)),
    ((bytes, bytearray), lambda value: value.hex()),
)


def _opened(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text, parse_constant=str, parse_float=_number)
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> float | str:
    """A number of JSON; one that is too large for any stays the text that it is."""
    number = float(text)
    return number if number - number == 0 else text


_ADVICE = (" Possible solutions: ", " Please try installing ", ' Use "SET ')
"""Where the database goes on to advise what a question may not do."""
_HINTS = (
    ("Function with name", "a question has the functions of DuckDB itself, without extensions"),
    ("data-modifying", "a case is read, never changed"),
    ("Values were not provided", "write the values into the question"),
)
"""What the database says, and what could be asked instead."""


def _refused(case: Case, error: duckdb.Error) -> QueryError:
    """What the database said, in one line, with what could be asked instead."""
    said = " ".join(str(error).split("\n\nLINE", 1)[0].split("\nLINE", 1)[0].split())
    for advice in _ADVICE:
        said = said.split(advice, 1)[0]
    if isinstance(error, duckdb.PermissionException) or "disabled" in said or "configuration has been locked" in said:
        return QueryError(f"the question may read nothing but the case: {said}", "ask its tables; kyumei tables PATH lists them")
    if hint := next((hint for sign, hint in _HINTS if sign in said), ""):
        return QueryError(said, hint)
    if isinstance(error, duckdb.CatalogException):
        return QueryError(said, "there are rows in " + ", ".join(case.filled))
    if isinstance(error, duckdb.ParserException):
        return QueryError(said, "ask one SELECT, such as SELECT status, count(*) AS n FROM alb_access GROUP BY 1")
    if "pytz" in said:
        return QueryError("the answer holds a time with a zone inside a list or an object", "cast it: (...)::TIMESTAMP[]")
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError(f"the question needs too much memory: {said}", "ask for fewer rows or columns, or set KYUMEI_MEMORY")
    return QueryError(said, "kyumei formats NAME lists the columns of a table")
