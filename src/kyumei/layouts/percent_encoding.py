r"""Casts for values that a log writer has percent-encoded, as CloudFront does: ``%20`` or ``\x20`` for a byte that it would not write.

Bytes are taken together as UTF-8; those that are not are written ``\xff``. Escapes of control characters stay as they are written, so
that no line break and no terminal escape gets into a value. The SQL knows escapes of printable ASCII and leaves others to Python.
"""

from __future__ import annotations

import re

from kyumei.layouts.casts import guarded

_ESCAPES = re.compile(r"(?:(?:%|\\x)(?:[2-689A-Fa-f][0-9A-Fa-f]|7[0-9A-Ea-e]))+", re.ASCII)
_UNCALLED = "2[014689A-Fa-f]|3[0-9ABDFabdf]|4[0-9A-Fa-f]|5[0-9AFaf]|6[1-9A-Fa-f]|7[0-9Aa]"
"""Codes of printable characters that CloudFront writes as they are; it encodes the space and ``"#%'<>[\\]^`{|}~``."""
_AS_SENT = re.compile(rf"(?:%|\\x)(?:[0189A-Fa-f][0-9A-Fa-f]|{_UNCALLED}|7[Ff])", re.ASCII)
_PRINTABLE = re.compile("[!-~]*", re.ASCII)

PLAIN = r"(?:[^%\\]|%[2-6][0-9A-Fa-f]|%7[0-9A-Ea-e]|\\x20)*"
"""The shape of values that the SQL decodes; it has quotes and backslashes, so these casts are for fields that stand in no quotes."""
ALL_PLAIN = (
    PLAIN,
    (
        r"CASE WHEN NOT contains(replace(text, '%20', ''), '%') AND NOT contains(text, '\') THEN true "
        rf"ELSE regexp_full_match(text, '{PLAIN}') END"
    ),
)
"""The shape and, over the whole ``text`` of a record, the condition that all its values have it; mostly it is told by what is not there."""


def decoded(raw: str) -> str:
    """The text with its escapes decoded once."""
    return _ESCAPES.sub(lambda found: bytes.fromhex(re.sub(r"%|\\x", "", found[0])).decode("utf-8", "backslashreplace"), raw)


def _agent(raw: str) -> str:
    once = decoded(raw)
    return decoded(once) if " " not in once and "%20" in once else once


def _target(raw: str) -> str:
    return raw if _AS_SENT.search(raw) or not _PRINTABLE.fullmatch(raw) else decoded(raw)


def _once(sql: str) -> str:
    return f"CASE WHEN contains({sql}, '%') OR contains({sql}, '\\') THEN TRY(url_decode(replace({sql}, '\\x20', ' '))) ELSE {sql} END"


_ONCE = _once("{x}")
ENCODED = guarded("percent-encoded text", decoded, PLAIN, _ONCE)
"""Decoded once: what the client sent, in headers."""
ENCODED_AGENT = guarded(
    "percent-encoded user agent",
    _agent,
    PLAIN,
    f"CASE WHEN NOT contains({{x}}, '%25') OR contains({_ONCE}, ' ') OR NOT contains({_ONCE}, '%20') THEN {_ONCE} "
    f"WHEN regexp_full_match({_ONCE}, '{PLAIN}') THEN {_once(f'({_ONCE})')} END",
)
"""Decoded once more where no space but ``%20`` is left: spaces of user agents were encoded twice for years."""
ENCODED_TARGET = guarded(
    "percent-encoded path or query",
    _target,
    PLAIN,
    "CASE WHEN NOT contains({x}, '%') AND NOT contains({x}, '\\') THEN {x} "
    f"WHEN regexp_matches({{x}}, '%(?:{_UNCALLED})|\\\\x20|[^!-~]') THEN {{x}} ELSE TRY(url_decode({{x}})) END",
)
"""As it stood in the request line, so that it equals what other logs write: decoded once, for the percent sign is encoded, too.

Where an escape is none that the log writer makes of a character in a request line (``%20``, ``%2F``), the request's own escapes were not
encoded a second time, and the text is left as it is.
"""
