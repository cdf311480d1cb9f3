"""Fetches the raw line that a record came from, exactly as it stands in the (decompressed) file."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from kyumei.layouts.json_places import value_at
from kyumei.model.finding import Citation
from kyumei.store.lines import batches
from kyumei.store.unpack import members
from kyumei.store.walk import artifact_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kyumei.store.case import Case
    from kyumei.store.lines import Batch

REMEMBERED = 16 * 1024 * 1024
"""Bytes of a file whose lines are kept in memory while its records are cited."""
LONG = 64 * 1024
"""Characters up to which a line is cited whole; of a longer one (a document without line breaks) the cited record is cited."""


def cite(case: Case, row: Mapping[str, Any]) -> Citation:
    """The citation of a row, found by its _artifact and _line (and by its own ids where several records start on one line)."""
    return cite_all(case, [row])[0]


def cite_all(case: Case, rows: Sequence[Mapping[str, Any]]) -> list[Citation]:
    """The citations of rows, in their order; many at once cost hardly more than one."""
    if not rows:
        return []
    numbers = sorted({row["_artifact"] for row in rows})
    files = {
        file["artifact"]: file
        for file in case.rows(
            "SELECT artifact, name, path, member, shape FROM artifacts WHERE list_contains(?::INTEGER[], artifact)", [numbers]
        )
    }
    texts: dict[Place, list[str]] = {}
    for one in case.rows(f"SELECT _artifact, _line, text FROM _records JOIN {AT_PLACES}", places(rows)):
        texts.setdefault(place(one), []).append(str(one["text"]))
    records = [_own_text(row, texts.get(place(row), ())) for row in rows]
    wanted: dict[int, set[int]] = {}
    for row, record in zip(rows, records, strict=True):
        if files[row["_artifact"]]["shape"] != "lines" or not record:
            wanted.setdefault(row["_artifact"], set()).add(row["_line"])
    raw = {artifact: _raw_lines(files[artifact]["path"], files[artifact]["member"], lines) for artifact, lines in wanted.items()}
    return [_citation(files[row["_artifact"]], row["_line"], record, raw) for row, record in zip(rows, records, strict=True)]


def _citation(file: Mapping[str, Any], line: int, record: str, raw: Mapping[int, Mapping[int, str]]) -> Citation:
    """One citation: the record itself where it stands so in the file, else the line on which it starts, with what opens there."""
    if file["shape"] == "lines" and record:
        first, more, _ = record.partition("\n")
        return Citation(file["name"], line, first, record if more else "")
    text = raw[file["artifact"]].get(line, "")
    if file["shape"] != "lines" and record in {"", text} and text.rstrip().endswith(("{", "[")):
        record = _opened_on(file["path"], file["member"], line)
    if len(text) > LONG:
        inside = json.dumps(record, ensure_ascii=False)[1:-1]
        text = next((form for form in (record, inside) if form and form in text), text)
    return Citation(file["name"], line, text, record if record != text else "")


def identity(row: Mapping[str, Any]) -> tuple[object, ...]:
    """What tells rows apart as far as their citations go: rows with equal ones are cited alike."""
    return (*place(row), *(row.get(name) for name in MARKS))


MARKS = ("request_id", "trace_id", "path", "client_ip")
"""Columns by which a record is known among several that start on one line."""
Place = tuple[int, int]
"""Where a record starts: the number of its file, and the line."""
AT_PLACES = "(SELECT unnest(?::BIGINT[]) AS _artifact, unnest(?::BIGINT[]) AS _line) USING (_artifact, _line)"
"""SQL to join with, so that one query finds the records at many ``places``."""


def place(row: Mapping[str, Any]) -> Place:
    """Where a row's record starts."""
    return (row["_artifact"], row["_line"])


def places(rows: Iterable[Mapping[str, Any]]) -> tuple[list[int], list[int]]:
    """The places of rows, each once, as the two parameters of ``AT_PLACES``."""
    found = sorted({place(row) for row in rows})
    return [artifact for artifact, _ in found], [line for _, line in found]


def _own_text(row: Mapping[str, Any], texts: Sequence[str]) -> str:
    """The record among several that start on one line of a document: the one that holds the row's own ids."""
    if len(texts) <= 1:
        return texts[0] if texts else ""
    marks = [str(row[name]) for name in MARKS if row.get(name)]
    return next((text for text in texts if all(mark in text for mark in marks)), texts[0])


def _raw_lines(path: str, member: str, wanted: Collection[int]) -> dict[int, str]:
    """Lines of a file by their numbers; a large one is read once for all of them, as far as the last."""
    artifact = artifact_at(path)
    if artifact.size <= REMEMBERED:
        lines = _lines_of(path, member, artifact.modified_ns)
        return {number: lines[number - 1] for number in wanted if 0 < number <= len(lines)}
    found: dict[int, str] = {}
    for batch in _batches(path, member):
        end = batch.first + len(batch.lines)
        found.update((number, batch.lines[number - batch.first]) for number in wanted if batch.first <= number < end)
        if len(found) == len(wanted):
            break
    return found


@lru_cache(maxsize=4)
def _lines_of(path: str, member: str, _modified_ns: int) -> tuple[str, ...]:
    """All lines of a small file; several citations of one document follow each other."""
    return tuple(line for batch in _batches(path, member) for line in batch.lines)


def _opened_on(path: str, member: str, line: int) -> str:
    """The JSON value that opens on a line of a document and goes on below, as it stands there; empty where there is none."""
    artifact = artifact_at(path)
    if artifact.size > REMEMBERED:
        return ""
    text, starts = _text_of(path, member, artifact.modified_ns)
    begin = _OPENING.search(text, *starts[line - 1 : line + 1]) if line < len(starts) else None
    try:
        return text[begin.start() : value_at(text, begin.start())[1]] if begin else ""
    except (ValueError, RecursionError):
        return ""


_OPENING = re.compile(r"[{\[]")


@lru_cache(maxsize=1)
def _text_of(path: str, member: str, modified_ns: int) -> tuple[str, tuple[int, ...]]:
    """The lines of a small file as one text, and where in it each starts; the last number is its end."""
    lines = _lines_of(path, member, modified_ns)
    return "\n".join(lines), (0, *accumulate(len(line) + 1 for line in lines))


def _batches(path: str, member: str) -> Iterator[Batch]:
    for name, _, stream in members(artifact_at(path)):
        if name == member:
            yield from batches(stream.chunks())
            return
