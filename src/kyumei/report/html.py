"""Draws a document as one HTML file that needs nothing else: no script, no font, no image, no request to anywhere.

A content security policy forbids what is not there. Every text passes ``escape.for_html``; the only markup is what this module writes.
"""

from __future__ import annotations

from functools import singledispatch
from importlib import resources
from typing import TYPE_CHECKING

from kyumei.report.compose import to_document
from kyumei.report.diagram import hop_diagram
from kyumei.report.document import Bullets, Code, Facts, Grid, Message, Paragraph, Steps
from kyumei.report.escape import for_html
from kyumei.report.plot import timeline_plot
from kyumei.report.pulse_plot import pulse_plot
from kyumei.report.quote import AGAIN, Part, Quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from kyumei.model.finding import Investigation
    from kyumei.report.document import Block, Document, Glance, Section

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_FOOTER = "Made from the files of the case alone. Times in the zone of the person who asked; cited lines as file:line."
_TITLE = 120
_DRAWN = frozenset({"pulse"})
"""Sections of which the drawing says all that the words say."""
_PIECE = {Part.PLAIN: ("", ""), Part.TELLING: ("<mark>", "</mark>"), Part.GAP: ('<span class="gap">', "</span>")}


def to_html(investigation: Investigation, counts: Mapping[str, Sequence[tuple[datetime, int]]] | None = None) -> str:
    """The report as one HTML page. ``counts`` are requests a minute by hop, drawn as bars under the timeline."""
    document = to_document(investigation)
    response = str(investigation.symptom.status or "")
    drawings = {
        "top": hop_diagram(investigation.hops, down=False, response=response) if investigation.hops else "",
        "hops": hop_diagram(investigation.hops, down=True, response=response) if investigation.hops else "",
        "pulse": f'<div class="scroll">{pulse_plot(investigation)}</div>' if investigation.pulses else "",
        "timeline": f'<div class="scroll">{timeline_plot(investigation, counts)}</div>',
    }
    return "\n".join(_page(document, drawings)) + "\n"


def _page(document: Document, drawings: Mapping[str, str]) -> Iterator[str]:
    """The lines of the page."""
    banner = document.banner
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">'
    yield '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">'
    yield f"<title>{for_html(f'{banner.label}: {document.title}'[:_TITLE])}</title>\n<style>{_style()}</style>\n</head>\n<body>"
    yield f"<header>\n<h1>kyumei investigation</h1>\n{_facts(document.asked)}\n</header>\n<main>"
    yield f'<div class="banner {banner.tone.value}" role="status"><p class="label">{for_html(banner.label)}</p>'
    yield f'<p class="headline">{for_html(banner.headline)}</p><p class="meaning">{for_html(banner.meaning)}</p></div>'
    yield drawings["top"]
    yield from _glance(document.glance)
    links = " ".join(f'<a href="#{for_html(section.key)}">{for_html(_short_title(section))}</a>' for section in document.sections)
    yield f'<nav aria-label="Parts of this report">{links}</nav>'
    for section in document.sections:
        yield from _section(section, drawings.get(section.key, ""))
    yield f"</main>\n<footer>{_FOOTER}</footer>\n</body>\n</html>"


def _style() -> str:
    """The style sheet, which goes into the page."""
    return (resources.files("kyumei.report") / "style.css").read_text("utf-8")


def _short_title(section: Section) -> str:
    """The title as a link, without what follows a colon."""
    return section.title.partition(":")[0]


def _glance(glance: Glance) -> Iterator[str]:
    """What one needs first."""
    yield '<section id="glance"><h2>At a glance</h2>'
    yield _facts(glance.facts)
    if glance.proof:
        yield f"<h3>The line that proves it</h3>\n{_figure(glance.proof)}"
    if glance.command:
        yield f"<h3>First step</h3>\n<p>{for_html(glance.command_title)}</p>\n{_command(glance.command)}"
    yield "</section>"


