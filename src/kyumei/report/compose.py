"""Turns an investigation into a document: which parts there are, in which order, in which words.

The first screenful answers what one asks at three in the morning: the verdict, who answered, the rule, the line that proves it, the first
command. Where nothing could be decided, what is missing comes right after the verdict.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.model.finding import Certainty, Verdict
from kyumei.model.symptom import Trouble
from kyumei.report.document import Banner, Bullets, Code, Document, Facts, Glance, Message, Paragraph, Section, Step, Steps, Tone
from kyumei.report.extent import impact_section, impact_words, others_section, part_looked_at, pulse_section, standouts_section
from kyumei.report.local_times import told_locally
from kyumei.report.moments import shown_moment, shown_span
from kyumei.report.quote import GLANCE_CHARACTERS, proving, quote, quoted_once, telling_words
from kyumei.report.tables import coverage_grid, hop_grid, hop_label, hop_name, timeline_grid, unread_grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kyumei.model.finding import Finding, Gap, Investigation
    from kyumei.model.symptom import Symptom
    from kyumei.report.document import Block

_MEANING = {
    Certainty.PROVEN: "Proven: a record names the cause and belongs to this request, and a second source confirms it.",
    Certainty.LIKELY: "Likely: it fits, and every rival that these logs can speak of is ruled out.",
    Certainty.POSSIBLE: "Possible: it fits, but what would settle it is missing.",
}
_OPEN = {
    Verdict.HEALTHY: (Tone.HEALTHY, "Healthy", "The logs that cover this moment show no failure that fits."),
    Verdict.CANNOT_TELL: (Tone.UNKNOWN, "Cannot tell", "The logs at hand do not decide it. What would decide it comes next."),
}
_KINDS = {
    Trouble.SLOW: "slow",
    Trouble.TIMED_OUT: "timed out",
    Trouble.NOT_CONNECTED: "no connection, or one that broke",
    Trouble.TLS: "TLS: handshake or certificate",
    Trouble.REDIRECT_LOOP: "redirects in a loop",
    Trouble.CROSS_ORIGIN: "refused by the browser to a page of another origin (CORS)",
}
"""What was seen where it was no status, in a person's words."""
_EXPLAINED: dict[Trouble | None, str] = {Trouble.SLOW: "slow request", Trouble.TLS: "failing connection"}
"""What a cause explains where that is no failing request."""
TOLD_CHARACTERS = 400
"""So much of a symptom is shown to people."""
_ACRONYMS = frozenset({"acl", "alb", "api", "arn", "id", "ip", "pid", "uri", "url", "waf"})
_COMMAND = re.compile(r"(?P<command>(?:aws|kyumei) \S.*?)(?:, (?P<after>then .*))?", re.DOTALL)
_WRITES = re.compile(r" > (?P<folder>[\w./-]+)/[^/\s]+$")


def to_document(investigation: Investigation) -> Document:
    """The investigation as a document, in reading order."""
    investigation = told_locally(investigation)
    cause = investigation.findings[0] if investigation.findings else None
    found = investigation.verdict is Verdict.CAUSE_FOUND
    gaps = _gaps(investigation)
    sections = (
        standouts_section(investigation),
        pulse_section(investigation),
        () if found else gaps,
        _evidence(investigation),
        impact_section(cause if found else None, investigation.symptom),
        _hops(investigation),
        _ruled_out(investigation),
        _fix(investigation, cause) if found else (),
        _check(cause) if found else (),
        gaps if found else (),
        _coverage(investigation),
        _unread(investigation),
        _timeline(investigation),
        others_section(investigation),
        _notes(investigation),
        _message(investigation, cause),
    )
    return Document(
        title=_told(investigation.symptom.text) or "An investigation without a symptom",
        asked=_asked(investigation),
        banner=_banner(investigation, cause),
        glance=_glance(investigation, cause),
        sections=tuple(section for group in sections for section in group),
    )


