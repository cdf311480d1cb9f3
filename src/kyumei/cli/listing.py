"""Lists for people: columns side by side, in plain text, as fit for a pipe as for a screen."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from kyumei.errors import InputError
from kyumei.report.escape import for_json, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a heading and rows, each column as wide as its widest cell; the last is not padded."""
    lines = [tuple(columns), *(tuple(visible(cell) for cell in row) for row in rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    for line in lines:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print a value as indented JSON."""
    sys.stdout.write(for_json(json.dumps(value, ensure_ascii=False, indent=2)) + "\n")


def named(leaves: Mapping[str, Any], name: str, kind: str) -> Any:  # noqa: ANN401 - a leaf of whichever shelf
    """The leaf of that name, or an error that names the nearest."""
    if name in leaves:
        return leaves[name]
    from difflib import get_close_matches  # noqa: PLC0415 - only a wrong name pays for it

    near = get_close_matches(name, leaves, n=1)
    message = f"there is no {kind} {name!r}"
    raise InputError(message, (f"did you mean {near[0]}? " if near else "") + f"kyumei {kind}s lists them all")


def first_sentence(doc: str | None) -> str:
    """The first line of a docstring without its full stop."""
    return (doc or "").strip().split("\n", 1)[0].rstrip(".")
