"""Every id of a failure is known in words, named by a rule that can answer with it, shown guilty and innocent, or has its reason."""

from __future__ import annotations

import ast
import json
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from docs import failures
from incidents.edge import CAUSES, COMBINED, UNCOVERED
from kyumei import discover
from kyumei.cli.main import main
from kyumei.contracts import Opinion, Rule
from kyumei.edge.catalogue import FAMILIES, KNOWN, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kyumei.contracts import View

ID = re.compile(r"EDGE-\d{3}")
NAMES = list(discover.rules())


def test_every_id_is_known_or_was_never_given() -> None:
    """Ids run through; a number that is no id says so."""
    every = [f"EDGE-{number:03d}" for number in range(1, 160)]
    assert list(KNOWN) == [code for code in every if code in KNOWN]
    assert [code for code in every if code not in KNOWN and code not in failures.reasons()] == []
    assert set(CAUSES) | set(UNCOVERED) == set(KNOWN)


def test_no_id_stands_twice() -> None:
    """A number in two families would lose one of its titles."""
    assert sum(len(family.titles) for family in FAMILIES) == len(KNOWN)


def test_titles_are_short_and_tell_ids_apart() -> None:
    """One line of a table each, no sentence's end, none the same as another's."""
    titles = [known.title for known in KNOWN.values()]
    assert len(set(titles)) == len(titles)
    assert [title for title in titles if len(title) > 110 or title.endswith(".") or not title.strip()] == []
    assert [family.proof for family in FAMILIES if not family.proof.endswith(".")] == []


def test_every_id_in_no_finding_has_its_reason() -> None:
    """A row that is not covered says why in docs/uncovered.toml, and a reason that is out of date goes."""
    assert [code for code in KNOWN if code not in failures.covered() and code not in failures.reasons()] == []
    assert [code for code in failures.reasons() if code in failures.covered()] == []
    assert [code for code, why in failures.reasons().items() if len(why) < 20 or not why.endswith(".")] == []


def test_every_covered_id_is_shown_guilty_and_innocent() -> None:
    """Without its look-alike a rule that accuses everybody would do as well."""
    shown = failures.shown()
    assert [code for code in failures.covered() if not any(shown[code].guilty.values())] == []
    assert [code for code in failures.covered() if not any(shown[code].innocent.values())] == []


def test_incidents_speak_of_known_ids() -> None:
    """A code of an incident or of a case that nobody knows would be a slip of the pen."""
    codes = {code for row in (*CAUSES.values(), *COMBINED.values()) for fault in (*row.guilty, *row.innocent) for code in fault.codes}
    assert {*codes, *failures.shown()} - set(KNOWN) == set()


def test_the_page_has_one_row_for_each_id() -> None:
    """In the table of findings or in that of the others, with its words, its rules, and cells that are not empty."""
    rows = [line for line in failures.failures().splitlines() if line.startswith("| `")]
    codes = [line.split("`")[1] for line in rows]
    assert sorted(codes) == sorted({*KNOWN, *failures.reasons()})
    for code, row in zip(codes, rows, strict=True):
        assert code not in KNOWN or KNOWN[code].title in row
        assert all(f"rules.md#{rule})" in row for rule in failures.covered().get(code, ()))
        assert code not in failures.covered() or "|  |" not in row
        assert code in failures.covered() or failures.reasons()[code] in row


# What a rule claims, it can answer


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_claims_what_it_can_answer(name: str) -> None:
    """Each cause in its codes stands in its own module or in its tables, and not only where it is ruled out.

    ``python -m bench.accuracy --codes`` checks the same by what was answered.
    """
    claimed = {code for code in discover.rules()[name].codes if KNOWN[code].kind is Kind.CAUSE}
    assert claimed - answerable(f"kyumei.rules.{name}") == set()


