"""CloudFront access logs: one line, or one JSON object, for each request that CloudFront answered.

``time`` is when the edge had sent the response (a websocket: when it closed), in whole seconds unless milliseconds were chosen; the request
came ``request_seconds`` before. A status of 0 means that the viewer went away before there was one. The three result types tell who made
the answer: Hit and RefreshHit the cache, Miss the origin, Error the origin or CloudFront; the detailed one names the kind of error. Headers
are the viewer's and may be anything. Lines come within an hour as a rule, up to a day late, in no order, on a best-effort basis; requests
with more than 20 KB of headers or a URL beyond 8192 bytes are never logged.

The legacy files (33 fields, older ones 12, 15, 18, 20, 23, 24 or 26, in one order) need no header; spaces in place of their tabs, as pages
show them, do no harm. Version 2 has the same names as JSON, which tells its fields itself, as Parquet does (``cs_user_agent``), or as text
with chosen fields: their order stands in the ``#Fields`` line, or has to be told, as that of real-time logs has, which have no header,
other names, and the query string in ``cs-uri-stem``; see ``custom``. Of those, lines with all fields of 2020 at least are known untold.

Follows "Standard logging reference", "Configure standard logging (v2)" and "Real-time access logs" in the CloudFront developer guide.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.errors import ConfigError
from kyumei.layouts.casts import INTEGER, NUMBER, TEXT, Cast, Take, guarded, parse_epoch, parse_iso
from kyumei.layouts.cloudfront_fields import LEGACY, are_chosen, in_parquet
from kyumei.layouts.fallback import Fallback
from kyumei.layouts.json_record import parse_object
from kyumei.layouts.mended import Mended
from kyumei.layouts.named_fields import Joint, NamedFields
from kyumei.layouts.percent_encoding import ALL_PLAIN, ENCODED, ENCODED_AGENT, ENCODED_TARGET, PLAIN
from kyumei.layouts.spaced_fields import SEPARATORS, is_spaced, separated, with_tabs
from kyumei.layouts.stamps import EPOCH, ISO_SPACE, Stamp, in_utc
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from kyumei.contracts import Layout
    from kyumei.model.window import Window

TABLE = Table(
    "cloudfront_access",
    "Requests that CloudFront answered.",
    (
        Column("time", Kind.TIME, "When the response had been sent, or the websocket closed.", origin="date, time"),
        Column("edge_location", Kind.TEXT, "The edge that served the request: an airport's code and a number.", origin="x-edge-location"),
        Column("edge_ip", Kind.TEXT, "The edge server's address; only in real-time logs.", origin="s-ip"),
        Column("client_ip", Kind.TEXT, "The address that connected to the edge: the viewer, or its proxy.", Link.CLIENT, "c-ip"),
        Column("client_port", Kind.INTEGER, "The port it connected from.", origin="c-port"),
        Column("country", Kind.TEXT, "Country of the address, two letters.", origin="c-country"),
        Column("asn", Kind.INTEGER, "The number of the network that the address belongs to.", origin="asn"),
        Column("forwarded_for", Kind.TEXT, "The X-Forwarded-For header, if the viewer came with one.", origin="x-forwarded-for"),
        Column("method", Kind.TEXT, "The method.", origin="cs-method"),
        Column("scheme", Kind.TEXT, "http, https, grpcs, ws or wss.", origin="cs-protocol"),
        Column("host", Kind.TEXT, "The Host header of the viewer: the name that it asked for.", Link.HOST, "x-host-header"),
        Column(
            "path",
            Kind.TEXT,
            "The path of the URL as it stood in the request: one layer of encoding, which the log adds, is taken off.",
            Link.PATH,
            "cs-uri-stem",
        ),
        Column("query", Kind.TEXT, "The query string, likewise, without its question mark; null if there is none.", origin="cs-uri-query"),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2.0, HTTP/3.0...", origin="cs-protocol-version"),
        Column("status", Kind.INTEGER, "The status that the viewer got; 0 if it went away before there was one.", Link.STATUS, "sc-status"),
        Column("edge_result_type", Kind.TEXT, "How the response was classified after its last byte.", origin="x-edge-result-type"),
        Column(
            "edge_response_result_type",
            Kind.TEXT,
            "How it was classified just before it went out; not Error where the viewer broke off later.",
            origin="x-edge-response-result-type",
        ),
        Column(
            "edge_detailed_result_type",
            Kind.TEXT,
            "The result type, or the kind of error: OriginDnsError, ClientGeoBlocked...",
            origin="x-edge-detailed-result-type",
        ),
        Column("request_id", Kind.TEXT, "CloudFront's id: X-Amz-Cf-Id, the same in WAF's log.", Link.REQUEST, "x-edge-request-id"),
        Column("distribution", Kind.TEXT, "The distribution's own domain name.", Link.RESOURCE, "cs(Host)"),
        Column("cache_behavior", Kind.TEXT, "The path pattern of the cache behavior that applied.", origin="cache-behavior-path-pattern"),
        Column("received_bytes", Kind.INTEGER, "Size of the request, headers included.", origin="cs-bytes"),
        Column("sent_bytes", Kind.INTEGER, "Size of the response, headers included.", origin="sc-bytes"),
        Column("request_seconds", Kind.FLOAT, "From the request to the last byte of the response, at the edge.", origin="time-taken"),
        Column("first_byte_seconds", Kind.FLOAT, "From the request to the first byte of the response.", origin="time-to-first-byte"),
        Column("origin_first_byte_seconds", Kind.FLOAT, "From edge to origin and back: its first byte.", origin="origin-fbl"),
        Column("origin_last_byte_seconds", Kind.FLOAT, "From edge to origin and back: its last byte.", origin="origin-lbl"),
        Column("origin_host", Kind.TEXT, "The origin's domain name, the last one tried; only in real-time logs.", Link.TARGET, "r-host"),
        Column("origin_reason", Kind.TEXT, "Why that origin: Failover:502...; only in real-time logs.", origin="sr-reason"),
        Column("referrer", Kind.TEXT, "The Referer header.", origin="cs(Referer)"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="cs(User-Agent)"),
        Column("cookie", Kind.TEXT, "The Cookie header, if cookies are logged.", origin="cs(Cookie)"),
        Column("content_type", Kind.TEXT, "The response's Content-Type.", origin="sc-content-type"),
        Column("content_bytes", Kind.INTEGER, "The response's Content-Length.", origin="sc-content-len"),
        Column("range_start", Kind.INTEGER, "First byte of a range that was asked for.", origin="sc-range-start"),
        Column("range_end", Kind.INTEGER, "Last byte of a range that was asked for.", origin="sc-range-end"),
        Column("ssl_protocol", Kind.TEXT, "The TLS version; null over plain HTTP.", origin="ssl-protocol"),
        Column("ssl_cipher", Kind.TEXT, "The cipher; null over plain HTTP.", origin="ssl-cipher"),
        Column("fle_status", Kind.TEXT, "Field-level encryption: Processed, or why not.", origin="fle-status"),
        Column("fle_encrypted_fields", Kind.INTEGER, "How many fields were encrypted.", origin="fle-encrypted-fields"),
    ),
)

FIELDS = LEGACY
"""The fields of a legacy log, in order."""
_FEWEST = 12
"""As many as the lines of 2008 to 2012 have."""

REAL_TIME_FIELDS = (
    "timestamp c-ip s-ip time-to-first-byte sc-status sc-bytes cs-method cs-protocol cs-host cs-uri-stem cs-bytes x-edge-location "
    "x-edge-request-id x-host-header time-taken cs-protocol-version c-ip-version cs-user-agent cs-referer cs-cookie cs-uri-query "
    "x-edge-response-result-type x-forwarded-for ssl-protocol ssl-cipher x-edge-result-type fle-encrypted-fields fle-status "
    "sc-content-type sc-content-len sc-range-start sc-range-end c-port x-edge-detailed-result-type c-country cs-accept-encoding cs-accept "
    "cache-behavior-path-pattern cs-headers cs-header-names cs-headers-count primary-distribution-id primary-distribution-dns-name "
    "origin-fbl origin-lbl asn"
)
"""The fields of a real-time log, in order, up to those that few choose; at first there were 40 of them, up to ``cs-headers-count``
without ``s-ip``."""

_REAL_TIME = {
    "host": "cs-host",
    "distribution": "x-host-header",
    "referrer": "cs-referer",
    "user_agent": "cs-user-agent",
    "cookie": "cs-cookie",
}
"""Columns whose field has another name in real-time logs; ``x-host-header`` means something else there."""
_ONLY_REAL_TIME = frozenset(
    {"timestamp", "s-ip", "c-ip-version", "cs-host", "cs-referer", "cs-user-agent", "cs-cookie", "r-host", "sr-reason", "cs-headers"}
)
_EPOCH_FIELDS = frozenset({"timestamp", "timestamp(ms)"})
_OWN = re.compile(
    r"x[-_]edge[-_](?:location|request[-_]id|(?:response[-_]|detailed[-_])?result[-_]type)|x[-_]host[-_]header"
    r"|fle[-_](?:status|encrypted[-_]fields)|origin[-_][fl]bl|cache[-_]behavior[-_]path[-_]pattern|timestamp(?:\(ms\)|_ms)",
)
"""Names of fields by which a JSON object, or a header line, is known to be CloudFront's."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\([A-Za-z0-9_-]{1,40}\))?", re.ASCII)


