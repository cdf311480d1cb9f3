"""A word on standard error while something takes longer than a second, for people only."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 1.0
"""How long nothing is said."""


@contextmanager
def progress(words: str) -> Iterator[None]:
    """Show the words with a spinner once a second has passed; nothing at all where standard error is not a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - Rich is loaded only where a person watches
    from rich.text import Text  # noqa: PLC0415 - as above

    from kyumei.report.escape import visible  # noqa: PLC0415 - as above

    status = Console(stderr=True, markup=False, emoji=False).status(Text(visible(words)))
    gate = Lock()
    done = False

    def start() -> None:
        """Speak up, unless it is over by now."""
        with gate:
            if not done:
                status.start()

    timer = Timer(PATIENCE_SECONDS, start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with gate:
            done = True
            status.stop()