def _section(section: Section, drawing: str) -> Iterator[str]:
    """A part with its heading; one that may be folded is."""
    heading = f"<h2>{for_html(section.title)}</h2>"
    yield f'<section id="{for_html(section.key)}">'
    yield f"<details><summary>{heading}</summary>" if section.fold else heading
    if drawing:
        yield drawing
    for block in section.blocks if section.key not in _DRAWN else ():
        yield from _block(block)
    yield ("</details>" if section.fold else "") + "</section>"


@singledispatch
def _block(block: Block) -> Iterator[str]:
    """One block as HTML."""
    message = f"cannot draw {type(block).__name__}"
    raise TypeError(message)


@_block.register(Paragraph)
def _paragraph(block: Paragraph) -> Iterator[str]:
    tag, attribute = ("h3", "") if block.lead else ("p", ' class="quiet"' if block.quiet else "")
    yield f"<{tag}{attribute}>{for_html(block.text)}</{tag}>"


@_block.register(Bullets)
def _bullets(block: Bullets) -> Iterator[str]:
    yield f"<ul>{''.join(f'<li>{for_html(item)}</li>' for item in block.items)}</ul>"


@_block.register(Facts)
def _facts_block(block: Facts) -> Iterator[str]:
    yield _facts(block.pairs)


@_block.register(Code)
def _code(block: Code) -> Iterator[str]:
    command = _command(block.text)
    yield f'<details class="query"><summary>{for_html(block.fold)}</summary>{command}</details>' if block.fold else command


@_block.register(Message)
def _message(block: Message) -> Iterator[str]:
    yield f"<blockquote>{for_html(block.text, lines=True)}</blockquote>"


@_block.register(Steps)
def _steps(block: Steps) -> Iterator[str]:
    yield '<ol class="steps">'
    for step in block.steps:
        yield f'<li><p class="says">{for_html(step.says)}</p>'
        for shown in step.quotes:
            yield _figure(shown)
        if step.remark:
            yield f'<p class="quiet">{for_html(step.remark)}</p>'
        if step.sql:
            yield f'<details class="query"><summary>The query behind it</summary>{_command(step.sql)}</details>'
        yield "</li>"
    yield "</ol>"


@_block.register(Grid)
def _grid(block: Grid) -> Iterator[str]:
    yield '<table role="table"><thead role="rowgroup"><tr role="row">'
    yield "".join(f'<th role="columnheader" scope="col">{for_html(column)}</th>' for column in block.columns)
    yield '</tr></thead><tbody role="rowgroup">'
    for number, row in enumerate(block.rows):
        cells = (
            f'<td role="cell" data-label="{for_html(_label(column))}">{_cell(cell)}</td>'
            for column, cell in zip(block.columns, row, strict=True)
        )
        yield f'<tr role="row" class="{block.tone(number).value}">{"".join(cells)}</tr>'
    yield "</tbody></table>"


def _label(column: str) -> str:
    """What stands before a cell where there is no room for columns."""
    return column if column.endswith("?") else f"{column}:"


def _cell(text: str) -> str:
    """A cell: its first line, and what annotates it below."""
    first, *more = text.split("\n")
    return for_html(first) + "".join(f'<span class="more">{for_html(line)}</span>' for line in more)


def _facts(pairs: tuple[tuple[str, str], ...]) -> str:
    """Names and values."""
    return f"<dl>{''.join(f'<dt>{for_html(name)}</dt><dd>{for_html(value)}</dd>' for name, value in pairs)}</dl>" if pairs else ""


def _command(text: str) -> str:
    """Something to copy: one click selects all of it."""
    return f'<pre class="command"><code>{for_html(text, lines=True)}</code></pre>'


def _figure(shown: Quote) -> str:
    """A cited line under its place, with the telling parts marked; only its place where it is quoted further up."""
    if shown.again:
        return f'<p class="quiet"><span class="place">{for_html(shown.place)}</span> {AGAIN}</p>'
    text = "".join(f"{_PIECE[piece.part][0]}{for_html(piece.text, lines=True)}{_PIECE[piece.part][1]}" for piece in shown.pieces)
    return f'<figure><figcaption class="place">{for_html(shown.place)}</figcaption><pre>{text}</pre></figure>'
