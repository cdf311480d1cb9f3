"""How far a failure goes, in words: its impact, and what else stands out in the logs."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from kyumei.model.finding import Verdict
from kyumei.model.status import SERVER_ERROR
from kyumei.report.document import Code, Grid, Paragraph, Section, Tone
from kyumei.report.moments import shown_moment, shown_span
from kyumei.report.tables import hop_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.model.finding import Finding, Impact, Investigation
    from kyumei.model.symptom import Symptom
    from kyumei.report.document import Block

_TONES = {Verdict.CAUSE_FOUND: Tone.PROVEN, Verdict.HEALTHY: Tone.HEALTHY, Verdict.CANNOT_TELL: Tone.UNKNOWN}
_CELLS = 40
_LEVELS = "▁▂▃▄▅▆▇█"
_MOST = 12
"""Standouts that a person reads; the JSON has all."""


def counted(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def impact_words(impact: Impact, zone: str | None, part: int = 0) -> str:
    """How much a failure did from its first request to its last, in one sentence; ``part`` of it is what the verdict counts, 0 for all."""
    clients = f" of {counted(impact.clients, 'client')}" if impact.clients else ""
    paths = f" on {counted(impact.paths, 'path')}" if impact.paths else ""
    alone = impact.requests == 1
    ongoing = "nothing later shows whether it goes on" if alone or impact.quiet else "still going on where the log ends"
    over = (
        ongoing
        if impact.ongoing
        else f"over: {counted(impact.since, 'request')} since {'was' if impact.since == 1 else 'were'} not answered so"
    )
    first = shown_moment(impact.first, zone)
    span = f"at {first}" if alone else f"from {first} to {shown_moment(impact.last, zone)}"
    share = f"{impact.share:.1%} of the requests to these paths in that time"
    within = f"; of these the verdict counts the {part:,} in the time looked at" if part else ""
    return f"{counted(impact.requests, 'request')}{clients}{paths}, {span}, {share}; {over}{within}"


def part_looked_at(finding: Finding, symptom: Symptom) -> int:
    """How many requests the verdict counts where the failure began before the time looked at, or went on after it; 0 where it did not."""
    did, looked = finding.impact, symptom.window
    if did is None or looked is None or (did.first >= looked.start and did.last < looked.end):
        return 0
    return finding.explains if finding.explains < did.requests else 0


def impact_section(finding: Finding | None, symptom: Symptom) -> tuple[Section, ...]:
    """What the cause did, with the query that counts it."""
    if finding is None or finding.impact is None:
        return ()
    blocks: tuple[Block, ...] = (
        Paragraph(f"{impact_words(finding.impact, symptom.zone, part_looked_at(finding, symptom))}."),
        Code(finding.impact.sql, fold="The query"),
    )
    return (Section("impact", "Impact", blocks),)


def standouts_section(investigation: Investigation) -> tuple[Section, ...]:
    """What stands out where nobody said what was wrong; the answer above is about the first."""
    shown, more = investigation.standouts[:_MOST], len(investigation.standouts) - _MOST
    if not shown:
        return ()
    zone = investigation.symptom.zone
    rows = tuple(
        (
            shown_span(one.window.start, one.window.end, zone),
            hop_label(one.hop),
            str(one.status),
            ", ".join(one.paths) or "many paths",
            f"{one.failed:,} of {one.requests:,}",
            f"{one.expected:,.1f}" if one.expected else "not known",
            "no" if one.ongoing else "yes",
        )
        for one in shown
    )
    tones = tuple(Tone.ANSWERED if one.status >= SERVER_ERROR else Tone.PLAIN for one in shown)
    grid = Grid(("When", "At", "Status", "Path", "Failed", "Usual", "Over?"), rows, tones)
    left = f"{more:,} more stretch{' is' if more == 1 else 'es are'} not shown here; the JSON report holds all."
    rest = (Paragraph(left, quiet=True),) if more > 0 else ()
    return (Section("standouts", "What stands out in these logs", (grid, *rest)),)


def pulse_section(investigation: Investigation) -> tuple[Section, ...]:
    """Requests and failures over time, which HTML draws; where only text can be drawn the failures of each hop as a line of blocks."""
    if not investigation.pulses:
        return ()
    first = investigation.pulses[0]
    end = first.start + timedelta(seconds=first.seconds * len(first.requests))
    rows = tuple(
        (hop_label(pulse.hop), f"{sum(pulse.requests):,}", f"{sum(pulse.failed):,}", spark(pulse.failed)) for pulse in investigation.pulses
    )
    grid = Grid(("At", "Requests", "Failed", "Failures over time"), rows)
    when = Paragraph(f"{shown_span(first.start, end, investigation.symptom.zone)}, from left to right", quiet=True)
    return (Section("pulse", "Requests and failures over time", (grid, when)),)


def spark(counts: Sequence[int]) -> str:
    """Counts as a line of blocks, the highest where they are the most; a space stands for none.

    >>> spark([0, 1, 2, 16])
    ' ▁▁█'
    """
    width = max(1, ceil(len(counts) / _CELLS))
    sums = [sum(counts[start : start + width]) for start in range(0, len(counts), width)]
    most = max(sums, default=0)
    return "".join(_LEVELS[ceil(len(_LEVELS) * count / most) - 1] if count else " " for count in sums)


def others_section(investigation: Investigation) -> tuple[Section, ...]:
    """The answers for the next standouts, a line each."""
    if not investigation.others:
        return ()
    rows = tuple(
        (
            shown_span(other.symptom.window.start, other.symptom.window.end, other.symptom.zone) if other.symptom.window else "",
            other.verdict.value.replace("_", " "),
            other.findings[0].code if other.findings and other.verdict is Verdict.CAUSE_FOUND else "",
            other.sentence,
        )
        for other in investigation.others
    )
    grid = Grid(("When", "Verdict", "Code", "What was found"), rows, tuple(_TONES[other.verdict] for other in investigation.others))
    return (Section("others", "What else stood out", (grid,)),)
