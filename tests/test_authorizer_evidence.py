"""An authorizer that failed, and what its function's own log says of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.test_api_gateway_answered import NAIVE, MemoryView, access, ask, told

URI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:{}/invocations"


def _asked(view: MemoryView, *runs: tuple[str | None, float]) -> tuple[str, str]:
    """Certainty of the one finding and its chain in words, where runs of these functions timed out then (seconds after the request)."""
    for function, after in runs:
        line: dict[str, Any] = {"kind": "timeout", "outcome": "timeout", "message": "Task timed out after 3.00 seconds"}
        view.store("lambda_log", line | {"time": NAIVE + timedelta(seconds=after), "function_name": function})
    opinion = ask(view, access(view, status=500, response_type="AUTHORIZER_FAILURE", authorizer_seconds=3.02))
    ((code, sure),) = told(opinion)
    assert code == "EDGE-106"
    return sure, " ".join(one.says for one in opinion.findings[0].chain)


@pytest.mark.parametrize(
    ("runs", "sure", "says"),
    [
        ([("token-check", 3.0)], "proven", "token-check says in those seconds: Task timed out"),
        ([("token-check", 3.0), ("orders", 2.0)], "proven", "token-check says"),
        ([("orders", 3.0)], "likely", None),
        ([("token-check", 60.0)], "likely", None),
        ([("token-check", -60.0)], "likely", None),
        ([], "likely", None),
    ],
)
def test_a_run_of_the_authorizers_function_confirms_it(runs: list[tuple[str | None, float]], sure: str, says: str | None) -> None:
    """Its function's alone, and in those seconds."""
    view = MemoryView(
        settings={("apigateway", "get-authorizers"): [{"id": "a1", "name": "token", "authorizerUri": URI.format("token-check")}]}
    )
    found, chain = _asked(view, *runs)
    assert found == sure
    assert says in chain if says else "Task timed out" not in chain


def test_which_function_authorizes_must_be_told_to_prove_it() -> None:
    """Without the configuration the only log of a function that failed then is shown, and proves nothing; of two logs it is anybody's."""
    found, chain = _asked(MemoryView(), ("token-check", 3.0))
    assert (found, "The log of a function says" in chain) == ("likely", True)
    found, chain = _asked(MemoryView(), ("token-check", 3.0), ("orders", 3.1))
    assert (found, "Task timed out" in chain) == ("likely", False)
