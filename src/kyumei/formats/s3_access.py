"""S3 server access logs: one line for each request to a bucket, and for what S3 itself did to its objects.

``time`` is when the request was received, in whole seconds UTC; the response had gone out ``request_seconds`` later. The record of a
lifecycle rule or a checksum job has no request line, status or client. ``object_key`` is percent-encoded, ``path`` is that of the request:
with the bucket in front, or not, as the client asked for it. A copy writes two records (REST.COPY.OBJECT and REST.COPY.OBJECT_GET).
Lines come within hours as a rule, in no order, on a best-effort basis.

S3 escapes nothing: quotes of the client's stand inside the quotes of referrer and user agent. A request line ends at the first quote behind
which status, error code and four counts follow, for it holds no spaces but its own two; a referrer at the first quote that is followed by
the user agent's, or by its dash; a user agent at the last quote of the line. 17 and 18 columns were written up to 2019, 24 to 27 since.

Follows "Amazon S3 server access log format" in the Amazon S3 user guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.layouts import request_line as line
from kyumei.layouts.casts import CLF_TIME, CLF_WIDTH, INTEGER, TEXT, Cast, Take, guarded
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Style, Variant
from kyumei.layouts.mended import Mended
from kyumei.layouts.stamps import COMMON, in_utc
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = Table(
    "s3_access",
    "Requests to S3 buckets, and what S3 did to their objects by itself.",
    (
        Column("time", Kind.TIME, "When the request was received.", origin="Time"),
        Column("bucket_owner", Kind.TEXT, "The canonical id of the bucket's owner.", origin="Bucket Owner"),
        Column("bucket", Kind.TEXT, "The bucket.", Link.RESOURCE, "Bucket"),
        Column("client_ip", Kind.TEXT, "Who sent the request, perhaps a proxy; null for S3 itself.", Link.CLIENT, "Remote IP"),
        Column("requester", Kind.TEXT, "Canonical id or ARN of who signed it; null for anonymous ones.", Link.PRINCIPAL, "Requester"),
        Column("request_id", Kind.TEXT, "S3's id of the request, or of the job.", Link.REQUEST, "Request ID"),
        Column("operation", Kind.TEXT, "REST.method.resource, WEBSITE..., BATCH..., S3.action.resource.", origin="Operation"),
        Column("object_key", Kind.TEXT, "The object's key, percent-encoded, sometimes twice.", Link.RESOURCE, "Key"),
        Column("method", Kind.TEXT, "The method.", origin="Request-URI"),
        Column("path", Kind.TEXT, "The path of the request, without the query string.", Link.PATH, "Request-URI"),
        Column("query", Kind.TEXT, "The query string without its question mark; null if there is none.", origin="Request-URI"),
        Column("http_version", Kind.TEXT, "HTTP/1.1, HTTP/2.0...", origin="Request-URI"),
        Column("status", Kind.INTEGER, "The status answered; null for S3's own doings.", Link.STATUS, "HTTP status"),
        Column("error_code", Kind.TEXT, "S3's code of the error: AccessDenied, NoSuchKey...", origin="Error Code"),
        Column("sent_bytes", Kind.INTEGER, "Size of the response body; 0 where S3 writes a dash.", origin="Bytes Sent"),
        Column("object_bytes", Kind.INTEGER, "Size of the object.", origin="Object Size"),
        Column("request_seconds", Kind.FLOAT, "From the request to the last byte of the response.", origin="Total Time"),
        Column(
            "turnaround_seconds", Kind.FLOAT, "What S3 took from the last byte received to the first one sent.", origin="Turn-Around Time"
        ),
        Column("referrer", Kind.TEXT, "The Referer header.", origin="Referer"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="User-Agent"),
        Column("version_id", Kind.TEXT, "The version of the object that was asked for.", origin="Version Id"),
        Column("host_id", Kind.TEXT, "The extended request id: x-amz-id-2.", Link.REQUEST, "Host Id"),
        Column("signature_version", Kind.TEXT, "SigV2 or SigV4; null for anonymous requests.", origin="Signature Version"),
        Column("ssl_cipher", Kind.TEXT, "The cipher; null over plain HTTP.", origin="Cipher Suite"),
        Column("authentication", Kind.TEXT, "AuthHeader or QueryString; null for anonymous requests.", origin="Authentication Type"),
        Column("host", Kind.TEXT, "The endpoint that was asked.", Link.HOST, "Host Header"),
        Column("ssl_protocol", Kind.TEXT, "The TLS version, TLSv1.2 or TLSV1.2; null over plain HTTP.", origin="TLS version"),
        Column("access_point_arn", Kind.TEXT, "The access point of the request.", Link.RESOURCE, "Access Point ARN"),
        Column("acl_required", Kind.TEXT, "Yes where an ACL decided; null otherwise.", origin="aclRequired"),
        Column("source_region", Kind.TEXT, "The Region that the request came from.", origin="Source Region"),
        Column("request", Kind.TEXT, "The raw request line where it is not method, target and version.", origin="Request-URI"),
    ),
)


def _size(raw: str) -> int | None:
    return 0 if raw == "-" else INTEGER.python(raw)


def _seconds(raw: str) -> float | None:
    return int(raw) / 1000 if re.fullmatch("[0-9]{1,15}", raw) else None


def _asked(part: int, usual: Cast) -> Cast:
    """A part of the request line, of one without a version, too: so the source of a copy is written."""

    def cast(raw: str) -> str | None:
        short = _SHORT.fullmatch(raw)
        found: str | None = short[part] if short else usual.python(raw)
        return found

    return guarded(usual.name, cast, usual.shape, usual.plain)


_SHORT = re.compile(r"([A-Z]{1,40}) (/[^ ?]*+)(?:\?([^ ]*+))?", re.ASCII)
_ODD = Cast(
    "request line of another sort",
    lambda raw: None if _SHORT.fullmatch(raw) else line.ODD_LINE.python(raw),
    "{x}",
    line.ODD_LINE.shape,
    "NULL::VARCHAR",
)
_SIZE = guarded("bytes, a dash for none", _size, "-|[0-9]{1,18}", "CASE WHEN {x} = '-' THEN 0 ELSE TRY_CAST({x} AS BIGINT) END")
_SECONDS = guarded("milliseconds as seconds", _seconds, "[0-9]{1,15}", "TRY_CAST({x} AS DOUBLE) / 1000")
_CASTS: dict[str, tuple[Cast, bool]] = {
    "time": (CLF_TIME, False),
    "method": (_asked(1, line.METHOD), True),
    "path": (_asked(2, line.PATH), True),
    "query": (_asked(3, line.QUERY), True),
    "http_version": (line.VERSION, True),
    "sent_bytes": (_SIZE, False),
    "request_seconds": (_SECONDS, False),
    "turnaround_seconds": (_SECONDS, False),
    "request": (_ODD, True),
}
"""Columns that are no plain text or integer, and whether a value that does not fit is no fault (another column has it)."""
_FEWEST = 17
_FIELDS = (
    *(
        Field("Bucket Owner"),
        Field("Bucket"),
        Field("Time", Style.BRACKETED, CLF_TIME.shape, (), spaces=1, width=CLF_WIDTH),
        Field("Remote IP"),
    ),
    *(Field("Requester"), Field("Request ID"), Field("Operation"), Field("Key"), Field("Request-URI", Style.EITHER)),
    *(
        Field("HTTP status", shape="[0-9]{3}"),
        Field("Error Code"),
        Field("Bytes Sent", shape=_SIZE.shape, missing=()),
        Field("Object Size"),
    ),
    *(Field("Total Time"), Field("Turn-Around Time"), Field("Referer", Style.EITHER), Field("User-Agent", Style.EITHER)),
    *(Field("Version Id"), Field("Host Id"), Field("Signature Version"), Field("Cipher Suite"), Field("Authentication Type")),
    *(Field("Host Header"), Field("TLS version"), Field("Access Point ARN"), Field("aclRequired"), Field("Source Region")),
)
_BARE = r'[^ "\[\]]+'
_COUNTS = r"(?:[0-9]{3}|-) [^ \"]{1,80} (?:[0-9]{1,18}|-) (?:[0-9]{1,18}|-) (?:[0-9]{1,18}|-) (?:[0-9]{1,18}|-)"
_FRONT = rf"{_BARE} {_BARE} \[[^\]]{{1,40}}\] [^ \"]+ [^ \"]+ [^ \"]+ [^ \"]+ [^ \"]+ "
_BEFORE = re.compile(_FRONT, re.ASCII)
_MORE = r'(?:(?: [^ "]++){0,9}|(?: [^ "]++){10}(?: (?:[^ "]++|"[^"]*+"))*+)'
_PLAIN = re.compile(rf'{_FRONT}(?:-|"[^"]*+") {_COUNTS} (?:-|"[^"]*+") (?:-|"[^"]*+"){_MORE}', re.ASCII)
"""A line whose quotes are those around fields; columns that do not exist yet may have some."""
_AFTER_REQUEST = re.compile(rf'(?P<end>" |- ){_COUNTS} (?=["-])', re.ASCII)
_FIELD = re.compile(r'"[^"]*+"')
_REST = re.compile(r'(?: [^ "]++)*+\Z', re.ASCII)


def mended(text: str) -> str:
    """The line with the quotes and backslashes inside its quoted fields escaped; as it stands where its fields cannot be told."""
    if _PLAIN.fullmatch(text):
        return _FIELD.sub(lambda found: found[0].replace("\\", "\\\\"), text) if "\\" in text else text
    front = _BEFORE.match(text)
    if not front:
        return text
    start = front.end()
    counts = _AFTER_REQUEST.search(text, start + 1) if text.startswith('"', start) else _AFTER_REQUEST.match(text, start)
    if not counts:
        return text
    request = text[start : counts.start() + 1]
    for referrer, agent, rest in _ends(text[counts.end() :]):
        return "".join(
            (text[:start], _escaped(request), text[counts.start() + 1 : counts.end()], _escaped(referrer), " ", _escaped(agent), rest)
        )
    return text


def _ends(text: str) -> Iterator[tuple[str, str, str]]:
    """Referrer, user agent and what follows, by where their quotes may end; the first is taken."""
    last = text.rfind('"') + 1
    if text.startswith("- "):
        if text.startswith('"', 2) and last > len('- "') and _REST.match(text, last):
            yield "-", text[2:last], text[last:]
        return
    middle = text.find('" "', 1)
    if not text.startswith('"') or last <= 1:
        return
    if 0 < middle < last - len('" "') + 1 and _REST.match(text, last):
        yield text[: middle + 1], text[middle + 2 : last], text[last:]
    elif text.startswith("- ", last + 1) and _REST.match(text, last):
        yield text[:last], "-", text[last + 2 :]


def _escaped(quoted: str) -> str:
    r"""A field in quotes with ``\"`` and ``\\`` for what it holds of them; a dash as it is."""
    return '"' + quoted[1:-1].replace("\\", "\\\\").replace('"', '\\"') + '"' if quoted.startswith('"') else quoted


