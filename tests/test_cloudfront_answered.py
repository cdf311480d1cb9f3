"""The rules about CloudFront's own answers, on rows in memory: guilty, innocent, and what only looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from kyumei import discover
from kyumei.edge.cloudfront.results import OUTCOMES, Family, outcome_of
from tests.rules.cloudfront_memory import (
    DISTRIBUTION,
    NOW,
    ORIGIN,
    MemoryView,
    ask,
    at_origin,
    config,
    findings,
    missing,
    related,
    row,
    told,
)

QUIET: dict[str, Any] = {"silent": ("alb", "server")}
EVERY = [(result, outcome) for outcome in OUTCOMES[:-1] for result in sorted(outcome.results)]
CONFIRMED = {Family.CACHED, Family.UNRESOLVED, Family.UNCONNECTED, Family.UNANSWERED, Family.LIMIT, Family.SETTING}
"""Families that the origin's silence confirms; a broken answer or a failed function it does not."""


def status_of(family: Family, statuses: frozenset[int]) -> str:
    """A status that goes with the family."""
    return str(next(iter(statuses), 403 if family is Family.SETTING else 503 if family in {Family.LIMIT, Family.FUNCTION} else 502))


@pytest.mark.parametrize(("result", "outcome"), EVERY, ids=[result for result, _ in EVERY])
def test_every_result_type_is_told(result: str, outcome: Any) -> None:  # noqa: ANN401 - a row of the table
    """Each row of the table, with the origin's log silent and without any other log."""
    status = status_of(outcome.family, outcome.statuses)
    plain = result if result in {"Hit", "RefreshHit", "LambdaExecutionError", "LimitExceeded", "CapacityExceeded"} else "Error"
    view = related(MemoryView())
    view.failed(row(view, result, plain, status=status), row(view, result, plain, status=status, after=4), **QUIET)
    sure = "proven" if outcome.family in CONFIRMED and result != "RefreshHit" else "likely"
    assert told(view) == [(outcome.sign.code, sure)]
    assert findings(view)[0].explains == 2
    assert findings(view)[0].subject["distribution"] == DISTRIBUTION

    alone = MemoryView()
    alone.failed(row(alone, result, plain, status=status), blind=("alb",))
    assert told(alone) == [(outcome.sign.code, "likely")]
    assert missing(alone)


@pytest.mark.parametrize(
    ("detail", "result", "status"),
    [
        ("Miss", "Miss", "502"),
        ("Error", "Error", "500"),
        ("Hit", "Hit", "200"),
        ("RefreshHit", "RefreshHit", "304"),
        ("Redirect", "Redirect", "301"),
        ("MissGeneratedResponse", "Miss", "403"),
        ("ClientCommError", "Error", "502"),
        ("SomethingNew", "Error", "502"),
    ],
)
def test_what_the_origin_answered_is_not_cloudfronts(detail: str, result: str, status: str) -> None:
    """A row with Miss is the origin's; a plain Error, a success and a type that nobody knows accuse nobody."""
    for hop in ("cloudfront", "unknown", "target"):
        view = related(MemoryView())
        assert told(view.failed(row(view, detail, result, status=status), hop=hop)) == []


def test_rows_of_a_request_that_others_answered_are_left_alone() -> None:
    """Where the balancer or the application answered, its own rules speak."""
    view = MemoryView()
    assert told(view.failed(row(view, "OriginConnectError"), hop="alb")) == []


def test_the_silence_of_another_sites_log_confirms_nothing() -> None:
    """A balancer's log that has none of what CloudFront handed on is not that of its origin."""
    view = MemoryView()
    row(view, "Miss", "Miss", status="200", path="/health/of/all", after=-400)
    at_origin(view, path="/of/another/site", after=-400)
    view.failed(row(view, "OriginDnsError"), **QUIET)
    assert told(view) == [("EDGE-087", "likely")]
    assert missing(view)


def test_a_row_that_nobody_else_accounts_for_breaks_the_silence() -> None:
    """A request for the path in those seconds that CloudFront handed on for nobody else may be this one."""
    view = related(MemoryView())
    at_origin(view, path="/orders", status="460", target_status="-", wall=30.0)
    view.failed(row(view, "OriginCommError", status="504", seconds=30.02), **QUIET)
    assert told(view) == [("EDGE-089", "likely")]
    other = related(MemoryView())
    at_origin(other, path="/orders", after=1)
    row(other, "Miss", "Miss", status="200", after=1)
    other.failed(row(other, "Hit", "Hit", status="404"), **QUIET)
    assert told(other) == [("EDGE-085", "proven")]


