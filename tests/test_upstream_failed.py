"""The rows of nginx's and Apache's error tables: each speaks for its own line, and for no other's status, level or request."""

from __future__ import annotations

import pytest

from kyumei.edge.server.errors import SIGNATURES, STRAINS, file_of, module_of, signature_of, signature_of_line, upstream_of
from kyumei.edge.signature import Family
from kyumei.model.finding import Certainty
from tests.rules.server_memory import AT, ServerView, after, ask, failing

CONNECTING = "while connecting to upstream"
READING = "while reading response header from upstream"
NGINX = {
    "EDGE-114": (f"connect() failed (111: Connection refused) {CONNECTING}", 502),
    "EDGE-115": (f"connect() to unix:/run/shop.sock failed (2: No such file or directory) {CONNECTING}", 502),
    "EDGE-116": (f"connect() to unix:/run/shop.sock failed (13: Permission denied) {CONNECTING}", 502),
    "EDGE-117": (f"connect() to unix:/run/shop.sock failed (11: Resource temporarily unavailable) {CONNECTING}", 502),
    "EDGE-118": (f"upstream timed out (110: Connection timed out) {CONNECTING}", 504),
    "EDGE-119": (f"upstream timed out (110: Connection timed out) {READING}", 504),
    "EDGE-128": (f"upstream prematurely closed connection {READING}", 502),
    "EDGE-129": (f"recv() failed (104: Connection reset by peer) {READING}", 502),
    "EDGE-131": (f"upstream sent too big header {READING}", 502),
    "EDGE-132": (f"upstream sent no valid HTTP/1.0 header {READING}", 502),
    "EDGE-133": (
        "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure) while SSL handshaking to upstream",
        502,
    ),
    "EDGE-138": (f"socket() failed (24: Too many open files) {CONNECTING}", 500),
    "EDGE-139": (f"1024 worker_connections are not enough {CONNECTING}", 500),
    "EDGE-142": ("shop.internal.example.com could not be resolved (3: Host not found)", 502),
}
OPEN = {"EDGE-119", "EDGE-128", "EDGE-129"}
ENDED = {"EDGE-128", "EDGE-129"}
"""Whether the server died or it was a race, only its own log would tell, which is not there."""
APACHE = {
    "EDGE-145": ("AH01114", "HTTP: failed to make connection to backend: 10.0.2.31", 503),
    "EDGE-146": ("AH01102", "error reading status line from remote server 10.0.2.31:8080", 502),
    "EDGE-149": ("AH01075", "Error dispatching request to : (polling)", 504),
}


def _nginx(message: str, status: int, **more: object) -> ServerView:
    view = ServerView()
    upstream = "http://10.0.2.31:8000/report"
    line = view.add("nginx_error", AT | {"time": after(0), "level": "error", "message": message, "server": "shop", "upstream": upstream})
    row = AT | {"time": after(0.2), "status": status, "upstream_status": "-" if status == 500 else str(status), "request_seconds": 0.1}
    return failing(view, "nginx", "nginx_access", row, inner_errors=(line,), **more)


@pytest.mark.parametrize("code", NGINX)
def test_a_line_of_nginx_speaks_for_its_request(code: str) -> None:
    """Each line gives its own id; one that says all is proven by the access line, one that is a symptom is only likely, with a gap."""
    message, status = NGINX[code]
    opinion = ask(_nginx(message, status), "upstream_failed")
    (finding,) = opinion.findings
    assert finding.code == code
    assert finding.certainty is (Certainty.POSSIBLE if code in ENDED else Certainty.LIKELY if code in OPEN else Certainty.PROVEN)
    assert bool(opinion.gaps) is (code in OPEN)
    assert not ask(_nginx(message, status), "web_server_refused").findings


@pytest.mark.parametrize("code", NGINX)
def test_a_line_that_cannot_lead_to_the_status_is_no_cause(code: str) -> None:
    """A 503 of nginx's own has another reason than any of these lines; what is missing is said."""
    opinion = ask(_nginx(NGINX[code][0], 503), "upstream_failed")
    assert not opinion.findings
    assert opinion.gaps


