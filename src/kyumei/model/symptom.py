"""What a person saw, as far as it could be understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from kyumei.model.window import Window


@dataclass(frozen=True)
class Symptom:
    """What a person saw. Every field but ``text`` may be missing; nothing is invented.

    ``window`` is when it happened as the person told it, in UTC: the stated minute or second, widened by what the words allow
    ("around" by ten minutes on each side). ``zone`` is the zone in which the person spoke and in which times are shown
    to them. ``method`` is in capitals, ``path`` starts with a slash and has no query string (that is in ``query``). ``browser`` says
    that the person spoke of a browser. ``understood`` and ``ignored`` echo the reading, so that a misreading is seen.
    """

    text: str = ""
    window: Window | None = None
    moment: datetime | None = None
    """The stated instant itself, in UTC, before any widening; null if only a span was stated."""
    zone: str | None = None
    status: int | None = None
    status_class: int | None = None
    """4 or 5 when the person said "4xx" or "5xx" and gave no exact code."""
    method: str | None = None
    host: str | None = None
    path: str | None = None
    query: str | None = None
    client: str | None = None
    request_ids: tuple[str, ...] = ()
    error_text: str | None = None
    browser: bool = False
    understood: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    """Sentences the person should read: an inferred year, a moment in the future, an assumed zone."""
