"""A span of time, both ends aware UTC, the end not included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Window:
    """``start <= t < end``; both aware, in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive or reversed ends, so that no comparison can go wrong later."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            message = "a window needs aware times"
            raise ValueError(message)
        if self.end < self.start:
            message = f"a window ends at {self.end} before it starts at {self.start}"
            raise ValueError(message)

    def __contains__(self, moment: datetime) -> bool:
        """Whether the moment lies in the window."""
        return self.start <= moment < self.end

    @property
    def middle(self) -> datetime:
        """The moment half way."""
        return self.start + (self.end - self.start) / 2

    @property
    def length(self) -> timedelta:
        """How long the window is."""
        return self.end - self.start

    def widened(self, before: timedelta, after: timedelta | None = None) -> Window:
        """The window with a margin on both sides, cut at the ends of what a datetime can hold."""
        after = before if after is None else after
        earliest, latest = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        start = self.start - before if self.start - earliest > before else earliest
        end = self.end + after if latest - self.end > after else latest
        return Window(start, end)

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether [start, end] and the window share a moment."""
        return start < self.end and end >= self.start


def iso(moment: datetime) -> str:
    """The moment in UTC as ``2025-02-06T05:32:10Z``, with a fraction only where it has one."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    if "." in text:
        text = text.rstrip("0")
    return text + "Z"
