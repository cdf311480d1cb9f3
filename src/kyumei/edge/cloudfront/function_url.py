"""Runs of a Lambda function that is CloudFront's origin by a function URL, which writes no access log: the function's own log has them.

Follows "Lambda function URLs" in the AWS Lambda Developer Guide and "Use an AWS Lambda function URL" in the Amazon CloudFront Developer
Guide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.cloudfront.finding import LOOKED_AT, TABLE, Judged, Part, span
from kyumei.edge.cloudfront.results import Family, Outcome
from kyumei.edge.function import log
from kyumei.edge.function.log import BEGAN, NEARLY, RUNS_ON, SAID
from kyumei.edge.sign import Fix, Sign
from kyumei.model.finding import Certainty, Evidence
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import View

Row = dict[str, Any]
DOMAIN = ".on.aws"
"""How the name of a function URL ends: ``<id>.lambda-url.<region>.on.aws``."""
NEAR = timedelta(seconds=1.5)
"""CloudFront's log keeps whole seconds."""
OFTEN = 1.5
"""Failed runs for each error of CloudFront's, at the most: it tries some requests again."""
RELAYED = "EDGE-086"
ANSWERED = Outcome(
    frozenset(),
    Family.BROKEN,
    Sign(
        RELAYED,
        "lambda",
        "it handed on what its origin answered, the function URL {origin}: the function behind it failed{what}",
        (
            Fix(
                "Mend the error in the function's log at that second.",
                ("aws logs tail /aws/lambda/{function} --since 1h --filter-pattern ERROR",),
            ),
        ),
        "The same request logs Miss with a 2xx status, and the function's log has a run without an error.",
        ("5xxErrorRate",),
        "AWS/CloudFront",
    ),
)
"""A function behind a function URL raised an error, timed out or crashed: the URL answers 502 or 504 for it."""


def is_function_url(host: str) -> bool:
    """Whether an origin is a function URL.

    >>> is_function_url("abc123.lambda-url.eu-west-1.on.aws"), is_function_url("api.example.com")
    (True, False)
    """
    return host.lower().endswith(DOMAIN) and ".lambda-url." in host.lower()


def outlasted(view: View, rows: Sequence[Mapping[str, object]]) -> list[Row]:
    """The reports of runs that began when CloudFront asked, and went on when it gave up; none unless each request has one.

    They must be of one function, or of one log, and hardly more than CloudFront's errors: of a function that runs so long all the time, or
    of several, some keep step with these requests by chance.
    """
    known = log.functions(view)
    found: list[Row] = []
    slow: dict[tuple[object, ...], Row] = {}
    for row in rows[:LOOKED_AT]:
        began, ended = span(row)
        seconds = (ended - began).total_seconds()
        if seconds <= 1:
            return []
        lines = log.between(view, began + timedelta(seconds=seconds * NEARLY), ended + RUNS_ON)
        long = [(line, ran) for line in lines if (ran := log.seconds(line)) is not None and ran >= seconds * NEARLY]
        own = [line for line, ran in long if abs(line["time"] - timedelta(seconds=ran) - began) <= BEGAN]
        if not own:
            return []
        found += own
        slow |= {(line["_artifact"], line["_line"]): line for line, ran in long if line["time"] - timedelta(seconds=ran) <= ended}
    runs, settled = log.of_function(found, "", known)
    if not settled:
        return []
    looked_at, sources = rows[:LOOKED_AT], {_source(line, known) for line in runs}
    start, end = min(span(row)[0] for row in looked_at) - BEGAN, max(span(row)[1] for row in looked_at) + BEGAN
    all_slow = sum(_source(line, known) in sources for line in slow.values())
    return runs if all_slow <= _noted(view, rows[0], start, end) * OFTEN + 1 else []


def _source(line: Row, known: Mapping[int, set[str]]) -> object:
    """What tells whose run a line is of: the function, or else the file."""
    return line["function"] or frozenset(known.get(line["_artifact"], ())) or line["_artifact"]


def failed(view: View, part: Part, host: str) -> tuple[Part, Judged] | None:
    """Runs that failed while CloudFront had the requests, each of those that are looked at; null where these do not keep step.

    No more than likely: the row does not say that the origin answered, nor the log that it is that of the function behind the URL.
    """
    if not is_function_url(host) or not (part.row.get("status") or 0) >= SERVER_ERROR:  # type: ignore[operator] # a status is a number
        return None
    known = log.functions(view)
    found: list[Row] = []
    for row in part.rows[:LOOKED_AT]:
        began, ended = span(row)
        own = [line for line in log.between(view, began - NEAR, ended + NEAR) if log.ended_badly(line)]
        if not own:
            return None
        found += own
    runs, settled = log.of_function(found, "", known)
    if not settled or not _in_step(view, part, known):
        return None
    # The report of a failed run says that it failed, and a line above it why.
    first = next((line for line in runs if not log.is_report(line)), runs[0])
    words = str(first["message"]).splitlines()[0][:SAID]
    says = f"The function's log has a run that failed while CloudFront had the request, for each of the requests looked at: {words}"
    named = {name for line in runs for name in ([str(line["function"])] if line["function"] else known.get(line["_artifact"], set()))}
    more = {"what": f" ({words})", "function": next(iter(named)) if len(named) == 1 else "<FUNCTION>"}
    evidence = Evidence(says, view.cite([first, *runs]), total=len(runs))
    return Part(part.failure, ANSWERED, part.rows, part.total), Judged(Certainty.LIKELY, (evidence,), more=more)


def _in_step(view: View, part: Part, known: Mapping[int, set[str]]) -> bool:
    """Whether the function fails about as often as CloudFront notes errors: one that fails all the time meets any request by chance."""
    start, end = min(span(row)[0] for row in part.rows) - NEAR, max(span(row)[1] for row in part.rows) + NEAR
    bad = [line for line in log.between(view, start, end) if log.ended_badly(line)]
    lines, reports = ([line for line in bad if log.is_report(line) is told] for told in (False, True))
    own = log.of_function(lines or reports, "", dict(known))[0]
    return len(own) <= _noted(view, part.row, start, end) * OFTEN + 1


def _noted(view: View, row: Mapping[str, object], start: datetime, end: datetime) -> int:
    """How many errors CloudFront notes of the row's distribution from ``start`` to ``end`` (naive UTC)."""
    found = view.rows(
        f"SELECT count(*) AS n FROM {TABLE} WHERE time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP AND status >= {SERVER_ERROR} "
        "AND distribution IS NOT DISTINCT FROM ?",
        *(start, end, row.get("distribution")),
    )
    return int(found[0]["n"])
