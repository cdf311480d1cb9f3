"""``kyumei investigate``: from a folder of logs and a symptom to a cause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from kyumei.cli.options import Cache, File, Folder, Html, Json, Markdown, Verbose  # noqa: TC001 - Typer reads them at run time
from kyumei.cli.output import deliver, plan
from kyumei.cli.progress import progress
from kyumei.errors import InputError
from kyumei.model.finding import Verdict

if TYPE_CHECKING:
    from kyumei.model.finding import Investigation

EPILOG = (
    "\b\nExamples:\n  kyumei investigate ./logs '403 on GET /app/admin at 2025-02-06 14:32 JST'\n"
    "  kyumei investigate ./logs --status 403 --path /app/admin --at '2025-02-06 14:32' --zone Asia/Tokyo --html report.html\n\n"
    "\b\nExit codes: 0 nothing wrong found, or it cannot be told; 1 a cause was found; 2 wrong input; 3 unreachable"
)

Now = Annotated[str | None, typer.Option("--now", metavar="TIME", help="The present, for words like “today”: 2025-02-06T06:00:00Z.")]


def investigate(  # noqa: PLR0913 - one parameter an option
    path: Folder,
    said: Annotated[
        str | None, typer.Argument(metavar="TEXT", show_default=False, help="What somebody saw, in their own words, with when.")
    ] = None,
    symptom: Annotated[str | None, typer.Option("--symptom", metavar="TEXT", help="The same, as an option.")] = None,
    status: Annotated[str | None, typer.Option("--status", metavar="CODE", help="The HTTP status: 403, or 5xx.")] = None,
    method: Annotated[str | None, typer.Option("--method", metavar="METHOD", help="The HTTP method.")] = None,
    url_path: Annotated[str | None, typer.Option("--path", metavar="PATH", help="The path of the URL.")] = None,
    host: Annotated[str | None, typer.Option("--host", metavar="HOST", help="The host name of the URL.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it happened.")] = None,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="The zone of the times told: Asia/Tokyo, +09:00.")] = None,
    client: Annotated[str | None, typer.Option("--client", metavar="ADDRESS", help="The address of the client.")] = None,
    request_id: Annotated[str | None, typer.Option("--request-id", metavar="ID", help="An id of the request, such as a trace id.")] = None,
    top: Annotated[
        int, typer.Option("--top", metavar="N", min=1, help="Without a symptom: how many of the failures that stand out to investigate.")
    ] = 1,
    as_json: Json = False,  # noqa: FBT002 - a switch of the command line
    as_markdown: Markdown = False,  # noqa: FBT002 - a switch of the command line
    html: Html = None,
    output: File = None,
    cache: Cache = None,
    now: Now = None,
    verbose: Verbose = False,  # noqa: ARG001, FBT002 - main looks for it when something goes wrong
) -> int:
    """Find out why a request failed.

    Reads the logs and the stored AWS answers of a folder; changes nothing in it.
    """
    if said is not None and symptom is not None:
        message = "the symptom is told twice"
        raise InputError(message, "leave out --symptom, or the text behind the folder")
    outputs = plan(as_json=as_json, as_markdown=as_markdown, html=html, output=output)
    present = moment(now)
    told = {
        "status": status,
        "method": method,
        "path": url_path,
        "host": host,
        "at": at,
        "zone": zone,
        "client": client,
        "request_id": request_id,
    }
    from kyumei import api  # noqa: PLC0415 - the engine is loaded only where it is used

    with progress(f"reading {path}"):
        investigation = api.investigate(
            path,
            symptom if said is None else said,
            now=present,
            options={name: value for name, value in told.items() if value is not None},
            cache=cache,
            top=top,
        )
    deliver(investigation, outputs)
    return exit_code(investigation)


def exit_code(investigation: Investigation) -> int:
    """1 where a cause was found, else 0: also where it cannot be told, for nothing was found then."""
    return 1 if investigation.verdict is Verdict.CAUSE_FOUND else 0


def moment(text: str | None) -> datetime:
    """The present, or the moment that ``--now`` states instead."""
    if text is None:
        return datetime.now(UTC)
    try:
        stated = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"--now {text!r} is not a time"
        raise InputError(message, "write it as 2025-02-06T06:00:00Z") from error
    if stated.tzinfo is None:
        message = f"--now {text!r} has no zone"
        raise InputError(message, "write it as 2025-02-06T06:00:00Z, or with an offset such as +09:00")
    return stated
