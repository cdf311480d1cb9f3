"""Who asks: browsers, and the scanners and crawlers that ask every server in the internet for the same things.

Programs that people write stand here, too, among those that are no person; what is an attack is told in ``attack_signs``, more narrowly.
"""

from __future__ import annotations

import re

BROWSER = re.compile(r"^Mozilla/5\.0 \((?!compatible)(?!.*(?:bot|crawl|spider|scan|headless))", re.IGNORECASE)
SCANNER = re.compile(
    r"bot\b|crawl|spider|scan|nikto|sqlmap|nuclei|zgrab|masscan|nmap|wpscan|gobuster|dirbuster|feroxbuster|acunetix|nessus|python-requests|"
    r"Go-http-client|libwww-perl|curl/|Wget/|^-?$",
    re.IGNORECASE,
)
PROBED = re.compile(
    r"wp-login|wp-admin|xmlrpc\.php|phpmyadmin|/\.env|/\.git|/cgi-bin/|/etc/passwd|\.\./|/actuator|/boaform|/vendor/phpunit|\.php$|/HNAP1",
    re.IGNORECASE,
)
"""Paths that the internet asks every server for."""

NOISE = (
    f"(regexp_matches(coalesce(user_agent, ''), '{SCANNER.pattern}', 'i') OR regexp_matches(coalesce(path, ''), '{PROBED.pattern}', 'i'))"
)
"""SQL: whether a request is one of theirs. They are refused all day, and that is no failure."""
