"""Is this the log of what stands in front of these servers, or of another site's? Only then does its silence mean anything.

A case may hold the log of one web ACL or load balancer and the requests of servers behind another, or a log from which a filter dropped
most rows (EDGE-100). What servers answered must then be missing there, although it came through something in front.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kyumei.correlate.sightings import ORDER, position

if TYPE_CHECKING:
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

NEAR = timedelta(minutes=15)
"""How far around the moment requests are compared."""
FEWEST = 5
"""Requests further in that must be there before their absence further out says anything."""
SHARE = 0.5
"""Share of the requests further in that the log in front must have; monitors and neighbours that come another way are the rest."""
FRONT = {"cloudfront": "distribution", "waf": "web ACL", "alb": "load balancer", "clb": "load balancer", "apigateway": "API"}
FEWEST_PATHS = 3
"""Different paths in an application's log before it is asked whether the web server in front has them."""
_SECONDS = 5


def strangers(case: Case, symptom: Symptom, window: Window) -> dict[str, str]:
    """Hops in front whose log lacks most of what was answered behind them, and why their silence means nothing."""
    found: dict[str, str] = {}
    hops = {row["hop"] for row in case.rows("SELECT DISTINCT hop FROM sightings")}
    for front, what in FRONT.items():
        behind = [hop for hop in ORDER if hop in hops and position(hop) > position(front) and hop != "waf"]
        if front not in hops or not behind:
            continue
        total, met = _met(case, symptom, window, front, behind[0])
        if total >= FEWEST and met < total * SHARE:
            found[front] = (
                f"its log has {met} of {total} requests that {behind[0]} answered around the moment: it is of another {what}, "
                "or only a part"
            )
    for hop in ("server", "app"):
        if hop not in hops:
            found[hop] = "its log records no requests"
        elif "nginx" in hops:
            total, met = _shared_paths(case, window, hop)
            if total >= FEWEST_PATHS and met < total * SHARE:
                found[hop] = (
                    f"only {met} of {total} paths in its log stand in nginx's at the same time: it is behind another, or nginx "
                    "rewrites paths"
                )
    return found


def _shared_paths(case: Case, window: Window, hop: str) -> tuple[int, int]:
    """How many paths an application's log has around the moment, and how many of them nginx has then, perhaps with more before them."""
    start, end = ((moment).replace(tzinfo=None) for moment in (window.start - NEAR, window.end + NEAR))
    row = case.con.execute(
        f"""WITH span AS (SELECT min(time) AS first, max(time) AS last FROM sightings WHERE hop = 'nginx'),
            own AS (SELECT s.path, s.started, s.time FROM sightings s, span WHERE hop = ? AND length(path) > 1
                AND time BETWEEN first AND last AND time >= ? AND time < ? LIMIT 2000),
            pairs AS (SELECT o.path, r.path AS whole FROM (SELECT DISTINCT path FROM own) o
                JOIN (SELECT DISTINCT path FROM sightings WHERE hop = 'nginx') r ON ends_with(r.path, o.path))
        SELECT (SELECT count(DISTINCT path) FROM own), (SELECT count(DISTINCT own.path) FROM own JOIN pairs USING (path)
            JOIN sightings r ON r.hop = 'nginx' AND r.path = whole AND r.time >= own.started - INTERVAL {_SECONDS} SECOND
            AND r.started <= own.time + INTERVAL {_SECONDS} SECOND)""",
        [hop, start, end],
    ).fetchone()
    return row or (0, 0)


def _met(case: Case, symptom: Symptom, window: Window, front: str, behind: str) -> tuple[int, int]:
    """How many requests of the hop behind lie in the span of the log in front, and how many of them it has."""
    start, end = ((moment).replace(tzinfo=None) for moment in (window.start - NEAR, window.end + NEAR))
    host = "AND coalesce(lower(host) = lower(?), true)" if symptom.host else ""
    row = case.con.execute(
        f"""WITH span AS (SELECT min(time) AS first, max(time) AS last FROM sightings WHERE hop = ?),
            behind AS (SELECT row_number() OVER () AS n, path, method, forwarded_for, started - INTERVAL {_SECONDS} SECOND AS earliest,
                time + INTERVAL {_SECONDS} SECOND AS latest FROM sightings s, span WHERE hop = ? AND started BETWEEN first AND last
                AND time >= ? AND started < ? AND path IS NOT NULL AND coalesce(user_agent, '') NOT LIKE 'ELB-HealthChecker%'
                AND (hop <> 'nginx' OR coalesce(client_ip, '') NOT IN ('127.0.0.1', '::1')) {host} LIMIT 5000),
            spread AS (SELECT *, unnest(range({_slot("earliest")}, {_slot("latest")} + 1)) AS slot FROM behind),
            front AS (SELECT path, method, client_ip, started, {_slot("started")} AS slot FROM sightings WHERE hop = ?)
        SELECT (SELECT count(*) FROM behind), (SELECT count(DISTINCT n) FROM spread b JOIN front o USING (path, slot)
            WHERE coalesce(o.method = b.method, true) AND o.started BETWEEN earliest AND latest
            AND (b.forwarded_for IS NULL OR o.client_ip IS NULL OR contains(o.client_ip, ':')
                OR contains(b.forwarded_for, o.client_ip)))""",
        [front, behind, start, end, *([symptom.host] if symptom.host else []), front],
    ).fetchone()
    return row or (0, 0)


def _slot(time: str) -> str:
    """SQL: the number of the twenty seconds in which a time lies; requests that met share one, which is quick to join by."""
    return f"epoch_us({time}) // 20_000_000"
