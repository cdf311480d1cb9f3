"""How much a failure did: requests, clients, paths, first and last, its share of the traffic, and whether it is over.

Counted over all that was read, not only over the window of the symptom: from the failing requests in the window outwards, as long
as the next one is less than an hour away, or as hardly anything was asked for between the two. What came a day before is another
failure, even if it looks alike.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.correlate.copies import without
from kyumei.correlate.sightings import ANSWERING, relation
from kyumei.layouts.casts import quoted
from kyumei.model.finding import Impact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Failure
    from kyumei.model.finding import Finding
    from kyumei.model.window import Window
    from kyumei.store.case import Case

APART_SECONDS = 3600
"""Failing requests further apart than this belong to two episodes."""
BY_KIND = frozenset({"waf", "alb", "clb", "cloudfront", "apigateway"})
"""Hops whose record names why they answered; of others the path tells failures apart."""
BY_PATH = frozenset({"app", "target", "unknown"})
AT_THE_DOOR = frozenset({"waf", "alb_access", "clb_access", "cloudfront_access", "api_gateway_access", "api_gateway_execution"})
"""Logs of what clients themselves connect to, also those of a private network."""
PRIVATE = (
    r"^(?:10\.|127\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|169\.254\.|::1$|[Ff][CcDd])"
)
"""Addresses of private networks (RFC 1918, RFC 6598, RFC 4193), of the host itself and of a link."""
PAUSE = 8.0
"""Requests without a failure, in units of the usual distance between two failures, that a long pause must have to part two episodes."""
UNSURE = 3.0
"""Requests without a failure, in units of the usual distance between two failures, after which it is over; and time, in units of that
between two failures, after which nothing tells any more that it goes on."""
ONE_MOMENT = timedelta(seconds=1)
"""Less apart than this, the first sign of a cause and the first request that failed of it are shown as one."""
LOGGED_LATER = timedelta(seconds=60)
"""A line that tells of a failure may be written so much later than the record of the request that failed."""


def impact(case: Case, failure: Failure, window: Window) -> Impact | None:
    """The impact of a failure, or null where its records cannot be counted again (a record without a status)."""
    answering = ANSWERING.get(failure.table)
    record = next((row for seen in failure.sightings.values() for row in seen if row["table_name"] == failure.table), None)
    if answering is None or record is None or record["status"] is None:
        return None
    where = f"({answering.status}) = {int(record['status'])}"
    if record["own"] is not None:
        where += f" AND ({answering.own}) IS {'TRUE' if record['own'] else 'FALSE'}"
    if failure.hop in BY_KIND and record["kind"]:
        where += f" AND ({answering.kind}) = {quoted(str(record['kind']))}"
    if failure.hop in BY_PATH and record["path"]:
        paths = {
            str(row["path"]) for seen in failure.sightings.values() for row in seen if row["table_name"] == failure.table and row["path"]
        }
        where += f" AND ({answering.path}) IN ({', '.join(quoted(path) for path in sorted(paths))})"
    once = without(case.con, failure.table)
    where += once
    start, end = window.start.replace(tzinfo=None), window.end.replace(tzinfo=None)
    counted = _episode(case, failure.table, where, (str(start), str(end)))
    if counted is None or not counted["requests"]:
        return None
    clients = f"count(DISTINCT {_client(failure.table)}), " if counted["clients"] else ""
    sql = (
        f"SELECT count(*), {clients}count(DISTINCT path), min(time), max(time) FROM {relation(failure.table)} "
        f"WHERE {where} AND time BETWEEN '{counted['first']}' AND '{counted['last']}'"
    )
    return _against_traffic(case, failure.table, (where, once), counted, sql)


def agreeing(finding: Finding, hop: str) -> Finding:
    """The finding with an onset that does not contradict its impact. ``hop`` answered the failing requests.

    A rule knows when the path that was asked about began to fail, and the impact when any of its kind did: it is on since then. A cause
    that lies further in may begin later than requests that only fail alike; that is left, and ``apart`` tells of it.
    """
    did, onset = finding.impact, finding.onset
    if did is None or onset is None:
        return finding
    inside = finding.layer not in {"", hop}
    late = onset > did.first and (not inside or onset - did.first <= LOGGED_LATER)
    return replace(finding, onset=did.first) if late or abs(onset - did.first) < ONE_MOMENT else finding


def apart(findings: Sequence[Finding]) -> list[str]:
    """Why a finding's cause is said to last since another moment than that from which its impact is counted, where it is."""
    said: list[str] = []
    for finding in findings:
        did, onset = finding.impact, finding.onset
        if did is None or onset is None or onset == did.first:
            continue
        seconds = round(abs(did.first - onset).total_seconds())
        since, first = (f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" for moment in (onset, did.first))
        if onset > did.first:
            said.append(f"the impact counts what failed alike from {first} on; the first sign of this cause is of {since}")
        elif seconds > APART_SECONDS:
            said.append(f"such failures stand in the logs since {since}; the impact counts from {first} on, after a pause without any")
        else:
            said.append(f"the first sign of the cause ({since}) is {seconds} s older than the first record of a failed request ({first})")
    return said


def _client(table: str) -> str:
    """SQL: from where a request came, as far as a table tells; a function's does not.

    Behind a balancer a web server sees its nodes, and the client only in X-Forwarded-For, of which the first address is meant.
    """
    columns = discover.format_of(table).table
    if "client_ip" not in columns:
        return "NULL::VARCHAR"
    if "forwarded_for" not in columns:
        return "client_ip"
    return "coalesce(nullif(trim(split_part(forwarded_for, ',', 1)), ''), client_ip)"


def _episode(case: Case, table: str, where: str, bounds: tuple[str, str]) -> dict[str, Any] | None:
    """The failing requests that follow each other without a long pause, among them one of the window.

    Clients are not counted where a server shows but private addresses: those may be the nodes of what stands in front of it.
    """
    span = _span(case, table, where, bounds)
    if span is None:
        return None
    nodes = "false" if table in AT_THE_DOOR else f"bool_and(coalesce(regexp_matches(client, {quoted(PRIVATE)}), true))"
    found = case.rows(
        f"""WITH failing AS (SELECT time, {_client(table)} AS client, path FROM {relation(table)}
            WHERE {where} AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP)
        SELECT count(*) AS requests, CASE WHEN NOT {nodes} THEN nullif(count(DISTINCT client), 0) END AS clients,
            count(DISTINCT path) AS paths, min(time) AS first, max(time) AS last FROM failing""",
        list(span),
    )
    return found[0]


def _span(case: Case, table: str, where: str, bounds: tuple[str, str]) -> tuple[Any, Any] | None:
    """The first and the last failing request of the episode with most of them in the window.

    A pause of an hour ends it, unless next to nothing was asked for in it (a night): so few requests that none of them had to fail.
    """
    rows = case.rows(
        f"""WITH asked AS (SELECT time, coalesce({where}, false) AS failed FROM {relation(table)} WHERE time IS NOT NULL
                AND (({where}) OR path IN (SELECT path FROM {relation(table)} WHERE {where}))),
            numbered AS (SELECT *, count(*) OVER (ORDER BY time, NOT failed ROWS UNBOUNDED PRECEDING) AS place FROM asked),
            marked AS (SELECT *, epoch(time - lag(time) OVER (ORDER BY time, place)) > {APART_SECONDS} AS apart FROM numbered WHERE failed),
            parted AS (SELECT *, count(*) FILTER (apart) OVER (ORDER BY time, place ROWS UNBOUNDED PRECEDING) AS episode FROM marked)
        SELECT count(*) AS requests, min(time) AS first, max(time) AS last, min(place) AS since, max(place) AS until,
            min(time) < ?::TIMESTAMP AND max(time) >= ?::TIMESTAMP AS meant FROM parted GROUP BY episode ORDER BY first""",
        [bounds[1], bounds[0]],
    )
    meant = [place for place, row in enumerate(rows) if row["meant"]]
    if not meant:
        return None
    low = high = max(meant, key=lambda place: (rows[place]["requests"], -place))
    failed = rows[low]["requests"]
    while True:
        patience = PAUSE * (rows[high]["until"] - rows[low]["since"] + 1) / failed
        if low > 0 and rows[low]["since"] - rows[low - 1]["until"] <= patience:
            low -= 1
            failed += rows[low]["requests"]
        elif high + 1 < len(rows) and rows[high + 1]["since"] - rows[high]["until"] <= patience:
            high += 1
            failed += rows[high]["requests"]
        else:
            return rows[low]["first"], rows[high]["last"]


def _against_traffic(case: Case, table: str, conditions: tuple[str, str], counted: dict[str, Any], sql: str) -> Impact:
    """The episode beside all requests to the same paths, in its time and after it.

    ``conditions`` say which requests failed, and which records are of any request that is not told already.
    """
    where, once = conditions
    traffic = case.rows(
        f"""SELECT count(*) FILTER (time BETWEEN $first AND $last) AS during, count(*) FILTER (time > $last) AS since,
            (SELECT max(time) FROM {relation(table)}) AS until FROM {relation(table)}
        WHERE time >= $first{once} AND path IN (SELECT path FROM {relation(table)} WHERE {where} AND time BETWEEN $first AND $last)""",
        {"first": counted["first"], "last": counted["last"]},
    )[0]
    share = counted["requests"] / max(traffic["during"], counted["requests"])
    usual = (counted["last"] - counted["first"]) / max(counted["requests"] - 1, 1)
    return Impact(
        requests=counted["requests"],
        clients=counted["clients"],
        paths=counted["paths"],
        first=counted["first"].replace(tzinfo=UTC),
        last=counted["last"].replace(tzinfo=UTC),
        share=share,
        since=traffic["since"],
        ongoing=traffic["since"] < UNSURE / share,
        quiet=(traffic["until"] or counted["last"]) - counted["last"] > UNSURE * usual,
        sql=sql,
    )
