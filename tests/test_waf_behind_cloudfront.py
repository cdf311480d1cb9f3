"""A web ACL behind CloudFront, which takes CloudFront's address for the client: no advice may let that address in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.rules.waf_memory import ADMIN, GEO_RULE, RATE_RECORD, MemoryView, acl, ask, match, record, rule

EDGE, VIEWER = "192.0.2.60", "198.51.100.70"


def _blocked(settings: dict[str, Any], edge: str | None, **more: Any) -> MemoryView:  # noqa: ANN401 - any key of a WAF record
    """A view with a block of a request whose client WAF takes for ``EDGE``; ``edge`` is the client in CloudFront's row, if there is one."""
    view = MemoryView(answers=settings)
    row = view.add("waf", record(client=EDGE, **more))
    view.blocked(row)
    if edge:
        seen = {"hop": "cloudfront", "client_ip": edge, "_artifact": row["_artifact"], "_line": row["_line"]}
        view.failures = (replace(view.failures[0], sightings={"cloudfront": (seen,), "waf": (row,)}),)
    return view


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (acl(rule(ADMIN)), "waf_rule_blocked"),  # only the office may
        (acl(rule(match("admin", "CONTAINS"))), "waf_rule_blocked"),
        (acl(GEO_RULE), "waf_source_blocked"),
        ({}, "waf_rule_blocked"),
    ],
)
def test_an_address_of_cloudfronts_is_let_in_nowhere(settings: dict[str, Any], name: str) -> None:
    """It would let in everybody; where the client is the viewer's, the same advice is right."""
    (behind,) = ask(_blocked(settings, VIEWER))[name].findings
    (plain,) = ask(_blocked(settings, None))[name].findings
    assert not any(f"{EDGE}/32" in command for one in behind.remedy for command in one.commands)
    assert not any("Take country" in one.says for one in behind.remedy)
    assert behind.remedy
    assert any(VIEWER in one.says and "CloudFront" in one.says for one in behind.chain)
    assert any(f"{EDGE}/32" in command or "country" in command.lower() for one in plain.remedy for command in one.commands)
    assert not any("behind CloudFront" in one.says for one in plain.chain)


def test_a_web_acl_at_cloudfront_sees_the_viewer() -> None:
    """Its own client is the viewer's, whatever else the rows say."""
    (found,) = ask(_blocked(acl(rule(ADMIN)), VIEWER, httpSourceName="CF"))["waf_rule_blocked"].findings
    assert any(f"{EDGE}/32" in command for one in found.remedy for command in one.commands)


@pytest.mark.parametrize(("edge", "forwarded"), [(VIEWER, True), (None, False), (EDGE, False)])
def test_a_rate_is_counted_by_the_viewer(edge: str | None, forwarded: bool) -> None:  # noqa: FBT001 - what is expected
    """CloudFront sets X-Forwarded-For, whether or not WAF's record shows it."""
    (found,) = ask(_blocked({}, edge, **RATE_RECORD))["waf_rate_limited"].findings
    assert any("FORWARDED_IP" in one.says for one in found.remedy) is forwarded


def test_the_same_client_in_both_logs_is_no_cloudfronts() -> None:
    """Nothing is said of an address that CloudFront's row has, too."""
    (found,) = ask(_blocked(acl(rule(ADMIN)), EDGE))["waf_rule_blocked"].findings
    assert not any("behind CloudFront" in one.says for one in found.chain)