def test_a_cached_error_tells_when_it_was_fetched_and_that_the_origin_is_well() -> None:
    """The request that filled the cache, how long it keeps such errors, and a good answer of the origin since."""
    view = related(MemoryView(answers={"get-distribution-config": [config()]}))
    row(view, "Error", "Error", status="503", after=-120)
    at_origin(view, path="/orders", after=-20)
    view.failed(row(view, "Hit", "Hit", status="503", seconds=0.002), **QUIET)
    found = findings(view)[0]
    says = " ".join(one.says for one in found.chain)
    assert (found.code, str(found.certainty)) == ("EDGE-085", "proven")
    assert "fetched at 08:39:30" in says
    assert "keeps errors with status 503 for at least 300 s" in says
    assert "The origin answers /orders well: 200 at 08:41:10" in says
    assert f"aws cloudfront create-invalidation --distribution-id {DISTRIBUTION} --paths /orders" in found.remedy[0].commands


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, [("EDGE-085", "likely")]),
        ({"seconds": 0.9}, []),
        ({"method": "POST"}, []),
        ({"after": 60}, []),
        ({"edge": "NRT57-P2"}, []),
        ({"path": "/orders/7"}, []),
        ({"status": "404"}, []),
    ],
)
def test_an_error_of_which_only_error_is_told_may_come_from_the_cache(changed: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """The same error at the same edge location seconds before, which the origin did give; anything else is no proof of a cache."""
    view = related(MemoryView(covering=frozenset({"alb_access"})))
    row(view, "Error", "Error", status="500", seconds=0.8)
    at_origin(view, path="/orders", status="500", target_status="500", wall=0.7)
    view.failed(row(view, "Error", "Error", **({"status": "500", "seconds": 0.003, "after": 8} | changed)), hop="unknown")
    assert told(view) == found


@pytest.mark.parametrize(("after", "between", "found"), [(100, "404", True), (100, "200", False), (400, "404", False)])
def test_an_error_from_the_cache_may_have_been_given_many_times(after: int, between: str, found: bool) -> None:  # noqa: FBT001 - what is expected
    """The origin gave it once, and others got it from the cache before this one. A success between, or its time being over, ends that."""
    kept = config(CustomErrorResponses={"Quantity": 1, "Items": [{"ErrorCode": 404, "ErrorCachingMinTTL": 300}]})
    view = related(MemoryView(covering=frozenset({"alb_access"}), answers={"get-distribution-config": [kept]}))
    row(view, "Error", "Error", status="404", seconds=0.8)
    at_origin(view, path="/orders", status="404", target_status="404", wall=0.7)
    for number in range(3):
        row(view, "Error", "Error", status="404", seconds=0.003, after=20 + number)
    row(view, *(("Hit", "Hit") if between == "200" else ("Error", "Error")), status=between, seconds=0.003, after=40)
    view.failed(row(view, "Error", "Error", status="404", seconds=0.003, after=after), hop="unknown")
    assert told(view) == ([("EDGE-085", "likely")] if found else [])


def test_an_error_from_the_cache_needs_the_origins_silence() -> None:
    """With a row at the origin for this very request, or no log of it, nothing is said but what would decide."""
    view = related(MemoryView(covering=frozenset({"alb_access"})))
    for after in (0, 8):
        at_origin(view, path="/orders", status="500", target_status="500", after=after)
    row(view, "Error", "Error", status="500", seconds=0.8)
    assert told(view.failed(row(view, "Error", "Error", status="500", seconds=0.003, after=8), hop="unknown")) == []
    assert any("origin" in gap for gap in missing(view))


@pytest.mark.parametrize(
    ("answer", "path", "more", "found"),
    [
        (config(), "/files/a.pdf", {}, [("EDGE-093", "likely")]),
        (config(), "/files/a.pdf", {"cookie": "session=1"}, [("EDGE-093", "likely")]),
        (config(), "/files/a.pdf", {"query": "Expires=1747734390&Signature=abc&Key-Pair-Id=K2"}, []),
        (config(), "/orders", {}, []),
        (config(WebACLId="arn:aws:wafv2:us-east-1:123456789012:global/webacl/cdn/1"), "/files/a.pdf", {}, [("EDGE-093", "possible")]),
        (None, "/files/a.pdf", {}, []),
    ],
)
def test_a_403_is_tested_in_order(answer: dict[str, Any] | None, path: str, more: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """WAF first, then the origin, then what the behavior of the path asks for."""
    view = related(MemoryView(covering=frozenset({"alb_access"}), answers={"get-distribution-config": [answer] if answer else []}))
    view.failed(row(view, "Error", "Error", status="403", path=path, **more), hop="unknown")
    assert told(view) == found
    if found == [("EDGE-093", "possible")] or answer is None:
        assert any("WAF" in gap for gap in missing(view))


def test_no_name_in_public_dns_is_excluded_by_a_row_at_the_origin() -> None:
    """What arrived was resolved."""
    view = related(MemoryView())
    view.failed(row(view, "OriginDnsError"), behind={"alb": (at_origin(view, path="/orders"),)})
    assert told(view) == [("EDGE-087", "possible")]


@pytest.mark.parametrize(
    ("answer", "more", "how", "sure"),
    [
        (None, {"seconds": 0.05}, "refused, or no TLS session", "likely"),
        (None, {"seconds": 30.2, "status": "504"}, "packets were swallowed", "likely"),
        (config(), {"seconds": 0.05}, "no public certificate can carry that name", "proven"),
    ],
)
def test_why_there_was_no_connection(answer: dict[str, Any] | None, more: dict[str, Any], how: str, sure: str) -> None:
    """The time tells a refusal from swallowed packets; the configuration tells a name for which no certificate can be had."""
    view = MemoryView(answers={"get-distribution-config": [answer] if answer else []})
    view.failed(row(view, "OriginConnectError", **more))
    assert told(view) == [("EDGE-088", sure)]
    assert how in findings(view)[0].title


def test_a_name_that_is_handed_on_may_have_a_certificate() -> None:
    """With the viewer's Host header at the origin, its certificate for that name will do."""
    answer = config()
    answer["DistributionConfig"]["DefaultCacheBehavior"]["ForwardedValues"] = {"Headers": {"Quantity": 1, "Items": ["Host"]}}
    view = MemoryView(answers={"get-distribution-config": [answer]})
    view.failed(row(view, "OriginConnectError", seconds=0.05))
    assert told(view) == [("EDGE-088", "likely")]
    assert f"openssl s_client -connect {ORIGIN}:443" in findings(view)[0].remedy[1].commands[0]


def test_a_slow_origin_is_told_from_one_that_was_never_reached() -> None:
    """The balancer's row that lasts as long as CloudFront waited, none at all, and one that was quick."""
    slow = related(MemoryView())
    kept = at_origin(slow, path="/orders", status="460", target_status="-", wall=30.0)
    slow.failed(row(slow, "OriginCommError", status="504", seconds=30.02), behind={"alb": (kept,)})
    assert told(slow) == [("EDGE-089", "proven")]
    assert (findings(slow)[0].layer, "too slow" in findings(slow)[0].title) == ("target", True)

    never = related(MemoryView())
    never.failed(row(never, "OriginCommError", status="504", seconds=30.02), **QUIET)
    assert told(never) == [("EDGE-089", "proven")]
    assert (findings(never)[0].layer, "no connection came about" in findings(never)[0].title) == ("network", True)

    quick = related(MemoryView())
    fast = at_origin(quick, path="/orders", wall=0.04)
    quick.failed(row(quick, "OriginCommError", status="504", seconds=30.02), behind={"alb": (fast,)})
    assert told(quick) == [("EDGE-089", "possible")]


def test_a_broken_answer_is_proven_by_the_origins_own_row() -> None:
    """The origin had the request and thinks that it answered."""
    view = related(MemoryView())
    kept = at_origin(view, path="/orders")
    assert told(view.failed(row(view, "OriginHeaderTooBigError"), behind={"alb": (kept,)})) == [("EDGE-090", "proven")]
    assert "answered it with 200" in findings(view)[0].chain[1].says


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("/files/a.pdf", None, [("EDGE-091", "proven")]),
        ("/orders", None, [("EDGE-091", "possible")]),
        ("/orders", 3.0, [("EDGE-091", "proven")]),
        ("/orders", 0.0, [("EDGE-091", "possible")]),
    ],
)
def test_a_function_at_the_edge_is_confirmed_by_the_behavior_or_its_metric(
    path: str, value: float | None, found: list[tuple[str, str]]
) -> None:
    """A behavior that runs a function, or the metric; one that runs none speaks against it."""
    times = [NOW.replace(second=0).isoformat()]
    series = [{"Id": "m1", "Label": "LambdaExecutionError", "Timestamps": times, "Values": [value]}] if value is not None else []
    view = MemoryView(answers={"get-distribution-config": [config()], "get-metric-data": series})
    view.failed(row(view, "LambdaExecutionError", "LambdaExecutionError", status="503", path=path))
    assert told(view) == found
    if path == "/files/a.pdf":
        assert "rewrite-urls" in findings(view)[0].title


