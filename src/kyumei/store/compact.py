"""Cuts the compact ``{"Records":[{…},{…}]}`` of CloudTrail into its records without decoding them first: several times faster than JSON is.

All records of a file begin with the same key, so one ends and the next begins at ``},{"eventVersion":``. In a string that cannot stand, for
its quotes would be escaped; in a list inside of a record it might. So every piece must have as many opening brackets as closing ones, and
the key no more than once; a piece that has not is decoded. One that is no JSON then sends the whole text to the reader that decodes
everything, as do objects with nothing between them.
"""

from __future__ import annotations

import json

_START = '{"Records":['
_FIRST = '{"eventVersion":'
_CARRIERS = ('"kinesis"', '"Sns"', '"aws:sqs"')
"""What stands in an item that carries a record instead of being one; all items of a document are alike in this."""


def compact_records(text: str) -> list[str] | None:
    """The records of a compact document of nothing else; null where that is not certain."""
    end = len(text.rstrip(" \r\n"))
    if not text.startswith(_START + _FIRST) or not text.endswith("]}", 0, end) or "\n" in text[:end] or "}{" in text:
        return None
    pieces = text[len(_START) : end - 2].split("}," + _FIRST)
    last = len(pieces) - 1
    records = [f"{_FIRST if number else ''}{piece}{'}' if number < last else ''}" for number, piece in enumerate(pieces)]
    if any(mark in records[0] for mark in _CARRIERS) or not all(_is_sure(record) or _is_object(record) for record in records):
        return None
    return records


def _is_sure(record: str) -> bool:
    """Whether the brackets of a record come in pairs, and its first key stands in it once."""
    count = record.count
    return count("{") == count("}") and count("[") == count("]") and count(_FIRST[1:]) == 1 and record.endswith("}")


def _is_object(record: str) -> bool:
    try:
        return isinstance(json.loads(record), dict)
    except (ValueError, RecursionError):
        return False
