"""``kyumei query``: a question in SQL over the logs of a folder, answered as a list, as JSON or as CSV."""

from __future__ import annotations

import csv
import json
import re
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kyumei.cli.options import Cache, Folder, Verbose  # noqa: TC001 - Typer reads them at run time
from kyumei.cli.progress import progress
from kyumei.errors import InputError, QueryError
from kyumei.report.escape import for_json, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

EPILOG = (
    "\b\nExamples:\n  kyumei query --sql 'SELECT status, count(*) AS n FROM alb_access GROUP BY 1 ORDER BY 2 DESC' ./logs\n"
    "  kyumei query --sql 'SELECT time, path, _artifact, _line FROM waf LIMIT 5' --json ./logs\n\n"
    "\b\nkyumei tables PATH lists the tables, kyumei formats NAME the columns of one."
)
MEASURED = 1_000
"""Rows by whose cells the widths of columns are chosen; a wider cell further down pushes the rest of its line to the right."""
WIDEST = 200
"""Characters beyond which no column is padded: one long line of a log would blow up all the others."""
HELD = 16 * 1024 * 1024
"""Characters of rows that are held for their widths, about."""
LONGEST = 1_000_000
"""Seconds that ``--timeout`` may say: more than eleven days."""
PIECE = 1024 * 1024
"""Characters written at once: a cell may be as large as the memory bears, and each copy of it counts."""
Moment = Annotated[str | None, typer.Option(metavar="TIME", help="Read large logs only around this time; ISO 8601 with its offset or Z.")]


def query(  # noqa: PLR0913 - each is an option of the command line
    path: Folder,
    sql: Annotated[str | None, typer.Option("--sql", metavar="SELECT", help="The question, in the SQL of DuckDB.")] = None,
    start: Moment = None,
    end: Moment = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print an array of rows; what is null is left out.")] = False,  # noqa: FBT002 - a switch of the command line
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a heading.")] = False,  # noqa: FBT002 - a switch of the command line
    timeout: Annotated[
        int,
        typer.Option("--timeout", metavar="SECONDS", min=0, max=LONGEST, help="Give up a question that takes longer; 0: never."),
    ] = 300,
    cache: Cache = None,
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """Ask the logs in a folder a question in SQL.

    Every row carries its lineage: _artifact is the number of its file in the table artifacts, _line the line on which it starts. The
    question can read nothing but the folder's tables, and write nothing.
    """
    if not (sql or "").strip():
        message = "there is no question"
        raise QueryError(message, "ask one with --sql 'SELECT ...'")
    if as_json and as_csv:
        message = "--json and --csv ask for two forms of one answer"
        raise InputError(message, "choose one")
    first, last = _moment("--start", start), _moment("--end", end)
    if (first is None) != (last is None):
        message = "--start and --end go together"
        raise InputError(message, "say both, or neither")
    if first and last and last < first:
        message = f"--end {end} lies before --start {start}"
        raise InputError(message, "swap them")
    from kyumei import api  # noqa: PLC0415 - the engine is loaded only where it is used

    form = _write_json if as_json else _write_csv if as_csv else _write_list
    with ExitStack() as opened:
        with progress(f"reading {path}"):
            answer = opened.enter_context(api.query(Path(path), sql or "", start=first, end=last, seconds=timeout or None, cache=cache))
        form(answer.columns, answer.rows)
    return 0


def _moment(option: str, said: str | None) -> datetime | None:
    """The time that an option gives. Refused: what is none, or does not say its zone."""
    if said is None:
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        message = f"{option} {said!r} is no time"
        raise InputError(message, "write it as 2025-02-06T14:30:00+09:00") from None
    if moment.tzinfo is None:
        message = f"{option} {said!r} does not say its zone"
        raise InputError(message, f"write {said}Z for UTC, or {said}+09:00")
    return moment


def _write_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """An array with a row on each line."""
    between = "["
    for row in rows:
        found = {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        _put(f"{between}\n")
        _put(for_json(json.dumps(found, ensure_ascii=False)))
        between = ","
    _put("[]\n" if between == "[" else "\n]\n")


def _write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV as of RFC 4180; lists and objects are JSON, null is empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    safe = visible if sys.stdout.isatty() else str
    writer.writerow([safe(name) for name in columns])
    for row in rows:
        cells = ["" if value is None else safe(_text(value)) for value in row]
        if sum(map(len, cells)) <= PIECE:
            writer.writerow(cells)
            continue
        for number, cell in enumerate(cells):  # the writer would hold such a row four times over
            _put("," if number else "")
            _put(f'"{cell.replace(chr(34), 2 * chr(34))}"' if _QUOTED.search(cell) else cell)
        _put("\n")


_QUOTED = re.compile('[,"\r\n]')


def _write_list(columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    """Columns side by side, as wide as the first rows need."""
    first: list[tuple[str, ...]] = []
    held = 0
    while len(first) < MEASURED and held < HELD and (row := next(rows, None)) is not None:
        first.append(_cells(row))
        held += sum(map(len, first[-1]))
    heading = tuple(visible(name) for name in columns)
    widths = [max(min(len(line[number]), WIDEST) for line in [heading, *first]) for number in range(len(columns))]
    first.reverse()
    _put_line(heading, widths)
    while first:
        _put_line(first.pop(), widths)
    for row in rows:
        _put_line(_cells(row), widths)


def _put_line(cells: Sequence[str], widths: Sequence[int]) -> None:
    """One line of the list, without blanks at its end."""
    if sum(map(len, cells)) <= PIECE:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() + "\n")
        return
    for cell, width in zip(cells, widths, strict=True):
        _put(cell)
        sys.stdout.write(" " * (max(0, width - len(cell)) + 2))
    sys.stdout.write("\n")


def _put(text: str) -> None:
    """Write a text piece by piece."""
    if len(text) <= PIECE:
        sys.stdout.write(text)
        return
    for start in range(0, len(text), PIECE):
        sys.stdout.write(text[start : start + PIECE])


def _cells(row: Sequence[Any]) -> tuple[str, ...]:
    return tuple("" if value is None else visible(_text(value)) for value in row)


def _text(value: Any) -> str:  # noqa: ANN401 - any value of an answer
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
