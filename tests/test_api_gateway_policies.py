"""A function's policy that lets in an API for some of its requests only."""

from __future__ import annotations

import pytest

from kyumei.edge.gateway.setting import policy_evidence
from tests.test_api_gateway_answered import API, MemoryView, _policy

REST = {"api_id": API, "stage": "live", "method": "POST", "path": "/live/refunds/7", "resource_path": "/refunds/{id}"}
HTTP = {"api_id": API, "stage": "$default", "method": "POST", "path": "/refunds", "resource_path": "/refunds", "route_key": "POST /refunds"}
SOCKET = {"api_id": API, "stage": "live", "route_key": "$connect"}


@pytest.mark.parametrize(
    ("row", "source", "lets_in"),
    [
        (REST, "*/*", True),
        (REST, "*/*/*", True),
        (REST, "live/POST/refunds/*", True),
        (REST, "*/POST/refunds/{id}", True),
        (REST, "*/*/refunds/*", True),
        (REST, "*", True),
        (REST, "*/GET/refunds/*", False),
        (REST, "*/POST/orders*", False),
        (REST, "test/*/*", False),
        (HTTP, "*/*/refunds", True),
        (HTTP, "*/*/hooks", False),
        (SOCKET, "*/$connect", True),
        (SOCKET, "*/$default", False),
        ({"api_id": API, "stage": "live"}, "*/GET/orders", True),  # nothing tells what was asked for
        # A domain of one's own may put a base path in front: the path alone tells no resource.
        (REST | {"resource_path": None, "path": "/shop/refunds/7"}, "*/POST/refunds/*", True),
    ],
)
def test_a_policy_is_read_up_to_the_path(row: dict[str, str | None], source: str, lets_in: bool) -> None:  # noqa: FBT001 - what is expected
    """A permission for GET /orders lets nobody POST /refunds, though it names the same API."""
    view = MemoryView(settings={("lambda", "get-policy"): [_policy(f"arn:aws:execute-api:eu-west-1:123456789012:{API}/{source}")]})
    lacks, grants = policy_evidence(view, row, "")
    assert (grants is not None, lacks is not None) == (lets_in, not lets_in)
    assert lacks is None or "for other requests" in lacks.says
