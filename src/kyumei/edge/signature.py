"""What one row of a table of error-log signatures is; the tables themselves are data (``nginx_errors``, ``apache_errors``)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Family(StrEnum):
    """What a line means for the request: REFUSED by the web server itself, or UPSTREAM: the server behind it gave no usable answer.

    STRAIN is trouble of the web server as a whole, which names no request; it shows outside of it only.
    """

    REFUSED = "refused"
    UPSTREAM = "upstream"
    STRAIN = "strain"


class Signature(NamedTuple):
    """One row: the pattern on the message, the statuses that follow from it, the cause, and the fix.

    ``layer`` is the component in which the cause lies. ``open`` is what the line leaves unanswered, in words that follow "tells",
    and empty where the line says all: such a line is a symptom of something further in. Commands may hold ``{file}``, ``{upstream}`` and
    ``{port}``.
    """

    code: str
    pattern: str
    statuses: tuple[int, ...]
    cause: str
    fix: str
    commands: tuple[str, ...] = ()
    family: Family = Family.REFUSED
    layer: str = "nginx"
    open: str = ""
