"""What API Gateway's execution log says of single requests: its many lines of each, drawn together.

The log is joined by the request's id. A client may choose that id, so lines that lie far from the request in time are not taken for it,
nor those of a request that ended with another status.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.gateway.texts import kind_of_text, kind_of_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kyumei.contracts import View

Row = dict[str, Any]
NEAR = timedelta(minutes=16)
"""The longest time between a request and a step of it: a WebSocket or a raised limit may last minutes."""
MOST = 20
"""Requests whose steps are read."""
_DONE = "Successfully completed execution"
_CALLED = ("Endpoint request URI", "Sending request to", "Received response. Status", "Endpoint response ")
_AUTHORIZER = ("Starting authorizer",)
_KEPT = (
    "_artifact, _line, time, request_id, extended_request_id, message, method, path, resource_path, status, response_type, "
    "integration_status, target_seconds, error_text, function_error, function_arn, upstream, integration_request_id, client_ip, host, "
    "user_agent, api_id, stage"
)


class Steps(NamedTuple):
    """The steps of one request, in the order of the log. ``status`` is what the client got."""

    rows: tuple[Row, ...]

    def first(self, column: str) -> Any:  # noqa: ANN401 - any value of a row
        """The first value that a column has."""
        return next((row[column] for row in self.rows if row[column] is not None), None)

    @property
    def status(self) -> int | None:
        """The status that the client got, as the last line that tells it says."""
        return next((row["status"] for row in reversed(self.rows) if row["status"] is not None), None)

    @property
    def called(self) -> bool:
        """Whether the integration was called; the authorizer's call comes before the request proper starts."""
        own = [row for row in self.rows if (row["message"] or "").startswith(_CALLED)]
        authorized = any((row["message"] or "").startswith(_AUTHORIZER) for row in self.rows)
        return bool(own) and not (authorized and not any(row["integration_status"] is not None for row in own))

    @property
    def relayed(self) -> bool:
        """Whether the log says that the integration's own answer went to the client."""
        done = any((row["message"] or "").startswith(_DONE) for row in self.rows)
        same = self.status is not None and self.first("integration_status") == self.status
        return (done or same) and self.kind is None

    @property
    def said(self) -> tuple[Row, ...]:
        """The lines that say that something failed, and of which kind the answer is."""
        return tuple(row for row in self.rows if row["error_text"] or row["response_type"] or _tells(row["message"]))

    @property
    def kind(self) -> str | None:
        """The kind of answer that the lines name."""
        texts = [found for row in self.rows if (found := kind_of_text(row["error_text"]) or _tells(row["message"]))]
        own = "FUNCTION_ERROR" if self.first("function_error") and "MALFORMED" in texts else None
        return own or next(iter(texts), None) or kind_of_type(self.first("response_type"))

    @property
    def ending(self) -> tuple[Row, ...]:
        """The lines that tell the status."""
        return tuple(row for row in self.rows if row["status"] is not None)


_OPENINGS = (
    "Execution failed",
    "Lambda execution",
    "Lambda invocation failed",
    "Unauthorized",
    "API Key ",
    "Authorizer",
    "Key throttle",
    "Request body",
)
_BODY = re.compile(r'Gateway response body: \{"[Mm]essage": ?"([^"\n]{1,300})"')


def _tells(message: str | None) -> str | None:
    """The kind that a line names; lines that hold what a client or the backend sent tell nothing."""
    text = message or ""
    if body := _BODY.match(text):
        return kind_of_text(body[1])
    return kind_of_text(text) if text.startswith(_OPENINGS) and "does not require API Key" not in text else None


def steps_of(view: View, rows: Sequence[Mapping[str, Any]]) -> dict[str, Steps]:
    """The steps of the requests of these rows (of the access log, or of the execution log itself) by the row's own request id."""
    if not view.has("api_gateway_execution"):
        return {}
    wanted = {name: sorted({str(row[name]) for row in rows[:MOST] if row.get(name)}) for name in ("request_id", "extended_request_id")}
    found = view.rows(
        f"SELECT {_KEPT} FROM api_gateway_execution WHERE list_contains(?::VARCHAR[], request_id) OR request_id IN (SELECT request_id "
        "FROM api_gateway_execution WHERE list_contains(?::VARCHAR[], extended_request_id)) ORDER BY _artifact, _line LIMIT 5000",
        wanted["request_id"],
        wanted["extended_request_id"],
    )
    by_id: dict[str, list[Row]] = {}
    for step in found:
        by_id.setdefault(step["request_id"], []).append(step)
    extended = {step["extended_request_id"]: step["request_id"] for step in found if step["extended_request_id"]}
    joined: dict[str, Steps] = {}
    for row in rows[:MOST]:
        own = by_id.get(str(row.get("request_id"))) or by_id.get(extended.get(row.get("extended_request_id"), ""), [])
        near = _near(row, own)
        if near and near.status in {None, row.get("status")} and row.get("request_id"):
            joined[str(row["request_id"])] = near
    return joined


def _near(row: Mapping[str, Any], steps: Iterable[Row]) -> Steps | None:
    own = tuple(step for step in steps if step["time"] is None or row.get("time") is None or abs(step["time"] - row["time"]) <= NEAR)
    return Steps(own) if own else None


def function_name(arn: str | None) -> str:
    """The name of the function in an ARN, with its alias or version; empty for anything else.

    >>> function_name("arn:aws:lambda:eu-west-1:123456789012:function:orders:live")
    'orders:live'
    """
    return (arn or "").partition(":function:")[2]
