"""The error that a stack trace names, for records that do not say it themselves: by the exact reader, and as steps of the bulk reader.

The line that names it is in Python's stack traces the first behind the last frame that is not indented, for what an error says may go on
(``DETAIL:  Key (id)=(7) already exists.``); and the first elsewhere; Go's name none. A type or a text that the record states counts before
it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_RAISED = re.compile(r"([A-Za-z_$][\w.$]*)(?:: (.*))?", re.ASCII | re.DOTALL)
_PYTHON = "Traceback (most recent call last)"
_GO = ".go:"
_FRAME = '\n  File "'


def raised_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns ``error_type`` and ``error_text`` by ``_error_type``, ``_error_text`` and ``stack``."""
    kind, said, stack = values["_error_type"], values["_error_text"], values["stack"]
    if stack and _GO not in stack and not (kind and said):
        raised = _RAISED.fullmatch(_line(stack))
        if raised and raised[1][-1:].isalnum() and kind in {None, raised[1]}:
            return {"error_type": raised[1], "error_text": said or raised[2]}
    return {"error_type": kind, "error_text": said}


def _line(stack: str) -> str:
    lines = _outset(stack.split("\n"))
    if lines and lines[0].startswith(_PYTHON):
        lines = _outset(stack.rpartition(_FRAME)[2].split("\n")[1:])
    return lines[0] if lines else ""


def _outset(lines: list[str]) -> list[str]:
    """The lines that are not indented."""
    return [line for line in lines if line.strip() and not line.startswith((" ", "\t"))]


_NAMED = "'^([A-Za-z]|[A-Za-z_$][0-9A-Za-z_.$]*[0-9A-Za-z])(?:: (.*))?$'"
_OUTSET = "line <> '' AND NOT starts_with(line, ' ') AND NOT starts_with(line, chr(9))"
_LINES = f"list_filter(string_split(stack, chr(10)), lambda line: {_OUTSET})"
_LAST = "string_split(string_split(stack, chr(10) || '  File \"')[-1], chr(10))[2:]"
_ASKED = f"stack IS NOT NULL AND NOT contains(stack, '{_GO}') AND NOT (_error_type IS NOT NULL AND _error_text IS NOT NULL)"
_TOLD = "coalesce(_named <> '' AND (_error_type IS NULL OR _error_type = _named), false)"
_BEHIND = f"CASE WHEN strlen(_raised) > strlen(_named) THEN regexp_extract(_raised, {_NAMED}, 2) END"
RAISED_STEPS = (
    {"_lines": f"CASE WHEN {_ASKED} THEN {_LINES} END"},
    {"_raised": f"CASE WHEN starts_with(_lines[1], '{_PYTHON}') THEN list_filter({_LAST}, lambda line: {_OUTSET})[1] ELSE _lines[1] END"},
    {"_named": f"regexp_extract(_raised, {_NAMED}, 1)"},
    {
        "error_type": f"CASE WHEN {_TOLD} THEN _named ELSE _error_type END",
        "error_text": f"CASE WHEN {_TOLD} THEN coalesce(_error_text, {_BEHIND}) ELSE _error_text END",
    },
)
"""The same in SQL, for stacks that are ``PLAIN_STACK``."""
PLAIN_STACK = "coalesce(regexp_full_match(stack, '[ -~\\n\\t]*'), true)"
"""SQL: whether there is no stack, or one whose blanks Python and DuckDB see alike."""
