"""``kyumei rules``: the causes that kyumei knows, what each needs to speak, and what an id such as EDGE-036 means."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kyumei.cli.listing import first_sentence, named, print_json, print_rows
from kyumei.cli.options import Json, Verbose  # noqa: TC001 - Typer reads them at run time
from kyumei.errors import InputError

if TYPE_CHECKING:
    from kyumei.contracts import Rule
    from kyumei.edge.catalogue import Kind, Known

EPILOG = "\b\nExamples:\n  kyumei rules\n  kyumei rules waf_rule_blocked\n  kyumei rules EDGE-036"
ID = re.compile(r"[A-Za-z][A-Za-z0-9]*-[0-9]+")


def rules(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One rule, or an id such as EDGE-036.", show_default=False)] = None,
    as_json: Json = False,  # noqa: FBT002 - a switch of the command line
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """List the causes that can be found."""
    from kyumei import discover  # noqa: PLC0415 - the shelf is opened only where it is used

    shelf = discover.rules()
    if name and ID.fullmatch(name):
        _print_known(name, list(shelf.values()), as_json=as_json)
        return 0
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


def _print_known(code: str, shelf: list[Rule], *, as_json: bool) -> None:
    """What an id means, who names it, and what would prove it."""
    from kyumei.edge.catalogue import KNOWN  # noqa: PLC0415 - only who asks for an id pays for them

    known = KNOWN.get(code.upper())
    if known is None:
        message = f"there is no id {code!r}"
        raise InputError(message, f"ids run from {next(iter(KNOWN))} to {next(reversed(KNOWN))}; kyumei rules lists the rules")
    naming = [rule for rule in shelf if known.code in rule.codes]
    if as_json:
        value = {"code": known.code, "title": known.title, "kind": known.kind.value, "proof": known.proof}
        print_json({**value, "rules": [_value(rule) for rule in naming]})
    else:
        sys.stdout.write(_known(known, naming))


def _known(known: Known, naming: list[Rule]) -> str:
    """One id in words."""
    lines = [known.code, "", f"{known.title}.", ""]
    if about := _about(known.kind, naming):
        lines += [about, ""]
    for rule in naming:
        lines += [f"{rule.name}: {first_sentence(_doc(rule))}.", f"  Needs: {', '.join(rule.needs) or 'none'}"]
        lines += [f"  Helped by: {', '.join(rule.helps) or 'none'}", ""]
    return "\n".join([*lines, f"To prove it: {known.proof}"]) + "\n"


def _about(kind: Kind, naming: list[Rule]) -> str:
    """What one must know of an id that is no cause, or that no rule names."""
    from kyumei.edge.catalogue import Kind  # noqa: PLC0415 - as above

    about = {
        Kind.CAUSE: "" if naming else "No rule names it yet.",
        Kind.PATTERN: "This is how such a failure looks in the records; a finding names the cause behind it.",
        Kind.WARNING: "This is a warning, told beside every verdict that it could spoil, and no cause.",
        Kind.CLUE: "This tells what stands where, and is no failure.",
    }
    return about[kind]


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