def _asked(investigation: Investigation) -> tuple[tuple[str, str], ...]:
    """What was asked, and how it was read, so that a misreading is seen at once."""
    symptom = investigation.symptom
    pairs = [("Symptom", _told(symptom.text) or "none was given")]
    read = " · ".join(_read_as(symptom))
    if read:
        # Where nobody named a status, what stands out most was looked at: it was not read from the symptom.
        pairs.append(("Looked at" if investigation.standouts else "Read as", read))
    if symptom.window:
        pairs.append(("When", shown_span(symptom.window.start, symptom.window.end, symptom.zone)))
    if symptom.ignored:
        pairs.append(("Ignored", ", ".join(f"“{words}”" for words in symptom.ignored)))
    pairs += [("Note", note) for note in symptom.notes]
    if investigation.case:
        pairs.append(("Case", investigation.case))
    return tuple(pairs)


def _told(text: str) -> str:
    """What the person said in one line, a long paste by its beginning; the JSON report holds it whole."""
    line = " ".join(text.split())
    return line if len(line) <= TOLD_CHARACTERS else f"{line[:TOLD_CHARACTERS]} […{len(line) - TOLD_CHARACTERS:,} characters…]"


def _read_as(symptom: Symptom) -> Iterable[str]:
    """The parts of the symptom that were understood, but for the time."""
    if symptom.status is not None:
        yield f"status {symptom.status:03d}"
    elif symptom.status_class:
        yield f"status {symptom.status_class}xx"
    if symptom.kind:
        yield _KINDS[symptom.kind]
    if symptom.took_seconds is not None:
        yield f"took {symptom.took_seconds:g} s"
    named = (
        ("method", symptom.method),
        ("host", symptom.host),
        ("path", symptom.path),
        ("query", symptom.query),
        ("client", symptom.client),
    )
    for name, value in named:
        if value:
            yield f"{name} {value}"
    for number in symptom.request_ids:
        yield f"request id {number}"
    if symptom.error_text:
        yield f"error text “{symptom.error_text}”"
    if symptom.browser:
        yield "seen in a browser"


def _banner(investigation: Investigation, cause: Finding | None) -> Banner:
    """The verdict in one sentence."""
    if investigation.verdict is Verdict.CAUSE_FOUND and cause:
        tone = Tone(cause.certainty.value)
        return Banner(tone, f"Cause found · {cause.certainty.value}", investigation.sentence or cause.title, _MEANING[cause.certainty])
    tone, label, meaning = _OPEN.get(investigation.verdict, _OPEN[Verdict.CANNOT_TELL])
    return Banner(tone, label, investigation.sentence or meaning, meaning)


def _glance(investigation: Investigation, cause: Finding | None) -> Glance:
    """The first screenful after the verdict."""
    if investigation.verdict is not Verdict.CAUSE_FOUND or not cause:
        return _open_glance(investigation, cause)
    # A proven cause that no hop of the table answered (a bucket, a handshake) says itself who did; "not known" would contradict it.
    answered = _who_answered(investigation) or ("" if cause.certainty is Certainty.PROVEN else "not known")
    facts = [("Answered by", answered)] if investigation.hops and answered else []
    named = f"{cause.code} {cause.rule}"
    said = cause.title.lower() in (investigation.sentence or cause.title).lower()  # the banner above has it then
    facts.append(("Cause", named if said else f"{named}: {cause.title}"))
    facts += [(name, value) for name, value in _subject(cause) if name != "Hop" or not answered]  # who answered stands above
    if cause.onset:
        facts.append(("Since", shown_moment(cause.onset, investigation.symptom.zone)))
    if cause.impact:
        facts.append(("Impact", impact_words(cause.impact, investigation.symptom.zone, part_looked_at(cause, investigation.symptom))))
    elif cause.explains:
        facts.append(("Explains", _count(cause.explains, _EXPLAINED.get(investigation.symptom.kind, "failing request"))))
    proof = proving(cause, investigation.symptom)
    command, title = next(((command, remedy.says) for remedy in cause.remedy for command in remedy.commands), ("", ""))
    return Glance(
        facts=tuple(facts),
        proof=quote(proof[0], telling_words(investigation.symptom, cause, proof[1]), GLANCE_CHARACTERS) if proof else None,
        command=command,
        command_title=title,
    )