LAYOUT = Mended(
    Delimited(
        columns=TABLE.columns,
        variants=(Variant(_FIELDS, needed=_FEWEST),),
        takes=tuple(
            Take(column.name, column.origin, *_CASTS.get(column.name, (INTEGER if column.kind is Kind.INTEGER else TEXT, False)))
            for column in TABLE.columns
        ),
        written=(in_utc(COMMON),),
        brackets=True,
    ),
    mended,
    keeps_values=True,
)

_BEGINS = re.compile(
    r"[A-Za-z0-9-]{1,80} [A-Za-z0-9._-]{1,255} \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} \+0000\] [0-9A-Fa-f.:-]{1,45} "
    r"[^ \"]{1,2048} [A-Za-z0-9-]{1,80} (?:REST|WEBSITE|BATCH|S3|SOAP)\.[A-Za-z0-9_.-]{1,80} [^ \"]+ (?:\"|- )",
    re.ASCII,
)


def sniff(text: str, _name: str) -> bool:
    """Whether the record begins as S3's do: owner, bucket, time in brackets, client, requester, id, operation, key."""
    return _BEGINS.match(text) is not None


FORMAT = Format(
    name="s3_access",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon S3 user guide: Amazon S3 server access log format",
    hop="s3",
    delay_seconds=86_400,
    complete=False,
)
