"""The commands that put a change into effect: read with get, edit, write with update and the LockToken that get gave.

An update replaces the whole resource: whatever is not sent is lost. So every edit starts from what ``get`` printed and sends all of it
back. ``jq`` is the only tool besides the AWS CLI.

Follows "UpdateWebACL", "UpdateRuleGroup" and "UpdateIPSet" of the AWS WAFV2 API Reference.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from kyumei.edge.probe import url_of
from kyumei.edge.waf.exception import shown
from kyumei.edge.waf.web_acl import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ACL_MEMBERS = (
    "Name",
    "Id",
    "DefaultAction",
    "Description",
    "Rules",
    "VisibilityConfig",
    "DataProtectionConfig",
    "CustomResponseBodies",
    "CaptchaConfig",
    "ChallengeConfig",
    "TokenDomains",
    "AssociationConfig",
    "OnSourceDDoSProtectionConfig",
    "ApplicationConfig",
)
_KEPT = {
    "webacl": ("WebACL", _ACL_MEMBERS),
    "rulegroup": ("RuleGroup", ("Name", "Id", "Description", "Rules", "VisibilityConfig", "CustomResponseBodies")),
}
"""For each sort of resource the member of the answer that holds it, and what an update takes of it."""
_COMMAND = {"webacl": "web-acl", "rulegroup": "rule-group"}
UNKNOWN = Place("<REGIONAL or CLOUDFRONT>", "<REGION>", "webacl", "<NAME>", "<ID>")
"""Where the log does not tell the place."""


def change_rules(place: Place | None, rules: Sequence[object], new: object = None, after: int | None = None) -> tuple[str, ...]:
    """Commands that put edited rules in the place of those of the same name, and a new one behind priority ``after``, moving later ones."""
    edit = ".Rules |= map(. as $old | ([$edited[0][] | select(.Name == $old.Name)] | first) // $old)"
    arguments, files = "--slurpfile edited edited.json", [_file("edited.json", list(rules))]
    if new is not None and after is not None:
        files.append(_file("new.json", new))
        arguments += " --slurpfile new new.json"
        edit += f" | .Rules |= (map(if .Priority > {after} then .Priority += 1 else . end) + [$new[0]])"
    return _update(place, files, arguments, edit)


def accept_tokens_of(place: Place | None, domain: str) -> tuple[str, ...]:
    """Commands that let a web ACL accept tokens of one more domain."""
    return _update(place, [], "--arg domain " + shlex.quote(domain), ".TokenDomains = ((.TokenDomains // []) + [$domain] | unique)")


def _file(name: str, document: object) -> str:
    return f"cat > {name} <<'EOF'\n{shown(document)}\nEOF"


def _update(place: Place | None, files: Sequence[str], arguments: str, edit: str) -> tuple[str, ...]:
    """Read the resource, edit it by jq, and write all of it back."""
    place = place or UNKNOWN
    member, kept = _KEPT.get(place.sort, _KEPT["webacl"])
    verb = _COMMAND.get(place.sort, "web-acl")
    commands = [f"aws wafv2 get-{verb} {_options(place)} > now.json", *files]
    listed = ", ".join(json.dumps(name) for name in kept)
    program = (
        f".LockToken as $token | .{member} | {edit} | with_entries(select(.key | IN({listed}))) + {{Scope: {json.dumps(place.scope)}, "
        f"LockToken: $token}}"
    )
    commands.append(f"jq {arguments} {shlex.quote(program)} now.json > update.json")
    commands.append(f"aws wafv2 update-{verb} --region {shlex.quote(place.region)} --cli-input-json file://update.json")
    return tuple(commands)


def change_addresses(place: Place, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> tuple[str, ...]:
    """Commands that add ranges to an IP set, or take them out."""
    more, less = (f" {sign} {json.dumps(list(ranges))}" if ranges else "" for sign, ranges in (("+", add), ("-", remove)))
    edit = f"(.IPSet.Addresses{more}{less}) | unique"
    return (
        f"aws wafv2 get-ip-set {_options(place)} > ip-set.json",
        f"jq {shlex.quote(edit)} ip-set.json > addresses.json",
        f'aws wafv2 update-ip-set {_options(place)} --lock-token "$(jq -r .LockToken ip-set.json)" --addresses file://addresses.json',
    )


def _options(place: Place) -> str:
    named = (("scope", place.scope), ("region", place.region), ("name", place.name), ("id", place.id))
    return " ".join(f"--{option} {shlex.quote(value)}" for option, value in named)


def new_ip_set(place: Place | None, name: str, addresses: Sequence[str]) -> str:
    """The command that makes an IP set of these ranges, all of one version, in the web ACL's scope and Region; it prints the set's ARN."""
    place = place or UNKNOWN
    version = "IPV6" if any(":" in address for address in addresses) else "IPV4"
    where = f"--scope {shlex.quote(place.scope)} --region {shlex.quote(place.region)}"
    return (
        f"aws wafv2 create-ip-set {where} --name {name} --ip-address-version {version} --addresses {' '.join(addresses)} --query "
        "Summary.ARN"
    )


def repeat_request(row: Mapping[str, object], host: str | None) -> str:
    """The command that makes the same request again and prints the status; the body and the headers of the first are not repeated."""
    query = f"?{row['query']}" if row.get("query") else ""
    url = url_of(row, host) + query
    return f"curl -sS -o /dev/null -w '%{{http_code}}\\n' -X {shlex.quote(str(row.get('method') or 'GET'))} {shlex.quote(url)}"
