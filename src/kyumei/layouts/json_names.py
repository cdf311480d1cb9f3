"""Casts for the values of JSON application logs: times in any usual writing, levels of all scales, parts of an HTTP request, durations.

A cast here takes a value as text. Most are total: their SQL answers null exactly where Python does, so that the next name may be tried.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.layouts.casts import CLF_TIME, Cast, guarded, parse_clf, parse_epoch, quoted
from kyumei.layouts.clocks import ISO_TIME, TIME_NAIVE, parse_any_iso
from kyumei.layouts.stamps import COMMON, EPOCH, ISO, ISO_SPACE, Stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

# Times

_EPOCH_SQL = (
    "CASE WHEN regexp_full_match({x}, '[1-9][0-9]{8,17}(\\.[0-9]{1,9})?') THEN make_timestamp("
    "CASE WHEN length(split_part({x}, '.', 1)) <= 11 THEN TRY_CAST(split_part({x}, '.', 1) AS BIGINT) * 1000000 "
    "+ TRY_CAST(left(rpad(split_part({x}, '.', 2), 6, '0'), 6) AS BIGINT) "
    "WHEN length(split_part({x}, '.', 1)) <= 14 THEN TRY_CAST(split_part({x}, '.', 1) AS BIGINT) * 1000 "
    "+ TRY_CAST(left(rpad(split_part({x}, '.', 2), 3, '0'), 3) AS BIGINT) "
    "WHEN length(split_part({x}, '.', 1)) <= 17 THEN TRY_CAST(split_part({x}, '.', 1) AS BIGINT) "
    "ELSE TRY_CAST(split_part({x}, '.', 1) AS BIGINT) // 1000 END) END"
)


def _when(raw: str) -> datetime | None:
    parsed = parse_any_iso(raw)
    return parsed[0] if parsed else parse_epoch(raw) or parse_clf(raw)


def _when_naive(raw: str) -> int | None:
    parsed = parse_any_iso(raw)
    if parsed:
        return 0 if parsed[1] else 1
    return None if _when(raw) is None else 0


WHEN = Cast("time", _when, f"coalesce({ISO_TIME.sql}, {_EPOCH_SQL}, {CLF_TIME.sql})")
"""ISO with or without a zone, seconds to nanoseconds since 1970 told apart by size, or the common log's."""
WHEN_NAIVE = Cast(
    "whether a time has a zone",
    _when_naive,
    f"CASE WHEN strpos({{x}}, '-') = 5 THEN {TIME_NAIVE.sql} WHEN {{x}} IS NOT NULL THEN 0 END",
)
"""For a value that ``WHEN`` takes, too: a text that is no time makes the record one for the exact reader anyhow."""
STAMPS = (
    ISO,
    ISO_SPACE,
    EPOCH,
    COMMON,
    Stamp(
        "common log with escaped slashes", lambda window, offsets: tuple(text.replace("/", "\\/") for text in COMMON.find(window, offsets))
    ),
)

# Levels

LEVELS: dict[str, tuple[str, ...]] = {
    "DEBUG": ("TRACE", "DEBUG", "VERBOSE", "FINE", "FINER", "FINEST", "SILLY", "DBG", "TRC"),
    "INFO": ("INFO", "INFORMATION", "INFORMATIONAL", "NOTICE", "LOG", "CONFIG", "HTTP", "DEFAULT", "STATS", "INF"),
    "WARNING": ("WARN", "WARNING", "WRN"),
    "ERROR": ("ERROR", "ERR", "SEVERE", "FAIL", "FAILURE"),
    "CRITICAL": ("CRITICAL", "CRIT", "FATAL", "ALERT", "EMERG", "EMERGENCY", "PANIC", "DPANIC", "FTL"),
}
BUNYAN = {"10": "DEBUG", "20": "DEBUG", "30": "INFO", "40": "WARNING", "50": "ERROR", "60": "CRITICAL"}
"""bunyan and pino count from 10 (trace) to 60 (fatal)."""
PYTHON = {"10": "DEBUG", "20": "INFO", "30": "WARNING", "40": "ERROR", "50": "CRITICAL"}
SYSLOG = {"0": "CRITICAL", "1": "CRITICAL", "2": "CRITICAL", "3": "ERROR", "4": "WARNING", "5": "INFO", "6": "INFO", "7": "DEBUG"}
OTEL = {
    str(n): name
    for name, span in (("DEBUG", (1, 9)), ("INFO", (9, 13)), ("WARNING", (13, 17)), ("ERROR", (17, 21)), ("CRITICAL", (21, 25)))
    for n in range(*span)
}
_WORD = re.compile(r"\s*([A-Za-z]+)[0-9]?\s*", re.ASCII)
_NAMES = {word: level for level, words in LEVELS.items() for word in words}


