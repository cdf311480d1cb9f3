"""Groups the failing requests by who answered them and how: each group is what one rule explains."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure
from kyumei.correlate.addresses import is_private
from kyumei.correlate.buckets import bucket_answers
from kyumei.correlate.coverage import coverage
from kyumei.correlate.hops import INFERRED, place_in_chain
from kyumei.correlate.journey import AROUND
from kyumei.correlate.outgoing import without_own_calls
from kyumei.correlate.owner import Owner, error_lines, owner
from kyumei.correlate.sightings import position, relation
from kyumei.edge.agents import BROWSER, PROBED, SCANNER
from kyumei.model.window import Window
from kyumei.store.cite import AT_PLACES, place, places
from kyumei.store.narrow import tables_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from kyumei.correlate.buckets import Answer
    from kyumei.correlate.coverage import LogCoverage
    from kyumei.correlate.hops import Known
    from kyumei.correlate.journey import Exchange
    from kyumei.model.symptom import Symptom
    from kyumei.store.case import Case

Row = dict[str, Any]
Member = tuple["Exchange", Owner]
Records = dict[tuple[str, tuple[int, int]], list[Row]]
"""Whole records by their table and by where they start."""
SHOWN = 50
NEAR_SECONDS = 60
"""What lies nearer to the stated moment than a clock is read is equally near."""
PROBES = 5
"""Requests of a group whose absence further in is looked at one by one."""


def is_browser(agent: str | None) -> bool:
    """Whether a user agent is one that browsers send and crawlers do not."""
    return bool(agent and BROWSER.search(agent))


def covered(case: Case, found: Sequence[Exchange], logs: Sequence[LogCoverage]) -> Sequence[LogCoverage]:
    """The coverage of the moments of the failing requests, where some log is shorter than the time in which they were looked for.

    "Since half past nine" goes on until now, and where no time was said all logs are looked through: what the logs can say of the requests
    that were found does not depend on that.
    """
    if not found:
        return logs
    start, end = min(one.span[0] for one in found), max(one.span[1] for one in found) + timedelta(microseconds=1)
    window = Window(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    spans = ((log.start, log.end) for log in logs if not log.covers)
    return coverage(case, window) if any(first and last and first < window.start and window.end <= last for first, last in spans) else logs


def find(  # noqa: PLR0913 - what was looked for, what was found, and what can be told of it
    case: Case, symptom: Symptom, window: Window, found: list[Exchange], covering: Mapping[str, bool], known: Sequence[Known]
) -> list[Failure]:
    """The failing requests that fit the symptom, grouped, the group that fits best first; ``found`` are the exchanges that fit it."""
    found = without_own_calls(case, found, window, covering)
    paths = sorted({one.outermost["path"] for one in found if one.outermost["path"]})
    naive = [(moment + step).replace(tzinfo=None) for moment, step in ((window.start, -AROUND), (window.end, AROUND))]
    errors = error_lines(case, paths, *naive) if paths else []
    existing = frozenset(other.hop for other in known if not other.timeless)
    groups: dict[tuple[Any, ...], list[Member]] = {}
    owned = [(one, owner(one, covering, errors, existing)) for one in found]
    buckets = bucket_answers(case, [answered.record or one.innermost for one, answered in owned if answered.hop in BEHIND])
    for one, answered in owned:
        groups.setdefault(_signature(one, answered, buckets), []).append((one, answered))
    records = _full(case, groups.values())
    covered = [other.hop for other in known if covering.get(other.hop)]
    strays = _strays(case, covered, [one.outermost for members in groups.values() for one, _ in members[:PROBES]])
    failures = [
        _failure(members, records, _of_targets(case, members, _behind(members, covering, known, strays))) for members in groups.values()
    ]
    served = served_clients(case, failures)
    ordered = sorted(failures, key=lambda failure: rank(failure, symptom, window, served))
    return [replace(failure, key=str(number)) for number, failure in enumerate(ordered, start=1)]


BY_KIND = frozenset({"cloudfront", "waf", "alb", "clb", "apigateway"})
"""Hops whose record names the reason of the answer."""


BEHIND = frozenset({"target", "unknown"})
"""Owners that are but known to lie behind a hop, or not at all; a bucket is one of them."""


def _signature(one: Exchange, answered: Owner, buckets: Mapping[str, Answer]) -> tuple[Any, ...]:
    """What makes two failing requests one group: the same answering hop, and the same reason as far as its record tells."""
    record = answered.record or one.innermost
    if answered.hop in BY_KIND:
        return (answered.hop, record["table_name"], record["kind"])
    if answered.errors:
        return (answered.hop, re.sub(r'"[^"]*"|[0-9]+', "", answered.errors[0]["message"] or ""))
    if answered.hop in BEHIND and (answer := buckets.get(record["path"])) and answer.status == record["status"]:
        return (answered.hop, answer, answered.sure)
    return (answered.hop, record["path"] if answered.hop in {"app", "target", "unknown"} else "", answered.sure)


def _failure(members: Sequence[Member], records: Records, behind: tuple[tuple[str, ...], tuple[str, ...]]) -> Failure:
    answered = members[0][1]
    sightings: dict[str, list[Row]] = {}
    joined: Counter[str] = Counter()
    for one, _ in members:
        joined.update(sorted(one.joined_by))
        for hop, row in one.sightings.items():
            sightings.setdefault(hop, []).append(row)
    own = (_own_record(one, each, _table(members)) for one, each in members[:SHOWN])
    rows = [full for row in own if row is not None and (full := _of_sighting(row, records))]
    errors = {(line["_artifact"], line["_line"]): line for _, each in members for line in each.errors}
    silent, blind = behind
    return Failure(
        hop=answered.hop,
        table=_table(members),
        total=len(members),
        rows=tuple(rows),
        sightings={hop: tuple(seen[:SHOWN]) for hop, seen in sightings.items()},
        joined_by=joined.most_common(1)[0][0] if joined else "",
        sure=answered.sure,
        why=answered.why,
        silent=silent,
        blind=blind,
        human=_looks_human(sightings),
        inner_errors=tuple(errors.values())[:SHOWN],
    )


def _table(members: Sequence[Member]) -> str:
    """The table in which the failing requests of one group are shown: that of the record that says who answered the first."""
    one, answered = members[0]
    return str((answered.record or one.innermost)["table_name"])


def _own_record(one: Exchange, answered: Owner, table: str) -> Row | None:
    if answered.record is not None and answered.record["table_name"] == table:
        return answered.record
    return next((row for row in one.sightings.values() if row["table_name"] == table), None)


def _full(case: Case, groups: Iterable[Sequence[Member]]) -> Records:
    """The whole records behind the sightings that are shown, by table and place."""
    wanted: dict[str, list[Row]] = {}
    for members in groups:
        own = (_own_record(one, each, _table(members)) for one, each in members[:SHOWN])
        wanted.setdefault(_table(members), []).extend(row for row in own if row is not None)
    found: Records = {}
    for table, rows in wanted.items():
        for record in case.rows(_at_places(case, table), places(rows)):
            found.setdefault((table, place(record)), []).append(record)
    return found


def _at_places(case: Case, table: str) -> str:
    """SQL: the records of a table at ``places``, in the order in which they were read."""
    source = relation(table)
    if source != f'"{table}"' or len(tables_of(case.con, table)) > 1:  # a view has no rowid
        return f"SELECT t.* FROM {source} t JOIN {AT_PLACES} ORDER BY t._artifact, t._line"
    # Found by two columns first: all the others of every record would be read for the join.
    return f"SELECT * FROM {source} WHERE rowid IN (SELECT t.rowid FROM {source} t JOIN {AT_PLACES}) ORDER BY rowid"


def _same_path(whole: str | None, seen: str | None) -> bool:
    """Whether a record's path is that of its sighting, which may lack API Gateway's stage in front."""
    return whole == seen or bool(whole and seen and whole.endswith(seen))


def _of_sighting(row: Row, records: Records) -> Row | None:
    """The whole record behind a sighting. Several records of one document may start on one line: the time tells them apart."""
    alike = records.get((row["table_name"], place(row)), [])
    return next(
        (full for full in alike if full["time"] in {row["time"], row["started"]} and _same_path(full.get("path"), row["path"])),
        alike[0] if alike else None,
    )


def _behind(
    members: Sequence[Member], covering: Mapping[str, bool], known: Sequence[Known], strays: Collection[tuple[str, object]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hops further in that have no record of the requests: those whose silence means something, and those that cannot say."""
    silent: list[str] = []
    blind: list[str] = []
    hop = members[0][1].hop
    seen = {other for one, _ in members for other in one.sightings}
    for other in known:
        if place_in_chain(other.hop) <= position(hop) or other.hop in seen or other.hop in INFERRED:
            continue
        if covering.get(other.hop) and not any((other.hop, _key(one.outermost)) in strays for one, _ in members[:PROBES]):
            silent.append(other.hop)
        else:
            blind.append(other.hop)
    return tuple(silent), tuple(blind)


