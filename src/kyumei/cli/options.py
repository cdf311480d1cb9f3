"""The arguments and options that several verbs share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kyumei.errors import InputError
from kyumei.report.escape import visible


def _named(path: str) -> str:
    """A path that is not empty: a shell's variable that is not set must not stand for the folder one happens to be in."""
    if not path.strip():
        message = "no path was given: it is empty"
        raise InputError(message, "give the folder that holds the logs, or one log file")
    return path


def _cache(folder: Path | None) -> Path | None:
    """A folder for what is derived: refused where it is a file, told where it cannot be written, for then nothing is kept."""
    if folder is None:
        return None
    if folder.exists() and not folder.is_dir():
        message = f"--cache {folder} is a file, not a folder"
        raise InputError(message, "name a folder; it is made where there is none")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.stderr.write(f"note: --cache {visible(str(folder))} cannot be written ({error.strerror}): nothing is kept for the next run\n")
    return folder


Folder = Annotated[
    str,
    typer.Argument(metavar="PATH", help="A folder of logs and AWS answers, or one log file.", show_default=False, callback=_named),
]
Html = Annotated[str | None, typer.Option("--html", metavar="FILE", help="Also write the report as one self-contained HTML file.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the report as Markdown.")]
File = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write the report to FILE; .json, .md, .html and .txt choose the form. - is standard output."
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Keep what is derived here instead of in the user's cache folder.", callback=_cache),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show where an internal error happened.")]
