"""The table of failures: for every id what fails, which rule names it, and the incidents that show it guilty and innocent.

Ids and their words come from ``kyumei.edge.catalogue``, rules from their shelf, incidents from the generators and from ``tests/cases``. Ids
that no finding carries need a reason in ``docs/uncovered.toml``.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from incidents import SCENARIOS
from incidents.edge import CAUSES, COMBINED
from incidents.truth import CODES, INNER_CODES, WAF_CODES
from kyumei import discover
from kyumei.edge.catalogue import KNOWN, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from incidents.plan import Plan

ROOT = Path(__file__).resolve().parent.parent
REASONS = ROOT / "docs" / "uncovered.toml"
CASES = ROOT / "tests" / "cases"
MOST = 4
"""Cases of one kind that a cell names; the rest is counted."""
ANSWERERS = {"EDGE-001": "app", "EDGE-003": "alb", "EDGE-134": "nginx", "EDGE-135": "nginx", "EDGE-137": "nginx"}
"""Whose log must lie in a scenario's folder for the cause to be found; for all others it is WAF's."""


@dataclass
class Shown:
    """The incidents of one id: those of which it is the cause, and those that only look so. By kind: incident, case, scenario."""

    guilty: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    innocent: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


@cache
def covered() -> dict[str, tuple[str, ...]]:
    """The ids that a finding can carry, each with the rules that name it.

    A pattern, a warning or a clue is none of them, though a rule may tell it along with the cause.
    """
    naming: dict[str, list[str]] = defaultdict(list)
    for name, rule in discover.rules().items():
        for code in rule.codes:
            naming[code].append(name)
    return {code: tuple(naming[code]) for code, known in KNOWN.items() if known.kind is Kind.CAUSE and naming[code]}


@cache
def reasons() -> dict[str, str]:
    """Why an id is in no finding, from ``docs/uncovered.toml``."""
    return {code: row["why"] for row in tomllib.loads(REASONS.read_text("utf-8"))["row"] for code in row["ids"]}


@cache
def shown() -> dict[str, Shown]:
    """The incidents of every id that has any."""
    found: dict[str, Shown] = defaultdict(Shown)
    for cause in CAUSES:
        found[cause].guilty["incident"].append(cause)
        found[cause].innocent["incident"].append(cause)
    for name, chain in COMBINED.items():
        for code in dict.fromkeys(code for fault in chain.guilty for part in (fault, *fault.others) for code in part.codes[:1]):
            found[code].guilty["incident"].append(name)
    for name, guilty, innocent in (*_cases(), *_scenarios()):
        kind = "case" if name in _case_names() else "scenario"
        for code in guilty:
            found[code].guilty[kind].append(name)
        for code in innocent:
            found[code].innocent[kind].append(name)
    return dict(found)


@cache
def _case_names() -> frozenset[str]:
    return frozenset(path.parent.name for path in CASES.glob("*/case-expected.toml"))


def _cases() -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """The folders of ``tests/cases``: name, the one code that must come first, the codes that must not be accused."""
    for name in sorted(_case_names()):
        told = tomllib.loads((CASES / name / "case-expected.toml").read_text("utf-8"))
        code = told.get("code", [])
        one = [code] if isinstance(code, str) else code if len(code) == 1 else []
        yield name, one if told["verdict"] == "cause_found" else [], told.get("forbidden", [])


def _scenarios() -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """As above, for the scenarios of ``incidents``."""
    for name, make in SCENARIOS.items():
        plan = make(0)
        codes = CODES[plan.fate]
        yield name, [code for code in codes if _decided(plan, code)], [code for code in (*WAF_CODES, *INNER_CODES) if code not in codes]


def _decided(plan: Plan, code: str) -> bool:
    """Whether the log that names the cause lies in the folder."""
    log = ANSWERERS.get(code, "waf")
    return log in plan.logs and not (log == "waf" and plan.waf_hole_minutes)


def failures() -> str:
    """The page: ids that findings carry, then those that none does."""
    known = covered()
    others = [code for code in sorted({*KNOWN, *reasons()}) if code not in known]
    rows = [(f"`{code}`", KNOWN[code].title, _rules(known[code]), *_shown(code)) for code in known]
    left = [(f"`{code}`", *_unnamed(code)) for code in others]
    return "\n".join(
        [
            "# Failures\n",
            f"What can fail between the browser and the application, by id: {len(known)} ids that a finding can carry, and {len(left)}",
            "that none carries, with the reason. `kyumei rules EDGE-036` says what an id means and what would prove it.\n",
            "An *incident* is made by `incidents.edge` in a guilty, an innocent and an undecidable variant; a *case* is a folder of",
            "`tests/cases`; a *scenario* is made by `incidents`. Innocent are those that look alike, and in which the id must not be",
            "accused.\n",
            table(("id", "what fails", "named by", "guilty", "innocent"), rows),
            "## In no finding\n",
            table(("id", "what it is", "kind", "why"), left),
        ]
    )


def _rules(names: Sequence[str]) -> str:
    return ", ".join(f"[`{name}`](rules.md#{name})" for name in names)


def _shown(code: str) -> tuple[str, str]:
    one = shown().get(code, Shown())
    return _cell(one.guilty), _cell(one.innocent)


def _cell(kinds: dict[str, list[str]]) -> str:
    parts = []
    for kind, names in kinds.items():
        more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
        parts.append(f"{kind}{'s' if len(names) > 1 else ''} {', '.join(f'`{name}`' for name in names[:MOST])}{more}")
    return "; ".join(parts)


def _unnamed(code: str) -> tuple[str, str, str]:
    known = KNOWN.get(code)
    return known.title if known else "", known.kind.value if known else "", reasons().get(code, "no reason is given")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; whatever would end a cell does not."""
    lines = ["| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]]) + "\n"