@pytest.mark.parametrize(
    ("detail", "more", "restriction", "found"),
    [
        ("InvalidRequestMethod", {"method": "DELETE"}, None, [("EDGE-093", "proven")]),
        ("InvalidRequestMethod", {"method": "GET"}, None, [("EDGE-093", "possible")]),
        ("ClientGeoBlocked", {}, {"RestrictionType": "none", "Quantity": 0}, [("EDGE-093", "possible")]),
        ("ClientGeoBlocked", {}, {"RestrictionType": "whitelist", "Quantity": 1, "Items": ["JP"]}, [("EDGE-093", "likely")]),
    ],
)
def test_a_setting_is_confirmed_or_contradicted_by_the_configuration(
    detail: str, more: dict[str, Any], restriction: dict[str, Any] | None, found: list[tuple[str, str]]
) -> None:
    """The methods and countries that the distribution takes, as its configuration in the case has them."""
    changed = {"Restrictions": {"GeoRestriction": restriction}} if restriction else {}
    view = MemoryView(answers={"get-distribution-config": [config(**changed)]})
    assert told(view.failed(row(view, detail, status="403", **more))) == found


def test_what_arrived_was_not_refused_by_a_setting() -> None:
    """A row at the origin excludes it."""
    view = related(MemoryView())
    view.failed(row(view, "InvalidRequestMethod", status="403"), behind={"alb": (at_origin(view, path="/orders"),)})
    assert told(view) == []
    assert [one.code for one in ask(view)["cloudfront_answered"].ruled_out] == ["EDGE-093"]


