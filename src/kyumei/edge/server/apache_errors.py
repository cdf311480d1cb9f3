"""Signatures of Apache httpd's error log, by its AH numbers, which are stable where the texts are not.

From the failure knowledge base, section 9 of the edge domain. A pattern is matched against number, system error and message in one text,
see ``server_errors.text_of``.
"""

from __future__ import annotations

from kyumei.edge.signature import Family, Signature

_PROXIES = "apachectl -t -D DUMP_RUN_CFG; grep -rnE '(ProxyPass|BalancerMember|SetHandler)' /etc/httpd /etc/apache2"

UPSTREAM = (
    Signature(
        "EDGE-145",
        r"AH00957|AH01114|AH02454",
        (503,),
        "Apache could not connect to the server behind it, which refused or did not answer; it then leaves that server alone for `retry` "
        "seconds",
        "Start the server or open the way to it; with one server only, set retry=0.",
        ("systemctl status <UNIT>", "ss -ltnp | grep ':{port}'", _PROXIES, "ProxyPass / http://{upstream}/ retry=0"),
        Family.UPSTREAM,
        "server",
    ),
    Signature(
        "EDGE-146",
        r"AH00898|AH01102",
        (502, 504),
        "the server behind Apache closed the connection, or kept silent, instead of answering: its worker ended, or it closed an idle "
        "connection at that moment",
        "Find what ended or held up the worker in that second; else let the server keep idle connections longer than Apache does.",
        ("journalctl -u <UNIT> --since '{from}' --until '{until}'", "ProxyPass / http://{upstream}/ disablereuse=On"),
        Family.UPSTREAM,
        "server",
        "why the server gave no answer",
    ),
    Signature(
        "EDGE-146",
        r"AH00878|AH00992",
        (500, 502, 503, 504),
        "the server behind Apache (AJP) closed the connection, or kept silent, instead of answering",
        "Find what ended or held up the server in that second; let its connectionTimeout be longer than Apache keeps idle connections.",
        ("journalctl -u tomcat --since '{from}' --until '{until}'", "ProxyPass / ajp://{upstream}/ ttl=20"),
        Family.UPSTREAM,
        "server",
        "why the server gave no answer",
    ),
    Signature(
        "EDGE-146",
        r"Timeout when reading response headers from daemon process",
        (504,),
        "the daemon process of mod_wsgi did not answer within its time-out",
        "Find what keeps its threads busy; where they hang at the first request, run the application in the main interpreter.",
        ("py-spy dump --pid <DAEMON_PID>", "WSGIApplicationGroup %{GLOBAL}", "grep -rn WSGIDaemonProcess /etc/httpd /etc/apache2"),
        Family.UPSTREAM,
        "server",
        "what the daemon process was busy with",
    ),
    Signature(
        "EDGE-146",
        r"Truncated or oversized response headers received from daemon process",
        (500,),
        "the daemon process of mod_wsgi ended without an answer, or its headers were too large",
        "Find what ended the daemon process in that second (a crash, a kill for memory).",
        ("journalctl -k --since '{from}' --until '{until}' | grep -iE 'segfault|out of memory'", "WSGIApplicationGroup %{GLOBAL}"),
        Family.UPSTREAM,
        "server",
        "why the daemon process gave no answer",
    ),
    Signature(
        "EDGE-149",
        r"AH01067",
        (500, 502, 503),
        "Apache could not read an answer of the FastCGI server",
        "Look at the FastCGI server's own log (php-fpm) of that second.",
        ("systemctl status php-fpm", "journalctl -u php-fpm --since '{from}' --until '{until}'", _PROXIES),
        Family.UPSTREAM,
        "server",
        "why the FastCGI server gave no answer",
    ),
    Signature(
        "EDGE-149",
        r"AH01075",
        (500, 503, 504),
        "the FastCGI server did not take the request or did not answer in time",
        "Find what keeps its children busy; give it more, or a longer ProxyTimeout only for that path.",
        ("systemctl status php-fpm", "grep -rn 'pm.max_children\\|request_terminate_timeout' /etc/php*", "ProxyTimeout <SECONDS>"),
        Family.UPSTREAM,
        "server",
        "what the FastCGI server was busy with",
    ),
)

STRAIN = (
    Signature(
        "EDGE-148",
        r"AH00161|server reached MaxRequestWorkers",
        (502, 503, 504),
        "all workers that Apache may have (MaxRequestWorkers) were taken, so that further requests waited in its queue",
        "Find what keeps the workers busy; then raise MaxRequestWorkers as far as memory allows.",
        ("apachectl fullstatus", "grep -rnE '(MaxRequestWorkers|ServerLimit|ThreadsPerChild)' /etc/httpd /etc/apache2"),
        Family.STRAIN,
        "apache",
        "what kept Apache's workers busy",
    ),
)

REFUSED = (
    Signature(
        "EDGE-147",
        r"AH01630|AH01797",
        (403,),
        "Apache's access rules (Require, Allow, Deny) refused the client; behind a load balancer the address they check is the balancer's",
        "If the client should pass: mend the Require of that directory, and behind a balancer check the real address (mod_remoteip).",
        (
            "grep -rnE '(Require|Allow from|Deny from|<Directory|<Location)' /etc/httpd /etc/apache2",
            "RemoteIPHeader X-Forwarded-For; RemoteIPInternalProxy <VPC CIDR>",
        ),
        layer="apache",
    ),
    Signature(
        "EDGE-149",
        r"AH01276",
        (403,),
        "the directory has no index file and listing is off: a wrong DocumentRoot, or an empty deployment",
        "Put the index file there (check the deployment artefact), or mend DocumentRoot and DirectoryIndex.",
        ("ls -la {file}", "grep -rnE '(DocumentRoot|DirectoryIndex|Options)' /etc/httpd /etc/apache2"),
        layer="apache",
    ),
    Signature(
        "EDGE-149",
        r"AH00035",
        (403,),
        "Apache's user may not enter a folder on the way to the file",
        "Let Apache's user enter every folder above the file.",
        ("namei -l {file}", "chmod o+x <each parent folder>"),
        layer="apache",
    ),
    Signature(
        "EDGE-149",
        r"AH00124",
        (500,),
        "rewriting led the request in a circle of internal redirects",
        "Break the loop: a RewriteCond that leaves the target of the rule alone.",
        ("grep -rnE '(RewriteRule|RewriteCond|ErrorDocument|FallbackResource)' /etc/httpd /etc/apache2 <DOCUMENT_ROOT>/.htaccess",),
        layer="apache",
    ),
)
