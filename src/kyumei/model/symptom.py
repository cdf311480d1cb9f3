"""What a person saw, as far as it could be understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from kyumei.model.status import FAILED, REDIRECTS

if TYPE_CHECKING:
    from datetime import datetime

    from kyumei.model.window import Window


class Trouble(StrEnum):
    """What a person saw where it was no status: what kept them from an answer, or how the answer came.

    SLOW: an answer that took far longer than usual. TIMED_OUT: whoever asked gave up waiting. NOT_CONNECTED: the connection was refused,
    reset or never made. TLS: it was made, and its handshake or a certificate failed, so that no request was ever sent. REDIRECT_LOOP: they
    were sent on and on until the browser gave up. CROSS_ORIGIN: a browser kept the answer from a page of another origin (CORS).
    """

    SLOW = "slow"
    TIMED_OUT = "timed_out"
    NOT_CONNECTED = "not_connected"
    TLS = "tls"
    REDIRECT_LOOP = "redirect_loop"
    CROSS_ORIGIN = "cross_origin"


@dataclass(frozen=True)
class Symptom:
    """What a person saw. Every field but ``text`` may be missing; nothing is invented.

    ``window`` is when it happened as the person told it, in UTC: the stated minute or second, widened by what the words allow
    ("around" by ten minutes on each side). ``zone`` is the zone in which the person spoke and in which times are shown
    to them. ``status`` 0 is what logs write, and curl shows, where there was no answer (000). ``kind`` is what they saw besides a status,
    or instead of one, and ``took_seconds`` how long it took as they tell it. ``method`` is in capitals, ``path`` starts with a slash and
    has no query string (that is in ``query``). ``browser`` says that the person spoke of a browser. ``understood`` and ``ignored`` echo the
    reading, so that a misreading is seen.
    """

    text: str = ""
    window: Window | None = None
    moment: datetime | None = None
    """The stated instant itself, in UTC, before any widening; null if only a span was stated."""
    zone: str | None = None
    status: int | None = None
    status_class: int | None = None
    """4 or 5 when the person said "4xx" or "5xx" and gave no exact code."""
    kind: Trouble | None = None
    took_seconds: float | None = None
    method: str | None = None
    host: str | None = None
    path: str | None = None
    path_word: str | None = None
    """A word, in small letters, that is a part of the paths that are meant: a hint, where no path was stated."""
    query: str | None = None
    client: str | None = None
    request_ids: tuple[str, ...] = ()
    error_text: str | None = None
    browser: bool = False
    understood: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    """Sentences the person should read: an inferred year, a moment in the future, an assumed zone."""

    @property
    def by_time(self) -> bool:
        """Whether the requests that are meant are known by how long they took, not by a status that says that they failed."""
        failed = self.status_class is not None or (self.status is not None and not 0 < self.status < FAILED)
        return self.kind in {Trouble.SLOW, Trouble.TIMED_OUT} and not failed

    @property
    def before_request(self) -> bool:
        """Whether it failed before any request was sent, so that no access log can have it."""
        return self.kind in {Trouble.NOT_CONNECTED, Trouble.TLS} and self.status is None and self.status_class is None

    @property
    def in_circles(self) -> bool:
        """Whether the requests that are meant are redirects in which the client went round, not requests that failed."""
        told = self.status_class is None and (self.status is None or self.status in REDIRECTS)
        return self.kind is Trouble.REDIRECT_LOOP and told
