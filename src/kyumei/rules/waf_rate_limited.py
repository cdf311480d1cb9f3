"""A rate-based rule blocked the request: its key had more requests in the window than the limit (EDGE-097).

The key is what the rule counts by: the address, one from a header, several parts of the request, or nothing (CONSTANT). Counting by
address behind a proxy, a NAT or a CDN makes strangers share one count. AWS applies the limit tens of seconds late and only about; so a
count in the log that is somewhat below the limit is no contradiction, one far below is, unless the log does not hold all requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.waf.block import viewer_of
from kyumei.edge.waf.commands import change_rules
from kyumei.edge.waf.exception import excepting, rate, requests_match
from kyumei.edge.waf.finding import Cause, opinion
from kyumei.edge.waf.history import Exemption, counted, proof, stopped_requests, these_requests
from kyumei.edge.waf.inspected import from_waf, header
from kyumei.edge.waf.rate import counts, key, key_value, limit_of, sort_of, window_of
from kyumei.edge.waf.remedies import count_only, editable
from kyumei.model.finding import Certainty, Evidence, Remedy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kyumei.edge.waf.block import Block

SPREAD = 3
"""From so many different requests on it is no single one of them that is asked for too often."""
FAR_BELOW = 0.5
"""A count below this share of the limit speaks against the limit as the cause."""
ROOM = 1.5
"""How far above the busiest window seen a new limit should lie."""


def title(block: Block) -> str:
    """What happened, in one sentence."""
    limit = limit_of(block)
    told = f"more than {limit} requests in {window_of(block)} s by {sort_of(block)}" if limit else "too many requests"
    return f"Rate-based WAF rule '{block.name}' of web ACL '{block.row['webacl']}' blocked {block.request}: {told}"


def message(block: Block) -> str:
    """For the person who reported it."""
    return (
        f"Your request to {block.path or 'the site'} was stopped by our web application firewall because too many requests came "
        "from your address, which you "
        "may share with others; the site itself did not refuse you. It lets you in again by itself once there are fewer. We are checking "
        "whether the limit is right."
    )


def evidence(view: View, block: Block) -> tuple[Evidence, ...]:
    """The count of the key's requests in the window, whether strangers share it, and how the rule counts."""
    row, sort = block.row, sort_of(block)
    found = [*_counted(view, block)]
    if value := key_value(row):
        found.append(Evidence(f"The rule counts by {sort}; the key that went over the limit: {value}", view.cite([row])))
    if forwarded := header(from_waf(row), "x-forwarded-for"):
        found.append(
            Evidence(
                f"The request came through a proxy: X-Forwarded-For is {', '.join(forwarded)[:200]}, and the rule counts by {sort}",
                view.cite([row]),
            )
        )
    return tuple(found)


def _counted(view: View, block: Block) -> Iterable[Evidence]:
    """How many requests the log has of what the rule counts together, and whether that is one client."""
    whom, count, limit = key(block), counts(view, block), limit_of(block)
    if whom is None or count is None:
        yield Evidence(f"How many requests of that key there were cannot be counted in this log; the limit is {limit or 'not told'}")
        return
    says = (
        f"The log has {counted(count.then, 'request')} of {whom.whose} in the {window_of(block)} s up to the block; the limit is "
        f"{limit or 'not told'}; its busiest such window had {count.most}"
    )
    if not count.passed:
        says += (
            ". None of them passed, though as many as the limit must have before the first was stopped: this log lacks what passed (a "
            "logging filter, or files that are missing), and the true count is higher"
        )
    yield Evidence(says, view.cite([block.row]), count.sql, count.then)
    if sort_of(block) != "CONSTANT":
        agents = f"SELECT count(DISTINCT user_agent) AS agents FROM waf WHERE {whom.where}"
        yield Evidence(
            f"{counted(count.agents, 'user agent')} came from this address: {_sharing(count.agents)}", sql=agents, total=count.agents
        )


def _sharing(agents: int) -> str:
    return "many people seem to share it (an office, a NAT, a proxy)" if agents >= 3 else "nothing speaks for many people behind it"  # noqa: PLR2004 - one person has a browser and a telephone


def certainty(view: View, block: Block, found: Certainty) -> Certainty:
    """Lower where the log covers the moment, holds what passed, and counts far fewer requests than the limit for the rule's key."""
    limit = limit_of(block)
    if found is not Certainty.PROVEN or limit is None or sort_of(block) == "CONSTANT" or not view.covers("waf"):
        return found
    count = counts(view, block)
    if count is None or not count.passed:
        return found
    return Certainty.LIKELY if count.most < limit * FAR_BELOW else found


def remedies(view: View, block: Block) -> tuple[Remedy, ...]:
    """Count by the real client where a proxy stands before WAF; raise the limit; do not count the path; only count."""
    rule, place = editable(block)
    pairs, limit = stopped_requests(block), limit_of(block)
    count = counts(view, block)
    most = count.most if count else 0
    found = []
    if sort_of(block) == "IP" and (header(from_waf(block.row), "x-forwarded-for") or viewer_of(block)):
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
    # What was stopped had gone over the limit, however few of its requests this log holds.
    needed = max(round(max(most, limit or 0) * ROOM), 10)
    edited = [rate(rule, limit=needed)] if rule else ["<the rule with the new Limit>"]
    seen = f"The busiest window of this key in the log had {most} requests" if count else "This log cannot count the requests of this key"
    proven = f"{seen}; the limit is {limit or 'not told'}, the new one {needed}."
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
