"""The measure of accuracy counts rightly, and one incident that ends badly does not end the run. No figure is asserted."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from bench import accuracy
from bench.accuracy import Incident, Outcome, chosen, codes, figures, markdown, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

GOOD = Incident("EDGE-137", "guilty", 0)
RIGHT = Outcome(GOOD, decidable=True, problems=(), top=True, kept=True, answered=(("web_server_refused", "EDGE-137"),))
ABSTAINS = Outcome(Incident("EDGE-036", "guilty", 1), decidable=True, problems=("verdict | cannot_tell",), abstained=True)
ACCUSES = Outcome(Incident("EDGE-036", "undecidable", 1), decidable=False, problems=("accuses EDGE-037",), accused=("EDGE-037",))
KEEPS = Outcome(Incident("EDGE-137", "innocent", 1), decidable=False, problems=(), kept=True, baseline_right=True)
ALL = [RIGHT, ABSTAINS, ACCUSES, KEEPS]


class Killer(str):
    """A cause that ends the process which is handed it."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[int]]:
        return os._exit, (1,)


def told(**given: object) -> Namespace:
    """What was asked for on the command line."""
    return Namespace(**{"causes": ["EDGE-001", "EDGE-002"], "variants": ["guilty"], "seeds": 3, "first": 5, "sample": None, **given})


def test_figures_are_counted_of_the_right_totals() -> None:
    """Top-1 and abstentions of the decidable, false accusations of all."""
    assert figures(ALL) == [
        ("top-1, of the decidable", "1/2 (50.0 %)", "0/2 (0.0 %)"),
        ("false accusations", "1/4 (25.0 %)", "3/4 (75.0 %)"),
        ("wrong abstentions", "1/2 (50.0 %)", "0/2 (0.0 %)"),
        ("rightly healthy or cannot tell", "1/2 (50.0 %)", "1/2 (50.0 %)"),
        ("entirely right", "2/4 (50.0 %)", "-"),
    ]


def test_the_section_for_the_docs_holds_every_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """All together, by variant, and what was not right, ready to paste: a bar in a cell would end it."""
    monkeypatch.setattr(sys, "argv", ["accuracy", "--seeds", "2", "--markdown"])
    page = markdown(ALL, "4 incidents.")
    assert page.startswith("4 incidents. `python -m bench.accuracy --seeds 2 --markdown` measures it again.\n")
    assert "| false accusations | 1/4 (25.0 %) | 3/4 (75.0 %) |\n" in page
    assert "| undecidable | 1 | 0/1 (0.0 %) | 1 | 0/1 (0.0 %) |\n" in page
    assert r"verdict \| cannot_tell" in page
    assert "EDGE-137" not in page
    assert "All were answered rightly." in markdown([RIGHT], "1 incident.")


def test_codes_that_are_not_in_the_table_are_told() -> None:
    """A finding with a code that its rule does not claim, and claims that nobody ever met."""
    stray, idle = codes([Outcome(GOOD, decidable=True, problems=(), answered=(("client_left", "EDGE-001"), ("client_left", "EDGE-010")))])
    assert stray == ["client_left: EDGE-001"]
    assert "client_left: EDGE-030" in idle
    assert "client_left: EDGE-010" not in idle


def test_a_sample_is_drawn_alike_each_time() -> None:
    """So many of all, in their order, and said so."""
    every, words = chosen(told())
    assert [str(one) for one in every][:4] == [*(f"EDGE-001 guilty seed {seed}" for seed in (5, 6, 7)), "EDGE-002 guilty seed 5"]
    assert words == "6 incidents: 2 causes, guilty, seeds 5 to 7."
    some, words = chosen(told(sample=3))
    assert some == chosen(told(sample=3))[0]
    assert len(some) == len(set(some)) == 3
    assert sorted(some, key=every.index) == some
    assert words.startswith("3 incidents, drawn at random from 6: ")


def test_an_incident_that_fails_is_counted_as_wrong(tmp_path: Path) -> None:
    """One that cannot be made, and one that takes its process along; those after it are asked all the same."""
    bad, deadly, last = (Incident(cause, "guilty", seed) for seed, cause in enumerate(("EDGE-000", Killer("EDGE-001"), "EDGE-999")))
    found = {str(one.incident): one for one in run([bad, deadly, last], 1, tmp_path)}
    assert len(found) == 3
    assert found[str(bad)].problems[0].startswith("the incident was not made: KeyError")
    assert found[str(bad)].abstained
    assert found[str(deadly)].problems == ("the process died",)
    assert "'EDGE-999'" in found[str(last)].problems[0]


def test_an_investigation_that_raises_is_counted_as_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it said, in one line."""

    def raises(*_: object, **__: object) -> None:
        message = "no\nway"
        raise RuntimeError(message)

    monkeypatch.setattr(accuracy, "investigate", raises)
    assert accuracy.outcome(GOOD, tmp_path).problems == ("RuntimeError: no way",)
