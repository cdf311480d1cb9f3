"""The command ``kyumei``: its verbs, and how it ends.

Data goes to standard output, talk to standard error. Every error that is not a fault of ours is one line and a hint. Nothing heavy is
imported before a verb needs it, so that help is there at once.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
import typer.main

import kyumei
from kyumei.cli import demo, formats, investigate, query, rules, tables
from kyumei.cli.mistyped import meant
from kyumei.errors import KyumeiError, PathError

if TYPE_CHECKING:
    from collections.abc import Sequence

WRONG = 2
"""The command or its input was wrong; also a fault of ours."""
COLLECT_AFTER = 500_000
"""New objects before cycles among them are looked for: a run makes millions, hardly a cycle, and the search took a tenth of its time."""
INTERRUPTED = 130
"""Somebody pressed Ctrl-C, or closed the pipe that we wrote to."""

app = typer.Typer(
    name="kyumei",
    help="Find the root cause of a failure on AWS from its logs and configuration, and show the evidence line by line.",
    epilog="\b\nExample:\n  kyumei investigate ./logs --symptom '403 on GET /app/admin at 2025-02-06 14:32 JST'\n\n"
    "\b\nExit codes:\n  0 done, nothing wrong found    1 a cause was found\n  2 the command or the input was wrong\n"
    "  3 AWS, an engine or a database could not be reached",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("investigate", epilog=investigate.EPILOG)(investigate.investigate)
app.command("demo", epilog=demo.EPILOG)(demo.demo)
app.command("tables", epilog=tables.EPILOG)(tables.tables)
app.command("query", epilog=query.EPILOG)(query.query)
app.command("formats", epilog=formats.EPILOG)(formats.formats)
app.command("rules", epilog=rules.EPILOG)(rules.rules)
VERBS = frozenset(command.name for command in app.registered_commands if command.name)


def _version(asked: bool) -> None:  # noqa: FBT001 - Typer calls it with the value of the option
    """Print the version and leave."""
    if asked:
        sys.stdout.write(f"kyumei {kyumei.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,  # noqa: FBT002 - an eager option acts by its callback
) -> None:
    """Take the options that stand before a verb."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with the arguments (those of the process unless given) and answer its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    gc.set_threshold(COLLECT_AFTER)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(list(given))  # it takes the words out of the list that it is given
        sys.stdout.flush()
    except KyumeiError as error:
        hint = meant(given, VERBS) if isinstance(error, PathError) else ""
        return _refuse(error.message, hint or error.hint, error.exit_code)
    except typer.TyperException as error:
        return _refuse(error.format_message(), meant(given, VERBS) or f"{_path_of(error)} --help shows what it takes", WRONG)
    except BrokenPipeError:
        _close_quietly()
        return INTERRUPTED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: whatever went wrong inside us, the user gets one line
        return _fault(error, given)
    return code


def _run(arguments: list[str]) -> int:
    """Run the verb; what it returns is the exit code. Not Typer's own main, which would end the process by itself."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("kyumei", arguments) as context:
            code = command.invoke(context)
    except typer.Exit as leave:
        return leave.exit_code
    return code if isinstance(code, int) else 0


def _path_of(error: typer.TyperException) -> str:
    """The command whose use was wrong, as it is typed."""
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context else "kyumei"


def _refuse(message: str, hint: str, code: int) -> int:
    """One line and a hint on standard error."""
    from kyumei.report.escape import visible  # noqa: PLC0415 - only a failing command pays for it

    sys.stderr.write(f"kyumei: {visible(' '.join(message.split()))}\n")
    if hint:
        sys.stderr.write(f"hint: {visible(' '.join(hint.split()))}\n")
    return code


STOPPED = "Query interrupted"
"""What DuckDB raises as a RuntimeError where Ctrl-C meets it at work."""
OUTSIDE = {"IOException": "is the disk full?", "OutOfMemoryException": "ask about a shorter time, or free some memory"}
"""Faults of DuckDB that are the machine's, by the name of their type: the engine is not loaded for an error message."""


def _fault(error: Exception, arguments: list[str]) -> int:
    """A fault of the machine or of ours in one line; where it is only for those who ask."""
    if isinstance(error, RuntimeError) and str(error) == STOPPED:
        return INTERRUPTED
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return _refuse(f"{error.strerror or error}{where}", "did the file vanish meanwhile, or is the disk full?", WRONG)
    if type(error).__name__ in OUTSIDE:
        return _refuse(str(error).splitlines()[0], OUTSIDE[type(error).__name__], WRONG)
    if "--verbose" in arguments:
        import traceback  # noqa: PLC0415 - only a failing command pays for it

        traceback.print_exception(error)
        return _refuse(f"internal error: {type(error).__name__}: {error}", "please report this with the lines above", WRONG)
    return _refuse(f"internal error: {type(error).__name__}: {error}", "--verbose shows where", WRONG)


def _close_quietly() -> None:
    """Let standard output lead nowhere, so that nothing complains about the closed pipe when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
