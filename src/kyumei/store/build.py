"""Reads the files of a case into its tables: looked at first, then read, and each format parsed as soon as all its files are read.

While the database parses one format, the files of the next are searched.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from kyumei.store.compact import SHARE
from kyumei.store.filled import note_filled
from kyumei.store.keys import told_by
from kyumei.store.memory import memory
from kyumei.store.narrow import join_narrow
from kyumei.store.parse import create_records, parse_format, parse_rest
from kyumei.store.part import as_looked_at, heads
from kyumei.store.pick import look_at, read_parts, spare_small, text_size
from kyumei.store.side_by_side import side_by_side
from kyumei.store.walk import quoted_path

MANY_LINES = 8
"""How many times longer than others records of several lines take to parse: each line may begin one, in many ways."""

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from datetime import timedelta

    import duckdb

    from kyumei.model.artifact import Artifact
    from kyumei.model.window import Window
    from kyumei.store.asked import Asked
    from kyumei.store.identify import Identity
    from kyumei.store.parse import Fresh
    from kyumei.store.part import Part
    from kyumei.store.pick import Looked
    from kyumei.store.settings import Settings


def build(  # noqa: PLR0913 - what a case depends on
    made: Future[Fresh],
    artifacts: Sequence[Artifact],
    settings: Settings,
    only: Window | Asked | None,
    offsets: Callable[[Identity], tuple[timedelta, ...]],
    looked: Looked | None = None,
) -> list[Part]:
    """Fill the tables of a case; one Part for each file or archive member.

    ``made`` is the database with its empty tables, which may still be in the making; ``looked`` is what a look at all files told, if there
    was one.

    Of large files only the records around a window are read, or those that a question asks for.

    All files are looked at before the first is read: a zone met in one is a hint for all others.
    """
    if looked is None:
        looked = look_at(artifacts, settings)
    else:
        names = {artifact.name for artifact in artifacts}
        looked = [(artifact, [as_looked_at(part) for part in own]) for artifact, own in looked if artifact.name in names]
    con, tables = made.result()
    parts = [part for _, own in looked for part in own]
    spare_small(parts)
    hints = tuple(sorted({offset for part in parts for offset in offsets(part.identity)}))
    reading = _Reading(looked, only, hints, tables)
    side_by_side(con, [partial(reading.read, number) for number in reading.order])
    tables.result()
    side_by_side(con, [partial(parse_format, name=name, own=own) for name, own in reading.unparsed().items()])
    parse_rest(con, parts)
    join_narrow(con)
    note_filled(con)
    create_records(con)
    _keep_artifacts(con, parts)
    return parts


def _cost(part: Part) -> int:
    """What it takes to parse a part, roughly, in bytes of records that are one line each."""
    return text_size(part.artifact) * (MANY_LINES if heads(part) else 1)


class _Reading:
    """What was looked at, and how many files of each format are still to be read before it can be parsed."""

    def __init__(self, looked: Looked, only: Window | Asked | None, hints: tuple[timedelta, ...], tables: Future[None]) -> None:
        self._looked = looked
        self._only = only
        self._hints = hints
        self._tables = tables
        self._lock = Lock()
        self._parsed: set[int] = set()
        self._documents: dict[str, list[Part]] = {}
        self._by_format: dict[str, list[Part]] = {}
        for _, parts in looked:
            for part in parts:
                if part.format is not None:
                    self._by_format.setdefault(part.format, []).append(part)
        self._unread = len(looked)
        self._waiting = Counter({name: len(parts) for name, parts in self._by_format.items()})
        self.order = self._ordered()
        """The artifacts in the order in which to read them."""
        left = 0
        for number in reversed(self.order):
            for part in looked[number][1]:
                part.alone = text_size(part.artifact) > left
            left += text_size(looked[number][0])

    def _ordered(self) -> list[int]:
        """The artifacts of one format together, first what takes longest to parse."""
        costs = {name: sum(_cost(part) for part in parts) for name, parts in self._by_format.items()}
        named = [next((part.format for part in parts if part.format is not None), "") for _, parts in self._looked]
        return sorted(range(len(self._looked)), key=lambda number: (-costs.get(named[number], 0), named[number], number))

    def read(self, number: int, con: duckdb.DuckDBPyConnection) -> None:
        """Read one artifact, then parse the formats of which it was the last."""
        artifact, parts = self._looked[number]
        names = [part.format for part in parts if part.format is not None]  # of a document it is known only once it is read
        if any(part.wanted for part in parts):
            read_parts(con, artifact, parts, self._only, self._hints)
        with self._lock:
            self._unread -= 1
            self._waiting.subtract(names)
            ready = [name for name in dict.fromkeys(names) if not self._waiting[name]]
            self._parsed.update(part.artifact.number for name in ready for part in self._by_format[name])
            batches = self._batches([part for part in parts if part.format is not None and part.format not in names])
        for name, batch in (*((name, self._by_format[name]) for name in ready), *batches.items()):
            self._tables.result()
            parse_format(con, name, batch)

    def _batches(self, parts: Sequence[Part]) -> dict[str, list[Part]]:
        """By format the documents that wait to be parsed, with these, once there are enough of them or nothing is left to be read."""
        for part in parts:
            self._documents.setdefault(str(part.format), []).append(part)
        sizes = {name: sum(text_size(one.artifact) for one in waiting) for name, waiting in self._documents.items()}
        found = {name: self._documents.pop(name) for name, size in sizes.items() if not self._unread or size >= memory() // SHARE}
        self._parsed.update(one.artifact.number for waiting in found.values() for one in waiting)
        return found

    def unparsed(self) -> dict[str, list[Part]]:
        """By format the parts that turned out to be of it only while they were read."""
        found: dict[str, list[Part]] = {}
        for _, parts in self._looked:
            for part in parts:
                if part.format is not None and part.artifact.number not in self._parsed:
                    found.setdefault(part.format, []).append(part)
        return found


def _keep_artifacts(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """The table ``artifacts``: what each file is, what its key tells, how much of it was read, and what was wrong with it."""
    con.execute(
        "CREATE TABLE artifacts (artifact INTEGER, name VARCHAR, path VARCHAR, member VARCHAR, size BIGINT, compression VARCHAR, "
        "shape VARCHAR, format VARCHAR, whole BOOLEAN, passed_over BOOLEAN, trouble VARCHAR, modified TIMESTAMP, offsets INTEGER[], "
        "account VARCHAR, region VARCHAR, resource VARCHAR)"
    )
    rows = [
        {
            "artifact": part.artifact.number,
            "name": part.artifact.name,
            "path": quoted_path(part.artifact.path),
            "member": part.artifact.member,
            "size": part.artifact.size,
            "compression": part.artifact.compression,
            "shape": part.identity.shape,
            "format": part.format,
            "whole": part.whole,
            "passed_over": part.passed_over,
            "trouble": part.trouble,
            "modified_us": part.artifact.modified_ns // 1000,
            "offsets": sorted(int(offset.total_seconds()) for offset in part.identity.offsets),
            "account": told.account or None,
            "region": told.region or None,
            "resource": told.resource or None,
        }
        for part in parts
        for told in (told_by(part.artifact.name),)
    ]
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    if columns:
        texts = {"account": "::VARCHAR[]", "region": "::VARCHAR[]", "resource": "::VARCHAR[]"}  # a list of nothing but nulls has no type
        given = ", ".join(
            "make_timestamp(unnest($modified_us))" if name == "modified_us" else f"unnest(${name}{texts.get(name, '')})" for name in columns
        )
        con.execute(f"INSERT INTO artifacts SELECT {given}", columns)