@pytest.mark.parametrize(
    ("detail", "more", "inner", "found"),
    [
        ("ClientCommError", {"status": "000"}, None, [("EDGE-094", "likely")]),
        ("ClientHungUpRequest", {"status": "000", "seconds": 14.0}, None, [("EDGE-094", "likely")]),
        ("ClientCommError", {"status": "502", "response": "Miss"}, None, [("EDGE-094", "likely")]),
        ("ClientCommError", {"status": "000"}, "200", [("EDGE-094", "proven")]),
        ("ClientCommError", {"status": "000"}, "500", [("EDGE-094", "possible")]),
        # The response was an error already before it went out.
        ("ClientCommError", {"status": "502", "response": "Error"}, None, []),
    ],
)
def test_the_viewer_left(detail: str, more: dict[str, Any], inner: str | None, found: list[tuple[str, str]]) -> None:
    """No status, or an error after the response had begun as none; the origin's own row shows that nothing was broken there."""
    view = related(MemoryView())
    behind = {"alb": (at_origin(view, path="/orders", status=inner, target_status=inner),)} if inner else {}
    view.failed(row(view, detail, **more), hop="unknown", behind=behind)
    assert told(view) == found


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("get-distribution", {"ETag": "E1", "Distribution": {"Id": DISTRIBUTION, "DomainName": "d1.cloudfront.net", **config()}}),
        ("list-distributions", {"Items": [{"Id": DISTRIBUTION, "DomainName": "d1.cloudfront.net", **config()["DistributionConfig"]}]}),
        ("list-distributions", {"Id": DISTRIBUTION, "DomainName": "d1.cloudfront.net", **config()["DistributionConfig"]}),
    ],
)
def test_the_configuration_is_found_in_every_answer_that_holds_it(operation: str, answer: dict[str, Any]) -> None:
    """get-distribution, an entry of list-distributions, and the list as a whole."""
    view = MemoryView(answers={operation: [answer]})
    view.failed(row(view, "OriginDnsError"))
    assert findings(view)[0].subject["origin"] == ORIGIN


@pytest.mark.parametrize(
    "answer", [{"Id": "EOTHER12345678", "DistributionConfig": config()["DistributionConfig"]}, {"Items": [1, None]}, {}]
)
def test_the_configuration_of_another_distribution_is_not_used(answer: dict[str, Any]) -> None:
    """An answer that names another distribution, or is of no known shape, tells nothing."""
    view = MemoryView(answers={"get-distribution": [answer]})
    view.failed(row(view, "OriginDnsError"))
    assert "origin" not in findings(view)[0].subject


def test_a_hostile_path_stays_in_its_quotes() -> None:
    """What an attacker asked for is quoted for the shell and fills no other blank."""
    view = MemoryView()
    view.failed(row(view, "Hit", "Hit", status="404", path="/a';reboot;'{distribution}"))
    opinion = discover.rules()["cloudfront_answered"].examine(view)
    commands = [command for one in opinion.findings[0].remedy for command in one.commands]
    assert any("'\"'\"';reboot;'\"'\"'{distribution}" in command for command in commands)


def test_no_row_is_ever_too_odd() -> None:
    """Rows without any of the fields raise nothing."""
    assert outcome_of({}) is not None
    assert outcome_of({"status": 502}) is None
    assert outcome_of({"status": 99_999, "edge_result_type": "Hit"}) is None
