"""Puts the picked lines together to records, before they are parsed: headers aside, lines that are too long aside, the rest joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.layouts.casts import quoted
from kyumei.layouts.companions import COLUMN_OF
from kyumei.layouts.postgres_prefix import DATE, PRIMARY
from kyumei.store.lines import BLANKS
from kyumei.store.part import heads, lead
from kyumei.store.sieve import MAX_RECORD_LINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from kyumei.contracts import Format
    from kyumei.store.part import Part

BLANK = "NOT regexp_matches(text, '[^" + "".join(f"\\x{ord(one):02x}" for one in BLANKS) + "]')"
"""A line of nothing but these is blank: it is no record, and inside a record it is an empty line."""


_PREFIX = rf"^[^\t\n{{]{{0,60}}?{DATE}[^\n'\"]{{0,300}}?"
COMPANION, MESSAGE = (rf"{_PREFIX}\b(?:{words}):  " for words in ("|".join(COLUMN_OF), PRIMARY))
"""How lines of PostgreSQL begin: what follows a message is an event of its own in CloudWatch Logs, though none in a file."""
_WRITER = f"nullif(regexp_extract(text, {quoted(_PREFIX + '(?:[[][0-9]+[]]|pid=[0-9]+,)')}), '')"
"""SQL: what stands before a message up to its process, which is the same before all that belongs to it."""
GOES_ON = (
    r"^(?:[ \t]|Traceback \(most recent call last\):|Caused by: |During handling of the above exception|"
    r"The above exception was the direct cause|[A-Za-z_][A-Za-z0-9_.$]*(?:Error|Exception|Interrupt|Timeout|Warning)(?::|$))"
)
"""How lines begin that go on a record though an event of their own carries each: what a container prints is cut at every line end.

Only where all events are of one stream, for those of several stand between each other.
"""


def ids(parts: Iterable[Part]) -> str:
    """The numbers of the parts as SQL, for IN."""
    return "(" + ",".join(str(part.artifact.number) for part in parts) + ")"


def insert_tuples(con: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]], kinds: tuple[str, ...]) -> None:
    """Append rows to a table of the store; ``kinds`` are the SQL types of its columns."""
    if rows:
        columns = list(zip(*rows, strict=True))
        con.execute(
            f"INSERT INTO {table} SELECT " + ", ".join(f"unnest(?::{kind}[])" for kind in kinds), [list(column) for column in columns]
        )


def refuse_long(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Move the lines that are too long into ``unread``."""
    for part in parts:
        for line, size in part.long.items():
            con.execute("DELETE FROM _lines WHERE _artifact = ? AND _line = ? RETURNING text", [part.artifact.number, line])
            text = con.fetchone()
            why = f"the line is {size} bytes long; only its first part is kept"
            con.execute("INSERT INTO unread VALUES (?, ?, ?, ?)", [part.artifact.number, line, text[0] if text else "", why])


def take_headers(con: duckdb.DuckDBPyConnection, leaf: Format, parts: Sequence[Part]) -> None:
    """Move the header lines of the parts' own format into ``headers``, and note what they say of the lines below."""
    if not (leaf.headers and parts):
        return
    # Of a document the events may all stand on one line, and those of several streams between each other: a header is above none of them.
    own = {part.artifact.number: part for part in parts if part.identity.shape != "document"}
    is_line = f"(_span = 1 OR _artifact NOT IN {ids(own.values())})" if own else "true"
    found = con.execute(
        f"DELETE FROM _lines WHERE _artifact IN {ids(parts)} AND {is_line} AND {_begins_as(leaf.headers)} RETURNING _artifact, _line, text"
    ).fetchall()
    insert_tuples(con, "headers", found, ("INTEGER", "BIGINT", "VARCHAR"))
    for artifact, line, text in sorted(found):
        if leaf.below and artifact in own and (layout := leaf.below(text)) is not None:
            own[artifact].below.append((line, layout))


