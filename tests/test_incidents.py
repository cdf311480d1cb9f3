"""The generator of incidents: repeatable, true to itself, and never with an easy answer."""

from __future__ import annotations

import gzip
import json
import re
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from incidents import SCENARIOS, Cited, Truth, example, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

CASE = Path(__file__).parents[1] / "examples" / "waf-403" / "case"
ACCESS = re.compile(r'^(?P<client>\S+) - - \[(?P<time>[^]]+)] "(?P<method>\S+) (?P<path>[^ ?]+)\S* HTTP/1\.[01]" (?P<status>\d+) ')
REAL_ADDRESS = re.compile(r"\b(?!(?:10|127|0)\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.)(?:\d{1,3}\.){3}\d{1,3}\b")


def text_of(path: Path) -> str:
    """The text of a file, decompressed where it is compressed."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def fingerprint(folder: Path) -> str:
    """A digest of every name and text under a folder; compressed bytes may differ from one zlib to another."""
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0{text_of(path)}".encode())
    return digest.hexdigest()


def cited_text(folder: Path, cited: Cited) -> str:
    """The record that begins on a cited line, over as many lines as a pretty-printed event has."""
    lines = text_of(folder / cited.file).split("\n")
    return "\n".join(lines[cited.line - 1 : cited.line + 6])


def waf_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Every WAF row of a case with the answer of ``filter-log-events``."""
    for path in folder.glob("aws/logs/filter-log-events.*.json"):
        yield from (json.loads(event["message"]) for event in json.loads(text_of(path))["events"])


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """The example, written anew."""
    folder = tmp_path_factory.mktemp("example")
    return folder, generate(example(), folder)


def test_committed_example_is_what_the_generator_writes(solved: tuple[Path, Truth]) -> None:
    """The folder in the repository can be made anew."""
    assert fingerprint(CASE) == fingerprint(solved[0])


def test_example_is_small_enough_to_ship() -> None:
    """The package carries the example."""
    assert sum(path.stat().st_size for path in CASE.rglob("*") if path.is_file()) < 2_000_000


def test_seed_changes_what_the_plan_leaves_open(tmp_path: Path) -> None:
    """Nothing that an answer could be fitted to stays the same."""
    truths = [generate(SCENARIOS["waf_rule_blocked"](seed), tmp_path / str(seed)) for seed in range(1, 7)]
    for name in ("moment", "path", "rule", "client", "web_acl"):
        assert len({getattr(truth, name) for truth in truths}) > 2, name


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_is_repeatable_and_cites_lines_that_exist(name: str, tmp_path: Path) -> None:
    """Equal plans give equal folders, and the truth points at records of the reported path."""
    plan = SCENARIOS[name](3)
    truth = generate(plan, tmp_path / "one")
    assert generate(plan, tmp_path / "two") == truth
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    assert bool(truth.cited) == (truth.verdict == "cause_found")
    assert bool(truth.missing) == (truth.verdict == "cannot_tell")
    assert not set(truth.codes) & set(truth.forbidden)
    for cited in (*truth.cited, *truth.also):
        assert truth.path in cited_text(tmp_path / "one", cited), cited


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_uses_only_addresses_kept_for_documentation(name: str, tmp_path: Path) -> None:
    """No real address appears in any file."""
    generate(SCENARIOS[name](5), tmp_path)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        text = re.sub(r"(?:Chrome|Firefox|Edg|Version|Safari)/[\d.]+", "", text_of(path))
        assert not REAL_ADDRESS.findall(text), path.name


def test_servers_never_saw_the_reported_request(solved: tuple[Path, Truth]) -> None:
    """No file of a server holds the reported path."""
    folder, truth = solved
    for host in ("ip-10-0-1-21", "ip-10-0-2-34"):
        files = [path for path in (folder / host).rglob("*") if path.is_file()]
        assert files, host
        assert [path.name for path in files if truth.path in text_of(path)] == []


def test_nginx_sees_only_private_clients(solved: tuple[Path, Truth]) -> None:
    """The client in front is always an address of the balancer."""
    lines = [line for path in solved[0].glob("*/nginx/access.log*") for line in text_of(path).splitlines()]
    assert lines
    for line in lines:
        found = ACCESS.match(line)
        assert found, line
        assert found["client"].startswith("10."), line


