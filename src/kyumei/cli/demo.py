"""``kyumei demo``: the examples that come with the package, investigated."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import typer

from kyumei.cli.options import Cache, Html, Json, Markdown, Verbose  # noqa: TC001 - Typer reads them at run time
from kyumei.cli.output import deliver, plan
from kyumei.cli.progress import progress
from kyumei.errors import InputError

EPILOG = "\b\nExamples:\n  kyumei demo --html report.html\n  kyumei demo worker-timeout-502"


class Example(NamedTuple):
    """What the person in an example says, and when it is looked at: some hours later."""

    symptom: str
    present: datetime


EXAMPLES = {
    "waf-403": Example("403 Forbidden in the browser on 2025-02-06 around 14:32 JST", datetime(2025, 2, 6, 9, 0, tzinfo=UTC)),
    "worker-timeout-502": Example("users get 502 Bad Gateway on 2025-03-12 around 10:47 JST", datetime(2025, 3, 12, 9, 0, tzinfo=UTC)),
}
"""The examples by their names; the first is the one that is shown where none is named."""
FIRST = next(iter(EXAMPLES))

Name = Annotated[str, typer.Argument(metavar="NAME", help=f"Which example: {', '.join(EXAMPLES)}.")]


def demo(  # noqa: PLR0913 - one parameter an option
    name: Name = FIRST,
    html: Html = None,
    as_json: Json = False,  # noqa: FBT002 - a switch of the command line
    as_markdown: Markdown = False,  # noqa: FBT002 - a switch of the command line
    cache: Cache = None,
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """Investigate an example of the package.

    A 403 that no log of the application knows of, or a 502 of which nginx and the load balancer only tell how it was felt. Writes no report
    to a file unless --html says so.
    """
    example = EXAMPLES.get(name)
    if example is None:
        message = f"there is no example {name!r}"
        raise InputError(message, f"the examples are {', '.join(EXAMPLES)}")
    outputs = plan(as_json=as_json, as_markdown=as_markdown, html=html, output=None)
    from kyumei import api  # noqa: PLC0415 - the engine is loaded only where it is used

    folder = api.demo_case(name)
    sys.stderr.write(f"kyumei investigate {folder} --symptom '{example.symptom}'\n\n")
    with progress("reading the example"):
        investigation = api.investigate(folder, example.symptom, now=example.present, cache=cache)
    deliver(investigation, outputs)
    return 0
