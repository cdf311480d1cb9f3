"""Is all of the log here that would have the request? Of the component that was asked, and of each node that writes a part of it.

All files that AWS delivers of one kind count as one log (``coverage``). Several load balancers, distributions or web ACLs may lie in
one case all the same, and the one that was asked may have ended hours before the others. And a load balancer's nodes each deliver a file
of their own every five minutes ("Access logs for your Application Load Balancer"): where one is lost, the others fill the time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from kyumei.correlate.coverage import PATIENCE, SPARSE, USUAL
from kyumei.correlate.sightings import ORDER, position

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

NAMED = {
    "cloudfront_access": ("cloudfront", "distribution"),
    "waf": ("waf", "webacl_arn"),
    "alb_access": ("alb", "elb"),
    "clb_access": ("clb", "elb"),
    "api_gateway_access": ("apigateway", "api_id"),
}
"""Tables whose rows name the component that wrote them: its hop, and the column."""
NODE_FILE = re.compile(r"_(\d{8}T\d{4})Z_(\d{1,3}(?:\.\d{1,3}){3})_[^/_]+\.log")
"""The end of a load balancer's file name: until when the file goes, and the address of the node that wrote it."""
SLOT = timedelta(minutes=5)
TAKEOVER = timedelta(minutes=30)
"""How far apart the end of one component's log and the beginning of its successor's may lie, before or after."""
BESIDE, PRESENT = 6, 0.8
"""Slots before and after a missing one that are looked at, and the share of them that must be there: a quiet node writes few files."""
BUSY = 10
"""Requests of a usual file, from which on a slot without any is no chance."""
FEWEST = 20
"""Requests of a component before its silence says anything, and of a log before its hosts do."""


class Lack(NamedTuple):
    """Why a log is not all that was written, and the component whose log is wanted."""

    why: str
    of: str


def incomplete(case: Case, symptom: Symptom, window: Window) -> dict[str, Lack]:
    """Hops whose logs lack a part in which the reported request may stand, and which part."""
    return {**_without_file(case, window), **_ended(case, symptom, window), **_of_other_hosts(case, symptom)}


def _of_other_hosts(case: Case, symptom: Symptom) -> dict[str, Lack]:
    """The outermost hop whose log tells hosts, where the stated one is none of them: then it is the log of another site."""
    if symptom.host is None or case.value("SELECT count(*) FROM artifacts WHERE passed_over OR NOT whole"):
        return {}
    rows = case.rows("SELECT hop, count(host) AS n, bool_or(lower(host) = lower(?)) AS held FROM sightings GROUP BY 1", [symptom.host])
    telling = sorted((row for row in rows if row["n"] and row["hop"] in ORDER), key=lambda row: position(row["hop"]))
    if not telling or telling[0]["held"] or telling[0]["n"] < FEWEST:
        return {}
    why = f"none of the {telling[0]['n']} requests in its log is for the host {symptom.host}: it is of another site"
    return {telling[0]["hop"]: Lack(why, f"what serves {symptom.host}")}


def _ended(case: Case, symptom: Symptom, window: Window) -> dict[str, Lack]:
    """Hops of which there are several in the case, where the log of one that serves what was asked for does not cover the moment."""
    found: dict[str, Lack] = {}
    for table in case.filled:
        if table not in NAMED or case.value(f'SELECT count(DISTINCT {NAMED[table][1]}) FROM "{table}"') in {0, 1}:
            continue
        hop, column = NAMED[table]
        rows = _spans(case, table, column, symptom, window)
        asked = [row for row in rows if row["asked"]] or rows
        for row in asked:
            if (why := _lacks(row)) and not _handed_over(row, asked):
                found.setdefault(hop, Lack(f"the log of {row['name']} {why}", str(row["name"])))
    return found


