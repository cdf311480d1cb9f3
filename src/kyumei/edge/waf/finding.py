"""From a block to what kyumei answers: the finding, what it rules out, and what is missing to say more."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from kyumei.contracts import Opinion
from kyumei.edge.documents import as_map
from kyumei.edge.waf.attack_signs import looks_intended
from kyumei.edge.waf.block import Block, blocks, certainty
from kyumei.edge.waf.changes import changed_firewall
from kyumei.edge.waf.commands import UNKNOWN, repeat_request
from kyumei.edge.waf.evidence import TITLES, chain, counted_rules
from kyumei.edge.waf.history import onset
from kyumei.edge.waf.web_acl import DEFAULT_ACTION
from kyumei.model.finding import Certainty, Check, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from kyumei.contracts import View
    from kyumei.edge.waf.web_acl import Kind
    from kyumei.model.finding import Evidence

RIVALS = {"nginx": "EDGE-137", "apache": "EDGE-147", "server": "EDGE-001", "app": "EDGE-001"}
"""The id under which each hop further in is ruled out as the one that answered."""


class Cause(NamedTuple):
    """What one rule of the family adds to what all share: its words, its remedies, and evidence that only it can give."""

    rule: str
    code: str
    kind: Kind
    title: Callable[[Block], str]
    message: Callable[[Block], str]
    remedies: Callable[[View, Block], tuple[Remedy, ...]]
    evidence: Callable[[View, Block], tuple[Evidence, ...]] = lambda _view, _block: ()
    certainty: Callable[[View, Block, Certainty], Certainty] = lambda _view, _block, found: found
    """Lets a rule lower the certainty where its own evidence speaks against it."""


def opinion(view: View, cause: Cause) -> Opinion:
    """One finding for each failure of the cause's kind, in the order of the failures."""
    found = blocks(view, cause.kind)
    gaps = [gap for block in found for gap in _gaps(block)]
    return Opinion(
        tuple(_finding(view, cause, block) for block in found),
        tuple(rival for block in found for rival in _ruled_out(view, block)),
        tuple(dict.fromkeys(gaps)),
    )


def _finding(view: View, cause: Cause, block: Block) -> Finding:
    marks = looks_intended(block.failure.rows)
    remedies = cause.remedies(view, block) or (_read_the_rule(block),)
    if marks:
        untouched = Remedy(f"No change: the block looks intended ({'; '.join(marks)}).")
        remedies = (untouched, *(replace(one, says=f"Only if the request is legitimate after all: {one.says}") for one in remedies))
    return Finding(
        code=cause.code,
        rule=cause.rule,
        title=cause.title(block),
        certainty=cause.certainty(view, block, certainty(view, block)),
        chain=(*chain(view, block), *cause.evidence(view, block), *changed_firewall(view, block)),
        subject=_subject(block),
        remedy=remedies,
        check=_checks(block),
        onset=onset(view, block),
        explains=block.failure.total,
        message=_intended(block) if marks else cause.message(block),
    )


def _read_the_rule(block: Block) -> Remedy:
    """What is left where the record tells too little for a change: a redacted path, an address that is none."""
    place = block.place or UNKNOWN
    command = (
        f"aws wafv2 get-web-acl --scope {place.scope} --region {place.region} --name {shlex.quote(place.name)} --id {shlex.quote(place.id)}"
    )
    return Remedy(
        f"The record does not tell enough for an exception: read rule '{block.name}' and decide what it should pass over.", (command,)
    )


def _subject(block: Block) -> dict[str, str]:
    row = block.row
    told = {
        "web_acl": row["webacl"],
        "web_acl_arn": row["webacl_arn"],
        "rule_id": row["rule_id"],
        "rule_type": row["rule_type"],
        "rule_group": row["rule_group"],
        "rule_in_group": row["rule_in_group"],
        "action": row["action"],
        "response_status": row["response_status"],
        "method": row["method"],
        "path": block.path or row["path"],
        "client_ip": row["client_ip"],
    }
    return {name: str(value) for name, value in told.items() if value is not None}


