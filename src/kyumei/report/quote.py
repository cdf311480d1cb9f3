"""Shows a cited line to people: whole when it is short, else shortened around the parts that tell.

The JSON of an investigation holds every cited line whole; this is for eyes only.
"""

from __future__ import annotations

import re
from enum import StrEnum
from textwrap import dedent
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kyumei.model.finding import Citation, Finding
    from kyumei.model.symptom import Symptom

SHOWN_CHARACTERS = 360
"""A line up to this length is shown whole: four lines of a terminal."""
GLANCE_CHARACTERS = 300
"""So much of the proving line stands in the first screenful."""
SHOWN_LINES = 12
"""A record of up to as many lines (a traceback) is shown whole."""
SCANNED_CHARACTERS = 100_000
"""How far into a line telling words are looked for, so that a line of a gigabyte costs no time."""
SCANNED_LINES = 2_000
_NAMES_OF_SORTS = frozenset({"ACL", "ALB", "ARN", "AWS", "CLB", "HTTP", "HTTPS", "JST", "NLB", "URI", "URL", "UTC", "WAF"})
"""Words in capitals that a sentence uses for what things are; they tell nothing in a line."""
_HEAD = 72
_CONTEXT = 32
_SMALLEST_GAP = 40
_PLACES = 2
"""Lines of a JSON value that are shown for one word."""


AGAIN = "(quoted above)"
"""Stands beside the place of a line that is quoted further up."""


class Part(StrEnum):
    """What a piece of a quoted line is: ordinary text, a part that tells, or a note of what was left out."""

    PLAIN = "plain"
    TELLING = "telling"
    GAP = "gap"


class Piece(NamedTuple):
    """A run of characters of one part."""

    part: Part
    text: str


class Quote(NamedTuple):
    """A cited line for people. ``shortened`` says that some of it was left out; ``again`` that it is quoted further up, and not here."""

    file: str
    line: int
    pieces: tuple[Piece, ...]
    shortened: bool
    again: bool = False

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    @property
    def text(self) -> str:
        """What is shown, as one string."""
        return "".join(piece.text for piece in self.pieces)


def quote(citation: Citation, telling: Sequence[str], limit: int = SHOWN_CHARACTERS) -> Quote:
    """The citation as it is shown, about ``limit`` characters of it; the cited record where that is not the whole line."""
    text = (citation.record or citation.text).rstrip("\n")
    pieces, shortened = _many_lines(text, telling) if "\n" in text else _one_line(text, telling, limit)
    return Quote(citation.file, citation.line, pieces, shortened)


def quoted_once(shown: Quote, quoted: set[tuple[str, str]]) -> Quote:
    """The quote, marked where the same line is among those ``quoted`` with the same words shown; it is added to them."""
    again = (shown.place, shown.text) in quoted
    quoted.add((shown.place, shown.text))
    return shown._replace(again=again)


def telling_words(symptom: Symptom, finding: Finding | None, says: str = "") -> tuple[str, ...]:
    """What makes a line tell: the subject of the finding, what the person saw, and the names in the sentence that the line is cited for."""
    words: list[str] = []
    if finding:
        words += [value for value in finding.subject.values() if len(value) > 1]
        words += [value.rsplit("/", 2)[-2] for value in finding.subject.values() if value.startswith("arn:") and value.count("/") > 1]
    for word in re.findall(r"[^\s\"'(),;]+", says):
        bare = word.strip(".:!?")
        named = re.search(r"[0-9_/.\-]", bare) or (bare.isupper() and bare.isalpha() and bare not in _NAMES_OF_SORTS)
        if len(bare) > 2 and named and not bare.isdigit():  # noqa: PLR2004 - shorter words stand in every line
            words.append(bare)
    words += [word for word in (symptom.path, symptom.client, symptom.host, symptom.method, *symptom.request_ids) if word and len(word) > 1]
    if symptom.status:
        words.append(str(symptom.status))
    return tuple(dict.fromkeys(words))


def proving(finding: Finding, symptom: Symptom) -> tuple[Citation, str] | None:
    """The one line that shows most at once, and the sentence it is cited for.

    That is the line which names most of the subject and of what the person saw; of equal ones the last, as the chain runs to the cause.
    """
    words = telling_words(symptom, finding)
    best: tuple[Citation, str] | None = None
    most = -1
    for evidence in finding.chain:
        for citation in evidence.citations[:1]:
            text = (citation.record or citation.text)[:SCANNED_CHARACTERS]
            score = sum(1 for word in words if word in text)
            if score >= most:
                best, most = (citation, evidence.says), score
    return best


