"""Tells text in Shift JIS or EUC-JP from its bytes: a log of Windows, or of an application that is older than UTF-8 in Japan.

Said only where it is certain: the bytes are no UTF-8, all of them are sound in the one encoding, and what they say has kana as Japanese
has. Line feeds and ASCII are the same bytes in all three, so lines keep their numbers.

Follows "Legacy multi-byte Japanese encodings" of the Encoding Standard of WHATWG; ``cp932`` is Shift JIS as Windows writes it.
"""

from __future__ import annotations

import codecs
import re

LOOKED_AT = 256 * 1024
"""Bytes at the start of a file in which the first Japanese must stand."""
_ENCODINGS = ("cp932", "euc_jp")
_FEWEST = 6
"""Letters that are no ASCII below which nothing is certain."""
_KANA, _JAPANESE, _HALF = 0.2, 0.95, 0.05
"""Shares of these letters: kana and letters of Japanese at least; at most half-width kana, which any bytes are in Shift JIS."""
_BROKEN = 0.3
"""Share of the bytes that are no ASCII from which text is no UTF-8 in which some bytes were damaged."""
_IS_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fc]")
_IS_JAPANESE = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff60\u2010-\u2026\u2190-\u2193\u25a0-\u25cf\u2460-\u2473\u2500-\u254b]")
_IS_HALF = re.compile("[\uff61-\uff9f]")


def japanese_encoding(head: bytes) -> str:
    """``cp932`` or ``euc_jp`` where the bytes certainly are text in it, else empty; the last letter may be cut."""
    if head.isascii() or _strictly(head, "utf-8") is not None:
        return ""
    others = len(head) - len(head.decode("ascii", "ignore"))
    kept = head.decode("utf-8", "ignore").encode()
    if len(head) - len(kept) < others * _BROKEN:
        return ""
    return next((encoding for encoding in _ENCODINGS if _is_japanese(_strictly(head, encoding))), "")


def _strictly(head: bytes, encoding: str) -> str | None:
    """The text, or null where a byte is not of the encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)("strict").decode(head)
    except UnicodeDecodeError:
        return None


def _is_japanese(text: str | None) -> bool:
    """Whether the letters of a text that are no ASCII are those of Japanese."""
    letters = "".join(re.findall(r"[^\x00-\x7f]+", text or ""))
    if len(letters) < _FEWEST:
        return False
    kana, japanese, half = (len(pattern.findall(letters)) / len(letters) for pattern in (_IS_KANA, _IS_JAPANESE, _IS_HALF))
    return kana >= _KANA and japanese + half >= _JAPANESE and half <= _HALF