RELAYED, MET = 5, 0.5
"""Requests that a target answered, from which on it shows whether its log is here, and the share of them that its log must have."""


def _of_targets(
    case: Case, members: Sequence[Member], behind: tuple[tuple[str, ...], tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The same hops, where those are blind whose logs do not have what the very targets of these requests answered at other times.

    Where the log of one host is here and the request went to another one, it is silent about it, however well it covers the moment.
    """
    silent, blind = behind
    rows = [one.sightings["alb"] for one, _ in members if "alb" in one.sightings]
    targets = sorted({row["target_ip"] for row in rows if row["target_ip"]})
    if not silent or not targets:
        return behind
    counted = case.rows(
        "WITH asked AS (SELECT row_number() OVER () AS n, method, path, time FROM (SELECT * FROM sightings WHERE hop = 'alb' "
        "AND list_contains($targets::VARCHAR[], target_ip) AND target_status IS NOT NULL AND path IS NOT NULL "
        "ORDER BY abs(epoch(time - $near::TIMESTAMP)), _artifact, _line LIMIT 200)), "
        "hops AS (SELECT unnest($hops::VARCHAR[]) AS hop) "
        "SELECT hop, (SELECT count(*) FROM asked) AS whole, count(DISTINCT n) AS met FROM hops LEFT JOIN (SELECT s.hop, n FROM asked a "
        "JOIN sightings s ON s.path = a.path AND coalesce(s.method = a.method, true) AND abs(epoch(s.time - a.time)) <= 2) USING (hop) "
        "GROUP BY hop",
        {"targets": targets, "near": rows[0]["time"], "hops": list(silent)},
    )
    elsewhere = {row["hop"] for row in counted if row["whole"] >= RELAYED and row["met"] < MET * row["whole"]}
    return tuple(hop for hop in silent if hop not in elsewhere), (*blind, *(hop for hop in silent if hop in elsewhere))


def _key(row: Row) -> tuple[object, ...]:
    """All of a sighting that a search for strays depends on."""
    return tuple(row[name] for name in ("hop", "method", "path", "time", "trace_id", "client_ip"))


def _strays(case: Case, hops: Sequence[str], rows: Sequence[Row]) -> set[tuple[str, object]]:
    """Hops that have a record that could be of a request but was not joined to it, each with the ``_key`` of the request.

    Same method and path within seconds, nobody else's.
    """
    columns = {name: [row[name] for row in rows] for name in ("hop", "method", "path", "time")}
    asked = [list(range(len(rows))), *columns.values()]
    probes = (
        "SELECT unnest(?::INTEGER[]) AS n, unnest(?::VARCHAR[]) AS hop, unnest(?::VARCHAR[]) AS method, unnest(?::VARCHAR[]) AS path, "
        "unnest(?::TIMESTAMP[]) AS time"
    )
    alike = "s.path = p.path AND coalesce(s.method = p.method, true) AND abs(epoch(s.time - p.time)) <= "
    near = case.rows(
        f"SELECT n, s.hop, s.client_ip, s.forwarded_for, s.trace_id FROM sightings s JOIN ({probes}) p ON {alike} 5 "
        "WHERE list_contains(?::VARCHAR[], s.hop)",
        [*asked, list(hops)],
    )
    if not near:
        return set()
    passed = case.rows(
        f"SELECT n, count(*) AS allowed FROM sightings s JOIN ({probes}) p ON s.hop = p.hop AND NOT coalesce(s.own, false) AND {alike} 7 "
        "GROUP BY n",
        asked,
    )
    allowed = {row["n"]: row["allowed"] for row in passed}
    counts = Counter((other["hop"], other["n"]) for other in near if _may_be(rows[other["n"]], other))
    return {(hop, _key(rows[number])) for (hop, number), count in counts.items() if count > allowed.get(number, 0)}


def _may_be(row: Row, other: Row) -> bool:
    """Whether a record of a hop could be of the request: its trace id or client says so, or it names no client of its own."""
    if row["trace_id"] and other["trace_id"]:
        return bool(row["trace_id"] == other["trace_id"])
    addresses = {other["client_ip"], *(other["forwarded_for"] or "").replace(",", " ").split()} - {None, "-", ""}
    return row["client_ip"] in addresses or all(is_private(address) for address in addresses)


def _looks_human(sightings: Mapping[str, list[Row]]) -> bool:
    """Whether any of the requests could be a person's: not all agents are scanners' and not all paths are what scanners ask for."""
    rows = [row for seen in sightings.values() for row in seen]
    agents = [row["user_agent"] for row in rows if row["user_agent"] is not None]
    if agents and any(is_browser(agent) for agent in agents):
        return not all(PROBED.search(row["path"] or "") for row in rows)
    return not agents or not all(SCANNER.search(agent) for agent in agents)


def rank(failure: Failure, symptom: Symptom, window: Window, served: Collection[str]) -> tuple[Any, ...]:
    """Smaller fits better: people before scanners, browsers if the person spoke of one, users of the site, nearness, number.

    ``served`` are the clients of ``served_clients``.
    """
    rows = [row for seen in failure.sightings.values() for row in seen]
    middle = (symptom.moment or window.middle).replace(tzinfo=None)
    nearest = min(abs((row["time"] - middle).total_seconds()) for row in rows)
    browser = any(is_browser(row["user_agent"]) for row in rows)
    return (
        not failure.human,
        bool(symptom.browser and not browser),
        not _known_client(rows, served),
        nearest > NEAR_SECONDS,
        -failure.total,
        nearest,
    )


ROAMED = 3
"""Different paths on which a client fails, and nothing that it is given, from which it looks like a scanner whatever it calls itself."""


def roams(case: Case, failure: Failure) -> bool:
    """Whether the clients of a failure ask for one thing after the other and are given none, as scanners do."""
    clients = sorted({row["client_ip"] for seen in failure.sightings.values() for row in seen if row["client_ip"]})[:50]
    paths = case.value(
        "SELECT max(n) FROM (SELECT count(DISTINCT path) AS n FROM sightings "
        "WHERE list_contains(?::VARCHAR[], client_ip) AND status >= 400 GROUP BY client_ip)",
        [[client for client in clients if not is_private(client)]],
    )
    return (paths or 0) >= ROAMED


def _clients(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The first clients in order of their addresses, without proxies."""
    return sorted({row["client_ip"] for row in rows if row["client_ip"] and not is_private(row["client_ip"])})[:50]


def _known_client(rows: Iterable[Mapping[str, Any]], served: Collection[str]) -> bool:
    """Whether one of the clients is served well elsewhere in the logs: a user of the site."""
    clients = _clients(rows)
    return not clients or any(client in served for client in clients)


def served_clients(case: Case, failures: Sequence[Failure]) -> set[str]:
    """Those clients of failing requests to whom the logs show something else that was served well."""
    seen = ([row for rows in failure.sightings.values() for row in rows] for failure in failures)
    clients = sorted({client for rows in seen for client in _clients(rows)})
    if not clients:
        return set()
    rows = case.rows(
        "SELECT DISTINCT client_ip FROM sightings JOIN (SELECT unnest(?::VARCHAR[]) AS client_ip) USING (client_ip) "
        "WHERE (hop = 'waf' AND NOT own) OR status < 400",
        [clients],
    )
    return {row["client_ip"] for row in rows}
