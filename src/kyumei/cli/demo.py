"""``kyumei demo``: the example that comes with the package, investigated."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from kyumei.cli.options import Cache, Html, Json, Markdown, Verbose  # noqa: TC001 - Typer reads them at run time
from kyumei.cli.output import deliver, plan
from kyumei.cli.progress import progress

EPILOG = "\b\nExample:\n  kyumei demo --html report.html"
SYMPTOM = "403 Forbidden in the browser on 2025-02-06 around 14:32 JST"
"""What the person in the example says."""
PRESENT = datetime(2025, 2, 6, 9, 0, tzinfo=UTC)
"""When the example is looked at: the evening of that day."""


def demo(
    html: Html = None,
    as_json: Json = False,  # noqa: FBT002 - a switch of the command line
    as_markdown: Markdown = False,  # noqa: FBT002 - a switch of the command line
    cache: Cache = None,
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """Investigate the example of the package.

    A 403 that no log of the application knows of. Writes no report to a file unless --html says so.
    """
    outputs = plan(as_json=as_json, as_markdown=as_markdown, html=html, output=None)
    from kyumei import api  # noqa: PLC0415 - the engine is loaded only where it is used

    folder = api.demo_case()
    sys.stderr.write(f"kyumei investigate {folder} --symptom '{SYMPTOM}'\n\n")
    with progress("reading the example"):
        investigation = api.investigate(folder, SYMPTOM, now=PRESENT, cache=cache)
    deliver(investigation, outputs)
    return 0
