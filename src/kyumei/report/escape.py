"""Makes text from logs safe to show: what a terminal or an eye would obey becomes something that it can only read.

Log text is written by attackers too. A terminal obeys escape sequences, an eye obeys bidirectional overrides and does not see
zero-width characters, Markdown and HTML obey their own marks. Nothing is removed: each such character is written out.
"""

from __future__ import annotations

import html
import re
from unicodedata import category

_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Letters and marks by Unicode's account that nevertheless show nothing: fillers, joiners and variation selectors."""

_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_BYTES_AS_SURROGATES = range(0xDC80, 0xDD00)
"""How Python keeps a byte that is not valid UTF-8 (error handler ``surrogateescape``)."""


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with every character that acts or hides written out: ``\x1b``, ``‹U+202E›``. With ``lines`` line feeds stay.

    Plain text comes back unchanged. Wide spaces stay: they are ordinary in Japanese.
    """
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(character if lines and character == "\n" else _shown(character) for character in text)


def _shown(character: str) -> str:
    """One character, or what stands for it."""
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    kind = category(character)
    if kind == "Cc":
        return f"\\x{number:02x}"
    if number in _BYTES_AS_SURROGATES:
        return f"\\x{number - 0xDC00:02x}"
    if (character.isprintable() or kind == "Zs") and not _INVISIBLE.match(character):
        return character
    return f"‹U+{number:04X}›"


def for_html(text: str, *, lines: bool = False) -> str:
    """The text for an element or a quoted attribute of HTML or SVG."""
    return html.escape(visible(text, lines=lines), quote=True)


_MARKS = re.compile(r"([\\`*\[\]!#~@$^])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|://|\bwww\.", re.IGNORECASE)
_STARTS = re.compile(r"^(\s*)([-+=>]|\d{1,9}[.)])(?=\s|$|[-+=])")


def for_markdown(text: str) -> str:
    """The text for a paragraph of Markdown: no mark, link, mention, list or HTML element can arise from it."""
    plain = visible(text)
    escaped = _MARKS.sub(_slashed, plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return _STARTS.sub(lambda found: f"{found[1]}{found[2][:-1]}\\{found[2][-1]}", escaped)


def _slashed(found: re.Match[str]) -> str:
    """The mark with a backslash before what makes it one."""
    mark = found[0]
    if mark == "://":
        return ":\\/\\/"
    if mark.lower() == "www.":
        return mark[:3] + "\\."
    return "\\" + mark


def for_markdown_cell(text: str) -> str:
    """The text for one cell of a Markdown table, on one line."""
    return for_markdown(" ".join(text.split("\n"))).replace("|", "\\|")


def code_span(text: str) -> str:
    """The text as Markdown code within a line, fenced by more backticks than it holds in a row. Not for table cells."""
    plain = visible(text)
    fence = "`" * (_longest_run(plain) + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") or not plain.strip() else ""
    return f"{fence}{space}{plain}{space}{fence}"


def code_block(text: str, language: str = "text") -> str:
    """The text as a fenced Markdown block; the fence is longer than any run of backticks in it."""
    plain = visible(text, lines=True)
    fence = "`" * max(3, _longest_run(plain) + 1)
    return f"{fence}{language}\n{plain}\n{fence}"


def _longest_run(text: str) -> int:
    """The most backticks in a row."""
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029]|[^\x00-\x7f]")


def for_json(document: str) -> str:
    r"""JSON text with characters that act or hide written as ``\uXXXX``, which any reader of JSON takes back exactly."""
    return _UNSAFE_IN_JSON.sub(_unicode_escape, document)


def _unicode_escape(found: re.Match[str]) -> str:
    """A character of a JSON string, escaped unless it can be shown as it is."""
    character = found[0]
    if _shown(character) == character:
        return character
    number = ord(character)
    if number < 0x10000:  # noqa: PLR2004 - the end of the Basic Multilingual Plane; beyond it JSON wants a surrogate pair
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
