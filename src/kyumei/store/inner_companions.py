"""What PostgreSQL says behind a message, where a host log or a journal passes each line on as a record of its own.

To syslog PostgreSQL hands a message in parts, each with the number of the message and its own, ``[7-2]``: one for each line, and where a
line is long one for each piece of it. What it writes to the standard error has no such numbers, but the prefix of a DETAIL or STATEMENT is
that of its message, time and process included; a line that goes on opens with a tab.

Follows "syslog_sequence_numbers" and "syslog_split_messages" in the chapter "Error Reporting and Logging" of PostgreSQL's manual.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Refused
from kyumei.discover import format_of
from kyumei.layouts.companions import COLUMN_OF
from kyumei.store.companion_events import writer_of
from kyumei.store.narrow import rows_of_all
from kyumei.store.rows import insert_rows
from kyumei.store.stage import insert_tuples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import duckdb

OWN = "postgres_log"
HELD = 256
"""Messages whose further lines are waited for: those of as many processes may stand between each other."""
_LONGEST = 1024 * 1024
"""Characters to which a message is put together."""
_FETCHED = 10_000
_PART = re.compile(r"\[([0-9]{1,20})(?:-([0-9]{1,9}))?\] ", re.ASCII)
_BARE = re.compile(rf"(?:{'|'.join(COLUMN_OF)}):  ?", re.ASCII)
_MAY_BE = "(starts_with(program, 'postgres') OR contains(message, ':  ') OR starts_with(message, chr(9)))"
"""SQL: what is cheap to ask of every record, and true of those that hold a line of PostgreSQL."""

Key = tuple[Any, ...]


@dataclass
class Message:
    """A message with its lines: where each stands in which file, and what the outer record of the first one says."""

    artifact: int
    text: str
    program: str
    sent: datetime | None
    clock: int
    process: int | None
    lines: list[int] = field(default_factory=list)


def put_together(
    con: duckdb.DuckDBPyConnection, outer: str, process: str, finished: Callable[[dict[str, Any], Message], dict[str, Any]]
) -> None:
    """Replace the rows of the lines of a message by one of the whole message, in files that hold any.

    ``process`` is the column of ``outer`` for who wrote its records; ``finished`` gives a row what its outer record says.
    """
    found = con.execute(
        f"SELECT _artifact, _line, rtrim(message, chr(10)), coalesce(program, ''), \"time\", _naive, {process} "
        f"FROM {rows_of_all(con, outer)} WHERE _via IS NULL AND message IS NOT NULL AND {_MAY_BE} "
        f"AND _artifact IN (SELECT _artifact FROM \"{OWN}\" WHERE _via = '{outer}') ORDER BY 1, 2"
    )
    leaf = format_of(OWN)
    rows: list[dict[str, Any]] = []
    taken: list[tuple[int, int]] = []
    for message in list(_messages(found)):
        row = leaf.layout.read(message.text) if leaf.sniff(message.text, message.program) else None
        if row is None or isinstance(row, Refused):
            continue
        rows.append({**finished(row, message), "_artifact": message.artifact, "_line": message.lines[0], "_span": 1, "_via": outer})
        taken += [(message.artifact, line) for line in message.lines]
    if rows:
        con.execute("CREATE OR REPLACE TEMP TABLE _taken (artifact INTEGER, line BIGINT)")
        insert_tuples(con, "_taken", taken, ("INTEGER", "BIGINT"))
        con.execute(f"DELETE FROM \"{OWN}\" o USING _taken t WHERE o._artifact = t.artifact AND o._line = t.line AND o._via = '{outer}'")
        insert_rows(con, leaf.table, rows)


def _goes_on(text: str) -> bool:
    """Whether a line without a prefix belongs to a message above it."""
    return text.startswith("\t") or _BARE.match(text) is not None


def _placed(whole: str, room: Key, last: dict[Key, Key]) -> tuple[Key, bool, str]:
    """By what the message of a line is known, whether the line follows in it, and the line; one without a prefix follows the last one."""
    part = _PART.match(whole)
    text = whole[part.end() :] if part else whole
    told = writer_of(text)
    key: Key = room
    if part and part[2]:
        key, follows = (*room, part[1]), part[2] != "1"
    elif told:
        key, follows = (*room[:2], *told.writer), not told.is_message
    else:
        follows = _goes_on(text)
        key = last.get(room, room) if follows else room
    last[room] = key
    # A piece of a long line opens with the blank at which it was cut.
    return key, follows, f"\n{text}" if follows and (told or _goes_on(text)) else text


def _messages(found: duckdb.DuckDBPyConnection) -> Iterator[Message]:
    """The messages of more than one line, as they are whole or nothing more is waited for."""
    held: dict[Key, Message] = {}
    last: dict[Key, Key] = {}
    while batch := found.fetchmany(_FETCHED):
        for artifact, line, whole, program, sent, clock, process in batch:
            key, follows, text = _placed(whole, (artifact, program, process), last)
            if not follows:
                done = [held.pop(key)] if key in held else []
                held[key] = Message(artifact, text, program, sent, clock, process, [line])
                done += [held.pop(next(iter(held)))] if len(held) > HELD else []
                yield from (message for message in done if len(message.lines) > 1)
            elif key in held and len(held[key].text) + len(text) <= _LONGEST:
                held[key].text += text
                held[key].lines.append(line)
    yield from (message for message in held.values() if len(message.lines) > 1)
