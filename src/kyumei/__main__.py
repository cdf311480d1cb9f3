"""``python -m kyumei`` is ``kyumei``: the process that runs a command and ends with its exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

INTERRUPTED = 130
"""Somebody pressed Ctrl-C."""


def run() -> None:
    """Run the command and end the process.

    By then every file is closed and every thread done. Taking the interpreter and what was read apart piece by piece would only cost the
    person who waits a tenth of a second.
    """
    _fill_closed_streams()
    try:
        from kyumei.cli.main import main  # noqa: PLC0415 - whoever presses Ctrl-C while this is loaded sees no traceback either

        code = main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _fill_closed_streams() -> None:
    """Let a standard stream that was closed (``>&-``) lead nowhere, so that no file that is opened later stands in its place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD:
        pass
    os.close(number)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - it stays open until the process ends
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as above


_LAST_STANDARD = 2


if __name__ == "__main__":
    run()
