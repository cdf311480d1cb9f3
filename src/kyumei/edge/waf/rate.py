"""What a rate-based rule counts by, and how many requests of that key the log holds.

A key is the client's address, one that a header names, several parts of the request, or nothing (CONSTANT). The record of a block names
the value that went over the limit. Counting anything but that key says nothing about the limit: behind a CDN the address of the record is
one of the CDN's, and each has a small part of the requests.

Follows "Rate-based rule aggregation options" of the AWS WAF Developer Guide.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import as_map
from kyumei.edge.literals import literal, same
from kyumei.edge.waf.inspected import from_waf, header, is_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View
    from kyumei.edge.waf.block import Block

WINDOW_SECONDS = 300
"""The window of a rule that states none."""


class Key(NamedTuple):
    """Whom a rule counts together: the condition on table ``waf`` that finds their requests, and how a sentence names them."""

    where: str
    whose: str


class Count(NamedTuple):
    """Requests of a key: in the window that ended with the block, in the busiest window, all that passed, their user agents."""

    then: int
    most: int
    passed: int
    agents: int
    sql: str


def settings(block: Block) -> Mapping[str, Any]:
    """The rate-based statement as configured; empty without the configuration."""
    return as_map(block.statement.get("RateBasedStatement"))


def limit_of(block: Block) -> int | None:
    """The limit, from the record or the configuration."""
    found = block.row["rate_limit"] or settings(block).get("Limit")
    return found if isinstance(found, int) else None


def window_of(block: Block) -> int:
    """The window in seconds, from the record or the configuration."""
    found = block.row["rate_window_seconds"] or settings(block).get("EvaluationWindowSec")
    return found if isinstance(found, int) else WINDOW_SECONDS


def sort_of(block: Block) -> str:
    """What the rule counts by, as the API writes it: IP, FORWARDED_IP, CUSTOM_KEYS, CONSTANT; logs write some without their underscore."""
    told = str(block.row["rate_limit_key"] or settings(block).get("AggregateKeyType") or "IP")
    return {"FORWARDEDIP": "FORWARDED_IP", "CUSTOMKEYS": "CUSTOM_KEYS"}.get(told, told)


def key_value(row: Mapping[str, Any]) -> str:
    """The value of the key that went over the limit, from the entry of the rule that ended the look; empty where it is not told."""
    try:
        rules = json.loads(row["rate_rules"] or "[]")
    except (ValueError, TypeError):
        return ""
    for item in rules if isinstance(rules, list) else []:
        one = as_map(item)
        if row["rule_id"] in {one.get("rateBasedRuleName"), one.get("rateBasedRuleId")}:
            custom = one.get("customValues")
            parts = (
                [f"{as_map(part).get('key')} {as_map(part).get('name') or ''}={as_map(part).get('value')}" for part in custom if part]
                if isinstance(custom, list)
                else []
            )
            return ", ".join(parts)[:300] or str(one.get("limitValue") or "")
    return ""


def key(block: Block) -> Key | None:
    """Whose requests the rule counts together; null where the log does not tell which those are."""
    row, sort = block.row, sort_of(block)
    acl = same("webacl_arn", row["webacl_arn"])
    if sort == "IP":
        return Key(f"{acl} AND {same('client_ip', row['client_ip'])}", str(row["client_ip"]))
    # Without its statement nothing tells that it counts all requests, and not only those of a path.
    if sort == "CONSTANT" and settings(block) and not settings(block).get("ScopeDownStatement"):
        return Key(acl, "all clients together")
    if sort == "FORWARDED_IP":
        name = str(as_map(settings(block).get("ForwardedIPConfig")).get("HeaderName") or "X-Forwarded-For")
        address = key_value(row) or next(iter(header(from_waf(row), name) or ()), "").partition(",")[0].strip()
        if is_address(address):
            return Key(f"{acl} AND {_forwarded(name, address)}", f"{address} (first address of {name})")
    return None


def _forwarded(name: str, address: str) -> str:
    """A condition on table ``waf``: the first address of the header is this one. Records that do not hold the address are not opened."""
    headers = """from_json(headers, '[{"name":"VARCHAR","value":"VARCHAR"}]')"""
    value = f"list_filter({headers}, lambda x: lower(x.name) = {literal(name.lower())})[1].value"
    first = f"trim(split_part({value}, ',', 1))"
    return f"CASE WHEN contains(headers, {literal(address)}) THEN coalesce({first} = {literal(address)}, false) ELSE false END"


def counts(view: View, block: Block) -> Count | None:
    """How many requests of its key the log holds; null where it does not tell which those are."""
    whom = key(block)
    if whom is None:
        return None
    span = f"INTERVAL {max(1, window_of(block))} SECOND"
    sql = (
        "SELECT time, action, user_agent, count(*) OVER (ORDER BY time RANGE BETWEEN "
        f"{span} PRECEDING AND CURRENT ROW) AS n FROM waf WHERE {whom.where}"
    )
    found = view.rows(
        f"SELECT max(n) FILTER (WHERE time = {literal(block.row['time'])}) AS then, max(n) AS most, "
        f"count(*) FILTER (WHERE action = 'ALLOW') AS passed, count(DISTINCT user_agent) AS agents FROM ({sql})"
    )[0]
    return Count(found["then"] or 0, found["most"] or 0, found["passed"], found["agents"], f"{sql} ORDER BY time")
