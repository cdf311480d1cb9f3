"""Keeps answers in the cache: who asks the same of an unchanged case, to get another report of it, need not wait again.

An answer is kept as JSON under a name made of everything it depends on: the case's files, the symptom as it was understood, and
our own code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from kyumei.model import artifact, finding, standout, symptom, window
from kyumei.model.finding import Investigation
from kyumei.store.case import cache_folder, case_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kyumei.model.symptom import Symptom

KEPT_ANSWERS = 200
_NAMES = {
    name: kind for room in (artifact, finding, standout, symptom, window) for name, kind in vars(room).items() if isinstance(kind, type)
}
"""What the annotations of the model may name."""


def remembered(root: Path, asked: Symptom, top: int, cache: Path | None, find: Callable[[], Investigation]) -> Investigation:
    """The kept answer to a question, else the one that ``find`` gives, kept for the next time."""
    folder = cache_folder(cache)
    if folder is None:
        return find()
    digest = hashlib.sha256(f"{case_name(root)}|{asked}|{top}".encode("utf-8", "backslashreplace")).hexdigest()[:32]
    kept = folder / f"{digest}.json"
    try:
        answer = revived(Investigation, json.loads(kept.read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        answer = None
    if isinstance(answer, Investigation):
        return answer
    found = find()
    _keep(kept, found)
    return found


def _keep(kept: Path, answer: Investigation) -> None:
    """Write an answer and forget the oldest. A cache that cannot be written is no fault."""
    try:
        unfinished = kept.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(plain(answer), ensure_ascii=True), "utf-8")
        unfinished.replace(kept)
        found = sorted(kept.parent.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in found[KEPT_ANSWERS:]:
            path.unlink(missing_ok=True)
    except OSError:
        return


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of the model
    """A value of the model as JSON can hold it."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


def revived(kind: Any, value: Any) -> Any:  # noqa: ANN401 - any type and value of the model
    """The value of a type that ``plain`` made ``value`` of."""
    if value is None:
        return None
    if get_origin(kind) in {typing.Union, types.UnionType}:
        return revived(next(one for one in get_args(kind) if one is not type(None)), value)
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        each = [kinds[0]] * len(value) if len(kinds) == len((kinds[0], ...)) and kinds[1] is ... else kinds
        return tuple(revived(one, item) for one, item in zip(each, value, strict=True))
    if get_origin(kind) is dict:
        return {name: revived(get_args(kind)[1], item) for name, item in value.items()}
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind, localns={**_NAMES, "datetime": datetime})
        return kind(**{name: revived(hints[name], item) for name, item in value.items()})  # type: ignore[operator] # a class, not an instance
    if kind is datetime:
        return datetime.fromisoformat(value)
    return kind(value) if isinstance(kind, type) and issubclass(kind, StrEnum) else value
