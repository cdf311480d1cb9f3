"""The text itself: made uniform before it is read, its quotations taken out, and the words that nobody understood."""

from __future__ import annotations

import re
import unicodedata

from kyumei.diagnose.spoken_dates import READ
from kyumei.diagnose.spoken_names import METHODS, STOP, STOP_JAPANESE
from kyumei.diagnose.spoken_numerals import with_digits

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-") | {"\u223c": "~", "\u2018": "'", "\u2019": "'"})
_QUOTED = re.compile(
    r"[\"\uff02]([^\"\uff02]*)[\"\uff02]|[“”„]([^“”„]*)[“”]|「([^「」]*)」|『([^『』]*)』|｢([^｢｣]*)｣"
    r"|`([^`]*)`|(?<!\w)'([^']* [^']*)'(?!\w)"
)
_PLAIN = re.compile(
    rf"(?:(?:{'|'.join(METHODS)}) ?)?(?:https?://|/)\S*(?: HTTP/[\d.]+)?|(?:{'|'.join(METHODS)})"  # a request line, a path, a method
    r"|\d{4}[-/]\d.{0,40}|[\d:.TZ/+\-]+"  # a time, a date, an address, a status
    r"|(?:Root=|Self=)?1-[0-9a-f]{8}-.{0,200}|[0-9a-f]{8}-[0-9a-f]{4}-.{0,40}|[0-9a-fA-F:]*:[0-9a-fA-F:.]+"  # ids and IPv6 addresses
    r"|(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?:[:/]\S*)?",  # a host
    re.ASCII,
)
_WORD = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.'%/:@+-]*|[\u30a0-\u30ff]+|[\u3005\u4e00-\u9fff]+"  # katakana and kanji; hiragana is grammar
    r"|[^\W\d_A-Za-z\u3040-\u30ff\u3005\u4e00-\u9fff]+"
)
_STOP_JAPANESE = re.compile("|".join(sorted(STOP_JAPANESE, key=len, reverse=True)))


def cleaned(text: str) -> str:
    """The text with every control, format and surrogate character as a space: none may reach a terminal or hide between digits."""
    return "".join(" " if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char for char in text)


def uniform(text: str) -> str:
    """NFKC (full-width digits and punctuation become ASCII), every dash a hyphen, one space at most, times in kanji in digits."""
    return with_digits(" ".join(unicodedata.normalize("NFKC", text).translate(_DASHES).split()))


def without_quotes(text: str) -> tuple[list[str], str]:
    """The quotations that are words on a page, and the text without them.

    A quotation that holds but a path, a request line, a time, a host or an address only loses its marks, and so does one around the
    whole text that speaks of more than words (a shell's quotes that were pasted as well).
    """
    whole = _QUOTED.fullmatch(text.strip())
    content = next((group for group in whole.groups() if group is not None), "") if whole else ""
    if re.search(r"\d|/", content):
        text = content
    words: list[str] = []

    def place(found: re.Match[str]) -> str:
        """What stands in the text for one quotation."""
        content = " ".join(next(group for group in found.groups() if group is not None).split())
        if content.startswith("Mozilla/"):
            return " browser "  # the user agent of a pasted log line
        if _PLAIN.fullmatch(uniform(content)):
            return f" {content} "
        if not re.search(r"\w", content):
            return " "
        words.append(content)
        return f" {READ} "

    return words, _QUOTED.sub(place, text)


def leftovers(text: str) -> list[str]:
    """The words with a meaning that no reader took, each once, in their order."""
    words: list[str] = []
    for found in _WORD.finditer(text):
        word = found[0].rstrip(".'/:@+-%")
        if word.lower() in STOP or (len(word) == 1 and word.isascii() and not word.isdigit()):
            continue
        parts = [word] if word.isascii() else [part for part in _STOP_JAPANESE.split(word) if part]
        words.extend(part for part in parts if part != "ー")
    return list(dict.fromkeys(word for word in words if word))