def _intended(block: Block) -> str:
    return (
        f"The request to {block.path or 'the site'} was stopped by our web application firewall, and as far as the log shows "
        "rightly so: it looks like "
        "an attack or a scan. If you made it for a good reason, tell us what you were doing and we will look at it again."
    )


def _checks(block: Block) -> tuple[Check, ...]:
    row, place = {**block.row, "path": block.path}, block.place or UNKNOWN
    status = row["response_status"] or {"CAPTCHA": 405, "CHALLENGE": 202}.get(row["action"], 403)
    symptom = f"{status} on {row['method'] or 'GET'} {row['path'] or '/'} at <TIME OF THE NEW TRY>"
    checks = [
        Check("The same request, made again from the same client, no longer gets WAF's status.", repeat_request(row, row["host"])),
        Check(
            "Its new row in the WAF log has action ALLOW, and kyumei, given the new logs, finds no such failure any more.",
            f"kyumei investigate <FOLDER WITH THE NEW LOGS> --symptom {shlex.quote(symptom)}",
        ),
    ]
    if row["source_name"] == "ALB":
        checks.append(Check("The load balancer's row for it shows actions waf,forward and a target status."))
    if row["rule_id"] != DEFAULT_ACTION:
        metric = as_map((block.rule or {}).get("VisibilityConfig")).get("MetricName") or row["rule_id"]
        checks.append(
            Check(
                "The rule still stops what it should: its BlockedRequests metric falls and does not become zero.",
                f"aws wafv2 get-sampled-requests --scope {place.scope} --region {place.region} --web-acl-arn "
                f"{shlex.quote(row['webacl_arn'])} "
                f"--rule-metric-name {shlex.quote(str(metric))} "
                "--time-window StartTime=<START>,EndTime=<END> --max-items 100",
            )
        )
    return tuple(checks)


def _ruled_out(view: View, block: Block) -> list[RuledOut]:
    failure = block.failure
    found = [
        RuledOut(RIVALS[hop], f"{TITLES[hop]} did not answer: its log covers the moment and does not have the request")
        for hop in failure.silent
        if hop in RIVALS
    ]
    for name in counted_rules(failure.rows)[:5]:
        rows = [row for row in failure.rows if name in (row["counted_rules"] or ())]
        found.append(RuledOut("EDGE-022", f"WAF rule '{name}' matched the failing request and only counted", view.cite(rows, 1)))
    return found


def _gaps(block: Block) -> list[Gap]:
    """What would tell more, of which the case holds nothing."""
    place, row = block.place or UNKNOWN, block.row
    options = f"--scope {place.scope} --region {place.region}"
    if block.acl is None:
        how = f"aws wafv2 get-web-acl {options} --name {place.name} --id {place.id} > aws/wafv2/get-web-acl.json"
        return [
            Gap(
                f"configuration of web ACL '{row['webacl']}'",
                f"which part of rule '{block.name}' matched, and the exact JSON of the change",
                how,
            )
        ]
    untold = " ".join(block.outcome.facts) if block.outcome and block.outcome.holds is None else ""
    if "get-ip-set" in untold:
        how = (
            f"aws wafv2 get-ip-set {options} --name <NAME> --id <ID> > aws/wafv2/get-ip-set.json (both stand in the ARN that the rule "
            "gives)"
        )
        return [Gap("addresses of the IP set that the rule refers to", "whether the client's address is in it", how)]
    if row["rule_type"] == "GROUP" and block.inner is None:
        how = f"aws wafv2 get-rule-group {options} --arn {row['rule_group']} > aws/wafv2/get-rule-group.json"
        return [Gap(f"configuration of the rule group of rule '{block.name}'", "which part of the rule matched", how)]
    return []
