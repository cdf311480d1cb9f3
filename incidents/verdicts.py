"""What WAF decides: on requests that pass, on scanners, and on the one that is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incidents.request import Decision

if TYPE_CHECKING:
    from random import Random

    from incidents.plan import Fate
    from incidents.site import Site

CORE, REPUTATION = "AWSManagedRulesCommonRuleSet", "AWSManagedRulesAmazonIpReputationList"
BAD_INPUTS, SQLI = "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesSQLiRuleSet"
GROUPS = (REPUTATION, CORE, BAD_INPUTS, SQLI)
"""The managed rule groups of the web ACL, in order of priority."""

LABELS = {CORE: "core-rule-set", REPUTATION: "amazon-ip-list", BAD_INPUTS: "known-bad-inputs", SQLI: "sql-database"}
LABEL_NAMES = {
    "SizeRestrictions_BODY": "SizeRestrictions_Body",
    "CrossSiteScripting_BODY": "CrossSiteScripting_Body",
    "NoUserAgent_HEADER": "NoUserAgent_Header",
    "UserAgent_BadBots_HEADER": "BadBots_Header",
    "GenericLFI_QUERYARGUMENTS": "GenericLFI_QueryArguments",
    "GenericRFI_QUERYARGUMENTS": "GenericRFI_QueryArguments",
    "ExploitablePaths_URIPATH": "ExploitablePaths_URIPath",
    "SQLi_QUERYARGUMENTS": "SQLi_QueryArguments",
}
ALLOWING = "allow-public-paths"
"""The rule that lets people in where the default is to block."""

WHOLE_CLIENT = frozenset({"ip_set", "geo"})
"""Fates that befall every request of the client, not only the reported path."""


def rule_of_group(group: str) -> str:
    """The name under which the console puts a managed rule group into a web ACL."""
    return f"AWS-{group}"


def label(group: str, inner: str) -> str:
    """The label that a managed rule puts on a request."""
    return f"awswaf:managed:aws:{LABELS[group]}:{LABEL_NAMES[inner]}"


def passing(site: Site) -> Decision:
    """The decision on a request that nothing matches."""
    return Decision(rule=ALLOWING) if site.fate == "default_action" else Decision()


def counted(site: Site) -> Decision:
    """The request passes; a rule of the web ACL counted it."""
    default = passing(site)
    return Decision(rule=default.rule, counted=(site.counting,), labels=(f"awswaf:123456789012:webacl:{site.web_acl}:{site.counting}",))


def counted_inside(site: Site) -> Decision:
    """The request passes; a managed rule, whose action is overridden to count, matched it."""
    return Decision(rule=passing(site).rule, counted_inner=((CORE, "NoUserAgent_HEADER"),), labels=(label(CORE, "NoUserAgent_HEADER"),))


def managed(group: str, inner: str, matched: tuple[str, ...] = ()) -> Decision:
    """Blocked by a rule of a managed group."""
    return Decision(
        "BLOCK", rule_of_group(group), "MANAGED_RULE_GROUP", group=group, inner=inner, labels=(label(group, inner),), matched=matched
    )


def scanner(chance: Random) -> tuple[str, str, Decision | None]:
    """What a scanner tries: path, query, and the decision (None: it passes, and the application does not know the path)."""
    tries: tuple[tuple[str, str, Decision | None], ...] = (
        ("/wp-login.php", "", managed(CORE, "UserAgent_BadBots_HEADER")),
        ("/xmlrpc.php", "", managed(CORE, "UserAgent_BadBots_HEADER")),
        ("/index.php", "page=../../../../etc/passwd", managed(CORE, "GenericLFI_QUERYARGUMENTS")),
        ("/index.php", "url=http://192.0.2.250/x.txt", managed(CORE, "GenericRFI_QUERYARGUMENTS")),
        ("/.git/config", "", managed(BAD_INPUTS, "ExploitablePaths_URIPATH")),
        ("/item", "id=1%20UNION%20SELECT%20null,version()--", managed(SQLI, "SQLi_QUERYARGUMENTS")),
        ("/phpmyadmin/", "", None),
        ("/backup.zip", "", None),
        ("/server-status", "", None),
    )
    return chance.choice(tries)


def on_reported(site: Site) -> Decision:
    """The decision on the reported request; it passes where another component is the cause."""
    decisions: dict[Fate, Decision] = {
        "custom_rule": Decision("BLOCK", site.guilty),
        "managed_size": managed(CORE, "SizeRestrictions_BODY"),
        "managed_xss": managed(CORE, "CrossSiteScripting_BODY", ("<", "script")),
        "rate": Decision("BLOCK", site.guilty, "RATE_BASED"),
        "ip_set": Decision("BLOCK", site.guilty),
        "geo": Decision("BLOCK", site.guilty),
        "default_action": Decision("BLOCK"),
        "captcha": Decision("CAPTCHA", site.guilty, response=405, failure="TOKEN_MISSING"),
        "challenge": Decision("CHALLENGE", site.guilty, response=202, failure="TOKEN_MISSING"),
        "custom_response": Decision("BLOCK", site.guilty, response=site.status),
        "oversize": Decision("BLOCK", site.guilty, oversize=("REQUEST_BODY",)),
        "app_counted": counted(site),
    }
    return decisions.get(site.fate, passing(site))
