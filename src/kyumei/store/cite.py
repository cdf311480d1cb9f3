"""Fetches the raw line that a record came from, exactly as it stands in the (decompressed) file."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kyumei.model.finding import Citation
from kyumei.store.lines import batches
from kyumei.store.unpack import members
from kyumei.store.walk import artifact_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kyumei.store.case import Case
    from kyumei.store.lines import Batch

REMEMBERED = 16 * 1024 * 1024
"""Bytes of a file whose lines are kept in memory while its records are cited."""
LONG = 64 * 1024
"""Characters up to which a line is cited whole; of a longer one (a document without line breaks) the cited record is cited."""


def cite(case: Case, row: Mapping[str, Any]) -> Citation:
    """The citation of a row, found by its _artifact and _line (and by its own ids where several records start on one line)."""
    known = case.rows("SELECT name, path, member, shape FROM artifacts WHERE artifact = ?", [row["_artifact"]])[0]
    texts = [
        str(one["text"])
        for one in case.rows("SELECT text FROM _records WHERE _artifact = ? AND _line = ?", [row["_artifact"], row["_line"]])
    ]
    record = _own_text(row, texts)
    if known["shape"] == "lines" and record:
        first, more, _ = record.partition("\n")
        return Citation(known["name"], row["_line"], first, record if more else "")
    line = _raw_line(known["path"], known["member"], row["_line"])
    if len(line) > LONG:
        inside = json.dumps(record, ensure_ascii=False)[1:-1]
        line = next((form for form in (record, inside) if form and form in line), line)
    return Citation(known["name"], row["_line"], line, record if record != line else "")


def _own_text(row: Mapping[str, Any], texts: Sequence[str]) -> str:
    """The record among several that start on one line of a document: the one that holds the row's own ids."""
    if len(texts) <= 1:
        return texts[0] if texts else ""
    marks = [str(row[name]) for name in ("request_id", "trace_id", "path", "client_ip") if row.get(name)]
    return next((text for text in texts if all(mark in text for mark in marks)), texts[0])


def _raw_line(path: str, member: str, wanted: int) -> str:
    artifact = artifact_at(path)
    if artifact.size <= REMEMBERED:
        lines = _lines_of(path, member, artifact.modified_ns)
        return lines[wanted - 1] if 0 < wanted <= len(lines) else ""
    for batch in _batches(path, member):
        if batch.first <= wanted < batch.first + len(batch.lines):
            return batch.lines[wanted - batch.first]
    return ""


@lru_cache(maxsize=4)
def _lines_of(path: str, member: str, _modified_ns: int) -> tuple[str, ...]:
    """All lines of a small file; several citations of one document follow each other."""
    return tuple(line for batch in _batches(path, member) for line in batch.lines)


def _batches(path: str, member: str) -> Iterator[Batch]:
    for name, _, stream in members(artifact_at(path)):
        if name == member:
            yield from batches(stream.chunks())
            return
