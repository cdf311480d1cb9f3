"""What somebody meant who mistyped a command: the line to type instead, for the most usual slips."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_FOLDER_AND_TEXT = 2


def meant(given: Sequence[str], verbs: Collection[str]) -> str:
    """The hint for a refused command line: a verb left out, a symptom without quotation marks, the folder last; empty for all others.

    Only lines without options are judged, for the value of an option cannot be told from a word there.
    """
    if not given or any(word.startswith("-") for word in given):
        return ""
    if given[0] not in verbs:
        return f"the verb comes first: kyumei investigate {shlex.join(given)}" if _exists(given[0]) else ""
    verb, words = given[0], given[1:]
    if verb == "query" and len(words) > 1 and (_exists(words[0]) or _exists(words[-1])):
        folder, question = (words[0], words[1:]) if _exists(words[0]) else (words[-1], words[:-1])
        return f"kyumei query --sql {shlex.quote(' '.join(question))} {shlex.quote(folder)}"
    if verb != "investigate":
        return ""
    if len(words) > _FOLDER_AND_TEXT and _exists(words[0]):
        return f"put the symptom in quotation marks: kyumei investigate {shlex.quote(words[0])} {shlex.quote(' '.join(words[1:]))}"
    if len(words) == _FOLDER_AND_TEXT and _exists(words[1]) and not _exists(words[0]):
        return f"the folder comes first: kyumei investigate {shlex.join(reversed(words))}"
    return ""


def _exists(word: str) -> bool:
    """Whether the word is a file or a folder here; what the system refuses as a name is none."""
    try:
        return bool(word) and Path(word).exists()
    except (OSError, ValueError):
        return False
