"""Draws a document in a terminal: colour for people, plain text when piped.

Log text is never parsed as markup, and every string is made visible before it is written. Commands stand at the left edge, unwrapped, so
that they can be copied as they are.
"""

from __future__ import annotations

import io
from functools import singledispatch
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from kyumei.report.compose import to_document
from kyumei.report.document import Bullets, Code, Facts, Grid, Message, Paragraph, Steps, Tone
from kyumei.report.escape import visible
from kyumei.report.quote import AGAIN, Part, Quote

if TYPE_CHECKING:
    from typing import TextIO

    from kyumei.model.finding import Investigation
    from kyumei.report.document import Banner, Block, Document, Glance, Section

PLAIN_WIDTH = 100
"""Columns of the report where nothing tells how wide it may be."""
_COMMAND_LINES = 3
"""A command of up to as many lines is shown in the first screenful; a longer one only by its first line."""
_COLUMN = 20
"""A column that is not the last is never squeezed below this, or below its longest cell."""
_GAP = 3
"""Cells between two columns."""
_LAST = 10
"""Cells that the last column has at least."""
_STYLE = {
    Tone.PROVEN: "bold magenta",
    Tone.LIKELY: "bold yellow",
    Tone.POSSIBLE: "bold yellow",
    Tone.HEALTHY: "bold green",
    Tone.UNKNOWN: "bold blue",
    Tone.ANSWERED: "bold magenta",
    Tone.SEEN: "",
    Tone.ABSENT: "dim",
    Tone.BLIND: "yellow",
    Tone.PLAIN: "",
}
_PIECE = {Part.PLAIN: "", Part.TELLING: "bold cyan", Part.GAP: "dim italic"}


def to_text(investigation: Investigation, width: int = PLAIN_WIDTH) -> str:
    """The report as plain text without colour, at most ``width`` columns but for commands."""
    held = io.StringIO()
    draw(to_document(investigation), _console(held, width=width, plain=True))
    return "\n".join(line.rstrip() for line in held.getvalue().splitlines()) + "\n"


def show(investigation: Investigation, stream: TextIO) -> None:
    """Write the report to the stream, in colour and at its width where it is a terminal."""
    if stream.isatty():
        draw(to_document(investigation), _console(stream, width=None, plain=False))
    else:
        stream.write(to_text(investigation))


def _console(stream: TextIO, *, width: int | None, plain: bool) -> Console:
    """A console that takes every string as it is: no markup, no emoji codes, no guessing of what to highlight."""
    return Console(
        file=stream,
        width=width,
        color_system=None if plain else "auto",
        force_terminal=False if plain else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )


def draw(document: Document, console: Console) -> None:
    """Draw the document: the first screenful, then the sections."""
    console.print(_facts(document.asked))
    console.print()
    console.print(_banner(document.banner))
    _draw_glance(document.glance, console)
    for section in document.sections:
        _draw_section(section, console)


def _text(text: str, style: str = "", *, lines: bool = False) -> Text:
    """A string from anywhere, made visible, with a style of ours."""
    return Text(visible(text, lines=lines), style=style)


