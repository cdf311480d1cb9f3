"""The most usual slips at the command line are answered with the line that was meant, ready to be copied."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from kyumei.cli.main import VERBS, main
from kyumei.cli.mistyped import meant

CASE = str(Path(__file__).parent.parent / "examples" / "waf-403" / "case")
SAID = "403 on GET /app/admin at 2025-02-06 14:32 JST"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ([CASE, SAID], f"the verb comes first: kyumei investigate {CASE} '{SAID}'"),
        (
            ["investigate", CASE, "it's", "down", "$HOME"],
            f"""put the symptom in quotation marks: kyumei investigate {CASE} 'it'"'"'s down $HOME'""",
        ),
        (["investigate", SAID, CASE], f"the folder comes first: kyumei investigate {CASE} '{SAID}'"),
        (["query", CASE, "SELECT 1"], f"kyumei query --sql 'SELECT 1' {CASE}"),
        (["query", "SELECT", "1", CASE], f"kyumei query --sql 'SELECT 1' {CASE}"),
        (["--bogus"], "kyumei --help shows what it takes"),
        (["-h"], "kyumei --help shows what it takes"),
        (["--version", "--bogus"], "kyumei --help shows what it takes"),
        (["--"], "kyumei --help shows what it takes"),
        ([""], "kyumei --help shows what it takes"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(given: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is that of wrong input, and the hint holds the whole line."""
    assert main(given) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"hint: {hint}"


@pytest.mark.parametrize(
    "given",
    [
        ["bogus"],
        ["investigate", "/nope", "403"],
        ["investigate", "/nope", "403", "on", "/x"],
        ["investigate", CASE, "403", "on", "--json"],
        ["tables", CASE, "more"],
        ["x" * 5000],
        ["a\0b"],
    ],
)
def test_what_is_no_such_slip_gets_no_such_hint(given: list[str]) -> None:
    """A folder that is not there, an option whose value may be a word, a name that no system takes."""
    assert meant(given, VERBS) == ""


def test_the_line_of_the_hint_is_understood(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is offered can be run as it stands."""
    assert main(["investigate", CASE, *SAID.split()]) == 2
    line = capsys.readouterr().err.splitlines()[-1].partition("kyumei ")[2]
    assert main([*shlex.split(line), "--cache", str(tmp_path), "--json"]) == 1
