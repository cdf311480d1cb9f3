"""Casts: how one raw field becomes one value, written once in Python and once in SQL.

A layout splits a record into raw fields, each a string or missing (null). A ``Take`` says which column is filled from which raw field by
which cast. Python is the truth; the SQL must equal it wherever it answers non-null for a raw field that is there. A raw field that is there
but cannot be cast makes the value null and is kept in ``_extra`` by the exact reader; the bulk reader hands such records to that one.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.model.table import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kyumei.model.table import Column


class Cast(NamedTuple):
    """``python(raw)`` answers the value, or null when the raw text is not of that sort; ``sql`` does so for ``{x}``.

    ``shape`` is a pattern, read alike by Python ``re.ASCII`` and RE2, of the usual texts; ``plain`` is cheaper SQL that a layout may use
    where it has already seen that the whole text matches: it then equals ``python`` or is null. It never raises, whatever the text. A shape
    matches no quote and no backslash, so that it may stand inside quotes. ``verbatim`` says that a value stands in the raw text as it is:
    a text letter by letter, a whole number in its digits.
    """

    name: str
    python: Callable[[str], Any]
    sql: str
    shape: str = ""
    plain: str = ""
    verbatim: bool = False


class Take(NamedTuple):
    """Fill ``column`` from the raw field ``source`` by ``cast``. With ``optional`` a value that does not fit is null and no fault."""

    column: str
    source: str
    cast: Cast
    optional: bool = False


def fill(takes: Sequence[Take], raw: Mapping[str, str | None]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values by column, and the raw fields that could not be cast."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for take in takes:
        text = raw.get(take.source)
        value = None if text is None else take.cast.python(text)
        if value is None and text is not None and not take.optional:
            faults[take.source] = text
        values[take.column] = value
    return values, faults


def fill_sql(takes: Sequence[Take], raw: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """SQL expressions by column, and one that is true where every raw field that is there could be cast."""
    values: dict[str, str] = {}
    sound: list[str] = []
    for take in takes:
        expression = raw[take.source]
        value = take.cast.sql.replace("{x}", f"({expression})")
        values[take.column] = value
        if not take.optional and take.cast is not TEXT:
            sound.append(f"(({expression}) IS NULL OR ({value}) IS NOT NULL)")
    return values, " AND ".join(sound) or "true"


def takes_by_origin(columns: Sequence[Column], casts: Mapping[str, tuple[Cast, bool]]) -> tuple[Take, ...]:
    """Each column from the field that its ``origin`` names, by its own cast or else as a whole number or a text.

    ``casts`` says by column which cast that is, and whether a value that does not fit is no fault.
    """
    usual = {column.name: (INTEGER if column.kind is Kind.INTEGER else TEXT, False) for column in columns}
    return tuple(Take(column.name, column.origin, *casts.get(column.name, usual[column.name])) for column in columns)


def texts(*names: str) -> tuple[Take, ...]:
    """Columns that hold the text of the raw fields of their own names."""
    return tuple(Take(name, name, TEXT) for name in names)


def quoted(text: str) -> str:
    """The text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _integer(raw: str) -> int | None:
    if re.fullmatch(r"[+-]?[0-9]{1,18}", raw):
        return int(raw)
    return None


def _number(raw: str) -> float | None:
    if re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?", raw):
        return float(raw)
    return None


def _dispatched(raw: str) -> bool | None:
    seconds = re.fullmatch(r"(-?)[0-9]{1,15}(?:\.[0-9]{1,15})?", raw)
    return not seconds[1] if seconds else None


def _phase(raw: str) -> float | None:
    value = _number(raw)
    return None if value is None or value < 0 else value


_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?",
    re.ASCII,
)


def parse_iso(raw: str) -> tuple[datetime, bool] | None:
    """An ISO 8601 time as (naive time, whether it is UTC); an offset is taken off, digits beyond microseconds are cut."""
    found = _ISO.fullmatch(raw)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), int((fraction or "0").ljust(6, "0")[:6]))  # noqa: DTZ001 - naive on purpose, the zone is handled below
        return (moment - offset_of(zone), True) if zone else (moment, False)
    except (ValueError, OverflowError):
        return None


def offset_of(zone: str) -> timedelta:
    """``Z``, ``+0900`` or ``+09:00`` as a difference from UTC."""
    if zone == "Z":
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
    return -size if zone[0] == "-" else size


def _iso_utc(raw: str) -> datetime | None:
    parsed = parse_iso(raw)
    return parsed[0] if parsed and parsed[1] else None


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLF = re.compile(r"([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-][0-9]{4})", re.ASCII)


