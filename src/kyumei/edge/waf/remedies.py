"""Ways to let a stopped request pass, the narrowest first, each with what it would have let through in the log at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.edge.literals import among
from kyumei.edge.waf.block import Block, clipped, viewer_of
from kyumei.edge.waf.commands import UNKNOWN, change_addresses, change_rules, new_ip_set
from kyumei.edge.waf.exception import all_of, counting, excepting, overriding, requests_match, shown, template
from kyumei.edge.waf.history import Exemption, proof, stopped_requests, these_requests
from kyumei.edge.waf.inspected import behind_proxy, from_waf, is_address
from kyumei.edge.waf.judge import Lookups, addresses_in, evaluate, in_ranges, lookups
from kyumei.edge.waf.statement import leaves, name_in
from kyumei.edge.waf.web_acl import Place, place_of, resources
from kyumei.model.finding import Remedy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import View

FEW = 3
"""Clients up to which an exception for their addresses is of use."""
NEW_SET = "<ARN that the command above printed>"


def remedies_for_rule(view: View, block: Block) -> tuple[Remedy, ...]:
    """For a rule whose statement is one's own: its IP set, the addresses, the paths, or counting."""
    if block.rule and block.rule.get("FirewallManager"):
        return (
            Remedy(
                f"Rule '{block.row['rule_id']}' comes from a policy of AWS Firewall Manager and cannot be changed in the web ACL: change "
                "the policy's rule group.",
                (f"aws fms list-policies --region {(block.place or UNKNOWN).region}",),
            ),
        )
    sets = through_ip_sets(view, block)
    found = [*sets, *(() if sets else exempt_clients(view, block)), *exempt_requests(view, block), *count_only(block)]
    return tuple(found)


def editable(block: Block) -> tuple[dict[str, Any] | None, Place | None]:
    """The rule to edit and the resource it stands in: one's own rule group where the rule is inside it."""
    if block.row["rule_type"] == "GROUP":
        return block.inner, place_of(block.row["rule_group"])
    return block.rule, block.place


def exempt_requests(view: View, block: Block) -> tuple[Remedy, ...]:
    """The rule, no longer looking at the method and path of the failing requests."""
    pairs = stopped_requests(block)
    if not pairs:
        return ()
    listed = ", ".join(f"{method} {clipped(path, 80)}" for method, path in pairs)
    return (
        Remedy(
            f"Let rule '{block.name}' pass over {listed}, for everyone: the rule as it is, AND NOT this method with this path.",
            _edit(block, requests_match(pairs)),
            proof(view, block, Exemption(these_requests(pairs), wide=True)),
        ),
    )


def exempt_clients(view: View, block: Block) -> tuple[Remedy, ...]:
    """The rule, no longer looking at the failing requests where they come from the addresses seen."""
    pairs, clients = stopped_requests(block), clients_of(block)
    version = {":" in client for client in clients}
    if not pairs or not clients or len(clients) > FEW or len(version) != 1:
        return ()
    place = block.place
    command = new_ip_set(place, "passed-by-" + _word(block.name), [single(client) for client in clients])
    exempt = all_of([{"IPSetReferenceStatement": {"ARN": NEW_SET}}, requests_match(pairs)])
    where = f"{these_requests(pairs)} AND {among('client_ip', clients)}"
    return (
        Remedy(
            f"Let rule '{block.name}' pass over the same requests from {', '.join(clients)} only, if these addresses are the client's "
            "for good.",
            (command, *_edit(block, exempt)),
            proof(view, block, Exemption(where)),
        ),
    )


def _edit(block: Block, exempt: dict[str, Any]) -> tuple[str, ...]:
    rule, place = editable(block)
    if rule is None:
        return (
            f"# rule {block.name}, to be filled from get-web-acl:\n{shown(template(block.name, exempt))}",
            *change_rules(place, ["<the edited rule>"]),
        )
    return change_rules(place, [excepting(rule, exempt)])


def count_only(block: Block) -> tuple[Remedy, ...]:
    """The rule, only counting, to see what it would stop before it stops anything."""
    says = f"To see first what rule '{block.name}' would stop, let it only count for a while; meanwhile it protects nothing."
    rule, place = editable(block)
    if rule is None and block.rule is not None and block.row["rule_in_group"]:
        rule, place = overriding(block.rule, str(block.row["rule_in_group"])), block.place
    elif rule is not None:
        rule = counting(rule)
    if rule is None:
        return (
            Remedy(
                f'{says} In the rule as get-web-acl prints it, set Action to {{"Count": {{}}}}.', change_rules(place, ["<the edited rule>"])
            ),
        )
    return (
        Remedy(says, change_rules(place, [rule]), "Every request that this rule stopped would have gone on to the rules that come later."),
    )


