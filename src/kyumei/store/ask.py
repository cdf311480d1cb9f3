"""Asks a case in SQL: one SELECT over its tables, which can read nothing else and write nothing.

Log text may have come into the question, and the question from somebody else; so the database is shut before it is asked: no file, no
address, no extension, no variable of ours, no other setting. What it may use of memory and of the disk it was told when it was opened.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import duckdb

from kyumei.errors import QueryError, UnreachableError
from kyumei.layouts.casts import quoted
from kyumei.model.window import iso
from kyumei.store.asked import tree_of
from kyumei.store.zones_asked import told_locally, zone_lost, zone_mistaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kyumei.store.case import Case

_T = TypeVar("_T")
SHUT = (
    "SET max_temp_directory_size = '8GB'",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET allow_community_extensions = false",
    "SET lock_configuration = true",
)
AT_ONCE = 2_000
"""Rows fetched at once, at most."""
HELD = 16 * 1024 * 1024
"""Characters of rows that are fetched at once, about: their number is chosen by those that came before."""
PATIENCE_SECONDS = 300
"""How long the database may work on a question, all in all; reading the case and showing the answer do not count."""


class Answer(NamedTuple):
    """The rows of a question as they come: values are null, bool, int, float, str, or lists and dicts of these."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def ask(case: Case, sql: str, seconds: float | None = PATIENCE_SECONDS) -> Answer:
    """The answer of one SELECT. The case can be used for nothing else afterwards.

    ``seconds`` is how long the database may work on it; null for as long as it takes. Raises QueryError, and UnreachableError where
    that time is over.
    """
    if case.keeping is not None:  # it goes on to write the cache, in a folder of its own that holds nothing else
        case.con.execute(f"SET allowed_directories = [{quoted(str(case.keeping.folder))}]")
    for statement in SHUT:
        case.con.execute(statement)
    within = _limit(case, seconds)
    try:
        plain, zones = _without_zones(case, _one_select(case, sql))
    except duckdb.Error as error:
        raise _refused(case, error) from error
    cursor = within(lambda: case.con.execute(plain))
    columns = _told_apart(tuple(str(column[0]) for column in cursor.description or ()))
    kinds = tuple(zip((str(column[1]) for column in cursor.description or ()), zones, strict=True))
    return Answer(columns, _rows(cursor, kinds, within))


class _Within(Protocol):
    def __call__(self, work: Callable[[], _T], /) -> _T: ...


def _limit(case: Case, seconds: float | None) -> _Within:
    """What has the database do a piece of work in what is left of the time; its errors are told as ours."""
    left = seconds

    def within(work: Callable[[], _T], /) -> _T:
        nonlocal left
        timer = Timer(0 if left is None else left, case.con.interrupt)
        timer.daemon = True
        began = monotonic()
        if left is not None:
            timer.start()
        try:
            return work()
        except duckdb.InterruptException as error:
            message = f"the question was given up after {seconds:g} s"
            raise UnreachableError(
                message, "ask for less, such as a shorter time with WHERE or --start and --end, or give it more: --timeout"
            ) from error
        except duckdb.Error as error:
            raise _refused(case, error) from error
        finally:
            timer.cancel()
            left = None if left is None else max(0, left - (monotonic() - began))

    return within


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
    tree = tree_of(case.con, sql)
    if lost := zone_lost(tree):
        message = f"times of a case are in UTC, and the zone of '{lost}' would be passed over"
        raise QueryError(message, f"write TIMESTAMPTZ '{lost}'")
    column, zone = zone_mistaken(tree)
    if zone:
        message = f"times of a case are in UTC, and AT TIME ZONE '{zone}' would take {column} for a time of that zone"
        raise QueryError(message, f"write {column} AT TIME ZONE 'UTC' AT TIME ZONE '{zone}'")
    end = len(written)
    for start, token in reversed(duckdb.tokenize(sql)):
        if token != duckdb.token_type.comment and written[start : start + 1] != b";":
            break
        end = start
    return written[:end].decode()


def _without_zones(case: Case, sql: str) -> tuple[str, list[str]]:
    """The question, its times that carry a zone as plain ones in UTC, and of each column what is written behind its times.

    Times with a zone need a library of zones to be handed over.
    """
    described = case.con.execute(f"DESCRIBE {sql}").fetchall()
    local = told_locally(tree_of(case.con, sql), [str(name) for name, *_ in described])
    zones = ["" if elsewhere and kind != _ZONED else "Z" for elsewhere, (_, kind, *_) in zip(local, described, strict=True)]
    if not any(kind == _ZONED for _, kind, *_ in described):
        return sql, zones
    columns = ", ".join(f"#{number}{'::TIMESTAMP' if kind == _ZONED else ''}" for number, (_, kind, *_) in enumerate(described, 1))
    names = _told_apart(tuple(str(name) for name, *_ in described))
    listed = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    return f"SELECT * FROM (SELECT {columns} FROM ({sql})) AS asked({listed})", zones


_ZONED = "TIMESTAMP WITH TIME ZONE"


def _told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of columns, of which a second one of the same name gets a number."""
    met: dict[str, int] = {}
    told = []
    for name in names:
        met[name] = met.get(name, 0) + 1
        told.append(name if met[name] == 1 else f"{name}_{met[name]}")
    return tuple(told)


def _rows(cursor: duckdb.DuckDBPyConnection, kinds: Sequence[tuple[str, str]], within: _Within) -> Iterator[tuple[Any, ...]]:
    """The rows, fetched as they are asked for: few at once where they are large."""
    count = AT_ONCE // 20
    while found := within(partial(cursor.fetchmany, count)):
        size = sum(len(value) for row in found for value in row if isinstance(value, str | bytes))
        count = max(1, min(2 * count, AT_ONCE, HELD * len(found) // max(1, size)))
        found.reverse()
        while found:
            yield tuple(_plain(value, kind, zone) for value, (kind, zone) in zip(found.pop(), kinds, strict=True))


def _plain(value: Any, kind: str = "", zone: str = "Z") -> Any:  # noqa: ANN401 - any value of a query
    """A value as JSON can say it: times as ISO 8601 with their zone behind, JSON opened, numbers that JSON does not know as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _opened(value) if kind == "JSON" else value
    if isinstance(value, dict):
        return {str(_plain(key, "", zone)): _plain(inner, "", zone) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, "", zone) for inner in value]
    if isinstance(value, datetime):
        return iso(value if value.tzinfo else value.replace(tzinfo=UTC)).removesuffix("Z") + zone
    return next((say(value) for kinds, say in _SAID if isinstance(value, kinds)), str(value))


_SAID: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (float, lambda value: value if value - value == 0 else str(value)),
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