def test_every_other_allowed_request_is_in_nginx(solved: tuple[Path, Truth]) -> None:
    """What WAF allowed and what nginx wrote (health checks aside) are the same requests."""
    folder, _ = solved
    allowed = sorted((row["httpRequest"]["httpMethod"], row["httpRequest"]["uri"]) for row in waf_rows(folder) if row["action"] == "ALLOW")
    seen = []
    for path in folder.glob("*/nginx/access.log*"):
        for line in text_of(path).splitlines():
            found = ACCESS.match(line)
            if found and found["path"] != "/api/ping":
                seen.append((found["method"], found["path"]))
    assert sorted(seen) == allowed


def test_waf_blocked_the_reported_request_three_times(solved: tuple[Path, Truth]) -> None:
    """Two of the three tries lie in the minute that the person names."""
    folder, truth = solved
    rows = [row for row in waf_rows(folder) if row["httpRequest"]["uri"] == truth.path]
    assert [(row["action"], row["terminatingRuleId"], row["terminatingRuleType"]) for row in rows] == [("BLOCK", truth.rule, "REGULAR")] * 3
    offsets = [row["timestamp"] / 1000 - truth.moment.timestamp() for row in rows]
    assert sum(0 <= offset < 60 for offset in offsets) == 2


def test_decoys_lie_where_they_mislead(solved: tuple[Path, Truth]) -> None:
    """What looks guilty stands close to the moment."""
    folder, truth = solved
    near = [row for row in waf_rows(folder) if abs(row["timestamp"] / 1000 - truth.moment.timestamp()) < 300]
    assert any(row["nonTerminatingMatchingRules"] and row["action"] == "ALLOW" for row in near)
    assert any(row["action"] == "BLOCK" and row["httpRequest"]["uri"] == "/wp-login.php" for row in near)
    assert any(row["action"] == "ALLOW" and row["httpRequest"]["clientIp"] == truth.client for row in near)
    everything = "".join(text_of(path) for path in folder.glob("ip-*/**/*") if path.is_file())
    for pattern in (
        r'\[06/Feb/2025:14:3[0-4]:\d\d \+0900] "POST /app/contact HTTP/1\.1" 400 ',
        r'\[06/Feb/2025:14:3[0-4]:\d\d \+0900] "GET /app/help/old-guide HTTP/1\.1" 404 ',
        r"2025/02/06 13:3\d:\d\d \[error] .*access forbidden by rule, client: 10\..*/internal/status",
        r"(?m)^2025-02-06 14:3[0-4]:\d\d,\d{3} ERROR .*\nTraceback",
        r"(?m)^Feb  6 05:3\d:\d\d ip-\S+ gunicorn\[\d+]: 127\.0\.0\.1 - - \[06/Feb/2025:14:3",
        r"(?m)^Feb  6 0\d:\d\d:\d\d ip-\S+ gunicorn\[\d+]: \[2025-02-06 1\d:\d\d:\d\d \+0900] ",
    ):
        assert re.search(pattern, everything), pattern


def test_the_answer_is_not_first_in_its_file(solved: tuple[Path, Truth]) -> None:
    """Who takes the first block for the cause is wrong."""
    folder, truth = solved
    rows = list(waf_rows(folder))
    ended = [index for index, row in enumerate(rows) if row["action"] == "BLOCK"]
    assert rows[ended[0]]["terminatingRuleId"] != truth.rule
    assert len(rows) > 300


def test_clocks_of_the_three_zones_differ(tmp_path: Path) -> None:
    """Every log keeps its own zone."""
    truth = generate(SCENARIOS["three_zones"](2), tmp_path)
    texts = "".join(text_of(path) for path in tmp_path.glob("*/syslog"))
    assert "+0900" not in texts  # the application keeps the time of Los Angeles
    assert re.search(r"gunicorn\[\d+]: .*-0[78]00]", texts)
    assert "+0900" in "".join(text_of(path) for path in tmp_path.glob("*/nginx/access.log"))
    assert truth.verdict == "cause_found"


def test_hole_in_the_waf_log_hides_the_moment_but_nginx_was_busy(tmp_path: Path) -> None:
    """The hole is the log's, not the traffic's."""
    truth = generate(SCENARIOS["waf_log_gap"](2), tmp_path)
    assert all(abs(row["timestamp"] / 1000 - truth.moment.timestamp()) >= 25 * 60 for row in waf_rows(tmp_path))
    lines = "".join(text_of(path) for path in tmp_path.glob("*/nginx/access.log*")).splitlines()
    times = [datetime.strptime(line.split("[")[1].split("]")[0], "%d/%b/%Y:%H:%M:%S %z") for line in lines if "/api/ping" not in line]
    assert sum(abs(time - truth.moment) < timedelta(minutes=25) for time in times) > 30
    assert truth.silent == ("nginx", "app")
    assert not truth.seen
