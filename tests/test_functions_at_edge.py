"""Functions at the edge: which of two failed, and what the log of a Lambda@Edge function says of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kyumei.edge.function.at_edge import failed_runs
from tests.rules import balancer_memory as balancer
from tests.rules.cloudfront_memory import MemoryView, config, findings, related, row

BOTH = {
    "LambdaFunctionAssociations": {
        "Items": [{"LambdaFunctionARN": "arn:aws:lambda:us-east-1:123456789012:function:origin-auth:7", "EventType": "origin-request"}]
    },
    "FunctionAssociations": {
        "Items": [{"FunctionARN": "arn:aws:cloudfront::123456789012:function/rewrite-index", "EventType": "viewer-request"}]
    },
}


@pytest.mark.parametrize(
    ("result", "named", "other"),
    [
        ("FunctionExecutionError", "rewrite-index", "origin-auth"),
        ("LambdaExecutionError", "origin-auth", "rewrite-index"),
    ],
)
def test_of_two_functions_the_one_of_that_kind_failed(result: str, named: str, other: str) -> None:
    """The result type tells whether a CloudFront function or one of Lambda@Edge failed; a behavior may have both."""
    answer = config()
    answer["DistributionConfig"]["DefaultCacheBehavior"].update(BOTH)
    view = related(MemoryView(answers={"get-distribution-config": [answer]}))
    view.failed(row(view, result, status="503"))
    finding = findings(view)[0]
    text = " ".join([finding.title, *(one.says for one in finding.chain), *(one for fix in finding.remedy for one in fix.commands)])
    assert named in finding.title
    assert other not in text


@pytest.mark.parametrize(
    ("function", "names", "after", "message", "lines"),
    [
        ("us-east-1.session-check", ["session-check"], 0.0, "timeout", 1),
        ("us-east-1.session-check", [], 0.0, "timeout", 1),  # the group's name tells that it runs at the edge
        ("session-check", ["session-check"], 0.0, "timeout", 1),
        ("session-check", [], 0.0, "timeout", 0),
        ("stock-sync", ["session-check"], 0.0, "timeout", 0),
        (None, ["session-check"], 0.0, "timeout", 0),
        ("us-east-1.session-check", ["session-check"], 60.0, "timeout", 0),
        ("us-east-1.session-check", ["session-check"], 0.0, "app", 0),
    ],
)
def test_whose_log_and_which_run(function: str | None, names: list[str], after: float, message: str, lines: int) -> None:
    """A run that failed while CloudFront had the request, of the behavior's function: not another's, nor at another time."""
    view = balancer.MemoryView()
    time = balancer.NOW.replace(tzinfo=None)
    request: dict[str, Any] = {"time": time, "request_seconds": 5.0}
    outcome = {"kind": "timeout", "outcome": "timeout"} if message == "timeout" else {"kind": "app", "level": "ERROR"}
    said = "Task timed out after 5.00 seconds" if message == "timeout" else "cannot reach the session store, trying again"
    line = {"time": time + timedelta(seconds=after), "message": said, "function_name": function, "request_id": "r1"}
    view.add("lambda_log", line | outcome)
    assert len(failed_runs(view, [request], names)) == lines