def _utc(raw: str) -> datetime | None:
    parsed = parse_iso(raw)
    return parsed[0] if parsed else None


_WHEN = guarded(
    "date and time in UTC",
    _utc,
    "[12][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]",
    "TRY_CAST({x} AS TIMESTAMP)",
)
_SINCE_1970 = guarded(
    "seconds or milliseconds since 1970",
    parse_epoch,
    r"[1-9][0-9]{9}\.?[0-9]{3}",
    "make_timestamp(TRY_CAST(left(replace({x}, '.', ''), 13) || '000' AS BIGINT))",
)


def _stem_path(raw: str) -> str:
    return str(ENCODED_TARGET.python(raw)).partition("?")[0]


def _stem_query(raw: str) -> str | None:
    _, mark, query = str(ENCODED_TARGET.python(raw)).partition("?")
    return query if mark and query else None


_STEM_PATH = guarded("path of a URL", _stem_path, PLAIN, f"string_split({ENCODED_TARGET.plain}, '?')[1]")
_STEM_QUERY = guarded(
    "query of a URL",
    _stem_query,
    PLAIN,
    "CASE WHEN contains({t}, '?') THEN NULLIF(substr({t}, strpos({t}, '?') + 1), '') END".replace("{t}", f"({ENCODED_TARGET.plain})"),
)
_CASTS: dict[str, Cast] = {
    "path": ENCODED_TARGET,
    "query": ENCODED_TARGET,
    "user_agent": ENCODED_AGENT,
    **dict.fromkeys(("host", "referrer", "cookie", "forwarded_for", "content_type", "cache_behavior"), ENCODED),
}


