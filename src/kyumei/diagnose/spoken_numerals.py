"""Numbers in kanji where they count hours, minutes and days: 六時三十五分, 二〇二五年六月一日, 下午六点半; and Korean 6시 35분.

Only in front of such a unit, and only where the whole is a time or a date: 一時的 (for a while), 二時間 (two hours), 十分 (enough) and
一部 are words and lengths, and stay as they are.
"""

from __future__ import annotations

import re

_DIGITS = {digit: value for value, digit in enumerate("〇一二三四五六七八九")} | {"零": 0}
_ONE = "[〇零一二三四五六七八九]"
_NUMBER = "(?:[二三四五]?十[一二三四五六七八九]?|[〇零一二三四五六七八九])"
_PART = "午前|午後|上午|下午|早上|晚上|凌晨|中午|夜|朝|昼|夕方|深夜|未明|早朝|晩|ごろの|日の?|日、"
_END = r"(?![的間间期代折短停休々]|ほど|くらいか)"
_CLOCK = re.compile(
    rf"(?P<part>{_PART})? ?(?P<hour>{_NUMBER})(?P<unit>[時时点點])"
    rf"(?:(?P<half>半)|(?P<minute>{_NUMBER})分(?:(?P<second>{_NUMBER})秒)?)?(?P<tail> ?(?:頃|ころ|ごろ|過ぎ|すぎ|台|左右|ちょうど))?{_END}"
)
_DATE = re.compile(rf"(?:(?P<year>{_ONE}{{4}})年)?(?P<month>{_NUMBER})月(?P<day>{_NUMBER})(?P<unit>[日号號])")

_KOREAN = re.compile(r"(?<!\d)(?P<hour>\d{1,2})시(?: ?(?:(?P<minute>\d{1,2})분|(?P<half>반)))?(?: ?(?P<around>쯤|경))?(?![간])")


def number(said: str) -> int:
    """A number in kanji, by places or by digits.

    >>> [number(said) for said in ("六", "十", "十四", "三十五", "二〇二五")]
    [6, 10, 14, 35, 2025]
    """
    tens, ten, ones = said.partition("十")
    if ten:
        return 10 * (_DIGITS[tens] if tens else 1) + (_DIGITS[ones] if ones else 0)
    return int("".join(str(_DIGITS[digit]) for digit in said))


def with_digits(text: str) -> str:
    """The text with the times and dates whose numbers are in kanji written in digits.

    >>> with_digits("昨日の午後六時三十五分ごろ、一時的に二時間ほど")
    '昨日の午後6時35分ごろ、一時的に二時間ほど'
    """
    return _KOREAN.sub(_korean, _CLOCK.sub(_clock, _DATE.sub(_date, text)))


def _date(found: re.Match[str]) -> str:
    year = f"{number(found['year'])}年" if found["year"] else ""
    return f"{year}{number(found['month'])}月{number(found['day'])}{found['unit']}"


def _clock(found: re.Match[str]) -> str:
    """One clock; 一時 and 一点 alone are words unless something says that they are hours."""
    plain = not (found["part"] or found["half"] or found["minute"] or found["tail"])
    if plain and (found["hour"] == "一" or found["unit"] in "点點"):
        return found[0]
    rest = "半" if found["half"] else f"{number(found['minute'])}分" if found["minute"] else ""
    rest += f"{number(found['second'])}秒" if found["second"] else ""
    return f"{found['part'] or ''}{number(found['hour'])}{found['unit']}{rest}{found['tail'] or ''}"


def _korean(found: re.Match[str]) -> str:
    """A Korean clock as a Japanese one, which is read."""
    minute = "半" if found["half"] else f"{found['minute']}分" if found["minute"] else ""
    return f"{found['hour']}時{minute}{'頃' if found['around'] else ''}"
