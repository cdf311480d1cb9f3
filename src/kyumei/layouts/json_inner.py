"""JSON inside JSON logs: what a container runtime, a collector or a library wrapped around a record, brought up to where it is looked for.

Follows the OTLP JSON encoding of OpenTelemetry, the json-file driver of Docker, log4j 2's JSON layout and the JSON format of journalctl.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.layouts.json_record import parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NESTED = ("message", "msg", "log", "MESSAGE")
"""Keys whose text may be a JSON object of its own."""
LISTED = ("stackTrace", "stack_trace", "stack", "traceback")
"""Keys whose value may be a list of the lines of a stack trace."""
_BLANK = " \t\r\n"
_OTLP_TIMES = ("timeUnixNano", "observedTimeUnixNano")
"""When it happened, and when the collector saw it: a record of a file whose time was not looked for has only the second."""
_NO_TIME = (None, "", "0", 0)


def brought_up(document: dict[str, Any], groups: Sequence[frozenset[str]]) -> dict[str, Any]:
    """The object with what is wrapped in it brought up: an OTLP record, JSON in a message, log4j's instant, a list of stack lines.

    ``groups`` are sets of keys that mean the same, such as the names of the time: where the inner object has one of them, the outer
    ones are displaced.
    """
    changed = dict(document)
    if isinstance(document.get("resourceLogs"), list):
        changed = {**_otlp(document), **changed}
    inside = document.get("instant")
    if isinstance(inside, dict) and isinstance(inside.get("epochSecond"), int):
        nanos = inside.get("nanoOfSecond")
        changed["instant"] = f"{inside['epochSecond']}.{nanos if isinstance(nanos, int) else 0:09}"
    for key in LISTED:
        if isinstance(lines := changed.get(key), list) and lines and all(isinstance(line, str) for line in lines):
            changed[key] = "\n".join(line.rstrip("\n") for line in lines)
    journal = changed.get("MESSAGE")
    if isinstance(journal, list) and all(isinstance(code, int) and 0 <= code < 256 for code in journal):  # noqa: PLR2004 - bytes, as the journal writes what is not UTF-8
        changed["MESSAGE"] = bytes(journal).decode("utf-8", "backslashreplace")
    for key in NESTED:
        text = changed.get(key)
        inner = parse_object(text.strip(_BLANK)) if isinstance(text, str) and text.lstrip(_BLANK)[:1] == "{" else None
        if isinstance(inner, dict) and inner:
            del changed[key]
            return _merged(changed, inner, groups)
    return changed


def _merged(outer: dict[str, Any], inner: dict[str, Any], groups: Sequence[frozenset[str]]) -> dict[str, Any]:
    """One object of two: the inner one's time, level and keys count, and what they displace is kept under ``outer``."""
    displaced = {key for key in outer if key in inner and inner[key] != outer[key]}
    for names in groups:
        if names & inner.keys():
            displaced |= (names & outer.keys()) - {key for key in outer if outer[key] == inner.get(key)}
    kept = {key: value for key, value in outer.items() if key not in displaced}
    return {**kept, **inner, **({"outer": {key: outer[key] for key in outer if key in displaced}} if displaced else {})}


def _otlp(document: Mapping[str, Any]) -> dict[str, Any]:
    """The first log record of an OTLP line with flat keys; the resource's attributes first, so that the record's own win."""
    resource = _first(document.get("resourceLogs"))
    scope = _first(resource.get("scopeLogs"))
    record = _first(scope.get("logRecords"))
    about, body, named = resource.get("resource"), _plain_value(record.get("body")), scope.get("scope")
    flat = {**_attributes(about if isinstance(about, dict) else {}), **_attributes(record)}
    flat["logger"] = named.get("name") if isinstance(named, dict) else None
    if isinstance(body, dict):
        flat |= body
    else:
        # What a collector read from a file is a text, and may be a record of its own.
        flat["log" if isinstance(body, str) and body.lstrip(_BLANK)[:1] == "{" else "body"] = body
    flat |= {key: record[key] for key in ("severityText", "severityNumber", "traceId", "spanId") if key in record}
    flat["timeUnixNano"] = next((told for key in _OTLP_TIMES if (told := record.get(key)) not in _NO_TIME), None)
    return {key: value for key, value in flat.items() if value is not None}


def _first(items: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}


def _attributes(owner: Mapping[str, Any]) -> dict[str, Any]:
    found = owner.get("attributes")
    pairs = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    return {item["key"]: _plain_value(item.get("value")) for item in pairs if isinstance(item.get("key"), str)}


def _plain_value(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value inside OTLP's ``{"stringValue": …}``; of ``{"kvlistValue": …}`` an object of such values."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind == "kvlistValue" and isinstance(inner, dict):
        return _attributes({"attributes": inner.get("values")})
    return inner
