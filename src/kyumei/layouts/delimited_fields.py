"""What a delimited layout is declared with: styles, fields, variants and what is known of trailing fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Style(StrEnum):
    """How a field is written. EITHER is quoted or bare; the bulk reader knows lines where all such fields are written alike."""

    BARE = "bare"
    QUOTED = "quoted"
    EITHER = "either"
    BRACKETED = "bracketed"


class Field(NamedTuple):
    """One field of a variant.

    Where ``shape`` is given the variant fits only if the text matches it (or is missing); it must be narrower than the shapes of the casts
    that take the field. ``missing`` are the marks of a missing value, ``spaces`` how many spaces stand inside the brackets of a
    bracketed field, ``width`` how many characters, where all texts of the shape have as many.
    """

    name: str
    style: Style = Style.BARE
    shape: str = ""
    missing: tuple[str, ...] = ("-",)
    spaces: int = 0
    width: int = 0


class Variant(NamedTuple):
    """One row of fields. ``needed`` fields must be there (all, when 0); ``spread`` is one before the first bracket that may hold spaces.

    With ``bulk`` false only the exact reader knows the variant, for it is rare. Such variants must come last, or fit no record that a later
    one fits. With ``bulk_tail`` false so it is where more fields follow.
    """

    fields: tuple[Field, ...]
    needed: int = 0
    spread: str = ""
    bulk: bool = True
    bulk_tail: bool = True

    @property
    def least(self) -> int:
        """The smallest number of fields."""
        return self.needed or len(self.fields)


@dataclass(frozen=True)
class Tail:
    """What is known of fields after the last one of a variant: ``key=value`` pairs by key, quoted fields by how they begin."""

    keys: Mapping[str, str] = field(default_factory=dict)
    beginnings: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    """Fields in which a dash is no missing value but says something."""

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that may be found so, each once."""
        return tuple(dict.fromkeys((*self.keys.values(), *self.beginnings.values())))


class Trailing(NamedTuple):
    """A field behind the last one of a variant, as a sample shows it: how it is written, its key, the field that it names (or empty).

    ``begins`` is what it begins with, where that tells which field it is.
    """

    style: Style
    key: str
    name: str
    begins: str = ""


class Shown(NamedTuple):
    """What a record of a sample shows: its variant, by number, how many of its fields, the style of those of either style, and the tail."""

    variant: int
    fields: int
    either: Style
    tail: tuple[Trailing, ...]
