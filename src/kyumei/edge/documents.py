"""Stored answers of AWS as they are met: a part may be missing, or be of any other shape than it should."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from kyumei.contracts import View
    from kyumei.model.finding import Citation

Object = dict[str, Any]
_QUALIFIER = re.compile(r"/[a-z][a-z0-9-]*\.(.+?)\.json(?:\.(?:gz|zst|bz2|xz))?\Z")


def as_map(value: object) -> Object:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def parsed(text: str | None) -> Object:
    """The object that a text in JSON is; an empty one for any other text."""
    try:
        return as_map(json.loads(text or "{}"))
    except (ValueError, RecursionError):
        return {}


def qualifier(citation: Citation) -> str:
    """What tells an answer from others of its operation: the part of the file's name between operation and ``.json``."""
    found = _QUALIFIER.search("/" + citation.file)
    return unquote(found[1]) if found else ""


def answers(view: View, service: str, operation: str) -> list[tuple[dict[str, Any], Citation]]:
    """The stored resources of one operation that are objects; a list of words in an answer is none of them."""
    stored: list[tuple[Any, Citation]] = list(view.snapshot(service, operation))
    return [(document, where) for document, where in stored if isinstance(document, dict)]
