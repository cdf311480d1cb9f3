"""``kyumei formats``: the logs that kyumei reads, and what each of their columns means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kyumei.cli.listing import named, print_json, print_rows
from kyumei.cli.options import Json, Verbose  # noqa: TC001 - Typer reads them at run time
from kyumei.report.escape import visible

if TYPE_CHECKING:
    from kyumei.contracts import Format

EPILOG = "\b\nExamples:\n  kyumei formats\n  kyumei formats waf"


def formats(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One format, with its columns.", show_default=False)] = None,
    as_json: Json = False,  # noqa: FBT002 - a switch of the command line
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """List the log formats, or show one."""
    from kyumei import discover  # noqa: PLC0415 - the shelf is opened only where it is used

    shelf = discover.formats()
    chosen = [named(shelf, name, "format")] if name else list(shelf.values())
    if as_json:
        print_json([_value(leaf) for leaf in chosen])
    elif name:
        _show(chosen[0])
    else:
        print_rows(("FORMAT", "WHAT IT HOLDS"), [(leaf.name, leaf.table.doc) for leaf in chosen])
    return 0


def _show(leaf: Format) -> None:
    """One format in words."""
    from kyumei.discover import example_of  # noqa: PLC0415 - the shelf is opened only where it is used

    sys.stdout.write(f"{leaf.name}: {leaf.table.doc}\nFollows: {leaf.reference}\n\n")
    rows = [(column.name, column.kind.value, column.link or "", column.origin, column.doc) for column in leaf.table.columns]
    print_rows(("COLUMN", "KIND", "LINK", "FIELD OF THE LOG", "MEANING"), rows)
    for one in leaf.derived:
        sys.stdout.write(f"\n{one.table.name}: {one.table.doc}\n\n")
        made = [(column.name, column.kind.value, column.link or "", column.doc) for column in one.table.columns]
        print_rows(("COLUMN", "KIND", "LINK", "MEANING"), made)
    sys.stdout.write("\nExample:\n" + "".join(f"  {visible(line)}\n" for line in example_of(leaf.name).split("\n")))


def _value(leaf: Format) -> dict[str, Any]:
    """One format for programs."""
    from kyumei.discover import example_of  # noqa: PLC0415 - the shelf is opened only where it is used

    return {
        "name": leaf.name,
        "doc": leaf.table.doc,
        "hop": leaf.hop,
        "delay_seconds": leaf.delay_seconds,
        "complete": leaf.complete,
        "reference": leaf.reference,
        "example": example_of(leaf.name),
        "columns": [
            {"name": column.name, "kind": column.kind.value, "doc": column.doc, "link": column.link, "origin": column.origin}
            for column in leaf.table.columns
        ],
    }
