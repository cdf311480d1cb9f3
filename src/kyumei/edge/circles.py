"""Redirects that go round in a circle: a client that follows them comes to the same address again and again, and never gets a page.

A browser gives up after some twenty of them ("redirected you too many times"). Sending somebody on once, from http to https or to the
log-in, is an answer like any other: it counts only where the same client is at the same address again at once, with nothing but redirects
between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Row = dict[str, Any]
REDIRECTING = frozenset({301, 302, 303, 307, 308})
"""Statuses that send a client to another address (RFC 9110, 15.4); 304 does not."""
FEWEST = 5
"""Answers at one address from which it is a circle; browsers give up after twenty, people who press reload seldom come so far."""
PAUSE = timedelta(seconds=3)
"""A client that follows redirects is back within this time; a program that asks at intervals mostly is not."""
CLEAN = 0.8
"""Share of the returns between which the client got no other answer; behind a shared address others may get one."""


@dataclass
class _Run:
    """One client at one address, each time within the pause; ``clean`` counts returns with nothing but redirects between."""

    rows: list[Row] = field(default_factory=list)
    clean: int = 0
    spoiled: bool = False

    def circles(self) -> bool:
        returns = len(self.rows) - 1
        return len(self.rows) >= FEWEST and self.clean >= max(FEWEST - 1, returns * CLEAN)


def who(row: Mapping[str, Any]) -> str:
    """Who asked, as far as a record tells: the client that a proxy names, else the one that connected, and its program."""
    behind = str(row.get("forwarded_for") or "").partition(",")[0].strip()
    client = behind if behind not in {"", "-"} else str(row.get("client_ip") or "")
    return f"{client} {row.get('user_agent') or ''}"


def circles(rows: Iterable[Row]) -> list[list[Row]]:
    """The redirects in which clients go round, out of all that one or several hops answered them (rows of ``sightings``)."""
    found: list[list[Row]] = []
    runs: dict[tuple[str, str], dict[tuple[object, ...], _Run]] = {}
    for row in sorted(rows, key=lambda row: (row["started"], row["time"], row["_artifact"], row["_line"])):
        own = runs.setdefault((row["hop"], who(row)), {})
        if row["status"] not in REDIRECTING:
            for run in own.values():
                run.spoiled = True
            continue
        address = (row["method"], row["host"], row["path"], row["query"])
        known = own.get(address)
        if known is None or row["started"] - known.rows[-1]["started"] > PAUSE:
            found += [known.rows] if known is not None and known.circles() else []
            own[address] = _Run([row])
            continue
        known.clean += not known.spoiled
        known.spoiled = False
        known.rows.append(row)
    found += [run.rows for own in runs.values() for run in own.values() if run.circles()]
    return sorted(found, key=lambda circle: circle[0]["started"])
