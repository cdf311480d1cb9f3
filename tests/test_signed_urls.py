"""Signed URLs that were not good when the request came: told by the times and the address in them, never by the signature."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from kyumei.edge.cloudfront.signed import refused_for
from tests.rules.cloudfront_memory import NOW, MemoryView, config, missing, related, row, told

CAME = int(NOW.timestamp())


def signed(**parts: object) -> str:
    """A query string with these parts and a signature."""
    return "&".join(f"{name.replace('_', '-')}={value}" for name, value in {**parts, "Signature": "abc__", "Key_Pair_Id": "K2"}.items())


def policy(*conditions: dict[str, Any]) -> str:
    """A custom policy, as it stands in a URL."""
    text = json.dumps({"Statement": [{"Resource": "https://shop.example.com/*", "Condition": one} for one in conditions]})
    return base64.b64encode(text.encode()).decode().replace("+", "-").replace("=", "_").replace("/", "~")


ENDED, OPEN = {"DateLessThan": {"AWS:EpochTime": CAME - 90}}, {"DateLessThan": {"AWS:EpochTime": CAME + 600}}


@pytest.mark.parametrize(
    ("query", "cookie", "says"),
    [
        (signed(Expires=CAME - 3600), None, "had expired at 2025-05-20 07:41:30 UTC, 60 min before the request"),
        (signed(Policy=policy(ENDED)), None, "had expired at 2025-05-20 08:40:00 UTC, 90 s before the request"),
        (signed(Policy=policy(OPEN | {"DateGreaterThan": {"AWS:EpochTime": CAME + 300}})), None, "was not good before"),
        (signed(Policy=policy(OPEN | {"IpAddress": {"AWS:SourceIp": "203.0.113.0/24"}})), None, "is for 203.0.113.0/24 only"),
        (signed(Policy=policy(OPEN | {"IpAddress": {"AWS:SourceIp": "198.51.100.0/24"}})), None, ""),
        (None, f"a=1; CloudFront-Expires={CAME - 3600}; CloudFront-Signature=x; CloudFront-Key-Pair-Id=K2", "had expired"),
        (None, f"a=1;%2520CloudFront-Expires={CAME - 3600};%2520CloudFront-Signature=x;%2520CloudFront-Key-Pair-Id=K2", "had expired"),
        # Where the URL is signed, its signature alone counts.
        (signed(Expires=CAME + 9), f"CloudFront-Expires={CAME - 3600}; CloudFront-Signature=x; CloudFront-Key-Pair-Id=K2", ""),
        (signed(Expires=CAME - 1), None, ""),  # the log keeps whole seconds
        (signed(Expires=CAME + 600), None, ""),
        (f"Expires={CAME - 3600}&Signature=abc&AWSAccessKeyId=AKIAEXAMPLE", None, ""),  # signed for S3, and not for CloudFront
        (signed(Policy=policy(ENDED)[:-9]), None, ""),  # cut
        (signed(Policy=policy(ENDED, OPEN)), None, ""),
        (signed(Policy="_" * 9000), None, ""),
        (signed(Expires="9" * 400), None, ""),
        (signed(Expires="١٢"), None, ""),
        (None, None, ""),
    ],
)
def test_why_cloudfront_had_to_refuse(query: str | None, cookie: str | None, says: str) -> None:
    """By what the log has of the request at the moment when it came."""
    request = {
        "time": NOW.replace(tzinfo=None) + timedelta(seconds=0.2),
        "request_seconds": 0.2,
        "query": query,
        "cookie": cookie,
        "client_ip": "198.51.100.24",
    }
    found = refused_for(request)
    assert found.startswith(says)
    assert bool(found) is bool(says)


@pytest.mark.parametrize(
    ("answer", "path", "detail", "ends", "found"),
    [
        (config(), "/files/a.pdf", "Error", CAME - 3600, [("EDGE-093", "likely")]),
        (config(), "/files/a.pdf", "InvalidRequestBlocked", CAME - 3600, [("EDGE-093", "proven")]),
        (None, "/files/a.pdf", "Error", CAME - 3600, [("EDGE-093", "possible")]),
        (config(), "/orders", "Error", CAME - 3600, []),  # no signature is asked for there
        (config(), "/files/a.pdf", "Error", CAME + 3600, []),
    ],
)
def test_an_expired_url_is_refused_where_signatures_are_asked_for(
    answer: dict[str, Any] | None, path: str, detail: str, ends: int, found: list[tuple[str, str]]
) -> None:
    """EDGE-093: the behavior asks for signatures, and the request's had ended."""
    view = related(MemoryView(answers={"get-distribution-config": [answer] if answer else []}))
    hop = "unknown" if detail == "Error" else "cloudfront"
    view.failed(row(view, detail, status="403", path=path, query=signed(Expires=ends)), hop=hop)
    assert told(view) == found
    assert answer is not None or any("configuration" in one for one in missing(view))
