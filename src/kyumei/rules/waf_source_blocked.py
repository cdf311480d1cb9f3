"""The web ACL does not let this source in: an IP set, a country, a network, or a default action of Block (EDGE-099).

A rule belongs here when its statement looks at nothing but where a request comes from; one that also looks at a path is waf_rule_blocked,
and so is every rule whose statement is not in the case. With a default action of Block a request needs a rule that allows it: the chain
tells for each such rule why it did not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.documents import as_list, as_map
from kyumei.edge.literals import among
from kyumei.edge.waf.block import clipped, viewer_of
from kyumei.edge.waf.commands import UNKNOWN, change_addresses, change_rules
from kyumei.edge.waf.exception import requests_match
from kyumei.edge.waf.finding import Cause, opinion
from kyumei.edge.waf.history import Exemption, counted, proof, stopped_requests, these_requests
from kyumei.edge.waf.inspected import from_waf
from kyumei.edge.waf.judge import evaluate, lookups
from kyumei.edge.waf.remedies import clients_of, count_only, exempt_clients, single, through_ip_sets, with_addresses
from kyumei.edge.waf.statement import describe_statement, leaves, name_in
from kyumei.edge.waf.web_acl import DEFAULT_ACTION, action_of, place_of
from kyumei.model.finding import Evidence, Remedy

if TYPE_CHECKING:
    from kyumei.edge.waf.block import Block

LONG = 400
"""Characters of a statement in words that a sentence holds."""
SHOWN = 6
"""Allowing rules that the chain goes through."""
_JUDGED = {True: "should have matched, so it was changed since", False: "did not match", None: "cannot be judged from the log"}


def title(block: Block) -> str:
    """What happened, in one sentence."""
    row = block.row
    if row["rule_id"] == DEFAULT_ACTION:
        return f"Web ACL '{row['webacl']}' blocked {block.request} by its default action: no rule of it let the request in"
    kinds = {name for name, _, _ in leaves(block.statement)}
    what = (
        row["client_ip"]
        if "IPSetReferenceStatement" in kinds
        else f"country {row['country']}"
        if "GeoMatchStatement" in kinds
        else "the client's network"
    )
    return f"WAF rule '{block.name}' of web ACL '{row['webacl']}' blocked {block.request} because of its source ({what})"


def message(block: Block) -> str:
    """For the person who reported it."""
    why = "nothing in our rules lets it in" if block.row["rule_id"] == DEFAULT_ACTION else "of where it came from"
    return (
        f"Your request to {block.path or 'the site'} was stopped by our web application firewall because {why} "
        f"(we saw the address {block.row['client_ip']}); the site itself did not refuse you. Tell us whether you use a fixed address, "
        "and we will see to it."
    )


def _allowing(block: Block) -> list[dict[str, Any]]:
    return [rule for rule in (block.acl.rules if block.acl else ()) if action_of(rule) == "ALLOW"]


def evidence(view: View, block: Block) -> tuple[Evidence, ...]:
    """For a default action: each rule that allows, and why it did not allow this request; and who else was stopped so."""
    row = block.row
    if row["rule_id"] != DEFAULT_ACTION or block.acl is None:
        return ()
    known, request, cited = lookups(view), from_waf(row), (block.acl.citation,)
    found = []
    for rule in _allowing(block)[:SHOWN]:
        statement = as_map(rule.get("Statement"))
        outcome = evaluate(statement, request, known)
        word = _JUDGED[outcome.holds]
        facts = clipped("; ".join(outcome.facts), LONG)
        found.append(
            Evidence(
                f"Rule '{rule.get('Name')}' allows requests where {clipped(describe_statement(statement), LONG)}: it {word} ({facts})",
                cited,
            )
        )
    return tuple(found) or (Evidence(f"None of the {counted(len(block.acl.rules), 'rule')} of the web ACL allows anything", cited),)


def remedies(view: View, block: Block) -> tuple[Remedy, ...]:
    """Mend the IP set or the list of countries; for a default action, let the source or the path in."""
    if block.row["rule_id"] == DEFAULT_ACTION:
        return tuple(_let_in(view, block))
    return (*through_ip_sets(view, block), *_countries(view, block), *exempt_clients(view, block), *count_only(block))


def _countries(view: View, block: Block) -> list[Remedy]:
    """Take the client's country out of those that are blocked, or put it among those that are not."""
    country, found = block.row["country"], []
    # Behind CloudFront the country is that of its edge, unless the rule goes by a header.
    if country is None or block.rule is None or viewer_of(block):
        return []
    edited = dict(block.rule)
    for name, leaf, negated in leaves(block.statement):
        codes = as_list(leaf.get("CountryCodes"))
        if name != "GeoMatchStatement" or negated is (country in codes):
            continue
        changed = [*codes, country] if negated else [code for code in codes if code != country]
        verb = "Add country" if negated else "Take country"
        where = "to those that the rule spares" if negated else "out of the rule"
        text = proof(view, block, Exemption(among("country", [country])))
        commands = change_rules(block.place, [_with_countries(edited, codes, changed)]) if changed else ()
        found.append(Remedy(f"{verb} {country} {where}: all its clients then pass.", commands, text))
    return found