def _level(name: str, numbers: dict[str, str]) -> Cast:
    def cast(raw: str) -> str | None:
        found = _WORD.fullmatch(raw)
        return _NAMES.get(found[1].upper()) if found else numbers.get(raw)

    usual = " ".join(
        f"WHEN {{x}} = {quoted(word)} OR {{x}} = {quoted(word.lower())} THEN {quoted(_NAMES[word])}"
        for word in ("INFO", "ERROR", "WARNING", "WARN", "DEBUG")
    )
    word = "'|' || upper(regexp_extract({x}, '^\\s*([A-Za-z]+)[0-9]?\\s*$', 1)) || '|'"
    # No IN, of which DuckDB makes a join.
    cases = " ".join(
        f"WHEN contains({quoted('|' + '|'.join(words) + '|')}, {word}) THEN {quoted(level)}" for level, words in LEVELS.items()
    )
    digits = " ".join(f"WHEN {{x}} = {quoted(number)} THEN {quoted(level)}" for number, level in numbers.items())
    return Cast(name, cast, f"CASE {usual} {digits} WHEN regexp_matches({{x}}, '[A-Za-z]') THEN CASE {cases} END END")


LEVEL = _level("level", BUNYAN)
LEVEL_WORD = _level("level as a word", {})
SEVERITY = _level("severity", SYSLOG)
SEVERITY_NUMBER = _level("severity number", OTEL)

# HTTP

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "REPORT", "PURGE")
_REQUEST = re.compile(rf"({'|'.join(_METHODS)}) (\S+)(?: HTTP/[0-9.]+)?", re.ASCII)
_REQUEST_SQL = f"^({'|'.join(_METHODS)}) ([^\\t\\n\\f\\r\\x0b ]+)(?: HTTP/[0-9.]+)?$"
_TARGET = re.compile(r"(?:(?:https?|wss?)://[^/?#\s]+)?(?:/[^\s]*)?|\*", re.ASCII | re.IGNORECASE)
_SPACE = r"\t\n\f\r\x0b "


def _of_request(part: int) -> Callable[[str], str | None]:
    def cast(raw: str) -> str | None:
        found = _REQUEST.fullmatch(raw)
        return found[part] if found else None

    return cast


METHOD = Cast(
    "HTTP method",
    lambda raw: raw.upper() if raw.isascii() and raw.upper() in _METHODS else None,
    "CASE WHEN {x} = 'GET' OR {x} = 'POST' THEN {x} WHEN regexp_full_match({x}, '[A-Za-z]+') AND "
    f"contains({quoted('|' + '|'.join(_METHODS) + '|')}, '|' || upper({{x}}) || '|') THEN upper({{x}}) END",
)
TARGET = Cast(
    "path or URL",
    lambda raw: raw if raw and _TARGET.fullmatch(raw) else None,
    f"CASE WHEN {{x}} <> '' AND regexp_full_match({{x}}, "
    f"'(?i:(?:(?:https?|wss?)://[^/?#{_SPACE}]+)?(?:/[^{_SPACE}]*)?|\\*)') THEN {{x}} END",
)
REQUEST_METHOD = Cast("method of a request line", _of_request(1), f"nullif(regexp_extract({{x}}, {quoted(_REQUEST_SQL)}, 1), '')")
REQUEST_TARGET = Cast("target of a request line", _of_request(2), f"nullif(regexp_extract({{x}}, {quoted(_REQUEST_SQL)}, 2), '')")
STATUS = guarded(
    "HTTP status",
    lambda raw: int(raw) if re.fullmatch("[1-5][0-9]{2}", raw, re.ASCII) else None,
    "[1-5][0-9]{2}",
    "TRY_CAST({x} AS BIGINT)",
)
_V4, _V6 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*"
_ADDRESS = rf"({_V4})(?::[0-9]{{1,5}})?|({_V6})|\[({_V6})\](?::[0-9]{{1,5}})?"


