"""``kyumei tables``: what lies in a case, table by table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kyumei.cli.listing import print_json, print_rows
from kyumei.cli.options import Cache, Folder, Json, Verbose  # noqa: TC001 - Typer reads them at run time
from kyumei.cli.progress import progress

EPILOG = "\b\nExample:\n  kyumei tables ./logs"
SHOWN_CHARACTERS = 120
"""So much of an unread line is listed for people."""


def tables(
    path: Folder,
    as_json: Json = False,  # noqa: FBT002 - a switch of the command line
    unread: Annotated[bool, typer.Option("--unread", help="List the lines that could not be read instead, each with why.")] = False,  # noqa: FBT002 - a switch of the command line
    cache: Cache = None,
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """Show what a folder of logs holds.

    Each table with its files, rows and unread lines, from when to when, and in which zone its clock is read.
    """
    from kyumei import api  # noqa: PLC0415 - the engine is loaded only where it is used

    with progress(f"reading {path}"):
        found = api.unread(Path(path), cache=cache) if unread else api.tables(Path(path), cache=cache)
    if as_json:
        print_json(found)
    elif not found:
        sys.stderr.write("every line was read\n" if unread else f"no file in {path} holds a line\n")
    elif unread:
        print_rows(("LINE", "WHY", "TEXT"), [(f"{row['file']}:{row['line']}", row["why"], _shortened(row["text"])) for row in found])
    else:
        print_rows(("TABLE", "FILES", "ROWS", "UNREAD", "START", "END", "ZONE"), [_cells(row) for row in found])
    return 0


def _shortened(text: str) -> str:
    """As much of an unread line as one can look over; --json has it whole."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} […{len(text) - SHOWN_CHARACTERS:,} characters…]"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A table as a line of the list; files that no format claims stand under no table, records found inside those of others in no file."""
    zone = f"{row['zone'] or ''}{' (inferred)' if row['zone_inferred'] else ''}"
    counts = (f"{count:,}" for count in (row["files"], row["rows"] + row.get("inner_rows", 0), row["unread"]))
    return (row["table"] or "(no format)", *counts, row["start"] or "", row["end"] or "", zone)