def _open_glance(investigation: Investigation, cause: Finding | None) -> Glance:
    """The first screenful where no cause was found: who covers the moment, what would decide, what to do first."""
    undecided = investigation.verdict is Verdict.CANNOT_TELL
    answered = _who_answered(investigation) or ("not known" if undecided and investigation.hops else "")
    facts = [("Answered by", answered)] if answered else []
    covering = ", ".join(item.table for item in investigation.coverage if item.covers_symptom)
    if investigation.coverage and (covering or investigation.symptom.window):  # else there is no moment that could be covered
        facts.append(("Covered by", covering or "no log of this case shows that it covers the moment"))
    if cause:
        facts.append(("Would fit", f"{cause.title} ({cause.code}, {cause.certainty.value})"))
    if not undecided or not investigation.gaps:
        return Glance(tuple(facts))
    first = investigation.gaps[0]
    facts.append(("Missing", first.missing))
    facts.append(("Would decide", first.would_decide))
    command, words = _command(first.how)
    if command:
        return Glance(tuple(facts), command=command, command_title=f"get what is missing{words}:")
    facts.append(("First step", first.how))
    return Glance(tuple(facts))


def _subject(finding: Finding) -> list[tuple[str, str]]:
    """What the finding is about, named as people write it: ``web_acl`` is Web ACL."""
    pairs = []
    for name, value in finding.subject.items():
        if not value:
            continue
        words = [word.upper() if word in _ACRONYMS else word for word in name.split("_")]
        pairs.append((" ".join([words[0][:1].upper() + words[0][1:], *words[1:]]), value))
    return pairs


def _who_answered(investigation: Investigation) -> str:
    """The component that made the response; empty where that is not known."""
    answered = [hop_label(hop.hop) + (f" ({hop_name(hop)})" if hop_name(hop) else "") for hop in investigation.hops if hop.answered]
    return ", ".join(answered)


