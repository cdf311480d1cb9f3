"""``python -m bench.accuracy``: how often the first finding is right over generated incidents, and what was accused wrongly.

    python -m bench.accuracy [--seeds N] [--first SEED] [--causes EDGE-035 ...] [--variants guilty innocent undecidable]
                             [--sample COUNT] [--jobs N] [--failing] [--markdown] [--codes]

Beside it stand the same figures for a baseline that takes the most frequent error line within five minutes of the moment (its shape, that
is without numbers and names) for the cause. An incident that ends in an error, or takes the process with it, counts as answered wrongly.
``--markdown`` prints the section of docs/reference/accuracy.md; ``--codes`` which of the codes that rules claim were never answered.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import sys
import tempfile
from collections import Counter, defaultdict, deque
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from docs.failures import covered, table
from incidents.edge import CAUSES, COMBINED, generate
from kyumei.api import investigate
from kyumei.model.finding import Certainty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from incidents.edge import Truth, Variant
    from kyumei.model.finding import Finding, Investigation

VARIANTS: tuple[Variant, ...] = ("guilty", "innocent", "undecidable")
EVERY = {**CAUSES, **COMBINED}
EVERY_SO_MANY = 50
"""After so many incidents a line says how far it is."""
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
class Incident:
    """One incident, named by what makes it again."""

    cause: str
    variant: Variant
    seed: int

    def __str__(self) -> str:
        return f"{self.cause} {self.variant} seed {self.seed}"


@dataclass(frozen=True)
class Outcome:
    """How one incident was answered. ``accused`` are codes that are wrong, ``answered`` the rule and the code of every finding.

    ``decidable`` says that there is a cause to be found, ``weaker`` that "cannot tell" would do as well.
    """

    incident: Incident
    decidable: bool
    problems: tuple[str, ...]
    accused: tuple[str, ...] = ()
    top: bool = False
    """Whether the verdict is that a cause was found, and the first finding is the true one."""
    abstained: bool = False
    """Whether there is a cause, and the verdict is that none was found."""
    kept: bool = False
    """Whether the verdict is the true one."""
    baseline_right: bool = False
    answered: tuple[tuple[str, str], ...] = ()

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


def outcome(one: Incident, scratch: Path) -> Outcome:
    """Write one incident below ``scratch``, have it investigated, and compare with the truth. It never raises."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        case = Path(folder) / "case"
        try:
            truth = generate(one.cause, one.variant, one.seed, case)
            guessed = baseline(case, truth)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one incident that was not answered rightly
            return lost(one, f"the incident was not made: {type(error).__name__}: {error}")
        try:
            answer = investigate(case, truth.sentence, now=truth.moment + timedelta(hours=9), cache=Path(folder) / "cache")
        except Exception as error:  # noqa: BLE001 - as above
            return replace(lost(one, f"{type(error).__name__}: {error}"), baseline_right=guessed)
    decidable = truth.verdict == "cause_found"
    found = answer.verdict == "cause_found"
    return Outcome(
        one,
        decidable,
        problems=tuple(problems(truth, answer)),
        accused=accused(truth, answer),
        top=decidable and found and answer.findings[0].code in truth.codes,
        abstained=decidable and not found and not (truth.weaker and answer.verdict == "cannot_tell"),
        kept=answer.verdict == truth.verdict,
        baseline_right=guessed,
        answered=tuple(dict.fromkeys((finding.rule, finding.code) for finding in answer.findings)),
    )


def lost(one: Incident, why: str) -> Outcome:
    """The outcome of an incident that ended in an error: wrong, and where there was a cause to be found, an abstention."""
    decidable = one.variant != "undecidable"
    return Outcome(one, decidable, (" ".join(why.split()),), abstained=decidable)