def _cast(column: Column) -> Cast:
    return _CASTS.get(column.name) or {Kind.INTEGER: INTEGER, Kind.FLOAT: NUMBER}.get(column.kind, TEXT)


_PLAIN_TAKES = tuple(column for column in TABLE.columns if column.name != "time")

TAKES = (
    Take("time", "timestamp(ms)", _SINCE_1970),
    Take("time", "timestamp_ms", _SINCE_1970),
    Take("time", "date time", _WHEN),
    *(
        Take(column.name, name, _cast(column))
        for column in _PLAIN_TAKES
        for name in dict.fromkeys((column.origin, in_parquet(column.origin)))
    ),
)
REAL_TIME_TAKES = (
    Take("time", "timestamp", _SINCE_1970),
    *(
        Take(column.name, _REAL_TIME.get(column.name, column.origin), _STEM_PATH if column.name == "path" else _cast(column))
        for column in _PLAIN_TAKES
    ),
    Take("query", "cs-uri-stem", _STEM_QUERY, optional=True),
)


def _with_tab(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    return tuple(text.replace(" ", "\t") for text in ISO_SPACE.find(window, offsets))


def _separated(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    found = ISO_SPACE.find(window, offsets)
    return tuple(sorted({text.replace(" ", between) for text in found for between in ("\t", *SEPARATORS)}))


def _in_json(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """Date and time are two texts there: the time's beginning after its quote, the date where that is all there is to look for."""
    found = {text.partition(" ") for text in ISO_SPACE.find(window, offsets)}
    if any(not clock for _, _, clock in found):
        return _dates(window, offsets)
    return tuple(sorted({f'"{clock}' for _, _, clock in found}))


def _spaced(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    """Between spaces, however many, the time is all there is to look for; the date where that is."""
    found = {text.partition(" ") for text in ISO_SPACE.find(window, offsets)}
    if any(not clock for _, _, clock in found):
        return _dates(window, offsets)
    return tuple(sorted({f" {clock}" for _, _, clock in found}))


def _dates(window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
    return tuple(sorted({text.partition(" ")[0] for text in ISO_SPACE.find(window, offsets)}))


_DATED = in_utc(Stamp("date", _dates))
_TABBED = in_utc(Stamp("date, tab, time", _with_tab))
_SPACED = in_utc(Stamp("date, spaces, time", _spaced))
_SEPARATED = in_utc(Stamp("date, any separator, time", _separated))
_JOINTS = (Joint("date time", "date", "time"),)
_LINES = Mended(
    NamedFields(
        columns=TABLE.columns,
        fields=tuple(FIELDS.split()),
        takes=TAKES,
        written=(_TABBED, _SPACED, in_utc(Stamp("date and time in JSON", _in_json)), EPOCH),
        joints=_JOINTS,
        implied=(ALL_PLAIN,),
        needed=_FEWEST,
        is_json=True,
    ),
    with_tabs,
)

_IP = "[0-9A-Fa-f.:]{2,45}"
_REAL_TIME_SHAPE = (
    rf"[0-9]{{10}}\.?[0-9]{{3}}\t{_IP}\t{{edge}}[0-9.-]{{1,20}}\t(?:[0-9]{{3}}|-|0)\t[0-9-]{{1,19}}\t[A-Z-]{{1,20}}\t"
    r"(?:https?|wss?|grpcs?|-)\t[^\t]{1,255}\t[^\t]{1,16384}\t[0-9-]{1,19}\t[A-Z]{3}[A-Z0-9-]{1,16}\t[^\t]{1,200}\t[^\t]{1,255}\t"
    r"[0-9.-]{1,20}\t(?:HTTP/[0-9.]{1,4}|-)\t(?:IPv[46]|-)\t(?:[^\t]{1,16384}\t){23}[0-9-]{1,6}(?:\t|\Z)"
)
_ALL = re.compile(_REAL_TIME_SHAPE.replace("{edge}", rf"{_IP}\t"), re.ASCII)
_FIRST = re.compile(_REAL_TIME_SHAPE.replace("{edge}", ""), re.ASCII)
"""How lines of real-time logs with all fields look, those of 2020 without the edge's address, too."""
_BEGINS = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}\t[0-9]{2}:[0-9]{2}:[0-9]{2}\t[A-Z0-9-]{1,20}\t[0-9-]{1,19}\t[0-9A-Fa-f.:-]{1,45}\t[^\t ]{1,40}\t"
    r"[^\t ]*\t[^\t ]*\t(?:[0-9]{3}|-|0)\t",
    re.ASCII,
)


def sniff(text: str, _name: str) -> bool:
    """Whether the record begins as legacy lines do, is a JSON object with fields of CloudFront's, or the line that names such fields."""
    if text.startswith("#"):
        names = _named(text)[0]
        return text.startswith("#Fields:") and (any(_OWN.fullmatch(name) for name in names) or ("cs(Host)" in names and are_chosen(names)))
    if not text.lstrip(" \t").startswith("{"):
        return any(shape.match(text) for shape in (_BEGINS, _ALL, _FIRST)) or is_spaced(text)
    if not _OWN.search(text) and '"c' not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict) or not (any(_OWN.fullmatch(name) for name in found) or are_chosen(found)):
        return False
    return "timestamp(ms)" in found or "timestamp_ms" in found or {"date", "time"} <= found.keys()


def custom(told: str) -> NamedFields:
    """A layout for the names of the fields in their order: a ``#Fields`` line, or what a log configuration lists.

    What stands between the first two names is the separator; for a space, or the punctuation of a JSON list, it is a tab, as CloudFront
    writes by default.
    """
    names, separator = _named(told)
    if len(set(names)) < len(names):
        message = f"a field is named twice: {told[:80]!r}"
        raise ConfigError(message, "name each field once, in the order of the log configuration")
    if _EPOCH_FIELDS.isdisjoint(names) and not {"date", "time"} <= set(names):
        message = f"the fields hold no time: {told[:80]!r}"
        raise ConfigError(message, "CloudFront needs timestamp, timestamp(ms), or date and time among the names")
    return _ordered(names, separator)


@lru_cache(maxsize=256)
def below(header: str) -> Layout | None:
    """The layout of the lines below a header line; null when the line says nothing of their fields.

    For the legacy fields, all or the first of them, that is the format's own. Below a line without a time no record can be read.
    """
    if not header.startswith("#Fields:"):
        return None
    names, separator = _named(header)
    legacy = separator == "\t" and len(names) >= _FEWEST and names == tuple(FIELDS.split())[: len(names)]
    told = _ordered(names, separator)
    if legacy or separator != "\t":
        return LAYOUT if legacy else told
    written = tuple(_SEPARATED if stamp is _TABBED else stamp for stamp in told.written)
    return Mended(replace(told, written=written), separated(len(names)), keeps_values=True)


def _named(told: str) -> tuple[tuple[str, ...], str]:
    """The names in a list of fields, and the separator of the values."""
    text = told.strip().removeprefix("#Fields:").strip()
    found = list(_NAME.finditer(text))
    between = text[found[0].end() : found[1].start()] if len(found) > 1 else ""
    is_tab = re.fullmatch(r"""[\s"']*(?:,[\s"']+)?""", between) is not None
    return tuple(name[0] for name in found), "\t" if is_tab else between


def _ordered(names: tuple[str, ...], separator: str) -> NamedFields:
    """The layout of lines with these fields."""
    real_time = not _ONLY_REAL_TIME.isdisjoint(names)
    written = [] if _EPOCH_FIELDS.isdisjoint(names) else [EPOCH]
    if not real_time and {"date", "time"} <= set(names):
        written.append(_TABBED if separator == "\t" and ("date", "time") in pairwise(names) else _DATED)
    takes, joints = (REAL_TIME_TAKES, ()) if real_time else (TAKES, _JOINTS)
    layout = NamedFields(TABLE.columns, names, takes, tuple(written), joints, (ALL_PLAIN,), separator)
    # Fields that are only kept may hold any escapes (cs-headers has line breaks): then no condition on the whole line would hold.
    return layout if layout.known.issuperset(names) else replace(layout, implied=())


def _untold(names: tuple[str, ...]) -> NamedFields:
    """Lines of a real-time log with these fields, the last ones perhaps not chosen."""
    return replace(_ordered(names, "\t"), needed=names.index("cs-headers-count") + 1)


_CATALOGUE = tuple(REAL_TIME_FIELDS.split())
LAYOUT = Fallback(
    Fallback(_LINES, _untold(_CATALOGUE), known=f"(?!{_ALL.pattern})"),
    _untold(tuple(name for name in _CATALOGUE if name != "s-ip")),
    known=f"(?!{_FIRST.pattern})",
)

FORMAT = Format(
    name="cloudfront_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon CloudFront developer guide: Standard logging reference; Real-time access logs",
    hop="cloudfront",
    delay_seconds=86_400,
    complete=False,
    custom=custom,
    headers=("#Version:", "#Fields:"),
    below=below,
)