def _address(raw: str) -> str | None:
    found = re.fullmatch(_ADDRESS, raw.partition(",")[0].strip(" "), re.ASCII)
    return next((part for part in found.groups() if part), None) if found else None


_FIRST = "trim(split_part({x}, ',', 1))"
ADDRESS = Cast(
    "address",
    _address,
    f"CASE WHEN regexp_full_match({_FIRST}, {quoted(_ADDRESS)}) THEN "
    f"coalesce(nullif(regexp_extract({_FIRST}, {quoted('^(?:' + _ADDRESS + ')$')}, 1), ''), "
    f"nullif(regexp_extract({_FIRST}, {quoted('^(?:' + _ADDRESS + ')$')}, 2), "
    f"''), regexp_extract({_FIRST}, {quoted('^(?:' + _ADDRESS + ')$')}, 3)) END",
)
"""An address without its port; the first of several with commas, which is the client of X-Forwarded-For."""

# Texts

_COLOUR = re.compile("\x1b\\[[0-9;]*[A-Za-z]", re.ASCII)
PRINTED = Cast(
    "message",
    lambda raw: _COLOUR.sub("", raw).rstrip("\r\n"),
    "rtrim(CASE WHEN contains({x}, chr(27)) THEN regexp_replace({x}, '\\x1b\\[[0-9;]*[A-Za-z]', '', 'g') ELSE {x} END, chr(13) || chr(10))",
)
"""A message without colours and the line end."""
FILLED = Cast("text that is not empty", lambda raw: raw if raw not in {"", "-"} else None, "nullif(nullif({x}, ''), '-')")
TRACE = Cast(
    "trace id",
    lambda raw: (found[1] if (found := re.search("Root=([^;]+)", raw)) else raw) if raw not in {"", "-"} else None,
    "coalesce(nullif(regexp_extract({x}, 'Root=([^;]+)', 1), ''), nullif(nullif({x}, ''), '-'))",
)
"""A trace id; of an X-Amzn-Trace-Id header its root."""
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?(?:e-[0-9]{1,2})?"
_UNITS = {"ns": 1e9, "us": 1e6, "µs": 1e6, "ms": 1e3, "s": 1.0}


def seconds(parts: float) -> Cast:
    """A duration in seconds from a number of which ``parts`` make up one."""

    def _in_seconds(raw: str) -> float | None:
        return float(raw) / parts if re.fullmatch(_NUMBER, raw, re.ASCII) else None

    return Cast(
        f"1/{parts:g} seconds",
        _in_seconds,
        f"CASE WHEN regexp_full_match({{x}}, {quoted(_NUMBER)}) THEN TRY_CAST({{x}} AS DOUBLE) / {parts!r}::DOUBLE END",
    )


def _with_unit(raw: str) -> float | None:
    found = re.fullmatch(rf"({_NUMBER}) ?(ns|us|µs|ms|s)", raw, re.ASCII)
    return float(found[1]) / _UNITS[found[2]] if found else None


WITH_UNIT = Cast(
    "duration with its unit",
    _with_unit,
    f"TRY_CAST(regexp_extract({{x}}, {quoted('^(' + _NUMBER + ') ?(ns|us|µs|ms|s)$')}, "
    f"1) AS DOUBLE) / CASE regexp_extract({{x}}, '(ns|us|µs|ms|s)$', 1) "
    "WHEN 'ns' THEN 1e9 WHEN 'ms' THEN 1e3 WHEN 's' THEN 1.0 ELSE 1e6 END",
)
"""``12.5ms``, as Go prints it; a number alone has no unit and is left."""
