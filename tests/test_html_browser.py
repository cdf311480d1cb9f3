"""The HTML report in a real browser: no script runs, no request leaves, and what is marked is seen.

Every request of the browser is led through a proxy that only writes down what was asked for. The addresses are those of the documentation;
nothing leaves the machine.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from kyumei.report.html import to_html
from tests.report.sample import RICH, hostile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on the PATH (apt-get install chromium)")
CANARY = "canary.example.com"


@contextmanager
def _recorder() -> Iterator[tuple[str, list[str]]]:
    """A proxy that answers every request with nothing and remembers it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        """Writes down the request line."""

        def do_GET(self) -> None:
            asked.append(self.requestline)
            self.send_response(204)
            self.end_headers()

        do_CONNECT = do_POST = do_HEAD = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _visited(page: str, folder: Path) -> tuple[str, list[str]]:
    """The document after the browser is done with it, and every request that it made to somewhere."""
    place = folder / "report.html"
    place.write_text(page, encoding="utf-8", errors="backslashreplace")
    with _recorder() as (proxy, asked):
        ended = subprocess.run(  # noqa: S603 - a browser that is installed, and our own file
            [
                str(CHROMIUM),
                *["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
                *["--disable-component-update", "--disable-sync", "--virtual-time-budget=3000", "--proxy-bypass-list=<-loopback>"],
                f"--proxy-server={proxy}",
                f"--user-data-dir={folder / 'profile'}",
                "--dump-dom",
                place.as_uri(),
            ],
            capture_output=True,
            check=False,
            text=True,
            encoding="utf-8",
            timeout=90,
        )
    assert "</html>" in ended.stdout, ended.stderr[-2000:]
    return ended.stdout, [line for line in asked if CANARY in line or "example.com" in line]


def test_the_recorder_sees_what_an_unguarded_page_does(tmp_path: Path) -> None:
    """The check is able to fail: a page without our guard runs its script and asks for its image."""
    page = f'<!doctype html><html><title>mine</title><img src="http://{CANARY}/pixel"><script>document.title="owned"</script></html>'
    document, asked = _visited(page, tmp_path)
    assert "<title>owned</title>" in document
    assert asked


def test_a_report_runs_no_script_and_asks_for_nothing(tmp_path: Path) -> None:
    """Even when every text of it tries to."""
    document, asked = _visited(to_html(hostile()), tmp_path)
    assert asked == []
    assert "<title>Cause found" in document
    assert "<script" not in document
    assert "<img" not in document


def test_the_policy_stops_what_escaping_would_miss(tmp_path: Path) -> None:
    """The second wall: a script, a handler and an image put into the finished page do nothing."""
    attack = f'<script>document.title="owned"</script><img src="http://{CANARY}/pixel" onerror="document.title=\'owned\'">'
    document, asked = _visited(to_html(RICH).replace("<main>", f"<main>{attack}", 1), tmp_path)
    assert CANARY in document
    assert "<title>owned</title>" not in document
    assert asked == []
