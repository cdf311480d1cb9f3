"""What PostgreSQL says behind a message, where it came as events of its own.

RDS hands each line of the log to CloudWatch Logs as an event: a DETAIL or a STATEMENT is one beside the ERROR that it belongs to, and
events of other processes may stand in between. Both have the same time and the same process in their prefixes.

Follows "Publishing PostgreSQL logs to Amazon CloudWatch Logs" in the RDS User Guide.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from kyumei.layouts.companions import COLUMN_OF
from kyumei.layouts.postgres_prefix import DATE, PRIMARY
from kyumei.store.event_lines import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kyumei.store.event_lines import Broken

_LOOKED_BACK = 64
"""Events among which the message of a companion is looked for."""
_LONGEST = 1024 * 1024
"""Characters to which a message and its companions are put together."""
_SHOWN = 64 * 1024
"""Characters of a document in which a line of PostgreSQL is looked for: the events of its log are mostly its own."""
_SEVERITY = re.compile(rf"\b(?:{PRIMARY}|{'|'.join(COLUMN_OF)}):  ", re.ASCII)
_LINE = re.compile(
    rf"[^\t\n]{{0,60}}?(?P<time>{DATE}(?:\.[0-9]{{1,6}})?)[^\n'\"]{{0,200}}?(?P<process>\[[0-9]+\]|pid=[0-9]+,)[^\n'\"]{{0,300}}?"
    rf"\b(?:(?P<message>{PRIMARY})|{'|'.join(COLUMN_OF)}):  ",
    re.ASCII,
)


class Told(NamedTuple):
    """What the prefix of a line tells: who wrote it (group, stream, time and process), and whether a message follows or a companion."""

    writer: tuple[str, str, str, str]
    is_message: bool


def may_have_companions(text: str) -> bool:
    """Whether a document can hold any, as far as its beginning shows."""
    return _SEVERITY.search(text, 0, _SHOWN) is not None


def with_companions(found: Iterable[Record | Broken]) -> Iterator[Record | Broken]:
    """The records of a document, companions put behind their message."""
    held: deque[tuple[Record | Broken, Told | None]] = deque()
    for record in found:
        told = writer_of(record.text, record.group, record.stream) if isinstance(record, Record) else None
        if told and not told.is_message and _joined(held, record, told):
            continue
        held.append((record, told))
        if len(held) > _LOOKED_BACK:
            yield held.popleft()[0]
    yield from (record for record, _ in held)


def writer_of(text: str, group: str = "", stream: str = "") -> Told | None:
    """What the prefix of a line tells; null for a line without time, process and severity."""
    line = _LINE.match(text)
    return Told((group, stream, line["time"], line["process"]), line["message"] is not None) if line else None


def _joined(held: deque[tuple[Record | Broken, Told | None]], companion: Record | Broken, told: Told) -> bool:
    """Put a companion behind the last message of its writer; false where there is none."""
    for number in range(len(held) - 1, -1, -1):
        message, own = held[number]
        if own and own.writer == told.writer and own.is_message:
            if not isinstance(message, Record) or len(message.text) + len(companion.text) > _LONGEST:
                return False
            span = message.span + (companion.span if companion.line != message.line else 0)
            held[number] = message._replace(text=f"{message.text}\n{companion.text}", span=span), own
            return True
    return False
