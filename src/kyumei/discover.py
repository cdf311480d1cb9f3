"""Finds the leaves of a shelf: one constant a module, its name equal to the module's.

A module without its constant, with one of the wrong type, or with a name that is not its own fails loudly: silent overwriting is
found months later, by a user.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module, resources
from pkgutil import iter_modules
from typing import TYPE_CHECKING, TypeVar

from kyumei.contracts import Action, Engine, Format, Rule, Source
from kyumei.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

Leaf = TypeVar("Leaf", Source, Format, Engine, Rule, Action)


def shelf(package: str, constant: str, kind: type[Leaf]) -> dict[str, Leaf]:
    """The leaves in ``package`` by name, in alphabetical order."""
    return {name: _leaf(package, name, constant, kind) for name in _names(package)}


def _names(package: str) -> list[str]:
    """The modules of a shelf in alphabetical order; none of them is loaded for it."""
    return sorted(found.name for found in iter_modules(import_module(package).__path__))


def _leaf(package: str, name: str, constant: str, kind: type[Leaf]) -> Leaf:
    leaf = getattr(import_module(f"{package}.{name}"), constant, None)
    if not isinstance(leaf, kind):
        message = f"{package}.{name} has no {constant} of type {kind.__name__}"
        raise DefinitionError(message, f"end the module with {constant} = {kind.__name__}(...)")
    if leaf.name != name:
        message = f"{package}.{name} calls itself {leaf.name!r}"
        raise DefinitionError(message, "a leaf has the name of its module")
    return leaf


@cache
def format_names() -> tuple[str, ...]:
    """The names of all formats; a case that is read already needs only the few formats whose tables have rows."""
    return tuple(_names("kyumei.formats"))


@cache
def format_of(name: str) -> Format:
    """One format by its name."""
    return _leaf("kyumei.formats", name, "FORMAT", Format)


@cache
def formats() -> Mapping[str, Format]:
    """Every format by name."""
    return shelf("kyumei.formats", "FORMAT", Format)


def example_of(name: str) -> str:
    """A record of a format as it stands in a log, which may go over several lines; no text where none is shipped."""
    found = resources.files("kyumei.formats") / "examples" / f"{name}.log"
    return found.read_text("utf-8").rstrip("\n") if found.is_file() else ""


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by name."""
    return shelf("kyumei.rules", "RULE", Rule)
