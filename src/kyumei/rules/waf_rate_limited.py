"""A rate-based rule blocked the request: its key had more requests in the window than the limit (EDGE-097).

The key is what the rule counts by: the address, one from a header, several parts of the request, or nothing (CONSTANT). Counting by
address behind a proxy, a NAT or a CDN makes strangers share one count. AWS applies the limit tens of seconds late and only about; so a
count in the log that is somewhat below the limit is no contradiction, one far below is, unless the log does not hold all requests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.documents import as_map
from kyumei.edge.literals import same
from kyumei.edge.waf.block import viewer_of
from kyumei.edge.waf.commands import change_rules
from kyumei.edge.waf.exception import excepting, rate, requests_match
from kyumei.edge.waf.finding import Cause, opinion
from kyumei.edge.waf.history import Exemption, busiest_window, counted, proof, stopped_requests, these_requests
from kyumei.edge.waf.inspected import from_waf, header
from kyumei.edge.waf.remedies import count_only, editable
from kyumei.model.finding import Certainty, Evidence, Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.edge.waf.block import Block

WINDOW_SECONDS = 300
"""The window of a rule that states none."""
SPREAD = 3
"""From so many different requests on it is no single one of them that is asked for too often."""
FAR_BELOW = 0.5
"""A count below this share of the limit speaks against the limit as the cause."""
ROOM = 1.5
"""How far above the busiest window seen a new limit should lie."""


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


def key_of(block: Block) -> str:
    """What the rule counts by: IP, FORWARDED_IP, CUSTOMKEYS, CONSTANT."""
    return str(block.row["rate_limit_key"] or settings(block).get("AggregateKeyType") or "IP")


def title(block: Block) -> str:
    """What happened, in one sentence."""
    limit = limit_of(block)
    told = f"more than {limit} requests in {window_of(block)} s by {key_of(block)}" if limit else "too many requests"
    return f"Rate-based WAF rule '{block.name}' of web ACL '{block.row['webacl']}' blocked {block.request}: {told}"


def message(block: Block) -> str:
    """For the person who reported it."""
    return (
        f"Your request to {block.row['path'] or 'the site'} was stopped by our web application firewall because too many requests came "
        "from your address, which you "
        "may share with others; the site itself did not refuse you. It lets you in again by itself once there are fewer. We are checking "
        "whether the limit is right."
    )


def evidence(view: View, block: Block) -> tuple[Evidence, ...]:
    """The count of the client's requests in the window, whether strangers share its address, and how the rule counts."""
    row = block.row
    then, most, sql = busiest_window(view, block, window_of(block))
    key, limit = key_of(block), limit_of(block)
    whose = f"{same('webacl_arn', row['webacl_arn'])} AND {same('client_ip', row['client_ip'])}"
    shared = f"SELECT count(DISTINCT user_agent) AS agents, count(*) AS n FROM waf WHERE {whose}"
    agents = view.rows(shared)[0]
    found = [
        Evidence(
            f"The log has {counted(then, 'request')} of {row['client_ip']} in the {window_of(block)} s up to the block; the limit is "
            f"{limit or 'not told'}; "
            f"its busiest such window had {most}",
            view.cite([row]),
            sql,
            then,
        ),
        Evidence(
            f"{counted(agents['agents'], 'user agent')} came from this address: {_sharing(agents['agents'])}", sql=shared, total=agents["n"]
        ),
    ]
    if values := _key_values(row):
        found.append(Evidence(f"The rule counts by {key}; the key that went over the limit: {values}", view.cite([row])))
    if forwarded := header(from_waf(row), "x-forwarded-for"):
        found.append(
            Evidence(
                f"The request came through a proxy: X-Forwarded-For is {', '.join(forwarded)[:200]}, and the rule counts by {key}",
                view.cite([row]),
            )
        )
    return tuple(found)


def _sharing(agents: int) -> str:
    return "many people seem to share it (an office, a NAT, a proxy)" if agents >= 3 else "nothing speaks for many people behind it"  # noqa: PLR2004 - one person has a browser and a telephone


def _key_values(row: Mapping[str, Any]) -> str:
    """The value of the key, from the entry of the rule that ended the look."""
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


def certainty(view: View, block: Block, found: Certainty) -> Certainty:
    """Lower where the log covers the moment and counts far fewer requests than the limit for a key that it can count."""
    limit = limit_of(block)
    if found is not Certainty.PROVEN or key_of(block) != "IP" or limit is None or not view.covers("waf"):
        return found
    then, _, _ = busiest_window(view, block, window_of(block) * 2)
    return Certainty.LIKELY if then < limit * FAR_BELOW else found


def remedies(view: View, block: Block) -> tuple[Remedy, ...]:
    """Count by the real client where a proxy stands before WAF; raise the limit; do not count the path; only count."""
    rule, place = editable(block)
    pairs, limit = stopped_requests(block), limit_of(block)
    _, most, _ = busiest_window(view, block, window_of(block))
    found = []
    if key_of(block) == "IP" and (header(from_waf(block.row), "x-forwarded-for") or viewer_of(block)):
        edited = [rate(rule, forwarded=True)] if rule else ["<the rule with AggregateKeyType FORWARDED_IP and ForwardedIPConfig>"]
        says = (
            "Count by the client's own address (FORWARDED_IP, first of X-Forwarded-For), since a proxy stands before WAF. Clients can "
            "forge that header: do so only where the proxy sets it."
        )
        found.append(Remedy(says, change_rules(place, edited)))
    passing = []
    if pairs:
        listed = ", ".join(f"{method} {path}" for method, path in pairs)
        edited = [excepting(rule, requests_match(pairs))] if rule else ["<the rule with NOT these requests in ScopeDownStatement>"]
        text = proof(view, block, Exemption(these_requests(pairs), wide=True))
        passing = [Remedy(f"Neither count nor stop {listed} (ScopeDownStatement).", change_rules(place, edited), text)]
    needed = max(round(most * ROOM), (limit or 0) + 1, 10)
    edited = [rate(rule, limit=needed)] if rule else ["<the rule with the new Limit>"]
    proven = f"The busiest window of this client in the log had {most} requests; the limit is {limit or 'not told'}, the new one {needed}."
    raised = Remedy(f"Raise the limit to {needed}, if so many requests of one key are normal.", change_rules(place, edited), proven)
    # Where the whole site was refused, to take its pages out one by one would leave the rule with nothing to guard.
    ways = [raised, *passing] if len(pairs) >= SPREAD else [*passing, raised]
    return (*found, *ways, *count_only(block))


CAUSE = Cause("waf_rate_limited", "EDGE-097", "rate", title, message, remedies, evidence, certainty)


def examine(view: View) -> Opinion:
    """One finding for each failure that a rate-based rule made."""
    return opinion(view, CAUSE)


RULE = Rule(
    name="waf_rate_limited",
    codes=("EDGE-097",),
    needs=("waf",),
    helps=("resource_snapshot", "alb_access", "nginx_access", "app_log"),
    rivals=("web_server_refused", "application_answered", "load_balancer_answered"),
    examine=examine,
)
