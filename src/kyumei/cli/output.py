"""Where reports go and in which form: standard output, files, or both at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kyumei.errors import InputError, PathError

if TYPE_CHECKING:
    from kyumei.model.finding import Investigation

STANDARD = "-"
"""Standard output, as the name of a file."""
_BY_ENDING = {".json": "json", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html", ".txt": "text", "": "text"}


class Output(NamedTuple):
    """One report: its form (text, json, markdown, html) and the file it goes to."""

    form: str
    target: str


def plan(*, as_json: bool, as_markdown: bool, html: str | None, output: str | None) -> tuple[Output, ...]:
    """The reports that the options ask for. Refused: two forms in one place, a folder that is not there."""
    if as_json and as_markdown:
        message = "--json and --markdown ask for two forms of one report"
        raise InputError(message, "run it twice, or use --html FILE beside one of them")
    chosen = "json" if as_json else "markdown" if as_markdown else ""
    form = chosen or _form_of(output or STANDARD)
    outputs = [Output(form, output or STANDARD)]
    if html is not None:
        if html == STANDARD and not chosen and output is None:
            outputs = []
        outputs.append(Output("html", html))
    targets = [item.target for item in outputs]
    if len({target if target == STANDARD else os.path.abspath(target) for target in targets}) < len(targets):  # noqa: PTH100 - as typed, links not followed
        message = f"two reports want {'standard output' if targets[0] == STANDARD else targets[0]}"
        raise InputError(message, "give one of them another file")
    for target in targets:
        _check(target)
    return tuple(outputs)


def _form_of(target: str) -> str:
    """The form that the ending of a file's name stands for. Refused: one that stands for none, as somebody expects it to be written."""
    ending = Path(target).suffix.lower()
    if ending not in _BY_ENDING:
        message = f"no report can be written as {ending}: {target}"
        raise InputError(message, f"end the name in {', '.join(filter(None, _BY_ENDING))} or nothing (text), or add --json or --markdown")
    return _BY_ENDING[ending]


def _check(target: str) -> None:
    """Refuse a file that cannot be written before any work is done."""
    if target == STANDARD:
        return
    path = Path(target)
    if path.is_dir():
        message = f"{target} is a folder, not a file"
        raise PathError(message, f"name a file in it, such as {path / 'report.html'}")
    if not path.parent.is_dir():
        message = f"there is no folder {path.parent} to write {path.name} to"
        raise PathError(message, f"make it first: mkdir -p {path.parent}")


def deliver(investigation: Investigation, outputs: tuple[Output, ...]) -> None:
    """Write every report; a word on standard error for each file."""
    for item in outputs:
        if item.target == STANDARD:
            _to_standard_output(investigation, item.form)
            continue
        try:
            Path(item.target).write_text(_rendered(investigation, item.form), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            message = f"cannot write {item.target}: {error.strerror or error}"
            raise PathError(message, "choose another file") from error
        sys.stderr.write(f"wrote {item.target}\n")


def _to_standard_output(investigation: Investigation, form: str) -> None:
    """The report to where data goes: in colour if that is a terminal."""
    if form == "text":
        from kyumei.report.terminal import show  # noqa: PLC0415 - Rich is loaded only where a terminal report is drawn

        show(investigation, sys.stdout)
        return
    sys.stdout.write(_rendered(investigation, form))


def _rendered(investigation: Investigation, form: str) -> str:
    """The report as text in its form, ending with a line feed."""
    if form == "json":
        from kyumei.report.json_document import to_json_text  # noqa: PLC0415 - one form, one import

        return to_json_text(investigation) + "\n"
    if form == "markdown":
        from kyumei.report.markdown import to_markdown  # noqa: PLC0415 - one form, one import

        return to_markdown(investigation)
    if form == "html":
        from kyumei.report.html import to_html  # noqa: PLC0415 - one form, one import

        return to_html(investigation)
    from kyumei.report.terminal import to_text  # noqa: PLC0415 - one form, one import

    return to_text(investigation)
