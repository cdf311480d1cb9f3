"""The pages say what is true: commands exist, verbs are described, links lead somewhere, generated pages are current."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from docs import generate
from docs.demos import EXAMPLES, with_demos
from kyumei.contracts import Format, Refused

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md")])


def test_the_commands_of_the_readme_are_in_the_makefile() -> None:
    """Who types what the README says gets what it says."""
    commands = re.findall(r"^    make ([a-z]+)", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert commands == ["demo", "test"]
    assert all(re.search(rf"^{command}:", makefile, re.MULTILINE) for command in commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_make_targets_on_a_page_exist(page: Path) -> None:
    """Every `make something` on a page can be made."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE))
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def test_the_readme_shows_what_the_examples_answer() -> None:
    """`make docs` would change nothing."""
    assert with_demos(README) == README, "run `make docs`"
    assert README.count("PROVEN") >= len(EXAMPLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_resolve(page: Path) -> None:
    """A link leads to a file that is there, and to a heading that it has."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_code(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (heading and heading not in _headings(file)):
            broken.append(target)
    assert broken == []


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _headings(page: Path) -> set[str]:
    """The anchors that a renderer of Markdown gives the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", _without_code(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", generate.PAGES)
def test_the_reference_is_current(name: str) -> None:
    """`make docs` would change nothing."""
    written = generate.FOLDER / name
    assert written.is_file(), "run `make docs`"
    assert written.read_text("utf-8") == generate.page(name), "run `make docs`"


def test_every_verb_is_described() -> None:
    """A verb has a sentence of help, and stands in the reference."""
    page = (generate.FOLDER / "commands.md").read_text("utf-8")
    verbs = generate.verbs()
    assert {"demo", "investigate"} <= set(verbs)
    assert [name for name, command in verbs.items() if not command.help or f"## kyumei {name}\n" not in page] == []


def test_every_option_is_described() -> None:
    """An option without a word of help would be found out by trying."""
    mute = [
        f"{name} {item.name}"
        for name, command in generate.verbs().items()
        for item in command.params
        if item.param_type_name == "option" and not item.hidden and not item.help
    ]
    assert mute == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_verbs_on_a_page_exist(page: Path) -> None:
    """A page does not promise a verb that is not there. What is planned is named without its command line."""
    named = set(re.findall(r"(?:^    |`)kyumei ([a-z][a-z-]+)", page.read_text("utf-8"), re.MULTILINE))
    assert named - set(generate.verbs()) == set()


# The format of docs/how-to/add-a-format.md is run as it stands there


@dataclass(frozen=True)
class Taught:
    """What the page holds: the format, its lines, and the rows that must come of them."""

    format: Format
    lines: list[str]
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def taught() -> Taught:
    """The three blocks of the page."""
    page = (ROOT / "docs" / "how-to" / "add-a-format.md").read_text("utf-8")
    blocks = dict(re.findall(r"^```(text|python|json)\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    module: dict[str, Any] = {"__name__": "job_history"}
    exec(compile(blocks["python"], "add-a-format.md", "exec"), module)  # noqa: S102 - our own page, run as a reader would
    return Taught(module["FORMAT"], blocks["text"].splitlines(), [json.loads(line) for line in blocks["json"].splitlines()])


def test_the_taught_format_reads_its_lines(taught: Taught) -> None:
    """The page shows what comes of each line."""
    assert len(taught.lines) == len(taught.rows)
    assert [_shown(taught.format.layout.read(line)) for line in taught.lines] == taught.rows


def _shown(answer: dict[str, Any] | Refused) -> dict[str, Any]:
    if isinstance(answer, Refused):
        return {"why": answer.why}
    row = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in answer.items()}
    assert row.pop("_naive") == 0
    return {name: value for name, value in row.items() if name != "_extra" or value is not None}


def test_the_taught_format_reads_alike_in_bulk(taught: Taught) -> None:
    """What the bulk reader claims equals what the exact reader answers, and it claims the plain line."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE source (_artifact INTEGER, _line BIGINT, text VARCHAR)")
        connection.executemany("INSERT INTO source VALUES (1, ?, ?)", list(enumerate(taught.lines)))
        cursor = connection.execute(taught.format.layout.bulk("source"))
        names = [column[0] for column in cursor.description or ()]
        claimed = [row for values in cursor.fetchall() if (row := dict(zip(names, values, strict=True)))["_ok"]]
    assert 0 in {row["_line"] for row in claimed}
    for row in claimed:
        exact = taught.format.layout.read(taught.lines[row["_line"]])
        assert isinstance(exact, dict)
        assert {column.name: row[column.name] for column in taught.format.table.columns} == {
            column.name: exact[column.name] for column in taught.format.table.columns
        }


def test_the_taught_format_knows_its_lines(taught: Taught) -> None:
    """It claims what it can read, and nothing else."""
    claimed = [taught.format.sniff(line, "history.log") for line in taught.lines]
    assert claimed == [not isinstance(taught.format.layout.read(line), Refused) for line in taught.lines]
