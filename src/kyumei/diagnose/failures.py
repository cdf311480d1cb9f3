"""Groups the failing requests by who answered them and how: each group is what one rule explains."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Failure
from kyumei.correlate.journey import AROUND, Exchange, exchanges, is_private
from kyumei.correlate.outgoing import is_own_call
from kyumei.correlate.owner import Owner, error_lines, owner
from kyumei.correlate.sightings import position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.correlate.hops import Known
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

Row = dict[str, Any]
SHOWN = 50
NEAR_SECONDS = 60
"""What lies nearer to the stated moment than a clock is read is equally near."""
PROBES = 5
"""Requests of a group whose absence further in is looked at one by one."""
BROWSER = re.compile(r"^Mozilla/5\.0 \((?!compatible)(?!.*(?:bot|crawl|spider|scan|headless))", re.IGNORECASE)
SCANNER = re.compile(
    r"bot\b|crawl|spider|scan|nikto|sqlmap|nuclei|zgrab|masscan|nmap|wpscan|gobuster|dirbuster|feroxbuster|acunetix|nessus|python-requests|"
    r"Go-http-client|libwww-perl|curl/|Wget/|^-?$",
    re.IGNORECASE,
)
PROBED = re.compile(
    r"wp-login|wp-admin|xmlrpc\.php|phpmyadmin|/\.env|/\.git|/cgi-bin/|/etc/passwd|\.\./|/actuator|/boaform|/vendor/phpunit|\.php$|/HNAP1",
    re.IGNORECASE,
)
"""Paths that the internet asks every server for."""


def is_browser(agent: str | None) -> bool:
    """Whether a user agent is one that browsers send and crawlers do not."""
    return bool(agent and BROWSER.search(agent))


def find(case: Case, symptom: Symptom, window: Window, covering: Mapping[str, bool], known: Sequence[Known]) -> list[Failure]:
    """The failing requests that fit the symptom, grouped, the group that fits best first."""
    found, _ = exchanges(case, symptom, window)
    found = [one for one in found if not is_own_call(case, one, window, covering)]
    paths = sorted({one.outermost["path"] for one in found if one.outermost["path"]})
    naive = [(moment + step).replace(tzinfo=None) for moment, step in ((window.start, -AROUND), (window.end, AROUND))]
    errors = error_lines(case, paths, *naive) if paths else []
    groups: dict[tuple[Any, ...], list[tuple[Exchange, Owner]]] = {}
    for one in found:
        answered = owner(one, covering, errors)
        groups.setdefault(_signature(one, answered), []).append((one, answered))
    failures = [_failure(case, members, covering, known) for members in groups.values()]
    return sorted(failures, key=lambda failure: rank(failure, symptom, window, case))


def _signature(one: Exchange, answered: Owner) -> tuple[Any, ...]:
    """What makes two failing requests one group: the same answering hop, and the same reason as far as its record tells."""
    record = answered.record or one.innermost
    if answered.hop in {"waf", "alb"}:
        return (answered.hop, record["table_name"], record["kind"])
    if answered.errors:
        return (answered.hop, re.sub(r'"[^"]*"|[0-9]+', "", answered.errors[0]["message"] or ""))
    return (answered.hop, record["path"] if answered.hop in {"app", "target", "unknown"} else "", answered.sure)


def _failure(case: Case, members: list[tuple[Exchange, Owner]], covering: Mapping[str, bool], known: Sequence[Known]) -> Failure:
    answered = members[0][1]
    sightings: dict[str, list[Row]] = {}
    joined: Counter[str] = Counter()
    for one, _ in members:
        joined.update(one.joined_by)
        for hop, row in one.sightings.items():
            sightings.setdefault(hop, []).append(row)
    record = answered.record or members[0][0].innermost
    table = record["table_name"]
    own = [_own_record(one, each, table) for one, each in members]
    rows = [full for row in own[:SHOWN] if row is not None and (full := _full(case, row))]
    errors = {(line["_artifact"], line["_line"]): line for _, each in members for line in each.errors}
    silent, blind = _behind(case, answered.hop, members, covering, known)
    return Failure(
        hop=answered.hop,
        table=table,
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


def _own_record(one: Exchange, answered: Owner, table: str) -> Row | None:
    if answered.record is not None and answered.record["table_name"] == table:
        return answered.record
    return next((row for row in one.sightings.values() if row["table_name"] == table), None)


def _full(case: Case, row: Row) -> Row | None:
    """The whole record behind a sighting. Several records of one document may start on one line: the time tells them apart."""
    found = case.rows(f'SELECT * FROM "{row["table_name"]}" WHERE _artifact = ? AND _line = ?', [row["_artifact"], row["_line"]])
    return next((full for full in found if full["time"] == row["time"] and full.get("path") == row["path"]), found[0] if found else None)


def _behind(
    case: Case, hop: str, members: list[tuple[Exchange, Owner]], covering: Mapping[str, bool], known: Sequence[Known]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hops further in that have no record of the requests: those whose silence means something, and those that cannot say."""
    silent: list[str] = []
    blind: list[str] = []
    seen = {other for one, _ in members for other in one.sightings}
    for other in known:
        if position(other.hop) <= position(hop) or other.hop in seen or other.hop == "balancer":
            continue
        if covering.get(other.hop) and not any(_stray(case, other.hop, one) for one, _ in members[:PROBES]):
            silent.append(other.hop)
        else:
            blind.append(other.hop)
    return tuple(silent), tuple(blind)