@pytest.mark.parametrize("code", APACHE)
def test_a_line_of_apache_speaks_for_its_request(code: str) -> None:
    """Apache writes no path: client, second and status join the line to the request; another client's line does not count."""
    number, message, status = APACHE[code]
    for client, found in (("203.0.113.77", [code]), ("198.51.100.4", [])):
        view = ServerView()
        view.add("apache_error", {"time": after(0.5), "level": "error", "code": number, "message": message, "client_ip": client})
        failing(view, "apache", "apache_access", AT | {"time": after(0), "status": status, "request_seconds": 0.4})
        opinion = ask(view, "upstream_failed")
        assert [one.code for one in opinion.findings] == found
        assert bool(opinion.gaps) or found


def test_a_warning_is_no_cause() -> None:
    """Apache warns of much that ends well."""
    view = ServerView()
    view.add(
        "apache_error", {"time": after(0), "level": "warn", "code": "AH01114", "message": "HTTP: failed", "client_ip": AT["client_ip"]}
    )
    failing(view, "apache", "apache_access", AT | {"time": after(0), "status": 503})
    assert not ask(view, "upstream_failed").findings


def _no_live(view: ServerView) -> ServerView:
    message = f"no live upstreams {CONNECTING}"
    line = view.add(
        "nginx_error", AT | {"time": after(0), "level": "error", "message": message, "server": "shop", "upstream": "http://pool/report"}
    )
    row = AT | {"time": after(0), "status": 502, "upstream_status": "502", "upstream_addr": "pool"}
    return failing(view, "nginx", "nginx_access", row, inner_errors=(line,))


def test_no_live_upstreams_is_never_the_cause() -> None:
    """Without an earlier error of that upstream it is only possible; with one the finding names it, and the first of several."""
    opinion = ask(_no_live(ServerView()), "upstream_failed")
    assert [one.certainty for one in opinion.findings] == [Certainty.POSSIBLE]
    assert opinion.gaps
    view = ServerView()
    for seconds, code, server in (
        (-4000, "EDGE-116", "shop"),
        (-40, "EDGE-132", "blog"),
        (-30, "EDGE-133", "shop"),
        (-5, "EDGE-114", "shop"),
    ):
        text = NGINX[code][0]
        view.add(
            "nginx_error",
            AT | {"time": after(seconds), "level": "error", "message": text, "server": server, "upstream": "http://10.0.2.31:8000/"},
        )
    opinion = ask(_no_live(view), "upstream_failed")
    assert [(one.code, one.certainty, one.subject["first_error"]) for one in opinion.findings] == [
        ("EDGE-130", Certainty.PROVEN, "EDGE-133")
    ]
    assert not opinion.gaps


def test_members_of_the_upstream_tell_its_errors_from_others() -> None:
    """An access line that lists the addresses before the upstream's name says whose earlier errors count."""
    view = ServerView()
    for seconds, code, address in ((-9, "EDGE-118", "10.0.7.7:80"), (-5, "EDGE-114", "10.0.2.31:8000")):
        line = AT | {
            "time": after(seconds),
            "level": "error",
            "message": NGINX[code][0],
            "server": "shop",
            "upstream": f"http://{address}/",
        }
        view.add("nginx_error", line)
    view.add("nginx_access", AT | {"time": after(-4), "status": 502, "upstream_addr": "10.0.2.31:8000, pool"})
    assert ask(_no_live(view), "upstream_failed").findings[0].subject["first_error"] == "EDGE-114"


STRAIN = {
    "EDGE-144": ("nginx_error", {"level": "alert", "message": "worker process 811 exited on signal 9"}),
    "EDGE-139": ("nginx_error", {"level": "alert", "message": "1024 worker_connections are not enough"}),
    "EDGE-138": ("nginx_error", {"level": "crit", "message": "accept4() failed (24: Too many open files)"}),
    "EDGE-148": (
        "apache_error",
        {"level": "error", "code": "AH00161", "message": "server reached MaxRequestWorkers setting, consider raising"},
    ),
}
BALANCER = AT | {"status": 502, "actions": ["forward"], "target_ip": "10.0.1.23", "request_seconds": 0.001, "target_seconds": 2.0}


