"""The second example: its case can be made anew, and is solved, with and without a symptom, with every citation where it says."""

from __future__ import annotations

import gzip
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from incidents.worker_timeout import SENTENCE, worker_timeout
from kyumei.api import demo_case, investigate
from kyumei.cli.demo import EXAMPLES
from kyumei.model.finding import Certainty, Citation, Investigation, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from incidents.edge import Truth

CASE = Path(__file__).parents[1] / "examples" / "worker-timeout-502" / "case"
NOW = EXAMPLES["worker-timeout-502"].present


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def _texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): _text(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _citations(value: object) -> Iterator[Citation]:
    """Every citation in an answer, wherever it stands."""
    if isinstance(value, Citation):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _citations(one)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _citations(getattr(value, field.name))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """The example, written anew."""
    folder = tmp_path_factory.mktemp("example")
    return folder, worker_timeout(0, folder)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Investigation:
    """The answer to what the person says."""
    return investigate(CASE, SENTENCE, now=NOW, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def unasked(tmp_path_factory: pytest.TempPathFactory) -> Investigation:
    """The answer where nobody said anything."""
    return investigate(CASE, None, now=NOW, cache=tmp_path_factory.mktemp("cache"))


def test_the_committed_case_is_what_the_generator_writes(written: tuple[Path, Truth]) -> None:
    """The folder in the repository can be made anew, and the demo says what its reporter says."""
    assert _texts(CASE) == _texts(written[0])
    assert EXAMPLES["worker-timeout-502"].symptom == SENTENCE
    assert demo_case("worker-timeout-502") == CASE


def test_another_seed_is_another_incident(tmp_path: Path) -> None:
    """With other names and another sentence."""
    truth = worker_timeout(7, tmp_path)
    assert truth.sentence != SENTENCE
    assert set(_texts(tmp_path)) != set(_texts(CASE))


def test_the_worker_time_out_is_proven(asked: Investigation, written: tuple[Path, Truth]) -> None:
    """It leads, cites the lines that show it, and says how much it explains."""
    first = asked.findings[0]
    assert (asked.verdict, first.code, first.certainty) == (Verdict.CAUSE_FOUND, "EDGE-150", Certainty.PROVEN)
    assert (first.explains, first.impact.requests if first.impact else 0) == (11, 13)
    assert first.impact
    assert first.impact.clients == 11  # by X-Forwarded-For; the addresses that nginx saw are two nodes of the balancer
    shown = {(one.file, one.line) for one in written[1].cited}
    assert {(one.file, one.line) for evidence in first.chain for one in evidence.citations} & shown


def test_who_relayed_the_502_is_not_accused(asked: Investigation, written: tuple[Path, Truth]) -> None:
    """The load balancer relayed it, nginx made it because of the worker; nobody else is found guilty."""
    answered = {hop.hop: hop.answered for hop in asked.hops}
    assert (answered["alb"], answered["nginx"]) == (False, True)
    sure = [finding for finding in asked.findings if finding.certainty is not Certainty.POSSIBLE]
    assert [finding.code for finding in sure if finding.code in written[1].forbidden] == []
    assert {finding.because for finding in sure[1:]} <= {"", "EDGE-150"}
    files = {one.file for one in _citations(asked.findings[0])}
    assert {"nginx/access.log", "nginx/error.log", "syslog"} <= {name.partition("/")[2] for name in files}


def test_without_a_symptom_it_is_found_too(unasked: Investigation) -> None:
    """As the one thing that stands out, from its first failing request on."""
    assert [(one.hop, one.status, one.failed, one.paths, one.ongoing) for one in unasked.standouts] == [
        ("alb", 502, 13, ("/app/reports/monthly",), False)
    ]
    assert f"{unasked.standouts[0].onset:%Y-%m-%d %H:%M}" == "2025-03-12 01:36"
    assert (unasked.verdict, unasked.findings[0].code) == (Verdict.CAUSE_FOUND, "EDGE-150")


def test_every_citation_resolves(asked: Investigation, unasked: Investigation) -> None:
    """File and line hold the text that is quoted."""
    texts = {name: text.split("\n") for name, text in _texts(CASE).items()}
    citations = [*_citations(asked), *_citations(unasked)]
    assert len(citations) > 40
    for one in citations:
        assert texts[one.file][one.line - 1].startswith(one.text.split("\n")[0]), f"{one.file}:{one.line}"


def test_the_readme_shows_it() -> None:
    """What is pasted there is of this example."""
    readme = (CASE.parents[2] / "README.md").read_text("utf-8")
    shown = readme.partition("<!-- demo-502:begin -->")[2].partition("<!-- demo-502:end -->")[0]
    assert "EDGE-150" in shown
    assert "PROVEN" in shown