def parse_clf(raw: str) -> datetime | None:
    """``06/Feb/2025:14:32:10 +0900`` as a naive time in UTC."""
    found = _CLF.fullmatch(raw)
    if not found or found[2] not in MONTHS:
        return None
    try:
        day, _, year, hour, minute, second, zone = found.groups()
        moment = datetime(int(year), MONTHS.index(found[2]) + 1, int(day), int(hour), int(minute), int(second))  # noqa: DTZ001 - the offset is taken off next
        return moment - offset_of(zone)
    except (ValueError, OverflowError):
        return None


def parse_epoch(raw: str) -> datetime | None:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size, as a naive time in UTC."""
    if not re.fullmatch(r"[0-9]{9,19}(\.[0-9]{1,9})?", raw):
        return None
    whole, _, fraction = raw.partition(".")
    number = int(whole)
    if number < 10**11:
        micros = number * 10**6 + int(fraction.ljust(6, "0")[:6] or 0)
    elif number < 10**14:
        micros = number * 1000 + int(fraction.ljust(3, "0")[:3] or 0)
    else:
        micros = number if number < 10**17 else number // 1000
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).replace(tzinfo=None)
    except OverflowError:
        return None


def to_json(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """A value as compact JSON text; null stays null."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def guarded(name: str, python: Callable[[str], Any], shape: str, plain: str, *, verbatim: bool = False) -> Cast:
    """A cast whose SQL is ``plain`` for texts of that shape and null for all others."""
    return Cast(name, python, f"CASE WHEN regexp_full_match({{x}}, {quoted(shape)}) THEN {plain} END", shape, plain, verbatim)


# Years are those that neither side can carry out of its range by an offset; DuckDB takes 24:00:00 for the next day, Python refuses it.
_YEAR = "[12][0-9][0-9][0-9]"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"

TEXT = Cast("text", lambda raw: raw, "{x}", verbatim=True)
UNKNOWN = Cast("text without a column", lambda _raw: None, "NULL::VARCHAR")
"""Never fits, so that the raw field lands in ``_extra``."""
INTEGER = guarded("integer", _integer, r"[+-]?[0-9]{1,18}", "TRY_CAST({x} AS BIGINT)", verbatim=True)
NUMBER = guarded("number", _number, r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?", "TRY_CAST({x} AS DOUBLE)")
PHASE = guarded("phase", _phase, r"-1|[0-9]{1,15}(?:\.[0-9]{1,15})?", "NULLIF(TRY_CAST({x} AS DOUBLE), -1)")
"""Seconds of a phase; -1 means that the phase was not reached and is null. Take it as optional."""
DISPATCHED = guarded("whether the phase was reached", _dispatched, str(PHASE.shape), "{x} <> '-1'")
ISO_UTC = guarded(
    "iso time with a zone",
    _iso_utc,
    rf"{_YEAR}-[0-9][0-9]-[0-9][0-9]T{_CLOCK}(?:\.[0-9]{{1,6}})?Z",
    "TRY_CAST({x} AS TIMESTAMP)",
)
CLF_TIME = guarded(
    "common log time",
    parse_clf,
    f"[0-9][0-9]/[A-Z][a-z][a-z]/{_YEAR}:{_CLOCK} [+-][0-9][0-9][0-9][0-9]",
    "epoch_ms(epoch_ms(TRY_STRPTIME({x}, '%d/%b/%Y:%H:%M:%S %z')))",
)
CLF_WIDTH = len("06/Feb/2025:14:32:10 +0900")
ISO_OFFSET = guarded(
    "iso time with any zone",
    _iso_utc,
    rf"{_YEAR}-[0-9][0-9]-[0-9][0-9]T{_CLOCK}(?:\.[0-9]{{1,6}})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])",
    "make_timestamp(epoch_us(TRY_CAST({x} AS TIMESTAMPTZ)))",
)
EPOCH_MILLIS = guarded(
    "seconds since 1970",
    parse_epoch,
    r"[0-9]{10}\.[0-9]{3}",
    "make_timestamp(TRY_CAST(left(replace({x}, '.', ''), 13) AS BIGINT) * 1000)",
)
"""As nginx writes ``$msec``: seconds with three decimals."""
COMMA_LIST = Cast("list with commas", lambda raw: raw.split(","), "string_split({x}, ',')")
SPACE_LIST = Cast("list with spaces", lambda raw: raw.split(" "), "string_split({x}, ' ')")
_SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
DOMAIN = Cast(
    "domain name without the dot at its end",
    lambda raw: raw.removesuffix(".").translate(_SMALL),
    "CASE WHEN strlen({x}) = length({x}) THEN lower(CASE WHEN ends_with({x}, '.') THEN left({x}, -1) ELSE {x} END) END",
)
"""A name of DNS, ``Example.com.``, as other logs write a host: in small letters. Only the letters of ASCII are small or large to DNS."""
