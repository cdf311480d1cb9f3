"""Spans of the log group ``aws/spans``, where CloudWatch keeps every span of X-Ray, brought to the words of X-Ray's segments.

Names are those of OpenTelemetry's semantic conventions, the present ones and those of before; the id of a trace has no dashes. What has no
word in a segment stays under the name that the span gives it.

Follows "Transaction Search" and "Spans" in the Amazon CloudWatch User Guide, "AWS X-Ray segment documents" and OpenTelemetry's semantic
conventions for HTTP, function as a service and exceptions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NEEDED = frozenset({"traceId", "spanId", "startTimeUnixNano"})
_TRACE = re.compile("[0-9a-f]{32}")
_NANOSECONDS = re.compile("[0-9]{10,19}")
_SERVER_ERROR, _CLIENT_ERROR, _THROTTLED = 500, 400, 429
_METHOD = ("http.request.method", "http.method")
_URL = ("url.full", "http.url")
_STATUS = ("http.response.status_code", "http.status_code")
_AGENT = ("user_agent.original", "http.user_agent")
_CLIENT = ("client.address", "http.client_ip")
_REQUEST = ("faas.invocation_id", "aws.request_id", "faas.execution", "aws.requestId")
_ARN = ("aws.lambda.invoked_arn", "faas.id", "cloud.resource_id")


def is_span(document: Mapping[str, Any]) -> bool:
    """Whether an object is a span as ``aws/spans`` has it."""
    return document.keys() >= NEEDED and "start_time" not in document and isinstance(document["traceId"], str)


def segment_of(span: Mapping[str, Any]) -> dict[str, Any]:
    """The span in the words of a segment; a span whose start is no time in nanoseconds as it stands."""
    start = _seconds(span["startTimeUnixNano"])
    if start is None:
        return dict(span)
    told = {**_attributes(_object(span.get("resource"))), **_attributes(span)}
    failed, status = _object(span.get("status")).get("code") in {"ERROR", "STATUS_CODE_ERROR", 2}, _first(told, _STATUS)
    code = status if isinstance(status, int) and not isinstance(status, bool) else None
    refused = code is not None and _CLIENT_ERROR <= code < _SERVER_ERROR
    exceptions = _exceptions(span)
    found = {
        "start_time": start,
        "end_time": _seconds(span.get("endTimeUnixNano")),
        "trace_id": _trace(span["traceId"]),
        "id": span["spanId"],
        "parent_id": span.get("parentSpanId") or None,
        "name": span.get("name"),
        "origin": told.get("aws.xray.origin") or _platform(told),
        "fault": True if (failed and not refused) or (code or 0) >= _SERVER_ERROR else None,
        "error": True if refused else None,
        "throttle": True if code == _THROTTLED else None,
        "in_progress": told.get("aws.xray.inprogress"),
        "http": _http(told, code),
        "aws": _aws(told),
        "cause": {"exceptions": exceptions} if exceptions else None,
    }
    taken = {"traceId", "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano", "durationNano", "name"}
    rest = {key: value for key, value in span.items() if key not in taken}
    return {**rest, **{key: value for key, value in found.items() if value is not None}}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _attributes(holder: Mapping[str, Any]) -> dict[str, Any]:
    return _object(holder.get("attributes"))


def _first(told: Mapping[str, Any], names: tuple[str, ...]) -> object:
    return next((told[name] for name in names if told.get(name) is not None), None)


def _seconds(value: object) -> str | None:
    """Nanoseconds since 1970 as seconds with a fraction, digit by digit: a float would be off by some of them."""
    text = str(value)
    return f"{text[:-9]}.{text[-9:-3]}" if not isinstance(value, bool) and _NANOSECONDS.fullmatch(text) else None


def _trace(identity: str) -> str:
    """The id as X-Ray writes it.

    >>> _trace("67a44a9a0d2f6b1c7e8f9a0b1c2d3e4f")
    '1-67a44a9a-0d2f6b1c7e8f9a0b1c2d3e4f'
    """
    return f"1-{identity[:8]}-{identity[8:]}" if _TRACE.fullmatch(identity) else identity


def _platform(told: Mapping[str, Any]) -> str | None:
    """What ran it, where the span itself is that of the function's run and not of a call that it made."""
    return "AWS::Lambda::Function" if told.get("cloud.platform") == "aws_lambda" and _first(told, _REQUEST) else None


def _http(told: Mapping[str, Any], status: int | None) -> dict[str, Any] | None:
    url = _first(told, _URL) or told.get("url.path") or told.get("http.target")
    asked = {"method": _first(told, _METHOD), "url": url, "user_agent": _first(told, _AGENT), "client_ip": _first(told, _CLIENT)}
    request = {key: value for key, value in asked.items() if value is not None}
    found = {**({"request": request} if request else {}), **({"response": {"status": status}} if status is not None else {})}
    return found or None


def _aws(told: Mapping[str, Any]) -> dict[str, Any] | None:
    arn, name = _first(told, _ARN), told.get("faas.name")
    found = {
        "request_id": _first(told, _REQUEST),
        "account_id": told.get("cloud.account.id") or told.get("aws.account_id"),
        "region": told.get("cloud.region"),
        "function_arn": arn if isinstance(arn, str) and ":function:" in arn else None,
        "function_name": name,
    }
    return {key: value for key, value in found.items() if value is not None} or None


def _exceptions(span: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The exceptions that the span's events tell; of a span without any what its status says."""
    events = span.get("events")
    found = []
    for event in events if isinstance(events, list) else []:
        told = _attributes(_object(event))
        named = {"type": told.get("exception.type"), "message": told.get("exception.message")}
        if own := {key: value for key, value in named.items() if isinstance(value, str)}:
            found.append(own)
    said = _object(span.get("status")).get("message")
    return found or ([{"message": said}] if isinstance(said, str) and said else [])
