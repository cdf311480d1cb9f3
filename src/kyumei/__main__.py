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
    try:
        from kyumei.cli.main import main  # noqa: PLC0415 - whoever presses Ctrl-C while this is loaded sees no traceback either

        code = main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
