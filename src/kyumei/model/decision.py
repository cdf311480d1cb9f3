"""What both judges answer: allowed or not, with every step of the way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of a judgement: what was looked at, the verdict there, the reason, and the configuration it came from."""

    subject: str
    verdict: str
    reason: str
    source: str = ""


@dataclass(frozen=True)
class Decision:
    """A judgement. ``allowed`` is null where it cannot be decided; ``steps`` holds the full chain."""

    allowed: bool | None
    steps: tuple[Step, ...]
