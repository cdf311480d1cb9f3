"""The JSON of an investigation as docs/design.md fixes it, as a check of types."""

from __future__ import annotations

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z")


def violations(value: dict[str, Any]) -> list[str]:
    """Where the value differs from the shape; empty when it is right."""
    found: list[str] = []
    _walk(value, SHAPE, "$", found)
    if not found and value["verdict"] == "cause_found" and value["findings"][0]["certainty"] == "possible":
        found.append("$.findings[0]: a cause is found only if the first is proven or likely")
    return found


def _walk(value: Any, shape: Any, place: str, found: list[str]) -> None:  # noqa: ANN401 - any JSON value against any shape
    if isinstance(shape, tuple):
        if value is not None:
            _walk(value, shape[0], place, found)
    elif isinstance(shape, list) and isinstance(value, list):
        for number, item in enumerate(value):
            _walk(item, shape[0], f"{place}[{number}]", found)
    elif isinstance(shape, dict) and isinstance(value, dict):
        found += [f"{place}.{key}: missing" for key in shape if key not in value]
        for key in shape.keys() & value.keys():
            _walk(value[key], shape[key], f"{place}.{key}", found)
    elif isinstance(shape, re.Pattern):
        if not isinstance(value, str) or not shape.fullmatch(value):
            found.append(f"{place}: {value!r} does not match {shape.pattern}")
    elif type(value) is not shape:
        kind = shape.__name__ if isinstance(shape, type) else type(shape).__name__
        found.append(f"{place}: {value!r} is not {kind}")


def _one_of(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words))


CITATION = {"file": str, "line": int, "text": str}
EVIDENCE = {"says": str, "sql": str, "total": int, "citations": [CITATION]}
FINDING = {
    "code": str,
    "rule": str,
    "title": str,
    "certainty": _one_of("proven", "likely", "possible"),
    "subject": {},
    "onset": (TIME,),
    "explains": int,
    "chain": [EVIDENCE],
    "remedy": [{"says": str, "commands": [str], "proof": str}],
    "check": [{"says": str, "command": str}],
}
SHAPE = {
    "schema": int,
    "symptom": {"text": str, "window": ({"start": TIME, "end": TIME},), "status": (int,), "method": (str,), "path": (str,)},
    "verdict": _one_of("cause_found", "healthy", "cannot_tell"),
    "findings": [FINDING],
    "ruled_out": [{"code": str, "why": str, "citations": [CITATION]}],
    "hops": [{"hop": str, "saw_it": str, "answered": (bool,), "why": str, "citations": [CITATION]}],
    "coverage": [{"table": str, "files": int, "start": (TIME,), "end": (TIME,), "covers_symptom": bool}],
    "gaps": [{"missing": str, "would_decide": str, "how": str}],
    "unread": {"lines": int, "files": [{"file": str, "lines": int}]},
    "timeline": [{"time": TIME, "hop": str, "says": str}],
}
"""A tuple is a value or null, a list a list of such, a pattern a string that matches."""