def take_nothing_but_headers(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Move the lines of parts without a format into ``headers`` where all are such: a query log that was opened, and nobody asked."""
    known = dict.fromkeys(begin for leaf in discover.formats().values() if leaf.below is None for begin in leaf.headers)
    if not (parts and known):
        return
    begins = _begins_as(known)
    found = con.execute(
        f"DELETE FROM _lines WHERE _artifact IN (SELECT _artifact FROM _lines WHERE _artifact IN {ids(parts)} AND NOT {BLANK} "
        f"GROUP BY _artifact HAVING bool_and({begins})) AND NOT {BLANK} RETURNING _artifact, _line, text"
    ).fetchall()
    insert_tuples(con, "headers", found, ("INTEGER", "BIGINT", "VARCHAR"))


def _begins_as(headers: Iterable[str]) -> str:
    """SQL: whether a line is a header line."""
    return f"({' OR '.join(f'starts_with(text, {quoted(begin)})' for begin in headers)}) AND NOT contains(text, chr(10))"


def stage(con: duckdb.DuckDBPyConnection, own: Sequence[Part]) -> None:
    """Fill ``_staged`` with the records of the parts: one a line, or lines joined from one head to the next."""
    con.execute("CREATE OR REPLACE TEMP TABLE _staged (_artifact INTEGER, _line BIGINT, text VARCHAR, _span BIGINT, envelope_ms BIGINT)")
    begins: dict[str, list[Part]] = {}
    for part in own:
        begins.setdefault(_begins(part), []).append(part)
    for begin, parts in begins.items():
        lines = f"FROM _lines WHERE _artifact IN {ids(parts)}"
        if begin == "true":
            con.execute(f"INSERT INTO _staged SELECT _artifact, _line, text, _span, envelope_ms {lines} AND NOT {BLANK}")
        else:
            filled = f"* REPLACE (CASE WHEN {BLANK} THEN '' ELSE text END AS text)"
            con.execute(f"CREATE OR REPLACE TEMP TABLE _marked AS SELECT {filled}, coalesce({begin}, false) AS begins {lines}")
            con.execute(_JOIN_LINES, {"longest": MAX_RECORD_LINES})
            con.execute("DROP TABLE _marked")


_JOIN_LINES = """INSERT INTO _staged
WITH heads AS (SELECT * FROM _marked WHERE begins),
    followers AS (
        SELECT f.*, h._line AS head, lag(f._line) OVER (PARTITION BY f._artifact ORDER BY f._line) AS before
        FROM (SELECT * FROM _marked WHERE NOT begins) f
        ASOF LEFT JOIN heads h ON f._artifact = h._artifact AND f._line > h._line),
    placed AS (
        SELECT *, greatest(head, max(CASE WHEN before IS DISTINCT FROM _line - 1 AND head IS DISTINCT FROM _line - 1 THEN _line END)
            OVER (PARTITION BY _artifact ORDER BY _line)) AS record
        FROM followers),
    members AS (
        SELECT _artifact, _line, text, envelope_ms, record FROM placed
        UNION ALL
        SELECT _artifact, _line, text, envelope_ms, _line FROM heads SEMI JOIN placed ON
            heads._artifact = placed._artifact AND heads._line = placed.record),
    bounds AS (SELECT *, (_line - record) // $longest AS piece, CASE WHEN text <> '' THEN _line END AS filled FROM members)
SELECT _artifact, _line, text, 1, envelope_ms FROM heads ANTI JOIN placed ON
    heads._artifact = placed._artifact AND heads._line = placed.record WHERE text <> ''
UNION ALL
SELECT _artifact, min(filled), trim(string_agg(text, chr(10) ORDER BY _line), chr(10)), max(filled) - min(filled) + 1, min(envelope_ms)
FROM bounds GROUP BY _artifact, record, piece HAVING count(filled) > 0"""
"""A record is a head with the lines that follow it; where one in between was taken by another format or refused, a new one begins."""


def _begins(part: Part) -> str:
    """The condition under which a line of the part begins a record; ``true`` where every line is one."""
    if part.identity.shape == "document" or not (head := heads(part)):
        return "true"
    if part.identity.shape == "export":
        alone = len({one[1:3] for one in part.streams}) <= 1
        goes_on = f" AND NOT regexp_matches(text, {quoted(GOES_ON)})" if alone else ""
        if "postgres_log" in (part.format, *part.others):
            own = "" if alone else f" AND {_WRITER} = lag({_WRITER}) OVER (PARTITION BY _artifact ORDER BY _line)"
            follows = f"regexp_matches(text, {quoted(COMPANION)}) AND NOT regexp_matches(text, {quoted(MESSAGE)})"
            goes_on += f" AND NOT coalesce({follows}{own}, false)"
        return f"envelope_ms IS NOT NULL{goes_on}"
    opens = f"regexp_matches(text, {quoted('^(?:' + head + ')')})"
    if above := lead(part):
        led = f"lag(regexp_matches(text, {quoted('^(?:' + above + ')')})) OVER (PARTITION BY _artifact ORDER BY _line)"
        return f"{opens} AND NOT coalesce({led}, false)"
    return opens