def clients_of(block: Block) -> tuple[str, ...]:
    """The clients of the failing requests, the nearest first; none where they are CloudFront's or a proxy's, which many share."""
    if viewer_of(block) or behind_proxy(from_waf(block.row)):
        return ()
    return tuple(dict.fromkeys(str(row["client_ip"]) for row in block.failure.rows if is_address(str(row["client_ip"]))))


def single(address: str) -> str:
    """The range that holds one address."""
    return f"{address}/{128 if ':' in address else 32}"


def _word(text: str) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in text)[:100]


def through_ip_sets(view: View, block: Block) -> tuple[Remedy, ...]:
    """Changes to an IP set of the rule's statement that make it no longer match, found by judging the statement with the changed set."""
    known, request = lookups(view), from_waf(block.row)
    found: list[Remedy] = []
    for name, leaf, negated in leaves(block.statement):
        arn, place = str(leaf.get("ARN")), place_of(str(leaf.get("ARN")))
        if name != "IPSetReferenceStatement" or place is None:
            continue
        ranges = known.addresses(arn)
        seen = [address for address in addresses_in(leaf, "IPSetForwardedIPConfig", request) or () if is_address(address)]
        if not seen:
            continue
        inside = in_ranges(seen[0], ranges) if ranges is not None else None
        changed = (*(ranges or ()), single(seen[0])) if negated else tuple(one for one in ranges or () if one != inside)
        judged = evaluate(block.statement, request, with_addresses(known, {arn: changed}))
        if judged.holds is True or (negated and inside) or (not negated and ranges is not None and not inside):
            continue
        found += _admit(view, block, leaf, seen) if negated else _release(view, block, leaf, (seen[0], inside))
    return tuple(found)


def with_addresses(known: Lookups, sets: Mapping[str, tuple[str, ...]]) -> Lookups:
    """The lookups with other addresses in these IP sets, to judge what a change would do."""
    return known._replace(addresses=lambda arn: sets[arn] if arn in sets else known.addresses(arn))


def _admit(view: View, block: Block, leaf: Mapping[str, Any], seen: Sequence[str]) -> list[Remedy]:
    """Add the address to a set of those who may."""
    arn = str(leaf.get("ARN"))
    place = place_of(arn) or UNKNOWN
    name, forwarded = name_in(arn), "IPSetForwardedIPConfig" in leaf
    clients = [seen[0]] if forwarded else list(clients_of(block))[:FEW]
    if not clients:
        says = (
            f"Let the rule look for the viewer's own address in IP set '{name}': in the web ACL of the distribution, or by X-Forwarded-For "
            f"(IPSetForwardedIPConfig). {seen[0]} is CloudFront's or another proxy's, and in the set it would let in whoever comes through "
            "that."
        )
        return [Remedy(says, change_rules(block.place, ["<the edited rule>"]))]
    version = next((found.get("IPAddressVersion") for found, _ in resources(view, "get-ip-set", "IPSet") if found.get("ARN") == arn), None)
    fitting = [client for client in clients if version is None or (":" in client) == (version == "IPV6")]
    if not fitting:
        says = (
            f"Add {', '.join(clients)} to those who may: IP set '{name}' holds {version} only, so make a second set and name it in the "
            "rule beside the first."
        )
        return [Remedy(says, (new_ip_set(block.place, _word(name) + "-other", [single(client) for client in clients]),))]
    text = "" if forwarded else proof(view, block, Exemption(among("client_ip", fitting)))
    says = (
        f"If the client belongs to those whom IP set '{name}' lists, add its address there ({', '.join(map(single, fitting))}); the rule "
        "stays as it is."
    )
    return [Remedy(says, change_addresses(place, add=[single(client) for client in fitting]), text)]


def _release(view: View, block: Block, leaf: Mapping[str, Any], held: tuple[str, str | None]) -> list[Remedy]:
    """Take the entry that holds the address out of a set of those who may not."""
    arn, (address, entry) = str(leaf.get("ARN")), held
    place, name = place_of(arn) or UNKNOWN, name_in(arn)
    if entry is None:
        says = f"Look which entry of IP set '{name}' holds {address}, and take it out if it should not be there."
        return [Remedy(says, change_addresses(place, remove=["<the entry>"]))]
    rows = view.rows(
        "SELECT DISTINCT client_ip FROM waf WHERE rule_id IS NOT DISTINCT FROM ? AND client_ip IS NOT NULL", block.row["rule_id"]
    )
    freed = [str(row["client_ip"]) for row in rows if in_ranges(str(row["client_ip"]), (entry,))]
    wide = "" if entry in {address, single(address)} else f" The entry holds more than this address: all of {entry} would pass."
    text = "" if "IPSetForwardedIPConfig" in leaf else proof(view, block, Exemption(among("client_ip", freed)))
    return [Remedy(f"Take the entry {entry} out of IP set '{name}'.{wide}", change_addresses(place, remove=[entry]), text)]
