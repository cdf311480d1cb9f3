"""Troubles of nginx, Apache, gunicorn and the application."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from incidents.edge.fault import WITH_NGINX, Ask, Fault, LineChanges, Log, Said
from incidents.edge.faults import (
    LARGE,
    RESET,
    apache,
    dead_worker,
    nginx,
    out_of_memory,
    worker_timeout,
)

NGINX: tuple[Log, ...] = ("nginx", "nginx_error")
APP: tuple[Log, ...] = ("gunicorn", "gunicorn_access", "application", "syslog")
NGINX_SITES = WITH_NGINX
APACHE_SITES = ("alb-apache", "apache")
TO_UPSTREAM = {"nginx": {"upstream_status": "502", "upstream": "yes"}}
TO_UPSTREAM_504 = {"nginx": {"upstream_status": "504", "upstream": "yes"}}
GET = Ask(methods=("GET",))
FILES = Ask(methods=("GET",), tails=("/files/price-list.pdf", "/media/catalogue.pdf", "/downloads/terms.pdf", "/images/banner.png"))
FOLDERS = Ask(methods=("GET",), tails=("/files/", "/manual/", "/downloads/", "/docs/"))
DOWN = (
    Said(
        "syslog", "{app}.service: Main process exited, code=killed, status=15/TERM", level="systemd[1]", once=True, after=-31, shows=False
    ),
    Said("gunicorn", "Shutting down: Master", level="info", once=True, after=-32, shows=False),
)
TO_OTHERS = ("EDGE-128", "EDGE-129", "EDGE-154")


def upstream(status: int, code: str, text: str, level: str = "error", **changes: Unpack[LineChanges]) -> Fault:
    """Nginx cannot use the server behind it."""
    fault = nginx(status, code, said=text, level=level, fields=TO_UPSTREAM if status == 502 else TO_UPSTREAM_504)  # noqa: PLR2004 - the other is 504
    return replace(fault, **changes)


REFUSED = upstream(
    502,
    "EDGE-114",
    "connect() failed (111: Connection refused) while connecting to upstream",
    scope="all",
    said=(Said("nginx_error", "connect() failed (111: Connection refused) while connecting to upstream"), *DOWN),
    settings={"check": "502"},
    true=("EDGE-080",),
)
NO_SOCKET = upstream(
    502,
    "EDGE-115",
    "connect() to unix:/run/{app}.sock failed (2: No such file or directory) while connecting to upstream",
    level="crit",
    scope="all",
    settings={"check": "502"},
    true=("EDGE-080",),
)
NO_RIGHT = upstream(
    502,
    "EDGE-116",
    "connect() to unix:/run/{app}.sock failed (13: Permission denied) while connecting to upstream",
    level="crit",
    scope="all",
    settings={"check": "502"},
    true=("EDGE-080",),
)
BACKLOG = upstream(
    502,
    "EDGE-117",
    "connect() to unix:/run/{app}.sock failed (11: Resource temporarily unavailable) while connecting to upstream",
    scope="some",
    minutes=6,
)
NO_ROUTE = upstream(
    504,
    "EDGE-118",
    "",
    said=(Said("nginx_error", "upstream timed out (110: Connection timed out) while connecting to upstream", ending=True),),
    seconds=(60.0, 60.06),
    settings={"idle_timeout": "120"},
)
TOO_SLOW = nginx(
    504,
    "EDGE-119",
    seconds=(60.0, 60.06),
    fields=TO_UPSTREAM_504,
    settings={"idle_timeout": "120"},
    said="",
    inside={"gunicorn": (200, 83.0)},
    true=("EDGE-001",),
)
TOO_SLOW = replace(
    TOO_SLOW,
    said=(
        Said("nginx_error", "upstream timed out (110: Connection timed out) while reading response header from upstream", after=60.0),
        Said("application", "slow query 81240ms: SELECT ... FROM {app}_history WHERE ... (seq scan)", after=82.6, level="warning"),
    ),
)
PREMATURE_ALONE = dead_worker("EDGE-128", said=(), seconds=(0.4, 9.0), drop=("gunicorn", "syslog"), weaker=True)
RESET_ALONE = dead_worker("EDGE-129", said=(), seconds=(0.4, 9.0), nginx_says=RESET, drop=("gunicorn", "syslog"), weaker=True)
TIMEOUT = dead_worker("EDGE-150", said=worker_timeout(), seconds=(30.03, 31.2))
KILLED = dead_worker("EDGE-151", said=out_of_memory(3.4), seconds=(3.4, 3.6))
CRASHED = dead_worker(
    "EDGE-153",
    seconds=(1.2, 6.5),
    nginx_says=RESET,
    said=(
        Said(
            "syslog",
            "gunicorn[{pid}]: segfault at 10 ip 00007f3b1c0a4d21 sp 00007ffc0b2d7a10 error 4 in _speedups.so[7f3b1c000000+c8000]",
            ending=True,
            after=-0.01,
            level="kernel",
        ),
        Said("gunicorn", "Worker (pid:{pid}) was sent SIGSEGV!", ending=True, after=0.1),
    ),
)
NOT_LIVE = nginx(
    502,
    "EDGE-130",
    said="no live upstreams while connecting to upstream",
    fields=TO_UPSTREAM,
    true=("EDGE-114",),
    scope="all",
    more=(Said("nginx_error", "connect() failed (111: Connection refused) while connecting to upstream", after=-4.0),),
)
BIG_HEADER = upstream(
    502,
    "EDGE-131",
    "upstream sent too big header while reading response header from upstream",
    inside={"gunicorn": (200, 0.01)},
    settings={"always": "yes"},
)
INVALID = upstream(
    502,
    "EDGE-132",
    "upstream sent no valid HTTP/1.0 header while reading response header from upstream",
    settings={"check": "502"},
    scope="all",
    true=("EDGE-080",),
)
TLS = upstream(
    502,
    "EDGE-133",
    (
        "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40) "
        "while SSL handshaking to upstream"
    ),
    level="crit",
    scope="all",
    settings={"check": "502"},
    true=("EDGE-080",),
)
TLS_VERIFY = upstream(
    502,
    "EDGE-133",
    "upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking to upstream",
    scope="all",
    settings={"check": "502"},
    true=("EDGE-080",),
)
BODY = nginx(413, "EDGE-095", said="client intended to send too large body: 9437184 bytes", ask=LARGE)
INDEX = nginx(403, "EDGE-134", said='directory index of "{file}" is forbidden', ask=FOLDERS)
NO_READ = nginx(403, "EDGE-135", said='open() "{file}" failed (13: Permission denied)', ask=FILES)
NO_READ_STAT = nginx(403, "EDGE-135", said='"{file}index.html" is forbidden (13: Permission denied)', ask=FOLDERS)
NO_FILE = nginx(404, "EDGE-136", said='open() "{file}" failed (2: No such file or directory)', ask=FILES)
DENIED = nginx(
    403, "EDGE-137", said="access forbidden by rule", ask=Ask(methods=("GET",), tails=("/metrics", "/internal/queue", "/status"))
)
NO_DESCRIPTORS = nginx(500, "EDGE-138", said='open() "{file}" failed (24: Too many open files)', level="crit", ask=FILES)
NO_CONNECTIONS = nginx(
    500, "EDGE-139", said="768 worker_connections are not enough while connecting to upstream", level="alert", scope="some", minutes=5
)
LIMITED = nginx(503, "EDGE-140", said='limiting requests, excess: 20.416 by zone "{app}"', scope="client")
LIMITED_429 = nginx(429, "EDGE-140", said='limiting connections by zone "{app}"', scope="client")
CYCLE = nginx(500, "EDGE-141", said='rewrite or internal redirection cycle while internally redirecting to "/index.html"', ask=GET)
UNRESOLVED = nginx(
    502, "EDGE-142", said="{app}-backend.internal.example.com could not be resolved (3: Host not found)", seconds=(0.002, 0.02)
)
UNRESOLVED_SLOW = nginx(
    502,
    "EDGE-142",
    more=(Said("nginx_error", "{app}-backend.internal.example.com could not be resolved (110: Operation timed out)", ending=True),),
    seconds=(30.0, 30.03),
)
PLAIN = nginx(
    400,
    "EDGE-143",
    said="client sent plain HTTP request to HTTPS port while reading client request headers",
    level="info",
    scope="all",
    settings={"check": "400", "everything": "yes"},
    true=("EDGE-080",),
)
WORKER_GONE = Fault(
    "alb",
    502,
    ("EDGE-144",),
    true=("EDGE-009", "EDGE-016", "EDGE-037", "EDGE-014"),
    seconds=(0.8, 3.0),
    fields={"alb": {"target": "yes", "times": "0.001 {seconds} -1"}},
    inside={"nginx": (None, -1.0)},
    said=(
        Said("nginx_error", "worker process {pid} exited on signal 11 (core dumped)", level="alert"),
        Said(
            "syslog",
            "nginx[{pid}]: segfault at 0 ip 000055d0c1a2b3c4 sp 00007ffd9e8f7a60 error 4 in nginx[55d0c1900000+1a0000]",
            level="kernel",
        ),
    ),
)
WORKER_GONE = replace(WORKER_GONE, said=tuple(replace(said, once=said.log == "nginx_error", after=0.7) for said in WORKER_GONE.said))

AP_REFUSED = apache(
    503,
    "EDGE-145",
    said="(111)Connection refused: AH00957: http: attempt to connect to 127.0.0.1:8000 (127.0.0.1:8000) failed",
    module="proxy:error",
    scope="all",
    settings={"check": "503"},
    true=("EDGE-080",),
)
AP_DISABLED = apache(
    503,
    "EDGE-145",
    said="AH01114: HTTP: failed to make connection to backend: 127.0.0.1",
    module="proxy_http:error",
    scope="all",
    settings={"check": "503"},
    true=("EDGE-080",),
)
AP_READ = apache(
    502,
    "EDGE-146",
    said="(70007)The timeout specified has expired: AH01102: error reading status line from remote server 127.0.0.1:8000",
    module="proxy_http:error",
    seconds=(0.5, 6.0),
    inside={"gunicorn": (None, -1.0)},
    true=TO_OTHERS,
)
AP_DENIED = apache(403, "EDGE-147", said="AH01630: client denied by server configuration: {file}", module="authz_core:error")
AP_FULL = apache(
    504,
    "EDGE-148",
    said="AH00161: server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting",
    module="mpm_event:error",
)
AP_FULL = replace(
    AP_FULL,
    by="alb",
    seconds=(60.0, 60.004),
    true=("EDGE-009", "EDGE-015", "EDGE-041"),
    fields={"alb": {"target": "yes", "times": "0.001 {seconds} -1"}},
    inside={"apache": (None, -1.0)},
    scope="some",
    said=tuple(replace(said, once=True, after=-2.0) for said in AP_FULL.said),
)
AP_INDEX = apache(
    403,
    "EDGE-149",
    said=(
        "AH01276: Cannot serve directory {file}: No matching DirectoryIndex (index.html,index.php) "
        "found, and server-generated directory index forbidden by Options directive"
    ),
    module="autoindex:error",
    ask=FOLDERS,
)
AP_SEARCH = apache(
    403,
    "EDGE-149",
    said=(
        "(13)Permission denied: AH00035: access to {path} denied (filesystem path '{file}') "
        "because search permissions are missing on a component of the path"
    ),
    module="core:error",
    ask=FILES,
)
AP_LIMIT = apache(
    500,
    "EDGE-149",
    said=(
        "AH00124: Request exceeded the limit of 10 internal redirects due to probable configuration error. "
        "Use 'LimitInternalRecursion' to increase the limit if necessary. Use 'LogLevel debug' to get a backtrace."
    ),
    module="core:error",
)
IMPORT_ERROR = (
    "Exception in worker process\nTraceback (most recent call last):\n"
    '  File "/srv/{app}/venv/lib/python3.11/site-packages/gunicorn/arbiter.py", line 608, in spawn_worker\n    worker.init_process()\n'
    "  File \"/srv/{app}/web/settings.py\", line 12, in <module>\n    import orjson\nModuleNotFoundError: No module named 'orjson'"
)
NO_BOOT = upstream(
    502,
    "EDGE-152",
    "connect() failed (111: Connection refused) while connecting to upstream",
    scope="all",
    true=("EDGE-114", "EDGE-115", "EDGE-080"),
    settings={"check": "502"},
    said=(
        Said("nginx_error", "connect() failed (111: Connection refused) while connecting to upstream", shows=False),
        Said(
            "gunicorn",
            IMPORT_ERROR,
            level="worker error",
            once=True,
            after=-9.0,
        ),
        Said("gunicorn", "Worker (pid:{pid}) exited with code 3", level="error", once=True, after=-8.8),
        Said("gunicorn", "Shutting down: Master", level="info", once=True, after=-8.7),
        Said("gunicorn", "Reason: Worker failed to boot.", level="error", once=True, after=-8.6),
    ),
)
NO_FOOTPRINT = replace(TIMEOUT, codes=("EDGE-150", "EDGE-154"))
