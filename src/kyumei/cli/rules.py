"""``kyumei rules``: the causes that kyumei knows, and what each needs to speak."""

from __future__ import annotations

import sys
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kyumei.cli.listing import first_sentence, named, print_json, print_rows
from kyumei.cli.options import Json, Verbose  # noqa: TC001 - Typer reads them at run time

if TYPE_CHECKING:
    from kyumei.contracts import Rule

EPILOG = "\b\nExamples:\n  kyumei rules\n  kyumei rules waf_rule_blocked"


def rules(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One rule, with what it needs.", show_default=False)] = None,
    as_json: Json = False,  # noqa: FBT002 - a switch of the command line
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """List the causes that can be found."""
    from kyumei import discover  # noqa: PLC0415 - the shelf is opened only where it is used

    shelf = discover.rules()
    chosen = [named(shelf, name, "rule")] if name else list(shelf.values())
    if as_json:
        print_json([_value(rule) for rule in chosen])
    elif name:
        _show(chosen[0])
    else:
        print_rows(
            ("THE CAUSE WAS", "NEEDS", "IN WORDS"), [(rule.name, ", ".join(rule.needs), first_sentence(_doc(rule))) for rule in chosen]
        )
    return 0


def _doc(rule: Rule) -> str:
    """The docstring of the rule's module, which is its page."""
    return cleandoc(import_module(f"kyumei.rules.{rule.name}").__doc__ or "")


def _show(rule: Rule) -> None:
    """One rule in words."""
    sys.stdout.write(f"{rule.name}\n\n{_doc(rule)}\n\n")
    pairs = (("Codes", rule.codes), ("Needs", rule.needs), ("Helped by", rule.helps), ("Rivals", rule.rivals))
    sys.stdout.writelines(f"{what}: {', '.join(values) or 'none'}\n" for what, values in pairs)


def _value(rule: Rule) -> dict[str, Any]:
    """One rule for programs."""
    return {
        "name": rule.name,
        "doc": _doc(rule),
        "codes": list(rule.codes),
        "needs": list(rule.needs),
        "helps": list(rule.helps),
        "rivals": list(rule.rivals),
    }