def _spans(text: str, telling: Iterable[str]) -> list[tuple[int, int]]:
    """Where telling words stand, merged, in order. A word must not continue a longer one: 403 is not part of 1403."""
    found: list[tuple[int, int]] = []
    for word in telling:
        before = r"(?<![A-Za-z0-9])" if word[0].isalnum() else ""
        after = r"(?![A-Za-z0-9])" if word[-1].isalnum() else ""
        found += [match.span() for match in re.finditer(before + re.escape(word) + after, text)][:4]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _one_line(text: str, telling: Sequence[str], limit: int) -> tuple[tuple[Piece, ...], bool]:
    """The pieces of one line, at most about ``limit`` characters of it."""
    spans = _spans(text[:SCANNED_CHARACTERS], telling)
    if len(text) <= limit:
        return _pieces(text, [(0, len(text))], spans), False
    kept = [(0, min(_HEAD, limit))]
    room = limit - kept[0][1]
    for start, end in _by_rank(spans, text, telling):
        window = (max(0, start - _CONTEXT), min(len(text), min(end, start + limit) + _CONTEXT // 2))
        size = _added(kept, window)
        if size <= room:
            kept = _merge([*kept, window])
            room -= size
    if len(kept) == 1:  # nothing tells: the two ends
        kept.append((len(text) - room, len(text)))
    elif room > 0:  # what is left of the room follows the last part shown
        end = min(len(text), kept[-1][1] + room)
        end = next((last for first, last in spans if first < end < last), end)  # never cut a part that tells
        kept = _merge([*kept[:-1], (kept[-1][0], end)])
    kept = _closed(kept, len(text))
    return _pieces(text, kept, spans), kept != [(0, len(text))]


def _closed(kept: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """The windows, grown over gaps that their own mark would take more room than."""
    closed = [kept[0]]
    for start, end in kept[1:]:
        if start - closed[-1][1] <= _SMALLEST_GAP:
            closed[-1] = (closed[-1][0], end)
        else:
            closed.append((start, end))
    if size - closed[-1][1] <= _SMALLEST_GAP:
        closed[-1] = (closed[-1][0], size)
    return closed


def _by_rank(spans: list[tuple[int, int]], text: str, telling: Sequence[str]) -> list[tuple[int, int]]:
    """The first place of each telling word in the order of the words, then the other places."""
    rank = {word: number for number, word in enumerate(reversed(telling))}
    seen: set[str] = set()
    first: list[tuple[int, int, int]] = []
    for start, end in spans:
        word = text[start:end]
        again = word in seen
        seen.add(word)
        first.append((len(rank) + 1 if again else -rank.get(word, -1), start, end))
    return [(start, end) for _, start, end in sorted(first)]


def _added(kept: list[tuple[int, int]], window: tuple[int, int]) -> int:
    """How many characters the window adds to what is kept."""
    return sum(end - start for start, end in _merge([*kept, window])) - sum(end - start for start, end in kept)


def _merge(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The windows in order; those that touch as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _pieces(text: str, kept: list[tuple[int, int]], spans: list[tuple[int, int]]) -> tuple[Piece, ...]:
    """The kept windows of the text cut into plain and telling pieces, with a gap wherever something was left out."""
    pieces: list[Piece] = []
    shown = 0
    for start, end in kept:
        if start > shown:
            pieces.append(Piece(Part.GAP, _left_out(start - shown)))
        at = start
        for first, last in spans:
            low, high = max(first, start), min(last, end)
            if low < high:
                pieces += [Piece(Part.PLAIN, text[at:low]), Piece(Part.TELLING, text[low:high])]
                at = high
        pieces.append(Piece(Part.PLAIN, text[at:end]))
        shown = end
    if shown < len(text):
        pieces.append(Piece(Part.GAP, _left_out(len(text) - shown).rstrip()))
    return tuple(piece for piece in pieces if piece.text)


def _left_out(count: int, what: str = "characters") -> str:
    """The mark of a gap."""
    return f" […{count:,} {what.removesuffix('s') if count == 1 else what}…] "


def _many_lines(text: str, telling: Sequence[str]) -> tuple[tuple[Piece, ...], bool]:
    """The pieces of a record of several lines; of a long one its two ends and the lines that tell."""
    lines = text.split("\n")
    if text.startswith(("{", "[")):  # pretty-printed JSON, as far to the right as it lay in its document
        lines = [lines[0], *dedent("\n".join(lines[1:])).split("\n")]
        kept = _kept_members(lines, telling)
    else:
        kept = _kept_lines(lines, telling)
    pieces: list[Piece] = []
    shortened = len(kept) < len(lines)
    following = 0
    for number in kept:
        if number > following:
            pieces.append(Piece(Part.GAP, _left_out(number - following, "lines").strip() + "\n"))
        shown, cut = _one_line(lines[number], telling, SHOWN_CHARACTERS // 2)
        pieces += [*shown, Piece(Part.PLAIN, "\n")]
        shortened = shortened or cut
        following = number + 1
    if following < len(lines):
        pieces += [Piece(Part.GAP, _left_out(len(lines) - following, "lines").strip()), Piece(Part.PLAIN, "\n")]
    return tuple(pieces[:-1]), shortened


def _kept_members(lines: list[str], telling: Sequence[str]) -> list[int]:
    """The numbers of the lines of a JSON value to show: all, or its first and those that tell, the rarest words before others.

    Its brackets tell nothing; where there is room, what follows a line that tells is shown.
    """
    if len(lines) <= SHOWN_LINES:
        return list(range(len(lines)))
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines[:SCANNED_LINES]):
        for start, end in _spans(line, telling):
            found.setdefault(line[start:end], []).append(number)
    told = list(dict.fromkeys(number for numbers in sorted(found.values(), key=len) for number in numbers[:_PLACES]))
    after = [number + 1 for number in told if number + 1 < len(lines)]
    values = [number for number, line in enumerate(lines[:SCANNED_LINES]) if any(map(str.isalnum, line))]
    kept = set(list(dict.fromkeys((0, *told, *after, *values)))[:SHOWN_LINES])
    return [number for number in range(len(lines)) if number in kept or {number - 1, number + 1} <= kept]  # one line is no gap


def _kept_lines(lines: list[str], telling: Sequence[str]) -> list[int]:
    """The numbers of the lines to show: all, or the ends, those that tell, and more before the end (a traceback ends with its cause)."""
    if len(lines) <= SHOWN_LINES:
        return list(range(len(lines)))
    kept = {0, 1, *range(len(lines) - 3, len(lines))}
    tells = (number for number, line in enumerate(lines[:SCANNED_LINES]) if any(word in line for word in telling))
    for number in (*tells, *range(len(lines) - 4, 1, -1)):
        if len(kept) == SHOWN_LINES:
            break
        kept.add(number)
    return sorted(kept)