def _with_countries(value: Any, old: list[Any], new: list[Any]) -> Any:  # noqa: ANN401 - any part of a rule
    """A copy of a rule in which one list of countries is replaced by another."""
    if isinstance(value, dict):
        return {key: new if key == "CountryCodes" and part == old else _with_countries(part, old, new) for key, part in value.items()}
    return [_with_countries(part, old, new) for part in value] if isinstance(value, list) else value


def _let_in(view: View, block: Block) -> list[Remedy]:
    clients, pairs = clients_of(block), stopped_requests(block)
    known, request = lookups(view), from_waf(block.row)
    found = []
    for rule in _allowing(block):
        for name, leaf, negated in leaves(as_map(rule.get("Statement"))):
            if name == "IPSetReferenceStatement" and not negated and clients:
                arn = str(leaf.get("ARN"))
                added = {arn: tuple(map(single, clients))}
                if evaluate(as_map(rule.get("Statement")), request, with_addresses(known, added)).holds is False:
                    continue
                says = f"Add {', '.join(clients)} to IP set '{name_in(arn)}', whose clients rule '{rule.get('Name')}' lets in."
                text = proof(view, block, Exemption(among("client_ip", clients)))
                found.append(Remedy(says, change_addresses(place_of(arn) or UNKNOWN, add=[single(client) for client in clients]), text))
    if pairs:
        listed = ", ".join(f"{method} {path}" for method, path in pairs)
        last = max(
            (rule["Priority"] for rule in (block.acl.rules if block.acl else ()) if isinstance(rule.get("Priority"), int)), default=None
        )
        commands = change_rules(block.place, [], _allow(pairs, (last if last is not None else 0) + 1), last if last is not None else 0)
        text = proof(view, block, Exemption(these_requests(pairs), wide=True))
        found.append(Remedy(f"Add a last rule that allows {listed} for everyone; the rules before it still look at it.", commands, text))
    return found


def _allow(pairs: tuple[tuple[str, str], ...], priority: int) -> dict[str, Any]:
    metric = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "allow-known-requests"}
    return {
        "Name": "allow-known-requests",
        "Priority": priority,
        "Statement": requests_match(pairs),
        "Action": {"Allow": {}},
        "VisibilityConfig": metric,
    }


CAUSE = Cause("waf_source_blocked", "EDGE-099", "source", title, message, remedies, evidence)


def examine(view: View) -> Opinion:
    """One finding for each failure whose source the web ACL does not let in."""
    return opinion(view, CAUSE)


RULE = Rule(
    name="waf_source_blocked",
    codes=("EDGE-099",),
    needs=("waf",),
    helps=("resource_snapshot", "alb_access", "nginx_access", "app_log"),
    rivals=("web_server_refused", "application_answered", "load_balancer_answered"),
    examine=examine,
)
