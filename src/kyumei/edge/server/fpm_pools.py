"""A pool of PHP-FPM that was full while a web server waited for it: `server reached pm.max_children` beside time-outs.

FPM says so when it reaches the limit, and not again before it was below it. The line names the pool and no request, so it is joined by time
and by the socket that the web server asked: where that names a pool, it must be this one. Follows "FastCGI Process Manager (FPM)" in the
PHP manual.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import View

FULL = re.compile(r"\[pool (?P<pool>[\w.-]{1,64})\] server reached (?:pm\.)?max_children setting \((?P<number>\d+)\)")
_POOL = r"\[pool ([A-Za-z0-9_.-]{1,64})\]"
_PLAIN = re.compile(r"php|fpm|fcgi|fastcgi|sock(?:et)?|run|var|[\d.:/_-]")
"""What a socket's name holds that is no pool's."""
LASTING = timedelta(minutes=5)
"""How long before the first failing answer a pool may have become full."""
TABLES = ("app_log", "syslog")


class FullPool(NamedTuple):
    """A pool with all its children at work, and the lines that say so."""

    pool: str
    number: int
    rows: tuple[Mapping[str, Any], ...]

    @property
    def clause(self) -> str:
        """In words that follow a cause."""
        return f"all {self.number} children of the PHP-FPM pool {self.pool} were at work (pm.max_children)"


def full_pool(view: View, rows: Sequence[Mapping[str, Any]], upstream: str | None) -> FullPool | None:
    """The pool behind failing requests that became full in the minutes before them, or among them."""
    times = [row["time"] for row in rows]
    told: list[dict[str, Any]] = []
    pools: set[str] = set()
    for table in TABLES:
        if not view.has(table):
            continue
        pools |= {
            str(row["pool"])
            for row in view.rows(
                f"SELECT DISTINCT regexp_extract(message, '{_POOL}', 1) AS pool FROM {table} WHERE contains(message, '[pool ') LIMIT 100"
            )
        } - {""}
        told += view.rows(
            f"SELECT * FROM {table} WHERE contains(message, 'max_children setting') AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP "
            "ORDER BY time, _artifact, _line LIMIT 50",
            *(min(times) - LASTING, max(times)),
        )
    found = [(row, said) for row in told if (said := FULL.search(row["message"] or "")) and _behind(said["pool"], upstream, pools)]
    if not found:
        return None
    pool, number = found[0][1]["pool"], int(found[0][1]["number"])
    return FullPool(pool, number, tuple(row for row, said in found if said["pool"] == pool))


def _behind(pool: str, upstream: str | None, pools: set[str]) -> bool:
    """Whether the socket that was asked may be this pool's: it has its name, or none, and there is but one pool."""
    name = (upstream or "").rpartition("/")[2] if "unix:" in (upstream or "") or ".sock" in (upstream or "") else ""
    own = _PLAIN.sub(" ", name.lower()).split()
    if own:
        return pool.lower() in name.lower()
    return len(pools) == 1