@pytest.mark.parametrize("code", STRAIN)
@pytest.mark.parametrize(("seconds", "found"), [(-0.5, True), (900, False)])
def test_trouble_of_the_whole_server_shows_further_out(code: str, seconds: float, found: bool) -> None:  # noqa: FBT001 - the expectation
    """In the second of the balancer's 502 it is the cause; a quarter of an hour later it is not."""
    table, line = STRAIN[code]
    view = ServerView()
    view.add(table, {"time": after(seconds)} | line)
    failing(view, "alb", "alb_access", BALANCER | {"time": after(0), "started": after(-2)}, silent=("nginx",))
    assert [one.code for one in ask(view, "upstream_failed").findings] == ([code] if found else [])


@pytest.mark.parametrize(("served", "found"), [(False, ["EDGE-142"]), (True, [])])
def test_a_failed_reload_leaves_nginx_running(served: bool, found: list[str]) -> None:  # noqa: FBT001 - the case
    """`host not found` at a start counts only where nginx answered nothing afterwards."""
    view = ServerView()
    view.add(
        "nginx_error",
        {"time": after(-20), "level": "emerg", "message": 'host not found in upstream "shop.internal:8000" in /etc/nginx/x.conf:3'},
    )
    view.add("nginx_access", AT | {"time": after(-5 if served else -50), "status": 200})
    failing(view, "alb", "alb_access", BALANCER | {"time": after(0), "started": after(0)})
    assert [one.code for one in ask(view, "upstream_failed").findings] == found


REFUSED = {
    "EDGE-147": ("AH01630", "client denied by server configuration: /srv/www/admin", 403),
    "EDGE-149": ("AH01276", "Cannot serve directory /srv/www/html/: No matching DirectoryIndex (index.html) found", 403),
}


@pytest.mark.parametrize("code", REFUSED)
def test_apache_refused(code: str) -> None:
    """Apache's refusals are proven by its error log, and name the file."""
    number, message, status = REFUSED[code]
    view = ServerView()
    view.add("apache_error", {"time": after(0), "level": "error", "code": number, "message": message, "client_ip": AT["client_ip"]})
    failing(view, "apache", "apache_access", AT | {"time": after(0), "status": status})
    (finding,) = ask(view, "web_server_refused").findings
    assert (finding.code, finding.certainty, finding.layer) == (code, Certainty.PROVEN, "apache")
    assert finding.subject["file"].startswith("/srv/www/")


def test_what_the_client_sent_wrong_stands_at_level_info() -> None:
    """An over-long header is logged as 400, its reason at level info; without that line a 400 says too little."""
    view = ServerView()
    view.add(
        "nginx_error",
        AT
        | {
            "time": after(0),
            "level": "info",
            "message": 'client sent too long header line: "Cookie: a=b" while reading client request headers',
        },
    )
    failing(view, "nginx", "nginx_access", AT | {"time": after(0), "status": 400})
    assert [(one.code, one.certainty) for one in ask(view, "web_server_refused").findings] == [("EDGE-027", Certainty.PROVEN)]
    bare = failing(ServerView(), "nginx", "nginx_access", AT | {"time": after(0), "status": 400})
    assert [one.certainty for one in ask(bare, "web_server_refused").findings] == [Certainty.POSSIBLE]


@pytest.mark.parametrize(("status", "count"), [(444, 1), (499, 0), (502, 0)])
def test_what_is_a_refusal(status: int, count: int) -> None:
    """A silent close is one; a client that left is none, nor is an answer for a server that failed."""
    view = failing(ServerView(), "nginx", "nginx_access", AT | {"time": after(0), "status": status})
    assert len(ask(view, "web_server_refused").findings) == count


def test_every_row_is_whole_and_no_line_is_of_two_families() -> None:
    """Each sample line of the tables above is known by its own row first."""
    for code, (message, status) in NGINX.items():
        found = signature_of(message, status)
        assert found is not None
        assert (found.code, found.family) == (code, Family.UPSTREAM)
    for code, (number, message, status) in (APACHE | REFUSED).items():
        found = signature_of_line({"code": number, "message": message}, status)
        assert found is not None
        assert found.code == code
    assert all(one.cause and one.fix and one.commands and one.statuses for one in (*SIGNATURES, *STRAINS))


