"""Runs whole processes and takes their time and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]
KIB = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts a process's peak memory."""


@dataclass(frozen=True)
class Run:
    """One finished process: wall-clock seconds, seconds of processor time, and peak memory in bytes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def run(arguments: Sequence[str], codes: Sequence[int] = (0,)) -> Run:
    """Run Python with the arguments in the project's root; raises RuntimeError for any other exit code."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    start = perf_counter()
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own modules
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        message = f"{' '.join(arguments)} ended with {process.returncode}"
        raise RuntimeError(message)
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * KIB, output)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of pairs that were measured one right after the other."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class Row:
    """One line of the result: what was measured, the figure, and the target, with whether it is met (null when there is none)."""

    what: str
    figure: str
    target: str = ""
    met: bool | None = None


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    said = {True: "yes", False: "no", None: ""}
    cells = [("what", "measured", "target", "met"), *((row.what, row.figure, row.target, said[row.met]) for row in rows)]
    widths = [max(len(cell[column]) for cell in cells) for column in range(4)]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)) + " |" for cell in cells]
    return "\n".join([lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]])