def _count(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _evidence(investigation: Investigation) -> tuple[Section, ...]:
    """The chain of the first finding, and the other findings after it."""
    sections = []
    for number, finding in enumerate(investigation.findings):
        found = number == 0 and investigation.verdict is Verdict.CAUSE_FOUND
        quoted: set[tuple[str, str]] = set()
        steps = tuple(_step(investigation.symptom, finding, index, quoted) for index in range(len(finding.chain)))
        blocks: list[Block] = []
        if not found:
            blocks.append(Paragraph(_MEANING[finding.certainty], quiet=True))
            if finding.because:
                blocks.append(Paragraph(f"A consequence: it is explained by {finding.because}.", lead=True))
            blocks.append(Facts((("Cause", f"{finding.code} {finding.rule}"), *_subject(finding))))
        blocks.append(Steps(steps))
        if any(shown.shortened for step in steps for shown in step.quotes):
            blocks.append(
                Paragraph("Long lines are shortened here around the part that tells; the JSON report holds them whole.", quiet=True)
            )
        start = "Felt as" if finding.because else "Also found" if number else "What would fit"
        title = "Evidence" if found else f"{start}: {finding.title}"
        sections.append(Section("evidence" if found else f"finding-{number + 1}", title, tuple(blocks)))
    return tuple(sections)


def _step(symptom: Symptom, finding: Finding, index: int, quoted: set[tuple[str, str]]) -> Step:
    """One link of the chain; a line that was ``quoted`` so at an earlier one is only named."""
    evidence = finding.chain[index]
    telling = telling_words(symptom, finding, evidence.says)
    shown = len(evidence.citations)
    remark = f"{shown} of {_count(evidence.total, 'row')} shown" if shown and evidence.total > shown else ""
    quotes = tuple(quoted_once(quote(citation, telling), quoted) for citation in evidence.citations)
    return Step(evidence.says, quotes, remark, evidence.sql)


def _hops(investigation: Investigation) -> tuple[Section, ...]:
    """Who saw the request, and who answered it."""
    if not investigation.hops:
        return ()
    return (Section("hops", "Who saw the request", (hop_grid(investigation.hops),)),)


def _ruled_out(investigation: Investigation) -> tuple[Section, ...]:
    """The rivals that the logs exclude."""
    if not investigation.ruled_out:
        return ()
    steps = []
    for item in investigation.ruled_out:
        words = telling_words(investigation.symptom, None, item.why)
        steps.append(Step(f"{item.code}: {item.why}", tuple(quote(citation, words) for citation in item.citations)))
    return (Section("ruled-out", "Ruled out", (Steps(tuple(steps)),)),)


def _fix(investigation: Investigation, cause: Finding | None) -> tuple[Section, ...]:
    """The remedies, each with its commands and with what it would let through on the logs at hand."""
    if not cause or not cause.remedy:
        return ()
    blocks: list[Block] = []
    for number, remedy in enumerate(cause.remedy, start=1):
        blocks.append(Paragraph(f"{number}. {remedy.says}" if len(cause.remedy) > 1 else remedy.says, lead=True))
        blocks += [Code(command) for command in remedy.commands]
        if remedy.proof:
            blocks.append(Facts((("On these logs", remedy.proof),)))
    title = "How to fix it" if investigation.verdict is Verdict.CAUSE_FOUND else "What would fix it"
    return (Section("fix", title, tuple(blocks)),)


def _check(cause: Finding | None) -> tuple[Section, ...]:
    """How to see that the fix held."""
    if not cause or not cause.check:
        return ()
    blocks: list[Block] = []
    for check in cause.check:
        blocks.append(Paragraph(check.says, lead=True))
        if check.command:
            blocks.append(Code(check.command))
    return (Section("check", "How to check that it worked", tuple(blocks)),)


def _gaps(investigation: Investigation) -> tuple[Section, ...]:
    """What is missing, what it would decide, and how to get it."""
    if not investigation.gaps:
        return ()
    blocks = tuple(block for gap in investigation.gaps for block in _gap(gap))
    return (Section("gaps", "What is missing, and how to get it", blocks),)


def _gap(gap: Gap) -> Iterable[Block]:
    """One gap; how to close it as a command where it is one."""
    command, words = _command(gap.how)
    how = (f"run this{words}" if words else "") if command else gap.how
    pairs = (("Would decide", gap.would_decide), ("How", how))
    yield Paragraph(gap.missing, lead=True)
    yield Facts(tuple(pair for pair in pairs if pair[1]))
    if command:
        yield Code(command)


def _command(how: str) -> tuple[str, str]:
    """The command of a way to get something, so that it runs as it is copied, and words to follow "run this"; empty where it is none."""
    told = _COMMAND.fullmatch(how)
    if not told:
        return "", ""
    after = f", {told['after']}" if told["after"] else ""
    writes = _WRITES.search(told["command"])
    if writes:
        return f"mkdir -p {writes['folder']} && {told['command']}", f" in the case folder{after}"
    return told["command"], after


def _coverage(investigation: Investigation) -> tuple[Section, ...]:
    """Which log covers what."""
    if not investigation.coverage:
        return ()
    covering = sum(item.covers_symptom for item in investigation.coverage)
    title = f"What the logs cover: {covering} of {_count(len(investigation.coverage), 'log')} shown to cover the moment"
    return (Section("coverage", title, (coverage_grid(investigation.coverage, investigation.symptom.zone),), fold=True),)


def _unread(investigation: Investigation) -> tuple[Section, ...]:
    """The lines that no reader could read; that there are none is also said."""
    if not investigation.unread_lines:
        return (Section("unread", "Unread lines: none", (Paragraph("Every line was read or lies outside the window."),), fold=True),)
    lines = _count(investigation.unread_lines, "line")
    lead = f"{lines} could not be read, and took no part in the verdict. kyumei tables PATH --unread lists each with why."
    blocks = (Paragraph(lead), unread_grid(investigation.unread_files))
    return (Section("unread", f"Unread lines: {investigation.unread_lines:,}", blocks, fold=True),)


def _timeline(investigation: Investigation) -> tuple[Section, ...]:
    """What happened, in order."""
    if not investigation.timeline:
        return ()
    grid, left_out = timeline_grid(investigation)
    blocks: tuple[Block, ...] = (grid,)
    if left_out:
        blocks = (
            *blocks,
            Paragraph(f"{_count(left_out, 'moment')} further from the symptom not shown here; the JSON report holds all.", quiet=True),
        )
    return (Section("timeline", "Timeline", blocks),)


def _notes(investigation: Investigation) -> tuple[Section, ...]:
    """What the reader should know of the reading itself."""
    return (Section("notes", "Good to know", (Bullets(investigation.notes),)),) if investigation.notes else ()


def _message(investigation: Investigation, cause: Finding | None) -> tuple[Section, ...]:
    """The words for the person who reported it."""
    text = investigation.message or (cause.message if cause else "")
    return (Section("message", "For the person who reported it", (Message(text),)),) if text else ()