def test_a_code_that_is_only_ruled_out_is_not_answerable() -> None:
    """Nor one that only the list of codes holds, or a text that speaks of it."""
    source = '''
"""A rule about EDGE-010."""
SIGNS = {"x": Sign("EDGE-020", "EDGE-021 is its rival")}
found = RuledOut("EDGE-030", "EDGE-040")
RULE = Rule("name", codes=("EDGE-050", *(sign.code for sign in SIGNS)))
'''
    assert set(_codes(ast.parse(source))) == {"EDGE-020", "EDGE-040"}


def answerable(module: str) -> set[str]:
    """The codes that a rule, or a table that it reads, could put into a finding."""
    seen, waiting = set(), [module]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        tree = ast.parse(Path(str(import_module(name).__file__)).read_text("utf-8"))
        found |= set(_codes(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("kyumei.edge"):
                is_room = hasattr(import_module(node.module), "__path__")
                inner = [f"{node.module}.{one.name}" for one in node.names] if is_room else [node.module]
                waiting += [one for one in inner if one != "kyumei.edge.catalogue"]
    return found


def _codes(node: ast.AST) -> Iterator[str]:
    """Texts that are a code and nothing else, but for what is ruled out and what a rule declares."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value):
        yield node.value
    called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    if called != "Rule":
        for child in ast.iter_child_nodes(node):
            if not (called == "RuledOut" and isinstance(node, ast.Call) and node.args and child is node.args[0]):
                yield from _codes(child)


def test_a_pattern_is_not_covered_though_a_rule_tells_it() -> None:
    """The three times of a balancer's row are told with a cause, and never as one."""
    assert "EDGE-012" in discover.rules()["load_balancer_target_failed"].codes
    assert "EDGE-012" not in failures.covered()
    assert failures.covered()["EDGE-036"] == ("load_balancer_target_failed",)


def test_rules_claim_known_ids() -> None:
    """No rule has an id of its own making, nor one twice."""
    for rule in discover.rules().values():
        assert set(rule.codes) <= set(KNOWN), rule.name
        assert len(set(rule.codes)) == len(rule.codes), rule.name


# The command


def test_an_id_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """What it means, which rule names it, which logs that needs, what would prove it; small letters do."""
    assert main(["rules", "edge-036"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"EDGE-036\n\n{KNOWN['EDGE-036'].title}.\n")
    assert "\nload_balancer_target_failed: " in out
    assert "\n  Needs: alb_access\n" in out
    assert f"\nTo prove it: {KNOWN['EDGE-036'].proof}\n" in out


def test_an_id_is_told_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """The same as a value."""
    assert main(["rules", "EDGE-096", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["code"], told["title"], told["kind"]) == ("EDGE-096", KNOWN["EDGE-096"].title, "cause")
    assert [rule["name"] for rule in told["rules"]] == ["waf_managed_rule_blocked"]


@pytest.mark.parametrize(
    ("code", "says"), [("EDGE-012", "names the cause behind it"), ("EDGE-125", "This is a warning"), ("EDGE-155", "is no failure")]
)
def test_an_id_that_is_no_cause_says_so(code: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody shall wait for a finding that cannot come."""
    assert main(["rules", code]) == 0
    assert says in capsys.readouterr().out


def test_an_id_that_no_rule_names_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Kyumei knows what it does not know."""
    only = Rule("waf_rule_blocked", ("EDGE-022",), (), (), (), examine)
    monkeypatch.setattr(discover, "rules", lambda: {"waf_rule_blocked": only})
    assert main(["rules", "EDGE-036"]) == 0
    assert "No rule names it yet." in capsys.readouterr().out


def examine(view: View) -> Opinion:
    """Nothing to say."""
    del view
    return Opinion()


def test_an_unknown_id_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """With the ids that there are."""
    assert main(["rules", "EDGE-999"]) == 2
    assert capsys.readouterr().err == (
        "kyumei: there is no id 'EDGE-999'\nhint: ids run from EDGE-001 to EDGE-159; kyumei rules lists the rules\n"
    )
