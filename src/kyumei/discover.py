"""Finds the leaves of a shelf: one constant a module, its name equal to the module's.

A module without its constant, with one of the wrong type, or with a name that is not its own fails loudly: silent overwriting is
found months later, by a user.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

from kyumei.contracts import Action, Engine, Format, Rule, Source
from kyumei.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

Leaf = TypeVar("Leaf", Source, Format, Engine, Rule, Action)


def shelf(package: str, constant: str, kind: type[Leaf]) -> dict[str, Leaf]:
    """The leaves in ``package`` by name, in alphabetical order."""
    leaves: dict[str, Leaf] = {}
    module = import_module(package)
    for found in sorted(iter_modules(module.__path__), key=lambda item: item.name):
        leaf = getattr(import_module(f"{package}.{found.name}"), constant, None)
        if not isinstance(leaf, kind):
            message = f"{package}.{found.name} has no {constant} of type {kind.__name__}"
            raise DefinitionError(message, f"end the module with {constant} = {kind.__name__}(...)")
        if leaf.name != found.name:
            message = f"{package}.{found.name} calls itself {leaf.name!r}"
            raise DefinitionError(message, "a leaf has the name of its module")
        leaves[leaf.name] = leaf
    return leaves


@cache
def formats() -> Mapping[str, Format]:
    """Every format by name."""
    return shelf("kyumei.formats", "FORMAT", Format)


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by name."""
    return shelf("kyumei.rules", "RULE", Rule)
