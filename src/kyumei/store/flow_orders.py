"""The order of the fields of flow logs that have no header line, by the answers of ``describe-flow-logs`` in the case.

What CloudWatch Logs and Firehose deliver is bare lines. A flow log whose id or log group stands in the name of the file is the one that
wrote them; of a file that names none, the lines are held against the orders of all, and it is read so only where exactly one fits.

Follows "DescribeFlowLogs" in the Amazon EC2 API reference.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from kyumei import discover
from kyumei.errors import ConfigError
from kyumei.layouts.flow_fields import fit, is_transit, names_in
from kyumei.store.unpack import members

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kyumei.contracts import Layout
    from kyumei.model.artifact import Artifact

__all__ = ["Order", "format_of_order", "order_of", "orders_told"]

LARGEST = 16 * 1024 * 1024
"""Bytes of an answer that are read."""
SAMPLED = 200
"""Lines that are held against the orders."""
_ANSWER = re.compile(r"(?:^|/)aws/(?:[^/]+/){0,2}ec2/describe-flow-logs(?:\.[^/]*)?\.json(?:\.(?:gz|zst|bz2|xz))?\Z")


class Order(NamedTuple):
    """The fields of one flow log in their order: the format, its layout of them, and texts of which one stands in the name of its files."""

    format: str
    fields: tuple[str, ...]
    layout: Layout
    marks: tuple[str, ...]


def format_of_order(told: str) -> str | None:
    """The format whose fields a text lists, ``${version} ${vpc-id}`` or ``version vpc-id``; null for a text of another sort."""
    names = names_in(told)
    name = "tgw_flow" if is_transit(names) else "vpc_flow"
    return name if names and _layout(name, told) is not None else None


def orders_told(artifacts: Iterable[Artifact]) -> tuple[Order, ...]:
    """The orders that answers in the case tell, one for each flow log."""
    return tuple(order for artifact in artifacts if _ANSWER.search(artifact.name) for one in _flow_logs(artifact) if (order := _order(one)))


def order_of(lines: Sequence[str], name: str, orders: Sequence[Order], *, claimed: bool) -> Order | None:
    """The order that lines without a header have, from a file or log group of this name; null when none is sure.

    Lines that are ``claimed`` already, for they look like the default order, have another one only if the name says so.
    """
    sample = [line for line in lines if line.strip()][:SAMPLED]
    fitting = [order for order in orders if sample and sum(fit(order.fields, line) for line in sample) * 2 > len(sample)]
    named = [order for order in fitting if any(mark in name for mark in order.marks)]
    chosen = named or ([] if claimed else fitting)
    return chosen[0] if chosen and len({order.fields for order in chosen}) == 1 else None


def _flow_logs(artifact: Artifact) -> list[dict[str, Any]]:
    """The flow logs that an answer lists; none where it cannot be read."""
    for _, _, stream in members(artifact):
        raw = b""
        for piece in stream.chunks():
            raw += piece
            if len(raw) > LARGEST:
                return []
        try:
            answer = json.loads(raw.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError):
            return []
        listed = answer.get("FlowLogs") if isinstance(answer, dict) else None
        return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return []


def _order(flow_log: dict[str, Any]) -> Order | None:
    """The order of one flow log; null where the answer does not tell a sound one."""
    told = flow_log.get("LogFormat")
    name = format_of_order(told) if isinstance(told, str) else None
    layout = _layout(name, told) if name and isinstance(told, str) else None
    if name is None or layout is None:
        return None
    group = flow_log.get("LogGroupName")
    marks = [
        flow_log.get("FlowLogId"),
        *((group, quote(group, safe=""), group.strip("/").replace("/", "-")) if isinstance(group, str) else ()),
    ]
    return Order(name, names_in(str(told)), layout, tuple(mark for mark in marks if isinstance(mark, str) and mark))


def _layout(name: str, told: str) -> Layout | None:
    make = discover.format_of(name).custom
    try:
        return make(told) if make else None
    except ConfigError:
        return None
