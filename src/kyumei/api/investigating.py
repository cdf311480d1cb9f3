"""The cause of a symptom, or of what stands out where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kyumei import discover
from kyumei.api.opening import open_at, refuse_empty
from kyumei.correlate.survey import survey
from kyumei.diagnose.investigate import investigate as _investigate
from kyumei.diagnose.standouts import pulses, standouts
from kyumei.diagnose.unprompted import as_symptom, nothing, says_nothing, told
from kyumei.model.symptom import Symptom
from kyumei.store.answers import remembered
from kyumei.store.case import fresh, is_large, open_for_survey
from kyumei.store.settings import read_settings
from kyumei.store.side_by_side import meanwhile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kyumei.api.opening import Made
    from kyumei.model.finding import Investigation
    from kyumei.store.pick import Looked

SHOWN = 3
"""Files that are named where some were not counted."""


def investigate(  # noqa: PLR0913 - each is a choice of the caller
    path: str | Path,
    symptom: Symptom | str | None,
    *,
    now: datetime,
    zone: str | None = None,
    options: Mapping[str, str] | None = None,
    cache: Path | None = None,
    top: int = 1,
) -> Investigation:
    """Find the cause of a symptom in the case at ``path``; without a symptom that of the ``top`` gravest failures that stand out.

    ``symptom`` is a sentence, or what was understood of one; null takes the sentence of case.toml, if any. ``now`` (aware) is
    what "yesterday" and a missing year are measured against, ``zone`` the person's own zone where the sentence names none. Raises
    PathError, SymptomError or ConfigError.
    """
    root = Path(path)
    if not isinstance(symptom, Symptom):
        told = symptom if symptom is not None else read_settings(root).symptom
        symptom = _understood(told or "", now, zone, options)
    asked = symptom
    return remembered(root, asked, top, cache, lambda: _answer(root, asked, top, cache))


def _understood(text: str, now: datetime, zone: str | None, options: Mapping[str, str] | None) -> Symptom:
    """What a sentence and options say; the readers of sentences are loaded where there is something to be read."""
    if not text.strip() and not options:
        return Symptom(text)
    from kyumei.diagnose.understand import understand  # noqa: PLC0415 - two hundred patterns, a tenth of the start

    return understand(text, now=now, default_zone=zone, options=options)


def _answer(root: Path, symptom: Symptom, top: int, cache: Path | None) -> Investigation:
    """The answer to a symptom."""
    if says_nothing(symptom) and is_large(root):
        return _surveyed(root, symptom, top, cache)
    return _opened(root, symptom, top, cache)


def _opened(  # noqa: PLR0913 - what a survey did already comes last
    root: Path, symptom: Symptom, top: int, cache: Path | None, looked: Looked | None = None, made: Made | None = None
) -> Investigation:
    """The answer from what lies around the symptom's window, or from all of a small case."""
    # The modules of the rules are loaded while the database works.
    case = open_at(root, symptom.window, symptom.moment, symptom.zone, cache, looked, made=made, aside=discover.rules)
    try:
        refuse_empty(case, root)
        return _investigate(case, symptom, top)
    finally:
        case.close()


def _surveyed(root: Path, symptom: Symptom, top: int, cache: Path | None) -> Investigation:
    """The answer for a large case of which nobody said what is wrong: all requests are counted, and read only around what stands out."""
    case, looked = open_for_survey(root)
    made = meanwhile(fresh)
    try:
        left = survey(case.con, [part for _, own in looked for part in own])
        found = standouts(case)
        if not found and not pulses(case):  # no requests: what error lines say is told from all of the case, however long it takes
            return _opened(root, symptom, top, cache, looked, made)
        if not found:
            answer = nothing(case, symptom)
        else:
            opened = [_opened(root, as_symptom(symptom, one), 1, cache, looked, None if n else made) for n, one in enumerate(found[:top])]
            answer = told(opened, found, pulses(case, found))
    finally:
        case.close()
    named = ", ".join(left[:SHOWN]) + (f" and {len(left) - SHOWN} more" if len(left) > SHOWN else "")
    return replace(answer, notes=(*answer.notes, f"not counted to find what stands out: {named}")) if left else answer
