"""What makes "healthy" too much to say to a person who met a failure, although no request of the logs failed like it.

Their request may never have come, an answer with a good status may have been a bad one, and "logged out" is a redirect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.correlate.hops import TITLES
from kyumei.diagnose.doubts import Doubt
from kyumei.diagnose.error_kinds import count_errors, error_kinds
from kyumei.diagnose.errors_in_metrics import errors_in_metrics
from kyumei.diagnose.unprompted import MANY, OF_OTHERS, of_kind
from kyumei.model.finding import Gap
from kyumei.model.status import REDIRECTS
from kyumei.model.symptom import Trouble

if TYPE_CHECKING:
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

FEWEST, REDIRECTED = 3, 0.8
"""Clients that asked for a path, and the share of requests that a redirect must take hold of: logging in redirects, too."""
PROGRAMS = frozenset({"server", "app"})
"""Hops that may write a status without the path; where one in front has the paths, that settles it."""


def unsettled(case: Case, symptom: Symptom, window: Window, hop: str) -> Doubt | None:
    """The first such doubt; ``hop`` is the outermost one, whose log covers the moment.

    Where a status was told, that no answer had it is what was asked for, but for answers of which nothing tells the path.
    """
    if symptom.kind is Trouble.CROSS_ORIGIN:
        return (_asked(case, symptom, window, hop) if symptom.path else None) or _cross_origin(case, symptom, window, hop)
    if symptom.window is None:
        return None
    if doubt := errors_in_metrics(case, symptom, window):
        return doubt
    if symptom.status is not None or symptom.status_class is not None:
        return _without_path(case, symptom, window) if symptom.path and hop in PROGRAMS else None
    if symptom.path and (doubt := _asked(case, symptom, window, hop)):
        return doubt
    count_errors(case.con)
    kinds = (one for one in error_kinds(case) if one.first < window.end and window.start <= one.last)
    return next((of_kind(one) for one in kinds if one.lines >= MANY and one.log not in OF_OTHERS), None)


def _without_path(case: Case, symptom: Symptom, window: Window) -> Doubt | None:
    """That an application answered so at the moment, and does not write to which path."""
    status = f"s.status = {symptom.status}" if symptom.status is not None else f"s.status // 100 = {symptom.status_class}"
    row = case.rows(
        "SELECT count(*) AS n, min(s.status) AS status, any_value(a.name) AS log FROM sightings s "
        f"JOIN artifacts a ON a.artifact = s._artifact WHERE s.path IS NULL AND {status} AND time >= ? AND started < ?",
        [moment.replace(tzinfo=None) for moment in (window.start, window.end)],
    )[0]
    if not row["n"]:
        return None
    answers = f"{row['n']} answer{'s' if row['n'] > 1 else ''} with {row['status']}"
    gap = Gap(
        f"path of the requests in {row['log']}",
        f"whether one of the {answers} at the moment was to {symptom.path}: the log does not say to what they were",
        "look for what else these lines share (an id, a thread, a time) with lines that have the path, or copy the access log in front",
    )
    return Doubt(f"but {row['log']} has {answers} then, without the path", gap)


def _cross_origin(case: Case, symptom: Symptom, window: Window, hop: str) -> Doubt:
    """That a browser refuses an answer for its headers, which no access log has, be its status ever so good."""
    row = case.rows(
        "SELECT count(*) FILTER (method = 'OPTIONS') AS preflights, count(*) FILTER (method IS DISTINCT FROM 'OPTIONS') AS others "
        "FROM sightings WHERE hop = ? AND time >= ? AND started < ? AND (? IS NULL OR rtrim(lower(path), '/') = ?)",
        [hop, *(moment.replace(tzinfo=None) for moment in (window.start, window.end)), *[_compared(symptom.path) or None] * 2],
    )[0]
    gap = Gap(
        "response headers (Access-Control-Allow-*) that the browser was given",
        "why the browser refused it: the answers had a good status, and an access log does not have their headers",
        "`curl -i -X OPTIONS -H 'Origin: https://<PAGE_HOST>' -H 'Access-Control-Request-Method: <METHOD>' https://<HOST><PATH>`, the same "
        "with the method itself, and the line of the browser's console that begins with “Access to”",
    )
    clause = f"but {row['preflights']} preflights (OPTIONS) and {row['others']} other requests of then were answered well"
    return Doubt(clause, gap)


def _compared(path: str | None) -> str:
    """A path in the form in which a stated one is compared with a record's."""
    return (path or "").rstrip("*").rstrip("/").lower()


def _asked(case: Case, symptom: Symptom, window: Window, hop: str) -> Doubt | None:
    """That the outermost log has no request to the path, or that those it has were sent elsewhere."""
    path = _compared(symptom.path)
    row = case.rows(
        "SELECT count(*) AS n, count(*) FILTER (list_contains(?::INTEGER[], status)) AS sent, "
        "count(DISTINCT coalesce(forwarded_for, client_ip)) AS clients FROM sightings WHERE hop = ? AND time >= ? AND started < ? "
        "AND (rtrim(lower(path), '/') = ? OR starts_with(lower(path), ?))",
        [list(REDIRECTS), hop, *(moment.replace(tzinfo=None) for moment in (window.start, window.end)), path, f"{path}/"],
    )[0]
    if not row["n"]:
        gap = Gap(
            "request as the person sent it",
            f"whether it came at all: the log of {TITLES[hop]} covers the moment and has no request to {symptom.path}",
            "repeat it with `curl -v https://<HOST><PATH>` where the person is: does the name resolve to this site, and who answers?",
        )
        return Doubt(f"nor any other request to {symptom.path}, so that theirs did not get there", gap)
    if symptom.kind is None and row["clients"] >= FEWEST and row["sent"] >= REDIRECTED * row["n"]:
        gap = Gap(
            "page that the person was sent to",
            "whether the redirect is the failure: an ended session, say, or a rule that sends everybody elsewhere",
            "ask for the address in the browser's address bar, or repeat the request with `curl -vL`",
        )
        return Doubt(f"but {row['sent']} of {row['n']} requests to {symptom.path} were sent elsewhere by a redirect", gap)
    return None
