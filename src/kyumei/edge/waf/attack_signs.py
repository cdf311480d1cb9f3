"""Signs that a request is an attack or a scan, so that a right block is not called a fault.

A sign is a fact about the request, never a proof: its absence does not make a request legitimate either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from kyumei.edge.documents import as_list
from kyumei.edge.waf.inspected import from_waf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST = 4096
"""Characters of a part that are looked at; attacks that hide behind more are found by WAF, not here."""
_TEXTS = (
    (
        "SQL injection",
        r"\bunion[\s/*(]{1,20}(?:(?:all|distinct)[\s/*(]{1,20})?select\b|['\"]\s*(?:or|and)\s+['\"\d]|;\s*(?:drop|delete|insert|update)\s|\b(?:sleep|benchmark|pg_sleep)\s*\(",
    ),
    ("cross-site scripting", r"<\s*script|javascript:|\bon(?:error|load)\s*="),
    ("path traversal", r"\.\.[/\\]|/etc/passwd|win\.ini"),
    ("a command or template injection", r"\$\{jndi:|\{\{.{0,40}\}\}|[;|`]\s*(?:cat|wget|curl|id|nc|sh)\b"),
    ("a file to include from elsewhere", r"=\s*(?:https?|ftp)://[^&]{0,200}\.(?:txt|php|sh|jpg)\b"),
)
_PROBED = re.compile(
    r"wp-login|wp-admin|xmlrpc\.php|phpmyadmin|/\.(?:env|git|aws|ssh|svn|DS_Store)|/cgi-bin/|/etc/passwd|/actuator|/boaform|/vendor/phpunit|/HNAP1|/solr/|"
    r"/setup\.cgi|/owa/auth|/\.well-known/\.\.|/server-status|/shell\b|/eval-stdin",
    re.IGNORECASE,
)
_SCANNER = re.compile(
    r"nikto|sqlmap|nuclei|zgrab|masscan|nmap|wpscan|gobuster|dirbuster|feroxbuster|acunetix|nessus|openvas|httpx\b|l9explore|censys",
    re.IGNORECASE,
)
_COMPILED = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _TEXTS)


def signs(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What about one row of table ``waf`` looks like an attack or a scan.

    >>> signs({"path": "/item", "query": "id=1%20UNION%20SELECT%20null--", "user_agent": "sqlmap/1.7"})
    ('the query string holds what looks like SQL injection', 'the user agent is a scanner: sqlmap/1.7')
    """
    found = []
    for part, text in (("path", row.get("path")), ("query string", row.get("query"))):
        plain = unquote_plus((text or "")[:LONGEST])
        found += [f"the {part} holds what looks like {name}" for name, pattern in _COMPILED if pattern.search(plain)]
    for detail in from_waf(row).details:
        matched = " ".join(map(str, as_list(detail.get("matchedData"))))[:LONGEST]
        if any(pattern.search(matched) for _, pattern in _COMPILED):
            found.append(f"WAF found {detail.get('conditionType')} in {detail.get('location')}: {matched[:80]}")
    if _PROBED.search((row.get("path") or "")[:LONGEST]):
        found.append("the path is one that scanners ask every server for")
    if agent := _SCANNER.search((row.get("user_agent") or "")[:LONGEST]):
        found.append(f"the user agent is a scanner: {str(row['user_agent'])[max(0, agent.start() - 40) : agent.end() + 20]}")
    return tuple(dict.fromkeys(found))


def looks_intended(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The signs of the nearest request where most of these requests carry some; nothing otherwise."""
    marked = [row for row in rows if signs(row)]
    return signs(marked[0]) if marked and 2 * len(marked) > len(rows) and signs(rows[0]) else ()
