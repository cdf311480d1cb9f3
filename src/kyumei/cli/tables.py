"""``kyumei tables``: what lies in a case, table by table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kyumei.cli.investigate import Cache, Folder, Json, Verbose
from kyumei.cli.listing import print_json, print_rows
from kyumei.cli.progress import progress

EPILOG = "\b\nExample:\n  kyumei tables ./logs"


def tables(
    path: Folder,
    as_json: Json = False,  # noqa: FBT002 - a switch of the command line
    unread: Annotated[bool, typer.Option("--unread", help="Only tables with lines that could not be read.")] = False,  # noqa: FBT002 - a switch of the command line
    cache: Cache = None,
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """Show which tables a folder holds: files, rows, unread lines, from when to when, and in which zone."""
    from kyumei import api  # noqa: PLC0415 - the engine is loaded only where it is used

    with progress(f"reading {path}"):
        found = [row for row in api.tables(Path(path), cache=cache) if row["unread"] or not unread]
    if as_json:
        print_json(found)
    elif found:
        print_rows(("TABLE", "FILES", "ROWS", "UNREAD", "START", "END", "ZONE"), [_cells(row) for row in found])
    else:
        sys.stderr.write("every line was read\n" if unread else f"no file in {path} holds a line\n")
    return 0


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A table as a line of the list; files that no format claims stand under no table."""
    zone = f"{row['zone'] or ''}{' (inferred)' if row['zone_inferred'] else ''}"
    counts = (f"{row[name]:,}" for name in ("files", "rows", "unread"))
    return (row["table"] or "(no format)", *counts, row["start"] or "", row["end"] or "", zone)
