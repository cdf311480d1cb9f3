r"""Which web server wrote an access line: nginx's and Apache's common and combined lines are the same, but for small things.

The names in the path of a file tell first, the one nearest to the file before the others. Then the line itself: Apache writes ``-`` for
a response without a body where nginx writes 0, puts ``name:port`` in front (``vhost_combined``), escapes a quote as ``\"`` and a byte in
small hexadecimal digits where nginx writes ``\x22`` and capitals, and calls itself when it wakes its own workers. A line with none of these
could be either's; it counts as nginx's.
"""

from __future__ import annotations

import re

from kyumei.layouts.gateway_fields import is_gateway_line

_APPLICATIONS = re.compile("gunicorn|uvicorn|uwsgi|werkzeug|hypercorn", re.IGNORECASE)
# Apache Tomcat is called so by its own archive, and is no httpd.
_NAMES = re.compile("nginx|openresty|lighttpd|apache(?![-_ ]?tom(?:cat|ee))|httpd", re.IGNORECASE)
_WRITERS = {"nginx": "nginx", "openresty": "nginx", "apache": "apache", "httpd": "apache"}
_JAVA = re.compile(r"tomcat|catalina|jetty|undertow|wildfly|jboss|localhost_access_log", re.IGNORECASE)
# access_log, ssl_access_log, shop.example.com-access_log.1, other_vhosts_access.log: names that Apache's own configurations give.
_APACHE_FILE = re.compile(r"(?:^|[^A-Za-z])access_log(?![A-Za-z])|other_vhosts_access", re.ASCII)

_VHOST = re.compile(r"[A-Za-z0-9_.*-]+:[0-9]{1,5} [^ ]+ [^ ]+ [^ ]+ \[", re.ASCII)
_NO_SIZE = re.compile(r'[^\[]{0,2000}\[[^\]\["]{20,40}\] "(?:[^"\\]++|\\.)*+" (?:[0-9]{3}|-) -(?: |\Z)', re.ASCII | re.DOTALL)
_ESCAPED = re.compile(r"\\(?!x[0-9A-F]{2}|x?[0-9A-F]?\Z)", re.ASCII)
_BOTH_TIMES = re.compile(r'" \*{0,2}[0-9]{1,7}/[0-9]{1,13}\*{0,2}\Z', re.ASCII)
_OWN_CALL = "(internal dummy connection)"


def web_server(text: str, name: str) -> str:
    """``nginx`` or ``apache`` for an access line in the file or of the program called ``name``; empty for what neither of them wrote."""
    if _APPLICATIONS.search(name) or is_gateway_line(text):
        return ""
    named = _NAMES.findall(name)
    if named:
        return _WRITERS.get(named[-1].lower(), "")
    if _JAVA.search(name):
        return "nginx"
    if _APACHE_FILE.search(name) or _VHOST.match(text) or _OWN_CALL in text or _NO_SIZE.match(text) or _BOTH_TIMES.search(text):
        return "apache"
    return "apache" if _ESCAPED.search(text) else "nginx"