def _stray(case: Case, hop: str, one: Exchange) -> bool:
    """Whether a hop has a record that could be of this request but was not joined to it.

    Same method and path within seconds, nobody else's.
    """
    row = one.outermost
    near = case.rows(
        "SELECT client_ip, forwarded_for, trace_id FROM sightings WHERE hop = ? AND coalesce(method = ?, true) AND path = ? "
        "AND abs(epoch(time - ?::TIMESTAMP)) <= 5",
        [hop, row["method"], row["path"], row["time"]],
    )
    allowed = case.value(
        "SELECT count(*) FROM sightings WHERE hop = ? AND NOT coalesce(own, false) AND coalesce(method = ?, true) AND path = ? "
        "AND abs(epoch(time - ?::TIMESTAMP)) <= 7",
        [row["hop"], row["method"], row["path"], row["time"]],
    )
    strays = 0
    for other in near:
        addresses = {other["client_ip"], *(other["forwarded_for"] or "").replace(",", " ").split()} - {None, "-", ""}
        if row["trace_id"] and other["trace_id"]:
            strays += row["trace_id"] == other["trace_id"]
        elif row["client_ip"] in addresses or all(is_private(address) for address in addresses):
            strays += 1
    return strays > (allowed or 0)


def _looks_human(sightings: Mapping[str, list[Row]]) -> bool:
    """Whether any of the requests could be a person's: not all agents are scanners' and not all paths are what scanners ask for."""
    rows = [row for seen in sightings.values() for row in seen]
    agents = [row["user_agent"] for row in rows if row["user_agent"] is not None]
    if agents and any(is_browser(agent) for agent in agents):
        return not all(PROBED.search(row["path"] or "") for row in rows)
    return not agents or not all(SCANNER.search(agent) for agent in agents)


def rank(failure: Failure, symptom: Symptom, window: Window, case: Case) -> tuple[Any, ...]:
    """Smaller fits better: people before scanners, browsers if the person spoke of one, users of the site, nearness, number."""
    rows = [row for seen in failure.sightings.values() for row in seen]
    middle = (symptom.moment or window.middle).replace(tzinfo=None)
    nearest = min(abs((row["time"] - middle).total_seconds()) for row in rows)
    browser = any(is_browser(row["user_agent"]) for row in rows)
    return (
        not failure.human,
        bool(symptom.browser and not browser),
        not _known_client(case, rows),
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


def _known_client(case: Case, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one of the clients is served well elsewhere in the logs: a user of the site."""
    clients = sorted({row["client_ip"] for row in rows if row["client_ip"] and not is_private(row["client_ip"])})[:50]
    if not clients:
        return True
    return bool(
        case.value(
            "SELECT count(*) FROM sightings WHERE list_contains(?::VARCHAR[], client_ip) AND ((hop = 'waf' AND NOT own) OR "
            "status < 400) LIMIT 1",
            [clients],
        )
    )