def _spans(case: Case, table: str, column: str, symptom: Symptom, window: Window) -> list[dict[str, object]]:
    """Each component of a table: whether it served the host or path, when it wrote last before and first after, its longest silence."""
    asked = "lower(host) = lower($told)" if symptom.host else "rtrim(path, '/') = rtrim($told, '/')"
    return case.rows(
        f"""WITH own AS (SELECT {column} AS name, time, coalesce({asked}, false) AS asked,
                lag(time) OVER (PARTITION BY {column} ORDER BY time) AS since
                FROM "{table}" WHERE time IS NOT NULL AND {column} IS NOT NULL)
        SELECT name, bool_or(asked) AS asked, min(time) AS first,
            max(time) FILTER (time < $start) AS before, min(time) FILTER (time >= $end) AS after,
            quantile_cont(epoch(time - since), 0.95) AS usual,
            max(epoch(time - since)) FILTER (time >= $start AND since < $end) AS longest
        FROM own GROUP BY name HAVING count(*) >= {FEWEST} ORDER BY name""",
        {
            "told": symptom.host or symptom.path,
            "start": window.start.replace(tzinfo=None),
            "end": window.end.replace(tzinfo=None),
        },
    )


def _handed_over(row: Mapping[str, object], others: Iterable[Mapping[str, object]]) -> bool:
    """Whether a component ended when another one began that serves the same: it was replaced, and has no more to say.

    One that was there from the beginning is no successor, however short the logs are.
    """
    start, before, after = row["first"], row["before"], row["after"]
    if not isinstance(start, datetime) or not isinstance(before, datetime) or after is not None:
        return False
    began = [other["first"] for other in others if other is not row and not _lacks(other)]
    late = start + (before - start) / 2
    return any(isinstance(first, datetime) and first > late and abs(first - before) <= TAKEOVER for first in began)


def _lacks(row: Mapping[str, object]) -> str:
    """What the log of one component lacks; empty where it covers the moment."""
    before, after, usual, longest = row["before"], row["after"], row["usual"], row["longest"]
    if not isinstance(before, datetime):
        return "starts in or after the moment, while those of others go on"
    if not isinstance(after, datetime):
        return f"ends in or before the moment (its last record before it is of {before:%Y-%m-%d %H:%M:%S} UTC), while those of others go on"
    allowed = min(max(PATIENCE.total_seconds(), USUAL * float(str(usual or 0))), SPARSE.total_seconds())
    if float(str(longest or 0)) > allowed:
        return "is silent over the moment far longer than is usual for it, while those of others go on"
    return ""


def _without_file(case: Case, window: Window) -> dict[str, Lack]:
    """Load balancers of which a node's file of the moment is not here, though those before and after it are."""
    found: dict[str, Lack] = {}
    for table in ("alb_access", "clb_access"):
        if table not in case.filled:
            continue
        for (component, address), sizes in sorted(_files(case, table).items()):
            if (end := _missing(sizes, window)) is not None:
                until = f"{end:%Y-%m-%d %H:%M} UTC"
                why = f"the file of its node {address} that ends at {until} is missing, while those before and after are here"
                found.setdefault(NAMED[table][0], Lack(why, component))
    return found


def _files(case: Case, table: str) -> dict[tuple[str, str], dict[datetime, int]]:
    """How many requests the files of each node of each load balancer hold, by their end."""
    nodes: dict[tuple[str, str], dict[datetime, int]] = defaultdict(dict)
    for row in case.rows(
        f'SELECT a.name, any_value(elb) AS elb, count(*) AS n FROM "{table}" t JOIN artifacts a ON a.artifact = t._artifact GROUP BY 1'
    ):
        told = NODE_FILE.search(row["name"])
        end = _moment(told[1]) if told else None
        if told and end is not None:
            sizes = nodes[row["elb"] or "", told[2]]
            sizes[end] = sizes.get(end, 0) + row["n"]
    return nodes


def _moment(text: str) -> datetime | None:
    """The time in a file's name, if it is one."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def _missing(sizes: Mapping[datetime, int], window: Window) -> datetime | None:
    """The end of the first file over the window that a busy node should have written and that is not here."""
    if not sizes or median(sizes.values()) < BUSY:
        return None
    first, last = min(sizes), max(sizes)
    end = _slot_end(window.start)
    while end - SLOT < window.end and end < last:
        around = [end + step * SLOT for step in range(-BESIDE, BESIDE + 1) if step and first <= end + step * SLOT <= last]
        there = sum(1 for moment in around if moment in sizes)
        if end > first and end not in sizes and there >= PRESENT * len(around):
            return end
        end += SLOT
    return None


def _slot_end(moment: datetime) -> datetime:
    """The end of the five minutes in which a moment lies."""
    start = moment.replace(minute=moment.minute - moment.minute % 5, second=0, microsecond=0)
    return start + SLOT
