"""WAF asked for a CAPTCHA or a silent challenge, and the client did not answer it (EDGE-084).

The answer is a 405 with a puzzle page, or a 202 with a script, which only a browser can work off; a program, a telephone's application or
a call by script in the background cannot. ``failureReason`` says what was wrong with the token. A record that was solved has no failure
reason and went on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.documents import as_map
from kyumei.edge.literals import same
from kyumei.edge.waf.commands import accept_tokens_of, change_rules
from kyumei.edge.waf.exception import excepting, overriding, requests_match
from kyumei.edge.waf.finding import Cause, opinion
from kyumei.edge.waf.history import Exemption, proof, stopped_requests, these_requests
from kyumei.edge.waf.inspected import from_waf, header
from kyumei.edge.waf.remedies import count_only, editable, exempt_requests
from kyumei.edge.waf.sql import stopped_by
from kyumei.model.finding import Evidence, Remedy

if TYPE_CHECKING:
    from kyumei.edge.waf.block import Block

REASONS = {
    "TOKEN_MISSING": "the request carried no token: the client is no browser, or does not send the cookie aws-waf-token with this call",
    "TOKEN_EXPIRED": "the token was too old: it was good for the immunity time only",
    "TOKEN_INVALID": "the token was no valid one",
    "TOKEN_DOMAIN_MISMATCH": "the token was made for another domain than the request's host",
}
IMMUNITY_SECONDS = 3600
"""An immunity time to set where tokens run out; AWS's own is 300."""


def reason(block: Block) -> str:
    """What was wrong with the token; empty when the record does not say."""
    return str(block.row["captcha_failure"] or block.row["challenge_failure"] or "")


def title(block: Block) -> str:
    """What happened, in one sentence."""
    what = "a CAPTCHA" if block.row["action"] == "CAPTCHA" else "a challenge"
    why = f" ({reason(block)})" if reason(block) else ""
    return (
        f"WAF rule '{block.name}' of web ACL '{block.row['webacl']}' answered {block.request} with {what} that the client did not "
        f"solve{why}"
    )


def message(block: Block) -> str:
    """For the person who reported it."""
    puzzle = "a puzzle to solve" if block.row["action"] == "CAPTCHA" else "a check that a browser does by itself"
    return (
        f"Instead of {block.path or 'the page'} our web application firewall sent {puzzle}, which your program cannot do or did "
        "not finish; the site itself did "
        "not refuse you. In a browser, loading the page again helps. We are looking at how to take this check off calls that no person "
        "makes."
    )


def evidence(view: View, block: Block) -> tuple[Evidence, ...]:
    """What was wrong with the token, and whether the client is one that can solve a puzzle at all."""
    row = block.row
    told = reason(block)
    found = [Evidence(f"{told or 'No failure reason is recorded'}: {REASONS.get(told, 'nobody solved it')}", view.cite([row]))]
    accept = header(from_waf(row), "accept")
    if accept is not None and not any("text/html" in value for value in accept):
        found.append(
            Evidence(
                f"The client does not ask for a page (Accept: {', '.join(accept) or 'none'}): it cannot show one to a person",
                view.cite([row]),
            )
        )
    sql = (
        f"SELECT count(*) AS n FROM waf WHERE {same('webacl_arn', row['webacl_arn'])} AND {same('path', row['path'])} AND action = 'ALLOW' "
        "AND (captcha IS NOT NULL OR challenge IS NOT NULL) AND captcha_failure IS NULL AND challenge_failure IS NULL"
    )
    solved = view.rows(sql)[0]["n"]
    asked = view.rows(f"SELECT count(*) AS n FROM waf WHERE {stopped_by(row)} AND {same('path', row['path'])}")[0]["n"]
    found.append(Evidence(f"For this path the log has {asked} unanswered and {solved} solved ones", sql=sql, total=solved))
    return tuple(found)


def remedies(view: View, block: Block) -> tuple[Remedy, ...]:
    """Ask only where a browser asks for a page; let tokens live longer; accept tokens of the site's other domains."""
    found = list(_spare(view, block))
    rule, place = editable(block)
    told = reason(block)
    if told == "TOKEN_EXPIRED":
        key = "CaptchaConfig" if block.row["action"] == "CAPTCHA" else "ChallengeConfig"
        config = {key: {"ImmunityTimeProperty": {"ImmunityTime": IMMUNITY_SECONDS}}}
        edited = [{**rule, **config}] if rule else [f"<the rule with {key}>"]
        found.insert(0, Remedy(f"Let a token be good for {IMMUNITY_SECONDS} s ({key} of the rule).", change_rules(place, edited)))
    if told == "TOKEN_DOMAIN_MISMATCH":
        host = block.row["host"] or "<HOST>"
        found.insert(0, Remedy(f"Accept tokens made for {host} (TokenDomains of the web ACL).", accept_tokens_of(block.place, host)))
    if told == "TOKEN_MISSING":
        says = (
            "In one's own pages, make such calls through the integration script's AwsWafIntegration.fetch, or the mobile SDK, which add "
            "the token."
        )
        found.append(Remedy(says))
    return (*found, *count_only(block))


def _spare(view: View, block: Block) -> tuple[Remedy, ...]:
    """The rule or, in a managed group, all of the group, no longer asking for these requests."""
    if block.row["rule_type"] != "MANAGED_RULE_GROUP":
        return exempt_requests(view, block)
    pairs = stopped_requests(block)
    if not pairs or block.rule is None:
        return ()
    listed = ", ".join(f"{method} {path}" for method, path in pairs)
    text = proof(view, block, Exemption(these_requests(pairs), wide=True))
    spared = Remedy(
        f"Let the managed group pass over {listed} (ScopeDownStatement).",
        change_rules(block.place, [excepting(block.rule, requests_match(pairs))]),
        text,
    )
    inner = block.row["rule_in_group"]
    if not inner or not as_map(block.rule.get("Statement")):
        return (spared,)
    return (spared, Remedy(f"Set rule '{inner}' of the group to Count.", change_rules(block.place, [overriding(block.rule, str(inner))])))


CAUSE = Cause("waf_challenge_unanswered", "EDGE-084", "challenge", title, message, remedies, evidence)


def examine(view: View) -> Opinion:
    """One finding for each failure that was a puzzle."""
    return opinion(view, CAUSE)


RULE = Rule(
    name="waf_challenge_unanswered",
    codes=("EDGE-084",),
    needs=("waf",),
    helps=("resource_snapshot", "alb_access", "nginx_access", "app_log"),
    rivals=("web_server_refused", "application_answered", "load_balancer_answered"),
    examine=examine,
)
