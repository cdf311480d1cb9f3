"""Whether a signed URL or signed cookies were good when the request came, by what the log has of them; the signature itself is not checked.

Of a canned policy the log has the time at which it ends (``Expires``), of a custom one the whole statement (``Policy``, in base64 with
three letters replaced). Where a URL is signed, CloudFront goes by that alone, whatever cookies come with it. Follows "Create a signed URL
using a canned policy", "Create a signed URL using a custom policy" and "Use signed cookies" in the Amazon CloudFront Developer Guide.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kyumei.edge.cloudfront.finding import span
from kyumei.edge.documents import as_list, as_map

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 8192
"""Characters of a query string or a cookie that are looked at; CloudFront takes no longer URL."""
_LETTERS = str.maketrans("-_~", "+=/")
_LAST = 253402300799
"""The last second of the year 9999."""
SLACK = 2.0
"""Seconds by which the log, which keeps whole ones, may be off."""


def is_signed(row: Mapping[str, object]) -> bool:
    """Whether the request carries what signed URLs or cookies consist of."""
    text = f"{row.get('query') or ''}&{row.get('cookie') or ''}"
    return "Key-Pair-Id=" in text and "Signature=" in text


def refused_for(row: Mapping[str, object]) -> str:
    """Why CloudFront must refuse what the request is signed with, in words that follow "the signed URL"; empty where nothing speaks for it.

    It had ended, had not begun, or is for another address than the client's.
    """
    told = _told(row)
    if not told:
        return ""
    came = span(row)[0].replace(tzinfo=UTC).timestamp()
    condition = _condition(told.get("Policy", ""))
    ends = _seconds(told.get("Expires")) or _seconds(as_map(condition.get("DateLessThan")).get("AWS:EpochTime"))
    begins = _seconds(as_map(condition.get("DateGreaterThan")).get("AWS:EpochTime"))
    if ends is not None and came - ends > SLACK:
        return f"had expired at {_moment(ends)} UTC, {_ago(came - ends)} before the request"
    if begins is not None and begins - came > SLACK:
        return f"was not good before {_moment(begins)} UTC, {_ago(begins - came)} after the request"
    wanted, client = str(as_map(condition.get("IpAddress")).get("AWS:SourceIp") or ""), str(row.get("client_ip") or "")
    return f"is for {wanted} only, and the client is {client}" if _outside(client, wanted) else ""


def _told(row: Mapping[str, object]) -> dict[str, str]:
    """What a URL is signed with, by its names; what the cookies hold where it is not."""
    query = _pairs(str(row.get("query") or ""), "&")
    if "Key-Pair-Id" in query and "Signature" in query:
        return query
    # The log may have the header's escapes escaped once more.
    cookies = _pairs(unquote(unquote(str(row.get("cookie") or "")[:LONGEST])), ";")
    own = {name.removeprefix("CloudFront-"): value for name, value in cookies.items() if name.startswith("CloudFront-")}
    return own if "Key-Pair-Id" in own and "Signature" in own else {}


def _pairs(text: str, between: str) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in text[:LONGEST].split(between))
    return {name: value for name, _, value in parts}


def _condition(policy: str) -> Mapping[str, object]:
    """The conditions of a custom policy; empty for one that cannot be read, and for one that was cut."""
    try:
        document = json.loads(base64.b64decode(policy.translate(_LETTERS), validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    statements = as_list(as_map(document).get("Statement"))
    return as_map(as_map(statements[0]).get("Condition")) if len(statements) == 1 else {}


def _seconds(value: object) -> int | None:
    """Seconds since 1970; null for anything else, and for what no clock shows."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_LAST)) and 0 < int(text) <= _LAST else None


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _ago(seconds: float) -> str:
    minute, day = 60, 86400
    if seconds < 2 * minute:
        return f"{seconds:.0f} s"
    return f"{seconds / minute:.0f} min" if seconds < day else f"{seconds / day:.1f} days"


def _outside(client: str, wanted: str) -> bool:
    """Whether an address is certainly none of a range."""
    try:
        return ipaddress.ip_address(client) not in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False
