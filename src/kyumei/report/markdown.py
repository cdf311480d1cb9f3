"""Draws a document as Markdown (CommonMark with tables), for an issue or a post-mortem.

Text from logs stands in fenced blocks or is escaped: it can form no mark, no link, no HTML element.
"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from kyumei.report.compose import to_document
from kyumei.report.document import Bullets, Code, Facts, Grid, Message, Paragraph, Steps
from kyumei.report.escape import code_block, code_span, for_markdown, for_markdown_cell
from kyumei.report.quote import AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kyumei.model.finding import Investigation
    from kyumei.report.document import Block, Document, Glance, Section


def to_markdown(investigation: Investigation) -> str:
    """The report as Markdown, ending with a line feed."""
    return "\n\n".join(_parts(to_document(investigation))) + "\n"


def _parts(document: Document) -> Iterator[str]:
    """The report in blocks, to be parted by empty lines."""
    yield f"# {for_markdown(document.title)}"
    label, headline, meaning = (for_markdown(text) for text in (document.banner.label, document.banner.headline, document.banner.meaning))
    yield f"> **{label}**\n>\n> **{headline}**\n>\n> {meaning}"
    yield _facts(document.glance.facts)
    yield from _glance(document.glance)
    yield "## What was asked"
    yield _facts(document.asked)
    for section in document.sections:
        yield from _section(section)


def _glance(glance: Glance) -> Iterator[str]:
    """The proving line and the first command."""
    if glance.proof:
        yield f"Proof: {code_span(glance.proof.place)}"
        yield code_block(glance.proof.text)
    if glance.command:
        yield f"First step: {for_markdown(glance.command_title)}"
        yield code_block(glance.command, "sh")


def _section(section: Section) -> Iterator[str]:
    """A heading and its blocks."""
    yield f"## {for_markdown(section.title)}"
    for block in section.blocks:
        yield from _block(block)


@singledispatch
def _block(block: Block) -> Iterator[str]:
    """One block as paragraphs of Markdown."""
    message = f"cannot draw {type(block).__name__}"
    raise TypeError(message)


@_block.register(Paragraph)
def _paragraph(block: Paragraph) -> Iterator[str]:
    mark = "**" if block.lead else "*" if block.quiet else ""
    yield f"{mark}{for_markdown(block.text)}{mark}"


@_block.register(Bullets)
def _bullets(block: Bullets) -> Iterator[str]:
    yield "\n".join(f"- {for_markdown(item)}" for item in block.items)


@_block.register(Facts)
def _facts_block(block: Facts) -> Iterator[str]:
    yield _facts(block.pairs)


@_block.register(Code)
def _code(block: Code) -> Iterator[str]:
    if block.fold:
        yield f"{for_markdown(block.fold)}:"
    yield code_block(block.text, "sql" if block.fold else "json" if block.text.lstrip().startswith(("{", "[")) else "sh")


@_block.register(Message)
def _message(block: Message) -> Iterator[str]:
    yield "\n".join(f"> {for_markdown(line)}" for line in block.text.split("\n"))


@_block.register(Steps)
def _steps(block: Steps) -> Iterator[str]:
    for number, step in enumerate(block.steps, start=1):
        item = f"{number}. "
        yield item + for_markdown(step.says)
        for shown in step.quotes:
            yield _indented(code_span(shown.place) + (f" {AGAIN}" if shown.again else ""), len(item))
            if not shown.again:
                yield _indented(code_block(shown.text), len(item))
        if step.remark:
            yield _indented(f"*{for_markdown(step.remark)}*", len(item))
        if step.sql:
            yield _indented("The query behind it:", len(item))
            yield _indented(code_block(step.sql, "sql"), len(item))


@_block.register(Grid)
def _grid(block: Grid) -> Iterator[str]:
    lines = [block.columns, ("---",) * len(block.columns), *block.rows]
    yield "\n".join(f"| {' | '.join(cell if number == 1 else _cell(cell) for cell in line)} |" for number, line in enumerate(lines))


def _cell(text: str) -> str:
    """A cell; its lines follow one another."""
    return " — ".join(for_markdown_cell(line) for line in text.split("\n"))


def _facts(pairs: tuple[tuple[str, str], ...]) -> str:
    """Names and values as a list."""
    return "\n".join(f"- **{for_markdown(name)}**: {for_markdown(value)}" for name, value in pairs)


def _indented(text: str, width: int) -> str:
    """The text as part of the list item above it, whose own text starts at ``width``."""
    return "\n".join(" " * width + line if line else line for line in text.split("\n"))
