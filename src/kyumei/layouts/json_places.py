"""Where things lie in the text of a sound JSON value: the members of an object, the items of a list, with their offsets.

For readers that must say on which line a part of a document stands, which a decoded value no longer tells.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_NUMBER = 400
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < _LONGEST_NUMBER else digits)


def skip_blanks(text: str, at: int) -> int:
    """The offset of the next character that is no blank of JSON."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def value_at(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at an offset, and where it ends. Raises ValueError or RecursionError where there is none."""
    return _DECODER.raw_decode(text, at)


def members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """The keys of the sound object at an offset, with where their values begin and end."""
    at = skip_blanks(text, at + 1)
    while text[at] != "}":
        key, at = value_at(text, at)
        start = skip_blanks(text, skip_blanks(text, at) + 1)
        end = value_at(text, start)[1]
        yield key, start, end
        at = skip_blanks(text, end)
        at = skip_blanks(text, at + 1) if text[at] == "," else at


def items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Where the items of the sound list at an offset begin and end."""
    at = skip_blanks(text, at + 1)
    while text[at] != "]":
        end = value_at(text, at)[1]
        yield at, end
        at = skip_blanks(text, end)
        at = skip_blanks(text, at + 1) if text[at] == "," else at
