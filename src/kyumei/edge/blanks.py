"""Fills the blanks of a text: ``{host}`` in a sentence or a command becomes the host's name.

What came from a log may be an attack. In a command every value is quoted for the shell, and a value is put in once: a blank that
stands in it is text of whoever sent it.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLANK = re.compile(r"\{([a-z_]+)\}")
_UNKNOWN = re.compile(r"<[A-Z][A-Z_]*>")
"""What stands for a name that nothing in the case tells: the reader puts it in, and would trip over quotes."""


def filled(text: str, names: Mapping[str, str], *, quote: bool = False) -> str:
    """The text with its blanks filled in, quoted for the shell where it is a command; blanks without a name stay."""
    return _BLANK.sub(lambda found: _value(names.get(found[1], found[0]), quote=quote and found[1] in names), text)


def _value(value: str, *, quote: bool) -> str:
    return shlex.quote(value) if quote and not _UNKNOWN.fullmatch(value) else value
