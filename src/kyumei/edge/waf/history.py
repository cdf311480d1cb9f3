"""What the WAF log tells about a rule over all its time: since when, whom else, and what a change would let through."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.literals import literal, same
from kyumei.edge.waf.block import Block, clipped
from kyumei.edge.waf.exception import searched, too_long
from kyumei.edge.waf.sql import stopped_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from kyumei.contracts import View

SHOWN = 4
"""Paths that a sentence lists."""


class Exemption(NamedTuple):
    """Requests that a change would let through, as a condition on table ``waf``."""

    where: str
    wide: bool = False
    """Whether it holds for every client."""


def onset(view: View, block: Block) -> datetime | None:
    """When this rule first stopped the same path in the log."""
    rows = view.rows(f"SELECT min(time) AS first FROM waf WHERE {stopped_by(block.row)} AND {same('path', block.row['path'])}")
    first = rows[0]["first"] if rows else None
    return first.replace(tzinfo=UTC) if first else None


def stopped_requests(block: Block, limit: int = 5) -> tuple[tuple[str, str], ...]:
    """The methods and paths of the failing requests, the nearest first; none where the log redacts them."""
    pairs = ((row["method"], row["path"]) for row in block.failure.rows)
    return tuple(dict.fromkeys((str(method), str(path)) for method, path in pairs if method and path and "REDACTED" not in {method, path}))[
        :limit
    ]


def these_requests(pairs: Iterable[tuple[str, str]]) -> str:
    """A condition on table ``waf``: one of these methods and paths."""
    return "(" + " OR ".join(f"({same('method', method)} AND {_path_is(path)})" for method, path in pairs) + ")"


def _path_is(path: str) -> str:
    return f"starts_with(path, {literal(searched(path))})" if too_long(path) else same("path", path)


def proof(view: View, block: Block, exemption: Exemption) -> str:
    """What the exemption would have let through of all that this rule stopped in the records read, and what it would have kept."""
    rows = view.rows(
        f"SELECT coalesce({exemption.where}, false) AS passing, method, path, count(*) AS n, list(DISTINCT client_ip) AS clients "
        f"FROM waf WHERE {stopped_by(block.row)} GROUP BY ALL ORDER BY n DESC, path"
    )
    passing, kept = ([row for row in rows if row["passing"] is wanted] for wanted in (True, False))
    total, through = sum(row["n"] for row in rows), sum(row["n"] for row in passing)
    query = f"SELECT coalesce({exemption.where}, false) AS passing, count(*) FROM waf WHERE {stopped_by(block.row)} GROUP BY 1"
    text = (
        f"Of the {counted(total, 'request')} that this rule stopped in the records read, {through} would have gone on{_whose(passing)}, "
        f"{total - through} would still be stopped{_whose(kept)}."
    )
    if exemption.wide and through == total:
        text += " It would leave the rule nothing that it stopped: see whether a narrower change will do."
    return f"{text} Rules that come later still look at what goes on. Query: {query}"


def _whose(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    clients = {client for row in rows for client in row["clients"]}
    paths = "; ".join(f"{row['method']} {clipped(row['path'] or '?', 60)}, {row['n']}x" for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f" ({counted(len(clients), 'client')}; {paths}{more})"


def counted(number: int, what: str) -> str:
    """A number with its noun.

    >>> counted(1, "client"), counted(2, "client")
    ('1 client', '2 clients')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


class Conduct(NamedTuple):
    """What else the client did in the log of this web ACL."""

    allowed: int
    stopped: int
    paths: int
    sql: str


def conduct(view: View, row: Mapping[str, Any]) -> Conduct:
    """How many requests of the same client the web ACL let pass and stopped, and on how many paths it was stopped."""
    sql = (
        "SELECT count(*) FILTER (WHERE action = 'ALLOW') AS allowed, count(*) FILTER (WHERE action <> 'ALLOW') AS stopped, "
        "count(DISTINCT path) FILTER (WHERE action <> 'ALLOW') AS paths "
        f"FROM waf WHERE {same('webacl_arn', row['webacl_arn'])} AND {same('client_ip', row['client_ip'])}"
    )
    found = view.rows(sql)[0]
    return Conduct(found["allowed"], found["stopped"], found["paths"], sql)


def path_share(view: View, block: Block) -> tuple[int, int, str]:
    """How many requests for the same path this rule stopped, how many the web ACL saw in all, and the query."""
    sql = (
        f"SELECT count(*) FILTER (WHERE {stopped_by(block.row)}) AS stopped, count(*) AS seen FROM waf "
        f"WHERE {same('webacl_arn', block.row['webacl_arn'])} AND {same('path', block.row['path'])}"
    )
    found = view.rows(sql)[0]
    return found["stopped"], found["seen"], sql