def _facts(pairs: tuple[tuple[str, str], ...], width: int = 0) -> Table:
    """Names, in a column of at least ``width``, and values side by side."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold", min_width=width or min(max((len(name) for name, _ in pairs), default=0), _COLUMN))
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(_text(name, "dim"), _text(value))
    return grid


def _banner(banner: Banner) -> Panel:
    """The verdict, large: a heavy frame around one sentence."""
    style = _STYLE[banner.tone]
    return Panel(
        _text(banner.headline, "bold"),
        title=_text(banner.label.upper(), style),
        title_align="left",
        box=box.HEAVY,
        border_style=style,
        padding=(0, 1),
    )


def _draw_glance(glance: Glance, console: Console) -> None:
    """What one needs first."""
    facts = glance.facts
    width = max((len(name) for name, _ in (*facts, ("First step", ""))), default=0)
    console.print(_facts(facts, width))
    if glance.proof:
        console.print(_text("Proof".ljust(width), "dim") + Text("  ") + _text(glance.proof.place, "underline"), soft_wrap=True)
        _draw_quote_text(glance.proof, console)
    if glance.command:
        lines = glance.command.splitlines()
        whole = len(lines) <= _COMMAND_LINES
        console.print(_facts((("First step", glance.command_title),), width))
        _draw_code(glance.command if whole else lines[0].rstrip(" \\") + " …", console)
        if not whole:
            console.print(Text("(the whole of it further down)", style="dim italic"))


def _draw_section(section: Section, console: Console) -> None:
    """A title and its blocks."""
    console.print()
    if cell_len(visible(section.title)) + _GAP > console.width:  # a rule would cut its title off
        console.print(_text(section.title, "bold"))
        console.print(Rule(style="dim"))
    else:
        console.print(Rule(_text(section.title, "bold"), align="left", style="dim"))
    for before, block in zip((None, *section.blocks), section.blocks, strict=False):
        if isinstance(block, Code) and isinstance(before, Code):
            console.print()
        _draw_block(block, console)


@singledispatch
def _draw_block(block: Block, console: Console) -> None:
    """Draw one block of a section."""
    message = f"cannot draw {type(block).__name__} for {console}"
    raise TypeError(message)


@_draw_block.register(Paragraph)
def _draw_paragraph(block: Paragraph, console: Console) -> None:
    if block.lead:
        console.print()
    console.print(_text(block.text, "dim italic" if block.quiet else "bold" if block.lead else ""))


@_draw_block.register(Bullets)
def _draw_bullets(block: Bullets, console: Console) -> None:
    for item in block.items:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_row(Text("•", style="dim"), _text(item))
        console.print(grid)


@_draw_block.register(Facts)
def _draw_facts(block: Facts, console: Console) -> None:
    console.print(_facts(block.pairs))


@_draw_block.register(Code)
def _draw_code_block(block: Code, console: Console) -> None:
    if block.fold:
        console.print(_text(f"{block.fold}:", "dim italic"))
    _draw_code(block.text, console)


@_draw_block.register(Message)
def _draw_message(block: Message, console: Console) -> None:
    console.print(Padding(_text(block.text, "italic", lines=True), (0, 4)))


@_draw_block.register(Steps)
def _draw_steps(block: Steps, console: Console) -> None:
    for number, step in enumerate(block.steps, start=1):
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=3, justify="right", no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(f"{number}.", style="bold"), _text(step.says, "bold"))
        console.print(grid)
        for shown in step.quotes:
            again = Text(f"  {AGAIN}" if shown.again else "", style="dim italic")
            console.print(Text("    ") + _text(shown.place, "underline") + again, soft_wrap=True)
            _draw_quote_text(shown, console)
        if step.remark:
            console.print(Text("    ") + _text(step.remark, "dim italic"))


@_draw_block.register(Grid)
def _draw_grid(block: Grid, console: Console) -> None:
    longest = [
        max((cell_len(line) for row in block.rows for line in row[place].split("\n")), default=0) for place in range(len(block.columns))
    ]
    least = [min(max(cells, len(name)), _COLUMN) for cells, name in zip(longest, block.columns, strict=True)]
    if sum(least[:-1]) + _GAP * (len(least) - 1) + min(least[-1], _LAST) > console.width:
        # So narrow a terminal would lose the last columns: each row is told line by line.
        for row in block.rows:
            console.print(_facts(tuple(zip(block.columns, row, strict=True))), "")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", expand=False)
    for place, column in enumerate(block.columns):
        table.add_column(_text(column), overflow="fold", min_width=None if place == len(block.columns) - 1 else least[place])
    for number, row in enumerate(block.rows):
        style = _STYLE[block.tone(number)]
        cells = [_text(cell, style if place < len(row) - 1 else "", lines=True) for place, cell in enumerate(row)]
        table.add_row(*cells)
    console.print(table)


def _draw_code(code: str, console: Console) -> None:
    """A command at the left edge, never wrapped by us: a wrapped command cannot be copied."""
    console.print(_text(code, "green", lines=True), soft_wrap=True)


def _draw_quote_text(shown: Quote, console: Console) -> None:
    """The cited text behind a bar, wrapped so that the bar stands before every line; nothing where it is quoted further up."""
    if shown.again:
        return
    text = Text()
    for piece in shown.pieces:
        text.append(visible(piece.text, lines=True), style=_PIECE[piece.part])
    bar = Text("    │ ", style="dim")
    width = max(20, console.width - len(bar))
    for line in text.split("\n", allow_blank=True):
        rest = line
        for chunk in chop_cells(line.plain, width) or [""]:
            shown_part, rest = rest.divide([len(chunk)]) if len(chunk) < len(rest) else (rest, Text())
            console.print(bar + shown_part, soft_wrap=True)
