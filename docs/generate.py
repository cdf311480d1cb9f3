"""Writes docs/reference from the declarations in the code, so that the pages cannot fall behind: ``make docs``.

So are the answers of the examples in the README. A test compares the pages with what stands here; undocumented is failing.
"""

from __future__ import annotations

import inspect
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from docs.demos import README, with_demos
from docs.failures import failures, table
from kyumei import discover, errors
from kyumei.model.table import LINEAGE

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parent / "reference"
MADE = "<!-- Made by `make docs` from the code. Change the declaration there, not this page. -->\n\n"


def page(name: str) -> str:
    """The text of one page of docs/reference."""
    return MADE + PAGES[name]().rstrip() + "\n"


def application() -> Any:  # noqa: ANN401 - a command group of the library under typer, which it does not name publicly
    """The command line, as a group of commands."""
    module = import_module("kyumei.cli.main")
    app = next(value for value in vars(module).values() if isinstance(value, typer.Typer))
    return typer.main.get_command(app)


def verbs() -> dict[str, Any]:
    """Every verb and its command, without the hidden ones."""
    return {name: command for name, command in application().commands.items() if not command.hidden}


def commands() -> str:
    """Every verb with its arguments and options, as the command line declares them."""
    parts = ["# Commands\n", "Options of all verbs:\n", _options(application()), ""]
    for name, command in verbs().items():
        arguments = " ".join(_argument(item) for item in command.params if item.param_type_name == "argument")
        parts += [
            f"## kyumei {name}\n",
            inspect.cleandoc(command.help or ""),
            "",
            f"    kyumei {name} {arguments}".rstrip() + "\n",
            _options(command),
            "",
        ]
    return "\n".join(parts)


def _argument(item: Any) -> str:  # noqa: ANN401 - a parameter of the library under typer
    name = item.metavar or item.name.upper()
    return name if item.required or name.startswith("[") else f"[{name}]"


def _options(command: Any) -> str:  # noqa: ANN401 - a command of the library under typer
    rows = [
        (", ".join(map(_code, (*item.opts, *item.secondary_opts))), item.help or "")
        for item in command.params
        if item.param_type_name == "option" and not item.hidden
    ]
    return table(("option", "what it does"), rows) if rows else "No options.\n"


def error_tree() -> str:
    """Every error that is raised on purpose, with its exit code."""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.KyumeiError)]
    rows = [(_code(kind.__name__), str(kind.exit_code), _line(kind.__doc__)) for kind in kinds]
    return "# Errors\n\nEach has a message of one line with the offending value, and a hint.\n\n" + table(
        ("error", "exit code", "when"), rows
    )


def formats() -> str:
    """The formats, and the columns that all their rows have."""
    lineage = table(("column", "kind", "meaning"), [(_code(column.name), column.kind.value, column.doc) for column in LINEAGE])
    rows = [(f"[{name}](formats/{name}.md)", leaf.table.doc, _code(leaf.hop)) for name, leaf in discover.formats().items()]
    listed = table(("format", "what it holds", "written by"), rows)
    return f"# Formats\n\n{listed}\nEvery row carries, besides the columns of its table:\n\n{lineage}"


def one_format(name: str) -> str:
    """A format with its columns, an example, and what its module says."""
    leaf = discover.format_of(name)
    about = inspect.cleandoc(import_module(f"kyumei.formats.{name}").__doc__ or "")
    facts = [
        f"Written by `{leaf.hop}`." if leaf.hop else "",
        f"Delivered within {leaf.delay_seconds} s." if leaf.delay_seconds else "",
        "" if leaf.complete else "Best effort: a missing record means nothing.",
        f"Follows: {leaf.reference.rstrip('.')}.",
    ]
    parts = [f"# {name}\n", about + "\n", " ".join(filter(None, facts)) + "\n"]
    rows = [(_code(column.name), column.kind.value, column.link or "", _code(column.origin), column.doc) for column in leaf.table.columns]
    parts += [table(("column", "kind", "link", "name in the log", "meaning"), rows)]
    for one in leaf.derived:
        made = [(_code(column.name), column.kind.value, column.link or "", column.doc) for column in one.table.columns]
        parts += [f"\n## {one.table.name}\n", one.table.doc + "\n", table(("column", "kind", "link", "meaning"), made)]
    return "\n".join([*parts, "\n## Example\n", "```", discover.example_of(name), "```"])


def rules() -> str:
    """Every rule with what it needs, and what it says of itself."""
    parts = ["# Rules\n", "Each name completes the sentence *the cause was: ...*\n"]
    for name, leaf in discover.rules().items():
        about = inspect.cleandoc(import_module(f"kyumei.rules.{name}").__doc__ or "")
        rows = [(word, ", ".join(map(_code, getattr(leaf, word)))) for word in ("codes", "needs", "helps", "rivals")]
        parts += [f"## {name}\n", about + "\n", table(("", ""), [row for row in rows if row[1]]), ""]
    return "\n".join(parts)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "errors.md": error_tree,
    "failures.md": failures,
    "formats.md": formats,
    "rules.md": rules,
    **{f"formats/{name}.md": partial(one_format, name) for name in discover.format_names()},
}


def main() -> int:
    """Write the pages, and the examples of the README."""
    pages = {name: page(name) for name in PAGES}  # all of them before the first old one goes
    (FOLDER / "formats").mkdir(parents=True, exist_ok=True)
    for old in (FOLDER / "formats").glob("*.md"):
        old.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, "utf-8")
    README.write_text(with_demos(README.read_text("utf-8")), "utf-8")
    sys.stderr.write(f"wrote {FOLDER} and {README}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
