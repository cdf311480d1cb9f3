"""``python -m bench.accuracy``: how often the first finding is right over generated incidents, and what was accused wrongly.

    python -m bench.accuracy [--seeds N] [--first SEED] [--causes EDGE-035 ...] [--variants guilty innocent undecidable] [--failing]

Beside it stand the same figures for a baseline that takes the most frequent error line within five minutes of the moment (its shape, that
is without numbers and names) for the cause.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from incidents.edge import CAUSES, COMBINED, generate
from kyumei.api import investigate
from kyumei.errors import KyumeiError
from kyumei.model.finding import Certainty

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from incidents.edge import Truth, Variant
    from kyumei.model.finding import Finding, Investigation

VARIANTS: tuple[Variant, ...] = ("guilty", "innocent", "undecidable")
EVERY = {**CAUSES, **COMBINED}
MISSING = {
    "alb": ("load balancer", "alb"),
    "clb": ("load balancer", "clb"),
    "nginx_error": ("nginx",),
    "apache_error": ("apache",),
    "gunicorn": ("application", "gunicorn", "server"),
    "application": ("application", "gunicorn", "server"),
    "syslog": ("syslog", "kernel", "application"),
    "lambda": ("lambda", "function"),
    "apigateway": ("api gateway", "gateway"),
    "execution": ("api gateway", "gateway"),
}
"""Words of which the name of a missing log holds one."""
ERROR = re.compile(r"\b(?:error|crit|alert|emerg|critical|fatal|exception|failed)\b|Traceback", re.IGNORECASE)
STAMP = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d|\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d")
LOOSE = re.compile(r'"[^"]*"|/[\w./-]+|\b[\da-fA-F:.]*\d[\da-fA-F:.]*\b')


@dataclass(frozen=True)
class Outcome:
    """How one incident was answered. ``accused`` are codes that are wrong."""

    truth: Truth
    verdict: str
    first: str
    problems: tuple[str, ...]
    accused: tuple[str, ...]
    baseline_right: bool

    @property
    def right(self) -> bool:
        """Whether the verdict and the first finding are the true ones."""
        return not self.problems


def sure(findings: Iterable[Finding]) -> list[Finding]:
    """Findings that accuse: proven or likely ones."""
    return [finding for finding in findings if finding.certainty is not Certainty.POSSIBLE]


def accused(truth: Truth, answer: Investigation) -> tuple[str, ...]:
    """Codes that the answer accuses and that are wrong."""
    found = [finding.code for finding in sure(answer.findings) if finding.code in truth.forbidden]
    if truth.verdict == "healthy":
        found += [finding.code for finding in sure(answer.findings) if finding.code not in truth.forbidden]
    return tuple(dict.fromkeys(found))


def problems(truth: Truth, answer: Investigation) -> list[str]:
    """What is wrong with an answer, measured against the truth; nothing where it is right."""
    found = [f"accuses {code}" for code in accused(truth, answer)]
    if truth.weaker and answer.verdict == "cannot_tell":
        return found
    if answer.verdict != truth.verdict:
        return [*found, f"verdict {answer.verdict}, not {truth.verdict}: {answer.sentence}"]
    if truth.verdict == "cause_found":
        found += _first(truth, answer)
    words = [word for log in truth.missing for word in MISSING.get(log, (log,))]
    if words and not any(word in gap.missing.lower() for gap in answer.gaps for word in words):
        found.append(f"does not name the missing log ({' or '.join(truth.missing)}): {[gap.missing for gap in answer.gaps]}")
    return found


def _first(truth: Truth, answer: Investigation) -> list[str]:
    first = answer.findings[0]
    found = [] if first.code in truth.codes else [f"first is {first.code}, not {' or '.join(truth.codes)}: {first.title}"]
    lines = {(one.file, one.line) for evidence in first.chain for one in evidence.citations}
    if first.code in truth.codes and not lines & {(one.file, one.line) for one in truth.cited}:
        found.append(f"cites none of the {len(truth.cited)} lines that show it")
    codes = {finding.code for finding in answer.findings}
    return found + [f"nothing says {' or '.join(group)}" for group in truth.all_codes if not codes & set(group)]


def shape(line: str) -> str:
    """A line without what changes from one to the next."""
    return LOOSE.sub("#", STAMP.sub("", line))


def baseline(folder: Path, truth: Truth) -> bool:
    """Whether the most frequent shape of error line near the moment is that of a line that shows the cause.

    It is told the right zone, which is more than ``sort | uniq -c`` knows: lines are near when their minute is, in any zone.
    """
    minutes = {f"{truth.moment + timedelta(minutes=offset):%M}" for offset in range(-2, 3)}
    counts: Counter[str] = Counter()
    right: set[str] = set()
    cited = {(one.file, one.line) for one in truth.cited}
    for path in sorted(one for one in folder.rglob("*") if one.is_file() and "aws" not in one.parts):
        name, data = str(path.relative_to(folder)), path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        for number, line in enumerate(text.split("\n"), 1):
            if (name, number) in cited:
                right.add(shape(line))
            stamp = STAMP.search(line)
            if stamp and not line.startswith("{") and ERROR.search(line) and stamp.group().split(":")[-2] in minutes:
                counts[shape(line)] += 1
    if not counts:
        return truth.verdict != "cause_found"
    return counts.most_common(1)[0][0] in right


def outcome(cause: str, variant: Variant, seed: int, folder: Path) -> Outcome:
    """Write one incident, have it investigated, and compare with the truth."""
    truth = generate(cause, variant, seed, folder / "case")
    guessed = baseline(folder / "case", truth)
    try:
        answer = investigate(folder / "case", truth.sentence, now=truth.moment + timedelta(hours=9), cache=folder / "cache")
    except (KyumeiError, duckdb.Error) as error:
        return Outcome(truth, "error", "", (f"{type(error).__name__}: {error}".splitlines()[0],), (), guessed)
    first = answer.findings[0].code if answer.findings else ""
    return Outcome(truth, str(answer.verdict), first, tuple(problems(truth, answer)), accused(truth, answer), guessed)


def figures(outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    """What is measured, kyumei's figure, the baseline's."""
    decidable = [one for one in outcomes if one.truth.verdict == "cause_found"]
    rest = [one for one in outcomes if one.truth.verdict != "cause_found"]
    top = sum(one.first in one.truth.codes and one.verdict == "cause_found" for one in decidable)
    rival = sum(one.baseline_right for one in decidable)
    false = sum(bool(one.accused) for one in outcomes)
    always = sum(not one.baseline_right for one in outcomes)
    silent = sum(one.verdict != "cause_found" and not one.truth.weaker for one in decidable)
    kept = sum(one.verdict == one.truth.verdict for one in rest)
    return [
        ("top-1, of the decidable", share(top, len(decidable)), share(rival, len(decidable))),
        ("false accusations", share(false, len(outcomes)), share(always, len(outcomes))),
        ("wrong abstentions", share(silent, len(decidable)), share(0, len(decidable))),
        ("rightly healthy or cannot tell", share(kept, len(rest)), share(sum(one.baseline_right for one in rest), len(rest))),
        ("entirely right", share(sum(one.right for one in outcomes), len(outcomes)), "-"),
    ]


def share(count: int, total: int) -> str:
    """A count of a total, with its percentage."""
    return f"{count}/{total} ({100 * count / total:.1f} %)" if total else "-"


def report(outcomes: Sequence[Outcome], *, failing: bool) -> str:
    """The tables as text: all together, by cause, and on demand each incident that was answered wrongly."""
    lines = [f"{'':32}{'kyumei':>20}{'most frequent error':>24}"]
    lines += [f"{what:32}{ours:>20}{theirs:>24}" for what, ours, theirs in figures(outcomes)]
    lines += ["", f"{'cause':10}{'guilty':>8}{'innocent':>10}{'undecidable':>13}{'accused':>9}{'baseline':>10}  what it is"]
    by_cause: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        by_cause[one.truth.cause].append(one)
    for cause, group in by_cause.items():
        cells = [[one.right for one in group if one.truth.variant == variant] for variant in VARIANTS]
        guilty, innocent, undecidable = (f"{sum(cell)}/{len(cell)}" for cell in cells)
        wrong, rival = sum(bool(one.accused) for one in group), sum(one.baseline_right for one in group)
        lines.append(f"{cause:10}{guilty:>8}{innocent:>10}{undecidable:>13}{wrong:>9}{rival:>7}/{len(group):<2}  {EVERY[cause].what}")
    if failing:
        wrong_ones = [one for one in outcomes if not one.right]
        lines += ["", "answered wrongly:"]
        lines += [f"  {one.truth.cause} {one.truth.variant} seed {one.truth.seed}: {'; '.join(one.problems)}" for one in wrong_ones]
    return "\n".join(lines)


def main() -> int:
    """Measure and print; the exit code is 1 where anything was accused wrongly."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description="Measure how often kyumei is right.")
    parser.add_argument("--seeds", type=int, default=1, help="how many incidents of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--causes", nargs="*", default=list(EVERY), help="ids of causes")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=VARIANTS, help="which variants")
    parser.add_argument("--failing", action="store_true", help="also list every incident that was answered wrongly")
    told = parser.parse_args()
    outcomes = []
    for cause in told.causes:
        for variant in told.variants:
            for seed in range(told.first, told.first + told.seeds):
                with tempfile.TemporaryDirectory() as folder:
                    outcomes.append(outcome(cause, variant, seed, Path(folder)))
    print(report(outcomes, failing=told.failing))  # noqa: T201 - the result of the command
    return 1 if any(one.accused for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
