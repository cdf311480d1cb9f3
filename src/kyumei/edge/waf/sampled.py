"""Requests that WAF sampled (``get-sampled-requests``): what the last three hours show where no log was kept.

A sample does not name the rule of the web ACL, only the rule inside a group; the rule is the one whose metric was asked for, which the
file's name may tell.

Follows "SampledHTTPRequest" of the AWS WAFV2 API Reference.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from kyumei.edge.documents import as_list, as_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

NEAR_SECONDS = 2.0
"""How far the times of one request may lie apart in two sources."""
_QUALIFIER = re.compile(r"get-sampled-requests\.(.+)\.json(?:\.(?:gz|zst|bz2|xz))?\Z")
_ZONED = re.compile(r"[+-][0-9]{2}:?[0-9]{2}\Z|Z\Z")


class Sample(NamedTuple):
    """The sample of one request. ``inner`` is vendor#group#rule or group#rule; ``metric`` is the one whose samples were asked for."""

    action: str
    inner: str
    metric: str
    citation: Citation


def samples(view: View) -> Iterator[tuple[Mapping[str, Any], Citation]]:
    """The sampled requests of the case, each with the citation of the answer."""
    for document, citation in view.snapshot("wafv2", "get-sampled-requests"):
        for one in as_list(document.get("SampledRequests")) if "SampledRequests" in document else [document]:
            yield as_map(one), citation


def sample_of(view: View, row: Mapping[str, Any]) -> Sample | None:
    """The sample of the request in a row of ``waf`` or ``alb_access``: same method, path and client, within two seconds."""
    moment = row.get("started") or row["time"]
    for one, citation in samples(view):
        request = as_map(one.get("Request"))
        path = str(request.get("URI", "")).split("?", 1)[0]
        if (request.get("Method"), path, request.get("ClientIP")) != (row["method"], row["path"], row["client_ip"]):
            continue
        taken = _moment(one.get("Timestamp"))
        if taken is not None and abs((taken - moment).total_seconds()) <= NEAR_SECONDS:
            found = _QUALIFIER.search(citation.file)
            metric = unquote(found[1]) if found else ""
            return Sample(str(one.get("Action") or ""), str(one.get("RuleNameWithinRuleGroup") or ""), metric, citation)
    return None


def _moment(value: object) -> datetime | None:
    """A time as the CLI prints it, seconds since 1970 or ISO 8601, as a naive time in UTC."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
        text = str(value)
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC).replace(tzinfo=None) if _ZONED.search(text) else parsed
    except (ValueError, OverflowError, OSError):
        return None
