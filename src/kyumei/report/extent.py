"""How far a failure goes, in words: its impact, and what else stands out in the logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.model.finding import Verdict
from kyumei.report.document import Code, Grid, Paragraph, Section, Tone
from kyumei.report.moments import shown_moment, shown_span
from kyumei.report.tables import hop_label

if TYPE_CHECKING:
    from kyumei.model.finding import Finding, Impact, Investigation
    from kyumei.report.document import Block

_TONES = {Verdict.CAUSE_FOUND: Tone.PROVEN, Verdict.HEALTHY: Tone.HEALTHY, Verdict.CANNOT_TELL: Tone.UNKNOWN}
_SERVER_ERROR = 500


def counted(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def impact_words(impact: Impact, zone: str | None) -> str:
    """How much a failure did, in one sentence."""
    clients = f" of {counted(impact.clients, 'client')}" if impact.clients else ""
    paths = f" on {counted(impact.paths, 'path')}" if impact.paths else ""
    over = "still going on where the log ends" if impact.ongoing else f"over: {counted(impact.since, 'request')} since were not answered so"
    span = f"from {shown_moment(impact.first, zone)} to {shown_moment(impact.last, zone)}"
    share = f"{impact.share:.1%} of the requests to these paths in that time"
    return f"{counted(impact.requests, 'request')}{clients}{paths}, {span}, {share}; {over}"


def impact_section(finding: Finding | None, zone: str | None) -> tuple[Section, ...]:
    """What the cause did, with the query that counts it."""
    if finding is None or finding.impact is None:
        return ()
    blocks: tuple[Block, ...] = (Paragraph(f"{impact_words(finding.impact, zone)}."), Code(finding.impact.sql, fold="The query"))
    return (Section("impact", "Impact", blocks),)


def standouts_section(investigation: Investigation) -> tuple[Section, ...]:
    """What stands out where nobody said what was wrong; the answer above is about the first."""
    if not investigation.standouts:
        return ()
    zone = investigation.symptom.zone
    rows = tuple(
        (
            shown_span(one.window.start, one.window.end, zone),
            hop_label(one.hop),
            str(one.status),
            ", ".join(one.paths) or "many paths",
            f"{one.failed:,} of {one.requests:,}",
            f"{one.expected:,.1f}",
            "going on" if one.ongoing else "over",
        )
        for one in investigation.standouts
    )
    tones = tuple(Tone.UNKNOWN if one.status >= _SERVER_ERROR else Tone.PLAIN for one in investigation.standouts)
    grid = Grid(("When", "At", "Status", "Path", "Failed", "Usual", "At the end"), rows, tones)
    return (Section("standouts", "What stands out in these logs", (grid,)),)


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
