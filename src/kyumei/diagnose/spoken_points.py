"""Which words of time belong together, and how they are meant.

"2025-02-06", "14:32" and "JST" in one sentence are one point, even with other words between them. What stands right before and
behind a word says how it is meant: "around", "since", "between ... and", "shortly after", "頃", "から", "まで".
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from kyumei.diagnose.spoken_dates import READ, Told
from kyumei.diagnose.spoken_names import listed

_LEAD = {
    **dict.fromkeys(
        listed("around about approximately approx roughly circa ca near nearly almost ~ ≈ 約 およそ gegen vers sobre"), "around"
    ),
    **dict.fromkeys(listed("since from starting started began beginning onwards seit ab depuis desde"), "since"),
    **dict.fromkeys(listed("until till til by bis hasta jusqu'à"), "until"),
    **dict.fromkeys(listed("ended stopped recovered resolved fixed"), "ended"),
    **dict.fromkeys(listed("shortly just soon right bit little immediately"), "shortly"),
    **dict.fromkeys(("between", "zwischen", "entre"), "between"),
    "after": "after",
    "before": "before",
}
_TAIL = {
    **dict.fromkeys(("頃", "左右", "ごろ", "ころ", "くらい", "ぐらい", "あたり", "付近", "前後", "or so", "ish", "-ish"), "around"),
    **dict.fromkeys(("から", "以降", "以後", "より", "onwards", "onward", "or later"), "since"),
    **dict.fromkeys(("まで", "以前"), "until"),
    **dict.fromkeys(("すぎ", "過ぎ", "直後"), "shortly after"),
    **dict.fromkeys(("前", "まえ", "直前"), "shortly before"),
    **dict.fromkeys((f"{to} {now}" for to in ("and", "to", "till", "until", "-", "~") for now in ("now", "present")), "since"),
    **dict.fromkeys(("recovered", ": recovered", "resolved", ": resolved", "に復旧", "復旧", "に収束", "収束", "に解消"), "ended"),
}
NOON = 12
REACH = 60
"""Characters before a word of time in which its meaning is looked for."""

_TAILS = re.compile(r" ?(" + "|".join(sorted(_TAIL, key=len, reverse=True)) + r")(?![a-z])")
_FILLER = frozenset(
    listed("at on the of in time day date local a some exactly again today's t um uhr heute à las h の に は 、 , ( ) [ ] : @")
)
_CONNECT = frozenset(listed("to till til until through thru up and und et y bis hasta à - ~ 〜 → … から"))
_PHRASES = (
    (re.compile(r"\b(?:approx|ca|c)\.", re.IGNORECASE), " about "),
    (re.compile(r"\b(?:up to|(?:no|not) later than)\b", re.IGNORECASE), " until "),
)
"""What is said in several words or with a full stop, in one word."""
_TOKEN = re.compile(r"[A-Za-z']+|から|まで|およそ|[^\s\w]|[^\x00-\x7f]")
_CHANGED = re.compile(
    r"\b(?:deploy(?:ed|ment|ing)?|release[ds]?|rolled out|rollout|restart(?:ed)?|roll(?:ed )?back|revert(?:ed)?|reboot(?:ed)?"
    r"|upgraded?|updated|merged|pushed|switched|fixed|resolved|solved)\b[^.;!?\n]{0,30}$",
    re.IGNORECASE,
)
"""Before the time of something else than the failure, where there is another one."""
_FOLLOWS = re.compile(r"\b(?:after|since|following|from)\b[^.;!?\n]{0,30}$", re.IGNORECASE)
"""Before such a change that is said to have begun it."""
_ENDS = re.compile(r"\b(?:until|till|up to)\b[^.;!?\n]{0,30}$", re.IGNORECASE)
"""Before such a change that is said to have ended it."""
_ASIDE = re.compile(
    r"\b(\d{1,2}|a|an|one|two|three|five|ten|fifteen|a few|a couple of) ?(?:m|mins?|minutes?) (before|after)\b[^.;!?\n]{0,30}$",
    re.IGNORECASE,
)
"""Before the time of something else that a failure is told by: "ten minutes before the deploy at 14:05"."""
_WORKED = re.compile(r"\b(?:worked|working|works|fine|ok|okay|healthy|normal)\b", re.IGNORECASE)


_OTHERS = {"ended", "worked", "changed"}
"""Marks of the time of something else than the failure."""


class Point(NamedTuple):
    """Joined words: one day, clock or instant, and how it is meant."""

    told: Told
    words: tuple[Told, ...]
    marks: frozenset[str] = frozenset()
    linked: bool = False
    """Whether it is the end of a span that the point before it starts."""


def _connects(gap: str, words: frozenset[str], *, opened: bool) -> bool:
    """Whether the text between two points only leads from the one to the other ("14:00 to 14:30")."""
    tokens = [token.lower() for token in _TOKEN.findall(gap.replace(READ, " "))]
    links = [token for token in tokens if token in _CONNECT]
    if {"and", "und", "et", "y"} & set(links) and not opened:
        return False
    return bool(links) and all(token in words or token in _LEAD for token in tokens)


def joined(text: str, told: list[Told]) -> list[Point]:
    """The words joined to points: each takes at most one day, one weekday, one part of the day, one clock, one zone and one length."""
    points: list[Point] = []
    known = _FILLER | _CONNECT
    opened = False
    for one in told:
        floor = points[-1].words[-1].end if points else 0
        before = text[max(floor, one.start - REACH) : one.start]
        lead = _lead_marks(before)
        opened = opened or "between" in lead
        last = points[-1] if points else None
        gap = text[floor : one.start]
        apart = last is not None and "since" in lead and bool(last.marks & {"ended", "worked", "changed"})
        joins = last is not None and not apart and _fits(last.told, one)
        if joins and last is not None and (one.whole or last.words[-1].whole):
            joins = not [token for token in _TOKEN.findall(gap.replace(READ, " ")) if token.lower() not in _FILLER]
        linked = False
        if last is not None and not one.whole and (one.clock or one.day or one.weekday is not None):
            two_days_or_clocks = bool(last.told.clock) or not one.clock or "から" in gap
            linked = two_days_or_clocks and _connects(gap, known, opened=opened or "since" in last.marks)
        if one.clock is None and one.day is None and linked and last is not None and last.told.clock is None and last.told.day:
            linked = False  # a weekday behind its date
        if linked:
            lead = _lead_marks(before.replace("~", " "))  # in 14:00~14:30 it means "to", in ~14:30 "around"
        tail = _tail_marks(text, one.end)
        if last is not None and joins and not linked:
            points[-1] = last._replace(told=_merged(last.told, one), words=(*last.words, one), marks=last.marks | lead | tail)
        else:
            points.append(Point(one, (one,), lead | tail, linked=linked))
    return [point for point in points if _is_time(point.told)]


def _fits(point: Told, one: Told) -> bool:
    """Whether the word says something that the point lacks. An instant takes nothing but a length."""
    if point.instant or point.recent or one.instant or one.recent:
        return one.length is not None and point.length is None
    return not (
        (one.day and point.day)
        or (one.weekday is not None and point.weekday is not None)
        or (one.clock and point.clock)
        or (one.zone and point.zone and one.start - point.end > len(" ("))
        or (one.length is not None and point.length is not None)
        or (one.whole and point.whole)
    )


def _merged(point: Told, one: Told) -> Told:
    return point._replace(
        end=one.end,
        said=f"{point.said} {one.said}",
        day=point.day or one.day,
        weekday=point.weekday if point.weekday is not None else one.weekday,
        part=point.part or one.part,
        clock=point.clock or one.clock,
        zone=point.zone or one.zone,
        length=point.length or one.length,
        whole=point.whole or one.whole,
    )


def _is_time(told: Told) -> bool:
    """A zone, a length or "in the morning" alone states no time; "at lunch" and "last week" do."""
    named = told.day or told.clock or told.instant or told.recent or told.part == "midday" or told.whole[:4] == "week"
    all_of_it = re.match(r"(?:all|(?:the )?whole) ", told.said, re.IGNORECASE)
    return bool(named) or told.weekday is not None or bool(told.part and all_of_it)


def _lead_marks(before: str) -> frozenset[str]:
    """What the words right before say ("shortly after", "since about"), read backwards up to the first other word."""
    marks: set[str] = set()
    for phrase, word in _PHRASES:
        before = phrase.sub(word, before)
    for token in reversed(_TOKEN.findall(before.rpartition(READ)[2])):
        word = token.lower()
        if word in _LEAD and not (word == "~" and marks):
            marks.add(_LEAD[word])
        elif word not in _FILLER:
            break
    for side in ("after", "before"):
        if side in marks:
            marks.discard(side)
            marks.add(f"shortly {side}" if "shortly" in marks else {"after": "since", "before": "before"}[side])
    if "ended" in marks:
        marks.add("until")
    marks = _changed_marks(before.rpartition(READ)[2], marks)
    if marks & {"until", "before"} and _WORKED.search(before):
        return frozenset({"worked"})  # "it worked until 14:32": the failure began there
    return frozenset(marks - {"shortly"})


def _changed_marks(near: str, marks: set[str]) -> set[str]:
    """The marks with what a change says that stands before ("since the deploy at", "ten minutes before the deploy at")."""
    if changed := _CHANGED.search(near):
        begun, ended = _FOLLOWS.search(near, 0, changed.start()), _ENDS.search(near, 0, changed.start())
        marks = marks | {"until" if ended else "since" if begun else "changed"}
    if aside := _ASIDE.search(near):
        marks = marks - {"since", "before", "changed", "until"} | {_aside(aside)}
    return marks


def _aside(found: re.Match[str]) -> str:
    """What "ten minutes before" means: right before for a quarter of an hour, else any time before."""
    near = not found[1].isdigit() or int(found[1]) <= 15  # noqa: PLR2004 - as far as "shortly" reaches
    return f"shortly {found[2].lower()}" if near else {"before": "before", "after": "since"}[found[2].lower()]


def _tail_marks(text: str, end: int) -> frozenset[str]:
    marks: set[str] = set()
    while found := _TAILS.match(text, end):
        marks.add(_TAIL[found[1]])
        end = found.end()
    return frozenset(marks)


def shared(points: list[Point], text: str) -> list[Point]:
    """The points, each with what is said once and meant of both: the half of the day, and the day."""
    return _shared_day(_shared_half(points, text))


def _shared_day(points: list[Point]) -> list[Point]:
    """The points, where "at 14:02 and again at 14:17 on June 1" says the day of both; where two days are told, it stays with its own."""
    days = {(point.told.day, point.told.weekday, point.told.whole) for point in points if _has_day(point.told)}
    if len(days) != 1 or any(point.linked or not point.told.clock or point.marks & _OTHERS for point in points):
        return points
    day, weekday, whole = next(iter(days))
    return [
        point._replace(told=point.told._replace(day=day, weekday=weekday, whole=whole))
        if point.told.clock and not _has_day(point.told)
        else point
        for point in points
    ]


def _has_day(told: Told) -> bool:
    """Whether words of time name a day, by its date, its weekday or its week."""
    return bool(told.day or told.weekday is not None or told.whole)


def _shared_half(points: list[Point], text: str) -> list[Point]:
    """The points, where "at 2:05 and 2:20 pm" says pm of both."""
    shared = points[:1]
    for first, second in pairwise(points):
        a, b = first.told.clock, second.told.clock
        gap = text[first.words[-1].end : second.words[0].start].strip(f" {READ}")
        alike = a and b and b.half and not a.half and 1 <= a.hour <= NOON and not (first.told.part or first.told.zone)
        if a and b and alike and gap in {"and", ",", "/", "&", "or", ", and"}:
            shared[-1] = first._replace(told=first.told._replace(clock=a._replace(half=b.half)))
        shared.append(second)
    return shared