def test_names_in_lines() -> None:
    """Files and upstreams are found as each server writes them."""
    assert file_of('open() "/srv/a b" failed (13: Permission denied)') == "/srv/a b"
    assert file_of("access to /x denied (filesystem path '/srv/x') because search permissions are missing") == "/srv/x"
    assert upstream_of({"upstream": "http://10.0.2.31:8000/a:b"}) == "10.0.2.31:8000"
    assert upstream_of({"upstream": "http://unix:/run/shop.sock:/report"}) == "unix:/run/shop.sock"
    assert upstream_of({"upstream": "http://[2001:db8::7]:80/"}) == "[2001:db8::7]:80"
    assert upstream_of({"message": "attempt to connect to 10.0.2.31:9000 (app) failed"}) == "10.0.2.31:9000"


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ('pwrite() "/var/lib/nginx/body/0000000012" failed (28: No space left on device)', 500, "EDGE-135"),
        ('open() "/var/lib/nginx/body/0000000012" failed (28: No space left on device)', 500, "EDGE-135"),
        ('pwritev() "/var/lib/nginx/body/0000000012" has written only 4096 of 8192', 500, "EDGE-135"),
        ('open() "/var/lib/nginx/body/0000000012" failed (13: Permission denied)', 500, "EDGE-135"),
        # While it reads an answer the client has its status already; and a file that it may not read gives 403.
        ('pwritev() "/var/lib/nginx/proxy/0000000012" failed (28: No space left on device)', 200, None),
        ('open() "/var/lib/nginx/body/0000000012" failed (2: No such file or directory)', 500, None),
    ],
)
def test_nginx_cannot_keep_the_body(message: str, status: int, code: str | None) -> None:
    """EDGE-135: it puts bodies that are large into files, and answers 500 by itself where it cannot."""
    found = signature_of(message, status)
    assert (found.code if found else None) == code
    assert found is None or found.layer == "host"


@pytest.mark.parametrize(
    ("line", "status", "found"),
    [
        ({"code": "AH00878", "message": "read response failed from 10.0.2.31:8009 (shop)"}, 504, True),
        ({"code": "AH00992", "message": "ajp_read_header: ajp_ilink_receive failed"}, 500, True),
        ({"message": "Timeout when reading response headers from daemon process 'shop': /srv/wsgi.py"}, 504, True),
        ({"message": "Truncated or oversized response headers received from daemon process 'shop': /srv/wsgi.py"}, 500, True),
        ({"message": "Truncated or oversized response headers received from daemon process 'shop': /srv/wsgi.py"}, 404, False),
        ({"code": "AH01017", "message": "ajp: connection to 10.0.2.31:8009 kept"}, 504, False),
    ],
)
def test_apache_in_front_of_ajp_and_wsgi(line: dict[str, str], status: int, *, found: bool) -> None:
    """EDGE-146: the server behind Apache gave no answer, whichever way Apache speaks to it; it leaves open why."""
    told = signature_of_line(line, status)
    assert (told is not None and told.code == "EDGE-146" and bool(told.open)) is found
    assert upstream_of({"message": "read response failed from 10.0.2.31:8009 (shop)"}) == "10.0.2.31:8009"


@pytest.mark.parametrize(
    ("upstream", "module"),
    [
        ("http://10.0.2.20:8000/shop", "proxy"),
        ("https://10.0.2.20:8443/shop", "proxy"),
        ("fastcgi://unix:/run/php/php8.3-fpm.sock:", "fastcgi"),
        ("grpcs://10.0.2.20:50051", "grpc"),
        ("uwsgi://10.0.2.20:3031", "uwsgi"),
        (None, "proxy"),
    ],
)
def test_the_directive_is_that_of_the_module_that_asked(upstream: str | None, module: str) -> None:
    """A location with ``fastcgi_pass`` has no ``proxy_read_timeout``."""
    assert module_of({"upstream": upstream}) == module