def run(incidents: Sequence[Incident], jobs: int, scratch: Path) -> Iterator[Outcome]:
    """The outcomes, in whatever order they are done.

    No more are handed out than are worked at. When a process dies, those that were under way are asked again, each in a process of its
    own, so that the one that kills it is known and counted.
    """
    waiting = deque(incidents)
    while waiting:
        under_way: dict[Future[Outcome], Incident] = {}
        try:
            with _pool(jobs) as pool:
                while waiting or under_way:
                    while waiting and len(under_way) < jobs:
                        under_way[pool.submit(outcome, waiting[0], scratch)] = waiting[0]
                        waiting.popleft()
                    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                        yield future.result()
                        del under_way[future]
        except BrokenProcessPool:
            yield from (_alone(one, scratch) for one in under_way.values())


def _alone(one: Incident, scratch: Path) -> Outcome:
    """The outcome from a process that works at nothing else."""
    try:
        with _pool(1) as pool:
            return pool.submit(outcome, one, scratch).result()
    except BrokenProcessPool:
        return lost(one, "the process died")


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Processes that start anew and share nothing: an engine with threads must not be copied in the middle of its work."""
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def share(count: int, total: int) -> str:
    """A count of a total, with its percentage."""
    return f"{count}/{total} ({100 * count / total:.1f} %)" if total else "-"


def figures(outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    """What is measured, kyumei's figure, the baseline's (which always accuses somebody)."""
    decidable = [one for one in outcomes if one.decidable]
    rest = [one for one in outcomes if not one.decidable]
    return [
        ("top-1, of the decidable", _share(decidable, lambda one: one.top), _share(decidable, lambda one: one.baseline_right)),
        ("false accusations", _share(outcomes, lambda one: bool(one.accused)), _share(outcomes, lambda one: not one.baseline_right)),
        ("wrong abstentions", _share(decidable, lambda one: one.abstained), share(0, len(decidable))),
        ("rightly healthy or cannot tell", _share(rest, lambda one: one.kept), _share(rest, lambda one: one.baseline_right)),
        ("entirely right", _share(outcomes, lambda one: one.right), "-"),
    ]


def _share(outcomes: Sequence[Outcome], which: Callable[[Outcome], bool]) -> str:
    return share(sum(map(which, outcomes)), len(outcomes))


def by_variant(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """Each variant with its incidents, how many were answered entirely right, accused wrongly, and what the baseline gets right."""
    groups = [(variant, [one for one in outcomes if one.incident.variant == variant]) for variant in VARIANTS]
    return [
        (
            variant,
            str(len(group)),
            _share(group, lambda one: one.right),
            str(sum(bool(one.accused) for one in group)),
            _share(group, lambda one: one.baseline_right),
        )
        for variant, group in groups
        if group
    ]


def wrong(outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    """The incidents that were not answered rightly: which, what it is, and what is wrong with the answer."""
    return [(str(one.incident), EVERY[one.incident.cause].what, "; ".join(one.problems)) for one in outcomes if not one.right]


def report(outcomes: Sequence[Outcome], *, failing: bool) -> str:
    """The tables as text: all together, by cause, and on demand each incident that was answered wrongly."""
    lines = [f"{'':32}{'kyumei':>20}{'most frequent error':>24}"]
    lines += [f"{what:32}{ours:>20}{theirs:>24}" for what, ours, theirs in figures(outcomes)]
    lines += ["", f"{'cause':10}{'guilty':>8}{'innocent':>10}{'undecidable':>13}{'accused':>9}{'baseline':>10}  what it is"]
    by_cause: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        by_cause[one.incident.cause].append(one)
    for cause, group in by_cause.items():
        cells = [[one.right for one in group if one.incident.variant == variant] for variant in VARIANTS]
        guilty, innocent, undecidable = (f"{sum(cell)}/{len(cell)}" for cell in cells)
        bad, rival = sum(bool(one.accused) for one in group), sum(one.baseline_right for one in group)
        lines.append(f"{cause:10}{guilty:>8}{innocent:>10}{undecidable:>13}{bad:>9}{rival:>7}/{len(group):<2}  {EVERY[cause].what}")
    if failing:
        lines += ["", "answered wrongly:", *(f"  {which}: {why}" for which, _, why in wrong(outcomes))]
    return "\n".join(lines)


def markdown(outcomes: Sequence[Outcome], what: str) -> str:
    """The section of docs/reference/accuracy.md: ``what`` says which incidents these were."""
    parts = [
        f"{what} `python -m bench.accuracy {' '.join(sys.argv[1:])}` measures it again.\n",
        table(("", "kyumei", "most frequent error line"), figures(outcomes)),
        table(("variant", "incidents", "entirely right", "accused wrongly", "baseline right"), by_variant(outcomes)),
    ]
    bad = wrong(outcomes)
    if bad:
        parts += ["Not answered rightly:\n", table(("incident", "what it is", "what is wrong"), bad)]
    else:
        parts.append("All were answered rightly.\n")
    return "\n".join(parts)


def codes(outcomes: Sequence[Outcome]) -> tuple[list[str], list[str]]:
    """What was answered though docs/reference/failures.md does not say so of the rule, and what it says and no answer held."""
    seen = {pair for one in outcomes for pair in one.answered}
    claimed = {(name, code) for code, names in covered().items() for name in names}
    return [f"{name}: {code}" for name, code in sorted(seen - claimed)], [f"{name}: {code}" for name, code in sorted(claimed - seen)]


def _listed(what: str, lines: Sequence[str]) -> str:
    return f"\n{what}:\n" + "".join(f"  {line}\n" for line in lines) if lines else ""


def chosen(told: argparse.Namespace) -> tuple[list[Incident], str]:
    """The incidents that were asked for, and in words which these are."""
    seeds = range(told.first, told.first + told.seeds)
    every = [Incident(cause, variant, seed) for cause in told.causes for variant in told.variants for seed in seeds]
    words = f"{len(told.causes)} causes, {', '.join(told.variants)}, seeds {seeds[0]} to {seeds[-1]}"
    if told.sample is None or told.sample >= len(every):
        return every, f"{len(every)} incidents: {words}."
    picked = sorted(Random(told.first).sample(range(len(every)), told.sample))
    return [every[number] for number in picked], f"{told.sample} incidents, drawn at random from {len(every)}: {words}."


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description="Measure how often kyumei is right.")
    parser.add_argument("--seeds", type=int, default=1, help="how many incidents of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--causes", nargs="*", default=list(EVERY), choices=EVERY, metavar="ID", help="ids of causes")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=VARIANTS, help="which variants")
    parser.add_argument("--sample", type=int, help="only so many of them, drawn at random")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--failing", action="store_true", help="also list every incident that was answered wrongly")
    parser.add_argument("--markdown", action="store_true", help="print the section of docs/reference/accuracy.md instead")
    parser.add_argument("--codes", action="store_true", help="also list the codes that rules claim and never answered")
    told = parser.parse_args()
    if min(told.seeds, told.jobs, 1 if told.sample is None else told.sample) < 1:
        parser.error("--seeds, --jobs and --sample are at least 1")
    return told


def main() -> int:
    """Measure and print; the exit code is 1 where anything was accused wrongly, or with a code that the rule does not claim."""
    told = _parsed()
    incidents, words = chosen(told)
    done: list[Outcome] = []
    with tempfile.TemporaryDirectory() as scratch:
        for one in run(incidents, told.jobs, Path(scratch)):
            done.append(one)
            if len(done) % EVERY_SO_MANY == 0:
                sys.stderr.write(f"{len(done)} of {len(incidents)}, {sum(not one.right for one in done)} not right\n")
    order = {one: number for number, one in enumerate(incidents)}
    done.sort(key=lambda one: order[one.incident])
    sys.stdout.write((markdown(done, words) if told.markdown else report(done, failing=told.failing)) + "\n")
    stray, idle = codes(done)
    if told.codes:
        sys.stdout.write(_listed("named by a rule in docs/reference/failures.md, and in no answer of this run", idle))
    sys.stdout.write(_listed("in an answer, and not in docs/reference/failures.md", stray))
    return 1 if stray or any(one.accused for one in done) else 0


if __name__ == "__main__":
    sys.exit(main())
