"""A file of the case, or one member of an archive in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True)
class Artifact:
    """A file of the case as it was found: never changed, never copied.

    ``name`` is the path inside the case with forward slashes; a member of an archive is ``archive.zip!member``.
    ``size`` is in bytes as the file lies there. ``trouble`` says in one line what could not be read, or is empty.
    """

    number: int
    name: str
    path: Path
    size: int
    modified_ns: int
    compression: str = ""
    member: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Clock:
    """Which zone a file's own clock keeps.

    ``zone`` is an IANA name or a fixed offset such as ``+09:00``; ``source`` says how it is known: ``stated`` (each line has its
    offset), ``told`` (case.toml or an option), ``inner`` (a second time on the same line), ``matched`` (the same requests in another log),
    ``assumed`` (nothing told). Only the last three are inferences.
    """

    zone: str
    source: str
    why: str = ""


@dataclass(frozen=True)
class Coverage:
    """What one table covers. ``start`` and ``end`` are the first and last time seen in its files, in UTC."""

    table: str
    files: int
    rows: int
    start: datetime | None
    end: datetime | None
    covers_symptom: bool
    why: str
